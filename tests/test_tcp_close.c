/* SPDX-License-Identifier: BSD-2-Clause */
/* test_tcp_close.c - close(), shutdown() and linger, from either side and both at once. */
#include "harness.h"

static void shut_down(struct rig *t, int how)
{
	assert_int_equal(tcp_shutdown(t->c, how, t->now), 0);
	settle(t);
}

static void linger(struct rig *t, int seconds)
{
	t->c->opt.linger_s = seconds;
}

/* ---- our side first ---- */

static void close_first_goes_through_all_states(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	shut_down(t, SHUT_WR);
	expect(t, "F. 1 ack 1");
	assert_int_equal(tcp_state(t->c), TCP_FIN_WAIT1);
	assert_int_equal(tcp_events(t->c) & (TCP_EV_CLOSED | POLLOUT | POLLHUP), POLLOUT);
	inject(t, ". 1 ack 2");
	assert_int_equal(tcp_state(t->c), TCP_FIN_WAIT2);
	assert_true(tcp_events(t->c) & TCP_EV_CLOSED);
	inject(t, "F. 1 ack 2");
	expect(t, ". 2 ack 2");
	expect_nothing(t);
	assert_int_equal(tcp_state(t->c), TCP_CLOSE);   /* TIME-WAIT is a remainder of its own */
	assert_int_equal(t->s->ntw, 1);
	assert_int_equal(tcp_take_error(t->c), 0);
	assert_int_equal(try_take(t, 1, 0), 0);
}

static void close_first_fin_and_ack_in_one(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	hang_up(t);
	expect(t, "F. 1 ack 1");
	inject(t, "F. 1 ack 2");
	expect(t, ". 2 ack 2");
	expect_nothing(t);
	assert_int_equal(t->s->ntw, 1);
	assert_int_equal(t->s->nconn, 0);
}

static void close_delivers_what_is_queued(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	put(t, 30000);
	hang_up(t);
	assert_int_equal(stack_orphans(t->s), 1);
	assert_int_equal(forget(t), 10);
	inject(t, ". 1 ack 14481");
	assert_int_equal(forget(t), 11);
	inject(t, ". 1 ack 30002");
	inject(t, "F. 1 ack 30002");
	expect(t, ". 30002 ack 2");
	assert_int_equal(stack_orphans(t->s), 0);
	assert_int_equal(t->s->nconn, 0);
}

static void close_with_data_is_one_segment(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	put_flags(t, 100, MSG_MORE);
	hang_up(t);
	expect(t, "F. 1:101 ack 1");
}

static void close_at_once_after_connect(void **state)
{
	struct rig *t = *state;

	dial(t);
	t->ts = true;
	inject(t, SYN_ACK);
	expect(t, ". 1 ack 1");
	hang_up(t);
	expect(t, "F. 1 ack 1");
}

static void simultaneous_close(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	hang_up(t);
	expect(t, "F. 1 ack 1");
	inject(t, "F. 1 ack 1");
	expect(t, ". 2 ack 2");
	assert_int_equal(t->s->ntw, 0);
	inject(t, ". 2 ack 2");
	expect_nothing(t);
	assert_int_equal(t->s->ntw, 1);
	inject(t, ". 2 ack 2");
	expect_nothing(t);
}

static void simultaneous_close_fin_again_with_the_ack(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	hang_up(t);
	expect(t, "F. 1 ack 1");
	inject(t, "F. 1 ack 1");
	expect(t, ". 2 ack 2");
	inject(t, "P. 2:12 ack 1");   /* behind its own FIN: ignored */
	expect_nothing(t);
	inject(t, "F. 1 ack 2");
	assert_int_equal(t->s->ntw, 1);
}

/* ---- the peer first ---- */

static void close_second_ends_at_the_last_ack(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, "F. 1 ack 1");
	expect_after(t, TCP_TICK, ". 1 ack 2");
	put(t, 100);
	expect(t, "P. 1:101 ack 2");   /* half-closed: data still goes */
	hang_up(t);
	expect(t, "F. 101 ack 2");
	inject(t, ". 2 ack 102");
	expect_nothing(t);
	assert_int_equal(t->s->nconn, 0);
	assert_int_equal(t->s->ntw, 0);
	inject(t, ". 2 ack 102");
	expect(t, "R 102 nots");
}

static void close_second_fin_lost_is_answered_again(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, "F. 1 ack 1");
	hang_up(t);
	expect(t, "F. 1 ack 2");
	inject(t, "F. 1 ack 1");
	expect(t, ". 2 ack 2 sack 1:2");
}

/* ---- half-close ---- */

