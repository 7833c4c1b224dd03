/* SPDX-License-Identifier: BSD-2-Clause */
/* test_timer.c - the deadline heap, also against a plain array as the oracle. */
#include "stack/timer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void empty_deadline_is_never(void **state)
{
	struct timers ts;

	(void)state;
	timers_init(&ts);
	assert_int_equal(timers_deadline(&ts), XTIME_NEVER);
	assert_null(timers_pop(&ts, XTIME_NEVER));
	timers_free(&ts);
}

static void armed_timer_pops_when_due_and_is_idle_then(void **state)
{
	struct timers ts;
	struct timer t;

	(void)state;
	timers_init(&ts);
	timer_init(&t, 7);
	assert_int_equal(timer_set(&ts, &t, 100), 0);
	assert_int_equal(timers_deadline(&ts), 100);
	assert_null(timers_pop(&ts, 99));
	assert_ptr_equal(timers_pop(&ts, 100), &t);
	assert_int_equal(t.at, XTIME_NEVER);
	assert_int_equal(t.pos, TIMER_IDLE);
	assert_int_equal(t.kind, 7);
	assert_null(timers_pop(&ts, 1000));
	timers_free(&ts);
}

static void timer_moved_later_pops_at_new_time_only(void **state)
{
	struct timers ts;
	struct timer a, b;

	(void)state;
	timers_init(&ts);
	timer_init(&a, 0);
	timer_init(&b, 0);
	timer_set(&ts, &a, 10);
	timer_set(&ts, &b, 20);
	timer_set(&ts, &a, 30);
	assert_int_equal(timers_deadline(&ts), 20);
	assert_ptr_equal(timers_pop(&ts, 25), &b);
	assert_null(timers_pop(&ts, 25));
	assert_int_equal(timers_deadline(&ts), 30);
	assert_ptr_equal(timers_pop(&ts, 30), &a);
	timers_free(&ts);
}

static void timer_moved_earlier_comes_first(void **state)
{
	struct timers ts;
	struct timer t[8];

	(void)state;
	timers_init(&ts);
	for (int i = 0; i < 8; i++) {
		timer_init(&t[i], 0);
		timer_set(&ts, &t[i], 100 + i);
	}
	timer_set(&ts, &t[7], 5);
	assert_int_equal(timers_deadline(&ts), 5);
	assert_ptr_equal(timers_pop(&ts, 5), &t[7]);
	timers_free(&ts);
}

static void disarmed_timer_is_not_seen_and_can_be_armed_again(void **state)
{
	struct timers ts;
	struct timer a, b;

	(void)state;
	timers_init(&ts);
	timer_init(&a, 0);
	timer_init(&b, 0);
	timer_set(&ts, &a, 10);
	timer_set(&ts, &b, 20);
	timer_set(&ts, &a, XTIME_NEVER);
	assert_int_equal(timers_deadline(&ts), 20);
	timer_set(&ts, &a, 15);
	assert_ptr_equal(timers_pop(&ts, 50), &a);
	assert_ptr_equal(timers_pop(&ts, 50), &b);
	timers_free(&ts);
}

static void timer_disarmed_then_armed_before_it_surfaces_is_one_entry(void **state)
{
	struct timers ts;
	struct timer a;

	(void)state;
	timers_init(&ts);
	timer_init(&a, 0);
	for (int i = 0; i < 100; i++) {
		timer_set(&ts, &a, 1000 + i);
		timer_set(&ts, &a, XTIME_NEVER);
	}
	assert_int_equal(ts.n, 1);
	timer_set(&ts, &a, 2000);
	assert_int_equal(timers_deadline(&ts), 2000);
	timers_free(&ts);
}

static void cancelled_timer_leaves_the_heap(void **state)
{
	struct timers ts;
	struct timer a, b;

	(void)state;
	timers_init(&ts);
	timer_init(&a, 0);
	timer_init(&b, 0);
	timer_set(&ts, &a, 10);
	timer_set(&ts, &b, 20);
	timer_cancel(&ts, &a);
	assert_int_equal(a.pos, TIMER_IDLE);
	assert_int_equal(a.at, XTIME_NEVER);
	assert_int_equal(ts.n, 1);
	timer_cancel(&ts, &a);
	assert_int_equal(timers_deadline(&ts), 20);
	timers_free(&ts);
}

static void never_on_an_idle_timer_takes_no_memory(void **state)
{
	struct timers ts;
	struct timer a;

	(void)state;
	timers_init(&ts);
	timer_init(&a, 0);
	assert_int_equal(timer_set(&ts, &a, XTIME_NEVER), 0);
	assert_int_equal(ts.cap, 0);
	timers_free(&ts);
}

