/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_engine.c - two engines back to back on a wire: threads that wait, drive and
 * wake each other; handles; mirrors; signals; fork and exit.
 *
 * Real threads and real time, so bounds are wide and every wait has one.
 */
#include "engine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine_impl.h"
#include "wire_netif.h"

#define SOON (10 * XTIME_SEC)       /* what must happen happens before that */
#define PORT 5000
#define MAX_THREADS 8

static struct engine *client, *server;
static struct netif *ends[2];

/* ---- arranging ---- */

struct mirror {
	uint32_t events;
	unsigned calls, edges;
};

static void on_ready(void *user, uint32_t events, bool is_edge)
{
	struct mirror *m = user;

	m->events = events;
	m->edges += is_edge;
	m->calls++;
}

static struct engine *open_end(int i)
{
	struct engine_config cfg = { .naddr = 1, .ready = on_ready };
	struct engine *e = NULL;
	char err[200];

	cfg.addrs[0] = (struct engine_prefix){ 0x0a000001 + (ip4)i, 24 };
	assert_int_equal(engine_open_on(&cfg, ends[i], &e, err, sizeof(err)), 0);
	return e;
}

static int setup_vnet(void **state, bool has_vnet)
{
	(void)state;
	alarm(120);
	assert_int_equal(wire_netif_pair(ends, has_vnet), 0);
	client = open_end(0);
	server = open_end(1);
	return 0;
}

static int setup(void **state)
{
	return setup_vnet(state, false);
}

static int setup_super(void **state)
{
	return setup_vnet(state, true);
}

static int teardown(void **state)
{
	(void)state;
	engine_close(client);
	engine_close(server);
	return 0;
}

static struct sockaddr_in addr_of(ip4 a, uint16_t port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };

	sa.sin_addr.s_addr = htonl(a);
	return sa;
}

/* ---- blocking calls, as the shim makes them ---- */

static uint32_t wait_for(struct engine *e, engine_sock s, uint32_t events)
{
	struct engine_watch w = { .s = s, .events = events };
	int n;

	do
		n = engine_wait(e, &w, 1, NULL, 0, engine_now() + SOON, NULL);
	while (n == -EINTR);
	assert_int_equal(n, 1);
	return w.revents;
}

static void send_all(struct engine *e, engine_sock s, const void *p, size_t len)
{
	struct iovec iov = { (void *)(uintptr_t)p, len };
	size_t done = 0;

	while (done < len) {
		ssize_t n = engine_send(e, s, &iov, 1, done, 0);

		if (n == -EAGAIN)
			wait_for(e, s, POLLOUT);
		else if (n < 0)
			fail_msg("send: %s", strerror((int)-n));
		else
			done += (size_t)n;
	}
}

/* Up to len bytes, fewer only at the end. */
static size_t recv_all(struct engine *e, engine_sock s, void *p, size_t len)
{
	struct iovec iov = { p, len };
	size_t done = 0;

	while (done < len) {
		ssize_t n = engine_recv(e, s, &iov, 1, done, 0, 0, NULL);

		if (n == -EAGAIN)
			wait_for(e, s, POLLIN);
		else if (n < 0)
			fail_msg("recv: %s", strerror((int)-n));
		else if (!n)
			break;
		else
			done += (size_t)n;
	}
	return done;
}

static engine_sock listen_on(uint16_t port)
{
	struct sockaddr_in sa = addr_of(0, port);
	engine_sock l;

	assert_int_equal(engine_socket(server, &l), 0);
	assert_int_equal(engine_bind(server, l, &sa, true), 0);
	assert_int_equal(engine_listen(server, l, 128), 0);
	return l;
}

static engine_sock connect_to(uint16_t port)
{
	struct sockaddr_in sa = addr_of(0x0a000002, port);
	engine_sock s;

	assert_int_equal(engine_socket(client, &s), 0);
	assert_int_equal(engine_connect(client, s, &sa), 0);
	wait_for(client, s, TCP_EV_CONNECTED);
	assert_int_equal(engine_connect_result(client, s), 0);
	return s;
}

