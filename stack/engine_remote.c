/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_remote.c - options of a bridged socket, asked for by whatever process has it.
 *
 * The engine behind a bridge is named in the name of its end (engine_bridge.c); it takes questions
 * as datagrams under that name, one answer each.  Who asks sends the socket along: to have it is the right to set its
 * options, whoever the user, as it would be with the kernel's.  What needs privileges is granted to root (SCM_CREDENTIALS).
 */
#include "engine_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "fdpass.h"
#include "sys.h"

#define VALUE_MAX 512
#define ANSWER_MS 2000
#define ROUNDS 16

enum op { OP_SETOPT = 1, OP_GETOPT, OP_CONNECT_RESULT };

struct message {
	uint32_t op;
	int32_t level, name;
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

/* The socket has ended: what can be told is the error that it ended with. */
static void answer_late(struct engine *e, struct message *m)
{
	bool asks = m->op == OP_CONNECT_RESULT || (m->op == OP_GETOPT && m->level == SOL_SOCKET && m->name == SO_ERROR);
	int err = asks ? engine_bridge_error(e, m->sock) : 0;

	m->result = m->op == OP_CONNECT_RESULT && err ? -err : err ? 0 : -ENOTCONN;
	m->len = (uint32_t)(m->op == OP_GETOPT && err ? MIN(m->len, sizeof(err)) : 0);
	memcpy(m->val, &err, m->len);
}

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

static void answer(struct engine *e, struct message *m, bool may_admin)
{
	struct slot *slot = engine_slot(e, m->sock);
	socklen_t len = MIN(m->len, VALUE_MAX);
	int err;

	if (!slot && engine_relay_fd(e, m->sock) >= 0) {
		answer_for_kernels(engine_relay_fd(e, m->sock), m);
		return;
	}
	if (!slot) {
		answer_late(e, m);
		return;
	}
	if (m->op == OP_CONNECT_RESULT) {
		m->result = tcp_connect_result(slot->conn);
	} else if (m->op == OP_SETOPT) {
		m->result = tcp_setopt(slot->conn, m->level, m->name, m->val, len, may_admin, e->now);
		len = 0;
	} else if (m->level == SOL_SOCKET && m->name == SO_ERROR) {
		err = tcp_take_error(slot->conn);
		len = (socklen_t)MIN(len, sizeof(err));
		memcpy(m->val, &err, len);
		m->result = 0;
	} else {
		m->result = tcp_getopt(slot->conn, m->level, m->name, m->val, &len, e->now);
	}
	m->len = m->result ? 0 : len;
	e->is_stirred = true;
}

/* What came with a question. */
struct asker {
	struct sockaddr_un addr;
	socklen_t len;
	struct ucred who;        /* the kernel's word */
	int fd;                  /* the socket that is asked about, -1 */
};

static void take_control(struct msghdr *m, struct asker *a)
{
	struct cmsghdr *c;

	a->fd = -1;
	a->who.uid = (uid_t)-1;
	for (c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_CREDENTIALS)
			memcpy(&a->who, CMSG_DATA(c), sizeof(a->who));
		else                    /* who sends more than one has the rest closed */
			fdpass_take(c, &a->fd, a->fd < 0);
	}
}

/* The next question: its length, or -errno when there is none. */
static ssize_t take(struct engine *e, struct message *q, struct asker *a)
{
	union {
		char buf[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int))];
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

/* Has the asker the socket?  Its other end's name is one that only this engine gives; that of a native listener is its
 * own, which nobody else can have while it is there. */
static bool has_socket(struct engine *e, const struct asker *a, const struct message *m)
{
	struct slot *slot = engine_slot(e, m->sock);
	struct engine_bridged b;

	if (a->fd < 0 || engine_bridged(a->fd, &b) || b.host != e->host_id || b.s != m->sock)
		return false;
	return !b.is_native || (slot && slot->bridge && engine_bridge_is_native(slot->bridge));
}

void engine_remote_serve(struct engine *e)
{
	struct asker a;
	struct message m;
	unsigned i;
	ssize_t n;

	for (i = 0; i < ROUNDS && (n = take(e, &m, &a)) >= 0; i++) {
		if (n == sizeof(m)) {
			if (has_socket(e, &a, &m))
				answer(e, &m, a.who.uid == 0);
			else
				m.result = -ESTALE;
			raw_sendto(e->remote, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL, &a.addr, a.len);
		}
		if (a.fd >= 0)
			raw_close(a.fd);
	}
}

/* ---- the asker's ---- */

static int ask_on(int fd, uint64_t host, struct message *m, int about)
{
	struct timespec wait = { ANSWER_MS / 1000, 0 };
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	socklen_t len;
	int r;

	/* A name of the kernel's choice, to be answered at. */
	if (raw_bind(fd, &a, sizeof(a.sun_family)) < 0)
		return -EIO;
	host_name(host, &a, &len);
	if (raw_connect(fd, &a, len) < 0 || fdpass_send(fd, m, sizeof(*m), &about, 1, 0) < 0)
		return -EIO;
	do {
		r = sys_ppoll(&p, 1, &wait, NULL);
	} while (r == -EINTR);  /* handlers run; a call about options isn't interrupted by them */
	if (r != 1)
		return -EIO;
	return raw_recv(fd, m, sizeof(*m), MSG_DONTWAIT) == sizeof(*m) ? m->result : -EIO;
}

static int ask(uint64_t host, struct message *m, int about)
{
	int err = errno, fd = raw_socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), r = -EIO;

	if (fd >= 0) {
		r = ask_on(fd, host, m, about);
		raw_close(fd);
	}
	errno = err;
	return r;
}

int engine_bridged_setopt(int fd, const struct engine_bridged *b, int level, int name, const void *val, socklen_t len)
{
	struct message m = { .op = OP_SETOPT, .level = level, .name = name, .sock = b->s };

	if ((int)len < 0)
		return -EINVAL;
	m.len = (uint32_t)MIN(len, VALUE_MAX);
	memcpy(m.val, val, m.len);
	return ask(b->host, &m, fd);
}

int engine_bridged_getopt(int fd, const struct engine_bridged *b, int level, int name, void *val, socklen_t *len)
{
	struct message m = { .op = OP_GETOPT, .level = level, .name = name, .sock = b->s };
	int r;

	if ((int)*len < 0)
		return -EINVAL;
	m.len = (uint32_t)MIN(*len, VALUE_MAX);
	r = ask(b->host, &m, fd);
	if (r)
		return r;
	*len = (socklen_t)MIN(m.len, *len);
	memcpy(val, m.val, *len);
	return 0;
}

int engine_bridged_connect_result(int fd, const struct engine_bridged *b)
{
	struct message m = { .op = OP_CONNECT_RESULT, .sock = b->s };

	return ask(b->host, &m, fd);
}
