/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stream.c - libc's FILE reads and writes by libc's own internal calls, which no
 * preloaded library sees.  So a FILE over a socket of ours is a stream with
 * functions of its own (fopencookie).
 */
#include "stream.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bridge.h"

/* The wrappers, so that each call looks the fd up as it then is. */
static ssize_t stream_read(void *cookie, char *buf, size_t len)
{
	return read((int)(intptr_t)cookie, buf, len);
}

/* All of it, as stdio's own writer; 0 is its word for an error. */
static ssize_t stream_write(void *cookie, const char *buf, size_t len)
{
	size_t done = 0;
	ssize_t r;

	while (done < len) {
		r = write((int)(intptr_t)cookie, buf + done, len - done);
		if (r < 0)
			break;
		done += (size_t)r;
	}
	return (ssize_t)done;
}

static int stream_seek(void *cookie, off64_t *at, int whence)
{
	(void)cookie;
	(void)at;
	(void)whence;
	errno = ESPIPE;
	return -1;
}

static int stream_close(void *cookie)
{
	return close((int)(intptr_t)cookie);
}

FILE *stream_open(int fd, const char *mode)
{
	static const cookie_io_functions_t functions = {
		.read = stream_read,
		.write = stream_write,
		.seek = stream_seek,
		.close = stream_close,
	};

	FILE *f;

	if (!strchr("rwa", mode[0])) {
		errno = EINVAL;
		return NULL;
	}
	f = fopencookie((void *)(intptr_t)fd, mode, functions);
	if (f)
		f->_fileno = fd;         /* for fileno() alone: such a stream's calls don't look at it */
	return f;
}

/* A stream of fopencookie() is a byte stream for good: its wide part is no address, but freopen() would use it. */
void stream_prepare_reopen(FILE *f)
{
	if (f->_wide_data != (struct _IO_wide_data *)-1L)
		return;
	f->_wide_data = NULL;
	bridge_fd(f->_fileno);
}

int stream_print(int fd, const char *fmt, va_list ap)
{
	char *text;
	int n = vasprintf(&text, fmt, ap), done = 0;
	ssize_t r;

	if (n < 0)
		return -1;
	while (done < n) {
		r = write(fd, text + done, (size_t)(n - done));
		if (r < 0)
			break;
		done += (int)r;
	}
	free(text);
	return done < n ? -1 : n;
}
