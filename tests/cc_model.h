/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cc_model.h - what an algorithm should reach on a link: its window, as the RFC defines it,
 * in floating point, over an ideal sender and receiver.  Nothing of the stack's is used.
 *
 * What it assumes:
 *  - The sender always has data and sends a segment as soon as the window has room for it, with
 *    is_burst only as soon as it has room for a third of it (below).
 *  - Every other segment is acknowledged (RFC 5681 4.2), in recovery each, without delay; what is lost is known
 *    when it would have arrived: no reordering window, no time-outs.
 *  - A loss or a mark reduces the window once a round (RFC 5681 3.2, RFC 9438 4.6, RFC 3168 6.1.2), over
 *    that round, in proportion to what is delivered (RFC 6937); then it is ssthresh.  What was lost or marked
 *    of what was sent in that round reduces it again: with a shallow threshold the first segment after
 *    a mark may be marked too, which halves the window twice.  After a first mark two segments are
 *    acknowledged at once.
 *  - Slow start ends with the first loss or mark; there is no HyStart.
 *  - The path is a policer, then one queue in front of a link that marks and loses; the way back is
 *    free.  A policer is a token bucket that sees segments when they are sent: what is beyond it is lost,
 *    and as nothing waits at it the window alone is the rate.
 *  - Losses are those of the simulated link (sim.h) with the same seed: the n-th packet is lost on both,
 *    so that chance, 2 to 4 % of some hundred losses, isn't part of what is compared.
 */
#ifndef XTCP_TESTS_CC_MODEL_H
#define XTCP_TESTS_CC_MODEL_H

#include <stdbool.h>
#include <stdint.h>

enum model_algorithm { MODEL_RENO, MODEL_CUBIC };

struct model_link {
	double rate;             /* segments a second */
	double rtt;              /* seconds, without queueing */
	double queue;            /* segments that wait for the link */
	double loss, corrupt;    /* probabilities */
	double bad_in, bad_out;  /* Gilbert-Elliott, see sim.h */
	double police_rate;      /* segments a second, 0: none */
	double police_burst;     /* segments */
	double mark_at;          /* segments that wait: one behind them is marked, 0: none */
	/* The sender waits for an ACK that is due within half a round trip or a millisecond, whichever is less,
	 * rather than send less than a third of the window (Linux's tcp_tso_should_defer(), so as to
	 * send super-frames); not when it last sent more than a millisecond ago, nor in recovery. */
	bool is_burst;
};

/* Segments a second that are delivered in `seconds` after a warm-up of `warm_up`. */
double model_run(enum model_algorithm algorithm, const struct model_link *l, double warm_up,
                 double seconds, uint64_t seed);

#endif
