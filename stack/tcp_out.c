/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_out.c - what may be sent now.
 *
 * The stack pulls: tcp_output() gives the next frame of a connection or says that
 * there is none.  In order: SYN, forced retransmission, what is lost, new data
 * (tcp_write_xmit), probes, and a bare ACK if nothing has carried it.  A frame is
 * as large as window, congestion window and interface allow: the interface (or
 * the peer of a veth) splits super-frames, not we.
 */
#include "tcp_impl.h"

#include <errno.h>
#include <string.h>

#define GSO_HDR_ROOM (IP_LEN_MAX + TCP_LEN_MAX)

void tcp_want_output(struct tcp_conn *c)
{
	if (!list_is_linked(&c->out_link) && !list_is_linked(&c->neigh_wait) && c->state != TCP_CLOSE)
		list_append(&c->s->outq, &c->out_link);
}

void tcp_send_ack(struct tcp_conn *c)
{
	if (c->state == TCP_CLOSE)
		return;
	c->snd.out |= OUT_ACK;
	tcp_want_output(c);
}

/* ---- building a segment ---- */

static ip4 conn_ip_dst(const struct tcp_conn *c)
{
	return c->opt.ip_opts.srr ? c->opt.ip_opts.first_hop : c->ent.t.raddr;
}

static bool conn_may_fragment(const struct tcp_conn *c)
{
	switch (c->opt.pmtudisc) {
	case IP_PMTUDISC_DO:
	case IP_PMTUDISC_PROBE:
		return false;
	case IP_PMTUDISC_WANT:
		return !ip_may_set_df(c->s, &c->rt, conn_ip_dst(c), c->s->now);
	default:
		return true;
	}
}

static void conn_ip_tx(struct tcp_conn *c, struct ip_tx *tx, uint8_t opts[IP_OPT_MAX])
{
	*tx = (struct ip_tx){
		.src = c->ent.t.laddr,
		.dst = conn_ip_dst(c),
		.id = c->ip_id,
		.is_df = !conn_may_fragment(c),
		.tos = c->opt.tos,
		.ttl = c->opt.ttl ? c->opt.ttl : (uint8_t)c->s->set.ip_default_ttl,
		.proto = PROTO_TCP,
	};
	if (c->opt.ip_opts.len) {
		tx->opt_len = (uint8_t)ip_opts_build(&c->opt.ip_opts, tx->src, c->ent.t.raddr, opts);
		tx->opts = opts;
	}
}

/* tcp_established_options(): timestamps, then as many SACK blocks as fit. */
static void hdr_set_options(const struct tcp_conn *c, struct tcp_hdr *th, xtime now)
{
	unsigned room = 4, n = 0;

	if (c->ts_ok) {
		th->has_ts = true;
		th->tsval = tcp_ts_now(c, now);
		th->tsecr = c->ts_recent;
		room = 3;
	}
	if (!c->sack_ok)
		return;
	if (c->rcv.has_dsack)
		th->sack[n++] = c->rcv.dsack;
	for (unsigned i = 0; i < c->rcv.nsacks && n < room; i++)
		th->sack[n++] = c->rcv.sacks[i];
	th->nsack = (uint8_t)n;
}

/* tcp_event_ack_sent(): every segment that carries the current rcv.nxt is an ACK. */
static void event_ack_sent(struct tcp_conn *c)
{
	if (c->rcv.quick) {
		unsigned n = c->rcv.ack_scheduled ? 1 : 0;

		if (n >= c->rcv.quick) {
			c->rcv.quick = 0;
			c->rcv.ato = TCP_ATO_MIN;
		} else {
			c->rcv.quick -= (uint8_t)n;
		}
	}
	c->rcv.ack_scheduled = c->rcv.ack_now = false;
	c->rcv.pushed = 0;
	c->rcv.has_dsack = false;
	c->snd.out &= (uint8_t)~OUT_ACK;
	if (c->rcv.dup_acks) {
		if (--c->rcv.dup_acks)
			c->snd.out |= OUT_ACK;
	}
	tcp_delack_clear(c);
}

/* Where the connection waits while its next hop is unresolved, or learns that it
 * can't be reached.  False in any case: no frame. */
