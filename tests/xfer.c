/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xfer.c - one transfer over one connection, for comparing TCPs on a bad link.
 *
 *     xfer send|recv connect|listen ADDRESS PORT FILE [ALGORITHM]
 *
 * The sender sends FILE, shuts down and waits for the receiver's end; the receiver writes what comes
 * to FILE.  Prints what it took and, from TCP_INFO at the end, what was sent again:
 *
 *     bytes N seconds S retrans N rtos N
 *
 * The time begins with connect() or with the connection that accept() gives.  A listener says
 * "ready" first.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/util.h"
#include "stack/tcp_info.h"

static int open_socket(const char *how, const char *addr, const char *port, const char *algorithm, double *begin)
{
	struct sockaddr_in sa = address_of(addr, port);
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1, conn;

	if (fd < 0)
		die("socket");
	if (algorithm && setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, algorithm, (socklen_t)strlen(algorithm)) < 0)
		die(algorithm);
	if (!strcmp(how, "connect")) {
		*begin = seconds();
		if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
			die("connect");
		return fd;
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 1) < 0)
		die("listen");
	conn = accept_one(fd);
	*begin = seconds();
	return conn;
}

static size_t send_file(int fd, int file)
{
	static char buf[1 << 16];
	size_t total = 0;
	ssize_t n, m;

	while ((n = read(file, buf, sizeof(buf))) > 0)
		for (ssize_t i = 0; i < n; i += m, total += (size_t)m) {
			m = send(fd, buf + i, (size_t)(n - i), 0);
			if (m < 0)
				die("send");
		}
	if (shutdown(fd, SHUT_WR) < 0)
		die("shutdown");
	if (recv(fd, buf, sizeof(buf), 0) != 0)
		die("the receiver's end");
	return total;
}

static size_t recv_file(int fd, int file)
{
	static char buf[1 << 18];
	size_t total = 0;
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0) {
		if (write(file, buf, (size_t)n) != n)
			die("write");
		total += (size_t)n;
	}
	if (n < 0)
		die("recv");
	return total;
}

int main(int argc, char **argv)
{
	struct tcp_info_abi info = { 0 };
	socklen_t len = sizeof(info);
	double begin;
	size_t total;
	int fd, file, is_send;

	if (argc < 6) {
		fprintf(stderr, "usage: xfer send|recv connect|listen ADDRESS PORT FILE [ALGORITHM]\n");
		return 2;
	}
	is_send = !strcmp(argv[1], "send");
	file = is_send ? open(argv[5], O_RDONLY) : open(argv[5], O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (file < 0)
		die(argv[5]);
	fd = open_socket(argv[2], argv[3], argv[4], argv[6], &begin);
	total = is_send ? send_file(fd, file) : recv_file(fd, file);
	begin = seconds() - begin;
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		die("TCP_INFO");
	printf("bytes %zu seconds %.4f retrans %u rtos %u\n", total, begin, info.total_retrans, info.total_rto);
	close(fd);
	return 0;
}
