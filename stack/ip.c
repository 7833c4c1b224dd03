/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ip.c - IPv4 packets out and in.
 *
 * Out: ip_build() puts link and IP header in front of a connection's segment (what
 * Linux's ip_queue_xmit() does); ip_send() is for packets without a connection.
 *
 * In: the checks of ip_rcv_core(), ip_route_input() and ip_rcv_options() in their
 * order.  Of an address that is shared with the kernel only TCP to claimed ports and
 * ICMP errors are ours; whatever else comes for it is the kernel's to answer.
 */
#include "ip.h"

#include <errno.h>
#include <stdlib.h>

#include "frag.h"
#include "neigh.h"
#include "stack_impl.h"

#define IP_OPT_COPIED 0x80
#define IP_OPT_NOOP 1
#define IP_ALL_HOSTS 0xe0000001u   /* 224.0.0.1, which every host belongs to (RFC 1112) */

/* ---- out ---- */

/* A packet leaves: IP_UPD_PO_STATS() of ip_finish_output2(). */
static void count_out(struct stack *s, size_t len)
{
	count(s, CTR_IpOutTransmits);
	s->counters[CTR_IpExtOutOctets] += len;
}

static void fill_hdr(struct ip_hdr *h, const struct ip_tx *tx, size_t l4_len)
{
	h->src = tx->src;
	h->dst = tx->dst;
	h->id = tx->id;
	h->frag_off = 0;
	h->is_df = tx->is_df;
	h->has_more = false;
	h->tos = tx->tos;
	h->ttl = tx->ttl;
	h->proto = tx->proto;
	h->opt_len = tx->opt_len;
	h->hdr_len = (uint8_t)(IP_LEN_MIN + ((tx->opt_len + 3u) & ~3u));
	h->total_len = (uint16_t)(h->hdr_len + l4_len);
	if (tx->opt_len)
		memcpy(h->opts, tx->opts, tx->opt_len);
}

/* The link address of the next hop, which for a broadcast or a group is no neighbour's
 * (RFC 1112 6.4). */
static int link_dst(struct stack *s, const struct ip_route *rt, ip4 src, uint8_t mac[MAC_LEN],
                    struct neigh **entry, xtime now)
{
	static const uint8_t group[3] = { 0x01, 0x00, 0x5e };

	if (rt->type == ROUTE_BROADCAST) {
		memset(mac, 0xff, MAC_LEN);
		return 0;
	}
	if (rt->type == ROUTE_MULTICAST) {
		memcpy(mac, group, sizeof(group));
		mac[3] = rt->next_hop >> 16 & 0x7f;
		mac[4] = (uint8_t)(rt->next_hop >> 8);
		mac[5] = (uint8_t)rt->next_hop;
		return 0;
	}
	return neigh_resolve(s, rt->iface, rt->next_hop, src, mac, entry, now);
}

int ip_build(struct stack *s, struct frame_out *f, const struct ip_route *rt, const struct ip_tx *tx,
             size_t l4_len, struct neigh **entry, xtime now)
{
	const struct stack_iface *ifc = &s->ifaces[rt->iface];
	size_t link = 0;
	struct ip_hdr h;
	int err;

	*entry = NULL;
	if (!ifc->is_up)
		return -ENETDOWN;
	fill_hdr(&h, tx, l4_len);
	if (h.hdr_len + l4_len > IP_TOTAL_MAX)
		return -EMSGSIZE;
	if (ifc->has_link) {
		struct eth_hdr eth = { .type = ETHTYPE_IPV4 };

		err = link_dst(s, rt, tx->src, eth.dst, entry, now);
		if (err < 0)
			return err;
		memcpy(eth.src, ifc->mac, MAC_LEN);
		link = eth_emit(f->hdr, &eth);
	}
	f->iface = rt->iface;
	f->hdr_len = link + ip_emit(f->hdr + link, &h);
	f->payload_len = 0;
	f->payload_cnt = 0;
	memset(&f->vnet, 0, sizeof(f->vnet));
	count(s, CTR_IpOutRequests);
	count_out(s, h.total_len);
	return (int)f->hdr_len;
}

uint16_t ip_ident(struct stack *s, ip4 src, ip4 dst, uint8_t proto)
{
	uint64_t h = siphash_2u64(&s->key_ip, (uint64_t)src << 32 | dst, proto);

	/* Several pairs share a counter; the hash keeps each one's sequence apart. */
	return (uint16_t)((h >> 32) + s->ip_idents[h % IP_IDENTS]++);
}

/* Options that are not copied on fragmentation become no-operations in all fragments but
 * the first (RFC 791 3.2, ip_options_fragment()). */
static void strip_options(struct ip_hdr *h)
{
	for (size_t i = 0; i < h->opt_len;) {
		size_t len = 1;

		if (h->opts[i] == 0)
			return;
		if (h->opts[i] != IP_OPT_NOOP) {
			if (i + 1 >= h->opt_len || h->opts[i + 1] < 2 || h->opts[i + 1] > h->opt_len - i)
				return;
			len = h->opts[i + 1];
		}
		if (!(h->opts[i] & IP_OPT_COPIED))
			memset(h->opts + i, IP_OPT_NOOP, len);
		i += len;
	}
}

