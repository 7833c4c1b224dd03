/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * callprobe_handler.c - what handlers do to the call that they interrupt, and threads that end in the middle of one.
 */
#include "callprobe_sleep.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t handled;

static void install(int sig, void (*handler)(int), int flags)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = flags };

	sigaction(sig, &sa, NULL);
	handled = 0;
}

static void *poke(void *arg)
{
	struct job *j = arg;

	probe_until_asleep(j);
	pthread_kill(j->thread, SIGUSR1);
	while (!handled)
		probe_nap();
	return NULL;
}

static struct job this_thread(const struct sleeper *v, int fd)
{
	return (struct job){ .what = v, .fd = fd, .tid = gettid(), .thread = pthread_self() };
}

/* ---- SIGPIPE ---- */

static void count(int sig)
{
	(void)sig;
	handled++;
}

static void pipe_once(const struct sleeper *v)
{
	int fd = probe_open(SHUT);
	sigset_t set, old;
	long r;
	int err;

	install(SIGPIPE, count, 0);
	r = v->call(fd);
	err = errno;
	errno = r < 0 ? err : 0;
	probe_result(v->name, r, "SIGPIPE %d", handled);
	install(SIGPIPE, SIG_IGN, 0);
	r = v->call(fd);
	err = errno;
	errno = r < 0 ? err : 0;
	probe_result(v->name, r, "ignored");
	install(SIGPIPE, count, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	r = v->call(fd);
	err = errno;
	sigpending(&set);
	errno = r < 0 ? err : 0;
	probe_result(v->name, r, "blocked: handled %d, pending %d", handled, sigismember(&set, SIGPIPE));
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	TRY(handled);
	close(fd);
}

static void pipe_ends(const struct sleeper *v)
{
	int status, fd = probe_open(SHUT);
	pid_t pid = fork();

	if (!pid) {
		signal(SIGPIPE, SIG_DFL);
		v->call(fd);
		_exit(0);
	}
	TRY(waitpid(pid, &status, 0) == pid);
	TRY(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
	close(fd);
}

static void *look_at_pending(void *set)
{
	sigpending(set);
	return NULL;
}

/* It is the thread's that writes, and no other's. */
static void pipe_is_own(void)
{
	int fd = probe_open(SHUT);
	sigset_t set, old;
	pthread_t other;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	TRY(send(fd, "x", 1, 0));
	pthread_create(&other, NULL, look_at_pending, &set);
	pthread_join(other, NULL);
	TRY(sigismember(&set, SIGPIPE));
	sigpending(&set);
	TRY(sigismember(&set, SIGPIPE));
	install(SIGPIPE, SIG_IGN, 0);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	close(fd);
}

static void pipes(enum state st)
{
	const struct sleeper *v;
	int fd = probe_open(st);
	char x[1] = { 'x' };

	for (v = probe_senders; v->name; v++)
		pipe_once(v);
	pipe_ends(&probe_senders[0]);
	pipe_is_own();
	install(SIGPIPE, count, 0);
	TRY_MORE(send(fd, "x", 1, MSG_NOSIGNAL), "%d", handled);
	TRY_MORE(sendmsg(fd, &(struct msghdr){ .msg_iov = &(struct iovec){ x, 1 }, .msg_iovlen = 1 }, MSG_NOSIGNAL), "%d",
		 handled);
	TRY_MORE(dprintf(fd, "x"), "%d", handled);
}

/* ---- left by siglongjmp() ---- */

static sigjmp_buf out;

static void leave(int sig)
{
	(void)sig;
	handled++;
	siglongjmp(out, 1);
}

static struct sockaddr_storage late;

static long connect_late(int fd)
{
	return connect(fd, (struct sockaddr *)&late, probe_addr_len);
}

static const struct sleeper connecting = { "connect", connect_late, false };

/* The peer never takes a connection to `late`. */
static int late_peer(void)
{
	int fd = probe_open(CONNECTED);
	char port[6] = "";

	send(fd, "LATE", 4, 0);
	recv(fd, port, 5, MSG_WAITALL);
	late = probe_server;
	((struct sockaddr_in *)&late)->sin_port = htons((uint16_t)atoi(port));
	return fd;
}

static void leave_call(const struct sleeper *v, int fd)
{
	static struct job me;
	static pthread_t other;
	static const struct sleeper *what;
	static int on;

	what = v;
	on = fd;
	me = this_thread(v, fd);
	install(SIGUSR1, leave, SA_RESTART);
	pthread_create(&other, NULL, poke, &me);
	if (!sigsetjmp(out, 1))
		what->call(on);
	pthread_join(other, NULL);
	errno = 0;
	probe_result(what->name, handled, "left");
}

/* The engine is another thread's, too. */
static void others_go_on(int fd)
{
	static const struct sleeper waiting = { "another thread", probe_recv, false };
	struct job j;

	probe_start(&j, &waiting, fd, PTHREAD_CANCEL_DEFERRED, PTHREAD_CANCEL_ENABLE);
	send(fd, "z", 1, 0);
	probe_tell(&j);
}

static void leaving_senders(enum state st)
{
	const struct sleeper *v;
	int fd, other = probe_open(st);

	for (v = probe_senders; v->name; v++) {
		fd = probe_open_small(v);
		probe_fill(fd);
		leave_call(v, fd);
		others_go_on(other);
		TRY(close(fd));
	}
}

/* What is left holds nothing: the port of a listener can be had again when it is closed. */
static void leaving_acceptors(enum state st)
{
	struct sockaddr_storage a;
	socklen_t len;
	const struct sleeper *v;
	int fd;

	for (v = probe_acceptors; v->name; v++) {
		fd = probe_open(st);
		len = sizeof(a);
		getsockname(fd, (struct sockaddr *)&a, &len);
		leave_call(v, fd);
		leave_call(v, fd);
		TRY(close(fd));
		fd = probe_open(FRESH);
		TRY(bind(fd, (struct sockaddr *)&a, len));
		TRY(listen(fd, 1));
		TRY(close(fd));
	}
}

static void leaving_connect(enum state st)
{
	int ask = late_peer(), fd = probe_open(st);

	leave_call(&connecting, fd);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	TRY(connect_late(fd));
	send(ask, "GO", 2, 0);
	TRY(poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, 10000));
	TRY(connect_late(fd));
	TRY(send(fd, "x", 1, 0));
	others_go_on(probe_open(CONNECTED));
	TRY(close(fd));
}

/* ---- cancelled ---- */

/* is_sender: until the call finds no room. */
static void cancel(const struct sleeper *v, int fd, int type, int other, bool is_sender)
{
	struct job j;
	int i;

	for (i = 0; i < PROBE_TRIES; i++) {
		if (is_sender)
			probe_fill(fd);
		probe_start(&j, v, fd, type, PTHREAD_CANCEL_ENABLE);
		probe_until_asleep(&j);
		pthread_cancel(j.thread);
		if (probe_join(&j) || !is_sender)
			break;
	}
	probe_tell_joined(&j);
	others_go_on(other);
	TRY(close(fd));
}

/* Libc's sendfile() isn't a cancellation point. */
static void outlive(const struct sleeper *v, int fd)
{
	struct job j;

	probe_fill(fd);
	probe_start(&j, v, fd, PTHREAD_CANCEL_DEFERRED, PTHREAD_CANCEL_ENABLE);
	probe_until_asleep(&j);
	pthread_cancel(j.thread);
	probe_until_asleep(&j);
	probe_let();
	probe_tell(&j);
	TRY(close(fd));
}

static void cancelling(enum state st)
{
	const struct sleeper *v;
	int fd, other = probe_open(st);

	for (v = probe_senders; v->name; v++) {
		fd = probe_open_small(v);
		if (strcmp(v->name, "sendfile"))
			cancel(v, fd, PTHREAD_CANCEL_DEFERRED, other, true);
		else
			outlive(v, fd);
	}
	late_peer();
	cancel(&connecting, probe_open(FRESH), PTHREAD_CANCEL_DEFERRED, other, false);
	cancel(&connecting, probe_open(FRESH), PTHREAD_CANCEL_ASYNCHRONOUS, other, false);
}

/* Who is cancelled may be the one that looks after the interface for the others that sleep. */
static void cancelled_among_others(enum state st)
{
	const struct sleeper *v = probe_receivers;
	struct job j[4];
	int fd[4], i;

	for (i = 0; i < 4; i++) {
		fd[i] = probe_open(st);
		probe_start(&j[i], v, fd[i], PTHREAD_CANCEL_DEFERRED, PTHREAD_CANCEL_ENABLE);
		probe_until_asleep(&j[i]);
	}
	for (i = 0; i < 3; i++) {
		pthread_cancel(j[i].thread);
		probe_tell(&j[i]);
		send(fd[i], "x", 1, 0);
		TRY(probe_recv(fd[i]));
	}
	send(fd[3], "last", 4, 0);
	probe_tell(&j[3]);
}

static void end_thread(int sig)
{
	(void)sig;
	handled++;
	pthread_exit(PTHREAD_CANCELED);
}

/* pthread_exit() in a handler, in the middle of a call. */
static void exits(enum state st)
{
	const struct sleeper *v;
	struct job j;
	int fd;

	for (v = probe_receivers; v->name; v++) {
		fd = probe_open(st);
		install(SIGUSR1, end_thread, 0);
		probe_start(&j, v, fd, PTHREAD_CANCEL_DEFERRED, PTHREAD_CANCEL_ENABLE);
		probe_until_asleep(&j);
		pthread_kill(j.thread, SIGUSR1);
		probe_tell(&j);
		others_go_on(fd);
		TRY(close(fd));
	}
}

/* ---- what the handler does to the same socket ---- */

static int own_fd, other_fd;
static long done;

static void do_close(int sig)
{
	(void)sig;
	done = close(own_fd);
	handled++;
}

static void do_shutdown(int sig)
{
	(void)sig;
	done = shutdown(own_fd, SHUT_RDWR);
	handled++;
}

static void do_replace(int sig)
{
	(void)sig;
	done = dup2(other_fd, own_fd) == own_fd;
	handled++;
}

static void do_look(int sig)
{
	struct pollfd p = { .fd = own_fd, .events = POLLIN | POLLOUT };
	char c;

	(void)sig;
	done = poll(&p, 1, 0) * 1000 + p.revents;
	done += recv(own_fd, &c, 1, MSG_DONTWAIT) * 10000;
	handled++;
}

static const struct { const char *name; void (*handler)(int); } acts[] = {
	{ "close", do_close }, { "shutdown", do_shutdown }, { "dup2", do_replace }, { "look", do_look },
};

/* Without SA_RESTART, or in poll(), it is interrupted; else it goes on, with what the number is by then. */
static void act_in(const struct sleeper *v, size_t i, int flags, int fd)
{
	struct job me = this_thread(v, fd);
	pthread_t other;
	long r;
	int err;

	own_fd = fd;
	done = -1;
	install(SIGUSR1, acts[i].handler, flags);
	pthread_create(&other, NULL, poke, &me);
	r = v->call(fd);
	err = errno;
	pthread_join(other, NULL);
	errno = r < 0 ? err : 0;
	probe_result(v->name, r, "after %s = %ld, restarts %d", acts[i].name, done, flags == SA_RESTART);
	close(fd);
}

static void acting(const struct sleeper *v, enum state st)
{
	size_t i;
	int flags;

	for (i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
		for (flags = 0;; flags = SA_RESTART) {
			if (acts[i].handler != do_look || !flags || v->is_for_readiness)
				act_in(v, i, flags, probe_open(st));
			if (flags)
				break;
		}
	}
}

static void on_same(enum state st)
{
	other_fd = probe_open(READABLE);
	for (const struct sleeper *v = st == LISTENING ? probe_acceptors : probe_receivers; v->name; v++)
		if (v->call == probe_recv || v->call == probe_poll || st == LISTENING)
			acting(v, st);
}

/* ---- a handler that accepts ---- */

static int ask;

static void call_me(int fd)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);
	char say[32];

	getsockname(fd, (struct sockaddr *)&a, &len);
	send(ask, say, (size_t)snprintf(say, sizeof(say), "CALL %d", ntohs(((struct sockaddr_in *)&a)->sin_port)), 0);
}

