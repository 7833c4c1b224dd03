/* SPDX-License-Identifier: BSD-2-Clause */
/* test_ip_opts.c - IPv4 options as programs set them, as they go out, as they come in. */
#include "stack/ip.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define IP(a, b, c, d) ((ip4)(a) << 24 | (ip4)(b) << 16 | (ip4)(c) << 8 | (ip4)(d))
#define BYTES(...) (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })

enum { NOP = 1, RR = 7, TS = 68, LSRR = 131, SSRR = 137, ALERT = 148 };

static void parse_refuses(const uint8_t *p, size_t len)
{
	struct ip_optset o;

	assert_int_equal(ip_opts_parse(p, len, &o), -EINVAL);
}

static void set_nothing_is_nothing(void **state)
{
	struct ip_optset o;

	(void)state;
	assert_int_equal(ip_opts_parse(NULL, 0, &o), 0);
	assert_int_equal(o.len, 0);
	assert_int_equal(o.srr, 0);
}

static void set_source_route_has_its_first_hop(void **state)
{
	struct ip_optset o;

	(void)state;
	assert_int_equal(ip_opts_parse(BYTES(NOP, LSRR, 11, 4, 10, 0, 0, 254, 192, 0, 2, 1), &o), 0);
	assert_int_equal(o.len, 12);
	assert_int_equal(o.srr, 2);
	assert_false(o.is_strict);
	assert_int_equal(o.first_hop, IP(10, 0, 0, 254));
	assert_int_equal(ip_opts_parse(BYTES(SSRR, 7, 4, 10, 0, 0, 9), &o), 0);
	assert_true(o.is_strict);
	assert_int_equal(o.len, 8);
	assert_int_equal(o.first_hop, IP(10, 0, 0, 9));
}

static void set_malformed_is_einval(void **state)
{
	static const uint8_t long_one[44] = { NOP };

	(void)state;
	parse_refuses(long_one, sizeof(long_one));
	parse_refuses(BYTES(LSRR, 3, 4, 0));                        /* no first hop */
	parse_refuses(BYTES(LSRR, 8, 4, 10, 0, 0, 1, 0));           /* not a whole address */
	parse_refuses(BYTES(LSRR, 7, 8, 10, 0, 0, 1, 0));           /* used up already */
	parse_refuses(BYTES(LSRR, 7, 4, 1, 1, 1, 1, SSRR, 7, 4, 1, 1, 1, 1, 0));
	parse_refuses(BYTES(LSRR, 2, 0, 0));
	parse_refuses(BYTES(RR, 2, 0, 0));
	parse_refuses(BYTES(RR, 7, 3, 0, 0, 0, 0, 0));              /* pointer too low */
	parse_refuses(BYTES(RR, 8, 7, 0, 0, 0, 0, 0));              /* no room at the pointer */
	parse_refuses(BYTES(RR, 3, 4, RR, 3, 4, 0, 0));             /* twice */
	parse_refuses(BYTES(TS, 3, 5, 0));
	parse_refuses(BYTES(TS, 8, 4, 0, 0, 0, 0, 0));
	parse_refuses(BYTES(TS, 8, 5, 1, 0, 0, 0, 0));              /* address needs 8 */
	parse_refuses(BYTES(TS, 8, 5, 2, 0, 0, 0, 0));              /* no such kind */
	parse_refuses(BYTES(TS, 4, 5, 0xf0));                       /* overflowed 15 times */
	parse_refuses(BYTES(RR, 9, 4, 0));                          /* beyond the end */
	parse_refuses(BYTES(RR, 1, 4, 0));
	parse_refuses(BYTES(NOP, NOP, NOP, RR));
	parse_refuses(BYTES(99, 4, 0, 0));                          /* unknown */
	parse_refuses(BYTES(ALERT, 2, 0, 0));
}

static void set_end_hides_what_follows(void **state)
{
	struct ip_optset o;

	(void)state;
	assert_int_equal(ip_opts_parse(BYTES(NOP, 0, 99, 99), &o), 0);
	assert_int_equal(o.len, 4);
}

static void build_source_route_ends_with_the_destination(void **state)
{
	struct ip_optset o;
	uint8_t out[IP_OPT_MAX];

	(void)state;
	assert_int_equal(ip_opts_parse(BYTES(LSRR, 11, 4, 10, 0, 0, 254, 192, 0, 2, 1), &o), 0);
	assert_int_equal(ip_opts_build(&o, IP(10, 0, 0, 1), IP(198, 51, 100, 7), 0x80000000, out), 12);
	assert_memory_equal(out, "\x83\x0b\x04\xc0\x00\x02\x01\xc6\x33\x64\x07\x00", 12);
	assert_int_equal(ip_opts_parse(BYTES(LSRR, 7, 4, 10, 0, 0, 254, 0), &o), 0);
	ip_opts_build(&o, IP(10, 0, 0, 1), IP(198, 51, 100, 7), 0x80000000, out);
	assert_memory_equal(out, "\x83\x07\x04\xc6\x33\x64\x07\x00", 8);
	/* What getsockopt() gives back is as it was set. */
	assert_memory_equal(o.data, "\x83\x07\x04\x0a\x00\x00\xfe\x00", 8);
}

