/* SPDX-License-Identifier: BSD-2-Clause */
/* test_stack.c - the conductor: what goes in, what comes out, in which order and when. */
#include "stack/stack.h"

#include <errno.h>

#include "net_fixture.h"
#include "stack/ctlq.h"

static void new_unknown_congestion_is_refused(void **state)
{
	struct stack_config cfg = { .congestion = "nonesuch" };

	(void)state;
	settings_default(&cfg.settings);
	assert_null(stack_new(&cfg, 0));
}

static void setting_changes_while_the_stack_runs(void **state)
{
	struct net *n = *state;

	assert_int_equal(stack_set(n->s, "net.ipv4.tcp_sack", "0"), 0);
	assert_int_equal(stack_settings(n->s)->tcp_sack, 0);
	assert_int_equal(stack_set(n->s, "tcp_sack", "256"), -EINVAL);
	assert_int_equal(stack_set(n->s, "tcp_sock", "1"), -ENOENT);
	assert_int_equal(stack_settings(n->s)->tcp_sack, 0);
}

static void random_same_secret_gives_same_numbers(void **state)
{
	struct stack_config cfg = { .secret = { 9 } };
	struct stack *a, *b;
	uint32_t first;

	(void)state;
	settings_default(&cfg.settings);
	a = stack_new(&cfg, 0);
	b = stack_new(&cfg, 0);
	first = stack_random(a);
	assert_int_equal(first, stack_random(b));
	assert_int_not_equal(first, stack_random(a));
	stack_free(b);
	cfg.secret[31] = 1;
	b = stack_new(&cfg, 0);
	assert_int_not_equal(first, stack_random(b));
	stack_free(a);
	stack_free(b);
}

static void iface_impossible_is_refused(void **state)
{
	struct net *n = *state;
	struct stack_iface i = { .mtu = 67, .is_up = true };

	assert_int_equal(stack_add_iface(n->s, &i), -EINVAL);
	i.mtu = 68;
	i.has_arp = true;
	assert_int_equal(stack_add_iface(n->s, &i), -EINVAL);
	i.has_arp = false;
	for (int k = 1; k < STACK_IFACES_MAX; k++)
		assert_int_equal(stack_add_iface(n->s, &i), k);
	assert_int_equal(stack_add_iface(n->s, &i), -ENOMEM);
	assert_int_equal(stack_set_iface(n->s, -1, &i), -EINVAL);
	assert_int_equal(stack_set_iface(n->s, STACK_IFACES_MAX, &i), -EINVAL);
}

static void addr_impossible_is_refused(void **state)
{
	struct net *n = *state;

	assert_int_equal(stack_add_addr(n->s, 0, US, 24, true, n->now), -EEXIST);
	assert_int_equal(stack_add_addr(n->s, 0, 0, 24, true, n->now), -EINVAL);
	assert_int_equal(stack_add_addr(n->s, 0, IP(224, 0, 0, 1), 24, true, n->now), -EINVAL);
	assert_int_equal(stack_add_addr(n->s, 0, IP(10, 0, 0, 255), 24, true, n->now), -EINVAL);
	assert_int_equal(stack_add_addr(n->s, 0, PEER, 33, true, n->now), -EINVAL);
	assert_int_equal(stack_add_addr(n->s, 1, PEER, 24, true, n->now), -EINVAL);
	assert_int_equal(stack_del_addr(n->s, 0, PEER, n->now), -EADDRNOTAVAIL);
}

static void addr_added_connects_its_subnet_until_the_last_is_gone(void **state)
{
	struct net *n = *state;
	struct ip_route rt;

	assert_int_equal(stack_add_addr(n->s, 0, IP(10, 0, 0, 9), 24, true, n->now), 0);
	assert_int_equal(stack_del_addr(n->s, 0, US, n->now), 0);
	assert_int_equal(ip_route(n->s, PEER, 0, -1, 0, &rt), 0);
	assert_int_equal(rt.next_hop, PEER);
	assert_int_equal(stack_del_addr(n->s, 0, IP(10, 0, 0, 9), n->now), 0);
	assert_int_equal(ip_route(n->s, PEER, 0, -1, 0, &rt), 0);
	assert_int_equal(rt.next_hop, GATEWAY);
}

