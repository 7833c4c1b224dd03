/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * callprobe_thread.c - threads that are cancelled and handlers that run while a call sleeps.
 */
#include "callprobe.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static char buf[65536], bulk[1 << 20];

/* ---- calls that sleep ---- */

static long in_recv(int fd) { return recv(fd, buf, 10, 0); }
static long in_peek(int fd) { return recv(fd, buf, 10, MSG_PEEK); }
static long in_waitall(int fd) { return recv(fd, buf, 10, MSG_WAITALL); }
static long in_read(int fd) { return read(fd, buf, 10); }
static long in_readv(int fd) { return readv(fd, &(struct iovec){ buf, 10 }, 1); }
static long in_recvfrom(int fd) { return recvfrom(fd, buf, 10, 0, NULL, NULL); }
static long in_accept(int fd) { return accept(fd, NULL, NULL); }
static long in_accept4(int fd) { return accept4(fd, NULL, NULL, SOCK_CLOEXEC); }
static long in_poll(int fd) { return poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, -1); }
static long in_ppoll(int fd) { return ppoll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, NULL, NULL); }

static long in_recvmsg(int fd)
{
	return recvmsg(fd, &(struct msghdr){ .msg_iov = &(struct iovec){ buf, 10 }, .msg_iovlen = 1 }, 0);
}

static long in_recvmmsg(int fd)
{
	struct mmsghdr m = { .msg_hdr = { .msg_iov = &(struct iovec){ buf, 10 }, .msg_iovlen = 1 } };

	return recvmmsg(fd, &m, 1, 0, NULL);
}

static long in_select(int fd)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	return select(fd + 1, &set, NULL, NULL, NULL);
}

static long in_pselect(int fd)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	return pselect(fd + 1, &set, NULL, NULL, NULL, NULL);
}

static long in_epoll_wait(int fd)
{
	static int ep = -1;
	struct epoll_event ev = { .events = EPOLLIN };

	if (ep >= 0)
		close(ep);
	ep = epoll_create1(0);
	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
	return epoll_wait(ep, &ev, 1, -1);
}

/* Into a connection whose peer's answers nobody reads. */
static long in_send(int fd)
{
	long r;

	do
		r = send(fd, bulk, sizeof(bulk), MSG_NOSIGNAL);
	while (r == sizeof(bulk));
	return r < 0 ? r : 1;
}

struct sleeper {
	const char *name;
	long (*call)(int fd);
};

static const struct sleeper receivers[] = {
	{ "recv", in_recv }, { "MSG_PEEK", in_peek }, { "MSG_WAITALL", in_waitall }, { "read", in_read },
	{ "readv", in_readv }, { "recvfrom", in_recvfrom }, { "recvmsg", in_recvmsg }, { "recvmmsg", in_recvmmsg },
	{ "poll", in_poll }, { "ppoll", in_ppoll }, { "select", in_select }, { "pselect", in_pselect },
	{ "epoll_wait", in_epoll_wait }, { NULL, NULL },
};
static const struct sleeper acceptors[] = {
	{ "accept", in_accept }, { "accept4", in_accept4 }, { "poll", in_poll }, { NULL, NULL },
};
static const struct sleeper senders[] = { { "send", in_send }, { NULL, NULL } };

/* ---- a thread in such a call ---- */

struct job {
	const struct sleeper *what;
	int fd, type, state;
	_Atomic pid_t tid;       /* 0 until it runs */
	atomic_bool is_cleaned;
	long r;
	int err;
	pthread_t thread;
};

static void clean(void *arg)
{
	atomic_store(&((struct job *)arg)->is_cleaned, true);
}

static void *work(void *arg)
{
	struct job *j = arg;

	pthread_setcanceltype(j->type, NULL);
	pthread_setcancelstate(j->state, NULL);
	pthread_cleanup_push(clean, j);
	j->tid = gettid();
	errno = 0;
	j->r = j->what->call(j->fd);
	j->err = errno;
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	pthread_cleanup_pop(0);
	return NULL;
}

static bool sleeps(pid_t tid)
{
	char path[64], line[256] = "", *end;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
	f = fopen(path, "r");
	if (!f)
		return true;
	if (!fgets(line, sizeof(line), f))
		line[0] = 0;
	fclose(f);
	end = strrchr(line, ')');
	return end && end[1] && end[2] == 'S';
}

