/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * call_data.c - sending and receiving, with the sleeping that the engine leaves to us.
 *
 * An error of the connection is reported once, so it must not be taken by a call
 * that has bytes to report: after a partial transfer the loop asks the engine
 * again only when the last sleep didn't see an error.
 */
#include "call.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "addr.h"
#include "eng.h"
#include "log.h"
#include "policy.h"
#include "rawcall.h"
#include "real.h"
#include "signal.h"
#include "user.h"

#define SEND_FLAGS (MSG_MORE | MSG_OOB | MSG_EOR | MSG_DONTWAIT)
#define RECV_FLAGS (MSG_PEEK | MSG_TRUNC | MSG_OOB | MSG_DONTWAIT)
#define BROKEN (POLLERR | POLLHUP)

#ifndef RWF_NOSIGNAL
#define RWF_NOSIGNAL 0x100
#endif
#define RWF_KNOWN (RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND | RWF_NOAPPEND | RWF_NOSIGNAL)

/* ---- sleeping ---- */

xtime call_deadline(xtime timeo)
{
	return timeo ? engine_now() + timeo : XTIME_NEVER;
}

bool call_may_block(struct sock *s, int flags)
{
	return !(flags & MSG_DONTWAIT) && !atomic_load_explicit(&s->is_nonblock, memory_order_relaxed);
}

/* A handler may leave a sleeping call by siglongjmp(), and with it the call's reference to
 * its socket.  So sleeping calls are written down; one whose frame is no longer on the stack
 * was left. */
struct sleeper {
	struct sock *s;
	uintptr_t frame;
};

#define FEW_SLEEPERS 8

static __thread struct {
	unsigned n, cap;         /* cap 0: the few */
	struct sleeper *v;
	struct sleeper few[FEW_SLEEPERS];
} sleepers __attribute__((tls_model("initial-exec")));
static pthread_once_t many_once = PTHREAD_ONCE_INIT;
static pthread_key_t many_key;

/* The first word says how many bytes it is. */
static void free_many(void *block)
{
	size_t *bytes = block;

	sleepers.n = sleepers.cap = 0;
	munmap(block, *bytes);
}

static void make_key(void)
{
	pthread_key_create(&many_key, free_many);
}

/* Room for n, by mmap() as a handler may poll, and for as long as the thread lives: who polls many does it again. */
static struct sleeper *sleepers_for(unsigned n)
{
	size_t bytes = sizeof(size_t) + n * sizeof(struct sleeper);
	size_t *block, *had;

	if (n <= (sleepers.cap ? sleepers.cap : FEW_SLEEPERS))
		return sleepers.cap ? sleepers.v : sleepers.few;
	bytes = (bytes * 2 + 4095) & ~(size_t)4095;
	block = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (block == MAP_FAILED)
		return NULL;
	*block = bytes;
	signal_hold();
	memcpy(block + 1, sleepers.cap ? sleepers.v : sleepers.few, sleepers.n * sizeof(struct sleeper));
	pthread_once(&many_once, make_key);
	had = pthread_getspecific(many_key);
	sleepers.v = (struct sleeper *)(block + 1);
	sleepers.cap = (unsigned)((bytes - sizeof(size_t)) / sizeof(struct sleeper));
	pthread_setspecific(many_key, block);
	if (had)
		munmap(had, *had);
	signal_release();
	return sleepers.v;
}

/* Frames on an alternate signal stack can't be compared with others. */
static bool is_on_altstack(void)
{
	stack_t ss;

	return sigaltstack(NULL, &ss) == 0 && ss.ss_flags & SS_ONSTACK;
}

void call_reap_sleepers(void)
{
	uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
	struct sleeper *v = sleepers_for(0);

	while (sleepers.n && v[sleepers.n - 1].frame <= frame && !is_on_altstack())
		sock_put(v[--sleepers.n].s);
}

unsigned call_sleepers_add(struct sock *const *v, unsigned n, const void *frame)
{
	struct sleeper *to;
	unsigned depth;

	call_reap_sleepers();
	depth = sleepers.n;
	to = sleepers_for(depth + n);
	while (to && n--)
		to[sleepers.n++] = (struct sleeper){ *v++, (uintptr_t)frame };
	return depth;
}

