/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * process.h - fork, exec and the end of the process.
 */
#ifndef XTCP_PROCESS_H
#define XTCP_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct engine;

/* Once, when the engine is there, and before others see it (eng_current). */
void process_attach(struct engine *e, bool wants_stats);

/* The process that the engine is of, or was; 0: none was attached. */
pid_t process_pid(void);
/* Is it a child of a process that was attached? */
bool process_is_forked(void);
/* A child is about to be made, or may be, that runs in our memory with fds of its own. */
void process_lend_memory(void);
/* Does this thread run in such a child? */
bool process_is_vfork_child(void);
/* But for the library's own, has the process one thread? */
bool process_is_single_threaded(void);
/* Are we in a child that was made behind libc's back, with a copy of the engine that must
 * not be used?  Then forgets it; the next answer is no. */
bool process_was_cloned(void);
/* Around clone(flags) of the kernel, or _Fork(), for which libc calls no handlers of pthread_atfork(): what they do.
 * False: this child needs nothing (it shares our memory, or there is no engine), or mustn't have it (it shares our fds);
 * then there is no end.  pid: 0 in the child, as the call has given it. */
bool process_clone_begin(uint64_t flags);
void process_clone_end(long pid);
/* Is fd one of the library's?  Not to be asked of a number whose slot isn't empty. */
bool process_is_own_fd(int fd);

/* All of them, ascending.  v has room for one more. */
struct process_fds {
	int *v;                  /* NULL: no memory */
	unsigned n;
	size_t bytes;
};
void process_list_own_fds(struct process_fds *f);
void process_free_own_fds(struct process_fds *f);

/* A copy of the process, with this thread alone, that isn't its child: true in the copy; *made tells the
 * parent whether there is one.  Between engine_fork_prepare() and engine_fork_done(), and with alloc.c's
 * lock if it is to allocate. */
bool process_spawn(bool *made);
/* In the copy: a process of this name, of a session of its own, with these fds, which are sorted, and no others. */
void process_become(const char *name, const struct process_fds *own);
/* At once, and nothing else. */
_Noreturn void process_leave(void);

/* The process is about to end: what is still to be delivered goes to a keeper.  Once; later
 * calls do nothing. */
void process_end(void);
/* A thread is about to end by SYS_exit: the process does, with this status, if the thread is its last. */
void process_thread_leaves(int status);
/* The engine goes on in a keeper, for the sockets that are bridged, and this process has none any more. */
void process_hand_over(void);

/* The same from a signal handler: without malloc(), which the thread may be in the middle of.
 * The process then ends by the signal. */
void process_die(void);

/* Around exec: before it a keeper is made that waits for its outcome; after a failure it is
 * sent away.  errno stays. */
struct process_exec {
	int pipe;                /* -1: no keeper */
};
/* path: what is to be executed, as faccessat() takes it, or NULL when libc will search for
 * it; what can't be executed anyway needs no keeper. */
void process_exec_begin(struct process_exec *x, int dirfd, const char *path);
void process_exec_failed(struct process_exec *x);

#endif
