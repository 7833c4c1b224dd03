/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_sock.c - the socket verbs: handle to connection, the core's verb, and what
 * the engine adds to it.
 *
 * It adds a look at the interface
 * where it saves a switch to another thread, and the news to other threads.  A
 * handle is generation and index + 1; the slot stays where it is for as long as
 * the engine lives.
 */
#include "engine_impl.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLOTS_CHUNK 56u          /* 4 KB */

/* ---- handles ---- */

/* Slots come by the chunk, so that there are never many more than are needed; they stay where they are. */
static int slots_grow(struct slots *t)
{
	struct slot *chunk, **v = t->v;

	if (t->cap == t->room) {
		v = realloc(v, MAX(2 * t->room, SLOTS_CHUNK) * sizeof(*v));
		if (!v)
			return -ENOMEM;
		t->room = MAX(2 * t->room, SLOTS_CHUNK);
		t->v = v;
	}
	chunk = calloc(SLOTS_CHUNK, sizeof(*chunk));
	if (!chunk)
		return -ENOMEM;
	for (uint32_t i = SLOTS_CHUNK; i-- > 0;) {
		v[t->cap + i] = &chunk[i];
		chunk[i].index = t->cap + i;
		chunk[i].gen = 1;
		list_init(&chunk[i].waits);
		chunk[i].next_free = t->free;
		t->free = t->cap + i + 1;
	}
	t->cap += SLOTS_CHUNK;
	return 0;
}

int engine_slot_new(struct engine *e, struct tcp_conn *c, engine_sock *s)
{
	struct slots *t = &e->slots;
	struct slot *slot;

	if (!t->free && slots_grow(t) < 0)
		return -ENOMEM;
	slot = t->v[t->free - 1];
	t->free = slot->next_free;
	t->n++;
	slot->conn = c;
	tcp_set_user(c, slot);
	*s = (engine_sock)slot->gen << 32 | (slot->index + 1);
	return 0;
}

struct slot *engine_slot(struct engine *e, engine_sock s)
{
	uint32_t i = (uint32_t)s - 1;
	struct slot *slot;

	if (i >= e->slots.cap)
		return NULL;
	slot = e->slots.v[i];
	return slot->conn && slot->gen == s >> 32 ? slot : NULL;
}

/* Whoever waits for it is woken and finds the handle stale. */
void engine_slot_renew(struct engine *e, struct slot *slot)
{
	struct wait_node *w;

	while (!list_is_empty(&slot->waits)) {
		w = container_of(slot->waits.next, struct wait_node, link);
		list_remove(&w->link);
		engine_wake(w->t);
	}
	if (slot->mirror)
		e->nmirror--;
	slot->mirror = NULL;
	slot->gen++;
}

static void slot_free(struct engine *e, struct slot *slot)
{
	engine_slot_renew(e, slot);
	slot->conn = NULL;
	slot->next_free = e->slots.free;
	e->slots.free = slot->index + 1;
	e->slots.n--;
}

void engine_slots_free(struct engine *e)
{
	struct slots *t = &e->slots;
	uint32_t i;

	for (i = 0; i < t->cap; i += SLOTS_CHUNK)
		free(t->v[i]);
	free(t->v);
	memset(t, 0, sizeof(*t));
}

/* ---- entry and exit ---- */

struct slot *engine_slot_enter(struct engine *e, engine_sock s)
{
	engine_enter(e);
	return engine_slot(e, s);
}

int engine_slot_done(struct engine *e, struct slot *slot, int r)
{
	if (slot)
		engine_tell(e, slot);
	engine_leave(e);
	return slot ? r : -EBADF;
}

int engine_slot_told(struct engine *e, struct slot *slot, int r)
{
	if (slot)
		engine_tell(e, slot);
	if (slot && r >= 0)
		engine_leave_owing(e);
	else
		engine_leave(e);
	return slot ? r : -EBADF;
}

int engine_slot_seen(struct engine *e, struct slot *slot, int r)
{
	engine_exit(e);
	return slot ? r : -EBADF;
}

/* Nobody else would take in what waits before the caller comes back. */
static bool may_look(const struct engine *e)
{
	return !e->driver && !(e->is_armed && (e->nmirror || e->nwait));
}

/* Takes in what waits: true when there was something.  A caller who looks has the loop thread's
 * lease: it needn't be woken for the same frames. */
