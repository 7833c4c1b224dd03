/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stack_impl.h - what a stack is made of; for the files of the core alone.
 *
 * Layers never call each other sideways: stack.c conducts.  What one part has to
 * tell another waits in a list of this struct until stack.c passes it on.
 */
#ifndef XTCP_STACK_IMPL_H
#define XTCP_STACK_IMPL_H

#include "conntab.h"
#include "ip.h"
#include "neigh.h"
#include "stack.h"
#include "timer.h"
#include "txdev.h"

#define STACK_IFACES_MAX 16

enum timer_kind {
	TIMER_CONN,        /* struct tcp_conn.timer */
	TIMER_TIMEWAIT,    /* struct tcp_tw.timer */
	TIMER_REQ,         /* struct tcp_req.timer */
	TIMER_NEIGH,       /* struct neigh.timer */
	TIMER_FRAG,        /* frag.c's */
};

struct local_addr {
	ip4 addr;
	uint8_t plen;
	bool is_own;
	int iface;
};

#define IP_IDENTS 64
#define ICMP_BUCKETS 64
#define ICMP_TYPES 256

/* A token bucket for outgoing ICMP; a token is a millisecond (icmp.c). */
struct icmp_bucket {
	uint32_t tokens;
	xtime stamp;                      /* of the last refill, 0: never used */
};

struct ctlq;     /* small packets of our own that wait to be sent (ctlq.c) */
struct frags;    /* datagrams being reassembled (frag.c) */
struct pmtus;    /* path MTU exceptions (pmtu.c) */
struct cc_ops;
struct tcp_metrics_table;

/* A segment whose payload is where it belongs before stack_input() has it (tcp_place.c). */
struct placing {
	struct tcp_conn *conn;            /* NULL: there is none */
	struct tcp_reader *reader;
	seq32 seq;
	uint32_t len;
	uint32_t read;                    /* of len: in the reader's buffer */
};

/* Bytes at the end of a connection's send queue that are still where the program has them (tcp_lend.c). */
struct lent {
	struct tcp_conn *conn;            /* NULL: nothing is lent */
	const uint8_t *base;              /* of byte seq; borrowed */
	seq32 seq, end;
};

struct stack {
	struct settings set;
	const struct cc_ops *cc;          /* default algorithm */
	struct siphash_key key_isn, key_ts, key_rnd, key_ip;
	struct siphash_key key_cookie[2]; /* of SYN cookies: what the peer is, and when */
	uint64_t rnd_count;               /* of stack_random() */

	struct stack_iface ifaces[STACK_IFACES_MAX];
	int niface;
	struct local_addr loopback;       /* 127.0.0.1/8; its iface is -1 while there is none */
	struct local_addr *addrs;         /* owned */
	uint32_t naddr, addr_cap;

	struct routes routes;
	struct neigh_table neighs;
	struct pmtus *pmtus;              /* owned; NULL until the first one */
	struct frags *frags;              /* owned; NULL until the first fragment */
	struct ctlq *ctlq;                /* owned */
	struct conntab tab;
	struct timers timers;

	struct placing placing;
	struct lent lent;
	struct txdev txdev;               /* what the interface still has */
	struct list outq;                 /* struct tcp_conn.out_link: may have something to send */
	struct list eventq;               /* struct tcp_conn.event_link: readiness changed */
	struct list neigh_changed;        /* struct neigh.changed: waiters to be told */
	struct list conns;                /* struct tcp_conn.all_link: every socket */
	struct list tws;                  /* struct tcp_tw.link: TIME-WAIT, oldest first */

	struct tcp_metrics_table *metrics;   /* of earlier connections (tcp_metrics.c); NULL until the first; owned */
	struct siphash_key key_tfo;       /* of our own cookies */
	xtime tfo_disabled_at;            /* a path swallowed Fast Open (tcp_fastopen_blackhole_timeout_sec) ... */
	uint32_t tfo_disabled;            /* ... so often in a row */

