/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_tcp.h - in place of TCP, for tests of what lies below it: remembers what it was told
 * and sends what it was given.
 */
#ifndef XTCP_TESTS_FAKE_TCP_H
#define XTCP_TESTS_FAKE_TCP_H

#include "stack/tcp_impl.h"

struct fake_tcp {
	unsigned inputs, icmps, timers, tw_timers, neigh_ups, neigh_downs;
	/* The latest of each. */
	struct ip_hdr ip;
	uint8_t seg[2048];
	size_t len;
	struct tuple icmp_tuple;
	seq32 icmp_seq;
	uint8_t icmp_type, icmp_code;
	uint32_t icmp_mtu;
};

extern struct fake_tcp fake;

/* A connection of which only the links are real: it has `frames` frames to send. */
struct fake_conn {
	struct tcp_conn c;
	unsigned frames;
	uint8_t tag;               /* in the frames' first byte */
};
void fake_conn_init(struct fake_conn *fc, struct stack *s, uint8_t tag);

#endif
