/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * step_msg.c - calls with structures: messages, vectors, poll sets, epoll events, options.
 */
#include "conform/step.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#define VEC_MAX 64
#define OPT_MAX 256

static const struct expr ellipsis = { .kind = EXPR_ELLIPSIS };

static const struct expr *arg(struct step *c, unsigned i)
{
	if (i < c->n)
		return c->args[i];
	step_fail(c, "%s() lacks an argument", c->spec->name);
	return &ellipsis;
}

/* ---- vectors ---- */

/* [{..., 10}, {..., 20}]: with bytes of fd's stream when `sends`. */
static int make_vec(struct step *c, const struct expr *list, unsigned fd, bool sends, struct iovec *v)
{
	size_t skip = 0;
	unsigned i;

	if (list->kind != EXPR_LIST || list->n > VEC_MAX) {
		step_fail(c, "a vector is [{..., bytes}, ...] of %d at most", VEC_MAX);
		return 0;
	}
	for (i = 0; i < list->n && !c->err[0]; i++) {
		const struct expr *e = list->v[i];

		if (e->kind != EXPR_BRACE || e->n != 2) {
			step_fail(c, "a part of a vector is {..., bytes}");
			return (int)i;
		}
		v[i].iov_len = (size_t)step_num(c, e->v[1]);
		v[i].iov_base = sends ? step_bytes(c, e->v[0], fd, skip, v[i].iov_len)
				      : calloc(1, v[i].iov_len + 1);
		skip += v[i].iov_len;
	}
	return (int)i;
}

static void free_vec(struct step *c, const struct expr *list, struct iovec *v, int n)
{
	int err = errno;

	(void)c;
	while (n-- > 0)
		if (list->v[n]->v[0]->kind == EXPR_ELLIPSIS)
			free(v[n].iov_base);
	errno = err;
}

static void wrote(struct step *c, int64_t fd, int64_t n)
{
	if (n > 0 && fd >= 0 && fd < RUN_FDS)
		c->r->wrote[fd] += (uint32_t)n;
}

static void was_read(struct step *c, int64_t fd, const struct iovec *v, int64_t n, int flags)
{
	size_t skip = 0;

	if (n <= 0 || fd < 0 || fd >= RUN_FDS)
		return;
	for (; skip < (size_t)n && !(flags & MSG_TRUNC); v++) {
		step_check_bytes(c, (unsigned)fd, v->iov_base, skip, MIN((size_t)n - skip, v->iov_len));
		skip += v->iov_len;
	}
	if (!(flags & MSG_PEEK))
		c->r->read[fd] += (uint32_t)n;
}

void step_writev(struct step *c)
{
	int64_t fd = step_arg(c, 0), ret;
	struct iovec v[VEC_MAX];
	int n = make_vec(c, arg(c, 1), (unsigned)fd, true, v);

	ret = c->err[0] ? 0 : writev(step_fd(c, 0), v, (int)step_arg(c, 2));
	wrote(c, fd, ret);
	free_vec(c, arg(c, 1), v, n);
	step_result(c, ret);
}

void step_readv(struct step *c)
{
	int64_t fd = step_arg(c, 0), ret;
	struct iovec v[VEC_MAX];
	int n = make_vec(c, arg(c, 1), (unsigned)fd, false, v);

	ret = c->err[0] ? 0 : readv(step_fd(c, 0), v, (int)step_arg(c, 2));
	was_read(c, fd, v, ret, 0);
	free_vec(c, arg(c, 1), v, n);
	step_result(c, ret);
}

/* ---- messages ---- */

/* {msg_name(...)=..., msg_iov(1)=[...], msg_flags=..., msg_control=[]} */
static const struct expr *msg_part(const struct expr *msg, const char *name)
{
	const struct expr *e = step_field(msg, name);

	return e ? e : &ellipsis;
}

static const struct expr *msg_vec(struct step *c, const struct expr *msg)
{
	const struct expr *v = msg_part(msg, "msg_iov");

	if (msg->kind != EXPR_BRACE || v->kind != EXPR_LIST)
		step_fail(c, "a message is {msg_name(...)=..., msg_iov(1)=[{..., bytes}], msg_flags=0}");
	return v;
}

