/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * portwalk.h - the order in which Linux tries local ports, walked in words of 64.
 *
 * __inet_hash_connect() and inet_csk_find_open_port() both start at lo + offset,
 * go up in steps of `step` and come back by `remaining` when they pass the end:
 * remaining / step tries.  (With an odd number of ports and step 2, remaining is one less
 * than their number, so one port is left out; that is Linux's doing.)
 */
#ifndef XTCP_PORTWALK_H
#define XTCP_PORTWALK_H

#include "base.h"

/* A set of port numbers. */
struct portset {
	uint64_t w[65536 / 64];
};

static inline bool portset_has(const struct portset *p, uint16_t port)
{
	return p->w[port / 64] >> (port % 64) & 1;
}
static inline void portset_add(struct portset *p, uint16_t port)
{
	p->w[port / 64] |= UINT64_C(1) << (port % 64);
}
static inline void portset_del(struct portset *p, uint16_t port)
{
	p->w[port / 64] &= ~(UINT64_C(1) << (port % 64));
}

/* One bit for each word of a set, so that 4,096 ports are passed over at once. */
struct portsum {
	uint64_t w[65536 / 64 / 64];
};

static inline void portsum_put(struct portsum *s, uint32_t word, bool is_set)
{
	uint64_t bit = UINT64_C(1) << (word % 64);

	if (is_set)
		s->w[word / 64] |= bit;
	else
		s->w[word / 64] &= ~bit;
}

/* Sets the bits of the port's word: `full[p]` when all of its ports of parity p are in. */
static inline void portsum_full(struct portsum full[2], const struct portset *p, uint16_t port)
{
	const uint64_t even = UINT64_C(0x5555555555555555);
	uint64_t w = p->w[port / 64];

	portsum_put(&full[0], port / 64, (w & even) == even);
	portsum_put(&full[1], port / 64, (w & ~even) == ~even);
}

/* Sets the bit of the port's word when any of its ports is in. */
static inline void portsum_any(struct portsum *any, const struct portset *p, uint16_t port)
{
	portsum_put(any, port / 64, p->w[port / 64] != 0);
}

struct portwalk {
	uint32_t lo, hi;      /* first port, one past the last */
	uint32_t remaining;   /* see above; at least 1 */
	uint32_t step;        /* 1 or 2 */
};

#define PORTMASK_SKIPS 4

/* Which ports of a walk are worth looking at; NULL sets don't count. */
struct portmask {
	const struct portset *used;    /* not these ... */
	const struct portset *retry;   /* ... unless they are here, too */
	const struct portset *only;    /* nothing but these */
	const struct portset *skip[PORTMASK_SKIPS];   /* nor any of these */
	/* Summaries, each NULL or true to its set: */
	const struct portsum *used_full;   /* of `used`, two, by parity; only without `retry` */
	const struct portsum *only_any;    /* of `only` */
};

#define PORTWALK_END UINT32_MAX

/* Linux's walk over the range: of one parity, or (is_users) over all ports. */
void portwalk_init(struct portwalk *w, uint16_t lo, uint16_t hi, bool is_users);

/* The port at distance i from the start. */
static inline uint16_t portwalk_port(const struct portwalk *w, uint32_t offset, uint32_t i)
{
	uint32_t p = w->lo + offset + i;

	return (uint16_t)(p >= w->hi ? p - w->remaining : p);
}

/* The first distance, from i on in steps, whose port the mask leaves: PORTWALK_END when
 * there is none.  *words is raised by the number of words looked at. */
uint32_t portwalk_next(const struct portwalk *w, uint32_t offset, uint32_t i,
                       const struct portmask *m, uint64_t *words);

#endif