static bool output_blocked(struct tcp_conn *c, int err, struct neigh *n, xtime now)
{
	if (err == -EAGAIN && n) {
		list_remove(&c->out_link);
		list_remove(&c->neigh_wait);   /* data, a probe and an ACK may block one after another */
		list_append(&n->waiters, &c->neigh_wait);
		return false;
	}
	count(c->s, CTR_tx_failed);
	if (err == -EHOSTUNREACH) {
		tcp_icmp(c->s, &c->ent.t, c->snd.una, 3, 1, 0, now);
		return false;
	}
	if (!c->loss.packets_out)
		tcp_check_probe(c, now);
	return false;
}

/* Puts th with [seq, seq+len) of the ring into f.  0, or what ip_build() said. */
static int emit(struct tcp_conn *c, struct frame_out *f, struct tcp_hdr *th, size_t len,
                uint32_t mss, struct neigh **n, xtime now)
{
	uint8_t opts[IP_OPT_MAX];
	struct ip_tx tx;
	size_t tcp_len = TCP_LEN_MIN + tcp_options_len(th);
	int off;

	conn_ip_tx(c, &tx, opts);
	th->sport = c->ent.t.lport;
	th->dport = c->ent.t.rport;
	off = ip_build(c->s, f, &c->rt, &tx, tcp_len + len, n, now);
	if (off < 0)
		return off;
	c->ip_id += (uint16_t)(len > mss ? (len + mss - 1) / mss : 1);
	tcp_emit(f->hdr + off, th);
	f->hdr_len = (size_t)off + tcp_len;
	f->payload_len = len;
	f->payload_cnt = len ? ring_peek(&c->snd.q, th->flags & TCPF_SYN ? 0 : th->seq - c->snd.q_seq,
	                                        len, f->payload) : 0;
	/* With a source route tx.dst is only the first hop (RFC 1122 4.2.3.8). */
	ip_finish_l4(c->s, f, (size_t)off, tcp_len, tx.src, c->ent.t.raddr, (uint16_t)mss);
	return 0;
}

static void count_segment(struct tcp_conn *c, size_t len, uint32_t mss)
{
	uint32_t segs = len > mss ? (uint32_t)((len + mss - 1) / mss) : 1;

	c->snd.segs_out += segs;
	c->s->counters[CTR_TcpOutSegs] += segs;
	if (len)
		c->snd.data_segs_out += segs;
}

/* One segment of an open connection: header, [seq, end) and its bookkeeping. */
static int send_segment(struct tcp_conn *c, struct frame_out *f, seq32 seq, seq32 end, bool psh,
                        uint32_t mss, struct neigh **n, xtime now)
{
	seq32 data_end = c->snd.q_seq + c->snd.q.len;
	bool has_fin = end != seq && c->snd.fin && seq_gt(end, data_end);
	size_t len = (size_t)(end - seq) - (has_fin ? 1 : 0);
	struct tcp_hdr th = { .seq = seq, .ack = c->rcv.nxt, .flags = TCPF_ACK };
	int ret;

	hdr_set_options(c, &th, now);
	if (has_fin)
		th.flags |= TCPF_FIN;
	/* On every super-frame, so that the receiver doesn't hold it to merge more: Linux sets it
	 * on the copy that leaves only (__tcp_transmit_skb). */
	if (psh || len > mss)
		th.flags |= TCPF_PSH;
	if (c->snd.urg_mode && seq_gt(c->snd.urg_up, seq) && seq_le(c->snd.urg_up, seq + 0xffff)) {
		th.flags |= TCPF_URG;
		th.urg = (uint16_t)(c->snd.urg_up - seq);
	}
	th.wnd = (uint16_t)tcp_select_window(c);
	ret = emit(c, f, &th, len, mss, n, now);
	if (ret < 0)
		return ret;
	event_ack_sent(c);
	count_segment(c, len, mss);
	c->snd.bytes_sent += len;
	if (len)
		tcp_pacing_sent(c, len, now);
	return 0;
}

/* ---- SYN ---- */

