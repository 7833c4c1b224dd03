/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_opt_tcp.c - options at IPPROTO_TCP (do_tcp_setsockopt, do_tcp_getsockopt).
 *
 * TCP_RTO_MIN_US, TCP_RTO_MAX_MS and TCP_DELACK_MAX_US are rounded up to the ticks of a kernel at
 * 250 Hz, as getsockopt() shows them there.
 */
#include "tcp_opt.h"

#include <errno.h>
#include <string.h>

#ifndef TCP_RTO_MAX_MS
#define TCP_RTO_MAX_MS 44
#endif
#ifndef TCP_RTO_MIN_US
#define TCP_RTO_MIN_US 45
#endif
#ifndef TCP_DELACK_MAX_US
#define TCP_DELACK_MAX_US 46
#endif
#ifndef TCP_IS_MPTCP
#define TCP_IS_MPTCP 43
#endif

#define MSS_MIN 88               /* TCP_MIN_MSS */
#define WINDOW_MAX 32767         /* MAX_TCP_WINDOW */
#define FIN_TIMEOUT_MAX_S 120
#define RTO_MIN_LEAST_US 4000    /* more than one tick of a 250 Hz kernel */
#define RTO_MIN_MOST_US 200000

#define GET(name) static int name(const struct tcp_conn *c, const struct sockopt *o, \
	                          union optval *v, size_t room, xtime now)
#define SET(name) static int name(struct tcp_conn *c, const struct sockopt *o, \
	                          const struct optset *in)
#define UNUSED_GET() do { (void)c; (void)o; (void)room; (void)now; } while (0)

static bool in_bounds(const struct sockopt *o, const struct optset *in)
{
	return in->val >= o->lo && in->val <= o->hi;
}

/* What is queued goes now, what is written later by its own rules (MSG_MORE). */
static void push_pending(struct tcp_conn *c)
{
	c->snd.push_now = c->snd.nxt != tcp_snd_end(c);
}

SET(set_nodelay)
{
	(void)o;
	c->opt.nodelay = in->val != 0;
	if (c->opt.nodelay) {
		push_pending(c);
		tcp_want_output(c);
	}
	return 0;
}

SET(set_cork)
{
	(void)o;
	c->opt.cork = in->val != 0;
	if (!c->opt.cork) {
		if (c->opt.nodelay)
			push_pending(c);
		tcp_want_output(c);
	}
	return 0;
}

SET(set_maxseg)
{
	(void)o;
	if (in->val && (in->val < MSS_MIN || in->val > WINDOW_MAX))
		return -EINVAL;
	c->opt.user_mss = (uint16_t)in->val;
	return 0;
}

GET(get_maxseg)
{
	UNUSED_GET();
	if (c->opt.user_mss && conn_in(c, ST(CLOSE) | ST(LISTEN)))
		return opt_int(v, c->opt.user_mss);
	return opt_int(v, (int32_t)c->snd.mss_cache);
}

/* tcp_sock_set_keepidle_locked(): counts from the last that was heard. */
SET(set_keepidle)
{
	xtime idle = in->now - c->rcv.lrcvtime;

	if (!in_bounds(o, in))
		return -EINVAL;
	c->opt.keep_idle_s = (uint32_t)in->val;
	if (c->opt.keepalive && !conn_in(c, ST(CLOSE) | ST(LISTEN)))
		tcp_keep_set(c, in->now + MAX(tcp_keep_time(c) - idle, 0));
	return 0;
}

GET(get_keepidle)
{
	UNUSED_GET();
	return opt_int(v, (int32_t)(tcp_keep_time(c) / XTIME_SEC));
}

SET(set_keepintvl)
{
	if (!in_bounds(o, in))
		return -EINVAL;
	c->opt.keep_intvl_s = (uint32_t)in->val;
	return 0;
}

GET(get_keepintvl)
{
	UNUSED_GET();
	return opt_int(v, c->opt.keep_intvl_s ? (int32_t)c->opt.keep_intvl_s
	                                      : c->s->set.tcp_keepalive_intvl);
}

