/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_lend.c - bytes that are sent from where the program has them.
 *
 * A write is copied into the send ring to be there when it has to be sent again.  On a short path the peer
 * has acknowledged most of it before the writing call returns, and the copy was for nothing.  So a call may
 * lend its bytes (TCP_SEND_LENT): the ring has their places, as if they had been put there; frames
 * are made of the program's memory; and when the call is about to return, or to let others have the stack, what is
 * not acknowledged by then is put into the ring (tcp_unlend()).
 *
 * Rule: what is lent is the end of one connection's queue, so a segment is ring first, lent bytes last.
 */
#include "tcp_impl.h"

ssize_t tcp_lend(struct tcp_conn *c, const uint8_t *p, size_t n)
{
	struct lent *l = &c->s->lent;
	seq32 end = c->snd.q_seq + c->snd.q.len;
	ssize_t got = ring_append_later(&c->snd.q, n);

	if (got <= 0)
		return got;
	if (l->conn != c)
		*l = (struct lent){ .conn = c, .base = p, .seq = end, .end = end };
	l->end += (seq32)got;
	return got;
}

int tcp_payload(const struct tcp_conn *c, size_t off, size_t len, struct iovec out[FRAME_PAYLOAD])
{
	const struct lent *l = &c->s->lent;
	seq32 seq = c->snd.q_seq + (seq32)off;
	size_t kept = 0;
	int cnt;

	if (l->conn != c || seq_le(seq + (seq32)len, l->seq))
		return ring_peek(&c->snd.q, off, len, out);
	if (seq_lt(seq, l->seq))
		kept = l->seq - seq;
	cnt = ring_peek(&c->snd.q, off, kept, out);
	out[cnt++] = (struct iovec){ (void *)(uintptr_t)(l->base + (seq + (seq32)kept - l->seq)), len - kept };
	return cnt;
}

/* What of it is still queued: true if there is some. */
static bool still_queued(const struct lent *l, seq32 *from, seq32 *to)
{
	const struct tcp_conn *c = l->conn;

	if (!c || !c->snd.q.len)
		return false;
	*from = seq_max(l->seq, c->snd.q_seq);
	*to = seq_min(l->end, c->snd.q_seq + c->snd.q.len);
	return seq_lt(*from, *to);
}

bool tcp_lends(const struct stack *s)
{
	seq32 from, to;

	return still_queued(&s->lent, &from, &to);
}

void tcp_unlend(struct stack *s)
{
	struct lent l = s->lent;
	seq32 from, to;

	if (!l.conn)
		return;
	if (still_queued(&l, &from, &to)) {
		if (from == l.conn->snd.q_seq)
			ring_restart(&l.conn->snd.q);
		ring_put(&l.conn->snd.q, from - l.conn->snd.q_seq, l.base + (from - l.seq), to - from);
	}
	if (seq_gt(l.conn->snd.q_seq, l.seq))
		s->counters[CTR_bytes_sent_at_once] += seq_min(l.conn->snd.q_seq, l.end) - l.seq;
	s->lent.conn = NULL;
}
