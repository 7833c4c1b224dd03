/* SPDX-License-Identifier: BSD-2-Clause */
/* test_loopback.c - a stack with a loopback interface: what it sends to itself. */
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "stack/stack.h"
#include "stack/tcp_impl.h"

#define US 0x0a000001u
#define PEER 0x0a000002u
#define LO 0x7f000001u
#define LO5 0x7f000005u

struct box {
	struct stack *s;
	int lo;
	xtime now;
	unsigned inside, outside;      /* frames */
	uint8_t bytes[70000];
};

static int set_up(void **state)
{
	struct stack_iface wire = { .is_up = true, .mtu = 1500, .oif = 2, .name = "eth0" };
	struct stack_iface lo = { .is_up = true, .mtu = 65536, .gso_max = 65536, .oif = 1, .name = "lo",
	                          .can_offload = true, .is_loopback = true };
	struct stack_config cfg = { .secret = { 7 } };
	struct box *b = calloc(1, sizeof(*b));

	settings_default(&cfg.settings);
	b->now = XTIME_SEC;
	b->s = stack_new(&cfg, b->now);
	assert_int_equal(stack_add_iface(b->s, &wire), 0);
	b->lo = stack_add_iface(b->s, &lo);
	assert_int_equal(b->lo, 1);
	assert_int_equal(stack_add_iface(b->s, &lo), -EINVAL);
	assert_int_equal(stack_add_addr(b->s, 0, US, 24, false, b->now), 0);
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct box *b = *state;

	stack_free(b->s);
	free(b);
	return 0;
}

/* All that leaves; what is for the stack itself comes back, as the engine does it. */
static void run(struct box *b)
{
	struct frame_out f;
	struct frame_in in;

	while (stack_output(b->s, &f, b->now)) {
		if (f.iface != b->lo) {
			b->outside++;
			continue;
		}
		b->inside++;
		memcpy(b->bytes, f.hdr, f.hdr_len);
		in.len = f.hdr_len;
		for (int i = 0; i < f.payload_cnt; in.len += f.payload[i++].iov_len)
			memcpy(b->bytes + in.len, f.payload[i].iov_base, f.payload[i].iov_len);
		in.data = b->bytes;
		in.vnet = f.vnet;
		stack_input(b->s, b->lo, &in, b->now += XTIME_USEC);
	}
}

static struct tcp_conn *bound(struct box *b, ip4 addr, uint16_t port)
{
	struct tcp_conn *c = tcp_open(b->s, b->now);
	uint16_t want_port;
	ip4 want;
	int r = tcp_bind(c, addr, port, false, &want, &want_port, b->now);

	if (r == -EAGAIN) {
		stack_claimed(b->s, want, want_port, true);
		r = tcp_bind(c, addr, port, false, &want, &want_port, b->now);
	}
	assert_int_equal(r, 0);
	return c;
}

static struct tcp_conn *listener(struct box *b, ip4 addr, uint16_t port)
{
	struct tcp_conn *c = bound(b, addr, port);
	uint16_t want_port;
	ip4 want;

	assert_int_equal(tcp_listen(c, 5, &want, &want_port, b->now), 0);
	return c;
}

/* No claim is asked for. */
static int dial(struct box *b, struct tcp_conn *c, ip4 addr, uint16_t port)
{
	uint16_t want_port;
	ip4 want;
	int r = tcp_connect(c, addr, port, &want, &want_port, b->now);

	run(b);
	return r ? r : tcp_connect_result(c);
}

static void end(struct box *b, struct tcp_conn *c)
{
	tcp_release(c, b->now);
	run(b);
}

static void check_name(const struct tcp_conn *c, ip4 local, ip4 peer)
{
	uint16_t port;
	ip4 addr;

	tcp_sockname(c, &addr, &port);
	assert_int_equal(addr, local);
	assert_int_equal(tcp_peername(c, &addr, &port), 0);
	assert_int_equal(addr, peer);
}

/* ---- connections ---- */

