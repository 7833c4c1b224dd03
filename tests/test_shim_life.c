/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shim beside the program's signals and processes, on the fake engine.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fake_engine.h"
#include "fdtab.h"
#include "real.h"
#include "shim/signal.h"
#include "shim_peer.h"

#define NOTE(call) note_result(s, #call, (long)(call))

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static char buf[65536];
static volatile sig_atomic_t handled;

static void on_signal(int sig)
{
	(void)sig;
	handled++;
}

static void install(int sig, void (*handler)(int), int flags)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = flags };

	assert_int_equal(sigaction(sig, &sa, NULL), 0);
}

/* ---- interrupted calls ---- */

/* After a while: a signal, and after another, data or room for the one who waits. */
struct nudge {
	pthread_t who, thread;
	pid_t tid;
	int peer;
};

/* On a busy machine it may take a while until the one who waits does. */
static bool is_asleep(pid_t tid)
{
	char path[64], line[128] = "";
	const char *end;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
	f = fopen(path, "re");
	if (!f || !fgets(line, sizeof(line), f))
		line[0] = 0;
	if (f)
		fclose(f);
	end = strrchr(line, ')');
	return end && end[1] && end[2] == 'S';
}

static void *nudge(void *arg)
{
	struct nudge *n = arg;
	static char got[sizeof(buf)];
	int i;

	side_settle();
	for (i = 0; i < 200 && !is_asleep(n->tid); i++)
		side_settle();
	pthread_kill(n->who, SIGUSR1);
	side_settle();
	send(n->peer, "abc", 3, 0);
	while (recv(n->peer, got, sizeof(got), MSG_DONTWAIT) > 0)
		side_settle();
	return NULL;
}

static void begin(struct nudge *n, int peer)
{
	n->who = pthread_self();
	n->tid = gettid();
	n->peer = peer;
	handled = 0;
	assert_int_equal(pthread_create(&n->thread, NULL, nudge, n), 0);
}

static void end(struct side *s, struct nudge *n)
{
	pthread_join(n->thread, NULL);
	note(s, "handled %d", (int)handled);
}

static void interrupt_steps(struct side *s, int flags)
{
	struct timeval tv = { 2, 0 };
	int peer, fd = side_connected(s, 0, &peer), ep = epoll_create1(0);
	struct epoll_event ev = { .events = EPOLLIN };
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct nudge n;
	fd_set in;

	install(SIGUSR1, on_signal, flags);
	begin(&n, peer);
	NOTE(recv(fd, buf, 10, 0));
	end(s, &n);
	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	begin(&n, peer);
	NOTE(poll(&p, 1, 1000));
	end(s, &n);
	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	begin(&n, peer);
	FD_ZERO(&in);
	FD_SET(fd, &in);
	NOTE(select(fd + 1, &in, NULL, NULL, &tv));
	end(s, &n);
	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
	begin(&n, peer);
	NOTE(epoll_wait(ep, &ev, 1, -1));
	end(s, &n);
	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	begin(&n, peer);
	NOTE(recv(fd, buf, 10, 0));
	end(s, &n);
	close(ep);
	close(fd);
	close(peer);
}

static void breaking_steps(struct side *s)
{
	interrupt_steps(s, 0);
}

static void restarting_steps(struct side *s)
{
	interrupt_steps(s, SA_RESTART);
}

static void handler_without_sa_restart_interrupts(void **state)
{
	(void)state;
	compare_sides(breaking_steps);
}

static void handler_with_sa_restart_does_not(void **state)
{
	(void)state;
	compare_sides(restarting_steps);
}

static void partial_steps(struct side *s)
{
	static char big[8 << 20];
	int peer, fd = side_connected(s, 0, &peer);
	struct nudge n;
	ssize_t r;

	install(SIGUSR1, on_signal, SA_RESTART);
	send(peer, "ab", 2, 0);
	begin(&n, peer);
	NOTE(recv(fd, buf, 10, MSG_WAITALL));
	end(s, &n);
	install(SIGUSR1, on_signal, 0);
	begin(&n, peer);
	r = write(fd, big, sizeof(big));
	note(s, "part %d", r > 0 && r < (ssize_t)sizeof(big));
	end(s, &n);
	close(fd);
	close(peer);
}

static void interrupted_transfer_reports_its_part(void **state)
{
	(void)state;
	compare_sides(partial_steps);
}

