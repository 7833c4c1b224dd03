/* SPDX-License-Identifier: BSD-2-Clause */
/* test_tcp_recv.c - what arrives: reassembly, SACK, ACKs, the window, urgent data. */
#include "harness.h"

/* `n` full segments from `from` on, each answered at once. */
static uint32_t recv_quickly(struct rig *t, uint32_t from, unsigned n)
{
	for (; n--; from += 1448) {
		inject(t, ". %u:%u ack 1", from, from + 1448);
		expect(t, ". 1 ack %u", from + 1448);
	}
	return from;
}

/* ---- in order ---- */

static void data_is_read_in_order(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	assert_int_equal(try_take(t, 100, 0), -EAGAIN);
	inject(t, "P. 1:101 ack 1");
	expect(t, ". 1 ack 101");
	assert_true(tcp_events(t->c) & POLLIN);
	assert_int_equal(tcp_inq(t->c), 100);
	take(t, 60);
	assert_int_equal(try_take(t, 100, 0), 40);
	assert_int_equal(try_take(t, 100, 0), -EAGAIN);
	assert_false(tcp_events(t->c) & POLLIN);
}

static void data_peeked_stays(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, "P. 1:101 ack 1");
	assert_int_equal(try_take(t, 1000, MSG_PEEK), 100);
	assert_int_equal(try_take(t, 10, MSG_TRUNC), 10);
	take(t, 90);
}

static void data_retransmitted_is_answered_with_dsack(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, "P. 1:101 ack 1");
	expect(t, ". 1 ack 101");
	inject(t, "P. 1:101 ack 1");
	expect(t, ". 1 ack 101 sack 1:101");
	take(t, 100);
	inject(t, "P. 51:151 ack 1");
	expect(t, ". 1 ack 151 sack 51:101");
	take(t, 50);
}

static void data_retransmitted_is_old_news_after_the_next(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, "P. 1:101 ack 1");
	expect(t, ". 1 ack 101");
	put(t, 10);
	expect(t, "P. 1:11 ack 101");
	take(t, 100);
	inject(t, "P. 51:151 ack 11");   /* interactive: its ACK waits */
	expect_nothing(t);
	inject(t, ". 151:1599 ack 11");
	expect(t, ". 11 ack 1599");
}

static void data_retransmitted_without_sack_is_acknowledged(void **state)
{
	struct rig *t = *state;

	establish(t, SYN_ACK_PLAIN);
	inject(t, "P. 1:101 ack 1");
	expect(t, ". 1 ack 101");
	inject(t, "P. 1:101 ack 1");
	expect(t, ". 1 ack 101");
	take(t, 100);
}

static void data_as_super_frame_counts_its_segments(void **state)
{
	struct rig *t = *state;
	uint64_t before, frames;

	establish(t, NULL);
	before = t->c->rcv.segs_in;
	frames = counted(t, CTR_TcpInSegs);
	inject_gso(t, 1448, "P. 1:14481 ack 1");
	expect(t, ". 1 ack 14481");
	assert_int_equal(t->c->rcv.segs_in - before, 10);
	assert_int_equal(counted(t, CTR_TcpInSegs) - frames, 1);   /* as Linux */
	take(t, 14480);
}

static void data_with_wrong_checksum_is_dropped(void **state)
{
	struct rig *t = *state;
	struct tcp_hdr th = { .sport = 80, .dport = 1, .seq = PEER_IRS + 1, .flags = TCPF_ACK };
	uint8_t seg[TCP_LEN_MAX];

	establish(t, NULL);
	th.dport = t->lport;
	inject_raw(t, seg, tcp_emit(seg, &th));
	expect_nothing(t);
	assert_int_equal(counted(t, CTR_tcp_csum), 1);
}

/* ---- out of order: RFC 2018, RFC 2883, as Linux puts the blocks ---- */

