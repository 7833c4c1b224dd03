/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_bridge.c - moves the bytes of sockets whose calls don't reach us.
 *
 * The program's end is one side of an AF_UNIX stream, ours the other; what arrives
 * on the connection goes into ours, what the program writes comes out of it.  The kernel
 * counts who still has the program's end: when nobody has, ours hangs up, and the
 * connection is closed.  So it works across fork, exec, SCM_RIGHTS and in programs that were
 * never preloaded.
 *
 * A listener's end is a SOCK_SEQPACKET one: each message is one connection, its end by
 * SCM_RIGHTS.  Any process may take it, each is taken once, and when the queue is full the
 * connections wait in TCP's own.
 *
 * Our end has a name, which getpeername() at the other end gives: the engine, the handle and both
 * addresses.  Nobody can connect to it, as it doesn't listen.
 *
 * Everything here runs with the lock held.  Nothing is lost: what the kernel's object doesn't take
 * stays in the receive ring and closes the window, what the connection doesn't take stays in
 * `left` and in the object.
 */
#include "engine_impl.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "fdpass.h"
#include "sys.h"

#define CHUNK 65536u
#define ROUNDS 16               /* chunks before others get their turn */
#define EVENTS_MAX 32
#define NAME_PREFIX "xtcp:"

struct bridge {
	struct list link;       /* in engine.bridges */
	struct slot *slot;      /* whose connection it is; the bridge holds it */
	int fd;                 /* our end */
	uint32_t watched;       /* EPOLLIN, EPOLLOUT: what bridge_ep tells us */
	bool is_listener;
	bool is_v6;             /* for its name */
	bool is_in_over;        /* the program has been told of the peer's end */
	bool is_out_over;       /* the program will write no more */
	bool is_hung_up;        /* nobody has the program's end */
	bool is_broken;         /* the connection has ended badly: all that the object can show is an end */
	uint8_t *left;          /* written by the program, not taken by the connection; owned */
	size_t left_at, left_len;
};

/* ---- names ---- */

/* Upper case: of AF_INET6. */
static char kind_of(const struct engine_bridged *b)
{
	char kind = b->is_listener ? 'l' : 'c';

	return (char)(b->is_v6 ? toupper(kind) : kind);
}

