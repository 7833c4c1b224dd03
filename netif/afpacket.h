/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * afpacket.h - a netif over an AF_PACKET socket: frames of a real interface.
 *
 * The socket is of ETH_P_ALL, so that it also sees what the guard's ingress chain
 * drops, and never sees what leaves the host.  It passes nothing until
 * afpacket_set_filter() says what is ours: no stray frame waits in it.
 */
#ifndef XTCP_AFPACKET_H
#define XTCP_AFPACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netif.h"

/* One local address and what passes to it; host byte order. */
struct afpacket_addr {
	uint32_t addr;           /* 0: ports that pass whatever the address */
	bool is_own;             /* everything to it passes; ports are ignored */
	const uint16_t *ports;   /* shared with the kernel: TCP to these, their later
	                          * fragments, ICMP errors about them; any order */
	size_t nport;
};

/* What passes: IPv4 as each address says; ARP replies, announcements and requests for any
 * of the addresses; nothing with a VLAN tag and nothing that is for another MAC. */
struct afpacket_filter {
	const struct afpacket_addr *addrs;
	size_t naddr;
	const uint8_t *mac;      /* our own MAC; NULL: the interface's */
};

/* 0 and *n; or -errno with one sentence in err: -ENODEV there is no such interface, -EPERM
 * CAP_NET_RAW is missing, -EAFNOSUPPORT a kind of link that frames can't be made for. */
int afpacket_open(const char *ifname, struct netif **n, char *err, size_t err_len);

/* The same from a packet socket that someone else opened, bound and filtered (xtcp-run, the
 * broker).  Takes the fd over, on failure too.  -ENOTSOCK, -EINVAL: not such a socket. */
int afpacket_from_fd(int fd, struct netif **n, char *err, size_t err_len);

/* Replaces the filter in one step; nothing that passes both is lost.  NULL: all passes.  When
 * there are more ports than a filter can hold it passes some in between as well: whoever
 * receives must know what is theirs.  0 or -errno (-EPERM: it is locked). */
int afpacket_set_filter(struct netif *n, const struct afpacket_filter *f);
/* Nobody can change the filter from now on, not even root. */
int afpacket_lock_filter(struct netif *n);

/* Frames for a further MAC reach us: first by the card's address filter (the kernel falls
 * back to promiscuous mode for cards without), or by promiscuous mode itself. */
int afpacket_add_mac(struct netif *n, const uint8_t mac[6]);
int afpacket_set_promisc(struct netif *n, bool on);

/* Frames that the kernel dropped for want of room since the last call. */
unsigned afpacket_take_drops(struct netif *n);

#endif
