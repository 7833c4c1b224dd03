/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_engine.c - each socket is a kernel socket that never blocks, under a high number.
 * A thread with an edge-triggered epoll set tells the mirrors what is new.
 *
 * System calls by number: this is linked with the wrappers that it is to test.
 */
#include "fake_engine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "engine.h"
#include "shim_peer.h"

#define SLOTS 4096
#define HIGH_FD 600
#define TICK_NS 1000000
#define ALL_EVENTS (POLLIN | POLLOUT | POLLPRI | POLLRDHUP | POLLRDNORM | POLLWRNORM)

struct slot {
	int fd;                  /* 0: free */
	uint32_t gen;
	void *mirror;
	uint32_t told;
	bool is_new;             /* connect() succeeded at once and nobody has heard */
};

struct engine {
	void (*ready)(void *user, uint32_t events, bool is_edge);
	int epfd;
	pthread_t thread;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct slot slots[SLOTS];
static struct engine the;
static unsigned count;
static int fail_open;
static __thread bool is_own_thread;
static __thread int saved_errno;

static long sys(long r)
{
	return r < 0 ? -errno : r;
}

unsigned fake_engine_count(void)
{
	return count;
}

void fake_engine_fail_open(int err)
{
	fail_open = err;
}

struct side_wire side_wire = { -1, "127.0.0.1", "192.0.2.1", "127.0.0.1", "192.0.2.1" };

void side_prepare(void)
{
}

/* ---- slots ---- */

static struct slot *find(engine_sock s)
{
	struct slot *slot = &slots[s & (SLOTS - 1)];

	return slot->fd && slot->gen == s >> 32 ? slot : NULL;
}

static int add(int fd, engine_sock *s)
{
	long high = sys(syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, HIGH_FD));
	unsigned i;

	syscall(SYS_close, fd);
	if (high < 0)
		return (int)high;
	for (i = 1; i < SLOTS && slots[i].fd; i++)
		;
	slots[i].fd = (int)high;
	slots[i].gen++;
	slots[i].mirror = NULL;
	slots[i].is_new = false;
	*s = (engine_sock)slots[i].gen << 32 | i;
	count++;
	return 0;
}

static uint32_t events_of(int fd)
{
	struct pollfd p = { .fd = fd, .events = ALL_EVENTS };

	syscall(SYS_poll, &p, 1, 0);
	return (uint16_t)p.revents;
}

static void tell(struct slot *slot, bool is_edge)
{
	uint32_t events;

	if (!slot->mirror)
		return;
	events = events_of(slot->fd);
	if (is_edge || events != slot->told)
		the.ready(slot->mirror, events, is_edge);
	slot->told = events;
}

static struct slot *enter(engine_sock s)
{
	saved_errno = errno;
	pthread_mutex_lock(&lock);
	return find(s);
}

static long leave(struct slot *slot, long r)
{
	if (slot && slot->fd)
		tell(slot, false);
	pthread_mutex_unlock(&lock);
	errno = saved_errno;
	return slot ? r : -EBADF;
}

/* ---- the thread ---- */

static void *run(void *arg)
{
	struct epoll_event ev[64];
	struct slot *slot;
	long i, n;

	is_own_thread = true;
	for (;;) {
		n = syscall(SYS_epoll_wait, the.epfd, ev, 64, -1);
		if (n < 0 && errno != EINTR)
			return arg;
		for (i = 0; i < n; i++) {
			slot = enter(ev[i].data.u64);
			if (slot)
				tell(slot, true);
			leave(slot, 0);
		}
	}
}

static int start(void)
{
	sigset_t all, old;
	int r;

	the.epfd = (int)syscall(SYS_epoll_create1, EPOLL_CLOEXEC);
	r = (int)syscall(SYS_fcntl, the.epfd, F_DUPFD_CLOEXEC, HIGH_FD);
	syscall(SYS_close, the.epfd);
	the.epfd = r;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&the.thread, NULL, run, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -r;
}

int engine_open(const struct engine_config *cfg, struct engine **e, char *err, size_t err_len)
{
	if (fail_open) {
		snprintf(err, err_len, "the fake engine was told to fail");
		return -fail_open;
	}
	the.ready = cfg->ready;
	*e = &the;
	return start();
}

void engine_close(struct engine *e)
{
	(void)e;
}

