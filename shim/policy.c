/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy.c - see policy.h.
 */
#include "policy.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "addr.h"
#include "eng.h"
#include "fdtab.h"
#include "log.h"
#include "ready.h"
#include "real.h"

/* Where the kernel has no IPv6, socket() is to say so. */
static bool has_ipv6(void)
{
	static _Atomic int has = -1;
	int fd, err = errno;

	if (has < 0) {
		fd = REAL(socket)(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
		has = fd >= 0;
		if (fd >= 0)
			REAL(close)(fd);
	}
	errno = err;
	return has;
}

bool policy_takes(int domain, int type, int protocol)
{
	int flags = type & ~0xf;

	return (domain == AF_INET || domain == AF_INET6) && (type & 0xf) == SOCK_STREAM &&
	       (protocol == 0 || protocol == IPPROTO_TCP) && !(flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) &&
	       (domain == AF_INET || has_ipv6());
}

static bool is_loopback(const struct sockaddr_in *a)
{
	return ntohl(a->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

/* What kind of address: none of the socket's family, one that the engine knows, or a native IPv6 one. */
enum kind { KIND_OTHER, KIND_IPV4, KIND_IPV6 };

static enum kind read_addr(const struct sock *s, const struct sockaddr *addr, socklen_t len, struct sockaddr_in *a)
{
	struct sockaddr_storage given;

	if (!addr || len < (s->is_v6 ? ADDR_IN6_MIN : sizeof(*a)) || addr_take(addr, len, &given) ||
	    given.ss_family != (s->is_v6 ? AF_INET6 : AF_INET))
		return KIND_OTHER;
	if (s->is_v6)
		return addr_unmap(&given, a) ? KIND_IPV4 : KIND_IPV6;
	memcpy(a, &given, sizeof(*a));
	return KIND_IPV4;
}

bool policy_hands_over_connect(struct sock *s, const struct sockaddr *addr, socklen_t len)
{
	struct sockaddr_in a;
	enum kind kind;

	if (atomic_load(&s->state) != SOCK_UNCONNECTED)
		return false;
	kind = read_addr(s, addr, len, &a);
	if (kind != KIND_IPV4) {
		if (kind == KIND_IPV6)
			log_once(LOG_INFO, "connections to IPv6 addresses are the kernel's");
		return kind == KIND_IPV6;
	}
	return s->is_v6only || a.sin_addr.s_addr == htonl(INADDR_ANY) || eng_is_local(s, &a);
}

bool policy_hands_over_bind(struct sock *s, const struct sockaddr *addr, socklen_t len)
{
	struct sockaddr_in a;

	if (atomic_load(&s->state) != SOCK_UNCONNECTED || s->is_bound)
		return false;
	switch (read_addr(s, addr, len, &a)) {
	case KIND_IPV4:
		return s->is_v6only || is_loopback(&a);
	case KIND_IPV6:
		return true;
	default:
		return false;
	}
}

/* The engine has given the port back by then. */
static int bind_again(const struct sock *s, int fd, const struct sockaddr_in *a)
{
	struct sockaddr_in6 a6;

	addr_map(a, &a6);
	if (s->is_v6)
		return REAL(bind)(fd, (const struct sockaddr *)&a6, sizeof(a6)) < 0 ? -errno : 0;
	return REAL(bind)(fd, (const struct sockaddr *)a, sizeof(*a)) < 0 ? -errno : 0;
}

int policy_hand_over(struct sock *s)
{
	struct sockaddr_in a;
	bool is_bound = s->is_bound && eng_sockname(s, &a) == 0;
	int fd = REAL(socket)(s->is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP), r;

	if (fd < 0)
		return -errno;
	sock_opts_replay(s, -1, fd);
	eng_release(s);
	r = is_bound ? bind_again(s, fd, &a) : 0;
	if (r) {
		REAL(close)(fd);
		return r;
	}
	r = ready_replace(s, fd);
	s->es = 0;
	fdtab_clear_all(s);
	return r;
}
