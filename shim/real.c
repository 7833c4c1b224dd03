/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * real.c - looks up libc's own functions.
 */
#include "real.h"

#include <dlfcn.h>
#include <errno.h>

_Atomic(void *) real_table[REAL_COUNT];

static const char *const names[REAL_COUNT] = {
#define SYMBOL(name) [REAL_##name] = #name,
#include "symbols.def"
#undef SYMBOL
};

static long absent(void)
{
	errno = ENOSYS;
	return -1;
}

const char *real_name(enum real_id id)
{
	return names[id];
}

void *real_find(enum real_id id)
{
	int err = errno;
	void *f = dlsym(RTLD_NEXT, names[id]);

	if (!f)
		f = (void *)absent;
	atomic_store_explicit(&real_table[id], f, memory_order_relaxed);
	errno = err;
	return f;
}