SET(set_keepcnt)
{
	if (!in_bounds(o, in))
		return -EINVAL;
	c->opt.keep_cnt = (uint8_t)in->val;
	return 0;
}

GET(get_keepcnt)
{
	UNUSED_GET();
	return opt_int(v, c->opt.keep_cnt ? c->opt.keep_cnt : c->s->set.tcp_keepalive_probes);
}

SET(set_syncnt)
{
	if (!in_bounds(o, in))
		return -EINVAL;
	c->opt.syn_cnt = (uint8_t)in->val;
	return 0;
}

GET(get_syncnt)
{
	UNUSED_GET();
	return opt_int(v, c->opt.syn_cnt ? c->opt.syn_cnt : c->s->set.tcp_syn_retries);
}

SET(set_linger2)
{
	struct tcp_rareopts *own;

	(void)o;
	own = tcp_rareopts_own(c);
	if (!own)
		return -ENOMEM;
	own->linger2_s = MAX(MIN(in->val, FIN_TIMEOUT_MAX_S), -1);
	return 0;
}

GET(get_linger2)
{
	UNUSED_GET();
	return opt_int(v, c->opt.rare->linger2_s ? c->opt.rare->linger2_s : c->s->set.tcp_fin_timeout);
}

/* secs_to_retrans() and back: SYN-ACKs are sent at 1 s, doubling up to the maximum. */
static uint8_t retrans_of_seconds(int32_t seconds, int32_t rto_max)
{
	int32_t timeout = 1, period = 1;
	uint8_t n = 1;

	if (seconds <= 0)
		return 0;
	while (seconds > period && n < 255) {
		n++;
		timeout = MIN(timeout * 2, rto_max);
		period += timeout;
	}
	return n;
}

static int32_t seconds_of_retrans(uint8_t n, int32_t rto_max)
{
	int32_t timeout = 1, period = 1;

	if (!n)
		return 0;
	while (--n) {
		timeout = MIN(timeout * 2, rto_max);
		period += timeout;
	}
	return period;
}

static int32_t rto_max_s(const struct tcp_conn *c)
{
	return (int32_t)(tcp_rto_max(c) / XTIME_SEC);
}

SET(set_defer_accept)
{
	(void)o;
	c->opt.defer_accept = retrans_of_seconds(in->val, rto_max_s(c));
	return 0;
}

GET(get_defer_accept)
{
	UNUSED_GET();
	return opt_int(v, seconds_of_retrans(c->opt.defer_accept, rto_max_s(c)));
}

/* tcp_set_window_clamp() */
SET(set_window_clamp)
{
	struct tcp_rareopts *own;

	(void)o;
	if (!in->val && c->state != TCP_CLOSE)
		return -EINVAL;
	own = tcp_rareopts_own(c);
	if (!own)
		return -ENOMEM;
	if (in->val)
		tcp_set_window_clamp(c, (uint32_t)MAX(in->val, 1));
	else
		c->rcv.window_clamp = 0;
	own->window_clamp = c->rcv.window_clamp;
	return 0;
}

GET(get_window_clamp)
{
	UNUSED_GET();
	return opt_int(v, (int32_t)(c->state == TCP_CLOSE ? c->opt.rare->window_clamp
	                                                  : c->rcv.window_clamp));
}

/* __tcp_sock_set_quickack() */
SET(set_quickack)
{
	(void)o;
	if (!in->val) {
		c->rcv.pingpong = (uint8_t)c->s->set.tcp_pingpong_thresh;
		return 0;
	}
	c->rcv.pingpong = 0;
	if (conn_in(c, ST(ESTABLISHED) | ST(CLOSE_WAIT)) && c->rcv.ack_scheduled) {
		c->rcv.pushed = MAX(c->rcv.pushed, 1);
		tcp_cleanup_rbuf(c, 1, in->now);
		if (!(in->val & 1))
			c->rcv.pingpong = (uint8_t)c->s->set.tcp_pingpong_thresh;
	}
	return 0;
}