/* ---- opening ---- */

static void to_kernel(const struct sockaddr_in *a, struct sockaddr_in *k)
{
	uint32_t ip = ntohl(a->sin_addr.s_addr);

	*k = *a;
	if (ip >> 8 == 0xc00002)
		k->sin_addr.s_addr = htonl(0x7f000000 | (ip & 0xff));
}

static void from_kernel(struct sockaddr_in *a)
{
	uint32_t ip = ntohl(a->sin_addr.s_addr);

	if (ip >> 24 == 127)
		a->sin_addr.s_addr = htonl(0xc0000200 | (ip & 0xff));
}

int engine_socket(struct engine *e, engine_sock *s)
{
	long fd;
	int r;

	(void)e;
	enter(0);
	fd = sys(syscall(SYS_socket, AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
	r = fd < 0 ? (int)fd : add((int)fd, s);
	leave(NULL, 0);
	return r;
}

int engine_bind(struct engine *e, engine_sock s, const struct sockaddr_in *a, bool may_low)
{
	struct slot *slot = enter(s);
	struct sockaddr_in k;

	(void)e;
	(void)may_low;
	to_kernel(a, &k);
	return (int)leave(slot, slot ? sys(syscall(SYS_bind, slot->fd, &k, sizeof(k))) : 0);
}

int engine_connect(struct engine *e, engine_sock s, const struct sockaddr_in *a)
{
	struct slot *slot = enter(s);
	struct sockaddr_in k;
	long r = 0;

	(void)e;
	to_kernel(a, &k);
	if (slot) {
		r = sys(syscall(SYS_connect, slot->fd, &k, sizeof(k)));
		slot->is_new = !r;
	}
	return (int)leave(slot, r == -EINPROGRESS ? 0 : r);
}

/* The kernel's own second connect(). */
int engine_connect_result(struct engine *e, engine_sock s)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001) };
	struct slot *slot = enter(s);
	long r = 0;

	(void)e;
	if (slot && !slot->is_new)
		r = sys(syscall(SYS_connect, slot->fd, &any, sizeof(any)));
	if (slot)
		slot->is_new = false;
	return (int)leave(slot, r);
}

int engine_disconnect(struct engine *e, engine_sock s)
{
	struct sockaddr_in none = { .sin_family = AF_UNSPEC };
	struct slot *slot = enter(s);

	(void)e;
	return (int)leave(slot, slot ? sys(syscall(SYS_connect, slot->fd, &none, sizeof(none))) : 0);
}

int engine_listen(struct engine *e, engine_sock s, int backlog)
{
	struct slot *slot = enter(s);

	(void)e;
	return (int)leave(slot, slot ? sys(syscall(SYS_listen, slot->fd, backlog)) : 0);
}

