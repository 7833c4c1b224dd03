/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_share.c - processes that serve one port side by side, by SO_REUSEPORT, or that have it beside each other
 * by SO_REUSEADDR (engine_port.c).
 *
 * Each sees every frame.  Who answers a SYN is agreed on in shared memory (share.h):
 * a SYN that is another's is left alone before the stack sees it.  And what the stack
 * knows nothing of may be another's connection: as long as others are there it is not
 * reset (stack_set_quiet()).
 */
#include "engine_impl.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>

#include "ip.h"
#include "share.h"
#include "sys.h"
#include "wire_tcp.h"

#define REFRESH_EVERY XTIME_MSEC
#define ADMIT_TIME (3 * XTIME_SEC)      /* for whom we let in to join us */
#define SETTLE_NS 2000000L       /* what a process that joins leaves the others to notice */

#define SHARE_ADDRS 9            /* any, and as many as share.h keeps */

struct share_group {
	struct share_group *next;
	uint16_t port;
	ip4 addrs[SHARE_ADDRS];  /* listened on at some time, 0: any */
	unsigned naddr;
	struct share *share;     /* owned */
	unsigned listeners;      /* of the kernel, that we have for this port */
	xtime alone_from;        /* not before then, though no other member is to be seen yet */
	bool is_passing;         /* it ends when we are alone: no socket of it has SO_REUSEPORT */
	bool is_alone;
};

static void settle(void)
{
	const struct timespec t = { 0, SETTLE_NS };

	raw_syscall(SYS_nanosleep, &t, NULL);
}

/* ---- who else is there ---- */

static void end_group(struct engine *e, struct share_group **at)
{
	struct share_group *g = *at;

	*at = g->next;
	stack_set_quiet(e->stack, g->port, false);
	share_close(g->share);
	free(g);
}

static bool is_alone(const struct engine *e, const struct share_group *g)
{
	return share_is_alone(g->share) && e->now >= g->alone_from;
}

static void refresh(struct engine *e)
{
	struct share_group **p = &e->groups, *g;

	if (e->now - e->shares_seen < REFRESH_EVERY)
		return;
	e->shares_seen = e->now;
	while ((g = *p)) {
		g->is_alone = is_alone(e, g);
		stack_set_quiet(e->stack, g->port, !g->is_alone);
		if (g->is_alone && g->is_passing)
			end_group(e, p);
		else
			p = &g->next;
	}
}

/* ---- frames ---- */

/* The tuple of a SYN that asks for a connection; false: the frame is none. */
static bool parse_syn(const struct engine *e, const struct frame_in *f, struct tuple *t)
{
	size_t off = e->nif->info.link == NETIF_ETHER ? ETH_LEN : 0;
	const uint8_t *p = f->data + off;
	size_t hdr_len;

	if (f->len < off + IP_LEN_MIN + TCP_LEN_MIN || p[0] >> 4 != 4 || p[9] != PROTO_TCP ||
	    (off && get_be16(f->data + 12) != ETHTYPE_IPV4) || get_be16(p + 6) & 0x1fff)
		return false;
	hdr_len = (size_t)(p[0] & 15) * 4;
	if (hdr_len < IP_LEN_MIN || f->len < off + hdr_len + TCP_LEN_MIN)
		return false;
	t->raddr = get_be32(p + 12);
	t->laddr = get_be32(p + 16);
	p += hdr_len;
	t->rport = get_be16(p);
	t->lport = get_be16(p + 2);
	return (p[13] & (TCPF_SYN | TCPF_ACK | TCPF_RST)) == TCPF_SYN;
}

static struct share_group *group_of(struct engine *e, uint16_t port)
{
	struct share_group *g = e->groups;

	while (g && g->port != port)
		g = g->next;
	return g;
}

bool engine_share_passes(struct engine *e, const struct frame_in *f)
{
	struct share_group *g;
	struct tuple t;
	bool is_known;

	refresh(e);
	if (!parse_syn(e, f, &t))
		return true;
	g = group_of(e, t.lport);
	if (!g || g->is_alone)
		return true;
	/* A TIME-WAIT is no reason to keep a client from who listens now. */
	is_known = stack_knows(e->stack, &t) &&
		   (!stack_has_timewait(e->stack, &t) || stack_answers(e->stack, t.laddr, t.lport));
	if (share_takes(g->share,
	                share_hash(g->share, (uint64_t)t.laddr << 32 | t.raddr, (uint64_t)t.lport << 16 | t.rport),
	                t.laddr, is_known))
		return true;
	stack_forget_timewait(e->stack, &t);
	return false;
}

/* ---- groups ---- */

