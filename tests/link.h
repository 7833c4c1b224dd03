/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * link.h - one direction of a bad link, as a function of packets and times: what becomes of
 * a packet and when it leaves.  No clock, no I/O; relay.c puts it between two interfaces.
 *
 *   policer -> random loss, burst loss -> queue, rate -> reordering, duplication, corruption -> delay
 *
 * The n-th packet's chances depend on the seed and n alone, not on when it came or what became
 * of those before it, so that two senders meet the same link; bursts are a chain of states that
 * takes one step with each packet.
 */
#ifndef XTCP_TESTS_LINK_H
#define XTCP_TESTS_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "stack/base.h"

struct link_conf {
	uint64_t rate;            /* bits/s, 0: infinite */
	uint32_t queue;           /* bytes that wait for the link, the one on it included; 0: unbounded */
	uint32_t mark;            /* CE is set while more bytes than these wait, 0: never */
	xtime delay, jitter;      /* ns; jitter is added, up to that much, and keeps the order */
	double loss;              /* probabilities, each packet by itself: of loss, */
	double bad, good;         /* of entering and of leaving the state in which all is lost
	                           * (Gilbert-Elliott; a burst is 1 / good packets on average) */
	double reorder, dup, corrupt;
	xtime reorder_by;         /* what is reordered comes later by that */
	uint64_t police;          /* bits/s that a token bucket lets pass, 0: none */
	uint32_t burst;           /* its depth in bytes */
};

struct link_counters {
	uint64_t packets, bytes, lost, dropped, policed, marked, reordered, doubled, corrupted;
};

struct link {
	struct link_conf conf;
	struct link_counters count;
	uint64_t seed;
	xtime free_at;            /* the last bit of what was queued has left the queue */
	xtime last_at;            /* the latest departure that keeps the order */
	xtime tokens_at;          /* when tokens was true, 0: the bucket is full */
	double tokens;            /* bytes */
	bool is_bad;
};

struct link_fate {
	unsigned copies;          /* 0: lost, 1, 2: doubled */
	xtime at;                 /* when they leave */
	bool is_marked;           /* CE is to be set, if the sender allows it */
	bool is_corrupt;
	uint64_t random;          /* which bit */
};

void link_init(struct link *l, const struct link_conf *conf, uint64_t seed);

/* A packet of `len` bytes has come at `now`, not before the last one. */
struct link_fate link_send(struct link *l, uint32_t len, xtime now);

/* Reads "rate=50M,delay=10ms,queue=128k,loss=1%,..." over what *conf holds.  Rates and bytes take
 * k, M and G (of 1,000), times us, ms and s, probabilities %.  Returns 0, or -EINVAL at the first
 * word that isn't understood. */
int link_parse(struct link_conf *conf, const char *text);

#endif