static void room_made_beforehand_is_not_made_again(void **state)
{
	struct timers ts;
	struct timer t[50];
	struct timer_slot *heap;

	(void)state;
	timers_init(&ts);
	assert_int_equal(timers_grow(&ts, 50), 0);
	heap = ts.heap;
	for (int i = 0; i < 50; i++) {
		timer_init(&t[i], 0);
		assert_int_equal(timer_set(&ts, &t[i], 50 - i), 0);
	}
	assert_ptr_equal(ts.heap, heap);
	timers_free(&ts);
}

static void negative_and_extreme_times_are_ordered(void **state)
{
	struct timers ts;
	struct timer t[3];

	(void)state;
	timers_init(&ts);
	for (int i = 0; i < 3; i++)
		timer_init(&t[i], 0);
	timer_set(&ts, &t[0], XTIME_NEVER - 1);
	timer_set(&ts, &t[1], INT64_MIN);
	timer_set(&ts, &t[2], -1);
	assert_ptr_equal(timers_pop(&ts, 0), &t[1]);
	assert_ptr_equal(timers_pop(&ts, 0), &t[2]);
	assert_null(timers_pop(&ts, 0));
	assert_int_equal(timers_deadline(&ts), XTIME_NEVER - 1);
	timers_free(&ts);
}

#define N 300

/* Each timer's place and order are right in the heap. */
static void check_heap(const struct timers *ts, const struct timer *t, int n)
{
	uint32_t linked = 0;

	for (int i = 0; i < n; i++) {
		if (t[i].pos == TIMER_IDLE) {
			assert_int_equal(t[i].at, XTIME_NEVER);
			continue;
		}
		assert_true(t[i].pos < ts->n);
		linked++;
	}
	assert_int_equal(linked, ts->n);
}

static void random_operations_agree_with_a_plain_array(void **state)
{
	struct timers ts;
	static struct timer t[N];
	xtime want[N], now = 0;
	unsigned seed = 20240611;

	(void)state;
	print_message("seed %u\n", seed);
	srand(seed);
	timers_init(&ts);
	for (int i = 0; i < N; i++) {
		timer_init(&t[i], (uint32_t)i);
		want[i] = XTIME_NEVER;
	}
	for (int round = 0; round < 20000; round++) {
		int i = rand() % N, op = rand() % 10;
		xtime least = XTIME_NEVER;

		if (op < 6)
			want[i] = now + rand() % 1000;
		else
			want[i] = XTIME_NEVER;
		if (op == 9)
			timer_cancel(&ts, &t[i]);
		else
			assert_int_equal(timer_set(&ts, &t[i], want[i]), 0);
		for (int k = 0; k < N; k++)
			least = xtime_min(least, want[k]);
		if (round % 16 == 0)
			check_heap(&ts, t, N);
		if (round % 4 == 0)
			assert_int_equal(timers_deadline(&ts), least);
		if (op == 5) {
			struct timer *p;

			now += rand() % 100;
			while ((p = timers_pop(&ts, now))) {
				assert_true(want[p->kind] <= now);
				want[p->kind] = XTIME_NEVER;
			}
			for (int k = 0; k < N; k++)
				assert_true(want[k] > now);
		}
	}
	timers_free(&ts);
}

static void due_timers_pop_in_order(void **state)
{
	struct timers ts;
	static struct timer t[1000];
	struct timer *p;
	xtime last = -1;
	int n = 0;

	(void)state;
	srand(1);
	timers_init(&ts);
	for (int i = 0; i < 1000; i++) {
		timer_init(&t[i], (uint32_t)(rand() % 500));
		timer_set(&ts, &t[i], t[i].kind);
	}
	while ((p = timers_pop(&ts, 1000))) {
		assert_true((xtime)p->kind >= last);
		last = p->kind;
		n++;
	}
	assert_int_equal(n, 1000);
	timers_free(&ts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_deadline_is_never),
		cmocka_unit_test(armed_timer_pops_when_due_and_is_idle_then),
		cmocka_unit_test(timer_moved_later_pops_at_new_time_only),
		cmocka_unit_test(timer_moved_earlier_comes_first),
		cmocka_unit_test(disarmed_timer_is_not_seen_and_can_be_armed_again),
		cmocka_unit_test(timer_disarmed_then_armed_before_it_surfaces_is_one_entry),
		cmocka_unit_test(cancelled_timer_leaves_the_heap),
		cmocka_unit_test(never_on_an_idle_timer_takes_no_memory),
		cmocka_unit_test(room_made_beforehand_is_not_made_again),
		cmocka_unit_test(negative_and_extreme_times_are_ordered),
		cmocka_unit_test(random_operations_agree_with_a_plain_array),
		cmocka_unit_test(due_timers_pop_in_order),
	};

	return cmocka_run_group_tests_name("timer", tests, NULL, NULL);
}
