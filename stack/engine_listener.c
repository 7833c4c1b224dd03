/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_listener.c - a listener that accept() works on without us.
 *
 * The program's end is a listening AF_UNIX socket under the name of the listener.  For each connection that TCP
 * has accepted the engine connects another socket to it, whose name is the connection's (engine_bridge.c): what the
 * kernel's accept4() gives, whoever calls it and by what way, is the program's end of a bridged connection.
 *
 * Nobody tells us when the last user of such a socket closes it.  So it is looked at now and then: its name can be had
 * when it has gone.
 */
#include "engine_impl.h"

#include <errno.h>

#include "sys.h"

#define LOOK_MIN XTIME_MSEC
#define LOOK_MAX (100 * XTIME_MSEC)
#define RETRY (5 * XTIME_MSEC)    /* when its queue was full */

/* ---- the sockets ---- */

static int open_named(const struct engine_bridged *id, int flags)
{
	int fd = highfd_raise(raw_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0)), r;
	struct sockaddr_un a;
	socklen_t len;

	if (fd < 0)
		return fd;
	engine_bridged_name(id, &a, &len);
	r = raw_bind(fd, &a, len);
	if (!r)
		return fd;
	raw_close(fd);
	return r;
}

int engine_listener_open(const struct engine_bridged *id, int backlog)
{
	int fd = open_named(id, 0), r;

	if (fd < 0)
		return fd;
	r = raw_listen(fd, backlog);
	if (!r)
		return fd;
	raw_close(fd);
	return r;
}

int engine_listener_client(const struct engine_bridged *id)
{
	return open_named(id, SOCK_NONBLOCK);
}

int engine_listener_offer(const struct engine_bridged *id, int fd)
{
	struct sockaddr_un a;
	socklen_t len;

	engine_bridged_name(id, &a, &len);
	return raw_connect(fd, &a, len);
}

bool engine_listener_has_gone(const struct engine_bridged *id)
{
	int fd = open_named(id, 0);

	if (fd >= 0)
		raw_close(fd);
	return fd >= 0;
}

/* ---- when to look ---- */

void engine_listener_hurry(struct engine *e)
{
	e->listener_wait = LOOK_MIN;
	e->listener_at = e->now;
}

void engine_listener_retry(struct engine *e)
{
	e->listener_at = xtime_min(e->listener_at, e->now + RETRY);
}

void engine_listener_expire(struct engine *e)
{
	if (e->listener_at > e->now)
		return;
	e->listener_wait = xtime_min(2 * e->listener_wait, LOOK_MAX);
	e->listener_at = e->now + e->listener_wait;
	if (!engine_bridge_look(e))
		e->listener_at = XTIME_NEVER;
}