bool engine_share_is_alone(struct engine *e, uint16_t port)
{
	struct share_group *g = group_of(e, port);

	return !g || is_alone(e, g);
}

unsigned engine_share_listeners(struct engine *e, uint16_t port)
{
	struct share_group *g = group_of(e, port);

	return g ? share_listeners(g->share) : 0;
}

void engine_share_count_listener(struct engine *e, uint16_t port, int by)
{
	struct share_group *g = group_of(e, port);

	if (!g)
		return;
	g->listeners += (unsigned)by;
	share_set_listeners(g->share, g->listeners);
}

static int join(struct engine *e, uint16_t port)
{
	struct share_group *g;
	int r;

	g = calloc(1, sizeof(*g));
	if (!g)
		return -ENOMEM;
	g->port = port;
	r = share_open(&g->share, port);
	if (r) {
		engine_log(e, LOG_ERR, "cannot share port %u with other processes: %s", port, strerror(-r));
		free(g);
		return r == -ENOSPC || r == -EBUSY || r == -EPERM || r == -EACCES ? -EADDRINUSE : r;
	}
	g->next = e->groups;
	e->groups = g;
	return 0;
}

int engine_share_join(struct engine *e, uint16_t port)
{
	struct share_group *g = group_of(e, port);

	if (!g)
		return join(e, port);
	g->is_passing = false;
	return 0;
}

static int note_addr(struct share_group *g, ip4 addr)
{
	unsigned i;

	for (i = 0; i < g->naddr; i++)
		if (g->addrs[i] == addr)
			return 0;
	if (g->naddr == SHARE_ADDRS)
		return -EADDRINUSE;
	g->addrs[g->naddr++] = addr;
	return 0;
}

/* Those that listen already take what they took. */
static int note_listeners(struct engine *e, struct share_group *g)
{
	uint16_t port;
	uint32_t i;
	ip4 addr;
	int r = 0;

	for (i = 0; i < e->slots.cap && !r; i++) {
		if (!e->slots.v[i]->conn || tcp_state(e->slots.v[i]->conn) != TCP_LISTEN)
			continue;
		tcp_sockname(e->slots.v[i]->conn, &addr, &port);
		if (port == g->port)
			r = note_addr(g, addr) || share_set_taking(g->share, addr, true) ? -EADDRINUSE : 0;
	}
	return r;
}

int engine_share_admit(struct engine *e, uint16_t port)
{
	struct share_group *g = group_of(e, port);
	int r = g ? 0 : join(e, port);

	if (r)
		return r;
	if (!g) {
		g = group_of(e, port);
		g->is_passing = true;
		r = note_listeners(e, g);
	}
	g->is_alone = false;
	g->alone_from = e->now + ADMIT_TIME;
	return r ? r : stack_set_quiet(e->stack, port, true);
}

bool engine_share_has(struct engine *e, uint16_t port)
{
	return group_of(e, port) != NULL;
}

int engine_share_listen(struct engine *e, ip4 addr, uint16_t port)
{
	struct share_group *g = group_of(e, port);
	int r = g ? 0 : join(e, port);

	if (r)
		return r;
	g = group_of(e, port);
	r = note_addr(g, addr);
	if (r)
		return r;
	e->shares_seen = 0;
	refresh(e);
	if (!g->is_alone)
		settle();
	return share_set_taking(g->share, addr, true) ? -EADDRINUSE : 0;
}

/* Sockets may have stopped to listen. */
void engine_share_update(struct engine *e)
{
	struct share_group *g;
	unsigned i;

	for (g = e->groups; g; g = g->next)
		for (i = 0; i < g->naddr; i++)
			share_set_taking(g->share, g->addrs[i], stack_listens(e->stack, g->addrs[i], g->port));
}

void engine_share_leave(struct engine *e, uint16_t port)
{
	struct share_group **p = &e->groups, *g;

	while ((g = *p)) {
		if (g->port != port || stack_is_held(e->stack, 0, port)) {
			p = &g->next;
			continue;
		}
		end_group(e, p);
	}
}

/* ---- the end ---- */

static void leave(struct engine *e, void (*how)(struct share *))
{
	struct share_group *g;

	while ((g = e->groups)) {
		e->groups = g->next;
		how(g->share);
		free(g);
	}
}

void engine_share_close(struct engine *e)
{
	leave(e, share_close);
}

void engine_share_forget(struct engine *e)
{
	leave(e, share_forget);
}

unsigned engine_share_fds(const struct engine *e, int *fds, unsigned n)
{
	const struct share_group *g;
	unsigned k = 0;

	for (g = e->groups; g; g = g->next)
		if (k++ < n)
			fds[k - 1] = share_fd(g->share);
	return k;
}
