/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_in.c - a segment came in: RFC 9293 3.10.7, one function for each of its
 * steps, in the order and with the deviations of Linux (tcp_v4_rcv,
 * tcp_rcv_synsent_state_process, tcp_validate_incoming, tcp_rcv_state_process).
 */
#include "tcp_listen.h"

#include <errno.h>

#include "tcp_metrics.h"

/* __tcp_oow_rate_limited(): one ACK per tcp_invalid_ratelimit for segments that are
 * out of window (ack loops, RFC 5961). */
bool tcp_oow_ratelimited(struct stack *s, enum counter skipped, xtime *last, xtime now)
{
	if (*last && now - *last < s->set.tcp_invalid_ratelimit * XTIME_MSEC) {
		count(s, skipped);
		return true;
	}
	*last = now;
	return false;
}

/* tcp_send_challenge_ack(): RFC 5961 7, rate limited per connection and in all. */
static void challenge_ack(struct tcp_conn *c, xtime now)
{
	struct stack *s = c->s;

	if (tcp_oow_ratelimited(s, CTR_TcpExtTCPACKSkippedChallenge, &c->rcv.oow_ack_time, now))
		return;
	if (s->set.tcp_challenge_ack_limit != INT32_MAX) {
		if (now - s->challenge_second >= XTIME_SEC) {
			uint32_t half = ((uint32_t)s->set.tcp_challenge_ack_limit + 1) / 2;

			s->challenge_second = now;
			s->challenge_left = half + (half ? stack_random(s) % (uint32_t)s->set.tcp_challenge_ack_limit : stack_random(s));
		}
		if (!s->challenge_left)
			return;
		s->challenge_left--;
	}
	count(s, CTR_TcpExtTCPChallengeACK);
	tcp_send_ack(c);
}

/* tcp_send_dupack(): tells the peer where we stand.  Only segments without data can be part of
 * an ACK loop, so only they are limited (tcp_oow_rate_limited). */
static void send_dupack(struct tcp_conn *c, const struct seg_in *seg, enum counter skipped)
{
	if (seg->end == seg->th->seq && tcp_oow_ratelimited(c->s, skipped, &c->rcv.oow_ack_time, seg->now))
		return;
	if (seg->end != seg->th->seq && seq_lt(seg->th->seq, c->rcv.nxt)) {
		count(c->s, CTR_TcpExtDelayedACKLost);
		tcp_enter_quickack(c, TCP_MAX_QUICKACKS);
		tcp_dsack_set(c, seg->th->seq, seq_min(seg->end, c->rcv.nxt));
	}
	tcp_send_ack(c);
}

/* ---- options of the handshake ---- */

static void take_syn_options(struct tcp_conn *c, const struct seg_in *seg)
{
	const struct settings *set = &c->s->set;
	const struct tcp_hdr *th = seg->th;

	if (th->has_mss && th->mss) {
		c->peer_mss = th->mss;
		if (c->opt.user_mss)
			c->peer_mss = MIN(c->peer_mss, c->opt.user_mss);
	}
	c->wscale_ok = th->has_wscale && set->tcp_window_scaling;
	if (c->wscale_ok) {
		c->snd_wscale = th->wscale;
	} else {
		c->snd_wscale = c->rcv_wscale = 0;
		c->rcv.window_clamp = MIN(c->rcv.window_clamp, 65535u);
	}
	c->sack_ok = th->sack_permitted && set->tcp_sack;
	c->ts_ok = th->has_ts && set->tcp_timestamps;
	c->ts_asked = false;
	if (c->ts_ok) {
		c->ts_recent = th->tsval;
		c->ts_recent_stamp = seg->now;
	}
}

/* What both a SYN and a SYN-ACK tell of the peer's side. */
static void take_peer_isn(struct tcp_conn *c, const struct seg_in *seg)
{
	take_syn_options(c, seg);
	tcp_ecn_peer_syn(c, seg->th);
	c->rcv.irs = seg->th->seq;
	c->rcv.nxt = c->rcv.wup = c->rcv.copied = seg->th->seq + 1;
	c->snd.wl1 = seg->th->seq;
	c->snd.wnd = seg->th->wnd;   /* RFC 7323 2.2: never scaled here */
	c->snd.max_wnd = c->snd.wnd;
	tcp_mtup_init(c, seg->now);
	tcp_sync_mss(c, c->pmtu);
	tcp_init_rcv_mss(c);
}

