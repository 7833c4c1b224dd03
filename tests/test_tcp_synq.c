/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_tcp_synq.c - the SYN queue, the accept queue, their limits, and SYN cookies.
 *
 * What is expected was seen of Linux 6.18 with packetdrill.
 */
#include "harness.h"
#include "stack/tcp_metrics.h"

#include "stack/tcp_listen.h"

#define SYN "S 0 win 65535 mss 1460 sackOK ts wscale 7"
#define SYN_NOTS "S 0 win 65535 mss 1460 sackOK wscale 7"

/* A listener, and clients with timestamps. */
static struct tcp_conn *listen_on_80(struct rig *t, int backlog)
{
	t->ts = true;
	return serve(t, backlog);
}

/* A client's numbers, to come back to it. */
struct client {
	uint16_t port;
	seq32 iss;
	uint32_t ts_ecr;
};

static struct client leave_client(struct rig *t)
{
	struct client c = { t->rport, t->iss, t->ts_ecr };

	next_client(t);
	return c;
}

static void back_to(struct rig *t, struct client c)
{
	t->rport = c.port;
	t->iss = c.iss;
	t->ts_ecr = c.ts_ecr;
	t->has_iss = true;
}

/* A SYN that is answered. */
static struct client shake(struct rig *t)
{
	inject(t, SYN);
	expect(t, "S. 0 ack 1");
	return leave_client(t);
}

/* ---- limits ---- */

static void synq_full_without_cookies_drops(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = listen_on_80(t, 2);

	stack_settings(t->s)->tcp_syncookies = 0;
	shake(t);
	shake(t);
	inject(t, SYN);
	expect_nothing(t);
	assert_int_equal(l->listener->nreq, 2);
	assert_int_equal(counted(t, CTR_TcpExtTCPReqQFullDrop), 1);
	assert_int_equal(counted(t, CTR_TcpExtListenDrops), 1);
}

static void synq_last_quarter_is_for_the_known(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = listen_on_80(t, 100);

	stack_settings(t->s)->tcp_syncookies = 0;
	stack_settings(t->s)->tcp_max_syn_backlog = 8;
	for (int i = 0; i < 7; i++)
		shake(t);
	inject(t, SYN);
	expect_nothing(t);
	assert_int_equal(l->listener->nreq, 7);
	/* tcp_peer_is_proven(): an earlier connection measured its RTT. */
	tcp_metrics_get(t->s, US, PEER, true, t->now)->rtt8_us = 8000;
	shake(t);
	assert_int_equal(l->listener->nreq, 8);
	stack_flush_metrics(t->s);
	stack_settings(t->s)->tcp_syncookies = 1;
	shake(t);
}

static void synq_entry_is_small_and_no_connection(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = listen_on_80(t, 100);

	assert_true(sizeof(struct tcp_req) <= 320);
	for (int i = 0; i < 100; i++)
		shake(t);
	assert_int_equal(t->s->nconn, 1);
	assert_int_equal(t->s->nreq, 100);
	assert_int_equal(l->listener->nyoung, 100);
	tcp_release(l, t->now);
	assert_int_equal(t->s->nreq, 0);
	assert_int_equal(t->s->tab.ents.n, 0);
}

static void backlog_is_bounded_by_somaxconn(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = listen_on_80(t, -1);
	ip4 addr;
	uint16_t port;

	assert_int_equal(l->listener->backlog, 4096);
	assert_int_equal(tcp_listen(l, 3, &addr, &port, t->now), 0);
	assert_int_equal(l->listener->backlog, 3);
	stack_settings(t->s)->somaxconn = 2;
	assert_int_equal(tcp_listen(l, 3, &addr, &port, t->now), 0);
	assert_int_equal(l->listener->backlog, 2);
}

static void acceptq_full_drops_the_last_ack(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = listen_on_80(t, 2), *first;
	struct client a = shake(t), b = shake(t), c;

	back_to(t, a);
	inject(t, ". 1 ack 1");
	leave_client(t);
	back_to(t, b);
	inject(t, ". 1 ack 1");
	leave_client(t);
	c = shake(t);   /* two wait, three may: the queue is full when more than the backlog do */
	tcp_listen(l, 1, &(ip4){ 0 }, &(uint16_t){ 0 }, t->now);
	back_to(t, c);
	inject(t, ". 1 ack 1");
	expect_nothing(t);
	assert_int_equal(counted(t, CTR_TcpExtListenOverflows), 1);
	assert_int_equal(counted(t, CTR_TcpExtListenDrops), 1);
	assert_int_equal(l->listener->nreq, 1);
	/* The peer believes that it is connected; what it sends is not heard. */
	inject(t, "P. 1:101 ack 1");
	expect_nothing(t);
	expect_after(t, XTIME_SEC, "S. 0 ack 1");
	first = try_accept(t, l);
	assert_non_null(first);
	inject(t, "P. 1:101 ack 1");
	expect(t, ". 1 ack 101");
	assert_non_null(try_accept(t, l));
	assert_non_null(try_accept(t, l));
	assert_null(try_accept(t, l));
	assert_int_equal(t->s->nreq, 0);
}