void call_sleepers_remove(unsigned depth)
{
	sleepers.n = depth;
}

/* One sleep, for who is cancelled in it. */
struct sleep {
	struct sock *s;
	unsigned depth;          /* of sleepers, without it */
};

static void cancelled(void *arg)
{
	struct sleep *sleep = arg;

	call_sleepers_remove(sleep->depth);
	sock_put(sleep->s);
}

/* is_part: the call has something to report already, so any handler ends it. */
static int sleep_for(struct sock *s, struct engine_watch *w, xtime deadline, bool is_part)
{
	uint32_t disconnects = atomic_load(&s->disconnects);
	struct sleep sleep = { .s = s };
	bool restarts;
	int r;

	if (!s->es)
		return eng_lost(s);
	sleep.depth = call_sleepers_add(&s, 1, __builtin_frame_address(0));
	pthread_cleanup_push(cancelled, &sleep);
	pthread_testcancel();
	do {
		r = eng_wait(w, 1, NULL, 0, deadline, NULL);
		restarts = r == -EINTR && !signal_breaks(deadline == XTIME_NEVER && !is_part);
	} while (restarts && atomic_load(&s->numbers));
	pthread_cleanup_pop(0);
	call_sleepers_remove(sleep.depth);
	if (restarts)
		return -EREROUTED;
	/* sk_wait_event(); who waits for a connection of a listener is told by its state. */
	if (r > 0 && !w->is_exclusive && atomic_load(&s->disconnects) != disconnects)
		return -EPIPE;
	return r > 0 ? 0 : r < 0 ? r : -EAGAIN;
}

int call_sleep(struct sock *s, uint32_t events, xtime deadline, bool is_exclusive)
{
	struct engine_watch w = { .s = s->es, .events = events, .is_exclusive = is_exclusive };

	return sleep_for(s, &w, deadline, false);
}

/* ---- vectors ---- */

/* import_iovec(): the whole length, or -errno. */
static ssize_t total(const struct iovec *iov, int cnt)
{
	size_t sum = 0;
	int i;

	for (i = 0; i < cnt; i++) {
		size_t n = MIN(iov[i].iov_len, CALL_RW_MAX - sum);

		if ((ssize_t)iov[i].iov_len < 0)
			return -EINVAL;
		if (!user_is_range(iov[i].iov_base, n))
			return -EFAULT;
		sum += n;
	}
	return (ssize_t)sum;
}

int call_check_vector(const struct iovec *iov, size_t cnt, int too_many)
{
	if (cnt > IOV_MAX)
		return too_many;
	return user_can_read(iov, cnt * sizeof(*iov)) ? 0 : -EFAULT;
}

/* How many of the vector's parts lead to memory that can be sent. */
static int count_readable(const struct iovec *iov, int cnt)
{
	int i;

	for (i = 0; i < cnt && user_can_read(iov[i].iov_base, iov[i].iov_len); i++)
		;
	return i;
}

/* The same of what can be received into.  Only the first byte is tried: what no data comes for is to stay as it
 * is, memory that was never touched included. */
static int count_writable(const struct iovec *iov, int cnt)
{
	int i;

	for (i = 0; i < cnt && user_can_write(iov[i].iov_base, MIN(iov[i].iov_len, 1)); i++)
		;
	return i;
}

/* ---- sending ---- */

static void raise_sigpipe(void)
{
	raw_syscall(SYS_tgkill, getpid(), raw_syscall(SYS_gettid), SIGPIPE);
}

/* What is done when nothing more can be; an error counts only if nothing was sent. */
static ssize_t send_loop(struct sock *s, const struct iovec *iov, int cnt, size_t len, int flags, size_t done)
{
	xtime deadline = 0;
	bool waits = call_may_block(s, flags);
	int down = (flags & SEND_FLAGS) | (waits ? 0 : MSG_DONTWAIT);
	struct engine_watch w = { .s = s->es, .events = POLLOUT };
	uint32_t revents = 0;
	ssize_t r;

	for (;;) {
		r = done && revents & BROKEN ? -EAGAIN : eng_send(s, iov, cnt, done, down);
		down |= ENGINE_SEND_ON;
		if (r >= 0)
			done += (size_t)r;
		else if (r != -EAGAIN)
			return done ? (ssize_t)done : r;
		if (done >= len && r >= 0)
			return (ssize_t)done;
		if (!waits || (done && revents & BROKEN))
			return done ? (ssize_t)done : -EAGAIN;
		if (!deadline)
			deadline = call_deadline(atomic_load(&s->sndtimeo));
		r = sleep_for(s, &w, deadline, done || flags & CALL_IS_PART);
		revents = w.revents;
		if (r)
			return done ? (ssize_t)done : r;
	}
}

