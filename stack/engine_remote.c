/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_remote.c - questions about a socket, from whatever process has it.
 *
 * The engine behind a bridge is named in the name of its end (engine_bridge.c); it takes questions
 * as datagrams under that name, one answer each.  Who asks sends the socket along: to have it is the right to set its
 * options, whoever the user, as it would be with the kernel's.  What needs privileges is granted to root (SCM_CREDENTIALS).
 * Who wants a connection to a listener here (engine_dial.c) sends a socket to be answered at.
 *
 * A child of fork() asks for a socket to be bridged that isn't yet: it has the object under its number, and knows
 * the engine and the handle from before.
 */
#include "engine_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "fdpass.h"
#include "sys.h"

#define VALUE_MAX 512
#define LOOK_MS 200      /* how often who waits for an answer looks whether the engine is still there */
#define DIAL_MS 2000
#define ROUNDS 16
#define HOST_NAME_LEN 21 /* "xtcp:" and 16 digits */

enum op { OP_SETOPT = 1, OP_GETOPT, OP_BIND, OP_CONNECT, OP_CONNECT_RESULT, OP_LISTEN, OP_REFRESH, OP_BRIDGE, OP_DIAL, OP_PORT,
	  OP_IS_KERNELS, OP_NEXT_OPTION, OP_YIELD };

struct message {
	uint32_t op;
	int32_t level, name;     /* of an option */
	int32_t number;          /* the asker's, for OP_BRIDGE and OP_YIELD; OP_NEXT_OPTION: a place in the engine's list */
	int32_t result;          /* 0 or -errno */
	uint64_t sock;
	uint32_t len;            /* of val */
	uint8_t val[VALUE_MAX];
};

