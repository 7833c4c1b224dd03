/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_rcvbuf.c - the receive buffer and the window that it gives.
 *
 * Window arithmetic is Linux's, which a peer can see: SO_RCVBUF counts what skbs take up,
 * payload and TCP_SKB_COST each; scaling_ratio says how much of it is payload, one half until
 * the first full segment tells (tcp_measure_rcv_mss); the buffer follows what the program
 * reads in a round trip (tcp_rcv_space_adjust) and the window what has arrived
 * (tcp_grow_window).  Our own memory is the ring, which is bounded by the window; what skbs
 * would take up is counted in rcv.rmem.
 */
#include "tcp_impl.h"

#define SIGNED_WINDOW_MAX 32767u     /* tcp_workaround_signed_windows: MAX_TCP_WINDOW */

#define TCP_TS_LEN 12
#define LINEAR_ROOM 400u           /* headers and skb_shared_info in the block of a linear skb */
#define SHARED_INFO 320u           /* struct skb_shared_info */
#define STRUCT_SK_BUFF 256u
#define PAGE 4096u

uint32_t tcp_win_from_space(const struct tcp_conn *c, uint32_t space)
{
	return (uint32_t)((uint64_t)space * c->rcv.scaling_ratio >> 8);
}

uint32_t tcp_space_from_win(const struct tcp_conn *c, uint32_t win)
{
	return (uint32_t)MIN(((uint64_t)win << 8) / c->rcv.scaling_ratio, (uint64_t)INT32_MAX);
}

static uint32_t full_space(const struct tcp_conn *c)
{
	return tcp_win_from_space(c, c->opt.rcvbuf);
}

/* tcp_select_initial_window(): the SYN's window and the scale that will cover the
 * largest buffer that auto-tuning may give. */
void tcp_select_initial_window(const struct tcp_conn *c, const struct ip_route *rt, uint32_t mss,
                               bool has_wscale, struct tcp_window *w)
{
	const struct settings *set = &c->s->set;
	uint32_t clamp = c->opt.rare->window_clamp ? c->opt.rare->window_clamp : rt->window;
	uint32_t space = full_space(c), top;

	/* A program that asked for less gets no scale for more (tcp_connect_init). */
	if (c->opt.is_rcvbuf_locked && (!clamp || clamp > full_space(c)))
		clamp = full_space(c);
	if (!clamp)
		clamp = 65535u << 14;
	space = MIN(clamp, space);
	if (mss && space > mss)
		space -= space % mss;
	w->wnd = set->tcp_workaround_signed_windows ? MIN(space, SIGNED_WINDOW_MAX) : space;   /* the field of a SYN holds less of it */
	if (rt->initrwnd)
		w->wnd = MIN(w->wnd, rt->initrwnd * mss);
	w->wscale = 0;
	if (has_wscale) {
		top = MAX(space, (uint32_t)set->tcp_rmem_max);
		top = MAX(top, (uint32_t)set->rmem_max);
		top = MIN(top, clamp);
		while (top > 65535 && w->wscale < TCP_WSCALE_MAX) {
			top >>= 1;
			w->wscale++;
		}
	}
	w->clamp = MIN(65535u << w->wscale, clamp);
}

void tcp_init_rcv_window(struct tcp_conn *c)
{
	/* After a TIME-WAIT the peer is known to have timestamps. */
	uint32_t mss = c->advmss - (c->ts_ok || c->ts_recent_stamp ? TCP_TS_LEN : 0);
	struct tcp_window w;

	tcp_select_initial_window(c, &c->rt, mss, c->s->set.tcp_window_scaling, &w);
	c->rcv.wnd = c->rcv.ssthresh = w.wnd;
	c->rcv_wscale = c->syn_wscale = w.wscale;
	c->rcv.window_clamp = w.clamp;
}

/* What the peer believes it may still send. */
uint32_t tcp_receive_window(const struct tcp_conn *c)
{
	int32_t win = (int32_t)(c->rcv.wup + c->rcv.wnd - c->rcv.nxt);

	return win > 0 ? (uint32_t)win : 0;
}