static engine_sock accept_one(engine_sock l)
{
	engine_sock s;
	int r;

	while ((r = engine_accept(server, l, &s)) == -EAGAIN)
		wait_for(server, l, POLLIN);
	assert_int_equal(r, 0);
	return s;
}

/* A connected pair. */
static void connect_pair(engine_sock *c, engine_sock *s)
{
	engine_sock l = listen_on(PORT);

	*c = connect_to(PORT);
	*s = accept_one(l);
	engine_release(server, l);
}

/* Answers what it gets until the end. */
static void *echo_main(void *arg)
{
	engine_sock s = *(engine_sock *)arg;
	char buf[16384];
	struct iovec iov = { buf, sizeof(buf) };
	ssize_t n;

	for (;;) {
		n = engine_recv(server, s, &iov, 1, 0, 0, 0, NULL);
		if (n == -EAGAIN)
			wait_for(server, s, POLLIN);
		else if (n <= 0)
			break;
		else
			send_all(server, s, buf, (size_t)n);
	}
	engine_release(server, s);
	return NULL;
}

static pthread_t start(void *(*f)(void *), void *arg)
{
	pthread_t t;

	assert_int_equal(pthread_create(&t, NULL, f, arg), 0);
	return t;
}

/* A connection to an echo thread. */
static engine_sock connect_echo(pthread_t *t, engine_sock *s)
{
	engine_sock c;

	connect_pair(&c, s);
	*t = start(echo_main, s);
	return c;
}

static void nap(int ms)
{
	struct timespec ts = { ms / 1000, (long)(ms % 1000) * 1000000 };

	nanosleep(&ts, NULL);
}

static void ping_pong(engine_sock c, unsigned rounds, uint32_t seed)
{
	uint32_t out, in;
	unsigned i;

	for (i = 0; i < rounds; i++) {
		out = seed + i;
		send_all(client, c, &out, sizeof(out));
		assert_int_equal(recv_all(client, c, &in, sizeof(in)), sizeof(in));
		assert_int_equal(in, out);
	}
}

/* ---- data ---- */

static void connected_pingpong_every_answer_arrives(void **state)
{
	engine_sock c, s;
	pthread_t t;

	(void)state;
	c = connect_echo(&t, &s);
	ping_pong(c, 3000, 1);
	engine_release(client, c);
	pthread_join(t, NULL);
}

#define BULK_BYTES (24u << 20)
#define CHUNK 65536u

static uint8_t pattern(size_t off)
{
	return (uint8_t)(off * 2654435761u >> 24);
}

static void *bulk_send_main(void *arg)
{
	engine_sock s = *(engine_sock *)arg;
	uint8_t *buf = malloc(CHUNK);
	size_t off, i;

	for (off = 0; off < BULK_BYTES; off += CHUNK) {
		for (i = 0; i < CHUNK; i++)
			buf[i] = pattern(off + i);
		send_all(server, s, buf, CHUNK);
	}
	free(buf);
	engine_shutdown(server, s, SHUT_WR);
	return NULL;
}

static void bulk(void)
{
	uint8_t *buf = malloc(CHUNK);
	engine_sock c, s;
	size_t off = 0, n, i;
	pthread_t t;

	connect_pair(&c, &s);
	t = start(bulk_send_main, &s);
	while ((n = recv_all(client, c, buf, CHUNK))) {
		for (i = 0; i < n; i++)
			if (buf[i] != pattern(off + i))
				fail_msg("byte %zu is wrong", off + i);
		off += n;
	}
	assert_int_equal(off, BULK_BYTES);
	pthread_join(t, NULL);
	engine_release(client, c);
	engine_release(server, s);
	free(buf);
}

static void connected_bulk_arrives_intact(void **state)
{
	(void)state;
	bulk();
}

static void interface_refuses_now_and_then_nothing_is_lost(void **state)
{
	(void)state;
	wire_netif_refuse(ends[0], 7);
	wire_netif_refuse(ends[1], 5);
	bulk();
	assert_int_equal(stack_counters(server->stack)[CTR_tx_failed], 0);
	assert_int_equal(stack_counters(server->stack)[CTR_TcpExtTCPTimeouts], 0);
}

