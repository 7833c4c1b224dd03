/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * signal.h - the program's signal handlers beside a stack that lives in its threads.
 *
 * A handler may send and receive, so it must not run while its thread is inside
 * the engine or holds one of our locks: signal_hold() and signal_release() enclose
 * those, and a handler that comes in between runs at the release.  Around
 * engine_wait() all signals are blocked but for the sleep itself (signal_block()),
 * so that none is lost between the last look and the sleep; there they are
 * welcome, as the engine isn't locked while it sleeps.
 *
 * From signal_attach() on the kernel knows only our trampoline; sigaction() gives
 * the program its own view.
 */
#ifndef XTCP_SIGNAL_H
#define XTCP_SIGNAL_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

struct signal_self {
	unsigned held;            /* depth of signal_hold() */
	bool is_deferred;         /* `info` waits for the release, all signals are blocked */
	unsigned handled;         /* handlers that ran in this thread; wraps */
	unsigned breaking;        /* of these, those without SA_RESTART */
	unsigned call_handled, call_breaking;   /* what they were when the call began that may sleep (signal_begin_call()) */
	unsigned long mask;       /* the kernel's set to go back to after the release */
	siginfo_t info;
};

extern __thread struct signal_self signal_self __attribute__((tls_model("initial-exec")));

void signal_redeliver(void);

static inline void signal_hold(void)
{
	signal_self.held++;
	__asm__ __volatile__("" ::: "memory");
}

static inline void signal_release(void)
{
	__asm__ __volatile__("" ::: "memory");
	if (!--signal_self.held && signal_self.is_deferred)
		signal_redeliver();
}

/* Who is cancelled takes what he holds to his grave, and libc's calls are cancellation points: so no thread is
 * cancelled while it holds a lock of ours, or is about to free something.  The state before, for signal_recancel(). */
static inline int signal_uncancel(void)
{
	int before;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
	return before;
}

static inline void signal_recancel(int before)
{
	pthread_setcancelstate(before, NULL);
}

/* Blocks every signal; *old is what to sleep with and to hand to signal_unblock(). */
void signal_block(sigset_t *old);
void signal_unblock(const sigset_t *old);

/* A call that may sleep begins.  A signal that comes before its sleep ends that, too, as in Linux, where it would be
 * pending until then. */
static inline void signal_begin_call(void)
{
	signal_self.call_handled = signal_self.handled;
	signal_self.call_breaking = signal_self.breaking;
}

/* Has a handler run since then, of which the call hasn't heard?  In the sleep itself the caller is told so. */
static inline bool signal_came(void)
{
	return signal_self.handled != signal_self.call_handled;
}

/* The call was interrupted: for good?  Linux restarts one that has no time-out (can_restart) if every handler that ran
 * has SA_RESTART. */
bool signal_breaks(bool can_restart);

/* Takes over the handlers that the program has installed so far, and the default action of
 * signals that end the process. */
void signal_attach(void);
bool signal_is_attached(void);
/* There is nothing to be done any more before a signal's default action: it is the kernel's again. */
void signal_let_go(void);

/* Around fork(), with all signals blocked. */
void signal_fork_prepare(void);
void signal_fork_done(void);
/* In the child, before it is done: a signal that waited for a release before it was made is the parent's, who has it, too. */
void signal_fork_forget(void);

/* sigaction() and those made of it, once attached: 0 or -errno. */
int signal_action(int sig, const struct sigaction *act, struct sigaction *old);
int signal_interrupt(int sig, bool breaks);
/* signal() with these SA_* flags; SIG_ERR and errno on failure. */
sighandler_t signal_simple(int sig, sighandler_t handler, int flags);
/* True once signal() must not set SA_RESTART for sig. */
bool signal_is_breaking(int sig);

#endif
