/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_tcp_loss.c - what is sent again and when, and what that does to the congestion window.
 * The sequences with their windows are those that Linux 6.18 showed with CUBIC.
 */
#include "harness.h"

#define INFINITE TCP_CWND_INFINITE

/* Congestion control as a program sees it in TCP_INFO. */
#define expect_cc(t, state, window, threshold) do { \
	assert_int_equal((t)->c->loss.ca_state, state); \
	assert_int_equal((t)->c->cc.cwnd, window); \
	assert_int_equal((t)->c->cc.ssthresh, threshold); \
} while (0)

/* An RTT of 10 ms, and an idle time after the handshake. */
static void establish_10ms(struct rig *t, const char *syn_ack)
{
	dial(t);
	advance(t, 10 * XTIME_MSEC);
	t->ts = strstr(syn_ack, " ts") != NULL;
	inject(t, "%s", syn_ack);
	expect(t, ". 1 ack 1");
	advance(t, 20 * XTIME_MSEC);
}

/* n full segments are in flight for 20 ms. */
static void flight(struct rig *t, unsigned n)
{
	establish_10ms(t, SYN_ACK);
	put(t, n * 1448);
	assert_int_equal(forget(t), n);
	advance(t, 20 * XTIME_MSEC);
}

/* ---- RTT and RTO: RFC 6298 ---- */

static void rto_follows_the_first_sample(void **state)
{
	struct rig *t = *state;

	establish_10ms(t, SYN_ACK);
	assert_int_equal(t->c->rtt.srtt8_us >> 3, 10000);
	assert_int_equal(t->c->rtt.rto_ns, 210 * XTIME_MSEC);
}

static void rto_follows_later_samples(void **state)
{
	struct rig *t = *state;

	establish_10ms(t, SYN_ACK);
	put(t, 100);
	advance(t, 18 * XTIME_MSEC);
	inject(t, ". 1 ack 101");
	assert_int_equal(t->c->rtt.srtt8_us >> 3, 11000);   /* 7/8 * 10 + 1/8 * 18 */
	assert_int_equal(t->c->rtt.min_us, 10000);
	assert_int_equal(t->c->rtt.rto_ns, 211 * XTIME_MSEC);
}

static void rto_of_a_wild_path_is_long(void **state)
{
	struct rig *t = *state;

	dial(t);
	t->ts = true;
	advance(t, 900 * XTIME_MSEC);
	inject(t, SYN_ACK);
	assert_int_equal(t->c->rtt.rto_ns, 2700 * XTIME_MSEC);   /* SRTT + 4 * SRTT / 2 */
}

static void rto_backs_off_and_gives_up(void **state)
{
	struct rig *t = *state;
	xtime start, rto = 210 * XTIME_MSEC;

	establish_10ms(t, "S. 0 ack 1 win 65535 mss 1460");   /* no SACK: no probe before */
	start = t->now;
	put(t, 100);
	expect(t, "P. 1:101 ack 1");
	for (int i = 0; i < 15; i++) {
		expect_after(t, rto, "P. 1:101 ack 1");
		rto = MIN(2 * rto, 120 * XTIME_SEC);
	}
	advance(t, 130 * XTIME_SEC);
	expect_nothing(t);
	assert_int_equal(tcp_take_error(t->c), ETIMEDOUT);
	assert_in_range((t->now - start) / XTIME_SEC, 900, 1100);
}

static void rto_user_timeout_ends_it_sooner(void **state)
{
	struct rig *t = *state;
	xtime start;

	establish_10ms(t, SYN_ACK);
	t->c->opt.user_timeout_ms = 1500;
	put(t, 100);
	start = t->now;
	while (tcp_state(t->c) == TCP_ESTABLISHED && t->now - start < 10 * XTIME_SEC)
		advance(t, 10 * XTIME_MSEC);
	assert_in_range((t->now - start) / XTIME_MSEC, 1500, 2200);
	assert_int_equal(tcp_take_error(t->c), ETIMEDOUT);
}

static void rto_sample_of_a_retransmission_comes_from_its_timestamp(void **state)
{
	struct rig *t = *state;

	flight(t, 1);
	expect_after(t, 190 * XTIME_MSEC, "P. 1:1449 ack 1");
	advance(t, 10 * XTIME_MSEC);
	inject(t, ". 1 ack 1449");   /* echoes the retransmission */
	assert_in_range(t->c->rtt.srtt8_us >> 3, 9500, 10500);
	assert_in_range(t->c->rtt.rto_ns / XTIME_MSEC, 205, 215);
}

