/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * epoll_set.c - see epoll_set.h.
 *
 * A registration of ours is what struct epitem is in Linux, whose functions are named below (fs/eventpoll.c): it stands in its set's
 * list of what may be ready, from which epoll_wait() takes it.  Rules:
 * - What a socket is like (sock.told) is what the engine has told last, which is told of every change: nobody asks the engine.
 * - A socket comes into the list when it is woken for, and when it is registered or changed and ready.  What is
 *   level-triggered goes back to its end when it was given, and leaves it when it is looked at and not ready.
 * - Each coming wakes one thread that sleeps for the set, the one that drives first, and one that leaves with something left in
 *   the list wakes the next.  Threads are woken with the engine's lock held.
 * - As in Linux a registration is of a file and a number: it lasts until all numbers of the socket are closed.
 */
#include "epoll_set.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

#include "fdtab.h"
#include "pool.h"
#include "process.h"
#include "ready.h"
#include "shared.h"

#define BUCKETS 64
/* EP_PRIVATE_BITS */
#define PRIVATE (EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)
#define POLL_BITS 0xffffu
/* The keys of sock_def_readable() and sk_stream_write_space(); sk_state_change() has none, and wakes everybody. */
#define IN_KEY (EPOLLIN | EPOLLPRI | EPOLLRDNORM | EPOLLRDBAND)
#define OUT_KEY (EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND)
#define STATE (POLLERR | POLLHUP | POLLRDHUP | TCP_EV_CONNECTED | TCP_EV_CLOSED)

struct epoll_set {
	struct epoll_set *next;   /* in its bucket; overlaid by the pool */
	uintptr_t id;             /* fdtab_epoll() */
	pid_t pid;                /* who made it */
	uint32_t forks;           /* shared_forks() then */
	unsigned numbers;
	unsigned outside;         /* threads asleep in the kernel, and such as have left it for a handler's sake */
	bool is_seen;
	bool is_inherited;        /* regs are the parent's */
	struct list regs;         /* sock_reg.all, oldest first */
	struct list ready;        /* sock_reg.ready */
	struct list waiters;      /* struct waiter.link */
};

/* A thread's sleep. */
struct waiter {
	struct engine_news news;
	struct list link;
	struct epoll_set *_Atomic set;  /* NULL: it doesn't sleep; written with the lock, a handler of the thread looks without */
	uintptr_t id;             /* the set's */
	bool is_told;             /* there is something, and it hasn't looked since */
};

static struct pool sets = POOL_INIT(struct epoll_set);
static struct epoll_set *buckets[BUCKETS];
static bool is_all_seen;
static _Atomic unsigned ninherited;
static __thread struct waiter self __attribute__((tls_model("initial-exec")));

/* ---- sets ---- */

static struct epoll_set **bucket(uintptr_t id)
{
	return &buckets[id / (FDTAB_KIND + 1) % BUCKETS];
}

struct epoll_set *epoll_set_find(uintptr_t id)
{
	struct epoll_set *set = *bucket(id);

	while (set && set->id != id)
		set = set->next;
	return set;
}

/* The kernel ends a sleep for a set that another thread closes at its time-out: nothing wakes it. */
static void set_free(struct epoll_set *set)
{
	struct epoll_set **at = bucket(set->id);
	struct waiter *w;

	while (!list_is_empty(&set->regs))
		epoll_set_remove(container_of(set->regs.next, struct sock_reg, all));
	while (!list_is_empty(&set->waiters)) {
		w = container_of(set->waiters.next, struct waiter, link);
		list_remove(&w->link);
		w->set = NULL;
	}
	while (*at != set)
		at = &(*at)->next;
	*at = set->next;
	pool_give(&sets, set);
}

static void drop(uintptr_t id)
{
	struct epoll_set *set = id ? epoll_set_find(id) : NULL;

	if (set && !--set->numbers)
		set_free(set);
}

void epoll_set_dropped(uintptr_t id)
{
	if ((id & FDTAB_KIND) != FDTAB_EPOLL)
		return;
	ready_lock();
	drop(id);
	ready_unlock();
}

void epoll_set_made(int fd)
{
	int err = errno;
	uintptr_t had = fdtab_is_epoll(fd) ? fdtab_slot(fd) : 0;
	struct epoll_set *set, **at;

	/* A number that was closed behind our back. */
	if (had)
		fdtab_clear(fd);
	ready_lock();
	drop(had);
	set = pool_take(&sets);
	if (set) {
		*set = (struct epoll_set){ .id = fdtab_epoll(fd), .pid = getpid(), .forks = shared_forks(), .numbers = 1 };
		list_init(&set->regs);
		list_init(&set->ready);
		list_init(&set->waiters);
		at = bucket(set->id);
		set->next = *at;
		*at = set;
	}
	ready_unlock();
	errno = err;
}

