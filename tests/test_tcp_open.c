/* SPDX-License-Identifier: BSD-2-Clause */
/* test_tcp_open.c - connect(): its checks, the SYN, and every way in which the handshake can go. */
#include "harness.h"

static int connect_to(struct rig *t, ip4 addr)
{
	t->peer = addr;
	return dial_connect(t);
}

/* ---- connect() before anything is sent ---- */

static void connect_without_route_is_enetunreach(void **state)
{
	struct rig *t = *state;

	assert_int_equal(stack_del_route(t->s, &t->def), 0);
	dial_open(t);
	assert_int_equal(connect_to(t, FAR), -ENETUNREACH);
	assert_int_equal(tcp_state(t->c), TCP_CLOSE);
	expect_nothing(t);
}

static void connect_to_multicast_or_broadcast_is_enetunreach(void **state)
{
	struct rig *t = *state;

	dial_open(t);
	assert_int_equal(connect_to(t, IP(224, 0, 0, 1)), -ENETUNREACH);
	assert_int_equal(connect_to(t, IP(255, 255, 255, 255)), -ENETUNREACH);
	assert_int_equal(connect_to(t, IP(10, 0, 0, 255)), -ENETUNREACH);
	expect_nothing(t);
}

static void connect_after_failure_can_succeed(void **state)
{
	struct rig *t = *state;

	dial_open(t);
	assert_int_equal(connect_to(t, IP(10, 0, 0, 255)), -ENETUNREACH);
	assert_int_equal(connect_to(t, PEER), 0);
	expect(t, "S 0");
}

static void connect_while_connecting_is_ealready_then_0_then_eisconn(void **state)
{
	struct rig *t = *state;

	dial(t);
	assert_int_equal(dial_connect(t), -EALREADY);
	inject(t, SYN_ACK);
	expect(t, ". 1 ack 1");
	assert_int_equal(dial_connect(t), 0);
	assert_int_equal(dial_connect(t), -EISCONN);
}

static void connect_on_listener_is_eisconn(void **state)
{
	struct rig *t = *state;
	ip4 addr;
	uint16_t port;

	dial_open(t);
	assert_int_equal(tcp_bind(t->c, 0, 0, true, &addr, &port, t->now), 0);
	assert_int_equal(tcp_listen(t->c, 1, &addr, &port, t->now), 0);
	assert_int_equal(dial_connect(t), -EISCONN);
}

static void connect_names_are_those_of_the_connection(void **state)
{
	struct rig *t = *state;
	ip4 addr;
	uint16_t port;

	dial_open(t);
	tcp_sockname(t->c, &addr, &port);
	assert_int_equal(addr, 0);
	assert_int_equal(port, 0);
	assert_int_equal(dial_connect(t), 0);
	expect(t, "S 0");
	assert_int_equal(tcp_peername(t->c, &addr, &port), -ENOTCONN);
	tcp_sockname(t->c, &addr, &port);
	assert_int_equal(addr, US);
	assert_int_equal(port, t->lport);
	inject(t, SYN_ACK);
	assert_int_equal(tcp_peername(t->c, &addr, &port), 0);
	assert_int_equal(addr, PEER);
	assert_int_equal(port, 80);
}

/* ---- the SYN ---- */

static void syn_is_as_linux_sends_it(void **state)
{
	struct rig *t = *state;

	dial_open(t);
	assert_int_equal(dial_connect(t), 0);
	expect(t, "S 0 win 64240 mss 1460 sackOK ts ecr 0 wscale 10");
	assert_true(t->ip.is_df);
	assert_int_equal(t->ip.ttl, 64);
	assert_int_equal(t->ip.tos, 0);
	assert_in_range(t->lport, 32768, 60999);
	assert_int_equal(t->lport % 2, 0);
	assert_int_equal(t->th.hdr_len, 40);
	expect_nothing(t);
}

static void syn_without_options_that_are_off(void **state)
{
	struct rig *t = *state;

	t->s->set.tcp_sack = t->s->set.tcp_timestamps = t->s->set.tcp_window_scaling = 0;
	dial_open(t);
	assert_int_equal(dial_connect(t), 0);
	expect(t, "S 0 win 64240 mss 1460 nots");
}

