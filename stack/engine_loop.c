/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_loop.c - the engine's own thread: it attends when no program thread does.
 *
 * libev watches a few fds for as long as the thread lives: an epoll fd with the
 * packet fd in it, which other threads arm and disarm (libev's own watchers
 * may only be touched by the loop's thread; epoll may be told by anybody), a timer
 * fd that any thread sets (exact, where a watcher's timeout would need the thread
 * woken to change it), the host's news and requests (engine_control.c).  So no thread ever has to wake this one,
 * except to end it, and an idle engine makes no system call at all.
 */
#include "engine_impl.h"

#include <dlfcn.h>
#include <errno.h>
#include <ev.h>
#include <stdlib.h>

#include "host.h"
#include "sys.h"

/* Nothing deep runs here, but a program's thread-local storage lives on it too. */
#define LOOP_STACK_BYTES (512 * 1024)

struct loop {
	struct ev_loop *ev;
	ev_io packets, timer, host, control;
	ev_async stop;
	pthread_t thread;
	unsigned *threads;       /* libc's count of them; NULL: not to be found */
};

/* The engine whose loop this thread runs; NULL in all others.  Here and not with the watchers, which the child of a
 * fork() frees: what this thread reads without the lock may be anywhere beside a fork(). */
static __thread struct engine *own_engine __attribute__((tls_model("initial-exec")));

bool engine_is_own_thread(void)
{
	return own_engine;
}

static void on_packets(struct ev_loop *ev, ev_io *w, int revents)
{
	struct engine *e = own_engine;

	(void)ev;
	(void)w;
	(void)revents;
	engine_enter(e);
	engine_receive(e, ENGINE_RX_ROUNDS);
	engine_bridge_turn(e);
	engine_expire(e);
	engine_leave(e);
	if (e->cfg.outside)
		e->cfg.outside();
}

/* The lease was renewed and its holder is inside: he runs what is due himself, and waiting for his lock would cost both a
 * system call each time he takes it. */
static bool is_attended(struct engine *e)
{
	return atomic_load_explicit(&e->lease_until, memory_order_relaxed) > engine_now();
}

/* A deadline, or the end of a lease. */
static void on_timer(struct ev_loop *ev, ev_io *w, int revents)
{
	struct engine *e = own_engine;
	uint64_t ticks;

	(void)ev;
	(void)w;
	(void)revents;
	sys_read(e->tfd, &ticks, sizeof(ticks));
	if (!engine_try_enter(e)) {
		if (is_attended(e)) {
			engine_cover_lease(e);
			return;
		}
		engine_enter(e);
	}
	e->tfd_at = XTIME_NEVER;
	if (!e->driver && !e->is_armed && e->now >= e->lease_until)
		engine_arm(e);
	engine_expire(e);
	engine_leave(e);
}

static void on_host(struct ev_loop *ev, ev_io *w, int revents)
{
	struct engine *e = own_engine;

	(void)ev;
	(void)w;
	(void)revents;
	engine_enter(e);
	engine_host_changed(e);
	engine_leave(e);
}

static void on_control(struct ev_loop *ev, ev_io *w, int revents)
{
	struct engine *e = own_engine;

	(void)ev;
	(void)w;
	(void)revents;
	engine_enter(e);
	engine_control_turn(e);
	engine_leave(e);
}

static void on_stop(struct ev_loop *ev, ev_async *w, int revents)
{
	(void)w;
	(void)revents;
	ev_break(ev, EVBREAK_ALL);
}

/* Libc ends the process with the last thread that it counts, which is what a main() that leaves by pthread_exit()
 * relies on.  Ours is none of the program's.  Where libc's count isn't to be found, such a program doesn't end. */
static void count_thread(const struct loop *l, int by)
{
	if (l->threads)
		__atomic_fetch_add(l->threads, (unsigned)by, __ATOMIC_RELAXED);
}

static void *loop_main(void *arg)
{
	struct loop *l;

	own_engine = arg;
	engine_enter(own_engine);
	l = own_engine->loop;
	engine_exit(own_engine);
	count_thread(l, -1);
	ev_run(l->ev, 0);
	count_thread(l, 1);
	return NULL;
}

static void watch(struct loop *l, ev_io *w, void (*cb)(struct ev_loop *, ev_io *, int), int fd)
{
	ev_init(w, cb);
	ev_io_set(w, fd, EV_READ);
	ev_io_start(l->ev, w);
}

/* With all signals blocked: they are the program's. */
static int spawn(struct engine *e)
{
	sigset_t all, old;
	pthread_attr_t attr;
	int r;

	e->loop->threads = dlsym(RTLD_DEFAULT, "__nptl_nthreads");
	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, LOOP_STACK_BYTES);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&e->loop->thread, &attr, loop_main, e);
	if (r == EINVAL)        /* the program's thread-local storage alone is larger */
		r = pthread_create(&e->loop->thread, NULL, loop_main, e);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (!r)
		pthread_setname_np(e->loop->thread, "xtcp");
	return -r;
}

int engine_loop_start(struct engine *e)
{
	struct loop *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	l->ev = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV | EVFLAG_NOTIMERFD);
	if (!l->ev) {
		free(l);
		return -EMFILE;
	}
	watch(l, &l->packets, on_packets, e->pkt_ep);
	watch(l, &l->timer, on_timer, e->tfd);
	if (e->host)
		watch(l, &l->host, on_host, host_fd(e->host));
	if (engine_control_fd(e) >= 0)
		watch(l, &l->control, on_control, engine_control_fd(e));
	ev_async_init(&l->stop, on_stop);
	ev_async_start(l->ev, &l->stop);
	e->loop = l;
	r = spawn(e);
	if (r < 0) {
		ev_loop_destroy(l->ev);
		free(l);
		e->loop = NULL;
	}
	return r;
}

void engine_loop_stop(struct engine *e)
{
	struct loop *l = e->loop;

	if (!l)
		return;
	ev_async_send(l->ev, &l->stop);
	pthread_join(l->thread, NULL);
	engine_loop_forget(e);
}

/* Closing is all that ev_loop_destroy() does with its fds: the parent's loop, which shares
 * the epoll instance after a fork, keeps all that is in it. */
void engine_loop_forget(struct engine *e)
{
	struct loop *l = e->loop;

	if (!l)
		return;
	ev_loop_destroy(l->ev);
	free(l);
	e->loop = NULL;
}