/* A program that never waits: the engine must progress by its calls alone. */
static void nonblocking_polling_makes_progress(void **state)
{
	uint32_t out = 7, in = 0;
	struct iovec o = { &out, sizeof(out) }, i = { &in, sizeof(in) };
	engine_sock c, s;
	pthread_t t;
	unsigned k;
	ssize_t n;

	(void)state;
	c = connect_echo(&t, &s);
	for (k = 0; k < 500; k++, out++) {
		assert_int_equal(engine_send(client, c, &o, 1, 0, MSG_DONTWAIT), sizeof(out));
		while ((n = engine_recv(client, c, &i, 1, 0, MSG_DONTWAIT, 0, NULL)) == -EAGAIN)
			;
		assert_int_equal(n, sizeof(in));
		assert_int_equal(in, out);
	}
	engine_release(client, c);
	pthread_join(t, NULL);
}

/* The loop thread alone takes in and acknowledges what comes for a busy program. */
static void program_away_peer_goes_on(void **state)
{
	static uint8_t data[20000];
	engine_sock c, s;
	int n = 0, k;

	(void)state;
	connect_pair(&c, &s);
	send_all(server, s, data, sizeof(data));
	for (k = 0; k < 1000 && n < (int)sizeof(data); k++) {
		nap(1);
		assert_int_equal(tcp_inq(engine_slot(client, c)->conn) >= 0, true);
		engine_enter(client);
		n = tcp_inq(engine_slot(client, c)->conn);
		engine_exit(client);
	}
	assert_int_equal(n, sizeof(data));
	engine_release(client, c);
	engine_release(server, s);
}

/* ---- waiting ---- */

static void silent_socket_wait_ends_at_deadline(void **state)
{
	struct engine_watch w = { .events = POLLIN };
	engine_sock c, s;
	xtime t0, took;

	(void)state;
	connect_pair(&c, &s);
	w.s = c;
	t0 = engine_now();
	assert_int_equal(engine_wait(client, &w, 1, NULL, 0, t0 + 30 * XTIME_MSEC, NULL), 0);
	took = engine_now() - t0;
	assert_in_range(took, 30 * XTIME_MSEC, 2 * XTIME_SEC);
	assert_int_equal(w.revents, 0);
	assert_int_equal(engine_wait(client, &w, 1, NULL, 0, 0, NULL), 0);
	w.events = POLLOUT;
	assert_int_equal(engine_wait(client, &w, 1, NULL, 0, 0, NULL), 1);
	assert_int_equal(w.revents, POLLOUT);
	engine_release(client, c);
	engine_release(server, s);
}

static void stale_handle_wait_says_nval(void **state)
{
	struct engine_watch w = { .events = POLLIN };

	(void)state;
	assert_int_equal(engine_socket(client, &w.s), 0);
	assert_int_equal(engine_release(client, w.s), 0);
	assert_int_equal(engine_wait(client, &w, 1, NULL, 0, XTIME_NEVER, NULL), 1);
	assert_int_equal(w.revents, POLLNVAL);
	assert_int_equal(engine_release(client, w.s), -EBADF);
	assert_int_equal(engine_shutdown(client, w.s, SHUT_WR), -EBADF);
	w.s = 0;
	assert_int_equal(engine_wait(client, &w, 1, NULL, 0, XTIME_NEVER, NULL), 1);
}

static void *wait_in_main(void *arg)
{
	struct engine_watch *w = arg;

	assert_int_equal(engine_wait(client, w, 1, NULL, 0, engine_now() + SOON, NULL), 1);
	return NULL;
}

static void waiting_socket_released_by_another_wakes(void **state)
{
	struct engine_watch w = { .events = POLLIN };
	engine_sock c, s;
	pthread_t t;

	(void)state;
	connect_pair(&c, &s);
	w.s = c;
	t = start(wait_in_main, &w);
	nap(20);
	assert_int_equal(engine_release(client, c), 0);
	pthread_join(t, NULL);
	assert_int_equal(w.revents, POLLNVAL);
	engine_release(server, s);
}

