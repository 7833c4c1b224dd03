/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy.h - which sockets are ours.
 *
 * Every AF_INET and AF_INET6 stream socket is, until it says where it goes: 127/8, 0.0.0.0, the
 * host's own addresses and all of IPv6 but mapped addresses are the kernel's.  Then a kernel socket takes its place under
 * the same number, with the options and the address that were set so far.
 */
#ifndef XTCP_POLICY_H
#define XTCP_POLICY_H

#include <stdbool.h>
#include <sys/socket.h>

#include "sock.h"

bool policy_takes(int domain, int type, int protocol);
/* Is this socket to be handed to the kernel before connect() or bind() to addr? */
bool policy_hands_over_connect(struct sock *s, const struct sockaddr *addr, socklen_t len);
bool policy_hands_over_bind(struct sock *s, const struct sockaddr *addr, socklen_t len);
/* Does so: 0, then the fd is foreign; or -errno. */
int policy_hand_over(struct sock *s);

#endif
