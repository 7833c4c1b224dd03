/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frame.h - what crosses the lower edge of the stack.
 *
 * The metadata is Linux's own struct virtio_net_hdr (in host byte order), as a
 * packet socket with PACKET_VNET_HDR speaks it: it says whether the checksum
 * is still partial (VIRTIO_NET_HDR_F_NEEDS_CSUM), already verified
 * (VIRTIO_NET_HDR_F_DATA_VALID), and whether the frame is a super-frame
 * (gso_type, gso_size).  All zeros is an ordinary frame with a full checksum.
 */
#ifndef XTCP_FRAME_H
#define XTCP_FRAME_H

#include <linux/virtio_net.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base.h"

/* A received frame is borrowed: valid only until the call returns. */
struct frame_in {
	const uint8_t *data;         /* from the link header on */
	size_t len;                  /* bytes at data */
	struct virtio_net_hdr vnet;
};

/* Ethernet 14, IPv4 60, TCP 60, rounded up; also holds any ARP or ICMP frame
 * that the stack makes of its own. */
#define FRAME_HDR_MAX 640
#define FRAME_PAYLOAD 3          /* pieces: two of a ring, and what was lent behind it */

struct tcp_conn;

/* What a frame was for (tcp_refused.c). */
enum frame_use {
	FRAME_BARE,                  /* an ACK or a probe without data */
	FRAME_SYN,
	FRAME_NEW,                   /* new data */
	FRAME_LOST,                  /* sent again, as it is lost */
	FRAME_FORCED,                /* sent again by a time-out */
	FRAME_TLP,                   /* sent again as a tail loss probe */
};

/* How its connection was when it gave the frame: what a refused one is undone by. */
struct frame_undo {
	struct tcp_conn *conn;       /* NULL: it belongs to none */
	uint32_t seq, sml;           /* of the segment; snd.sml */
	uint32_t tx_at;              /* its place in stack.txdev */
	xtime rexmit_at, pace_at;
	uint8_t use;                 /* enum frame_use */
	uint8_t rexmit_kind, out;    /* snd.out */
	bool push_now, is_mtu_probe;
	bool was_resent;             /* SEG_RETRANS was set */
};

/* A frame to send: `hdr` belongs to the frame; `payload` points into the send
 * ring of a connection, or to what was lent to it (TCP_SEND_LENT), and is valid as long as stack_output() says. */
struct frame_out {
	int iface;                   /* index given by stack_add_iface() */
	size_t hdr_len;              /* bytes used in hdr, link header included */
	size_t payload_len;          /* sum over payload[] */
	int payload_cnt;             /* 0 to FRAME_PAYLOAD */
	struct iovec payload[FRAME_PAYLOAD];
	struct virtio_net_hdr vnet;
	struct frame_undo undo;
	uint8_t hdr[FRAME_HDR_MAX];
};

#endif
