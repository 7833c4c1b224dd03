/* SPDX-License-Identifier: BSD-2-Clause */
/* test_tcp_opt_effect.c - what socket options do to a connection, where the tests of
 * opening, sending and receiving don't show it. */
#include "harness.h"

#include <poll.h>

#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51
#endif
#ifndef TCP_RTO_MIN_US
#define TCP_RTO_MIN_US 45
#endif

static void set(struct rig *t, int level, int name, int32_t val)
{
	assert_int_equal(tcp_setopt(t->c, level, name, &val, sizeof(val), true, t->now), 0);
	settle(t);
}

static int get(struct rig *t, int level, int name)
{
	int32_t val = 0;
	socklen_t len = sizeof(val);

	assert_int_equal(tcp_getopt(t->c, level, name, &val, &len, t->now), 0);
	return val;
}

static void quickack_off_delays_and_on_sends_what_is_owed(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	set(t, IPPROTO_TCP, TCP_QUICKACK, 0);
	assert_int_equal(get(t, IPPROTO_TCP, TCP_QUICKACK), 0);
	inject(t, "P. 1:101 ack 1");
	expect_nothing(t);
	take(t, 100);
	expect_nothing(t);
	set(t, IPPROTO_TCP, TCP_QUICKACK, 1);
	expect(t, ". 1 ack 101");
	assert_int_equal(get(t, IPPROTO_TCP, TCP_QUICKACK), 1);
	inject(t, "P. 101:201 ack 1");
	expect(t, ". 1 ack 201");
}

static void quickack_even_value_acks_once_and_goes_back(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	set(t, IPPROTO_TCP, TCP_QUICKACK, 0);
	inject(t, "P. 1:101 ack 1");
	take(t, 100);
	set(t, IPPROTO_TCP, TCP_QUICKACK, 2);
	expect(t, ". 1 ack 101");
	assert_int_equal(get(t, IPPROTO_TCP, TCP_QUICKACK), 0);
}

static void dontroute_beyond_a_gateway_is_enetunreach(void **state)
{
	struct rig *t = *state;

	dial_open(t);
	set(t, SOL_SOCKET, SO_DONTROUTE, 1);
	t->peer = FAR;
	assert_int_equal(dial_connect(t), -ENETUNREACH);
	t->peer = PEER;
	assert_int_equal(dial_connect(t), 0);
	expect(t, "S 0");
}

static void other_device_is_enetunreach(void **state)
{
	struct rig *t = *state;

	dial_open(t);
	set(t, SOL_SOCKET, SO_BINDTOIFINDEX, 4711);
	assert_int_equal(dial_connect(t), -ENETUNREACH);
	set(t, SOL_SOCKET, SO_BINDTOIFINDEX, t->s->ifaces[t->iface].oif);
	assert_int_equal(dial_connect(t), 0);
	expect(t, "S 0");
}

/* The handshake of a socket that was opened before. */
static void shake_hands(struct rig *t)
{
	assert_int_equal(dial_connect(t), 0);
	expect(t, "S 0");
	advance(t, XTIME_MSEC);
	t->ts = true;
	inject(t, SYN_ACK);
	expect(t, ". 1 ack 1");
}

/* We close first, so that TIME-WAIT is ours. */
static void close_to_timewait(struct rig *t)
{
	hang_up(t);
	expect(t, "F. 1 ack 1");
	inject(t, "F. 1 ack 2");
	expect(t, ". 2 ack 2");
}

static void local_port_range_bounds_the_choice(void **state)
{
	struct rig *t = *state;

	dial_open(t);
	set(t, IPPROTO_IP, IP_LOCAL_PORT_RANGE, (int32_t)(40003u << 16 | 40003u));
	assert_int_equal(dial_connect(t), 0);
	expect(t, "S 0");
	assert_int_equal(t->th.sport, 40003);
}

