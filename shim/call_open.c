/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * call_open.c - from socket() to the last close().
 *
 * The checks and their order are those of Linux: __sys_bind() and inet_bind(),
 * __inet_stream_connect(), inet_accept(), inet_shutdown(), inet_release().
 */
#include "call.h"

#include <errno.h>
#include <string.h>

#include "addr.h"
#include "eng.h"
#include "fdtab.h"
#include "init.h"
#include "log.h"
#include "opts.h"
#include "ready.h"
#include "real.h"
#include "signal.h"

/* ---- addresses ---- */

/* An address of the socket's family as an AF_INET one.  Of another, or of AF_INET6 and too short, it is only the
 * family: AF_UNSPEC, or one that isn't AF_INET. */
static int read_addr(const struct sock *s, const struct sockaddr *addr, socklen_t len, struct sockaddr_in *out)
{
	struct sockaddr_storage given;
	int r = addr_take(addr, len, &given);

	if (r)
		return r;
	memcpy(out, &given, sizeof(*out));
	if (!s->is_v6)
		return 0;
	if (given.ss_family != AF_INET6 || len < ADDR_IN6_MIN) {
		out->sin_family = given.ss_family == AF_UNSPEC ? AF_UNSPEC : AF_INET6;
		return 0;
	}
	/* One that is not mapped would have been handed to the kernel on a fresh socket. */
	return addr_unmap(&given, out) ? 0 : -EADDRNOTAVAIL;
}

static socklen_t least_len(const struct sock *s)
{
	return s->is_v6 ? ADDR_IN6_MIN : sizeof(struct sockaddr_in);
}

static int give_addr(const struct sock *s, const struct sockaddr_in *a, struct sockaddr *addr, socklen_t *len)
{
	return addr_give(s->is_v6, a, addr, len);
}

/* ---- socket ---- */

/* A program's fd for s, whose reference is consumed even when that fails. */
static int give_fd(struct sock *s, int flags)
{
	int fd = ready_open(flags), r;

	if (fd < 0) {
		sock_put(s);
		return fd;
	}
	atomic_store(&s->is_nonblock, flags & SOCK_NONBLOCK);
	s->fd = fd;
	r = fdtab_put(fd, s);
	if (!r)
		return fd;
	REAL(close)(fd);
	sock_put(s);
	return r;
}

int call_socket(int domain, int flags)
{
	engine_sock es;
	struct sock *s;
	int r = init_attach();

	if (!r)
		r = eng_socket(&es);
	if (r)
		return r;
	s = sock_new(es);
	if (!s) {
		eng_release_handle(es);
		return -ENOMEM;
	}
	s->is_v6 = domain == AF_INET6;
	return give_fd(s, flags);
}

/* That of a connection that is over may still be told, but is no longer its. */
static bool has_port(struct sock *s)
{
	const uint32_t over = TCP_EV_CLOSED | POLLHUP;
	struct sockaddr_in a;

	return eng_sockname(s, &a) == 0 && a.sin_port &&
	       (atomic_load(&s->state) != SOCK_CONNECTED || (eng_events(s) & over) != over);
}

int call_bind(struct sock *s, const struct sockaddr *addr, socklen_t len)
{
	struct sockaddr_in a;
	int r = read_addr(s, addr, len, &a);

	if (r)
		return r;
	if (len < least_len(s))
		return -EINVAL;
	/* Linux accepts AF_UNSPEC with INADDR_ANY for old programs' sake. */
	if (a.sin_family != AF_INET &&
	    (s->is_v6 || a.sin_family != AF_UNSPEC || a.sin_addr.s_addr != htonl(INADDR_ANY)))
		return -EAFNOSUPPORT;
	r = eng_bind(s, &a);
	/* __inet6_bind() looks at the address last. */
	if (r == -EADDRNOTAVAIL && s->is_v6 && has_port(s))
		return -EINVAL;
	if (!r)
		s->is_bound = true;
	return r;
}

/* ---- connect ---- */

/* SS_CONNECTING: what has become of it, or how long to wait for that. */
static int finish_connect(struct sock *s, int in_progress)
{
	xtime timeo = atomic_load(&s->sndtimeo), deadline = call_deadline(timeo);
	uint32_t before = atomic_load(&s->disconnects);
	bool waits = call_may_block(s, 0);
	int r;

	for (;;) {
		r = eng_connect_result(s);
		if (r != -EALREADY)
			break;
		if (!waits)
			return in_progress;
		r = call_sleep(s, TCP_EV_CONNECTED, deadline, false);
		if (r == -EAGAIN)
			return in_progress;
		if (r == -EINTR || r == -EIO || r == -EPIPE || r == -EREROUTED)
			return r;
	}
	if (r == -ECONNABORTED && atomic_load(&s->disconnects) != before)
		return -EPIPE;          /* another thread has had the error */
	if (r == -EREROUTED)            /* the engine knows that the result is still to be told */
		return r;
	atomic_store(&s->state, r && r != -EISCONN ? SOCK_UNCONNECTED : SOCK_CONNECTED);
	if (r && r != -EISCONN) {
		atomic_fetch_add(&s->disconnects, 1);
		ready_reset(s);
	}
	return r;
}

