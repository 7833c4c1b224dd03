/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine.h - a stack joined to interfaces and driven: the only thing that the shim
 * sees of what is below.
 *
 * One lock; whoever waits drives.  Every call takes the engine's lock, does its
 * work in the caller's thread (frames that it makes possible leave before it
 * returns) and gives the lock back.  engine_wait() is where threads sleep: one of
 * them drives the engine, receiving straight from the packet socket; the engine's
 * own libev thread drives when nobody else does.
 *
 * Sockets are handles (index and generation), never pointers: a stale handle gives
 * -EBADF.  All calls return 0, a count or -errno, never set errno, and may be
 * called from any thread.  The interface is narrow on purpose: the engine could
 * live in another process.
 */
#ifndef XTCP_ENGINE_H
#define XTCP_ENGINE_H

#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "base.h"
#include "tcp.h"               /* TCP_EV_* */

struct engine;
struct engine_bridged;
typedef uint64_t engine_sock;      /* 0 is none */

#define ENGINE_ADDRS_MAX 64
#define ENGINE_ROUTES_MAX 64
#define ENGINE_SYSCTLS_MAX 64

struct engine_prefix {
	ip4 addr;
	uint8_t plen;
};

struct engine_route {
	struct engine_prefix dst;
	ip4 gateway;
};

/* Everything that can be configured below the shim; strings are borrowed during
 * engine_open() only.  All zeros is the default: shared address, default route's
 * interface. */
struct engine_config {
	char interface[16];                       /* "": choose */
	struct engine_prefix addrs[ENGINE_ADDRS_MAX];
	unsigned naddr;                           /* 0: shared with the kernel */
	ip4 gateway;                              /* 0: the kernel's routes */
	struct engine_route routes[ENGINE_ROUTES_MAX];
	unsigned nroute;
	uint8_t mac[6];                           /* zero: derived from the address */
	const char *pcap_path;                    /* NULL: no capture */
	const char *congestion;                   /* NULL: cubic */
	const char *control_dir;                  /* where its control socket goes; NULL: none */
	struct { const char *name, *value; } sysctls[ENGINE_SYSCTLS_MAX];
	unsigned nsysctl;
	unsigned spin_us;
	bool is_forked;                           /* the parent, which had one, is to reach our listeners (engine_dial()) */
	bool has_loopback;                        /* what this host sends to itself stays in the stack where it can */
	/* Called for every sentence worth logging; level as in <syslog.h>.  May be NULL. */
	void (*log)(int level, const char *sentence);
	/* Readiness of a mirrored socket changed (engine_mirror), with TCP_EV_URGENT among the events
	 * when an urgent pointer has come: called with the lock held by whoever drives; it must not call
	 * the engine. */
	void (*ready)(void *user, uint32_t events, bool is_edge);
	/* For questions from other processes (engine_publish()); with the lock held, too.  Does `fd` belong to the
	 * same kernel object as s, which that process knows by `number`? */
	bool (*is_object_of)(engine_sock s, int number, int fd);
	/* s is to be bridged by the object that it has: its other end, which is the engine's from then on, named as
	 * id says, of which id->is_v6 is to be filled in; or -errno. */
	int (*join)(engine_sock s, int number, struct engine_bridged *id);
	/* s, which is neither connected nor listening, is the kernel's socket `kernels` from now on, of which a duplicate is to be
	 * kept, and the engine forgets it.  False: nothing is known of s here. */
	bool (*give)(engine_sock s, int number, int kernels);
	/* The library's own thread, which calls those above, has given up the lock.  May be NULL. */
	void (*outside)(void);
};

/* Opens the interface, reads the host's view, starts the thread.  0 and *e; or -errno with
 * one clear sentence in err (err_len bytes) that says what is wrong and what to do:
 * -ENODEV no such interface, -EADDRNOTAVAIL it has no address, -EPERM no capability,
 * -ENETDOWN, -EINVAL a setting. */
int engine_open(const struct engine_config *cfg, struct engine **e, char *err, size_t err_len);
/* Stops the thread and frees everything; connections vanish without a word. */
void engine_close(struct engine *e);

/* ---- sockets; see tcp.h for errors ---- */

int engine_socket(struct engine *e, engine_sock *s);
int engine_bind(struct engine *e, engine_sock s, const struct sockaddr_in *a, bool may_low);
/* 0: under way, wait for TCP_EV_CONNECTED (or report EINPROGRESS). */
int engine_connect(struct engine *e, engine_sock s, const struct sockaddr_in *a);
/* 1: put off until there is data for the SYN (TCP_FASTOPEN_CONNECT).  engine_fastopen() is the same
 * with bytes for the SYN, of which *copied were taken; a NULL: of a connect() that was put off;
 * waits: the caller will wait to send the rest. */
