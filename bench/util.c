/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * util.c - what the programs that measure share.
 */
#include "bench/util.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

void die(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
	exit(1);
}

double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

struct sockaddr_in address_of(const char *addr, const char *port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };

	if (inet_pton(AF_INET, addr, &sa.sin_addr) != 1)
		die(addr);
	return sa;
}

int listen_at(const char *addr, const char *port)
{
	struct sockaddr_in sa = address_of(addr, port);
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 65535) < 0)
		die("listen");
	return fd;
}

int accept_one(int listener)
{
	int conn;

	puts("ready");
	fflush(stdout);
	conn = accept(listener, NULL, NULL);
	if (conn < 0)
		die("accept");
	close(listener);
	return conn;
}

int connect_to(const struct sockaddr_in *to)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0 ||
	    connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0)
		die("connect");
	return fd;
}

int send_all(int fd, const void *buf, size_t len)
{
	ssize_t n;

	for (size_t i = 0; i < len; i += (size_t)n) {
		n = send(fd, (const char *)buf + i, len - i, MSG_NOSIGNAL);
		if (n < 0)
			return -1;
	}
	return 0;
}

int recv_all(int fd, void *buf, size_t len)
{
	ssize_t n;

	for (size_t i = 0; i < len; i += (size_t)n) {
		n = recv(fd, (char *)buf + i, len - i, 0);
		if (n == 0)
			errno = 0;
		if (n <= 0)
			return -1;
	}
	return 0;
}

void pin_thread(const char *cpu)
{
	cpu_set_t set;

	if (!cpu)
		return;
	CPU_ZERO(&set);
	CPU_SET((size_t)atoi(cpu), &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		die("sched_setaffinity");
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

uint32_t quantile(uint32_t *v, size_t n, double q)
{
	qsort(v, n, sizeof(*v), by_value);
	return v[(size_t)((double)(n - 1) * q)];
}
