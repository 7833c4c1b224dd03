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
	if (c->state == TCP_SYN_RECV && tcp_fo(c)->is_child)
		return 0;
	if (conn_in(c, ST(SYN_SENT) | ST(SYN_RECV)))
		return -EAGAIN;
	if (!conn_in(c, ST(ESTABLISHED) | ST(CLOSE_WAIT)))
		return -EPIPE;
	return 0;
}

ssize_t tcp_send(struct tcp_conn *c, const struct iovec *iov, int iovcnt, size_t skip, int flags,
                 xtime now)
{
	size_t total = iov_total(iov, iovcnt) - skip;
	ssize_t n;
	int ret = may_send(c);

	if (ret < 0)
		return ret;
	if (!total)
		return 0;
	tcp_cwnd_restart_check(c, now);
	if (!(flags & TCP_SEND_ON))
		tcp_rate_check_app_limited(c);
	n = tcp_wmem_write(c, iov, iovcnt, skip, total, flags, now);
	if (n < 0)
		return n;
	if (flags & MSG_OOB && (size_t)n == total) {
		c->snd.urg_up = c->snd.q_seq + c->snd.q.len;
		c->snd.urg_mode = true;
	}
	tcp_mem_charge(c);
	if (!tcp_should_autocork(c, now))
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

/* Is the byte there the urgent one? */
static bool stops_at(const struct tcp_conn *c, size_t off)
{
	return c->rcv.urg_data && c->rcv.urg_seq == c->rcv.copied + (seq32)off;
}

/* Where a peek starts: at SO_PEEK_OFF, which moves with each; behind an urgent byte that is no part of the
 * stream. */
static size_t peek_start(const struct tcp_conn *c, size_t off)
{
	uint32_t urg = c->rcv.urg_seq - c->rcv.copied;

	if (c->opt.peek_off >= 0)
		off = (size_t)c->opt.peek_off;
	return off + (c->rcv.urg_data && !c->opt.oobinline && urg == off ? 1 : 0);
}

/* sk_peek_offset_fwd(), sk_peek_offset_bwd() */
static void peek_moved(struct tcp_conn *c, bool is_peek, size_t n)
{
	int64_t off = c->opt.peek_off;

	off = is_peek ? off + (int64_t)n : MAX(off - (int64_t)n, 0);
	c->opt.peek_off = (int32_t)MIN(off, (int64_t)INT32_MAX);
}

void tcp_has_read(struct tcp_conn *c, size_t n, xtime now)
{
	if (c->opt.peek_off >= 0)
		peek_moved(c, false, n);
	ring_drop(&c->rcv.q, n);
	c->rcv.copied += (seq32)n;
	tcp_rmem_uncharge(c, (uint32_t)n);
	tcp_urg_passed(c);
	if (!c->rcv.q.len && !tcp_ofo(c)->ranges.n && ring_rewind(&c->rcv.q))
		tcp_trim_later(c, now);
	tcp_mem_charge(c);
	tcp_rcv_space_adjust(c, now);
	tcp_cleanup_rbuf(c, n, now);
	tcp_report(c);
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
	if (n && rflags && stops_at(c, (flags & MSG_PEEK ? peek_off : 0) + n))
		*rflags |= TCP_RECV_MARK;
	if (!n)
		return want || !c->rcv.q.len ? recv_nothing(c) : 0;
	if (!(flags & MSG_TRUNC))
		ring_copy_iov(&c->rcv.q, flags & MSG_PEEK ? peek_off : 0, iov, iovcnt, skip, n);
	if (!(flags & MSG_PEEK))
		tcp_has_read(c, n, now);
	else if (c->opt.peek_off >= 0)
		peek_moved(c, true, n);
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
		return (int)urg;
	return (int)MIN(c->rcv.q.len, (uint32_t)INT_MAX);
}

int tcp_unread(const struct tcp_conn *c)
{
	uint32_t urg = c->rcv.urg_seq - c->rcv.copied;
	uint32_t n = c->rcv.q.len;

	if (c->state == TCP_LISTEN)
		return -EINVAL;
	if (c->rcv.urg_data && !c->opt.oobinline && urg < n)
		n--;
	return (int)MIN(n, (uint32_t)INT_MAX);
}

/* tcp_inq_hint(): after a FIN there is its end to be read. */
int tcp_inq_hint(const struct tcp_conn *c)
{
	if (!c->opt.inq)
		return -ENODATA;
	if (!c->rcv.q.len && c->shut & SHUT_RCV_BIT)
		return 1;
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
