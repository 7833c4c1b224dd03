/* SPDX-License-Identifier: BSD-2-Clause */
/* test_tcp_valid.c - what an open connection accepts: RFC 9293 3.10.7.4, RFC 5961, RFC 7323 5. */
#include "harness.h"

/* ---- acceptability: RFC 9293 3.10.7.4, RFC 5961 ---- */

static void segment_outside_the_window_is_answered(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, ". 70000:70100 ack 1");
	expect(t, ". 1 ack 1");
	inject(t, ". 64513:64613 ack 1");   /* the first byte beyond the window */
	expect(t, ". 1 ack 1");
	inject(t, ". 0:1 ack 1");
	expect(t, ". 1 ack 1 sack 0:1");
	inject(t, ". -300:-100 ack 1");
	expect(t, ". 1 ack 1 sack -300:-100");
	assert_int_equal(tcp_inq(t->c), 0);
}

static void segment_across_the_window_is_taken_whole(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, ". 64500:64613 ack 1");
	expect(t, ". 1 ack 1 sack 64500:64613");
}

static void segment_empty_outside_the_window_is_answered_twice_a_second(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, ". -1 ack 1");
	expect(t, ". 1 ack 1");
	inject(t, ". -1 ack 1");
	expect_quiet(t, 499 * XTIME_MSEC);
	inject(t, ". -1 ack 1");
	expect_quiet(t, 1 * XTIME_MSEC);
	inject(t, ". 90000 ack 1");
	expect(t, ". 1 ack 1");
	assert_int_equal(counted(t, CTR_TcpExtTCPACKSkippedSeq), 2);
}

static void segment_below_the_window_edge_is_a_keepalive_probe(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, ". 0 ack 1");
	expect(t, ". 1 ack 1");
}

static void segment_without_ack_is_dropped(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, "P 1:11");
	inject(t, "F 1");
	expect_quiet(t, XTIME_SEC);
	assert_int_equal(tcp_state(t->c), TCP_ESTABLISHED);
	assert_int_equal(counted(t, CTR_tcp_no_ack), 2);
}

static void ack_of_the_future_is_challenged(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, "P. 1:11 ack 5000");
	expect(t, ". 1 ack 1");
	inject(t, ". 1 ack 5000");
	expect_quiet(t, XTIME_SEC);   /* within half a second: not again */
	assert_int_equal(tcp_inq(t->c), 0);
	assert_int_equal(counted(t, CTR_tcp_bad_ack), 2);
}

static void ack_too_old_is_challenged(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, "P. 1:11 ack -70000");
	expect(t, ". 1 ack 1");
	assert_int_equal(tcp_inq(t->c), 0);
	assert_int_equal(counted(t, CTR_tcp_old_ack), 1);
}

static void ack_of_yesterday_brings_its_data(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	put(t, 1000);
	forget(t);
	inject(t, ". 1 ack 1001");
	inject(t, "P. 1:11 ack 501");
	expect(t, ". 1001 ack 11");
	take(t, 10);
}

/* ---- RST: RFC 5961 3 ---- */

static void reset_exact_is_econnreset(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, "P. 1:11 ack 1");
	expect(t, ". 1 ack 11");
	inject(t, "R 11");
	expect_quiet(t, 100 * XTIME_SEC);
	assert_int_equal(tcp_state(t->c), TCP_CLOSE);
	assert_int_equal(tcp_events(t->c) & (POLLERR | POLLHUP | POLLIN), POLLERR | POLLHUP | POLLIN);
	assert_int_equal(try_put(t, 1, 0), -ECONNRESET);
	assert_int_equal(try_put(t, 1, 0), -EPIPE);
	assert_int_equal(try_take(t, 100, 0), 10);   /* what had come can still be read */
	assert_int_equal(try_take(t, 100, 0), 0);
}

static void reset_in_window_is_challenged(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, "R 100");
	expect(t, ". 1 ack 1");
	inject(t, "R 101");
	expect_quiet(t, 500 * XTIME_MSEC);
	inject(t, "R 50");
	expect(t, ". 1 ack 1");
	assert_int_equal(counted(t, CTR_TcpExtTCPChallengeACK), 2);
	assert_int_equal(tcp_state(t->c), TCP_ESTABLISHED);
}

static void reset_outside_the_window_is_ignored(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, "R 70000");
	inject(t, "R -6");
	inject(t, "R 0");
	expect_quiet(t, XTIME_SEC);
	assert_int_equal(tcp_state(t->c), TCP_ESTABLISHED);
	assert_int_equal(counted(t, CTR_tcp_rst_ignored), 3);
}