static void pass(struct box *b, ip4 listens, ip4 to, ip4 from)
{
	struct tcp_conn *l = listener(b, listens, 4000), *c = tcp_open(b->s, b->now), *a;
	char text[] = "over the loopback", got[32];
	struct iovec iov = { text, sizeof(text) };
	int err;

	assert_int_equal(dial(b, c, to, 4000), 0);
	a = tcp_accept(l, &err, b->now);
	assert_non_null(a);
	check_name(c, from, to ? to : from);
	check_name(a, to ? to : from, from);
	assert_int_equal(tcp_send(c, &iov, 1, 0, 0, b->now), sizeof(text));
	run(b);
	iov = (struct iovec){ got, sizeof(got) };
	assert_int_equal(tcp_recv(a, &iov, 1, 0, 0, 0, NULL, b->now), sizeof(text));
	assert_string_equal(got, text);
	end(b, a);
	end(b, c);
	end(b, l);
	assert_int_equal(b->outside, 0);
	assert_true(b->inside >= 7);
}

static void connect_to_127_comes_from_127_0_0_1(void **state)
{
	pass(*state, 0, LO, LO);
}

static void connect_to_another_of_127_comes_from_127_0_0_1(void **state)
{
	pass(*state, LO5, LO5, LO);
}

static void connect_to_own_address_comes_from_it(void **state)
{
	pass(*state, 0, US, US);
}

static void connect_to_no_address_is_127_0_0_1(void **state)
{
	pass(*state, 0, 0, LO);
}

static void connect_nobody_listens_is_refused_at_once(void **state)
{
	struct box *b = *state;
	struct tcp_conn *c = tcp_open(b->s, b->now);

	assert_int_equal(dial(b, c, LO, 4000), -ECONNREFUSED);
	assert_int_equal(b->inside, 2);
	end(b, c);
}

static void connect_to_own_port_is_a_simultaneous_open(void **state)
{
	struct box *b = *state;
	struct tcp_conn *c = bound(b, LO, 4000);
	char text[] = "me", got[8];
	struct iovec iov = { text, sizeof(text) };

	assert_int_equal(dial(b, c, LO, 4000), 0);
	check_name(c, LO, LO);
	assert_int_equal(tcp_send(c, &iov, 1, 0, 0, b->now), sizeof(text));
	run(b);
	iov = (struct iovec){ got, sizeof(got) };
	assert_int_equal(tcp_recv(c, &iov, 1, 0, 0, 0, NULL, b->now), sizeof(text));
	end(b, c);
}

/* Observed over Linux's lo: 65,535 bytes of IP, 40 of headers, 12 of timestamps. */
static void segments_are_as_large_as_an_ip_packet(void **state)
{
	struct box *b = *state;
	struct tcp_conn *l = listener(b, LO, 4000), *c = tcp_open(b->s, b->now);
	struct tcp_info info;
	socklen_t len = sizeof(info);

	assert_int_equal(dial(b, c, LO, 4000), 0);
	assert_int_equal(tcp_getopt(c, IPPROTO_TCP, TCP_INFO, &info, &len, b->now), 0);
	assert_int_equal(info.tcpi_snd_mss, 32741);   /* half of the first window */
	assert_int_equal(info.tcpi_advmss, 65483);
	assert_int_equal(info.tcpi_pmtu, 65535);
	end(b, c);
	end(b, l);
}

static void bulk_arrives_whole(void **state)
{
	struct box *b = *state;
	struct tcp_conn *l = listener(b, LO, 4000), *c = tcp_open(b->s, b->now), *a;
	static uint8_t out[1 << 20], in[sizeof(out)];
	size_t sent = 0, got = 0;
	int err;

	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 2654435761u >> 24);
	assert_int_equal(dial(b, c, LO, 4000), 0);
	a = tcp_accept(l, &err, b->now);
	for (int turn = 0; turn < 10000 && got < sizeof(out); turn++) {
		struct iovec to = { out + sent, sizeof(out) - sent }, from = { in + got, sizeof(in) - got };
		ssize_t n = sent < sizeof(out) ? tcp_send(c, &to, 1, 0, 0, b->now) : 0;

		sent += n > 0 ? (size_t)n : 0;
		run(b);
		n = tcp_recv(a, &from, 1, 0, 0, 0, NULL, b->now);
		got += n > 0 ? (size_t)n : 0;
		run(b);
		if (stack_deadline(b->s) <= b->now)
			stack_expire(b->s, b->now);
	}
	assert_int_equal(got, sizeof(out));
	assert_memory_equal(in, out, sizeof(out));
	assert_int_equal(stack_counters(b->s)[CTR_TcpRetransSegs], 0);
	end(b, a);
	end(b, c);
	end(b, l);
}

