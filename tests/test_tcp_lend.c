/* SPDX-License-Identifier: BSD-2-Clause */
/* test_tcp_lend.c - bytes that are sent from where the program has them: the same as if they had been copied. */
#include "harness.h"

#define MSS 1448u

/* What the program writes, and writes over when the call has ended. */
struct lender {
	uint8_t bytes[200000];
	size_t n;                  /* of them are lent */
};

static struct lender lender;

/* The next n bytes go on where the last ones of this call have ended. */
static void lend(struct rig *t, size_t n)
{
	uint8_t *p = lender.bytes + lender.n;
	struct iovec iov = { p, n };

	for (size_t i = 0; i < n; i++)
		p[i] = pattern(t->nput + (uint32_t)i);
	assert_int_equal(tcp_send(t->c, &iov, 1, 0, TCP_SEND_LENT, t->now), n);
	t->nput += (uint32_t)n;
	lender.n += n;
	settle(t);
}

static void end_call(struct rig *t)
{
	tcp_unlend(t->s);
	assert_false(tcp_lends(t->s));
	memset(lender.bytes, 0xee, sizeof(lender.bytes));
	lender.n = 0;
}

static void opens(struct rig *t)
{
	establish(t, NULL);
	lender.n = 0;
}

/* The queue's bytes, wherever they are. */
static void expect_queue(struct rig *t, unsigned pieces)
{
	struct iovec v[FRAME_PAYLOAD];
	uint32_t at = t->c->snd.q_seq - t->iss - 1;
	unsigned n = (unsigned)tcp_payload(t->c, 0, t->c->snd.q.len, v);

	assert_int_equal(n, pieces);
	for (unsigned i = 0; i < n; i++)
		for (size_t k = 0; k < v[i].iov_len; k++)
			assert_int_equal(((uint8_t *)v[i].iov_base)[k], pattern(at++));
	assert_int_equal(at, t->c->snd.q_seq + t->c->snd.q.len - t->iss - 1);
}

static void lent_bytes_are_sent_from_where_they_are(void **state)
{
	struct rig *t = *state;
	struct iovec v[FRAME_PAYLOAD];

	opens(t);
	lend(t, 2 * MSS);
	assert_true(tcp_lends(t->s));
	assert_int_equal(tcp_payload(t->c, MSS, MSS, v), 1);
	assert_ptr_equal(v[0].iov_base, lender.bytes + MSS);
	expect(t, "P. 1:%u ack 1", 1 + 2 * MSS);
	end_call(t);
	assert_int_equal(counted(t, CTR_bytes_sent_at_once), 0);
}

static void acknowledged_bytes_are_not_copied(void **state)
{
	struct rig *t = *state;

	opens(t);
	lend(t, 4 * MSS);
	forget(t);
	inject(t, ". 1 ack %u win 500", 1 + 3 * MSS);
	assert_true(tcp_lends(t->s));
	end_call(t);
	assert_int_equal(counted(t, CTR_bytes_sent_at_once), 3 * MSS);
	expect_queue(t, 1);
	inject(t, ". 1 ack %u win 500", 1 + 4 * MSS);
	lend(t, MSS);
	forget(t);
	inject(t, ". 1 ack %u win 500", 1 + 5 * MSS);
	assert_false(tcp_lends(t->s));
	end_call(t);
	assert_int_equal(counted(t, CTR_bytes_sent_at_once), 4 * MSS);
	assert_int_equal(tcp_outq(t->c), 0);
}

static void lost_bytes_are_sent_again_after_the_call(void **state)
{
	struct rig *t = *state;

	opens(t);
	lend(t, 4 * MSS);
	forget(t);
	inject(t, ". 1 ack %u win 500", 1 + MSS);
	end_call(t);
	expect_after(t, 3750 * XTIME_USEC, "P. %u:%u ack 1", 1 + 3 * MSS, 1 + 4 * MSS);   /* a tail loss probe */
	inject(t, ". 1 ack %u win 500 sack %u:%u", 1 + MSS, 1 + 3 * MSS, 1 + 4 * MSS);
	expect(t, ". %u:%u ack 1", 1 + MSS, 1 + 2 * MSS);
	expect_queue(t, 1);
}

