/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stream.h - stdio over our sockets.
 */
#ifndef XTCP_STREAM_H
#define XTCP_STREAM_H

#include <stdarg.h>
#include <stdio.h>

/* fdopen() on an fd that is ours; NULL and errno. */
FILE *stream_open(int fd, const char *mode);
/* Before freopen(), which makes an ordinary stream of it under the same number. */
void stream_prepare_reopen(FILE *f);
/* vdprintf() on an fd that is ours; -1 and errno. */
int stream_print(int fd, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

#endif
