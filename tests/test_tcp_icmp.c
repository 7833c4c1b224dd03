/* SPDX-License-Identifier: BSD-2-Clause */
/* test_tcp_icmp.c - what ICMP errors and unresolved next hops do to a connection. */
#include "harness.h"

#include <netinet/ip_icmp.h>

/* ---- while connecting ---- */

static void synsent_unreachable_is_the_errno_of_linux(void **state)
{
	static const int err[16] = {
		ENETUNREACH, EHOSTUNREACH, ENOPROTOOPT, ECONNREFUSED, 0, EOPNOTSUPP, ENETUNREACH, EHOSTDOWN,
		ENONET, ENETUNREACH, EHOSTUNREACH, ENETUNREACH, EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH,
		EHOSTUNREACH,
	};
	struct rig *t = *state;

	for (uint8_t code = 0; code < 16; code++) {
		dial(t);
		inject_icmp(t, ICMP_UNREACH, code, code == 4 ? 1400 : 0, 0);
		assert_int_equal(tcp_state(t->c), err[code] ? TCP_CLOSE : TCP_SYN_SENT);
		assert_int_equal(tcp_take_error(t->c), err[code]);
		hang_up(t);
	}
	expect_quiet(t, 200 * XTIME_SEC);
}

static void synsent_other_errors(void **state)
{
	struct rig *t = *state;

	dial(t);
	inject_icmp(t, ICMP_TIMXCEED, 0, 0, 0);
	assert_int_equal(dial_connect(t), -EHOSTUNREACH);
	dial(t);
	inject_icmp(t, ICMP_PARAMPROB, 0, 0, 0);
	assert_int_equal(dial_connect(t), -EPROTO);
	dial(t);
	inject_icmp(t, ICMP_SOURCEQUENCH, 0, 0, 0);   /* RFC 6633 */
	inject_icmp(t, ICMP_UNREACH, 16, 0, 0);
	assert_int_equal(dial_connect(t), -EALREADY);
}

static void synsent_quote_of_another_number_is_ignored(void **state)
{
	struct rig *t = *state;

	dial(t);
	inject_icmp(t, ICMP_UNREACH, ICMP_UNREACH_PORT, 0, 5);
	inject_icmp(t, ICMP_UNREACH, ICMP_UNREACH_PORT, 0, (seq32)-1);
	assert_int_equal(tcp_state(t->c), TCP_SYN_SENT);
	assert_int_equal(counted(t, CTR_icmp_stale), 2);
}

static void synsent_quote_of_another_connection_is_ignored(void **state)
{
	struct rig *t = *state;

	dial(t);
	t->lport++;
	inject_icmp(t, ICMP_UNREACH, ICMP_UNREACH_PORT, 0, 0);
	t->lport--;
	assert_int_equal(tcp_state(t->c), TCP_SYN_SENT);
	assert_int_equal(counted(t, CTR_icmp_quote), 1);
}

static void synsent_fragmentation_needed_makes_the_next_smaller(void **state)
{
	struct rig *t = *state;

	dial(t);
	t->ts = true;
	inject_icmp(t, ICMP_UNREACH, ICMP_UNREACH_NEEDFRAG, 1000, 0);
	expect_after(t, XTIME_SEC, "S 0 mss 960 sackOK wscale 10");
	inject(t, SYN_ACK);
	expect(t, ". 1 ack 1");
	put(t, 1500);
	expect(t, ". 1:949 ack 1");
}

/* ---- on an open connection: soft, RFC 1122 4.2.3.9 ---- */

static void established_error_is_soft(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	put(t, 100);
	expect(t, "P. 1:101 ack 1");
	inject_icmp(t, ICMP_UNREACH, ICMP_UNREACH_HOST, 0, 1);
	inject_icmp(t, ICMP_UNREACH, ICMP_UNREACH_PORT, 0, 1);
	assert_int_equal(tcp_state(t->c), TCP_ESTABLISHED);
	assert_false(tcp_events(t->c) & POLLERR);
	inject(t, ". 1 ack 101");
	put(t, 100);
	expect(t, "P. 101:201 ack 1");
}

static void established_soft_error_is_told_once_to_who_asks(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	put(t, 100);
	forget(t);
	inject_icmp(t, ICMP_UNREACH, ICMP_UNREACH_HOST, 0, 1);
	assert_int_equal(tcp_take_error(t->c), EHOSTUNREACH);   /* SO_ERROR */
	assert_int_equal(tcp_take_error(t->c), 0);
}