static void host_name(uint64_t host, struct sockaddr_un *a, socklen_t *len)
{
	int n;

	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	n = snprintf(a->sun_path + 1, sizeof(a->sun_path) - 1, "xtcp:%016" PRIx64, host);
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

uint64_t engine_remote_parse(const char *name)
{
	uint64_t host;
	int n = 0;

	return sscanf(name, "xtcp:%16" SCNx64 "%n", &host, &n) == 1 && n == HOST_NAME_LEN && !name[n] ? host : 0;
}

/* ---- the engine's side ---- */

int engine_remote_open(struct engine *e)
{
	struct sockaddr_un a;
	socklen_t len;
	int on = 1, r;

	e->remote = highfd_raise(raw_socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	if (e->remote < 0)
		return e->remote;
	host_name(e->host_id, &a, &len);
	r = raw_setsockopt(e->remote, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	if (!r)
		r = raw_bind(e->remote, &a, len);
	return r ? r : sys_epoll_ctl64(e->bridge_ep, EPOLL_CTL_ADD, e->remote, EPOLLIN, BRIDGE_REMOTE);
}

/* What came with a question. */
struct asker {
	struct sockaddr_un addr;
	socklen_t len;
	struct ucred who;        /* the kernel's word */
	int fd;                  /* the socket that is asked about, -1 */
	int kernels;             /* OP_YIELD: what takes its place, -1 */
};

/* The engine's rights are not the asker's, but what needs some is for who can make such a socket itself. */
static void answer_for_kernels(int fd, struct message *m)
{
	socklen_t len = MIN(m->len, VALUE_MAX);

	if (m->op == OP_SETOPT)
		m->result = raw_setsockopt(fd, m->level, m->name, m->val, len);
	else if (m->op == OP_GETOPT)
		m->result = raw_getsockopt(fd, m->level, m->name, m->val, &len);
	else
		m->result = -EISCONN;
	m->len = m->op == OP_GETOPT && !m->result ? len : 0;
}

static void set_option(struct engine *e, struct slot *slot, struct message *m, bool may_admin)
{
	m->result = tcp_setopt(slot->conn, m->level, m->name, m->val, m->len, may_admin, e->now);
	if (!m->result)
		engine_local_setopt(slot, m->level, m->name, m->val, m->len);
	m->len = 0;
}

static void get_option(struct engine *e, struct slot *slot, struct message *m)
{
	socklen_t len = m->len;
	int err;

	if (m->level == SOL_SOCKET && m->name == SO_ERROR) {
		err = tcp_take_error(slot->conn);
		len = (socklen_t)MIN(len, sizeof(err));
		memcpy(m->val, &err, len);
		m->result = 0;
	} else {
		m->result = tcp_getopt(slot->conn, m->level, m->name, m->val, &len, e->now);
	}
	m->len = m->result ? 0 : len;
}

/* What accept() inherits, and what the kernel does before it; those that the program set are here alone. */
static const struct { int level, name; } lent[] = {
	{ SOL_SOCKET, SO_KEEPALIVE }, { SOL_SOCKET, SO_LINGER }, { SOL_SOCKET, SO_PRIORITY }, { IPPROTO_IP, IP_TOS },
	{ IPPROTO_IP, IP_TTL }, { IPPROTO_TCP, TCP_NODELAY }, { IPPROTO_TCP, TCP_KEEPIDLE },
	{ IPPROTO_TCP, TCP_KEEPINTVL }, { IPPROTO_TCP, TCP_KEEPCNT }, { IPPROTO_TCP, TCP_LINGER2 },
	{ IPPROTO_TCP, TCP_DEFER_ACCEPT }, { IPPROTO_TCP, TCP_USER_TIMEOUT }, { IPPROTO_TCP, TCP_SYNCNT },
};

struct lender {
	struct slot *slot;
	xtime now;
};

static void lend_options(void *user, int fd)
{
	struct lender *l = user;
	struct linger v;                /* the largest */
	socklen_t len;
	unsigned i;

	for (i = 0; i < sizeof(lent) / sizeof(lent[0]); i++) {
		len = sizeof(v);
		if (!tcp_getopt(l->slot->conn, lent[i].level, lent[i].name, &v, &len, l->now))
			raw_setsockopt(fd, lent[i].level, lent[i].name, &v, len);
	}
}

static int begin_to_listen(struct engine *e, struct slot *slot, const struct message *m)
{
	struct lender l = { slot, e->now };
	struct engine_local how = { .is_v6 = m->name, .set_up = lend_options, .user = &l };
	int r;

	memcpy(&how.backlog, m->val, sizeof(how.backlog));
	r = engine_slot_listen(e, slot, how.backlog);
	if (!r)
		r = engine_local_listen(e, slot, &how);
	if (!r && slot->bridge)
		engine_bridge_begin(e, slot, -1);
	return r;
}

static int begin_to_connect(struct engine *e, struct slot *slot, const struct sockaddr_in *a, int near)
{
	int r;

	if (!engine_bridge_is_idle(slot))
		return -EISCONN;
	if (engine_host_has(e, ntohl(a->sin_addr.s_addr), ntohs(a->sin_port)))
		return -EXDEV;
	r = engine_slot_connect(e, slot, a);
	if (r < 0)
		return r;
	engine_bridge_begin(e, slot, near);
	return -EINPROGRESS;
}

static void tell(const struct engine *e, const struct slot *slot, struct message *m)
{
	struct engine_bridged b = { .host = 0 };
	uint16_t port;
	ip4 addr;

	engine_bridge_identify(e, slot, false, &b);
	if (tcp_peername(slot->conn, &addr, &port) < 0)
		b.peer = (struct sockaddr_in){ .sin_family = AF_UNSPEC };
	memcpy(m->val, &b, sizeof(b));
	m->len = sizeof(b);
}

static void next_option(struct engine *e, struct slot *slot, struct message *m)
{
	struct engine_option o = { .at = (unsigned)m->number };

	m->result = engine_yield_option(e, slot, &o);
	m->number = (int32_t)o.at;
	m->level = o.level;
	m->name = o.name;
	m->len = o.len;
	memcpy(m->val, o.val, o.len);
}

static void yield(struct engine *e, struct slot *slot, struct message *m, const struct asker *a)
{
	struct sockaddr_in bound;

	m->result = engine_yield(e, slot, m->sock, m->number, a->kernels, &bound);
	m->len = sizeof(bound);
	memcpy(m->val, &bound, sizeof(bound));
}

/* Of one whose object has ended nothing can become any more. */
static bool is_only_for_questions(const struct engine *e, const struct message *m)
{
	return (m->op == OP_BIND || m->op == OP_CONNECT || m->op == OP_LISTEN || m->op == OP_BRIDGE || m->op == OP_YIELD) &&
	       engine_bridge_has_ended(e, m->sock);
}

static void act(struct engine *e, struct slot *slot, struct message *m, const struct asker *a)
{
	bool is_root = a->who.uid == 0;
	struct sockaddr_in addr;

	memcpy(&addr, m->val, sizeof(addr));
	m->result = 0;
	switch (m->op) {
	case OP_SETOPT:
		set_option(e, slot, m, is_root);
		return;
	case OP_GETOPT:
		get_option(e, slot, m);
		return;
	case OP_REFRESH:
		tell(e, slot, m);
		return;
	case OP_NEXT_OPTION:
		next_option(e, slot, m);
		return;
	case OP_YIELD:
		yield(e, slot, m, a);
		return;
	case OP_IS_KERNELS:
		m->result = engine_host_has(e, ntohl(addr.sin_addr.s_addr), ntohs(addr.sin_port));
		break;
	case OP_CONNECT_RESULT:
		m->result = tcp_connect_result(slot->conn);
		break;
	case OP_BRIDGE:
		m->result = engine_bridge_slot(e, slot, m->number, a->fd);
		break;
	case OP_BIND:
		m->result = engine_slot_bind(e, slot, &addr, is_root);
		break;
	case OP_CONNECT:
		m->result = begin_to_connect(e, slot, &addr, a->fd);
		break;
	case OP_LISTEN:
		m->result = begin_to_listen(e, slot, m);
		break;
	default:
		m->result = -EINVAL;
	}
	m->len = 0;
}

static void take_control(struct msghdr *m, struct asker *a)
{
	int fds[2] = { -1, -1 };
	struct cmsghdr *c;
	unsigned n = 0;

	a->who.uid = (uid_t)-1;
	for (c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_CREDENTIALS)
			memcpy(&a->who, CMSG_DATA(c), sizeof(a->who));
		else                    /* who sends more has the rest closed */
			n += fdpass_take(c, fds + n, 2 - n);
	}
	a->fd = fds[0];
	a->kernels = fds[1];
}

/* The next question: its length, or -errno when there is none. */
static ssize_t take(struct engine *e, struct message *q, struct asker *a)
{
	union {
		char buf[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { q, sizeof(*q) };
	struct msghdr m = { .msg_name = &a->addr, .msg_namelen = sizeof(a->addr), .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = control.buf, .msg_controllen = sizeof(control.buf) };
	ssize_t n = raw_recvmsg(e->remote, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0)
		return n;
	a->len = m.msg_namelen;
	take_control(&m, a);
	return n;
}

/* 0 when the asker has the socket, or -ESTALE.  Its other end's name is one that only this engine gives; that of a native
 * listener is its own, which nobody else can have while it is there; without a name, the program knows its own object.
 * -ENOTCONN: a native listener that has ended, as by shutdown(). */
static int check_socket(struct engine *e, const struct asker *a, const struct message *m)
{
	struct slot *slot = engine_slot(e, m->sock);
	struct engine_bridged b;

	if (a->fd < 0)
		return -ESTALE;
	if (engine_bridged(a->fd, &b))
		return e->cfg.is_object_of && e->cfg.is_object_of(m->sock, m->number, a->fd) ? 0 : -ESTALE;
	if (b.host != e->host_id || b.s != m->sock)
		return -ESTALE;
	return !b.is_native || (slot && slot->bridge && engine_bridge_is_native(slot->bridge)) ? 0 : -ENOTCONN;
}

static void answer(struct engine *e, struct message *m, const struct asker *a)
{
	struct slot *slot = engine_slot(e, m->sock);

	m->len = MIN(m->len, VALUE_MAX);
	m->result = check_socket(e, a, m);
	if (m->result)
		m->len = 0;
	else if (!slot && engine_relay_fd(e, m->sock) >= 0)
		answer_for_kernels(engine_relay_fd(e, m->sock), m);
	else if (!slot || is_only_for_questions(e, m))
		m->result = -ENOTCONN;
	else
		act(e, slot, m, a);
	if (slot && slot->conn)
		engine_tell(e, slot);
	e->is_stirred = true;
}

/* val: a struct sockaddr_in; name: for an AF_INET6 socket. */
static void dial(struct engine *e, const struct asker *a, struct message *m)
{
	struct sockaddr_in to;
	int fd = -1;

	memcpy(&to, m->val, sizeof(to));
	m->result = engine_dial_answer(e, &to, m->name, &fd);
	fdpass_send(a->fd, m, sizeof(*m), &fd, m->result ? 0 : 1, MSG_DONTWAIT);
	if (!m->result)
		raw_close(fd);
}

/* val: a struct port_question. */
static void answer_port(struct engine *e, const struct asker *a, struct message *m)
{
	struct port_question q;
	int fd = -1;

	memcpy(&q, m->val, sizeof(q));
	m->result = engine_port_answer(e, &q, a->who.uid, &fd);
	fdpass_send(a->fd, m, sizeof(*m), &fd, fd < 0 ? 0 : 1, MSG_DONTWAIT);
	if (fd >= 0)
		raw_close(fd);
}

void engine_remote_serve(struct engine *e)
{
	struct asker a;
	struct message m;
	unsigned i;
	ssize_t n;

	for (i = 0; i < ROUNDS && (n = take(e, &m, &a)) >= 0; i++) {
		if (n == sizeof(m) && m.op == OP_DIAL) {
			dial(e, &a, &m);
		} else if (n == sizeof(m) && m.op == OP_PORT) {
			answer_port(e, &a, &m);
		} else if (n == sizeof(m)) {
			answer(e, &m, &a);
			raw_sendto(e->remote, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL, &a.addr, a.len);
		}
		if (a.fd >= 0)
			raw_close(a.fd);
		if (a.kernels >= 0)
			raw_close(a.kernels);
	}
}

int engine_publish(struct engine *e, uint64_t *host)
{
	int r;

	engine_enter(e);
	r = engine_bridge_prepare(e);
	*host = e->host_id;
	engine_exit(e);
	return r;
}

/* ---- the asker's ---- */

/* 0 or -errno; -ECONNREFUSED: there is no such engine. */
static int connect_to(int fd, uint64_t host)
{
	struct sockaddr_un a;
	socklen_t len;

	host_name(host, &a, &len);
	return raw_connect(fd, &a, len);
}

static bool is_there(uint64_t host)
{
	int fd = raw_socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), r;

	if (fd < 0)
		return true;
	r = connect_to(fd, host);
	raw_close(fd);
	return r != -ECONNREFUSED;
}

/* An engine that has no time, or is stopped, answers later; handlers run, but a call about options isn't interrupted by
 * them. */
static int wait_for_answer(int fd, uint64_t host)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct timespec wait;
	int r;

	do {
		wait = (struct timespec){ 0, LOOK_MS * 1000000L };
		r = sys_ppoll(&p, 1, &wait, NULL);
	} while (r == -EINTR || (!r && is_there(host)));
	return r == 1 ? 0 : -EIO;
}

static int ask_on(int fd, uint64_t host, struct message *m, const int *about, unsigned n)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int r;

	/* A name of the kernel's choice, to be answered at. */
	if (raw_bind(fd, &a, sizeof(a.sun_family)) < 0 || connect_to(fd, host) < 0)
		return -EIO;
	do {
		r = (int)fdpass_send(fd, m, sizeof(*m), about, n, 0);
	} while (r == -EINTR);
	if (r < 0)
		return r == -EBADF ? r : -EIO;  /* closed meanwhile */
	r = wait_for_answer(fd, host);
	if (r)
		return r;
	return raw_recv(fd, m, sizeof(*m), MSG_DONTWAIT) == sizeof(*m) ? m->result : -EIO;
}

/* With the socket that it is about, and more. */
static int ask_with(uint64_t host, struct message *m, const int *about, unsigned n)
{
	int err = errno, fd = raw_socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), r = -EIO;

	if (fd >= 0) {
		r = ask_on(fd, host, m, about, n);
		raw_close(fd);
	}
	errno = err;
	return r;
}

