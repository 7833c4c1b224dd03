/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_opt_sock.c - options at SOL_SOCKET (sk_setsockopt, sk_getsockopt).
 *
 * SO_RCVTIMEO, SO_SNDTIMEO, SO_TYPE, SO_PROTOCOL, SO_DOMAIN and SO_ERROR are the shim's.
 */
#include "tcp_opt.h"

#include <errno.h>
#include <string.h>

#ifndef SO_RCVMARK
#define SO_RCVMARK 75
#endif
#ifndef SO_TXREHASH
#define SO_TXREHASH 74
#endif

#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
#ifndef SO_RCVPRIORITY
#define SO_RCVPRIORITY 82
#endif
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

/* SOCK_MIN_SNDBUF and SOCK_MIN_RCVBUF of a 64-bit Linux: what one small buffer takes there. */
#define SNDBUF_MIN 4608u
#define RCVBUF_MIN 2304u
#define PRIORITY_FREE 6          /* up to here without a capability */

#define GET(name) static int name(const struct tcp_conn *c, const struct sockopt *o, \
	                          union optval *v, size_t room, xtime now)
#define SET(name) static int name(struct tcp_conn *c, const struct sockopt *o, \
	                          const struct optset *in)
#define UNUSED_GET() do { (void)c; (void)o; (void)room; (void)now; } while (0)

SET(set_debug)
{
	if (in->val && !in->may_admin)
		return -EACCES;
	return opt_set_inert(c, o, in);
}

SET(set_reuseaddr)
{
	(void)o;
	c->opt.reuseaddr = c->bind.reuse = in->val != 0;
	return 0;
}

SET(set_reuseport)
{
	(void)o;
	c->opt.reuseport = c->bind.reuseport = in->val != 0;
	return 0;
}

/* Twice what is asked for (Linux counts its own overhead in), within limits. */
static uint32_t buffer_size(int32_t val, uint32_t least)
{
	return MAX((uint32_t)MIN(MAX(val, 0), INT32_MAX / 2) * 2, least);
}

static int set_sndbuf_to(struct tcp_conn *c, int32_t val)
{
	c->opt.sndbuf = buffer_size(val, SNDBUF_MIN);
	c->opt.is_sndbuf_locked = true;
	tcp_report(c);
	return 0;
}

static int set_rcvbuf_to(struct tcp_conn *c, int32_t val)
{
	c->opt.rcvbuf = buffer_size(val, RCVBUF_MIN);
	c->opt.is_rcvbuf_locked = true;
	return 0;
}

/* A negative value is a large one, as Linux compares without sign. */
SET(set_sndbuf)
{
	(void)o;
	return set_sndbuf_to(c, (int32_t)MIN((uint32_t)in->val, (uint32_t)c->s->set.wmem_max));
}

SET(set_rcvbuf)
{
	(void)o;
	return set_rcvbuf_to(c, (int32_t)MIN((uint32_t)in->val, (uint32_t)c->s->set.rmem_max));
}

SET(set_sndbufforce)
{
	(void)o;
	return in->may_admin ? set_sndbuf_to(c, in->val) : -EPERM;
}

SET(set_rcvbufforce)
{
	(void)o;
	return in->may_admin ? set_rcvbuf_to(c, in->val) : -EPERM;
}

GET(get_sndbuf)
{
	UNUSED_GET();
	return opt_int(v, (int32_t)c->opt.sndbuf);
}

GET(get_rcvbuf)
{
	UNUSED_GET();
	return opt_int(v, (int32_t)c->opt.rcvbuf);
}

enum { BUF_LOCK_SND = 1, BUF_LOCK_RCV = 2 };

SET(set_buf_lock)
{
	(void)o;
	if (in->val & ~(BUF_LOCK_SND | BUF_LOCK_RCV))
		return -EINVAL;
	c->opt.is_sndbuf_locked = in->val & BUF_LOCK_SND;
	c->opt.is_rcvbuf_locked = in->val & BUF_LOCK_RCV;
	return 0;
}

GET(get_buf_lock)
{
	UNUSED_GET();
	return opt_int(v, (c->opt.is_sndbuf_locked ? BUF_LOCK_SND : 0) |
	                  (c->opt.is_rcvbuf_locked ? BUF_LOCK_RCV : 0));
}

/* tcp_set_keepalive() */
SET(set_keepalive)
{
	bool was_on = c->opt.keepalive;

	(void)o;
	c->opt.keepalive = in->val != 0;
	if (c->opt.keepalive != was_on)
		tcp_keep_start(c, in->now);
	return 0;
}

