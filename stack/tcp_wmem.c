/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_wmem.c - the send buffer as Linux accounts it, and the ends of its skbs.
 *
 * Linux keeps what a program writes in skbs (tcp_sendmsg_locked).  Where one ends can be
 * seen: a frame never crosses it, PSH goes there, SO_SNDBUF is charged for each, and a write
 * stops only between two.  The bytes here lie in one ring; of the skbs only the ends are
 * kept ("marks"), those of the ones that are not sent yet.  What is sent is an skb for each
 * entry of the transmit queue.
 *
 * Each skb costs its bytes and TCP_SKB_COST: what Linux 6.18 shows as SK_MEMINFO_WMEM_QUEUED.
 */
#include "tcp_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MARKS_MIN 4

/* ---- marks ---- */

/* One lies in the connection itself: a small write that leaves at once takes no memory. */
static struct tx_mark *marks(struct tx_marks *m)
{
	return (m->has_block ? m->block->v : &m->one) + m->first;
}

static struct tx_mark *mark_last(struct tx_marks *m)
{
	return m->n ? marks(m) + m->n - 1 : NULL;
}

const struct tx_mark *tcp_mark_first(const struct tcp_conn *c)
{
	return c->snd.marks.n ? marks((struct tx_marks *)&c->snd.marks) : NULL;
}

static uint32_t marks_cap(const struct tx_marks *m)
{
	return m->has_block ? m->block->cap : 1;
}

static int marks_grow(struct tx_marks *m)
{
	uint32_t cap = m->has_block ? m->block->cap * 2 : MARKS_MIN;
	struct tx_mark_block *block;

	if (m->first) {
		memmove(marks(m) - m->first, marks(m), m->n * sizeof(struct tx_mark));
		m->first = 0;
		if (m->n <= m->block->cap / 2)
			return 0;
	}
	block = malloc(sizeof(*block) + cap * sizeof(struct tx_mark));
	if (!block)
		return m->n < marks_cap(m) ? 0 : -ENOMEM;
	block->cap = cap;
	memcpy(block->v, marks(m), m->n * sizeof(struct tx_mark));
	if (m->has_block)
		free(m->block);
	m->block = block;
	m->has_block = true;
	return 0;
}

/* A new end; without memory for it the last one moves. */
static struct tx_mark *mark_add(struct tx_marks *m, seq32 end)
{
	struct tx_mark *t;

	if (m->first + m->n < marks_cap(m) || marks_grow(m) == 0)
		m->n++;
	t = mark_last(m);
	*t = (struct tx_mark){ .end = end };
	return t;
}

static void marks_free(struct tx_marks *m)
{
	if (m->has_block)
		free(m->block);
	*m = (struct tx_marks){ 0 };
}

/* An idle connection keeps no small block. */
static void mark_drop_first(struct tx_marks *m)
{
	m->first++;
	if (--m->n)
		return;
	m->first = 0;
	if (m->has_block && m->block->cap == MARKS_MIN)
		marks_free(m);
}

void tcp_mark_grow(struct tcp_conn *c, uint32_t want)
{
	struct tx_marks *m = &c->snd.marks;
	struct tx_mark *first, *next;

	if (m->n < 2)
		return;
	first = marks(m);
	next = first + 1;
	if (first->eor || first->end - c->snd.nxt >= want)
		return;
	if (seq_gt(next->end, c->snd.nxt + want)) {
		first->end = c->snd.nxt + want;
		return;
	}
	next->psh |= first->psh;
	mark_drop_first(m);
}

void tcp_marks_pass(struct tcp_conn *c)
{
	struct tx_marks *m = &c->snd.marks;

	while (m->n && seq_le(marks(m)->end, c->snd.nxt))
		mark_drop_first(m);
}

void tcp_marks_return(struct tcp_conn *c, seq32 end, bool psh, bool eor)
{
	struct tx_marks *m = &c->snd.marks;

	if (m->first) {
		m->first--;
		m->n++;
	} else {   /* without memory it is one with what follows */
		mark_add(m, end);
		memmove(marks(m) + 1, marks(m), (m->n - 1) * sizeof(struct tx_mark));
	}
	*marks(m) = (struct tx_mark){ .end = end, .psh = psh, .eor = eor };
}

