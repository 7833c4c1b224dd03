/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_rack.c - RACK-TLP (RFC 8985): a segment is lost when one that was sent
 * sufficiently later has been delivered; a probe turns the loss of a tail into
 * one that ACKs can tell.  Time decides, not the number of duplicate ACKs: with
 * super-frames that overtake each other on a two-CPU path reordering is normal.
 */
#include "tcp_impl.h"

#define RACK_RECOVERY_THRESH 16             /* RFC 8985 6.2 step 4 */

/* tcp_skb_sent_after(): ties go by sequence number. */
static bool sent_after(xtime t1, xtime t2, seq32 end1, seq32 end2)
{
	return t1 > t2 || (t1 == t2 && seq_gt(end1, end2));
}

/* RFC 8985 6.2 step 2: the segment that was delivered with the latest send time. */
void tcp_rack_advance(struct tcp_conn *c, const struct tx_seg *seg, xtime now)
{
	uint32_t rtt_us = (uint32_t)((now - seg->sent) / XTIME_USEC);

	/* An ACK this soon is for the original, not for its retransmission. */
	if (rtt_us < c->rtt.min_us && c->rtt.min_us != UINT32_MAX && seg->flags & SEG_EVER_RETRANS)
		return;
	c->loss.rack_advanced = true;
	c->loss.rack_rtt_us = rtt_us;
	if (sent_after(seg->sent, c->loss.rack_mstamp, seg->end, c->loss.rack_end)) {
		c->loss.rack_mstamp = seg->sent;
		c->loss.rack_end = seg->end;
	}
}

/* tcp_rack_reo_wnd(): RFC 8985 6.2 step 4. */
static xtime reo_wnd(const struct tcp_conn *c)
{
	uint64_t us;

	if (!c->loss.reord_seen) {
		if (c->loss.ca_state >= CA_RECOVERY)
			return 0;
		if (c->loss.sacked_out >= c->loss.reordering)
			return 0;
	}
	if (c->rtt.min_us == UINT32_MAX)
		return 0;
	us = (uint64_t)(c->rtt.min_us >> 2) * MAX(c->loss.reo_wnd_steps, 1);
	return (xtime)MIN(us, (uint64_t)(c->rtt.srtt8_us >> 3)) * XTIME_USEC;
}

xtime tcp_rack_remaining(const struct tcp_conn *c, const struct tx_seg *seg, xtime wnd, xtime now)
{
	return c->loss.rack_rtt_us * XTIME_USEC + wnd - (now - seg->sent);
}

/* tcp_rack_detect_loss(): marks, and tells when to look again (0: no need). */
static xtime detect_loss(struct tcp_conn *c, xtime now)
{
	struct tx_queue *q = &c->snd.txq;
	xtime wnd = reo_wnd(c), again = 0;

	for (uint32_t i = 0; i < q->n; i++) {
		struct tx_seg *seg = txq_at(q, i);
		xtime left;

		if (seg->flags & SEG_SACKED)
			continue;
		if ((seg->flags & (SEG_LOST | SEG_RETRANS)) == SEG_LOST)
			continue;
		if (!sent_after(c->loss.rack_mstamp, seg->sent, c->loss.rack_end, seg->end))
			continue;
		left = tcp_rack_remaining(c, seg, wnd, now);
		if (left <= 0)
			tcp_mark_lost(c, seg);
		else
			again = MAX(again, left);
	}
	return again;
}

/* True when it has set the timer itself. */
bool tcp_rack_mark_lost(struct tcp_conn *c, xtime now)
{
	xtime again;

	if (!c->loss.rack_advanced)
		return false;
	c->loss.rack_advanced = false;
	again = detect_loss(c, now);
	if (!again)
		return false;
	tcp_rexmit_set(c, REXMIT_REORDER, now + again + TCP_TIMEOUT_MIN);
	return true;
}