static bool look_now(struct engine *e)
{
	engine_disarm(e);
	engine_lease(e);
	engine_expire(e);       /* a caller that spins may keep the loop thread from the lock */
	return engine_receive(e, ENGINE_RX_ROUNDS) > 0;
}

static bool look_every(struct engine *e, xtime every)
{
	return may_look(e) && e->now - e->looked >= every && look_now(e);
}

static bool look(struct engine *e)
{
	return look_every(e, ENGINE_LOOK_AGAIN);
}

/* For a call on this socket.  Who has it in an epoll set comes back there, and looks then. */
static bool look_for(struct engine *e, const struct slot *slot, xtime every)
{
	return look_every(e, slot->mirror ? ENGINE_LOOK_MIRRORED : every);
}

void engine_look(struct engine *e)
{
	engine_enter(e);
	if (!e->driver && !e->nwait)
		look_now(e);
	engine_leave_owing(e);
}

/* ---- life ---- */

int engine_socket(struct engine *e, engine_sock *s)
{
	struct tcp_conn *c;
	int r = -ENOMEM;

	engine_enter(e);
	c = tcp_open(e->stack, e->now);
	if (c) {
		tcp_set_uid(c, geteuid());
		r = engine_slot_new(e, c, s);
		if (r < 0)
			tcp_release(c, e->now);
	}
	engine_exit(e);
	return r;
}

int engine_shut(struct engine *e, engine_sock s)
{
	struct slot *slot = engine_slot_enter(e, s);

	if (slot) {
		tcp_close(slot->conn, e->now);
		engine_local_update(e, slot);
	}
	engine_share_update(e);
	return engine_slot_done(e, slot, 0);
}

void engine_slot_release(struct engine *e, struct slot *slot)
{
	struct tcp_conn *c = slot->conn;

	engine_local_close(e, slot);
	slot_free(e, slot);
	tcp_set_user(c, NULL);
	tcp_release(c, e->now);
	engine_share_update(e);
}

int engine_release(struct engine *e, engine_sock s)
{
	struct slot *slot = engine_slot_enter(e, s);

	if (slot)
		engine_slot_release(e, slot);
	engine_leave(e);
	return slot ? 0 : -EBADF;
}

/* ---- accepting ---- */

int engine_accept(struct engine *e, engine_sock s, engine_sock *conn)
{
	struct slot *slot = engine_slot_enter(e, s);
	struct tcp_conn *c = NULL;
	int r = -EBADF;

	if (slot) {
		c = tcp_accept(slot->conn, &r, e->now);
		if (!c && r == -EAGAIN && look_for(e, slot, ENGINE_LOOK_AGAIN)) {
			engine_settle(e);
			c = tcp_accept(slot->conn, &r, e->now);
		}
	}
	if (c) {
		r = engine_slot_new(e, c, conn);
		if (r < 0)
			tcp_release(c, e->now);
	}
	return engine_slot_told(e, slot, r);
}

/* ---- data ---- */

_Static_assert(ENGINE_SEND_ON == TCP_SEND_ON, "one flag, two headers");

/* A sender of a stream takes in acknowledgments now and then, so that one thread alone keeps
 * its connection moving; one that won't wait looks once more before it hears of -EAGAIN. */
static bool is_look_due(struct engine *e, struct slot *slot, ssize_t sent, int flags)
{
	if (sent == -EAGAIN)
		return flags & MSG_DONTWAIT;
	return e->now - e->looked >= ENGINE_LOOK_EVERY && tcp_outq(slot->conn) > sent;
}

/* A large write is sent from where it is (stack/tcp_lend.c), as long as acknowledgments come in: what is still missing
 * then is kept. */
static ssize_t send_lent(struct engine *e, struct slot *slot, const struct iovec *iov, size_t skip, int flags)
{
	int down = (flags & ~MSG_DONTWAIT) | TCP_SEND_LENT;
	ssize_t n, r = tcp_send(slot->conn, iov, 1, skip, down, e->now);
	const uint64_t *out = &stack_counters(e->stack)[CTR_bytes_out];
	unsigned rounds = ENGINE_LENT_ROUNDS;
	uint64_t before = *out;

	if (r < 0)
		return r;
	engine_pump(e);
	while (rounds-- && *out != before && tcp_lends(e->stack)) {   /* what has left makes acknowledgments come */
		before = *out;
		e->now = engine_now();
		if (!look_now(e) || tcp_events(slot->conn) & (POLLERR | POLLHUP))   /* the next call is to hear of that */
			break;
		if (skip + (size_t)r < iov->iov_len && !(flags & MSG_DONTWAIT)) {
			n = tcp_send(slot->conn, iov, 1, skip + (size_t)r, down | TCP_SEND_ON, e->now);
			r += MAX(n, 0);
		}
		engine_pump(e);
	}
	tcp_unlend(e->stack);
	return r;
}