int engine_fastopen(struct engine *e, engine_sock s, const struct sockaddr_in *a, const struct iovec *iov,
                    int iovcnt, bool waits, size_t *copied);
int engine_connect_result(struct engine *e, engine_sock s);
int engine_disconnect(struct engine *e, engine_sock s);
int engine_listen(struct engine *e, engine_sock s, int backlog);
int engine_accept(struct engine *e, engine_sock s, engine_sock *conn);
/* On a shared address the host's own programs, other interfaces and, for an AF_INET6 socket, IPv6 are the kernel's:
 * a listener listens there, too.  0 also where there is nothing to do; -EADDRINUSE: another has the port there. */
struct engine_local {
	int backlog;
	bool is_v6;                             /* an AF_INET6 socket without IPV6_V6ONLY */
	void (*set_up)(void *user, int fd);     /* sets the program's options, with the lock held */
	void *user;
};

int engine_listen_locally(struct engine *e, engine_sock s, const struct engine_local *how);
/* One of those connections, a kernel's socket, with flags as of accept4(), and its peer: fd, -EAGAIN or another
 * -errno. */
int engine_accept_locally(struct engine *e, engine_sock s, int flags, struct sockaddr_storage *peer, socklen_t *len);
/* A flag for engine_send(), no MSG_ has it: the call goes on after it has waited for room. */
#define ENGINE_SEND_ON 0x10000000
/* Never block: -EAGAIN.  `skip` bytes of iov have been dealt with already.  MSG_DONTWAIT in flags
 * says that the caller will not engine_wait() either: the interface is looked at once more
 * before -EAGAIN.  Without it, one look less. */
ssize_t engine_send(struct engine *e, engine_sock s, const struct iovec *iov, int iovcnt,
                    size_t skip, int flags);
ssize_t engine_recv(struct engine *e, engine_sock s, const struct iovec *iov, int iovcnt,
                    size_t skip, int flags, size_t peek_off, int *rflags);
int engine_shutdown(struct engine *e, engine_sock s, int how);
/* tcp_close(): afterwards only engine_wait() for TCP_EV_CLOSED and engine_release() make sense. */
int engine_shut(struct engine *e, engine_sock s);
int engine_release(struct engine *e, engine_sock s);
int engine_sockname(struct engine *e, engine_sock s, struct sockaddr_in *a);
int engine_peername(struct engine *e, engine_sock s, struct sockaddr_in *a);
int engine_setopt(struct engine *e, engine_sock s, int level, int name, const void *val,
                  socklen_t len, bool may_admin);
/* SO_ERROR at SOL_SOCKET takes the pending error. */
int engine_getopt(struct engine *e, engine_sock s, int level, int name, void *val, socklen_t *len);
enum engine_query { ENGINE_INQ, ENGINE_INQ_HINT, ENGINE_OUTQ, ENGINE_OUTQ_UNSENT, ENGINE_ATMARK, ENGINE_LINGER };
int engine_query(struct engine *e, engine_sock s, enum engine_query q, int *val);
/* tcp_events() now; first takes in what waits at the interface. */
uint32_t engine_events(struct engine *e, engine_sock s);

/* Mirroring: from now on cfg.ready(user, ...) is told of every change of readiness, and at
 * once of the present state.  user NULL ends it. */
int engine_mirror(struct engine *e, engine_sock s, void *user);

/* ---- bridging ---- */

/* Makes the buffer of the program's end of a bridge large enough: what stays unread in the other end
 * (engine_bridge_move.c) keeps all of its piece's memory taken, and may be one of 64 kB that sendfile() wrote, which must be
 * no more than a quarter for the end to be writable (unix_writable()). */
void engine_widen_object(int fd);

/* The bytes of s go through a kernel object from now on, which works where calls of ours don't reach:
 * *fd is the program's end, an AF_UNIX socket, blocking, close-on-exec; s is stale.  The engine moves the
 * bytes; the connection is closed when everybody has closed that end.  Of a listening socket
 * the end listens, too: what the kernel's own accept() gives there is bridged.  is_v6 is told by engine_bridged().  A connection may be under way still: the end can't be written to before it is
 * there, and hangs up with an error when it fails.  -ENOTCONN: neither connected nor listening. */
int engine_bridge(struct engine *e, engine_sock s, bool is_v6, int *fd);
/* The same by an object that the socket has already, and that other processes may have, too: engine_identify()
 * tells what its other end is to be called, engine_bridge_joined() takes that end, also when it fails.  near: the
 * program's end, which is borrowed.  Any socket can be: one that is neither connected nor listening is by
 * engine_bridged_bind() and the like. */