static void syn_options(struct tcp_conn *c, struct tcp_hdr *th, xtime now)
{
	const struct settings *set = &c->s->set;
	bool is_reply = c->state != TCP_SYN_SENT;

	th->has_mss = true;
	th->mss = c->advmss;
	if (is_reply ? c->ts_ok : set->tcp_timestamps != 0) {
		th->has_ts = true;
		th->tsval = tcp_ts_now(c, now);
		th->tsecr = c->ts_recent;   /* of a SYN: from the TIME-WAIT that it takes over */
	}
	if (is_reply ? c->wscale_ok : set->tcp_window_scaling != 0) {
		th->has_wscale = true;
		th->wscale = c->rcv_wscale;
	}
	th->sack_permitted = is_reply ? c->sack_ok : set->tcp_sack != 0;
	if (c->fo.option.is_set && (!is_reply || c->parent) && !(c->snd.txq.n && txq_at(&c->snd.txq, 0)->flags & SEG_EVER_RETRANS)) {
		th->has_fastopen = true;
		th->fastopen_exp = c->fo.option.is_exp;
		th->fastopen_len = c->fo.option.len;
		memcpy(th->fastopen, c->fo.option.val, sizeof(th->fastopen));
		/* The option gives way when there is no room for it. */
		if (tcp_options_len(th) > TCP_LEN_MAX - TCP_LEN_MIN)
			th->has_fastopen = false;
		else if (!is_reply)
			c->fo.was_asked = true, c->fo.was_exp = c->fo.option.is_exp;
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
	if (c->state == TCP_SYN_SENT)   /* a SYN-ACK is a request's in Linux */
		tcp_rate_sent(c, &seg, now);
	if (txq_push(&c->snd.txq, &seg) < 0)
		return;
	c->loss.packets_out = 1;
	c->snd.nxt = seg.end;
	tcp_rexmit_set(c, REXMIT_RTO, now + c->rtt.rto_ns);
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

static bool output_syn(struct tcp_conn *c, struct frame_out *f, xtime now)
{
	size_t len = 0;
	struct tcp_hdr th = { .seq = c->snd.iss, .flags = TCPF_SYN };
	struct neigh *n = NULL;
	int ret;

	if (!c->snd.txq.n)
		tcp_syn_sent_now(c, now);
	syn_options(c, &th, now);
	if (c->state != TCP_SYN_SENT) {
		th.flags |= TCPF_ACK;
		th.ack = c->rcv.nxt;
	}
	th.wnd = (uint16_t)MIN(c->rcv.wnd, 65535u);
	if (th.has_fastopen || (c->fo.syn_data && !c->fo.option.is_set && c->snd.txq.n == 1))
		len = c->state == TCP_SYN_SENT && !(txq_at(&c->snd.txq, 0)->flags & SEG_EVER_RETRANS) &&
		      c->fo.syn_data ? c->snd.q.len : 0;
	ret = emit(c, f, &th, len, MAX(c->snd.mss_cache, (uint32_t)len), &n, now);
	if (ret < 0)
		return output_blocked(c, ret, n, now);
	if (len)
		syn_data_sent(c, len, now);
	c->snd.out &= (uint8_t)~(OUT_SYN | OUT_ACK);
	c->rcv.wup = c->rcv.nxt;
	count_segment(c, 0, c->snd.mss_cache);
	return true;
}

/* ---- retransmission ---- */

static uint32_t max_segs(const struct tcp_conn *c, uint32_t mss)
{
	const struct stack_iface *i = &c->s->ifaces[c->rt.iface];
	uint32_t segs;

	if (!i->can_offload || conn_may_fragment(c))
		return 1;
	segs = (MIN(i->gso_max, 65535u) - GSO_HDR_ROOM) / mss;
	return segs ? segs : 1;
}

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

	if (seq_lt(seg->seq, c->snd.q_seq)) {
		/* close() during a simultaneous open: the SYN is still to be acknowledged. */
		if (!output_syn(c, f, now))
			return false;
	} else {
		/* tcp_retransmit_skb(): a window that shrank holds back all but the first. */
		if (!seq_lt(seg->seq, tcp_wnd_end(c)) && seg->seq != c->snd.una)
			return false;
		if (fit_segment(c, idx, MIN(n_segs, max_segs(c, mss)) * mss, mss) < 0)
			return false;
		seg = txq_at(&c->snd.txq, idx);
		ret = send_segment(c, f, seg->seq, seg->end, seg->flags & SEG_PSH, mss, &n, now);
		if (ret < 0)
			return output_blocked(c, ret, n, now);
	}
	mark_resent(c, txq_at(&c->snd.txq, idx), f->payload_len, is_probe, now);
	return true;
}

/* tcp_xmit_retransmit_queue(): the first lost segment that is not in flight again. */
static bool output_lost(struct tcp_conn *c, struct frame_out *f, xtime now)
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
		if (c->loss.ca_state != CA_LOSS)
			count(c->s, CTR_TcpExtTCPFastRetrans);
		if (!retransmit(c, f, i, c->cc.cwnd - flight, false, now))
			return false;
		/* The time-out runs from the latest transmission of what is oldest. */
		if (!i && c->snd.rexmit_kind != REXMIT_REORDER)
			tcp_rexmit_set(c, REXMIT_RTO, now + c->rtt.rto_ns);
		return true;
	}
	return false;
}