static long greeted(int fd)
{
	char hi[2];
	int conn = accept(fd, NULL, NULL);
	long r = conn < 0 ? -1 : recv(conn, hi, 2, MSG_WAITALL);

	close(conn);
	return r;
}

static void do_accept(int sig)
{
	(void)sig;
	call_me(own_fd);
	done = greeted(own_fd);
	handled++;
}

static void *poke_and_call(void *arg)
{
	struct job *j = arg;

	poke(j);
	probe_until_asleep(j);
	call_me(j->fd);
	return NULL;
}

static void accepting(enum state st)
{
	struct job me;
	pthread_t other;

	ask = probe_open(CONNECTED);
	own_fd = probe_open(st);
	me = this_thread(NULL, own_fd);
	install(SIGUSR1, do_accept, SA_RESTART);
	pthread_create(&other, NULL, poke_and_call, &me);
	TRY_MORE(greeted(own_fd), "in the handler %ld", done);
	pthread_join(other, NULL);
}

/* ---- a handler in the middle of another ---- */

static void do_sleep(int sig)
{
	(void)sig;
	handled++;
	probe_recv(other_fd);
}

static void *poke_twice(void *arg)
{
	struct job *j = arg;

	poke(j);
	probe_until_asleep(j);
	pthread_kill(j->thread, SIGUSR2);
	return NULL;
}

