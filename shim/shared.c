/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shared.c - see shared.h.
 */
#include "shared.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "bridge.h"
#include "call.h"
#include "eng.h"
#include "fdtab.h"
#include "log.h"
#include "ready.h"
#include "real.h"
#include "signal.h"

static _Atomic uint32_t forks;
static uint64_t host;             /* the engine's name; 0: it can't be asked */

uint32_t shared_forks(void)
{
	return atomic_load_explicit(&forks, memory_order_relaxed);
}

bool shared_is(const struct sock *s)
{
	return s->es && s->forks != shared_forks();
}

bool shared_begin(void)
{
	struct engine *e = atomic_load(&eng_current);

	if (!e)
		return true;
	signal_hold();
	if (engine_publish(e, &host) < 0)
		host = 0;
	signal_release();
	if (host)
		atomic_fetch_add(&forks, 1);
	return host != 0;
}

void shared_lose(struct sock *s)
{
	if (!s->es)
		return;
	s->host = host;
	s->there = s->es;
	s->es = 0;
}

/* ---- in a process whose engine it isn't ---- */

static bool is_joined(int fd)
{
	struct engine_bridged b;

	return engine_bridged(fd, &b) == 0;
}

/* Somebody else may be quicker. */
static int ask(uint64_t of, engine_sock es, int fd)
{
	int r;

	if (is_joined(fd))
		return 0;
	r = engine_bridge_foreign(of, es, fd);
	return r && is_joined(fd) ? 0 : r;
}

/* Its engine is gone: an object that has been reset takes its place. */
static void show_reset(struct sock *s)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return;
	REAL(send)(ends[0], "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	REAL(close)(ends[1]);           /* with something unread */
	if (!ready_replace(s, ends[0]))
		bridge_settled(s);
}

/* The lock of bridging is held. */
int shared_take_locked(struct sock *s)
{
	int r, fd;

	if (atomic_load(&s->is_bridged))
		return 0;
	fd = ready_object(s);
	r = fd < 0 ? fd : ask(s->host, s->there, fd);
	ready_object_done(fd);
	if (r) {
		log_once(LOG_WARNING, "a TCP socket of another process can't be used: its engine is gone");
		show_reset(s);
		return atomic_load(&s->is_bridged) ? 0 : -EIO;
	}
	bridge_settled(s);
	return 0;
}

int shared_take(struct sock *s)
{
	int err = errno, r;

	bridge_lock();
	r = shared_take_locked(s);
	bridge_unlock();
	errno = err;
	return r ? r : -EREROUTED;
}

bool shared_take_fd(int fd)
{
	struct sock *s = fdtab_get(fd);
	bool is_idle = s && shared_is_foreign(s) && shared_is_idle(s);

	if (s && shared_is_foreign(s) && !is_idle)
		shared_take(s);
	if (s)
		sock_put(s);
	return is_idle;
}

static struct engine_bridged called(const struct sock *s)
{
	return (struct engine_bridged){ .host = s->host, .s = s->there, .is_v6 = s->is_v6 };
}

bool shared_is_idle(const struct sock *s)
{
	struct engine_bridged b = called(s);

	return s->host && atomic_load(&s->state) == SOCK_UNCONNECTED && !engine_bridged_refresh(s->fd, &b) && b.is_idle;
}

int shared_bind(const struct sock *s, const struct sockaddr_in *a)
{
	struct engine_bridged b = called(s);

	return s->host ? engine_bridged_bind(s->fd, &b, a) : -EIO;
}

int shared_sockname(const struct sock *s, struct sockaddr_in *a)
{
	struct engine_bridged b = called(s);
	int r = s->host ? engine_bridged_refresh(s->fd, &b) : -EIO;

	*a = b.local;
	return r;
}

int shared_setopt(const struct sock *s, int level, int name, const void *val, socklen_t len)
{
	struct engine_bridged b = called(s);

	return s->host ? engine_bridged_setopt(s->fd, &b, level, name, val, len) : -EIO;
}

int shared_getopt(const struct sock *s, int level, int name, void *val, socklen_t *len)
{
	struct engine_bridged b = called(s);

	return s->host ? engine_bridged_getopt(s->fd, &b, level, name, val, len) : -EIO;
}

