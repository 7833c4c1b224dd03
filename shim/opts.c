/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * opts.c - options: those of struct socket are kept here, those of the connection by
 * the engine, and file flags by the kernel's object.
 *
 * What was set is remembered while the socket may still be handed to the kernel
 * (policy.c).  An option that neither knows is ENOPROTOOPT as in Linux, and the log says
 * so once for each.
 */
#include "opts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <time.h>

#include "call.h"
#include "eng.h"
#include "fdtab.h"
#include "iface.h"
#include "log.h"
#include "ready.h"
#include "real.h"
#include "user.h"

#define OPTION_BYTES_MAX 1024     /* of what is read; none is larger */

/* ---- the socket's own options ---- */

/* The kernel's jiffy. */
static xtime tick(void)
{
	struct timespec res;

	return clock_getres(CLOCK_MONOTONIC_COARSE, &res) ? XTIME_MSEC : MAX(res.tv_nsec, 1);
}

/* sock_set_timeout(), in whole ticks */
static int set_timeo(_Atomic xtime *timeo, const void *val, socklen_t len)
{
	struct timeval tv;

	if (len < sizeof(tv))
		return -EINVAL;
	memcpy(&tv, val, sizeof(tv));
	if (tv.tv_usec < 0 || tv.tv_usec >= 1000000)
		return -EDOM;
	if (tv.tv_sec < 0)
		*timeo = 1;     /* expires at once, reads as 0 */
	else if (tv.tv_sec >= XTIME_NEVER / XTIME_SEC / 2)
		*timeo = 0;
	else
		*timeo = tv.tv_sec * XTIME_SEC + (tv.tv_usec * XTIME_USEC + tick() - 1) / tick() * tick();
	return 0;
}

static int give(void *val, socklen_t *len, const void *from, size_t size)
{
	if (*len > size)
		*len = (socklen_t)size;
	memcpy(val, from, *len);
	return 0;
}

static int give_int(void *val, socklen_t *len, int v)
{
	return give(val, len, &v, sizeof(v));
}

static int get_timeo(xtime timeo, void *val, socklen_t *len)
{
	struct timeval tv = { timeo / XTIME_SEC, timeo % XTIME_SEC / XTIME_USEC };

	return give(val, len, &tv, sizeof(tv));
}

static int set_rcvtimeo(struct sock *s, const void *val, socklen_t len)
{
	return set_timeo(&s->rcvtimeo, val, len);
}

static int set_sndtimeo(struct sock *s, const void *val, socklen_t len)
{
	return set_timeo(&s->sndtimeo, val, len);
}

/* The engine needs it too, for POLLIN. */
static int set_rcvlowat(struct sock *s, const void *val, socklen_t len)
{
	int v, r;

	if (len < sizeof(v))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	if (v < 0)
		v = INT_MAX;
	if (!v)
		v = 1;
	len = sizeof(v);
	r = eng_setopt(s, SOL_SOCKET, SO_RCVLOWAT, &v, sizeof(v));
	if (!r)
		r = eng_getopt(s, SOL_SOCKET, SO_RCVLOWAT, &v, &len);   /* as far as the buffer can hold it */
	if (!r)
		atomic_store(&s->rcvlowat, v);
	return r;
}

/* Whoever waits to peek has to know. */
static int set_peek_off(struct sock *s, const void *val, socklen_t len)
{
	atomic_store(&s->has_peek_off, true);
	return eng_setopt(s, SOL_SOCKET, SO_PEEK_OFF, val, len);
}

/* An int is read before anybody looks at the name. */
static int set_never(struct sock *s, const void *val, socklen_t len)
{
	(void)s;
	(void)val;
	return len < sizeof(int) ? -EINVAL : -ENOPROTOOPT;
}

static int get_rcvtimeo(struct sock *s, void *val, socklen_t *len)
{
	return get_timeo(atomic_load(&s->rcvtimeo), val, len);
}

static int get_sndtimeo(struct sock *s, void *val, socklen_t *len)
{
	return get_timeo(atomic_load(&s->sndtimeo), val, len);
}

static int get_type(struct sock *s, void *val, socklen_t *len)
{
	(void)s;
	return give_int(val, len, SOCK_STREAM);
}

static int get_domain(struct sock *s, void *val, socklen_t *len)
{
	return give_int(val, len, s->is_v6 ? AF_INET6 : AF_INET);
}

static int get_protocol(struct sock *s, void *val, socklen_t *len)
{
	(void)s;
	return give_int(val, len, IPPROTO_TCP);
}

/* The address as far as there is room; more room than it takes is refused. */
static int get_peername(struct sock *s, void *val, socklen_t *len)
{
	struct sockaddr_in6 a;
	socklen_t size = sizeof(a);
	int r = call_peername(s, (struct sockaddr *)&a, &size);

	if (r)
		return r;
	return *len > size ? -EINVAL : give(val, len, &a, size);
}

