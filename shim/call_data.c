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
#include <netinet/tcp.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>

#include "eng.h"
#include "log.h"
#include "policy.h"
#include "rawcall.h"
#include "real.h"
#include "signal.h"

#define SEND_FLAGS (MSG_MORE | MSG_OOB | MSG_EOR | MSG_DONTWAIT)
#define RECV_FLAGS (MSG_PEEK | MSG_TRUNC | MSG_OOB | MSG_DONTWAIT)
#define BROKEN (POLLERR | POLLHUP)
#define SENDFILE_CHUNK 32768
#define RW_MAX 0x7ffff000         /* MAX_RW_COUNT of Linux */

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
#define SLEEPERS_MAX 8

struct sleeper {
	struct sock *s;
	uintptr_t frame;
};

static __thread struct {
	unsigned n;
	struct sleeper v[SLEEPERS_MAX];
} sleepers __attribute__((tls_model("initial-exec")));

/* Frames on an alternate signal stack can't be compared with others. */
static bool is_on_altstack(void)
{
	stack_t ss;

	return sigaltstack(NULL, &ss) == 0 && ss.ss_flags & SS_ONSTACK;
}

void call_reap_sleepers(void)
{
	uintptr_t frame = (uintptr_t)__builtin_frame_address(0);

	while (sleepers.n && sleepers.v[sleepers.n - 1].frame <= frame && !is_on_altstack())
		sock_put(sleepers.v[--sleepers.n].s);
}

static void drop(void *s)
{
	sock_put(s);
}

/* is_part: the call has something to report already, so any handler ends it. */
static int sleep_for(struct sock *s, struct engine_watch *w, xtime deadline, bool is_part)
{
	unsigned depth;
	struct signal_self before = { .handled = signal_self.handled,
				      .breaking = signal_self.breaking };
	int r;

	if (!s->es)
		return eng_lost(s);
	call_reap_sleepers();
	pthread_cleanup_push(drop, s);
	pthread_testcancel();
	pthread_cleanup_pop(0);
	depth = sleepers.n;
	if (depth < SLEEPERS_MAX) {
		sleepers.v[depth] = (struct sleeper){ s, (uintptr_t)__builtin_frame_address(0) };
		sleepers.n++;
	}
	do {
		r = eng_wait(w, 1, NULL, 0, deadline, NULL);
	} while (r == -EINTR && !signal_breaks(&before, deadline == XTIME_NEVER && !is_part));
	sleepers.n = depth;
	return r > 0 ? 0 : r < 0 ? r : -EAGAIN;
}

int call_sleep(struct sock *s, uint32_t events, xtime deadline)
{
	struct engine_watch w = { .s = s->es, .events = events };

	return sleep_for(s, &w, deadline, false);
}

/* ---- vectors ---- */

/* import_iovec(): the whole length, or -errno.  Only what is thrown away needs no buffer. */
static ssize_t total(const struct iovec *iov, int cnt, bool is_thrown_away)
{
	size_t sum = 0;
	int i;

	for (i = 0; i < cnt; i++) {
		if ((ssize_t)iov[i].iov_len < 0)
			return -EINVAL;
		if (!iov[i].iov_base && iov[i].iov_len && !is_thrown_away)
			return -EFAULT;
		if (iov[i].iov_len > RW_MAX - sum)
			return RW_MAX;
		sum += iov[i].iov_len;
	}
	return (ssize_t)sum;
}

static int check_vector(const struct iovec *iov, size_t cnt, int too_many)
{
	if (cnt > IOV_MAX)
		return too_many;
	return !iov && cnt ? -EFAULT : 0;
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
		r = sleep_for(s, &w, deadline, done != 0);
		revents = w.revents;
		if (r)
			return done ? (ssize_t)done : r;
	}
}

/* Whether this call has to make the connection. */
static bool is_opening(struct sock *s, int flags)
{
	return atomic_load(&s->is_deferred) ||
	       (flags & MSG_FASTOPEN && atomic_load(&s->state) != SOCK_CONNECTED);
}

ssize_t call_sendto(struct sock *s, const struct iovec *iov, int cnt, int flags, const struct sockaddr *addr,
		    socklen_t addr_len)
{
	ssize_t len = total(iov, cnt, false), r = 0;
	size_t done = 0;

	if (len < 0)
		return len;
	if (is_opening(s, flags)) {
		r = policy_connect(s, addr, addr_len);
		if (r)
			return r;
		r = call_fastopen(s, addr, addr_len, iov, cnt, flags, &done);
		if (r == -EINPROGRESS && done)
			return (ssize_t)done;
	}
	if (!r || r == -EISCONN)
		r = done && done == (size_t)len ? len : send_loop(s, iov, cnt, (size_t)len, flags, done);
	if (r == -EPIPE && !(flags & MSG_NOSIGNAL))
		raise_sigpipe();
	return r;
}

ssize_t call_send(struct sock *s, const struct iovec *iov, int cnt, int flags)
{
	return call_sendto(s, iov, cnt, flags, NULL, 0);
}

/* The address is ignored on a connected socket, control messages for AF_UNIX are too. */
ssize_t call_sendmsg(struct sock *s, const struct msghdr *msg, int flags)
{
	int r = msg ? check_vector(msg->msg_iov, msg->msg_iovlen, -EMSGSIZE) : -EFAULT;

	return r ? r : call_sendto(s, msg->msg_iov, (int)msg->msg_iovlen, flags, msg->msg_name, msg->msg_namelen);
}

