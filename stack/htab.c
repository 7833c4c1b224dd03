/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * htab.c - an intrusive hash table by linear hashing.
 *
 * Invariant: with b = hash & mask, an entry is in bucket b if there is one, else in
 * bucket b & mask / 2, which has not been halved yet.
 */
#include "htab.h"

#include <errno.h>
#include <stdlib.h>

#define BUCKETS_MAX (1u << 30)

void htab_init(struct htab *h, uint64_t (*hash)(const struct hnode *n, const void *ctx),
               const void *ctx)
{
	*h = (struct htab){ .hash = hash, .ctx = ctx };
}

static struct hnode **bucket(const struct htab *h, uint32_t i)
{
	return &h->chunks[i / HTAB_CHUNK][i % HTAB_CHUNK];
}

void htab_fini(struct htab *h, void (*gone)(struct hnode *n))
{
	for (uint32_t i = 0; gone && i < h->nbuckets; i++) {
		struct hnode *n = *bucket(h, i), *next;

		for (; n; n = next) {
			next = n->next;
			gone(n);
		}
	}
	for (uint32_t i = 0; i < h->nchunks; i++)
		free(h->chunks[i]);
	free(h->chunks);
	htab_init(h, h->hash, h->ctx);
}

struct hnode **htab_chain(const struct htab *h, uint64_t hash)
{
	uint32_t i = (uint32_t)hash & h->mask;

	if (!h->nbuckets)
		return NULL;
	return bucket(h, i < h->nbuckets ? i : i & h->mask >> 1);
}

/* Room for one more chunk of empty buckets. */
static bool add_chunk(struct htab *h)
{
	if (h->nchunks == h->cap) {
		uint32_t cap = h->cap ? h->cap * 2 : 4;
		struct hnode ***chunks = realloc(h->chunks, cap * sizeof(*chunks));

		if (!chunks)
			return false;
		h->chunks = chunks;
		h->cap = cap;
	}
	h->chunks[h->nchunks] = calloc(HTAB_CHUNK, sizeof(struct hnode *));
	if (!h->chunks[h->nchunks])
		return false;
	h->nchunks++;
	return true;
}

/* Adds a bucket, if memory allows, and moves to it its half of another one. */
static void grow(struct htab *h)
{
	uint32_t new = h->nbuckets;
	struct hnode **from, **to;

	if (new == BUCKETS_MAX || (new == h->nchunks * HTAB_CHUNK && !add_chunk(h)))
		return;
	h->nbuckets++;
	if (new > h->mask)
		h->mask = h->mask << 1 | 1;
	if (!new)
		return;
	from = bucket(h, new & h->mask >> 1);
	to = bucket(h, new);
	while (*from) {
		struct hnode *n = *from;

		if (((uint32_t)h->hash(n, h->ctx) & h->mask) == new) {
			*from = n->next;
			n->next = NULL;
			*to = n;
			to = &n->next;
		} else {
			from = &n->next;
		}
	}
}

int htab_add(struct htab *h, struct hnode *n, uint64_t hash)
{
	struct hnode **chain;

	for (int i = 0; i < 2 && h->n >= h->nbuckets / 2; i++)   /* an entry that is passed is a cache line missed */
		grow(h);
	chain = htab_chain(h, hash);
	if (!chain)
		return -ENOMEM;
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