/* tcp_finish_connect(). */
static void finish_connect(struct tcp_conn *c, xtime now)
{
	bool was_synrecv = c->state == TCP_SYN_RECV;

	/* tcp_finish_connect(): with a scaled window only once that is known. */
	c->rcv.is_predicting = c->parent || !c->snd_wscale;
	if (c->state == TCP_SYN_SENT || tcp_is_passive(c))
		c->rcv.lrcvtime = now;
	else
		c->loss.delivered++;   /* crossed SYNs: tcp_rcv_state_process() counts ours twice */
	tcp_set_state(c, TCP_ESTABLISHED, now);
	c->snd.out &= (uint8_t)~OUT_SYN;   /* a retransmission that was due and is pointless now */
	tcp_init_metrics(c, now);
	if (was_synrecv)   /* else the ACK of the SYN has done it */
		tcp_update_pacing_rate(c);
	c->snd.lsndtime = now;
	tcp_keep_start(c, now);
	c->edges++;
	tcp_report(c);
}

/* tcp_try_undo_spurious_syn(): the echo is of the first SYN, the others were needless. */
static void undo_spurious_syn(struct tcp_conn *c, const struct tcp_hdr *th)
{
	if (c->snd.retrans_stamp && th->has_ts && th->tsecr == xtime_ms(c->snd.retrans_stamp) + c->ts_offset)
		c->loss.undo_on = false;
}

/* ---- SYN-SENT: RFC 9293 3.10.7.3 ---- */

static bool synsent_ack_is_bad(struct tcp_conn *c, const struct seg_in *seg)
{
	const struct tcp_hdr *th = seg->th;
	uint32_t first;

	if (seq_le(th->ack, c->snd.una) || seq_gt(th->ack, c->snd.nxt)) {
		if (!c->snd.retransmits)
			tcp_rexmit_set(c, REXMIT_RTO, seg->now + 2 * TCP_TICK);   /* TCP_TIMEOUT_MIN */
		return true;
	}
	/* PAWSActive: an echo of what we never sent. */
	first = xtime_ms(c->opened_at) + c->ts_offset;
	if (!th->has_ts || !th->tsecr || !c->s->set.tcp_timestamps ||
	    ((int32_t)(th->tsecr - first) >= -1 && (int32_t)(th->tsecr - tcp_ts_now(c, seg->now)) <= 0))
		return false;
	count(c->s, CTR_TcpExtPAWSActive);
	return true;
}

static void synsent_established(struct tcp_conn *c, const struct seg_in *seg)
{
	uint32_t wnd = c->rcv.wnd;

	take_peer_isn(c, seg);
	/* Not before: the SYN-ACK of crossed SYNs announces the full size again. */
	if (c->ts_ok)
		c->advmss -= MIN(c->advmss, 12);
	c->rcv.wnd = wnd;
	undo_spurious_syn(c, seg->th);
	tcp_ack(c, seg->th, 0, false, false, seg->now);
	finish_connect(c, seg->now);
	if (tcp_fastopen_synack(c, seg->th, seg->now))
		return;   /* what is sent again carries the ACK */
	if (seg->len && tcp_fo(c)->was_asked) {
		struct tcp_hdr data = *seg->th;

		data.seq++;
		data.flags &= (uint16_t)~TCPF_SYN;
		tcp_data_queue(c, &data, seg->data, seg->len, seg->gso_size, seg->now);
	}
	if (c->snd.q.len || c->snd.fin || tcp_fo(c)->is_waiting || c->opt.defer_accept || c->rcv.pingpong >= c->s->set.tcp_pingpong_thresh) {
		/* Save one ACK: data will carry it. */
		c->rcv.ack_scheduled = true;
		tcp_enter_quickack(c, TCP_MAX_QUICKACKS);
		tcp_delack_set(c, seg->now + TCP_DELACK_MAX);
		tcp_want_output(c);
	} else {
		tcp_send_ack(c);
	}
}

