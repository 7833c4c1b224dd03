/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * step.c - system calls of a script, made on the interposed libc calls of shim/.
 */
#include "conform/step.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <unistd.h>

/* ---- values ---- */

void step_fail(struct step *c, const char *fmt, ...)
{
	va_list ap;

	if (c->err[0])
		return;
	va_start(ap, fmt);
	vsnprintf(c->err, c->err_len, fmt, ap);
	va_end(ap);
}

int64_t step_num(struct step *c, const struct expr *e)
{
	int64_t v = 0;

	switch (e->kind) {
	case EXPR_INT:
		return e->num;
	case EXPR_OR:
		return step_num(c, e->v[0]) | step_num(c, e->v[1]);
	case EXPR_WORD:
		if (!symbol_find(e->text, &v))
			step_fail(c, "%s is no constant that is known", e->text);
		return v;
	case EXPR_CALL:
		if (!strcmp(e->text, "htons") && e->n == 1)
			return htons((uint16_t)step_num(c, e->v[0]));
		break;
	default:
		break;
	}
	step_fail(c, "an argument of %s() should be a number", c->spec->name);
	return 0;
}

static const struct expr *arg(struct step *c, unsigned i)
{
	static const struct expr none = { .kind = EXPR_ELLIPSIS };

	if (i < c->n)
		return c->args[i];
	step_fail(c, "%s() lacks an argument", c->spec->name);
	return &none;
}

int64_t step_arg(struct step *c, unsigned i)
{
	const struct expr *e = arg(c, i);

	return c->err[0] ? 0 : step_num(c, e);
}

int step_fd_of(struct step *c, int64_t fd)
{
	if (fd < 0)
		return (int)fd;
	if (fd >= RUN_FDS)
		step_fail(c, "the script's fds go to %d", RUN_FDS - 1);
	return fd < RUN_FDS && c->r->fds[fd] >= 0 ? c->r->fds[fd] : 999;   /* 999: EBADF */
}

int step_fd(struct step *c, unsigned i)
{
	return step_fd_of(c, step_arg(c, i));
}

const struct expr *step_field(const struct expr *brace, const char *name)
{
	unsigned i;

	for (i = 0; i < brace->n; i++) {
		const struct expr *f = brace->v[i];

		if (f->kind == EXPR_ASSIGN && f->v[0]->text && !strcmp(f->v[0]->text, name))
			return f->v[1];
	}
	return NULL;
}

static void explicit_addr(struct step *c, const struct expr *e, struct sockaddr_in *in)
{
	const struct expr *family = step_field(e, "sa_family"), *port = step_field(e, "sin_port");
	const struct expr *addr = step_field(e, "sin_addr");

	if (!family || !port || !addr || addr->kind != EXPR_CALL || addr->n != 1 ||
	    addr->v[0]->kind != EXPR_STRING) {
		step_fail(c, "an address is {sa_family = F, sin_port = htons(N), sin_addr = inet_addr(\"A\")}");
		return;
	}
	in->sin_family = (sa_family_t)step_num(c, family);
	in->sin_port = (in_port_t)step_num(c, port);
	if (inet_pton(AF_INET, addr->v[0]->text, &in->sin_addr) != 1)
		step_fail(c, "%s is no address", addr->v[0]->text);
}

void step_addr(struct step *c, const struct expr *e, bool is_remote, struct sockaddr_storage *a, socklen_t *len)
{
	struct sockaddr_in *in = (struct sockaddr_in *)a;

	memset(a, 0, sizeof(*a));
	*len = sizeof(*in);
	in->sin_family = AF_INET;
	in->sin_port = htons(RUN_PORT);
	in->sin_addr.s_addr = htonl(is_remote ? c->r->s->remote : c->r->s->local);
	if (e->kind == EXPR_BRACE)
		explicit_addr(c, e, in);
	else if (e->kind != EXPR_ELLIPSIS)
		step_fail(c, "an address is ... or {...}");
}

/* ---- bytes ---- */

uint8_t *step_bytes(struct step *c, const struct expr *e, unsigned fd, size_t skip, size_t n)
{
	uint8_t *p;
	size_t i;

	if (e->kind == EXPR_WORD || e->kind == EXPR_INT)
		return (uint8_t *)(uintptr_t)step_num(c, e);
	p = malloc(n ? n : 1);
	if (!p)
		abort();
	for (i = 0; i < n; i++)
		p[i] = run_pattern(c->r->wrote[fd % RUN_FDS] + (uint32_t)(skip + i));
	return p;
}

