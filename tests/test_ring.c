/* SPDX-License-Identifier: BSD-2-Clause */
/* test_ring.c - the byte ring, also against a flat array as the oracle. */
#include "stack/ring.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void append(struct ring *r, const char *s)
{
	struct iovec iov = { (void *)(uintptr_t)s, strlen(s) };

	assert_int_equal(ring_append_iov(r, &iov, 1, 0, SIZE_MAX), strlen(s));
}

static void expect(const struct ring *r, size_t off, const char *s)
{
	char got[256];
	struct iovec iov = { got, sizeof(got) };
	size_t n = ring_copy_iov(r, off, &iov, 1, 0, strlen(s));

	assert_int_equal(n, strlen(s));
	assert_memory_equal(got, s, n);
}

static void fresh_ring_holds_no_memory(void **state)
{
	struct ring r;

	(void)state;
	ring_init(&r);
	assert_null(r.buf);
	assert_int_equal(r.cap, 0);
	ring_drop(&r, 0);
	assert_false(ring_rewind(&r));
	ring_put(&r, 0, NULL, 0);
	ring_free(&r);
}

static void appended_bytes_are_read_in_order(void **state)
{
	struct ring r;

	(void)state;
	ring_init(&r);
	append(&r, "hello ");
	append(&r, "world");
	assert_int_equal(r.len, 11);
	expect(&r, 0, "hello world");
	expect(&r, 6, "world");
	ring_drop(&r, 6);
	expect(&r, 0, "world");
	ring_free(&r);
}

static void capacity_is_a_power_of_two_and_grows(void **state)
{
	struct ring r;

	(void)state;
	ring_init(&r);
	assert_int_equal(ring_reserve(&r, 1), 0);
	assert_int_equal(r.cap & (r.cap - 1), 0);
	assert_int_equal(ring_reserve(&r, 100000), 0);
	assert_int_equal(r.cap, 131072);
	assert_int_equal(ring_reserve(&r, 5), 0);
	assert_int_equal(r.cap, 131072);
	ring_free(&r);
}

static void impossible_need_is_refused_unchanged(void **state)
{
	struct ring r;

	(void)state;
	ring_init(&r);
	append(&r, "abc");
	assert_int_equal(ring_reserve(&r, (size_t)1 << 40), -ENOMEM);
	expect(&r, 0, "abc");
	ring_free(&r);
}

static void out_of_order_put_waits_until_extended(void **state)
{
	struct ring r;

	(void)state;
	ring_init(&r);
	append(&r, "ab");
	assert_int_equal(ring_reserve(&r, 6), 0);
	ring_put(&r, 4, "ef", 2);
	assert_int_equal(r.len, 2);
	ring_put(&r, 2, "cd", 2);
	ring_extend(&r, 4);
	expect(&r, 0, "abcdef");
	ring_free(&r);
}

static void dropping_keeps_what_lies_beyond(void **state)
{
	struct ring r;

	(void)state;
	ring_init(&r);
	append(&r, "abcd");
	assert_int_equal(ring_reserve(&r, 8), 0);
	ring_put(&r, 6, "gh", 2);
	ring_drop(&r, 4);
	assert_int_equal(r.len, 0);
	ring_put(&r, 0, "ef", 2);
	ring_extend(&r, 4);
	expect(&r, 0, "efgh");
	ring_free(&r);
}

static void growing_a_wrapped_ring_keeps_data_and_beyond(void **state)
{
	struct ring r;
	uint8_t big[1024], *got = malloc(4096);
	struct iovec iov = { big, 1024 }, out = { got, 4096 };

	(void)state;
	for (int i = 0; i < 1024; i++)
		big[i] = (uint8_t)(i * 7);
	ring_init(&r);
	assert_int_equal(ring_append_iov(&r, &iov, 1, 0, 1024), 1024);
	assert_int_equal(r.cap, 1024);
	ring_drop(&r, 1000);
	ring_put(&r, 24, big, 500);         /* wraps, beyond the readable part */
	ring_put(&r, 600, big, 300);
	assert_int_equal(ring_reserve(&r, 3000), 0);
	ring_extend(&r, 876);
	assert_int_equal(ring_copy_iov(&r, 0, &out, 1, 0, 4096), 900);
	assert_memory_equal(got, big + 1000, 24);
	assert_memory_equal(got + 24, big, 500);
	assert_memory_equal(got + 600, big, 300);
	ring_free(&r);
	free(got);
}

