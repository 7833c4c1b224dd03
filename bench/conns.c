/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conns.c - many connections, short ones and idle ones, by blocking calls of one thread.
 *
 *     conns serve block|epoll|keep ADDRESS PORT [N]
 *     conns connect ADDRESS PORT SECONDS          prints connections a second
 *     conns scale ADDRESS PORT SECONDS FEW MANY   prints the median time of one with MANY others open over that with FEW
 *     conns ports ADDRESS PORT N                  prints the cost of connect() with N ports taken over that with none
 *     conns hold ADDRESS PORT                     reads numbers, opens so many more and says "ready"
 *
 * A short connection is connect(), a request of 64 bytes, the answer of as many, the server's end, close().
 * serve says "ready".  It takes one connection after the other (block), or all at once by epoll, or only accepts
 * and keeps them (keep, nothing is watched), and says "kept N" when N are open.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/util.h"

#define MESSAGE 64
#define CONNECTS 400           /* whose times make a median */
#define EXCHANGES_MAX 1000000
#define EVENTS 256

static char buf[MESSAGE];

static bool is(const char *a, const char *b)
{
	return !strcmp(a, b);
}

static void say(const char *word)
{
	puts(word);
	fflush(stdout);
}

/* ---- the server ---- */

/* The request and the answer to it; false if the peer closed or has nothing more to say. */
static void answer(int fd)
{
	if (recv_all(fd, buf, sizeof(buf)) == 0)
		send_all(fd, buf, sizeof(buf));
	close(fd);
}

static int take(int listener)
{
	int fd = accept(listener, NULL, NULL);

	if (fd < 0)
		die("accept");
	return fd;
}

static void watch(int ep, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) < 0)
		die("epoll_ctl");
}

static void serve_epoll(int listener, int wanted)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), open = 0, n;
	struct epoll_event ev[EVENTS];

	watch(ep, listener);
	for (;;) {
		n = epoll_wait(ep, ev, EVENTS, -1);
		for (int i = 0; i < n; i++) {
			if (ev[i].data.fd != listener) {
				answer(ev[i].data.fd);
				open--;
				continue;
			}
			watch(ep, take(listener));
			if (++open == wanted)
				printf("kept %d\n", wanted);
		}
		fflush(stdout);
	}
}

static void serve(const char *how, const char *addr, const char *port, int wanted)
{
	int listener = listen_at(addr, port);

	say("ready");
	if (is(how, "epoll"))
		serve_epoll(listener, wanted);
	for (int open = 1;; open++) {
		int fd = take(listener);

		if (is(how, "block"))
			answer(fd);
		else if (open == wanted)
			printf("kept %d\n", wanted);
		fflush(stdout);
	}
}

/* ---- the client ---- */

static void exchange(const struct sockaddr_in *to)
{
	int fd = connect_to(to);

	if (send_all(fd, buf, sizeof(buf)) || recv_all(fd, buf, sizeof(buf)))
		die("no answer");
	if (recv(fd, buf, 1, 0) != 0)
		die("no end");
	close(fd);
}

/* Connections a second, one after the other. */
static double rate(const struct sockaddr_in *to, double limit)
{
	double begin = seconds(), now;
	unsigned n = 0;

	do {
		exchange(to);
		n++;
		now = seconds();
	} while (now - begin < limit);
	return n / (now - begin);
}

/* A connection that ends with a reset, so that its port is free again at once. */
static void end_hard(int fd)
{
	struct linger l = { .l_onoff = 1 };

	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)) < 0)
		die("SO_LINGER");
}

static void hold(const struct sockaddr_in *to, int n)
{
	while (n-- > 0)
		end_hard(connect_to(to));
}

/* The median time of a short connection, in ns. */
static uint32_t exchange_ns(const struct sockaddr_in *to, double limit)
{
	static uint32_t ns[EXCHANGES_MAX];
	double begin = seconds(), then, now = begin;
	size_t n = 0;

	while (now - begin < limit && n < EXCHANGES_MAX) {
		then = now;
		exchange(to);
		now = seconds();
		ns[n++] = (uint32_t)((now - then) * 1e9);
	}
	return quantile(ns, n, .5);
}

static void scale(const struct sockaddr_in *to, double limit, int few, int many)
{
	uint32_t first;

	hold(to, few);
	first = exchange_ns(to, limit / 2);
	hold(to, many - few);
	printf("%.4f\n", (double)exchange_ns(to, limit / 2) / first);
}

/* The median time of connect() alone, in ns. */
static uint32_t connect_ns(const struct sockaddr_in *to)
{
	uint32_t ns[CONNECTS];

	for (int i = 0; i < CONNECTS; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		double begin = seconds();

		if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0)
			die("connect");
		ns[i] = (uint32_t)((seconds() - begin) * 1e9);
		end_hard(fd);
		close(fd);
	}
	return quantile(ns, CONNECTS, .5);
}

static void ports(const struct sockaddr_in *to, int n)
{
	uint32_t none = connect_ns(to);

	hold(to, n);
	printf("%.4f\n", (double)connect_ns(to) / none);
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";
	struct sockaddr_in to;
	int n;

	if (is(verb, "serve") && (argc == 5 || argc == 6))
		serve(argv[2], argv[3], argv[4], argc == 6 ? atoi(argv[5]) : 0);
	if (argc < 4) {
		fprintf(stderr, "usage: conns serve|connect|scale|ports|hold ... (bench/conns.c)\n");
		return 2;
	}
	to = address_of(argv[2], argv[3]);
	if (is(verb, "connect") && argc == 5)
		printf("%.1f\n", rate(&to, atof(argv[4])));
	else if (is(verb, "scale") && argc == 7)
		scale(&to, atof(argv[4]), atoi(argv[5]), atoi(argv[6]));
	else if (is(verb, "ports") && argc == 5)
		ports(&to, atoi(argv[4]));
	else if (is(verb, "hold"))
		while (scanf("%d", &n) == 1) {
			hold(&to, n);
			say("ready");
		}
	else
		return 2;
	return 0;
}