static void acceptq_full_aborts_if_asked(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = listen_on_80(t, 1);
	struct client a = shake(t), b;

	stack_settings(t->s)->tcp_abort_on_overflow = 1;
	back_to(t, a);
	inject(t, ". 1 ack 1");
	leave_client(t);
	b = shake(t);
	tcp_listen(l, 0, &(ip4){ 0 }, &(uint16_t){ 0 }, t->now);
	back_to(t, b);
	inject(t, ". 1 ack 1");
	expect(t, "R 1 nots");
	assert_int_equal(t->s->nreq, 0);
	assert_non_null(try_accept(t, l));
	assert_null(try_accept(t, l));
}

static void acceptq_full_drops_syns_and_sends_no_cookie(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = listen_on_80(t, 0);

	inject(t, SYN);
	expect(t, "S. 0 ack 1");
	assert_int_equal(counted(t, CTR_TcpExtSyncookiesSent), 1);   /* no room for a request */
	inject(t, ". 1 ack 1");
	leave_client(t);
	inject(t, SYN);
	expect_nothing(t);
	assert_int_equal(counted(t, CTR_TcpExtSyncookiesSent), 1);
	assert_int_equal(counted(t, CTR_TcpExtListenOverflows), 1);
	assert_non_null(try_accept(t, l));
	shake(t);
}

/* ---- time ---- */

static void synack_retries_follow_the_setting(void **state)
{
	struct rig *t = *state;

	listen_on_80(t, 5);
	stack_settings(t->s)->tcp_synack_retries = 2;
	inject(t, SYN);
	expect(t, "S. 0 ack 1");
	expect_after(t, XTIME_SEC, "S. 0 ack 1");
	expect_after(t, 2 * XTIME_SEC, "S. 0 ack 1");
	expect_quiet(t, 100 * XTIME_SEC);
	assert_int_equal(t->s->nreq, 0);
	assert_int_equal(counted(t, CTR_TcpExtTCPTimeouts), 3);
	assert_int_equal(counted(t, CTR_TcpExtTCPSynRetrans), 2);
}

static void synack_retries_follow_tcp_syncnt(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = listen_on_80(t, 5);

	l->opt.syn_cnt = 1;
	inject(t, SYN);
	expect(t, "S. 0 ack 1");
	expect_after(t, XTIME_SEC, "S. 0 ack 1");
	expect_quiet(t, 100 * XTIME_SEC);
	assert_int_equal(t->s->nreq, 0);
}

static void synq_of_old_ones_is_pruned_sooner(void **state)
{
	struct rig *t = *state;

	listen_on_80(t, 10);
	for (int i = 0; i < 10; i++)
		shake(t);
	/* More than half full of old ones: two time-outs are enough. */
	advance(t, 7 * XTIME_SEC - 1);
	assert_int_equal(t->s->nreq, 10);
	advance(t, 2);
	assert_true(t->s->nreq <= 5);
	forget(t);
}

static void syn_again_begins_the_wait_anew(void **state)
{
	struct rig *t = *state;

	listen_on_80(t, 5);
	inject(t, SYN);
	expect(t, "S. 0 ack 1");
	advance(t, 600 * XTIME_MSEC);
	inject(t, SYN);
	expect(t, "S. 0 ack 1");
	advance(t, 600 * XTIME_MSEC);
	inject(t, SYN);
	expect(t, "S. 0 ack 1");
	expect_after(t, XTIME_SEC, "S. 0 ack 1");
}

static void handshake_after_repeated_synack_has_its_backoff(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = listen_on_80(t, 5);

	inject(t, SYN);
	expect(t, "S. 0 ack 1");
	expect_after(t, XTIME_SEC, "S. 0 ack 1");
	expect_after(t, 2 * XTIME_SEC, "S. 0 ack 1");
	inject(t, ". 1 ack 1");
	t->c = try_accept(t, l);
	assert_non_null(t->c);
	assert_int_equal(t->c->snd.total_retrans, 2);
	assert_int_equal(t->c->cc.cwnd, 1);   /* RFC 6298 5.7 */
}

