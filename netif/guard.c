/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guard.c - claims: a bound socket and an element for each.
 *
 * Order is what makes a claim safe.  The socket is bound first: from then on no
 * program gets the port, and none has it, so that dropping its segments hurts nobody.
 * The element comes second, and goes first on release.  When the process dies the kernel
 * closes fds in the order of their numbers: the table's socket was made first.
 *
 * The sockets are bound without SO_REUSEADDR: that keeps everybody out, whatever
 * options they set, but can't be had while the kernel holds the port in TIME-WAIT.  A
 * program that set SO_REUSEADDR gets it then, too: by a socket that gives the option up once
 * it is bound, if nobody else was there.
 *
 * An address has a table of its ports in two levels, so that they come out sorted.
 */
#define _GNU_SOURCE 1
#include "guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guard_impl.h"
#include "highfd.h"
#include "portdiag.h"
#include "rawcall.h"

#define PAGE 256

/* The claims of one address; fds are stored plus one, 0 is no claim. */
struct ports {
	struct ports *next;
	uint32_t addr;
	unsigned count;
	int *page[65536 / PAGE];     /* PAGE fds each, NULL: no claim; owned */
};

/* ---- the table of claims ---- */

static struct ports *find_addr(const struct guard *g, uint32_t addr)
{
	struct ports *p = g->addrs;

	while (p && p->addr != addr)
		p = p->next;
	return p;
}

/* Where the claim's fd is kept; NULL when there is no room made for it. */
static int *slot(const struct guard *g, uint32_t addr, uint16_t port)
{
	struct ports *p = find_addr(g, addr);

	return p && p->page[port / PAGE] ? &p->page[port / PAGE][port % PAGE] : NULL;
}

int guard_make_slot(struct guard *g, uint32_t addr, uint16_t port)
{
	struct ports *p = find_addr(g, addr);

	if (!p) {
		p = calloc(1, sizeof(*p));
		if (!p)
			return -ENOMEM;
		p->addr = addr;
		p->next = g->addrs;
		g->addrs = p;
	}
	if (!p->page[port / PAGE])
		p->page[port / PAGE] = calloc(PAGE, sizeof(int));
	return p->page[port / PAGE] ? 0 : -ENOMEM;
}

int guard_claim_fd(const struct guard *g, uint32_t addr, uint16_t port)
{
	const int *s = slot(g, addr, port);

	return s ? *s - 1 : -1;
}

static bool is_claimed(const struct guard *g, uint32_t addr, uint16_t port)
{
	return guard_claim_fd(g, addr, port) >= 0;
}

bool guard_has(const struct guard *g, uint32_t addr, uint16_t port)
{
	return is_claimed(g, addr, port) || (addr && is_claimed(g, 0, port));
}

void guard_keep(struct guard *g, uint32_t addr, uint16_t port, int fd)
{
	*slot(g, addr, port) = fd + 1;
	find_addr(g, addr)->count++;
	g->count++;
}

void guard_drop(struct guard *g, uint32_t addr, uint16_t port)
{
	int *s = slot(g, addr, port);

	raw_close(*s - 1);
	*s = 0;
	find_addr(g, addr)->count--;
	g->count--;
}

int guard_dup(const struct guard *g, uint32_t addr, uint16_t port)
{
	int fd = guard_claim_fd(g, addr, port);

	if (fd < 0)
		fd = guard_claim_fd(g, 0, port);
	return fd < 0 ? -ENOENT : highfd_dup(fd);
}

unsigned guard_count(const struct guard *g)
{
	return g->count;
}

unsigned guard_ports(const struct guard *g, uint32_t addr, uint16_t *ports, unsigned n)
{
	const struct ports *p = find_addr(g, addr);
	unsigned i, k = 0;

	for (i = 0; p && i < 65536 && k < p->count; i++) {
		if (!p->page[i / PAGE])
			i |= PAGE - 1;
		else if (p->page[i / PAGE][i % PAGE] && k++ < n)
			ports[k - 1] = (uint16_t)i;
	}
	return k;
}

unsigned guard_fds(const struct guard *g, int *fds, unsigned n)
{
	const struct ports *p;
	unsigned i, k = 0;

	if (k++ < n)
		fds[0] = g->nft.nl.fd;
	if (g->broker >= 0 && k++ < n)
		fds[k - 1] = g->broker;
	for (p = g->addrs; p; p = p->next) {
		for (i = 0; i < 65536; i++) {
			if (!p->page[i / PAGE])
				i |= PAGE - 1;
			else if (p->page[i / PAGE][i % PAGE] && k++ < n)
				fds[k - 1] = p->page[i / PAGE][i % PAGE] - 1;
		}
	}
	return k;
}