static void out_of_order_is_sacked_latest_first(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, ". 1001:2001 ack 1");
	expect(t, ". 1 ack 1 sack 1001:2001");
	inject(t, ". 3001:4001 ack 1");
	expect(t, ". 1 ack 1 sack 3001:4001 1001:2001");
	inject(t, ". 5001:6001 ack 1");
	expect(t, ". 1 ack 1 sack 5001:6001 3001:4001 1001:2001");
	inject(t, ". 7001:8001 ack 1");
	expect_after(t, 0, ". 1 ack 1 sack 7001:8001 5001:6001 3001:4001");   /* no RTT is known to compress for */
	assert_int_equal(try_take(t, 1, 0), -EAGAIN);
	inject(t, ". 2001:3001 ack 1");
	expect_after(t, 0, ". 1 ack 1 sack 1001:4001 7001:8001 5001:6001");
	inject(t, ". 1:1001 ack 1");
	expect(t, ". 1 ack 4001 sack 7001:8001 5001:6001");
	inject(t, ". 4001:5001 ack 1");
	expect(t, ". 1 ack 6001 sack 7001:8001");
	inject(t, ". 6001:7001 ack 1");
	expect(t, ". 1 ack 8001");
	take(t, 8000);
	expect_nothing(t);
}

static void out_of_order_without_timestamps_has_four_blocks(void **state)
{
	struct rig *t = *state;

	establish(t, "S. 0 ack 1 win 65535 mss 1460 sackOK wscale 7");
	for (unsigned i = 0; i < 5; i++)
		inject(t, ". %u:%u ack 1", 1001 + 2000 * i, 2001 + 2000 * i);
	assert_int_equal(forget(t), 4);
	inject(t, ". 11001:12001 ack 1");
	expect_after(t, 0, ". 1 ack 1 sack 11001:12001 9001:10001 7001:8001 5001:6001");
}

/* __tcp_ack_snd_check(): three ACKs at once, then one for all that comes in 5 % of an RTT. */
static void out_of_order_acks_are_compressed(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	t->c->rcv.rtt_ns = 10 * XTIME_MSEC;
	t->c->rtt.srtt8_us = 8 * 10000;
	for (unsigned i = 0; i < 3; i++) {
		inject(t, ". %u:%u ack 1", 1001 + 1000 * i, 2001 + 1000 * i);
		expect(t, ". 1 ack 1 sack 1001:%u", 2001 + 1000 * i);
	}
	inject(t, ". 4001:5001 ack 1");
	advance(t, 400 * XTIME_USEC);
	inject(t, ". 5001:6001 ack 1");
	expect_nothing(t);
	expect_after(t, 100 * XTIME_USEC, ". 1 ack 1 sack 1001:6001");
	assert_int_equal(counted(t, CTR_TcpExtTCPAckCompressed), 1);
	/* What fills the gap is acknowledged at once. */
	inject(t, ". 6001:7001 ack 1");
	inject(t, ". 1:1001 ack 1");
	expect(t, ". 1 ack 7001");
	expect_quiet(t, XTIME_MSEC);
	/* A new gap begins anew; tcp_comp_sack_nr ends it as well. */
	t->s->set.tcp_comp_sack_nr = 2;
	t->c->rcv.quick = 0;
	t->c->rcv.window_clamp = t->c->rcv.ssthresh;
	for (unsigned i = 0; i < 5; i++)
		inject(t, ". %u:%u ack 1", 8001 + 1000 * i, 9001 + 1000 * i);
	assert_int_equal(forget(t), 3);
	inject(t, ". 13001:14001 ack 1");
	expect(t, ". 1 ack 7001 sack 8001:14001");
}

