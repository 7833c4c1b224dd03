/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stack.c - the conductor: takes frames and time in, passes them to the layer that they
 * concern, and gives frames out.
 *
 * Layers tell one another nothing directly: what has happened to a neighbour waits in
 * stack.neigh_changed until settle() tells the connections; which connections may have
 * something to send is outq; whose readiness has changed is eventq.
 *
 * Order of output: the stack's own small frames first (an ARP answer must not wait
 * behind megabytes), then one frame of each connection in turn, so that flows share the
 * interface evenly.
 */
#include "stack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cc.h"
#include "ctlq.h"
#include "frag.h"
#include "pmtu.h"
#include "stack_impl.h"
#include "tcp_listen.h"

/* ---- an instance ---- */

/* One key for each purpose, so that what one of them reveals tells nothing of the others. */
static struct siphash_key derive_key(const uint8_t secret[32], uint64_t purpose)
{
	struct siphash_key half[2], key;

	memcpy(half, secret, sizeof(half));
	key.k[0] = siphash_2u64(&half[0], purpose, 0);
	key.k[1] = siphash_2u64(&half[1], purpose, 1);
	return key;
}

static void init_fields(struct stack *s, const struct stack_config *cfg, xtime now)
{
	struct siphash_key key_tfo;

	s->set = cfg->settings;
	s->now = now;
	s->loopback = (struct local_addr){ IP_LOOPBACK, 8, true, -1 };
	s->key_isn = derive_key(cfg->secret, 1);
	s->key_ts = derive_key(cfg->secret, 2);
	s->key_rnd = derive_key(cfg->secret, 3);
	s->key_ip = derive_key(cfg->secret, 4);
	s->key_cookie[0] = derive_key(cfg->secret, 7);
	s->key_cookie[1] = derive_key(cfg->secret, 8);
	routes_init(&s->routes);
	timers_init(&s->timers);
	list_init(&s->outq);
	txdev_init(&s->txdev);
	list_init(&s->eventq);
	list_init(&s->neigh_changed);
	list_init(&s->conns);
	list_init(&s->tws);
	key_tfo = derive_key(cfg->secret, 6);
	tcp_fastopen_init(s, &key_tfo);
}

struct stack *stack_new(const struct stack_config *cfg, xtime now)
{
	struct siphash_key tab_key = derive_key(cfg->secret, 5);
	struct stack *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	init_fields(s, cfg, now);
	s->cc = cc_find(cfg->congestion ? cfg->congestion : "cubic");
	if (!s->cc)
		goto no_cc;
	if (neigh_init(&s->neighs) < 0)
		goto no_neighs;
	s->ctlq = ctlq_new();
	if (!s->ctlq)
		goto no_ctlq;
	if (conntab_init(&s->tab, &tab_key) < 0)
		goto no_tab;
	return s;

no_tab:
	ctlq_free(s->ctlq);
no_ctlq:
	neigh_fini(s);
no_neighs:
no_cc:
	timers_free(&s->timers);
	routes_fini(&s->routes);
	free(s);
	return NULL;
}

void stack_free(struct stack *s)
{
	if (!s)
		return;
	tcp_free_all(s);
	tcp_metrics_flush(s);
	conntab_fini(&s->tab);
	frags_free(s);
	pmtus_free(s->pmtus);
	ctlq_free(s->ctlq);
	txdev_free(&s->txdev);
	neigh_fini(s);
	timers_free(&s->timers);
	routes_fini(&s->routes);
	free(s->addrs);
	free(s->quiet);
	free(s);
}

uint32_t stack_random(struct stack *s)
{
	return (uint32_t)siphash_1u64(&s->key_rnd, s->rnd_count++);
}

void stack_set_wall_clock(struct stack *s, xtime offset)
{
	s->wall = offset;
	s->has_wall = true;
}

uint32_t stack_time_of_day(const struct stack *s, xtime now)
{
	if (!s->has_wall)
		return 1u << 31;
	return (uint32_t)((now + s->wall) / XTIME_MSEC % (24 * 60 * 60 * 1000));
}

const uint64_t *stack_counters(const struct stack *s)
{
	return s->counters;
}

void stack_count(struct stack *s, enum counter c, uint64_t n)
{
	s->counters[c] += n;
}

int stack_set(struct stack *s, const char *name, const char *value)
{
	const struct cc_ops *cc;
	int r;

	if (settings_is_congestion(name)) {
		cc = cc_find(value);
		if (cc)
			s->cc = cc;
		return cc ? 0 : -EINVAL;
	}
	r = settings_set(&s->set, name, value);
	if (!r)
		tcp_fastopen_set_key(s);
	return r;
}

