/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_engine_owing.c - acknowledgments that wait for what the program says next, and leave without it.
 */
#include "engine.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine_pair.h"
#include "wire_netif.h"

#define ROUNDS 40

struct sent {
	uint64_t frames;
	unsigned batches;
};

static struct sent sent_by(struct engine *e, int end)
{
	struct sent n;

	engine_enter(e);
	n.frames = stack_counters(e->stack)[CTR_frames_out];
	n.batches = wire_netif_batches(wire[end]);
	engine_exit(e);
	return n;
}

static engine_sock answered[ROUNDS];

static void *answer_main(void *arg)
{
	uint32_t v;

	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		int r;

		while ((r = engine_accept(server, listener, &answered[i])) == -EAGAIN)
			wait_for(server, listener, POLLIN);
		assert_int_equal(r, 0);
		assert_int_equal(recv_all(server, answered[i], &v, sizeof(v)), sizeof(v));
		send_all(server, answered[i], &v, sizeof(v));
	}
	return NULL;
}

/* SYN, ACK, request, ACK, and SYN-ACK, ACK, answer: the frames are Linux's, but leave with what follows.  A thread that is held
 * up for longer than the lease has them sent, so only some are asked for. */
static void answered_acks_leave_with_the_answer(void **state)
{
	engine_sock c, s, one[ROUNDS];
	struct sent by_client, by_server;
	pthread_t t;
	uint32_t v = 7;

	(void)state;
	connect_pair(&c, &s);            /* ARP is over */
	nap(20);                         /* and its handshake */
	by_client = sent_by(client, 0);
	by_server = sent_by(server, 1);
	t = start(answer_main, NULL);
	for (int i = 0; i < ROUNDS; i++) {
		one[i] = connect_to_server();
		send_all(client, one[i], &v, sizeof(v));
		assert_int_equal(recv_all(client, one[i], &v, sizeof(v)), sizeof(v));
	}
	pthread_join(t, NULL);
	nap(20);
	assert_int_equal(sent_by(client, 0).frames - by_client.frames, 4 * ROUNDS);
	assert_in_range(sent_by(client, 0).batches - by_client.batches, 2 * ROUNDS, 4 * ROUNDS - 2);
	assert_int_equal(sent_by(server, 1).frames - by_server.frames, 3 * ROUNDS);
	assert_in_range(sent_by(server, 1).batches - by_server.batches, 2 * ROUNDS, 3 * ROUNDS - 1);
	for (int i = 0; i < ROUNDS; i++) {
		engine_release(client, one[i]);
		engine_release(server, answered[i]);
	}
	engine_release(client, c);
	engine_release(server, s);
}

static void *read_main(void *arg)
{
	uint32_t v;

	assert_int_equal(recv_all(server, *(engine_sock *)arg, &v, sizeof(v)), sizeof(v));
	return NULL;
}

/* Before the retransmission, for which the minimum is 200 ms. */
static void unanswered_ack_leaves_with_the_lease(void **state)
{
	uint32_t v = 7;
	engine_sock c, s;
	pthread_t t;
	int left = 1;

	(void)state;
	connect_pair(&c, &s);
	t = start(read_main, &s);
	send_all(client, c, &v, sizeof(v));
	pthread_join(t, NULL);
	for (xtime end = engine_now() + SOON; left && engine_now() < end; nap(1)) {
		engine_enter(client);
		left = tcp_outq(engine_slot(client, c)->conn);
		engine_exit(client);
	}
	assert_int_equal(left, 0);
	engine_enter(client);
	assert_int_equal(stack_counters(client->stack)[CTR_TcpRetransSegs], 0);
	engine_exit(client);
	engine_release(client, c);
	engine_release(server, s);
}

/* A client that has nothing to say yet is accepted all the same, long before the SYN-ACK is sent again. */
static void silent_client_is_accepted(void **state)
{
	struct engine_watch w = { .s = listener, .events = POLLIN };
	engine_sock c, s;
	xtime before;

	(void)state;
	before = engine_now();
	c = connect_to_server();
	assert_int_equal(engine_wait(server, &w, 1, NULL, 0, before + SOON, NULL), 1);
	assert_in_range(engine_now() - before, 0, XTIME_SEC - 1);
	assert_int_equal(engine_accept(server, listener, &s), 0);
	engine_release(client, c);
	engine_release(server, s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(answered_acks_leave_with_the_answer),
		TEST(unanswered_ack_leaves_with_the_lease),
		TEST(silent_client_is_accepted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
