/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy.c - see policy.h.
 */
#include "policy.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>

#include "addr.h"
#include "bridge.h"
#include "eng.h"
#include "fdtab.h"
#include "init.h"
#include "log.h"
#include "netns.h"
#include "ready.h"
#include "real.h"
#include "rules.h"
#include "shared.h"

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

/* What the program was started as: later it may write over its argv[0]. */
static char program[NAME_MAX + 1];
static pthread_once_t program_once = PTHREAD_ONCE_INIT;

static void keep_program(void)
{
	strncpy(program, program_invocation_short_name, sizeof(program) - 1);
}

static const char *program_name(void)
{
	pthread_once(&program_once, keep_program);
	return program;
}

static enum rule_action decide(enum rule_role role, bool is_ipv6, const struct sockaddr_in *a)
{
	const struct rules *rules = init_rules();
	const struct rule_query q = {
		.program = program_name(), .role = role, .is_ipv6 = is_ipv6,
		.addr = ntohl(a->sin_addr.s_addr), .port = ntohs(a->sin_port),
	};

	return rules ? rules_decide(rules, &q) : RULE_NONE;
}

static bool leaves_all(void)
{
	const struct rules *rules = init_rules();

	return rules && rules_leave_all(rules, program_name());
}

static bool may_refuse(enum rule_role role)
{
	const struct rules *rules = init_rules();

	return rules && rules_may_refuse(rules, role, program_name());
}

bool policy_takes(int domain, int type, int protocol)
{
	int flags = type & ~0xf;

	return (domain == AF_INET || domain == AF_INET6) && (type & 0xf) == SOCK_STREAM &&
	       (protocol == 0 || protocol == IPPROTO_TCP) && !(flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) &&
	       (domain == AF_INET || has_ipv6()) && !leaves_all() && !netns_is_elsewhere();
}

