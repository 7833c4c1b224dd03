/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire_netif.h - two netifs joined by a socket pair: a wire without an interface, for
 * tests of what is above.
 */
#ifndef XTCP_TESTS_WIRE_NETIF_H
#define XTCP_TESTS_WIRE_NETIF_H

#include "netif.h"

/* Two ends of one wire; has_vnet: super-frames pass.  0 or -errno. */
int wire_netif_pair(struct netif *ends[2], bool has_vnet);
/* Every n-th call of transmit is refused with -EAGAIN, whatever the wire holds; 0: none. */
void wire_netif_refuse(struct netif *n, unsigned every);
/* Every n-th frame is dropped with -ENOBUFS, as by a queue that is full; 0: none. */
void wire_netif_drop(struct netif *n, unsigned every);
/* How many frames netif_receive_into() has given. */
unsigned wire_netif_pieces(const struct netif *n);
/* How often it was given frames to transmit. */
unsigned wire_netif_batches(const struct netif *n);
/* Nothing arrives at this end any more, nor leaves it: as if the cable were cut. */
void wire_netif_cut(struct netif *n, bool is_cut);

#endif
