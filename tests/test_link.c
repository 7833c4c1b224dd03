/* SPDX-License-Identifier: BSD-2-Clause */
/* test_link.c - the relay's link: when packets leave, and which don't. */
#include "link.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct link make(const char *text, uint64_t seed)
{
	struct link_conf conf = { 0 };
	struct link l;

	assert_int_equal(link_parse(&conf, text), 0);
	link_init(&l, &conf, seed);
	return l;
}

/* n packets, one a millisecond; the sum of their copies. */
static unsigned send_many(struct link *l, unsigned n)
{
	unsigned copies = 0;

	for (unsigned i = 0; i < n; i++)
		copies += link_send(l, 1500, (xtime)i * XTIME_MSEC).copies;
	return copies;
}

static void text_is_read(void **state)
{
	struct link_conf c = { 0 };

	(void)state;
	assert_int_equal(link_parse(&c, ""), 0);
	assert_int_equal(link_parse(&c, "rate=50M,queue=128k,delay=10ms,jitter=250us,loss=1.5%,bad=0.01,burst=7"), 0);
	assert_int_equal(c.rate, 50000000);
	assert_int_equal(c.queue, 128000);
	assert_int_equal(c.delay, 10 * XTIME_MSEC);
	assert_int_equal(c.jitter, 250 * XTIME_USEC);
	assert_true(c.loss > 0.0149 && c.loss < 0.0151);
	assert_true(c.bad == 0.01);
	assert_int_equal(c.burst, 7);
	assert_int_equal(link_parse(&c, "rate"), -EINVAL);
	assert_int_equal(link_parse(&c, "rate="), -EINVAL);
	assert_int_equal(link_parse(&c, "rate=,loss=1"), -EINVAL);
	assert_int_equal(link_parse(&c, "speed=1"), -EINVAL);
	assert_int_equal(link_parse(&c, "rate=-1"), -EINVAL);
	assert_int_equal(link_parse(&c, "rate=1x"), -EINVAL);
	assert_int_equal(link_parse(&c, "delay=1"), -EINVAL);
	assert_int_equal(link_parse(&c, "loss=101%"), -EINVAL);
}

static void a_link_without_limits_only_delays(void **state)
{
	struct link l = make("delay=10ms", 1);
	struct link_fate f = link_send(&l, 1500, 5);

	(void)state;
	assert_int_equal(f.copies, 1);
	assert_int_equal(f.at, 5 + 10 * XTIME_MSEC);
	assert_false(f.is_marked || f.is_corrupt);
}

/* 1,000 bytes at 8 Mbit/s take 1 ms each. */
static void packets_leave_one_after_the_other(void **state)
{
	struct link l = make("rate=8M,delay=1ms", 1);

	(void)state;
	assert_int_equal(link_send(&l, 1000, 0).at, 2 * XTIME_MSEC);
	assert_int_equal(link_send(&l, 1000, 0).at, 3 * XTIME_MSEC);
	assert_int_equal(link_send(&l, 500, 1).at, 3500 * XTIME_USEC);
	/* The link has been idle in between. */
	assert_int_equal(link_send(&l, 1000, 10 * XTIME_MSEC).at, 12 * XTIME_MSEC);
}

static void a_full_queue_drops_and_marks_before_that(void **state)
{
	struct link l = make("rate=8M,queue=3k,mark=1500", 1);

	(void)state;
	assert_false(link_send(&l, 1000, 0).is_marked);
	assert_false(link_send(&l, 1000, 0).is_marked);   /* 1,000 wait */
	assert_true(link_send(&l, 1000, 0).is_marked);    /* 2,000 wait */
	assert_int_equal(link_send(&l, 1000, 0).copies, 0);
	assert_int_equal(link_send(&l, 1000, XTIME_MSEC).copies, 1);
	assert_int_equal(l.count.dropped, 1);
	assert_int_equal(l.count.marked, 2);
}

