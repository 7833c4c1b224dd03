/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * txdev.c - what the interface still has of what was handed over.
 *
 * Linux charges each skb to its socket until the device has sent it (sk_wmem_alloc): a socket has a
 * bounded amount below TCP (tcp_small_queue_check), small writes wait while something of theirs is
 * there (tcp_should_autocork), and nothing is sent again that hasn't left (skb_still_in_host_queue).
 * Here one packet socket has all of it.  What it is charged in all the kernel tells (SIOCOUTQ), and
 * queues are first in, first out but for those that are fair to flows: so what has left
 * are the oldest frames, up to that sum, and each connection knows what is left of its own.
 *
 * Frames are kept here only while the interface is one that keeps them (stack_tx_watch()); many
 * (veth, tun) give a frame on at once, and then nothing of this costs anything.
 *
 * A connection that has to wait is `held` (tcp_tsq.c).
 */
#include "txdev.h"

#include <stdlib.h>
#include <string.h>

#include "tcp_impl.h"

#define CAP_MIN 64u
/* What an skb of a packet socket is charged: packet_alloc_skb(), __alloc_skb(). */
#define SKB_STRUCT 256u
#define SKB_SHARED 320u
#define SKB_SMALL_HEAD 704u
#define SKB_HEADROOM 16u
#define PAGE 4096u

static uint32_t charge(const struct frame_out *f)
{
	uint32_t len = (uint32_t)(f->hdr_len + f->payload_len), room = SKB_SMALL_HEAD;

	if (len + SKB_HEADROOM >= PAGE)   /* headers, and pages for the rest */
		return SKB_SMALL_HEAD + SKB_STRUCT + ((uint32_t)f->payload_len + PAGE - 1) / PAGE * PAGE;
	if (len + SKB_HEADROOM + SKB_SHARED > room)
		for (room = 1024; room < len + SKB_HEADROOM + SKB_SHARED; room *= 2)
			;
	return room + SKB_STRUCT;
}

static struct txdev_frame *at(struct txdev *d, uint32_t i)
{
	return &d->v[i & (d->cap - 1)];
}

void txdev_init(struct txdev *d)
{
	list_init(&d->held);
}

void txdev_free(struct txdev *d)
{
	free(d->v);
}

static int grow(struct txdev *d)
{
	uint32_t cap = d->cap ? d->cap * 2 : CAP_MIN;
	struct txdev_frame *v = malloc(cap * sizeof(*v));

	if (!v)
		return -1;
	for (uint32_t i = d->first; i != d->first + d->n; i++)
		v[i & (cap - 1)] = *at(d, i);
	free(d->v);
	d->v = v;
	d->cap = cap;
	return 0;
}

/* What a data segment counts as in the kernel's TCP, which sees a clone of its own skb. */
static uint32_t own_charge(const struct txdev_frame *t)
{
	return t->end - t->seq + TCP_SKB_COST;
}

/* The frame is no longer the interface's. */
static void drop(struct txdev *d, struct txdev_frame *t)
{
	d->total -= t->charge;
	t->charge = 0;
	if (!t->conn)
		return;
	t->conn->snd.in_device -= own_charge(t);
	t->conn->snd.has_left = true;
	t->conn = NULL;
}

void txdev_push(struct stack *s, struct frame_out *f)
{
	struct txdev *d = &s->txdev;
	struct txdev_frame *t;

	f->undo.tx_at = d->first - 1;   /* none */
	if (!d->is_on || (d->n == d->cap && grow(d) < 0))
		return;
	f->undo.tx_at = d->first + d->n++;
	t = at(d, f->undo.tx_at);
	*t = (struct txdev_frame){ .charge = charge(f) };
	d->total += t->charge;
	if (!f->undo.conn || !f->payload_len || f->undo.use == FRAME_SYN)
		return;
	t->conn = f->undo.conn;
	t->seq = f->undo.seq;
	t->end = t->seq + (seq32)f->payload_len;
	t->conn->snd.in_device += own_charge(t);
}

void txdev_pull(struct stack *s, const struct frame_out *f)
{
	struct txdev *d = &s->txdev;

	if (d->is_on && f->undo.tx_at - d->first < d->n)
		drop(d, at(d, f->undo.tx_at));
}

bool txdev_has(struct txdev *d, const struct tcp_conn *c, seq32 seq, seq32 end)
{
	for (uint32_t i = d->first; i != d->first + d->n; i++) {
		const struct txdev_frame *t = at(d, i);

		if (t->conn == c && seq_lt(t->seq, end) && seq_gt(t->end, seq))
			return true;
	}
	return false;
}

void txdev_forget(struct tcp_conn *c)
{
	struct txdev *d = &c->s->txdev;

	list_remove(&c->tx_link);
	for (uint32_t i = d->first; c->snd.in_device && i != d->first + d->n; i++) {
		struct txdev_frame *t = at(d, i);

		if (t->conn != c)
			continue;
		c->snd.in_device -= own_charge(t);
		t->conn = NULL;
	}
}

/* ---- what the engine tells ---- */

void stack_tx_watch(struct stack *s, bool is_on)
{
	struct txdev *d = &s->txdev;

	if (d->is_on == is_on)
		return;
	if (!is_on)
		stack_tx_left(s, 0);
	d->is_on = is_on;
}

bool stack_tx_is_held(const struct stack *s)
{
	return !list_is_empty(&s->txdev.held);
}

void stack_tx_left(struct stack *s, uint64_t bytes)
{
	struct txdev *d = &s->txdev;

	while (d->n && (!bytes || d->total - at(d, d->first)->charge >= bytes)) {
		drop(d, at(d, d->first));
		d->first++;
		d->n--;
	}
	tcp_tx_report(s);
}
