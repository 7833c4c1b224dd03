/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pmtu.c - a set-associative cache: buckets of a few exceptions, found by a keyed
 * hash, so that a peer can't choose whose exception it pushes out.
 */
#include "pmtu.h"

#include <stdlib.h>

#define PMTU_BUCKETS 256u
#define PMTU_WAYS 5u     /* Linux's FNHE_RECLAIM_DEPTH */

struct pmtus {
	struct siphash_key key;
	struct pmtu v[PMTU_BUCKETS][PMTU_WAYS];
};

struct pmtus *pmtus_new(const struct siphash_key *key)
{
	struct pmtus *ps = calloc(1, sizeof(*ps));

	if (ps)
		ps->key = *key;
	return ps;
}

void pmtus_free(struct pmtus *ps)
{
	free(ps);
}

static bool is_live(const struct pmtu *p, xtime now)
{
	return p->mtu && now < p->expires;
}

static uint32_t bucket_of(const struct pmtus *ps, ip4 dst)
{
	return (uint32_t)siphash_1u64(&ps->key, dst) % PMTU_BUCKETS;
}

const struct pmtu *pmtu_find(const struct pmtus *ps, ip4 dst, xtime now)
{
	const struct pmtu *bucket = ps->v[bucket_of(ps, dst)];

	for (unsigned i = 0; i < PMTU_WAYS; i++)
		if (bucket[i].dst == dst && is_live(&bucket[i], now))
			return &bucket[i];
	return NULL;
}

/* The place for dst: its own, else a free one, else the one that ends first. */
static struct pmtu *place_for(struct pmtu *bucket, ip4 dst, xtime now)
{
	struct pmtu *best = &bucket[0];

	for (unsigned i = 0; i < PMTU_WAYS; i++) {
		if (bucket[i].mtu && bucket[i].dst == dst)
			return &bucket[i];
		if (is_live(best, now) &&
		    (!is_live(&bucket[i], now) || bucket[i].expires < best->expires))
			best = &bucket[i];
	}
	return best;
}

void pmtu_set(struct pmtus *ps, const struct pmtu *p, xtime now)
{
	*place_for(ps->v[bucket_of(ps, p->dst)], p->dst, now) = *p;
}
