/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_data.c - what becomes of received payload, and when it is acknowledged.
 *
 * Payload lands in the receive ring at its offset from rcv.copied at once, in
 * order or not; rcv.ofo says which bytes beyond rcv.nxt are real.  When the gap
 * closes nothing is copied again.  The delayed-ACK machine is Linux's: quick
 * ACKs at the start, "pingpong" for interactive sessions, ATO estimation.
 */
#include "tcp_impl.h"

#include <errno.h>
#include <stdlib.h>

#define DUPTHRESH 3                 /* TCP_FASTRETRANS_THRESH */
#define SACK_BLOCKS_EXPECTED 2u     /* TCP_SACK_BLOCKS_EXPECTED */

/* ---- delayed ACKs ---- */

static void incr_quickack(struct tcp_conn *c, unsigned max)
{
	uint32_t n = c->rcv.wnd / (2u * MAX(c->rcv.rcv_mss, 1));

	n = MIN(n ? n : 2, max);
	if (n > c->rcv.quick)
		c->rcv.quick = (uint8_t)n;
}

void tcp_enter_quickack(struct tcp_conn *c, unsigned max)
{
	incr_quickack(c, max);
	c->rcv.pingpong = 0;
	c->rcv.ato = TCP_ATO_MIN;
}

static bool in_quickack(const struct tcp_conn *c)
{
	return c->rt.quickack || (c->rcv.quick && c->rcv.pingpong < c->s->set.tcp_pingpong_thresh);
}

/* tcp_delack_max(): TCP_DELACK_MAX_US, and a tick less than the peer's least time-out may be. */
xtime tcp_delack_max(const struct tcp_conn *c)
{
	xtime max = c->opt.rare->delack_max_us ? c->opt.rare->delack_max_us * XTIME_USEC : TCP_DELACK_MAX;

	return MIN(max, MAX(tcp_rto_min(c), 2 * TCP_TICK) - TCP_TICK);
}

/* tcp_send_delayed_ack(). */
static void send_delayed_ack(struct tcp_conn *c, xtime now)
{
	xtime ato = c->rcv.ato, max = XTIME_SEC / 2, at;

	if (ato > TCP_DELACK_MIN) {
		if (c->rcv.pingpong >= c->s->set.tcp_pingpong_thresh || c->rcv.pushed)
			max = TCP_DELACK_MAX;
		if (c->rtt.srtt8_us)
			max = MIN(max, MAX((xtime)(c->rtt.srtt8_us >> 3) * XTIME_USEC, TCP_DELACK_MIN));
		ato = MIN(ato, max);
	}
	ato = MAX(MIN(ato, tcp_delack_max(c)), TCP_TICK);
	at = now + ato;
	if (c->rcv.delack_at != XTIME_NEVER) {
		if (c->rcv.delack_at <= now + (ato >> 2)) {
			tcp_send_ack(c);
			return;
		}
		at = xtime_min(at, c->rcv.delack_at);
	}
	c->rcv.ack_scheduled = true;
	tcp_delack_set(c, at);
}

/* Beyond three duplicate ACKs, which tell the peer of a loss, one ACK stands for what comes in
 * 5 % of an RTT, as in __tcp_ack_snd_check().  False: it goes now. */
static bool compress_sack(struct tcp_conn *c, xtime now)
{
	xtime rtt = c->rcv.rtt_ns, delay;

	if (c->rcv.comp_acks >= c->s->set.tcp_comp_sack_nr)
		return false;
	if (c->rcv.comp_nxt != c->rcv.nxt) {
		c->rcv.comp_nxt = c->rcv.nxt;
		c->rcv.comp_dups = 0;
	}
	if (c->rcv.comp_dups < DUPTHRESH) {
		c->rcv.comp_dups++;
		return false;
	}
	if (c->rtt.srtt8_us)
		rtt = MIN(rtt, (xtime)(c->rtt.srtt8_us >> 3) * XTIME_USEC);
	delay = MIN(rtt / 20, (xtime)c->s->set.tcp_comp_sack_delay_ns);
	if (c->rcv.comp_at == XTIME_NEVER) {
		c->rcv.comp_at = now + delay;
		tcp_timer_update(c);
	}
	c->rcv.comp_acks++;
	return true;
}

