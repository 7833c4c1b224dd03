/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ip_route.c - the way to a destination: route, source address, MTU.
 *
 * ip_route() makes the checks of Linux's ip_route_output_key_hash() in its order, so
 * that connect() fails with the same errno.  Local addresses need no table of their
 * own: stack.addrs is asked first, as the local table is by the kernel's rules.
 */
#include "ip.h"

#include <errno.h>

#include "pmtu.h"
#include "stack_impl.h"

#define IP_LIMITED_BROADCAST 0xffffffffu
#define IP_LOOPBACK_BROADCAST 0x7fffffffu
#define TOS_DSCP_MASK 0xfc

static bool is_multicast(ip4 a)
{
	return a >> 28 == 0xe;
}

static bool has_loopback(const struct stack *s)
{
	return s->loopback.iface >= 0;
}

/* All of 127/8 but its broadcast address is local where there is a loopback interface. */
static const struct local_addr *find_addr(const struct stack *s, ip4 a)
{
	if (ip_is_loopback(a))
		return has_loopback(s) && a != IP_LOOPBACK_BROADCAST ? &s->loopback : NULL;
	for (uint32_t i = 0; i < s->naddr; i++)
		if (s->addrs[i].addr == a)
			return &s->addrs[i];
	return NULL;
}

enum ip_addr_kind ip_addr_kind(const struct stack *s, ip4 a)
{
	const struct local_addr *la = find_addr(s, a);

	if (!la)
		return IP_ADDR_NONE;
	return la->is_own ? IP_ADDR_OWN : IP_ADDR_SHARED;
}

/* The directed broadcast of a subnet of ours; /31 and /32 have none (RFC 3021). */
static bool is_subnet_broadcast(const struct stack *s, ip4 a)
{
	for (uint32_t i = 0; i < s->naddr; i++) {
		const struct local_addr *la = &s->addrs[i];

		if (la->plen < 31 && a == (la->addr | ~plen_mask(la->plen)))
			return true;
	}
	return has_loopback(s) && a == IP_LOOPBACK_BROADCAST;
}

bool ip_is_unicast(const struct stack *s, ip4 a)
{
	return a != 0 && a != IP_LIMITED_BROADCAST && !is_multicast(a) && !is_subnet_broadcast(s, a);
}

ip4 ip_select_addr(const struct stack *s, int iface, ip4 dst)
{
	ip4 first = 0;

	for (uint32_t i = 0; i < s->naddr; i++) {
		const struct local_addr *la = &s->addrs[i];

		if (la->iface != iface)
			continue;
		if (!((la->addr ^ dst) & plen_mask(la->plen)))
			return la->addr;
		if (!first)
			first = la->addr;
	}
	return first;
}

/* fib_result_prefsrc(): the route's own choice, else by the next hop; an interface without
 * an address borrows one of another. */
static ip4 choose_source(const struct stack *s, int iface, ip4 prefsrc, ip4 next_hop)
{
	ip4 src;

	if (prefsrc && find_addr(s, prefsrc))
		return prefsrc;
	src = ip_select_addr(s, iface, next_hop);
	return src || s->naddr == 0 ? src : s->addrs[0].addr;
}

/* fib_props[]: what a route of this type gives to one who looks it up. */
static int type_error(uint8_t type)
{
	switch (type) {
	case ROUTE_UNREACHABLE:
		return -EHOSTUNREACH;
	case ROUTE_PROHIBIT:
		return -EACCES;
	case ROUTE_BLACKHOLE:
		return -EINVAL;
	case ROUTE_THROW:
		return -ENETUNREACH;
	default:
		return 0;
	}
}

/* A dead next hop is passed over (RTNH_F_DEAD); routes without one are never dead. */
static bool is_usable(const struct stack *s, const struct route *r)
{
	if (type_error(r->type))
		return true;
	return r->iface >= 0 && r->iface < s->niface && s->ifaces[r->iface].is_up;
}

static const struct route *look_up(const struct stack *s, ip4 dst, uint8_t tos, int oif)
{
	const struct route *r = route_lookup(&s->routes, dst, tos, oif);

	while (r && !is_usable(s, r))
		r = route_next(&s->routes, r, dst, tos, oif);
	return r;
}

static int check_source(const struct stack *s, ip4 src)
{
	if (is_multicast(src) || src == IP_LIMITED_BROADCAST)
		return -EINVAL;
	return find_addr(s, src) ? 0 : -EINVAL;
}

static int check_oif(const struct stack *s, int oif)
{
	if (oif >= s->niface)
		return -ENODEV;
	return s->ifaces[oif].is_up ? 0 : -ENETUNREACH;
}

static uint32_t clamp_mtu(uint32_t route_mtu, uint32_t iface_mtu)
{
	uint32_t mtu = route_mtu ? route_mtu : iface_mtu;

	return MAX(MIN(mtu, IP_TOTAL_MAX), IP_MTU_MIN);
}

