/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * interpose_ring.c - the wrappers of the calls by which liburing makes a ring; libc's syscall() has the other way
 * (interpose_sys.c).
 */
#include "interpose.h"

#include <dlfcn.h>

#include "real.h"
#include "ring.h"

/* Where the program has the library in a scope of its own, the loader doesn't find it behind us. */
static void *find(const char *name)
{
	static const char *const libs[] = { "liburing.so.2", "liburing-ffi.so.2", "liburing.so.1" };
	void *f = dlsym(RTLD_NEXT, name), *lib;
	size_t i;

	for (i = 0; !f && i < sizeof(libs) / sizeof(*libs); i++) {
		lib = dlopen(libs[i], RTLD_LAZY | RTLD_NOLOAD);
		if (lib) {
			f = dlsym(lib, name);
			dlclose(lib);
		}
	}
	return f;
}

#define NEXT(name, ...)                                                     \
	__extension__({                                                     \
		__typeof__(name) *next_ = (__typeof__(name) *)find(#name);  \
		int r_ = next_ ? next_(__VA_ARGS__) : -ENOSYS;              \
		if (r_ >= 0)                                                \
			ring_opened();                                      \
		r_;                                                         \
	})

EXPORT int io_uring_setup(unsigned entries, struct io_uring_params *p)
{
	return NEXT(io_uring_setup, entries, p);
}

EXPORT int io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags)
{
	return NEXT(io_uring_queue_init, entries, ring, flags);
}

EXPORT int io_uring_queue_init_params(unsigned entries, struct io_uring *ring, struct io_uring_params *p)
{
	return NEXT(io_uring_queue_init_params, entries, ring, p);
}

EXPORT int io_uring_queue_init_mem(unsigned entries, struct io_uring *ring, struct io_uring_params *p, void *mem,
				   size_t len)
{
	return NEXT(io_uring_queue_init_mem, entries, ring, p, mem, len);
}