void step_check_bytes(struct step *c, unsigned fd, const uint8_t *p, size_t skip, size_t n)
{
	uint32_t from = c->r->read[fd % RUN_FDS] + (uint32_t)skip;
	size_t i;

	for (i = 0; !c->r->any_payload && i < n; i++) {
		if (p[i] != run_pattern(from + (uint32_t)i)) {
			step_fail(c, "byte %zu of those read is wrong", skip + i);
			return;
		}
	}
}

/* ---- results ---- */

static const char *err_name(int err)
{
	const char *name = symbol_errno(err);

	return name ? name : "?";
}

void step_result(struct step *c, int64_t v)
{
	int err = v < 0 ? errno : 0;
	int64_t want, want_err = 0;

	if (c->err[0] || c->spec->result->kind == EXPR_ELLIPSIS)
		return;
	want = step_num(c, c->spec->result);
	if (c->spec->err && !symbol_find(c->spec->err, &want_err))
		step_fail(c, "%s is no errno that is known", c->spec->err);
	if (v < 0 && v != want)
		step_fail(c, "%s() gave -1 %s (%s)", c->spec->name, err_name(err), strerror(err));
	if (v != want)
		step_fail(c, "%s() gave %lld", c->spec->name, (long long)v);
	if (v < 0 && c->spec->err && err != want_err)
		step_fail(c, "%s() gave -1 %s (%s)", c->spec->name, err_name(err), strerror(err));
}

void step_out(struct step *c, const struct expr *expected, int64_t v, const char *what)
{
	if (expected->kind == EXPR_ELLIPSIS || c->err[0])
		return;
	if (step_num(c, expected) != v)
		step_fail(c, "%s is %lld (0x%llx), not %lld", what, (long long)v, (long long)v,
			  (long long)step_num(c, expected));
}

/* A new fd gets the script's number for it. */
static void new_fd(struct step *c, int fd, const struct expr *number)
{
	int64_t want = number->kind == EXPR_ELLIPSIS ? -1 : step_num(c, number);

	if (fd < 0) {
		step_result(c, fd);
		return;
	}
	if (want < 0 || want >= RUN_FDS) {
		step_fail(c, "%s() gave an fd", c->spec->name);
		return;
	}
	if (c->r->fds[want] >= 0)
		step_fail(c, "fd %d is in use in the script", (int)want);
	c->r->fds[want] = fd;
	c->r->wrote[want] = c->r->read[want] = 0;
}

/* ---- the calls ---- */

static void do_socket(struct step *c)
{
	const struct expr *domain = arg(c, 0);
	int fd = socket(domain->kind == EXPR_ELLIPSIS ? AF_INET : (int)step_num(c, domain), (int)step_arg(c, 1),
			(int)step_arg(c, 2));

	new_fd(c, fd, c->spec->result);
	if (fd >= 0 && !c->err[0])
		peer_new(c->r, (int)step_num(c, c->spec->result));
}

static void do_bind(struct step *c)
{
	struct peer *p = peer_of_fd(c->r, (int)step_arg(c, 0));
	struct sockaddr_storage a;
	socklen_t len;
	int ret;

	step_addr(c, arg(c, 1), false, &a, &len);
	if (arg(c, 2)->kind != EXPR_ELLIPSIS)
		len = (socklen_t)step_arg(c, 2);
	ret = bind(step_fd(c, 0), (struct sockaddr *)&a, len);
	if (!ret && p)
		p->lport = ntohs(((struct sockaddr_in *)&a)->sin_port);
	step_result(c, ret);
}

static void do_listen(struct step *c)
{
	struct peer *p = peer_of_fd(c->r, (int)step_arg(c, 0));
	int ret = listen(step_fd(c, 0), (int)step_arg(c, 1));

	if (!ret && p) {
		p->state = PEER_LISTENING;
		c->r->under_test = p;
	}
	step_result(c, ret);
}

/* The connection that fd is. */
static struct peer *peer_of_accepted(struct run *r, int fd)
{
	struct sockaddr_in a = { 0 };
	socklen_t len = sizeof(a);
	struct peer *p;

	getpeername(fd, (struct sockaddr *)&a, &len);
	for (p = r->peers; p; p = p->next)
		if (p->fd < 0 && p->rport == ntohs(a.sin_port) && p->raddr == ntohl(a.sin_addr.s_addr))
			return p;
	return NULL;
}

