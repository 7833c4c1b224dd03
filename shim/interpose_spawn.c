/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * interpose_spawn.c - the wrappers of what makes a child that libc's fork handlers don't see: it runs in our
 * memory, or none of ours, and goes on to exec.
 *
 * Sockets that it may be given are bridged before, as for fork(): what it does with their numbers, by dup2() in a
 * child of vfork() or by a spawn action, is then the kernel's business.
 */
#include "interpose.h"

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>

#include "process.h"
#include "real.h"
#include "shared.h"

void *interpose_before_vfork(void);

/* A child of vfork() may use every number: its parent stands still, and what it does first is often dup2(). */
__attribute__((used)) void *interpose_before_vfork(void)
{
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