static void peek_gives_one_piece_or_two(void **state)
{
	struct ring r;
	struct iovec iov = { NULL, 1024 }, out[2];
	uint8_t big[1024];

	(void)state;
	memset(big, 'x', sizeof(big));
	iov.iov_base = big;
	ring_init(&r);
	ring_append_iov(&r, &iov, 1, 0, 1000);
	assert_int_equal(ring_peek(&r, 0, 0, out), 0);
	assert_int_equal(ring_peek(&r, 10, 20, out), 1);
	assert_ptr_equal(out[0].iov_base, r.buf + 10);
	assert_int_equal(out[0].iov_len, 20);
	ring_drop(&r, 990);
	ring_append_iov(&r, &iov, 1, 0, 100);
	assert_int_equal(ring_peek(&r, 0, 110, out), 2);
	assert_int_equal(out[0].iov_len, 34);
	assert_ptr_equal(out[1].iov_base, r.buf);
	assert_int_equal(out[1].iov_len, 76);
	assert_int_equal(ring_peek(&r, 34, 10, out), 1);
	assert_ptr_equal(out[0].iov_base, r.buf);
	ring_free(&r);
}

static void append_honours_skip_and_max_over_many_pieces(void **state)
{
	struct ring r;
	char a[] = "abc", b[] = "", c[] = "defg";
	struct iovec iov[] = { { a, 3 }, { b, 0 }, { c, 4 } };

	(void)state;
	ring_init(&r);
	assert_int_equal(ring_append_iov(&r, iov, 3, 2, 3), 3);
	expect(&r, 0, "cde");
	assert_int_equal(ring_append_iov(&r, iov, 3, 5, 100), 2);
	expect(&r, 0, "cdefg");
	assert_int_equal(ring_append_iov(&r, iov, 3, 7, 100), 0);
	assert_int_equal(ring_append_iov(&r, iov, 3, 0, 0), 0);
	assert_int_equal(r.len, 5);
	ring_free(&r);
}

static void copy_honours_skip_and_max_over_many_pieces(void **state)
{
	struct ring r;
	char a[4] = "....", b[4] = "....";
	struct iovec iov[] = { { a, 4 }, { NULL, 0 }, { b, 4 } };

	(void)state;
	ring_init(&r);
	append(&r, "0123456789");
	assert_int_equal(ring_copy_iov(&r, 1, iov, 3, 3, 3), 3);
	assert_memory_equal(a, "...1", 4);
	assert_memory_equal(b, "23..", 4);
	assert_int_equal(ring_copy_iov(&r, 8, iov, 3, 0, 100), 2);
	assert_memory_equal(a, "89.1", 4);
	assert_int_equal(ring_copy_iov(&r, 10, iov, 3, 0, 100), 0);
	assert_int_equal(ring_copy_iov(&r, 0, iov, 3, 0, 100), 8);
	assert_memory_equal(b, "4567", 4);
	ring_free(&r);
}

static void rewind_frees_a_small_ring(void **state)
{
	struct ring r;

	(void)state;
	ring_init(&r);
	append(&r, "abc");
	ring_drop(&r, 3);
	assert_false(ring_rewind(&r));
	assert_null(r.buf);
	append(&r, "xyz");
	expect(&r, 0, "xyz");
	ring_free(&r);
}

static void rewind_keeps_a_large_ring_and_begins_at_its_front(void **state)
{
	struct ring r;
	uint8_t *buf;

	(void)state;
	ring_init(&r);
	assert_int_equal(ring_reserve(&r, 100000), 0);
	buf = r.buf;
	append(&r, "abc");
	ring_drop(&r, 3);
	assert_true(ring_rewind(&r));
	assert_ptr_equal(r.buf, buf);
	append(&r, "xyz");
	assert_memory_equal(r.buf, "xyz", 3);
	expect(&r, 0, "xyz");
	ring_free(&r);
}

#define FLAT (1 << 20)