ssize_t engine_send(struct engine *e, engine_sock s, const struct iovec *iov, int iovcnt,
		    size_t skip, int flags)
{
	struct slot *slot = engine_slot_enter(e, s);
	ssize_t r = -EBADF;

	if (slot) {
		if (iovcnt == 1 && iov->iov_len - skip >= ENGINE_LENT_MIN && may_look(e))
			r = send_lent(e, slot, iov, skip, flags);
		else
			r = tcp_send(slot->conn, iov, iovcnt, skip, flags & ~MSG_DONTWAIT, e->now);
		engine_settle(e);
		if (is_look_due(e, slot, r, flags) && look_for(e, slot, ENGINE_LOOK_AGAIN) && r == -EAGAIN)
			r = tcp_send(slot->conn, iov, iovcnt, skip, flags & ~MSG_DONTWAIT, e->now);
		engine_tell(e, slot);
	}
	engine_leave(e);
	return r;
}

/* What is not read once and for all into the caller's buffer. */
#define NOT_STRAIGHT (MSG_PEEK | MSG_TRUNC | MSG_OOB)

/* After a read that gave `got`, bytes or -EAGAIN, and has emptied the ring: large frames that come in now go
 * straight to what is left of the reader's buffer.  As tcp_recv(). */
static ssize_t read_arriving(struct engine *e, struct slot *slot, const struct iovec *iov, int iovcnt, size_t skip,
                             int flags, size_t peek_off, int *rflags, ssize_t got)
{
	size_t n = got > 0 ? (size_t)got : 0;
	struct tcp_reader r = { .conn = slot->conn, .iov = iov, .iovcnt = iovcnt, .skip = skip + n,
	                        .has_some = n != 0 };

	if (!engine_expects_large(e) || !may_look(e) || tcp_inq(slot->conn) || !tcp_reader_room(&r) ||
	    (n && flags & NOT_STRAIGHT))
		return got;
	e->reader = flags & NOT_STRAIGHT ? NULL : &r;
	look_now(e);
	e->reader = NULL;
	if (n || r.done)
		return (ssize_t)(n + r.done);
	return r.is_bad ? -EFAULT : tcp_recv(slot->conn, iov, iovcnt, skip, flags & ~MSG_DONTWAIT, peek_off, rflags, e->now);
}

/* A reader looks at the interface before it hears of -EAGAIN: also one that will wait, as what is there already, from
 * a peer that has answered while we sent, costs it no sleep then.  A busy one does so now and then, to keep its peer
 * sending. */
ssize_t engine_recv(struct engine *e, engine_sock s, const struct iovec *iov, int iovcnt,
		    size_t skip, int flags, size_t peek_off, int *rflags)
{
	struct slot *slot = engine_slot_enter(e, s);
	ssize_t r = -EBADF;

	if (slot) {
		r = tcp_recv(slot->conn, iov, iovcnt, skip, flags & ~MSG_DONTWAIT, peek_off, rflags,
			     e->now);
		if (r > 0 || r == -EAGAIN)
			r = read_arriving(e, slot, iov, iovcnt, skip, flags, peek_off, rflags, r);
		if (r == -EAGAIN) {
			if (look_for(e, slot, ENGINE_LOOK_AGAIN))
				r = tcp_recv(slot->conn, iov, iovcnt, skip, flags & ~MSG_DONTWAIT,
					     peek_off, rflags, e->now);
		} else if (!engine_expects_large(e)) {
			look_for(e, slot, ENGINE_LOOK_EVERY);
		}
	}
	return engine_slot_told(e, slot, r);
}

int engine_shutdown(struct engine *e, engine_sock s, int how)
{
	struct slot *slot = engine_slot_enter(e, s);

	int r = slot ? tcp_shutdown(slot->conn, how, e->now) : 0;

	if (slot)
		engine_local_update(e, slot);
	engine_share_update(e);
	return engine_slot_done(e, slot, r);
}

