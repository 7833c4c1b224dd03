/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * interpose.c - the wrappers of socket and data calls; interpose_fd.c has those of fds
 * and waiting, interpose_proc.c those of signals and the process.
 */
#undef _FORTIFY_SOURCE            /* its inline versions would be what we define */
#include "interpose.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "addr.h"
#include "bridge.h"
#include "call.h"
#include "init.h"
#include "log.h"
#include "opts.h"
#include "policy.h"
#include "real.h"
#include "user.h"

/* ---- sockets ---- */

EXPORT int socket(int domain, int type, int protocol)
{
	if (policy_takes(domain, type, protocol) && !init_is_inside())
		return (int)interpose_result(call_socket(domain, type));
	return REAL(socket)(domain, type, protocol);
}

/* The kernel's answer, unless its object is a bridged socket's end: then that one's.  `err` was errno before
 * the kernel was asked. */
static int bridged_or(int kernels, int bridged, int err)
{
	if (bridged == -ENOTSOCK)
		return kernels;
	errno = err;
	return (int)interpose_result(bridged);
}

/* The first answer that isn't 0: what the policy says, then the call's own. */
#define FIRST(policy, call)                                                 \
	__extension__({                                                     \
		ssize_t p_ = (policy);                                      \
		p_ ? p_ : (call);                                           \
	})

static int bind_kernels(int fd, const struct sockaddr *addr, socklen_t len)
{
	int err = errno, r = REAL(bind)(fd, addr, len);

	return bridged_or(r, bridge_bind(fd, r, addr, len), err);
}

EXPORT int bind(int fd, __CONST_SOCKADDR_ARG arg, socklen_t len)
{
	const struct sockaddr *addr = arg.__sockaddr__;
	struct sock *s = fdtab_get(fd);

	return (int)INTERPOSE(fd, s, FIRST(policy_bind(s, addr, len), call_bind(s, addr, len)),
			      bind_kernels(fd, addr, len));
}

static int connect_kernels(int fd, const struct sockaddr *addr, socklen_t len)
{
	int err = errno, r = policy_connect_kernels(fd, addr, len);

	if (r)
		return (int)interpose_result(r);
	r = REAL(connect)(fd, addr, len);
	return bridged_or(r, bridge_connect(fd, r, addr, len), err);
}

EXPORT int connect(int fd, __CONST_SOCKADDR_ARG arg, socklen_t len)
{
	const struct sockaddr *addr = arg.__sockaddr__;
	struct sock *s = interpose_get(fd);

	return (int)INTERPOSE(fd, s, FIRST(policy_connect(s, addr, len), bridge_opened(s, call_connect(s, addr, len))),
			      connect_kernels(fd, addr, len));
}

static int listen_kernels(int fd, int backlog)
{
	int err = errno, r = policy_listen_kernels(fd);

	if (r)
		return (int)interpose_result(r);
	r = REAL(listen)(fd, backlog);
	return bridged_or(r, bridge_listen(fd, r, backlog), err);
}

EXPORT int listen(int fd, int backlog)
{
	struct sock *s = fdtab_get(fd);

	return (int)INTERPOSE(fd, s, FIRST(policy_listen(s), bridge_opened(s, call_listen(s, backlog))),
			      listen_kernels(fd, backlog));
}

static int accept_kernels(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	socklen_t room = addr && len ? *len : 0;
	int err = errno, r = REAL(accept4)(fd, addr, len, flags);

	if (r < 0)
		return bridged_or(r, bridge_accept(fd, addr, len, flags), err);
	bridge_accepted(r, addr, len, room);
	return r;
}

EXPORT int accept(int fd, __SOCKADDR_ARG addr, socklen_t *restrict len)
{
	struct sock *s = interpose_get(fd);

	return (int)INTERPOSE(fd, s, call_accept(s, addr.__sockaddr__, len, 0),
			      accept_kernels(fd, addr.__sockaddr__, len, 0));
}

EXPORT int accept4(int fd, __SOCKADDR_ARG addr, socklen_t *restrict len, int flags)
{
	struct sock *s = interpose_get(fd);

	return (int)INTERPOSE(fd, s, call_accept(s, addr.__sockaddr__, len, flags),
			      accept_kernels(fd, addr.__sockaddr__, len, flags));
}

static int shutdown_kernels(int fd, int how)
{
	int err = errno;
	bool has_ended = bridge_has_ended(fd);

	errno = err;
	/* The kernel would shut our end whatever has become of the other. */
	return has_ended ? (int)interpose_result(-ENOTCONN) : REAL(shutdown)(fd, how);
}