static bool output_forced(struct tcp_conn *c, struct frame_out *f, xtime now)
{
	c->snd.out &= (uint8_t)~OUT_RETRANS;
	if (!c->snd.txq.n)
		return false;
	if (!retransmit(c, f, 0, 1, false, now)) {
		if (list_is_linked(&c->neigh_wait))
			c->snd.out |= OUT_RETRANS;
		return false;
	}
	return true;
}

/* ---- new data ---- */

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

/* tcp_tso_should_defer(): wait for more window rather than send a sliver of a burst,
 * as long as ACKs are on their way.  `avail` is what the skb holds, is_tail whether it is
 * the last one. */
static bool should_defer(const struct tcp_conn *c, uint32_t room, uint32_t mss,
                         uint32_t avail, bool is_tail, xtime now)
{
	uint32_t win_divisor = (uint32_t)c->s->set.tcp_tso_win_divisor;
	uint64_t chunk;

	if (avail <= mss || c->loss.ca_state >= CA_RECOVERY || !c->loss.packets_out || !win_divisor)
		return false;
	/* Bursts are no longer news when the last one is a millisecond ago. */
	if (now - c->snd.lsndtime > XTIME_MSEC)
		return false;
	if (room >= max_segs(c, mss) * mss || (!is_tail && room >= avail) || c->snd.fin)
		return false;
	chunk = MIN((uint64_t)c->snd.wnd, (uint64_t)c->cc.cwnd * mss) / win_divisor;
	if (room >= chunk || max_segs(c, mss) == 1)
		return false;
	/* The next ACK comes too late: what is oldest was sent less than half an RTT ago. */
	return now - txq_at((struct tx_queue *)&c->snd.txq, 0)->sent >= (xtime)(c->rtt.srtt8_us >> 4) * XTIME_USEC;
}

/* ---- skbs ---- */

static const struct tx_mark *mark_first(const struct tcp_conn *c)
{
	return c->snd.marks.n ? &c->snd.marks.v[c->snd.marks.first] : NULL;
}

/* tcp_grow_skb(): the first skb is filled from the next one. */
static void mark_grow(struct tcp_conn *c, uint32_t want)
{
	struct tx_marks *m = &c->snd.marks;
	struct tx_mark *first = &m->v[m->first], *next = &m->v[(m->first + 1u) % TCP_MARKS];

	if (m->n < 2 || first->eor || first->end - c->snd.nxt >= want)
		return;
	if (seq_gt(next->end, c->snd.nxt + want)) {
		first->end = c->snd.nxt + want;
		return;
	}
	next->psh |= first->psh;
	m->first = (uint8_t)((m->first + 1u) % TCP_MARKS);
	m->n--;
}

/* The ends that have been sent need not be known any more. */
static void marks_pass(struct tcp_conn *c)
{
	struct tx_marks *m = &c->snd.marks;

	while (m->n && seq_le(m->v[m->first].end, c->snd.nxt)) {
		m->first = (uint8_t)((m->first + 1) % TCP_MARKS);
		m->n--;
	}
}

/* PSH goes to the end of what a write has pushed. */
static bool new_has_psh(const struct tcp_conn *c, seq32 end)
{
	const struct tx_mark *m = mark_first(c);

	return m && m->psh && seq_ge(end, m->end);
}

/* Bytes (FIN included as one) of the next new segment, 0 when none may leave.  A tail loss
 * probe is one segment at least and waits for nothing but the window. */
