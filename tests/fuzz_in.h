/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_in.h - a fuzz target's input, taken from the front; an exhausted one gives zeros.
 */
#ifndef XTCP_TESTS_FUZZ_IN_H
#define XTCP_TESTS_FUZZ_IN_H

#include <stdio.h>
#include <stdlib.h>

#include "stack/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len);

struct fuzz_in {
	const uint8_t *p;
	size_t len;
};

static inline uint8_t fuzz_u8(struct fuzz_in *in)
{
	if (!in->len)
		return 0;
	in->len--;
	return *in->p++;
}

static inline uint16_t fuzz_u16(struct fuzz_in *in)
{
	uint16_t hi = fuzz_u8(in);

	return (uint16_t)(hi << 8 | fuzz_u8(in));
}

static inline uint32_t fuzz_u32(struct fuzz_in *in)
{
	uint32_t hi = fuzz_u16(in);

	return hi << 16 | fuzz_u16(in);
}

/* At most `want` bytes as they stand: how many. */
static inline size_t fuzz_take(struct fuzz_in *in, size_t want, const uint8_t **p)
{
	size_t n = MIN(want, in->len);

	*p = in->p;
	in->p += n;
	in->len -= n;
	return n;
}

/* What must hold whatever the input is. */
#define fuzz_require(is_true, what) \
	do { \
		if (!(is_true)) { \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, what); \
			abort(); \
		} \
	} while (0)

#endif