/* tcp_space(): bytes of the window that the buffer still has. */
static uint32_t space_free(const struct tcp_conn *c)
{
	return c->opt.rcvbuf > c->rcv.rmem ? tcp_win_from_space(c, c->opt.rcvbuf - c->rcv.rmem) : 0;
}

/* ---- the window that is advertised ---- */

static uint32_t round_up(uint32_t n, uint32_t unit) { return (n + unit - 1) / unit * unit; }

/* tcp_shrink_window: the window is what there is, whatever was offered. */
static bool may_shrink(const struct tcp_conn *c)
{
	return c->s->set.tcp_shrink_window && c->rcv_wscale;
}

/* tcp_adjust_rcv_ssthresh() */
static void adjust_ssthresh(struct tcp_conn *c)
{
	c->rcv.ssthresh = MIN(c->rcv.ssthresh, 4u * c->advmss);
}

/* __tcp_select_window(): RFC 9293 3.8.6.2.2, receiver's silly window avoidance. */
uint32_t tcp_window_free(struct tcp_conn *c)
{
	uint32_t mss = c->rcv.rcv_mss, unit = 1u << c->rcv_wscale;
	uint32_t free_space = space_free(c), window;
	uint32_t full = MIN(c->rcv.window_clamp, full_space(c));

	mss = MIN(mss, full);
	if (!mss)
		return 0;
	if (may_shrink(c))
		free_space -= free_space % unit;
	if (free_space < full / 2) {
		c->rcv.quick = 0;
		if (tcp_mem_is_short(c->s))
			adjust_ssthresh(c);
		free_space -= free_space % unit;
		if (free_space < full_space(c) / 16 || free_space < mss || (may_shrink(c) && free_space < unit))
			return 0;
	}
	free_space = MIN(free_space, c->rcv.ssthresh);
	if (c->rcv_wscale)
		return round_up(free_space, unit);
	window = c->rcv.wnd;
	if (window + mss <= free_space || window > free_space)
		window = free_space - free_space % mss;
	else if (mss == full && free_space > window + full / 2)
		window = free_space;
	return window;
}

/* tcp_select_window(): the new advertised window; never shrinks what was offered. */
uint32_t tcp_select_window(struct tcp_conn *c)
{
	uint32_t cur = tcp_receive_window(c), old = c->rcv.wnd;
	uint32_t new = c->rcv.is_nomem ? 0 : tcp_window_free(c);

	if (new < cur && !new)
		count(c->s, CTR_TcpExtTCPWantZeroWindowAdv);
	/* What fills the buffer lies behind a gap, which nothing but the peer can close. */
	if (may_shrink(c) && !c->rcv.q.len && tcp_ofo(c)->ranges.n)
		new = MAX(new, round_up(tcp_ofo(c)->ranges.v[0].start - c->rcv.nxt, 1u << c->rcv_wscale));
	if (new < cur && !may_shrink(c) && !c->rcv.is_nomem)
		new = round_up(cur, 1u << c->rcv_wscale);   /* RFC 9293 3.8.6: don't take it back */
	c->rcv.wnd = new;
	c->rcv.wup = c->rcv.nxt;
	if (!new && old)
		count(c->s, CTR_TcpExtTCPToZeroWindowAdv);
	else if (new && !old)
		count(c->s, CTR_TcpExtTCPFromZeroWindowAdv);
	if (!c->rcv_wscale && c->s->set.tcp_workaround_signed_windows)
		return MIN(new, SIGNED_WINDOW_MAX);
	return MIN(new, 65535u << c->rcv_wscale) >> c->rcv_wscale;
}

/* tcp_set_window_clamp() */
void tcp_set_window_clamp(struct tcp_conn *c, uint32_t clamp)
{
	clamp = MAX(clamp, TCP_WINDOW_CLAMP_MIN);
	if (clamp < c->rcv.window_clamp)
		c->rcv.ssthresh = MIN(c->rcv.ssthresh, clamp);
	else if (clamp > c->rcv.window_clamp)
		c->rcv.ssthresh = MAX(c->rcv.ssthresh, MIN(c->rcv.wnd, clamp));
	c->rcv.window_clamp = clamp;
}

/* ---- what the skbs take up ---- */

