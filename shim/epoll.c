/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * epoll.c - see epoll.h.
 *
 * The kernel knows what is ready, as the mirrors show it (ready.h); the sleep is ours, so that the thread that waits
 * drives the engine.  What such a thread receives for a socket of its own set needn't go through the kernel: a token
 * written, found by epoll_wait() and taken out again are four system calls.  So such input is *handed over*: it becomes
 * the event that epoll_wait() gives, and the object doesn't show it.  Rules:
 * - Only input alone, of a socket that is registered once, in this set, and whose object shows none; what ends a
 *   connection, errors and urgent data are shown.
 * - It is over when the program has read all.  When it comes back without that, a level-triggered registration
 *   is shown by the object from then on; an edge-triggered one has had its event, and gets the next one likewise.
 * - One call gives either what was handed over or what the kernel gives, as both may speak of the same socket; and
 *   the kernel is asked first where it may have an event that isn't known here (an edge would be told twice).
 * - Who looks at a set otherwise than by epoll_wait() (from another set, poll(), another process, io_uring) sees
 *   objects alone: once somebody does, all is shown (epoll_is_seen()).
 * - A handler may leave the call by siglongjmp(): nothing points into its frame, and what it would have given is
 *   shown by the next one.
 */
#include "epoll.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "eng.h"
#include "fdtab.h"
#include "ready.h"
#include "real.h"
#include "signal.h"
#include "user.h"

#define HANDED_MAX 32
#define KERNEL_EVERY 8            /* so many calls in a row that don't ask the kernel */
#define INPUT (POLLIN | POLLRDNORM)
#define NOT_HANDED (POLLERR | POLLHUP | POLLRDHUP | POLLPRI | TCP_EV_URGENT)

/* What this thread's epoll_wait() is about to give. */
static __thread struct {
	uintptr_t set;            /* takes input of its sockets; 0: none does */
	unsigned n, max;
	unsigned streak;          /* calls since the kernel was asked */
	uintptr_t asked;          /* of which set */
	unsigned news;            /* and when: ready_news() */
	struct sock *of[HANDED_MAX];   /* to compare, not to follow */
	struct epoll_event ev[HANDED_MAX];
} taker __attribute__((tls_model("initial-exec")));

static struct sock *handed;       /* guarded by ready.h's lock */
static _Atomic unsigned nhanded;
static _Atomic bool is_seen;
static bool was_seen;             /* before the fork() under way */

/* ---- registrations ---- */

static struct sock_reg **find_reg(struct sock *s, uintptr_t set, int fd)
{
	struct sock_reg **p = &s->regs;

	while (*p && ((*p)->set != set || (*p)->fd != fd))
		p = &(*p)->next;
	return p;
}

/* After the kernel has agreed. */
static void record(struct sock *s, uintptr_t set, int op, int fd, const struct epoll_event *ev)
{
	struct sock_reg **p, *r;

	ready_lock();
	p = find_reg(s, set, fd);
	r = *p;
	if (op == EPOLL_CTL_DEL) {
		if (r) {
			*p = r->next;
			sock_reg_free(r);
		}
		ready_unlock();
		return;
	}
	if (!r) {
		r = sock_reg_new();
		if (r) {
			r->set = set;
			r->fd = fd;
			r->next = s->regs;
			s->regs = r;
		}
	}
	if (r) {
		r->events = ev->events;
		r->data = ev->data.u64;
	}
	ready_unlock();
}

/* The object shows what was handed over. */
static void show(struct sock *s)
{
	epoll_forget(s);
	ready_show_input(s);
}

/* A registration that is made or changed finds the object as it should be. */
static void show_to_all(struct sock *s)
{
	if (!atomic_load(&nhanded))
		return;
	ready_lock();
	if (s->is_handed)
		show(s);
	ready_unlock();
}

int epoll_ctl_sock(struct sock *s, int epfd, int op, int fd, struct epoll_event *ev)
{
	uintptr_t set;
	int r = 0;

	if (op != EPOLL_CTL_DEL && !user_can_read(ev, sizeof(*ev)))
		return -EFAULT;
	if (op == EPOLL_CTL_ADD)
		r = ready_watch(s);
	if (r)
		return r;
	if (op != EPOLL_CTL_DEL)
		show_to_all(s);
	if (REAL(epoll_ctl)(epfd, op, fd, ev) < 0)
		return -errno;
	if (op != EPOLL_CTL_DEL)
		ready_tell_sets();
	set = fdtab_epoll(epfd);
	if (set)
		record(s, set, op, fd, ev);
	/* Urgent data is shown to who asks for it, also when it was there before. */
	if (op != EPOLL_CTL_DEL && ev->events & EPOLLPRI && s->is_mirrored)
		eng_mirror(s, true);
	return 0;
}

