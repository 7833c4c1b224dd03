/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * callprobe.c - what the calls of libc that take a socket say to one, in each of its states, a line each: an
 * ordinary program, run over the kernel and over xtcp by tests/netns/calls.sh.
 *
 *   callprobe 4|6 ADDRESS PORT [PART|CASE...]      a server that echoes (tests/netns/peer.py)
 */
#include "callprobe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define HANGS_AFTER 20

static const char *const state_names[] = { "fresh", "bound", "listening", "connected", "readable", "ended", "shut" };

int probe_family;
struct sockaddr_storage probe_server;
socklen_t probe_addr_len;
static const char *where_case, *where_state;

/* ---- sockets ---- */

static void must(int r, const char *what)
{
	if (r >= 0)
		return;
	printf("%s %s: can't %s: %s\n", where_case, where_state, what, strerrorname_np(errno));
	exit(1);
}

void probe_arrives(int fd, int n)
{
	struct pollfd p = { .fd = fd, .events = n ? POLLIN : POLLRDHUP };
	int have = 0;

	do {
		must(poll(&p, 1, 10000), "wait for the peer");
		must(ioctl(fd, FIONREAD, &have), "look for what has arrived");
	} while (have < n);
}

int probe_open(enum state st)
{
	struct sockaddr_storage any = { .ss_family = (sa_family_t)probe_family };
	int fd = socket(probe_family, SOCK_STREAM, 0);

	must(fd, "make a socket");
	must(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5), "set cubic");
	if (st == BOUND || st == LISTENING)
		must(bind(fd, (struct sockaddr *)&any, probe_addr_len), "bind");
	if (st == LISTENING)
		must(listen(fd, 5), "listen");
	if (st < CONNECTED)
		return fd;
	must(connect(fd, (struct sockaddr *)&probe_server, probe_addr_len), "connect");
	if (st == READABLE || st == ENDED) {
		must((int)send(fd, "hello", 5, 0), "send");
		probe_arrives(fd, 5);
	}
	if (st == ENDED || st == SHUT)
		must(shutdown(fd, SHUT_WR), "shut down");
	if (st == ENDED || st == SHUT)
		probe_arrives(fd, 0);
	return fd;
}

/* ---- lines ---- */

void probe_result(const char *what, long r, const char *more, ...)
{
	int err = errno;
	va_list ap;

	printf("%s %s: %s = %ld%s%s ", where_case, where_state, what, r, err ? " " : "",
	       !err ? "" : r < 0 ? strerrorname_np(err) : "and errno changed");
	if (more) {
		va_start(ap, more);
		vprintf(more, ap);
		va_end(ap);
	}
	printf("\n");
}

/* ---- cases ---- */

static void run(const struct probe_case *c, enum state st)
{
	int status;
	pid_t pid;

	where_case = c->name;
	where_state = state_names[st];
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		setvbuf(stdout, NULL, _IOLBF, 0);
		alarm(HANGS_AFTER);
		c->run(st);
		fflush(stdout);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		printf("%s %s: ended with status %x\n", where_case, where_state, pid < 0 ? -1 : status);
}

static const struct {
	const char *name;
	const struct probe_case *cases;
} parts[] = {
	{ "file", probe_file_cases }, { "data", probe_data_cases }, { "pointer", probe_pointer_cases },
	{ "stream", probe_stream_cases }, { "thread", probe_thread_cases }, { "signal", probe_signal_cases },
	{ "handler", probe_handler_cases },
};

static bool is_asked(const char *part, const char *name, char *const *asked)
{
	char *const *a;

	for (a = asked; *a; a++)
		if (!strcmp(*a, part) || !strcmp(*a, name))
			return true;
	return !*asked;
}

static void run_all(char *const *asked)
{
	const struct probe_case *c;
	enum state st;
	size_t i;

	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		for (c = parts[i].cases; c->name; c++)
			for (st = 0; st < STATES && is_asked(parts[i].name, c->name, asked); st++)
				if (c->states >> st & 1)
					run(c, st);
}

static int read_server(const char *family, const char *addr, const char *port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&probe_server;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&probe_server;
	char mapped[64];

	probe_family = *family == '6' ? AF_INET6 : AF_INET;
	probe_server.ss_family = (sa_family_t)probe_family;
	v4->sin_port = htons((uint16_t)atoi(port));
	if (probe_family == AF_INET) {
		probe_addr_len = sizeof(*v4);
		return inet_pton(AF_INET, addr, &v4->sin_addr);
	}
	snprintf(mapped, sizeof(mapped), "::ffff:%s", addr);
	probe_addr_len = sizeof(*v6);
	return inet_pton(AF_INET6, mapped, &v6->sin6_addr);
}

int main(int argc, char **argv)
{
	if (argc < 4 || read_server(argv[1], argv[2], argv[3]) != 1)
		return 2;
	run_all(argv + 4);
	return 0;
}
