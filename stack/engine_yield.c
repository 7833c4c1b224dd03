/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_yield.c - a socket of this engine becomes the kernel's.
 *
 * Who connects it, or listens, may be another process than the one that made it, and what its policy says of the address is
 * that the kernel is to serve it.  By then the engine has the options that were set, and the port.  It tells the options, those that
 * a fresh socket has otherwise, and gives up the port; the asker's new kernel socket gets both.  Where the library here still
 * has a record of the socket, that kernel socket takes its place here as well, so that both processes have one
 * socket, as they would over the kernel.  Else it is a fresh one here from now on.
 */
#include "engine_impl.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>

#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51
#endif
#ifndef SO_TXREHASH
#define SO_TXREHASH 74
#endif

/* In an order in which they can be set.  SO_SNDBUF and SO_RCVBUF read as twice of what is set. */
static const struct { int level, name; bool is_doubled; } listed[] = {
	{ SOL_SOCKET, SO_REUSEADDR, false }, { SOL_SOCKET, SO_REUSEPORT, false }, { SOL_SOCKET, SO_DONTROUTE, false },
	{ SOL_SOCKET, SO_BROADCAST, false }, { SOL_SOCKET, SO_OOBINLINE, false }, { SOL_SOCKET, SO_KEEPALIVE, false },
	{ SOL_SOCKET, SO_LINGER, false }, { SOL_SOCKET, SO_SNDBUF, true }, { SOL_SOCKET, SO_RCVBUF, true },
	{ SOL_SOCKET, SO_RCVLOWAT, false }, { SOL_SOCKET, SO_PEEK_OFF, false }, { SOL_SOCKET, SO_MARK, false },
	{ SOL_SOCKET, SO_BINDTOIFINDEX, false }, { SOL_SOCKET, SO_MAX_PACING_RATE, false }, { SOL_SOCKET, SO_BUSY_POLL, false },
	{ SOL_SOCKET, SO_PREFER_BUSY_POLL, false }, { SOL_SOCKET, SO_TXREHASH, false },
	{ IPPROTO_IP, IP_TOS, false }, { IPPROTO_IP, IP_TTL, false }, { IPPROTO_IP, IP_OPTIONS, false },
	{ IPPROTO_IP, IP_MTU_DISCOVER, false }, { IPPROTO_IP, IP_RECVERR, false }, { IPPROTO_IP, IP_FREEBIND, false },
	{ IPPROTO_IP, IP_TRANSPARENT, false }, { IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, false },
	{ IPPROTO_IP, IP_LOCAL_PORT_RANGE, false }, { IPPROTO_IP, IP_UNICAST_IF, false }, { IPPROTO_IP, IP_MINTTL, false },
	{ IPPROTO_IP, IP_PKTINFO, false }, { IPPROTO_IP, IP_RECVTTL, false }, { IPPROTO_IP, IP_RECVTOS, false },
	{ SOL_SOCKET, SO_PRIORITY, false },     /* which IP_TOS sets, too */
	{ IPPROTO_TCP, TCP_FASTOPEN, false }, { IPPROTO_TCP, TCP_FASTOPEN_CONNECT, false },
	{ IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, false }, { IPPROTO_TCP, TCP_NODELAY, false }, { IPPROTO_TCP, TCP_CORK, false },
	{ IPPROTO_TCP, TCP_MAXSEG, false }, { IPPROTO_TCP, TCP_KEEPIDLE, false }, { IPPROTO_TCP, TCP_KEEPINTVL, false },
	{ IPPROTO_TCP, TCP_KEEPCNT, false }, { IPPROTO_TCP, TCP_SYNCNT, false }, { IPPROTO_TCP, TCP_LINGER2, false },
	{ IPPROTO_TCP, TCP_DEFER_ACCEPT, false }, { IPPROTO_TCP, TCP_WINDOW_CLAMP, false },
	{ IPPROTO_TCP, TCP_QUICKACK, false }, { IPPROTO_TCP, TCP_USER_TIMEOUT, false },
	{ IPPROTO_TCP, TCP_NOTSENT_LOWAT, false }, { IPPROTO_TCP, TCP_INQ, false }, { IPPROTO_TCP, TCP_CONGESTION, false },
	{ IPPROTO_TCP, TCP_SAVE_SYN, false }, { IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, false },
};

/* Has it another value than a fresh socket?  It is in *o then. */
static bool differs(struct engine *e, struct tcp_conn *c, struct tcp_conn *fresh, struct engine_option *o)
{
	unsigned char usual[sizeof(o->val)];
	socklen_t len = sizeof(usual);

	o->len = sizeof(o->val);
	return !tcp_getopt(c, o->level, o->name, o->val, &o->len, e->now) &&
	       !tcp_getopt(fresh, o->level, o->name, usual, &len, e->now) &&
	       (len != o->len || memcmp(usual, o->val, len));
}

static void halve(struct engine_option *o)
{
	int v;

	memcpy(&v, o->val, sizeof(v));
	v /= 2;
	memcpy(o->val, &v, sizeof(v));
}

int engine_yield_option(struct engine *e, struct slot *slot, struct engine_option *o)
{
	struct tcp_conn *fresh = tcp_open(e->stack, e->now);
	bool is_found = false;

	if (!fresh)
		return -ENOMEM;
	while (!is_found && o->at < ARRAY_LEN(listed)) {
		o->level = listed[o->at].level;
		o->name = listed[o->at].name;
		is_found = differs(e, slot->conn, fresh, o);
		if (is_found && listed[o->at].is_doubled)
			halve(o);
		o->at++;
	}
	tcp_release(fresh, e->now);
	if (!is_found)
		o->len = 0;
	return is_found ? 0 : -ENOENT;
}

/* Under its handle, and bridged if it was. */
static int make_fresh(struct engine *e, struct slot *slot)
{
	struct tcp_conn *old = slot->conn, *c = tcp_open(e->stack, e->now);

	if (!c)
		return -ENOMEM;
	tcp_set_uid(c, geteuid());
	tcp_set_user(c, slot);
	slot->conn = c;
	tcp_set_user(old, NULL);
	tcp_release(old, e->now);
	return 0;
}

int engine_yield(struct engine *e, struct slot *slot, engine_sock s, int number, int kernels, struct sockaddr_in *bound)
{
	struct engine_bridged b;
	int r = 0;

	engine_bridge_identify(e, slot, false, &b);
	*bound = b.local;
	if (!b.is_idle)
		return -EISCONN;
	if (!slot->bridge && kernels >= 0 && e->cfg.give && e->cfg.give(s, number, kernels))
		engine_slot_release(e, slot);
	else
		r = make_fresh(e, slot);
	engine_share_update(e);
	engine_settle(e);       /* the port is free when the asker hears of it */
	return r;
}
