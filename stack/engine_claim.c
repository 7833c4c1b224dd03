/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_claim.c - ports of an address that we share with the kernel, and what the
 * packet socket lets through.
 *
 * The core says which port it wants; the guard takes it from the kernel; the
 * filter passes it before the SYN can leave; then the core is asked again.  A claim
 * costs system calls and a new filter, so a program that opens connections fast is
 * given more at once, ports of the parity that the core would try next.  Claims for connect() are
 * kept: the core prefers claimed ports, and one port serves many destinations.  As each is an fd, a process that
 * has many of them gets along without the oldest TIME-WAITs.  Those of ports that were
 * named by bind() or listened on end with the last socket.
 */
#include "engine_impl.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "afpacket.h"
#include "guard.h"
#include "sys.h"

#define CLAIM_BATCH_MAX 64u
#define CLAIM_SHARE 128u        /* no more than one in so many of the range at once */
#define CLAIM_FDS 4u            /* one in so many of the fds that the process may have */
#define TIMEWAITS_ENDED 64u     /* at once */
#define CLAIM_FAST XTIME_SEC    /* claims closer together than this grow the batch */
#define RETRY_EVERY XTIME_SEC   /* how often refused ports are worth asking for again */

/* Bytes like "8080,9000-9100"; what doesn't parse is left out. */
int engine_reserve_ports(struct engine *e, const char *list)
{
	unsigned long lo, hi, p;
	char *end;
	int r;

	while (*list >= '0' && *list <= '9') {
		lo = hi = strtoul(list, &end, 10);
		if (*end == '-')
			hi = strtoul(end + 1, &end, 10);
		if (lo > hi || hi > 65535)
			return -EINVAL;
		if (!e->reserved)
			e->reserved = calloc(1, sizeof(*e->reserved));
		if (!e->reserved)
			return -ENOMEM;
		for (p = lo; p <= hi; p++)
			portset_add(e->reserved, (uint16_t)p);
		r = stack_reserve_ports(e->stack, (uint16_t)lo, (uint16_t)hi);
		if (r < 0)
			return r;
		list = end + (*end == ',');
	}
	return 0;
}

/* The first of ports[] is the one that is wanted; the rest are those after it of the same
 * parity within the range, as far as the batch goes. */
static unsigned choose(struct engine *e, ip4 addr, uint16_t port, uint16_t ports[CLAIM_BATCH_MAX])
{
	const struct settings *set = stack_settings(e->stack);
	uint32_t p = port, lo = (uint32_t)set->ip_local_port_min, hi = (uint32_t)set->ip_local_port_max;
	unsigned n = 0;

	ports[n++] = port;
	if (p < lo || p > hi)
		return n;
	for (p += 2; n < e->claim_batch && p <= hi; p += 2) {
		if (e->reserved && portset_has(e->reserved, (uint16_t)p))
			continue;
		if (!guard_has(e->guard, addr, (uint16_t)p))
			ports[n++] = (uint16_t)p;
	}
	return n;
}

/* A scarce range isn't claimed ahead, the kernel's programs need ports of it too; nor is it where there are many claims. */
static void grow_batch(struct engine *e)
{
	const struct settings *set = stack_settings(e->stack);
	unsigned range = (unsigned)(set->ip_local_port_max - set->ip_local_port_min);
	unsigned most = MIN(MAX(range / CLAIM_SHARE, 1u), CLAIM_BATCH_MAX);
	bool is_fast = e->claimed_at && e->now - e->claimed_at < CLAIM_FAST;

	e->claim_batch = is_fast && guard_count(e->guard) < e->claims_max ? MIN(2 * e->claim_batch, most) : 1;
	e->claimed_at = e->now;
}

/* Refusals that mean "this port is taken"; anything else will be so for every port. */
static bool is_taken(int err)
{
	return err == -EADDRINUSE || err == -EACCES;
}

/* A claim is an fd, and the usual limit of 1024 was meant for programs, not for one fd a
 * connection that its kernel would not have needed.  The fds of claims may go above the
 * limit, and do where it is low; a program that asks still sees its own. */
