/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cc.c - the congestion control algorithms alone: windows as functions of ACKs and time.
 * CUBIC is compared with the formulas of RFC 9438 in floating point.
 */
#include "harness.h"

#include <math.h>

/* A connection that uses all of its window. */
static struct tcp_conn *conn(struct rig *t, const struct cc_ops *ops, uint32_t cwnd, uint32_t ssthresh)
{
	dial_open(t);
	assert_int_equal(cc_assign(t->c, ops), 0);
	t->c->cc.cwnd = cwnd;
	t->c->cc.ssthresh = ssthresh;
	t->c->cc.is_cwnd_limited = true;
	t->c->snd.lsndtime = t->now;
	if (ops->init)
		ops->init(t->c, t->now);
	return t->c;
}

/* One round trip: each segment of the window is acknowledged, evenly spread. */
static void round_trip(struct rig *t, xtime rtt)
{
	struct tcp_conn *c = t->c;
	uint32_t n = c->cc.cwnd;

	for (uint32_t i = 0; i < n; i++) {
		t->now += rtt / n;
		c->snd.lsndtime = t->now;
		c->snd.una += 1448;
		c->snd.nxt = c->snd.una + n * 1448;
		if (c->cc.ops->pkts_acked)
			c->cc.ops->pkts_acked(c, 1, rtt / XTIME_USEC, t->now);
		c->cc.ops->cong_avoid(c, c->snd.una, 1, t->now);
	}
}

/* A loss and its recovery, without the time that it takes. */
static void loss(struct rig *t)
{
	struct tcp_conn *c = t->c;

	c->loss.prior_cwnd = c->cc.cwnd;
	c->cc.ssthresh = c->cc.ops->ssthresh(c, t->now);
	c->cc.cwnd = c->cc.ssthresh;
	c->cc.cwnd_cnt = 0;
}

/* ---- the table ---- */

static void cc_is_found_by_name(void **state)
{
	char buf[8];

	(void)state;
	assert_ptr_equal(cc_find("cubic"), &cc_cubic);
	assert_ptr_equal(cc_find("reno"), &cc_reno);
	assert_ptr_equal(cc_find("bbr"), &cc_bbr);
	assert_ptr_equal(cc_find("dctcp"), &cc_dctcp);
	assert_null(cc_find("cub"));
	assert_null(cc_find(""));
	assert_int_equal(cc_names(buf, sizeof(buf)), strlen("cubic reno bbr dctcp"));
	assert_string_equal(buf, "cubic r");
}

static void cc_default_is_cubic(void **state)
{
	struct rig *t = *state;

	dial_open(t);
	assert_ptr_equal(t->c->cc.ops, &cc_cubic);
}

/* ---- slow start and congestion avoidance: RFC 5681 ---- */

static void slow_start_doubles_each_round(void **state)
{
	struct rig *t = *state;

	conn(t, &cc_reno, 10, 1000);
	round_trip(t, 100 * XTIME_MSEC);
	assert_int_equal(t->c->cc.cwnd, 20);
	round_trip(t, 100 * XTIME_MSEC);
	assert_int_equal(t->c->cc.cwnd, 40);
}

static void slow_start_stops_at_ssthresh_exactly(void **state)
{
	struct rig *t = *state;

	conn(t, &cc_reno, 10, 14);
	t->c->cc.ops->cong_avoid(t->c, 0, 10, t->now);   /* one ACK for all ten */
	assert_int_equal(t->c->cc.cwnd, 14);
	assert_int_equal(t->c->cc.cwnd_cnt, 6);
}

static void reno_adds_one_each_round(void **state)
{
	struct rig *t = *state;

	conn(t, &cc_reno, 20, 10);
	for (uint32_t i = 1; i <= 10; i++) {
		round_trip(t, 100 * XTIME_MSEC);
		assert_int_equal(t->c->cc.cwnd, 20 + i);
	}
}

static void reno_halves_with_a_floor_of_two(void **state)
{
	struct rig *t = *state;

	conn(t, &cc_reno, 21, 10);
	assert_int_equal(t->c->cc.ops->ssthresh(t->c, t->now), 10);
	t->c->cc.cwnd = 3;
	assert_int_equal(t->c->cc.ops->ssthresh(t->c, t->now), 2);
}

static void clamp_bounds_growth(void **state)
{
	struct rig *t = *state;

	conn(t, &cc_reno, 10, 1000);
	t->c->cc.cwnd_clamp = 15;
	round_trip(t, 100 * XTIME_MSEC);
	assert_int_equal(t->c->cc.cwnd, 15);
	round_trip(t, 100 * XTIME_MSEC);
	assert_int_equal(t->c->cc.cwnd, 15);
}