static void rto_without_timestamps_ignores_retransmissions(void **state)
{
	struct rig *t = *state;

	establish_10ms(t, SYN_ACK_PLAIN);
	put(t, 100);
	expect(t, "P. 1:101 ack 1");
	expect_after(t, 210 * XTIME_MSEC, "P. 1:101 ack 1");
	advance(t, 10 * XTIME_MSEC);
	inject(t, ". 1 ack 101");
	assert_int_equal(t->c->rtt.srtt8_us >> 3, 10000);
	assert_int_equal(t->c->rtt.rto_ns, 420 * XTIME_MSEC);   /* Karn: kept until a new sample */
}

/* ---- fast retransmit with SACK ---- */

static void sack_third_retransmits(void **state)
{
	struct rig *t = *state;

	flight(t, 10);
	inject(t, ". 1 ack 1 sack 1449:2897");
	expect_cc(t, CA_DISORDER, 10, INFINITE);
	advance(t, XTIME_MSEC);
	inject(t, ". 1 ack 1 sack 1449:4345");
	expect_cc(t, CA_DISORDER, 10, INFINITE);
	expect_nothing(t);
	advance(t, XTIME_MSEC);
	inject(t, ". 1 ack 1 sack 1449:5793");
	expect(t, ". 1:1449 ack 1");
	expect_nothing(t);
	expect_cc(t, CA_RECOVERY, 7, 7);
	advance(t, XTIME_MSEC);
	inject(t, ". 1 ack 1 sack 1449:14481");
	expect_nothing(t);
	advance(t, 20 * XTIME_MSEC);
	inject(t, ". 1 ack 14481");
	expect_cc(t, CA_OPEN, 7, 7);
	assert_int_equal(counted(t, CTR_TcpExtTCPFastRetrans), 1);
}

static void sack_of_all_but_the_first_retransmits_at_once(void **state)
{
	struct rig *t = *state;

	flight(t, 10);
	inject(t, ". 1 ack 1 sack 1449:14481");
	expect(t, ". 1:1449 ack 1");
	expect_nothing(t);
	advance(t, 20 * XTIME_MSEC);
	inject(t, ". 1 ack 14481");
	expect_cc(t, CA_OPEN, 7, 7);
}

static void sack_of_many_holes_fills_them(void **state)
{
	struct rig *t = *state;

	flight(t, 10);
	inject(t, ". 1 ack 1 sack 1449:2897 4345:5793 7241:14481");
	expect(t, ". 1:1449 ack 1");
	advance(t, 20 * XTIME_MSEC);
	inject(t, ". 1 ack 2897 sack 4345:5793 7241:14481");
	expect(t, ". 2897:4345 ack 1");
	expect(t, ". 5793:7241 ack 1");
	expect_nothing(t);
	advance(t, 20 * XTIME_MSEC);
	inject(t, ". 1 ack 14481");
	assert_int_equal(t->c->loss.ca_state, CA_OPEN);
}

static void sack_inside_a_segment_splits_it(void **state)
{
	struct rig *t = *state;

	establish_10ms(t, SYN_ACK);
	t->c->s->set.tcp_min_tso_segs = 64;
	put(t, 7240);
	expect(t, "P. 1:7241 ack 1 gso 1448");
	advance(t, 20 * XTIME_MSEC);
	inject(t, ". 1 ack 1 sack 1449:7241");
	expect(t, ". 1:1449 ack 1 gso 0");
	expect_nothing(t);
	assert_int_equal(t->c->loss.packets_out, 5);
	assert_int_equal(t->c->loss.sacked_out, 4);
}

/* As in Linux what is marked are whole segments: those that the blocks cover. */
static void sack_of_parts_counts_whole_segments(void **state)
{
	struct rig *t = *state;
	struct tx_seg *seg;

	establish_10ms(t, SYN_ACK);
	t->c->s->set.tcp_min_tso_segs = 64;
	put(t, 7240);
	expect(t, "P. 1:7241 ack 1 gso 1448");
	inject(t, ". 1 ack 1 sack 2000:5000");
	assert_int_equal(t->c->loss.packets_out, 5);
	assert_int_equal(t->c->loss.sacked_out, 1);
	seg = txq_at(&t->c->snd.txq, txq_find(&t->c->snd.txq, t->c->snd.una + 2896));
	assert_int_equal(seg->seq - t->c->snd.una, 2896);
	assert_int_equal(seg->end - seg->seq, 1448);
	assert_int_equal(seg->flags & SEG_SACKED, SEG_SACKED);
}

