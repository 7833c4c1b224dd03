/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_segment.c - segments as they leave: options, flags, IP header, and what is
 * counted with each (tcp_transmit_skb); and the replies that belong to no
 * connection.  What may be sent, and when, is decided elsewhere (tcp_out.c).
 */
#include "tcp_out.h"

#include <errno.h>

#define GSO_HDR_ROOM (IP_LEN_MAX + TCP_LEN_MAX)

ip4 tcp_first_hop(const struct tcp_conn *c)
{
	return c->opt.rare->ip_opts.srr ? c->opt.rare->ip_opts.first_hop : c->ent.t.raddr;
}

static bool tcp_may_fragment(const struct tcp_conn *c)
{
	switch (c->opt.pmtudisc) {
	case IP_PMTUDISC_DO:
		return false;
	case IP_PMTUDISC_WANT:
		return !ip_may_set_df(c->s, &c->rt, tcp_first_hop(c), c->s->now);
	default:
		return true;
	}
}

static void conn_ip_tx(struct tcp_conn *c, struct ip_tx *tx, uint8_t opts[IP_OPT_MAX])
{
	*tx = (struct ip_tx){
		.src = c->ent.t.laddr,
		.dst = tcp_first_hop(c),
		.id = c->ip_id,
		.is_df = !tcp_may_fragment(c),
		.tos = c->opt.tos,
		.ttl = c->opt.ttl ? c->opt.ttl : (uint8_t)c->s->set.ip_default_ttl,
		.proto = PROTO_TCP,
	};
	if (c->opt.rare->ip_opts.len) {
		tx->opt_len = (uint8_t)ip_opts_build(&c->opt.rare->ip_opts, tx->src, c->ent.t.raddr,
		                                       stack_time_of_day(c->s, c->s->now), opts);
		tx->opts = opts;
	}
}

/* tcp_established_options(): timestamps, then as many SACK blocks as fit. */
static void hdr_set_options(const struct tcp_conn *c, struct tcp_hdr *th, xtime now)
{
	unsigned room = 4, n = 0;

	if (c->ts_ok) {
		th->has_ts = true;
		th->tsval = tcp_ts_now(c, now);
		th->tsecr = c->ts_recent;
		room = 3;
	}
	if (!c->sack_ok)
		return;
	if (c->rcv.has_dsack)
		th->sack[n++] = c->rcv.dsack;
	for (unsigned i = 0; i < tcp_ofo(c)->nsacks && n < room; i++)
		th->sack[n++] = tcp_ofo(c)->sacks[i];
	th->nsack = (uint8_t)n;
}

/* tcp_event_ack_sent(): every segment that carries the current rcv.nxt is an ACK. */
static void event_ack_sent(struct tcp_conn *c)
{
	if (c->rcv.quick) {
		unsigned n = c->rcv.ack_scheduled ? 1 : 0;

		if (n >= c->rcv.quick) {
			c->rcv.quick = 0;
			c->rcv.ato = TCP_ATO_MIN;
		} else {
			c->rcv.quick -= (uint8_t)n;
		}
	}
	c->rcv.ack_scheduled = c->rcv.ack_now = c->rcv.is_nomem = false;
	c->rcv.pushed = 0;
	c->rcv.has_dsack = false;
	c->snd.out &= (uint8_t)~(OUT_ACK | OUT_ACK_FIRST);
	if (c->rcv.dup_acks) {
		if (--c->rcv.dup_acks)
			c->snd.out |= OUT_ACK;
	}
	tcp_delack_clear(c);
	c->s->counters[CTR_TcpExtTCPAckCompressed] += c->rcv.comp_acks;
	c->rcv.comp_acks = 0;
	c->rcv.comp_at = XTIME_NEVER;
}

/* Where the connection waits while its next hop is unresolved, or learns that it
 * can't be reached.  False in any case: no frame. */
bool tcp_output_blocked(struct tcp_conn *c, int err, struct neigh *n, xtime now)
{
	if (err == -EAGAIN && n) {
		list_remove(&c->out_link);   /* of waiters, too: data, a probe and an ACK may block one after another */
		list_append(&n->waiters, &c->out_link);
		c->is_blocked = true;
		return false;
	}
	count(c->s, CTR_tx_failed);
	if (err == -EHOSTUNREACH) {
		tcp_icmp(c->s, &c->ent.t, c->snd.una, 3, 1, 0, now);
		return false;
	}
	if (!c->loss.packets_out)
		tcp_check_probe(c, now);
	return false;
}