/* One packet into pkt, which has room for it, and away. */
static void send_packet(struct stack *s, const struct ip_route *rt, const struct ip_hdr *h,
                        const uint8_t *payload, size_t len, uint8_t *pkt, xtime now)
{
	size_t hdr_len = ip_emit(pkt, h);

	memcpy(pkt + hdr_len, payload, len);
	count_out(s, hdr_len + len);
	neigh_send(s, rt->iface, rt->next_hop, pkt, hdr_len + len, now);
}

static void send_fragments(struct stack *s, const struct ip_route *rt, struct ip_hdr *h,
                           const uint8_t *l4, size_t len, size_t mtu, uint8_t *pkt, xtime now)
{
	size_t room = (mtu - h->hdr_len) & ~(size_t)7;

	for (size_t off = 0; off < len; off += room) {
		size_t n = MIN(room, len - off);

		h->frag_off = (uint16_t)off;
		h->has_more = off + n < len;
		h->total_len = (uint16_t)(h->hdr_len + n);
		send_packet(s, rt, h, l4 + off, n, pkt, now);
		count(s, CTR_IpFragCreates);
		if (off == 0)
			strip_options(h);
	}
	count(s, CTR_IpFragOKs);
}

void ip_send(struct stack *s, const struct ip_route *rt, const struct ip_tx *tx, const uint8_t *l4,
             size_t len, xtime now)
{
	uint8_t small[2048], *pkt = small;
	struct ip_route found;
	struct ip_hdr h;
	size_t mtu;

	if (!rt) {
		if (ip_route(s, tx->dst, tx->src, -1, tx->tos, &found) < 0) {
			count(s, CTR_ip_no_route);
			return;
		}
		rt = &found;
	}
	if (!s->ifaces[rt->iface].is_up) {
		count(s, CTR_ip_no_route);
		return;
	}
	fill_hdr(&h, tx, len);
	count(s, CTR_IpOutRequests);
	mtu = ip_mtu(s, rt, tx->dst, now);
	if (h.hdr_len + len > IP_TOTAL_MAX || (h.hdr_len + len > mtu && tx->is_df)) {
		count(s, CTR_IpFragFails);
		count(s, CTR_ip_too_big);
		return;
	}
	if (MIN(mtu, h.hdr_len + len) > sizeof(small))
		pkt = malloc(MIN(mtu, h.hdr_len + len));
	if (!pkt) {
		count(s, CTR_ip_out_full);
		return;
	}
	if (h.hdr_len + len <= mtu)
		send_packet(s, rt, &h, l4, len, pkt, now);
	else
		send_fragments(s, rt, &h, l4, len, mtu, pkt, now);
	if (pkt != small)
		free(pkt);
}

/* ---- in ---- */

/* How a packet came. */
struct arrival {
	int iface;
	enum ip_addr_kind kind;      /* of its destination */
	bool is_direct;              /* to our own link address */
	const struct virtio_net_hdr *vnet;
};

static bool is_inside(const struct stack *s, int iface)
{
	return iface == s->loopback.iface;
}

/* ip_route_input_slow()'s martian sources, fib_validate_source()'s local ones included. */
static bool is_martian(const struct stack *s, int iface, ip4 src)
{
	enum ip_addr_kind kind;

	if (is_inside(s, iface))
		return false;
	kind = ip_addr_kind(s, src);
	return !ip_is_unicast(s, src) || ip_is_loopback(src) ||
	       (kind != IP_ADDR_NONE && !(kind == IP_ADDR_OWN && s->ifaces[iface].returns_own));
}

/* ip_rcv_options(); a source route is refused as Linux does by default (RFC 7126 4.3), and in any
 * case one that leads on: this is no router. */
static bool options_ok(struct stack *s, const struct ip_hdr *ip, const uint8_t *l4, size_t len,
                       bool is_direct, xtime now)
{
	bool has_srr, is_ended;
	size_t bad = ip_opts_check(ip, &has_srr, &is_ended);

	if (!bad && (!has_srr || (s->set.accept_source_route && is_ended)))
		return true;
	count(s, bad ? CTR_ip_opts : CTR_ip_source_route);
	if (bad && is_direct)
		icmp_send_error(s, ip, l4, len, ICMP_PARAM_PROBLEM, 0, (uint32_t)bad << 24, now);
	return false;
}

static void input_tcp(struct stack *s, const struct arrival *a, const struct ip_hdr *ip,
                      const uint8_t *seg, size_t len, xtime now)
{
	if (!a->is_direct)
		count(s, CTR_tcp_addr);
	else if (len < 4)
		count(s, CTR_tcp_short);
	else if (a->kind == IP_ADDR_SHARED && !is_inside(s, a->iface) &&
	         !conntab_is_claimed(&s->tab, ip->dst, get_be16(seg + 2)))
		count(s, CTR_tcp_foreign);
	else
		tcp_input(s, a->iface, ip, seg, len, a->vnet, now);
}

