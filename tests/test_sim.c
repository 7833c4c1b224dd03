/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_sim.c - two stacks over links with loss, duplication, reordering, corruption
 * and delay: every byte arrives intact, and within a bound of virtual time.
 * XTCP_SIM_SEED picks another seed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fuzz_check.h"
#include "sim.h"

#define KB 1024u
#define MB (1024u * 1024u)

struct scenario {
	const char *name;
	uint64_t up, down;
	struct sim_link link;        /* both directions */
	bool can_offload;
	const char *congestion;
	double bound_s;              /* virtual seconds */
};

static const struct scenario table[] = {
	{ "clean", 5 * MB, 5 * MB, { .delay = XTIME_MSEC }, true, NULL, 1.0 },
	{ "clean_no_offload", 2 * MB, 2 * MB, { .delay = XTIME_MSEC }, false, NULL, 1.0 },
	{ "clean_whole_frames", 5 * MB, 5 * MB, { .delay = 20 * XTIME_USEC, .whole = true }, true, NULL, 0.5 },
	{ "reno_clean", 5 * MB, 0, { .delay = XTIME_MSEC }, true, "reno", 1.0 },
	{ "loss_1_percent", 2 * MB, 2 * MB, { .delay = 5 * XTIME_MSEC, .loss = 0.01 }, true, NULL, 20.0 },
	{ "loss_10_percent", 300 * KB, 300 * KB, { .delay = 5 * XTIME_MSEC, .loss = 0.10 }, true, NULL, 60.0 },
	{ "loss_20_percent", 50 * KB, 50 * KB, { .delay = 5 * XTIME_MSEC, .loss = 0.20 }, false, NULL, 200.0 },
	{ "bursts", 1 * MB, 1 * MB, { .delay = 5 * XTIME_MSEC, .loss = 0.005, .burst = 8 }, true, NULL, 40.0 },
	{ "duplicates", 2 * MB, 2 * MB, { .delay = 5 * XTIME_MSEC, .dup = 0.2 }, true, NULL, 5.0 },
	{ "reordering", 2 * MB, 2 * MB,
	  { .delay = 5 * XTIME_MSEC, .reorder = 0.3, .reorder_by = 3 * XTIME_MSEC }, true, NULL, 5.0 },
	{ "reordering_whole", 5 * MB, 5 * MB,
	  { .delay = 50 * XTIME_USEC, .reorder = 0.3, .reorder_by = 100 * XTIME_USEC, .whole = true }, true, NULL, 5.0 },
	{ "corruption", 1 * MB, 1 * MB, { .delay = 5 * XTIME_MSEC, .corrupt = 0.02 }, true, NULL, 40.0 },
	{ "refused_1_percent", 2 * MB, 2 * MB, { .delay = 5 * XTIME_MSEC, .refuse = 0.01 }, true, NULL, 20.0 },
	{ "refused_and_lost", 300 * KB, 300 * KB,
	  { .delay = 5 * XTIME_MSEC, .loss = 0.05, .refuse = 0.1, .reorder = 0.2, .reorder_by = 3 * XTIME_MSEC },
	  true, NULL, 200.0 },
	{ "refused_and_lost_no_offload", 300 * KB, 300 * KB,
	  { .delay = 5 * XTIME_MSEC, .loss = 0.05, .refuse = 0.1 }, false, "reno", 200.0 },
	{ "everything", 300 * KB, 300 * KB,
	  { .delay = 10 * XTIME_MSEC, .loss = 0.03, .dup = 0.05, .corrupt = 0.02, .reorder = 0.2,
	    .reorder_by = 15 * XTIME_MSEC }, true, NULL, 120.0 },
	{ "narrow_queue", 5 * MB, 0, { .delay = 10 * XTIME_MSEC, .rate = 100000000, .queue = 64 * KB }, true, NULL, 2.0 },
	{ "deep_queue", 5 * MB, 0, { .delay = 10 * XTIME_MSEC, .rate = 20000000, .queue = 1 * MB }, true, NULL, 3.0 },
	{ "long_path", 10 * MB, 0, { .delay = 100 * XTIME_MSEC, .rate = 100000000, .queue = 2 * MB }, true, NULL, 8.0 },
};

static uint64_t seed(void)
{
	const char *e = getenv("XTCP_SIM_SEED");

	return e ? strtoull(e, NULL, 0) : 1;
}

static void run(const struct scenario *sc, bool lends)
{
	struct sim m;
	struct sim_flow f;
	double took;
	bool is_done;

	sim_init(&m, seed(), sc->can_offload, sc->congestion);
	m.link[0] = m.link[1] = sc->link;
	m.check = fuzz_check;
	sim_flow_open(&m, &f, 80, sc->up, sc->down);
	f.lends = lends;
	is_done = sim_run(&m, &f, 1, 1000 * XTIME_SEC);
	took = (double)(m.now - f.begin) / 1e9;
	print_message("%-22s %8.3f s (bound %.1f), up %llu down %llu, frames %llu/%llu, lost %llu/%llu, retransmitted %llu/%llu\n",
	              sc->name, took, sc->bound_s, (unsigned long long)f.got[1], (unsigned long long)f.got[0],
	              (unsigned long long)m.link[0].frames, (unsigned long long)m.link[1].frames,
	              (unsigned long long)(m.link[0].lost + m.link[0].dropped),
	              (unsigned long long)(m.link[1].lost + m.link[1].dropped),
	              (unsigned long long)stack_counters(m.s[0])[CTR_TcpRetransSegs],
	              (unsigned long long)stack_counters(m.s[1])[CTR_TcpRetransSegs]);
	assert_int_equal(f.err[0], 0);
	assert_int_equal(f.err[1], 0);
	assert_false(f.is_wrong);
	assert_int_equal(f.got[1], sc->up);
	assert_int_equal(f.got[0], sc->down);
	assert_true(is_done);
	assert_true(took <= sc->bound_s);
	sim_fini(&m);
}

static void run_scenario(void **state)
{
	run(*state, false);
}

static void run_lent(void **state)
{
	run(*state, true);
}

int main(void)
{
	struct CMUnitTest tests[2 * ARRAY_LEN(table)];

	print_message("seed %llu\n", (unsigned long long)seed());
	for (size_t i = 0; i < ARRAY_LEN(tests); i++)
		tests[i] = (struct CMUnitTest){ .name = table[i / 2].name, .test_func = i % 2 ? run_lent : run_scenario,
		                                .initial_state = (void *)&table[i / 2] };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
