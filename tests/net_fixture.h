/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * net_fixture.h - a stack on an Ethernet with fake TCP, for tests of IP, ICMP and ARP.
 *
 *   us 10.0.0.1/24, own or shared, MAC_US --- peer 10.0.0.2, MAC_PEER
 *                                        `--- gateway 10.0.0.254 (the default route)
 */
#ifndef XTCP_TESTS_NET_FIXTURE_H
#define XTCP_TESTS_NET_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fake_tcp.h"
#include "stack/stack_impl.h"

#define IP(a, b, c, d) ((ip4)(a) << 24 | (ip4)(b) << 16 | (ip4)(c) << 8 | (ip4)(d))
#define US IP(10, 0, 0, 1)
#define PEER IP(10, 0, 0, 2)
#define GATEWAY IP(10, 0, 0, 254)
#define FAR IP(192, 0, 2, 7)

extern const uint8_t mac_us[MAC_LEN], mac_peer[MAC_LEN], mac_all[MAC_LEN];

struct net {
	struct stack *s;
	xtime now;
	int iface;
	struct frame_out f;        /* the frame that net_output() gave */
	uint8_t bytes[70000];      /* all of it, one after the other */
	size_t len;
	struct eth_hdr eth;
};

/* cmocka's set-up and tear-down: *state is a struct net; with an own address, or shared. */
int net_setup_own(void **state);
int net_setup_shared(void **state);
int net_teardown(void **state);

/* The peer's MAC address is known from now on. */
void net_know(struct net *n, ip4 ip, const uint8_t *mac);

void net_input(struct net *n, const uint8_t *dst, uint16_t type, const uint8_t *p, size_t len);
/* An IP packet with this header (total_len, hdr_len are set) and payload. */
void net_input_ip(struct net *n, struct ip_hdr h, const uint8_t *l4, size_t len);
/* An ordinary header from the peer to us. */
struct ip_hdr net_hdr(uint8_t proto);
void net_input_arp(struct net *n, const uint8_t *dst, const struct arp_pkt *a);

/* The next frame, parsed as far as the link header; false: none. */
bool net_output(struct net *n);
/* The next frame must be an IP packet (returned) or an ARP packet. */
struct ip_hdr net_expect_ip(struct net *n, const uint8_t **l4, size_t *len);
struct arp_pkt net_expect_arp(struct net *n);
void net_expect_silence(struct net *n);
/* Lets time pass, timers included, up to now + span. */
void net_pass(struct net *n, xtime span);
uint64_t net_count(const struct net *n, enum counter c);

#endif
