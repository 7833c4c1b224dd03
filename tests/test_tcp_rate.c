/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_tcp_rate.c - the delivery rate of TCP_INFO, and what is sent at a rate: two stacks over
 * links whose rate is known.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "sim.h"
#include "stack/tcp_info.h"

#define MBIT UINT64_C(1000000)

struct path {
	struct sim m;
	struct sim_flow f;
};

static void path_open(struct path *p, uint64_t bits, xtime delay, uint64_t bytes)
{
	sim_init(&p->m, 1, true, NULL);
	for (int i = 0; i < 2; i++)
		p->m.link[i] = (struct sim_link){ .rate = bits, .delay = delay };
	sim_flow_open(&p->m, &p->f, 80, bytes, 0);
}

/* Until the peer has got so much. */
static void run_until(struct path *p, uint64_t got)
{
	while (p->f.got[1] < got)
		assert_false(sim_run(&p->m, &p->f, 1, 100 * XTIME_USEC));
}

static struct tcp_info_abi info(const struct path *p)
{
	struct tcp_info_abi i;

	tcp_get_info(p->f.c[0], &i, p->m.now);
	return i;
}

/* Payload bytes/s of a link of so many bit/s. */
static double payload_rate(uint64_t bits)
{
	return (double)bits / 8 * 1448 / 1514;
}

static void bulk_rate_is_that_of_the_link(void **state)
{
	static const uint64_t rates[] = { MBIT, 10 * MBIT, 100 * MBIT };

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(rates); k++) {
		struct path p;
		struct tcp_info_abi i;
		double want = payload_rate(rates[k]);

		path_open(&p, rates[k], XTIME_MSEC, 64000000);
		run_until(&p, rates[k] / 8 / 2 + 500000);   /* half a second */
		i = info(&p);
		assert_false(i.rate_flags & 1);
		if ((double)i.delivery_rate < 0.95 * want || (double)i.delivery_rate > 1.01 * want)
			fail_msg("%llu bytes/s, the link has %.0f", (unsigned long long)i.delivery_rate, want);
		sim_fini(&p.m);
	}
}

/* Whatever bursts ACKs come in: a sample of the path is never more than the path has, but for a segment
 * in the 50 of a sample. */
static void rate_never_exceeds_the_link(void **state)
{
	struct path p;

	(void)state;
	path_open(&p, 50 * MBIT, 5 * XTIME_MSEC, 64000000);
	p.m.link[0].loss = 0.01;
	p.m.link[1].reorder = 0.5;
	p.m.link[1].reorder_by = 5 * XTIME_MSEC;
	for (uint64_t got = 10000; got < 2000000; got += 10000) {
		run_until(&p, got);
		assert_true((double)info(&p).delivery_rate <= 1.03 * payload_rate(50 * MBIT));
	}
	sim_fini(&p.m);
}

static void little_to_send_is_app_limited(void **state)
{
	struct path p;
	struct tcp_info_abi i;

	(void)state;
	path_open(&p, 100 * MBIT, 5 * XTIME_MSEC, 2000);
	run_until(&p, 2000);
	p.f.total[0] = 1;   /* the flow writes no more */
	sim_run(&p.m, &p.f, 1, 100 * XTIME_MSEC);
	i = info(&p);
	assert_true(i.rate_flags & 1);
	assert_true(i.delivery_rate > 0 && (double)i.delivery_rate < 0.1 * payload_rate(100 * MBIT));
	sim_fini(&p.m);
}

/* A call that has waited for room goes on: tcp_sendmsg() asks once, when it begins. */
static void call_that_goes_on_is_not_app_limited(void **state)
{
	struct iovec iov = { (char[100]){ 0 }, 100 };
	struct path p;
	struct tcp_conn *c;

	(void)state;
	path_open(&p, 100 * MBIT, 5 * XTIME_MSEC, 2000);
	p.f.is_shut[0] = true;   /* it stays open */
	run_until(&p, 2000);
	c = p.f.c[0];
	c->rate.app_limited = 0;
	assert_int_equal(tcp_send(c, &iov, 1, 0, TCP_SEND_ON, p.m.now), 100);
	assert_int_equal(c->rate.app_limited, 0);
	assert_int_equal(tcp_send(c, &iov, 1, 0, 0, p.m.now), 100);
	assert_int_not_equal(c->rate.app_limited, 0);
	sim_fini(&p.m);
}

