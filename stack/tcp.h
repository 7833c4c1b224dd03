/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp.h - a TCP socket's verbs, none of which blocks.
 *
 * They follow the kernel's: tcp_connect() is tcp_v4_connect() and what it calls,
 * tcp_send() is tcp_sendmsg(), and so on.  Each returns 0 or a count, or -errno
 * as Linux would give it; -EAGAIN where Linux would sleep.  Frames that become
 * possible to send are found by the next stack_output().
 */
#ifndef XTCP_TCP_H
#define XTCP_TCP_H

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base.h"

struct stack;
struct tcp_conn;

/* A new socket in CLOSED with one reference, the caller's; NULL: no memory. */
struct tcp_conn *tcp_open(struct stack *s, xtime now);

/* Whose socket it is, for SO_REUSEPORT: of one user only (sk_uid). */
void tcp_set_uid(struct tcp_conn *c, uint32_t uid);
/* What bind() to addr would enter it as, holding nothing (conntab.h). */
struct bind_owner;
void tcp_bind_owner(const struct tcp_conn *c, ip4 addr, struct bind_owner *o);
/* The program's context pointer; the core only keeps it. */
void tcp_set_user(struct tcp_conn *c, void *user);
void *tcp_user(const struct tcp_conn *c);
struct stack *tcp_stack(const struct tcp_conn *c);

/* inet_bind(): addr 0 is any, port 0 picks one.  may_low: the caller may take ports
 * below ip_unprivileged_port_start.  -EINVAL bound already or not closed,
 * -EADDRNOTAVAIL, -EACCES, -EADDRINUSE, -ENOMEM; -EAGAIN: *claim_addr:*claim_port must be claimed
 * first (stack_claimed), then call again. */
int tcp_bind(struct tcp_conn *c, ip4 addr, uint16_t port, bool may_low, ip4 *claim_addr,
             uint16_t *claim_port, xtime now);

/* tcp_v4_connect(): starts a connection.  0 when the SYN is under way (the caller
 * reports EINPROGRESS or waits for TCP_EV_CONNECTED); -EISCONN, -EALREADY, -ECONNABORTED, -ENETUNREACH,
 * -EADDRNOTAVAIL, -EINVAL, ...; -EAGAIN: claim first, as with tcp_bind(). */
int tcp_connect(struct tcp_conn *c, ip4 addr, uint16_t port, ip4 *claim_addr, uint16_t *claim_port,
                xtime now);
/* What __inet_stream_connect() reports when it is called on a socket that has been
 * connecting: 0 once when connected, -EALREADY, -EISCONN, or the pending error. */
int tcp_connect_result(struct tcp_conn *c);

/* tcp_disconnect(): connect() with AF_UNSPEC. */
int tcp_disconnect(struct tcp_conn *c, xtime now);

/* A flag for tcp_send() that no MSG_ has: the call goes on after it has waited for room, and the program
 * has not been short of data. */
#define TCP_SEND_ON 0x10000000

/* And one: the bytes, of one piece of memory, stay there, unchanged, until tcp_unlend(), and are sent from there; what
 * follows of them in other calls before it goes on where this one has ended. */
#define TCP_SEND_LENT 0x20000000
/* Keeps a copy of what was lent and is not acknowledged yet; nothing lent is no error. */
void tcp_unlend(struct stack *s);
/* Is something of it not acknowledged yet? */
bool tcp_lends(const struct stack *s);

/* tcp_sendmsg(): queues what fits; flags: MSG_MORE, MSG_OOB, MSG_EOR, TCP_SEND_ON,
 * TCP_SEND_LENT.  Count taken (may be
 * less than given), -EAGAIN no room or not connected yet, -EPIPE, -ENOTCONN, the pending
 * error, -ENOMEM.  MSG_NOSIGNAL and SIGPIPE are the caller's. */
ssize_t tcp_send(struct tcp_conn *c, const struct iovec *iov, int iovcnt, size_t skip, int flags,
                 xtime now);

/* tcp_recvmsg() without sleeping: flags MSG_PEEK, MSG_TRUNC, MSG_OOB.  `skip` bytes of iov
 * are passed over.  peek_off: where MSG_PEEK starts without SO_PEEK_OFF (the bytes that this call
 * peeked before; 0 otherwise).  Count, 0 at the end, -EAGAIN, -ENOTCONN, the pending error;
 * -EINVAL for MSG_OOB without urgent data.  *rflags, when not NULL, gets MSG_OOB, MSG_TRUNC (no room
 * for the urgent byte), TCP_RECV_MARK: a read that has got something ends here, whatever it waits for. */
#define TCP_RECV_MARK 0x40000000
ssize_t tcp_recv(struct tcp_conn *c, const struct iovec *iov, int iovcnt, size_t skip, int flags,
                 size_t peek_off, int *rflags, xtime now);

