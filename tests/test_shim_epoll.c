/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * epoll sets with sockets of ours held against the kernel's: the same steps over a socket of the kernel's and over one of
 * ours.  What sockets look like in a set is test_shim_ready.c's subject; this is about registrations.
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
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim_peer.h"

#define NOTE(call) note_result(s, #call, (long)(call))
#define MANY 6

static char buf[65536];

static int ctl(int ep, int op, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event ev = { .events = events, .data.u64 = data };

	return epoll_ctl(ep, op, fd, &ev);
}

static void add(int ep, int fd, uint32_t events, uint64_t data)
{
	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, fd, events, data), 0);
}

/* What one call gives, most at a time. */
static void see_most(struct side *s, int ep, const char *what, int most)
{
	struct epoll_event ev[16];
	char names[128];
	int i, r;

	side_settle();
	r = epoll_wait(ep, ev, most, 0);
	if (r <= 0)
		note_result(s, what, r);
	for (i = 0; i < r; i++)
		note(s, "%s: %llx %s", what, (unsigned long long)ev[i].data.u64,
		     event_names(ev[i].events, names, sizeof(names)));
}

static void see(struct side *s, int ep, const char *what)
{
	see_most(s, ep, what, 16);
}

static void say(int peer)
{
	assert_int_equal(send(peer, "abc", 3, 0), 3);
	side_settle();
}

/* ---- epoll_ctl() ---- */

static void error_steps(struct side *s)
{
	int peer, fd = side_connected(s, SOCK_NONBLOCK, &peer), ep = epoll_create1(0), plain = dup(0);

	NOTE(ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN, 1));
	NOTE(ctl(ep, EPOLL_CTL_DEL, fd, 0, 1));
	NOTE(ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN, 1));
	NOTE(ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN, 1));
	NOTE(ctl(ep, 77, fd, EPOLLIN, 1));
	NOTE(ctl(ep, 0, fd, EPOLLIN, 1));
	NOTE(epoll_ctl(ep, EPOLL_CTL_MOD, fd, NULL));
	NOTE(epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL));
	NOTE(epoll_ctl(ep, EPOLL_CTL_ADD, fd, NULL));
	NOTE(ctl(fd, EPOLL_CTL_ADD, fd, EPOLLIN, 1));
	NOTE(ctl(plain, EPOLL_CTL_ADD, fd, EPOLLIN, 1));
	NOTE(ctl(ep, EPOLL_CTL_ADD, ep, EPOLLIN, 1));
	NOTE(ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT, 1));
	NOTE(ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLEXCLUSIVE | EPOLLRDHUP, 1));
	NOTE(ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLEXCLUSIVE, 1));
	NOTE(ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN, 1));
	NOTE(ctl(ep, EPOLL_CTL_DEL, fd, 0, 0));
	NOTE(ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN, 1));
	NOTE(ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLEXCLUSIVE, 1));
	NOTE(ctl(ep, EPOLL_CTL_DEL, fd, 0, 0));
	NOTE(ctl(ep, EPOLL_CTL_DEL, fd, 0, 0));
	close(ep);
	NOTE(ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN, 1));
	close(fd);
	close(peer);
	close(plain);
}

static void errors_are_the_kernel_s(void **state)
{
	(void)state;
	compare_sides(error_steps);
}

static void wait_error_steps(struct side *s)
{
	int peer, fd = side_connected(s, SOCK_NONBLOCK, &peer), ep = epoll_create1(0);
	struct epoll_event *none = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ev[2];
	volatile int negative = -1;

	add(ep, fd, EPOLLIN, 1);
	NOTE(epoll_wait(ep, none, 2, 0));
	say(peer);
	NOTE(epoll_wait(ep, none, 2, 0));
	NOTE(epoll_wait(ep, ev, 0, 0));
	NOTE(epoll_wait(ep, ev, negative, 0));
	NOTE(epoll_wait(ep, ev, 2, 0));
	NOTE(epoll_wait(ep, ev, 2, -1));
	munmap(none, 4096);
	close(ep);
	close(fd);
	close(peer);
}

static void wait_errors_are_the_kernel_s(void **state)
{
	(void)state;
	compare_sides(wait_error_steps);
}

/* ---- edges ---- */

