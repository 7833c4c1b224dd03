/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * callprobe_signal.c - signals that come while a call sleeps: what it returns, by signal(7), and when the handler runs.
 */
#include "callprobe_sleep.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t handled;

static void count(int sig)
{
	(void)sig;
	handled++;
}

static void install(int sig, int flags)
{
	struct sigaction sa = { .sa_handler = count, .sa_flags = flags };

	sigaction(sig, &sa, NULL);
	handled = 0;
}

static sigset_t only(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	return set;
}

static void block(int sig)
{
	sigset_t set = only(sig);

	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void unblock(int sig)
{
	sigset_t set = only(sig);

	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static bool is_pending(int sig)
{
	sigset_t set;

	sigpending(&set);
	return sigismember(&set, sig);
}

static bool is_blocked(int sig)
{
	sigset_t set;

	pthread_sigmask(SIG_BLOCK, NULL, &set);
	return sigismember(&set, sig);
}

/* ---- another thread, that sends a signal to one in a call, and then does what ends it ---- */

enum then { NOTHING, SEND, DRAIN };

struct poker {
	struct job me;           /* who is in the call */
	enum then then;
	bool is_blocked;         /* the handler can't run */
	pthread_t thread;
};

static void *poke(void *arg)
{
	struct poker *p = arg;

	probe_until_asleep(&p->me);
	pthread_kill(p->me.thread, SIGUSR1);
	while (!p->is_blocked && !handled)
		probe_nap();
	if (p->then == NOTHING)
		return NULL;
	probe_until_asleep(&p->me);
	if (p->then == SEND)
		send(p->me.fd, "restart---", 10, 0);
	else
		probe_drain(p->me.fd, &p->me.is_over);
	return NULL;
}

static void start_poker(struct poker *p, const struct sleeper *v, int fd, enum then then, bool is_blocked)
{
	*p = (struct poker){ .me = { .what = v, .fd = fd, .tid = gettid(), .thread = pthread_self() }, .then = then,
			     .is_blocked = is_blocked };
	if (pthread_create(&p->thread, NULL, poke, p))
		exit(1);
}

/* Some bytes of many are some: how many fit is nobody's business. */
static long poked(const struct sleeper *v, int fd, enum then then, bool is_blocked)
{
	struct poker p;
	long r;
	int err;

	errno = 0;
	start_poker(&p, v, fd, then, is_blocked);
	r = v->call(fd);
	err = errno;
	p.me.is_over = true;
	pthread_join(p.thread, NULL);
	errno = r < 0 ? err : 0;
	return r > 16 && r < PROBE_OUT_MAX ? 16 : r;
}

/* ---- the masks of ppoll() and its like ---- */

static const sigset_t *mask;
static const struct timespec *timeout;

static long with_ppoll(int fd) { return ppoll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, timeout, mask); }

static long with_pselect(int fd)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	return pselect(fd + 1, &set, NULL, NULL, timeout, mask);
}

static long with_epoll_pwait(int fd)
{
	struct epoll_event ev;

	return epoll_pwait(probe_epoll_of(fd), &ev, 1, timeout ? (int)timeout->tv_sec * 1000 : -1, mask);
}

static long with_epoll_pwait2(int fd)
{
	struct epoll_event ev;

	return epoll_pwait2(probe_epoll_of(fd), &ev, 1, timeout, mask);
}

static const struct sleeper maskers[] = {
	{ "ppoll", with_ppoll, true }, { "pselect", with_pselect, true }, { "epoll_pwait", with_epoll_pwait, true },
	{ "epoll_pwait2", with_epoll_pwait2, true }, { NULL, NULL, false },
};

/* One that waits when the call opens the mask for it. */
static void mask_opens(const struct sleeper *v, int fd, const char *what)
{
	long r;
	int err;

	handled = 0;
	raise(SIGUSR1);
	r = v->call(fd);
	err = errno;
	errno = r < 0 ? err : 0;
	probe_result(v->name, r, "%s: handled %d, pending %d, blocked %d", what, handled, is_pending(SIGUSR1),
		     is_blocked(SIGUSR1));
	unblock(SIGUSR1);
	block(SIGUSR1);
}

