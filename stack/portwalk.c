/* SPDX-License-Identifier: BSD-2-Clause */
/* portwalk.c - walks a port range in Linux's order, 64 ports at a time.
 *
 * A walk is at most two stretches of ascending ports: up to the end of the range,
 * and from where it comes back.  Within a stretch ports have one parity (step
 * 2) or all count (step 1), and 64 is even: a constant pattern picks them. */
#include "portwalk.h"

#define EVEN UINT64_C(0x5555555555555555)

void portwalk_init(struct portwalk *w, uint16_t lo, uint16_t hi, bool is_users)
{
	w->lo = lo;
	w->hi = (uint32_t)hi + 1;
	w->remaining = w->hi - w->lo;
	w->step = is_users ? 1 : 2;
	if (!is_users && w->remaining > 1)
		w->remaining &= ~1u;
}

static inline uint64_t usable(const struct portmask *m, uint32_t w)
{
	uint64_t x = ~UINT64_C(0);

	if (m->used)
		x = ~m->used->w[w];
	if (m->retry)
		x |= m->retry->w[w];
	if (m->only)
		x &= m->only->w[w];
	for (int i = 0; i < PORTMASK_SKIPS; i++)
		if (m->skip[i])
			x &= ~m->skip[i]->w[w];
	return x;
}

/* The first word from w on that the summaries don't rule out, or one past the last. */
static uint32_t next_word(const struct portmask *m, uint64_t pattern, uint32_t w)
{
	bool is_even = pattern & 1, is_odd = pattern & 2;

	if (!m->used_full && !m->only_any)
		return w;
	for (uint32_t j = w / 64; j < 65536 / 64 / 64; j++) {
		uint64_t full = m->used_full ? ~UINT64_C(0) : 0, x;

		if (m->used_full && is_even)
			full &= m->used_full[0].w[j];
		if (m->used_full && is_odd)
			full &= m->used_full[1].w[j];
		x = ~full & (m->only_any ? m->only_any->w[j] : ~UINT64_C(0));
		if (j == w / 64)
			x &= ~UINT64_C(0) << (w % 64);
		if (x)
			return j * 64 + (uint32_t)__builtin_ctzll(x);
	}
	return 65536 / 64;
}

/* The first port in [first, last] that the mask and the pattern leave, UINT32_MAX: none. */
static uint32_t find(const struct portmask *m, uint64_t pattern, uint32_t first, uint32_t last,
                     uint64_t *words)
{
	for (uint32_t w = first / 64;; w++) {
		uint64_t x;

		w = next_word(m, pattern, w);
		if (w > last / 64)
			break;
		x = usable(m, w) & pattern;
		++*words;
		if (w == first / 64)
			x &= ~UINT64_C(0) << (first % 64);
		if (w == last / 64)
			x &= ~UINT64_C(0) >> (63 - last % 64);
		if (x)
			return w * 64 + (uint32_t)__builtin_ctzll(x);
	}
	return UINT32_MAX;
}

uint32_t portwalk_next(const struct portwalk *w, uint32_t offset, uint32_t i,
                       const struct portmask *m, uint64_t *words)
{
	while (i < w->remaining) {
		uint32_t raw = w->lo + offset + i;
		bool is_back = raw >= w->hi;
		uint32_t first = is_back ? raw - w->remaining : raw;
		/* Distances left in this stretch. */
		uint32_t left = w->remaining - 1 - i;
		uint64_t pattern = w->step == 1 ? ~UINT64_C(0) : EVEN << (first & 1);
		uint32_t port;

		if (!is_back)
			left = MIN(left, w->hi - 1 - raw);
		port = find(m, pattern, first, first + left, words);
		if (port != UINT32_MAX)
			return i + (port - first);
		i += (left / w->step + 1) * w->step;
	}
	return PORTWALK_END;
}
