/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shim's calls held against the kernel's: each test runs its steps twice, over a
 * socket of the kernel's and over one of ours, and the traces must be equal.  As
 * tests/test_shim ours is on the fake engine, as tests/netns_shim on the real one.
 * What readiness looks like is in test_shim_ready.c, signals and processes in
 * test_shim_life.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include "shim_peer.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define NOTE(call) note_result(s, #call, (long)(call))

static char buf[65536];

/* ---- errors ---- */

static void fresh_steps(struct side *s)
{
	struct sockaddr_in a = s->to;
	socklen_t len = sizeof(a);
	int fd = side_socket(s, SOCK_NONBLOCK);

	NOTE(recv(fd, buf, 1, 0));
	NOTE(recv(fd, buf, 0, 0));
	NOTE(read(fd, buf, 0));
	NOTE(send(fd, buf, 1, MSG_NOSIGNAL));
	NOTE(send(fd, buf, 0, MSG_NOSIGNAL));
	NOTE(sendto(fd, buf, 1, MSG_NOSIGNAL, (struct sockaddr *)&a, len));
	NOTE(getpeername(fd, (struct sockaddr *)&a, &len));
	NOTE(accept(fd, NULL, NULL));
	NOTE(shutdown(fd, SHUT_RDWR));
	NOTE(lseek(fd, 0, SEEK_SET));
	NOTE(pread(fd, buf, 1, 0));
	NOTE(pwrite(fd, buf, 1, 0));
	NOTE(ftruncate(fd, 0));
	a = s->to;
	NOTE(connect(fd, (struct sockaddr *)&a, 1));
	NOTE(connect(fd, (struct sockaddr *)&a, 8));
	NOTE(connect(fd, (struct sockaddr *)&a, 200));
	NOTE(connect(fd, NULL, 16));
	a.sin_family = 99;
	NOTE(connect(fd, (struct sockaddr *)&a, sizeof(a)));
	NOTE(bind(fd, (struct sockaddr *)&a, sizeof(a)));
	NOTE(bind(fd, (struct sockaddr *)&a, 8));
	a.sin_family = AF_UNSPEC;
	NOTE(bind(fd, (struct sockaddr *)&a, sizeof(a)));
	a.sin_addr.s_addr = 0;
	a.sin_port = 0;
	NOTE(bind(fd, (struct sockaddr *)&a, sizeof(a)));
	NOTE(bind(fd, (struct sockaddr *)&a, sizeof(a)));
	NOTE(close(fd));
	NOTE(close(fd));
	NOTE(recv(fd, buf, 1, 0));
}

static void fresh_socket_gives_linux_errors(void **state)
{
	(void)state;
	compare_sides(fresh_steps);
}

static void connected_steps(struct side *s)
{
	static struct iovec many[1025];
	struct msghdr m = { .msg_iov = many, .msg_iovlen = 1025 };
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	int peer, fd = side_connected(s, SOCK_NONBLOCK, &peer);
	size_t i;

	for (i = 0; i < LEN(many); i++)
		many[i] = (struct iovec){ buf, 1 };
	NOTE(connect(fd, (struct sockaddr *)&s->to, sizeof(s->to)));
	NOTE(recv(fd, buf, 10, 0));
	NOTE(recv(fd, buf, 0, 0));
	NOTE(read(fd, buf, 0));
	NOTE(recv(fd, buf, 1, MSG_OOB));
	NOTE(recv(fd, buf, 1, MSG_ERRQUEUE));
	NOTE(send(fd, NULL, 10, 0));
	NOTE(send(fd, buf, 0, 0));
	NOTE(sendto(fd, "x", 1, 0, (struct sockaddr *)&s->closed, sizeof(s->closed)));
	NOTE(sendto(fd, "x", 1, 0, (struct sockaddr *)&s->closed, 3));
	NOTE(sendmsg(fd, &m, 0));
	NOTE(recvmsg(fd, &m, 0));
	NOTE(writev(fd, many, 1025));
	NOTE(readv(fd, many, 1025));
	NOTE(writev(fd, many, 1024));
	NOTE(listen(fd, 1));
	NOTE(accept(fd, NULL, NULL));
	NOTE(shutdown(fd, 5));
	len = (socklen_t)-1;
	NOTE(getpeername(fd, (struct sockaddr *)&a, &len));
	len = 2;
	memset(&a, 7, sizeof(a));
	NOTE(getpeername(fd, (struct sockaddr *)&a, &len));
	note(s, "len %u family %u port %x", len, a.sin_family, a.sin_port);
	NOTE(getsockname(fd, NULL, &len));
	len = sizeof(a);
	send(peer, "abc", 3, 0);
	side_settle();
	memset(&a, 7, sizeof(a));
	NOTE(recvfrom(fd, buf, 1, 0, (struct sockaddr *)&a, &len));
	note(s, "len %u family %x", len, a.sin_family);
	NOTE(recv(fd, buf, 0, 0));
	NOTE(recv(fd, NULL, 10, 0));
	NOTE(recv(fd, NULL, 1, MSG_TRUNC));
	NOTE(recv(fd, buf, 10, 0));
	close(peer);
	side_settle();
	NOTE(recv(fd, buf, 10, 0));
	NOTE(recv(fd, buf, 0, 0));
	close(fd);
}

