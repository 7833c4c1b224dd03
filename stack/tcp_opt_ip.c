/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_opt_ip.c - options at IPPROTO_IP (do_ip_setsockopt, do_ip_getsockopt).
 */
#include "tcp_opt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51
#endif
#ifndef IP_PROTOCOL
#define IP_PROTOCOL 52
#endif
#ifndef IP_RECVERR_RFC4884
#define IP_RECVERR_RFC4884 26
#endif

#define GET(name) static int name(const struct tcp_conn *c, const struct sockopt *o, \
	                          union optval *v, size_t room, xtime now)
#define SET(name) static int name(struct tcp_conn *c, const struct sockopt *o, \
	                          const struct optset *in)
#define UNUSED_GET() do { (void)c; (void)o; (void)room; (void)now; } while (0)

/* Linux rt_tos2priority(): by the precedence-free upper bits of the TOS field. */
static int32_t tos_priority(uint8_t tos)
{
	static const uint8_t prio[] = { 0, 2, 6, 4 };

	return prio[tos >> 3 & 3];
}

/* __ip_sock_set_tos(): a stream's ECN bits belong to TCP. */
SET(set_tos)
{
	uint8_t tos = (uint8_t)((in->val & ~3) | (c->opt.tos & 3));

	(void)o;
	if (tos != c->opt.tos) {
		c->opt.tos = tos;
		c->opt.priority = tos_priority(tos);
	}
	return 0;
}

GET(get_tos)
{
	UNUSED_GET();
	return opt_int(v, c->opt.tos);
}

SET(set_ttl)
{
	(void)o;
	if (!in->len || (in->val != -1 && (in->val < 1 || in->val > 255)))
		return -EINVAL;
	c->opt.ttl = in->val == -1 ? 0 : (uint8_t)in->val;
	return 0;
}

GET(get_ttl)
{
	UNUSED_GET();
	return opt_int(v, c->opt.ttl ? c->opt.ttl : c->s->set.ip_default_ttl);
}

static int options_parse(const struct optset *in, struct ip_optset *out)
{
	if (in->len > IP_OPT_MAX)
		return -EINVAL;
	memset(out, 0, sizeof(*out));
	return in->len ? ip_opts_parse(in->p, in->len, out) : 0;
}

SET(set_options)
{
	struct ip_optset set;
	int err = options_parse(in, &set);

	(void)o;
	if (!err)
		err = tcp_set_ip_opts(c, &set);
	if (err)
		return err;
	if (!conn_in(c, ST(CLOSE) | ST(LISTEN)) && c->pmtu)
		tcp_sync_mss(c, c->pmtu);
	return 0;
}

GET(get_options)
{
	UNUSED_GET();
	memcpy(v->bytes, c->opt.rare->ip_opts.data, c->opt.rare->ip_opts.len);
	return c->opt.rare->ip_opts.len;
}

SET(set_mtu_discover)
{
	(void)o;
	if (in->val < IP_PMTUDISC_DONT || in->val > IP_PMTUDISC_OMIT)
		return -EINVAL;
	c->opt.pmtudisc = (uint8_t)in->val;
	return 0;
}

GET(get_mtu_discover)
{
	UNUSED_GET();
	return opt_int(v, c->opt.pmtudisc);
}

GET(get_mtu)
{
	UNUSED_GET();
	if (!c->has_route)
		return -ENOTCONN;
	return opt_int(v, (int32_t)ip_mtu(c->s, &c->rt, c->ent.t.raddr, now));
}

/* Flags for which an empty value is an error. */
SET(set_flag_nonempty)
{
	return in->len ? opt_set_flag(c, o, in) : -EINVAL;
}

SET(set_transparent)
{
	if (!in->len)
		return -EINVAL;
	if (in->val && !in->may_admin)
		return -EPERM;
	return opt_set_flag(c, o, in);
}

SET(set_inert_nonempty)
{
	return in->len ? opt_set_inert(c, o, in) : -EINVAL;
}

/* The bounds that the program gave, each 0 for none; conn_port_range() applies them. */
SET(set_local_port_range)
{
	uint16_t lo = (uint16_t)in->val, hi = (uint16_t)((uint32_t)in->val >> 16);

	struct tcp_rareopts *own;

	(void)o;
	if (in->len != sizeof(in->val) || (lo && hi && lo > hi))
		return -EINVAL;
	own = tcp_rareopts_own(c);
	if (!own)
		return -ENOMEM;
	own->port_range = (struct port_range){ lo, hi, lo || hi };
	return 0;
}

GET(get_local_port_range)
{
	UNUSED_GET();
	return opt_int(v, (int32_t)((uint32_t)c->opt.rare->port_range.hi << 16 | c->opt.rare->port_range.lo));
}

/* Datagrams only: for TCP Linux checks the interface and keeps it. */
SET(set_unicast_if)
{
	int ifindex = (int)ntohl((uint32_t)in->val);
	struct tcp_rareopts *own;
	bool is_there = !ifindex;

	(void)o;
	if (in->len != sizeof(in->val))
		return -EINVAL;
	for (int i = 0; i < c->s->niface; i++)
		is_there |= c->s->ifaces[i].oif == ifindex;
	if (!is_there)
		return -EADDRNOTAVAIL;
	own = tcp_rareopts_own(c);
	if (!own)
		return -ENOMEM;
	own->unicast_if = in->val;
	return 0;
}

GET(get_unicast_if)
{
	UNUSED_GET();
	return opt_int(v, c->opt.rare->unicast_if);
}