static int disconnect(struct sock *s)
{
	int r;

	atomic_fetch_add(&s->disconnects, 1);
	r = eng_disconnect(s);
	if (r)
		return r;
	atomic_store(&s->state, SOCK_UNCONNECTED);
	ready_reset(s);
	return 0;
}

static int start_connect(struct sock *s, const struct sockaddr_in *a, socklen_t len)
{
	int r;

	if (len < least_len(s))
		return -EINVAL;
	if (a->sin_family != AF_INET)
		return -EAFNOSUPPORT;
	ready_reset(s);
	r = eng_connect(s, a);
	if (r < 0)
		return r;
	atomic_store(&s->is_deferred, r > 0);
	atomic_store(&s->state, SOCK_CONNECTING);
	ready_opened(s);
	if (r > 0)
		return 0;
	/* As in Linux, which holds the socket's lock until here: an answer that is quicker than
	 * the call is not its result. */
	if (!call_may_block(s, 0))
		return -EINPROGRESS;
	return finish_connect(s, -EINPROGRESS);
}

int call_connect(struct sock *s, const struct sockaddr *addr, socklen_t len)
{
	struct sockaddr_in a;
	int r = read_addr(s, addr, len, &a);

	if (r)
		return r;
	if (len < sizeof(a.sin_family))
		return -EINVAL;
	if (a.sin_family == AF_UNSPEC)
		return disconnect(s);
	switch (atomic_load(&s->state)) {
	case SOCK_CONNECTED:
	case SOCK_LISTENING:
		return -EISCONN;
	case SOCK_CONNECTING:
		return atomic_load(&s->is_deferred) ? -EISCONN : finish_connect(s, -EALREADY);
	default:
		return start_connect(s, &a, len);
	}
}

/* tcp_sendmsg_fastopen(). */
int call_fastopen(struct sock *s, const struct sockaddr *addr, socklen_t len, const struct iovec *iov, int cnt,
		  int flags, size_t *copied)
{
	bool is_deferred = atomic_load(&s->is_deferred);
	int state = atomic_load(&s->state);
	struct sockaddr_in a;
	int r = read_addr(s, addr, len, &a);

	*copied = 0;
	if (r)
		return r;
	if (len >= sizeof(a.sin_family) && a.sin_family == AF_UNSPEC)
		return -EOPNOTSUPP;
	if (!is_deferred && (state == SOCK_CONNECTED || state == SOCK_LISTENING))
		return -EISCONN;
	if (!is_deferred && state == SOCK_CONNECTING) {
		r = eng_connect_result(s);
		if (!r)
			atomic_store(&s->state, SOCK_CONNECTED);
		return r == -EISCONN ? 0 : r;
	}
	if (!is_deferred && len < least_len(s))
		return -EINVAL;
	if (!is_deferred && a.sin_family != AF_INET)
		return -EAFNOSUPPORT;
	if (!is_deferred)
		ready_reset(s);
	r = eng_fastopen(s, is_deferred ? NULL : &a, iov, cnt, call_may_block(s, flags), copied);
	if (r < 0)
		return r;
	atomic_store(&s->is_deferred, false);
	atomic_store(&s->state, SOCK_CONNECTING);
	ready_opened(s);
	r = call_may_block(s, flags) ? finish_connect(s, -EINPROGRESS) : -EINPROGRESS;
	return r == -EISCONN ? 0 : r;
}

/* ---- listen and accept ---- */

static void lend_options(void *opts, int fd)
{
	sock_opts_lend(opts, fd);
}

static int listen_locally(struct sock *s, int backlog)
{
	const struct engine_local how = {
		.backlog = backlog, .is_v6 = s->is_v6, .set_up = lend_options, .user = s->opts,
	};
	int r = eng_listen_locally(s, &how);

	if (r && atomic_load(&s->state) != SOCK_LISTENING)
		eng_disconnect(s);
	return r;
}

int call_listen(struct sock *s, int backlog)
{
	int r = eng_listen(s, backlog);

	if (!r)
		r = listen_locally(s, backlog);
	if (!r) {
		atomic_store(&s->state, SOCK_LISTENING);
		ready_opened(s);
	}
	return r;
}

/* What accept() finds: a connection of ours, or the kernel's (engine_local.c). */
struct found {
	engine_sock es;
	int fd;                  /* -1: ours */
	struct sockaddr_storage peer;
	socklen_t len;
};

