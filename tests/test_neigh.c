/* SPDX-License-Identifier: BSD-2-Clause */
/* test_neigh.c - neighbour states, one transition a test, and what ARP from others may do. */
#include "stack/neigh.h"

#include <errno.h>

#include "net_fixture.h"

static const uint8_t mac_other[MAC_LEN] = { 2, 0, 0, 0, 0, 9 };

static struct neigh *entry_of(struct net *n, ip4 ip)
{
	for (uint32_t i = 0; i < n->s->neighs.size; i++)
		for (struct neigh *e = n->s->neighs.hash[i]; e; e = e->next)
			if (e->ip == ip)
				return e;
	return NULL;
}

static enum neigh_state state_of(struct net *n, ip4 ip)
{
	struct neigh *e = entry_of(n, ip);

	return e ? (enum neigh_state)e->state : NEIGH_NONE;
}

static int resolve(struct net *n, ip4 ip, uint8_t mac[MAC_LEN])
{
	struct neigh *e = NULL;

	return neigh_resolve(n->s, n->iface, ip, 0, mac, &e, n->now);
}

static void arp_from(struct net *n, uint16_t op, const uint8_t *mac, ip4 ip, ip4 target,
                     const uint8_t *eth_dst)
{
	struct arp_pkt a = { .op = op, .sender_ip = ip, .target_ip = target };

	memcpy(a.sender_mac, mac, MAC_LEN);
	if (op == ARP_REPLY)
		memcpy(a.target_mac, mac_us, MAC_LEN);
	net_input_arp(n, eth_dst, &a);
}

static void reply_from(struct net *n, const uint8_t *mac)
{
	arp_from(n, ARP_REPLY, mac, PEER, US, mac_us);
}

/* To REACHABLE by asking. */
static void reach(struct net *n)
{
	uint8_t mac[MAC_LEN];

	assert_int_equal(resolve(n, PEER, mac), -EAGAIN);
	net_expect_arp(n);
	reply_from(n, mac_peer);
	assert_int_equal(state_of(n, PEER), NEIGH_REACHABLE);
}

static void none_use_asks_everybody(void **state)
{
	struct net *n = *state;
	uint8_t mac[MAC_LEN];
	struct arp_pkt a;

	assert_int_equal(resolve(n, PEER, mac), -EAGAIN);
	assert_int_equal(state_of(n, PEER), NEIGH_INCOMPLETE);
	a = net_expect_arp(n);
	assert_memory_equal(n->eth.dst, mac_all, MAC_LEN);
	assert_int_equal(a.op, ARP_REQUEST);
	assert_int_equal(a.sender_ip, US);
	assert_int_equal(a.target_ip, PEER);
	assert_memory_equal(a.sender_mac, mac_us, MAC_LEN);
	assert_int_equal(resolve(n, PEER, mac), -EAGAIN);
	net_expect_silence(n);
}

static void incomplete_answer_makes_reachable(void **state)
{
	struct net *n = *state;
	uint8_t mac[MAC_LEN];

	reach(n);
	assert_int_equal(resolve(n, PEER, mac), 0);
	assert_memory_equal(mac, mac_peer, MAC_LEN);
	net_expect_silence(n);
}

static void incomplete_no_answer_asks_three_times_and_fails(void **state)
{
	struct net *n = *state;
	uint8_t mac[MAC_LEN];

	assert_int_equal(resolve(n, PEER, mac), -EAGAIN);
	for (int i = 0; i < 3; i++) {
		net_expect_arp(n);
		net_expect_silence(n);
		assert_int_equal(state_of(n, PEER), NEIGH_INCOMPLETE);
		net_pass(n, XTIME_SEC);
	}
	net_expect_silence(n);
	assert_int_equal(state_of(n, PEER), NEIGH_FAILED);
	/* The next use tries again. */
	assert_int_equal(resolve(n, PEER, mac), -EAGAIN);
	net_expect_arp(n);
}