static void masked(const struct sleeper *v, int fd)
{
	static const struct timespec none, long_time = { 10, 0 };
	sigset_t empty, full;
	long r;

	sigemptyset(&empty);
	sigfillset(&full);
	mask = &empty;
	block(SIGUSR1);
	timeout = &long_time;
	mask_opens(v, fd, "while nothing is ready");
	timeout = &none;
	mask_opens(v, fd, "without a sleep");
	timeout = NULL;
	handled = 0;
	r = poked(v, fd, NOTHING, false);
	probe_result(v->name, r, "in its sleep: handled %d, blocked %d", handled, is_blocked(SIGUSR1));
	unblock(SIGUSR1);
	mask = &full;
	handled = 0;
	r = poked(v, fd, SEND, true);
	probe_result(v->name, r, "kept away: handled %d, blocked %d", handled, is_blocked(SIGUSR1));
	mask = &empty;
	block(SIGUSR1);
	mask_opens(v, fd, "while something is ready");
	unblock(SIGUSR1);
}

static void masks(enum state st)
{
	const struct sleeper *v;
	int fd;

	install(SIGUSR1, SA_RESTART);
	for (v = maskers; v->name; v++) {
		fd = probe_open(st);
		masked(v, fd);
		close(fd);
	}
}

/* ---- blocked in the thread ---- */

static void blocked(enum state st)
{
	const struct sleeper *v;
	long r;
	int fd;

	install(SIGUSR1, 0);
	for (v = probe_receivers; v->name; v++) {
		fd = probe_open(st);
		block(SIGUSR1);
		handled = 0;
		r = poked(v, fd, SEND, true);
		probe_result(v->name, r, "handled %d, pending %d", handled, is_pending(SIGUSR1));
		unblock(SIGUSR1);
		TRY(handled);
		close(fd);
	}
}

/* ---- interrupted ---- */

static void send_interrupted(const struct sleeper *v, int flags, int seconds, enum then then)
{
	const struct timeval tv = { seconds, 0 };
	int fd = probe_open_small(v), i;
	long r = 1;

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	for (i = 0; i < PROBE_TRIES && r > 0; i++) {
		probe_fill(fd);
		install(SIGUSR1, flags);
		r = poked(v, fd, then, false);
		if (then == DRAIN)
			break;
	}
	probe_result(v->name, r, "handled %d, restarts %d, timeo %d", handled, flags == SA_RESTART, seconds);
	close(fd);
}

static void sending(enum state st)
{
	const struct sleeper *v;

	(void)st;
	for (v = probe_senders; v->name; v++)
		send_interrupted(v, 0, 0, NOTHING);
}

static void sending_on(enum state st)
{
	const struct sleeper *v;

	(void)st;
	for (v = probe_senders; v->name; v++)
		send_interrupted(v, SA_RESTART, 0, DRAIN);
}

static void sending_in_time(enum state st)
{
	const struct sleeper *v;

	(void)st;
	for (v = probe_senders; v->name; v++)
		send_interrupted(v, SA_RESTART, 15, NOTHING);
}

/* ---- with something done already ---- */

static long recv_two(int fd)
{
	char a[4], b[4];
	struct iovec ia = { a, 4 }, ib = { b, 4 };
	struct mmsghdr m[2] = { { .msg_hdr = { .msg_iov = &ia, .msg_iovlen = 1 } },
				{ .msg_hdr = { .msg_iov = &ib, .msg_iovlen = 1 } } };

	return recvmmsg(fd, m, 2, 0, NULL);
}

static long send_two(int fd)
{
	static char much[PROBE_OUT_MAX];
	struct iovec ia = { much, 1 }, ib = { much, sizeof(much) };
	struct mmsghdr m[3] = { { .msg_hdr = { .msg_iov = &ia, .msg_iovlen = 1 } },
				{ .msg_hdr = { .msg_iov = &ib, .msg_iovlen = 1 } },
				{ .msg_hdr = { .msg_iov = &ia, .msg_iovlen = 1 } } };

	return sendmmsg(fd, m, 3, 0);
}

static const struct sleeper partial_receivers[] = {
	{ "MSG_WAITALL", probe_waitall, false }, { "recvmmsg of two", recv_two, false }, { NULL, NULL, false },
};
static const struct sleeper send_several = { "sendmmsg of three", send_two, false };

static void send_partly(const struct sleeper *v, int flags)
{
	int fd = probe_open_small(v);
	long r;

	install(SIGUSR1, flags);
	r = poked(v, fd, NOTHING, false);
	probe_result(v->name, r, "handled %d, restarts %d", handled, flags == SA_RESTART);
	close(fd);
}

