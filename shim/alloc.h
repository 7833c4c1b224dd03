/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * alloc.h - the library's own heap.
 *
 * A signal handler may send and receive, and a deadly signal has connections
 * carried on in a forked child, while the thread below is in the middle of libc's
 * malloc(), or another was when the child was made.  So what is linked into libxtcp.so
 * allocates here (wrap.c): from anonymous pages, under a lock that is taken with
 * signals held and known to fork().
 */
#ifndef XTCP_ALLOC_H
#define XTCP_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* As malloc() and the others: NULL when there is no memory. */
void *alloc_get(size_t size);
void *alloc_zeroed(size_t count, size_t size);
void *alloc_resized(void *p, size_t size);
void alloc_give(void *p);
/* Was it had from here? */
bool alloc_owns(const void *p);

/* Around fork(). */
void alloc_fork_prepare(void);
void alloc_fork_done(void);

#endif
