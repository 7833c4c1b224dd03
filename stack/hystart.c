/* SPDX-License-Identifier: BSD-2-Clause */
/* hystart.c - see hystart.h. */
#include "hystart.h"

#include "tcp_impl.h"

/* Linux's and RFC 9406 4.3's are the same where both have them. */
#define LOW_WINDOW 16u
#define ACK_DELTA_US 2000
#define DELAY_MIN_US 4000u
#define DELAY_MAX_US 16000u
#define MIN_SAMPLES 8u
#define CSS_GROWTH_DIVISOR 4u
#define CSS_ROUNDS 5u

void hystart_reset(struct tcp_conn *c, struct hystart *h, xtime now)
{
	h->round_start = h->last_ack = now;
	h->end_seq = c->snd.nxt;
	h->last_rtt_us = h->curr_rtt_us;
	h->curr_rtt_us = UINT32_MAX;
	h->sample_cnt = 0;
}

static void leave_slow_start(struct tcp_conn *c, struct hystart *h)
{
	h->has_found = true;
	h->css_rounds = 0;
	c->cc.ssthresh = c->cc.cwnd;
}

/* ---- Linux's ---- */

/* hystart_ack_delay(): what the peer's merging of segments and our own super-frames may add to
 * the length of a train of ACKs: four super-frames at the rate at which we send, 1 ms at most.
 * Without it slow start would end at once where the round trip is tens of microseconds. */
static uint32_t ack_delay_us(const struct tcp_conn *c)
{
	uint64_t rate = tcp_pacing_rate(c);
	uint64_t burst = (uint64_t)c->s->ifaces[c->rt.iface].gso_max * 4 * (XTIME_SEC / XTIME_USEC);

	return rate ? (uint32_t)MIN(burst / rate, UINT64_C(1000)) : 0;
}

/* A train of ACKs that is as long as half a round trip, or delays, say that the pipe is full. */
static void linux_sample(struct tcp_conn *c, struct hystart *h, uint32_t min_us, uint32_t rtt_us, xtime now)
{
	uint32_t thresh;

	if (c->cc.cwnd < LOW_WINDOW)
		return;
	if ((now - h->last_ack) / XTIME_USEC <= ACK_DELTA_US) {
		h->last_ack = now;
		thresh = min_us + ack_delay_us(c);
		/* Pacing alone spreads a window over half a round trip. */
		if (!tcp_is_paced(c))
			thresh >>= 1;
		if ((now - h->round_start) / XTIME_USEC > thresh) {
			leave_slow_start(c, h);
			return;
		}
	}
	h->curr_rtt_us = MIN(h->curr_rtt_us, rtt_us);
	if (h->sample_cnt < MIN_SAMPLES) {
		h->sample_cnt++;
		return;
	}
	thresh = MIN(MAX(min_us >> 3, DELAY_MIN_US), DELAY_MAX_US);
	if (h->curr_rtt_us > min_us + thresh)
		leave_slow_start(c, h);
}

/* ---- RFC 9406 ---- */

/* 4.2: delays alone; what they say is tried for five rounds at a quarter of the growth. */
static void pp_sample(struct hystart *h, uint32_t rtt_us)
{
	uint32_t thresh;

	h->curr_rtt_us = MIN(h->curr_rtt_us, rtt_us);
	if (h->sample_cnt < MIN_SAMPLES && ++h->sample_cnt < MIN_SAMPLES)
		return;
	if (h->css_rounds) {
		if (h->curr_rtt_us < h->baseline_us)
			h->css_rounds = 0;   /* it was too early */
		return;
	}
	if (h->last_rtt_us == UINT32_MAX)
		return;
	thresh = MIN(MAX(h->last_rtt_us >> 3, DELAY_MIN_US), DELAY_MAX_US);
	if (h->curr_rtt_us >= h->last_rtt_us + thresh) {
		h->baseline_us = h->curr_rtt_us;
		h->css_rounds = CSS_ROUNDS;
		h->css_acked = 0;
	}
}

static void pp_round(struct tcp_conn *c, struct hystart *h)
{
	if (h->css_rounds && --h->css_rounds == 0)
		leave_slow_start(c, h);
}

void hystart_sample(struct tcp_conn *c, struct hystart *h, uint32_t min_us, uint32_t rtt_us, xtime now)
{
	int32_t kind = c->s->set.tcp_cubic_hystart;

	if (seq_gt(c->snd.una, h->end_seq)) {
		hystart_reset(c, h, now);
		pp_round(c, h);
	}
	if (h->has_found)
		return;
	if (kind == HYSTART_LINUX)
		linux_sample(c, h, min_us, rtt_us, now);
	else if (kind == HYSTART_PP && c->cc.ssthresh == TCP_CWND_INFINITE)   /* 4.3: the first slow start only */
		pp_sample(h, rtt_us);
}

uint32_t hystart_growth(struct hystart *h, uint32_t acked)
{
	uint32_t n;

	if (!h->css_rounds)
		return acked;
	n = h->css_acked + acked;
	h->css_acked = (uint8_t)(n % CSS_GROWTH_DIVISOR);
	return n / CSS_GROWTH_DIVISOR;
}
