/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_life.c - fork, exit and what is told of an engine.
 *
 * fork(): the parent forks with the lock held, so the child finds the engine whole.
 * The child then either lets go of it (every fd closed, nothing sent, nothing told
 * to the kernel about objects that it shares with the parent) or, as the keeper
 * of a process that ends, drives it alone, without a loop thread, until what its
 * program left behind is delivered.
 */
#include "engine_impl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "afpacket.h"
#include "guard.h"
#include "host.h"
#include "lateclose.h"
#include "pcap.h"
#include "sys.h"

/* A keeper gives up when it has heard nothing for longer than the core's own limits on
 * orphans take, and in any case after an hour. */
#define KEEPER_SILENCE (150 * XTIME_SEC)
#define KEEPER_MAX (3600 * XTIME_SEC)
/* On a local network the last ACKs come sooner than a keeper could be forked. */
#define END_GRACE XTIME_MSEC
/* How long threads may take to leave. */
#define QUIESCE_PAUSE 1000000L
#define QUIESCE_TRIES 1000

/* The private libev's own, where it is linked (evio.c). */
__attribute__((weak)) unsigned xtcp_ev_fds(int *fds, unsigned n);

/* ---- fds ---- */

struct fdlist {
	int *v;
	unsigned n, cap;
};

static void push(struct fdlist *l, int fd)
{
	if (fd >= 0 && l->n < l->cap)
		l->v[l->n++] = fd;
}

/* Those that are open files of their own, known to nobody but the fd's holder. */
static void push_shared(struct fdlist *l, const struct engine *e)
{
	push(l, netif_fd(e->base));
	if (e->nif != e->base)
		push(l, pcap_netif_file(e->nif));
	if (e->guard)
		l->n += MIN(guard_fds(e->guard, l->v + l->n, l->cap - l->n), l->cap - l->n);
}

unsigned engine_fds(const struct engine *ce, int *fds, unsigned n)
{
	struct engine *e = (struct engine *)(uintptr_t)ce;
	struct fdlist l = { fds, 0, n };

	engine_enter(e);
	push(&l, e->pkt_ep);
	push(&l, e->tfd);
	push(&l, e->own_fd);
	push(&l, e->hairpin);
	if (e->host)
		push(&l, host_fd(e->host));
	push(&l, engine_control_fd(e));
	if (xtcp_ev_fds)
		l.n += MIN(xtcp_ev_fds(fds + l.n, n - l.n), n - l.n);
	l.n += engine_thread_fds(e, fds + l.n, n - l.n);
	l.n += engine_bridge_fds(e, fds + l.n, n - l.n);
	l.n += engine_local_fds(e, fds + l.n, n - l.n);
	l.n += MIN(engine_share_fds(e, fds + l.n, n - l.n), n - l.n);
	push_shared(&l, e);
	engine_exit(e);
	return l.n;
}

/* ---- fork ---- */

void engine_fork_prepare(struct engine *e)
{
	engine_enter(e);
	engine_locals_sign(e);
}

void engine_fork_done(struct engine *e)
{
	engine_exit(e);
}

/* Closes without a word what the parent goes on using; the memory of netif and guard stays,
 * because their own closing says more than close(). */
static void close_shared(struct engine *e)
{
	struct fdlist l = { NULL, 0, 8 };
	unsigned i;

	if (e->guard)
		l.cap += guard_fds(e->guard, NULL, 0);
	l.v = malloc(l.cap * sizeof(*l.v));
	if (!l.v)
		return;
	push_shared(&l, e);
	for (i = 0; i < l.n; i++)
		raw_close(l.v[i]);
	free(l.v);
}

