/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * host.c - the kernel's links, addresses, routes and neighbours by rtnetlink.
 *
 * Changes come on a socket that is subscribed for good; dumps are asked for on one of
 * their own, so that answers and changes never mix.  Subscribing before the first dump
 * leaves no gap; what changes meanwhile is reported twice, which is harmless.
 *
 * Linux does not announce every change of its IPv4 routes: those that go with a
 * link or with an address vanish silently (fib_sync_down_dev, fib_sync_down_addr), and
 * a replaced one is announced as new only.  After each such event the caller is told to
 * dump again, by ops->overrun.
 */
#include "host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nl.h"
#include "rawcall.h"

/* IFLA_GSO_IPV4_MAX_SIZE (Linux 6.3), which older headers lack. */
#define LINK_GSO_IPV4_MAX_SIZE 63

struct host {
	struct nl nl;                /* subscribed */
	const struct host_ops *ops;  /* the caller's */
	void *ctx;
	bool is_stale;               /* something vanished unannounced */
};

struct host_sink {
	const struct host_ops *ops;
	void *ctx;
	bool is_stale;
};

/* ---- attributes ---- */

struct attrs {
	const struct nlattr **v;     /* by type */
	unsigned max;
};

static int keep_attr(const struct nlattr *a, void *data)
{
	struct attrs *t = data;

	if (mnl_attr_get_type(a) < t->max)
		t->v[mnl_attr_get_type(a)] = a;
	return MNL_CB_OK;
}

/* Of duplicates the last counts, as in the kernel. */
static void collect(const struct nlmsghdr *m, size_t fixed, const struct nlattr **v, unsigned max)
{
	struct attrs t = { v, max };

	memset(v, 0, max * sizeof(*v));
	mnl_attr_parse(m, (unsigned)fixed, keep_attr, &t);
}

static void collect_nested(const struct nlattr *nest, const struct nlattr **v, unsigned max)
{
	struct attrs t = { v, max };

	memset(v, 0, max * sizeof(*v));
	if (nest)
		mnl_attr_parse_nested(nest, keep_attr, &t);
}

static uint32_t get_u32(const struct nlattr *a)
{
	return a && mnl_attr_get_payload_len(a) >= 4 ? mnl_attr_get_u32(a) : 0;
}

static uint32_t get_ip4(const struct nlattr *a)
{
	return ntohl(get_u32(a));
}

static bool get_mac(const struct nlattr *a, uint8_t mac[6])
{
	if (!a || mnl_attr_get_payload_len(a) != 6)
		return false;
	memcpy(mac, mnl_attr_get_payload(a), 6);
	return true;
}

static bool has_fixed(const struct nlmsghdr *m, size_t len)
{
	return mnl_nlmsg_get_payload_len(m) >= len;
}

/* ---- one object of each kind; false: not one that we report ---- */

static bool parse_link(const struct nlmsghdr *m, struct host_link *l)
{
	const struct ifinfomsg *i = mnl_nlmsg_get_payload(m);
	const struct nlattr *t[LINK_GSO_IPV4_MAX_SIZE + 1];
	uint32_t max4;

	if (!has_fixed(m, sizeof(*i)) || i->ifi_family != AF_UNSPEC)
		return false;
	collect(m, sizeof(*i), t, LINK_GSO_IPV4_MAX_SIZE + 1);
	memset(l, 0, sizeof(*l));
	l->ifindex = i->ifi_index;
	l->flags = i->ifi_flags;
	l->type = i->ifi_type;
	if (t[IFLA_IFNAME])
		strncpy(l->name, mnl_attr_get_str(t[IFLA_IFNAME]), sizeof(l->name) - 1);
	get_mac(t[IFLA_ADDRESS], l->mac);
	l->mtu = get_u32(t[IFLA_MTU]);
	l->gso_max = get_u32(t[IFLA_GSO_MAX_SIZE]);
	max4 = get_u32(t[LINK_GSO_IPV4_MAX_SIZE]);
	if (max4 && max4 < l->gso_max)
		l->gso_max = max4;
	return true;
}

static bool parse_addr(const struct nlmsghdr *m, struct host_addr *a)
{
	const struct ifaddrmsg *i = mnl_nlmsg_get_payload(m);
	const struct nlattr *t[IFA_MAX + 1];

	if (!has_fixed(m, sizeof(*i)) || i->ifa_family != AF_INET)
		return false;
	collect(m, sizeof(*i), t, IFA_MAX + 1);
	/* IFA_LOCAL is ours; IFA_ADDRESS is the peer's on point-to-point links. */
	*a = (struct host_addr){
		.ifindex = (int)i->ifa_index,
		.addr = get_ip4(t[IFA_LOCAL] ? t[IFA_LOCAL] : t[IFA_ADDRESS]),
		.plen = i->ifa_prefixlen,
		.is_secondary = i->ifa_flags & IFA_F_SECONDARY,
		.scope = i->ifa_scope,
	};
	return a->addr != 0;
}

