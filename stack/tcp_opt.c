/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_opt.c - setsockopt() and getsockopt(): the way in, and what rows share.
 *
 * The rules of the three levels differ in Linux, and so here: sk_setsockopt() and
 * do_tcp_setsockopt() refuse less than an int before they look at the name;
 * do_ip_setsockopt() takes a single byte for an int, and do_ip_getsockopt() gives
 * one back when there is no room for an int and the value fits.
 */
#include "tcp_opt.h"

#include <errno.h>
#include <string.h>

static bool *flag_of(struct tcp_sockopts *opt, uint32_t off)
{
	return (bool *)((char *)opt + off);
}

int opt_get_flag(const struct tcp_conn *c, const struct sockopt *o, union optval *v, size_t room,
                 xtime now)
{
	(void)room;
	(void)now;
	return opt_int(v, *(const bool *)((const char *)&c->opt + o->arg));
}

int opt_set_flag(struct tcp_conn *c, const struct sockopt *o, const struct optset *in)
{
	*flag_of(&c->opt, o->arg) = in->val != 0;
	return 0;
}

int opt_get_inert(const struct tcp_conn *c, const struct sockopt *o, union optval *v, size_t room,
                  xtime now)
{
	(void)room;
	(void)now;
	return opt_int(v, (c->opt.rare->inert ^ INERT_ON) >> o->arg & 1);
}

int opt_set_inert(struct tcp_conn *c, const struct sockopt *o, const struct optset *in)
{
	struct tcp_rareopts *own;
	uint32_t bit = 1u << o->arg;

	if (o->hi && (in->val < o->lo || in->val > o->hi))
		return -EINVAL;
	own = tcp_rareopts_own(c);
	if (!own)
		return -ENOMEM;
	own->inert = (own->inert & ~bit) | ((in->val ? bit : 0) ^ (INERT_ON & bit));
	return 0;
}

int opt_get_const(const struct tcp_conn *c, const struct sockopt *o, union optval *v, size_t room,
                  xtime now)
{
	(void)c;
	(void)room;
	(void)now;
	return opt_int(v, o->lo);
}

int opt_get_refuse(const struct tcp_conn *c, const struct sockopt *o, union optval *v, size_t room,
                   xtime now)
{
	(void)c;
	(void)v;
	(void)room;
	(void)now;
	return -(int)o->arg;
}

int opt_set_refuse(struct tcp_conn *c, const struct sockopt *o, const struct optset *in)
{
	(void)c;
	(void)in;
	return -(int)o->arg;
}

static const struct sockopt *find(const struct opt_table *t, int name)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].name == name)
			return &t->v[i];
	return NULL;
}

static const struct opt_table *table_of(int level)
{
	switch (level) {
	case SOL_SOCKET:
		return &opt_sock;
	case IPPROTO_IP:
		return &opt_ip;
	case IPPROTO_TCP:
		return &opt_tcp;
	default:
		return NULL;
	}
}

/* The integer that a level finds in val: false when that is too short. */
static bool read_int(int level, int name, struct optset *in)
{
	if (in->len >= sizeof(in->val)) {
		memcpy(&in->val, in->p, sizeof(in->val));
		return true;
	}
	if (level == IPPROTO_IP && in->len)
		in->val = *(const uint8_t *)in->p;
	return level == IPPROTO_IP || (level == IPPROTO_TCP && (name == TCP_CONGESTION || name == TCP_ULP)) ||
	       (level == SOL_SOCKET && name == SO_BINDTODEVICE);
}

int tcp_setopt(struct tcp_conn *c, int level, int name, const void *val, socklen_t len,
               bool may_admin, xtime now)
{
	const struct opt_table *t = table_of(level);
	struct optset in = { .p = val, .len = len, .may_admin = may_admin, .now = now };
	const struct sockopt *o;

	if ((int32_t)len < 0)
		return -EINVAL;
	if (!t)
		return -ENOPROTOOPT;
	o = find(t, name);
	if (!val && len) {
		/* A name comes first where the value need not be an int. */
		if (level == IPPROTO_IP && (!o || !o->set))
			return -ENOPROTOOPT;
		return -EFAULT;
	}
	if (!read_int(level, name, &in))
		return -EINVAL;
	if (!o || !o->set)
		return -ENOPROTOOPT;
	return o->set(c, o, &in);
}

int tcp_getopt(struct tcp_conn *c, int level, int name, void *val, socklen_t *len, xtime now)
{
	const struct opt_table *t = table_of(level);
	size_t room = *len;
	const struct sockopt *o;
	union optval v;
	int n;

	if (!t)
		return -EOPNOTSUPP;
	if ((int32_t)*len < 0)
		return -EINVAL;
	if (level == IPPROTO_TCP && name == TCP_SAVED_SYN)
		return tcp_saved_syn_read(c, val, len);
	o = find(t, name);
	if (!o || !o->get)
		return -ENOPROTOOPT;
	memset(&v, 0, sizeof(v));
	n = o->get(c, o, &v, room, now);
	if (n < 0)
		return n;
	if (level == IPPROTO_IP && n == sizeof(v.i) && name != IP_OPTIONS && name != IP_MULTICAST_IF && room && room < sizeof(v.i) &&
	    v.i >= 0 && v.i <= 255) {
		*(uint8_t *)val = (uint8_t)v.i;
		*len = 1;
		return 0;
	}
	*len = (socklen_t)MIN(room, (size_t)n);
	memcpy(val, &v, *len);
	return 0;
}
