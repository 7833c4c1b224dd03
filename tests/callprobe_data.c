/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * callprobe_data.c - names, connecting and data: flags, messages, lengths.
 */
#include "callprobe.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static char buf[65536];
static volatile int minus = -1;
static volatile size_t huge = SIZE_MAX;

/* ---- names and the order of checks ---- */

static void names(enum state st)
{
	struct sockaddr_storage a;
	static const socklen_t rooms[] = { 0, 1, 2, 4, 8, 15, 16, 17, 28, 128, 200 };
	int fd = probe_open(st);
	socklen_t len;
	size_t i;

	for (i = 0; i < LEN(rooms); i++) {
		memset(&a, 0xee, sizeof(a));
		len = rooms[i] < sizeof(a) ? rooms[i] : sizeof(a);
		TRY_MORE(getsockname(fd, (struct sockaddr *)&a, &len), "%u %x", len, a.ss_family);
		len = rooms[i] < sizeof(a) ? rooms[i] : sizeof(a);
		memset(&a, 0xee, sizeof(a));
		TRY_MORE(getpeername(fd, (struct sockaddr *)&a, &len), "%u %x", len, a.ss_family);
	}
	len = (socklen_t)-1;
	TRY(getsockname(fd, (struct sockaddr *)&a, &len));
	len = (socklen_t)-1;
	TRY(getpeername(fd, (struct sockaddr *)&a, &len));
	len = sizeof(a);
	TRY(getsockname(-1, (struct sockaddr *)&a, &len));
	TRY(getsockname(0, (struct sockaddr *)&a, &len));
	TRY(getpeername(999, (struct sockaddr *)&a, &len));
}

static void binding(enum state st)
{
	struct sockaddr_storage a = probe_server;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&a;
	socklen_t len;
	int fd = probe_open(st);

	for (len = 0; len < 40; len += 1 + (len > 3 && len < 12) * 3)
		TRY_MORE(bind(fd, (struct sockaddr *)&a, len), "%u", len);
	TRY(bind(fd, (struct sockaddr *)&a, (socklen_t)-1));
	TRY(bind(fd, (struct sockaddr *)&a, sizeof(a) + 1));
	a.ss_family = AF_UNIX;
	TRY(bind(fd, (struct sockaddr *)&a, probe_addr_len));
	a.ss_family = AF_UNSPEC;
	TRY(bind(fd, (struct sockaddr *)&a, probe_addr_len));
	memset(&a, 0, sizeof(a));
	TRY(bind(fd, (struct sockaddr *)&a, probe_addr_len));
	a.ss_family = probe_family == AF_INET ? AF_INET6 : AF_INET;
	TRY(bind(fd, (struct sockaddr *)&a, sizeof(struct sockaddr_in6)));
	a.ss_family = (sa_family_t)probe_family;
	if (probe_family == AF_INET6) {
		v6->sin6_scope_id = 77;
		v6->sin6_flowinfo = htonl(7);
	}
	TRY(bind(fd, (struct sockaddr *)&a, probe_addr_len));
	TRY(bind(fd, (struct sockaddr *)&a, probe_addr_len));
	TRY(bind(0, (struct sockaddr *)&a, probe_addr_len));
	TRY(bind(-1, (struct sockaddr *)&a, probe_addr_len));
}

static void connecting(enum state st)
{
	struct sockaddr_storage a = probe_server;
	socklen_t len;
	int fd = probe_open(st);

	a.ss_family = AF_UNIX;
	TRY(connect(fd, (struct sockaddr *)&a, probe_addr_len));
	a.ss_family = probe_family == AF_INET ? AF_INET6 : AF_INET;
	TRY(connect(fd, (struct sockaddr *)&a, sizeof(struct sockaddr_in)));
	a.ss_family = (sa_family_t)probe_family;
	for (len = 0; len < probe_addr_len; len++)
		TRY_MORE(connect(fd, (struct sockaddr *)&a, len < 16 || probe_family == AF_INET6 ? len % 24 : 15), "%u", len);
	TRY(connect(fd, (struct sockaddr *)&a, (socklen_t)-1));
	TRY(connect(fd, (struct sockaddr *)&a, sizeof(a) + 1));
	TRY(connect(fd, (struct sockaddr *)&a, probe_addr_len));
	TRY(connect(fd, (struct sockaddr *)&a, probe_addr_len));
	a.ss_family = AF_UNSPEC;
	TRY(connect(fd, (struct sockaddr *)&a, 1));
	TRY(connect(fd, (struct sockaddr *)&a, 2));
	TRY(connect(fd, (struct sockaddr *)&a, probe_addr_len));
	a = probe_server;
	TRY(connect(fd, (struct sockaddr *)&a, sizeof(a)));
	TRY(connect(0, (struct sockaddr *)&a, sizeof(a)));
	TRY(connect(-1, (struct sockaddr *)&a, sizeof(a)));
}

