/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bridge.c - see bridge.h.
 *
 * One lock for bridging; it comes before the engine's and the mirrors'.  A thread that is inside a call
 * on the socket when it is bridged gets -EREROUTED, waits here until the new object is under
 * the number, and calls the kernel (INTERPOSE()).
 */
#include "bridge.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/time.h>
#include <sys/un.h>

#include "addr.h"
#include "call.h"
#include "eng.h"
#include "epoll.h"
#include "fdtab.h"
#include "log.h"
#include "process.h"
#include "ready.h"
#include "real.h"
#include "shared.h"
#include "signal.h"
#include "user.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int holder_cancel;         /* the cancel state of whoever holds it */
static _Atomic unsigned count;
static atomic_bool is_always;

void bridge_lock(void)
{
	int cancel = signal_uncancel();

	signal_hold();
	pthread_mutex_lock(&lock);
	holder_cancel = cancel;
}

void bridge_unlock(void)
{
	int cancel = holder_cancel;

	pthread_mutex_unlock(&lock);
	signal_release();
	signal_recancel(cancel);
}

void bridge_settle(void)
{
	bridge_lock();
	bridge_unlock();
}

unsigned bridge_count(void)
{
	return atomic_load(&count);
}

/* ---- making one ---- */

static void copy_timeo(int fd, int name, xtime timeo)
{
	struct timeval tv = { timeo / XTIME_SEC, timeo % XTIME_SEC / XTIME_USEC };

	if (timeo)
		REAL(setsockopt)(fd, SOL_SOCKET, name, &tv, sizeof(tv));
}

/* What the library did for the socket is the object's business now. */
void bridge_copy_settings(struct sock *s, int fd)
{
	int lowat = atomic_load(&s->rcvlowat);

	copy_timeo(fd, SO_RCVTIMEO, atomic_load(&s->rcvtimeo));
	copy_timeo(fd, SO_SNDTIMEO, atomic_load(&s->sndtimeo));
	if (lowat != 1)
		REAL(setsockopt)(fd, SOL_SOCKET, SO_RCVLOWAT, &lowat, sizeof(lowat));
}

static bool is_from_the_start(const struct sock *s)
{
	return atomic_load(&is_always) || atomic_load(&s->wants_bridge);
}

void bridge_settled(struct sock *s)
{
	atomic_store(&s->is_bridged, true);
	atomic_fetch_add(&count, 1);
	s->es = 0;
	bridge_copy_settings(s, s->fd);
	fdtab_clear_all(s);
}

int bridge_join(struct sock *s)
{
	struct engine_bridged id;
	int r = eng_identify(s, &id);

	id.is_v6 = s->is_v6;
	return r ? r : ready_join(s, &id);
}

/* Others may have the object, or only one of this kind can become what the program will make of it. */
static int bridge_in_place(struct sock *s)
{
	int near = ready_object(s), far = near < 0 ? near : bridge_join(s), r = far;

	if (far >= 0) {
		r = eng_bridge_joined(s, far, near);
		bridge_settled(s);
	}
	ready_object_done(near);
	return r;
}

/* The lock is held. */
static int bridge(struct sock *s)
{
	int fd, r;

	if (atomic_load(&s->is_bridged))
		return 0;
	if (shared_is_foreign(s))
		return shared_take_locked(s);
	if (shared_is(s)) {
		r = bridge_in_place(s);
		if (r != -ESTALE)
			return r;
	}
	atomic_store(&s->is_bridged, true);
	atomic_fetch_add(&count, 1);
	r = eng_bridge(s, &fd);
	if (r) {
		atomic_store(&s->is_bridged, false);
		return r == -ENOTCONN ? bridge_in_place(s) : r;
	}
	s->es = 0;
	bridge_copy_settings(s, fd);
	r = ready_replace(s, fd);
	fdtab_clear_all(s);
	return r;
}

int bridge_sock(struct sock *s)
{
	int r;

	bridge_lock();
	r = bridge(s);
	bridge_unlock();
	return r ? r : -EREROUTED;
}

