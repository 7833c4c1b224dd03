/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ready.c - mirrors readiness into AF_UNIX objects.
 *
 * Tokens and fillers are bytes that nobody reads for their value: a token goes
 * from the far end to the program's, so that it is readable; a filler from the
 * program's end to the far one, so that it is not writable.  The program's own
 * reads and writes never reach the object.  Rules:
 * - One mutex for all mirrors.  Lock order: the engine's lock, then this; so
 *   nothing here calls the engine with it held.
 * - A new object is filled before it can be seen, unless there is room: readiness comes from the
 *   engine alone, and nobody wakes for a state that never was.
 * - Each piece of news adds a token, up to TOKENS_MAX, as a byte that arrives makes
 *   an edge-triggered epoll fire; all are taken out when nothing is left to read.
 */
#include "ready.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bridge.h"
#include "eng.h"
#include "epoll.h"
#include "epoll_set.h"
#include "fdtab.h"
#include "log.h"
#include "rawcall.h"
#include "real.h"
#include "shared.h"
#include "signal.h"
#include "user.h"

#define TOKENS_MAX 8
#define FILLER_BYTES 512          /* one fills the smallest send buffer; see fill() */
#define FILLS_MAX 16
#define BACKLOG 8
#define HIGH_FD 1024              /* above what select() users can handle */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int holder_cancel;         /* the cancel state of whoever holds it */
static _Atomic unsigned nmirrored;

void ready_lock(void)
{
	int cancel = signal_uncancel();

	signal_hold();
	pthread_mutex_lock(&lock);
	holder_cancel = cancel;
}

void ready_unlock(void)
{
	int cancel = holder_cancel;

	pthread_mutex_unlock(&lock);
	signal_release();
	signal_recancel(cancel);
}

bool ready_any(void)
{
	return atomic_load_explicit(&nmirrored, memory_order_relaxed) != 0;
}

/* ---- bytes between the two ends ---- */

static bool is_writable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return REAL(poll)(&p, 1, 0) == 1 && p.revents & POLLOUT;
}