static void nap(void)
{
	nanosleep(&(struct timespec){ 0, 5000000 }, NULL);
}

/* For some while, as a sender sleeps now and then. */
static void wait_until_it_sleeps(struct job *j)
{
	int seen = 0, i;

	for (i = 0; seen < 5 && i < 2000; i++) {
		nap();
		seen = j->tid && sleeps(j->tid) ? seen + 1 : 0;
	}
}

static void start(struct job *j, const struct sleeper *what, int fd, int type, int state)
{
	*j = (struct job){ .what = what, .fd = fd, .type = type, .state = state };
	if (pthread_create(&j->thread, NULL, work, j))
		exit(1);
}

static void tell(struct job *j)
{
	bool is_cancelled;
	void *ret;

	pthread_join(j->thread, &ret);
	is_cancelled = ret == PTHREAD_CANCELED;
	errno = 0;
	probe_result(j->what->name, is_cancelled, "type %d, %s, result %ld %s", j->type,
		     j->is_cleaned ? "cleaned up" : "returned", is_cancelled ? 0 : j->r,
		     is_cancelled || j->r >= 0 ? "" : strerrorname_np(j->err));
}

/* ---- cancellation ---- */

static void cancel_in(const struct sleeper *v, enum state st, int type)
{
	struct job j;
	int fd;

	for (; v->name; v++) {
		fd = probe_open(st);
		start(&j, v, fd, type, PTHREAD_CANCEL_ENABLE);
		wait_until_it_sleeps(&j);
		TRY(pthread_cancel(j.thread));
		tell(&j);
		if (st == CONNECTED && v->call != in_send) {
			TRY(send(fd, "x", 1, 0));
			TRY(in_recv(fd));
		}
		TRY(close(fd));
	}
}

static void cancelled(enum state st)
{
	const struct sleeper *v = st == LISTENING ? acceptors : receivers;

	cancel_in(v, st, PTHREAD_CANCEL_DEFERRED);
	cancel_in(v, st, PTHREAD_CANCEL_ASYNCHRONOUS);
	if (st == CONNECTED)
		cancel_in(senders, st, PTHREAD_CANCEL_DEFERRED);
}

/* Who puts it off gets what it waits for. */
static void put_off(enum state st)
{
	const struct sleeper *v;
	struct job j;
	int fd;

	for (v = receivers; v->name; v++) {
		if (v->call == in_waitall)
			continue;
		fd = probe_open(st);
		start(&j, v, fd, PTHREAD_CANCEL_DEFERRED, PTHREAD_CANCEL_DISABLE);
		wait_until_it_sleeps(&j);
		TRY(pthread_cancel(j.thread));
		nap();
		TRY(send(fd, "x", 1, 0));
		tell(&j);
		close(fd);
	}
}

static long spin(int fd)
{
	for (;;)
		recv(fd, buf, 1, MSG_DONTWAIT);
	return 0;
}

static long cancel_self(int fd)
{
	pthread_cancel(pthread_self());
	return recv(fd, buf, 10, 0);
}

/* A call that doesn't sleep is a cancellation point, too; nothing is lost. */
static void awake(enum state st)
{
	static const struct sleeper spinning = { "spinning", spin }, self = { "self", cancel_self };
	int fd = probe_open(st);
	struct job j;

	start(&j, &self, fd, PTHREAD_CANCEL_DEFERRED, PTHREAD_CANCEL_ENABLE);
	tell(&j);
	TRY(in_recv(fd));
	start(&j, &spinning, fd, PTHREAD_CANCEL_DEFERRED, PTHREAD_CANCEL_ENABLE);
	nap();
	TRY(pthread_cancel(j.thread));
	tell(&j);
	TRY(send(fd, "x", 1, 0));
	TRY(in_recv(fd));
}

/* ---- handlers ---- */

static volatile sig_atomic_t handled;
static int own_fd, other_fd;
static long other_result;
static sigjmp_buf out;

static void count(int sig)
{
	(void)sig;
	handled++;
}