static void rcv_synsent(struct tcp_conn *c, const struct seg_in *seg)
{
	const struct tcp_hdr *th = seg->th;

	if (th->flags & TCPF_ACK) {
		if (synsent_ack_is_bad(c, seg)) {
			count(c->s, CTR_tcp_bad_ack);
			tcp_reply_reset(c->s, seg->ip, th, seg->len, seg->now);
		} else if (th->flags & TCPF_RST) {
			tcp_reset(c, seg->now);
		} else if (!(th->flags & TCPF_SYN)) {
			count(c->s, CTR_tcp_unexpected);
		} else {
			synsent_established(c, seg);
		}
		return;
	}
	if (th->flags & TCPF_RST || !(th->flags & TCPF_SYN)) {
		count(c->s, CTR_tcp_unexpected);
		return;
	}
	/* Crossed SYNs: simultaneous open. */
	take_peer_isn(c, seg);
	tcp_set_state(c, TCP_SYN_RECV, seg->now);
	c->snd.out |= OUT_SYN;
	tcp_want_output(c);
}

/* ---- the checks before anything else: tcp_validate_incoming() ---- */

/* tcp_tsval_replay(): how far apart the timestamps of ACKs in flight can be, in ms. */
static int32_t tsval_replay(const struct tcp_conn *c)
{
	return (int32_t)MIN(c->rtt.rto_ns * 12 / (10 * XTIME_MSEC), (xtime)INT32_MAX);
}

/* tcp_disordered_ack_check(): is a segment with an old timestamp a plain ACK that was overtaken?
 * CTR_NONE: yes; CTR_TcpExtPAWSOldAck: yes, and it says nothing; else CTR_TcpExtPAWSEstab. */
static enum counter disordered_ack(const struct tcp_conn *c, const struct seg_in *seg)
{
	const struct tcp_hdr *th = seg->th;
	uint32_t wnd = (uint32_t)th->wnd << c->snd_wscale;

	if (!(th->flags & TCPF_ACK) || th->seq != seg->end)
		return CTR_TcpExtPAWSEstab;
	if (th->seq != c->rcv.nxt)
		return seq_lt(th->seq, c->rcv.nxt) ? CTR_TcpExtPAWSOldAck : CTR_TcpExtPAWSEstab;
	if (th->ack != c->snd.una || seq_gt(th->seq, c->snd.wl1) ||
	    (th->seq == c->snd.wl1 && (wnd > c->snd.wnd || !wnd)))
		return CTR_TcpExtPAWSEstab;
	return (int32_t)(c->ts_recent - th->tsval) > tsval_replay(c) ? CTR_TcpExtPAWSEstab : CTR_NONE;
}

/* RFC 7323 5.3 R1, tcp_paws_discard(): an old timestamp; the counter to drop it under. */
static enum counter paws_rejects(const struct tcp_conn *c, const struct seg_in *seg)
{
	const struct tcp_hdr *th = seg->th;

	if (!c->ts_ok || !th->has_ts || !c->ts_recent_stamp)
		return CTR_NONE;
	if ((int32_t)(c->ts_recent - th->tsval) <= 1)
		return CTR_NONE;
	if (seg->now - c->ts_recent_stamp >= TCP_PAWS_24DAYS)
		return CTR_NONE;
	return disordered_ack(c, seg);
}

/* RFC 9293 3.10.7.4 "first, check sequence number": tcp_sequence(), which takes a segment
 * that crosses the window's edge whole, but only while nothing waits to be read. */
static bool sequence_is_bad(const struct tcp_conn *c, const struct seg_in *seg)
{
	seq32 edge = c->rcv.nxt + tcp_receive_window(c);

	return seq_lt(seg->end, c->rcv.wup) || seq_gt(seg->th->seq, edge) ||
	       (seq_gt(seg->end, edge) && c->rcv.q.len);
}

