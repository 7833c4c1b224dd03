/* SPDX-License-Identifier: BSD-2-Clause */
/* test_tcp_send.c - what is sent and when: sizes, Nagle, windows, probes, keepalive, offload. */
#include "harness.h"

#include <stdio.h>

/* An established connection whose peer knows no options but its MSS: 1460 bytes a segment. */
static void establish_wide(struct rig *t, unsigned win)
{
	char text[64];

	snprintf(text, sizeof(text), "S. 0 ack 1 win %u mss 1460", win);
	establish(t, text);
}

/* ---- segments ---- */

static void data_is_cut_at_the_mss(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	put(t, 4000);
	expect(t, ". 1:1449 ack 1 ts");
	expect(t, ". 1449:2897 ack 1 ts");
	expect(t, "P. 2897:4001 ack 1 ts");
	expect_nothing(t);
	inject(t, ". 1 ack 4001");
	expect_quiet(t, XTIME_SEC);
	assert_int_equal(tcp_outq(t->c), 0);
}

static void data_leaves_room_for_sack_blocks(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, ". 1001:2001 ack 1");
	forget(t);
	put(t, 3000);
	expect(t, ". 1:1437 ack 1 sack 1001:2001");
	assert_int_equal(t->ip.total_len, 1500);
}

static void data_of_a_small_mss_peer(void **state)
{
	struct rig *t = *state;

	establish(t, "S. 0 ack 1 win 65535 mss 600");
	put(t, 1500);
	expect(t, ". 1:601 ack 1");
	expect(t, ". 601:1201 ack 1");
	expect(t, "P. 1201:1501 ack 1");
}

static void data_of_a_tiny_mss_peer_has_a_floor(void **state)
{
	struct rig *t = *state;

	establish(t, "S. 0 ack 1 win 65535 mss 1");
	put(t, 100);
	expect(t, ". 1:49 ack 1");   /* tcp_min_snd_mss */
}

static void data_of_user_mss(void **state)
{
	struct rig *t = *state;

	dial_open(t);
	t->c->opt.user_mss = 500;
	assert_int_equal(dial_connect(t), 0);
	expect(t, "S 0 mss 500 sackOK wscale 10");
	t->ts = true;
	inject(t, SYN_ACK);
	expect(t, ". 1 ack 1");
	put(t, 1000);
	expect(t, ". 1:489 ack 1");
	assert_int_equal(t->ip.total_len, 540);
}

static void data_carries_ip_ids_and_df(void **state)
{
	struct rig *t = *state;
	uint16_t id;

	establish(t, NULL);
	id = t->ip.id;
	put(t, 3000);
	for (int i = 0; i < 2; i++) {
		expect(t, ". %d:%d ack 1", 1 + 1448 * i, 1449 + 1448 * i);
		assert_int_equal(t->ip.id, (uint16_t)(++id));
		assert_true(t->ip.is_df);
	}
}

/* Linux marks the end of a write, not what a later FIN follows. */
static void push_marks_the_end_of_a_write(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	put_flags(t, 100, MSG_MORE);
	expect_nothing(t);
	assert_int_equal(tcp_shutdown(t->c, SHUT_WR, t->now), 0);
	settle(t);
	expect(t, "F. 1:101 ack 1");
}

static void send_buffer_bounds_what_is_queued(void **state)
{
	struct rig *t = *state;
	ssize_t n;

	establish(t, NULL);
	t->c->opt.sndbuf = 20000;
	t->c->opt.is_sndbuf_locked = true;
	n = try_put(t, 50000, 0);
	assert_int_equal(n, 14480 + 22 * 1448);   /* the skb that is open is filled: half the window */
	assert_int_equal(try_put(t, 1, 0), -EAGAIN);
	assert_false(tcp_events(t->c) & POLLOUT);
	assert_int_equal(tcp_outq(t->c), n);
	assert_int_equal(tcp_outq_unsent(t->c), n - 14480);
	while (stack_next_event(t->s))
		;
	inject(t, ". 1 ack 14481");
	assert_false(tcp_events(t->c) & POLLOUT);
	inject(t, ". 1 ack 43441");
	assert_true(tcp_events(t->c) & POLLOUT);
	assert_ptr_equal(stack_next_event(t->s), t->c);
	put(t, 14480);
}