static bool parse_neigh(const struct nlmsghdr *m, struct host_neigh *n)
{
	const struct ndmsg *d = mnl_nlmsg_get_payload(m);
	const struct nlattr *t[NDA_MAX + 1];

	if (!has_fixed(m, sizeof(*d)) || d->ndm_family != AF_INET)
		return false;
	collect(m, sizeof(*d), t, NDA_MAX + 1);
	*n = (struct host_neigh){
		.ifindex = d->ndm_ifindex,
		.addr = get_ip4(t[NDA_DST]),
		.state = d->ndm_state,
	};
	n->has_mac = get_mac(t[NDA_LLADDR], n->mac);
	return t[NDA_DST] && !(d->ndm_flags & NTF_PROXY);
}

static void parse_metrics(const struct nlattr *nest, struct host_route *r)
{
	const struct nlattr *t[RTAX_MAX + 1];

	collect_nested(nest, t, RTAX_MAX + 1);
	r->mtu = get_u32(t[RTAX_MTU]);
	r->mtu_locked = get_u32(t[RTAX_LOCK]) & 1u << RTAX_MTU;
	r->advmss = get_u32(t[RTAX_ADVMSS]);
	r->initcwnd = get_u32(t[RTAX_INITCWND]);
	r->initrwnd = get_u32(t[RTAX_INITRWND]);
	r->rto_min_ms = get_u32(t[RTAX_RTO_MIN]);
	r->window = get_u32(t[RTAX_WINDOW]);
	r->quickack = get_u32(t[RTAX_QUICKACK]) != 0;
}

/* All but the next hop, which may be one of several; *t is left filled. */
static bool parse_route(const struct nlmsghdr *m, struct host_route *r, const struct nlattr **t)
{
	const struct rtmsg *rt = mnl_nlmsg_get_payload(m);
	uint32_t table;

	if (!has_fixed(m, sizeof(*rt)) || rt->rtm_family != AF_INET || rt->rtm_flags & RTM_F_CLONED)
		return false;
	collect(m, sizeof(*rt), t, RTA_MAX + 1);
	table = t[RTA_TABLE] ? get_u32(t[RTA_TABLE]) : rt->rtm_table;
	if (table != RT_TABLE_MAIN && table != RT_TABLE_LOCAL)
		return false;
	*r = (struct host_route){
		.dst = get_ip4(t[RTA_DST]),
		.plen = rt->rtm_dst_len,
		.type = rt->rtm_type,
		.tos = rt->rtm_tos,
		.table = (uint8_t)table,
		.prefsrc = get_ip4(t[RTA_PREFSRC]),
		.metric = get_u32(t[RTA_PRIORITY]),
	};
	parse_metrics(t[RTA_METRICS], r);
	return true;
}

/* ---- messages to calls ---- */

static void tell_hop(const struct host_sink *s, struct host_route *r, int ifindex,
                     const struct nlattr *gateway, const struct nlattr *via, unsigned flags,
                     bool is_del)
{
	/* An IPv6 next hop (RTA_VIA) is nothing that we could resolve; the kernel doesn't use a
	 * dead one either. */
	if (via || (!is_del && flags & RTNH_F_DEAD))
		return;
	r->ifindex = ifindex;
	r->gateway = get_ip4(gateway);
	s->ops->route(s->ctx, r, is_del);
}

static void tell_hops(const struct host_sink *s, struct host_route *r, const struct nlattr *multi,
                      bool is_del)
{
	const char *at = mnl_attr_get_payload(multi);
	size_t left = mnl_attr_get_payload_len(multi);

	while (left >= sizeof(struct rtnexthop)) {
		const struct rtnexthop *h = (const struct rtnexthop *)at;
		const struct nlattr *t[RTA_MAX + 1];
		struct attrs hop = { t, RTA_MAX + 1 };
		size_t step;

		if (h->rtnh_len < sizeof(*h) || h->rtnh_len > left)
			return;
		memset(t, 0, sizeof(t));
		mnl_attr_parse_payload(at + sizeof(*h), h->rtnh_len - sizeof(*h), keep_attr, &hop);
		tell_hop(s, r, h->rtnh_ifindex, t[RTA_GATEWAY], t[RTA_VIA], h->rtnh_flags, is_del);
		step = (size_t)RTNH_ALIGN(h->rtnh_len);
		if (left < step)
			return;
		at += step;
		left -= step;
	}
}

