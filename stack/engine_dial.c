/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_dial.c - connections between parent and child of a fork() (cfg.has_loopback).
 *
 * The listener's engine makes both ends of the connection, inside (engine_loopback.c), and hands the caller's out, bridged.
 * Who listens where is read from /proc/net/unix: the ends of bridged listeners have their engine and address in their
 * names (engine_bridge.c), and other listeners of a parent or child have a socket for their name's sake (engine_local.c).
 * Listeners of programs that have nothing to do with each other have no such name: the kernel's TCP, which
 * connects them, hides less than a bridge (a reset, urgent data).
 *
 * Anybody can take such a name; what comes from another user than root or the caller's is refused.
 */
#include "engine_impl.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>

#include "sys.h"

/* ---- who listens ---- */

static bool is_it(const struct engine_bridged *b, const struct sockaddr_in *a)
{
	return b->is_listener && b->local.sin_port == a->sin_port &&
	       (!b->local.sin_addr.s_addr || b->local.sin_addr.s_addr == a->sin_addr.s_addr);
}

struct search {
	uint64_t self;                  /* not this engine */
	const struct sockaddr_in *a;
	uint64_t found;
};

static bool see(void *user, const char *name)
{
	struct search *s = user;
	struct engine_bridged b;

	if (engine_bridge_parse(name, &b) && is_it(&b, s->a) && b.host != s->self)
		s->found = b.host;
	return !s->found;
}

/* Some engine but `self` that listens there; 0: there is none. */
static uint64_t find_host(uint64_t self, const struct sockaddr_in *a)
{
	struct search s = { self, a, 0 };

	engine_names_each(see, &s);
	return s.found;
}

static bool is_trusted(int fd)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	/* Of whoever has made the pair. */
	return !raw_getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) && (!who.uid || who.uid == geteuid());
}

int engine_dial(struct engine *e, const struct sockaddr_in *a, bool is_v6, int *fd, struct engine_bridged *b)
{
	uint64_t host = engine_has_loopback(e) ? find_host(e->host_id, a) : 0;
	int r = host ? engine_remote_dial(host, a, is_v6, fd) : -ECONNREFUSED;

	if (r)
		return r;
	if (is_trusted(*fd) && !engine_bridged(*fd, b))
		return 0;
	raw_close(*fd);
	return -ECONNREFUSED;
}

/* ---- the listener's side ---- */

int engine_dial_answer(struct engine *e, const struct sockaddr_in *a, bool is_v6, int *fd)
{
	ip4 addr = ntohl(a->sin_addr.s_addr), want;
	uint16_t port = ntohs(a->sin_port), want_port;
	struct tcp_conn *c;
	struct slot *slot;
	engine_sock s;
	int r;

	if (!engine_loopback_has(e, addr) || !stack_answers(e->stack, addr, port))
		return -ECONNREFUSED;
	c = tcp_open(e->stack, e->now);
	if (!c)
		return -ENOMEM;
	r = engine_slot_new(e, c, &s);
	if (r) {
		tcp_release(c, e->now);
		return r;
	}
	slot = engine_slot(e, s);
	r = tcp_connect(c, addr, port, &want, &want_port, e->now);
	engine_pump(e);
	/* A queue that is full may be another's to wait for. */
	if (!r && tcp_state(c) != TCP_ESTABLISHED)
		r = -ECONNREFUSED;
	if (!r)
		r = engine_bridge_pair(e, slot, is_v6, fd);
	if (r)
		engine_slot_release(e, slot);
	else
		engine_bridge_run(e, slot->bridge);
	e->is_stirred = true;
	return r;
}
