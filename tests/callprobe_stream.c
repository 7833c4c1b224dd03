/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * callprobe_stream.c - libc's own ways to a socket: streams, standard input and output, asynchronous I/O, calls by
 * number and by other names, the resolver.
 */
#include "callprobe.h"

#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

ssize_t __read(int fd, void *buf, size_t len);
ssize_t __write(int fd, const void *buf, size_t len);
ssize_t __send(int fd, const void *buf, size_t len, int flags);
int __close(int fd);
int __dup2(int from, int to);
int __fcntl(int fd, int cmd, ...);
int __poll(struct pollfd *fds, unsigned long n, int timeout);

static char buf[65536];

/* ---- streams ---- */

static void streams(enum state st)
{
	int fd = probe_open(st), dupd = dup(fd);
	FILE *f = fdopen(fd, "r+"), *out = fdopen(dupd, "w");
	char *line = NULL, big[20000];
	size_t size = 0;

	TRY(fileno(f) == fd);
	TRY(fileno(out) == dupd);
	TRY(fileno_unlocked(out) == dupd);
	TRY(setvbuf(out, NULL, _IOLBF, 0));
	TRY(fputs("line\n", out));
	TRY_MORE(getline(&line, &size, f), "%s", line);
	TRY(fprintf(out, "%d %s\n", 7, "seven"));
	TRY_MORE(fgets(buf, sizeof(buf), f) == buf, "%s", buf);
	TRY(setvbuf(out, NULL, _IOFBF, 30000));
	memset(big, 'x', sizeof(big));
	TRY(fwrite(big, 1, sizeof(big), out));
	TRY(fflush(out));
	TRY(fread(buf, 1, sizeof(big), f));
	TRY(memcmp(buf, big, sizeof(big)));
	TRY(putc('c', out));
	TRY(putc('d', out));
	TRY(fflush(out));
	TRY(getc(f));
	TRY(ungetc('e', f));
	TRY(getc(f));
	TRY(getc(f));
	TRY(fseek(f, 0, SEEK_SET));
	TRY(ftell(f));
	TRY(ferror(f));
	TRY(dprintf(fd, "by number %d", 1));
	TRY(fread(buf, 1, 11, f));
	/* The last stream that has the connection ends it for the peer, too. */
	TRY(shutdown(fileno(out), SHUT_WR));
	TRY(fclose(out));
	TRY(getc(f));
	TRY(feof(f));
	TRY(fdopen(fd, "x") == NULL);
	TRY(fdopen(-1, "r") == NULL);
	TRY(fclose(f));
	TRY(fcntl(fd, F_GETFD));
}

static void reading(enum state st)
{
	int fd = probe_open(st);
	FILE *f = fdopen(fd, "r");

	TRY(fputs("x", f));
	clearerr(f);
	TRY_MORE(fscanf(f, "%3s", buf), "%s", buf);
	TRY(fcntl(fd, F_SETFL, O_NONBLOCK));
	TRY(fread(buf, 1, 100, f));
	TRY(ferror(f) != 0);
	TRY(freopen("/dev/null", "r", f) == f);
	TRY(getc(f));
	TRY(fclose(f));
}