EXPORT int shutdown(int fd, int how)
{
	struct sock *s = fdtab_get(fd);

	return (int)INTERPOSE(fd, s, call_shutdown(s, how), shutdown_kernels(fd, how));
}

/* What may be overwritten before it is clear that it is needed. */
static socklen_t room_at(const socklen_t *len)
{
	socklen_t room;

	return user_get(&room, len, sizeof(room)) ? room : 0;
}

static int getsockname_kernels(int fd, struct sockaddr *addr, socklen_t *len)
{
	socklen_t room = room_at(len);
	int err = errno, r = REAL(getsockname)(fd, addr, len);

	return bridged_or(r, bridge_sockname(fd, r, addr, len, room), err);
}

EXPORT int getsockname(int fd, __SOCKADDR_ARG addr, socklen_t *restrict len)
{
	struct sock *s = fdtab_get(fd);

	return (int)INTERPOSE(fd, s, call_sockname(s, addr.__sockaddr__, len),
			      getsockname_kernels(fd, addr.__sockaddr__, len));
}

static int getpeername_kernels(int fd, struct sockaddr *addr, socklen_t *len)
{
	socklen_t room = room_at(len);
	int err = errno, r = REAL(getpeername)(fd, addr, len);

	return bridged_or(r, bridge_peername(fd, r, addr, len, room), err);
}

EXPORT int getpeername(int fd, __SOCKADDR_ARG addr, socklen_t *restrict len)
{
	struct sock *s = fdtab_get(fd);

	return (int)INTERPOSE(fd, s, call_peername(s, addr.__sockaddr__, len),
			      getpeername_kernels(fd, addr.__sockaddr__, len));
}

static int setsockopt_kernels(int fd, int level, int name, const void *val, socklen_t len)
{
	int err = errno, r = REAL(setsockopt)(fd, level, name, val, len);

	return bridged_or(r, bridge_setopt(fd, level, name, val, len), err);
}

static int getsockopt_kernels(int fd, int level, int name, void *val, socklen_t *len)
{
	socklen_t room = room_at(len);
	int err = errno, r = REAL(getsockopt)(fd, level, name, val, len);

	return bridged_or(r, bridge_getopt(fd, r, level, name, val, len, room), err);
}

EXPORT int setsockopt(int fd, int level, int name, const void *val, socklen_t len)
{
	struct sock *s = fdtab_get(fd);

	return (int)INTERPOSE(fd, s, opts_set(s, level, name, val, len),
			      setsockopt_kernels(fd, level, name, val, len));
}

EXPORT int getsockopt(int fd, int level, int name, void *restrict val, socklen_t *restrict len)
{
	struct sock *s = fdtab_get(fd);

	return (int)INTERPOSE(fd, s, opts_get(s, level, name, val, len),
			      getsockopt_kernels(fd, level, name, val, len));
}

static int at_mark(struct sock *s, int fd)
{
	int mark, r = opts_ioctl(s, fd, SIOCATMARK, &mark);

	return r < 0 ? r : mark;
}

EXPORT int sockatmark(int fd)
{
	struct sock *s = fdtab_get(fd);

	return (int)INTERPOSE(fd, s, at_mark(s, fd), REAL(sockatmark)(fd));
}

/* ---- sending ---- */

EXPORT ssize_t send(int fd, const void *buf, size_t len, int flags)
{
	struct iovec iov = { (void *)(uintptr_t)buf, MIN(len, CALL_RW_MAX) };
	struct sock *s = interpose_get(fd);

	return INTERPOSE(fd, s, call_send(s, &iov, 1, flags), bridge_data(fd, REAL(send)(fd, buf, len, flags)));
}

/* With MSG_FASTOPEN it is connect(), too. */
static ssize_t send_to(struct sock *s, const struct iovec *iov, int flags, const struct sockaddr *addr, socklen_t len)
{
	if (!(flags & MSG_FASTOPEN))
		return call_sendto(s, iov, 1, flags, addr, len);
	return FIRST(policy_connect(s, addr, len), bridge_opened(s, call_sendto(s, iov, 1, flags, addr, len)));
}

static ssize_t send_message(struct sock *s, const struct msghdr *msg, int flags)
{
	struct msghdr m;

	if (!(flags & MSG_FASTOPEN) || !user_get(&m, msg, sizeof(m)))
		return call_sendmsg(s, msg, flags);
	return FIRST(policy_connect(s, m.msg_name, m.msg_namelen), bridge_opened(s, call_sendmsg(s, msg, flags)));
}

