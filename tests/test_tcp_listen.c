/* SPDX-License-Identifier: BSD-2-Clause */
/* test_tcp_listen.c - the server's side: SYNs, the handshake's end, the accept queue. */
#include "harness.h"

#define SYN "S 0 win 65535 mss 1460 sackOK ts wscale 7"

/* A listener, and clients with timestamps. */
static struct tcp_conn *listen_on_80(struct rig *t, int backlog)
{
	t->ts = true;
	return serve(t, backlog);
}

static void listen_handshake_is_accepted(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = listen_on_80(t, 5);
	ip4 addr;
	uint16_t port;

	inject(t, SYN);
	expect(t, "S. 0 ack 1 win 65160 mss 1460 sackOK ts wscale 10");
	assert_int_equal(tcp_events(l) & POLLIN, 0);
	assert_null(try_accept(t, l));
	inject(t, ". 1 ack 1 win 512");
	expect_nothing(t);
	assert_int_equal(tcp_events(l) & POLLIN, POLLIN);
	assert_ptr_equal(stack_next_event(t->s), l);
	t->c = try_accept(t, l);
	assert_non_null(t->c);
	assert_null(try_accept(t, l));
	assert_int_equal(tcp_peername(t->c, &addr, &port), 0);
	assert_int_equal(addr, PEER);
	assert_int_equal(port, 50000);
	tcp_sockname(t->c, &addr, &port);
	assert_int_equal(addr, US);
	assert_int_equal(port, 80);
	assert_int_equal(t->c->snd.wnd, 512 << 7);
	put(t, 100);
	expect(t, "P. 1:101 ack 1");
	assert_int_equal(counted(t, CTR_TcpPassiveOpens), 1);
}

static void listen_syn_without_options_gets_none(void **state)
{
	struct rig *t = *state;

	listen_on_80(t, 5);
	t->ts = false;
	inject(t, "S 0 win 1000");
	expect(t, "S. 0 ack 1 win 64240 mss 1460 nots");
	assert_false(t->th.sack_permitted);
	assert_false(t->th.has_wscale);
}

static void listen_ack_for_nothing_is_reset(void **state)
{
	struct rig *t = *state;

	listen_on_80(t, 5);
	inject(t, ". 1 ack 1");
	expect(t, "R 1 win 0 nots");
	inject(t, "SF 1");
	inject(t, "F 1");
	inject(t, "R 1");
	expect_nothing(t);
}

static void synrecv_bad_ack_is_reset_and_the_right_one_taken(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = listen_on_80(t, 5);

	inject(t, SYN);
	expect(t, "S. 0 ack 1");
	inject(t, ". 1 ack 5");
	expect(t, "R 5 nots");
	inject(t, ". 1 ack 1");
	expect_nothing(t);
	assert_non_null(try_accept(t, l));
}

static void synrecv_syn_again_is_answered_again(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = listen_on_80(t, 5);

	inject(t, SYN);
	expect(t, "S. 0 ack 1");
	advance(t, 20 * XTIME_MSEC);
	inject(t, SYN);
	expect(t, "S. 0 ack 1 win 65160 mss 1460 sackOK ts wscale 10");
	inject(t, SYN);
	expect_nothing(t);   /* but no more than twice a second */
	inject(t, ". 1 ack 1");
	assert_non_null(try_accept(t, l));
}

static void synrecv_syn_ack_is_sent_five_times_more(void **state)
{
	struct rig *t = *state;

	listen_on_80(t, 5);
	inject(t, SYN);
	expect(t, "S. 0 ack 1");
	for (int wait = 1; wait <= 16; wait *= 2)
		expect_after(t, wait * XTIME_SEC, "S. 0 ack 1");
	expect_quiet(t, 100 * XTIME_SEC);
	assert_int_equal(t->s->nconn, 1);
}

static void synrecv_reset_ends_it(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = listen_on_80(t, 5);

	inject(t, SYN);
	expect(t, "S. 0 ack 1");
	inject(t, "R 100");
	expect(t, ". 1 ack 1");   /* RFC 5961: not exact */
	inject(t, "R 1");
	expect_nothing(t);
	assert_int_equal(t->s->nconn, 1);
	inject(t, ". 1 ack 1");
	expect(t, "R 1 nots");
	assert_null(try_accept(t, l));
}

static void synrecv_data_with_the_ack_is_kept(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = listen_on_80(t, 5);

	inject(t, SYN);
	expect(t, "S. 0 ack 1");
	inject(t, "P. 1:11 ack 1");
	expect(t, ". 1 ack 11");
	t->c = try_accept(t, l);
	assert_non_null(t->c);
	take(t, 10);
}

static void synrecv_fin_with_the_ack_is_kept(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = listen_on_80(t, 5);

	inject(t, SYN);
	expect(t, "S. 0 ack 1");
	inject(t, "F. 1 ack 1");
	expect_after(t, TCP_TICK, ". 1 ack 2");
	t->c = try_accept(t, l);
	assert_non_null(t->c);
	assert_int_equal(try_take(t, 1, 0), 0);
}

