/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Readiness through the shim held against the kernel's: the same steps over a socket of
 * the kernel's and over one of ours, in poll(), select() and every kind of epoll.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "shim_peer.h"

#define NOTE(call) note_result(s, #call, (long)(call))
#define ALL (POLLIN | POLLOUT | POLLPRI | POLLRDHUP | POLLRDNORM | POLLWRNORM | POLLRDBAND)

static char buf[65536];

/* ---- one socket in every state ---- */

/* How a test looks at a socket; -1: the next is another. */
typedef void (*look)(struct side *s, int fd, const char *what);

/* Buffers grow while they are filled. */
static void fill(int fd)
{
	int quiet = 0;

	while (quiet < 4) {
		quiet++;
		while (send(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
			quiet = 0;
		side_settle();
	}
}

static void empty(int fd)
{
	int quiet = 0;

	while (quiet < 4) {
		quiet++;
		while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
			quiet = 0;
		side_settle();
	}
}

static void established_states(struct side *s, look see)
{
	int peer, fd = side_connected(s, SOCK_NONBLOCK, &peer);

	see(s, -1, "another socket");
	see(s, fd, "established");
	send(peer, "abc", 3, 0);
	see(s, fd, "data");
	recv(fd, buf, 1, 0);
	see(s, fd, "less data");
	recv(fd, buf, 10, 0);
	see(s, fd, "no data");
	fill(fd);
	see(s, fd, "full");
	empty(peer);
	see(s, fd, "room again");
	send(peer, "abc", 3, 0);
	shutdown(peer, SHUT_WR);
	see(s, fd, "data and FIN");
	recv(fd, buf, 10, 0);
	see(s, fd, "FIN");
	shutdown(fd, SHUT_WR);
	see(s, fd, "both shut");
	close(peer);
	see(s, fd, "peer gone");
	close(fd);
}

static void shutdown_states(struct side *s, look see)
{
	int peer, fd = side_connected(s, SOCK_NONBLOCK, &peer);

	shutdown(fd, SHUT_WR);
	see(s, -1, "another socket");
	see(s, fd, "own FIN");
	send(peer, "abc", 3, 0);
	see(s, fd, "data after own FIN");
	shutdown(fd, SHUT_RD);
	see(s, fd, "reading shut too");
	close(fd);
	close(peer);
	fd = side_connected(s, SOCK_NONBLOCK, &peer);
	shutdown(fd, SHUT_RD);
	see(s, -1, "another socket");
	see(s, fd, "reading shut");
	close(fd);
	close(peer);
}

static void failed_states(struct side *s, look see)
{
	int peer, fd = side_connected(s, SOCK_NONBLOCK, &peer), err;
	struct sockaddr_in none = { .sin_family = AF_UNSPEC };
	socklen_t len = sizeof(err);

	side_reset(peer);
	see(s, -1, "another socket");
	see(s, fd, "reset");
	NOTE(recv(fd, buf, 1, 0));
	see(s, fd, "reset was reported");
	close(fd);
	fd = side_socket(s, SOCK_NONBLOCK);
	see(s, -1, "another socket");
	see(s, fd, "fresh");
	connect(fd, (struct sockaddr *)&s->closed, sizeof(s->closed));
	see(s, fd, "refused");
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
	see(s, fd, "refusal was read");
	NOTE(connect(fd, (struct sockaddr *)&s->closed, sizeof(s->closed)));
	see(s, fd, "aborted");
	NOTE(connect(fd, (struct sockaddr *)&s->closed, sizeof(s->closed)));
	see(s, fd, "refused again");
	NOTE(connect(fd, (struct sockaddr *)&s->closed, sizeof(s->closed)));
	see(s, fd, "refusal was reported");
	NOTE(connect(fd, (struct sockaddr *)&s->to, sizeof(s->to)));
	peer = accept(s->listener, NULL, NULL);
	see(s, fd, "connected");
	NOTE(connect(fd, (struct sockaddr *)&none, sizeof(none)));
	/* Linux leaves ECONNRESET behind: ERR without IN, which no AF_UNIX object shows. */
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
	note(s, "error %d", err);
	see(s, fd, "disconnected");
	close(peer);
	close(fd);
}

static void listening_states(struct side *s, look see)
{
	struct sockaddr_in a = s->own;
	int fd, client;
	socklen_t len = sizeof(a);

	fd = side_socket(s, SOCK_NONBLOCK);
	client = side_client(s);

	bind(fd, (struct sockaddr *)&a, sizeof(a));
	listen(fd, 5);
	see(s, -1, "another socket");
	see(s, fd, "listening");
	getsockname(fd, (struct sockaddr *)&a, &len);
	connect(client, (struct sockaddr *)&a, sizeof(a));
	see(s, fd, "a connection");
	close(accept(fd, NULL, NULL));
	see(s, fd, "accepted");
	close(client);
	close(fd);
}

static void all_states(struct side *s, look see)
{
	established_states(s, see);
	shutdown_states(s, see);
	failed_states(s, see);
	listening_states(s, see);
}

/* ---- poll ---- */

static void by_poll(struct side *s, int fd, const char *what)
{
	struct pollfd p = { .fd = fd, .events = ALL };
	char names[128];
	int r;

	if (fd < 0)
		return;
	side_settle();
	r = poll(&p, 1, 0);
	note(s, "%s: %d %s", what, r, event_names((unsigned short)p.revents, names, sizeof(names)));
}

static void poll_steps(struct side *s)
{
	all_states(s, by_poll);
}

static void poll_shows_every_state(void **state)
{
	(void)state;
	compare_sides(poll_steps);
}

static void *send_later(void *arg)
{
	side_settle();
	send(*(int *)arg, "abc", 3, 0);
	return NULL;
}

static void mixed_steps(struct side *s)
{
	int peer, fd = side_connected(s, 0, &peer), ev = eventfd(0, 0), closed = dup(ev);
	struct pollfd p[5] = {
		{ .fd = -1, .events = POLLIN }, { .fd = ev, .events = POLLIN },
		{ .fd = fd, .events = POLLIN }, { .fd = fd, .events = POLLOUT },
		{ .fd = ev, .events = POLLOUT },
	};
	struct timespec ts = { 0, 1000000 };
	char names[128];
	pthread_t t;
	int i;

	close(closed);
	NOTE(poll(p, 5, 1000));
	for (i = 0; i < 5; i++)
		note(s, "%d %s", i, event_names((unsigned)p[i].revents, names, sizeof(names)));
	NOTE(poll(p, 3, 10));
	NOTE(ppoll(p, 3, &ts, NULL));
	ts.tv_nsec = -1;
	NOTE(ppoll(p, 3, &ts, NULL));
	pthread_create(&t, NULL, send_later, &peer);
	NOTE(poll(p, 3, -1));
	pthread_join(t, NULL);
	NOTE(write(ev, "12345678", 8));
	NOTE(poll(p, 3, -1));
	p[0].fd = closed;
	NOTE(poll(p, 3, -1));
	for (i = 0; i < 3; i++)
		note(s, "%d %s", i, event_names((unsigned)p[i].revents, names, sizeof(names)));
	close(ev);
	close(peer);
	close(fd);
}

static void poll_mixes_fds(void **state)
{
	(void)state;
	compare_sides(mixed_steps);
}

/* ---- select ---- */

static void by_select(struct side *s, int fd, const char *what)
{
	struct timeval tv = { 0, 0 };
	fd_set in, out, ex;
	int r;

	if (fd < 0)
		return;
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_ZERO(&ex);
	FD_SET(fd, &in);
	FD_SET(fd, &out);
	FD_SET(fd, &ex);
	side_settle();
	r = select(fd + 1, &in, &out, &ex, &tv);
	note(s, "%s: %d %d%d%d", what, r, !!FD_ISSET(fd, &in), !!FD_ISSET(fd, &out), !!FD_ISSET(fd, &ex));
}

static void select_steps(struct side *s)
{
	all_states(s, by_select);
}

static void select_shows_every_state(void **state)
{
	(void)state;
	compare_sides(select_steps);
}

static void select_call_steps(struct side *s)
{
	int peer, fd = side_connected(s, 0, &peer), ev = eventfd(0, 0), bad = dup(ev);
	struct timeval tv = { 0, 30000 };
	struct timespec ts = { 0, 1000000 };
	fd_set in, ex;
	pthread_t t;

	close(bad);
	FD_ZERO(&in);
	FD_SET(fd, &in);
	FD_SET(ev, &in);
	NOTE(select(1024, &in, NULL, NULL, &tv));
	note(s, "left %ld.%06ld, %d%d", (long)tv.tv_sec, (long)tv.tv_usec, !!FD_ISSET(fd, &in),
	     !!FD_ISSET(ev, &in));
	tv.tv_sec = 5;
	FD_SET(fd, &in);
	FD_SET(ev, &in);
	pthread_create(&t, NULL, send_later, &peer);
	NOTE(select(1024, &in, NULL, NULL, &tv));
	pthread_join(t, NULL);
	note(s, "left %d, %d%d", tv.tv_sec == 4, !!FD_ISSET(fd, &in), !!FD_ISSET(ev, &in));
	FD_ZERO(&ex);
	FD_SET(fd, &ex);
	NOTE(pselect(fd + 1, NULL, NULL, &ex, &ts, NULL));
	FD_SET(fd, &in);
	FD_SET(bad, &in);
	NOTE(select(1024, &in, NULL, NULL, &tv));
	FD_CLR(bad, &in);
	tv.tv_sec = -1;
	NOTE(select(1024, &in, NULL, NULL, &tv));
	NOTE(select(-1, &in, NULL, NULL, NULL));
	close(ev);
	close(peer);
	close(fd);
}

static void select_keeps_linux_rules(void **state)
{
	(void)state;
	compare_sides(select_call_steps);
}

static void large_steps(struct side *s)
{
	unsigned long set[64] = { 0 };
	int peer, fd = side_connected(s, 0, &peer), high = fcntl(fd, F_DUPFD, 1500);

	note(s, "high %d", high);
	send(peer, "abc", 3, 0);
	side_settle();
	set[high / 64] |= 1UL << high % 64;
	NOTE(select(high + 1, (fd_set *)set, NULL, NULL, NULL));
	note(s, "set %d", set[high / 64] >> high % 64 == 1);
	close(high);
	close(peer);
	close(fd);
}

static void select_takes_sets_beyond_fd_setsize(void **state)
{
	struct rlimit rl;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &rl);
	if (rl.rlim_cur < 2000)
		skip();
	compare_sides(large_steps);
}

/* ---- epoll ---- */

/* What the kernel's object can't help adding is not asked for. */
#define EPOLL_ALL (EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLRDNORM | EPOLLWRNORM | EPOLLRDBAND)

static void note_events(struct side *s, int ep, const char *what)
{
	struct epoll_event ev[4];
	char names[128];
	int i, r;

	side_settle();
	r = epoll_wait(ep, ev, 4, 0);
	if (r <= 0)
		note_result(s, what, r);
	for (i = 0; i < r; i++)
		note(s, "%s: %llx %s", what, (unsigned long long)ev[i].data.u64,
		     event_names(ev[i].events, names, sizeof(names)));
}

static void add(int ep, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event ev = { .events = events, .data.u64 = data };

	assert_int_equal(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev), 0);
}