static void listeners(enum state st)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);
	int fd = probe_open(st);

	TRY(fcntl(fd, F_SETFL, O_NONBLOCK));
	TRY(accept(fd, NULL, NULL));
	TRY(accept4(fd, NULL, NULL, 0x1234));
	TRY(accept4(fd, (struct sockaddr *)&a, &len, SOCK_NONBLOCK | SOCK_CLOEXEC));
	TRY(listen(fd, -1));
	TRY(listen(fd, 0));
	TRY(listen(fd, INT_MAX));
	TRY(accept(fd, NULL, NULL));
	TRY(accept(-1, NULL, NULL));
	TRY(accept(0, NULL, NULL));
	TRY(accept4(-1, NULL, NULL, 0x1234));
	TRY(accept4(0, NULL, NULL, 0x1234));
	TRY(listen(-1, 1));
	TRY(listen(0, 1));
}

static void shutting(enum state st)
{
	struct pollfd p = { .events = -1 };
	int fd = probe_open(st);

	p.fd = fd;
	TRY(fcntl(fd, F_SETFL, O_NONBLOCK));
	TRY(shutdown(fd, -1));
	TRY(shutdown(fd, 3));
	TRY(shutdown(fd, SHUT_RD));
	TRY(recv(fd, buf, 10, 0));
	TRY(recv(fd, buf, 10, 0));
	TRY_MORE(poll(&p, 1, 0), "%x", p.revents);
	TRY(shutdown(fd, SHUT_WR));
	TRY(send(fd, buf, 10, MSG_NOSIGNAL));
	TRY(send(fd, buf, 0, MSG_NOSIGNAL));
	TRY(shutdown(-1, 3));
	TRY(shutdown(0, SHUT_RD));
}

/* ---- flags ---- */

static const int all_flags[] = {
	0, MSG_OOB, MSG_PEEK, MSG_DONTROUTE, MSG_CTRUNC, MSG_PROXY, MSG_TRUNC, MSG_EOR, MSG_FIN, MSG_SYN, MSG_CONFIRM, MSG_RST,
	MSG_ERRQUEUE, MSG_MORE, MSG_WAITFORONE, MSG_BATCH, MSG_ZEROCOPY, MSG_FASTOPEN, MSG_CMSG_CLOEXEC, 1 << 27, 1 << 25, 1 << 19, 1 << 20,
	MSG_WAITALL,
};

static void recv_flags(enum state st)
{
	size_t i, k;
	int fd;

	for (i = 0; i < LEN(all_flags); i++) {
		int f = all_flags[i] | MSG_DONTWAIT;
		struct iovec iov = { buf, 3 };
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_flags = 0x55, .msg_namelen = 77 };

		fd = probe_open(st);
		TRY_MORE(recv(fd, buf, 1, f), "%x", f);
		TRY_MORE(recv(fd, buf, 0, f), "%x", f);
		TRY_MORE(recvmsg(fd, &m, f), "%x %x %u", f, m.msg_flags, m.msg_namelen);
		TRY_MORE(recv(fd, buf, 100, f | MSG_PEEK), "%x", f);
		TRY_MORE(recv(fd, NULL, 1, f | MSG_TRUNC), "%x", f);
		for (k = 0; k < 2; k++)
			TRY_MORE(recv(fd, buf, 100, f), "%x", f);
		close(fd);
	}
}

static void send_flags(enum state st)
{
	size_t i;
	int fd;

	for (i = 0; i < LEN(all_flags); i++) {
		int f = all_flags[i] | MSG_NOSIGNAL | MSG_DONTWAIT;
		struct iovec iov = { buf, 3 };
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_flags = 0x55 };

		fd = probe_open(st);
		TRY_MORE(send(fd, buf, 0, f), "%x", f);
		TRY_MORE(send(fd, buf, 1, f), "%x", f);
		TRY_MORE(sendmsg(fd, &m, f), "%x %x", f, m.msg_flags);
		close(fd);
	}
	fd = probe_open(st);
	TRY(send(fd, NULL, 0, MSG_NOSIGNAL));

}

