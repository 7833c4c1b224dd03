/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fdpass.c - see fdpass.h.
 */
#include "fdpass.h"

#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

#include "rawcall.h"

union control {
	struct cmsghdr align;
	char room[CMSG_SPACE(FDPASS_MAX * sizeof(int))];
};

ssize_t fdpass_send(int to, const void *bytes, size_t len, const int *fds, unsigned n, int flags)
{
	struct iovec iov = { (void *)(uintptr_t)bytes, len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control;
	struct cmsghdr *c;

	if (n > FDPASS_MAX)
		return -EINVAL;
	if (n) {
		memset(&control, 0, CMSG_SPACE(n * sizeof(int)));
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(n * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	}
	return raw_sendmsg(to, &m, flags | MSG_NOSIGNAL);
}

unsigned fdpass_take(const struct cmsghdr *c, int *fds, unsigned most)
{
	size_t at;
	unsigned n = 0;
	int fd;

	if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
		return 0;
	for (at = 0; CMSG_LEN(at + sizeof(fd)) <= c->cmsg_len; at += sizeof(fd)) {
		memcpy(&fd, CMSG_DATA(c) + at, sizeof(fd));
		if (n < most)
			fds[n++] = fd;
		else
			raw_close(fd);
	}
	return n;
}

ssize_t fdpass_recv(int from, void *bytes, size_t len, int *fds, unsigned most, unsigned *n, int flags)
{
	struct iovec iov = { bytes, len };
	union control control;
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			    .msg_controllen = CMSG_SPACE(most * sizeof(int)) };
	struct cmsghdr *c;
	ssize_t r;

	*n = 0;
	if (most > FDPASS_MAX)
		return -EINVAL;
	r = raw_recvmsg(from, &m, flags);
	if (r < 0)
		return r;
	for (c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		*n += fdpass_take(c, fds + *n, most - *n);
	return r;
}
