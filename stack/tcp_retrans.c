/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_retrans.c - what is sent again: at a time-out, what is lost, and the tail as a
 * probe (tcp_retransmit_skb, tcp_xmit_retransmit_queue, tcp_send_loss_probe).
 */
#include "tcp_out.h"

#include <errno.h>

/* Makes segment idx no larger than `limit` bytes and, when it is the first, than a
 * window that has shrunk: 0 or -ENOMEM. */
static int fit_segment(struct tcp_conn *c, uint32_t idx, uint32_t limit, uint32_t mss)
{
	struct tx_seg *seg = txq_at(&c->snd.txq, idx);

	if (seg->seq == c->snd.una && seq_gt(seg->end, tcp_wnd_end(c)) && c->snd.wnd >= mss)
		limit = MIN(limit, c->snd.wnd / mss * mss);
	if (seg->end - seg->seq <= limit)
		return 0;
	return txq_split(c, idx, seg->seq + limit);
}

/* tcp_retrans_try_collapse(): small segments that follow one another go as one. */
static void try_collapse(struct tcp_conn *c, uint32_t idx, uint32_t mss)
{
	seq32 data_end = c->snd.q_seq + c->snd.q.len;

	while (c->s->set.tcp_retrans_collapse && idx + 1 < c->snd.txq.n) {
		const struct tx_seg *seg = txq_at(&c->snd.txq, idx), *next = seg + 1;

		/* A FIN takes no room. */
		if (seg->flags & (SEG_SACKED | SEG_EOR) || next->flags & SEG_SACKED || tcp_seg_count(c, seg) > 1 ||
		    tcp_seg_count(c, next) > 1 || seq_min(next->end, data_end) - seg->seq > mss ||
		    seq_gt(next->end, tcp_wnd_end(c)))
			return;
		txq_merge(c, idx, mss);
	}
}

/* The segment has been sent again: as a probe it still counts as in flight for the first
 * time (__tcp_retransmit_skb), else it replaces what was lost (tcp_retransmit_skb). */
static void mark_resent(struct tcp_conn *c, struct tx_seg *seg, size_t len, bool is_probe, xtime now)
{
	uint32_t segs = tcp_seg_count(c, seg);

	seg->flags |= SEG_EVER_RETRANS;
	seg->sent = now;
	tcp_rate_sent(c, seg, now);
	if (!is_probe) {
		if (!(seg->flags & SEG_RETRANS))
			c->loss.retrans_out += segs;
		seg->flags |= SEG_RETRANS;
		if (!c->snd.retrans_stamp)
			c->snd.retrans_stamp = now;
		c->loss.undo_retrans = MAX(c->loss.undo_retrans, 0) + (int32_t)segs;
		c->loss.prr_out += segs;
	}
	c->snd.total_retrans += segs;
	c->snd.bytes_retrans += len;
	c->s->counters[CTR_TcpRetransSegs] += segs;
	/* What RACK wants to look at soon comes first; it leads to a time-out again. */
	if (c->snd.rexmit_kind != REXMIT_RTO && c->snd.rexmit_kind != REXMIT_REORDER)
		tcp_rexmit_set(c, REXMIT_RTO, now + c->rtt.rto_ns);
}

