/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_pair.c - see engine_pair.h.
 */
#include "engine_pair.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "wire_netif.h"

struct engine *client, *server;
struct netif *wire[2];
engine_sock listener;

static void on_ready(void *user, uint32_t events, bool is_edge)
{
	struct mirror *m = user;

	m->events = events;
	m->edges += is_edge;
	m->calls++;
}

static struct engine *open_end(int i)
{
	struct engine_config cfg = { .naddr = 1, .ready = on_ready };
	struct engine *e = NULL;
	char err[200];

	cfg.addrs[0] = (struct engine_prefix){ 0x0a000001 + (ip4)i, 24 };
	assert_int_equal(engine_open_on(&cfg, wire[i], &e, err, sizeof(err)), 0);
	return e;
}

static struct sockaddr_in addr_of(ip4 a, uint16_t port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };

	sa.sin_addr.s_addr = htonl(a);
	return sa;
}

/* ---- blocking calls, as the shim makes them ---- */

uint32_t wait_for(struct engine *e, engine_sock s, uint32_t events)
{
	struct engine_watch w = { .s = s, .events = events };
	int n;

	do
		n = engine_wait(e, &w, 1, NULL, 0, engine_now() + SOON, NULL);
	while (n == -EINTR);
	assert_int_equal(n, 1);
	return w.revents;
}

void send_all(struct engine *e, engine_sock s, const void *p, size_t len)
{
	struct iovec iov = { (void *)(uintptr_t)p, len };
	size_t done = 0;

	while (done < len) {
		ssize_t n = engine_send(e, s, &iov, 1, done, 0);

		if (n == -EAGAIN)
			wait_for(e, s, POLLOUT);
		else if (n < 0)
			fail_msg("send: %s", strerror((int)-n));
		else
			done += (size_t)n;
	}
}

/* Up to len bytes, fewer only at the end. */
size_t recv_all(struct engine *e, engine_sock s, void *p, size_t len)
{
	struct iovec iov = { p, len };
	size_t done = 0;

	while (done < len) {
		ssize_t n = engine_recv(e, s, &iov, 1, done, 0, 0, NULL);

		if (n == -EAGAIN)
			wait_for(e, s, POLLIN);
		else if (n < 0)
			fail_msg("recv: %s", strerror((int)-n));
		else if (!n)
			break;
		else
			done += (size_t)n;
	}
	return done;
}

static void start_listening(void)
{
	struct sockaddr_in sa = addr_of(0, PORT);

	assert_int_equal(engine_socket(server, &listener), 0);
	assert_int_equal(engine_bind(server, listener, &sa, true), 0);
	assert_int_equal(engine_listen(server, listener, 128), 0);
}

engine_sock connect_to_server(void)
{
	struct sockaddr_in sa = addr_of(0x0a000002, PORT);
	engine_sock s;

	assert_int_equal(engine_socket(client, &s), 0);
	assert_int_equal(engine_connect(client, s, &sa), 0);
	wait_for(client, s, TCP_EV_CONNECTED);
	assert_int_equal(engine_connect_result(client, s), 0);
	return s;
}

static engine_sock accept_one(void)
{
	engine_sock s;
	int r;

	while ((r = engine_accept(server, listener, &s)) == -EAGAIN)
		wait_for(server, listener, POLLIN);
	assert_int_equal(r, 0);
	return s;
}

/* A connected pair. */
void connect_pair(engine_sock *c, engine_sock *s)
{
	*c = connect_to_server();
	*s = accept_one();
}

/* Answers what it gets until the end. */
static void *echo_main(void *arg)
{
	engine_sock s = *(engine_sock *)arg;
	char buf[16384];
	struct iovec iov = { buf, sizeof(buf) };
	ssize_t n;

	for (;;) {
		n = engine_recv(server, s, &iov, 1, 0, 0, 0, NULL);
		if (n == -EAGAIN)
			wait_for(server, s, POLLIN);
		else if (n <= 0)
			break;
		else
			send_all(server, s, buf, (size_t)n);
	}
	engine_release(server, s);
	return NULL;
}

pthread_t start(void *(*f)(void *), void *arg)
{
	pthread_t t;

	assert_int_equal(pthread_create(&t, NULL, f, arg), 0);
	return t;
}

/* A connection to an echo thread. */
engine_sock connect_echo(pthread_t *t, engine_sock *s)
{
	engine_sock c;

	connect_pair(&c, s);
	*t = start(echo_main, s);
	return c;
}

void nap(int ms)
{
	struct timespec ts = { ms / 1000, (long)(ms % 1000) * 1000000 };

	nanosleep(&ts, NULL);
}

void ping_pong(engine_sock c, unsigned rounds, uint32_t seed)
{
	uint32_t out, in;
	unsigned i;

	for (i = 0; i < rounds; i++) {
		out = seed + i;
		send_all(client, c, &out, sizeof(out));
		assert_int_equal(recv_all(client, c, &in, sizeof(in)), sizeof(in));
		assert_int_equal(in, out);
	}
}

/* ---- set-up ---- */

static int setup_vnet(void **state, bool has_vnet)
{
	(void)state;
	alarm(120);
	assert_int_equal(wire_netif_pair(wire, has_vnet), 0);
	client = open_end(0);
	server = open_end(1);
	start_listening();
	return 0;
}

/* Of a check that fails in another thread than the test's own cmocka tells nothing but the exit status, unless it aborts. */
static __attribute__((constructor)) void tell_of_failures(void)
{
	setenv("CMOCKA_TEST_ABORT", "1", 0);
}

int setup(void **state)
{
	return setup_vnet(state, false);
}

int setup_super(void **state)
{
	return setup_vnet(state, true);
}

int teardown(void **state)
{
	(void)state;
	engine_close(client);
	engine_close(server);
	return 0;
}

