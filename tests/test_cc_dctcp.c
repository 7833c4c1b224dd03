/* SPDX-License-Identifier: BSD-2-Clause */
/* test_cc_dctcp.c - DCTCP, RFC 8257: what is marked, what is echoed, what alpha becomes of it. */
#include "harness.h"

#define SYN_ACK_ECN "SE. 0 ack 1 win 65535 mss 1000 sackOK"

struct dctcp_info {
	uint16_t is_enabled, ce_state;
	uint32_t alpha, ab_ecn, ab_tot;
};

static void choose(struct rig *t, struct tcp_conn *c)
{
	assert_int_equal(tcp_setopt(c, IPPROTO_TCP, TCP_CONGESTION, "dctcp", 5, true, t->now), 0);
}

static struct dctcp_info info(struct rig *t)
{
	struct dctcp_info v;
	socklen_t len = sizeof(v);

	assert_int_equal(tcp_getopt(t->c, IPPROTO_TCP, TCP_CC_INFO, &v, &len, t->now), 0);
	assert_int_equal(len, sizeof(v));
	return v;
}

static void dial_dctcp(struct rig *t, const char *syn_ack)
{
	dial_open(t);
	choose(t, t->c);
	assert_int_equal(dial_connect(t), 0);
	expect(t, "SEW 0 ect0");
	advance(t, 10 * XTIME_MSEC);
	inject(t, "%s", syn_ack);
}

static void establish_dctcp(struct rig *t)
{
	dial_dctcp(t, SYN_ACK_ECN);
	expect(t, ". 1 ack 1 ect0");
	advance(t, 20 * XTIME_MSEC);
}

/* RFC 8257 3.1; and as Linux control packets, too (3.6). */
static void every_packet_is_ecn_capable(void **state)
{
	struct rig *t = *state;

	establish_dctcp(t);
	put(t, 500);
	expect(t, "P. 1:501 ack 1 ect0");
	expect_after(t, 210 * XTIME_MSEC, "P. 1:501 ack 1 ect0");
	inject(t, "P. 1:11 ack 501");
	advance(t, 50 * XTIME_MSEC);
	expect(t, ". 501 ack 11 ect0");
}

static void peer_without_ecn_gets_reno(void **state)
{
	struct rig *t = *state;
	char name[16];
	socklen_t len = sizeof(name);

	dial_dctcp(t, "S. 0 ack 1 win 65535 mss 1000 sackOK");
	expect(t, ". 1 ack 1 noecn");
	put(t, 500);
	expect(t, "P. 1:501 ack 1 noecn");
	assert_int_equal(tcp_getopt(t->c, IPPROTO_TCP, TCP_CONGESTION, name, &len, t->now), 0);
	assert_string_equal(name, "dctcp-reno");
	assert_int_equal(info(t).is_enabled, 0);
}

/* A SYN that is ECN-capable is DCTCP's (tcp_ecn_create_request). */
static void listener_agrees_to_a_marked_syn(void **state)
{
	struct rig *t = *state;
	struct tcp_conn *l = tcp_open(t->s, t->now);

	choose(t, l);
	serve_on(t, l, 5);
	inject(t, "SEW 0 mss 1000 sackOK ect0");
	expect(t, "SE. 0 ack 1 ect0");
	inject(t, ". 1 ack 1 ect0");
	t->c = try_accept(t, l);
	assert_non_null(t->c);
	assert_int_equal(info(t).is_enabled, 1);
	put(t, 500);
	expect(t, "P. 1:501 ack 1 ect0");
}

/* Delayed ACKs, so that a change of state shows. */
static void delay_acks(struct rig *t)
{
	establish_dctcp(t);
	inject(t, ". 1:1001 ack 1 ect0");
	forget(t);
	t->c->rcv.quick = 0;
	t->c->rcv.pingpong = (uint8_t)t->c->s->set.tcp_pingpong_thresh;
}

