/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * process.c - the connections outlive what the program does to its process.
 *
 * - fork(): both have the sockets (shared.c); the child lets go of the engine, and its new sockets attach one of its
 *   own.  A child that was made without libc's fork() finds a page of zeros (MADV_WIPEONFORK) and knows.
 * - The end of exit(): other libraries' destructors may use their sockets after ours has run, and streams are written after
 *   all of them.  So our end comes when libc writes a stream of ours, the oldest of those that can be over our sockets.
 * - The end: if something is left to deliver, a keeper carries on.  It is a
 *   grandchild with a session of its own and no fd but the engine's, so
 *   nobody waits for it; the child between has no exit signal, so nobody hears of
 *   it either.
 * - A signal: the same, but nothing of libc's that may hang is called: the thread may have
 *   been interrupted in malloc() (ours is alloc.c).  An alarm ends a keeper that hangs nevertheless.
 * - exec: the same, but the keeper first waits for exec's outcome at a pipe that is
 *   closed on exec.  Until then the engine stands still.
 */
#include "process.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "alloc.h"
#include "bridge.h"
#include "eng.h"
#include "fdtab.h"
#include "init.h"
#include "log.h"
#include "netns.h"
#include "rawcall.h"
#include "ready.h"
#include "real.h"
#include "shared.h"
#include "signal.h"

#define OWN_FDS_MIN 1024
#define STATS_BYTES 8192
#define KEEPER "xtcp-keeper"
#define HANG_SECONDS 10

static _Atomic pid_t attached_pid;   /* 0: none yet */
static bool wants_stats;
static bool has_handed_over;      /* the engine, for good: the process may not make many system calls */
static bool is_forked;            /* from a process that had an engine */
static _Atomic int *_Atomic mark; /* 1; 0 in a child that no atfork handler has seen */
static _Atomic int lowest_own;    /* of the engine's fds */
static _Atomic bool has_lent;     /* process_lend_memory() was called once */
static pthread_mutex_t leave_lock = PTHREAD_MUTEX_INITIALIZER;
static bool has_first_left;       /* by SYS_exit; with leave_lock */
static pid_t leaver;              /* who did so last; 0: nobody */

/* ---- whose fd, whose process ---- */

pid_t process_pid(void)
{
	return attached_pid;
}

bool process_is_forked(void)
{
	return is_forked;
}

void process_lend_memory(void)
{
	atomic_store(&has_lent, true);
}

/* A copy that nobody has told of is known by its mark, where there is one: so close() needs no getpid(). */
bool process_is_vfork_child(void)
{
	process_was_cloned();
	if (atomic_load(&mark) && !atomic_load_explicit(&has_lent, memory_order_relaxed))
		return false;
	return attached_pid && getpid() != attached_pid;
}

/* The program's; 0: not to be found out.  A directory has a link for itself, its parent, and each subdirectory, here the
 * threads. */
static unsigned count_threads(void)
{
	unsigned engines = atomic_load(&eng_current) ? 1 : 0;
	struct stat st;
	int err = errno;
	unsigned n = stat("/proc/self/task", &st) ? 0 : (unsigned)st.st_nlink - 2 - engines;

	errno = err;
	return n;
}

bool process_is_single_threaded(void)
{
	return count_threads() == 1;
}

