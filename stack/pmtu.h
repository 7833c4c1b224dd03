/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pmtu.h - what path MTU discovery learned: exceptions from the routes' MTU for
 * single destinations (RFC 1191; Linux's next-hop exceptions).
 *
 * An exception ends after mtu_expires seconds, so that a larger MTU is found again.
 * Their number is bounded: a new one takes the place of the oldest of its bucket.
 */
#ifndef XTCP_PMTU_H
#define XTCP_PMTU_H

#include "siphash.h"

struct pmtus;

struct pmtu {
	ip4 dst;
	uint32_t mtu;      /* 0: no entry */
	bool is_locked;    /* below min_pmtu: DF is not set, routers fragment */
	xtime expires;
};

struct pmtus *pmtus_new(const struct siphash_key *key);   /* NULL: no memory */
void pmtus_free(struct pmtus *ps);

/* The exception for dst, NULL when there is none (any more). */
const struct pmtu *pmtu_find(const struct pmtus *ps, ip4 dst, xtime now);

/* Sets the exception for dst. */
void pmtu_set(struct pmtus *ps, const struct pmtu *p, xtime now);

#endif
