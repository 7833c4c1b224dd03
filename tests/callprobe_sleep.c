/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * callprobe_sleep.c - the calls that sleep, and threads in them.
 */
#include "callprobe_sleep.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define SMALL_BUFFER 16384

static char buf[16], bulk[PROBE_OUT_MAX];

/* ---- what receives ---- */

long probe_recv(int fd) { return recv(fd, buf, 10, 0); }
long probe_waitall(int fd) { return recv(fd, buf, 10, MSG_WAITALL); }
long probe_poll(int fd) { return poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, -1); }
static long in_peek(int fd) { return recv(fd, buf, 10, MSG_PEEK); }
static long in_read(int fd) { return read(fd, buf, 10); }
static long in_readv(int fd) { return readv(fd, &(struct iovec){ buf, 10 }, 1); }
static long in_preadv2(int fd) { return preadv2(fd, &(struct iovec){ buf, 10 }, 1, -1, 0); }
static long in_recvfrom(int fd) { return recvfrom(fd, buf, 10, 0, NULL, NULL); }
static long in_accept(int fd) { return accept(fd, NULL, NULL); }
static long in_accept4(int fd) { return accept4(fd, NULL, NULL, SOCK_CLOEXEC); }
static long in_ppoll(int fd) { return ppoll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, NULL, NULL); }

static long in_recvmsg(int fd)
{
	return recvmsg(fd, &(struct msghdr){ .msg_iov = &(struct iovec){ buf, 10 }, .msg_iovlen = 1 }, 0);
}

static long in_recvmmsg(int fd)
{
	struct mmsghdr m = { .msg_hdr = { .msg_iov = &(struct iovec){ buf, 10 }, .msg_iovlen = 1 } };

	return recvmmsg(fd, &m, 1, 0, NULL);
}

static long in_splice(int fd)
{
	static int p[2] = { -1, -1 };

	if (p[0] < 0 && pipe(p) < 0)
		return -1;
	return splice(fd, NULL, p[1], NULL, 10, 0);
}

static long in_select(int fd)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	return select(fd + 1, &set, NULL, NULL, NULL);
}

static long in_pselect(int fd)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	return pselect(fd + 1, &set, NULL, NULL, NULL, NULL);
}

int probe_epoll_of(int fd)
{
	static int ep = -1;
	struct epoll_event ev = { .events = EPOLLIN };

	if (ep >= 0)
		close(ep);
	ep = epoll_create1(0);
	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
	return ep;
}

static long in_epoll_wait(int fd)
{
	struct epoll_event ev;

	return epoll_wait(probe_epoll_of(fd), &ev, 1, -1);
}

static long in_epoll_pwait(int fd)
{
	struct epoll_event ev;

	return epoll_pwait(probe_epoll_of(fd), &ev, 1, -1, NULL);
}

static long in_epoll_pwait2(int fd)
{
	struct epoll_event ev;

	return epoll_pwait2(probe_epoll_of(fd), &ev, 1, NULL, NULL);
}

const struct sleeper probe_receivers[] = {
	{ "recv", probe_recv, false }, { "MSG_PEEK", in_peek, false }, { "MSG_WAITALL", probe_waitall, false },
	{ "read", in_read, false }, { "readv", in_readv, false }, { "preadv2", in_preadv2, false },
	{ "recvfrom", in_recvfrom, false }, { "recvmsg", in_recvmsg, false }, { "recvmmsg", in_recvmmsg, false },
	{ "splice", in_splice, false }, { "poll", probe_poll, true }, { "ppoll", in_ppoll, true },
	{ "select", in_select, true }, { "pselect", in_pselect, true }, { "epoll_wait", in_epoll_wait, true },
	{ "epoll_pwait", in_epoll_pwait, true }, { "epoll_pwait2", in_epoll_pwait2, true }, { NULL, NULL, false },
};
const struct sleeper probe_acceptors[] = {
	{ "accept", in_accept, false }, { "accept4", in_accept4, false }, { "poll", probe_poll, true },
	{ NULL, NULL, false },
};

/* ---- what sends ---- */

size_t probe_out_bytes = 1;

static struct iovec *out(void)
{
	static struct iovec iov;

	iov = (struct iovec){ bulk, probe_out_bytes };
	return &iov;
}

static long out_write(int fd) { return write(fd, bulk, probe_out_bytes); }
static long out_writev(int fd) { return writev(fd, out(), 1); }
static long out_pwritev2(int fd) { return pwritev2(fd, out(), 1, -1, 0); }
static long out_send(int fd) { return send(fd, bulk, probe_out_bytes, 0); }
static long out_sendto(int fd) { return sendto(fd, bulk, probe_out_bytes, 0, NULL, 0); }
static long out_sendmsg(int fd) { return sendmsg(fd, &(struct msghdr){ .msg_iov = out(), .msg_iovlen = 1 }, 0); }

static long out_sendmmsg(int fd)
{
	struct mmsghdr m = { .msg_hdr = { .msg_iov = out(), .msg_iovlen = 1 } };
	long r = sendmmsg(fd, &m, 1, 0);

	return r == 1 ? (long)m.msg_len : r;
}

