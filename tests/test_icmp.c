/* SPDX-License-Identifier: BSD-2-Clause */
/* test_icmp.c - echo, errors that we send, and which errors about our segments are believed. */
#include "net_fixture.h"

enum { ECHO_REPLY = 0, UNREACH = 3, QUENCH = 4, REDIRECT = 5, ECHO = 8, EXCEEDED = 11, PARAM = 12 };

static void input_icmp(struct net *n, ip4 dst, uint8_t type, uint8_t code, uint32_t rest,
                       const uint8_t *body, size_t len)
{
	struct icmp_hdr h = { .type = type, .code = code, .rest = rest };
	struct ip_hdr ip = net_hdr(PROTO_ICMP);
	uint8_t *p = malloc(ICMP_LEN + len);

	ip.dst = dst;
	if (len)
		memcpy(p + ICMP_LEN, body, len);
	icmp_emit(p, &h, p + ICMP_LEN, len);
	net_input_ip(n, ip, p, ICMP_LEN + len);
	free(p);
}

/* ---- echo ---- */

static void echo_to_own_is_answered_with_its_bytes(void **state)
{
	struct net *n = *state;
	const uint8_t *l4;
	struct icmp_hdr h;
	struct ip_hdr ip;
	size_t len;

	net_know(n, PEER, mac_peer);
	input_icmp(n, US, ECHO, 0, 0x12340001, (const uint8_t *)"abcdefg", 7);
	ip = net_expect_ip(n, &l4, &len);
	assert_int_equal(ip.src, US);
	assert_int_equal(ip.dst, PEER);
	assert_int_equal(ip.proto, PROTO_ICMP);
	assert_false(ip.is_df);
	assert_int_equal(icmp_parse(l4, len, &h), CTR_NONE);
	assert_int_equal(h.type, ECHO_REPLY);
	assert_int_equal(h.rest, 0x12340001);
	assert_int_equal(len, ICMP_LEN + 7);
	assert_memory_equal(l4 + ICMP_LEN, "abcdefg", 7);
	net_expect_silence(n);
	assert_int_equal(net_count(n, CTR_icmp_echo_in), 1);
}

static void echo_to_shared_is_left_to_the_kernel(void **state)
{
	struct net *n = *state;

	net_know(n, PEER, mac_peer);
	input_icmp(n, US, ECHO, 0, 1, NULL, 0);
	net_expect_silence(n);
	assert_int_equal(net_count(n, CTR_icmp_type), 1);
}

static void echo_ignored_when_set(void **state)
{
	struct net *n = *state;

	net_know(n, PEER, mac_peer);
	n->s->set.icmp_echo_ignore_all = 1;
	input_icmp(n, US, ECHO, 0, 1, NULL, 0);
	net_expect_silence(n);
}

static void echo_in_fragments_is_answered_in_fragments(void **state)
{
	struct net *n = *state;
	struct icmp_hdr h = { .type = ECHO, .rest = 7 };
	struct ip_hdr ip = net_hdr(PROTO_ICMP);
	size_t total = 65515, off = 0, len;
	uint8_t *p = malloc(total), *back = malloc(total);
	const uint8_t *l4;

	net_know(n, PEER, mac_peer);
	for (size_t i = ICMP_LEN; i < total; i++)
		p[i] = (uint8_t)(i * 13 >> 4);
	icmp_emit(p, &h, p + ICMP_LEN, total - ICMP_LEN);
	for (off = 0; off < total; off += 1480) {
		len = MIN(1480, total - off);
		ip.frag_off = (uint16_t)off;
		ip.has_more = off + len < total;
		net_input_ip(n, ip, p + off, len);
	}
	assert_int_equal(net_count(n, CTR_ip_reassembled), 1);
	for (off = 0; off < total; off += len) {
		ip = net_expect_ip(n, &l4, &len);
		assert_int_equal(ip.frag_off, off);
		assert_int_equal(ip.has_more, off + len < total);
		memcpy(back + off, l4, len);
	}
	assert_int_equal(icmp_parse(back, total, &h), CTR_NONE);
	assert_int_equal(h.type, ECHO_REPLY);
	assert_memory_equal(back + ICMP_LEN, p + ICMP_LEN, total - ICMP_LEN);
	net_expect_silence(n);
	free(p);
	free(back);
}

