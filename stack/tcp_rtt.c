/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_rtt.c - round-trip time and retransmission time-out: RFC 6298 with Linux's
 * variance (tcp_rtt_estimator(): the maximum deviation of one round, decaying
 * once a round, never below the minimum RTO).  All in microseconds.
 */
#include "tcp_impl.h"

#include <stdlib.h>

xtime tcp_rto_min(const struct tcp_conn *c)
{
	if (c->opt.rare->rto_min_us)
		return c->opt.rare->rto_min_us * XTIME_USEC;
	if (c->rt.rto_min_ms)
		return c->rt.rto_min_ms * XTIME_MSEC;
	return c->s->set.tcp_rto_min_us * XTIME_USEC;
}

xtime tcp_rto_max(const struct tcp_conn *c)
{
	if (c->opt.rare->rto_max_ms)
		return c->opt.rare->rto_max_ms * XTIME_MSEC;
	return c->s->set.tcp_rto_max_ms * XTIME_MSEC;
}

void tcp_rtt_init(struct tcp_conn *c)
{
	c->rtt.srtt8_us = 0;
	c->rtt.mdev4_us = (uint32_t)(TCP_RTO_INITIAL / XTIME_USEC);
	c->rtt.mdev_max_us = c->rtt.rttvar_us = 0;
	c->rtt.rto_ns = TCP_RTO_INITIAL;
	c->rtt.min_us = UINT32_MAX;
	c->rtt.last_us = 0;
}

/* The first sample of a connection: RFC 6298 2.2. */
static void rtt_first(struct tcp_conn *c, uint32_t m)
{
	c->rtt.srtt8_us = m << 3;
	c->rtt.mdev4_us = m << 1;
	c->rtt.rttvar_us = MAX(c->rtt.mdev4_us, (uint32_t)(tcp_rto_min(c) / XTIME_USEC));
	c->rtt.mdev_max_us = c->rtt.rttvar_us;
	c->rtt.seq = c->snd.nxt;
}

/* RFC 6298 2.3.  A deviation downwards counts for less: a falling RTT is no reason
 * for a longer time-out (Eifel). */
static void rtt_next(struct tcp_conn *c, uint32_t sample)
{
	int64_t m = (int64_t)sample - (c->rtt.srtt8_us >> 3);

	c->rtt.srtt8_us = (uint32_t)((int64_t)c->rtt.srtt8_us + m);
	if (m < 0) {
		m = -m - (c->rtt.mdev4_us >> 2);
		if (m > 0)
			m >>= 3;
	} else {
		m -= c->rtt.mdev4_us >> 2;
	}
	c->rtt.mdev4_us = (uint32_t)((int64_t)c->rtt.mdev4_us + m);
	if (c->rtt.mdev4_us > c->rtt.mdev_max_us) {
		c->rtt.mdev_max_us = c->rtt.mdev4_us;
		c->rtt.rttvar_us = MAX(c->rtt.rttvar_us, c->rtt.mdev_max_us);
	}
	if (seq_gt(c->snd.una, c->rtt.seq)) {
		if (c->rtt.mdev_max_us < c->rtt.rttvar_us)
			c->rtt.rttvar_us -= (c->rtt.rttvar_us - c->rtt.mdev_max_us) >> 2;
		c->rtt.seq = c->snd.nxt;
		c->rtt.mdev_max_us = (uint32_t)(tcp_rto_min(c) / XTIME_USEC);
	}
}

void tcp_rtt_sample(struct tcp_conn *c, int64_t us, xtime now)
{
	uint32_t m = (uint32_t)MIN(MAX(us, 1), (int64_t)INT32_MAX / 16);

	c->rtt.last_us = m;
	tcp_rtt_min_update(c, m, now);
	if (c->rtt.srtt8_us == 0)
		rtt_first(c, m);
	else
		rtt_next(c, m);
	c->rtt.srtt8_us = MAX(c->rtt.srtt8_us, 1u);
}

/* The minimum of the last minutes, restarted when it has grown old. */
void tcp_rtt_min_update(struct tcp_conn *c, uint32_t us, xtime now)
{
	if (us <= c->rtt.min_us || now - c->rtt.min_stamp > c->s->set.tcp_min_rtt_wlen * XTIME_SEC) {
		c->rtt.min_us = us;
		c->rtt.min_stamp = now;
	}
}

/* tcp_set_rto(): RTO = SRTT + 4 * RTTVAR within its bounds; rttvar_us holds 4 times. */
void tcp_set_rto(struct tcp_conn *c)
{
	xtime rto = ((xtime)(c->rtt.srtt8_us >> 3) + c->rtt.rttvar_us) * XTIME_USEC;

	c->rtt.rto_ns = MIN(rto, tcp_rto_max(c));
}
