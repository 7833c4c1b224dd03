/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ready.h - the AF_UNIX object behind a program's fd, and how it shows readiness.
 *
 * A socket begins as an unconnected AF_UNIX stream (OUT|HUP, as a fresh TCP socket).
 * When a kernel interface is to watch it (SIGIO, an epoll set that others look at) the object is replaced by
 * one end of a pair and mirrors the connection:
 *
 *   readable         tokens lie in its receive queue
 *   not writable     its send buffer is full
 *   RDHUP            the far end is shut down for writing
 *   HUP              the far end is closed
 *   ERR              closed with unread data; goes when SO_ERROR is read
 *   PRI              a token is sent as urgent data, for who asks for PRI
 *   SIGURG           comes with such a token
 *
 * HUP and ERR are final for an object, so a socket that is used again gets a new
 * one; epoll registrations are recorded and made again.
 */
#ifndef XTCP_READY_H
#define XTCP_READY_H

#include "sock.h"

/* Puts an fd out of the program's way, and makes it known as ours: its number from now on. */
int ready_raise_fd(int fd);
/* A new object; SOCK_NONBLOCK and SOCK_CLOEXEC as given.  The fd or -errno. */
int ready_open(int flags);

/* The kernel is to show readiness and to raise signals from now on (an unconnected socket: from its connect() on,
 * as it already looks as it should).  0 or -errno. */
int ready_watch(struct sock *s);
/* The engine is to tell what s is like from now on, and now, for registrations of ours; nothing is shown.  0 or -errno. */
int ready_tell(struct sock *s);
/* connect() or listen() has begun. */
void ready_opened(struct sock *s);
/* The socket is fresh again: a fresh object, if it has been another. */
void ready_reset(struct sock *s);
/* One of its numbers goes away (to: -1) before the kernel is told. */
void ready_drop_number(struct sock *s, int fd);
/* The last reference is gone. */
void ready_close(struct sock *s);
/* A duplicate of its object for who holds no lock here, where another thread may close the number, and its own next
 * file have it; to be closed by ready_object_done().  -EBADF: it has no number; or another -errno. */
int ready_object(struct sock *s);
void ready_object_done(int fd);
/* Puts a kernel socket under all of its numbers; consumes kfd.  0 or -errno. */
int ready_replace(struct sock *s, int kfd);

/* The other end of the object that s has, named as id says, from now on neither's but the caller's: tokens and fillers
 * are taken out.  It is marked as bridged.  -ESTALE: the object has shown an end, which is final; -EREROUTED: it was
 * bridged meanwhile; or another -errno. */
int ready_join(struct sock *s, const struct engine_bridged *id);

/* engine_config.ready */
void ready_on_event(void *user, uint32_t events, bool is_edge);
/* Does the engine tell of any socket: does a sleep in epoll_wait() have to drive the engine? */
bool ready_any(void);

/* In a forked child: s is lost, its far end is the parent's (the lock is held). */
void ready_lost(struct sock *s);
void ready_forget_all(void);

/* Around fork(). */
void ready_lock(void);
void ready_unlock(void);

#endif
