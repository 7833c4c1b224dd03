/* SPDX-License-Identifier: BSD-2-Clause */
/* test_wire.c - link, ARP, IPv4 and ICMP headers there and back, and what is refused. */
#include "wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "counters.h"

static const struct arp_pkt an_arp = {
	.op = ARP_REPLY,
	.sender_mac = { 2, 3, 4, 5, 6, 7 },
	.target_mac = { 8, 9, 10, 11, 12, 13 },
	.sender_ip = 0x0a000001,
	.target_ip = 0xc0a80102,
};

static struct ip_hdr an_ip(void)
{
	struct ip_hdr h = {
		.src = 0x0a000001, .dst = 0xc0a80102, .id = 0xbeef, .is_df = true, .tos = 0x10,
		.ttl = 64, .proto = PROTO_TCP, .total_len = 44, .opt_len = 4, .hdr_len = 24,
		.opts = { 0x94, 4, 0, 0 },
	};

	return h;
}

static void assert_ip_equal(const struct ip_hdr *a, const struct ip_hdr *b)
{
	assert_int_equal(a->src, b->src);
	assert_int_equal(a->dst, b->dst);
	assert_int_equal(a->total_len, b->total_len);
	assert_int_equal(a->id, b->id);
	assert_int_equal(a->frag_off, b->frag_off);
	assert_int_equal(a->is_df, b->is_df);
	assert_int_equal(a->has_more, b->has_more);
	assert_int_equal(a->tos, b->tos);
	assert_int_equal(a->ttl, b->ttl);
	assert_int_equal(a->proto, b->proto);
	assert_int_equal(a->hdr_len, b->hdr_len);
	assert_int_equal(a->opt_len, b->opt_len);
	assert_memory_equal(a->opts, b->opts, b->opt_len);
}

static void eth_emitted_parses_back(void **state)
{
	struct eth_hdr a = { { 1, 2, 3, 4, 5, 6 }, { 7, 8, 9, 10, 11, 12 }, ETHTYPE_IPV4 }, b;
	uint8_t p[ETH_LEN];

	(void)state;
	assert_int_equal(eth_emit(p, &a), ETH_LEN);
	assert_int_equal(eth_parse(p, sizeof(p), &b), CTR_NONE);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_int_equal(eth_parse(p, sizeof(p) - 1, &b), CTR_eth_short);
}

static void arp_emitted_parses_back(void **state)
{
	struct arp_pkt b;
	uint8_t p[ARP_LEN];

	(void)state;
	memset(&b, 0, sizeof(b));
	assert_int_equal(arp_emit(p, &an_arp), ARP_LEN);
	assert_int_equal(arp_parse(p, sizeof(p), &b), CTR_NONE);
	assert_int_equal(b.op, an_arp.op);
	assert_memory_equal(b.sender_mac, an_arp.sender_mac, MAC_LEN);
	assert_memory_equal(b.target_mac, an_arp.target_mac, MAC_LEN);
	assert_int_equal(b.sender_ip, an_arp.sender_ip);
	assert_int_equal(b.target_ip, an_arp.target_ip);
}

static void arp_malformed_is_refused(void **state)
{
	static const struct { int at; uint8_t val; } bad[] = {
		{ 1, 6 },    /* hardware type */
		{ 2, 0x86 }, /* protocol type */
		{ 4, 8 },    /* hardware address length */
		{ 5, 16 },   /* protocol address length */
		{ 7, 3 },    /* RARP */
		{ 7, 0 },
	};
	struct arp_pkt b;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		uint8_t p[ARP_LEN];

		arp_emit(p, &an_arp);
		p[bad[i].at] = bad[i].val;
		assert_int_equal(arp_parse(p, sizeof(p), &b), CTR_arp_bad);
		assert_int_equal(arp_parse(p, sizeof(p) - 1, &b), CTR_arp_short);
	}
}

