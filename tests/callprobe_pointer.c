/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * callprobe_pointer.c - pointers that lead nowhere: every call says EFAULT where Linux does, and the socket still works.
 * Where: at the very start of memory, at its end, in the kernel's, and in a page that may not be touched.  (Libc
 * itself looks at the time-outs of select(), pselect() and ppoll(), but for syscall().)
 */
#include "callprobe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static char buf[65536];
static void *bad;

static void *no_page(void)
{
	void *p = mmap(NULL, 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		exit(1);
	return p;
}

static int open_at(enum state st)
{
	signal(SIGPIPE, SIG_IGN);
	return probe_open(st);
}

static void still_works(int fd)
{
	TRY(recv(fd, buf, 2, MSG_DONTWAIT));
	TRY(send(fd, buf, 1, MSG_DONTWAIT | MSG_NOSIGNAL));
}

static void try_data(int fd)
{
	struct iovec iov = { bad, 10 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 }, mv = { .msg_iov = bad, .msg_iovlen = 1 };
	struct mmsghdr v[2];

	memset(v, 0, sizeof(v));
	v[0].msg_hdr.msg_iov = &(struct iovec){ buf, 1 };
	v[0].msg_hdr.msg_iovlen = 1;
	v[1].msg_hdr = m;
	TRY(fcntl(fd, F_SETFL, O_NONBLOCK));
	TRY(recv(fd, bad, 10, 0));
	TRY(recv(fd, bad, 0, 0));
	TRY(read(fd, bad, 10));
	TRY(readv(fd, bad, 1));
	TRY(readv(fd, &iov, 1));
	TRY(recvmsg(fd, bad, 0));
	TRY(recvmsg(fd, &m, 0));
	TRY(recvmsg(fd, &mv, 0));
	TRY(recvmmsg(fd, bad, 1, 0, NULL));
	TRY(recvmmsg(fd, v, 1, 0, bad));
	TRY(send(fd, bad, 10, MSG_NOSIGNAL));
	TRY(send(fd, bad, 0, MSG_NOSIGNAL));
	TRY(write(fd, bad, 10));
	TRY(writev(fd, bad, 1));
	TRY(writev(fd, &iov, 1));
	TRY(sendto(fd, buf, 1, MSG_NOSIGNAL, bad, probe_addr_len));
	TRY(sendmsg(fd, bad, MSG_NOSIGNAL));
	TRY(sendmsg(fd, &m, MSG_NOSIGNAL));
	TRY(sendmsg(fd, &mv, MSG_NOSIGNAL));
	TRY(sendmmsg(fd, bad, 1, MSG_NOSIGNAL));
	TRY(sendmmsg(fd, v, 2, MSG_NOSIGNAL));
	TRY(send(fd, buf, 1, MSG_NOSIGNAL));
}

static void try_names(int fd)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);

	TRY(getsockname(fd, bad, &len));
	TRY(getsockname(fd, (struct sockaddr *)&a, bad));
	TRY(getpeername(fd, bad, &len));
	TRY(getpeername(fd, (struct sockaddr *)&a, bad));
	TRY(bind(fd, bad, probe_addr_len));
	TRY(bind(fd, bad, 0));
	TRY(connect(fd, bad, probe_addr_len));
	TRY(recvfrom(fd, buf, 1, MSG_DONTWAIT, bad, &len));
	len = sizeof(a);
	TRY(recvfrom(fd, buf, 1, MSG_DONTWAIT, (struct sockaddr *)&a, bad));
	still_works(fd);
}

static void try_options(int fd)
{
	static const struct { int level, name; } opts[] = {
		{ SOL_SOCKET, SO_KEEPALIVE }, { SOL_SOCKET, SO_RCVTIMEO }, { SOL_SOCKET, SO_TYPE }, { SOL_SOCKET, SO_LINGER },
		{ SOL_SOCKET, SO_BINDTODEVICE }, { SOL_SOCKET, SO_ERROR }, { SOL_SOCKET, SO_PEERNAME }, { SOL_SOCKET, SO_RCVLOWAT },
		{ IPPROTO_TCP, TCP_NODELAY }, { IPPROTO_TCP, TCP_CONGESTION }, { IPPROTO_TCP, TCP_INFO },
		{ IPPROTO_TCP, TCP_FASTOPEN_KEY }, { IPPROTO_IP, IP_TTL }, { IPPROTO_IP, IP_OPTIONS },
		{ IPPROTO_IPV6, IPV6_V6ONLY }, { IPPROTO_IPV6, IPV6_TCLASS },
	};
	socklen_t len;
	size_t i;

	for (i = 0; i < sizeof(opts) / sizeof(*opts); i++) {
		TRY_MORE(setsockopt(fd, opts[i].level, opts[i].name, bad, 16), "%d %d", opts[i].level, opts[i].name);
		len = 16;
		TRY_MORE(getsockopt(fd, opts[i].level, opts[i].name, bad, &len), "%d %d", opts[i].level, opts[i].name);
		TRY_MORE(getsockopt(fd, opts[i].level, opts[i].name, buf, bad), "%d %d", opts[i].level, opts[i].name);
	}
	still_works(fd);
}