static void syn_carries_user_mss(void **state)
{
	struct rig *t = *state;

	dial_open(t);
	t->c->opt.user_mss = 1000;
	assert_int_equal(dial_connect(t), 0);
	expect(t, "S 0 mss 1000 sackOK wscale 10");
}

static void syn_carries_ttl_and_tos_of_the_socket(void **state)
{
	struct rig *t = *state;

	dial_open(t);
	t->c->opt.ttl = 9;
	t->c->opt.tos = 0x10;
	assert_int_equal(dial_connect(t), 0);
	expect(t, "S 0");
	assert_int_equal(t->ip.ttl, 9);
	assert_int_equal(t->ip.tos, 0x10);
}

static void syn_numbers_differ_by_port(void **state)
{
	struct rig *t = *state;
	seq32 first;
	uint32_t ts;

	dial(t);
	first = t->iss;
	ts = t->th.tsval;
	hang_up(t);
	dial(t);
	assert_int_not_equal(t->iss, first);
	assert_int_not_equal(t->th.tsval, ts);   /* each connection has a timestamp clock of its own */
	ts = t->th.tsval;
	expect_after(t, XTIME_SEC, "S 0 tsval %u", ts + 1000);
}

static void syn_is_sent_again_as_linux_times_it(void **state)
{
	static const int wait[] = { 1, 1, 1, 1, 1, 2, 4, 8, 16, 32 };
	struct rig *t = *state;
	xtime start;

	dial(t);
	start = t->now;
	for (size_t i = 0; i < ARRAY_LEN(wait); i++)
		expect_after(t, wait[i] * XTIME_SEC, "S 0 win 64240 mss 1460 sackOK ts wscale 10");
	advance(t, 64 * XTIME_SEC - 1);
	assert_int_equal(tcp_state(t->c), TCP_SYN_SENT);
	advance(t, 1);
	assert_int_equal(t->now - start, 131 * XTIME_SEC);
	assert_int_equal(tcp_state(t->c), TCP_CLOSE);
	assert_int_equal(tcp_take_error(t->c), ETIMEDOUT);
	assert_int_equal(tcp_take_error(t->c), 0);
	expect_quiet(t, 1000 * XTIME_SEC);
}

static void syn_count_of_the_socket_bounds_the_attempts(void **state)
{
	struct rig *t = *state;
	unsigned n = 0;

	dial_open(t);
	t->c->opt.syn_cnt = 1;
	assert_int_equal(dial_connect(t), 0);
	expect(t, "S 0");
	/* For as long as one attempt with doubled time-outs takes, in linear ones. */
	advance(t, 3 * XTIME_SEC - 1);
	n = forget(t);
	assert_int_equal(n, 2);
	assert_int_equal(tcp_state(t->c), TCP_SYN_SENT);
	advance(t, 1);
	expect_nothing(t);
	assert_int_equal(dial_connect(t), -ETIMEDOUT);
}

static void syn_user_timeout_ends_the_attempt(void **state)
{
	struct rig *t = *state;

	dial_open(t);
	t->c->opt.user_timeout_ms = 2500;
	assert_int_equal(dial_connect(t), 0);
	expect(t, "S 0");
	expect_after(t, XTIME_SEC, "S 0");
	advance(t, 10 * XTIME_SEC);
	assert_int_equal(tcp_take_error(t->c), ETIMEDOUT);
}

/* ---- the answer ---- */

static void synsent_syn_ack_is_established(void **state)
{
	struct rig *t = *state;

	dial(t);
	t->ts = true;
	assert_int_equal(tcp_events(t->c) & (POLLIN | POLLOUT | POLLHUP | TCP_EV_CONNECTED), 0);
	advance(t, 20 * XTIME_MSEC);
	inject(t, SYN_ACK);
	expect(t, ". 1 ack 1 win 63 ts");
	assert_int_equal(t->th.tsecr, PEER_TS + xtime_ms(t->now));
	expect_nothing(t);
	assert_int_equal(tcp_state(t->c), TCP_ESTABLISHED);
	assert_int_equal(tcp_events(t->c) & (POLLIN | POLLOUT | POLLHUP | TCP_EV_CONNECTED),
	                 POLLOUT | TCP_EV_CONNECTED);
	assert_ptr_equal(stack_next_event(t->s), t->c);
	expect_quiet(t, 100 * XTIME_SEC);
}

