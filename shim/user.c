/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * user.c - see user.h.
 */
#include "user.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

#include "rawcall.h"
#include "signal.h"

/* 1, or 0 from user_bad, where a fault between the two labels goes on. */
int user_load(const void *p);
int user_store(void *p);
extern const char user_code[], user_code_end[], user_bad[];

#if defined(__x86_64__)
__asm__(".text\n"
	".hidden user_load\n.globl user_load\n.type user_load, @function\n"
	".hidden user_store\n.globl user_store\n.type user_store, @function\n"
	".hidden user_code\n.globl user_code\n"
	".hidden user_code_end\n.globl user_code_end\n"
	".hidden user_bad\n.globl user_bad\n"
	"user_code:\n"
	"user_load:\n"
	"	movb (%rdi), %al\n"
	"	movl $1, %eax\n"
	"	ret\n"
	"user_store:\n"
	"	lock orb $0, (%rdi)\n"
	"	movl $1, %eax\n"
	"	ret\n"
	"user_code_end:\n"
	"user_bad:\n"
	"	xorl %eax, %eax\n"
	"	ret\n"
	".size user_load, user_store - user_load\n"
	".size user_store, user_code_end - user_store\n");
#elif defined(__aarch64__)
__asm__(".text\n"
	".hidden user_load\n.globl user_load\n.type user_load, %function\n"
	".hidden user_store\n.globl user_store\n.type user_store, %function\n"
	".hidden user_code\n.globl user_code\n"
	".hidden user_code_end\n.globl user_code_end\n"
	".hidden user_bad\n.globl user_bad\n"
	"user_code:\n"
	"user_load:\n"
	"	ldrb w1, [x0]\n"
	"	mov w0, #1\n"
	"	ret\n"
	"user_store:\n"
	"	ldxrb w1, [x0]\n"
	"	stxrb w2, w1, [x0]\n"
	"	cbnz w2, user_store\n"
	"	mov w0, #1\n"
	"	ret\n"
	"user_code_end:\n"
	"user_bad:\n"
	"	mov w0, #0\n"
	"	ret\n"
	".size user_load, user_store - user_load\n"
	".size user_store, user_code_end - user_store\n");
#else
#error "how memory is touched here isn't known"
#endif

bool user_mend(void *context)
{
	ucontext_t *uc = context;
#if defined(__x86_64__)
	greg_t *pc = &uc->uc_mcontext.gregs[REG_RIP];
#else
	unsigned long long *pc = &uc->uc_mcontext.pc;
#endif

	if ((uintptr_t)*pc < (uintptr_t)user_code || (uintptr_t)*pc >= (uintptr_t)user_code_end)
		return false;
	*pc = (__typeof__(*pc))(uintptr_t)user_bad;
	return true;
}

bool user_can_read(const void *p, size_t n)
{
	if (!n)
		return true;
	if (!user_is_range(p, n))
		return false;
	return !signal_is_attached() || (user_load(p) && user_load((const char *)p + n - 1));
}

bool user_can_write(void *p, size_t n)
{
	if (!n)
		return true;
	if (!user_is_range(p, n))
		return false;
	return !signal_is_attached() || (user_store(p) && user_store((char *)p + n - 1));
}

/* The kernel copies, and knows. */
static bool get_by_kernel(void *to, const void *from, size_t n)
{
	struct iovec here = { to, n }, there = { (void *)(uintptr_t)from, n };
	int err = errno;
	bool is_bad = raw_syscall(SYS_process_vm_readv, getpid(), &here, 1, &there, 1, 0) < 0 && errno == EFAULT;

	errno = err;
	if (!is_bad)
		memcpy(to, from, n);
	return !is_bad;
}

bool user_get(void *to, const void *from, size_t n)
{
	if (!user_is_range(from, n))
		return false;
	if (!signal_is_attached())
		return get_by_kernel(to, from, n);
	if (!user_can_read(from, n))
		return false;
	memcpy(to, from, n);
	return true;
}
