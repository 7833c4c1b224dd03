/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire_tcp.h - the TCP header and its options: bytes to a value and back.
 *
 * Options that make no sense (bad lengths, an MSS of zero) are ignored one by one
 * as Linux's tcp_parse_options() does, a window scale above 14 is taken as 14
 * (RFC 7323 2.3); a header whose data offset is impossible is no header at all.
 * MSS, window scale, SACK-permitted and Fast Open count on SYN segments only.
 */
#ifndef XTCP_WIRE_TCP_H
#define XTCP_WIRE_TCP_H

#include "base.h"

#define TCP_LEN_MIN 20
#define TCP_LEN_MAX 60

enum {
	TCPF_FIN = 0x001,
	TCPF_SYN = 0x002,
	TCPF_RST = 0x004,
	TCPF_PSH = 0x008,
	TCPF_ACK = 0x010,
	TCPF_URG = 0x020,
	TCPF_ECE = 0x040,
	TCPF_CWR = 0x080,
	TCPF_AE = 0x100,
};

#define TCP_WSCALE_MAX 14
#define TCP_FASTOPEN_MAX 16

struct tcp_sack_block {
	seq32 start, end;
};

struct tcp_hdr {
	uint16_t sport, dport;
	seq32 seq, ack;
	uint16_t flags;             /* TCPF_* */
	uint16_t wnd;               /* as on the wire, not scaled */
	uint16_t urg;
	uint8_t hdr_len;            /* bytes, options included; set by parse and emit */
	/* Options; each is present only when its flag says so. */
	bool has_mss, has_wscale, sack_permitted, has_ts, has_fastopen;
	uint8_t wscale;
	uint16_t mss;
	uint32_t tsval, tsecr;
	bool fastopen_exp;          /* in the experimental option of before RFC 7413 (RFC 6994) */
	uint8_t fastopen_len;       /* cookie bytes: 0 (a request), or 4 to 16 */
	uint8_t nsack;              /* 0 to 4 */
	uint8_t fastopen[TCP_FASTOPEN_MAX];
	struct tcp_sack_block sack[4];
};

/* 0 or a drop reason of counters.def.  Checks the data offset against len; the
 * checksum is the caller's (tcp_csum_ok). */
int tcp_parse(const uint8_t *p, size_t len, struct tcp_hdr *h);

/* True when the checksum over pseudo header and segment is right. */
bool tcp_csum_ok(ip4 src, ip4 dst, const uint8_t *p, size_t len);

/* Bytes that the options of h take, in the order and with the padding that
 * Linux's tcp_options_write() uses: a multiple of 4. */
size_t tcp_options_len(const struct tcp_hdr *h);

/* Writes header and options, with a checksum field of zero; returns the length.
 * The options must fit (tcp_options_len() <= 40). */
size_t tcp_emit(uint8_t p[TCP_LEN_MAX], const struct tcp_hdr *h);

/* Sets the checksum field of an emitted header. */
void tcp_set_csum(uint8_t *p, uint16_t csum);

#endif
