/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * interpose_spawn.c - the wrappers of what makes a child that libc's fork handlers don't see: it runs in our
 * memory, or none of ours, and goes on to exec; or in a copy, as that of fork(), and is treated like it.
 *
 * Sockets that a program may be given are bridged before: what is done with their numbers, by dup2() in a
 * child of vfork() or by a spawn action, is then the kernel's business.
 */
#include "interpose.h"

#include <sched.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "netns.h"
#include "process.h"
#include "real.h"
#include "shared.h"

void *interpose_before_vfork(void);

/* A child of vfork() may use every number: its parent stands still, and what it does first is often dup2(). */
__attribute__((used)) void *interpose_before_vfork(void)
{
	process_lend_memory();
	if (!process_is_vfork_child() && !shared_begin())
		bridge_all();
	return (void *)REAL(vfork);
}

/* vfork() returns twice to the same place on the stack, so nothing of ours may be on it: the real one is jumped
 * to, and returns to our caller. */
#if defined(__x86_64__)
__asm__(".text\n"
	".globl vfork\n"
	".type vfork, @function\n"
	"vfork:\n"
	"	.cfi_startproc\n"
	"	endbr64\n"
	"	subq $8, %rsp\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	call interpose_before_vfork\n"
	"	addq $8, %rsp\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	jmp *%rax\n"
	"	.cfi_endproc\n"
	".size vfork, .-vfork\n"
	".globl __vfork\n.set __vfork, vfork\n");
#elif defined(__aarch64__)
__asm__(".text\n"
	".globl vfork\n"
	".type vfork, %function\n"
	"vfork:\n"
	"	.cfi_startproc\n"
	"	stp x29, x30, [sp, #-16]!\n"
	"	.cfi_adjust_cfa_offset 16\n"
	"	.cfi_rel_offset x30, 8\n"
	"	bl interpose_before_vfork\n"
	"	ldp x29, x30, [sp], #16\n"
	"	.cfi_adjust_cfa_offset -16\n"
	"	.cfi_restore x30\n"
	"	br x0\n"
	"	.cfi_endproc\n"
	".size vfork, .-vfork\n"
	".globl __vfork\n.set __vfork, vfork\n");
#else
#error "how vfork() is passed on here isn't known"
#endif

/* ---- a copy of our memory ---- */

EXPORT pid_t _Fork(void)
{
	bool is_ours = process_clone_begin(0);
	pid_t pid = REAL(_Fork)();

	if (is_ours)
		process_clone_end(pid);
	return pid;
}

struct start {
	int (*fn)(void *);
	void *arg;
};

/* Libc would end the thread alone, and the process has one of the engine's once the child has sockets. */
static int child_starts(void *arg)
{
	struct start *s = arg;

	process_clone_end(0);
	_exit(s->fn(s->arg));
}

/* One that has our memory is taken for a child of vfork(), unless it has our fds as well, as a thread has. */
EXPORT int clone(int (*fn)(void *), void *stack, int flags, void *arg, ...)
{
	struct start s = { fn, arg };
	void *parent_tid, *tls, *child_tid;
	bool is_ours = fn && stack && process_clone_begin((unsigned)flags);
	va_list ap;
	int pid;

	va_start(ap, arg);
	parent_tid = va_arg(ap, void *);
	tls = va_arg(ap, void *);
	child_tid = va_arg(ap, void *);
	va_end(ap);
	if (flags & CLONE_VM && flags & CLONE_NEWNET)
		netns_keep_way();
	if (flags & CLONE_VM && !(flags & CLONE_FILES))
		interpose_before_vfork();
	pid = REAL(clone)(is_ours ? child_starts : fn, stack, flags, is_ours ? &s : arg, parent_tid, tls, child_tid);
	if (is_ours)
		process_clone_end(pid);
	return pid;
}

EXPORT_ALIAS(__clone, clone);

/* ---- a program ---- */

/* Also those that a spawn action names, at the time when it is made. */
EXPORT int posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *actions, int fd, int to)
{
	bridge_fd(fd);
	return REAL(posix_spawn_file_actions_adddup2)(actions, fd, to);
}

EXPORT int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
		       const posix_spawnattr_t *attr, char *const argv[], char *const envp[])
{
	bridge_inherited();
	return REAL(posix_spawn)(pid, path, actions, attr, argv, envp);
}

EXPORT int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
			const posix_spawnattr_t *attr, char *const argv[], char *const envp[])
{
	bridge_inherited();
	return REAL(posix_spawnp)(pid, file, actions, attr, argv, envp);
}

EXPORT int system(const char *command)
{
	if (command)
		bridge_inherited();
	return REAL(system)(command);
}

EXPORT FILE *popen(const char *command, const char *mode)
{
	bridge_inherited();
	return REAL(popen)(command, mode);
}

EXPORT_ALIAS(_IO_popen, popen);
