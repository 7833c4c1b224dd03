/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * latency.c - ping-pong over one connection, one message under way at a time.
 *
 *     latency serve block|epoll ADDRESS PORT BYTES [CPU]
 *     latency run block|epoll ADDRESS PORT BYTES SECONDS [CPU]
 *
 * block: recv() waits; epoll: the socket doesn't block and epoll_wait() waits.  CPU binds the thread that
 * makes these calls, once the connection is there; a thread that a library has made goes where it likes.
 * run prints the time of a round trip in us: the median and the 99th part of a hundred.  serve says "ready",
 * and serves one connection.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/util.h"

#define BYTES_MAX 65536
#define SAMPLES_MAX 4000000

struct conn {
	int fd, ep;            /* ep: -1 if calls block */
	size_t len;
	char buf[BYTES_MAX];
};

static void use(struct conn *c, const char *how, const char *cpu)
{
	struct epoll_event ev = { .events = EPOLLIN };

	c->ep = -1;
	if (!strcmp(how, "epoll")) {
		c->ep = epoll_create1(EPOLL_CLOEXEC);
		if (c->ep < 0 || fcntl(c->fd, F_SETFL, O_NONBLOCK) < 0 || epoll_ctl(c->ep, EPOLL_CTL_ADD, c->fd, &ev) < 0)
			die("epoll");
	}
	pin_thread(cpu);
}

/* One message; false: the peer has ended. */
static bool take(struct conn *c)
{
	struct epoll_event ev;
	ssize_t n;

	for (size_t i = 0; i < c->len; i += n > 0 ? (size_t)n : 0) {
		if (c->ep >= 0 && epoll_wait(c->ep, &ev, 1, -1) < 0)
			die("epoll_wait");
		n = recv(c->fd, c->buf + i, c->len - i, 0);
		if (n == 0)
			return false;
		if (n < 0 && errno != EAGAIN)
			die("recv");
	}
	return true;
}

static void give(struct conn *c)
{
	if (send_all(c->fd, c->buf, c->len))
		die("send");
}

static void serve(struct conn *c, const char *how, const char *addr, const char *port, const char *cpu)
{
	int fd = listen_at(addr, port), one = 1;

	puts("ready");
	fflush(stdout);
	c->fd = accept(fd, NULL, NULL);
	if (c->fd < 0 || setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0)
		die("accept");
	use(c, how, cpu);
	while (take(c))
		give(c);
}

/* The first tenth warms up and doesn't count. */
static void run(struct conn *c, double limit)
{
	static uint32_t ns[SAMPLES_MAX];
	double begin = seconds(), now = begin, then;
	size_t n = 0;
	uint32_t median;

	while (now - begin < limit && n < SAMPLES_MAX) {
		then = now;
		give(c);
		if (!take(c))
			die("the server has ended");
		now = seconds();
		if (now - begin > limit / 10)
			ns[n++] = (uint32_t)((now - then) * 1e9);
	}
	if (!n)
		die("no round trip");
	median = quantile(ns, n, .5);
	printf("%.2f %.2f\n", median / 1e3, quantile(ns, n, .99) / 1e3);
}

int main(int argc, char **argv)
{
	static struct conn c;
	struct sockaddr_in sa;

	if (argc >= 6)
		c.len = (size_t)atoi(argv[5]);
	if (!c.len || c.len > BYTES_MAX) {
		fprintf(stderr, "usage: latency serve block|epoll ADDRESS PORT BYTES [CPU]\n"
		                "       latency run block|epoll ADDRESS PORT BYTES SECONDS [CPU]\n");
		return 2;
	}
	if (!strcmp(argv[1], "serve")) {
		serve(&c, argv[2], argv[3], argv[4], argv[6]);
	} else {
		sa = address_of(argv[3], argv[4]);
		c.fd = connect_to(&sa);
		use(&c, argv[2], argc > 7 ? argv[7] : NULL);
		run(&c, argc > 6 ? atof(argv[6]) : 1);
	}
	return 0;
}
