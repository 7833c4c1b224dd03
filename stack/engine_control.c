/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_control.c - a running process is told to change its settings.
 *
 * Where a directory is configured for it, the engine has a datagram socket there, named
 * by the process's id and open to its user alone.  A request is one datagram, a line of
 * words; so is its answer, "ok" or "error: sentence", then what was asked for:
 *
 *   sysctl NAME          NAME = V [V V]
 *   sysctl NAME=VALUE    from now on
 *   tcp_metrics [show]   what earlier connections learned of other hosts, as ip tcp_metrics shows it
 *   tcp_metrics flush    forgets it
 *   stats                the summary of --stats
 *   snmp                 the counters as in /proc/net/snmp and netstat
 *
 * The loop's thread attends to it: a request is carried out before it is answered.
 */
#include "engine_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "settings.h"
#include "snmp.h"
#include "sys.h"
#include "tcp_metrics.h"

#define REQUEST_MAX 512
#define ANSWER_MAX 16384
#define METRICS_LINE_MAX 256

struct control {
	int fd;
	struct sockaddr_un name;
};

int engine_control_open(struct engine *e, const char *dir, char *err, size_t err_len)
{
	struct control *c;
	int r;

	e->control = c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->name.sun_family = AF_UNIX;
	c->fd = -1;
	if ((size_t)snprintf(c->name.sun_path, sizeof(c->name.sun_path), "%s/%d", dir, (int)e->pid) >=
	    sizeof(c->name.sun_path)) {
		snprintf(err, err_len, "the name of the directory %s is too long for sockets", dir);
		return -ENAMETOOLONG;
	}
	c->fd = highfd_raise(raw_socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	if (c->fd < 0)
		return c->fd;
	/* The name gets the mode that the socket has. */
	r = (int)raw_result(raw_syscall(SYS_fchmod, c->fd, S_IRUSR | S_IWUSR));
	/* One of that name was left by a process that is no more. */
	raw_syscall(SYS_unlinkat, AT_FDCWD, c->name.sun_path, 0);
	if (!r)
		r = raw_bind(c->fd, &c->name, sizeof(c->name));
	if (r < 0) {
		snprintf(err, err_len, "%s: %s", c->name.sun_path, strerror(-r));
		raw_close(c->fd);
		c->fd = -1;
	}
	return r;
}

int engine_control_fd(const struct engine *e)
{
	return e->control ? e->control->fd : -1;
}

void engine_control_forget(struct engine *e)
{
	if (!e->control)
		return;
	if (e->control->fd >= 0)
		raw_close(e->control->fd);
	free(e->control);
	e->control = NULL;
}

void engine_control_close(struct engine *e)
{
	if (e->control && e->control->fd >= 0 && e->pid == getpid())
		raw_syscall(SYS_unlinkat, AT_FDCWD, e->control->name.sun_path, 0);
	engine_control_forget(e);
}

/* ---- requests ---- */

static int show_setting(struct engine *e, const char *name, char *out, size_t len)
{
	int32_t v[SETTINGS_VALUES_MAX];
	int n = settings_get(stack_settings(e->stack), name, v), at;

	if (n < 0)
		return snprintf(out, len, "error: there is no setting %s that can be shown\n", name);
	at = snprintf(out, len, "ok\n%s =", name);
	for (int i = 0; i < n; i++)
		at += snprintf(out + at, len - (size_t)at, " %d", v[i]);
	return at + snprintf(out + at, len - (size_t)at, "\n");
}

static int change_setting(struct engine *e, const char *name, const char *value, char *out, size_t len)
{
	int r = stack_set(e->stack, name, value);
	const char *why = settings_refusal(name);

	if (r == -ENOENT)
		return snprintf(out, len, "error: there is no setting %s%s%s\n", name, why ? ": " : "", why ? why : "");
	if (r < 0)
		return snprintf(out, len, "error: %s is not a value for %s\n", value, name);
	engine_log(e, 6, "%s is now %s", name, value);
	return snprintf(out, len, "ok\n");
}

/* Those that fit in. */
static int show_metrics(struct engine *e, char *out, size_t len)
{
	const struct tcp_metrics *m = NULL;
	int at = snprintf(out, len, "ok\n");

	while ((m = tcp_metrics_next(e->stack, m)) && len - (size_t)at > METRICS_LINE_MAX) {
		char *p = out + at, *end = out + len;
		ip4 a = m->raddr, b = m->laddr;
		xtime age = (e->now - m->stamp) / XTIME_MSEC;

		p += snprintf(p, (size_t)(end - p), "%u.%u.%u.%u age %lld.%03lldsec", a >> 24, a >> 16 & 255, a >> 8 & 255,
			      a & 255, (long long)(age / 1000), (long long)(age % 1000));
		if (m->ssthresh)
			p += snprintf(p, (size_t)(end - p), " ssthresh %u", m->ssthresh);
		if (m->cwnd)
			p += snprintf(p, (size_t)(end - p), " cwnd %u", m->cwnd);
		if (m->reordering)
			p += snprintf(p, (size_t)(end - p), " reordering %u", m->reordering);
		if (m->rtt8_us)
			p += snprintf(p, (size_t)(end - p), " rtt %uus", MAX(m->rtt8_us >> 3, 1u));
		if (m->rttvar4_us)
			p += snprintf(p, (size_t)(end - p), " rttvar %uus", MAX(m->rttvar4_us >> 2, 1u));
		if (m->fo_mss)
			p += snprintf(p, (size_t)(end - p), " fo_mss %u", m->fo_mss);
		if (m->fo_cookie.len)
			p += snprintf(p, (size_t)(end - p), " fo_cookie ");
		for (unsigned i = 0; i < m->fo_cookie.len; i++)
			p += snprintf(p, (size_t)(end - p), "%02x", m->fo_cookie.val[i]);
		p += snprintf(p, (size_t)(end - p), " source %u.%u.%u.%u\n", b >> 24, b >> 16 & 255, b >> 8 & 255, b & 255);
		at = (int)(p - out);
	}
	return at;
}

int engine_control(struct engine *e, char *request, char *out, size_t len)
{
	static const char sysctl[] = "sysctl ";
	char *name, *eq;
	int n;

	request[strcspn(request, "\n")] = 0;
	if (!strncmp(request, sysctl, strlen(sysctl))) {
		name = request + strlen(sysctl);
		eq = strchr(name, '=');
		if (!eq)
			return show_setting(e, name, out, len);
		*eq = 0;
		return change_setting(e, name, eq + 1, out, len);
	}
	if (!strcmp(request, "tcp_metrics") || !strcmp(request, "tcp_metrics show"))
		return show_metrics(e, out, len);
	if (!strcmp(request, "tcp_metrics flush")) {
		stack_flush_metrics(e->stack);
		return snprintf(out, len, "ok\n");
	}
	if (!strcmp(request, "stats")) {
		n = snprintf(out, len, "ok\n");
		return n + engine_stats_locked(e, out + n, len - (size_t)n);
	}
	if (!strcmp(request, "snmp")) {
		n = snprintf(out, len, "ok\n");
		return n + (int)snmp_text(e->stack, out + n, len - (size_t)n);
	}
	return snprintf(out, len, "error: %.64s is no request; there are sysctl, tcp_metrics, stats and snmp\n",
			request);
}

/* One request, if there is one; with the lock held. */
void engine_control_turn(struct engine *e)
{
	struct sockaddr_un from;
	char request[REQUEST_MAX + 1], *answer;
	struct iovec iov = { request, REQUEST_MAX };
	struct msghdr m = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n = raw_result(raw_syscall(SYS_recvmsg, e->control->fd, &m, 0));
	int len;

	if (n < 0)
		return;
	answer = malloc(ANSWER_MAX);
	if (!answer)
		return;
	request[n] = 0;
	len = engine_control(e, request, answer, ANSWER_MAX);
	if (m.msg_namelen > sizeof(sa_family_t))
		raw_sendto(e->control->fd, answer, (size_t)MIN(len, ANSWER_MAX - 1), MSG_DONTWAIT | MSG_NOSIGNAL,
			   &from, m.msg_namelen);
	free(answer);
}