static void addr_shared_is_forgotten_with_its_claims(void **state)
{
	struct net *n = *state;

	stack_claimed(n->s, US, 1000, true);
	assert_true(conntab_is_claimed(&n->s->tab, US, 1000));
	assert_false(conntab_is_claimed(&n->s->tab, US, 1001));
	assert_int_equal(ip_addr_kind(n->s, US), IP_ADDR_SHARED);
	assert_int_equal(stack_del_addr(n->s, 0, US, n->now), 0);
	assert_int_equal(ip_addr_kind(n->s, US), IP_ADDR_NONE);
	assert_true(conntab_is_claimed(&n->s->tab, US, 1001));
}

static void route_added_and_deleted_changes_the_generation(void **state)
{
	struct net *n = *state;
	struct route r = { .dst = FAR, .plen = 32, .iface = 5 };
	uint32_t gen = n->s->routes.gen;

	assert_int_equal(stack_add_route(n->s, &r), -EINVAL);
	r.iface = 0;
	assert_int_equal(stack_add_route(n->s, &r), 0);
	assert_int_equal(n->s->routes.gen, gen + 1);
	assert_int_equal(stack_del_route(n->s, &r), 0);
	assert_int_equal(stack_del_route(n->s, &r), -ESRCH);
	assert_int_equal(n->s->routes.gen, gen + 2);
	r = (struct route){ .dst = IP(172, 16, 5, 5), .plen = 16 };
	assert_int_equal(stack_add_route(n->s, &r), 0);
	assert_int_equal(route_lookup(&n->s->routes, IP(172, 16, 9, 9), 0, -1)->plen, 16);
	r.plen = 33;
	assert_int_equal(stack_add_route(n->s, &r), -EINVAL);
}

static void input_every_refusal_has_its_counter(void **state)
{
	static const uint8_t other[MAC_LEN] = { 2, 0, 0, 0, 0, 99 };
	struct net *n = *state;
	uint8_t p[64] = { 0 };
	struct frame_in f = { .data = p, .len = 13 };
	struct stack_iface down = n->s->ifaces[0];

	stack_input(n->s, 0, &f, n->now);
	assert_int_equal(net_count(n, CTR_eth_short), 1);
	stack_input(n->s, 1, &f, n->now);
	assert_int_equal(net_count(n, CTR_iface_down), 1);
	net_input(n, other, ETHTYPE_IPV4, p, 40);
	assert_int_equal(net_count(n, CTR_eth_not_for_us), 1);
	net_input(n, mac_us, 0x86dd, p, 40);
	assert_int_equal(net_count(n, CTR_eth_other_type), 1);
	net_input(n, mac_us, ETHTYPE_ARPV4, p, 27);
	assert_int_equal(net_count(n, CTR_arp_short), 1);
	net_input(n, mac_us, ETHTYPE_ARPV4, p, 28);
	assert_int_equal(net_count(n, CTR_arp_bad), 1);
	net_input(n, mac_us, ETHTYPE_IPV4, p, 19);
	assert_int_equal(net_count(n, CTR_ip_short), 1);
	f.len = 64;
	f.vnet = (struct virtio_net_hdr){ .flags = 1, .csum_start = 62, .csum_offset = 1 };
	stack_input(n->s, 0, &f, n->now);
	assert_int_equal(net_count(n, CTR_vnet_bad), 1);
	f.vnet = (struct virtio_net_hdr){ .gso_type = VIRTIO_NET_HDR_GSO_TCPV4 };
	stack_input(n->s, 0, &f, n->now);
	assert_int_equal(net_count(n, CTR_vnet_bad), 2);
	down.is_up = false;
	assert_int_equal(stack_set_iface(n->s, 0, &down), 0);
	stack_input(n->s, 0, &f, n->now);
	assert_int_equal(net_count(n, CTR_iface_down), 2);
	assert_int_equal(net_count(n, CTR_frames_in), 10);
	net_expect_silence(n);
}