/* __tcp_ack_snd_check(). */
void tcp_ack_check(struct tcp_conn *c, xtime now)
{
	if (!c->rcv.ack_scheduled)
		return;
	if ((c->rcv.nxt - c->rcv.wup > c->rcv.rcv_mss &&
	     (c->rcv.q.len < c->opt.rcvlowat || tcp_window_free(c) >= c->rcv.wnd)) ||
	    in_quickack(c) || c->rcv.ack_now) {
		tcp_send_ack(c);
	} else if (tcp_ofo(c)->ranges.n) {
		/* RFC 5681 4.2: at once; each one counts for a peer without SACK. */
		if (!c->sack_ok && c->snd.out & OUT_ACK)
			c->rcv.dup_acks++;
		if (!c->sack_ok || !compress_sack(c, now))
			tcp_send_ack(c);
	} else {
		send_delayed_ack(c, now);
	}
}

/* tcp_measure_rcv_mss(): the size of the peer's full segments. */
static void measure_rcv_mss(struct tcp_conn *c, const struct tcp_hdr *th, size_t len, uint16_t gso_size)
{
	uint32_t seg = gso_size ? gso_size : (uint32_t)len;
	uint32_t hdr = c->ts_ok ? 32 : 20;
	uint16_t last = c->rcv.last_seg_size;

	c->rcv.last_seg_size = 0;
	if (seg >= c->rcv.rcv_mss) {
		if (seg != c->rcv.rcv_mss)
			tcp_measure_ratio(c, (uint32_t)len, tcp_rx_truesize((uint32_t)len, gso_size));
		c->rcv.rcv_mss = (uint16_t)MIN(seg, c->advmss);
		/* A full segment may be the end of a write as well: whoever waits for its ACK
		 * gets it as soon as the program has read. */
		if (th->flags & TCPF_PSH && !c->rcv.pushed)
			c->rcv.pushed = 1;
		return;
	}
	seg += th->hdr_len;
	if (seg >= TCP_MSS_DEFAULT + 20u ||
	    (seg >= 88u + 20u && !(th->flags & (TCPF_FIN | TCPF_URG | TCPF_SYN | TCPF_PSH)))) {
		bool is_same;

		seg -= MIN(seg, hdr);
		is_same = seg == last;
		c->rcv.last_seg_size = (uint16_t)seg;
		if (is_same) {
			c->rcv.rcv_mss = (uint16_t)seg;
			return;
		}
	}
	c->rcv.pushed = c->rcv.pushed ? 2 : 1;
}

static void data_event(struct tcp_conn *c, const struct tcp_hdr *th, size_t len, uint16_t gso_size,
                       xtime now)
{
	xtime gap;

	c->rcv.ack_scheduled = true;
	measure_rcv_mss(c, th, len, gso_size);
	tcp_rcv_rtt_measure(c, now);
	if (!c->rcv.ato) {
		incr_quickack(c, TCP_MAX_QUICKACKS);
		c->rcv.ato = TCP_ATO_MIN;
	} else {
		gap = now - c->rcv.lrcvtime;
		if (gap <= TCP_ATO_MIN / 2)
			c->rcv.ato = (c->rcv.ato >> 1) + TCP_ATO_MIN / 2;
		else if (gap < c->rcv.ato)
			c->rcv.ato = MIN((c->rcv.ato >> 1) + gap, c->rtt.rto_ns);
		else if (gap > c->rtt.rto_ns)
			incr_quickack(c, TCP_MAX_QUICKACKS);
	}
	c->rcv.lrcvtime = now;
	tcp_ecn_data(c, now);
	if (len >= 128)
		tcp_grow_window(c, (uint32_t)len, 0);
}

/* ---- SACK and DSACK to send ---- */

void tcp_dsack_set(struct tcp_conn *c, seq32 start, seq32 end)
{
	if (!c->sack_ok || !c->s->set.tcp_dsack)
		return;
	count(c->s, seq_lt(start, c->rcv.nxt) ? CTR_TcpExtTCPDSACKOldSent : CTR_TcpExtTCPDSACKOfoSent);
	c->rcv.has_dsack = true;
	c->rcv.dsack = (struct tcp_sack_block){ start, end };
}

const struct tcp_ofo tcp_ofo_none;

static bool ofo_make(struct tcp_conn *c)
{
	c->rcv.ofo = calloc(1, sizeof(*c->rcv.ofo));
	return c->rcv.ofo;
}

void tcp_ofo_free(struct tcp_conn *c)
{
	if (!c->rcv.ofo)
		return;
	ranges_free(&c->rcv.ofo->ranges);
	free(c->rcv.ofo);
	c->rcv.ofo = NULL;
}

