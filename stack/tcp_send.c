/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_send.c - new data (tcp_write_xmit): how much of it may leave now, by window,
 * congestion window, Nagle, pacing and the ends of Linux's skbs.
 */
#include "tcp_out.h"

#define MAX_TSO_DEFERRED_MSS 3u   /* tcp_max_tso_deferred_mss() */

/* tcp_nagle_check(): may a segment that is not full leave now? (RFC 9293 3.7.4 with
 * Minshall's change: only an earlier small segment in flight holds it.) */
static bool nagle_holds(const struct tcp_conn *c)
{
	if (c->snd.push_now || c->snd.fin || (c->snd.urg_mode && seq_gt(c->snd.urg_up, c->snd.nxt)))
		return false;
	if (c->opt.cork || c->snd.more)
		return true;
	if (c->opt.nodelay)
		return false;
	return c->loss.packets_out && seq_gt(c->snd.sml, c->snd.una) && seq_le(c->snd.sml, c->snd.nxt);
}

/* tcp_tso_should_defer(): wait for more window rather than send a sliver of a burst, as long
 * as the next ACK is due within a millisecond.  `avail` is what the skb holds, is_tail whether
 * it is the last one, has_fin whether it ends with a FIN; `most` is the largest burst. */
static bool should_defer(const struct tcp_conn *c, uint32_t cong_win, uint32_t send_win, uint32_t mss,
                         uint32_t most, uint32_t avail, bool is_tail, bool has_fin, xtime now)
{
	uint32_t limit = MIN(cong_win, send_win);
	uint32_t win_divisor = (uint32_t)c->s->set.tcp_tso_win_divisor;
	xtime srtt = (xtime)(c->rtt.srtt8_us >> 3) * XTIME_USEC;

	if (avail <= mss || c->loss.ca_state >= CA_RECOVERY || !c->loss.packets_out)
		return false;
	/* Bursts are no longer news when the last one is a millisecond ago. */
	if (now - c->snd.lsndtime > XTIME_MSEC)
		return false;
	if (limit >= most * mss || (!is_tail && limit >= avail))
		return false;
	if (win_divisor ? limit >= MIN((uint64_t)c->snd.wnd, (uint64_t)c->cc.cwnd * mss) / win_divisor
	                : limit > MAX_TSO_DEFERRED_MSS * mss)
		return false;
	/* Or in half an RTT: a smooth clock of ACKs is worth more than large bursts. */
	if (txq_at((struct tx_queue *)&c->snd.txq, 0)->sent + srtt - now > MIN(srtt / 2, XTIME_MSEC))
		return false;
	return limit <= avail || !has_fin;
}

/* PSH goes to the end of what a write has pushed. */
static bool new_has_psh(const struct tcp_conn *c, seq32 end)
{
	const struct tx_mark *m = tcp_mark_first(c);

	return m && m->psh && seq_ge(end, m->end);
}

static bool new_has_eor(const struct tcp_conn *c, seq32 end)
{
	const struct tx_mark *m = tcp_mark_first(c);

	return m && m->eor && seq_ge(end, m->end);
}

/* Bytes (FIN included as one) of the next new segment, 0 when none may leave; *is_rwnd: that
 * is the peer's window.  A tail loss probe is one segment at least and waits for nothing but
 * the window. */