	struct portset *quiet;            /* stack_set_quiet(); NULL until the first; owned */
	uint64_t mem_pages;               /* what all connections are charged for (tcp_mem.c) */
	xtime pressure_since;             /* memory is short since then, 0: it isn't */
	uint32_t norphan, ntw, nconn;
	uint64_t last_cookie;             /* SO_COOKIE of the newest connection */
	uint32_t nestab;                  /* connections in ESTABLISHED and CLOSE-WAIT */
	uint32_t nreq;                    /* in the SYN queues of all listeners */
	uint32_t nfinwait2;               /* of ntw: still waiting for the peer's FIN */
	uint32_t challenge_left;          /* tcp_challenge_ack_limit in this second */
	xtime challenge_second;
	uint16_t ip_idents[IP_IDENTS];    /* the last id, by keyed hash of the two hosts */
	struct icmp_bucket icmp_buckets[ICMP_BUCKETS];   /* by keyed hash of the destination */
	struct icmp_bucket icmp_all;      /* over all destinations */

	xtime wall;                       /* the wall clock is that much ahead of `now` */
	bool has_wall;
	xtime now;                        /* of the latest call that told it */
	uint64_t counters[CTR_COUNT];
	uint64_t icmp_in[ICMP_TYPES], icmp_out[ICMP_TYPES];   /* messages by type */
};

static inline void count(struct stack *s, enum counter c) { s->counters[c]++; }

/* 32 keyed pseudo-random bits; the same sequence for the same secret. */
uint32_t stack_random(struct stack *s);

/* inet_current_timestamp(): ms since midnight UT; the high bit says that it is anything else
 * (RFC 791 3.1, RFC 792). */
uint32_t stack_time_of_day(const struct stack *s, xtime now);

/* ---- what stack.c and ip.c call of TCP (tcp_in.c, tcp_out.c, tcp_timer.c, tcp_tw.c) ---- */

/* A segment for an address of ours; checksums are not verified yet. */
void tcp_input(struct stack *s, int iface, const struct ip_hdr *ip, const uint8_t *seg, size_t len,
               const struct virtio_net_hdr *vnet, xtime now);
/* The next frame of this connection; false: it has none (any more), it is out of outq. */
bool tcp_output(struct tcp_conn *c, struct frame_out *f, xtime now);
bool tcp_refused(struct tcp_conn *c, const struct frame_out *f, bool is_tried, xtime now);   /* stack_refused() */
void tcp_tx_report(struct stack *s);          /* what the interface still has was told */
void tcp_timer(struct tcp_conn *c, xtime now);
struct tcp_req;
void tcp_req_timer(struct tcp_req *r, xtime now);
struct tcp_tw;
void tcp_tw_timer(struct stack *s, struct tcp_tw *tw, xtime now);
/* A neighbour that connections wait for has resolved (err 0) or failed (-EHOSTUNREACH). */
void tcp_neigh_done(struct stack *s, struct neigh *n, int err, xtime now);
/* tcp_v4_err(): an ICMP error quotes our segment t (laddr is ours) with sequence number
 * seq.  mtu: of a "fragmentation needed", else 0. */
void tcp_icmp(struct stack *s, const struct tuple *t, seq32 seq, uint8_t type, uint8_t code,
              uint32_t mtu, xtime now);
void tcp_fastopen_init(struct stack *s, const struct siphash_key *random);
void tcp_fastopen_set_key(struct stack *s);   /* the setting's, if there is one */
void tcp_metrics_flush(struct stack *s);
/* Frees every socket and TIME-WAIT remainder. */
void tcp_free_all(struct stack *s);
/* An address was removed or a route changed: connections look up their route again. */

/* ---- icmp.c ---- */

void icmp_input(struct stack *s, const struct ip_hdr *ip, const uint8_t *p, size_t len, xtime now);
/* One that was sent to everybody: counted, never answered (icmp_echo_ignore_broadcasts). */
void icmp_input_broadcast(struct stack *s, const uint8_t *p, size_t len);
/* An ICMP error about the packet `ip` with the first bytes of its payload (own addresses
 * only; rate limited; never about ICMP errors, fragments or broadcasts: RFC 1122 3.2.2). */
void icmp_send_error(struct stack *s, const struct ip_hdr *ip, const uint8_t *l4, size_t len,
                     uint8_t type, uint8_t code, uint32_t rest, xtime now);

#endif
