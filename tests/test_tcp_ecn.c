/* SPDX-License-Identifier: BSD-2-Clause */
/* test_tcp_ecn.c - RFC 3168 as Linux has it: the handshake, what is marked, CE, ECE and CWR. */
#include "harness.h"

#include "stack/tcp_info.h"

#define SYN_ACK_ECN "SE. 0 ack 1 win 65535 mss 1000 sackOK ts"

static void set(struct rig *t, const char *name, const char *value)
{
	assert_int_equal(settings_set(&t->s->set, name, value), 0);
}

static struct tcp_info_abi info(struct rig *t)
{
	struct tcp_info_abi i;

	tcp_get_info(t->c, &i, t->now);
	return i;
}

/* A connection of ours that asks for ECN, over a path of 10 ms. */
static void establish_ecn(struct rig *t, const char *syn_ack)
{
	set(t, "tcp_ecn", "1");
	dial_open(t);
	assert_int_equal(dial_connect(t), 0);
	expect(t, "SEW 0 noecn");
	advance(t, 10 * XTIME_MSEC);
	t->ts = strstr(syn_ack, " ts") != NULL;
	inject(t, "%s", syn_ack);
	expect(t, ". 1 ack 1 noecn");
}

/* ---- handshake ---- */

static void syn_asks_only_when_set(void **state)
{
	struct rig *t = *state;

	dial_open(t);
	assert_int_equal(dial_connect(t), 0);
	expect(t, "S 0 noecn");
	inject(t, SYN_ACK_ECN);
	expect(t, ". 1 ack 1");
	put(t, 500);
	expect(t, "P. 1:501 ack 1 noecn");
	assert_false(info(t).options & TCPI_OPT_ECN);
}

static void syn_ack_with_ece_agrees(void **state)
{
	struct rig *t = *state;

	establish_ecn(t, SYN_ACK_ECN);
	assert_int_equal(info(t).options & (TCPI_OPT_ECN | TCPI_OPT_ECN_SEEN), TCPI_OPT_ECN);
	put(t, 500);
	expect(t, "P. 1:501 ack 1 ect0");
}

static void syn_ack_without_ece_refuses(void **state)
{
	struct rig *t = *state;

	establish_ecn(t, "S. 0 ack 1 win 65535 mss 1000 sackOK ts");
	put(t, 500);
	expect(t, "P. 1:501 ack 1 noecn");
	assert_false(info(t).options & TCPI_OPT_ECN);
}

/* A middlebox that reflects what it doesn't know: RFC 3168 6.1.1. */
static void syn_ack_with_ece_and_cwr_refuses(void **state)
{
	struct rig *t = *state;

	establish_ecn(t, "SEW. 0 ack 1 win 65535 mss 1000 sackOK ts");
	put(t, 500);
	expect(t, "P. 1:501 ack 1 noecn");
}

/* RFC 3168 6.1.1.1; if the answer has it nevertheless, ECN is used.  The time-out was a sign of
 * congestion, which the first data tells. */
static void syn_again_does_not_ask(void **state)
{
	struct rig *t = *state;

	set(t, "tcp_ecn", "1");
	dial_open(t);
	assert_int_equal(dial_connect(t), 0);
	expect(t, "SEW 0");
	expect_after(t, XTIME_SEC, "S 0 noecn");
	t->ts = true;
	inject(t, SYN_ACK_ECN);
	expect(t, ". 1 ack 1");
	put(t, 500);
	expect(t, "PW. 1:501 ack 1 ect0");
	put(t, 500);
	inject(t, ". 1 ack 501");
	expect(t, "P. 501:1001 ack 1 ect0");
}

static void syn_again_asks_without_fallback(void **state)
{
	struct rig *t = *state;

	set(t, "tcp_ecn", "1");
	set(t, "tcp_ecn_fallback", "0");
	dial_open(t);
	assert_int_equal(dial_connect(t), 0);
	expect(t, "SEW 0");
	expect_after(t, XTIME_SEC, "SEW 0");
}

