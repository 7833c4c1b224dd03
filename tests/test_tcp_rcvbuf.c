/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_tcp_rcvbuf.c - the receive buffer and the windows that a peer sees.  Figures are those
 * that Linux 6.18 advertised for the same segments.
 */
#include "harness.h"

#include <stdio.h>

#define SKB TCP_SKB_COST

/* The peer's super-frame of n bytes from seq on; what we answer is forgotten. */
static void burst(struct rig *t, uint32_t seq, uint32_t n)
{
	char text[64];

	snprintf(text, sizeof(text), ". %u:%u ack 1", seq, seq + n);
	inject_gso(t, 1448, text);
	forget(t);
}

static void window_opens_by_twice_what_arrives(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	assert_int_equal(t->c->rcv.wnd, 64512);
	burst(t, 1, 7240);
	assert_int_equal(t->c->rcv.scaling_ratio, 7240 * 256 / (7240 + SKB));
	assert_int_equal(t->c->rcv.wnd, 79872);
	burst(t, 7241, 7240);
	assert_int_equal(t->c->rcv.wnd, 94208);
}

static void buffer_follows_what_is_read_in_a_round_trip(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	t->c->rcv.rtt_ns = XTIME_MSEC;
	burst(t, 1, 46336);
	burst(t, 46337, 46424);
	advance(t, XTIME_MSEC);
	assert_int_equal(try_take(t, 92760, 0), 92760);
	assert_int_equal(t->c->rcv.space, 92760);
	/* 2 * 92760 and twice the growth of that over the first 14,480 bytes. */
	assert_int_equal(tcp_win_from_space(t->c, t->c->opt.rcvbuf) / 1000,
	                 (185520 + 2 * (185520ull * (92760 - 14480) / 14480)) / 1000);
	assert_int_equal(t->c->rcv.window_clamp, tcp_win_from_space(t->c, t->c->opt.rcvbuf));
	forget(t);
}

static void buffer_that_was_set_stays(void **state)
{
	struct rig *t = *state;
	int val = 100000;

	establish(t, NULL);
	assert_int_equal(tcp_setopt(t->c, SOL_SOCKET, SO_RCVBUF, &val, sizeof(val), false, t->now), 0);
	t->c->rcv.rtt_ns = XTIME_MSEC;
	burst(t, 1, 40000);
	advance(t, XTIME_MSEC);
	assert_int_equal(try_take(t, 40000, 0), 40000);
	assert_int_equal(t->c->opt.rcvbuf, 200000);
	forget(t);
}

/* tcp_sequence(): whole when nothing waits to be read, not at all otherwise. */
static void segment_across_the_edge_is_taken_by_an_empty_queue_only(void **state)
{
	struct rig *t = *state;

	establish(t, SYN_ACK_PLAIN);
	burst(t, 1, 4000);
	t->c->rcv.wnd = 5000;
	inject(t, ". 4001:12001 ack 1");
	expect(t, ". 1 ack 4001");
	assert_int_equal(tcp_inq(t->c), 4000);
	take(t, 4000);
	forget(t);
	t->c->rcv.wnd = 5000;
	t->c->rcv.wup = t->c->rcv.nxt;
	inject(t, ". 4001:12001 ack 1");
	assert_int_equal(tcp_inq(t->c), 8000);
	take(t, 8000);
	forget(t);
}

static void window_is_taken_back_only_if_allowed(void **state)
{
	struct rig *t = *state;
	uint32_t was;

	establish(t, NULL);
	was = t->c->rcv.wnd;
	t->c->opt.rcvbuf /= 2;
	burst(t, 1, 2048);
	assert_true(t->c->rcv.wnd >= was - 2048);
	t->s->set.tcp_shrink_window = 1;
	burst(t, 2049, 2048);
	assert_true(t->c->rcv.wnd < was - 4096);
}

/* Tiny segments with gaps between them fill the buffer: the next of them is dropped; one in order has
 * the farthest thrown away. */
static void overfull_buffer_throws_away_what_is_out_of_order(void **state)
{
	struct rig *t = *state;
	unsigned i;

	establish(t, NULL);
	t->c->opt.is_rcvbuf_locked = true;
	t->c->opt.rcvbuf = 40000;
	for (i = 0; i < 1000 && !counted(t, CTR_TcpExtTCPOFODrop); i++) {
		inject(t, ". %u:%u ack 1", 1001 + 2 * i, 1002 + 2 * i);
		forget(t);
	}
	assert_int_equal(i, 40000 / 768 + 2);
	assert_int_equal(counted(t, CTR_TcpExtPruneCalled), 1);
	assert_int_equal(counted(t, CTR_TcpExtRcvPruned), 1);
	assert_int_equal(counted(t, CTR_TcpExtOfoPruned), 0);
	assert_int_equal(counted(t, CTR_TcpExtTCPRcvCollapsed), 0);
	inject(t, ". 1:1001 ack 1");
	expect(t, ". 1 ack 1002");
	assert_int_equal(counted(t, CTR_TcpExtOfoPruned), 1);
	assert_int_equal(counted(t, CTR_TcpExtTCPRcvQDrop), 0);
	assert_in_range(t->c->rcv.rmem, 30000, 40704 - 40000 / 8 + 2304);
	take(t, 1001);
}