/* Puts th with [seq, seq+len) of the ring into f.  0, or what ip_build() said. */
int tcp_emit_segment(struct tcp_conn *c, struct frame_out *f, struct tcp_hdr *th, size_t len,
                     uint32_t mss, struct neigh **n, xtime now)
{
	uint8_t opts[IP_OPT_MAX];
	struct ip_tx tx;
	size_t tcp_len = TCP_LEN_MIN + tcp_options_len(th);
	int off;

	conn_ip_tx(c, &tx, opts);   /* ECN has marked opt.tos */
	th->sport = c->ent.t.lport;
	th->dport = c->ent.t.rport;
	off = ip_build(c->s, f, &c->rt, &tx, tcp_len + len, n, now);
	if (off < 0)
		return off;
	c->ip_id += (uint16_t)(len > mss ? (len + mss - 1) / mss : 1);
	tcp_emit(f->hdr + off, th);
	f->hdr_len = (size_t)off + tcp_len;
	f->payload_len = len;
	f->payload_cnt = tcp_payload(c, th->flags & TCPF_SYN ? 0 : th->seq - c->snd.q_seq, len, f->payload);
	/* With a source route tx.dst is only the first hop (RFC 1122 4.2.3.8). */
	ip_finish_l4(c->s, f, (size_t)off, tcp_len, tx.src, c->ent.t.raddr, (uint16_t)mss);
	if (th->flags & TCPF_CWR && f->vnet.gso_type)   /* for the first segment only */
		f->vnet.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	return 0;
}

void tcp_count_segment(struct tcp_conn *c, size_t len, uint32_t mss, bool is_resent)
{
	uint32_t segs = len > mss ? (uint32_t)((len + mss - 1) / mss) : 1;

	c->snd.segs_out += segs;
	if (!is_resent)
		c->s->counters[CTR_TcpOutSegs] += segs;
	if (len)
		c->snd.data_segs_out += segs;
}

/* tcp_event_data_sent(): new or again. */
static void event_data_sent(struct tcp_conn *c, xtime now)
{
	if (!tcp_in_flight(c) && c->cc.ops->event)
		c->cc.ops->event(c, CC_EV_TX_START, now);
	c->snd.lsndtime = now;
	/* An answer to what came just now: the session is interactive. */
	if (now - c->rcv.lrcvtime < c->rcv.ato && c->rcv.pingpong < 255)
		c->rcv.pingpong++;
}

/* One segment of an open connection: header, [seq, end) and its bookkeeping. */
int tcp_send_segment(struct tcp_conn *c, struct frame_out *f, seq32 seq, seq32 end, bool psh,
                     uint32_t mss, struct neigh **n, xtime now)
{
	seq32 data_end = c->snd.q_seq + c->snd.q.len;
	bool has_fin = end != seq && c->snd.fin && seq_gt(end, data_end);
	size_t len = (size_t)(end - seq) - (has_fin ? 1 : 0);
	struct tcp_hdr th = { .seq = seq, .ack = c->rcv.nxt, .flags = TCPF_ACK };
	int ret;

	hdr_set_options(c, &th, now);
	if (has_fin)
		th.flags |= TCPF_FIN;
	/* On every super-frame, so that the receiver doesn't hold it to merge more: Linux sets it
	 * on the copy that leaves only (__tcp_transmit_skb). */
	if (psh || len > mss)
		th.flags |= TCPF_PSH;
	if (c->snd.urg_mode && seq_gt(c->snd.urg_up, seq) && seq_le(c->snd.urg_up, seq + 0xffff)) {
		th.flags |= TCPF_URG;
		th.urg = (uint16_t)(c->snd.urg_up - seq);
	}
	th.wnd = (uint16_t)tcp_select_window(c);
	tcp_ecn_send(c, &th, len);
	ret = tcp_emit_segment(c, f, &th, len, mss, n, now);
	if (ret < 0)
		return ret;
	if (len)
		event_data_sent(c, now);
	event_ack_sent(c);
	if (th.flags & TCPF_CWR)
		c->ecn.has_cwr = false;
	tcp_count_segment(c, len, mss, end != seq && !seq_gt(end, c->snd.nxt));
	c->snd.bytes_sent += len;
	if (len)
		tcp_pacing_sent(c, len, now);
	return 0;
}

uint32_t tcp_max_segs(const struct tcp_conn *c, uint32_t mss)
{
	const struct stack_iface *i = &c->s->ifaces[c->rt.iface];
	uint32_t segs;

	if (!i->can_offload)
		return 1;
	segs = (MIN(i->gso_max, 65535u) - GSO_HDR_ROOM) / mss;
	return segs ? segs : 1;
}

/* The sequence number of a bare ACK: tcp_acceptable_seq(). */
seq32 tcp_acceptable_seq(const struct tcp_conn *c)
{
	return seq_lt(tcp_wnd_end(c), c->snd.nxt) && c->snd.wnd ? tcp_wnd_end(c) : c->snd.nxt;
}

/* ---- segments that belong to no connection ---- */