static void listener_agrees_when_asked(void **state)
{
	struct rig *t = *state;

	serve(t, 5);
	inject(t, "SEW 0 mss 1460");
	expect(t, "SE. 0 ack 1 noecn");
	/* And says so again when it is asked again. */
	expect_after(t, XTIME_SEC, "SE. 0 ack 1 noecn");
}

static void listener_refuses_when_off(void **state)
{
	struct rig *t = *state;

	set(t, "tcp_ecn", "0");
	serve(t, 5);
	inject(t, "SEW 0 mss 1460");
	expect(t, "S. 0 ack 1");
}

/* RFC 3168 6.1.1: both flags, and no SYN is ECN-capable. */
static void listener_refuses_what_is_no_ecn_setup(void **state)
{
	struct rig *t = *state;

	serve(t, 5);
	inject(t, "SE 0 mss 1460");
	expect(t, "S. 0 ack 1");
	t->rport++;
	t->has_iss = false;
	inject(t, "SW 0 mss 1460");
	expect(t, "S. 0 ack 1");
	t->rport++;
	t->has_iss = false;
	inject(t, "SEW 0 mss 1460 ect0");
	expect(t, "S. 0 ack 1");
}

static void crossed_syns_agree(void **state)
{
	struct rig *t = *state;

	set(t, "tcp_ecn", "1");
	dial_open(t);
	assert_int_equal(dial_connect(t), 0);
	expect(t, "SEW 0");
	inject(t, "SEW 0 mss 1460");
	expect(t, "SE. 0 ack 1");
	t->rport++;
	dial_open(t);
	assert_int_equal(dial_connect(t), 0);
	expect(t, "SEW 0");
	inject(t, "S 0 mss 1460");
	expect(t, "S. 0 ack 1");
}

/* ---- marking ---- */

static void only_new_data_is_ecn_capable(void **state)
{
	struct rig *t = *state;

	establish_ecn(t, SYN_ACK_ECN);
	put(t, 500);
	expect(t, "P. 1:501 ack 1 ect0");
	expect_after(t, 210 * XTIME_MSEC, "P. 1:501 ack 1 noecn");
	inject(t, ". 1 ack 501");
	inject(t, "P. 1:11 ack 501");
	advance(t, 50 * XTIME_MSEC);
	expect(t, ". 501 ack 11 noecn");
	tcp_shutdown(t->c, SHUT_WR, t->now);
	settle(t);
	expect(t, "F. 501 ack 11 noecn");
}

static void program_sets_all_but_the_ecn_bits(void **state)
{
	struct rig *t = *state;
	int tos = 0xbb;
	int got = 0;
	socklen_t len = sizeof(got);

	establish_ecn(t, SYN_ACK_ECN);
	assert_int_equal(tcp_setopt(t->c, IPPROTO_IP, IP_TOS, &tos, sizeof(tos), true, t->now), 0);
	put(t, 500);
	expect(t, "P. 1:501 ack 1 ect0");
	assert_int_equal(t->ip.tos, 0xba);
	/* Linux keeps them where IP_TOS reads. */
	assert_int_equal(tcp_getopt(t->c, IPPROTO_IP, IP_TOS, &got, &len, t->now), 0);
	assert_int_equal(got & 0xff, 0xba);
}

/* ---- what comes ---- */

