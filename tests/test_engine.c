/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_engine.c - data through two engines, and threads that wait, drive and wake each
 * other.
 */
#include "engine.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine_pair.h"
#include "wire_netif.h"

#define MAX_THREADS 8

/* ---- data ---- */

static void connected_pingpong_every_answer_arrives(void **state)
{
	engine_sock c, s;
	pthread_t t;

	(void)state;
	c = connect_echo(&t, &s);
	ping_pong(c, 3000, 1);
	engine_release(client, c);
	pthread_join(t, NULL);
}

#define BULK_BYTES (24u << 20)
#define CHUNK 65536u

static uint8_t pattern(size_t off)
{
	return (uint8_t)(off * 2654435761u >> 24);
}

static void *bulk_send_main(void *arg)
{
	engine_sock s = *(engine_sock *)arg;
	uint8_t *buf = malloc(CHUNK);
	size_t off, i;

	for (off = 0; off < BULK_BYTES; off += CHUNK) {
		for (i = 0; i < CHUNK; i++)
			buf[i] = pattern(off + i);
		send_all(server, s, buf, CHUNK);
	}
	free(buf);
	engine_shutdown(server, s, SHUT_WR);
	return NULL;
}

static void bulk(void)
{
	uint8_t *buf = malloc(CHUNK);
	engine_sock c, s;
	size_t off = 0, n, i;
	pthread_t t;

	connect_pair(&c, &s);
	t = start(bulk_send_main, &s);
	while ((n = recv_all(client, c, buf, CHUNK))) {
		for (i = 0; i < n; i++)
			if (buf[i] != pattern(off + i))
				fail_msg("byte %zu is wrong", off + i);
		off += n;
	}
	assert_int_equal(off, BULK_BYTES);
	pthread_join(t, NULL);
	engine_release(client, c);
	engine_release(server, s);
	free(buf);
}

static void connected_bulk_arrives_intact(void **state)
{
	(void)state;
	bulk();
}

static void interface_refuses_now_and_then_nothing_is_lost(void **state)
{
	(void)state;
	wire_netif_refuse(wire[0], 7);
	wire_netif_refuse(wire[1], 5);
	bulk();
	assert_int_equal(stack_counters(server->stack)[CTR_tx_failed], 0);
	assert_int_equal(stack_counters(server->stack)[CTR_TcpExtTCPTimeouts], 0);
}

/* What is dropped at home is not sent, so that nothing is missing at the peer. */
static void interface_drops_now_and_then_nothing_is_lost(void **state)
{
	const uint64_t *count;

	(void)state;
	wire_netif_drop(wire[0], 53);
	wire_netif_drop(wire[1], 31);
	bulk();
	count = stack_counters(server->stack);
	/* Where the peer's thread gets no CPU the wire fills, frames are held, and one of those that is dropped then is lost. */
	if (!count[CTR_tx_failed])
		assert_true(count[CTR_TcpRetransSegs] <= count[CTR_TcpExtTCPLossProbes] + count[CTR_TcpExtTCPTimeouts]);
}

static void large_frames_go_to_the_reader(void **state)
{
	unsigned i;

	(void)state;
	/* Whoever gets the CPU takes them; on a busy machine that is often not the reader. */
	for (i = 0; i < 10 && wire_netif_pieces(wire[0]) <= 20; i++)
		bulk();
	assert_true(wire_netif_pieces(wire[0]) > 20);
}

static int stored(engine_sock s)
{
	int n;

	engine_enter(client);
	n = tcp_inq(engine_slot(client, s)->conn);
	engine_exit(client);
	return n;
}

