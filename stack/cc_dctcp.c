/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cc_dctcp.c - DCTCP (RFC 8257): the window shrinks by the fraction of segments that
 * met congestion, which switches mark early and the receiver echoes one by one.
 *
 * As Linux's tcp_dctcp.c: alpha in 1/1024, begun with 1; estimated once a window with
 * gain 1/16; every packet is ECN-capable, SYN and bare ACKs included; where the peer
 * doesn't speak ECN it is NewReno under the name dctcp-reno.
 */
#include "tcp_impl.h"

#include <string.h>

#define ALPHA_MAX 1024u
#define SHIFT_G 4                /* RFC 8257 4.2: g = 1/16 */

struct dctcp {
	uint32_t old_delivered, old_delivered_ce;   /* when the window began */
	seq32 prior_rcv_nxt;         /* before the segment that came last */
	seq32 next_seq;              /* acknowledged: the window is over */
	uint32_t alpha;
	uint32_t loss_cwnd;
	bool is_ce;                  /* DCTCP.CE: the last segment had it */
};

_Static_assert(sizeof(struct dctcp) <= CC_PRIV_SIZE, "dctcp state too large");

static struct dctcp *priv(struct tcp_conn *c) { return (struct dctcp *)c->cc.priv; }

static void begin_window(struct tcp_conn *c)
{
	struct dctcp *d = priv(c);

	d->next_seq = c->snd.nxt;
	d->old_delivered = c->loss.delivered;
	d->old_delivered_ce = c->ecn.delivered_ce;
}

static const struct cc_ops cc_dctcp_reno;

static void dctcp_init(struct tcp_conn *c, xtime now)
{
	struct dctcp *d = priv(c);

	(void)now;
	if (!c->ecn.is_ok) {
		c->cc.ops = &cc_dctcp_reno;
		return;
	}
	*d = (struct dctcp){ .prior_rcv_nxt = c->rcv.nxt, .alpha = ALPHA_MAX };
	begin_window(c);
}

static uint32_t dctcp_ssthresh(struct tcp_conn *c, xtime now)
{
	struct dctcp *d = priv(c);
	uint32_t cwnd = c->cc.cwnd;

	(void)now;
	d->loss_cwnd = cwnd;
	return MAX(cwnd - (uint32_t)((uint64_t)cwnd * d->alpha >> 11), 2u);   /* RFC 8257 3.3 */
}

/* RFC 8257 3.3, the update of DCTCP.Alpha. */
static void dctcp_in_ack(struct tcp_conn *c)
{
	struct dctcp *d = priv(c);
	uint32_t delivered = c->loss.delivered - d->old_delivered;
	uint64_t marked = c->ecn.delivered_ce - d->old_delivered_ce;
	uint32_t decay = d->alpha >> SHIFT_G;

	if (seq_lt(c->snd.una, d->next_seq))
		return;
	/* The last few sixteenths go at once. */
	d->alpha -= decay ? decay : d->alpha;
	d->alpha = (uint32_t)MIN(d->alpha + (marked << (10 - SHIFT_G)) / MAX(delivered, 1u), (uint64_t)ALPHA_MAX);
	begin_window(c);
}

/* RFC 8257 3.5: a loss is answered as by NewReno. */
static void react_to_loss(struct tcp_conn *c, xtime now)
{
	priv(c)->loss_cwnd = c->cc.cwnd;
	c->cc.ssthresh = cc_reno_ssthresh(c, now);
}

static void dctcp_set_state(struct tcp_conn *c, enum ca_state next, xtime now)
{
	if (next == CA_RECOVERY && c->loss.ca_state != CA_RECOVERY)
		react_to_loss(c, now);
}

/* RFC 8257 3.2, figure 1: an ACK tells of segments that had CE, or of ones that had not. */
static void ce_came(struct tcp_conn *c, bool is_ce, xtime now)
{
	struct dctcp *d = priv(c);

	if (d->is_ce != is_ce) {
		if (c->rcv.delack_at != XTIME_NEVER) {
			c->ecn.has_echo = d->is_ce;
			tcp_send_ack_before(c, d->prior_rcv_nxt, now);
		}
		c->rcv.ack_now = true;
	}
	d->prior_rcv_nxt = c->rcv.nxt;
	d->is_ce = c->ecn.has_echo = is_ce;
}

static void dctcp_event(struct tcp_conn *c, enum cc_event ev, xtime now)
{
	if (ev == CC_EV_ECN_IS_CE || ev == CC_EV_ECN_NO_CE)
		ce_came(c, ev == CC_EV_ECN_IS_CE, now);
	else if (ev == CC_EV_LOSS)
		react_to_loss(c, now);
}

static uint32_t dctcp_undo_cwnd(struct tcp_conn *c)
{
	return MAX(c->cc.cwnd, priv(c)->loss_cwnd);
}

/* struct tcp_dctcp_info. */
static size_t dctcp_get_info(const struct tcp_conn *c, void *buf)
{
	const struct dctcp *d = (const struct dctcp *)c->cc.priv;
	struct {
		uint16_t is_enabled, ce_state;
		uint32_t alpha, ab_ecn, ab_tot;
	} v = { 0 };

	if (c->cc.ops == &cc_dctcp) {
		v.is_enabled = 1;
		v.ce_state = d->is_ce;
		v.alpha = d->alpha;
		v.ab_ecn = c->snd.mss_cache * (c->ecn.delivered_ce - d->old_delivered_ce);
		v.ab_tot = c->snd.mss_cache * (c->loss.delivered - d->old_delivered);
	}
	memcpy(buf, &v, sizeof(v));
	return sizeof(v);
}

const struct cc_ops cc_dctcp = {
	.name = "dctcp",
	.init = dctcp_init,
	.ssthresh = dctcp_ssthresh,
	.cong_avoid = cc_reno_cong_avoid,
	.set_state = dctcp_set_state,
	.event = dctcp_event,
	.in_ack = dctcp_in_ack,
	.undo_cwnd = dctcp_undo_cwnd,
	.needs_ecn = true,
	.get_info = dctcp_get_info,
};

static const struct cc_ops cc_dctcp_reno = {
	.name = "dctcp-reno",
	.ssthresh = cc_reno_ssthresh,
	.cong_avoid = cc_reno_cong_avoid,
	.undo_cwnd = cc_reno_undo,
	.get_info = dctcp_get_info,
};