/* __mkroute_output(): the type follows from the destination whatever the table says. */
static int finish(const struct stack *s, ip4 dst, struct ip_route *out)
{
	if (ip_is_loopback(out->src) && out->iface != s->loopback.iface)
		return -EINVAL;
	if (dst == IP_LIMITED_BROADCAST || is_subnet_broadcast(s, dst))
		out->type = ROUTE_BROADCAST;
	else if (is_multicast(dst))
		out->type = ROUTE_MULTICAST;
	else if (dst == 0)
		return -EINVAL;
	if (out->type == ROUTE_BROADCAST || out->type == ROUTE_MULTICAST)
		out->next_hop = dst;
	out->gen = s->routes.gen;
	if (!out->mtu)
		out->mtu = clamp_mtu(0, s->ifaces[out->iface].mtu);
	return 0;
}

static void by_table(const struct stack *s, const struct route *r, ip4 dst, struct ip_route *out)
{
	out->iface = r->iface;
	out->next_hop = r->gateway ? r->gateway : dst;
	out->type = r->type;
	if (!out->src)
		out->src = choose_source(s, r->iface, r->prefsrc, out->next_hop);
	out->mtu = clamp_mtu(r->mtu, s->ifaces[r->iface].mtu);
	out->mtu_locked = r->mtu_locked;
	out->advmss = r->advmss;
	out->initcwnd = r->initcwnd;
	out->initrwnd = r->initrwnd;
	out->rto_min_ms = r->rto_min_ms;
	out->window = r->window;
	out->quickack = r->quickack;
}

static void by_interface(const struct stack *s, int oif, ip4 dst, struct ip_route *out)
{
	out->iface = oif;
	out->next_hop = dst;
	out->type = ROUTE_UNICAST;
	if (!out->src)
		out->src = choose_source(s, oif, 0, dst);
}

static void by_local(const struct stack *s, const struct local_addr *la, ip4 dst, struct ip_route *out)
{
	out->iface = has_loopback(s) ? s->loopback.iface : la->iface;
	out->next_hop = dst;
	out->type = ROUTE_LOCAL;
	if (!out->src)
		out->src = la->addr;
}

int ip_route(struct stack *s, ip4 dst, ip4 src, int oif, uint8_t tos, struct ip_route *out)
{
	const struct local_addr *la;
	const struct route *r;
	int err;

	memset(out, 0, sizeof(*out));
	if (src && (err = check_source(s, src)) < 0)
		return err;
	if (oif >= 0 && (err = check_oif(s, oif)) < 0)
		return err;
	out->src = src;
	la = find_addr(s, dst);
	r = la ? NULL : look_up(s, dst, tos & TOS_DSCP_MASK, oif);
	if (la)
		by_local(s, la, dst, out);
	else if (r && (err = type_error(r->type)) < 0)
		return err;
	else if (r)
		by_table(s, r, dst, out);
	else if (oif >= 0)
		by_interface(s, oif, dst, out);   /* "assume that the destination is on link" */
	else
		return -ENETUNREACH;
	return finish(s, dst, out);
}

/* ---- path MTU ---- */

static const struct pmtu *exception(const struct stack *s, ip4 dst, xtime now)
{
	return s->pmtus ? pmtu_find(s->pmtus, dst, now) : NULL;
}

uint32_t ip_mtu(struct stack *s, const struct ip_route *rt, ip4 dst, xtime now)
{
	const struct pmtu *p = rt->mtu_locked ? NULL : exception(s, dst, now);

	return p && p->mtu < rt->mtu ? p->mtu : rt->mtu;
}

bool ip_may_set_df(struct stack *s, const struct ip_route *rt, ip4 dst, xtime now)
{
	const struct pmtu *p = exception(s, dst, now);

	return !rt->mtu_locked && !(p && p->is_locked);
}

/* __ip_rt_update_pmtu() */
void ip_set_pmtu(struct stack *s, ip4 dst, uint32_t mtu, xtime now)
{
	xtime expires = s->set.mtu_expires * XTIME_SEC;
	uint32_t min_pmtu = (uint32_t)s->set.min_pmtu;
	struct pmtu p = { .dst = dst, .mtu = mtu, .expires = now + expires };
	const struct pmtu *known;
	struct ip_route rt;
	uint32_t old;

	if (ip_route(s, dst, 0, -1, 0, &rt) < 0 || rt.mtu_locked)
		return;
	old = ip_mtu(s, &rt, dst, now);
	if (old < mtu)
		return;
	if (mtu < min_pmtu) {
		p.is_locked = true;
		p.mtu = MIN(old, min_pmtu);
	}
	known = exception(s, dst, now);
	if (known && known->mtu == p.mtu && !p.is_locked && now < known->expires - expires / 2)
		return;
	if (!s->pmtus)
		s->pmtus = pmtus_new(&s->key_ip);
	if (s->pmtus)
		pmtu_set(s->pmtus, &p, now);
}
