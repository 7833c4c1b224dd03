/* SPDX-License-Identifier: BSD-2-Clause */
/* test_ranges.c - intervals of sequence space, also against a bit array as the oracle. */
#include "stack/ranges.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MANY 1000

static void add(struct ranges *r, seq32 start, seq32 end, uint32_t fresh)
{
	struct range m;
	uint32_t n;

	assert_int_equal(ranges_add(r, start, end, MANY, &m, &n), 0);
	assert_int_equal(n, fresh);
	assert_true(seq_le(m.start, start) && seq_le(end, m.end));
}

static void expect(const struct ranges *r, uint32_t i, seq32 start, seq32 end)
{
	assert_true(i < r->n);
	assert_int_equal(r->v[i].start, start);
	assert_int_equal(r->v[i].end, end);
}

static void empty_holds_nothing(void **state)
{
	struct ranges r;

	(void)state;
	ranges_init(&r);
	assert_null(ranges_find(&r, 5));
	assert_false(ranges_has(&r, 5, 6));
	assert_int_equal(ranges_total(&r), 0);
	ranges_cut_before(&r, 5);
	ranges_cut_from(&r, 5);
	assert_null(r.v);
	ranges_free(&r);
}

static void disjoint_added_in_any_order_are_sorted(void **state)
{
	struct ranges r;

	(void)state;
	ranges_init(&r);
	add(&r, 50, 60, 10);
	add(&r, 10, 20, 10);
	add(&r, 30, 40, 10);
	assert_int_equal(r.n, 3);
	expect(&r, 0, 10, 20);
	expect(&r, 1, 30, 40);
	expect(&r, 2, 50, 60);
	assert_int_equal(ranges_total(&r), 30);
	ranges_free(&r);
}

static void touching_and_overlapping_are_merged(void **state)
{
	struct ranges r;

	(void)state;
	ranges_init(&r);
	add(&r, 10, 20, 10);
	add(&r, 20, 30, 10);
	add(&r, 5, 10, 5);
	assert_int_equal(r.n, 1);
	add(&r, 15, 40, 10);
	expect(&r, 0, 5, 40);
	add(&r, 10, 12, 0);
	add(&r, 60, 70, 10);
	add(&r, 80, 90, 10);
	add(&r, 30, 85, 20 + 10);
	assert_int_equal(r.n, 1);
	expect(&r, 0, 5, 90);
	ranges_free(&r);
}

static void merged_result_is_the_whole_interval(void **state)
{
	struct ranges r;
	struct range m;

	(void)state;
	ranges_init(&r);
	add(&r, 10, 20, 10);
	add(&r, 30, 40, 10);
	assert_int_equal(ranges_add(&r, 20, 30, MANY, &m, NULL), 0);
	assert_int_equal(m.start, 10);
	assert_int_equal(m.end, 40);
	ranges_free(&r);
}

static void full_refuses_a_new_interval_but_merges(void **state)
{
	struct ranges r;
	uint32_t fresh;

	(void)state;
	ranges_init(&r);
	assert_int_equal(ranges_add(&r, 10, 20, 2, NULL, NULL), 0);
	assert_int_equal(ranges_add(&r, 30, 40, 2, NULL, NULL), 0);
	assert_int_equal(ranges_add(&r, 50, 60, 2, NULL, NULL), -ENOSPC);
	assert_int_equal(ranges_total(&r), 20);
	assert_int_equal(ranges_add(&r, 40, 60, 2, NULL, &fresh), 0);
	assert_int_equal(fresh, 20);
	assert_int_equal(r.n, 2);
	ranges_free(&r);
}

static void empty_or_reversed_interval_is_invalid(void **state)
{
	struct ranges r;

	(void)state;
	ranges_init(&r);
	assert_int_equal(ranges_add(&r, 10, 10, MANY, NULL, NULL), -EINVAL);
	assert_int_equal(ranges_add(&r, 11, 10, MANY, NULL, NULL), -EINVAL);
	assert_int_equal(ranges_add(&r, 0, 0x80000001u, MANY, NULL, NULL), -EINVAL);
	ranges_free(&r);
}

static void cut_before_drops_and_shortens(void **state)
{
	struct ranges r;

	(void)state;
	ranges_init(&r);
	add(&r, 10, 20, 10);
	add(&r, 30, 40, 10);
	ranges_cut_before(&r, 5);
	assert_int_equal(ranges_total(&r), 20);
	ranges_cut_before(&r, 15);
	expect(&r, 0, 15, 20);
	ranges_cut_before(&r, 20);
	assert_int_equal(r.n, 1);
	expect(&r, 0, 30, 40);
	ranges_cut_before(&r, 40);
	assert_int_equal(r.n, 0);
	assert_null(r.v);
	ranges_free(&r);
}

