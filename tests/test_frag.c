/* SPDX-License-Identifier: BSD-2-Clause */
/* test_frag.c - reassembly: every order, every contradiction, every limit. */
#include "stack/frag.h"

#include "net_fixture.h"

static uint8_t pattern[65536];

static void fill_pattern(void)
{
	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)(i * 7 >> 2 ^ i);
}

/* A fragment [off, end) of the TCP datagram `id`. */
static void piece(struct net *n, uint16_t id, size_t off, size_t end, bool has_more)
{
	struct ip_hdr h = net_hdr(PROTO_TCP);

	h.id = id;
	h.frag_off = (uint16_t)off;
	h.has_more = has_more;
	net_input_ip(n, h, pattern + off, end - off);
}

static void assert_whole(size_t len)
{
	assert_int_equal(fake.inputs, 1);
	assert_int_equal(fake.len, len);
	assert_memory_equal(fake.seg, pattern, MIN(len, sizeof(fake.seg)));
	assert_int_equal(fake.ip.total_len, 20 + len);
	assert_false(fake.ip.has_more);
	assert_int_equal(fake.ip.frag_off, 0);
	memset(&fake, 0, sizeof(fake));
}

static void assert_nothing_left(struct net *n)
{
	assert_int_equal(stack_deadline(n->s), XTIME_NEVER);
}

static void pieces_in_any_order_make_the_datagram(void **state)
{
	static const uint8_t orders[][4] = {
		{ 0, 1, 2, 3 }, { 3, 2, 1, 0 }, { 1, 3, 0, 2 }, { 2, 0, 3, 1 }, { 3, 0, 2, 1 },
	};
	struct net *n = *state;

	fill_pattern();
	for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
		for (size_t k = 0; k < 4; k++) {
			size_t off = orders[i][k] * 400u;

			assert_int_equal(fake.inputs, 0);
			piece(n, (uint16_t)i, off, off == 1200 ? 1555 : off + 400, off != 1200);
		}
		assert_whole(1555);
	}
	assert_nothing_left(n);
}

static void pieces_of_two_datagrams_are_kept_apart(void **state)
{
	struct net *n = *state;
	struct ip_hdr h = net_hdr(PROTO_TCP);

	fill_pattern();
	piece(n, 1, 0, 80, true);
	piece(n, 2, 80, 100, false);
	h.id = 1;
	h.frag_off = 80;
	h.src = PEER + 1;
	net_input_ip(n, h, pattern + 80, 20);
	assert_int_equal(fake.inputs, 0);
	piece(n, 1, 80, 100, false);
	assert_whole(100);
}

static void piece_repeated_is_dropped_alone(void **state)
{
	struct net *n = *state;

	fill_pattern();
	piece(n, 1, 0, 400, true);
	piece(n, 1, 400, 800, true);
	piece(n, 1, 0, 400, true);
	piece(n, 1, 200, 600, true);
	assert_int_equal(net_count(n, CTR_ip_frag_dup), 2);
	piece(n, 1, 800, 801, false);
	assert_whole(801);
}

static void piece_that_overlaps_discards_all(void **state)
{
	static const struct { size_t off, end; } overlaps[] = {
		{ 392, 600 }, { 0, 408 }, { 392, 808 }, { 792, 1000 }, { 0, 2000 }, { 792, 1208 },
	};
	struct net *n = *state;

	for (size_t i = 0; i < ARRAY_LEN(overlaps); i++) {
		piece(n, (uint16_t)i, 400, 800, true);
		piece(n, (uint16_t)i, 1200, 1600, true);
		piece(n, (uint16_t)i, overlaps[i].off, overlaps[i].end, true);
		assert_int_equal(net_count(n, CTR_ip_frag_bad), i + 1);
		assert_nothing_left(n);
	}
	assert_int_equal(fake.inputs, 0);
}

static void pieces_that_disagree_on_the_end_discard_all(void **state)
{
	struct net *n = *state;

	piece(n, 1, 800, 900, false);
	piece(n, 1, 1600, 1700, false);
	piece(n, 2, 800, 900, false);
	piece(n, 2, 896, 1000, true);
	piece(n, 3, 800, 1000, true);
	piece(n, 3, 400, 500, false);
	assert_int_equal(net_count(n, CTR_ip_frag_bad), 3);
	assert_nothing_left(n);
}

static void piece_of_impossible_length_is_bad(void **state)
{
	struct net *n = *state;

	piece(n, 1, 0, 0, true);
	piece(n, 2, 0, 7, true);          /* less than 8 and more to come */
	piece(n, 3, 65528, 65536, false); /* beyond 65,535 with its header */
	piece(n, 4, 65504, 65516, false);
	assert_int_equal(net_count(n, CTR_ip_frag_bad), 4);
	assert_nothing_left(n);
}

static void datagram_of_greatest_size_is_whole(void **state)
{
	struct net *n = *state;

	fill_pattern();
	for (size_t off = 0; off < 65515; off += 1480)
		piece(n, 1, off, MIN(off + 1480, 65515), off + 1480 < 65515);
	assert_whole(65515);
	assert_nothing_left(n);
}

