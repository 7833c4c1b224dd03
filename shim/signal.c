/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * signal.c - the trampoline between the kernel and the program's handlers.
 *
 * Rules:
 * - A handler runs only while its thread holds nothing of ours.  A signal that
 *   comes at another time is kept, all others are blocked by way of the
 *   interrupted context's mask, and signal_redeliver() sends it again.
 * - Signals raised by the thread's own fault are never put off; those of user.c are not the program's.
 * - The kernel never has SA_RESETHAND: a signal may come to us twice before the
 *   program's handler runs once, so the reset is ours.
 * - A signal whose default action ends the process first leaves connections
 *   that still have something to deliver to a keeper (process.c), as the kernel
 *   would deliver it.
 */
#include "signal.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "epoll.h"
#include "init.h"
#include "process.h"
#include "rawcall.h"
#include "real.h"
#include "user.h"

#define NSIGS 65
#define KERNEL_SET_BYTES 8
#define LIBC_SIGNAL_1 32
#define LIBC_SIGNAL_2 33
#define PASSED_FLAGS (SA_RESTART | SA_NODEFER | SA_ONSTACK | SA_NOCLDSTOP | SA_NOCLDWAIT)

__thread struct signal_self signal_self __attribute__((tls_model("initial-exec")));

/* The program's view, guarded by `lock`; the lock is only taken with signals held. */
static struct sigaction view[NSIGS];
static _Atomic bool is_attached;
static bool has_let_go;            /* of default actions */
static _Atomic uint64_t breaking_set;      /* siginterrupt(sig, 1) */
static sigset_t before_fork;               /* of who calls fork(), the mask */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static const unsigned char deadly[] = {
	SIGHUP, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGUSR1, SIGSEGV,
	SIGUSR2, SIGPIPE, SIGALRM, SIGTERM, SIGSTKFLT, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF,
	SIGIO, SIGPWR, SIGSYS,
};

static bool is_deadly(int sig)
{
	return memchr(deadly, sig, sizeof(deadly)) != NULL;
}

static void lock_view(void)
{
	signal_hold();
	pthread_mutex_lock(&lock);
}

static void unlock_view(void)
{
	pthread_mutex_unlock(&lock);
	signal_release();
}

/* All are blocked until both have done with it: what is deferred in the child then was so before, and what comes
 * for the child alone, however early, waits with the kernel. */
void signal_fork_prepare(void)
{
	lock_view();
	signal_block(&before_fork);
}

void signal_fork_done(void)
{
	signal_unblock(&before_fork);
	unlock_view();
}

void signal_fork_forget(void)
{
	struct signal_self *t = &signal_self;

	if (!t->is_deferred)
		return;
	t->is_deferred = false;
	memcpy(&before_fork, &t->mask, KERNEL_SET_BYTES);
}

static bool has_handler(const struct sigaction *sa)
{
	return sa->sa_handler != SIG_DFL && sa->sa_handler != SIG_IGN;
}

/* ---- delivery ---- */

/* A fault of the thread itself: returning without having handled it repeats it. */
static bool is_fault(int sig, const siginfo_t *info)
{
	switch (sig) {
	case SIGSEGV:
	case SIGBUS:
	case SIGFPE:
	case SIGILL:
	case SIGTRAP:
	case SIGSYS:
		return info->si_code > 0;
	default:
		return false;
	}
}

/* All signals but libc's own, for cancellation and setuid(): it waits for those, in whatever its caller does. */
static void fill(sigset_t *set)
{
	unsigned long mask = ~(1ul << (LIBC_SIGNAL_1 - 1) | 1ul << (LIBC_SIGNAL_2 - 1));

	memcpy(set, &mask, KERNEL_SET_BYTES);
}

static void defer(const siginfo_t *info, ucontext_t *uc)
{
	struct signal_self *t = &signal_self;

	memcpy(&t->mask, &uc->uc_sigmask, KERNEL_SET_BYTES);
	fill(&uc->uc_sigmask);
	t->info = *info;
	t->is_deferred = true;
}

void signal_redeliver(void)
{
	struct signal_self *t = &signal_self;
	int err = errno;

	t->is_deferred = false;
	raw_syscall(SYS_rt_tgsigqueueinfo, getpid(), raw_syscall(SYS_gettid), t->info.si_signo, &t->info);
	raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, &t->mask, NULL, KERNEL_SET_BYTES);
	errno = err;
}

/* The default action: a fault happens again when we return, any other signal is sent again. */
static void die(int sig, bool fault)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t set;

	if (!init_is_inside())
		process_die();
	REAL(sigaction)(sig, &dfl, NULL);
	if (fault)
		return;
	raw_syscall(SYS_tgkill, getpid(), raw_syscall(SYS_gettid), sig);
	sigemptyset(&set);
	sigaddset(&set, sig);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void trampoline(int sig, siginfo_t *info, void *context)
{
	struct signal_self *t = &signal_self;
	bool fault = is_fault(sig, info);
	unsigned call_handled = t->call_handled, call_breaking = t->call_breaking;
	struct sigaction sa;
	int err = errno, type;

	if (fault && user_mend(context))
		return;
	if (t->held && !fault) {
		defer(info, context);
		return;
	}
	/* The sleep that it interrupts may be cancelled at any moment (engine_wait.c), a handler may not. */
	pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &type);
	epoll_interrupt();
	lock_view();
	sa = view[sig];
	if (sa.sa_flags & SA_RESETHAND && has_handler(&sa))
		view[sig].sa_handler = SIG_DFL;
	unlock_view();
	t->handled++;
	if (!(sa.sa_flags & SA_RESTART))
		t->breaking++;
	if (sa.sa_handler == SIG_DFL && is_deadly(sig))
		die(sig, fault);
	else if (sa.sa_flags & SA_SIGINFO && has_handler(&sa))
		sa.sa_sigaction(sig, info, context);
	else if (has_handler(&sa))
		sa.sa_handler(sig);
	t->call_handled = call_handled;
	t->call_breaking = call_breaking;
	errno = err;
	pthread_setcanceltype(type, NULL);
}

