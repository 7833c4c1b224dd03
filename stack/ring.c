/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ring.c - a byte ring that grows by doubling.
 *
 * Invariants: cap is 0 or a power of two, head < cap, len <= cap.  Byte `off` of
 * the ring lies at index (head + off) % cap, readable or not.  Growing extends
 * the block in place where the allocator can (large blocks move by remapping,
 * not copying) and moves only the part that had wrapped around.
 */
#include "ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CAP_MIN 1024u
#define CAP_MAX 0x80000000u
#define KEEP_MAX 16384u    /* what costs nothing to have again: no page faults */

void ring_init(struct ring *r)
{
	*r = (struct ring){ 0 };
}

void ring_free(struct ring *r)
{
	free(r->buf);
	ring_init(r);
}

uint32_t ring_cap_for(const struct ring *r, size_t need)
{
	uint32_t cap = MAX(r->cap, CAP_MIN);

	if (!need)
		return r->cap;
	while (cap < need && cap < CAP_MAX)
		cap *= 2;
	return cap;
}

int ring_reserve(struct ring *r, size_t need)
{
	uint32_t old = r->cap, cap = ring_cap_for(r, need);
	uint8_t *buf;

	if (need <= old)
		return 0;
	if (need > CAP_MAX)
		return -ENOMEM;
	buf = realloc(r->buf, cap);
	if (!buf)
		return -ENOMEM;
	/* What had wrapped to the front continues behind the old end; cap >= 2 * old. */
	if (r->head)
		memcpy(buf + old, buf, r->head);
	r->buf = buf;
	r->cap = cap;
	return 0;
}

/* The piece of at most len bytes that lies in one stretch at `off`. */
static size_t stretch(const struct ring *r, size_t off, size_t len, size_t *at)
{
	*at = (r->head + off) & (r->cap - 1);
	return MIN(len, r->cap - *at);
}

void ring_put(struct ring *r, size_t off, const void *src, size_t len)
{
	size_t at, n;

	if (!len)
		return;
	n = stretch(r, off, len, &at);
	memcpy(r->buf + at, src, n);
	if (n < len)
		memcpy(r->buf, (const uint8_t *)src + n, len - n);
}

void ring_fit(struct ring *r, size_t need)
{
	struct ring small = { .len = r->len };
	size_t at, n;

	if (!need) {
		ring_free(r);
		return;
	}
	if (need > r->cap / 4 || r->cap == CAP_MIN || ring_reserve(&small, need))
		return;
	n = stretch(r, 0, need, &at);
	memcpy(small.buf, r->buf + at, n);
	memcpy(small.buf + n, r->buf, need - n);
	free(r->buf);
	*r = small;
}

void ring_extend(struct ring *r, size_t n)
{
	r->len += (uint32_t)n;
}

static size_t iov_bytes(const struct iovec *iov, int iovcnt, size_t skip, size_t max)
{
	size_t sum = 0;

	for (int i = 0; i < iovcnt && sum < max; i++) {
		size_t passed = MIN(skip, iov[i].iov_len);

		skip -= passed;
		sum += MIN(iov[i].iov_len - passed, max - sum);
	}
	return sum;
}

/* How many of n bytes can be appended: less than asked for, but what fits. */
static size_t room_for(struct ring *r, size_t n)
{
	return ring_reserve(r, r->len + n) ? MIN(n, r->cap - r->len) : n;
}

ssize_t ring_append_later(struct ring *r, size_t n)
{
	size_t room = room_for(r, MIN(n, (size_t)CAP_MAX));

	if (n && !room)
		return -ENOMEM;
	ring_extend(r, room);
	return (ssize_t)room;
}

ssize_t ring_append_iov(struct ring *r, const struct iovec *iov, int iovcnt, size_t skip, size_t max)
{
	size_t n = iov_bytes(iov, iovcnt, skip, MIN(max, (size_t)CAP_MAX));
	size_t done = 0;

	if (!n)
		return 0;
	n = room_for(r, n);
	if (!n)
		return -ENOMEM;
	for (int i = 0; done < n; i++) {
		size_t passed = MIN(skip, iov[i].iov_len);
		size_t part = MIN(iov[i].iov_len - passed, n - done);

		skip -= passed;
		if (part)
			ring_put(r, r->len + done, (const uint8_t *)iov[i].iov_base + passed, part);
		done += part;
	}
	ring_extend(r, n);
	return (ssize_t)n;
}

int ring_peek(const struct ring *r, size_t off, size_t len, struct iovec out[2])
{
	size_t at, n;

	if (!len)
		return 0;
	n = stretch(r, off, len, &at);
	out[0] = (struct iovec){ r->buf + at, n };
	if (n == len)
		return 1;
	out[1] = (struct iovec){ r->buf, len - n };
	return 2;
}

static void copy_out(const struct ring *r, size_t off, uint8_t *dst, size_t len)
{
	size_t at, n;

	if (!len)
		return;
	n = stretch(r, off, len, &at);
	memcpy(dst, r->buf + at, n);
	if (n < len)
		memcpy(dst + n, r->buf, len - n);
}

size_t ring_copy_iov(const struct ring *r, size_t off, const struct iovec *iov, int iovcnt,
                     size_t skip, size_t max)
{
	size_t n = off < r->len ? MIN(max, r->len - off) : 0;
	size_t done = 0;

	for (int i = 0; i < iovcnt && done < n; i++) {
		size_t passed = MIN(skip, iov[i].iov_len);
		size_t part = MIN(iov[i].iov_len - passed, n - done);

		skip -= passed;
		if (part)
			copy_out(r, off + done, (uint8_t *)iov[i].iov_base + passed, part);
		done += part;
	}
	return done;
}

void ring_drop(struct ring *r, size_t n)
{
	if (!n)
		return;
	r->head = (uint32_t)((r->head + n) & (r->cap - 1));
	r->len -= (uint32_t)n;
}

void ring_restart(struct ring *r)
{
	r->head = 0;
}

bool ring_rewind(struct ring *r)
{
	if (r->cap <= KEEP_MAX)
		ring_free(r);
	r->head = 0;
	return r->cap > 0;
}
