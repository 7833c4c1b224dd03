/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_drive.c - one turn of the engine: frames in, timers, frames out, news.
 *
 * Everything here runs with the lock held, in whichever thread has it: a
 * program's, in any call; the loop's.  Rule: a frame that the stack gave out
 * counts as sent there, so what the interface doesn't take yet (-EAGAIN: our socket is full)
 * is held, copied because its payload is only borrowed, and nothing more is asked
 * of the stack until it has gone.  What the interface drops (-ENOBUFS: its queue is full) the stack
 * is told of at once, with what was to follow on that connection (stack_refused()).  Frames that it
 * refuses for good are counted; the peer's missing acknowledgment does the rest.
 */
#include "engine_impl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sys.h"

#define HELD_WAIT_MIN (100 * XTIME_USEC)
#define HELD_WAIT_MAX (5 * XTIME_MSEC)
#define TX_WAIT_MIN (50 * XTIME_USEC)
#define TX_WAIT_MAX XTIME_MSEC
/* After so many empty answers in a row the interface is one that keeps nothing, and is asked
 * once in so many batches whether that is still so. */
#define TX_EMPTY_OFF 64u
#define TX_SKIP 15u

xtime engine_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * XTIME_SEC + ts.tv_nsec;
}

void engine_log(struct engine *e, int level, const char *fmt, ...)
{
	char line[256];
	va_list ap;

	if (!e->cfg.log)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	e->cfg.log(level, line);
}

/* ---- the lock ---- */

/* A thread that is cancelled while it holds the lock would take it to its grave, and what
 * the netif calls are cancellation points. */
/* The lock is had: engine_leave() and engine_exit() give these back. */
static void entered(struct engine *e, int err, int cancel)
{
	e->saved_errno = err;
	e->saved_cancel = cancel;
	e->now = engine_now();
}

void engine_enter(struct engine *e)
{
	int err = errno, cancel;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	engine_rouse();
	pthread_mutex_lock(&e->lock);
	entered(e, err, cancel);
}

bool engine_try_enter(struct engine *e)
{
	int err = errno, cancel;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	if (pthread_mutex_trylock(&e->lock)) {
		pthread_setcancelstate(cancel, NULL);
		return false;
	}
	entered(e, err, cancel);
	return true;
}

void engine_exit(struct engine *e)
{
	int err = e->saved_errno, cancel = e->saved_cancel;

	engine_unlock(e);
	pthread_setcancelstate(cancel, NULL);
	errno = err;
}

void engine_leave(struct engine *e)
{
	engine_settle(e);
	engine_cover(e);
	engine_exit(e);
}

/* ---- frames in ---- */

struct frame_in engine_frame(const struct netif_rx *v)
{
	return (struct frame_in){ .data = v->data, .len = v->len, .vnet = v->vnet };
}

/* The next frame, if it is one whose payload can be received where it belongs: 1, 0 when it is for
 * netif_receive(), or -errno. */
static int receive_placed(struct engine *e, struct netif_rx *v)
{
	struct stack_place p;
	struct frame_in f;
	int n;

	if (!engine_expects_large(e))
		return 0;
	n = netif_peek(e->nif, v);
	if (n < 0)
		return n;
	if (e->reader && e->reader->has_some && tcp_reader_room(e->reader) < v->len)
		return -EAGAIN;         /* his next call has room for all of it */
	f = engine_frame(v);
	if (!stack_place(e->stack, e->iface, &f, e->reader, &p))
		return 0;
	n = netif_receive_into(e->nif, v, p.head, p.to, p.cnt);
	if (n < 0)
		stack_unplace(e->stack);
	return n;
}

/* Whether more frames are to be asked for after n of them.  One that reads has the next when it asks for it. */
static bool has_more(const struct engine *e, int n, bool is_placed)
{
	if (is_placed)
		return !e->reader || tcp_reader_room(e->reader);
	return n == ENGINE_RX_BATCH;
}

