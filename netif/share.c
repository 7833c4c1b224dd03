/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * share.c - see share.h.
 *
 * Locked bytes of the file: MEMBER + i by member i for as long as it is there; GATE
 * while somebody joins or leaves (the last to leave removes the file, and who joins
 * looks whether the file it has opened is still the one of that name).
 */
#define _GNU_SOURCE 1
#include "share.h"

#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "highfd.h"
#include "rawcall.h"

#define SHM "/dev/shm"
#define GATE 128
#define MEMBER 0
#define FLOWS 4096u
#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

/* An entry of flows[]: the upper bits of the flow's hash, the owner's number plus one. */
#define TAG_MASK (~UINT64_C(0xff))

struct map {
	_Atomic uint64_t key;                    /* of share_hash(), 0: not set yet */
	_Atomic uint32_t taking[SHARE_MEMBERS];  /* written by the member, and by who finds it dead */
	_Atomic uint64_t flows[FLOWS];           /* compared and swapped by everybody */
};

struct share {
	int fd;
	unsigned me;
	struct map *map;
	char path[96];
};

/* ---- locks ---- */

static int lock(int fd, short type, int64_t byte, bool waits)
{
	struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };
	int r;

	do
		r = raw_fcntl(fd, waits ? F_OFD_SETLKW : F_OFD_SETLK, (long)(uintptr_t)&l);
	while (waits && r == -EINTR);
	return r;
}

/* Would others' locks keep us from all of these bytes? */
static bool is_locked(int fd, int64_t byte, int64_t n)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = n };

	return raw_fcntl(fd, F_OFD_GETLK, (long)(uintptr_t)&l) || l.l_type != F_UNLCK;
}

static bool is_alive(const struct share *s, unsigned i)
{
	return i == s->me || is_locked(s->fd, MEMBER + (int64_t)i, 1);
}

bool share_is_alone(const struct share *s)
{
	return !is_locked(s->fd, MEMBER, SHARE_MEMBERS);
}

/* ---- joining and leaving ---- */

static int name_it(struct share *s, const char *name)
{
	uint64_t netns = 0;
	socklen_t len = sizeof(netns);
	int fd = raw_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	if (fd < 0)
		return fd;
	r = raw_getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &netns, &len);
	raw_close(fd);
	if (r)
		return r;
	r = snprintf(s->path, sizeof(s->path), SHM "/xtcp-%u-%llx-%s", (unsigned)geteuid(),
	             (unsigned long long)netns, name);
	return r < (int)sizeof(s->path) ? 0 : -ENAMETOOLONG;
}

/* The file of that name, with its gate held: its fd, or -errno; -EAGAIN: it has gone meanwhile. */
static int open_gate(const char *path)
{
	struct stat st;
	int fd = raw_open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), r;

	if (fd < 0)
		return fd;
	fd = highfd_raise(fd);
	r = lock(fd, F_WRLCK, GATE, true);
	if (!r && fstat(fd, &st))
		r = -errno;
	if (!r && (!S_ISREG(st.st_mode) || st.st_uid != geteuid()))
		r = -EPERM;              /* somebody else made it */
	if (!r && !st.st_nlink)
		r = -EAGAIN;
	if (!r && st.st_size != sizeof(struct map))
		r = (int)raw_result(syscall(SYS_ftruncate, fd, sizeof(struct map)));
	if (!r)
		return fd;
	raw_close(fd);
	return r;
}

/* The first number that nobody has. */
static int take_number(struct share *s)
{
	for (s->me = 0; s->me < SHARE_MEMBERS; s->me++)
		if (!lock(s->fd, F_WRLCK, MEMBER + (int64_t)s->me, false))
			return 0;
	return -ENOSPC;
}

/* What one who died there left behind. */
static void clear_number(struct share *s)
{
	unsigned i;

	atomic_store(&s->map->taking[s->me], 0);
	for (i = 0; i < FLOWS; i++) {
		uint64_t old = atomic_load(&s->map->flows[i]);

		if ((old & ~TAG_MASK) == s->me + 1)
			atomic_compare_exchange_strong(&s->map->flows[i], &old, 0);
	}
}