static void incomplete_waiters_are_told(void **state)
{
	struct net *n = *state;
	struct list waiter;
	struct neigh *e;
	uint8_t mac[MAC_LEN];

	list_init(&waiter);
	assert_int_equal(neigh_resolve(n->s, 0, PEER, 0, mac, &e, n->now), -EAGAIN);
	list_append(&e->waiters, &waiter);
	reply_from(n, mac_peer);
	assert_int_equal(fake.neigh_ups, 1);
	assert_int_equal(neigh_resolve(n->s, 0, GATEWAY, 0, mac, &e, n->now), -EAGAIN);
	list_append(&e->waiters, &waiter);
	net_pass(n, 3 * XTIME_SEC);
	assert_int_equal(fake.neigh_downs, 1);
	assert_int_equal(fake.neigh_ups, 1);
}

static void reachable_unused_goes_stale(void **state)
{
	struct net *n = *state;

	reach(n);
	net_pass(n, 14 * XTIME_SEC);
	assert_int_equal(state_of(n, PEER), NEIGH_REACHABLE);
	net_pass(n, 32 * XTIME_SEC);
	assert_int_equal(state_of(n, PEER), NEIGH_STALE);
	net_expect_silence(n);
}

static void reachable_used_lately_is_delayed_before_it_is_probed(void **state)
{
	struct net *n = *state;
	uint8_t mac[MAC_LEN];

	reach(n);
	while (state_of(n, PEER) == NEIGH_REACHABLE) {
		net_pass(n, XTIME_SEC);
		assert_int_equal(resolve(n, PEER, mac), 0);
	}
	assert_int_equal(state_of(n, PEER), NEIGH_DELAY);
	net_expect_silence(n);
	net_pass(n, 5 * XTIME_SEC);
	assert_int_equal(state_of(n, PEER), NEIGH_PROBE);
}

static void reachable_time_is_half_to_one_and_a_half(void **state)
{
	struct net *n = *state;
	xtime least = XTIME_NEVER, most = 0;

	for (ip4 i = 10; i < 200; i++) {
		struct neigh *e;
		uint8_t mac[MAC_LEN];

		assert_int_equal(neigh_resolve(n->s, 0, IP(10, 0, 0, 0) + i, 0, mac, &e, n->now), -EAGAIN);
		least = MIN(least, e->reachable_ns);
		most = MAX(most, e->reachable_ns);
	}
	assert_in_range(least, 15 * XTIME_SEC, 17 * XTIME_SEC);
	assert_in_range(most, 43 * XTIME_SEC, 45 * XTIME_SEC);
}

static void reachable_used_and_confirmed_stays(void **state)
{
	struct net *n = *state;
	uint8_t mac[MAC_LEN];

	reach(n);
	for (int i = 0; i < 100; i++) {
		net_pass(n, XTIME_SEC);
		neigh_confirm(n->s, 0, PEER, n->now);
		assert_int_equal(resolve(n, PEER, mac), 0);
	}
	assert_int_equal(state_of(n, PEER), NEIGH_REACHABLE);
	net_expect_silence(n);
}

static void stale_use_delays_then_probes_unicast(void **state)
{
	struct net *n = *state;
	uint8_t mac[MAC_LEN];

	reach(n);
	net_pass(n, 50 * XTIME_SEC);
	assert_int_equal(resolve(n, PEER, mac), 0);
	assert_int_equal(state_of(n, PEER), NEIGH_DELAY);
	net_pass(n, 4999 * XTIME_MSEC);
	net_expect_silence(n);
	net_pass(n, XTIME_MSEC);
	assert_int_equal(state_of(n, PEER), NEIGH_PROBE);
	net_expect_arp(n);
	assert_memory_equal(n->eth.dst, mac_peer, MAC_LEN);
	assert_int_equal(resolve(n, PEER, mac), 0);
	reply_from(n, mac_peer);
	assert_int_equal(state_of(n, PEER), NEIGH_REACHABLE);
}