static void half_close_still_reads(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	shut_down(t, SHUT_WR);
	expect(t, "F. 1 ack 1");
	assert_int_equal(try_put(t, 1, 0), -EPIPE);
	inject(t, ". 1 ack 2");
	advance(t, 1000 * XTIME_SEC);   /* FIN-WAIT-2 has no end while a program holds it */
	inject(t, "P. 1:11 ack 2");
	expect(t, ". 2 ack 11");
	take(t, 10);
	inject(t, "F. 11 ack 2");
	expect(t, ". 2 ack 12");
	assert_int_equal(try_take(t, 1, 0), 0);
	assert_int_equal(t->s->ntw, 1);
}

/* The FIN counts among the bytes acknowledged that make an old ACK credible. */
static void half_close_fin_with_an_old_ack(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	shut_down(t, SHUT_WR);
	expect(t, "F. 1 ack 1");
	inject(t, ". 1 ack 2");
	inject(t, "FP. 1:11 ack 1");
	expect(t, ". 2 ack 12");
	take(t, 10);
}

static void half_close_last_data_with_fin(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	shut_down(t, SHUT_WR);
	expect(t, "F. 1 ack 1");
	inject(t, "FP. 1:11 ack 2");
	expect(t, ". 2 ack 12");
	take(t, 10);
	assert_int_equal(try_take(t, 1, 0), 0);
}

static void shutdown_both_reads_what_comes(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	shut_down(t, SHUT_RDWR);
	expect(t, "F. 1 ack 1");
	assert_true(tcp_events(t->c) & POLLHUP);
	assert_int_equal(try_take(t, 1, 0), 0);
	assert_int_equal(try_put(t, 1, 0), -EPIPE);
}

static void shutdown_twice_sends_one_fin(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	shut_down(t, SHUT_WR);
	expect(t, "F. 1 ack 1");
	shut_down(t, SHUT_RDWR);
	hang_up(t);
	expect_nothing(t);
}

static void shutdown_errors(void **state)
{
	struct rig *t = *state;

	dial_open(t);
	assert_int_equal(tcp_shutdown(t->c, 3, t->now), -EINVAL);
	assert_int_equal(tcp_shutdown(t->c, SHUT_WR, t->now), -ENOTCONN);
	establish(t, NULL);
	inject(t, "R 1");
	assert_int_equal(tcp_shutdown(t->c, SHUT_WR, t->now), -ENOTCONN);
}

static void shutdown_while_connecting_ends_the_attempt(void **state)
{
	struct rig *t = *state;

	dial(t);
	assert_int_equal(tcp_shutdown(t->c, SHUT_WR, t->now), 0);
	settle(t);
	expect_quiet(t, 200 * XTIME_SEC);
	assert_int_equal(tcp_state(t->c), TCP_CLOSE);
}

/* ---- resets ---- */

/* RFC 2525 2.17. */
static void close_with_unread_data_is_a_reset(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, "P. 1:11 ack 1");
	expect(t, ". 1 ack 11");
	hang_up(t);
	expect(t, "R. 1 ack 11 ts");
	expect_nothing(t);
	assert_int_equal(t->s->nconn, 0);
	assert_int_equal(counted(t, CTR_TcpExtTCPAbortOnClose), 1);
}

static void close_with_unread_data_forgets_what_is_queued(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, "P. 1:11 ack 1");
	forget(t);
	put(t, 10);
	expect(t, "P. 1:11 ack 11");
	hang_up(t);
	expect(t, "R. 11 ack 11");
	expect_quiet(t, XTIME_SEC);
}

static void close_with_unread_data_and_fin_is_a_reset(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, "FP. 1:11 ack 1");
	hang_up(t);
	expect(t, "R. 1 ack 12");
}

static void close_with_unread_data_while_closing_is_a_reset(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	shut_down(t, SHUT_WR);
	expect(t, "F. 1 ack 1");
	inject(t, "FP. 1:11 ack 1");
	expect(t, ". 2 ack 12");
	hang_up(t);
	expect(t, "R. 2 ack 12");
	assert_int_equal(t->s->nconn + t->s->ntw, 0);
}

static void close_with_only_the_fin_unread_is_orderly(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, "FP. 1:11 ack 1");
	take(t, 10);
	hang_up(t);
	expect(t, "F. 1 ack 12");
}

static void data_after_close_is_reset(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	hang_up(t);
	expect(t, "F. 1 ack 1");
	inject(t, "P. 1:11 ack 1");
	expect(t, "R 1 nots");
	assert_int_equal(t->s->nconn, 0);
	assert_int_equal(stack_orphans(t->s), 0);
	inject(t, "P. 1:11 ack 2");
	expect(t, "R 2 nots");
}

