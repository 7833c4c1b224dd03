/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * eng.c - see eng.h.
 */
#include "eng.h"

#include <errno.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"
#include "process.h"
#include "rawcall.h"
#include "shared.h"
#include "signal.h"

_Atomic(struct engine *) eng_current;
static atomic_bool has_ended;

struct engine *eng_end(void)
{
	struct engine *e = atomic_load(&eng_current);

	if (e)
		atomic_store(&has_ended, true);
	return atomic_exchange(&eng_current, NULL);
}

bool eng_has_ended(void)
{
	return atomic_load(&has_ended);
}

/* enter() .. leave() around each call; NULL: there is no engine for this socket. */
static struct engine *enter(const struct sock *s)
{
	struct engine *e = atomic_load_explicit(&eng_current, memory_order_acquire);

	if (!e || !s->es || process_was_cloned())
		return NULL;
	signal_hold();
	return e;
}

int eng_lost(struct sock *s)
{
	if (atomic_load(&s->is_bridged))
		return -EREROUTED;
	return shared_is_foreign(s) ? shared_take(s) : -EIO;
}

/* A handle goes stale under a call when its socket is bridged. */
static inline ssize_t rerouted(const struct sock *s, ssize_t r)
{
	return r == -EBADF && atomic_load(&s->is_bridged) ? -EREROUTED : r;
}

/* `lost` is the answer without an engine. */
#define DOWN_OR(s, type, lost, expr)                                        \
	do {                                                                \
		struct engine *e = enter(s);                                \
		type r_;                                                    \
		if (!e)                                                     \
			return lost;                                        \
		r_ = (expr);                                                \
		signal_release();                                           \
		return (type)rerouted(s, r_);                               \
	} while (0)

#define DOWN(s, type, expr) DOWN_OR(s, type, eng_lost(s), expr)

/* Another process's engine, without the socket being bridged for that; -ESTALE: it has to be. */
static int or_lost(struct sock *s, int r)
{
	return r == -ESTALE || r == -EIO ? eng_lost(s) : r;
}

/* What a call on it gives while it is neither connected nor listening. */
static int or_idle(struct sock *s, int idle)
{
	return shared_is_idle(s) ? idle : eng_lost(s);
}

bool eng_has_cap(int cap)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3] = { { 0, 0, 0 } };

	return raw_syscall(SYS_capget, &h, d) == 0 && d[cap / 32].effective >> cap % 32 & 1;
}

int eng_socket(engine_sock *es)
{
	struct engine *e = atomic_load(&eng_current);
	int r;

	signal_hold();
	r = engine_socket(e, es);
	signal_release();
	return r;
}

int eng_bind(struct sock *s, const struct sockaddr_in *a)
{
	bool may_low = eng_has_cap(CAP_NET_BIND_SERVICE);

	DOWN_OR(s, int, or_lost(s, shared_bind(s, a)), engine_bind(e, s->es, a, may_low));
}

int eng_connect(struct sock *s, const struct sockaddr_in *a)
{
	DOWN(s, int, engine_connect(e, s->es, a));
}

int eng_fastopen(struct sock *s, const struct sockaddr_in *a, const struct iovec *iov, int cnt, bool waits,
		 size_t *copied)
{
	DOWN(s, int, engine_fastopen(e, s->es, a, iov, cnt, waits, copied));
}

int eng_connect_result(struct sock *s)
{
	DOWN(s, int, engine_connect_result(e, s->es));
}

int eng_disconnect(struct sock *s)
{
	DOWN(s, int, engine_disconnect(e, s->es));
}

int eng_listen(struct sock *s, int backlog)
{
	DOWN(s, int, engine_listen(e, s->es, backlog));
}

int eng_listen_locally(struct sock *s, const struct engine_local *how)
{
	DOWN(s, int, engine_listen_locally(e, s->es, how));
}

int eng_accept_locally(struct sock *s, int flags, struct sockaddr_storage *peer, socklen_t *len)
{
	DOWN(s, int, engine_accept_locally(e, s->es, flags, peer, len));
}

int eng_accept(struct sock *s, engine_sock *conn)
{
	DOWN_OR(s, int, or_idle(s, -EINVAL), engine_accept(e, s->es, conn));
}

ssize_t eng_send(struct sock *s, const struct iovec *iov, int cnt, size_t skip, int flags)
{
	DOWN_OR(s, ssize_t, or_idle(s, -EPIPE), engine_send(e, s->es, iov, cnt, skip, flags));
}

ssize_t eng_recv(struct sock *s, const struct iovec *iov, int cnt, size_t skip, int flags,
		 size_t peek_off, int *rflags)
{
	DOWN_OR(s, ssize_t, or_idle(s, flags & MSG_OOB ? -EINVAL : -ENOTCONN),
		engine_recv(e, s->es, iov, cnt, skip, flags, peek_off, rflags));
}

int eng_shutdown(struct sock *s, int how)
{
	DOWN_OR(s, int, or_idle(s, -ENOTCONN), engine_shutdown(e, s->es, how));
}

int eng_shut(struct sock *s)
{
	DOWN(s, int, engine_shut(e, s->es));
}