int engine_identify(struct engine *e, engine_sock s, struct engine_bridged *id);
int engine_bridge_joined(struct engine *e, engine_sock s, bool is_v6, int far, int near);

/* What a bridged socket is, read from the kernel object by any process that has it. */
struct engine_bridged {
	uint64_t host;         /* the engine behind it */
	engine_sock s;         /* there */
	bool is_listener;
	bool is_native;        /* a listener for the kernel, too */
	bool is_idle;          /* when it was bridged it was neither connected nor listening */
	bool is_v6;            /* the program knows it as an AF_INET6 socket */
	struct sockaddr_in local, peer;
};

/* The name that says so. */
void engine_bridged_name(const struct engine_bridged *b, struct sockaddr_un *a, socklen_t *len);
/* 0, or -ENOTSOCK: fd is no such end. */
int engine_bridged(int fd, struct engine_bridged *b);
/* One connection from the end of a listener that was bridged by its object, taken as recvmsg() does with these flags (MSG_DONTWAIT,
 * MSG_CMSG_CLOEXEC): its end; b->host is 0 when it is a kernel's TCP socket.  -EAGAIN, -EINTR; -EINVAL: nobody listens any more. */
int engine_bridged_accept(int fd, int flags, struct engine_bridged *b);
/* Options and queries of fd, which is b, answered by that engine, wherever it lives; errors as at home, and -EIO:
 * it doesn't answer; -ESTALE: fd is another socket meanwhile. */
int engine_bridged_setopt(int fd, const struct engine_bridged *b, int level, int name, const void *val, socklen_t len);
int engine_bridged_getopt(int fd, const struct engine_bridged *b, int level, int name, void *val, socklen_t *len);
/* As at home, for one that was idle when it was bridged.  After a connect() that has begun engine_bridged_connect_result()
 * tells what has become of it: as engine_connect_result(), with -EINPROGRESS for the first -EALREADY.  -EXDEV: the
 * address is the host's own. */
int engine_bridged_bind(int fd, const struct engine_bridged *b, const struct sockaddr_in *a);
int engine_bridged_connect(int fd, const struct engine_bridged *b, const struct sockaddr_in *a);
int engine_bridged_connect_result(int fd, const struct engine_bridged *b);
int engine_bridged_listen(int fd, const struct engine_bridged *b, int backlog);
/* Is a connection to `a` the kernel's to make, as engine_is_kernels() there?  1, 0 or -errno. */
int engine_bridged_is_kernels(int fd, const struct engine_bridged *b, const struct sockaddr_in *a);
/* It is to be the kernel's socket `kernels`, which gets its options: the engine gives up its port.  *bound is the address
 * that it had, 0.0.0.0:0 where it had none.  -EISCONN: it connects or listens by now. */
int engine_bridged_yield(int fd, const struct engine_bridged *b, int kernels, struct sockaddr_in *bound);
/* What it is now; peer.sin_family is AF_UNSPEC where there is none. */
int engine_bridged_refresh(int fd, struct engine_bridged *b);

/* fd, a datagram socket that nobody closes, is of a network namespace that this process leaves, or a child of it: engines that
 * were opened there are asked by it.  False: there are too many. */
bool engine_ask_by(int fd);

/* Other processes may ask about this engine's sockets from now on, under this name.  -errno: they can't. */
int engine_publish(struct engine *e, uint64_t *host);
/* In such a process, which has the kernel object of s as fd, here and perhaps there: s is bridged by it.  -EIO: the
 * engine is gone; -ESTALE: fd is another object; -ENOTCONN: s isn't any more. */
int engine_bridge_foreign(uint64_t host, engine_sock s, int fd);

/* Connects to `a`, an address of the host's own, by the engine of a parent or child that listens there, both with
 * cfg.has_loopback: the program's end, and what it is.  -ECONNREFUSED: nobody does. */
int engine_dial(struct engine *e, const struct sockaddr_in *a, bool is_v6, int *fd, struct engine_bridged *b);

/* ---- privileges that go ---- */

/* Does what needs capabilities that the process is about to give up; between engine_fork_prepare() and
 * engine_fork_done(). */
void engine_use_caps(struct engine *e);
/* A process that becomes another user can no longer keep the kernel's TCP away from ports that it takes later
 * (CAP_NET_ADMIN).  Needs this engine a broker for that, and has it none yet? */
