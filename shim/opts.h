/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * opts.h - setsockopt(), getsockopt(), fcntl() and ioctl() on our sockets.  All return a
 * result or -errno.
 */
#ifndef XTCP_OPTS_H
#define XTCP_OPTS_H

#include "sock.h"

int opts_set(struct sock *s, int level, int name, const void *val, socklen_t len);
int opts_get(struct sock *s, int level, int name, void *val, socklen_t *len);
int opts_fcntl(struct sock *s, int fd, int cmd, void *arg);
int opts_ioctl(struct sock *s, int fd, unsigned long cmd, void *arg);
/* The last reference is gone. */
void opts_release(struct sock *s);

#endif