static void fill(int fd)
{
	static const char filler[FILLER_BYTES];
	int i;

	for (i = 0; i < FILLS_MAX && is_writable(fd); i++) {
		if (REAL(send)(fd, filler, sizeof(filler), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			return;
	}
}

/* Less than was asked for was all that there was; only an urgent byte ends a call before. */
static void drain(int fd, bool has_urgent)
{
	char buf[FILLER_BYTES * FILLS_MAX];
	ssize_t n;

	do
		n = REAL(recv)(fd, buf, sizeof(buf), MSG_DONTWAIT);
	while (n == (ssize_t)sizeof(buf) || (has_urgent && n > 0));
}

static void add_token(struct sock *s)
{
	if (REAL(send)(s->far, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1)
		s->tokens++;
}

static void take_tokens(struct sock *s)
{
	drain(s->fd, s->is_urgent);
	s->tokens = 0;
	s->is_urgent = false;
}

/* ---- urgent data ---- */

static bool wants_urgent(const struct sock *s)
{
	const struct sock_reg *r;

	for (r = s->regs; r && !(r->events & EPOLLPRI); r = r->next)
		;
	return r;
}

/* The kernel raises SIGURG for an urgent byte; without `loud` nobody is to hear of it. */
static void add_urgent(struct sock *s, bool loud)
{
	struct f_owner_ex owner = { 0, 0 }, none = { F_OWNER_PID, 0 };

	if (!loud && REAL(fcntl)(s->fd, F_GETOWN_EX, &owner) == 0 && owner.pid)
		REAL(fcntl)(s->fd, F_SETOWN_EX, &none);
	if (REAL(send)(s->far, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL | MSG_OOB) == 1)
		s->is_urgent = true;
	if (!loud && owner.pid)
		REAL(fcntl)(s->fd, F_SETOWN_EX, &owner);
}

/* Like any token it makes the object readable.  One that is there for the signal alone is taken out
 * again, and with it those that tell of input. */
static void show_urgent(struct sock *s, uint32_t events)
{
	bool wants = events & POLLPRI && wants_urgent(s);

	if (events & TCP_EV_URGENT || (wants && !s->is_urgent))
		add_urgent(s, events & TCP_EV_URGENT);
	if (!s->is_urgent || wants)
		return;
	take_tokens(s);
	if (events & POLLIN)
		add_token(s);
}

/* ---- what the engine says ---- */

static void show_input(struct sock *s, uint32_t events, bool is_edge)
{
	if (!(events & POLLIN)) {
		if (s->tokens)
			take_tokens(s);
		return;
	}
	if (s->tokens && !is_edge)
		return;
	if (s->tokens >= TOKENS_MAX)
		take_tokens(s);
	add_token(s);
}

static void show_room(struct sock *s, uint32_t events)
{
	bool is_full = !(events & POLLOUT);

	if (is_full == s->is_filled)
		return;
	if (is_full)
		fill(s->fd);
	else
		drain(s->far, false);
	s->is_filled = is_full;
}

static void close_far(struct sock *s)
{
	fdtab_unmark_internal(s->far);
	REAL(close)(s->far);
	s->far = -1;
	s->is_far_closed = true;
}

/* HUP, with ERR if something is left unread. */
static void show_hangup(struct sock *s, uint32_t events)
{
	if (events & POLLERR && !s->is_filled) {
		fill(s->fd);
		s->has_error = true;
	} else if (events & POLLERR) {
		s->has_error = true;
	} else if (s->is_filled) {
		drain(s->far, false);
	}
	close_far(s);
}

/* SO_ERROR was read, or an operation reported the error. */
static void take_error(struct sock *s)
{
	socklen_t len = sizeof(int);
	int err;

	REAL(getsockopt)(s->fd, SOL_SOCKET, SO_ERROR, &err, &len);
	s->has_error = false;
}

static void show(struct sock *s, uint32_t events, bool is_edge)
{
	if (s->is_far_closed) {
		if (s->has_error && !(events & POLLERR))
			take_error(s);
		return;
	}
	show_input(s, events, is_edge);
	show_urgent(s, events);
	if (events & POLLHUP) {
		show_hangup(s, events);
		return;
	}
	show_room(s, events);
	if (events & POLLRDHUP && !s->is_far_shut) {
		REAL(shutdown)(s->far, SHUT_WR);
		s->is_far_shut = true;
	}
}

void ready_on_event(void *user, uint32_t events, bool is_edge)
{
	struct sock *s = user;
	int err = errno;

	ready_lock();
	epoll_set_event(s, events, is_edge);
	if (s->fd >= 0 && (s->far >= 0 || s->is_far_closed))
		show(s, events, is_edge);
	ready_unlock();
	errno = err;
}

/* ---- objects ---- */

int ready_open(int flags)
{
	int fd = REAL(socket)(AF_UNIX, SOCK_STREAM | (flags & (SOCK_NONBLOCK | SOCK_CLOEXEC)), 0);

	return fd < 0 ? -errno : fd;
}

int ready_raise_fd(int fd)
{
	int high = REAL(fcntl)(fd, F_DUPFD_CLOEXEC, HIGH_FD);

	if (high >= 0) {
		REAL(close)(fd);
		fd = high;
	}
	fdtab_mark_internal(fd);
	return fd;
}

/* flags: those of `from` (F_GETFL). */
static void copy_flags(int from, int to, int flags)
{
	int sig = REAL(fcntl)(from, F_GETSIG);
	struct f_owner_ex owner;

	if (REAL(fcntl)(from, F_GETOWN_EX, &owner) == 0 && owner.pid)
		REAL(fcntl)(to, F_SETOWN_EX, &owner);
	if (sig)
		REAL(fcntl)(to, F_SETSIG, sig);
	REAL(fcntl)(to, F_SETFL, flags & O_NONBLOCK);
}

/* Signals tell the number under which this was asked for. */
static void start_signals(int fd, bool on)
{
	if (on)
		REAL(fcntl)(fd, F_SETFL, REAL(fcntl)(fd, F_GETFL) | O_ASYNC);
}

/* The registrations of all its numbers; the object under them has changed. */
static void register_again(struct sock *s)
{
	struct epoll_event ev;
	struct sock_reg *r;
	int epfd;

	for (r = s->regs; r; r = r->next) {
		if (r->of)
			continue;
		ev.events = r->events;
		ev.data.u64 = r->data;
		epfd = fdtab_number_of(r->set);
		if (epfd >= 0 && REAL(epoll_ctl)(epfd, EPOLL_CTL_ADD, r->fd, &ev) < 0)
			log_event(LOG_WARNING, "an epoll registration of fd %d was lost: %m", r->fd);
	}
}

static void unregister(struct sock *s)
{
	struct sock_reg *r;
	int epfd;

	for (r = s->regs; r; r = r->next) {
		if (r->of)
			continue;
		epfd = fdtab_number_of(r->set);
		if (epfd >= 0)
			REAL(epoll_ctl)(epfd, EPOLL_CTL_DEL, r->fd, NULL);
	}
}

static int put_under(int fd, int number)
{
	int cloexec = REAL(fcntl)(number, F_GETFD) & FD_CLOEXEC ? O_CLOEXEC : 0;

	return REAL(dup3)(fd, number, cloexec) < 0 ? -errno : 0;
}

/* Puts `fd` under every number of s, and closes it. */
static int swap(struct sock *s, int fd)
{
	int n, r = 0, flags = REAL(fcntl)(s->fd, F_GETFL);

	copy_flags(s->fd, fd, flags);
	unregister(s);
	/* The last number but one may be on its way out, and still be s->fd. */
	if (atomic_load(&s->numbers) == 1 && s->fd >= 0 && fdtab_slot(s->fd) == (uintptr_t)s) {
		r = put_under(fd, s->fd);
	} else {
		for (n = fdtab_next(0); n >= 0 && !r; n = fdtab_next(n + 1)) {
			if (fdtab_slot(n) == (uintptr_t)s)
				r = put_under(fd, n);
		}
	}
	start_signals(s->fd, flags & O_ASYNC);
	register_again(s);
	REAL(close)(fd);
	return r;
}

static void forget_far(struct sock *s)
{
	if (s->far >= 0)
		close_far(s);
	s->far = -1;
	s->is_far_closed = s->is_far_shut = s->is_filled = s->has_error = s->is_urgent = false;
	s->tokens = 0;
}

/* Is there a mirror, alive or ended? */
static bool is_mirror(const struct sock *s)
{
	return s->far >= 0 || s->is_far_closed;
}

static int make_pair(struct sock *s, bool has_room)
{
	int ends[2], least = 1, r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	/* Now: of a registered object it would be an event. */
	REAL(setsockopt)(ends[0], SOL_SOCKET, SO_SNDBUF, &least, sizeof(least));
	forget_far(s);
	s->far = ready_raise_fd(ends[1]);
	if (!has_room)
		fill(ends[0]);
	s->is_filled = !has_room;
	r = swap(s, ends[0]);
	if (r)
		forget_far(s);
	return r;
}

/* ---- other processes have it, too ---- */

/* Connects the object to a listener that lives no longer than this, by the name that the other end is to have.  (By a bare
 * system call: to ThreadSanitizer connect() makes a new descriptor, while other threads use this one.) */
static int connect_object(int fd, const struct sockaddr_un *name, socklen_t len)
{
	int l = REAL(socket)(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), far = -1;
	struct ucred who = { .pid = 0 };
	socklen_t size = sizeof(who);

	if (l < 0)
		return -errno;
	if (!REAL(bind)(l, (const struct sockaddr *)name, len) && !REAL(listen)(l, BACKLOG) &&
	    !raw_connect(fd, name, len))
		far = REAL(accept4)(l, NULL, NULL, SOCK_CLOEXEC);
	/* Names can be seen: somebody else may have come first. */
	while (far >= 0 && (REAL(getsockopt)(far, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0 || who.pid != getpid())) {
		REAL(close)(far);
		far = REAL(accept4)(l, NULL, NULL, SOCK_CLOEXEC);
	}
	if (far < 0)
		far = -errno;
	REAL(close)(l);
	return far;
}

/* The mirror's far end, nothing in it. */
static int end_mirror(struct sock *s, const struct sockaddr_un *name, socklen_t len)
{
	int far = s->far;

	drain(s->fd, true);
	drain(far, false);
	REAL(bind)(far, (const struct sockaddr *)name, len);
	fdtab_unmark_internal(far);
	s->far = -1;
	forget_far(s);
	if (s->is_mirrored)
		atomic_fetch_sub(&nmirrored, 1);
	s->is_mirrored = false;
	return far;
}

int ready_object(struct sock *s)
{
	int fd = -EBADF, err = errno;

	ready_lock();
	if (s->fd >= 0) {
		fd = REAL(fcntl)(s->fd, F_DUPFD_CLOEXEC, 0);
		fd = fd < 0 ? -errno : ready_raise_fd(fd);
	}
	ready_unlock();
	errno = err;
	return fd;
}

void ready_object_done(int fd)
{
	int err = errno;

	if (fd < 0)
		return;
	fdtab_unmark_internal(fd);
	REAL(close)(fd);
	errno = err;
}

int ready_join(struct sock *s, const struct engine_bridged *id)
{
	struct sockaddr_un name;
	socklen_t len;
	int far, err = errno;

	engine_bridged_name(id, &name, &len);
	ready_lock();
	if (atomic_load(&s->is_bridged))
		far = -EREROUTED;
	else if (s->fd < 0)
		far = -EBADF;
	else if (s->is_far_closed || s->is_far_shut)
		far = -ESTALE;
	else if (s->far >= 0)
		far = end_mirror(s, &name, len);
	else
		far = connect_object(s->fd, &name, len);
	if (far >= 0) {
		engine_widen_object(s->fd);
		/* What stays unread in the engine's end (engine_bridge_move.c). */
		REAL(send)(s->fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
		atomic_store(&s->is_bridged, true);
		epoll_give_all(s, true);
	}
	ready_unlock();
	errno = err;
	return far;
}

/* The lock is held; eng_mirror() is to follow. */
static void start_telling(struct sock *s)
{
	if (s->is_mirrored)
		return;
	s->is_mirrored = true;
	s->told = 0;
	atomic_fetch_add(&nmirrored, 1);
}

static int start_mirror(struct sock *s)
{
	bool is_new = false, has_object, has_room;
	int r = 0;

	ready_lock();
	has_object = is_mirror(s);
	ready_unlock();
	if (!has_object && (shared_is(s) || shared_is_foreign(s)))
		return bridge_sock(s);
	has_room = eng_events(s) & POLLOUT;
	ready_lock();
	if (atomic_load(&s->is_bridged)) {
		r = -EREROUTED;
	} else if (!is_mirror(s) && s->fd >= 0) {
		r = make_pair(s, has_room);
		is_new = !r;
	}
	if (is_new)
		start_telling(s);
	ready_unlock();
	return is_new ? eng_mirror(s, true) : r;
}

int ready_tell(struct sock *s)
{
	int r = 0;

	ready_lock();
	if (atomic_load(&s->is_bridged))
		r = -EREROUTED;
	else
		start_telling(s);
	ready_unlock();
	return r ? r : eng_mirror(s, true);
}

int ready_watch(struct sock *s)
{
	if (atomic_load(&s->state) == SOCK_UNCONNECTED)
		return 0;
	return start_mirror(s);
}

/* Is there somebody who watches, since before there was anything to see? */
static bool is_watched(struct sock *s)
{
	const struct sock_reg *r;
	bool is;

	ready_lock();
	for (r = s->regs; r && r->of; r = r->next)
		;
	is = r || atomic_load(&s->has_owner) ||
	     (s->fd >= 0 && REAL(fcntl)(s->fd, F_GETFL) & O_ASYNC);
	ready_unlock();
	return is;
}

void ready_opened(struct sock *s)
{
	int r;

	if (!is_watched(s))
		return;
	r = start_mirror(s);
	if (r && r != -EREROUTED)
		log_event(LOG_WARNING, "a TCP socket can't be watched: %s", strerror(-r));
}

static bool stop_mirror(struct sock *s)
{
	bool was;

	if (!s->is_mirrored)
		return false;
	ready_lock();
	was = s->is_mirrored;
	s->is_mirrored = false;
	ready_unlock();
	if (!was)
		return false;
	atomic_fetch_sub(&nmirrored, 1);
	eng_mirror(s, false);
	return true;
}

void ready_reset(struct sock *s)
{
	bool has_object, is_told;
	int fd;

	if (!s->is_mirrored)
		return;
	ready_lock();
	has_object = is_mirror(s);
	is_told = epoll_set_watches(s);
	ready_unlock();
	if (!has_object && is_told)
		return;
	if (!stop_mirror(s))
		return;
	fd = has_object ? ready_open(0) : -1;
	ready_lock();
	forget_far(s);
	if (fd >= 0)
		swap(s, fd);
	ready_unlock();
	if (is_told)
		ready_tell(s);
}

int ready_replace(struct sock *s, int kfd)
{
	int r;

	stop_mirror(s);
	ready_lock();
	forget_far(s);
	epoll_give_all(s, false);
	r = swap(s, kfd);
	ready_unlock();
	return r;
}

void ready_close(struct sock *s)
{
	if (!stop_mirror(s) && !s->regs)
		return;
	ready_lock();
	forget_far(s);
	epoll_drop_number(s, -1);
	ready_unlock();
}

void ready_lost(struct sock *s)
{
	s->is_mirrored = false;
	forget_far(s);
}

void ready_forget_all(void)
{
	atomic_store(&nmirrored, 0);
	epoll_fork_forget();
}

/* The caller has emptied the slot. */
void ready_drop_number(struct sock *s, int fd)
{
	ready_lock();
	epoll_drop_number(s, fd);
	if (s->fd == fd)
		s->fd = atomic_load(&s->numbers) ? fdtab_number_of((uintptr_t)s) : -1;
	ready_unlock();
	/* The far end lives until call_release(), behind the kernel's close(): a set that watches is told
	 * nothing. */
}