static void synsent_syn_ack_without_options_uses_none(void **state)
{
	struct rig *t = *state;

	dial(t);
	inject(t, "S. 0 ack 1 win 1000");
	expect(t, ". 1 ack 1 win 64240 nots");
	put(t, 800);
	expect(t, ". 1:501 ack 1");   /* no MSS: 536, but a window of 1000 holds two segments */
	expect(t, "P. 501:801 ack 1");
}

static void synsent_scale_above_14_counts_as_14(void **state)
{
	struct rig *t = *state;

	establish(t, "S. 0 ack 1 win 65535 mss 1460 wscale 15");
	assert_int_equal(t->c->snd_wscale, 14);
}

static void synsent_refused_is_econnrefused(void **state)
{
	struct rig *t = *state;

	dial(t);
	inject(t, "R. 0 ack 1 win 0");
	expect_quiet(t, 100 * XTIME_SEC);
	assert_int_equal(tcp_events(t->c) & (POLLIN | POLLOUT | POLLERR | POLLHUP),
	                 POLLIN | POLLOUT | POLLERR | POLLHUP);
	assert_int_equal(dial_connect(t), -ECONNREFUSED);
	assert_int_equal(tcp_take_error(t->c), 0);
}

static void synsent_refused_socket_can_connect_again(void **state)
{
	struct rig *t = *state;

	dial(t);
	inject(t, "R. 0 ack 1 win 0");
	assert_int_equal(dial_connect(t), -ECONNREFUSED);
	t->has_iss = false;
	t->lport = 0;
	assert_int_equal(dial_connect(t), 0);
	expect(t, "S 0 win 64240 mss 1460 sackOK ts wscale 10");
	inject(t, SYN_ACK);
	expect(t, ". 1 ack 1");
}

static void synsent_reset_without_ack_is_ignored(void **state)
{
	struct rig *t = *state;

	dial(t);
	inject(t, "R 0 win 0");
	expect_nothing(t);
	assert_int_equal(tcp_state(t->c), TCP_SYN_SENT);
	assert_int_equal(counted(t, CTR_tcp_unexpected), 1);
}

static void synsent_reset_with_bad_ack_is_ignored(void **state)
{
	struct rig *t = *state;

	dial(t);
	inject(t, "R. 0 ack 2 win 0");
	inject(t, "R. 0 ack 0 win 0");
	expect_nothing(t);
	assert_int_equal(tcp_state(t->c), TCP_SYN_SENT);
}

static void synsent_bad_ack_is_reset(void **state)
{
	struct rig *t = *state;

	dial(t);
	inject(t, "S. 0 ack 2 win 1000 mss 1460");
	expect(t, "R 2 win 0 nots");
	inject(t, ". 0 ack 0");
	expect(t, "R 0 win 0 nots");
	expect_nothing(t);
	assert_int_equal(tcp_state(t->c), TCP_SYN_SENT);
}

/* A half-open peer answers with an ACK of its own connection: after our reset Linux tries
 * again at once (tcp_rcv_synsent_state_process: TCP_TIMEOUT_MIN). */
static void synsent_bad_ack_makes_the_next_syn_come_soon(void **state)
{
	struct rig *t = *state;

	dial(t);
	inject(t, ". 900 ack 4711");
	expect(t, "R 4711 nots");
	expect_after(t, 2 * TCP_TICK, "S 0");
	inject(t, SYN_ACK);
	expect(t, ". 1 ack 1");
}

static void synsent_plain_ack_of_the_syn_is_ignored(void **state)
{
	struct rig *t = *state;

	dial(t);
	inject(t, ". 1 ack 1");
	expect_nothing(t);
	assert_int_equal(tcp_state(t->c), TCP_SYN_SENT);
}

static void synsent_echo_of_a_foreign_clock_is_reset(void **state)
{
	struct rig *t = *state;

	dial(t);
	inject(t, "S. 0 ack 1 mss 1460 tsval 5 ecr %u", t->th.tsval - 1000);
	expect(t, "R 1 nots");
	assert_int_equal(tcp_state(t->c), TCP_SYN_SENT);
}