static void ip_emitted_parses_back(void **state)
{
	uint8_t p[64] = { 0 };

	(void)state;
	for (unsigned opts = 0; opts <= IP_OPT_MAX; opts += 4) {
		struct ip_hdr a = an_ip(), b;

		a.opt_len = (uint8_t)opts;
		a.hdr_len = (uint8_t)(IP_LEN_MIN + opts);
		a.total_len = 64;
		a.is_df = opts % 8;
		a.has_more = opts > 8;
		a.frag_off = (uint16_t)(opts * 1638 / 8 * 8);
		memset(a.opts, 1, opts);
		assert_int_equal(ip_emit(p, &a), a.hdr_len);
		assert_int_equal(ip_parse(p, sizeof(p), &b), CTR_NONE);
		assert_ip_equal(&b, &a);
	}
}

static void ip_odd_options_are_padded_with_eol(void **state)
{
	struct ip_hdr a = an_ip(), b;
	uint8_t p[64];

	(void)state;
	memset(p, 0xff, sizeof(p));
	a.opt_len = 3;
	a.opts[0] = a.opts[1] = a.opts[2] = 1;
	assert_int_equal(ip_emit(p, &a), 24);
	assert_int_equal(ip_parse(p, sizeof(p), &b), CTR_NONE);
	assert_int_equal(b.opt_len, 4);
	assert_memory_equal(b.opts, "\1\1\1\0", 4);
}

static void ip_link_padding_is_passed_over(void **state)
{
	struct ip_hdr a = an_ip(), b;
	uint8_t p[64] = { 0 };

	(void)state;
	a.total_len = 24;
	ip_emit(p, &a);
	assert_int_equal(ip_parse(p, sizeof(p), &b), CTR_NONE);
	assert_int_equal(b.total_len, 24);
}

/* Sets the checksum right again after a byte was changed. */
static void ip_refresh_csum(uint8_t *p, size_t hdr_len)
{
	put_be16(p + 10, 0);
	put_be16(p + 10, csum_fold(csum_add(0, p, hdr_len)));
}

static void ip_malformed_is_refused(void **state)
{
	static const struct { int at; uint8_t val; size_t len; int reason; } bad[] = {
		{ 0, 0x46, 19, CTR_ip_short },
		{ 0, 0x66, 44, CTR_ip_version },
		{ 0, 0x44, 44, CTR_ip_hdr_len },
		{ 0, 0x4f, 44, CTR_ip_hdr_len },
		{ 3, 23, 44, CTR_ip_total_len },
		{ 3, 45, 44, CTR_ip_truncated },
		{ 2, 1, 44, CTR_ip_truncated },
	};
	struct ip_hdr a = an_ip(), b;
	uint8_t p[64] = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		ip_emit(p, &a);
		p[bad[i].at] = bad[i].val;
		ip_refresh_csum(p, 24);
		assert_int_equal(ip_parse(p, bad[i].len, &b), bad[i].reason);
	}
	for (int i = 1; i < 24; i++) {
		ip_emit(p, &a);
		p[i] ^= 0x20;
		assert_int_equal(ip_parse(p, 44, &b), CTR_ip_csum);
	}
}

static void ip_quote_needs_no_checksum_and_no_payload(void **state)
{
	struct ip_hdr a = an_ip(), b;
	uint8_t p[64] = { 0 };

	(void)state;
	ip_emit(p, &a);
	p[8] = 1;
	assert_int_equal(ip_parse_quote(p, 24, &b), CTR_NONE);
	a.ttl = 1;
	assert_ip_equal(&b, &a);
	assert_int_equal(ip_parse_quote(p, 23, &b), CTR_ip_hdr_len);
}

