/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evio.c - the private libev's way into the kernel, past libc.
 *
 * The preloaded library defines read(), epoll_wait() and the like; libev inside it must not
 * enter those.  A system call needs no table of resolved symbols and works before and after
 * everything else.  None of these is a cancellation point, which suits the engine's thread.
 * The older calls are made by their newer forms, because not every architecture has both.
 */
#include "evio.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "highfd.h"
#include "sys.h"

#define OWN_FDS_MAX 32

/* libev prints only what is about to abort the process. */
FILE *xtcp_ev_stderr;

__attribute__((constructor)) static void evio_init(void)
{
	xtcp_ev_stderr = stderr;
}

/* ---- fds: out of the program's way, and known ---- */

/* fd + 1, 0: free.  Written by whoever makes or closes a loop, read by xtcp_ev_fds(). */
static _Atomic int own_fds[OWN_FDS_MAX];

/* A new fd is moved high and remembered.  What doesn't fit is only not known. */
static int own(long fd)
{
	int expected;

	if (fd < 0)
		return -1;
	fd = highfd_raise((int)fd);
	for (unsigned i = 0; i < OWN_FDS_MAX; i++) {
		expected = 0;
		if (atomic_compare_exchange_strong(&own_fds[i], &expected, (int)fd + 1))
			break;
	}
	return (int)fd;
}

unsigned xtcp_ev_fds(int *fds, unsigned n)
{
	unsigned count = 0;

	for (unsigned i = 0; i < OWN_FDS_MAX && count < n; i++) {
		int fd = atomic_load(&own_fds[i]) - 1;

		if (fd >= 0)
			fds[count++] = fd;
	}
	return count;
}

int xtcp_ev_close(int fd)
{
	for (unsigned i = 0; i < OWN_FDS_MAX; i++) {
		int expected = fd + 1;

		if (atomic_compare_exchange_strong(&own_fds[i], &expected, 0))
			break;
	}
	return (int)raw_syscall(SYS_close, fd);
}

/* As dup2(), but for from == to, which libev never asks. */
int xtcp_ev_dup2(int from, int to)
{
	return (int)raw_syscall(SYS_dup3, from, to, 0);
}

int xtcp_ev_epoll_create(int size)
{
	if (size <= 0) {
		errno = EINVAL;
		return -1;
	}
	return own(raw_syscall(SYS_epoll_create1, 0));
}

int xtcp_ev_epoll_create1(int flags)
{
	return own(raw_syscall(SYS_epoll_create1, flags));
}

int xtcp_ev_epoll_ctl(int epfd, int op, int fd, struct epoll_event *ev)
{
	return (int)raw_syscall(SYS_epoll_ctl, epfd, op, fd, ev);
}

int xtcp_ev_epoll_wait(int epfd, struct epoll_event *ev, int n, int timeout_ms)
{
	return (int)raw_syscall(SYS_epoll_pwait, epfd, ev, n, timeout_ms, NULL, SYS_SIGSET_BYTES);
}

int xtcp_ev_eventfd(unsigned int value, int flags)
{
	return own(raw_syscall(SYS_eventfd2, value, flags));
}

int xtcp_ev_fcntl(int fd, int cmd, long arg)
{
	return (int)raw_syscall(SYS_fcntl, fd, cmd, arg);
}

int xtcp_ev_pipe(int fds[2])
{
	if (raw_syscall(SYS_pipe2, fds, 0))
		return -1;
	fds[0] = own(fds[0]);
	fds[1] = own(fds[1]);
	return fds[0] < 0 || fds[1] < 0 ? -1 : 0;
}

int xtcp_ev_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	struct timespec ts = { timeout_ms / 1000, (long)(timeout_ms % 1000) * 1000000 };

	return (int)raw_syscall(SYS_ppoll, fds, n, timeout_ms < 0 ? NULL : &ts, NULL,
			    SYS_SIGSET_BYTES);
}

ssize_t xtcp_ev_read(int fd, void *buf, size_t len)
{
	return raw_syscall(SYS_read, fd, buf, len);
}

/* As select(), but that *timeout is left as it was, which libev doesn't look at. */
int xtcp_ev_select(int n, fd_set *r, fd_set *w, fd_set *e, struct timeval *timeout)
{
	struct timespec ts = { 0, 0 };

	if (timeout) {
		ts.tv_sec = timeout->tv_sec;
		ts.tv_nsec = timeout->tv_usec * 1000;
	}
	return (int)raw_syscall(SYS_pselect6, n, r, w, e, timeout ? &ts : NULL, NULL);
}

int xtcp_ev_signalfd(int fd, const sigset_t *mask, int flags)
{
	long new_fd = raw_syscall(SYS_signalfd4, fd, mask, SYS_SIGSET_BYTES, flags);

	return fd >= 0 ? (int)new_fd : own(new_fd);
}

ssize_t xtcp_ev_write(int fd, const void *buf, size_t len)
{
	return raw_syscall(SYS_write, fd, buf, len);
}
