/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * timer.c - a 4-ary min-heap of deadlines, put right lazily.
 *
 * A slot keeps the deadline by which it is sorted; the timer keeps the true one.
 * Invariant: slot.at <= slot.t->at.  So a later deadline, or none at all, is one
 * store into the timer, and only a slot that comes to the top with a deadline
 * that is no longer true is moved down or taken out.  An earlier deadline moves
 * the slot up at once.  Four children to a node: half the depth of a binary
 * heap, and the four lie in one cache line.
 */
#include "timer.h"

#include <errno.h>
#include <stdlib.h>

#define CAP_MIN 16

struct timer_slot {
	xtime at;
	struct timer *t;
};

void timers_init(struct timers *ts)
{
	*ts = (struct timers){ 0 };
}

void timers_free(struct timers *ts)
{
	free(ts->heap);
	timers_init(ts);
}

void timer_init(struct timer *t, uint32_t kind)
{
	t->at = XTIME_NEVER;
	t->pos = TIMER_IDLE;
	t->kind = kind;
}

static void put(struct timers *ts, uint32_t i, struct timer_slot s)
{
	ts->heap[i] = s;
	s.t->pos = i;
}

/* Puts s where it belongs on the way from the hole i to the top. */
static void sift_up(struct timers *ts, uint32_t i, struct timer_slot s)
{
	while (i > 0) {
		uint32_t parent = (i - 1) / 4;

		if (ts->heap[parent].at <= s.at)
			break;
		put(ts, i, ts->heap[parent]);
		i = parent;
	}
	put(ts, i, s);
}

/* Puts s where it belongs on the way from the hole i down. */
static void sift_down(struct timers *ts, uint32_t i, struct timer_slot s)
{
	for (;;) {
		uint64_t first = (uint64_t)i * 4 + 1;
		uint64_t end = MIN(first + 4, (uint64_t)ts->n);
		uint64_t least = first;

		if (first >= ts->n)
			break;
		for (uint64_t k = first + 1; k < end; k++)
			if (ts->heap[k].at < ts->heap[least].at)
				least = k;
		if (ts->heap[least].at >= s.at)
			break;
		put(ts, i, ts->heap[least]);
		i = (uint32_t)least;
	}
	put(ts, i, s);
}

static void take_out(struct timers *ts, uint32_t i)
{
	struct timer_slot last = ts->heap[--ts->n];

	ts->heap[i].t->pos = TIMER_IDLE;
	if (i == ts->n)
		return;
	if (i > 0 && ts->heap[(i - 1) / 4].at > last.at)
		sift_up(ts, i, last);
	else
		sift_down(ts, i, last);
}

int timers_grow(struct timers *ts, uint32_t n)
{
	uint32_t cap = MAX(ts->cap, CAP_MIN);
	struct timer_slot *heap;

	if (n <= ts->cap)
		return 0;
	if (n >= UINT32_MAX / 2)
		return -ENOMEM;
	while (cap < n)
		cap *= 2;
	heap = realloc(ts->heap, cap * sizeof(*heap));
	if (!heap)
		return -ENOMEM;
	ts->heap = heap;
	ts->cap = cap;
	return 0;
}

int timer_set(struct timers *ts, struct timer *t, xtime at)
{
	if (t->pos != TIMER_IDLE) {
		t->at = at;
		if (at < ts->heap[t->pos].at)
			sift_up(ts, t->pos, (struct timer_slot){ at, t });
		return 0;
	}
	t->at = XTIME_NEVER;
	if (at == XTIME_NEVER)
		return 0;
	if (timers_grow(ts, ts->n + 1))
		return -ENOMEM;
	t->at = at;
	ts->n++;
	sift_up(ts, ts->n - 1, (struct timer_slot){ at, t });
	return 0;
}

void timer_cancel(struct timers *ts, struct timer *t)
{
	if (t->pos != TIMER_IDLE)
		take_out(ts, t->pos);
	t->at = XTIME_NEVER;
}

xtime timers_deadline(struct timers *ts)
{
	while (ts->n) {
		struct timer *t = ts->heap[0].t;

		if (ts->heap[0].at == t->at)
			return t->at;
		if (t->at == XTIME_NEVER)
			take_out(ts, 0);
		else
			sift_down(ts, 0, (struct timer_slot){ t->at, t });
	}
	return XTIME_NEVER;
}

struct timer *timers_pop(struct timers *ts, xtime now)
{
	xtime at = timers_deadline(ts);
	struct timer *t;

	if (at == XTIME_NEVER || at > now)
		return NULL;
	t = ts->heap[0].t;
	take_out(ts, 0);
	t->at = XTIME_NEVER;
	return t;
}