unsigned engine_receive(struct engine *e, unsigned rounds)
{
	struct netif_rx v[ENGINE_RX_BATCH];
	struct frame_in f;
	bool is_placed;
	unsigned total = 0;
	int i, n;

	e->looked = e->now;
	e->has_left = false;
	do {
		n = receive_placed(e, v);
		is_placed = n > 0;
		if (!n)
			n = netif_receive(e->nif, v, ENGINE_RX_BATCH);
		e->rx_more = has_more(e, n, is_placed);
		if (n == -ENETDOWN || n == -ENODEV)
			e->is_link_stale = true;
		if (n == -EFAULT && e->reader)
			e->reader->is_bad = true;
		for (i = 0; i < n; i++) {
			f = engine_frame(&v[i]);
			if (!e->groups || engine_share_passes(e, &f))
				stack_input(e->stack, e->iface, &f, e->now);
		}
		total += n > 0 ? (unsigned)n : 0;
	} while (e->rx_more && (is_placed ? total < ENGINE_RX_PLACED : --rounds > 0));
	return total;
}

/* ---- frames out ---- */

static void fill_tx(struct netif_tx *tx, struct frame_out *f)
{
	int i;

	tx->iov[0].iov_base = f->hdr;
	tx->iov[0].iov_len = f->hdr_len;
	for (i = 0; i < f->payload_cnt; i++)
		tx->iov[i + 1] = f->payload[i];
	tx->iovcnt = 1 + f->payload_cnt;
	tx->vnet = f->vnet;
}

static void hold(struct engine *e, const struct netif_tx *tx)
{
	struct held *h;
	size_t len = 0;
	int i;

	for (i = 0; i < tx->iovcnt; i++)
		len += tx->iov[i].iov_len;
	h = malloc(sizeof(*h) + len);
	if (!h) {
		stack_count(e->stack, CTR_tx_failed, 1);
		return;
	}
	h->next = NULL;
	h->vnet = tx->vnet;
	h->len = 0;
	for (i = 0; i < tx->iovcnt; i++) {
		memcpy(h->data + h->len, tx->iov[i].iov_base, tx->iov[i].iov_len);
		h->len += tx->iov[i].iov_len;
	}
	*e->held_end = h;
	e->held_end = &h->next;
}

static bool is_transient(int err)
{
	return err == -EAGAIN || err == -ENOMEM || err == -EINTR;
}

/* Hands v[0..n) over.  How many are done with, sent or given up: fewer than n when our socket is full,
 * or with *is_dropped when the interface has dropped the next one. */
static unsigned transmit(struct engine *e, const struct netif_tx *v, unsigned n, bool *is_dropped)
{
	unsigned done = 0;
	int r;

	*is_dropped = false;

	while (done < n) {
		r = netif_transmit(e->nif, v + done, n - done);
		if (r > 0) {
			done += (unsigned)r;
			continue;
		}
		*is_dropped = r == -ENOBUFS;
		if (*is_dropped || is_transient(r) || r == 0)
			break;
		/* Too long since an MTU change, down, gone: the link's state has changed. */
		stack_count(e->stack, CTR_tx_failed, 1);
		e->is_link_stale = true;
		done++;
	}
	return done;
}

/* True when nothing is held any more. */
static bool send_held(struct engine *e)
{
	struct netif_tx tx;
	struct held *h;
	bool is_dropped;

	if (e->now < e->held_retry)
		return false;
	while ((h = e->held)) {
		tx.iov[0].iov_base = h->data;
		tx.iov[0].iov_len = h->len;
		tx.iovcnt = 1;
		tx.vnet = h->vnet;
		if (!transmit(e, &tx, 1, &is_dropped) && !is_dropped) {
			e->held_wait = xtime_min(2 * e->held_wait, HELD_WAIT_MAX);
			e->held_retry = e->now + e->held_wait;
			return false;
		}
		if (is_dropped)   /* the stack has gone on since it was sent */
			stack_count(e->stack, CTR_tx_failed, 1);
		e->held = h->next;
		e->held_wait = HELD_WAIT_MIN;
		free(h);
	}
	e->held_end = &e->held;
	return true;
}

void engine_drop_held(struct engine *e)
{
	struct held *h;

	while ((h = e->held)) {
		e->held = h->next;
		free(h);
	}
	e->held_end = &e->held;
}

/* The stack's next frames, as many as go down in one call; one for the stack itself ends it, and then
 * *is_inside. */
