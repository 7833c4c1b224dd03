/* SPDX-License-Identifier: BSD-2-Clause */
/* test_tcp_ports.c - whose port, whose segment, and the way to the peer. */
#include "harness.h"

/* ---- ports ---- */

static void bind_port_is_the_one_used(void **state)
{
	struct rig *t = *state;
	ip4 addr;
	uint16_t port;

	dial_open(t);
	assert_int_equal(tcp_bind(t->c, US, 4000, false, &addr, &port, t->now), 0);
	assert_int_equal(dial_connect(t), 0);
	expect(t, "S 0");
	assert_int_equal(t->lport, 4000);
}

static void bind_checks_come_in_linux_order(void **state)
{
	struct rig *t = *state;
	ip4 addr;
	uint16_t port;

	dial_open(t);
	assert_int_equal(tcp_bind(t->c, FAR, 80, false, &addr, &port, t->now), -EADDRNOTAVAIL);
	assert_int_equal(tcp_bind(t->c, US, 80, false, &addr, &port, t->now), -EACCES);
	assert_int_equal(tcp_bind(t->c, US, 4000, false, &addr, &port, t->now), 0);
	assert_int_equal(tcp_bind(t->c, US, 4001, false, &addr, &port, t->now), -EINVAL);
	assert_int_equal(tcp_bind(t->c, US, 80, false, &addr, &port, t->now), -EACCES);
	dial_open(t);
	assert_int_equal(tcp_bind(t->c, 0, 4000, false, &addr, &port, t->now), -EADDRINUSE);
	t->c->opt.freebind = true;
	assert_int_equal(tcp_bind(t->c, FAR, 4001, false, &addr, &port, t->now), 0);
}

static void bind_address_no_port_leaves_the_choice_to_connect(void **state)
{
	struct rig *t = *state;
	ip4 addr;
	uint16_t port;

	dial_open(t);
	t->c->opt.bind_no_port = true;
	assert_int_equal(tcp_bind(t->c, US, 0, false, &addr, &port, t->now), 0);
	tcp_sockname(t->c, &addr, &port);
	assert_int_equal(addr, US);
	assert_int_equal(port, 0);
	assert_int_equal(dial_connect(t), 0);
	expect(t, "S 0");
	assert_int_equal(t->lport % 2, 0);
}

static void ports_exhausted_is_eaddrnotavail(void **state)
{
	struct rig *t = *state;

	t->s->set.ip_local_port_min = 40000;
	t->s->set.ip_local_port_max = 40003;
	for (int i = 0; i < 4; i++)
		dial(t);
	dial_open(t);
	assert_int_equal(dial_connect(t), -EADDRNOTAVAIL);
	assert_int_equal(tcp_state(t->c), TCP_CLOSE);
	t->rport = 81;   /* another destination shares the ports */
	assert_int_equal(dial_connect(t), 0);
}

static void bound_port_in_use_towards_the_peer_is_eaddrnotavail(void **state)
{
	struct rig *t = *state;
	ip4 addr;
	uint16_t port;

	for (int i = 0; i < 2; i++) {
		dial_open(t);
		t->c->opt.reuseaddr = true;
		assert_int_equal(tcp_bind(t->c, US, 4000, false, &addr, &port, t->now), 0);
		assert_int_equal(dial_connect(t), i ? -EADDRNOTAVAIL : 0);
		forget(t);
	}
}

/* ---- shared with the kernel ---- */

static void shared_connect_asks_for_its_port_first(void **state)
{
	struct rig *t = *state;
	ip4 addr = 0;
	uint16_t port = 0;

	dial_open(t);
	assert_int_equal(tcp_connect(t->c, PEER, 80, &addr, &port, t->now), -EAGAIN);
	assert_int_equal(addr, US);
	assert_in_range(port, 32768, 60999);
	settle(t);
	expect_nothing(t);
	stack_claimed(t->s, addr, port, true);
	assert_int_equal(tcp_connect(t->c, PEER, 80, &addr, &port, t->now), 0);
	settle(t);
	expect(t, "S 0");
	assert_int_equal(t->lport, port);
}

