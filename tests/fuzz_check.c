/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz_check.c - see fuzz_check.h. */
#include "fuzz_check.h"

#include "fuzz_in.h"
#include "stack/tcp_impl.h"

static void check_flight(struct tcp_conn *c)
{
	uint32_t out = 0, sacked = 0, lost = 0, retrans = 0;

	for (uint32_t i = 0; i < c->snd.txq.n; i++) {
		struct tx_seg *seg = txq_at(&c->snd.txq, i);
		uint32_t n = tcp_seg_count(c, seg);

		fuzz_require(seq_lt(seg->seq, seg->end), "empty segment in flight");
		fuzz_require(i == 0 || txq_at(&c->snd.txq, i - 1)->end == seg->seq, "hole in the queue");
		out += n;
		sacked += seg->flags & SEG_SACKED ? n : 0;
		lost += seg->flags & SEG_LOST ? n : 0;
		retrans += seg->flags & SEG_RETRANS ? n : 0;
	}
	fuzz_require(out == c->loss.packets_out, "packets_out is not the sum");
	fuzz_require(!c->sack_ok || sacked == c->loss.sacked_out, "sacked_out is not the sum");
	fuzz_require(lost == c->loss.lost_out, "lost_out is not the sum");
	fuzz_require(retrans == c->loss.retrans_out, "retrans_out is not the sum");
	fuzz_require(c->loss.sacked_out + c->loss.lost_out <= out, "more has left than was sent");
	fuzz_require(c->cc.cwnd > 0, "cwnd is 0");
}

static void check_send(struct tcp_conn *c)
{
	struct tx_queue *q = &c->snd.txq;

	fuzz_require(seq_le(c->snd.una, c->snd.nxt), "snd_una beyond snd_nxt");
	fuzz_require(seq_le(c->snd.nxt, tcp_snd_end(c)), "snd_nxt beyond what was written");
	fuzz_require(c->snd.q.len <= c->snd.q.cap, "send ring overfull");
	if (!q->n)
		return;
	fuzz_require(txq_at(q, q->n - 1)->end == c->snd.nxt, "the queue doesn't end at snd_nxt");
	fuzz_require(seq_le(txq_at(q, 0)->seq, c->snd.una), "the queue begins beyond snd_una");
	fuzz_require(seq_gt(txq_at(q, 0)->end, c->snd.una), "acknowledged segment in the queue");
	/* A connection that waits for an acknowledgement never waits for ever. */
	fuzz_require(c->snd.rexmit_at != XTIME_NEVER || list_is_linked(&c->out_link) || c->snd.out,
	             "data in flight without a timer");
}

/* Where what will be read of the range ends: nothing is after close(), nor from a FIN on. */
static seq32 readable_end(const struct tcp_conn *c, const struct range *r)
{
	if (c->shut == SHUT_BOTH_BITS && !c->rcv.q.cap)
		return c->rcv.copied;
	return c->rcv.has_fin ? seq_min(r->end, seq_max(c->rcv.fin_seq, c->rcv.copied)) : r->end;
}

static void check_receive(const struct tcp_conn *c)
{
	const struct ranges *ofo = &tcp_ofo(c)->ranges;

	fuzz_require(c->rcv.q.len <= c->rcv.q.cap, "receive ring overfull");
	fuzz_require(tcp_ofo(c)->nsacks <= 4, "too many SACK blocks");
	for (uint32_t i = 0; i < ofo->n; i++) {
		const struct range *r = &ofo->v[i];

		fuzz_require(seq_lt(r->start, r->end), "empty range");
		fuzz_require(seq_gt(r->start, c->rcv.nxt), "range below rcv_nxt");
		fuzz_require(i == 0 || seq_lt(ofo->v[i - 1].end, r->start), "ranges touch");
		fuzz_require(seq_le(readable_end(c, r), seq_max(r->start, c->rcv.copied + c->rcv.q.cap)),
		             "range beyond the ring");
	}
}

