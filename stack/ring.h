/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ring.h - a growable byte ring with writes at an offset.
 *
 * `len` bytes are readable from the head on.  A write may land beyond them, so
 * that out-of-order payload waits in its final place; the owner keeps track of
 * which bytes beyond `len` are real and extends the readable part with
 * ring_extend().  An empty ring that is idle holds no memory: ring_rewind() says
 * when it is time to think of that.  Capacity is a power of two.
 */
#ifndef XTCP_RING_H
#define XTCP_RING_H

#include <sys/uio.h>

#include "base.h"

struct ring {
	uint8_t *buf;   /* NULL while cap is 0; owned */
	uint32_t cap;   /* bytes allocated: 0 or a power of two */
	uint32_t head;  /* index of the first readable byte, below cap */
	uint32_t len;   /* readable bytes */
};

void ring_init(struct ring *r);
void ring_free(struct ring *r);

/* Makes room for `need` bytes counted from the head: 0 or -ENOMEM, in which
 * case nothing has changed. */
int ring_reserve(struct ring *r, size_t need);

/* The capacity that ring_reserve(need) would leave. */
uint32_t ring_cap_for(const struct ring *r, size_t need);

/* Gives memory back when `need` bytes from the head on leave three quarters of it free; without
 * memory to move to nothing changes. */
void ring_fit(struct ring *r, size_t need);

/* Copies len bytes in at `off` bytes past the head; ring_reserve() must have
 * granted off + len.  Does not change `len` of the ring. */
void ring_put(struct ring *r, size_t off, const void *src, size_t len);

/* Declares that n more bytes behind the readable part are readable now. */
void ring_extend(struct ring *r, size_t n);

/* Reserve, put and extend of the bytes of iov from byte `skip` on, at most max
 * bytes: how many were taken, or -ENOMEM when not one could be. */
ssize_t ring_append_iov(struct ring *r, const struct iovec *iov, int iovcnt, size_t skip, size_t max);

/* Reserve and extend alone, at most n bytes, which the owner puts later: how many, or -ENOMEM when not one could be. */
ssize_t ring_append_later(struct ring *r, size_t n);

/* Where bytes [off, off + len) lie, readable or not: fills one or two pieces and
 * returns their count (0 when len is 0).  ring_reserve() must have granted off + len. */
int ring_peek(const struct ring *r, size_t off, size_t len, struct iovec out[2]);

/* Where bytes [off, off + len), for which there is room, are to be put: as ring_peek(). */
int ring_room(const struct ring *r, size_t off, size_t len, struct iovec out[2]);

/* Copies readable bytes from `off` on out to iov from byte `skip` of it on, at
 * most max bytes: how many. */
size_t ring_copy_iov(const struct ring *r, size_t off, const struct iovec *iov, int iovcnt,
                     size_t skip, size_t max);

/* Forgets the first n readable bytes.  Data beyond the readable part stays at
 * its place relative to the end of the readable part. */
void ring_drop(struct ring *r, size_t n);

/* None of its bytes has been put yet: they will be at the front, where memory is warm. */
void ring_restart(struct ring *r);

/* The ring is empty, beyond the readable part too: begins at the front again, where memory
 * is warm.  A small one gives its memory back at once; true: this one has some, for
 * ring_free() when the owner has been idle. */
bool ring_rewind(struct ring *r);

#endif
