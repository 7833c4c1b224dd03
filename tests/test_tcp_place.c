/* SPDX-License-Identifier: BSD-2-Clause */
/* test_tcp_place.c - payload that is received where it belongs: the same as if it had been copied there. */
#include <stdio.h>

#include "harness.h"

#define BIG 20000

/* A connection whose window takes some large frames, which arrive placed. */
static void open_wide(struct rig *t)
{
	establish(t, NULL);
	t->c->rcv.ssthresh = t->c->rcv.wnd = 200000;
	t->places = true;
}

/* [from, to) arrives in one super-frame. */
static void arrive(struct rig *t, uint32_t from, uint32_t to)
{
	char text[64];

	snprintf(text, sizeof(text), "P. %u:%u ack 1", from, to);
	inject_gso(t, 1448, text);
}

/* A program's buffer in two pieces, the second at an odd place, of which `skip` bytes are in use. */
struct buffer {
	uint8_t bytes[2 * BIG];
	struct iovec iov[2];
	struct tcp_reader r;
};

static void reads_into(struct rig *t, struct buffer *b, size_t first, size_t second, size_t skip)
{
	memset(b->bytes, 0xee, sizeof(b->bytes));
	b->iov[0] = (struct iovec){ b->bytes, first };
	b->iov[1] = (struct iovec){ b->bytes + BIG + 1, second };
	b->r = (struct tcp_reader){ .conn = t->c, .iov = b->iov, .iovcnt = 2, .skip = skip };
	t->reader = &b->r;
}

/* Byte i of the buffer, over both pieces. */
static uint8_t byte_of(const struct buffer *b, size_t i)
{
	const uint8_t *p = b->iov[0].iov_base, *q = b->iov[1].iov_base;

	return i < b->iov[0].iov_len ? p[i] : q[i - b->iov[0].iov_len];
}

