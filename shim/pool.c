/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pool.c - grows by 64 KB at a time and never shrinks.
 */
#include "pool.h"

#include <sys/mman.h>

#include "signal.h"

#define CHUNK_BYTES (64 * 1024)

static void grow(struct pool *p)
{
	char *chunk = mmap(NULL, CHUNK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);
	size_t i;

	if (chunk == MAP_FAILED)
		return;
	for (i = CHUNK_BYTES / p->size; i-- > 0;) {
		*(void **)(chunk + i * p->size) = p->free;
		p->free = chunk + i * p->size;
	}
}

void pool_lock(struct pool *p)
{
	signal_hold();
	pthread_mutex_lock(&p->lock);
}

void pool_unlock(struct pool *p)
{
	pthread_mutex_unlock(&p->lock);
	signal_release();
}

void *pool_take(struct pool *p)
{
	void *object;

	pool_lock(p);
	if (!p->free)
		grow(p);
	object = p->free;
	if (object)
		p->free = *(void **)object;
	pool_unlock(p);
	return object;
}

void pool_give(struct pool *p, void *object)
{
	pool_lock(p);
	*(void **)object = p->free;
	p->free = object;
	pool_unlock(p);
}
