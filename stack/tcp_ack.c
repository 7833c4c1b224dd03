/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_ack.c - what an acknowledgment tells: RFC 9293 3.10.7.4 "check the ACK
 * field", as Linux's tcp_ack().  What is acknowledged leaves the queue and the send
 * ring, SACK blocks mark the rest, times become RTT samples; the conclusions for
 * loss recovery and congestion control are drawn in tcp_loss.c.
 */
#include "tcp_impl.h"

#include <errno.h>

/* tcp_replace_ts_recent(): RFC 7323 4.3. */
static void replace_ts_recent(struct tcp_conn *c, const struct tcp_hdr *th, xtime now)
{
	if (th->has_ts && seq_le(th->seq, c->rcv.wup)) {
		c->ts_recent = th->tsval;
		c->ts_recent_stamp = now;
	}
}

/* tcp_ack_update_window(): RFC 9293 3.10.7.4, SND.WL1 and SND.WL2. */
static unsigned update_window(struct tcp_conn *c, const struct tcp_hdr *th, seq32 prior_una, xtime now)
{
	uint32_t wnd = th->wnd;

	if (!(th->flags & TCPF_SYN))
		wnd <<= c->snd_wscale;
	if (!(seq_gt(th->ack, prior_una) || seq_gt(th->seq, c->snd.wl1) ||
	      (th->seq == c->snd.wl1 && (wnd > c->snd.wnd || !wnd))))
		return 0;
	c->snd.wl1 = th->seq;
	if (c->snd.wnd == wnd)
		return FLAG_WIN_UPDATE;
	c->snd.wnd = wnd;
	tcp_fast_path_check(c);
	if (c->snd.nxt != tcp_snd_end(c))   /* what waited for the window */
		tcp_cwnd_restart_check(c, now);
	if (wnd > c->snd.max_wnd) {
		c->snd.max_wnd = wnd;
		tcp_sync_mss(c, c->pmtu);
	}
	return FLAG_WIN_UPDATE;
}

/* Everything before `ack` leaves the send ring. */
static void drop_acked(struct tcp_conn *c, seq32 ack, xtime now)
{
	seq32 data_end = c->snd.q_seq + c->snd.q.len;
	seq32 upto = seq_min(ack, data_end);

	if (seq_gt(upto, c->snd.q_seq)) {
		ring_drop(&c->snd.q, upto - c->snd.q_seq);
		c->snd.q_seq = upto;
		if (!c->snd.q.len && ring_rewind(&c->snd.q))
			tcp_trim_later(c, now);
	}
}

struct clean_state {
	xtime first_ackt, last_ackt;   /* XTIME_NEVER: none */
	bool is_whole;                 /* the last segment touched was acknowledged whole */
	uint32_t acked;                /* segments */
	seq32 reord;
	bool has_reord;
};

/* One segment, or its first part, is acknowledged. */
static void clean_segment(struct tcp_conn *c, struct ack_info *a, struct clean_state *st,
                          struct tx_seg *seg, uint32_t n, bool is_syn, xtime now)
{
	if (seg->flags & SEG_EVER_RETRANS) {
		a->flag |= FLAG_RETRANS_DATA_ACKED;
	} else if (!(seg->flags & SEG_SACKED)) {
		st->last_ackt = seg->sent;
		if (st->first_ackt == XTIME_NEVER)
			st->first_ackt = seg->sent;
		if (!st->has_reord || seq_lt(seg->seq, st->reord)) {
			st->reord = seg->seq;
			st->has_reord = true;
		}
		if (seq_le(seg->end, c->loss.high_seq))
			a->flag |= FLAG_ORIG_SACK_ACKED;
	}
	if (!(seg->flags & SEG_SACKED) && c->sack_ok) {
		c->loss.delivered += n;
		tcp_rack_advance(c, seg, now);
	}
	st->acked += n;
	tcp_rate_delivered(c, seg, &a->rs);
	if (is_syn) {
		a->flag |= FLAG_SYN_ACKED;
		c->snd.retrans_stamp = 0;
	} else {
		a->flag |= FLAG_DATA_ACKED;
	}
}

/* tcp_tso_acked(): cuts the first segment at `ack`; how many fewer the rest counts for, which is
 * none while a last segment isn't acknowledged whole.  False: no memory. */