void tcp_ofo_settle(struct tcp_conn *c)
{
	if (!tcp_ofo(c)->ranges.n)
		tcp_ofo_free(c);
}

/* tcp_sack_new_ofo_skb(): what is held back goes before it is more than an ACK can tell. */
static void sacks_flush(struct tcp_conn *c, const struct range *recent)
{
	unsigned i = 0;

	while (i < tcp_ofo(c)->nsacks && (seq_lt(tcp_ofo(c)->sacks[i].end, recent->start) || seq_gt(tcp_ofo(c)->sacks[i].start, recent->end)))
		i++;
	if (c->rcv.comp_acks && i >= SACK_BLOCKS_EXPECTED) {
		c->rcv.comp_acks--;
		c->rcv.comp_at = XTIME_NEVER;
		tcp_send_ack(c);
	}
}

/* The block that changed last comes first (RFC 2018 4); stale ones leave. */
static void sacks_update(struct tcp_conn *c, const struct range *recent)
{
	struct tcp_ofo *ofo = c->rcv.ofo;
	struct tcp_sack_block old[4];
	unsigned n_old = tcp_ofo(c)->nsacks, n = 0;

	if (!c->sack_ok)
		return;
	for (unsigned i = 0; i < n_old; i++)
		old[i] = tcp_ofo(c)->sacks[i];
	if (recent)
		sacks_flush(c, recent);
	if (!ofo)
		return;
	if (recent)
		ofo->sacks[n++] = (struct tcp_sack_block){ recent->start, recent->end };
	for (unsigned i = 0; i < n_old && n < 4; i++) {
		const struct range *r = ranges_find(&tcp_ofo(c)->ranges, old[i].start);

		if (!r || (recent && r->start == recent->start))
			continue;
		ofo->sacks[n++] = (struct tcp_sack_block){ r->start, r->end };
	}
	ofo->nsacks = (uint8_t)n;
}

/* ---- queueing ---- */

/* A FIN that came early is due as soon as everything before it has come. */
static void check_fin(struct tcp_conn *c, xtime now)
{
	if (!c->rcv.has_fin || c->rcv.fin_seq != c->rcv.nxt)
		return;
	c->rcv.nxt++;
	c->rcv.bytes_received++;   /* tcp_rcv_nxt_update() counts it */
	tcp_fin(c, now);
}

/* Everything up to `end` is there, and what waited behind it is due, too; of a range that
 * ends with a FIN all but that. */
static void advance(struct tcp_conn *c, seq32 end)
{
	const struct range *r = ranges_find(&tcp_ofo(c)->ranges, end);

	if (r)
		end = r->end;
	if (c->rcv.has_fin)
		end = seq_min(end, c->rcv.fin_seq);
	ring_extend(&c->rcv.q, end - c->rcv.nxt);
	c->rcv.bytes_received += end - c->rcv.nxt;
	c->rcv.nxt = end;
	if (c->rcv.ofo)
		ranges_cut_before(&c->rcv.ofo->ranges, end);
	tcp_ofo_settle(c);
}

/* RFC 2883 4: the first part of [start, end) that was there already. */
static void dsack_overlap(struct tcp_conn *c, seq32 start, seq32 end)
{
	const struct ranges *ofo = &tcp_ofo(c)->ranges;

	for (uint32_t i = 0; i < ofo->n && seq_lt(ofo->v[i].start, end); i++) {
		if (seq_le(ofo->v[i].end, start))
			continue;
		tcp_dsack_set(c, seq_max(start, ofo->v[i].start), seq_min(end, ofo->v[i].end));
		return;
	}
}

/* Puts [seq, seq+len) at its place in the ring: 0 or -ENOMEM. */
static int place(struct tcp_conn *c, seq32 seq, const uint8_t *data, size_t len)
{
	size_t off = seq - c->rcv.copied;
	int ret;

	if (tcp_is_placed(c, seq, len))
		return 0;
	ret = ring_reserve(&c->rcv.q, off + len);

	if (ret == 0)
		ring_put(&c->rcv.q, off, data, len);
	return ret;
}

/* Out of memory: the window closes, and what is more than the first is thrown away. */
static bool may_store(struct tcp_conn *c, seq32 seq, size_t len, bool is_gso)
{
	if (tcp_rmem_fits(c, seq, (uint32_t)len, is_gso))
		return true;
	c->rcv.is_nomem = c->rcv.ack_now = c->rcv.ack_scheduled = true;
	c->edges++;
	tcp_report(c);
	if (!c->rcv.q.len || !len)
		return true;
	count(c->s, CTR_TcpExtTCPRcvQDrop);
	return false;
}

