/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_stack.c - a peer that says anything, to a stack that is doing something.
 *
 * Segments, raw frames, ICMP, time and calls in any order (fuzz_rig.h).  Nothing may crash,
 * leak or loop, and after every step what fuzz_check.h says must hold.
 */
#include "fuzz_rig.h"

/* A segment or an ICMP error about one of the program's sockets. */
static void step_about(struct fuzz_rig *z, void (*step)(struct fuzz_rig *, const struct rig_view *))
{
	const struct tcp_conn *c = z->c[fuzz_u8(&z->in) % RIG_NCONN];
	struct rig_view w;

	if (c)
		w = rig_view_conn(z, c);
	step(z, c ? &w : NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct fuzz_rig z = { .in = { p, len } };

	rig_init(&z, NULL, len & 1);
	while (z.in.len) {
		switch (fuzz_u8(&z.in) % 8) {
		case 0: case 1: case 2:
			step_about(&z, rig_step_segment);
			break;
		case 3:
			rig_step_raw(&z);
			break;
		case 4:
			step_about(&z, rig_step_icmp);
			break;
		case 5:
			rig_step_time(&z);
			break;
		default:
			rig_step_call(&z);
			break;
		}
		rig_settle(&z);
	}
	rig_fini(&z);
	return 0;
}