/* A set of its own for each look. */
static void by_epoll(struct side *s, int fd, const char *what)
{
	int ep;

	if (fd < 0)
		return;
	ep = epoll_create1(EPOLL_CLOEXEC);
	add(ep, fd, EPOLL_ALL, 0x123456789abcull);
	note_events(s, ep, what);
	note_events(s, ep, what);
	close(ep);
}

static void epoll_steps(struct side *s)
{
	all_states(s, by_epoll);
}

static void epoll_shows_every_state(void **state)
{
	(void)state;
	compare_sides(epoll_steps);
}

/* One set for the life of a socket. */
static int the_set = -1;
static uint32_t the_mode;

static void by_lasting_epoll(struct side *s, int fd, const char *what)
{
	if (fd < 0) {
		close(the_set);
		the_set = -1;
		return;
	}
	if (the_set < 0) {
		the_set = epoll_create1(0);
		add(the_set, fd, EPOLL_ALL | the_mode, 7);
	}
	note_events(s, the_set, what);
}

static void lasting_steps(struct side *s)
{
	all_states(s, by_lasting_epoll);
	by_lasting_epoll(s, -1, "end");
}

static void epoll_that_stays_shows_every_state(void **state)
{
	(void)state;
	the_mode = 0;
	compare_sides(lasting_steps);
}

