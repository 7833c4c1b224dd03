/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * user.h - pointers of the program, which may lead nowhere: the kernel says EFAULT, and so do we.
 *
 * A byte is touched by an instruction whose fault the SIGSEGV trampoline (signal.c) knows.  Only the first and the last
 * byte are: what is larger than a page and has a hole faults as any memcpy() does.
 */
#ifndef XTCP_USER_H
#define XTCP_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The kernel's half of the address space begins here; what is above bit 55 may be an arm64 pointer's tag. */
#define USER_END (1ULL << 55)

/* access_ok(): may there be memory of a program at all? */
static inline bool user_is_range(const void *p, size_t n)
{
	uint64_t from = (uintptr_t)p & (USER_END * 2 - 1);

	return n < USER_END && from + n <= USER_END;
}

/* True of no bytes.  Before signal_attach() only a range is looked at. */
bool user_can_read(const void *p, size_t n);
/* Without a change to what is there, also to what other threads do there. */
bool user_can_write(void *p, size_t n);
/* A copy of a small thing of the program's, also before signal_attach(). */
bool user_get(void *to, const void *from, size_t n);

/* Of a signal mask: the kernel's is smaller than libc's; NULL is none. */
static inline bool user_has_mask(const void *mask)
{
	return !mask || user_can_read(mask, sizeof(uint64_t));
}

/* In the handler of a fault: was it one of these?  Then it is dealt with.  The argument is its ucontext_t. */
bool user_mend(void *context);

#endif