/* ---- TCP_DEFER_ACCEPT ---- */

static void defer_accept_waits_for_data(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = listen_on_80(t, 5);

	l->opt.defer_accept = 2;   /* 3 s */
	inject(t, SYN);
	expect(t, "S. 0 ack 1");
	inject(t, ". 1 ack 1");
	expect_nothing(t);
	assert_null(try_accept(t, l));
	assert_int_equal(counted(t, CTR_TcpExtTCPDeferAcceptDrop), 1);
	inject(t, "P. 1:11 ack 1");
	expect(t, ". 1 ack 11");
	t->c = try_accept(t, l);
	assert_non_null(t->c);
	take(t, 10);
	assert_int_equal(t->c->opt.defer_accept, 0);
}

static void defer_accept_gives_a_last_chance(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = listen_on_80(t, 5);

	l->opt.defer_accept = 2;
	inject(t, SYN);
	expect(t, "S. 0 ack 1");
	inject(t, ". 1 ack 1");
	expect_after(t, 3 * XTIME_SEC, "S. 0 ack 1");
	inject(t, ". 1 ack 1");
	assert_non_null(try_accept(t, l));
}

static void defer_accept_repeats_until_acked(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = listen_on_80(t, 5);

	l->opt.defer_accept = 2;
	inject(t, SYN);
	expect(t, "S. 0 ack 1");
	expect_after(t, XTIME_SEC, "S. 0 ack 1");
	inject(t, ". 1 ack 1");
	assert_null(try_accept(t, l));
	expect_after(t, 2 * XTIME_SEC, "S. 0 ack 1");
	inject(t, ". 1 ack 1");
	assert_non_null(try_accept(t, l));
}

static void defer_accept_long_outlasts_the_retries(void **state)
{
	struct rig *t = *state;

	listen_on_80(t, 5)->opt.defer_accept = 7;   /* 127 s */
	inject(t, SYN);
	expect(t, "S. 0 ack 1");
	inject(t, ". 1 ack 1");
	expect_after(t, 127 * XTIME_SEC, "S. 0 ack 1");
	expect_quiet(t, 300 * XTIME_SEC);
	assert_int_equal(t->s->nreq, 0);
}

/* ---- segments for a request: tcp_check_req() ---- */

static void request_syn_in_window_resets(void **state)
{
	struct rig *t = *state;

	listen_on_80(t, 5);
	inject(t, SYN);
	expect(t, "S. 0 ack 1");
	inject(t, "S 100");
	expect(t, "R. %d ack 101 nots", -(int)t->iss);
	assert_int_equal(t->s->nreq, 0);
	assert_int_equal(counted(t, CTR_TcpExtEmbryonicRsts), 1);
}

static void request_inexact_resets_are_answered_once(void **state)
{
	struct rig *t = *state;

	listen_on_80(t, 5);
	inject(t, SYN);
	expect(t, "S. 0 ack 1");
	inject(t, "R 100");
	expect(t, ". 1 ack 1 win 63");
	inject(t, "R 101");
	expect_nothing(t);
	inject(t, "R 1000000");
	expect_nothing(t);
	assert_int_equal(t->s->nreq, 1);
	inject(t, "R 1");
	assert_int_equal(t->s->nreq, 0);
}

static void request_out_of_window_is_answered(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = listen_on_80(t, 5);

	inject(t, SYN);
	expect(t, "S. 0 ack 1");
	inject(t, ". 1000000 ack 1");
	expect(t, ". 1 ack 1 win 63");
	inject(t, ". 1000001 ack 1");
	expect_nothing(t);
	inject(t, ". 1000001:1000101 ack 1");
	expect(t, ". 1 ack 1 win 63");
	inject(t, "P 1:11");   /* without ACK: not heard */
	expect_nothing(t);
	inject(t, ". 1 ack 1");
	assert_non_null(try_accept(t, l));
}

static void request_old_timestamp_is_answered(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = listen_on_80(t, 5);

	inject(t, SYN);
	expect(t, "S. 0 ack 1");
	inject(t, ". 1 ack 1 tsval 1");
	expect(t, ". 1 ack 1 win 63");
	assert_int_equal(counted(t, CTR_TcpExtPAWSEstab), 1);
	assert_null(try_accept(t, l));
}