void stack_flush_metrics(struct stack *s)
{
	tcp_metrics_flush(s);
}

struct settings *stack_settings(struct stack *s)
{
	return &s->set;
}

/* ---- interfaces, addresses, routes ---- */

static bool has_iface(const struct stack *s, int iface)
{
	return iface >= 0 && iface < s->niface;
}

int stack_add_iface(struct stack *s, const struct stack_iface *i)
{
	if (i->mtu < IP_MTU_MIN || (i->has_arp && !i->has_link))
		return -EINVAL;
	if (i->is_loopback && s->loopback.iface >= 0)
		return -EINVAL;
	if (s->niface == STACK_IFACES_MAX)
		return -ENOMEM;
	if (i->is_loopback)
		s->loopback.iface = s->niface;
	s->ifaces[s->niface] = *i;
	s->routes.gen++;
	return s->niface++;
}

int stack_set_iface(struct stack *s, int iface, const struct stack_iface *i)
{
	struct stack_iface *old;
	bool is_other;

	if (!has_iface(s, iface) || i->mtu < IP_MTU_MIN || (i->has_arp && !i->has_link))
		return -EINVAL;
	old = &s->ifaces[iface];
	is_other = memcmp(old->mac, i->mac, MAC_LEN) != 0 || (old->is_up && !i->is_up);
	*old = *i;
	s->routes.gen++;
	/* What was learned under another address, or before the cable was pulled, is stale
	 * (Linux neigh_changeaddr(), neigh_ifdown()). */
	if (is_other)
		neigh_flush(s, iface, s->now);
	return 0;
}

static struct route connected_route(int iface, ip4 addr, uint8_t plen)
{
	struct route r = {
		.dst = addr & plen_mask(plen),
		.plen = plen,
		.type = ROUTE_UNICAST,
		.iface = iface,
		.prefsrc = addr,
	};

	return r;
}

static int grow_addrs(struct stack *s)
{
	uint32_t cap = s->addr_cap ? s->addr_cap * 2 : 4;
	struct local_addr *v;

	if (s->naddr < s->addr_cap)
		return 0;
	v = realloc(s->addrs, cap * sizeof(*v));
	if (!v)
		return -ENOMEM;
	s->addrs = v;
	s->addr_cap = cap;
	return 0;
}

/* The subnet's route exists once, however many addresses it holds. */
static bool has_subnet(const struct stack *s, const struct route *r)
{
	for (uint32_t i = 0; i < s->naddr; i++) {
		const struct local_addr *a = &s->addrs[i];

		if (a->iface == r->iface && a->plen == r->plen &&
		    (a->addr & plen_mask(a->plen)) == r->dst)
			return true;
	}
	return false;
}

int stack_add_addr(struct stack *s, int iface, ip4 addr, uint8_t plen, bool is_own, xtime now)
{
	struct route r;
	int err;

	s->now = now;
	if (!has_iface(s, iface) || plen > 32 || !ip_is_unicast(s, addr))
		return -EINVAL;
	r = connected_route(iface, addr, plen);
	if (ip_addr_kind(s, addr) != IP_ADDR_NONE)
		return -EEXIST;
	err = grow_addrs(s);
	if (err < 0)
		return err;
	if (!is_own && (err = conntab_need_claims(&s->tab, addr)) < 0)
		return err;
	if (plen < 32 && !has_subnet(s, &r) && (err = route_add(&s->routes, &r)) < 0) {
		if (!is_own)
			conntab_drop_claims(&s->tab, addr);
		return err;
	}
	s->addrs[s->naddr++] = (struct local_addr){ addr, plen, is_own, iface };
	s->routes.gen++;
	return 0;
}

int stack_del_addr(struct stack *s, int iface, ip4 addr, xtime now)
{
	s->now = now;
	for (uint32_t i = 0; i < s->naddr; i++) {
		struct local_addr a = s->addrs[i];
		struct route r = connected_route(a.iface, a.addr, a.plen);

		if (a.iface != iface || a.addr != addr)
			continue;
		memmove(&s->addrs[i], &s->addrs[i + 1], (--s->naddr - i) * sizeof(*s->addrs));
		if (!has_subnet(s, &r))
			route_del(&s->routes, &r);
		if (!a.is_own)
			conntab_drop_claims(&s->tab, a.addr);
		s->routes.gen++;
		return 0;
	}
	return -EADDRNOTAVAIL;
}

/* With the bits behind the prefix cleared, so that a host's address does for its subnet. */
static struct route normalised(const struct route *r)
{
	struct route out = *r;

