/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_engine_bridge.c - sockets whose bytes go through a kernel object (engine_bridge.c).
 */
#include "engine_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine_pair.h"

#define BULK_BYTES (8u << 20)
#define CHUNK 65536u

static uint8_t pattern(size_t off)
{
	return (uint8_t)(off * 2654435761u >> 24);
}

/* The program's end, of the client's side of a new connection. */
static int bridged(engine_sock *s)
{
	engine_sock c;
	int fd;

	connect_pair(&c, s);
	assert_int_equal(engine_bridge(client, c, false, &fd), 0);
	return fd;
}

static unsigned bridges_of(struct engine *e)
{
	unsigned n;

	pthread_mutex_lock(&e->lock);
	n = e->nbridge;
	pthread_mutex_unlock(&e->lock);
	return n;
}

/* Until the engine has done away with the socket behind fd's end. */
static void wait_until_gone(struct engine *e, unsigned n)
{
	unsigned left = bridges_of(e);
	int i;

	for (i = 0; i < 2000 && left != n; i++) {
		nap(1);
		left = bridges_of(e);
	}
	assert_int_equal(left, n);
}

/* ---- bytes ---- */

static void bytes_go_both_ways(void **state)
{
	engine_sock s;
	char buf[16];
	int fd = bridged(&s);

	(void)state;
	assert_int_equal(write(fd, "to the peer", 11), 11);
	assert_int_equal(recv_all(server, s, buf, 11), 11);
	assert_memory_equal(buf, "to the peer", 11);
	send_all(server, s, "and back", 8);
	assert_int_equal(recv(fd, buf, 8, MSG_WAITALL), 8);
	assert_memory_equal(buf, "and back", 8);
	engine_release(server, s);
	assert_int_equal(read(fd, buf, 1), 0);
	close(fd);
	wait_until_gone(client, 0);
}

/* What had arrived before is read from the object. */
static void bytes_that_were_there_come_first(void **state)
{
	engine_sock c, s;
	char buf[16];
	int fd;

	(void)state;
	connect_pair(&c, &s);
	send_all(server, s, "early", 5);
	wait_for(client, c, POLLIN);
	assert_int_equal(engine_bridge(client, c, false, &fd), 0);
	assert_int_equal(recv(fd, buf, 5, MSG_WAITALL), 5);
	assert_memory_equal(buf, "early", 5);
	close(fd);
	engine_release(server, s);
	wait_until_gone(client, 0);
}

struct bulk {
	engine_sock s;
	int fd;
};

static void *send_to_fd(void *arg)
{
	struct bulk *b = arg;
	uint8_t *buf = malloc(CHUNK);
	size_t off, i, done;

	for (off = 0; off < BULK_BYTES; off += CHUNK) {
		for (i = 0; i < CHUNK; i++)
			buf[i] = pattern(off + i);
		for (done = 0; done < CHUNK;) {
			ssize_t n = write(b->fd, buf + done, CHUNK - done);

			assert_true(n > 0);
			done += (size_t)n;
		}
	}
	shutdown(b->fd, SHUT_WR);
	free(buf);
	return NULL;
}

static void *echo_main(void *arg)
{
	struct bulk *b = arg;
	uint8_t *buf = malloc(CHUNK);
	size_t n;

	while ((n = recv_all(server, b->s, buf, CHUNK)))
		send_all(server, b->s, buf, n);
	engine_shutdown(server, b->s, SHUT_WR);
	free(buf);
	return NULL;
}

/* More than all buffers hold, both ways at once, and half-closed at the end. */
static void bulk_through_full_buffers_arrives_intact(void **state)
{
	struct bulk b;
	uint8_t *buf = malloc(CHUNK);
	pthread_t sender, echo;
	size_t off = 0, i;
	ssize_t n;

	(void)state;
	b.fd = bridged(&b.s);
	echo = start(echo_main, &b);
	sender = start(send_to_fd, &b);
	nap(50);
	while ((n = read(b.fd, buf, CHUNK)) > 0) {
		for (i = 0; i < (size_t)n; i++)
			if (buf[i] != pattern(off + i))
				fail_msg("byte %zu is wrong", off + i);
		off += (size_t)n;
	}
	assert_int_equal(off, BULK_BYTES);
	pthread_join(sender, NULL);
	pthread_join(echo, NULL);
	close(b.fd);
	engine_release(server, b.s);
	wait_until_gone(client, 0);
	free(buf);
}

/* ---- ends ---- */