static void bridge_each(bool (*is_wanted)(int fd))
{
	struct sock *s;
	int fd, r;

	bridge_lock();
	for (fd = fdtab_next(0); fd >= 0; fd = fdtab_next(fd + 1)) {
		s = fdtab_get(fd);
		if (!s)
			continue;
		r = is_wanted(fd) ? bridge(s) : 0;
		if (r && r != -EOPNOTSUPP)
			log_event(LOG_WARNING, "the TCP socket %d stays with this process: %s", fd, strerror(-r));
		sock_put(s);
	}
	bridge_unlock();
}

static bool is_any(int fd)
{
	(void)fd;
	return true;
}

static bool is_kept_by_exec(int fd)
{
	int flags = REAL(fcntl)(fd, F_GETFD);

	return flags >= 0 && !(flags & FD_CLOEXEC);
}

/* Those that the process loses itself, but perhaps not others. */
static bool is_given_up_by_exec(int fd)
{
	struct sock *s = fdtab_get(fd);
	bool is = is_kept_by_exec(fd) || (s && shared_is(s));

	if (s)
		sock_put(s);
	return is;
}

void bridge_all(void)
{
	if (atomic_load(&eng_current))
		bridge_each(is_any);
}

void bridge_always(void)
{
	atomic_store(&is_always, true);
	bridge_all();
}

ssize_t bridge_opened(struct sock *s, ssize_t r)
{
	int err;

	if (!is_from_the_start(s) || atomic_load(&s->state) == SOCK_UNCONNECTED)
		return r;
	err = bridge_sock(s);
	if (err != -EREROUTED)
		log_event(LOG_WARNING, "a TCP socket can't be bridged: %s", strerror(-err));
	return r;
}

/* A child of vfork() has its parent's sockets; those of others are its own. */
static void bridge_for_program(bool (*is_wanted)(int fd))
{
	int err = errno;

	if (process_is_vfork_child())
		shared_take_kept_by_exec();
	else
		bridge_each(is_wanted);
	errno = err;
}

void bridge_inherited(void) { bridge_for_program(is_kept_by_exec); }
void bridge_before_exec(void) { bridge_for_program(is_given_up_by_exec); }

void bridge_fd(int fd)
{
	struct sock *s = fdtab_get(fd);
	int err = errno, r;

	if (!s)
		return;
	r = bridge_sock(s);
	if (r != -EREROUTED)
		log_event(LOG_WARNING, "the TCP socket %d can't be passed on: %s", fd, strerror(-r));
	sock_put(s);
	errno = err;
}

void bridge_carried(const struct msghdr *m)
{
	struct cmsghdr *c;
	size_t i, n;
	int fd;

	if (!atomic_load(&eng_current) || !user_can_read(m, sizeof(*m)) || m->msg_controllen < sizeof(*c) ||
	    !m->msg_control || !user_can_read(m->msg_control, m->msg_controllen))
		return;
	for (c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR((struct msghdr *)(uintptr_t)m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len < CMSG_LEN(0))
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(fd);
		for (i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			bridge_fd(fd);
			epoll_see(fd);
		}
	}
}

/* ---- what the kernel's object would answer differently ---- */

bool bridge_find(int fd, struct engine_bridged *b)
{
	int err = errno, r = engine_bridged(fd, b);

	if (!r && b->is_idle)
		engine_bridged_refresh(fd, b);
	errno = err;
	return r == 0;
}

/* The engine's end is closed; or both ways are shut. */
static bool has_hung_up(int fd)
{
	struct pollfd p = { .fd = fd, .events = 0 };

	return REAL(poll)(&p, 1, 0) == 1 && p.revents & POLLHUP;
}

/* A connection that has ended has no peer. */
static bool has_ended(int fd, struct engine_bridged *b)
{
	return has_hung_up(fd) && (engine_bridged_refresh(fd, b) || b->peer.sin_family != AF_INET);
}

static int give_name(const struct engine_bridged *b, const struct sockaddr_in *a, struct sockaddr *addr,
		     socklen_t *len, socklen_t room)
{
	*len = room;
	return addr_give(b->is_v6, a, addr, len);
}

int bridge_sockname(int fd, int r, struct sockaddr *addr, socklen_t *len, socklen_t room)
{
	struct engine_bridged b;

	if (r < 0 || room < sizeof(addr->sa_family) || addr->sa_family != AF_UNIX || !bridge_find(fd, &b))
		return -ENOTSOCK;
	return give_name(&b, &b.local, addr, len, room);
}