static void connected_socket_gives_linux_errors(void **state)
{
	(void)state;
	compare_sides(connected_steps);
}

static void refused_steps(struct side *s)
{
	struct sockaddr_in none = { .sin_family = AF_UNSPEC };
	int fd = side_socket(s, 0), peer, err;
	socklen_t len = sizeof(err);

	NOTE(connect(fd, (struct sockaddr *)&s->closed, sizeof(s->closed)));
	NOTE(connect(fd, (struct sockaddr *)&s->closed, sizeof(s->closed)));
	NOTE(send(fd, "x", 1, MSG_NOSIGNAL));
	NOTE(connect(fd, (struct sockaddr *)&s->to, sizeof(s->to)));
	peer = accept(s->listener, NULL, NULL);
	NOTE(send(fd, "x", 1, 0));
	NOTE(connect(fd, (struct sockaddr *)&none, sizeof(none)));
	NOTE(send(fd, "x", 1, MSG_NOSIGNAL));
	close(peer);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	NOTE(connect(fd, (struct sockaddr *)&s->closed, sizeof(s->closed)));
	side_settle();
	NOTE(getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len));
	note(s, "error %s", strerrorname_np(err));
	NOTE(getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len));
	note(s, "error %d", err);
	NOTE(connect(fd, (struct sockaddr *)&s->closed, sizeof(s->closed)));
	NOTE(connect(fd, (struct sockaddr *)&s->closed, sizeof(s->closed)));
	side_settle();
	NOTE(recv(fd, buf, 1, 0));
	NOTE(recv(fd, buf, 1, 0));
	close(fd);
}

static void refused_connect_leaves_the_socket_usable(void **state)
{
	(void)state;
	compare_sides(refused_steps);
}

static void reset_steps(struct side *s)
{
	int peer, fd = side_connected(s, 0, &peer);

	send(peer, "abc", 3, 0);
	side_reset(peer);
	side_settle();
	NOTE(recv(fd, buf, 10, MSG_WAITALL));
	NOTE(recv(fd, buf, 10, 0));
	NOTE(send(fd, "x", 1, MSG_NOSIGNAL));
	NOTE(shutdown(fd, SHUT_WR));
	close(fd);
	fd = side_connected(s, 0, &peer);
	side_reset(peer);
	side_settle();
	NOTE(send(fd, "x", 1, MSG_NOSIGNAL));
	NOTE(send(fd, "x", 1, MSG_NOSIGNAL));
	NOTE(recv(fd, buf, 10, 0));
	close(fd);
}

static void reset_is_reported_once(void **state)
{
	(void)state;
	compare_sides(reset_steps);
}

/* ---- data ---- */

static void *send_later(void *arg)
{
	int peer = *(int *)arg;

	side_settle();
	send(peer, "def", 3, 0);
	side_settle();
	send(peer, "ghij", 4, 0);
	return NULL;
}

