/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * interpose_ring.c - the wrappers of the calls by which liburing makes a ring, and submits what is in it; libc's syscall() has
 * the other way (interpose_sys.c).
 */
#include "interpose.h"

#include <dlfcn.h>
#include <stdatomic.h>

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

/* liburing's own, found once. */
#define NEXT(name, ...)                                                     \
	__extension__({                                                     \
		static _Atomic(void *) found_;                              \
		__typeof__(name) *next_ = (__typeof__(name) *)atomic_load(&found_); \
		if (!next_) {                                               \
			next_ = (__typeof__(name) *)find(#name);            \
			atomic_store(&found_, (void *)next_);               \
		}                                                           \
		next_ ? next_(__VA_ARGS__) : -ENOSYS;                       \
	})

static int made(int r)
{
	if (r >= 0)
		ring_opened();
	return r;
}

EXPORT int io_uring_setup(unsigned entries, struct io_uring_params *p)
{
	return made(NEXT(io_uring_setup, entries, p));
}

EXPORT int io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags)
{
	return made(NEXT(io_uring_queue_init, entries, ring, flags));
}

EXPORT int io_uring_queue_init_params(unsigned entries, struct io_uring *ring, struct io_uring_params *p)
{
	return made(NEXT(io_uring_queue_init_params, entries, ring, p));
}

EXPORT int io_uring_queue_init_mem(unsigned entries, struct io_uring *ring, struct io_uring_params *p, void *mem,
				   size_t len)
{
	return made(NEXT(io_uring_queue_init_mem, entries, ring, p, mem, len));
}

EXPORT int io_uring_submit(struct io_uring *ring)
{
	ring_submits(ring);
	return NEXT(io_uring_submit, ring);
}

EXPORT int io_uring_submit_and_wait(struct io_uring *ring, unsigned n)
{
	ring_submits(ring);
	return NEXT(io_uring_submit_and_wait, ring, n);
}

EXPORT int io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **cqe, unsigned n,
					    struct __kernel_timespec *ts, sigset_t *mask)
{
	ring_submits(ring);
	return NEXT(io_uring_submit_and_wait_timeout, ring, cqe, n, ts, mask);
}

EXPORT int io_uring_submit_and_get_events(struct io_uring *ring)
{
	ring_submits(ring);
	return NEXT(io_uring_submit_and_get_events, ring);
}