int shared_is_kernels(const struct sock *s, const struct sockaddr_in *a)
{
	struct engine_bridged b = called(s);

	return s->host ? engine_bridged_is_kernels(s->fd, &b, a) : -EIO;
}

int shared_yield(const struct sock *s, int kernels, struct sockaddr_in *bound)
{
	struct engine_bridged b = called(s);

	return s->host ? engine_bridged_yield(s->fd, &b, kernels, bound) : -EIO;
}

void shared_take_of_parent(int fd)
{
	struct sock *s = fdtab_get(fd);
	int err = errno;

	if (s && (s->es || s->host))
		ask(s->es ? host : s->host, s->es ? s->es : s->there, fd);
	if (s)
		sock_put(s);
	errno = err;
}

void shared_take_kept_by_exec(void)
{
	int fd, flags;

	for (fd = fdtab_next(0); fd >= 0; fd = fdtab_next(fd + 1)) {
		flags = fdtab_is_sock(fd) ? REAL(fcntl)(fd, F_GETFD) : -1;
		if (flags >= 0 && !(flags & FD_CLOEXEC))
			shared_take_of_parent(fd);
	}
}

/* ---- in the engine's process ---- */

void shared_leave(struct shared_leaving *l, int fd)
{
	struct sock *s = fdtab_get(fd);

	l->s = NULL;
	if (!s)
		return;
	if (shared_is(s) && atomic_load(&s->numbers) == 1) {
		bridge_lock();
		l->far = atomic_load(&s->is_bridged) ? -1 : bridge_join(s);
		bridge_unlock();
		if (l->far >= 0)
			l->s = s;
	}
	if (!l->s)
		sock_put(s);
}

static bool is_alone(int far)
{
	struct pollfd p = { .fd = far, .events = 0 };

	return REAL(poll)(&p, 1, 0) == 1 && p.revents & POLLHUP;
}

void shared_left(struct shared_leaving *l)
{
	if (!l->s)
		return;
	if (is_alone(l->far))
		REAL(close)(l->far);
	else
		eng_bridge_joined(l->s, l->far, -1);
	sock_put(l->s);
}

void shared_leave_all(void)
{
	struct sock *s;
	bool is;
	int fd;

	for (fd = fdtab_next(0); fd >= 0; fd = fdtab_next(fd + 1)) {
		s = fdtab_get(fd);
		is = s && shared_is(s);
		if (s)
			sock_put(s);
		if (is)
			call_close(fd);
	}
}

/* ---- asked by others, with the engine's lock held ---- */

/* With a reference; it may be that the number was given to another. */
static struct sock *find(engine_sock es, int number)
{
	struct sock *s = number >= 0 ? fdtab_get(number) : NULL;
	int fd = 0;

	while (!s || s->es != es) {
		if (s)
			sock_put_inside(s);
		fd = fdtab_next(fd);
		if (fd < 0)
			return NULL;
		s = fdtab_get(fd++);
	}
	return s;
}

bool shared_is_object_of(engine_sock es, int number, int fd)
{
	struct sock *s = find(es, number);
	struct stat a, b;
	bool is;

	if (!s)
		return false;
	is = s->fd >= 0 && !fstat(s->fd, &a) && !fstat(fd, &b) && a.st_dev == b.st_dev &&
	     a.st_ino == b.st_ino;
	sock_put_inside(s);
	return is;
}

int shared_join(engine_sock es, int number, struct engine_bridged *id)
{
	struct sock *s = find(es, number);
	int far;

	if (!s)
		return -EBADF;
	id->is_v6 = s->is_v6;
	far = ready_join(s, id);
	if (far >= 0)
		bridge_settled(s);
	sock_put_inside(s);
	return far;
}

/* It has no mirror while it is neither connected nor listening, so nothing here calls the engine. */
bool shared_give(engine_sock es, int number, int kernels)
{
	struct sock *s = find(es, number);
	int fd;

	if (!s)
		return false;
	fd = atomic_load(&s->is_bridged) || s->is_mirrored ? -1 : REAL(fcntl)(kernels, F_DUPFD_CLOEXEC, 0);
	if (fd >= 0) {
		ready_replace(s, fd);
		bridge_settled(s);
	}
	sock_put_inside(s);
	return fd >= 0;
}