/* Two segments after a bulk transfer are no news of the path. */
static void app_limited_sample_does_not_lower_the_rate(void **state)
{
	struct path p;
	uint64_t rate;
	char buf[2000] = { 0 };
	struct iovec iov = { buf, sizeof(buf) };

	(void)state;
	path_open(&p, 100 * MBIT, 5 * XTIME_MSEC, UINT64_MAX);
	run_until(&p, 4000000);
	p.f.total[0] = p.f.sent[0];
	p.f.is_shut[0] = true;
	sim_run(&p.m, &p.f, 1, XTIME_SEC);
	rate = info(&p).delivery_rate;
	assert_true((double)rate > 0.9 * payload_rate(100 * MBIT));
	for (int k = 0; k < 5; k++) {
		assert_int_equal(tcp_send(p.f.c[0], &iov, 1, 0, 0, p.m.now), sizeof(buf));
		sim_step(&p.m, p.m.now + XTIME_MSEC);
		for (int n = 0; n < 100; n++)
			sim_step(&p.m, p.m.now + 10 * XTIME_MSEC);
	}
	assert_int_equal(info(&p).delivery_rate, rate);
	assert_false(info(&p).rate_flags & 1);
	sim_fini(&p.m);
}

/* ---- pacing ---- */

/* SO_MAX_PACING_RATE: the program's bytes leave at that rate. */
static void program_sets_the_rate(void **state)
{
	static const uint64_t rates[] = { 50000, 1000000, 20000000 };   /* bytes/s */

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(rates); k++) {
		struct path p;
		xtime start;
		uint64_t got;
		double rate;

		path_open(&p, 1000 * MBIT, 5 * XTIME_MSEC, UINT64_MAX);
		assert_int_equal(tcp_setopt(p.f.c[0], SOL_SOCKET, SO_MAX_PACING_RATE, &rates[k], sizeof(rates[k]),
		                            false, p.m.now), 0);
		run_until(&p, 30000);
		start = p.m.now;
		got = p.f.got[1];
		sim_run(&p.m, &p.f, 1, 2 * XTIME_SEC);
		rate = (double)(p.f.got[1] - got) * 1e9 / (double)(p.m.now - start);
		if (rate < 0.97 * (double)rates[k] || rate > 1.03 * (double)rates[k])
			fail_msg("%.0f bytes/s, set to %llu", rate, (unsigned long long)rates[k]);
		assert_int_equal(info(&p).max_pacing_rate, rates[k]);
		assert_int_equal(info(&p).pacing_rate, rates[k]);
		assert_int_equal(stack_counters(p.m.s[0])[CTR_TcpRetransSegs], 0);
		sim_fini(&p.m);
	}
}

/* A paced sender never needs more than a small queue. */
static void paced_bursts_fit_a_small_queue(void **state)
{
	uint64_t rate = 1150000;   /* the link has room for 1,195,508 */
	struct path p;

	(void)state;
	path_open(&p, 10 * MBIT, 20 * XTIME_MSEC, UINT64_MAX);
	p.m.link[0].queue = 16 * 1514;
	tcp_setopt(p.f.c[0], SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof(rate), false, p.m.now);
	sim_run(&p.m, &p.f, 1, 5 * XTIME_SEC);
	assert_int_equal(p.m.link[0].dropped, 0);
	assert_true(p.f.got[1] > 5 * 1000000);
	sim_fini(&p.m);
}

static void lifted_limit_is_not_waited_for(void **state)
{
	uint64_t rate = 2000, none = UINT64_MAX;
	struct path p;

	(void)state;
	path_open(&p, 100 * MBIT, XTIME_MSEC, 1000000);
	tcp_setopt(p.f.c[0], SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof(rate), false, p.m.now);
	assert_false(sim_run(&p.m, &p.f, 1, XTIME_SEC));
	assert_true(p.f.got[1] < 25000);
	tcp_setopt(p.f.c[0], SOL_SOCKET, SO_MAX_PACING_RATE, &none, sizeof(none), false, p.m.now);
	assert_true(sim_run(&p.m, &p.f, 1, 5 * XTIME_SEC));
	assert_int_equal(p.f.got[1], 1000000);
	sim_fini(&p.m);
}

static void closed_socket_has_no_rate(void **state)
{
	struct sim m;
	struct tcp_conn *c;
	struct tcp_info_abi i;

	(void)state;
	sim_init(&m, 1, true, NULL);
	c = tcp_open(m.s[0], m.now);
	tcp_get_info(c, &i, m.now);
	assert_int_equal(i.delivery_rate, 0);
	assert_int_equal(i.rate_flags, 1);   /* tcp_init_sock() */
	sim_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bulk_rate_is_that_of_the_link),
		cmocka_unit_test(rate_never_exceeds_the_link),
		cmocka_unit_test(little_to_send_is_app_limited),
		cmocka_unit_test(call_that_goes_on_is_not_app_limited),
		cmocka_unit_test(app_limited_sample_does_not_lower_the_rate),
		cmocka_unit_test(program_sets_the_rate),
		cmocka_unit_test(paced_bursts_fit_a_small_queue),
		cmocka_unit_test(lifted_limit_is_not_waited_for),
		cmocka_unit_test(closed_socket_has_no_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
