/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ctlq.c - a ring of frames.
 *
 *        tail                head
 *   |    [hdr|frame][hdr|frame]      |
 *
 * Each record lies in one piece: one that would go beyond the end starts at the
 * beginning instead, behind a record that says so.  Records are written onward even when
 * the ring is empty, so that the bytes of those popped stay as they are for a while: the
 * caller may collect many frames before it sends them.
 */
#include "ctlq.h"

#include <stdlib.h>
#include <string.h>

/* Room for an echo reply of 65,535 bytes in fragments of 576, and some more. */
#define CTLQ_LIMIT (192u * 1024)
#define CTLQ_SIZE (CTLQ_LIMIT + CTLQ_KEPT)
#define CTLQ_ALIGN 8u
#define FRAME_MAX (UINT16_MAX + 14u)   /* the longest IP packet in an Ethernet frame */
#define IFACE_WRAP (-1)

struct record {
	uint32_t size;    /* of record and frame, rounded up */
	uint32_t len;     /* of the frame */
	int32_t iface;    /* IFACE_WRAP: the next record is at the beginning */
	uint32_t unused;
};

struct ctlq {
	uint32_t head;    /* where the next record goes */
	uint32_t tail;    /* the oldest record */
	uint32_t used;    /* bytes from tail to head */
	uint32_t n;       /* frames waiting */
	_Alignas(CTLQ_ALIGN) uint8_t buf[CTLQ_SIZE];
};

struct ctlq *ctlq_new(void)
{
	struct ctlq *q = malloc(sizeof(*q));

	if (q)
		q->head = q->tail = q->used = q->n = 0;
	return q;
}

void ctlq_free(struct ctlq *q)
{
	free(q);
}

bool ctlq_is_empty(const struct ctlq *q)
{
	return q->n == 0;
}

static struct record record_at(const struct ctlq *q, uint32_t at)
{
	struct record r;

	memcpy(&r, q->buf + at, sizeof(r));
	return r;
}

static void put_record(struct ctlq *q, int32_t iface, size_t len, uint32_t size)
{
	struct record r = { .size = size, .len = (uint32_t)len, .iface = iface };

	/* The rest of the buffer may be too short for a whole record: a wrap needs none. */
	if (CTLQ_SIZE - q->head >= sizeof(r))
		memcpy(q->buf + q->head, &r, sizeof(r));
	q->head = (q->head + size) % CTLQ_SIZE;
	q->used += size;
}

static void drop_tail(struct ctlq *q, uint32_t size)
{
	q->tail = (q->tail + size) % CTLQ_SIZE;
	q->used -= size;
}

uint8_t *ctlq_push(struct ctlq *q, int iface, size_t len)
{
	uint32_t size, to_end, at;

	if (len > FRAME_MAX)
		return NULL;
	size = (uint32_t)(sizeof(struct record) + len + CTLQ_ALIGN - 1) & ~(CTLQ_ALIGN - 1);
	to_end = CTLQ_SIZE - q->head;
	if (size > to_end) {
		if (q->used + to_end + size > CTLQ_LIMIT)
			return NULL;
		put_record(q, IFACE_WRAP, 0, to_end);
	} else if (q->used + size > CTLQ_LIMIT) {
		return NULL;
	}
	at = q->head;
	put_record(q, iface, len, size);
	q->n++;
	return q->buf + at + sizeof(struct record);
}

static void skip_wrap(struct ctlq *q)
{
	uint32_t to_end = CTLQ_SIZE - q->tail;

	if (to_end < sizeof(struct record) || record_at(q, q->tail).iface == IFACE_WRAP)
		drop_tail(q, to_end);
}

bool ctlq_pop(struct ctlq *q, struct frame_out *f)
{
	struct record r;
	uint8_t *frame;

	if (q->n == 0)
		return false;
	skip_wrap(q);
	r = record_at(q, q->tail);
	frame = q->buf + q->tail + sizeof(r);
	drop_tail(q, r.size);
	q->n--;
	f->iface = r.iface;
	f->hdr_len = MIN(r.len, FRAME_HDR_MAX);
	memcpy(f->hdr, frame, f->hdr_len);
	f->payload_len = r.len - f->hdr_len;
	f->payload_cnt = f->payload_len > 0;
	f->payload[0] = (struct iovec){ frame + f->hdr_len, f->payload_len };
	memset(&f->vnet, 0, sizeof(f->vnet));
	return true;
}
