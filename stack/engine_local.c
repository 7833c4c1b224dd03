/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_local.c - a server's clients that come by way of the kernel.
 *
 * What a host sends to itself never passes an interface of ours, and what comes in by another interface, or by IPv6,
 * isn't ours either.  So on a shared address a listener listens twice: in the stack, and in the kernel on the
 * port that it has claimed there (guard.h), where the guard keeps the frames away that are ours.  accept()
 * takes from both.
 *
 * The kernel's part is a socket beside the claim, of the program's family and with its address.  Both have
 * SO_REUSEADDR, to share the port with each other and with connections that are left of earlier clients; as
 * long as one listens nobody else can join (inet_csk_bind_conflict), and then the claim gives it up again.  Members of
 * a group (SO_REUSEPORT) each have one.
 *
 * They are in bridge_ep, each told of once until it has been found empty.
 */
#include "engine_impl.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "guard.h"
#include "sys.h"

struct local {
	int claim;              /* a copy of its fd */
	int fd;                 /* listens */
	int name;               /* tells other processes of us (engine_dial.c); -1: nobody is to know */
	uint16_t port;          /* when it is of a group (share.h); 0: it isn't */
	bool is_ready;
};

static int watch(struct engine *e, struct slot *slot, int op)
{
	slot->local->is_ready = false;
	return sys_epoll_ctl64(e->bridge_ep, op, slot->local->fd, EPOLLIN | EPOLLONESHOT,
			       BRIDGE_LOCAL + slot->index);
}

/* ---- listening ---- */

static int set_int(int fd, int level, int name, int v)
{
	return raw_setsockopt(fd, level, name, &v, sizeof(v));
}

static socklen_t fill_in6(struct sockaddr_in6 *a, ip4 addr, uint16_t port)
{
	memset(a, 0, sizeof(*a));
	a->sin6_family = AF_INET6;
	a->sin6_port = htons(port);
	if (addr) {
		a->sin6_addr.s6_addr32[2] = htonl(0xffff);
		a->sin6_addr.s6_addr32[3] = htonl(addr);
	}
	return sizeof(*a);
}

static socklen_t fill_in(struct sockaddr_in *a, ip4 addr, uint16_t port)
{
	memset(a, 0, sizeof(*a));
	a->sin_family = AF_INET;
	a->sin_port = htons(port);
	a->sin_addr.s_addr = htonl(addr);
	return sizeof(*a);
}

/* Bound as the program's is. */
static int open_bound(bool is_v6, ip4 addr, uint16_t port, bool is_sharing)
{
	union {
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} a;
	socklen_t len = is_v6 ? fill_in6(&a.in6, addr, port) : fill_in(&a.in, addr, port);
	int fd = raw_socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP), r;

	if (fd < 0)
		return fd;
	fd = highfd_raise(fd);
	r = is_v6 ? set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0) : 0;
	if (!r)
		r = set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (!r && is_sharing)
		r = set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (!r)
		r = raw_bind(fd, &a, len);
	if (!r)
		return fd;
	raw_close(fd);
	return r;
}

/* Members of a group listen side by side in the kernel, too, which chooses among them. */
static bool is_sharing(struct engine *e, struct slot *slot)
{
	int on = 0;
	socklen_t len = sizeof(on);

	return tcp_getopt(slot->conn, SOL_SOCKET, SO_REUSEPORT, &on, &len, e->now) || on;
}

static int open_fds(struct engine *e, struct slot *slot, bool is_v6)
{
	struct local *l = slot->local;
	uint16_t port;
	ip4 addr;
	int r;

	tcp_sockname(slot->conn, &addr, &port);
	if (is_sharing(e, slot)) {
		l->port = port;
		engine_share_count_listener(e, port, 1);
	}
	l->claim = guard_dup(e->guard, addr, port);
	r = l->claim < 0 ? l->claim : set_int(l->claim, SOL_SOCKET, SO_REUSEADDR, 1);
	if (!r)
		l->fd = open_bound(is_v6, addr, port, l->port);
	return r ? r : MIN(l->fd, 0);
}

/* A name for a child, or for the parent. */
static void sign(struct engine *e, struct slot *slot)
{
	struct local *l = slot->local;

	if (l->name < 0 && e->cfg.has_loopback && (e->cfg.is_forked || e->has_forked))
		l->name = engine_bridge_sign(e, slot);
}

static int listen_first(struct engine *e, struct slot *slot, const struct engine_local *how)
{
	int r = engine_bridge_prepare(e);

	if (r)
		return r;
	slot->local = calloc(1, sizeof(*slot->local));
	if (!slot->local)
		return -ENOMEM;
	slot->local->claim = slot->local->fd = slot->local->name = -1;
	r = open_fds(e, slot, how->is_v6);
	if (!r) {
		how->set_up(how->user, slot->local->fd);
		r = raw_listen(slot->local->fd, how->backlog);
	}
	if (!r)
		r = watch(e, slot, EPOLL_CTL_ADD);
	if (r)
		engine_local_close(e, slot);
	else
		sign(e, slot);
	return r;
}