static void build_record_route_begins_with_us(void **state)
{
	struct ip_optset o;
	uint8_t out[IP_OPT_MAX];

	(void)state;
	assert_int_equal(ip_opts_parse(BYTES(RR, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0), &o), 0);
	assert_int_equal(ip_opts_build(&o, IP(10, 0, 0, 1), 0, 0x80000000, out), 12);
	assert_memory_equal(out, "\x07\x0b\x08\x0a\x00\x00\x01\x00\x00\x00\x00\x00", 12);
	assert_int_equal(ip_opts_parse(BYTES(RR, 3, 4, 0), &o), 0);
	ip_opts_build(&o, IP(10, 0, 0, 1), 0, 0x80000000, out);
	assert_memory_equal(out, "\x07\x03\x04\x00", 4);
}

static void build_timestamp_says_that_the_time_is_unknown(void **state)
{
	struct ip_optset o;
	uint8_t out[IP_OPT_MAX];

	(void)state;
	assert_int_equal(ip_opts_parse(BYTES(TS, 8, 5, 0, 0, 0, 0, 0), &o), 0);
	ip_opts_build(&o, IP(10, 0, 0, 1), 0, 0x80000000, out);
	assert_memory_equal(out, "\x44\x08\x09\x00\x80\x00\x00\x00", 8);
	assert_int_equal(ip_opts_parse(BYTES(TS, 12, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0), &o), 0);
	ip_opts_build(&o, IP(10, 0, 0, 1), 0, 0x80000000, out);
	assert_memory_equal(out, "\x44\x0c\x0d\x01\x0a\x00\x00\x01\x80\x00\x00\x00", 12);
	assert_int_equal(ip_opts_parse(BYTES(TS, 12, 5, 3, 10, 0, 0, 9, 0, 0, 0, 0), &o), 0);
	ip_opts_build(&o, IP(10, 0, 0, 1), 0, 0x80000000, out);
	assert_memory_equal(out, "\x44\x0c\x05\x03\x0a\x00\x00\x09\x00\x00\x00\x00", 12);
}