/* kiocb_set_rw_flags() as MSG_ flags, or -errno; the others mean nothing to a socket. */
static int read_rw_flags(int flags)
{
	if (flags & ~RWF_KNOWN)
		return -EOPNOTSUPP;
	if ((flags & (RWF_APPEND | RWF_NOAPPEND)) == (RWF_APPEND | RWF_NOAPPEND))
		return -EINVAL;
	return (flags & RWF_NOWAIT ? MSG_DONTWAIT : 0) | (flags & RWF_NOSIGNAL ? MSG_NOSIGNAL : 0);
}

/* Whether this call has to make the connection. */
static bool is_opening(struct sock *s, int flags)
{
	return atomic_load(&s->is_deferred) || flags & MSG_FASTOPEN;
}

ssize_t call_sendto(struct sock *s, const struct iovec *iov, int cnt, int flags, const struct sockaddr *addr,
		    socklen_t addr_len)
{
	ssize_t len = total(iov, cnt), r = 0;
	bool is_bad = count_readable(iov, cnt) < cnt;
	struct sockaddr_storage given;
	size_t done = 0;

	if (len >= 0 && addr)
		r = addr_take(addr, addr_len, &given);
	if (len < 0 || r)
		return len < 0 ? len : r;
	if (is_bad) {           /* the socket's state comes first */
		cnt = 0;
		len = 0;
	}
	if (is_opening(s, flags)) {
		r = policy_connect(s, addr, addr_len);
		if (r)
			return r;
		r = call_fastopen(s, addr, addr_len, iov, cnt, flags, &done);
		if (r == -EINPROGRESS && done)
			return (ssize_t)done;
	}
	if (!r)
		r = done && done == (size_t)len ? len : send_loop(s, iov, cnt, (size_t)len, flags, done);
	if (is_bad && r >= 0)
		return -EFAULT;
	if (r == -EPIPE && !(flags & MSG_NOSIGNAL))
		raise_sigpipe();
	return r;
}

ssize_t call_send(struct sock *s, const struct iovec *iov, int cnt, int flags)
{
	return call_sendto(s, iov, cnt, flags, NULL, 0);
}

ssize_t call_writev(struct sock *s, const struct iovec *iov, int cnt, int flags)
{
	int r = cnt < 0 ? -EINVAL : call_check_vector(iov, (size_t)cnt, -EINVAL);
	ssize_t len = r ? r : total(iov, cnt);

	if (len <= 0)
		return len;
	r = read_rw_flags(flags);
	return r < 0 ? r : call_send(s, iov, cnt, r);
}

/* vfs_write(): the whole range is to be the program's, however much is taken. */
ssize_t call_write(struct sock *s, const void *buf, size_t len)
{
	struct iovec iov = { (void *)(uintptr_t)buf, MIN(len, CALL_RW_MAX) };

	return user_is_range(buf, len) ? call_send(s, &iov, 1, 0) : -EFAULT;
}

/* ---- receiving ---- */

/* Linux looks for something to read even when it is to read nothing. */
static ssize_t recv_once(struct sock *s, const struct iovec *iov, int cnt, size_t len, size_t done,
			 int flags, int *rflags)
{
	size_t peek_off = flags & MSG_PEEK ? done : 0;
	char byte;
	struct iovec one = { &byte, 1 };
	ssize_t r;

	if (len || flags & MSG_OOB)
		return eng_recv(s, iov, cnt, done, flags, peek_off, rflags);
	r = eng_recv(s, &one, 1, 0, flags | MSG_PEEK, 0, rflags);
	return r > 0 ? 0 : r;
}

/* After a partial transfer: is there an end that the next call should report? */
static bool is_over(struct sock *s, uint32_t revents, size_t peeked)
{
	int inq = 0;

	if (!(revents & (BROKEN | POLLRDHUP)))
		return false;
	return eng_query(s, ENGINE_INQ, &inq) < 0 || (size_t)inq <= peeked;
}