static void flag_steps(struct side *s)
{
	int peer, fd = side_connected(s, 0, &peer), lowat = 6;
	struct iovec v[2] = { { buf, 2 }, { buf + 100, 3 } };
	struct msghdr m = { .msg_iov = v, .msg_iovlen = 2, .msg_control = buf + 200,
			    .msg_controllen = 64, .msg_flags = 0x7777 };
	pthread_t t;

	send(peer, "abc", 3, 0);
	side_settle();
	memset(buf, 0, sizeof(buf));
	NOTE(recv(fd, buf, 10, MSG_PEEK));
	NOTE(recv(fd, buf, 10, MSG_DONTWAIT | MSG_WAITALL | MSG_PEEK));
	pthread_create(&t, NULL, send_later, &peer);
	NOTE(recv(fd, buf, 5, MSG_PEEK | MSG_WAITALL));
	note(s, "%.5s", buf);
	NOTE(recvmsg(fd, &m, 0));
	note(s, "%.2s %.3s flags %x control %zu", buf, buf + 100, m.msg_flags, m.msg_controllen);
	NOTE(recv(fd, buf, 5, MSG_WAITALL));
	pthread_join(t, NULL);
	note(s, "%.5s", buf);
	NOTE(recv(fd, buf, 5, MSG_DONTWAIT));
	NOTE(recv(fd, buf, 5, MSG_DONTWAIT));
	setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &lowat, sizeof(lowat));
	pthread_create(&t, NULL, send_later, &peer);
	NOTE(recv(fd, buf, 100, 0));
	pthread_join(t, NULL);
	pthread_create(&t, NULL, send_later, &peer);
	NOTE(recv(fd, buf, 2, 0));
	pthread_join(t, NULL);
	close(peer);
	NOTE(recv(fd, buf, 100, MSG_WAITALL));
	NOTE(recv(fd, buf, 100, MSG_WAITALL));
	close(fd);
}

static void recv_flags_are_linux_s(void **state)
{
	(void)state;
	compare_sides(flag_steps);
}

static void inq_step(struct side *s, int fd, size_t room)
{
	struct iovec v = { buf, 2 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = buf + 200, .msg_controllen = room };
	struct cmsghdr *c = m.msg_control;

	memset(buf, 0, sizeof(buf));
	NOTE(recvmsg(fd, &m, 0));
	note(s, "flags %x control %zu", m.msg_flags, m.msg_controllen);
	note(s, "%zu %d %d %d", c->cmsg_len, c->cmsg_level, c->cmsg_type, buf[200 + sizeof(*c)]);
}

static void inq_steps(struct side *s)
{
	int peer, fd = side_connected(s, 0, &peer), on = 1, bad = 2;
	socklen_t len = sizeof(on);

	send(peer, "abcdefgh", 8, 0);
	side_settle();
	inq_step(s, fd, 64);
	NOTE(setsockopt(fd, IPPROTO_TCP, TCP_INQ, &bad, sizeof(bad)));
	NOTE(setsockopt(fd, IPPROTO_TCP, TCP_INQ, &on, sizeof(on)));
	inq_step(s, fd, 64);
	inq_step(s, fd, 18);
	close(peer);
	side_settle();
	inq_step(s, fd, 64);
	inq_step(s, fd, 64);
	on = 0;
	NOTE(getsockopt(fd, IPPROTO_TCP, TCP_INQ, &on, &len));
	note(s, "%d", on);
	close(fd);
}

static void inq_is_told_as_on_linux(void **state)
{
	(void)state;
	compare_sides(inq_steps);
}