/* Who hears that there is something to read and doesn't read it is not waited for. */
static void large_frame_left_to_a_reader_is_taken_in(void **state)
{
	uint8_t *buf = malloc(CHUNK);
	struct iovec iov = { buf, CHUNK };
	unsigned nleft = 0;
	engine_sock c, s;
	size_t got = 0;
	ssize_t n;
	pthread_t t;

	(void)state;
	connect_pair(&c, &s);
	t = start(bulk_send_main, &s);
	do {
		n = engine_recv(client, c, &iov, 1, 0, 0, 0, NULL);
		got += n > 0 ? (size_t)n : 0;
		if (n != -EAGAIN || got == BULK_BYTES)
			continue;
		wait_for(client, c, POLLIN);
		if (nleft == 3 || stored(c))
			continue;
		if (nleft++)   /* and who waits again has it taken in at once */
			wait_for(client, c, POLLIN);
		for (int k = 0; nleft == 1 && k < 2000 && !stored(c); k++)
			nap(1);
		assert_true(stored(c) > 0);
	} while (n);
	assert_int_equal(got, BULK_BYTES);
	assert_true(nleft > 0);
	pthread_join(t, NULL);
	engine_release(client, c);
	engine_release(server, s);
	free(buf);
}

/* A program that never waits: the engine must progress by its calls alone. */
static void nonblocking_polling_makes_progress(void **state)
{
	uint32_t out = 7, in = 0;
	struct iovec o = { &out, sizeof(out) }, i = { &in, sizeof(in) };
	engine_sock c, s;
	pthread_t t;
	unsigned k;
	ssize_t n;

	(void)state;
	c = connect_echo(&t, &s);
	for (k = 0; k < 500; k++, out++) {
		assert_int_equal(engine_send(client, c, &o, 1, 0, MSG_DONTWAIT), sizeof(out));
		while ((n = engine_recv(client, c, &i, 1, 0, MSG_DONTWAIT, 0, NULL)) == -EAGAIN)
			;
		assert_int_equal(n, sizeof(in));
		assert_int_equal(in, out);
	}
	engine_release(client, c);
	pthread_join(t, NULL);
}

/* The loop thread alone takes in and acknowledges what comes for a busy program. */
static void program_away_peer_goes_on(void **state)
{
	static uint8_t data[20000];
	engine_sock c, s;
	int n = 0, k;

	(void)state;
	connect_pair(&c, &s);
	send_all(server, s, data, sizeof(data));
	for (k = 0; k < 1000 && n < (int)sizeof(data); k++) {
		nap(1);
		engine_enter(client);
		n = tcp_inq(engine_slot(client, c)->conn);
		engine_exit(client);
	}
	assert_int_equal(n, sizeof(data));
	engine_release(client, c);
	engine_release(server, s);
}

/* ---- waiting ---- */

static void silent_socket_wait_ends_at_deadline(void **state)
{
	struct engine_watch w = { .events = POLLIN };
	engine_sock c, s;
	xtime t0, took;

	(void)state;
	connect_pair(&c, &s);
	w.s = c;
	t0 = engine_now();
	assert_int_equal(engine_wait(client, &w, 1, NULL, 0, t0 + 30 * XTIME_MSEC, NULL), 0);
	took = engine_now() - t0;
	assert_in_range(took, 30 * XTIME_MSEC, 2 * XTIME_SEC);
	assert_int_equal(w.revents, 0);
	assert_int_equal(engine_wait(client, &w, 1, NULL, 0, 0, NULL), 0);
	w.events = POLLOUT;
	assert_int_equal(engine_wait(client, &w, 1, NULL, 0, 0, NULL), 1);
	assert_int_equal(w.revents, POLLOUT);
	engine_release(client, c);
	engine_release(server, s);
}

static void stale_handle_wait_says_nval(void **state)
{
	struct engine_watch w = { .events = POLLIN };

	(void)state;
	assert_int_equal(engine_socket(client, &w.s), 0);
	assert_int_equal(engine_release(client, w.s), 0);
	assert_int_equal(engine_wait(client, &w, 1, NULL, 0, XTIME_NEVER, NULL), 1);
	assert_int_equal(w.revents, POLLNVAL);
	assert_int_equal(engine_release(client, w.s), -EBADF);
	assert_int_equal(engine_shutdown(client, w.s, SHUT_WR), -EBADF);
	w.s = 0;
	assert_int_equal(engine_wait(client, &w, 1, NULL, 0, XTIME_NEVER, NULL), 1);
}

static void *wait_in_main(void *arg)
{
	struct engine_watch *w = arg;

	assert_int_equal(engine_wait(client, w, 1, NULL, 0, engine_now() + SOON, NULL), 1);
	return NULL;
}

