/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_wait.c - where a program's threads sleep, and drive.
 *
 * The first thread that finds nobody driving drives: it polls the packet fd beside
 * its own fds, unlocked, and does the engine's turn when it wakes.  The others
 * sleep on an eventfd of their own until whoever does a turn sees one of their
 * sockets ready.  A driver that leaves hands over to the loop thread, by arming
 * its epoll, when anybody is left who depends on it; waking another sleeper
 * to drive would cost a thread switch each time a thread leaves and comes back.
 *
 * A signal handler may interrupt a sleep and call the engine, or leave it for good
 * with siglongjmp().  Either way the engine finds, at the thread's next call, a
 * thread that it believes asleep: that sleep is ended there (engine_rouse), and
 * if the interrupted engine_wait() ever returns it gives -EINTR.
 */
#include "engine_impl.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <syslog.h>

#include "sys.h"

#define OWN_FDS 2               /* thread's eventfd, packet fd */
#define FEW_FDS 14
#define EYES_OPEN (10 * XTIME_MSEC)   /* how long who can't be woken sleeps at a time */

static __thread struct thread *self __attribute__((tls_model("initial-exec")));
static pthread_once_t self_once = PTHREAD_ONCE_INIT;
static pthread_key_t self_key;

/* One engine_wait(). */
struct wait {
	struct engine *e;
	struct thread *t;
	struct engine_watch *w;
	unsigned nw;
	struct engine_news *news; /* NULL: none */
	struct pollfd *fds;       /* the extra ones, then room for OWN_FDS */
	unsigned nextra;
	bool is_heap;             /* fds are */
	xtime deadline;
	const sigset_t *mask;
	int cancel;               /* the caller's cancel state */
	struct engine_watch *left;   /* large frames wait to be read from it; NULL: none */
};

/* ---- threads ---- */

static void unregister(struct engine *e, struct thread *t)
{
	unsigned i;

	if (t->is_waiting)
		e->nwait--;
	t->is_waiting = false;
	for (i = 0; i < t->nnodes; i++)
		list_remove(&t->nodes[i].link);
	t->nnodes = 0;
	if (t->news)
		t->news->waiter = NULL;
	t->news = NULL;
}

static void thread_free(struct thread *t)
{
	if (t->efd >= 0)
		raw_close(t->efd);
	if (t->nodes != t->few)
		free(t->nodes);
	free(t);
}

/* The record stays for another thread: whoever has just given the lock back may be about to
 * write to its eventfd, which must not be another file by then. */
