/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_opts.c - IP and TCP options as raw bytes, where they are parsed and where they come back.
 *
 * A program's IP_OPTIONS are refused or go out as options that a receiver takes; so do those
 * that a peer's packets bring, where they are answered in kind (a source route reversed, a record of the
 * route).  A listener and a connection get segments whose options are any bytes.
 */
#include <string.h>

#include "fuzz_rig.h"
#include "stack/wire.h"

/* What a program may set is what any host takes in. */
static void program(struct fuzz_in *in)
{
	const uint8_t *p;
	size_t len = fuzz_take(in, IP_OPT_MAX + 4, &p);
	struct ip_optset o;
	struct ip_hdr h = { .src = RIG_US, .dst = RIG_PEER, .ttl = 64, .proto = PROTO_TCP }, again;
	uint8_t packet[IP_LEN_MAX];
	size_t n;
	bool has_srr, is_ended;

	if (ip_opts_parse(p, len, &o))
		return;
	fuzz_require(o.len <= IP_OPT_MAX && o.len % 4 == 0, "length of options");
	fuzz_require(o.srr <= o.len, "a source route beyond the options");
	h.opt_len = (uint8_t)ip_opts_build(&o, h.src, h.dst, 0, h.opts);
	fuzz_require(h.opt_len == o.len, "options that change their length");
	h.total_len = (uint16_t)(IP_LEN_MIN + h.opt_len);
	n = ip_emit(packet, &h);
	fuzz_require(!ip_parse(packet, n, &again), "options that make no header");
	fuzz_require(!ip_opts_check(&again, &has_srr, &is_ended), "options that nobody takes");
	fuzz_require(has_srr == (o.srr != 0), "the source route is lost");
}

/* Option bytes of the input, padded with zeros to a multiple of four. */
static size_t options(struct fuzz_in *in, uint8_t *to)
{
	const uint8_t *p;
	size_t n = fuzz_take(in, fuzz_u8(in) % 41, &p), padded = (n + 3) & ~(size_t)3;

	memset(to, 0, padded);
	if (n)
		memcpy(to, p, n);
	return padded;
}

static size_t header(uint8_t *buf, const uint8_t *opts, size_t opt_len, size_t l4_len)
{
	struct eth_hdr eth = { .type = ETHTYPE_IPV4 };
	struct ip_hdr ip = { .src = RIG_PEER, .dst = RIG_US, .ttl = 64, .proto = PROTO_TCP, .opt_len = (uint8_t)opt_len };

	memcpy(eth.dst, rig_mac_us, 6);
	memcpy(eth.src, rig_mac_peer, 6);
	memcpy(ip.opts, opts, opt_len);
	ip.total_len = (uint16_t)(IP_LEN_MIN + opt_len + l4_len);
	eth_emit(buf, &eth);
	return ETH_LEN + ip_emit(buf + ETH_LEN, &ip);
}

/* A segment with both kinds of options as the input has them. */
static void segment(struct fuzz_rig *z)
{
	static const uint16_t flags[] = { TCPF_SYN, TCPF_SYN | TCPF_ACK, TCPF_ACK, TCPF_ACK | TCPF_FIN,
	                                  TCPF_RST, TCPF_SYN | TCPF_ECE | TCPF_CWR, TCPF_ACK | TCPF_ECE, TCPF_RST | TCPF_ACK };
	struct fuzz_in *in = &z->in;
	struct rig_view w = { 0 };
	bool has_view = rig_view_any(z, &w);
	uint8_t ip_opts[IP_OPT_MAX], tcp_opts[IP_OPT_MAX], buf[512];
	struct tcp_hdr th = { .sport = 4000, .dport = RIG_PORT, .wnd = 20000 };
	uint8_t how = fuzz_u8(in);
	size_t ip_len = options(in, ip_opts), tcp_len = options(in, tcp_opts), off, l4, data = how >> 3;

	th.flags = flags[how % ARRAY_LEN(flags)];
	if (has_view) {
		th.sport = w.rport ? w.rport : (uint16_t)(4000 + fuzz_u8(in) % 4);
		th.dport = w.lport ? w.lport : RIG_PORT;
		th.seq = rig_near(in, w.rcv_nxt);
		th.ack = rig_near(in, w.snd_nxt);
	}
	l4 = TCP_LEN_MIN + tcp_len + data;
	off = header(buf, ip_opts, ip_len, l4);
	tcp_emit(buf + off, &th);
	buf[off + 12] = (uint8_t)((TCP_LEN_MIN + tcp_len) / 4 << 4);
	memcpy(buf + off + TCP_LEN_MIN, tcp_opts, tcp_len);
	memset(buf + off + TCP_LEN_MIN + tcp_len, 0, data);
	tcp_set_csum(buf + off, csum_fold(csum_add(csum_pseudo(RIG_PEER, RIG_US, PROTO_TCP, l4), buf + off, l4)));
	rig_frame(z, buf, off + l4, NULL);
}

/* What a program sets and gets. */
static void set(struct fuzz_rig *z)
{
	struct tcp_conn *c = z->c[fuzz_u8(&z->in) % RIG_NCONN];
	uint8_t val[IP_OPT_MAX];
	const uint8_t *p;
	size_t n = fuzz_take(&z->in, fuzz_u8(&z->in) % 41, &p);
	socklen_t len = sizeof(val);

	if (!c)
		return;
	tcp_setopt(c, IPPROTO_IP, IP_OPTIONS, n ? p : (const uint8_t *)"", (socklen_t)n, false, z->now);
	tcp_getopt(c, IPPROTO_IP, IP_OPTIONS, val, &len, z->now);
	fuzz_require(len <= sizeof(val), "options longer than their room");
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct fuzz_rig z = { .in = { p, len } };
	uint16_t port;
	ip4 addr;

	if (fuzz_u8(&z.in) % 8 == 0) {
		program(&z.in);
		return 0;
	}
	rig_init(&z, NULL, false);
	z.c[0] = tcp_open(z.s, z.now);
	z.c[1] = tcp_open(z.s, z.now);
	fuzz_require(z.c[0] && tcp_bind(z.c[0], 0, RIG_PORT, true, &addr, &port, z.now) == 0 &&
	             tcp_listen(z.c[0], 4, &addr, &port, z.now) == 0, "not listening");
	fuzz_require(z.c[1] && tcp_connect(z.c[1], RIG_PEER, 4000, &addr, &port, z.now) == 0, "not connecting");
	rig_settle(&z);
	while (z.in.len) {
		uint8_t what = fuzz_u8(&z.in) % 8;

		if (what < 5)
			segment(&z);
		else if (what == 5)
			set(&z);
		else if (what == 6)
			rig_step_time(&z);
		else
			rig_step_call(&z);
		rig_settle(&z);
	}
	rig_fini(&z);
	return 0;
}
