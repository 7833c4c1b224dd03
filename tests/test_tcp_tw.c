/* SPDX-License-Identifier: BSD-2-Clause */
/* test_tcp_tw.c - TIME-WAIT: what it answers, how long it lasts, who may take its place. */
#include "harness.h"

/* We closed first; what is left waits. */
static void to_time_wait(struct rig *t)
{
	establish(t, NULL);
	t->c->bind.reuse = true;   /* SO_REUSEADDR */
	hang_up(t);
	expect(t, "F. 1 ack 1");
	advance(t, XTIME_MSEC);
	inject(t, "F. 1 ack 2");
	expect(t, ". 2 ack 2 win 63 ts");
	assert_int_equal(t->s->nconn, 0);
	assert_int_equal(t->s->ntw, 1);
}

/* ---- what it answers: RFC 9293 3.10.7.4 ---- */

static void timewait_lasts_a_minute(void **state)
{
	struct rig *t = *state;

	to_time_wait(t);
	advance(t, 60 * XTIME_SEC - 1);
	assert_int_equal(t->s->ntw, 1);
	advance(t, 1);
	assert_int_equal(t->s->ntw, 0);
	expect_nothing(t);
	inject(t, "F. 1 ack 2");
	expect(t, "R 2 nots");
}

static void timewait_fin_again_is_answered_and_starts_anew(void **state)
{
	struct rig *t = *state;
	uint32_t tsval;

	to_time_wait(t);
	tsval = t->th.tsval;
	advance(t, 30 * XTIME_SEC);
	inject(t, "F. 1 ack 2");
	expect(t, ". 2 ack 2 tsval %u", tsval + 30000);   /* the connection's clock goes on */
	inject(t, "F. 1 ack 2");
	expect(t, ". 2 ack 2");
	advance(t, 59 * XTIME_SEC);
	assert_int_equal(t->s->ntw, 1);
}

static void timewait_data_is_answered(void **state)
{
	struct rig *t = *state;

	to_time_wait(t);
	for (int i = 0; i < 2; i++) {
		inject(t, "P. 2:12 ack 2");
		expect(t, ". 2 ack 2");
	}
}

static void timewait_ack_in_order_is_not_answered(void **state)
{
	struct rig *t = *state;

	to_time_wait(t);
	inject(t, ". 2 ack 2");
	inject(t, ". 2 ack 50");
	expect_nothing(t);
}

static void timewait_old_ack_is_answered_twice_a_second(void **state)
{
	struct rig *t = *state;

	to_time_wait(t);
	inject(t, ". 1 ack 2");
	expect(t, ". 2 ack 2");
	inject(t, ". 1 ack 2");
	expect_nothing(t);
	advance(t, 500 * XTIME_MSEC);
	inject(t, ". 1 ack 2");
	expect(t, ". 2 ack 2");
}

static void timewait_old_timestamp_is_answered(void **state)
{
	struct rig *t = *state;

	to_time_wait(t);
	inject(t, "P. 2:12 ack 2 tsval 5");
	expect(t, ". 2 ack 2");
	inject(t, "R 2 tsval 5");
	expect_nothing(t);
	assert_int_equal(t->s->ntw, 1);
	assert_int_equal(counted(t, CTR_TcpExtPAWSTimewait), 2);
}

static void timewait_exact_reset_ends_it(void **state)
{
	struct rig *t = *state;

	to_time_wait(t);
	inject(t, "R 100");
	assert_int_equal(t->s->ntw, 1);
	inject(t, "R 2");
	assert_int_equal(t->s->ntw, 0);
	expect_nothing(t);
}

/* RFC 1337, on request. */
static void timewait_reset_is_ignored_with_rfc1337(void **state)
{
	struct rig *t = *state;

	t->s->set.tcp_rfc1337 = 1;
	to_time_wait(t);
	inject(t, "R 2");
	assert_int_equal(t->s->ntw, 1);
}

static void timewait_syn_without_listener_is_answered(void **state)
{
	struct rig *t = *state;

	to_time_wait(t);
	inject(t, "S 100 mss 1460");
	expect(t, ". 2 ack 2");
	inject(t, "S -100 mss 1460 tsval 5");
	expect(t, ". 2 ack 2");
	assert_int_equal(t->s->ntw, 1);
}