/* ---- handlers that use sockets, or leave ---- */

static int talk_fd;

static void talk(int sig)
{
	(void)sig;
	if (send(talk_fd, "from the handler", 16, 0) == 16)
		handled++;
}

static void talking_steps(struct side *s)
{
	int peer, fd = side_connected(s, 0, &peer);
	struct nudge n;

	install(SIGUSR1, talk, SA_RESTART);
	talk_fd = fd;
	begin(&n, peer);
	NOTE(recv(fd, buf, 10, 0));
	end(s, &n);
	close(fd);
	close(peer);
}

static void handler_sends_while_its_thread_receives(void **state)
{
	(void)state;
	compare_sides(talking_steps);
}

static sigjmp_buf out;

static void leave(int sig)
{
	(void)sig;
	siglongjmp(out, 1);
}

static void leaving_steps(struct side *s)
{
	int peer, fd = side_connected(s, 0, &peer);
	struct nudge n;

	install(SIGUSR1, leave, 0);
	begin(&n, peer);
	if (!sigsetjmp(out, 1))
		recv(fd, buf, 10, 0);
	end(s, &n);
	NOTE(recv(fd, buf, 10, 0));
	NOTE(close(fd));
	side_settle();
	note_result(s, "peer", recv(peer, buf, 1, MSG_DONTWAIT));
	close(peer);
}

static void siglongjmp_out_of_a_call_leaves_the_socket_whole(void **state)
{
	unsigned before = fake_engine_count();

	(void)state;
	compare_sides(leaving_steps);
	assert_int_equal(fake_engine_count(), before);
}

static siginfo_t last_info;

static void on_info(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	last_info = *info;
	handled++;
}

static void signal_during_hold_waits_for_the_release(void **state)
{
	struct sigaction sa = { .sa_sigaction = on_info, .sa_flags = SA_SIGINFO };
	union sigval v = { .sival_int = 4711 };
	sigset_t set;

	(void)state;
	if (HAS_TSAN)
		skip();
	handled = 0;
	assert_int_equal(sigaction(SIGUSR2, &sa, NULL), 0);
	signal_hold();
	signal_hold();
	assert_int_equal(sigqueue(getpid(), SIGUSR2, v), 0);
	raise(SIGUSR2);
	assert_int_equal(handled, 0);
	signal_release();
	assert_int_equal(handled, 0);
	signal_release();
	assert_true(handled >= 1);
	assert_int_equal(last_info.si_code == SI_QUEUE ? last_info.si_value.sival_int : 4711, 4711);
	pthread_sigmask(SIG_BLOCK, NULL, &set);
	assert_false(sigismember(&set, SIGUSR1));
	assert_false(sigismember(&set, SIGUSR2));
}

/* ---- what the program sees of its handlers ---- */

static void program_sees_its_own_handlers(void **state)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART | SA_NODEFER }, old;

	(void)state;
	sigemptyset(&sa.sa_mask);
	sigaddset(&sa.sa_mask, SIGHUP);
	assert_int_equal(sigaction(SIGTERM, NULL, &old), 0);
	assert_ptr_equal(old.sa_handler, SIG_DFL);
	assert_int_equal(sigaction(SIGTERM, &sa, &old), 0);
	assert_ptr_equal(old.sa_handler, SIG_DFL);
	assert_int_equal(sigaction(SIGTERM, NULL, &old), 0);
	assert_ptr_equal(old.sa_handler, on_signal);
	assert_int_equal(old.sa_flags & ~0x04000000, SA_RESTART | SA_NODEFER);
	assert_true(sigismember(&old.sa_mask, SIGHUP));
	assert_ptr_equal(signal(SIGTERM, SIG_IGN), on_signal);
	raise(SIGTERM);
	assert_ptr_equal(signal(SIGTERM, SIG_DFL), SIG_IGN);
	assert_ptr_equal(signal(SIGKILL, on_signal), SIG_ERR);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(sigaction(0, NULL, &old), -1);
	assert_int_equal(sigaction(65, NULL, &old), -1);
}