/* A RST that comes after our peer's FIN may carry the number before it. */
static bool reset_follows_fin(const struct tcp_conn *c, seq32 seq)
{
	return seq == c->rcv.nxt - 1 && conn_in(c, ST(CLOSE_WAIT) | ST(LAST_ACK) | ST(CLOSING));
}

/* RFC 5961 3.2: only the exact number resets; or the end of the rightmost SACK. */
static bool reset_is_exact(const struct tcp_conn *c, seq32 seq)
{
	if (seq == c->rcv.nxt || reset_follows_fin(c, seq))
		return true;
	if (c->sack_ok && tcp_ofo(c)->nsacks) {
		seq32 max = tcp_ofo(c)->sacks[0].end;

		for (unsigned i = 1; i < tcp_ofo(c)->nsacks; i++)
			max = seq_max(max, tcp_ofo(c)->sacks[i].end);
		return seq == max;
	}
	return false;
}

/* The SYN-ACK of a simultaneous open is no stray SYN. */
static bool is_crossed_synack(const struct tcp_conn *c, const struct seg_in *seg)
{
	return c->state == TCP_SYN_RECV && !c->parent && seg->th->flags & TCPF_ACK &&
	       seg->th->seq + 1 == seg->end && seg->th->seq + 1 == c->rcv.nxt &&
	       seg->th->ack == c->snd.nxt;
}

/* RFC 5961 4.2. */
static void challenge_syn(struct tcp_conn *c, const struct seg_in *seg)
{
	count(c->s, CTR_tcp_syn_challenged);
	count(c->s, CTR_TcpExtTCPSYNChallenge);
	if (c->state == TCP_ESTABLISHED)
		count(c->s, CTR_TcpSynErrs);
	challenge_ack(c, seg->now);
}

static void drop_unacceptable(struct tcp_conn *c, const struct seg_in *seg)
{
	const struct tcp_hdr *th = seg->th;

	if (th->flags & TCPF_RST) {
		if (reset_follows_fin(c, th->seq))
			tcp_reset(c, seg->now);
		else
			count(c->s, CTR_tcp_rst_ignored);
		return;
	}
	if (th->flags & TCPF_SYN) {
		challenge_syn(c, seg);
		return;
	}
	count(c->s, CTR_tcp_out_of_window);
	if (!seq_lt(seg->end, c->rcv.wup))
		count(c->s, CTR_TcpExtBeyondWindow);
	send_dupack(c, seg, CTR_TcpExtTCPACKSkippedSeq);
}

/* True when the segment may be processed further. */
static bool validate(struct tcp_conn *c, const struct seg_in *seg)
{
	const struct tcp_hdr *th = seg->th;

	enum counter paws = paws_rejects(c, seg);

	if (paws && !(th->flags & TCPF_RST)) {
		if (th->flags & TCPF_SYN) {
			challenge_syn(c, seg);
			return false;
		}
		count(c->s, paws);
		if (paws == CTR_TcpExtPAWSEstab)
			send_dupack(c, seg, CTR_TcpExtTCPACKSkippedPAWS);
		return false;
	}
	if (sequence_is_bad(c, seg)) {
		drop_unacceptable(c, seg);
		return false;
	}
	if (th->flags & TCPF_RST) {
		if (reset_is_exact(c, th->seq)) {
			tcp_reset(c, seg->now);
		} else {
			count(c->s, CTR_tcp_rst_ignored);
			challenge_ack(c, seg->now);
		}
		return false;
	}
	if (th->flags & TCPF_SYN && !is_crossed_synack(c, seg)) {
		challenge_syn(c, seg);
		return false;
	}
	return true;
}

/* ---- the states ---- */

