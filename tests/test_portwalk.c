/* SPDX-License-Identifier: BSD-2-Clause */
/* test_portwalk.c - the walk in words against a walk port by port. */
#include "stack/portwalk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool is_left(const struct portmask *m, uint16_t port)
{
	if (portset_has(m->used, port) && !(m->retry && portset_has(m->retry, port)))
		return false;
	if (m->only && !portset_has(m->only, port))
		return false;
	return !portset_has(m->skip[1], port);
}

static uint32_t slow_next(const struct portwalk *w, uint32_t offset, uint32_t i,
                          const struct portmask *m)
{
	uint32_t port = w->lo + offset;

	for (uint32_t k = 0; k < w->remaining; k += w->step, port += w->step) {
		if (port >= w->hi)
			port -= w->remaining;
		if (k >= i && is_left(m, (uint16_t)port))
			return k;
	}
	return PORTWALK_END;
}

static void fill(struct portset *p, int percent)
{
	memset(p, 0, sizeof(*p));
	for (uint32_t port = 0; port < 65536; port++)
		if (rand() % 100 < percent)
			portset_add(p, (uint16_t)port);
}

static void compare(uint32_t lo, uint32_t hi, bool is_users, const struct portmask *m)
{
	struct portwalk w;
	uint32_t offset, i = 0, k;
	uint64_t words = 0;

	portwalk_init(&w, (uint16_t)lo, (uint16_t)hi, is_users);
	offset = (uint32_t)rand() % w.remaining;
	do {
		k = portwalk_next(&w, offset, i, m, &words);
		assert_int_equal(k, slow_next(&w, offset, i, m));
		if (k != PORTWALK_END)
			assert_true(is_left(m, portwalk_port(&w, offset, k)));
		i = k + w.step;
	} while (k != PORTWALK_END);
}

/* Whole words of one parity or both are full, as when a range fills up in order. */
static void fill_words(struct portset *p)
{
	for (uint32_t w = 0; w < 65536 / 64; w++)
		p->w[w] |= rand() % 3 ? UINT64_C(0x5555555555555555) << rand() % 2 : 0;
}

static void summarize(const struct portset *used, struct portsum full[2], const struct portset *only,
                      struct portsum *any)
{
	for (uint32_t port = 0; port < 65536; port += 64) {
		portsum_full(full, used, (uint16_t)port);
		portsum_any(any, only, (uint16_t)port);
	}
}

static void random_sets_with_summaries_give_the_same(void **state)
{
	static struct portset used, only, skip;
	static struct portsum full[2], any;
	struct portmask m = { .used = &used, .skip = { NULL, &skip } };

	(void)state;
	srand(10);
	for (int round = 0; round < 200; round++) {
		uint32_t a = (uint32_t)rand() % 65535 + 1, len = (uint32_t)rand() % 3000;

		if (round % 8 == 0) {
			fill(&used, 95);
			fill_words(&used);
			fill(&only, round % 16 ? 1 : 50);
			summarize(&used, full, &only, &any);
		}
		m.only = round % 2 ? &only : NULL;
		m.only_any = round % 2 ? &any : NULL;
		m.used_full = round % 3 ? full : NULL;
		compare(a, MIN(a + len, 65535), rand() % 2, &m);
	}
}

static void random_sets_give_the_port_of_the_slow_walk(void **state)
{
	static struct portset used, retry, only, skip;
	struct portmask m = { .used = &used, .retry = &retry, .skip = { NULL, &skip } };

	(void)state;
	srand(9);
	for (int round = 0; round < 200; round++) {
		uint32_t a = (uint32_t)rand() % 65535 + 1, len = (uint32_t)rand() % 400;

		if (round % 8 == 0) {
			fill(&used, 95);
			fill(&retry, 3);
			fill(&skip, 10);
			fill(&only, 70);
		}
		m.only = round % 2 ? &only : NULL;
		compare(a, MIN(a + len, 65535), rand() % 2, &m);
	}
	compare(1, 65535, true, &m);
	compare(65535, 65535, false, &m);
	compare(65535, 65535, true, &m);
	compare(1, 1, false, &m);
}

static void whole_range_is_walked_in_words(void **state)
{
	static struct portset used;
	struct portmask m = { .used = &used };
	struct portwalk w;
	uint64_t words = 0;

	(void)state;
	memset(&used, 0xff, sizeof(used));
	portwalk_init(&w, 32768, 60999, false);
	assert_int_equal(portwalk_next(&w, 1000, 0, &m, &words), PORTWALK_END);
	assert_true(words <= 28232 / 64 + 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_sets_give_the_port_of_the_slow_walk),
		cmocka_unit_test(random_sets_with_summaries_give_the_same),
		cmocka_unit_test(whole_range_is_walked_in_words),
	};

	return cmocka_run_group_tests_name("portwalk", tests, NULL, NULL);
}
