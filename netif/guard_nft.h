/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guard_nft.h - the guard's nftables table: TCP to a claimed address and port is
 * dropped where it enters the device.
 */
#ifndef XTCP_GUARD_NFT_H
#define XTCP_GUARD_NFT_H

#include <stdbool.h>
#include <stdint.h>

#include "nl.h"

/* Elements in one transaction. */
#define GUARD_NFT_BATCH 1024

struct guard_nft {
	struct nl nl;            /* the table's owner: it goes when this socket is closed */
	char table[40];
	bool has_any;            /* the rule for ports of every address is there */
};

/* 0 or -errno: -EPERM without CAP_NET_ADMIN; -EOPNOTSUPP, -ENOENT, -EINVAL, -EAFNOSUPPORT,
 * -EPROTONOSUPPORT: a kernel without nftables, its netdev family or table owners (5.12). */
int guard_nft_open(struct guard_nft *t, const char *ifname);
/* Removes the table at once, even if a forked child still holds the socket. */
void guard_nft_close(struct guard_nft *t);
/* The same for a process that ends: only its memory stays. */
void guard_nft_end(struct guard_nft *t);
/* Lets go of it without removing it: for the forked child. */
void guard_nft_forget(struct guard_nft *t);

/* Adds or removes n elements (GUARD_NFT_BATCH at most) in one transaction: all or none.
 * addr 0: every address of the host. */
int guard_nft_change(struct guard_nft *t, bool is_add, uint32_t addr, const uint16_t *ports,
                     unsigned n);

#endif