static void waiting_socket_released_by_another_wakes(void **state)
{
	struct engine_watch w = { .events = POLLIN };
	engine_sock c, s;
	pthread_t t;

	(void)state;
	connect_pair(&c, &s);
	w.s = c;
	t = start(wait_in_main, &w);
	nap(20);
	assert_int_equal(engine_release(client, c), 0);
	pthread_join(t, NULL);
	assert_int_equal(w.revents, POLLNVAL);
	engine_release(server, s);
}

/* ---- exclusive waits ---- */

#define ACCEPTORS 4

static _Atomic unsigned woken[ACCEPTORS + 1], nwoken;

static void *acceptor_main(void *arg)
{
	unsigned i = (unsigned)(uintptr_t)arg;
	struct engine_watch w = { .s = listener, .events = POLLIN, .is_exclusive = true };

	engine_wait(server, &w, 1, NULL, 0, engine_now() + SOON, NULL);
	woken[atomic_fetch_add(&nwoken, 1)] = i;
	return NULL;
}

static void until_asleep(unsigned n)
{
	unsigned found = ~n;

	while (found != n) {
		nap(1);
		engine_enter(server);
		found = server->nwait;
		engine_exit(server);
	}
}

/* As accept() does: who has waited longest is woken, the next one when there is something for him, too. */
static void exclusive_waits_end_one_at_a_time_in_turn(void **state)
{
	pthread_t t[ACCEPTORS];
	engine_sock c[3], s;
	uintptr_t i;

	(void)state;
	nwoken = 0;
	for (i = 0; i < ACCEPTORS; i++) {
		t[i] = start(acceptor_main, (void *)i);
		until_asleep((unsigned)i + 1);
	}
	for (i = 0; i < 3; i++) {
		c[i] = connect_to_server();
		until_asleep(ACCEPTORS - 1 - (unsigned)i);
		pthread_join(t[i], NULL);
		assert_int_equal(nwoken, i + 1);
		assert_int_equal(woken[i], i);
		if (!i) {               /* it is taken: nobody else is woken for it */
			assert_int_equal(engine_accept(server, listener, &s), 0);
			engine_release(server, s);
			until_asleep(ACCEPTORS - 1);
		}
	}
	/* Two are there and one sleeps: who takes the first tells him of the second. */
	assert_int_equal(engine_accept(server, listener, &s), 0);
	engine_release(server, s);
	pthread_join(t[3], NULL);
	assert_int_equal(nwoken, ACCEPTORS);
	assert_int_equal(engine_accept(server, listener, &s), 0);
	engine_release(server, s);
	assert_int_equal(engine_accept(server, listener, &s), -EAGAIN);
	for (i = 0; i < 3; i++)
		engine_release(client, c[i]);
}

static void exclusive_waits_all_end_with_the_listener(void **state)
{
	pthread_t t[ACCEPTORS];
	uintptr_t i;

	(void)state;
	nwoken = 0;
	for (i = 0; i < ACCEPTORS; i++)
		t[i] = start(acceptor_main, (void *)i);
	until_asleep(ACCEPTORS);
	assert_int_equal(engine_shutdown(server, listener, SHUT_RDWR), 0);
	for (i = 0; i < ACCEPTORS; i++)
		pthread_join(t[i], NULL);
}

static void *write_pipe_main(void *arg)
{
	nap(20);
	assert_int_equal(write(*(int *)arg, "x", 1), 1);
	return NULL;
}

static void waiting_extra_fd_ready_wakes(void **state)
{
	struct engine_watch w = { .events = POLLIN };
	struct pollfd fds[40];
	engine_sock c, s;
	int p[2], i;
	pthread_t t;

	(void)state;
	connect_pair(&c, &s);
	w.s = c;
	assert_int_equal(pipe(p), 0);
	for (i = 0; i < 40; i++)
		fds[i] = (struct pollfd){ .fd = i == 39 ? p[0] : -1, .events = POLLIN };
	t = start(write_pipe_main, &p[1]);
	assert_int_equal(engine_wait(client, &w, 1, fds, 40, engine_now() + SOON, NULL), 1);
	assert_int_equal(fds[39].revents, POLLIN);
	assert_int_equal(w.revents, 0);
	/* Both at once, without a sleep. */
	w.events = POLLOUT;
	assert_int_equal(engine_wait(client, &w, 1, fds, 40, XTIME_NEVER, NULL), 2);
	pthread_join(t, NULL);
	close(p[0]);
	close(p[1]);
	engine_release(client, c);
	engine_release(server, s);
}