static int claim_many(struct engine *e, ip4 addr, const uint16_t *ports, unsigned n, bool *granted)
{
	struct rlimit old;
	bool has_room;
	int r = highfd_is_scarce() ? -EMFILE : guard_claim_many(e->guard, addr, ports, n, granted);

	if (r != -EMFILE)
		return r;
	has_room = highfd_begin(&old);
	r = guard_claim_many(e->guard, addr, ports, n, granted);
	if (has_room)
		highfd_end(&old);
	return r;
}

/* One on every address, or on one that has a claim of its own. */
static void unclaim(struct engine *e, ip4 addr, uint16_t port)
{
	unsigned i;

	if (stack_is_held(e->stack, addr, port) || !guard_has(e->guard, addr, port) ||
	    (addr && guard_has(e->guard, 0, port)))
		return;
	guard_release(e->guard, addr, port);
	stack_unclaimed(e->stack, addr, port);
	for (i = 0; !addr && i < e->nshared; i++)
		if (guard_has(e->guard, e->shared[i].addr, port))
			stack_claimed(e->stack, e->shared[i].addr, port, true);
	for (i = 0; !addr && i < e->nlo_addr; i++)
		if (guard_has(e->guard, e->lo_addrs[i], port))
			stack_claimed(e->stack, e->lo_addrs[i], port, true);
	e->is_filter_stale = true;
}

/* Those on single addresses. */
static void unclaim_single(struct engine *e, uint16_t port)
{
	unsigned i;

	for (i = 0; i < e->nshared; i++)
		unclaim(e, e->shared[i].addr, port);
	for (i = 0; i < e->nlo_addr; i++)
		unclaim(e, e->lo_addrs[i], port);
}

static void claim_sharing(struct engine *e, ip4 addr, uint16_t port)
{
	bool joins = !engine_share_join(e, port) && !engine_share_is_alone(e, port);

	if (guard_claim_sharing(e->guard, addr, port, joins ? (int)engine_share_listeners(e, port) : -1))
		engine_share_leave(e, port);
}

static int claim(struct engine *e, ip4 addr, uint16_t port, unsigned how)
{
	uint16_t ports[CLAIM_BATCH_MAX];
	bool granted[CLAIM_BATCH_MAX] = { false };
	unsigned i, n;
	int r;

	if (!e->guard)
		return e->own_fd < 0 ? -EADDRNOTAVAIL : engine_own_claim(e, addr, port, how);
	if (!addr)
		unclaim_single(e, port);   /* what was kept would be in its own way */
	grow_batch(e);
	n = choose(e, addr, port, ports);
	if (how & CLAIM_SHARING)
		claim_sharing(e, addr, port);   /* then it is claimed already */
	r = claim_many(e, addr, ports, n, granted);
	if (!granted[0] && how & CLAIM_REUSING)
		granted[0] = !guard_claim_reusing(e->guard, addr, port, how & CLAIM_SHARING);
	if (r < 0 && !is_taken(r)) {
		engine_log(e, LOG_ERR, "cannot take port %u from the kernel: %s", port, strerror(-r));
		return r;
	}
	e->is_filter_stale = true;
	r = engine_filter_sync(e);
	for (i = 0; i < n; i++) {
		e->was_refused |= !granted[i];
		stack_claimed(e->stack, addr, ports[i], granted[i] && !r);
	}
	return r;
}

int engine_claim_adopt(struct engine *e, ip4 addr, uint16_t port, int fd)
{
	int r = guard_adopt(e->guard, &addr, port, fd);

	if (r)
		return r;
	e->is_filter_stale = true;
	r = engine_filter_sync(e);
	stack_claimed(e->stack, addr, port, !r);
	return r;
}

unsigned engine_claims_max(void)
{
	struct rlimit rl;

	return sys_prlimit(RLIMIT_NOFILE, NULL, &rl) < 0 ? UINT_MAX : (unsigned)MIN(rl.rlim_max / CLAIM_FDS, UINT_MAX);
}

