/* SPDX-License-Identifier: BSD-2-Clause */
/* place_input.c - see place_input.h. */
#include "place_input.h"

#include <stdlib.h>
#include <string.h>

#define HEAD 160   /* what netif_peek() shows */

/* A copy of the frame that ends after n bytes, so that reading beyond them is found. */
static struct frame_in cut(const struct frame_in *f, size_t n, uint8_t **bytes)
{
	struct frame_in head = *f;

	head.data = *bytes = malloc(n ? n : 1);
	if (!*bytes)
		abort();
	memcpy(*bytes, f->data, n);
	return head;
}

bool place_input(struct stack *s, int iface, const struct frame_in *f, struct tcp_reader *reader, xtime now)
{
	struct stack_place p;
	struct frame_in head;
	uint8_t *bytes;
	const uint8_t *from;
	bool is_placed;

	head = cut(f, MIN(f->len, (size_t)HEAD), &bytes);
	is_placed = stack_place(s, iface, &head, reader, &p);
	free(bytes);
	if (!is_placed) {
		stack_input(s, iface, f, now);
		return false;
	}
	from = f->data + p.head;
	for (int i = 0; i < p.cnt; i++) {
		memcpy(p.to[i].iov_base, from, p.to[i].iov_len);
		from += p.to[i].iov_len;
	}
	head = cut(f, p.head, &bytes);
	stack_input(s, iface, &head, now);
	free(bytes);
	return from == f->data + f->len;
}