/* One thread sleeps on a silent socket and drives; another's traffic must not suffer, and the
 * first must wake when its turn comes. */
static void idle_driver_others_are_served(void **state)
{
	struct engine_watch w = { .events = POLLIN };
	engine_sock quiet_c, quiet_s, c, s;
	pthread_t sleeper, echo;
	uint32_t x = 1;

	(void)state;
	connect_pair(&quiet_c, &quiet_s);
	w.s = quiet_c;
	sleeper = start(wait_in_main, &w);
	nap(20);
	c = connect_echo(&echo, &s);
	ping_pong(c, 500, 77);
	send_all(server, quiet_s, &x, sizeof(x));
	pthread_join(sleeper, NULL);
	assert_int_equal(w.revents, POLLIN);
	ping_pong(c, 100, 99);
	engine_release(client, c);
	pthread_join(echo, NULL);
	engine_release(client, quiet_c);
	engine_release(server, quiet_s);
}

struct worker {
	engine_sock c, s;
	pthread_t t, echo;
	uint32_t seed;
};

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	ping_pong(w->c, 400, w->seed);
	return NULL;
}

static void many_threads_each_its_socket(void **state)
{
	struct worker w[MAX_THREADS];
	unsigned i;

	(void)state;
	for (i = 0; i < MAX_THREADS; i++) {
		w[i].seed = i << 20;
		w[i].c = connect_echo(&w[i].echo, &w[i].s);
	}
	for (i = 0; i < MAX_THREADS; i++)
		w[i].t = start(worker_main, &w[i]);
	for (i = 0; i < MAX_THREADS; i++) {
		pthread_join(w[i].t, NULL);
		engine_release(client, w[i].c);
		pthread_join(w[i].echo, NULL);
	}
}

static void *recv_one_main(void *arg)
{
	engine_sock c = *(engine_sock *)arg;
	char x;

	return (void *)recv_all(client, c, &x, 1);
}

static void many_threads_one_socket_each_gets_a_byte(void **state)
{
	pthread_t t[MAX_THREADS];
	engine_sock c, s;
	void *got;
	unsigned i;

	(void)state;
	connect_pair(&c, &s);
	for (i = 0; i < MAX_THREADS; i++)
		t[i] = start(recv_one_main, &c);
	nap(10);
	for (i = 0; i < MAX_THREADS; i++) {
		send_all(server, s, "x", 1);
		nap(1);
	}
	for (i = 0; i < MAX_THREADS; i++) {
		pthread_join(t[i], &got);
		assert_int_equal((size_t)got, 1);
	}
	engine_release(client, c);
	engine_release(server, s);
}

/* poll() with no events asked for still tells of a hang-up; a watch can be silenced. */
static void waiting_for_nothing_hangup_wakes(void **state)
{
	struct linger abort = { 1, 0 };
	struct engine_watch w = { .events = 0 };
	engine_sock c, s;

	(void)state;
	connect_pair(&c, &s);
	w.s = c;
	assert_int_equal(engine_wait(client, &w, 1, NULL, 0, 0, NULL), 0);
	assert_int_equal(engine_setopt(server, s, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort), false), 0);
	engine_release(server, s);
	assert_int_equal(engine_wait(client, &w, 1, NULL, 0, engine_now() + SOON, NULL), 1);
	assert_int_equal(w.revents, POLLERR | POLLHUP);
	w.events = ENGINE_EV_NONE;
	assert_int_equal(engine_wait(client, &w, 1, NULL, 0, 0, NULL), 0);
	engine_release(client, c);
}

