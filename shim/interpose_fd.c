/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * interpose_fd.c - the wrappers of calls on any fd, and of waiting.
 */
#undef _FORTIFY_SOURCE
#include "interpose.h"

#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "call.h"
#include "eng.h"
#include "epoll.h"
#include "epoll_set.h"
#include "init.h"
#include "netns.h"
#include "opts.h"
#include "poll.h"
#include "process.h"
#include "ready.h"
#include "real.h"
#include "stream.h"

/* ---- fds ---- */

EXPORT int close(int fd)
{
	if (!fdtab_slot(fd) && !process_is_own_fd(fd))
		return REAL(close)(fd);
	return (int)ANSWER(call_close(fd));
}

/* Neither an engine nor sockets of another process's. */
static bool has_nothing(void)
{
	return !atomic_load(&eng_current) && fdtab_next(0) < 0;
}

EXPORT int close_range(unsigned first, unsigned last, int flags)
{
	if (has_nothing())
		return REAL(close_range)(first, last, flags);
	return (int)ANSWER(call_close_range(first, last, flags));
}

EXPORT void closefrom(int first)
{
	if (has_nothing())
		REAL(closefrom)(first);
	else
		call_close_range(first < 0 ? 0 : (unsigned)first, UINT_MAX, 0);
}

EXPORT int setns(int fd, int type)
{
	if (!type || type & CLONE_NEWNET)
		netns_leave();
	return REAL(setns)(fd, type);
}

EXPORT int unshare(int flags)
{
	if (flags & CLONE_NEWNET)
		netns_leave();
	if (!(flags & CLONE_FILES) || has_nothing())
		return REAL(unshare)(flags);
	return (int)ANSWER(call_unshare(flags));
}

static int dup_kernels(int fd)
{
	int to = REAL(dup)(fd);

	epoll_set_copied(fd, to);
	return to;
}

EXPORT int dup(int fd)
{
	struct sock *s = fdtab_get(fd);

	return (int)INTERPOSE(fd, s, opts_fcntl(s, fd, F_DUPFD, 0), dup_kernels(fd));
}

EXPORT int dup2(int from, int to)
{
	if (!fdtab_slot(from) && !fdtab_slot(to) && !process_is_own_fd(to))
		return REAL(dup2)(from, to);
	return (int)ANSWER(call_dup2(from, to, 0, false));
}

EXPORT int dup3(int from, int to, int flags)
{
	if (!fdtab_slot(from) && !fdtab_slot(to) && !process_is_own_fd(to))
		return REAL(dup3)(from, to, flags);
	return (int)ANSWER(call_dup2(from, to, flags, true));
}

/* Every command takes at most one argument, an int or a pointer. */
#define ONE_ARG(last)                                                       \
	va_list ap;                                                         \
	void *arg;                                                          \
	va_start(ap, last);                                                 \
	arg = va_arg(ap, void *);                                           \
	va_end(ap)

static int copied(int fd, int cmd, int to)
{
	if (cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC)
		epoll_set_copied(fd, to);
	return to;
}

EXPORT int fcntl(int fd, int cmd, ...)
{
	struct sock *s = fdtab_get(fd);
	ONE_ARG(cmd);

	return (int)INTERPOSE(fd, s, opts_fcntl(s, fd, cmd, arg), copied(fd, cmd, REAL(fcntl)(fd, cmd, arg)));
}

EXPORT int fcntl64(int fd, int cmd, ...)
{
	struct sock *s = fdtab_get(fd);
	ONE_ARG(cmd);

	return (int)INTERPOSE(fd, s, opts_fcntl(s, fd, cmd, arg), copied(fd, cmd, REAL(fcntl64)(fd, cmd, arg)));
}

EXPORT int ioctl(int fd, unsigned long cmd, ...)
{
	struct sock *s = fdtab_get(fd);
	ONE_ARG(cmd);

	return (int)INTERPOSE(fd, s, opts_ioctl(s, fd, cmd, arg), REAL(ioctl)(fd, cmd, arg));
}

