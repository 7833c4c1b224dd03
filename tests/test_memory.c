/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_memory.c - what a peer or a network can make us keep is bounded.
 *
 * The program is linked with malloc() and its like wrapped: `live` is what the core and the
 * harness hold.  Each test says the bound, and that it is reached.
 */
#include "harness.h"

#include <malloc.h>

#include "sim.h"
#include "stack/ctlq.h"
#include "stack/wire.h"

#define KB 1024u
#define MB (1024u * KB)

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void __wrap_free(void *p);

static size_t live;

void *__wrap_malloc(size_t n)
{
	void *p = __real_malloc(n);

	live += malloc_usable_size(p);
	return p;
}

void *__wrap_calloc(size_t n, size_t size)
{
	void *p = __real_calloc(n, size);

	live += malloc_usable_size(p);
	return p;
}

void *__wrap_realloc(void *p, size_t n)
{
	size_t old = malloc_usable_size(p);
	void *q = __real_realloc(p, n);

	if (q)
		live += malloc_usable_size(q) - old;
	return q;
}

void __wrap_free(void *p)
{
	live -= malloc_usable_size(p);
	__real_free(p);
}

/* ---- a socket ---- */

/* Every second byte of the window, one a packet: the worst that reassembly can be given. */
static void receive_single_bytes_with_holes_keeps_the_window_and_32_kb(void **state)
{
	struct rig *t = *state;
	size_t before;
	uint32_t window;

	establish(t, NULL);
	forget(t);
	before = live;
	window = tcp_receive_window(t->c);
	for (uint32_t at = 3; at < window; at += 2) {
		inject(t, ". %u:%u ack 1", at, at + 1);
		forget(t);
	}
	assert_int_equal(tcp_ofo(t->c)->ranges.n, TCP_OFO_MAX);
	assert_in_range(live - before, 2 * TCP_OFO_MAX, 64 * KB + TCP_OFO_MAX * sizeof(struct range) + KB);
}

/* A program that doesn't read, and a peer that sends byte by byte. */
static void receive_single_bytes_in_order_keeps_the_window(void **state)
{
	struct rig *t = *state;
	size_t before;
	uint32_t at = 1;

	establish(t, NULL);
	forget(t);
	before = live;
	while (tcp_receive_window(t->c) && at < 200 * KB) {
		inject(t, ". %u:%u ack 1", at, at + 1);
		forget(t);
		at++;
	}
	assert_in_range(at, 32 * KB, 128 * KB);
	assert_in_range(live - before, 32 * KB, 128 * KB + KB);
}

/* Writes of a byte each, that are never acknowledged but in SACKs of a byte each. */
static void send_single_bytes_sacked_keeps_twice_the_buffer(void **state)
{
	struct rig *t = *state;
	int on = 1, sndbuf = 200 * KB;
	size_t before;
	uint32_t n = 0;

	establish(t, NULL);
	assert_int_equal(tcp_setopt(t->c, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf), false, t->now), 0);
	assert_int_equal(tcp_setopt(t->c, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on), false, t->now), 0);
	forget(t);
	before = live;
	while (n < 1000 * KB && try_put(t, 1, 0) == 1) {
		n++;
		forget(t);
	}
	assert_in_range(n, 100, 1000 * KB - 1);
	for (uint32_t at = 2; at < n; at += 2) {
		inject(t, ". 1 ack 1 sack %u:%u", at, at + 1);
		forget(t);
	}
	assert_in_range(live - before, n, 2 * t->c->opt.sndbuf);
}

/* A large write, SACKed in all ways. */
static void send_much_sacked_in_pieces_keeps_twice_the_buffer(void **state)
{
	struct rig *t = *state;
	int sndbuf = 1024 * KB;
	size_t before;
	uint32_t x = 1;

	establish(t, NULL);
	assert_int_equal(tcp_setopt(t->c, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf), false, t->now), 0);
	t->c->cc.cwnd = 10000;
	t->c->snd.wnd = t->c->snd.max_wnd = 4096 * KB;
	forget(t);
	before = live;
	assert_true(try_put(t, 1024 * KB, 0) > 0);
	forget(t);
	for (unsigned i = 0; i < 20000; i++) {
		uint32_t at = (x = x * 1664525u + 1013904223u) % (t->c->snd.nxt - t->c->snd.una - 3000u) + 1;

		inject(t, ". 1 ack 1 sack %u:%u", at, at + 1 + (x >> 9) % 3000u);
		forget(t);
	}
	assert_in_range(live - before, t->c->snd.q.len, 2 * t->c->opt.sndbuf);
}

/* ---- the stack ---- */

/* A packet from `src` with l4_len bytes of payload. */
static void packet_from(struct rig *t, ip4 src, uint8_t proto, uint16_t id, bool has_more, const uint8_t *l4,
                        size_t l4_len)
{
	uint8_t buf[2048];
	struct ip_hdr ip = { .src = src, .dst = US, .ttl = 64, .proto = proto, .id = id, .has_more = has_more,
	                     .total_len = (uint16_t)(IP_LEN_MIN + l4_len) };
	struct frame_in f = { .data = buf };
	size_t n = ip_emit(buf, &ip);

	memcpy(buf + n, l4, l4_len);
	f.len = n + l4_len;
	stack_input(t->s, t->iface, &f, t->now);
}