/* -EIO: there is no such engine any more. */
static int ask(uint64_t host, struct message *m, int about)
{
	return ask_with(host, m, &about, 1);
}

static int ask_setopt(uint64_t host, struct message *m, int about, const void *val, socklen_t len)
{
	if ((int)len < 0)
		return -EINVAL;
	m->op = OP_SETOPT;
	m->len = (uint32_t)MIN(len, VALUE_MAX);
	memcpy(m->val, val, m->len);
	return ask(host, m, about);
}

static int ask_getopt(uint64_t host, struct message *m, int about, void *val, socklen_t *len)
{
	int r;

	if ((int)*len < 0)
		return -EINVAL;
	m->op = OP_GETOPT;
	m->len = (uint32_t)MIN(*len, VALUE_MAX);
	r = ask(host, m, about);
	if (r)
		return r;
	*len = (socklen_t)MIN(m->len, *len);
	memcpy(val, m->val, *len);
	return 0;
}

int engine_bridged_setopt(int fd, const struct engine_bridged *b, int level, int name, const void *val, socklen_t len)
{
	struct message m = { .level = level, .name = name, .sock = b->s };

	return ask_setopt(b->host, &m, fd, val, len);
}

int engine_bridged_getopt(int fd, const struct engine_bridged *b, int level, int name, void *val, socklen_t *len)
{
	struct message m = { .level = level, .name = name, .sock = b->s };

	return ask_getopt(b->host, &m, fd, val, len);
}