/* ---- messages ---- */

static void send_messages(enum state st)
{
	static struct iovec many[IOV_MAX + 1];
	struct iovec two[] = { { buf, 2 }, { buf, SIZE_MAX } };
	struct msghdr m = { .msg_iov = many, .msg_iovlen = 1 };
	struct mmsghdr v[3];
	struct sockaddr_storage other = probe_server;
	char control[256] = "";
	struct cmsghdr *c = (struct cmsghdr *)control;
	int fd = probe_open(st), i;
	static const struct { int level, type; size_t len; } cmsgs[] = {
		{ SOL_SOCKET, SCM_RIGHTS, 4 }, { SOL_SOCKET, SCM_CREDENTIALS, 12 }, { SOL_SOCKET, SO_MARK, 4 },
		{ SOL_SOCKET, SO_TIMESTAMPING_OLD, 4 }, { SOL_SOCKET, SO_TIMESTAMPING_OLD, 8 }, { SOL_SOCKET, SCM_TXTIME, 8 },
		{ SOL_SOCKET, SO_PRIORITY, 4 }, { SOL_SOCKET, 9999, 4 }, { SOL_SOCKET, SO_MARK, 3 }, { SOL_SOCKET, SO_PRIORITY, 8 },
		{ IPPROTO_IP, IP_TTL, 4 }, { IPPROTO_IP, IP_TOS, 4 }, { IPPROTO_IP, 9999, 4 },
		{ IPPROTO_TCP, TCP_CM_INQ, 4 }, { 9999, 1, 4 },
	};

	signal(SIGPIPE, SIG_IGN);
	for (i = 0; i <= IOV_MAX; i++)
		many[i] = (struct iovec){ buf, 1 };
	TRY(sendmsg(fd, &m, MSG_NOSIGNAL));
	m.msg_iovlen = IOV_MAX;
	TRY(sendmsg(fd, &m, MSG_NOSIGNAL));
	m.msg_iovlen = IOV_MAX + 1;
	TRY(sendmsg(fd, &m, MSG_NOSIGNAL));
	m.msg_iovlen = (size_t)-1;
	TRY(sendmsg(fd, &m, MSG_NOSIGNAL));
	m.msg_iovlen = 0;
	TRY(sendmsg(fd, &m, MSG_NOSIGNAL));
	m.msg_iov = two;
	m.msg_iovlen = 2;
	TRY(sendmsg(fd, &m, MSG_NOSIGNAL));
	TRY(writev(fd, two, 2));
	TRY(writev(fd, many, minus));
	TRY(writev(fd, many, 0));
	TRY(writev(fd, many, IOV_MAX + 1));
	TRY(pwritev2(fd, many, 1, -1, 0));
	TRY(pwritev2(fd, many, 1, -1, RWF_NOWAIT));
	TRY(pwritev2(fd, many, 1, -1, RWF_APPEND));
	TRY(pwritev2(fd, many, 1, -1, RWF_APPEND | RWF_NOAPPEND));
	TRY(pwritev2(fd, many, 1, -1, 0x100));
	TRY(pwritev2(fd, many, 1, -1, 0x40));
	TRY(pwritev2(fd, many, 1, -1, 0x80));
	TRY(pwritev2(fd, many, 1, -1, RWF_DSYNC));
	TRY(pwritev2(fd, many, 1, -1, 0x1000));
	TRY(pwritev2(fd, many, 0, -1, 0x1000));
	m.msg_iov = many;
	m.msg_iovlen = 1;
	m.msg_name = &other;
	m.msg_namelen = probe_addr_len;
	TRY(sendmsg(fd, &m, MSG_NOSIGNAL));
	m.msg_namelen = (socklen_t)-1;
	TRY(sendmsg(fd, &m, MSG_NOSIGNAL));
	m.msg_namelen = 1000;
	TRY(sendmsg(fd, &m, MSG_NOSIGNAL));
	TRY(sendto(fd, buf, 1, MSG_NOSIGNAL, (struct sockaddr *)&other, (socklen_t)-1));
	TRY(sendto(fd, buf, 1, MSG_NOSIGNAL, (struct sockaddr *)&other, 1000));
	TRY(sendto(fd, buf, 1, MSG_NOSIGNAL, (struct sockaddr *)&other, 1));
	m.msg_name = NULL;
	m.msg_control = control;
	for (i = 0; i < (int)LEN(cmsgs); i++) {
		m.msg_controllen = CMSG_SPACE(cmsgs[i].len);
		*c = (struct cmsghdr){ CMSG_LEN(cmsgs[i].len), cmsgs[i].level, cmsgs[i].type };
		TRY_MORE(sendmsg(fd, &m, MSG_NOSIGNAL), "%d %d", cmsgs[i].level, cmsgs[i].type);
	}
	c->cmsg_len = 3;
	TRY(sendmsg(fd, &m, MSG_NOSIGNAL));
	c->cmsg_len = 3000;
	TRY(sendmsg(fd, &m, MSG_NOSIGNAL));
	m.msg_controllen = 5;
	TRY(sendmsg(fd, &m, MSG_NOSIGNAL));
	m.msg_controllen = (size_t)-1;
	TRY(sendmsg(fd, &m, MSG_NOSIGNAL));
	memset(v, 0, sizeof(v));
	for (i = 0; i < 3; i++)
		v[i].msg_hdr = (struct msghdr){ .msg_iov = many, .msg_iovlen = 1 };
	TRY_MORE(sendmmsg(fd, v, 3, MSG_NOSIGNAL), "%u %u %u", v[0].msg_len, v[1].msg_len, v[2].msg_len);
	v[1].msg_hdr.msg_iovlen = IOV_MAX + 1;
	TRY_MORE(sendmmsg(fd, v, 3, MSG_NOSIGNAL), "%u %u %u", v[0].msg_len, v[1].msg_len, v[2].msg_len);
	v[0].msg_hdr.msg_iovlen = IOV_MAX + 1;
	TRY(sendmmsg(fd, v, 3, MSG_NOSIGNAL));
	TRY(sendmmsg(fd, v, 0, MSG_NOSIGNAL));
}