static void thread_end(void *arg)
{
	struct thread *t = arg;
	sigset_t all, old;

	/* No call of the program's is under way, so nobody else keeps a handler from waiting for the lock that its thread holds. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	self = t;
	engine_rouse();
	self = NULL;
	if (t->home) {
		pthread_mutex_lock(&t->home->lock);
		list_remove(&t->link);
		list_append(&t->home->spare, &t->link);
		pthread_mutex_unlock(&t->home->lock);
	} else {
		thread_free(t);
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void make_key(void)
{
	pthread_key_create(&self_key, thread_end);
}

/* A negative number where no more descriptors may be had: then the thread looks by itself (EYES_OPEN). */
static int make_eventfd(void)
{
	struct rlimit old;
	int err = errno, fd = highfd_is_scarce() ? -EMFILE : sys_eventfd();
	bool has_room;

	if (fd == -EMFILE) {
		has_room = highfd_begin(&old);
		fd = sys_eventfd();
		if (has_room)
			highfd_end(&old);
	}
	errno = err;
	return fd;
}

static struct thread *thread_new(void)
{
	struct thread *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	list_init(&t->link);
	t->nodes = t->few;
	t->cap = ARRAY_LEN(t->few);
	t->efd = -1;
	return t;
}

/* This thread's record, at home in e if it has no home yet. */
static struct thread *thread_self(struct engine *e)
{
	struct thread *t = self;

	if (!t) {
		t = list_is_empty(&e->spare) ? thread_new()
					     : container_of(e->spare.next, struct thread, link);
		if (!t)
			return NULL;
		list_remove(&t->link);
		t->home = NULL;
		pthread_once(&self_once, make_key);
		pthread_setspecific(self_key, t);
		self = t;
	}
	if (t->efd < 0)
		t->efd = make_eventfd();
	if (!t->home) {
		t->home = e;
		list_append(&e->threads, &t->link);
	}
	return t;
}

/* ---- waking ---- */

static void wake_fd(int efd)
{
	uint64_t one = 1;

	if (efd >= 0)
		sys_write(efd, &one, sizeof(one));
}

void engine_wake(struct thread *t)
{
	struct engine *e = t->asleep_in;

	t->is_hit = true;
	if (!e || t->is_signalled)
		return;
	t->is_signalled = true;
	if (e->nwake < ENGINE_WAKE_MAX)
		e->wake[e->nwake++] = t->efd;
	else
		wake_fd(t->efd);
}

void engine_news_come(const struct engine_news *news)
{
	if (news->waiter)
		engine_wake(news->waiter);
}

void engine_inform(struct engine *e, void (*fn)(void *user), void *user)
{
	engine_enter(e);
	fn(user);
	engine_leave(e);
}

/* Those who are woken want the lock first of all: they are woken when it is free. */
void engine_unlock(struct engine *e)
{
	int wake[ENGINE_WAKE_MAX];
	unsigned i, n = e->nwake;

	for (i = 0; i < n; i++)
		wake[i] = e->wake[i];
	e->nwake = 0;
	pthread_mutex_unlock(&e->lock);
	for (i = 0; i < n; i++)
		wake_fd(wake[i]);
}

/* After a sleep, with the lock.  A wake-up may come late, for the sleep before this one. */
static void awake(struct thread *t, bool is_written)
{
	uint64_t n;

	if (is_written && t->efd >= 0)
		sys_read(t->efd, &n, sizeof(n));
	t->asleep_in = NULL;
	t->is_signalled = false;
}

/* Of several who wait exclusively one was woken, who doesn't come back for what is there. */
static void hand_on(struct engine *e, const struct wait_node *nodes, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++) {
		if (nodes[i].is_exclusive && nodes[i].slot->conn)
			engine_tell(e, nodes[i].slot);
	}
}

void engine_rouse(void)
{
	struct thread *t = self;
	struct engine *e = t ? t->asleep_in : NULL;
	unsigned n;

	if (!e)
		return;
	pthread_mutex_lock(&e->lock);
	e->now = engine_now();
	awake(t, true);
	n = t->nnodes;
	unregister(e, t);
	if (t->is_hit)
		hand_on(e, t->nodes, n);
	if (e->driver == t)
		engine_stop_driving(e);
	engine_cover(e);
	engine_unlock(e);
}

static void free_spare(struct engine *e)
{
	struct thread *t;

	while (!list_is_empty(&e->spare)) {
		t = container_of(e->spare.next, struct thread, link);
		list_remove(&t->link);
		thread_free(t);
	}
}

/* With the engine's end its threads have no home; the next engine may be one. */
void engine_threads_leave(struct engine *e)
{
	struct thread *t;

	while (!list_is_empty(&e->threads)) {
		t = container_of(e->threads.next, struct thread, link);
		list_remove(&t->link);
		t->home = NULL;
	}
	free_spare(e);
}

/* The eventfds are the parent's objects, and all threads but this one are gone. */
void engine_threads_forget(struct engine *e)
{
	struct thread *t, *me = self;

	while (!list_is_empty(&e->threads)) {
		t = container_of(e->threads.next, struct thread, link);
		list_remove(&t->link);
		if (t != me) {
			thread_free(t);
			continue;
		}
		if (me->efd >= 0)
			raw_close(me->efd);
		me->home = me->asleep_in = NULL;
		me->is_signalled = me->is_waiting = false;
		me->nnodes = 0;
		me->news = NULL;
		me->efd = make_eventfd();
	}
	free_spare(e);
}

