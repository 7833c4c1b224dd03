/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flows.c - connections that carry data both ways, and how many bytes arrive in each tenth of a second.
 *
 *     flows serve PORT                       takes connections, by epoll
 *     flows run ADDRESS PORT UP DOWN RATE    makes UP connections that send, and DOWN that receive, RATE
 *                                            bytes a second each; 0: all that goes
 *
 * A connection's first eight bytes say which way it goes and at what rate.  Who receives prints, for each
 * tenth of a second, the time (CLOCK_MONOTONIC, seconds) and the bytes.  Until it is killed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/util.h"

#define FLOWS_MAX 256
#define TICK 0.002          /* seconds between a paced connection's sends */
#define CHUNK 65536

struct flow {
	int fd;
	bool sends;
	uint8_t head[8], nhead;  /* which way (1: to the server), its rate in the last four bytes */
	double rate, sent;
};

static struct flow flows[FLOWS_MAX];
static unsigned nflows;
static uint64_t got;
static double begin;

static void watch(int ep, struct flow *f)
{
	struct epoll_event ev = { .events = f->sends && f->rate == 0 ? EPOLLOUT : EPOLLIN, .data.ptr = f };

	if (epoll_ctl(ep, EPOLL_CTL_MOD, f->fd, &ev) < 0 && epoll_ctl(ep, EPOLL_CTL_ADD, f->fd, &ev) < 0)
		die("epoll_ctl");
}

static struct flow *add(int fd)
{
	struct flow *f = &flows[nflows];
	int one = 1;

	if (nflows == FLOWS_MAX)
		die("too many connections");
	nflows++;
	f->fd = fd;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5);
	return f;
}

static void take_head(int ep, struct flow *f)
{
	ssize_t n = recv(f->fd, f->head + f->nhead, sizeof(f->head) - f->nhead, MSG_DONTWAIT);
	uint32_t rate;

	if (n <= 0)
		return;
	f->nhead += (uint8_t)n;
	if (f->nhead < sizeof(f->head))
		return;
	memcpy(&rate, f->head + 4, 4);
	f->sends = !f->head[0];
	f->rate = ntohl(rate);
	f->sent = (seconds() - begin) * f->rate;
	watch(ep, f);
}

static void receive(struct flow *f)
{
	static char buf[4 * CHUNK];
	ssize_t n = recv(f->fd, buf, sizeof(buf), MSG_DONTWAIT);

	if (n > 0)
		got += (uint64_t)n;
	else if (n == 0 || errno != EAGAIN)
		die("a connection has ended");
}

static void transmit(struct flow *f, size_t len)
{
	static char buf[CHUNK];
	ssize_t n = send(f->fd, buf, len < CHUNK ? len : CHUNK, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n > 0)
		f->sent += (double)n;
	else if (n < 0 && errno != EAGAIN)
		die("send");
}

/* What is due by now of those that are paced.  What couldn't go is made up for, half a second's worth. */
static void tick(double now)
{
	for (unsigned i = 0; i < nflows; i++) {
		struct flow *f = &flows[i];
		double due = (now - begin) * f->rate - f->sent;

		if (!f->sends || due < 1)
			continue;
		if (due > f->rate / 2) {
			f->sent += due - f->rate / 2;
			due = f->rate / 2;
		}
		transmit(f, (size_t)due);
	}
}

static void report(double now)
{
	printf("%.3f %llu\n", now, (unsigned long long)got);
	fflush(stdout);
	got = 0;
}

static void loop(int ep, int listener)
{
	struct epoll_event ev[64];
	double next = seconds() + .1, next_tick = 0, now;

	for (;;) {
		int n = epoll_wait(ep, ev, 64, (int)(TICK * 1000));

		for (int i = 0; i < n; i++) {
			struct flow *f = ev[i].data.ptr;

			if (!f)
				watch(ep, add(accept(listener, NULL, NULL)));
			else if (f->nhead < sizeof(f->head))
				take_head(ep, f);
			else if (f->sends)
				transmit(f, CHUNK);
			else
				receive(f);
		}
		now = seconds();
		if (now >= next_tick) {
			tick(now);
			next_tick = now + TICK;
		}
		if (now >= next) {
			report(now);
			next += .1;
		}
	}
}

static void serve(int ep, const char *port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
	struct epoll_event ev = { .events = EPOLLIN };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 4096) < 0 ||
	    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) < 0)
		die("listen");
	loop(ep, fd);
}

static void run(int ep, char **argv)
{
	struct sockaddr_in sa = address_of(argv[0], argv[1]);
	int up = atoi(argv[2]), all = up + atoi(argv[3]);
	uint32_t rate = htonl((uint32_t)atoi(argv[4]));

	for (int i = 0; i < all; i++) {
		struct flow *f = add(socket(AF_INET, SOCK_STREAM, 0));

		f->sends = i < up;
		f->rate = ntohl(rate);
		f->head[0] = f->sends;
		f->nhead = sizeof(f->head);
		memcpy(f->head + 4, &rate, 4);
		f->sent = (seconds() - begin) * f->rate;
		if (connect(f->fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
		    send(f->fd, f->head, sizeof(f->head), 0) != sizeof(f->head))
			die("connect");
		watch(ep, f);
	}
	loop(ep, -1);
}

int main(int argc, char **argv)
{
	int ep = epoll_create1(EPOLL_CLOEXEC);

	begin = seconds();
	if (argc == 3 && !strcmp(argv[1], "serve"))
		serve(ep, argv[2]);
	if (argc == 7 && !strcmp(argv[1], "run"))
		run(ep, argv + 2);
	fprintf(stderr, "usage: flows serve PORT | flows run ADDRESS PORT UP DOWN RATE\n");
	return 2;
}
