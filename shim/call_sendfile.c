/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * call_sendfile.c - sendfile() from a file to a socket, by way of a buffer.
 */
#include "call.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "user.h"

#define CHUNK 32768

/* Reads only at offsets, so what isn't sent stays in the file.  What has none can't be read with one (ESPIPE), or
 * at all (EINVAL), as a directory. */
static ssize_t read_at(int in, char *buf, size_t len, off_t at, bool has_offset)
{
	ssize_t n = pread(in, buf, len, at);

	if (n >= 0)
		return n;
	return (errno == ESPIPE && !has_offset) || errno == EISDIR ? -EINVAL : -errno;
}

static ssize_t copy(struct sock *s, int in, off_t at, size_t count, bool has_offset)
{
	char buf[CHUNK];
	size_t done = 0;
	ssize_t n = 0, r = 0;

	while (done < count) {
		n = r = read_at(in, buf, MIN(count - done, sizeof(buf)), at + (off_t)done, has_offset);
		if (n <= 0)
			break;
		r = call_send(s, &(struct iovec){ buf, (size_t)n }, 1, done ? CALL_IS_PART : 0);
		if (r < 0)
			break;
		done += (size_t)r;
		if (r < n)
			break;
	}
	return done ? (ssize_t)done : MIN(r, 0);
}

ssize_t call_sendfile(struct sock *s, int in, off_t *offset, size_t count)
{
	off_t at;
	ssize_t r;

	if (offset && (!user_get(&at, offset, sizeof(at)) || !user_can_write(offset, sizeof(at))))
		return -EFAULT;
	if (!offset)
		at = lseek(in, 0, SEEK_CUR);
	if (at < 0)
		return !offset && errno == EBADF ? -EBADF : -EINVAL;
	r = copy(s, in, at, MIN(count, CALL_RW_MAX), offset != NULL);
	if (r <= 0)
		return r;
	at += r;
	if (offset)
		memcpy(offset, &at, sizeof(at));
	else
		lseek(in, at, SEEK_SET);
	return r;
}