static void queue_in_order(struct tcp_conn *c, const struct tcp_hdr *th, const uint8_t *data,
                           size_t len, uint16_t gso_size, xtime now)
{
	seq32 seq = c->rcv.nxt;
	uint32_t stored;
	bool had_holes;

	if (!may_store(c, seq, len, gso_size))
		return;
	had_holes = tcp_ofo(c)->ranges.n > 0;   /* some may just have been thrown away */
	stored = had_holes ? ranges_total(&tcp_ofo(c)->ranges) : 0;
	if (len && place(c, seq, data, len) < 0) {
		count(c->s, CTR_tcp_nomem);
		return;
	}
	if (len) {
		if (had_holes && !c->rcv.has_dsack)
			dsack_overlap(c, seq, seq + (seq32)len);
		stored += c->rcv.q.len;
		advance(c, seq + (seq32)len);
		stored = c->rcv.q.len + (had_holes ? ranges_total(&tcp_ofo(c)->ranges) : 0) - stored;
		if (stored)
			tcp_rmem_charge(c, stored, gso_size);
		c->s->counters[CTR_bytes_in] += len;
		data_event(c, th, len, gso_size, now);
	}
	check_fin(c, now);
	tcp_fast_path_check(c);
	if (had_holes) {
		/* RFC 5681 4.2: at once when a gap is filled. */
		if (!tcp_ofo(c)->ranges.n)
			c->rcv.ack_now = true;
		sacks_update(c, NULL);
	}
	c->edges++;
	tcp_report(c);
}

/* Ranges that [start, end) covers whole: it takes their place. */
static void count_covered(struct tcp_conn *c, seq32 start, seq32 end)
{
	const struct ranges *ofo = &tcp_ofo(c)->ranges;

	for (uint32_t i = 0; i < ofo->n && seq_lt(ofo->v[i].start, end); i++)
		if (seq_le(start, ofo->v[i].start) && seq_le(ofo->v[i].end, end))
			count(c->s, CTR_TcpExtTCPOFOMerge);
}

/* What was stored beyond a gap changes: the window's room and the SACK blocks (the end of
 * tcp_data_queue_ofo()).  Without SACK the window stays, so that the ACK is a duplicate. */
static void out_of_order_stored(struct tcp_conn *c, const struct range *merged, uint32_t was_new, size_t len,
                                bool is_gso)
{
	uint32_t truesize = tcp_rx_truesize((uint32_t)len, is_gso);

	c->s->counters[CTR_bytes_in] += was_new;
	sacks_update(c, merged);
	if (c->sack_ok)
		tcp_grow_window(c, (uint32_t)len, truesize - (uint32_t)len);
	c->rcv.rmem += was_new ? tcp_rx_truesize(was_new, is_gso) : 0;
	if (!c->parent && !c->is_dead)
		tcp_rcvbuf_grow(c, c->rcv.space);
}

/* tcp_data_queue_ofo(): [seq, end) lies beyond a gap; its last number may be a FIN's. */
static void queue_out_of_order(struct tcp_conn *c, const struct tcp_hdr *th, seq32 seq, const uint8_t *data,
                               size_t len, uint16_t gso_size, bool has_fin, xtime now)
{
	seq32 end = seq + (seq32)len + (has_fin ? 1 : 0);
	struct range merged;
	uint32_t was_new = 0;
	int ret;

	tcp_ecn_data(c, now);
	if (!tcp_rmem_fits(c, seq, (uint32_t)len, gso_size)) {
		count(c->s, CTR_TcpExtTCPOFODrop);
		return;
	}
	measure_rcv_mss(c, th, len, gso_size);
	count(c->s, CTR_TcpExtTCPOFOQueue);
	c->rcv.is_predicting = false;
	c->rcv.ack_scheduled = true;
	c->rcv.ooopack += gso_size ? (uint32_t)((len + gso_size - 1) / gso_size) : 1;
	if (ranges_has(&tcp_ofo(c)->ranges, seq, end)) {
		count(c->s, CTR_TcpExtTCPOFOMerge);
		tcp_dsack_set(c, seq, end);
		out_of_order_stored(c, ranges_find(&tcp_ofo(c)->ranges, seq), 0, len, gso_size);
		return;
	}
	if (len && place(c, seq, data, len) < 0) {
		count(c->s, CTR_tcp_nomem);
		return;
	}
	dsack_overlap(c, seq, end);
	count_covered(c, seq, end);
	ret = c->rcv.ofo || ofo_make(c) ? ranges_add(&c->rcv.ofo->ranges, seq, end, TCP_OFO_MAX, &merged, &was_new) : -ENOMEM;
	if (ret < 0) {
		tcp_ofo_settle(c);
		count(c->s, CTR_TcpExtTCPOFODrop);
		count(c->s, ret == -ENOSPC ? CTR_tcp_ofo_limit : CTR_tcp_nomem);
		return;
	}
	out_of_order_stored(c, &merged, was_new, len, gso_size);
}