static int map_it(struct share *s)
{
	uint64_t none = 0, key = 0;
	void *p = mmap(NULL, sizeof(struct map), PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	s->map = p;
	if (syscall(SYS_getrandom, &key, sizeof(key), 0) != sizeof(key))
		key = (uint64_t)(uintptr_t)s ^ (uint64_t)getpid() << 32;
	atomic_compare_exchange_strong(&s->map->key, &none, key | 1);
	return 0;
}

static void remove_deserted(const char *path)
{
	struct share s = { .fd = raw_open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0), .me = SHARE_MEMBERS };

	if (s.fd < 0)
		return;
	if (!lock(s.fd, F_WRLCK, GATE, false) && share_is_alone(&s))
		syscall(SYS_unlinkat, AT_FDCWD, path, 0);
	raw_close(s.fd);
}

/* Members that were killed leave their files behind: the next one to come removes them. */
static void sweep(void)
{
	char prefix[32], path[300];
	DIR *d = opendir(SHM);
	struct dirent *e;

	snprintf(prefix, sizeof(prefix), "xtcp-%u-", (unsigned)geteuid());
	while (d && (e = readdir(d))) {
		if (strncmp(e->d_name, prefix, strlen(prefix)))
			continue;
		snprintf(path, sizeof(path), SHM "/%s", e->d_name);
		remove_deserted(path);
	}
	if (d)
		closedir(d);
}

int share_open(struct share **out, const char *name)
{
	struct share *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	sweep();
	r = name_it(s, name);
	while (!r && (s->fd = open_gate(s->path)) == -EAGAIN)
		;
	if (!r && s->fd < 0)
		r = s->fd;
	if (r)
		goto no_file;
	r = take_number(s);
	if (!r)
		r = map_it(s);
	if (r)
		goto no_map;
	clear_number(s);
	lock(s->fd, F_UNLCK, GATE, false);
	*out = s;
	return 0;

no_map:
	raw_close(s->fd);
no_file:
	free(s);
	return r;
}

void share_forget(struct share *s)
{
	if (!s)
		return;
	munmap(s->map, sizeof(*s->map));
	raw_close(s->fd);
	free(s);
}

void share_close(struct share *s)
{
	if (!s)
		return;
	atomic_store(&s->map->taking[s->me], 0);
	if (!lock(s->fd, F_WRLCK, GATE, true) && share_is_alone(s))
		syscall(SYS_unlinkat, AT_FDCWD, s->path, 0);
	share_forget(s);
}

int share_fd(const struct share *s)
{
	return s->fd;
}

/* ---- flows ---- */

/* splitmix64's finalizer: every bit of the input changes half of the output. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

uint64_t share_hash(const struct share *s, uint64_t a, uint64_t b)
{
	return mix(mix(mix(atomic_load(&s->map->key)) + a) + b);
}

void share_set_taking(struct share *s, bool on)
{
	atomic_store(&s->map->taking[s->me], on);
}

static bool is_taking(struct share *s, unsigned i)
{
	return atomic_load(&s->map->taking[i]) && is_alive(s, i);
}

/* Who takes this flow, by weight; SHARE_MEMBERS: nobody. */
static unsigned heaviest(struct share *s, uint64_t hash)
{
	unsigned i, best;
	uint64_t top, w;

	for (;;) {
		best = SHARE_MEMBERS;
		top = 0;
		for (i = 0; i < SHARE_MEMBERS; i++) {
			if (!atomic_load(&s->map->taking[i]))
				continue;
			w = mix(hash + mix(i + 1));
			if (best == SHARE_MEMBERS || w > top) {
				best = i;
				top = w;
			}
		}
		if (best == SHARE_MEMBERS || is_alive(s, best))
			return best;
		atomic_store(&s->map->taking[best], 0);
	}
}

bool share_takes(struct share *s, uint64_t hash, bool is_known)
{
	_Atomic uint64_t *at = &s->map->flows[hash % FLOWS];
	uint64_t mine = (hash & TAG_MASK) | (s->me + 1), old = atomic_load(at);
	bool wants = is_known || heaviest(s, hash) == s->me;
	unsigned owner;

	for (;;) {
		owner = (unsigned)(old & ~TAG_MASK) - 1;
		if (old == mine)
			return true;
		/* Somebody was first. */
		if ((old & TAG_MASK) == (hash & TAG_MASK) && owner < SHARE_MEMBERS && is_taking(s, owner))
			return false;
		if (!wants)
			return false;
		if (atomic_compare_exchange_strong(at, &old, mine))
			return true;
	}
}
