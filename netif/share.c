/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * share.c - see share.h.
 *
 * A group's memory is a System V segment that is removed as soon as it is made: it ends with the last
 * who has it attached.  Whoever comes finds it by a lock: each member locks a byte of the file of the IPC
 * namespace whose offset says both the group and the segment, and the kernel tells where a lock is that
 * is in the way.  Nothing has a name, so nothing is left behind.
 *
 *     HOLD     group << 31 | segment
 *     MEMBER   1 << 62 | group << 8 | number      by each member for as long as it is there
 *     GATE     the same with 128 for the number   while somebody joins
 *
 * A group is 31 bits of a hash; what it is called in full stands in the segment.  The file can be
 * opened for reading alone, which allows shared locks only: so a byte is taken by locking it and then asking
 * whether anybody else has.
 */
#define _GNU_SOURCE 1
#include "share.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/shm.h>
#include <time.h>

#include "highfd.h"
#include "rawcall.h"

#define GATE 128
#define GATE_TRIES 1000
#define FLOWS 4096u
#define ADDRS 8
#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

/* An entry of flows[]: the upper bits of the flow's hash, the owner's number plus one. */
#define TAG_MASK (~UINT64_C(0xff))

struct name {
	uint64_t netns;
	uint32_t uid, port;
};

/* What a member takes: written by it, and by who finds it dead. */
struct taking {
	_Atomic uint32_t any;
	_Atomic uint32_t addr[ADDRS];            /* 0: none */
	_Atomic uint32_t listeners;
};

struct map {
	struct name name;                        /* written before others can find it */
	_Atomic uint64_t key;                    /* of share_hash() */
	struct taking taking[SHARE_MEMBERS];
	_Atomic uint64_t flows[FLOWS];           /* compared and swapped by everybody */
};

struct share {
	int fd;
	unsigned me;
	uint64_t group;
	struct map *map;
};

/* splitmix64's finalizer: every bit of the input changes half of the output. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* ---- locks ---- */

static int lock(int fd, short type, int64_t byte)
{
	struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

	return raw_fcntl(fd, F_OFD_SETLK, (long)(uintptr_t)&l);
}

/* The first byte that the kernel finds locked by others among these n; -1: none. */
static int64_t find_lock(int fd, int64_t byte, int64_t n)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = n };

	if (n <= 0 || raw_fcntl(fd, F_OFD_GETLK, (long)(uintptr_t)&l) || l.l_type == F_UNLCK)
		return -1;
	return l.l_start;
}

static bool take(int fd, int64_t byte)
{
	if (lock(fd, F_RDLCK, byte))
		return false;
	if (find_lock(fd, byte, 1) < 0)
		return true;
	lock(fd, F_UNLCK, byte);
	return false;
}

static int64_t member(const struct share *s, unsigned i)
{
	return INT64_C(1) << 62 | (int64_t)s->group << 8 | i;
}

static bool is_alive(const struct share *s, unsigned i)
{
	return i == s->me || find_lock(s->fd, member(s, i), 1) >= 0;
}

bool share_is_alone(const struct share *s)
{
	return find_lock(s->fd, member(s, 0), SHARE_MEMBERS) < 0;
}

/* Joining takes some system calls; one at a time. */
static int enter_gate(const struct share *s)
{
	struct timespec t = { 0, 500000 };
	int i;

	for (i = 0; i < GATE_TRIES; i++) {
		if (take(s->fd, member(s, GATE)))
			return 0;
		t.tv_nsec = 500000 + (long)(mix((uint64_t)getpid() << 32 | (unsigned)i) % 500000);
		nanosleep(&t, NULL);
	}
	return -EBUSY;
}

/* ---- the segment ---- */

static int name_it(struct name *n, uint16_t port)
{
	socklen_t len = sizeof(n->netns);
	int fd = raw_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	if (fd < 0)
		return fd;
	memset(n, 0, sizeof(*n));
	n->uid = geteuid();
	n->port = port;
	r = raw_getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &n->netns, &len);
	raw_close(fd);
	return r;
}

/* In a place of mmap()'s, which tells ThreadSanitizer that what is there is new: shmat() tells it nothing.
 * NULL, and errno, on failure. */