int call_sendmmsg(struct sock *s, struct mmsghdr *v, unsigned n, int flags)
{
	unsigned i;
	ssize_t r = 0;

	for (i = 0; i < n && i < IOV_MAX; i++) {
		r = call_sendmsg(s, &v[i].msg_hdr, flags);
		if (r < 0)
			break;
		v[i].msg_len = (unsigned)r;
	}
	return i ? (int)i : (int)r;
}

ssize_t call_writev(struct sock *s, const struct iovec *iov, int cnt)
{
	int r = cnt < 0 ? -EINVAL : check_vector(iov, (size_t)cnt, -EINVAL);

	return r ? r : call_send(s, iov, cnt, 0);
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
	r = sleep_for(s, &w, deadline, done != 0);
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

ssize_t call_recv(struct sock *s, const struct iovec *iov, int cnt, int flags, int *rflags)
{
	ssize_t len = total(iov, cnt, flags & MSG_TRUNC);

	if (len < 0)
		return len;
	if (flags & MSG_ERRQUEUE)
		return -EAGAIN;
	return recv_loop(s, iov, cnt, (size_t)len, flags, rflags);
}

/* put_cmsg() of TCP_INQ's answer; a buffer that is too small for it loses it. */
static void put_inq(struct sock *s, struct msghdr *msg)
{
	struct cmsghdr *m = msg->msg_control;
	size_t room = msg->msg_controllen;
	int inq;

	msg->msg_controllen = 0;
	if (!m || room < sizeof(*m) || eng_query(s, ENGINE_INQ_HINT, &inq) < 0)
		return;
	if (room < CMSG_LEN(sizeof(inq)))
		msg->msg_flags |= MSG_CTRUNC;
	m->cmsg_level = IPPROTO_TCP;
	m->cmsg_type = TCP_CM_INQ;
	m->cmsg_len = MIN(room, CMSG_LEN(sizeof(inq)));
	memcpy(CMSG_DATA(m), &inq, m->cmsg_len - CMSG_LEN(0));
	msg->msg_controllen = MIN(room, CMSG_SPACE(sizeof(inq)));
}

ssize_t call_recvmsg(struct sock *s, struct msghdr *msg, int flags)
{
	int r = msg ? check_vector(msg->msg_iov, msg->msg_iovlen, -EMSGSIZE) : -EFAULT, rflags = 0;
	ssize_t n;

	if (r)
		return r;
	n = call_recv(s, msg->msg_iov, (int)msg->msg_iovlen, flags, &rflags);
	if (n < 0)
		return n;
	if (msg->msg_name)
		msg->msg_namelen = 0;
	msg->msg_flags = (flags & MSG_CMSG_CLOEXEC) | (rflags & (MSG_OOB | MSG_TRUNC));
	put_inq(s, msg);
	return n;
}

/* The time-out is looked at after each message only, as in Linux. */
int call_recvmmsg(struct sock *s, struct mmsghdr *v, unsigned n, int flags, struct timespec *timeout)
{
	xtime end = XTIME_NEVER;
	unsigned i;
	ssize_t r = 0;

	if (timeout) {
		if (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= XTIME_SEC)
			return -EINVAL;
		end = engine_now() + timeout->tv_sec * XTIME_SEC + timeout->tv_nsec;
	}
	for (i = 0; i < n; i++) {
		r = call_recvmsg(s, &v[i].msg_hdr, flags & ~MSG_WAITFORONE);
		if (r < 0)
			break;
		v[i].msg_len = (unsigned)r;
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
		if (timeout && engine_now() >= end) {
			i++;
			break;
		}
	}
	if (timeout && i) {
		xtime left = end - engine_now();

		left = left > 0 ? left : 0;
		timeout->tv_sec = left / XTIME_SEC;
		timeout->tv_nsec = left % XTIME_SEC;
	}
	return i ? (int)i : (int)r;
}

/* sock_read_iter(): nothing to read is nothing to look for. */
ssize_t call_readv(struct sock *s, const struct iovec *iov, int cnt)
{
	int r = cnt < 0 ? -EINVAL : check_vector(iov, (size_t)cnt, -EINVAL);

	if (r)
		return r;
	return total(iov, cnt, false) == 0 ? 0 : call_recv(s, iov, cnt, 0, NULL);
}

/* ---- sendfile ---- */

/* By way of a buffer; reads only at offsets, so what isn't sent stays in the file. */
ssize_t call_sendfile(struct sock *s, int in, off_t *offset, size_t count)
{
	char buf[SENDFILE_CHUNK];
	off_t at = offset ? *offset : lseek(in, 0, SEEK_CUR);
	size_t done = 0;
	ssize_t n, r = 0;

	if (at < 0)
		return offset || errno == EBADF ? (offset ? -EINVAL : -EBADF) : -EINVAL;
	if (count > RW_MAX)
		count = RW_MAX;
	while (done < count) {
		n = pread(in, buf, count - done < sizeof(buf) ? count - done : sizeof(buf),
			  at + (off_t)done);
		if (n <= 0) {
			r = n < 0 ? (errno == ESPIPE ? -EINVAL : -errno) : 0;
			break;
		}
		r = call_send(s, &(struct iovec){ buf, (size_t)n }, 1, 0);
		if (r < 0)
			break;
		done += (size_t)r;
		if (r < n)
			break;
	}
	if (!done)
		return r < 0 ? r : 0;
	at += (off_t)done;
	if (offset)
		*offset = at;
	else
		lseek(in, at, SEEK_SET);
	return (ssize_t)done;
}