/* ---- asking ---- */

static void fill_name(struct sockaddr_in *a, ip4 addr, uint16_t port)
{
	memset(a, 0, sizeof(*a));
	a->sin_family = AF_INET;
	a->sin_addr.s_addr = htonl(addr);
	a->sin_port = htons(port);
}

int engine_sockname(struct engine *e, engine_sock s, struct sockaddr_in *a)
{
	struct slot *slot = engine_slot_enter(e, s);
	uint16_t port;
	ip4 addr;

	if (slot) {
		tcp_sockname(slot->conn, &addr, &port);
		fill_name(a, addr, port);
	}
	return engine_slot_seen(e, slot, 0);
}

int engine_peername(struct engine *e, engine_sock s, struct sockaddr_in *a)
{
	struct slot *slot = engine_slot_enter(e, s);
	uint16_t port;
	int r = 0;
	ip4 addr;

	if (slot) {
		r = tcp_peername(slot->conn, &addr, &port);
		fill_name(a, addr, port);   /* also with -ENOTCONN: accept() wants it */
	}
	return engine_slot_seen(e, slot, r);
}

int engine_setopt(struct engine *e, engine_sock s, int level, int name, const void *val,
		  socklen_t len, bool may_admin)
{
	struct slot *slot = engine_slot_enter(e, s);
	int r = 0;

	if (slot)
		r = tcp_setopt(slot->conn, level, name, val, len, may_admin, e->now);
	if (slot && !r)
		engine_local_setopt(slot, level, name, val, len);
	return engine_slot_done(e, slot, r);
}

int engine_getopt(struct engine *e, engine_sock s, int level, int name, void *val, socklen_t *len)
{
	bool is_error = level == SOL_SOCKET && name == SO_ERROR;
	struct slot *slot = engine_slot_enter(e, s);
	int err, r = 0;

	/* What has arrived counts: the kernel would have taken it in. */
	if (slot && (is_error || (level == IPPROTO_TCP && name == TCP_INFO)))
		look(e);
	if (slot && is_error) {
		err = tcp_take_error(slot->conn);
		*len = (socklen_t)MIN(*len, sizeof(err));
		memcpy(val, &err, *len);
		return engine_slot_done(e, slot, 0);
	}
	if (slot)
		r = tcp_getopt(slot->conn, level, name, val, len, e->now);
	return engine_slot_done(e, slot, r);
}

int engine_query(struct engine *e, engine_sock s, enum engine_query q, int *val)
{
	struct slot *slot = engine_slot_enter(e, s);
	int r = 0;

	if (!slot)
		return engine_slot_seen(e, slot, 0);
	switch (q) {
	case ENGINE_INQ:
		look(e);
		r = tcp_inq(slot->conn);
		break;
	case ENGINE_INQ_HINT:
		r = tcp_inq_hint(slot->conn);
		break;
	case ENGINE_OUTQ:
		look(e);
		r = tcp_outq(slot->conn);
		break;
	case ENGINE_OUTQ_UNSENT:
		r = tcp_outq_unsent(slot->conn);
		break;
	case ENGINE_ATMARK:
		r = tcp_at_mark(slot->conn);
		break;
	case ENGINE_LINGER:
		*val = tcp_linger(slot->conn);
		return engine_slot_seen(e, slot, 0);
	}
	if (r >= 0)
		*val = r;
	return engine_slot_done(e, slot, MIN(r, 0));
}

uint32_t engine_events(struct engine *e, engine_sock s)
{
	struct slot *slot = engine_slot_enter(e, s);
	uint32_t events = POLLNVAL;

	if (slot) {
		if (look(e))
			engine_settle(e);
		events = engine_slot_events(slot);
	}
	engine_leave(e);
	return events;
}

int engine_mirror(struct engine *e, engine_sock s, void *user)
{
	struct slot *slot = engine_slot_enter(e, s);

	if (!slot)
		return engine_slot_done(e, slot, 0);
	e->nmirror += (user != NULL) - (slot->mirror != NULL);
	slot->mirror = user;
	if (user) {
		slot->events = engine_slot_events(slot);
		slot->edges = tcp_edges(slot->conn);
		slot->urgents = tcp_urgents(slot->conn);
		e->cfg.ready(user, slot->events, false);
	}
	return engine_slot_told(e, slot, 0);
}
