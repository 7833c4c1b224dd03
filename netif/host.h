/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * host.h - what the kernel knows of the network, by rtnetlink: interfaces,
 * addresses, routes, neighbours; once as a dump, then as changes.
 */
#ifndef XTCP_HOST_H
#define XTCP_HOST_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct host;

/* Addresses are in host byte order. */
struct host_addr {
	int ifindex;
	uint32_t addr;
	uint8_t plen;
	bool is_secondary;
	uint8_t scope;        /* RT_SCOPE_* */
};

struct host_route {
	int ifindex;          /* RTA_OIF */
	uint32_t dst;
	uint8_t plen;
	uint8_t type;         /* RTN_* */
	uint8_t tos;
	uint8_t table;        /* RT_TABLE_MAIN or RT_TABLE_LOCAL */
	uint32_t gateway, prefsrc, metric;
	uint32_t mtu, advmss, initcwnd, initrwnd, rto_min_ms, window;   /* RTAX_*, 0 when absent */
	bool mtu_locked, quickack;
};

struct host_neigh {
	int ifindex;
	uint32_t addr;
	uint8_t mac[6];
	uint16_t state;       /* NUD_* */
	bool has_mac;
};

struct host_link {
	int ifindex;
	char name[IF_NAMESIZE];
	unsigned flags;       /* IFF_* */
	uint16_t type;        /* ARPHRD_* */
	uint8_t mac[6];
	unsigned mtu, gso_max;
};

/* Told of each object of a dump and of each change; is_del: it is gone.  Any may be NULL. */
struct host_ops {
	void (*link)(void *ctx, const struct host_link *, bool is_del);
	void (*addr)(void *ctx, const struct host_addr *, bool is_del);
	void (*route)(void *ctx, const struct host_route *, bool is_del);
	void (*neigh)(void *ctx, const struct host_neigh *, bool is_del);
	/* Messages were lost (ENOBUFS): the caller should dump again. */
	void (*overrun)(void *ctx);
};

/* Subscribes to changes: 0 or -errno.  Needs no privilege. */
int host_open(struct host **h, const struct host_ops *ops, void *ctx);
void host_close(struct host *h);
/* Readable when host_read() has changes. */
int host_fd(const struct host *h);
/* Reports every link, address, route of the main and local tables, and neighbour. */
int host_dump(struct host *h);
/* Reports what has changed since; never blocks.  0 or -errno. */
int host_read(struct host *h);

/* The interface to use: that of the default route with the lowest metric, else the only one
 * that is up and not loopback.  0 and *l; -ENODEV when there is none, -ENOTUNIQ when several
 * are up and none has a default route. */
int host_default_link(struct host_link *l);
/* By name, by index: 0 or -ENODEV. */
int host_find_link(const char *name, struct host_link *l);
int host_get_link(int ifindex, struct host_link *l);
/* The names of all, "lo, eth0", for a sentence. */
void host_link_names(char *buf, size_t len);

#endif
