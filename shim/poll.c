/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * poll.c - see poll.h.
 *
 * A set is split in two: what is ours becomes watches, the rest goes to the
 * kernel's poll() inside engine_wait(), so the thread that waits drives the engine
 * itself.  As in Linux the call keeps what it watches while it sleeps, and looks at the numbers again when it wakes: a
 * socket that another thread closes, or puts another file over, lasts until then.
 * Handlers always interrupt these calls, SA_RESTART or not (signal(7)).
 */
#include "poll.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "bridge.h"
#include "call.h"
#include "eng.h"
#include "epoll.h"
#include "fdtab.h"
#include "ready.h"
#include "real.h"
#include "shared.h"
#include "signal.h"
#include "user.h"

#define FEW 128

/* As select() of Linux translates them. */
#define SELECT_IN (POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR | POLLNVAL)
#define SELECT_OUT (POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR | POLLNVAL)
#define SELECT_EX (POLLPRI | POLLNVAL)

/* One call's set. */
struct set {
	struct engine_watch *watches;
	struct pollfd *extra;
	unsigned nw, nextra, cap;
	unsigned bridged;                /* bridge_count() when it was begun */
	size_t mapped;                   /* bytes at watches; 0: the small arrays */
	unsigned depth;                  /* call_sleepers_add() */
	struct sock **kept;              /* of each watch, with a reference; its number */
	int *kept_fd;
	struct engine_watch few_watches[FEW];
	struct pollfd few_extra[FEW];
	struct sock *few_kept[FEW];
	int few_kept_fd[FEW];
};

