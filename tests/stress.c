/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stress.c - all socket calls at random, from many threads at once, with signals, forks and closes.
 *
 *     stress run ADDRESS PORT LISTEN SEED SECONDS [THREADS]
 *     stress peer PORT ADDRESS LISTEN
 *
 * run is the program under test, over xtcp or over the kernel; peer is the kernel's side of it: servers
 * on PORT and following, and clients of run's listeners, on LISTEN and following.  tests/stress-run starts both.
 *
 * - Most threads use the pool: numbers that anyone opens, uses, replaces and closes while others are inside a
 *   call on them (stress_calls.c).
 * - Some have connections of their own and check every byte (stress_own.c).
 * - Some fork, execute, spawn, cancel threads and pass descriptors (stress_life.c).
 * - Signals come all the time: a timer's, without SA_RESTART; others', with it; their handlers make calls.
 *
 * Every call's errno is judged.  A process of its own watches: it sends a signal to a thread that is in a call for
 * long, and when that doesn't get it out prints all stacks and fails.  In the end all numbers that were there
 * at the start must be there, no others; what a closed number is used for next must work; memory must not have grown.
 */
#include "stress.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TICK_MS 50
#define KICK_TICKS 3             /* in a call that long: a signal */
#define STUCK_SECONDS 60         /* no way out of it */
/* ThreadSanitizer keeps several times as much about memory and threads. */
#ifdef __SANITIZE_THREAD__
#define GROWTH_KB (8 * 65536)
#else
#define GROWTH_KB 65536
#endif
#define STACK_BYTES (256 * 1024)

struct stress_board *board;
struct stress_target target;
__thread struct stress_thread *stress_me;
__thread uint64_t stress_rng;
bool stress_is_child;

static uint64_t seed;
static int listener = -1;

/* ---- what all parts use ---- */

void stress_fail(const char *fmt, ...)
{
	char line[256];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	n = n > (int)sizeof(line) - 2 ? (int)sizeof(line) - 2 : n;
	line[n] = '\n';
	if (atomic_fetch_add(&board->failures, 1) < 20 && write(STDERR_FILENO, line, (size_t)n + 1) < 0)
		return;
}

void stress_step(const char *what)
{
	if (!stress_me)
		return;
	atomic_store(&stress_me->what, what);
	atomic_fetch_add(&stress_me->steps, 1);
}

unsigned stress_rnd(unsigned below)
{
	stress_rng ^= stress_rng << 13;
	stress_rng ^= stress_rng >> 7;
	stress_rng ^= stress_rng << 17;
	return (unsigned)((stress_rng >> 11) % below);
}

static bool is_expected(int err)
{
	static const int all[] = {
		EAGAIN, EINTR, EBADF, ENOTCONN, EISCONN, EINVAL, EPIPE, ECONNRESET, ECONNREFUSED, ECONNABORTED,
		ETIMEDOUT, EINPROGRESS, EALREADY, EADDRINUSE, EADDRNOTAVAIL, ENOTSOCK, EOPNOTSUPP, ENOPROTOOPT,
		EDESTADDRREQ, ENOTTY, ESPIPE, EEXIST, ENOENT, ELOOP, EMFILE, EAFNOSUPPORT, ENOBUFS,
	};
	unsigned i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (all[i] == err)
			return true;
	}
	return false;
}

/* ThreadSanitizer changes it when it has something to report that is kept back below. */
#ifdef __SANITIZE_THREAD__
#define KEEPS_ERRNO false
#else
#define KEEPS_ERRNO true
#endif

/* Numbers are closed and replaced here while other threads use them: that is what this program is for, and a race to
 * ThreadSanitizer, which asks for these by this name. */
__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void);

const char *__tsan_default_suppressions(void)
{
	return "race_top:close\nrace_top:dup2\nrace_top:dup3\n";
}

void stress_result(const char *what, long r, int err)
{
	atomic_fetch_add_explicit(&board->calls, 1, memory_order_relaxed);
	if (r >= 0 && err != STRESS_ERRNO && KEEPS_ERRNO)
		stress_fail("%s gave %ld and left errno %d", what, r, err);
	if (r >= 0)
		return;
	atomic_fetch_add_explicit(&board->errors, 1, memory_order_relaxed);
	if (r != -1 || !is_expected(err))
		stress_fail("%s gave %ld with errno %d (%s)", what, r, err, strerror(err));
}

struct sockaddr_in stress_peer(unsigned port)
{
	struct sockaddr_in a = target.peer;

	a.sin_port = htons((uint16_t)(ntohs(a.sin_port) + port));
	return a;
}

/* ---- signals ---- */

/* The watchdog's, and a pulse: ends the call that it finds. */
static void on_kick(int sig)
{
	(void)sig;
}

/* The number of calls that a handler makes is bounded by how often it comes, not by what it interrupts. */
static void on_signal(int sig)
{
	int err = errno;

	(void)sig;
	atomic_fetch_add_explicit(&board->handled, 1, memory_order_relaxed);
	if (stress_me)
		stress_handler_call();
	if (stress_is_child)
		stress_pulse(STRESS_PULSE_US);
	errno = err;
}