/* ---- claims ---- */

enum { REUSE = 1, SHARE = 2 };    /* SO_REUSEADDR, SO_REUSEPORT */

/* A socket that holds addr:port, by these options (an OR): its fd, a high one, or -errno.  There can be thousands: the
 * low numbers are the program's. */
static int hold(uint32_t addr, uint16_t port, unsigned options)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port),
	                         .sin_addr.s_addr = htonl(addr) };
	const int on = 1;
	int fd, high, err = 0;

	fd = raw_socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
	if (fd < 0)
		return fd;
	if (options & REUSE)
		err = raw_setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (!err && options & SHARE)
		err = raw_setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	if (!err)
		err = raw_bind(fd, &a, sizeof(a));
	high = err ? err : highfd_dup(fd);
	raw_close(fd);
	return high;
}

/* inet_bind_conflict() asks both sockets whether they share: from now on ours doesn't.  Kernels
 * before 6.9 remember what the first one said (tb->fastreuse), so we see if it is true. */
static int stop_sharing(int fd, uint32_t addr, uint16_t port)
{
	const int off = 0;
	int probe, err = raw_setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &off, sizeof(off));

	if (err)
		return err;
	probe = hold(addr, port, REUSE);
	if (probe < 0)
		return probe == -EADDRINUSE ? 0 : probe;
	raw_close(probe);
	return -EADDRINUSE;
}

/* The same where the kernel has addr:port in TIME-WAIT. */
static int hold_after_timewait(uint32_t addr, uint16_t port, bool is_sharing)
{
	int fd = hold(addr, port, REUSE | (is_sharing ? SHARE : 0)), r;

	if (fd < 0)
		return fd;
	r = stop_sharing(fd, addr, port);
	if (!r)
		r = portdiag_is_used(addr, port, fd, !is_sharing) ? -EADDRINUSE : 0;
	if (!r)
		return fd;
	raw_close(fd);
	return r;
}

static int change(struct guard *g, bool is_add, uint32_t addr, const uint16_t *ports, unsigned n)
{
	return g->broker < 0 ? guard_nft_change(&g->nft, is_add, addr, ports, n) :
	       guard_broker_change(g, is_add, addr, ports, n);
}

/* Binds those of the n ports that nobody claims: fresh[] are the new ones, *nfresh of them.
 * The first error other than "in use", or 0. */
static int hold_many(struct guard *g, uint32_t addr, const uint16_t *ports, unsigned n,
                     uint16_t *fresh, unsigned *nfresh)
{
	unsigned i;
	int fd, err = 0;

	*nfresh = 0;
	for (i = 0; i < n; i++) {
		if (guard_has(g, addr, ports[i]))
			continue;
		fd = ports[i] ? guard_make_slot(g, addr, ports[i]) : -EINVAL;
		if (!fd)
			fd = hold(addr, ports[i], 0);
		if (fd >= 0) {
			guard_keep(g, addr, ports[i], fd);
			fresh[(*nfresh)++] = ports[i];
		} else if (fd != -EADDRINUSE && !err) {
			err = fd;
		}
	}
	return err;
}

int guard_claim_many(struct guard *g, uint32_t addr, const uint16_t *ports, unsigned n, bool *granted)
{
	uint16_t fresh[GUARD_NFT_BATCH];
	unsigned i, nfresh, ngranted = 0;
	int why, err = 0;

	if (n > GUARD_NFT_BATCH)
		return -EINVAL;
	why = hold_many(g, addr, ports, n, fresh, &nfresh);
	if (nfresh)
		err = change(g, true, addr, fresh, nfresh);
	if (err) {
		while (nfresh)
			guard_drop(g, addr, fresh[--nfresh]);
		memset(granted, 0, n * sizeof(*granted));
		return err;
	}
	for (i = 0; i < n; i++)
		ngranted += granted[i] = guard_has(g, addr, ports[i]);
	return ngranted ? 0 : why;
}

int guard_claim(struct guard *g, uint32_t addr, uint16_t port)
{
	bool granted = false;
	int err;

	err = guard_claim_many(g, addr, &port, 1, &granted);
	if (err)
		return err;
	return granted ? 0 : -EADDRINUSE;
}

/* A port that fd holds already. */
static int claim_held(struct guard *g, uint32_t addr, uint16_t port, int fd)
{
	int err;

	guard_keep(g, addr, port, fd);
	err = change(g, true, addr, &port, 1);
	if (err)
		guard_drop(g, addr, port);
	return err;
}

