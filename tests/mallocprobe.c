/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mallocprobe.c - calls that a signal handler may make don't allocate: the handler may have come in the midst of
 * malloc().  Each call that did is told; run over xtcp by tests/netns/calls.sh.
 *
 *   mallocprobe ADDRESS PORT      a server that echoes
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static volatile int allocations;

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define IS_SANITIZED
#endif
#endif

/* A sanitizer has a heap of its own. */
#if !defined(IS_SANITIZED) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t count, size_t n);
void *__libc_realloc(void *p, size_t n);
void __libc_free(void *p);

void *malloc(size_t n)
{
	allocations++;
	return __libc_malloc(n);
}

void *calloc(size_t count, size_t n)
{
	allocations++;
	return __libc_calloc(count, n);
}

void *realloc(void *p, size_t n)
{
	allocations++;
	return __libc_realloc(p, n);
}

void free(void *p)
{
	allocations += p != NULL;
	__libc_free(p);
}
#endif

#define TRY(call)                                                           \
	do {                                                                \
		int before_ = allocations;                                  \
		long r_ = (long)(call);                                     \
		if (allocations != before_ || r_ < 0)                       \
			fprintf(stderr, "%s: %ld, %d allocations\n", #call, r_, allocations - before_); \
		done++;                                                     \
	} while (0)

static struct sockaddr_in server;
static char buf[65536];
static int done;

static void try_data(int fd)
{
	struct iovec iov = { buf, 10 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct pollfd p = { .fd = fd, .events = POLLIN };
	fd_set set;

	TRY(send(fd, buf, 1000, 0));
	TRY(poll(&p, 1, 5000));
	TRY(recv(fd, buf, 10, 0));
	TRY(read(fd, buf, 10));
	TRY(write(fd, buf, 100));
	TRY(writev(fd, &iov, 1));
	TRY(readv(fd, &iov, 1));
	TRY(sendmsg(fd, &m, 0));
	TRY(recvmsg(fd, &m, 0));
	FD_ZERO(&set);
	FD_SET(fd, &set);
	TRY(select(fd + 1, &set, NULL, NULL, NULL));
	TRY(shutdown(fd, SHUT_WR));
	TRY(recv(fd, buf, sizeof(buf), 0));
}

static void try_client(void)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	struct epoll_event ev = { .events = EPOLLIN };
	int fd = -1, copy = -1, ep = epoll_create1(0), on = 1;

	TRY(fd = socket(AF_INET, SOCK_STREAM, 0));
	TRY(connect(fd, (struct sockaddr *)&server, sizeof(server)));
	TRY(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)));
	TRY(getsockname(fd, (struct sockaddr *)&a, &len));
	TRY(getpeername(fd, (struct sockaddr *)&a, &len));
	try_data(fd);
	TRY(fcntl(fd, F_SETFL, O_NONBLOCK));
	TRY(copy = dup(fd));
	TRY(dup2(fd, 60));
	TRY(close(60));
	TRY(close(copy));
	TRY(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
	TRY(epoll_wait(ep, &ev, 1, 5000));
	TRY(close(fd));
	close(ep);
}

static void try_server(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	struct pollfd p = { .events = POLLIN };
	int fd = -1;

	TRY(fd = socket(AF_INET, SOCK_STREAM, 0));
	TRY(bind(fd, (struct sockaddr *)&any, sizeof(any)));
	TRY(listen(fd, 5));
	p.fd = fd;
	TRY(poll(&p, 1, 0));
	TRY(close(fd));
}

int main(int argc, char **argv)
{
	int i, first;

	if (argc != 3 || inet_pton(AF_INET, argv[1], &server.sin_addr) != 1)
		return 2;
	server.sin_family = AF_INET;
	server.sin_port = htons((uint16_t)atoi(argv[2]));
	/* The first socket of all sets up everything. */
	first = socket(AF_INET, SOCK_STREAM, 0);
	for (i = 0; i < 2; i++) {
		try_client();
		try_server();
	}
	close(first);
	printf("%d calls\n", done);
	return 0;
}