static uint32_t stored_bytes(const struct tcp_conn *c)
{
	return c->rcv.q.len + (tcp_ofo(c)->ranges.n ? ranges_total(&tcp_ofo(c)->ranges) : 0);
}

/* The block that kmalloc() gives for so many bytes. */
static uint32_t block_for(uint32_t n)
{
	uint32_t size = 512;

	while (size < n)
		size *= 2;
	return size;
}

uint32_t tcp_rx_truesize(uint32_t len, bool is_gso)
{
	/* A merged one has its payload in pages. */
	return is_gso ? len + TCP_SKB_COST : block_for(len + LINEAR_ROOM) + STRUCT_SK_BUFF;
}

/* An skb is queued in order; what fits into the block of the one before goes there (tcp_try_coalesce()). */
void tcp_rmem_charge(struct tcp_conn *c, uint32_t len, bool is_gso)
{
	if (!is_gso && c->rcv.q.len > len && len <= c->rcv.tailroom) {
		c->rcv.tailroom = (uint16_t)(c->rcv.tailroom - len);
		return;
	}
	c->rcv.rmem += tcp_rx_truesize(len, is_gso);
	c->rcv.tailroom = is_gso ? 0 : (uint16_t)(block_for(len + LINEAR_ROOM) - LINEAR_ROOM - len);
}

/* n bytes have been read or thrown away; what is left keeps its share. */
void tcp_rmem_uncharge(struct tcp_conn *c, uint32_t n)
{
	uint32_t left = stored_bytes(c);

	c->rcv.rmem = left ? (uint32_t)((uint64_t)c->rcv.rmem * left / ((uint64_t)left + n)) : 0;
}

/* What n adjacent bytes take up once tcp_collapse() has put them together, a page at a time. */
static uint32_t collapsed(uint32_t n)
{
	uint32_t whole = n / (PAGE - SHARED_INFO), rest = n % (PAGE - SHARED_INFO);

	return whole * (PAGE + STRUCT_SK_BUFF) + (rest ? block_for(rest + SHARED_INFO) + STRUCT_SK_BUFF : 0);
}

/* tcp_collapse_ofo_queue(), tcp_collapse() */
static void collapse(struct tcp_conn *c)
{
	uint32_t tight = collapsed(c->rcv.q.len);

	for (uint32_t i = 0; i < tcp_ofo(c)->ranges.n && tight < c->rcv.rmem; i++)
		tight += collapsed(tcp_ofo(c)->ranges.v[i].end - tcp_ofo(c)->ranges.v[i].start);
	if (tight >= c->rcv.rmem)
		return;
	count(c->s, CTR_TcpExtTCPRcvCollapsed);
	c->rcv.rmem = tight;
}

/* tcp_clamp_window(): the peer overran us; the buffer grows to what is there, if it may. */
static void clamp_window(struct tcp_conn *c)
{
	uint32_t most = (uint32_t)c->s->set.tcp_rmem_max;

	c->rcv.quick = 0;
	if (c->opt.rcvbuf < most && !c->opt.is_rcvbuf_locked && tcp_mem_may_expand(c->s))
		c->opt.rcvbuf = MIN(c->rcv.rmem, most);
	if (c->rcv.rmem > c->opt.rcvbuf)
		c->rcv.ssthresh = MIN(c->rcv.window_clamp, 2u * c->advmss);
}

/* Cuts the farthest bytes beyond seq that take up so much of the buffer, at least a segment of them. */
static void cut_last(struct tcp_conn *c, seq32 seq, uint32_t truesize, uint32_t *stored)
{
	const struct range *r = &tcp_ofo(c)->ranges.v[tcp_ofo(c)->ranges.n - 1];
	uint64_t n = (uint64_t)truesize * *stored / MAX(c->rcv.rmem, 1u);
	seq32 from = seq_max(seq, r->end - (uint32_t)MIN(MAX(n, c->advmss), (uint64_t)(r->end - r->start)));

	n = r->end - from;
	if (c->rcv.has_fin && seq_le(from, c->rcv.fin_seq))
		c->rcv.has_fin = false;
	ranges_cut_from(&c->rcv.ofo->ranges, from);
	c->rcv.rmem = (uint32_t)((uint64_t)c->rcv.rmem * (*stored - n) / MAX(*stored, 1u));
	*stored -= (uint32_t)n;
}

