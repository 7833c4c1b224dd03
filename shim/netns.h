/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netns.h - threads and children that go to another network namespace.
 *
 * Over the kernel a socket stays in the namespace in which it was made, and so do ours, with the engine.  What is
 * made in the other one is of that one: a child has an engine of its own there; in the process that has an engine already it is the
 * kernel's.
 */
#ifndef XTCP_NETNS_H
#define XTCP_NETNS_H

#include <stdbool.h>

/* A child is about to be made in another one: the engines of this one can be asked from there.  False: they can't. */
bool netns_keep_way(void);
/* The thread is about to go to another one: the same, and what it does with its sockets from then on
 * is done by the engine's thread, which stays.  errno stays. */
void netns_leave(void);
/* Is this thread in another one than the process's engine? */
bool netns_is_elsewhere(void);
/* The process has got an engine; it is a child, without one. */
void netns_attached(void);
void netns_forked(void);

#endif
