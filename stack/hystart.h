/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hystart.h - when slow start ends before it loses: HyStart as Linux's CUBIC has it, and
 * HyStart++ (RFC 9406).  The setting tcp_cubic_hystart chooses.
 */
#ifndef XTCP_HYSTART_H
#define XTCP_HYSTART_H

#include "base.h"

struct tcp_conn;

enum { HYSTART_OFF, HYSTART_LINUX, HYSTART_PP };   /* tcp_cubic_hystart */

/* One round trip at a time. */
struct hystart {
	xtime round_start, last_ack;
	seq32 end_seq;               /* acknowledged: the round is over */
	uint32_t curr_rtt_us;        /* least of this round, UINT32_MAX: none yet */
	uint32_t last_rtt_us;        /* of the round before */
	uint32_t baseline_us;        /* when conservative slow start began */
	uint8_t sample_cnt;
	uint8_t css_rounds;          /* that conservative slow start may still take, 0: it is not on */
	uint8_t css_acked;           /* segments that haven't made cwnd larger yet */
	bool has_found;              /* slow start is over */
};

void hystart_reset(struct tcp_conn *c, struct hystart *h, xtime now);
/* An RTT sample in slow start; min_us is the least ever.  May set ssthresh. */
void hystart_sample(struct tcp_conn *c, struct hystart *h, uint32_t min_us, uint32_t rtt_us, xtime now);
/* How many of `acked` segments count for slow start's growth. */
uint32_t hystart_growth(struct hystart *h, uint32_t acked);

#endif