/* Beyond claims_max: how many TIME-WAITs have made room. */
static unsigned make_room(struct engine *e)
{
	unsigned n;

	if (!e->guard || guard_count(e->guard) < e->claims_max)
		return 0;
	n = stack_end_timewaits(e->stack, TIMEWAITS_ENDED);
	engine_unclaim_idle(e);
	return n;
}

int engine_claim(struct engine *e, ip4 addr, uint16_t port, unsigned how)
{
	make_room(e);
	return claim(e, addr, port, how);
}

int engine_claim_to_connect(struct engine *e, ip4 addr, uint16_t port, bool *has_room)
{
	if (!*has_room && make_room(e)) {
		*has_room = true;
		return 0;
	}
	return claim(e, addr, port, CLAIM_ALONE);
}

bool engine_claim_retry(struct engine *e)
{
	if (!e->was_refused || e->now - e->retried_at < RETRY_EVERY)
		return false;
	e->was_refused = false;
	e->retried_at = e->now;
	stack_retry_refused(e->stack);
	return true;
}

/* As in Linux a port is free once no listener, connection or TIME-WAIT remainder has it.  What connect()
 * has chosen is kept, for the next one. */
void engine_unclaim_idle(struct engine *e)
{
	bool has_some = false;
	uint16_t port;

	for (; (port = stack_next_idle(e->stack)); has_some = true) {
		engine_share_leave(e, port);
		if (e->guard) {
			unclaim(e, 0, port);
			unclaim_single(e, port);
		} else if (e->own_fd >= 0) {
			engine_own_unclaim(e, port);
		}
	}
	if (has_some)
		engine_filter_sync(e);
}

/* ---- the broker ---- */

bool engine_needs_broker(const struct engine *e)
{
	return e->guard && !guard_is_delegated(e->guard);
}

int engine_broker_pair(int ends[2])
{
	return guard_broker_pair(ends);
}

void engine_broker_use(struct engine *e, int end)
{
	guard_delegate(e->guard, end);
}

void engine_broker_serve(struct engine *e, int end)
{
	guard_serve(e->guard, end);
}

unsigned engine_broker_fds(const struct engine *e, int *fds, unsigned n)
{
	return guard_fds(e->guard, fds, n);
}

/* ---- the filter ---- */

static int filter_shared(struct engine *e)
{
	struct afpacket_filter f = { 0 };
	struct afpacket_addr *addrs;
	uint16_t *ports, *p;
	unsigned i, left = guard_count(e->guard);
	int r;

	addrs = calloc(e->nshared + 1, sizeof(*addrs));
	ports = malloc((left + 1) * sizeof(*ports));
	if (!addrs || !ports) {
		free(addrs);
		free(ports);
		return -ENOMEM;
	}
	for (i = 0, p = ports; i <= e->nshared; i++) {
		/* The last one, address 0: ports claimed on every address. */
		addrs[i].addr = i < e->nshared ? e->shared[i].addr : 0;
		addrs[i].ports = p;
		addrs[i].nport = guard_ports(e->guard, addrs[i].addr, p, left);
		p += addrs[i].nport;
		left -= (unsigned)addrs[i].nport;
	}
	f.addrs = addrs;
	f.naddr = e->nshared + (addrs[e->nshared].nport ? 1 : 0);
	r = afpacket_set_filter(e->base, &f);
	free(addrs);
	free(ports);
	return r;
}

static int filter_own(struct engine *e)
{
	struct afpacket_addr addrs[ENGINE_ADDRS_MAX] = { 0 };
	struct afpacket_filter f = { .addrs = addrs, .naddr = e->cfg.naddr, .mac = e->cfg.mac };
	unsigned i;

	for (i = 0; i < e->cfg.naddr; i++) {
		addrs[i].addr = e->cfg.addrs[i].addr;
		addrs[i].is_own = true;
	}
	return afpacket_set_filter(e->base, &f);
}

int engine_filter_sync(struct engine *e)
{
	int r;

	if (!e->is_filter_stale || !e->host)
		return 0;
	r = e->guard ? filter_shared(e) : filter_own(e);
	if (r < 0)
		engine_log(e, LOG_ERR, "cannot set the packet filter: %s", strerror(-r));
	else
		e->is_filter_stale = false;
	return r;
}
