/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * neigh.h - which MAC address is behind a next hop (RFC 826, Linux's neighbour
 * states; the picture of the states is in neigh.c).
 *
 * A connection whose next hop is unresolved is blocked, not its packets queued:
 * it links itself into `waiters` and is told when the entry resolves or fails.
 * Only packets that belong to no connection (ICMP, resets) wait here, few of them.
 */
#ifndef XTCP_NEIGH_H
#define XTCP_NEIGH_H

#include "timer.h"
#include "wire.h"

enum neigh_state {
	NEIGH_NONE,
	NEIGH_INCOMPLETE,
	NEIGH_REACHABLE,
	NEIGH_STALE,
	NEIGH_DELAY,
	NEIGH_PROBE,
	NEIGH_FAILED,
	NEIGH_PERMANENT,
};

struct stack;

struct neigh {
	struct neigh *next;          /* hash chain */
	int iface;
	ip4 ip;
	uint8_t mac[MAC_LEN];        /* valid from REACHABLE to PROBE and when PERMANENT */
	uint8_t state;               /* enum neigh_state */
	uint16_t probes;             /* requests sent in this state, or that would have been */
	ip4 src;                     /* of the latest packet that waits */
	struct timer timer;
	xtime confirmed, used, updated;
	xtime reachable_ns;          /* randomised reachable time */
	struct list waiters;         /* struct tcp_conn.out_link: blocked connections */
	struct list changed;         /* in stack.neigh_changed while its waiters must be told */
	struct neigh_packet *queue;  /* oldest first; bounded by neigh_unres_qlen_bytes */
	uint32_t queue_bytes;        /* as Linux accounts them */
};

struct neigh_table {
	struct neigh **hash;         /* owned, power of two */
	uint32_t size, n;
	uint32_t queued;             /* bytes of packets that wait, in all entries */
	xtime last_gc;
};

int neigh_init(struct neigh_table *nt);
void neigh_fini(struct stack *s);

/* The address to send to `ip` on `iface`: 0 and mac; -EAGAIN while it is being
 * resolved (starts that; *entry is where to wait); -EHOSTUNREACH when resolution
 * has just failed; -ENOBUFS when the table is full.  Using a STALE entry starts
 * the DELAY state.  src: of the packet, who asks in its name (arp_announce); 0: the best address. */
int neigh_resolve(struct stack *s, int iface, ip4 ip, ip4 src, uint8_t mac[MAC_LEN], struct neigh **entry,
                  xtime now);

/* Progress of the transport proves that `ip` is reachable (MSG_CONFIRM, dst_confirm). */
void neigh_confirm(struct stack *s, int iface, ip4 ip, xtime now);

/* Sends an IP packet of no connection, or keeps it until its next hop is resolved. */
void neigh_send(struct stack *s, int iface, ip4 next_hop, const uint8_t *pkt, size_t len, xtime now);

/* An ARP packet came in on iface; is_direct: it was not broadcast. */
void neigh_input(struct stack *s, int iface, const struct arp_pkt *a, bool is_direct, xtime now);

/* From the host's table: mac NULL deletes (but not what we have confirmed ourselves);
 * permanent entries are not probed.  0, -ENOENT or -ENOBUFS. */
int neigh_seed(struct stack *s, int iface, ip4 ip, const uint8_t *mac, bool permanent, xtime now);

/* Its timer is due. */
void neigh_timer(struct stack *s, struct neigh *n, xtime now);

/* Forgets what was learned on an interface (-1: on all). */
void neigh_flush(struct stack *s, int iface, xtime now);

/* ---- between neigh.c and arp.c ---- */

enum neigh_update_flags {
	NEIGH_UPDATE_OVERRIDE = 1,   /* another link address than the known one is taken */
	NEIGH_UPDATE_ADMIN = 2,      /* from the host: may change what is permanent */
};

struct neigh *neigh_find(struct stack *s, int iface, ip4 ip);
/* NULL when the table is full. */
struct neigh *neigh_create(struct stack *s, int iface, ip4 ip, xtime now);
/* neigh_update(): we heard of its link address; the new state is REACHABLE, STALE or PERMANENT. */
void neigh_update(struct stack *s, struct neigh *n, const uint8_t mac[MAC_LEN], enum neigh_state state,
                  unsigned flags, xtime now);
void neigh_send_arp(struct stack *s, int iface, const uint8_t *dst_mac, const struct arp_pkt *a);

#endif