static unsigned collect(struct engine *e, struct netif_tx *v, bool *is_inside)
{
	unsigned n = 0;

	*is_inside = false;
	while (n < ENGINE_TX_BATCH && stack_output(e->stack, &e->tx[n], e->now)) {
		*is_inside = engine_loopback_take(e, &e->tx[n]);
		if (*is_inside)
			break;
		if (!engine_own_permits(e, &e->tx[n]))
			continue;
		fill_tx(&v[n], &e->tx[n]);
		n++;
	}
	return n;
}

/* The frame of a netif_tx that fill_tx() made. */
static const struct frame_out *frame_of(const struct netif_tx *tx)
{
	return container_of(tx->iov[0].iov_base, const struct frame_out, hdr);
}

/* v[0] was dropped: what its connection has behind it goes back to the stack, the newest first, then it
 * itself.  How many are left, in v. */
static unsigned take_back(struct engine *e, struct netif_tx *v, unsigned n)
{
	const struct frame_out *first = frame_of(&v[0]), *f;
	bool is_gone[ENGINE_TX_BATCH] = { false };
	unsigned i, left = 0;

	for (i = n - 1; i > 0; i--) {
		f = frame_of(&v[i]);
		is_gone[i] = f->undo.conn && f->undo.conn == first->undo.conn &&
		             stack_refused(e->stack, f, false, e->now);
	}
	is_gone[0] = stack_refused(e->stack, first, true, e->now);
	for (i = 0; i < n; i++)
		if (!is_gone[i])
			v[left++] = v[i];
	return left;
}

/* True when all of v[0..n) is done with, false when the rest is held. */
static bool hand_over(struct engine *e, struct netif_tx *v, unsigned n)
{
	unsigned done;
	bool is_dropped;

	for (;;) {
		done = transmit(e, v, n, &is_dropped);
		v += done;
		n -= done;
		if (!n)
			return true;
		if (!is_dropped)
			break;
		n = take_back(e, v, n);
	}
	for (unsigned i = 0; i < n; i++)
		hold(e, &v[i]);
	e->held_wait = HELD_WAIT_MIN;
	e->held_retry = e->now + e->held_wait;
	return false;
}

/* ---- what the interface keeps ---- */

static void ask_interface(struct engine *e)
{
	unsigned left = netif_queued(e->nif);

	if (left)
		e->tx_empty = 0;
	else if (e->tx_empty < TX_EMPTY_OFF)
		e->tx_empty++;
	e->tx_skip = e->tx_empty < TX_EMPTY_OFF ? 0 : TX_SKIP;
	stack_tx_watch(e->stack, e->tx_empty < TX_EMPTY_OFF);
	stack_tx_left(e->stack, left);
	if (left < e->tx_left || !e->tx_wait)
		e->tx_wait = TX_WAIT_MIN;
	else
		e->tx_wait = xtime_min(2 * e->tx_wait, TX_WAIT_MAX);
	e->tx_left = left;
}

static void batch_has_left(struct engine *e)
{
	if (!netif_tells_queued(e->nif))
		return;
	if (e->tx_skip && !stack_tx_is_held(e->stack))
		e->tx_skip--;
	else
		ask_interface(e);
}

void engine_pump(struct engine *e)
{
	struct netif_tx v[ENGINE_TX_BATCH];
	bool is_inside, is_stuck = false;
	unsigned n;

	if (e->held && !send_held(e))
		return;
	if (stack_tx_is_held(e->stack))
		ask_interface(e);
	while (!is_stuck && ((n = collect(e, v, &is_inside)) || is_inside)) {
		is_stuck = n && !hand_over(e, v, n);
		if (n && !is_stuck)
			batch_has_left(e);
		if (is_inside)
			engine_loopback_give(e);
	}
	if (stack_tx_is_held(e->stack))
		e->tx_check = e->now + e->tx_wait;
}

/* ---- news ---- */

/* Of those whose wait is exclusive the first that isn't awake yet is woken: when it has taken what is there, by
 * a call that comes here again, the next one hears of what is left.  An end is for all. */
