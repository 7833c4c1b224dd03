/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guard.h - keeps the kernel's TCP away from our ports of an address that we share
 * with it, and us away from its.
 *
 * A claim is a bound kernel socket (nobody else gets the port) and an element of a
 * set that an nftables ingress chain drops (the kernel's TCP never sees our
 * segments, the packet socket still does).  Table and sockets vanish with the
 * process, kill -9 included.  Claims stay until they are released: they are reused
 * for other destinations.
 */
#ifndef XTCP_GUARD_H
#define XTCP_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct guard;

/* For the ports of any IPv4 address on this interface: 0 or -errno with a sentence in err
 * (-EPERM: CAP_NET_ADMIN is missing). */
int guard_open(struct guard **g, const char *ifname, char *err, size_t err_len);
void guard_close(struct guard *g);
/* The process is about to end: the kernel's TCP has all segments again, and what would keep the exit waiting is
 * gone.  The ports stay taken until the process has ended; g can only be closed. */
void guard_end(struct guard *g);

/* Claims addr:port (host byte order; addr 0: every address of the host).
 * 0; -EADDRINUSE: the kernel or another xtcp has it; -EACCES: a privileged port;
 * -EADDRNOTAVAIL; -EMFILE; other -errno.  Claiming what is claimed succeeds. */
int guard_claim(struct guard *g, uint32_t addr, uint16_t port);
/* The same for a program that set SO_REUSEADDR: also when the kernel has the port in TIME-WAIT, and
 * nothing else of it.  is_sharing: it set SO_REUSEPORT, too, and others may join. */
int guard_claim_reusing(struct guard *g, uint32_t addr, uint16_t port, bool is_sharing);
/* The same for a program that set SO_REUSEPORT: with others of the same user, none of which may be
 * the kernel's listener or connection; but where it joins a group (share.h) whose members have `listeners` of those
 * for clients on this host (-1: it joins none). */
int guard_claim_sharing(struct guard *g, uint32_t addr, uint16_t port, int listeners);
/* Claims up to n consecutive-in-choice ports at once in one kernel transaction: granted[i]
 * tells which.  0 or -errno (then none). */
int guard_claim_many(struct guard *g, uint32_t addr, const uint16_t *ports, unsigned n,
                     bool *granted);
/* The same by a socket that is bound to it, or to the port on every address, of another process that claims it: *addr is
 * what is claimed then.  fd is the guard's from then on; -EINVAL: it isn't bound to them. */
int guard_adopt(struct guard *g, uint32_t *addr, uint16_t port, int fd);
/* A copy of the socket that claims addr:port, or the port on every address: its fd or -errno. */
int guard_dup(const struct guard *g, uint32_t addr, uint16_t port);
/* Gives a claim back to the kernel. */
void guard_release(struct guard *g, uint32_t addr, uint16_t port);
bool guard_has(const struct guard *g, uint32_t addr, uint16_t port);
unsigned guard_count(const struct guard *g);
/* Ports claimed on addr, up to n: how many there are (for the packet filter). */
unsigned guard_ports(const struct guard *g, uint32_t addr, uint16_t *ports, unsigned n);
/* Fds that the guard holds, up to n: how many (they must survive closefrom()). */
unsigned guard_fds(const struct guard *g, int *fds, unsigned n);

/* ---- for a process that gives CAP_NET_ADMIN up ---- */

/* What joins it to its broker: two ends, close-on-exec.  0 or -errno. */
int guard_broker_pair(int ends[2]);
/* Changes are asked of the broker at `end` from now on, which becomes the guard's. */
void guard_delegate(struct guard *g, int end);
bool guard_is_delegated(const struct guard *g);
/* The broker, a forked copy of the process with the capability and nothing else open: makes changes
 * for whoever holds the other end, for ports that the asker shows to be its own, until the last holder has gone.
 * Then no table and no claim is left. */
void guard_serve(struct guard *g, int end);

#endif
