/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * call_splice.c - splice() from a socket into a pipe, by copying (tcp_splice_read).
 *
 * What is moved is first only looked at, and leaves the socket when the pipe has it: a pipe
 * without room loses nothing.  (Into a socket the kernel moves it itself: bridge.h.)
 */
#include "call.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>

#include "eng.h"
#include "real.h"

/* As much as a pipe that can be written to takes at once. */
#define PIECE PIPE_BUF

static bool has_room(int pipe)
{
	struct pollfd p = { .fd = pipe, .events = POLLOUT };

	return REAL(poll)(&p, 1, 0) != 0;
}

/* tcp_recv_urg()'s byte ends what can be spliced. */
static bool is_at_mark(struct sock *s)
{
	int at = 0;

	return !eng_query(s, ENGINE_ATMARK, &at) && at;
}

/* One piece: how many bytes, 0 at the end, -EAGAIN when either side would block and may not. */
static ssize_t splice_piece(struct sock *s, int pipe, size_t len, bool wait_sock, bool wait_pipe)
{
	char piece[PIECE];
	struct iovec iov = { piece, MIN(len, sizeof(piece)) };
	ssize_t n;

	if (is_at_mark(s))
		return 0;
	n = call_recv(s, &iov, 1, MSG_PEEK | (wait_sock ? 0 : MSG_DONTWAIT), NULL);
	if (n <= 0)
		return n;
	if (!wait_pipe && !has_room(pipe))
		return -EAGAIN;
	n = REAL(write)(pipe, piece, (size_t)n);
	if (n < 0)
		return -errno;
	iov = (struct iovec){ NULL, (size_t)n };
	return call_recv(s, &iov, 1, MSG_TRUNC | MSG_DONTWAIT, NULL);
}

ssize_t call_splice(struct sock *s, int pipe, size_t len, unsigned flags)
{
	size_t done = 0;
	ssize_t n = 0;

	while (done < len) {
		n = splice_piece(s, pipe, len - done, !done, !done && !(flags & SPLICE_F_NONBLOCK));
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return done ? (ssize_t)done : n;
}

/* splice_to_socket(): what is sent fails, but first there must be something. */
ssize_t call_splice_in(struct sock *s, int pipe, unsigned flags)
{
	bool waits = !(flags & SPLICE_F_NONBLOCK) && !(REAL(fcntl)(pipe, F_GETFL) & O_NONBLOCK);
	struct pollfd p = { .fd = pipe, .events = POLLIN };
	char byte = 0;
	int r = REAL(poll)(&p, 1, waits ? -1 : 0);

	if (r <= 0)
		return r ? -errno : -EAGAIN;
	return p.revents & POLLIN ? call_send(s, &(struct iovec){ &byte, 1 }, 1, 0) : 0;
}