static unsigned list_fds(const struct list *head, int *fds, unsigned n)
{
	const struct list *l;
	unsigned i = 0;

	for (l = head->next; l != head && i < n; l = l->next) {
		fds[i] = container_of(l, struct thread, link)->efd;
		i += fds[i] >= 0;
	}
	return i;
}

unsigned engine_thread_fds(struct engine *e, int *fds, unsigned n)
{
	unsigned i = list_fds(&e->threads, fds, n);

	return i + list_fds(&e->spare, fds + i, n - i);
}

/* ---- driving ---- */

void engine_stop_driving(struct engine *e)
{
	e->driver = NULL;
	if (e->nwait)
		engine_arm(e);
	else
		engine_lease(e);
}

static int poll_until(struct pollfd *fds, unsigned n, xtime until, xtime now, const sigset_t *mask)
{
	xtime left = until > now ? until - now : 0;
	struct timespec ts = { left / XTIME_SEC, left % XTIME_SEC };

	return sys_ppoll(fds, n, until == XTIME_NEVER ? NULL : &ts, mask);
}

/* --spin: a bounded while of looking before sleeping. */
static int spin(struct wait *x, unsigned n, xtime until, xtime now)
{
	xtime end = xtime_min(until, now + x->e->cfg.spin_us * XTIME_USEC);
	int r = 0;

	while (!r && now < end) {
		r = poll_until(x->fds, n, 0, now, x->mask);
		now = engine_now();
	}
	return r ? r : poll_until(x->fds, n, until, now, x->mask);
}

/* The thread was cancelled in its sleep: what it held here ends. */
static void cancelled(void *arg)
{
	struct wait *x = arg;

	engine_rouse();
	if (x->is_heap)
		free(x->fds);
}

/* The sleep, the lock not held.  A cancellation point: as the sleep is a bare system call, and all that it ends is a
 * look at fds, the thread may be cancelled at any moment of it (PTHREAD_CANCEL_ASYNCHRONOUS).  Libc may look at the type
 * alone: it is changed only while the state lets it. */
static int sleep_unlocked(struct wait *x, unsigned n, xtime until, xtime now, bool drives)
{
	int r, type, state;

	pthread_cleanup_push(cancelled, x);
	pthread_setcancelstate(x->cancel, &state);
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
	r = x->e->cfg.spin_us && drives ? spin(x, n, until, now) : poll_until(x->fds, n, until, now, x->mask);
	pthread_setcanceltype(type, NULL);
	pthread_setcancelstate(state, NULL);
	pthread_cleanup_pop(0);
	return r;
}

/* A program that closes fds behind our back (system calls of its own) must not make us spin. */
static void lost_fds(struct engine *e, struct thread *t, const struct pollfd *own, bool drives)
{
	if (own[0].revents & POLLNVAL)
		t->efd = make_eventfd();
	if (!drives || !(own[1].revents & POLLNVAL) || e->is_cut)
		return;
	e->is_cut = true;
	engine_log(e, LOG_ERR, "the program has closed the packet socket: no frame arrives any more");
}

/* The frame that waits makes one of the caller's sockets readable: it stays where it is, for the reader's
 * buffer, if nobody else waits for what comes.  Only once: who doesn't read it then has it taken in. */
static bool leave_to_reader(struct wait *x)
{
	struct engine *e = x->e;
	struct netif_rx v;
	struct frame_in f;
	struct tcp_conn *c;
	size_t n;

	if (e->has_left || e->nwait != 1 || e->nmirror || !engine_expects_large(e) || netif_peek(e->nif, &v) < 0)
		return false;
	f = engine_frame(&v);
	c = stack_would_read(e->stack, e->iface, &f, &n);
	for (unsigned i = 0; c && i < x->nw; i++)
		if (x->w[i].s && engine_slot(e, x->w[i].s) == tcp_user(c) && x->w[i].events & POLLIN &&
		    x->w[i].at_least <= n) {
			x->left = &x->w[i];
			e->has_left = true;
			return true;
		}
	return false;
}