static void window_that_is_not_used_does_not_grow(void **state)
{
	static const struct cc_ops *const all[] = { &cc_reno, &cc_cubic };
	struct rig *t = *state;

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		conn(t, all[i], 20, 10);
		t->c->cc.is_cwnd_limited = false;
		round_trip(t, 100 * XTIME_MSEC);
		assert_int_equal(t->c->cc.cwnd, 20);
	}
}

/* In slow start half of the window in use is enough (RFC 7661, tcp_is_cwnd_limited). */
static void slow_start_half_used_grows(void **state)
{
	struct rig *t = *state;

	conn(t, &cc_reno, 20, 1000);
	t->c->cc.is_cwnd_limited = false;
	t->c->cc.max_packets_out = 11;
	t->c->cc.ops->cong_avoid(t->c, 0, 1, t->now);
	assert_int_equal(t->c->cc.cwnd, 21);
	t->c->cc.max_packets_out = 10;
	t->c->cc.ops->cong_avoid(t->c, 0, 1, t->now);
	assert_int_equal(t->c->cc.cwnd, 21);
}

static void undo_gives_back_what_was_taken(void **state)
{
	struct rig *t = *state;

	conn(t, &cc_cubic, 100, 50);
	loss(t);
	assert_int_equal(t->c->cc.cwnd, 70);
	assert_int_equal(t->c->cc.ops->undo_cwnd(t->c), 100);
	t->c->cc.cwnd = 120;   /* it may have grown beyond */
	assert_int_equal(t->c->cc.ops->undo_cwnd(t->c), 120);
}

/* ---- CUBIC: RFC 9438 ---- */

#define C 0.4
#define BETA 0.7

static void cubic_reduces_by_beta(void **state)
{
	struct rig *t = *state;

	conn(t, &cc_cubic, 1000, 500);
	assert_int_equal(t->c->cc.ops->ssthresh(t->c, t->now), 700);
	t->c->cc.cwnd = 2;
	assert_int_equal(t->c->cc.ops->ssthresh(t->c, t->now), 2);
}

/* W(t) = C * (t - K)^3 + W_max, with K = cbrt((W_max - cwnd) / C); the window follows by one
 * round trip and by whole segments. */
static void cubic_follows_the_cube(void **state)
{
	struct rig *t = *state;
	const double w_max = 1000, rtt = 0.1;
	double k = cbrt(w_max * (1 - BETA) / C), start;

	conn(t, &cc_cubic, (uint32_t)w_max, 500);
	loss(t);
	start = (double)t->now / 1e9;
	for (int i = 0; i < 150; i++) {
		double at, w;

		round_trip(t, 100 * XTIME_MSEC);
		at = (double)t->now / 1e9 - start;
		w = C * pow(at - k, 3) + w_max;
		if (fabs(t->c->cc.cwnd - w) > 0.02 * w + 3 * C * pow(at - k, 2) * 2 * rtt)
			fail_msg("after %.1f s: %u, the formula says %.0f", at, t->c->cc.cwnd, w);
	}
	assert_true(t->c->cc.cwnd > w_max);
}

/* RFC 9438 4.7: a second loss below the first one's window leaves room for others. */
static void cubic_converges_fast(void **state)
{
	struct rig *t = *state;
	uint32_t plateau = 0, last = 0;

	conn(t, &cc_cubic, 1000, 500);
	loss(t);
	t->c->cc.cwnd = 800;
	loss(t);
	/* The plateau is at 800 * (1 + 0.7) / 2 = 680: growth is slowest around it. */
	for (int i = 0; i < 200; i++) {
		round_trip(t, 100 * XTIME_MSEC);
		if (t->c->cc.cwnd == last && !plateau)
			plateau = last;
		last = t->c->cc.cwnd;
	}
	assert_in_range(plateau, 660, 700);
}

/* RFC 9438 4.3: with a small product of bandwidth and delay it is as fast as Reno: one segment
 * in (1 + beta) / (3 * (1 - beta)) round trips, 1.89, until it is back where it was, and one in
 * each from there on; however short the round trip. */
static void cubic_is_no_slower_than_reno_on_short_paths(void **state)
{
	static const xtime rtts[] = { XTIME_MSEC / 10, XTIME_MSEC, 20 * XTIME_MSEC };
	struct rig *t = *state;

	for (size_t k = 0; k < ARRAY_LEN(rtts); k++) {
		conn(t, &cc_cubic, 40, 20);
		loss(t);
		assert_int_equal(t->c->cc.cwnd, 28);
		for (int i = 0; i < 20; i++)
			round_trip(t, rtts[k]);
		assert_in_range(t->c->cc.cwnd, 38 - 1, 38 + 1);
		for (int i = 0; i < 40; i++)
			round_trip(t, rtts[k]);
		assert_in_range(t->c->cc.cwnd, 77 - 2, 77 + 2);
	}
}