static void a_policer_has_a_bucket(void **state)
{
	struct link l = make("police=8M,burst=2k", 1);

	(void)state;
	assert_int_equal(link_send(&l, 1000, 1).copies, 1);
	assert_int_equal(link_send(&l, 1000, 1).copies, 1);
	assert_int_equal(link_send(&l, 1000, 1).copies, 0);
	assert_int_equal(link_send(&l, 1000, 1 + XTIME_MSEC).copies, 1);
	assert_int_equal(link_send(&l, 1000, 1 + XTIME_MSEC).copies, 0);
	/* It is never fuller than full. */
	for (int i = 0; i < 3; i++)
		assert_int_equal(link_send(&l, 1000, XTIME_SEC).copies, i < 2);
	assert_int_equal(l.count.policed, 3);
}

static void chances_come_true_as_often_as_they_should(void **state)
{
	struct link l = make("loss=5%,dup=2%,corrupt=3%", 7);
	unsigned copies = send_many(&l, 100000);

	(void)state;
	assert_in_range(l.count.lost, 4700, 5300);
	assert_in_range(l.count.doubled, 1700, 2100);      /* of what is left */
	assert_in_range(l.count.corrupted, 2600, 3100);
	assert_int_equal(copies, 100000 - l.count.lost + l.count.doubled);
}

static void bursts_have_the_length_asked_for(void **state)
{
	struct link l = make("bad=1%,good=25%", 3);
	unsigned bursts = 0;
	bool was_lost = false;

	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		bool lost = !link_send(&l, 1500, i).copies;

		bursts += lost && !was_lost;
		was_lost = lost;
	}
	assert_in_range(bursts, 850, 1050);                /* 0.99 of 100 packets begin none */
	assert_in_range(l.count.lost, bursts * 37 / 10, bursts * 43 / 10);
}

static void reordered_packets_are_overtaken_others_are_not(void **state)
{
	struct link l = make("delay=1ms,jitter=5ms,reorder=2%,reorder_by=20ms", 5);
	uint64_t was;
	xtime last = 0;

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		xtime now = (xtime)i * 100 * XTIME_USEC;
		struct link_fate f;

		was = l.count.reordered;
		f = link_send(&l, 1500, now);
		if (l.count.reordered > was) {
			assert_true(f.at >= now + 21 * XTIME_MSEC);
			continue;
		}
		assert_true(f.at >= last && f.at >= now + XTIME_MSEC && f.at <= now + 6 * XTIME_MSEC);
		last = f.at;
	}
	assert_in_range(l.count.reordered, 160, 240);
}

static void fate_follows_from_seed_and_number(void **state)
{
	struct link a = make("rate=1M,queue=10k,loss=10%", 1), b = make("loss=10%", 1), c = make("loss=10%", 2);
	unsigned differ = 0;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t lost[3] = { a.count.lost, b.count.lost, c.count.lost };

		link_send(&a, 1500, i);
		link_send(&b, 100, (xtime)i * XTIME_SEC);
		link_send(&c, 100, (xtime)i * XTIME_SEC);
		/* Another size, another time, another queue: the same packets are lost. */
		assert_int_equal(a.count.lost - lost[0], b.count.lost - lost[1]);
		differ += b.count.lost - lost[1] != c.count.lost - lost[2];
	}
	assert_in_range(differ, 120, 240);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_read),
		cmocka_unit_test(a_link_without_limits_only_delays),
		cmocka_unit_test(packets_leave_one_after_the_other),
		cmocka_unit_test(a_full_queue_drops_and_marks_before_that),
		cmocka_unit_test(a_policer_has_a_bucket),
		cmocka_unit_test(chances_come_true_as_often_as_they_should),
		cmocka_unit_test(bursts_have_the_length_asked_for),
		cmocka_unit_test(reordered_packets_are_overtaken_others_are_not),
		cmocka_unit_test(fate_follows_from_seed_and_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
