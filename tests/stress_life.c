/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stress_life.c - processes and threads that come and go while the others use the pool: children that use what they
 * have, execute something, exit or crash; threads that are cancelled; descriptors passed to ourselves.
 */
#include "stress.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SELF "/proc/self/exe"
#define SHORT_US 20000

/* ThreadSanitizer sees no unlock in a thread that was cancelled in one of its interceptors, and holds locks of its
 * own while the handlers of fork() run, which other threads wait for with ours held. */
#ifdef __SANITIZE_THREAD__
#define CAN_CANCEL false
#define CAN_FORK false
#else
#define CAN_CANCEL true
#define CAN_FORK true
#endif

extern char **environ;

static void sleep_us(long us)
{
	struct timespec ts = { 0, us * 1000 };

	nanosleep(&ts, NULL);
}

/* ---- children ---- */

static void wait_for(pid_t pid, const char *what, int wanted)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno == EINTR)
			continue;
		stress_fail("%s: no child to wait for: %s", what, strerror(errno));
		return;
	}
	if (WIFSIGNALED(status))
		status = WTERMSIG(status);      /* whether a core was written is the host's affair */
	if (status != wanted)
		stress_fail("%s: the child ended with status 0x%x, not 0x%x", what, status, wanted);
}

static void execute(int fd)
{
	char text[12], *argv[] = { (char *)"stress", (char *)"inherited", text, NULL };

	snprintf(text, sizeof(text), "%d", fd);
	if (stress_rnd(2))
		execv(SELF, argv);
	else
		execl("/bin/true", "true", NULL);
	_exit(9);
}

int stress_inherited(int fd)
{
	char buf[300];
	struct sockaddr_in a;
	socklen_t len = sizeof(a);

	stress_rng = (uint64_t)getpid();
	if (send(fd, "a word", 6, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == EFAULT)
		return 1;
	if (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > (ssize_t)sizeof(buf))
		return 1;
	if (getsockname(fd, (struct sockaddr *)&a, &len) == 0 && len > 128)
		return 1;
	close(fd);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	return fd < 0;
}

/* What the child is told to do, and how it ends. */
enum ending { END_EXIT, END_EXIT_NOW, END_EXEC, END_KILL, END_CRASH, END_MAX };

static _Noreturn void be_child(enum ending how, unsigned calls)
{
	stress_is_child = true;
	stress_pulse(STRESS_PULSE_US);          /* on_signal() gets us out of what blocks */
	while (calls--)
		stress_any_call();
	stress_pulse(0);
	stress_step("child's end");
	switch (how) {
	case END_EXEC:
		signal(SIGIO, SIG_IGN);         /* sockets that have this process for their owner; its handlers end here */
		execute(stress_pool_fd());
		break;
	case END_KILL:
		raise(SIGKILL);
		break;
	case END_CRASH:
		signal(SIGSEGV, SIG_DFL);
		raise(SIGSEGV);
		break;
	case END_EXIT:
		exit(0);
	default:
		break;
	}
	_exit(0);
}

static void fork_one(void)
{
	static const int ends[END_MAX] = { 0, 0, 0, SIGKILL, SIGSEGV };
	enum ending how = (enum ending)stress_rnd(END_MAX);
	unsigned calls = stress_rnd(30);
	pid_t pid;

	stress_step("fork");
	pid = fork();
	if (pid == 0)
		be_child(how, calls);
	stress_step("waiting for a child");
	if (pid > 0)
		wait_for(pid, "fork", ends[how]);
	else
		stress_fail("fork: %s", strerror(errno));
	atomic_fetch_add(&board->forks, 1);
}

static void vfork_one(void)
{
	pid_t pid;

	stress_step("vfork");
	pid = vfork();
	if (pid == 0) {
		close(POOL_FD);
		dup2(2, POOL_FD + 1);
		execl("/bin/true", "true", NULL);
		_exit(9);
	}
	stress_step("waiting for a vforked program");
	if (pid > 0)
		wait_for(pid, "vfork", 0);
	atomic_fetch_add(&board->spawns, 1);
}

static void spawn_one(void)
{
	char *argv[] = { (char *)"true", NULL };
	posix_spawn_file_actions_t fa;
	pid_t pid;
	int r;

	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, 2, 7);
	posix_spawn_file_actions_addclose(&fa, 7);
	stress_step("posix_spawn");
	r = posix_spawn(&pid, "/bin/true", &fa, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&fa);
	stress_step("waiting for a spawned program");
	if (r)
		stress_fail("posix_spawn: %s", strerror(r));
	else
		wait_for(pid, "posix_spawn", 0);
	atomic_fetch_add(&board->spawns, 1);
}

