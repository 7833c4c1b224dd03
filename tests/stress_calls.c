/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stress_calls.c - the calls on the pool's numbers, each of which may be a socket in any state, a bridged one,
 * or nothing, and may become another while the call is under way.
 */
#include "stress.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define DATA_BYTES 20000

int stress_pool_fd(void)
{
	return POOL_FD + (int)stress_rnd(POOL_FDS);
}

static int pool_epoll(void)
{
	return POOL_EPOLL + (int)stress_rnd(POOL_EPOLLS);
}

/* fd, the caller's, becomes one of the pool's. */
static void give(int fd)
{
	int to = stress_pool_fd();

	if (fd < 0)
		return;
	if (stress_rnd(2))
		CALL(dup2(fd, to));
	else
		CALL(dup3(fd, to, O_CLOEXEC));
	CALL(close(fd));
}

/* ---- opening ---- */

static void set_some_options(int fd)
{
	static const struct { int level, name, val; } all[] = {
		{ SOL_SOCKET, SO_REUSEADDR, 1 }, { SOL_SOCKET, SO_KEEPALIVE, 1 }, { SOL_SOCKET, SO_SNDBUF, 20000 },
		{ SOL_SOCKET, SO_RCVBUF, 30000 }, { SOL_SOCKET, SO_RCVLOWAT, 10 }, { SOL_SOCKET, SO_OOBINLINE, 1 },
		{ IPPROTO_TCP, TCP_NODELAY, 1 }, { IPPROTO_TCP, TCP_CORK, 1 }, { IPPROTO_TCP, TCP_CORK, 0 },
		{ IPPROTO_TCP, TCP_QUICKACK, 0 }, { IPPROTO_TCP, TCP_USER_TIMEOUT, 3000 },
		{ IPPROTO_TCP, TCP_DEFER_ACCEPT, 1 }, { IPPROTO_TCP, TCP_NOTSENT_LOWAT, 5000 },
		{ IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1 }, { IPPROTO_IP, IP_TOS, 8 },
	};
	struct linger linger = { (int)stress_rnd(2), (int)stress_rnd(2) };
	struct timeval tv = { 0, 20000 };
	unsigned i = stress_rnd(sizeof(all) / sizeof(all[0]) + 3), n = sizeof(all) / sizeof(all[0]);

	if (i < n)
		CALL(setsockopt(fd, all[i].level, all[i].name, &all[i].val, sizeof(int)));
	else if (i == n)
		CALL(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	else
		CALL(setsockopt(fd, SOL_SOCKET, i == n + 1 ? SO_RCVTIMEO : SO_SNDTIMEO, &tv, sizeof(tv)));
}

static void get_some_option(int fd)
{
	static const struct { int level, name; } all[] = {
		{ SOL_SOCKET, SO_ERROR }, { SOL_SOCKET, SO_TYPE }, { SOL_SOCKET, SO_ACCEPTCONN },
		{ SOL_SOCKET, SO_RCVBUF }, { SOL_SOCKET, SO_LINGER }, { IPPROTO_TCP, TCP_INFO },
		{ IPPROTO_TCP, TCP_MAXSEG }, { IPPROTO_TCP, TCP_CONGESTION }, { IPPROTO_IP, IP_TOS },
	};
	unsigned i = stress_rnd(sizeof(all) / sizeof(all[0]));
	char buf[256];
	socklen_t len = sizeof(buf);

	CALL(getsockopt(fd, all[i].level, all[i].name, buf, &len));
}

static int new_socket(void)
{
	int flags = (stress_rnd(2) ? SOCK_NONBLOCK : 0) | (stress_rnd(2) ? SOCK_CLOEXEC : 0), fd;

	fd = (int)CALL(socket(stress_rnd(8) ? AF_INET : AF_INET6, SOCK_STREAM | flags, 0));
	if (fd >= 0 && stress_rnd(2))
		set_some_options(fd);
	return fd;
}

static void connect_somewhere(int fd)
{
	struct sockaddr_in a = stress_peer(stress_rnd(10) ? stress_rnd(3) : PEER_NOBODY);
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = a.sin_port };
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	memcpy(a6.sin6_addr.s6_addr + 12, &a.sin_addr, 4);
	memset(a6.sin6_addr.s6_addr + 10, 0xff, 2);
	if (!stress_rnd(12))
		CALL(connect(fd, &none, sizeof(none)));
	else if (!stress_rnd(8))
		CALL(connect(fd, (struct sockaddr *)&a6, sizeof(a6)));
	else
		CALL(connect(fd, (struct sockaddr *)&a, sizeof(a)));
}