static bool map_list(struct process_fds *f, unsigned cap)
{
	f->n = 0;
	f->bytes = (cap + 1) * sizeof(*f->v);
	f->v = mmap(NULL, f->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (f->v == MAP_FAILED)
		f->v = NULL;
	return f->v != NULL;
}

void process_free_own_fds(struct process_fds *f)
{
	if (f->v)
		munmap(f->v, f->bytes);
	f->v = NULL;
	f->n = 0;
}

/* Unsorted: the engine's, without the far ends of mirrors, which fdtab.c marks. */
static void list_engines(struct engine *e, struct process_fds *f)
{
	unsigned cap;

	for (cap = OWN_FDS_MIN; map_list(f, cap); cap *= 4) {
		signal_hold();
		f->n = engine_fds(e, f->v, cap);
		signal_release();
		if (f->n < cap)
			return;
		process_free_own_fds(f);
	}
}

bool process_is_own_fd(int fd)
{
	struct engine *e = atomic_load(&eng_current);
	struct process_fds f;
	bool is = false;
	unsigned i;

	if (fdtab_is_internal(fd))
		return true;
	if (!e || fd < lowest_own)
		return false;
	list_engines(e, &f);
	for (i = 0; i < f.n && !is; i++)
		is = f.v[i] == fd;
	process_free_own_fds(&f);
	return is;
}

/* In place: qsort() may allocate. */
static void sift(int *v, unsigned root, unsigned n)
{
	unsigned child;
	int x = v[root];

	while ((child = 2 * root + 1) < n) {
		if (child + 1 < n && v[child + 1] > v[child])
			child++;
		if (v[child] <= x)
			break;
		v[root] = v[child];
		root = child;
	}
	v[root] = x;
}

static void sort(int *v, unsigned n)
{
	unsigned i;
	int x;

	for (i = n / 2; i-- > 0;)
		sift(v, i, n);
	while (n > 1) {
		x = v[--n];
		v[n] = v[0];
		v[0] = x;
		sift(v, 0, n);
	}
}

static unsigned count_internal(int *v)
{
	unsigned n = 0;
	int fd;

	for (fd = fdtab_next(0); fd >= 0; fd = fdtab_next(fd + 1)) {
		if (!fdtab_is_internal(fd))
			continue;
		if (v)
			v[n] = fd;
		n++;
	}
	return n;
}

void process_list_own_fds(struct process_fds *f)
{
	struct engine *e = atomic_load(&eng_current);
	struct process_fds of_engine = { NULL, 0, 0 };
	unsigned internal = count_internal(NULL);

	if (e)
		list_engines(e, &of_engine);
	if (map_list(f, internal + of_engine.n)) {
		f->n = count_internal(f->v);
		if (of_engine.n)
			memcpy(f->v + f->n, of_engine.v, of_engine.n * sizeof(*f->v));
		f->n += of_engine.n;
		sort(f->v, f->n);
	}
	process_free_own_fds(&of_engine);
}

static void find_lowest(struct engine *e)
{
	struct process_fds f;
	int lowest = INT32_MAX;
	unsigned i;

	list_engines(e, &f);
	for (i = 0; i < f.n; i++)
		lowest = MIN(lowest, f.v[i]);
	process_free_own_fds(&f);
	atomic_store(&lowest_own, lowest);
}

/* ---- fork ---- */

static struct engine *forked;     /* from prepare to its end */

/* asks: the child can ask the engine for the sockets. */
static void prepare(bool asks)
{
	if (!asks || !shared_begin())
		bridge_all();
	bridge_lock();
	forked = atomic_load(&eng_current);
	if (forked)
		engine_fork_prepare(forked);
	ready_lock();
	sock_fork_prepare();
	signal_fork_prepare();
	alloc_fork_prepare();
}

static void before_fork(void)
{
	prepare(true);
}

static void after_fork_in_parent(void)
{
	alloc_fork_done();
	signal_fork_done();
	sock_fork_done();
	ready_unlock();
	if (forked)
		engine_fork_done(forked);
	bridge_unlock();
}

/* What is known of this process, in a copy of it. */
static void begin_anew(void)
{
	atomic_store(atomic_load(&mark), 1);
	atomic_store(&eng_current, NULL);
	netns_forked();
	attached_pid = getpid();
	leave_lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	has_first_left = false;
	leaver = 0;
}

/* The child's sockets have no engine; the far ends of their mirrors are the parent's. */
static void lose_sockets(void)
{
	struct sock *s;
	int fd;

	for (fd = fdtab_next(0); fd >= 0; fd = fdtab_next(fd + 1)) {
		if (!fdtab_is_sock(fd))
			continue;
		s = (struct sock *)fdtab_slot(fd);
		shared_lose(s);
		ready_lost(s);
	}
}

/* The copy's locks may be held by threads that are not here: it is left as it is. */
bool process_was_cloned(void)
{
	_Atomic int *m = atomic_load_explicit(&mark, memory_order_acquire);

	if (!m || atomic_load_explicit(m, memory_order_relaxed))
		return false;
	begin_anew();
	lose_sockets();
	ready_forget_all();
	return true;
}

static void after_fork_in_child(void)
{
	begin_anew();
	alloc_fork_done();
	signal_fork_forget();
	signal_fork_done();
	sock_fork_done();
	lose_sockets();
	ready_unlock();
	ready_forget_all();
	if (forked)
		engine_forget(forked);
	is_forked = true;
	bridge_unlock();
}

bool process_clone_begin(uint64_t flags)
{
	if (!mark || flags & (CLONE_VM | CLONE_FILES) || process_is_vfork_child())
		return false;
	prepare(!(flags & CLONE_NEWNET) || netns_keep_way());
	return true;
}

void process_clone_end(long pid)
{
	int err = errno;

	if (pid == 0)
		after_fork_in_child();
	else
		after_fork_in_parent();
	errno = err;
}

/* ---- the keeper ---- */

static void close_gap(unsigned from, unsigned to)
{
	if (from <= to)
		raw_syscall(SYS_close_range, from, to, 0);
}

/* Nobody may wait for an end of file on something that only a copy of the process holds. */
static void close_others(const struct process_fds *own)
{
	unsigned i, from = 0;

	sort(own->v, own->n);
	for (i = 0; i < own->n; i++) {
		if ((unsigned)own->v[i] > from)
			close_gap(from, (unsigned)own->v[i] - 1);
		from = (unsigned)own->v[i] + 1;
	}
	close_gap(from, ~0u);
}

void process_become(const char *name, const struct process_fds *own)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t set;

	signal_self.held = 1;
	REAL(sigaction)(SIGALRM, &dfl, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	setsid();
	if (chdir("/") < 0)
		errno = 0;
	prctl(PR_SET_NAME, name);
	close_others(own);
}

bool process_spawn(bool *made)
{
	long pid = raw_syscall(SYS_clone, 0, 0, 0, 0, 0);
	int status = 1;

	if (pid == 0) {
		pid_t copy = REAL(_Fork)();

		if (copy == 0)
			return true;
		raw_syscall(SYS_exit_group, copy < 0);
	}
	while (pid > 0 && raw_syscall(SYS_wait4, pid, &status, __WCLONE, NULL) < 0 && errno == EINTR)
		;
	*made = pid > 0 && status == 0;
	return false;
}

void process_leave(void)
{
	for (;;)
		raw_syscall(SYS_exit_group, 0);
}

/* ---- the end ---- */

static void report(struct engine *e)
{
	char text[STATS_BYTES];
	int n = engine_stats(e, text, sizeof(text));

	if (n > (int)sizeof(text) - 1)
		n = sizeof(text) - 1;
	if (n > 0)
		log_text(text, (size_t)n);
}

/* The engine, for good, with signals held; NULL: there is none, or it isn't this process's to end. */
static struct engine *take_engine(struct process_fds *fds)
{
	struct engine *e;

	if (process_is_vfork_child())
		return NULL;
	shared_leave_all();
	e = eng_end();
	if (!e)
		return NULL;
	signal_hold();
	if (wants_stats)
		report(e);
	list_engines(e, fds);
	return e;
}

/* In the copy that was made for it: the engine's fds are all that it keeps. */
static _Noreturn void carry_on(struct engine *e, const struct process_fds *fds)
{
	process_become(KEEPER, fds);
	engine_carry_on(e);
	process_leave();
}

void process_hand_over(void)
{
	struct engine *e = atomic_load(&eng_current);
	struct process_fds fds;
	bool made = true, has_rest;
	unsigned i;

	if (!e || !engine_quiesce(e)) {
		log_event(LOG_WARNING, "this process confines itself by seccomp while threads wait for sockets: what the engine "
			  "does may be refused");
		return;
	}
	e = take_engine(&fds);
	has_rest = engine_end(e);
	if (has_rest && process_spawn(&made))
		carry_on(e, &fds);
	if (!made)
		log_event(LOG_ERR, "no process could be made for the sockets of one that confines itself by seccomp");
	for (i = 0; i < fds.n; i++)
		raw_close(fds.v[i]);
	process_free_own_fds(&fds);
	has_handed_over = true;
	attached_pid = 0;
	signal_let_go();
	signal_release();
}

void process_end(void)
{
	struct engine *e;
	int err = errno;
	struct process_fds fds;
	bool made;

	if (has_handed_over)
		return;
	e = take_engine(&fds);
	if (!e)
		return;
	if (engine_end(e)) {
		if (process_spawn(&made))
			carry_on(e, &fds);
		if (!made)
			engine_carry_on(e);
	}
	signal_release();
	errno = err;
}

static _Noreturn void keep(struct engine *e)
{
	engine_fork_done(e);
	if (engine_end(e)) {
		/* What may hang is over, and the engine knows when to give up; bridged sockets may last. */
		alarm(0);
		engine_carry_on(e);
	}
	process_leave();
}

void process_die(void)
{
	struct engine *e;
	struct process_fds fds;
	bool made;

	if (has_handed_over)
		return;
	e = take_engine(&fds);
	if (!e)
		return;
	engine_fork_prepare(e);
	alloc_fork_prepare();
	if (!process_spawn(&made)) {
		alloc_fork_done();
		signal_release();
		return;
	}
	alloc_fork_done();
	process_become(KEEPER, &fds);
	alarm(HANG_SECONDS);
	keep(e);
}

/* A thread leaves by SYS_exit, which no handler of libc's sees.  Where it is the last but the engine's, the process is to end, as
 * it does over the kernel.  One at a time: what has announced itself is waited for, but for the first thread, which
 * stays in the list until the process ends. */
void process_thread_leaves(int status)
{
	pid_t pid, tid;

	/* Without an engine not a call more than the program's own: seccomp's strict mode has no other. */
	if (!atomic_load(&eng_current) || process_is_vfork_child())
		return;
	pid = getpid();
	tid = gettid();
	pthread_mutex_lock(&leave_lock);
	while (leaver && leaver != pid && !raw_syscall(SYS_tgkill, pid, leaver, 0))
		sched_yield();
	if (count_threads() == (has_first_left ? 2 : 1)) {
		process_end();
		raw_syscall(SYS_exit_group, status);
	}
	leaver = tid;
	has_first_left |= tid == pid;
	pthread_mutex_unlock(&leave_lock);
}

static FILE *last;                /* what is in it is written at the end of exit() */

static ssize_t write_last(void *cookie, const char *buf, size_t n)
{
	(void)cookie;
	(void)buf;
	process_end();
	return (ssize_t)n;
}

static void open_last(void)
{
	static char buf[BUFSIZ];

	last = fopencookie(NULL, "w", (cookie_io_functions_t){ .write = write_last });
	if (last)
		setvbuf(last, buf, _IOFBF, sizeof(buf));
}

/* exit() and the end of main(); after the program's own atexit() handlers. */
static __attribute__((destructor)) void at_exit(void)
{
	int err = errno;

	if (!last || fputc('\n', last) == EOF)
		process_end();
	errno = err;
}

/* ---- exec ---- */

static _Noreturn void keep_after_exec(struct engine *e, int outcome, struct process_fds *fds)
{
	char byte;
	ssize_t r;

	fds->v[fds->n++] = outcome;
	process_become(KEEPER, fds);
	do {
		r = raw_syscall(SYS_read, outcome, &byte, 1);
	} while (r < 0 && errno == EINTR);
	if (r == 0)
		keep(e);
	process_leave();
}

void process_exec_begin(struct process_exec *x, int dirfd, const char *path)
{
	struct engine *e = atomic_load(&eng_current);
	int ends[2], err = errno;
	struct process_fds fds;
	bool made, is_keeper;

	x->pipe = -1;
	if (has_handed_over)
		return;
	if (path && *path && faccessat(dirfd, path, X_OK, AT_EACCESS))
		goto out;
	bridge_before_exec();
	if (!e || process_is_vfork_child() || raw_syscall(SYS_pipe2, ends, O_CLOEXEC) < 0)
		goto out;
	signal_hold();
	list_engines(e, &fds);
	engine_fork_prepare(e);
	alloc_fork_prepare();
	is_keeper = process_spawn(&made);
	alloc_fork_done();
	if (is_keeper)
		keep_after_exec(e, ends[0], &fds);
	process_free_own_fds(&fds);
	raw_syscall(SYS_close, ends[0]);
	if (made) {
		x->pipe = ends[1];
	} else {
		raw_syscall(SYS_close, ends[1]);
		engine_fork_done(e);
		signal_release();
	}
out:
	errno = err;
}

void process_exec_failed(struct process_exec *x)
{
	int err = errno;

	if (x->pipe < 0)
		return;
	if (raw_syscall(SYS_write, x->pipe, "", 1) < 0)
		errno = 0;
	raw_syscall(SYS_close, x->pipe);
	engine_fork_done(atomic_load(&eng_current));
	signal_release();
	errno = err;
}

/* ---- once ---- */

static _Atomic int *map_mark(void)
{
	static _Atomic int fallback = 1;
	void *m = mmap(NULL, sizeof(int), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (m == MAP_FAILED || madvise(m, sizeof(int), MADV_WIPEONFORK) < 0)
		return &fallback;
	*(_Atomic int *)m = 1;
	return m;
}

void process_attach(struct engine *e, bool stats)
{
	static bool is_registered;

	attached_pid = getpid();
	netns_attached();
	wants_stats = stats;
	find_lowest(e);
	if (is_registered)
		return;
	is_registered = true;
	mark = map_mark();
	open_last();
	pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}