static void fragments_keep_ipfrag_high_thresh_and_ten_percent(void **state)
{
	struct rig *t = *state;
	static const uint8_t payload[1400];
	size_t before = live, bound = (size_t)t->s->set.ipfrag_high_thresh;

	for (uint32_t i = 0; i < 100000; i++)
		packet_from(t, PEER + i % 200, PROTO_TCP, (uint16_t)(i / 200), true, payload, i % 3 ? 8 : sizeof(payload));
	assert_in_range(live - before, bound / 2, bound + bound / 10);
	assert_true(counted(t, CTR_ip_frag_limit) > 0);
	advance(t, (t->s->set.ipfrag_time + 1) * XTIME_SEC);
	forget(t);
	assert_in_range(live - before, 0, 256 * KB);   /* the heap of timers, some answers */
}

/* Nobody takes our answers out: echo replies, resets, errors. */
static void answers_that_cannot_leave_keep_nothing(void **state)
{
	struct rig *t = *state;
	uint8_t echo[1000] = { 0 }, seg[TCP_LEN_MAX];
	struct icmp_hdr ih = { .type = ICMP_ECHO };
	struct tcp_hdr th = { .sport = 1, .flags = TCPF_ACK };
	size_t before, n;

	icmp_emit(echo, &ih, echo + ICMP_LEN, sizeof(echo) - ICMP_LEN);
	packet_from(t, PEER, PROTO_ICMP, 0, false, echo, sizeof(echo));
	before = live;
	for (uint32_t i = 0; i < 20000; i++) {
		packet_from(t, PEER, PROTO_ICMP, 0, false, echo, sizeof(echo));
		packet_from(t, PEER + i, PROTO_UDP, 0, false, echo, 8);
		th.dport = (uint16_t)i;
		n = tcp_emit(seg, &th);
		tcp_set_csum(seg, csum_fold(csum_add(csum_pseudo(PEER, US, PROTO_TCP, n), seg, n)));
		packet_from(t, PEER, PROTO_TCP, 0, false, seg, n);
	}
	assert_int_equal(live, before);
	assert_true(counted(t, CTR_ip_out_full) > 0);
}

/* Requests from everybody on the link, and answers that nobody asked for. */
static void neighbours_keep_a_table_of_1024(void **state)
{
	struct rig *t = *state;
	struct arp_pkt a = { .op = ARP_REQUEST, .sender_mac = { 2, 9 }, .target_ip = US };
	struct eth_hdr eth = { .type = ETHTYPE_ARPV4 };
	uint8_t buf[ETH_LEN + ARP_LEN];
	struct frame_in f = { .data = buf, .len = sizeof(buf) };
	size_t before;

	assert_int_equal(stack_add_addr(t->s, t->iface, IP(11, 0, 0, 1), 8, true, t->now), 0);
	a.target_ip = IP(11, 0, 0, 1);
	before = live;
	memset(eth.dst, 255, sizeof(eth.dst));
	memcpy(eth.src, a.sender_mac, sizeof(eth.src));
	for (uint32_t i = 2; i < 100000; i++) {
		a.sender_ip = IP(11, 0, 0, 0) + i;
		eth_emit(buf, &eth);
		arp_emit(buf + ETH_LEN, &a);
		stack_input(t->s, t->iface, &f, t->now);
	}
	assert_in_range(t->s->neighs.n, 100, 1024);
	assert_in_range(live - before, 1, 1024 * (sizeof(struct neigh) + 64) + 128 * KB);
}

/* ---- a stack (tcp_mem) ---- */

#define FLOWS 64
#define HIGH 512u          /* pages: 2 MB */
#define FORCED 4u          /* KB: a segment in order that finds an empty queue is always taken */

/* FLOWS connections from A to B, of `bytes` each; tcp_mem is set in one of the two. */
static void flows_open(struct sim *m, struct sim_flow *f, int where, const char *mem, uint64_t bytes)
{
	sim_init(m, 11, false, "cubic");
	for (int i = 0; i < 2; i++)
		m->link[i] = (struct sim_link){ .rate = UINT64_C(1000000000), .delay = XTIME_MSEC, .queue = 4000000 };
	assert_int_equal(stack_set(m->s[where], "net.ipv4.tcp_mem", mem), 0);
	for (unsigned i = 0; i < FLOWS; i++)
		sim_flow_open(m, &f[i], (uint16_t)(80 + i), bytes, 0);
}

/* The programs of B read a byte, and then nothing more. */
static void flows_stall(struct sim_flow *f)
{
	for (unsigned i = 0; i < FLOWS; i++) {
		f[i].read_chunk = 1;
		f[i].read_pause = XTIME_SEC * 100000;
	}
}

