/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ring.h - io_uring: what the kernel does to sockets for a program, by no call of libc's.
 *
 * From the first ring on every socket that is connected or listens is bridged, those that are already included: then
 * the operations of a ring work on the kernel's object, accepting included.
 */
#ifndef XTCP_RING_H
#define XTCP_RING_H

/* The program has a ring. */
void ring_opened(void);

#endif
