/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stress_own.c - connections that one thread has for itself, among all the others: every byte arrives, once, in
 * order, and so does the end.
 */
#include "stress.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define STREAM_BYTES 200000
#define WINDOW_BYTES 30000       /* of them under way: the echo server never waits for us to read */
#define PIECE_BYTES 8000

struct stream {
	int fd;
	uint64_t key, total, sent, got;
	const char *what;
};

/* ---- calls that do what a correct program does ---- */

static bool is_again(void)
{
	return errno == EINTR || errno == EAGAIN;
}

static void wait_select(int fd, short events)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	select(fd + 1, events == POLLIN ? &set : NULL, events == POLLOUT ? &set : NULL, NULL, NULL);
}

static void wait_epoll(int fd, short events)
{
	struct epoll_event ev = { .events = events == POLLIN ? EPOLLIN : EPOLLOUT };
	int set = epoll_create1(EPOLL_CLOEXEC);

	if (set >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, fd, &ev) == 0)
		epoll_wait(set, &ev, 1, -1);
	close(set);
}

/* Any way to wait; a signal may end it early. */
static void wait_for(int fd, short events)
{
	struct pollfd p = { fd, events, 0 };

	switch (stress_rnd(6)) {
	case 0:
		wait_select(fd, events);
		break;
	case 1:
		wait_epoll(fd, events);
		break;
	default:
		poll(&p, 1, -1);
	}
}

static ssize_t send_piece(int fd, unsigned char *data, size_t len)
{
	struct iovec iov[2] = { { data, len / 3 }, { data + len / 3, len - len / 3 } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };

	switch (stress_rnd(5)) {
	case 0:
		return write(fd, data, len);
	case 1:
		return writev(fd, iov, 2);
	case 2:
		return sendmsg(fd, &m, MSG_NOSIGNAL);
	case 3:
		return send(fd, data, len, MSG_DONTWAIT);
	default:
		return send(fd, data, len, 0);
	}
}

static ssize_t recv_piece(int fd, unsigned char *data, size_t len)
{
	struct iovec iov[2] = { { data, len / 3 }, { data + len / 3, len - len / 3 } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };

	switch (stress_rnd(5)) {
	case 0:
		return read(fd, data, len);
	case 1:
		return readv(fd, iov, 2);
	case 2:
		return recvmsg(fd, &m, 0);
	case 3:
		return recv(fd, data, len, MSG_DONTWAIT);
	default:
		return recv(fd, data, len, 0);
	}
}

/* ---- streams ---- */

static bool lost(struct stream *s, const char *call)
{
	stress_fail("%s: %s after %lu of %lu bytes: %s", s->what, call, s->got, s->total, strerror(errno));
	return false;
}

static bool send_some(struct stream *s)
{
	unsigned char data[PIECE_BYTES];
	size_t len = 1 + stress_rnd(PIECE_BYTES), i;
	ssize_t n;

	if (len > s->total - s->sent)
		len = s->total - s->sent;
	for (i = 0; i < len; i++)
		data[i] = stress_byte(s->key, s->sent + i);
	stress_step("own: send");
	n = send_piece(s->fd, data, len);
	if (n < 0 && !is_again())
		return lost(s, "send");
	if (n < 0)
		wait_for(s->fd, POLLOUT);
	s->sent += n > 0 ? (uint64_t)n : 0;
	return true;
}

static bool check(struct stream *s, const unsigned char *data, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (data[i] != stress_byte(s->key, s->got + i)) {
			stress_fail("%s: byte %lu of %lu is wrong", s->what, s->got + i, s->total);
			return false;
		}
	}
	s->got += n;
	atomic_fetch_add_explicit(&board->bytes_checked, n, memory_order_relaxed);
	return true;
}

static bool recv_some(struct stream *s)
{
	unsigned char data[PIECE_BYTES];
	ssize_t n;

	stress_step("own: recv");
	n = recv_piece(s->fd, data, 1 + stress_rnd(PIECE_BYTES));
	if (n < 0 && is_again()) {
		wait_for(s->fd, POLLIN);
		return true;
	}
	return n > 0 ? check(s, data, (size_t)n) : lost(s, n ? "recv" : "an early end");
}