void tcp_marks_free(struct tcp_conn *c)
{
	marks_free(&c->snd.marks);
}

/* ---- room ---- */

uint32_t tcp_wmem_queued(const struct tcp_conn *c)
{
	return c->snd.q.len + TCP_SKB_COST * (c->snd.txq.n + c->snd.marks.n);
}

/* tcp_stream_memory_free(): TCP_NOTSENT_LOWAT; a sleeper is woken at half of it. */
static bool unsent_is_low(const struct tcp_conn *c, uint32_t unsent, unsigned shift)
{
	uint32_t lowat = c->opt.rare->notsent_lowat ? c->opt.rare->notsent_lowat : (uint32_t)c->s->set.tcp_notsent_lowat;

	return (uint64_t)unsent << shift < lowat;
}

static uint32_t unsent_bytes(const struct tcp_conn *c)
{
	seq32 end = c->snd.q_seq + c->snd.q.len;

	return seq_gt(end, c->snd.nxt) ? end - c->snd.nxt : 0;
}

bool tcp_wmem_is_writable(const struct tcp_conn *c)
{
	uint32_t queued = tcp_wmem_queued(c);

	return queued < c->opt.sndbuf && c->opt.sndbuf - queued >= queued / 2 &&
	       unsent_is_low(c, unsent_bytes(c), 1);
}

/* tcp_should_expand_sndbuf(): not when the congestion window is what holds us. */
void tcp_wmem_acked(struct tcp_conn *c)
{
	if (!c->snd.no_space)
		return;
	if (tcp_mem_may_expand(c->s) && tcp_in_flight(c) < c->cc.cwnd)
		tcp_sndbuf_expand(c);
	c->snd.is_space_due = true;
}

void tcp_check_space(struct tcp_conn *c, xtime now)
{
	c->snd.is_space_due = false;
	if (!tcp_wmem_is_writable(c))
		return;
	c->snd.no_space = false;
	tcp_chrono_stop(c, CHRONO_SNDBUF, now);
	c->edges++;
	tcp_report(c);
}

/* ---- writing ---- */

/* One call of tcp_wmem_write(). */
struct writing {
	uint32_t goal;         /* bytes of a full skb */
	seq32 seq;             /* up to where it has been written */
	seq32 sent;            /* up to where Linux would have sent meanwhile */
	seq32 start;           /* of the skb that is being filled */
	struct tx_mark *open;  /* that one, NULL: the next byte begins a new one */
	bool is_cut;           /* Linux would have cut one in two there */
};

/* tcp_xmit_size_goal(), tcp_bound_to_half_wnd(). */
static uint32_t size_goal(const struct tcp_conn *c, uint32_t mss)
{
	uint32_t goal = 65535 - 320, half = c->snd.max_wnd;

	if (half > TCP_MSS_DEFAULT)
		half >>= 1;
	if (half && goal > half)
		goal = MAX(half, 68u - TCP_LEN_MIN);
	return MAX(goal / mss, 1u) * mss;
}

uint32_t tcp_wmem_last(struct tcp_conn *c, uint32_t *goal, xtime now)
{
	struct tx_marks *m = &c->snd.marks;
	const struct tx_mark *t = mark_last(m);

	if (!t || t->eor)
		return 0;
	*goal = size_goal(c, tcp_current_mss(c, now));
	return t->end - (m->n > 1 ? t[-1].end : c->snd.nxt);
}

/* forced_push(). */
static bool has_much_unpushed(const struct tcp_conn *c, seq32 write_seq)
{
	return seq_gt(write_seq, c->snd.pushed + (c->snd.max_wnd >> 1));
}

/* What could leave at once of a write that nothing is queued in front of. */
static uint32_t sendable(const struct tcp_conn *c, seq32 from, uint32_t mss)
{
	uint32_t flight = tcp_in_flight(c);
	uint32_t wnd = seq_gt(tcp_wnd_end(c), from) ? tcp_wnd_end(c) - from : 0;
	uint32_t room = c->cc.cwnd > flight ? (c->cc.cwnd - flight) * mss : 0;

	return from == c->snd.nxt && wnd >= mss ? MIN(room, wnd) : 0;
}

