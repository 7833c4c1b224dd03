/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * alloc.c - free lists by size.
 *
 * Sizes up to 2 KB go by 16 bytes, larger ones by quarters of a power of two.  Small
 * blocks are cut from chunks and stay on their lists; a large block is a mapping
 * of its own and goes back to the kernel when CACHE_MAX bytes of such are free
 * already.  In front of each block stand its size and a mark that tells it from
 * libc's.
 */
#include "alloc.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "signal.h"

#define CHUNK_BYTES ((size_t)1 << 20)
#define HUGE_BYTES ((size_t)2 << 20)
#define HUGE_FROM ((size_t)32 << 20)       /* a process with so much in small blocks gets huge pages for the next ones */
#define FINE_MAX ((size_t)2048)          /* a connection is among them */
#define FINE_STEP 16
#define NFINE (FINE_MAX / FINE_STEP)
#define SMALL_MAX ((size_t)1 << 18)
#define NCLASSES (NFINE + 4 * 13)          /* up to 16 MB */
#define CACHE_MAX ((size_t)16 << 20)
#define MARK 0x7874637061110c8bull

struct head {
	uint64_t mark;           /* MARK, mixed with the address */
	size_t room;             /* bytes after the head */
};

struct free_block {
	struct free_block *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct free_block *lists[NCLASSES];
static char *chunk, *chunk_end;
static size_t cut_in_all;        /* bytes of chunks */
static size_t cached;            /* bytes of large blocks on the lists */

static struct head *head_of(const void *p)
{
	return (struct head *)((uintptr_t)p - sizeof(struct head));
}

static uint64_t mark_of(const struct head *h)
{
	return MARK ^ (uintptr_t)h;
}

/* Of libc's blocks it reads what lies before them, which is libc's own header and
 * always there, but out of bounds for AddressSanitizer. */
__attribute__((no_sanitize("address"))) bool alloc_owns(const void *p)
{
	return (uintptr_t)p % sizeof(struct head) == 0 && head_of(p)->mark == mark_of(head_of(p));
}

/* The list for size, and how much its blocks hold; NCLASSES: none. */
static size_t class_of(size_t size, size_t *room)
{
	unsigned log, quarter;
	size_t step;

	if (size <= FINE_MAX) {
		size = size ? (size + FINE_STEP - 1) / FINE_STEP : 1;
		*room = size * FINE_STEP;
		return size - 1;
	}
	log = 63 - (unsigned)__builtin_clzl(size - 1);
	step = (size_t)1 << (log - 2);
	quarter = (unsigned)((size - 1) >> (log - 2)) & 3;
	*room = ((size_t)4 + quarter + 1) * step;
	size = NFINE + 4 * (log - 11) + quarter;
	return size < NCLASSES ? size : NCLASSES;
}

static void *map(size_t bytes)
{
	void *m = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return m == MAP_FAILED ? NULL : m;
}

/* Aligned for huge pages, which it may have (`madvise` in transparent_hugepage/enabled suffices): with a million connections
 * each of them would else miss the TLB. */
static char *map_huge(void)
{
	char *m = map(2 * HUGE_BYTES);
	size_t before;

	if (!m)
		return NULL;
	before = -(uintptr_t)m % HUGE_BYTES;
	if (before)
		munmap(m, before);
	munmap(m + before + HUGE_BYTES, HUGE_BYTES - before);
	m += before;
	madvise(m, HUGE_BYTES, MADV_HUGEPAGE);
	return m;
}

static void *cut(size_t bytes)
{
	size_t more = cut_in_all < HUGE_FROM ? CHUNK_BYTES : HUGE_BYTES;
	void *p;

	if ((size_t)(chunk_end - chunk) < bytes) {
		p = more == HUGE_BYTES ? map_huge() : map(more);
		if (!p)
			return NULL;
		chunk = p;
		chunk_end = chunk + more;
		cut_in_all += more;
	}
	p = chunk;
	chunk += bytes;
	return p;
}

/* A block of that much room that has not been used before. */
static void *new_block(size_t room)
{
	size_t bytes = room + sizeof(struct head);
	struct head *h = room <= SMALL_MAX ? cut(bytes) : map(bytes);

	if (!h)
		return NULL;
	h->room = room;
	h->mark = mark_of(h);
	return h + 1;
}

/* *is_zero: it is known to be. */
static void *get(size_t size, bool *is_zero)
{
	size_t room = size, class;
	struct free_block *b = NULL;
	void *p;

	*is_zero = false;
	if (size > PTRDIFF_MAX / 2) {
		errno = ENOMEM;
		return NULL;
	}
	class = class_of(size, &room);
	signal_hold();
	pthread_mutex_lock(&lock);
	if (class < NCLASSES)
		b = lists[class];
	if (b) {
		lists[class] = b->next;
		cached -= room > SMALL_MAX ? room : 0;
	}
	p = b ? (void *)b : new_block(room);
	*is_zero = !b;
	pthread_mutex_unlock(&lock);
	signal_release();
	if (!p)
		errno = ENOMEM;
	return p;
}

void *alloc_get(size_t size)
{
	bool is_zero;

	return get(size, &is_zero);
}

void *alloc_zeroed(size_t count, size_t size)
{
	size_t bytes;
	bool is_zero;
	void *p;

	if (__builtin_mul_overflow(count, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	p = get(bytes, &is_zero);
	return p && !is_zero ? memset(p, 0, bytes) : p;
}

void alloc_give(void *p)
{
	struct head *h = head_of(p);
	struct free_block *b = p;
	size_t room, class;

	if (!p)
		return;
	class = class_of(h->room, &room);
	signal_hold();
	pthread_mutex_lock(&lock);
	if (h->room > SMALL_MAX && (class == NCLASSES || cached + h->room > CACHE_MAX)) {
		munmap(h, h->room + sizeof(*h));
	} else {
		cached += h->room > SMALL_MAX ? h->room : 0;
		b->next = lists[class];
		lists[class] = b;
	}
	pthread_mutex_unlock(&lock);
	signal_release();
}

void *alloc_resized(void *p, size_t size)
{
	size_t had = p ? head_of(p)->room : 0;
	void *q;

	if (size && size <= had && size >= had / 2)
		return p;
	q = alloc_get(size);
	if (!q)
		return NULL;
	if (p)
		memcpy(q, p, had < size ? had : size);
	alloc_give(p);
	return q;
}

void alloc_fork_prepare(void)
{
	signal_hold();
	pthread_mutex_lock(&lock);
}

void alloc_fork_done(void)
{
	pthread_mutex_unlock(&lock);
	signal_release();
}
