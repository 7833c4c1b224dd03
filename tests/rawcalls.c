/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rawcalls.c - a program that reads, writes, waits and accepts by system calls of its own, as the Go run-time and
 * other programs do; libc's are socket(), connect(), listen() and what concerns names and options.
 *
 *     rawcalls client ADDRESS PORT        4 MB to an echo server, and back
 *     rawcalls nonblocking ADDRESS PORT   the same from connect() on
 *     rawcalls refused ADDRESS PORT       nobody listens there
 *     rawcalls accept|epoll PORT          an echo server, of blocking and of non-blocking calls; ends after two clients
 *     rawcalls static PORT PROGRAM        PROGRAM gets each client as its standard input and output
 *     rawcalls kind ADDRESS PORT          "bridged", "xtcp" or "kernel", by what the kernel takes the socket for
 *     rawcalls again PORT                 listens, closes, and listens again
 *     rawcalls own-client PORT            listens, and is its own client
 *     rawcalls echo                       from standard input to standard output
 *     rawcalls inherit PORT PROGRAM       PROGRAM gets the listening socket, and runs as
 *     rawcalls inherited                  which accepts one client from standard input
 *
 * Prints what it sees, one line each.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netif/rawcall.h"

#define TOTAL (4u << 20)
#define PIECE 50000u
#define CLIENTS 2
#define EVENTS 8

static void die(const char *what)
{
	fprintf(stderr, "rawcalls: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* A result, or -errno: no libc and nothing that a preloaded library could see. */
static long raw(long nr, long a, long b, long c, long d)
{
	return raw_kernel(nr, a, b, c, d, 0, 8);
}

#define RAW(nr, a, b, c, d) raw(nr, (long)(a), (long)(b), (long)(c), (long)(d))

static int wait_for(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };
	struct timespec ts = { 20, 0 };
	long r = raw_kernel(SYS_ppoll, (long)&p, 1, (long)&ts, 0, 8, 0);

	return r == 1 ? p.revents : (int)r;
}

static unsigned char pattern(size_t at)
{
	return (unsigned char)(at * 2654435761u >> 24);
}

/* ---- clients ---- */

static struct sockaddr_in place(const char *addr, const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };

	if (inet_pton(AF_INET, addr, &a.sin_addr) != 1)
		die("address");
	return a;
}

static void say_names(int fd)
{
	struct sockaddr_in a = { 0 };
	socklen_t len = sizeof(a);
	int r = getpeername(fd, (struct sockaddr *)&a, &len);

	printf("peer %d %s:%u %u\n", r, inet_ntoa(a.sin_addr), ntohs(a.sin_port), len);
	len = sizeof(a);
	r = getsockname(fd, (struct sockaddr *)&a, &len);
	printf("local %d %s %u\n", r, inet_ntoa(a.sin_addr), len);
}

/* Both ways at once, as an echo server has no more room than we. */
static void exchange(int fd)
{
	static unsigned char out[PIECE], in[PIECE];
	size_t sent = 0, got = 0, i, n, wrong = 0;
	long r;
	int ev;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (got < TOTAL) {
		ev = wait_for(fd, (short)(POLLIN | (sent < TOTAL ? POLLOUT : 0)));
		if (ev <= 0)
			break;
		n = TOTAL - sent < PIECE ? TOTAL - sent : PIECE;
		for (i = 0; i < n; i++)
			out[i] = pattern(sent + i);
		r = ev & POLLOUT && n ? RAW(SYS_write, fd, out, n, 0) : 0;
		sent += r > 0 ? (size_t)r : 0;
		if (sent == TOTAL && r > 0)
			shutdown(fd, SHUT_WR);
		r = ev & POLLIN ? RAW(SYS_read, fd, in, PIECE, 0) : 0;
		for (i = 0; r > 0 && i < (size_t)r; i++)
			wrong += in[i] != pattern(got + i);
		got += r > 0 ? (size_t)r : 0;
		if (ev & POLLIN && r <= 0 && r != -EAGAIN)
			break;
	}
	printf("sent %zu got %zu wrong %zu\n", sent, got, wrong);
	fcntl(fd, F_SETFL, 0);
	printf("end %ld\n", RAW(SYS_read, fd, in, 1, 0));
}

static int socket_error(int fd)
{
	socklen_t len = sizeof(int);
	int err = -1;

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) ? -1 : err;
}