static struct map *attach_id(int id)
{
	void *place = mmap(NULL, sizeof(struct map), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *m;

	if (place == MAP_FAILED)
		return NULL;
	m = shmat(id, place, SHM_REMAP);
	if (m != (void *)-1)
		return m;
	munmap(place, sizeof(struct map));
	return NULL;
}

/* NULL: it is gone, somebody else's, or another group's. */
static struct map *attach(int id, const struct name *n)
{
	struct shmid_ds ds;
	struct map *m;

	if (shmctl(id, IPC_STAT, &ds) || ds.shm_perm.cuid != n->uid || ds.shm_segsz != sizeof(*m))
		return NULL;
	m = attach_id(id);
	if (!m)
		return NULL;
	if (!memcmp(&m->name, n, sizeof(*n)))
		return m;
	shmdt(m);
	return NULL;
}

/* By the members' locks in [from, to): the segment attached, its HOLD byte in *held. */
static struct map *find(int fd, const struct name *n, int64_t from, int64_t to, int64_t *held)
{
	int64_t at = find_lock(fd, from, to - from);
	struct map *m;

	if (at < from)
		return NULL;
	*held = at;
	m = attach((int)(at & INT32_MAX), n);
	if (!m)
		m = find(fd, n, from, at, held);
	return m ? m : find(fd, n, at + 1, to, held);
}

static struct map *make(const struct name *n, int *id)
{
	struct map *m;
	uint64_t key;

