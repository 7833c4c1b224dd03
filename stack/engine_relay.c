/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_relay.c - the kernel's clients of a native listener.
 *
 * What accept() takes from a native listener (engine_listener.c) is an AF_UNIX socket, also for a client that came by the
 * kernel (engine_local.c).  The bytes of such a connection are moved between the kernel's TCP socket and ours, both ways
 * alike: what one side gives and the other has no room for is kept, an end is passed on, and when the program's end has
 * gone the connection is closed.
 */
#include "engine_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine_left.h"
#include "sys.h"

#define CHUNK 65536u
#define ROUNDS 16

enum { TCP_SIDE, UNIX_SIDE, SIDES };

struct side {
	int fd;
	uint32_t watched;       /* EPOLLIN, EPOLLOUT */
	bool is_watched;        /* in bridge_ep */
	bool is_over;           /* no more comes from here */
	struct leftover left;   /* came from here, isn't gone yet */
};

struct relay {
	struct list link;       /* in engine.relays */
	uint64_t id;
	bool has_gone;          /* nobody has the program's end any more */
	struct side side[SIDES];
};

static void relay_free(struct engine *e, struct relay *r)
{
	unsigned i;

	for (i = 0; i < SIDES; i++) {
		if (r->side[i].fd >= 0)
			raw_close(r->side[i].fd);
		leftover_drop(&r->side[i].left);
	}
	list_remove(&r->link);
	e->nbridge--;
	free(r);
}

static void unwatch(struct engine *e, struct side *s)
{
	if (s->is_watched)
		sys_epoll_ctl(e->bridge_ep, EPOLL_CTL_DEL, s->fd, 0);
	s->is_watched = false;
}

/* The program's end is watched as long as it is there, for HUP; TCP's would tell of its end again and again. */
static void watch(struct engine *e, struct relay *r, unsigned i, uint32_t events)
{
	struct side *s = &r->side[i];

	if (!events && i == TCP_SIDE) {
		unwatch(e, s);
		return;
	}
	if (s->is_watched && s->watched == events)
		return;
	sys_epoll_ctl64(e->bridge_ep, s->is_watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, s->fd, events,
			BRIDGE_RELAY + 2 * r->id + i);
	s->watched = events;
	s->is_watched = true;
}

/* ---- bytes ---- */