static void *write_pipe_main(void *arg)
{
	nap(20);
	assert_int_equal(write(*(int *)arg, "x", 1), 1);
	return NULL;
}

static void waiting_extra_fd_ready_wakes(void **state)
{
	struct engine_watch w = { .events = POLLIN };
	struct pollfd fds[40];
	engine_sock c, s;
	int p[2], i;
	pthread_t t;

	(void)state;
	connect_pair(&c, &s);
	w.s = c;
	assert_int_equal(pipe(p), 0);
	for (i = 0; i < 40; i++)
		fds[i] = (struct pollfd){ .fd = i == 39 ? p[0] : -1, .events = POLLIN };
	t = start(write_pipe_main, &p[1]);
	assert_int_equal(engine_wait(client, &w, 1, fds, 40, engine_now() + SOON, NULL), 1);
	assert_int_equal(fds[39].revents, POLLIN);
	assert_int_equal(w.revents, 0);
	/* Both at once, without a sleep. */
	w.events = POLLOUT;
	assert_int_equal(engine_wait(client, &w, 1, fds, 40, XTIME_NEVER, NULL), 2);
	pthread_join(t, NULL);
	close(p[0]);
	close(p[1]);
	engine_release(client, c);
	engine_release(server, s);
}

/* One thread sleeps on a silent socket and drives; another's traffic must not suffer, and the
 * first must wake when its turn comes. */
static void idle_driver_others_are_served(void **state)
{
	struct engine_watch w = { .events = POLLIN };
	engine_sock quiet_c, quiet_s, c, s;
	pthread_t sleeper, echo;
	uint32_t x = 1;

	(void)state;
	connect_pair(&quiet_c, &quiet_s);
	w.s = quiet_c;
	sleeper = start(wait_in_main, &w);
	nap(20);
	c = connect_echo(&echo, &s);
	ping_pong(c, 500, 77);
	send_all(server, quiet_s, &x, sizeof(x));
	pthread_join(sleeper, NULL);
	assert_int_equal(w.revents, POLLIN);
	ping_pong(c, 100, 99);
	engine_release(client, c);
	pthread_join(echo, NULL);
	engine_release(client, quiet_c);
	engine_release(server, quiet_s);
}

struct worker {
	engine_sock c, s;
	pthread_t t, echo;
	uint32_t seed;
};

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	ping_pong(w->c, 400, w->seed);
	return NULL;
}

static void many_threads_each_its_socket(void **state)
{
	struct worker w[MAX_THREADS];
	unsigned i;

	(void)state;
	for (i = 0; i < MAX_THREADS; i++) {
		w[i].seed = i << 20;
		w[i].c = connect_echo(&w[i].echo, &w[i].s);
	}
	for (i = 0; i < MAX_THREADS; i++)
		w[i].t = start(worker_main, &w[i]);
	for (i = 0; i < MAX_THREADS; i++) {
		pthread_join(w[i].t, NULL);
		engine_release(client, w[i].c);
		pthread_join(w[i].echo, NULL);
	}
}

static void *recv_one_main(void *arg)
{
	engine_sock c = *(engine_sock *)arg;
	char x;

	return (void *)recv_all(client, c, &x, 1);
}

static void many_threads_one_socket_each_gets_a_byte(void **state)
{
	pthread_t t[MAX_THREADS];
	engine_sock c, s;
	void *got;
	unsigned i;

	(void)state;
	connect_pair(&c, &s);
	for (i = 0; i < MAX_THREADS; i++)
		t[i] = start(recv_one_main, &c);
	nap(10);
	for (i = 0; i < MAX_THREADS; i++) {
		send_all(server, s, "x", 1);
		nap(1);
	}
	for (i = 0; i < MAX_THREADS; i++) {
		pthread_join(t[i], &got);
		assert_int_equal((size_t)got, 1);
	}
	engine_release(client, c);
	engine_release(server, s);
}

/* ---- mirrors ---- */