static void sack_of_single_bytes_splits_no_segment(void **state)
{
	struct rig *t = *state;

	establish_10ms(t, SYN_ACK);
	t->c->s->set.tcp_min_tso_segs = 64;
	put(t, 7240);
	expect(t, "P. 1:7241 ack 1 gso 1448");
	for (unsigned at = 3; at < 7200; at += 7)
		inject(t, ". 1 ack 1 sack %u:%u", at, at + 1);
	assert_in_range(t->c->snd.txq.n, 1, 5);
	assert_int_equal(t->c->loss.sacked_out, 0);
}

static void sack_super_frame_lost_whole_is_sent_as_one(void **state)
{
	struct rig *t = *state;

	establish_10ms(t, SYN_ACK);
	t->c->s->set.tcp_min_tso_segs = 64;
	put(t, 4 * 1448);
	put(t, 4 * 1448);
	assert_int_equal(forget(t), 2);
	advance(t, 20 * XTIME_MSEC);
	inject(t, ". 1 ack 1 sack 5793:11585");
	expect(t, "P. 1:5793 ack 1 gso 1448");
	expect_nothing(t);
}

static void sack_nonsense_is_ignored(void **state)
{
	struct rig *t = *state;

	flight(t, 4);
	inject(t, ". 1 ack 1 sack 90000:95000");
	inject(t, ". 1 ack 1 sack 2897:1449");
	inject(t, ". 1 ack 1 sack -5000:-4000");
	assert_int_equal(t->c->loss.sacked_out, 0);
	expect_nothing(t);
}

static void sack_reneged_is_sent_again(void **state)
{
	struct rig *t = *state;

	flight(t, 4);
	inject(t, ". 1 ack 1 sack 1449:4345");
	advance(t, 4 * XTIME_MSEC);
	inject(t, ". 1 ack 1449");
	expect_cc(t, CA_DISORDER, 10, INFINITE);
	expect_after(t, 10 * XTIME_MSEC, ". 1449:2897 ack 1");
	expect_cc(t, CA_LOSS, 1, 7);
	assert_int_equal(t->c->loss.sacked_out, 0);
}

/* ---- RACK: RFC 8985 ---- */

static void rack_waits_a_quarter_of_the_rtt_for_stragglers(void **state)
{
	struct rig *t = *state;

	flight(t, 10);
	inject(t, ". 1 ack 1 sack 1449:2897");
	expect_nothing(t);
	expect_after(t, 2500 * XTIME_USEC + 2 * XTIME_MSEC, ". 1:1449 ack 1");
	expect_cc(t, CA_RECOVERY, 9, 7);
	expect_nothing(t);
	/* The retransmission arrived first: all that was sent before it is lost. */
	advance(t, 50 * XTIME_MSEC);
	inject(t, ". 1 ack 2897");
	expect(t, ". 2897:4345 ack 1");
	expect_nothing(t);
	expect_cc(t, CA_RECOVERY, 1, 7);
	assert_int_equal(t->c->loss.lost_out, 8);
}

static void rack_retransmission_starts_the_timeout_anew(void **state)
{
	struct rig *t = *state;

	flight(t, 10);
	inject(t, ". 1 ack 1 sack 1449:2897");
	expect_after(t, 4500 * XTIME_USEC, ". 1:1449 ack 1");
	expect_after(t, t->c->rtt.rto_ns, ". 1:1449 ack 1");
}

/* What goes out at once must not put off the look at what may be late. */
static void rack_timer_survives_a_retransmission(void **state)
{
	struct rig *t = *state;

	establish_10ms(t, "S. 0 ack 1 win 65535 mss 1460 sackOK wscale 7");
	put(t, 14600);
	advance(t, 240 * XTIME_MSEC);
	forget(t);
	inject(t, ". 1 ack 1461");
	assert_int_equal(forget(t), 2);
	advance(t, 10 * XTIME_MSEC);
	inject(t, ". 1 ack 4381");
	assert_int_equal(forget(t), 4);
	advance(t, 10 * XTIME_MSEC);
	t->c->loss.reord_seen = true;
	inject(t, ". 1 ack 4381 sack 7301:8761");
	expect(t, ". 10221:11681 ack 1");
	expect_after(t, 4500 * XTIME_USEC, ". 4381:5841 ack 1");
}

