/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_bridge_move.c - the bytes of a bridged connection, both ways.
 *
 * Nothing is lost: what the kernel's object doesn't take stays in the receive ring and closes the window, what the
 * connection doesn't take stays in `left` and in the object.
 *
 * An AF_UNIX socket shows a reset (ECONNRESET, POLLERR) when its other end is closed with something unread, and in no
 * other way.  So the last byte that the program wrote always stays in our end's queue (`keeps`) although it has been
 * sent, from the first on, which is a filler.  Our end is readable all the time: it is watched for edges.
 *
 * The kernel's object has urgent data of the same kind (one byte, a mark that reads stop at, SIGURG, POLLPRI), so the
 * urgent byte goes through it as such, in its place.  Our end has SO_OOBINLINE: its byte is read when the mark is reached.
 */
#include "engine_bridge.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

#include "sys.h"

#define ROUNDS 16               /* chunks before others get their turn */

static bool has_failed(struct tcp_conn *c)
{
	return tcp_events(c) & POLLERR;
}

static void set_inline(int fd, int on)
{
	raw_setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
}

void engine_bridge_take_urgent(struct engine *e, struct bridge *b, int near)
{
	struct tcp_conn *c = b->slot->conn;
	socklen_t len = sizeof(int);
	int on = 0;

	if (b->is_listener)
		return;
	set_inline(b->fd, 1);
	if (near >= 0 && !tcp_getopt(c, SOL_SOCKET, SO_OOBINLINE, &on, &len, e->now) && on)
		set_inline(near, 1);
	on = 0;
	tcp_setopt(c, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on), false, e->now);
}

