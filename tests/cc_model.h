/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cc_model.h - what an algorithm should reach on a link: its window, as the RFC defines it,
 * in floating point, over an ideal sender and receiver.
 *
 * The sender knows what is lost as soon as it would have arrived, sends it again at once,
 * reduces in proportion to what is delivered (RFC 6937), and has neither time-outs nor
 * delayed ACKs; the path is one queue in front of a link, with losses one by one.  Nothing of
 * the stack's is used.
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
	double loss;             /* probability */
	double bad_in, bad_out;  /* Gilbert-Elliott, see sim.h */
};

/* Segments a second that are delivered in `seconds` after a warm-up of `warm_up`. */
double model_run(enum model_algorithm algorithm, const struct model_link *l, double warm_up,
                 double seconds, uint64_t seed);

#endif
