/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * counters.h - what the stack counts; the table is counters.def.
 *
 * Every dropped packet bumps exactly one counter.  Parsers return a counter as
 * the reason of their refusal, so CTR_NONE is 0 and means success.
 */
#ifndef XTCP_COUNTERS_H
#define XTCP_COUNTERS_H

#include "base.h"

enum counter {
	CTR_NONE = 0,
#define CTR(id, severity, sentence) CTR_##id,
#include "counters.def"
#undef CTR
	CTR_COUNT
};

enum counter_severity {
	CTR_STAT,   /* happens in normal operation */
	CTR_DROP,   /* a packet was dropped for a reason that is nobody's fault */
	CTR_BAD,    /* a packet was dropped because it was malformed */
	CTR_ERR,    /* something of ours failed (memory, transmit) */
};

struct counter_info {
	const char *name;
	enum counter_severity severity;
	const char *sentence;
};

/* Indexed by enum counter. */
extern const struct counter_info counter_info[CTR_COUNT];

#endif