static void synsent_data_with_syn_ack_is_taken(void **state)
{
	struct rig *t = *state;

	dial(t);
	inject(t, "S. 0 ack 1 mss 1460");
	expect(t, ". 1 ack 1");
	inject(t, "P. 1:101 ack 1");
	expect(t, ". 1 ack 101");
	take(t, 100);
}

static void synsent_syn_ack_again_is_acknowledged_again(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, SYN_ACK);
	expect(t, ". 1 ack 1");
	assert_int_equal(tcp_state(t->c), TCP_ESTABLISHED);
}

/* The time-out and the answer come in one turn of the engine, before anything is sent. */
static void synsent_answer_takes_back_a_syn_that_is_due(void **state)
{
	struct rig *t = *state;

	dial(t);
	t->now += XTIME_SEC;
	stack_expire(t->s, t->now);
	inject(t, SYN_ACK);
	expect(t, ". 1 ack 1");
	expect_nothing(t);
	put(t, 10);
	expect(t, "P. 1:11 ack 1");
	inject(t, ". 1 ack 11");
	assert_int_equal(t->c->snd.txq.n, 0);
}

static void synsent_data_waits_for_the_handshake(void **state)
{
	struct rig *t = *state;

	dial(t);
	assert_int_equal(try_put(t, 10, 0), -EAGAIN);
	assert_int_equal(try_take(t, 10, 0), -EAGAIN);
	inject(t, SYN_ACK);
	expect(t, ". 1 ack 1");
	put(t, 10);
	expect(t, "P. 1:11 ack 1");
}

static void synsent_repeated_syn_starts_with_cwnd_1(void **state)
{
	struct rig *t = *state;

	dial(t);
	t->ts = true;
	expect_after(t, XTIME_SEC, "S 0");
	expect_after(t, XTIME_SEC, "S 0");
	inject(t, SYN_ACK);
	expect(t, ". 1 ack 1");
	assert_int_equal(t->c->cc.cwnd, 1);
}

static void synsent_syn_repeated_once_keeps_cwnd(void **state)
{
	struct rig *t = *state;

	dial(t);
	t->ts = true;
	expect_after(t, XTIME_SEC, "S 0");
	inject(t, SYN_ACK);
	expect(t, ". 1 ack 1");
	assert_int_equal(t->c->cc.cwnd, 10);
}

/* ---- crossed SYNs: RFC 9293 3.5, figure 7 ---- */

static void simultaneous_open_is_established(void **state)
{
	struct rig *t = *state;

	dial(t);
	t->ts = true;
	inject(t, "S 0 win 65535 mss 1460 sackOK ts wscale 7");
	expect(t, "S. 0 ack 1 win 64240 mss 1460 sackOK ts wscale 10");
	assert_int_equal(tcp_state(t->c), TCP_SYN_RECV);
	assert_int_equal(dial_connect(t), -EALREADY);
	inject(t, "S. 0 ack 1 win 65535 mss 1460 sackOK ts wscale 7");
	expect(t, ". 1 ack 1 sack 0:1");
	assert_int_equal(tcp_state(t->c), TCP_ESTABLISHED);
	assert_int_equal(dial_connect(t), 0);
	put(t, 100);
	expect(t, "P. 1:101 ack 1");
}

static void simultaneous_open_plain_ack_is_established(void **state)
{
	struct rig *t = *state;

	dial(t);
	inject(t, "S 0 win 65535 mss 1460 sackOK wscale 7");
	expect(t, "S. 0 ack 1");
	inject(t, ". 1 ack 1 win 100");
	expect_nothing(t);
	assert_int_equal(tcp_state(t->c), TCP_ESTABLISHED);
	assert_int_equal(t->c->snd.wnd, 100 << 7);
}

static void simultaneous_open_syn_ack_is_sent_again(void **state)
{
	struct rig *t = *state;

	dial(t);
	inject(t, "S 0 win 65535 mss 1460");
	expect(t, "S. 0 ack 1");
	expect_after(t, XTIME_SEC, "S. 0 ack 1");
	inject(t, ". 1 ack 1");
	assert_int_equal(tcp_state(t->c), TCP_ESTABLISHED);
}