static void syn_is_due(struct step *c, const struct sockaddr_storage *a)
{
	struct peer *p = peer_of_fd(c->r, (int)step_arg(c, 0));

	if (!p || p->state != PEER_NEW || a->ss_family != AF_INET)
		return;
	p->state = PEER_CONNECTING;
	p->raddr = c->r->s->remote;
	p->rport = RUN_PORT;
}

void step_sendmsg(struct step *c)
{
	const struct expr *e = arg(c, 1), *list = msg_vec(c, e);
	int64_t fd = step_arg(c, 0), ret = 0;
	int flags = (int)step_arg(c, 2), n;
	struct sockaddr_storage a;
	struct iovec v[VEC_MAX];
	struct msghdr m = { .msg_iov = v, .msg_name = &a };

	if (c->err[0])
		return;
	n = make_vec(c, list, (unsigned)fd, true, v);
	m.msg_iovlen = (size_t)n;
	step_addr(c, msg_part(e, "msg_name"), true, &a, &m.msg_namelen);
	if (flags & MSG_FASTOPEN)
		syn_is_due(c, &a);
	else
		m.msg_name = NULL, m.msg_namelen = 0;
	if (!c->err[0])
		ret = sendmsg(step_fd(c, 0), &m, flags);
	wrote(c, fd, ret);
	free_vec(c, list, v, n);
	step_result(c, ret);
}

void step_recvmsg(struct step *c)
{
	const struct expr *e = arg(c, 1), *list = msg_vec(c, e), *control = msg_part(e, "msg_control");
	int64_t fd = step_arg(c, 0), ret;
	int flags = (int)step_arg(c, 2), n;
	struct iovec v[VEC_MAX];
	struct msghdr m = { .msg_iov = v };

	if (c->err[0])
		return;
	if (control->kind == EXPR_LIST && control->n) {
		step_fail(c, "control messages are not given");
		return;
	}
	n = make_vec(c, list, (unsigned)fd, false, v);
	m.msg_iovlen = (size_t)n;
	ret = c->err[0] ? 0 : recvmsg(step_fd(c, 0), &m, flags);
	if (flags & MSG_OOB)
		c->r->any_payload = true;
	was_read(c, fd, v, ret, flags);
	free_vec(c, list, v, n);
	step_result(c, ret);
	if (ret >= 0)
		step_out(c, msg_part(e, "msg_flags"), m.msg_flags, "msg_flags");
}

/* ---- poll ---- */

void step_poll(struct step *c)
{
	const struct expr *list = arg(c, 0), *want;
	struct pollfd fds[VEC_MAX];
	unsigned i;
	int ret;

	if (list->kind != EXPR_LIST || list->n > VEC_MAX) {
		step_fail(c, "a set is [{fd=N, events=E, revents=R}, ...]");
		return;
	}
	for (i = 0; i < list->n; i++) {
		const struct expr *fd = step_field(list->v[i], "fd"), *ev = step_field(list->v[i], "events");

		if (!fd || !ev) {
			step_fail(c, "a part of a set is {fd=N, events=E, revents=R}");
			return;
		}
		fds[i] = (struct pollfd){ .fd = step_fd_of(c, step_num(c, fd)), .events = (short)step_num(c, ev) };
	}
	ret = poll(fds, (nfds_t)step_arg(c, 1), (int)step_arg(c, 2));
	step_result(c, ret);
	for (i = 0; i < list->n && ret >= 0; i++) {
		want = step_field(list->v[i], "revents");
		if (want)
			step_out(c, want, fds[i].revents, "revents");
	}
}

/* ---- epoll ---- */

static const char *const data_names[] = { "fd", "u32", "u64", "ptr" };

static const struct expr *data_of(const struct expr *event)
{
	const struct expr *e = NULL;
	size_t i;

	for (i = 0; i < ARRAY_LEN(data_names) && !e; i++)
		e = step_field(event, data_names[i]);
	return e;
}

