/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ip.h - IPv4 between link and transport: route, source address, header, MTU.
 */
#ifndef XTCP_IP_H
#define XTCP_IP_H

#include "frame.h"
#include "wire.h"

struct stack;
struct neigh;

/* The way to a destination, as a connection caches it (Linux's rtable). */
struct ip_route {
	int iface;            /* stack interface index */
	ip4 src;              /* source address chosen for it */
	ip4 next_hop;         /* gateway or the destination itself */
	uint32_t mtu;         /* of the route or interface; without path MTU discovery's view */
	uint32_t advmss, initcwnd, initrwnd, rto_min_ms, window;   /* 0: default */
	uint8_t type;         /* enum route_type */
	bool mtu_locked, quickack;
	uint32_t gen;         /* stack.routes.gen when it was looked up */
};

/* Linux ip_route_output_key(): route to dst from src (0: choose) by interface oif
 * (stack index, -1: any) with this TOS.  0 or -ENETUNREACH, -EHOSTUNREACH, -EACCES,
 * -EINVAL (a source that cannot be one, a blackhole), -ENODEV. */
int ip_route(struct stack *s, ip4 dst, ip4 src, int oif, uint8_t tos, struct ip_route *out);

/* Source address selection (Linux inet_select_addr()): of iface, the first whose subnet
 * holds dst, else the first; 0 when the interface has none. */
ip4 ip_select_addr(const struct stack *s, int iface, ip4 dst);

/* The MTU towards dst now: the route's, lowered by what ICMP told us. */
uint32_t ip_mtu(struct stack *s, const struct ip_route *rt, ip4 dst, xtime now);
/* Whether DF may be set: not on a route with a locked MTU, nor towards a destination
 * that claimed an MTU below min_pmtu (Linux ip_dont_fragment()). */
bool ip_may_set_df(struct stack *s, const struct ip_route *rt, ip4 dst, xtime now);
/* ICMP said: packets to dst must not be longer (RFC 1191; floor min_pmtu). */
void ip_set_pmtu(struct stack *s, ip4 dst, uint32_t mtu, xtime now);

/* What goes into an IP header. */
struct ip_tx {
	ip4 src, dst;
	uint16_t id;
	bool is_df;
	uint8_t tos, ttl, proto;
	uint8_t opt_len;
	const uint8_t *opts;   /* already as they go on the wire (ip_opts_build) */
};

/* Writes link and IP header into f->hdr for l4_len bytes of transport header and
 * payload; l4_len may exceed the MTU when the interface segments.
 * The offset at which the transport header goes; -EAGAIN (*entry: where to wait),
 * -EHOSTUNREACH, -ENOBUFS as neigh_resolve(); -ENETDOWN; -EMSGSIZE beyond 65,535. */
int ip_build(struct stack *s, struct frame_out *f, const struct ip_route *rt, const struct ip_tx *tx,
             size_t l4_len, struct neigh **entry, xtime now);

/* A small packet that belongs to no connection (reset, ACK for TIME-WAIT, ICMP):
 * routed, queued and sent with the next stack_output(); dropped and counted when
 * it can't be.  Longer than the MTU: fragmented.  rt NULL: look it up. */
void ip_send(struct stack *s, const struct ip_route *rt, const struct ip_tx *tx, const uint8_t *l4,
             size_t len, xtime now);

/* The IP id for a packet of no connection: unlikely to be used again soon between the
 * same two hosts (RFC 6864). */
uint16_t ip_ident(struct stack *s, ip4 src, ip4 dst, uint8_t proto);

/* A frame's IP packet came in on iface (link header removed); is_direct: it was sent
 * to our own link address, not broadcast or multicast there. */
void ip_input(struct stack *s, int iface, const uint8_t *p, size_t len,
              const struct virtio_net_hdr *vnet, bool is_direct, xtime now);

/* ---- checksum and segmentation offload (ip_offload.c) ---- */

/* Whether the checksum of an incoming TCP segment is right, or needs no look: partial
 * (the sender's host is ours, VIRTIO_NET_HDR_F_NEEDS_CSUM) or verified already. */
bool ip_tcp_csum_ok(const struct stack *s, int iface, const struct ip_hdr *ip, const uint8_t *seg,
                    size_t len, const struct virtio_net_hdr *vnet);
/* The TCP header of l4_hdr_len bytes stands at f->hdr + l4_off, the payload in f->payload
 * (pieces of any length): sets f->hdr_len, the checksum (left to the interface where it
 * can) and, when there is more payload than gso_size, the segmentation fields. */
void ip_finish_l4(const struct stack *s, struct frame_out *f, size_t l4_off, size_t l4_hdr_len,
                  ip4 src, ip4 dst, uint16_t gso_size);

#define IP_LOOPBACK 0x7f000001u        /* 127.0.0.1 */

static inline bool ip_is_loopback(ip4 a) { return a >> 24 == 127; }

enum ip_addr_kind {
	IP_ADDR_NONE,         /* not ours */
	IP_ADDR_OWN,          /* ours alone: --address */
	IP_ADDR_SHARED,       /* the kernel's, used by us on claimed ports */
};
/* Whose address is it? */
enum ip_addr_kind ip_addr_kind(const struct stack *s, ip4 a);
/* Broadcast (limited or of one of our subnets), multicast, or zero. */
bool ip_is_unicast(const struct stack *s, ip4 a);

/* ---- options (ip_opts.c) ---- */

/* IP_OPTIONS as setsockopt() takes them (Linux ip_options_get/compile): checks
 * them and finds the source route.  0 or -EINVAL (an unknown option too, as for a
 * program without CAP_NET_RAW). */
struct ip_optset {
	uint8_t len;                /* 0 to 40, padded to 4 */
	bool is_strict;             /* SSRR */
	uint8_t srr;                /* offset of LSRR or SSRR + 1, 0: none */
	ip4 first_hop;              /* of the source route, 0 when none is left */
	uint8_t data[IP_OPT_MAX];   /* as given */
};
int ip_opts_parse(const uint8_t *p, size_t len, struct ip_optset *o);
/* As they go on the wire towards dst: the source route's last hop is dst and the
 * IP destination is the first hop (ip_options_build); time: stack_time_of_day().  Returns the length. */
size_t ip_opts_build(const struct ip_optset *o, ip4 src, ip4 dst, uint32_t time, uint8_t out[IP_OPT_MAX]);
/* The options of a received header.  0, or the offset in the IP header of the byte that
 * is wrong (at least 20); *has_srr: there is a source route; *is_ended: it doesn't lead on. */
size_t ip_opts_check(const struct ip_hdr *h, bool *has_srr, bool *is_ended);
/* ip_options_echo(): the options of an answer to a packet for us: routes and timestamps go on being
 * recorded, a source route that has ended here is reversed, anything else is left out.  time:
 * stack_time_of_day().  Empty when there is nothing to echo.  -EINVAL, and empty: what would be
 * echoed is nothing that a host takes in. */
int ip_opts_echo(const struct ip_hdr *h, uint32_t time, struct ip_optset *o);

#endif