/* Deprecated, but still there. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
static void interrupts(int sig, int flag)
{
	assert_int_equal(siginterrupt(sig, flag), 0);
}
#pragma GCC diagnostic pop

static void older_calls_set_their_flags(void **state)
{
	struct sigaction old;

	(void)state;
	signal(SIGUSR2, on_signal);
	sigaction(SIGUSR2, NULL, &old);
	assert_true(old.sa_flags & SA_RESTART);
	interrupts(SIGUSR2, 1);
	sigaction(SIGUSR2, NULL, &old);
	assert_false(old.sa_flags & SA_RESTART);
	signal(SIGUSR2, on_signal);
	sigaction(SIGUSR2, NULL, &old);
	assert_false(old.sa_flags & SA_RESTART);
	interrupts(SIGUSR2, 0);
	handled = 0;
	sysv_signal(SIGUSR2, on_signal);
	raise(SIGUSR2);
	assert_int_equal(handled, 1);
	sigaction(SIGUSR2, NULL, &old);
	assert_ptr_equal(old.sa_handler, SIG_DFL);
}

/* ---- children ---- */

/* As subprocess.Popen() of Python does before execve(). */
static void vfork_child_sets_only_its_own_signals(void **state)
{
	static struct sigaction sa, old;
	pid_t pid;
	int status;

	(void)state;
	handled = 0;
	install(SIGUSR1, on_signal, 0);
	memset(&sa, 0, sizeof(sa));
	pid = vfork();
	if (!pid) {
		sa.sa_handler = SIG_DFL;
		_exit(sigaction(SIGUSR1, &sa, &old) || old.sa_handler != on_signal || kill(getpid(), SIGUSR1));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGUSR1);
	assert_int_equal(sigaction(SIGUSR1, NULL, &sa), 0);
	assert_ptr_equal(sa.sa_handler, on_signal);
	raise(SIGUSR1);
	assert_int_equal(handled, 1);
	install(SIGUSR1, SIG_DFL, 0);
}

/* A handler of pthread_atfork() that was there before the library runs in the child before the library's own. */
static int born_with;

static void on_birth(void)
{
	if (born_with)
		kill(getpid(), born_with);
}

static int how_born_with(int sig)
{
	pid_t pid;
	int status = -1;

	handled = 0;
	born_with = sig;
	pid = fork();
	if (!pid)
		_exit(handled ? 42 : 0);
	born_with = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void signal_for_a_child_that_is_being_made_is_not_lost(void **state)
{
	int status;

	(void)state;
	/* Its run-time puts handlers off to the child's next call, which _exit() isn't (shim_peer.h). */
	if (HAS_TSAN)
		skip();
	install(SIGUSR1, on_signal, 0);
	status = how_born_with(SIGUSR1);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 42);
	status = how_born_with(SIGTERM);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGTERM);
	install(SIGUSR1, SIG_DFL, 0);
}

static void broken_pipe_raises_sigpipe(void **state)
{
	struct side s;
	int fd;

	(void)state;
	side_open(&s, false);
	fd = side_socket(&s, 0);
	install(SIGPIPE, on_signal, 0);
	handled = 0;
	assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), -1);
	assert_int_equal(handled, 0);
	assert_int_equal(write(fd, "x", 1), -1);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(handled, 1);
	close(fd);
	side_close(&s);
}

/* ---- loops over all fds ---- */

static int close_everything(struct side *s, int how)
{
	int fd, peer, ours = side_connected(s, 0, &peer);
	unsigned before = fake_engine_count();

	if (how == 0)
		for (fd = 3; fd < 4200; fd++)
			close(fd);
	else if (how == 1)
		closefrom(3);
	else
		close_range(3, ~0u, 0);
	if (fake_engine_count() != before - 1 || write(ours, "x", 1) != -1 || errno != EBADF)
		return 1;
	side_open(s, false);
	ours = side_connected(s, 0, &peer);
	if (send(ours, "abc", 3, 0) != 3 || recv(peer, buf, 10, 0) != 3)
		return 2;
	return close_range((unsigned)ours, (unsigned)ours, CLOSE_RANGE_CLOEXEC) == 0 &&
	       fcntl(ours, F_GETFD) == FD_CLOEXEC ? 0 : 3;
}

static void closing_all_fds_spares_ours(void **state)
{
	struct side s;
	int how;
	pid_t pid;

	(void)state;
	for (how = 0; how < 3; how++) {
		pid = fork();
		if (pid == 0) {
			side_open(&s, false);
			_exit(close_everything(&s, how));
		}
		assert_int_equal(side_reap(pid), 0);
	}
}