static void partly(enum state st)
{
	const struct sleeper *v;
	int fd, flags;
	long r;

	probe_out_bytes = PROBE_OUT_MAX;
	for (flags = 0;; flags = SA_RESTART) {
		for (v = partial_receivers; v->name; v++) {
			fd = probe_open(CONNECTED);
			send(fd, "some", 4, 0);
			probe_arrives(fd, 4);
			install(SIGUSR1, flags);
			r = poked(v, fd, NOTHING, false);
			probe_result(v->name, r, "handled %d, restarts %d", handled, flags == SA_RESTART);
			close(fd);
		}
		for (v = probe_senders; v->name; v++)
			send_partly(v, flags);
		send_partly(&send_several, flags);
		if (flags)
			break;
	}
	probe_out_bytes = 1;
	(void)st;
}

/* ---- connect() ---- */

/* The peer takes a connection at the next "GO" only. */
static int late_peer(struct sockaddr_storage *to)
{
	int fd = probe_open(CONNECTED);
	char port[6] = "";

	send(fd, "LATE", 4, 0);
	recv(fd, port, 5, MSG_WAITALL);
	*to = probe_server;
	((struct sockaddr_in *)to)->sin_port = htons((uint16_t)atoi(port));
	return fd;
}

static struct sockaddr_storage late;

static long connect_late(int fd)
{
	return connect(fd, (struct sockaddr *)&late, probe_addr_len);
}

static const struct sleeper connecting = { "connect", connect_late, false };

struct letter {
	struct poker poker;
	int ask;
};

/* The signal, and once the call sleeps again the peer is told to take the connection. */
static void *poke_and_let(void *arg)
{
	struct letter *l = arg;

	poke(&l->poker);
	probe_until_asleep(&l->poker.me);
	send(l->ask, "GO", 2, 0);
	return NULL;
}

static void connect_interrupted(int ask, int flags, int seconds)
{
	struct letter l = { .poker = { .me = { .tid = gettid(), .thread = pthread_self() } }, .ask = ask };
	bool restarts = flags && !seconds;
	const struct timeval tv = { seconds, 0 };
	int fd = probe_open(FRESH);

	l.poker.me.fd = fd;
	install(SIGUSR1, flags);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	pthread_create(&l.poker.thread, NULL, restarts ? poke_and_let : poke, &l.poker);
	TRY_MORE(connect_late(fd), "handled %d, restarts %d, timeo %d", handled, restarts, seconds);
	pthread_join(l.poker.thread, NULL);
	if (!restarts) {
		fcntl(fd, F_SETFL, O_NONBLOCK);
		TRY(connect_late(fd));
		TRY(poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, 0));
		send(ask, "GO", 2, 0);
		TRY(poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, 10000));
		TRY(connect_late(fd));
	}
	TRY(connect_late(fd));
	TRY(send(fd, "x", 1, 0));
	close(fd);
}

/* It goes on by itself, whatever becomes of the call. */
static void connects(enum state st)
{
	int ask = late_peer(&late);

	(void)st;
	connect_interrupted(ask, 0, 0);
	connect_interrupted(ask, SA_RESTART, 0);
	connect_interrupted(ask, SA_RESTART, 15);
}

/* A second connect() that blocks waits for the first. */
static void connects_again(enum state st)
{
	int ask = late_peer(&late), fd = probe_open(FRESH);
	struct letter l = { .poker = { .me = { .what = &connecting, .fd = fd, .tid = gettid(),
					       .thread = pthread_self() } }, .ask = ask };

	(void)st;
	install(SIGUSR1, 0);
	pthread_create(&l.poker.thread, NULL, poke_and_let, &l);
	TRY(connect_late(fd));
	TRY(connect_late(fd));
	TRY(connect_late(fd));
	pthread_join(l.poker.thread, NULL);
	close(fd);
}

/* ---- a timer that fires all the time ---- */

#define STORM_BYTES (2u << 20)

static char byte_at(size_t at)
{
	return (char)(at * 2654435761u >> 24);
}

static void *send_pattern(void *arg)
{
	static char out[50000];
	int fd = *(int *)arg;
	size_t at = 0, n = 0, i;
	ssize_t r;

	for (; at < STORM_BYTES; at += (size_t)r) {
		n = STORM_BYTES - at < sizeof(out) ? STORM_BYTES - at : sizeof(out);
		for (i = 0; i < n; i++)
			out[i] = byte_at(at + i);
		r = send(fd, out, n, 0);
		if (r < 0 && errno != EINTR)
			break;
		r = r < 0 ? 0 : r;
	}
	return NULL;
}