static void malformed_is_counted(void **state)
{
	struct net *n = *state;
	uint8_t p[12] = { ECHO };

	net_input_ip(n, net_hdr(PROTO_ICMP), p, 7);
	assert_int_equal(net_count(n, CTR_icmp_short), 1);
	net_input_ip(n, net_hdr(PROTO_ICMP), p, 12);
	assert_int_equal(net_count(n, CTR_icmp_csum), 1);
	input_icmp(n, US, 17, 0, 0, p, 12);
	input_icmp(n, US, REDIRECT, 1, 0, p, 12);
	input_icmp(n, US, QUENCH, 0, 0, p, 12);
	input_icmp(n, US, UNREACH, 16, 0, p, 12);
	input_icmp(n, US, 250, 0, 0, p, 12);
	assert_int_equal(net_count(n, CTR_icmp_type), 4);
	assert_int_equal(net_count(n, CTR_icmp_unknown), 1);
	net_expect_silence(n);
}

/* ---- errors out ---- */

static const uint8_t payload[100] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };

/* A UDP packet that nobody takes: was there an answer? */
static bool is_refused(struct net *n, struct ip_hdr h)
{
	net_input_ip(n, h, payload, sizeof(payload));
	return net_output(n);
}

static void error_quotes_the_packet(void **state)
{
	struct net *n = *state;
	struct ip_hdr h = net_hdr(PROTO_UDP), ip, q;
	const uint8_t *l4;
	size_t len;

	net_know(n, PEER, mac_peer);
	h.opt_len = 4;
	h.tos = 0x28;
	memcpy(h.opts, (const uint8_t[]){ 148, 4, 0, 0 }, 4);
	net_input_ip(n, h, payload, sizeof(payload));
	ip = net_expect_ip(n, &l4, &len);
	assert_int_equal(ip.tos, 0xc8);
	assert_int_equal(len, ICMP_LEN + 24 + sizeof(payload));
	assert_int_equal(ip_parse(l4 + ICMP_LEN, len - ICMP_LEN, &q), CTR_NONE);
	assert_int_equal(q.src, PEER);
	assert_int_equal(q.id, 77);
	assert_int_equal(q.tos, 0x28);
	assert_memory_equal(l4 + ICMP_LEN + 24, payload, sizeof(payload));
}

static void error_is_576_bytes_at_most(void **state)
{
	struct net *n = *state;
	static uint8_t big[1400];
	const uint8_t *l4;
	size_t len;

	net_know(n, PEER, mac_peer);
	net_input_ip(n, net_hdr(PROTO_UDP), big, sizeof(big));
	assert_int_equal(net_expect_ip(n, &l4, &len).total_len, 576);
}

static void error_never_about_fragments_errors_or_broadcasts(void **state)
{
	struct net *n = *state;
	struct ip_hdr h = net_hdr(PROTO_UDP);
	uint8_t p[60];

	net_know(n, PEER, mac_peer);
	h.frag_off = 8;
	icmp_send_error(n->s, &h, payload, 8, UNREACH, 3, 0, n->now);
	h = net_hdr(PROTO_ICMP);
	icmp_send_error(n->s, &h, (const uint8_t[]){ EXCEEDED, 0, 0, 0, 0, 0, 0, 0 }, 8, UNREACH, 2, 0,
	                n->now);
	h = net_hdr(PROTO_UDP);
	h.src = IP(10, 0, 0, 255);
	icmp_send_error(n->s, &h, payload, 8, UNREACH, 3, 0, n->now);
	h = net_hdr(PROTO_UDP);
	h.dst = IP(10, 0, 0, 255);
	icmp_send_error(n->s, &h, payload, 8, UNREACH, 3, 0, n->now);
	h = net_hdr(PROTO_UDP);
	h.total_len = 28;
	ip_emit(p, &h);
	memset(p + 20, 0, 8);
	net_input(n, mac_all, ETHTYPE_IPV4, p, 28);
	net_expect_silence(n);
	h = net_hdr(PROTO_UDP);
	assert_true(is_refused(n, h));
}

static void errors_to_one_are_limited_to_six_then_one_a_second(void **state)
{
	struct net *n = *state;
	struct ip_hdr h = net_hdr(PROTO_UDP);

	net_know(n, PEER, mac_peer);
	net_know(n, PEER + 1, mac_peer);
	for (int i = 0; i < 6; i++)
		assert_true(is_refused(n, h));
	assert_false(is_refused(n, h));
	assert_int_equal(net_count(n, CTR_IcmpOutRateLimitHost), 1);
	h.src = PEER + 1;
	assert_true(is_refused(n, h));
	h.src = PEER;
	net_pass(n, 999 * XTIME_MSEC);
	assert_false(is_refused(n, h));
	net_pass(n, XTIME_MSEC);
	assert_true(is_refused(n, h));
	assert_false(is_refused(n, h));
}