static int ask_about(int fd, const struct engine_bridged *b, enum op op, int name, const void *val, socklen_t len)
{
	struct message m = { .op = op, .name = name, .sock = b->s, .len = len };

	memcpy(m.val, val, len);
	return ask(b->host, &m, fd);
}

int engine_bridged_bind(int fd, const struct engine_bridged *b, const struct sockaddr_in *a)
{
	return ask_about(fd, b, OP_BIND, 0, a, sizeof(*a));
}

int engine_bridged_connect(int fd, const struct engine_bridged *b, const struct sockaddr_in *a)
{
	return ask_about(fd, b, OP_CONNECT, 0, a, sizeof(*a));
}

int engine_bridged_connect_result(int fd, const struct engine_bridged *b)
{
	return ask_about(fd, b, OP_CONNECT_RESULT, 0, "", 0);
}

int engine_bridged_listen(int fd, const struct engine_bridged *b, int backlog)
{
	return ask_about(fd, b, OP_LISTEN, b->is_v6, &backlog, sizeof(backlog));
}

int engine_bridged_refresh(int fd, struct engine_bridged *b)
{
	struct message m = { .op = OP_REFRESH, .sock = b->s };
	bool is_v6 = b->is_v6;
	int r = ask(b->host, &m, fd);

	if (!r)
		memcpy(b, m.val, sizeof(*b));
	b->is_v6 = is_v6;
	return r;
}