static void edge_triggered_epoll_that_stays_shows_every_state(void **state)
{
	(void)state;
	the_mode = EPOLLET;
	compare_sides(lasting_steps);
}

static void edge_steps(struct side *s)
{
	int peer, fd = side_connected(s, SOCK_NONBLOCK, &peer), ep = epoll_create1(0), i;

	add(ep, fd, EPOLL_ALL | EPOLLET, 7);
	note_events(s, ep, "connected");
	note_events(s, ep, "nothing new");
	for (i = 0; i < 20; i++) {
		send(peer, "abc", 3, 0);
		note_events(s, ep, "data");
		note_events(s, ep, "nothing new");
	}
	recv(fd, buf, 1, 0);
	note_events(s, ep, "read some");
	empty(fd);
	note_events(s, ep, "read all");
	send(peer, "abc", 3, 0);
	note_events(s, ep, "data again");
	fill(fd);
	note_events(s, ep, "full");
	empty(peer);
	note_events(s, ep, "room");
	note_events(s, ep, "nothing new");
	shutdown(peer, SHUT_WR);
	note_events(s, ep, "FIN");
	note_events(s, ep, "nothing new");
	close(peer);
	shutdown(fd, SHUT_WR);
	note_events(s, ep, "closed");
	close(fd);
	close(ep);
}

