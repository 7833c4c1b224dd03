/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_mss.c - sizes: segments, the send buffer, and what a connection starts with.
 */
#include "tcp_metrics.h"

#include <errno.h>

#define IP_TCP_HDR (IP_LEN_MIN + TCP_LEN_MIN)
#define TCP_TS_LEN 12
/* tcp_init_buffer_space(), tcp_sndbuf_expand(): Linux's cost of one segment's skb. */
#define SKB_OVERHEAD 256
#define SKB_HEADROOM (256 + 320)   /* MAX_TCP_HEADER, struct skb_shared_info */

/* What fits, with the peer's limit, before any TCP option. */
uint32_t tcp_mtu_to_mss(const struct tcp_conn *c, uint32_t pmtu)
{
	uint32_t hdr = IP_TCP_HDR + c->opt.rare->ip_opts.len;
	uint32_t mss = pmtu > hdr ? pmtu - hdr : 0;

	mss = MIN(mss, c->peer_mss);
	mss = MAX(mss, (uint32_t)c->s->set.tcp_min_snd_mss);
	/* Options that every segment carries, or may come to carry, count against the MSS. */
	return c->ts_ok || c->ts_asked ? mss - TCP_TS_LEN : mss;
}

uint32_t tcp_mss_to_mtu(const struct tcp_conn *c, uint32_t mss)
{
	return mss + IP_TCP_HDR + c->opt.rare->ip_opts.len + (c->ts_ok || c->ts_asked ? TCP_TS_LEN : 0);
}

/* tcp_bound_to_half_wnd(): a tiny window must still hold two segments. */
static uint32_t bound_to_half_wnd(const struct tcp_conn *c, uint32_t mss)
{
	uint32_t max_wnd = c->snd.max_wnd;
	uint32_t cut = max_wnd > TCP_MSS_DEFAULT ? max_wnd / 2 : max_wnd;

	if (cut && mss > cut)
		return MAX(cut, 68u - TCP_LEN_MIN - (c->ts_ok || c->ts_asked ? TCP_TS_LEN : 0));
	return mss;
}

uint32_t tcp_sync_mss(struct tcp_conn *c, uint32_t pmtu)
{
	uint32_t mss;

	if (c->mtup)
		c->mtup->search_high = MIN(c->mtup->search_high, pmtu);
	c->pmtu = pmtu;
	mss = bound_to_half_wnd(c, tcp_mtu_to_mss(c, pmtu));
	if (c->mtup && c->mtup->is_on)
		mss = MIN(mss, tcp_mtu_to_mss(c, c->mtup->search_low));
	c->snd.mss_cache = mss;
	return mss;
}

/* tcp_current_mss(): payload bytes of a segment that leaves now. */
uint32_t tcp_current_mss(struct tcp_conn *c, xtime now)
{
	uint32_t mss, sack_len = 0;
	unsigned nblocks = tcp_ofo(c)->nsacks + (c->rcv.has_dsack ? 1 : 0);
	ip4 dst = tcp_first_hop(c);

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
	ip4 dst = tcp_first_hop(c);

	return tcp_route_advmss(c, &c->rt, dst, now);
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
	uint32_t max_win = tcp_win_from_space(c, c->opt.rcvbuf);

	if (!c->opt.is_sndbuf_locked)
		tcp_sndbuf_expand(c);
	c->rcv.space_time = now;
	c->rcv.space_seq = c->rcv.copied;
	if (c->rcv.window_clamp >= max_win)
		c->rcv.window_clamp = max_win;
	/* One segment is held back. */
	if (c->s->set.tcp_app_win && c->rcv.window_clamp > 2u * c->advmss &&
	    c->rcv.window_clamp + c->advmss > max_win)
		c->rcv.window_clamp = MAX(2u * c->advmss, max_win - MIN(max_win, (uint32_t)c->advmss));
	c->rcv.ssthresh = MIN(c->rcv.ssthresh, c->rcv.window_clamp);
	c->rcv.space = MIN(MIN(c->rcv.ssthresh, c->rcv.wnd), (uint32_t)TCP_INIT_CWND * c->advmss);
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