/* ---- Nagle, RFC 9293 3.7.4 with Minshall's change; corks ---- */

static void nagle_small_write_waits_for_the_ack(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	put(t, 100);
	expect(t, "P. 1:101 ack 1");
	put(t, 100);
	put(t, 100);
	expect_nothing(t);
	inject(t, ". 1 ack 101");
	expect(t, "P. 101:301 ack 1");
}

static void nagle_full_segments_do_not_wait(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	put(t, 100);
	expect(t, "P. 1:101 ack 1");
	put(t, 1448 + 10);
	expect(t, ". 101:1549 ack 1");
	expect_nothing(t);
	inject(t, ". 1 ack 1549");
	expect(t, "P. 1549:1559 ack 1");
}

static void nagle_minshall_small_after_full_goes(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	put(t, 1448);
	expect(t, "P. 1:1449 ack 1");
	put(t, 100);
	expect(t, "P. 1449:1549 ack 1");
	put(t, 100);
	expect_nothing(t);
	inject(t, ". 1 ack 1549");
	expect(t, "P. 1549:1649 ack 1");
}

static void nodelay_sends_at_once(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	t->c->opt.nodelay = true;
	for (int i = 0; i < 5; i++) {
		put(t, 100);
		expect(t, "P. %d:%d ack 1", 1 + 100 * i, 101 + 100 * i);
	}
}

static void cork_holds_the_rest_of_a_segment(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	t->c->opt.cork = true;
	put(t, 100);
	expect_quiet(t, 100 * XTIME_MSEC);
	put(t, 2000);
	expect(t, ". 1:1449 ack 1");
	expect_nothing(t);
	inject(t, ". 1 ack 1449");
	expect_nothing(t);
}

static void cork_gives_way_after_200_ms(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	t->c->opt.cork = true;
	put(t, 100);
	expect_after(t, t->c->rtt.rto_ns, "P. 1:101 ack 1");
}

static void more_holds_until_the_last_write(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	put_flags(t, 100, MSG_MORE);
	put_flags(t, 100, MSG_MORE);
	expect_nothing(t);
	put(t, 100);
	expect(t, "P. 1:301 ack 1");
}

static void more_with_nodelay_holds_too(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	t->c->opt.nodelay = true;
	put_flags(t, 100, MSG_MORE);
	expect_nothing(t);
	put(t, 100);
	expect(t, "P. 1:201 ack 1");
}

static void fin_does_not_wait_for_nagle(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	put(t, 100);
	expect(t, "P. 1:101 ack 1");
	put(t, 100);
	expect_nothing(t);
	assert_int_equal(tcp_shutdown(t->c, SHUT_WR, t->now), 0);
	settle(t);
	expect(t, "FP. 101:201 ack 1");
}

/* ---- the peer's window ---- */

static void window_of_the_peer_is_respected(void **state)
{
	struct rig *t = *state;

	establish_wide(t, 3000);
	put(t, 10000);
	expect(t, ". 1:1461 ack 1");
	expect(t, "P. 1461:2921 ack 1");   /* more than half of the window since the last PSH */
	expect_nothing(t);
	inject(t, ". 1 ack 1461 win 3000");
	expect(t, ". 2921:4381 ack 1");
	expect_nothing(t);
}

static void window_scaled_by_the_peers_shift(void **state)
{
	struct rig *t = *state;

	establish(t, "S. 0 ack 1 win 1000 mss 1000 wscale 3");
	assert_int_equal(t->c->snd.wnd, 1000);   /* of a SYN: not scaled */
	inject(t, ". 1 ack 1 win 1000");
	assert_int_equal(t->c->snd.wnd, 8000);
}