/* ---- what goes where ---- */

static void bound_to_127_reaches_nobody_else(void **state)
{
	struct box *b = *state;
	struct tcp_conn *c = bound(b, LO, 4000);

	assert_int_equal(dial(b, c, PEER, 80), -EINVAL);
	end(b, c);
}

static void broadcast_of_127_is_no_address(void **state)
{
	struct box *b = *state;
	struct tcp_conn *c = tcp_open(b->s, b->now);

	assert_int_equal(dial(b, c, 0x7fffffff, 80), -ENETUNREACH);
	end(b, c);
}

/* A SYN from src to dst:4000 that came in by the wire. */
static void wire_syn(struct box *b, ip4 src, ip4 dst)
{
	struct ip_hdr ip = { .src = src, .dst = dst, .ttl = 64, .proto = PROTO_TCP, .hdr_len = 20, .total_len = 40 };
	struct tcp_hdr th = { .sport = 999, .dport = 4000, .seq = 1, .flags = TCPF_SYN, .wnd = 1000 };
	uint8_t p[128];
	struct frame_in f = { .data = p, .len = 40 };

	ip_emit(p, &ip);
	tcp_emit(p + 20, &th);
	f.vnet.flags = VIRTIO_NET_HDR_F_DATA_VALID;
	stack_input(b->s, 0, &f, b->now);
	run(b);
}

static void wire_frames_of_127_are_dropped(void **state)
{
	struct box *b = *state;
	struct tcp_conn *l = listener(b, 0, 4000);
	const uint64_t *n = stack_counters(b->s);

	wire_syn(b, PEER, LO);
	assert_int_equal(n[CTR_ip_not_for_us], 1);
	wire_syn(b, LO, US);
	wire_syn(b, US, US);
	assert_int_equal(n[CTR_ip_src_bad], 2);
	assert_int_equal(b->inside + b->outside, 0);
	wire_syn(b, PEER, US);
	assert_int_equal(b->outside, 1);
	end(b, l);
}

static void answers_for_ports_that_were_bound(void **state)
{
	struct box *b = *state;
	struct tcp_conn *l = listener(b, LO, 4000), *any = listener(b, 0, 4001), *c = tcp_open(b->s, b->now);
	uint16_t port;
	ip4 addr;

	assert_int_equal(dial(b, c, LO, 4000), 0);
	tcp_sockname(c, &addr, &port);
	assert_true(stack_answers(b->s, LO, 4000));
	assert_false(stack_answers(b->s, LO5, 4000));
	assert_true(stack_answers(b->s, US, 4001));
	assert_false(stack_answers(b->s, LO, port));
	assert_false(stack_answers(b->s, LO, 4002));
	end(b, c);
	end(b, l);
	end(b, any);
	assert_false(stack_answers(b->s, LO, 4000));
}

static void without_it_127_is_no_address(void **state)
{
	struct stack_config cfg = { .secret = { 7 } };
	struct tcp_conn *c;
	uint16_t port;
	ip4 addr;

	(void)state;
	settings_default(&cfg.settings);
	cfg.settings.ip_local_port_min = 32768;
	struct stack *s = stack_new(&cfg, 0);

	assert_false(stack_is_local(s, LO));
	c = tcp_open(s, 0);
	assert_int_equal(tcp_bind(c, LO, 4000, false, &addr, &port, 0), -EADDRNOTAVAIL);
	stack_free(s);
}

#define boxed(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		boxed(connect_to_127_comes_from_127_0_0_1),
		boxed(connect_to_another_of_127_comes_from_127_0_0_1),
		boxed(connect_to_own_address_comes_from_it),
		boxed(connect_to_no_address_is_127_0_0_1),
		boxed(connect_nobody_listens_is_refused_at_once),
		boxed(connect_to_own_port_is_a_simultaneous_open),
		boxed(segments_are_as_large_as_an_ip_packet),
		boxed(bulk_arrives_whole),
		boxed(bound_to_127_reaches_nobody_else),
		boxed(broadcast_of_127_is_no_address),
		boxed(wire_frames_of_127_are_dropped),
		boxed(answers_for_ports_that_were_bound),
		cmocka_unit_test(without_it_127_is_no_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