void engine_bridge_name(const struct engine_bridged *b, struct sockaddr_un *a, socklen_t *len)
{
	int n;

	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	n = snprintf(a->sun_path + 1, sizeof(a->sun_path) - 1,
		     NAME_PREFIX "%016" PRIx64 ":%016" PRIx64 ":%c:%08x:%04x:%08x:%04x", b->host,
		     (uint64_t)b->s, kind_of(b), ntohl(b->local.sin_addr.s_addr),
		     ntohs(b->local.sin_port), ntohl(b->peer.sin_addr.s_addr), ntohs(b->peer.sin_port));
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

static void fill_addr(struct sockaddr_in *a, uint32_t addr, unsigned port)
{
	memset(a, 0, sizeof(*a));
	a->sin_family = AF_INET;
	a->sin_addr.s_addr = htonl(addr);
	a->sin_port = htons((uint16_t)port);
}

int engine_bridged(int fd, struct engine_bridged *b)
{
	struct sockaddr_un a = { .sun_family = AF_UNSPEC };
	socklen_t len = sizeof(a) - 1;
	unsigned laddr, lport, raddr, rport;
	uint64_t s;
	char kind;

	if (raw_getpeername(fd, &a, &len) < 0 || a.sun_family != AF_UNIX || len > sizeof(a) - 1)
		return -ENOTSOCK;
	((char *)&a)[len] = 0;
	if (len <= offsetof(struct sockaddr_un, sun_path) || a.sun_path[0] ||
	    sscanf(a.sun_path + 1, NAME_PREFIX "%" SCNx64 ":%" SCNx64 ":%c:%x:%x:%x:%x", &b->host, &s, &kind,
		   &laddr, &lport, &raddr, &rport) != 7)
		return -ENOTSOCK;
	b->s = s;
	b->is_listener = tolower(kind) == 'l';
	b->is_v6 = isupper((unsigned char)kind);
	fill_addr(&b->local, laddr, lport);
	fill_addr(&b->peer, raddr, rport);
	return 0;
}

static void identify(const struct engine *e, const struct slot *slot, bool is_v6, struct engine_bridged *b)
{
	uint16_t port = 0;
	ip4 addr = 0;

	b->host = e->host_id;
	b->s = (engine_sock)slot->gen << 32 | (slot->index + 1);
	b->is_listener = tcp_state(slot->conn) == TCP_LISTEN;
	b->is_v6 = is_v6;
	tcp_sockname(slot->conn, &addr, &port);
	fill_addr(&b->local, addr, port);
	addr = port = 0;
	tcp_peername(slot->conn, &addr, &port);
	fill_addr(&b->peer, addr, port);
}

/* ---- making and ending ---- */

int engine_bridge_prepare(struct engine *e)
{
	int r;

	if (e->bridge_ep >= 0)
		return 0;
	if (getrandom(&e->host_id, sizeof(e->host_id), 0) != sizeof(e->host_id))
		return -EIO;
	if (!e->bridge_buf)
		e->bridge_buf = malloc(CHUNK);
	e->bridge_ep = e->bridge_buf ? sys_epoll() : -ENOMEM;
	if (e->bridge_ep < 0)
		return e->bridge_ep;
	r = engine_remote_open(e);
	if (!r)
		r = sys_epoll_ctl(e->pkt_ep, EPOLL_CTL_ADD, e->bridge_ep, EPOLLIN);
	if (!r)
		return 0;
	if (e->remote >= 0)
		raw_close(e->remote);
	raw_close(e->bridge_ep);
	e->remote = e->bridge_ep = -1;
	return r;
}

/* What bridge_ep gives back for a bridge: its slot's index; it is looked up again, as the bridge may have
 * ended meanwhile. */
static int watch(struct engine *e, struct bridge *b, int op, uint32_t events)
{
	b->watched = events;
	return sys_epoll_ctl64(e->bridge_ep, op, b->fd, events, b->slot->index);
}

static void want(struct engine *e, struct bridge *b, uint32_t events)
{
	if (events != b->watched && !b->is_hung_up)
		watch(e, b, EPOLL_CTL_MOD, events);
}

static void bridge_free(struct engine *e, struct bridge *b)
{
	list_remove(&b->link);
	e->nbridge--;
	b->slot->bridge = NULL;
	raw_close(b->fd);
	free(b->left);
	free(b);
}

/* Nobody is left who could use the socket. */
static void end(struct engine *e, struct bridge *b)
{
	struct slot *slot = b->slot;

	bridge_free(e, b);
	engine_slot_release(e, slot);
	e->is_stirred = true;
}

/* A bridge for slot with our end in ends[0], named. */
static int bridge_new(struct engine *e, struct slot *slot, bool is_v6, int ends[2])
{
	struct bridge *b = calloc(1, sizeof(*b));
	struct engine_bridged id;
	struct sockaddr_un a;
	socklen_t len;
	int r;

	if (!b)
		return -ENOMEM;
	identify(e, slot, is_v6, &id);
	r = raw_socketpair(AF_UNIX, (id.is_listener ? SOCK_SEQPACKET : SOCK_STREAM) | SOCK_CLOEXEC, 0, ends);
	if (r < 0) {
		free(b);
		return r;
	}
	ends[0] = highfd_raise(ends[0]);
	engine_bridge_name(&id, &a, &len);
	raw_bind(ends[0], &a, len);
	b->fd = ends[0];
	b->slot = slot;
	b->is_listener = id.is_listener;
	b->is_v6 = is_v6;
	slot->bridge = b;
	list_append(&e->bridges, &b->link);
	e->nbridge++;
	r = watch(e, b, EPOLL_CTL_ADD, b->is_listener ? 0 : EPOLLIN);
	if (!r)
		return 0;
	bridge_free(e, b);
	raw_close(ends[1]);
	return r;
}

int engine_bridge(struct engine *e, engine_sock s, bool is_v6, int *fd)
{
	struct slot *slot;
	int ends[2], r, state;

	engine_enter(e);
	slot = engine_slot(e, s);
	state = slot ? tcp_state(slot->conn) : 0;
	r = !slot ? -EBADF : engine_bridge_prepare(e);
	/* A connection that has ended still has bytes or an end to show, a fresh socket hasn't. */
	if (!r && (state == TCP_SYN_SENT ||
		   (state == TCP_CLOSE && !(tcp_events(slot->conn) & POLLRDHUP))))
		r = -ENOTCONN;
	if (!r) {
		engine_slot_renew(e, slot);
		r = bridge_new(e, slot, is_v6, ends);
	}
	if (!r) {
		*fd = ends[1];
		engine_bridge_run(e, slot->bridge);
	}
	engine_leave(e);
	return r;
}

/* ---- the listener ---- */

/* The message that carries one connection; its text is its identity. */
static int hand_over(struct bridge *b, const struct engine_bridged *id, int fd)
{
	return (int)fdpass_send(b->fd, id, sizeof(*id), &fd, 1, MSG_DONTWAIT);
}

static bool has_room(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return sys_ppoll(&p, 1, &(struct timespec){ 0, 0 }, NULL) == 1 && p.revents & POLLOUT;
}

/* One of the kernel's connections; who takes it asks the kernel for its names. */
static bool hand_over_local(struct engine *e, struct bridge *b)
{
	struct engine_bridged id = { .host = 0, .is_v6 = b->is_v6 };
	struct sockaddr_storage peer;
	socklen_t len;
	int fd = engine_local_take(e, b->slot, SOCK_CLOEXEC, &peer, &len);

	if (fd < 0)
		return false;
	hand_over(b, &id, fd);
	raw_close(fd);
	return true;
}

static void run_listener(struct engine *e, struct bridge *b)
{
	struct engine_bridged id;
	struct tcp_conn *c;
	engine_sock s;
	int ends[2], err;

	while (engine_slot_events(b->slot) & POLLIN) {
		if (!has_room(b->fd)) {
			want(e, b, EPOLLOUT);
			return;
		}
		if (hand_over_local(e, b))
			continue;
		c = tcp_accept(b->slot->conn, &err, e->now);
		if (!c)
			break;
		e->is_stirred = true;
		if (engine_slot_new(e, c, &s) < 0) {
			tcp_release(c, e->now);
			break;
		}
		if (bridge_new(e, engine_slot(e, s), b->is_v6, ends) < 0) {
			engine_slot_release(e, engine_slot(e, s));
			break;
		}
		identify(e, engine_slot(e, s), b->is_v6, &id);
		if (hand_over(b, &id, ends[1]) < 0)
			end(e, engine_slot(e, s)->bridge);
		else
			engine_bridge_run(e, engine_slot(e, s)->bridge);
		raw_close(ends[1]);
	}
	want(e, b, 0);
}

int engine_bridged_accept(int fd, int flags, struct engine_bridged *b)
{
	unsigned n;
	int conn;
	ssize_t r = fdpass_recv(fd, b, sizeof(*b), &conn, 1, &n, flags);

	if (r < 0)
		return (int)r;
	if (r == sizeof(*b) && n)
		return conn;
	if (n)
		raw_close(conn);
	return r ? -ECONNABORTED : -EINVAL;
}

/* ---- bytes ---- */

/* From the connection to the program: true when the object has no more room. */
static bool move_in(struct engine *e, struct bridge *b, uint8_t *buf)
{
	struct iovec iov = { buf, CHUNK };
	struct tcp_conn *c = b->slot->conn;
	unsigned i;
	ssize_t n, m;

	for (i = 0; i < ROUNDS && !b->is_in_over && !b->is_hung_up; i++) {
		n = tcp_recv(c, &iov, 1, 0, MSG_PEEK, 0, NULL, e->now);
		if (n == -EAGAIN)
			return false;
		if (n < 0) {
			b->is_broken = true;
			return false;
		}
		if (n == 0) {
			raw_shutdown(b->fd, SHUT_WR);
			b->is_in_over = true;
			return false;
		}
		m = raw_sendto(b->fd, buf, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
		if (m == -EPIPE) {
			/* The program has shut its reading side, or is about to hang up. */
			b->is_in_over = true;
			return false;
		}
		if (m < 0)
			return true;
		tcp_recv(c, &(struct iovec){ buf, (size_t)m }, 1, 0, MSG_TRUNC, 0, NULL, e->now);
		e->is_stirred = true;
	}
	return i == ROUNDS;
}

/* True when nothing is left over. */
static bool send_left(struct engine *e, struct bridge *b)
{
	struct iovec iov = { b->left + b->left_at, b->left_len };
	ssize_t n;

	if (!b->left_len)
		return true;
	n = tcp_send(b->slot->conn, &iov, 1, 0, TCP_SEND_ON, e->now);
	if (n > 0) {
		b->left_at += (size_t)n;
		b->left_len -= (size_t)n;
		e->is_stirred = true;
	} else if (n != -EAGAIN) {
		b->left_len = 0;
	}
	if (b->left_len)
		return false;
	free(b->left);
	b->left = NULL;
	return true;
}

static bool keep_left(struct bridge *b, const uint8_t *buf, size_t len)
{
	b->left = malloc(len);
	if (!b->left)
		return false;
	memcpy(b->left, buf, len);
	b->left_at = 0;
	b->left_len = len;
	return true;
}

/* What the program wrote last: an end, or it closed with something unread (-ECONNRESET). */
static void see_end(struct engine *e, struct bridge *b, ssize_t n)
{
	struct linger at_once = { 1, 0 };

	b->is_out_over = true;
	if (n < 0)
		tcp_setopt(b->slot->conn, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once), true, e->now);
	else
		tcp_shutdown(b->slot->conn, SHUT_WR, e->now);
	e->is_stirred = true;
}

/* From the program to the connection: true when there may be more. */
static bool move_out(struct engine *e, struct bridge *b, uint8_t *buf)
{
	struct iovec iov = { buf, 0 };
	unsigned i;
	ssize_t n, m;

	if (!send_left(e, b))
		return false;
	for (i = 0; i < ROUNDS && !b->is_out_over; i++) {
		n = raw_recv(b->fd, buf, CHUNK, MSG_DONTWAIT);
		if (n == -EAGAIN || n == -EINTR)
			return true;
		if (n <= 0) {
			see_end(e, b, n);
			return false;
		}
		iov.iov_len = (size_t)n;
		m = tcp_send(b->slot->conn, &iov, 1, 0, 0, e->now);
		e->is_stirred = true;
		if (m == -EAGAIN)
			m = 0;
		if (m < 0) {
			b->is_broken = true;
			return false;
		}
		if (m < n)
			return !keep_left(b, buf + m, (size_t)(n - m));
	}
	return !b->is_out_over;
}

static void run_stream(struct engine *e, struct bridge *b)
{
	bool is_full, wants_more;

	is_full = move_in(e, b, e->bridge_buf);
	wants_more = move_out(e, b, e->bridge_buf);
	if (b->is_broken || (b->is_hung_up && b->is_out_over && !b->left_len)) {
		end(e, b);
		return;
	}
	want(e, b, (is_full ? EPOLLOUT : 0) | (wants_more ? EPOLLIN : 0));
}

void engine_bridge_run(struct engine *e, struct bridge *b)
{
	if (b->is_listener)
		run_listener(e, b);
	else
		run_stream(e, b);
}

static void see(struct engine *e, uint64_t index, uint32_t events)
{
	struct bridge *b = index < e->slots.cap ? e->slots.v[index]->bridge : NULL;

	if (!b)
		return;
	if (events & EPOLLHUP && !b->is_hung_up) {
		b->is_hung_up = true;
		sys_epoll_ctl(e->bridge_ep, EPOLL_CTL_DEL, b->fd, 0);
	}
	if (b->is_hung_up && b->is_listener)
		end(e, b);
	else
		engine_bridge_run(e, b);
}

void engine_bridge_turn(struct engine *e)
{
	struct epoll_event ev[EVENTS_MAX];
	int i, n;

	if (e->bridge_ep < 0)
		return;
	n = sys_epoll_poll(e->bridge_ep, ev, EVENTS_MAX);
	for (i = 0; i < n; i++) {
		if (ev[i].data.u64 == BRIDGE_REMOTE)
			engine_remote_serve(e);
		else if (ev[i].data.u64 >= BRIDGE_LOCAL)
			engine_local_see(e, ev[i].data.u64);
		else
			see(e, ev[i].data.u64, ev[i].events);
	}
}

/* ---- process life ---- */

void engine_bridges_forget(struct engine *e)
{
	while (!list_is_empty(&e->bridges))
		bridge_free(e, container_of(e->bridges.next, struct bridge, link));
	if (e->remote >= 0)
		raw_close(e->remote);
	if (e->bridge_ep >= 0)
		raw_close(e->bridge_ep);
	e->remote = e->bridge_ep = -1;
	free(e->bridge_buf);
	e->bridge_buf = NULL;
}

unsigned engine_bridge_fds(struct engine *e, int *fds, unsigned n)
{
	const struct list *l;
	unsigned i = 0;

	for (l = e->bridges.next; l != &e->bridges && i < n; l = l->next)
		fds[i++] = container_of(l, struct bridge, link)->fd;
	if (e->remote >= 0 && i < n)
		fds[i++] = e->remote;
	if (e->bridge_ep >= 0 && i < n)
		fds[i++] = e->bridge_ep;
	return i;
}