/* Goes on with the last skb where that isn't full. */
static void write_begin(struct tcp_conn *c, struct writing *w, size_t total, xtime now)
{
	struct tx_marks *m = &c->snd.marks;
	struct tx_mark *t = mark_last(m);
	uint32_t mss = tcp_current_mss(c, now), goes;

	w->goal = size_goal(c, mss);
	w->seq = c->snd.q_seq + c->snd.q.len;
	goes = (uint32_t)MIN((size_t)sendable(c, w->seq, mss), total);
	w->sent = goes ? w->seq + goes : c->snd.nxt;
	w->start = m->n > 1 ? t[-1].end : c->snd.nxt;
	if (t && !t->eor && w->seq - w->start < w->goal) {
		t->psh = false;
		w->open = t;
	}
}

/* sk_stream_memory_free(): may there be another skb? */
static bool has_room(const struct tcp_conn *c, const struct writing *w)
{
	seq32 sent = seq_max(seq_min(w->sent, w->seq), c->snd.nxt);

	return tcp_wmem_queued(c) + (w->is_cut ? TCP_SKB_COST : 0) < c->opt.sndbuf &&
	       unsent_is_low(c, w->seq - sent, 0);
}

/* Bytes that the skb at hand takes, 0: it would be a new one and there is no room. */
static uint32_t open_room(struct tcp_conn *c, struct writing *w)
{
	if (w->open && seq_gt(w->sent, w->start) && seq_lt(w->sent, w->seq)) {
		w->start = w->sent;
		w->is_cut = true;
	}
	if (w->open && w->seq - w->start < w->goal)
		return w->goal - (w->seq - w->start);
	if (!has_room(c, w))
		return 0;
	w->start = w->seq;
	w->open = mark_add(&c->snd.marks, w->seq);
	return w->open ? w->goal : 0;
}

static void push(struct tcp_conn *c, struct writing *w)
{
	w->open->psh = true;
	c->snd.pushed = w->seq;
}

/* n bytes went into the skb at hand, more will follow. */
static void filled(struct tcp_conn *c, struct writing *w, uint32_t n, bool is_last)
{
	w->open->end = w->seq += n;
	if (is_last)
		return;
	if (has_much_unpushed(c, w->seq))
		push(c, w);
	if (seq_le(w->seq, w->sent))
		w->open = NULL;
}

/* The end of the call: PSH unless more is announced, and always when no room was left. */
static void write_end(struct tcp_conn *c, struct writing *w, bool is_whole, int flags)
{
	c->snd.more = is_whole && flags & MSG_MORE;
	if (!is_whole)
		c->snd.no_space = true;
	if (!w->open)
		w->open = mark_last(&c->snd.marks);
	if (!w->open)
		return;
	w->open->eor = is_whole && flags & MSG_EOR;
	if (!c->snd.more || has_much_unpushed(c, w->seq))
		push(c, w);
}

static ssize_t append(struct tcp_conn *c, const struct iovec *iov, int iovcnt, size_t skip, uint32_t n, int flags)
{
	if (flags & TCP_SEND_LENT)
		return tcp_lend(c, (const uint8_t *)iov->iov_base + skip, n);
	return ring_append_iov(&c->snd.q, iov, iovcnt, skip, n);
}

ssize_t tcp_wmem_write(struct tcp_conn *c, const struct iovec *iov, int iovcnt, size_t skip, size_t total,
                       int flags, xtime now)
{
	struct writing w = { 0 };
	size_t done = 0;
	ssize_t n = -EAGAIN;

	write_begin(c, &w, total, now);
	while (done < total) {
		uint32_t room = open_room(c, &w);

		room = tcp_mem_may_send(c, (uint32_t)MIN((size_t)room, total - done));
		if (!room) {
			n = -EAGAIN;
			break;
		}
		n = append(c, iov, iovcnt, skip + done, room, flags);
		if (n <= 0)
			break;
		done += (size_t)n;
		filled(c, &w, (uint32_t)n, done == total);
	}
	if (!done && c->snd.marks.n && w.open && w.open->end == w.start)
		c->snd.marks.n--;   /* opened, and no memory to fill it */
	if (!done) {
		c->snd.no_space |= n == -EAGAIN;
		return n;
	}
	tcp_chrono_start(c, CHRONO_BUSY, now);
	write_end(c, &w, done == total, flags);
	return (ssize_t)done;
}
