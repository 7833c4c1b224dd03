/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_cookie.c - SYN cookies (RFC 4987 3.6): the answer to a SYN remembers for us.
 *
 * The initial sequence number is a keyed sum of the tuple, the peer's own number, the
 * minute and an index of its MSS, put together as Linux does:
 *
 *      hash(tuple) + irs + (minute << 24) + ((hash(tuple, minute) + mss index) mod 2^24)
 *
 * An ACK proves that its sender saw that, no longer than two minutes ago.  What
 * does not fit travels in the lowest bits of our timestamp and comes back in its echo;
 * a peer without timestamps gets no options.  Both hashes have keys of their own.
 */
#include "tcp_listen.h"

#define COOKIE_BITS 24
#define COOKIE_MASK ((UINT32_C(1) << COOKIE_BITS) - 1)
#define COOKIE_PERIOD (60 * XTIME_SEC)
#define COOKIE_AGE_MAX 2u         /* periods */

/* The echoed bits: the scale, 15 for none; SACK; ECN. */
#define TS_BITS 6
#define TS_WSCALE 0xfu
#define TS_SACK 0x10u
#define TS_ECN 0x20u

static const uint16_t mss_of[] = { 536, 1300, 1440, 1460 };

static uint32_t cookie_count(xtime now)
{
	return (uint32_t)(now / COOKIE_PERIOD);
}

static uint32_t tuple_hash(const struct stack *s, const struct tuple *t)
{
	return (uint32_t)siphash_2u64(&s->key_cookie[0], (uint64_t)t->laddr << 32 | t->raddr,
	                              (uint64_t)t->lport << 16 | t->rport);
}

static uint32_t minute_hash(const struct stack *s, const struct tuple *t, uint32_t minute)
{
	return (uint32_t)siphash_2u64(&s->key_cookie[1], (uint64_t)t->laddr << 32 | t->raddr,
	                              (uint64_t)minute << 32 | (uint32_t)t->lport << 16 | t->rport);
}

seq32 tcp_cookie_make(struct tcp_req *r, seq32 irs, xtime now)
{
	uint32_t minute = cookie_count(now), i = ARRAY_LEN(mss_of) - 1;

	while (i && mss_of[i] > r->peer_mss)
		i--;
	r->peer_mss = mss_of[i];
	return tuple_hash(r->s, &r->ent.t) + irs + (minute << COOKIE_BITS) +
	       ((minute_hash(r->s, &r->ent.t, minute) + i) & COOKIE_MASK);
}

/* check_tcp_syn_cookie(): the MSS, 0: not one of ours, or too old. */
static uint16_t cookie_check(const struct stack *s, const struct tuple *t, seq32 cookie, seq32 irs, xtime now)
{
	uint32_t minute = cookie_count(now);
	uint32_t rest = cookie - tuple_hash(s, t) - irs;
	uint32_t age = (minute - (rest >> COOKIE_BITS)) & (UINT32_MAX >> COOKIE_BITS);
	uint32_t i;

	if (age >= COOKIE_AGE_MAX)
		return 0;
	i = (rest - minute_hash(s, t, minute - age)) & COOKIE_MASK;
	return i < ARRAY_LEN(mss_of) ? mss_of[i] : 0;
}

/* cookie_init_timestamp(): never ahead of the clock. */
uint32_t tcp_cookie_ts(const struct tcp_req *r, xtime now)
{
	uint32_t clock = xtime_ms(now);
	uint32_t bits = (r->wscale_ok ? r->snd_wscale : TS_WSCALE) | (r->sack_ok ? TS_SACK : 0) |
	                (r->ecn_ok ? TS_ECN : 0);
	uint32_t ts = (clock >> TS_BITS << TS_BITS) | bits;

	if (ts > clock)
		ts -= 1u << TS_BITS;
	return ts + r->ts_offset;
}

/* cookie_timestamp_decode(): what the echo says of the options; false: it can't be true. */
static bool take_echo(struct tcp_req *r, const struct tcp_hdr *th)
{
	const struct settings *set = &r->s->set;
	uint32_t bits;

	if (!th->has_ts)
		return true;
	if (!set->tcp_timestamps)
		return false;
	r->ts_ok = true;
	r->ts_recent = th->tsval;
	r->ts_offset = tcp_ts_offset(r->s, &r->ent.t);
	bits = th->tsecr ? th->tsecr - r->ts_offset : 0;
	r->sack_ok = bits & TS_SACK;
	r->ecn_ok = bits & TS_ECN && (set->tcp_ecn || r->l->cc.ops->needs_ecn);
	if (r->sack_ok && !set->tcp_sack)
		return false;
	if ((bits & TS_WSCALE) == TS_WSCALE)
		return true;
	r->wscale_ok = true;
	r->snd_wscale = bits & TS_WSCALE;
	return set->tcp_window_scaling;
}

/* tcp_synq_no_recent_overflow() */
static bool has_sent_cookies(const struct listener *ls, xtime now)
{
	return ls->overflow_at && now - ls->overflow_at <= COOKIE_AGE_MAX * COOKIE_PERIOD;
}

enum tcp_cookie tcp_cookie_ack(struct tcp_conn *l, const struct seg_in *seg)
{
	const struct tcp_hdr *th = seg->th;
	struct stack *s = l->s;
	struct tcp_req r = {
		.ent = { .kind = ENT_REQUEST, .t = { .laddr = seg->ip->dst, .raddr = seg->ip->src,
		                                     .lport = th->dport, .rport = th->sport } },
		.s = s, .l = l, .irs = th->seq - 1, .iss = th->ack - 1, .wnd = th->wnd, .sent = seg->now,
		.is_cookie = true,
	};
	struct tcp_window w;
	struct ip_route rt;
	struct tcp_conn *c;

	r.tos = tcp_req_tos(l, seg->ip->tos);
	if (!s->set.tcp_syncookies || !has_sent_cookies(l->listener, seg->now))
		return COOKIE_NONE;
	r.peer_mss = cookie_check(s, &r.ent.t, r.iss, r.irs, seg->now);
	if (!r.peer_mss) {
		count(s, CTR_TcpExtSyncookiesFailed);
		return COOKIE_NONE;
	}
	count(s, CTR_TcpExtSyncookiesRecv);
	if (!take_echo(&r, th))
		return COOKIE_NONE;
	if (ip_route(s, r.ent.t.raddr, r.ent.t.laddr, tcp_oif(l), l->opt.tos, &rt) < 0) {
		count(s, CTR_ip_no_route);
		return COOKIE_DROP;
	}
	if (tcp_acceptq_is_full(l->listener)) {
		count(s, CTR_TcpExtListenOverflows);
		count(s, CTR_TcpExtListenDrops);
		count(s, CTR_tcp_accept_full);
		return COOKIE_DROP;
	}
	tcp_req_init_window(&r, &rt, seg->now);
	/* cookie_v4_check() rounds the window by the peer's MSS. */
	tcp_select_initial_window(l, &rt, r.peer_mss, r.wscale_ok, &w);
	r.rcv_wnd = w.wnd;
	r.wnd <<= r.snd_wscale;
	c = tcp_child_new(&r, seg->now);
	if (!c)
		return COOKIE_DROP;
	tcp_child_process(c, seg);
	return COOKIE_TAKEN;
}