static void rack_straggler_in_time_costs_nothing(void **state)
{
	struct rig *t = *state;

	flight(t, 10);
	inject(t, ". 1 ack 1 sack 1449:2897");
	advance(t, 2 * XTIME_MSEC);
	inject(t, ". 1 ack 4345");
	expect_nothing(t);
	advance(t, 10 * XTIME_MSEC);
	expect_nothing(t);
	assert_int_equal(t->c->loss.ca_state, CA_OPEN);
	assert_int_equal(t->c->cc.ssthresh, INFINITE);
	assert_true(t->c->loss.reord_seen);
}

/* The latest block comes first: blocks that are new together are no reordering. */
static void rack_blocks_of_one_ack_are_in_order(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	put(t, 10 * 1448);
	forget(t);
	inject(t, ". 1 ack 1 sack 11585:13033 5793:7241");
	assert_false(t->c->loss.reord_seen);
	assert_int_equal(t->c->loss.sacked_out, 2);
	/* A hole that is filled without having been sent again is. */
	inject(t, ". 1 ack 1 sack 2897:4345 11585:13033 5793:7241");
	assert_true(t->c->loss.reord_seen);
}

/* Once reordering was seen, three SACKs are no proof: time decides. */
static void rack_reordering_seen_needs_time(void **state)
{
	struct rig *t = *state;

	flight(t, 10);
	inject(t, ". 1 ack 1 sack 1449:2897");
	inject(t, ". 1 ack 2897");
	inject(t, ". 1 ack 14481");
	put(t, 14480);
	assert_int_equal(forget(t), 10);
	advance(t, 10 * XTIME_MSEC);
	inject(t, ". 1 ack 14481 sack 15929:21721");
	expect_nothing(t);
	expect_after(t, 2500 * XTIME_USEC + 2 * XTIME_MSEC, ". 14481:15929 ack 1");
}

static void rack_finds_a_lost_retransmission(void **state)
{
	struct rig *t = *state;

	flight(t, 9);
	inject(t, ". 1 ack 1 sack 1449:5793");
	expect(t, ". 1:1449 ack 1");
	put(t, 8 * 1448);
	forget(t);
	advance(t, 18 * XTIME_MSEC);
	inject(t, ". 1 ack 1 sack 1449:13033");
	forget(t);
	advance(t, 20 * XTIME_MSEC);
	inject(t, ". 1 ack 1 sack 1449:14481");   /* sent after the retransmission */
	expect(t, ". 1:1449 ack 1");
}

/* ---- without SACK: RFC 5681, RFC 6582 ---- */

static void reno_flight(struct rig *t)
{
	establish_10ms(t, SYN_ACK_PLAIN);
	put(t, 14600);
	assert_int_equal(forget(t), 10);
	advance(t, 20 * XTIME_MSEC);
	inject(t, ". 1 ack 1");   /* newer than the SYN-ACK's window: no duplicate */
}

static void reno_third_duplicate_retransmits(void **state)
{
	struct rig *t = *state;

	reno_flight(t);
	inject(t, ". 1 ack 1");
	inject(t, ". 1 ack 1");
	expect_nothing(t);
	expect_cc(t, CA_DISORDER, 10, INFINITE);
	inject(t, ". 1 ack 1");
	expect(t, ". 1:1461 ack 1");
	for (int i = 0; i < 5; i++)
		inject(t, ". 1 ack 1");
	expect_nothing(t);
	expect_cc(t, CA_RECOVERY, 7, 7);
	assert_int_equal(t->c->loss.sacked_out, 8);
}

static void reno_partial_ack_retransmits_the_next(void **state)
{
	struct rig *t = *state;

	reno_flight(t);
	for (int i = 0; i < 8; i++)
		inject(t, ". 1 ack 1");
	expect(t, ". 1:1461 ack 1");
	advance(t, 20 * XTIME_MSEC);
	inject(t, ". 1 ack 4381");
	expect(t, ". 4381:5841 ack 1");
	expect_cc(t, CA_RECOVERY, 6, 7);
	assert_int_equal(t->c->loss.sacked_out, 6);
	advance(t, 20 * XTIME_MSEC);
	inject(t, ". 1 ack 14601");
	expect_nothing(t);
	expect_cc(t, CA_RECOVERY, 7, 7);   /* RFC 6582: open only when more is acknowledged */
	put(t, 1460);
	forget(t);
	inject(t, ". 1 ack 16061");
	assert_int_equal(t->c->loss.ca_state, CA_OPEN);
}