static void request_echo_of_what_was_never_sent_is_answered(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = listen_on_80(t, 5);

	inject(t, SYN);
	expect(t, "S. 0 ack 1");
	inject(t, ". 1 ack 1 ecr %u", t->ts_ecr + 1);
	expect(t, ". 1 ack 1 win 63");
	assert_int_equal(counted(t, CTR_TcpExtTSEcrRejected), 1);
	assert_null(try_accept(t, l));
}

static void request_unreachable_is_forgotten(void **state)
{
	struct rig *t = *state;

	listen_on_80(t, 5);
	inject(t, SYN);
	expect(t, "S. 0 ack 1");
	inject_icmp(t, ICMP_UNREACH, 1, 0, 5);   /* another number */
	assert_int_equal(t->s->nreq, 1);
	inject_icmp(t, ICMP_UNREACH, 3, 0, 0);   /* a port: Linux does not mind */
	assert_int_equal(t->s->nreq, 1);
	inject_icmp(t, ICMP_UNREACH, 1, 0, 0);
	assert_int_equal(t->s->nreq, 0);
}

static void request_of_a_closed_listener_is_reset_at_its_ack(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = listen_on_80(t, 5);

	inject(t, SYN);
	expect(t, "S. 0 ack 1");
	tcp_release(l, t->now);
	settle(t);
	expect_nothing(t);
	assert_int_equal(t->s->nreq, 0);
	inject(t, ". 1 ack 1");
	expect(t, "R 1 nots");
}

/* ---- cookies ---- */

static void cookie_needs_no_memory(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = listen_on_80(t, 1);

	shake(t);
	for (int i = 0; i < 1000; i++)
		shake(t);
	assert_int_equal(t->s->nreq, 1);
	assert_int_equal(t->s->tab.ents.n, 1);
	assert_int_equal(l->listener->nreq, 1);
	assert_int_equal(counted(t, CTR_TcpExtSyncookiesSent), 1000);
	assert_int_equal(counted(t, CTR_TcpExtTCPReqQFullDoCookies), 1000);
}

static void cookie_carries_the_options(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = listen_on_80(t, 1);

	shake(t);
	advance(t, 600 * XTIME_MSEC);
	inject(t, "S 0 win 65535 mss 1450 sackOK ts wscale 9");
	expect(t, "S. 0 ack 1 win 65160 mss 1460 sackOK ts wscale 10");
	advance(t, 30 * XTIME_MSEC);
	inject(t, "P. 1:11 ack 1 win 512");
	expect(t, ". 1 ack 11");
	t->c = try_accept(t, l);
	assert_non_null(t->c);
	assert_true(t->c->sack_ok && t->c->ts_ok && t->c->wscale_ok);
	assert_int_equal(t->c->snd_wscale, 9);
	assert_int_equal(t->c->rcv_wscale, 10);
	assert_int_equal(t->c->snd.wnd, 512 << 9);
	assert_int_equal(t->c->peer_mss, 1440);   /* rounded down */
	assert_true(t->c->rtt.srtt8_us >> 3 <= 30000 + 64000);
	take(t, 10);
	put(t, 100);
	expect(t, "P. 1:101 ack 11");
	assert_int_equal(counted(t, CTR_TcpExtSyncookiesRecv), 1);
	assert_int_equal(counted(t, CTR_TcpPassiveOpens), 1);
}

static void cookie_without_some_options_has_the_others(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = listen_on_80(t, 1);

	shake(t);
	inject(t, "S 0 win 65535 mss 1460 ts");
	expect(t, "S. 0 ack 1 win 65160 mss 1460 ts");
	assert_false(t->th.sack_permitted);
	assert_false(t->th.has_wscale);
	inject(t, ". 1 ack 1 win 512");
	t->c = try_accept(t, l);
	assert_non_null(t->c);
	assert_false(t->c->sack_ok || t->c->wscale_ok);
	assert_int_equal(t->c->snd.wnd, 512);
}

static void cookie_without_timestamps_has_no_options(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = listen_on_80(t, 1);

	shake(t);
	t->ts = false;
	inject(t, SYN_NOTS);
	expect(t, "S. 0 ack 1 win 64240 mss 1460 nots");
	assert_false(t->th.sack_permitted);
	assert_false(t->th.has_wscale);
	inject(t, ". 1 ack 1 win 512");
	t->c = try_accept(t, l);
	assert_non_null(t->c);
	assert_false(t->c->sack_ok || t->c->wscale_ok || t->c->ts_ok);
	assert_int_equal(t->c->snd.wnd, 512);
	assert_int_equal(t->c->peer_mss, 1460);
}