static void simultaneous_open_reset_is_econnrefused_or_reset(void **state)
{
	struct rig *t = *state;

	dial(t);
	inject(t, "S 0 win 65535 mss 1460");
	expect(t, "S. 0 ack 1");
	inject(t, "R 1");
	assert_int_equal(tcp_state(t->c), TCP_CLOSE);
	assert_int_equal(tcp_take_error(t->c), ECONNRESET);
}

static void simultaneous_open_shutdown_sends_its_fin_when_open(void **state)
{
	struct rig *t = *state;

	dial(t);
	inject(t, "S 0 win 65535 mss 1460");
	expect(t, "S. 0 ack 1");
	assert_int_equal(tcp_shutdown(t->c, SHUT_WR, t->now), 0);
	settle(t);
	expect_nothing(t);
	inject(t, "P. 1:11 ack 1");
	expect(t, "F. 1 ack 11");
	take(t, 10);
}

/* ---- giving up ---- */

static void synsent_close_says_nothing(void **state)
{
	struct rig *t = *state;

	dial(t);
	hang_up(t);
	expect_quiet(t, 100 * XTIME_SEC);
	assert_int_equal(t->s->nconn, 0);
	inject(t, SYN_ACK);
	expect(t, "R 1 nots");
}

static void synsent_disconnect_frees_the_port(void **state)
{
	struct rig *t = *state;
	ip4 addr;
	uint16_t port;

	dial(t);
	assert_int_equal(tcp_disconnect(t->c, t->now), 0);
	settle(t);
	expect_nothing(t);
	tcp_sockname(t->c, &addr, &port);
	assert_int_equal(addr, 0);
	assert_int_equal(conntab_port(&t->c->bind), 0);   /* though the name tells it still */
	t->c->err = 0;
	t->has_iss = false;
	t->lport = 0;
	assert_int_equal(dial_connect(t), 0);
	expect(t, "S 0");
}

static void established_disconnect_resets(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	assert_int_equal(tcp_disconnect(t->c, t->now), 0);
	settle(t);
	expect(t, "R. 1 ack 1");
	assert_int_equal(tcp_state(t->c), TCP_CLOSE);
	assert_int_equal(tcp_take_error(t->c), ECONNRESET);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		own(connect_without_route_is_enetunreach),
		own(connect_to_multicast_or_broadcast_is_enetunreach),
		own(connect_after_failure_can_succeed),
		own(connect_while_connecting_is_ealready_then_0_then_eisconn),
		own(connect_on_listener_is_eisconn),
		own(connect_names_are_those_of_the_connection),
		own(syn_is_as_linux_sends_it),
		own(syn_without_options_that_are_off),
		own(syn_carries_user_mss),
		own(syn_carries_ttl_and_tos_of_the_socket),
		own(syn_numbers_differ_by_port),
		own(syn_is_sent_again_as_linux_times_it),
		own(syn_count_of_the_socket_bounds_the_attempts),
		own(syn_user_timeout_ends_the_attempt),
		own(synsent_syn_ack_is_established),
		own(synsent_syn_ack_without_options_uses_none),
		own(synsent_scale_above_14_counts_as_14),
		own(synsent_refused_is_econnrefused),
		own(synsent_refused_socket_can_connect_again),
		own(synsent_reset_without_ack_is_ignored),
		own(synsent_reset_with_bad_ack_is_ignored),
		own(synsent_bad_ack_is_reset),
		own(synsent_bad_ack_makes_the_next_syn_come_soon),
		own(synsent_plain_ack_of_the_syn_is_ignored),
		own(synsent_echo_of_a_foreign_clock_is_reset),
		own(synsent_data_with_syn_ack_is_taken),
		own(synsent_syn_ack_again_is_acknowledged_again),
		own(synsent_answer_takes_back_a_syn_that_is_due),
		own(synsent_data_waits_for_the_handshake),
		own(synsent_repeated_syn_starts_with_cwnd_1),
		own(synsent_syn_repeated_once_keeps_cwnd),
		own(simultaneous_open_is_established),
		own(simultaneous_open_plain_ack_is_established),
		own(simultaneous_open_syn_ack_is_sent_again),
		own(simultaneous_open_reset_is_econnrefused_or_reset),
		own(simultaneous_open_shutdown_sends_its_fin_when_open),
		own(synsent_close_says_nothing),
		own(synsent_disconnect_frees_the_port),
		own(established_disconnect_resets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
