/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_remote.c - questions about a socket, from whatever process has it.
 *
 * The engine behind a bridge is named in the name of its end (engine_bridge.c); it takes questions
 * as datagrams under that name, one answer each (engine_remote.h).  Who asks sends the socket along: to have it is the right to set its
 * options, whoever the user, as it would be with the kernel's.  What needs privileges is granted to root (SCM_CREDENTIALS).
 *
 * A child of fork() asks for a socket to be bridged that isn't yet: it has the object under its number, and knows
 * the engine and the handle from before.
 */
#include "engine_remote.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "fdpass.h"
#include "sys.h"

#define ROUNDS 16
#define HOST_NAME_LEN 21 /* "xtcp:" and 16 digits */

void engine_remote_name(uint64_t host, struct sockaddr_un *a, socklen_t *len)
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
	engine_remote_name(e->host_id, &a, &len);
	r = raw_setsockopt(e->remote, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	if (!r)
		r = raw_bind(e->remote, &a, len);
	return r ? r : sys_epoll_ctl64(e->bridge_ep, EPOLL_CTL_ADD, e->remote, EPOLLIN, BRIDGE_REMOTE);
}

/* What came with a question. */
struct asker {
	struct ucred who;        /* the kernel's word */
	int reply;               /* where it is to be answered, -1 */
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
	/* Put off until there is data (TCP_FASTOPEN_CONNECT), which nobody will announce here. */
	if (r > 0) {
		r = tcp_fastopen_start(slot->conn, NULL, 0, false, e->now);
		tcp_fastopen_copied(slot->conn);
	}
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
	int fds[3] = { -1, -1, -1 };
	struct cmsghdr *c;
	unsigned n = 0;

	a->who.uid = (uid_t)-1;
	for (c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_CREDENTIALS)
			memcpy(&a->who, CMSG_DATA(c), sizeof(a->who));
		else                    /* who sends more has the rest closed */
			n += fdpass_take(c, fds + n, 3 - n);
	}
	a->reply = fds[0];
	a->fd = fds[1];
	a->kernels = fds[2];
}

/* The next question: its length, or -errno when there is none. */
static ssize_t take(struct engine *e, struct message *q, struct asker *a)
{
	union {
		char buf[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(3 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { q, sizeof(*q) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf,
			    .msg_controllen = sizeof(control.buf) };
	ssize_t n = raw_recvmsg(e->remote, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0)
		return n;
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

/* val: a struct sockaddr_in; name: for an AF_INET6 socket.  *fd goes with the answer. */
static void dial(struct engine *e, struct message *m, int *fd)
{
	struct sockaddr_in to;

	memcpy(&to, m->val, sizeof(to));
	m->result = engine_dial_answer(e, &to, m->name, fd);
}

/* val: a struct port_question. */
static void answer_port(struct engine *e, const struct asker *a, struct message *m, int *fd)
{
	struct port_question q;

	memcpy(&q, m->val, sizeof(q));
	m->result = engine_port_answer(e, &q, a->who.uid, fd);
}

static void serve(struct engine *e, struct message *m, const struct asker *a)
{
	int fd = -1;

	if (m->op == OP_DIAL)
		dial(e, m, &fd);
	else if (m->op == OP_PORT)
		answer_port(e, a, m, &fd);
	else
		answer(e, m, a);
	fdpass_send(a->reply, m, sizeof(*m), &fd, fd < 0 ? 0 : 1, MSG_DONTWAIT);
	if (fd >= 0)
		raw_close(fd);
}

static void close_fds(const struct asker *a)
{
	const int fds[] = { a->reply, a->fd, a->kernels };
	unsigned i;

	for (i = 0; i < ARRAY_LEN(fds); i++)
		if (fds[i] >= 0)
			raw_close(fds[i]);
}

void engine_remote_serve(struct engine *e)
{
	struct asker a;
	struct message m;
	unsigned i;
	ssize_t n;

	for (i = 0; i < ROUNDS && (n = take(e, &m, &a)) >= 0; i++) {
		if (n == sizeof(m) && a.reply >= 0)
			serve(e, &m, &a);
		close_fds(&a);
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