static void established_soft_error_is_why_it_timed_out(void **state)
{
	struct rig *t = *state;

	t->s->set.tcp_retries2 = 2;
	establish(t, NULL);
	put(t, 100);
	forget(t);
	inject_icmp(t, ICMP_UNREACH, ICMP_UNREACH_HOST, 0, 1);
	advance(t, 100 * XTIME_SEC);
	assert_int_equal(tcp_state(t->c), TCP_CLOSE);
	assert_int_equal(tcp_take_error(t->c), EHOSTUNREACH);
}

static void established_ack_forgets_the_soft_error(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	put(t, 100);
	forget(t);
	inject_icmp(t, ICMP_UNREACH, ICMP_UNREACH_HOST, 0, 1);
	inject(t, ". 1 ack 101");
	assert_int_equal(tcp_take_error(t->c), 0);
}

static void established_recverr_makes_errors_pending(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	t->c->opt.recverr = true;
	put(t, 100);
	forget(t);
	inject_icmp(t, ICMP_UNREACH, ICMP_UNREACH_PORT, 0, 1);
	assert_true(tcp_events(t->c) & POLLERR);
	assert_int_equal(try_put(t, 1, 0), -ECONNREFUSED);
	assert_int_equal(tcp_state(t->c), TCP_ESTABLISHED);
	inject_icmp(t, ICMP_UNREACH, ICMP_UNREACH_HOST, 0, 1);
	assert_int_equal(try_put(t, 1, 0), -EHOSTUNREACH);
	assert_false(tcp_events(t->c) & POLLERR);
}

static void established_quote_beyond_flight_is_ignored(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	put(t, 100);
	forget(t);
	inject_icmp(t, ICMP_UNREACH, ICMP_UNREACH_HOST, 0, 500);
	inject_icmp(t, ICMP_UNREACH, ICMP_UNREACH_HOST, 0, 0);
	assert_int_equal(tcp_take_error(t->c), 0);
	assert_int_equal(counted(t, CTR_icmp_stale), 2);
}

/* RFC 6069: the network says that the way is broken: no back-off for that. */
static void timeout_unreachable_reverts_the_backoff(void **state)
{
	struct rig *t = *state;
	xtime rto;

	establish(t, SYN_ACK_PLAIN);
	rto = t->c->rtt.rto_ns;
	put(t, 100);
	expect(t, "P. 1:101 ack 1");
	expect_after(t, rto, "P. 1:101 ack 1");
	expect_after(t, 2 * rto, "P. 1:101 ack 1");
	advance(t, XTIME_MSEC);
	inject_icmp(t, ICMP_UNREACH, ICMP_UNREACH_NET, 0, 1);
	expect_after(t, 2 * rto - XTIME_MSEC, "P. 1:101 ack 1");
}

/* ---- path MTU: RFC 1191 ---- */

static void fragmentation_needed_sends_again_in_smaller_segments(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	put(t, 4344);
	assert_int_equal(forget(t), 3);
	inject_icmp(t, ICMP_UNREACH, ICMP_UNREACH_NEEDFRAG, 1000, 1);
	expect(t, ". 1:949 ack 1");
	assert_int_equal(t->ip.total_len, 1000);
	expect(t, ". 949:1449 ack 1");
	expect(t, ". 1449:2397 ack 1");
	expect(t, ". 2397:2897 ack 1");
	expect(t, ". 2897:3845 ack 1");
	expect(t, "P. 3845:4345 ack 1");
	expect_nothing(t);
	assert_int_equal(t->c->cc.cwnd, 10);   /* not lost to congestion */
	inject(t, ". 1 ack 4345");
	assert_int_equal(t->c->loss.ca_state, CA_OPEN);
	assert_int_equal(t->c->cc.ssthresh, TCP_CWND_INFINITE);
	put(t, 2000);
	expect(t, ". 4345:5293 ack 1");
}

static void fragmentation_needed_has_a_floor_without_df(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	put(t, 2896);
	forget(t);
	inject_icmp(t, ICMP_UNREACH, ICMP_UNREACH_NEEDFRAG, 100, 1);
	expect(t, ". 1:501 ack 1");
	assert_int_equal(t->ip.total_len, 552);   /* min_pmtu */
	assert_false(t->ip.is_df);
}

static void fragmentation_needed_of_zero_is_the_floor(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	put(t, 1448);
	forget(t);
	inject_icmp(t, ICMP_UNREACH, ICMP_UNREACH_NEEDFRAG, 0, 1);
	expect(t, ". 1:501 ack 1");
}