/* ip_local_deliver_finish() */
static void deliver(struct stack *s, const struct arrival *a, const struct ip_hdr *ip,
                    const uint8_t *l4, size_t len, xtime now)
{
	switch (ip->proto) {
	case PROTO_TCP:
		count(s, CTR_IpInDelivers);
		input_tcp(s, a, ip, l4, len, now);
		return;
	case PROTO_ICMP:
		count(s, CTR_IpInDelivers);
		icmp_input(s, ip, l4, len, now);
		return;
	default:
		break;
	}
	if (ip->proto == PROTO_UDP && a->kind == IP_ADDR_OWN) {
		count(s, CTR_IpInDelivers);
		count(s, CTR_udp_no_port);
	} else {
		count(s, CTR_ip_proto);
	}
	if (a->is_direct)
		icmp_send_error(s, ip, l4, len, ICMP_UNREACH,
		                ip->proto == PROTO_UDP ? ICMP_UNREACH_PORT : ICMP_UNREACH_PROTO, 0,
		                now);
}

static void deliver_fragment(struct stack *s, const struct arrival *a, struct ip_hdr *ip,
                             const uint8_t *l4, size_t len, xtime now)
{
	static const struct virtio_net_hdr no_offload;
	struct arrival whole_arrival = *a;
	uint8_t *whole;

	if (a->kind == IP_ADDR_SHARED && ip->proto != PROTO_TCP && ip->proto != PROTO_ICMP) {
		count(s, CTR_ip_proto);
		return;
	}
	whole_arrival.vnet = &no_offload;
	whole = frag_input(s, ip, l4, &len, now);
	if (whole)
		deliver(s, &whole_arrival, ip, whole, len, now);
	free(whole);
}

/* By ECN field, as many as the sender sent before they were merged (ip_rcv_core). */
static void count_marks(struct stack *s, const struct ip_hdr *ip, const uint8_t *l4, size_t len,
                        const struct virtio_net_hdr *vnet)
{
	static const enum counter by_field[] = { CTR_IpExtInNoECTPkts, CTR_IpExtInECT1Pkts, CTR_IpExtInECT0Pkts,
	                                         CTR_IpExtInCEPkts };
	size_t n = 1;

	if (vnet->gso_type != VIRTIO_NET_HDR_GSO_NONE && vnet->gso_size && len > 12) {
		size_t hdr = (size_t)(l4[12] >> 4) * 4;

		n = len > hdr ? (len - hdr + vnet->gso_size - 1) / vnet->gso_size : 1;
	}
	s->counters[by_field[ip->tos & 3]] += n;
}

/* Not to an address of ours: to all, or to nobody here (ip_rcv_finish_core(), ip_error()). */
static void input_stray(struct stack *s, const struct ip_hdr *ip, const uint8_t *l4, size_t len)
{
	if (ip_is_unicast(s, ip->dst)) {
		count(s, CTR_ip_not_for_us);
		return;
	}
	if (ip->dst >> 28 != 0xe) {
		count(s, CTR_IpExtInBcastPkts);
		s->counters[CTR_IpExtInBcastOctets] += ip->total_len;
	} else if (ip->dst == IP_ALL_HOSTS) {
		count(s, CTR_IpExtInMcastPkts);
		s->counters[CTR_IpExtInMcastOctets] += ip->total_len;
	} else {
		count(s, CTR_ip_broadcast);
		return;
	}
	if (ip->proto == PROTO_ICMP && !ip->has_more && !ip->frag_off) {
		count(s, CTR_IpInDelivers);
		icmp_input_broadcast(s, l4, len);
	} else {
		count(s, CTR_ip_broadcast);
	}
}

void ip_input(struct stack *s, int iface, const uint8_t *p, size_t len,
              const struct virtio_net_hdr *vnet, bool is_direct, xtime now)
{
	struct arrival a = { .iface = iface, .vnet = vnet, .is_direct = is_direct };
	struct ip_hdr ip;
	int why = ip_parse(p, len, &ip);
	const uint8_t *l4;
	size_t l4_len;

	count(s, CTR_IpInReceives);
	s->counters[CTR_IpExtInOctets] += len;
	if (why) {
		count(s, (enum counter)why);
		return;
	}
	l4 = p + ip.hdr_len;
	l4_len = (size_t)ip.total_len - ip.hdr_len;
	count_marks(s, &ip, l4, l4_len, vnet);
	a.kind = ip_addr_kind(s, ip.dst);
	/* 127/8 must not appear on any network (RFC 1122 3.2.1.3 g). */
	if (a.kind == IP_ADDR_NONE || (ip_is_loopback(ip.dst) && !is_inside(s, iface))) {
		input_stray(s, &ip, l4, l4_len);
		return;
	}
	if (is_martian(s, iface, ip.src)) {
		count(s, CTR_ip_src_bad);
		return;
	}
	if (ip.opt_len && !options_ok(s, &ip, l4, l4_len, is_direct, now))
		return;
	if (ip.has_more || ip.frag_off)
		deliver_fragment(s, &a, &ip, l4, l4_len, now);
	else
		deliver(s, &a, &ip, l4, l4_len, now);
}