static void edge_triggered_epoll_fires_for_each_piece_of_news(void **state)
{
	(void)state;
	compare_sides(edge_steps);
}

static void oneshot_steps(struct side *s)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLONESHOT, .data.u64 = 9 };
	int peer, fd = side_connected(s, SOCK_NONBLOCK, &peer), ep = epoll_create1(0);
	int outer = epoll_create1(0);

	add(outer, ep, EPOLLIN, 1);
	add(ep, fd, EPOLLIN | EPOLLONESHOT, 8);
	NOTE(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
	note_events(s, outer, "nested, nothing");
	send(peer, "abc", 3, 0);
	note_events(s, outer, "nested, data");
	note_events(s, ep, "data");
	send(peer, "abc", 3, 0);
	note_events(s, ep, "fired before");
	NOTE(epoll_ctl(ep, EPOLL_CTL_MOD, fd, &ev));
	note_events(s, ep, "armed again");
	ev.events = EPOLLOUT;
	NOTE(epoll_ctl(ep, EPOLL_CTL_MOD, fd, &ev));
	note_events(s, ep, "out");
	NOTE(epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL));
	NOTE(epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL));
	NOTE(epoll_ctl(ep, EPOLL_CTL_MOD, fd, &ev));
	NOTE(epoll_ctl(-1, EPOLL_CTL_ADD, fd, &ev));
	NOTE(epoll_ctl(fd, EPOLL_CTL_ADD, ep, &ev));
	note_events(s, ep, "none");
	add(ep, fd, EPOLLIN, 8);
	close(fd);
	note_events(s, ep, "closed");
	close(peer);
	close(ep);
	close(outer);
}

static void oneshot_and_nested_epoll_are_the_kernel_s(void **state)
{
	(void)state;
	compare_sides(oneshot_steps);
}