static void icmp_emitted_parses_back(void **state)
{
	struct icmp_hdr a = { .type = 8, .code = 0, .rest = 0x12345678 }, b;
	uint8_t p[ICMP_LEN + 33];

	(void)state;
	for (size_t body = 0; body <= 33; body++) {
		for (size_t i = 0; i < body; i++)
			p[ICMP_LEN + i] = (uint8_t)(i * 37);
		assert_int_equal(icmp_emit(p, &a, p + ICMP_LEN, body), ICMP_LEN);
		assert_int_equal(icmp_parse(p, ICMP_LEN + body, &b), CTR_NONE);
		assert_int_equal(b.type, a.type);
		assert_int_equal(b.code, a.code);
		assert_int_equal(b.rest, a.rest);
		p[1] ^= 1;
		assert_int_equal(icmp_parse(p, ICMP_LEN + body, &b), CTR_icmp_csum);
		assert_int_equal(icmp_parse(p, ICMP_LEN - 1, &b), CTR_icmp_short);
	}
}

/* RFC 1071 as it is written there. */
static uint16_t slow_csum(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (; len > 1; len -= 2, p += 2)
		sum += get_be16(p);
	if (len)
		sum += (uint32_t)p[0] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void csum_any_length_and_alignment_is_rfc_1071s(void **state)
{
	uint8_t buf[400];
	unsigned seed = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)((seed = seed * 1103515245 + 12345) >> 16);
	memset(buf + 200, 0xff, 100);
	for (size_t off = 0; off < 9; off++)
		for (size_t len = 0; off + len <= sizeof(buf); len++)
			assert_int_equal(csum_fold(csum_add(0, buf + off, len)),
			                 slow_csum(buf + off, len));
}

static void csum_in_pieces_is_that_of_the_whole(void **state)
{
	uint8_t buf[300];
	uint32_t sum;

	(void)state;
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)(255 - i * 7);
	for (size_t cut = 0; cut <= sizeof(buf); cut++) {
		uint32_t rest = csum_add(0, buf + cut, sizeof(buf) - cut);

		sum = csum_add(0, buf, cut) + (cut % 2 ? csum_swap(rest) : rest);
		assert_int_equal(csum_fold(sum), slow_csum(buf, sizeof(buf)));
	}
	/* A running sum near overflow keeps its carry. */
	assert_int_equal(csum_fold(csum_add(0xffffffff, buf, 2)), slow_csum(buf, 2));
}

static void csum_rfc_1071_example_is_met(void **state)
{
	static const uint8_t p[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };

	(void)state;
	assert_int_equal((uint16_t)~csum_fold(csum_add(0, p, sizeof(p))), 0xddf2);
}

static void csum_pseudo_header_is_that_of_its_bytes(void **state)
{
	uint8_t p[12];
	uint32_t sum = csum_pseudo(0xc0a80102, 0xfffefdfc, PROTO_TCP, 65515);

	(void)state;
	put_be32(p, 0xc0a80102);
	put_be32(p + 4, 0xfffefdfc);
	put_be16(p + 8, PROTO_TCP);
	put_be16(p + 10, 65515);
	assert_int_equal(csum_fold(sum), slow_csum(p, sizeof(p)));
}

static void counters_each_has_a_name_and_a_sentence(void **state)
{
	(void)state;
	for (int i = 0; i < CTR_COUNT; i++) {
		assert_non_null(counter_info[i].name);
		assert_true(strlen(counter_info[i].sentence) > 5);
	}
	assert_string_equal(counter_info[CTR_eth_short].name, "eth_short");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(eth_emitted_parses_back),
		cmocka_unit_test(arp_emitted_parses_back),
		cmocka_unit_test(arp_malformed_is_refused),
		cmocka_unit_test(ip_emitted_parses_back),
		cmocka_unit_test(ip_odd_options_are_padded_with_eol),
		cmocka_unit_test(ip_link_padding_is_passed_over),
		cmocka_unit_test(ip_malformed_is_refused),
		cmocka_unit_test(ip_quote_needs_no_checksum_and_no_payload),
		cmocka_unit_test(icmp_emitted_parses_back),
		cmocka_unit_test(csum_any_length_and_alignment_is_rfc_1071s),
		cmocka_unit_test(csum_in_pieces_is_that_of_the_whole),
		cmocka_unit_test(csum_rfc_1071_example_is_met),
		cmocka_unit_test(csum_pseudo_header_is_that_of_its_bytes),
		cmocka_unit_test(counters_each_has_a_name_and_a_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
