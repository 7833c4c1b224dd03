/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_host.c - feeds what the host knows of the network into the stack.
 *
 * Shared address: the addresses, routes and neighbours of our interface are the
 * stack's.  Own addresses: only the link is the host's, and its routes where no
 * gateway was given.  Where the host routes by another interface than the one that
 * we chose ourselves, the stack gets a route that says "unreachable": to
 * send such a packet to our default router would be wrong.  An interface that
 * was named is used for everything.
 *
 * The kernel removes IPv4 routes without a message when a link goes down or an
 * address goes; after such news everything is read again, and addresses that the new
 * dump doesn't have are removed.
 */
#include "engine_impl.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "afpacket.h"
#include "guard.h"
#include "host.h"
#include "sys.h"

static bool has_own(const struct engine *e)
{
	return e->cfg.naddr > 0;
}

/* ---- the link ---- */

int engine_link_sync(struct engine *e)
{
	const struct netif_info *info = &e->nif->info;
	struct stack_iface i = { 0 };
	int r;

	e->is_link_stale = false;
	r = netif_refresh(e->nif);
	memcpy(i.mac, has_own(e) && info->link == NETIF_ETHER ? e->cfg.mac : info->mac, sizeof(i.mac));
	i.has_link = info->link == NETIF_ETHER;
	i.has_arp = info->has_arp;
	i.is_up = !r && info->is_up;
	i.can_offload = info->has_vnet;
	i.mtu = info->mtu;
	i.gso_max = info->gso_max;
	i.returns_own = e->hairpin >= 0;
	i.oif = info->ifindex;
	memcpy(i.name, info->name, sizeof(i.name) - 1);
	if (e->iface < 0) {
		e->iface = stack_add_iface(e->stack, &i);
		return MIN(e->iface, 0);
	}
	return stack_set_iface(e->stack, e->iface, &i);
}

static void on_link(void *ctx, const struct host_link *l, bool is_del)
{
	struct engine *e = ctx;

	if (l->ifindex != e->nif->info.ifindex)
		return;
	if (is_del)
		engine_log(e, LOG_ERR, "interface %s is gone", l->name);
	engine_link_sync(e);
	engine_own_update(e);
	e->is_host_stale = true;
}

/* ---- addresses ---- */

static int shared_find(const struct engine *e, ip4 addr)
{
	unsigned i;

	for (i = 0; i < e->nshared; i++)
		if (e->shared[i].addr == addr)
			return (int)i;
	return -1;
}

static void shared_add(struct engine *e, const struct host_addr *a)
{
	unsigned cap = e->shared_cap ? 2 * e->shared_cap : 8;
	struct local_prefix *v;
	bool *seen;

	if (e->nshared == e->shared_cap) {
		v = realloc(e->shared, cap * sizeof(*v));
		if (v)
			e->shared = v;
		seen = realloc(e->shared_seen, cap * sizeof(*seen));
		if (seen)
			e->shared_seen = seen;
		if (!v || !seen)
			return;
		e->shared_cap = cap;
	}
	if (stack_add_addr(e->stack, e->iface, a->addr, a->plen, false, e->now) < 0)
		return;
	e->shared[e->nshared] = (struct local_prefix){ a->addr, a->plen, a->ifindex };
	e->shared_seen[e->nshared++] = true;
	e->is_filter_stale = true;
}

static void shared_del(struct engine *e, unsigned i)
{
	stack_del_addr(e->stack, e->iface, e->shared[i].addr, e->now);
	e->nshared--;
	e->shared[i] = e->shared[e->nshared];
	e->shared_seen[i] = e->shared_seen[e->nshared];
	e->is_filter_stale = true;
}

static void on_addr(void *ctx, const struct host_addr *a, bool is_del)
{
	struct engine *e = ctx;
	int i;

	if (has_own(e) || a->ifindex != e->nif->info.ifindex)
		return;
	i = shared_find(e, a->addr);
	if (is_del) {
		if (i >= 0)
			shared_del(e, (unsigned)i);
		e->is_host_stale = true;
	} else if (i >= 0) {
		e->shared_seen[i] = true;
	} else {
		shared_add(e, a);
	}
}

/* ---- routes ---- */

