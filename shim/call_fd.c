/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * call_fd.c - close(), dup() and their likes, on any fd that means something to us.
 *
 * The library's own fds don't exist for the program: closing one is EBADF, a loop
 * over all numbers passes them by.  A child of vfork() shares our memory but not
 * our fds: what it closes is its own affair, the table stays.
 */
#include "call.h"

#include <errno.h>
#include <limits.h>
#include <linux/close_range.h>
#include <stdlib.h>
#include <string.h>

#include "eng.h"
#include "fdtab.h"
#include "process.h"
#include "ready.h"
#include "real.h"

#define OWN_FDS_MAX 4096

static int kernel_close(int fd)
{
	return REAL(close)(fd) < 0 ? -errno : 0;
}

/* The socket whose slot fd was, with the slot's reference. */
static struct sock *drop_number(int fd)
{
	struct sock *s = fdtab_clear(fd);

	if (s)
		ready_drop_number(s, fd);
	return s;
}

bool call_drop_number(int fd)
{
	struct sock *s = drop_number(fd);

	if (s)
		sock_put(s);
	return s != NULL;
}

/* The number is free before a lingering close sleeps, as in Linux. */
int call_close(int fd)
{
	struct sock *s;
	int r;

	if (process_is_vfork_child())
		return kernel_close(fd);
	if (process_is_own_fd(fd))
		return -EBADF;
	call_reap_sleepers();
	s = drop_number(fd);
	r = kernel_close(fd);
	if (s)
		sock_put(s);
	return r;
}

/* ---- ranges ---- */

static int compare(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

/* The library's fds in ascending order. */
static unsigned own_fds(int *fds)
{
	struct engine *e = atomic_load(&eng_current);
	unsigned n = 0;
	int fd;

	for (fd = fdtab_next(0); fd >= 0 && n < OWN_FDS_MAX / 2; fd = fdtab_next(fd + 1)) {
		if (fdtab_is_internal(fd))
			fds[n++] = fd;
	}
	if (e)
		n += engine_fds(e, fds + n, OWN_FDS_MAX - n);
	qsort(fds, n, sizeof(*fds), compare);
	return n;
}

int call_close_range(unsigned first, unsigned last, int flags)
{
	int fds[OWN_FDS_MAX], fd, r = 0;
	unsigned n, i, from = first;

	if (first > last)
		return -EINVAL;
	if (process_is_vfork_child())
		return REAL(close_range)(first, last, flags) < 0 ? -errno : 0;
	if (!(flags & CLOSE_RANGE_CLOEXEC)) {
		for (fd = first > INT_MAX ? -1 : fdtab_next((int)first);
		     fd >= 0 && (unsigned)fd <= last; fd = fdtab_next(fd + 1)) {
			if (!fdtab_is_internal(fd))
				call_close(fd);
		}
	}
	n = own_fds(fds);
	for (i = 0; i < n && !r && (unsigned)fds[i] <= last; i++) {
		if ((unsigned)fds[i] < from)
			continue;
		if ((unsigned)fds[i] > from)
			r = REAL(close_range)(from, (unsigned)fds[i] - 1, flags) < 0 ? -errno : 0;
		from = (unsigned)fds[i] + 1;
	}
	if (!r && from <= last)
		r = REAL(close_range)(from, last, flags) < 0 ? -errno : 0;
	return r;
}

/* ---- duplicates ---- */

int call_duplicated(struct sock *s, int to)
{
	int r;

	if (!sock_get_unless_free(s))
		return to;
	r = fdtab_put(to, s);
	if (!r)
		return to;
	sock_put(s);
	REAL(close)(to);
	return r;
}

int call_dup2(int from, int to, int flags, bool is_dup3)
{
	struct sock *s, *had;
	int r;

	if (process_is_vfork_child() || from == to) {
		r = is_dup3 ? REAL(dup3)(from, to, flags) : REAL(dup2)(from, to);
		return r < 0 ? -errno : r;
	}
	if (process_is_own_fd(to) || process_is_own_fd(from))
		return -EBADF;
	if (REAL(fcntl)(from, F_GETFD) < 0)
		return -errno;
	s = fdtab_get(from);
	had = drop_number(to);
	r = is_dup3 ? REAL(dup3)(from, to, flags) : REAL(dup2)(from, to);
	r = r < 0 ? -errno : r;
	if (r >= 0 && s)
		r = call_duplicated(s, to);
	else if (r >= 0)
		fdtab_copy(from, to);
	if (had)
		sock_put(had);
	if (s)
		sock_put(s);
	return r;
}
