/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * portdiag.c - see portdiag.h.  Sockets that are bound and nothing more are told of
 * since Linux 6.8; before that they are overlooked.
 */
#include "portdiag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <string.h>

#include "nl.h"
#include "rawcall.h"

#define BOUND_INACTIVE 13        /* a state of sock_diag alone */
#define STATES ((1u << (BOUND_INACTIVE + 1)) - 1 - (1u << TCP_TIME_WAIT))

struct question {
	uint32_t addr;
	uint16_t port;
	uint32_t states;
	uint64_t cookie;         /* of the socket that doesn't count */
	int found;
};

/* The IPv4 address that a socket holds; false: it can't be reached by IPv4. */
static bool local_addr(const struct inet_diag_msg *m, uint32_t *addr)
{
	const uint32_t *src = m->id.idiag_src;

	if (m->idiag_family == AF_INET) {
		*addr = ntohl(src[0]);
		return true;
	}
	if (src[0] || src[1])
		return false;
	*addr = ntohl(src[3]);
	return src[2] == htonl(0xffff) || (!src[2] && !src[3]);
}

/* A connection of the host with itself: no interface but lo sees it. */
static bool is_inside(const struct inet_diag_msg *m, uint32_t addr)
{
	uint32_t peer = ntohl(m->id.idiag_dst[m->idiag_family == AF_INET ? 0 : 3]);

	return m->idiag_state != TCP_LISTEN && m->idiag_state != BOUND_INACTIVE && peer &&
	       (peer == addr || peer >> 24 == IN_LOOPBACKNET);
}

static int on_socket(const struct nlmsghdr *h, void *ctx)
{
	const struct inet_diag_msg *m = mnl_nlmsg_get_payload(h);
	struct question *q = ctx;
	uint64_t cookie;
	uint32_t addr;

	if (mnl_nlmsg_get_payload_len(h) < sizeof(*m))
		return MNL_CB_OK;
	memcpy(&cookie, m->id.idiag_cookie, sizeof(cookie));
	if (ntohs(m->id.idiag_sport) == q->port && cookie != q->cookie && local_addr(m, &addr) &&
	    (!addr || !q->addr || addr == q->addr) && !is_inside(m, addr))
		q->found++;
	return MNL_CB_OK;
}

static int ask(struct nl *nl, uint8_t family, struct question *q)
{
	uint8_t buf[256] = { 0 };
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct inet_diag_req_v2 *r;

	h->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	h->nlmsg_flags = NLM_F_DUMP;
	r = mnl_nlmsg_put_extra_header(h, sizeof(*r));
	r->sdiag_family = family;
	r->sdiag_protocol = IPPROTO_TCP;
	r->idiag_states = q->states;
	r->id.idiag_sport = htons(q->port);
	return nl_request(nl, h, on_socket, q);
}

static int count(struct question *q)
{
	struct nl nl;
	int err = nl_open(&nl, NETLINK_SOCK_DIAG, 0);

	if (err)
		return err;
	err = ask(&nl, AF_INET, q);
	if (!err)
		err = ask(&nl, AF_INET6, q);
	nl_close(&nl);
	if (err == -ENOENT)              /* no IPv6 in this kernel */
		err = 0;
	return err ? err : q->found;
}

int portdiag_is_used(uint32_t addr, uint16_t port, int fd, bool with_bound)
{
	struct question q = { .addr = addr, .port = port, .states = STATES };
	socklen_t len = sizeof(q.cookie);
	int r = raw_getsockopt(fd, SOL_SOCKET, SO_COOKIE, &q.cookie, &len);

	if (!with_bound)
		q.states &= ~(1u << BOUND_INACTIVE);
	if (!r)
		r = count(&q);
	return r < 0 ? r : r > 0;
}

int portdiag_listeners(uint32_t addr, uint16_t port)
{
	struct question q = { .addr = addr, .port = port, .states = 1u << TCP_LISTEN };

	return count(&q);
}
