/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * share.h - what independent processes of one user agree on that serve a port side by side in one
 * network namespace: memory without a name, and locks.
 *
 * The kernel gives the locks (F_OFD_SETLK) and the memory back when a process ends, kill -9 included;
 * so they say who is alive, and to ask costs one system call.  Nobody serves and
 * nobody waits for anybody.
 *
 * In a group each member may take new connections, to any address or to some.  A flow has one owner: of
 * those who take its address before those who take any, the member with the highest keyed weight for it, so that only the share of one who leaves goes to
 * others; and because two may differ for a moment on who is there, an owner writes itself
 * into a table that all see, where the first one wins.
 */
#ifndef XTCP_SHARE_H
#define XTCP_SHARE_H

#include <stdbool.h>
#include <stdint.h>

#define SHARE_MEMBERS 64

struct share;

/* Joins the group of this port: 0, -ENOSPC when SHARE_MEMBERS are there, or another -errno. */
int share_open(struct share **s, uint16_t port);
/* Leaves.  A forked child must share_forget() instead. */
void share_close(struct share *s);
void share_forget(struct share *s);
int share_fd(const struct share *s);

/* No other member is there. */
bool share_is_alone(const struct share *s);
/* Whether this member takes new flows to addr (0: to any): 0, or -ENOSPC: it takes too many. */
int share_set_taking(struct share *s, uint32_t addr, bool on);
/* This member has so many of the kernel's listeners, for clients on its host; how many all members have. */
void share_set_listeners(struct share *s, unsigned n);
unsigned share_listeners(const struct share *s);
/* Is this flow to addr ours to answer?  hash: 64 bits that every member has the same of it
 * (share_hash()); is_known: it is among our connections already. */
bool share_takes(struct share *s, uint64_t hash, uint32_t addr, bool is_known);
uint64_t share_hash(const struct share *s, uint64_t a, uint64_t b);

#endif