static void open_one(void)
{
	int fd = new_socket();

	if (fd >= 0 && stress_rnd(4))
		connect_somewhere(fd);
	give(fd);
}

static void connect_again(void)
{
	connect_somewhere(stress_pool_fd());
}

static void listen_on(int fd)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int one = 1;

	if (stress_rnd(4))
		a.sin_port = htons((uint16_t)(target.listen + stress_rnd(LISTEN_CHAOS)));
	if (stress_rnd(4))
		CALL(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
	if (!stress_rnd(4))
		CALL(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)));
	CALL(bind(fd, (struct sockaddr *)&a, sizeof(a)));
	if (stress_rnd(8))
		CALL(listen(fd, (int)stress_rnd(20)));
}

static void open_listener(void)
{
	int fd = new_socket();

	if (fd >= 0)
		listen_on(fd);
	give(fd);
}

static void listen_again(void)
{
	listen_on(stress_pool_fd());
}

static void accept_one(void)
{
	struct sockaddr_in6 a;
	socklen_t len = sizeof(a);
	int fd = stress_pool_fd();

	if (stress_rnd(2))
		give((int)CALL(accept(fd, stress_rnd(2) ? (struct sockaddr *)&a : NULL, &len)));
	else
		give((int)CALL(accept4(fd, NULL, NULL, stress_rnd(2) ? SOCK_NONBLOCK : SOCK_CLOEXEC)));
}

/* ---- data ---- */

static void send_on(int fd, int flags)
{
	static char data[DATA_BYTES];
	size_t len = stress_rnd(stress_rnd(4) ? 300 : DATA_BYTES);
	struct iovec iov[3] = { { data, len / 2 }, { data, 0 }, { data, len - len / 2 } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 3 };
	struct mmsghdr mm[2] = { { .msg_hdr = m }, { .msg_hdr = m } };

	switch (stress_rnd(flags & MSG_DONTWAIT ? 4 : 6)) {
	case 0:
		CALL(send(fd, data, len, flags | (stress_rnd(16) ? 0 : MSG_OOB)));
		break;
	case 1:
		CALL(sendto(fd, data, len, flags | MSG_NOSIGNAL, NULL, 0));
		break;
	case 2:
		CALL(sendmsg(fd, &m, flags | MSG_NOSIGNAL));
		break;
	case 3:
		CALL(sendmmsg(fd, mm, 2, flags | MSG_NOSIGNAL | MSG_MORE));
		break;
	case 4:
		CALL(write(fd, data, len));
		break;
	default:
		CALL(writev(fd, iov, 3));
	}
}

