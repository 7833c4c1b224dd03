/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"

static void any_size_is_usable_and_aligned(void **state)
{
	size_t size;
	char *p;

	(void)state;
	for (size = 0; size < (40u << 20); size = size * 9 / 8 + 1) {
		p = alloc_get(size);
		assert_non_null(p);
		assert_int_equal((uintptr_t)p % 16, 0);
		assert_true(alloc_owns(p));
		memset(p, 0xaa, size);
		alloc_give(p);
		p = alloc_zeroed(1, size);
		if (size)
			assert_true(!p[0] && !p[size / 2] && !p[size - 1]);
		alloc_give(p);
	}
}

static void blocks_do_not_overlap(void **state)
{
	static unsigned char *v[2000];
	static size_t len[2000];
	unsigned i, k, seed = 1;

	(void)state;
	for (i = 0; i < 60000; i++) {
		k = (unsigned)rand_r(&seed) % 2000;
		if (v[k]) {
			assert_int_equal(v[k][0], k & 255);
			assert_int_equal(v[k][len[k] - 1], k & 255);
			alloc_give(v[k]);
		}
		len[k] = 1 + (size_t)rand_r(&seed) % (k % 50 ? 3000 : 300000);
		v[k] = alloc_get(len[k]);
		assert_non_null(v[k]);
		memset(v[k], (int)(k & 255), len[k]);
	}
	for (k = 0; k < 2000; k++)
		alloc_give(v[k]);
}

static void freed_block_is_used_again(void **state)
{
	void *p = alloc_get(100), *q;

	(void)state;
	alloc_give(p);
	q = alloc_get(97);
	assert_ptr_equal(p, q);
	alloc_give(q);
}

static void resized_block_keeps_its_bytes(void **state)
{
	size_t size = 10, i;
	unsigned char *p = alloc_resized(NULL, size);

	(void)state;
	for (i = 0; i < size; i++)
		p[i] = (unsigned char)i;
	while (size < 2000000) {
		p = alloc_resized(p, size * 3);
		for (i = 0; i < size; i++)
			assert_int_equal(p[i], (unsigned char)i);
		size *= 3;
		for (; i < size; i++)
			p[i] = (unsigned char)i;
	}
	p = alloc_resized(p, 5);
	assert_int_equal(p[4], 4);
	alloc_give(p);
}

/* Blocks of a connection's size: they are whole, and behind the first tens of megabytes lie in what may have huge pages. */
static void many_blocks_lie_in_huge_pages(void **state)
{
	enum { N = 30000, BYTES = 1792, PAGE = 2 << 20 };
	unsigned char **v = calloc(N, sizeof(*v));
	uintptr_t begin = 0;
	unsigned i, k;

	(void)state;
	assert_non_null(v);
	for (i = 0; i < N; i++) {
		v[i] = alloc_zeroed(1, BYTES);
		assert_non_null(v[i]);
		assert_true(!v[i][0] && !v[i][BYTES - 1]);
		memset(v[i], (int)(i & 255), BYTES);
	}
	for (i = 0; i < N; i++)
		assert_true(v[i][0] == (i & 255) && v[i][BYTES - 1] == (i & 255));
	/* The last 4,000 are in 7 MB, whole huge pages among them. */
	for (i = N - 4000, k = 0; i < N; i++) {
		if ((uintptr_t)v[i] / PAGE != begin) {
			begin = (uintptr_t)v[i] / PAGE;
			k = 0;
		}
		if (++k > PAGE / (BYTES + 64) - 2)
			break;
	}
	assert_true(i < N);
	for (i = 0; i < N; i++)
		alloc_give(v[i]);
	free(v);
}

static void too_much_is_enomem(void **state)
{
	(void)state;
	errno = 0;
	assert_null(alloc_get(SIZE_MAX - 5));
	assert_int_equal(errno, ENOMEM);
	assert_null(alloc_zeroed(SIZE_MAX / 2, 3));
	assert_null(alloc_get((size_t)1 << 60));
}

static void libc_s_blocks_are_told_apart(void **state)
{
	char *p;

	(void)state;
#ifdef __SANITIZE_THREAD__
	skip();   /* its malloc() puts no header before a block, and the first has nothing before it */
#endif
	p = strdup("a string");
	assert_false(alloc_owns(p));
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_size_is_usable_and_aligned),
		cmocka_unit_test(blocks_do_not_overlap),
		cmocka_unit_test(freed_block_is_used_again),
		cmocka_unit_test(resized_block_keeps_its_bytes),
		cmocka_unit_test(many_blocks_lie_in_huge_pages),
		cmocka_unit_test(too_much_is_enomem),
		cmocka_unit_test(libc_s_blocks_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