static void datagram_with_a_longer_first_header_is_bounded(void **state)
{
	struct net *n = *state;
	struct ip_hdr h = net_hdr(PROTO_TCP);

	h.id = 1;
	h.has_more = true;
	h.opt_len = 40;
	memset(h.opts, 1, 40);
	for (size_t off = 1480; off < 65515; off += 1480)
		piece(n, 1, off, MIN(off + 1480, 65515), off + 1480 < 65515);
	net_input_ip(n, h, pattern, 1480);
	assert_int_equal(fake.inputs, 0);
	assert_int_equal(net_count(n, CTR_ip_frag_bad), 1);
	assert_nothing_left(n);
}

static void datagram_in_too_many_pieces_is_dropped(void **state)
{
	struct net *n = *state;

	for (size_t i = 0; i < 257; i++)
		piece(n, 1, i * 16, i * 16 + 8, true);
	assert_int_equal(net_count(n, CTR_ip_frag_limit), 1);
	assert_nothing_left(n);
}

static void memory_is_bounded_by_high_thresh(void **state)
{
	struct net *n = *state;

	n->s->set.ipfrag_high_thresh = 100000;
	for (uint16_t id = 0; id < 1000; id++)
		piece(n, id, 0, 1480, true);
	assert_in_range(net_count(n, CTR_ip_frag_limit), 930, 950);
	net_pass(n, 30 * XTIME_SEC);
	piece(n, 5000, 0, 80, true);
	piece(n, 5000, 80, 100, false);
	assert_int_equal(fake.inputs, 1);
}

static void datagram_unfinished_times_out_and_says_so(void **state)
{
	struct net *n = *state;
	const uint8_t *l4;
	size_t len;
	struct ip_hdr q;

	fill_pattern();
	net_know(n, PEER, mac_peer);
	piece(n, 1, 0, 80, true);
	net_pass(n, 30 * XTIME_SEC - 1);
	net_expect_silence(n);
	net_pass(n, 1);
	net_expect_ip(n, &l4, &len);
	assert_int_equal(l4[0] << 8 | l4[1], 0x0b01);
	assert_int_equal(ip_parse_quote(l4 + 8, len - 8, &q), CTR_NONE);
	assert_int_equal(q.id, 1);
	assert_true(q.has_more);
	assert_memory_equal(l4 + 28, pattern, 8);
	assert_int_equal(net_count(n, CTR_ip_frag_timeout), 1);
	piece(n, 2, 80, 160, true);   /* without the first there is nothing to quote */
	net_pass(n, 30 * XTIME_SEC);
	net_expect_silence(n);
	assert_int_equal(net_count(n, CTR_ip_frag_timeout), 2);
}

static void datagram_unfinished_on_shared_times_out_silently(void **state)
{
	struct net *n = *state;

	net_know(n, PEER, mac_peer);
	piece(n, 1, 0, 80, true);
	net_pass(n, 30 * XTIME_SEC);
	assert_int_equal(net_count(n, CTR_ip_frag_timeout), 1);
	net_expect_silence(n);
}

static void ecn_of_the_pieces_is_joined(void **state)
{
	static const struct { uint8_t a, b; int whole; } cases[] = {
		{ 0, 0, 0 }, { 2, 2, 2 }, { 2, 3, 3 }, { 3, 1, 3 }, { 0, 3, -1 }, { 2, 0, -1 },
	};
	struct net *n = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ip_hdr h = net_hdr(PROTO_TCP);

		memset(&fake, 0, sizeof(fake));
		h.tos = cases[i].a;
		h.has_more = true;
		net_input_ip(n, h, pattern, 80);
		h.tos = cases[i].b;
		h.has_more = false;
		h.frag_off = 80;
		net_input_ip(n, h, pattern, 80);
		assert_int_equal(fake.inputs, cases[i].whole >= 0);
		if (cases[i].whole >= 0)
			assert_int_equal(fake.ip.tos, cases[i].whole);
	}
}

static void free_with_pieces_waiting_leaks_nothing(void **state)
{
	struct net *n = *state;

	for (uint16_t id = 0; id < 100; id++)
		piece(n, id, 8, 80, true);
}

#define own(test) cmocka_unit_test_setup_teardown(test, net_setup_own, net_teardown)
#define shared(test) cmocka_unit_test_setup_teardown(test, net_setup_shared, net_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		own(pieces_in_any_order_make_the_datagram),
		own(pieces_of_two_datagrams_are_kept_apart),
		own(piece_repeated_is_dropped_alone),
		own(piece_that_overlaps_discards_all),
		own(pieces_that_disagree_on_the_end_discard_all),
		own(piece_of_impossible_length_is_bad),
		own(datagram_of_greatest_size_is_whole),
		own(datagram_with_a_longer_first_header_is_bounded),
		own(datagram_in_too_many_pieces_is_dropped),
		own(memory_is_bounded_by_high_thresh),
		own(datagram_unfinished_times_out_and_says_so),
		shared(datagram_unfinished_on_shared_times_out_silently),
		own(ecn_of_the_pieces_is_joined),
		own(free_with_pieces_waiting_leaks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
