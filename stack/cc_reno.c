/* SPDX-License-Identifier: BSD-2-Clause */
/* cc_reno.c - the table of algorithms, what they share, and NewReno (RFC 5681). */
#include "cc.h"

#include <stdio.h>
#include <string.h>

#include "tcp_impl.h"

static const struct cc_ops *const cc_all[] = { &cc_cubic, &cc_reno, &cc_bbr };

const struct cc_ops *cc_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(cc_all); i++)
		if (strcmp(cc_all[i]->name, name) == 0)
			return cc_all[i];
	return NULL;
}

size_t cc_names(char *buf, size_t len)
{
	size_t at = 0;

	for (size_t i = 0; i < ARRAY_LEN(cc_all); i++)
		for (const char *p = i ? " " : "", *q = cc_all[i]->name; *p || *q; at++) {
			char ch = *p ? *p++ : *q++;

			if (at + 1 < len)
				buf[at] = ch;
		}
	if (len)
		buf[MIN(at, len - 1)] = '\0';
	return at;
}

bool cc_is_cwnd_limited(const struct tcp_conn *c)
{
	if (c->cc.is_cwnd_limited)
		return true;
	/* In slow start cwnd may grow to twice what was acknowledged (RFC 7661). */
	return c->cc.cwnd < c->cc.ssthresh && c->cc.cwnd < 2 * c->cc.max_packets_out;
}

/* Returns what of `acked` is left for congestion avoidance. */
uint32_t cc_slow_start(struct tcp_conn *c, uint32_t acked)
{
	uint32_t cwnd = MIN(c->cc.cwnd + acked, c->cc.ssthresh);

	acked -= cwnd - c->cc.cwnd;
	c->cc.cwnd = MIN(cwnd, c->cc.cwnd_clamp);
	return acked;
}

/* cwnd += 1 for every w segments acknowledged. */
void cc_avoid_ai(struct tcp_conn *c, uint32_t w, uint32_t acked)
{
	if (c->cc.cwnd_cnt >= w) {
		c->cc.cwnd_cnt = 0;
		c->cc.cwnd++;
	}
	c->cc.cwnd_cnt += acked;
	if (c->cc.cwnd_cnt >= w) {
		uint32_t delta = c->cc.cwnd_cnt / w;

		c->cc.cwnd_cnt -= delta * w;
		c->cc.cwnd += delta;
	}
	c->cc.cwnd = MIN(c->cc.cwnd, c->cc.cwnd_clamp);
}

uint32_t cc_reno_undo(struct tcp_conn *c)
{
	return MAX(c->cc.cwnd, c->loss.prior_cwnd);
}

static uint32_t reno_ssthresh(struct tcp_conn *c, xtime now)
{
	(void)now;
	return MAX(c->cc.cwnd >> 1, 2u);
}

static void reno_cong_avoid(struct tcp_conn *c, uint32_t ack, uint32_t acked, xtime now)
{
	(void)ack;
	(void)now;
	if (!cc_is_cwnd_limited(c))
		return;
	if (c->cc.cwnd < c->cc.ssthresh) {
		acked = cc_slow_start(c, acked);
		if (!acked)
			return;
	}
	cc_avoid_ai(c, c->cc.cwnd, acked);
}

const struct cc_ops cc_reno = {
	.name = "reno",
	.ssthresh = reno_ssthresh,
	.cong_avoid = reno_cong_avoid,
	.undo_cwnd = cc_reno_undo,
};
