/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * htab.h - an intrusive hash table that grows by one bucket at a time.
 *
 * Linear hashing (Litwin 1980): each insertion into a table with half as many entries as buckets adds two
 * buckets, and moves to each what belongs there from the one bucket that it
 * halves.  So an insertion costs at a million entries what it costs at ten; there is
 * no moment at which everything moves, and no array of the whole table's size.
 * If memory for a bucket is short, chains just get longer.
 * The hash must be keyed: peers choose what is hashed.
 */
#ifndef XTCP_HTAB_H
#define XTCP_HTAB_H

#include "base.h"

struct hnode {
	struct hnode *next;
};

struct htab {
	struct hnode ***chunks;  /* buckets, HTAB_CHUNK to a chunk; owned */
	uint32_t nchunks, cap;   /* chunks there are, and have a place in the array */
	uint32_t nbuckets;       /* in use: bucket i is chunks[i / HTAB_CHUNK][i % HTAB_CHUNK] */
	uint32_t mask;           /* power of two above the last bucket's index, less one */
	uint32_t n;              /* entries */
	/* The hash of an entry. */
	uint64_t (*hash)(const struct hnode *n, const void *ctx);
	const void *ctx;
};

#define HTAB_CHUNK 128u

void htab_init(struct htab *h, uint64_t (*hash)(const struct hnode *n, const void *ctx),
               const void *ctx);
/* Frees the table; the entries are given to `gone`, unless that is NULL. */
void htab_fini(struct htab *h, void (*gone)(struct hnode *n));

/* The chain in which an entry of this hash is, if it is anywhere; NULL: nowhere. */
struct hnode **htab_chain(const struct htab *h, uint64_t hash);
/* 0 or -ENOMEM; does not look for duplicates. */
int htab_add(struct htab *h, struct hnode *n, uint64_t hash);
/* False when it was not there. */
bool htab_del(struct htab *h, struct hnode *n, uint64_t hash);
/* Puts `to`, of the same hash, in the place of `from`. */
void htab_replace(struct htab *h, struct hnode *from, struct hnode *to, uint64_t hash);

#endif