static void run_command(void)
{
	stress_step("popen");
	FILE *f = popen("echo yes", "re");
	char line[10] = "";

	if (!f) {
		stress_fail("popen: %s", strerror(errno));
		return;
	}
	while (!fgets(line, sizeof(line), f) && ferror(f) && errno == EINTR)
		clearerr(f);
	if (pclose(f) != 0 || strcmp(line, "yes\n"))
		stress_fail("popen: \"%s\"", line);
	atomic_fetch_add(&board->spawns, 1);
}

/* ---- threads ---- */

static void *be_cancelled(void *arg)
{
	stress_rng = (uint64_t)(uintptr_t)arg;
	for (;;)
		stress_cancellable_call();
	return NULL;
}

static void *be_short(void *arg)
{
	stress_rng = (uint64_t)(uintptr_t)arg;
	stress_cancellable_call();
	return NULL;
}

/* It has no entry on the board, so nobody gets it out of a call but we; being cancelled must be enough. */
static void thread_one(void)
{
	bool is_cancelled = stress_rnd(2) && CAN_CANCEL;
	pthread_attr_t attr;
	pthread_t t;
	void *end;
	struct timespec ts;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 * 1024);
	if (pthread_create(&t, &attr, is_cancelled ? be_cancelled : be_short, (void *)(uintptr_t)(1 + stress_rnd(1u << 30))))
		return;
	sleep_us(stress_rnd(SHORT_US));
	if (is_cancelled)
		pthread_cancel(t);
	stress_step(is_cancelled ? "waiting for a cancelled thread" : "waiting for a thread");
	for (;;) {
		clock_gettime(CLOCK_REALTIME, &ts);
		ts.tv_nsec += SHORT_US * 1000;
		ts.tv_sec += ts.tv_nsec / 1000000000;
		ts.tv_nsec %= 1000000000;
		if (pthread_timedjoin_np(t, &end, &ts) == 0)
			break;
		if (!is_cancelled)
			pthread_kill(t, SIGUSR2);
	}
	if (is_cancelled && end != PTHREAD_CANCELED)
		stress_fail("a cancelled thread returned");
	atomic_fetch_add(&board->cancels, 1);
}

/* ---- descriptors ---- */

static void pass_one(void)
{
	int ends[2], got = -1, fd = stress_pool_fd();
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))];
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) < 0)
		return;
	memset(room, 0, sizeof(room));
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	stress_step("SCM_RIGHTS");
	if (CALL(sendmsg(ends[0], &m, 0)) == 1 && CALL(recvmsg(ends[1], &m, MSG_CMSG_CLOEXEC)) == 1 &&
	    (c = CMSG_FIRSTHDR(&m)))
		memcpy(&got, CMSG_DATA(c), sizeof(got));
	if (got >= 0) {
		CALL(dup2(got, stress_pool_fd()));
		CALL(close(got));
		atomic_fetch_add(&board->passes, 1);
	}
	close(ends[0]);
	close(ends[1]);
}

void stress_life(void)
{
	static void (*const all[])(void) = {
		fork_one, fork_one, fork_one, vfork_one, spawn_one, run_command, thread_one, thread_one, pass_one, pass_one,
		pass_one, pass_one,
	};
	unsigned forks = CAN_FORK ? 0 : 4;

	all[forks + stress_rnd((unsigned)(sizeof(all) / sizeof(all[0])) - forks)]();
	sleep_us(stress_rnd(50000));
}