static void reno_window_update_is_no_duplicate(void **state)
{
	struct rig *t = *state;

	reno_flight(t);
	t->c->snd.wnd = 30000;
	for (int i = 1; i < 10; i++)
		inject(t, ". 1 ack 1 win %d", 30000 + i);
	assert_int_equal(t->c->loss.sacked_out, 0);
}

static void reno_data_is_no_duplicate(void **state)
{
	struct rig *t = *state;

	reno_flight(t);
	for (int i = 0; i < 9; i++)
		inject(t, "P. %d:%d ack 1", 1 + 10 * i, 11 + 10 * i);
	assert_int_equal(t->c->loss.sacked_out, 0);
	assert_int_equal(t->c->loss.ca_state, CA_OPEN);
}

/* ---- tail loss probes: RFC 8985 7 ---- */

static void tlp_sends_the_last_segment_again(void **state)
{
	struct rig *t = *state;

	establish_10ms(t, SYN_ACK);
	put(t, 4344);
	assert_int_equal(forget(t), 3);
	expect_after(t, 22 * XTIME_MSEC, "P. 2897:4345 ack 1");   /* 2 * SRTT + 2 ms */
	expect_after(t, 210 * XTIME_MSEC, ". 1:1449 ack 1");
	assert_int_equal(counted(t, CTR_TcpExtTCPLossProbes), 1);
}

static void tlp_of_one_segment_waits_for_a_delayed_ack(void **state)
{
	struct rig *t = *state;

	establish_10ms(t, SYN_ACK);
	put(t, 4344);
	forget(t);
	advance(t, 20 * XTIME_MSEC);
	inject(t, ". 1 ack 2897");   /* SRTT 11.25 ms, RTO 211.25 ms from the transmission */
	expect_after(t, 191250 * XTIME_USEC, "P. 2897:4345 ack 1");
}

static void tlp_is_alone(void **state)
{
	struct rig *t = *state;
	xtime sent;

	establish_10ms(t, SYN_ACK);
	put(t, 5792);
	forget(t);
	expect_after(t, 22 * XTIME_MSEC, "P. 4345:5793 ack 1");
	sent = t->now;
	advance(t, 20 * XTIME_MSEC);
	inject(t, ". 1 ack 4345");
	expect_nothing(t);
	/* No second probe: its time finds the time-out of the segment due, a moment later. */
	expect_after(t, t->c->rtt.rto_ns - (t->now - sent) + XTIME_USEC, "P. 4345:5793 ack 1");
	assert_int_equal(t->c->loss.ca_state, CA_LOSS);
}

static void tlp_that_repaired_a_loss_halves_cwnd(void **state)
{
	struct rig *t = *state;

	establish_10ms(t, SYN_ACK);
	put(t, 4344);
	forget(t);
	expect_after(t, 22 * XTIME_MSEC, "P. 2897:4345 ack 1");
	inject(t, ". 1 ack 4345");
	expect_cc(t, CA_OPEN, 10, INFINITE);
	put(t, 1000);
	expect(t, "P. 4345:5345 ack 1");
	inject(t, ". 1 ack 5345");
	expect_cc(t, CA_OPEN, 7, 7);
}

static void tlp_that_was_not_needed_costs_nothing(void **state)
{
	struct rig *t = *state;

	establish_10ms(t, SYN_ACK);
	put(t, 4344);
	forget(t);
	expect_after(t, 22 * XTIME_MSEC, "P. 2897:4345 ack 1");
	inject(t, ". 1 ack 4345");
	inject(t, ". 1 ack 4345 sack 2897:4345");
	put(t, 1000);
	expect(t, "P. 4345:5345 ack 1");
	inject(t, ". 1 ack 5345");
	expect_cc(t, CA_OPEN, 10, INFINITE);
}

static void tlp_prefers_new_data(void **state)
{
	struct rig *t = *state;

	establish_10ms(t, SYN_ACK);
	t->c->opt.cork = true;
	put(t, 4344 + 100);
	assert_int_equal(forget(t), 3);
	expect_after(t, 22 * XTIME_MSEC, "P. 4345:4445 ack 1");
	assert_int_equal(counted(t, CTR_TcpRetransSegs), 0);
}