SET(set_linger)
{
	struct linger l;

	(void)o;
	if (in->len < sizeof(l))
		return -EINVAL;
	memcpy(&l, in->p, sizeof(l));
	if (!l.l_onoff) {
		c->opt.linger_s = -1;
		return 0;
	}
	c->opt.linger_s = l.l_linger < 0 ? INT32_MAX : l.l_linger;
	/* MAX_SCHEDULE_TIMEOUT, in jiffies, as an int of seconds. */
	c->opt.linger_set_s = l.l_linger < 0 ? (int32_t)(INT64_MAX / (XTIME_SEC / TCP_TICK)) : l.l_linger;
	return 0;
}

GET(get_linger)
{
	UNUSED_GET();
	v->linger.l_onoff = c->opt.linger_s >= 0;
	v->linger.l_linger = c->opt.linger_set_s;
	return sizeof(v->linger);
}

SET(set_priority)
{
	(void)o;
	if ((in->val < 0 || in->val > PRIORITY_FREE) && !in->may_admin)
		return -EPERM;
	c->opt.priority = in->val;
	return 0;
}

GET(get_priority)
{
	UNUSED_GET();
	return opt_int(v, c->opt.priority);
}

/* tcp_set_rcvlowat(): the buffer grows to hold it, unless the program has set its size. */
SET(set_rcvlowat)
{
	uint32_t cap = c->opt.is_rcvbuf_locked ? c->opt.rcvbuf : (uint32_t)c->s->set.tcp_rmem_max;
	uint32_t val = in->val < 0 ? INT32_MAX : (uint32_t)in->val;

	(void)o;
	val = MIN(val, cap / 2);
	c->opt.rcvlowat = MAX(val, 1u);
	if (!c->opt.is_rcvbuf_locked && tcp_space_from_win(c, val) > c->opt.rcvbuf) {
		c->opt.rcvbuf = tcp_space_from_win(c, val);
		c->rcv.window_clamp = MAX(c->rcv.window_clamp, val);
	}
	tcp_report(c);
	return 0;
}

GET(get_rcvlowat)
{
	UNUSED_GET();
	return opt_int(v, (int32_t)c->opt.rcvlowat);
}

/* sk_set_peek_off() */
SET(set_peek_off)
{
	(void)o;
	c->opt.peek_off = in->val;
	return 0;
}

GET(get_peek_off)
{
	UNUSED_GET();
	return opt_int(v, c->opt.peek_off);
}

GET(get_acceptconn)
{
	UNUSED_GET();
	return opt_int(v, c->state == TCP_LISTEN);
}

SET(set_mark)
{
	struct tcp_rareopts *own;

	(void)o;
	if (!in->may_admin)
		return -EPERM;
	own = tcp_rareopts_own(c);
	if (!own)
		return -ENOMEM;
	own->mark = (uint32_t)in->val;
	return 0;
}

GET(get_mark)
{
	UNUSED_GET();
	return opt_int(v, (int32_t)c->opt.rare->mark);
}

/* Once it is locked it stays so. */
SET(set_lock_filter)
{
	union optval v;

	opt_get_inert(c, o, &v, sizeof(v.i), in->now);
	if (v.i && !in->val)
		return -EPERM;
	return opt_set_inert(c, o, in);
}

SET(set_busy_poll)
{
	struct tcp_rareopts *own;

	(void)o;
	if (in->val < 0)
		return -EINVAL;
	own = tcp_rareopts_own(c);
	if (!own)
		return -ENOMEM;
	own->busy_poll = in->val;
	return 0;
}

GET(get_busy_poll)
{
	UNUSED_GET();
	return opt_int(v, c->opt.rare->busy_poll);
}

SET(set_prefer_busy_poll)
{
	if (in->val && !in->may_admin)
		return -EPERM;
	return opt_set_inert(c, o, in);
}

SET(set_busy_poll_budget)
{
	(void)c;
	(void)o;
	if (in->val > 0 && !in->may_admin)
		return -EPERM;
	return in->val < 0 || in->val > UINT16_MAX ? -EINVAL : 0;
}

SET(set_max_pacing_rate)
{
	struct tcp_rareopts *own;
	uint64_t rate = in->val == -1 ? UINT64_MAX : (uint32_t)in->val;

	(void)o;
	if (in->len == sizeof(rate))
		memcpy(&rate, in->p, sizeof(rate));
	own = tcp_rareopts_own(c);
	if (!own)
		return -ENOMEM;
	own->max_pacing_rate = rate;
	tcp_want_output(c);   /* what waited may go by now */
	return 0;
}

GET(get_max_pacing_rate)
{
	UNUSED_GET();
	if (room < sizeof(v->u64))
		return opt_int(v, (int32_t)(uint32_t)MIN(c->opt.rare->max_pacing_rate, (uint64_t)UINT32_MAX));
	v->u64 = c->opt.rare->max_pacing_rate;
	return sizeof(v->u64);
}