/* What comes is less than what goes for it. */
static void little_in_order_has_much_thrown_away(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	t->c->opt.is_rcvbuf_locked = true;
	t->c->opt.rcvbuf = 40000;
	for (unsigned i = 0; !counted(t, CTR_TcpExtTCPOFODrop); i++) {
		inject(t, ". %u:%u ack 1", 1001 + 2 * i, 1002 + 2 * i);
		forget(t);
	}
	inject(t, ". 1:2 ack 1");
	expect(t, ". 1 ack 2");
	assert_int_equal(counted(t, CTR_TcpExtOfoPruned), 1);
	assert_in_range(t->c->rcv.rmem, 30000, 40000);
	take(t, 1);
}

/* The same without gaps: they are put together. */
static void overfull_buffer_is_collapsed(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	t->c->opt.is_rcvbuf_locked = true;
	t->c->opt.rcvbuf = 40000;
	for (unsigned i = 0; i < 200; i++) {
		inject(t, ". %u:%u ack 1", 2000 - i, 2001 - i);
		forget(t);
	}
	assert_true(counted(t, CTR_TcpExtTCPRcvCollapsed) > 0);
	assert_int_equal(counted(t, CTR_TcpExtTCPOFODrop), 0);
	assert_int_equal(counted(t, CTR_TcpExtRcvPruned), 0);
	assert_true(t->c->rcv.rmem <= 40000);
}

/* tcp_rcv_rtt_measure_ts(): before the segment is queued; what finds others there says how slowly the
 * program reads. */
static void round_trip_grows_while_nothing_waits(void **state)
{
	struct rig *t = *state;
	xtime rtt;

	establish(t, NULL);
	t->c->rcv.rtt_ns = XTIME_MSEC;
	advance(t, 100 * XTIME_MSEC);
	inject(t, ". 1:1449 ack 1");
	forget(t);
	rtt = t->c->rcv.rtt_ns;
	assert_in_range(rtt, 13 * XTIME_MSEC, 15 * XTIME_MSEC);
	advance(t, 100 * XTIME_MSEC);
	t->c->rcv.rtt_last_tsecr = 0;
	inject(t, ". 1449:2897 ack 1");
	assert_true(t->c->rcv.rtt_ns == rtt);
	take(t, 2896);
	forget(t);
}

/* The program has not read, and what lies beyond the gap fills the buffer: the gap can still be closed. */
static void window_that_shrinks_leaves_room_for_the_gap(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	t->s->set.tcp_shrink_window = 1;
	t->c->opt.is_rcvbuf_locked = true;
	t->c->opt.rcvbuf = 5000;
	burst(t, 2897, 5792);
	assert_in_range(t->c->rcv.wnd, 2896, 2896 + 2048);
	inject(t, ". 1:2897 ack 1");
	assert_int_equal(tcp_inq(t->c), 7240);   /* what was farthest had to go */
	take(t, 7240);
	forget(t);
}

static void memory_is_charged_and_given_back(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	burst(t, 1, 7240);
	assert_int_equal(t->c->rcv.rmem, 7240 + SKB);
	burst(t, 7241, 1448);
	assert_int_equal(t->c->rcv.rmem, 8688 + 2 * SKB);
	take(t, 4344);
	assert_int_equal(t->c->rcv.rmem, (8688 + 2 * SKB) / 2);
	take(t, 4344);
	assert_int_equal(t->c->rcv.rmem, 0);
	forget(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		own(window_opens_by_twice_what_arrives),
		own(buffer_follows_what_is_read_in_a_round_trip),
		own(buffer_that_was_set_stays),
		own(segment_across_the_edge_is_taken_by_an_empty_queue_only),
		own(window_is_taken_back_only_if_allowed),
		own(overfull_buffer_throws_away_what_is_out_of_order),
		own(little_in_order_has_much_thrown_away),
		own(overfull_buffer_is_collapsed),
		own(round_trip_grows_while_nothing_waits),
		own(window_that_shrinks_leaves_room_for_the_gap),
		own(memory_is_charged_and_given_back),
	};

	return cmocka_run_group_tests_name("tcp_rcvbuf", tests, NULL, NULL);
}