/* Our SYN is acknowledged in SYN-RECEIVED. */
static void synrecv_established(struct tcp_conn *c, const struct seg_in *seg)
{
	c->snd.wnd = (uint32_t)seg->th->wnd << c->snd_wscale;
	c->snd.wl1 = seg->th->seq;
	c->snd.max_wnd = MAX(c->snd.max_wnd, c->snd.wnd);
	if (c->ts_ok)
		c->advmss -= MIN(c->advmss, 12);
	if (c->parent && !tcp_fo(c)->is_child) {
		/* The SYN-ACK was a request's. */
		c->snd.bytes_acked = 0;
		c->rate.app_limited = UINT32_MAX;
	}
	if (tcp_fo(c)->is_child)
		tcp_listen_confirmed(c);
	else if (c->parent)
		tcp_child_queue(c);
	finish_connect(c, seg->now);
	tcp_init_rcv_mss(c);
	if (c->shut & SHUT_SND_BIT)   /* shutdown() while SYNs crossed */
		tcp_shutdown(c, SHUT_WR, seg->now);
}

/* Everything including the FIN is acknowledged. */
static bool fin_is_acked(const struct tcp_conn *c)
{
	return c->snd.fin && c->snd.una == tcp_snd_end(c);
}

/* The program is gone and data comes that nobody will read: RFC 1122 4.2.2.13. */
static bool has_data_for_nobody(const struct tcp_conn *c, const struct seg_in *seg)
{
	seq32 end = seg->end - (seg->th->flags & TCPF_FIN ? 1 : 0);

	return seg->end != seg->th->seq && seq_gt(end, c->rcv.nxt);
}

static void finwait1_acked(struct tcp_conn *c, const struct seg_in *seg)
{
	xtime tmo;

	tcp_set_state(c, TCP_FIN_WAIT2, seg->now);
	c->shut |= SHUT_SND_BIT;
	c->edges++;
	tcp_report(c);
	if (!c->is_dead)
		return;
	if (c->opt.rare->linger2_s < 0 || has_data_for_nobody(c, seg)) {
		count(c->s, CTR_TcpExtTCPAbortOnData);
		tcp_done(c, seg->now);
		tcp_reply_reset(c->s, seg->ip, seg->th, seg->len, seg->now);
		return;
	}
	tmo = tcp_fin_time(c);
	if (tmo > TCP_TIMEWAIT_LEN)
		tcp_keep_set(c, seg->now + tmo - TCP_TIMEWAIT_LEN);
	else if (seg->th->flags & TCPF_FIN)
		tcp_keep_set(c, seg->now + tmo);
	else
		tcp_time_wait(c, TCP_FIN_WAIT2, tmo, seg->now);
}

/* RFC 9293 3.10.7.4 "fifth, check the ACK field", what it means for the state. */
static void ack_state(struct tcp_conn *c, const struct seg_in *seg)
{
	switch (c->state) {
	case TCP_SYN_RECV:
		synrecv_established(c, seg);
		break;
	case TCP_FIN_WAIT1:
		if (fin_is_acked(c))
			finwait1_acked(c, seg);
		break;
	case TCP_CLOSING:
		if (fin_is_acked(c))
			tcp_time_wait(c, TCP_TIME_WAIT, TCP_TIMEWAIT_LEN, seg->now);
		break;
	case TCP_LAST_ACK:
		if (fin_is_acked(c)) {
			tcp_metrics_save(c, seg->now);
			tcp_done(c, seg->now);
		}
		break;
	default:
		break;
	}
}

/* RFC 9293 3.10.7.4 "seventh, process the segment text". */
static void text(struct tcp_conn *c, const struct seg_in *seg)
{
	if (conn_in(c, ST(CLOSE_WAIT) | ST(CLOSING) | ST(LAST_ACK)) && !seq_lt(seg->th->seq, c->rcv.nxt))
		return;   /* behind its FIN */
	/* Nobody will read it: close(), shutdown() of both, or the FIN itself came before. */
	if (c->shut & SHUT_RCV_BIT && conn_in(c, ST(CLOSE_WAIT) | ST(CLOSING) | ST(LAST_ACK) | ST(FIN_WAIT1) | ST(FIN_WAIT2)) &&
	    has_data_for_nobody(c, seg)) {
		count(c->s, CTR_tcp_closed_data);
		count(c->s, CTR_TcpExtTCPAbortOnData);
		tcp_reply_reset(c->s, seg->ip, seg->th, seg->len, seg->now);
		tcp_reset(c, seg->now);
		return;
	}
	tcp_data_queue(c, seg->th, seg->data, seg->len, seg->gso_size, seg->now);
}