/* inet_listen(): -EADDRINUSE, -EINVAL; -EAGAIN as tcp_bind(). */
int tcp_listen(struct tcp_conn *c, int backlog, ip4 *claim_addr, uint16_t *claim_port, xtime now);
/* inet_csk_accept(): the next established connection with one reference for the caller, else
 * NULL and *err (-EAGAIN, -EINVAL not listening). */
struct tcp_conn *tcp_accept(struct tcp_conn *c, int *err, xtime now);

/* inet_shutdown(): SHUT_RD, SHUT_WR, SHUT_RDWR.  -ENOTCONN, -EINVAL. */
int tcp_shutdown(struct tcp_conn *c, int how, xtime now);

/* The first half of tcp_close(): FIN, or a reset when data was left unread or linger is 0.
 * Then TCP_EV_CLOSED tells when a lingering close() may return. */
void tcp_close(struct tcp_conn *c, xtime now);
/* The second half: the program lets go of the socket (tcp_close() is implied).  The core
 * frees it when nothing is left to do. */
void tcp_release(struct tcp_conn *c, xtime now);

/* tcp_poll(): POLLIN, POLLOUT, POLLRDHUP, POLLHUP, POLLERR, POLLPRI, POLLRDNORM, POLLWRNORM
 * as Linux has them, and what only our callers wait for: */
#define TCP_EV_CONNECTED 0x100000   /* no longer in SYN-SENT (or SYN-RECEIVED) */
#define TCP_EV_CLOSED 0x200000      /* our FIN is acknowledged, or the connection is gone */
#define TCP_EV_URGENT 0x400000      /* the engine's: tcp_urgents() has counted up */
uint32_t tcp_events(struct tcp_conn *c);
/* Counts up whenever something new came (data, room, an error): for edge-triggered waiters. */
uint32_t tcp_edges(const struct tcp_conn *c);
/* Counts up with each new urgent pointer, which is when Linux raises SIGURG (tcp_check_urg). */
uint32_t tcp_urgents(const struct tcp_conn *c);

/* SO_ERROR: takes the pending error, else the soft one; 0 or positive errno. */
/* Fast Open: the bytes (borrowed until then) are for the SYN of the tcp_connect() that follows at
 * once; -EOPNOTSUPP.  Or of one that returned 1: start it now.  How many of them went into it. */
int tcp_fastopen_ask(struct tcp_conn *c, const struct iovec *iov, int iovcnt, bool waits);
int tcp_fastopen_start(struct tcp_conn *c, const struct iovec *iov, int iovcnt, bool waits, xtime now);
size_t tcp_fastopen_copied(struct tcp_conn *c);
int tcp_take_error(struct tcp_conn *c);

/* Local or peer name: addr and port (0 when unbound); peer: -ENOTCONN. */
void tcp_sockname(const struct tcp_conn *c, ip4 *addr, uint16_t *port);
int tcp_peername(const struct tcp_conn *c, ip4 *addr, uint16_t *port);

/* Bytes that can be read now (FIONREAD, SIOCINQ), that are not acknowledged (SIOCOUTQ),
 * that are not sent (SIOCOUTQNSD).  -EINVAL when listening. */
int tcp_inq(const struct tcp_conn *c);
/* Bytes that reads would give now, beyond the urgent byte as well. */
int tcp_unread(const struct tcp_conn *c);
int tcp_inq_hint(const struct tcp_conn *c);   /* of TCP_CM_INQ; -ENODATA without TCP_INQ */
int tcp_outq(const struct tcp_conn *c);
int tcp_outq_unsent(const struct tcp_conn *c);
/* SIOCATMARK. */
bool tcp_at_mark(const struct tcp_conn *c);
/* TCP_CLOSE, TCP_ESTABLISHED, ... as in <netinet/tcp.h>. */
int tcp_state(const struct tcp_conn *c);

/* setsockopt() and getsockopt() at SOL_SOCKET, IPPROTO_IP and IPPROTO_TCP for what the core
 * knows; -ENOPROTOOPT for what it doesn't.  may_admin: CAP_NET_ADMIN (SO_MARK, SO_PRIORITY,
 * SO_RCVBUFFORCE, TCP_CONGESTION restricted...).  File tcp_opt.c. */
int tcp_setopt(struct tcp_conn *c, int level, int name, const void *val, socklen_t len,
               bool may_admin, xtime now);
int tcp_getopt(struct tcp_conn *c, int level, int name, void *val, socklen_t *len, xtime now);

/* Linger time set by SO_LINGER: seconds, -1 when off. */
int tcp_linger(const struct tcp_conn *c);

#endif