static void edge_of(struct side *s, uint32_t events, const char *name)
{
	int peer, fd = side_connected(s, SOCK_NONBLOCK, &peer), ep = epoll_create1(0);

	note(s, "%s", name);
	add(ep, fd, events | EPOLLET, 1);
	see(s, ep, "added");
	say(peer);
	see(s, ep, "data");
	say(peer);
	see(s, ep, "more data");
	ctl(ep, EPOLL_CTL_MOD, fd, events | EPOLLET, 2);
	see(s, ep, "changed");
	see(s, ep, "nothing new");
	ctl(ep, EPOLL_CTL_DEL, fd, 0, 0);
	add(ep, fd, events | EPOLLET, 3);
	see(s, ep, "added again");
	recv(fd, buf, sizeof(buf), 0);
	see(s, ep, "read");
	shutdown(peer, SHUT_WR);
	see(s, ep, "FIN");
	see(s, ep, "nothing new");
	side_reset(peer);
	see(s, ep, "reset");
	close(ep);
	close(fd);
}

static void edge_steps(struct side *s)
{
	edge_of(s, EPOLLIN, "in");
	edge_of(s, EPOLLOUT, "out");
	edge_of(s, EPOLLRDHUP, "rdhup");
	edge_of(s, EPOLLIN | EPOLLOUT | EPOLLRDHUP, "all");
	edge_of(s, 0, "none");
	edge_of(s, EPOLLIN | EPOLLOUT | EPOLLONESHOT, "once");
}

static void edges_are_for_what_is_asked(void **state)
{
	(void)state;
	compare_sides(edge_steps);
}

/* ---- levels, and whose turn it is ---- */

static void fair_steps(struct side *s)
{
	int peer[MANY], fd[MANY], ep = epoll_create1(0), i, round;

	for (i = 0; i < MANY; i++) {
		fd[i] = side_connected(s, SOCK_NONBLOCK, &peer[i]);
		add(ep, fd[i], EPOLLIN | (i == 4 ? EPOLLET : 0), (uint64_t)i);
	}
	for (i = 0; i < MANY; i++)
		say(peer[i]);
	for (round = 0; round < 8; round++)
		see_most(s, ep, "two", 2);
	recv(fd[0], buf, 10, 0);
	recv(fd[3], buf, 10, 0);
	for (round = 0; round < 4; round++)
		see_most(s, ep, "without 0 and 3", 3);
	ctl(ep, EPOLL_CTL_MOD, fd[1], EPOLLOUT, 11);
	ctl(ep, EPOLL_CTL_DEL, fd[2], 0, 0);
	for (round = 0; round < 4; round++)
		see_most(s, ep, "changed", 1);
	for (i = 0; i < MANY; i++) {
		close(fd[i]);
		close(peer[i]);
	}
	see(s, ep, "closed");
	close(ep);
}

static void who_is_ready_takes_turns(void **state)
{
	(void)state;
	compare_sides(fair_steps);
}

static void mixed_steps(struct side *s)
{
	int peer, fd = side_connected(s, SOCK_NONBLOCK, &peer), ep = epoll_create1(0), ends[2], i, seen[2] = { 0, 0 };
	struct epoll_event ev;

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	add(ep, fd, EPOLLIN, 0);
	add(ep, ends[0], EPOLLIN, 1);
	say(peer);
	for (i = 0; i < 100; i++) {
		assert_int_equal(epoll_wait(ep, &ev, 1, -1), 1);
		seen[ev.data.u64]++;
	}
	note(s, "socket %d, pipe %d", seen[0] >= 10, seen[1] >= 10);
	recv(fd, buf, 10, 0);
	see(s, ep, "pipe");
	assert_int_equal(read(ends[0], buf, 10), 1);
	see(s, ep, "none");
	close(ends[0]);
	close(ends[1]);
	close(fd);
	close(peer);
	close(ep);
}

static void neither_sockets_nor_others_starve(void **state)
{
	(void)state;
	compare_sides(mixed_steps);
}

/* ---- numbers ---- */

