/* SPDX-License-Identifier: BSD-2-Clause */
/* test_tcp_metrics.c - what a connection leaves for the next one with the same peer. */
#include "harness.h"
#include "stack/tcp_metrics.h"

#define US2 (US + 100)

static struct tcp_metrics *metrics(struct rig *t)
{
	return tcp_metrics_get(t->s, US, PEER, false, t->now);
}

/* A connection whose handshake took rtt; the peer closes first. */
static void one(struct rig *t, xtime rtt)
{
	t->has_iss = false;
	dial(t);
	advance(t, rtt);
	inject(t, "S. 0 ack 1 win 65535 mss 1460");
	inject(t, "F. 1 ack 1");
	advance(t, 50 * XTIME_MSEC);
	hang_up(t);
	inject(t, ". 2 ack 2");
	forget(t);
}

static void ended_in_order_is_remembered(void **state)
{
	struct rig *t = *state;
	struct tcp_metrics *m;

	assert_null(metrics(t));
	one(t, 100 * XTIME_MSEC);
	m = metrics(t);
	assert_non_null(m);
	assert_in_range(m->rtt8_us, 8 * 80000, 8 * 100000);
	assert_in_range(m->cwnd, 10, 12);
	assert_int_equal(m->ssthresh, 0);
	assert_true(tcp_metrics_is_proven(t->s, US, PEER, t->now));
	assert_false(tcp_metrics_is_proven(t->s, US, PEER + 1, t->now));
	assert_false(tcp_metrics_is_proven(t->s, US2, PEER, t->now));
}

static void setting_forbids_to_remember(void **state)
{
	struct rig *t = *state;

	t->s->set.tcp_no_metrics_save = 1;
	one(t, 100 * XTIME_MSEC);
	assert_null(metrics(t));
}

static void an_hour_later_it_is_forgotten(void **state)
{
	struct rig *t = *state;
	struct tcp_metrics *m;

	one(t, 100 * XTIME_MSEC);
	m = metrics(t);
	m->fo_mss = 1400;
	t->now = m->stamp + 3600 * XTIME_SEC;
	assert_int_not_equal(metrics(t)->rtt8_us, 0);
	t->now++;
	assert_int_equal(metrics(t)->rtt8_us, 0);
	assert_int_equal(metrics(t)->fo_mss, 1400);
}

/* A smaller sample counts an eighth, a greater one in full. */
static void rtt_falls_slowly_and_rises_at_once(void **state)
{
	struct rig *t = *state;
	uint32_t first, second;

	one(t, 400 * XTIME_MSEC);
	first = metrics(t)->rtt8_us;
	one(t, 10 * XTIME_MSEC);
	second = metrics(t)->rtt8_us;
	assert_in_range(second, first * 7 / 8, first - 1);
	one(t, 800 * XTIME_MSEC);
	assert_true(metrics(t)->rtt8_us > first);
}

static void many_peers_are_bounded_the_oldest_goes(void **state)
{
	struct rig *t = *state;
	const struct tcp_metrics *m = NULL;
	unsigned n = 0;

	for (ip4 i = 0; i < 20000; i++)
		assert_non_null(tcp_metrics_get(t->s, US, IP(20, 0, 0, 0) + i, true, ++t->now));
	while ((m = tcp_metrics_next(t->s, m)))
		n++;
	assert_in_range(n, 256, 256 * 6);
	assert_non_null(tcp_metrics_get(t->s, US, IP(20, 0, 0, 0) + 19999, false, t->now));
	assert_null(tcp_metrics_get(t->s, US, IP(20, 0, 0, 0), false, t->now));
	stack_flush_metrics(t->s);
	assert_null(tcp_metrics_next(t->s, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		own(ended_in_order_is_remembered),
		own(setting_forbids_to_remember),
		own(an_hour_later_it_is_forgotten),
		own(rtt_falls_slowly_and_rises_at_once),
		own(many_peers_are_bounded_the_oldest_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
