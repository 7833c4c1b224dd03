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
 * A listener's end is a native listener, for the kernel's own accept() (engine_listener.c).  Where it must be the object
 * that several processes have already, it is one side of a stream, too, and each message is one connection, its end by
 * SCM_RIGHTS.  Any process may take it, each is taken once, and when the queue is full the connections wait in TCP's own.
 *
 * Our end has a name, which getpeername() at the other end gives: the engine, the handle and both
 * addresses.  Nobody can connect to it, as it doesn't listen.
 *
 * Everything here runs with the lock held.  The bytes are engine_bridge_move.c's, the names engine_bridge_name.c's.
 */
#include "engine_bridge.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "fdpass.h"
#include "sys.h"

#define EVENTS_MAX 32
#define OBJECT_SNDBUF (192 * 1024)
#define ENDED_FOR (60 * XTIME_SEC)      /* as TIME-WAIT */

/* ---- making and ending ---- */

int engine_bridge_prepare(struct engine *e)
{
	int r;

	if (e->bridge_ep >= 0)
		return 0;
	if (getrandom(&e->host_id, sizeof(e->host_id), 0) != sizeof(e->host_id))
		return -EIO;
	if (!e->bridge_buf)
		e->bridge_buf = malloc(BRIDGE_CHUNK);
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
	return sys_epoll_ctl64(e->bridge_ep, op, b->fd, events | EPOLLRDHUP | EPOLLPRI | EPOLLET, b->slot->index);
}

/* For edges; what is there already is told when it is asked for again. */
void engine_bridge_want(struct engine *e, struct bridge *b, uint32_t events)
{
	if ((events != b->watched || (events & EPOLLIN && b->has_news)) && !b->is_hung_up)
		watch(e, b, EPOLL_CTL_MOD, events);
}

static void bridge_free(struct engine *e, struct bridge *b)
{
	list_remove(&b->link);
	e->nbridge--;
	b->slot->bridge = NULL;
	if (b->listener)
		b->listener->waiting = NULL;
	if (b->waiting)
		b->waiting->listener = NULL;
	if (b->fd >= 0)
		raw_close(b->fd);
	if (b->kernels >= 0)
		raw_close(b->kernels);
	leftover_drop(&b->left);
	free(b);
}

static engine_sock handle(const struct slot *slot)
{
	return (engine_sock)slot->gen << 32 | (slot->index + 1);
}

static void drop_ended(struct engine *e, engine_sock *at)
{
	struct slot *slot = engine_slot(e, *at);

	*at = 0;
	if (slot)
		engine_slot_release(e, slot);
}

/* Whoever has the object may ask how the connection ended: the last ones stay until others follow, or a while. */
static void keep_ended(struct engine *e, struct slot *slot)
{
	engine_sock *at = &e->ended[e->nended++ % ENGINE_ENDED];

	drop_ended(e, at);
	*at = handle(slot);
	e->ended_until = e->now + ENDED_FOR;
}

bool engine_bridge_has_ended(const struct engine *e, engine_sock s)
{
	unsigned i;

	for (i = 0; i < ENGINE_ENDED && e->ended[i] != s; i++)
		;
	return i < ENGINE_ENDED;
}

bool engine_bridge_drop_ended(struct engine *e)
{
	unsigned i, n = 0;

	for (i = 0; i < ENGINE_ENDED; i++) {
		n += e->ended[i] != 0;
		drop_ended(e, &e->ended[i]);
	}
	e->ended_until = XTIME_NEVER;
	return n;
}

void engine_bridge_expire(struct engine *e)
{
	if (e->ended_until <= e->now)
		engine_bridge_drop_ended(e);
}

void engine_bridge_end(struct engine *e, struct bridge *b)
{
	struct slot *slot = b->slot;
	/* Ours hangs up as well when both sides have said their end. */
	bool may_be_asked = !b->listener && !b->is_listener && tcp_state(slot->conn) == TCP_CLOSE;

	if (b->waiting)
		engine_bridge_end(e, b->waiting);
	engine_bridge_show_end(e, b);
	bridge_free(e, b);
	if (may_be_asked)
		keep_ended(e, slot);
	else
		engine_slot_release(e, slot);
	e->is_stirred = true;
}

static struct bridge *bridge_new(struct engine *e, struct slot *slot, bool is_v6)
{
	struct bridge *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->fd = b->kernels = -1;
	b->slot = slot;
	b->is_listener = tcp_state(slot->conn) == TCP_LISTEN;
	b->is_v6 = is_v6;
	b->has_news = true;
	slot->bridge = b;
	list_append(&e->bridges, &b->link);
	e->nbridge++;
	return b;
}