/* Is it a set?  One is asked for something that it hasn't: itself isn't in the other. */
void epoll_added(int epfd, int fd)
{
	int err = errno;

	if (!atomic_load(&is_seen) && REAL(epoll_ctl)(fd, EPOLL_CTL_DEL, epfd, NULL) < 0 && errno == ENOENT)
		epoll_is_seen();
	errno = err;
}

/* ---- handing over ---- */

void epoll_forget(struct sock *s)
{
	unsigned i;

	if (!s->is_handed)
		return;
	for (i = 0; i < taker.n; i++) {
		if (taker.of[i] != s)
			continue;
		taker.n--;
		taker.of[i] = taker.of[taker.n];
		taker.ev[i] = taker.ev[taker.n];
		break;
	}
	*s->handed_at = s->handed_next;
	if (s->handed_next)
		s->handed_next->handed_at = s->handed_at;
	s->is_handed = false;
	atomic_fetch_sub(&nhanded, 1);
}

static void mark_handed(struct sock *s)
{
	if (s->is_handed)
		return;
	s->handed_next = handed;
	s->handed_at = &handed;
	if (handed)
		handed->handed_at = &s->handed_next;
	handed = s;
	s->is_handed = true;
	atomic_fetch_add(&nhanded, 1);
}

/* Takes it into what epoll_wait() gives; false: it has no room. */
static bool take(struct sock *s, const struct sock_reg *r, uint32_t events)
{
	unsigned i;

	for (i = 0; i < taker.n && taker.of[i] != s; i++)
		;
	if (i == taker.max)
		return false;
	taker.of[i] = s;
	taker.ev[i].events = events & r->events & 0xffff;
	taker.ev[i].data.u64 = r->data;
	taker.n += i == taker.n;
	engine_stop_waiting();
	return true;
}

static bool may_hand(const struct sock *s, uint32_t events)
{
	const struct sock_reg *r = s->regs;

	return taker.set && s->is_filled == !(events & POLLOUT) && r && r->set == taker.set && !r->next && r->events & INPUT &&
	       !(r->events & (EPOLLONESHOT | EPOLLWAKEUP)) && !s->tokens && !atomic_load(&s->has_owner);
}

bool epoll_hands(struct sock *s, uint32_t events, bool is_edge)
{
	bool is_plain = events & POLLIN && !(events & NOT_HANDED);

	if (is_plain && s->is_handed && !is_edge)
		return true;
	if (is_plain && may_hand(s, events) && take(s, s->regs, events)) {
		mark_handed(s);
		return true;
	}
	epoll_forget(s);
	return false;
}

/* What this set, or any if it is 0, was told of and hasn't read.  all: also those whose event was an edge. */
static void show_unread(uintptr_t set, bool all)
{
	struct sock *s, *next;

	for (s = handed; s; s = next) {
		const struct sock_reg *r = s->regs;

		next = s->handed_next;
		if (!set || !r || (r->set == set && (all || !(r->events & EPOLLET))))
			show(s);
	}
}

void epoll_is_seen(void)
{
	if (atomic_exchange(&is_seen, true))
		return;
	ready_lock();
	show_unread(0, true);
	ready_unlock();
}

/* The parent's sets may be the child's, too. */
void epoll_fork(void)
{
	was_seen = atomic_load(&is_seen);
	if (!ready_any() || was_seen)
		return;
	atomic_store(&is_seen, true);
	show_unread(0, true);
}

void epoll_fork_forget(void)
{
	atomic_store(&is_seen, was_seen);
	atomic_store(&nhanded, 0);
	handed = NULL;
	taker.set = 0;
	taker.n = 0;
}

void epoll_interrupt(void)
{
	taker.set = 0;
}

/* From here on this thread takes what comes for the set. */
static void begin(uintptr_t set, int n)
{
	taker.n = 0;
	taker.max = MIN((unsigned)n, HANDED_MAX);
	taker.set = set;
}