void engine_forget(struct engine *e)
{
	int err = e->saved_errno, cancel = e->saved_cancel;

	engine_threads_forget(e);
	close_shared(e);
	engine_loop_forget(e);
	engine_bridges_forget(e);
	engine_locals_forget(e);
	engine_share_forget(e);
	engine_slots_free(e);
	stack_free(e->stack);
	raw_close(e->pkt_ep);
	raw_close(e->tfd);
	if (e->own_fd >= 0)
		raw_close(e->own_fd);
	if (e->hairpin >= 0)
		raw_close(e->hairpin);
	engine_drop_held(e);
	engine_loopback_close(e);
	engine_control_forget(e);
	e->guard = NULL;
	engine_host_close(e);
	free(e->reserved);
	free(e->tx);
	free(e);
	pthread_setcancelstate(cancel, NULL);
	errno = err;
}

/* ---- exit ---- */

static void close_all(struct engine *e)
{
	struct slot *slot;
	uint32_t i;

	for (i = 0; i < e->slots.cap; i++) {
		slot = e->slots.v[i];
		if (slot->conn && !slot->bridge)
			engine_slot_release(e, slot);
	}
}

/* One sleep and one turn with the lock held all along. */
static void drive_alone(struct engine *e, xtime until)
{
	struct pollfd fds[3] = {
		{ .fd = netif_fd(e->nif), .events = POLLIN },
		{ .fd = e->host ? host_fd(e->host) : -1, .events = POLLIN },
		{ .fd = e->bridge_ep, .events = POLLIN },
	};
	xtime left = xtime_min(until, engine_deadline(e)) - e->now;
	struct timespec ts;

	left = MAX(left, 0);
	ts.tv_sec = left / XTIME_SEC;
	ts.tv_nsec = left % XTIME_SEC;
	sys_ppoll(fds, 3, &ts, NULL);
	e->now = engine_now();
	if (fds[0].revents)
		engine_receive(e, ENGINE_RX_ROUNDS);
	if (fds[1].revents)
		engine_host_changed(e);
	if (fds[2].revents)
		engine_bridge_turn(e);
	engine_expire(e);
	engine_settle(e);
}

/* Is there something that must go on without its program? */
static bool has_rest(const struct engine *e)
{
	return stack_orphans(e->stack) || e->held || e->nbridge;
}

/* What the kernel takes down slowly mustn't keep the process from ending.  One that has sent nothing may by now be
 * confined to few system calls (seccomp), as sshd's before authentication. */
static void leave_wire(struct engine *e)
{
	if (!stack_counters(e->stack)[CTR_TcpOutSegs])
		return;
	if (e->guard)
		guard_end(e->guard);
	if (e->hairpin >= 0)
		lateclose_hollow(e->hairpin);
	lateclose_hollow(netif_fd(e->nif));
}

bool engine_quiesce(struct engine *e)
{
	const struct timespec pause = { 0, QUIESCE_PAUSE };
	unsigned i, n = 1;

	for (i = 0; n && i < QUIESCE_TRIES; i++) {
		if (i)
			raw_syscall(SYS_nanosleep, &pause, NULL);
		engine_enter(e);
		n = e->nwait;
		engine_leave(e);
	}
	if (n)
		return false;
	engine_loop_stop(e);
	engine_enter(e);
	engine_threads_leave(e);
	engine_exit(e);
	return true;
}

/* Nobody else drives from here on when something is left: the lock is kept, so that the
 * child finds everything whole and takes over every frame. */
bool engine_end(struct engine *e)
{
	xtime until;

	engine_enter(e);
	close_all(e);
	engine_settle(e);
	until = e->now + END_GRACE;
	while (has_rest(e) && e->now < until)
		drive_alone(e, until);
	if (has_rest(e))
		return true;
	leave_wire(e);
	engine_leave(e);
	return false;
}

