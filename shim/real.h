/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * real.h - libc's own version of every call that we interpose: REAL(close)(fd).
 *
 * Found at its first use, so it works before any constructor ran, and two threads
 * or a signal handler that look for the same one at once find the same one.
 * Nothing is allocated.
 */
#ifndef XTCP_REAL_H
#define XTCP_REAL_H

#include <aio.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* What libc exports but its headers declare for themselves only, or not any more. */
ssize_t __read_chk(int fd, void *buf, size_t len, size_t room);
ssize_t __recv_chk(int fd, void *buf, size_t len, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *buf, size_t len, size_t room, int flags,
		       struct sockaddr *addr, socklen_t *alen);
int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t room);
int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
		const sigset_t *mask, size_t room);
int __vdprintf_chk(int fd, int flag, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));
int __dprintf_chk(int fd, int flag, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int capset(cap_user_header_t header, const cap_user_data_t data);
void (*bsd_signal(int sig, void (*handler)(int)))(int);
int __clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);

/* liburing's. */
struct io_uring;
struct io_uring_params;
struct io_uring_cqe;
struct __kernel_timespec;
int io_uring_submit(struct io_uring *ring);
int io_uring_submit_and_wait(struct io_uring *ring, unsigned n);
int io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **cqe, unsigned n,
				     struct __kernel_timespec *ts, sigset_t *mask);
int io_uring_submit_and_get_events(struct io_uring *ring);
int io_uring_setup(unsigned entries, struct io_uring_params *p);
int io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags);
int io_uring_queue_init_params(unsigned entries, struct io_uring *ring, struct io_uring_params *p);
int io_uring_queue_init_mem(unsigned entries, struct io_uring *ring, struct io_uring_params *p, void *mem,
			    size_t len);

enum real_id {
#define SYMBOL(name) REAL_##name,
#include "symbols.def"
#undef SYMBOL
	REAL_COUNT
};

extern _Atomic(void *) real_table[REAL_COUNT];

/* Looks it up; what this libc doesn't have gives ENOSYS when called. */
void *real_find(enum real_id id);
const char *real_name(enum real_id id);

static inline void *real_get(enum real_id id)
{
	void *f = atomic_load_explicit(&real_table[id], memory_order_relaxed);

	return f ? f : real_find(id);
}

#define REAL(name) ((__typeof__(name) *)real_get(REAL_##name))

#endif