/* Until the other side has closed, too: the end comes after the last byte, and comes again. */
static bool end(struct stream *s)
{
	char c;
	ssize_t n;

	if (shutdown(s->fd, SHUT_WR) < 0)
		return lost(s, "shutdown");
	do {
		stress_step("own: end");
		n = recv(s->fd, &c, 1, 0);
		if (n < 0 && is_again())
			wait_for(s->fd, POLLIN);
	} while (n < 0 && is_again());
	return n == 0 ? true : lost(s, n ? "the end" : "a byte too many");
}

static bool echo(struct stream *s)
{
	bool good = true;

	while (good && s->got < s->total) {
		if (s->sent < s->total && s->sent - s->got < WINDOW_BYTES && (s->sent == s->got || stress_rnd(2)))
			good = send_some(s);
		else
			good = recv_some(s);
	}
	return good && end(s);
}

/* ---- the client ---- */

static bool is_connected(int fd)
{
	struct pollfd p = { fd, POLLOUT, 0 };
	int err = 0;
	socklen_t len = sizeof(err);

	do
		stress_step("own: connect");
	while (poll(&p, 1, 1000) <= 0);
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) == 0 && !err)
		return true;
	stress_fail("own client: connect: %s", strerror(err));
	return false;
}

static bool connect_to(int fd, const struct sockaddr_in *a)
{
	if (connect(fd, (const struct sockaddr *)a, sizeof(*a)) == 0)
		return true;
	if (errno == EINPROGRESS || errno == EINTR || errno == EALREADY)
		return is_connected(fd);
	stress_fail("own client: connect: %s", strerror(errno));
	return false;
}

void stress_own_client(void)
{
	struct sockaddr_in a = stress_peer(PEER_ECHO);
	struct stream s = { .what = "own client", .key = stress_rnd(256), .total = 1 + stress_rnd(STREAM_BYTES) };
	int one = 1;

	s.fd = socket(AF_INET, SOCK_STREAM | (stress_rnd(2) ? SOCK_NONBLOCK : 0) | (stress_rnd(2) ? SOCK_CLOEXEC : 0), 0);
	if (s.fd < 0) {
		stress_fail("own client: socket: %s", strerror(errno));
		return;
	}
	if (stress_rnd(2))
		setsockopt(s.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect_to(s.fd, &a) && echo(&s))
		atomic_fetch_add(&board->connections_checked, 1);
	close(s.fd);
}

/* ---- the server ---- */

int stress_own_listen(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)(target.listen + LISTEN_OWN)) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 20) < 0)
		stress_fail("own server: %s", strerror(errno));
	return fd;
}

/* The peer sends one of our streams, whose key is its first byte, to its end, and checks what comes back. */
static void serve(struct stream *s)
{
	unsigned char data[PIECE_BYTES];
	ssize_t n, sent, at;

	for (;;) {
		stress_step("own server: recv");
		n = recv_piece(s->fd, data, sizeof(data));
		if (n == 0)
			break;
		if (n < 0 && is_again()) {
			wait_for(s->fd, POLLIN);
			continue;
		}
		if (n < 0) {
			lost(s, "recv");
			return;
		}
		s->key = s->got ? s->key : data[0];
		if (!check(s, data, (size_t)n))
			return;
		for (at = 0; at < n; at += sent > 0 ? sent : 0) {
			stress_step("own server: send");
			sent = send_piece(s->fd, data + at, (size_t)(n - at));
			if (sent < 0 && !is_again()) {
				lost(s, "send");
				return;
			}
			if (sent < 0)
				wait_for(s->fd, POLLOUT);
		}
	}
	atomic_fetch_add(&board->connections_checked, 1);
}

void stress_own_server(int listener)
{
	struct stream s = { .what = "own server" };
	struct pollfd p = { listener, POLLIN, 0 };

	if (poll(&p, 1, 200) <= 0)
		return;
	s.fd = accept4(listener, NULL, NULL, stress_rnd(2) ? SOCK_NONBLOCK : SOCK_CLOEXEC);
	if (s.fd < 0) {
		if (errno != EINTR && errno != EAGAIN)
			stress_fail("own server: accept: %s", strerror(errno));
		return;
	}
	serve(&s);
	close(s.fd);
}
