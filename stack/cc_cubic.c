/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cc_cubic.c - CUBIC (RFC 9438): after a loss the window grows as a cubic function
 * of time around the size at which the loss happened.
 *
 * Times are in 1/1024 s as in Linux, so that its integer arithmetic (and with it
 * its windows) can be compared: beta = 717/1024, C = 0.4.
 */
#include "hystart.h"
#include "tcp_impl.h"

#include <string.h>

#define BETA 717u                /* of 1024 */
#define HZ 1024
#define CUBE_RTT_SCALE 410u      /* C = 0.4, times 1024 */
#define FAST_CONVERGENCE true

struct cubic {
	uint32_t cnt;                /* ACKs per increase of cwnd by one */
	uint32_t last_max_cwnd, last_cwnd;
	uint32_t origin_point, k;    /* k in 1/1024 s */
	uint32_t delay_min_us;
	uint32_t ack_cnt, tcp_cwnd;  /* of the Reno-friendly region: W_est */
	uint32_t cwnd_prior;         /* before the last reduction */
	bool has_epoch;              /* epoch_start is valid */
	xtime last_time, epoch_start;
	struct hystart hs;
};

_Static_assert(sizeof(struct cubic) <= CC_PRIV_SIZE, "cubic state too large");

static struct cubic *priv(struct tcp_conn *c) { return (struct cubic *)c->cc.priv; }

static uint32_t cbrt_u64(uint64_t a)
{
	uint64_t lo = 0, hi = 1u << 21;

	while (lo < hi) {
		uint64_t mid = (lo + hi + 1) / 2;

		if (mid * mid * mid <= a)
			lo = mid;
		else
			hi = mid - 1;
	}
	return (uint32_t)lo;
}

static void cubic_init(struct tcp_conn *c, xtime now)
{
	memset(priv(c), 0, sizeof(struct cubic));
	priv(c)->hs.curr_rtt_us = UINT32_MAX;
	hystart_reset(c, &priv(c)->hs, now);
}

/* A new epoch: congestion avoidance begins (RFC 9438 4.2). */
static void cubic_begin(struct cubic *ca, uint32_t cwnd, uint32_t acked, xtime now)
{
	ca->has_epoch = true;
	ca->epoch_start = now;
	ca->ack_cnt = acked;
	ca->tcp_cwnd = cwnd;
	if (ca->last_max_cwnd <= cwnd) {
		ca->k = 0;
		ca->origin_point = cwnd;
	} else {
		/* K = cbrt((W_max - cwnd) / C), in 1/1024 s. */
		ca->k = cbrt_u64((UINT64_C(1) << 40) / CUBE_RTT_SCALE * (ca->last_max_cwnd - cwnd));
		ca->origin_point = ca->last_max_cwnd;
	}
}

/* RFC 9438 4.3: what Reno would have with CUBIC's beta; alpha = 3 * (1 - beta) / (1 + beta), and 1
 * from where the last loss was (the latter isn't in Linux). */
static void cubic_friendly(struct cubic *ca, uint32_t cwnd)
{
	uint32_t flat = cwnd * (8 * (1024 + BETA) / 3 / (1024 - BETA)) >> 3, delta, max_cnt;

	while (cwnd && ca->ack_cnt > (delta = ca->tcp_cwnd < ca->cwnd_prior ? flat : cwnd)) {
		ca->ack_cnt -= delta;
		ca->tcp_cwnd++;
	}
	if (ca->tcp_cwnd > cwnd) {
		max_cnt = cwnd / (ca->tcp_cwnd - cwnd);
		ca->cnt = MIN(ca->cnt, max_cnt);
	}
	ca->cnt = MAX(ca->cnt, 2u);
}

/* How long cnt is good while cwnd stays.  Linux has 1/32 s, which on a path of 1 ms lets the
 * friendly region sleep for 31 round trips: with 1 % loss that is half of Reno's rate. */
static xtime cubic_interval(const struct tcp_conn *c)
{
	return MIN(XTIME_SEC / 32, (xtime)(c->rtt.srtt8_us >> 5) * XTIME_USEC);
}

