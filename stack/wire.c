/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire.c - link, ARP, IPv4 and ICMP headers, and the internet checksum.
 *
 * The checksum is the same in any byte order but for a swap of the result
 * (RFC 1071 2 B), so the bytes are added as native 64-bit words with the carry
 * brought around, and the folded sum is turned into wire order once at the end.
 */
#include "wire.h"

#include "counters.h"

enum { ARP_HTYPE_ETHER = 1 };
enum { IP_VERSION = 4, IP_FLAG_DF = 0x4000, IP_FLAG_MF = 0x2000, IP_OFFSET_MASK = 0x1fff };

int eth_parse(const uint8_t *p, size_t len, struct eth_hdr *h)
{
	if (len < ETH_LEN)
		return CTR_eth_short;
	memcpy(h->dst, p, MAC_LEN);
	memcpy(h->src, p + MAC_LEN, MAC_LEN);
	h->type = get_be16(p + 2 * MAC_LEN);
	return CTR_NONE;
}

size_t eth_emit(uint8_t p[ETH_LEN], const struct eth_hdr *h)
{
	memcpy(p, h->dst, MAC_LEN);
	memcpy(p + MAC_LEN, h->src, MAC_LEN);
	put_be16(p + 2 * MAC_LEN, h->type);
	return ETH_LEN;
}

int arp_parse(const uint8_t *p, size_t len, struct arp_pkt *a)
{
	if (len < ARP_LEN)
		return CTR_arp_short;
	if (get_be16(p) != ARP_HTYPE_ETHER || get_be16(p + 2) != ETHTYPE_IPV4 ||
	    p[4] != MAC_LEN || p[5] != sizeof(ip4))
		return CTR_arp_bad;
	a->op = get_be16(p + 6);
	if (a->op != ARP_REQUEST && a->op != ARP_REPLY)
		return CTR_arp_bad;
	memcpy(a->sender_mac, p + 8, MAC_LEN);
	a->sender_ip = get_be32(p + 14);
	memcpy(a->target_mac, p + 18, MAC_LEN);
	a->target_ip = get_be32(p + 24);
	return CTR_NONE;
}

size_t arp_emit(uint8_t p[ARP_LEN], const struct arp_pkt *a)
{
	put_be16(p, ARP_HTYPE_ETHER);
	put_be16(p + 2, ETHTYPE_IPV4);
	p[4] = MAC_LEN;
	p[5] = sizeof(ip4);
	put_be16(p + 6, a->op);
	memcpy(p + 8, a->sender_mac, MAC_LEN);
	put_be32(p + 14, a->sender_ip);
	memcpy(p + 18, a->target_mac, MAC_LEN);
	put_be32(p + 24, a->target_ip);
	return ARP_LEN;
}

int ip_parse_quote(const uint8_t *p, size_t len, struct ip_hdr *h)
{
	uint16_t frag;

	if (len < IP_LEN_MIN)
		return CTR_ip_short;
	if (p[0] >> 4 != IP_VERSION)
		return CTR_ip_version;
	h->hdr_len = (uint8_t)((p[0] & 0x0f) * 4);
	if (h->hdr_len < IP_LEN_MIN || h->hdr_len > len)
		return CTR_ip_hdr_len;
	h->tos = p[1];
	h->total_len = get_be16(p + 2);
	h->id = get_be16(p + 4);
	frag = get_be16(p + 6);
	h->is_df = frag & IP_FLAG_DF;
	h->has_more = frag & IP_FLAG_MF;
	h->frag_off = (uint16_t)((frag & IP_OFFSET_MASK) * 8);
	h->ttl = p[8];
	h->proto = p[9];
	h->src = get_be32(p + 12);
	h->dst = get_be32(p + 16);
	h->opt_len = (uint8_t)(h->hdr_len - IP_LEN_MIN);
	if (h->opt_len)
		memcpy(h->opts, p + IP_LEN_MIN, h->opt_len);
	return CTR_NONE;
}

int ip_parse(const uint8_t *p, size_t len, struct ip_hdr *h)
{
	int err = ip_parse_quote(p, len, h);

	if (err)
		return err;
	/* The order of Linux's ip_rcv_core(): checksum before length. */
	if (csum_fold(csum_add(0, p, h->hdr_len)))
		return CTR_ip_csum;
	if (h->total_len > len)
		return CTR_ip_truncated;
	if (h->total_len < h->hdr_len)
		return CTR_ip_total_len;
	return CTR_NONE;
}

