/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * epoll_set.h - epoll sets that were made in this process, and the registrations in them that are ours, not the kernel's.
 */
#ifndef XTCP_EPOLL_SET_H
#define XTCP_EPOLL_SET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "sock.h"

struct epoll_set;

/* ---- sets, known by fdtab_epoll() ---- */

/* epoll_create() has given fd. */
void epoll_set_made(int fd);
/* `to` is a duplicate of `from`, if that is a set. */
void epoll_set_copied(int from, int to);
/* A number of it goes away, before the kernel is told; id: what its slot was. */
void epoll_set_dropped(uintptr_t id);

/* From here on with the lock of ready.h. */

/* NULL: not known, its registrations are the kernel's. */
struct epoll_set *epoll_set_find(uintptr_t id);
/* May it have registrations of ours?  Only as long as nobody looks at it but epoll_wait() of this process. */
bool epoll_set_is_own(const struct epoll_set *set);
/* Has it some? */
bool epoll_set_has_some(const struct epoll_set *set);
unsigned epoll_set_count(const struct epoll_set *set);
/* From now on somebody else looks at it.  Or at all of them, those to come included. */
void epoll_set_see(struct epoll_set *set);
void epoll_set_see_all(void);

/* ---- registrations ---- */

/* That of s under fd, the kernel's or ours; NULL: none. */
struct sock_reg *epoll_set_reg(const struct sock *s, uintptr_t set, int fd);
/* A new one; NULL: no memory.  of NULL: it is the kernel's.  events: for its place. */
struct sock_reg *epoll_set_add(struct sock *s, uintptr_t set, struct epoll_set *of, int fd, uint32_t events);
void epoll_set_modify(struct sock_reg *r, const struct epoll_event *ev);
void epoll_set_remove(struct sock_reg *r);
/* Ours becomes the kernel's, which the caller tells. */
void epoll_set_give(struct sock_reg *r);
/* The oldest of the set; NULL: none.  And puts it behind all others. */
struct sock_reg *epoll_set_first(struct epoll_set *set);
void epoll_set_put_last(struct sock_reg *r);
/* Has s one that is ours? */
bool epoll_set_watches(const struct sock *s);

/* What the engine tells of s, in cfg.ready(). */
void epoll_set_event(struct sock *s, uint32_t events, bool is_edge);

/* ---- waiting ---- */

/* Up to n events.  *has_more: there are others, for a thread that sleeps. */
unsigned epoll_set_collect(struct epoll_set *set, struct epoll_event *ev, unsigned n, bool *has_more);
/* Is there one? */
bool epoll_set_has_ready(const struct epoll_set *set);
/* In cfg.ready() or engine_inform(): wakes a thread that sleeps for it, if there is something. */
void epoll_set_wake(struct epoll_set *set);

/* Around a sleep of this thread for the set; the news are for engine_wait_news().  The end may come twice, and
 * is true when another thread is to be woken in its stead. */
struct engine_news *epoll_set_begin_wait(struct epoll_set *set);
bool epoll_set_end_wait(uintptr_t *set);
/* Without the lock: is this thread in one? */
bool epoll_set_is_waiting(void);
/* Around a sleep in the kernel, which hears of registrations of its own alone: until then the set gets no others.  Without
 * the lock; a handler may leave it without the end. */
void epoll_set_begin_outside(uintptr_t id);
void epoll_set_end_outside(uintptr_t id);

/* ---- fork ---- */

/* In the child: the sets of the parent are its own no more. */
void epoll_set_forked(void);
/* Has this process some of its parent's registrations in it, or (NULL) in any set? */
bool epoll_set_is_inherited(const struct epoll_set *set);
/* Without the lock, at little cost. */
bool epoll_set_any_inherited(void);

#endif
