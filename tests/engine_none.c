/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_none.c - the parts of engine.h that ask about bridged sockets, for an engine whose sockets
 * can't be told from files once they are bridged, and about a broker and the kernel's part of listeners, for
 * one that shares no address, and about what a host sends to itself, for one that leaves that to the kernel.
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

int engine_bridged_setopt(int fd, const struct engine_bridged *b, int level, int name, const void *val, socklen_t len)
{
	(void)fd;
	(void)b;
	(void)level;
	(void)name;
	(void)val;
	(void)len;
	return -ENOTSOCK;
}

int engine_bridged_getopt(int fd, const struct engine_bridged *b, int level, int name, void *val, socklen_t *len)
{
	(void)fd;
	(void)b;
	(void)level;
	(void)name;
	(void)val;
	(void)len;
	return -ENOTSOCK;
}

int engine_identify(struct engine *e, engine_sock s, struct engine_bridged *id)
{
	(void)e;
	(void)s;
	(void)id;
	return -EOPNOTSUPP;
}

int engine_bridge_joined(struct engine *e, engine_sock s, bool is_v6, int far, int near)
{
	(void)e;
	(void)s;
	(void)is_v6;
	(void)far;
	(void)near;
	return -EOPNOTSUPP;
}

int engine_publish(struct engine *e, uint64_t *host)
{
	(void)e;
	*host = 0;
	return -EOPNOTSUPP;
}

int engine_bridge_foreign(uint64_t host, engine_sock s, int fd)
{
	(void)host;
	(void)s;
	(void)fd;
	return -EIO;
}

void engine_bridged_name(const struct engine_bridged *b, struct sockaddr_un *a, socklen_t *len)
{
	(void)b;
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	*len = sizeof(a->sun_family);
}

int engine_bridged_refresh(int fd, struct engine_bridged *b)
{
	(void)fd;
	(void)b;
	return -ENOTSOCK;
}

int engine_bridged_bind(int fd, const struct engine_bridged *b, const struct sockaddr_in *a)
{
	(void)fd;
	(void)b;
	(void)a;
	return -ENOTSOCK;
}

int engine_bridged_connect(int fd, const struct engine_bridged *b, const struct sockaddr_in *a)
{
	return engine_bridged_bind(fd, b, a);
}

int engine_bridged_listen(int fd, const struct engine_bridged *b, int backlog)
{
	(void)backlog;
	return engine_bridged_bind(fd, b, NULL);
}

int engine_bridged_is_kernels(int fd, const struct engine_bridged *b, const struct sockaddr_in *a)
{
	return engine_bridged_bind(fd, b, a);
}

int engine_bridged_yield(int fd, const struct engine_bridged *b, int kernels, struct sockaddr_in *bound)
{
	(void)kernels;
	return engine_bridged_bind(fd, b, bound);
}

bool engine_ask_by(int fd)
{
	(void)fd;
	return false;
}

void engine_widen_object(int fd)
{
	(void)fd;
}

void engine_use_caps(struct engine *e)
{
	(void)e;
}

bool engine_needs_broker(const struct engine *e)
{
	(void)e;
	return false;
}

int engine_broker_pair(int ends[2])
{
	(void)ends;
	return -EOPNOTSUPP;
}

void engine_broker_use(struct engine *e, int end)
{
	(void)e;
	(void)end;
}

void engine_broker_serve(struct engine *e, int end)
{
	(void)e;
	(void)end;
}

unsigned engine_broker_fds(const struct engine *e, int *fds, unsigned n)
{
	(void)e;
	(void)fds;
	(void)n;
	return 0;
}

int engine_listen_locally(struct engine *e, engine_sock s, const struct engine_local *how)
{
	(void)e;
	(void)s;
	(void)how;
	return 0;
}

int engine_accept_locally(struct engine *e, engine_sock s, int flags, struct sockaddr_storage *peer, socklen_t *len)
{
	(void)e;
	(void)s;
	(void)flags;
	(void)peer;
	(void)len;
	return -EAGAIN;
}

int engine_bridged_connect_result(int fd, const struct engine_bridged *b)
{
	(void)fd;
	(void)b;
	return -ENOTCONN;
}

bool engine_is_kernels(struct engine *e, ip4 a, uint16_t port)
{
	(void)e;
	(void)port;
	return a >> 24 == 127;
}

int engine_dial(struct engine *e, const struct sockaddr_in *a, bool is_v6, int *fd, struct engine_bridged *b)
{
	(void)e;
	(void)a;
	(void)is_v6;
	(void)fd;
	(void)b;
	return -ECONNREFUSED;
}

bool engine_has_loopback(const struct engine *e)
{
	(void)e;
	return false;
}