static bool trim_head(struct tcp_conn *c, seq32 ack, uint32_t *n)
{
	struct tx_queue *q = &c->snd.txq;
	uint32_t was = tcp_seg_count(c, txq_at(q, 0));

	if (txq_split(c, 0, ack) < 0)
		return false;
	*n = was - MIN(was, tcp_seg_count(c, txq_at(q, 1)));
	return true;
}

static void seg_remove_first(struct tcp_conn *c)
{
	struct tx_seg *seg = txq_at(&c->snd.txq, 0);
	uint32_t n = tcp_seg_count(c, seg);

	c->loss.packets_out -= n;
	if (seg->flags & SEG_SACKED)
		c->loss.sacked_out -= n;
	if (seg->flags & SEG_LOST)
		c->loss.lost_out -= n;
	if (seg->flags & SEG_RETRANS)
		c->loss.retrans_out -= n;
	txq_pop(&c->snd.txq);
}

/* tcp_ack_update_rtt(). */
static bool update_rtt(struct tcp_conn *c, unsigned flag, int64_t seq_rtt, int64_t sack_rtt,
                       int64_t *ca_rtt, xtime now)
{
	if (seq_rtt < 0)
		seq_rtt = sack_rtt;
	/* RFC 7323 4.1: a retransmitted segment still gives a sample by its timestamp. */
	if (seq_rtt < 0 && c->saw_ts && c->rcv_tsecr && flag & FLAG_ACKED) {
		uint32_t delta = tcp_ts_now(c, now) - c->rcv_tsecr;

		if (delta < INT32_MAX / 1000)
			seq_rtt = *ca_rtt = MAX(delta, 1u) * INT64_C(1000);
	}
	if (seq_rtt < 0)
		return false;
	if (*ca_rtt >= 0)
		tcp_rtt_min_update(c, (uint32_t)*ca_rtt, now);
	tcp_rtt_sample(c, seq_rtt, now);
	tcp_set_rto(c);
	c->snd.backoff = 0;
	return true;
}

static int64_t us_since(xtime then, xtime now)
{
	return then == XTIME_NEVER ? -1 : (now - then) / XTIME_USEC;
}

/* tcp_clean_rtx_queue(). */
static void clean_queue(struct tcp_conn *c, struct ack_info *a, seq32 ack, xtime now)
{
	struct tx_queue *q = &c->snd.txq;
	struct clean_state st = { .first_ackt = XTIME_NEVER, .last_ackt = XTIME_NEVER, .is_whole = true };
	int64_t seq_rtt = -1, ca_rtt = -1, sack_rtt = -1;
	bool has_rtt, was_sacked = c->loss.sacked_out;

	while (q->n && seq_lt(txq_at(q, 0)->seq, ack)) {
		struct tx_seg seg = *txq_at(q, 0);
		uint32_t n = tcp_seg_count(c, &seg);

		if (seq_gt(seg.end, ack)) {
			if (!trim_head(c, ack, &n))
				break;
			seg = *txq_at(q, 0);
			st.is_whole = false;
		}
		seg_remove_first(c);
		if (n)
			clean_segment(c, a, &st, &seg, n, seg.seq == c->snd.iss, now);
	}
	if (st.first_ackt != XTIME_NEVER && !(a->flag & FLAG_RETRANS_DATA_ACKED)) {
		seq_rtt = us_since(st.first_ackt, now);
		ca_rtt = us_since(st.last_ackt, now);
		a->rs.is_ack_delayed = st.acked == 1 && !was_sacked && st.is_whole &&
			c->snd.una - a->prior_una < c->snd.mss_cache && !(a->flag & (FLAG_CA_ALERT | FLAG_SYN_ACKED)) &&
			a->rs.prior_delivered + 1 == c->loss.delivered;
	}
	if (a->first_sackt != XTIME_NEVER) {
		sack_rtt = us_since(a->first_sackt, now);
		ca_rtt = us_since(a->last_sackt, now);
	}
	has_rtt = update_rtt(c, a->flag, seq_rtt, sack_rtt, &ca_rtt, now);
	if (a->flag & FLAG_ACKED) {
		a->flag |= FLAG_SET_XMIT_TIMER;
		tcp_mtup_acked(c, now);
		if (!c->sack_ok) {
			tcp_remove_reno_sacks(c, st.acked);
			if (a->flag & FLAG_RETRANS_DATA_ACKED)
				a->flag &= ~(unsigned)FLAG_ORIG_SACK_ACKED;
		} else if (st.has_reord && seq_lt(st.reord, a->prior_high_sacked)) {
			tcp_check_reordering(c, st.reord, false);
		}
	} else if (q->n && has_rtt && sack_rtt >= 0 && sack_rtt > us_since(txq_at(q, 0)->sent, now)) {
		a->flag |= FLAG_SET_XMIT_TIMER;
	}
	a->rtt_us = ca_rtt;
	if (c->cc.ops->pkts_acked)
		c->cc.ops->pkts_acked(c, st.acked, ca_rtt, now);
}