GET(get_quickack)
{
	UNUSED_GET();
	return opt_int(v, c->rcv.pingpong < c->s->set.tcp_pingpong_thresh);
}

SET(set_user_timeout)
{
	(void)o;
	if (in->val < 0)
		return -EINVAL;
	c->opt.user_timeout_ms = (uint32_t)in->val;
	return 0;
}

GET(get_user_timeout)
{
	UNUSED_GET();
	return opt_int(v, (int32_t)c->opt.user_timeout_ms);
}

SET(set_notsent_lowat)
{
	struct tcp_rareopts *own;

	(void)o;
	own = tcp_rareopts_own(c);
	if (!own)
		return -ENOMEM;
	own->notsent_lowat = (uint32_t)in->val;
	tcp_report(c);
	return 0;
}

GET(get_notsent_lowat)
{
	UNUSED_GET();
	return opt_int(v, (int32_t)c->opt.rare->notsent_lowat);
}

/* tcp_set_congestion_control() */
SET(set_congestion)
{
	const struct cc_ops *ops;
	char name[CC_NAME_MAX] = "";

	(void)o;
	if (!in->len)
		return -EINVAL;
	memcpy(name, in->p, strnlen(in->p, MIN(in->len, sizeof(name) - 1)));
	ops = cc_find(name);
	if (!ops)
		return -ENOENT;
	if (ops == c->cc.ops)
		return 0;
	if (cc_assign(c, ops) < 0)
		return -ENOMEM;
	if (!conn_in(c, ST(CLOSE) | ST(LISTEN)))
		cc_start(c, in->now);
	return 0;
}

GET(get_congestion)
{
	UNUSED_GET();
	memcpy(v->name, c->cc.ops->name, strnlen(c->cc.ops->name, sizeof(v->name) - 1));
	return sizeof(v->name);
}

SET(set_inq)
{
	if (!in_bounds(o, in))
		return -EINVAL;
	c->opt.inq = in->val != 0;
	return 0;
}

/* Linux's clock has ticks, and rounds up. */
static uint32_t in_ticks(uint32_t v, uint32_t tick)
{
	return (v + tick - 1) / tick * tick;
}

SET(set_rto_max)
{
	struct tcp_rareopts *own;

	if (!in_bounds(o, in))
		return -EINVAL;
	own = tcp_rareopts_own(c);
	if (!own)
		return -ENOMEM;
	own->rto_max_ms = in_ticks((uint32_t)in->val, TCP_TICK / XTIME_MSEC);
	return 0;
}

GET(get_rto_max)
{
	UNUSED_GET();
	return opt_int(v, (int32_t)(tcp_rto_max(c) / XTIME_MSEC));
}

SET(set_rto_min)
{
	struct tcp_rareopts *own;

	if (!in_bounds(o, in))
		return -EINVAL;
	own = tcp_rareopts_own(c);
	if (!own)
		return -ENOMEM;
	own->rto_min_us = in_ticks((uint32_t)in->val, TCP_TICK / XTIME_USEC);
	return 0;
}

SET(set_delack_max)
{
	struct tcp_rareopts *own;

	if (!in_bounds(o, in))
		return -EINVAL;
	own = tcp_rareopts_own(c);
	if (!own)
		return -ENOMEM;
	own->delack_max_us = in_ticks((uint32_t)in->val, TCP_TICK / XTIME_USEC);
	return 0;
}

GET(get_delack_max)
{
	UNUSED_GET();
	return opt_int(v, c->opt.rare->delack_max_us ? (int32_t)c->opt.rare->delack_max_us : (int32_t)(TCP_DELACK_MAX / XTIME_USEC));
}

GET(get_rto_min)
{
	UNUSED_GET();
	return opt_int(v, c->opt.rare->rto_min_us ? (int32_t)c->opt.rare->rto_min_us : c->s->set.tcp_rto_min_us);
}

/* Linux has dropped its effect but still checks it. */
SET(set_thin_dupack)
{
	(void)c;
	return in_bounds(o, in) ? 0 : -EINVAL;
}