static void flows_go_on(struct sim_flow *f)
{
	for (unsigned i = 0; i < FLOWS; i++) {
		f[i].read_chunk = 65536;
		f[i].read_pause = f[i].read_at[0] = f[i].read_at[1] = 0;
	}
}

/* What the rings of a stack take. */
static size_t rings(const struct stack *s)
{
	size_t sum = 0;

	for (const struct list *l = s->conns.next; l != &s->conns; l = l->next) {
		const struct tcp_conn *c = container_of(l, struct tcp_conn, all_link);

		sum += c->rcv.q.cap + c->snd.q.cap;
	}
	return sum;
}

static void flows_finish(struct sim *m, struct sim_flow *f)
{
	flows_go_on(f);
	assert_true(sim_run(m, f, FLOWS, 3000 * XTIME_SEC));
	for (unsigned i = 0; i < FLOWS; i++) {
		assert_false(f[i].is_wrong);
		assert_int_equal(f[i].err[0] | f[i].err[1], 0);
		assert_true(f[i].got[1] == f[i].total[0]);
	}
}

static uint64_t told(const struct sim *m, int i, enum counter c)
{
	return stack_counters(m->s[i])[c];
}

static void receivers_that_do_not_read_keep_tcp_mem(void **state)
{
	static struct sim_flow f[FLOWS];
	struct sim m;

	(void)state;
	flows_open(&m, f, 1, "256 384 512", MB / 2);
	flows_stall(f);
	for (unsigned i = 0; i < 100; i++) {
		sim_run(&m, f, FLOWS, 100 * XTIME_MSEC);
		assert_in_range(rings(m.s[1]), 0, HIGH * 4 * KB + FLOWS * FORCED * KB);
		assert_in_range(m.s[1]->mem_pages, 0, HIGH + FLOWS * FORCED / 4);
	}
	assert_true(m.s[1]->mem_pages > 256);   /* the bound is what holds them */
	assert_int_equal(told(&m, 1, CTR_TcpExtTCPMemoryPressures), 1);
	assert_true(told(&m, 1, CTR_TcpExtPruneCalled) > 0);
	assert_true(told(&m, 1, CTR_TcpExtTCPRcvQDrop) + told(&m, 1, CTR_TcpExtTCPOFODrop) > 0);
	flows_finish(&m, f);
	assert_false(tcp_mem_is_short(m.s[1]));
	assert_true(told(&m, 1, CTR_TcpExtTCPMemoryPressuresChrono) > 1000);
	sim_fini(&m);
}

static void senders_keep_tcp_mem(void **state)
{
	static struct sim_flow f[FLOWS];
	struct sim m;

	(void)state;
	flows_open(&m, f, 0, "256 384 512", MB / 2);
	flows_stall(f);
	for (unsigned i = 0; i < 100; i++) {
		sim_run(&m, f, FLOWS, 100 * XTIME_MSEC);
		assert_in_range(rings(m.s[0]), 0, HIGH * 4 * KB + FLOWS * 4 * KB);
	}
	assert_true(m.s[0]->mem_pages > 256);
	assert_true(told(&m, 0, CTR_TcpExtTCPMemoryPressures) > 0);
	flows_finish(&m, f);
	sim_fini(&m);
}

/* tcp_out_of_memory() */
static void orphan_beyond_tcp_mem_is_reset(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	put(t, 20000);
	forget(t);
	assert_int_equal(stack_set(t->s, "net.ipv4.tcp_mem", "1 1 2"), 0);
	hang_up(t);
	expect(t, "R. 14481 ack 1");
	expect_nothing(t);
	assert_int_equal(counted(t, CTR_TcpExtTCPAbortOnMemory), 1);
}

/* Every page that was charged is given back. */
static void memory_of_a_stack_is_charged_and_given_back(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, ". 1:1449 ack 1");
	assert_int_equal(t->s->mem_pages, 1);
	put(t, 10000);
	forget(t);
	assert_int_equal(t->s->mem_pages, 5);   /* rings of 2 and of 16 KB */
	take(t, 1448);
	assert_int_equal(t->s->mem_pages, 4);
	inject(t, ". 1449 ack 10001");
	assert_int_equal(t->s->mem_pages, 0);
	forget(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		own(receive_single_bytes_with_holes_keeps_the_window_and_32_kb),
		own(receive_single_bytes_in_order_keeps_the_window),
		own(send_single_bytes_sacked_keeps_twice_the_buffer),
		offload(send_much_sacked_in_pieces_keeps_twice_the_buffer),
		raw(fragments_keep_ipfrag_high_thresh_and_ten_percent),
		raw(answers_that_cannot_leave_keep_nothing),
		own(neighbours_keep_a_table_of_1024),
		own(memory_of_a_stack_is_charged_and_given_back),
		own(orphan_beyond_tcp_mem_is_reset),
		cmocka_unit_test(receivers_that_do_not_read_keep_tcp_mem),
		cmocka_unit_test(senders_keep_tcp_mem),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
