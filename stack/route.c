/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * route.c - the routing table: one sorted array.
 *
 * Routes are looked up once for each connection and change rarely, so the table
 * is an array sorted by what a look-up prefers: longest prefix, then destination
 * (so that a prefix length's routes can be searched by halves), a route for this
 * very TOS before one for any, then the lowest metric (Linux's fib_table_lookup()
 * and fib_find_alias()).  A look-up halves its way through each prefix length that
 * occurs, at most 33 times.
 */
#include "route.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void routes_init(struct routes *r)
{
	memset(r, 0, sizeof(*r));
}

void routes_fini(struct routes *r)
{
	free(r->v);
	memset(r, 0, sizeof(*r));
}

/* Order by prefix alone: negative when a comes first. */
static int compare_prefix(uint8_t a_plen, ip4 a_dst, uint8_t b_plen, ip4 b_dst)
{
	if (a_plen != b_plen)
		return a_plen > b_plen ? -1 : 1;
	return a_dst < b_dst ? -1 : a_dst > b_dst;
}

static int compare(const struct route *a, const struct route *b)
{
	int c = compare_prefix(a->plen, a->dst, b->plen, b->dst);

	if (c)
		return c;
	if (a->tos != b->tos)
		return a->tos > b->tos ? -1 : 1;
	return a->metric < b->metric ? -1 : a->metric > b->metric;
}

/* The first route from lo on that doesn't come before plen and dst. */
static uint32_t lower_bound(const struct routes *r, uint32_t lo, uint8_t plen, ip4 dst)
{
	uint32_t hi = r->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (compare_prefix(r->v[mid].plen, r->v[mid].dst, plen, dst) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool is_same(const struct route *a, const struct route *b)
{
	return !compare(a, b) && a->iface == b->iface;
}

static struct route *find_same(const struct routes *r, const struct route *rt)
{
	for (uint32_t i = lower_bound(r, 0, rt->plen, rt->dst); i < r->n; i++) {
		if (compare(&r->v[i], rt) > 0)
			break;
		if (is_same(&r->v[i], rt))
			return &r->v[i];
	}
	return NULL;
}

static int grow(struct routes *r)
{
	uint32_t cap = r->cap ? r->cap * 2 : 16;
	struct route *v;

	if (r->n < r->cap)
		return 0;
	v = realloc(r->v, cap * sizeof(*v));
	if (!v)
		return -ENOMEM;
	r->v = v;
	r->cap = cap;
	return 0;
}

int route_add(struct routes *r, const struct route *rt)
{
	struct route *old;
	uint32_t at;

	if (rt->plen > 32 || rt->dst & ~plen_mask(rt->plen) || rt->type > ROUTE_THROW)
		return -EINVAL;
	old = find_same(r, rt);
	if (old) {
		*old = *rt;
		r->gen++;
		return 0;
	}
	if (grow(r) < 0)
		return -ENOMEM;
	/* Behind its equals: the older of two routes stays the better one. */
	at = lower_bound(r, 0, rt->plen, rt->dst);
	while (at < r->n && compare(&r->v[at], rt) <= 0)
		at++;
	memmove(&r->v[at + 1], &r->v[at], (r->n - at) * sizeof(*r->v));
	r->v[at] = *rt;
	r->n++;
	r->gen++;
	return 0;
}

int route_del(struct routes *r, const struct route *rt)
{
	struct route *old = find_same(r, rt);
	uint32_t at;

	if (!old)
		return -ESRCH;
	at = (uint32_t)(old - r->v);
	r->n--;
	memmove(old, old + 1, (r->n - at) * sizeof(*r->v));
	r->gen++;
	return 0;
}

void routes_flush(struct routes *r)
{
	r->n = 0;
	r->gen++;
}

static bool fits(const struct route *rt, uint8_t tos, int iface)
{
	return (rt->tos == 0 || rt->tos == tos) && (iface < 0 || rt->iface == iface);
}

/* The best fitting route from index i on; i may stand within a prefix' routes. */
static const struct route *search(const struct routes *r, uint32_t i, ip4 dst, uint8_t tos,
                                  int iface)
{
	while (i < r->n) {
		uint8_t plen = r->v[i].plen;
		ip4 prefix = dst & plen_mask(plen);

		i = lower_bound(r, i, plen, prefix);
		for (; i < r->n && r->v[i].plen == plen && r->v[i].dst == prefix; i++)
			if (fits(&r->v[i], tos, iface))
				return &r->v[i];
		if (plen == 0)
			return NULL;
		i = lower_bound(r, i, (uint8_t)(plen - 1), 0);
	}
	return NULL;
}

const struct route *route_lookup(const struct routes *r, ip4 dst, uint8_t tos, int iface)
{
	return search(r, 0, dst, tos, iface);
}

const struct route *route_next(const struct routes *r, const struct route *prev, ip4 dst,
                               uint8_t tos, int iface)
{
	return search(r, (uint32_t)(prev - r->v) + 1, dst, tos, iface);
}