static void number_steps(struct side *s)
{
	int peer, fd = side_connected(s, SOCK_NONBLOCK, &peer), copy = dup(fd), ep = epoll_create1(0), ep2, ep3;

	add(ep, fd, EPOLLIN, 1);
	add(ep, copy, EPOLLIN, 2);
	say(peer);
	see(s, ep, "both");
	close(fd);
	see(s, ep, "one is closed");
	NOTE(dup2(copy, fd) == fd);
	NOTE(ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN, 3));
	NOTE(ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLOUT, 4));
	see(s, ep, "it is back");
	NOTE(ctl(ep, EPOLL_CTL_DEL, copy, 0, 0));
	ep2 = dup(ep);
	ep3 = fcntl(ep, F_DUPFD_CLOEXEC, 0);
	close(ep);
	see(s, ep2, "the set by another number");
	NOTE(ctl(ep3, EPOLL_CTL_ADD, copy, EPOLLIN, 5));
	close(ep2);
	see(s, ep3, "and by a third");
	NOTE(dup2(0, ep3) == ep3);
	see(s, ep3, "no set any more");
	ep = epoll_create1(0);
	add(ep, fd, EPOLLIN, 6);
	see(s, ep, "another set");
	close(fd);
	close(copy);
	see(s, ep, "all are closed");
	close(ep);
	close(ep3);
	close(peer);
}

static void registrations_are_of_files_and_numbers(void **state)
{
	(void)state;
	compare_sides(number_steps);
}

/* A number that is somebody else's by now. */
static void reuse_steps(struct side *s)
{
	int peer, fd = side_connected(s, SOCK_NONBLOCK, &peer), ep = epoll_create1(0), other, old = ep;

	add(ep, fd, EPOLLIN, 1);
	say(peer);
	close(fd);
	close(peer);
	other = side_connected(s, SOCK_NONBLOCK, &peer);
	note(s, "same number %d", other == fd);
	see(s, ep, "none");
	NOTE(ctl(ep, EPOLL_CTL_MOD, other, EPOLLIN, 2));
	NOTE(ctl(ep, EPOLL_CTL_ADD, other, EPOLLIN, 3));
	close(ep);
	ep = epoll_create1(0);
	note(s, "same number %d", ep == old);
	say(peer);
	see(s, ep, "none");
	NOTE(ctl(ep, EPOLL_CTL_ADD, other, EPOLLIN, 4));
	see(s, ep, "new set");
	close(ep);
	close(other);
	close(peer);
}

static void numbers_come_back(void **state)
{
	(void)state;
	compare_sides(reuse_steps);
}

/* ---- before there is a connection ---- */

static void listener_steps(struct side *s)
{
	struct sockaddr_in a = s->own;
	int fd = side_socket(s, SOCK_NONBLOCK), client = side_client(s), ep = epoll_create1(0), edge = epoll_create1(0);
	socklen_t len = sizeof(a);

	add(ep, fd, EPOLLIN | EPOLLOUT, 1);
	add(edge, fd, EPOLLIN | EPOLLET, 2);
	see(s, ep, "fresh");
	see(s, edge, "fresh");
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	see(s, ep, "bound");
	listen(fd, 5);
	see(s, ep, "listening");
	see(s, edge, "listening");
	getsockname(fd, (struct sockaddr *)&a, &len);
	connect(client, (struct sockaddr *)&a, sizeof(a));
	see(s, ep, "a connection");
	see(s, edge, "a connection");
	see(s, edge, "nothing new");
	close(accept(fd, NULL, NULL));
	see(s, ep, "accepted");
	close(client);
	close(fd);
	close(ep);
	close(edge);
}

static void set_before_listen_follows_it(void **state)
{
	(void)state;
	compare_sides(listener_steps);
}

static void refused_steps(struct side *s)
{
	int fd = side_socket(s, SOCK_NONBLOCK), ep = epoll_create1(0), peer, err;
	socklen_t len = sizeof(err);

	add(ep, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP, 1);
	connect(fd, (struct sockaddr *)&s->closed, sizeof(s->closed));
	see(s, ep, "refused");
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
	note(s, "error %d", err);
	see(s, ep, "told");
	NOTE(connect(fd, (struct sockaddr *)&s->to, sizeof(s->to)));
	NOTE(connect(fd, (struct sockaddr *)&s->to, sizeof(s->to)));
	peer = accept(s->listener, NULL, NULL);
	see(s, ep, "connected");
	say(peer);
	see(s, ep, "data");
	shutdown(fd, SHUT_WR);
	close(peer);
	see(s, ep, "over");
	close(fd);
	close(ep);
}

static void set_follows_from_one_connection_to_the_next(void **state)
{
	(void)state;
	compare_sides(refused_steps);
}

/* ---- several sets ---- */

