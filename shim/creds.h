/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * creds.h - a program gives its privileges up.
 */
#ifndef XTCP_CREDS_H
#define XTCP_CREDS_H

/* Before a call after which this process may lack CAP_NET_RAW and CAP_NET_ADMIN, or find no /proc: what will be
 * needed of them later is done now.  errno stays. */
void creds_prepare(void);

#endif
