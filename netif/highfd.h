/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * highfd.h - keeps the library's own fds out of the program's way: high numbers, so
 * that the program gets the low ones that it expects and select() users those below
 * FD_SETSIZE, and close-on-exec.
 */
#ifndef XTCP_HIGHFD_H
#define XTCP_HIGHFD_H

#include <stdbool.h>
#include <sys/resource.h>

/* Moves fd up, where there is room: the new number; fd itself when there is none.  A negative
 * fd stays as it is. */
int highfd_raise(int fd);

/* A copy of fd there: its number or -errno. */
int highfd_dup(int fd);

/* Around the making of fds of ours where the program's limit leaves none, or few: meanwhile the soft limit is raised, to the
 * hard one or, where the process may (CAP_SYS_RESOURCE), beyond.  Fds above a limit stay, so a program that asks sees its own
 * and gets as many as it allows.  False: it can't be raised, there is nothing to end.  One thread at a time. */
bool highfd_begin(struct rlimit *old);
void highfd_end(const struct rlimit *old);

/* Does the program allow itself so few that ours would be missed? */
bool highfd_is_scarce(void);

#endif
