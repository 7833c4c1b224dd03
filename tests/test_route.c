/* SPDX-License-Identifier: BSD-2-Clause */
/* test_route.c - the routing table, also against a plain search as the oracle. */
#include "stack/route.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define IP(a, b, c, d) ((ip4)(a) << 24 | (b) << 16 | (c) << 8 | (d))

static struct route a_route(ip4 dst, uint8_t plen, int iface, uint32_t metric)
{
	struct route rt = { .dst = dst, .plen = plen, .iface = iface, .metric = metric };

	return rt;
}

static void add(struct routes *r, ip4 dst, uint8_t plen, int iface, uint32_t metric)
{
	struct route rt = a_route(dst, plen, iface, metric);

	assert_int_equal(route_add(r, &rt), 0);
}

static void table_empty_gives_none(void **state)
{
	struct routes r;

	(void)state;
	routes_init(&r);
	assert_null(route_lookup(&r, IP(1, 2, 3, 4), 0, -1));
	routes_fini(&r);
}

static void lookup_longest_prefix_wins(void **state)
{
	struct routes r;

	(void)state;
	routes_init(&r);
	add(&r, 0, 0, 0, 0);
	add(&r, IP(10, 0, 0, 0), 8, 1, 500);
	add(&r, IP(10, 1, 0, 0), 16, 2, 500);
	add(&r, IP(10, 1, 2, 3), 32, 3, 500);
	assert_int_equal(route_lookup(&r, IP(11, 0, 0, 1), 0, -1)->iface, 0);
	assert_int_equal(route_lookup(&r, IP(10, 2, 0, 1), 0, -1)->iface, 1);
	assert_int_equal(route_lookup(&r, IP(10, 1, 2, 4), 0, -1)->iface, 2);
	assert_int_equal(route_lookup(&r, IP(10, 1, 2, 3), 0, -1)->iface, 3);
	routes_fini(&r);
}

static void lookup_lowest_metric_then_oldest_wins(void **state)
{
	struct routes r;

	(void)state;
	routes_init(&r);
	add(&r, 0, 0, 0, 100);
	add(&r, 0, 0, 1, 50);
	add(&r, 0, 0, 2, 50);
	assert_int_equal(route_lookup(&r, 1, 0, -1)->iface, 1);
	assert_int_equal(route_next(&r, route_lookup(&r, 1, 0, -1), 1, 0, -1)->iface, 2);
	routes_fini(&r);
}

static void lookup_by_interface_passes_others_over(void **state)
{
	struct routes r;

	(void)state;
	routes_init(&r);
	add(&r, IP(10, 0, 0, 0), 8, 1, 0);
	add(&r, 0, 0, 2, 0);
	assert_int_equal(route_lookup(&r, IP(10, 0, 0, 1), 0, 2)->plen, 0);
	assert_null(route_lookup(&r, IP(10, 0, 0, 1), 0, 3));
	routes_fini(&r);
}

static void lookup_route_of_this_tos_wins(void **state)
{
	struct route rt = a_route(IP(10, 0, 0, 0), 8, 7, 900);
	struct routes r;

	(void)state;
	routes_init(&r);
	add(&r, IP(10, 0, 0, 0), 8, 1, 0);
	rt.tos = 0x10;
	assert_int_equal(route_add(&r, &rt), 0);
	assert_int_equal(route_lookup(&r, IP(10, 0, 0, 1), 0x10, -1)->iface, 7);
	assert_int_equal(route_lookup(&r, IP(10, 0, 0, 1), 0x08, -1)->iface, 1);
	routes_fini(&r);
}

static void add_same_again_replaces(void **state)
{
	struct route rt = a_route(IP(10, 0, 0, 0), 8, 1, 0);
	struct routes r;
	uint32_t gen;

	(void)state;
	routes_init(&r);
	assert_int_equal(route_add(&r, &rt), 0);
	gen = r.gen;
	rt.gateway = 5;
	assert_int_equal(route_add(&r, &rt), 0);
	assert_int_equal(r.n, 1);
	assert_int_not_equal(r.gen, gen);
	assert_int_equal(route_lookup(&r, IP(10, 0, 0, 1), 0, -1)->gateway, 5);
	routes_fini(&r);
}

static void del_takes_exactly_one(void **state)
{
	struct route rt = a_route(0, 0, 1, 50);
	struct routes r;

	(void)state;
	routes_init(&r);
	add(&r, 0, 0, 0, 50);
	add(&r, 0, 0, 1, 50);
	assert_int_equal(route_del(&r, &rt), 0);
	assert_int_equal(route_del(&r, &rt), -ESRCH);
	assert_int_equal(r.n, 1);
	assert_int_equal(route_lookup(&r, 1, 0, -1)->iface, 0);
	routes_flush(&r);
	assert_null(route_lookup(&r, 1, 0, -1));
	routes_fini(&r);
}

static void add_impossible_prefix_is_refused(void **state)
{
	struct route rt = a_route(IP(10, 0, 0, 1), 8, 0, 0);
	struct routes r;

	(void)state;
	routes_init(&r);
	assert_int_equal(route_add(&r, &rt), -EINVAL);
	rt.plen = 33;
	assert_int_equal(route_add(&r, &rt), -EINVAL);
	rt = a_route(0, 0, 0, 0);
	rt.type = ROUTE_THROW + 1;
	assert_int_equal(route_add(&r, &rt), -EINVAL);
	routes_fini(&r);
}

static const struct route *slow_lookup(const struct routes *r, ip4 dst)
{
	const struct route *best = NULL;

	for (uint32_t i = 0; i < r->n; i++) {
		const struct route *rt = &r->v[i];

		if ((dst & plen_mask(rt->plen)) != rt->dst)
			continue;
		if (!best || rt->plen > best->plen ||
		    (rt->plen == best->plen && rt->metric < best->metric))
			best = rt;
	}
	return best;
}

static void lookup_random_table_agrees_with_plain_search(void **state)
{
	uint32_t seed = 12345;
	struct routes r;

	(void)state;
	routes_init(&r);
	for (int i = 0; i < 2000; i++) {
		uint8_t plen = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 16) % 33;
		ip4 dst = ((seed = seed * 1664525 + 1013904223) & 0xf0f0f0ff) & plen_mask(plen);

		if (seed % 5 == 0 && r.n) {
			struct route victim = r.v[seed / 5 % r.n];

			assert_int_equal(route_del(&r, &victim), 0);
		} else {
			add(&r, dst, plen, 0, seed >> 8 & 3);
		}
		seed = seed * 1664525 + 1013904223;
		assert_ptr_equal(route_lookup(&r, seed & 0xf0f0f0ff, 0, -1),
		                 slow_lookup(&r, seed & 0xf0f0f0ff));
	}
	routes_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_empty_gives_none),
		cmocka_unit_test(lookup_longest_prefix_wins),
		cmocka_unit_test(lookup_lowest_metric_then_oldest_wins),
		cmocka_unit_test(lookup_by_interface_passes_others_over),
		cmocka_unit_test(lookup_route_of_this_tos_wins),
		cmocka_unit_test(add_same_again_replaces),
		cmocka_unit_test(del_takes_exactly_one),
		cmocka_unit_test(add_impossible_prefix_is_refused),
		cmocka_unit_test(lookup_random_table_agrees_with_plain_search),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
