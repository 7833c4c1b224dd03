/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_ask.c - the other side of engine_remote.c: who asks the engine behind a socket.
 *
 * An engine's name is an abstract one, of the network namespace in which it was opened, and looked up in that of the socket that the
 * question is sent by, whatever namespace the thread is in by then.  So a process that goes to another one
 * leaves itself a socket of the one before (engine_ask_by()).
 * Any number of threads and processes send by it, as each question says where the answer is to go: an end of a pair,
 * which hangs up when the engine has gone.
 */
#include "engine_remote.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "fdpass.h"
#include "sys.h"

#define DIAL_MS 2000
#define WAYS_MAX 16
#define FDS_MAX 3

/* The process's, and inherited: sockets of namespaces that it has left. */
static _Atomic int ways[WAYS_MAX];
static _Atomic unsigned nway;

bool engine_ask_by(int fd)
{
	unsigned i = atomic_load(&nway);

	do {
		if (i == WAYS_MAX)
			return false;
	} while (!atomic_compare_exchange_weak(&nway, &i, i + 1));
	atomic_store(&ways[i], fd + 1);
	return true;
}

/* A message with fds, to a name: 0 or -errno. */
static int send_by(int by, const struct sockaddr_un *to, socklen_t len, struct message *m, const int *fds, unsigned n, int flags)
{
	union {
		char buf[CMSG_SPACE(FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control = { .buf = { 0 } };
	struct iovec iov = { m, sizeof(*m) };
	struct msghdr msg = { .msg_name = (void *)(uintptr_t)to, .msg_namelen = len, .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = control.buf, .msg_controllen = CMSG_SPACE(n * sizeof(int)) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	ssize_t r;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	do {
		r = raw_sendmsg(by, &msg, flags | MSG_NOSIGNAL);
	} while (r == -EINTR);
	return (int)MIN(r, 0);
}

/* -ECONNREFUSED: there is no such engine in any namespace that can be reached. */
static int send_question(uint64_t host, struct message *m, const int *fds, unsigned n, int flags)
{
	int by = raw_socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), r = by;
	unsigned i = atomic_load(&nway);
	struct sockaddr_un to;
	socklen_t len;

	engine_remote_name(host, &to, &len);
	if (by >= 0) {
		r = send_by(by, &to, len, m, fds, n, flags);
		raw_close(by);
	}
	while (r == -ECONNREFUSED && i--)
		if (atomic_load(&ways[i]))
			r = send_by(atomic_load(&ways[i]) - 1, &to, len, m, fds, n, flags);
	return r;
}

/* Who has answered, and what came along. */
struct answerer {
	struct ucred who;        /* the kernel's word; uid -1: it wasn't asked for */
	int fd;                  /* -1: nothing; the asker's */
};

static ssize_t receive(int fd, struct message *m, struct answerer *a)
{
	union {
		char buf[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { m, sizeof(*m) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control.buf) };
	ssize_t n = raw_recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c;

	for (c = n < 0 ? NULL : CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS)
			memcpy(&a->who, CMSG_DATA(c), sizeof(a->who));
		else
			fdpass_take(c, &a->fd, a->fd < 0);
	}
	return n;
}

/* An engine that has no time, or is stopped, answers later; handlers run, but a call about options isn't interrupted by
 * them. */
static int take_answer(int fd, struct message *m, const struct timespec *most, struct answerer *a)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct timespec wait;
	int r;

	do {
		wait = most ? *most : (struct timespec){ 0, 0 };
		r = sys_ppoll(&p, 1, most ? &wait : NULL, NULL);
	} while (r == -EINTR);
	return r == 1 && receive(fd, m, a) == sizeof(*m) ? 0 : -EIO;
}

/* Engines' names can be read by all, and anybody can have one like them.  Root's engines are everybody's. */
static bool is_ours(const struct answerer *a)
{
	return !a->who.uid || a->who.uid == geteuid() || a->who.uid == getuid();
}

/* What is asked, with n fds, and for how long at most (NULL: any time).  -EIO: there is no such engine any more. */
static int exchange(uint64_t host, struct message *m, const int *about, unsigned n, const struct timespec *most,
		    struct answerer *a)
{
	int err = errno, on = 1, ends[2], fds[FDS_MAX], r;

	a->fd = -1;
	a->who.uid = (uid_t)-1;
	r = raw_socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends);
	if (!r) {
		if (most)
			r = raw_setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
		fds[0] = ends[1];
		if (n)
			memcpy(fds + 1, about, n * sizeof(*fds));
		if (!r)
			r = send_question(host, m, fds, n + 1, most ? MSG_DONTWAIT : 0);
		raw_close(ends[1]);
		if (!r)
			r = take_answer(ends[0], m, most, a);
		raw_close(ends[0]);
	}
	if (a->fd >= 0 && (r || !most)) {
		raw_close(a->fd);
		a->fd = -1;
	}
	errno = err;
	return r && r != -EBADF ? -EIO : r;     /* closed meanwhile */
}

/* With the socket that it is about, and more. */
static int ask_with(uint64_t host, struct message *m, const int *about, unsigned n)
{
	struct answerer a;
	int r = exchange(host, m, about, n, NULL, &a);

	return r ? r : m->result;
}

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

/* ---- what isn't about a socket that the asker has ---- */

/* For a while, and of an engine of this user or root alone. */
static int ask_in_general(uint64_t host, struct message *m, int *fd)
{
	const struct timespec most = { DIAL_MS / 1000, 0 };
	struct answerer a;
	int r = exchange(host, m, NULL, 0, &most, &a);

	if (!r && !is_ours(&a)) {
		if (a.fd >= 0)
			raw_close(a.fd);
		r = -EPERM;
	}
	*fd = r ? -1 : a.fd;
	return r;
}

int engine_remote_dial(uint64_t host, const struct sockaddr_in *a, bool is_v6, int *fd)
{
	struct message m = { .op = OP_DIAL, .name = is_v6, .len = sizeof(*a) };

	memcpy(m.val, a, sizeof(*a));
	return ask_in_general(host, &m, fd) || *fd < 0 ? -ECONNREFUSED : 0;
}

int engine_remote_ask_port(uint64_t host, const struct port_question *q, int *fd)
{
	struct message m = { .op = OP_PORT, .len = sizeof(*q) };

	memcpy(m.val, q, sizeof(*q));
	return ask_in_general(host, &m, fd) ? -ENOENT : m.result;
}