SET(set_txrehash)
{
	struct optset on = *in;

	if (in->val < -1 || in->val > 1)
		return -EINVAL;
	if (in->val == -1)
		on.val = 1;
	return opt_set_inert(c, o, &on);
}

/* SO_CNX_ADVICE 1: the connection makes no progress, look for another way. */
SET(set_cnx_advice)
{
	(void)o;
	if (in->val == 1 && c->has_route)
		(void)tcp_reroute(c, in->now);
	return 0;
}

/* sk_get_meminfo(); nothing waits in a driver, nothing is reserved ahead. */
GET(get_meminfo)
{
	UNUSED_GET();
	v->meminfo[0] = c->rcv.rmem;
	v->meminfo[1] = c->opt.rcvbuf;
	v->meminfo[3] = c->opt.sndbuf;
	v->meminfo[5] = tcp_wmem_queued(c);
	return sizeof(v->meminfo);
}

/* sock_bindtoindex_locked() */
static int bind_to_index(struct tcp_conn *c, int oif, const struct optset *in)
{
	if (c->opt.oif && !in->may_admin)
		return -EPERM;
	if (oif < 0)
		return -EINVAL;
	c->opt.oif = c->bind.oif = oif;
	if (c->has_route)
		(void)tcp_reroute(c, in->now);
	return 0;
}

SET(set_bindtoifindex)
{
	(void)o;
	return bind_to_index(c, in->val, in);
}

/* By name, which need not end in a zero; an empty one unbinds.  Only interfaces of the
 * stack exist here. */
SET(set_bindtodevice)
{
	char name[sizeof(c->s->ifaces[0].name)] = "";

	(void)o;
	if (in->len)
		memcpy(name, in->p, strnlen(in->p, MIN(in->len, sizeof(name) - 1)));
	if (!*name)
		return bind_to_index(c, 0, in);
	for (int i = 0; i < c->s->niface; i++)
		if (!strcmp(c->s->ifaces[i].name, name))
			return bind_to_index(c, c->s->ifaces[i].oif, in);
	return -ENODEV;
}

GET(get_bindtodevice)
{
	UNUSED_GET();
	if (!c->opt.oif)
		return 0;
	if (room < sizeof(v->ifname))
		return -EINVAL;
	for (int i = 0; i < c->s->niface; i++)
		if (c->s->ifaces[i].oif == c->opt.oif) {
			memcpy(v->ifname, c->s->ifaces[i].name, sizeof(v->ifname));
			return (int)strlen(v->ifname) + 1;
		}
	return -ENODEV;
}

GET(get_bindtoifindex)
{
	UNUSED_GET();
	return opt_int(v, c->opt.oif);
}

/* Without memory accounting by cgroup there is nothing to reserve (sock_reserve_memory). */
SET(set_reserve_mem)
{
	(void)c;
	(void)o;
	return in->val < 0 ? -EINVAL : -EOPNOTSUPP;
}

/* A connection's peer is no process that could be told: cred_to_ucred() of none. */
GET(get_peercred)
{
	static const uint32_t none[3] = { 0, UINT32_MAX, UINT32_MAX };

	UNUSED_GET();
	memcpy(v->bytes, none, sizeof(none));
	return sizeof(none);
}

/* There is never a filter that could be read. */
GET(get_nothing)
{
	UNUSED_GET();
	(void)v;
	return 0;
}

/* A number of its own for as long as the stack lives (sock_gen_cookie). */
GET(get_cookie)
{
	UNUSED_GET();
	if (room < sizeof(v->u64))
		return -EINVAL;
	v->u64 = c->cookie;
	return sizeof(v->u64);
}