/* MSG_FASTOPEN on a socket without a record here: 1: it is a bridged one, and connected now; 0: the kernel's to do; -errno. */
static int connect_by_sending(int fd, const struct sockaddr *addr, socklen_t len)
{
	int err = errno, r = bridge_fastopen(fd, addr, len);

	errno = err;
	return r == -ENOTSOCK ? policy_connect_kernels(fd, addr, len) : r ? r : 1;
}

static ssize_t send_to_kernels(int fd, const void *buf, size_t len, int flags, const struct sockaddr *addr,
			       socklen_t alen)
{
	int r = flags & MSG_FASTOPEN ? connect_by_sending(fd, addr, alen) : 0;

	if (r > 0)
		return REAL(send)(fd, buf, len, flags & ~MSG_FASTOPEN);
	return r ? interpose_result(r) : REAL(sendto)(fd, buf, len, flags, addr, alen);
}

static ssize_t send_message_kernels(int fd, const struct msghdr *msg, int flags)
{
	struct msghdr m;
	int r = 0;

	if (flags & MSG_FASTOPEN && user_get(&m, msg, sizeof(m)))
		r = connect_by_sending(fd, m.msg_name, m.msg_namelen);
	if (r <= 0)
		return r ? interpose_result(r) : REAL(sendmsg)(fd, msg, flags);
	m.msg_name = NULL;
	m.msg_namelen = 0;
	return REAL(sendmsg)(fd, &m, flags & ~MSG_FASTOPEN);
}

EXPORT ssize_t sendto(int fd, const void *buf, size_t len, int flags, __CONST_SOCKADDR_ARG addr,
		      socklen_t alen)
{
	struct iovec iov = { (void *)(uintptr_t)buf, MIN(len, CALL_RW_MAX) };
	struct sock *s = interpose_get(fd);

	return INTERPOSE(fd, s, send_to(s, &iov, flags, addr.__sockaddr__, alen),
			 bridge_data(fd, send_to_kernels(fd, buf, len, flags, addr.__sockaddr__, alen)));
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	struct sock *s = interpose_get(fd);

	if (!s)
		bridge_carried(msg);
	return INTERPOSE(fd, s, send_message(s, msg, flags), bridge_data(fd, send_message_kernels(fd, msg, flags)));
}

EXPORT int sendmmsg(int fd, struct mmsghdr *v, unsigned n, int flags)
{
	struct sock *s = interpose_get(fd);
	unsigned i;

	for (i = 0; !s && i < n && user_can_read(&v[i], sizeof(v[i])); i++)
		bridge_carried(&v[i].msg_hdr);
	return (int)INTERPOSE(fd, s, call_sendmmsg(s, v, n, flags), REAL(sendmmsg)(fd, v, n, flags));
}

EXPORT ssize_t write(int fd, const void *buf, size_t len)
{
	struct sock *s = interpose_get(fd);

	return INTERPOSE(fd, s, call_write(s, buf, len), bridge_data(fd, REAL(write)(fd, buf, len)));
}

EXPORT ssize_t writev(int fd, const struct iovec *iov, int cnt)
{
	struct sock *s = interpose_get(fd);

	return INTERPOSE(fd, s, call_writev(s, iov, cnt, 0), bridge_data(fd, REAL(writev)(fd, iov, cnt)));
}

/* An offset of -1 is writev(); any other is ESPIPE, which the kernel's object says too. */
EXPORT ssize_t pwritev2(int fd, const struct iovec *iov, int cnt, off_t at, int flags)
{
	struct sock *s = at == -1 ? interpose_get(fd) : NULL;

	return INTERPOSE(fd, s, call_writev(s, iov, cnt, flags),
			 REAL(pwritev2)(fd, iov, cnt, at, flags));
}

EXPORT ssize_t pwritev64v2(int fd, const struct iovec *iov, int cnt, off64_t at, int flags)
{
	struct sock *s = at == -1 ? interpose_get(fd) : NULL;

	return INTERPOSE(fd, s, call_writev(s, iov, cnt, flags),
			 REAL(pwritev64v2)(fd, iov, cnt, at, flags));
}

static bool is_pipe(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISFIFO(st.st_mode);
}

