/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_urg.c - urgent data received: RFC 9293 3.8.5 with the pointer one beyond the urgent
 * byte (RFC 6093), and Linux's view of it: the latest urgent byte is out of band unless
 * SO_OOBINLINE; a newer one makes the older ordinary; a read stops in front of it.
 */
#include "tcp_impl.h"

#include <errno.h>

/* rcv.urg_data: 0 none, else one of these, with the byte in the low half. */
#define URG_VALID 0x0100
#define URG_NOTYET 0x0200
#define URG_READ 0x0400

/* tcp_check_urg(). */
static void note_pointer(struct tcp_conn *c, const struct tcp_hdr *th)
{
	uint32_t off = th->urg;
	seq32 ptr;

	if (off && !c->s->set.tcp_stdurg)
		off--;
	ptr = th->seq + off;
	/* Read already, passed by rcv.nxt already, or not newer than the one we have. */
	if (seq_gt(c->rcv.copied, ptr) || seq_lt(ptr, c->rcv.nxt) ||
	    (c->rcv.urg_data && !seq_gt(ptr, c->rcv.urg_seq))) {
		count(c->s, CTR_tcp_urg_old);
		return;
	}
	/* One that is next in the stream is passed over now, read or not. */
	tcp_urg_skip(c);
	c->rcv.urg_data = URG_NOTYET;
	c->rcv.urg_seq = ptr;
	c->urgents++;
	c->edges++;
	tcp_report(c);
}

void tcp_urg_rcv(struct tcp_conn *c, const struct tcp_hdr *th, const uint8_t *data, size_t len)
{
	uint32_t off;

	if (th->flags & TCPF_URG)
		note_pointer(c, th);
	if (c->rcv.urg_data != URG_NOTYET)
		return;
	off = c->rcv.urg_seq - th->seq;
	if (off >= len)
		return;
	c->rcv.urg_data = URG_VALID | data[off];
	c->edges++;
	tcp_report(c);
}

void tcp_urg_skip(struct tcp_conn *c)
{
	if (!c->rcv.urg_data || c->opt.oobinline || c->rcv.urg_seq != c->rcv.copied || !c->rcv.q.len)
		return;
	ring_drop(&c->rcv.q, 1);
	c->rcv.copied++;
	tcp_rmem_uncharge(c, 1);
	c->rcv.urg_data = 0;
}

void tcp_urg_passed(struct tcp_conn *c)
{
	if (c->rcv.urg_data && seq_gt(c->rcv.copied, c->rcv.urg_seq))
		c->rcv.urg_data = 0;
}

/* Puts the byte into iov past `skip` bytes: 1, or 0 when there is no room. */
static ssize_t store_byte(uint8_t byte, const struct iovec *iov, int iovcnt, size_t skip, int flags)
{
	for (int i = 0; i < iovcnt; i++) {
		if (skip < iov[i].iov_len) {
			if (!(flags & MSG_TRUNC))
				((uint8_t *)iov[i].iov_base)[skip] = byte;
			return 1;
		}
		skip -= iov[i].iov_len;
	}
	return 0;
}

/* tcp_recv_urg(). */
ssize_t tcp_urg_read(struct tcp_conn *c, const struct iovec *iov, int iovcnt, size_t skip, int flags,
                     int *rflags)
{
	uint8_t byte = (uint8_t)c->rcv.urg_data;
	ssize_t n;

	if (c->opt.oobinline || !c->rcv.urg_data || c->rcv.urg_data == URG_READ)
		return -EINVAL;
	if (c->state == TCP_CLOSE && !c->rcv.has_fin)   /* SOCK_DONE */
		return -ENOTCONN;
	if (!(c->rcv.urg_data & URG_VALID))
		return c->state == TCP_CLOSE || c->shut & SHUT_RCV_BIT ? 0 : -EAGAIN;
	if (!(flags & MSG_PEEK))
		c->rcv.urg_data = URG_READ;
	n = store_byte(byte, iov, iovcnt, skip, flags);
	if (rflags)
		*rflags |= n ? MSG_OOB : MSG_OOB | MSG_TRUNC;
	return n;
}