/* SO_RCVLOWAT isn't all: MSG_WAITALL with MSG_PEEK waits for its own number of bytes. */
static void waiting_for_more_bytes_fewer_do_not_wake(void **state)
{
	struct engine_watch w = { .events = POLLIN | POLLRDHUP, .at_least = 3 };
	engine_sock c, s;

	(void)state;
	connect_pair(&c, &s);
	w.s = c;
	send_all(server, s, "xy", 2);
	wait_for(client, c, POLLIN);
	assert_int_equal(engine_wait(client, &w, 1, NULL, 0, engine_now() + 20 * XTIME_MSEC, NULL), 0);
	send_all(server, s, "z", 1);
	assert_int_equal(engine_wait(client, &w, 1, NULL, 0, engine_now() + SOON, NULL), 1);
	assert_int_equal(w.revents, POLLIN);
	w.at_least = 4;
	engine_shutdown(server, s, SHUT_WR);
	assert_int_equal(engine_wait(client, &w, 1, NULL, 0, engine_now() + SOON, NULL), 1);
	assert_int_equal(w.revents, POLLIN | POLLRDHUP);
	engine_release(client, c);
	engine_release(server, s);
}

/* ---- mirrors ---- */

static uint32_t mirrored(struct mirror *m)
{
	uint32_t events;

	engine_enter(client);
	events = m->events;
	engine_exit(client);
	return events;
}

static void mirrored_socket_changes_are_told(void **state)
{
	struct mirror m = { 0 };
	engine_sock c, s;
	char x;
	int k;

	(void)state;
	connect_pair(&c, &s);
	assert_int_equal(engine_mirror(client, c, &m), 0);
	assert_int_equal(m.calls, 1);
	assert_int_equal(m.events & (POLLIN | POLLOUT), POLLOUT);
	send_all(server, s, "x", 1);
	for (k = 0; k < 2000 && !(mirrored(&m) & POLLIN); k++)
		nap(1);
	assert_true(mirrored(&m) & POLLIN);
	assert_true(m.edges > 0);
	assert_int_equal(recv_all(client, c, &x, 1), 1);
	assert_false(mirrored(&m) & POLLIN);
	assert_int_equal(engine_mirror(client, c, NULL), 0);
	assert_int_equal(client->nmirror, 0);
	engine_release(client, c);
	engine_release(server, s);
}

/* ---- stress ---- */

static uint32_t next_random(uint32_t *x)
{
	*x = *x * 1664525u + 1013904223u;
	return *x >> 8;
}

/* Ping-pong in every way that there is, for a while. */
static void *stress_main(void *arg)
{
	struct worker *w = arg;
	uint32_t x = w->seed, out = 0, in;
	xtime end = engine_now() + 3 * XTIME_SEC;
	struct iovec iov = { &in, sizeof(in) };
	struct engine_watch watch = { .s = w->c };
	ssize_t n;

	while (engine_now() < end) {
		out++;
		send_all(client, w->c, &out, sizeof(out));
		switch (next_random(&x) % 5) {
		case 0:         /* polls */
			while (engine_recv(client, w->c, &iov, 1, 0, MSG_DONTWAIT | MSG_PEEK, 0, NULL) == -EAGAIN)
				;
			break;
		case 1:         /* short sleeps */
			watch.events = POLLIN;
			while (!engine_wait(client, &watch, 1, NULL, 0,
					    engine_now() + next_random(&x) % 200 * XTIME_USEC, NULL))
				;
			break;
		case 2:         /* is away */
			nap((int)(next_random(&x) % 3));
			break;
		default:
			break;
		}
		n = (ssize_t)recv_all(client, w->c, &in, sizeof(in));
		assert_int_equal(n, sizeof(in));
		assert_int_equal(in, out);
	}
	return NULL;
}

static void random_waits_no_wakeup_is_lost(void **state)
{
	struct worker w[MAX_THREADS];
	unsigned i;

	(void)state;
	for (i = 0; i < MAX_THREADS; i++) {
		w[i].seed = 1000 + i;
		w[i].c = connect_echo(&w[i].echo, &w[i].s);
	}
	for (i = 0; i < MAX_THREADS; i++)
		w[i].t = start(stress_main, &w[i]);
	for (i = 0; i < MAX_THREADS; i++) {
		pthread_join(w[i].t, NULL);
		engine_release(client, w[i].c);
		pthread_join(w[i].echo, NULL);
	}
}

/* A server of one thread that waits for all of its sockets at once, as with poll(). */
#define WATCHES 64