/* Sends segment idx of the queue again, at most n_segs of it. */
static bool retransmit(struct tcp_conn *c, struct frame_out *f, uint32_t idx, uint32_t n_segs,
                       bool is_probe, xtime now)
{
	uint32_t mss = tcp_current_mss(c, now);
	struct tx_seg *seg = txq_at(&c->snd.txq, idx);
	struct neigh *n = NULL;
	int ret;

	tcp_mtup_forget(c);   /* inconclusive */
	if (tcp_is_in_device(c, seg))
		return false;
	f->undo.seq = seg->seq;
	f->undo.use = is_probe ? FRAME_TLP : FRAME_LOST;
	if (seq_lt(seg->seq, c->snd.q_seq)) {
		/* close() during a simultaneous open: the SYN is still to be acknowledged. */
		if (!tcp_output_syn(c, f, now))
			return false;
	} else {
		/* tcp_retransmit_skb(): a window that shrank holds back all but the first. */
		if (!seq_lt(seg->seq, tcp_wnd_end(c)) && seg->seq != c->snd.una)
			return false;
		/* No burst larger than one of new data (tcp_tso_segs). */
		n_segs = MIN(n_segs, tcp_burst_segs(c, mss, tcp_max_segs(c, mss)));
		if (seg->mss > mss && seg->end - seg->seq > mss)
			txq_recount(c, idx, mss);
		if (fit_segment(c, idx, n_segs * mss, mss) < 0)
			return false;
		try_collapse(c, idx, mss);
		seg = txq_at(&c->snd.txq, idx);
		tcp_seg_set_mss(c, seg, mss);
		ret = tcp_send_segment(c, f, seg->seq, seg->end, seg->flags & SEG_PSH, mss, &n, now);
		if (ret < 0) {
			if (ret != -EAGAIN)
				count(c->s, CTR_TcpExtTCPRetransFail);
			return tcp_output_blocked(c, ret, n, now);
		}
	}
	seg = txq_at(&c->snd.txq, idx);
	f->undo.was_resent = seg->flags & SEG_RETRANS;
	mark_resent(c, seg, f->payload_len, is_probe, now);
	return true;
}

/* tcp_xmit_retransmit_queue(): the first lost segment that is not in flight again. */
bool tcp_output_lost(struct tcp_conn *c, struct frame_out *f, xtime now)
{
	struct tx_queue *q = &c->snd.txq;
	uint32_t flight = tcp_in_flight(c);

	if (c->loss.hold_lost || c->loss.lost_out <= c->loss.retrans_out || flight >= c->cc.cwnd ||
	    tcp_pacing_holds(c, now))
		return false;
	for (uint32_t i = 0; i < q->n; i++) {
		struct tx_seg *seg = txq_at(q, i);

		if ((seg->flags & (SEG_LOST | SEG_SACKED | SEG_RETRANS)) != SEG_LOST)
			continue;
		if (tcp_small_queue_is_full(c, seg->end - seg->seq, 1))
			return false;
		if (!retransmit(c, f, i, c->cc.cwnd - flight, false, now))
			return false;
		c->s->counters[c->loss.ca_state == CA_LOSS ? CTR_TcpExtTCPSlowStartRetrans : CTR_TcpExtTCPFastRetrans] +=
			tcp_seg_count(c, txq_at(q, i));
		/* The time-out runs from the latest transmission of what is oldest. */
		if (!i && c->snd.rexmit_kind != REXMIT_REORDER)
			tcp_rexmit_set(c, REXMIT_RTO, now + c->rtt.rto_ns);
		return true;
	}
	return false;
}

bool tcp_output_forced(struct tcp_conn *c, struct frame_out *f, xtime now)
{
	c->snd.out &= (uint8_t)~OUT_RETRANS;
	if (!c->snd.txq.n)
		return false;
	if (!retransmit(c, f, 0, 1, false, now)) {
		if (c->is_blocked)
			c->snd.out |= OUT_RETRANS;
		return false;
	}
	f->undo.use = FRAME_FORCED;
	return true;
}

/* tcp_send_loss_probe(): a new segment if one may go, else the last one again. */
bool tcp_output_tlp(struct tcp_conn *c, struct frame_out *f, xtime now)
{
	struct tx_queue *q = &c->snd.txq;
	uint32_t mss = tcp_current_mss(c, now), len;
	struct tx_seg *last;

	c->snd.out &= (uint8_t)~OUT_TLP;
	if (!q->n)
		return false;
	last = txq_at(q, q->n - 1);
	/* Its last segment, as it was cut when it left. */
	len = (tcp_seg_count(c, last) - 1) * mss;
	if (len && last->end - last->seq > len && txq_split(c, q->n - 1, last->seq + len) < 0)
		return false;
	if (tcp_is_in_device(c, last)) {
		c->snd.rexmit_kind = REXMIT_TLP;
		tcp_rearm_rto(c, now);
		return false;
	}
	c->loss.tlp_retrans = true;
	c->loss.tlp_out = true;
	c->loss.tlp_high = c->snd.nxt;
	count(c->s, CTR_TcpExtTCPLossProbes);
	return retransmit(c, f, q->n - 1, 1, true, now);
}