static void data_after_close_with_the_ack_of_the_fin_is_reset(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	hang_up(t);
	expect(t, "F. 1 ack 1");
	inject(t, "P. 1:11 ack 2");
	expect(t, "R 2 nots");
	assert_int_equal(t->s->nconn + t->s->ntw, 0);
}

/* RFC 1122 4.2.2.13 holds for shutdown() of both directions as well. */
static void data_after_shutdown_of_both_is_reset(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	shut_down(t, SHUT_RDWR);
	expect(t, "F. 1 ack 1");
	inject(t, ". 1 ack 2");
	inject(t, "P. 1:11 ack 2");
	expect(t, "R 2 nots");
	assert_int_equal(tcp_take_error(t->c), ECONNRESET);
}

static void data_across_the_peers_fin_is_reset(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, "F. 1 ack 1");
	expect_after(t, TCP_TICK, ". 1 ack 2");
	inject(t, "F. 2 ack 1");   /* behind it: ignored */
	expect_nothing(t);
	inject(t, "P. 1:11 ack 1");
	expect(t, "R 1 nots");
	assert_int_equal(tcp_take_error(t->c), EPIPE);
}

static void data_in_fin_wait_2_of_an_orphan_is_reset(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	hang_up(t);
	expect(t, "F. 1 ack 1");
	inject(t, ". 1 ack 2");
	inject(t, "P. 1:11 ack 2");
	expect(t, "R 2 nots");
	inject(t, "F. 11 ack 2");
	expect(t, "R 2 nots");
}

static void reset_in_fin_wait_1_is_the_end(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	shut_down(t, SHUT_WR);
	expect(t, "F. 1 ack 1");
	inject(t, "R 1");
	assert_int_equal(tcp_take_error(t->c), ECONNRESET);
}

/* ---- SO_LINGER ---- */

static void linger_zero_is_a_reset(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	linger(t, 0);
	put(t, 20000);
	assert_int_equal(forget(t), 10);
	hang_up(t);
	expect(t, "R. 14481 ack 1 ts");
	expect_quiet(t, XTIME_SEC);
	assert_int_equal(t->s->nconn, 0);
}

static void linger_zero_while_connecting_says_nothing(void **state)
{
	struct rig *t = *state;

	dial(t);
	linger(t, 0);
	hang_up(t);
	expect_quiet(t, 10 * XTIME_SEC);
	assert_int_equal(t->s->nconn, 0);
}

/* close() waits for TCP_EV_CLOSED before it lets go: the first half, then the second. */
static void linger_timed_ends_with_the_ack(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	linger(t, 5);
	assert_int_equal(tcp_linger(t->c), 5);
	put(t, 100);
	forget(t);
	tcp_close(t->c, t->now);
	settle(t);
	expect(t, "F. 101 ack 1");
	assert_false(tcp_events(t->c) & TCP_EV_CLOSED);
	inject(t, ". 1 ack 101");
	assert_false(tcp_events(t->c) & TCP_EV_CLOSED);
	inject(t, ". 1 ack 102");
	assert_true(tcp_events(t->c) & TCP_EV_CLOSED);
	hang_up(t);
	assert_int_equal(t->s->nconn + t->s->ntw, 1);
}

static void linger_timed_out_goes_on_in_the_background(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	put(t, 100);
	forget(t);
	tcp_close(t->c, t->now);
	settle(t);
	expect(t, "F. 101 ack 1");
	hang_up(t);
	assert_int_equal(stack_orphans(t->s), 1);
	inject(t, "F. 1 ack 102");
	expect(t, ". 102 ack 2");
	assert_int_equal(stack_orphans(t->s), 0);
}

/* ---- orphans ---- */

static void orphan_gives_up_sooner(void **state)
{
	struct rig *t = *state;
	xtime start = t->now;

	establish(t, NULL);
	hang_up(t);
	while (t->s->nconn && t->now - start < 2000 * XTIME_SEC)
		advance(t, XTIME_SEC);
	/* 8 retries: Linux's model of them with an RTO of 200 ms is 102 s; one more time-out. */
	assert_in_range((t->now - start) / XTIME_SEC, 50, 160);
	assert_int_equal(stack_orphans(t->s), 0);
}

