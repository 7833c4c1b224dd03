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

#include <string.h>
#include <sys/uio.h>

#include "rawcall.h"

/* Sends both fds to the peer of s. */
static int pass(int s, const int fds[2])
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(2 * sizeof(int))];
	} control;
	char c = 0;
	struct iovec iov = { &c, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
	                    .msg_controllen = sizeof(control) };
	struct cmsghdr *h;

	memset(&control, 0, sizeof(control));
	h = CMSG_FIRSTHDR(&m);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(2 * sizeof(int));
	memcpy(CMSG_DATA(h), fds, 2 * sizeof(int));
	return (int)raw_sendmsg(s, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void lateclose(int fd)
{
	int pair[2];

	if (!raw_socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair)) {
		pass(pair[0], (const int[2]){ pair[1], fd });
		raw_close(pair[0]);
		raw_close(pair[1]);
	}
	raw_close(fd);
}