static void cut_from_drops_and_shortens(void **state)
{
	struct ranges r;

	(void)state;
	ranges_init(&r);
	add(&r, 10, 20, 10);
	add(&r, 30, 40, 10);
	ranges_cut_from(&r, 40);
	assert_int_equal(ranges_total(&r), 20);
	ranges_cut_from(&r, 35);
	expect(&r, 1, 30, 35);
	ranges_cut_from(&r, 30);
	assert_int_equal(r.n, 1);
	ranges_cut_from(&r, 20);
	expect(&r, 0, 10, 20);
	ranges_cut_from(&r, 10);
	assert_null(r.v);
	ranges_free(&r);
}

static void find_and_has_respect_half_open_ends(void **state)
{
	struct ranges r;

	(void)state;
	ranges_init(&r);
	add(&r, 10, 20, 10);
	assert_null(ranges_find(&r, 9));
	assert_non_null(ranges_find(&r, 10));
	assert_non_null(ranges_find(&r, 19));
	assert_null(ranges_find(&r, 20));
	assert_true(ranges_has(&r, 10, 20));
	assert_true(ranges_has(&r, 12, 13));
	assert_false(ranges_has(&r, 9, 11));
	assert_false(ranges_has(&r, 19, 21));
	assert_true(ranges_has(&r, 50, 50));
	ranges_free(&r);
}

static void sequence_wrap_is_no_boundary(void **state)
{
	struct ranges r;

	(void)state;
	ranges_init(&r);
	add(&r, 0xfffffff0u, 0xfffffff8u, 8);
	add(&r, 8, 16, 8);
	add(&r, 0xfffffffcu, 4, 8);
	assert_int_equal(r.n, 3);
	expect(&r, 1, 0xfffffffcu, 4);
	assert_true(ranges_has(&r, 0xfffffffeu, 2));
	add(&r, 0xfffffff8u, 8, 8);
	assert_int_equal(r.n, 1);
	expect(&r, 0, 0xfffffff0u, 16);
	ranges_cut_before(&r, 0);
	expect(&r, 0, 0, 16);
	ranges_free(&r);
}

#define SPAN 400

static uint32_t count_bits(const bool *bit, int from, int to)
{
	uint32_t n = 0;

	for (int i = from; i < to; i++)
		n += bit[i];
	return n;
}

static void check_against(const struct ranges *r, seq32 base, const bool *bit)
{
	assert_int_equal(ranges_total(r), count_bits(bit, 0, SPAN));
	for (int i = 0; i < SPAN; i++)
		assert_int_equal(ranges_find(r, base + (seq32)i) != NULL, bit[i]);
	for (uint32_t i = 1; i < r->n; i++)
		assert_true(seq_lt(r->v[i - 1].end, r->v[i].start));
}

static void random_operations_agree_with_a_bit_array(void **state)
{
	seq32 base = 0xffffff00u;
	unsigned seed = 4711;
	struct ranges r;
	bool bit[SPAN];

	(void)state;
	print_message("seed %u\n", seed);
	srand(seed);
	memset(bit, 0, sizeof(bit));
	ranges_init(&r);
	for (int round = 0; round < 5000; round++) {
		int a = rand() % SPAN, len = 1 + rand() % 12, b = MIN(a + len, SPAN);
		uint32_t fresh;

		if (rand() % 20 == 0) {
			memset(bit, 0, (size_t)a * sizeof(*bit));
			ranges_cut_before(&r, base + (seq32)a);
		} else if (rand() % 20 == 0) {
			memset(bit + a, 0, (size_t)(SPAN - a) * sizeof(*bit));
			ranges_cut_from(&r, base + (seq32)a);
		} else {
			assert_int_equal(ranges_has(&r, base + (seq32)a, base + (seq32)b),
			                 count_bits(bit, a, b) == (uint32_t)(b - a));
			assert_int_equal(ranges_add(&r, base + (seq32)a, base + (seq32)b, MANY,
			                            NULL, &fresh), 0);
			assert_int_equal(fresh, (uint32_t)(b - a) - count_bits(bit, a, b));
			memset(bit + a, 1, (size_t)(b - a) * sizeof(*bit));
		}
		check_against(&r, base, bit);
	}
	ranges_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_holds_nothing),
		cmocka_unit_test(disjoint_added_in_any_order_are_sorted),
		cmocka_unit_test(touching_and_overlapping_are_merged),
		cmocka_unit_test(merged_result_is_the_whole_interval),
		cmocka_unit_test(full_refuses_a_new_interval_but_merges),
		cmocka_unit_test(empty_or_reversed_interval_is_invalid),
		cmocka_unit_test(cut_before_drops_and_shortens),
		cmocka_unit_test(cut_from_drops_and_shortens),
		cmocka_unit_test(find_and_has_respect_half_open_ends),
		cmocka_unit_test(sequence_wrap_is_no_boundary),
		cmocka_unit_test(random_operations_agree_with_a_bit_array),
	};

	return cmocka_run_group_tests_name("ranges", tests, NULL, NULL);
}