static void splice_steps(struct side *s)
{
	int peer, fd = side_connected(s, 0, &peer), ends[2], at = 0;
	off64_t off = 0;

	assert_int_equal(pipe(ends), 0);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	send(peer, "abcdefgh", 8, 0);
	side_settle();
	memset(buf, 0, sizeof(buf));
	NOTE(splice(fd, NULL, ends[1], NULL, 3, 0));
	NOTE(splice(fd, &off, ends[1], NULL, 3, 0));
	NOTE(splice(fd, NULL, ends[1], NULL, 100, SPLICE_F_NONBLOCK));
	NOTE(read(ends[0], buf, 100));
	note(s, "%.8s", buf);
	send(peer, "x", 1, MSG_OOB);
	side_settle();
	NOTE(ioctl(fd, SIOCATMARK, &at));
	NOTE(splice(fd, NULL, ends[1], NULL, 100, 0));
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	while (write(ends[1], buf, 4096) > 0)
		;
	send(peer, "more", 4, 0);
	side_settle();
	NOTE(recv(fd, buf, 1, 0));
	NOTE(splice(fd, NULL, ends[1], NULL, 100, SPLICE_F_NONBLOCK));
	while (read(ends[0], buf, 4096) > 0)
		;
	NOTE(splice(fd, NULL, ends[1], NULL, 100, 0));
	NOTE(read(ends[0], buf, 100));
	note(s, "%.3s", buf);
	close(peer);
	NOTE(splice(fd, NULL, ends[1], NULL, 100, 0));
	close(ends[0]);
	close(ends[1]);
	close(fd);
}

static void splice_into_a_pipe_is_linux_s(void **state)
{
	(void)state;
	compare_sides(splice_steps);
}

static void timeout_steps(struct side *s)
{
	struct timeval tv = { 0, 100000 };
	int peer, fd = side_connected(s, 0, &peer);
	socklen_t len = sizeof(tv);
	long r;

	NOTE(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	NOTE(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)));
	NOTE(recv(fd, buf, 1, 0));
	send(peer, "abc", 3, 0);
	NOTE(recv(fd, buf, 10, MSG_WAITALL));
	do {
		r = send(fd, buf, sizeof(buf), 0);
	} while (r > 0);
	note_result(s, "send", r);
	NOTE(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, &len));
	note(s, "%ld.%06ld %u", (long)tv.tv_sec, (long)tv.tv_usec, len);
	NOTE(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, 4));
	tv.tv_usec = 1000000;
	NOTE(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	tv.tv_usec = 1;
	tv.tv_sec = -1;
	NOTE(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	NOTE(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, &len));
	note(s, "%ld.%06ld", (long)tv.tv_sec, (long)tv.tv_usec);
	NOTE(recv(fd, buf, 1, 0));
	close(peer);
	close(fd);
}

static void timeouts_end_blocking_calls(void **state)
{
	(void)state;
	compare_sides(timeout_steps);
}

static void *read_all(void *arg)
{
	int fd = *(int *)arg;
	size_t n = 0;
	ssize_t r;

	side_settle();
	while ((r = read(fd, buf, 1000)) > 0)
		n += (size_t)r;
	return (void *)n;
}

static void bulk_steps(struct side *s)
{
	static char big[4 << 20];
	int peer, fd = side_connected(s, 0, &peer), file = memfd_create("f", 0);
	struct mmsghdr mm[2] = { 0 };
	struct iovec v = { big, 10 };
	off_t at = 5;
	pthread_t t;
	void *n;

	pthread_create(&t, NULL, read_all, &peer);
	NOTE(write(fd, big, sizeof(big)));
	assert_int_equal(write(file, big, 100000), 100000);
	NOTE(sendfile(fd, file, &at, 1000000));
	note(s, "at %ld, file %ld", (long)at, (long)lseek(file, 0, SEEK_CUR));
	lseek(file, 10, SEEK_SET);
	NOTE(sendfile(fd, file, NULL, 50));
	note(s, "file %ld", (long)lseek(file, 0, SEEK_CUR));
	NOTE(sendfile(file, fd, NULL, 50));
	mm[0].msg_hdr.msg_iov = mm[1].msg_hdr.msg_iov = &v;
	mm[0].msg_hdr.msg_iovlen = mm[1].msg_hdr.msg_iovlen = 1;
	NOTE(sendmmsg(fd, mm, 2, 0));
	NOTE(shutdown(fd, SHUT_WR));
	NOTE(send(fd, "x", 1, MSG_NOSIGNAL));
	pthread_join(t, &n);
	note(s, "received %zu", (size_t)n);
	send(peer, "0123456789abcdefghij", 20, 0);
	side_settle();
	NOTE(recvmmsg(fd, mm, 2, MSG_WAITFORONE, NULL));
	note(s, "%u %u", mm[0].msg_len, mm[1].msg_len);
	close(peer);
	close(fd);
	close(file);
}