int engine_accept(struct engine *e, engine_sock s, engine_sock *conn)
{
	struct slot *slot = enter(s);
	long r = -EBADF;

	(void)e;
	if (slot)
		r = sys(syscall(SYS_accept4, slot->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
	if (r >= 0)
		r = add((int)r, conn);
	return (int)leave(slot, r);
}

/* ---- data ---- */

/* iov without its first `skip` bytes. */
static int cut(const struct iovec *iov, int cnt, size_t skip, struct iovec *out)
{
	int n = 0;

	for (; cnt--; iov++) {
		size_t s = skip < iov->iov_len ? skip : iov->iov_len;

		skip -= s;
		out[n].iov_base = s ? (char *)iov->iov_base + s : iov->iov_base;
		out[n].iov_len = iov->iov_len - s;
		n += out[n].iov_len != 0;
	}
	return n;
}

ssize_t engine_send(struct engine *e, engine_sock s, const struct iovec *iov, int iovcnt,
		    size_t skip, int flags)
{
	struct slot *slot = enter(s);
	struct iovec v[IOV_MAX];
	struct msghdr m = { .msg_iov = v };
	long r = 0;

	(void)e;
	m.msg_iovlen = (size_t)cut(iov, iovcnt, skip, v);
	if (slot)
		r = sys(syscall(SYS_sendmsg, slot->fd, &m, (flags & ~ENGINE_SEND_ON) | MSG_DONTWAIT | MSG_NOSIGNAL));
	return leave(slot, r);
}

static long peek_from(int fd, const struct iovec *v, int n, int flags, size_t off)
{
	static char buf[1 << 20];
	struct iovec one = { buf, off };
	struct msghdr m = { .msg_iov = &one, .msg_iovlen = 1 };
	char *p = buf + off;
	long r, left;
	int i;

	for (i = 0; i < n; i++)
		one.iov_len += v[i].iov_len;
	r = sys(syscall(SYS_recvmsg, fd, &m, flags | MSG_DONTWAIT));
	if (r < 0)
		return r;
	if ((size_t)r <= off)
		return -EAGAIN;
	r -= (long)off;
	for (i = 0, left = r; i < n && left; i++) {
		size_t c = v[i].iov_len < (size_t)left ? v[i].iov_len : (size_t)left;

		memcpy(v[i].iov_base, p, c);
		p += c;
		left -= (long)c;
	}
	return r;
}

ssize_t engine_recv(struct engine *e, engine_sock s, const struct iovec *iov, int iovcnt,
		    size_t skip, int flags, size_t peek_off, int *rflags)
{
	struct slot *slot = enter(s);
	struct iovec v[IOV_MAX];
	struct msghdr m = { .msg_iov = v };
	long r = 0;

	(void)e;
	m.msg_iovlen = (size_t)cut(iov, iovcnt, skip, v);
	if (slot && peek_off)
		r = peek_from(slot->fd, v, (int)m.msg_iovlen, flags, peek_off);
	else if (slot)
		r = sys(syscall(SYS_recvmsg, slot->fd, &m, flags | MSG_DONTWAIT));
	if (rflags && r >= 0)
		*rflags = m.msg_flags & MSG_OOB;
	return leave(slot, r);
}

int engine_shutdown(struct engine *e, engine_sock s, int how)
{
	struct slot *slot = enter(s);

	(void)e;
	return (int)leave(slot, slot ? sys(syscall(SYS_shutdown, slot->fd, how)) : 0);
}

int engine_shut(struct engine *e, engine_sock s)
{
	return engine_shutdown(e, s, SHUT_RDWR);
}

int engine_release(struct engine *e, engine_sock s)
{
	struct linger none = { 0, 0 };
	struct slot *slot = enter(s);

	(void)e;
	if (slot) {
		struct linger l;
		socklen_t len = sizeof(l);

		syscall(SYS_getsockopt, slot->fd, SOL_SOCKET, SO_LINGER, &l, &len);
		if (l.l_linger)
			syscall(SYS_setsockopt, slot->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
		syscall(SYS_close, slot->fd);
		slot->fd = 0;
		slot->mirror = NULL;
		count--;
	}
	return (int)leave(slot, 0);
}

/* ---- asking ---- */

static int name_of(engine_sock s, long nr, struct sockaddr_in *a)
{
	struct slot *slot = enter(s);
	socklen_t len = sizeof(*a);
	long r = slot ? sys(syscall(nr, slot->fd, a, &len)) : 0;

	if (slot && !r)
		from_kernel(a);
	return (int)leave(slot, r);
}

int engine_sockname(struct engine *e, engine_sock s, struct sockaddr_in *a)
{
	(void)e;
	return name_of(s, SYS_getsockname, a);
}

int engine_peername(struct engine *e, engine_sock s, struct sockaddr_in *a)
{
	(void)e;
	return name_of(s, SYS_getpeername, a);
}

int engine_setopt(struct engine *e, engine_sock s, int level, int name, const void *val,
		  socklen_t len, bool may_admin)
{
	struct slot *slot = enter(s);

	(void)e;
	(void)may_admin;
	return (int)leave(slot, slot ? sys(syscall(SYS_setsockopt, slot->fd, level, name, val, len)) : 0);
}

int engine_getopt(struct engine *e, engine_sock s, int level, int name, void *val, socklen_t *len)
{
	struct slot *slot = enter(s);

	(void)e;
	return (int)leave(slot, slot ? sys(syscall(SYS_getsockopt, slot->fd, level, name, val, len)) : 0);
}

/* What TCP_CM_INQ would say, from the kernel's other answers. */
static long inq_hint(int fd, int *val)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };
	struct timespec none = { 0, 0 };
	socklen_t len = sizeof(*val);
	long r = sys(syscall(SYS_getsockopt, fd, IPPROTO_TCP, TCP_INQ, val, &len));

	if (r < 0 || !*val)
		return r < 0 ? r : -ENODATA;
	r = sys(syscall(SYS_ioctl, fd, SIOCINQ, val));
	if (!r && !*val && syscall(SYS_ppoll, &p, 1, &none, NULL, 8) == 1)
		*val = 1;
	return r;
}

int engine_query(struct engine *e, engine_sock s, enum engine_query q, int *val)
{
	static const unsigned long cmds[] = {
		[ENGINE_INQ] = SIOCINQ, [ENGINE_OUTQ] = SIOCOUTQ,
		[ENGINE_OUTQ_UNSENT] = SIOCOUTQNSD, [ENGINE_ATMARK] = SIOCATMARK,
	};
	struct slot *slot = enter(s);
	struct linger l = { 0, 0 };
	socklen_t len = sizeof(l);
	long r = 0;

	(void)e;
	if (slot && q == ENGINE_LINGER) {
		r = sys(syscall(SYS_getsockopt, slot->fd, SOL_SOCKET, SO_LINGER, &l, &len));
		*val = l.l_onoff ? l.l_linger : -1;
	} else if (slot && q == ENGINE_INQ_HINT) {
		r = inq_hint(slot->fd, val);
	} else if (slot) {
		r = sys(syscall(SYS_ioctl, slot->fd, cmds[q], val));
	}
	return (int)leave(slot, r);
}

int engine_mirror(struct engine *e, engine_sock s, void *user)
{
	struct slot *slot = enter(s);
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET };

	(void)e;
	if (slot) {
		ev.data.u64 = s;
		syscall(SYS_epoll_ctl, the.epfd, user ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, slot->fd, &ev);
		slot->mirror = user;
		slot->told = ~0u;
	}
	return (int)leave(slot, 0);
}