static void reply(struct stack *s, const struct ip_route *rt, const struct tuple *t,
                  const struct tcp_hdr *th, uint8_t tos, uint8_t ttl, uint16_t id,
                  const struct ip_optset *opts, xtime now)
{
	uint8_t buf[TCP_LEN_MAX], opt_bytes[IP_OPT_MAX];
	struct tcp_hdr h = *th;
	struct ip_tx tx = {
		.src = t->laddr, .dst = t->raddr, .id = id, .is_df = true, .tos = tos,
		.ttl = ttl ? ttl : (uint8_t)s->set.ip_default_ttl, .proto = PROTO_TCP,
	};
	size_t len;

	if (opts && opts->len) {
		tx.dst = opts->srr ? opts->first_hop : t->raddr;
		tx.opt_len = (uint8_t)ip_opts_build(opts, t->laddr, t->raddr, stack_time_of_day(s, now), opt_bytes);
		tx.opts = opt_bytes;
	}
	h.sport = t->lport;
	h.dport = t->rport;
	len = tcp_emit(buf, &h);
	tcp_set_csum(buf, csum_fold(csum_add(csum_pseudo(t->laddr, t->raddr, PROTO_TCP, len), buf, len)));
	count(s, CTR_TcpOutSegs);
	ip_send(s, rt, &tx, buf, len, now);
}

void tcp_reply(struct stack *s, const struct tuple *t, const struct tcp_hdr *th, uint8_t tos, uint8_t ttl,
               const struct ip_optset *opts, xtime now)
{
	reply(s, NULL, t, th, tos, ttl, 0, opts, now);
}

static void conn_reply(struct tcp_conn *c, struct tcp_hdr *th, xtime now)
{
	th->seq = tcp_acceptable_seq(c);
	if (c->ts_ok) {
		th->has_ts = true;
		th->tsval = tcp_ts_now(c, now);
		th->tsecr = c->ts_recent;
	}
	tcp_ecn_send(c, th, 0);
	reply(c->s, c->has_route ? &c->rt : NULL, &c->ent.t, th, c->opt.tos, c->opt.ttl, c->ip_id++,
	      &c->opt.rare->ip_opts, now);
}

void tcp_send_active_reset(struct tcp_conn *c, xtime now)
{
	struct tcp_hdr th = { .flags = TCPF_RST | TCPF_ACK, .ack = c->rcv.nxt, .wnd = (uint16_t)tcp_select_window(c) };

	count(c->s, CTR_TcpOutRsts);
	c->snd.segs_out++;
	conn_reply(c, &th, now);
}

void tcp_send_last_ack(struct tcp_conn *c, xtime now)
{
	struct tcp_hdr th = { .flags = TCPF_ACK, .ack = c->rcv.nxt, .wnd = (uint16_t)tcp_select_window(c) };

	hdr_set_options(c, &th, now);
	event_ack_sent(c);
	c->snd.segs_out++;
	conn_reply(c, &th, now);
}

void tcp_send_ack_before(struct tcp_conn *c, seq32 ack, xtime now)
{
	struct tcp_hdr th = { .flags = TCPF_ACK, .ack = ack, .wnd = (uint16_t)tcp_select_window(c) };

	c->snd.segs_out++;
	conn_reply(c, &th, now);
}

/* RFC 9293 3.5.2 and 3.10.7.1; Linux tcp_v4_send_reset(). */
void tcp_reply_reset(struct stack *s, const struct ip_hdr *ip, const struct tcp_hdr *th, size_t len,
                     xtime now)
{
	struct tuple t = { .laddr = ip->dst, .raddr = ip->src, .lport = th->dport, .rport = th->sport };
	struct tcp_hdr rst = { .flags = TCPF_RST };
	struct ip_optset opts;

	if (th->flags & TCPF_RST || !ip_is_unicast(s, ip->src))
		return;
	if (th->flags & TCPF_ACK) {
		rst.seq = th->ack;
	} else {
		rst.flags |= TCPF_ACK;
		rst.ack = th->seq + (th->flags & TCPF_SYN ? 1 : 0) + (th->flags & TCPF_FIN ? 1 : 0) + (seq32)len;
	}
	count(s, CTR_TcpOutRsts);
	/* ip_send_unicast_reply() */
	if (ip_opts_echo(ip, stack_time_of_day(s, now), &opts) == 0)
		reply(s, NULL, &t, &rst, 0, 0, 0, &opts, now);
}

void tcp_tw_ack(struct tcp_tw *tw, xtime now)
{
	struct tcp_hdr th = {
		.seq = tw->snd_nxt, .ack = tw->rcv_nxt, .flags = TCPF_ACK,
		.wnd = (uint16_t)MIN(tw->rcv_wnd >> tw->rcv_wscale, 65535u),
	};

	if (tw->ts_ok) {
		th.has_ts = true;
		th.tsval = xtime_ms(now) + tw->ts_offset;
		th.tsecr = tw->ts_recent;
	}
	reply(tw->s, NULL, &tw->ent.t, &th, tw->tos, tw->ttl, 0, NULL, now);
}