static void recv_messages(enum state st)
{
	static struct iovec many[IOV_MAX + 1];
	struct iovec two[] = { { buf, 2 }, { buf, SIZE_MAX } };
	char control[64];
	struct sockaddr_storage name;
	struct msghdr m = { .msg_iov = many, .msg_iovlen = 1, .msg_control = control, .msg_controllen = 64 };
	struct mmsghdr v[3];
	struct timespec none = { 0, 0 }, odd = { 0, -1 }, soon = { 0, 1000000 };
	socklen_t len = sizeof(name);
	int fd = probe_open(st), i;

	TRY(fcntl(fd, F_SETFL, O_NONBLOCK));
	for (i = 0; i <= IOV_MAX; i++)
		many[i] = (struct iovec){ buf + i, 1 };
	m.msg_name = &name;
	m.msg_namelen = sizeof(name);
	TRY_MORE(recvmsg(fd, &m, MSG_PEEK), "%u %zu %x", m.msg_namelen, m.msg_controllen, m.msg_flags);
	m.msg_namelen = 3;
	TRY_MORE(recvmsg(fd, &m, MSG_PEEK | MSG_CMSG_CLOEXEC), "%u %zu %x", m.msg_namelen, m.msg_controllen, m.msg_flags);
	m.msg_namelen = (socklen_t)-1;
	TRY(recvmsg(fd, &m, MSG_PEEK));
	TRY_MORE(recvfrom(fd, buf, 1, MSG_PEEK, (struct sockaddr *)&name, &len), "%d", (int)len);
	len = (socklen_t)-1;
	TRY_MORE(recvfrom(fd, buf, 1, MSG_PEEK, (struct sockaddr *)&name, &len), "%d", (int)len);
	TRY(recvfrom(fd, buf, 1, MSG_PEEK, NULL, &len));
	m.msg_namelen = 5000;
	TRY_MORE(recvmsg(fd, &m, MSG_PEEK), "%u", m.msg_namelen);
	m.msg_name = NULL;
	m.msg_namelen = (socklen_t)-1;
	TRY_MORE(recvmsg(fd, &m, MSG_PEEK), "%d", (int)m.msg_namelen);
	m.msg_namelen = 7;
	TRY_MORE(recvmsg(fd, &m, MSG_PEEK), "%d", (int)m.msg_namelen);
	m.msg_iovlen = IOV_MAX;
	TRY(recvmsg(fd, &m, MSG_PEEK));
	m.msg_iovlen = IOV_MAX + 1;
	TRY(recvmsg(fd, &m, MSG_PEEK));
	m.msg_iovlen = 0;
	TRY(recvmsg(fd, &m, MSG_PEEK));
	m.msg_iovlen = 2;
	m.msg_iov = two;
	TRY(recvmsg(fd, &m, MSG_PEEK));
	m.msg_controllen = (size_t)-1;
	m.msg_iovlen = 1;
	TRY_MORE(recvmsg(fd, &m, MSG_PEEK), "%zu", m.msg_controllen);
	TRY(readv(fd, two, 2));
	TRY(readv(fd, many, minus));
	TRY(readv(fd, many, 0));
	TRY(readv(fd, many, IOV_MAX + 1));
	memset(v, 0, sizeof(v));
	for (i = 0; i < 3; i++)
		v[i].msg_hdr = (struct msghdr){ .msg_iov = many, .msg_iovlen = 1 };
	TRY(recvmmsg(fd, v, 0, 0, NULL));
	TRY(recvmmsg(fd, v, 3, 0, &odd));
	TRY_MORE(recvmmsg(fd, v, 3, MSG_PEEK, &none), "%u %u", v[0].msg_len, v[1].msg_len);
	TRY_MORE(recvmmsg(fd, v, 2, 0, NULL), "%u %u", v[0].msg_len, v[1].msg_len);
	v[1].msg_hdr.msg_iovlen = IOV_MAX + 1;
	TRY_MORE(recvmmsg(fd, v, 2, MSG_WAITFORONE, NULL), "%u", v[0].msg_len);
	v[0].msg_hdr.msg_iovlen = IOV_MAX + 1;
	TRY(recvmmsg(fd, v, 2, MSG_WAITFORONE, &soon));
	TRY(preadv2(fd, many, 1, -1, 0x1000));
	TRY(preadv2(fd, many, 1, -1, RWF_HIPRI));
	TRY(preadv2(fd, many, 1, -1, RWF_APPEND));
	TRY(preadv2(fd, many, 0, -1, RWF_APPEND));
	TRY(preadv2(fd, many, 1, -1, RWF_NOWAIT));
	TRY(preadv2(fd, many, 1, -1, 0));
	TRY(recv(fd, buf, huge / 2 + 1, MSG_PEEK));
	TRY(recv(fd, buf, huge, MSG_PEEK));
	TRY(read(fd, buf, huge / 2 + 1));
	TRY(read(fd, buf, huge));
}