/* RFC 8257 3.2, figure 1. */
static void change_of_ce_is_acknowledged_at_once(void **state)
{
	struct rig *t = *state;

	delay_acks(t);
	inject(t, ". 1001:1501 ack 1 ect0");
	expect_nothing(t);
	inject(t, ". 1501:2001 ack 1 ce");
	expect(t, ". 1 ack 1501");
	expect(t, "E. 1 ack 2001");
	assert_int_equal(info(t).ce_state, 1);
	t->c->rcv.pingpong = (uint8_t)t->c->s->set.tcp_pingpong_thresh;
	inject(t, ". 2001:2501 ack 1 ce");
	expect_nothing(t);
	inject(t, ". 2501:3001 ack 1 ect0");
	expect(t, "E. 1 ack 2501");
	expect(t, ". 1 ack 3001");
	assert_int_equal(info(t).ce_state, 0);
}

static void same_ce_is_delayed(void **state)
{
	struct rig *t = *state;

	delay_acks(t);
	inject(t, ". 1001:1501 ack 1 ce");
	expect(t, "E. 1 ack 1501");   /* nothing was owed for what came before */
	inject(t, ". 1501:2001 ack 1 ce");
	expect_after(t, 40 * XTIME_MSEC, "E. 1 ack 2001");
}

/* ten segments in flight, of which the peer echoes `marked`, each with an ACK. */
static void window(struct rig *t, unsigned marked)
{
	unsigned base = t->nput;

	put(t, 10000);
	assert_int_equal(forget(t), 10);
	advance(t, 10 * XTIME_MSEC);
	for (unsigned i = 1; i <= 10; i++)
		inject(t, "%s 1 ack %u", i <= marked ? "E." : ".", base + i * 1000 + 1);
	forget(t);
}

/* RFC 8257 3.3: alpha = (1 - g) alpha + g F, of 1024; Linux begins with 1. */
static void alpha_follows_the_marked_fraction(void **state)
{
	struct rig *t = *state;
	uint32_t alpha = 1024;

	establish_dctcp(t);
	assert_int_equal(info(t).alpha, alpha);
	/* After an idle time the first ACK ends one window, and the last of them the next. */
	window(t, 0);
	alpha -= alpha >> 4;
	alpha -= alpha >> 4;
	assert_int_equal(info(t).alpha, alpha);
	window(t, 5);
	alpha += 64 - (alpha >> 4);            /* 1 of 1 */
	alpha += 4 * 64 / 9 - (alpha >> 4);    /* 4 of 9 */
	assert_int_equal(info(t).alpha, alpha);
}

static void ece_shrinks_by_half_of_alpha(void **state)
{
	struct rig *t = *state;

	establish_dctcp(t);
	for (int i = 0; i < 40; i++) {
		t->c->cc.cwnd = 40;
		window(t, 0);
	}
	assert_true(info(t).alpha < 100);
	t->c->cc.cwnd = 100;
	put(t, 10000);
	inject(t, "E. 1 ack %u", t->nput - 9000 + 1);
	assert_int_equal(t->c->loss.ca_state, CA_CWR);
	assert_int_equal(t->c->cc.ssthresh, 100 - (100 * info(t).alpha >> 11));
	forget(t);
}

static void loss_halves_the_window(void **state)
{
	struct rig *t = *state;

	establish_dctcp(t);
	for (int i = 0; i < 40; i++) {
		t->c->cc.cwnd = 40;
		window(t, 0);
	}
	t->c->cc.cwnd = 40;
	put(t, 10000);
	inject(t, ". 1 ack %u sack %u:%u", t->nput - 10000 + 1, t->nput - 9000 + 1, t->nput - 5000 + 1);
	assert_int_equal(t->c->loss.ca_state, CA_RECOVERY);
	assert_int_equal(t->c->cc.ssthresh, 20);
	forget(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		own(every_packet_is_ecn_capable), own(peer_without_ecn_gets_reno),
		own(listener_agrees_to_a_marked_syn), own(change_of_ce_is_acknowledged_at_once),
		own(same_ce_is_delayed), own(alpha_follows_the_marked_fraction),
		own(ece_shrinks_by_half_of_alpha), own(loss_halves_the_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