static void local_port_range_counts_within_the_settings(void **state)
{
	struct rig *t = *state;
	ip4 addr;
	uint16_t port;

	stack_settings(t->s)->ip_local_port_min = 50000;
	stack_settings(t->s)->ip_local_port_max = 50001;
	dial_open(t);
	set(t, IPPROTO_IP, IP_LOCAL_PORT_RANGE, (int32_t)(50000u << 16 | 1000u));
	assert_int_equal(dial_connect(t), 0);
	tcp_sockname(t->c, &addr, &port);
	assert_int_equal(port, 50000);
}

static void low_water_mark_holds_back_readiness(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	set(t, SOL_SOCKET, SO_RCVLOWAT, 150);
	inject(t, "P. 1:101 ack 1");
	assert_false(tcp_events(t->c) & POLLIN);
	inject(t, "P. 101:201 ack 1");
	assert_true(tcp_events(t->c) & POLLIN);
	forget(t);
}

static void low_water_mark_lowered_makes_ready_at_once(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	set(t, SOL_SOCKET, SO_RCVLOWAT, 150);
	inject(t, "P. 1:101 ack 1");
	while (stack_next_event(t->s))
		;
	set(t, SOL_SOCKET, SO_RCVLOWAT, 1);
	assert_true(tcp_events(t->c) & POLLIN);
	assert_ptr_equal(stack_next_event(t->s), t->c);
	forget(t);
}

static void not_sent_low_water_mark_holds_back_writability(void **state)
{
	struct rig *t = *state;

	establish(t, "S. 0 ack 1 win 1000 mss 1460 sackOK ts wscale 0");
	set(t, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 2000);
	assert_true(tcp_events(t->c) & POLLOUT);
	assert_int_equal(try_put(t, 6000, 0), 3000);   /* half of it leaves */
	assert_false(tcp_events(t->c) & POLLOUT);
	set(t, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 100000);
	assert_true(tcp_events(t->c) & POLLOUT);
	forget(t);
}

static void send_buffer_enlarged_makes_writable(void **state)
{
	struct rig *t = *state;

	establish(t, "S. 0 ack 1 win 1000 mss 1460 sackOK ts wscale 0");
	set(t, SOL_SOCKET, SO_SNDBUF, 4000);
	while (try_put(t, 1000, 0) > 0)
		;
	assert_false(tcp_events(t->c) & POLLOUT);
	set(t, SOL_SOCKET, SO_SNDBUF, 100000);
	assert_true(tcp_events(t->c) & POLLOUT);
	assert_true(try_put(t, 1000, 0) > 0);
	forget(t);
}

static void keepidle_shortened_probes_sooner(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	set(t, SOL_SOCKET, SO_KEEPALIVE, 1);
	advance(t, 20 * XTIME_SEC);
	set(t, IPPROTO_TCP, TCP_KEEPIDLE, 30);
	expect_quiet(t, 9 * XTIME_SEC);
	expect_after(t, XTIME_SEC, ". 0 ack 1");
}

static void keepalive_turned_off_is_quiet(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	set(t, IPPROTO_TCP, TCP_KEEPIDLE, 10);
	set(t, SOL_SOCKET, SO_KEEPALIVE, 1);
	set(t, SOL_SOCKET, SO_KEEPALIVE, 0);
	expect_quiet(t, 100 * XTIME_SEC);
}

static void congestion_control_changes_under_way(void **state)
{
	struct rig *t = *state;
	char name[16] = "";
	socklen_t len = sizeof(name);

	establish(t, NULL);
	put(t, 1000);
	expect(t, "P. 1:1001 ack 1");
	assert_int_equal(tcp_setopt(t->c, IPPROTO_TCP, TCP_CONGESTION, "reno", 4, false, t->now), 0);
	inject(t, ". 1 ack 1001");
	put(t, 1000);
	expect(t, "P. 1001:2001 ack 1");
	tcp_getopt(t->c, IPPROTO_TCP, TCP_CONGESTION, name, &len, t->now);
	assert_string_equal(name, "reno");
}