static bool is_loopback(const struct sockaddr_in *a)
{
	return ntohl(a->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

/* What kind of address: none of the socket's family, one that the engine knows, or a native IPv6 one, of which *a has
 * the port alone. */
enum kind { KIND_OTHER, KIND_IPV4, KIND_IPV6 };

static enum kind read_addr(const struct sock *s, const struct sockaddr *addr, socklen_t len, struct sockaddr_in *a)
{
	struct sockaddr_storage given;

	if (!addr || len < (s->is_v6 ? ADDR_IN6_MIN : sizeof(*a)) || addr_take(addr, len, &given) ||
	    given.ss_family != (s->is_v6 ? AF_INET6 : AF_INET))
		return KIND_OTHER;
	memcpy(a, &given, sizeof(*a));        /* the port has the same place in both */
	return !s->is_v6 || addr_unmap(&given, a) ? KIND_IPV4 : KIND_IPV6;
}

/* The kernel's socket fd takes the place of s, under the same numbers. */
static int replace(struct sock *s, int fd)
{
	int r = ready_replace(s, fd);

	s->es = 0;
	fdtab_clear_all(s);
	return r ? r : -EREROUTED;
}

/* One that is, or was, another process's (shared.c): its engine has the options and the port.  Where that is gone, what is known
 * here has to do. */
static int take_from_other(struct sock *s, int fd, struct sockaddr_in *a)
{
	int r = shared_yield(s, fd, a);

	if (r == -EIO) {
		*a = (struct sockaddr_in){ .sin_family = AF_INET };
		sock_opts_replay(s, -1, fd);
	} else if (!r) {
		sock_opts_replay(s, IPPROTO_IPV6, fd);
		bridge_copy_settings(s, fd);
	}
	return r == -EIO ? 0 : r;
}

static int take_from_own(struct sock *s, int fd, struct sockaddr_in *a)
{
	if (!s->is_bound || eng_sockname(s, a))
		*a = (struct sockaddr_in){ .sin_family = AF_INET };
	sock_opts_replay(s, -1, fd);
	eng_release(s);
	return 0;
}

/* -EREROUTED: a kernel socket has its place now, under the same number, with its options and address. */
static int hand_over(struct sock *s)
{
	struct sockaddr_in a;
	int fd = REAL(socket)(s->is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP), r;

	if (fd < 0)
		return -errno;
	r = (shared_is_foreign(s) ? take_from_other : take_from_own)(s, fd, &a);
	if (!r && (a.sin_port || a.sin_addr.s_addr))
		r = addr_bind(fd, s->is_v6, &a);
	if (!r)
		return replace(s, fd);
	REAL(close)(fd);
	return r == -ESTALE ? shared_take(s) : r;       /* bridged meanwhile */
}

static int refuse(int err, const char *what)
{
	log_once(LOG_INFO, what);
	return err;
}

/* No address is this host: the one that the socket is bound to, or 127.0.0.1. */
static bool is_kernels(struct sock *s, const struct sockaddr_in *a)
{
	struct sockaddr_in to = *a, own;

	if (to.sin_addr.s_addr == htonl(INADDR_ANY)) {
		if (!eng_has_loopback())
			return true;
		to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		if (s->is_bound && !eng_sockname(s, &own) && own.sin_addr.s_addr != htonl(INADDR_ANY))
			to.sin_addr = own.sin_addr;
	}
	return eng_is_kernels(s, &to);
}

/* Has the kernel a way to this IPv6 address?  A datagram socket is connected by its route alone. */
static bool has_route(const struct sockaddr *addr, socklen_t len)
{
	int fd = REAL(socket)(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), r = -1;

	if (fd >= 0) {
		r = REAL(connect)(fd, addr, len);
		REAL(close)(fd);
	}
	return r == 0;
}

/* A warning, as who runs a program over xtcp believes that all of it goes there; but not for what nobody believes: this
 * host, and addresses that are only tried before the IPv4 ones. */
static void tell_of_ipv6(const struct sockaddr *addr, socklen_t len)
{
	static _Atomic bool is_told;
	struct sockaddr_in6 a;
	int err = errno;

	memcpy(&a, addr, MIN(len, sizeof(a)));
	if (!atomic_load(&is_told) && !IN6_IS_ADDR_LOOPBACK(&a.sin6_addr) && !IN6_IS_ADDR_UNSPECIFIED(&a.sin6_addr) &&
	    has_route(addr, len) && !atomic_exchange(&is_told, true))
		log_event(LOG_WARNING, "connections to IPv6 addresses are the kernel's");
	errno = err;
}

int policy_connect(struct sock *s, const struct sockaddr *addr, socklen_t len)
{
	struct sockaddr_in a;
	enum rule_action action;
	enum kind kind;

	if (atomic_load(&s->state) != SOCK_UNCONNECTED)
		return 0;
	kind = read_addr(s, addr, len, &a);
	if (kind == KIND_OTHER)
		return 0;
	action = decide(RULE_CONNECT, kind == KIND_IPV6, &a);
	if (action == RULE_REFUSE)
		return refuse(-ECONNREFUSED, "a connection was refused by the policy");
	atomic_store(&s->wants_bridge, action == RULE_BRIDGE);
	if (kind == KIND_IPV6 && action != RULE_KERNEL)
		tell_of_ipv6(addr, len);
	if (action == RULE_KERNEL || kind == KIND_IPV6 || s->is_v6only)
		return hand_over(s);
	if (!is_kernels(s, &a))
		return 0;
	/* One that is bound has its address here.  It is connected already, but Linux would not say so yet. */
	if (!s->is_bound && eng_has_loopback() && !shared_is_foreign(s) && bridge_dial(s, &a) == -EREROUTED)
		return atomic_load(&s->is_nonblock) ? -EINPROGRESS : -EREROUTED;
	return hand_over(s);
}

int policy_bind(struct sock *s, const struct sockaddr *addr, socklen_t len)
{
	struct sockaddr_in a;
	enum kind kind;

	if (atomic_load(&s->state) != SOCK_UNCONNECTED || s->is_bound)
		return 0;
	kind = read_addr(s, addr, len, &a);
	if (kind == KIND_OTHER ||
	    (kind == KIND_IPV4 && !s->is_v6only && (!is_loopback(&a) || eng_has_loopback())))
		return 0;
	if (kind == KIND_IPV6 || s->is_v6only)
		log_once(LOG_INFO, "sockets that are bound to IPv6 addresses are the kernel's");
	return hand_over(s);
}

int policy_listen(struct sock *s)
{
	struct sockaddr_in a = { .sin_family = AF_INET };

	if (atomic_load(&s->state) != SOCK_UNCONNECTED)
		return 0;
	if (s->is_bound && eng_sockname(s, &a))
		return 0;
	switch (decide(RULE_LISTEN, false, &a)) {
	case RULE_REFUSE:
		return refuse(-EACCES, "a listener was refused by the policy");
	case RULE_KERNEL:
		return hand_over(s);
	case RULE_BRIDGE:
		atomic_store(&s->wants_bridge, true);
		return 0;
	default:
		return 0;
	}
}

/* ---- sockets that are the kernel's already ---- */

static bool is_kernels_tcp(int fd)
{
	int protocol = 0;
	socklen_t len = sizeof(protocol);

	return !REAL(getsockopt)(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) && protocol == IPPROTO_TCP;
}

/* What a rule says of such an address; RULE_NONE of one of another family. */
static enum rule_action decide_by(enum rule_role role, const struct sockaddr *addr, socklen_t len)
{
	struct sockaddr_storage given;
	struct sockaddr_in a;
	bool is_ipv6;

	if (!addr || len < sizeof(a) || addr_take(addr, len, &given) ||
	    (given.ss_family != AF_INET && (given.ss_family != AF_INET6 || len < ADDR_IN6_MIN)))
		return RULE_NONE;
	memcpy(&a, &given, sizeof(a));
	is_ipv6 = given.ss_family == AF_INET6 && !addr_unmap(&given, &a);
	return decide(role, is_ipv6, &a);
}

int policy_connect_kernels(int fd, const struct sockaddr *addr, socklen_t len)
{
	int err = errno, r = 0;

	if (may_refuse(RULE_CONNECT) && is_kernels_tcp(fd) && decide_by(RULE_CONNECT, addr, len) == RULE_REFUSE)
		r = refuse(-ECONNREFUSED, "a connection was refused by the policy");
	errno = err;
	return r;
}

int policy_listen_kernels(int fd)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);
	int err = errno, r = 0;

	if (may_refuse(RULE_LISTEN) && is_kernels_tcp(fd) &&
	    !REAL(getsockname)(fd, (struct sockaddr *)&a, &len) &&
	    decide_by(RULE_LISTEN, (struct sockaddr *)&a, len) == RULE_REFUSE)
		r = refuse(-EACCES, "a listener was refused by the policy");
	errno = err;
	return r;
}

int policy_bridged(enum rule_role role, const struct sockaddr_in *a, const struct sockaddr *v6, socklen_t len)
{
	enum rule_action action = decide(role, v6 != NULL, a);

	if (action == RULE_REFUSE)
		return refuse(role == RULE_CONNECT ? -ECONNREFUSED : -EACCES, "a bridged socket was refused by the policy");
	if (v6 && action != RULE_KERNEL)
		tell_of_ipv6(v6, len);
	return action == RULE_KERNEL || v6 ? -EXDEV : 0;
}
