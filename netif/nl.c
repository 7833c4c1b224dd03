/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nl.c - netlink over our own fd rather than libmnl's socket, whose number we could
 * not choose.
 */
#include "nl.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "highfd.h"
#include "lateclose.h"
#include "rawcall.h"

/* To an address that nobody had before.  The kernel would give out the process id again as soon as a socket is
 * closed, but netlink_release() tells what depends on that address (the tables of an owner) of its end only
 * later, and who has taken it by then would lose what is new. */
static int bind_to(struct nl *nl, uint32_t groups)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK, .nl_groups = groups };
	int err;

	do {
		if (getrandom(&a.nl_pid, sizeof(a.nl_pid), 0) != sizeof(a.nl_pid))
			return -errno;
		a.nl_pid |= 1u << 31;           /* no process has such an id */
		err = raw_bind(nl->fd, &a, sizeof(a));
	} while (err == -EADDRINUSE);
	nl->portid = a.nl_pid;
	return err;
}

int nl_open(struct nl *nl, int bus, uint32_t groups)
{
	int err;

	memset(nl, 0, sizeof(*nl));
	nl->buf = malloc(NL_BUFFER);
	if (!nl->buf)
		return -ENOMEM;
	nl->fd = raw_socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, bus);
	if (nl->fd < 0) {
		err = nl->fd;
		free(nl->buf);
		nl->buf = NULL;
		return err;
	}
	nl->fd = highfd_raise(nl->fd);
	err = bind_to(nl, groups);
	if (err)
		nl_close(nl);
	return err;
}

static void close_by(struct nl *nl, void (*how)(int fd))
{
	if (!nl->buf)
		return;
	how(nl->fd);
	free(nl->buf);
	nl->buf = NULL;
	nl->fd = -1;
}

static void close_now(int fd)
{
	raw_close(fd);
}

void nl_close(struct nl *nl)
{
	close_by(nl, close_now);
}

void nl_close_late(struct nl *nl)
{
	close_by(nl, lateclose);
}

/* The next datagram: its length or -errno. */
static ssize_t receive(struct nl *nl)
{
	ssize_t n;

	do
		n = raw_recv(nl->fd, nl->buf, NL_BUFFER, 0);
	while (n == -EINTR);
	return n;
}

/* Throws away what a failed exchange left, so that the next finds only its own answers. */
static void drain(struct nl *nl)
{
	ssize_t n;

	do
		n = raw_recv(nl->fd, nl->buf, NL_BUFFER, MSG_DONTWAIT);
	while (n > 0 || n == -EINTR || n == -ENOBUFS);
}

int nl_transact(struct nl *nl, const void *msgs, size_t len, uint32_t seq, mnl_cb_t cb, void *ctx)
{
	struct sockaddr_nl to = { .nl_family = AF_NETLINK };
	ssize_t n;
	int more = MNL_CB_OK, err = 0;

	do
		n = raw_sendto(nl->fd, msgs, len, 0, &to, sizeof(to));
	while (n == -EINTR);
	if (n < 0)
		return (int)n;
	while (more > MNL_CB_STOP) {
		n = receive(nl);
		if (n < 0)
			return (int)n;
		more = mnl_cb_run(nl->buf, (size_t)n, seq, nl->portid, cb, ctx);
		if (more < 0)
			err = -errno;
	}
	if (err)
		drain(nl);
	return err;
}

int nl_request(struct nl *nl, struct nlmsghdr *m, mnl_cb_t cb, void *ctx)
{
	m->nlmsg_seq = ++nl->seq;
	m->nlmsg_flags |= NLM_F_REQUEST;
	return nl_transact(nl, m, m->nlmsg_len, nl->seq, cb, ctx);
}