/* That of the kernel's sockets here. */
static int get_netns_cookie(struct sock *s, void *val, socklen_t *len)
{
	int fd = REAL(socket)(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP), r;

	(void)s;
	if (fd < 0)
		return -errno;
	r = REAL(getsockopt)(fd, SOL_SOCKET, SO_NETNS_COOKIE, val, len) < 0 ? -errno : 0;
	REAL(close)(fd);
	return r;
}

static int get_acceptconn(struct sock *s, void *val, socklen_t *len)
{
	return give_int(val, len, atomic_load(&s->state) == SOCK_LISTENING);
}

/* The engine knows its own interfaces alone; the others are the host's, by which nothing of ours goes or
 * comes. */
static int set_device(struct sock *s, const void *val, socklen_t len)
{
	int r = eng_setopt(s, SOL_SOCKET, SO_BINDTODEVICE, val, len), index;
	char name[IFNAMSIZ] = "";

	if (r != -ENODEV)
		return r;
	memcpy(name, val, MIN(len, sizeof(name) - 1));
	index = (int)if_nametoindex(name);
	return index ? eng_setopt(s, SOL_SOCKET, SO_BINDTOIFINDEX, &index, sizeof(index)) : -ENODEV;
}

static int get_device(struct sock *s, void *val, socklen_t *len)
{
	int r = eng_getopt(s, SOL_SOCKET, SO_BINDTODEVICE, val, len), index;
	socklen_t size = sizeof(index);
	char name[IFNAMSIZ];

	if (r != -ENODEV)
		return r;
	r = eng_getopt(s, SOL_SOCKET, SO_BINDTOIFINDEX, &index, &size);
	if (r)
		return r;
	return if_indextoname((unsigned)index, name) ? give(val, len, name, strlen(name) + 1) : -ENODEV;
}

/* NULL: the engine's. */
struct own_opt {
	int name;
	int (*set)(struct sock *s, const void *val, socklen_t len);
	int (*get)(struct sock *s, void *val, socklen_t *len);
};

static const struct own_opt own_opts[] = {
	{ SO_RCVTIMEO_OLD, set_rcvtimeo, get_rcvtimeo },
	{ SO_RCVTIMEO_NEW, set_rcvtimeo, get_rcvtimeo },
	{ SO_SNDTIMEO_OLD, set_sndtimeo, get_sndtimeo },
	{ SO_SNDTIMEO_NEW, set_sndtimeo, get_sndtimeo },
	{ SO_RCVLOWAT, set_rcvlowat, NULL },
	{ SO_PEEK_OFF, set_peek_off, NULL },
	{ SO_BINDTODEVICE, set_device, get_device },
	{ SO_TYPE, set_never, get_type },
	{ SO_DOMAIN, set_never, get_domain },
	{ SO_PROTOCOL, set_never, get_protocol },
	{ SO_ACCEPTCONN, set_never, get_acceptconn },
	{ SO_ERROR, set_never, NULL },
	{ SO_PEERNAME, set_never, get_peername },
	{ SO_NETNS_COOKIE, set_never, get_netns_cookie },
};

static const struct own_opt *find_own(int level, int name)
{
	size_t i;

	for (i = 0; level == SOL_SOCKET && i < ARRAY_LEN(own_opts); i++) {
		if (own_opts[i].name == name)
			return &own_opts[i];
	}
	return NULL;
}

/* ---- setsockopt, getsockopt ---- */

/* Once for each option of the three levels. */
static void log_unknown(int level, int name)
{
	static _Atomic uint64_t said[3][2];
	unsigned row = level == SOL_SOCKET ? 0 : level == IPPROTO_IP ? 1 : 2;
	uint64_t bit = 1ULL << (name & 63);

	if (atomic_fetch_or(&said[row][name >> 6 & 1], bit) & bit)
		return;
	log_event(LOG_WARNING, "socket option %d at level %d is not supported; it fails with "
			       "ENOPROTOOPT", name, level);
}

/* Options of IPv6 have no effect on IPv4-mapped connections, but two: the kernel knows which there are,
 * what may be set and how it reads.  A socket of its own, with all that was set so far. */
static int v6_socket(struct sock *s)
{
	int fd = REAL(socket)(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);

	if (fd < 0)
		return -errno;
	sock_opts_replay(s, IPPROTO_IPV6, fd);
	return fd;
}