static void window_update_of_an_old_segment_is_ignored(void **state)
{
	struct rig *t = *state;

	establish_wide(t, 10000);
	inject(t, "P. 1:11 ack 1 win 20000");
	assert_int_equal(t->c->snd.wnd, 20000);
	inject(t, ". 1 ack 1 win 5000");
	assert_int_equal(t->c->snd.wnd, 20000);
	inject(t, ". 11 ack 1 win 30000");
	assert_int_equal(t->c->snd.wnd, 30000);
	inject(t, ". 11 ack 1 win 29000");   /* nothing newer: it may have been overtaken */
	assert_int_equal(t->c->snd.wnd, 30000);
}

static void window_closed_with_data_in_flight_is_not_given_up_either(void **state)
{
	struct rig *t = *state;

	establish_wide(t, 5000);
	put(t, 3000);
	forget(t);
	inject(t, ". 1 ack 1461 win 0");
	for (int i = 0; i < 60; i++) {
		for (int k = 0; k < 10 && !forget(t); k++)
			advance(t, 30 * XTIME_SEC);
		inject(t, ". 1 ack 1461 win 0");
		assert_int_equal(tcp_state(t->c), TCP_ESTABLISHED);
	}
	advance(t, 1000 * XTIME_SEC);   /* silent now: two longest time-outs and the rest of one */
	assert_int_equal(tcp_take_error(t->c), ETIMEDOUT);
}

/* RFC 9293 3.8.6.1, as Linux: an old number, at the RTO and then doubling. */
static void window_closed_is_probed(void **state)
{
	struct rig *t = *state;
	xtime rto;

	establish(t, "S. 0 ack 1 win 1000 mss 1460");
	put(t, 3000);
	expect(t, ". 1:501 ack 1");
	expect(t, "P. 501:1001 ack 1");
	inject(t, ". 1 ack 1001 win 0");
	rto = MAX(t->c->rtt.rto_ns, 200 * XTIME_MSEC);
	expect_after(t, rto, ". 1000 ack 1");
	expect_after(t, 2 * rto, ". 1000 ack 1");
	inject(t, ". 1 ack 1001 win 0");
	expect_after(t, 4 * rto, ". 1000 ack 1");
	inject(t, ". 1 ack 1001 win 500");
	expect(t, ". 1001:1501 ack 1");
	inject(t, ". 1 ack 1501 win 3000");
	expect(t, "P. 1501:2501 ack 1");   /* written in pieces of half the window of then */
}

static void window_closed_and_answering_is_never_given_up(void **state)
{
	struct rig *t = *state;

	establish_wide(t, 0);
	put(t, 3000);
	for (int i = 0; i < 60; i++) {
		for (int k = 0; k < 10 && !forget(t); k++)
			advance(t, 30 * XTIME_SEC);
		inject(t, ". 1 ack 1 win 0");
	}
	assert_int_equal(tcp_state(t->c), TCP_ESTABLISHED);
	inject(t, ". 1 ack 1 win 5000");
	expect(t, ". 1:1461 ack 1");
}

static void window_closed_and_silent_is_etimedout(void **state)
{
	struct rig *t = *state;

	t->s->set.tcp_retries2 = 3;
	establish_wide(t, 0);
	put(t, 3000);
	advance(t, 100 * XTIME_SEC);
	assert_int_equal(forget(t), 3);
	assert_int_equal(tcp_take_error(t->c), ETIMEDOUT);
}

static void window_closed_user_timeout_ends_it(void **state)
{
	struct rig *t = *state;

	establish_wide(t, 0);
	t->c->opt.user_timeout_ms = 3000;
	put(t, 3000);
	advance(t, 2 * XTIME_SEC);
	assert_int_equal(tcp_state(t->c), TCP_ESTABLISHED);
	advance(t, 10 * XTIME_SEC);
	assert_int_equal(tcp_take_error(t->c), ETIMEDOUT);
}

