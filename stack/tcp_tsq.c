/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_tsq.c - what waits for the interface: TCP small queues, automatic corking, and what need not be
 * sent again (tcp_small_queue_check, tcp_should_autocork, skb_still_in_host_queue).
 *
 * What is known of the interface (txdev.c) is as old as the last report.  So whoever has to wait is
 * `held` and asked for again by the next report: it goes on if there was no need to wait, and
 * later when something of it has left (tcp_wfree, tcp_tsq_write).
 */
#include "tcp_impl.h"

static void hold(struct tcp_conn *c, uint64_t limit, bool is_corked)
{
	if (list_is_linked(&c->tx_link))
		return;
	c->snd.tx_limit = limit;
	c->snd.is_tx_sure = false;
	c->snd.is_autocorked = is_corked;
	list_append(&c->s->txdev.held, &c->tx_link);
}

bool tcp_small_queue_is_full(struct tcp_conn *c, uint32_t len, unsigned shift)
{
	uint64_t limit;

	if (!c->s->txdev.is_on || c->snd.txq.n <= 1)
		return false;
	limit = MAX(2 * (uint64_t)(len + TCP_SKB_COST), tcp_pacing_rate(c) >> 10);
	if (!tcp_is_paced(c))
		limit = MIN(limit, (uint64_t)c->s->set.tcp_limit_output_bytes);
	limit <<= shift;
	if (c->snd.in_device < limit)
		return false;
	hold(c, limit, false);
	return true;
}

bool tcp_is_in_device(struct tcp_conn *c, const struct tx_seg *seg)
{
	if (!c->snd.in_device || !txdev_has(&c->s->txdev, c, seg->seq, seg->end))
		return false;
	count(c->s, CTR_TcpExtTCPSpuriousRtxHostQueues);
	hold(c, 1, false);
	return true;
}

bool tcp_should_autocork(struct tcp_conn *c, xtime now)
{
	uint32_t len, goal;

	if (!c->s->txdev.is_on || !c->s->set.tcp_autocorking || !c->snd.txq.n)
		return false;
	len = tcp_wmem_last(c, &goal, now);
	if (!len || len >= goal || c->snd.in_device < len + TCP_SKB_COST)
		return false;
	hold(c, len + TCP_SKB_COST, true);
	return true;
}

void tcp_tx_report(struct stack *s)
{
	struct list *held = &s->txdev.held, *l, *next;

	for (l = held->next; l != held; l = next) {
		struct tcp_conn *c = container_of(l, struct tcp_conn, tx_link);

		next = l->next;
		if (c->snd.in_device < c->snd.tx_limit || (c->snd.is_tx_sure && c->snd.has_left)) {
			list_remove(&c->tx_link);
			tcp_want_output(c);
		} else if (!c->snd.is_tx_sure) {
			c->snd.is_tx_sure = true;
			c->snd.has_left = false;
			if (c->snd.is_autocorked)
				count(s, CTR_TcpExtTCPAutoCorking);
		}
	}
}