/* A time-out ends what waits; what came before counts. */
static void timeouts(enum state st)
{
	static const struct timeval t = { 0, 60000 };
	static const struct timespec mt = { 0, 60000000 };
	struct iovec one = { buf, 3 };
	struct timespec left = mt;
	struct mmsghdr v[4];
	int fd = probe_open(st), i;

	memset(v, 0, sizeof(v));
	for (i = 0; i < 4; i++)
		v[i].msg_hdr = (struct msghdr){ .msg_iov = &one, .msg_iovlen = 1 };
	TRY(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
	TRY_MORE(recvmmsg(fd, v, 4, 0, NULL), "%u %u", v[0].msg_len, v[1].msg_len);
	left = mt;
	TRY_MORE(recvmmsg(fd, v, 4, 0, &left), "%d", left.tv_nsec < mt.tv_nsec);
	TRY(recv(fd, buf, 10, MSG_WAITALL));
	TRY(recv(fd, buf, 10, 0));
	TRY(read(fd, buf, 10));
	TRY(accept(fd, NULL, NULL));
}

/* ---- open file descriptors ---- */

static void numbers(enum state st)
{
	int fd = probe_open(st);
	char c;

	TRY(close(-1));
	TRY(close(999));
	TRY(close_range(20, 10, 0));
	TRY(close_range(900, 1000, 0x1000));
	TRY(dup(-1));
	TRY(dup2(fd, -1));
	TRY(dup2(-1, fd));
	TRY(dup2(fd, 2000000000));
	TRY(dup3(fd, fd, 0));
	TRY(dup3(fd, 50, 7));
	TRY(dup3(fd, 50, O_CLOEXEC));
	TRY(fcntl(50, F_GETFD));
	TRY(recv(50, &c, 1, MSG_DONTWAIT | MSG_PEEK));
	TRY(close_range(50, 60, CLOSE_RANGE_CLOEXEC));
	TRY(fcntl(50, F_GETFD));
	TRY(close(fd));
	TRY(recv(50, &c, 1, MSG_DONTWAIT | MSG_PEEK));
	TRY(close_range(50, 60, 0));
	TRY(recv(50, &c, 1, MSG_DONTWAIT));
	TRY(recv(fd, &c, 1, MSG_DONTWAIT));
	TRY(read(-1, &c, 1));
	TRY(write(999, &c, 1));
	TRY(send(0, &c, 1, 0));
	TRY(recv(0, &c, 1, 0));
	TRY(setsockopt(-1, SOL_SOCKET, SO_KEEPALIVE, &fd, 4));
	TRY(setsockopt(0, SOL_SOCKET, SO_KEEPALIVE, &fd, 4));
	TRY(sockatmark(0));
	TRY(socket(AF_INET, SOCK_STREAM | 0x100, 0));
	TRY(socket(AF_INET, 77, 0));
	TRY(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
	TRY(socket(AF_INET, SOCK_STREAM, 9999));
	TRY(socket(AF_INET, SOCK_STREAM, -1));
	TRY(socket(99, SOCK_STREAM, 0));
	TRY(socketpair(AF_INET, SOCK_STREAM, 0, (int[2]){ 0, 0 }));
	TRY(socketpair(AF_UNIX, SOCK_STREAM, 0, (int[2]){ 0, 0 }));
}

/* Is the connection as it was, and can another be made, and be watched? */
static void still_works(int fd, const char *after)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = epoll_create1(0), other = probe_open(CONNECTED);
	char c;

	errno = 0;
	epoll_ctl(ep, EPOLL_CTL_ADD, other, &ev);
	probe_result(after, send(fd, "x", 1, 0) + recv(fd, &c, 1, MSG_WAITALL), "connection");
	probe_result(after, send(other, "y", 1, 0) + epoll_wait(ep, &ev, 1, 10000), "another");
	TRY(recv(other, &c, 1, 0));
	close(other);
	close(ep);
}

/* A table of descriptors of one's own, which one has already. */
static void own_table(enum state st)
{
	int fd = probe_open(st);
	char c;

	TRY(dup2(fd, 50));
	TRY(unshare(CLONE_FILES));
	still_works(fd, "unshare");
	TRY(syscall(SYS_unshare, CLONE_FILES | CLONE_FS));
	still_works(fd, "unshare by number");
	TRY(unshare(CLONE_FILES | 1));
	TRY(close_range(50, 60, CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC));
	TRY(fcntl(50, F_GETFD));
	TRY(close_range(50, 60, CLOSE_RANGE_UNSHARE | 8));
	TRY(recv(50, &c, 1, MSG_DONTWAIT));
	TRY(close_range(50, 60, CLOSE_RANGE_UNSHARE));
	TRY(recv(50, &c, 1, MSG_DONTWAIT));
	still_works(fd, "close_range");
	TRY(close_range(3, ~0U, CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC));
	TRY(fcntl(fd, F_GETFD));
	still_works(fd, "of all, at exec");
	TRY(close_range(3, ~0U, CLOSE_RANGE_UNSHARE));
	TRY(recv(fd, &c, 1, MSG_DONTWAIT));
	fd = probe_open(st);
	still_works(fd, "of all");
}

const struct probe_case probe_data_cases[] = {
	{ "names", names, ALL_STATES },
	{ "binding", binding, ALL_STATES },
	{ "connecting", connecting, ALL_STATES & ~(1u << ENDED | 1u << SHUT) },
	{ "listeners", listeners, ALL_STATES },
	{ "shutting", shutting, ALL_STATES & ~(1u << SHUT) },
	{ "recv_flags", recv_flags, ALL_STATES & ~(1u << BOUND) },
	{ "send_flags", send_flags, ALL_STATES & ~(1u << BOUND) },
	{ "send_messages", send_messages, ALL_STATES & ~(1u << BOUND | 1u << ENDED) },
	{ "recv_messages", recv_messages, ALL_STATES },
	{ "timeouts", timeouts, ALL_STATES },
	{ "numbers", numbers, ALL_STATES },
	{ "own_table", own_table, 1u << CONNECTED },
	{ NULL, NULL, 0 },
};
