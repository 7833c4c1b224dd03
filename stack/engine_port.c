/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_port.c - a port that sockets of several processes hold, by SO_REUSEADDR.
 *
 * Linux lets a socket with SO_REUSEADDR bind to a port beside others that have it, too, unless one of them listens: that
 * is how a server is started again while connections of the one before are left, or their TIME-WAITs.  Where these
 * are another process's, its engine has the port; so when bind() finds it taken, all other engines of the network namespace
 * are asked (their names are in /proc/net/unix), each of which looks into its own table (inet_csk_bind_conflict()).  One that agrees
 * hands out the kernel's socket that claims the port, so that it stays claimed until the last has gone; and from then on both
 * leave each other's connections alone (engine_share.c).  They are asked again before a socket listens on such a port,
 * and before it connects from it.
 *
 * Anybody can have a name like an engine's, so only the word of this user's, or root's, is taken (engine_ask.c).
 *
 * Questions are asked without the lock, so that two engines that ask each other both get answers.
 */
#include "engine_impl.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guard.h"
#include "sys.h"

/* ---- the one who is asked ---- */

/* Have both the address in common that they mean by any? */
static bool is_same_host(const struct engine *e, ip4 scope)
{
	return e->guard ? !scope : engine_own_has(e, scope);
}

/* A tuple without a local address: whichever of ours it will be. */
static bool knows(const struct engine *e, struct tuple t)
{
	unsigned i;

	if (t.laddr)
		return stack_knows(e->stack, &t);
	for (i = 0; i < e->nshared; i++) {
		t.laddr = e->shared[i].addr;
		if (stack_knows(e->stack, &t))
			return true;
	}
	for (i = 0; i < e->cfg.naddr; i++) {
		t.laddr = e->cfg.addrs[i].addr;
		if (stack_knows(e->stack, &t))
			return true;
	}
	return false;
}

int engine_port_answer(struct engine *e, const struct port_question *q, uid_t uid, int *fd)
{
	struct bind_owner who = { .addr = q->addr, .oif = q->oif, .uid = q->uid, .reuse = q->reuse, .reuseport = q->reuseport };
	int r = is_same_host(e, q->scope) ? stack_would_bind(e->stack, &who, q->port) : -ENOENT;

	if (r)
		return r;
	if (uid != geteuid())
		return -EADDRINUSE;
	if (q->t.raddr)
		return knows(e, q->t) ? -EADDRNOTAVAIL : 0;
	r = engine_share_admit(e, q->port);
	if (r)
		return -EADDRINUSE;
	if (e->guard)
		*fd = guard_dup(e->guard, q->addr, q->port);
	return 0;
}

/* ---- the one who asks ---- */

static void begin(const struct engine *e, const struct slot *slot, ip4 addr, uint16_t port, struct port_question *q)
{
	struct bind_owner who;

	tcp_bind_owner(slot->conn, addr, &who);
	*q = (struct port_question){ .scope = e->guard ? 0 : e->cfg.addrs[0].addr, .port = port, .addr = addr, .oif = who.oif,
				     .uid = who.uid, .reuse = who.reuse, .reuseport = who.reuseport };
}

/* The port that it holds, or is to be bound to. */
static void at(const struct slot *slot, enum port_want want, const struct sockaddr_in *a, ip4 *addr, uint16_t *port)
{
	*addr = *port = 0;
	if (want == WANT_LISTEN || want == WANT_CONNECT) {
		tcp_sockname(slot->conn, addr, port);
	} else {
		*addr = ntohl(a->sin_addr.s_addr);
		*port = ntohs(a->sin_port);
	}
}

bool engine_port_asks(struct engine *e, const struct slot *slot, enum port_want want, const struct sockaddr_in *a,
		      struct port_question *q)
{
	uint16_t port;
	ip4 addr;

	if (tcp_state(slot->conn) != TCP_CLOSE || (want != WANT_CLAIM && !e->groups))
		return false;
	at(slot, want, a, &addr, &port);
	begin(e, slot, addr, port, q);
	if (!port || !q->reuse)
		return false;
	if (want == WANT_CLAIM)
		return !stack_is_claimed(e->stack, addr, port);
	if (want == WANT_CONNECT)
		q->t = (struct tuple){ .laddr = addr, .raddr = ntohl(a->sin_addr.s_addr), .lport = port,
				       .rport = ntohs(a->sin_port) };
	/* A group by SO_REUSEPORT has agreed already. */
	return !q->reuseport && !engine_share_is_alone(e, port);
}

struct hosts {
	uint64_t self;
	uint64_t *v;             /* owned */
	unsigned n, cap;
};

static bool note_host(void *user, const char *name)
{
	struct hosts *h = user;
	uint64_t host = engine_remote_parse(name), *v;

	if (!host || host == h->self)
		return true;
	if (h->n == h->cap) {
		v = realloc(h->v, (2 * h->cap + 16) * sizeof(*v));
		if (!v)
			return false;
		h->v = v;
		h->cap = 2 * h->cap + 16;
	}
	h->v[h->n++] = host;
	return true;
}

/* *fd: a claim that was handed out, or -1. */
static int ask(struct engine *e, const struct port_question *q, int *fd)
{
	struct hosts h = { .self = e->host_id };
	int claim, answer, r = -ENOENT;
	unsigned i;

	*fd = -1;
	engine_names_each(note_host, &h);
	for (i = 0; i < h.n && (r == -ENOENT || !r); i++) {
		answer = engine_remote_ask_port(h.v[i], q, &claim);
		if (answer != -ENOENT)
			r = answer;
		if (*fd < 0)
			*fd = claim;
		else if (claim >= 0)
			raw_close(claim);
	}
	free(h.v);
	return r;
}

int engine_port_may(struct engine *e, const struct port_question *q)
{
	int fd, r = ask(e, q, &fd);

	if (fd >= 0)
		raw_close(fd);
	return r == -ENOENT ? 0 : r;
}

/* fd is taken over. */
static int adopt(struct engine *e, const struct port_question *q, int fd)
{
	int r = engine_share_admit(e, q->port);

	if (!r && e->guard)
		return fd < 0 ? -EADDRINUSE : engine_claim_adopt(e, q->addr, q->port, highfd_raise(fd));
	if (fd >= 0)
		raw_close(fd);
	return r ? r : engine_own_claim(e, q->addr, q->port, CLAIM_SHARING);
}

int engine_port_take(struct engine *e, const struct port_question *q)
{
	int fd, r = ask(e, q, &fd);

	if (r) {
		if (fd >= 0)
			raw_close(fd);
		return r == -ENOENT ? 0 : r;    /* who had it has gone, or will never say: it is tried again */
	}
	engine_enter(e);
	r = adopt(e, q, fd);
	engine_leave(e);
	return r;
}
