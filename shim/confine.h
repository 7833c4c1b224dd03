/* SPDX-License-Identifier: BSD-2-Clause */
/* confine.h - a program that confines itself to some system calls (seccomp(2)). */
#ifndef XTCP_CONFINE_H
#define XTCP_CONFINE_H

#include <stdbool.h>

struct sock_fprog;

/* Does the filter (of the program's memory) let the engine's system calls pass (confine.c)? */
bool confine_suits(const struct sock_fprog *filter);
/* Before the calling thread gets this filter, NULL for the mode of four calls: an engine that couldn't work under it goes on in
 * another process, and the sockets are bridged.  errno stays. */
void confine_prepare(const struct sock_fprog *filter);
/* Before seccomp(op, ..., args). */
void confine_before_seccomp(unsigned op, const void *args);

#endif