static int set_init(struct set *set, unsigned cap)
{
	char *m;

	set->nw = set->nextra = 0;
	set->cap = cap;
	set->bridged = bridge_count();
	set->mapped = 0;
	set->watches = set->few_watches;
	set->extra = set->few_extra;
	set->kept = set->few_kept;
	set->kept_fd = set->few_kept_fd;
	if (cap <= FEW)
		return 0;
	set->mapped = cap * (sizeof(*set->watches) + sizeof(*set->kept) + sizeof(*set->extra) + sizeof(*set->kept_fd));
	m = mmap(NULL, set->mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (m == MAP_FAILED)
		return -ENOMEM;
	set->watches = (struct engine_watch *)m;
	set->kept = (struct sock **)(set->watches + cap);
	set->extra = (struct pollfd *)(set->kept + cap);
	set->kept_fd = (int *)(set->extra + cap);
	return 0;
}

static void set_fini(struct set *set)
{
	unsigned i;

	for (i = 0; i < set->nw; i++)
		sock_put(set->kept[i]);
	if (set->mapped)
		munmap(set->watches, set->mapped);
}

static void cancelled(void *arg)
{
	struct set *set = arg;

	call_sleepers_remove(set->depth);
	set_fini(set);
}

/* The same socket may come under several numbers: each has its watch. */
static void set_add(struct set *set, int fd, uint32_t events)
{
	struct sock *s = shared_take_fd(fd) ? NULL : fdtab_get(fd);

	if (!s) {
		epoll_see(fd);
		set->extra[set->nextra++] = (struct pollfd){ .fd = fd, .events = (short)events };
		return;
	}
	set->watches[set->nw] = (struct engine_watch){ .s = s->es, .events = events };
	set->kept[set->nw] = s;
	set->kept_fd[set->nw++] = fd;
}

/* Has a number become another's, or nobody's, meanwhile? */
static bool has_moved(const struct set *set)
{
	unsigned i;

	for (i = 0; i < set->nw; i++) {
		if (fdtab_slot(set->kept_fd[i]) != (uintptr_t)set->kept[i])
			return true;
	}
	return false;
}

/* Sockets whose engine is gone are broken. */
static int see_lost(struct set *set)
{
	unsigned i;
	int r = REAL(poll)(set->extra, set->nextra, 0);

	for (i = 0; i < set->nw; i++)
		set->watches[i].revents = POLLERR | POLLHUP | (set->watches[i].events & POLLIN);
	return r < 0 ? -errno : r + (int)set->nw;
}

/* In a forked child that has no engine. */
static int wait_without(struct set *set, xtime deadline, const sigset_t *mask)
{
	xtime left = deadline == XTIME_NEVER ? 0 : MAX(deadline - engine_now(), 0);
	struct timespec ts = { left / XTIME_SEC, left % XTIME_SEC };
	int r;

	if (set->nw)
		return see_lost(set);
	r = REAL(ppoll)(set->extra, set->nextra, deadline == XTIME_NEVER ? NULL : &ts, mask);
	return r < 0 ? -errno : r;
}

/* Is one of the watched sockets a kernel object meanwhile? */
static bool is_outdated(const struct set *set)
{
	unsigned i;

	if (set->bridged == bridge_count())
		return false;
	for (i = 0; i < set->nw; i++) {
		if (set->watches[i].revents & POLLNVAL || !set->watches[i].s)
			return true;
	}
	return false;
}

/* -EREROUTED: the set is to be made anew. */
static int set_wait(struct set *set, xtime deadline, const sigset_t *mask)
{
	int r;

	if (!atomic_load(&eng_current))
		return wait_without(set, deadline, mask);
	set->depth = call_sleepers_add(set->kept, set->nw, set);
	pthread_cleanup_push(cancelled, set);
	pthread_testcancel();
	r = eng_wait(set->watches, set->nw, set->extra, set->nextra, deadline, mask);
	pthread_cleanup_pop(0);
	call_sleepers_remove(set->depth);
	if (r > 0 && is_outdated(set)) {
		bridge_settle();
		return -EREROUTED;
	}
	return r >= 0 && has_moved(set) ? -EREROUTED : r;
}

/* ---- time ---- */

xtime poll_deadline_ms(int ms)
{
	if (ms < 0)
		return XTIME_NEVER;
	return ms ? engine_now() + ms * XTIME_MSEC : 0;
}

int poll_deadline(const struct timespec *timeout, xtime *deadline)
{
	struct timespec ts;
	xtime now;

	*deadline = XTIME_NEVER;
	if (!timeout)
		return 0;
	if (!user_get(&ts, timeout, sizeof(ts)))
		return -EFAULT;
	if (ts.tv_sec < 0 || ts.tv_nsec < 0 || ts.tv_nsec >= XTIME_SEC)
		return -EINVAL;
	*deadline = 0;
	if (!ts.tv_sec && !ts.tv_nsec)
		return 0;
	now = engine_now();
	if (ts.tv_sec >= (XTIME_NEVER - now) / XTIME_SEC - 1)
		*deadline = XTIME_NEVER;
	else
		*deadline = now + ts.tv_sec * XTIME_SEC + ts.tv_nsec;
	return 0;
}

/* ---- poll ---- */

bool poll_has_ours(struct pollfd *fds, nfds_t n)
{
	nfds_t i;

	if (!signal_is_attached() || n > FDTAB_PAGES * FDTAB_PAGE_FDS || !user_can_write(fds, n * sizeof(*fds)))
		return false;
	for (i = 0; i < n; i++) {
		if (fdtab_is_sock(fds[i].fd))
			return true;
		epoll_see(fds[i].fd);
	}
	return false;
}

static bool is_too_many(nfds_t n)
{
	struct rlimit rl;

	return n > FD_SETSIZE && getrlimit(RLIMIT_NOFILE, &rl) == 0 && n > rl.rlim_cur;
}

/* Back into the program's array: the two halves are in its order. */
static int give_back(const struct set *set, struct pollfd *fds, nfds_t n)
{
	unsigned w = 0, x = 0;
	int ready = 0;
	nfds_t i;

	for (i = 0; i < n; i++) {
		if (x < set->nextra && set->extra[x].fd == fds[i].fd)
			fds[i].revents = set->extra[x++].revents;
		else
			fds[i].revents = (short)set->watches[w++].revents;
		ready += fds[i].revents != 0;
	}
	return ready;
}

static int poll_once(struct pollfd *fds, nfds_t n, xtime deadline, const sigset_t *mask)
{
	struct set set;
	nfds_t i;
	int r = set_init(&set, (unsigned)n);
	if (r)
		return r;
	for (i = 0; i < n; i++)
		set_add(&set, fds[i].fd, (uint16_t)fds[i].events);
	r = set_wait(&set, deadline, mask);
	if (r >= 0)
		r = give_back(&set, fds, n);
	set_fini(&set);
	return r;
}

int poll_call(struct pollfd *fds, nfds_t n, xtime deadline, const sigset_t *mask)
{
	int r;

	signal_begin_call();
	if (is_too_many(n))
		return -EINVAL;
	if (!user_has_mask(mask))
		return -EFAULT;
	do {
		r = poll_once(fds, n, deadline, mask);
	} while (r == -EREROUTED);
	return r;
}

/* ---- select ---- */

/* The sets may be larger than an fd_set. */
static bool is_in(const fd_set *set, int fd)
{
	return set && ((const unsigned long *)set)[fd / NFDBITS] >> fd % NFDBITS & 1;
}

static void put_in(fd_set *set, int fd)
{
	((unsigned long *)set)[fd / NFDBITS] |= 1UL << fd % NFDBITS;
}

static uint32_t wanted(int fd, const fd_set *in, const fd_set *out, const fd_set *ex)
{
	return (is_in(in, fd) ? SELECT_IN : 0) | (is_in(out, fd) ? SELECT_OUT : 0) |
	       (is_in(ex, fd) ? SELECT_EX : 0);
}

static bool can_write(const fd_set *set, int n)
{
	return !set || user_can_write((void *)(uintptr_t)set, (size_t)(n + NFDBITS - 1) / NFDBITS * sizeof(long));
}

bool select_has_ours(int n, const fd_set *in, const fd_set *out, const fd_set *ex)
{
	int fd;

	if (n < 0 || !can_write(in, n) || !can_write(out, n) || !can_write(ex, n))
		return false;
	for (fd = fdtab_next(0); fd >= 0 && fd < n; fd = fdtab_next(fd + 1)) {
		if (fdtab_is_sock(fd) && wanted(fd, in, out, ex))
			return true;
		if (wanted(fd, in, out, ex))
			epoll_see(fd);
	}
	return false;
}

static unsigned count_wanted(int n, const fd_set *in, const fd_set *out, const fd_set *ex)
{
	unsigned count = 0;
	int fd;

	for (fd = 0; fd < n; fd++)
		count += wanted(fd, in, out, ex) != 0;
	return count;
}

/* Sets of what is ready; the bits of one fd count one by one. */
static int mark(int fd, uint32_t want, uint32_t revents, fd_set *in, fd_set *out, fd_set *ex)
{
	int count = 0;

	if (want & POLLIN && revents & SELECT_IN) {
		put_in(in, fd);
		count++;
	}
	if (want & POLLOUT && revents & SELECT_OUT) {
		put_in(out, fd);
		count++;
	}
	if (want & POLLPRI && revents & SELECT_EX) {
		put_in(ex, fd);
		count++;
	}
	return count;
}

static void clear(fd_set *set, int n)
{
	if (set)
		memset(set, 0, (size_t)(n + NFDBITS - 1) / NFDBITS * sizeof(long));
}

static bool has_bad(const struct set *set)
{
	unsigned i;

	for (i = 0; i < set->nextra; i++) {
		if (set->extra[i].revents & POLLNVAL)
			return true;
	}
	return false;
}

static bool is_same_fd(int a, int b)
{
	return a == b || a == ~b;
}

/* A hang-up that nobody asked about is there to stay: look no more at this fd. */
static void mute(struct set *set)
{
	unsigned i;

	for (i = 0; i < set->nextra; i++) {
		if (set->extra[i].fd >= 0 && set->extra[i].revents)
			set->extra[i].fd = ~set->extra[i].fd;
	}
	for (i = 0; i < set->nw; i++) {
		if (set->watches[i].revents)
			set->watches[i].events = ENGINE_EV_NONE;
	}
}

static int give_sets(const struct set *set, int n, fd_set *in, fd_set *out, fd_set *ex,
		     fd_set *tmp[3])
{
	unsigned w = 0, x = 0;
	int fd, count = 0;

	for (fd = 0; fd < n; fd++) {
		uint32_t want = wanted(fd, in, out, ex), revents;

		if (!want)
			continue;
		if (x < set->nextra && is_same_fd(set->extra[x].fd, fd))
			revents = (uint16_t)set->extra[x++].revents;
		else
			revents = set->watches[w++].revents;
		count += mark(fd, want, revents, tmp[0], tmp[1], tmp[2]);
	}
	return count;
}

static void copy(fd_set *to, const fd_set *from, int n)
{
	if (to)
		memcpy(to, from, (size_t)(n + NFDBITS - 1) / NFDBITS * sizeof(long));
}

/* is_again: what has no file by now was closed meanwhile, and is ready. */
static int select_wait(struct set *set, int n, fd_set *in, fd_set *out, fd_set *ex, xtime deadline,
		       const sigset_t *mask, fd_set *tmp[3], bool is_again)
{
	int fd, count, r;

	for (fd = 0; fd < n; fd++) {
		uint32_t want = wanted(fd, in, out, ex);

		if (want)
			set_add(set, fd, want);
	}
	for (;;) {
		r = set_wait(set, deadline, mask);
		if (r < 0)
			return r;
		if (!is_again && has_bad(set))
			return -EBADF;
		count = give_sets(set, n, in, out, ex, tmp);
		if (count || !r || engine_now() >= deadline)
			return count;
		mute(set);
	}
}

int select_call(int n, fd_set *in, fd_set *out, fd_set *ex, xtime deadline, const sigset_t *mask)
{
	size_t bytes = (size_t)(n + NFDBITS - 1) / NFDBITS * sizeof(long);
	char few[3 * sizeof(fd_set)];
	bool is_large = bytes > sizeof(fd_set), is_again = false;
	char *m = is_large ? mmap(NULL, 3 * bytes, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) : few;
	fd_set *tmp[3];
	struct set set;
	int i, r;

	if (m == MAP_FAILED)
		return -ENOMEM;
	signal_begin_call();
	do {
		for (i = 0; i < 3; i++) {
			tmp[i] = (fd_set *)(m + (size_t)i * bytes);
			clear(tmp[i], n);
		}
		r = user_has_mask(mask) ? set_init(&set, count_wanted(n, in, out, ex)) : -EFAULT;
		if (!r) {
			r = select_wait(&set, n, in, out, ex, deadline, mask, tmp, is_again);
			set_fini(&set);
		}
		is_again = true;
	} while (r == -EREROUTED);
	if (r >= 0) {
		copy(in, tmp[0], n);
		copy(out, tmp[1], n);
		copy(ex, tmp[2], n);
	}
	if (is_large)
		munmap(m, 3 * bytes);
	return r;
}
