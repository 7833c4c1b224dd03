/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_mem.c - what the sockets of a stack may keep together: tcp_mem of Linux (__sk_mem_raise_allocated()).
 *
 * A socket is charged, in pages, for what Linux's skbs would take up or what its rings do, whichever
 * is more: so the sum bounds real memory.  Below `low` there is no pressure, from above `pressure` until
 * it falls below `low` there is: windows stop to grow and shrink to four segments, send buffers don't
 * grow, rings fit what they hold, and who has more than his share of `high` gets no more.  Above `high`
 * nobody does, but for one segment in order that finds an empty queue, and for tcp_wmem's first number.
 */
#include "tcp_impl.h"

#define PAGE 4096u
#define SNDBUF_MIN 4608u   /* SOCK_MIN_SNDBUF */

static uint32_t pages(uint64_t bytes)
{
	return (uint32_t)((bytes + PAGE - 1) / PAGE);
}

static uint64_t rx_bytes(const struct tcp_conn *c)
{
	return MAX(c->rcv.rmem, c->rcv.q.cap);
}

static uint64_t tx_bytes(const struct tcp_conn *c)
{
	return MAX(tcp_wmem_queued(c), c->snd.q.cap);
}

/* Rings as small as what they hold allows. */
static void fit(struct tcp_conn *c)
{
	const struct ranges *ofo = &tcp_ofo(c)->ranges;

	if (c->s->placing.conn != c)
		ring_fit(&c->rcv.q, ofo->n ? ofo->v[ofo->n - 1].end - c->rcv.copied : c->rcv.q.len);
	ring_fit(&c->snd.q, c->snd.q.len);
}

static void charge(struct tcp_conn *c)
{
	uint32_t n = pages(rx_bytes(c) + tx_bytes(c));

	c->s->mem_pages = c->s->mem_pages - c->mem_pages + n;
	c->mem_pages = n;
}

/* tcp_enter_memory_pressure(): empty and half-empty rings give back what they can. */
static void enter_pressure(struct stack *s)
{
	if (s->pressure_since)
		return;
	s->pressure_since = MAX(s->now, 1);
	count(s, CTR_TcpExtTCPMemoryPressures);
	for (struct list *l = s->conns.next; l != &s->conns; l = l->next) {
		struct tcp_conn *c = container_of(l, struct tcp_conn, all_link);

		fit(c);
		charge(c);
	}
}

static void leave_pressure(struct stack *s)
{
	if (!s->pressure_since)
		return;
	s->counters[CTR_TcpExtTCPMemoryPressuresChrono] += (uint64_t)xtime_ms(s->now - s->pressure_since);
	s->pressure_since = 0;
}

/* Where `n` pages in all stand against the three numbers: pressure begins or ends. */
static void judge(struct stack *s, uint64_t n)
{
	if (n <= (uint64_t)s->set.tcp_mem_low)
		leave_pressure(s);
	else if (n > (uint64_t)s->set.tcp_mem_pressure)
		enter_pressure(s);
}

void tcp_mem_charge(struct tcp_conn *c)
{
	if (c->s->pressure_since)
		fit(c);
	charge(c);
	judge(c->s, c->s->mem_pages);
}

/* May the connection have `bytes` in all?  `has_little`: it has less than is granted to everybody. */
static bool may_have(struct tcp_conn *c, uint64_t bytes, bool has_little)
{
	struct stack *s = c->s;
	uint32_t want = pages(bytes);
	uint64_t all;

	if (want <= c->mem_pages)
		return true;
	judge(s, s->mem_pages - c->mem_pages + want);
	all = s->mem_pages - c->mem_pages + want;   /* less than before when pressure began */
	if (all <= (uint64_t)s->set.tcp_mem_low)
		return true;
	if (all > (uint64_t)s->set.tcp_mem_high)
		return false;
	return has_little || !s->pressure_since || (uint64_t)s->set.tcp_mem_high > (uint64_t)s->nconn * want;
}

bool tcp_mem_may_receive(struct tcp_conn *c, seq32 seq, uint32_t len, bool is_gso)
{
	uint32_t need = seq + len - c->rcv.copied;
	uint64_t rx = MAX((uint64_t)c->rcv.rmem + tcp_rx_truesize(len, is_gso), ring_cap_for(&c->rcv.q, need));

	return may_have(c, rx + tx_bytes(c), c->rcv.rmem < (uint32_t)c->s->set.tcp_rmem_min);
}

/* sk_stream_moderate_sndbuf() */
static void moderate_sndbuf(struct tcp_conn *c)
{
	if (!c->opt.is_sndbuf_locked)
		c->opt.sndbuf = MAX(MIN(c->opt.sndbuf, tcp_wmem_queued(c) / 2), SNDBUF_MIN);
}

uint32_t tcp_mem_may_send(struct tcp_conn *c, uint32_t n)
{
	uint32_t queued = tcp_wmem_queued(c), least = (uint32_t)c->s->set.tcp_wmem_min;
	uint64_t tx = MAX((uint64_t)queued + TCP_SKB_COST + n, ring_cap_for(&c->snd.q, c->snd.q.len + n));

	if (may_have(c, rx_bytes(c) + tx, queued < least))
		return n;
	enter_pressure(c->s);
	moderate_sndbuf(c);
	return queued < least ? MIN(n, least) : 0;
}

bool tcp_mem_is_short(const struct stack *s)
{
	return s->pressure_since != 0;
}

bool tcp_mem_may_expand(const struct stack *s)
{
	return !s->pressure_since && s->mem_pages < (uint64_t)s->set.tcp_mem_low;
}

/* tcp_out_of_memory() */
bool tcp_mem_is_out(const struct tcp_conn *c)
{
	return tcp_wmem_queued(c) > SNDBUF_MIN && c->s->mem_pages > (uint64_t)c->s->set.tcp_mem_high;
}
