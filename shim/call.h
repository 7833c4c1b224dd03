/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * call.h - the socket calls on our sockets: blocking, flags and errors as in Linux's
 * inet_stream_ops.  All return a result or -errno.
 */
#ifndef XTCP_CALL_H
#define XTCP_CALL_H

#include <sys/types.h>
#include <sys/uio.h>

#include "sock.h"

#define CALL_RW_MAX 0x7ffff000u    /* MAX_RW_COUNT of Linux */

/* ---- opening and closing (call_open.c) ---- */

/* socket(): attaches the engine if need be; the new fd. */
int call_socket(int domain, int flags);
int call_bind(struct sock *s, const struct sockaddr *addr, socklen_t len);
int call_connect(struct sock *s, const struct sockaddr *addr, socklen_t len);
int call_listen(struct sock *s, int backlog);
int call_accept(struct sock *s, struct sockaddr *addr, socklen_t *len, int flags);
int call_shutdown(struct sock *s, int how);
int call_sockname(struct sock *s, struct sockaddr *addr, socklen_t *len);
int call_peername(struct sock *s, struct sockaddr *addr, socklen_t *len);
/* The last reference is gone: inet_release(). */
void call_release(struct sock *s);

/* ---- fds (call_fd.c) ---- */

int call_close(int fd);
int call_close_range(unsigned first, unsigned last, int flags);
/* With CLONE_FILES among the flags. */
int call_unshare(int flags);
/* `to` has just become a duplicate of `from`, which is s; -errno: it was closed again. */
int call_duplicated(struct sock *s, int from, int to);
int call_dup2(int from, int to, int flags, bool is_dup3);

/* ---- data (call_data.c) ---- */

/* Beside the MSG_ flags: a part of a call that has something to report already, so no handler's SA_RESTART lets it sleep on.
 * MSG_SPLICE_PAGES of Linux, which takes it out of what programs give. */
#define CALL_IS_PART 0x8000000

ssize_t call_send(struct sock *s, const struct iovec *iov, int cnt, int flags);
/* The address counts with MSG_FASTOPEN only. */
ssize_t call_sendto(struct sock *s, const struct iovec *iov, int cnt, int flags, const struct sockaddr *addr,
		    socklen_t len);
/* connect() with bytes for the SYN: how many went into *copied, then as connect().  addr NULL: of a
 * connect() that was put off. */
int call_fastopen(struct sock *s, const struct sockaddr *addr, socklen_t len, const struct iovec *iov, int cnt,
		  int flags, size_t *copied);
/* *rflags, when not NULL, gets MSG_OOB and the like. */
ssize_t call_recv(struct sock *s, const struct iovec *iov, int cnt, int flags, int *rflags);
ssize_t call_read(struct sock *s, void *buf, size_t len);
ssize_t call_write(struct sock *s, const void *buf, size_t len);
/* flags: RWF_ of preadv2(). */
ssize_t call_readv(struct sock *s, const struct iovec *iov, int cnt, int flags);
ssize_t call_writev(struct sock *s, const struct iovec *iov, int cnt, int flags);
/* Does a vector of cnt parts lead anywhere?  0, too_many, -EFAULT. */
int call_check_vector(const struct iovec *iov, size_t cnt, int too_many);
/* call_sendfile.c */
ssize_t call_sendfile(struct sock *s, int in, off_t *offset, size_t count);
/* From the socket into a pipe (call_splice.c). */
ssize_t call_splice(struct sock *s, int pipe, size_t len, unsigned flags);
/* The other way, for one that isn't connected. */
ssize_t call_splice_in(struct sock *s, int pipe, unsigned flags);

/* ---- messages (call_msg.c) ---- */

ssize_t call_sendmsg(struct sock *s, const struct msghdr *msg, int flags);
ssize_t call_recvmsg(struct sock *s, struct msghdr *msg, int flags);
int call_sendmmsg(struct sock *s, struct mmsghdr *v, unsigned n, int flags);
int call_recvmmsg(struct sock *s, struct mmsghdr *v, unsigned n, int flags,
		  struct timespec *timeout);

/* ---- sleeping (call_data.c) ---- */

/* When a wait that begins now ends: timeo in ns, 0 for none. */
xtime call_deadline(xtime timeo);
/* One sleep for `events` on s: 0 woken, -EAGAIN at the deadline, -EINTR.  Of several that are exclusive one ends
 * at a time. */
int call_sleep(struct sock *s, uint32_t events, xtime deadline, bool is_exclusive);
/* The call that sleeps in `frame` has references to v[0..n): what to hand to call_sleepers_remove() when it no longer
 * sleeps.  Without memory it isn't written down. */
unsigned call_sleepers_add(struct sock *const *v, unsigned n, const void *frame);
void call_sleepers_remove(unsigned depth);
/* Gives up what calls held that a handler has left by siglongjmp(). */
void call_reap_sleepers(void);
/* Is a call that got -EAGAIN to sleep? */
bool call_may_block(struct sock *s, int flags);

#endif
