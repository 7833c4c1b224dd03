/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_out.c - what may be sent now.
 *
 * The stack pulls: tcp_output() gives the next frame of a connection or says that
 * there is none.  In order: SYN, an ACK that has waited, forced retransmission, what is lost, new data
 * (tcp_write_xmit), probes, and a bare ACK if nothing has carried it.  A frame is
 * as large as window, congestion window and interface allow: the interface (or
 * the peer of a veth) splits super-frames, not we.
 */
#include "tcp_out.h"

void tcp_want_output(struct tcp_conn *c)
{
	if (c->mtup)
		c->mtup->is_checked = false;
	if (!list_is_linked(&c->out_link) && c->state != TCP_CLOSE)
		list_append(&c->s->outq, &c->out_link);
}

void tcp_output_off(struct tcp_conn *c)
{
	if (!c->is_blocked)
		list_remove(&c->out_link);
}

void tcp_send_ack(struct tcp_conn *c)
{
	if (c->state == TCP_CLOSE)
		return;
	c->snd.out |= OUT_ACK;
	tcp_want_output(c);
}

/* The handshake's, or that of no more than one full segment which came in order: what Linux would delay, if it didn't answer
 * the first segments of a connection at once. */
static bool is_ack_young(const struct tcp_conn *c)
{
	uint32_t unacked = c->rcv.nxt - c->rcv.wup;

	if (c->rcv.ofo || c->rcv.has_dsack || c->rcv.dup_acks || c->ecn.is_ok)
		return false;
	if (!unacked)
		return c->rcv.nxt == c->rcv.irs + 1 && c->snd.segs_out == 1;
	return unacked <= c->rcv.rcv_mss;
}

bool tcp_owes_ack_alone(const struct tcp_conn *c)
{
	return !(c->snd.out & ~(OUT_ACK | OUT_ACK_FIRST)) && conn_in(c, ST(ESTABLISHED) | ST(CLOSE_WAIT)) && !tcp_outq_unsent(c) &&
	       !c->loss.lost_out && !c->snd.is_space_due && (!(c->snd.out & OUT_ACK) || is_ack_young(c));
}

void tcp_defer_ack(struct tcp_conn *c)
{
	if (c->snd.out & OUT_ACK)
		c->snd.out |= OUT_ACK_FIRST;
}

/* ---- probes and ACKs ---- */

/* tcp_xmit_probe_skb(): an old sequence number that the peer has to answer. */
static bool output_bare(struct tcp_conn *c, struct frame_out *f, seq32 seq, uint8_t done, xtime now)
{
	struct neigh *n = NULL;
	uint32_t mss = tcp_current_mss(c, now);
	int ret = tcp_send_segment(c, f, seq, seq, false, mss, &n, now);

	if (ret < 0)
		return tcp_output_blocked(c, ret, n, now);
	c->snd.out &= (uint8_t)~done;
	return true;
}

/* tcp_write_wakeup(): new data if the window has any room, else a bare probe. */
static bool output_probe(struct tcp_conn *c, struct frame_out *f, xtime now)
{
	seq32 data_end = c->snd.q_seq + c->snd.q.len;
	uint32_t mss = tcp_current_mss(c, now);
	uint32_t wnd = seq_gt(tcp_wnd_end(c), c->snd.nxt) ? tcp_wnd_end(c) - c->snd.nxt : 0;
	uint32_t len = seq_gt(data_end, c->snd.nxt) ? MIN(MIN(data_end - c->snd.nxt, wnd), mss) : 0;
	struct tx_seg seg = { .seq = c->snd.nxt, .end = c->snd.nxt + len, .mss = (uint16_t)mss,
	                        .sent = now, .first_sent = now };
	struct neigh *n = NULL;
	int ret;

	if (!len) {
		count(c->s, c->snd.out & OUT_PROBE ? CTR_TcpExtTCPWinProbe : CTR_TcpExtTCPKeepAlive);
		return output_bare(c, f, c->snd.una - 1, OUT_PROBE | OUT_KEEPALIVE, now);
	}
	seg.flags = SEG_PSH;   /* tcp_write_wakeup() */
	tcp_rate_sent(c, &seg, now);
	if (txq_push(&c->snd.txq, &seg) < 0)
		return false;
	ret = tcp_send_segment(c, f, seg.seq, seg.end, true, mss, &n, now);
	if (ret < 0) {
		c->snd.txq.n--;
		return tcp_output_blocked(c, ret, n, now);
	}
	f->undo.use = FRAME_NEW;
	f->undo.seq = seg.seq;
	c->snd.out &= (uint8_t)~OUT_PROBE;
	c->snd.nxt = seg.end;
	tcp_marks_pass(c);
	c->loss.packets_out += tcp_seg_count(c, &seg);
	c->s->counters[CTR_bytes_out] += len;
	c->s->counters[CTR_TcpExtTCPOrigDataSent] += tcp_seg_count(c, &seg);
	tcp_rearm_rto(c, now);
	return true;
}