/* tcp_rack_reo_timeout(). */
void tcp_rack_reorder_fire(struct tcp_conn *c, xtime now)
{
	uint32_t prior = tcp_in_flight(c);

	detect_loss(c, now);
	if (prior != tcp_in_flight(c)) {
		c->loss.hold_lost = false;
		if (c->loss.ca_state != CA_RECOVERY) {
			tcp_enter_recovery(c, false, now);
			if (!c->cc.ops->cong_control)
				tcp_cwnd_reduction(c, 1, 0, 0);
		}
		tcp_want_output(c);
	}
	/* From the head's own transmission; if that is what is sent again, it says so itself. */
	c->snd.rexmit_kind = REXMIT_REORDER;
	tcp_rearm_rto(c, now);
}

/* tcp_rack_update_reo_wnd(): DSACKs say that the window was too small. */
void tcp_rack_update_reo_wnd(struct tcp_conn *c, uint32_t prior_delivered)
{
	if (!prior_delivered)
		return;
	if ((int32_t)(prior_delivered - c->loss.last_delivered_rack) < 0)
		c->loss.rack_dsack_seen = false;
	if (c->loss.rack_dsack_seen) {
		c->loss.reo_wnd_steps = (uint8_t)MIN(0xff, MAX(c->loss.reo_wnd_steps, 1) + 1);
		c->loss.rack_dsack_seen = false;
		c->loss.last_delivered_rack = c->loss.delivered;
		c->loss.reo_wnd_persist = RACK_RECOVERY_THRESH;
	} else if (!c->loss.reo_wnd_persist) {
		c->loss.reo_wnd_steps = 1;
	}
}

/* ---- tail loss probe: RFC 8985 7 ---- */

bool tcp_schedule_tlp(struct tcp_conn *c, xtime now)
{
	xtime wait, rto_at;

	if (c->s->set.tcp_early_retrans < 3 || !c->loss.packets_out || !c->sack_ok ||
	    (c->loss.ca_state != CA_OPEN && c->loss.ca_state != CA_CWR))
		return false;
	if (c->rtt.srtt8_us) {
		wait = (xtime)(c->rtt.srtt8_us >> 2) * XTIME_USEC;
		wait += c->loss.packets_out == 1 ? tcp_rto_min(c) : TCP_TIMEOUT_MIN;
	} else {
		wait = TCP_RTO_INITIAL;
	}
	wait += tcp_pacing_delay(c, now);
	rto_at = txq_at(&c->snd.txq, 0)->sent + c->rtt.rto_ns;
	if (rto_at > now)
		wait = xtime_min(wait, rto_at - now);
	tcp_rexmit_set(c, REXMIT_TLP, now + wait);
	return true;
}

/* One probe at a time: while another one is out, the time-out of what is oldest is next. */
void tcp_tlp_fire(struct tcp_conn *c, xtime now)
{
	if (!c->loss.packets_out)
		return;
	if (c->loss.tlp_out) {
		c->snd.rexmit_kind = REXMIT_TLP;
		tcp_rearm_rto(c, now);
		return;
	}
	c->snd.out |= OUT_TLP;
	tcp_want_output(c);
	tcp_rexmit_set(c, REXMIT_RTO, now + c->rtt.rto_ns);
}

/* tcp_process_tlp_ack(): did the probe repair a loss? */
void tcp_process_tlp_ack(struct tcp_conn *c, seq32 ack, unsigned flag, xtime now)
{
	if (seq_lt(ack, c->loss.tlp_high))
		return;
	if (!c->loss.tlp_retrans || flag & FLAG_DSACK_TLP) {
		c->loss.tlp_out = false;
	} else if (seq_gt(ack, c->loss.tlp_high)) {
		count(c->s, CTR_TcpExtTCPLossProbeRecovery);
		tcp_init_cwnd_reduction(c, now);
		tcp_set_ca_state(c, CA_CWR, now);
		tcp_end_cwnd_reduction(c, now);
		tcp_try_keep_open(c, now);
	} else if (!(flag & (FLAG_SND_UNA_ADVANCED | FLAG_NOT_DUP | FLAG_DATA_SACKED))) {
		c->loss.tlp_out = false;
	}
}
