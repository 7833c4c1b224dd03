/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire.h - link, ARP, IPv4 and ICMP headers: bytes to values and back.
 *
 * A parser takes bytes and a length and gives a value or the reason why there
 * is none, as a counter of counters.def (0 is success): a value that exists is
 * valid.  An emitter writes exactly the bytes of a valid value; parse(emit(x))
 * is x.  Buffers are never cast to structs.
 */
#ifndef XTCP_WIRE_H
#define XTCP_WIRE_H

#include <string.h>

#include "base.h"

static inline uint16_t get_be16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }
static inline uint32_t get_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline void put_be16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}
static inline void put_be32(uint8_t *p, uint32_t v)
{
	put_be16(p, (uint16_t)(v >> 16));
	put_be16(p + 2, (uint16_t)v);
}

#define MAC_LEN 6

#define ETH_LEN 14
enum { ETHTYPE_IPV4 = 0x0800, ETHTYPE_ARPV4 = 0x0806 };

struct eth_hdr {
	uint8_t dst[MAC_LEN], src[MAC_LEN];
	uint16_t type;
};

int eth_parse(const uint8_t *p, size_t len, struct eth_hdr *h);
size_t eth_emit(uint8_t p[ETH_LEN], const struct eth_hdr *h);

/* RFC 826 for Ethernet and IPv4. */
#define ARP_LEN 28
enum { ARP_REQUEST = 1, ARP_REPLY = 2 };

struct arp_pkt {
	uint16_t op;                        /* ARP_REQUEST or ARP_REPLY */
	uint8_t sender_mac[MAC_LEN], target_mac[MAC_LEN];
	ip4 sender_ip, target_ip;
};

int arp_parse(const uint8_t *p, size_t len, struct arp_pkt *a);
size_t arp_emit(uint8_t p[ARP_LEN], const struct arp_pkt *a);

/* RFC 791. */
#define IP_LEN_MIN 20
#define IP_LEN_MAX 60
#define IP_OPT_MAX 40
#define IP_TOTAL_MAX 65535u   /* header and payload */
#define IP_MTU_MIN 68u        /* RFC 791 3.2: every link carries that much */
enum { PROTO_ICMP = 1, PROTO_TCP = 6, PROTO_UDP = 17 };

struct ip_hdr {
	ip4 src, dst;
	uint16_t total_len;                 /* header and payload, bytes */
	uint16_t id;
	uint16_t frag_off;                  /* bytes, a multiple of 8 */
	bool is_df, has_more;               /* DF and MF bits */
	uint8_t tos, ttl, proto;
	uint8_t hdr_len;                    /* bytes, 20 to 60 */
	uint8_t opt_len;                    /* hdr_len - 20 */
	uint8_t opts[IP_OPT_MAX];           /* the options as they stand on the wire */
};

/* Checks version, lengths, the header checksum and that len bytes hold
 * total_len; bytes behind total_len are link padding. */
int ip_parse(const uint8_t *p, size_t len, struct ip_hdr *h);
/* The header that an ICMP error quotes: routers have changed it (TTL, checksum)
 * and cut its payload off, so only version and header length are checked. */
int ip_parse_quote(const uint8_t *p, size_t len, struct ip_hdr *h);
/* Computes hdr_len from opt_len (padding the options with EOL to a multiple
 * of 4) and the checksum; returns the header's length. */
size_t ip_emit(uint8_t p[IP_LEN_MAX], const struct ip_hdr *h);

/* RFC 792.  `rest` is the second word as it stands (gateway, next-hop MTU,
 * identifier and sequence number); the body is what follows it. */
#define ICMP_LEN 8
enum icmp_type {
	ICMP_ECHO_REPLY = 0,
	ICMP_UNREACH = 3,
	ICMP_QUENCH = 4,
	ICMP_REDIRECT = 5,
	ICMP_ECHO = 8,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAM_PROBLEM = 12,
	ICMP_TIMESTAMP = 13,
	ICMP_TIMESTAMP_REPLY = 14,
	ICMP_TYPE_MAX = 18,           /* Linux NR_ICMP_TYPES */
};
/* Codes of ICMP_UNREACH and ICMP_TIME_EXCEEDED. */
enum {
	ICMP_UNREACH_PROTO = 2,
	ICMP_UNREACH_PORT = 3,
	ICMP_UNREACH_NEEDFRAG = 4,
	ICMP_UNREACH_MAX = 15,
	ICMP_EXCEEDED_REASSEMBLY = 1,
};
#define ICMP_QUOTE_MIN 8      /* payload bytes that an error quotes at least */
struct icmp_hdr {
	uint8_t type, code;
	uint32_t rest;
};

int icmp_parse(const uint8_t *p, size_t len, struct icmp_hdr *h);   /* checks the checksum over len */
/* Writes the header with the checksum over header and body; returns ICMP_LEN. */
size_t icmp_emit(uint8_t p[ICMP_LEN], const struct icmp_hdr *h, const uint8_t *body, size_t body_len);

/* RFC 1071.  csum_add() carries a running, unfolded sum over pieces; every piece
 * but the last must have an even length.  csum_fold() gives the complemented
 * 16 bits for the checksum field, as a host-order number to put_be16(). */
uint32_t csum_add(uint32_t sum, const void *p, size_t len);
uint16_t csum_fold(uint32_t sum);
/* The sum of bytes that begin at an odd offset, folded to 16 bits. */
static inline uint32_t csum_swap(uint32_t sum)
{
	uint16_t v = (uint16_t)~csum_fold(sum);

	return (uint32_t)(uint16_t)(v << 8 | v >> 8);
}
/* The sum over TCP's or UDP's pseudo header (not complemented). */
uint32_t csum_pseudo(ip4 src, ip4 dst, uint8_t proto, size_t l4_len);

#endif