static const struct sockopt rows[] = {
	{ SO_DEBUG, opt_get_inert, set_debug, INERT_DEBUG, 0, 0 },
	{ SO_REUSEADDR, opt_get_flag, set_reuseaddr, offsetof(struct tcp_sockopts, reuseaddr), 0, 0 },
	{ SO_REUSEPORT, opt_get_flag, set_reuseport, offsetof(struct tcp_sockopts, reuseport), 0, 0 },
	{ SO_DONTROUTE, OPT_FLAG(dontroute) },
	{ SO_BROADCAST, OPT_FLAG(broadcast) },
	{ SO_OOBINLINE, OPT_FLAG(oobinline) },
	{ SO_KEEPALIVE, opt_get_flag, set_keepalive, offsetof(struct tcp_sockopts, keepalive), 0, 0 },
	{ SO_LINGER, get_linger, set_linger, 0, 0, 0 },
	{ SO_SNDBUF, get_sndbuf, set_sndbuf, 0, 0, 0 },
	{ SO_RCVBUF, get_rcvbuf, set_rcvbuf, 0, 0, 0 },
	{ SO_SNDBUFFORCE, NULL, set_sndbufforce, 0, 0, 0 },
	{ SO_RCVBUFFORCE, NULL, set_rcvbufforce, 0, 0, 0 },
	{ SO_BUF_LOCK, get_buf_lock, set_buf_lock, 0, 0, 0 },
	{ SO_RCVLOWAT, get_rcvlowat, set_rcvlowat, 0, 0, 0 },
	{ SO_PEEK_OFF, get_peek_off, set_peek_off, 0, 0, 0 },
	{ SO_SNDLOWAT, opt_get_const, NULL, 0, 1, 1 },
	{ SO_PRIORITY, get_priority, set_priority, 0, 0, 0 },
	{ SO_MARK, get_mark, set_mark, 0, 0, 0 },
	{ SO_BINDTOIFINDEX, get_bindtoifindex, set_bindtoifindex, 0, 0, 0 },
	{ SO_BINDTODEVICE, get_bindtodevice, set_bindtodevice, 0, 0, 0 },
	{ SO_ACCEPTCONN, get_acceptconn, NULL, 0, 0, 0 },
	{ SO_MEMINFO, get_meminfo, NULL, 0, 0, 0 },
	{ SO_MAX_PACING_RATE, get_max_pacing_rate, set_max_pacing_rate, 0, 0, 0 },
	{ SO_CNX_ADVICE, NULL, set_cnx_advice, 0, 0, 0 },
	{ SO_INCOMING_CPU, opt_get_const, NULL, 0, -1, 0 },
	{ SO_INCOMING_NAPI_ID, opt_get_const, NULL, 0, 0, 0 },
	{ SO_BUSY_POLL, get_busy_poll, set_busy_poll, 0, 0, 0 },
	{ SO_PREFER_BUSY_POLL, opt_get_inert, set_prefer_busy_poll, INERT_PREFER_BUSY_POLL, 0, 0 },
	{ SO_BUSY_POLL_BUDGET, NULL, set_busy_poll_budget, 0, 0, 0 },
	{ SO_BSDCOMPAT, opt_get_const, opt_set_refuse, 0, 0, 0 },
	{ SO_NO_CHECK, OPT_INERT(INERT_NO_CHECK) },
	{ SO_RXQ_OVFL, OPT_INERT(INERT_RXQ_OVFL) },
	{ SO_WIFI_STATUS, OPT_INERT(INERT_WIFI_STATUS) },
	{ SO_NOFCS, OPT_INERT(INERT_NOFCS) },
	{ SO_SELECT_ERR_QUEUE, OPT_INERT(INERT_SELECT_ERR_QUEUE) },
	{ SO_RCVMARK, OPT_INERT(INERT_RCVMARK) },
	{ SO_LOCK_FILTER, opt_get_inert, set_lock_filter, INERT_LOCK_FILTER, 0, 0 },
	{ SO_TXREHASH, opt_get_inert, set_txrehash, INERT_TXREHASH, 0, 0 },
	{ SO_RCVPRIORITY, OPT_INERT(INERT_RCVPRIORITY) },
	{ SO_BPF_EXTENSIONS, opt_get_const, NULL, 0, 64, 0 },   /* SKF_AD_MAX */
	{ SO_COOKIE, get_cookie, NULL, 0, 0, 0 },
	{ SO_PEERCRED, get_peercred, NULL, 0, 0, 0 },
	{ SO_ATTACH_FILTER, get_nothing, NULL, 0, 0, 0 },
	{ SO_DETACH_FILTER, NULL, opt_set_refuse, ENOENT, 0, 0 },
	{ SO_PASSPIDFD, opt_get_refuse, opt_set_refuse, EOPNOTSUPP, 0, 0 },
	{ SO_PASSRIGHTS, opt_get_refuse, opt_set_refuse, EOPNOTSUPP, 0, 0 },
	{ SO_PEERPIDFD, opt_get_refuse, NULL, ENODATA, 0, 0 },
	{ SO_RESERVE_MEM, opt_get_const, set_reserve_mem, 0, 0, 0 },
	{ SO_PASSCRED, opt_get_refuse, opt_set_refuse, EOPNOTSUPP, 0, 0 },
	{ SO_PASSSEC, opt_get_refuse, opt_set_refuse, EOPNOTSUPP, 0, 0 },
	{ SO_PEERGROUPS, opt_get_refuse, NULL, ENODATA, 0, 0 },
};

const struct opt_table opt_sock = { rows, ARRAY_LEN(rows) };
