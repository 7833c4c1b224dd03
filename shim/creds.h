/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * creds.h - a program gives its privileges up.
 */
#ifndef XTCP_CREDS_H
#define XTCP_CREDS_H

#include <sys/resource.h>

/* Before a call after which this process may lack CAP_NET_RAW and CAP_NET_ADMIN, or find no /proc: what will be
 * needed of them later is done now.  errno stays. */
void creds_prepare(void);
/* Before a limit is set that may be so low for good that the program and the engine haven't room beside each other: the
 * engine's descriptors are above it then.  errno stays. */
void creds_before_limit(int resource, rlim64_t hard);

#endif