static void ce_is_echoed_until_cwr(void **state)
{
	struct rig *t = *state;

	establish_ecn(t, SYN_ACK_ECN);
	for (int i = 0; i < 20; i++) {   /* the quick ACKs of the beginning are over */
		inject(t, ". %d:%d ack 1 ect0", 1 + i * 1000, 1001 + i * 1000);
		advance(t, 50 * XTIME_MSEC);
	}
	forget(t);
	t->c->rcv.quick = 0;
	t->c->rcv.pingpong = 0;
	inject(t, ". 20001:21001 ack 1 ect0");
	expect_nothing(t);
	inject(t, ". 21001:22001 ack 1 ce");
	expect(t, "E. 1 ack 22001 noecn");
	inject(t, ". 22001:23001 ack 1 ect0");
	expect(t, "E. 1 ack 23001");
	put(t, 500);
	expect(t, "PE. 1:501 ack 23001 ect0");
	inject(t, ".W 23001:24001 ack 501 ect0");
	expect(t, ". 501 ack 24001");   /* at once: its window may be one segment */
	inject(t, ". 24001:25001 ack 501 ect0");
	expect_after(t, 40 * XTIME_MSEC, ". 501 ack 25001");
	assert_int_equal(info(t).options & (TCPI_OPT_ECN | TCPI_OPT_ECN_SEEN), TCPI_OPT_ECN | TCPI_OPT_ECN_SEEN);
}

/* Also on a bare ACK (Linux; RFC 3168 6.1.2 wants it on new data). */
static void cwr_counts_on_any_segment(void **state)
{
	struct rig *t = *state;

	establish_ecn(t, SYN_ACK_ECN);
	inject(t, ". 1:1001 ack 1 ce");
	expect(t, "E. 1 ack 1001");
	inject(t, ".W 1001 ack 1");
	expect_nothing(t);
	inject(t, ". 1001:2001 ack 1 ect0");
	expect(t, ". 1 ack 2001");
}

static void ce_out_of_order_is_echoed(void **state)
{
	struct rig *t = *state;

	establish_ecn(t, SYN_ACK_ECN);
	inject(t, ". 1001:2001 ack 1 ce");
	expect(t, "E. 1 ack 1 sack 1001:2001");
}

static void ce_without_ecn_is_ignored(void **state)
{
	struct rig *t = *state;

	establish(t, NULL);
	inject(t, ". 1:1001 ack 1 ce");
	expect(t, ". 1 ack 1001");
}

static void packets_are_counted_by_their_marks(void **state)
{
	struct rig *t = *state;
	uint64_t none = counted(t, CTR_IpExtInNoECTPkts);

	establish_ecn(t, SYN_ACK_ECN);
	inject(t, ". 1:1001 ack 1 ect0");
	inject(t, ". 1001:2001 ack 1 ect1");
	inject(t, ". 2001:3001 ack 1 ce");
	inject_gso(t, 1000, ". 3001:5501 ack 1 ect0");
	assert_int_equal(counted(t, CTR_IpExtInNoECTPkts) - none, 1);
	assert_int_equal(counted(t, CTR_IpExtInECT1Pkts), 1);
	assert_int_equal(counted(t, CTR_IpExtInECT0Pkts), 4);
	assert_int_equal(counted(t, CTR_IpExtInCEPkts), 1);
	forget(t);
}

/* ---- ECE ---- */

#define expect_cc(t, state, window, threshold, ce) do { \
	assert_int_equal((t)->c->loss.ca_state, state); \
	assert_int_equal((t)->c->cc.cwnd, window); \
	assert_int_equal((t)->c->cc.ssthresh, threshold); \
	assert_int_equal(info(t).delivered_ce, ce); \
} while (0)

/* Ten segments of 1,000 bytes in flight for 10 ms. */
static void send_ten(struct rig *t)
{
	establish_ecn(t, "SE. 0 ack 1 win 65535 mss 1000 sackOK");
	advance(t, 20 * XTIME_MSEC);
	put(t, 10000);
	assert_int_equal(forget(t), 10);
	advance(t, 10 * XTIME_MSEC);
}

/* RFC 3168 6.1.2: once a round trip, and the next new data says so.  The windows are those that
 * Linux 6.18 showed with CUBIC. */