bool engine_needs_broker(const struct engine *e);
/* What joins the engine to it: 0 or -errno. */
int engine_broker_pair(int ends[2]);
/* In the process, which keeps ends[0]; and in its forked copy, with the lock held (engine_fork_prepare()),
 * everything closed but ends[1] and engine_broker_fds(), and ready to end when this returns. */
void engine_broker_use(struct engine *e, int end);
void engine_broker_serve(struct engine *e, int end);
unsigned engine_broker_fds(const struct engine *e, int *fds, unsigned n);

/* ---- waiting ---- */

#define ENGINE_EV_NONE 0x80000000u

struct engine_watch {
	engine_sock s;
	uint32_t events;       /* POLL* and TCP_EV_* bits wanted; POLLERR and POLLHUP come unasked
	                        * unless there are only TCP_EV_* bits or ENGINE_EV_NONE */
	uint32_t revents;      /* out; POLLNVAL: a stale handle */
	unsigned at_least;     /* POLLIN needs so many bytes to read; 0: as SO_RCVLOWAT says */
	bool is_exclusive;     /* of those that wait like this one is woken at a time, who has waited longest */
};

/* Sleeps until one of the watched sockets or of the `extra` kernel fds is ready, or until
 * `deadline` (CLOCK_MONOTONIC in ns; XTIME_NEVER: none; 0: look once, don't sleep), driving
 * the engine meanwhile if nobody else does.  mask, when not NULL, is the signal mask during
 * the sleep, as in ppoll().  The number of ready watches and fds, 0 at the deadline, -EINTR,
 * -ENOMEM.  Negative fds in `extra` are passed over.  A signal handler may call the engine
 * while its thread sleeps here. */
int engine_wait(struct engine *e, struct engine_watch *w, unsigned nw, struct pollfd *extra,
                unsigned nextra, xtime deadline, const sigset_t *mask);

/* What a thread waits for of its caller's own, beside sockets and fds.  It is looked at, with the lock held, before the sleep and
 * after each engine_news_come(), which is for cfg.ready() and engine_inform(); it counts as one that is ready. */
struct engine_news {
	bool (*has_come)(void *user);
	void *user;
	struct thread *waiter;   /* the engine's */
};
int engine_wait_news(struct engine *e, struct engine_news *news, struct engine_watch *w, unsigned nw,
                     struct pollfd *extra, unsigned nextra, xtime deadline, const sigset_t *mask);
void engine_news_come(const struct engine_news *news);
/* Calls fn(user) with the lock held, as cfg.ready() is called. */
void engine_inform(struct engine *e, void (*fn)(void *user), void *user);
/* Takes in what waits at the interface, unless somebody sleeps there: for who is about to wait. */
void engine_look(struct engine *e);

/* CLOCK_MONOTONIC in ns. */
xtime engine_now(void);

/* Whether a connection to a:port is the kernel's to make: the address is the host's own, in 127/8 or of any of its
 * interfaces, now, and (with cfg.has_loopback) no socket of this engine has the port.  An address of ours
 * alone (cfg.addrs) is not the host's. */
bool engine_is_kernels(struct engine *e, ip4 a, uint16_t port);
/* Was it opened with cfg.has_loopback? */
bool engine_has_loopback(const struct engine *e);

/* ---- process life ---- */

/* The process is about to end: closes every socket as exit() does.  True when something is
 * left to deliver: then the engine stands still (other threads that call it wait for the
 * end), and after a plain fork() the child, or without a fork the caller, calls
 * engine_carry_on(); the parent exits. */
bool engine_end(struct engine *e);
/* Before it, where the process goes on: the engine's own thread ends, once no thread waits here (all sockets are bridged).
 * False: some do. */
bool engine_quiesce(struct engine *e);
/* Drives the engine, as the only thread to do so, until everything is delivered or given
 * up; then the process should end. */
void engine_carry_on(struct engine *e);
/* Around fork() in the parent, so that the child finds no lock half held. */
void engine_fork_prepare(struct engine *e);
void engine_fork_done(struct engine *e);
/* In the child of such a fork: lets go of the parent's engine, closing its fds but sending
 * nothing; `e` is gone. */
void engine_forget(struct engine *e);

/* The engine's own fds, which the program must not close: fills up to n, returns how many. */
unsigned engine_fds(const struct engine *e, int *fds, unsigned n);
/* True in the engine's own thread: interposed calls pass straight through there. */
bool engine_is_own_thread(void);

/* A summary of the counters for --stats, as text; returns its length as snprintf() does. */
int engine_stats(struct engine *e, char *buf, size_t len);
/* What the engine attached to, for the log: "eth0, 10.0.0.2 (shared), mtu 1500". */
int engine_describe(struct engine *e, char *buf, size_t len);

#endif
