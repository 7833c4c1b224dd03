/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_bridge_move.c - the bytes of a bridged connection, both ways.
 *
 * Nothing is lost: what the kernel's object doesn't take stays in the receive ring and closes the window, what the
 * connection doesn't take stays in `left` and in the object.
 */
#include "engine_bridge.h"

#include <errno.h>
#include <netinet/tcp.h>

#include "sys.h"

#define ROUNDS 16               /* chunks before others get their turn */

/* From the connection to the program: true when the object has no more room. */
static bool move_in(struct engine *e, struct bridge *b, uint8_t *buf)
{
	struct iovec iov = { buf, BRIDGE_CHUNK };
	struct tcp_conn *c = b->slot->conn;
	unsigned i;
	ssize_t n, m;

	for (i = 0; i < ROUNDS && !b->is_in_over && !b->is_hung_up; i++) {
		n = tcp_recv(c, &iov, 1, 0, MSG_PEEK, 0, NULL, e->now);
		if (n == -EAGAIN)
			return false;
		if (n < 0) {
			b->is_broken = true;
			b->err = (int)-n;
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
	struct leftover *l = &b->left;
	struct iovec iov = { l->buf + l->at, l->len };
	ssize_t n;

	if (!l->len)
		return true;
	n = tcp_send(b->slot->conn, &iov, 1, 0, TCP_SEND_ON, e->now);
	if (n > 0) {
		leftover_took(l, (size_t)n);
		e->is_stirred = true;
	} else if (n != -EAGAIN) {
		leftover_drop(l);
	}
	return !l->len;
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
		n = raw_recv(b->fd, buf, BRIDGE_CHUNK, MSG_DONTWAIT);
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
			return !leftover_keep(&b->left, buf + m, (size_t)(n - m));
	}
	return !b->is_out_over;
}

/* Until it is there: true when it is. */
static bool connect_stream(struct engine *e, struct bridge *b)
{
	ssize_t n = 1;

	if (!(tcp_events(b->slot->conn) & TCP_EV_CONNECTED)) {
		if (b->is_hung_up)
			engine_bridge_end(e, b);
		return false;
	}
	if (tcp_state(b->slot->conn) == TCP_CLOSE) {
		engine_bridge_end(e, b);              /* with the filler unread: an error */
		return false;
	}
	while (b->filler && n > 0) {
		n = raw_recv(b->fd, e->bridge_buf, MIN(b->filler, BRIDGE_CHUNK), MSG_DONTWAIT);
		b->filler -= (size_t)MAX(n, 0);
	}
	b->is_connecting = false;
	return true;
}

void engine_bridge_move(struct engine *e, struct bridge *b)
{
	bool is_full, wants_more;

	if (b->listener || (b->is_connecting && !connect_stream(e, b)))
		return;
	is_full = move_in(e, b, e->bridge_buf);
	wants_more = move_out(e, b, e->bridge_buf);
	if (b->is_broken || (b->is_hung_up && b->is_out_over && !b->left.len)) {
		engine_bridge_end(e, b);
		return;
	}
	engine_bridge_want(e, b, (is_full ? EPOLLOUT : 0) | (wants_more ? EPOLLIN : 0));
}