EXPORT int isfdtype(int fd, int type)
{
	return REAL(isfdtype)(fd, type);
}

/* ---- stdio ---- */

EXPORT FILE *fdopen(int fd, const char *mode)
{
	return fdtab_is_sock(fd) ? stream_open(fd, mode) : REAL(fdopen)(fd, mode);
}

EXPORT FILE *freopen(const char *restrict path, const char *restrict mode, FILE *restrict f)
{
	stream_prepare_reopen(f);
	return REAL(freopen)(path, mode, f);
}

EXPORT FILE *freopen64(const char *restrict path, const char *restrict mode, FILE *restrict f)
{
	stream_prepare_reopen(f);
	return REAL(freopen64)(path, mode, f);
}

EXPORT int vdprintf(int fd, const char *restrict fmt, va_list ap)
{
	return fdtab_is_sock(fd) ? stream_print(fd, fmt, ap) : REAL(vdprintf)(fd, fmt, ap);
}

EXPORT int dprintf(int fd, const char *restrict fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = vdprintf(fd, fmt, ap);
	va_end(ap);
	return r;
}

EXPORT int __vdprintf_chk(int fd, int flag, const char *fmt, va_list ap)
{
	return fdtab_is_sock(fd) ? stream_print(fd, fmt, ap) : REAL(__vdprintf_chk)(fd, flag, fmt, ap);
}

EXPORT int __dprintf_chk(int fd, int flag, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = __vdprintf_chk(fd, flag, fmt, ap);
	va_end(ap);
	return r;
}

/* ---- poll ---- */

static int wait_for(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
		    const sigset_t *mask)
{
	xtime deadline;
	int r = poll_deadline(timeout, &deadline);

	return (int)ANSWER(r ? r : poll_call(fds, n, deadline, mask));
}

EXPORT int poll(struct pollfd *fds, nfds_t n, int timeout)
{
	if (!poll_has_ours(fds, n))
		return REAL(poll)(fds, n, timeout);
	return (int)ANSWER(poll_call(fds, n, poll_deadline_ms(timeout), NULL));
}

EXPORT int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
	if (!poll_has_ours(fds, n))
		return REAL(ppoll)(fds, n, timeout, mask);
	return wait_for(fds, n, timeout, mask);
}

EXPORT int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t room)
{
	if (!poll_has_ours(fds, n) || room / sizeof(*fds) < n)
		return REAL(__poll_chk)(fds, n, timeout, room);
	return (int)ANSWER(poll_call(fds, n, poll_deadline_ms(timeout), NULL));
}

EXPORT int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
		       const sigset_t *mask, size_t room)
{
	if (!poll_has_ours(fds, n) || room / sizeof(*fds) < n)
		return REAL(__ppoll_chk)(fds, n, timeout, mask, room);
	return wait_for(fds, n, timeout, mask);
}

/* ---- select ---- */

/* poll_select_copy_remaining(): whatever the outcome. */
static void give_left(struct timeval *timeout, xtime deadline)
{
	xtime left = deadline == XTIME_NEVER ? 0 : deadline - engine_now();

	if (!timeout || deadline == XTIME_NEVER)
		return;
	left = left > 0 ? left : 0;
	timeout->tv_sec = left / XTIME_SEC;
	timeout->tv_usec = left % XTIME_SEC / XTIME_USEC;
}

EXPORT int select(int n, fd_set *restrict in, fd_set *restrict out, fd_set *restrict ex,
		  struct timeval *restrict timeout)
{
	struct timespec ts;
	xtime deadline;
	int r;

	if (!select_has_ours(n, in, out, ex))
		return REAL(select)(n, in, out, ex, timeout);
	if (timeout) {
		if (timeout->tv_sec < 0 || timeout->tv_usec < 0)
			return (int)interpose_result(-EINVAL);
		ts.tv_sec = timeout->tv_sec + timeout->tv_usec / 1000000;
		ts.tv_nsec = timeout->tv_usec % 1000000 * 1000;
	}
	r = poll_deadline(timeout ? &ts : NULL, &deadline);
	r = (int)ANSWER(r ? r : select_call(n, in, out, ex, deadline, NULL));
	give_left(timeout, deadline);
	return r;
}

