/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_wire.c - headers: any bytes into every parser, any value through every emitter.
 *
 * A parser reads no byte behind the end and gives a value that is valid; what an emitter makes of
 * it is parsed to the same value again; the emitters never write more than they say.
 * Checksums: the fast sum is the sum of RFC 1071 as it is written there, for every way
 * to cut the bytes into pieces.
 */
#include <string.h>

#include "fuzz_in.h"
#include "stack/wire.h"
#include "stack/wire_tcp.h"

#define GUARD 0xa5
#define GUARD_LEN 16

/* The guard bytes behind what was written are untouched. */
static void check_guard(const uint8_t *p)
{
	for (size_t i = 0; i < GUARD_LEN; i++)
		fuzz_require(p[i] == GUARD, "written beyond the end");
}

static void ethernet(const uint8_t *p, size_t len)
{
	struct eth_hdr h, again;
	uint8_t out[ETH_LEN + GUARD_LEN];

	if (eth_parse(p, len, &h))
		return;
	memset(out, GUARD, sizeof(out));
	fuzz_require(eth_emit(out, &h) == ETH_LEN && !memcmp(out, p, ETH_LEN), "Ethernet differs");
	check_guard(out + ETH_LEN);
	fuzz_require(!eth_parse(out, ETH_LEN, &again) && again.type == h.type, "Ethernet parsed differs");
}

static void arp(const uint8_t *p, size_t len)
{
	struct arp_pkt a;
	uint8_t out[ARP_LEN + GUARD_LEN];

	if (arp_parse(p, len, &a))
		return;
	fuzz_require(a.op == ARP_REQUEST || a.op == ARP_REPLY, "ARP operation");
	memset(out, GUARD, sizeof(out));
	fuzz_require(arp_emit(out, &a) == ARP_LEN && !memcmp(out, p, ARP_LEN), "ARP differs");
	check_guard(out + ARP_LEN);
}

static void ip_again(const struct ip_hdr *h)
{
	uint8_t out[IP_LEN_MAX + GUARD_LEN];
	struct ip_hdr again;
	size_t n;

	memset(out, GUARD, sizeof(out));
	n = ip_emit(out, h);
	fuzz_require(n == h->hdr_len, "IP header length");
	check_guard(out + n);
	fuzz_require(csum_fold(csum_add(0, out, n)) == 0, "IP checksum");
	fuzz_require(!ip_parse_quote(out, n, &again), "IP is not parsed again");
	fuzz_require(again.src == h->src && again.dst == h->dst && again.total_len == h->total_len &&
	             again.id == h->id && again.frag_off == h->frag_off && again.is_df == h->is_df &&
	             again.has_more == h->has_more && again.tos == h->tos && again.ttl == h->ttl &&
	             again.proto == h->proto && again.opt_len == h->opt_len &&
	             !memcmp(again.opts, h->opts, h->opt_len), "IP differs");
}

static void ip(const uint8_t *p, size_t len)
{
	struct ip_hdr h;

	if (!ip_parse_quote(p, len, &h))
		ip_again(&h);
	if (ip_parse(p, len, &h))
		return;
	fuzz_require(h.hdr_len >= IP_LEN_MIN && h.hdr_len <= h.total_len && h.total_len <= len, "IP lengths");
	ip_again(&h);
}

static void icmp(const uint8_t *p, size_t len)
{
	struct icmp_hdr h, again;
	uint8_t *out;

	if (len < ICMP_LEN)
		return;
	out = malloc(len);
	if (!out)
		return;
	memcpy(out, p, len);
	h = (struct icmp_hdr){ .type = p[0], .code = p[1], .rest = get_be32(p + 4) };
	icmp_emit(out, &h, p + ICMP_LEN, len - ICMP_LEN);
	fuzz_require(!icmp_parse(out, len, &again), "ICMP is not parsed again");
	fuzz_require(again.type == h.type && again.code == h.code && again.rest == h.rest, "ICMP differs");
	out[len - 1] ^= 0x10;
	fuzz_require(icmp_parse(out, len, &again), "ICMP checksum");
	free(out);
}