static void errors_in_all_are_limited_to_1000_a_second(void **state)
{
	struct net *n = *state;
	struct ip_hdr h = net_hdr(PROTO_UDP);
	unsigned sent = 0;

	net_know(n, GATEWAY, mac_peer);
	n->s->set.icmp_ratelimit = 0;
	for (ip4 i = 0; i < 1000; i++) {
		h.src = FAR + i;
		sent += is_refused(n, h);
	}
	assert_int_equal(sent, 50);
	net_pass(n, 10 * XTIME_MSEC);
	for (ip4 i = 0; i < 1000; i++)
		sent += is_refused(n, h);
	assert_int_equal(sent, 60);
	assert_int_equal(net_count(n, CTR_IcmpOutRateLimitGlobal), 1940);
}

static void errors_in_all_follow_their_settings(void **state)
{
	struct net *n = *state;
	struct ip_hdr h = net_hdr(PROTO_UDP);
	unsigned sent = 0;

	net_know(n, GATEWAY, mac_peer);
	n->s->set.icmp_msgs_per_sec = 4;
	n->s->set.icmp_msgs_burst = 2;
	for (ip4 i = 0; i < 10; i++) {
		h.src = FAR + i;
		sent += is_refused(n, h);
	}
	assert_int_equal(sent, 2);
	net_pass(n, 249 * XTIME_MSEC);
	assert_false(is_refused(n, h));
	net_pass(n, XTIME_MSEC);
	assert_true(is_refused(n, h));
	/* Of types that aren't in the mask there are as many as wanted. */
	n->s->set.icmp_ratemask = 1 << 11;
	for (ip4 i = 0; i < 10; i++)
		assert_true(is_refused(n, h));
	n->s->set.icmp_ratemask = 1 << 0 | 1 << 3;
	net_pass(n, 250 * XTIME_MSEC);
	input_icmp(n, US, 8, 0, 0, payload, 8);
	input_icmp(n, US, 8, 0, 0, payload, 8);
	assert_true(net_output(n));
	net_expect_silence(n);
}

/* ---- errors in ---- */

struct quote {
	struct ip_hdr ip;
	uint8_t l4[8];
};

static struct quote a_quote(void)
{
	struct quote q = {
		.ip = { .src = US, .dst = FAR, .ttl = 1, .proto = PROTO_TCP, .is_df = true,
		        .total_len = 1500 },
	};

	put_be16(q.l4, 40000);
	put_be16(q.l4 + 2, 80);
	put_be32(q.l4 + 4, 0xfeedbeef);
	return q;
}

static void input_quote(struct net *n, uint8_t type, uint8_t code, uint32_t rest,
                        const struct quote *q, size_t cut)
{
	uint8_t body[IP_LEN_MAX + 8];
	size_t len = ip_emit(body, &q->ip);

	memcpy(body + len, q->l4, 8);
	input_icmp(n, US, type, code, rest, body, len + 8 - cut);
}

static void error_about_our_segment_reaches_tcp(void **state)
{
	struct net *n = *state;
	struct quote q = a_quote();

	input_quote(n, UNREACH, 1, 0, &q, 0);
	assert_int_equal(fake.icmps, 1);
	assert_int_equal(fake.icmp_tuple.laddr, US);
	assert_int_equal(fake.icmp_tuple.raddr, FAR);
	assert_int_equal(fake.icmp_tuple.lport, 40000);
	assert_int_equal(fake.icmp_tuple.rport, 80);
	assert_int_equal(fake.icmp_seq, 0xfeedbeef);
	assert_int_equal(fake.icmp_type, UNREACH);
	assert_int_equal(fake.icmp_code, 1);
	assert_int_equal(fake.icmp_mtu, 0);
	input_quote(n, EXCEEDED, 0, 0, &q, 0);
	input_quote(n, PARAM, 0, 0, &q, 0);
	assert_int_equal(fake.icmps, 3);
	q.ip.opt_len = 8;
	memset(q.ip.opts, 1, 8);
	input_quote(n, UNREACH, 1, 0, &q, 0);
	assert_int_equal(fake.icmps, 4);
	net_expect_silence(n);
}

static void error_about_anything_else_is_counted(void **state)
{
	struct net *n = *state;
	struct quote q = a_quote();

	input_quote(n, UNREACH, 1, 0, &q, 1);      /* 7 bytes of the segment */
	input_icmp(n, US, UNREACH, 1, 0, NULL, 0);
	q.ip.src = PEER;                           /* not from us */
	input_quote(n, UNREACH, 1, 0, &q, 0);
	q = a_quote();
	q.ip.proto = PROTO_UDP;
	input_quote(n, UNREACH, 1, 0, &q, 0);
	q = a_quote();
	q.ip.frag_off = 8;                         /* no ports in there */
	input_quote(n, UNREACH, 1, 0, &q, 0);
	assert_int_equal(net_count(n, CTR_icmp_quote), 5);
	assert_int_equal(fake.icmps, 0);
}

