/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fdpass.h - messages that carry fds (SCM_RIGHTS).
 */
#ifndef XTCP_FDPASS_H
#define XTCP_FDPASS_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

#define FDPASS_MAX 128               /* fds in a message; the kernel's SCM_MAX_FD is 253 */

/* Sends `len` bytes, at least one, and fds[0..n) with them; flags as of sendmsg(), never SIGPIPE.  The bytes that were
 * sent or -errno. */
ssize_t fdpass_send(int to, const void *bytes, size_t len, const int *fds, unsigned n, int flags);

/* Receives at most `len` bytes and at most `most` fds, whose number is *n; flags as of recvmsg().  The bytes, 0 at the
 * end, or -errno. */
ssize_t fdpass_recv(int from, void *bytes, size_t len, int *fds, unsigned most, unsigned *n, int flags);

/* The fds of one control message, at most `most`, which belong to the caller; more are closed.  How many. */
unsigned fdpass_take(const struct cmsghdr *c, int *fds, unsigned most);

#endif