static void standard(enum state st)
{
	int fd = probe_open(st), keep = dup(STDOUT_FILENO), r;

	fflush(stdout);
	dup2(fd, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	r = printf("printed %d\n", 5);
	r = fflush(stdout) ? -1 : r;
	dup2(keep, STDOUT_FILENO);
	TRY(r);
	TRY_MORE(scanf("%60s", buf), "%s", buf);
	TRY(puts("back"));
	TRY(getchar());
	TRY(send(fd, "z", 1, 0));
	TRY(getchar());
	TRY(close(0));
	TRY(send(fd, "q", 1, 0));
	TRY(recv(fd, buf, 1, 0));
}

/* ---- asynchronous I/O ---- */

static long finish(struct aiocb *cb)
{
	const struct aiocb *list[] = { cb };

	while (aio_error(cb) == EINPROGRESS)
		aio_suspend(list, 1, NULL);
	errno = 0;
	return aio_error(cb) ? -aio_error(cb) : aio_return(cb);
}

static void asynchronous(enum state st)
{
	int fd = probe_open(st);
	struct aiocb w = { .aio_fildes = fd, .aio_buf = (void *)"written", .aio_nbytes = 7 };
	struct aiocb r = { .aio_fildes = fd, .aio_buf = buf, .aio_nbytes = 7, .aio_lio_opcode = LIO_READ };
	struct aiocb *list[] = { &w, &r };

	TRY(aio_write(&w));
	TRY(finish(&w));
	TRY(aio_read(&r));
	TRY_MORE(finish(&r), "%.7s", buf);
	w.aio_lio_opcode = LIO_WRITE;
	TRY(lio_listio(LIO_WAIT, list, 2, NULL));
	TRY(finish(&w));
	TRY(finish(&r));
	TRY(send(fd, "x", 1, 0));
	TRY(recv(fd, buf, 1, 0));
}

/* ---- by number ---- */

static void by_number(enum state st)
{
	int fd = probe_open(st), n = 0, to, ep = epoll_create1(0), p[2];
	struct iovec iov = { (void *)"vector", 6 }, in = { buf, 6 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct mmsghdr mm = { .msg_hdr = { .msg_iov = &in, .msg_iovlen = 1 } };
	struct pollfd pf = { .fd = fd, .events = POLLIN };
	struct sockaddr_storage a;
	struct epoll_event ev = { .events = EPOLLIN };
	struct timespec ts = { 5, 0 };
	socklen_t len = sizeof(a);
	unsigned char mask[8] = "";
	fd_set set;

	if (pipe(p) < 0)
		exit(1);
	TRY(syscall(SYS_write, fd, "abcdef", 6));
	TRY(syscall(SYS_ppoll, &pf, 1, &ts, mask, 8));
	probe_arrives(fd, 6);
	TRY(syscall(SYS_read, fd, buf, 1));
	TRY(syscall(SYS_recvfrom, fd, buf, 1, 0, NULL, NULL));
	TRY(syscall(SYS_ioctl, fd, FIONREAD, &n));
	TRY(syscall(SYS_preadv2, fd, &in, 1, -1, 0, 0));
	TRY(syscall(SYS_writev, fd, &iov, 1));
	probe_arrives(fd, 10);
	FD_ZERO(&set);
	FD_SET(fd, &set);
	TRY(syscall(SYS_pselect6, fd + 1, &set, NULL, NULL, &ts, NULL));
	TRY(syscall(SYS_readv, fd, &in, 1));
	TRY(syscall(SYS_sendmsg, fd, &m, 0));
	probe_arrives(fd, 10);
	TRY(syscall(SYS_epoll_ctl, ep, EPOLL_CTL_ADD, fd, &ev));
	TRY(syscall(SYS_epoll_pwait, ep, &ev, 1, 5000, NULL, 8));
	TRY(syscall(SYS_recvmmsg, fd, &mm, 1, 0, NULL));
	TRY(syscall(SYS_sendto, fd, "x", 1, 0, NULL, 0));
	probe_arrives(fd, 5);
	TRY(syscall(SYS_recvmsg, fd, &(struct msghdr){ .msg_iov = &in, .msg_iovlen = 1 }, 0));
	TRY(syscall(SYS_pwritev2, fd, &iov, 1, -1, 0, 0));
	TRY(syscall(SYS_write, fd, "splice", 6));
	probe_arrives(fd, 6);
	TRY(syscall(SYS_splice, fd, NULL, p[1], NULL, 6, 0));
	TRY(syscall(SYS_getsockname, fd, &a, &len));
	TRY(syscall(SYS_getpeername, fd, &a, &len));
	len = sizeof(n);
	TRY(syscall(SYS_getsockopt, fd, IPPROTO_TCP, TCP_NODELAY, &n, &len));
	TRY(syscall(SYS_setsockopt, fd, IPPROTO_TCP, TCP_NODELAY, &n, len));
	TRY(to = (int)syscall(SYS_fcntl, fd, F_DUPFD, 60));
	TRY(syscall(SYS_dup3, fd, 70, O_CLOEXEC));
	TRY(syscall(SYS_write, 70, "y", 1));
	TRY(syscall(SYS_read, to, buf, 1));
	TRY(syscall(SYS_shutdown, fd, SHUT_WR));
	TRY(syscall(SYS_close_range, 60, 80, 0));
	TRY(syscall(SYS_close, fd));
	TRY(syscall(SYS_close, fd));
	TRY(fd = (int)syscall(SYS_socket, probe_family, SOCK_STREAM, 0));
	TRY(syscall(SYS_connect, fd, &probe_server, probe_addr_len));
	TRY(syscall(SYS_accept4, fd, NULL, NULL, 0));
	TRY(syscall(SYS_listen, fd, 1));
}

static void other_names(enum state st)
{
	int fd = probe_open(st);
	struct pollfd pf = { .fd = fd, .events = POLLIN };

	TRY(__write(fd, "a", 1));
	TRY(__poll(&pf, 1, 5000));
	TRY(__read(fd, buf, 1));
	TRY(__send(fd, "b", 1, 0));
	TRY(__dup2(fd, 50));
	TRY(__fcntl(50, F_GETFL));
	TRY(recv(50, buf, 1, 0));
	TRY(__close(50));
	TRY(__close(50));
}

/* ---- the resolver is libc's and the kernel's ---- */

static void resolver(enum state st)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
	int fd = probe_open(st);

	TRY(getaddrinfo("localhost", "http", &hints, &found));
	TRY(found && found->ai_addr);
	freeaddrinfo(found);
	hints.ai_flags = AI_NUMERICHOST;
	TRY(getaddrinfo("nothing.example", NULL, &hints, &found));
	TRY(send(fd, "x", 1, 0));
}

const struct probe_case probe_stream_cases[] = {
	{ "streams", streams, 1u << CONNECTED },
	{ "reading", reading, 1u << READABLE },
	{ "standard", standard, 1u << CONNECTED },
	{ "asynchronous", asynchronous, 1u << CONNECTED },
	{ "by_number", by_number, 1u << CONNECTED },
	{ "other_names", other_names, 1u << CONNECTED },
	{ "resolver", resolver, 1u << CONNECTED },
	{ NULL, NULL, 0 },
};