/* tcp_sack_new_ofo_skb(): a third block isn't waited for, lest one be lost. */
static void out_of_order_blocks_beyond_two_are_not_held(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	t->c->rcv.rtt_ns = 10 * XTIME_MSEC;
	t->c->rtt.srtt8_us = 8 * 10000;
	inject(t, ". 1001:2001 ack 1");
	inject(t, ". 2001:3001 ack 1");
	inject(t, ". 4001:5001 ack 1");
	assert_int_equal(forget(t), 3);
	inject(t, ". 5001:6001 ack 1");
	expect_nothing(t);
	inject(t, ". 7001:8001 ack 1");
	expect(t, ". 1 ack 1 sack 7001:8001 4001:6001 1001:3001");
}

static void out_of_order_again_is_dsacked(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, ". 1001:2001 ack 1");
	expect(t, ". 1 ack 1 sack 1001:2001");
	inject(t, ". 3001:4001 ack 1");
	expect(t, ". 1 ack 1 sack 3001:4001 1001:2001");
	inject(t, ". 1001:2001 ack 1");
	expect(t, ". 1 ack 1 sack 1001:2001 1001:2001 3001:4001");
}

static void out_of_order_overlap_is_dsacked(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, ". 1001:2001 ack 1");
	expect(t, ". 1 ack 1 sack 1001:2001");
	inject(t, ". 501:1501 ack 1");
	expect(t, ". 1 ack 1 sack 1001:1501 501:2001");
	inject(t, ". 1:701 ack 1");
	expect(t, ". 1 ack 2001 sack 501:701");
	take(t, 2000);
}

static void out_of_order_without_sack_is_a_duplicate_ack(void **state)
{
	struct rig *t = *state;

	establish(t, SYN_ACK_PLAIN);
	for (unsigned i = 1; i < 4; i++) {
		inject(t, ". %u:%u ack 1", 1000 * i + 1, 1000 * i + 1001);
		expect(t, ". 1 ack 1");
	}
	inject(t, ". 1:1001 ack 1");
	expect(t, ". 1 ack 4001");
	take(t, 4000);
}

static void out_of_order_random_arrivals_are_whole(void **state)
{
	struct rig *t = *state;
	uint32_t seed = 4711;

	establish(t, NULL);
	for (unsigned i = 0; i < 20000 && t->ntaken < 60000; i++) {
		uint32_t from, len;

		seed = seed * 1664525 + 1013904223;
		from = t->ntaken + (seed >> 8) % 20000;
		len = 1 + (seed >> 4) % 1448;
		inject(t, ". %u:%u ack 1", from + 1, from + len + 1);
		forget(t);
		if (seed >> 30 == 0)
			try_take(t, 3000, 0);
	}
	assert_true(t->ntaken >= 60000);
}

/* ---- FIN ---- */

static void fin_is_the_end_of_the_stream(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, "FP. 1:101 ack 1");
	assert_int_equal(tcp_state(t->c), TCP_CLOSE_WAIT);
	assert_int_equal(tcp_events(t->c) & (POLLIN | POLLRDHUP | POLLHUP), POLLIN | POLLRDHUP);
	take(t, 100);
	take(t, 0);
	assert_int_equal(try_take(t, 10, 0), 0);
	assert_int_equal(try_take(t, 10, 0), 0);
}

/* The session counts as interactive from a FIN on: its ACK waits for what the program
 * will say. */
static void fin_with_data_is_acknowledged_late(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, "FP. 1:101 ack 1");
	expect_after(t, 40 * XTIME_MSEC, ". 1 ack 102");
	inject(t, "FP. 1:101 ack 1");
	expect(t, ". 1 ack 102 sack 1:102");
}

static void fin_alone_is_acknowledged_within_a_tick(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, "F. 1 ack 1");
	expect_nothing(t);
	expect_after(t, 4 * XTIME_MSEC, ". 1 ack 2");
	inject(t, "F. 1 ack 1");
	expect(t, ". 1 ack 2 sack 1:2");
}

static void fin_answered_at_once_is_one_segment(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, "F. 1 ack 1");
	hang_up(t);
	expect(t, "F. 1 ack 2");
	expect_nothing(t);
}