	if (r->plen <= 32)
		out.dst &= plen_mask(r->plen);
	return out;
}

int stack_add_route(struct stack *s, const struct route *r)
{
	struct route rt = normalised(r);

	/* A route that refuses needs no interface. */
	if (r->type <= ROUTE_MULTICAST && !has_iface(s, r->iface))
		return -EINVAL;
	return route_add(&s->routes, &rt);
}

int stack_del_route(struct stack *s, const struct route *r)
{
	struct route rt = normalised(r);

	return route_del(&s->routes, &rt);
}

void stack_flush_routes(struct stack *s)
{
	routes_flush(&s->routes);
}

bool stack_is_local(const struct stack *s, ip4 a)
{
	return ip_addr_kind(s, a) != IP_ADDR_NONE;
}

/* ---- what is passed on ---- */

/* Tells the connections what has become of the neighbours that they wait for. */
static void settle(struct stack *s, xtime now)
{
	while (!list_is_empty(&s->neigh_changed)) {
		struct neigh *n = container_of(s->neigh_changed.next, struct neigh, changed);

		list_remove(&n->changed);
		if (n->state == NEIGH_FAILED)
			tcp_neigh_done(s, n, -EHOSTUNREACH, now);
		else if (n->state != NEIGH_INCOMPLETE && n->state != NEIGH_NONE)
			tcp_neigh_done(s, n, 0, now);
	}
}

int stack_seed_neigh(struct stack *s, int iface, ip4 ip, const uint8_t mac[6], bool permanent, xtime now)
{
	int err;

	s->now = now;
	if (!has_iface(s, iface) || !s->ifaces[iface].has_arp)
		return -EINVAL;
	err = neigh_seed(s, iface, ip, mac, permanent, now);
	settle(s, now);
	return err;
}

int stack_need_claims(struct stack *s, ip4 laddr)
{
	return conntab_need_claims(&s->tab, laddr);
}

bool stack_is_claimed(const struct stack *s, ip4 laddr, uint16_t port)
{
	return conntab_is_claimed(&s->tab, laddr, port);
}

void stack_claimed(struct stack *s, ip4 laddr, uint16_t port, bool granted)
{
	conntab_set_claim(&s->tab, laddr, port, granted);
}

void stack_retry_refused(struct stack *s)
{
	conntab_retry_refused(&s->tab);
}

uint16_t stack_next_idle(struct stack *s)
{
	return s->tab.nidle ? conntab_next_idle(&s->tab) : 0;
}

bool stack_is_held(const struct stack *s, ip4 laddr, uint16_t port)
{
	return conntab_is_held(&s->tab, laddr, port);
}

void stack_unclaimed(struct stack *s, ip4 laddr, uint16_t port)
{
	conntab_unclaim(&s->tab, laddr, port);
}

int stack_reserve_ports(struct stack *s, uint16_t lo, uint16_t hi)
{
	return conntab_reserve(&s->tab, lo, hi);
}

uint32_t stack_orphans(const struct stack *s)
{
	return s->norphan + s->nfinwait2;
}

/* ---- input ---- */

/* The offload metadata comes from the kernel, but from another host's through it. */
static bool vnet_is_sane(const struct frame_in *f)
{
	const struct virtio_net_hdr *v = &f->vnet;

	if (v->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM &&
	    (size_t)v->csum_start + v->csum_offset + 2 > f->len)
		return false;
	return v->gso_type == VIRTIO_NET_HDR_GSO_NONE || v->gso_size > 0;
}

static void input_arp(struct stack *s, int iface, const uint8_t *p, size_t len, bool is_direct, xtime now)
{
	struct arp_pkt a;
	int why;

	if (!s->ifaces[iface].has_arp) {
		count(s, CTR_eth_other_type);
		return;
	}
	why = arp_parse(p, len, &a);
	if (why)
		count(s, (enum counter)why);
	else
		neigh_input(s, iface, &a, is_direct, now);
}

static void input_ether(struct stack *s, int iface, const struct frame_in *f, xtime now)
{
	struct eth_hdr eth;
	int why = eth_parse(f->data, f->len, &eth);
	bool is_direct;

	if (why) {
		count(s, (enum counter)why);
		return;
	}
	is_direct = !memcmp(eth.dst, s->ifaces[iface].mac, MAC_LEN);
	if (!is_direct && !(eth.dst[0] & 1))
		count(s, CTR_eth_not_for_us);
	else if (eth.type == ETHTYPE_IPV4)
		ip_input(s, iface, f->data + ETH_LEN, f->len - ETH_LEN, &f->vnet, is_direct, now);
	else if (eth.type == ETHTYPE_ARPV4)
		input_arp(s, iface, f->data + ETH_LEN, f->len - ETH_LEN, is_direct, now);
	else
		count(s, CTR_eth_other_type);
}

