/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * interpose.h - what the files of wrappers share.
 *
 * A wrapper is three lines: look the fd up, then ours or libc's.  What is not ours
 * costs one look at a table and a tail call.
 */
#ifndef XTCP_INTERPOSE_H
#define XTCP_INTERPOSE_H

#include <errno.h>
#include <sys/types.h>

#include "fdtab.h"

#define EXPORT __attribute__((visibility("default")))

/* -errno into errno and -1. */
static inline ssize_t interpose_result(ssize_t r)
{
	if (r >= 0)
		return r;
	errno = (int)-r;
	return -1;
}

/* The end of a call on s. */
static inline ssize_t interpose_done(struct sock *s, ssize_t r)
{
	int err = errno;

	sock_put(s);
	errno = err;
	return interpose_result(r);
}

#endif