/* tcp_prune_ofo_queue(): what came out of order goes, the farthest first, an eighth of the buffer
 * at a time; nothing that lies before seq. */
static bool prune_ofo(struct tcp_conn *c, seq32 seq)
{
	const struct ranges *ofo = &tcp_ofo(c)->ranges;
	uint32_t stored = stored_bytes(c), enough;

	if (!ofo->n || !seq_gt(ofo->v[ofo->n - 1].end, seq))
		return false;
	do {
		enough = c->rcv.rmem - MIN(c->rcv.rmem, c->opt.rcvbuf / 8);
		do
			cut_last(c, seq, c->rcv.rmem - enough, &stored);
		while (ofo->n && seq_gt(ofo->v[ofo->n - 1].end, seq) && c->rcv.rmem > enough);
	} while (ofo->n && seq_gt(ofo->v[ofo->n - 1].end, seq) && c->rcv.rmem > c->opt.rcvbuf);
	count(c->s, CTR_TcpExtOfoPruned);
	c->rcv.ofo->nsacks = 0;   /* RFC 2018 8: what was told is taken back */
	tcp_ofo_settle(c);
	tcp_mem_charge(c);
	return true;
}

/* tcp_prune_queue(), as far as the socket's own buffer is concerned. */
static bool prune(struct tcp_conn *c, seq32 seq)
{
	if (!c->rcv.rmem)
		return false;
	count(c->s, CTR_TcpExtPruneCalled);
	if (c->rcv.rmem >= c->opt.rcvbuf)
		clamp_window(c);
	else if (tcp_mem_is_short(c->s))
		adjust_ssthresh(c);
	if (c->rcv.rmem <= c->opt.rcvbuf)
		return true;
	collapse(c);
	if (c->rcv.rmem <= c->opt.rcvbuf)
		return true;
	prune_ofo(c, seq);
	if (c->rcv.rmem <= c->opt.rcvbuf)
		return true;
	count(c->s, CTR_TcpExtRcvPruned);
	return false;
}

/* tcp_try_rmem_schedule() */
bool tcp_rmem_fits(struct tcp_conn *c, seq32 seq, uint32_t len, bool is_gso)
{
	if (c->rcv.rmem <= c->opt.rcvbuf && tcp_mem_may_receive(c, seq, len, is_gso))
		return true;
	if (!prune(c, seq))
		return false;
	while (!tcp_mem_may_receive(c, seq, len, is_gso))
		if (!prune_ofo(c, seq))
			return false;
	return true;
}

/* ---- the round trip as the receiver sees it ---- */

static void rcv_rtt_update(struct tcp_conn *c, xtime sample, bool is_window)
{
	sample = MAX(sample, 1);
	if (!c->rcv.rtt_ns || sample < c->rcv.rtt_ns)
		c->rcv.rtt_ns = sample;
	else if (!is_window && c->rcv.nxt == c->rcv.copied)   /* a full queue is no long path */
		c->rcv.rtt_ns += (sample - c->rcv.rtt_ns) / 8;
}

/* tcp_rcv_rtt_measure_ts(): what our timestamp took to come back; called before the segment of
 * len sequence numbers is queued. */
void tcp_rcv_rtt_measure_ts(struct tcp_conn *c, uint32_t len, xtime now)
{
	uint32_t ms = tcp_ts_now(c, now) - c->rcv_tsecr;

	if (!c->saw_ts || !c->rcv_tsecr || c->rcv_tsecr == c->rcv.rtt_last_tsecr)
		return;
	c->rcv.rtt_last_tsecr = c->rcv_tsecr;
	if (len >= c->rcv.rcv_mss && ms && ms < 1u << 20)
		rcv_rtt_update(c, (xtime)ms * XTIME_MSEC, false);
}

