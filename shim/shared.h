/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shared.h - sockets that more than one process has, since a fork or the like.
 *
 * Most children never use them, so nothing is done for them beforehand: both processes have the kernel's object,
 * and the engine stays with the parent.  What may be elsewhere, too, is known by the number of forks since it was
 * made.  A socket is bridged by the object that all have
 *
 * - when a process whose engine it isn't uses it for the first time (shared_take());
 * - when the engine's process closes it, or ends, and others turn out to have it (shared_leave()).
 *
 * So who forks a helper pays nothing for its connections, but a look at each when it is closed.
 */
#ifndef XTCP_SHARED_H
#define XTCP_SHARED_H

#include <stdbool.h>
#include <stdint.h>

#include "sock.h"

uint32_t shared_forks(void);
/* A child is about to be made: false when it couldn't ask for the sockets, which are to be bridged then. */
bool shared_begin(void);
/* In the child: s is of the parent's engine. */
void shared_lose(struct sock *s);

/* May another process have it? */
bool shared_is(const struct sock *s);
/* Is its engine another process's? */
static inline bool shared_is_foreign(const struct sock *s)
{
	return !s->es && s->host;
}

/* A foreign one is used: bridged from now on (-EREROUTED); -EIO: its engine is gone. */
int shared_take(struct sock *s);
/* The same with bridge_lock(); 0 or -EIO. */
int shared_take_locked(struct sock *s);
/* The same for the number fd, if that is one; true when it is still neither connected nor listening, which the
 * object shows. */
bool shared_take_fd(int fd);
/* Is a foreign one neither connected nor listening? */
bool shared_is_idle(const struct sock *s);
/* What can be asked about a foreign one as it is: 0 or -errno; -ESTALE: it is another's or bridged by now, -EIO: its
 * engine is gone. */
int shared_bind(const struct sock *s, const struct sockaddr_in *a);
int shared_sockname(const struct sock *s, struct sockaddr_in *a);
int shared_setopt(const struct sock *s, int level, int name, const void *val, socklen_t len);
int shared_getopt(const struct sock *s, int level, int name, void *val, socklen_t *len);
int shared_is_kernels(const struct sock *s, const struct sockaddr_in *a);
/* It becomes the kernel's socket `kernels`, there as well where it isn't bridged: as engine_bridged_yield(). */
int shared_yield(const struct sock *s, int kernels, struct sockaddr_in *bound);
/* In a child of vfork(), which has our memory: the socket that fd is. */
void shared_take_of_parent(int fd);
void shared_take_kept_by_exec(void);

/* Before the process gives up its number fd, and after: if it was the last of a socket that others have, it goes on
 * without it.  A struct sock * or NULL. */
struct shared_leaving {
	struct sock *s;          /* counted; NULL: nothing to do */
	int far;
};
void shared_leave(struct shared_leaving *l, int fd);
void shared_left(struct shared_leaving *l);
/* All of them: the process is about to end. */
void shared_leave_all(void);

/* engine_config's */
bool shared_is_object_of(engine_sock s, int number, int fd);
int shared_join(engine_sock es, int number, struct engine_bridged *id);
bool shared_give(engine_sock es, int number, int kernels);

#endif
