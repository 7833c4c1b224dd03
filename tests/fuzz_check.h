/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_check.h - what holds of a stack between any two calls, whatever its peers do.
 *
 * Each check ends the process with one sentence when it fails.
 */
#ifndef XTCP_TESTS_FUZZ_CHECK_H
#define XTCP_TESTS_FUZZ_CHECK_H

#include "stack/stack.h"

/* Every connection: the counts of what is in flight are the sums over the queue; sequence
 * numbers are in order; what lies in the rings is what the numbers say and no more than the
 * buffers allow; what waits for an answer has a timer.  The stack: lists and counts agree. */
void fuzz_check(struct stack *s);

/* Of each socket: rings of no more than its receive buffer, and its send buffer with one segment
 * of 64 KB more; as many holes and segments in flight as these allow. */
void fuzz_check_memory(struct stack *s);

#endif