static void window_that_opens_a_little_is_probed_with_data(void **state)
{
	struct rig *t = *state;

	establish_wide(t, 3000);
	put(t, 5000);
	assert_int_equal(forget(t), 2);
	inject(t, ". 1 ack 2921 win 90");
	expect_nothing(t);   /* RFC 9293 3.8.6.2.1: no silly window */
	expect_after(t, t->c->rtt.rto_ns, "P. 2921:3011 ack 1");
}

static void window_that_shrinks_below_flight_sends_the_first_again(void **state)
{
	struct rig *t = *state;
	xtime rto;

	establish_wide(t, 10000);
	put(t, 8000);
	assert_int_equal(forget(t), 6);
	inject(t, ". 1 ack 1461 win 0");
	rto = t->c->rtt.rto_ns;
	expect_after(t, rto, ". 1461:2921 ack 1");
	expect_after(t, 2 * rto, ". 1461:2921 ack 1");
	inject(t, ". 1 ack 1461 win 0");
	expect_after(t, 4 * rto, ". 1461:2921 ack 1");
	assert_int_equal(tcp_state(t->c), TCP_ESTABLISHED);
}

static void window_closed_fin_waits(void **state)
{
	struct rig *t = *state;

	establish_wide(t, 0);
	assert_int_equal(tcp_shutdown(t->c, SHUT_WR, t->now), 0);
	settle(t);
	expect_nothing(t);
	expect_after(t, MAX(t->c->rtt.rto_ns, 200 * XTIME_MSEC), ". 0 ack 1");
	inject(t, ". 1 ack 1 win 100");
	expect(t, "F. 1 ack 1");
}

/* ---- slow start and the congestion window ---- */

static void cwnd_starts_with_ten_and_doubles(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	t->c->opt.sndbuf = 1 << 20;
	put(t, 200000);
	assert_int_equal(forget(t), 10);
	inject(t, ". 1 ack 2897");
	assert_int_equal(forget(t), 4);
	inject(t, ". 1 ack 14481");
	assert_int_equal(forget(t), 16);
	assert_int_equal(t->c->cc.cwnd, 20);
}

static void cwnd_that_is_not_used_does_not_grow(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	for (int i = 0; i < 20; i++) {
		put(t, 1000);
		expect(t, "P. %d:%d ack 1", 1 + 1000 * i, 1001 + 1000 * i);
		inject(t, ". 1 ack %d", 1001 + 1000 * i);
	}
	assert_true(t->c->cc.cwnd <= 12);
}

static void cwnd_is_smaller_after_an_idle_time(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	t->c->cc.cwnd = 80;
	put(t, 1000);
	forget(t);
	inject(t, ". 1 ack 1001");
	advance(t, 100 * XTIME_SEC);
	put(t, 1000);
	assert_int_equal(t->c->cc.cwnd, 10);
}

static void window_opened_after_idle_slow_starts(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	t->c->cc.cwnd = 40;
	put(t, 1448);
	assert_int_equal(forget(t), 1);
	inject(t, ". 1 ack 1449 win 0");
	put(t, 1448);
	advance(t, 500 * XTIME_MSEC);
	assert_int_equal(t->c->cc.cwnd, 40);
	forget(t);
	inject(t, ". 1 ack 1449");
	assert_int_equal(t->c->cc.cwnd, 10);
}

/* ---- offload ---- */

static void super_frame_is_sent_whole_and_half_a_window_at_most(void **state)
{
	struct rig *t = *state;
	uint16_t id;

	establish(t, NULL);
	id = t->ip.id;
	put(t, 14480);
	expect(t, "P. 1:7241 ack 1 gso 1448");   /* tcp_cwnd_test(): two frames a window */
	assert_int_equal(t->ip.id, (uint16_t)(id + 1));
	expect(t, "P. 7241:14481 ack 1 gso 1448");
	assert_int_equal(t->ip.id, (uint16_t)(id + 6));
	expect_nothing(t);
	assert_int_equal(t->c->loss.packets_out, 10);
	inject(t, ". 1 ack 14481");
	put(t, 10);
	expect(t, "P. 14481:14491 ack 1 gso 0");
	assert_int_equal(t->ip.id, (uint16_t)(id + 11));
}