static void fin_out_of_order_waits(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, "FP. 101:201 ack 1");
	expect(t, ". 1 ack 1 sack 101:202");
	assert_int_equal(tcp_state(t->c), TCP_ESTABLISHED);
	inject(t, ". 1:101 ack 1");
	expect(t, ". 1 ack 202");
	assert_int_equal(tcp_state(t->c), TCP_CLOSE_WAIT);
	take(t, 200);
	assert_int_equal(try_take(t, 10, 0), 0);
}

static void fin_alone_out_of_order_waits(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, "F. 101 ack 1");
	expect(t, ". 1 ack 1 sack 101:102");
	inject(t, "P. 1:101 ack 1");
	expect(t, ". 1 ack 102");
	take(t, 100);
	assert_int_equal(try_take(t, 10, 0), 0);
}

/* The stream ends with the first of them: at 101 there never was a byte to read. */
static void fin_out_of_order_twice_is_the_first(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, "F. 101 ack 1");
	expect(t, ". 1 ack 1 sack 101:102");
	inject(t, "FP. 102:201 ack 1");
	expect(t, ". 1 ack 1 sack 101:202");
	inject(t, ". 1:101 ack 1");
	expect(t, ". 1 ack 102");
	assert_int_equal(tcp_state(t->c), TCP_CLOSE_WAIT);
	assert_int_equal(tcp_inq(t->c), 100);
	take(t, 100);
	assert_int_equal(try_take(t, 10, 0), 0);
}

/* Linux looks at SOCK_DONE before it looks at sk_err. */
static void fin_is_the_end_even_after_a_reset(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, "FP. 1:11 ack 1");
	take(t, 10);
	inject(t, "R 12");
	assert_int_equal(try_take(t, 10, 0), 0);
	assert_int_equal(tcp_take_error(t->c), EPIPE);
}

static void data_behind_the_fin_is_ignored(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, "FP. 1:101 ack 1");
	advance(t, XTIME_SEC);
	forget(t);
	inject(t, "P. 102:112 ack 1");
	expect_quiet(t, XTIME_SEC);
	assert_int_equal(tcp_inq(t->c), 100);
}

static void data_across_the_fin_adds_nothing(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, "FP. 1:101 ack 1");
	advance(t, XTIME_SEC);
	forget(t);
	inject(t, "P. 51:112 ack 1");
	expect(t, "R 1 nots");   /* data for nobody */
	assert_int_equal(tcp_inq(t->c), 100);
	take(t, 100);
	assert_int_equal(try_take(t, 1, 0), 0);
}

static void data_after_shutdown_read_is_still_taken(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	assert_int_equal(try_take(t, 1, 0), -EAGAIN);
	assert_int_equal(tcp_shutdown(t->c, SHUT_RD, t->now), 0);
	assert_int_equal(try_take(t, 1, 0), 0);
	inject(t, "P. 1:11 ack 1");
	expect(t, ". 1 ack 11");
	take(t, 10);
	assert_int_equal(try_take(t, 1, 0), 0);
}

/* ---- when to acknowledge ---- */

static void ack_is_quick_at_first_and_delayed_later(void **state)
{
	struct rig *t = *state;
	uint32_t at;

	establish(t, NULL);
	at = recv_quickly(t, 1, 16);
	/* The growing window has granted some more. */
	for (int i = 0; i < 4; i++)
		take(t, 4 * 1448);
	forget(t);
	for (int i = 0; i < 8; i++, at += 1448)
		inject(t, ". %u:%u ack 1", at, at + 1448);
	forget(t);
	advance(t, XTIME_SEC / 10);
	forget(t);
	take(t, 8 * 1448);
	forget(t);
	inject(t, "P. %u:%u ack 1", at, at + 100);
	expect_after(t, 40 * XTIME_MSEC, ". 1 ack %u", at + 100);
}

