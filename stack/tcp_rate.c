/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_rate.c - how fast the path delivers: draft-cheng-iccrg-delivery-rate-estimation,
 * with the details of Linux's tcp_rate.c, for BBR and for TCP_INFO.
 *
 * Each segment notes, when it leaves, how much had been delivered by then and since when.
 * When it is delivered itself, the difference over the time is a sample; the time is the
 * longer of that in which this was sent and that in which it was acknowledged, so that
 * neither a burst of segments nor one of ACKs looks like bandwidth.
 *
 * A sample of a time in which the program gave too little to send is a lower bound: it
 * is marked, and counts only when it is no less than what is known.
 */
#include "tcp_impl.h"

/* tcp_rate_skb_sent(). */
void tcp_rate_sent(struct tcp_conn *c, struct tx_seg *seg, xtime now)
{
	/* Nothing in flight: the time that was idle is no time of sending. */
	if (!c->loss.packets_out)
		c->rate.first_tx = c->rate.delivered_at = now;
	seg->flight_start = c->rate.first_tx;
	seg->delivered_at = c->rate.delivered_at;
	seg->delivered = c->loss.delivered;
	seg->is_app_limited = c->rate.app_limited != 0;
}

/* tcp_rate_skb_delivered(): the sample is that of the segment that left last. */
void tcp_rate_delivered(struct tcp_conn *c, struct tx_seg *seg, struct rate_sample *rs)
{
	if (!seg->delivered_at)
		return;
	if (rs->prior_delivered && (seg->sent < c->rate.first_tx ||
	    (seg->sent == c->rate.first_tx && !seq_gt(seg->end, rs->last_end_seq))))
		return;
	rs->prior_delivered = seg->delivered;
	rs->prior_time = seg->delivered_at;
	rs->is_app_limited = seg->is_app_limited;
	rs->is_retrans = seg->flags & SEG_EVER_RETRANS;
	rs->last_end_seq = seg->end;
	c->rate.first_tx = seg->sent;
	rs->snd_interval_us = (seg->sent - seg->flight_start) / XTIME_USEC;
}

static void keep_sample(struct tcp_conn *c, const struct rate_sample *rs)
{
	uint64_t old = (uint64_t)c->rate.delivered * (uint64_t)rs->interval_us;

	if (rs->is_app_limited && (uint64_t)rs->delivered * c->rate.interval_us < old)
		return;
	c->rate.delivered = (uint32_t)rs->delivered;
	c->rate.interval_us = (uint32_t)MIN(rs->interval_us, (int64_t)UINT32_MAX);
	c->rate.is_app_limited = rs->is_app_limited;
}

/* tcp_rate_gen(). */
void tcp_rate_gen(struct tcp_conn *c, struct ack_info *a, xtime now)
{
	struct rate_sample *rs = &a->rs;

	/* What was sent while there was too little has arrived. */
	if (c->rate.app_limited && (int32_t)(c->loss.delivered - c->rate.app_limited) > 0)
		c->rate.app_limited = 0;
	if (a->acked_sacked)
		c->rate.delivered_at = now;
	rs->acked_sacked = a->acked_sacked;
	rs->losses = a->lost;
	rs->prior_in_flight = a->prior_in_flight;
	rs->rtt_us = a->rtt_us;
	rs->delivered = -1;
	rs->interval_us = -1;
	if (!rs->prior_time || c->loss.is_reneg)
		return;
	rs->delivered = (int32_t)(c->loss.delivered - rs->prior_delivered);
	rs->rcv_interval_us = (now - rs->prior_time) / XTIME_USEC;
	rs->interval_us = MAX(rs->snd_interval_us, rs->rcv_interval_us);
	/* Quicker than light: a retransmission took the blame for its original. */
	if (rs->interval_us < (int64_t)c->rtt.min_us) {
		rs->interval_us = -1;
		return;
	}
	keep_sample(c, rs);
}

/* tcp_rate_check_app_limited(): less than a segment waits, the window is open, and nothing
 * is lost that would fill it. */
void tcp_rate_check_app_limited(struct tcp_conn *c)
{
	uint32_t flight = tcp_in_flight(c);

	if (tcp_snd_end(c) - c->snd.nxt >= c->snd.mss_cache || flight >= c->cc.cwnd ||
	    c->loss.lost_out > c->loss.retrans_out)
		return;
	c->rate.app_limited = MAX(c->loss.delivered + flight, 1u);
}

uint64_t tcp_delivery_rate(const struct tcp_conn *c)
{
	if (!c->rate.interval_us)
		return 0;
	return (uint64_t)c->rate.delivered * c->snd.mss_cache * (XTIME_SEC / XTIME_USEC) / c->rate.interval_us;
}