/* accept() gives no name of a peer that has reset the connection: then it is the oldest. */
static void do_accept(struct step *c)
{
	int fd = accept4(step_fd(c, 0), NULL, NULL, c->n > 3 ? (int)step_arg(c, 3) : 0);
	struct peer *p, *found;

	new_fd(c, fd, c->spec->result);
	if (fd < 0 || c->err[0])
		return;
	found = peer_of_accepted(c->r, fd);
	for (p = found ? NULL : c->r->peers; p; p = p->next)
		found = p->fd == -1 ? p : found;
	if (found)
		found->fd = (int)step_num(c, c->spec->result);
}

/* Before connect(): from now on its SYN is looked for. */
static void expect_syn(struct step *c, const struct sockaddr_storage *a)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)a;
	struct peer *p = peer_of_fd(c->r, (int)step_arg(c, 0));

	if (!p || in->sin_family != AF_INET)
		return;
	if (p->state == PEER_NEW || p->state == PEER_OPEN) {
		p->is_answered = false;
		p->state = PEER_CONNECTING;
		p->raddr = ntohl(in->sin_addr.s_addr);
		p->rport = ntohs(in->sin_port);
	}
}

static void do_connect(struct step *c)
{
	struct sockaddr_storage a;
	struct peer *p = peer_of_fd(c->r, (int)step_arg(c, 0));
	enum peer_state was = p ? p->state : PEER_NEW;
	socklen_t len;
	int ret;

	step_addr(c, arg(c, 1), true, &a, &len);
	if (arg(c, 2)->kind != EXPR_ELLIPSIS)
		len = (socklen_t)step_arg(c, 2);
	expect_syn(c, &a);
	ret = connect(step_fd(c, 0), (struct sockaddr *)&a, len);
	/* It made no new attempt. */
	if (p && p->state == PEER_CONNECTING && (ret ? errno != EINPROGRESS : was == PEER_OPEN))
		p->state = was;
	step_result(c, ret);
}

static void count_wrote(struct step *c, int64_t fd, int64_t n)
{
	if (n > 0 && fd >= 0 && fd < RUN_FDS)
		c->r->wrote[fd] += (uint32_t)n;
}

static void count_read(struct step *c, int64_t fd, int64_t n, int flags, const uint8_t *p)
{
	if (n <= 0 || fd < 0 || fd >= RUN_FDS)
		return;
	if (flags & MSG_OOB)
		c->r->any_payload = true;
	if (!(flags & MSG_TRUNC))
		step_check_bytes(c, (unsigned)fd, p, 0, (size_t)n);
	if (!(flags & MSG_PEEK))
		c->r->read[fd] += (uint32_t)n;
}

/* write(fd, ..., n), send(fd, ..., n, flags), sendto(fd, ..., n, flags, address, length) */
static void do_write(struct step *c)
{
	int64_t fd = step_arg(c, 0), n = step_arg(c, 2), ret;
	int flags = c->n > 3 ? (int)step_arg(c, 3) : 0, err;
	uint8_t *p = step_bytes(c, arg(c, 1), (unsigned)fd, 0, (size_t)n);
	struct sockaddr_storage a;
	socklen_t len = 0;

	if (c->n > 4) {
		step_addr(c, arg(c, 4), true, &a, &len);
		if (c->n > 5 && arg(c, 5)->kind != EXPR_ELLIPSIS)
			len = (socklen_t)step_arg(c, 5);
		if (flags & MSG_FASTOPEN)
			expect_syn(c, &a);
	}
	if (c->err[0])
		ret = 0;
	else if (!strcmp(c->spec->name, "write"))
		ret = write(step_fd(c, 0), p, (size_t)n);
	else if (c->n > 4)
		ret = sendto(step_fd(c, 0), p, (size_t)n, flags, (struct sockaddr *)&a, len);
	else
		ret = send(step_fd(c, 0), p, (size_t)n, flags);
	err = errno;
	count_wrote(c, fd, ret);
	if (arg(c, 1)->kind == EXPR_ELLIPSIS || arg(c, 1)->kind == EXPR_STRING)
		free(p);
	errno = err;
	step_result(c, ret);
}

/* read(fd, ..., n), recv(fd, ..., n, flags), recvfrom(fd, ..., n, flags, ..., ...) */
static void do_read(struct step *c)
{
	bool has_buffer = arg(c, 1)->kind == EXPR_ELLIPSIS;
	int64_t fd = step_arg(c, 0), n = step_arg(c, 2), ret = 0;
	int flags = c->n > 3 ? (int)step_arg(c, 3) : 0, err;
	uint8_t *p = has_buffer ? malloc(n > 0 ? (size_t)n : 1) : step_bytes(c, arg(c, 1), 0, 0, 0);

	if (has_buffer && !p)
		abort();
	if (!c->err[0])
		ret = c->n > 3 ? recv(step_fd(c, 0), p, (size_t)n, flags) : read(step_fd(c, 0), p, (size_t)n);
	err = errno;
	if (has_buffer) {
		count_read(c, fd, ret, flags, p);
		free(p);
	}
	errno = err;
	step_result(c, ret);
}