static void set_steps(struct side *s)
{
	int peer, fd = side_connected(s, SOCK_NONBLOCK, &peer), a = epoll_create1(0), b = epoll_create1(0), c = epoll_create1(0);

	add(a, fd, EPOLLIN, 1);
	add(b, fd, EPOLLIN | EPOLLET, 2);
	add(c, fd, EPOLLIN | EPOLLEXCLUSIVE, 3);
	say(peer);
	see(s, a, "a");
	see(s, b, "b");
	see(s, b, "b");
	see(s, c, "c");
	close(b);
	recv(fd, buf, 10, 0);
	see(s, a, "a");
	see(s, c, "c");
	say(peer);
	see(s, c, "c");
	close(fd);
	see(s, a, "a");
	see(s, c, "c");
	close(a);
	close(c);
	close(peer);
}

static void sets_are_told_each(void **state)
{
	(void)state;
	compare_sides(set_steps);
}

/* ---- somebody else looks at the set ---- */

static void look_steps(struct side *s, int ep, int how)
{
	struct pollfd p = { .fd = ep, .events = POLLIN };
	struct timeval none = { 0, 0 };
	int outer = epoll_create1(0);
	fd_set in;

	side_settle();
	if (how == 0) {
		NOTE(poll(&p, 1, 0));
	} else if (how == 1) {
		FD_ZERO(&in);
		FD_SET(ep, &in);
		NOTE(select(ep + 1, &in, NULL, NULL, &none));
	} else {
		NOTE(ctl(outer, EPOLL_CTL_ADD, ep, EPOLLIN, 99));
		see(s, outer, "outer");
	}
	close(outer);
}

static void seen_steps(struct side *s)
{
	int how, peer, fd, second, other, ep;

	for (how = 0; how < 3; how++) {
		fd = side_connected(s, SOCK_NONBLOCK, &peer);
		second = side_connected(s, SOCK_NONBLOCK, &other);
		ep = epoll_create1(0);
		add(ep, fd, EPOLLIN | (how == 1 ? EPOLLET : 0), 1);
		look_steps(s, ep, how);
		say(peer);
		look_steps(s, ep, how);
		see(s, ep, "data");
		recv(fd, buf, 10, 0);
		look_steps(s, ep, how);
		add(ep, second, EPOLLOUT, 2);
		look_steps(s, ep, how);
		see(s, ep, "both");
		NOTE(ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLONESHOT, 3));
		NOTE(ctl(ep, EPOLL_CTL_DEL, second, 0, 0));
		say(peer);
		see(s, ep, "once");
		see(s, ep, "no more");
		look_steps(s, ep, how);
		close(fd);
		look_steps(s, ep, how);
		close(peer);
		close(second);
		close(other);
		close(ep);
	}
}

static void sets_that_others_look_at_show_what_is_ready(void **state)
{
	(void)state;
	compare_sides(seen_steps);
}

static void shared_set_steps(struct side *s)
{
	int peer, fd = side_connected(s, SOCK_NONBLOCK, &peer), ep = epoll_create1(0);
	struct epoll_event ev;

	add(ep, fd, EPOLLIN, 1);
	see(s, ep, "nothing");
	/* The set is raised to a number of which the library knows nothing, and looked at there. */
	NOTE(ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN, 2));
	say(peer);
	NOTE(epoll_wait(ep, &ev, 1, -1));
	NOTE(fcntl(fd, F_SETOWN, getpid()));
	NOTE(fcntl(fd, F_SETFL, O_NONBLOCK | O_ASYNC));
	see(s, ep, "with an owner");
	recv(fd, buf, 10, 0);
	see(s, ep, "read");
	signal(SIGIO, SIG_IGN);
	say(peer);
	see(s, ep, "data");
	signal(SIGIO, SIG_DFL);
	close(ep);
	close(fd);
	close(peer);
}

static void sockets_with_an_owner_stay_in_sets(void **state)
{
	(void)state;
	signal(SIGIO, SIG_IGN);
	compare_sides(shared_set_steps);
	signal(SIGIO, SIG_DFL);
}

/* ---- no descriptor is left ---- */

static void full_steps(struct side *s)
{
	int peer, fd = side_connected(s, SOCK_NONBLOCK, &peer), ep = epoll_create1(0), last = -1, next, first = -1;
	struct rlimit had, few;

	getrlimit(RLIMIT_NOFILE, &had);
	few = had;
	few.rlim_cur = (rlim_t)(ep + 20);
	setrlimit(RLIMIT_NOFILE, &few);
	while ((next = dup(0)) >= 0) {
		first = first < 0 ? next : first;
		last = next;
	}
	NOTE(next);
	NOTE(ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN, 1));
	say(peer);
	see(s, ep, "data");
	NOTE(ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLOUT | EPOLLET, 2));
	see(s, ep, "changed");
	for (; last >= first && first >= 0; last--)
		close(last);
	setrlimit(RLIMIT_NOFILE, &had);
	close(ep);
	close(fd);
	close(peer);
}

