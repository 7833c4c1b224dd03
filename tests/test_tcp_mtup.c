/* SPDX-License-Identifier: BSD-2-Clause */
/* test_tcp_mtup.c - path MTU discovery by probing, RFC 4821 (beside netns_linux, which has the kernel). */
#include "harness.h"

/* A connection with probing whose congestion window has grown to 20; 1,024 bytes a segment. */
static void probing(struct rig *t)
{
	t->s->set.tcp_mtu_probing = 2;
	dial(t);
	advance(t, 100 * XTIME_MSEC);
	inject(t, SYN_ACK_PLAIN);
	expect(t, ". 1 ack 1");
	assert_int_equal(t->c->snd.mss_cache, 1024);
	put(t, 10240);
	assert_int_equal(forget(t), 10);
	advance(t, 100 * XTIME_MSEC);
	inject(t, ". 1 ack 10241");
	forget(t);
	assert_true(t->c->cc.cwnd >= 20);
}

static void probe_halves_the_range_until_it_is_small(void **state)
{
	/* Between 1024 and 1460 bytes, halved; below 8 bytes it rests. */
	static const uint32_t sizes[] = { 1242, 1351, 1405, 1432, 1446, 1453 };
	struct rig *t = *state;
	seq32 at = 10241;

	probing(t);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		put(t, 8000);
		rig_expect(t, -1, __FILE__, __LINE__, ". %u:%u ack 1", at, at + sizes[i]);
		advance(t, 100 * XTIME_MSEC);
		forget(t);
		at = t->nput + 1;
		inject(t, ". 1 ack %u", at);
		forget(t);
		assert_int_equal(t->c->snd.una - t->c->snd.iss, at);
		assert_int_equal(t->c->snd.mss_cache, sizes[i]);
	}
	assert_int_equal(counted(t, CTR_TcpExtTCPMTUPSuccess), ARRAY_LEN(sizes));
	put(t, 8000);
	expect(t, ". %u:%u ack 1", at, at + 1453);
}

static void probe_needs_window_and_data(void **state)
{
	struct rig *t = *state;

	probing(t);
	put(t, 4000);   /* the probe and reordering + 1 segments would be 5,338 */
	expect(t, ". 10241:11265 ack 1");
	forget(t);
	inject(t, ". 1 ack 14241 win 5000");
	forget(t);
	put(t, 20000);
	expect(t, ". 14241:15265 ack 1");
}

static void probe_is_tried_again_after_its_interval(void **state)
{
	struct rig *t = *state;

	t->s->set.tcp_slow_start_after_idle = 0;
	probing(t);
	t->s->set.tcp_probe_threshold = 1000;
	put(t, 20000);
	expect(t, ". 10241:11265 ack 1");
	forget(t);
	inject(t, ". 1 ack 30241");
	forget(t);
	t->s->set.tcp_probe_threshold = 8;
	t->c->mtup->search_low = t->c->mtup->search_high;   /* as if the search had ended */
	advance(t, 599 * XTIME_SEC);
	put(t, 10240);
	forget(t);
	assert_int_equal(t->c->mtup->search_low, t->c->mtup->search_high);
	inject(t, ". 1 ack %u", t->nput + 1);
	forget(t);
	advance(t, 2 * XTIME_SEC);
	put(t, 1000);
	assert_true(t->c->mtup->search_low < t->c->mtup->search_high);
}

static void probe_that_is_not_acknowledged_is_inconclusive(void **state)
{
	struct rig *t = *state;

	probing(t);
	put(t, 20000);
	expect(t, ". 10241:11483 ack 1");
	forget(t);
	assert_true(t->c->mtup->probe_size > 0);
	advance(t, XTIME_SEC);   /* a time-out: whatever was too large, all goes again */
	expect(t, ". 10241:11265 ack 1");
	assert_int_equal(t->c->mtup->probe_size, 0);
	assert_int_equal(counted(t, CTR_TcpExtTCPMTUPFail), 0);
}

static void probe_is_not_sent_by_default(void **state)
{
	struct rig *t = *state;

	establish(t, SYN_ACK_PLAIN);
	put(t, 14600);
	forget(t);
	inject(t, ". 1 ack 14601");
	put(t, 29200);
	expect(t, ". 14601:16061 ack 1");
	assert_null(t->c->mtup);
}

static void black_hole_lowers_the_size_with_each_timeout(void **state)
{
	struct rig *t = *state;

	t->s->set.tcp_mtu_probing = 1;
	establish(t, SYN_ACK_PLAIN);
	assert_int_equal(t->c->snd.mss_cache, 1460);
	put(t, 1460);
	expect(t, "P. 1:1461 ack 1");
	advance(t, 15 * XTIME_SEC);   /* time-outs after 0.2, 0.6, ... 6.2, 12.6 s; tcp_retries1 is 3 s */
	forget(t);
	assert_true(t->c->mtup->is_on);
	assert_int_equal(t->c->snd.mss_cache, 512);
	advance(t, 100 * XTIME_SEC);
	assert_true(t->c->snd.mss_cache <= 64);
	forget(t);
	t->s->set.tcp_mtu_probe_floor = 60;
	advance(t, 500 * XTIME_SEC);
	assert_int_equal(t->c->snd.mss_cache, 60);
}

/* A child starts with the MSS of its route, whatever is to be probed; what Linux sends with the packet
 * that finds the route changed has the sizes of the old one. */
static void mss_of_a_changed_route_counts_from_the_next_write(void **state)
{
	struct rig *t = *state;
	struct route to = { .dst = PEER, .plen = 32, .type = ROUTE_UNICAST, .iface = t->iface, .mtu = 640,
	                    .mtu_locked = true };

	t->s->set.tcp_mtu_probing = 2;
	t->s->set.tcp_base_mss = 512;
	assert_int_equal(stack_add_route(t->s, &to), 0);
	establish_passive(t, "S 0 win 50000 mss 1460 wscale 7");
	assert_int_equal(t->c->snd.mss_cache, 600);
	t->c->cc.cwnd = 11;
	assert_int_equal(stack_del_route(t->s, &to), 0);
	put(t, 4000);
	expect(t, ". 1:987 ack 1");
	for (unsigned i = 0; i < 5; i++)
		rig_expect(t, -1, __FILE__, __LINE__, ". %u:%u ack 1", 987 + i * 600, 1587 + i * 600);
	expect(t, "P. 3987:4001 ack 1");
	inject(t, ". 1 ack 4001 win 512");
	put(t, 2000);
	expect(t, ". 4001:4987 ack 1");
	expect(t, ". 4987:5973 ack 1");
	expect(t, "P. 5973:6001 ack 1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		own(probe_halves_the_range_until_it_is_small),
		own(probe_needs_window_and_data),
		own(probe_is_tried_again_after_its_interval),
		own(probe_that_is_not_acknowledged_is_inconclusive),
		own(probe_is_not_sent_by_default),
		own(mss_of_a_changed_route_counts_from_the_next_write),
		own(black_hole_lowers_the_size_with_each_timeout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