static void last_close_sends_what_was_written_and_fin(void **state)
{
	engine_sock s;
	char buf[16];
	int fd = bridged(&s), copy = dup(fd);

	(void)state;
	close(fd);
	assert_int_equal(write(copy, "last words", 10), 10);
	close(copy);
	assert_int_equal(recv_all(server, s, buf, sizeof(buf)), 10);
	assert_memory_equal(buf, "last words", 10);
	engine_release(server, s);
	wait_until_gone(client, 0);
}

/* RFC 2525 2.17, as without a bridge. */
static void close_with_unread_data_resets(void **state)
{
	engine_sock s;
	struct iovec iov = { (char[1]){ 0 }, 1 };
	struct pollfd p = { .events = POLLIN };

	(void)state;
	p.fd = bridged(&s);
	send_all(server, s, "unread", 6);
	assert_int_equal(poll(&p, 1, 5000), 1);
	close(p.fd);
	wait_for(server, s, POLLERR);
	assert_int_equal(engine_recv(server, s, &iov, 1, 0, MSG_DONTWAIT, 0, NULL), -ECONNRESET);
	engine_release(server, s);
	wait_until_gone(client, 0);
}

/* In its place, with the mark; and a reset shows although the last byte was an urgent one. */
static void urgent_data_goes_both_ways(void **state)
{
	struct linger at_once = { 1, 0 };
	struct pollfd p = { .events = POLLPRI };
	char buf[16], text[] = "uvw";
	struct iovec iov = { buf, sizeof(buf) }, out = { text, 3 };
	engine_sock s;
	int fd = p.fd = bridged(&s), mark = 0;

	(void)state;
	assert_int_equal(send(fd, "ab", 2, 0), 2);
	assert_int_equal(send(fd, "cd", 2, MSG_OOB), 2);
	wait_for(server, s, POLLPRI);
	assert_int_equal(engine_recv(server, s, &iov, 1, 0, MSG_OOB, 0, NULL), 1);
	assert_int_equal(buf[0], 'd');
	assert_int_equal(engine_recv(server, s, &iov, 1, 0, 0, 0, NULL), 3);
	assert_memory_equal(buf, "abc", 3);

	assert_int_equal(engine_send(server, s, &out, 1, 0, MSG_OOB), 3);
	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_int_equal(p.revents, POLLPRI);
	assert_int_equal(recv(fd, buf, 16, 0), 2);
	assert_memory_equal(buf, "uv", 2);
	assert_int_equal(ioctl(fd, SIOCATMARK, &mark), 0);
	assert_int_equal(mark, 1);
	assert_int_equal(recv(fd, buf, 1, MSG_OOB), 1);
	assert_int_equal(buf[0], 'w');

	assert_int_equal(engine_setopt(server, s, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once), true), 0);
	engine_release(server, s);
	wait_until_gone(client, 0);
	assert_int_equal(read(fd, buf, 1), -1);
	assert_int_equal(errno, ECONNRESET);
	close(fd);
}

/* One byte that follows the urgent one is taken with it, and isn't urgent. */
static void byte_after_the_urgent_one(void **state)
{
	char buf[16];
	struct iovec iov = { buf, sizeof(buf) };
	engine_sock s;
	int fd = bridged(&s);

	(void)state;
	engine_enter(client);
	assert_int_equal(send(fd, "ab", 2, MSG_OOB), 2);
	assert_int_equal(send(fd, "c", 1, 0), 1);
	engine_leave(client);
	wait_for(server, s, POLLPRI);
	assert_int_equal(engine_recv(server, s, &iov, 1, 0, MSG_OOB, 0, NULL), 1);
	assert_int_equal(buf[0], 'b');
	assert_int_equal(engine_recv(server, s, &iov, 1, 0, 0, 0, NULL), 1);
	assert_int_equal(buf[0], 'a');
	assert_int_equal(recv_all(server, s, buf, 1), 1);
	assert_int_equal(buf[0], 'c');
	close(fd);
	engine_release(server, s);
	wait_until_gone(client, 0);
}

static void reset_by_the_peer_ends_the_object(void **state)
{
	struct linger at_once = { 1, 0 };
	struct pollfd p = { .events = POLLIN | POLLOUT | POLLRDHUP };
	engine_sock s;
	int fd = p.fd = bridged(&s);
	char byte;

	(void)state;
	/* Something that goes by leaves the object as it was. */
	assert_int_equal(send(fd, "x", 1, 0), 1);
	assert_int_equal(recv_all(server, s, &byte, 1), 1);
	assert_int_equal(engine_setopt(server, s, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once), true), 0);
	engine_release(server, s);
	wait_until_gone(client, 0);
	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_int_equal(p.revents, POLLIN | POLLOUT | POLLRDHUP | POLLERR | POLLHUP);
	assert_int_equal(read(fd, &byte, 1), -1);
	assert_int_equal(errno, ECONNRESET);
	assert_int_equal(read(fd, &byte, 1), 0);
	assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EPIPE);
	close(fd);
	wait_until_gone(client, 0);
}