void step_epoll_ctl(struct step *c)
{
	const struct expr *e = arg(c, 3), *events = NULL, *data = NULL;
	struct epoll_event ev = { 0 };

	if (e->kind == EXPR_BRACE) {
		events = step_field(e, "events");
		data = data_of(e);
	}
	if (events && data) {
		ev.events = (uint32_t)step_num(c, events);
		ev.data.u64 = (uint64_t)step_num(c, data);
	} else if (e->kind == EXPR_BRACE) {
		step_fail(c, "an event is {events=E, fd=N}");
		return;
	}
	step_result(c, epoll_ctl(step_fd(c, 0), (int)step_arg(c, 1), step_fd(c, 2),
				 e->kind == EXPR_BRACE ? &ev : NULL));
}

/* One event in the script, also as a list of them. */
static const struct expr *nth_event(const struct expr *e, unsigned i)
{
	if (e->kind == EXPR_LIST)
		return i < e->n ? e->v[i] : NULL;
	return i == 0 && e->kind == EXPR_BRACE ? e : NULL;
}

void step_epoll_wait(struct step *c)
{
	struct epoll_event ev[VEC_MAX];
	int max = (int)step_arg(c, 2), ret, i;

	if (max > VEC_MAX) {
		step_fail(c, "%d events at most", VEC_MAX);
		return;
	}
	ret = epoll_wait(step_fd(c, 0), ev, max, (int)step_arg(c, 3));
	step_result(c, ret);
	for (i = 0; i < ret && !c->err[0]; i++) {
		const struct expr *e = nth_event(arg(c, 1), (unsigned)i), *events, *data;

		if (!e)
			continue;
		events = step_field(e, "events");
		data = data_of(e);
		if (events)
			step_out(c, events, ev[i].events, "events");
		if (data)
			step_out(c, data, (int64_t)ev[i].data.u64, "data");
	}
}

/* ---- options ---- */

struct field_name {
	const char *brace, *name;
	size_t offset, size;
};

#define FIELD(brace, name, type, member) { brace, name, offsetof(type, member), sizeof(((type *)0)->member) }

/* Structures are known by the name of their first field. */
static const struct field_name fields[] = {
	FIELD("onoff", "onoff", struct linger, l_onoff),
	FIELD("onoff", "linger", struct linger, l_linger),
	FIELD("tv_sec", "tv_sec", struct timeval, tv_sec),
	FIELD("tv_sec", "tv_usec", struct timeval, tv_usec),
};

static size_t brace_size(const char *first)
{
	return !strcmp(first, "onoff") ? sizeof(struct linger) : sizeof(struct timeval);
}

/* {name = value, ...} to bytes; or (compare) the bytes with it. */
static size_t do_brace(struct step *c, const struct expr *e, uint8_t *p, bool compare)
{
	const char *first = e->n && e->v[0]->kind == EXPR_ASSIGN ? e->v[0]->v[0]->text : "";
	size_t i;
	unsigned k, found = 0;

	for (k = 0; k < e->n; k++) {
		for (i = 0; i < ARRAY_LEN(fields); i++) {
			const struct field_name *f = &fields[i];
			const struct expr *want = step_field(e, f->name);
			int64_t v = 0;

			if (strcmp(f->brace, first) || !want || want != e->v[k]->v[1])
				continue;
			found++;
			if (compare) {
				memcpy(&v, p + f->offset, f->size);
				step_out(c, want, v, f->name);
			} else {
				v = step_num(c, want);
				memcpy(p + f->offset, &v, f->size);
			}
		}
	}
	if (found != e->n || !found)
		step_fail(c, "a structure is {onoff = N, linger = N} or {tv_sec = N, tv_usec = N}");
	return brace_size(first);
}

/* C's escapes: \xNN and the character itself. */
static size_t unescape(const char *t, uint8_t *p, size_t max)
{
	size_t n = 0;
	char hex[3] = "";

	for (; *t && n < max; t++) {
		if (t[0] == '\\' && t[1] == 'x' && t[2] && t[3]) {
			memcpy(hex, t + 2, 2);
			p[n++] = (uint8_t)strtol(hex, NULL, 16);
			t += 3;
		} else {
			if (*t == '\\' && t[1])
				t++;
			p[n++] = (uint8_t)*t;
		}
	}
	return n;
}