/* ---- time-out: RFC 5682, slow start ---- */

static void timeout_real_starts_slowly(void **state)
{
	struct rig *t = *state;

	establish_10ms(t, SYN_ACK);
	put(t, 5792);
	forget(t);
	expect_after(t, 22 * XTIME_MSEC, "P. 4345:5793 ack 1");
	expect_after(t, 210 * XTIME_MSEC, ". 1:1449 ack 1");
	expect_cc(t, CA_LOSS, 1, 7);
	assert_int_equal(t->c->loss.lost_out, 4);
	advance(t, 40 * XTIME_MSEC);
	inject(t, ". 1 ack 1449");
	expect(t, ". 1449:2897 ack 1");
	expect(t, ". 2897:4345 ack 1");
	expect_nothing(t);
	expect_cc(t, CA_LOSS, 2, 7);
	advance(t, 5 * XTIME_MSEC);
	inject(t, ". 1 ack 2897");
	expect(t, "P. 4345:5793 ack 1");
	expect_cc(t, CA_LOSS, 3, 7);
	inject(t, ". 1 ack 4345");
	expect_cc(t, CA_LOSS, 4, 7);
	inject(t, ". 1 ack 5793");
	expect_cc(t, CA_OPEN, 5, 7);
	expect_nothing(t);
}

static void timeout_spurious_by_echo_is_undone(void **state)
{
	struct rig *t = *state;
	uint32_t ecr;

	establish_10ms(t, SYN_ACK);
	put(t, 5792);
	expect(t, ". 1:1449 ack 1");
	ecr = t->th.tsval;
	forget(t);
	advance(t, 240 * XTIME_MSEC);
	forget(t);
	expect_cc(t, CA_LOSS, 1, 7);
	inject(t, ". 1 ack 5793 ecr %u", ecr);
	expect_cc(t, CA_OPEN, 10, INFINITE);
}

/* More than the window allows waits; ten are in flight, one goes as a probe, and a time-out. */
static void frto_flight(struct rig *t)
{
	establish_10ms(t, "S. 0 ack 1 win 65535 mss 1460 sackOK wscale 7");
	t->c->opt.sndbuf = 1 << 20;
	put(t, 40 * 1460);
	assert_int_equal(forget(t), 10);
	expect_after(t, 22 * XTIME_MSEC, ". 14601:16061 ack 1");
	expect_after(t, 210 * XTIME_MSEC, ". 1:1461 ack 1");
	expect_cc(t, CA_LOSS, 1, 7);
	advance(t, 30 * XTIME_MSEC);
	inject(t, ". 1 ack 1461");
	expect(t, ". 16061:17521 ack 1");   /* F-RTO step 2.b: new data */
	expect(t, ". 17521:18981 ack 1");
	expect_nothing(t);
	expect_cc(t, CA_LOSS, 2, 7);
	advance(t, 5 * XTIME_MSEC);
}

/* F-RTO step 3.b: what was never sent again is acknowledged. */
static void timeout_spurious_by_frto_is_undone(void **state)
{
	struct rig *t = *state;

	frto_flight(t);
	inject(t, ". 1 ack 4381");
	expect_cc(t, CA_OPEN, 12, INFINITE);
	expect(t, ". 18981:20441 ack 1");
	expect(t, ". 20441:21901 ack 1");
	expect_nothing(t);
}

/* What was in flight before the time-out arrived: undone, but the hole is a loss of its own. */
static void timeout_frto_sack_of_an_original_starts_recovery(void **state)
{
	struct rig *t = *state;

	frto_flight(t);
	inject(t, ". 1 ack 1461 sack 14601:16061");
	expect(t, ". 1461:2921 ack 1");
	expect_nothing(t);
	expect_cc(t, CA_RECOVERY, 3, 7);
}

/* F-RTO step 3.a: only the new data arrives: the loss was real. */
static void timeout_real_by_frto_goes_on_slowly(void **state)
{
	struct rig *t = *state;

	frto_flight(t);
	inject(t, ". 1 ack 1461 sack 16061:17521");
	expect(t, ". 1461:2921 ack 1");
	assert_int_equal(t->c->loss.ca_state, CA_LOSS);
	assert_int_equal(t->c->cc.ssthresh, 7);
}