static void cubic_never_grows_faster_than_slow_start_half(void **state)
{
	struct rig *t = *state;

	conn(t, &cc_cubic, 100, 50);
	loss(t);
	t->now += 100 * XTIME_SEC;   /* the cube is far above by now */
	t->c->snd.lsndtime = t->now;
	for (int i = 0; i < 5; i++) {
		uint32_t before = t->c->cc.cwnd;

		round_trip(t, 100 * XTIME_MSEC);
		assert_true(t->c->cc.cwnd <= before + before / 2 + 1);
	}
}

/* An idle time is no time of growth. */
static void cubic_epoch_moves_with_an_idle_time(void **state)
{
	struct rig *t = *state;
	uint32_t before, idle;

	conn(t, &cc_cubic, 1000, 500);
	loss(t);
	for (int i = 0; i < 10; i++)
		round_trip(t, 100 * XTIME_MSEC);
	before = t->c->cc.cwnd;
	t->now += 60 * XTIME_SEC;
	t->c->cc.ops->event(t->c, CC_EV_TX_START, t->now);
	round_trip(t, 100 * XTIME_MSEC);
	idle = t->c->cc.cwnd - before;
	before = t->c->cc.cwnd;
	round_trip(t, 100 * XTIME_MSEC);
	assert_in_range(idle, 0, 2 * (t->c->cc.cwnd - before) + 10);
}

static void cubic_timeout_forgets_the_epoch(void **state)
{
	struct rig *t = *state;

	conn(t, &cc_cubic, 1000, 500);
	loss(t);
	t->c->cc.ops->set_state(t->c, CA_LOSS, t->now);
	t->c->cc.cwnd = 20;
	t->c->cc.ssthresh = 20;
	for (int i = 0; i < 10; i++)
		round_trip(t, 100 * XTIME_MSEC);
	assert_true(t->c->cc.cwnd < 60);   /* no plateau at 1000 to hurry to */
}

/* RFC 9438 4.8: only cwnd_prior stays, up to which W_est grows by alpha, 0.53: with a window of 7
 * it takes 13 ACKs. */
static void cubic_timeout_keeps_cwnd_prior(void **state)
{
	struct rig *t = *state;

	conn(t, &cc_cubic, 10, 5);
	loss(t);
	t->c->cc.ops->set_state(t->c, CA_LOSS, t->now);
	for (int i = 1; i <= 20; i++) {
		t->now += 15 * XTIME_MSEC;
		t->c->cc.ops->cong_avoid(t->c, t->c->snd.una, 1, t->now);
		assert_int_equal(t->c->cc.cwnd, i <= 13 ? 7 : 8);
	}
}

/* ---- HyStart: RFC 9406's forerunner, as Linux has it ---- */

static void hystart_leaves_slow_start_when_the_delay_rises(void **state)
{
	struct rig *t = *state;

	conn(t, &cc_cubic, 20, TCP_CWND_INFINITE);
	round_trip(t, 50 * XTIME_MSEC);
	assert_int_equal(t->c->cc.ssthresh, TCP_CWND_INFINITE);
	for (int i = 0; i < 3; i++)
		round_trip(t, 70 * XTIME_MSEC);
	assert_true(t->c->cc.ssthresh < 1000);
	assert_true(t->c->cc.cwnd < 200);
}

/* Four super-frames' time is no sign of a full pipe: 226 us at this rate. */
static void hystart_short_path_stays_in_slow_start(void **state)
{
	struct rig *t = *state;

	conn(t, &cc_cubic, 20, TCP_CWND_INFINITE);
	t->s->ifaces[t->c->rt.iface].gso_max = 65535;
	t->c->rtt.srtt8_us = 50 * 8;
	for (int i = 0; i < 2; i++) {
		tcp_update_pacing_rate(t->c);
		round_trip(t, 50 * XTIME_USEC);
	}
	assert_int_equal(t->c->cc.ssthresh, TCP_CWND_INFINITE);
	assert_int_equal(t->c->cc.cwnd, 80);
}

/* Of a round trip of 20 ms it takes away a tenth of a millisecond. */
static void hystart_train_of_half_a_round_trip_ends_slow_start(void **state)
{
	struct rig *t = *state;

	conn(t, &cc_cubic, 64, TCP_CWND_INFINITE);
	t->c->rtt.srtt8_us = 20000 * 8;
	t->c->state = TCP_ESTABLISHED;
	round_trip(t, 20 * XTIME_MSEC);
	t->c->state = TCP_CLOSE;
	assert_in_range(t->c->cc.ssthresh, 64 + 32, 64 + 36);
}

static void hystart_steady_delay_stays_in_slow_start(void **state)
{
	struct rig *t = *state;

	conn(t, &cc_cubic, 20, TCP_CWND_INFINITE);
	for (int i = 0; i < 3; i++)
		round_trip(t, 400 * XTIME_MSEC);
	assert_int_equal(t->c->cc.ssthresh, TCP_CWND_INFINITE);
	assert_int_equal(t->c->cc.cwnd, 160);
}

