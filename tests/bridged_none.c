/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bridged_none.c - the part of engine.h that asks about bridged sockets, for an engine whose sockets
 * can't be told from files once they are bridged.
 */
#include <errno.h>

#include "engine.h"

int engine_bridged(int fd, struct engine_bridged *b)
{
	(void)fd;
	(void)b;
	return -ENOTSOCK;
}

int engine_bridged_accept(int fd, int flags, struct engine_bridged *b)
{
	(void)fd;
	(void)flags;
	(void)b;
	return -EINVAL;
}

int engine_bridged_setopt(const struct engine_bridged *b, int level, int name, const void *val, socklen_t len)
{
	(void)b;
	(void)level;
	(void)name;
	(void)val;
	(void)len;
	return -ENOTSOCK;
}

int engine_bridged_getopt(const struct engine_bridged *b, int level, int name, void *val, socklen_t *len)
{
	(void)b;
	(void)level;
	(void)name;
	(void)val;
	(void)len;
	return -ENOTSOCK;
}