static void input_raw_interface_has_no_link_header(void **state)
{
	struct net *n = *state;
	struct stack_iface tun = { .is_up = true, .mtu = 1400 };
	struct ip_hdr h = { .src = IP(10, 9, 0, 2), .dst = IP(10, 9, 0, 1), .ttl = 9,
	                    .proto = PROTO_TCP, .total_len = 40 };
	struct ip_tx tx = { .src = IP(10, 9, 0, 1), .dst = IP(10, 9, 0, 2), .proto = PROTO_TCP };
	uint8_t p[64] = { 0 };
	struct frame_in f = { .data = p, .len = 40 };

	assert_int_equal(stack_add_iface(n->s, &tun), 1);
	assert_int_equal(stack_add_addr(n->s, 1, IP(10, 9, 0, 1), 24, true, n->now), 0);
	ip_emit(p, &h);
	stack_input(n->s, 1, &f, n->now);
	assert_int_equal(fake.inputs, 1);
	p[0] = 0x60;
	stack_input(n->s, 1, &f, n->now);
	assert_int_equal(net_count(n, CTR_eth_other_type), 1);
	ip_send(n->s, NULL, &tx, p, 20, n->now);
	assert_true(stack_output(n->s, &n->f, n->now));
	assert_int_equal(n->f.iface, 1);
	assert_int_equal(n->f.hdr_len, 40);
	assert_int_equal(n->f.hdr[0], 0x45);
}

static void output_connections_take_turns(void **state)
{
	struct net *n = *state;
	struct fake_conn a, b;
	char order[8] = "";

	fake_conn_init(&a, n->s, 'a');
	fake_conn_init(&b, n->s, 'b');
	a.frames = 3;
	b.frames = 2;
	list_append(&n->s->outq, &a.c.out_link);
	list_append(&n->s->outq, &b.c.out_link);
	for (int i = 0; stack_output(n->s, &n->f, n->now); i++)
		order[i] = (char)n->f.hdr[0];
	assert_string_equal(order, "ababa");
	assert_false(stack_has_output(n->s));
	assert_int_equal(net_count(n, CTR_frames_out), 5);
}

static void output_own_frames_go_first(void **state)
{
	struct net *n = *state;
	struct fake_conn a;

	fake_conn_init(&a, n->s, 'a');
	a.frames = 1;
	list_append(&n->s->outq, &a.c.out_link);
	ctlq_push(n->s->ctlq, 0, 20)[0] = 'x';
	assert_true(stack_output(n->s, &n->f, n->now));
	assert_int_equal(n->f.hdr[0], 'x');
	assert_true(stack_output(n->s, &n->f, n->now));
	assert_int_equal(n->f.hdr[0], 'a');
	assert_false(stack_output(n->s, &n->f, n->now));
}

static void expire_calls_each_owner_once(void **state)
{
	struct net *n = *state;
	struct fake_conn a;
	struct tcp_tw tw;

	fake_conn_init(&a, n->s, 'a');
	timer_init(&tw.timer, TIMER_TIMEWAIT);
	timer_set(&n->s->timers, &a.c.timer, n->now + 10);
	timer_set(&n->s->timers, &tw.timer, n->now + 20);
	assert_int_equal(stack_deadline(n->s), n->now + 10);
	stack_expire(n->s, n->now + 9);
	assert_int_equal(fake.timers, 0);
	stack_expire(n->s, n->now + 20);
	assert_int_equal(fake.timers, 1);
	assert_int_equal(fake.tw_timers, 1);
	assert_int_equal(stack_deadline(n->s), XTIME_NEVER);
}

static void event_each_is_given_once(void **state)
{
	struct net *n = *state;
	struct fake_conn a, b;

	fake_conn_init(&a, n->s, 'a');
	fake_conn_init(&b, n->s, 'b');
	list_append(&n->s->eventq, &a.c.event_link);
	list_append(&n->s->eventq, &b.c.event_link);
	assert_ptr_equal(stack_next_event(n->s), &a.c);
	assert_ptr_equal(stack_next_event(n->s), &b.c);
	assert_null(stack_next_event(n->s));
	assert_false(list_is_linked(&a.c.event_link));
}

/* ---- the queue of own frames ---- */

