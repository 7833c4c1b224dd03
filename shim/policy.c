/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy.c - see policy.h.
 */
#include "policy.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "eng.h"
#include "fdtab.h"
#include "log.h"
#include "ready.h"
#include "real.h"

bool policy_takes(int domain, int type, int protocol)
{
	int flags = type & ~0xf;

	return domain == AF_INET && (type & 0xf) == SOCK_STREAM &&
	       (protocol == 0 || protocol == IPPROTO_TCP) &&
	       !(flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC));
}

static bool is_loopback(const struct sockaddr_in *a)
{
	return ntohl(a->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

static bool read_addr(const struct sockaddr *addr, socklen_t len, struct sockaddr_in *a)
{
	if (!addr || len < sizeof(*a) || len > sizeof(struct sockaddr_storage))
		return false;
	memcpy(a, addr, sizeof(*a));
	return a->sin_family == AF_INET;
}

bool policy_hands_over_connect(struct sock *s, const struct sockaddr *addr, socklen_t len)
{
	struct sockaddr_in a;

	if (atomic_load(&s->state) != SOCK_UNCONNECTED || !read_addr(addr, len, &a))
		return false;
	return a.sin_addr.s_addr == htonl(INADDR_ANY) || eng_is_local(s, &a);
}

bool policy_hands_over_bind(struct sock *s, const struct sockaddr *addr, socklen_t len)
{
	struct sockaddr_in a;

	return atomic_load(&s->state) == SOCK_UNCONNECTED && !s->is_bound &&
	       read_addr(addr, len, &a) && is_loopback(&a);
}

/* Oldest first, as they were set. */
static void replay(const struct sock_opt *o, int fd)
{
	if (!o)
		return;
	replay(o->next, fd);
	if (REAL(setsockopt)(fd, o->level, o->name, o->val, o->len) < 0)
		log_event(LOG_WARNING, "option %d at level %d could not be set again on the kernel's "
				       "socket: %m", o->name, o->level);
}

/* The engine has given the port back by then. */
static int bind_again(int fd, const struct sockaddr_in *a)
{
	return REAL(bind)(fd, (const struct sockaddr *)a, sizeof(*a)) < 0 ? -errno : 0;
}

int policy_hand_over(struct sock *s)
{
	struct sockaddr_in a;
	bool is_bound = s->is_bound && eng_sockname(s, &a) == 0;
	int fd = REAL(socket)(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP), r;

	if (fd < 0)
		return -errno;
	replay(s->opts, fd);
	eng_release(s);
	r = is_bound ? bind_again(fd, &a) : 0;
	if (r) {
		REAL(close)(fd);
		return r;
	}
	r = ready_replace(s, fd);
	s->es = 0;
	fdtab_clear_all(s);
	return r;
}
