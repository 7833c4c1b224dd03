/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_refused.c - a frame that the interface dropped: local congestion, as Linux's TCP sees it when
 * tcp_transmit_skb() comes back with NET_XMIT_DROP.
 *
 * Linux then leaves what is new unsent and what is lost unretransmitted, enters CWR, and
 * stops until the next event; the timers come back in TCP_RESOURCE_PROBE_INTERVAL without a
 * backoff.  Here a frame counts as sent when tcp_output() gives it, so what that has changed is
 * taken back: the newest frame first, so that each finds the connection as it left it.  Frames behind the
 * refused one were never tried, and nothing of them remains.  What Linux counts and
 * notes of an attempt (the ACK that it carried, segments, IP's identification) stays.
 */
#include "tcp_out.h"

/* Nothing of this segment was ever handed over. */
static void uncount(struct tcp_conn *c, size_t len, uint32_t segs, bool is_resent)
{
	c->ip_id -= (uint16_t)segs;
	c->snd.segs_out -= segs;
	c->snd.bytes_sent -= len;
	c->snd.data_segs_out -= len ? segs : 0;
	if (!is_resent) {
		c->s->counters[CTR_TcpOutSegs] -= segs;
		return;
	}
	c->s->counters[CTR_TcpRetransSegs] -= segs;
	c->snd.total_retrans -= segs;
	c->snd.bytes_retrans -= len;
	c->loss.undo_retrans = MAX(c->loss.undo_retrans - (int32_t)segs, 0);
}

static void take_from_prr(struct tcp_conn *c, uint32_t segs)
{
	c->loss.prr_out -= MIN(segs, c->loss.prr_out);
}

/* New data is unsent again, in an skb that ends where the segment did. */
static void take_back_new(struct tcp_conn *c, const struct frame_out *f, bool is_tried)
{
	const struct frame_undo *u = &f->undo;
	seq32 data_end = c->snd.q_seq + c->snd.q.len;
	struct tx_seg *seg = c->snd.txq.n ? txq_at(&c->snd.txq, c->snd.txq.n - 1) : NULL;
	uint32_t segs;

	if (!seg || seg->seq != u->seq)   /* one with another segment by now */
		return;
	segs = tcp_seg_count(c, seg);
	c->loss.packets_out -= segs;
	take_from_prr(c, segs);
	c->s->counters[CTR_bytes_out] -= f->payload_len;
	c->s->counters[CTR_TcpExtTCPOrigDataSent] -= segs;
	if (!is_tried)
		uncount(c, f->payload_len, segs, false);
	if (u->is_mtu_probe) {
		c->cc.cwnd++;
		tcp_mtup_forget(c);
	}
	c->snd.nxt = seg->seq;
	c->snd.sml = u->sml;
	c->snd.push_now = u->push_now;
	if (f->payload_len)
		tcp_marks_return(c, seq_min(seg->end, data_end), seg->flags & SEG_PSH, seg->flags & SEG_EOR);
	c->snd.txq.n--;
}

/* What is lost still is (__tcp_retransmit_skb, tcp_xmit_retransmit_queue). */
static void take_back_resent(struct tcp_conn *c, const struct frame_out *f, bool is_tried)
{
	const struct frame_undo *u = &f->undo;
	uint32_t i = txq_find(&c->snd.txq, u->seq), segs;
	struct tx_seg *seg;

	if (i == c->snd.txq.n)
		return;
	seg = txq_at(&c->snd.txq, i);
	segs = tcp_seg_count(c, seg);
	if (is_tried)
		c->s->counters[CTR_TcpExtTCPRetransFail] += segs;
	else
		uncount(c, f->payload_len, segs, true);
	if (u->use == FRAME_TLP)
		return;
	if (!u->was_resent && seg->flags & SEG_RETRANS) {
		seg->flags &= (uint8_t)~SEG_RETRANS;
		c->loss.retrans_out -= segs;
	}
	take_from_prr(c, segs);
	if (u->use == FRAME_LOST)
		c->s->counters[c->loss.ca_state == CA_LOSS ? CTR_TcpExtTCPSlowStartRetrans : CTR_TcpExtTCPFastRetrans] -=
			segs;
}

/* tcp_send_loss_probe(), rearm_timer. */
static void probe_failed(struct tcp_conn *c, xtime now)
{
	c->loss.tlp_out = c->loss.tlp_retrans = false;
	c->s->counters[CTR_TcpExtTCPLossProbes]--;
	c->snd.rexmit_kind = REXMIT_TLP;
	tcp_rearm_rto(c, now);
}

/* tcp_xmit_recovery(): without new data F-RTO has nothing to learn from. */
static void frto_failed(struct tcp_conn *c)
{
	c->loss.try_new = false;
	c->loss.hold_lost = c->loss.frto = seq_gt(c->snd.nxt, c->loss.high_seq);
	if (!c->loss.hold_lost)
		tcp_want_output(c);
}

/* What each sender does about it in Linux. */
static void stop(struct tcp_conn *c, const struct frame_undo *u, xtime now)
{
	bool is_bare = u->use == FRAME_BARE, is_new = u->use == FRAME_NEW;

	tcp_output_off(c);
	c->snd.is_mss_kept = false;
	/* Writes don't send again what is lost: ACKs and timers do. */
	if (u->use == FRAME_LOST || u->use == FRAME_FORCED)
		c->loss.hold_lost = true;
	if (u->use == FRAME_TLP || (is_new && u->out & OUT_TLP))
		probe_failed(c, now);
	else if (u->use == FRAME_FORCED && (c->snd.wnd || c->is_dead))
		tcp_rto_was_refused(c, now);
	else if (u->use == FRAME_SYN && c->state == TCP_SYN_SENT && c->snd.retransmits)
		tcp_rto_was_refused(c, now);
	else if ((is_bare || is_new) && u->out & OUT_PROBE)
		tcp_probe_was_refused(c, now);
	else if ((is_bare || is_new) && u->out & OUT_KEEPALIVE)
		tcp_keepalive_was_refused(c, now);
	else if (is_new && c->loss.try_new)
		frto_failed(c);
	else if (is_new)
		tcp_check_probe(c, now);
}

bool tcp_refused(struct tcp_conn *c, const struct frame_out *f, bool is_tried, xtime now)
{
	const struct frame_undo *u = &f->undo;
	bool is_segment = u->use != FRAME_BARE && u->use != FRAME_SYN;

	if (!is_segment && !is_tried)
		return false;
	if (u->use == FRAME_NEW)
		take_back_new(c, f, is_tried);
	else if (is_segment)
		take_back_resent(c, f, is_tried);
	if (is_segment) {
		c->snd.pace_at = u->pace_at;
		tcp_rexmit_set(c, u->rexmit_kind, u->rexmit_at);
	}
	if (!is_tried)
		return true;
	if (!conn_in(c, ST(SYN_SENT) | ST(SYN_RECV)))
		tcp_enter_cwr(c, now);
	stop(c, u, now);
	if (c->snd.is_space_due)
		tcp_check_space(c, now);
	tcp_timer_update(c);
	return true;
}