static void try_waits(int fd)
{
	const struct { const void *set; size_t bytes; } mask = { bad, 8 };
	struct pollfd p = { .fd = fd, .events = POLLIN };
	fd_set in;

	FD_ZERO(&in);
	FD_SET(fd, &in);
#ifdef SYS_select
	TRY(syscall(SYS_select, fd + 1, &in, NULL, NULL, bad));
#endif
	TRY(syscall(SYS_pselect6, fd + 1, &in, NULL, NULL, bad, NULL));
	TRY(syscall(SYS_pselect6, fd + 1, &in, NULL, NULL, NULL, bad));
	TRY(syscall(SYS_pselect6, fd + 1, &in, NULL, NULL, NULL, &mask));
	TRY(syscall(SYS_ppoll, &p, 1, bad, NULL, 8));
	TRY(syscall(SYS_ppoll, &p, 1, NULL, bad, 8));
}

static void try_files(int fd)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = epoll_create1(0);
	fd_set in;

	FD_ZERO(&in);
	FD_SET(fd, &in);
	TRY(ioctl(fd, FIONREAD, bad));
	TRY(ioctl(fd, SIOCOUTQ, bad));
	TRY(ioctl(fd, SIOCATMARK, bad));
	TRY(ioctl(fd, FIONBIO, bad));
	TRY(ioctl(fd, FIOASYNC, bad));
	TRY(ioctl(fd, SIOCSPGRP, bad));
	TRY(ioctl(fd, SIOCGIFCONF, bad));
	TRY(ioctl(fd, SIOCGIFADDR, bad));
	TRY(fcntl(fd, F_SETOWN_EX, bad));
	TRY(fcntl(fd, F_GETOWN_EX, bad));
	TRY(fcntl(fd, F_SETLK, bad));
	TRY(poll(bad, 1, 0));
	TRY(select(fd + 1, &in, bad, NULL, &(struct timeval){ 0, 0 }));
	TRY(select(fd + 1, bad, NULL, NULL, &(struct timeval){ 0, 0 }));
	TRY(pselect(fd + 1, &in, NULL, NULL, &(struct timespec){ 0, 0 }, bad));
	TRY(epoll_ctl(ep, EPOLL_CTL_ADD, fd, bad));
	TRY(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
	TRY(epoll_ctl(ep, EPOLL_CTL_MOD, fd, bad));
	TRY(epoll_pwait2(ep, &ev, 1, bad, NULL));
	TRY(epoll_pwait(ep, &ev, 1, 0, bad));
	TRY(sendfile(fd, ep, bad, 10));
	try_waits(fd);
	still_works(fd);
}

/* What is there is taken, although where it came from can't be said. */
static void try_accept(int fd)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);

	TRY(fcntl(fd, F_SETFL, O_NONBLOCK));
	TRY(accept(fd, bad, &len));
	TRY(accept(fd, (struct sockaddr *)&a, bad));
	TRY(accept(fd, NULL, bad));
	still_works(fd);
}

#define AT(name, where)                                                     \
	static void name##_data(enum state st) { bad = where; try_data(open_at(st)); } \
	static void name##_names(enum state st) { bad = where; try_names(open_at(st)); } \
	static void name##_options(enum state st) { bad = where; try_options(open_at(st)); } \
	static void name##_files(enum state st) { bad = where; try_files(open_at(st)); } \
	static void name##_accept(enum state st) { bad = where; try_accept(open_at(st)); }

AT(low, (void *)3)
AT(high, (void *)-1)
AT(top, (void *)0xffff800000000000)
AT(page, no_page())

#define CASES(name)                                                         \
	{ #name "_data", name##_data, ALL_STATES }, { #name "_names", name##_names, ALL_STATES }, \
	{ #name "_options", name##_options, 1u << FRESH | 1u << CONNECTED }, \
	{ #name "_files", name##_files, ALL_STATES }, { #name "_accept", name##_accept, 1u << FRESH | 1u << LISTENING }

const struct probe_case probe_pointer_cases[] = {
	CASES(low), CASES(high), CASES(top), CASES(page), { NULL, NULL, 0 },
};