static void check_synchronized(const struct tcp_conn *c)
{
	bool has_fin = c->rcv.has_fin && seq_lt(c->rcv.fin_seq, c->rcv.nxt);
	seq32 end = c->rcv.nxt - (has_fin ? 1 : 0);

	fuzz_require(c->rcv.copied + c->rcv.q.len == end, "readable bytes are not rcv_nxt - copied");
	fuzz_require(c->snd.q_seq == c->snd.una || c->snd.q_seq == c->snd.iss + 1 ||
	             (c->snd.fin && c->snd.una == c->snd.q_seq + 1),
	             "the send ring doesn't begin at snd_una");
}

static void check_timer(const struct tcp_conn *c)
{
	xtime at = xtime_min(c->snd.rexmit_at, xtime_min(c->rcv.delack_at, c->keep_at));

	if (c->snd.is_pace_held)
		at = xtime_min(at, c->snd.pace_at);
	fuzz_require(at == XTIME_NEVER || (c->timer.pos != TIMER_IDLE && c->timer.at <= at), "a deadline without a timer");
}

static void check_conn(struct tcp_conn *c)
{
	fuzz_require(!c->is_released || c->state != TCP_CLOSE, "a socket that nobody holds");
	check_receive(c);
	if (conn_in(c, ST(CLOSE) | ST(LISTEN))) {
		fuzz_require(!c->snd.txq.n, "in flight without a connection");
		return;
	}
	check_flight(c);
	check_send(c);
	check_timer(c);
	if (!conn_in(c, ST(SYN_SENT) | ST(SYN_RECV)))
		check_synchronized(c);
}

void fuzz_check(struct stack *s)
{
	uint32_t nconn = 0, norphan = 0, ntw = 0, nfinwait2 = 0;

	for (struct list *l = s->conns.next; l != &s->conns; l = l->next, nconn++) {
		struct tcp_conn *c = container_of(l, struct tcp_conn, all_link);

		check_conn(c);
		norphan += c->is_dead && !conn_in(c, ST(CLOSE) | ST(LISTEN));
	}
	for (struct list *l = s->tws.next; l != &s->tws; l = l->next, ntw++)
		nfinwait2 += container_of(l, struct tcp_tw, link)->substate == TCP_FIN_WAIT2;
	fuzz_require(nconn == s->nconn, "nconn");
	fuzz_require(norphan == s->norphan, "norphan");
	fuzz_require(ntw == s->ntw, "ntw");
	fuzz_require(nfinwait2 == s->nfinwait2, "nfinwait2");
}

static size_t pow2_above(size_t n)
{
	size_t p = 1024;

	while (p < n)
		p *= 2;
	return p;
}

void fuzz_check_memory(struct stack *s)
{
	uint64_t pages = 0;

	for (struct list *l = s->conns.next; l != &s->conns; l = l->next) {
		const struct tcp_conn *c = container_of(l, struct tcp_conn, all_link);
		size_t rcv = MAX(c->opt.rcvbuf, (uint32_t)s->set.tcp_rmem_max);
		/* A write stops between two of Linux's skbs: the last may go beyond the buffer. */
		size_t snd = MAX(c->opt.sndbuf, (uint32_t)s->set.tcp_wmem_max) + 65536u;

		fuzz_require(c->rcv.q.cap <= pow2_above(rcv), "receive ring beyond the receive buffer");
		fuzz_require(c->snd.q.cap <= pow2_above(snd), "send ring beyond the send buffer");
		fuzz_require(c->snd.txq.n <= snd / 8, "more segments in flight than the send buffer holds");
		fuzz_require(tcp_ofo(c)->ranges.n <= TCP_OFO_MAX, "more holes than allowed");
		pages += c->mem_pages;
	}
	fuzz_require(pages == s->mem_pages, "mem_pages is not the sum");
}