int bridge_peername(int fd, int r, struct sockaddr *addr, socklen_t *len, socklen_t room)
{
	struct engine_bridged b;

	if (r < 0 || room < sizeof(addr->sa_family) || addr->sa_family != AF_UNIX || !bridge_find(fd, &b))
		return -ENOTSOCK;
	if (b.is_listener || b.peer.sin_family != AF_INET || has_ended(fd, &b))
		return -ENOTCONN;
	return give_name(&b, &b.peer, addr, len, room);
}

/* Those at SOL_SOCKET that the object has, too, but without the effect or the value. */
static bool is_the_connections(int level, int name)
{
	if (level != SOL_SOCKET)
		return level == IPPROTO_TCP || level == IPPROTO_IP;
	switch (name) {
	case SO_REUSEADDR:
	case SO_REUSEPORT:
	case SO_KEEPALIVE:
	case SO_LINGER:
	case SO_SNDBUF:
	case SO_PRIORITY:
	case SO_MARK:
	case SO_BINDTODEVICE:
	case SO_MAX_PACING_RATE:
	case SO_INCOMING_CPU:
		return true;
	default:
		return false;
	}
}

int bridge_setopt(int fd, int level, int name, const void *val, socklen_t len)
{
	struct engine_bridged b;
	int r;

	if (!is_the_connections(level, name))
		return -ENOTSOCK;
	do {
		if (!bridge_find(fd, &b))
			return -ENOTSOCK;
		r = val || !len ? engine_bridged_setopt(fd, &b, level, name, val, len) : -EFAULT;
	} while (r == -ESTALE);
	/* The object's own stays large, whatever the program sets. */
	if (level == SOL_SOCKET && name == SO_SNDBUF)
		engine_widen_object(fd);
	return r;
}

static int give_int(void *val, socklen_t *len, socklen_t room, int v)
{
	*len = room < sizeof(v) ? room : sizeof(v);
	memcpy(val, &v, *len);
	return 0;
}

/* The connection's error; else `own`, the object's, which the kernel has given.  The object has had one when the engine's
 * end was closed because of it: that has been told if it is gone. */
static int take_error(int fd, const struct engine_bridged *b, int own)
{
	socklen_t len = sizeof(int);
	int v = 0, r = engine_bridged_getopt(fd, b, SOL_SOCKET, SO_ERROR, &v, &len);

	return !own && has_hung_up(fd) ? 0 : r || !v ? own : v;
}

static int get_error(int fd, const struct engine_bridged *b, void *val, socklen_t *len, socklen_t room)
{
	int own = 0;

	memcpy(&own, val, MIN(*len, sizeof(own)));
	return give_int(val, len, room, take_error(fd, b, own));
}

static int get_the_connections(int fd, int level, int name, void *val, socklen_t *len, socklen_t room)
{
	struct engine_bridged b;
	int r;

	do {
		if (!bridge_find(fd, &b))
			return -ENOTSOCK;
		*len = room;
		r = engine_bridged_getopt(fd, &b, level, name, val, len);
	} while (r == -ESTALE);
	return r;
}

int bridge_getopt(int fd, int r, int level, int name, void *val, socklen_t *len, socklen_t room)
{
	struct engine_bridged b;

	if (!len || !val)
		return -ENOTSOCK;
	if (is_the_connections(level, name))
		return get_the_connections(fd, level, name, val, len, room);
	if (r < 0 || level != SOL_SOCKET || (name != SO_TYPE && name != SO_DOMAIN && name != SO_PROTOCOL &&
					     name != SO_ACCEPTCONN && name != SO_ERROR))
		return -ENOTSOCK;
	if (!bridge_find(fd, &b))
		return -ENOTSOCK;
	switch (name) {
	case SO_TYPE:
		return give_int(val, len, room, SOCK_STREAM);
	case SO_DOMAIN:
		return give_int(val, len, room, b.is_v6 ? AF_INET6 : AF_INET);
	case SO_PROTOCOL:
		return give_int(val, len, room, IPPROTO_TCP);
	case SO_ACCEPTCONN:
		return give_int(val, len, room, b.is_listener);
	default:
		return get_error(fd, &b, val, len, room);
	}
}