static void ack_of_every_second_full_segment(void **state)
{
	struct rig *t = *state;
	uint32_t at = 1;
	unsigned acks = 0;

	establish(t, NULL);
	for (int i = 0; i < 24; i++, at += 1448) {
		inject(t, ". %u:%u ack 1", at, at + 1448);
		take(t, 1448);
	}
	forget(t);
	for (int i = 0; i < 20; i++, at += 1448) {
		inject(t, ". %u:%u ack 1", at, at + 1448);
		take(t, 1448);
		acks += forget(t);
	}
	assert_int_equal(acks, 10);
}

static void ack_rides_on_the_answer(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, "P. 1:101 ack 1");
	expect(t, ". 1 ack 101");
	put(t, 10);
	expect(t, "P. 1:11 ack 101");
	inject(t, "P. 101:201 ack 11");
	expect_quiet(t, 10 * XTIME_MSEC);   /* interactive by now */
	put(t, 10);
	expect(t, "P. 11:21 ack 201");
	expect_quiet(t, 10 * XTIME_MSEC);
}

static void ack_after_our_fin_is_quick(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, "P. 1:101 ack 1");
	expect(t, ". 1 ack 101");
	assert_int_equal(tcp_shutdown(t->c, SHUT_WR, t->now), 0);
	settle(t);
	expect(t, "F. 1 ack 101");
	inject(t, "P. 101:201 ack 2");
	expect(t, ". 2 ack 201");   /* a FIN is no answer: the session is not interactive */
}

/* Linux 6.7, tcp_measure_rcv_mss(): the end of a write may be one full segment. */
static void ack_of_a_full_segment_with_push_goes_when_it_is_read(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, ". 1:1449 ack 1");
	expect(t, ". 1 ack 1449");
	take(t, 1448);
	t->c->rcv.quick = 0;
	t->c->rcv.window_clamp = t->c->rcv.ssthresh;   /* else the growing window asks for more */
	inject(t, ". 1449:2897 ack 1");
	take(t, 1448);
	expect_after(t, 40 * XTIME_MSEC, ". 1 ack 2897");
	inject(t, "P. 2897:4345 ack 1");
	expect_nothing(t);
	take(t, 1448);
	expect(t, ". 1 ack 4345");
}

static void ack_of_an_interactive_session_is_delayed(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, "P. 1:101 ack 1");
	expect(t, ". 1 ack 101");
	put(t, 10);
	expect(t, "P. 1:11 ack 101");
	inject(t, "P. 101:201 ack 11");
	expect_after(t, 40 * XTIME_MSEC, ". 11 ack 201");
	assert_int_equal(counted(t, CTR_TcpExtDelayedACKs), 1);
	/* After a pause of more than the RTO it is quick again. */
	advance(t, XTIME_SEC);
	inject(t, "P. 201:301 ack 11");
	expect(t, ". 11 ack 301");
}

/* ---- the window ---- */

static void window_of_a_small_buffer_closes_and_opens(void **state)
{
	struct rig *t = *state;

	dial_open(t);
	t->c->opt.rcvbuf = 8192;
	t->c->opt.is_rcvbuf_locked = true;
	assert_int_equal(dial_connect(t), 0);
	expect(t, "S 0 win 2920 mss 1460 sackOK wscale 0");
	t->ts = true;
	inject(t, SYN_ACK);
	expect(t, ". 1 ack 1 win 2920");
	for (int i = 0; i < 10 && t->c->rcv.wnd; i++) {
		uint32_t at = t->c->rcv.nxt - t->irs;

		inject(t, ". %u:%u ack 1", at, at + MIN(1000, t->c->rcv.wnd));
		advance(t, XTIME_SEC);
		assert_true(forget(t) > 0);
	}
	assert_int_equal(t->c->rcv.wnd, 0);
	inject(t, ". %u:%u ack 1", t->c->rcv.nxt - t->irs, t->c->rcv.nxt - t->irs + 1);
	expect(t, ". 1 ack %u win 0", t->c->rcv.nxt - t->irs);   /* a window probe */
	while (!t->first)
		take(t, 100);
	expect(t, ". 1 ack %u", t->c->rcv.nxt - t->irs);
	assert_true(t->th.wnd >= 536);   /* RFC 9293 3.8.6.2.2: no silly window */
}