static bool output_next(struct tcp_conn *c, struct frame_out *f, xtime now)
{
	if (c->snd.out & OUT_SYN)
		return tcp_output_syn(c, f, now);
	if (conn_in(c, ST(SYN_SENT) | ST(CLOSE) | ST(LISTEN)))
		return false;
	if (c->snd.out & OUT_ACK_FIRST)
		return output_bare(c, f, tcp_acceptable_seq(c), OUT_ACK | OUT_ACK_FIRST, now);
	if (c->snd.out & OUT_RETRANS && tcp_output_forced(c, f, now))
		return true;
	if (c->state != TCP_SYN_RECV || tcp_fo(c)->is_child) {
		if (c->loss.try_new) {
			/* F-RTO, RFC 5682 3.1 step 2.b: new data tells whether the time-out
			 * was spurious; nothing lost goes before the next ACK. */
			if (tcp_output_new(c, f, now))
				return true;
			c->loss.try_new = false;
			c->loss.hold_lost = seq_gt(c->snd.nxt, c->loss.high_seq);
			c->loss.frto = c->loss.hold_lost;
		}
		if (tcp_output_lost(c, f, now))
			return true;
		if (tcp_output_new(c, f, now)) {
			if (c->snd.out & OUT_TLP) {
				c->snd.out &= (uint8_t)~OUT_TLP;
				c->loss.tlp_out = true;
				c->loss.tlp_retrans = false;
				c->loss.tlp_high = c->snd.nxt;
				count(c->s, CTR_TcpExtTCPLossProbes);
				tcp_rexmit_set(c, REXMIT_RTO, now + c->rtt.rto_ns);
			}
			c->snd.out &= (uint8_t)~OUT_PROBE;
			return true;
		}
		if (c->snd.out & OUT_TLP && tcp_output_tlp(c, f, now))
			return true;
	}
	if (c->snd.out & (OUT_PROBE | OUT_KEEPALIVE) && output_probe(c, f, now))
		return true;
	if (c->snd.out & OUT_ACK)
		return output_bare(c, f, tcp_acceptable_seq(c), OUT_ACK, now);
	return false;
}

/* Linux asks for the route when it has a packet for it (ip_queue_xmit()), and has chosen the size of
 * all that goes with it before (tcp_current_mss()): a larger MSS is for what leaves next time. */
static void follow_routes(struct tcp_conn *c, xtime now)
{
	c->snd.is_mss_kept = true;
	tcp_reroute(c, now);
}

bool tcp_output(struct tcp_conn *c, struct frame_out *f, xtime now)
{
	bool has_frame;

	if (!c->has_route && c->state != TCP_CLOSE && tcp_reroute(c, now) < 0) {
		tcp_output_off(c);
		return false;
	}
	if (c->has_route && c->rt.gen != c->s->routes.gen)
		follow_routes(c, now);
	f->undo = (struct frame_undo){
		.use = FRAME_BARE, .sml = c->snd.sml, .rexmit_at = c->snd.rexmit_at,
		.pace_at = c->snd.pace_at, .rexmit_kind = c->snd.rexmit_kind, .out = c->snd.out,
		.push_now = c->snd.push_now,
	};
	has_frame = c->has_route && output_next(c, f, now);
	if (!has_frame) {
		c->snd.is_mss_kept = false;
		tcp_output_off(c);
		if (c->snd.is_space_due)
			tcp_check_space(c, now);
		/* Data that can't leave and nothing in flight that would bring an ACK. */
		if (!c->is_blocked && !c->snd.is_pace_held)
			tcp_check_probe(c, now);
	} else {
		f->undo.conn = c;
	}
	tcp_timer_update(c);
	return has_frame;
}