static void bulk_arrives_whole(void **state)
{
	(void)state;
	compare_sides(bulk_steps);
}

static void stream_steps(struct side *s)
{
	int peer, fd = side_connected(s, 0, &peer);
	FILE *f = fdopen(fd, "r+");
	char line[64];

	NOTE(dprintf(fd, "%d lines\n", 2));
	NOTE(fprintf(f, "one\ntwo %s\n", "three"));
	NOTE(fflush(f));
	side_settle();
	NOTE(recv(peer, buf, sizeof(buf), 0));
	send(peer, "first\nsecond\n", 13, 0);
	note(s, "%s", fgets(line, sizeof(line), f));
	note(s, "%s", fgets(line, sizeof(line), f));
	NOTE(fseek(f, 0, SEEK_SET));
	close(peer);
	note(s, "%d", fgets(line, sizeof(line), f) == NULL && feof(f));
	NOTE(fclose(f));
	NOTE(close(fd));
}

static void streams_over_sockets_work(void **state)
{
	(void)state;
	compare_sides(stream_steps);
}

/* ---- options and flags ---- */

static void option_steps(struct side *s)
{
	static const struct {
		int level, name;
	} opts[] = {
		{ SOL_SOCKET, SO_TYPE }, { SOL_SOCKET, SO_DOMAIN }, { SOL_SOCKET, SO_PROTOCOL },
		{ SOL_SOCKET, SO_ACCEPTCONN }, { SOL_SOCKET, SO_ERROR }, { SOL_SOCKET, SO_RCVLOWAT },
		{ SOL_SOCKET, SO_KEEPALIVE }, { SOL_SOCKET, SO_RCVTIMEO }, { SOL_SOCKET, SO_LINGER },
		{ IPPROTO_TCP, TCP_NODELAY }, { IPPROTO_TCP, TCP_KEEPIDLE }, { IPPROTO_IP, IP_TTL },
		{ SOL_SOCKET, 9999 }, { IPPROTO_TCP, 9999 }, { 9999, 1 },
	};
	int peer, fd = side_connected(s, 0, &peer), one = 1, zero = 0;
	unsigned char val[64];
	socklen_t len, room;
	size_t i, k;

	for (i = 0; i < LEN(opts); i++) {
		for (room = 0; room <= 16; room++) {
			memset(val, 0xee, sizeof(val));
			len = room;
			note_result(s, "get", getsockopt(fd, opts[i].level, opts[i].name, val, &len));
			for (k = 0; k < sizeof(val) && val[k] == 0xee; k++)
				;
			note(s, "%zu %d: len %u, %02x%02x%02x%02x", i, opts[i].name, len, val[0], val[1],
			     val[2], val[3]);
		}
	}
	NOTE(setsockopt(fd, SOL_SOCKET, SO_TYPE, &one, sizeof(one)));
	NOTE(setsockopt(fd, SOL_SOCKET, SO_ERROR, &one, sizeof(one)));
	NOTE(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, 1));
	NOTE(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, NULL, 4));
	NOTE(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, (socklen_t)-1));
	NOTE(setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &zero, sizeof(zero)));
	NOTE(getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, NULL, &len));
	NOTE(getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, val, NULL));
	close(peer);
	close(fd);
}

static void options_are_read_as_on_linux(void **state)
{
	(void)state;
	compare_sides(option_steps);
}

