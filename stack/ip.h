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
	uint8_t type;         /* enum route_type */
	uint32_t mtu;         /* of the route or interface; without path MTU discovery's view */
	bool mtu_locked;
	uint32_t advmss, initcwnd, initrwnd, rto_min_ms, window;   /* 0: default */
	bool quickack;
	uint32_t gen;         /* stack.routes.gen when it was looked up */
};

/* Linux ip_route_output_key(): route to dst from src (0: choose) by interface oif
 * (stack index, -1: any) with this TOS.  0 or -ENETUNREACH, -EHOSTUNREACH, -EACCES,
 * -EINVAL (a source that cannot be one, a blackhole), -ENODEV, -ENETDOWN. */
int ip_route(struct stack *s, ip4 dst, ip4 src, int oif, uint8_t tos, struct ip_route *out);

/* The MTU towards dst now: the route's, lowered by what ICMP told us. */
uint32_t ip_mtu(struct stack *s, const struct ip_route *rt, ip4 dst, xtime now);
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
 * -EHOSTUNREACH, -ENOBUFS, -ENETDOWN as neigh_resolve(). */
int ip_build(struct stack *s, struct frame_out *f, const struct ip_route *rt, const struct ip_tx *tx,
             size_t l4_len, struct neigh **entry, xtime now);

/* A small packet that belongs to no connection (reset, ACK for TIME-WAIT, ICMP):
 * routed, queued and sent with the next stack_output(); dropped and counted when
 * it can't be.  Longer than the MTU: fragmented.  rt NULL: look it up. */
void ip_send(struct stack *s, const struct ip_route *rt, const struct ip_tx *tx, const uint8_t *l4,
             size_t len, xtime now);

/* A frame's IP packet came in on iface (link header removed). */
void ip_input(struct stack *s, int iface, const uint8_t *p, size_t len,
              const struct virtio_net_hdr *vnet, xtime now);

enum ip_addr_kind {
	IP_ADDR_NONE,         /* not ours */
	IP_ADDR_OWN,          /* ours alone: --address */
	IP_ADDR_SHARED,       /* the kernel's, used by us on claimed ports */
};
/* Whose address is it? */
enum ip_addr_kind ip_addr_kind(const struct stack *s, ip4 a);
/* Broadcast (limited or of one of our subnets), multicast, or zero. */
bool ip_is_unicast(const struct stack *s, ip4 a);

/* IP_OPTIONS as setsockopt() takes them (Linux ip_options_get/compile): checks
 * them and finds the source route.  0, -EINVAL; -EPERM for an option that may not
 * be set. */
struct ip_optset {
	uint8_t len;                /* 0 to 40, padded to 4 */
	bool is_strict;             /* SSRR */
	uint8_t srr;                /* offset of LSRR or SSRR + 1, 0: none */
	ip4 first_hop;              /* of the source route, 0 when none is left */
	uint8_t data[IP_OPT_MAX];   /* as given */
};
int ip_opts_parse(const uint8_t *p, size_t len, struct ip_optset *o);
/* As they go on the wire towards dst: the source route's last hop is dst and the
 * IP destination is the first hop (ip_options_build).  Returns the length. */
size_t ip_opts_build(const struct ip_optset *o, ip4 src, ip4 dst, uint8_t out[IP_OPT_MAX]);

#endif
