/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_mss.c - sizes: segments, windows and buffers.
 *
 * Window arithmetic is Linux's (tcp_select_initial_window, __tcp_select_window,
 * tcp_rcv_space_adjust): a receive buffer of n bytes gives a window of n / 2,
 * which a peer and a program reading SO_RCVBUF can both see.  Our own memory
 * is bounded by the window, since payload alone is stored.
 */
#include "tcp_metrics.h"

#include <errno.h>

#define IP_TCP_HDR (IP_LEN_MIN + TCP_LEN_MIN)
#define TCP_TS_LEN 12
/* tcp_init_buffer_space(), tcp_sndbuf_expand(): Linux's cost of one segment's skb. */
#define SKB_OVERHEAD 256
#define SKB_HEADROOM (256 + 320)   /* MAX_TCP_HEADER, struct skb_shared_info */

/* tcp_adv_win_scale of old, scaling_ratio 1/2 of today. */
uint32_t tcp_win_from_space(uint32_t space) { return space / 2; }
static uint32_t space_from_win(uint32_t win) { return MIN(win, (uint32_t)INT32_MAX / 2) * 2; }

/* What fits, with the peer's limit, before any TCP option. */
uint32_t tcp_mtu_to_mss(const struct tcp_conn *c, uint32_t pmtu)
{
	uint32_t hdr = IP_TCP_HDR + c->opt.ip_opts.len;
	uint32_t mss = pmtu > hdr ? pmtu - hdr : 0;

	mss = MIN(mss, c->peer_mss);
	mss = MAX(mss, (uint32_t)c->s->set.tcp_min_snd_mss);
	/* Options that every segment carries, or may come to carry, count against the MSS. */
	return c->ts_ok || c->ts_asked ? mss - TCP_TS_LEN : mss;
}

uint32_t tcp_mss_to_mtu(const struct tcp_conn *c, uint32_t mss)
{
	return mss + IP_TCP_HDR + c->opt.ip_opts.len + (c->ts_ok || c->ts_asked ? TCP_TS_LEN : 0);
}

/* tcp_bound_to_half_wnd(): a tiny window must still hold two segments. */
static uint32_t bound_to_half_wnd(const struct tcp_conn *c, uint32_t mss)
{
	uint32_t max_wnd = c->snd.max_wnd;
	uint32_t cut = max_wnd > TCP_MSS_DEFAULT ? max_wnd / 2 : max_wnd;

	if (cut && mss > cut)
		return MAX(cut, 68u - IP_TCP_HDR);
	return mss;
}

uint32_t tcp_sync_mss(struct tcp_conn *c, uint32_t pmtu)
{
	uint32_t mss;

	c->mtup.search_high = MIN(c->mtup.search_high, pmtu);
	c->pmtu = pmtu;
	mss = bound_to_half_wnd(c, tcp_mtu_to_mss(c, pmtu));
	if (c->mtup.is_on)
		mss = MIN(mss, tcp_mtu_to_mss(c, c->mtup.search_low));
	c->snd.mss_cache = mss;
	return mss;
}

/* tcp_current_mss(): payload bytes of a segment that leaves now. */
uint32_t tcp_current_mss(struct tcp_conn *c, xtime now)
{
	uint32_t mss, sack_len = 0;
	unsigned nblocks = c->rcv.nsacks + (c->rcv.has_dsack ? 1 : 0);
	ip4 dst = c->opt.ip_opts.srr ? c->opt.ip_opts.first_hop : c->ent.t.raddr;

	if (c->has_route) {
		uint32_t mtu = ip_mtu(c->s, &c->rt, dst, now);

		if (mtu != c->pmtu && !(c->snd.is_mss_kept && mtu > c->pmtu))
			tcp_sync_mss(c, mtu);
	}
	mss = c->snd.mss_cache;
	if (c->sack_ok && nblocks)
		sack_len = 4 + 8 * MIN(nblocks, c->ts_ok ? 3u : 4u);
	return mss > sack_len ? mss - sack_len : mss;
}

/* tcp_advertise_mss() / ipv4_default_advmss(): by the MTU of the path to dst. */
uint16_t tcp_route_advmss(const struct tcp_conn *c, const struct ip_route *rt, ip4 dst, xtime now)
{
	uint32_t mtu = ip_mtu(c->s, rt, dst, now);
	uint32_t adv = rt->advmss;

	if (!adv) {
		adv = mtu > IP_TCP_HDR ? mtu - IP_TCP_HDR : 0;
		adv = MAX(adv, (uint32_t)c->s->set.min_adv_mss);
	}
	adv = MIN(adv, 65535u - IP_TCP_HDR);
	if (c->opt.user_mss)
		adv = MIN(adv, c->opt.user_mss);
	return (uint16_t)adv;
}

