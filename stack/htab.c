/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * htab.c - an intrusive hash table that grows incrementally.
 *
 * Invariant: an entry is in old[hash % old_size] while that bucket has not been
 * moved yet, else in b[hash % size].  A growth from s to 2s buckets is over
 * after s / MOVE_STEP insertions, long before the next one is due.
 */
#include "htab.h"

#include <errno.h>
#include <stdlib.h>

#define SIZE_MIN 16u
#define SIZE_LIMIT (1u << 30)
#define MOVE_STEP 4

void htab_init(struct htab *h, uint64_t (*hash)(const struct hnode *n, const void *ctx),
               const void *ctx)
{
	*h = (struct htab){ .hash = hash, .ctx = ctx };
}

void htab_fini(struct htab *h)
{
	free(h->b);
	free(h->old);
	htab_init(h, h->hash, h->ctx);
}

struct hnode **htab_chain(const struct htab *h, uint64_t hash)
{
	if (h->old) {
		uint32_t i = (uint32_t)hash & (h->old_size - 1);

		if (i >= h->moved)
			return &h->old[i];
	}
	return h->b ? &h->b[(uint32_t)hash & (h->size - 1)] : NULL;
}

static void move_some(struct htab *h)
{
	for (int i = 0; i < MOVE_STEP && h->moved < h->old_size; i++) {
		struct hnode *n = h->old[h->moved++], *next;

		for (; n; n = next) {
			struct hnode **to = &h->b[(uint32_t)h->hash(n, h->ctx) & (h->size - 1)];

			next = n->next;
			n->next = *to;
			*to = n;
		}
	}
	if (h->moved < h->old_size)
		return;
	free(h->old);
	h->old = NULL;
	h->old_size = 0;
}

/* Starts a growth; without memory for it all stays as it is. */
static void grow(struct htab *h)
{
	uint32_t size = h->size ? h->size * 2 : SIZE_MIN;
	struct hnode **b;

	if (h->old || h->size >= SIZE_LIMIT)
		return;
	b = calloc(size, sizeof(struct hnode *));
	if (!b)
		return;
	h->old = h->b;
	h->old_size = h->size;
	h->moved = 0;
	h->b = b;
	h->size = size;
}

int htab_add(struct htab *h, struct hnode *n, uint64_t hash)
{
	struct hnode **chain;

	if (h->n >= h->size)
		grow(h);
	if (!h->b)
		return -ENOMEM;
	if (h->old)
		move_some(h);
	chain = htab_chain(h, hash);
	n->next = *chain;
	*chain = n;
	h->n++;
	return 0;
}

static struct hnode **find_link(const struct htab *h, const struct hnode *n, uint64_t hash)
{
	struct hnode **link = htab_chain(h, hash);

	while (link && *link && *link != n)
		link = &(*link)->next;
	return link && *link ? link : NULL;
}

bool htab_del(struct htab *h, struct hnode *n, uint64_t hash)
{
	struct hnode **link = find_link(h, n, hash);

	if (!link)
		return false;
	*link = n->next;
	n->next = NULL;
	h->n--;
	return true;
}

void htab_replace(struct htab *h, struct hnode *from, struct hnode *to, uint64_t hash)
{
	struct hnode **link = find_link(h, from, hash);

	if (!link)
		return;
	to->next = from->next;
	*link = to;
	from->next = NULL;
}