static void hystart_small_windows_are_left_alone(void **state)
{
	struct rig *t = *state;

	conn(t, &cc_cubic, 4, TCP_CWND_INFINITE);
	round_trip(t, 50 * XTIME_MSEC);
	round_trip(t, 150 * XTIME_MSEC);
	assert_int_equal(t->c->cc.ssthresh, TCP_CWND_INFINITE);
}

/* ---- HyStart++: RFC 9406, where tcp_cubic_hystart is 2 ---- */

/* Two rounds of 50 ms, then one of 70: 8 ACKs of slow start, the rest at a quarter. */
static void slow_path(struct rig *t, uint32_t ssthresh)
{
	assert_int_equal(settings_set(&t->s->set, "tcp_cubic_hystart", "2"), 0);
	conn(t, &cc_cubic, 20, ssthresh);
	round_trip(t, 50 * XTIME_MSEC);
	round_trip(t, 50 * XTIME_MSEC);
	assert_int_equal(t->c->cc.cwnd, 80);
	round_trip(t, 70 * XTIME_MSEC);
}

/* 4.2: five rounds of conservative slow start, the one in which it began included. */
static void hystart_pp_grows_by_a_quarter_for_five_rounds(void **state)
{
	struct rig *t = *state;
	uint32_t w;

	slow_path(t, TCP_CWND_INFINITE);
	assert_int_equal(t->c->cc.cwnd, 80 + 8 + 72 / 4);
	for (int i = 0; i < 4; i++) {
		w = t->c->cc.cwnd;
		round_trip(t, 70 * XTIME_MSEC);
		assert_in_range(t->c->cc.cwnd, w + w / 4 - 1, w + w / 4 + 1);
		assert_int_equal(t->c->cc.ssthresh, TCP_CWND_INFINITE);
	}
	w = t->c->cc.cwnd;
	round_trip(t, 70 * XTIME_MSEC);
	assert_in_range(t->c->cc.ssthresh, w, w + 1);   /* rounds end with the ACK behind */
}

/* A delay that goes away again was no queue: slow start is resumed. */
static void hystart_pp_resumes_slow_start(void **state)
{
	struct rig *t = *state;
	uint32_t w;

	slow_path(t, TCP_CWND_INFINITE);
	round_trip(t, 50 * XTIME_MSEC);
	w = t->c->cc.cwnd;
	round_trip(t, 50 * XTIME_MSEC);
	assert_int_equal(t->c->cc.cwnd, 2 * w);
	assert_int_equal(t->c->cc.ssthresh, TCP_CWND_INFINITE);
}

/* 4.3: only where nothing is known of the path. */
static void hystart_pp_is_for_the_first_slow_start(void **state)
{
	struct rig *t = *state;

	slow_path(t, 1000);
	assert_int_equal(t->c->cc.cwnd, 160);
}

static void hystart_can_be_off(void **state)
{
	struct rig *t = *state;

	assert_int_equal(settings_set(&t->s->set, "tcp_cubic_hystart", "0"), 0);
	conn(t, &cc_cubic, 20, TCP_CWND_INFINITE);
	round_trip(t, 50 * XTIME_MSEC);
	round_trip(t, 150 * XTIME_MSEC);
	round_trip(t, 150 * XTIME_MSEC);
	assert_int_equal(t->c->cc.cwnd, 160);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cc_is_found_by_name),
		own(cc_default_is_cubic),
		own(slow_start_doubles_each_round),
		own(slow_start_stops_at_ssthresh_exactly),
		own(reno_adds_one_each_round),
		own(reno_halves_with_a_floor_of_two),
		own(clamp_bounds_growth),
		own(window_that_is_not_used_does_not_grow),
		own(slow_start_half_used_grows),
		own(undo_gives_back_what_was_taken),
		own(cubic_reduces_by_beta),
		own(cubic_follows_the_cube),
		own(cubic_converges_fast),
		own(cubic_is_no_slower_than_reno_on_short_paths),
		own(cubic_never_grows_faster_than_slow_start_half),
		own(cubic_epoch_moves_with_an_idle_time),
		own(cubic_timeout_forgets_the_epoch),
		own(cubic_timeout_keeps_cwnd_prior),
		own(hystart_leaves_slow_start_when_the_delay_rises),
		own(hystart_short_path_stays_in_slow_start),
		own(hystart_train_of_half_a_round_trip_ends_slow_start),
		own(hystart_steady_delay_stays_in_slow_start),
		own(hystart_small_windows_are_left_alone),
		own(hystart_pp_grows_by_a_quarter_for_five_rounds),
		own(hystart_pp_resumes_slow_start),
		own(hystart_pp_is_for_the_first_slow_start),
		own(hystart_can_be_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