static uint32_t new_data_len(struct tcp_conn *c, uint32_t mss, xtime now)
{
	seq32 data_end = c->snd.q_seq + c->snd.q.len;
	uint32_t avail = data_end - c->snd.nxt;
	uint32_t flight = tcp_in_flight(c), cwnd = c->cc.cwnd;
	uint32_t wnd, room, len;
	bool is_probe = c->snd.out & OUT_TLP, is_tail = true;
	bool has_fin = c->snd.fin && seq_le(c->snd.nxt, data_end);
	const struct tx_mark *mark;

	if (flight < cwnd)
		mark_grow(c, MIN(cwnd - flight, tcp_burst_segs(c, mss, max_segs(c, mss))) * mss);
	mark = mark_first(c);
	if (seq_gt(c->snd.nxt, data_end))
		avail = 0;
	if (avail && mark && seq_lt(mark->end, data_end)) {
		avail = mark->end - c->snd.nxt;
		is_tail = has_fin = false;
	}
	if (!avail && !has_fin)
		return 0;
	if (is_probe)
		cwnd = MAX(cwnd, flight + 1);
	if (flight >= cwnd) {
		/* A FIN alone goes whatever cwnd says (tcp_cwnd_test). */
		if (avail || !has_fin) {
			tcp_cwnd_validate(c, true, now);
			return 0;
		}
		return 1;
	}
	wnd = seq_gt(tcp_wnd_end(c), c->snd.nxt) ? tcp_wnd_end(c) - c->snd.nxt : 0;
	if (avail && wnd < MIN(avail, mss))
		return 0;
	if (!avail)
		return wnd ? 1 : 0;
	room = (uint32_t)MIN((uint64_t)(cwnd - flight) * mss, (uint64_t)wnd);
	len = MIN(MIN(avail, room), tcp_burst_segs(c, mss, max_segs(c, mss)) * mss);
	if (len % mss && (len == avail || len == wnd) && !is_probe && (is_tail || len > mss) && nagle_holds(c))
		len -= len % mss;
	else if (len % mss && len != avail && len != wnd)
		len -= len % mss;
	if (!len || (!is_probe && tcp_pacing_holds(c, now)))
		return 0;
	if (!is_probe && should_defer(c, room, mss, avail, is_tail, now)) {
		tcp_cwnd_validate(c, room < wnd, now);
		return 0;
	}
	if (len == avail && has_fin && len < wnd)
		len++;
	return len;
}

/* tcp_event_data_sent(). */
static void event_data_sent(struct tcp_conn *c, xtime now)
{
	if (!tcp_in_flight(c) && c->cc.ops->event)
		c->cc.ops->event(c, CC_EV_TX_START, now);
	c->snd.lsndtime = now;
	/* An answer to what came just now: the session is interactive. */
	if (now - c->rcv.lrcvtime < c->rcv.ato && c->rcv.pingpong < 255)
		c->rcv.pingpong++;
}

static bool output_new(struct tcp_conn *c, struct frame_out *f, xtime now)
{
	uint32_t mss = tcp_current_mss(c, now);
	uint32_t len = new_data_len(c, mss, now);
	uint32_t prior = c->loss.packets_out;
	struct neigh *n = NULL;
	struct tx_seg seg;
	int ret;

	if (!len)
		return false;
	seg = (struct tx_seg){ .seq = c->snd.nxt, .end = c->snd.nxt + len, .mss = (uint16_t)mss,
	                        .sent = now, .first_sent = now };
	if (new_has_psh(c, seg.end) || c->snd.out & OUT_PROBE)   /* tcp_write_wakeup() */
		seg.flags |= SEG_PSH;
	tcp_rate_sent(c, &seg, now);
	if (txq_push(&c->snd.txq, &seg) < 0)
		return false;
	if (seg.seq != c->snd.q_seq + c->snd.q.len)   /* a FIN alone is no data */
		event_data_sent(c, now);
	ret = send_segment(c, f, seg.seq, seg.end, seg.flags & SEG_PSH, mss, &n, now);
	if (ret < 0) {
		c->snd.txq.n--;
		return output_blocked(c, ret, n, now);
	}
	if (f->payload_len % mss)
		c->snd.sml = seg.end;
	c->snd.nxt = seg.end;
	marks_pass(c);
	if (seg.end == tcp_snd_end(c))
		c->snd.push_now = false;
	c->loss.packets_out += tcp_seg_count(c, &seg);
	c->loss.prr_out += tcp_seg_count(c, &seg);
	c->s->counters[CTR_bytes_out] += f->payload_len;
	if (!prior || c->snd.rexmit_kind == REXMIT_TLP || c->snd.rexmit_kind == REXMIT_PROBE0)
		tcp_rearm_rto(c, now);
	tcp_schedule_tlp(c, now);
	tcp_cwnd_validate(c, tcp_in_flight(c) >= c->cc.cwnd, now);
	return true;
}