/* ---- waiting ---- */

static uint32_t extra_events(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	memset(&info, 0, sizeof(info));
	syscall(SYS_getsockopt, fd, IPPROTO_TCP, TCP_INFO, &info, &len);
	switch (info.tcpi_state) {
	case TCP_SYN_SENT:
	case TCP_SYN_RECV:
		return 0;
	case TCP_FIN_WAIT1:
	case TCP_CLOSING:
	case TCP_LAST_ACK:
		return TCP_EV_CONNECTED;
	case TCP_ESTABLISHED:
	case TCP_CLOSE_WAIT:
		return TCP_EV_CONNECTED;
	default:
		return TCP_EV_CONNECTED | TCP_EV_CLOSED;
	}
}

uint32_t engine_events(struct engine *e, engine_sock s)
{
	struct slot *slot = enter(s);
	uint32_t events = slot ? events_of(slot->fd) | extra_events(slot->fd) : POLLNVAL;

	(void)e;
	leave(slot, 0);
	return events;
}

static uint32_t ready_now(const struct engine_watch *w)
{
	struct slot *slot = enter(w->s);
	uint32_t events = POLLNVAL, always = w->events & 0xffff ? POLLERR | POLLHUP : 0;
	int have = 0;

	if (slot) {
		events = events_of(slot->fd) | extra_events(slot->fd);
		if (w->at_least && !(events & (POLLRDHUP | POLLERR | POLLHUP))) {
			syscall(SYS_ioctl, slot->fd, SIOCINQ, &have);
			events &= ~(uint32_t)POLLIN;
			events |= have >= (int)w->at_least ? POLLIN : 0;
		}
		events &= w->events | always;
	}
	leave(slot, 0);
	return events;
}

/* Looks at everything once a millisecond: slow, but what is waited for needs no thought. */
void engine_look(struct engine *e)
{
	(void)e;
}

void engine_news_come(const struct engine_news *news)
{
	(void)news;
}

void engine_inform(struct engine *e, void (*fn)(void *user), void *user)
{
	(void)e;
	pthread_mutex_lock(&lock);
	fn(user);
	pthread_mutex_unlock(&lock);
}

static int have_come(const struct engine_news *news)
{
	bool has;

	if (!news)
		return 0;
	pthread_mutex_lock(&lock);
	has = news->has_come(news->user);
	pthread_mutex_unlock(&lock);
	return has;
}

