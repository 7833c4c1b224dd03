/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ringcalls.c - a program whose sockets are worked on by an io_uring, made by syscall(2) or, when it was built with
 * -DWITH_LIBURING, by liburing.
 *
 *     ringcalls client ADDRESS PORT    1 MB to an echo server and back on a connection from before the ring, one from after it
 *     ringcalls connect ADDRESS PORT   and on one that the ring makes
 *     ringcalls server PORT            an echo server whose ring accepts; ends after two clients
 *
 * Prints what it sees, one line each; "no io_uring" when the kernel gives none.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#ifdef WITH_LIBURING
#include <liburing.h>
#endif

#define ENTRIES 8
#define PIECES 20
#define PIECE 50000
#define CLIENTS 2

static void die(const char *what)
{
	fprintf(stderr, "ringcalls: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void no_ring(void)
{
	puts("no io_uring");
	exit(77);
}

/* ---- one operation, to its end: the result ---- */

static void fill(struct io_uring_sqe *sqe, int op, int fd, const void *p, unsigned len, uint64_t off)
{
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = (uint8_t)op;
	sqe->fd = fd;
	sqe->addr = (uintptr_t)p;
	sqe->len = len;
	sqe->off = off;
}

#ifdef WITH_LIBURING
static struct io_uring ring;

static void ring_open(void)
{
	if (io_uring_queue_init(ENTRIES, &ring, 0) < 0)
		no_ring();
}

static int ring_do(int op, int fd, const void *p, unsigned len, uint64_t off)
{
	struct io_uring_cqe *cqe;
	int r;

	fill(io_uring_get_sqe(&ring), op, fd, p, len, off);
	io_uring_submit(&ring);
	if (io_uring_wait_cqe(&ring, &cqe))
		die("wait");
	r = cqe->res;
	io_uring_cqe_seen(&ring, cqe);
	return r;
}
#else
static struct io_uring_params params;
static uint8_t *rings;
static struct io_uring_sqe *sqes;
static int ring;

static void ring_open(void)
{
	size_t sq, cq;

	ring = (int)syscall(SYS_io_uring_setup, ENTRIES, &params);
	if (ring < 0 || !(params.features & IORING_FEAT_SINGLE_MMAP))
		no_ring();
	sq = params.sq_off.array + params.sq_entries * sizeof(uint32_t);
	cq = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
	rings = mmap(NULL, sq > cq ? sq : cq, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQ_RING);
	sqes = mmap(NULL, params.sq_entries * sizeof(*sqes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring,
		    IORING_OFF_SQES);
	if (rings == MAP_FAILED || sqes == MAP_FAILED)
		die("mmap");
}

static _Atomic uint32_t *word(uint32_t off)
{
	return (_Atomic uint32_t *)(void *)(rings + off);
}

static int ring_do(int op, int fd, const void *p, unsigned len, uint64_t off)
{
	uint32_t tail = *word(params.sq_off.tail), i = tail & *word(params.sq_off.ring_mask), head;
	const struct io_uring_cqe *cqe;
	int r;

	fill(&sqes[i], op, fd, p, len, off);
	word(params.sq_off.array)[i] = i;
	atomic_store(word(params.sq_off.tail), tail + 1);
	if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		die("enter");
	head = *word(params.cq_off.head);
	cqe = (const struct io_uring_cqe *)(void *)(rings + params.cq_off.cqes) + (head & *word(params.cq_off.ring_mask));
	r = cqe->res;
	atomic_store(word(params.cq_off.head), head + 1);
	return r;
}
#endif

/* ---- what is done with it ---- */

static uint8_t pattern(size_t at)
{
	return (uint8_t)(at * 2654435761u >> 24);
}

static int all(int op, int fd, uint8_t *p, int len)
{
	int done = 0, r = 1;

	while (done < len && r > 0) {
		r = ring_do(op, fd, p + done, (unsigned)(len - done), 0);
		done += r > 0 ? r : 0;
	}
	return r < 0 ? r : done;
}

static void exchange(int fd, int out, int in)
{
	static uint8_t buf[PIECE];
	size_t at, i, wrong = 0;
	long sent = 0, got = 0;
	int n;

	for (n = 0; n < PIECES; n++) {
		at = (size_t)n * PIECE;
		for (i = 0; i < PIECE; i++)
			buf[i] = pattern(at + i);
		sent += all(out, fd, buf, PIECE);
		memset(buf, 0, PIECE);
		got += all(in, fd, buf, PIECE);
		for (i = 0; i < PIECE; i++)
			wrong += buf[i] != pattern(at + i);
	}
	printf("sent %ld got %ld wrong %zu\n", sent, got, wrong);
	printf("shutdown %d\n", ring_do(IORING_OP_SHUTDOWN, fd, NULL, SHUT_WR, 0));
	printf("end %d\n", ring_do(in, fd, buf, 1, 0));
	printf("close %d\n", ring_do(IORING_OP_CLOSE, fd, NULL, 0, 0));
}

static struct sockaddr_in place(const char *addr, const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };

	if (inet_pton(AF_INET, addr, &a.sin_addr) != 1)
		die("address");
	return a;
}

static int connected(const struct sockaddr_in *a)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (connect(fd, (const struct sockaddr *)a, sizeof(*a)) < 0)
		die("connect");
	return fd;
}

static void client(const struct sockaddr_in *a)
{
	int before = connected(a), after;

	ring_open();
	exchange(before, IORING_OP_SEND, IORING_OP_RECV);
	after = connected(a);
	exchange(after, IORING_OP_WRITE, IORING_OP_READ);
}

static void client_of_ring(const struct sockaddr_in *a)
{
	struct sockaddr_in nobody = *a, peer = { 0 };
	socklen_t len = sizeof(peer);
	int fd;

	ring_open();
	fd = socket(AF_INET, SOCK_STREAM, 0);
	printf("connect %d\n", ring_do(IORING_OP_CONNECT, fd, a, 0, sizeof(*a)));
	printf("peer %d %s:%u\n", getpeername(fd, (struct sockaddr *)&peer, &len), inet_ntoa(peer.sin_addr),
	       ntohs(peer.sin_port));
	exchange(fd, IORING_OP_SEND, IORING_OP_RECV);
	nobody.sin_port = htons(9);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	printf("nobody there: %s\n", ring_do(IORING_OP_CONNECT, fd, &nobody, 0, sizeof(nobody)) < 0 ? "fails" : "connects");
}

static void server(const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
	int l = socket(AF_INET, SOCK_STREAM, 0), on = 1, fd, n, got;
	static uint8_t buf[PIECE];

	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(l, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(l, 16) < 0)
		die("listen");
	ring_open();
	puts("listens");
	fflush(stdout);
	for (n = 0; n < CLIENTS; n++) {
		fd = ring_do(IORING_OP_ACCEPT, l, NULL, 0, 0);
		if (fd < 0)
			printf("accept %d\n", fd);
		while ((got = ring_do(IORING_OP_RECV, fd, buf, sizeof(buf), 0)) > 0 &&
		       all(IORING_OP_SEND, fd, buf, got) == got)
			;
		ring_do(IORING_OP_CLOSE, fd, NULL, 0, 0);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in a;

	if (argc == 4)
		a = place(argv[2], argv[3]);
	if (argc == 4 && !strcmp(argv[1], "client"))
		client(&a);
	else if (argc == 4 && !strcmp(argv[1], "connect"))
		client_of_ring(&a);
	else if (argc == 3 && !strcmp(argv[1], "server"))
		server(argv[2]);
	else
		return 2;
	return 0;
}