static void failure_to_attach_is_socket_s_errno(void **state)
{
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		setenv("XTCP_LOG_FILE", "/dev/null", 1);
		setenv("XTCP_LOG", "nonsense", 1);
		if (socket(AF_INET, SOCK_STREAM, 0) != -1 || errno != EINVAL)
			_exit(2);
		setenv("XTCP_LOG", "error", 1);
		fake_engine_fail_open(EPERM);
		if (socket(AF_INET, SOCK_STREAM, 0) != -1 || errno != EPERM)
			_exit(1);
		fake_engine_fail_open(0);
		_exit(socket(AF_INET, SOCK_STREAM, 0) < 0);
	}
	assert_int_equal(side_reap(pid), 0);
}

/* ---- which sockets ---- */

static void socket_types_go_where_they_belong(void **state)
{
	static const struct {
		int domain, type, protocol;
		bool ours;
	} t[] = {
		{ AF_INET, SOCK_STREAM, 0, true }, { AF_INET, SOCK_STREAM, IPPROTO_TCP, true },
		{ AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, true },
		{ AF_INET, SOCK_DGRAM, 0, false }, { AF_INET6, SOCK_STREAM, 0, true }, { AF_INET6, SOCK_DGRAM, 0, false },
		{ AF_UNIX, SOCK_STREAM, 0, false },
	};
	unsigned before = fake_engine_count();
	size_t i;
	int fd;

	(void)state;
	for (i = 0; i < LEN(t); i++) {
		fd = socket(t[i].domain, t[i].type, t[i].protocol);
		if (fd < 0 && t[i].domain == AF_INET6)
			continue;
		assert_true(fd >= 0);
		assert_int_equal(fake_engine_count() - before, t[i].ours);
		assert_int_equal(close(fd), 0);
		assert_int_equal(fake_engine_count(), before);
	}
	assert_int_equal(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), -1);
	assert_int_equal(errno, EPROTONOSUPPORT);
	assert_int_equal(socket(AF_INET, SOCK_STREAM | 0x100, 0), -1);
	assert_int_equal(errno, EINVAL);
}

/* libuv closes by number, others do all of it. */
static void calls_by_number_are_seen(void **state)
{
	unsigned before = fake_engine_count();
	struct timespec soon = { 1, 0 };
	struct pollfd p = { .events = POLLIN };
	struct side s;
	int fd, peer;

	(void)state;
	side_open(&s, false);
	fd = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fdtab_is_sock(fd));
	assert_int_equal(syscall(SYS_connect, fd, &s.to, sizeof(s.to)), 0);
	peer = accept(s.listener, NULL, NULL);
	assert_int_equal(syscall(SYS_write, fd, "abc", 3), 3);
	assert_int_equal(recv(peer, buf, 10, 0), 3);
	assert_int_equal(send(peer, "de", 2, 0), 2);
	p.fd = fd;
	assert_int_equal(syscall(SYS_ppoll, &p, 1, &soon, NULL, 8), 1);
	assert_int_equal(syscall(SYS_recvfrom, fd, buf, 10, 0, NULL, NULL), 2);
	assert_int_equal(syscall(SYS_close, fd), 0);
	assert_int_equal(fake_engine_count(), before);
	assert_false(fdtab_is_sock(fd));
	assert_int_equal(syscall(SYS_close, fd), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(syscall(SYS_getpid), getpid());
	close(peer);
	side_close(&s);
}

/* A socket whose destination turns out to be the host itself. */
static void own_address_goes_to_the_kernel_with_its_options(void **state)
{
	int fd, copy, nodelay = 1, got = 0, peer;
	socklen_t len = sizeof(got);
	struct timeval tv = { 3, 0 };
	unsigned before = fake_engine_count();
	struct side s;

	(void)state;
	side_open(&s, true);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	copy = dup(fd);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, sizeof(nodelay));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	connect(fd, (struct sockaddr *)&s.to, sizeof(s.to));
	assert_int_equal(fake_engine_count(), before);
	peer = accept(s.listener, NULL, NULL);
	assert_int_equal(getsockopt(copy, IPPROTO_TCP, TCP_NODELAY, &got, &len), 0);
	assert_int_equal(got, 1);
	len = sizeof(tv);
	tv.tv_sec = 0;
	getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, &len);
	assert_int_equal(tv.tv_sec, 3);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_false(fcntl(copy, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(send(copy, "abc", 3, 0), 3);
	assert_int_equal(recv(peer, buf, 10, 0), 3);
	close(fd);
	close(copy);
	close(peer);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	s.to.sin_port = 0;
	assert_int_equal(bind(fd, (struct sockaddr *)&s.to, sizeof(s.to)), 0);
	assert_int_equal(fake_engine_count(), before);
	close(fd);
	side_close(&s);
}

/* ---- parts ---- */

static void every_symbol_is_found(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < REAL_COUNT; i++) {
		if (!dlsym(RTLD_NEXT, real_name((enum real_id)i)))
			fail_msg("libc has no %s", real_name((enum real_id)i));
	}
}