/* ---- probes and ACKs ---- */

/* tcp_xmit_probe_skb(): an old sequence number that the peer has to answer. */
static bool output_bare(struct tcp_conn *c, struct frame_out *f, seq32 seq, uint8_t done, xtime now)
{
	struct neigh *n = NULL;
	uint32_t mss = tcp_current_mss(c, now);
	int ret = send_segment(c, f, seq, seq, false, mss, &n, now);

	if (ret < 0)
		return output_blocked(c, ret, n, now);
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

	if (!len)
		return output_bare(c, f, c->snd.una - 1, OUT_PROBE | OUT_KEEPALIVE, now);
	seg.flags = SEG_PSH;   /* tcp_write_wakeup() */
	tcp_rate_sent(c, &seg, now);
	if (txq_push(&c->snd.txq, &seg) < 0)
		return false;
	ret = send_segment(c, f, seg.seq, seg.end, true, mss, &n, now);
	if (ret < 0) {
		c->snd.txq.n--;
		return output_blocked(c, ret, n, now);
	}
	c->snd.out &= (uint8_t)~OUT_PROBE;
	c->snd.nxt = seg.end;
	marks_pass(c);
	c->snd.lsndtime = now;
	c->loss.packets_out += tcp_seg_count(c, &seg);
	c->s->counters[CTR_bytes_out] += len;
	tcp_rearm_rto(c, now);
	return true;
}

/* tcp_send_loss_probe(): a new segment if one may go, else the last one again. */
static bool output_tlp(struct tcp_conn *c, struct frame_out *f, xtime now)
{
	struct tx_queue *q = &c->snd.txq;
	uint32_t mss = tcp_current_mss(c, now);
	struct tx_seg *last;

	c->snd.out &= (uint8_t)~OUT_TLP;
	if (!q->n)
		return false;
	last = txq_at(q, q->n - 1);
	if (last->end - last->seq > mss && txq_split(c, q->n - 1, last->end - mss) < 0)
		return false;
	c->loss.tlp_retrans = true;
	c->loss.tlp_out = true;
	c->loss.tlp_high = c->snd.nxt;
	count(c->s, CTR_TcpExtTCPLossProbes);
	return retransmit(c, f, q->n - 1, 1, true, now);
}

/* The sequence number of a bare ACK: tcp_acceptable_seq(). */
static seq32 acceptable_seq(const struct tcp_conn *c)
{
	return seq_lt(tcp_wnd_end(c), c->snd.nxt) && c->snd.wnd ? tcp_wnd_end(c) : c->snd.nxt;
}

