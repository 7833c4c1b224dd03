/* SPDX-License-Identifier: BSD-2-Clause */
/* both_arp.h - ARP in the scripts of both.h: hosts with link addresses, where the first step is "ethernet". */
#ifndef XTCP_TESTS_BOTH_ARP_H
#define XTCP_TESTS_BOTH_ARP_H

#include "stack/wire.h"

/* 02:00:00:00:00:01 is ours, 02:00:00:00:01:0N the peer's, N a digit; 0 usually. */
extern const uint8_t both_mac_us[MAC_LEN];
void both_mac_peer(uint8_t mac[MAC_LEN], unsigned n);

/* The frame of a step "arp OP SENDER TARGET us|all N": N is the peer's link address as the sender's. */
size_t both_arp_make(const char *step, uint8_t *frame);
/* An ARP frame of ours in words. */
void both_arp_text(const uint8_t *frame, size_t len, char *text, size_t size);
/* A link header in front of an IP packet for us. */
void both_link_put(uint8_t *frame);

#endif
