/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ranges.c - a sorted vector of intervals of sequence space.
 *
 * Invariants: v[i].end is before v[i + 1].start (touching intervals are merged),
 * and all of them lie within half of the sequence space, so that seq_lt() orders
 * them: a receive window is at most 2^30.  New data mostly extends the last
 * interval or opens one behind it, so the search looks there first.
 */
#include "ranges.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CAP_MIN 4u

void ranges_init(struct ranges *r)
{
	*r = (struct ranges){ 0 };
}

void ranges_free(struct ranges *r)
{
	free(r->v);
	ranges_init(r);
}

/* Index of the first interval whose end is at seq or later. */
static uint32_t first_reaching(const struct ranges *r, seq32 seq)
{
	uint32_t lo = 0, hi = r->n;

	if (hi && seq_lt(r->v[hi - 1].end, seq))
		return hi;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (seq_lt(r->v[mid].end, seq))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int grow(struct ranges *r)
{
	uint32_t cap = r->cap ? r->cap * 2 : CAP_MIN;
	struct range *v;

	if (r->n < r->cap)
		return 0;
	if (cap > UINT32_MAX / sizeof(*v))
		return -ENOMEM;
	v = realloc(r->v, cap * sizeof(*v));
	if (!v)
		return -ENOMEM;
	r->v = v;
	r->cap = cap;
	return 0;
}

static int insert_at(struct ranges *r, uint32_t i, struct range x, uint32_t max)
{
	if (r->n >= max)
		return -ENOSPC;
	if (grow(r))
		return -ENOMEM;
	memmove(&r->v[i + 1], &r->v[i], (r->n - i) * sizeof(*r->v));
	r->v[i] = x;
	r->n++;
	return 0;
}

static void erase(struct ranges *r, uint32_t from, uint32_t to)
{
	if (from == to)
		return;
	memmove(&r->v[from], &r->v[to], (r->n - to) * sizeof(*r->v));
	r->n -= to - from;
}

static uint32_t overlap(struct range a, struct range b)
{
	seq32 start = seq_max(a.start, b.start), end = seq_min(a.end, b.end);

	return seq_lt(start, end) ? end - start : 0;
}

int ranges_add(struct ranges *r, seq32 start, seq32 end, uint32_t max, struct range *merged,
               uint32_t *was_new)
{
	struct range x = { start, end }, all = x;
	uint32_t i, j, fresh = end - start;

	if (!seq_lt(start, end))
		return -EINVAL;
	i = first_reaching(r, start);
	for (j = i; j < r->n && seq_le(r->v[j].start, end); j++) {
		fresh -= overlap(r->v[j], x);
		all.start = seq_min(all.start, r->v[j].start);
		all.end = seq_max(all.end, r->v[j].end);
	}
	if (i == j) {
		int err = insert_at(r, i, all, max);

		if (err)
			return err;
	} else {
		r->v[i] = all;
		erase(r, i + 1, j);
	}
	if (merged)
		*merged = all;
	if (was_new)
		*was_new = fresh;
	return 0;
}

void ranges_cut_before(struct ranges *r, seq32 seq)
{
	uint32_t i = first_reaching(r, seq);

	if (i < r->n && r->v[i].end == seq)
		i++;
	erase(r, 0, i);
	if (!r->n)
		ranges_free(r);
	else
		r->v[0].start = seq_max(r->v[0].start, seq);
}

void ranges_cut_from(struct ranges *r, seq32 seq)
{
	uint32_t i = first_reaching(r, seq);

	if (i < r->n && seq_lt(r->v[i].start, seq)) {
		r->v[i].end = seq;
		i++;
	}
	r->n = i;
	if (!r->n)
		ranges_free(r);
}

const struct range *ranges_find(const struct ranges *r, seq32 seq)
{
	uint32_t i = first_reaching(r, seq + 1);

	return i < r->n && seq_le(r->v[i].start, seq) ? &r->v[i] : NULL;
}

bool ranges_has(const struct ranges *r, seq32 start, seq32 end)
{
	const struct range *x = ranges_find(r, start);

	return start == end || (x && seq_le(end, x->end));
}

uint32_t ranges_total(const struct ranges *r)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < r->n; i++)
		sum += r->v[i].end - r->v[i].start;
	return sum;
}