/* Oldest first. */
static void set_again(const struct sock_opt *o, int fd, const struct engine_bridged *b)
{
	if (!o)
		return;
	set_again(o->next, fd, b);
	if (is_the_connections(o->level, o->name))
		engine_bridged_setopt(fd, b, o->level, o->name, o->val, o->len);
}

int bridge_dial(struct sock *s, const struct sockaddr_in *a)
{
	struct engine_bridged b;
	int fd, r = eng_dial(s, a, &fd, &b);

	if (r)
		return r;
	set_again(s->opts, fd, &b);
	bridge_lock();
	atomic_store(&s->is_bridged, true);
	atomic_fetch_add(&count, 1);
	eng_release(s);
	s->es = 0;
	bridge_copy_settings(s, fd);
	r = ready_replace(s, fd);
	fdtab_clear_all(s);
	bridge_unlock();
	return r ? r : -EREROUTED;
}

bool bridge_has_ended(int fd)
{
	struct engine_bridged b;

	return has_hung_up(fd) && bridge_find(fd, &b) && has_ended(fd, &b);
}

/* ---- data ---- */

ssize_t bridge_data_failed(int fd)
{
	int err = errno, own = err;
	socklen_t len = sizeof(own);
	struct engine_bridged b;

	/* What the kernel tells by EPIPE, and a signal, at once, is the pending error in TCP (sk_stream_error()). */
	if (err == EPIPE && (REAL(getsockopt)(fd, SOL_SOCKET, SO_ERROR, &own, &len) < 0 || !own))
		own = 0;
	if (own && bridge_find(fd, &b))
		err = take_error(fd, &b, own);
	errno = err;
	return -1;
}

ssize_t bridge_discard(int fd, size_t len, int flags)
{
	struct engine_bridged b;
	char buf[4096];
	size_t done = 0;
	ssize_t r = 0;

	if (engine_bridged(fd, &b) || b.is_listener)
		return -ENOTSOCK;
	while (done < len) {
		r = REAL(recv)(fd, buf, MIN(len - done, sizeof(buf)), (flags & ~MSG_TRUNC) | (done ? MSG_DONTWAIT : 0));
		if (r <= 0)
			break;
		done += (size_t)r;
	}
	return done ? (ssize_t)done : r < 0 ? -errno : 0;
}

/* ---- accept ---- */

static int set_nonblock(int fd)
{
	int flags = REAL(fcntl)(fd, F_GETFL);

	return REAL(fcntl)(fd, F_SETFL, flags | O_NONBLOCK);
}

/* A cancellation point, like the kernel's: a bare system call, with nothing held. */
static int take_connection(int fd, int flags, struct engine_bridged *b)
{
	int conn, type;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
	conn = engine_bridged_accept(fd, flags & SOCK_CLOEXEC ? MSG_CMSG_CLOEXEC : 0, b);
	pthread_setcanceltype(type, NULL);
	return conn;
}

/* The object is no listener for the kernel: accept() has failed already. */
int bridge_accept(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	struct engine_bridged b;
	int conn, r = 0;

	if (errno != EINVAL && errno != EOPNOTSUPP)
		return -ENOTSOCK;
	if (!bridge_find(fd, &b) || !b.is_listener)
		return -ENOTSOCK;
	if (flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK))
		return -EINVAL;
	conn = take_connection(fd, flags, &b);
	if (conn < 0)
		return conn;
	if (flags & SOCK_NONBLOCK)
		set_nonblock(conn);
	if (addr && !b.host)
		r = REAL(getpeername)(conn, addr, len) < 0 ? -ECONNABORTED : 0;
	else if (addr)
		r = addr_give(b.is_v6, &b.peer, addr, len);
	if (!r)
		return conn;
	REAL(close)(conn);
	return r;
}

/* From a native listener's end: the kernel has told the name of a socket of ours. */
void bridge_accepted(int conn, struct sockaddr *addr, socklen_t *len, socklen_t room)
{
	struct engine_bridged b;

	if (!addr || !len || (room >= sizeof(addr->sa_family) && addr->sa_family != AF_UNIX))
		return;
	if (bridge_find(conn, &b))
		give_name(&b, &b.peer, addr, len, room);
}
