/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * interpose_aio.c - the wrappers of asynchronous I/O: libc does it in threads of its own, by calls that no preloaded
 * library sees, so the sockets are bridged.
 */
#include "interpose.h"

#include <aio.h>
#include <unistd.h>

#include "real.h"
#include "user.h"

static void bridge_block(const struct aiocb *cb)
{
	struct aiocb copy;

	if (user_get(&copy, cb, sizeof(copy)))
		bridge_fd(copy.aio_fildes);
}

static void bridge_list(struct aiocb *const *list, int n)
{
	struct aiocb *cb;
	int i;

	for (i = 0; i < n && user_get(&cb, &list[i], sizeof(cb)); i++) {
		if (cb)
			bridge_block(cb);
	}
}

EXPORT int aio_read(struct aiocb *cb)
{
	bridge_block(cb);
	return REAL(aio_read)(cb);
}

EXPORT int aio_write(struct aiocb *cb)
{
	bridge_block(cb);
	return REAL(aio_write)(cb);
}

EXPORT int lio_listio(int mode, struct aiocb *const list[restrict], int n, struct sigevent *restrict ev)
{
	bridge_list(list, n);
	return REAL(lio_listio)(mode, list, n, ev);
}

/* Where off_t has 64 bits both are one. */
_Static_assert(sizeof(struct aiocb) == sizeof(struct aiocb64), "aiocb64 has a layout of its own");

EXPORT int aio_read64(struct aiocb64 *cb)
{
	return aio_read((struct aiocb *)cb);
}

EXPORT int aio_write64(struct aiocb64 *cb)
{
	return aio_write((struct aiocb *)cb);
}

EXPORT int lio_listio64(int mode, struct aiocb64 *const list[restrict], int n, struct sigevent *restrict ev)
{
	return lio_listio(mode, (struct aiocb *const *)list, n, ev);
}