static void sleeper_finds_its_handle_stale(void **state)
{
	struct engine_watch w = { .events = POLLIN };
	engine_sock c, s;
	int fd;

	(void)state;
	connect_pair(&c, &s);
	assert_int_equal(engine_bridge(client, c, false, &fd), 0);
	w.s = c;
	assert_int_equal(engine_wait(client, &w, 1, NULL, 0, XTIME_NEVER, NULL), 1);
	assert_int_equal(w.revents, POLLNVAL);
	assert_int_equal(engine_bridge(client, c, false, &fd), -EBADF);
	close(fd);
	engine_release(server, s);
	wait_until_gone(client, 0);
}

static void fresh_socket_is_not_bridged(void **state)
{
	engine_sock c;
	int fd;

	(void)state;
	assert_int_equal(engine_socket(client, &c), 0);
	assert_int_equal(engine_bridge(client, c, false, &fd), -ENOTCONN);
	assert_int_equal(engine_release(client, c), 0);
}

/* ---- names and options ---- */

static void object_tells_both_addresses(void **state)
{
	struct engine_bridged b;
	engine_sock s;
	int fd = bridged(&s), other = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	assert_int_equal(engine_bridged(fd, &b), 0);
	assert_false(b.is_listener);
	assert_int_equal(ntohl(b.local.sin_addr.s_addr), 0x0a000001);
	assert_int_equal(ntohl(b.peer.sin_addr.s_addr), 0x0a000002);
	assert_int_equal(ntohs(b.peer.sin_port), PORT);
	assert_int_equal(engine_bridged(other, &b), -ENOTSOCK);
	assert_int_equal(engine_bridged(-1, &b), -ENOTSOCK);
	close(other);
	close(fd);
	engine_release(server, s);
	wait_until_gone(client, 0);
}