EXPORT int pselect(int n, fd_set *restrict in, fd_set *restrict out, fd_set *restrict ex,
		   const struct timespec *restrict timeout, const sigset_t *restrict mask)
{
	xtime deadline;
	int r;

	if (!select_has_ours(n, in, out, ex))
		return REAL(pselect)(n, in, out, ex, timeout, mask);
	r = poll_deadline(timeout, &deadline);
	return (int)ANSWER(r ? r : select_call(n, in, out, ex, deadline, mask));
}

/* ---- epoll ---- */

static bool sleeps_here(int epfd)
{
	epoll_take(epfd);
	return (ready_any() || fdtab_is_epoll(epfd)) && atomic_load_explicit(&eng_current, memory_order_relaxed) &&
	       !init_is_inside();
}

static int made(int epfd)
{
	if (epfd >= 0 && !init_is_inside() && !process_is_vfork_child())
		epoll_set_made(epfd);
	return epfd;
}

EXPORT int epoll_create(int size)
{
	return made(REAL(epoll_create)(size));
}

EXPORT int epoll_create1(int flags)
{
	return made(REAL(epoll_create1)(flags));
}

/* A set may be in another one, which sees it. */
static int ctl_other(int epfd, int op, int fd, struct epoll_event *ev)
{
	if (op == EPOLL_CTL_ADD)
		epoll_see(fd);
	return REAL(epoll_ctl)(epfd, op, fd, ev);
}

EXPORT int epoll_ctl(int epfd, int op, int fd, struct epoll_event *ev)
{
	struct sock *s = fdtab_get(fd);

	return (int)INTERPOSE(fd, s, epoll_ctl_sock(s, epfd, op, fd, ev), ctl_other(epfd, op, fd, ev));
}

/* While there is no engine. */
static uintptr_t begin_outside(int epfd)
{
	uintptr_t id = fdtab_is_epoll(epfd) ? fdtab_slot(epfd) : 0;

	if (id)
		epoll_set_begin_outside(id);
	return id;
}

static int end_outside(uintptr_t id, int r)
{
	int err = errno;

	if (id)
		epoll_set_end_outside(id);
	errno = err;
	return r;
}

EXPORT int epoll_wait(int epfd, struct epoll_event *ev, int n, int timeout)
{
	if (!sleeps_here(epfd)) {
		uintptr_t id = timeout ? begin_outside(epfd) : 0;

		return end_outside(id, REAL(epoll_wait)(epfd, ev, n, timeout));
	}
	return (int)ANSWER(epoll_call(epfd, ev, n, poll_deadline_ms(timeout), NULL));
}

EXPORT int epoll_pwait(int epfd, struct epoll_event *ev, int n, int timeout, const sigset_t *mask)
{
	if (!sleeps_here(epfd)) {
		uintptr_t id = timeout ? begin_outside(epfd) : 0;

		return end_outside(id, REAL(epoll_pwait)(epfd, ev, n, timeout, mask));
	}
	return (int)ANSWER(epoll_call(epfd, ev, n, poll_deadline_ms(timeout), mask));
}

EXPORT int epoll_pwait2(int epfd, struct epoll_event *ev, int n, const struct timespec *timeout,
			const sigset_t *mask)
{
	xtime deadline;
	int r;

	if (!sleeps_here(epfd)) {
		uintptr_t id = begin_outside(epfd);

		return end_outside(id, REAL(epoll_pwait2)(epfd, ev, n, timeout, mask));
	}
	r = poll_deadline(timeout, &deadline);
	return (int)ANSWER(r ? r : epoll_call(epfd, ev, n, deadline, mask));
}

/* ---- libc's other names ---- */

EXPORT_ALIAS(__close, close);
EXPORT_ALIAS(__dup2, dup2);
EXPORT_ALIAS(__fcntl, fcntl);
EXPORT_ALIAS(__poll, poll);
EXPORT_ALIAS(__select, select);
EXPORT_ALIAS(_IO_fdopen, fdopen);