/* What has come ends the sleep of this thread, the only one: it may have an answer to it. */
static void settle_awake(struct wait *x)
{
	struct engine *e = x->e;

	if (e->nwait != 1 || !engine_settle_owing(e) || !x->t->is_hit)
		engine_settle(e);
}

/* One sleep; the lock is held before and after.  How many of the extra fds are ready, or
 * -EINTR. */
static int sleep_once(struct wait *x)
{
	struct engine *e = x->e;
	struct thread *t = x->t;
	struct pollfd *own = x->fds + x->nextra;
	bool drives = !e->driver || e->driver == t;
	xtime until = x->deadline, now = e->now;
	unsigned n = x->nextra;
	int r;

	own[0] = (struct pollfd){ .fd = t->efd, .events = POLLIN };
	n++;
	if (drives) {
		engine_disarm(e);
		until = xtime_min(until, engine_deadline(e));
		e->driver = t;
		e->driver_until = until;
		own[1] = (struct pollfd){ .fd = e->is_cut ? -1 : netif_fd(e->nif), .events = POLLIN };
		n++;
	} else {
		engine_cover(e);
	}
	if (t->efd < 0)
		until = xtime_min(until, now + EYES_OPEN);
	t->is_hit = false;
	t->asleep_in = e;
	engine_unlock(e);
	r = sleep_unlocked(x, n, until, now, drives);
	pthread_mutex_lock(&e->lock);
	e->now = engine_now();
	if (t->asleep_in != e)
		return -EINTR;
	awake(t, t->is_signalled || (r > 0 && own[0].revents));
	if (r > 0 && (own[0].revents | (drives ? own[1].revents : 0)) & POLLNVAL)
		lost_fds(e, t, own, drives);
	if (e->driver == t) {
		if (r > 0 && own[1].revents && !leave_to_reader(x))
			engine_receive(e, ENGINE_RX_ROUNDS);
		engine_expire(e);
		settle_awake(x);
	}
	if (r > 0)
		r -= !!own[0].revents + (drives && own[1].revents);
	return r;
}

/* ---- waiting ---- */

/* How many of the watched sockets are ready, and the news. */
static unsigned check(struct wait *x)
{
	struct engine_watch *w = x->w;
	struct slot *slot;
	unsigned i, n = 0;

	for (i = 0; i < x->nw; i++) {
		slot = engine_slot(x->e, w[i].s);
		w[i].revents = slot ? engine_ready(slot, w[i].events, w[i].at_least) : POLLNVAL;
		n += w[i].revents != 0;
	}
	return n + (x->news && x->news->has_come(x->news->user));
}

static int make_room(struct thread *t, unsigned n)
{
	struct wait_node *v;

	if (n <= t->cap)
		return 0;
	v = malloc(n * sizeof(*v));
	if (!v)
		return -ENOMEM;
	if (t->nodes != t->few)
		free(t->nodes);
	t->nodes = v;
	t->cap = n;
	return 0;
}

/* All handles are good: check() found none that is not. */
static int register_all(struct wait *x)
{
	struct thread *t = x->t;
	struct wait_node *node;
	unsigned i;
	int r = make_room(t, x->nw);

	if (r < 0)
		return r;
	for (i = 0; i < x->nw; i++) {
		node = &t->nodes[i];
		node->t = t;
		node->slot = engine_slot(x->e, x->w[i].s);
		node->events = x->w[i].events;
		node->at_least = x->w[i].at_least;
		node->is_exclusive = x->w[i].is_exclusive;
		list_append(&node->slot->waits, &node->link);
	}
	t->nnodes = x->nw;
	t->news = x->news;
	if (t->news)
		t->news->waiter = t;
	t->is_waiting = true;
	x->e->nwait++;
	return 0;
}