static void timewait_has_a_limit(void **state)
{
	struct rig *t = *state;

	t->s->set.tcp_max_tw_buckets = 1;
	to_time_wait(t);
	establish(t, NULL);
	hang_up(t);
	expect(t, "F. 1 ack 1");
	inject(t, "F. 1 ack 2");
	assert_int_equal(t->s->ntw, 1);
	assert_int_equal(t->s->nconn, 0);
}

/* Where a port is an fd the oldest go when there are too many. */
static void timewaits_are_ended_to_have_their_ports(void **state)
{
	struct rig *t = *state;

	to_time_wait(t);
	assert_int_equal(stack_end_timewaits(t->s, 0), 0);
	assert_int_equal(t->s->ntw, 1);
	assert_int_equal(stack_end_timewaits(t->s, 2), 1);
	assert_int_equal(t->s->ntw, 0);
	assert_int_equal(stack_counters(t->s)[CTR_TcpExtTCPTimeWaitOverflow], 1);
	assert_int_equal(stack_end_timewaits(t->s, 2), 0);
}

static void timewait_ack_of_the_fin_goes_even_beyond_the_limit(void **state)
{
	struct rig *t = *state;

	t->s->set.tcp_max_tw_buckets = 0;
	establish(t, NULL);
	hang_up(t);
	expect(t, "F. 1 ack 1");
	inject(t, "F. 1 ack 2");
	expect(t, ". 2 ack 2");
	assert_int_equal(t->s->ntw, 0);
}

/* ---- FIN-WAIT-2 without a program ---- */

static void to_fin_wait_2(struct rig *t)
{
	establish(t, NULL);
	hang_up(t);
	expect(t, "F. 1 ack 1");
	inject(t, ". 1 ack 2");
	expect_nothing(t);
	assert_int_equal(t->s->ntw, 1);
}

static void finwait2_ack_is_not_answered_but_an_old_one_is(void **state)
{
	struct rig *t = *state;

	to_fin_wait_2(t);
	inject(t, ". 1 ack 2");
	expect_nothing(t);
	inject(t, ". 0 ack 2");
	expect(t, ". 2 ack 1 win 63");
}

static void finwait2_syn_is_reset(void **state)
{
	struct rig *t = *state;

	to_fin_wait_2(t);
	inject(t, "S 1");
	expect(t, "R. %d ack 2 win 0", -(int)t->iss);
	assert_int_equal(t->s->ntw, 0);
}

static void finwait2_reset_in_window_ends_it(void **state)
{
	struct rig *t = *state;

	to_fin_wait_2(t);
	inject(t, "R 50");
	expect_nothing(t);
	assert_int_equal(t->s->ntw, 0);
}

/* ---- who may take its place: RFC 6191 ---- */

/* connect() from the same port to the same peer. */
static int connect_again(struct rig *t, uint16_t lport)
{
	ip4 addr;
	uint16_t port;

	dial_open(t);
	t->c->opt.reuseaddr = true;
	if (tcp_bind(t->c, US, lport, false, &addr, &port, t->now) < 0)
		return -EADDRINUSE;
	return dial_connect(t);
}

/* The program chose the port: timestamps are enough, at once (Linux passes no twp). */
static void timewait_is_taken_by_a_bound_socket(void **state)
{
	struct rig *t = *state;
	uint16_t lport;
	uint32_t ts_recent;
	seq32 snd_nxt;

	to_time_wait(t);
	lport = t->lport;
	snd_nxt = t->iss + 2;
	ts_recent = t->th.tsecr;
	assert_int_equal(connect_again(t, lport), 0);
	expect(t, "S 0 win 65160 mss 1460 sackOK ecr %u wscale 10", ts_recent);
	assert_int_equal(t->iss, snd_nxt + 65535 + 2);   /* beyond all that may still be on its way */
	assert_int_equal(t->s->ntw, 0);
	t->ts = true;
	inject(t, SYN_ACK);
	expect(t, ". 1 ack 1");
}

/* One port is all there is, and it is in TIME-WAIT. */
static void to_time_wait_on_the_only_port(struct rig *t)
{
	t->s->set.ip_local_port_min = 40000;
	t->s->set.ip_local_port_max = 40000;
	to_time_wait(t);
	dial_open(t);
}

static void timewait_is_not_taken_by_default(void **state)
{
	struct rig *t = *state;

	to_time_wait_on_the_only_port(t);
	advance(t, 10 * XTIME_SEC);
	assert_int_equal(dial_connect(t), -EADDRNOTAVAIL);   /* tcp_tw_reuse 2: loopback only */
}

