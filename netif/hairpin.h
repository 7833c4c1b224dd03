/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hairpin.h - frames between an own MAC address and the host that has the interface.
 *
 * A frame that a host sends leaves it; its packet sockets see it go, and nothing that a packet socket sends comes in.
 * So who has an address of its own on an interface of the host is a stranger to the host itself and to others like
 * it.  A program at the interface's exit (TCX, Linux 6.6) turns such frames round: they come in by the interface, as
 * if a switch had sent them back.  It is gone with the fd, kill -9 included.
 */
#ifndef XTCP_HAIRPIN_H
#define XTCP_HAIRPIN_H

#include <stdint.h>

/* Turns round what the host sends to `own` by the interface and what is sent from there to the host's `mac`, and
 * sends both ways broadcasts from `own` and ARP questions for the n addresses (host byte order).
 * It takes some ms, as the kernel waits for those who look at the list; and so does the last close.
 * An fd, kept high; -EPERM: CAP_NET_ADMIN or CAP_BPF is missing; -EINVAL, -ENOSYS: the kernel can't; another -errno. */
int hairpin_open(int ifindex, const uint8_t own[6], const uint8_t mac[6], const uint32_t *addrs, unsigned n);

/* How many programs are at the interface's exit, anybody's; or -errno as above. */
int hairpin_count(int ifindex);

#endif
