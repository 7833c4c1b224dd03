/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * highfd.h - keeps the library's own fds out of the program's way: high numbers, so
 * that the program gets the low ones that it expects and select() users those below
 * FD_SETSIZE, and close-on-exec.
 */
#ifndef XTCP_HIGHFD_H
#define XTCP_HIGHFD_H

/* Moves fd up, where there is room: the new number; fd itself when there is none.  A negative
 * fd stays as it is. */
int highfd_raise(int fd);

/* A copy of fd there: its number or -errno. */
int highfd_dup(int fd);

#endif