static void file_steps(struct side *s)
{
	int peer, fd = side_connected(s, SOCK_CLOEXEC, &peer), on = 1, n = -1, to;
	struct stat st;

	note(s, "fl %x fd %x", fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
	NOTE(ioctl(fd, FIONBIO, &on));
	note(s, "fl %x", fcntl(fd, F_GETFL));
	NOTE(recv(fd, buf, 1, 0));
	on = 0;
	NOTE(ioctl(fd, FIONBIO, &on));
	NOTE(fcntl(fd, F_SETFL, O_NONBLOCK));
	NOTE(recv(fd, buf, 1, 0));
	send(peer, "abcd", 4, 0);
	side_settle();
	NOTE(ioctl(fd, FIONREAD, &n));
	note(s, "%d bytes", n);
	NOTE(ioctl(fd, SIOCOUTQ, &n));
	note(s, "%d bytes", n);
	NOTE(ioctl(fd, SIOCATMARK, &n));
	NOTE(fstat(fd, &st));
	note(s, "mode %o", st.st_mode);
	NOTE(isatty(fd));
	to = dup(fd);
	note(s, "dup fd %x", fcntl(to, F_GETFD));
	NOTE(recv(to, buf, 1, 0));
	close(fd);
	NOTE(recv(to, buf, 1, 0));
	fd = fcntl(to, F_DUPFD_CLOEXEC, 100);
	note(s, "dup fd %x %d", fcntl(fd, F_GETFD), fd);
	NOTE(dup2(fd, fd) == fd);
	NOTE(dup2(fd, to) == to);
	NOTE(dup3(fd, fd, 0));
	NOTE(dup3(fd, to, 0x1234));
	NOTE(recv(fd, buf, 1, 0));
	NOTE(dup2(s->listener, to) == to);
	close(to);
	NOTE(recv(fd, buf, 1, 0));
	NOTE(send(peer, "x", 1, MSG_NOSIGNAL));
	side_settle();
	NOTE(close(fd));
	side_settle();
	n = (int)recv(peer, buf, 1, MSG_DONTWAIT);
	note_result(s, "peer", n);
	close(peer);
}

static void file_calls_are_linux_s(void **state)
{
	(void)state;
	compare_sides(file_steps);
}

struct receiver {
	int fd;
	_Atomic pid_t tid;       /* 0 until it runs */
};

static void *recv_in_thread(void *arg)
{
	struct receiver *r = arg;

	r->tid = gettid();
	return (void *)recv(r->fd, buf, 10, 0);
}

/* The state letter of /proc/self/task/TID/stat: 'S' once the thread sleeps. */
static char thread_state(pid_t tid)
{
	char path[64], line[256] = "", *p;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
	f = fopen(path, "r");
	assert_non_null(f);
	p = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
	fclose(f);
	return p ? p[2] : '?';
}

/* On a busy machine it takes a thread more than a moment to get as far as its sleep. */
static void wait_until_it_sleeps(struct receiver *r)
{
	for (int i = 0; i < 100 && (!r->tid || thread_state(r->tid) != 'S'); i++)
		side_settle();
	side_settle();
}

static void closing_steps(struct side *s)
{
	int peer, fd = side_connected(s, 0, &peer);
	struct receiver rcv = { .fd = fd };
	pthread_t t;
	void *r;

	pthread_create(&t, NULL, recv_in_thread, &rcv);
	wait_until_it_sleeps(&rcv);
	NOTE(close(fd));
	side_settle();
	note_result(s, "peer hears nothing yet", recv(peer, buf, 1, MSG_DONTWAIT));
	send(peer, "abc", 3, 0);
	pthread_join(t, &r);
	note(s, "sleeper got %ld", (long)r);
	side_settle();
	note_result(s, "peer", recv(peer, buf, 1, MSG_DONTWAIT));
	close(peer);
}

static void close_during_recv_waits_for_it(void **state)
{
	(void)state;
	compare_sides(closing_steps);
}

static void linger_steps(struct side *s)
{
	struct linger l = { 1, 1 };
	struct timeval a, b;
	int peer, fd = side_connected(s, SOCK_NONBLOCK, &peer);
	long ms;

	while (send(fd, buf, sizeof(buf), 0) > 0)
		;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	gettimeofday(&a, NULL);
	NOTE(close(fd));
	gettimeofday(&b, NULL);
	ms = (b.tv_sec - a.tv_sec) * 1000 + (b.tv_usec - a.tv_usec) / 1000;
	note(s, "lingered %d", ms > 800 && ms < 1500);
	close(peer);
}

static void lingering_close_waits_even_without_blocking(void **state)
{
	(void)state;
	compare_sides(linger_steps);
}

/* ---- the server's side ---- */

static void server_steps(struct side *s)
{
	struct sockaddr_in a = s->own, p;
	int fd = side_socket(s, SOCK_NONBLOCK), client, conn, on = 0;
	socklen_t len = sizeof(a);

	NOTE(bind(fd, (struct sockaddr *)&a, sizeof(a)));
	NOTE(listen(fd, 5));
	NOTE(accept(fd, NULL, NULL));
	NOTE(connect(fd, (struct sockaddr *)&s->to, sizeof(s->to)));
	getsockname(fd, (struct sockaddr *)&a, &len);
	len = sizeof(on);
	NOTE(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len));
	note(s, "listens %d", on);
	client = side_client(s);
	NOTE(connect(client, (struct sockaddr *)&a, sizeof(a)));
	NOTE(accept4(fd, NULL, NULL, 0x1234));
	len = sizeof(p);
	conn = accept4(fd, (struct sockaddr *)&p, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	note(s, "conn %d fl %x fd %x", conn >= 0, fcntl(conn, F_GETFL), fcntl(conn, F_GETFD));
	note(s, "len %u %d", len, p.sin_addr.s_addr == s->own.sin_addr.s_addr ||
	     p.sin_addr.s_addr == s->to.sin_addr.s_addr);
	NOTE(send(client, "abc", 3, 0));
	side_settle();
	NOTE(recv(conn, buf, 10, 0));
	close(conn);
	close(client);
	close(fd);
}

static void listening_socket_accepts(void **state)
{
	(void)state;
	compare_sides(server_steps);
}

/* ---- AF_INET6 ---- */

static struct sockaddr_in6 mapped(const struct sockaddr_in *a)
{
	struct sockaddr_in6 m = { .sin6_family = AF_INET6, .sin6_port = a->sin_port };

	memset(&m.sin6_addr.s6_addr[10], 0xff, 2);
	memcpy(&m.sin6_addr.s6_addr[12], &a->sin_addr, 4);
	return m;
}

static void note_name(struct side *s, const char *what, int r, const struct sockaddr_in6 *a, socklen_t len)
{
	note(s, "%s %d family %d length %u %s%s", what, r, a->sin6_family, len,
	     IN6_IS_ADDR_V4MAPPED(&a->sin6_addr) ? "mapped" : "",
	     IN6_IS_ADDR_UNSPECIFIED(&a->sin6_addr) ? "any" : "");
}

static void v6_option_steps(struct side *s, int fd)
{
	int v = -1, on = 1;
	socklen_t len = sizeof(v);

	NOTE(getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v, &len));
	note(s, "v6only %d", v);
	v = 0x20;
	NOTE(setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &v, sizeof(v)));
	v = 0;
	NOTE(getsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &v, &len));
	note(s, "tclass %d", v);
	NOTE(setsockopt(fd, IPPROTO_IPV6, 9999, &on, sizeof(on)));
	NOTE(setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &on, 1));
	NOTE(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &v, &len));
	note(s, "domain %d", v);
}