static void expect_read(struct rig *t, const struct buffer *b, size_t n)
{
	assert_int_equal(b->r.done, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(byte_of(b, b->r.skip + i), pattern(t->ntaken + (uint32_t)i));
	t->ntaken += (uint32_t)n;
}

static void large_frame_is_placed_in_the_ring(void **state)
{
	struct rig *t = *state;

	open_wide(t);
	arrive(t, 1, 1 + BIG);
	assert_true(t->was_placed);
	expect(t, ". 1 ack %u", 1 + BIG);
	take(t, BIG / 2);
	arrive(t, 1 + BIG, 1 + 3 * BIG);
	assert_true(t->was_placed);
	expect(t, ". 1 ack %u", 1 + 3 * BIG);
	take(t, 5 * BIG / 2);
	assert_int_equal(try_take(t, 1, 0), -EAGAIN);
}

static void large_frame_wraps_in_the_ring(void **state)
{
	struct rig *t = *state;
	uint32_t at = 1;

	open_wide(t);
	arrive(t, at, at + BIG);
	for (int i = 0; i < 20; i++) {
		at += BIG;
		arrive(t, at, at + BIG);
		assert_true(t->was_placed);
		take(t, BIG);
	}
	take(t, BIG);
}

static void reader_gets_it_at_once(void **state)
{
	struct rig *t = *state;
	static struct buffer b;

	open_wide(t);
	reads_into(t, &b, 7001, BIG, 13);
	arrive(t, 1, 1 + BIG);
	assert_true(t->was_placed);
	expect_read(t, &b, BIG);
	expect(t, ". 1 ack %u", 1 + BIG);
	assert_int_equal(tcp_inq(t->c), 0);
	assert_int_equal(t->c->rcv.rmem, 0);
	assert_int_equal(try_take(t, 1, 0), -EAGAIN);
	assert_false(tcp_events(t->c) & POLLIN);
}

static void reader_with_less_room_leaves_the_rest(void **state)
{
	struct rig *t = *state;
	static struct buffer b;

	open_wide(t);
	reads_into(t, &b, 3000, 4000, 500);
	arrive(t, 1, 1 + BIG);
	expect_read(t, &b, 6500);
	assert_int_equal(tcp_inq(t->c), BIG - 6500);
	/* His buffer is full, and there is something to read before what comes next. */
	arrive(t, 1 + BIG, 1 + 2 * BIG);
	assert_int_equal(b.r.done, 6500);
	t->reader = NULL;
	take(t, 2 * BIG - 6500);
}

static void reader_is_served_in_order_only(void **state)
{
	struct rig *t = *state;
	static struct buffer b;

	open_wide(t);
	reads_into(t, &b, BIG, BIG, 0);
	arrive(t, 1 + BIG, 1 + 2 * BIG);
	assert_true(t->was_placed);
	assert_int_equal(b.r.done, 0);
	expect(t, ". 1 ack 1 sack %u:%u", 1 + BIG, 1 + 2 * BIG);
	arrive(t, 1, 1 + BIG);
	assert_true(t->was_placed);
	assert_int_equal(b.r.done, 0);
	take(t, 2 * BIG);
}

/* The same program, the same segments: what is sent and what is known don't differ. */
static void reading_at_once_looks_like_reading(void **state)
{
	struct rig *t = *state;
	static struct buffer b;
	struct tcp_conn *c;
	uint32_t at = 1;

	open_wide(t);
	c = t->c;
	for (int i = 0; i < 10; i++, at += BIG) {
		reads_into(t, &b, BIG, 0, 0);
		if (i % 2)
			t->reader = NULL;
		arrive(t, at, at + BIG);
		if (i % 2)
			take(t, BIG);
		else
			expect_read(t, &b, BIG);
		assert_int_equal(c->rcv.copied, c->rcv.nxt);
		assert_int_equal(c->rcv.rmem, 0);
		expect(t, ". 1 ack %u", at + BIG);
	}
	assert_int_equal(counted(t, CTR_bytes_in), 10 * BIG);
}

static void what_is_not_stored_is_not_placed(void **state)
{
	static const char *const text[] = {
		"P. 1:4001 ack 1",               /* small */
		"F. 1:20001 ack 1", "P.U 1:20001 ack 1 urg 5",
		"P. -1000:20001 ack 1",          /* some of it was there before */
		"P. 190001:210001 ack 1",        /* beyond the window */
	};
	struct rig *t = *state;

	open_wide(t);
	for (unsigned i = 0; i < ARRAY_LEN(text); i++) {
		inject_gso(t, 1448, text[i]);
		assert_false(t->was_placed);
		forget(t);
		if (i == 0)
			take(t, 4000);
	}
}

static void checksum_that_must_be_verified_is(void **state)
{
	struct rig *t = *state;

	open_wide(t);
	inject(t, "P. 1:20001 ack 1");
	assert_false(t->was_placed);
	take(t, BIG);
}

static void after_shutdown_nothing_is_placed(void **state)
{
	struct rig *t = *state;

	open_wide(t);
	assert_int_equal(tcp_shutdown(t->c, SHUT_RD, t->now), 0);
	arrive(t, 1, 1 + BIG);
	assert_false(t->was_placed);
}

/* Bytes of a forged segment lie where none are valid, and are gone with the right ones. */
static void placed_and_refused_leaves_nothing(void **state)
{
	struct rig *t = *state;
	static struct buffer b;

	open_wide(t);
	advance(t, 10 * XTIME_MSEC);
	inject(t, ". 1 ack 1 tsval 6000000");
	forget(t);
	reads_into(t, &b, BIG, BIG, 0);
	inject_gso(t, 1448, "P. 1:20001 ack 1 tsval 5000001");
	assert_true(t->was_placed);
	assert_int_equal(b.r.done, 0);
	assert_int_equal(tcp_inq(t->c), 0);
	assert_int_equal(counted(t, CTR_TcpExtPAWSEstab), 1);
	forget(t);
	inject_gso(t, 1448, "P. 1:20001 ack 1 tsval 6000001");
	expect_read(t, &b, BIG);
}

/* The places of out-of-order bytes are theirs alone. */
static void what_has_come_is_not_written_over(void **state)
{
	struct rig *t = *state;

	open_wide(t);
	arrive(t, 1 + BIG, 1 + 2 * BIG);
	assert_true(t->was_placed);
	arrive(t, 1 + BIG / 2, 1 + BIG + 100);
	assert_false(t->was_placed);
	arrive(t, 1 + BIG / 2, 1 + BIG + 100);
	assert_false(t->was_placed);
	arrive(t, 1 + 2 * BIG, 1 + 3 * BIG);
	assert_true(t->was_placed);
	arrive(t, 1, 1 + BIG / 2);
	assert_true(t->was_placed);
	forget(t);
	take(t, 3 * BIG);
}

/* Under pressure rings shrink to what they hold: not while a frame is placed. */
static void short_memory_keeps_what_is_placed(void **state)
{
	struct rig *t = *state;

	open_wide(t);
	arrive(t, 1, 1 + BIG);
	take(t, BIG);
	stack_settings(t->s)->tcp_mem_low = 1;
	stack_settings(t->s)->tcp_mem_pressure = 2;
	arrive(t, 1 + BIG, 1 + 3 * BIG);
	assert_true(t->was_placed);
	assert_true(tcp_mem_is_short(t->s));
	arrive(t, 1 + 3 * BIG, 1 + 4 * BIG);
	assert_false(t->was_placed);
	take(t, 2 * BIG);
}

static void frame_that_does_not_come_is_forgotten(void **state)
{
	struct rig *t = *state;
	struct placing *pl = &t->s->placing;

	open_wide(t);
	*pl = (struct placing){ .conn = t->c, .seq = t->c->rcv.nxt, .len = BIG };
	stack_unplace(t->s);
	t->places = false;
	arrive(t, 1, 1 + BIG);
	take(t, BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		own(large_frame_is_placed_in_the_ring),
		own(large_frame_wraps_in_the_ring),
		own(reader_gets_it_at_once),
		own(reader_with_less_room_leaves_the_rest),
		own(reader_is_served_in_order_only),
		own(reading_at_once_looks_like_reading),
		own(what_is_not_stored_is_not_placed),
		own(checksum_that_must_be_verified_is),
		own(after_shutdown_nothing_is_placed),
		own(placed_and_refused_leaves_nothing),
		own(what_has_come_is_not_written_over),
		own(short_memory_keeps_what_is_placed),
		own(frame_that_does_not_come_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