	*id = shmget(IPC_PRIVATE, sizeof(*m), IPC_CREAT | 0600);
	if (*id < 0)
		return NULL;
	m = attach_id(*id);
	shmctl(*id, IPC_RMID, NULL);
	if (!m)
		return NULL;
	if (getrandom(&key, sizeof(key), 0) != sizeof(key))
		key = (uint64_t)(uintptr_t)m ^ (uint64_t)getpid() << 32;
	m->name = *n;
	atomic_store(&m->key, key);
	return m;
}

static int get_map(struct share *s, const struct name *n)
{
	int64_t base = (int64_t)s->group << 31, held = -1;
	int id;

	s->map = find(s->fd, n, base, base + INT32_MAX, &held);
	if (!s->map) {
		s->map = make(n, &id);
		if (!s->map)
			return -errno;
		held = base + id;
	}
	return lock(s->fd, F_RDLCK, held);
}

/* ---- joining and leaving ---- */

/* The first number that nobody has. */
static int take_number(struct share *s)
{
	for (s->me = 0; s->me < SHARE_MEMBERS; s->me++)
		if (take(s->fd, member(s, s->me)))
			return 0;
	return -ENOSPC;
}

static void take_nothing(struct taking *t)
{
	unsigned i;

	atomic_store(&t->any, 0);
	atomic_store(&t->listeners, 0);
	for (i = 0; i < ADDRS; i++)
		atomic_store(&t->addr[i], 0);
}

/* What one who died there left behind. */
static void clear_number(struct share *s)
{
	unsigned i;

	take_nothing(&s->map->taking[s->me]);
	for (i = 0; i < FLOWS; i++) {
		uint64_t old = atomic_load(&s->map->flows[i]);

		if ((old & ~TAG_MASK) == s->me + 1)
			atomic_compare_exchange_strong(&s->map->flows[i], &old, 0);
	}
}

static int join(struct share *s, const struct name *n)
{
	int r = enter_gate(s);

	if (r)
		return r;
	r = get_map(s, n);
	if (!r)
		r = take_number(s);
	if (r)
		return r;
	clear_number(s);
	lock(s->fd, F_UNLCK, member(s, GATE));
	return 0;
}

int share_open(struct share **out, uint16_t port)
{
	struct share *s = calloc(1, sizeof(*s));
	struct name n;
	int r;

	if (!s)
		return -ENOMEM;
	r = name_it(&n, port);
	s->group = (mix(mix(n.netns) + ((uint64_t)n.uid << 16 | port))) >> 33;
	if (!r)
		r = s->fd = highfd_raise(raw_open("/proc/self/ns/ipc", O_RDONLY | O_CLOEXEC, 0));
	if (r < 0)
		goto no_file;
	r = join(s, &n);
	if (!r) {
		*out = s;
		return 0;
	}
	if (s->map)
		shmdt(s->map);
	raw_close(s->fd);
no_file:
	free(s);
	return r;
}

void share_forget(struct share *s)
{
	if (!s)
		return;
	shmdt(s->map);
	raw_close(s->fd);
	free(s);
}

void share_close(struct share *s)
{
	if (!s)
		return;
	take_nothing(&s->map->taking[s->me]);
	share_forget(s);
}

int share_fd(const struct share *s)
{
	return s->fd;
}

/* ---- flows ---- */

uint64_t share_hash(const struct share *s, uint64_t a, uint64_t b)
{
	return mix(mix(mix(atomic_load(&s->map->key)) + a) + b);
}

int share_set_taking(struct share *s, uint32_t addr, bool on)
{
	struct taking *t = &s->map->taking[s->me];
	unsigned i, room = ADDRS;

	if (!addr) {
		atomic_store(&t->any, on);
		return 0;
	}
	for (i = 0; i < ADDRS; i++) {
		uint32_t a = atomic_load(&t->addr[i]);

		if (a == addr) {
			atomic_store(&t->addr[i], on ? addr : 0);
			return 0;
		}
		if (!a && room == ADDRS)
			room = i;
	}
	if (!on)
		return 0;
	if (room == ADDRS)
		return -ENOSPC;
	atomic_store(&t->addr[room], addr);
	return 0;
}

void share_set_listeners(struct share *s, unsigned n)
{
	atomic_store(&s->map->taking[s->me].listeners, n);
}

unsigned share_listeners(const struct share *s)
{
	unsigned i, n, sum = 0;

	for (i = 0; i < SHARE_MEMBERS; i++) {
		n = atomic_load(&s->map->taking[i].listeners);
		if (n && is_alive(s, i))
			sum += n;
	}
	return sum;
}

/* compute_score(): 2 for a listener on this address, 1 for one on any, 0 for none. */
static unsigned score(const struct share *s, unsigned i, uint32_t addr)
{
	struct taking *t = &s->map->taking[i];
	unsigned k;

	for (k = 0; k < ADDRS; k++)
		if (atomic_load(&t->addr[k]) == addr)
			return 2;
	return atomic_load(&t->any) != 0;
}

static bool takes_anything(const struct share *s, unsigned i)
{
	struct taking *t = &s->map->taking[i];
	unsigned k;

	for (k = 0; k < ADDRS; k++)
		if (atomic_load(&t->addr[k]))
			return is_alive(s, i);
	return atomic_load(&t->any) && is_alive(s, i);
}

/* Who takes this flow, by score and weight; SHARE_MEMBERS: nobody. */
static unsigned heaviest(struct share *s, uint64_t hash, uint32_t addr)
{
	unsigned i, best, best_score, sc;
	uint64_t top, w;

	for (;;) {
		best = SHARE_MEMBERS;
		best_score = 0;
		top = 0;
		for (i = 0; i < SHARE_MEMBERS; i++) {
			sc = score(s, i, addr);
			w = mix(hash + mix(i + 1));
			if (sc > best_score || (sc && sc == best_score && w > top)) {
				best = i;
				best_score = sc;
				top = w;
			}
		}
		if (best == SHARE_MEMBERS || is_alive(s, best))
			return best;
		take_nothing(&s->map->taking[best]);
	}
}

/* What nobody takes is refused by one. */
static bool is_first(const struct share *s)
{
	return !s->me || find_lock(s->fd, member(s, 0), s->me) < 0;
}

bool share_takes(struct share *s, uint64_t hash, uint32_t addr, bool is_known)
{
	_Atomic uint64_t *at = &s->map->flows[hash % FLOWS];
	uint64_t mine = (hash & TAG_MASK) | (s->me + 1), old = atomic_load(at);
	unsigned owner, best = heaviest(s, hash, addr);
	bool wants = is_known || best == s->me;

	if (best == SHARE_MEMBERS)
		return is_known || is_first(s);
	/* One who has stopped to listen leaves new connections to others. */
	if (old == mine && !is_known && !score(s, s->me, addr))
		return false;

	for (;;) {
		owner = (unsigned)(old & ~TAG_MASK) - 1;
		if (old == mine)
			return true;
		/* Somebody was first. */
		if ((old & TAG_MASK) == (hash & TAG_MASK) && owner < SHARE_MEMBERS && takes_anything(s, owner))
			return false;
		if (!wants)
			return false;
		if (atomic_compare_exchange_strong(at, &old, mine))
			return true;
	}
}