static uint32_t mirrored(struct mirror *m)
{
	uint32_t events;

	engine_enter(client);
	events = m->events;
	engine_exit(client);
	return events;
}

static void mirrored_socket_changes_are_told(void **state)
{
	struct mirror m = { 0 };
	engine_sock c, s;
	char x;
	int k;

	(void)state;
	connect_pair(&c, &s);
	assert_int_equal(engine_mirror(client, c, &m), 0);
	assert_int_equal(m.calls, 1);
	assert_int_equal(m.events & (POLLIN | POLLOUT), POLLOUT);
	send_all(server, s, "x", 1);
	for (k = 0; k < 2000 && !(mirrored(&m) & POLLIN); k++)
		nap(1);
	assert_true(mirrored(&m) & POLLIN);
	assert_true(m.edges > 0);
	assert_int_equal(recv_all(client, c, &x, 1), 1);
	assert_false(mirrored(&m) & POLLIN);
	assert_int_equal(engine_mirror(client, c, NULL), 0);
	assert_int_equal(client->nmirror, 0);
	engine_release(client, c);
	engine_release(server, s);
}

/* ---- signals ---- */

static sigjmp_buf jump;
static engine_sock handler_sock;
static int handler_mode;     /* 0: nothing, 1: sends, 2: jumps */

static void on_signal(int sig)
{
	struct iovec iov = { (void *)(uintptr_t)"x", 1 };

	(void)sig;
	if (handler_mode == 1)
		engine_send(client, handler_sock, &iov, 1, 0, 0);
	if (handler_mode == 2)
		siglongjmp(jump, 1);
}

static pthread_t main_thread;

static void *kick_main(void *arg)
{
	(void)arg;
	nap(30);
	pthread_kill(main_thread, SIGUSR1);
	return NULL;
}

static void catch_signal(int mode)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	handler_mode = mode;
	main_thread = pthread_self();
	sigaction(SIGUSR1, &sa, NULL);
}

static void waiting_signal_gives_eintr(void **state)
{
	struct engine_watch w = { .events = POLLIN };
	engine_sock c, s;
	sigset_t blocked, old;
	pthread_t t;

	(void)state;
	connect_pair(&c, &s);
	w.s = c;
	catch_signal(0);
	t = start(kick_main, NULL);
	assert_int_equal(engine_wait(client, &w, 1, NULL, 0, engine_now() + SOON, NULL), -EINTR);
	pthread_join(t, NULL);
	/* Blocked outside, open during the wait. */
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &blocked, &old);
	pthread_kill(pthread_self(), SIGUSR1);
	assert_int_equal(engine_wait(client, &w, 1, NULL, 0, engine_now() + SOON, &old), -EINTR);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	engine_release(client, c);
	engine_release(server, s);
}

static void waiting_handler_calls_engine_traffic_goes_on(void **state)
{
	struct engine_watch w = { .events = POLLIN };
	engine_sock c, s;
	pthread_t echo, t;
	char x = 0;

	(void)state;
	c = connect_echo(&echo, &s);
	handler_sock = w.s = c;
	catch_signal(1);
	t = start(kick_main, NULL);
	assert_int_equal(engine_wait(client, &w, 1, NULL, 0, engine_now() + SOON, NULL), -EINTR);
	pthread_join(t, NULL);
	assert_int_equal(recv_all(client, c, &x, 1), 1);
	assert_int_equal(x, 'x');
	ping_pong(c, 50, 5);
	engine_release(client, c);
	pthread_join(echo, NULL);
}

static void waiting_handler_jumps_out_traffic_goes_on(void **state)
{
	struct engine_watch w = { .events = POLLIN };
	engine_sock c, s;
	pthread_t echo, t;

	(void)state;
	c = connect_echo(&echo, &s);
	w.s = c;
	catch_signal(2);
	t = start(kick_main, NULL);
	if (!sigsetjmp(jump, 1)) {
		engine_wait(client, &w, 1, NULL, 0, engine_now() + SOON, NULL);
		fail_msg("the handler didn't jump");
	}
	pthread_join(t, NULL);
	ping_pong(c, 50, 5);
	assert_null(client->driver);
	assert_int_equal(client->nwait, 0);
	engine_release(client, c);
	pthread_join(echo, NULL);
}