/* From a socket into a pipe it is splice(); the kernel knows why not otherwise. */
static ssize_t sendfile_from(struct sock *s, int out, int in, off_t *offset, size_t count)
{
	ssize_t r;

	if (!offset && is_pipe(out))
		return call_splice(s, out, count, 0);
	r = REAL(sendfile)(out, in, offset, count);
	return r < 0 ? -errno : r;
}

static ssize_t send_file(int out, int in, off_t *offset, size_t count)
{
	struct sock *s = fdtab_get(in);
	int cancel;
	ssize_t r;

	if (s)
		return INTERPOSE(in, s, sendfile_from(s, out, in, offset, count), REAL(sendfile)(out, in, offset, count));
	s = fdtab_get(out);
	if (!s)
		return REAL(sendfile)(out, in, offset, count);
	signal_begin_call();
	cancel = signal_uncancel();      /* libc's is no cancellation point */
	r = INTERPOSE(out, s, call_sendfile(s, in, offset, count), REAL(sendfile)(out, in, offset, count));
	signal_recancel(cancel);
	return r;
}

EXPORT ssize_t sendfile(int out, int in, off_t *offset, size_t count)
{
	return send_file(out, in, offset, count);
}

EXPORT ssize_t sendfile64(int out, int in, off64_t *offset, size_t count)
{
	return send_file(out, in, offset, count);
}

/* __do_splice() and do_splice(): what is wrong with a pipe that is to be used like this and a socket. */
static int splice_check(int pipe, int mode, const off64_t *pipe_at, const off64_t *sock_at, unsigned flags)
{
	int how = REAL(fcntl)(pipe, F_GETFL) & O_ACCMODE;

	if (flags & ~(unsigned)(SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT))
		return -EINVAL;
	if (how != mode && how != O_RDWR)
		return -EBADF;
	return pipe_at ? -ESPIPE : sock_at ? -EINVAL : 0;
}

static bool can_send(int fd)
{
	struct sock *s = fdtab_get(fd);
	int state = s ? atomic_load(&s->state) : SOCK_UNCONNECTED;

	if (s)
		sock_put(s);
	return state == SOCK_CONNECTED || state == SOCK_CONNECTING;
}

/* Between a pipe and a socket; the kernel knows why not otherwise. */
EXPORT ssize_t splice(int in, off64_t *in_at, int out, off64_t *out_at, size_t len, unsigned flags)
{
	struct sock *s = NULL;
	int bad = 0;

	signal_begin_call();
	if (len && fdtab_is_sock(in) && is_pipe(out)) {
		s = fdtab_get(in);
		bad = splice_check(out, O_WRONLY, out_at, in_at, flags);
		return INTERPOSE(in, s, bad ? bad : call_splice(s, out, len, flags),
				 REAL(splice)(in, in_at, out, out_at, len, flags));
	}
	if (len && fdtab_is_sock(out) && is_pipe(in)) {
		bad = splice_check(in, O_RDONLY, in_at, out_at, flags);
		if (!bad && can_send(out))
			bridge_fd(out);
		s = fdtab_get(out);
	}
	return INTERPOSE(out, s, bad ? bad : call_splice_in(s, in, flags), REAL(splice)(in, in_at, out, out_at, len, flags));
}

/* ---- receiving ---- */

/* The answer when MSG_TRUNC has a bridged socket's bytes discarded, else the kernel's. */
#define RECV_KERNELS(fd, len, flags, kernels)                               \
	__extension__({                                                     \
		int before_ = errno;                                        \
		ssize_t n_ = (flags) & MSG_TRUNC && !((flags) & MSG_PEEK) ? bridge_discard(fd, len, flags) : -ENOTSOCK; \
		errno = before_;                                            \
		bridge_data(fd, n_ == -ENOTSOCK ? (kernels) : interpose_result(n_)); \
	})

EXPORT ssize_t recv(int fd, void *buf, size_t len, int flags)
{
	struct iovec iov = { buf, MIN(len, CALL_RW_MAX) };
	struct sock *s = interpose_get(fd);

	return INTERPOSE(fd, s, call_recv(s, &iov, 1, flags, NULL),
			 RECV_KERNELS(fd, len, flags, REAL(recv)(fd, buf, len, flags)));
}

/* A stream gives no address: its length becomes 0, as the kernel's TCP has it. */
static ssize_t recv_from(struct sock *s, void *buf, size_t len, int flags, struct sockaddr *addr,
			 socklen_t *alen)
{
	struct iovec iov = { buf, MIN(len, CALL_RW_MAX) };
	ssize_t r = call_recv(s, &iov, 1, flags, NULL);
	int err = r >= 0 && addr ? addr_copy("", 0, addr, alen) : 0;

	return err ? err : r;
}