static void rto_min_makes_retransmission_sooner(void **state)
{
	struct rig *t = *state;

	dial_open(t);
	set(t, IPPROTO_TCP, TCP_RTO_MIN_US, 20000);
	shake_hands(t);
	put(t, 1000);
	expect(t, "P. 1:1001 ack 1");
	advance(t, 100 * XTIME_MSEC);
	assert_true(forget(t) >= 1);
}

/* inet_hash_connect() of a bound socket: timestamps alone decide, whatever tcp_tw_reuse says. */
static void bound_port_over_timewait_connects_at_once(void **state)
{
	struct rig *t = *state;
	ip4 addr;
	uint16_t port;
	seq32 old_iss;

	dial_open(t);
	set(t, SOL_SOCKET, SO_REUSEADDR, 1);
	assert_int_equal(tcp_bind(t->c, 0, 5000, false, &addr, &port, t->now), 0);
	shake_hands(t);
	old_iss = t->iss;
	close_to_timewait(t);
	dial_open(t);
	set(t, SOL_SOCKET, SO_REUSEADDR, 1);
	assert_int_equal(tcp_bind(t->c, 0, 5000, false, &addr, &port, t->now), 0);
	assert_int_equal(dial_connect(t), 0);
	expect(t, "S 0");
	assert_int_equal(t->iss, old_iss + 2 + 65535 + 2);
	assert_int_equal(counted(t, CTR_TcpExtTWRecycled), 1);
}

static void port_chosen_is_not_one_in_timewait_by_default(void **state)
{
	struct rig *t = *state;

	stack_settings(t->s)->ip_local_port_min = stack_settings(t->s)->ip_local_port_max = 50000;
	dial_open(t);
	shake_hands(t);
	close_to_timewait(t);
	advance(t, 5 * XTIME_SEC);
	dial_open(t);
	assert_int_equal(dial_connect(t), -EADDRNOTAVAIL);
	stack_settings(t->s)->tcp_tw_reuse = 1;
	tcp_release(t->c, t->now);
	dial_open(t);
	assert_int_equal(dial_connect(t), 0);
}

static void congestion_is_a_setting_of_new_sockets(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *old, *new;

	old = tcp_open(t->s, t->now);
	assert_int_equal(stack_set(t->s, "net.ipv4.tcp_congestion_control", "reno"), 0);
	new = tcp_open(t->s, t->now);
	assert_string_equal(old->cc.ops->name, "cubic");
	assert_string_equal(new->cc.ops->name, "reno");
	assert_int_equal(stack_set(t->s, "tcp_congestion_control", "nonesuch"), -EINVAL);
	assert_string_equal(t->s->cc->name, "reno");
	tcp_release(old, t->now);
	tcp_release(new, t->now);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		own(quickack_off_delays_and_on_sends_what_is_owed),
		own(quickack_even_value_acks_once_and_goes_back),
		own(dontroute_beyond_a_gateway_is_enetunreach),
		own(other_device_is_enetunreach),
		own(local_port_range_bounds_the_choice),
		own(local_port_range_counts_within_the_settings),
		own(low_water_mark_holds_back_readiness),
		own(low_water_mark_lowered_makes_ready_at_once),
		own(not_sent_low_water_mark_holds_back_writability),
		own(send_buffer_enlarged_makes_writable),
		own(keepidle_shortened_probes_sooner),
		own(keepalive_turned_off_is_quiet),
		own(congestion_control_changes_under_way),
		own(rto_min_makes_retransmission_sooner),
		own(bound_port_over_timewait_connects_at_once),
		own(port_chosen_is_not_one_in_timewait_by_default),
		own(congestion_is_a_setting_of_new_sockets),
	};

	return cmocka_run_group_tests_name("tcp_opt_effect", tests, NULL, NULL);
}