/* The inner one leaves both calls. */
static void nested(enum state st)
{
	static struct job me;
	static pthread_t other;
	static int fd;

	fd = probe_open(st);
	other_fd = probe_open(st);
	install(SIGUSR2, leave, 0);
	install(SIGUSR1, do_sleep, 0);
	me = this_thread(NULL, fd);
	pthread_create(&other, NULL, poke_twice, &me);
	if (!sigsetjmp(out, 1))
		probe_recv(fd);
	pthread_join(other, NULL);
	TRY(handled);
	others_go_on(fd);
	others_go_on(other_fd);
	TRY(close(fd));
	TRY(close(other_fd));
}

const struct probe_case probe_handler_cases[] = {
	{ "pipes", pipes, 1u << SHUT },
	{ "leaving_senders", leaving_senders, 1u << CONNECTED },
	{ "leaving_acceptors", leaving_acceptors, 1u << LISTENING },
	{ "leaving_connect", leaving_connect, 1u << FRESH },
	{ "cancelling", cancelling, 1u << CONNECTED },
	{ "cancelled_among_others", cancelled_among_others, 1u << CONNECTED },
	{ "exits", exits, 1u << CONNECTED },
	{ "on_same", on_same, 1u << CONNECTED | 1u << LISTENING },
	{ "accepting", accepting, 1u << LISTENING },
	{ "nested", nested, 1u << CONNECTED },
	{ NULL, NULL, 0 },
};
