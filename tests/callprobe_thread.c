/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * callprobe_thread.c - threads that are cancelled and handlers that run while a call sleeps.
 */
#include "callprobe_sleep.h"

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

/* ---- cancellation ---- */

static void cancel_in(const struct sleeper *v, enum state st, int type)
{
	struct job j;
	int fd;

	for (; v->name; v++) {
		fd = probe_open(st);
		probe_start(&j, v, fd, type, PTHREAD_CANCEL_ENABLE);
		probe_until_asleep(&j);
		TRY(pthread_cancel(j.thread));
		probe_tell(&j);
		if (st == CONNECTED && v->call != probe_send_all) {
			TRY(send(fd, "x", 1, 0));
			TRY(probe_recv(fd));
		}
		TRY(close(fd));
	}
}

static void cancelled(enum state st)
{
	static const struct sleeper sending[] = { { "send", probe_send_all, false }, { NULL, NULL, false } };
	const struct sleeper *v = st == LISTENING ? probe_acceptors : probe_receivers;

	cancel_in(v, st, PTHREAD_CANCEL_DEFERRED);
	cancel_in(v, st, PTHREAD_CANCEL_ASYNCHRONOUS);
	if (st == CONNECTED)
		cancel_in(sending, st, PTHREAD_CANCEL_DEFERRED);
}

/* Who puts it off gets what it waits for. */
static void put_off(enum state st)
{
	const struct sleeper *v;
	struct job j;
	int fd;

	for (v = probe_receivers; v->name; v++) {
		if (v->call == probe_waitall)
			continue;
		fd = probe_open(st);
		probe_start(&j, v, fd, PTHREAD_CANCEL_DEFERRED, PTHREAD_CANCEL_DISABLE);
		probe_until_asleep(&j);
		TRY(pthread_cancel(j.thread));
		probe_nap();
		TRY(send(fd, "x", 1, 0));
		probe_tell(&j);
		close(fd);
	}
}

static long spin(int fd)
{
	char c;

	for (;;)
		recv(fd, &c, 1, MSG_DONTWAIT);
	return 0;
}

static long cancel_self(int fd)
{
	pthread_cancel(pthread_self());
	return probe_recv(fd);
}

/* A call that doesn't sleep is a cancellation point, too; nothing is lost. */
static void awake(enum state st)
{
	static const struct sleeper spinning = { "spinning", spin, false }, self = { "self", cancel_self, false };
	int fd = probe_open(st);
	struct job j;

	probe_start(&j, &self, fd, PTHREAD_CANCEL_DEFERRED, PTHREAD_CANCEL_ENABLE);
	probe_tell(&j);
	TRY(probe_recv(fd));
	probe_start(&j, &spinning, fd, PTHREAD_CANCEL_DEFERRED, PTHREAD_CANCEL_ENABLE);
	probe_nap();
	TRY(pthread_cancel(j.thread));
	probe_tell(&j);
	TRY(send(fd, "x", 1, 0));
	TRY(probe_recv(fd));
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

	probe_until_asleep(j);
	pthread_kill(j->thread, SIGUSR1);
	if (j->state) {
		while (!handled)
			probe_nap();
		probe_until_asleep(j);
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

/* signal(7): what reads is restarted unless it has a time-out, what waits for readiness never is. */
static void interrupted(enum state st)
{
	const struct timeval tv = { 15, 0 };
	const struct sleeper *v;
	int fd;

	for (v = st == LISTENING ? probe_acceptors : probe_receivers; v->name; v++) {
		fd = probe_open(st);
		install(count, 0);
		interrupt(v, fd, false);
		install(count, SA_RESTART);
		if (v->is_for_readiness)
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

	for (v = probe_receivers; v->name; v++) {
		fd = probe_open(st);
		install(leave, 0);
		me = (struct job){ .what = v, .fd = fd, .tid = gettid(), .thread = pthread_self() };
		pthread_create(&other, NULL, poke, &me);
		if (!sigsetjmp(out, 1))
			v->call(fd);
		pthread_join(other, NULL);
		TRY(handled);
		TRY(send(fd, "y", 1, 0));
		TRY(probe_recv(fd));
		TRY(close(fd));
	}
}

static void talkative(enum state st)
{
	static const struct sleeper wait = { "recv", probe_recv, false }, ready = { "poll", probe_poll, true };
	int fd = probe_open(st);

	own_fd = fd;
	other_fd = probe_open(st);
	install(talk, SA_RESTART);
	interrupt(&wait, fd, false);
	TRY(other_result);
	install(talk, 0);
	interrupt(&ready, fd, false);
	TRY(other_result);
}

static void *outlast(void *arg)
{
	char buf[8];
	int fd = *(int *)arg;

	usleep(100000);
	TRY(send(fd, "hello", 5, 0));
	TRY(recv(fd, buf, 5, MSG_WAITALL));
	return NULL;
}

/* The process ends with its last thread, whichever that is. */
static void first_thread_leaves(enum state st)
{
	static int fd;
	pthread_t t;

	fd = probe_open(st);
	pthread_create(&t, NULL, outlast, &fd);
	pthread_detach(t);
	pthread_exit(NULL);
}

const struct probe_case probe_thread_cases[] = {
	{ "cancelled", cancelled, 1u << CONNECTED | 1u << LISTENING },
	{ "put_off", put_off, 1u << CONNECTED },
	{ "awake", awake, 1u << READABLE },
	{ "interrupted", interrupted, 1u << CONNECTED | 1u << LISTENING },
	{ "left", left, 1u << CONNECTED },
	{ "talkative", talkative, 1u << CONNECTED },
	{ "first_thread_leaves", first_thread_leaves, 1u << CONNECTED },
	{ NULL, NULL, 0 },
};
