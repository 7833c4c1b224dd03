/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bridge.h - sockets whose bytes go through the kernel's object under their number,
 * moved by the engine (engine_bridge()).
 *
 * A socket is bridged when it is to work where no call of ours reaches: in a child of fork(),
 * behind exec, in a process that gets it by SCM_RIGHTS, for splice(), on an io_uring, or as soon as it connects or listens
 * when the policy says so.  From then on the library has no
 * record of it: reading, writing, waiting and closing are the kernel's own; what an
 * AF_UNIX socket would answer differently (names, options, accept) is asked of the engine
 * behind it, whose name is in the object's.  So it makes no difference which process has it, and whether
 * it was there when the socket was made.
 */
#ifndef XTCP_BRIDGE_H
#define XTCP_BRIDGE_H

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

struct sock;
struct sockaddr_in;
struct engine_bridged;

#include "sock.h"

/* Bridges the socket that fd is, if it is one of ours, under all of its numbers; the log says what can't be.
 * errno stays. */
void bridge_fd(int fd);
/* s itself: -EREROUTED, or another -errno. */
int bridge_sock(struct sock *s);
/* All of the process's sockets that can be. */
void bridge_all(void);
/* The same, and all that connect or listen later. */
void bridge_always(void);
/* connect() of a fresh socket by the engine of a parent or child that listens at `a`: -EREROUTED when it has the connection's
 * end now, under the same number; -ECONNREFUSED: nobody listens there. */
int bridge_dial(struct sock *s, const struct sockaddr_in *a);
/* connect() or listen() on s has given r, which is given back: a socket that is to be bridged from the start is now. */
ssize_t bridge_opened(struct sock *s, ssize_t r);
/* Those that an exec would leave open.  errno stays. */
void bridge_inherited(void);
/* Those and what other processes may have: an exec is about to take the rest from this one. */
void bridge_before_exec(void);
/* Those that a message carries (SCM_RIGHTS). */
void bridge_carried(const struct msghdr *m);
/* s, which is bridged, belongs to the kernel from now on, under all of its numbers. */
void bridge_settled(struct sock *s);
/* What the library keeps of s (SO_RCVTIMEO and others) is set on fd. */
void bridge_copy_settings(struct sock *s, int fd);
/* The other end of the object that s has, named for engine_bridge_joined(), or -errno.  The lock is held. */
int bridge_join(struct sock *s);
/* Waits until a bridging under way in another thread is done. */
void bridge_settle(void);
/* Around fork(), so that the child finds no lock held. */
void bridge_lock(void);
void bridge_unlock(void);
/* How many there have been. */
unsigned bridge_count(void);

/* For calls on numbers without a socket of ours, after the kernel's object has answered: the object is
 * no bridged socket (-ENOTSOCK), or the answer.  `r` is what the kernel's call gave, -1 with errno. */
int bridge_accept(int fd, struct sockaddr *addr, socklen_t *len, int flags);
/* accept() has given conn and the address of its other end. */
void bridge_accepted(int conn, struct sockaddr *addr, socklen_t *len, socklen_t room);
int bridge_sockname(int fd, int r, struct sockaddr *addr, socklen_t *len, socklen_t room);
int bridge_peername(int fd, int r, struct sockaddr *addr, socklen_t *len, socklen_t room);
int bridge_setopt(int fd, int level, int name, const void *val, socklen_t len);
int bridge_getopt(int fd, int r, int level, int name, void *val, socklen_t *len, socklen_t room);
/* connect() and listen() again. */
int bridge_connect(int fd, int r, const struct sockaddr *addr, socklen_t len);
/* connect() by a send with MSG_FASTOPEN, which the kernel hasn't been asked for; the data is to be sent then. */
int bridge_fastopen(int fd, const struct sockaddr *addr, socklen_t len);
int bridge_listen(int fd, int r, int backlog);
int bridge_bind(int fd, int r, const struct sockaddr *addr, socklen_t len);
/* What is bridged under this number, as the name says, or the engine where it may have changed since; false: nothing.
 * errno stays. */
bool bridge_find(int fd, struct engine_bridged *b);
/* Is it one whose connection has ended? */
bool bridge_has_ended(int fd);

/* The kernel's read or write of fd has given r: as the connection would have it, with its errno. */
ssize_t bridge_data_failed(int fd);
static inline ssize_t bridge_data(int fd, ssize_t r)
{
	return r >= 0 || (errno != ECONNRESET && errno != EPIPE) ? r : bridge_data_failed(fd);
}
/* recv() with MSG_TRUNC, which a stream of the kernel's doesn't have for this: how many bytes are gone, -errno, or
 * -ENOTSOCK. */
ssize_t bridge_discard(int fd, size_t len, int flags);

#endif
