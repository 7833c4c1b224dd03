/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_txdev.c - an interface that keeps frames for a while: automatic corking, small queues, and what
 * isn't sent again as it hasn't left.
 */
#include "harness.h"

#define NONE 0
#define ALL (1u << 30)         /* more than was ever handed over: nothing has left */

/* Established with TCP_NODELAY on an interface that is watched; nothing is in it. */
static void begin(struct rig *t)
{
	establish(t, NULL);
	t->c->opt.nodelay = true;
	stack_tx_watch(t->s, true);
}

static void left(struct rig *t, unsigned bytes)
{
	stack_tx_left(t->s, bytes);
	settle(t);
}

static void small_writes_wait_for_what_has_not_left(void **state)
{
	struct rig *t = *state;

	begin(t);
	put(t, 100);
	expect(t, "P. 1:101 ack 1");
	put(t, 50);
	put(t, 50);
	expect_nothing(t);
	left(t, ALL);
	expect_nothing(t);
	assert_int_equal(counted(t, CTR_TcpExtTCPAutoCorking), 1);
	left(t, NONE);
	expect(t, "P. 101:201 ack 1");
	assert_false(stack_tx_is_held(t->s));
	assert_int_equal(t->c->snd.in_device, 100 + TCP_SKB_COST);
}

/* What is known may be old: it was no waiting then, and isn't counted. */
static void small_write_goes_when_all_has_left_meanwhile(void **state)
{
	struct rig *t = *state;

	begin(t);
	put(t, 100);
	expect(t, "P. 1:101 ack 1");
	put(t, 100);
	left(t, NONE);
	expect(t, "P. 101:201 ack 1");
	assert_int_equal(counted(t, CTR_TcpExtTCPAutoCorking), 0);
}

/* tcp_should_autocork(): what is there must be as much as what waits. */
static void larger_write_does_not_wait(void **state)
{
	struct rig *t = *state;

	begin(t);
	put(t, 100);
	expect(t, "P. 1:101 ack 1");
	put(t, 101);
	expect(t, "P. 101:202 ack 1");
}

static void nothing_waits_when_all_is_acknowledged_or_it_is_off(void **state)
{
	struct rig *t = *state;

	begin(t);
	put(t, 100);
	expect(t, "P. 1:101 ack 1");
	inject(t, ". 1 ack 101");
	put(t, 100);
	expect(t, "P. 101:201 ack 1");
	t->s->set.tcp_autocorking = 0;
	put(t, 100);
	expect(t, "P. 201:301 ack 1");
}

/* An ACK lets go what waits, as in Linux (tcp_data_snd_check). */
static void ack_sends_what_waits(void **state)
{
	struct rig *t = *state;

	begin(t);
	put(t, 100);
	expect(t, "P. 1:101 ack 1");
	put(t, 60);
	expect_nothing(t);
	inject(t, ". 1 ack 101");
	expect(t, "P. 101:161 ack 1");
}

static void oldest_leave_first(void **state)
{
	struct rig *t = *state;

	begin(t);
	t->s->set.tcp_autocorking = 0;
	for (int i = 0; i < 4; i++) {
		put(t, 100);
		forget(t);
	}
	assert_int_equal(t->c->snd.in_device, 4 * (100 + TCP_SKB_COST));
	left(t, 2 * 960);        /* what two such frames are charged */
	assert_int_equal(t->c->snd.in_device, 2 * (100 + TCP_SKB_COST));
	left(t, 960 + 1);
	assert_int_equal(t->c->snd.in_device, 2 * (100 + TCP_SKB_COST));
	left(t, 960);
	assert_int_equal(t->c->snd.in_device, 100 + TCP_SKB_COST);
}

/* tcp_small_queue_check(): a millisecond's worth, and two segments at least. */
static void small_queue_bounds_what_is_handed_over(void **state)
{
	struct rig *t = *state;

	begin(t);
	t->s->set.tcp_limit_output_bytes = 3 * (1448 + (int)TCP_SKB_COST);
	put(t, 10 * 1448);
	assert_int_equal(forget(t), 3);
	left(t, ALL);
	expect_nothing(t);
	left(t, 2 * 2304);
	assert_int_equal(forget(t), 1);
	left(t, NONE);
	assert_int_equal(forget(t), 3);
	stack_tx_watch(t->s, false);
	settle(t);
	assert_int_equal(forget(t), 3);
}

static void segment_that_has_not_left_is_not_sent_again(void **state)
{
	struct rig *t = *state;
	xtime rto;

	begin(t);
	put(t, 100);
	expect(t, "P. 1:101 ack 1");
	rto = t->c->rtt.rto_ns;
	advance(t, 4 * rto);
	left(t, ALL);
	expect_nothing(t);
	assert_true(counted(t, CTR_TcpExtTCPSpuriousRtxHostQueues) >= 2);
	assert_int_equal(t->c->loss.retrans_out, 0);
	left(t, NONE);   /* tcp_tsq_write() */
	expect(t, "P. 1:101 ack 1");
}

static void connection_goes_before_its_frames(void **state)
{
	struct rig *t = *state;

	begin(t);
	put(t, 100);
	expect(t, "P. 1:101 ack 1");
	inject(t, "R. 1 ack 101");
	hang_up(t);
	stack_tx_left(t->s, NONE);
	assert_false(stack_tx_is_held(t->s));
}

static void refused_frame_is_not_in_it(void **state)
{
	struct rig *t = *state;

	begin(t);
	t->is_full = true;
	put(t, 100);
	assert_int_equal(t->c->snd.in_device, 0);
	assert_int_equal(t->s->txdev.total, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		own(small_writes_wait_for_what_has_not_left),
		own(small_write_goes_when_all_has_left_meanwhile),
		own(larger_write_does_not_wait),
		own(nothing_waits_when_all_is_acknowledged_or_it_is_off),
		own(ack_sends_what_waits),
		own(oldest_leave_first),
		own(small_queue_bounds_what_is_handed_over),
		own(segment_that_has_not_left_is_not_sent_again),
		own(connection_goes_before_its_frames),
		own(refused_frame_is_not_in_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
