/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * htab.h - an intrusive hash table that grows without ever stopping for it.
 *
 * It doubles when there are as many entries as buckets, but moves the entries
 * a few buckets at a time, with each insertion: at a million entries an insertion
 * costs what it costs at ten.  While it moves, buckets of the old array from `moved`
 * on are still in use.  If memory for a larger array is short, chains
 * just get longer.  The hash must be keyed: peers choose what is hashed.
 */
#ifndef XTCP_HTAB_H
#define XTCP_HTAB_H

#include "base.h"

struct hnode {
	struct hnode *next;
};

struct htab {
	struct hnode **b;        /* buckets, a power of two; NULL while empty; owned */
	struct hnode **old;      /* buckets that are being moved, NULL: none; owned */
	uint32_t size, old_size, moved, n;
	/* The hash of an entry. */
	uint64_t (*hash)(const struct hnode *n, const void *ctx);
	const void *ctx;
};

void htab_init(struct htab *h, uint64_t (*hash)(const struct hnode *n, const void *ctx),
               const void *ctx);
/* Frees the buckets; the entries are the caller's. */
void htab_fini(struct htab *h);

/* The chain in which an entry of this hash is, if it is anywhere; NULL: nowhere. */
struct hnode **htab_chain(const struct htab *h, uint64_t hash);
/* 0 or -ENOMEM; does not look for duplicates. */
int htab_add(struct htab *h, struct hnode *n, uint64_t hash);
/* False when it was not there. */
bool htab_del(struct htab *h, struct hnode *n, uint64_t hash);
/* Puts `to`, of the same hash, in the place of `from`. */
void htab_replace(struct htab *h, struct hnode *from, struct hnode *to, uint64_t hash);

#endif
