/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * interpose_cred.c - the wrappers of what may take the process's privileges away, its view of /proc, its
 * descriptors or its system calls.
 */
#include "interpose.h"

#include <linux/seccomp.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "confine.h"
#include "creds.h"
#include "init.h"
#include "real.h"
#include "user.h"

/* -1 leaves an id as it is. */
static void prepare_for(uid_t uid)
{
	if (uid != 0 && uid != (uid_t)-1)
		creds_prepare();
}

EXPORT int setuid(uid_t uid)
{
	prepare_for(uid);
	return REAL(setuid)(uid);
}

EXPORT int seteuid(uid_t uid)
{
	prepare_for(uid);
	return REAL(seteuid)(uid);
}

EXPORT int setreuid(uid_t real, uid_t effective)
{
	prepare_for(effective);
	return REAL(setreuid)(real, effective);
}

EXPORT int setresuid(uid_t real, uid_t effective, uid_t saved)
{
	prepare_for(effective);
	return REAL(setresuid)(real, effective, saved);
}

EXPORT int capset(cap_user_header_t header, const cap_user_data_t data)
{
	creds_prepare();
	return REAL(capset)(header, data);
}

EXPORT int chroot(const char *path)
{
	creds_prepare();
	return REAL(chroot)(path);
}

/* ThreadSanitizer's run-time sets limits before it is up, which it couldn't by calls that are instrumented. */
#ifndef __SANITIZE_THREAD__
static void prepare_for_limit(int resource, const struct rlimit *new)
{
	if (new && user_can_read(new, sizeof(*new)))
		creds_before_limit(resource, new->rlim_max);
}

static void prepare_for_limit64(int resource, const struct rlimit64 *new)
{
	if (new && user_can_read(new, sizeof(*new)))
		creds_before_limit(resource, new->rlim_max);
}

EXPORT int setrlimit(__rlimit_resource_t resource, const struct rlimit *new)
{
	prepare_for_limit((int)resource, new);
	return REAL(setrlimit)(resource, new);
}

EXPORT int setrlimit64(__rlimit_resource_t resource, const struct rlimit64 *new)
{
	prepare_for_limit64((int)resource, new);
	return REAL(setrlimit64)(resource, new);
}

EXPORT int prlimit(pid_t pid, __rlimit_resource_t resource, const struct rlimit *new, struct rlimit *old)
{
	prepare_for_limit((int)resource, new);
	return REAL(prlimit)(pid, resource, new, old);
}

EXPORT int prlimit64(pid_t pid, __rlimit_resource_t resource, const struct rlimit64 *new, struct rlimit64 *old)
{
	prepare_for_limit64((int)resource, new);
	return REAL(prlimit64)(pid, resource, new, old);
}
#endif

#ifdef __SANITIZE_THREAD__
void __tsan_init(void);
#endif

static __attribute__((noinline)) int call_prctl(int option, const unsigned long *a)
{
	if (option == PR_SET_SECCOMP && !init_is_inside()) {
		if (a[0] == SECCOMP_MODE_STRICT)
			confine_before_seccomp(SECCOMP_SET_MODE_STRICT, NULL);
		else if (a[0] == SECCOMP_MODE_FILTER)
			confine_before_seccomp(SECCOMP_SET_MODE_FILTER, (const void *)a[1]);
	}
	return REAL(prctl)(option, a[0], a[1], a[2], a[3]);
}

/* libcap's constructor calls it before ThreadSanitizer's run-time is up. */
__attribute__((no_sanitize("thread"))) EXPORT int prctl(int option, ...)
{
	unsigned long a[4];
	va_list ap;
	int i;

#ifdef __SANITIZE_THREAD__
	__tsan_init();
#endif
	va_start(ap, option);
	for (i = 0; i < 4; i++)
		a[i] = va_arg(ap, unsigned long);
	va_end(ap);
	return call_prctl(option, a);
}