static void locals_change(struct engine *e, const struct host_route *r, bool is_del)
{
	struct local_prefix p = { r->dst, r->plen, r->ifindex }, *v;
	unsigned i;

	for (i = 0; i < e->nlocal; i++) {
		v = &e->locals[i];
		if (v->addr == p.addr && v->plen == p.plen && v->ifindex == p.ifindex)
			break;
	}
	if (is_del) {
		if (i < e->nlocal)
			e->locals[i] = e->locals[--e->nlocal];
		return;
	}
	if (i < e->nlocal)
		return;
	if (e->nlocal == e->local_cap) {
		v = realloc(e->locals, (2 * e->local_cap + 8) * sizeof(*v));
		if (!v)
			return;
		e->locals = v;
		e->local_cap = 2 * e->local_cap + 8;
	}
	e->locals[e->nlocal++] = p;
}

/* -1: not a kind of route that says anything about where packets go. */
static int route_kind(unsigned char rtn)
{
	switch (rtn) {
	case RTN_UNICAST:
		return ROUTE_UNICAST;
	case RTN_BROADCAST:
		return ROUTE_BROADCAST;
	case RTN_MULTICAST:
		return ROUTE_MULTICAST;
	case RTN_UNREACHABLE:
		return ROUTE_UNREACHABLE;
	case RTN_PROHIBIT:
		return ROUTE_PROHIBIT;
	case RTN_BLACKHOLE:
		return ROUTE_BLACKHOLE;
	case RTN_THROW:
		return ROUTE_THROW;
	default:
		return -1;
	}
}

/* Whether the stack is to have this route; by another interface it becomes ROUTE_THROW. */
static bool is_wanted(const struct engine *e, const struct host_route *r, uint8_t *type)
{
	int kind = route_kind(r->type);
	bool is_ours = r->ifindex == e->nif->info.ifindex;

	if (kind < 0 || (has_own(e) && e->cfg.gateway))
		return false;
	*type = (uint8_t)kind;
	if (kind == ROUTE_UNICAST && !is_ours) {
		*type = ROUTE_THROW;
		return e->is_auto && r->plen > 0;
	}
	return is_ours || kind >= ROUTE_UNREACHABLE;
}

static void on_route(void *ctx, const struct host_route *r, bool is_del)
{
	struct engine *e = ctx;
	struct route rt = { 0 };

	if (r->type == RTN_LOCAL) {
		locals_change(e, r, is_del);
		return;
	}
	if (!is_wanted(e, r, &rt.type))
		return;
	rt.dst = r->dst;
	rt.plen = r->plen;
	rt.tos = r->tos;
	rt.iface = e->iface;
	rt.gateway = rt.type == ROUTE_UNICAST ? r->gateway : 0;
	rt.prefsrc = has_own(e) ? 0 : r->prefsrc;
	rt.metric = r->metric;
	rt.mtu = r->mtu;
	rt.mtu_locked = r->mtu_locked;
	rt.advmss = r->advmss;
	rt.initcwnd = r->initcwnd;
	rt.initrwnd = r->initrwnd;
	rt.rto_min_ms = r->rto_min_ms;
	rt.window = r->window;
	rt.quickack = r->quickack;
	if (is_del)
		stack_del_route(e->stack, &rt);
	else if (stack_add_route(e->stack, &rt) < 0)
		engine_log(e, LOG_WARNING, "a route of the host was left out: no memory");
}

/* Routes that were given: the gateway and --route. */
static int add_given_routes(struct engine *e)
{
	struct route rt = { .type = ROUTE_UNICAST, .iface = e->iface };
	unsigned i;
	int r = 0;

	if (e->cfg.gateway) {
		rt.gateway = e->cfg.gateway;
		r = stack_add_route(e->stack, &rt);
	}
	for (i = 0; i < e->cfg.nroute && !r; i++) {
		rt.dst = e->cfg.routes[i].dst.addr;
		rt.plen = e->cfg.routes[i].dst.plen;
		rt.gateway = e->cfg.routes[i].gateway;
		r = stack_add_route(e->stack, &rt);
	}
	for (i = 0; i < e->cfg.naddr && !r; i++) {
		rt.plen = e->cfg.addrs[i].plen;
		rt.dst = rt.plen ? e->cfg.addrs[i].addr & UINT32_MAX << (32 - rt.plen) : 0;
		rt.gateway = 0;
		if (rt.plen < 32)
			r = stack_add_route(e->stack, &rt);
	}
	return r;
}

/* ---- neighbours ---- */

#define NUD_USABLE (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE)

/* That the kernel forgets one is no news about it, unless an administrator had set it. */
static void on_neigh(void *ctx, const struct host_neigh *n, bool is_del)
{
	struct engine *e = ctx;
	bool is_permanent = n->state & NUD_PERMANENT;

	if (n->ifindex != e->nif->info.ifindex)
		return;
	if (!is_del && n->has_mac && n->state & NUD_USABLE)
		stack_seed_neigh(e->stack, e->iface, n->addr, n->mac, is_permanent, e->now);
	else if (is_del && is_permanent)
		stack_seed_neigh(e->stack, e->iface, n->addr, NULL, false, e->now);
}