/* The target of RFC 9438 4.2 as bictcp_update(): ca->cnt is how many ACKs make cwnd one larger. */
static void cubic_update(struct tcp_conn *c, uint32_t acked, xtime now)
{
	struct cubic *ca = priv(c);
	uint32_t cwnd = c->cc.cwnd, target, delta;
	uint64_t t, offs;

	ca->ack_cnt += acked;
	if (ca->last_cwnd == cwnd && now - ca->last_time <= cubic_interval(c))
		return;
	if (ca->has_epoch && now == ca->last_time) {
		cubic_friendly(ca, cwnd);
		return;
	}
	ca->last_cwnd = cwnd;
	ca->last_time = now;
	if (!ca->has_epoch)
		cubic_begin(ca, cwnd, acked, now);
	t = (uint64_t)((now - ca->epoch_start) / XTIME_USEC + ca->delay_min_us) * HZ / 1000000;
	offs = t < ca->k ? ca->k - t : t - ca->k;
	offs = MIN(offs, 1u << 19);
	delta = (uint32_t)(((uint64_t)CUBE_RTT_SCALE * offs * offs >> 20) * offs >> 20);
	target = t < ca->k ? ca->origin_point - MIN(delta, ca->origin_point) : ca->origin_point + delta;
	ca->cnt = target > cwnd ? cwnd / (target - cwnd) : 100 * cwnd;
	if (!ca->last_max_cwnd && ca->cnt > 20)
		ca->cnt = 20;
	cubic_friendly(ca, cwnd);
}

static void cubic_cong_avoid(struct tcp_conn *c, uint32_t ack, uint32_t acked, xtime now)
{
	(void)ack;
	if (c->cc.cwnd < c->cc.ssthresh)
		acked = hystart_growth(&priv(c)->hs, acked);
	acked = cc_after_slow_start(c, acked);
	if (!acked)
		return;
	cubic_update(c, acked, now);
	cc_avoid_ai(c, priv(c)->cnt, acked);
}

/* RFC 9438 4.6 and 4.7 (fast convergence). */
static uint32_t cubic_ssthresh(struct tcp_conn *c, xtime now)
{
	struct cubic *ca = priv(c);
	uint32_t cwnd = c->cc.cwnd;

	(void)now;
	ca->has_epoch = false;
	ca->cwnd_prior = cwnd;
	if (FAST_CONVERGENCE && cwnd < ca->last_max_cwnd)
		ca->last_max_cwnd = (uint32_t)((uint64_t)cwnd * (1024 + BETA) / (2 * 1024));
	else
		ca->last_max_cwnd = cwnd;
	return MAX((uint32_t)((uint64_t)cwnd * BETA / 1024), 2u);
}

/* After a time-out all begins anew (bictcp_reset()), but W_est grows no faster than before until
 * it is where the loss was: RFC 9438 4.8 leaves cwnd_prior alone. */
static void cubic_set_state(struct tcp_conn *c, enum ca_state next, xtime now)
{
	uint32_t prior = priv(c)->cwnd_prior;

	if (next != CA_LOSS)
		return;
	cubic_init(c, now);
	priv(c)->cwnd_prior = prior;
}

/* An idle time is no time of growth: the epoch moves along. */
static void cubic_event(struct tcp_conn *c, enum cc_event ev, xtime now)
{
	struct cubic *ca = priv(c);
	xtime idle = now - c->snd.lsndtime;

	if (ev != CC_EV_TX_START || !ca->has_epoch || !c->snd.lsndtime || idle <= 0)
		return;
	ca->epoch_start = MIN(ca->epoch_start + idle, now);
}

static void cubic_pkts_acked(struct tcp_conn *c, uint32_t acked, int64_t rtt_us, xtime now)
{
	struct cubic *ca = priv(c);
	uint32_t delay;

	(void)acked;
	if (rtt_us < 0)
		return;
	/* Samples right after a loss are of a queue that is going. */
	if (ca->has_epoch && now - ca->epoch_start < XTIME_SEC)
		return;
	delay = (uint32_t)MAX(rtt_us, 1);
	if (!ca->delay_min_us || ca->delay_min_us > delay)
		ca->delay_min_us = delay;
	if (!ca->hs.has_found && c->cc.cwnd < c->cc.ssthresh)
		hystart_sample(c, &ca->hs, ca->delay_min_us, delay, now);
}

const struct cc_ops cc_cubic = {
	.name = "cubic",
	.init = cubic_init,
	.ssthresh = cubic_ssthresh,
	.cong_avoid = cubic_cong_avoid,
	.set_state = cubic_set_state,
	.event = cubic_event,
	.pkts_acked = cubic_pkts_acked,
	.undo_cwnd = cc_reno_undo,
};