static int end(struct epoll_event *ev)
{
	int i, n = (int)taker.n;

	taker.set = 0;
	for (i = 0; i < n; i++)
		ev[i] = taker.ev[i];
	taker.n = 0;
	return n;
}

/* What the last call was left with, and what its caller hasn't read. */
static void begin_anew(uintptr_t set)
{
	bool was_left = taker.n;

	if (!set || !atomic_load(&nhanded))
		return;
	taker.n = 0;
	ready_lock();
	show_unread(was_left ? 0 : set, was_left);
	ready_unlock();
}

/* ---- epoll_wait() ---- */

/* The socket that is registered in the set with this datum, with a reference; NULL: none of ours. */
static struct sock *find_registered(uintptr_t set, uint64_t data)
{
	struct sock *s = NULL;
	struct sock_reg *r = NULL;
	int fd;

	for (fd = fdtab_next(0); fd >= 0 && !r; fd = fdtab_next(fd + 1)) {
		s = fdtab_get(fd);
		if (!s)
			continue;
		ready_lock();
		for (r = s->regs; r && (r->set != set || r->data != data || r->fd != fd);)
			r = r->next;
		ready_unlock();
		if (!r)
			sock_put(s);
	}
	return r ? s : NULL;
}

/* The events of one that the set gave, PRI and IN among them: without IN if there is only an urgent byte. */
static uint32_t correct(int epfd, const struct epoll_event *ev)
{
	uintptr_t set = fdtab_epoll(epfd);
	struct sock *s = set ? find_registered(set, ev->data.u64) : NULL;
	uint32_t events = ev->events;

	if (!s)
		return events;
	if (!(eng_events(s) & POLLIN))
		events &= ~(uint32_t)(EPOLLIN | EPOLLRDNORM);
	sock_put(s);
	return events;
}

static int ask_kernel(int epfd, struct epoll_event *ev, int n)
{
	unsigned news = ready_news();
	int i, r = REAL(epoll_wait)(epfd, ev, n, 0);

	taker.streak = 0;
	taker.asked = fdtab_slot(epfd);
	taker.news = r < n ? news : news - 1;
	if (r < 0)
		return -errno;
	/* An object that shows urgent data is readable as well; is the connection? */
	for (i = 0; i < r; i++) {
		if ((ev[i].events & (EPOLLPRI | EPOLLIN)) == (EPOLLPRI | EPOLLIN))
			ev[i].events = correct(epfd, &ev[i]);
	}
	return r;
}

/* The set's identity when input may be handed over to who waits for it; else 0. */
static uintptr_t taking_set(int epfd, struct epoll_event *ev, int n)
{
	if (atomic_load_explicit(&is_seen, memory_order_relaxed) || !fdtab_is_epoll(epfd) || n <= 0 ||
	    !user_can_write(ev, MIN((size_t)n, HANDED_MAX) * sizeof(*ev)))
		return 0;
	return fdtab_epoll(epfd);
}

static bool must_ask(uintptr_t set)
{
	return !set || taker.streak >= KERNEL_EVERY || taker.asked != set || taker.news != ready_news();
}

/* The sleep; what was handed over in it, 0: look at the set, or -errno. */
static int sleep_once(int epfd, uintptr_t set, struct epoll_event *ev, int n, xtime deadline, const sigset_t *mask,
		      bool *is_over)
{
	struct pollfd extra = { .fd = epfd, .events = POLLIN };
	int r, got;

	begin(set, n);
	r = eng_wait(NULL, 0, &extra, 1, deadline, mask);
	got = end(ev);
	taker.streak += got > 0;
	*is_over = !r && engine_now() >= deadline;
	return got ? got : MIN(r, 0);
}

int epoll_call(int epfd, struct epoll_event *ev, int n, xtime deadline, const sigset_t *mask)
{
	uintptr_t set = taking_set(epfd, ev, n);
	bool is_over = deadline <= 0;
	int r;

	if (!user_has_mask(mask))
		return -EFAULT;
	signal_begin_call();
	begin_anew(set);
	r = must_ask(set) ? ask_kernel(epfd, ev, n) : 0;
	if (r)
		return r;
	begin(set, n);
	eng_look();
	r = end(ev);
	taker.streak++;
	if (r)
		return r;
	for (;;) {
		r = ask_kernel(epfd, ev, n);
		if (r || is_over)
			return r;
		r = sleep_once(epfd, set, ev, n, deadline, mask, &is_over);
		if (r)
			return r;
	}
}
