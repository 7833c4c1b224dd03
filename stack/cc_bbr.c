/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cc_bbr.c - BBR, version 1, as Linux's tcp_bbr.c behaves: cwnd and pacing rate follow a
 * model of the path (its bottleneck's rate and its round trip without queues), not losses.
 *
 *   STARTUP --(three rounds without 25 % more)--> DRAIN --(queue gone)--> PROBE_BW
 *      ^                                                                    |  ^
 *      +--------- PROBE_RTT <--(no lower RTT for 10 s, from any state)------+--+
 *
 * bw is in segments per microsecond times 2^24, gains are in 1/256.  bw is the largest
 * sample of the last 10 rounds; a round ends when what was sent at its beginning is
 * delivered.  A policer (loss at a steady rate) is told by two like intervals between
 * losses: then bw is what it lets through, for 48 rounds.  What is delivered beyond bw in a
 * burst (aggregated ACKs) is added to cwnd.
 */
#include "tcp_impl.h"

#include <string.h>

#define BW_SCALE 24
#define BW_UNIT (1u << BW_SCALE)
#define UNIT 256u
#define HIGH_GAIN (UNIT * 2885 / 1000 + 1)      /* 2/ln 2: doubles the rate each round */
#define DRAIN_GAIN (UNIT * 1000 / 2885)
#define CWND_GAIN (2 * UNIT)
#define CYCLE_LEN 8u
#define CYCLE_RAND 7u
#define BW_ROUNDS (CYCLE_LEN + 2)
#define MIN_RTT_WINDOW (10 * XTIME_SEC)
#define PROBE_RTT_TIME (200 * XTIME_MSEC)
#define CWND_LEAST 4u
#define PACING_MARGIN_PERCENT 1u
#define FULL_BW_THRESH (UNIT * 5 / 4)
#define FULL_BW_ROUNDS 3
#define LT_ROUNDS_LEAST 4u
#define LT_LOSS_THRESH 50u                      /* of 256 */
#define LT_BW_RATIO (UNIT / 8)
#define LT_BW_DIFF (4000u / 8)                  /* bytes/s */
#define LT_ROUNDS_MOST 48u
#define EXTRA_ROUNDS 5u
#define EXTRA_RESET (1u << 20)
#define EXTRA_TIME_MAX_US (100 * 1000u)
#define SLOW_RATE (1200000u / 8)                /* below it bursts are one segment */

enum bbr_mode { STARTUP, DRAIN, PROBE_BW, PROBE_RTT };

/* The largest value of a sliding window, from its three best (Kathleen Nichols). */
struct maxima {
	struct { uint32_t at, v; } s[3];
};

struct bbr {
	struct maxima bw;
	xtime min_rtt_stamp, probe_rtt_done, cycle_start, ack_epoch, lt_start;
	uint32_t min_rtt_us;
	uint32_t rounds, next_round;  /* next_round: loss.delivered at which it begins */
	uint32_t prior_cwnd, full_bw;
	uint32_t lt_bw, lt_delivered, lt_lost;
	uint32_t epoch_acked;         /* segments since ack_epoch */
	uint16_t extra_acked[2];
	uint16_t pacing_gain, cwnd_gain;
	uint8_t lt_rounds, cycle, full_bw_rounds, extra_rounds;
	uint8_t mode : 2, prev_ca : 3;
	bool extra_idx : 1, is_round_start : 1, conserves : 1, idle_restart : 1, is_full : 1;
	bool has_rtt : 1, probe_rtt_round : 1, lt_samples : 1, lt_use : 1, has_probe_end : 1;
};

_Static_assert(sizeof(struct bbr) <= UINT8_MAX, "bbr state too large");

static struct bbr *priv(struct tcp_conn *c) { return c->cc.own; }
static const struct bbr *cpriv(const struct tcp_conn *c) { return c->cc.own; }

/* ---- the model ---- */

static void maxima_reset(struct maxima *m, uint32_t at, uint32_t v)
{
	for (int i = 0; i < 3; i++) {
		m->s[i].at = at;
		m->s[i].v = v;
	}
}

static void maxima_add(struct maxima *m, uint32_t window, uint32_t at, uint32_t v)
{
	uint32_t age = at - m->s[0].at;

	if (v >= m->s[0].v || at - m->s[2].at > window) {
		maxima_reset(m, at, v);
		return;
	}
	for (int i = 1; i < 3; i++)
		if (v >= m->s[i].v) {
			for (int k = i; k < 3; k++) {
				m->s[k].at = at;
				m->s[k].v = v;
			}
			break;
		}
	if (age > window) {   /* the best has left: the next ones move up */
		for (int k = 0; k < 2 && at - m->s[0].at > window; k++) {
			m->s[0] = m->s[1];
			m->s[1] = m->s[2];
			m->s[2].at = at;
			m->s[2].v = v;
		}
	} else if (m->s[1].at == m->s[0].at && age > window / 4) {
		m->s[1].at = m->s[2].at = at;   /* a quarter without a second best: this one */
		m->s[1].v = m->s[2].v = v;
	} else if (m->s[2].at == m->s[1].at && age > window / 2) {
		m->s[2].at = at;
		m->s[2].v = v;
	}
}

static uint32_t bbr_bw(const struct bbr *b)
{
	return b->lt_use ? b->lt_bw : b->bw.s[0].v;
}

static uint64_t rate_bytes(const struct tcp_conn *c, uint64_t bw, uint32_t gain)
{
	uint64_t rate = bw * c->snd.mss_cache * gain / UNIT;

	return rate * (XTIME_SEC / XTIME_USEC / 100 * (100 - PACING_MARGIN_PERCENT)) >> BW_SCALE;
}

static void init_pacing_rate(struct tcp_conn *c)
{
	struct bbr *b = priv(c);
	uint32_t rtt_us = 1000;

	if (c->rtt.srtt8_us) {
		rtt_us = MAX(c->rtt.srtt8_us >> 3, 1u);
		b->has_rtt = true;
	}
	c->cc.pacing_rate = MAX(rate_bytes(c, (uint64_t)c->cc.cwnd * BW_UNIT / rtt_us, HIGH_GAIN), UINT64_C(1));
}

static void set_pacing_rate(struct tcp_conn *c, uint32_t bw, uint32_t gain)
{
	struct bbr *b = priv(c);
	uint64_t rate = MAX(rate_bytes(c, bw, gain), UINT64_C(1));

	if (!b->has_rtt && c->rtt.srtt8_us)
		init_pacing_rate(c);
	if (b->is_full || rate > c->cc.pacing_rate)
		c->cc.pacing_rate = rate;
}

static uint32_t bbr_min_tso_segs(const struct tcp_conn *c)
{
	return tcp_pacing_rate(c) < SLOW_RATE ? 1 : 2;
}

/* bbr_tso_segs_goal(). */
static uint32_t burst_goal(const struct tcp_conn *c)
{
	uint64_t bytes = MIN(tcp_pacing_rate(c) >> 10, UINT64_C(65535) - IP_LEN_MAX - TCP_LEN_MAX);

	return MIN(MAX((uint32_t)bytes / c->snd.mss_cache, bbr_min_tso_segs(c)), 0x7fu);
}

static uint32_t bdp(const struct bbr *b, uint32_t bw, uint32_t gain)
{
	if (b->min_rtt_us == UINT32_MAX)
		return TCP_INIT_CWND;
	return (uint32_t)(((uint64_t)bw * b->min_rtt_us / UNIT * gain + BW_UNIT - 1) / BW_UNIT);
}

/* Bursts, delayed ACKs and the probe need a little more than the product. */
static uint32_t quantize(const struct tcp_conn *c, uint32_t cwnd)
{
	const struct bbr *b = cpriv(c);

	cwnd += 3 * burst_goal(c);
	cwnd = (cwnd + 1) & ~1u;
	return b->mode == PROBE_BW && b->cycle == 0 ? cwnd + 2 : cwnd;
}

static uint32_t inflight_for(const struct tcp_conn *c, uint32_t bw, uint32_t gain)
{
	return quantize(c, bdp(cpriv(c), bw, gain));
}

/* bbr_packets_in_net_at_edt(): what is in the network when the next frame may leave. */
static uint32_t in_net(const struct tcp_conn *c, uint32_t flight, xtime now)
{
	const struct bbr *b = cpriv(c);
	uint64_t us = (uint64_t)(tcp_pacing_delay(c, now) / XTIME_USEC);
	uint32_t gone = (uint32_t)(bbr_bw(b) * us >> BW_SCALE);

	if (b->pacing_gain > UNIT)
		flight += burst_goal(c);
	return gone >= flight ? 0 : flight - gone;
}

/* ---- cwnd ---- */

static void save_cwnd(struct tcp_conn *c)
{
	struct bbr *b = priv(c);

	if (b->prev_ca < CA_RECOVERY && b->mode != PROBE_RTT)
		b->prior_cwnd = c->cc.cwnd;
	else
		b->prior_cwnd = MAX(b->prior_cwnd, c->cc.cwnd);
}

/* The first round of recovery sends as much as arrives; afterwards cwnd is as before.  True:
 * *cwnd is final. */
static bool recover_or_restore(struct tcp_conn *c, const struct rate_sample *rs, uint32_t *cwnd)
{
	struct bbr *b = priv(c);
	uint8_t prev = b->prev_ca, state = c->loss.ca_state;
	uint32_t w = c->cc.cwnd;

	if (rs->losses)
		w = w > rs->losses ? w - rs->losses : 1;
	if (state == CA_RECOVERY && prev != CA_RECOVERY) {
		b->conserves = true;
		b->next_round = c->loss.delivered;
		w = tcp_in_flight(c) + rs->acked_sacked;
	} else if (prev >= CA_RECOVERY && state < CA_RECOVERY) {
		w = MAX(w, b->prior_cwnd);
		b->conserves = false;
	}
	b->prev_ca = state & 7;
	*cwnd = b->conserves ? MAX(w, tcp_in_flight(c) + rs->acked_sacked) : w;
	return b->conserves;
}

static uint32_t ack_aggregation(const struct bbr *b)
{
	uint64_t most = (uint64_t)bbr_bw(b) * EXTRA_TIME_MAX_US / BW_UNIT;

	if (!b->is_full)
		return 0;
	return (uint32_t)MIN((uint64_t)MAX(b->extra_acked[0], b->extra_acked[1]), most);
}

static void set_cwnd(struct tcp_conn *c, const struct rate_sample *rs, uint32_t bw, uint32_t gain)
{
	struct bbr *b = priv(c);
	uint32_t cwnd = c->cc.cwnd, target;

	if (rs->acked_sacked && !recover_or_restore(c, rs, &cwnd)) {
		target = quantize(c, bdp(b, bw, gain) + ack_aggregation(b));
		if (b->is_full)
			cwnd = MIN(cwnd + rs->acked_sacked, target);
		else if (cwnd < target || c->loss.delivered < TCP_INIT_CWND)
			cwnd += rs->acked_sacked;
		cwnd = MAX(cwnd, CWND_LEAST);
	}
	c->cc.cwnd = MIN(cwnd, c->cc.cwnd_clamp);
	if (b->mode == PROBE_RTT)
		c->cc.cwnd = MIN(c->cc.cwnd, CWND_LEAST);
}

/* ---- states ---- */

static void advance_cycle(struct tcp_conn *c)
{
	struct bbr *b = priv(c);

	b->cycle = (b->cycle + 1) % CYCLE_LEN;
	b->cycle_start = c->rate.delivered_at;
}

/* bbr_is_next_cycle_phase(): a phase lasts a round trip; more until the pipe has felt it, less
 * until the queue is gone. */
static bool cycle_is_over(const struct tcp_conn *c, const struct rate_sample *rs, xtime now)
{
	const struct bbr *b = cpriv(c);
	bool is_full = c->rate.delivered_at - b->cycle_start > b->min_rtt_us * XTIME_USEC;
	uint32_t flight;

	if (b->pacing_gain == UNIT)
		return is_full;
	flight = in_net(c, rs->prior_in_flight, now);
	if (b->pacing_gain > UNIT)
		return is_full && (rs->losses || flight >= inflight_for(c, b->bw.s[0].v, b->pacing_gain));
	return is_full || flight <= inflight_for(c, b->bw.s[0].v, UNIT);
}

/* Flows begin anywhere in the cycle but where the queue is drained. */
static void enter_probe_bw(struct tcp_conn *c)
{
	struct bbr *b = priv(c);

	b->mode = PROBE_BW;
	b->cycle = (uint8_t)(CYCLE_LEN - 1 - stack_random(c->s) % CYCLE_RAND);
	advance_cycle(c);
}

static void leave_probe_rtt(struct tcp_conn *c)
{
	struct bbr *b = priv(c);

	if (b->is_full)
		enter_probe_bw(c);
	else
		b->mode = STARTUP;
}

static void check_probe_rtt_done(struct tcp_conn *c, xtime now)
{
	struct bbr *b = priv(c);

	if (!b->has_probe_end || now <= b->probe_rtt_done)
		return;
	b->min_rtt_stamp = now;
	c->cc.cwnd = MAX(c->cc.cwnd, b->prior_cwnd);
	leave_probe_rtt(c);
}

/* ---- policers: long-term bandwidth ---- */

static void lt_interval_reset(struct tcp_conn *c)
{
	struct bbr *b = priv(c);

	b->lt_start = c->rate.delivered_at;
	b->lt_delivered = c->loss.delivered;
	b->lt_lost = c->loss.lost;
	b->lt_rounds = 0;
}

static void lt_reset(struct tcp_conn *c)
{
	struct bbr *b = priv(c);

	b->lt_bw = 0;
	b->lt_use = b->lt_samples = false;
	lt_interval_reset(c);
}

static void lt_interval_done(struct tcp_conn *c, uint32_t bw)
{
	struct bbr *b = priv(c);
	uint32_t diff = bw > b->lt_bw ? bw - b->lt_bw : b->lt_bw - bw;

	if (b->lt_bw && ((uint64_t)diff * UNIT <= (uint64_t)LT_BW_RATIO * b->lt_bw ||
	                 rate_bytes(c, diff, UNIT) <= LT_BW_DIFF)) {
		b->lt_bw = (uint32_t)(((uint64_t)bw + b->lt_bw) >> 1);
		b->lt_use = true;
		b->pacing_gain = UNIT;
		b->lt_rounds = 0;
		return;
	}
	b->lt_bw = bw;
	lt_interval_reset(c);
}

/* An interval goes from a loss to a loss, over 4 to 16 rounds, with a fifth of it lost. */
static void lt_sample(struct tcp_conn *c, uint32_t losses, bool is_app_limited)
{
	struct bbr *b = priv(c);
	uint32_t lost, delivered;
	int64_t ms;

	if (b->lt_use) {
		if (b->mode == PROBE_BW && b->is_round_start && ++b->lt_rounds >= LT_ROUNDS_MOST) {
			lt_reset(c);
			enter_probe_bw(c);
		}
		return;
	}
	if (!b->lt_samples) {
		if (!losses)
			return;
		lt_interval_reset(c);
		b->lt_samples = true;
	}
	if (b->is_round_start)
		b->lt_rounds++;
	if (is_app_limited || b->lt_rounds > 4 * LT_ROUNDS_LEAST) {
		lt_reset(c);
		return;
	}
	if (b->lt_rounds < LT_ROUNDS_LEAST || !losses)
		return;
	lost = c->loss.lost - b->lt_lost;
	delivered = c->loss.delivered - b->lt_delivered;
	if (!delivered || (uint64_t)lost << 8 < (uint64_t)LT_LOSS_THRESH * delivered)
		return;
	ms = (c->rate.delivered_at - b->lt_start) / XTIME_MSEC;
	if (ms < 1)
		return;
	lt_interval_done(c, (uint32_t)MIN((uint64_t)delivered * BW_UNIT / (uint64_t)(ms * 1000), UINT64_C(0xffffffff)));
}

/* ---- what an ACK tells ---- */

static void update_bw(struct tcp_conn *c, const struct rate_sample *rs)
{
	struct bbr *b = priv(c);
	uint32_t bw;

	b->is_round_start = false;
	if (rs->delivered < 0 || rs->interval_us <= 0)
		return;
	if ((int32_t)(rs->prior_delivered - b->next_round) >= 0) {
		b->next_round = c->loss.delivered;
		b->rounds++;
		b->is_round_start = true;
		b->conserves = false;
	}
	lt_sample(c, rs->losses, rs->is_app_limited);
	bw = (uint32_t)MIN((uint64_t)rs->delivered * BW_UNIT / (uint64_t)rs->interval_us, UINT64_C(0xffffffff));
	if (!rs->is_app_limited || bw >= b->bw.s[0].v)
		maxima_add(&b->bw, BW_ROUNDS, b->rounds, bw);
}

static void update_aggregation(struct tcp_conn *c, const struct rate_sample *rs)
{
	struct bbr *b = priv(c);
	uint64_t expected;
	uint32_t extra;

	if (!rs->acked_sacked || rs->delivered < 0 || rs->interval_us <= 0)
		return;
	if (b->is_round_start && ++b->extra_rounds >= EXTRA_ROUNDS) {
		b->extra_rounds = 0;
		b->extra_idx = !b->extra_idx;
		b->extra_acked[b->extra_idx] = 0;
	}
	expected = bbr_bw(b) * (uint64_t)((c->rate.delivered_at - b->ack_epoch) / XTIME_USEC) / BW_UNIT;
	if (b->epoch_acked <= expected || b->epoch_acked + rs->acked_sacked >= EXTRA_RESET) {
		b->epoch_acked = 0;
		b->ack_epoch = c->rate.delivered_at;
		expected = 0;
	}
	b->epoch_acked = MIN(0xfffffu, b->epoch_acked + rs->acked_sacked);
	extra = MIN(b->epoch_acked - (uint32_t)expected, c->cc.cwnd);
	b->extra_acked[b->extra_idx] = MAX(b->extra_acked[b->extra_idx], (uint16_t)MIN(extra, 0xffffu));
}

static void check_full_bw(struct bbr *b, const struct rate_sample *rs)
{
	if (b->is_full || !b->is_round_start || rs->is_app_limited)
		return;
	if (b->bw.s[0].v >= (uint64_t)b->full_bw * FULL_BW_THRESH / UNIT) {
		b->full_bw = b->bw.s[0].v;
		b->full_bw_rounds = 0;
		return;
	}
	b->is_full = ++b->full_bw_rounds >= FULL_BW_ROUNDS;
}

static void check_drain(struct tcp_conn *c, xtime now)
{
	struct bbr *b = priv(c);

	if (b->mode == STARTUP && b->is_full) {
		b->mode = DRAIN;
		c->cc.ssthresh = inflight_for(c, b->bw.s[0].v, UNIT);
	}
	if (b->mode == DRAIN && in_net(c, tcp_in_flight(c), now) <= inflight_for(c, b->bw.s[0].v, UNIT))
		enter_probe_bw(c);
}

/* PROBE_RTT: 200 ms and a round with four segments in flight show the path without queue. */
static void stay_in_probe_rtt(struct tcp_conn *c, xtime now)
{
	struct bbr *b = priv(c);

	c->rate.app_limited = MAX(c->loss.delivered + tcp_in_flight(c), 1u);
	if (!b->has_probe_end) {
		if (tcp_in_flight(c) > CWND_LEAST)
			return;
		b->has_probe_end = true;
		b->probe_rtt_done = now + PROBE_RTT_TIME;
		b->probe_rtt_round = false;
		b->next_round = c->loss.delivered;
		return;
	}
	if (b->is_round_start)
		b->probe_rtt_round = true;
	if (b->probe_rtt_round)
		check_probe_rtt_done(c, now);
}

static void update_min_rtt(struct tcp_conn *c, const struct rate_sample *rs, xtime now)
{
	struct bbr *b = priv(c);
	bool is_old = now > b->min_rtt_stamp + MIN_RTT_WINDOW;

	if (rs->rtt_us >= 0 && ((uint64_t)rs->rtt_us < b->min_rtt_us || (is_old && !rs->is_ack_delayed))) {
		b->min_rtt_us = (uint32_t)MAX(rs->rtt_us, 1);
		b->min_rtt_stamp = now;
	}
	if (is_old && !b->idle_restart && b->mode != PROBE_RTT) {
		save_cwnd(c);
		b->mode = PROBE_RTT;
		b->has_probe_end = false;
	}
	if (b->mode == PROBE_RTT)
		stay_in_probe_rtt(c, now);
	if (rs->delivered > 0)
		b->idle_restart = false;
}

static void update_gains(struct bbr *b)
{
	static const uint16_t cycle[CYCLE_LEN] = { UNIT * 5 / 4, UNIT * 3 / 4, UNIT, UNIT, UNIT, UNIT, UNIT, UNIT };

	switch (b->mode) {
	case STARTUP:
		b->pacing_gain = b->cwnd_gain = HIGH_GAIN;
		break;
	case DRAIN:
		b->pacing_gain = DRAIN_GAIN;
		b->cwnd_gain = HIGH_GAIN;
		break;
	case PROBE_BW:
		b->pacing_gain = b->lt_use ? UNIT : cycle[b->cycle];
		b->cwnd_gain = CWND_GAIN;
		break;
	default:
		b->pacing_gain = b->cwnd_gain = UNIT;
		break;
	}
}

static void bbr_main(struct tcp_conn *c, const struct rate_sample *rs, xtime now)
{
	struct bbr *b = priv(c);

	update_bw(c, rs);
	update_aggregation(c, rs);
	if (b->mode == PROBE_BW && cycle_is_over(c, rs, now))
		advance_cycle(c);
	check_full_bw(b, rs);
	check_drain(c, now);
	update_min_rtt(c, rs, now);
	update_gains(b);
	set_pacing_rate(c, bbr_bw(b), b->pacing_gain);
	set_cwnd(c, rs, bbr_bw(b), b->cwnd_gain);
}

/* ---- events ---- */

static void bbr_init(struct tcp_conn *c, xtime now)
{
	struct bbr *b = priv(c);

	memset(b, 0, sizeof(*b));
	c->cc.ssthresh = TCP_CWND_INFINITE;
	b->next_round = c->loss.delivered;
	b->min_rtt_us = c->rtt.min_us;
	b->min_rtt_stamp = b->ack_epoch = now;
	init_pacing_rate(c);
	lt_reset(c);
	update_gains(b);
}

/* Sending again after an idle time: at the rate of the path, without a burst. */
static void bbr_event(struct tcp_conn *c, enum cc_event ev, xtime now)
{
	struct bbr *b = priv(c);

	if (ev != CC_EV_TX_START || !c->rate.app_limited)
		return;
	b->idle_restart = true;
	b->ack_epoch = now;
	b->epoch_acked = 0;
	if (b->mode == PROBE_BW)
		set_pacing_rate(c, bbr_bw(b), UNIT);
	else if (b->mode == PROBE_RTT)
		check_probe_rtt_done(c, now);
}

static uint32_t bbr_ssthresh(struct tcp_conn *c, xtime now)
{
	(void)now;
	save_cwnd(c);
	return c->cc.ssthresh;
}

static void bbr_cong_avoid(struct tcp_conn *c, uint32_t ack, uint32_t acked, xtime now)
{
	(void)c;
	(void)ack;
	(void)acked;
	(void)now;
}

static void bbr_set_state(struct tcp_conn *c, enum ca_state next, xtime now)
{
	struct bbr *b = priv(c);

	(void)now;
	if (next != CA_LOSS)
		return;
	b->prev_ca = CA_LOSS;
	b->full_bw = 0;
	b->is_round_start = true;   /* a time-out is the end of a round */
	lt_sample(c, 1, false);
}

/* The losses were none: nothing is known of a full pipe either. */
static uint32_t bbr_undo_cwnd(struct tcp_conn *c)
{
	struct bbr *b = priv(c);

	b->full_bw = 0;
	b->full_bw_rounds = 0;
	lt_reset(c);
	return c->cc.cwnd;
}

/* struct tcp_bbr_info: bytes/s in two halves, min_rtt in us, gains in 1/256. */
static size_t bbr_get_info(const struct tcp_conn *c, void *buf)
{
	const struct bbr *b = cpriv(c);
	uint64_t bw = (uint64_t)bbr_bw(b) * c->snd.mss_cache * (XTIME_SEC / XTIME_USEC) >> BW_SCALE;
	uint32_t v[5] = { (uint32_t)bw, (uint32_t)(bw >> 32), b->min_rtt_us, b->pacing_gain, b->cwnd_gain };

	memcpy(buf, v, sizeof(v));
	return sizeof(v);
}

const struct cc_ops cc_bbr = {
	.name = "bbr",
	.init = bbr_init,
	.ssthresh = bbr_ssthresh,
	.cong_avoid = bbr_cong_avoid,
	.cong_control = bbr_main,
	.set_state = bbr_set_state,
	.event = bbr_event,
	.undo_cwnd = bbr_undo_cwnd,
	.min_tso_segs = bbr_min_tso_segs,
	.needs_pacing = true,
	.own_size = sizeof(struct bbr),
	.sndbuf_windows = 3,
	.get_info = bbr_get_info,
};
