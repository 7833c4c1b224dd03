/* SPDX-License-Identifier: BSD-2-Clause */
/* both_arp.c - see both_arp.h. */
#include "both_arp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const uint8_t both_mac_us[MAC_LEN] = { 2, 0, 0, 0, 0, 1 };

void both_mac_peer(uint8_t mac[MAC_LEN], unsigned n)
{
	memset(mac, 0, MAC_LEN);
	mac[0] = 2;
	mac[4] = 1;
	mac[5] = (uint8_t)n;
}

static size_t put_header(uint8_t *frame, const uint8_t *dst, const uint8_t *src, uint16_t type)
{
	struct eth_hdr eth = { .type = type };

	memcpy(eth.dst, dst, MAC_LEN);
	memcpy(eth.src, src, MAC_LEN);
	eth_emit(frame, &eth);
	return ETH_LEN;
}

size_t both_arp_make(const char *step, uint8_t *frame)
{
	static const uint8_t all[MAC_LEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	struct arp_pkt a = { 0 };
	unsigned op, n;
	uint8_t s[4], t[4];
	char to[8];

	if (sscanf(step, "arp %u %hhu.%hhu.%hhu.%hhu %hhu.%hhu.%hhu.%hhu %7s %u", &op, &s[0], &s[1], &s[2], &s[3],
	           &t[0], &t[1], &t[2], &t[3], to, &n) != 11) {
		fprintf(stderr, "%s\n", step);
		exit(99);
	}
	a.op = (uint16_t)op;
	a.sender_ip = get_be32(s);
	a.target_ip = get_be32(t);
	both_mac_peer(a.sender_mac, n);
	if (op == ARP_REPLY)
		memcpy(a.target_mac, both_mac_us, MAC_LEN);
	put_header(frame, strcmp(to, "all") ? both_mac_us : all, a.sender_mac, ETHTYPE_ARPV4);
	arp_emit(frame + ETH_LEN, &a);
	return ETH_LEN + ARP_LEN;
}

static const char *mac_name(const uint8_t mac[MAC_LEN])
{
	static char names[4][20];
	static unsigned next;
	char *p = names[next++ % 4];

	snprintf(p, 20, "%02x:%02x:%02x", mac[0], mac[4], mac[5]);
	return p;
}

void both_arp_text(const uint8_t *frame, size_t len, char *text, size_t size)
{
	struct eth_hdr eth;
	struct arp_pkt a;

	if (eth_parse(frame, len, &eth) || arp_parse(frame + ETH_LEN, len - ETH_LEN, &a)) {
		snprintf(text, size, "a bad ARP packet");
		return;
	}
	snprintf(text, size, "arp %u sender %08x %s target %08x %s to %s", a.op, a.sender_ip, mac_name(a.sender_mac),
	         a.target_ip, mac_name(a.target_mac), mac_name(eth.dst));
}

void both_link_put(uint8_t *frame)
{
	uint8_t mac[MAC_LEN];

	both_mac_peer(mac, 0);
	put_header(frame, both_mac_us, mac, ETHTYPE_IPV4);
}