/* While others have bridged sockets there is no limit: their ends say when they are done. */
void engine_carry_on(struct engine *e)
{
	xtime end = e->now + KEEPER_MAX, heard = e->now, until;
	uint64_t in = 0;

	if (e->pid != getpid()) {
		engine_loop_forget(e);
		engine_control_forget(e);
	}
	engine_listener_hurry(e);
	while (has_rest(e)) {
		if (stack_counters(e->stack)[CTR_TcpInSegs] != in)
			heard = e->now;
		in = stack_counters(e->stack)[CTR_TcpInSegs];
		if (e->nbridge) {
			heard = e->now;
			end = e->now + KEEPER_MAX;
		}
		until = xtime_min(end, heard + KEEPER_SILENCE);
		if (e->now >= until)
			return;
		drive_alone(e, until);
	}
}

/* ---- report ---- */

struct text {
	char *buf;
	size_t len, n;
};

static void say(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->n < t->len ? t->buf + t->n : NULL, t->n < t->len ? t->len - t->n : 0, fmt, ap);
	va_end(ap);
	t->n += n > 0 ? (size_t)n : 0;
}

static void say_addr(struct text *t, ip4 a)
{
	say(t, "%u.%u.%u.%u", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
}

static void describe(struct engine *e, struct text *t)
{
	unsigned i, n = e->cfg.naddr ? e->cfg.naddr : e->nshared;

	say(t, "%s", e->nif->info.name);
	for (i = 0; i < n; i++) {
		say(t, ", ");
		say_addr(t, e->cfg.naddr ? e->cfg.addrs[i].addr : e->shared[i].addr);
	}
	say(t, " (%s), mtu %u", e->cfg.naddr ? "own" : "shared", e->nif->info.mtu);
	if (e->nif->info.has_vnet)
		say(t, ", super-frames of %u", e->nif->info.gso_max);
	if (e->lo >= 0)
		say(t, ", and loopback");
}

int engine_describe(struct engine *e, char *buf, size_t len)
{
	struct text t = { buf, len, 0 };

	engine_enter(e);
	describe(e, &t);
	engine_exit(e);
	return (int)t.n;
}

#define COUNT(id) ((unsigned long long)c[CTR_##id])

int engine_stats_locked(struct engine *e, char *buf, size_t len)
{
	struct text t = { buf, len, 0 };
	const uint64_t *c;
	unsigned i;

	c = stack_counters(e->stack);
	say(&t, "interface    ");
	describe(e, &t);
	say(&t, "\nconnections  %llu opened, %llu accepted, %llu failed, %llu reset, %u sockets now\n",
	    COUNT(TcpActiveOpens), COUNT(TcpPassiveOpens), COUNT(TcpAttemptFails),
	    COUNT(TcpEstabResets), e->slots.n);
	say(&t, "segments     %llu in, %llu out, %llu sent again, %llu timeouts\n", COUNT(TcpInSegs),
	    COUNT(TcpOutSegs), COUNT(TcpRetransSegs), COUNT(TcpExtTCPTimeouts));
	say(&t, "bytes        %llu in, %llu out\n", COUNT(bytes_in), COUNT(bytes_out));
	say(&t, "frames       %llu in, %llu out", COUNT(frames_in), COUNT(frames_out));
	if (e->lo >= 0)
		say(&t, ", %llu inside", COUNT(frames_inside));
	say(&t, "\n");
	if (e->guard)
		say(&t, "claims       %u ports\n", guard_count(e->guard));
	if (e->host)
		e->rx_lost += afpacket_take_drops(e->base);
	if (e->rx_lost)
		say(&t, "%-12llu frames lost because the packet socket was full\n",
		    (unsigned long long)e->rx_lost);
	for (i = 1; i < CTR_COUNT; i++)
		if (c[i] && counter_info[i].severity != CTR_STAT)
			say(&t, "%-12llu %s\n", (unsigned long long)c[i], counter_info[i].sentence);
	return (int)t.n;
}

int engine_stats(struct engine *e, char *buf, size_t len)
{
	int n;

	engine_enter(e);
	n = engine_stats_locked(e, buf, len);
	engine_exit(e);
	return n;
}