int engine_local_listen(struct engine *e, struct slot *slot, const struct engine_local *how)
{
	if (slot->local)
		return raw_listen(slot->local->fd, how->backlog);
	if (e->guard && tcp_state(slot->conn) == TCP_LISTEN)
		return listen_first(e, slot, how);
	return 0;
}

int engine_listen_locally(struct engine *e, engine_sock s, const struct engine_local *how)
{
	struct slot *slot;
	int r;

	engine_enter(e);
	slot = engine_slot(e, s);
	r = slot ? engine_local_listen(e, slot, how) : 0;
	engine_exit(e);
	return r;
}

void engine_local_setopt(const struct slot *slot, int level, int name, const void *val, socklen_t len)
{
	/* Who else may have the port is the claim's business. */
	if (slot->local && (level != SOL_SOCKET || (name != SO_REUSEADDR && name != SO_REUSEPORT)))
		raw_setsockopt(slot->local->fd, level, name, val, len);
}

void engine_local_close(struct engine *e, struct slot *slot)
{
	struct local *l = slot->local;

	if (!l)
		return;
	slot->local = NULL;
	if (l->fd >= 0)
		raw_close(l->fd);
	if (l->name >= 0)
		raw_close(l->name);
	if (l->port)
		engine_share_count_listener(e, l->port, -1);
	if (l->claim >= 0) {
		set_int(l->claim, SOL_SOCKET, SO_REUSEADDR, 0);
		raw_close(l->claim);
	}
	free(l);
}

void engine_local_update(struct engine *e, struct slot *slot)
{
	if (slot->local && tcp_state(slot->conn) != TCP_LISTEN)
		engine_local_close(e, slot);
}

/* ---- accepting ---- */

bool engine_local_has_client(const struct slot *slot)
{
	return slot->local && slot->local->is_ready;
}

void engine_local_see(struct engine *e, uint64_t word)
{
	uint64_t index = word - BRIDGE_LOCAL;
	struct slot *slot = index < e->slots.cap ? e->slots.v[index] : NULL;

	if (!slot || !slot->conn || !slot->local)
		return;
	slot->local->is_ready = true;
	engine_tell(e, slot);
}

int engine_local_take(struct engine *e, struct slot *slot, int flags, struct sockaddr_storage *peer, socklen_t *len)
{
	int fd = -EAGAIN;

	if (!engine_local_has_client(slot))
		return fd;
	do {
		*len = sizeof(*peer);
		fd = raw_accept(slot->local->fd, peer, len, flags);
	} while (fd == -ECONNABORTED || fd == -EINTR);
	if (fd == -EAGAIN)
		watch(e, slot, EPOLL_CTL_MOD);
	return fd;
}

int engine_accept_locally(struct engine *e, engine_sock s, int flags, struct sockaddr_storage *peer, socklen_t *len)
{
	struct slot *slot;
	int fd;

	engine_enter(e);
	slot = engine_slot(e, s);
	if (!slot || !engine_local_has_client(slot)) {
		engine_exit(e);
		return slot ? -EAGAIN : -EBADF;
	}
	fd = engine_local_take(e, slot, flags, peer, len);
	engine_tell(e, slot);
	engine_leave(e);
	return fd;
}

/* ---- process life ---- */

void engine_locals_sign(struct engine *e)
{
	uint32_t i;

	e->has_forked = true;
	for (i = 0; i < e->slots.cap; i++)
		if (e->slots.v[i]->local)
			sign(e, e->slots.v[i]);
}

void engine_locals_forget(struct engine *e)
{
	struct local *l;
	uint32_t i;

	for (i = 0; i < e->slots.cap; i++) {
		l = e->slots.v[i]->local;
		if (l) {
			raw_close(l->fd);
			raw_close(l->claim);
			if (l->name >= 0)
				raw_close(l->name);
		}
		free(l);
		e->slots.v[i]->local = NULL;
	}
}

unsigned engine_local_fds(const struct engine *e, int *fds, unsigned n)
{
	const struct local *l;
	unsigned k = 0;
	uint32_t i;

	for (i = 0; i < e->slots.cap; i++) {
		l = e->slots.v[i]->local;
		if (l && k < n)
			fds[k++] = l->claim;
		if (l && k < n)
			fds[k++] = l->fd;
		if (l && l->name >= 0 && k < n)
			fds[k++] = l->name;
	}
	return k;
}