static void client(const struct sockaddr_in *a, bool blocks)
{
	int fd = socket(AF_INET, SOCK_STREAM | (blocks ? 0 : SOCK_NONBLOCK), 0), r;

	r = connect(fd, (const struct sockaddr *)a, sizeof(*a));
	printf("connect %d\n", r < 0 ? errno : 0);
	if (!blocks) {
		printf("writable %d\n", (wait_for(fd, POLLOUT) & (POLLOUT | POLLERR | POLLHUP)) == POLLOUT);
		printf("error %d\n", socket_error(fd));
		r = connect(fd, (const struct sockaddr *)a, sizeof(*a));
		printf("again %d\n", r < 0 ? errno : 0);
		r = connect(fd, (const struct sockaddr *)a, sizeof(*a));
		printf("and again %d\n", r < 0 ? errno : 0);
	}
	say_names(fd);
	exchange(fd);
	printf("close %ld\n", RAW(SYS_close, fd, 0, 0, 0));
}

static void say_kind(const struct sockaddr_in *a)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), r = connect(fd, (const struct sockaddr *)a, sizeof(*a));
	struct sockaddr_storage is = { 0 };
	socklen_t len = sizeof(is);

	if (r < 0)
		die("connect");
	RAW(SYS_getsockname, fd, &is, &len, 0);
	len = sizeof(is);
	puts(is.ss_family == AF_INET ? "kernel" :
	     RAW(SYS_getpeername, fd, &is, &len, 0) ? "xtcp" : "bridged");
}

static void refused(const struct sockaddr_in *a)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), ev;

	printf("connect %d\n", connect(fd, (const struct sockaddr *)a, sizeof(*a)) < 0 ? errno : 0);
	ev = wait_for(fd, POLLOUT);
	printf("events%s%s\n", ev & POLLERR ? " ERR" : "", ev & POLLHUP ? " HUP" : "");
	printf("error %d\n", socket_error(fd));
	printf("error %d\n", socket_error(fd));
	RAW(SYS_close, fd, 0, 0, 0);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	printf("connect %d\n", connect(fd, (const struct sockaddr *)a, sizeof(*a)) < 0 ? errno : 0);
	RAW(SYS_close, fd, 0, 0, 0);
}

/* ---- servers ---- */

static int listen_at(const char *port, int flags)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
	int fd = socket(AF_INET, SOCK_STREAM | flags, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 16) < 0)
		die("listen");
	puts("listens");
	fflush(stdout);
	return fd;
}

static void listen_again(const char *port)
{
	int i, l;

	for (i = 0; i < 3; i++) {
		l = listen_at(port, 0);
		printf("poll %d\n", (int)raw_kernel(SYS_ppoll, (long)&(struct pollfd){ .fd = l, .events = POLLIN }, 1,
						     (long)&(struct timespec){ 0, 0 }, 0, 8, 0));
		RAW(SYS_close, l, 0, 0, 0);
	}
}