static void backlog_full_drops_syns(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = listen_on_80(t, 0);

	inject(t, SYN);
	expect(t, "S. 0 ack 1");
	inject(t, ". 1 ack 1");
	next_client(t);
	inject(t, SYN);
	expect_nothing(t);
	assert_int_equal(counted(t, CTR_TcpExtListenDrops), 1);
	assert_int_equal(counted(t, CTR_TcpExtListenOverflows), 1);
	assert_non_null(try_accept(t, l));
	inject(t, SYN);
	expect(t, "S. 0 ack 1");
}

static void listener_closed_resets_its_children(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = listen_on_80(t, 5);

	inject(t, SYN);
	expect(t, "S. 0 ack 1");
	inject(t, ". 1 ack 1");
	tcp_release(l, t->now);
	settle(t);
	expect(t, "R. 1 ack 1");
	assert_int_equal(t->s->nconn, 0);
	inject(t, SYN);
	expect(t, "R. %d ack 1", -(int)t->iss);
}

static void listener_closed_in_handshake(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = listen_on_80(t, 5);

	inject(t, SYN);
	expect(t, "S. 0 ack 1");
	tcp_release(l, t->now);
	settle(t);
	forget(t);
	assert_int_equal(t->s->nconn, 0);
}

static void child_reset_before_accept_tells_by_its_error(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = listen_on_80(t, 5);

	inject(t, SYN);
	expect(t, "S. 0 ack 1");
	inject(t, ". 1 ack 1");
	inject(t, "R 1");
	t->c = try_accept(t, l);
	assert_non_null(t->c);
	assert_int_equal(tcp_take_error(t->c), ECONNRESET);
}

static void child_closed_by_the_peer_and_us(void **state)
{
	struct rig *t = *state;

	establish_passive(t, NULL);
	inject(t, "FP. 1:11 ack 1");
	take(t, 10);
	put(t, 100);
	expect(t, "P. 1:101 ack 12");
	hang_up(t);
	expect(t, "F. 101 ack 12");
	inject(t, ". 12 ack 102");
	assert_int_equal(t->s->nconn, 1);   /* the listener */
	assert_int_equal(t->s->ntw, 0);
}

static void listen_twice_only_changes_the_backlog(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = listen_on_80(t, 5);
	ip4 addr;
	uint16_t port;

	assert_int_equal(tcp_listen(l, 1, &addr, &port, t->now), 0);
	assert_int_equal(tcp_state(l), TCP_LISTEN);
	t->c = l;
	assert_int_equal(try_put(t, 1, 0), -EPIPE);
	assert_int_equal(try_take(t, 1, 0), -ENOTCONN);
	assert_int_equal(tcp_shutdown(l, SHUT_RD, t->now), 0);
	assert_int_equal(tcp_state(l), TCP_CLOSE);
}

static void listen_on_a_taken_port_is_eaddrinuse(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *other;
	ip4 addr;
	uint16_t port;

	listen_on_80(t, 5);
	other = tcp_open(t->s, t->now);
	other->opt.reuseaddr = true;
	assert_int_equal(tcp_bind(other, 0, 80, true, &addr, &port, t->now), -EADDRINUSE);
	tcp_release(other, t->now);
}

static void listen_without_bind_picks_a_port(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = tcp_open(t->s, t->now);
	ip4 addr;
	uint16_t port = 0;

	assert_int_equal(tcp_listen(l, 5, &addr, &port, t->now), 0);
	tcp_sockname(l, &addr, &port);
	assert_int_equal(addr, 0);
	assert_in_range(port, 32768, 60999);
}

static void accept_on_a_socket_that_does_not_listen_is_einval(void **state)
{
	struct rig *t = *state;
	int err = 0;

	dial_open(t);
	assert_null(tcp_accept(t->c, &err, t->now));
	assert_int_equal(err, -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		own(listen_handshake_is_accepted),
		own(listen_syn_without_options_gets_none),
		own(listen_ack_for_nothing_is_reset),
		own(synrecv_bad_ack_is_reset_and_the_right_one_taken),
		own(synrecv_syn_again_is_answered_again),
		own(synrecv_syn_ack_is_sent_five_times_more),
		own(synrecv_reset_ends_it),
		own(synrecv_data_with_the_ack_is_kept),
		own(synrecv_fin_with_the_ack_is_kept),
		own(backlog_full_drops_syns),
		own(listener_closed_resets_its_children),
		own(listener_closed_in_handshake),
		own(child_reset_before_accept_tells_by_its_error),
		own(child_closed_by_the_peer_and_us),
		shared(listen_handshake_is_accepted),
		own(listen_twice_only_changes_the_backlog),
		own(listen_on_a_taken_port_is_eaddrinuse),
		own(listen_without_bind_picks_a_port),
		own(accept_on_a_socket_that_does_not_listen_is_einval),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