/* True when nothing is left. */
static bool send_left(struct side *from, struct side *to)
{
	struct leftover *l = &from->left;
	ssize_t n;

	if (!l->len)
		return true;
	n = raw_sendto(to->fd, l->buf + l->at, l->len, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
	if (n == -EAGAIN)
		return false;
	if (n > 0)
		leftover_took(l, (size_t)n);
	else
		leftover_drop(l);       /* nobody is there to read it */
	return !l->len;
}

/* 0 or -errno: the connection is broken. */
static int move(struct engine *e, struct side *from, struct side *to)
{
	unsigned i;
	ssize_t n, m;

	for (i = 0; i < ROUNDS && !from->is_over && send_left(from, to); i++) {
		n = raw_recv(from->fd, e->bridge_buf, CHUNK, MSG_DONTWAIT);
		if (n == -EAGAIN || n == -EINTR)
			return 0;
		if (n < 0)
			return (int)n;
		from->is_over = !n;
		m = n ? raw_sendto(to->fd, e->bridge_buf, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0) : 0;
		if (m < 0 && m != -EAGAIN)
			return (int)m;
		m = MAX(m, 0);
		if (m < n && !leftover_keep(&from->left, e->bridge_buf + m, (size_t)(n - m)))
			return -ENOMEM;
	}
	if (from->is_over && send_left(from, to))
		raw_shutdown(to->fd, SHUT_WR);
	return 0;
}

static bool is_done(const struct side *s)
{
	return s->is_over && !s->left.len;
}

/* Closed with something unread, or by the peer's reset, it is reset on the other side as well. */
static void reset(struct engine *e, struct relay *r)
{
	const struct linger at_once = { 1, 0 };

	raw_setsockopt(r->side[TCP_SIDE].fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	relay_free(e, r);
}

static void run(struct engine *e, struct relay *r)
{
	struct side *t = &r->side[TCP_SIDE], *u = &r->side[UNIX_SIDE];

	if (move(e, t, u) || move(e, u, t))
		reset(e, r);
	else if (is_done(t) && is_done(u))
		relay_free(e, r);
	else {
		watch(e, r, TCP_SIDE, (t->is_over || t->left.len ? 0 : EPOLLIN) | (u->left.len ? EPOLLOUT : 0));
		if (!r->has_gone)
			watch(e, r, UNIX_SIDE, (u->is_over || u->left.len ? 0 : EPOLLIN) | (t->left.len ? EPOLLOUT : 0));
	}
}

static struct relay *find(struct engine *e, uint64_t id)
{
	struct list *l;

	for (l = e->relays.next; l != &e->relays; l = l->next)
		if (container_of(l, struct relay, link)->id == id)
			return container_of(l, struct relay, link);
	return NULL;
}

/* What the program wrote last is delivered. */
static void program_has_gone(struct engine *e, struct relay *r)
{
	struct side *t = &r->side[TCP_SIDE], *u = &r->side[UNIX_SIDE];
	int err = 0;

	while (!err && !u->is_over && !u->left.len)
		err = move(e, u, t);
	t->is_over = true;
	leftover_drop(&t->left);
	r->has_gone = true;
	unwatch(e, u);
	if (err)
		reset(e, r);
	else
		run(e, r);
}

void engine_relay_see(struct engine *e, uint64_t word, uint32_t events)
{
	struct relay *r = find(e, (word - BRIDGE_RELAY) / 2);

	if (!r)
		return;
	if (word & 1 && events & EPOLLHUP)
		program_has_gone(e, r);
	else
		run(e, r);
}

/* ---- life ---- */

/* Of IPv4, or mapped; an IPv6 one has no place in a name. */
static void take_addr(int fd, int (*get)(int, void *, socklen_t *), struct sockaddr_in *a)
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} from = { .any.sa_family = AF_UNSPEC };
	socklen_t len = sizeof(from);

	memset(a, 0, sizeof(*a));
	a->sin_family = AF_INET;
	if (get(fd, &from, &len) < 0)
		return;
	a->sin_port = from.in.sin_port;                 /* the same place in both */
	if (from.any.sa_family == AF_INET)
		a->sin_addr = from.in.sin_addr;
	else if (IN6_IS_ADDR_V4MAPPED(&from.in6.sin6_addr))
		a->sin_addr.s_addr = from.in6.sin6_addr.s6_addr32[3];
}

int engine_relay_open(struct engine *e, const struct engine_bridged *listener, int tcp)
{
	struct engine_bridged id = { .host = e->host_id, .s = RELAY_SOCK | e->relay_id, .is_v6 = listener->is_v6 };
	struct relay *r;
	int fd, err;

	take_addr(tcp, raw_getsockname, &id.local);
	take_addr(tcp, raw_getpeername, &id.peer);
	fd = engine_listener_client(&id);
	if (fd < 0)
		return fd;
	err = engine_listener_offer(listener, fd);
	r = err ? NULL : calloc(1, sizeof(*r));
	if (!r) {
		raw_close(fd);
		return err ? err : -ENOMEM;
	}
	r->id = e->relay_id++;
	r->side[TCP_SIDE].fd = highfd_raise(tcp);
	r->side[UNIX_SIDE].fd = fd;
	list_append(&e->relays, &r->link);
	e->nbridge++;
	run(e, r);
	return 0;
}

int engine_relay_fd(struct engine *e, engine_sock s)
{
	struct relay *r = s & RELAY_SOCK ? find(e, s & ~RELAY_SOCK) : NULL;

	return r ? r->side[TCP_SIDE].fd : -1;
}

void engine_relays_forget(struct engine *e)
{
	while (!list_is_empty(&e->relays))
		relay_free(e, container_of(e->relays.next, struct relay, link));
}

unsigned engine_relay_fds(const struct engine *e, int *fds, unsigned n)
{
	const struct list *l;
	unsigned i, k = 0;

	for (l = e->relays.next; l != &e->relays; l = l->next)
		for (i = 0; i < SIDES && k < n; i++)
			fds[k++] = container_of(l, struct relay, link)->side[i].fd;
	return k;
}