static long out_sendfile(int fd)
{
	static int file = -1;
	off_t at = 0;

	if (file < 0) {
		file = memfd_create("probe", MFD_CLOEXEC);
		if (write(file, bulk, PROBE_OUT_MAX) != PROBE_OUT_MAX)
			return -1;
	}
	return sendfile(fd, file, &at, probe_out_bytes);
}

/* The pipe has them all before. */
static long out_splice(int fd)
{
	static int p[2] = { -1, -1 };

	if (p[0] >= 0) {
		close(p[0]);
		close(p[1]);
	}
	if (pipe(p) < 0 || fcntl(p[1], F_SETPIPE_SZ, PROBE_OUT_MAX) < 0 || write(p[1], bulk, probe_out_bytes) != (ssize_t)probe_out_bytes)
		return -1;
	return splice(p[0], NULL, fd, NULL, probe_out_bytes, 0);
}

const struct sleeper probe_senders[] = {
	{ "write", out_write, false }, { "writev", out_writev, false }, { "pwritev2", out_pwritev2, false },
	{ "send", out_send, false }, { "sendto", out_sendto, false }, { "sendmsg", out_sendmsg, false },
	{ "sendmmsg", out_sendmmsg, false }, { "sendfile", out_sendfile, false }, { "splice into it", out_splice, false },
	{ NULL, NULL, false },
};

long probe_send_all(int fd)
{
	long r;

	do
		r = send(fd, bulk, sizeof(bulk), MSG_NOSIGNAL);
	while (r == sizeof(bulk));
	return r < 0 ? r : 1;
}

int probe_open_small(const struct sleeper *v)
{
	const int size = SMALL_BUFFER;
	int fd = probe_open(FRESH);
	size_t bytes = probe_out_bytes;

	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (connect(fd, (struct sockaddr *)&probe_server, probe_addr_len) < 0 || send(fd, "HOLD", 4, 0) != 4 ||
	    recv(fd, buf, 4, MSG_WAITALL) != 4)
		exit(1);
	/* The first splice() may change what is behind the number (shim/bridge.h). */
	probe_out_bytes = 1;
	if (v->call == out_splice)
		v->call(fd);
	probe_out_bytes = bytes;
	return fd;
}

/* The peer takes no more: all that was sent is acknowledged, and what is left isn't sent. */
static bool is_stuck(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	return !getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) && info.tcpi_unacked == 0;
}

/* It may be full for a moment only; and the peer may find room yet (tcp_collapse()), for which callers look. */
void probe_fill(int fd)
{
	int full;
	size_t n;

	for (full = 0; full < 8; full = is_stuck(fd) ? full + 1 : 0) {
		for (n = 4096; n; n /= 64)
			while (send(fd, bulk, n, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
				full = 0;
		probe_nap();
	}
}

void probe_let(void)
{
	int other = probe_open(CONNECTED);

	send(other, "LET", 3, 0);
	close(other);
}

void probe_drain(int fd, const atomic_bool *is_over)
{
	static char away[65536];

	probe_let();
	while (!*is_over) {
		if (recv(fd, away, sizeof(away), MSG_DONTWAIT) <= 0)
			probe_nap();
	}
}

/* ---- a thread in such a call ---- */

static void clean(void *arg)
{
	atomic_store(&((struct job *)arg)->is_cleaned, true);
}

static void *work(void *arg)
{
	struct job *j = arg;

	pthread_setcanceltype(j->type, NULL);
	pthread_setcancelstate(j->state, NULL);
	pthread_cleanup_push(clean, j);
	j->tid = gettid();
	errno = 0;
	j->r = j->what->call(j->fd);
	j->err = errno;
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	pthread_cleanup_pop(0);
	return NULL;
}

static bool sleeps(pid_t tid)
{
	char path[64], line[256] = "", *end;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
	f = fopen(path, "r");
	if (!f)
		return true;
	if (!fgets(line, sizeof(line), f))
		line[0] = 0;
	fclose(f);
	end = strrchr(line, ')');
	return end && end[1] && end[2] == 'S';
}

void probe_nap(void)
{
	nanosleep(&(struct timespec){ 0, 5000000 }, NULL);
}

void probe_until_asleep(struct job *j)
{
	int seen = 0, i;

	for (i = 0; seen < 5 && i < 2000; i++) {
		probe_nap();
		seen = j->tid && sleeps(j->tid) ? seen + 1 : 0;
	}
}

void probe_start(struct job *j, const struct sleeper *what, int fd, int type, int state)
{
	*j = (struct job){ .what = what, .fd = fd, .type = type, .state = state };
	if (pthread_create(&j->thread, NULL, work, j))
		exit(1);
}

bool probe_join(struct job *j)
{
	void *ret;

	pthread_join(j->thread, &ret);
	j->is_cancelled = ret == PTHREAD_CANCELED;
	return j->is_cancelled;
}

void probe_tell_joined(const struct job *j)
{
	errno = 0;
	probe_result(j->what->name, j->is_cancelled, "type %d, %s, result %ld %s", j->type,
		     j->is_cleaned ? "cleaned up" : "returned", j->is_cancelled ? 0 : j->r,
		     j->is_cancelled || j->r >= 0 ? "" : strerrorname_np(j->err));
}

void probe_tell(struct job *j)
{
	probe_join(j);
	probe_tell_joined(j);
}
