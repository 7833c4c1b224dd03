/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_place.c - payload that is received where it belongs: in the buffer of the program that
 * waits for it, or at its place in the receive ring.
 *
 * Copies are what receiving costs.  So the engine looks at the head of a large frame before it
 * takes it (stack_place()) and receives the payload there; stack_input() finds that it has
 * nothing to copy.  Nothing is decided here: the segment passes every check that others pass, and
 * what is refused leaves bytes where none are valid, as places are only given where none are.
 *
 * What is in the program's buffer counts as stored, and is then read like any other: windows,
 * acknowledgments and counters are the same either way.
 */
#include <errno.h>

#include "tcp_impl.h"

#define PLACE_MIN 8192u      /* payload that a second system call is worth */

/* The connection that takes the segment in this frame, when it may be one that is stored: *ip, *th. */
static struct tcp_conn *conn_of(struct stack *s, int iface, const struct frame_in *f, struct ip_hdr *ip,
                                struct tcp_hdr *th)
{
	size_t link = s->ifaces[iface].has_link ? ETH_LEN : 0;
	struct tuple t;
	struct ent *e;

	if (!(f->vnet.flags & (VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID)) || f->len < link + PLACE_MIN)
		return NULL;
	if (link && get_be16(f->data + 2 * MAC_LEN) != ETHTYPE_IPV4)
		return NULL;
	if (ip_parse(f->data + link, f->len - link, ip) || ip->proto != PROTO_TCP || ip->has_more || ip->frag_off)
		return NULL;
	if (tcp_parse(f->data + link + ip->hdr_len, ip->total_len - ip->hdr_len, th))
		return NULL;
	/* A checksum that is still to be made, but not TCP's, would have to be verified. */
	if (f->vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM && f->vnet.csum_start != link + ip->hdr_len)
		return NULL;
	t = (struct tuple){ .laddr = ip->dst, .raddr = ip->src, .lport = th->dport, .rport = th->sport };
	e = conntab_find(&s->tab, &t);
	return e && e->kind == ENT_CONN ? container_of(e, struct tcp_conn, ent) : NULL;
}

/* Are these sequence numbers in the window, and nothing of them there? */
static bool is_vacant(const struct tcp_conn *c, seq32 seq, seq32 end)
{
	const struct ranges *ofo = &tcp_ofo(c)->ranges;

	if (seq_lt(seq, c->rcv.nxt) || seq_gt(end, c->rcv.nxt + tcp_receive_window(c)))
		return false;
	return !ofo->n || seq_le(end, ofo->v[0].start) || seq_ge(seq, ofo->v[ofo->n - 1].end);
}

static bool is_stored(const struct tcp_conn *c, const struct tcp_hdr *th, seq32 end)
{
	if (c->state != TCP_ESTABLISHED || c->is_dead || c->shut & SHUT_RCV_BIT || c->rcv.has_fin || c->rcv.urg_data)
		return false;
	if ((th->flags & ~(TCPF_PSH | TCPF_ECE | TCPF_CWR)) != TCPF_ACK)
		return false;
	return !tcp_mem_is_short(c->s) && c->rcv.rmem <= c->opt.rcvbuf && is_vacant(c, th->seq, end);
}

/* What the reader has room for of the segment that comes next: the pieces, and how many bytes. */
static uint32_t to_reader(const struct tcp_conn *c, const struct tcp_reader *r, seq32 seq, uint32_t len,
                          struct stack_place *p)
{
	uint32_t got = 0;
	size_t skip, at, n;

	if (!r || r->conn != c || seq != c->rcv.nxt || c->rcv.q.len || tcp_ofo(c)->ranges.n)
		return 0;
	skip = r->skip + r->done;
	for (int i = 0; i < r->iovcnt && p->cnt < PLACE_READER_IOV; i++) {
		at = MIN(r->iov[i].iov_len, skip);
		skip -= at;
		n = MIN(r->iov[i].iov_len - at, (size_t)(len - got));
		if (n)
			p->to[p->cnt++] = (struct iovec){ (uint8_t *)r->iov[i].iov_base + at, n };
		got += (uint32_t)n;
	}
	return got;
}

/* Where the payload of the frame stands in its connection's stream; false: it is not one to be placed. */
static bool find(struct stack *s, int iface, const struct frame_in *f, struct placing *pl, size_t *head)
{
	struct ip_hdr ip;
	struct tcp_hdr th;
	struct tcp_conn *c = conn_of(s, iface, f, &ip, &th);
	uint32_t len;

	if (!c)
		return false;
	*head = (s->ifaces[iface].has_link ? ETH_LEN : 0u) + ip.hdr_len + th.hdr_len;
	len = (uint32_t)ip.total_len - ip.hdr_len - th.hdr_len;
	*pl = (struct placing){ .conn = c, .seq = th.seq, .len = len };
	return *head + len == f->len && len >= PLACE_MIN && is_stored(c, &th, th.seq + len);
}

bool stack_place(struct stack *s, int iface, const struct frame_in *f, struct tcp_reader *reader,
                 struct stack_place *p)
{
	struct placing pl;
	struct ring *q;
	uint32_t off;

	if (!find(s, iface, f, &pl, &p->head))
		return false;
	q = &pl.conn->rcv.q;
	off = pl.seq - pl.conn->rcv.copied;
	if (ring_reserve(q, off + pl.len))
		return false;
	p->cnt = 0;
	pl.reader = reader;
	pl.read = to_reader(pl.conn, reader, pl.seq, pl.len, p);
	p->cnt += ring_peek(q, off + pl.read, pl.len - pl.read, p->to + p->cnt);
	s->placing = pl;
	return true;
}

struct tcp_conn *stack_would_read(struct stack *s, int iface, const struct frame_in *f, size_t *n)
{
	struct placing pl;
	size_t head;

	if (!find(s, iface, f, &pl, &head) || pl.seq != pl.conn->rcv.nxt ||
	    pl.conn->rcv.q.len || pl.len < pl.conn->opt.rcvlowat)
		return NULL;
	*n = pl.len;
	return pl.conn;
}

void stack_unplace(struct stack *s)
{
	s->placing.conn = NULL;
}

bool tcp_is_placed(const struct tcp_conn *c, seq32 seq, size_t len)
{
	const struct placing *pl = &c->s->placing;

	return pl->conn == c && pl->seq == seq && pl->len == len;
}

void tcp_place_done(struct stack *s, xtime now)
{
	struct placing pl = s->placing;

	s->placing.conn = NULL;
	if (!pl.conn || !pl.read || pl.conn->rcv.copied != pl.seq || pl.conn->rcv.q.len < pl.len)
		return;
	s->counters[CTR_bytes_read_at_once] += pl.read;
	tcp_has_read(pl.conn, pl.read, now);
	pl.reader->done += pl.read;
	pl.reader->has_some = true;
}
