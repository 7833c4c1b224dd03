/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_rareopts.h - socket options that few programs set, kept out of the connection.
 *
 * Sockets that have the same share one object: all that set none the defaults, the children of a
 * listener the listener's.  Who sets one gets an object of its own first, so one that is shared never changes.
 */
#ifndef XTCP_TCP_RAREOPTS_H
#define XTCP_TCP_RAREOPTS_H

#include "conntab.h"
#include "ip.h"

struct tcp_conn;

/* Zero is Linux's default unless said. */
struct tcp_rareopts {
	uint32_t nusers;              /* sockets that have it; those that have the defaults aren't counted */
	int32_t linger2_s;            /* TCP_LINGER2: 0: tcp_fin_timeout, -1: none */
	uint32_t notsent_lowat;       /* 0: the setting's */
	uint32_t window_clamp;        /* TCP_WINDOW_CLAMP, 0: none */
	uint32_t rto_min_us, rto_max_ms;      /* 0: the setting's */
	uint32_t delack_max_us;       /* 0: 200 ms */
	uint32_t mark;
	uint64_t max_pacing_rate;     /* bytes/s, ~0, the default: none */
	uint32_t inert;               /* what changes nothing here (enum inert), as a difference
	                               * from the defaults */
	int32_t busy_poll;            /* SO_BUSY_POLL, kept only */
	int32_t unicast_if;           /* IP_UNICAST_IF, kept only; wire order */
	struct port_range port_range; /* IP_LOCAL_PORT_RANGE; lo or hi 0: the setting's */
	uint8_t min_ttl;              /* IP_MINTTL: segments with less are dropped, 0: none is */
	struct ip_optset ip_opts;     /* IP_OPTIONS */
};

extern const struct tcp_rareopts tcp_rareopts_default;

/* The object of c alone, to be written to; NULL: no memory, and nothing has changed. */
struct tcp_rareopts *tcp_rareopts_own(struct tcp_conn *c);
/* c has got its opt by a copy of another socket's. */
void tcp_rareopts_share(struct tcp_conn *c);
/* c has none any more. */
void tcp_rareopts_drop(struct tcp_conn *c);
/* IP_OPTIONS, or what the peer's SYN had: 0 or -ENOMEM. */
int tcp_set_ip_opts(struct tcp_conn *c, const struct ip_optset *o);

#endif