bool guard_is_bound(int fd, uint32_t addr, uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_UNSPEC };
	socklen_t alen = sizeof(a), len = sizeof(int);
	int protocol = 0;

	return raw_getsockname(fd, &a, &alen) == 0 && alen == sizeof(a) && a.sin_family == AF_INET &&
	       raw_getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == 0 && protocol == IPPROTO_TCP &&
	       ntohl(a.sin_addr.s_addr) == addr && ntohs(a.sin_port) == port && port;
}

int guard_adopt(struct guard *g, uint32_t *addr, uint16_t port, int fd)
{
	int err = -EINVAL;

	if (!guard_is_bound(fd, *addr, port))
		*addr = 0;
	if (guard_is_bound(fd, *addr, port) && !is_claimed(g, *addr, port))
		err = guard_make_slot(g, *addr, port);
	if (!err)
		return claim_held(g, *addr, port, fd);
	raw_close(fd);
	return err;
}

static bool is_anybodys(uint32_t addr, uint16_t port, int fd, int listeners)
{
	return listeners < 0 ? portdiag_is_used(addr, port, fd, false) : portdiag_listeners(addr, port) > listeners;
}

int guard_claim_sharing(struct guard *g, uint32_t addr, uint16_t port, int listeners)
{
	int fd, err;

	if (guard_has(g, addr, port))
		return 0;
	err = guard_make_slot(g, addr, port);
	if (err)
		return err;
	fd = hold(addr, port, SHARE);
	if (fd < 0)
		return fd;
	if (is_anybodys(addr, port, fd, listeners)) {
		raw_close(fd);
		return -EADDRINUSE;
	}
	return claim_held(g, addr, port, fd);
}

int guard_claim_reusing(struct guard *g, uint32_t addr, uint16_t port, bool is_sharing)
{
	int fd, err = guard_claim(g, addr, port);

	if (err != -EADDRINUSE)
		return err;
	fd = hold_after_timewait(addr, port, is_sharing);
	if (fd < 0)
		return fd;
	return claim_held(g, addr, port, fd);   /* guard_claim() has made room */
}

void guard_release(struct guard *g, uint32_t addr, uint16_t port)
{
	if (!is_claimed(g, addr, port))
		return;
	/* An element that can't be removed must keep its port: nobody may get what is dropped. */
	if (!change(g, false, addr, &port, 1))
		guard_drop(g, addr, port);
}

/* ---- open and close ---- */

__attribute__((format(printf, 4, 5)))
static int explain(char *err, size_t err_len, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, err_len, fmt, ap);
	va_end(ap);
	return code;
}

int guard_open(struct guard **out, const char *ifname, char *err, size_t err_len)
{
	struct guard *g = calloc(1, sizeof(*g));
	int code;

	if (!g)
		return explain(err, err_len, -ENOMEM, "no memory for the guard of %s", ifname);
	g->pid = getpid();
	g->broker = -1;
	code = guard_nft_open(&g->nft, ifname);
	if (!code) {
		*out = g;
		return 0;
	}
	free(g);
	switch (code) {
	case -EPERM:
		return explain(err, err_len, code, "sharing the address of %s with the kernel needs "
		               "CAP_NET_ADMIN: run as root, by an xtcp-run that has the capability, "
		               "or with an address of its own (--address)", ifname);
	case -EOPNOTSUPP:
	case -EAFNOSUPPORT:
	case -EPROTONOSUPPORT:
	case -ENOENT:
	case -EINVAL:
		return explain(err, err_len, code, "sharing the address of %s with the kernel needs "
		               "nftables with netdev tables and owners (Linux 5.12), which this kernel "
		               "lacks (%s): use an address of its own (--address)", ifname,
		               strerror(-code));
	}
	return explain(err, err_len, code, "can't keep the kernel's TCP away from our ports on %s: %s",
	               ifname, strerror(-code));
}

static void free_ports(struct ports *p)
{
	unsigned i, k;

	for (i = 0; i < 65536 / PAGE; i++) {
		for (k = 0; p->page[i] && k < PAGE; k++) {
			if (p->page[i][k])
				raw_close(p->page[i][k] - 1);
		}
		free(p->page[i]);
	}
	free(p);
}

/* A forked child gives its copies of the fds back; the claims are its parent's, or the broker's. */
static bool is_own_table(const struct guard *g)
{
	return g->pid == getpid() && g->broker < 0;
}

void guard_end(struct guard *g)
{
	if (is_own_table(g))
		guard_nft_end(&g->nft);
}

void guard_close(struct guard *g)
{
	struct ports *p;

	if (!g)
		return;
	if (is_own_table(g))
		guard_nft_close(&g->nft);
	else
		guard_nft_forget(&g->nft);
	while ((p = g->addrs)) {
		g->addrs = p->next;
		free_ports(p);
	}
	if (g->broker >= 0)
		raw_close(g->broker);
	free(g);
}
