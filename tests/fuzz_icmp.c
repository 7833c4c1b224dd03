/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_icmp.c - ICMP of every type, with packets quoted that live connections sent or didn't.
 *
 * A client in SYN-SENT, a listener, an established connection with data in flight: the input
 * changes the message, the quoted IP header with its options and the quoted segment, cuts it
 * short, sends it in fragments, and lets time pass.  No error may end an established
 * connection (RFC 5927 6), whatever it quotes.
 */
#include <string.h>

#include "fuzz_rig.h"
#include "stack/wire.h"

static const uint8_t types[] = { ICMP_UNREACH, ICMP_UNREACH, ICMP_TIME_EXCEEDED, ICMP_PARAM_PROBLEM, ICMP_QUENCH,
                                 ICMP_REDIRECT, ICMP_ECHO, ICMP_ECHO_REPLY, 13, 17 };

/* The quoted packet at out (128 bytes): its length. */
static size_t quote(struct fuzz_rig *z, uint8_t *out)
{
	struct fuzz_in *in = &z->in;
	struct rig_view w = { 0 };
	struct ip_hdr h = { .src = RIG_US, .dst = RIG_PEER, .ttl = 60, .proto = PROTO_TCP, .total_len = 1500 };
	struct tcp_hdr th = { .flags = TCPF_ACK };
	uint8_t how = fuzz_u8(in), buf[TCP_LEN_MAX];
	size_t n, seg, cut;

	rig_view_any(z, &w);
	if (how & 1) {
		h.opt_len = (uint8_t)(fuzz_u8(in) % 11 * 4);
		memset(h.opts, fuzz_u8(in), h.opt_len);
	}
	if (how & 2)
		h.total_len = fuzz_u16(in);
	if (how & 4)
		h.frag_off = (uint16_t)(fuzz_u8(in) * 8);
	if (how & 8)
		h.proto = fuzz_u8(in);
	if (how & 16)
		h.src += fuzz_u8(in);
	th.sport = w.lport;
	th.dport = w.rport;
	th.seq = rig_near(in, w.snd_una);
	n = ip_emit(out, &h);
	seg = tcp_emit(buf, &th);
	memcpy(out + n, buf, seg);
	n += seg;
	if (how & 32)
		out[fuzz_u8(in) % n] ^= fuzz_u8(in);
	cut = how & 64 ? fuzz_u8(in) : n;
	return MIN(n, cut);
}

static void message(struct fuzz_rig *z, bool in_fragments)
{
	struct fuzz_in *in = &z->in;
	struct icmp_hdr ih = { 0 };
	uint8_t buf[512], body[128], msg[ICMP_LEN + sizeof(body)];
	struct ip_hdr ip = { .src = RIG_PEER, .dst = RIG_US, .ttl = 64, .proto = PROTO_ICMP, .id = fuzz_u8(in) };
	size_t n, len, off, cut;

	ih.type = types[fuzz_u8(in) % ARRAY_LEN(types)];
	ih.code = fuzz_u8(in) % 18;
	ih.rest = fuzz_u8(in) & 1 ? fuzz_u32(in) : fuzz_u16(in);
	n = quote(z, body);
	icmp_emit(msg, &ih, body, n);
	memcpy(msg + ICMP_LEN, body, n);
	len = ICMP_LEN + n;
	if (!in_fragments) {
		off = rig_emit_ip(buf, PROTO_ICMP, len);
		memcpy(buf + off, msg, len);
		rig_frame(z, buf, off + len, NULL);
		return;
	}
	cut = (fuzz_u8(in) % 16 + 1u) * 8u;
	cut = MIN(len & ~(size_t)7, cut);
	for (int part = 0; part < 2; part++) {
		size_t from = part ? cut : 0, to = part ? len : cut;

		ip.has_more = !part;
		ip.frag_off = (uint16_t)(from + (part ? fuzz_u8(in) % 3u * 8u : 0));
		ip.total_len = (uint16_t)(IP_LEN_MIN + to - from);
		rig_emit_ip(buf, PROTO_ICMP, to - from);
		off = ETH_LEN + ip_emit(buf + ETH_LEN, &ip);
		memcpy(buf + off, msg + from, to - from);
		rig_frame(z, buf, off + to - from, NULL);
	}
}

static void write_to(struct fuzz_rig *z, struct tcp_conn *c)
{
	static uint8_t buf[8000];
	struct iovec iov = { buf, sizeof(buf) };

	tcp_send(c, &iov, 1, 0, 0, z->now);
	rig_settle(z);
}

/* Everything that the peer received. */
static void acknowledge(struct fuzz_rig *z, const struct tcp_conn *c)
{
	struct tcp_hdr th = { .sport = c->ent.t.rport, .dport = c->ent.t.lport, .seq = c->rcv.nxt, .ack = c->snd.nxt,
	                      .flags = TCPF_ACK, .wnd = 30000 };

	if (tcp_state(c) == TCP_SYN_SENT)
		return;
	rig_segment(z, &th, NULL, 0);
	rig_settle(z);
}

static void set_up(struct fuzz_rig *z)
{
	struct tcp_hdr syn_ack = { .sport = 4001, .flags = TCPF_SYN | TCPF_ACK, .seq = 1000, .wnd = 30000, .has_mss = true,
	                           .mss = 1460 };
	uint8_t how = fuzz_u8(&z->in);
	int32_t disc = how >> 2 & 3, recverr = how >> 4 & 1;
	uint16_t port;
	ip4 addr;

	rig_init(z, NULL, how & 1);
	for (int i = 0; i < 3; i++) {
		z->c[i] = tcp_open(z->s, z->now);
		fuzz_require(z->c[i], "no socket");
		tcp_setopt(z->c[i], IPPROTO_IP, IP_MTU_DISCOVER, &disc, sizeof(disc), false, z->now);
		tcp_setopt(z->c[i], IPPROTO_IP, IP_RECVERR, &recverr, sizeof(recverr), false, z->now);
	}
	fuzz_require(tcp_bind(z->c[0], 0, RIG_PORT, true, &addr, &port, z->now) == 0 &&
	             tcp_listen(z->c[0], 4, &addr, &port, z->now) == 0, "not listening");
	fuzz_require(tcp_connect(z->c[1], RIG_PEER, 4001, &addr, &port, z->now) == 0, "not connecting");
	rig_settle(z);
	syn_ack.dport = z->c[1]->ent.t.lport;
	syn_ack.ack = z->c[1]->snd.nxt;
	rig_segment(z, &syn_ack, NULL, 0);
	rig_settle(z);
	fuzz_require(tcp_state(z->c[1]) == TCP_ESTABLISHED, "not established");
	tcp_connect_result(z->c[1]);
	fuzz_require(tcp_connect(z->c[2], RIG_PEER, 4002, &addr, &port, z->now) == 0, "not connecting");
	write_to(z, z->c[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct fuzz_rig z = { .in = { p, len } };
	bool has_time_passed = false;

	set_up(&z);
	while (z.in.len) {
		uint8_t what = fuzz_u8(&z.in) % 8;

		if (what < 5) {
			message(&z, what == 4);
		} else if (what == 5) {
			rig_step_time(&z);
			has_time_passed = true;
		} else if (what == 6) {
			write_to(&z, z.c[1]);
		} else {
			acknowledge(&z, z.c[1]);
		}
		rig_settle(&z);
		fuzz_require(has_time_passed || (tcp_state(z.c[1]) == TCP_ESTABLISHED && tcp_state(z.c[0]) == TCP_LISTEN),
		             "an ICMP message ended a connection");
	}
	rig_fini(&z);
	return 0;
}