static void lost_bytes_are_sent_again_in_the_call(void **state)
{
	struct rig *t = *state;

	opens(t);
	put(t, MSS);
	lend(t, 6 * MSS);
	forget(t);
	inject(t, ". 1 ack 1 win 500 sack %u:%u", 1 + 2 * MSS, 1 + 6 * MSS);
	expect(t, "P. 1:%u ack 1", 1 + MSS);
	expect(t, ". %u:%u ack 1", 1 + MSS, 1 + 2 * MSS);
	end_call(t);
	expect_queue(t, 1);
}

static void segment_ends_in_what_is_lent(void **state)
{
	struct rig *t = *state;

	opens(t);
	put(t, 100);
	forget(t);
	put(t, 200);
	expect_nothing(t);          /* Nagle */
	lend(t, 5 * MSS);
	expect_queue(t, 2);
	expect(t, "P. 101:%u ack 1", 101 + 5 * MSS);   /* 200 bytes of it are in the ring */
	end_call(t);
	expect_queue(t, 1);
}

static void ring_that_wraps_gives_three_pieces(void **state)
{
	struct rig *t = *state;
	uint32_t cap;

	opens(t);
	put(t, 1000);
	put(t, 900);
	cap = t->c->snd.q.cap;
	forget(t);
	inject(t, ". 1 ack 1001 win 500");
	put(t, 1000);
	assert_int_equal(t->c->snd.q.cap, cap);
	assert_true(t->c->snd.q.head + t->c->snd.q.len > cap);
	lend(t, 100);
	expect_queue(t, 3);
	end_call(t);
	expect_queue(t, 2);
}

static void one_call_lends_in_steps(void **state)
{
	struct rig *t = *state;

	opens(t);
	for (int i = 0; i < 10; i++) {
		lend(t, 3000);
		forget(t);
		inject(t, ". 1 ack %u win 500", 1 + 3000 * (uint32_t)i + 1448);
	}
	end_call(t);
	expect_queue(t, 1);
	assert_int_equal(counted(t, CTR_bytes_sent_at_once), 27000 + 1448);
}

static void what_is_not_sent_yet_is_kept(void **state)
{
	struct rig *t = *state;

	opens(t);
	lend(t, 40000);             /* more than the first window */
	forget(t);
	assert_true(tcp_outq_unsent(t->c) > 10000);
	end_call(t);
	expect_queue(t, 1);
	inject(t, ". 1 ack %u win 500", 1 + 10 * MSS);
	expect(t, "P. %u:%u ack 1", 1 + 10 * MSS, 1 + 20 * MSS);
}

static void reset_in_the_call_leaves_nothing(void **state)
{
	struct rig *t = *state;

	opens(t);
	lend(t, 4 * MSS);
	forget(t);
	inject(t, ". 1 ack %u win 500", 1 + MSS);
	inject(t, "R. 1 ack %u", 1 + MSS);
	assert_false(tcp_lends(t->s));
	end_call(t);
	assert_int_equal(counted(t, CTR_bytes_sent_at_once), MSS);
	assert_int_equal(try_put(t, 1, 0), -ECONNRESET);
}

static void nothing_lent_is_no_error(void **state)
{
	struct rig *t = *state;

	opens(t);
	end_call(t);
	put(t, 100);
	end_call(t);
	expect(t, "P. 1:101 ack 1");
	assert_int_equal(counted(t, CTR_bytes_sent_at_once), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		offload(lent_bytes_are_sent_from_where_they_are),
		own(acknowledged_bytes_are_not_copied),
		offload(lost_bytes_are_sent_again_after_the_call),
		offload(lost_bytes_are_sent_again_in_the_call),
		offload(segment_ends_in_what_is_lent),
		own(ring_that_wraps_gives_three_pieces),
		own(one_call_lends_in_steps),
		offload(what_is_not_sent_yet_is_kept),
		own(reset_in_the_call_leaves_nothing),
		own(nothing_lent_is_no_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