static void fd_table_counts_its_sockets(void **state)
{
	struct sock *s = sock_new(0);

	(void)state;
	assert_non_null(s);
	assert_int_equal(fdtab_put(1000000, s), 0);
	assert_int_equal(fdtab_put(FDTAB_PAGES * FDTAB_PAGE_FDS, s), -EMFILE);
	assert_int_equal(fdtab_put(-1, s), -EMFILE);
	assert_ptr_equal(fdtab_get(1000000), s);
	assert_int_equal(s->refs, 2);
	assert_null(fdtab_get(999999));
	assert_null(fdtab_get(-1));
	assert_null(fdtab_get(INT32_MAX));
	sock_put(s);
	assert_ptr_equal(fdtab_clear(1000000), s);
	assert_null(fdtab_clear(1000000));
	assert_int_equal(s->numbers, 0);
	sock_put(s);
	assert_int_equal(s->refs, 0);
	fdtab_mark_internal(3000000);
	assert_true(fdtab_is_internal(3000000));
	assert_null(fdtab_get(3000000));
	assert_int_equal(fdtab_next(2999999), 3000000);
	fdtab_unmark_internal(3000000);
	assert_int_equal(fdtab_slot(3000000), 0);
}

/* Threads that open and close numbers while others use them. */
static void *churn(void *arg)
{
	unsigned i, seed = (unsigned)(uintptr_t)arg;

	for (i = 0; i < 2000; i++) {
		int fd = 50 + 4 * (int)(uintptr_t)arg + (int)(rand_r(&seed) % 4), own;

		own = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (own >= 0) {
			dup2(own, fd);
			close(own);
		}
		recv(54 + (int)(rand_r(&seed) % 12), &own, 1, 0);
		if (i % 3 == 0)
			close(fd);
	}
	return NULL;
}

static void threads_may_open_and_close_at_once(void **state)
{
	unsigned before = fake_engine_count();
	pthread_t t[3];
	uintptr_t i;
	int fd;

	(void)state;
	for (i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, churn, (void *)(i + 1));
	for (i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	for (fd = 54; fd < 66; fd++)
		close(fd);
	assert_int_equal(fake_engine_count(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_symbol_is_found),
		cmocka_unit_test(fd_table_counts_its_sockets),
		cmocka_unit_test(failure_to_attach_is_socket_s_errno),
		cmocka_unit_test(socket_types_go_where_they_belong),
		cmocka_unit_test(calls_by_number_are_seen),
		cmocka_unit_test(own_address_goes_to_the_kernel_with_its_options),
		cmocka_unit_test(handler_without_sa_restart_interrupts),
		cmocka_unit_test(handler_with_sa_restart_does_not),
		cmocka_unit_test(interrupted_transfer_reports_its_part),
		cmocka_unit_test(handler_sends_while_its_thread_receives),
		cmocka_unit_test(siglongjmp_out_of_a_call_leaves_the_socket_whole),
		cmocka_unit_test(signal_during_hold_waits_for_the_release),
		cmocka_unit_test(program_sees_its_own_handlers),
		cmocka_unit_test(older_calls_set_their_flags),
		cmocka_unit_test(broken_pipe_raises_sigpipe),
		cmocka_unit_test(vfork_child_sets_only_its_own_signals),
		cmocka_unit_test(signal_for_a_child_that_is_being_made_is_not_lost),
		cmocka_unit_test(closing_all_fds_spares_ours),
		cmocka_unit_test(threads_may_open_and_close_at_once),
	};

	pthread_atfork(NULL, NULL, on_birth);
	side_prepare();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
