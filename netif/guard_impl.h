/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guard_impl.h - the table of claims, for the files of the guard.
 */
#ifndef XTCP_GUARD_IMPL_H
#define XTCP_GUARD_IMPL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "fdpass.h"
#include "guard_nft.h"

struct ports;

struct guard {
	struct guard_nft nft;
	struct ports *addrs;         /* owned */
	unsigned count;
	pid_t pid;                   /* whose the table is */
	int broker;                  /* who makes the changes, at the other end; -1: we do */
};

/* Makes room for a claim: 0, -ENOMEM. */
int guard_make_slot(struct guard *g, uint32_t addr, uint16_t port);
/* Where there is room: enters a claim, whose socket is the guard's from then on; strikes it, and closes. */
void guard_keep(struct guard *g, uint32_t addr, uint16_t port, int fd);
void guard_drop(struct guard *g, uint32_t addr, uint16_t port);
/* This very claim: its socket, or -1. */
int guard_claim_fd(const struct guard *g, uint32_t addr, uint16_t port);

/* Is this a TCP socket that is bound to addr:port? */
bool guard_is_bound(int fd, uint32_t addr, uint16_t port);

/* A request to the broker, one datagram; with `is_add` the bound sockets go along, in the order of their ports.  The
 * answer is an int32_t, 0 or -errno. */
#define GUARD_REQUEST_PORTS FDPASS_MAX

struct guard_request {
	uint32_t addr;
	uint16_t n;
	bool is_add;
	uint16_t ports[GUARD_REQUEST_PORTS];
};

/* ---- guard_broker.c ---- */

/* guard_nft_change(), made by the broker. */
int guard_broker_change(struct guard *g, bool is_add, uint32_t addr, const uint16_t *ports, unsigned n);

#endif
