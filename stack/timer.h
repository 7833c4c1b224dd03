/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * timer.h - one deadline for each active object, in a 4-ary heap.
 *
 * Each object has one timer; which of its own deadlines is the earliest is its
 * own business.  Moving a deadline later (each ACK does that to the
 * retransmission timer) costs one store: the heap is put right only when the
 * entry comes to the top.  timers_deadline() is exact all the same.
 */
#ifndef XTCP_TIMER_H
#define XTCP_TIMER_H

#include "base.h"

#define TIMER_IDLE UINT32_MAX

struct timer {
	xtime at;       /* when it is due; XTIME_NEVER when not armed */
	uint32_t pos;   /* place in the heap, TIMER_IDLE when in none */
	uint32_t kind;  /* the owner's: which struct this is embedded in */
};

struct timers {
	struct timer_slot *heap;   /* owned */
	uint32_t n, cap;
};

void timers_init(struct timers *ts);
void timers_free(struct timers *ts);

void timer_init(struct timer *t, uint32_t kind);

/* Arms, moves or (XTIME_NEVER) disarms: 0 or -ENOMEM, then it is not armed.
 * timers_grow() beforehand makes it certain to succeed. */
int timer_set(struct timers *ts, struct timer *t, xtime at);

/* Makes room for n timers altogether, so that timer_set() can't fail. */
int timers_grow(struct timers *ts, uint32_t n);

/* Takes a timer out for good, before its object is freed. */
void timer_cancel(struct timers *ts, struct timer *t);

/* The earliest deadline, XTIME_NEVER when there is none. */
xtime timers_deadline(struct timers *ts);

/* Takes out and returns a timer that is due at `now`, NULL when none is; the
 * timer is idle then (at == XTIME_NEVER). */
struct timer *timers_pop(struct timers *ts, xtime now);

#endif