static void v6_steps(struct side *s)
{
	struct sockaddr_in6 a = mapped(&s->to), got, any = { .sin6_family = AF_INET6 }, one = any;
	socklen_t len = sizeof(got);
	int fd = side_socket_of(s, AF_INET6, 0), peer, on = 1;
	char byte;

	one.sin6_addr = in6addr_loopback;
	one.sin6_port = s->closed.sin_port;
	v6_option_steps(s, fd);
	NOTE(connect(fd, (struct sockaddr *)&s->to, sizeof(s->to)));
	NOTE(connect(fd, (struct sockaddr *)&a, 23));
	NOTE(bind(fd, (struct sockaddr *)&s->to, sizeof(s->to)));
	NOTE(bind(fd, (struct sockaddr *)&any, 23));
	NOTE(getsockname(fd, (struct sockaddr *)&got, &len));
	note_name(s, "fresh", 0, &got, len);
	NOTE(connect(fd, (struct sockaddr *)&a, sizeof(a)));
	peer = accept(s->listener, NULL, NULL);
	len = sizeof(got);
	note_name(s, "peer", getpeername(fd, (struct sockaddr *)&got, &len), &got, len);
	note(s, "port %d", got.sin6_port == a.sin6_port);
	len = sizeof(got);
	note_name(s, "own", getsockname(fd, (struct sockaddr *)&got, &len), &got, len);
	len = 10;
	NOTE(getsockname(fd, (struct sockaddr *)&got, &len));
	note(s, "length %u", len);
	NOTE(send(fd, "x", 1, 0));
	NOTE(recv(peer, &byte, 1, 0));
	NOTE(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)));
	close(fd);
	close(peer);
	/* Native addresses are the kernel's on both sides. */
	fd = side_socket_of(s, AF_INET6, 0);
	NOTE(connect(fd, (struct sockaddr *)&one, sizeof(one)));
	close(fd);
	fd = side_socket_of(s, AF_INET6, 0);
	NOTE(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)));
	NOTE(connect(fd, (struct sockaddr *)&a, sizeof(a)));
	close(fd);
}