void engine_widen_object(int fd)
{
	const int room = OBJECT_SNDBUF;

	raw_setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
}

int engine_bridge_pair(struct engine *e, struct slot *slot, bool is_v6, int *fd)
{
	struct bridge *b = bridge_new(e, slot, is_v6);
	struct engine_bridged id;
	struct sockaddr_un a;
	socklen_t len;
	int ends[2], r;

	if (!b)
		return -ENOMEM;
	r = raw_socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
	if (r < 0) {
		bridge_free(e, b);
		return r;
	}
	b->fd = highfd_raise(ends[0]);
	engine_bridge_identify(e, slot, is_v6, &id);
	engine_bridged_name(&id, &a, &len);
	raw_bind(b->fd, &a, len);
	engine_widen_object(ends[1]);
	engine_bridge_take_urgent(e, b, ends[1]);
	b->keeps = raw_sendto(ends[1], "", 1, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0) == 1;
	r = watch(e, b, EPOLL_CTL_ADD, EPOLLIN);
	*fd = ends[1];
	if (!r)
		return 0;
	bridge_free(e, b);
	raw_close(ends[1]);
	return r;
}

int engine_bridge_sign(struct engine *e, const struct slot *slot)
{
	struct engine_bridged id = { .host = 0 };
	struct sockaddr_un a;
	socklen_t len;
	int fd = raw_socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), r;

	if (fd < 0)
		return fd;
	fd = highfd_raise(fd);
	engine_bridge_identify(e, slot, false, &id);
	engine_bridged_name(&id, &a, &len);
	r = raw_bind(fd, &a, len);
	if (!r)
		return fd;
	raw_close(fd);
	return r;
}