static void do_close(struct step *c)
{
	int64_t number = step_arg(c, 0);
	int fd = step_fd(c, 0);

	if (number >= 0 && number < RUN_FDS)
		c->r->fds[number] = -1;
	step_result(c, close(fd));
	for (struct peer *p = c->r->peers; p; p = p->next)
		if (p->fd == number)
			p->fd = -2;
}

static void do_shutdown(struct step *c)
{
	step_result(c, shutdown(step_fd(c, 0), (int)step_arg(c, 1)));
}

static void do_fcntl(struct step *c)
{
	int cmd = (int)step_arg(c, 1);

	step_result(c, c->n > 2 ? fcntl(step_fd(c, 0), cmd, step_arg(c, 2)) : fcntl(step_fd(c, 0), cmd));
}

static void do_epoll_create(struct step *c)
{
	new_fd(c, epoll_create((int)step_arg(c, 0)), c->spec->result);
}

static void do_pipe(struct step *c)
{
	const struct expr *v = arg(c, 0);
	int fds[2], ret;

	if (v->kind != EXPR_LIST || v->n != 2) {
		step_fail(c, "pipe([3, 4])");
		return;
	}
	ret = pipe(fds);
	step_result(c, ret);
	if (ret)
		return;
	new_fd(c, fds[0], v->v[0]);
	new_fd(c, fds[1], v->v[1]);
}

static void do_open(struct step *c)
{
	const struct expr *path = arg(c, 0);

	if (path->kind != EXPR_STRING) {
		step_fail(c, "open() takes a path");
		return;
	}
	new_fd(c, open(path->text, (int)step_arg(c, 1) | O_CLOEXEC), c->spec->result);
}

/* A pointer to an offset: [0], or NULL. */
static off_t *offset_of(struct step *c, unsigned i, off_t *v)
{
	const struct expr *e = arg(c, i);

	if (e->kind == EXPR_LIST && e->n == 1)
		*v = step_num(c, e->v[0]);
	return e->kind == EXPR_LIST ? v : NULL;
}

static void do_sendfile(struct step *c)
{
	off_t at = 0, *offset = offset_of(c, 2, &at);

	c->r->any_payload = true;
	step_result(c, sendfile(step_fd(c, 0), step_fd(c, 1), offset, (size_t)step_arg(c, 3)));
}

static void do_splice(struct step *c)
{
	off_t a = 0, b = 0, *in = offset_of(c, 1, &a), *out = offset_of(c, 3, &b);

	c->r->any_payload = true;
	step_result(c, splice(step_fd(c, 0), in, step_fd(c, 2), out, (size_t)step_arg(c, 4),
			      (unsigned)step_arg(c, 5)));
}

static const struct { const char *name; void (*run)(struct step *c); } calls[] = {
	{ "socket", do_socket },     { "bind", do_bind },         { "listen", do_listen },
	{ "accept", do_accept },     { "accept4", do_accept },    { "connect", do_connect },
	{ "read", do_read },         { "recv", do_read },         { "recvfrom", do_read },
	{ "write", do_write },       { "send", do_write },        { "sendto", do_write },
	{ "close", do_close },       { "shutdown", do_shutdown }, { "fcntl", do_fcntl },
	{ "epoll_create", do_epoll_create }, { "pipe", do_pipe }, { "open", do_open },
	{ "sendfile", do_sendfile }, { "splice", do_splice },
	{ "sendmsg", step_sendmsg }, { "recvmsg", step_recvmsg }, { "writev", step_writev },
	{ "readv", step_readv },     { "poll", step_poll },       { "epoll_ctl", step_epoll_ctl },
	{ "epoll_wait", step_epoll_wait }, { "setsockopt", step_setsockopt },
	{ "getsockopt", step_getsockopt }, { "ioctl", step_ioctl },
};

void step_run(struct run *r, struct event *e, char *err, size_t err_len)
{
	struct step c = { r, &e->call, e->call.args, e->call.n, err, err_len };
	size_t i;

	for (i = 0; i < ARRAY_LEN(calls); i++) {
		if (!strcmp(calls[i].name, e->call.name)) {
			calls[i].run(&c);
			return;
		}
	}
	step_fail(&c, "%s() is no call that is known", e->call.name);
}