static void window_does_not_shrink(void **state)
{
	struct rig *t = *state;
	uint32_t edge = 0, at = 1;

	establish(t, NULL);
	for (int i = 0; i < 200 && t->c->rcv.wnd > 1448; i++, at += 1448) {
		inject(t, ". %u:%u ack 1", at, at + 1448);
		if (tcp_ofo(t->c)->ranges.n)   /* beyond the edge, and something waits */
			break;
		while (t->first) {
			expect(t, ". 1 ack %u", t->c->rcv.nxt - t->irs);
			assert_true(at + 1448 + (uint32_t)t->th.wnd * 1024 + 1024 > edge);
			edge = at + 1448 + (uint32_t)t->th.wnd * 1024;
		}
	}
	assert_true(at > 60000);
}

static void window_grows_with_what_is_read(void **state)
{
	struct rig *t = *state;
	uint32_t at = 1;

	establish(t, NULL);
	for (int round = 0; round < 30; round++) {
		advance(t, 10 * XTIME_MSEC);
		for (int i = 0; i < 40; i++, at += 1448) {
			inject(t, ". %u:%u ack 1", at, at + 1448);
			take(t, 1448);
			while (t->first)
				expect(t, ". 1 ack %u", t->c->rcv.nxt - t->irs);
		}
	}
	assert_true(t->c->opt.rcvbuf > 131072);
	assert_true(t->c->rcv.wnd > 100000);
}

static void window_of_a_locked_buffer_does_not_grow(void **state)
{
	struct rig *t = *state;
	uint32_t at = 1;

	establish(t, NULL);
	t->c->opt.is_rcvbuf_locked = true;
	for (int round = 0; round < 30; round++) {
		advance(t, 10 * XTIME_MSEC);
		for (int i = 0; i < 40; i++, at += 1448) {
			inject(t, ". %u:%u ack 1", at, at + 1448);
			take(t, 1448);
		}
	}
	assert_int_equal(t->c->opt.rcvbuf, 131072);
	assert_true(t->c->rcv.wnd <= tcp_win_from_space(t->c, 131072));
}

/* ---- urgent data: RFC 9293 3.8.5, the byte before the pointer (RFC 6093) ---- */

static void urgent_byte_is_out_of_band(void **state)
{
	struct rig *t = *state;
	struct iovec iov = { &(uint8_t){ 0 }, 1 };
	int rflags = 0;

	establish(t, NULL);
	inject(t, "PU. 1:4 ack 1 urg 3");
	assert_true(tcp_events(t->c) & POLLPRI);
	take(t, 2);
	assert_true(tcp_at_mark(t->c));
	assert_int_equal(tcp_recv(t->c, &iov, 1, 0, MSG_OOB, 0, &rflags, t->now), 1);
	assert_int_equal(rflags, MSG_OOB);
	assert_int_equal(tcp_recv(t->c, &iov, 1, 0, MSG_OOB, 0, &rflags, t->now), -EINVAL);
	assert_false(tcp_events(t->c) & POLLPRI);
	assert_int_equal(try_take(t, 10, 0), -EAGAIN);
}

static void urgent_pointer_before_its_byte_says_wait(void **state)
{
	struct rig *t = *state;
	struct iovec iov = { &(uint8_t){ 0 }, 1 };

	establish(t, NULL);
	assert_int_equal(tcp_recv(t->c, &iov, 1, 0, MSG_OOB, 0, NULL, t->now), -EINVAL);
	inject(t, "U. 1 ack 1 urg 3");
	assert_int_equal(tcp_recv(t->c, &iov, 1, 0, MSG_OOB, 0, NULL, t->now), -EAGAIN);
	inject(t, "P. 1:6 ack 1");
	take(t, 2);
	t->ntaken++;   /* the urgent byte is passed over */
	take(t, 2);
	assert_int_equal(try_take(t, 10, 0), -EAGAIN);
}