static void error_on_shared_counts_for_claimed_ports_only(void **state)
{
	struct net *n = *state;
	struct quote q = a_quote();

	input_quote(n, UNREACH, 1, 0, &q, 0);
	assert_int_equal(fake.icmps, 0);
	assert_int_equal(net_count(n, CTR_icmp_quote), 1);
	stack_claimed(n->s, US, 40000, true);
	input_quote(n, UNREACH, 1, 0, &q, 0);
	assert_int_equal(fake.icmps, 1);
}

static void fragmentation_needed_tells_the_mtu(void **state)
{
	struct net *n = *state;
	struct quote q = a_quote();

	input_quote(n, UNREACH, 4, 1280, &q, 0);
	assert_int_equal(fake.icmp_mtu, 1280);
}

static void fragmentation_needed_without_mtu_says_0(void **state)
{
	struct net *n = *state;
	struct quote q = a_quote();

	fake.icmp_mtu = 1;
	input_quote(n, UNREACH, 4, 0, &q, 0);
	assert_int_equal(fake.icmps, 1);
	assert_int_equal(fake.icmp_mtu, 0);   /* ip_set_pmtu() makes it min_pmtu, as Linux */
}

static void fragmentation_needed_follows_no_pmtu_disc(void **state)
{
	static const struct { int32_t disc; unsigned n; uint32_t mtu; } modes[] = {
		{ 0, 1, 1280 }, { 1, 1, 0 }, { 2, 0, 7 }, { 3, 1, 1280 },
	};
	struct net *n = *state;
	struct quote q = a_quote();

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		n->s->set.ip_no_pmtu_disc = modes[i].disc;
		fake.icmps = 0;
		fake.icmp_mtu = 7;
		input_quote(n, UNREACH, 4, 1280, &q, 0);
		assert_int_equal(fake.icmps, modes[i].n);
		assert_int_equal(fake.icmp_mtu, modes[i].mtu);
	}
	n->s->set.ip_no_pmtu_disc = 2;
	input_quote(n, UNREACH, 3, 0, &q, 0);
	assert_int_equal(fake.icmps, 2);
}

static void timestamp_is_answered_with_the_time_of_day(void **state)
{
	struct net *n = *state;
	uint8_t times[12] = { 1, 2, 3, 4 };
	const uint8_t *l4;
	size_t len;

	net_know(n, PEER, mac_peer);
	stack_set_wall_clock(n->s, 25 * 3600 * XTIME_SEC + 7 * XTIME_MSEC - n->now);
	input_icmp(n, US, 13, 0, 0x00010002, times, sizeof(times));
	assert_int_equal(net_expect_ip(n, &l4, &len).total_len, 40);
	assert_int_equal(l4[0], 14);
	assert_int_equal(get_be32(l4 + 4), 0x00010002);
	assert_int_equal(get_be32(l4 + 8), 0x01020304);
	assert_int_equal(get_be32(l4 + 12), 3600 * 1000 + 7);
	assert_int_equal(get_be32(l4 + 16), 3600 * 1000 + 7);
	input_icmp(n, US, 13, 0, 0, times, 3);
	assert_int_equal(net_count(n, CTR_icmp_short), 1);
	net_expect_silence(n);
}

#define own(test) cmocka_unit_test_setup_teardown(test, net_setup_own, net_teardown)
#define shared(test) cmocka_unit_test_setup_teardown(test, net_setup_shared, net_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		own(echo_to_own_is_answered_with_its_bytes),
		shared(echo_to_shared_is_left_to_the_kernel),
		own(echo_ignored_when_set),
		own(echo_in_fragments_is_answered_in_fragments),
		own(malformed_is_counted),
		own(error_quotes_the_packet),
		own(error_is_576_bytes_at_most),
		own(error_never_about_fragments_errors_or_broadcasts),
		own(errors_to_one_are_limited_to_six_then_one_a_second),
		own(errors_in_all_are_limited_to_1000_a_second),
		own(errors_in_all_follow_their_settings),
		own(error_about_our_segment_reaches_tcp),
		own(error_about_anything_else_is_counted),
		shared(error_on_shared_counts_for_claimed_ports_only),
		own(fragmentation_needed_tells_the_mtu),
		own(timestamp_is_answered_with_the_time_of_day),
		own(fragmentation_needed_without_mtu_says_0),
		own(fragmentation_needed_follows_no_pmtu_disc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