/* Nothing new to send: F-RTO can't tell. */
static void timeout_frto_without_new_data_sends_what_is_lost(void **state)
{
	struct rig *t = *state;

	establish_10ms(t, "S. 0 ack 1 win 65535 mss 1460 sackOK wscale 7");
	put(t, 8 * 1460);
	forget(t);
	advance(t, 240 * XTIME_MSEC);
	forget(t);
	inject(t, ". 1 ack 1461");
	assert_int_equal(forget(t), 2);
	inject(t, ". 1 ack 4381");
	assert_int_equal(forget(t), 4);
	expect_cc(t, CA_LOSS, 4, 7);
}

/* ---- undo: RFC 4015, RFC 3708 ---- */

static void undo_by_echo_after_fast_retransmit(void **state)
{
	struct rig *t = *state;
	uint32_t ecr;

	establish_10ms(t, SYN_ACK);
	put(t, 5792);
	expect(t, ". 1:1449 ack 1");
	ecr = t->th.tsval;
	forget(t);
	advance(t, 20 * XTIME_MSEC);
	inject(t, ". 1 ack 1 sack 1449:5793");
	expect(t, ". 1:1449 ack 1");
	expect_cc(t, CA_RECOVERY, 3, 7);
	advance(t, 5 * XTIME_MSEC);
	inject(t, ". 1 ack 5793 ecr %u", ecr);
	expect_cc(t, CA_OPEN, 10, INFINITE);
}

static void undo_by_dsack(void **state)
{
	struct rig *t = *state;

	flight(t, 10);
	inject(t, ". 1 ack 1 sack 1449:14481");
	expect(t, ". 1:1449 ack 1");
	advance(t, 5 * XTIME_MSEC);
	inject(t, ". 1 ack 14481 sack 1:1449");
	assert_int_equal(t->c->loss.ca_state, CA_OPEN);
	assert_int_equal(t->c->cc.ssthresh, INFINITE);
	assert_true(t->c->cc.cwnd >= 10);
}

static void undo_by_dsack_that_comes_late(void **state)
{
	struct rig *t = *state;

	flight(t, 10);
	inject(t, ". 1 ack 1 sack 1449:13033");
	expect(t, ". 1:1449 ack 1");
	expect_cc(t, CA_RECOVERY, 7, 7);
	advance(t, 5 * XTIME_MSEC);
	inject(t, ". 1 ack 13033");
	expect_cc(t, CA_RECOVERY, 7, 7);
	advance(t, 5 * XTIME_MSEC);
	inject(t, ". 1 ack 14481 sack 1:1449");
	assert_int_equal(t->c->loss.ca_state, CA_OPEN);
	assert_int_equal(t->c->cc.ssthresh, INFINITE);
	assert_true(t->c->cc.cwnd >= 10);
}

static void timeout_small_segments_go_again_as_one(void **state)
{
	struct rig *t = *state;

	establish_10ms(t, SYN_ACK);
	t->c->opt.nodelay = true;
	put(t, 100);
	expect(t, "P. 1:101 ack 1");
	put(t, 100);
	expect(t, "P. 101:201 ack 1");
	put(t, 1248);
	expect(t, "P. 201:1449 ack 1");
	put(t, 1);
	expect(t, "P. 1449:1450 ack 1");
	/* tcp_retrans_try_collapse(): as far as one segment goes. */
	t->c->snd.out |= OUT_RETRANS;
	tcp_want_output(t->c);
	settle(t);
	expect(t, "P. 1:1449 ack 1");
	assert_int_equal(t->c->loss.packets_out, 2);
	inject(t, ". 1 ack 1450");
	assert_int_equal(t->c->loss.packets_out, 0);
}

static void timeout_leaves_what_ends_with_eor_alone(void **state)
{
	struct rig *t = *state;

	establish_10ms(t, SYN_ACK);
	t->c->opt.nodelay = true;
	put_flags(t, 100, MSG_EOR);
	put(t, 100);
	assert_int_equal(forget(t), 2);
	t->c->snd.out |= OUT_RETRANS;
	tcp_want_output(t->c);
	settle(t);
	expect(t, "P. 1:101 ack 1");
	assert_int_equal(t->c->loss.packets_out, 2);
}

static void timeout_fin_goes_with_the_data_before_it(void **state)
{
	struct rig *t = *state;

	establish_10ms(t, SYN_ACK);
	put(t, 100);
	expect(t, "P. 1:101 ack 1");
	assert_int_equal(tcp_shutdown(t->c, SHUT_WR, t->now), 0);
	settle(t);
	expect(t, "F. 101 ack 1");
	t->c->snd.out |= OUT_RETRANS;
	tcp_want_output(t->c);
	settle(t);
	expect(t, "FP. 1:101 ack 1");
	assert_int_equal(t->c->loss.packets_out, 1);
}

