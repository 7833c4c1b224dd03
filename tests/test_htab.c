/* SPDX-License-Identifier: BSD-2-Clause */
/* test_htab.c - the table that grows without stopping, by counts. */
#include "stack/htab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct item {
	struct hnode node;
	uint64_t hash;
};

static uint64_t hashes_asked;

static uint64_t item_hash(const struct hnode *n, const void *ctx)
{
	(void)ctx;
	hashes_asked++;
	return container_of(n, const struct item, node)->hash;
}

static bool is_in(const struct htab *h, const struct item *it)
{
	struct hnode **chain = htab_chain(h, it->hash);

	for (const struct hnode *n = chain ? *chain : NULL; n; n = n->next)
		if (n == &it->node)
			return true;
	return false;
}

#define N 100000

static void growing_moves_few_entries_with_each_insertion(void **state)
{
	struct item *it = calloc(N, sizeof(*it));
	uint64_t most = 0;
	struct htab h;

	(void)state;
	htab_init(&h, item_hash, NULL);
	for (uint32_t i = 0; i < N; i++) {
		it[i].hash = i * UINT64_C(0x9e3779b97f4a7c15) >> 20;
		hashes_asked = 0;
		assert_int_equal(htab_add(&h, &it[i].node, it[i].hash), 0);
		most = MAX(most, hashes_asked);
		assert_int_equal(h.nbuckets, 2 * h.n);
	}
	print_message("at most %u entries moved by one insertion\n", (unsigned)most);
	assert_true(most < 20);
	for (uint32_t i = 0; i < N; i++)
		assert_true(is_in(&h, &it[i]));
	htab_fini(&h, NULL);
	free(it);
}

static void deleting_and_replacing_works_while_it_grows(void **state)
{
	static struct item it[1000], other[1000];
	struct htab h;

	(void)state;
	htab_init(&h, item_hash, NULL);
	assert_null(htab_chain(&h, 5));
	assert_false(htab_del(&h, &it[0].node, 0));
	for (uint32_t i = 0; i < 1000; i++) {
		it[i].hash = other[i].hash = i * 7919;
		htab_add(&h, &it[i].node, it[i].hash);
		if (i % 3 == 0)
			assert_true(htab_del(&h, &it[i / 2].node, it[i / 2].hash) ||
			            !is_in(&h, &it[i / 2]));
		else if (is_in(&h, &it[i / 2]))
			htab_replace(&h, &it[i / 2].node, &other[i / 2].node, it[i / 2].hash);
	}
	for (uint32_t i = 0; i < 1000; i++)
		assert_false(is_in(&h, &it[i]) && is_in(&h, &other[i]));
	htab_fini(&h, NULL);
}

static unsigned ngone;

static void count_gone(struct hnode *n)
{
	(void)n;
	ngone++;
}

static void fini_gives_every_entry_back(void **state)
{
	static struct item it[777];
	struct htab h;

	(void)state;
	htab_init(&h, item_hash, NULL);
	htab_fini(&h, count_gone);
	for (uint32_t i = 0; i < 777; i++) {
		it[i].hash = i * UINT64_C(0x9e3779b97f4a7c15) >> 20;
		htab_add(&h, &it[i].node, it[i].hash);
	}
	ngone = 0;
	htab_fini(&h, count_gone);
	assert_int_equal(ngone, 777);
	assert_null(htab_chain(&h, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(growing_moves_few_entries_with_each_insertion),
		cmocka_unit_test(fini_gives_every_entry_back),
		cmocka_unit_test(deleting_and_replacing_works_while_it_grows),
	};

	return cmocka_run_group_tests_name("htab", tests, NULL, NULL);
}