static void cookie_says_one_of_four_mss(void **state)
{
	static const struct { int announced, known; } v[] = {
		{ 100, 536 }, { 536, 536 }, { 1299, 536 }, { 1300, 1300 }, { 1439, 1300 }, { 1440, 1440 },
		{ 1460, 1460 }, { 8960, 1460 },
	};
	struct rig *t = *state;
	struct tcp_conn *l = listen_on_80(t, 1);

	shake(t);
	t->ts = false;
	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		struct tcp_conn *c;

		inject(t, "S 0 win 65535 mss %d", v[i].announced);
		expect(t, "S. 0 ack 1");
		inject(t, ". 1 ack 1");
		c = try_accept(t, l);
		assert_non_null(c);
		assert_int_equal(c->peer_mss, v[i].known);
		leave_client(t);
	}
}

static void cookie_forged_is_reset(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = listen_on_80(t, 1);

	shake(t);
	inject(t, SYN);
	expect(t, "S. 0 ack 1");
	inject(t, ". 1 ack 2");
	expect(t, "R 2 nots");
	inject(t, ". 100 ack 1");
	expect(t, "R 1 nots");
	t->rport++;
	inject(t, ". 1 ack 1");
	expect(t, "R 1 nots");
	t->rport--;
	assert_int_equal(counted(t, CTR_TcpExtSyncookiesFailed), 3);
	inject(t, "R. 1 ack 1");   /* a valid one doesn't open anything either */
	expect_nothing(t);
	assert_null(try_accept(t, l));
	inject(t, ". 1 ack 1");
	assert_non_null(try_accept(t, l));
}

static void cookie_is_good_for_one_to_two_minutes(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = listen_on_80(t, 0);
	struct client old;

	t->ts = false;
	inject(t, "S 0 win 65535 mss 1460");
	expect(t, "S. 0 ack 1");
	old = leave_client(t);
	advance(t, 60 * XTIME_SEC);
	inject(t, "S 0 win 65535 mss 1460");
	expect(t, "S. 0 ack 1");
	leave_client(t);
	back_to(t, old);
	inject(t, ". 1 ack 1");
	assert_non_null(try_accept(t, l));
	leave_client(t);
	t->rport = 51000;
	inject(t, "S 0 win 65535 mss 1460");
	expect(t, "S. 0 ack 1");
	old = leave_client(t);
	advance(t, 119 * XTIME_SEC);
	inject(t, "S 0 win 65535 mss 1460");   /* cookies are still being sent */
	expect(t, "S. 0 ack 1");
	advance(t, 2 * XTIME_SEC);
	back_to(t, old);
	inject(t, ". 1 ack 1");
	expect(t, "R 1 nots");
	assert_int_equal(counted(t, CTR_TcpExtSyncookiesFailed), 1);
}

static void cookie_is_not_looked_for_when_none_was_sent(void **state)
{
	struct rig *t = *state;

	listen_on_80(t, 5);
	inject(t, ". 1 ack 1");
	expect(t, "R 1 nots");
	assert_int_equal(counted(t, CTR_TcpExtSyncookiesFailed), 0);
}

static void cookie_always_if_asked(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = listen_on_80(t, 5);

	stack_settings(t->s)->tcp_syncookies = 2;
	inject(t, SYN);
	expect(t, "S. 0 ack 1 win 65160 mss 1460 sackOK ts wscale 10");
	assert_int_equal(t->s->nreq, 0);
	expect_quiet(t, 10 * XTIME_SEC);   /* nor is it sent again */
	inject(t, ". 1 ack 1");
	assert_non_null(try_accept(t, l));
}

static void cookie_finds_the_queue_full(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = listen_on_80(t, 0);
	struct client a = shake(t), b = shake(t);

	back_to(t, a);
	inject(t, ". 1 ack 1");
	leave_client(t);
	back_to(t, b);
	inject(t, ". 1 ack 1");
	expect_nothing(t);
	assert_int_equal(counted(t, CTR_TcpExtListenOverflows), 1);
	assert_non_null(try_accept(t, l));
	inject(t, "P. 1:2 ack 1");   /* sent again because nobody answered */
	expect(t, ". 1 ack 2");
	assert_non_null(try_accept(t, l));
}

/* ---- what is inherited ---- */