/* tcp_rcv_rtt_measure(): a window full takes a round trip at least. */
void tcp_rcv_rtt_measure(struct tcp_conn *c, xtime now)
{
	if (c->rcv.rtt_time && seq_lt(c->rcv.nxt, c->rcv.rtt_seq))
		return;
	if (c->rcv.rtt_time)
		rcv_rtt_update(c, now - c->rcv.rtt_time, true);
	c->rcv.rtt_seq = c->rcv.nxt + c->rcv.wnd;
	c->rcv.rtt_time = now;
}

/* ---- auto-tuning ---- */

/* How much of an skb is payload, told by one with a larger segment than any before. */
void tcp_measure_ratio(struct tcp_conn *c, uint32_t len, uint32_t truesize)
{
	uint8_t old = c->rcv.scaling_ratio;

	c->rcv.scaling_ratio = (uint8_t)MAX(((uint64_t)len << 8) / truesize, 1u);
	if (old == c->rcv.scaling_ratio)
		return;
	tcp_set_window_clamp(c, full_space(c));
	c->rcv.space = MIN(c->rcv.space, c->rcv.window_clamp);
}

/* __tcp_grow_window(): an skb that costs more than the ratio says opens the window
 * while that is still small. */
static uint32_t cautious_step(const struct tcp_conn *c, uint32_t truesize, uint32_t len)
{
	uint32_t window = tcp_win_from_space(c, (uint32_t)c->s->set.tcp_rmem_max) / 2;

	truesize = tcp_win_from_space(c, truesize) / 2;
	while (c->rcv.ssthresh <= window) {
		if (truesize <= len)
			return 2u * c->rcv.rcv_mss;
		truesize /= 2;
		window /= 2;
	}
	return 0;
}

/* tcp_grow_window(): the advertised window opens as data comes; `cost`: of the skb
 * beside its payload. */
void tcp_grow_window(struct tcp_conn *c, uint32_t len, uint32_t cost)
{
	int64_t room = (int64_t)MIN(c->rcv.window_clamp, space_free(c)) - c->rcv.ssthresh;
	uint32_t step = 2u * c->advmss;

	if (room <= 0)
		return;
	if (tcp_mem_is_short(c->s)) {
		adjust_ssthresh(c);
		return;
	}
	if (tcp_win_from_space(c, len + cost) > len)
		step = cautious_step(c, len + cost, len);
	if (!step)
		return;
	c->rcv.ssthresh += (uint32_t)MIN(room, (int64_t)MAX(step, 2 * len));
	c->rcv.quick |= 1;   /* the peer shall learn of it */
}

/* tcp_rcvbuf_grow(): room for what is read in a round trip, which is known one late, and for
 * a sender that doubles its rate. */
void tcp_rcvbuf_grow(struct tcp_conn *c, uint32_t new)
{
	uint32_t old = c->rcv.space;
	uint64_t win = 2 * (uint64_t)new, space;

	c->rcv.space = new;
	if (!c->s->set.tcp_moderate_rcvbuf || c->opt.is_rcvbuf_locked)
		return;
	win += 2 * (win * (new - old) / MAX(old, 1u));
	if (tcp_ofo(c)->ranges.n)
		win += tcp_ofo(c)->ranges.v[tcp_ofo(c)->ranges.n - 1].end - c->rcv.nxt;
	space = MIN(tcp_space_from_win(c, (uint32_t)MIN(win, (uint64_t)UINT32_MAX)),
	            (uint32_t)c->s->set.tcp_rmem_max);
	if (space > c->opt.rcvbuf) {
		c->opt.rcvbuf = (uint32_t)space;
		c->rcv.window_clamp = full_space(c);
	}
}

/* tcp_rcv_space_adjust() */
void tcp_rcv_space_adjust(struct tcp_conn *c, xtime now)
{
	int64_t copied;

	if (!c->rcv.rtt_ns || now - c->rcv.space_time < c->rcv.rtt_ns)
		return;
	copied = (int64_t)(c->rcv.copied - c->rcv.space_seq) - (c->rcv.nxt - c->rcv.copied);
	if (copied > (int64_t)c->rcv.space)
		tcp_rcvbuf_grow(c, (uint32_t)copied);
	c->rcv.space_seq = c->rcv.copied;
	c->rcv.space_time = now;
}
