/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * interpose_proc.c - the wrappers of signals and of the process's life.
 */
#undef _FORTIFY_SOURCE
#include "interpose.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "process.h"
#include "real.h"
#include "signal.h"

#define SYSV_FLAGS (SA_RESETHAND | SA_NODEFER)

/* ---- signals ---- */

EXPORT int sigaction(int sig, const struct sigaction *restrict act, struct sigaction *restrict old)
{
	return (int)interpose_result(signal_action(sig, act, old));
}

EXPORT_ALIAS(__sigaction, sigaction);

static sighandler_t bsd(int sig, sighandler_t handler)
{
	return signal_simple(sig, handler, signal_is_breaking(sig) ? 0 : SA_RESTART);
}

EXPORT sighandler_t signal(int sig, sighandler_t handler)
{
	return bsd(sig, handler);
}

EXPORT sighandler_t bsd_signal(int sig, sighandler_t handler)
{
	return bsd(sig, handler);
}

EXPORT sighandler_t ssignal(int sig, sighandler_t handler)
{
	return bsd(sig, handler);
}

EXPORT sighandler_t sysv_signal(int sig, sighandler_t handler)
{
	return signal_simple(sig, handler, SYSV_FLAGS);
}

EXPORT sighandler_t __sysv_signal(int sig, sighandler_t handler)
{
	return signal_simple(sig, handler, SYSV_FLAGS);
}

EXPORT int siginterrupt(int sig, int breaks)
{
	return (int)interpose_result(signal_interrupt(sig, breaks != 0));
}

/* System V: SIG_HOLD blocks the signal, anything else unblocks it. */
EXPORT sighandler_t sigset(int sig, sighandler_t handler)
{
	sigset_t set, before;
	struct sigaction old;
	sighandler_t was;

	sigemptyset(&set);
	if (sigaddset(&set, sig) < 0)
		return SIG_ERR;
	if (handler == SIG_HOLD) {
		if (sigprocmask(SIG_BLOCK, &set, &before) < 0 ||
		    interpose_result(signal_action(sig, NULL, &old)) < 0)
			return SIG_ERR;
		return sigismember(&before, sig) ? SIG_HOLD : old.sa_handler;
	}
	was = signal_simple(sig, handler, 0);
	if (was == SIG_ERR || sigprocmask(SIG_UNBLOCK, &set, &before) < 0)
		return SIG_ERR;
	return sigismember(&before, sig) ? SIG_HOLD : was;
}

EXPORT int sigignore(int sig)
{
	return signal_simple(sig, SIG_IGN, 0) == SIG_ERR ? -1 : 0;
}

/* ---- the end ---- */

EXPORT void _exit(int status)
{
	process_end();
	REAL(_exit)(status);
	abort();
}

EXPORT void _Exit(int status)
{
	process_end();
	REAL(_Exit)(status);
	abort();
}

/* The handlers of at_quick_exit() run first, in libc; ours is among them. */
EXPORT void quick_exit(int status)
{
	at_quick_exit(process_end);
	REAL(quick_exit)(status);
	abort();
}

/* ---- exec ---- */

EXPORT int execve(const char *path, char *const argv[], char *const envp[])
{
	struct process_exec x;

	process_exec_begin(&x, AT_FDCWD, path);
	REAL(execve)(path, argv, envp);
	process_exec_failed(&x);
	return -1;
}

EXPORT int execv(const char *path, char *const argv[])
{
	return execve(path, argv, environ);
}

EXPORT int execvpe(const char *file, char *const argv[], char *const envp[])
{
	struct process_exec x;

	process_exec_begin(&x, AT_FDCWD, strchr(file, '/') ? file : NULL);
	REAL(execvpe)(file, argv, envp);
	process_exec_failed(&x);
	return -1;
}

EXPORT int execvp(const char *file, char *const argv[])
{
	return execvpe(file, argv, environ);
}

EXPORT int fexecve(int fd, char *const argv[], char *const envp[])
{
	struct process_exec x;

	process_exec_begin(&x, fd, NULL);
	REAL(fexecve)(fd, argv, envp);
	process_exec_failed(&x);
	return -1;
}

EXPORT int execveat(int dirfd, const char *path, char *const argv[], char *const envp[], int flags)
{
	struct process_exec x;

	process_exec_begin(&x, dirfd, flags & AT_EMPTY_PATH ? NULL : path);
	REAL(execveat)(dirfd, path, argv, envp, flags);
	process_exec_failed(&x);
	return -1;
}

static size_t count_args(va_list ap)
{
	va_list again;
	size_t n = 1;

	va_copy(again, ap);
	while (va_arg(again, const char *))
		n++;
	va_end(again);
	return n;
}

static void take_args(char **argv, const char *first, va_list ap, size_t n)
{
	size_t i;

	argv[0] = (char *)(uintptr_t)first;
	for (i = 1; i <= n; i++)
		argv[i] = va_arg(ap, char *);
}

/* The list of an execl() as an array on the caller's stack, where a child of vfork() may
 * have it. */
#define LIST_TO_ARGV(first)                                                 \
	va_list ap;                                                         \
	size_t n_;                                                          \
	char **argv;                                                        \
	va_start(ap, first);                                                \
	n_ = count_args(ap);                                                \
	argv = __builtin_alloca((n_ + 1) * sizeof(*argv));                  \
	take_args(argv, first, ap, n_)

EXPORT int execl(const char *path, const char *arg, ...)
{
	LIST_TO_ARGV(arg);

	va_end(ap);
	return execve(path, argv, environ);
}

EXPORT int execlp(const char *file, const char *arg, ...)
{
	LIST_TO_ARGV(arg);

	va_end(ap);
	return execvpe(file, argv, environ);
}

EXPORT int execle(const char *path, const char *arg, ...)
{
	char *const *envp;
	LIST_TO_ARGV(arg);

	envp = va_arg(ap, char *const *);
	va_end(ap);
	return execve(path, argv, envp);
}