GET(get_timestamp)
{
	UNUSED_GET();
	return opt_int(v, (int32_t)tcp_ts_now(c, now));
}

GET(get_info)
{
	UNUSED_GET();
	tcp_get_info(c, &v->info, now);
	return sizeof(v->info);
}

/* What the algorithm tells: reno and cubic nothing. */
GET(get_cc_info)
{
	UNUSED_GET();
	return c->cc.ops->get_info ? (int)c->cc.ops->get_info(c, v->bytes) : 0;
}

/* ---- Fast Open ---- */

SET(set_fastopen)
{
	(void)o;
	if (in->val < 0 || !conn_in(c, ST(CLOSE) | ST(LISTEN)))
		return -EINVAL;
	if (!tcp_fo_own(c))
		return -ENOMEM;
	c->fo->max_qlen = (uint32_t)MIN(in->val, 4096);
	return 0;
}

GET(get_fastopen)
{
	UNUSED_GET();
	return opt_int(v, (int32_t)tcp_fo(c)->max_qlen);
}

#define TFO_KEY_LEN 16

SET(set_fastopen_key)
{
	(void)o;
	if ((in->len != TFO_KEY_LEN && in->len != 2 * TFO_KEY_LEN) || !conn_in(c, ST(CLOSE) | ST(LISTEN)))
		return -EINVAL;
	if (!tcp_fo_own(c))
		return -ENOMEM;
	c->fo->nkeys = (uint8_t)(in->len / TFO_KEY_LEN);
	for (unsigned i = 0; i < c->fo->nkeys; i++) {
		const uint8_t *p = (const uint8_t *)in->p + i * TFO_KEY_LEN;

		c->fo->keys[i].k[0] = c->fo->keys[i].k[1] = 0;
		for (unsigned b = 0; b < 8; b++) {
			c->fo->keys[i].k[0] |= (uint64_t)p[b] << 8 * b;
			c->fo->keys[i].k[1] |= (uint64_t)p[8 + b] << 8 * b;
		}
	}
	return 0;
}

SET(set_fastopen_connect)
{
	if (!in_bounds(o, in))
		return -EINVAL;
	if (!(c->s->set.tcp_fastopen & TFO_CLIENT_ENABLE))
		return -EOPNOTSUPP;
	if (c->state != TCP_CLOSE)
		return -EINVAL;
	if (!tcp_fo_own(c))
		return -ENOMEM;
	c->fo->by_connect = in->val != 0;
	return 0;
}

GET(get_fastopen_connect)
{
	UNUSED_GET();
	return opt_int(v, tcp_fo(c)->by_connect);
}

SET(set_fastopen_no_cookie)
{
	if (!in_bounds(o, in) || !conn_in(c, ST(CLOSE) | ST(LISTEN)))
		return -EINVAL;
	if (!tcp_fo_own(c))
		return -ENOMEM;
	c->fo->no_cookie = in->val != 0;
	return 0;
}

GET(get_fastopen_no_cookie)
{
	UNUSED_GET();
	return opt_int(v, tcp_fo(c)->no_cookie);
}

/* tcp_set_ulp(): there is none that a program may have. */
SET(set_ulp)
{
	(void)c;
	(void)o;
	if (!in->len)
		return -EINVAL;
	return in->len >= 5 && !memcmp(in->p, "mptcp", 5) ? -EOPNOTSUPP : -ENOENT;
}

GET(get_ulp)
{
	UNUSED_GET();
	(void)v;
	return 0;
}

/* The keys as they were given, the first one first. */
GET(get_fastopen_key)
{
	UNUSED_GET();
	for (unsigned i = 0; i < tcp_fo(c)->nkeys; i++)
		for (unsigned b = 0; b < 8; b++) {
			v->bytes[i * TFO_KEY_LEN + b] = (uint8_t)(tcp_fo(c)->keys[i].k[0] >> 8 * b);
			v->bytes[i * TFO_KEY_LEN + 8 + b] = (uint8_t)(tcp_fo(c)->keys[i].k[1] >> 8 * b);
		}
	return tcp_fo(c)->nkeys * TFO_KEY_LEN;
}

