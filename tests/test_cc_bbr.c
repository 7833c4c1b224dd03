/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cc_bbr.c - BBR over simulated links: what it finds out about the path, and what it
 * does with it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "sim.h"
#include "stack/tcp_info.h"

#define RATE UINT64_C(10000000)              /* bit/s */
#define PAYLOAD (RATE / 8.0 * 1448 / 1514)   /* bytes/s */
#define DELAY (10 * XTIME_MSEC)
#define BDP 25000u

struct bbr_info { uint32_t bw_lo, bw_hi, min_rtt, pacing_gain, cwnd_gain; };

struct path {
	struct sim m;
	struct sim_flow f;
};

static void path_open(struct path *p, uint32_t queue, double loss)
{
	sim_init(&p->m, 1, true, "bbr");
	for (int i = 0; i < 2; i++)
		p->m.link[i] = (struct sim_link){ .rate = RATE, .delay = DELAY };
	p->m.link[0].queue = queue;
	p->m.link[0].loss = loss;
	sim_flow_open(&p->m, &p->f, 80, UINT64_MAX, 0);
}

static struct bbr_info info(const struct path *p)
{
	struct bbr_info i;
	socklen_t len = sizeof(i);

	assert_int_equal(tcp_getopt(p->f.c[0], IPPROTO_TCP, TCP_CC_INFO, &i, &len, p->m.now), 0);
	assert_int_equal(len, sizeof(i));
	return i;
}

static void run(struct path *p, xtime span)
{
	assert_false(sim_run(&p->m, &p->f, 1, span));
}

/* Bytes/s that arrive in `span`. */
static double goodput(struct path *p, xtime span)
{
	uint64_t got = p->f.got[1];

	run(p, span);
	return (double)(p->f.got[1] - got) * 1e9 / (double)span;
}

static void startup_sends_at_more_than_double_the_rate(void **state)
{
	struct path p;
	struct bbr_info i;

	(void)state;
	path_open(&p, 0, 0);
	run(&p, 70 * XTIME_MSEC);
	i = info(&p);
	assert_int_equal(i.pacing_gain, 739);   /* 2.89 */
	assert_int_equal(i.cwnd_gain, 739);
	assert_int_equal(i.min_rtt, p.f.c[0]->rtt.min_us);
	sim_fini(&p.m);
}

static void full_pipe_ends_startup_and_drains_it(void **state)
{
	struct path p;
	struct bbr_info i;

	(void)state;
	path_open(&p, 0, 0);   /* a queue without an end */
	run(&p, XTIME_SEC);
	i = info(&p);
	assert_int_equal(i.cwnd_gain, 512);
	assert_true(i.pacing_gain == 320 || i.pacing_gain == 192 || i.pacing_gain == 256);
	assert_true(i.bw_lo > 0.95 * PAYLOAD && i.bw_lo < 1.02 * PAYLOAD);
	assert_true(goodput(&p, XTIME_SEC) > 0.98 * PAYLOAD);
	assert_true(p.f.c[0]->rtt.srtt8_us >> 3 < 2 * i.min_rtt);   /* the queue is small again */
	assert_true(p.f.c[0]->cc.cwnd < 3 * BDP / 1448);
	sim_fini(&p.m);
}

/* 5/4 for a round trip, 3/4 for one, then six at the rate of the path. */
static void steady_state_cycles_through_its_gains(void **state)
{
	struct path p;
	unsigned seen[3] = { 0 };

	(void)state;
	path_open(&p, 0, 0);
	run(&p, XTIME_SEC);
	for (int k = 0; k < 1000; k++) {
		run(&p, 2 * XTIME_MSEC);
		seen[info(&p).pacing_gain / 64 - 3]++;
	}
	assert_in_range(seen[2] + seen[0], 100, 400);
	assert_in_range(seen[1], 600, 900);
	sim_fini(&p.m);
}