/* ---- SACK ---- */

/* tcp_is_sackblock_valid(): new information, or a duplicate of what the undo still needs. */
static bool sack_is_valid(const struct tcp_conn *c, const struct tcp_sack_block *b, bool is_dsack)
{
	if (seq_gt(b->end, c->snd.nxt) || !seq_lt(b->start, b->end) || !seq_lt(b->start, c->snd.nxt))
		return false;
	if (seq_gt(b->start, c->snd.una))
		return true;
	if (!is_dsack || !c->loss.undo_on || seq_gt(b->end, c->snd.una))
		return false;
	if (!seq_lt(b->start, c->loss.undo_marker))
		return true;
	return seq_gt(b->end, c->loss.undo_marker) && !seq_lt(b->start, b->end - c->snd.max_wnd);
}

static void count_invalid(struct tcp_conn *c, const struct tcp_hdr *th, const struct tcp_sack_block *b,
                          bool is_dsack)
{
	if (is_dsack)
		count(c->s, c->loss.undo_on ? CTR_TcpExtTCPDSACKIgnoredOld : CTR_TcpExtTCPDSACKIgnoredNoUndo);
	else if (th->ack == c->snd.una || seq_gt(b->end, c->snd.una))   /* else: ACKs were reordered */
		count(c->s, CTR_TcpExtTCPSACKDiscard);
}

/* tcp_dsack_seen(): how many segments it tells of, 0 when it can't be believed. */
static uint32_t dsack_seen(struct tcp_conn *c, const struct tcp_sack_block *b, struct ack_info *a)
{
	uint32_t len = b->end - b->start, segs = 1;

	if (!seq_lt(b->start, b->end) || len > c->snd.max_wnd)
		return 0;
	if (len > c->snd.mss_cache)
		segs = (len + c->snd.mss_cache - 1) / MAX(c->snd.mss_cache, 1u);
	else if (c->loss.tlp_out && c->loss.tlp_high == b->end)
		a->flag |= FLAG_DSACK_TLP;
	c->loss.dsack_dups += segs;
	/* More than was ever sent again: the network duplicates. */
	if (c->loss.dsack_dups > c->snd.total_retrans)
		return 0;
	c->dsack_seen = true;
	if (c->loss.reord_seen && !(a->flag & FLAG_DSACK_TLP))
		c->loss.rack_dsack_seen = true;
	a->flag |= FLAG_DSACKING_ACK;
	c->loss.delivered += segs;   /* sent again without need, but delivered */
	return segs;
}

/* tcp_check_dsack(): RFC 2883 4. */
static bool sack_check_dsack(struct tcp_conn *c, const struct tcp_hdr *th, struct ack_info *a)
{
	const struct tcp_sack_block *b = th->sack;
	uint32_t segs;

	if (seq_lt(b[0].start, th->ack))
		count(c->s, CTR_TcpExtTCPDSACKRecv);
	else if (th->nsack > 1 && seq_ge(b[0].start, b[1].start) && seq_le(b[0].end, b[1].end))
		count(c->s, CTR_TcpExtTCPDSACKOfoRecv);
	else
		return false;
	segs = dsack_seen(c, &b[0], a);
	if (!segs) {
		count(c->s, CTR_TcpExtTCPDSACKIgnoredDubious);
		return false;
	}
	c->s->counters[CTR_TcpExtTCPDSACKRecvSegs] += segs;
	/* Of data that is forgotten already. */
	if (c->loss.undo_on && c->loss.undo_retrans > 0 && seq_le(b[0].end, a->prior_una) &&
	    seq_gt(b[0].end, c->loss.undo_marker))
		c->loss.undo_retrans = MAX(0, c->loss.undo_retrans - (int32_t)segs);
	return true;
}

