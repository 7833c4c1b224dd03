/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pcap.h - a capture as a netif around a netif: all that passes is also written to a
 * file that tcpdump and Wireshark open.
 *
 * libpcap is loaded when a capture is asked for, not before.  The file is opened
 * with the ids that the caller has then (xtcp-run: after it has dropped what it was
 * granted).  Super-frames are written whole; checksums that the interface would
 * complete are completed in the copy.
 */
#ifndef XTCP_NETIF_PCAP_H
#define XTCP_NETIF_PCAP_H

#include <stddef.h>

#include "netif.h"

/* 0 and *out, which owns inner; or -errno with one sentence in err, and inner is untouched.
 * A file that can't be written any more (disk full) ends the capture, not the traffic. */
int pcap_netif_open(const char *path, struct netif *inner, struct netif **out,
                    char *err, size_t err_len);
/* Writes a frame that doesn't pass by the netif, if n is such a one. */
void pcap_netif_record(struct netif *n, const uint8_t *frame, size_t len, const struct virtio_net_hdr *vnet);
/* The netif inside (for afpacket_*()), and the capture file's fd (it must survive
 * closefrom()). */
struct netif *pcap_netif_inner(struct netif *n);
int pcap_netif_file(const struct netif *n);

#endif
