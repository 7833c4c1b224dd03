/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_engine_life.c - signals during a wait, fork and exit, fds, idleness, reports.
 */
#include "engine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine_pair.h"
#include "wire_netif.h"

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

/* ThreadSanitizer puts handlers off until the next call that it knows, when the sleep is over
 * and the lock is held. */
static void skip_unless_signals_interrupt(void)
{
#ifdef __SANITIZE_THREAD__
	skip();
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
	skip();
#endif
#endif
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
	int n;

	(void)state;
	skip_unless_signals_interrupt();
	c = connect_echo(&echo, &s);
	handler_sock = w.s = c;
	catch_signal(1);
	t = start(kick_main, NULL);
	n = engine_wait(client, &w, 1, NULL, 0, engine_now() + SOON, NULL);
	assert_true(n == -EINTR || n == 1);   /* the answer may be there by then */
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
	skip_unless_signals_interrupt();
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

/* ---- the end of a thread ---- */

static atomic_bool is_handled;
static _Atomic pid_t ending;

static void on_signal_at_end(int sig)
{
	(void)sig;
	is_handled = true;
}

static void *wait_and_end(void *arg)
{
	sem_t *may_end = arg;

	engine_wait(client, NULL, 0, NULL, 0, 0, NULL);
	sem_post(may_end);
	while (sem_wait(may_end + 1))
		;
	ending = gettid();
	return NULL;
}

/* The state letter of /proc/self/task/TID/stat. */
static char state_of(pid_t tid)
{
	char path[64], line[256] = "", *p;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
	f = fopen(path, "r");
	p = f && fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
	if (f)
		fclose(f);
	return p && strlen(p) > 2 ? p[2] : '?';
}

/* A handler that calls the engine while its thread, at its end, holds the engine's lock would wait for ever. */
static void ending_thread_runs_no_handler_beside_the_lock(void **state)
{
	struct sigaction sa = { .sa_handler = on_signal_at_end };
	sem_t may_end[2];
	pthread_t t;

	(void)state;
	sem_init(&may_end[0], 0, 0);
	sem_init(&may_end[1], 0, 0);
	sigaction(SIGUSR1, &sa, NULL);
	t = start(wait_and_end, may_end);
	while (sem_wait(&may_end[0]))
		;
	engine_enter(client);
	sem_post(&may_end[1]);
	while (!ending || state_of(ending) != 'S')
		nap(1);
	pthread_kill(t, SIGUSR1);
	nap(20);
	assert_false(is_handled);
	engine_exit(client);
	pthread_join(t, NULL);
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
	struct iovec iov = { data, sizeof(data) };
	size_t got = 0;
	ssize_t n;
	uint8_t buf[4096];
	pid_t pid = 0;
	bool is_left;

	(void)state;
	connect_pair(&c, &s);
	n = engine_send(client, c, &iov, 1, 0, 0);
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

/* Not by close(), which is refused, but by a system call of its own. */
static void fds_closed_behind_our_back_no_spinning(void **state)
{
	struct engine_watch w = { .events = POLLIN };
	struct timespec before, after;
	engine_sock c, s;
	int keep = dup(netif_fd(wire[0]));      /* or the other end would be at its end */

	(void)state;
	connect_pair(&c, &s);
	w.s = c;
	syscall(SYS_close, netif_fd(wire[0]));
	assert_int_equal(engine_wait(client, &w, 1, NULL, 0, engine_now() + XTIME_MSEC, NULL), 0);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	assert_int_equal(engine_wait(client, &w, 1, NULL, 0, engine_now() + 200 * XTIME_MSEC, NULL), 0);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	assert_in_range((after.tv_sec - before.tv_sec) * XTIME_SEC + after.tv_nsec - before.tv_nsec, 0,
			50 * XTIME_MSEC);
	close(keep);
	engine_release(client, c);
	engine_release(server, s);
}

/* ---- requests ---- */

/* What the engine answers to a request that comes by its socket. */
static const char *ask(const char *path, const char *request, char *answer, size_t len)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX }, own = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = 10 };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	ssize_t n;

	strcpy(to.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&own, sizeof(sa_family_t)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	assert_int_equal(sendto(fd, request, strlen(request), 0, (struct sockaddr *)&to, sizeof(to)),
			 strlen(request));
	n = recv(fd, answer, len - 1, 0);
	assert_true(n >= 0);
	answer[n] = 0;
	close(fd);
	return answer;
}