static void registration_needs_no_descriptor(void **state)
{
	(void)state;
	compare_sides(full_steps);
}

/* ---- threads ---- */

struct sleeper {
	int ep;
	struct epoll_event ev;
	int r;
};

static void *sleeps(void *arg)
{
	struct sleeper *t = arg;

	t->r = epoll_wait(t->ep, &t->ev, 1, 5000);
	return NULL;
}

/* What is done to the set while another thread waits for it. */
static void woken_by(struct side *s, int what)
{
	int peer, fd = side_connected(s, SOCK_NONBLOCK, &peer), ep = epoll_create1(0);
	struct sleeper t = { .ep = ep };
	pthread_t thread;

	if (what)
		add(ep, fd, what == 1 ? 0 : EPOLLIN | EPOLLET, 1);
	assert_int_equal(pthread_create(&thread, NULL, sleeps, &t), 0);
	side_settle();
	if (what == 0)
		add(ep, fd, EPOLLOUT, 2);
	else if (what == 1)
		ctl(ep, EPOLL_CTL_MOD, fd, EPOLLOUT, 3);
	else
		say(peer);
	pthread_join(thread, NULL);
	note(s, "%d: %d %llx %x", what, t.r, (unsigned long long)t.ev.data.u64, t.ev.events);
	close(ep);
	close(fd);
	close(peer);
}

static void wake_steps(struct side *s)
{
	woken_by(s, 0);
	woken_by(s, 1);
	woken_by(s, 2);
}

static void sleepers_are_woken_by_other_threads(void **state)
{
	(void)state;
	compare_sides(wake_steps);
}

/* ---- children ---- */

static int child_looks(int ep, uint64_t data)
{
	struct epoll_event ev;

	return epoll_wait(ep, &ev, 1, 1000) == 1 && ev.data.u64 == data && ev.events & EPOLLIN ? 0 : 1;
}

static void forked_steps(struct side *s)
{
	int peer, fd = side_connected(s, SOCK_NONBLOCK, &peer), ep = epoll_create1(0), own;
	pid_t pid;

	add(ep, fd, EPOLLIN, 1);
	say(peer);
	pid = fork();
	if (pid == 0)
		_exit(0);
	NOTE(side_reap(pid));
	see(s, ep, "after a child that doesn't look");
	pid = fork();
	if (pid == 0) {
		own = epoll_create1(0);
		close(ep);
		_exit(own < 0);
	}
	NOTE(side_reap(pid));
	see(s, ep, "after a child that closes it");
	pid = fork();
	if (pid == 0)
		_exit(child_looks(ep, 1));
	NOTE(side_reap(pid));
	see(s, ep, "after a child that looks");
	recv(fd, buf, 10, 0);
	see(s, ep, "read");
	NOTE(ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLOUT, 2));
	see(s, ep, "changed");
	NOTE(ctl(ep, EPOLL_CTL_DEL, fd, 0, 0));
	see(s, ep, "taken out");
	close(fd);
	close(ep);
	close(peer);
}

static void children_have_their_parent_s_sets(void **state)
{
	(void)state;
	compare_sides(forked_steps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_are_the_kernel_s),
		cmocka_unit_test(wait_errors_are_the_kernel_s),
		cmocka_unit_test(edges_are_for_what_is_asked),
		cmocka_unit_test(who_is_ready_takes_turns),
		cmocka_unit_test(neither_sockets_nor_others_starve),
		cmocka_unit_test(registrations_are_of_files_and_numbers),
		cmocka_unit_test(numbers_come_back),
		cmocka_unit_test(set_before_listen_follows_it),
		cmocka_unit_test(set_follows_from_one_connection_to_the_next),
		cmocka_unit_test(sets_are_told_each),
		cmocka_unit_test(sets_that_others_look_at_show_what_is_ready),
		cmocka_unit_test(sockets_with_an_owner_stay_in_sets),
		cmocka_unit_test(registration_needs_no_descriptor),
		cmocka_unit_test(sleepers_are_woken_by_other_threads),
		cmocka_unit_test(children_have_their_parent_s_sets),
	};

	side_prepare();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