/* A stream of numbered bytes is written at random offsets and read at random. */
static void random_operations_agree_with_a_flat_array(void **state)
{
	static uint8_t flat[FLAT];
	static uint8_t buf[8192];
	unsigned seed = 77;
	size_t head = 0, tail = 0;
	struct ring r;

	(void)state;
	print_message("seed %u\n", seed);
	srand(seed);
	for (size_t i = 0; i < FLAT; i++)
		flat[i] = (uint8_t)rand();
	ring_init(&r);
	while (tail < FLAT - 20000) {
		size_t n = (size_t)rand() % 5000, gap = (size_t)rand() % 3000;
		size_t cut = n ? (size_t)rand() % n : 0;
		struct iovec in[2], out = { buf, sizeof(buf) };

		switch (rand() % 4) {
		case 0:         /* in order, in two pieces */
			in[0] = (struct iovec){ flat + tail, cut };
			in[1] = (struct iovec){ flat + tail + cut, n - cut };
			assert_int_equal(ring_append_iov(&r, in, 2, 0, n), n);
			tail += n;
			break;
		case 1:         /* out of order, then the gap */
			assert_int_equal(ring_reserve(&r, r.len + gap + n), 0);
			ring_put(&r, r.len + gap, flat + tail + gap, n);
			if (rand() % 2)
				assert_int_equal(ring_reserve(&r, r.cap * 2), 0);
			ring_drop(&r, MIN(r.len, 10u));
			head = tail - r.len;
			ring_put(&r, r.len, flat + tail, gap);
			ring_extend(&r, gap + n);
			tail += gap + n;
			break;
		default:
			n = ring_copy_iov(&r, 0, &out, 1, 0, n);
			assert_memory_equal(buf, flat + head, n);
			ring_drop(&r, n);
			head += n;
			if (!r.len)
				ring_rewind(&r);
		}
		assert_int_equal(r.len, tail - head);
	}
	ring_free(&r);
}

/* Wrapped around the end, and with bytes that wait beyond a gap. */
static void fit_gives_memory_back_and_keeps_data_and_beyond(void **state)
{
	uint8_t bytes[8192], out[3000];
	struct iovec iov = { bytes, sizeof(bytes) }, to = { out, sizeof(out) };
	struct ring r;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7);
	ring_init(&r);
	assert_int_equal(ring_append_iov(&r, &iov, 1, 0, 8192), 8192);
	ring_drop(&r, 8000);
	ring_put(&r, 1192, bytes, 300);
	ring_fit(&r, 5000);
	assert_int_equal(r.cap, 8192);
	ring_fit(&r, 1492);
	assert_int_equal(r.cap, 2048);
	assert_int_equal(r.len, 192);
	ring_put(&r, 192, bytes, 1000);
	ring_extend(&r, 1300);
	assert_int_equal(ring_copy_iov(&r, 0, &to, 1, 0, sizeof(out)), 1492);
	assert_memory_equal(out, bytes + 8000, 192);
	assert_memory_equal(out + 192, bytes, 1000);
	assert_memory_equal(out + 1192, bytes, 300);
	ring_drop(&r, 1492);
	ring_fit(&r, 0);
	assert_int_equal(r.cap, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fresh_ring_holds_no_memory),
		cmocka_unit_test(appended_bytes_are_read_in_order),
		cmocka_unit_test(capacity_is_a_power_of_two_and_grows),
		cmocka_unit_test(impossible_need_is_refused_unchanged),
		cmocka_unit_test(out_of_order_put_waits_until_extended),
		cmocka_unit_test(dropping_keeps_what_lies_beyond),
		cmocka_unit_test(growing_a_wrapped_ring_keeps_data_and_beyond),
		cmocka_unit_test(peek_gives_one_piece_or_two),
		cmocka_unit_test(append_honours_skip_and_max_over_many_pieces),
		cmocka_unit_test(copy_honours_skip_and_max_over_many_pieces),
		cmocka_unit_test(rewind_frees_a_small_ring),
		cmocka_unit_test(rewind_keeps_a_large_ring_and_begins_at_its_front),
		cmocka_unit_test(fit_gives_memory_back_and_keeps_data_and_beyond),
		cmocka_unit_test(random_operations_agree_with_a_flat_array),
	};

	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