int engine_bridged_is_kernels(int fd, const struct engine_bridged *b, const struct sockaddr_in *a)
{
	return ask_about(fd, b, OP_IS_KERNELS, 0, a, sizeof(*a));
}

/* What can't be had there stays as it is. */
static int copy_options(int fd, const struct engine_bridged *b, int kernels)
{
	struct message m = { .number = 0 };
	int r;

	do {
		m.op = OP_NEXT_OPTION;
		m.sock = b->s;
		r = ask(b->host, &m, fd);
		if (!r)
			raw_setsockopt(kernels, m.level, m.name, m.val, (socklen_t)MIN(m.len, VALUE_MAX));
	} while (!r);
	return r == -ENOENT ? 0 : r;
}

int engine_bridged_yield(int fd, const struct engine_bridged *b, int kernels, struct sockaddr_in *bound)
{
	struct message m = { .op = OP_YIELD, .number = fd, .sock = b->s };
	int r = copy_options(fd, b, kernels), with[2] = { fd, kernels };

	if (!r)
		r = ask_with(b->host, &m, with, 2);
	if (!r)
		memcpy(bound, m.val, sizeof(*bound));
	return r;
}

int engine_bridge_foreign(uint64_t host, engine_sock s, int fd)
{
	struct message m = { .op = OP_BRIDGE, .sock = s, .number = fd };

	return ask(host, &m, fd);
}

/* A question that is answered at ends[0], with *n fds, one at most; ends[1] is closed.  0 or -ECONNREFUSED. */
static int exchange(uint64_t host, struct message *m, int ends[2], int *fd, unsigned *n)
{
	struct timespec wait = { DIAL_MS / 1000, 0 };
	struct pollfd p = { .fd = ends[0], .events = POLLIN };
	int to, r;

	*n = 0;
	to = raw_socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	r = to < 0 ? to : connect_to(to, host);
	if (!r)
		r = (int)MIN(fdpass_send(to, m, sizeof(*m), &ends[1], 1, MSG_DONTWAIT), 0);
	if (to >= 0)
		raw_close(to);
	raw_close(ends[1]);
	while (!r && (r = sys_ppoll(&p, 1, &wait, NULL)) == -EINTR)
		r = 0;
	return r == 1 && fdpass_recv(ends[0], m, sizeof(*m), fd, 1, n, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) == sizeof(*m) ?
	       0 : -ECONNREFUSED;
}

static int exchange_at_pair(uint64_t host, struct message *m, int *fd)
{
	int err = errno, ends[2], r;
	unsigned n = 0;

	*fd = -1;
	r = raw_socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends);
	if (!r) {
		r = exchange(host, m, ends, fd, &n);
		raw_close(ends[0]);
		if (r && n)
			raw_close(*fd);
	}
	errno = err;
	return r;
}

int engine_remote_dial(uint64_t host, const struct sockaddr_in *a, bool is_v6, int *fd)
{
	struct message m = { .op = OP_DIAL, .name = is_v6, .len = sizeof(*a) };
	int r;

	memcpy(m.val, a, sizeof(*a));
	r = exchange_at_pair(host, &m, fd);
	return !r && *fd < 0 ? -ECONNREFUSED : r;
}

int engine_remote_ask_port(uint64_t host, const struct port_question *q, int *fd)
{
	struct message m = { .op = OP_PORT, .len = sizeof(*q) };

	memcpy(m.val, q, sizeof(*q));
	return exchange_at_pair(host, &m, fd) ? -ENOENT : m.result;
}