static bool output_next(struct tcp_conn *c, struct frame_out *f, xtime now)
{
	if (c->snd.out & OUT_SYN)
		return output_syn(c, f, now);
	if (conn_in(c, ST(SYN_SENT) | ST(CLOSE) | ST(LISTEN)))
		return false;
	if (c->snd.out & OUT_RETRANS && output_forced(c, f, now))
		return true;
	if (c->state != TCP_SYN_RECV || c->fo.is_child) {
		if (c->loss.try_new) {
			/* F-RTO, RFC 5682 3.1 step 2.b: new data tells whether the time-out
			 * was spurious; nothing lost goes before the next ACK. */
			if (output_new(c, f, now))
				return true;
			c->loss.try_new = false;
			c->loss.hold_lost = seq_gt(c->snd.nxt, c->loss.high_seq);
			c->loss.frto = c->loss.hold_lost;
		}
		if (output_lost(c, f, now))
			return true;
		if (output_new(c, f, now)) {
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
		if (c->snd.out & OUT_TLP && output_tlp(c, f, now))
			return true;
	}
	if (c->snd.out & (OUT_PROBE | OUT_KEEPALIVE) && output_probe(c, f, now))
		return true;
	if (c->snd.out & OUT_ACK)
		return output_bare(c, f, acceptable_seq(c), OUT_ACK, now);
	return false;
}

bool tcp_output(struct tcp_conn *c, struct frame_out *f, xtime now)
{
	bool has_frame;

	if (!c->has_route && c->state != TCP_CLOSE && tcp_reroute(c, now) < 0) {
		list_remove(&c->out_link);
		return false;
	}
	if (c->has_route && c->rt.gen != c->s->routes.gen)
		tcp_reroute(c, now);
	has_frame = c->has_route && output_next(c, f, now);
	if (!has_frame) {
		list_remove(&c->out_link);
		/* Data that can't leave and nothing in flight that would bring an ACK. */
		if (!list_is_linked(&c->neigh_wait) && !c->snd.is_pace_held)
			tcp_check_probe(c, now);
	}
	tcp_timer_update(c);
	return has_frame;
}

/* ---- segments that belong to no connection ---- */

static void reply(struct stack *s, const struct ip_route *rt, const struct tuple *t,
                  const struct tcp_hdr *th, uint8_t tos, uint8_t ttl, uint16_t id, xtime now)
{
	uint8_t buf[TCP_LEN_MAX];
	struct tcp_hdr h = *th;
	struct ip_tx tx = {
		.src = t->laddr, .dst = t->raddr, .id = id, .is_df = true, .tos = tos,
		.ttl = ttl ? ttl : (uint8_t)s->set.ip_default_ttl, .proto = PROTO_TCP,
	};
	size_t len;

	h.sport = t->lport;
	h.dport = t->rport;
	len = tcp_emit(buf, &h);
	tcp_set_csum(buf, csum_fold(csum_add(csum_pseudo(t->laddr, t->raddr, PROTO_TCP, len), buf, len)));
	count(s, CTR_TcpOutSegs);
	ip_send(s, rt, &tx, buf, len, now);
}

static void conn_reply(struct tcp_conn *c, struct tcp_hdr *th, xtime now)
{
	th->seq = acceptable_seq(c);
	th->ack = c->rcv.nxt;
	if (c->ts_ok) {
		th->has_ts = true;
		th->tsval = tcp_ts_now(c, now);
		th->tsecr = c->ts_recent;
	}
	reply(c->s, c->has_route ? &c->rt : NULL, &c->ent.t, th, c->opt.tos, c->opt.ttl, c->ip_id++, now);
}

void tcp_send_active_reset(struct tcp_conn *c, xtime now)
{
	struct tcp_hdr th = { .flags = TCPF_RST | TCPF_ACK };

	count(c->s, CTR_TcpOutRsts);
	conn_reply(c, &th, now);
}

void tcp_send_last_ack(struct tcp_conn *c, xtime now)
{
	struct tcp_hdr th = { .flags = TCPF_ACK, .wnd = (uint16_t)tcp_select_window(c) };

	event_ack_sent(c);
	conn_reply(c, &th, now);
}

/* RFC 9293 3.5.2 and 3.10.7.1; Linux tcp_v4_send_reset(). */
void tcp_reply_reset(struct stack *s, const struct ip_hdr *ip, const struct tcp_hdr *th, size_t len,
                     xtime now)
{
	struct tuple t = { .laddr = ip->dst, .raddr = ip->src, .lport = th->dport, .rport = th->sport };
	struct tcp_hdr rst = { .flags = TCPF_RST };

	if (th->flags & TCPF_RST || !ip_is_unicast(s, ip->src))
		return;
	if (th->flags & TCPF_ACK) {
		rst.seq = th->ack;
	} else {
		rst.flags |= TCPF_ACK;
		rst.ack = th->seq + (th->flags & TCPF_SYN ? 1 : 0) + (th->flags & TCPF_FIN ? 1 : 0) + (seq32)len;
	}
	count(s, CTR_TcpOutRsts);
	reply(s, NULL, &t, &rst, 0, 0, 0, now);
}

void tcp_tw_ack(struct tcp_tw *tw, xtime now)
{
	struct tcp_hdr th = {
		.seq = tw->snd_nxt, .ack = tw->rcv_nxt, .flags = TCPF_ACK,
		.wnd = (uint16_t)MIN(tw->rcv_wnd >> tw->rcv_wscale, 65535u),
	};

	if (tw->ts_ok) {
		th.has_ts = true;
		th.tsval = xtime_ms(now) + tw->ts_offset;
		th.tsecr = tw->ts_recent;
	}
	reply(tw->s, NULL, &tw->ent.t, &th, tw->tos, tw->ttl, 0, now);
}