EXPORT ssize_t recvfrom(int fd, void *restrict buf, size_t len, int flags, __SOCKADDR_ARG addr,
			socklen_t *restrict alen)
{
	struct sock *s = interpose_get(fd);

	return INTERPOSE(fd, s, recv_from(s, buf, len, flags, addr.__sockaddr__, alen),
			 RECV_KERNELS(fd, len, flags, REAL(recvfrom)(fd, buf, len, flags, addr, alen)));
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	struct sock *s = interpose_get(fd);

	return INTERPOSE(fd, s, call_recvmsg(s, msg, flags), bridge_data(fd, REAL(recvmsg)(fd, msg, flags)));
}

EXPORT int recvmmsg(int fd, struct mmsghdr *v, unsigned n, int flags, struct timespec *timeout)
{
	struct sock *s = interpose_get(fd);

	return (int)INTERPOSE(fd, s, call_recvmmsg(s, v, n, flags, timeout),
			      REAL(recvmmsg)(fd, v, n, flags, timeout));
}

EXPORT ssize_t read(int fd, void *buf, size_t len)
{
	struct sock *s = interpose_get(fd);

	return INTERPOSE(fd, s, call_read(s, buf, len), bridge_data(fd, REAL(read)(fd, buf, len)));
}

EXPORT ssize_t readv(int fd, const struct iovec *iov, int cnt)
{
	struct sock *s = interpose_get(fd);

	return INTERPOSE(fd, s, call_readv(s, iov, cnt, 0), bridge_data(fd, REAL(readv)(fd, iov, cnt)));
}

EXPORT ssize_t preadv2(int fd, const struct iovec *iov, int cnt, off_t at, int flags)
{
	struct sock *s = at == -1 ? interpose_get(fd) : NULL;

	return INTERPOSE(fd, s, call_readv(s, iov, cnt, flags),
			 REAL(preadv2)(fd, iov, cnt, at, flags));
}

EXPORT ssize_t preadv64v2(int fd, const struct iovec *iov, int cnt, off64_t at, int flags)
{
	struct sock *s = at == -1 ? interpose_get(fd) : NULL;

	return INTERPOSE(fd, s, call_readv(s, iov, cnt, flags),
			 REAL(preadv64v2)(fd, iov, cnt, at, flags));
}

/* ---- what programs built with _FORTIFY_SOURCE call ---- */

static void check_room(size_t len, size_t room)
{
	if (len > room) {
		log_event(LOG_ERR, "buffer overflow detected by _FORTIFY_SOURCE");
		abort();
	}
}

EXPORT ssize_t __read_chk(int fd, void *buf, size_t len, size_t room)
{
	struct sock *s = interpose_get(fd);

	if (!s)
		return bridge_data(fd, REAL(__read_chk)(fd, buf, len, room));
	check_room(len, room);
	return INTERPOSE(fd, s, call_read(s, buf, len), bridge_data(fd, REAL(__read_chk)(fd, buf, len, room)));
}

EXPORT ssize_t __recv_chk(int fd, void *buf, size_t len, size_t room, int flags)
{
	struct iovec iov = { buf, MIN(len, CALL_RW_MAX) };
	struct sock *s = interpose_get(fd);

	if (!s)
		return REAL(__recv_chk)(fd, buf, len, room, flags);
	check_room(len, room);
	return INTERPOSE(fd, s, call_recv(s, &iov, 1, flags, NULL),
			 REAL(__recv_chk)(fd, buf, len, room, flags));
}

EXPORT ssize_t __recvfrom_chk(int fd, void *buf, size_t len, size_t room, int flags,
			      struct sockaddr *addr, socklen_t *alen)
{
	struct sock *s = interpose_get(fd);

	if (!s)
		return REAL(__recvfrom_chk)(fd, buf, len, room, flags, addr, alen);
	check_room(len, room);
	return INTERPOSE(fd, s, recv_from(s, buf, len, flags, addr, alen),
			 REAL(__recvfrom_chk)(fd, buf, len, room, flags, addr, alen));
}

/* ---- libc's other names ---- */

EXPORT_ALIAS(__connect, connect);
EXPORT_ALIAS(__send, send);
EXPORT_ALIAS(__read, read);
EXPORT_ALIAS(__write, write);