static void tell_waits(struct slot *slot)
{
	bool has_one = false;
	struct wait_node *w;
	struct list *l;
	uint32_t ready;

	for (l = slot->waits.next; l != &slot->waits; l = l->next) {
		w = container_of(l, struct wait_node, link);
		ready = engine_ready(slot, w->events, w->at_least);
		if (!ready || (w->is_exclusive && !(ready & (POLLERR | POLLHUP)) && (has_one || w->t->is_hit)))
			continue;
		has_one |= w->is_exclusive;
		engine_wake(w->t);
	}
}

/* Tells whoever waits for this socket, and its mirror, what it is like now. */
void engine_tell(struct engine *e, struct slot *slot)
{
	tell_waits(slot);
	if (slot->bridge)
		engine_bridge_run(e, slot->bridge);
	engine_reflect(e, slot);
}

static void tell_all(struct engine *e)
{
	struct tcp_conn *c;
	struct slot *slot;

	while ((c = stack_next_event(e->stack))) {
		slot = tcp_user(c);
		if (slot)
			engine_tell(e, slot);
	}
}

void engine_settle(struct engine *e)
{
	do {
		e->is_stirred = false;
		engine_pump(e);
		if (e->is_link_stale)
			engine_link_sync(e);
		tell_all(e);
	} while (e->is_stirred);
	engine_unclaim_idle(e);
}

bool engine_settle_owing(struct engine *e)
{
	if (!e->loop || e->held || !stack_defer_acks(e->stack))
		return false;
	e->is_stirred = false;
	tell_all(e);
	return !e->is_stirred;
}

/* Is the lease on, whose end is the latest when they leave? */
static bool is_leased(const struct engine *e)
{
	return !e->driver && !e->is_armed && !e->nwait && e->now < atomic_load_explicit(&e->lease_until, memory_order_relaxed);
}

void engine_leave_owing(struct engine *e)
{
	if (!is_leased(e) || !engine_settle_owing(e)) {
		engine_leave(e);
		return;
	}
	engine_cover(e);
	engine_exit(e);
}

/* ---- time ---- */

void engine_expire(struct engine *e)
{
	if (stack_deadline(e->stack) <= e->now)
		stack_expire(e->stack, e->now);
	engine_listener_expire(e);
	engine_bridge_expire(e);
}

xtime engine_deadline(struct engine *e)
{
	xtime at = xtime_min(stack_deadline(e->stack), xtime_min(e->listener_at, e->ended_until));

	if (stack_tx_is_held(e->stack))
		at = xtime_min(at, e->tx_check);
	return e->held ? xtime_min(at, e->held_retry) : at;
}

static void set_tfd(struct engine *e, xtime at)
{
	struct itimerspec its = { 0 };

	if (at < 1)
		at = 1;         /* 0 would disarm it */
	its.it_value.tv_sec = at / XTIME_SEC;
	its.it_value.tv_nsec = at % XTIME_SEC;
	sys_timerfd_set(e->tfd, &its);
}

void engine_cover_lease(struct engine *e)
{
	set_tfd(e, atomic_load_explicit(&e->lease_until, memory_order_relaxed));
}

/* A deadline that moved later is not worth a system call: the timer fd goes off early once
 * and is set again then.  One that has gone off covers nothing: the loop thread may have put it off to the lease's end. */
void engine_cover(struct engine *e)
{
	xtime need, covered = e->tfd_at > e->now ? e->tfd_at : XTIME_NEVER;

	if (!e->loop)
		return;
	need = engine_deadline(e);
	if (e->driver)
		covered = xtime_min(covered, e->driver_until);
	else if (!e->is_armed)
		need = xtime_min(need, atomic_load_explicit(&e->lease_until, memory_order_relaxed));
	if (need < covered) {
		set_tfd(e, need);
		e->tfd_at = need;
	}
}

void engine_arm(struct engine *e)
{
	if (e->is_armed || !e->loop)
		return;
	e->is_armed = true;
	sys_epoll_ctl(e->pkt_ep, EPOLL_CTL_MOD, netif_fd(e->nif), EPOLLIN);
}

void engine_disarm(struct engine *e)
{
	if (!e->is_armed)
		return;
	e->is_armed = false;
	sys_epoll_ctl(e->pkt_ep, EPOLL_CTL_MOD, netif_fd(e->nif), 0);
}