/* The urgent byte, when all before it has been moved: 1 or 0, -EAGAIN when there is no room. */
static ssize_t move_urgent(struct engine *e, struct bridge *b)
{
	struct tcp_conn *c = b->slot->conn;
	uint8_t byte;
	struct iovec iov = { &byte, 1 };
	ssize_t r;

	if (!(tcp_events(c) & POLLPRI) || !tcp_at_mark(c) ||
	    tcp_recv(c, &iov, 1, 0, MSG_OOB | MSG_PEEK, 0, NULL, e->now) != 1)
		return 0;
	r = raw_sendto(b->fd, &byte, 1, MSG_OOB | MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
	if (r == 1)
		tcp_recv(c, &iov, 1, 0, MSG_OOB, 0, NULL, e->now);
	return r;
}

/* From the connection to the program: true when the object has no more room. */
static bool move_in(struct engine *e, struct bridge *b, uint8_t *buf)
{
	struct iovec iov = { buf, BRIDGE_CHUNK };
	struct tcp_conn *c = b->slot->conn;
	unsigned i;
	ssize_t n, m;

	for (i = 0; i < ROUNDS && !b->is_in_over && !b->is_hung_up; i++) {
		if (has_failed(c) && !tcp_unread(c))
			return false;           /* the error stays, to be asked for */
		if (move_urgent(e, b) == -EAGAIN)
			return true;
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
	struct leftover *l = &b->left;
	struct iovec iov = { l->buf + l->at, l->len };
	ssize_t n;

	if (!l->len)
		return true;
	n = tcp_send(b->slot->conn, &iov, 1, 0, TCP_SEND_ON | (b->is_left_urgent ? MSG_OOB : 0), e->now);
	if (n > 0) {
		leftover_took(l, (size_t)n);
		e->is_stirred = true;
	} else if (n != -EAGAIN) {
		leftover_drop(l);
	}
	return !l->len;
}

/* What the program did last: an end, or it closed with something unread (-ECONNRESET). */
static void see_end(struct engine *e, struct bridge *b, ssize_t n)
{
	struct linger at_once = { 1, 0 };

	b->is_out_over = true;
	if (n != -ENODATA)
		tcp_setopt(b->slot->conn, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once), true, e->now);
	else
		tcp_shutdown(b->slot->conn, SHUT_WR, e->now);
	e->is_stirred = true;
}

static int queued(const struct bridge *b)
{
	int n = 0;

	return raw_ioctl(b->fd, FIONREAD, &n) < 0 ? 0 : n;
}

/* All that the program wrote is taken: -EAGAIN; when it writes no more -ENODATA, or -ECONNRESET when it closed with
 * something unread. */
static ssize_t nothing(const struct bridge *b)
{
	socklen_t len = sizeof(int);
	int err = 0;

	if (!b->has_end)
		return -EAGAIN;
	raw_getsockopt(b->fd, SOL_SOCKET, SO_ERROR, &err, &len);
	return err ? -err : -ENODATA;
}

static bool is_at_mark(const struct bridge *b)
{
	int at = 0;

	return !raw_ioctl(b->fd, SIOCATMARK, &at) && at;
}

/* The last byte of what is there, which stays: 1, or 0 when it isn't to be taken yet. */
static ssize_t keep(struct bridge *b, uint8_t *buf)
{
	b->keeps = raw_recv(b->fd, buf, 1, MSG_DONTWAIT | MSG_PEEK) == 1;
	if (b->keeps && !b->has_end)
		b->has_news = false;
	return b->keeps;
}

/* What the program has written, at most BRIDGE_CHUNK and up to the mark, or the urgent byte alone, from *data on.  0:
 * nothing yet, and take() is to be called again; -ENODATA at the end, -EAGAIN, -ECONNRESET. */
static ssize_t take(struct bridge *b, uint8_t *buf, uint8_t **data, bool *is_urgent)
{
	size_t all = (size_t)queued(b), n = MIN(all, BRIDGE_CHUNK), old = b->keeps;
	ssize_t r = 0;

	*data = buf + old;
	*is_urgent = !old && is_at_mark(b);
	if (all <= old)
		return nothing(b);
	if (*is_urgent)
		n = MIN(n, 2u);
	/* The one of before, and all but the last one. */
	if (n > 1)
		r = raw_recv(b->fd, buf, n - 1, MSG_DONTWAIT);
	if (r < 0 || (!r && n > 1))
		return r < 0 ? r : -EAGAIN;
	b->keeps = false;
	if (*is_urgent ? !r : (size_t)r == all - 1 && !is_at_mark(b))
		r += keep(b, buf + r);
	return r ? r - (ssize_t)old : nothing(b);
}

/* What was taken is sent, or kept for later: false when no more is to be taken now. */
static bool give(struct engine *e, struct bridge *b, uint8_t *data, size_t n, bool is_urgent)
{
	struct iovec iov = { data, n };
	ssize_t m = tcp_send(b->slot->conn, &iov, 1, 0, is_urgent ? MSG_OOB : 0, e->now);

	e->is_stirred = true;
	if (m < 0 && m != -EAGAIN) {
		b->is_broken = true;
		return false;
	}
	m = MAX(m, 0);
	if ((size_t)m == n)
		return true;
	b->is_left_urgent = is_urgent;
	b->is_broken = !leftover_keep(&b->left, data + m, n - (size_t)m);
	return false;
}

/* From the program to the connection: true when there may be more. */
static bool move_out(struct engine *e, struct bridge *b, uint8_t *buf)
{
	bool is_urgent;
	uint8_t *data;
	unsigned i;
	ssize_t n;

	if (has_failed(b->slot->conn) || !send_left(e, b))
		return false;
	for (i = 0; (i < ROUNDS || b->is_hung_up) && b->has_news && !b->is_out_over; i++) {
		n = take(b, buf, &data, &is_urgent);
		if (n == -EAGAIN || n == -EINTR) {
			b->has_news = false;
			return true;
		}
		if (n < 0) {
			see_end(e, b, n);
			return false;
		}
		if (n && !give(e, b, data, (size_t)n, is_urgent))
			return false;
	}
	return !b->is_out_over;
}

/* Nothing more can come of it: all that came before it failed has been read, or nobody will; or it is closed, and the
 * program has been told of the end, as it has where somebody took the error. */
static bool is_done(const struct bridge *b)
{
	struct tcp_conn *c = b->slot->conn;

	if (has_failed(c))
		return b->is_hung_up || b->is_in_over || !tcp_unread(c);
	return b->is_in_over && tcp_state(c) == TCP_CLOSE;
}

/* What follows a FIN (CLOSE-WAIT) is no reset for who reads (SOCK_DONE). */
void engine_bridge_show_end(struct engine *e, struct bridge *b)
{
	if (b->fd < 0 || (has_failed(b->slot->conn) && !b->is_in_over))
		return;
	while (raw_recv(b->fd, e->bridge_buf, BRIDGE_CHUNK, MSG_DONTWAIT) > 0)
		;
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
	/* The one that stays comes first, and the last of them stays instead. */
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
	if (b->is_broken || is_done(b) || (b->is_hung_up && b->is_out_over && !b->left.len)) {
		engine_bridge_end(e, b);
		return;
	}
	engine_bridge_want(e, b, (is_full ? EPOLLOUT : 0) | (wants_more ? EPOLLIN : 0));
}