uint16_t tcp_advertised_mss(const struct tcp_conn *c, xtime now)
{
	ip4 dst = c->opt.ip_opts.srr ? c->opt.ip_opts.first_hop : c->ent.t.raddr;

	return tcp_route_advmss(c, &c->rt, dst, now);
}

static uint32_t full_space(const struct tcp_conn *c)
{
	return tcp_win_from_space(c->opt.rcvbuf);
}

/* tcp_select_initial_window(): the SYN's window and the scale that will cover the
 * largest buffer that auto-tuning may give. */
void tcp_select_initial_window(const struct tcp_conn *c, const struct ip_route *rt, uint32_t mss,
                               bool has_wscale, struct tcp_window *w)
{
	const struct settings *set = &c->s->set;
	uint32_t clamp = c->opt.window_clamp ? c->opt.window_clamp : rt->window;
	uint32_t space = full_space(c), top;

	/* A program that asked for less gets no scale for more (tcp_connect_init). */
	if (c->opt.is_rcvbuf_locked && (!clamp || clamp > full_space(c)))
		clamp = full_space(c);
	if (!clamp)
		clamp = 65535u << 14;
	space = MIN(clamp, space);
	if (mss && space > mss)
		space -= space % mss;
	w->wnd = MIN(space, 65535u);
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
	c->rcv_wscale = w.wscale;
	c->rcv.window_clamp = w.clamp;
}

/* What the peer believes it may still send. */
uint32_t tcp_receive_window(const struct tcp_conn *c)
{
	int32_t win = (int32_t)(c->rcv.wup + c->rcv.wnd - c->rcv.nxt);

	return win > 0 ? (uint32_t)win : 0;
}

/* Bytes of the receive buffer that are free. */
static uint32_t space_free(const struct tcp_conn *c)
{
	uint32_t used = c->rcv.q.len + ranges_total(&c->rcv.ofo);
	uint32_t full = full_space(c);

	return full > used ? full - used : 0;
}

/* __tcp_select_window(): RFC 9293 3.8.6.2.2, receiver's silly window avoidance. */
uint32_t tcp_window_free(const struct tcp_conn *c)
{
	uint32_t mss = c->rcv.rcv_mss;
	uint32_t free_space = space_free(c);
	uint32_t full = MIN(c->rcv.window_clamp, full_space(c));
	uint32_t window;

	if (mss > full) {
		mss = full;
		if (!mss)
			return 0;
	}
	if (free_space < full / 2) {
		free_space -= free_space % (1u << c->rcv_wscale);
		if (free_space < full_space(c) / 16 || free_space < mss)
			return 0;
	}
	free_space = MIN(free_space, c->rcv.ssthresh);
	if (c->rcv_wscale) {
		uint32_t unit = 1u << c->rcv_wscale;

		window = (free_space + unit - 1) / unit * unit;
	} else {
		window = c->rcv.wnd;
		if (window + mss <= free_space || window > free_space)
			window = free_space - free_space % mss;
		else if (mss == full && free_space > window + full / 2)
			window = free_space;
	}
	return window;
}

/* tcp_select_window(): the new advertised window; never shrinks what was offered. */
uint32_t tcp_select_window(struct tcp_conn *c)
{
	uint32_t cur = tcp_receive_window(c);
	uint32_t unit = 1u << c->rcv_wscale;
	uint32_t new = tcp_window_free(c), old = c->rcv.wnd;

	if (new < cur && !new)
		count(c->s, CTR_TcpExtTCPWantZeroWindowAdv);
	if (new < cur)
		new = (cur + unit - 1) / unit * unit;   /* RFC 9293 3.8.6: don't take it back */
	c->rcv.wnd = new;
	c->rcv.wup = c->rcv.nxt;
	if (!new && old)
		count(c->s, CTR_TcpExtTCPToZeroWindowAdv);
	else if (new && !old)
		count(c->s, CTR_TcpExtTCPFromZeroWindowAdv);
	if (c->rcv_wscale == 0)
		return MIN(new, 65535u);
	return MIN(new, 65535u << c->rcv_wscale) >> c->rcv_wscale;
}

static uint32_t pow2_roundup(uint32_t v)
{
	uint32_t p = 1;

	while (p < v)
		p <<= 1;
	return p;
}

