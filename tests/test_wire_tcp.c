/* SPDX-License-Identifier: BSD-2-Clause */
/* test_wire_tcp.c - the TCP header: there and back, byte for byte as Linux lays it out. */
#include "wire_tcp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "counters.h"
#include "wire.h"

static struct tcp_hdr a_hdr(uint16_t flags)
{
	struct tcp_hdr h;

	memset(&h, 0, sizeof(h));
	h.sport = 0x1234;
	h.dport = 80;
	h.seq = 0xfffffff0;
	h.ack = 0x01020304;
	h.flags = flags;
	h.wnd = 64240;
	h.urg = 7;
	return h;
}

static void assert_round_trip(struct tcp_hdr *h)
{
	struct tcp_hdr back;
	uint8_t p[TCP_LEN_MAX];
	size_t len = tcp_emit(p, h);

	assert_int_equal(len, TCP_LEN_MIN + tcp_options_len(h));
	assert_int_equal(len % 4, 0);
	h->hdr_len = (uint8_t)len;
	assert_int_equal(tcp_parse(p, len, &back), CTR_NONE);
	assert_memory_equal(&back, h, sizeof(back));
}

static void hdr_every_option_set_parses_back(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits < 32; bits++) {
		struct tcp_hdr h = a_hdr(TCPF_SYN | TCPF_ECE | TCPF_CWR | TCPF_AE);

		if ((h.has_mss = bits & 1))
			h.mss = 1460;
		if ((h.has_wscale = bits & 2))
			h.wscale = 14;
		h.sack_permitted = bits & 4;
		if ((h.has_ts = bits & 8)) {
			h.tsval = 0xdeadbeef;
			h.tsecr = 1;
		}
		if ((h.has_fastopen = bits & 16)) {
			h.fastopen_len = (uint8_t)(bits % 4 * 2 + 4);
			memset(h.fastopen, 0x5a, h.fastopen_len);
		}
		assert_round_trip(&h);
	}
}

static void hdr_sack_blocks_parse_back(void **state)
{
	(void)state;
	for (uint8_t n = 0; n <= 4; n++) {
		struct tcp_hdr h = a_hdr(TCPF_ACK);

		h.nsack = n;
		h.has_ts = n < 4;
		h.tsval = h.has_ts;
		for (uint32_t i = 0; i < n; i++)
			h.sack[i] = (struct tcp_sack_block){ i * 100, i * 100 + 50 };
		assert_round_trip(&h);
	}
}

static void hdr_every_flag_parses_back(void **state)
{
	(void)state;
	for (uint16_t flags = 0; flags < 0x200; flags++) {
		struct tcp_hdr h = a_hdr(flags);

		assert_round_trip(&h);
	}
}

static void syn_default_options_are_laid_out_as_linux(void **state)
{
	static const uint8_t want[] = {
		2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 3, 3, 7,
	};
	struct tcp_hdr h = a_hdr(TCPF_SYN);
	uint8_t p[TCP_LEN_MAX];

	(void)state;
	h.has_mss = h.has_wscale = h.sack_permitted = h.has_ts = true;
	h.mss = 1460;
	h.wscale = 7;
	h.tsval = 9;
	assert_int_equal(tcp_emit(p, &h), 40);
	assert_memory_equal(p + TCP_LEN_MIN, want, sizeof(want));
}

static void syn_without_timestamps_pads_sack_permitted(void **state)
{
	static const uint8_t want[] = { 2, 4, 0x02, 0x18, 1, 1, 4, 2, 1, 3, 3, 0, 34, 2, 1, 1 };
	struct tcp_hdr h = a_hdr(TCPF_SYN);
	uint8_t p[TCP_LEN_MAX];

	(void)state;
	h.has_mss = h.has_wscale = h.sack_permitted = h.has_fastopen = true;
	h.mss = 536;
	assert_int_equal(tcp_emit(p, &h), 36);
	assert_memory_equal(p + TCP_LEN_MIN, want, sizeof(want));
}

static void ack_with_sack_is_laid_out_as_linux(void **state)
{
	static const uint8_t want[] = {
		1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 1, 5, 10, 0, 0, 0, 3, 0, 0, 0, 4,
	};
	struct tcp_hdr h = a_hdr(TCPF_ACK);
	uint8_t p[TCP_LEN_MAX];

	(void)state;
	h.has_ts = true;
	h.tsval = 1;
	h.tsecr = 2;
	h.nsack = 1;
	h.sack[0] = (struct tcp_sack_block){ 3, 4 };
	assert_int_equal(tcp_emit(p, &h), 44);
	assert_memory_equal(p + TCP_LEN_MIN, want, sizeof(want));
}

static void hdr_impossible_lengths_are_refused(void **state)
{
	struct tcp_hdr h = a_hdr(TCPF_ACK), back;
	uint8_t p[TCP_LEN_MAX] = { 0 };

	(void)state;
	tcp_emit(p, &h);
	for (size_t len = 0; len < TCP_LEN_MIN; len++)
		assert_int_equal(tcp_parse(p, len, &back), CTR_tcp_short);
	p[12] = 0x40;
	assert_int_equal(tcp_parse(p, TCP_LEN_MIN, &back), CTR_tcp_offset);
	p[12] = 0x60;
	assert_int_equal(tcp_parse(p, 23, &back), CTR_tcp_offset);
	assert_int_equal(tcp_parse(p, 24, &back), CTR_NONE);
}