static void fragmentation_needed_that_is_no_news_is_ignored(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	put(t, 2896);
	forget(t);
	inject_icmp(t, ICMP_UNREACH, ICMP_UNREACH_NEEDFRAG, 5000, 1);
	inject_icmp(t, ICMP_UNREACH, ICMP_UNREACH_NEEDFRAG, 1500, 1);
	inject_icmp(t, ICMP_UNREACH, ICMP_UNREACH_NEEDFRAG, 1000, 9999);   /* RFC 5927 */
	expect_nothing(t);
	assert_int_equal(t->c->snd.mss_cache, 1448);
}

static void fragmentation_needed_lasts_ten_minutes(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	put(t, 1448);
	forget(t);
	inject_icmp(t, ICMP_UNREACH, ICMP_UNREACH_NEEDFRAG, 1000, 1);
	forget(t);
	inject(t, ". 1 ack 1449");
	advance(t, 599 * XTIME_SEC);
	put(t, 948);
	expect(t, "P. 1449:2397 ack 1");
	inject(t, ". 1 ack 2397");
	advance(t, 2 * XTIME_SEC);
	put(t, 1448);
	expect(t, "P. 2397:3845 ack 1");
}

static void fragmentation_needed_serves_the_next_connection(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	put(t, 1448);
	forget(t);
	inject_icmp(t, ICMP_UNREACH, ICMP_UNREACH_NEEDFRAG, 1000, 1);
	forget(t);
	establish(t, NULL);
	put(t, 1448);
	expect(t, ". 1:949 ack 1");
}

static void fragmentation_needed_without_discovery_is_ignored(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	t->c->opt.pmtudisc = IP_PMTUDISC_DONT;
	put(t, 1448);
	expect(t, "P. 1:1449 ack 1");
	assert_false(t->ip.is_df);
	inject_icmp(t, ICMP_UNREACH, ICMP_UNREACH_NEEDFRAG, 1000, 1);
	expect_nothing(t);
	assert_int_equal(t->c->snd.mss_cache, 1448);
}

static void fragmentation_needed_cuts_super_frames(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	put(t, 5792);
	expect(t, "P. 1:5793 ack 1 gso 1448");
	inject_icmp(t, ICMP_UNREACH, ICMP_UNREACH_NEEDFRAG, 1000, 1);
	expect(t, "P. 1:5793 ack 1 gso 948");
	inject(t, ". 1 ack 5793");
	assert_int_equal(t->c->loss.packets_out, 0);
}

/* ---- the next hop ---- */

static void neighbour_gone_on_an_open_connection_is_soft(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	assert_int_equal(stack_seed_neigh(t->s, 0, PEER, NULL, false, t->now), 0);
	put(t, 100);
	for (int i = 0; i < 3; i++) {
		expect_arp_request(t, PEER);
		expect_nothing(t);
		advance(t, XTIME_SEC);
	}
	assert_int_equal(tcp_state(t->c), TCP_ESTABLISHED);
	while (!t->first && t->now < 1100 * XTIME_SEC)
		advance(t, 100 * XTIME_MSEC);
	expect_arp_request(t, PEER);
	inject_arp_reply(t, PEER);
	expect(t, "P. 1:101 ack 1");
	inject(t, ". 1 ack 101");
	assert_int_equal(tcp_take_error(t->c), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		own(synsent_unreachable_is_the_errno_of_linux),
		own(synsent_other_errors),
		own(synsent_quote_of_another_number_is_ignored),
		own(synsent_quote_of_another_connection_is_ignored),
		own(synsent_fragmentation_needed_makes_the_next_smaller),
		own(established_error_is_soft),
		own(established_soft_error_is_told_once_to_who_asks),
		own(established_soft_error_is_why_it_timed_out),
		own(established_ack_forgets_the_soft_error),
		own(established_recverr_makes_errors_pending),
		own(established_quote_beyond_flight_is_ignored),
		own(timeout_unreachable_reverts_the_backoff),
		own(fragmentation_needed_sends_again_in_smaller_segments),
		own(fragmentation_needed_has_a_floor_without_df),
		own(fragmentation_needed_of_zero_is_the_floor),
		own(fragmentation_needed_that_is_no_news_is_ignored),
		own(fragmentation_needed_lasts_ten_minutes),
		own(fragmentation_needed_serves_the_next_connection),
		own(fragmentation_needed_without_discovery_is_ignored),
		offload(fragmentation_needed_cuts_super_frames),
		own(neighbour_gone_on_an_open_connection_is_soft),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