static void super_frame_has_a_limit(void **state)
{
	struct rig *t = *state;

	establish(t, "S. 0 ack 1 win 65535 mss 1460 wscale 7");
	t->c->opt.sndbuf = 1 << 20;
	t->c->cc.cwnd = 100;
	tcp_update_pacing_rate(t->c);
	inject(t, ". 1 ack 1 win 10000");
	put(t, 146000);
	expect(t, "P. 1:64241 ack 1 gso 1460");   /* 44 segments: 65,535 bytes with headers */
	expect(t, "P. 64241:128481 ack 1 gso 1460");
	expect(t, "P. 128481:146001 ack 1 gso 1460");
}

static void super_frame_stops_when_the_interface_no_longer_takes_them(void **state)
{
	struct rig *t = *state;
	struct stack_iface i = t->s->ifaces[0];

	establish(t, NULL);
	i.can_offload = false;
	assert_int_equal(stack_set_iface(t->s, 0, &i), 0);
	put(t, 2896);
	expect(t, ". 1:1449 ack 1 gso 0");
	expect(t, "P. 1449:2897 ack 1 gso 0");
	assert_int_equal(t->vnet.flags, 0);
}

static void super_frame_acknowledged_in_part(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	put(t, 7240);
	expect(t, "P. 1:7241 ack 1 gso 1448");
	inject(t, ". 1 ack 2897");
	assert_int_equal(t->c->loss.packets_out, 3);
	inject(t, ". 1 ack 2900");
	assert_int_equal(t->c->loss.packets_out, 3);
	inject(t, ". 1 ack 7241");
	assert_int_equal(t->c->loss.packets_out, 0);
	assert_int_equal(tcp_outq(t->c), 0);
}

/* ---- keepalive ---- */

static void keepalive_probes_and_gives_up(void **state)
{
	struct rig *t = *state;

	dial_open(t);
	t->c->opt.keepalive = true;
	t->c->opt.keep_idle_s = 10;
	t->c->opt.keep_intvl_s = 3;
	t->c->opt.keep_cnt = 2;
	assert_int_equal(dial_connect(t), 0);
	expect(t, "S 0");
	t->ts = true;
	inject(t, SYN_ACK);
	expect(t, ". 1 ack 1");
	expect_after(t, 10 * XTIME_SEC, ". 0 ack 1");
	inject(t, ". 1 ack 1");
	expect_after(t, 10 * XTIME_SEC, ". 0 ack 1");
	expect_after(t, 3 * XTIME_SEC, ". 0 ack 1");
	expect_after(t, 3 * XTIME_SEC, "R. 1 ack 1");
	assert_int_equal(tcp_take_error(t->c), ETIMEDOUT);
}

static void keepalive_waits_while_data_flows(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	t->c->opt.keepalive = true;
	t->c->opt.keep_idle_s = 10;
	tcp_keep_start(t->c, t->now);
	for (int i = 0; i < 10; i++) {
		advance(t, 5 * XTIME_SEC);
		inject(t, "P. %d:%d ack 1", 1 + 10 * i, 11 + 10 * i);
		expect(t, ". 1 ack %d", 11 + 10 * i);
	}
	expect_after(t, 10 * XTIME_SEC, ". 0 ack 101");
}

static void keepalive_is_off_by_default(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	expect_quiet(t, 100000 * XTIME_SEC);
	assert_int_equal(tcp_state(t->c), TCP_ESTABLISHED);
}

/* ---- urgent data ---- */

