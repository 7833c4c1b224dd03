/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * highfd.c - where our fds go.
 *
 * From FD_SETSIZE on when the soft limit leaves at least as much above it, else the
 * upper half of what the limit allows.  Not just below the limit: the kernel's
 * table grows to the highest fd, and fork() copies it.
 */
#include "highfd.h"

#include <sys/select.h>
#include <sys/syscall.h>

#include "rawcall.h"

#define ROOM (2 * FD_SETSIZE)

static int lowest(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl))
		return FD_SETSIZE / 2;
	if (rl.rlim_cur >= ROOM)
		return FD_SETSIZE;
	return (int)(rl.rlim_cur / 2);
}

static bool set_limit(const struct rlimit *new, struct rlimit *old)
{
	return raw_syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, new, old) == 0;
}

bool highfd_begin(struct rlimit *old)
{
	struct rlimit high;

	if (!set_limit(NULL, old))
		return false;
	high.rlim_cur = high.rlim_max = old->rlim_max > ROOM ? old->rlim_max : ROOM;
	if (old->rlim_cur >= high.rlim_cur)
		return false;
	if (set_limit(&high, NULL))
		return true;
	high.rlim_cur = high.rlim_max = old->rlim_max;
	return old->rlim_cur < old->rlim_max && set_limit(&high, NULL);
}

void highfd_end(const struct rlimit *old)
{
	set_limit(old, NULL);
}

bool highfd_is_scarce(void)
{
	struct rlimit rl;

	return set_limit(NULL, &rl) && rl.rlim_cur < FD_SETSIZE;
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
