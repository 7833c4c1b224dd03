/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * threads.c - many threads, each with a connection of its own to an echo server: how much they do together, and how
 * evenly.
 *
 *     threads ADDRESS PORT THREADS SECONDS BYTES [recv|poll|select|epoll]
 *
 * Each thread sends BYTES and waits until they have come back, again and again: in recv(), or in the call that is named,
 * with a socket that never blocks.  Prints
 *
 *     threads N rounds/s R least L most M cpu U us
 *
 * where L and M are the rounds of the slowest and of the fastest thread, and U is the processor time of a round, of
 * this process alone.  It goes on for longer, up to a limit, until each
 * thread has had a round; fails when one has none, or a call fails.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 1000
#define BYTES_MAX 65536
#define PATIENCE_SECONDS 20
#define STACK_BYTES (256 * 1024)

static struct sockaddr_in server = { .sin_family = AF_INET };
static size_t bytes;
static pthread_barrier_t ready;
static _Atomic bool is_over;
static enum { RECV, POLL, SELECT, EPOLL } how;
static _Atomic unsigned long rounds[THREADS_MAX];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* Until the socket is ready; ep: a set of it alone. */
static void wait_for(int fd, int ep, bool is_to_send)
{
	struct pollfd p = { .fd = fd, .events = is_to_send ? POLLOUT : POLLIN };
	struct epoll_event ev = { .events = is_to_send ? EPOLLOUT : EPOLLIN };
	fd_set set;

	if (how == RECV)
		return;
	FD_ZERO(&set);
	if (how == SELECT)
		FD_SET(fd, &set);
	if ((how == POLL && poll(&p, 1, -1) != 1) ||
	    (how == SELECT && select(fd + 1, is_to_send ? NULL : &set, is_to_send ? &set : NULL, NULL, NULL) != 1) ||
	    (how == EPOLL && (epoll_ctl(ep, EPOLL_CTL_MOD, fd, &ev) || epoll_wait(ep, &ev, 1, -1) != 1)))
		die("wait");
}

static void do_round(int fd, int ep, char *buf)
{
	size_t n = 0;
	ssize_t r;

	for (; n < bytes; n += (size_t)(r < 0 ? 0 : r)) {
		wait_for(fd, ep, true);
		r = send(fd, buf + n, bytes - n, 0);
		if (!r || (r < 0 && errno != EAGAIN))
			die("send");
	}
	for (n = 0; n < bytes; n += (size_t)(r < 0 ? 0 : r)) {
		wait_for(fd, ep, false);
		r = recv(fd, buf, bytes - n, 0);
		if (!r || (r < 0 && errno != EAGAIN))
			die("recv");
	}
}

static void *run(void *arg)
{
	_Atomic unsigned long *mine = arg;
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1, ep = epoll_create1(0);
	struct epoll_event ev = { .events = 0 };
	char *buf = calloc(1, bytes);

	if (fd < 0 || !buf || connect(fd, (struct sockaddr *)&server, sizeof(server)) < 0)
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (how != RECV && fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		die("fcntl");
	if (how == EPOLL && epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) < 0)
		die("epoll_ctl");
	do_round(fd, ep, buf);
	pthread_barrier_wait(&ready);
	while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
		do_round(fd, ep, buf);
		++*mine;
	}
	close(fd);
	close(ep);
	free(buf);
	return NULL;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static bool have_all(unsigned n)
{
	unsigned i;

	for (i = 0; i < n && rounds[i]; i++)
		;
	return i == n;
}

static double cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static int report(unsigned n, double seconds, double cpu)
{
	unsigned long sum = 0, least = rounds[0], most = 0;
	unsigned i;

	for (i = 0; i < n; i++) {
		sum += rounds[i];
		least = rounds[i] < least ? rounds[i] : least;
		most = rounds[i] > most ? rounds[i] : most;
	}
	printf("threads %u rounds/s %.0f least %lu most %lu cpu %.1f us\n", n, (double)sum / seconds, least, most,
	       cpu / (double)(sum ? sum : 1));
	return !least;
}

static bool read_how(const char *word)
{
	static const char *const words[] = { "recv", "poll", "select", "epoll" };
	unsigned i;

	for (i = 0; i < 4 && strcmp(word, words[i]); i++)
		;
	how = i;
	return i < 4;
}

int main(int argc, char **argv)
{
	unsigned n = argc == 6 || (argc == 7 && read_how(argv[6])) ? (unsigned)atoi(argv[3]) : 0, i;
	static pthread_t threads[THREADS_MAX];
	pthread_attr_t attr;
	double begin, end, cpu;

	bytes = n ? (size_t)atoi(argv[5]) : 0;
	if (!n || n > THREADS_MAX || !bytes || bytes > BYTES_MAX || inet_pton(AF_INET, argv[1], &server.sin_addr) != 1) {
		fprintf(stderr, "usage: threads ADDRESS PORT THREADS SECONDS BYTES [recv|poll|select|epoll]\n");
		return 2;
	}
	server.sin_port = htons((uint16_t)atoi(argv[2]));
	pthread_barrier_init(&ready, NULL, n + 1);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	for (i = 0; i < n; i++)
		if (pthread_create(&threads[i], &attr, run, &rounds[i]))
			die("pthread_create");
	pthread_barrier_wait(&ready);
	begin = now();
	cpu = cpu_us();
	end = begin + atof(argv[4]);
	while (now() < end || (!have_all(n) && now() < end + PATIENCE_SECONDS))
		usleep(10000);
	atomic_store(&is_over, true);
	begin = now() - begin;
	cpu = cpu_us() - cpu;
	for (i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	return report(n, begin, cpu);
}
