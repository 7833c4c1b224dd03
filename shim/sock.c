/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sock.c - allocates, counts and frees sockets and what hangs on them.
 */
#include "sock.h"

#include <errno.h>
#include <string.h>

#include "call.h"
#include "log.h"
#include "pool.h"
#include "real.h"
#include "shared.h"

static struct pool socks = POOL_INIT(struct sock);
static struct pool opts = POOL_INIT(struct sock_opt);
static struct pool regs = POOL_INIT(struct sock_reg);
static struct sock *_Atomic rest;   /* to be ended by sock_put_rest() */

struct sock *sock_new(engine_sock es)
{
	struct sock *s = pool_take(&socks);

	if (!s)
		return NULL;
	s->es = es;
	s->host = 0;
	s->there = 0;
	s->forks = shared_forks();
	s->rcvtimeo = 0;
	s->sndtimeo = 0;
	s->rcvlowat = 1;
	s->state = SOCK_UNCONNECTED;
	s->is_nonblock = false;
	s->is_bridged = false;
	s->disconnects = 0;
	s->is_deferred = false;
	s->has_peek_off = false;
	s->has_owner = false;
	s->is_urgent = false;
	s->is_v6 = false;
	s->is_v6only = false;
	s->is_bound = false;
	s->is_mirrored = false;
	s->is_filled = false;
	s->is_far_shut = false;
	s->is_far_closed = false;
	s->has_error = false;
	s->tokens = 0;
	s->told = 0;
	s->fd = -1;
	s->far = -1;
	atomic_store(&s->member, -1);
	s->regs = NULL;
	s->opts = NULL;
	atomic_store(&s->numbers, 0);
	atomic_store(&s->refs, 1);
	return s;
}

bool sock_get_unless_free(struct sock *s)
{
	uint32_t n = atomic_load(&s->refs);

	while (n) {
		if (atomic_compare_exchange_weak(&s->refs, &n, n + 1))
			return true;
	}
	return false;
}

static void sock_free(struct sock *s)
{
	struct sock_reg *r;

	sock_opts_free(s);
	while ((r = s->regs)) {
		s->regs = r->next;
		sock_reg_free(r);
	}
	pool_give(&socks, s);
}

static bool is_last(struct sock *s)
{
	return atomic_fetch_sub(&s->refs, 1) == 1;
}

static void end(struct sock *s)
{
	call_release(s);
	sock_free(s);
}

void sock_put(struct sock *s)
{
	if (is_last(s))
		end(s);
}

void sock_put_inside(struct sock *s)
{
	struct sock *first = atomic_load(&rest);

	if (!is_last(s))
		return;
	do
		s->next_free = first;
	while (!atomic_compare_exchange_weak(&rest, &first, s));
}

void sock_put_rest(void)
{
	struct sock *s = atomic_exchange(&rest, NULL), *next;

	for (; s; s = next) {
		next = s->next_free;
		end(s);
	}
}

/* Takes the entry of an option out of the list; NULL: it has none. */
static struct sock_opt *opt_remove(struct sock *s, int level, int name)
{
	struct sock_opt **at, *o;

	pool_lock(&opts);
	for (at = &s->opts; *at && ((*at)->level != level || (*at)->name != name); at = &(*at)->next)
		;
	o = *at;
	if (o)
		*at = o->next;
	pool_unlock(&opts);
	return o;
}

int sock_opt_add(struct sock *s, int level, int name, const void *val, socklen_t len)
{
	struct sock_opt *o = opt_remove(s, level, name);

	if (len > SOCK_OPT_BYTES)
		len = SOCK_OPT_BYTES;
	if (!o)
		o = pool_take(&opts);
	if (!o)
		return -ENOMEM;
	o->level = level;
	o->name = name;
	o->len = len;
	memcpy(o->val, val, len);
	pool_lock(&opts);
	o->next = s->opts;
	s->opts = o;
	pool_unlock(&opts);
	return 0;
}

/* The kernel's part of a listener is the engine's: it says who may have the port. */
static bool is_lent(const struct sock_opt *o)
{
	return o->level != SOL_SOCKET || (o->name != SO_REUSEADDR && o->name != SO_REUSEPORT);
}

void sock_opts_lend(const struct sock_opt *o, int fd)
{
	if (!o)
		return;
	sock_opts_lend(o->next, fd);
	if (is_lent(o))
		REAL(setsockopt)(fd, o->level, o->name, o->val, o->len);
}

static void replay(const struct sock_opt *o, int level, int fd)
{
	if (!o)
		return;
	replay(o->next, level, fd);
	if ((level < 0 || o->level == level) && REAL(setsockopt)(fd, o->level, o->name, o->val, o->len) < 0)
		log_event(LOG_WARNING, "option %d at level %d could not be set again on the kernel's "
				       "socket: %m", o->name, o->level);
}

void sock_opts_replay(struct sock *s, int level, int fd)
{
	replay(s->opts, level, fd);
}

void sock_opts_free(struct sock *s)
{
	struct sock_opt *o, *next;

	pool_lock(&opts);
	o = s->opts;
	s->opts = NULL;
	pool_unlock(&opts);
	for (; o; o = next) {
		next = o->next;
		pool_give(&opts, o);
	}
}

void sock_fork_prepare(void)
{
	pool_lock(&socks);
	pool_lock(&opts);
	pool_lock(&regs);
}

void sock_fork_done(void)
{
	pool_unlock(&regs);
	pool_unlock(&opts);
	pool_unlock(&socks);
}

struct sock_reg *sock_reg_new(void)
{
	return pool_take(&regs);
}

void sock_reg_free(struct sock_reg *r)
{
	pool_give(&regs, r);
}
