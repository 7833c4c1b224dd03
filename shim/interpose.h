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
#include <pthread.h>
#include <sys/types.h>

#include "bridge.h"
#include "fdtab.h"
#include "signal.h"

#define EXPORT __attribute__((visibility("default")))

/* Another name that libc has for a call, in the file that defines it. */
#ifdef __clang__
#define EXPORT_ALIAS(name, of) EXPORT extern __typeof__(of) name __attribute__((alias(#of)))
#else
#define EXPORT_ALIAS(name, of) EXPORT extern __typeof__(of) name __attribute__((alias(#of), copy(of)))
#endif

/* -errno into errno and -1. */
static inline ssize_t interpose_result(ssize_t r)
{
	if (r >= 0)
		return r;
	errno = (int)-r;
	return -1;
}

/* fdtab_get() of a call that is a cancellation point, also when it doesn't sleep. */
static inline struct sock *interpose_get(int fd)
{
	if (!fdtab_is_sock(fd))
		return NULL;
	pthread_testcancel();
	signal_begin_call();
	return fdtab_get_slow(fd);
}

/* The end of a call on s, which was begun with errno `err`. */
static inline ssize_t interpose_finish(struct sock *s, ssize_t r, int err)
{
	if (r == -EREROUTED)
		bridge_settle();
	sock_put(s);
	errno = err;
	return r;
}

/* A call's answer; one that succeeds leaves errno as it was. */
#define ANSWER(call)                                                        \
	__extension__({                                                     \
		int err_ = errno;                                           \
		ssize_t r_ = (call);                                        \
		errno = err_;                                               \
		interpose_result(r_);                                       \
	})

/* After -EREROUTED from a call on s: another socket of ours that the number is by now; NULL: the kernel's object is. */
static inline struct sock *interpose_again(int fd, const struct sock *s)
{
	struct sock *now = fdtab_get(fd);

	if (!now || now != s)
		return now;
	sock_put(now);
	return NULL;
}

/* Our call when the number is a socket of ours, else, or when it is no longer (sock.h), the kernel's. */
#define INTERPOSE(fd, s, ours, kernels)                                     \
	__extension__({                                                     \
		int err_ = errno;                                           \
		ssize_t r_ = -EREROUTED;                                    \
		while (r_ == -EREROUTED && (s)) {                           \
			r_ = interpose_finish(s, ours, err_);               \
			if (r_ == -EREROUTED)                               \
				s = interpose_again(fd, s);                 \
		}                                                           \
		r_ == -EREROUTED ? (kernels) : interpose_result(r_);        \
	})

#endif