/* The bytes of an option's value: [1], {..}, "text". */
static size_t opt_bytes(struct step *c, const struct expr *e, uint8_t p[OPT_MAX])
{
	int v;
	unsigned i;

	switch (e->kind) {
	case EXPR_STRING:
		return unescape(e->text, p, OPT_MAX);
	case EXPR_BRACE:
		return do_brace(c, e, p, false);
	case EXPR_LIST:
		if (e->n == 1 && e->v[0]->kind == EXPR_STRING)
			return unescape(e->v[0]->text, p, OPT_MAX);
		for (i = 0; i < e->n && i < OPT_MAX / sizeof(v); i++) {
			v = (int)step_num(c, e->v[i]);
			memcpy(p + i * sizeof(v), &v, sizeof(v));
		}
		return e->n * sizeof(v);
	default:
		v = (int)step_num(c, e);
		memcpy(p, &v, sizeof(v));
		return sizeof(v);
	}
}

/* The length in a script is a number or [number]. */
static socklen_t opt_len(struct step *c, unsigned i, size_t have)
{
	const struct expr *e = arg(c, i);

	if (e->kind == EXPR_ELLIPSIS)
		return (socklen_t)have;
	return (socklen_t)step_num(c, e->kind == EXPR_LIST && e->n == 1 ? e->v[0] : e);
}

void step_setsockopt(struct step *c)
{
	uint8_t p[OPT_MAX] = { 0 };
	size_t n = arg(c, 3)->kind == EXPR_WORD ? 0 : opt_bytes(c, arg(c, 3), p);
	const void *val = arg(c, 3)->kind == EXPR_WORD ? NULL : p;
	socklen_t len = opt_len(c, 4, n);

	if (!c->err[0])
		step_result(c, setsockopt(step_fd(c, 0), (int)step_arg(c, 1), (int)step_arg(c, 2), val, len));
}

static void compare_opt(struct step *c, const struct expr *e, uint8_t *p, socklen_t len)
{
	uint8_t want[OPT_MAX] = { 0 };
	size_t n;
	int v, w;

	if (e->kind == EXPR_BRACE) {
		do_brace(c, e, p, true);
		return;
	}
	if (e->kind == EXPR_ELLIPSIS || (e->kind == EXPR_LIST && e->n && e->v[0]->kind == EXPR_ELLIPSIS))
		return;
	n = opt_bytes(c, e, want);
	if (e->kind == EXPR_STRING || (e->kind == EXPR_LIST && e->n && e->v[0]->kind == EXPR_STRING)) {
		if (memcmp(p, want, n) || (n < len && p[n]))
			step_fail(c, "the value is \"%.*s\"", (int)len, p);
		return;
	}
	memcpy(&v, p, sizeof(v));
	memcpy(&w, want, sizeof(w));
	if (len >= sizeof(v) && v != w)
		step_fail(c, "the value is %d (0x%x)", v, (unsigned)v);
}

void step_getsockopt(struct step *c)
{
	uint8_t p[OPT_MAX + 1] = { 0 };
	socklen_t len = opt_len(c, 4, OPT_MAX), want = len;
	int ret;

	if (len > OPT_MAX)
		len = OPT_MAX;
	ret = getsockopt(step_fd(c, 0), (int)step_arg(c, 1), (int)step_arg(c, 2), p, &len);
	step_result(c, ret);
	if (ret || c->err[0])
		return;
	compare_opt(c, arg(c, 3), p, len);
	if (arg(c, 3)->kind != EXPR_LIST || !arg(c, 3)->n || arg(c, 3)->v[0]->kind != EXPR_STRING)
		if (arg(c, 4)->kind == EXPR_LIST && len != want)
			step_fail(c, "the length is %u", len);
}

void step_ioctl(struct step *c)
{
	const struct expr *e = c->n > 2 ? c->args[2] : &ellipsis, *one;
	int v = 0, ret;

	one = e->kind == EXPR_LIST && e->n == 1 ? e->v[0] : e;
	if (one->kind != EXPR_ELLIPSIS)
		v = (int)step_num(c, one);
	ret = ioctl(step_fd(c, 0), (unsigned long)step_arg(c, 1), &v);
	step_result(c, ret);
	if (!ret)
		step_out(c, one, v, "the value");
}