static atomic_bool is_over;

static bool echo_some(engine_sock s)
{
	char buf[1000];
	struct iovec iov = { buf, sizeof(buf) };
	ssize_t n = engine_recv(server, s, &iov, 1, 0, MSG_DONTWAIT, 0, NULL);

	if (n > 0) {
		iov.iov_len = (size_t)n;
		n = engine_send(server, s, &iov, 1, 0, MSG_DONTWAIT);
	}
	return n > 0 || n == -EAGAIN;
}

static void *poll_server_main(void *arg)
{
	struct engine_watch w[WATCHES] = { { .s = listener, .events = POLLIN } };
	unsigned n = 1, i;

	(void)arg;
	while (!is_over || n > 1) {
		engine_wait(server, w, n, NULL, 0, engine_now() + 20 * XTIME_MSEC, NULL);
		for (i = n; i-- > 1;) {
			if (!w[i].revents || echo_some(w[i].s))
				continue;
			engine_release(server, w[i].s);
			w[i] = w[--n];
		}
		if (w[0].revents && n < WATCHES && !engine_accept(server, listener, &w[n].s)) {
			w[n].events = POLLIN;
			w[n++].revents = 0;
		}
	}
	return NULL;
}

/* Opens, talks and ends in every way, over and over. */
static void *come_and_go_main(void *arg)
{
	struct linger abort = { 1, 0 };
	struct worker *w = arg;
	uint32_t x = w->seed;
	xtime end = engine_now() + 2 * XTIME_SEC;
	engine_sock c;
	char byte;

	while (engine_now() < end) {
		c = connect_to_server();
		ping_pong(c, next_random(&x) % 4, x);
		switch (next_random(&x) % 3) {
		case 0:
			engine_shutdown(client, c, SHUT_WR);
			assert_int_equal(recv_all(client, c, &byte, 1), 0);
			break;
		case 1:
			engine_setopt(client, c, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort), false);
			break;
		default:
			engine_shut(client, c);
			wait_for(client, c, TCP_EV_CLOSED);
			break;
		}
		engine_release(client, c);
	}
	return NULL;
}

static void random_comings_and_goings_all_are_served(void **state)
{
	struct worker w[4];
	pthread_t t;
	unsigned i;

	(void)state;
	is_over = false;
	t = start(poll_server_main, NULL);
	for (i = 0; i < 4; i++) {
		w[i].seed = 77 + i;
		w[i].t = start(come_and_go_main, &w[i]);
	}
	for (i = 0; i < 4; i++)
		pthread_join(w[i].t, NULL);
	is_over = true;
	pthread_join(t, NULL);
	assert_int_equal(client->slots.n, 0);
	assert_int_equal(server->slots.n, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define TEST_SUPER(f) cmocka_unit_test_setup_teardown(f, setup_super, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(connected_pingpong_every_answer_arrives),
		TEST(connected_bulk_arrives_intact),
		TEST_SUPER(connected_bulk_arrives_intact),
		TEST_SUPER(large_frames_go_to_the_reader),
		TEST_SUPER(large_frame_left_to_a_reader_is_taken_in),
		TEST_SUPER(interface_refuses_now_and_then_nothing_is_lost),
		TEST_SUPER(interface_drops_now_and_then_nothing_is_lost),
		TEST(nonblocking_polling_makes_progress),
		TEST(program_away_peer_goes_on),
		TEST(silent_socket_wait_ends_at_deadline),
		TEST(stale_handle_wait_says_nval),
		TEST(waiting_socket_released_by_another_wakes),
		TEST(exclusive_waits_end_one_at_a_time_in_turn),
		TEST(exclusive_waits_all_end_with_the_listener),
		TEST(waiting_extra_fd_ready_wakes),
		TEST(idle_driver_others_are_served),
		TEST(many_threads_each_its_socket),
		TEST(many_threads_one_socket_each_gets_a_byte),
		TEST(waiting_for_nothing_hangup_wakes),
		TEST(waiting_for_more_bytes_fewer_do_not_wake),
		TEST(mirrored_socket_changes_are_told),
		TEST(random_comings_and_goings_all_are_served),
		TEST(random_waits_no_wakeup_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