/* The program's end isn't writable before the connection is there: its buffer is full. */
static void fill(struct engine *e, struct bridge *b, int fd)
{
	ssize_t n;

	b->is_connecting = true;
	do {
		n = raw_sendto(fd, e->bridge_buf, BRIDGE_CHUNK, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
		b->filler += (size_t)MAX(n, 0);
	} while (n > 0);
	engine_bridge_want(e, b, 0);
}

/* Not connected yet, or it couldn't be: that is shown by a filled end. */
static bool is_connecting(struct slot *slot)
{
	uint32_t events = tcp_events(slot->conn);

	if (tcp_state(slot->conn) == TCP_CLOSE)
		return events & POLLERR && !tcp_unread(slot->conn);
	return !(events & TCP_EV_CONNECTED) && !slot->bridge->is_listener;
}

/* ---- a socket, by another object ---- */

static int bridge_listener(struct engine *e, struct slot *slot, bool is_v6, int *fd)
{
	struct engine_bridged id;
	struct tcp_info info;
	socklen_t len = sizeof(info);
	struct bridge *b;
	int r = tcp_getopt(slot->conn, IPPROTO_TCP, TCP_INFO, &info, &len, e->now);

	if (r)
		return r;
	engine_slot_renew(e, slot);
	b = bridge_new(e, slot, is_v6);
	if (!b)
		return -ENOMEM;
	b->is_native = true;
	engine_bridge_identify(e, slot, is_v6, &id);
	*fd = r = engine_listener_open(&id, (int)info.tcpi_sacked);
	if (r < 0) {
		bridge_free(e, b);
		return r;
	}
	engine_listener_hurry(e);
	engine_bridge_run(e, b);
	return 0;
}

static int bridge_connection(struct engine *e, struct slot *slot, bool is_v6, int *fd)
{
	int r;

	engine_slot_renew(e, slot);
	r = engine_bridge_pair(e, slot, is_v6, fd);
	if (r)
		return r;
	if (is_connecting(slot))
		fill(e, slot->bridge, *fd);
	engine_bridge_run(e, slot->bridge);
	return 0;
}

int engine_bridge(struct engine *e, engine_sock s, bool is_v6, int *fd)
{
	struct slot *slot;
	int r;

	engine_enter(e);
	slot = engine_slot(e, s);
	r = !slot ? -EBADF : engine_bridge_prepare(e);
	if (!r && engine_bridge_is_idle(slot))
		r = -ENOTCONN;
	if (!r)
		r = (tcp_state(slot->conn) == TCP_LISTEN ? bridge_listener : bridge_connection)(e, slot, is_v6, fd);
	engine_leave(e);
	return r;
}

/* ---- by the object that is there ---- */

/* The handle will be another when it is bridged. */
static void identify_next(const struct engine *e, const struct slot *slot, bool is_v6, struct engine_bridged *id)
{
	engine_bridge_identify(e, slot, is_v6, id);
	id->s += 1ull << 32;
}

int engine_identify(struct engine *e, engine_sock s, struct engine_bridged *id)
{
	struct slot *slot;
	int r;

	engine_enter(e);
	slot = engine_slot(e, s);
	r = slot ? engine_bridge_prepare(e) : -EBADF;
	if (!r)
		identify_next(e, slot, false, id);
	engine_exit(e);
	return r;
}

void engine_bridge_begin(struct engine *e, struct slot *slot, int near)
{
	struct bridge *b = slot->bridge;

	b->is_listener = tcp_state(slot->conn) == TCP_LISTEN;
	if (!engine_bridge_is_idle(slot) && is_connecting(slot) && near >= 0)
		fill(e, b, near);
	engine_bridge_run(e, b);
}

static int bridge_joined(struct engine *e, struct slot *slot, bool is_v6, int far, int near)
{
	struct bridge *b;
	int r = -ENOMEM;

	engine_slot_renew(e, slot);
	b = bridge_new(e, slot, is_v6);
	if (b) {
		b->fd = highfd_raise(far);
		b->keeps = true;
		engine_bridge_take_urgent(e, b, near);
		r = watch(e, b, EPOLL_CTL_ADD, b->is_listener ? 0 : EPOLLIN);
		if (r)
			bridge_free(e, b);
	} else {
		raw_close(far);
	}
	if (!r)
		engine_bridge_begin(e, slot, near);
	return r;
}

int engine_bridge_joined(struct engine *e, engine_sock s, bool is_v6, int far, int near)
{
	struct slot *slot;
	int r = -EBADF;

	engine_enter(e);
	slot = engine_slot(e, s);
	if (slot)
		r = bridge_joined(e, slot, is_v6, far, near);
	else
		raw_close(far);
	engine_leave(e);
	return r;
}

int engine_bridge_slot(struct engine *e, struct slot *slot, int number, int near)
{
	struct engine_bridged id;
	engine_sock s = handle(slot);
	int far;

	if (slot->bridge)
		return 0;
	identify_next(e, slot, false, &id);
	far = e->cfg.join ? e->cfg.join(s, number, &id) : -EOPNOTSUPP;
	return far < 0 ? far : bridge_joined(e, slot, id.is_v6, far, near);
}

/* ---- the listener whose object is a stream ---- */

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

/* A slot for the next connection; NULL: there is none, or no memory. */
static struct slot *take_next(struct engine *e, struct bridge *b)
{
	struct tcp_conn *c;
	engine_sock s;
	int err;

	c = tcp_accept(b->slot->conn, &err, e->now);
	if (!c)
		return NULL;
	e->is_stirred = true;
	if (engine_slot_new(e, c, &s) == 0)
		return engine_slot(e, s);
	tcp_release(c, e->now);
	return NULL;
}

static void run_listener(struct engine *e, struct bridge *b)
{
	struct engine_bridged id;
	struct slot *slot;
	int fd;

	while (engine_slot_events(b->slot) & POLLIN) {
		if (!has_room(b->fd)) {
			engine_bridge_want(e, b, EPOLLOUT);
			return;
		}
		if (hand_over_local(e, b))
			continue;
		slot = take_next(e, b);
		if (!slot)
			break;
		if (engine_bridge_pair(e, slot, b->is_v6, &fd) < 0) {
			engine_slot_release(e, slot);
			break;
		}
		engine_bridge_identify(e, slot, b->is_v6, &id);
		if (hand_over(b, &id, fd) < 0)
			engine_bridge_end(e, slot->bridge);
		else
			engine_bridge_run(e, slot->bridge);
		raw_close(fd);
	}
	engine_bridge_want(e, b, 0);
}

/* ---- the native listener ---- */

bool engine_bridge_is_native(const struct bridge *b)
{
	return b->is_native;
}

/* The next connection gets an end of ours. */
static bool wait_native(struct engine *e, struct bridge *b)
{
	struct slot *slot = take_next(e, b);
	struct engine_bridged id;

	if (!slot)
		return false;
	b->waiting = bridge_new(e, slot, b->is_v6);
	if (!b->waiting) {
		engine_slot_release(e, slot);
		return false;
	}
	b->waiting->listener = b;
	engine_bridge_identify(e, slot, b->is_v6, &id);
	b->waiting->fd = engine_listener_client(&id);
	if (b->waiting->fd >= 0) {
		engine_bridge_take_urgent(e, b->waiting, -1);
		return true;
	}
	engine_bridge_end(e, b->waiting);
	return false;
}

/* The kernel's connections, as long as there is room. */
static int run_kernels(struct engine *e, struct bridge *b, const struct engine_bridged *id)
{
	struct sockaddr_storage peer;
	socklen_t len;
	int r = 0;

	while (!r) {
		if (b->kernels < 0)
			b->kernels = engine_local_take(e, b->slot, SOCK_CLOEXEC, &peer, &len);
		if (b->kernels < 0)
			return 0;
		r = engine_relay_open(e, id, b->kernels);
		if (r && r != -EAGAIN)
			raw_close(b->kernels);
		if (r != -EAGAIN)
			b->kernels = -1;
	}
	return r;
}

static void run_native(struct engine *e, struct bridge *b)
{
	struct engine_bridged id;
	struct bridge *conn;
	int r;

	engine_bridge_identify(e, b->slot, b->is_v6, &id);
	if (run_kernels(e, b, &id) == -EAGAIN) {
		engine_listener_retry(e);
		return;
	}
	while (b->waiting || wait_native(e, b)) {
		conn = b->waiting;
		r = engine_listener_offer(&id, conn->fd);
		if (r == -EAGAIN) {
			engine_listener_retry(e);
			return;
		}
		conn->listener = b->waiting = NULL;
		if (!r)
			r = watch(e, conn, EPOLL_CTL_ADD, EPOLLIN);
		if (!r) {
			engine_bridge_run(e, conn);
			continue;
		}
		engine_bridge_end(e, conn);
		if (r == -ECONNREFUSED) {
			engine_bridge_end(e, b);
			return;
		}
	}
}

static struct bridge *next_native(struct engine *e, const struct list *l)
{
	struct bridge *b;

	for (; l != &e->bridges; l = l->next) {
		b = container_of(l, struct bridge, link);
		if (b->is_native)
			return b;
	}
	return NULL;
}

bool engine_bridge_look(struct engine *e)
{
	struct bridge *b = next_native(e, e->bridges.next), *next;
	struct engine_bridged id;
	bool has_some = b;

	for (; b; b = next) {
		next = next_native(e, b->link.next);
		engine_bridge_identify(e, b->slot, b->is_v6, &id);
		if (engine_listener_has_gone(&id))
			engine_bridge_end(e, b);
		else
			run_native(e, b);
	}
	return has_some;
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

void engine_bridge_run(struct engine *e, struct bridge *b)
{
	if (b->is_native)
		run_native(e, b);
	else if (engine_bridge_is_idle(b->slot) && !b->is_connecting)
		engine_bridge_want(e, b, 0);
	else if (b->is_listener)
		run_listener(e, b);
	else
		engine_bridge_move(e, b);
}

static void see(struct engine *e, uint64_t index, uint32_t events)
{
	struct bridge *b = index < e->slots.cap ? e->slots.v[index]->bridge : NULL;

	if (!b)
		return;
	b->has_news = true;
	b->has_end |= (events & (EPOLLRDHUP | EPOLLHUP)) != 0;
	if (events & EPOLLHUP && !b->is_hung_up) {
		b->is_hung_up = true;
		sys_epoll_ctl(e->bridge_ep, EPOLL_CTL_DEL, b->fd, 0);
	}
	if (b->is_hung_up && (b->is_listener || (engine_bridge_is_idle(b->slot) && !b->is_connecting)))
		engine_bridge_end(e, b);
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
		else if (ev[i].data.u64 >= BRIDGE_RELAY)
			engine_relay_see(e, ev[i].data.u64, ev[i].events);
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
	engine_relays_forget(e);
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
	unsigned i = engine_relay_fds(e, fds, n);

	for (l = e->bridges.next; l != &e->bridges && i < n; l = l->next)
		if (container_of(l, struct bridge, link)->fd >= 0)
			fds[i++] = container_of(l, struct bridge, link)->fd;
	if (e->remote >= 0 && i < n)
		fds[i++] = e->remote;
	if (e->bridge_ep >= 0 && i < n)
		fds[i++] = e->bridge_ep;
	return i;
}
