/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_metrics.h - what earlier connections learned of a peer (Linux net/ipv4/tcp_metrics.c).
 *
 * Per pair of addresses: what a connection measured when it ended, for the next one's start, and
 * Fast Open's cookie.  Bounded: a chain of the hash table that has grown long gives its oldest.
 */
#ifndef XTCP_TCP_METRICS_H
#define XTCP_TCP_METRICS_H

#include "tcp_impl.h"

struct tcp_metrics {
	struct tcp_metrics *next;    /* hash chain; the table owns it */
	ip4 laddr, raddr;
	xtime stamp;                 /* when a connection left something here */
	uint32_t rtt8_us, rttvar4_us;     /* scaled by 8 and by 4; 0: not known, as all here */
	uint32_t ssthresh, cwnd, reordering;   /* segments */

	/* Fast Open (struct tcp_fastopen_metrics) */
	uint16_t fo_mss;             /* 0: not known */
	uint8_t fo_try_exp;          /* 1: no cookie came, ask by the experimental option once */
	struct tcp_fo_option fo_cookie;
};

/* tcp_get_metrics(): what is known of the pair.  NULL: nothing; with create only when memory is
 * short.  What was measured more than an hour ago has been forgotten. */
struct tcp_metrics *tcp_metrics_get(struct stack *s, ip4 laddr, ip4 raddr, bool create, xtime now);

/* tcp_init_metrics(): a connection is established; its first RTO, reordering and slow-start threshold. */
void tcp_metrics_apply(struct tcp_conn *c, xtime now);
/* tcp_update_metrics(): it ends in order. */
void tcp_metrics_save(struct tcp_conn *c, xtime now);
/* tcp_peer_is_proven(): an RTT to it was measured. */
bool tcp_metrics_is_proven(struct stack *s, ip4 laddr, ip4 raddr, xtime now);

/* The entry after prev (NULL: the first); NULL: there is none. */
const struct tcp_metrics *tcp_metrics_next(const struct stack *s, const struct tcp_metrics *prev);

#endif
