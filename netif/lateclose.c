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

#include <stdbool.h>
#include <sys/eventfd.h>

#include "fdpass.h"
#include "rawcall.h"

/* Gives the collector a reference to what fd is: is it done? */
static bool give_to_collector(int fd)
{
	int pair[2];
	bool is_given;

	if (raw_socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair))
		return false;
	is_given = fdpass_send(pair[0], "", 1, (const int[2]){ pair[1], fd }, 2, MSG_DONTWAIT) > 0;
	raw_close(pair[0]);
	raw_close(pair[1]);
	return is_given;
}

void lateclose(int fd)
{
	give_to_collector(fd);
	raw_close(fd);
}

void lateclose_hollow(int fd)
{
	int hollow = (int)raw_syscall(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (hollow < 0)
		return;
	if (give_to_collector(fd))
		raw_syscall(SYS_dup3, hollow, fd, O_CLOEXEC);
	raw_close(hollow);
}