/* As in Linux a handler ends the sleep before it runs: what has become ready since is told by the next call. */
static int wait_locked(struct wait *x)
{
	struct engine *e = x->e;
	int err = e->saved_errno, r, n = 0;
	unsigned nnodes;

	x->cancel = e->saved_cancel;
	r = register_all(x);
	if (r < 0)
		return r;
	do {
		r = sleep_once(x);
		if (r != -EINTR && (x->t->is_hit || r || x->left || e->now >= x->deadline))
			n = (int)check(x) + MAX(r, 0);
		if (!n && stack_has_output(e->stack)) {
			engine_settle(e);
			n = (int)check(x);
		}
		if (x->left && r >= 0) {
			n += !x->left->revents;
			x->left->revents |= x->left->events & (POLLIN | POLLRDNORM);
		}
	} while (!n && r >= 0 && e->now < x->deadline);
	nnodes = x->t->nnodes;
	unregister(e, x->t);
	if (r == -EINTR && x->t->is_hit)
		hand_on(e, x->t->nodes, nnodes);
	if (e->driver == x->t)
		engine_stop_driving(e);
	e->saved_errno = err;
	e->saved_cancel = x->cancel;
	return n ? n : MIN(r, 0);
}

/* What is ready before any sleep.  Asks the interface only if there will be no sleep in
 * which to hear of it. */
static unsigned look_first(struct wait *x)
{
	unsigned n;

	if (stack_has_output(x->e->stack))
		engine_settle(x->e);
	n = check(x);
	if (n || x->deadline > x->e->now || x->e->driver)
		return n;
	engine_receive(x->e, ENGINE_RX_ROUNDS);
	engine_settle(x->e);
	return check(x);
}

/* The extra fds without a sleep, the lock not held.  An error in them is theirs alone.  The mask lets signals in only
 * when there is nothing else to report, as in do_poll(). */
static int poll_extra(struct wait *x, bool has_ready)
{
	const sigset_t *mask = has_ready ? NULL : x->mask;
	int err = errno, r = 0;

	if (x->nextra || mask)
		r = poll_until(x->fds, x->nextra, 0, 0, mask);
	errno = err;
	return r;
}

static int wait_with(struct wait *x)
{
	struct engine *e = x->e;
	int n, r = 0;

	engine_enter(e);
	x->t = thread_self(e);
	if (!x->t) {
		engine_exit(e);
		return -ENOMEM;
	}
	n = (int)look_first(x);
	if (!n && x->deadline > e->now) {
		n = wait_locked(x);
		engine_leave_owing(e);
		return n;
	}
	engine_leave(e);
	r = poll_extra(x, n > 0);
	return n || r >= 0 ? n + MAX(r, 0) : r;
}

int engine_wait(struct engine *e, struct engine_watch *w, unsigned nw, struct pollfd *extra,
		unsigned nextra, xtime deadline, const sigset_t *mask)
{
	return engine_wait_news(e, NULL, w, nw, extra, nextra, deadline, mask);
}

int engine_wait_news(struct engine *e, struct engine_news *news, struct engine_watch *w, unsigned nw,
		     struct pollfd *extra, unsigned nextra, xtime deadline, const sigset_t *mask)
{
	struct pollfd few[FEW_FDS + OWN_FDS];
	struct wait x = {
		.e = e, .news = news, .w = w, .nw = nw, .fds = few, .nextra = nextra, .is_heap = nextra > FEW_FDS,
		.deadline = deadline, .mask = mask,
	};
	unsigned i;
	int r;

	if (x.is_heap)
		x.fds = malloc((nextra + OWN_FDS) * sizeof(*x.fds));
	if (!x.fds)
		return -ENOMEM;
	for (i = 0; i < nextra; i++)
		x.fds[i] = (struct pollfd){ .fd = extra[i].fd, .events = extra[i].events };
	r = wait_with(&x);
	for (i = 0; i < nextra; i++)
		extra[i].revents = x.fds[i].revents;
	if (x.is_heap)
		free(x.fds);
	return r;
}
