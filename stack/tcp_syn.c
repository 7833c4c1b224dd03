/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_syn.c - SYN and SYN-ACK: their options, Fast Open's data, and their place in
 * the queue of what is in flight.
 */
#include "tcp_out.h"

/* The SYN-ACK of a simultaneous open is the SYN once more, with an ACK: it offers everything
 * (tcp_send_synack); a request's answers what was offered. */
static void syn_options(struct tcp_conn *c, struct tcp_hdr *th, xtime now)
{
	const struct settings *set = &c->s->set;
	bool is_reply = c->state != TCP_SYN_SENT && tcp_is_passive(c);

	th->has_mss = true;
	th->mss = c->advmss;
	if (is_reply ? c->ts_ok : set->tcp_timestamps != 0) {
		th->has_ts = true;
		th->tsval = tcp_ts_now(c, now);
		th->tsecr = c->ts_recent;   /* of a SYN: from the TIME-WAIT that it takes over */
	}
	if (is_reply ? c->wscale_ok : set->tcp_window_scaling != 0) {
		th->has_wscale = true;
		th->wscale = is_reply ? c->rcv_wscale : c->syn_wscale;
	}
	th->sack_permitted = is_reply ? c->sack_ok : set->tcp_sack != 0;
	if ((c->state != TCP_SYN_SENT && !c->parent) || (c->snd.txq.n && txq_at(&c->snd.txq, 0)->flags & SEG_EVER_RETRANS))
		return;
	if (tcp_fastopen_put(&tcp_fo(c)->option, th) && !is_reply) {
		c->fo->was_asked = true;
		c->fo->was_exp = tcp_fo(c)->option.is_exp;
	}
}

/* The SYN (or SYN-ACK) counts as sent from the moment that it was asked for, also
 * while the next hop is being resolved: its timer runs as in the kernel. */
void tcp_syn_sent_now(struct tcp_conn *c, xtime now)
{
	struct tx_seg seg = { .seq = c->snd.iss, .end = c->snd.iss + 1, .mss = TCP_MSS_DEFAULT,
	                      .sent = now, .first_sent = now };

	if (c->snd.txq.n) {
		struct tx_seg *first = txq_at(&c->snd.txq, 0);

		first->sent = now;
		first->flags |= SEG_EVER_RETRANS;
		if (c->state == TCP_SYN_SENT)
			tcp_rate_sent(c, first, now);
		return;
	}
	if (c->state == TCP_SYN_SENT) {   /* a SYN-ACK is a request's in Linux */
		tcp_ecn_connect(c);
		tcp_rate_sent(c, &seg, now);
	}
	if (txq_push(&c->snd.txq, &seg) < 0)
		return;
	c->loss.packets_out = 1;
	c->snd.nxt = seg.end;
	tcp_rexmit_set(c, REXMIT_RTO, now + c->rtt.rto_ns);
}

/* tcp_retransmit_skb() for a SYN: without the data that it may have had. */
void tcp_syn_again(struct tcp_conn *c)
{
	struct tx_seg *syn = txq_at(&c->snd.txq, 0);

	c->snd.out |= OUT_SYN;
	c->snd.total_retrans++;
	count(c->s, CTR_TcpRetransSegs);
	count(c->s, CTR_TcpExtTCPSynRetrans);
	syn->flags |= SEG_EVER_RETRANS;
	if (syn->flags & SEG_LOST && !(syn->flags & SEG_RETRANS)) {
		syn->flags |= SEG_RETRANS;
		c->loss.retrans_out++;
		c->loss.undo_retrans = MAX(c->loss.undo_retrans, 0) + 1;
	}
	tcp_want_output(c);
}

/* The bytes that went with the SYN are a segment of their own from now on. */
static void syn_data_sent(struct tcp_conn *c, size_t len, xtime now)
{
	struct tx_seg seg = { .seq = c->snd.nxt, .end = c->snd.nxt + (seq32)len, .flags = SEG_PSH,
	                      .mss = (uint16_t)MAX(c->snd.mss_cache, (uint32_t)len), .sent = now,
	                      .first_sent = now };

	if (txq_push(&c->snd.txq, &seg) < 0)
		return;
	c->loss.packets_out++;
	c->snd.nxt = seg.end;
	c->snd.pushed = seg.end;
	c->snd.bytes_sent += len;
}

bool tcp_output_syn(struct tcp_conn *c, struct frame_out *f, xtime now)
{
	size_t len = 0;
	struct tcp_hdr th = { .seq = c->snd.iss, .flags = TCPF_SYN };
	struct neigh *n = NULL;
	int ret;

	if (!c->snd.txq.n)
		tcp_syn_sent_now(c, now);
	if (c->state == TCP_SYN_SENT)   /* the path may have become narrower */
		c->advmss = MIN(c->advmss, tcp_advertised_mss(c, now));
	syn_options(c, &th, now);
	if (c->state != TCP_SYN_SENT) {
		th.flags |= TCPF_ACK;
		th.ack = c->rcv.nxt;
	}
	th.flags |= tcp_ecn_syn_flags(c, txq_at(&c->snd.txq, 0)->flags & SEG_EVER_RETRANS);
	th.wnd = (uint16_t)MIN(c->rcv.wnd, 65535u);
	if (th.has_fastopen || (tcp_fo(c)->syn_data && !tcp_fo(c)->option.is_set && c->snd.txq.n == 1))
		len = c->state == TCP_SYN_SENT && !(txq_at(&c->snd.txq, 0)->flags & SEG_EVER_RETRANS) &&
		      tcp_fo(c)->syn_data ? c->snd.q.len : 0;
	ret = tcp_emit_segment(c, f, &th, len, MAX(c->snd.mss_cache, (uint32_t)len), &n, now);
	if (ret < 0)
		return tcp_output_blocked(c, ret, n, now);
	if (len)
		syn_data_sent(c, len, now);
	f->undo.use = FRAME_SYN;
	c->snd.out &= (uint8_t)~(OUT_SYN | OUT_ACK);
	c->rcv.wup = c->rcv.nxt;
	/* The SYN-ACK of crossed SYNs is no new segment either: its number went with the SYN. */
	tcp_count_segment(c, 0, c->snd.mss_cache, txq_at(&c->snd.txq, 0)->flags & SEG_EVER_RETRANS ||
	                                          (c->state != TCP_SYN_SENT && !tcp_is_passive(c)));
	return true;
}