/* The SYN of a handshake that is under way, once more: our SYN-ACK was lost (tcp_check_req). */
static bool is_syn_again(const struct tcp_conn *c, const struct seg_in *seg)
{
	return c->state == TCP_SYN_RECV && c->parent && seg->th->seq == c->rcv.irs &&
	       (seg->th->flags & (TCPF_SYN | TCPF_ACK | TCPF_RST | TCPF_FIN)) == TCPF_SYN;
}

/* tcp_rcv_established(): is the segment what header prediction foresees?  The stack has no faster
 * path for it; some counters are Linux's of that. */
static bool header_is_foreseen(const struct tcp_conn *c, const struct seg_in *seg)
{
	const struct tcp_hdr *th = seg->th;
	unsigned len = TCP_LEN_MIN + (c->ts_ok ? 12 : 0);

	if (c->state != TCP_ESTABLISHED || !c->rcv.is_predicting || th->hdr_len != len)
		return false;
	if ((th->flags & ~TCPF_PSH) != TCPF_ACK || (uint32_t)th->wnd << c->snd_wscale != c->snd.wnd)
		return false;
	if (th->has_ts && (int32_t)(th->tsval - c->ts_recent) < 0)
		return false;
	return th->seq == c->rcv.nxt && seq_le(th->ack, c->snd.nxt) &&
	       seq_le(seg->end, c->rcv.nxt + tcp_receive_window(c));
}

/* tcp_fast_path_check(). */
void tcp_fast_path_check(struct tcp_conn *c)
{
	c->rcv.is_predicting = !tcp_ofo(c)->ranges.n && c->rcv.wnd && !c->rcv.urg_data;
}

static void rcv_synchronized(struct tcp_conn *c, const struct seg_in *seg)
{
	const struct tcp_hdr *th = seg->th;
	bool is_foreseen, was_open = c->state == TCP_ESTABLISHED;
	int ret;

	if (is_syn_again(c, seg)) {
		if (!tcp_oow_ratelimited(c->s, CTR_TcpExtTCPACKSkippedSynRecv, &c->rcv.oow_ack_time, seg->now)) {
			c->snd.out |= OUT_SYN;
			tcp_want_output(c);
		}
		return;
	}
	if (!(th->flags & (TCPF_ACK | TCPF_RST | TCPF_SYN))) {
		count(c->s, CTR_tcp_no_ack);
		return;
	}
	if (!validate(c, seg))
		return;
	if (c->state == TCP_ESTABLISHED)
		tcp_ecn_received(c, seg->len, seg->gso_size ? (uint32_t)MAX((seg->len + seg->gso_size - 1) / seg->gso_size, 1) : 1);
	is_foreseen = header_is_foreseen(c, seg);
	if (is_foreseen && seg->len)
		count(c->s, CTR_TcpExtTCPHPHits);
	if (c->state == TCP_SYN_RECV)
		undo_spurious_syn(c, th);
	ret = tcp_ack(c, th, seg->len, true, is_foreseen, seg->now);
	if (ret != 1 && c->state == TCP_SYN_RECV) {
		/* RFC 9293 3.10.7.4: an ACK that does not fit our SYN. */
		count(c->s, CTR_tcp_bad_ack);
		tcp_reply_reset(c->s, seg->ip, th, seg->len, seg->now);
		return;
	}
	if (ret > 1) {
		/* RFC 9293 3.10.7.4: of the future; RFC 5961 5.2: too old to be true. */
		count(c->s, (enum counter)ret);
		challenge_ack(c, seg->now);
		return;
	}
	if (was_open && (seg->len || !is_foreseen))
		tcp_rcv_rtt_measure_ts(c, seg->end - th->seq, seg->now);
	ack_state(c, seg);
	if (c->state != TCP_CLOSE)
		tcp_urg_rcv(c, th, seg->data, seg->len);
	if (c->state != TCP_CLOSE)
		text(c, seg);
	if (c->state != TCP_CLOSE)
		tcp_ack_check(c, seg->now);
}

