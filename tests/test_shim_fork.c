/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shim in processes that are made and that end, on the fake engine.
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
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake_engine.h"
#include "fdtab.h"
#include "rawcall.h"
#include "shim_peer.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static char buf[65536];

/* The child's checks: a bit for each that failed. */
static int child_of_fork(int fd, struct side *s)
{
	int wrong = 0, own, peer;

	wrong |= (send(fd, "x", 1, 0) != 1) << 0;
	wrong |= (recv(fd, buf, 10, 0) != 1) << 1;
	wrong |= (close(fd) != 0) << 2;
	own = side_connected(s, 0, &peer);
	wrong |= (send(own, "abc", 3, 0) != 3) << 3;
	wrong |= (recv(peer, buf, 10, 0) != 3) << 4;
	wrong |= (close(own) != 0) << 5;
	return wrong;
}

/* fork(), and what makes a copy of the process without libc's fork handlers. */
static pid_t by_number(void)
{
	return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

static pid_t by_clone3(void)
{
	uint64_t args[8] = { [4] = SIGCHLD };     /* struct clone_args: exit_signal */

	return (pid_t)syscall(SYS_clone3, args, sizeof(args));
}

#define STACK 65536

struct in_clone {
	int fd;
	struct side *s;
};

static int clone_starts(void *arg)
{
	struct in_clone *c = arg;

	return child_of_fork(c->fd, c->s);
}

static pid_t start_child(unsigned way, int fd, struct side *s)
{
	static pid_t (*const ways[])(void) = { fork, _Fork, by_number, by_clone3 };
	static char stack[STACK] __attribute__((aligned(16)));
	struct in_clone c = { fd, s };
	pid_t pid;

	if (way == LEN(ways))
		return clone(clone_starts, stack + STACK, SIGCHLD, &c);
	pid = ways[way]();
	if (pid == 0)
		_exit(child_of_fork(fd, s));
	return pid;
}

#define WAYS 5

static void child_shares_sockets(unsigned way)
{
	struct side s;
	int peer, fd;

	side_open(&s, false);
	fd = side_connected(&s, 0, &peer);
	fcntl(fd, F_SETFL, 0);
	assert_int_equal(send(peer, "y", 1, 0), 1);
	assert_int_equal(side_reap(start_child(way, fd, &s)), 0);
	assert_false(fdtab_is_sock(fd));
	assert_int_equal(recv(peer, buf, 10, 0), 1);
	assert_int_equal(send(fd, "abc", 3, 0), 3);
	assert_int_equal(recv(peer, buf, 10, 0), 3);
	close(fd);
	close(peer);
	side_close(&s);
}

static void fork_shares_sockets(void **state)
{
	const unsigned ways = HAS_TSAN ? 1 : WAYS;  /* its run-time sees fork() alone */
	unsigned way;

	(void)state;
	for (way = 0; way < ways; way++)
		child_shares_sockets(way);
}

/* A child that shares our fds must not close the engine's; what the kernel refuses must not lock us out. */
static void clone_that_is_no_fork_leaves_us_alone(void **state)
{
	struct side s;
	int peer, fd;
	pid_t pid;

	(void)state;
	side_open(&s, false);
	fd = side_connected(&s, 0, &peer);
	fcntl(fd, F_SETFL, 0);
	assert_int_equal(clone(clone_starts, NULL, SIGCHLD, NULL), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(syscall(SYS_clone3, (void *)8, 64), -1);
	assert_int_equal(errno, EFAULT);
	pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid == 0)
		raw_syscall(SYS_exit_group, 0);
	assert_int_equal(side_reap(pid), 0);
	assert_true(fdtab_is_sock(fd));
	assert_int_equal(syscall(SYS_clone, CLONE_NEWNS | CLONE_FS, NULL, NULL, NULL, NULL), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(send(fd, "abc", 3, 0), 3);
	assert_int_equal(recv(peer, buf, 10, 0), 3);
	close(fd);
	close(peer);
	side_close(&s);
}

/* A fork that no call of libc's makes. */
static void hidden_fork_leaves_sockets_to_the_parent(void **state)
{
	struct side s;
	int peer, fd;
	pid_t pid;

	(void)state;
	side_open(&s, false);
	setenv("XTCP_LOG", "error", 1);
	fd = side_connected(&s, 0, &peer);
	fcntl(fd, F_SETFL, 0);
	pid = (pid_t)raw_syscall(SYS_clone, SIGCHLD);
	if (pid == 0)
		_exit(send(fd, "x", 1, 0) == -1 && errno == EIO && close(fd) == 0 ? 0 : 1);
	assert_int_equal(side_reap(pid), 0);
	assert_int_equal(send(fd, "abc", 3, 0), 3);
	assert_int_equal(recv(peer, buf, 10, 0), 3);
	pid = (pid_t)raw_syscall(SYS_clone, SIGCHLD);
	if (pid == 0)
		_exit(close(fd) == 0 && open("/dev/zero", O_RDONLY) == fd && read(fd, buf, 10) == 10 ? 0 : 1);
	assert_int_equal(side_reap(pid), 0);
	assert_int_equal(send(fd, "abc", 3, 0), 3);
	assert_int_equal(recv(peer, buf, 10, 0), 3);
	close(fd);
	close(peer);
	side_close(&s);
}

/* recv() sleeps in one thread while another forks: it goes on with the kernel's object. */
static void *receiver(void *arg)
{
	ssize_t n = recv(*(int *)arg, buf, 10, 0);

	return (void *)(intptr_t)n;
}

static void *poller(void *arg)
{
	struct pollfd p = { .fd = *(int *)arg, .events = POLLIN };
	fd_set in;

	if (poll(&p, 1, 5000) != 1 || p.revents != POLLIN)
		return (void *)(uintptr_t)"poll";
	FD_ZERO(&in);
	FD_SET(p.fd, &in);
	return select(p.fd + 1, &in, NULL, NULL, NULL) == 1 ? NULL : (void *)(uintptr_t)"select";
}

static void fork_moves_a_sleeping_poll(void **state)
{
	pthread_t thread;
	struct side s;
	int peer, fd;
	void *wrong;
	pid_t pid;

	(void)state;
	side_open(&s, false);
	fd = side_connected(&s, 0, &peer);
	assert_int_equal(pthread_create(&thread, NULL, poller, &fd), 0);
	usleep(20000);
	pid = fork();
	if (pid == 0)
		_exit(0);
	assert_int_equal(side_reap(pid), 0);
	assert_int_equal(send(peer, "1", 1, 0), 1);
	pthread_join(thread, &wrong);
	assert_null(wrong);
	close(fd);
	close(peer);
	side_close(&s);
}

static void fork_moves_a_sleeping_recv(void **state)
{
	pthread_t thread;
	struct side s;
	int peer, fd;
	void *got;
	pid_t pid;

	(void)state;
	side_open(&s, false);
	fd = side_connected(&s, 0, &peer);
	fcntl(fd, F_SETFL, 0);
	assert_int_equal(pthread_create(&thread, NULL, receiver, &fd), 0);
	usleep(20000);
	pid = fork();
	if (pid == 0)
		_exit(0);
	assert_int_equal(side_reap(pid), 0);
	assert_int_equal(send(peer, "12345", 5, 0), 5);
	pthread_join(thread, &got);
	assert_int_equal((intptr_t)got, 5);
	close(fd);
	close(peer);
	side_close(&s);
}

static void vfork_child_closes_only_for_itself(void **state)
{
	struct side s;
	int peer, fd;
	pid_t pid;

	(void)state;
	side_open(&s, false);
	fd = side_connected(&s, 0, &peer);
	pid = vfork();
	if (pid == 0) {
		close(fd);
		dup2(s.listener, fd);
		execl("/bin/true", "true", (char *)NULL);
		_exit(1);
	}
	assert_int_equal(side_reap(pid), 0);
	assert_int_equal(send(fd, "abc", 3, 0), 3);
	assert_int_equal(recv(peer, buf, 10, 0), 3);
	close(fd);
	close(peer);
	side_close(&s);
}

static void exec_that_fails_changes_nothing(void **state)
{
	struct side s;
	int peer, fd;

	(void)state;
	side_open(&s, false);
	fd = side_connected(&s, SOCK_CLOEXEC, &peer);
	assert_int_equal(execl("/nonexistent", "x", (char *)NULL), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(execvp("xtcp-no-such-program", (char *[]){ buf, NULL }), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(send(fd, "abc", 3, 0), 3);
	assert_int_equal(recv(peer, buf, 10, 0), 3);
	close(fd);
	close(peer);
	side_close(&s);
}

/* A child with an engine of its own that ends in the given way. */
static int end_of_child(void (*how)(void))
{
	struct side s;
	int peer;
	pid_t pid = fork();

	if (pid == 0) {
		side_open(&s, false);
		side_connected(&s, 0, &peer);
		how();
		_exit(99);
	}
	return side_reap(pid);
}

static void by_exit(void)
{
	exit(7);
}

static void by_quick_exit(void)
{
	quick_exit(7);
}

static void by_exec(void)
{
	execlp("sh", "sh", "-c", "exit 7", (char *)NULL);
}

static void by_term(void)
{
	kill(getpid(), SIGTERM);
}

static void by_abort(void)
{
	abort();
}

static void by_fault(void)
{
	volatile int *nowhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	signal(SIGSEGV, SIG_DFL);
	*nowhere = 1;
}

static void by_pipe(void)
{
	int ends[2];

	signal(SIGPIPE, SIG_DFL);
	if (pipe(ends) < 0)
		exit(1);
	close(ends[0]);
	if (write(ends[1], "x", 1) < 0)
		exit(1);
}

static void process_ends_as_without_us(void **state)
{
	(void)state;
	assert_int_equal(WEXITSTATUS(end_of_child(by_exit)), 7);
	assert_int_equal(WEXITSTATUS(end_of_child(by_quick_exit)), 7);
	assert_int_equal(WEXITSTATUS(end_of_child(by_exec)), 7);
	assert_int_equal(WTERMSIG(end_of_child(by_term)), SIGTERM);
	assert_int_equal(WTERMSIG(end_of_child(by_abort)), SIGABRT);
	assert_int_equal(WTERMSIG(end_of_child(by_fault)), SIGSEGV);
	assert_int_equal(WTERMSIG(end_of_child(by_pipe)), SIGPIPE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fork_shares_sockets),
		cmocka_unit_test(clone_that_is_no_fork_leaves_us_alone),
		cmocka_unit_test(hidden_fork_leaves_sockets_to_the_parent),
		cmocka_unit_test(fork_moves_a_sleeping_recv),
		cmocka_unit_test(fork_moves_a_sleeping_poll),
		cmocka_unit_test(vfork_child_closes_only_for_itself),
		cmocka_unit_test(exec_that_fails_changes_nothing),
		cmocka_unit_test(process_ends_as_without_us),
	};

	side_prepare();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
