/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stress_peer.c - the other side of the stress, over the kernel: an echo server, one that reads, one that writes,
 * and clients of the listeners under test.  A thread a connection; none lasts.
 */
#include "stress.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define STACK_BYTES (128 * 1024)
#define BUF_BYTES 16384
#define IDLE_SECONDS 10
#define ECHO_SECONDS 100          /* longer than a thread may be in a call: who waits in vain is told, not ended */
#define STREAM_BYTES 100000
#define WINDOW_BYTES 20000
#define CALLERS 2

static struct sockaddr_in them;
static pthread_attr_t attr;

static void be_random(void)
{
	stress_rng = (uint64_t)time(NULL) * 1000003 + (uint64_t)gettid();
}

static void set_limits(int fd, int seconds)
{
	struct timeval tv = { seconds, 0 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

static bool send_all(int fd, const char *buf, size_t len)
{
	ssize_t n;

	for (; len; buf += n, len -= (size_t)n) {
		n = send(fd, buf, len, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
	}
	return true;
}

/* ---- servers ---- */

struct server {
	int fd;
	unsigned kind;
};

static void *serve(void *arg)
{
	struct server s = *(struct server *)arg;
	struct linger reset = { 1, 0 };
	char buf[BUF_BYTES] = "";
	ssize_t n;

	free(arg);
	be_random();
	set_limits(s.fd, s.kind == PEER_ECHO ? ECHO_SECONDS : IDLE_SECONDS);
	if (s.kind == PEER_SOURCE)
		send_all(s.fd, buf, stress_rnd(BUF_BYTES));
	else
		while ((n = recv(s.fd, buf, sizeof(buf), 0)) > 0)
			if (s.kind == PEER_ECHO ? !send_all(s.fd, buf, (size_t)n) : !stress_rnd(100))
				break;
	if (s.kind != PEER_ECHO && !stress_rnd(3))
		setsockopt(s.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(s.fd);
	return NULL;
}

static void *accept_all(void *arg)
{
	struct server *l = arg, *s;
	pthread_t t;
	int fd;

	for (;;) {
		fd = accept(l->fd, NULL, NULL);
		if (fd < 0)
			continue;
		s = malloc(sizeof(*s));
		if (!s)
			abort();
		*s = (struct server){ fd, l->kind };
		if (pthread_create(&t, &attr, serve, s)) {
			close(fd);
			free(s);
		}
	}
	return NULL;
}

static bool start_server(int port, unsigned kind)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)(port + (int)kind)) };
	struct server *l = malloc(sizeof(*l));
	int one = 1;
	pthread_t t;

	if (!l)
		return false;
	l->kind = kind;
	l->fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(l->fd, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(l->fd, 500) == 0)
		return pthread_create(&t, &attr, accept_all, l) == 0;
	perror("stress: peer");
	return false;
}

/* ---- clients ---- */

static int call_them(unsigned port)
{
	struct sockaddr_in a = them;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_port = htons((uint16_t)(ntohs(them.sin_port) + port));
	set_limits(fd, 2);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* To listeners that anyone may close. */
static void *bother(void *arg)
{
	char buf[BUF_BYTES] = "";
	int fd;

	(void)arg;
	be_random();
	for (;;) {
		usleep(3000 + stress_rnd(20000));
		fd = call_them(stress_rnd(LISTEN_CHAOS));
		if (fd < 0)
			continue;
		send_all(fd, buf, stress_rnd(BUF_BYTES));
		set_limits(fd, 1);
		if (stress_rnd(2) && recv(fd, buf, sizeof(buf), 0) < 0)
			usleep(1000);
		close(fd);
	}
	return NULL;
}

static bool send_some(int fd, uint64_t key, uint64_t *sent, uint64_t total)
{
	char buf[BUF_BYTES];
	size_t len = 1 + stress_rnd(BUF_BYTES - 1), i;

	if (len > total - *sent)
		len = total - *sent;
	for (i = 0; i < len; i++)
		buf[i] = (char)stress_byte(key, *sent + i);
	*sent += len;
	return send_all(fd, buf, len);
}

/* A stream to the server that echoes it: what went wrong, NULL: nothing. */
static const char *check_server(int fd, uint64_t *got)
{
	uint64_t key = stress_rnd(256), total = 1 + stress_rnd(STREAM_BYTES), sent = 0;
	char buf[BUF_BYTES];
	ssize_t n, i;

	while (*got < total) {
		while (sent < total && sent - *got < WINDOW_BYTES)
			if (!send_some(fd, key, &sent, total))
				return "send";
		n = recv(fd, buf, sizeof(buf), 0);
		if (n <= 0)
			return n ? "recv" : "an early end";
		for (i = 0; i < n; i++)
			if ((unsigned char)buf[i] != stress_byte(key, *got + (uint64_t)i))
				return "a wrong byte";
		*got += (uint64_t)n;
	}
	if (shutdown(fd, SHUT_WR) < 0 || recv(fd, buf, 1, 0) != 0)
		return "the end";
	return NULL;
}

/* Errors are told, not judged: when the run ends, so do its connections. */
static void call_server(void)
{
	uint64_t got = 0;
	const char *wrong;
	int fd = call_them(LISTEN_OWN);

	if (fd < 0)
		return;
	set_limits(fd, 60);
	wrong = check_server(fd, &got);
	if (wrong) {
		printf("%s after %lu bytes: %s\n", wrong, got, strerror(errno));
		fflush(stdout);
	}
	close(fd);
}

int stress_peer_run(int port, const char *addr, int their_port)
{
	pthread_t t;
	unsigned i;

	signal(SIGPIPE, SIG_IGN);
	them.sin_family = AF_INET;
	them.sin_port = htons((uint16_t)their_port);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (inet_pton(AF_INET, addr, &them.sin_addr) != 1)
		return 2;
	for (i = PEER_ECHO; i < PEER_NOBODY; i++)
		if (!start_server(port, i))
			return 1;
	for (i = 0; i < CALLERS; i++)
		pthread_create(&t, &attr, bother, NULL);
	be_random();
	for (;;) {
		call_server();
		usleep(2000 + stress_rnd(10000));
	}
}