static void delay_confirmed_is_reachable_without_a_probe(void **state)
{
	struct net *n = *state;
	uint8_t mac[MAC_LEN];

	reach(n);
	net_pass(n, 50 * XTIME_SEC);
	assert_int_equal(resolve(n, PEER, mac), 0);
	net_pass(n, XTIME_SEC);
	neigh_confirm(n->s, 0, PEER, n->now);
	net_pass(n, 4 * XTIME_SEC);
	assert_int_equal(state_of(n, PEER), NEIGH_REACHABLE);
	net_expect_silence(n);
}

static void probe_no_answer_fails(void **state)
{
	struct net *n = *state;
	uint8_t mac[MAC_LEN];

	reach(n);
	net_pass(n, 50 * XTIME_SEC);
	assert_int_equal(resolve(n, PEER, mac), 0);
	net_pass(n, 5 * XTIME_SEC);
	for (int i = 0; i < 3; i++) {
		net_expect_arp(n);
		assert_int_equal(state_of(n, PEER), NEIGH_PROBE);
		net_pass(n, XTIME_SEC);
	}
	assert_int_equal(state_of(n, PEER), NEIGH_FAILED);
	net_expect_silence(n);
}

static void reply_second_in_a_row_is_ignored(void **state)
{
	struct net *n = *state;

	reach(n);
	reply_from(n, mac_other);
	assert_memory_equal(entry_of(n, PEER)->mac, mac_peer, MAC_LEN);
	net_pass(n, XTIME_SEC + 1);
	reply_from(n, mac_other);
	assert_memory_equal(entry_of(n, PEER)->mac, mac_other, MAC_LEN);
}

static void gratuitous_updates_what_is_known_only(void **state)
{
	struct net *n = *state;

	arp_from(n, ARP_REQUEST, mac_peer, PEER, PEER, mac_all);
	assert_null(entry_of(n, PEER));
	assert_int_equal(net_count(n, CTR_arp_not_for_us), 1);
	reach(n);
	arp_from(n, ARP_REQUEST, mac_other, PEER, PEER, mac_all);
	assert_memory_equal(entry_of(n, PEER)->mac, mac_other, MAC_LEN);
	assert_int_equal(state_of(n, PEER), NEIGH_STALE);
	net_expect_silence(n);
}

static void broadcast_reply_does_not_prove_reachability(void **state)
{
	struct net *n = *state;
	uint8_t mac[MAC_LEN];

	assert_int_equal(resolve(n, PEER, mac), -EAGAIN);
	net_expect_arp(n);
	arp_from(n, ARP_REPLY, mac_peer, PEER, US, mac_all);
	assert_int_equal(state_of(n, PEER), NEIGH_STALE);
}

static void request_for_own_is_answered_and_learned_from(void **state)
{
	struct net *n = *state;
	struct arp_pkt a;

	arp_from(n, ARP_REQUEST, mac_peer, PEER, US, mac_all);
	a = net_expect_arp(n);
	assert_memory_equal(n->eth.dst, mac_peer, MAC_LEN);
	assert_memory_equal(n->eth.src, mac_us, MAC_LEN);
	assert_int_equal(a.op, ARP_REPLY);
	assert_int_equal(a.sender_ip, US);
	assert_int_equal(a.target_ip, PEER);
	assert_memory_equal(a.sender_mac, mac_us, MAC_LEN);
	assert_memory_equal(a.target_mac, mac_peer, MAC_LEN);
	assert_int_equal(state_of(n, PEER), NEIGH_STALE);
	net_expect_silence(n);
}

static void probe_for_own_is_answered_and_not_learned_from(void **state)
{
	struct net *n = *state;

	arp_from(n, ARP_REQUEST, mac_peer, 0, US, mac_all);
	assert_int_equal(net_expect_arp(n).op, ARP_REPLY);
	assert_int_equal(n->s->neighs.n, 0);
}

