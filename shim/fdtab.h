/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fdtab.h - which of the process's fds are ours.
 *
 * A slot per fd, read without a lock.  A socket is counted: one reference per slot
 * that points to it and one per call under way, so close() in one thread and
 * recv() in another are as in Linux, where the call that sleeps keeps the file.
 * Slots are changed before the number is given back to the kernel and after it
 * was had from it, so no slot ever speaks of somebody else's file.
 */
#ifndef XTCP_FDTAB_H
#define XTCP_FDTAB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "sock.h"

#define FDTAB_PAGE_FDS 1024
#define FDTAB_PAGES 4096          /* 4 million fds; /proc/sys/fs/nr_open is 1 million */

/* A slot: 0, a struct sock, or one of these in the low bits. */
#define FDTAB_KIND 3u
#define FDTAB_INTERNAL 1u         /* an fd of the library's own */
#define FDTAB_EPOLL 2u            /* an epoll set with sockets of ours; the rest is its number */

extern _Atomic(_Atomic(uintptr_t) *) fdtab_pages[FDTAB_PAGES];

static inline uintptr_t fdtab_slot(int fd)
{
	_Atomic(uintptr_t) *page;

	if ((unsigned)fd >= FDTAB_PAGES * FDTAB_PAGE_FDS)
		return 0;
	page = atomic_load_explicit(&fdtab_pages[fd / FDTAB_PAGE_FDS], memory_order_acquire);
	if (!page)
		return 0;
	return atomic_load_explicit(&page[fd % FDTAB_PAGE_FDS], memory_order_acquire);
}

static inline bool fdtab_is_sock(int fd)
{
	uintptr_t v = fdtab_slot(fd);

	return v && !(v & FDTAB_KIND);
}

/* The socket with a reference for the caller; NULL: not ours. */
struct sock *fdtab_get_slow(int fd);

static inline struct sock *fdtab_get(int fd)
{
	return fdtab_is_sock(fd) ? fdtab_get_slow(fd) : NULL;
}

/* fd is s from now on; the slot takes over one reference.  -ENOMEM, -EMFILE. */
int fdtab_put(int fd, struct sock *s);
/* Whatever it was; the reference of a socket goes to the caller. */
struct sock *fdtab_clear(int fd);

/* All numbers of s, which are the kernel's from now on; the caller has a reference of its own. */
void fdtab_clear_all(struct sock *s);

/* The library's own fds. */
void fdtab_mark_internal(int fd);
void fdtab_unmark_internal(int fd);
static inline bool fdtab_is_internal(int fd)
{
	return fdtab_slot(fd) == FDTAB_INTERNAL;
}

/* An epoll set's identity, given at the first call and kept by fdtab_copy(). */
uintptr_t fdtab_epoll(int fd);
bool fdtab_is_epoll(int fd);
/* dup() of an epoll set. */
void fdtab_copy(int from, int to);

/* The next fd from `from` on whose slot isn't empty; -1: none. */
int fdtab_next(int from);
/* The lowest fd with this in its slot; -1: none. */
int fdtab_number_of(uintptr_t slot);

#endif
