/* SPDX-License-Identifier: BSD-2-Clause */
/* test_conntab.c - ehash: who owns which 4-tuple; and the lifetime of what is counted. */
#include "stack/conntab_impl.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct siphash_key key = { { 1, 2 } };

static struct tuple tuple(uint32_t i)
{
	struct tuple t = { .laddr = 0x0a000001, .raddr = 0x0a000100 + (i >> 16),
	                   .lport = 80, .rport = (uint16_t)i };

	return t;
}

static void empty_finds_nothing(void **state)
{
	struct conntab ct;
	struct tuple t = tuple(1);

	(void)state;
	assert_int_equal(conntab_init(&ct, &key), 0);
	assert_null(conntab_find(&ct, &t));
	assert_null(conntab_find_listener(&ct, &(struct tuple){ .lport = 80 }, 0));
	conntab_fini(&ct);
}

static void inserted_is_found_by_exactly_its_tuple(void **state)
{
	struct conntab ct;
	struct ent e = { .t = tuple(7) };
	struct tuple t;

	(void)state;
	conntab_init(&ct, &key);
	assert_int_equal(conntab_insert(&ct, &e), 0);
	assert_true(e.is_hashed);
	assert_ptr_equal(conntab_find(&ct, &e.t), &e);
	t = e.t;
	t.lport++;
	assert_null(conntab_find(&ct, &t));
	t = e.t;
	t.laddr++;
	assert_null(conntab_find(&ct, &t));
	t = e.t;
	t.raddr = e.t.laddr;
	t.laddr = e.t.raddr;
	assert_null(conntab_find(&ct, &t));
	conntab_fini(&ct);
}

static void second_owner_of_a_tuple_is_eexist(void **state)
{
	struct conntab ct;
	struct ent a = { .t = tuple(7) }, b = { .t = tuple(7) };

	(void)state;
	conntab_init(&ct, &key);
	assert_int_equal(conntab_insert(&ct, &a), 0);
	assert_int_equal(conntab_insert(&ct, &b), -EEXIST);
	assert_ptr_equal(conntab_find(&ct, &a.t), &a);
	conntab_remove(&ct, &b);
	assert_ptr_equal(conntab_find(&ct, &a.t), &a);
	conntab_fini(&ct);
}

static void removed_is_gone_and_can_come_back(void **state)
{
	struct conntab ct;
	struct ent e = { .t = tuple(7) };

	(void)state;
	conntab_init(&ct, &key);
	conntab_insert(&ct, &e);
	conntab_remove(&ct, &e);
	assert_false(e.is_hashed);
	assert_null(conntab_find(&ct, &e.t));
	conntab_remove(&ct, &e);
	assert_int_equal(conntab_insert(&ct, &e), 0);
	conntab_fini(&ct);
}

static void replaced_gives_its_place_to_the_other(void **state)
{
	struct conntab ct;
	struct ent a = { .t = tuple(7) }, tw = { .t = tuple(7), .kind = ENT_TIMEWAIT };

	(void)state;
	conntab_init(&ct, &key);
	conntab_insert(&ct, &a);
	conntab_replace(&ct, &a, &tw);
	assert_ptr_equal(conntab_find(&ct, &a.t), &tw);
	assert_false(a.is_hashed);
	conntab_remove(&ct, &a);
	assert_ptr_equal(conntab_find(&ct, &a.t), &tw);
	conntab_remove(&ct, &tw);
	assert_null(conntab_find(&ct, &a.t));
	conntab_fini(&ct);
}

#define MANY 200000

static void many_entries_are_all_found_while_the_table_grows(void **state)
{
	struct conntab ct;
	struct ent *e = calloc(MANY, sizeof(*e));

	(void)state;
	conntab_init(&ct, &key);
	for (uint32_t i = 0; i < MANY; i++) {
		e[i].t = tuple(i);
		assert_int_equal(conntab_insert(&ct, &e[i]), 0);
		if (i % 1000 == 0)
			for (uint32_t k = 0; k <= i; k += 97)
				assert_ptr_equal(conntab_find(&ct, &e[k].t), &e[k]);
	}
	for (uint32_t i = 0; i < MANY; i += 2)
		conntab_remove(&ct, &e[i]);
	for (uint32_t i = 0; i < MANY; i++)
		assert_ptr_equal(conntab_find(&ct, &e[i].t), i % 2 ? &e[i] : NULL);
	assert_int_equal(ct.ents.n, MANY / 2);
	conntab_fini(&ct);
	free(e);
}

static void server_connections_are_not_counted_by_destination(void **state)
{
	struct conntab ct;
	struct ent e[100];

	(void)state;
	memset(e, 0, sizeof(e));
	conntab_init(&ct, &key);
	for (uint32_t i = 0; i < 100; i++) {
		e[i].t = tuple(i);
		conntab_insert(&ct, &e[i]);
	}
	assert_int_equal(ct.dests.n, 0);
	conntab_fini(&ct);
}

static void counted_entry_stays_counted_through_timewait(void **state)
{
	struct conntab ct;
	struct ent e = { .t = { 1, 2, 0, 80 } }, tw = { .kind = ENT_TIMEWAIT };
	struct bind_owner o = { 0 };
	struct port_choice c = { .range = { 32768, 60999, false } };

	(void)state;
	conntab_init(&ct, &key);
	assert_int_equal(conntab_connect(&ct, &e, &o, &c), 0);
	assert_int_equal(ct.dests.n, 1);
	tw.t = e.t;
	conntab_replace(&ct, &e, &tw);
	assert_int_equal(ct.dests.n, 1);
	conntab_remove(&ct, &tw);
	assert_int_equal(ct.dests.n, 0);
	conntab_unbind(&ct, &o);
	conntab_fini(&ct);
}

static void fini_frees_what_connections_left_behind(void **state)
{
	struct conntab ct;
	static struct ent e[200];
	static struct bind_owner o[200];
	struct port_choice c = { .range = { 32768, 60999, false } };

	(void)state;
	memset(e, 0, sizeof(e));
	memset(o, 0, sizeof(o));
	conntab_init(&ct, &key);
	conntab_need_claims(&ct, 99);
	conntab_reserve(&ct, 1, 65535);
	conntab_fini(&ct);
	conntab_init(&ct, &key);
	for (uint32_t i = 0; i < 200; i++) {
		e[i].t = (struct tuple){ 1, 2 + i % 3, 0, 80 };
		assert_int_equal(conntab_connect(&ct, &e[i], &o[i], &c), 0);
	}
	conntab_fini(&ct);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_finds_nothing),
		cmocka_unit_test(inserted_is_found_by_exactly_its_tuple),
		cmocka_unit_test(second_owner_of_a_tuple_is_eexist),
		cmocka_unit_test(removed_is_gone_and_can_come_back),
		cmocka_unit_test(replaced_gives_its_place_to_the_other),
		cmocka_unit_test(many_entries_are_all_found_while_the_table_grows),
		cmocka_unit_test(server_connections_are_not_counted_by_destination),
		cmocka_unit_test(counted_entry_stays_counted_through_timewait),
		cmocka_unit_test(fini_frees_what_connections_left_behind),
	};

	return cmocka_run_group_tests_name("conntab", tests, NULL, NULL);
}