/* Watched before connect(), as some event loops do. */
static void early_steps(struct side *s)
{
	int fd = side_socket(s, SOCK_NONBLOCK), ep = epoll_create1(0), copy, peer;

	add(ep, fd, EPOLL_ALL, 1);
	note_events(s, ep, "fresh");
	copy = dup(fd);
	connect(fd, (struct sockaddr *)&s->to, sizeof(s->to));
	peer = accept(s->listener, NULL, NULL);
	note_events(s, ep, "connected");
	send(peer, "abc", 3, 0);
	note_events(s, ep, "data");
	recv(fd, buf, 10, 0);
	note_events(s, ep, "no data");
	close(fd);
	send(peer, "abc", 3, 0);
	note_events(s, ep, "data on the copy");
	close(copy);
	note_events(s, ep, "closed");
	close(peer);
	close(ep);
}

static void epoll_set_before_connect_follows_it(void **state)
{
	(void)state;
	compare_sides(early_steps);
}

static void waiting_steps(struct side *s)
{
	struct timespec ts = { 0, 5000000 };
	int peer, fd = side_connected(s, SOCK_NONBLOCK, &peer), ep = epoll_create1(0);
	struct epoll_event ev[4];
	pthread_t t;

	add(ep, fd, EPOLLIN, 1);
	NOTE(epoll_wait(ep, ev, 4, 10));
	NOTE(epoll_pwait2(ep, ev, 4, &ts, NULL));
	pthread_create(&t, NULL, send_later, &peer);
	NOTE(epoll_wait(ep, ev, 4, -1));
	pthread_join(t, NULL);
	recv(fd, buf, 10, 0);
	pthread_create(&t, NULL, send_later, &peer);
	NOTE(epoll_pwait(ep, ev, 4, 1000, NULL));
	pthread_join(t, NULL);
	NOTE(epoll_wait(ep, ev, 0, 0));
	NOTE(epoll_wait(fd, ev, 4, 0));
	NOTE(epoll_wait(-1, ev, 4, 0));
	close(peer);
	close(fd);
	close(ep);
}

static void epoll_wait_sleeps_and_wakes(void **state)
{
	(void)state;
	compare_sides(waiting_steps);
}

/* ---- SIGIO ---- */

static volatile sig_atomic_t sigios;

static void on_sigio(int sig)
{
	(void)sig;
	sigios++;
}

static void sigio_steps(struct side *s)
{
	int peer, fd = side_connected(s, SOCK_NONBLOCK, &peer);

	signal(SIGIO, on_sigio);
	NOTE(fcntl(fd, F_SETOWN, getpid()));
	NOTE(fcntl(fd, F_SETFL, O_NONBLOCK | O_ASYNC));
	side_settle();
	sigios = 0;
	send(peer, "abc", 3, 0);
	side_settle();
	note(s, "heard %d", sigios > 0);
	close(fd);
	close(peer);
	signal(SIGIO, SIG_DFL);
}

static void sigio_is_sent(void **state)
{
	(void)state;
	compare_sides(sigio_steps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(poll_shows_every_state),
		cmocka_unit_test(poll_mixes_fds),
		cmocka_unit_test(select_shows_every_state),
		cmocka_unit_test(select_keeps_linux_rules),
		cmocka_unit_test(select_takes_sets_beyond_fd_setsize),
		cmocka_unit_test(epoll_shows_every_state),
		cmocka_unit_test(epoll_that_stays_shows_every_state),
		cmocka_unit_test(edge_triggered_epoll_that_stays_shows_every_state),
		cmocka_unit_test(edge_triggered_epoll_fires_for_each_piece_of_news),
		cmocka_unit_test(oneshot_and_nested_epoll_are_the_kernel_s),
		cmocka_unit_test(epoll_set_before_connect_follows_it),
		cmocka_unit_test(epoll_wait_sleeps_and_wakes),
		cmocka_unit_test(sigio_is_sent),
	};

	side_prepare();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