static void ece_reduces_once_a_window(void **state)
{
	struct rig *t = *state;

	send_ten(t);
	inject(t, "E. 1 ack 1001");
	expect_cc(t, CA_CWR, 10, 7, 1);
	inject(t, "E. 1 ack 3001");
	expect_cc(t, CA_CWR, 8, 7, 3);
	put(t, 1000);
	expect(t, "PW. 10001:11001 ack 1 ect0");
	inject(t, "E. 1 ack 5001");
	expect_cc(t, CA_CWR, 7, 7, 5);
	inject(t, "E. 1 ack 10001");
	expect_cc(t, CA_CWR, 7, 7, 10);
	put(t, 1000);
	expect(t, "P. 11001:12001 ack 1 ect0");
	inject(t, "E. 1 ack 12001");   /* the next window */
	expect_cc(t, CA_CWR, 3, 4, 12);
	put(t, 1000);
	expect(t, "PW. 12001:13001 ack 1 ect0");
	assert_int_equal(counted(t, CTR_TcpExtTCPDeliveredCE), 12);
}

/* What was lost is sent again without ECT and without CWR, the new data behind it has both. */
static void loss_sets_cwr_on_new_data(void **state)
{
	struct rig *t = *state;

	send_ten(t);
	inject(t, ". 1 ack 1 sack 1001:4001");
	expect(t, ". 1:1001 ack 1 noecn");
	put(t, 3000);
	inject(t, ". 1 ack 9001");
	expect(t, ".W 10001:11001 ack 1 ect0");
	expect(t, ". 11001:12001 ack 1 ect0");
}

/* A reduction that was undone is not told (tcp_ecn_withdraw_cwr), but one that ECE asked for
 * isn't undone. */
static void undone_reduction_takes_cwr_back(void **state)
{
	struct rig *t = *state;

	send_ten(t);
	inject(t, ". 1 ack 1 sack 1001:4001");
	expect(t, ". 1:1001 ack 1");
	inject(t, ". 1 ack 10001 sack 1:1001");
	assert_int_equal(t->c->loss.ca_state, CA_OPEN);
	assert_int_equal(t->c->cc.ssthresh, TCP_CWND_INFINITE);
	put(t, 1000);
	expect(t, "P. 10001:11001 ack 1 ect0");
}

static void ece_is_not_undone(void **state)
{
	struct rig *t = *state;

	send_ten(t);
	inject(t, "E. 1 ack 1 sack 1001:4001");
	expect(t, ". 1:1001 ack 1");
	inject(t, ". 1 ack 10001 sack 1:1001");
	assert_int_equal(t->c->cc.ssthresh, 7);
	put(t, 1000);
	expect(t, "PW. 10001:11001 ack 1 ect0");
}

/* The interface puts CWR into the first segment only if it is told that there is one. */
static void cwr_of_a_super_frame_is_marked(void **state)
{
	struct rig *t = *state;

	establish_ecn(t, "SE. 0 ack 1 win 65535 mss 1000 sackOK");
	put(t, 4000);
	expect(t, "P. 1:2001 ack 1 ect0 gso 1000");
	assert_int_equal(t->vnet.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	expect(t, "P. 2001:4001 ack 1 ect0 gso 1000");
	inject(t, "E. 1 ack 4001");
	put(t, 2000);
	expect(t, "PW. 4001:6001 ack 1 ect0 gso 1000");
	assert_int_equal(t->vnet.gso_type, VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		own(syn_asks_only_when_set), own(syn_ack_with_ece_agrees), own(syn_ack_without_ece_refuses),
		own(syn_ack_with_ece_and_cwr_refuses), own(syn_again_does_not_ask),
		own(syn_again_asks_without_fallback), own(listener_agrees_when_asked),
		own(listener_refuses_when_off), own(listener_refuses_what_is_no_ecn_setup),
		own(crossed_syns_agree), own(only_new_data_is_ecn_capable),
		own(program_sets_all_but_the_ecn_bits), own(ce_is_echoed_until_cwr),
		own(cwr_counts_on_any_segment), own(ce_out_of_order_is_echoed), own(ce_without_ecn_is_ignored),
		own(packets_are_counted_by_their_marks), own(ece_reduces_once_a_window),
		own(loss_sets_cwr_on_new_data), own(undone_reduction_takes_cwr_back), own(ece_is_not_undone),
		offload(cwr_of_a_super_frame_is_marked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
