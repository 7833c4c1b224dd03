/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * iface.c - see iface.h.
 */
#include "iface.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "eng.h"
#include "init.h"
#include "rawcall.h"
#include "signal.h"
#include "user.h"

/* The prefix that is ours on the interface; NULL: the address is shared, or it is another interface. */
static const struct engine_prefix *find_own(const char *name)
{
	const struct engine_config *cfg = init_engine_config();
	struct engine *e = atomic_load(&eng_current);
	size_t len = strnlen(name, IFNAMSIZ);
	char text[128] = "";

	if (!e || !cfg->naddr)
		return NULL;
	signal_hold();
	engine_describe(e, text, sizeof(text));         /* "eth0, ..." */
	signal_release();
	return !strncmp(text, name, len) && text[len] == ',' ? &cfg->addrs[0] : NULL;
}

static void put(struct sockaddr *to, ip4 addr)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(addr) };

	memcpy(to, &a, sizeof(a));
}

static ip4 mask_of(const struct engine_prefix *p)
{
	return p->plen ? ~(ip4)0 << (32 - p->plen) : 0;
}

/* Whether it is about an address, and then with ours in it. */
static bool answer(unsigned long cmd, struct ifreq *r)
{
	const struct engine_prefix *own;

	if (cmd != SIOCGIFADDR && cmd != SIOCGIFNETMASK && cmd != SIOCGIFBRDADDR)
		return false;
	own = find_own(r->ifr_name);
	if (!own)
		return false;
	put(&r->ifr_addr, cmd == SIOCGIFADDR ? own->addr : cmd == SIOCGIFNETMASK ? mask_of(own) : own->addr | ~mask_of(own));
	return true;
}

/* The list of all that have an address. */
static void correct_list(const struct ifconf *c)
{
	const struct engine_prefix *own;
	int i, n = c->ifc_len / (int)sizeof(struct ifreq);

	for (i = 0; c->ifc_req && i < n; i++) {
		own = find_own(c->ifc_req[i].ifr_name);
		if (own)
			put(&c->ifc_req[i].ifr_addr, own->addr);
	}
}

int iface_ioctl(int family, unsigned long cmd, void *arg)
{
	int fd, r;

	if (family == AF_INET && cmd != SIOCGIFCONF && user_can_write(arg, sizeof(struct ifreq)) && answer(cmd, arg))
		return 0;
	fd = raw_socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	r = raw_ioctl(fd, cmd, arg);
	raw_close(fd);
	if (!r && cmd == SIOCGIFCONF)
		correct_list(arg);
	return r;
}