static void set_handler(int sig, void (*handler)(int), int flags)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = flags };

	sigemptyset(&sa.sa_mask);
	sigaction(sig, &sa, NULL);
}

static void set_handlers(void)
{
	signal(SIGPIPE, SIG_IGN);
	set_handler(SIGUSR2, on_kick, 0);
	set_handler(SIGIO, on_kick, SA_RESTART);
	set_handler(SIGURG, on_kick, SA_RESTART);
	set_handler(SIGALRM, on_signal, 0);
	set_handler(SIGUSR1, on_signal, SA_RESTART);
}

void stress_pulse(int us)
{
	struct itimerval it = { { 0, 0 }, { 0, us } };

	setitimer(ITIMER_REAL, &it, NULL);
}

static void start_timer(int every_us)
{
	struct itimerval it = { { 0, every_us }, { 0, every_us } };

	setitimer(ITIMER_REAL, &it, NULL);
}

/* ---- threads ---- */

struct role {
	const char *name;
	void (*turn)(void);
};

static void serve(void)
{
	stress_own_server(listener);
}

static void signal_someone(void)
{
	struct timespec ts = { 0, 2000000 + stress_rnd(5000000) };
	struct stress_thread *t = &board->threads[stress_rnd(STRESS_THREADS)];
	int tid = atomic_load(&t->tid);

	if (tid)
		tgkill(getpid(), tid, SIGUSR1);
	nanosleep(&ts, NULL);
}

static const struct role roles[] = {
	{ "server", serve }, { "client", stress_own_client }, { "life", stress_life }, { "signals", signal_someone },
	{ "calls", stress_any_call },
};

static void *run_thread(void *arg)
{
	unsigned i = (unsigned)(uintptr_t)arg;
	const struct role *role = &roles[i < 5 ? i : i % 8 == 5 ? 1 : i % 8 == 6 ? 2 : 4];

	stress_rng = seed * 0x9e3779b97f4a7c15ull + i + 1;
	stress_me = &board->threads[i];
	stress_step(role->name);
	atomic_store(&stress_me->tid, gettid());
	while (!atomic_load(&board->stop)) {
		role->turn();
		stress_step(role->name);
	}
	atomic_store(&stress_me->tid, 0);
	return NULL;
}

/* ---- what there is at the start and must be at the end ---- */

static long rss_kb(void)
{
	long size = 0, rss = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f && fscanf(f, "%ld %ld", &size, &rss) != 2)
		rss = 0;
	if (f)
		fclose(f);
	return rss * (sysconf(_SC_PAGESIZE) / 1024);
}

/* The program's numbers; the library's are high ones. */
static unsigned list_fds(bool *open, unsigned n)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;
	unsigned fd, high = 0;

	memset(open, 0, n * sizeof(*open));
	while (d && (e = readdir(d))) {
		fd = (unsigned)atoi(e->d_name);
		if (e->d_name[0] == '.' || (int)fd == dirfd(d))
			continue;
		if (fd < n)
			open[fd] = true;
		else
			high++;
	}
	if (d)
		closedir(d);
	return high;
}

#define LOW_FDS 1024

static void compare_fds(const bool *before, const bool *after)
{
	unsigned fd;

	for (fd = 0; fd < LOW_FDS; fd++) {
		if (before[fd] != after[fd])
			stress_fail("descriptor %u is %s at the end", fd, after[fd] ? "left open" : "gone");
	}
}

/* A number that sockets have had is a pipe's now. */
static void check_number(int fd, const int pipe_fd[2])
{
	char c = (char)fd;
	int got = fcntl(pipe_fd[1], F_DUPFD, fd);

	if (got != fd)
		stress_fail("descriptor %d isn't free: %d", fd, got);
	if (got < 0)
		return;
	if (write(got, &c, 1) != 1 || read(pipe_fd[0], &c, 1) != 1 || c != (char)fd)
		stress_fail("descriptor %d, now a pipe's, isn't: %s", fd, strerror(errno));
	close(got);
}

static void check_numbers(void)
{
	int pipe_fd[2], fd;

	if (pipe2(pipe_fd, O_NONBLOCK) < 0)
		return;
	for (fd = POOL_FD; fd < POOL_EPOLL + POOL_EPOLLS; fd++)
		check_number(fd, pipe_fd);
	close(pipe_fd[0]);
	close(pipe_fd[1]);
}

/* ---- the run ---- */

/* The stack's first socket makes what stays for good. */
static void open_first(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		stress_fail("no socket: %s", strerror(errno));
	close(fd);
	listener = stress_own_listen();
}

static void sleep_for(unsigned seconds)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += seconds;
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

static void close_pool(void)
{
	int fd;

	for (fd = POOL_FD; fd < POOL_EPOLL + POOL_EPOLLS; fd++)
		close(fd);
}