/* ---- the end of the stream ---- */

static void fin_lost_is_sent_again(void **state)
{
	struct rig *t = *state;

	establish_10ms(t, SYN_ACK);
	assert_int_equal(tcp_shutdown(t->c, SHUT_WR, t->now), 0);
	settle(t);
	expect(t, "F. 1 ack 1");
	expect_after(t, 210 * XTIME_MSEC, "F. 1 ack 1");
	expect_after(t, 210 * XTIME_MSEC, "F. 1 ack 1");   /* the first was a probe */
	expect_after(t, 420 * XTIME_MSEC, "F. 1 ack 1");
	inject(t, ". 1 ack 2");
	expect_quiet(t, XTIME_SEC);
	assert_int_equal(tcp_state(t->c), TCP_FIN_WAIT2);
}

static void fin_with_data_lost_is_sent_again_with_it(void **state)
{
	struct rig *t = *state;

	establish_10ms(t, SYN_ACK_PLAIN);
	put_flags(t, 100, MSG_MORE);
	assert_int_equal(tcp_shutdown(t->c, SHUT_WR, t->now), 0);
	settle(t);
	expect(t, "F. 1:101 ack 1");
	expect_after(t, 210 * XTIME_MSEC, "F. 1:101 ack 1");
	inject(t, ". 1 ack 101");
	expect_nothing(t);
	expect_after(t, 420 * XTIME_MSEC, "F. 101 ack 1");
	inject(t, ". 1 ack 102");
	assert_int_equal(tcp_state(t->c), TCP_FIN_WAIT2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		own(rto_follows_the_first_sample),
		own(rto_follows_later_samples),
		own(rto_of_a_wild_path_is_long),
		own(rto_backs_off_and_gives_up),
		own(rto_user_timeout_ends_it_sooner),
		own(rto_sample_of_a_retransmission_comes_from_its_timestamp),
		own(rto_without_timestamps_ignores_retransmissions),
		own(sack_third_retransmits),
		own(sack_of_all_but_the_first_retransmits_at_once),
		own(sack_of_many_holes_fills_them),
		offload(sack_inside_a_segment_splits_it),
		offload(sack_of_parts_counts_whole_segments),
		offload(sack_of_single_bytes_splits_no_segment),
		offload(sack_super_frame_lost_whole_is_sent_as_one),
		own(sack_nonsense_is_ignored),
		own(sack_reneged_is_sent_again),
		own(rack_waits_a_quarter_of_the_rtt_for_stragglers),
		own(rack_retransmission_starts_the_timeout_anew),
		own(rack_timer_survives_a_retransmission),
		own(rack_straggler_in_time_costs_nothing),
		own(rack_blocks_of_one_ack_are_in_order),
		own(rack_reordering_seen_needs_time),
		own(rack_finds_a_lost_retransmission),
		own(reno_third_duplicate_retransmits),
		own(reno_partial_ack_retransmits_the_next),
		own(reno_window_update_is_no_duplicate),
		own(reno_data_is_no_duplicate),
		own(tlp_sends_the_last_segment_again),
		own(tlp_of_one_segment_waits_for_a_delayed_ack),
		own(tlp_is_alone),
		own(tlp_that_repaired_a_loss_halves_cwnd),
		own(tlp_that_was_not_needed_costs_nothing),
		own(tlp_prefers_new_data),
		own(timeout_real_starts_slowly),
		own(timeout_spurious_by_echo_is_undone),
		own(timeout_spurious_by_frto_is_undone),
		own(timeout_frto_sack_of_an_original_starts_recovery),
		own(timeout_real_by_frto_goes_on_slowly),
		own(timeout_frto_without_new_data_sends_what_is_lost),
		own(undo_by_echo_after_fast_retransmit),
		own(undo_by_dsack),
		own(undo_by_dsack_that_comes_late),
		own(timeout_small_segments_go_again_as_one),
		own(timeout_leaves_what_ends_with_eor_alone),
		own(timeout_fin_goes_with_the_data_before_it),
		own(fin_lost_is_sent_again),
		own(fin_with_data_lost_is_sent_again_with_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