static void timewait_is_taken_after_a_second_if_allowed(void **state)
{
	struct rig *t = *state;

	t->s->set.tcp_tw_reuse = 1;
	to_time_wait_on_the_only_port(t);
	advance(t, 999 * XTIME_MSEC);
	assert_int_equal(dial_connect(t), -EADDRNOTAVAIL);
	advance(t, XTIME_MSEC);
	assert_int_equal(dial_connect(t), 0);
	expect(t, "S 0");
	assert_int_equal(t->lport, 40000);
	assert_int_equal(counted(t, CTR_TcpExtTWRecycled), 1);
}

static void timewait_without_timestamps_is_never_taken(void **state)
{
	struct rig *t = *state;
	uint16_t lport;

	t->s->set.tcp_tw_reuse = 1;
	establish(t, SYN_ACK_PLAIN);
	t->c->bind.reuse = true;
	lport = t->lport;
	hang_up(t);
	expect(t, "F. 1 ack 1");
	inject(t, "F. 1 ack 2");
	expect(t, ". 2 ack 2");
	advance(t, 50 * XTIME_SEC);
	assert_int_equal(connect_again(t, lport), -EADDRNOTAVAIL);
}

static void timewait_keeps_its_port_from_bind(void **state)
{
	struct rig *t = *state;
	ip4 addr;
	uint16_t port;

	dial_open(t);
	assert_int_equal(tcp_bind(t->c, US, 4000, false, &addr, &port, t->now), 0);
	assert_int_equal(dial_connect(t), 0);
	expect(t, "S 0");
	t->ts = true;
	inject(t, SYN_ACK);
	expect(t, ". 1 ack 1");
	hang_up(t);
	expect(t, "F. 1 ack 1");
	inject(t, "F. 1 ack 2");
	expect(t, ". 2 ack 2");
	dial_open(t);
	assert_int_equal(tcp_bind(t->c, US, 4000, false, &addr, &port, t->now), -EADDRINUSE);
	advance(t, 61 * XTIME_SEC);
	assert_int_equal(tcp_bind(t->c, US, 4000, false, &addr, &port, t->now), 0);
}

static void timewait_ports_are_passed_over_by_connect(void **state)
{
	struct rig *t = *state;

	t->s->set.ip_local_port_min = 40000;
	t->s->set.ip_local_port_max = 40001;
	to_time_wait(t);
	dial(t);
	dial_open(t);
	assert_int_equal(dial_connect(t), -EADDRNOTAVAIL);
}

/* A listener takes a new SYN for the same tuple when it can't be an old one. */
static void timewait_syn_for_a_listener_opens_anew(void **state)
{
	struct rig *t = *state;

	establish_passive(t, NULL);
	hang_up(t);
	expect(t, "F. 1 ack 1");
	inject(t, "F. 1 ack 2");
	expect(t, ". 2 ack 2");
	assert_int_equal(stack_end_timewaits(t->s, 1), 0);   /* the listener has the port */
	inject(t, "S -5000 win 65535 mss 1460 sackOK tsval 5");
	expect(t, ". 2 ack 2");
	advance(t, XTIME_MSEC);
	t->has_iss = false;
	inject(t, "S -5000 win 65535 mss 1460 sackOK ts wscale 7");
	expect(t, "S. 0 ack -4999");
	assert_int_equal(t->s->ntw, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		own(timewait_lasts_a_minute),
		own(timewait_fin_again_is_answered_and_starts_anew),
		own(timewait_data_is_answered),
		own(timewait_ack_in_order_is_not_answered),
		own(timewait_old_ack_is_answered_twice_a_second),
		own(timewait_old_timestamp_is_answered),
		own(timewait_exact_reset_ends_it),
		own(timewait_reset_is_ignored_with_rfc1337),
		own(timewait_syn_without_listener_is_answered),
		own(timewait_has_a_limit),
		own(timewaits_are_ended_to_have_their_ports),
		own(timewait_ack_of_the_fin_goes_even_beyond_the_limit),
		own(finwait2_ack_is_not_answered_but_an_old_one_is),
		own(finwait2_syn_is_reset),
		own(finwait2_reset_in_window_ends_it),
		own(timewait_is_taken_by_a_bound_socket),
		own(timewait_is_not_taken_by_default),
		own(timewait_is_taken_after_a_second_if_allowed),
		own(timewait_without_timestamps_is_never_taken),
		own(timewait_keeps_its_port_from_bind),
		own(timewait_ports_are_passed_over_by_connect),
		own(timewait_syn_for_a_listener_opens_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