static int accept_either(struct sock *s, int flags, struct found *f)
{
	int r = eng_accept(s, &f->es);

	f->fd = -1;
	if (r != -EAGAIN)
		return r;
	r = eng_accept_locally(s, flags, &f->peer, &f->len);
	if (r >= 0)
		f->fd = r;
	return MIN(r, 0);
}

static int wait_for_conn(struct sock *s, int flags, struct found *f)
{
	xtime deadline = call_deadline(atomic_load(&s->rcvtimeo));
	bool waits = call_may_block(s, 0);
	int r;

	for (;;) {
		r = accept_either(s, flags, f);
		if (r != -EAGAIN || !waits)
			return r;
		r = call_sleep(s, POLLIN, deadline, true);
		if (r)
			return r;
	}
}

static int give_kernels(const struct found *f, struct sockaddr *addr, socklen_t *len)
{
	int r = addr ? addr_copy(&f->peer, f->len, addr, len) : 0;

	if (r)
		REAL(close)(f->fd);
	return r ? r : f->fd;
}

static int give_ours(struct sock *s, engine_sock es, struct sockaddr *addr, socklen_t *len, int flags)
{
	struct sockaddr_in peer = { .sin_port = 0 };
	struct sock *conn = sock_new(es);
	int r;

	if (!conn) {
		eng_release_handle(es);
		return -ENOMEM;
	}
	conn->is_v6 = s->is_v6;
	atomic_store(&conn->state, SOCK_CONNECTED);
	/* What the shim keeps of a listener's options is inherited like the rest. */
	atomic_store(&conn->rcvtimeo, atomic_load(&s->rcvtimeo));
	atomic_store(&conn->sndtimeo, atomic_load(&s->sndtimeo));
	atomic_store(&conn->rcvlowat, atomic_load(&s->rcvlowat));
	atomic_store(&conn->has_peek_off, atomic_load(&s->has_peek_off));
	r = addr ? eng_peername(conn, &peer) : 0;
	/* accept() tells the address of a connection that has ended, too (inet_getname()). */
	if (r == -ENOTCONN && peer.sin_port)
		r = 0;
	if (!r && addr)
		r = give_addr(conn, &peer, addr, len);
	if (r) {
		sock_put(conn);
		return r == -ENOTCONN ? -ECONNABORTED : r;
	}
	return give_fd(conn, flags);
}

int call_accept(struct sock *s, struct sockaddr *addr, socklen_t *len, int flags)
{
	struct found f;
	int r;

	if (flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK))
		return -EINVAL;
	r = wait_for_conn(s, flags, &f);
	if (r)
		return r;
	return f.fd >= 0 ? give_kernels(&f, addr, len) : give_ours(s, f.es, addr, len, flags);
}

/* ---- names and shutdown ---- */

int call_sockname(struct sock *s, struct sockaddr *addr, socklen_t *len)
{
	struct sockaddr_in a;
	int r = eng_sockname(s, &a);

	return r ? r : give_addr(s, &a, addr, len);
}

int call_peername(struct sock *s, struct sockaddr *addr, socklen_t *len)
{
	struct sockaddr_in a;
	int r = eng_peername(s, &a);

	return r ? r : give_addr(s, &a, addr, len);
}

/* inet_shutdown(): an attempt to connect, or listening and SHUT_RD, ends as by AF_UNSPEC. */
static bool is_disconnected_by(struct sock *s, int how)
{
	int state = atomic_load(&s->state);

	if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
		return false;
	if (state == SOCK_LISTENING)
		return how != SHUT_WR;
	return state == SOCK_CONNECTING && !(eng_events(s) & TCP_EV_CONNECTED);
}

int call_shutdown(struct sock *s, int how)
{
	bool disconnects = is_disconnected_by(s, how);
	int r;

	/* A set that watches it sees HUP alone, as of any fresh socket. */
	if (disconnects)
		ready_reset(s);
	r = eng_shutdown(s, how);
	if (!r && disconnects)
		atomic_store(&s->state, SOCK_UNCONNECTED);
	return r;
}

/* ---- the end ---- */

/* SO_LINGER with a time, also on a socket with O_NONBLOCK: sleep until our FIN is
 * acknowledged (sk_stream_wait_close()); a signal ends it. */
static void linger(struct sock *s, int seconds)
{
	xtime deadline = engine_now() + seconds * XTIME_SEC;

	signal_begin_call();
	while (!(eng_events(s) & TCP_EV_CLOSED)) {
		if (call_sleep(s, TCP_EV_CLOSED, deadline, false))
			return;
	}
}

void call_release(struct sock *s)
{
	int cancel = signal_uncancel(), seconds = -1;

	ready_close(s);
	opts_release(s);
	if (s->es && atomic_load(&eng_current)) {
		if (!engine_is_own_thread() && eng_query(s, ENGINE_LINGER, &seconds) == 0 && seconds > 0) {
			eng_shut(s);
			linger(s, seconds);
		}
		eng_release(s);
	}
	signal_recancel(cancel);
}