static void storm_with(int fd, int flags)
{
	static const struct itimerval each = { { 0, 1000 }, { 0, 1000 } }, off;
	static char in[70000];
	size_t at = 0, bad = 0;
	unsigned broken = 0;
	pthread_t writer;
	ssize_t r, i;

	install(SIGALRM, flags);
	setitimer(ITIMER_REAL, &each, NULL);
	pthread_create(&writer, NULL, send_pattern, &fd);
	while (at < STORM_BYTES) {
		r = recv(fd, in, sizeof(in), 0);
		broken += r < 0;
		if (!r || (r < 0 && errno != EINTR))
			break;
		for (i = 0; i < r; i++)
			bad += in[i] != byte_at(at + (size_t)i);
		at += r < 0 ? 0 : (size_t)r;
	}
	pthread_join(writer, NULL);
	while (handled < 3)
		probe_nap();
	setitimer(ITIMER_REAL, &off, NULL);
	errno = 0;
	probe_result("storm", (long)at, "%zu wrong, broken off %d", bad, flags ? broken != 0 : 0);
}

static void storm(enum state st)
{
	int fd = probe_open(st);

	storm_with(fd, 0);
	storm_with(fd, SA_RESTART);
}

/* ---- signals that are read ---- */

static void read_signals(enum state st)
{
	sigset_t set = only(SIGUSR2);
	int fd = probe_open(st), sfd, sig;
	struct signalfd_siginfo info;
	struct pollfd p[2];
	char c;

	block(SIGUSR2);
	sfd = signalfd(-1, &set, SFD_CLOEXEC);
	p[0] = (struct pollfd){ .fd = fd, .events = POLLIN };
	p[1] = (struct pollfd){ .fd = sfd, .events = POLLIN };
	TRY(poll(p, 2, 20));
	kill(getpid(), SIGUSR2);
	TRY_MORE(poll(p, 2, 10000), "%x %x", p[0].revents, p[1].revents);
	TRY_MORE(read(sfd, &info, sizeof(info)), "%d", info.ssi_signo == SIGUSR2);
	send(fd, "x", 1, 0);
	TRY_MORE(poll(p, 2, 10000), "%x %x", p[0].revents, p[1].revents);
	TRY(recv(fd, &c, 1, 0));
	kill(getpid(), SIGUSR2);
	TRY_MORE(sigwait(&set, &sig), "%d", sig == SIGUSR2);
	TRY_MORE(sigtimedwait(&set, NULL, &(struct timespec){ 0, 1 }), "%d", is_pending(SIGUSR2));
}

/* What F_SETSIG's signal tells of the descriptor, to the thread that F_SETOWN_EX names. */
static void told_by_signal(enum state st)
{
	struct f_owner_ex owner = { F_OWNER_TID, gettid() };
	int fd = probe_open(st), sig = SIGRTMIN + 2;
	const struct timespec long_time = { 10, 0 };
	sigset_t set = only(sig);
	siginfo_t info;

	block(sig);
	TRY(fcntl(fd, F_SETOWN_EX, &owner));
	TRY(fcntl(fd, F_SETSIG, sig));
	TRY(fcntl(fd, F_SETFL, O_ASYNC));
	TRY(send(fd, "x", 1, 0));
	do
		memset(&info, 0, sizeof(info));
	while (sigtimedwait(&set, &info, &long_time) == sig && !(info.si_band & POLLIN));
	errno = 0;
	probe_result("F_SETSIG", info.si_fd == fd, "code %d, band %lx", info.si_code, info.si_band & (POLLIN | POLLHUP | POLLERR));
}

const struct probe_case probe_signal_cases[] = {
	{ "masks", masks, 1u << CONNECTED },
	{ "blocked", blocked, 1u << CONNECTED },
	{ "sending", sending, 1u << CONNECTED },
	{ "sending_on", sending_on, 1u << CONNECTED },
	{ "sending_in_time", sending_in_time, 1u << CONNECTED },
	{ "partly", partly, 1u << CONNECTED },
	{ "connects", connects, 1u << FRESH },
	{ "connects_again", connects_again, 1u << FRESH },
	{ "storm", storm, 1u << CONNECTED },
	{ "read_signals", read_signals, 1u << CONNECTED },
	{ "told_by_signal", told_by_signal, 1u << CONNECTED },
	{ NULL, NULL, 0 },
};