static void child_inherits_what_linux_gives_it(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = listen_on_80(t, 5);

	l->opt.priority = 6;
	l->opt.tos = 16;
	l->opt.ttl = 9;
	tcp_rareopts_own(l)->mark = 5;
	l->opt.keepalive = true;
	l->opt.nodelay = true;
	l->opt.linger_s = 4;
	l->opt.syn_cnt = 3;
	l->opt.user_mss = 1000;
	tcp_fo_own(l)->max_qlen = 5;
	inject(t, SYN);
	expect(t, "S. 0 ack 1 win 65208 mss 1000 sackOK ts wscale 10");
	assert_int_equal(t->ip.tos, 16);
	assert_int_equal(t->ip.ttl, 9);
	assert_int_equal(t->ip.id, 0);
	assert_true(t->ip.is_df);
	inject(t, ". 1 ack 1");
	t->c = try_accept(t, l);
	assert_non_null(t->c);
	assert_int_equal(t->c->opt.priority, 0);
	assert_int_equal(t->c->opt.tos, 16);
	assert_int_equal(t->c->opt.rare->mark, 5);
	assert_true(t->c->opt.keepalive && t->c->opt.nodelay);
	assert_int_not_equal(t->c->keep_at, XTIME_NEVER);
	assert_int_equal(t->c->opt.linger_s, 4);
	assert_int_equal(t->c->opt.syn_cnt, 3);
	assert_int_equal(t->c->peer_mss, 1000);
	assert_int_equal(tcp_fo(t->c)->max_qlen, 0);
	put(t, 100);
	expect(t, "P. 1:101 ack 1");
	assert_int_equal(t->ip.tos, 16);
	assert_int_equal(t->ip.ttl, 9);
}

/* What few set is shared until one of the two sets something. */
static void child_shares_rare_options_until_one_sets_another(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = listen_on_80(t, 5);
	const int seven = 7;

	assert_int_equal(tcp_setopt(l, IPPROTO_TCP, TCP_LINGER2, &seven, sizeof(seven), true, t->now), 0);
	inject(t, SYN);
	expect(t, "S. 0 ack 1 win 65160 mss 1460 sackOK ts wscale 10");
	inject(t, ". 1 ack 1");
	t->c = try_accept(t, l);
	assert_non_null(t->c);
	assert_ptr_equal(t->c->opt.rare, l->opt.rare);
	assert_int_equal(tcp_setopt(t->c, SOL_SOCKET, SO_MARK, &seven, sizeof(seven), true, t->now), 0);
	assert_int_equal(t->c->opt.rare->linger2_s, 7);
	assert_int_equal(t->c->opt.rare->mark, 7);
	assert_int_equal(l->opt.rare->linger2_s, 7);
	assert_int_equal(l->opt.rare->mark, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		own(synq_full_without_cookies_drops),
		own(synq_last_quarter_is_for_the_known),
		own(synq_entry_is_small_and_no_connection),
		own(backlog_is_bounded_by_somaxconn),
		own(acceptq_full_drops_the_last_ack),
		own(acceptq_full_aborts_if_asked),
		own(acceptq_full_drops_syns_and_sends_no_cookie),
		own(synack_retries_follow_the_setting),
		own(synack_retries_follow_tcp_syncnt),
		own(synq_of_old_ones_is_pruned_sooner),
		own(syn_again_begins_the_wait_anew),
		own(handshake_after_repeated_synack_has_its_backoff),
		own(defer_accept_waits_for_data),
		own(defer_accept_gives_a_last_chance),
		own(defer_accept_repeats_until_acked),
		own(defer_accept_long_outlasts_the_retries),
		own(request_syn_in_window_resets),
		own(request_inexact_resets_are_answered_once),
		own(request_out_of_window_is_answered),
		own(request_old_timestamp_is_answered),
		own(request_echo_of_what_was_never_sent_is_answered),
		own(request_unreachable_is_forgotten),
		own(request_of_a_closed_listener_is_reset_at_its_ack),
		own(cookie_needs_no_memory),
		own(cookie_carries_the_options),
		own(cookie_without_some_options_has_the_others),
		own(cookie_without_timestamps_has_no_options),
		own(cookie_says_one_of_four_mss),
		own(cookie_forged_is_reset),
		own(cookie_is_good_for_one_to_two_minutes),
		own(cookie_is_not_looked_for_when_none_was_sent),
		own(cookie_always_if_asked),
		own(cookie_finds_the_queue_full),
		own(child_inherits_what_linux_gives_it),
		own(child_shares_rare_options_until_one_sets_another),
		shared(cookie_carries_the_options),
		shared(acceptq_full_drops_the_last_ack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