/* The socket of a mapped connection becomes one of AF_INET. */
static int v6_set_addrform(struct sock *s, const void *val, socklen_t len)
{
	struct sockaddr_in a;
	int v;

	if (len < sizeof(v))
		return -EINVAL;
	if (val && !user_get(&v, val, sizeof(v)))
		return -EFAULT;
	if (!val || v != AF_INET)
		return -EINVAL;
	if (eng_peername(s, &a))
		return -ENOTCONN;
	s->is_v6 = false;
	return 0;
}

/* What the connection knows: its family, or its path's MTU. */
static int v6_get_own(struct sock *s, int name, void *val, socklen_t *len)
{
	struct sockaddr_in a;
	int v = AF_INET6, r;
	socklen_t size = sizeof(v);

	if (!user_can_write(len, sizeof(*len)))
		return -EFAULT;
	r = name == IPV6_MTU ? eng_getopt(s, IPPROTO_IP, IP_MTU, &v, &size) : eng_peername(s, &a);
	if (r)
		return -ENOTCONN;
	if (!user_can_write(val, MIN(*len, size)))
		return -EFAULT;
	return give_int(val, len, v);
}

/* Neither looks at what it is given before the kernel has. */
static int v6_set(struct sock *s, int name, const void *val, socklen_t len)
{
	int fd, v, r;

	if (name == IPV6_ADDRFORM)
		return v6_set_addrform(s, val, len);
	if (name == IPV6_V6ONLY && (s->is_bound || atomic_load(&s->state) != SOCK_UNCONNECTED))
		return val && len >= sizeof(v) && !user_can_read(val, sizeof(v)) ? -EFAULT : -EINVAL;
	fd = v6_socket(s);
	if (fd < 0)
		return fd;
	r = REAL(setsockopt)(fd, IPPROTO_IPV6, name, val, len) < 0 ? -errno : 0;
	REAL(close)(fd);
	if (r)
		return r;
	/* A number that the kernel didn't look at, or found at NULL, is 0. */
	if (len < sizeof(v) || !user_get(&v, val, sizeof(v)))
		v = 0;
	if (name == IPV6_V6ONLY)
		s->is_v6only = v != 0;
	return user_can_read(val, MIN(len, SOCK_OPT_BYTES)) ? sock_opt_add(s, IPPROTO_IPV6, name, val, len) :
							       sock_opt_add(s, IPPROTO_IPV6, name, &v, sizeof(v));
}

static int v6_get(struct sock *s, int name, void *val, socklen_t *len)
{
	int fd, r;

	if (name == IPV6_ADDRFORM || name == IPV6_MTU)
		return v6_get_own(s, name, val, len);
	fd = v6_socket(s);
	if (fd < 0)
		return fd;
	r = REAL(getsockopt)(fd, IPPROTO_IPV6, name, val, len) < 0 ? -errno : 0;
	REAL(close)(fd);
	return r;
}

/* Groups are the host's, and nothing that comes for one is a stream's: the kernel's is the member. */
static bool is_of_groups(int level, int name)
{
	return level == IPPROTO_IP && ((name >= IP_UNBLOCK_SOURCE && name <= IP_DROP_SOURCE_MEMBERSHIP) ||
				       (name >= MCAST_JOIN_GROUP && name <= MCAST_LEAVE_SOURCE_GROUP));
}