static void orphan_in_fin_wait_2_goes_after_fin_timeout(void **state)
{
	struct rig *t = *state;

	t->s->set.tcp_fin_timeout = 5;
	establish(t, NULL);
	hang_up(t);
	expect(t, "F. 1 ack 1");
	inject(t, ". 1 ack 2");
	assert_int_equal(t->s->nconn, 0);
	advance(t, 4900 * XTIME_MSEC);
	assert_int_equal(t->s->ntw, 1);
	advance(t, 200 * XTIME_MSEC);
	assert_int_equal(t->s->ntw, 0);
	inject(t, "F. 1 ack 2");
	expect(t, "R 2 nots");
}

static void orphan_in_fin_wait_2_takes_the_fin(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	hang_up(t);
	expect(t, "F. 1 ack 1");
	inject(t, ". 1 ack 2");
	advance(t, 10 * XTIME_SEC);
	inject(t, "F. 1 ack 2");
	expect(t, ". 2 ack 2 ts");
	advance(t, 59 * XTIME_SEC);
	assert_int_equal(t->s->ntw, 1);
	advance(t, 2 * XTIME_SEC);
	assert_int_equal(t->s->ntw, 0);
}

static void orphan_long_fin_timeout_keeps_the_connection(void **state)
{
	struct rig *t = *state;

	t->s->set.tcp_fin_timeout = 100;
	establish(t, NULL);
	hang_up(t);
	expect(t, "F. 1 ack 1");
	inject(t, ". 1 ack 2");
	assert_int_equal(t->s->nconn, 1);
	advance(t, 41 * XTIME_SEC);
	assert_int_equal(t->s->nconn, 0);
	assert_int_equal(t->s->ntw, 1);
	advance(t, 60 * XTIME_SEC);
	assert_int_equal(t->s->ntw, 0);
}

static void linger2_negative_resets_instead_of_fin_wait_2(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	tcp_rareopts_own(t->c)->linger2_s = -1;
	hang_up(t);
	expect(t, "F. 1 ack 1");
	inject(t, ". 1 ack 2");
	expect(t, "R 2 nots");
	assert_int_equal(t->s->nconn + t->s->ntw, 0);
}

static void orphans_have_a_limit(void **state)
{
	struct rig *t = *state;

	t->s->set.tcp_max_orphans = 2;
	for (int i = 0; i < 2; i++) {
		establish(t, NULL);
		hang_up(t);
		expect(t, "F. 1 ack 1");
	}
	establish(t, NULL);
	hang_up(t);
	expect(t, "R. 1 ack 1");
	assert_int_equal(stack_orphans(t->s), 2);
}

static void close_wait_can_stay_for_ever(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, "F. 1 ack 1");
	expect_after(t, TCP_TICK, ". 1 ack 2");
	expect_quiet(t, 100000 * XTIME_SEC);
	assert_int_equal(tcp_state(t->c), TCP_CLOSE_WAIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		own(close_first_goes_through_all_states),
		own(close_first_fin_and_ack_in_one),
		own(close_delivers_what_is_queued),
		own(close_with_data_is_one_segment),
		own(close_at_once_after_connect),
		own(simultaneous_close),
		own(simultaneous_close_fin_again_with_the_ack),
		own(close_second_ends_at_the_last_ack),
		own(close_second_fin_lost_is_answered_again),
		own(half_close_still_reads),
		own(half_close_fin_with_an_old_ack),
		own(half_close_last_data_with_fin),
		own(shutdown_both_reads_what_comes),
		own(shutdown_twice_sends_one_fin),
		own(shutdown_errors),
		own(shutdown_while_connecting_ends_the_attempt),
		own(close_with_unread_data_is_a_reset),
		own(close_with_unread_data_forgets_what_is_queued),
		own(close_with_unread_data_and_fin_is_a_reset),
		own(close_with_unread_data_while_closing_is_a_reset),
		own(close_with_only_the_fin_unread_is_orderly),
		own(data_after_close_is_reset),
		own(data_after_close_with_the_ack_of_the_fin_is_reset),
		own(data_after_shutdown_of_both_is_reset),
		own(data_across_the_peers_fin_is_reset),
		own(data_in_fin_wait_2_of_an_orphan_is_reset),
		own(reset_in_fin_wait_1_is_the_end),
		own(linger_zero_is_a_reset),
		own(linger_zero_while_connecting_says_nothing),
		own(linger_timed_ends_with_the_ack),
		own(linger_timed_out_goes_on_in_the_background),
		own(orphan_gives_up_sooner),
		own(orphan_in_fin_wait_2_goes_after_fin_timeout),
		own(orphan_in_fin_wait_2_takes_the_fin),
		own(orphan_long_fin_timeout_keeps_the_connection),
		own(linger2_negative_resets_instead_of_fin_wait_2),
		own(orphans_have_a_limit),
		own(close_wait_can_stay_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