static void tell_route(struct host_sink *s, const struct nlmsghdr *m)
{
	const struct rtmsg *rt = mnl_nlmsg_get_payload(m);
	const struct nlattr *t[RTA_MAX + 1];
	bool is_del = m->nlmsg_type == RTM_DELROUTE;
	struct host_route r;

	if (!s->ops->route || !parse_route(m, &r, t))
		return;
	if (m->nlmsg_flags & NLM_F_REPLACE)
		s->is_stale = true;
	if (t[RTA_MULTIPATH])
		tell_hops(s, &r, t[RTA_MULTIPATH], is_del);
	else
		tell_hop(s, &r, (int)get_u32(t[RTA_OIF]), t[RTA_GATEWAY], t[RTA_VIA], rt->rtm_flags,
		         is_del);
}

static void tell_link(struct host_sink *s, const struct nlmsghdr *m)
{
	bool is_del = m->nlmsg_type == RTM_DELLINK;
	struct host_link l;

	if (!parse_link(m, &l))
		return;
	if (is_del || !(l.flags & IFF_UP) || !(l.flags & IFF_RUNNING))
		s->is_stale = true;
	if (s->ops->link)
		s->ops->link(s->ctx, &l, is_del);
}

static void tell_addr(struct host_sink *s, const struct nlmsghdr *m)
{
	bool is_del = m->nlmsg_type == RTM_DELADDR;
	struct host_addr a;

	if (!parse_addr(m, &a))
		return;
	if (is_del)
		s->is_stale = true;
	if (s->ops->addr)
		s->ops->addr(s->ctx, &a, is_del);
}

static void tell_neigh(struct host_sink *s, const struct nlmsghdr *m)
{
	struct host_neigh n;

	if (s->ops->neigh && parse_neigh(m, &n))
		s->ops->neigh(s->ctx, &n, m->nlmsg_type == RTM_DELNEIGH);
}

static int on_message(const struct nlmsghdr *m, void *ctx)
{
	switch (m->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		tell_link(ctx, m);
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		tell_addr(ctx, m);
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		tell_route(ctx, m);
		break;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		tell_neigh(ctx, m);
		break;
	}
	return MNL_CB_OK;
}

/* ---- dumps ---- */

/* Asks for all of one kind: the message (RTM_GET*) and how long its fixed part is. */
static int dump_kind(struct nl *nl, uint16_t type, size_t fixed, struct host_sink *s)
{
	char buf[256];
	struct nlmsghdr *m;
	struct rtgenmsg *g;
	int tries, err = -EINTR;

	/* Torn by a change: once more, but not for ever on a host that changes all the time. */
	for (tries = 0; err == -EINTR && tries < 8; tries++) {
		m = mnl_nlmsg_put_header(buf);
		m->nlmsg_type = type;
		m->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
		g = mnl_nlmsg_put_extra_header(m, fixed);
		g->rtgen_family = type == RTM_GETLINK ? AF_UNSPEC : AF_INET;
		err = nl_request(nl, m, on_message, s);
	}
	return err == -EINTR ? 0 : err;
}

static int dump(struct host_sink *s)
{
	struct nl nl;
	int err;

	err = nl_open(&nl, NETLINK_ROUTE, 0);
	if (err)
		return err;
	err = dump_kind(&nl, RTM_GETLINK, sizeof(struct ifinfomsg), s);
	if (!err && s->ops->addr)
		err = dump_kind(&nl, RTM_GETADDR, sizeof(struct ifaddrmsg), s);
	if (!err && s->ops->route)
		err = dump_kind(&nl, RTM_GETROUTE, sizeof(struct rtmsg), s);
	if (!err && s->ops->neigh)
		err = dump_kind(&nl, RTM_GETNEIGH, sizeof(struct ndmsg), s);
	nl_close(&nl);
	return err;
}

int host_dump(struct host *h)
{
	struct host_sink s = { h->ops, h->ctx, false };

	return dump(&s);
}

/* ---- changes ---- */