static void request_for_another_is_left_alone(void **state)
{
	struct net *n = *state;

	arp_from(n, ARP_REQUEST, mac_peer, PEER, GATEWAY, mac_all);
	net_expect_silence(n);
	assert_int_equal(n->s->neighs.n, 0);
}

static void request_for_shared_is_left_to_the_kernel(void **state)
{
	struct net *n = *state;

	arp_from(n, ARP_REQUEST, mac_peer, PEER, US, mac_all);
	net_expect_silence(n);
	assert_int_equal(n->s->neighs.n, 0);
}

static void spoofed_nonsense_is_refused(void **state)
{
	static const uint8_t mac_zero[MAC_LEN];
	static const struct { ip4 sender, target; const uint8_t *mac; } bad[] = {
		{ US, US, mac_peer },                         /* our own address */
		{ IP(10, 0, 0, 255), US, mac_peer },          /* broadcast */
		{ IP(255, 255, 255, 255), US, mac_peer },
		{ IP(224, 0, 0, 1), US, mac_peer },
		{ IP(127, 0, 0, 1), US, mac_peer },
		{ PEER, IP(127, 0, 0, 1), mac_peer },
		{ PEER, IP(224, 0, 0, 1), mac_peer },
		{ PEER, US, mac_all },                        /* group link address */
		{ PEER, US, mac_zero },
		{ PEER, US, mac_us },                         /* our own frame */
	};
	struct net *n = *state;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		arp_from(n, ARP_REQUEST, bad[i].mac, bad[i].sender, bad[i].target, mac_all);
		assert_int_equal(net_count(n, CTR_arp_bad), i + 1);
	}
	arp_from(n, ARP_REPLY, mac_peer, 0, US, mac_us);
	assert_int_equal(net_count(n, CTR_arp_bad), ARRAY_LEN(bad) + 1);
	assert_int_equal(n->s->neighs.n, 0);
	net_expect_silence(n);
}

static void permanent_is_not_changed_by_arp(void **state)
{
	struct net *n = *state;
	uint8_t mac[MAC_LEN];

	net_know(n, PEER, mac_peer);
	arp_from(n, ARP_REQUEST, mac_other, PEER, PEER, mac_all);
	arp_from(n, ARP_REQUEST, mac_other, PEER, US, mac_all);
	net_expect_arp(n);
	net_pass(n, 100 * XTIME_SEC);
	assert_int_equal(resolve(n, PEER, mac), 0);
	assert_memory_equal(mac, mac_peer, MAC_LEN);
	assert_int_equal(state_of(n, PEER), NEIGH_PERMANENT);
}

static void seed_resolves_and_deletes_but_not_what_we_confirmed(void **state)
{
	struct net *n = *state;
	uint8_t mac[MAC_LEN];

	assert_int_equal(stack_seed_neigh(n->s, 0, PEER, NULL, false, n->now), -ENOENT);
	assert_int_equal(resolve(n, PEER, mac), -EAGAIN);
	net_expect_arp(n);
	assert_int_equal(stack_seed_neigh(n->s, 0, PEER, mac_peer, false, n->now), 0);
	assert_int_equal(state_of(n, PEER), NEIGH_STALE);
	assert_int_equal(stack_seed_neigh(n->s, 0, PEER, NULL, false, n->now), 0);
	assert_null(entry_of(n, PEER));
	reach(n);
	assert_int_equal(stack_seed_neigh(n->s, 0, PEER, NULL, false, n->now), 0);
	assert_int_equal(state_of(n, PEER), NEIGH_REACHABLE);
	net_know(n, PEER, mac_other);
	assert_int_equal(state_of(n, PEER), NEIGH_PERMANENT);
	assert_int_equal(stack_seed_neigh(n->s, 0, PEER, NULL, false, n->now), 0);
	assert_null(entry_of(n, PEER));
}

