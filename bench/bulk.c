/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bulk.c - one connection that carries all that goes, by blocking calls of 128 KB.
 *
 *     bulk send|recv connect|listen ADDRESS PORT SECONDS
 *
 * Who receives decides: SECONDS after the first byte it closes, and prints what came and for how long the
 * whole machine's CPUs were busy meanwhile (/proc/stat), as acknowledgments run the peer's TCP, too:
 *
 *     bytes N seconds S busy S
 *
 * Who sends does so until then.  A listener says "ready" first and takes one connection.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/util.h"

#define CHUNK (128 << 10)

static char buf[CHUNK];

/* Seconds that all CPUs were busy, since boot: all but idle, iowait and what another machine took. */
static double busy(void)
{
	unsigned long long user, nice, system, idle, iowait, irq, softirq;
	FILE *f = fopen("/proc/stat", "re");

	if (!f || fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &system, &idle, &iowait, &irq,
	                 &softirq) != 7)
		die("/proc/stat");
	fclose(f);
	return (double)(user + nice + system + irq + softirq) / (double)sysconf(_SC_CLK_TCK);
}

static int open_socket(const char *how, const char *addr, const char *port)
{
	struct sockaddr_in sa = address_of(addr, port);

	if (!strcmp(how, "connect"))
		return connect_to(&sa);
	return accept_one(listen_at(addr, port));
}

static void transmit(int fd)
{
	while (send_all(fd, buf, sizeof(buf)) == 0)
		;
	if (errno != EPIPE && errno != ECONNRESET)
		die("send");
}

static void receive(int fd, double limit)
{
	unsigned long long total = 0;
	double begin, now, busy_before;
	ssize_t n = recv(fd, buf, 1, 0);

	begin = now = seconds();
	busy_before = busy();
	while (n > 0 && now - begin < limit) {
		total += (unsigned long long)n;
		n = recv(fd, buf, sizeof(buf), 0);
		now = seconds();
	}
	if (n <= 0)
		die("the sender has ended");
	printf("bytes %llu seconds %.4f busy %.2f\n", total, now - begin, busy() - busy_before);
}

int main(int argc, char **argv)
{
	double limit = argc == 6 ? atof(argv[5]) : 0;
	int fd;

	if (limit <= 0) {
		fprintf(stderr, "usage: bulk send|recv connect|listen ADDRESS PORT SECONDS\n");
		return 2;
	}
	fd = open_socket(argv[2], argv[3], argv[4]);
	if (!strcmp(argv[1], "send"))
		transmit(fd);
	else
		receive(fd, limit);
	close(fd);
	return 0;
}