/* Without a link header the version field tells the protocol. */
static void input_raw(struct stack *s, int iface, const struct frame_in *f, xtime now)
{
	if (f->len > 0 && f->data[0] >> 4 == 6)
		count(s, CTR_eth_other_type);
	else
		ip_input(s, iface, f->data, f->len, &f->vnet, true, now);
}

void stack_input(struct stack *s, int iface, const struct frame_in *f, xtime now)
{
	s->now = now;
	count(s, CTR_frames_in);
	if (!has_iface(s, iface) || !s->ifaces[iface].is_up) {
		count(s, CTR_iface_down);
		return;
	}
	if (!vnet_is_sane(f)) {
		count(s, CTR_vnet_bad);
		return;
	}
	if (s->ifaces[iface].has_link)
		input_ether(s, iface, f, now);
	else
		input_raw(s, iface, f, now);
	tcp_place_done(s, now);
	settle(s, now);
}

/* ---- output ---- */

static bool output_tcp(struct stack *s, struct frame_out *f, xtime now)
{
	while (!list_is_empty(&s->outq)) {
		struct list *first = s->outq.next;
		struct tcp_conn *c = container_of(first, struct tcp_conn, out_link);
		bool has_frame = tcp_output(c, f, now);

		/* Either way it is another's turn; c itself may be gone by now. */
		if (s->outq.next == first) {
			list_remove(first);
			if (has_frame)
				list_append(&s->outq, first);
		}
		settle(s, now);
		if (has_frame)
			return true;
	}
	return false;
}

bool stack_output(struct stack *s, struct frame_out *f, xtime now)
{
	s->now = now;
	f->undo.conn = NULL;
	/* A connection may find that it has to ask for its next hop first. */
	if (!ctlq_pop(s->ctlq, f) && !output_tcp(s, f, now) && !ctlq_pop(s->ctlq, f))
		return false;
	count(s, CTR_frames_out);
	if (f->iface != s->loopback.iface)
		txdev_push(s, f);
	return true;
}

bool stack_refused(struct stack *s, const struct frame_out *f, bool is_tried, xtime now)
{
	bool is_done = is_tried;

	s->now = now;
	if (f->undo.conn)
		is_done = tcp_refused(f->undo.conn, f, is_tried, now);
	else if (is_tried)
		count(s, CTR_tx_failed);
	if (is_done)
		txdev_pull(s, f);
	return is_done;
}

bool stack_defer_acks(struct stack *s)
{
	struct list *l;

	for (l = s->outq.next; l != &s->outq; l = l->next)
		if (!tcp_owes_ack_alone(container_of(l, struct tcp_conn, out_link)))
			return false;
	if (!ctlq_is_empty(s->ctlq) || list_is_empty(&s->outq))
		return false;
	for (l = s->outq.next; l != &s->outq; l = l->next)
		tcp_defer_ack(container_of(l, struct tcp_conn, out_link));
	return true;
}

bool stack_has_output(const struct stack *s)
{
	return !ctlq_is_empty(s->ctlq) || !list_is_empty(&s->outq);
}

/* ---- time and events ---- */

xtime stack_deadline(struct stack *s)
{
	return timers_deadline(&s->timers);
}

static void expire_one(struct stack *s, struct timer *t, xtime now)
{
	switch (t->kind) {
	case TIMER_CONN:
		tcp_timer(container_of(t, struct tcp_conn, timer), now);
		break;
	case TIMER_TIMEWAIT:
		tcp_tw_timer(s, container_of(t, struct tcp_tw, timer), now);
		break;
	case TIMER_REQ:
		tcp_req_timer(container_of(t, struct tcp_req, timer), now);
		break;
	case TIMER_NEIGH:
		neigh_timer(s, container_of(t, struct neigh, timer), now);
		break;
	case TIMER_FRAG:
		frag_timer(s, t, now);
		break;
	default:
		break;
	}
}

void stack_expire(struct stack *s, xtime now)
{
	struct timer *t;

	s->now = now;
	while ((t = timers_pop(&s->timers, now))) {
		expire_one(s, t, now);
		settle(s, now);
	}
}

struct tcp_conn *stack_next_event(struct stack *s)
{
	struct list *first = s->eventq.next;

	if (list_is_empty(&s->eventq))
		return NULL;
	list_remove(first);
	return container_of(first, struct tcp_conn, event_link);
}
