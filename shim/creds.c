/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * creds.c - a program gives its privileges up.
 *
 * A daemon that starts as root often becomes another user before its first socket.  The packet socket can't be
 * opened any more then, so it is opened before; and where the kernel's address is shared, ports that are
 * taken later need CAP_NET_ADMIN, which a broker keeps for it: a copy of the process with the
 * guard alone (netif/guard_broker.c), which ends with the last process that can ask.
 *
 * A program that has few descriptors from some moment on, and can't have more again, has the engine's before.
 */
#include "creds.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "alloc.h"
#include "eng.h"
#include "init.h"
#include "policy.h"
#include "process.h"
#include "rawcall.h"
#include "signal.h"

#define NOBODY 65534
#define FEW_MIN 16                /* who allows itself less means to open nothing */

/* ---- the broker ---- */

/* Nobody, with one capability.  Where there is no such user here, what the capabilities gave is gone all
 * the same. */
static void be_nobody(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3] = { { 0, 0, 0 } };

	prctl(PR_SET_KEEPCAPS, 1);
	raw_syscall(SYS_setgroups, 0, NULL);
	raw_syscall(SYS_setresgid, NOBODY, NOBODY, NOBODY);
	raw_syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY);
	d[0].effective = d[0].permitted = 1u << CAP_NET_ADMIN;
	raw_syscall(SYS_capset, &h, d);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_DUMPABLE, 0);
}

static _Noreturn void be_broker(struct engine *e, int end)
{
	unsigned n = engine_broker_fds(e, NULL, 0);
	struct process_fds fds = { .v = malloc((n + 1) * sizeof(*fds.v)), .n = n + 1 };

	if (fds.v) {
		engine_broker_fds(e, fds.v, n);
		fds.v[n] = end;
		process_become("xtcp-broker", &fds);
		be_nobody();
		engine_broker_serve(e, end);
	}
	process_leave();
}

static void delegate(struct engine *e)
{
	int ends[2];
	bool made;

	signal_hold();
	engine_fork_prepare(e);
	engine_use_caps(e);
	if (engine_needs_broker(e) && !engine_broker_pair(ends)) {
		alloc_fork_prepare();
		if (process_spawn(&made)) {
			alloc_fork_done();
			be_broker(e, ends[1]);
		}
		alloc_fork_done();
		raw_close(ends[1]);
		if (made)
			engine_broker_use(e, ends[0]);
		else
			raw_close(ends[0]);
	}
	engine_fork_done(e);
	signal_release();
}

/* ---- */

void creds_prepare(void)
{
	int err = errno;
	struct engine *e;

	if (init_is_inside() || process_is_vfork_child() || !policy_takes(AF_INET, SOCK_STREAM, 0) ||
	    !eng_has_cap(CAP_NET_RAW))
		return;
	init_attach_early();
	e = atomic_load(&eng_current);
	if (e && eng_has_cap(CAP_NET_ADMIN))
		delegate(e);
	errno = err;
}

void creds_before_limit(int resource, rlim64_t hard)
{
	int err = errno;

	if (resource == RLIMIT_NOFILE && hard >= FEW_MIN && hard < FD_SETSIZE && !init_is_inside() &&
	    !process_is_vfork_child() && policy_takes(AF_INET, SOCK_STREAM, 0))
		init_attach_early();
	errno = err;
}