/* Parses a header with these option bytes (padded with EOL). */
static struct tcp_hdr parse_with(uint16_t flags, const uint8_t *opts, size_t len)
{
	struct tcp_hdr h = a_hdr(flags), back;
	uint8_t p[TCP_LEN_MAX] = { 0 };

	tcp_emit(p, &h);
	memcpy(p + TCP_LEN_MIN, opts, len);
	p[12] = (uint8_t)((TCP_LEN_MIN + (len + 3) / 4 * 4) / 4 << 4);
	assert_int_equal(tcp_parse(p, sizeof(p), &back), CTR_NONE);
	return back;
}

#define PARSE_WITH(flags, ...) \
	parse_with(flags, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void options_of_a_syn_on_others_are_ignored(void **state)
{
	struct tcp_hdr h = PARSE_WITH(TCPF_ACK, 2, 4, 5, 0xb4, 4, 2, 3, 3, 7, 34, 2);

	(void)state;
	assert_false(h.has_mss || h.sack_permitted || h.has_wscale || h.has_fastopen);
}

static void options_of_wrong_length_are_passed_over(void **state)
{
	struct tcp_hdr h = PARSE_WITH(TCPF_SYN, 2, 3, 5, 3, 4, 7, 7, 4, 3, 1, 8, 4, 1, 2, 5, 4, 1, 2,
	                              34, 5, 1, 2, 3, 2, 4, 2, 0);

	(void)state;
	assert_false(h.has_wscale || h.sack_permitted || h.has_ts || h.nsack || h.has_fastopen);
	assert_true(h.has_mss);
	assert_int_equal(h.mss, 512);
}

static void options_with_impossible_length_end_the_list(void **state)
{
	struct tcp_hdr h;

	(void)state;
	h = PARSE_WITH(TCPF_SYN, 99, 0, 2, 4, 2, 0);
	assert_false(h.has_mss);
	h = PARSE_WITH(TCPF_SYN, 99, 1, 2, 4, 2, 0);
	assert_false(h.has_mss);
	h = PARSE_WITH(TCPF_SYN, 1, 1, 2, 4);
	assert_false(h.has_mss);
	h = PARSE_WITH(TCPF_SYN, 1, 1, 1, 2);
	assert_false(h.has_mss);
	h = PARSE_WITH(TCPF_SYN, 0, 1, 1, 1, 2, 4, 2, 0);
	assert_false(h.has_mss);
}

static void option_unknown_is_passed_over(void **state)
{
	struct tcp_hdr h = PARSE_WITH(TCPF_SYN, 254, 6, 1, 2, 3, 4, 1, 2, 4, 2, 0);

	(void)state;
	assert_int_equal(h.mss, 512);
}

static void option_wscale_above_14_is_14(void **state)
{
	struct tcp_hdr h = PARSE_WITH(TCPF_SYN, 3, 3, 200, 0);

	(void)state;
	assert_true(h.has_wscale);
	assert_int_equal(h.wscale, 14);
}

static void option_mss_of_zero_is_ignored(void **state)
{
	struct tcp_hdr h = PARSE_WITH(TCPF_SYN, 2, 4, 0, 0);

	(void)state;
	assert_false(h.has_mss);
}

static void checksum_set_is_checksum_accepted(void **state)
{
	struct tcp_hdr h = a_hdr(TCPF_ACK | TCPF_PSH);
	uint8_t p[TCP_LEN_MAX] = { 0 };
	const size_t len = TCP_LEN_MIN + 5;
	uint32_t sum;

	(void)state;
	tcp_emit(p, &h);
	memcpy(p + TCP_LEN_MIN, "hello", 5);
	sum = csum_add(csum_pseudo(1, 2, PROTO_TCP, len), p, len);
	tcp_set_csum(p, csum_fold(sum));
	assert_true(tcp_csum_ok(1, 2, p, len));
	assert_false(tcp_csum_ok(1, 3, p, len));
	p[24] ^= 0x10;
	assert_false(tcp_csum_ok(1, 2, p, len));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hdr_every_option_set_parses_back),
		cmocka_unit_test(hdr_sack_blocks_parse_back),
		cmocka_unit_test(hdr_every_flag_parses_back),
		cmocka_unit_test(syn_default_options_are_laid_out_as_linux),
		cmocka_unit_test(syn_without_timestamps_pads_sack_permitted),
		cmocka_unit_test(ack_with_sack_is_laid_out_as_linux),
		cmocka_unit_test(hdr_impossible_lengths_are_refused),
		cmocka_unit_test(options_of_a_syn_on_others_are_ignored),
		cmocka_unit_test(options_of_wrong_length_are_passed_over),
		cmocka_unit_test(options_with_impossible_length_end_the_list),
		cmocka_unit_test(option_unknown_is_passed_over),
		cmocka_unit_test(option_wscale_above_14_is_14),
		cmocka_unit_test(option_mss_of_zero_is_ignored),
		cmocka_unit_test(checksum_set_is_checksum_accepted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
