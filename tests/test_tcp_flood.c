/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_tcp_flood.c - a million SYNs from spoofed addresses, 100,000 a second, while a
 * connection sends through the same stack (sim.h).  What the flood may cost is counted:
 *
 *   memory    no more than the SYN queue's bound, however many SYNs come
 *   frames    one answer a SYN, and the queue's retransmissions
 *   the flow  90 % of its rate without the flood at least; the answers to the flood share the way
 *             back with its ACKs
 */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sim.h"
#include "stack/tcp_listen.h"

#define SYNS 1000000u
#define PER_MS 100u
#define BACKLOG 4096
#define MEMORY_MAX (3u << 20)        /* bytes: 4,096 requests, their timers and hash table */

static size_t memory(void)
{
	return mallinfo2().uordblks;
}

/* A SYN from a stranger, with the options of a Linux client. */
static void spoof(struct sim *m, uint16_t port)
{
	struct ip_hdr ip = { .src = 0x14000000u + (ip4)(sim_random_u64(m) & 0xffffff), .dst = SIM_B, .ttl = 60,
	                     .proto = PROTO_TCP };
	struct tcp_hdr th = { .sport = (uint16_t)sim_random_u64(m) | 1, .dport = port, .flags = TCPF_SYN,
	                      .seq = (seq32)sim_random_u64(m), .wnd = 64240, .has_mss = true, .mss = 1460,
	                      .sack_permitted = true, .has_ts = true, .tsval = (uint32_t)sim_random_u64(m),
	                      .has_wscale = true, .wscale = 7 };
	struct eth_hdr eth = { .type = ETHTYPE_IPV4 };
	uint8_t p[ETH_LEN + IP_LEN_MIN + TCP_LEN_MAX];
	struct frame_in f = { .data = p };
	size_t len = tcp_emit(p + ETH_LEN + IP_LEN_MIN, &th);

	memcpy(eth.dst, m->s[1]->ifaces[0].mac, MAC_LEN);
	memcpy(eth.src, m->s[0]->ifaces[0].mac, MAC_LEN);
	eth_emit(p, &eth);
	ip.total_len = (uint16_t)(IP_LEN_MIN + len);
	ip_emit(p + ETH_LEN, &ip);
	tcp_set_csum(p + ETH_LEN + IP_LEN_MIN,
	             csum_fold(csum_add(csum_pseudo(ip.src, ip.dst, PROTO_TCP, len), p + ETH_LEN + IP_LEN_MIN, len)));
	f.len = ETH_LEN + IP_LEN_MIN + len;
	stack_input(m->s[1], 0, &f, m->now);
}

/* How many bytes the flow moves in ten seconds, and how much memory that took at most. */
static uint64_t run(int32_t cookies, bool is_flooded, size_t *most, uint64_t counters[CTR_COUNT])
{
	struct route def = { .gateway = SIM_A };
	struct sim_flow f;
	struct sim m;
	size_t base;
	uint64_t moved;

	sim_init(&m, 7, false, NULL);
	for (int i = 0; i < 2; i++)
		m.link[i] = (struct sim_link){ .rate = 60000000, .delay = 2 * XTIME_MSEC, .queue = 200000 };
	stack_settings(m.s[1])->tcp_syncookies = cookies;
	assert_int_equal(stack_add_route(m.s[1], &def), 0);
	sim_flow_open(&m, &f, 80, UINT64_C(1) << 40, 0);
	assert_int_equal(tcp_listen(f.listener, BACKLOG, &(ip4){ 0 }, &(uint16_t){ 0 }, m.now), 0);
	sim_run(&m, &f, 1, XTIME_SEC);
	assert_non_null(f.c[1]);
	base = memory();
	*most = 0;
	moved = f.got[1];
	for (unsigned ms = 0; ms < SYNS / PER_MS; ms++) {
		sim_run(&m, &f, 1, XTIME_MSEC);
		for (unsigned i = 0; is_flooded && i < PER_MS; i++)
			spoof(&m, 80);
		if (memory() > base)
			*most = MAX(*most, memory() - base);
		assert_true(m.s[1]->nreq <= BACKLOG);
	}
	moved = f.got[1] - moved;
	assert_false(f.is_wrong);
	memcpy(counters, stack_counters(m.s[1]), CTR_COUNT * sizeof(*counters));
	sim_fini(&m);
	return moved;
}

static void check(int32_t cookies)
{
	uint64_t quiet_count[CTR_COUNT], count[CTR_COUNT];
	size_t quiet_most, most;
	uint64_t quiet = run(cookies, false, &quiet_most, quiet_count);
	uint64_t flooded = run(cookies, true, &most, count);
	uint64_t answers = count[CTR_TcpOutSegs] - MIN(quiet_count[CTR_TcpOutSegs], count[CTR_TcpOutSegs]);

	print_message("cookies %d: %.1f Mbit/s without, %.1f with the flood; memory %zu KB more at most, %zu without; "
	              "cookies sent %llu, SYNs dropped %llu, answers %llu\n", cookies, (double)quiet * 8e-7,
	              (double)flooded * 8e-7, most >> 10, quiet_most >> 10,
	              (unsigned long long)count[CTR_TcpExtSyncookiesSent],
	              (unsigned long long)count[CTR_TcpExtListenDrops], (unsigned long long)answers);
	assert_true(flooded * 10 >= quiet * 9);
	assert_true(most <= quiet_most + MEMORY_MAX);
	assert_true(answers <= SYNS + 6 * BACKLOG * 10);
}

static void flood_is_answered_by_cookies(void **state)
{
	(void)state;
	check(1);
}

static void flood_is_dropped_without_cookies(void **state)
{
	(void)state;
	check(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flood_is_answered_by_cookies),
		cmocka_unit_test(flood_is_dropped_without_cookies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
