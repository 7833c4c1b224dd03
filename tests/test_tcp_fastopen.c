/* SPDX-License-Identifier: BSD-2-Clause */
/* test_tcp_fastopen.c - RFC 7413, server and client: cookies, data in the SYN, what is remembered. */
#include "harness.h"

#include "stack/wire.h"

/* Linux's for 10.0.0.2 to 10.0.0.1 with tcp_fastopen_key a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4. */
static const uint8_t cookie[8] = { 0x9c, 0x7a, 0xcf, 0x0d, 0x9a, 0x44, 0xab, 0x52 };
static const uint8_t wrong[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

/* A segment of the peer with a Fast Open option. */
static void inject_fast(struct rig *t, uint16_t flags, seq32 ack, const uint8_t *val, size_t len, bool is_exp,
			const char *data)
{
	struct tcp_hdr h = { .sport = t->rport, .dport = t->lport, .seq = t->irs, .ack = ack, .flags = flags,
			     .wnd = 65535, .has_mss = true, .mss = 1460, .has_fastopen = true,
			     .fastopen_exp = is_exp, .fastopen_len = (uint8_t)len };
	uint8_t seg[TCP_LEN_MAX + 64];
	size_t n, dlen = strlen(data);

	if (len)
		memcpy(h.fastopen, val, len);
	n = tcp_emit(seg, &h);
	memcpy(seg + n, data, dlen);
	tcp_set_csum(seg, csum_fold(csum_add(csum_pseudo(PEER, US, PROTO_TCP, n + dlen), seg, n + dlen)));
	inject_raw(t, seg, n + dlen);
	settle(t);
}

static struct tcp_conn *fast_listener(struct rig *t)
{
	struct tcp_conn *l;
	int qlen = 5;

	assert_int_equal(stack_set(t->s, "tcp_fastopen_key", "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4"), 0);
	assert_int_equal(stack_set(t->s, "tcp_fastopen", "3"), 0);
	l = tcp_open(t->s, t->now);
	assert_int_equal(tcp_setopt(l, IPPROTO_TCP, TCP_FASTOPEN, &qlen, sizeof(qlen), true, t->now), 0);
	serve_on(t, l, 5);
	return l;
}

static void syn_that_asks_gets_the_cookie_of_linux(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = fast_listener(t);
	int err;

	inject_fast(t, TCPF_SYN, 0, NULL, 0, false, "abc");
	expect(t, "S. 0 ack 1");
	assert_true(t->th.has_fastopen);
	assert_false(t->th.fastopen_exp);
	assert_int_equal(t->th.fastopen_len, 8);
	assert_memory_equal(t->th.fastopen, cookie, 8);
	assert_null(tcp_accept(l, &err, t->now));
}

static void syn_with_cookie_is_accepted_with_its_data(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = fast_listener(t);
	char buf[8];
	struct iovec iov = { buf, sizeof(buf) };
	int err, rflags = 0;

	inject_fast(t, TCPF_SYN, 0, cookie, 8, false, "abc");
	expect(t, "S. 0 ack 4");
	assert_false(t->th.has_fastopen);
	t->c = tcp_accept(l, &err, t->now);
	assert_non_null(t->c);
	assert_int_equal(t->c->state, TCP_SYN_RECV);
	assert_int_equal(tcp_events(t->c) & (POLLIN | POLLOUT), POLLIN | POLLOUT);
	assert_int_equal(tcp_recv(t->c, &iov, 1, 0, 0, 0, &rflags, t->now), 3);
	assert_memory_equal(buf, "abc", 3);
	put(t, 100);
	expect(t, "P. 1:101 ack 4");
	inject(t, ". 4 ack 101");
	assert_int_equal(t->c->state, TCP_ESTABLISHED);
}

static void syn_with_wrong_cookie_is_answered_with_the_right_one(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = fast_listener(t);
	int err;

	inject_fast(t, TCPF_SYN, 0, wrong, 8, true, "abc");
	expect(t, "S. 0 ack 1");
	assert_true(t->th.has_fastopen);
	assert_true(t->th.fastopen_exp);
	assert_memory_equal(t->th.fastopen, cookie, 8);
	assert_null(tcp_accept(l, &err, t->now));
	assert_int_equal(counted(t, CTR_TcpExtTCPFastOpenPassiveFail), 1);
}

static void child_reset_before_accept_keeps_its_data(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = fast_listener(t);
	char buf[8];
	struct iovec iov = { buf, sizeof(buf) };
	int err, rflags = 0;

	inject_fast(t, TCPF_SYN, 0, cookie, 8, false, "abc");
	expect(t, "S. 0 ack 4");
	inject(t, "R. 4 ack 1");
	t->c = tcp_accept(l, &err, t->now);
	assert_non_null(t->c);
	assert_int_equal(tcp_recv(t->c, &iov, 1, 0, 0, 0, &rflags, t->now), 3);
	assert_int_equal(tcp_recv(t->c, &iov, 1, 0, 0, 0, &rflags, t->now), -ECONNRESET);
}

static void child_unreachable_before_accept_keeps_its_data(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = fast_listener(t);
	char buf[8];
	struct iovec iov = { buf, sizeof(buf) };
	int err, rflags = 0;

	inject_fast(t, TCPF_SYN, 0, cookie, 8, false, "abc");
	expect(t, "S. 0 ack 4");
	inject_icmp(t, 3, 1, 0, 0);
	t->c = tcp_accept(l, &err, t->now);
	assert_non_null(t->c);
	assert_int_equal(tcp_recv(t->c, &iov, 1, 0, 0, 0, &rflags, t->now), 3);
	assert_int_equal(tcp_recv(t->c, &iov, 1, 0, 0, 0, &rflags, t->now), -EHOSTUNREACH);
}

static void child_in_handshake_that_is_unreachable_is_forgotten(void **state)
{
	struct rig *t = *state;

	fast_listener(t);
	inject(t, "S 0 win 65535 mss 1460");
	expect(t, "S. 0 ack 1");
	inject_icmp(t, 3, 1, 0, 0);
	inject(t, ". 1 ack 1");
	expect(t, "R 1");
}

static void client_asks_and_remembers(void **state)
{
	struct rig *t = *state;
	struct iovec none = { NULL, 0 };
	struct tcp_fo_option o;
	uint16_t mss = 0;

	dial_open(t);
	assert_int_equal(tcp_fastopen_ask(t->c, &none, 1, false), 0);
	assert_int_equal(dial_connect(t), 0);
	settle(t);
	assert_int_equal(tcp_fastopen_copied(t->c), 0);
	expect(t, "S 0");
	assert_true(t->th.has_fastopen);
	assert_int_equal(t->th.fastopen_len, 0);
	assert_false(tcp_fastopen_may_send(t->c, &mss, &o, t->now));
	inject_fast(t, TCPF_SYN | TCPF_ACK, t->iss + 1, cookie, 8, false, "");
	expect(t, ". 1 ack 1");
	assert_true(tcp_fastopen_may_send(t->c, &mss, &o, t->now));
	assert_int_equal(mss, 1460);
	assert_int_equal(o.len, 8);
	assert_memory_equal(o.val, cookie, 8);
	stack_flush_metrics(t->s);
	assert_false(tcp_fastopen_may_send(t->c, &mss, &o, t->now));
}

static void key_changed_changes_the_cookie(void **state)
{
	struct rig *t = *state;

	fast_listener(t);
	assert_int_equal(stack_set(t->s, "net.ipv4.tcp_fastopen_key", "1-2-3-4"), 0);
	inject_fast(t, TCPF_SYN, 0, NULL, 0, false, "");
	expect(t, "S. 0 ack 1");
	assert_int_equal(t->th.fastopen_len, 8);
	assert_memory_not_equal(t->th.fastopen, cookie, 8);
}

static void client_syn_sent_again_has_no_option(void **state)
{
	struct rig *t = *state;
	struct iovec none = { NULL, 0 };

	dial_open(t);
	assert_int_equal(tcp_fastopen_ask(t->c, &none, 1, false), 0);
	assert_int_equal(dial_connect(t), 0);
	settle(t);
	expect(t, "S 0");
	expect_after(t, XTIME_SEC, "S 0");
	assert_false(t->th.has_fastopen);
}

/* A SYN with the option that isn't answered for three time-outs: none for a minute, then one as a test. */
static void client_pauses_where_it_is_swallowed(void **state)
{
	struct rig *t = *state;
	struct iovec none = { NULL, 0 };
	struct tcp_fo_option o;
	uint16_t mss = 0;

	t->s->set.tcp_fastopen_blackhole_timeout_sec = 60;
	dial_open(t);
	assert_int_equal(tcp_fastopen_ask(t->c, &none, 1, false), 0);
	assert_int_equal(dial_connect(t), 0);
	settle(t);
	expect(t, "S 0");
	expect_after(t, XTIME_SEC, "S 0");
	expect_after(t, XTIME_SEC, "S 0");
	assert_int_equal(t->s->counters[CTR_TcpExtTCPFastOpenBlackhole], 0);
	assert_int_equal(tcp_fo(t->c)->client_fail, TFO_COOKIE_UNAVAILABLE);
	expect_after(t, XTIME_SEC, "S 0");
	assert_int_equal(t->s->counters[CTR_TcpExtTCPFastOpenBlackhole], 1);
	assert_int_equal(tcp_fo(t->c)->client_fail, TFO_SYN_RETRANSMITTED);
	assert_false(tcp_fastopen_may_send(t->c, &mss, &o, t->now));
	assert_false(o.is_set);
	assert_false(tcp_fo(t->c)->is_checking);
	assert_false(tcp_fastopen_may_send(t->c, &mss, &o, t->now + 60 * XTIME_SEC));
	assert_true(o.is_set);
	assert_true(tcp_fo(t->c)->is_checking);
	/* Data comes on the connection that is the test: the path is good. */
	t->c->rcv.data_segs_in = 1;
	tcp_fastopen_ended(t->c, t->now);
	assert_false(tcp_fastopen_may_send(t->c, &mss, &o, t->now));
	assert_true(o.is_set);
}

static void client_is_refused_when_switched_off(void **state)
{
	struct rig *t = *state;
	struct iovec none = { NULL, 0 };

	dial_open(t);
	t->s->set.tcp_fastopen = 2;
	assert_int_equal(tcp_fastopen_ask(t->c, &none, 1, false), -EOPNOTSUPP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		own(syn_that_asks_gets_the_cookie_of_linux),
		own(syn_with_cookie_is_accepted_with_its_data),
		own(syn_with_wrong_cookie_is_answered_with_the_right_one),
		own(child_reset_before_accept_keeps_its_data),
		own(child_unreachable_before_accept_keeps_its_data),
		own(child_in_handshake_that_is_unreachable_is_forgotten),
		own(key_changed_changes_the_cookie),
		own(client_asks_and_remembers),
		own(client_syn_sent_again_has_no_option),
		own(client_pauses_where_it_is_swallowed),
		own(client_is_refused_when_switched_off),
	};

	return cmocka_run_group_tests_name("tcp fast open", tests, NULL, NULL);
}
