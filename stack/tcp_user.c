/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_user.c - the program's bytes: tcp_sendmsg() and tcp_recvmsg() of Linux without
 * their sleeping, urgent data included (RFC 9293 3.8.5; the pointer as Linux and
 * everyone has it, one beyond the urgent byte: RFC 6093).
 */
#include "tcp_impl.h"

#include <errno.h>
#include <limits.h>

static size_t iov_total(const struct iovec *iov, int iovcnt)
{
	size_t n = 0;

	for (int i = 0; i < iovcnt; i++)
		n += iov[i].iov_len;
	return n;
}

/* The errno of a call that finds a pending error, taken with it. */
static int take_negative_error(struct tcp_conn *c)
{
	int err = c->err;

	c->err = 0;
	return -err;
}

/* sk_stream_error(): a pending error comes first, then EPIPE. */
static int send_error(struct tcp_conn *c)
{
	if (c->err)
		return take_negative_error(c);
	return -EPIPE;
}

/* Whether bytes may be queued now: 0 or -errno. */
static int may_send(struct tcp_conn *c)
{
	if (c->err || c->shut & SHUT_SND_BIT)
		return send_error(c);
	if (c->state == TCP_SYN_RECV && c->fo.is_child)
		return 0;
	if (conn_in(c, ST(SYN_SENT) | ST(SYN_RECV)))
		return -EAGAIN;
	if (!conn_in(c, ST(ESTABLISHED) | ST(CLOSE_WAIT)))
		return -EPIPE;
	return 0;
}

static uint32_t send_room(const struct tcp_conn *c)
{
	return c->opt.sndbuf > c->snd.q.len ? c->opt.sndbuf - c->snd.q.len : 0;
}

/* ---- skbs: which bytes Linux would put together (tcp_sendmsg_locked) ---- */

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

	return from == c->snd.nxt ? MIN(room, wnd) / mss * mss : 0;
}

static struct tx_mark *mark_last(struct tx_marks *m)
{
	return m->n ? &m->v[(m->first + m->n - 1u) % TCP_MARKS] : NULL;
}

/* A new end; when there are too many, the last one moves. */
static struct tx_mark *mark_add(struct tx_marks *m, seq32 end)
{
	struct tx_mark *t;

	if (m->n < TCP_MARKS)
		m->n++;
	t = mark_last(m);
	*t = (struct tx_mark){ .end = end };
	return t;
}

/* The last n bytes of the queue have been written. */
static void mark_written(struct tcp_conn *c, uint32_t n, bool is_eor, xtime now)
{
	struct tx_marks *m = &c->snd.marks;
	seq32 end = c->snd.q_seq + c->snd.q.len, seq = end - n, sent, start;
	uint32_t mss = tcp_current_mss(c, now), goal = size_goal(c, mss), take;
	struct tx_mark *t = mark_last(m);

	sent = seq + MIN(sendable(c, seq, mss), n);
	start = m->n > 1 ? m->v[(m->first + m->n - 2u) % TCP_MARKS].end : c->snd.nxt;
	if (t && !t->eor && seq - start < goal)
		t->psh = false;
	else
		t = NULL;
	while (seq != end) {
		if (t && seq_le(t->end, sent) && sent != seq)
			t = NULL;
		if (t && seq_gt(sent, start) && seq_lt(sent, seq))
			start = sent;
		if (!t || seq - start >= goal) {
			t = mark_add(m, seq);
			start = seq;
		}
		take = MIN(goal - (seq - start), end - seq);
		t->end = seq += take;
		if (has_much_unpushed(c, seq) && seq != end) {
			t->psh = true;
			c->snd.pushed = seq;
		}
		if (seq_le(seq, sent) && seq != end)
			t = NULL;
	}
	t->eor = is_eor;
	if (!c->snd.more || has_much_unpushed(c, end)) {
		t->psh = true;
		c->snd.pushed = end;
	}
}

ssize_t tcp_send(struct tcp_conn *c, const struct iovec *iov, int iovcnt, size_t skip, int flags,
                 xtime now)
{
	size_t total = iov_total(iov, iovcnt) - skip;
	uint32_t room;
	ssize_t n;
	int ret = may_send(c);

	if (ret < 0)
		return ret;
	if (!total)
		return 0;
	room = send_room(c);
	if (!room)
		return -EAGAIN;
	tcp_cwnd_restart_check(c, now);
	tcp_rate_check_app_limited(c);
	n = ring_append_iov(&c->snd.q, iov, iovcnt, skip, room);
	if (n < 0)
		return n;
	if (flags & MSG_OOB && (size_t)n == total) {
		c->snd.urg_up = c->snd.q_seq + c->snd.q.len;
		c->snd.urg_mode = true;
	}
	c->snd.more = flags & MSG_MORE && (size_t)n == total;
	mark_written(c, (uint32_t)n, (size_t)n == total && flags & MSG_EOR, now);
	tcp_want_output(c);
	return n;
}

