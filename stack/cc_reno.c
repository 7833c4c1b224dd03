/* SPDX-License-Identifier: BSD-2-Clause */
/* cc_reno.c - NewReno (RFC 5681), and what others take from it. */
#include "tcp_impl.h"

uint32_t cc_reno_undo(struct tcp_conn *c)
{
	return MAX(c->cc.cwnd, c->loss.prior_cwnd);
}

uint32_t cc_reno_ssthresh(struct tcp_conn *c, xtime now)
{
	(void)now;
	return MAX(c->cc.cwnd >> 1, 2u);
}

void cc_reno_cong_avoid(struct tcp_conn *c, uint32_t ack, uint32_t acked, xtime now)
{
	(void)ack;
	(void)now;
	acked = cc_after_slow_start(c, acked);
	if (acked)
		cc_avoid_ai(c, c->cc.cwnd, acked);
}

const struct cc_ops cc_reno = {
	.name = "reno",
	.ssthresh = cc_reno_ssthresh,
	.cong_avoid = cc_reno_cong_avoid,
	.undo_cwnd = cc_reno_undo,
};