static void urgent_byte_inline_stops_a_read(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	t->c->opt.oobinline = true;
	inject(t, "PU. 1:4 ack 1 urg 2");
	assert_int_equal(try_take(t, 10, 0), 1);
	assert_true(tcp_at_mark(t->c));
	assert_int_equal(try_take(t, 10, 0), 2);
}

static void urgent_byte_unread_gives_way_to_the_next(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, "PU. 1:4 ack 1 urg 3");
	inject(t, "PU. 4:7 ack 1 urg 3");
	assert_int_equal(try_take(t, 10, 0), 5);   /* the first is ordinary now */
}

/* Memory that was faulted in is worth keeping while data flows, and no longer. */
static void ring_that_is_empty_is_kept_for_a_second(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	for (unsigned i = 0; i < 40; i++)
		inject(t, ". %u:%u ack 1", 1 + i * 1000, 1001 + i * 1000);
	take(t, 40000);
	forget(t);
	assert_non_null(t->c->rcv.q.buf);
	assert_int_equal(t->c->rcv.q.head, 0);
	advance(t, XTIME_SEC - XTIME_MSEC);
	assert_non_null(t->c->rcv.q.buf);
	advance(t, 2 * XTIME_MSEC);
	assert_null(t->c->rcv.q.buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		own(data_is_read_in_order),
		own(data_peeked_stays),
		own(data_retransmitted_is_answered_with_dsack),
		own(data_retransmitted_is_old_news_after_the_next),
		own(data_retransmitted_without_sack_is_acknowledged),
		offload(data_as_super_frame_counts_its_segments),
		own(data_with_wrong_checksum_is_dropped),
		own(out_of_order_is_sacked_latest_first),
		own(out_of_order_without_timestamps_has_four_blocks),
		own(out_of_order_acks_are_compressed),
		own(out_of_order_blocks_beyond_two_are_not_held),
		own(out_of_order_again_is_dsacked),
		own(out_of_order_overlap_is_dsacked),
		own(out_of_order_without_sack_is_a_duplicate_ack),
		own(out_of_order_random_arrivals_are_whole),
		own(fin_is_the_end_of_the_stream),
		own(fin_with_data_is_acknowledged_late),
		own(fin_alone_is_acknowledged_within_a_tick),
		own(fin_answered_at_once_is_one_segment),
		own(fin_out_of_order_waits),
		own(fin_alone_out_of_order_waits),
		own(fin_out_of_order_twice_is_the_first),
		own(fin_is_the_end_even_after_a_reset),
		own(data_behind_the_fin_is_ignored),
		own(data_across_the_fin_adds_nothing),
		own(data_after_shutdown_read_is_still_taken),
		own(ack_is_quick_at_first_and_delayed_later),
		own(ack_of_every_second_full_segment),
		own(ack_rides_on_the_answer),
		own(ack_after_our_fin_is_quick),
		own(ack_of_a_full_segment_with_push_goes_when_it_is_read),
		own(ack_of_an_interactive_session_is_delayed),
		own(window_of_a_small_buffer_closes_and_opens),
		own(window_does_not_shrink),
		own(window_grows_with_what_is_read),
		own(window_of_a_locked_buffer_does_not_grow),
		own(urgent_byte_is_out_of_band),
		own(urgent_pointer_before_its_byte_says_wait),
		own(urgent_byte_inline_stops_a_read),
		own(urgent_byte_unread_gives_way_to_the_next),
		own(ring_that_is_empty_is_kept_for_a_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
