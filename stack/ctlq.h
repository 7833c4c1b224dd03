/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ctlq.h - frames of the stack's own that wait for the next stack_output(): ARP,
 * ICMP, resets and ACKs that belong to no connection.
 *
 * They are kept whole, one after the other, in one block of memory of fixed size,
 * so that no flood of requests makes it grow; what doesn't fit is dropped, as an
 * interface's full queue would.
 */
#ifndef XTCP_CTLQ_H
#define XTCP_CTLQ_H

#include "frame.h"

struct ctlq;

#define CTLQ_KEPT 65536u

struct ctlq *ctlq_new(void);   /* NULL: no memory */
void ctlq_free(struct ctlq *q);

bool ctlq_is_empty(const struct ctlq *q);

/* Room for a frame of len bytes at the queue's end, to be filled at once; NULL: full. */
uint8_t *ctlq_push(struct ctlq *q, int iface, size_t len);

/* Takes out the oldest frame; its bytes stay valid until CTLQ_KEPT more bytes were pushed.
 * False when there is none. */
bool ctlq_pop(struct ctlq *q, struct frame_out *f);

#endif