static void recv_on(int fd, int flags)
{
	char data[DATA_BYTES];
	size_t len = 1 + stress_rnd(DATA_BYTES - 1);
	struct iovec iov[2] = { { data, len / 2 }, { data + len / 2, len - len / 2 } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
	struct mmsghdr mm[2] = { { .msg_hdr = m }, { .msg_hdr = m } };
	struct timespec ts = { 0, 10000000 };

	switch (stress_rnd(flags & MSG_DONTWAIT ? 4 : 6)) {
	case 0:
		CALL(recv(fd, data, len, flags | (stress_rnd(4) ? 0 : MSG_PEEK) | (stress_rnd(16) ? 0 : MSG_OOB)));
		break;
	case 1:
		CALL(recvfrom(fd, data, len, flags | (stress_rnd(8) ? 0 : MSG_WAITALL), NULL, NULL));
		break;
	case 2:
		CALL(recvmsg(fd, &m, flags | (stress_rnd(8) ? 0 : MSG_TRUNC)));
		break;
	case 3:
		CALL(recvmmsg(fd, mm, 2, flags | MSG_WAITFORONE, flags ? NULL : &ts));
		break;
	case 4:
		CALL(read(fd, data, len));
		break;
	default:
		CALL(readv(fd, iov, 2));
	}
}

static void send_one(void)
{
	send_on(stress_pool_fd(), stress_rnd(2) ? MSG_DONTWAIT : 0);
}

static void recv_one(void)
{
	recv_on(stress_pool_fd(), stress_rnd(2) ? MSG_DONTWAIT : 0);
}

static void send_file(void)
{
	int fd = (int)CALL(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
	off_t at = stress_rnd(5000);

	if (fd < 0)
		return;
	CALL(sendfile(stress_pool_fd(), fd, stress_rnd(2) ? &at : NULL, stress_rnd(DATA_BYTES)));
	CALL(close(fd));
}

static void splice_some(void)
{
	static const char data[4000];
	int ends[2];

	if (CALL(pipe2(ends, O_NONBLOCK | O_CLOEXEC)) < 0)
		return;
	if (stress_rnd(2)) {
		CALL(splice(stress_pool_fd(), NULL, ends[1], NULL, sizeof(data), stress_rnd(2) ? SPLICE_F_NONBLOCK : 0));
	} else if (CALL(write(ends[1], data, sizeof(data))) > 0) {
		CALL(splice(ends[0], NULL, stress_pool_fd(), NULL, sizeof(data), SPLICE_F_MORE));
	}
	CALL(close(ends[0]));
	CALL(close(ends[1]));
}

static void use_stream(void)
{
	int fd = (int)CALL(dup(stress_pool_fd()));
	FILE *f = fd >= 0 ? fdopen(fd, "r+") : NULL;

	if (f) {
		fputs("a line of text\n", f);
		fclose(f);
	} else if (fd >= 0) {
		CALL(close(fd));
	}
}

/* ---- waiting ---- */

static int time_out(void)
{
	return stress_rnd(8) ? (int)stress_rnd(30) : -1;
}

static void poll_some(void)
{
	struct pollfd p[12];
	struct timespec ts = { 0, 1000000 * (long)stress_rnd(30) };
	unsigned i, n = 1 + stress_rnd(12);
	sigset_t mask;

	sigemptyset(&mask);
	for (i = 0; i < n; i++)
		p[i] = (struct pollfd){ stress_pool_fd(), POLLIN | (stress_rnd(4) ? 0 : POLLOUT) | POLLRDHUP, 0 };
	if (stress_rnd(2))
		CALL(poll(p, n, time_out()));
	else
		CALL(ppoll(p, n, &ts, &mask));
}

static void select_some(void)
{
	struct timeval tv = { 0, (long)stress_rnd(30000) };
	struct timespec ts = { 0, 1000000 * (long)stress_rnd(30) };
	fd_set in, out;
	int i;

	FD_ZERO(&in);
	FD_ZERO(&out);
	for (i = 0; i < 6; i++) {
		FD_SET(stress_pool_fd(), &in);
		if (!stress_rnd(4))
			FD_SET(stress_pool_fd(), &out);
	}
	if (stress_rnd(2))
		CALL(select(POOL_FD + POOL_FDS, &in, &out, NULL, stress_rnd(8) ? &tv : NULL));
	else
		CALL(pselect(POOL_FD + POOL_FDS, &in, &out, NULL, &ts, NULL));
}

static void open_epoll(void)
{
	int fd = (int)CALL(epoll_create1(stress_rnd(2) ? EPOLL_CLOEXEC : 0));

	if (fd < 0)
		return;
	CALL(dup2(fd, pool_epoll()));
	CALL(close(fd));
}

static void change_epoll(void)
{
	static const uint32_t how[] = { 0, EPOLLET, EPOLLONESHOT, EPOLLET | EPOLLRDHUP, EPOLLPRI };
	struct epoll_event ev = { .events = EPOLLIN | (stress_rnd(3) ? 0 : EPOLLOUT) | how[stress_rnd(5)] };
	int fd = stress_rnd(20) ? stress_pool_fd() : pool_epoll();

	ev.data.fd = fd;
	CALL(epoll_ctl(pool_epoll(), stress_rnd(2) ? EPOLL_CTL_ADD : (int)(1 + stress_rnd(3)), fd, &ev));
}

static void wait_epoll(void)
{
	struct epoll_event ev[8];
	struct timespec ts = { 0, 1000000 * (long)stress_rnd(30) };
	int fd = pool_epoll(), i, n;

	if (stress_rnd(2))
		n = (int)CALL(epoll_wait(fd, ev, 8, time_out()));
	else
		n = (int)CALL(epoll_pwait2(fd, ev, 8, &ts, NULL));
	for (i = 0; i < n; i++) {
		if (ev[i].events & EPOLLIN)
			recv_on(ev[i].data.fd, MSG_DONTWAIT);
		if (ev[i].events & EPOLLOUT)
			send_on(ev[i].data.fd, MSG_DONTWAIT);
	}
}

/* ---- numbers ---- */

static void duplicate(void)
{
	int from = stress_pool_fd(), to = stress_pool_fd();

	switch (stress_rnd(4)) {
	case 0:
		give((int)CALL(dup(from)));
		break;
	case 1:
		CALL(dup2(from, to));
		break;
	case 2:
		if (from != to)
			CALL(dup3(from, to, O_CLOEXEC));
		break;
	default:
		give((int)CALL(fcntl(from, stress_rnd(2) ? F_DUPFD : F_DUPFD_CLOEXEC, 3)));
	}
}

static void close_some(void)
{
	int fd = stress_pool_fd();

	if (stress_rnd(8))
		CALL(close(fd));
	else
		CALL(close_range((unsigned)fd, (unsigned)(fd + 1), stress_rnd(2) ? CLOSE_RANGE_CLOEXEC : 0));
}

static void close_epoll(void)
{
	CALL(close(pool_epoll()));
}

/* ---- what a socket tells, and is told ---- */

static void shut(void)
{
	CALL(shutdown(stress_pool_fd(), (int)stress_rnd(3)));
}

static void set_option(void)
{
	set_some_options(stress_pool_fd());
}

static void get_option(void)
{
	get_some_option(stress_pool_fd());
}

static void ask_name(void)
{
	struct sockaddr_in6 a;
	socklen_t len = sizeof(a);
	struct stat st;
	int fd = stress_pool_fd();

	switch (stress_rnd(3)) {
	case 0:
		CALL(getsockname(fd, (struct sockaddr *)&a, &len));
		break;
	case 1:
		CALL(getpeername(fd, (struct sockaddr *)&a, &len));
		break;
	default:
		CALL(fstat(fd, &st));
	}
}

static void change_flags(void)
{
	int fd = stress_pool_fd(), on = (int)stress_rnd(2), n;

	switch (stress_rnd(8)) {
	case 0:
		CALL(fcntl(fd, F_SETFL, on ? O_NONBLOCK : 0));
		break;
	case 1:
		CALL(fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0));
		break;
	case 2:
		CALL(ioctl(fd, FIONBIO, &on));
		break;
	case 3:
		CALL(ioctl(fd, FIONREAD, &n));
		break;
	case 4:
		CALL(ioctl(fd, TIOCOUTQ, &n));
		break;
	case 5:
		CALL(fcntl(fd, F_SETOWN, getpid()));
		break;
	case 6:
		CALL(fcntl(fd, F_SETFL, on ? O_ASYNC | O_NONBLOCK : 0));
		break;
	default:
		CALL(fcntl(fd, F_GETFL));
	}
}

/* ---- one of them ---- */

struct kind {
	const char *name;
	void (*call)(void);
	unsigned weight;
};

static const struct kind kinds[] = {
	{ "socket, connect", open_one, 10 }, { "connect", connect_again, 3 }, { "listener", open_listener, 5 },
	{ "listen", listen_again, 2 }, { "accept", accept_one, 10 }, { "send", send_one, 16 },
	{ "recv", recv_one, 16 }, { "sendfile", send_file, 3 }, { "splice", splice_some, 2 }, { "stream", use_stream, 1 },
	{ "poll", poll_some, 8 }, { "select", select_some, 5 }, { "epoll_create", open_epoll, 2 },
	{ "epoll_ctl", change_epoll, 10 }, { "epoll_wait", wait_epoll, 10 }, { "dup", duplicate, 5 },
	{ "close", close_some, 6 }, { "close of an epoll set", close_epoll, 1 }, { "shutdown", shut, 4 },
	{ "setsockopt", set_option, 4 }, { "getsockopt", get_option, 4 }, { "name", ask_name, 3 },
	{ "flags", change_flags, 5 },
};

void stress_any_call(void)
{
	unsigned i, total = 0, at;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		total += kinds[i].weight;
	at = stress_rnd(total);
	for (i = 0; at >= kinds[i].weight; i++)
		at -= kinds[i].weight;
	stress_step(kinds[i].name);
	kinds[i].call();
}

void stress_cancellable_call(void)
{
	static void (*const all[])(void) = { send_one, recv_one, poll_some, select_some, wait_epoll };

	all[stress_rnd(5)]();
}

void stress_handler_call(void)
{
	int fd = stress_pool_fd();
	struct pollfd p = { fd, POLLIN, 0 };

	switch (stress_rnd(6)) {
	case 0:
		send_on(fd, MSG_DONTWAIT);
		break;
	case 1:
		recv_on(fd, MSG_DONTWAIT);
		break;
	case 2:
		CALL(poll(&p, 1, 0));
		break;
	case 3:
		get_some_option(fd);
		break;
	case 4:
		CALL(shutdown(fd, SHUT_WR));
		break;
	default:
		CALL(close(fd));
	}
}
