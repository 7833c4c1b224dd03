/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy.h - which sockets are ours.
 *
 * Every AF_INET and AF_INET6 stream socket is, until it says where it goes: 127/8, 0.0.0.0, the
 * host's own addresses and all of IPv6 but mapped addresses are the kernel's, and what the rules of --policy
 * (rules.h) leave to it.  Then a kernel socket takes its place under the same number, with the options and the
 * address that were set so far.
 */
#ifndef XTCP_POLICY_H
#define XTCP_POLICY_H

#include <stdbool.h>
#include <sys/socket.h>

#include "rules.h"
#include "sock.h"

/* Is a socket of these arguments of socket() to be ours for a start? */
bool policy_takes(int domain, int type, int protocol);

/* What becomes of a socket when its program connects it to addr, binds it to addr, listens.  0: it stays ours;
 * -EREROUTED (sock.h): it is the kernel's now, and the call is to be made there; -ECONNREFUSED, -EACCES: a rule
 * refuses it; another -errno: it could not be handed over. */
int policy_connect(struct sock *s, const struct sockaddr *addr, socklen_t len);
int policy_bind(struct sock *s, const struct sockaddr *addr, socklen_t len);
int policy_listen(struct sock *s);
/* The same for one without a record here, which was bridged before it was either: -EXDEV when it is to be the kernel's.
 * v6, when not NULL, is the address, len bytes, if that is a native IPv6 one; a has its port. */
int policy_bridged(enum rule_role role, const struct sockaddr_in *a, const struct sockaddr *v6, socklen_t len);

/* The same for a TCP socket that is the kernel's already: 0, or -ECONNREFUSED, -EACCES, when a rule refuses it; any other
 * descriptor is nobody's business here.  errno stays. */
int policy_connect_kernels(int fd, const struct sockaddr *addr, socklen_t len);
int policy_listen_kernels(int fd);

#endif
