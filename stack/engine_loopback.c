/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_loopback.c - what a host sends to itself, inside the stack (cfg.has_loopback).
 *
 * The stack has a second interface then, as the kernel has lo: what is for 127/8 or for an address of
 * ours leaves by it.  A frame that does is copied, because its payload points into the sender's ring,
 * and given back to the stack at once; nobody else sees it.  So a connection of one process to itself
 * costs no system call.
 *
 * Rules: inside is only what has both ends in this engine.  A connect() to an address of the host's for which nobody here
 * listens is another engine's (engine_dial.c) or the kernel's (engine_is_kernels()): its listeners answer there, or it
 * refuses.  Ports that bind() or listen() takes are claimed of the kernel, those of 127/8 too, so that nobody else
 * has them at the same time; those that connect() chooses for inside are not.
 */
#include "engine_impl.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "guard.h"
#include "pcap.h"

#define LO_MTU 65536u           /* of the kernel's */
#define LO_INDEX 1              /* and its index, in every network namespace (LOOPBACK_IFINDEX) */

int engine_loopback_open(struct engine *e)
{
	/* Frames as on the other interface, for a capture to hold both. */
	struct stack_iface i = {
		.has_link = e->nif->info.link == NETIF_ETHER,
		.is_up = true,
		.can_offload = true,
		.is_loopback = true,
		.mtu = LO_MTU,
		.gso_max = LO_MTU,
		.oif = LO_INDEX,
		.name = "lo",
	};

	if (!e->cfg.has_loopback)
		return 0;
	e->lo_frame = malloc(sizeof(*e->lo_frame));
	if (!e->lo_frame)
		return -ENOMEM;
	e->lo = stack_add_iface(e->stack, &i);
	return MIN(e->lo, 0);
}

void engine_loopback_close(struct engine *e)
{
	free(e->lo_frame);
	free(e->lo_addrs);
}

/* ---- frames ---- */

/* A super-frame of one segment: the receiver is charged for its bytes, which the kernel would have shared with the
 * sender, and not for a buffer of its own. */
static void set_offload(struct frame_in *in, const struct frame_out *f)
{
	in->vnet = f->vnet;
	if (!f->payload_len || in->vnet.gso_type != VIRTIO_NET_HDR_GSO_NONE)
		return;
	in->vnet.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	in->vnet.gso_size = (uint16_t)f->payload_len;
}

bool engine_loopback_take(struct engine *e, const struct frame_out *f)
{
	struct loopback_frame *lo = e->lo_frame;
	size_t len = f->hdr_len;
	int i;

	if (f->iface != e->lo || f->hdr_len + f->payload_len > sizeof(lo->data))
		return false;
	memcpy(lo->data, f->hdr, f->hdr_len);
	for (i = 0; i < f->payload_cnt; i++) {
		memcpy(lo->data + len, f->payload[i].iov_base, f->payload[i].iov_len);
		len += f->payload[i].iov_len;
	}
	lo->in.data = lo->data;
	lo->in.len = len;
	set_offload(&lo->in, f);
	pcap_netif_record(e->nif, lo->data, len, &f->vnet);
	return true;
}

/* Time goes on between a segment and its acknowledgment. */
void engine_loopback_give(struct engine *e)
{
	e->now = engine_now();
	stack_count(e->stack, CTR_frames_inside, 1);
	stack_input(e->stack, e->lo, &e->lo_frame->in, e->now);
}

/* ---- who serves what ---- */

bool engine_loopback_has(const struct engine *e, ip4 a)
{
	return e->lo >= 0 && stack_is_local(e->stack, a);
}

bool engine_has_loopback(const struct engine *e)
{
	return e->cfg.has_loopback;
}

static bool knows(const struct engine *e, ip4 a)
{
	unsigned i;

	for (i = 0; i < e->nlo_addr; i++)
		if (e->lo_addrs[i] == a)
			return true;
	return false;
}

/* Addresses of 127/8 that are bound to are few. */
int engine_loopback_bind(struct engine *e, ip4 a)
{
	unsigned cap = e->nlo_addr + 8;
	ip4 *v;

	if (e->lo < 0 || !e->guard || a >> 24 != 127 || knows(e, a))
		return 0;
	if (e->nlo_addr % 8 == 0) {
		v = realloc(e->lo_addrs, cap * sizeof(*v));
		if (!v)
			return -ENOMEM;
		e->lo_addrs = v;
	}
	e->lo_addrs[e->nlo_addr++] = a;
	return stack_need_claims(e->stack, a);
}