/* ---- what the kernel is told ---- */

static int install(int sig, const struct sigaction *sa)
{
	struct sigaction ours = *sa;

	if (has_handler(sa)) {
		ours.sa_sigaction = trampoline;
		ours.sa_flags = SA_SIGINFO | (sa->sa_flags & PASSED_FLAGS);
	} else if (sa->sa_handler == SIG_DFL && is_deadly(sig) && !has_let_go) {
		memset(&ours, 0, sizeof(ours));
		ours.sa_sigaction = trampoline;
		ours.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
		sigfillset(&ours.sa_mask);
	}
	return REAL(sigaction)(sig, &ours, NULL) < 0 ? -errno : 0;
}

void signal_attach(void)
{
	int sig;

	lock_view();
	for (sig = 1; !is_attached && sig < NSIGS; sig++) {
		if (sig == SIGKILL || sig == SIGSTOP || REAL(sigaction)(sig, NULL, &view[sig]) < 0)
			continue;
		install(sig, &view[sig]);
	}
	is_attached = true;
	unlock_view();
}

void signal_let_go(void)
{
	int sig;

	lock_view();
	has_let_go = true;
	for (sig = 1; is_attached && sig < NSIGS; sig++)
		if (is_deadly(sig) && view[sig].sa_handler == SIG_DFL)
			install(sig, &view[sig]);
	unlock_view();
}

bool signal_is_attached(void)
{
	return is_attached;
}

/* Its memory is the parent's until it calls execve(), its signal actions are not: what it sets is the kernel's to know. */
static int vfork_child_action(int sig, const struct sigaction *act, struct sigaction *old)
{
	struct sigaction before;

	if (REAL(sigaction)(sig, act, &before) < 0)
		return -errno;
	lock_view();
	if (before.sa_flags & SA_SIGINFO && before.sa_sigaction == trampoline)
		before = view[sig];
	unlock_view();
	if (old)
		*old = before;
	return 0;
}

int signal_action(int sig, const struct sigaction *act, struct sigaction *old)
{
	struct sigaction before;
	int r = 0;

	if (!is_attached || sig <= 0 || sig >= NSIGS || sig == SIGKILL || sig == SIGSTOP)
		return REAL(sigaction)(sig, act, old) < 0 ? -errno : 0;
	if (process_is_vfork_child())
		return vfork_child_action(sig, act, old);
	lock_view();
	before = view[sig];
	if (act)
		r = install(sig, act);
	if (act && !r)
		view[sig] = *act;
	unlock_view();
	if (old && !r)
		*old = before;
	return r;
}

/* ---- the older calls ---- */

bool signal_is_breaking(int sig)
{
	return breaking_set >> (sig - 1) & 1;
}

sighandler_t signal_simple(int sig, sighandler_t handler, int flags)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = flags }, old;
	int r = handler == SIG_ERR || sig < 1 || sig >= NSIGS ? -EINVAL : 0;

	sigemptyset(&sa.sa_mask);
	if (!r)
		r = signal_action(sig, &sa, &old);
	if (!r)
		return old.sa_handler;
	errno = -r;
	return SIG_ERR;
}

int signal_interrupt(int sig, bool breaks)
{
	struct sigaction sa;
	int r = sig < 1 || sig >= NSIGS ? -EINVAL : signal_action(sig, NULL, &sa);

	if (r)
		return r;
	sa.sa_flags = breaks ? sa.sa_flags & ~SA_RESTART : sa.sa_flags | SA_RESTART;
	r = signal_action(sig, &sa, NULL);
	if (r)
		return r;
	lock_view();
	breaking_set &= ~(1ULL << (sig - 1));
	breaking_set |= (uint64_t)breaks << (sig - 1);
	unlock_view();
	return 0;
}

/* ---- sleeping ---- */

void signal_block(sigset_t *old)
{
	sigset_t all;

	fill(&all);
	memset(old, 0, sizeof(*old));
	raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, old, KERNEL_SET_BYTES);
}

void signal_unblock(const sigset_t *old)
{
	int err = errno;

	raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, old, NULL, KERNEL_SET_BYTES);
	errno = err;
}

/* No handler of ours ran: one that was installed behind our back did. */
bool signal_breaks(bool can_restart)
{
	struct signal_self *t = &signal_self;
	bool breaks = !can_restart || t->breaking != t->call_breaking || !signal_came();

	t->call_handled = t->handled;
	return breaks;
}