int engine_wait(struct engine *e, struct engine_watch *w, unsigned nw, struct pollfd *extra,
		unsigned nextra, xtime deadline, const sigset_t *mask)
{
	return engine_wait_news(e, NULL, w, nw, extra, nextra, deadline, mask);
}

int engine_wait_news(struct engine *e, struct engine_news *news, struct engine_watch *w, unsigned nw,
		     struct pollfd *extra, unsigned nextra, xtime deadline, const sigset_t *mask)
{
	struct timespec tick;
	xtime left;
	unsigned i;
	int n;

	(void)e;
	for (;;) {
		n = have_come(news);
		for (i = 0; i < nw; i++) {
			w[i].revents = ready_now(&w[i]);
			n += w[i].revents != 0;
		}
		left = deadline - engine_now();
		left = left < 0 ? 0 : left;
		tick.tv_sec = 0;
		tick.tv_nsec = n ? 0 : left < TICK_NS ? left : TICK_NS;
		i = (unsigned)sys(syscall(SYS_ppoll, extra, nextra, &tick, mask, 8));
		if ((int)i < 0)
			return n ? n : (int)i;
		n += (int)i;
		if (n || !left)
			return n;
	}
}

xtime engine_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * XTIME_SEC + ts.tv_nsec;
}

/* ---- process life: the kernel does it all ---- */

bool engine_quiesce(struct engine *e)
{
	(void)e;
	return true;
}

bool engine_end(struct engine *e)
{
	(void)e;
	return false;
}

void engine_carry_on(struct engine *e)
{
	(void)e;
}

void engine_fork_prepare(struct engine *e)
{
	(void)e;
	pthread_mutex_lock(&lock);
}

void engine_fork_done(struct engine *e)
{
	(void)e;
	pthread_mutex_unlock(&lock);
}

void engine_forget(struct engine *e)
{
	unsigned i;

	for (i = 0; i < SLOTS; i++) {
		if (slots[i].fd)
			syscall(SYS_close, slots[i].fd);
		slots[i].fd = 0;
	}
	syscall(SYS_close, the.epfd);
	count = 0;
	engine_fork_done(e);
}

unsigned engine_fds(const struct engine *e, int *fds, unsigned n)
{
	unsigned i, have = 0;

	(void)e;
	pthread_mutex_lock(&lock);
	if (n)
		fds[have++] = the.epfd;
	for (i = 0; i < SLOTS && have < n; i++) {
		if (slots[i].fd)
			fds[have++] = slots[i].fd;
	}
	pthread_mutex_unlock(&lock);
	return have;
}

bool engine_is_own_thread(void)
{
	return is_own_thread;
}

/* The kernel that the fake stands on has no SYN with data here. */
int engine_fastopen(struct engine *e, engine_sock s, const struct sockaddr_in *a, const struct iovec *iov,
		    int iovcnt, bool waits, size_t *copied)
{
	(void)e, (void)s, (void)a, (void)iov, (void)iovcnt, (void)waits;
	*copied = 0;
	return -EOPNOTSUPP;
}

int engine_stats(struct engine *e, char *buf, size_t len)
{
	(void)e;
	return snprintf(buf, len, "fake\n");
}

int engine_describe(struct engine *e, char *buf, size_t len)
{
	(void)e;
	return snprintf(buf, len, "a fake engine");
}

/* ---- bridging: the program gets the kernel's socket itself ---- */

int engine_bridge(struct engine *e, engine_sock s, bool is_v6, int *fd)
{
	struct slot *slot = enter(s);
	socklen_t len = sizeof(struct tcp_info);
	struct tcp_info info = { 0 };
	long r = -ENOTCONN;

	(void)e;
	(void)is_v6;
	if (slot) {
		syscall(SYS_getsockopt, slot->fd, IPPROTO_TCP, TCP_INFO, &info, &len);
		if (info.tcpi_state != TCP_CLOSE && info.tcpi_state != TCP_SYN_SENT)
			r = sys(syscall(SYS_fcntl, slot->fd, F_DUPFD_CLOEXEC, HIGH_FD));
	}
	if (r >= 0) {
		*fd = (int)r;
		syscall(SYS_fcntl, r, F_SETFL, 0);
		syscall(SYS_close, slot->fd);
		slot->fd = 0;
		count--;
		r = 0;
	}
	pthread_mutex_unlock(&lock);
	errno = saved_errno;
	return slot ? (int)r : -EBADF;
}
