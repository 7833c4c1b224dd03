/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * addr.h - addresses between the program and the engine, which knows IPv4 alone.
 *
 * A socket of AF_INET6 speaks of the same connections as an AF_INET one by IPv4-mapped addresses
 * (RFC 4291 2.5.5.2); what is not mapped is the kernel's (policy.c).
 */
#ifndef XTCP_ADDR_H
#define XTCP_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#define ADDR_IN6_MIN 24         /* SIN6_LEN_RFC2133: without a scope */

/* move_addr_to_kernel(): len bytes of addr, the rest zeros; -EINVAL, -EFAULT. */
int addr_take(const struct sockaddr *addr, socklen_t len, struct sockaddr_storage *out);
/* addr, of AF_INET6 and at least ADDR_IN6_MIN bytes, as an AF_INET one: a mapped address, or :: for any.  False:
 * it is neither. */
bool addr_unmap(const struct sockaddr_storage *addr, struct sockaddr_in *out);
/* a as a sockaddr_in6: mapped, or :: when it is any. */
void addr_map(const struct sockaddr_in *a, struct sockaddr_in6 *out);
/* bind() of the kernel's socket fd, of AF_INET6 or AF_INET, to a: 0 or -errno. */
int addr_bind(int fd, bool is_v6, const struct sockaddr_in *a);
/* move_addr_to_user(): as much as there is room for, and the full length. */
int addr_copy(const void *from, socklen_t size, struct sockaddr *addr, socklen_t *len);
/* The same of an address of the engine's, as the socket's family has it. */
int addr_give(bool is_v6, const struct sockaddr_in *a, struct sockaddr *addr, socklen_t *len);

#endif