/* What comes is answered: route and time go on, a source route leads back. */
static void echo_reverses_and_records(void **state)
{
	static const struct { uint8_t in[16], in_len, out[16], out_len; } cases[] = {
		/* Ours is recorded as the packet comes, and again when the answer leaves (not here). */
		{ { RR, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, 12, { RR, 11, 8, 10, 0, 0, 1, 0, 0, 0, 0, 0 }, 12 },
		{ { RR, 7, 8, 1, 2, 3, 4, 0 }, 8, { RR, 7, 8, 1, 2, 3, 4, 0 }, 8 },
		{ { TS, 8, 5, 0, 0, 0, 0, 0 }, 8, { TS, 8, 9, 0, 0, 0, 0, 7 }, 8 },
		{ { TS, 8, 9, 0, 1, 2, 3, 4 }, 8, { TS, 8, 9, 0x10, 1, 2, 3, 4 }, 8 },
		/* A kind that nobody knows is answered as it came: what belongs there is not known. */
		{ { TS, 8, 5, 0xfa, 0, 0, 0, 0 }, 8, { TS, 8, 5, 0xfa, 0, 0, 0, 0 }, 8 },
		{ { TS, 12, 5, 0x0a, 0, 0, 0, 0, 0, 0, 0, 0 }, 12, { TS, 12, 5, 0x0a, 0, 0, 0, 0, 0, 0, 0, 0 }, 12 },
		{ { LSRR, 11, 12, 1, 1, 1, 1, 2, 2, 2, 2, 0 }, 12, { LSRR, 11, 4, 2, 2, 2, 2, 1, 1, 1, 1, 0 }, 12 },
		/* RFC 1812 5.3.13.4: the source put itself first. */
		{ { LSRR, 11, 12, 10, 0, 0, 2, 2, 2, 2, 2, 0 }, 12, { LSRR, 7, 4, 2, 2, 2, 2, 0 }, 8 },
		{ { LSRR, 7, 8, 10, 0, 0, 2, 0 }, 8, { 0 }, 0 },
		{ { 148, 4, 0, 0 }, 4, { 0 }, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ip_hdr h = { .src = IP(10, 0, 0, 2), .dst = IP(10, 0, 0, 1), .opt_len = cases[i].in_len };
		struct ip_optset o;

		memcpy(h.opts, cases[i].in, cases[i].in_len);
		assert_int_equal(ip_opts_echo(&h, 7, &o), 0);
		assert_int_equal(o.len, cases[i].out_len);
		assert_memory_equal(o.data, cases[i].out, o.len);
		assert_int_equal(o.srr, o.len && o.data[0] == LSRR ? 1 : 0);
		if (o.srr)
			assert_int_equal(o.first_hop, IP(2, 2, 2, 2));
	}
}

/* __ip_options_echo(): after ours there is room for a part of an address only. */
static void echo_of_a_broken_record_fails(void **state)
{
	static const uint8_t cases[][12] = {
		{ RR, 8, 4 }, { TS, 10, 5 }, { TS, 7, 5, 0xa },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ip_hdr h = { .src = IP(10, 0, 0, 2), .dst = IP(10, 0, 0, 1), .opt_len = 12 };
		struct ip_optset o;

		memcpy(h.opts, cases[i], 12);
		assert_int_equal(ip_opts_echo(&h, 7, &o), -EINVAL);
		assert_int_equal(o.len, 0);
	}
}

static size_t check(const uint8_t *p, size_t len, bool *has_srr)
{
	bool is_ended;
	struct ip_hdr h = { .opt_len = (uint8_t)len };

	memcpy(h.opts, p, len);
	return ip_opts_check(&h, has_srr, &is_ended);
}

static void received_half_used_options_are_fine(void **state)
{
	bool srr;

	(void)state;
	assert_int_equal(check(BYTES(RR, 7, 8, 1, 2, 3, 4, 0), &srr), 0);
	assert_false(srr);
	assert_int_equal(check(BYTES(LSRR, 7, 8, 1, 2, 3, 4, 0), &srr), 0);
	assert_true(srr);
	assert_int_equal(check(BYTES(99, 4, 0, 0), &srr), 0);
}

static void received_malformed_names_the_byte(void **state)
{
	bool srr;

	(void)state;
	assert_int_equal(check(BYTES(NOP, RR, 2, 0), &srr), 22);
	assert_int_equal(check(BYTES(NOP, 99, 0, 0), &srr), 21);
	assert_int_equal(check(BYTES(NOP, NOP, NOP, 99), &srr), 23);
	assert_int_equal(check(BYTES(TS, 4, 5, 0xf1), &srr), 23);
	assert_int_equal(check(BYTES(TS, 7, 5, 0xfa, 0, 0, 0, 0), &srr), 22);
	assert_int_equal(check(BYTES(TS, 8, 5, 0xfa, 0, 0, 0, 0), &srr), 0);
}

/* Whatever the bytes, nothing is read or written outside, and what is answered is taken in. */
static void any_bytes_are_harmless(void **state)
{
	uint32_t seed = 99;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		uint8_t p[IP_OPT_MAX], out[IP_OPT_MAX];
		static const uint8_t kinds[] = { NOP, RR, TS, LSRR, SSRR, ALERT };
		struct ip_hdr h = { .src = 1, .dst = 2, .opt_len = sizeof(h.opts) };
		struct ip_optset o;
		bool srr;

		for (size_t k = 0; k < sizeof(p); k++) {
			seed = seed * 1664525 + 1013904223;
			p[k] = (uint8_t)(seed >> 24 & 15);
			if (k == 0)
				p[k] = kinds[(seed >> 20) % 6];
		}
		if (ip_opts_parse(p, (seed >> 8) % 41, &o) == 0)
			assert_int_equal(ip_opts_build(&o, 1, 2, 3, out), o.len);
		if (check(p, sizeof(p), &srr))
			continue;
		memcpy(h.opts, p, sizeof(p));
		ip_opts_echo(&h, 3, &o);
		assert_int_equal(check(o.data, o.len, &srr), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(echo_reverses_and_records),
		cmocka_unit_test(echo_of_a_broken_record_fails),
		cmocka_unit_test(set_nothing_is_nothing),
		cmocka_unit_test(set_source_route_has_its_first_hop),
		cmocka_unit_test(set_malformed_is_einval),
		cmocka_unit_test(set_end_hides_what_follows),
		cmocka_unit_test(build_source_route_ends_with_the_destination),
		cmocka_unit_test(build_record_route_begins_with_us),
		cmocka_unit_test(build_timestamp_says_that_the_time_is_unknown),
		cmocka_unit_test(received_half_used_options_are_fine),
		cmocka_unit_test(received_malformed_names_the_byte),
		cmocka_unit_test(any_bytes_are_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