/* tcp_sacktag_one(). */
static void sack_segment(struct tcp_conn *c, struct ack_info *a, uint32_t i, bool is_dup, xtime now)
{
	struct tx_seg *seg = txq_at(&c->snd.txq, i);

	if (is_dup && seg->flags & SEG_EVER_RETRANS && c->loss.undo_on && c->loss.undo_retrans > 0 &&
	    seq_gt(seg->end, c->loss.undo_marker))
		c->loss.undo_retrans = MAX(0, c->loss.undo_retrans - (int32_t)tcp_seg_count(c, seg));
	/* Acknowledged by the same ACK: it is about to leave. */
	if (seg->flags & SEG_SACKED || seq_le(seg->end, c->snd.una))
		return;
	tcp_rack_advance(c, seg, now);
	if (!(seg->flags & SEG_EVER_RETRANS)) {
		if (seq_lt(seg->seq, c->loss.high_sacked) && (!a->has_reord || seq_lt(seg->seq, a->reord))) {
			a->reord = seg->seq;
			a->has_reord = true;
		}
		if (seq_le(seg->end, c->loss.high_seq))
			a->flag |= FLAG_ORIG_SACK_ACKED;
		if (a->first_sackt == XTIME_NEVER)
			a->first_sackt = seg->sent;
		a->last_sackt = seg->sent;
	}
	tcp_rate_delivered(c, seg, &a->rs);
	seg->delivered_at = 0;
	tcp_mark_sacked(c, seg);
	a->flag |= FLAG_DATA_SACKED;
	c->loss.delivered += tcp_seg_count(c, seg);
	if (seq_gt(seg->end, c->loss.high_sacked))
		c->loss.high_sacked = seg->end;
}

/* Marks what [start, end) covers, splitting segments at its edges. */
/* tcp_match_skb_to_sack(): does the block cover the segment?  Of several at once those that it
 * covers whole are split off, never parts of one: a peer that names single bytes doesn't
 * make the queue grow.  -EINVAL: not one is covered; -ENOMEM. */
static int sack_match(struct tcp_conn *c, uint32_t i, seq32 start, seq32 end)
{
	const struct tx_seg *seg = txq_at(&c->snd.txq, i);
	uint32_t mss = seg->mss, cut;
	bool is_in = seq_le(start, seg->seq);

	if (is_in && seq_ge(end, seg->end))
		return 1;
	if (tcp_seg_count(c, seg) == 1 || seq_le(seg->end, start) || seg->flags & SEG_SACKED)
		return 0;
	cut = (is_in ? end : start) - seg->seq;
	if (is_in && cut < mss)
		return -EINVAL;
	cut = is_in ? cut / mss * mss : (cut + mss - 1) / mss * mss;
	if (cut >= seg->end - seg->seq)
		return 0;
	if (txq_split(c, i, seg->seq + cut) < 0)
		return -ENOMEM;
	return is_in;
}

static void sack_block(struct tcp_conn *c, struct ack_info *a, seq32 start, seq32 end, bool is_dup,
                       xtime now)
{
	struct tx_queue *q = &c->snd.txq;
	uint32_t i;

	/* A DSACK may tell of what this ACK acknowledges, which is still in the queue. */
	if (q->n)
		start = seq_max(start, is_dup ? txq_at(q, 0)->seq : c->snd.una);
	if (!q->n || !seq_lt(start, end))
		return;
	for (i = txq_find(q, start); i < q->n && seq_lt(txq_at(q, i)->seq, end); i++) {
		int ret = sack_match(c, i, start, end);

		if (ret < 0)
			return;
		if (ret)
			sack_segment(c, a, i, is_dup, now);
	}
}

/* The blocks that tell of something new, in ascending order: a peer puts the latest first, and
 * one ACK may bring several (tcp_comp_sack_nr), which is no reordering.  Returns how many. */
static unsigned sort_blocks(struct tcp_conn *c, const struct tcp_hdr *th, bool is_dsack,
                            struct tcp_sack_block *v)
{
	unsigned n = 0;

	for (unsigned i = is_dsack ? 1 : 0; i < th->nsack; i++) {
		unsigned k;

		if (!sack_is_valid(c, &th->sack[i], false)) {
			count_invalid(c, th, &th->sack[i], false);
			continue;
		}
		for (k = n++; k && seq_lt(th->sack[i].start, v[k - 1].start); k--)
			v[k] = v[k - 1];
		v[k] = th->sack[i];
	}
	return n;
}

