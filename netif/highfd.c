/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * highfd.c - where our fds go.
 *
 * From FD_SETSIZE on when the soft limit leaves at least as much above it, else the
 * upper half of what the limit allows.  Not just below the limit: the kernel's
 * table grows to the highest fd, and fork() copies it.
 */
#include "highfd.h"

#include <sys/resource.h>
#include <sys/select.h>

#include "rawcall.h"

static int lowest(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl))
		return FD_SETSIZE / 2;
	if (rl.rlim_cur >= 2 * FD_SETSIZE)
		return FD_SETSIZE;
	return (int)(rl.rlim_cur / 2);
}

int highfd_dup(int fd)
{
	return raw_fcntl(fd, F_DUPFD_CLOEXEC, lowest());
}

int highfd_raise(int fd)
{
	int high;

	if (fd < 0)
		return fd;
	high = highfd_dup(fd);
	if (high < 0)
		return fd;
	raw_close(fd);
	return high;
}
