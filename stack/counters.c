/* SPDX-License-Identifier: BSD-2-Clause */
/* counters.c - counters.def as a table. */
#include "counters.h"

const struct counter_info counter_info[CTR_COUNT] = {
	[CTR_NONE] = { "none", CTR_STAT, "nothing happened" },
#define CTR(id, severity, sentence) [CTR_##id] = { #id, severity, sentence },
#include "counters.def"
#undef CTR
};