static void shared_refused_claim_takes_another_port(void **state)
{
	struct rig *t = *state;
	ip4 addr;
	uint16_t first, second;

	dial_open(t);
	assert_int_equal(tcp_connect(t->c, PEER, 80, &addr, &first, t->now), -EAGAIN);
	stack_claimed(t->s, addr, first, false);
	assert_int_equal(tcp_connect(t->c, PEER, 80, &addr, &second, t->now), -EAGAIN);
	assert_int_not_equal(first, second);
}

static void shared_segment_for_the_kernel_is_left_alone(void **state)
{
	struct rig *t = *state;

	t->lport = 22;
	inject(t, "S 0");
	inject(t, ". 1 ack 1");
	expect_nothing(t);
	assert_int_equal(counted(t, CTR_tcp_foreign), 2);
}

static void own_segment_for_nobody_is_reset(void **state)
{
	struct rig *t = *state;

	t->lport = 22;
	inject(t, "S 0");
	expect(t, "R. 0 ack 1 win 0 nots");
	inject(t, "P. 1:11 ack 77");
	expect(t, "R 77 win 0 nots");
	inject(t, "R. 1 ack 77");
	expect_nothing(t);
}

/* ---- the way there ---- */

static void neighbour_is_asked_for_and_the_syn_follows(void **state)
{
	struct rig *t = *state;

	t->peer = IP(10, 0, 0, 3);
	dial_open(t);
	assert_int_equal(dial_connect(t), 0);
	expect_arp_request(t, IP(10, 0, 0, 3));
	expect_nothing(t);
	advance(t, 10 * XTIME_MSEC);
	inject_arp_reply(t, IP(10, 0, 0, 3));
	expect(t, "S 0");
	expect_after(t, 990 * XTIME_MSEC, "S 0");
}

static void neighbour_that_is_silent_is_ehostunreach_after_3_s(void **state)
{
	struct rig *t = *state;

	t->peer = IP(10, 0, 0, 3);
	dial_open(t);
	assert_int_equal(dial_connect(t), 0);
	for (int i = 0; i < 3; i++) {
		expect_arp_request(t, IP(10, 0, 0, 3));
		expect_nothing(t);
		if (i < 2)
			advance(t, XTIME_SEC);
	}
	assert_int_equal(tcp_state(t->c), TCP_SYN_SENT);
	advance(t, XTIME_SEC);
	assert_int_equal(tcp_state(t->c), TCP_CLOSE);
	assert_int_equal(dial_connect(t), -EHOSTUNREACH);
}

static void gateway_is_the_next_hop_of_what_is_far(void **state)
{
	struct rig *t = *state;

	t->peer = FAR;
	dial_open(t);
	assert_int_equal(dial_connect(t), 0);
	expect_arp_request(t, GATEWAY);
	inject_arp_reply(t, GATEWAY);
	expect(t, "S 0");
	assert_int_equal(t->ip.dst, FAR);
}

static void raw_interface_needs_no_neighbour(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	put(t, 1000);
	expect(t, "P. 1:1001 ack 1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		own(bind_port_is_the_one_used),
		own(bind_checks_come_in_linux_order),
		own(bind_address_no_port_leaves_the_choice_to_connect),
		own(ports_exhausted_is_eaddrnotavail),
		own(bound_port_in_use_towards_the_peer_is_eaddrnotavail),
		shared(shared_connect_asks_for_its_port_first),
		shared(shared_refused_claim_takes_another_port),
		shared(shared_segment_for_the_kernel_is_left_alone),
		own(own_segment_for_nobody_is_reset),
		own(neighbour_is_asked_for_and_the_syn_follows),
		own(neighbour_that_is_silent_is_ehostunreach_after_3_s),
		own(gateway_is_the_next_hop_of_what_is_far),
		raw(raw_interface_needs_no_neighbour),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
