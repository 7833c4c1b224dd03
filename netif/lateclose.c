/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lateclose.c - lets the kernel's garbage collector do the last close.
 *
 * A UNIX socket is sent into its own queue together with the fd, and all are closed.  What
 * is left is a cycle that nobody reaches; unix_gc() finds it, in a kernel worker's
 * time since Linux 6.9 (before, in ours: then nothing is lost but a few us).  Where that
 * can't be done, close() it is.
 */
#include "lateclose.h"

#include "fdpass.h"
#include "rawcall.h"

void lateclose(int fd)
{
	int pair[2];

	if (!raw_socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair)) {
		fdpass_send(pair[0], "", 1, (const int[2]){ pair[1], fd }, 2, MSG_DONTWAIT);
		raw_close(pair[0]);
		raw_close(pair[1]);
	}
	raw_close(fd);
}
