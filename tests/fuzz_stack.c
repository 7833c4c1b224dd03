/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_stack.c - a peer that says anything, to a stack that is doing something.
 *
 * The input is a little program: raw frames, TCP segments aimed at a connection
 * with numbers near the ones it expects, ICMP about its segments, time that passes,
 * and calls of the program behind it.  Nothing may crash, leak or loop; after every
 * step the counts of what is in flight are the sums over the queue, and the
 * receive ring never holds more than was advertised.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stack/stack.h"
#include "stack/tcp_impl.h"
#include "stack/wire.h"

#define US 0x0a000001u
#define PEER 0x0a000002u
#define NCONN 4

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len);

struct fuzz {
	struct stack *s;
	struct tcp_conn *c[NCONN];     /* 0: listener, others: clients or accepted */
	xtime now;
	const uint8_t *p;
	size_t len;
};

static const uint8_t mac_us[6] = { 2, 0, 0, 0, 0, 1 }, mac_peer[6] = { 2, 0, 0, 0, 0, 2 };

static uint8_t next(struct fuzz *z)
{
	if (!z->len)
		return 0;
	z->len--;
	return *z->p++;
}

static uint32_t next32(struct fuzz *z)
{
	uint32_t v = next(z);

	for (int i = 0; i < 3; i++)
		v = v << 8 | next(z);
	return v;
}

static size_t take(struct fuzz *z, size_t want, const uint8_t **p)
{
	size_t n = MIN(want, z->len);

	*p = z->p;
	z->p += n;
	z->len -= n;
	return n;
}

static void require(bool is_true, const char *what)
{
	if (!is_true) {
		fprintf(stderr, "fuzz_stack: %s\n", what);
		abort();
	}
}

static void check_conn(struct tcp_conn *c)
{
	uint32_t out = 0, sacked = 0, lost = 0, retrans = 0;

	for (uint32_t i = 0; i < c->snd.txq.n; i++) {
		struct tx_seg *seg = txq_at(&c->snd.txq, i);
		uint32_t n = tcp_seg_count(c, seg);

		require(seq_lt(seg->seq, seg->end), "empty segment in flight");
		require(i == 0 || txq_at(&c->snd.txq, i - 1)->end == seg->seq, "hole in the queue");
		out += n;
		sacked += seg->flags & SEG_SACKED ? n : 0;
		lost += seg->flags & SEG_LOST ? n : 0;
		retrans += seg->flags & SEG_RETRANS ? n : 0;
	}
	require(out == c->loss.packets_out, "packets_out");
	require(!c->sack_ok || sacked == c->loss.sacked_out, "sacked_out");
	require(lost == c->loss.lost_out, "lost_out");
	require(retrans == c->loss.retrans_out, "retrans_out");
	require(c->loss.sacked_out + c->loss.lost_out <= out, "more left than sent");
	require(c->cc.cwnd > 0, "cwnd is 0");
	require(c->rcv.q.len <= 64u << 20, "receive ring");
}

static void check(struct fuzz *z)
{
	for (struct list *l = z->s->conns.next; l != &z->s->conns; l = l->next)
		check_conn(container_of(l, struct tcp_conn, all_link));
}

static void drain(struct fuzz *z)
{
	struct frame_out f;
	unsigned n = 0;

	while (stack_output(z->s, &f, z->now)) {
		require(f.hdr_len <= sizeof(f.hdr), "header too long");
		require(n++ < 100000, "endless output");
	}
	while (stack_next_event(z->s))
		;
}

static void input_frame(struct fuzz *z, const uint8_t *p, size_t len, const struct virtio_net_hdr *v)
{
	uint8_t *copy = malloc(len ? len : 1);   /* exact size, so that a read beyond shows */
	struct frame_in f = { .data = copy, .len = len };

	if (!copy)
		return;
	memcpy(copy, p, len);
	if (v)
		f.vnet = *v;
	stack_input(z->s, 0, &f, z->now);
	free(copy);
}

static size_t frame_ip(uint8_t *buf, uint8_t proto, size_t l4_len)
{
	struct eth_hdr eth = { .type = ETHTYPE_IPV4 };
	struct ip_hdr ip = { .src = PEER, .dst = US, .ttl = 64, .proto = proto, .is_df = true };
	size_t hdr;

	memcpy(eth.dst, mac_us, 6);
	memcpy(eth.src, mac_peer, 6);
	eth_emit(buf, &eth);
	ip.total_len = (uint16_t)(IP_LEN_MIN + l4_len);
	hdr = ip_emit(buf + ETH_LEN, &ip);
	return ETH_LEN + hdr;
}

static struct tcp_conn *pick(struct fuzz *z)
{
	return z->c[next(z) % NCONN];
}

