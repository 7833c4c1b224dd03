/* SPDX-License-Identifier: BSD-2-Clause */
/* confine.h - a program that confines itself to some system calls (seccomp(2)). */
#ifndef XTCP_CONFINE_H
#define XTCP_CONFINE_H

/* Before seccomp(op, ..., args), or prctl(PR_SET_SECCOMP) that means it: an engine that couldn't work in the calling thread
 * afterwards goes on in another process, and the sockets are bridged.  errno stays. */
void confine_before_seccomp(unsigned op, const void *args);

#endif
