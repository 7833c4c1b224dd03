/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_ready.c - what a socket's state means to those who wait for it: a thread
 * in engine_wait(), and a mirror (engine_mirror()).
 */
#include "engine_impl.h"

/* POLLERR and POLLHUP are always reported, but not to someone who only waits for the
 * handshake or for a lingering close: a closed socket has POLLHUP all along. */
#define POLL_BITS 0xffffu
#define ALWAYS(wanted) (!(wanted) || (wanted) & POLL_BITS ? POLLERR | POLLHUP : 0)

uint32_t engine_slot_events(const struct slot *slot)
{
	return tcp_events(slot->conn) | (engine_local_has_client(slot) ? POLLIN : 0);
}

uint32_t engine_ready(const struct slot *slot, uint32_t wanted, unsigned at_least)
{
	uint32_t events = engine_slot_events(slot);
	int have;

	if (at_least && !(events & (POLLRDHUP | POLLERR | POLLHUP))) {
		have = tcp_unread(slot->conn);
		if (have >= 0)
			events &= ~(uint32_t)POLLIN;
		if (have >= (int64_t)at_least)
			events |= POLLIN;
	}
	return events & (wanted | ALWAYS(wanted));
}

void engine_reflect(struct engine *e, struct slot *slot)
{
	uint32_t events, edges, urgents;

	if (!slot->mirror)
		return;
	events = engine_slot_events(slot);
	edges = tcp_edges(slot->conn);
	if (events == slot->events && edges == slot->edges)
		return;
	urgents = tcp_urgents(slot->conn);
	e->cfg.ready(slot->mirror, events | (urgents == slot->urgents ? 0 : TCP_EV_URGENT), edges != slot->edges);
	slot->events = events;
	slot->edges = edges;
	slot->urgents = urgents;
}