static void requests_change_settings_of_a_running_engine(void **state)
{
	static const char no_such[] = "error: no is no request; there are sysctl, tcp_metrics, stats and snmp\n";
	char dir[] = "/tmp/xtcp-test.XXXXXX", path[64], answer[16384], err[200];
	struct engine_config cfg = { .naddr = 1, .addrs = { { 0x0a000001, 24 } }, .control_dir = dir };
	struct netif *ends[2];
	struct engine *e;
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(wire_netif_pair(ends, false), 0);
	assert_int_equal(engine_open_on(&cfg, ends[0], &e, err, sizeof(err)), 0);
	snprintf(path, sizeof(path), "%s/%d", dir, (int)getpid());
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);

	assert_string_equal(ask(path, "sysctl tcp_sack=0", answer, sizeof(answer)), "ok\n");
	assert_string_equal(ask(path, "sysctl tcp_sack", answer, sizeof(answer)), "ok\ntcp_sack = 0\n");
	assert_string_equal(ask(path, "sysctl net.ipv4.tcp_rmem=1 2 3\n", answer, sizeof(answer)), "ok\n");
	assert_string_equal(ask(path, "sysctl tcp_rmem", answer, sizeof(answer)), "ok\ntcp_rmem = 1 2 3\n");
	assert_string_equal(ask(path, "sysctl tcp_sack=700", answer, sizeof(answer)),
			    "error: 700 is not a value for tcp_sack\n");
	assert_string_equal(ask(path, "sysctl tcp_sock=1", answer, sizeof(answer)),
			    "error: there is no setting tcp_sock\n");
	assert_string_equal(ask(path, "tcp_metrics flush", answer, sizeof(answer)), "ok\n");
	assert_string_equal(ask(path, "no", answer, sizeof(answer)), no_such);
	assert_non_null(strstr(ask(path, "stats", answer, sizeof(answer)), "segments "));

	assert_non_null(strstr(ask(path, "snmp", answer, sizeof(answer)), "\nTcp: RtoAlgorithm "));

	engine_close(e);
	assert_int_equal(stat(path, &st), -1);
	netif_close(ends[1]);
	rmdir(dir);
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

/* ---- cancellation ---- */

static void *sleep_forever(void *arg)
{
	struct engine_watch w = { .s = *(engine_sock *)arg, .events = POLLIN };
	struct pollfd none[20];
	unsigned i;

	for (i = 0; i < ARRAY_LEN(none); i++)
		none[i] = (struct pollfd){ .fd = -1 };
	engine_wait(client, &w, 1, none, ARRAY_LEN(none), XTIME_NEVER, NULL);
	return NULL;
}

static unsigned sleepers(void)
{
	unsigned n;

	pthread_mutex_lock(&client->lock);
	n = client->nwait;
	pthread_mutex_unlock(&client->lock);
	return n;
}

/* One that drives, and one that doesn't, in their sleep: they end, and the engine is as if they had not been. */
static void waiting_threads_are_cancelled_traffic_goes_on(void **state)
{
	engine_sock c, s, idle, other;
	pthread_t echo, t[2];
	void *end;
	unsigned i;

	(void)state;
	connect_pair(&idle, &other);
	for (i = 0; i < 2; i++)
		t[i] = start(sleep_forever, &idle);
	for (i = 0; i < 2000 && sleepers() != 2; i++)
		nap(1);
	assert_int_equal(sleepers(), 2);
	for (i = 0; i < 2; i++) {
		assert_int_equal(pthread_cancel(t[i]), 0);
		assert_int_equal(pthread_join(t[i], &end), 0);
		assert_ptr_equal(end, PTHREAD_CANCELED);
	}
	assert_int_equal(sleepers(), 0);
	assert_null(client->driver);
	c = connect_echo(&echo, &s);
	ping_pong(c, 100, 1);
	engine_release(client, c);
	pthread_join(echo, NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opened_and_closed_no_fd_is_left),
		TEST(own_fds_are_reported),
		TEST(waiting_signal_gives_eintr),
		TEST(waiting_handler_calls_engine_traffic_goes_on),
		TEST(waiting_handler_jumps_out_traffic_goes_on),
		TEST(ending_thread_runs_no_handler_beside_the_lock),
		TEST(waiting_threads_are_cancelled_traffic_goes_on),
		TEST(forked_child_forgets_parent_goes_on),
		TEST(ended_with_data_keeper_delivers),
		TEST(report_has_numbers),
		TEST(fds_closed_behind_our_back_no_spinning),
		cmocka_unit_test(requests_change_settings_of_a_running_engine),
		TEST(idle_engine_sleeps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
