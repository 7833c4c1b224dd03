/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rawcall.h - system calls by number, each a result or -errno.
 *
 * This code lives in a library that interposes socket(), bind(), close() and the
 * rest: by name it would call that library, or be refused to close what the
 * program may not close.  By number it is no cancellation point either.  errno
 * changes; those who promise a program its errno put it back.
 */
#ifndef XTCP_RAWCALL_H
#define XTCP_RAWCALL_H

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

struct mmsghdr;

/* The kernel's own answer.  Libc's syscall() is one of the calls that the library interposes. */
#if defined(__x86_64__)
static inline long raw_kernel(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long r;

	__asm__ volatile("syscall" : "=a"(r)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return r;
}
#elif defined(__aarch64__)
static inline long raw_kernel(long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
}
#else
#error "how a system call is made here isn't known"
#endif

/* As libc's syscall(): -1 and errno. */
static inline long raw_call(long nr, long a, long b, long c, long d, long e, long f)
{
	long r = raw_kernel(nr, a, b, c, d, e, f);

	if (r < 0 && r > -4096) {
		errno = (int)-r;
		return -1;
	}
	return r;
}

/* Up to six arguments, integers or pointers. */
#define RAW_SIX(nr, a, b, c, d, e, f, ...) \
	raw_call(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define raw_syscall(...) RAW_SIX(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

static inline long raw_result(long r)
{
	return r < 0 ? -errno : r;
}

static inline int raw_close(int fd)
{
	return (int)raw_result(raw_syscall(SYS_close, fd));
}

static inline int raw_fcntl(int fd, int cmd, long arg)
{
	return (int)raw_result(raw_syscall(SYS_fcntl, fd, cmd, arg));
}

static inline int raw_ioctl(int fd, unsigned long request, void *arg)
{
	return (int)raw_result(raw_syscall(SYS_ioctl, fd, request, arg));
}

static inline int raw_open(const char *path, int flags, mode_t mode)
{
	return (int)raw_result(raw_syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}

static inline int raw_socket(int domain, int type, int protocol)
{
	return (int)raw_result(raw_syscall(SYS_socket, domain, type, protocol));
}

static inline int raw_socketpair(int domain, int type, int protocol, int fds[2])
{
	return (int)raw_result(raw_syscall(SYS_socketpair, domain, type, protocol, fds));
}

static inline int raw_bind(int fd, const void *addr, socklen_t len)
{
	return (int)raw_result(raw_syscall(SYS_bind, fd, addr, len));
}

static inline int raw_getsockname(int fd, void *addr, socklen_t *len)
{
	return (int)raw_result(raw_syscall(SYS_getsockname, fd, addr, len));
}

static inline int raw_getpeername(int fd, void *addr, socklen_t *len)
{
	return (int)raw_result(raw_syscall(SYS_getpeername, fd, addr, len));
}

static inline int raw_connect(int fd, const void *addr, socklen_t len)
{
	return (int)raw_result(raw_syscall(SYS_connect, fd, addr, len));
}

static inline int raw_listen(int fd, int backlog)
{
	return (int)raw_result(raw_syscall(SYS_listen, fd, backlog));
}

static inline int raw_accept(int fd, void *addr, socklen_t *len, int flags)
{
	return (int)raw_result(raw_syscall(SYS_accept4, fd, addr, len, flags));
}

static inline int raw_shutdown(int fd, int how)
{
	return (int)raw_result(raw_syscall(SYS_shutdown, fd, how));
}

static inline ssize_t raw_recvmsg(int fd, struct msghdr *m, int flags)
{
	return raw_result(raw_syscall(SYS_recvmsg, fd, m, flags));
}

static inline int raw_setsockopt(int fd, int level, int name, const void *val, socklen_t len)
{
	return (int)raw_result(raw_syscall(SYS_setsockopt, fd, level, name, val, len));
}

static inline int raw_getsockopt(int fd, int level, int name, void *val, socklen_t *len)
{
	return (int)raw_result(raw_syscall(SYS_getsockopt, fd, level, name, val, len));
}

static inline ssize_t raw_sendto(int fd, const void *buf, size_t n, int flags, const void *to,
                                 socklen_t len)
{
	return raw_result(raw_syscall(SYS_sendto, fd, buf, n, flags, to, len));
}

static inline ssize_t raw_recv(int fd, void *buf, size_t n, int flags)
{
	return raw_result(raw_syscall(SYS_recvfrom, fd, buf, n, flags, NULL, NULL));
}

static inline ssize_t raw_sendmsg(int fd, const struct msghdr *m, int flags)
{
	return raw_result(raw_syscall(SYS_sendmsg, fd, m, flags));
}

static inline int raw_sendmmsg(int fd, struct mmsghdr *m, unsigned n, int flags)
{
	return (int)raw_result(raw_syscall(SYS_sendmmsg, fd, m, n, flags));
}

static inline int raw_recvmmsg(int fd, struct mmsghdr *m, unsigned n, int flags)
{
	return (int)raw_result(raw_syscall(SYS_recvmmsg, fd, m, n, flags, NULL));
}

#endif