/* tcp_sndbuf_expand(): room for two congestion windows (or what the algorithm asks for) as Linux accounts them. */
void tcp_sndbuf_expand(struct tcp_conn *c)
{
	uint32_t mss = MAX(c->peer_mss, c->snd.mss_cache);
	uint64_t per = pow2_roundup(mss + SKB_HEADROOM) + SKB_OVERHEAD;
	uint32_t nr = MAX(MAX(TCP_INIT_CWND, c->cc.cwnd), c->loss.reordering + 1);
	uint64_t want = (c->cc.ops->sndbuf_windows ? c->cc.ops->sndbuf_windows : 2) * (uint64_t)nr * per;

	if (want > c->opt.sndbuf && !c->opt.is_sndbuf_locked)
		c->opt.sndbuf = (uint32_t)MIN(want, (uint64_t)c->s->set.tcp_wmem_max);
}

/* tcp_init_buffer_space(), at the end of the handshake. */
void tcp_init_buffers(struct tcp_conn *c, xtime now)
{
	uint32_t max_win;

	if (!c->opt.is_sndbuf_locked)
		tcp_sndbuf_expand(c);
	c->rcv.space = MIN(c->rcv.wnd, (uint32_t)TCP_INIT_CWND * c->advmss);
	c->rcv.space_time = now;
	c->rcv.space_seq = c->rcv.copied;
	max_win = full_space(c);
	if (c->rcv.window_clamp >= max_win)
		c->rcv.window_clamp = max_win;
	/* One segment is held back. */
	if (c->s->set.tcp_app_win && c->rcv.window_clamp > 2u * c->advmss &&
	    c->rcv.window_clamp + c->advmss > max_win)
		c->rcv.window_clamp = MAX(2u * c->advmss, max_win - MIN(max_win, (uint32_t)c->advmss));
	c->rcv.ssthresh = MIN(c->rcv.ssthresh, c->rcv.window_clamp);
}

void tcp_init_rcv_mss(struct tcp_conn *c)
{
	uint32_t hint = MIN(MIN((uint32_t)c->advmss, c->snd.mss_cache), MIN(c->rcv.wnd / 2, (uint32_t)TCP_MSS_DEFAULT));

	c->rcv.rcv_mss = (uint16_t)MAX(hint, (uint32_t)TCP_MSS_LEAST);
}

/* tcp_init_transfer(): what a connection starts with once it is established. */
void tcp_init_metrics(struct tcp_conn *c, xtime now)
{
	uint32_t init = c->rt.initcwnd ? c->rt.initcwnd : TCP_INIT_CWND;

	tcp_metrics_apply(c, now);
	/* RFC 5681 3.1 as tcp_init_transfer(): more than one, and needed. */
	if (c->snd.total_retrans > 1 && c->loss.undo_on)
		c->cc.cwnd = 1;
	else
		c->cc.cwnd = MIN(init, c->cc.cwnd_clamp);
	c->cc.cwnd_stamp = now;
	tcp_mtup_init(c, now);   /* the MSS follows with the next change of the path's MTU */
	tcp_init_buffers(c, now);
	cc_start(c, now);
}

/* tcp_rcv_space_adjust(): the buffer follows what the program reads in an RTT. */
void tcp_rcv_space_adjust(struct tcp_conn *c, xtime now)
{
	uint32_t copied = c->rcv.copied - c->rcv.space_seq;
	uint64_t rcvwin, grow;

	if (!c->rcv.rtt_ns || now - c->rcv.space_time < c->rcv.rtt_ns)
		return;
	if (copied > c->rcv.space && c->s->set.tcp_moderate_rcvbuf && !c->opt.is_rcvbuf_locked) {
		rcvwin = 2 * (uint64_t)copied + 16u * c->advmss;
		grow = rcvwin * (copied - c->rcv.space) / MAX(c->rcv.space, 1u);
		rcvwin += grow * 2;
		rcvwin = MIN(rcvwin, (uint64_t)tcp_win_from_space((uint32_t)c->s->set.tcp_rmem_max));
		if (space_from_win((uint32_t)rcvwin) > c->opt.rcvbuf) {
			c->opt.rcvbuf = space_from_win((uint32_t)rcvwin);
			c->rcv.window_clamp = MAX(c->rcv.window_clamp, full_space(c));
			c->rcv.ssthresh = MAX(c->rcv.ssthresh, (uint32_t)MIN(rcvwin, UINT32_MAX));
			c->rcv.ssthresh = MIN(c->rcv.ssthresh, c->rcv.window_clamp);
		}
	}
	if (copied > c->rcv.space)
		c->rcv.space = copied;
	c->rcv.space_seq = c->rcv.copied;
	c->rcv.space_time = now;
}
