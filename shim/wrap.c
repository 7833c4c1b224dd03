/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wrap.c - what the linker puts in the place of malloc() and the others in libxtcp.so
 * (--wrap, local.mk).  A sanitizer's own heap is left in place.
 */
#include "alloc.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
void __real_free(void *p);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t size);
void __wrap_free(void *p);

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED true
#else
#define IS_SANITIZED false
#endif

void *__wrap_malloc(size_t size)
{
	return IS_SANITIZED ? __real_malloc(size) : alloc_get(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return IS_SANITIZED ? __real_calloc(count, size) : alloc_zeroed(count, size);
}

/* Libc, too, hands out what we resize and free: the text of vasprintf(). */
void *__wrap_realloc(void *p, size_t size)
{
	return IS_SANITIZED || (p && !alloc_owns(p)) ? __real_realloc(p, size) : alloc_resized(p, size);
}

void __wrap_free(void *p)
{
	if (IS_SANITIZED || (p && !alloc_owns(p)))
		__real_free(p);
	else
		alloc_give(p);
}