/* tcp_sacktag_write_queue(). */
void tcp_sacktag(struct tcp_conn *c, const struct tcp_hdr *th, struct ack_info *a, xtime now)
{
	struct tcp_sack_block v[ARRAY_LEN(th->sack)];
	bool is_dsack;
	unsigned n;

	if (!c->loss.sacked_out)
		c->loss.high_sacked = c->snd.una;
	is_dsack = sack_check_dsack(c, th, a);
	/* Ignore very old news: RFC 5961-like protection of tcp_sacktag_write_queue(). */
	if (seq_lt(th->ack, a->prior_una - c->snd.max_wnd) || !c->loss.packets_out)
		return;
	if (is_dsack && sack_is_valid(c, &th->sack[0], true))
		sack_block(c, a, th->sack[0].start, th->sack[0].end, true, now);
	else if (is_dsack)
		count_invalid(c, th, &th->sack[0], true);
	n = sort_blocks(c, th, is_dsack, v);
	for (unsigned i = 0; i < n; i++)
		sack_block(c, a, v[i].start, v[i].end, false, now);
	if (a->has_reord && (c->loss.ca_state != CA_LOSS || c->loss.undo_on))
		tcp_check_reordering(c, a->reord, false);
}

/* ---- the ACK ---- */

/* tcp_ack_probe(): an ACK while only probes were sent. */
static void ack_probe(struct tcp_conn *c, xtime now)
{
	seq32 data_end = c->snd.q_seq + c->snd.q.len;

	if (c->snd.nxt == tcp_snd_end(c))
		return;
	if (seq_le(MIN(c->snd.nxt + c->snd.mss_cache, data_end), tcp_wnd_end(c)) ||
	    seq_le(data_end, tcp_wnd_end(c))) {
		c->snd.backoff = 0;
		c->snd.probes_tstamp = 0;
		if (c->snd.rexmit_kind == REXMIT_PROBE0)
			tcp_rexmit_clear(c);
	} else if (c->snd.rexmit_kind == REXMIT_PROBE0 || c->snd.rexmit_kind == REXMIT_NONE) {
		xtime base = MAX(c->rtt.rto_ns, tcp_rto_min(c)) << MIN(c->snd.backoff, 10);

		tcp_rexmit_set(c, REXMIT_PROBE0, now + MIN(base, tcp_rto_max(c)));
	}
}

/* tcp_ack_is_dubious(). */
static bool is_dubious(const struct tcp_conn *c, unsigned flag)
{
	return !(flag & FLAG_NOT_DUP) || flag & (FLAG_CA_ALERT | FLAG_DSACKING_ACK) ||
	       c->loss.ca_state != CA_OPEN;
}

static void old_ack(struct tcp_conn *c, const struct tcp_hdr *th, struct ack_info *a, xtime now)
{
	if (!c->sack_ok || !th->nsack)
		return;
	tcp_sacktag(c, th, a, now);
	tcp_fastretrans_alert(c, a, 0, now);
	tcp_want_output(c);
}

/* tcp_newly_delivered(): what wasn't counted for this ACK yet. */
static void count_delivered(struct tcp_conn *c, struct ack_info *a)
{
	uint32_t more = c->loss.delivered - a->prior_delivered - a->acked_sacked;

	a->acked_sacked += more;
	if (more && a->flag & FLAG_SYN_ACKED && c->parent && !tcp_fo(c)->is_child)
		more--;   /* a SYN-ACK is a request's in Linux */
	c->s->counters[CTR_TcpExtTCPDelivered] += more;
	if (!(a->flag & FLAG_ECE))
		return;
	c->ecn.delivered_ce += more;
	c->s->counters[CTR_TcpExtTCPDeliveredCE] += more;
}