static void be_own_client(const char *port)
{
	struct sockaddr_in a = place("127.0.0.1", port), peer = { 0 };
	int l = listen_at(port, 0), fd = socket(AF_INET, SOCK_STREAM, 0), conn, on = 1, v = 0;
	socklen_t len = sizeof(peer), vlen = sizeof(v);
	char buf[8] = "";

	printf("connect %d\n", connect(fd, (struct sockaddr *)&a, sizeof(a)));
	conn = accept(l, (struct sockaddr *)&peer, &len);
	printf("peer %s %u\n", inet_ntoa(peer.sin_addr), len);
	len = sizeof(a);
	getsockname(fd, (struct sockaddr *)&a, &len);
	printf("its port %d\n", peer.sin_port == a.sin_port);
	len = sizeof(peer);
	peer.sin_port = 0;
	printf("getpeername %d %s", getpeername(conn, (struct sockaddr *)&peer, &len), inet_ntoa(peer.sin_addr));
	printf(" %d\n", peer.sin_port == a.sin_port);
	getsockname(conn, (struct sockaddr *)&peer, &len);
	printf("getsockname %s:%u\n", inet_ntoa(peer.sin_addr), ntohs(peer.sin_port));
	printf("set %d\n", setsockopt(conn, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
	printf("get %d\n", getsockopt(conn, IPPROTO_TCP, TCP_NODELAY, &v, &vlen));
	printf("value %d\n", v);
	printf("write %ld\n", RAW(SYS_write, fd, "there", 5, 0));
	printf("read %ld\n", RAW(SYS_read, conn, buf, 5, 0));
	printf("write %ld\n", RAW(SYS_write, conn, "back", 4, 0));
	RAW(SYS_close, conn, 0, 0, 0);
	printf("read %ld\n", RAW(SYS_read, fd, buf, 4, 0));
	printf("%s, end %ld\n", buf, RAW(SYS_read, fd, buf, 4, 0));
}

static void echo(int in, int out)
{
	static char buf[PIECE];
	long n, done, r;

	while ((n = RAW(SYS_read, in, buf, sizeof(buf), 0)) > 0)
		for (done = 0; done < n; done += r) {
			r = RAW(SYS_write, out, buf + done, n - done, 0);
			if (r <= 0)
				return;
		}
}

static void serve_blocking(const char *port)
{
	int l = listen_at(port, 0), n;
	long fd;

	for (n = 0; n < CLIENTS; n++) {
		fd = RAW(SYS_accept4, l, 0, 0, 0);
		if (fd < 0)
			die("accept");
		echo((int)fd, (int)fd);
		RAW(SYS_close, fd, 0, 0, 0);
	}
}

static void serve_epoll(const char *port)
{
	int l = listen_at(port, SOCK_NONBLOCK), ep = epoll_create1(0), n = 0;
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = l }, got[EVENTS];
	static char buf[PIECE];
	long r, i, fd, w;

	RAW(SYS_epoll_ctl, ep, EPOLL_CTL_ADD, l, &ev);
	while (n < CLIENTS && (r = raw_kernel(SYS_epoll_pwait, ep, (long)got, EVENTS, 20000, 0, 8)) > 0) {
		for (i = 0; i < r; i++) {
			fd = got[i].data.fd;
			if (fd == l) {
				while ((fd = RAW(SYS_accept4, l, 0, 0, 0)) >= 0) {
					ev.data.fd = (int)fd;
					RAW(SYS_epoll_ctl, ep, EPOLL_CTL_ADD, fd, &ev);
				}
				continue;
			}
			w = RAW(SYS_read, fd, buf, sizeof(buf), 0);
			if (w > 0 && RAW(SYS_write, fd, buf, w, 0) == w)
				continue;
			RAW(SYS_close, fd, 0, 0, 0);
			n++;
		}
	}
}

static pid_t run(const char *program, const char *what, int in, int out)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	dup2(in, 0);
	if (out >= 0)
		dup2(out, 1);
	execl(program, program, what, (char *)NULL);
	_exit(127);
}

static void serve_by(const char *port, const char *program)
{
	int l = listen_at(port, 0), n, fd, status;

	for (n = 0; n < CLIENTS; n++) {
		fd = accept(l, NULL, NULL);
		status = -1;
		waitpid(run(program, "echo", fd, fd), &status, 0);
		close(fd);
		printf("status %d\n", status);
	}
}

static void serve_with(const char *port, const char *program)
{
	int l = listen_at(port, 0), n, status;

	for (n = 0; n < CLIENTS; n++) {
		status = -1;
		waitpid(run(program, "inherited", l, -1), &status, 0);
		printf("status %d\n", status);
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	struct sockaddr_in a;
	long fd;

	if (argc == 4 && strcmp(what, "static") && strcmp(what, "inherit"))
		a = place(argv[2], argv[3]);
	if (!strcmp(what, "client") && argc == 4)
		client(&a, true);
	else if (!strcmp(what, "nonblocking") && argc == 4)
		client(&a, false);
	else if (!strcmp(what, "refused") && argc == 4)
		refused(&a);
	else if (!strcmp(what, "kind") && argc == 4)
		say_kind(&a);
	else if (!strcmp(what, "own-client") && argc == 3)
		be_own_client(argv[2]);
	else if (!strcmp(what, "again") && argc == 3)
		listen_again(argv[2]);
	else if (!strcmp(what, "accept") && argc == 3)
		serve_blocking(argv[2]);
	else if (!strcmp(what, "epoll") && argc == 3)
		serve_epoll(argv[2]);
	else if (!strcmp(what, "static") && argc == 4)
		serve_by(argv[2], argv[3]);
	else if (!strcmp(what, "inherit") && argc == 4)
		serve_with(argv[2], argv[3]);
	else if (!strcmp(what, "echo")) {
		echo(0, 1);
	} else if (!strcmp(what, "inherited")) {
		fd = RAW(SYS_accept4, 0, 0, 0, 0);
		if (fd < 0)
			return 1;
		echo((int)fd, (int)fd);
	} else {
		fputs("rawcalls: see the file's head\n", stderr);
		return 2;
	}
	return 0;
}
