/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_open.c - how sockets get a port and a peer: bind(), connect(), listen().
 *
 * The core is asked until it has no more wishes: ports of an address that others have, too, must be claimed first
 * (engine_claim.c), and where other processes over xtcp have the port they are asked (engine_port.c), without the lock.
 */
#include "engine_impl.h"

#include <errno.h>
#include <netinet/tcp.h>

static bool has_flag(struct engine *e, struct slot *slot, int name)
{
	int on = 0;
	socklen_t len = sizeof(on);

	return !tcp_getopt(slot->conn, SOL_SOCKET, name, &on, &len, e->now) && on;
}

static unsigned claim_how(struct engine *e, struct slot *slot)
{
	return (has_flag(e, slot, SO_REUSEPORT) ? CLAIM_SHARING : 0) |
	       (has_flag(e, slot, SO_REUSEADDR) ? CLAIM_REUSING : 0);
}

/* Has one of those that nobody tells us of?  Or was a port kept for questions alone? */
static bool has_ended_listener(struct engine *e)
{
	unsigned n = e->nbridge;
	bool had_some = engine_bridge_drop_ended(e);

	engine_bridge_look(e);
	if (e->nbridge == n && !had_some)
		return false;
	engine_settle(e);
	return true;
}

int engine_slot_bind(struct engine *e, struct slot *slot, const struct sockaddr_in *a, bool may_low)
{
	ip4 want_addr;
	uint16_t want_port;
	int r = engine_loopback_bind(e, ntohl(a->sin_addr.s_addr));

	while (!r) {
		r = tcp_bind(slot->conn, ntohl(a->sin_addr.s_addr), ntohs(a->sin_port), may_low,
			     &want_addr, &want_port, e->now);
		if (r == -EAGAIN)
			r = engine_claim(e, want_addr, want_port, claim_how(e, slot));
		else if (r == -EADDRINUSE && (engine_claim_retry(e) || has_ended_listener(e)))
			r = 0;
		else
			break;
	}
	/* Who wants such a port beside us asks. */
	if (!r && a->sin_port && has_flag(e, slot, SO_REUSEADDR))
		engine_bridge_prepare(e);
	return r;
}

int engine_bind(struct engine *e, engine_sock s, const struct sockaddr_in *a, bool may_low)
{
	struct slot *slot = engine_slot_enter(e, s);
	struct port_question q;
	bool asks;
	int r;

	if (slot && engine_port_asks(e, slot, WANT_BIND, a, &q)) {
		engine_slot_done(e, slot, 0);
		r = engine_port_may(e, &q);
		if (r)
			return r;
		slot = engine_slot_enter(e, s);
	}
	r = slot ? engine_slot_bind(e, slot, a, may_low) : 0;
	asks = r == -EADDRINUSE && engine_port_asks(e, slot, WANT_CLAIM, a, &q);
	r = engine_slot_done(e, slot, r);
	if (asks)
		r = engine_port_take(e, &q);
	if (!asks || r)
		return r;
	slot = engine_slot_enter(e, s);
	return engine_slot_done(e, slot, slot ? engine_slot_bind(e, slot, a, may_low) : 0);
}

int engine_slot_connect(struct engine *e, struct slot *slot, const struct sockaddr_in *a)
{
	ip4 addr = ntohl(a->sin_addr.s_addr), want_addr;
	uint16_t want_port;
	bool is_here = engine_own_has(e, addr) && e->lo < 0, has_room = false;
	int r;

	engine_own_meet(e, is_here);
	/* Where nothing that leaves an interface comes back by it, an address of ours alone can't be reached. */
	r = is_here && e->hairpin < 0 ? -ENETUNREACH : 0;
	while (!r) {
		r = tcp_connect(slot->conn, addr, ntohs(a->sin_port), &want_addr, &want_port, e->now);
		if (r == -EAGAIN)
			r = engine_claim_to_connect(e, want_addr, want_port, &has_room);
		else if (r == -EADDRNOTAVAIL && engine_claim_retry(e))
			r = 0;
		else
			break;
	}
	return r;
}

int engine_connect(struct engine *e, engine_sock s, const struct sockaddr_in *a)
{
	struct slot *slot = engine_slot_enter(e, s);
	struct port_question q;

	if (slot && engine_port_asks(e, slot, WANT_CONNECT, a, &q)) {
		engine_slot_done(e, slot, 0);
		if (engine_port_may(e, &q) == -EADDRNOTAVAIL)
			return -EADDRNOTAVAIL;
		slot = engine_slot_enter(e, s);
	}
	return engine_slot_done(e, slot, slot ? engine_slot_connect(e, slot, a) : 0);
}

/* With a NULL: the connect() that was put off (TCP_FASTOPEN_CONNECT). */
int engine_fastopen(struct engine *e, engine_sock s, const struct sockaddr_in *a, const struct iovec *iov,
		    int iovcnt, bool waits, size_t *copied)
{
	struct slot *slot = engine_slot_enter(e, s);
	int r = -EBADF;

	if (slot && a)
		r = tcp_fastopen_ask(slot->conn, iov, iovcnt, waits);
	else if (slot)
		r = tcp_fastopen_start(slot->conn, iov, iovcnt, waits, e->now);
	engine_slot_done(e, slot, 0);
	if (!r && a)
		r = engine_connect(e, s, a);
	slot = engine_slot_enter(e, s);
	*copied = slot ? tcp_fastopen_copied(slot->conn) : 0;
	return engine_slot_seen(e, slot, r);
}

int engine_connect_result(struct engine *e, engine_sock s)
{
	struct slot *slot = engine_slot_enter(e, s);

	return engine_slot_told(e, slot, slot ? tcp_connect_result(slot->conn) : 0);
}

int engine_disconnect(struct engine *e, engine_sock s)
{
	struct slot *slot = engine_slot_enter(e, s);

	int r = slot ? tcp_disconnect(slot->conn, e->now) : 0;

	if (slot)
		engine_local_update(e, slot);
	engine_share_update(e);
	return engine_slot_done(e, slot, r);
}

int engine_slot_listen(struct engine *e, struct slot *slot, int backlog)
{
	ip4 want_addr;
	uint16_t want_port;
	int r = 0;

	engine_own_meet(e, true);
	while (!r) {
		r = tcp_listen(slot->conn, backlog, &want_addr, &want_port, e->now);
		if (r != -EAGAIN)
			break;
		r = engine_claim(e, want_addr, want_port, CLAIM_ALONE);
	}
	tcp_sockname(slot->conn, &want_addr, &want_port);
	if (!r && (has_flag(e, slot, SO_REUSEPORT) || engine_share_has(e, want_port))) {
		r = engine_share_listen(e, want_addr, want_port);
		if (r)
			tcp_disconnect(slot->conn, e->now);
	}
	return r;
}

int engine_listen(struct engine *e, engine_sock s, int backlog)
{
	struct slot *slot = engine_slot_enter(e, s);
	struct port_question q;

	if (slot && engine_port_asks(e, slot, WANT_LISTEN, NULL, &q)) {
		engine_slot_done(e, slot, 0);
		if (engine_port_may(e, &q))
			return -EADDRINUSE;
		slot = engine_slot_enter(e, s);
	}
	return engine_slot_done(e, slot, slot ? engine_slot_listen(e, slot, backlog) : 0);
}
