/* SPDX-License-Identifier: BSD-2-Clause */
/* portdiag.h - what the kernel's TCP does with a port, by sock_diag. */
#ifndef XTCP_PORTDIAG_H
#define XTCP_PORTDIAG_H

#include <stdbool.h>
#include <stdint.h>

/* Whether a socket other than `fd` has addr:port (host byte order; addr 0: any address) in any
 * state but TIME-WAIT, connections and listeners of IPv6 sockets included, those of the host with itself not, those that are only
 * bound if with_bound: 1, 0 or -errno. */
int portdiag_is_used(uint32_t addr, uint16_t port, int fd, bool with_bound);
/* How many sockets listen there, or -errno. */
int portdiag_listeners(uint32_t addr, uint16_t port);

#endif
