/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pool.h - objects of one size from anonymous pages: no malloc(), which the program
 * may be in the middle of when a handler calls us, and memory that stays what it
 * was (an object that is free is still an object of its kind, so a reader that is
 * late may look at its reference count).
 */
#ifndef XTCP_POOL_H
#define XTCP_POOL_H

#include <pthread.h>
#include <stddef.h>

struct pool {
	size_t size;             /* of an object, its first 8 bytes link the free ones */
	pthread_mutex_t lock;    /* taken with signals held */
	void *free;
};

#define POOL_INIT(type) { sizeof(type), PTHREAD_MUTEX_INITIALIZER, NULL }

/* NULL: no memory.  Not zeroed but for the first use of the memory; the first 8 bytes are
 * undefined. */
void *pool_take(struct pool *p);
void pool_give(struct pool *p, void *object);
/* Around fork(), so that the child finds the lock free. */
void pool_lock(struct pool *p);
void pool_unlock(struct pool *p);

#endif
