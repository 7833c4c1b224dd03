/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys.h - the engine's own way into the kernel: waiting calls beside rawcall.h's.
 *
 * The engine lives in a library that interposes poll(), read(), close() and the
 * rest, so it must not call them by name: it would come back to itself, and its
 * close() of an fd that the program may not close would be refused.  A system
 * call by number needs no table of resolved symbols, is no cancellation point
 * (a thread is never unwound while it drives) and works in a child after fork().
 * stack/evio.c does the same for the private libev.
 *
 * All return a result or -errno.  errno itself is changed: engine.c's entry
 * points put it back.
 */
#ifndef XTCP_SYS_H
#define XTCP_SYS_H

#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>

#include "highfd.h"
#include "rawcall.h"

_Static_assert(sizeof(rlim_t) == 8 && sizeof(time_t) == 8, "system calls of 64 bit only");

/* The kernel's sigset_t, not glibc's. */
#define SYS_SIGSET_BYTES 8

static inline ssize_t sys_read(int fd, void *buf, size_t len)
{
	return raw_result(raw_syscall(SYS_read, fd, buf, len));
}

static inline ssize_t sys_write(int fd, const void *buf, size_t len)
{
	return raw_result(raw_syscall(SYS_write, fd, buf, len));
}

static inline int sys_prlimit(int resource, const struct rlimit *new, struct rlimit *old)
{
	return (int)raw_result(raw_syscall(SYS_prlimit64, 0, resource, new, old));
}

/* The kernel writes the time that is left into *ts. */
static inline int sys_ppoll(struct pollfd *fds, unsigned n, struct timespec *ts,
			    const sigset_t *mask)
{
	return (int)raw_result(raw_syscall(SYS_ppoll, fds, n, ts, mask, SYS_SIGSET_BYTES));
}

static inline int sys_epoll_ctl64(int ep, int op, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event ev = { .events = events, .data.u64 = data };

	return (int)raw_result(raw_syscall(SYS_epoll_ctl, ep, op, fd, &ev));
}

static inline int sys_epoll_ctl(int ep, int op, int fd, uint32_t events)
{
	return sys_epoll_ctl64(ep, op, fd, events, 0);
}

/* What is ready now. */
static inline int sys_epoll_poll(int ep, struct epoll_event *ev, int n)
{
	return (int)raw_result(raw_syscall(SYS_epoll_pwait, ep, ev, n, 0, NULL, SYS_SIGSET_BYTES));
}

static inline int sys_timerfd_set(int fd, const struct itimerspec *its)
{
	return (int)raw_result(raw_syscall(SYS_timerfd_settime, fd, TFD_TIMER_ABSTIME, its, NULL));
}

static inline int sys_eventfd(void)
{
	return highfd_raise((int)raw_result(raw_syscall(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK)));
}

static inline int sys_epoll(void)
{
	return highfd_raise((int)raw_result(raw_syscall(SYS_epoll_create1, EPOLL_CLOEXEC)));
}

static inline int sys_timerfd(void)
{
	return highfd_raise((int)raw_result(raw_syscall(SYS_timerfd_create, CLOCK_MONOTONIC,
						  TFD_CLOEXEC | TFD_NONBLOCK)));
}

#endif
