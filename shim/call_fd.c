/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * call_fd.c - close(), dup() and their likes, on any fd that means something to us.
 *
 * The library's own fds don't exist for the program: closing one is EBADF, a loop
 * over all numbers passes them by.  A child of vfork() shares our memory but not
 * our fds: what it closes is its own affair, the table stays.
 *
 * Sockets are known by number, and the library's thread works with their fds: so all threads have one table of fds.  A
 * program of one thread, which asks for a table of its own, has it already; of several none can have it.
 */
#include "call.h"

#include <errno.h>
#include <limits.h>
#include <linux/close_range.h>
#include <sched.h>

#include "bridge.h"
#include "eng.h"
#include "epoll_set.h"
#include "fdtab.h"
#include "log.h"
#include "process.h"
#include "ready.h"
#include "real.h"
#include "shared.h"
#include "signal.h"

static int kernel_close(int fd)
{
	return REAL(close)(fd) < 0 ? -errno : 0;
}

static int kernel_close_range(unsigned first, unsigned last, int flags)
{
	return REAL(close_range)(first, last, flags) < 0 ? -errno : 0;
}

/* The socket whose slot fd was, with the slot's reference. */
static struct sock *drop_number(int fd)
{
	uintptr_t was = fdtab_slot(fd);
	struct sock *s = fdtab_clear(fd);

	if (s)
		ready_drop_number(s, fd);
	else
		epoll_set_dropped(was);
	return s;
}

/* Does the number not exist, as far as the program goes? */
static bool is_own(int fd)
{
	return fdtab_slot(fd) ? fdtab_is_internal(fd) : process_is_own_fd(fd);
}

/* ---- a table of fds of its own ---- */

/* 0: the thread has it; -ENOMEM, as when there is no memory for one: others would see what it does. */
static int own_table(void)
{
	if (process_is_single_threaded())
		return 0;
	log_once(LOG_ERR, "a thread of several can't have file descriptors of its own");
	return -ENOMEM;
}

int call_unshare(int flags)
{
	if (!process_is_vfork_child()) {
		int r = own_table();

		if (r)
			return r;
		flags &= ~CLONE_FILES;
	}
	return REAL(unshare)(flags) < 0 ? -errno : 0;
}

/* ---- close ---- */

/* The number is free before a lingering close sleeps, as in Linux. */
int call_close(int fd)
{
	struct shared_leaving leaving;
	struct sock *s;
	int r, cancel;

	if (process_is_vfork_child())
		return kernel_close(fd);
	if (is_own(fd))
		return -EBADF;
	call_reap_sleepers();
	pthread_testcancel();
	cancel = signal_uncancel();
	shared_leave(&leaving, fd);
	s = drop_number(fd);
	r = kernel_close(fd);
	shared_left(&leaving);
	if (s)
		sock_put(s);
	signal_recancel(cancel);
	return r;
}

/* ---- ranges ---- */

int call_close_range(unsigned first, unsigned last, int flags)
{
	struct process_fds own;
	unsigned i, from = first;
	int fd, r = 0;

	if (first > last || flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC))
		return -EINVAL;
	if (process_is_vfork_child())
		return kernel_close_range(first, last, flags);
	if (flags & CLOSE_RANGE_UNSHARE)
		r = own_table();
	if (r)
		return r;
	flags &= ~CLOSE_RANGE_UNSHARE;
	if (!(flags & CLOSE_RANGE_CLOEXEC)) {
		for (fd = first > INT_MAX ? -1 : fdtab_next((int)first);
		     fd >= 0 && (unsigned)fd <= last; fd = fdtab_next(fd + 1)) {
			if (!fdtab_is_internal(fd))
				call_close(fd);
		}
	}
	process_list_own_fds(&own);
	for (i = 0; i < own.n && !r && (unsigned)own.v[i] <= last; i++) {
		if ((unsigned)own.v[i] < from)
			continue;
		if ((unsigned)own.v[i] > from)
			r = kernel_close_range(from, (unsigned)own.v[i] - 1, flags);
		from = (unsigned)own.v[i] + 1;
	}
	process_free_own_fds(&own);
	return r || from > last ? r : kernel_close_range(from, last, flags);
}

/* ---- duplicates ---- */

/* The socket was bridged meanwhile: `to` may have the object that was there before. */
static int duplicate_again(int from, int to)
{
	int cloexec = REAL(fcntl)(to, F_GETFD) & FD_CLOEXEC ? O_CLOEXEC : 0, r;
	struct sock *had = fdtab_clear(to);

	if (had)
		sock_put(had);
	r = REAL(dup3)(from, to, cloexec) < 0 ? -errno : to;
	if (r < 0)
		REAL(close)(to);
	return r;
}

/* What becomes stdin, stdout or stderr is read and written by libc's own streams, whose calls aren't seen. */
static void bridge_for_stdio(int from, int to)
{
	struct sock *s = to <= STDERR_FILENO ? fdtab_get(from) : NULL;

	if (!s)
		return;
	/* What connects without blocking isn't told to be connected. */
	if (atomic_load(&s->state) == SOCK_CONNECTED || atomic_load(&s->state) == SOCK_CONNECTING)
		bridge_fd(from);
	sock_put(s);
}

int call_duplicated(struct sock *s, int from, int to)
{
	int r;

	if (!sock_get_unless_free(s))
		return to;
	r = fdtab_put(to, s);
	if (!r && atomic_load(&s->is_bridged)) {
		bridge_settle();
		return atomic_load(&s->is_bridged) ? duplicate_again(from, to) : to;
	}
	if (!r) {
		bridge_for_stdio(to, to);
		return to;
	}
	sock_put(s);
	REAL(close)(to);
	return r;
}

int call_dup2(int from, int to, int flags, bool is_dup3)
{
	struct shared_leaving leaving;
	struct sock *s, *had;
	int r;

	if (process_is_vfork_child())
		shared_take_of_parent(from);
	if (process_is_vfork_child() || from == to) {
		r = is_dup3 ? REAL(dup3)(from, to, flags) : REAL(dup2)(from, to);
		return r < 0 ? -errno : r;
	}
	if (is_own(to) || is_own(from))
		return -EBADF;
	if (REAL(fcntl)(from, F_GETFD) < 0)
		return -errno;
	bridge_for_stdio(from, to);
	s = fdtab_get(from);
	shared_leave(&leaving, to);
	had = drop_number(to);
	r = is_dup3 ? REAL(dup3)(from, to, flags) : REAL(dup2)(from, to);
	r = r < 0 ? -errno : r;
	shared_left(&leaving);
	if (r >= 0 && s)
		r = call_duplicated(s, from, to);
	else if (r >= 0)
		epoll_set_copied(from, to);
	if (had)
		sock_put(had);
	if (s)
		sock_put(s);
	return r;
}
