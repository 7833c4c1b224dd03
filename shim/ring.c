/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ring.c - see ring.h.
 *
 * IORING_OP_CONNECT means a socket that isn't connected, which for the kernel is an AF_UNIX one of its own.  So where
 * we are asked to submit, what is about to be is looked at: the connection is begun, the socket bridged, and the operation becomes one
 * that ends when the object can be written to, with 0, or with an error when it has hung up: to send nothing, but to wait for
 * room first (IORING_RECVSEND_POLL_FIRST).
 */
#include "ring.h"

#include <linux/io_uring.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "bridge.h"
#include "call.h"
#include "epoll.h"
#include "fdtab.h"
#include "log.h"
#include "policy.h"
#include "rawcall.h"

#ifndef IORING_RECVSEND_POLL_FIRST
#define IORING_RECVSEND_POLL_FIRST (1U << 0)
#endif
#ifndef IORING_SETUP_SQE128
#define IORING_SETUP_SQE128 (1U << 10)
#endif
#ifndef IORING_SETUP_NO_SQARRAY
#define IORING_SETUP_NO_SQARRAY (1U << 16)
#endif
#define RINGS 16                  /* made by syscall(); more aren't looked into */

/* liburing's struct io_uring, as far as it is needed. */
struct liburing_sq {
	unsigned *khead, *ktail, *kring_mask, *kring_entries, *kflags, *kdropped, *array;
	struct io_uring_sqe *sqes;
	unsigned sqe_head, sqe_tail;
	size_t ring_sz;
	void *ring_ptr;
	unsigned ring_mask, ring_entries, pad[2];
};

struct liburing_cq {
	unsigned *khead, *ktail, *kring_mask, *kring_entries, *kflags, *koverflow;
	struct io_uring_cqe *cqes;
	size_t ring_sz;
	void *ring_ptr;
	unsigned ring_mask, ring_entries, pad[2];
};

struct liburing {
	struct liburing_sq sq;
	struct liburing_cq cq;
	unsigned flags;
};

/* One that was made by syscall(), with its queue as we have mapped it. */
struct mapped {
	int fd;
	struct io_uring_params params;
	uint8_t *queue;
	struct io_uring_sqe *sqes;
};

static struct mapped mapped[RINGS];
static _Atomic unsigned nmapped;

void ring_opened(void)
{
	static atomic_bool is_open;

	if (atomic_exchange(&is_open, true))
		return;
	log_event(LOG_INFO, "an io_uring is in use: TCP sockets are bridged; those that it makes itself are the kernel's");
	epoll_see_all();
	bridge_always();
}

/* ---- one operation ---- */

static ssize_t begin_connect(struct sock *s, const struct io_uring_sqe *sqe)
{
	const struct sockaddr *addr = (const struct sockaddr *)(uintptr_t)sqe->addr;
	bool was_nonblock = atomic_exchange(&s->is_nonblock, true);
	ssize_t r = policy_connect(s, addr, (socklen_t)sqe->off);

	if (!r)
		r = bridge_opened(s, call_connect(s, addr, (socklen_t)sqe->off));
	atomic_store(&s->is_nonblock, was_nonblock);
	return r;
}

/* What can't begin is left to the kernel, which refuses it. */
static void look_at(struct io_uring_sqe *sqe)
{
	static const char nothing;
	struct sock *s;
	ssize_t r;

	if (sqe->opcode != IORING_OP_CONNECT || sqe->flags & IOSQE_FIXED_FILE)
		return;
	s = fdtab_get(sqe->fd);
	if (!s)
		return;
	r = begin_connect(s, sqe);
	sock_put(s);
	if (r && r != -EINPROGRESS)
		return;
	sqe->opcode = IORING_OP_SEND;
	sqe->ioprio = IORING_RECVSEND_POLL_FIRST;
	sqe->off = 0;
	sqe->addr = (uintptr_t)&nothing;
	sqe->len = 0;
	sqe->msg_flags = MSG_NOSIGNAL;
}

/* ---- what is about to be submitted ---- */

void ring_submits(const void *liburing)
{
	const struct liburing *ring = liburing;
	unsigned i, mask = *ring->sq.kring_mask, shift = ring->flags & IORING_SETUP_SQE128 ? 1 : 0;

	for (i = ring->sq.sqe_head; i != ring->sq.sqe_tail; i++)
		look_at(&ring->sq.sqes[(i & mask) << shift]);
}

/* Entries of twice the size. */
static unsigned shift_of(const struct mapped *m)
{
	return m->params.flags & IORING_SETUP_SQE128 ? 1 : 0;
}

void ring_made(int fd, const void *params)
{
	unsigned i;
	struct mapped *m;

	ring_opened();
	for (i = 0; i < atomic_load(&nmapped) && mapped[i].fd != fd;)
		i++;
	if (i == RINGS)
		return;
	m = &mapped[i];
	if (i < atomic_load(&nmapped) && m->queue) {    /* an earlier one of this number */
		munmap(m->queue, m->params.sq_off.array + m->params.sq_entries * sizeof(unsigned));
		munmap(m->sqes, m->params.sq_entries * sizeof(*m->sqes) << shift_of(m));
	}
	m->queue = NULL;
	m->fd = fd;
	memcpy(&m->params, params, sizeof(m->params));
	if (i == atomic_load(&nmapped))
		atomic_fetch_add(&nmapped, 1);
}

static void *map(int fd, size_t len, long at)
{
	long r = raw_kernel(SYS_mmap, 0, (long)len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, at);

	return r < 0 && r > -4096 ? NULL : (void *)r;
}

static unsigned *word(const struct mapped *m, uint32_t off)
{
	return (unsigned *)(void *)(m->queue + off);
}

static bool map_queue(struct mapped *m)
{
	const struct io_uring_params *p = &m->params;

	if (m->queue)
		return true;
	m->sqes = map(m->fd, p->sq_entries * sizeof(*m->sqes) << shift_of(m), IORING_OFF_SQES);
	if (m->sqes)
		m->queue = map(m->fd, p->sq_off.array + p->sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
	return m->queue;
}

void ring_enters(int fd, unsigned n)
{
	struct mapped *m = mapped, *end = mapped + atomic_load(&nmapped);
	unsigned i, at, mask;

	while (m < end && m->fd != fd)
		m++;
	if (m == end || !map_queue(m))
		return;
	mask = *word(m, m->params.sq_off.ring_mask);
	for (i = 0; i < MIN(n, m->params.sq_entries); i++) {
		at = (*word(m, m->params.sq_off.head) + i) & mask;
		if (!(m->params.flags & IORING_SETUP_NO_SQARRAY))
			at = word(m, m->params.sq_off.array)[at] & mask;
		look_at(&m->sqes[at << shift_of(m)]);
	}
}
