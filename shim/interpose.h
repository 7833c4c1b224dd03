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

#include "bridge.h"
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
static inline ssize_t interpose_finish(struct sock *s, ssize_t r)
{
	int err = errno;

	if (r == -EREROUTED)
		bridge_settle();
	sock_put(s);
	errno = err;
	return r;
}

static inline ssize_t interpose_done(struct sock *s, ssize_t r)
{
	return interpose_result(interpose_finish(s, r));
}

/* Our call when there is a socket of ours, else, or when it has become a bridged one meanwhile, the
 * kernel's. */
#define INTERPOSE(s, ours, kernels)                                         \
	__extension__({                                                     \
		ssize_t r_ = (s) ? interpose_finish(s, ours) : -EREROUTED;  \
		r_ == -EREROUTED ? (kernels) : interpose_result(r_);        \
	})

#endif