static void urgent_write_carries_the_pointer(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	put_flags(t, 3, MSG_OOB);
	expect(t, "PU. 1:4 ack 1 urg 3");
	put(t, 4);
	inject(t, ". 1 ack 4");
	expect(t, "P. 4:8 ack 1 urg 0");
}

/* ---- the way there ---- */

static void source_route_goes_to_the_first_hop(void **state)
{
	static const uint8_t lsrr[] = { 131, 7, 4, 10, 0, 0, 2, 0 };
	struct rig *t = *state;

	dial_open(t);
	assert_int_equal(ip_opts_parse(lsrr, sizeof(lsrr), &tcp_rareopts_own(t->c)->ip_opts), 0);
	t->peer = FAR;
	assert_int_equal(dial_connect(t), 0);
	expect(t, "S 0 mss 1460 sackOK wscale 10");
	assert_int_equal(t->ip.dst, PEER);
	assert_int_equal(t->ip.opt_len, 8);
	assert_int_equal(t->ip.opts[0], 131);
	assert_int_equal(get_be32(t->ip.opts + 3), FAR);
}

static void route_change_is_followed(void **state)
{
	struct rig *t = *state;
	struct route other = { .gateway = IP(10, 0, 0, 77), .dst = FAR, .plen = 32 };

	t->peer = FAR;
	assert_int_equal(stack_seed_neigh(t->s, 0, GATEWAY, (uint8_t[]){ 2, 1, 1, 1, 1, 1 }, true, t->now), 0);
	assert_int_equal(stack_seed_neigh(t->s, 0, other.gateway, (uint8_t[]){ 2, 7, 7, 7, 7, 7 }, true, t->now), 0);
	establish(t, NULL);
	put(t, 10);
	expect(t, "P. 1:11 ack 1");
	assert_int_equal(t->dst_mac[1], 1);
	assert_int_equal(stack_add_route(t->s, &other), 0);
	inject(t, ". 1 ack 11");
	put(t, 10);
	expect(t, "P. 11:21 ack 1");
	assert_int_equal(t->dst_mac[1], 7);
}

static void route_lost_keeps_the_connection_until_it_times_out(void **state)
{
	struct rig *t = *state;
	struct route lo = { .dst = FAR, .plen = 32, .gateway = PEER };

	assert_int_equal(stack_del_route(t->s, &t->def), 0);
	assert_int_equal(stack_add_route(t->s, &lo), 0);
	t->peer = FAR;
	establish(t, NULL);
	assert_int_equal(stack_del_route(t->s, &lo), 0);
	put(t, 100);
	expect_nothing(t);
	advance(t, 10 * XTIME_SEC);
	assert_int_equal(tcp_state(t->c), TCP_ESTABLISHED);
	expect_nothing(t);
	assert_int_equal(stack_add_route(t->s, &lo), 0);
	advance(t, 20 * XTIME_SEC);
	expect(t, "P. 1:101 ack 1");
	inject(t, ". 1 ack 101");
}

static void smaller_route_mtu_makes_smaller_segments(void **state)
{
	struct rig *t = *state;
	struct stack_iface i = t->s->ifaces[0];

	establish(t, NULL);
	i.mtu = 1000;
	assert_int_equal(stack_set_iface(t->s, 0, &i), 0);
	put(t, 1500);
	expect(t, ". 1:949 ack 1");
	assert_int_equal(t->ip.total_len, 1000);
}

/* ---- bursts that wait: tcp_tso_should_defer() ---- */

/* A round trip of 20 ms, cwnd 10 in congestion avoidance; five segments are sent, five more
 * `later`, and 30 wait.  The first four are acknowledged: two bursts leave. */
