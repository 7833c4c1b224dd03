/* SPDX-License-Identifier: BSD-2-Clause */
/* siphash.h - SipHash-2-4, the keyed hash behind tables, initial sequence numbers,
 * timestamp offsets and port offsets. */
#ifndef XTCP_SIPHASH_H
#define XTCP_SIPHASH_H

#include "base.h"

struct siphash_key {
	uint64_t k[2];
};

uint64_t siphash(const struct siphash_key *key, const void *p, size_t len);

/* The same over one to three 64-bit words, without going through memory. */
uint64_t siphash_1u64(const struct siphash_key *key, uint64_t a);
uint64_t siphash_2u64(const struct siphash_key *key, uint64_t a, uint64_t b);

#endif
