/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netns.c - see netns.h.
 *
 * The names by which engines are asked are a namespace's (engine_ask.c), so before it is left a socket is made there, once, to ask
 * by.  A program that is executed in the other namespace has none.
 *
 * Sockets that the engine makes, to claim a port or for a listener's kernel part, are of the namespace of the thread that
 * calls it.  So all of a process's sockets are bridged before one of its threads leaves: then it is the engine's own thread that calls.
 */
#include "netns.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/socket.h>

#include "bridge.h"
#include "eng.h"
#include "fdtab.h"
#include "log.h"
#include "process.h"
#include "ready.h"
#include "real.h"

#define WAYS_MAX 16

static uint64_t kept[WAYS_MAX];     /* cookies of namespaces; guarded by the lock of bridging */
static unsigned nkept;
static atomic_bool has_left;
static _Atomic uint64_t engines;    /* the engine's, once somebody has left; 0: none */

/* 0: the kernel doesn't say (before 5.14). */
static uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	return REAL(getsockopt)(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len) < 0 ? 0 : cookie;
}

static int open_way(void)
{
	return REAL(socket)(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static uint64_t here(void)
{
	int fd = open_way();
	uint64_t cookie = fd < 0 ? 0 : cookie_of(fd);

	if (fd >= 0)
		REAL(close)(fd);
	return cookie;
}

static bool is_kept(uint64_t cookie)
{
	unsigned i;

	for (i = 0; i < nkept && kept[i] != cookie; i++)
		;
	return i < nkept;
}

/* With the lock; fd is consumed. */
static bool keep(int fd)
{
	uint64_t cookie = cookie_of(fd);

	if (is_kept(cookie)) {
		REAL(close)(fd);
		return true;
	}
	fd = ready_raise_fd(fd);
	if (nkept < WAYS_MAX && engine_ask_by(fd)) {
		kept[nkept++] = cookie;
		return true;
	}
	fdtab_unmark_internal(fd);
	REAL(close)(fd);
	return false;
}

bool netns_keep_way(void)
{
	int err = errno, fd = process_is_vfork_child() ? -1 : open_way();
	bool is = false;

	if (fd >= 0) {
		bridge_lock();
		is = keep(fd);
		bridge_unlock();
	}
	errno = err;
	return is;
}

void netns_leave(void)
{
	int err = errno;

	if (process_is_vfork_child())
		return;
	if (!netns_keep_way())
		log_event(LOG_WARNING, "sockets of this network namespace can't be asked about from another one: %m");
	if (atomic_load(&eng_current) && !atomic_load(&engines))
		atomic_store(&engines, here());
	bridge_all();
	atomic_store(&has_left, true);
	errno = err;
}

bool netns_is_elsewhere(void)
{
	int err = errno;
	bool is;

	if (!atomic_load_explicit(&has_left, memory_order_relaxed) || !atomic_load(&eng_current))
		return false;
	is = here() != atomic_load(&engines);
	errno = err;
	if (is)
		log_once(LOG_WARNING, "sockets of another network namespace than the first one's are the kernel's");
	return is;
}

void netns_attached(void)
{
	if (atomic_load(&has_left))
		atomic_store(&engines, here());
}

void netns_forked(void)
{
	atomic_store(&engines, 0);
}