size_t ip_emit(uint8_t p[IP_LEN_MAX], const struct ip_hdr *h)
{
	size_t opt_len = (h->opt_len + 3u) & ~3u;
	size_t hdr_len = IP_LEN_MIN + opt_len;
	uint16_t first = (uint16_t)((IP_VERSION << 4 | hdr_len / 4) << 8 | h->tos);
	uint16_t frag = (uint16_t)(h->frag_off / 8 | (h->is_df ? IP_FLAG_DF : 0) |
	                           (h->has_more ? IP_FLAG_MF : 0));
	uint16_t ttl_proto = (uint16_t)(h->ttl << 8 | h->proto);
	/* Summed from the values: reading back in words what was just written in halves
	 * stalls the processor, which showed in the cost of a frame. */
	uint32_t sum = (uint32_t)first + h->total_len + h->id + frag + ttl_proto +
	               (h->src >> 16) + (h->src & 0xffff) + (h->dst >> 16) + (h->dst & 0xffff);

	if (opt_len) {
		memcpy(p + IP_LEN_MIN, h->opts, h->opt_len);
		memset(p + IP_LEN_MIN + h->opt_len, 0, opt_len - h->opt_len);
		sum = csum_add(sum, p + IP_LEN_MIN, opt_len);
	}
	put_be16(p, first);
	put_be16(p + 2, h->total_len);
	put_be16(p + 4, h->id);
	put_be16(p + 6, frag);
	put_be16(p + 8, ttl_proto);
	put_be16(p + 10, csum_fold(sum));
	put_be32(p + 12, h->src);
	put_be32(p + 16, h->dst);
	return hdr_len;
}

int icmp_parse(const uint8_t *p, size_t len, struct icmp_hdr *h)
{
	if (len < ICMP_LEN)
		return CTR_icmp_short;
	if (csum_fold(csum_add(0, p, len)))
		return CTR_icmp_csum;
	h->type = p[0];
	h->code = p[1];
	h->rest = get_be32(p + 4);
	return CTR_NONE;
}

size_t icmp_emit(uint8_t p[ICMP_LEN], const struct icmp_hdr *h, const uint8_t *body, size_t body_len)
{
	p[0] = h->type;
	p[1] = h->code;
	put_be16(p + 2, 0);
	put_be32(p + 4, h->rest);
	put_be16(p + 2, csum_fold(csum_add(csum_add(0, p, ICMP_LEN), body, body_len)));
	return ICMP_LEN;
}

/* ---- checksum ---- */

static uint64_t load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* One's complement addition: the carry comes around. */
static uint64_t add64(uint64_t a, uint64_t b)
{
	uint64_t sum = a + b;

	return sum + (sum < b);
}

static uint16_t fold64(uint64_t v)
{
	v = (v & 0xffffffff) + (v >> 32);
	v = (v & 0xffffffff) + (v >> 32);
	v = (v & 0xffff) + (v >> 16);
	v = (v & 0xffff) + (v >> 16);
	return (uint16_t)v;
}

static uint16_t native_to_wire(uint16_t v)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return __builtin_bswap16(v);
#else
	return v;
#endif
}

/* Four sums side by side, so that the additions don't wait for one another. */
static uint64_t sum_blocks(const uint8_t *p, size_t blocks)
{
	uint64_t a = 0, b = 0, c = 0, d = 0;

	for (; blocks > 0; blocks--, p += 32) {
		a = add64(a, load64(p));
		b = add64(b, load64(p + 8));
		c = add64(c, load64(p + 16));
		d = add64(d, load64(p + 24));
	}
	return add64(add64(a, b), add64(c, d));
}

uint32_t csum_add(uint32_t sum, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	uint64_t acc = sum_blocks(p, len / 32);
	uint32_t folded;

	p += len / 32 * 32;
	len %= 32;
	for (; len >= 8; len -= 8, p += 8)
		acc = add64(acc, load64(p));
	if (len > 0) {
		uint8_t tail[8] = { 0 };

		/* An odd last byte counts as if a zero followed (RFC 1071 4.1). */
		memcpy(tail, p, len);
		acc = add64(acc, load64(tail));
	}
	folded = native_to_wire(fold64(acc));
	return sum + folded < folded ? sum + folded + 1 : sum + folded;
}

uint16_t csum_fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

uint32_t csum_pseudo(ip4 src, ip4 dst, uint8_t proto, size_t l4_len)
{
	return (src >> 16) + (src & 0xffff) + (dst >> 16) + (dst & 0xffff) + proto +
	       (uint32_t)(l4_len >> 16) + (uint32_t)(l4_len & 0xffff);
}