static int run(unsigned nthreads, unsigned seconds)
{
	static bool before[LOW_FDS], after[LOW_FDS];
	pthread_t threads[STRESS_THREADS];
	pthread_attr_t attr;
	unsigned high, i;
	long rss;

	stress_rng = seed + 1;
	set_handlers();
	open_first();
	high = list_fds(before, LOW_FDS);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	for (i = 0; i < nthreads; i++)
		pthread_create(&threads[i], &attr, run_thread, (void *)(uintptr_t)i);
	start_timer(7000);
	sleep_for(seconds / 4);
	rss = rss_kb();
	sleep_for(seconds - seconds / 4);
	atomic_store(&board->stop, true);
	for (i = 0; i < nthreads; i++)
		pthread_join(threads[i], NULL);
	start_timer(0);
	close_pool();
	i = list_fds(after, LOW_FDS);
	compare_fds(before, after);
	check_numbers();
	printf("# descriptors of the library: %u, then %u; memory: %ld KB, then %ld\n", high, i, rss, rss_kb());
	if (rss_kb() > rss + GROWTH_KB)
		stress_fail("memory has grown from %ld KB to %ld", rss, rss_kb());
	close(listener);
	return 0;
}

/* ---- the watchdog ---- */

static void print_stacks(pid_t pid)
{
	char cmd[512];

	snprintf(cmd, sizeof(cmd), "unset LD_PRELOAD; for p in %d $(pgrep -P %d); do echo \"== $p\"; "
		 "timeout 60 gdb -p $p -batch -nx -ex 'thread apply all bt 24' 2>/dev/null; "
		 "done >&2", pid, pid);
	if (system(cmd) != 0)
		fprintf(stderr, "no stacks: gdb failed\n");
}

static bool is_stuck(pid_t pid, uint64_t *seen, unsigned *ticks)
{
	struct stress_thread *t;
	uint64_t steps;
	unsigned i;
	int tid;

	for (i = 0; i < STRESS_THREADS; i++) {
		t = &board->threads[i];
		steps = atomic_load(&t->steps);
		tid = atomic_load(&t->tid);
		if (!tid || steps != seen[i]) {
			seen[i] = steps;
			ticks[i] = 0;
			continue;
		}
		ticks[i]++;
		if (ticks[i] % KICK_TICKS == 0)
			tgkill(pid, tid, SIGUSR2);
		if (ticks[i] < STUCK_SECONDS * 1000 / TICK_MS)
			continue;
		fprintf(stderr, "thread %u (%d) doesn't come out of %s\n", i, tid, atomic_load(&t->what));
		return true;
	}
	return false;
}

static void report(int status)
{
	printf("# %lu calls, %lu errors; %lu connections and %lu bytes checked; %lu handlers\n", board->calls,
	       board->errors, board->connections_checked, board->bytes_checked, board->handled);
	printf("# %lu forks, %lu programs, %lu threads cancelled, %lu descriptors passed\n", board->forks, board->spawns,
	       board->cancels, board->passes);
	if (WIFSIGNALED(status))
		printf("died of signal %d\n", WTERMSIG(status));
	printf("%s\n", board->failures || status ? "failed" : "ok");
}

static int watch(pid_t pid)
{
	static uint64_t seen[STRESS_THREADS];
	static unsigned ticks[STRESS_THREADS];
	struct timespec tick = { 0, TICK_MS * 1000000 };
	int status = 0;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (is_stuck(pid, seen, ticks)) {
			print_stacks(pid);
			atomic_fetch_add(&board->failures, 1);
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			break;
		}
		nanosleep(&tick, NULL);
	}
	report(status);
	return board->failures || status ? 1 : 0;
}

static int start(char **arg, int n)
{
	unsigned nthreads = n > 5 ? (unsigned)atoi(arg[5]) : 16, seconds = (unsigned)atoi(arg[4]);
	struct rlimit none = { 0, 0 };
	pid_t pid;

	target.peer.sin_family = AF_INET;
	target.peer.sin_port = htons((uint16_t)atoi(arg[1]));
	target.listen = (uint16_t)atoi(arg[2]);
	seed = strtoull(arg[3], NULL, 10);
	if (inet_pton(AF_INET, arg[0], &target.peer.sin_addr) != 1 || nthreads < 5 || nthreads > STRESS_THREADS) {
		fprintf(stderr, "stress: 5 to %d threads, and an address\n", STRESS_THREADS);
		return 2;
	}
	setrlimit(RLIMIT_CORE, &none);
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	printf("# seed %lu, %u seconds, %u threads\n", seed, seconds, nthreads);
	fflush(stdout);
	pid = fork();
	if (pid)
		return watch(pid);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return run(nthreads, seconds);
}

int main(int argc, char **argv)
{
	if (argc >= 7 && !strcmp(argv[1], "run"))
		return start(argv + 2, argc - 2);
	if (argc == 5 && !strcmp(argv[1], "peer"))
		return stress_peer_run(atoi(argv[2]), argv[3], atoi(argv[4]));
	if (argc == 3 && !strcmp(argv[1], "inherited"))
		return stress_inherited(atoi(argv[2]));
	fprintf(stderr, "usage: stress run ADDRESS PORT LISTEN SEED SECONDS [THREADS] | peer PORT ADDRESS LISTEN\n");
	return 2;
}
