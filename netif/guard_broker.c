/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guard_broker.c - the guard of a process without CAP_NET_ADMIN.
 *
 * A daemon that starts as root and becomes somebody else can still bind a port but not
 * change the table that keeps the kernel's TCP away from it.  The broker is a copy of the
 * process from before, reduced to the table's socket and the claims.  It is asked by datagrams, and trusts
 * nobody: dropping a port's segments hurts whoever has the port, so the asker sends the bound socket along, and
 * the broker keeps its copy for as long as the port is dropped.
 */
#include "guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fdpass.h"
#include "guard_impl.h"
#include "highfd.h"
#include "rawcall.h"

/* ---- asking ---- */

int guard_broker_pair(int ends[2])
{
	int r = raw_socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends);

	if (r)
		return r;
	ends[0] = highfd_raise(ends[0]);
	ends[1] = highfd_raise(ends[1]);
	return 0;
}

void guard_delegate(struct guard *g, int end)
{
	g->broker = end;
}

bool guard_is_delegated(const struct guard *g)
{
	return g->broker >= 0;
}

int guard_broker_change(struct guard *g, bool is_add, uint32_t addr, const uint16_t *ports, unsigned n)
{
	struct guard_request rq = { .addr = addr, .n = (uint16_t)n, .is_add = is_add };
	int fds[GUARD_REQUEST_PORTS];
	int32_t answer;
	unsigned i;
	ssize_t r;

	if (!n || n > GUARD_REQUEST_PORTS)
		return -EINVAL;
	memcpy(rq.ports, ports, n * sizeof(*ports));
	for (i = 0; is_add && i < n; i++)
		fds[i] = guard_claim_fd(g, addr, ports[i]);
	do
		r = fdpass_send(g->broker, &rq, sizeof(rq), fds, is_add ? n : 0, 0);
	while (r == -EINTR);
	while (r >= 0) {
		r = raw_recv(g->broker, &answer, sizeof(answer), 0);
		if (r == sizeof(answer))
			return answer;
		if (r == -EINTR)
			r = 0;
		else if (r >= 0)
			r = -EPERM;      /* it has gone */
	}
	return r == -EPIPE ? -EPERM : (int)r;
}

/* ---- serving ---- */

/* Closes the fds that it doesn't keep. */
static int add(struct guard *g, const struct guard_request *rq, int *fds)
{
	unsigned i, k;
	int r = 0;

	for (i = 0; i < rq->n && !r; i++) {
		r = !guard_is_bound(fds[i], rq->addr, rq->ports[i]) ? -EPERM :
		    guard_claim_fd(g, rq->addr, rq->ports[i]) >= 0 ? -EEXIST :
		    guard_make_slot(g, rq->addr, rq->ports[i]);
		if (r)
			break;
		guard_keep(g, rq->addr, rq->ports[i], highfd_raise(fds[i]));
		fds[i] = -1;
	}
	if (!r)
		r = guard_nft_change(&g->nft, true, rq->addr, rq->ports, rq->n);
	for (k = 0; r && k < i; k++)
		guard_drop(g, rq->addr, rq->ports[k]);
	return r;
}

static int take_back(struct guard *g, const struct guard_request *rq)
{
	unsigned i;
	int r;

	for (i = 0; i < rq->n; i++) {
		if (guard_claim_fd(g, rq->addr, rq->ports[i]) < 0)
			return -ENOENT;
	}
	r = guard_nft_change(&g->nft, false, rq->addr, rq->ports, rq->n);
	for (i = 0; !r && i < rq->n; i++)
		guard_drop(g, rq->addr, rq->ports[i]);
	return r;
}

/* One request: false when nobody is left to ask. */
static bool serve_one(struct guard *g, int end)
{
	struct guard_request rq;
	int fds[GUARD_REQUEST_PORTS];
	int32_t answer = -EINVAL;
	unsigned i, nfd;
	ssize_t r = fdpass_recv(end, &rq, sizeof(rq), fds, GUARD_REQUEST_PORTS, &nfd, MSG_CMSG_CLOEXEC);

	if (r == -EINTR)
		return true;
	if (r <= 0)
		return false;
	if (r == sizeof(rq) && rq.n && rq.n <= GUARD_REQUEST_PORTS && nfd == (rq.is_add ? rq.n : 0u))
		answer = rq.is_add ? add(g, &rq, fds) : take_back(g, &rq);
	for (i = 0; i < nfd; i++) {
		if (fds[i] >= 0)
			raw_close(fds[i]);
	}
	return raw_sendto(end, &answer, sizeof(answer), MSG_NOSIGNAL, NULL, 0) == sizeof(answer);
}

void guard_serve(struct guard *g, int end)
{
	while (serve_one(g, end))
		;
	guard_nft_close(&g->nft);
}