/* Numbers mostly near what the connection expects. */
static seq32 near(struct fuzz *z, seq32 base)
{
	uint8_t how = next(z);

	if (how < 128)
		return base + how % 4;
	if (how < 200)
		return base + (uint32_t)(int32_t)(int16_t)(next(z) << 8 | next(z));
	if (how < 240)
		return base - next(z);
	return next32(z);
}

static void input_segment(struct fuzz *z)
{
	struct tcp_conn *c = pick(z);
	struct tcp_hdr th = { .sport = 4000, .dport = 80 };
	uint8_t buf[2048];
	const uint8_t *data;
	struct virtio_net_hdr v = { 0 };
	size_t n, off, hdr;
	uint8_t opts;

	if (c) {
		th.sport = c->ent.t.rport ? c->ent.t.rport : (uint16_t)(4000 + next(z) % 4);
		th.dport = c->ent.t.lport ? c->ent.t.lport : 80;
		th.seq = near(z, c->rcv.nxt);
		th.ack = near(z, next(z) & 1 ? c->snd.nxt : c->snd.una);
	}
	th.flags = (uint16_t)(next(z) | (next(z) & 1) << 8);
	th.wnd = (uint16_t)(next(z) << 8 | next(z));
	th.urg = next(z);
	opts = next(z);
	th.has_ts = opts & 1;
	th.tsval = opts & 1 && c ? near(z, c->ts_recent) : 0;
	th.tsecr = opts & 1 && c ? near(z, tcp_ts_now(c, z->now)) : 0;
	th.has_mss = opts & 2;
	th.mss = opts & 2 ? (uint16_t)(next(z) << 8 | next(z)) : 0;
	th.sack_permitted = opts & 4;
	th.has_wscale = opts & 8;
	th.wscale = opts & 8 ? next(z) % 15 : 0;
	th.nsack = opts & 16 && !(opts & 2) ? 1 + next(z) % 3 : 0;
	for (unsigned i = 0; i < th.nsack; i++) {
		th.sack[i].start = near(z, c ? c->snd.una : 0);
		th.sack[i].end = th.sack[i].start + next(z) * 16u;
	}
	n = take(z, next(z) * (opts & 32 ? 5u : 1u), &data);
	off = frame_ip(buf, PROTO_TCP, tcp_options_len(&th) + TCP_LEN_MIN + n);
	hdr = tcp_emit(buf + off, &th);
	memcpy(buf + off + hdr, data, n);
	if (opts & 64) {
		v.flags = VIRTIO_NET_HDR_F_DATA_VALID;
		v.gso_type = n > 100 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_NONE;
		v.gso_size = 100;
	} else {
		tcp_set_csum(buf + off, csum_fold(csum_add(csum_pseudo(PEER, US, PROTO_TCP, hdr + n), buf + off, hdr + n)));
	}
	input_frame(z, buf, off + hdr + n, &v);
}

/* An ICMP error about a segment of ours. */
static void input_icmp(struct fuzz *z)
{
	struct tcp_conn *c = pick(z);
	struct icmp_hdr ih = { .type = next(z) % 20, .code = next(z) % 20, .rest = next32(z) };
	struct ip_hdr quoted = { .src = US, .dst = PEER, .ttl = 60, .proto = PROTO_TCP, .total_len = 1500 };
	uint8_t buf[256], body[64];
	size_t off, n;

	n = ip_emit(body, &quoted);
	memset(body + n, 0, 8);
	put_be16(body + n, c ? c->ent.t.lport : 80);
	put_be16(body + n + 2, c ? c->ent.t.rport : 80);
	put_be32(body + n + 4, near(z, c ? c->snd.una : 0));
	n += next(z) % 9;
	off = frame_ip(buf, PROTO_ICMP, ICMP_LEN + n);
	icmp_emit(buf + off, &ih, body, n);
	memcpy(buf + off + ICMP_LEN, body, n);
	input_frame(z, buf, off + ICMP_LEN + n, NULL);
}