static void out_of_window(struct tcp_conn *c, enum counter why)
{
	tcp_enter_quickack(c, TCP_MAX_QUICKACKS);
	c->rcv.ack_scheduled = true;
	count(c->s, why);
}

/* RFC 9293 3.10.7.4, "process the segment text" and "check the FIN bit". */
void tcp_data_queue(struct tcp_conn *c, const struct tcp_hdr *th, const uint8_t *data, size_t len,
                    uint16_t gso_size, xtime now)
{
	seq32 seq = th->seq, end = th->seq + (seq32)len;
	seq32 limit = c->rcv.nxt + tcp_receive_window(c);
	bool has_fin = th->flags & TCPF_FIN;

	if (th->flags & TCPF_SYN)   /* of crossed SYNs: the second that we see */
		end++;
	if (seq == end && !has_fin)
		return;
	c->rcv.has_dsack = false;   /* one that no ACK has carried is old news */
	if (seq_le(end + has_fin, c->rcv.nxt)) {
		count(c->s, CTR_TcpExtDelayedACKLost);
		tcp_dsack_set(c, seq, end + has_fin);
		out_of_window(c, CTR_tcp_out_of_window);
		return;
	}
	if (c->rcv.has_fin && seq_lt(c->rcv.fin_seq, c->rcv.nxt)) {
		/* It begins with what is known and goes on behind the FIN, where nothing is. */
		out_of_window(c, CTR_tcp_out_of_window);
		return;
	}
	/* Beyond the window, but for a FIN alone at its edge. */
	if (!seq_lt(seq, limit) && (len || seq != c->rcv.nxt)) {
		if (seq == c->rcv.nxt)
			count(c->s, CTR_TcpExtTCPZeroWindowDrop);
		out_of_window(c, CTR_tcp_rcv_full);
		return;
	}
	/* What crosses the edge gets past tcp_sequence() only when nothing waits to be read. */
	if (has_fin) {
		/* The first of several is the end; where one stands there is no byte. */
		c->rcv.fin_seq = c->rcv.has_fin ? seq_min(c->rcv.fin_seq, end) : end;
		c->rcv.has_fin = true;
	}
	if (seq_gt(seq, c->rcv.nxt)) {
		queue_out_of_order(c, th, seq, data, len, gso_size, has_fin, now);
		return;
	}
	if (seq_lt(seq, c->rcv.nxt)) {
		uint32_t dup = c->rcv.nxt - seq;

		tcp_dsack_set(c, seq, c->rcv.nxt);
		if (limit == c->rcv.nxt) {
			count(c->s, CTR_TcpExtTCPZeroWindowDrop);
			out_of_window(c, CTR_tcp_rcv_full);
			return;
		}
		data += MIN(dup, len);
		len -= MIN(dup, len);
	}
	queue_in_order(c, th, data, len, gso_size, now);
}

/* tcp_cleanup_rbuf(): the program has read `copied` bytes; is that worth an ACK? */
void tcp_cleanup_rbuf(struct tcp_conn *c, size_t copied, xtime now)
{
	bool is_time = false;

	(void)now;
	if (c->state == TCP_CLOSE)
		return;
	if (c->rcv.ack_scheduled &&
	    (c->rcv.nxt - c->rcv.wup > c->rcv.rcv_mss ||
	     (copied && !c->rcv.q.len &&
	      (c->rcv.pushed == 2 || (c->rcv.pushed == 1 && c->rcv.pingpong < c->s->set.tcp_pingpong_thresh)))))
		is_time = true;
	if (copied && !is_time && !(c->shut & SHUT_RCV_BIT)) {
		uint32_t wnd = tcp_receive_window(c);

		if (2 * (uint64_t)wnd <= c->rcv.window_clamp) {
			uint32_t new = tcp_window_free(c);

			is_time = new && new >= 2 * wnd;
		}
	}
	if (is_time)
		tcp_send_ack(c);
}
