/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ring.h - io_uring: what the kernel does to sockets for a program, by no call of libc's.
 *
 * From the first ring on every socket that is connected or listens is bridged, those that already are included: then
 * the operations of a ring work on the kernel's object, accepting included.
 */
#ifndef XTCP_RING_H
#define XTCP_RING_H

/* The program has a ring. */
void ring_opened(void);
/* One that it made by syscall(): its fd, and the struct io_uring_params that the kernel has filled. */
void ring_made(int fd, const void *params);
/* The next n entries of such a ring are about to be taken by the kernel. */
void ring_enters(int fd, unsigned n);
/* So is what liburing's ring, a struct io_uring, has. */
void ring_submits(const void *liburing);

#endif