void tcp_conn_input(struct tcp_conn *c, const struct seg_in *seg)
{
	uint32_t n;

	if (seg->ip->ttl < c->opt.rare->min_ttl) {
		count(c->s, CTR_TcpExtTCPMinTTLDrop);
		return;
	}
	n = seg->gso_size ? (uint32_t)MAX((seg->len + seg->gso_size - 1) / seg->gso_size, 1) : 1;

	c->rcv.segs_in += n;
	if (seg->len)
		c->rcv.data_segs_in += n;
	c->saw_ts = seg->th->has_ts;
	c->rcv_tsecr = seg->th->tsecr;
	c->ecn.field = seg->ip->tos & 3;
	if (c->saw_ts && c->ts_ok && c->rcv_tsecr == 0)
		c->saw_ts = false;
	if (c->state == TCP_SYN_SENT)
		rcv_synsent(c, seg);
	else if (c->state == TCP_CLOSE)
		count(c->s, CTR_tcp_unexpected);
	else
		rcv_synchronized(c, seg);
	tcp_mem_charge(c);
	tcp_timer_update(c);
	tcp_free_if_gone(c);
}

/* A segment for a port without a connection of that peer. */
static void no_conn_input(struct stack *s, const struct seg_in *seg, const struct tuple *t)
{
	struct bind_owner *o = conntab_find_listener(&s->tab, t, s->ifaces[seg->iface].oif);

	if (o) {
		struct tcp_conn *l = container_of(o, struct tcp_conn, bind);

		if (seg->ip->ttl < l->opt.rare->min_ttl)
			count(s, CTR_TcpExtTCPMinTTLDrop);
		else
			tcp_listen_input(l, seg);
		return;
	}
	if (!tcp_may_reset(s, seg->th)) {
		count(s, CTR_tcp_foreign);
		return;
	}
	count(s, CTR_tcp_no_socket);
	tcp_reply_reset(s, seg->ip, seg->th, seg->len, seg->now);
}

void tcp_input(struct stack *s, int iface, const struct ip_hdr *ip, const uint8_t *p, size_t len,
               const struct virtio_net_hdr *vnet, xtime now)
{
	struct tuple t = { .laddr = ip->dst, .raddr = ip->src };
	struct seg_in seg = { .ip = ip, .iface = iface, .now = now };
	struct tcp_hdr th;
	struct ent *e;
	int why = tcp_parse(p, len, &th);

	count(s, CTR_TcpInSegs);   /* merged ones are one, as in the kernel */
	if (why) {
		count(s, (enum counter)why);
		return;
	}
	if (!ip_is_unicast(s, ip->dst) || !ip_is_unicast(s, ip->src)) {
		count(s, CTR_tcp_addr);
		return;
	}
	if (iface != s->loopback.iface && ip_addr_kind(s, ip->dst) == IP_ADDR_SHARED &&
	    !conntab_is_claimed(&s->tab, ip->dst, th.dport)) {
		count(s, CTR_tcp_foreign);
		return;
	}
	if (!ip_tcp_csum_ok(s, iface, ip, p, len, vnet)) {
		count(s, CTR_tcp_csum);
		return;
	}
	seg.th = &th;
	seg.data = p + th.hdr_len;
	seg.len = len - th.hdr_len;
	seg.gso_size = vnet->gso_type == VIRTIO_NET_HDR_GSO_NONE ? 0 : vnet->gso_size;
	seg.end = th.seq + (seq32)seg.len + (th.flags & TCPF_SYN ? 1 : 0) + (th.flags & TCPF_FIN ? 1 : 0);
	t.lport = th.dport;
	t.rport = th.sport;
	e = conntab_find(&s->tab, &t);
	if (!e)
		no_conn_input(s, &seg, &t);
	else if (e->kind == ENT_TIMEWAIT)
		tcp_tw_input(container_of(e, struct tcp_tw, ent), &seg);
	else if (e->kind == ENT_REQUEST)
		tcp_req_input(container_of(e, struct tcp_req, ent), &seg);
	else
		tcp_conn_input(container_of(e, struct tcp_conn, ent), &seg);
}