static void ten_in_flight(struct rig *t, xtime later)
{
	dial(t);
	t->ts = true;
	advance(t, 20 * XTIME_MSEC);
	inject(t, SYN_ACK);
	expect(t, ". 1 ack 1");
	t->c->cc.ssthresh = 10;
	t->c->opt.sndbuf = 1 << 20;
	put(t, 5 * 1448);
	advance(t, later);
	put(t, 35 * 1448);
	forget(t);
	assert_int_equal(t->c->loss.packets_out, 10);
	advance(t, 20 * XTIME_MSEC - later);
	inject(t, ". 1 ack 5793");
	expect(t, "P. 14481:17377 ack 1");
	expect(t, "P. 17377:20273 ack 1");
	expect_nothing(t);
}

static void half_a_burst_waits_for_an_ack_that_is_due(void **state)
{
	struct rig *t = *state;

	ten_in_flight(t, 100 * XTIME_USEC);
	inject(t, ". 1 ack 7241");
	expect_nothing(t);
	inject(t, ". 1 ack 8689");
	expect(t, "P. 20273:23169 ack 1");
}

static void half_a_burst_goes_when_the_next_ack_is_far(void **state)
{
	struct rig *t = *state;

	ten_in_flight(t, 8 * XTIME_MSEC);
	inject(t, ". 1 ack 7241");
	expect(t, ". 20273:21721 ack 1");
}

static void half_a_burst_goes_when_the_last_is_old(void **state)
{
	struct rig *t = *state;

	ten_in_flight(t, 2 * XTIME_MSEC);
	advance(t, 1100 * XTIME_USEC);
	inject(t, ". 1 ack 7241");
	expect(t, ". 20273:21721 ack 1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		own(data_is_cut_at_the_mss),
		own(data_leaves_room_for_sack_blocks),
		own(data_of_a_small_mss_peer),
		own(data_of_a_tiny_mss_peer_has_a_floor),
		own(data_of_user_mss),
		own(data_carries_ip_ids_and_df),
		own(push_marks_the_end_of_a_write),
		own(send_buffer_bounds_what_is_queued),
		own(nagle_small_write_waits_for_the_ack),
		own(nagle_full_segments_do_not_wait),
		own(nagle_minshall_small_after_full_goes),
		own(nodelay_sends_at_once),
		own(cork_holds_the_rest_of_a_segment),
		own(cork_gives_way_after_200_ms),
		own(more_holds_until_the_last_write),
		own(more_with_nodelay_holds_too),
		own(fin_does_not_wait_for_nagle),
		own(window_of_the_peer_is_respected),
		own(window_scaled_by_the_peers_shift),
		own(window_update_of_an_old_segment_is_ignored),
		own(window_closed_is_probed),
		own(window_closed_and_answering_is_never_given_up),
		own(window_closed_and_silent_is_etimedout),
		own(window_closed_user_timeout_ends_it),
		own(window_that_opens_a_little_is_probed_with_data),
		own(window_that_shrinks_below_flight_sends_the_first_again),
		own(window_closed_with_data_in_flight_is_not_given_up_either),
		own(window_closed_fin_waits),
		own(cwnd_starts_with_ten_and_doubles),
		own(cwnd_that_is_not_used_does_not_grow),
		own(cwnd_is_smaller_after_an_idle_time),
		own(window_opened_after_idle_slow_starts),
		offload(super_frame_is_sent_whole_and_half_a_window_at_most),
		offload(super_frame_has_a_limit),
		offload(super_frame_stops_when_the_interface_no_longer_takes_them),
		offload(super_frame_acknowledged_in_part),
		own(keepalive_probes_and_gives_up),
		own(keepalive_waits_while_data_flows),
		own(keepalive_is_off_by_default),
		own(urgent_write_carries_the_pointer),
		own(source_route_goes_to_the_first_hop),
		own(route_change_is_followed),
		own(route_lost_keeps_the_connection_until_it_times_out),
		own(smaller_route_mtu_makes_smaller_segments),
		offload(half_a_burst_waits_for_an_ack_that_is_due),
		offload(half_a_burst_goes_when_the_next_ack_is_far),
		offload(half_a_burst_goes_when_the_last_is_old),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
