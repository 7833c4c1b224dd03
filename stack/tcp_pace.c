/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_pace.c - sending at a rate: Linux's internal pacing (tcp_update_skb_after_send(),
 * tcp_pacing_check()).
 *
 * Every connection has a pacing rate, which TCP_INFO tells and which bounds the size of
 * super-frames.  It is kept to only where the algorithm asks for it (BBR) or where the
 * program has set SO_MAX_PACING_RATE: each frame then moves snd.pace_at by the time that it
 * takes at that rate, and data, new or sent again, waits for it.  ACKs, probes and what a
 * time-out sends do not wait.
 */
#include "tcp_impl.h"

#define PACE_FREE_SEGS 10u   /* the first window leaves at once, as with Linux's fq */

uint64_t tcp_pacing_rate(const struct tcp_conn *c)
{
	return MIN(c->cc.pacing_rate, c->opt.rare->max_pacing_rate);
}

/* What would send the window in an RTT, with room to grow; where the algorithm doesn't say itself. */
void tcp_update_pacing_rate(struct tcp_conn *c)
{
	uint64_t rate = (uint64_t)c->snd.mss_cache * (XTIME_SEC / XTIME_USEC) * 8;

	if (c->cc.ops->cong_control)
		return;
	rate = rate * (uint64_t)(c->cc.cwnd < c->cc.ssthresh / 2 ? c->s->set.tcp_pacing_ss_ratio
	                                                         : c->s->set.tcp_pacing_ca_ratio) / 100;
	rate *= MAX(c->cc.cwnd, c->loss.packets_out);
	if (c->rtt.srtt8_us)
		rate /= c->rtt.srtt8_us;
	c->cc.pacing_rate = rate;
}

bool tcp_is_paced(const struct tcp_conn *c)
{
	return c->cc.ops->needs_pacing || c->opt.rare->max_pacing_rate != UINT64_MAX;
}

/* tcp_pacing_delay(). */
xtime tcp_pacing_delay(const struct tcp_conn *c, xtime now)
{
	return tcp_is_paced(c) && c->snd.pace_at > now ? c->snd.pace_at - now : 0;
}

bool tcp_pacing_holds(struct tcp_conn *c, xtime now)
{
	c->snd.is_pace_held = tcp_pacing_delay(c, now) > 0;
	return c->snd.is_pace_held;
}

/* tcp_update_skb_after_send(), payload only: a frame of data that leaves late earns the next one half of
 * its time at most. */
void tcp_pacing_sent(struct tcp_conn *c, size_t len, xtime now)
{
	xtime prior = c->snd.pace_at, took;
	uint64_t rate;

	c->snd.pace_at = MAX(prior, now);
	if (!tcp_is_paced(c) || c->snd.data_segs_out < PACE_FREE_SEGS)
		return;
	rate = tcp_pacing_rate(c);
	if (!rate || rate == UINT64_MAX)
		return;
	took = (xtime)((uint64_t)len * XTIME_SEC / rate);
	c->snd.pace_at += took - MIN(took / 2, c->snd.pace_at - prior);
}

/* Its time has come. */
void tcp_pacing_fire(struct tcp_conn *c)
{
	c->snd.is_pace_held = false;
	tcp_want_output(c);
}

/* The same as tcp_tso_autosize(): a millisecond of the rate at which we send, and more the
 * nearer the peer is; never less than the algorithm's burst. */
uint32_t tcp_burst_segs(const struct tcp_conn *c, uint32_t mss, uint32_t most)
{
	uint32_t least = c->cc.ops->min_tso_segs ? c->cc.ops->min_tso_segs(c)
	                                         : (uint32_t)c->s->set.tcp_min_tso_segs;
	uint64_t bytes = tcp_pacing_rate(c) >> 10;
	uint32_t far = (uint32_t)((uint64_t)c->rtt.min_us >> MIN(c->s->set.tcp_tso_rtt_log, 32));

	if (c->s->set.tcp_tso_rtt_log && far < 32)
		bytes += c->s->ifaces[c->rt.iface].gso_max >> far;
	return (uint32_t)MIN(MAX(bytes / mss, (uint64_t)least), (uint64_t)most);
}