static void options_are_asked_of_the_engine(void **state)
{
	struct engine_bridged b;
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(int);
	engine_sock s;
	int fd = bridged(&s), v = 1, other[2];

	(void)state;
	assert_int_equal(engine_bridged(fd, &b), 0);
	assert_int_equal(engine_bridged_setopt(fd, &b, IPPROTO_TCP, TCP_NODELAY, &v, sizeof(v)), 0);
	v = 0;
	assert_int_equal(engine_bridged_getopt(fd, &b, IPPROTO_TCP, TCP_NODELAY, &v, &len), 0);
	assert_int_equal(v, 1);
	len = sizeof(info);
	assert_int_equal(engine_bridged_getopt(fd, &b, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	assert_int_equal(info.tcpi_state, TCP_ESTABLISHED);
	len = sizeof(v);
	assert_int_equal(engine_bridged_getopt(fd, &b, IPPROTO_TCP, 9999, &v, &len), -ENOPROTOOPT);
	/* Who hasn't the socket isn't answered. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, other), 0);
	assert_int_equal(engine_bridged_setopt(other[0], &b, IPPROTO_TCP, TCP_NODELAY, &v, sizeof(v)), -ESTALE);
	close(other[0]);
	close(other[1]);
	close(fd);
	engine_release(server, s);
	wait_until_gone(client, 0);
}

/* ---- listeners ---- */

static void listener_hands_connections_over(void **state)
{
	struct engine_bridged b, l;
	engine_sock c;
	int lfd, fd;
	char buf[4];

	(void)state;
	assert_int_equal(engine_bridge(server, listener, false, &lfd), 0);
	assert_int_equal(engine_bridged(lfd, &l), 0);
	assert_true(l.is_listener);
	assert_int_equal(poll(&(struct pollfd){ .fd = lfd, .events = POLLIN }, 1, 0), 0);
	c = connect_to_server();
	fd = accept(lfd, NULL, NULL);
	assert_true(fd >= 0);
	assert_int_equal(engine_bridged(fd, &b), 0);
	assert_int_equal(ntohl(b.peer.sin_addr.s_addr), 0x0a000001);
	assert_int_equal(ntohs(b.local.sin_port), PORT);
	send_all(client, c, "ping", 4);
	assert_int_equal(recv(fd, buf, 4, MSG_WAITALL), 4);
	assert_memory_equal(buf, "ping", 4);
	close(fd);
	close(lfd);
	wait_until_gone(server, 0);
	engine_release(client, c);
}

/* One that is shut down has ended when the next client comes; who asks about it is told so. */
static void listener_that_was_shut_down_is_asked_about(void **state)
{
	struct engine_bridged l;
	socklen_t len = sizeof(int);
	engine_sock c;
	int lfd, v;

	(void)state;
	assert_int_equal(engine_bridge(server, listener, false, &lfd), 0);
	assert_int_equal(engine_bridged(lfd, &l), 0);
	assert_int_equal(engine_bridged_getopt(lfd, &l, IPPROTO_TCP, TCP_NODELAY, &v, &len), 0);
	assert_int_equal(shutdown(lfd, SHUT_RDWR), 0);
	c = connect_to_server();
	wait_until_gone(server, 0);
	assert_int_equal(engine_bridged_getopt(lfd, &l, IPPROTO_TCP, TCP_NODELAY, &v, &len), -ENOTCONN);
	close(lfd);
	engine_release(client, c);
}

/* What accept() gives takes urgent data as the others do; one as the last byte is no obstacle to the end. */
static void urgent_data_of_an_accepted_connection(void **state)
{
	char buf[16];
	struct iovec iov = { buf, sizeof(buf) };
	engine_sock c;
	int lfd, fd;

	(void)state;
	assert_int_equal(engine_bridge(server, listener, false, &lfd), 0);
	c = connect_to_server();
	fd = accept(lfd, NULL, NULL);
	assert_true(fd >= 0);
	assert_int_equal(send(fd, "ab", 2, MSG_OOB), 2);
	wait_for(client, c, POLLPRI);
	assert_int_equal(engine_recv(client, c, &iov, 1, 0, MSG_OOB, 0, NULL), 1);
	assert_int_equal(buf[0], 'b');
	assert_int_equal(recv_all(client, c, buf, 1), 1);
	assert_int_equal(buf[0], 'a');
	close(fd);
	wait_for(client, c, POLLRDHUP);
	assert_int_equal(engine_recv(client, c, &iov, 1, 0, MSG_DONTWAIT, 0, NULL), 0);
	close(lfd);
	engine_release(client, c);
	wait_until_gone(server, 0);
}

/* Those that nobody took before the listener's last close are closed, too. */
static void listener_closed_with_connections_waiting_closes_them(void **state)
{
	struct iovec iov = { (char[1]){ 0 }, 1 };
	engine_sock c[3];
	unsigned i;
	ssize_t n;
	int lfd;

	(void)state;
	assert_int_equal(engine_bridge(server, listener, false, &lfd), 0);
	for (i = 0; i < 3; i++)
		c[i] = connect_to_server();
	close(lfd);
	wait_until_gone(server, 0);
	for (i = 0; i < 3; i++) {
		wait_for(client, c[i], POLLIN | POLLRDHUP);
		n = engine_recv(client, c[i], &iov, 1, 0, MSG_DONTWAIT, 0, NULL);
		assert_true(n == 0 || n == -ECONNRESET);
		engine_release(client, c[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(bytes_go_both_ways, setup, teardown),
		cmocka_unit_test_setup_teardown(bytes_that_were_there_come_first, setup, teardown),
		cmocka_unit_test_setup_teardown(bulk_through_full_buffers_arrives_intact, setup_super, teardown),
		cmocka_unit_test_setup_teardown(last_close_sends_what_was_written_and_fin, setup, teardown),
		cmocka_unit_test_setup_teardown(close_with_unread_data_resets, setup, teardown),
		cmocka_unit_test_setup_teardown(urgent_data_goes_both_ways, setup, teardown),
		cmocka_unit_test_setup_teardown(byte_after_the_urgent_one, setup, teardown),
		cmocka_unit_test_setup_teardown(reset_by_the_peer_ends_the_object, setup, teardown),
		cmocka_unit_test_setup_teardown(sleeper_finds_its_handle_stale, setup, teardown),
		cmocka_unit_test_setup_teardown(fresh_socket_is_not_bridged, setup, teardown),
		cmocka_unit_test_setup_teardown(object_tells_both_addresses, setup, teardown),
		cmocka_unit_test_setup_teardown(options_are_asked_of_the_engine, setup, teardown),
		cmocka_unit_test_setup_teardown(listener_hands_connections_over, setup, teardown),
		cmocka_unit_test_setup_teardown(listener_that_was_shut_down_is_asked_about, setup, teardown),
		cmocka_unit_test_setup_teardown(urgent_data_of_an_accepted_connection, setup, teardown),
		cmocka_unit_test_setup_teardown(listener_closed_with_connections_waiting_closes_them, setup, teardown),
	};

	alarm(100);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