static uint32_t new_data_len(struct tcp_conn *c, uint32_t mss, bool *is_rwnd, xtime now)
{
	seq32 data_end = c->snd.q_seq + c->snd.q.len;
	uint32_t avail = data_end - c->snd.nxt;
	uint32_t flight = tcp_in_flight(c), cwnd = c->cc.cwnd;
	uint32_t wnd, cong_win, room, len, most, quota;
	bool is_probe = c->snd.out & OUT_TLP, is_tail = true;
	bool has_fin = c->snd.fin && seq_le(c->snd.nxt, data_end);
	const struct tx_mark *mark;

	/* The SYN-ACK is not in flight for a child by Fast Open: it is the request's in Linux. */
	if (c->state == TCP_SYN_RECV && tcp_is_passive(c))
		flight--;
	if (is_probe)
		cwnd = MAX(cwnd, flight + 1);
	most = tcp_burst_segs(c, mss, tcp_max_segs(c, mss));
	quota = MIN(most, MAX(cwnd / 2, 1u));   /* tcp_cwnd_test(): two frames a window */
	if (flight < cwnd)
		tcp_mark_grow(c, MIN(cwnd - flight, quota) * mss);
	mark = tcp_mark_first(c);
	if (seq_gt(c->snd.nxt, data_end))
		avail = 0;
	if (avail && mark && seq_lt(mark->end, data_end)) {
		avail = mark->end - c->snd.nxt;
		is_tail = has_fin = false;
	}
	if (!avail && !has_fin)
		return 0;
	if (flight >= cwnd) {
		/* A FIN, too: Linux makes no exception for it any more (tcp_cwnd_test). */
		tcp_cwnd_validate(c, true, now);
		return 0;
	}
	wnd = seq_gt(tcp_wnd_end(c), c->snd.nxt) ? tcp_wnd_end(c) - c->snd.nxt : 0;
	*is_rwnd = avail && wnd < MIN(avail, mss);
	if (*is_rwnd)
		return 0;
	if (!avail) {
		*is_rwnd = !wnd;
		return wnd ? 1 : 0;
	}
	cong_win = (uint32_t)MIN((uint64_t)(cwnd - flight) * mss, UINT32_MAX);
	room = MIN(cong_win, wnd);
	len = MIN(MIN(avail, room), quota * mss);
	if (len % mss && (len == avail || len == wnd) && !is_probe && (is_tail || len > mss) && nagle_holds(c))
		len -= len % mss;
	else if (len % mss && len != avail && len != wnd)
		len -= len % mss;
	if (!len || (!is_probe && tcp_pacing_holds(c, now)))
		return 0;
	if (!is_probe && should_defer(c, cong_win, wnd, mss, most, avail, is_tail, has_fin, now)) {
		if (cong_win < wnd && cong_win <= avail)
			tcp_cwnd_validate(c, true, now);
		*is_rwnd = wnd <= cong_win && wnd <= avail;
		return 0;
	}
	if (len == avail && has_fin && len < wnd)
		len++;
	return len;
}

bool tcp_output_new(struct tcp_conn *c, struct frame_out *f, xtime now)
{
	uint32_t mss = tcp_current_mss(c, now);
	int probe = c->snd.out & (OUT_TLP | OUT_PROBE) ? -1 : tcp_mtup_next(c, mss, now);
	bool is_rwnd = false;
	uint32_t len = probe < 0 ? new_data_len(c, mss, &is_rwnd, now) : (uint32_t)probe;
	uint32_t prior = c->loss.packets_out;
	struct neigh *n = NULL;
	struct tx_seg seg;
	int ret;

	if (is_rwnd)
		tcp_chrono_start(c, CHRONO_RWND, now);
	else
		tcp_chrono_stop(c, CHRONO_RWND, now);
	if (!len)
		return false;
	if (!(c->snd.out & (OUT_TLP | OUT_PROBE)) && tcp_small_queue_is_full(c, len, 0))
		return false;
	if (probe > 0)
		mss = len;
	seg = (struct tx_seg){ .seq = c->snd.nxt, .end = c->snd.nxt + len, .mss = (uint16_t)mss,
	                        .sent = now, .first_sent = now };
	if (new_has_psh(c, seg.end) || c->snd.out & OUT_PROBE)   /* tcp_write_wakeup() */
		seg.flags |= SEG_PSH;
	if (new_has_eor(c, seg.end))
		seg.flags |= SEG_EOR;
	tcp_rate_sent(c, &seg, now);
	if (txq_push(&c->snd.txq, &seg) < 0)
		return false;
	ret = tcp_send_segment(c, f, seg.seq, seg.end, seg.flags & SEG_PSH, mss, &n, now);
	if (ret < 0) {
		c->snd.txq.n--;
		return tcp_output_blocked(c, ret, n, now);
	}
	f->undo.use = FRAME_NEW;
	f->undo.seq = seg.seq;
	f->undo.is_mtu_probe = probe > 0;
	if (probe > 0)
		tcp_mtup_sent(c, seg.seq, seg.end);
	if (f->payload_len % mss)
		c->snd.sml = seg.end;
	c->snd.nxt = seg.end;
	tcp_marks_pass(c);
	if (seg.end == tcp_snd_end(c))
		c->snd.push_now = false;
	c->loss.packets_out += tcp_seg_count(c, &seg);
	c->loss.prr_out += tcp_seg_count(c, &seg);
	c->s->counters[CTR_bytes_out] += f->payload_len;
	c->s->counters[CTR_TcpExtTCPOrigDataSent] += tcp_seg_count(c, &seg);
	if (!prior || c->snd.rexmit_kind == REXMIT_TLP || c->snd.rexmit_kind == REXMIT_PROBE0)
		tcp_rearm_rto(c, now);
	tcp_schedule_tlp(c, now);
	tcp_cwnd_validate(c, tcp_in_flight(c) >= c->cc.cwnd, now);
	return true;
}