int host_open(struct host **out, const struct host_ops *ops, void *ctx)
{
	struct host *h = calloc(1, sizeof(*h));
	int err;

	if (!h)
		return -ENOMEM;
	h->ops = ops;
	h->ctx = ctx;
	err = nl_open(&h->nl, NETLINK_ROUTE,
	              RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE);
	if (err) {
		free(h);
		return err;
	}
	*out = h;
	return 0;
}

void host_close(struct host *h)
{
	if (!h)
		return;
	nl_close(&h->nl);
	free(h);
}

int host_fd(const struct host *h)
{
	return h->nl.fd;
}

int host_read(struct host *h)
{
	struct host_sink s = { h->ops, h->ctx, false };
	int err = 0;

	for (;;) {
		ssize_t n = raw_recv(h->nl.fd, h->nl.buf, NL_BUFFER, MSG_DONTWAIT);

		if (n == -EINTR)
			continue;
		if (n == -ENOBUFS) {
			s.is_stale = true;
			continue;
		}
		if (n < 0) {
			err = n == -EAGAIN ? 0 : (int)n;
			break;
		}
		mnl_cb_run(h->nl.buf, (size_t)n, 0, 0, on_message, &s);
	}
	if (s.is_stale && h->ops->overrun)
		h->ops->overrun(h->ctx);
	return err;
}

/* ---- choosing an interface ---- */

static int on_one_link(const struct nlmsghdr *m, void *ctx)
{
	return m->nlmsg_type == RTM_NEWLINK && !parse_link(m, ctx) ? MNL_CB_ERROR : MNL_CB_OK;
}

/* By name, or by number when name is NULL. */
static int get_link(const char *name, int ifindex, struct host_link *l)
{
	char buf[256];
	struct nlmsghdr *m = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *i;
	struct nl nl;
	int err;

	err = nl_open(&nl, NETLINK_ROUTE, 0);
	if (err)
		return err;
	m->nlmsg_type = RTM_GETLINK;
	m->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	i = mnl_nlmsg_put_extra_header(m, sizeof(*i));
	i->ifi_index = ifindex;
	if (name)
		mnl_attr_put_strz(m, IFLA_IFNAME, name);
	err = nl_request(&nl, m, on_one_link, l);
	nl_close(&nl);
	return err;
}

int host_find_link(const char *name, struct host_link *l)
{
	if (!*name || strlen(name) >= IF_NAMESIZE)
		return -ENODEV;
	return get_link(name, 0, l);
}

int host_get_link(int ifindex, struct host_link *l)
{
	return ifindex > 0 ? get_link(NULL, ifindex, l) : -ENODEV;
}

/* What a dump tells about the interface to use. */
struct choice {
	struct host_link up;         /* the last that is up and not loopback */
	unsigned nup;
	int ifindex;                 /* of the best default route, 0: none */
	uint32_t metric;
};

static void choose_by_link(void *ctx, const struct host_link *l, bool is_del)
{
	struct choice *c = ctx;

	if (is_del || !(l->flags & IFF_UP) || l->flags & IFF_LOOPBACK)
		return;
	c->up = *l;
	c->nup++;
}

static void choose_by_route(void *ctx, const struct host_route *r, bool is_del)
{
	struct choice *c = ctx;

	if (is_del || r->plen || r->type != RTN_UNICAST || r->table != RT_TABLE_MAIN || !r->ifindex)
		return;
	if (!c->ifindex || r->metric < c->metric) {
		c->ifindex = r->ifindex;
		c->metric = r->metric;
	}
}

int host_default_link(struct host_link *l)
{
	static const struct host_ops ops = { .link = choose_by_link, .route = choose_by_route };
	struct choice c = { .nup = 0 };
	struct host_sink s = { &ops, &c, false };
	int err;

	err = dump(&s);
	if (err)
		return err;
	if (c.ifindex)
		return host_get_link(c.ifindex, l);
	if (c.nup != 1)
		return c.nup ? -ENOTUNIQ : -ENODEV;
	*l = c.up;
	return 0;
}

struct name_list {
	char *buf;
	size_t len, used;
};

static void list_name(void *ctx, const struct host_link *l, bool is_del)
{
	struct name_list *n = ctx;
	int w;

	if (is_del || n->used >= n->len)
		return;
	w = snprintf(n->buf + n->used, n->len - n->used, "%s%s", n->used ? ", " : "", l->name);
	n->used += w > 0 ? (size_t)w : 0;
}

void host_link_names(char *buf, size_t len)
{
	static const struct host_ops ops = { .link = list_name };
	struct name_list n = { buf, len, 0 };
	struct host_sink s = { &ops, &n, false };

	if (len)
		*buf = '\0';
	dump(&s);
}