/* What tcp_recvmsg_locked() answers when nothing is readable. */
static int recv_nothing(struct tcp_conn *c)
{
	/* The peer's FIN is the end, whatever came after it (SOCK_DONE). */
	if (c->rcv.has_fin && seq_lt(c->rcv.fin_seq, c->rcv.nxt))
		return 0;
	if (c->err)
		return take_negative_error(c);
	if (c->shut & SHUT_RCV_BIT)
		return 0;
	if (c->state == TCP_CLOSE)
		return c->is_connected ? 0 : -ENOTCONN;
	return -EAGAIN;
}

/* Readable bytes from `off` on: a read stops in front of an urgent byte, but not at it. */
static size_t readable(const struct tcp_conn *c, size_t off)
{
	size_t n = c->rcv.q.len > off ? c->rcv.q.len - off : 0;
	uint32_t urg = c->rcv.urg_seq - c->rcv.copied;

	if (c->rcv.urg_data && urg < c->rcv.q.len && urg > off)
		n = MIN(n, urg - off);
	return n;
}

/* Where a peek starts: behind an urgent byte that is no part of the stream. */
static size_t peek_start(const struct tcp_conn *c, size_t off)
{
	uint32_t urg = c->rcv.urg_seq - c->rcv.copied;

	return off + (c->rcv.urg_data && !c->opt.oobinline && urg == off ? 1 : 0);
}

ssize_t tcp_recv(struct tcp_conn *c, const struct iovec *iov, int iovcnt, size_t skip, int flags,
                 size_t peek_off, int *rflags, xtime now)
{
	size_t want = iov_total(iov, iovcnt) - skip;
	size_t n;

	if (c->state == TCP_LISTEN)
		return -ENOTCONN;
	if (flags & MSG_OOB)
		return tcp_urg_read(c, iov, iovcnt, skip, flags, rflags);
	if (flags & MSG_PEEK)
		peek_off = peek_start(c, peek_off);
	else
		tcp_urg_skip(c);
	n = MIN(readable(c, flags & MSG_PEEK ? peek_off : 0), want);
	if (!n)
		return want || !c->rcv.q.len ? recv_nothing(c) : 0;
	if (!(flags & MSG_TRUNC))
		ring_copy_iov(&c->rcv.q, flags & MSG_PEEK ? peek_off : 0, iov, iovcnt, skip, n);
	if (flags & MSG_PEEK)
		return (ssize_t)n;
	ring_drop(&c->rcv.q, n);
	c->rcv.copied += (seq32)n;
	tcp_urg_passed(c);
	if (!c->rcv.q.len && !c->rcv.ofo.n)
		ring_trim(&c->rcv.q);
	tcp_rcv_space_adjust(c, now);
	tcp_cleanup_rbuf(c, n, now);
	tcp_report(c);
	return (ssize_t)n;
}

int tcp_inq(const struct tcp_conn *c)
{
	uint32_t urg = c->rcv.urg_seq - c->rcv.copied;

	if (c->state == TCP_LISTEN)
		return -EINVAL;
	if (conn_in(c, ST(SYN_SENT) | ST(SYN_RECV)))
		return 0;
	if (c->rcv.urg_data && !c->opt.oobinline && urg < c->rcv.q.len)
		return (int)(urg ? urg : c->rcv.q.len - 1);
	return (int)MIN(c->rcv.q.len, (uint32_t)INT_MAX);
}

int tcp_outq(const struct tcp_conn *c)
{
	if (c->state == TCP_LISTEN)
		return -EINVAL;
	if (conn_in(c, ST(SYN_SENT) | ST(SYN_RECV)))
		return 0;
	return (int)c->snd.q.len;
}

int tcp_outq_unsent(const struct tcp_conn *c)
{
	seq32 data_end = c->snd.q_seq + c->snd.q.len;

	if (c->state == TCP_LISTEN)
		return -EINVAL;
	if (conn_in(c, ST(SYN_SENT) | ST(SYN_RECV)))
		return 0;
	return seq_gt(data_end, c->snd.nxt) ? (int)(data_end - c->snd.nxt) : 0;
}

bool tcp_at_mark(const struct tcp_conn *c)
{
	return c->rcv.urg_data && c->rcv.urg_seq == c->rcv.copied;
}