static void packets_wait_for_the_answer_oldest_dropped_first(void **state)
{
	struct net *n = *state;
	struct ip_tx tx = { .src = US, .dst = PEER, .proto = PROTO_TCP, .ttl = 64 };
	const uint8_t *l4;
	size_t len;

	n->s->set.neigh_unres_qlen_bytes = 3 * 768;
	for (uint8_t i = 0; i < 5; i++)
		ip_send(n->s, NULL, &tx, &i, 1, n->now);
	net_expect_arp(n);
	net_expect_silence(n);
	assert_int_equal(net_count(n, CTR_neigh_queue_full), 2);
	reply_from(n, mac_peer);
	for (uint8_t i = 2; i < 5; i++) {
		net_expect_ip(n, &l4, &len);
		assert_memory_equal(n->eth.dst, mac_peer, MAC_LEN);
		assert_int_equal(l4[0], i);
	}
	net_expect_silence(n);
}

static void packets_are_counted_when_nobody_answers(void **state)
{
	struct net *n = *state;
	struct ip_tx tx = { .src = US, .dst = PEER, .proto = PROTO_TCP, .ttl = 64 };

	ip_send(n->s, NULL, &tx, (const uint8_t *)"x", 1, n->now);
	ip_send(n->s, NULL, &tx, (const uint8_t *)"x", 1, n->now);
	net_pass(n, 3 * XTIME_SEC);
	assert_int_equal(net_count(n, CTR_neigh_failed), 2);
	assert_int_equal(n->s->neighs.queued, 0);
}

static void table_flooded_by_requests_keeps_room_for_us(void **state)
{
	struct net *n = *state;
	uint8_t mac[MAC_LEN] = { 2, 1 };

	stack_add_addr(n->s, 0, IP(172, 16, 0, 1), 12, true, n->now);
	for (uint32_t i = 2; i < 3000; i++) {
		put_be32(mac + 2, i);
		arp_from(n, ARP_REQUEST, mac, IP(172, 16, 0, 0) + i, US, mac_all);
	}
	assert_int_equal(n->s->neighs.n, 512);
	assert_int_equal(resolve(n, PEER, mac), -EAGAIN);
}

static void table_full_collects_what_is_old(void **state)
{
	struct net *n = *state;
	uint8_t mac[MAC_LEN];

	stack_add_addr(n->s, 0, IP(172, 16, 0, 1), 12, true, n->now);
	for (uint32_t i = 2; i < 1026; i++)
		assert_int_equal(resolve(n, IP(172, 16, 0, 0) + i, mac), -EAGAIN);
	assert_int_equal(resolve(n, PEER, mac), -ENOBUFS);
	assert_int_equal(net_count(n, CTR_neigh_full), 1);
	net_pass(n, 4 * XTIME_SEC);
	assert_int_equal(resolve(n, PEER, mac), -EAGAIN);
	assert_int_equal(n->s->neighs.n, 1);
}

static void table_half_full_forgets_what_nobody_used_for_long(void **state)
{
	struct net *n = *state;
	uint8_t mac[MAC_LEN];

	stack_add_addr(n->s, 0, IP(172, 16, 0, 1), 12, true, n->now);
	for (uint32_t i = 2; i < 514; i++)
		assert_int_equal(stack_seed_neigh(n->s, 0, IP(172, 16, 0, 0) + i, mac_peer, false, n->now), 0);
	assert_int_equal(n->s->neighs.n, 512);
	net_pass(n, 59 * XTIME_SEC);
	assert_int_equal(resolve(n, PEER, mac), -EAGAIN);
	assert_int_equal(n->s->neighs.n, 512);   /* gc_thresh2: one was not used for 5 s */
	net_pass(n, 6 * XTIME_SEC);
	assert_int_equal(resolve(n, GATEWAY, mac), -EAGAIN);
	assert_int_equal(n->s->neighs.n, 1);
}

