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

static inline long raw_result(long r)
{
	return r < 0 ? -errno : r;
}

static inline int raw_close(int fd)
{
	return (int)raw_result(syscall(SYS_close, fd));
}

static inline int raw_fcntl(int fd, int cmd, long arg)
{
	return (int)raw_result(syscall(SYS_fcntl, fd, cmd, arg));
}

static inline int raw_open(const char *path, int flags, mode_t mode)
{
	return (int)raw_result(syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}

static inline int raw_socket(int domain, int type, int protocol)
{
	return (int)raw_result(syscall(SYS_socket, domain, type, protocol));
}

static inline int raw_socketpair(int domain, int type, int protocol, int fds[2])
{
	return (int)raw_result(syscall(SYS_socketpair, domain, type, protocol, fds));
}

static inline int raw_bind(int fd, const void *addr, socklen_t len)
{
	return (int)raw_result(syscall(SYS_bind, fd, addr, len));
}

static inline int raw_getsockname(int fd, void *addr, socklen_t *len)
{
	return (int)raw_result(syscall(SYS_getsockname, fd, addr, len));
}

static inline int raw_getpeername(int fd, void *addr, socklen_t *len)
{
	return (int)raw_result(syscall(SYS_getpeername, fd, addr, len));
}

static inline int raw_connect(int fd, const void *addr, socklen_t len)
{
	return (int)raw_result(syscall(SYS_connect, fd, addr, len));
}

static inline int raw_shutdown(int fd, int how)
{
	return (int)raw_result(syscall(SYS_shutdown, fd, how));
}

static inline ssize_t raw_recvmsg(int fd, struct msghdr *m, int flags)
{
	return raw_result(syscall(SYS_recvmsg, fd, m, flags));
}

static inline int raw_setsockopt(int fd, int level, int name, const void *val, socklen_t len)
{
	return (int)raw_result(syscall(SYS_setsockopt, fd, level, name, val, len));
}

static inline int raw_getsockopt(int fd, int level, int name, void *val, socklen_t *len)
{
	return (int)raw_result(syscall(SYS_getsockopt, fd, level, name, val, len));
}

static inline ssize_t raw_sendto(int fd, const void *buf, size_t n, int flags, const void *to,
                                 socklen_t len)
{
	return raw_result(syscall(SYS_sendto, fd, buf, n, flags, to, len));
}

static inline ssize_t raw_recv(int fd, void *buf, size_t n, int flags)
{
	return raw_result(syscall(SYS_recvfrom, fd, buf, n, flags, NULL, NULL));
}

static inline ssize_t raw_sendmsg(int fd, const struct msghdr *m, int flags)
{
	return raw_result(syscall(SYS_sendmsg, fd, m, flags));
}

static inline int raw_sendmmsg(int fd, struct mmsghdr *m, unsigned n, int flags)
{
	return (int)raw_result(syscall(SYS_sendmmsg, fd, m, n, flags));
}

static inline int raw_recvmmsg(int fd, struct mmsghdr *m, unsigned n, int flags)
{
	return (int)raw_result(syscall(SYS_recvmmsg, fd, m, n, flags, NULL));
}

#endif