void epoll_set_copied(int from, int to)
{
	struct epoll_set *set;

	if (to < 0 || !fdtab_is_epoll(from))
		return;
	ready_lock();
	fdtab_copy(from, to);
	set = epoll_set_find(fdtab_slot(to));
	if (set)
		set->numbers++;
	ready_unlock();
}

bool epoll_set_is_own(const struct epoll_set *set)
{
	return !set->is_seen && !is_all_seen && !set->is_inherited && !set->outside && set->forks == shared_forks() &&
	       set->pid == process_pid();
}

bool epoll_set_has_some(const struct epoll_set *set)
{
	return !list_is_empty(&set->regs);
}

unsigned epoll_set_count(const struct epoll_set *set)
{
	const struct list *l;
	unsigned n = 0;

	for (l = set->regs.next; l != &set->regs; l = l->next)
		n++;
	return n;
}

void epoll_set_see(struct epoll_set *set)
{
	set->is_seen = true;
}

void epoll_set_see_all(void)
{
	is_all_seen = true;
}

/* ---- registrations ---- */

struct sock_reg *epoll_set_reg(const struct sock *s, uintptr_t set, int fd)
{
	struct sock_reg *r = s->regs;

	while (r && (r->set != set || r->fd != fd))
		r = r->next;
	return r;
}

/* As on a wait queue of Linux: the newest is woken first, exclusive ones behind the others and the oldest first. */
struct sock_reg *epoll_set_add(struct sock *s, uintptr_t set, struct epoll_set *of, int fd, uint32_t events)
{
	struct sock_reg **at = &s->regs, *r = sock_reg_new();

	if (!r)
		return NULL;
	while (*at && events & EPOLLEXCLUSIVE)
		at = &(*at)->next;
	*r = (struct sock_reg){ .next = *at, .set = set, .fd = fd, .s = s, .of = of };
	list_init(&r->all);
	list_init(&r->ready);
	if (of)
		list_append(&of->regs, &r->all);
	*at = r;
	return r;
}

void epoll_set_modify(struct sock_reg *r, const struct epoll_event *ev)
{
	r->events = ev->events | EPOLLERR | EPOLLHUP;
	r->data = ev->data.u64;
	r->is_new = true;
}

void epoll_set_give(struct sock_reg *r)
{
	list_remove(&r->all);
	list_remove(&r->ready);
	if (r->of && r->of->is_inherited && !epoll_set_has_some(r->of)) {
		r->of->is_inherited = false;
		atomic_fetch_sub(&ninherited, 1);
	}
	r->of = NULL;
}

void epoll_set_remove(struct sock_reg *r)
{
	struct sock_reg **at = &r->s->regs;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	epoll_set_give(r);
	sock_reg_free(r);
}

struct sock_reg *epoll_set_first(struct epoll_set *set)
{
	return epoll_set_has_some(set) ? container_of(set->regs.next, struct sock_reg, all) : NULL;
}

void epoll_set_put_last(struct sock_reg *r)
{
	list_remove(&r->all);
	list_append(&r->of->regs, &r->all);
}

bool epoll_set_watches(const struct sock *s)
{
	const struct sock_reg *r = s->regs;

	while (r && !r->of)
		r = r->next;
	return r;
}

/* ---- what the engine tells ---- */

/* True when a thread was woken. */
static bool wake_one(struct epoll_set *set)
{
	struct waiter *w = &self;
	struct list *l;

	if (self.set != set || self.is_told) {
		for (l = set->waiters.next; l != &set->waiters; l = l->next) {
			w = container_of(l, struct waiter, link);
			if (!w->is_told)
				break;
		}
		if (l == &set->waiters)
			return false;
	}
	w->is_told = true;
	engine_news_come(&w->news);
	return true;
}

void epoll_set_wake(struct epoll_set *set)
{
	if (!list_is_empty(&set->ready))
		wake_one(set);
}

/* ep_poll_callback(), of which one with EPOLLEXCLUSIVE says whether it has woken somebody. */
static bool come(struct sock_reg *r)
{
	if (!list_is_linked(&r->ready))
		list_append(&r->of->ready, &r->ready);
	return wake_one(r->of);
}

/* What the socket's waiters would be woken with; 0: not at all, ~0: whatever they wait for. */
static uint32_t key_of(uint32_t events, uint32_t rising, bool is_edge)
{
	uint32_t key = 0;

	if (rising & STATE)
		return ~0u;
	if (rising & OUT_KEY)
		key |= OUT_KEY;
	if (rising & IN_KEY || (is_edge && events & IN_KEY))
		key |= IN_KEY;
	return key || !is_edge ? key : ~0u;
}

