/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * siphash.c - SipHash-2-4 (Aumasson and Bernstein, 2012), 64-bit result.
 *
 * The input is read as little-endian words whatever the machine, so results are
 * the published ones and a simulation gives the same run everywhere.  The word
 * variants hash the same bytes as siphash() over the words in little-endian order.
 */
#include "siphash.h"

struct sip {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotl(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static inline void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = rotl(s->v1, 13) ^ s->v0;
	s->v3 = rotl(s->v3, 16) ^ s->v2;
	s->v0 = rotl(s->v0, 32);
	s->v2 += s->v1;
	s->v0 += s->v3;
	s->v1 = rotl(s->v1, 17) ^ s->v2;
	s->v3 = rotl(s->v3, 21) ^ s->v0;
	s->v2 = rotl(s->v2, 32);
}

static inline void sip_start(struct sip *s, const struct siphash_key *key)
{
	s->v0 = key->k[0] ^ UINT64_C(0x736f6d6570736575);
	s->v1 = key->k[1] ^ UINT64_C(0x646f72616e646f6d);
	s->v2 = key->k[0] ^ UINT64_C(0x6c7967656e657261);
	s->v3 = key->k[1] ^ UINT64_C(0x7465646279746573);
}

static inline void sip_word(struct sip *s, uint64_t m)
{
	s->v3 ^= m;
	sip_round(s);
	sip_round(s);
	s->v0 ^= m;
}

/* tail: up to seven last bytes; len: of the whole input. */
static inline uint64_t sip_end(struct sip *s, uint64_t tail, size_t len)
{
	sip_word(s, (uint64_t)len << 56 | tail);
	s->v2 ^= 0xff;
	sip_round(s);
	sip_round(s);
	sip_round(s);
	sip_round(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

/* n little-endian bytes, 8 at most. */
static inline uint64_t get_le(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

uint64_t siphash(const struct siphash_key *key, const void *p, size_t len)
{
	const uint8_t *b = p;
	size_t left = len;
	struct sip s;

	sip_start(&s, key);
	for (; left >= 8; left -= 8, b += 8)
		sip_word(&s, get_le(b, 8));
	return sip_end(&s, get_le(b, left), len);
}

uint64_t siphash_1u64(const struct siphash_key *key, uint64_t a)
{
	struct sip s;

	sip_start(&s, key);
	sip_word(&s, a);
	return sip_end(&s, 0, 8);
}

uint64_t siphash_2u64(const struct siphash_key *key, uint64_t a, uint64_t b)
{
	struct sip s;

	sip_start(&s, key);
	sip_word(&s, a);
	sip_word(&s, b);
	return sip_end(&s, 0, 16);
}
