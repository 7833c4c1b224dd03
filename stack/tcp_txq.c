/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_txq.c - what is in flight: the queue of sent segments and the counts that
 * follow from their marks.
 *
 * Every change of a mark goes through this file, so that packets_out, sacked_out,
 * lost_out and retrans_out are always the sums over the queue (the unit test
 * adds them up after each step of a random run).
 */
#include "tcp_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TXQ_MIN 8

struct tx_block {
	uint32_t cap;
	struct tx_seg v[];
};

struct tx_seg *txq_at(struct tx_queue *q, uint32_t i)
{
	return &q->block->v[q->first + i];
}

static bool txq_is_full(const struct tx_queue *q)
{
	return q->first + q->n == (q->block ? q->block->cap : 0);
}

static int txq_grow(struct tx_queue *q)
{
	uint32_t cap = q->block ? q->block->cap * 2 : TXQ_MIN;
	struct tx_block *block;

	if (q->block && q->first > q->block->cap / 2) {
		memmove(q->block->v, txq_at(q, 0), q->n * sizeof(struct tx_seg));
		q->first = 0;
		return 0;
	}
	block = malloc(sizeof(*block) + cap * sizeof(struct tx_seg));
	if (!block)
		return -ENOMEM;
	block->cap = cap;
	if (q->n)
		memcpy(block->v, txq_at(q, 0), q->n * sizeof(struct tx_seg));
	free(q->block);
	q->block = block;
	q->first = 0;
	return 0;
}

int txq_push(struct tx_queue *q, const struct tx_seg *seg)
{
	if (txq_is_full(q) && txq_grow(q) < 0)
		return -ENOMEM;
	q->block->v[q->first + q->n++] = *seg;
	return 0;
}

void txq_pop(struct tx_queue *q)
{
	q->first++;
	if (--q->n)
		return;
	q->first = 0;
	if (q->block->cap == TXQ_MIN)
		txq_free(q);   /* an idle connection keeps none; to have it again costs little */
}

void txq_free(struct tx_queue *q)
{
	free(q->block);
	*q = (struct tx_queue){ 0 };
}

uint32_t txq_find(struct tx_queue *q, seq32 seq)
{
	uint32_t lo = 0, hi = q->n;

	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;

		if (seq_le(txq_at(q, mid)->end, seq))
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < q->n && seq_gt(txq_at(q, lo)->seq, seq))
		return q->n;
	return lo;
}

/* tcp_skb_pcount(): how many segments of the MSS of its time. */
uint32_t tcp_seg_count(const struct tcp_conn *c, const struct tx_seg *seg)
{
	uint32_t len = seg->end - seg->seq;

	(void)c;
	return len > seg->mss ? (len + seg->mss - 1) / seg->mss : 1;
}

/* Adds (sign 1) or takes away (sign -1) a segment from every count. */
static void seg_account(struct tcp_conn *c, const struct tx_seg *seg, int sign)
{
	uint32_t n = tcp_seg_count(c, seg) * (uint32_t)sign;

	c->loss.packets_out += n;
	if (seg->flags & SEG_SACKED)
		c->loss.sacked_out += n;
	if (seg->flags & SEG_LOST)
		c->loss.lost_out += n;
	if (seg->flags & SEG_RETRANS)
		c->loss.retrans_out += n;
}

void tcp_seg_set_mss(struct tcp_conn *c, struct tx_seg *seg, uint32_t mss)
{
	seg_account(c, seg, -1);
	seg->mss = (uint16_t)mss;
	seg_account(c, seg, 1);
}

int txq_split(struct tcp_conn *c, uint32_t i, seq32 seq)
{
	struct tx_queue *q = &c->snd.txq;
	struct tx_seg *seg, *tail;

	if (txq_is_full(q) && txq_grow(q) < 0)
		return -ENOMEM;
	seg = txq_at(q, i);
	seg_account(c, seg, -1);
	memmove(seg + 2, seg + 1, (q->n - i - 1) * sizeof(*seg));
	q->n++;
	tail = seg + 1;
	*tail = *seg;
	seg->end = seq;
	seg->flags &= (uint8_t)~(SEG_PSH | SEG_EOR);   /* they stay at the end (tcp_fragment) */
	tail->seq = seq;
	seg_account(c, seg, 1);
	seg_account(c, tail, 1);
	return 0;
}

void txq_recount(struct tcp_conn *c, uint32_t i, uint32_t mss)
{
	struct tx_seg *seg = txq_at(&c->snd.txq, i);

	seg_account(c, seg, -1);
	seg->mss = (uint16_t)mss;
	seg_account(c, seg, 1);
}

/* The segment behind i becomes part of it (tcp_collapse_retrans). */
void txq_merge(struct tcp_conn *c, uint32_t i, uint32_t mss)
{
	struct tx_queue *q = &c->snd.txq;
	struct tx_seg *seg = txq_at(q, i), *next = seg + 1;

	seg_account(c, seg, -1);
	seg_account(c, next, -1);
	seg->end = next->end;
	seg->flags |= next->flags & (SEG_EVER_RETRANS | SEG_PSH | SEG_EOR);
	seg->mss = (uint16_t)MAX(seg->mss, mss);
	q->n--;
	memmove(next, next + 1, (q->n - i - 1) * sizeof(*seg));
	seg_account(c, seg, 1);
	/* One less in flight: without SACK one less can have arrived (tcp_adjust_pcount). */
	if (!c->sack_ok && c->loss.sacked_out)
		c->loss.sacked_out--;
}

/* tcp_mark_skb_lost(). */
void tcp_mark_lost(struct tcp_conn *c, struct tx_seg *seg)
{
	if (seg->flags & SEG_SACKED)
		return;
	seg_account(c, seg, -1);
	if (seg->flags & SEG_RETRANS)
		c->s->counters[CTR_TcpExtTCPLostRetransmit] += tcp_seg_count(c, seg);
	if (!(seg->flags & SEG_LOST) || seg->flags & SEG_RETRANS)
		c->loss.lost += tcp_seg_count(c, seg);
	/* With a retransmission in flight, that is what is lost.  (Linux keeps the mark when an
	 * undo has taken the other away, and counts the next retransmission twice.) */
	seg->flags |= SEG_LOST;
	seg->flags &= (uint8_t)~SEG_RETRANS;
	seg_account(c, seg, 1);
}

/* The segment reached the peer: tcp_sacktag_one() without the conclusions. */
void tcp_mark_sacked(struct tcp_conn *c, struct tx_seg *seg)
{
	seg_account(c, seg, -1);
	if (seg->flags & SEG_LOST)
		seg->flags &= (uint8_t)~(SEG_LOST | SEG_RETRANS);
	seg->flags |= SEG_SACKED;
	seg_account(c, seg, 1);
}

/* The peer took it back, or the time-out makes us distrust it. */
void tcp_mark_unsacked(struct tcp_conn *c, struct tx_seg *seg)
{
	seg_account(c, seg, -1);
	seg->flags &= (uint8_t)~SEG_SACKED;
	seg_account(c, seg, 1);
}

/* tcp_packets_in_flight(). */
uint32_t tcp_in_flight(const struct tcp_conn *c)
{
	return c->loss.packets_out - (c->loss.sacked_out + c->loss.lost_out) + c->loss.retrans_out;
}

void tcp_forget_flight(struct tcp_conn *c)
{
	c->loss.packets_out = c->loss.sacked_out = c->loss.lost_out = c->loss.retrans_out = 0;
}