/* How many bytes are of no interest to one who peeks. */
static unsigned peeked_up_to(struct sock *s, size_t done)
{
	int off;
	socklen_t len = sizeof(off);

	if (!atomic_load_explicit(&s->has_peek_off, memory_order_relaxed) ||
	    eng_getopt(s, SOL_SOCKET, SO_PEEK_OFF, &off, &len) || off < 0)
		return (unsigned)done;
	return (unsigned)off;
}

static int wait_for_data(struct sock *s, int flags, size_t done, xtime deadline, uint32_t *revents)
{
	struct engine_watch w = { .s = s->es, .events = POLLIN | POLLRDHUP };
	int r;

	w.at_least = 1 + (flags & MSG_PEEK ? peeked_up_to(s, done) : 0);
	r = sleep_for(s, &w, deadline, done || flags & CALL_IS_PART);
	*revents = w.revents;
	return r;
}

static ssize_t recv_loop(struct sock *s, const struct iovec *iov, int cnt, size_t len, int flags,
			 int *rflags)
{
	int got = 0;
	bool waits = call_may_block(s, flags) && !(flags & MSG_OOB);
	int down = (flags & RECV_FLAGS) | (waits ? 0 : MSG_DONTWAIT);
	size_t lowat = (size_t)atomic_load(&s->rcvlowat), done = 0, target;
	uint32_t revents = 0;
	xtime deadline = 0;
	ssize_t r;

	target = flags & MSG_WAITALL || lowat > len ? len : lowat;
	for (;;) {
		r = recv_once(s, iov, cnt, len, done, down, &got);
		if (rflags)
			*rflags = got;
		if (r > 0)
			done += (size_t)r;
		else if (r != -EAGAIN || !waits)
			return done ? (ssize_t)done : r;
		if (r > 0 && (done >= target || !waits || flags & MSG_OOB || got & TCP_RECV_MARK))
			return (ssize_t)done;
		if (!deadline)
			deadline = call_deadline(atomic_load(&s->rcvtimeo));
		r = wait_for_data(s, flags, done, deadline, &revents);
		if (done && (r || is_over(s, revents, flags & MSG_PEEK ? done : 0)))
			return (ssize_t)done;
		if (r)
			return r;
	}
}

/* Nothing can be put where it should go: an error only once there is something. */
static ssize_t recv_nowhere(struct sock *s, int flags, int *rflags)
{
	ssize_t r = recv_loop(s, NULL, 0, 0, flags, rflags);
	int inq = 0;

	if (r)
		return r;
	return flags & MSG_OOB || (!eng_query(s, ENGINE_INQ, &inq) && inq) ? -EFAULT : 0;
}

ssize_t call_recv(struct sock *s, const struct iovec *iov, int cnt, int flags, int *rflags)
{
	ssize_t len = total(iov, cnt);
	int good = flags & MSG_TRUNC ? cnt : count_writable(iov, cnt);   /* what is thrown away needs no memory */

	if (len < 0)
		return len;
	if (flags & MSG_ERRQUEUE)
		return -EAGAIN;
	if (good == cnt)
		return recv_loop(s, iov, cnt, (size_t)len, flags, rflags);
	len = total(iov, good);
	return len ? recv_loop(s, iov, good, (size_t)len, flags, rflags) : recv_nowhere(s, flags, rflags);
}

/* vfs_read(), which doesn't care how long what isn't filled would be. */
ssize_t call_read(struct sock *s, void *buf, size_t len)
{
	struct iovec iov = { buf, MIN(len, CALL_RW_MAX) };

	return user_is_range(buf, len) ? call_readv(s, &iov, 1, 0) : -EFAULT;
}

/* sock_read_iter(): nothing to read is nothing to look for. */
ssize_t call_readv(struct sock *s, const struct iovec *iov, int cnt, int flags)
{
	int r = cnt < 0 ? -EINVAL : call_check_vector(iov, (size_t)cnt, -EINVAL);
	ssize_t len = r ? r : total(iov, cnt);

	if (len <= 0)
		return len;
	r = read_rw_flags(flags);
	return r < 0 ? r : call_recv(s, iov, cnt, r, NULL);
}