SET(set_flag_strict)
{
	return in_bounds(o, in) ? opt_set_flag(c, o, in) : -EINVAL;
}

static const struct sockopt rows[] = {
	{ TCP_FASTOPEN, get_fastopen, set_fastopen, 0, 0, 0 },
	{ TCP_FASTOPEN_KEY, get_fastopen_key, set_fastopen_key, 0, 0, 0 },
	{ TCP_FASTOPEN_CONNECT, get_fastopen_connect, set_fastopen_connect, 0, 0, 1 },
	{ TCP_FASTOPEN_NO_COOKIE, get_fastopen_no_cookie, set_fastopen_no_cookie, 0, 0, 1 },
	{ TCP_NODELAY, opt_get_flag, set_nodelay, offsetof(struct tcp_sockopts, nodelay), 0, 0 },
	{ TCP_CORK, opt_get_flag, set_cork, offsetof(struct tcp_sockopts, cork), 0, 0 },
	{ TCP_MAXSEG, get_maxseg, set_maxseg, 0, 0, 0 },
	{ TCP_KEEPIDLE, get_keepidle, set_keepidle, 0, 1, 32767 },
	{ TCP_KEEPINTVL, get_keepintvl, set_keepintvl, 0, 1, 32767 },
	{ TCP_KEEPCNT, get_keepcnt, set_keepcnt, 0, 1, 127 },
	{ TCP_SYNCNT, get_syncnt, set_syncnt, 0, 1, 127 },
	{ TCP_LINGER2, get_linger2, set_linger2, 0, 0, 0 },
	{ TCP_DEFER_ACCEPT, get_defer_accept, set_defer_accept, 0, 0, 0 },
	{ TCP_WINDOW_CLAMP, get_window_clamp, set_window_clamp, 0, 0, 0 },
	{ TCP_QUICKACK, get_quickack, set_quickack, 0, 0, 0 },
	{ TCP_USER_TIMEOUT, get_user_timeout, set_user_timeout, 0, 0, 0 },
	{ TCP_NOTSENT_LOWAT, get_notsent_lowat, set_notsent_lowat, 0, 0, 0 },
	{ TCP_INQ, opt_get_flag, set_inq, offsetof(struct tcp_sockopts, inq), 0, 1 },
	{ TCP_CONGESTION, get_congestion, set_congestion, 0, 0, 0 },
	{ TCP_RTO_MAX_MS, get_rto_max, set_rto_max, 0, 1000, 120000 },
	{ TCP_RTO_MIN_US, get_rto_min, set_rto_min, 0, RTO_MIN_LEAST_US + 1, RTO_MIN_MOST_US },
	{ TCP_DELACK_MAX_US, get_delack_max, set_delack_max, 0, RTO_MIN_LEAST_US + 1, RTO_MIN_MOST_US },
	{ TCP_ULP, get_ulp, set_ulp, 0, 0, 0 },
	{ TCP_SAVE_SYN, opt_get_flag, set_flag_strict, offsetof(struct tcp_sockopts, save_syn), 0, 1 },
	{ TCP_THIN_LINEAR_TIMEOUTS, opt_get_flag, set_flag_strict, offsetof(struct tcp_sockopts, thin_lto), 0, 1 },
	{ TCP_THIN_DUPACK, opt_get_const, set_thin_dupack, 0, 0, 1 },
	{ TCP_TIMESTAMP, get_timestamp, opt_set_refuse, EPERM, 0, 0 },
	{ TCP_INFO, get_info, NULL, 0, 0, 0 },
	{ TCP_CC_INFO, get_cc_info, NULL, 0, 0, 0 },
	{ TCP_IS_MPTCP, opt_get_const, NULL, 0, 0, 0 },
};

const struct opt_table opt_tcp = { rows, ARRAY_LEN(rows) };