/* 10 s without a lower round trip: four segments in flight for 200 ms, then on as before. */
static void old_min_rtt_is_probed_for(void **state)
{
	struct path p;
	xtime first = 0, last = 0;
	uint32_t before;

	(void)state;
	path_open(&p, 0, 0);
	run(&p, 5 * XTIME_SEC);
	before = p.f.c[0]->cc.cwnd;
	while (p.m.now < 13 * XTIME_SEC) {
		run(&p, 5 * XTIME_MSEC);
		if (p.f.c[0]->cc.cwnd > 4)
			continue;
		if (!first)
			first = p.m.now;
		last = p.m.now;
	}
	assert_in_range(first, 10 * XTIME_SEC, 11500 * XTIME_MSEC);
	assert_in_range(last - first, 200 * XTIME_MSEC, 400 * XTIME_MSEC);
	assert_in_range(p.f.c[0]->cc.cwnd, before - 4, before + 4);
	sim_fini(&p.m);
}

static void random_loss_does_not_slow_it(void **state)
{
	struct path p;

	(void)state;
	path_open(&p, 2 * BDP, 0.02);
	run(&p, XTIME_SEC);
	assert_true(goodput(&p, 5 * XTIME_SEC) > 0.9 * PAYLOAD);
	sim_fini(&p.m);
}

static void data_is_paced_not_in_bursts(void **state)
{
	struct path p;
	uint64_t dropped;

	(void)state;
	path_open(&p, 20 * 1514, 0);   /* 1.2 of the product */
	run(&p, XTIME_SEC);
	dropped = p.m.link[0].dropped;
	assert_true(goodput(&p, 5 * XTIME_SEC) > 0.97 * PAYLOAD);
	assert_true(p.m.link[0].dropped - dropped < 20);
	sim_fini(&p.m);
}

static void idle_time_ends_without_a_burst(void **state)
{
	struct path p;
	uint32_t cwnd;

	(void)state;
	path_open(&p, 2 * BDP, 0);
	run(&p, XTIME_SEC);
	p.f.total[0] = p.f.sent[0];
	p.f.is_shut[0] = true;
	run(&p, 3 * XTIME_SEC);
	cwnd = p.f.c[0]->cc.cwnd;
	assert_true(cwnd > BDP / 1448);   /* no restart from ten */
	p.f.total[0] = UINT64_MAX;
	p.m.link[0].dropped = 0;
	assert_true(goodput(&p, XTIME_SEC) > 0.93 * PAYLOAD);
	assert_int_equal(p.m.link[0].dropped, 0);
	sim_fini(&p.m);
}

static void change_to_cubic_ends_pacing(void **state)
{
	struct path p;
	uint8_t buf[20];
	socklen_t len = sizeof(buf);

	(void)state;
	path_open(&p, 2 * BDP, 0);
	run(&p, XTIME_SEC);
	assert_true(tcp_is_paced(p.f.c[0]));
	assert_int_equal(tcp_setopt(p.f.c[0], IPPROTO_TCP, TCP_CONGESTION, "cubic", 5, false, p.m.now), 0);
	assert_false(tcp_is_paced(p.f.c[0]));
	assert_int_equal(tcp_getopt(p.f.c[0], IPPROTO_TCP, TCP_CC_INFO, buf, &len, p.m.now), 0);
	assert_int_equal(len, 0);
	assert_true(goodput(&p, 3 * XTIME_SEC) > 0.9 * PAYLOAD);
	assert_int_equal(tcp_setopt(p.f.c[0], IPPROTO_TCP, TCP_CONGESTION, "bbr", 3, false, p.m.now), 0);
	assert_true(goodput(&p, 3 * XTIME_SEC) > 0.9 * PAYLOAD);
	sim_fini(&p.m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(startup_sends_at_more_than_double_the_rate),
		cmocka_unit_test(full_pipe_ends_startup_and_drains_it),
		cmocka_unit_test(steady_state_cycles_through_its_gains),
		cmocka_unit_test(old_min_rtt_is_probed_for),
		cmocka_unit_test(random_loss_does_not_slow_it),
		cmocka_unit_test(data_is_paced_not_in_bursts),
		cmocka_unit_test(idle_time_ends_without_a_burst),
		cmocka_unit_test(change_to_cubic_ends_pacing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