static void reset_behind_the_highest_sack_is_exact(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, ". 301:401 ack 1");
	inject(t, ". 101:201 ack 1");
	forget(t);
	inject(t, "R 201");
	expect(t, ". 1 ack 1 sack 101:201 301:401");
	assert_int_equal(tcp_state(t->c), TCP_ESTABLISHED);
	inject(t, "R 401");
	assert_int_equal(tcp_take_error(t->c), ECONNRESET);
}

static void reset_after_fin_is_epipe(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, "F. 1 ack 1");
	inject(t, "R 2");
	assert_int_equal(tcp_take_error(t->c), EPIPE);
}

static void reset_that_repeats_the_fins_number_is_taken(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, "F. 1 ack 1");
	inject(t, "R 1");
	assert_int_equal(tcp_take_error(t->c), EPIPE);
}

static void challenge_acks_are_limited_in_all(void **state)
{
	struct rig *t = *state;
	unsigned n = 0;

	t->s->set.tcp_challenge_ack_limit = 4;
	for (int i = 0; i < 20; i++) {
		establish(t, NULL);
		inject(t, "R 100");
		n += forget(t);
	}
	assert_in_range(n, 2, 6);   /* half of the limit and a random part */
}

static void syn_on_open_connection_is_challenged(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, "S 100");
	expect(t, ". 1 ack 1");
	advance(t, 500 * XTIME_MSEC);
	inject(t, "S 80000");
	expect(t, ". 1 ack 1");
	inject(t, "S -9999");
	expect_nothing(t);
	assert_int_equal(tcp_state(t->c), TCP_ESTABLISHED);
	assert_int_equal(counted(t, CTR_tcp_syn_challenged), 3);
}

/* ---- PAWS: RFC 7323 5 ---- */

static void paws_old_timestamp_is_dropped_and_answered(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, "P. 1:101 ack 1 tsval %u", PEER_TS);
	expect(t, ". 1 ack 1");
	assert_int_equal(counted(t, CTR_TcpExtPAWSEstab), 1);
	assert_int_equal(tcp_inq(t->c), 0);
}

static void paws_does_not_stop_a_reset(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, "R 1 tsval %u", PEER_TS);
	assert_int_equal(tcp_take_error(t->c), ECONNRESET);
}

static void paws_forgets_after_24_days(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	advance(t, (24 * 24 * 3600 + 1) * XTIME_SEC);
	inject(t, "P. 1:101 ack 1 tsval %u", PEER_TS);
	take(t, 100);
}

static void paws_takes_a_clock_that_wraps(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, "P. 1:101 ack 1 tsval %u", PEER_TS + 0x7fff0000);
	expect(t, ". 1 ack 101");
	inject(t, "P. 101:201 ack 1 tsval %u", PEER_TS + 0xfffe0000);
	expect(t, ". 1 ack 201");
	take(t, 200);
}

static void timestamp_echoed_is_that_of_the_last_in_order(void **state)
{
	struct rig *t = *state;
	uint32_t first = PEER_TS + xtime_ms(t->now) + 100;

	establish(t, NULL);
	inject(t, "P. 1:101 ack 1 tsval %u", first);
	expect(t, ". 1 ack 101 ecr %u", first);
	inject(t, "P. 201:301 ack 1 tsval %u", first + 5);
	expect(t, ". 1 ack 101 ecr %u sack 201:301", first);
	inject(t, "P. 101:201 ack 1 tsval %u", first + 9);
	expect(t, ". 1 ack 301 ecr %u", first + 9);
}

static void timestamp_missing_is_tolerated(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, "P. 1:101 ack 1 nots");
	expect(t, ". 1 ack 101 ts");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		own(segment_outside_the_window_is_answered),
		own(segment_across_the_window_is_taken_whole),
		own(segment_empty_outside_the_window_is_answered_twice_a_second),
		own(segment_below_the_window_edge_is_a_keepalive_probe),
		own(segment_without_ack_is_dropped),
		own(ack_of_the_future_is_challenged),
		own(ack_too_old_is_challenged),
		own(ack_of_yesterday_brings_its_data),
		own(reset_exact_is_econnreset),
		own(reset_in_window_is_challenged),
		own(reset_outside_the_window_is_ignored),
		own(reset_behind_the_highest_sack_is_exact),
		own(reset_after_fin_is_epipe),
		own(reset_that_repeats_the_fins_number_is_taken),
		own(challenge_acks_are_limited_in_all),
		own(syn_on_open_connection_is_challenged),
		own(paws_old_timestamp_is_dropped_and_answered),
		own(paws_does_not_stop_a_reset),
		own(paws_forgets_after_24_days),
		own(paws_takes_a_clock_that_wraps),
		own(timestamp_echoed_is_that_of_the_last_in_order),
		own(timestamp_missing_is_tolerated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
