/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ip_offload.c - what is left to the interface: TCP checksums and segmentation.
 *
 * A packet socket with PACKET_VNET_HDR hands over frames as the sending host's kernel
 * made them: over veth the checksum field often holds the pseudo header's sum only, to be
 * completed by hardware that never came, and one frame is many segments.  Both are
 * normal in both directions.
 */
#include "ip.h"
#include "stack_impl.h"
#include "wire_tcp.h"

#define TCP_CSUM_OFFSET 16

bool ip_tcp_csum_ok(const struct stack *s, int iface, const struct ip_hdr *ip, const uint8_t *seg,
                    size_t len, const struct virtio_net_hdr *vnet)
{
	if (vnet->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		size_t l4_off = (s->ifaces[iface].has_link ? ETH_LEN : 0u) + ip->hdr_len;

		/* The bytes never left this host: there is nothing to check, if it is the
		 * TCP checksum that is missing. */
		if (vnet->csum_start == l4_off && vnet->csum_offset == TCP_CSUM_OFFSET)
			return true;
	} else if (vnet->flags & VIRTIO_NET_HDR_F_DATA_VALID) {
		return true;
	}
	return tcp_csum_ok(ip->src, ip->dst, seg, len);
}

/* The sum over header and payload; a piece that begins at an odd offset counts with its
 * bytes swapped (RFC 1071 2 B). */
static uint32_t csum_pieces(uint32_t sum, const uint8_t *hdr, size_t hdr_len,
                            const struct frame_out *f)
{
	size_t off = hdr_len;
	uint32_t pieces = ~csum_fold(csum_add(sum, hdr, hdr_len)) & 0xffffu;

	for (int i = 0; i < f->payload_cnt; i++) {
		uint32_t piece = csum_add(0, f->payload[i].iov_base, f->payload[i].iov_len);

		pieces += off % 2 ? csum_swap(piece) : ~csum_fold(piece) & 0xffffu;
		off += f->payload[i].iov_len;
	}
	return pieces;
}

void ip_finish_l4(const struct stack *s, struct frame_out *f, size_t l4_off, size_t l4_hdr_len,
                  ip4 src, ip4 dst, uint16_t gso_size)
{
	size_t l4_len = l4_hdr_len + f->payload_len;
	uint32_t sum = csum_pseudo(src, dst, PROTO_TCP, l4_len);
	uint8_t *l4 = f->hdr + l4_off;

	f->hdr_len = l4_off + l4_hdr_len;
	memset(&f->vnet, 0, sizeof(f->vnet));
	tcp_set_csum(l4, 0);
	if (!s->ifaces[f->iface].can_offload) {
		tcp_set_csum(l4, csum_fold(csum_pieces(sum, l4, l4_hdr_len, f)));
		return;
	}
	tcp_set_csum(l4, (uint16_t)~csum_fold(sum));
	f->vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	f->vnet.csum_start = (uint16_t)l4_off;
	f->vnet.csum_offset = TCP_CSUM_OFFSET;
	if (gso_size == 0 || f->payload_len <= gso_size)
		return;
	f->vnet.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	f->vnet.gso_size = gso_size;
	f->vnet.hdr_len = (uint16_t)f->hdr_len;
}
