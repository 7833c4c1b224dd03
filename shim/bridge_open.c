/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bridge_open.c - bind(), connect() and listen() of sockets that were bridged before they were either connected or listening.
 *
 * They may be another process's, of which the library here knows nothing but what the object's name says.  The policy is that of the
 * process that calls.  What it leaves to the kernel becomes a kernel's socket under this number here; the engine tells
 * what was set on it, and gives up the port.
 */
#include "bridge.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/time.h>

#include "addr.h"
#include "policy.h"
#include "real.h"
#include "user.h"

/* One that was under way when the socket was bridged. */
static int finish_connect(int fd, const struct engine_bridged *b)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int r;

	for (;;) {
		r = engine_bridged_connect_result(fd, b);
		if (r != -EALREADY || REAL(fcntl)(fd, F_GETFL) & O_NONBLOCK)
			break;
		if (REAL(poll)(&p, 1, -1) < 0)
			return -errno;
	}
	return r == -EIO || r == -ENOTCONN ? -EISCONN : r;
}

/* An address of its family that the engine knows; -EXDEV: one that the kernel does. */
static int read_addr(const struct engine_bridged *b, const struct sockaddr *addr, socklen_t len, struct sockaddr_in *a)
{
	struct sockaddr_storage given;
	int r = addr_take(addr, len, &given);

	if (r)
		return r;
	if (len < (b->is_v6 ? ADDR_IN6_MIN : sizeof(*a)))
		return -EINVAL;
	if (given.ss_family != (b->is_v6 ? AF_INET6 : AF_INET))
		return -EAFNOSUPPORT;
	memcpy(a, &given, sizeof(*a));
	return !b->is_v6 || addr_unmap(&given, a) ? 0 : -EXDEV;
}

/* What bridge_copy_settings() has left to the object. */
static void take_settings(int fd, int kernels)
{
	static const int names[] = { SO_RCVTIMEO, SO_SNDTIMEO, SO_RCVLOWAT };
	struct timeval v;
	socklen_t len;
	unsigned i;

	for (i = 0; i < ARRAY_LEN(names); i++) {
		len = sizeof(v);
		if (!REAL(getsockopt)(fd, SOL_SOCKET, names[i], &v, &len))
			REAL(setsockopt)(kernels, SOL_SOCKET, names[i], &v, len);
	}
}

/* An engine that is gone has neither options nor a port. */
static int move_to_kernels(int fd, const struct engine_bridged *b, int kernels)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int r = engine_bridged_yield(fd, b, kernels, &a);

	take_settings(fd, kernels);
	if (r && r != -EIO)
		return r;
	return a.sin_port || a.sin_addr.s_addr ? addr_bind(kernels, b->is_v6, &a) : 0;
}

/* In this process the number is a kernel's socket from now on, with the options and the address that it had. */
static int give_to_kernel(int fd, const struct engine_bridged *b)
{
	int flags = REAL(fcntl)(fd, F_GETFL), cloexec = REAL(fcntl)(fd, F_GETFD) & FD_CLOEXEC ? O_CLOEXEC : 0;
	int kernels = REAL(socket)(b->is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP), r;

	if (kernels < 0)
		return -errno;
	REAL(fcntl)(kernels, F_SETFL, flags & O_NONBLOCK);
	r = move_to_kernels(fd, b, kernels);
	if (!r)
		r = REAL(dup3)(kernels, fd, cloexec) < 0 ? -errno : 0;
	REAL(close)(kernels);
	return r;
}

static int bind_bridged(int fd, const struct engine_bridged *b, const struct sockaddr *addr, socklen_t len)
{
	struct sockaddr_in a;
	int r;

	if (!b->is_idle)
		return -EINVAL;
	r = read_addr(b, addr, len, &a);
	if (!r && ntohl(a.sin_addr.s_addr) >> 24 != IN_LOOPBACKNET)
		return engine_bridged_bind(fd, b, &a);
	if (!r || r == -EXDEV)
		r = give_to_kernel(fd, b);
	return r ? r : REAL(bind)(fd, addr, len) < 0 ? -errno : 0;
}

int bridge_bind(int fd, int r, const struct sockaddr *addr, socklen_t len)
{
	struct engine_bridged b;

	if (r >= 0)
		return -ENOTSOCK;
	do {
		if (!bridge_find(fd, &b))
			return -ENOTSOCK;
		r = bind_bridged(fd, &b, addr, len);
	} while (r == -ESTALE);
	return r;
}

static int connect_bridged(int fd, const struct engine_bridged *b, const struct sockaddr *addr, socklen_t len)
{
	struct sockaddr_in a;
	int r;

	if (b->is_listener)
		return -EISCONN;
	if (!b->is_idle)
		return finish_connect(fd, b);
	r = read_addr(b, addr, len, &a);
	if (!r || r == -EXDEV)
		r = policy_bridged(RULE_CONNECT, &a, r ? addr : NULL, len);
	if (!r)
		r = engine_bridged_connect(fd, b, &a);
	if (r == -EXDEV) {
		r = give_to_kernel(fd, b);
		return r ? r : REAL(connect)(fd, addr, len) < 0 ? -errno : 0;
	}
	return r != -EINPROGRESS || REAL(fcntl)(fd, F_GETFL) & O_NONBLOCK ? r : finish_connect(fd, b);
}

static int connect_found(int fd, const struct sockaddr *addr, socklen_t len)
{
	struct engine_bridged b;
	int r;

	do {
		if (!bridge_find(fd, &b))
			return -ENOTSOCK;
		r = connect_bridged(fd, &b, addr, len);
	} while (r == -ESTALE);
	return r;
}

int bridge_connect(int fd, int r, const struct sockaddr *addr, socklen_t len)
{
	return r >= 0 || errno != EINVAL ? -ENOTSOCK : connect_found(fd, addr, len);
}

/* tcp_sendmsg_fastopen() */
int bridge_fastopen(int fd, const struct sockaddr *addr, socklen_t len)
{
	struct engine_bridged b;
	sa_family_t family;

	if (len >= sizeof(family) && user_get(&family, addr, sizeof(family)) && family == AF_UNSPEC)
		return bridge_find(fd, &b) ? -EOPNOTSUPP : -ENOTSOCK;
	return connect_found(fd, addr, len);
}

static int listen_bridged(int fd, const struct engine_bridged *b, int backlog)
{
	int r = b->is_idle ? policy_bridged(RULE_LISTEN, &b->local, NULL, 0) : b->is_listener ? 0 : -EINVAL;

	if (r != -EXDEV)
		return r ? r : engine_bridged_listen(fd, b, backlog);
	r = give_to_kernel(fd, b);
	return r ? r : REAL(listen)(fd, backlog) < 0 ? -errno : 0;
}

int bridge_listen(int fd, int r, int backlog)
{
	struct engine_bridged b;

	if (r >= 0)
		return -ENOTSOCK;
	do {
		if (!bridge_find(fd, &b))
			return -ENOTSOCK;
		r = listen_bridged(fd, &b, backlog);
	} while (r == -ESTALE);
	return r;
}
