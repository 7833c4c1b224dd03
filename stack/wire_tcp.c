/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire_tcp.c - TCP header and options.
 *
 * What a peer (or a fingerprint) sees of the options is their order and padding,
 * so both are exactly those of Linux's tcp_options_write().  Each option is
 * padded to a multiple of four where it stands:
 *
 *   SYN       MSS(4) [SACK-permitted(2) timestamps(10) | NOP NOP timestamps]
 *             [NOP NOP SACK-permitted] NOP window-scale(3) fast-open
 *   others    NOP NOP timestamps(10), NOP NOP SACK(2 + 8n)
 */
#include "wire_tcp.h"

#include "counters.h"
#include "wire.h"

enum tcp_opt_kind {
	OPT_EOL = 0,
	OPT_NOP = 1,
	OPT_MSS = 2,
	OPT_WSCALE = 3,
	OPT_SACK_PERMITTED = 4,
	OPT_SACK = 5,
	OPT_TS = 8,
	OPT_FASTOPEN = 34,
	OPT_EXP = 254,
};

enum {
	OPT_MSS_LEN = 4,
	OPT_WSCALE_LEN = 3,
	OPT_SACK_PERMITTED_LEN = 2,
	OPT_TS_LEN = 10,
	OPT_SACK_BASE = 2,
	OPT_SACK_BLOCK = 8,
	OPT_FASTOPEN_BASE = 2,
	OPT_EXP_FASTOPEN_BASE = 4,
	FASTOPEN_MIN = 4,
};

#define EXP_FASTOPEN_MAGIC 0xf989

static void parse_sack(struct tcp_hdr *h, const uint8_t *p, size_t len)
{
	size_t n = (len - OPT_SACK_BASE) / OPT_SACK_BLOCK;

	if (len < OPT_SACK_BASE + OPT_SACK_BLOCK || (len - OPT_SACK_BASE) % OPT_SACK_BLOCK)
		return;
	h->nsack = (uint8_t)n;
	for (size_t i = 0; i < n; i++) {
		h->sack[i].start = get_be32(p + OPT_SACK_BASE + i * OPT_SACK_BLOCK);
		h->sack[i].end = get_be32(p + OPT_SACK_BASE + i * OPT_SACK_BLOCK + 4);
	}
}

/* RFC 7413 4.1.1; an odd or impossible length is no cookie at all. */
static void parse_fastopen(struct tcp_hdr *h, const uint8_t *p, size_t len, size_t base)
{
	size_t cookie = len - base;

	if (cookie % 2 || (cookie > 0 && cookie < FASTOPEN_MIN) || cookie > TCP_FASTOPEN_MAX)
		return;
	h->has_fastopen = true;
	h->fastopen_len = (uint8_t)cookie;
	h->fastopen_exp = base == OPT_EXP_FASTOPEN_BASE;
	memcpy(h->fastopen, p + base, cookie);
}

static void parse_syn_option(struct tcp_hdr *h, const uint8_t *p, size_t len)
{
	switch (p[0]) {
	case OPT_MSS:
		if (len == OPT_MSS_LEN && get_be16(p + 2)) {
			h->has_mss = true;
			h->mss = get_be16(p + 2);
		}
		break;
	case OPT_WSCALE:
		if (len == OPT_WSCALE_LEN) {
			h->has_wscale = true;
			h->wscale = MIN(p[2], TCP_WSCALE_MAX);
		}
		break;
	case OPT_SACK_PERMITTED:
		if (len == OPT_SACK_PERMITTED_LEN)
			h->sack_permitted = true;
		break;
	case OPT_FASTOPEN:
		parse_fastopen(h, p, len, OPT_FASTOPEN_BASE);
		break;
	case OPT_EXP:
		if (len >= OPT_EXP_FASTOPEN_BASE && get_be16(p + 2) == EXP_FASTOPEN_MAGIC)
			parse_fastopen(h, p, len, OPT_EXP_FASTOPEN_BASE);
		break;
	default:
		break;
	}
}

static void parse_option(struct tcp_hdr *h, const uint8_t *p, size_t len)
{
	if (p[0] == OPT_TS) {
		if (len != OPT_TS_LEN)
			return;
		h->has_ts = true;
		h->tsval = get_be32(p + 2);
		h->tsecr = get_be32(p + 6);
	} else if (p[0] == OPT_SACK) {
		parse_sack(h, p, len);
	} else if (h->flags & TCPF_SYN) {
		parse_syn_option(h, p, len);
	}
}

/* What follows an option whose own length is impossible can't be found either. */
static void parse_options(struct tcp_hdr *h, const uint8_t *p, size_t len)
{
	while (len > 0) {
		size_t opt_len;

		if (p[0] == OPT_EOL)
			return;
		if (p[0] == OPT_NOP) {
			p++;
			len--;
			continue;
		}
		if (len < 2 || p[1] < 2 || p[1] > len)
			return;
		opt_len = p[1];
		parse_option(h, p, opt_len);
		p += opt_len;
		len -= opt_len;
	}
}