static void ctlq_frames_leave_whole_and_in_order(void **state)
{
	struct ctlq *q = ctlq_new();
	struct frame_out *f = malloc(sizeof(*f));
	uint32_t seed = 7, in = 0, out = 0;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		size_t len;
		uint8_t *p;

		seed = seed * 1664525 + 1013904223;
		len = 1 + (seed >> 8) % (seed >> 28 ? 1600 : 65000);
		p = ctlq_push(q, (int)(in % 3), len);
		if (p) {
			memset(p, (int)(in & 0xff), len);
			in++;
		}
		for (uint32_t k = p ? seed >> 8 & 1 : 3; k > 0 && ctlq_pop(q, f); k--) {
			const uint8_t *last = f->payload_cnt ? f->payload[0].iov_base : f->hdr;
			size_t last_len = f->payload_cnt ? f->payload[0].iov_len : f->hdr_len;

			assert_int_equal(f->iface, out % 3);
			assert_int_equal(f->hdr[0], out & 0xff);
			assert_int_equal(last[last_len - 1], out & 0xff);
			out++;
		}
	}
	while (ctlq_pop(q, f))
		out++;
	assert_int_equal(in, out);
	assert_true(ctlq_is_empty(q));
	free(f);
	ctlq_free(q);
}

/* Fills as many frames of len bytes as fit, at most max, each with one byte all over. */
static void push_filled(struct ctlq *q, size_t len, unsigned max, unsigned *tag)
{
	uint8_t *p;

	while (max-- && (p = ctlq_push(q, 0, len)))
		memset(p, (int)(++*tag & 0xff), len);
}

static void ctlq_frames_of_a_batch_stay_whole_while_more_come(void **state)
{
	struct ctlq *q = ctlq_new();
	struct frame_out *f = calloc(16, sizeof(*f));
	unsigned tag = 0;

	(void)state;
	for (size_t round = 0; round < 50; round++) {
		int n = 0;

		push_filled(q, 1500 + round, UINT32_MAX, &tag);
		while (n < 16 && ctlq_pop(q, &f[n])) {
			n++;
			push_filled(q, 42, 20, &tag);
		}
		for (int i = 0; i < n; i++) {
			const uint8_t *rest = f[i].payload[0].iov_base;

			for (size_t k = 0; k < f[i].payload_len; k++)
				assert_int_equal(rest[k], f[i].hdr[0]);
		}
		while (ctlq_pop(q, f))
			;
	}
	free(f);
	ctlq_free(q);
}

static void ctlq_full_refuses_and_recovers(void **state)
{
	struct ctlq *q = ctlq_new();
	struct frame_out *f = malloc(sizeof(*f));
	unsigned n = 0;

	(void)state;
	assert_null(ctlq_push(q, 0, 70000));
	while (ctlq_push(q, 0, 1514))
		n++;
	assert_in_range(n, 100, 140);
	while (n--)
		assert_true(ctlq_pop(q, f));
	assert_false(ctlq_pop(q, f));
	assert_non_null(ctlq_push(q, 0, 65549));
	free(f);
	ctlq_free(q);
}

#define shared(test) cmocka_unit_test_setup_teardown(test, net_setup_shared, net_teardown)
#define own(test) cmocka_unit_test_setup_teardown(test, net_setup_own, net_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_unknown_congestion_is_refused),
		own(setting_changes_while_the_stack_runs),
		cmocka_unit_test(random_same_secret_gives_same_numbers),
		own(iface_impossible_is_refused),
		own(addr_impossible_is_refused),
		own(addr_added_connects_its_subnet_until_the_last_is_gone),
		shared(addr_shared_is_forgotten_with_its_claims),
		own(route_added_and_deleted_changes_the_generation),
		own(input_every_refusal_has_its_counter),
		own(input_raw_interface_has_no_link_header),
		own(output_connections_take_turns),
		own(output_own_frames_go_first),
		own(expire_calls_each_owner_once),
		own(event_each_is_given_once),
		cmocka_unit_test(ctlq_frames_leave_whole_and_in_order),
		cmocka_unit_test(ctlq_frames_of_a_batch_stay_whole_while_more_come),
		cmocka_unit_test(ctlq_full_refuses_and_recovers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