SET(set_minttl)
{
	struct tcp_rareopts *own;

	(void)o;
	if (!in->len || in->val < 0 || in->val > 255)
		return -EINVAL;
	own = tcp_rareopts_own(c);
	if (!own)
		return -ENOMEM;
	own->min_ttl = (uint8_t)in->val;
	return 0;
}

GET(get_minttl)
{
	UNUSED_GET();
	return opt_int(v, c->opt.rare->min_ttl);
}

/* inet_num: the local port. */
GET(get_protocol)
{
	ip4 addr;
	uint16_t port;

	UNUSED_GET();
	tcp_sockname(c, &addr, &port);
	return opt_int(v, port);
}

/* What the latest datagram came with: none has. */
GET(get_pktoptions)
{
	UNUSED_GET();
	(void)v;
	return 0;
}

static const struct sockopt rows[] = {
	{ IP_TOS, get_tos, set_tos, 0, 0, 0 },
	{ IP_TTL, get_ttl, set_ttl, 0, 0, 0 },
	{ IP_OPTIONS, get_options, set_options, 0, 0, 0 },
	{ IP_MTU, get_mtu, NULL, 0, 0, 0 },
	{ IP_MTU_DISCOVER, get_mtu_discover, set_mtu_discover, 0, 0, 0 },
	{ IP_RECVERR, OPT_FLAG(recverr) },
	{ IP_FREEBIND, opt_get_flag, set_flag_nonempty, offsetof(struct tcp_sockopts, freebind), 0, 0 },
	{ IP_TRANSPARENT, opt_get_flag, set_transparent, offsetof(struct tcp_sockopts, transparent),
	  0, 0 },
	{ IP_BIND_ADDRESS_NO_PORT, OPT_FLAG(bind_no_port) },
	{ IP_LOCAL_PORT_RANGE, get_local_port_range, set_local_port_range, 0, 0, 0 },
	{ IP_UNICAST_IF, get_unicast_if, set_unicast_if, 0, 0, 0 },
	{ IP_RECVOPTS, OPT_INERT(INERT_RECVOPTS) },
	{ IP_RETOPTS, OPT_INERT(INERT_RETOPTS) },
	{ IP_PKTINFO, OPT_INERT(INERT_PKTINFO) },
	{ IP_RECVTTL, OPT_INERT(INERT_RECVTTL) },
	{ IP_RECVTOS, OPT_INERT(INERT_RECVTOS) },
	{ IP_PASSSEC, OPT_INERT(INERT_PASSSEC) },
	{ IP_RECVORIGDSTADDR, OPT_INERT(INERT_RECVORIGDSTADDR) },
	{ IP_CHECKSUM, OPT_INERT(INERT_CHECKSUM) },
	{ IP_RECVERR_RFC4884, OPT_INERT_STRICT(INERT_RECVERR_RFC4884) },
	{ IP_MULTICAST_LOOP, opt_get_inert, set_inert_nonempty, INERT_MULTICAST_LOOP, 0, 0 },
	{ IP_MULTICAST_ALL, opt_get_inert, set_inert_nonempty, INERT_MULTICAST_ALL, 0, 1 },
	{ IP_MULTICAST_TTL, opt_get_const, opt_set_refuse, EINVAL, 1, 1 },
	{ IP_ROUTER_ALERT, opt_get_const, opt_set_refuse, EINVAL, 0, 0 },
	{ IP_RECVFRAGSIZE, opt_get_const, opt_set_refuse, EINVAL, 0, 0 },
	{ IP_MINTTL, get_minttl, set_minttl, 0, 0, 0 },
	{ IP_PROTOCOL, get_protocol, NULL, 0, 0, 0 },
	{ IP_PKTOPTIONS, get_pktoptions, NULL, 0, 0, 0 },
	{ IP_MULTICAST_IF, opt_get_const, opt_set_refuse, EINVAL, 0, 0 },
	{ IP_UNBLOCK_SOURCE, NULL, opt_set_refuse, EINVAL, 0, 0 },
	{ IP_BLOCK_SOURCE, NULL, opt_set_refuse, EINVAL, 0, 0 },
	{ IP_ADD_SOURCE_MEMBERSHIP, NULL, opt_set_refuse, EINVAL, 0, 0 },
	{ IP_DROP_SOURCE_MEMBERSHIP, NULL, opt_set_refuse, EINVAL, 0, 0 },
	{ MCAST_JOIN_GROUP, NULL, opt_set_refuse, EINVAL, 0, 0 },
	{ MCAST_BLOCK_SOURCE, NULL, opt_set_refuse, EINVAL, 0, 0 },
	{ MCAST_UNBLOCK_SOURCE, NULL, opt_set_refuse, EINVAL, 0, 0 },
	{ MCAST_LEAVE_GROUP, NULL, opt_set_refuse, EINVAL, 0, 0 },
	{ MCAST_JOIN_SOURCE_GROUP, NULL, opt_set_refuse, EINVAL, 0, 0 },
	{ MCAST_LEAVE_SOURCE_GROUP, NULL, opt_set_refuse, EINVAL, 0, 0 },
	{ IP_ADD_MEMBERSHIP, NULL, opt_set_refuse, EPROTO, 0, 0 },
	{ IP_DROP_MEMBERSHIP, NULL, opt_set_refuse, EPROTO, 0, 0 },
	{ IP_HDRINCL, opt_get_const, NULL, 0, 0, 0 },
	{ IP_NODEFRAG, opt_get_const, NULL, 0, 0, 0 },
};

const struct opt_table opt_ip = { rows, ARRAY_LEN(rows) };
