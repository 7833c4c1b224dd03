/* SPDX-License-Identifier: BSD-2-Clause */
/* place_input.h - a frame arrives as the engine receives large ones: its payload where the stack wants it. */
#ifndef XTCP_TESTS_PLACE_INPUT_H
#define XTCP_TESTS_PLACE_INPUT_H

#include "stack/stack.h"

/* stack_input() of f, after stack_place(); true: the payload was placed, and no byte of it was in
 * the frame that the stack got.  reader: as stack_place(). */
bool place_input(struct stack *s, int iface, const struct frame_in *f, struct tcp_reader *reader, xtime now);

#endif
