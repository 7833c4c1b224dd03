/* SPDX-License-Identifier: BSD-2-Clause */
/* cc.c - the table of algorithms, how a connection gets one, and what they share. */
#include "cc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tcp_impl.h"

static const struct cc_ops *const cc_all[] = { &cc_cubic, &cc_reno, &cc_bbr, &cc_dctcp };

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

static uint32_t slow_start(struct tcp_conn *c, uint32_t acked)
{
	uint32_t cwnd = MIN(c->cc.cwnd + acked, c->cc.ssthresh);

	acked -= cwnd - c->cc.cwnd;
	c->cc.cwnd = MIN(cwnd, c->cc.cwnd_clamp);
	return acked;
}

uint32_t cc_after_slow_start(struct tcp_conn *c, uint32_t acked)
{
	if (!cc_is_cwnd_limited(c))
		return 0;
	return c->cc.cwnd < c->cc.ssthresh ? slow_start(c, acked) : acked;
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

/* tcp_assign_congestion_control(). */
int cc_assign(struct tcp_conn *c, const struct cc_ops *ops)
{
	void *own = ops->own_size ? calloc(1, ops->own_size) : NULL;

	if (ops->own_size && !own)
		return -ENOMEM;
	cc_drop(c);
	c->cc.ops = ops;
	memset(c->cc.priv, 0, sizeof(c->cc.priv));
	if (own)
		c->cc.own = own;
	tcp_ecn_mark(c, ops->needs_ecn);
	return 0;
}

void cc_reset(struct tcp_conn *c)
{
	if (c->cc.ops->own_size)
		memset(c->cc.own, 0, c->cc.ops->own_size);
	else
		memset(c->cc.priv, 0, sizeof(c->cc.priv));
}

void cc_drop(struct tcp_conn *c)
{
	if (c->cc.ops && c->cc.ops->own_size)
		free(c->cc.own);
	c->cc.ops = NULL;
}

/* tcp_init_congestion_control(); init() may have put something else in its place. */
void cc_start(struct tcp_conn *c, xtime now)
{
	c->loss.prior_ssthresh = 0;
	if (c->cc.ops->init)
		c->cc.ops->init(c, now);
	tcp_ecn_mark(c, c->cc.ops->needs_ecn);
}