static void v6_sockets_speak_mapped_addresses(void **state)
{
	(void)state;
	compare_sides(v6_steps);
}

static void v6_server_steps(struct side *s)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6 }, got;
	struct sockaddr_in to = { .sin_family = AF_INET };
	socklen_t len = sizeof(any);
	int fd = side_socket_of(s, AF_INET6, 0), peer, conn;

	NOTE(bind(fd, (struct sockaddr *)&any, sizeof(any)));
	NOTE(listen(fd, 5));
	note_name(s, "listens", getsockname(fd, (struct sockaddr *)&any, &len), &any, len);
	to.sin_port = any.sin6_port;
	to.sin_addr.s_addr = side_wire.ns < 0 ? htonl(INADDR_LOOPBACK) : s->own.sin_addr.s_addr;
	peer = side_client(s);
	connect(peer, (struct sockaddr *)&to, sizeof(to));
	len = sizeof(got);
	conn = accept(fd, (struct sockaddr *)&got, &len);
	note_name(s, "accept", conn >= 0, &got, len);
	len = sizeof(got);
	note_name(s, "own", getsockname(conn, (struct sockaddr *)&got, &len), &got, len);
	close(conn);
	close(peer);
	close(fd);
}

static void v6_listener_accepts_mapped_peers(void **state)
{
	(void)state;
	compare_sides(v6_server_steps);
}

static void errno_is_left_alone_by_success(void **state)
{
	struct side s;
	int fd, peer;

	(void)state;
	side_open(&s, false);
	errno = 4711;
	fd = side_connected(&s, 0, &peer);
	send(fd, "abc", 3, 0);
	recv(peer, buf, 3, 0);
	send(peer, "abc", 3, 0);
	recv(fd, buf, 3, 0);
	close(fd);
	assert_int_equal(errno, 4711);
	close(peer);
	side_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fresh_socket_gives_linux_errors),
		cmocka_unit_test(connected_socket_gives_linux_errors),
		cmocka_unit_test(refused_connect_leaves_the_socket_usable),
		cmocka_unit_test(reset_is_reported_once),
		cmocka_unit_test(recv_flags_are_linux_s),
		cmocka_unit_test(inq_is_told_as_on_linux),
		cmocka_unit_test(splice_into_a_pipe_is_linux_s),
		cmocka_unit_test(timeouts_end_blocking_calls),
		cmocka_unit_test(bulk_arrives_whole),
		cmocka_unit_test(streams_over_sockets_work),
		cmocka_unit_test(options_are_read_as_on_linux),
		cmocka_unit_test(file_calls_are_linux_s),
		cmocka_unit_test(close_during_recv_waits_for_it),
		cmocka_unit_test(lingering_close_waits_even_without_blocking),
		cmocka_unit_test(listening_socket_accepts),
		cmocka_unit_test(v6_sockets_speak_mapped_addresses),
		cmocka_unit_test(v6_listener_accepts_mapped_peers),
		cmocka_unit_test(errno_is_left_alone_by_success),
	};

	side_prepare();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