static bool same_options(const struct tcp_hdr *a, const struct tcp_hdr *b)
{
	if (a->has_mss != b->has_mss || a->has_wscale != b->has_wscale || a->sack_permitted != b->sack_permitted ||
	    a->has_ts != b->has_ts || a->has_fastopen != b->has_fastopen || a->nsack != b->nsack)
		return false;
	if ((a->has_mss && a->mss != b->mss) || (a->has_wscale && a->wscale != b->wscale) ||
	    (a->has_ts && (a->tsval != b->tsval || a->tsecr != b->tsecr)))
		return false;
	if (a->has_fastopen && (a->fastopen_exp != b->fastopen_exp || a->fastopen_len != b->fastopen_len ||
	                        memcmp(a->fastopen, b->fastopen, a->fastopen_len)))
		return false;
	for (unsigned i = 0; i < a->nsack; i++)
		if (a->sack[i].start != b->sack[i].start || a->sack[i].end != b->sack[i].end)
			return false;
	return true;
}

static void tcp(const uint8_t *p, size_t len)
{
	struct tcp_hdr h, again;
	uint8_t out[TCP_LEN_MAX + GUARD_LEN];
	size_t n;

	if (tcp_parse(p, len, &h))
		return;
	fuzz_require(h.hdr_len >= TCP_LEN_MIN && h.hdr_len <= len, "TCP header length");
	fuzz_require(h.nsack <= 4 && h.fastopen_len <= TCP_FASTOPEN_MAX && h.wscale <= TCP_WSCALE_MAX &&
	             (!h.has_mss || h.mss), "TCP option values");
	fuzz_require(h.flags & TCPF_SYN || !(h.has_mss || h.has_wscale || h.sack_permitted || h.has_fastopen),
	             "an option that counts on a SYN only");
	n = tcp_options_len(&h);
	if (n > TCP_LEN_MAX - TCP_LEN_MIN)
		return;   /* packed closer than we pack them */
	memset(out, GUARD, sizeof(out));
	fuzz_require(tcp_emit(out, &h) == TCP_LEN_MIN + n && n % 4 == 0, "TCP length");
	check_guard(out + TCP_LEN_MIN + n);
	fuzz_require(!tcp_parse(out, TCP_LEN_MIN + n, &again), "TCP is not parsed again");
	fuzz_require(again.sport == h.sport && again.dport == h.dport && again.seq == h.seq && again.ack == h.ack &&
	             again.flags == h.flags && again.wnd == h.wnd && again.urg == h.urg, "TCP differs");
	fuzz_require(same_options(&h, &again), "TCP options differ");
	tcp_set_csum(out, csum_fold(csum_add(csum_pseudo(1, 2, PROTO_TCP, TCP_LEN_MIN + n), out, TCP_LEN_MIN + n)));
	fuzz_require(tcp_csum_ok(1, 2, out, TCP_LEN_MIN + n), "TCP checksum");
}

/* RFC 1071 1. */
static uint16_t slow_sum(const uint8_t *p, size_t len)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (uint64_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Zero has two forms in one's complement. */
static bool same_sum(uint16_t a, uint16_t b)
{
	return a == b || ((a == 0 || a == 0xffff) && (b == 0 || b == 0xffff));
}

static void checksum(const uint8_t *p, size_t len, size_t cut)
{
	uint16_t want = slow_sum(p, len);
	uint32_t rest;

	fuzz_require(same_sum(csum_fold(csum_add(0, p, len)), want), "the sum is wrong");
	if (cut > len)
		return;
	rest = csum_add(0, p + cut, len - cut);
	if (cut % 2)
		rest = csum_swap(rest);
	fuzz_require(same_sum(csum_fold(csum_add(0, p, cut) + (uint16_t)~csum_fold(rest)), want), "the sum of pieces is wrong");
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct fuzz_in in = { p, len };
	uint8_t what = fuzz_u8(&in);

	switch (what % 8) {
	case 0:
		ethernet(in.p, in.len);
		break;
	case 1:
		arp(in.p, in.len);
		break;
	case 2: case 3:
		ip(in.p, in.len);
		break;
	case 4:
		icmp(in.p, in.len);
		break;
	case 5: case 6:
		tcp(in.p, in.len);
		break;
	default:
		checksum(in.p, in.len, what >> 3);
		break;
	}
	return 0;
}
