/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arp.c - ARP that comes in (RFC 826), as Linux's arp_process(): who is answered, who is
 * remembered, whom we believe.
 *
 * What strangers can make us remember is bounded: requests to us create entries up to
 * gc_thresh2 only, half of the table, and no address of ours is ever learned.
 */
#include "neigh.h"

#include "stack_impl.h"

/* The sender can't be who it says: no host address, an address of ours, a group's link
 * address, or an echo of our own frame.  The same for a target that nobody can have. */
static bool is_impossible(const struct stack *s, int iface, const struct arp_pkt *a)
{
	static const uint8_t mac_zero[MAC_LEN];

	if (a->sender_mac[0] & 1 || !memcmp(a->sender_mac, mac_zero, MAC_LEN) ||
	    !memcmp(a->sender_mac, s->ifaces[iface].mac, MAC_LEN))
		return true;
	if (a->target_ip >> 28 >= 0xe || a->target_ip >> 24 == 127)
		return true;
	if (a->sender_ip == 0)
		return a->op != ARP_REQUEST;
	return !ip_is_unicast(s, a->sender_ip) || a->sender_ip >> 24 == 127 ||
	       ip_addr_kind(s, a->sender_ip) != IP_ADDR_NONE;
}

static const struct local_addr *addr_here(const struct stack *s, int iface, ip4 ip)
{
	for (uint32_t i = 0; i < s->naddr; i++)
		if (s->addrs[i].addr == ip && s->addrs[i].iface == iface)
			return &s->addrs[i];
	return NULL;
}

static bool is_own_here(const struct stack *s, int iface, ip4 ip)
{
	const struct local_addr *la = addr_here(s, iface, ip);

	return la && la->is_own;
}

/* arp_ignore(): 2 answers hosts of the address's subnet alone, 8 nobody.  1 is about other interfaces'
 * addresses, which are never answered for here, 3 about those of scope host, of which there are none. */
static bool ignores(const struct stack *s, int iface, const struct arp_pkt *a)
{
	const struct local_addr *la = addr_here(s, iface, a->target_ip);

	return s->set.arp_ignore == 8 ||
	       (s->set.arp_ignore == 2 && a->sender_ip && (a->sender_ip ^ la->addr) & plen_mask(la->plen));
}

/* arp_accept(): may who isn't asked be remembered?  2: when it is of our subnet. */
static bool accepts(const struct stack *s, int iface, ip4 ip)
{
	if (s->set.arp_accept == 2)
		for (uint32_t i = 0; i < s->naddr; i++)
			if (s->addrs[i].iface == iface && !((s->addrs[i].addr ^ ip) & plen_mask(s->addrs[i].plen)))
				return true;
	return s->set.arp_accept == 1;
}

/* Somebody asks for an address of ours: learn from the question, as RFC 826 has it, and
 * answer it.  A probe from 0.0.0.0 (RFC 5227 2.1.1) is answered alike. */
static void answer(struct stack *s, int iface, const struct arp_pkt *a, xtime now)
{
	struct arp_pkt reply = {
		.op = ARP_REPLY,
		.sender_ip = a->target_ip,
		.target_ip = a->sender_ip,
	};

	if (a->sender_ip) {
		struct neigh *n = neigh_find(s, iface, a->sender_ip);

		if (!n && s->neighs.n < (uint32_t)s->set.neigh_gc_thresh2)
			n = neigh_create(s, iface, a->sender_ip, now);
		if (n)
			neigh_update(s, n, a->sender_mac, NEIGH_STALE, NEIGH_UPDATE_OVERRIDE, now);
	}
	memcpy(reply.sender_mac, s->ifaces[iface].mac, MAC_LEN);
	memcpy(reply.target_mac, a->sender_mac, MAC_LEN);
	neigh_send_arp(s, iface, a->sender_mac, &reply);
}

/* arp_is_garp() */
static bool is_gratuitous(const struct arp_pkt *a)
{
	return a->target_ip == a->sender_ip &&
	       (a->op == ARP_REQUEST || !memcmp(a->target_mac, a->sender_mac, MAC_LEN));
}

void neigh_input(struct stack *s, int iface, const struct arp_pkt *a, bool is_direct, xtime now)
{
	enum neigh_state state = NEIGH_STALE;
	struct neigh *n;

	if (is_impossible(s, iface, a)) {
		count(s, CTR_arp_bad);
		return;
	}
	if (a->op == ARP_REQUEST && is_own_here(s, iface, a->target_ip)) {
		count(s, CTR_arp_in);
		if (!ignores(s, iface, a))
			answer(s, iface, a, now);
		return;
	}
	n = neigh_find(s, iface, a->sender_ip);
	if (!n && a->sender_ip && (a->op == ARP_REPLY || is_gratuitous(a)) && accepts(s, iface, a->sender_ip) &&
	    s->neighs.n < (uint32_t)s->set.neigh_gc_thresh2)
		n = neigh_create(s, iface, a->sender_ip, now);
	if (!n) {
		count(s, CTR_arp_not_for_us);
		return;
	}
	count(s, CTR_arp_in);
	/* A broadcast doesn't show that the sender hears us. */
	if (a->op == ARP_REPLY && is_direct)
		state = NEIGH_REACHABLE;
	/* Of several answers in a row the first counts. */
	neigh_update(s, n, a->sender_mac, state,
	       now > n->updated + s->set.neigh_locktime * (10 * XTIME_MSEC) || is_gratuitous(a) ? NEIGH_UPDATE_OVERRIDE : 0, now);
}