static void on_overrun(void *ctx)
{
	struct engine *e = ctx;

	e->is_host_stale = true;
}

static const struct host_ops host_ops = {
	.link = on_link,
	.addr = on_addr,
	.route = on_route,
	.neigh = on_neigh,
	.overrun = on_overrun,
};

/* ---- all of it ---- */

static int resync(struct engine *e)
{
	unsigned i;
	int r;

	stack_flush_routes(e->stack);
	e->nlocal = 0;
	for (i = 0; i < e->nshared; i++)
		e->shared_seen[i] = false;
	r = host_dump(e->host);
	for (i = e->nshared; i-- > 0 && !r;)
		if (!e->shared_seen[i])
			shared_del(e, i);
	if (!r)
		r = add_given_routes(e);
	e->is_host_stale = false;
	return r;
}

void engine_host_changed(struct engine *e)
{
	if (host_read(e->host) == -ENOBUFS)
		e->is_host_stale = true;
	if (e->is_host_stale && resync(e) < 0)
		engine_log(e, LOG_ERR, "cannot read the host's addresses and routes");
	engine_filter_sync(e);
}

static bool is_local(const struct engine *e, ip4 a)
{
	bool is_it = a >> 24 == 127;
	unsigned i;

	for (i = 0; i < e->nlocal && !is_it; i++) {
		const struct local_prefix *p = &e->locals[i];

		is_it = !p->plen || !((a ^ p->addr) >> (32 - p->plen));
	}
	return is_it;
}

bool engine_host_has(struct engine *e, ip4 a, uint16_t port)
{
	return is_local(e, a) && !(engine_loopback_has(e, a) && stack_answers(e->stack, a, port));
}

bool engine_is_kernels(struct engine *e, ip4 a, uint16_t port)
{
	bool is_it;

	engine_enter(e);
	is_it = engine_host_has(e, a, port);
	engine_exit(e);
	return is_it;
}

/* The host is asked to stay away from own addresses: it must not have them itself. */
static int check_addresses(struct engine *e, char *err, size_t err_len)
{
	unsigned i, j;
	ip4 a;

	if (!has_own(e) && !e->nshared) {
		snprintf(err, err_len, "interface %s has no IPv4 address; give it one, or choose another interface "
			 "with --interface or an own address with --address", e->nif->info.name);
		return -EADDRNOTAVAIL;
	}
	for (i = 0; i < e->cfg.naddr; i++) {
		a = e->cfg.addrs[i].addr;
		for (j = 0; j < e->nlocal; j++) {
			if (e->locals[j].plen != 32 || e->locals[j].addr != a)
				continue;
			snprintf(err, err_len, "address %u.%u.%u.%u is the host's own; leave out --address to share it",
				 a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
			return -EADDRINUSE;
		}
	}
	return 0;
}

/* Frames to our own MAC must reach us. */
static int join_own(struct engine *e, char *err, size_t err_len)
{
	int r = 0;

	if (e->nif->info.link == NETIF_ETHER && memcmp(e->cfg.mac, e->nif->info.mac, 6))
		r = afpacket_add_mac(e->base, e->cfg.mac);
	if (r < 0)
		snprintf(err, err_len, "interface %s does not receive for a further MAC address: %s",
			 e->nif->info.name, strerror(-r));
	return r;
}

int engine_host_open(struct engine *e, char *err, size_t err_len)
{
	int r = host_open(&e->host, &host_ops, e);

	if (!r)
		r = resync(e);
	if (r < 0) {
		snprintf(err, err_len, "cannot read the host's addresses and routes: %s", strerror(-r));
		return r;
	}
	r = check_addresses(e, err, err_len);
	if (!r && has_own(e))
		r = join_own(e, err, err_len);
	else if (!r)
		r = guard_open(&e->guard, e->nif->info.name, err, err_len);
	if (r < 0)
		return r;
	e->is_filter_stale = true;
	r = engine_filter_sync(e);
	if (r < 0)
		snprintf(err, err_len, "cannot set the packet filter of interface %s: %s",
			 e->nif->info.name, strerror(-r));
	return r;
}

void engine_host_close(struct engine *e)
{
	if (e->guard)
		guard_close(e->guard);
	if (e->host)
		host_close(e->host);
	free(e->locals);
	free(e->shared);
	free(e->shared_seen);
	e->guard = NULL;
	e->host = NULL;
}