static void iface_mac_changed_with_waiters_asks_again(void **state)
{
	struct net *n = *state;
	struct stack_iface i = n->s->ifaces[0];
	struct list waiter;
	struct neigh *e;
	uint8_t mac[MAC_LEN];

	list_init(&waiter);
	assert_int_equal(neigh_resolve(n->s, 0, PEER, 0, mac, &e, n->now), -EAGAIN);
	list_append(&e->waiters, &waiter);
	net_expect_arp(n);
	memcpy(i.mac, mac_other, MAC_LEN);
	assert_int_equal(stack_set_iface(n->s, 0, &i), 0);
	assert_int_equal(state_of(n, PEER), NEIGH_INCOMPLETE);
	assert_memory_equal(net_expect_arp(n).sender_mac, mac_other, MAC_LEN);
	arp_from(n, ARP_REPLY, mac_peer, PEER, US, mac_other);
	assert_int_equal(fake.neigh_ups, 1);
}

static void mcast_solicit_zero_fails_at_once(void **state)
{
	struct net *n = *state;
	struct ip_tx tx = { .src = US, .dst = PEER, .proto = PROTO_TCP, .ttl = 64 };
	uint8_t mac[MAC_LEN];

	n->s->set.neigh_mcast_solicit = 0;
	assert_int_equal(resolve(n, PEER, mac), -EHOSTUNREACH);
	ip_send(n->s, NULL, &tx, (const uint8_t *)"x", 1, n->now);
	assert_int_equal(net_count(n, CTR_neigh_failed), 1);
	net_expect_silence(n);
}

static void iface_mac_changed_forgets_all(void **state)
{
	struct net *n = *state;
	struct stack_iface i = n->s->ifaces[0];

	reach(n);
	memcpy(i.mac, mac_other, MAC_LEN);
	assert_int_equal(stack_set_iface(n->s, 0, &i), 0);
	assert_int_equal(n->s->neighs.n, 0);
}

static void iface_without_arp_needs_no_answer(void **state)
{
	struct net *n = *state;
	struct stack_iface i = n->s->ifaces[0];
	uint8_t mac[MAC_LEN];

	i.has_arp = false;
	assert_int_equal(stack_set_iface(n->s, 0, &i), 0);
	assert_int_equal(resolve(n, PEER, mac), 0);
	assert_memory_equal(mac, mac_us, MAC_LEN);
	arp_from(n, ARP_REQUEST, mac_peer, PEER, US, mac_all);
	net_expect_silence(n);
}

#define own(test) cmocka_unit_test_setup_teardown(test, net_setup_own, net_teardown)
#define shared(test) cmocka_unit_test_setup_teardown(test, net_setup_shared, net_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		own(none_use_asks_everybody),
		own(incomplete_answer_makes_reachable),
		own(incomplete_no_answer_asks_three_times_and_fails),
		own(incomplete_waiters_are_told),
		own(reachable_unused_goes_stale),
		own(reachable_used_lately_is_delayed_before_it_is_probed),
		own(reachable_time_is_half_to_one_and_a_half),
		own(reachable_used_and_confirmed_stays),
		own(stale_use_delays_then_probes_unicast),
		own(delay_confirmed_is_reachable_without_a_probe),
		own(probe_no_answer_fails),
		own(reply_second_in_a_row_is_ignored),
		own(gratuitous_updates_what_is_known_only),
		own(broadcast_reply_does_not_prove_reachability),
		own(request_for_own_is_answered_and_learned_from),
		own(probe_for_own_is_answered_and_not_learned_from),
		own(request_for_another_is_left_alone),
		shared(request_for_shared_is_left_to_the_kernel),
		own(spoofed_nonsense_is_refused),
		own(permanent_is_not_changed_by_arp),
		own(seed_resolves_and_deletes_but_not_what_we_confirmed),
		own(packets_wait_for_the_answer_oldest_dropped_first),
		own(packets_are_counted_when_nobody_answers),
		own(table_flooded_by_requests_keeps_room_for_us),
		own(table_full_collects_what_is_old),
		own(table_half_full_forgets_what_nobody_used_for_long),
		own(iface_mac_changed_with_waiters_asks_again),
		own(mcast_solicit_zero_fails_at_once),
		own(iface_mac_changed_forgets_all),
		own(iface_without_arp_needs_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
