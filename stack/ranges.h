/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ranges.h - disjoint intervals [start, end) of sequence space, in order.
 *
 * One structure serves reassembly (what has arrived beyond rcv_nxt) and SACK
 * generation.  Touching and overlapping intervals are merged.  The number of
 * intervals is bounded by the caller, so that a peer cannot make it grow.
 */
#ifndef XTCP_RANGES_H
#define XTCP_RANGES_H

#include "base.h"

struct range {
	seq32 start, end;   /* start before end */
};

struct ranges {
	struct range *v;    /* sorted, disjoint, not touching; NULL while cap is 0; owned */
	uint32_t n, cap;
};

void ranges_init(struct ranges *r);
void ranges_free(struct ranges *r);

/* Adds [start, end), merging.  *merged, when not NULL, is the interval that now
 * holds it; *was_new, when not NULL, the number of sequence numbers that were
 * not covered before.  0; -ENOSPC when one more interval than max would be needed;
 * -ENOMEM; -EINVAL when start is not before end. */
int ranges_add(struct ranges *r, seq32 start, seq32 end, uint32_t max, struct range *merged,
               uint32_t *was_new);

/* Removes everything before seq; frees the memory when nothing is left. */
void ranges_cut_before(struct ranges *r, seq32 seq);

/* Removes everything from seq on. */
void ranges_cut_from(struct ranges *r, seq32 seq);

/* True when [start, end) is covered whole. */
bool ranges_has(const struct ranges *r, seq32 start, seq32 end);

/* The interval that holds seq, or NULL. */
const struct range *ranges_find(const struct ranges *r, seq32 seq);

/* Sum of the lengths. */
uint32_t ranges_total(const struct ranges *r);

#endif