int eng_release_handle(engine_sock es)
{
	struct sock s = { .es = es };

	return eng_release(&s);
}

int eng_release(struct sock *s)
{
	DOWN(s, int, engine_release(e, s->es));
}

int eng_sockname(struct sock *s, struct sockaddr_in *a)
{
	DOWN_OR(s, int, or_lost(s, shared_sockname(s, a)), engine_sockname(e, s->es, a));
}

int eng_peername(struct sock *s, struct sockaddr_in *a)
{
	DOWN_OR(s, int, or_idle(s, -ENOTCONN), engine_peername(e, s->es, a));
}

static int set_option(struct sock *s, int level, int name, const void *val, socklen_t len, bool may_admin)
{
	DOWN_OR(s, int, or_lost(s, shared_setopt(s, level, name, val, len)),
		engine_setopt(e, s->es, level, name, val, len, may_admin));
}

/* Most options need no capability, which it takes a system call to ask for. */
int eng_setopt(struct sock *s, int level, int name, const void *val, socklen_t len)
{
	int r = set_option(s, level, name, val, len, false);

	if ((r == -EPERM || r == -EACCES) && eng_has_cap(CAP_NET_ADMIN))
		r = set_option(s, level, name, val, len, true);
	return r;
}

int eng_getopt(struct sock *s, int level, int name, void *val, socklen_t *len)
{
	DOWN_OR(s, int, or_lost(s, shared_getopt(s, level, name, val, len)),
		engine_getopt(e, s->es, level, name, val, len));
}

int eng_query(struct sock *s, enum engine_query q, int *val)
{
	DOWN_OR(s, int, or_idle(s, (*val = 0)), engine_query(e, s->es, q, val));
}

static uint32_t lost_events(void)
{
	return POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLERR | POLLHUP | POLLRDHUP;
}

int eng_identify(struct sock *s, struct engine_bridged *id)
{
	DOWN(s, int, engine_identify(e, s->es, id));
}

int eng_bridge_joined(struct sock *s, int far, int near)
{
	DOWN(s, int, engine_bridge_joined(e, s->es, s->is_v6, far, near));
}

uint32_t eng_events(struct sock *s)
{
	struct engine *e = enter(s);
	uint32_t events;

	if (!e)
		return lost_events();
	events = engine_events(e, s->es);
	signal_release();
	return events;
}

bool eng_has_loopback(void)
{
	const struct engine *e = atomic_load(&eng_current);

	return e && engine_has_loopback(e);
}

int eng_dial(struct sock *s, const struct sockaddr_in *a, int *fd, struct engine_bridged *b)
{
	DOWN(s, int, engine_dial(e, a, s->is_v6, fd, b));
}

bool eng_is_kernels(struct sock *s, const struct sockaddr_in *a)
{
	struct engine *e = enter(s);
	bool is;

	if (!e)
		return shared_is_foreign(s) && shared_is_kernels(s, a) > 0;
	is = engine_is_kernels(e, ntohl(a->sin_addr.s_addr), ntohs(a->sin_port));
	signal_release();
	return is;
}

int eng_mirror(struct sock *s, bool on)
{
	DOWN(s, int, engine_mirror(e, s->es, on ? s : NULL));
}

int eng_bridge(struct sock *s, int *fd)
{
	struct engine *e = enter(s);
	int r;

	if (!e)
		return -EIO;
	r = engine_bridge(e, s->es, s->is_v6, fd);
	signal_release();
	return r;
}

static void unblock(void *old)
{
	signal_unblock(old);
}

/* A thread that is cancelled in its sleep goes on to its clean-up handlers. */
int eng_wait_news(struct engine_news *news, struct engine_watch *w, unsigned nw, struct pollfd *extra, unsigned nextra,
		  xtime deadline, const sigset_t *mask)
{
	struct engine *e = atomic_load(&eng_current);
	bool came;
	sigset_t old;
	int r;

	if (!e || process_was_cloned())
		return -EIO;
	signal_block(&old);
	pthread_cleanup_push(unblock, &old);
	came = deadline && signal_came();
	r = engine_wait_news(e, news, w, nw, extra, nextra, came ? 0 : deadline, mask ? mask : &old);
	pthread_cleanup_pop(1);
	return !r && came ? -EINTR : r;
}

int eng_wait(struct engine_watch *w, unsigned nw, struct pollfd *extra, unsigned nextra,
	     xtime deadline, const sigset_t *mask)
{
	return eng_wait_news(NULL, w, nw, extra, nextra, deadline, mask);
}

void eng_inform(void (*fn)(void *user), void *user)
{
	struct engine *e = atomic_load(&eng_current);

	if (!e || process_was_cloned())
		return;
	signal_hold();
	engine_inform(e, fn, user);
	signal_release();
}

void eng_look(void)
{
	struct engine *e = atomic_load(&eng_current);

	if (!e || process_was_cloned())
		return;
	signal_hold();
	engine_look(e);
	signal_release();
}

int eng_watch(struct engine_watch *w, struct sock *s, uint32_t events)
{
	if (!s->es)
		return eng_lost(s);
	*w = (struct engine_watch){ .s = s->es, .events = events };
	return 0;
}