/* Ethernet header of ours, the rest as it comes; IP checksum mended so that it gets in. */
static void input_raw(struct fuzz *z)
{
	uint8_t buf[2048];
	const uint8_t *data;
	uint8_t how = next(z);
	size_t n = take(z, next(z) * 4u, &data);
	struct eth_hdr eth = { .type = how & 1 ? ETHTYPE_ARPV4 : ETHTYPE_IPV4 };
	struct virtio_net_hdr v = { 0 };

	if (how & 2) {
		v.flags = next(z) % 4;
		v.gso_type = next(z) % 6;
		v.gso_size = next(z);
		v.csum_start = next(z);
		v.csum_offset = next(z);
	}
	if (how & 4) {
		input_frame(z, data, n, &v);
		return;
	}
	memcpy(eth.dst, mac_us, 6);
	memcpy(eth.src, mac_peer, 6);
	eth_emit(buf, &eth);
	memcpy(buf + ETH_LEN, data, n);
	if (eth.type == ETHTYPE_IPV4 && n >= IP_LEN_MIN) {
		size_t hl = (buf[ETH_LEN] & 15) * 4u;

		put_be32(buf + ETH_LEN + 12, PEER);
		put_be32(buf + ETH_LEN + 16, US);
		if (hl >= IP_LEN_MIN && hl <= n) {
			put_be16(buf + ETH_LEN + 10, 0);
			put_be16(buf + ETH_LEN + 10, csum_fold(csum_add(0, buf + ETH_LEN, hl)));
		}
	}
	input_frame(z, buf, ETH_LEN + n, &v);
}

static void replace(struct fuzz *z, unsigned i, struct tcp_conn *c)
{
	if (z->c[i])
		tcp_release(z->c[i], z->now);
	z->c[i] = c;
}

static void call(struct fuzz *z)
{
	static uint8_t buf[5000];
	uint8_t what = next(z), i = next(z) % NCONN;
	struct tcp_conn *c = z->c[i];
	struct iovec iov = { buf, (size_t)next(z) * 19 };
	uint16_t port;
	ip4 addr;
	int err;

	switch (what % 12) {
	case 0:
		c = tcp_open(z->s, z->now);
		replace(z, i, c);
		if (c)
			tcp_connect(c, PEER, (uint16_t)(4000 + next(z) % 4), &addr, &port, z->now);
		break;
	case 1:
		if (z->c[0] && tcp_state(z->c[0]) == TCP_LISTEN) {
			c = tcp_accept(z->c[0], &err, z->now);
			if (c)
				replace(z, 1 + i % (NCONN - 1), c);
		}
		break;
	case 2:
		replace(z, i, NULL);
		break;
	case 3:
		c = tcp_open(z->s, z->now);
		replace(z, 0, c);
		if (c && tcp_bind(c, 0, 80, true, &addr, &port, z->now) == 0)
			tcp_listen(c, next(z) % 8, &addr, &port, z->now);
		break;
	case 4:
		if (c)
			tcp_shutdown(c, next(z) % 3, z->now);
		break;
	case 5:
		if (c)
			tcp_disconnect(c, z->now);
		break;
	case 6:
		if (c)
			tcp_connect_result(c);
		break;
	case 7: case 8:
		if (c)
			tcp_recv(c, &iov, 1, 0, next(z) & (MSG_PEEK | MSG_OOB | MSG_TRUNC), 0, NULL, z->now);
		break;
	default:
		if (c)
			tcp_send(c, &iov, 1, 0, next(z) & 1 ? MSG_MORE : next(z) & 1 ? MSG_OOB : 0, z->now);
		break;
	}
	for (int k = 0; k < NCONN; k++)
		if (z->c[k])
			tcp_events(z->c[k]);
}

static void pass_time(struct fuzz *z)
{
	uint8_t how = next(z);
	xtime to = stack_deadline(z->s);

	if (how < 128 && to != XTIME_NEVER)
		z->now = MAX(z->now, to);
	else
		z->now += (xtime)how * how * how * XTIME_MSEC / 4;
	stack_expire(z->s, z->now);
}

static void fuzz_init(struct fuzz *z)
{
	struct stack_config cfg = { 0 };
	struct stack_iface i = { .has_link = true, .has_arp = true, .is_up = true, .can_offload = z->len & 1,
	                         .mtu = 1500, .gso_max = 65535, .oif = 1 };

	settings_default(&cfg.settings);
	memcpy(i.mac, mac_us, 6);
	z->now = XTIME_SEC;
	z->s = stack_new(&cfg, z->now);
	require(z->s, "no stack");
	stack_add_iface(z->s, &i);
	stack_add_addr(z->s, 0, US, 24, true, z->now);
	stack_seed_neigh(z->s, 0, PEER, mac_peer, true, z->now);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct fuzz z = { .p = p, .len = len };

	fuzz_init(&z);
	while (z.len) {
		switch (next(&z) % 8) {
		case 0: case 1: case 2:
			input_segment(&z);
			break;
		case 3:
			input_raw(&z);
			break;
		case 4:
			input_icmp(&z);
			break;
		case 5:
			pass_time(&z);
			break;
		default:
			call(&z);
			break;
		}
		drain(&z);
		check(&z);
	}
	for (int i = 0; i < NCONN; i++)
		replace(&z, (unsigned)i, NULL);
	stack_free(z.s);
	return 0;
}