static int set_groups(struct sock *s, int name, const void *val, socklen_t len)
{
	int fd = atomic_load(&s->member), none = -1;

	if (fd < 0) {
		fd = REAL(socket)(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
		if (fd < 0)
			return -errno;
		fd = ready_raise_fd(fd);
		if (!atomic_compare_exchange_strong(&s->member, &none, fd)) {
			fdtab_unmark_internal(fd);
			REAL(close)(fd);
			fd = none;
		}
	}
	return REAL(setsockopt)(fd, IPPROTO_IP, name, val, len) < 0 ? -errno : 0;
}

void opts_release(struct sock *s)
{
	int fd = atomic_exchange(&s->member, -1);

	if (fd < 0)
		return;
	fdtab_unmark_internal(fd);
	REAL(close)(fd);
}

static bool has_level(const struct sock *s, int level)
{
	return level == SOL_SOCKET || level == IPPROTO_IP || level == IPPROTO_TCP || (level == IPPROTO_IPV6 && s->is_v6);
}

int opts_set(struct sock *s, int level, int name, const void *val, socklen_t len)
{
	const struct own_opt *own = find_own(level, name);
	int r;

	if ((int)len < 0)
		return -EINVAL;
	if (!has_level(s, level))
		return -ENOPROTOOPT;
	if (level == IPPROTO_IPV6)
		return v6_set(s, name, val, len);
	if (!user_can_read(val, MIN(len, SOCK_OPT_BYTES)))
		val = NULL;
	if (!val && len && level == SOL_SOCKET)
		return -EFAULT;
	if (is_of_groups(level, name))
		return set_groups(s, name, val, len);
	r = own && own->set ? own->set(s, val, len) : eng_setopt(s, level, name, val, len);
	if (r == -ENOPROTOOPT)
		log_unknown(level, name);
	if (!r && atomic_load(&s->state) == SOCK_UNCONNECTED)
		r = sock_opt_add(s, level, name, val, len);
	return r;
}

static int get_option(struct sock *s, int level, int name, void *val, socklen_t *len)
{
	const struct own_opt *own = find_own(level, name);
	int r;

	r = own && own->get ? own->get(s, val, len) : eng_getopt(s, level, name, val, len);
	if (r == -ENOPROTOOPT)
		log_unknown(level, name);
	return r;
}

/* That there is no room for the answer is found last. */
int opts_get(struct sock *s, int level, int name, void *val, socklen_t *len)
{
	char nowhere[OPTION_BYTES_MAX];
	int r;

	if (!has_level(s, level))
		return -EOPNOTSUPP;
	if (level == IPPROTO_IPV6)
		return v6_get(s, name, val, len);
	if (!user_can_write(len, sizeof(*len)))
		return -EFAULT;
	if ((int)*len < 0)
		return -EINVAL;
	if (user_can_write(val, *len))
		return get_option(s, level, name, val, len);
	*len = MIN(*len, sizeof(nowhere));
	r = get_option(s, level, name, nowhere, len);
	return r || !*len ? r : -EFAULT;
}

/* ---- fcntl, ioctl ---- */

static int watch_for_signals(struct sock *s, int fd)
{
	return REAL(fcntl)(fd, F_GETFL) & O_ASYNC ? ready_watch(s) : 0;
}

/* An owner is sent SIGURG without O_ASYNC, too. */
static int watch_for_urgent(struct sock *s, int fd)
{
	struct f_owner_ex owner;

	if (REAL(fcntl)(fd, F_GETOWN_EX, &owner) < 0 || !owner.pid)
		return 0;
	atomic_store(&s->has_owner, true);
	return ready_watch(s);
}

int opts_fcntl(struct sock *s, int fd, int cmd, void *arg)
{
	int r = REAL(fcntl)(fd, cmd, arg), flags;

	if (r < 0)
		return -errno;
	switch (cmd) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		return call_duplicated(s, fd, r);
	case F_SETFL:
		flags = (int)(intptr_t)arg;
		atomic_store(&s->is_nonblock, flags & O_NONBLOCK);
		return watch_for_signals(s, fd);
	case F_GETFL:
		atomic_store(&s->is_nonblock, r & O_NONBLOCK);
		break;
	case F_SETOWN:
	case F_SETOWN_EX:
		return watch_for_urgent(s, fd);
	}
	return r;
}

static int query(struct sock *s, enum engine_query q, int *arg)
{
	int v, r = eng_query(s, q, &v);

	if (r)
		return r;
	if (!user_can_write(arg, sizeof(*arg)))
		return -EFAULT;
	*arg = v;
	return 0;
}

static int set_file_flag(struct sock *s, int fd, unsigned long cmd, int *arg)
{
	if (REAL(ioctl)(fd, cmd, arg) < 0)
		return -errno;
	if (cmd == FIONBIO)
		atomic_store(&s->is_nonblock, *arg != 0);
	return cmd == FIOASYNC ? watch_for_signals(s, fd) : 0;
}

int opts_ioctl(struct sock *s, int fd, unsigned long cmd, void *arg)
{
	int r;

	switch (cmd) {
	case SIOCINQ:
		return query(s, ENGINE_INQ, arg);
	case SIOCOUTQ:
		return query(s, ENGINE_OUTQ, arg);
	case SIOCOUTQNSD:
		return query(s, ENGINE_OUTQ_UNSENT, arg);
	case SIOCATMARK:
		return query(s, ENGINE_ATMARK, arg);
	/* No segment's time of arrival is kept. */
	case SIOCGSTAMP_OLD:
	case SIOCGSTAMPNS_OLD:
	case SIOCGSTAMP_NEW:
	case SIOCGSTAMPNS_NEW:
		return -ENOENT;
	case FIONBIO:
	case FIOASYNC:
		return set_file_flag(s, fd, cmd, arg);
	case FIOSETOWN:
	case SIOCSPGRP:
		return REAL(ioctl)(fd, cmd, arg) < 0 ? -errno : watch_for_urgent(s, fd);
	}
	if (cmd >= SIOCADDRT && cmd < SIOCDEVPRIVATE)
		return iface_ioctl(s->is_v6 ? AF_INET6 : AF_INET, cmd, arg);
	r = REAL(ioctl)(fd, cmd, arg);
	return r < 0 ? -errno : r;
}