int tcp_parse(const uint8_t *p, size_t len, struct tcp_hdr *h)
{
	size_t hdr_len;

	if (len < TCP_LEN_MIN)
		return CTR_tcp_short;
	hdr_len = (size_t)(p[12] >> 4) * 4;
	if (hdr_len < TCP_LEN_MIN || hdr_len > len)
		return CTR_tcp_offset;
	memset(h, 0, sizeof(*h));
	h->sport = get_be16(p);
	h->dport = get_be16(p + 2);
	h->seq = get_be32(p + 4);
	h->ack = get_be32(p + 8);
	h->flags = (uint16_t)((p[12] & 1) << 8 | p[13]);
	h->wnd = get_be16(p + 14);
	h->urg = get_be16(p + 18);
	h->hdr_len = (uint8_t)hdr_len;
	parse_options(h, p + TCP_LEN_MIN, hdr_len - TCP_LEN_MIN);
	return CTR_NONE;
}

bool tcp_csum_ok(ip4 src, ip4 dst, const uint8_t *p, size_t len)
{
	return csum_fold(csum_add(csum_pseudo(src, dst, PROTO_TCP, len), p, len)) == 0;
}

size_t tcp_options_len(const struct tcp_hdr *h)
{
	size_t len = 0;

	if (h->has_mss)
		len += OPT_MSS_LEN;
	if (h->has_ts)
		len += 2 + OPT_TS_LEN;
	else if (h->sack_permitted)
		len += 2 + OPT_SACK_PERMITTED_LEN;
	if (h->has_wscale)
		len += 1 + OPT_WSCALE_LEN;
	if (h->nsack)
		len += 2 + OPT_SACK_BASE + (size_t)h->nsack * OPT_SACK_BLOCK;
	if (h->has_fastopen)
		len += ((h->fastopen_exp ? OPT_EXP_FASTOPEN_BASE : OPT_FASTOPEN_BASE) + h->fastopen_len + 3u) & ~3u;
	return len;
}

static uint8_t *emit_ts(uint8_t *p, const struct tcp_hdr *h)
{
	p[0] = h->sack_permitted ? OPT_SACK_PERMITTED : OPT_NOP;
	p[1] = h->sack_permitted ? OPT_SACK_PERMITTED_LEN : OPT_NOP;
	p[2] = OPT_TS;
	p[3] = OPT_TS_LEN;
	put_be32(p + 4, h->tsval);
	put_be32(p + 8, h->tsecr);
	return p + 2 + OPT_TS_LEN;
}

static uint8_t *emit_sack(uint8_t *p, const struct tcp_hdr *h)
{
	p[0] = p[1] = OPT_NOP;
	p[2] = OPT_SACK;
	p[3] = (uint8_t)(OPT_SACK_BASE + h->nsack * OPT_SACK_BLOCK);
	p += 4;
	for (unsigned i = 0; i < h->nsack; i++, p += OPT_SACK_BLOCK) {
		put_be32(p, h->sack[i].start);
		put_be32(p + 4, h->sack[i].end);
	}
	return p;
}

static uint8_t *emit_fastopen(uint8_t *p, const struct tcp_hdr *h)
{
	size_t base = h->fastopen_exp ? OPT_EXP_FASTOPEN_BASE : OPT_FASTOPEN_BASE;
	size_t len = base + h->fastopen_len;

	p[0] = h->fastopen_exp ? OPT_EXP : OPT_FASTOPEN;
	p[1] = (uint8_t)len;
	if (h->fastopen_exp)
		put_be16(p + 2, EXP_FASTOPEN_MAGIC);
	memcpy(p + base, h->fastopen, h->fastopen_len);
	for (p += len; len % 4; len++)
		*p++ = OPT_NOP;
	return p;
}

static void emit_options(uint8_t *p, const struct tcp_hdr *h)
{
	if (h->has_mss) {
		p[0] = OPT_MSS;
		p[1] = OPT_MSS_LEN;
		put_be16(p + 2, h->mss);
		p += OPT_MSS_LEN;
	}
	if (h->has_ts) {
		p = emit_ts(p, h);
	} else if (h->sack_permitted) {
		p[0] = p[1] = OPT_NOP;
		p[2] = OPT_SACK_PERMITTED;
		p[3] = OPT_SACK_PERMITTED_LEN;
		p += 2 + OPT_SACK_PERMITTED_LEN;
	}
	if (h->has_wscale) {
		p[0] = OPT_NOP;
		p[1] = OPT_WSCALE;
		p[2] = OPT_WSCALE_LEN;
		p[3] = h->wscale;
		p += 1 + OPT_WSCALE_LEN;
	}
	if (h->nsack)
		p = emit_sack(p, h);
	if (h->has_fastopen)
		emit_fastopen(p, h);
}

size_t tcp_emit(uint8_t p[TCP_LEN_MAX], const struct tcp_hdr *h)
{
	size_t hdr_len = TCP_LEN_MIN + tcp_options_len(h);

	put_be16(p, h->sport);
	put_be16(p + 2, h->dport);
	put_be32(p + 4, h->seq);
	put_be32(p + 8, h->ack);
	p[12] = (uint8_t)(hdr_len / 4 << 4 | (h->flags >> 8 & 1));
	p[13] = (uint8_t)h->flags;
	put_be16(p + 14, h->wnd);
	put_be16(p + 16, 0);
	put_be16(p + 18, h->urg);
	emit_options(p + TCP_LEN_MIN, h);
	return hdr_len;
}

void tcp_set_csum(uint8_t *p, uint16_t csum)
{
	put_be16(p + 16, csum);
}