/* ---- life ---- */

static unsigned count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void opened_and_closed_no_fd_is_left(void **state)
{
	unsigned n = count_fds();
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		assert_int_equal(setup(NULL), 0);
		teardown(NULL);
	}
	assert_int_equal(count_fds(), n);
}

static void own_fds_are_reported(void **state)
{
	int fds[64];
	unsigned n;

	(void)state;
	n = engine_fds(client, fds, 64);
	assert_in_range(n, 3, 64);
	while (n--)
		assert_true(fcntl(fds[n], F_GETFD) >= 0);
	assert_int_equal(engine_fds(client, fds, 1), 1);
}

static int exit_status(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void forked_child_forgets_parent_goes_on(void **state)
{
	engine_sock c, s;
	pthread_t echo;
	pid_t pid;

	(void)state;
	c = connect_echo(&echo, &s);
	ping_pong(c, 20, 1);
	engine_fork_prepare(client);
	engine_fork_prepare(server);
	pid = fork();
	if (!pid) {
		engine_forget(client);
		engine_forget(server);
		_exit(0);
	}
	engine_fork_done(server);
	engine_fork_done(client);
	ping_pong(c, 50, 1000);
	assert_int_equal(exit_status(pid), 0);
	ping_pong(c, 50, 2000);
	engine_release(client, c);
	pthread_join(echo, NULL);
}

/* What was in the send buffer when the process ended is delivered by its keeper. */
static void ended_with_data_keeper_delivers(void **state)
{
	static uint8_t data[200000];
	engine_sock c, s;
	size_t got = 0, n;
	uint8_t buf[4096];
	pid_t pid = 0;
	bool is_left;

	(void)state;
	connect_pair(&c, &s);
	n = (size_t)MAX(0, engine_send(client, c, &(struct iovec){ data, sizeof(data) }, 1, 0, 0));
	assert_true(n > 0);
	is_left = engine_end(client);
	if (is_left) {
		pid = fork();
		if (!pid) {
			engine_carry_on(client);
			_exit(0);
		}
	}
	for (;;) {
		size_t k = recv_all(server, s, buf, sizeof(buf));

		if (!k)
			break;
		got += k;
	}
	engine_release(server, s);
	if (is_left) {
		assert_int_equal(exit_status(pid), 0);
		engine_exit(client);
	}
	assert_int_equal(got, n);
}

static void report_has_numbers(void **state)
{
	char buf[2000], few[10];
	engine_sock c, s;
	pthread_t echo;
	int n;

	(void)state;
	c = connect_echo(&echo, &s);
	ping_pong(c, 3, 1);
	n = engine_stats(client, buf, sizeof(buf));
	assert_int_equal(n, strlen(buf));
	assert_non_null(strstr(buf, "wire, 10.0.0.1 (own), mtu 1500"));
	assert_non_null(strstr(buf, "1 sockets now"));
	assert_int_equal(engine_stats(client, few, sizeof(few)), n);
	assert_int_equal(strlen(few), 9);
	engine_describe(client, buf, sizeof(buf));
	assert_string_equal(buf, "wire, 10.0.0.1 (own), mtu 1500");
	engine_release(client, c);
	pthread_join(echo, NULL);
}

/* ---- idle ---- */

/* Context switches of the engines' own threads. */
static unsigned long loop_switches(void)
{
	unsigned long sum = 0, n;
	char path[300], line[100], name[32];
	struct dirent *d;
	DIR *dir = opendir("/proc/self/task");
	FILE *f;

	while ((d = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/self/task/%s/status", d->d_name);
		f = fopen(path, "r");
		if (!f)
			continue;
		name[0] = 0;
		while (fgets(line, sizeof(line), f)) {
			sscanf(line, "Name: %31s", name);
			if (!strcmp(name, "xtcp") && sscanf(line, "voluntary_ctxt_switches: %lu", &n) == 1)
				sum += n;
		}
		fclose(f);
	}
	closedir(dir);
	return sum;
}

static void idle_engine_sleeps(void **state)
{
	unsigned long before;
	engine_sock c, s;
	pthread_t echo;

	(void)state;
	c = connect_echo(&echo, &s);
	ping_pong(c, 10, 1);
	nap(700);               /* delayed ACKs, probes, leases */
	before = loop_switches();
	nap(300);
	assert_in_range(loop_switches() - before, 0, 3);
	engine_release(client, c);
	pthread_join(echo, NULL);
}

/* ---- stress ---- */

static uint32_t next_random(uint32_t *x)
{
	*x = *x * 1664525u + 1013904223u;
	return *x >> 8;
}

/* Ping-pong in every way that there is, for a while. */
static void *stress_main(void *arg)
{
	struct worker *w = arg;
	uint32_t x = w->seed, out = 0, in;
	xtime end = engine_now() + 3 * XTIME_SEC;
	struct iovec iov = { &in, sizeof(in) };
	struct engine_watch watch = { .s = w->c };
	ssize_t n;

	while (engine_now() < end) {
		out++;
		send_all(client, w->c, &out, sizeof(out));
		switch (next_random(&x) % 5) {
		case 0:         /* polls */
			while (engine_recv(client, w->c, &iov, 1, 0, MSG_DONTWAIT | MSG_PEEK, 0, NULL) == -EAGAIN)
				;
			break;
		case 1:         /* short sleeps */
			watch.events = POLLIN;
			while (!engine_wait(client, &watch, 1, NULL, 0,
					    engine_now() + next_random(&x) % 200 * XTIME_USEC, NULL))
				;
			break;
		case 2:         /* is away */
			nap((int)(next_random(&x) % 3));
			break;
		default:
			break;
		}
		n = (ssize_t)recv_all(client, w->c, &in, sizeof(in));
		assert_int_equal(n, sizeof(in));
		assert_int_equal(in, out);
	}
	return NULL;
}

static void random_waits_no_wakeup_is_lost(void **state)
{
	struct worker w[MAX_THREADS];
	unsigned i;

	(void)state;
	for (i = 0; i < MAX_THREADS; i++) {
		w[i].seed = 1000 + i;
		w[i].c = connect_echo(&w[i].echo, &w[i].s);
	}
	for (i = 0; i < MAX_THREADS; i++)
		w[i].t = start(stress_main, &w[i]);
	for (i = 0; i < MAX_THREADS; i++) {
		pthread_join(w[i].t, NULL);
		engine_release(client, w[i].c);
		pthread_join(w[i].echo, NULL);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define TEST_SUPER(f) cmocka_unit_test_setup_teardown(f, setup_super, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opened_and_closed_no_fd_is_left),
		TEST(own_fds_are_reported),
		TEST(connected_pingpong_every_answer_arrives),
		TEST(connected_bulk_arrives_intact),
		TEST_SUPER(connected_bulk_arrives_intact),
		TEST_SUPER(interface_refuses_now_and_then_nothing_is_lost),
		TEST(nonblocking_polling_makes_progress),
		TEST(program_away_peer_goes_on),
		TEST(silent_socket_wait_ends_at_deadline),
		TEST(stale_handle_wait_says_nval),
		TEST(waiting_socket_released_by_another_wakes),
		TEST(waiting_extra_fd_ready_wakes),
		TEST(idle_driver_others_are_served),
		TEST(many_threads_each_its_socket),
		TEST(many_threads_one_socket_each_gets_a_byte),
		TEST(mirrored_socket_changes_are_told),
		TEST(waiting_signal_gives_eintr),
		TEST(waiting_handler_calls_engine_traffic_goes_on),
		TEST(waiting_handler_jumps_out_traffic_goes_on),
		TEST(forked_child_forgets_parent_goes_on),
		TEST(ended_with_data_keeper_delivers),
		TEST(report_has_numbers),
		TEST(idle_engine_sleeps),
		TEST(random_waits_no_wakeup_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
