/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * route.h - IPv4 routes: longest prefix, then lowest metric; and what path MTU
 * discovery learned about single destinations.
 */
#ifndef XTCP_ROUTE_H
#define XTCP_ROUTE_H

#include "base.h"

enum route_type {
	ROUTE_UNICAST,
	ROUTE_LOCAL,          /* an address of ours */
	ROUTE_BROADCAST,
	ROUTE_MULTICAST,
	ROUTE_UNREACHABLE,    /* EHOSTUNREACH */
	ROUTE_PROHIBIT,       /* EACCES */
	ROUTE_BLACKHOLE,      /* EINVAL */
	ROUTE_THROW,          /* ENETUNREACH */
};

struct route {
	ip4 dst;
	uint8_t plen;         /* 0 to 32 */
	uint8_t type;         /* enum route_type */
	uint8_t tos;          /* 0: any */
	int iface;            /* stack interface index */
	ip4 gateway;          /* 0: on link */
	ip4 prefsrc;          /* 0: the interface's choice */
	uint32_t metric;
	uint32_t mtu;         /* RTAX_MTU, 0: the interface's */
	bool mtu_locked;      /* path MTU discovery doesn't lower it; DF is not set */
	uint32_t advmss, initcwnd, initrwnd, rto_min_ms, window;   /* RTAX_*, 0: default */
	bool quickack;        /* RTAX_QUICKACK */
};

struct routes {
	struct route *v;      /* sorted by plen descending, dst, tos descending, metric; owned */
	uint32_t n, cap;
	uint32_t gen;         /* changes with every change: caches compare it */
};

void routes_init(struct routes *r);
void routes_fini(struct routes *r);
/* Adds or replaces (same dst, plen, tos, metric, iface): 0, -EINVAL, -ENOMEM. */
int route_add(struct routes *r, const struct route *rt);
/* 0 or -ESRCH. */
int route_del(struct routes *r, const struct route *rt);
void routes_flush(struct routes *r);
/* Best route to dst; with iface >= 0 only routes by that interface.  NULL: none. */
const struct route *route_lookup(const struct routes *r, ip4 dst, uint8_t tos, int iface);
/* The next best one after `prev`, which route_lookup() gave for the same question. */
const struct route *route_next(const struct routes *r, const struct route *prev, ip4 dst,
                               uint8_t tos, int iface);

/* The netmask of a prefix length. */
static inline ip4 plen_mask(uint8_t plen) { return plen ? UINT32_MAX << (32 - plen) : 0; }

#endif
