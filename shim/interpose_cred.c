/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * interpose_cred.c - the wrappers of what may take the process's privileges away, or its view of /proc.
 */
#include "interpose.h"

#include <unistd.h>

#include "creds.h"
#include "real.h"

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
