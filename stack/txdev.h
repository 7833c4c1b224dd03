/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * txdev.h - what the interface still has of what was handed over, by connection: the base of
 * TCP small queues and of automatic corking (txdev.c).
 */
#ifndef XTCP_TXDEV_H
#define XTCP_TXDEV_H

#include "frame.h"

struct stack;
struct tcp_conn;

/* A frame that the interface may still have. */
struct txdev_frame {
	struct tcp_conn *conn;     /* whose data it carries, NULL: nobody's */
	seq32 seq, end;
	uint32_t charge;           /* to our packet socket, bytes */
};

struct txdev {
	struct txdev_frame *v;     /* ring of cap, a power of two; owned */
	uint32_t cap, first, n;    /* v[first % cap] is the oldest */
	uint64_t total;            /* of charge */
	struct list held;          /* struct tcp_conn.tx_link: wait for it */
	bool is_on;
};

void txdev_init(struct txdev *d);
void txdev_free(struct txdev *d);
/* A frame was given out. */
void txdev_push(struct stack *s, struct frame_out *f);
/* It wasn't taken after all. */
void txdev_pull(struct stack *s, const struct frame_out *f);
/* Does it have any of these bytes of c? */
bool txdev_has(struct txdev *d, const struct tcp_conn *c, seq32 seq, seq32 end);
/* The connection is going. */
void txdev_forget(struct tcp_conn *c);

#endif
