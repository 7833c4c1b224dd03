/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frag.h - reassembly of IPv4 datagrams (RFC 791 3.2, RFC 1122 3.3.2).
 */
#ifndef XTCP_FRAG_H
#define XTCP_FRAG_H

#include "wire.h"

struct stack;
struct timer;

/* Takes in a fragment: its header and *len bytes of payload.  When that makes a datagram
 * whole: its payload, which the caller frees; *ip and *len are the datagram's.  Else NULL,
 * and a fragment that was refused has been counted. */
uint8_t *frag_input(struct stack *s, struct ip_hdr *ip, const uint8_t *payload, size_t *len,
                    xtime now);

/* A datagram's timer (TIMER_FRAG) is due: ipfrag_time is over. */
void frag_timer(struct stack *s, struct timer *t, xtime now);

void frags_free(struct stack *s);

#endif