/* A level-triggered one that is ready is in the list, however it became so. */
static bool is_missing(const struct sock_reg *r, uint32_t events)
{
	return !(r->events & (EPOLLET | EPOLLEXCLUSIVE)) && !list_is_linked(&r->ready) && events & r->events & POLL_BITS;
}

void epoll_set_event(struct sock *s, uint32_t events, bool is_edge)
{
	uint32_t key = key_of(events, events & ~s->told, is_edge);
	bool has_woken = false;
	struct sock_reg *r;

	s->told = events;
	for (r = s->regs; r; r = r->next) {
		bool is_exclusive = r->events & EPOLLEXCLUSIVE;

		if (!r->of || !(r->events & ~(uint32_t)PRIVATE))
			continue;
		if (r->is_new ? events & r->events & POLL_BITS : key & r->events & POLL_BITS && !(is_exclusive && has_woken))
			has_woken |= come(r) && is_exclusive;
		else if (is_missing(r, events))
			come(r);
		r->is_new = false;
	}
}

/* ---- waiting ---- */

/* ep_send_events() */
unsigned epoll_set_collect(struct epoll_set *set, struct epoll_event *ev, unsigned n, bool *has_more)
{
	struct list *last = set->ready.prev;
	bool is_last = list_is_empty(&set->ready);
	unsigned got = 0;

	while (!is_last && got < n) {
		struct sock_reg *r = container_of(set->ready.next, struct sock_reg, ready);
		uint32_t events = r->s->told & r->events & POLL_BITS;

		is_last = &r->ready == last;
		list_remove(&r->ready);
		if (!events)
			continue;
		ev[got].events = events;
		ev[got++].data.u64 = r->data;
		if (r->events & EPOLLONESHOT)
			r->events &= PRIVATE;
		else if (!(r->events & EPOLLET))
			list_append(&set->ready, &r->ready);
	}
	*has_more = !list_is_empty(&set->ready) && !list_is_empty(&set->waiters);
	return got;
}

bool epoll_set_has_ready(const struct epoll_set *set)
{
	const struct list *l;

	for (l = set->ready.next; l != &set->ready; l = l->next) {
		const struct sock_reg *r = container_of(l, struct sock_reg, ready);

		if (r->s->told & r->events & POLL_BITS)
			return true;
	}
	return false;
}

/* In the engine: also where another thread was quicker. */
static bool has_come(void *user)
{
	struct waiter *w = user;
	bool has;

	ready_lock();
	has = w->set && !list_is_empty(&w->set->ready);
	w->is_told &= has;
	ready_unlock();
	return has;
}

struct engine_news *epoll_set_begin_wait(struct epoll_set *set)
{
	struct waiter *w = &self;

	if (w->set)
		list_remove(&w->link);
	w->news.has_come = has_come;
	w->news.user = w;
	w->set = set;
	w->id = set->id;
	w->is_told = false;
	list_append(&set->waiters, &w->link);
	return &w->news;
}

bool epoll_set_end_wait(uintptr_t *set)
{
	struct waiter *w = &self;
	bool was_told = w->set && w->is_told && !list_is_empty(&w->set->ready);

	*set = w->id;
	if (w->set)
		list_remove(&w->link);
	w->set = NULL;
	w->is_told = false;
	return was_told;
}

bool epoll_set_is_waiting(void)
{
	return atomic_load_explicit(&self.set, memory_order_relaxed);
}

static void count_outside(uintptr_t id, int n)
{
	struct epoll_set *set;

	ready_lock();
	set = epoll_set_find(id);
	if (set)
		set->outside += (unsigned)n;
	ready_unlock();
}

void epoll_set_begin_outside(uintptr_t id)
{
	count_outside(id, 1);
}

void epoll_set_end_outside(uintptr_t id)
{
	count_outside(id, -1);
}

/* ---- fork ---- */

void epoll_set_forked(void)
{
	struct epoll_set *set;
	unsigned i;

	atomic_store(&ninherited, 0);
	self.set = NULL;
	for (i = 0; i < BUCKETS; i++) {
		for (set = buckets[i]; set; set = set->next) {
			list_init(&set->waiters);
			set->is_inherited = epoll_set_has_some(set);
			atomic_fetch_add(&ninherited, set->is_inherited);
		}
	}
}

bool epoll_set_is_inherited(const struct epoll_set *set)
{
	return set->is_inherited;
}

bool epoll_set_any_inherited(void)
{
	return atomic_load_explicit(&ninherited, memory_order_relaxed) != 0;
}