/* What an ACK means for what is in flight. */
static void ack_flight(struct tcp_conn *c, struct ack_info *a, const struct tcp_hdr *th, xtime now)
{
	clean_queue(c, a, th->ack, now);
	count_delivered(c, a);
	if (c->cc.ops->in_ack)
		c->cc.ops->in_ack(c);
	tcp_rack_update_reo_wnd(c, a->prior_delivered);
	if (c->loss.tlp_out)
		tcp_process_tlp_ack(c, th->ack, a->flag, now);
	if (is_dubious(c, a->flag)) {
		uint32_t num_dupack = !(a->flag & (FLAG_SND_UNA_ADVANCED | FLAG_NOT_DUP | FLAG_DSACKING_ACK));

		tcp_fastretrans_alert(c, a, num_dupack, now);
	}
	if (a->flag & FLAG_SET_XMIT_TIMER && !tcp_schedule_tlp(c, now)) {
		if (c->snd.rexmit_kind != REXMIT_REORDER)
			tcp_rexmit_clear(c);
		tcp_rearm_rto(c, now);
	}
	if (a->flag & FLAG_FORWARD_PROGRESS || !(a->flag & FLAG_NOT_DUP))
		neigh_confirm(c->s, c->rt.iface, c->rt.next_hop, now);
	count_delivered(c, a);
	a->lost = c->loss.lost - a->prior_lost;
	tcp_rate_gen(c, a, now);
	tcp_cong_control(c, a, now);
}

/* Header prediction is a path of its own in Linux, here only two counters. */
static void count_ack(struct tcp_conn *c, unsigned flag, bool is_foreseen)
{
	if (is_foreseen && flag & FLAG_SND_UNA_ADVANCED)
		count(c->s, CTR_TcpExtTCPHPAcks);
	else if (!(flag & FLAG_DATA))
		count(c->s, CTR_TcpExtTCPPureAcks);
}

int tcp_ack(struct tcp_conn *c, const struct tcp_hdr *th, size_t len, bool update_ts, bool is_foreseen, xtime now)
{
	struct ack_info a = {
		.prior_una = c->snd.una,
		.prior_delivered = c->loss.delivered,
		.prior_lost = c->loss.lost,
		.prior_packets = c->loss.packets_out,
		.prior_high_sacked = c->loss.sacked_out && c->sack_ok ? c->loss.high_sacked : c->snd.una,
		.first_sackt = XTIME_NEVER, .last_sackt = XTIME_NEVER,
	};

	if (seq_lt(th->ack, c->snd.una)) {
		/* RFC 5961 5.2: too old to be true. */
		if (seq_lt(th->ack, c->snd.una - (uint32_t)MIN((uint64_t)c->snd.max_wnd, c->snd.bytes_acked)))
			return CTR_tcp_old_ack;
		old_ack(c, th, &a, now);
		return 0;
	}
	if (seq_gt(th->ack, c->snd.nxt))
		return CTR_tcp_bad_ack;
	c->snd.last_ack = now;
	c->loss.hold_lost = false;
	if (seq_gt(th->ack, c->snd.una)) {
		a.flag |= FLAG_SND_UNA_ADVANCED;
		c->snd.retransmits = 0;
	}
	a.prior_in_flight = tcp_in_flight(c);
	if (update_ts)
		replace_ts_recent(c, th, now);
	if (len || th->flags & (TCPF_SYN | TCPF_FIN))
		a.flag |= FLAG_DATA;
	count_ack(c, a.flag, is_foreseen);
	a.flag |= update_window(c, th, a.prior_una, now);
	/* SYN and FIN too, as TCP_INFO shows them; a SYN-ACK is its request's. */
	c->snd.bytes_acked += th->ack - c->snd.una - (c->state == TCP_SYN_RECV && tcp_is_passive(c));
	c->snd.una = th->ack;
	if (c->sack_ok && th->nsack)
		tcp_sacktag(c, th, &a, now);
	if (c->ecn.is_ok && (th->flags & (TCPF_ECE | TCPF_SYN)) == TCPF_ECE)
		a.flag |= FLAG_ECE;
	tcp_ecn_accept_cwr(c, th, a.flag & FLAG_DATA);
	c->err_soft = 0;
	c->snd.ack_time = now;
	c->snd.probes_out = 0;
	c->keep_probes = 0;
	drop_acked(c, th->ack, now);
	if (a.prior_packets) {
		ack_flight(c, &a, th, now);
	} else {
		if (c->cc.ops->in_ack)
			c->cc.ops->in_ack(c);
		if (a.flag & FLAG_DSACKING_ACK)
			tcp_fastretrans_alert(c, &a, 0, now);
		ack_probe(c, now);
		if (c->loss.tlp_out)
			tcp_process_tlp_ack(c, th->ack, a.flag, now);
	}
	c->snd.more = false;
	tcp_want_output(c);
	tcp_wmem_acked(c);
	if (!c->snd.txq.n)
		tcp_chrono_stop(c, CHRONO_BUSY, now);
	return 1;
}
