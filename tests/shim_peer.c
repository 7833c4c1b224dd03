/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shim_peer.c - see shim_peer.h.  The kernel's sockets are made by number, so that the
 * wrappers leave them alone.
 */
#include "shim_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "rawcall.h"

/* A number that is closed or replaced while another thread uses it is the test's intention here, and a race to
 * ThreadSanitizer, which asks for these by this name. */
__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void);

const char *__tsan_default_suppressions(void)
{
	return "race_top:close\nrace_top:dup2\nrace_top:dup3\n";
}

static int kernel_socket(int domain, int flags)
{
	return raw_socket(domain, SOCK_STREAM | flags, 0);
}

/* Behind the library's back, to which a thread that leaves its namespace is the program's doing (shim/netns.c). */
static void enter(int ns)
{
	assert_int_equal(raw_syscall(SYS_setns, ns, CLONE_NEWNET), 0);
}

/* A socket stays in the namespace in which it was made. */
static int peer_socket(void)
{
	int here, fd;

	if (side_wire.ns < 0)
		return kernel_socket(AF_INET, SOCK_CLOEXEC);
	here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	enter(side_wire.ns);
	fd = kernel_socket(AF_INET, SOCK_CLOEXEC);
	enter(here);
	close(here);
	return fd;
}

static int kernel_bound(struct sockaddr_in *a)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	socklen_t len = sizeof(*a);
	int fd = peer_socket();

	any.sin_addr.s_addr = inet_addr(side_wire.peer);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)a, &len), 0);
	return fd;
}

void side_open(struct side *s, bool is_kernel)
{
	int fd;

	memset(s, 0, sizeof(*s));
	s->is_kernel = is_kernel;
	s->listener = kernel_bound(&s->to);
	assert_int_equal(listen(s->listener, 16), 0);
	fd = kernel_bound(&s->closed);
	close(fd);
	s->own.sin_family = AF_INET;
	s->own.sin_addr.s_addr = inet_addr(is_kernel ? side_wire.kernels_own : side_wire.ours_own);
	if (!is_kernel) {
		s->to.sin_addr.s_addr = inet_addr(side_wire.peer_to_us);
		s->closed.sin_addr = s->to.sin_addr;
	}
}

void side_close(struct side *s)
{
	close(s->listener);
}

void note(struct side *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	s->len += (size_t)vsnprintf(s->trace + s->len, sizeof(s->trace) - s->len, fmt, ap);
	va_end(ap);
	assert_true(s->len + 2 < sizeof(s->trace));
	s->trace[s->len++] = '\n';
	s->trace[s->len] = 0;
}

void note_result(struct side *s, const char *name, long r)
{
	if (r == -1)
		note(s, "%s: %s", name, strerrorname_np(errno));
	else
		note(s, "%s: %ld", name, r);
}

int side_socket(struct side *s, int flags)
{
	return side_socket_of(s, AF_INET, flags);
}

int side_socket_of(struct side *s, int domain, int flags)
{
	int fd = s->is_kernel ? kernel_socket(domain, flags) : socket(domain, SOCK_STREAM | flags, 0);

	assert_true(fd >= 0);
	return fd;
}

int side_connected(struct side *s, int flags, int *peer)
{
	int fd = side_socket(s, flags);

	if (connect(fd, (struct sockaddr *)&s->to, sizeof(s->to)) < 0) {
		assert_int_equal(errno, EINPROGRESS);
		while (connect(fd, (struct sockaddr *)&s->to, sizeof(s->to)) < 0) {
			assert_int_equal(errno, EALREADY);
			side_settle();
		}
	}
	*peer = accept(s->listener, NULL, NULL);
	assert_true(*peer >= 0);
	return fd;
}

int side_client(struct side *s)
{
	return side_wire.ns < 0 ? side_socket(s, 0) : peer_socket();
}

void side_reset(int peer)
{
	struct linger l = { 1, 0 };

	setsockopt(peer, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(peer);
}

#define SETTLE_MS 30

static long settle_ms = SETTLE_MS;

void side_settle(void)
{
	struct timespec ts = { settle_ms / 1000, settle_ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

const char *event_names(unsigned events, char *buf, size_t len)
{
	static const struct {
		unsigned bit;
		const char *name;
	} names[] = {
		{ POLLIN, "IN" }, { POLLPRI, "PRI" }, { POLLOUT, "OUT" }, { POLLERR, "ERR" },
		{ POLLHUP, "HUP" }, { POLLNVAL, "NVAL" }, { POLLRDNORM, "rdnorm" },
		{ POLLRDBAND, "rdband" }, { POLLWRNORM, "wrnorm" }, { POLLRDHUP, "RDHUP" },
	};
	size_t i, n = 0;

	buf[0] = 0;
	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (events & names[i].bit)
			n += (size_t)snprintf(buf + n, len - n, "%s%s", n ? "|" : "", names[i].name);
	}
	return buf;
}

/* The first line that differs, as cmocka prints no more than a kilobyte. */
static void assert_same(const char *ours, const char *kernels)
{
	size_t i, line = 0;
	int a, b;

	for (i = 0; ours[i] && ours[i] == kernels[i]; i++) {
		if (ours[i] == '\n')
			line = i + 1;
	}
	if (ours[i] == kernels[i])
		return;
	a = (int)strcspn(ours + line, "\n");
	b = (int)strcspn(kernels + line, "\n");
	fail_msg("ours \"%.*s\", the kernel's \"%.*s\"", a, ours + line, b, kernels + line);
}

static void trace_side(struct side *s, bool is_kernel, void (*steps)(struct side *s))
{
	side_open(s, is_kernel);
	steps(s);
	side_close(s);
}

/* On a busy machine things take their time, on either side: what differs is looked at again more slowly. */
void compare_sides(void (*steps)(struct side *s))
{
	static struct side kernel, ours;

	for (settle_ms = SETTLE_MS; settle_ms < 40 * SETTLE_MS; settle_ms *= 3) {
		trace_side(&kernel, true, steps);
		trace_side(&ours, false, steps);
		if (!strcmp(ours.trace, kernel.trace))
			break;
	}
	settle_ms = SETTLE_MS;
	assert_same(ours.trace, kernel.trace);
}

int side_reap(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}