/* What a program may do in a handler: over the socket that its call sleeps on, over another, and over a new one. */
static void talk(int sig)
{
	char c;
	int fd;

	(void)sig;
	handled++;
	send(own_fd, "h", 1, 0);
	send(other_fd, "o", 1, 0);
	poll(&(struct pollfd){ .fd = other_fd, .events = POLLIN }, 1, 5000);
	other_result = recv(other_fd, &c, 1, 0);
	fd = socket(probe_family, SOCK_STREAM, 0);
	other_result += connect(fd, (struct sockaddr *)&probe_server, probe_addr_len) == 0 ? 100 : 0;
	other_result += write(fd, "n", 1) == 1 && read(fd, &c, 1) == 1 ? 1000 : 0;
	other_result += close(fd) == 0 ? 10000 : 0;
}

static void leave(int sig)
{
	(void)sig;
	handled++;
	siglongjmp(out, 1);
}

static void install(void (*handler)(int), int flags)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = flags };

	sigaction(SIGUSR1, &sa, NULL);
	handled = 0;
}

/* What a call that was restarted waits for comes only when the handler has run. */
static void *poke(void *arg)
{
	struct job *j = arg;

	wait_until_it_sleeps(j);
	pthread_kill(j->thread, SIGUSR1);
	if (j->state) {
		while (!handled)
			nap();
		wait_until_it_sleeps(j);
		send(j->fd, "restart---", 10, 0);
	}
	return NULL;
}

static void interrupt(const struct sleeper *v, int fd, bool restarts)
{
	struct job me = { .what = v, .fd = fd, .tid = gettid(), .thread = pthread_self(), .state = restarts };
	pthread_t other;
	long r;
	int err;

	pthread_create(&other, NULL, poke, &me);
	r = v->call(fd);
	err = errno;
	pthread_join(other, NULL);
	errno = r < 0 ? err : 0;
	probe_result(v->name, r < 0 ? r : 1, "handled %d, restarts %d", handled, restarts);
}

static bool is_for_readiness(const struct sleeper *v)
{
	return v->call == in_poll || v->call == in_ppoll || v->call == in_select || v->call == in_pselect ||
	       v->call == in_epoll_wait;
}

/* signal(7): what reads is restarted unless it has a time-out, what waits for readiness never is. */
static void interrupted(enum state st)
{
	const struct timeval tv = { 15, 0 };
	const struct sleeper *v;
	int fd;

	for (v = st == LISTENING ? acceptors : receivers; v->name; v++) {
		fd = probe_open(st);
		install(count, 0);
		interrupt(v, fd, false);
		install(count, SA_RESTART);
		if (is_for_readiness(v))
			interrupt(v, fd, false);
		else if (st == CONNECTED)
			interrupt(v, fd, true);
		close(fd);
		fd = probe_open(st);
		TRY(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
		install(count, SA_RESTART);
		interrupt(v, fd, false);
		close(fd);
	}
}

/* Leaves the call by siglongjmp(), again and again: nothing is held for ever. */
static void left(enum state st)
{
	static const struct sleeper *v;
	static struct job me;
	static pthread_t other;
	static int fd;

	for (v = receivers; v->name; v++) {
		fd = probe_open(st);
		install(leave, 0);
		me = (struct job){ .what = v, .fd = fd, .tid = gettid(), .thread = pthread_self() };
		pthread_create(&other, NULL, poke, &me);
		if (!sigsetjmp(out, 1))
			v->call(fd);
		pthread_join(other, NULL);
		TRY(handled);
		TRY(send(fd, "y", 1, 0));
		TRY(in_recv(fd));
		TRY(close(fd));
	}
}

static void talkative(enum state st)
{
	static const struct sleeper wait = { "recv", in_recv }, ready = { "poll", in_poll };
	int fd = probe_open(st);

	own_fd = fd;
	other_fd = probe_open(st);
	install(talk, SA_RESTART);
	interrupt(&wait, fd, false);
	TRY(other_result);
	own_fd = -1;            /* what the handler itself causes may count as ready or not */
	install(talk, 0);
	interrupt(&ready, fd, false);
	TRY(other_result);
}

const struct probe_case probe_thread_cases[] = {
	{ "cancelled", cancelled, 1u << CONNECTED | 1u << LISTENING },
	{ "put_off", put_off, 1u << CONNECTED },
	{ "awake", awake, 1u << READABLE },
	{ "interrupted", interrupted, 1u << CONNECTED | 1u << LISTENING },
	{ "left", left, 1u << CONNECTED },
	{ "talkative", talkative, 1u << CONNECTED },
	{ NULL, NULL, 0 },
};
