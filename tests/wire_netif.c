/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire_netif.c - a netif over one end of a socket pair.
 *
 * A message is the virtio header and the frame.  A full socket refuses with
 * -EAGAIN, as a packet socket does.
 */
#include "wire_netif.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FRAME_MAX (65536 + 64)
#define BATCH 8

struct wire {
	struct netif n;
	int fd;
	unsigned every, calls;
	unsigned drop_every, frames;
	bool is_cut, was_large;
	unsigned npieces;        /* frames that came in pieces */
	unsigned batches;        /* to transmit */
	uint8_t *bufs;           /* BATCH of FRAME_MAX */
};

static struct wire *wire_of(const struct netif *n)
{
	return (struct wire *)((char *)(uintptr_t)n - offsetof(struct wire, n));
}

static int wire_fd(const struct netif *n)
{
	return wire_of(n)->fd;
}

/* One message: v's header and `cnt` pieces.  Its bytes without the header, or -errno. */
static ssize_t take(struct wire *w, struct netif_rx *v, const struct iovec *to, int cnt, int flags)
{
	struct iovec iov[2 + NETIF_INTO] = { { &v->vnet, sizeof(v->vnet) } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 1 + (size_t)cnt };
	ssize_t r;

	memcpy(iov + 1, to, (size_t)cnt * sizeof(*to));
	r = recvmsg(w->fd, &m, MSG_DONTWAIT | flags);
	if (r < 0)
		return -errno;
	return r < (ssize_t)sizeof(v->vnet) ? -EAGAIN : r - (ssize_t)sizeof(v->vnet);
}

static bool wire_expects_large(const struct netif *n)
{
	return wire_of(n)->was_large;
}

static int wire_peek(struct netif *n, struct netif_rx *v)
{
	struct wire *w = wire_of(n);
	struct iovec head = { w->bufs, NETIF_HEAD };
	ssize_t r = w->is_cut ? -EAGAIN : take(w, v, &head, 1, MSG_PEEK | MSG_TRUNC);

	v->data = w->bufs;
	v->len = r > 0 ? (size_t)r : 0;
	return r < 0 ? (int)r : 0;
}

static int wire_receive_into(struct netif *n, struct netif_rx *v, size_t head, const struct iovec *to, int cnt)
{
	struct wire *w = wire_of(n);
	struct iovec iov[1 + NETIF_INTO] = { { w->bufs, head } };
	ssize_t r;

	memcpy(iov + 1, to, (size_t)cnt * sizeof(*to));
	r = take(w, v, iov, 1 + cnt, 0);
	w->npieces++;
	return r < 0 ? (int)r : 1;
}

unsigned wire_netif_pieces(const struct netif *n)
{
	return wire_of(n)->npieces;
}

unsigned wire_netif_batches(const struct netif *n)
{
	return wire_of(n)->batches;
}

static int wire_receive(struct netif *n, struct netif_rx *v, unsigned max)
{
	struct wire *w = wire_of(n);
	unsigned i = 0;

	while (i < max && i < BATCH) {
		uint8_t *buf = w->bufs + (size_t)i * FRAME_MAX;
		struct iovec iov = { buf, FRAME_MAX };
		ssize_t r = take(w, &v[i], &iov, 1, 0);

		if (r < 0)
			break;
		if (w->is_cut)
			continue;
		w->was_large = r > 16384;
		v[i].data = buf;
		v[i++].len = (size_t)r;
	}
	return (int)i;
}

static int wire_transmit(struct netif *n, const struct netif_tx *v, unsigned max)
{
	struct wire *w = wire_of(n);
	unsigned i;

	w->batches++;
	if (w->every && ++w->calls % w->every == 0)
		return -EAGAIN;
	for (i = 0; i < max; i++) {
		struct iovec iov[1 + NETIF_TX_IOV] = { { (void *)(uintptr_t)&v[i].vnet, sizeof(v[i].vnet) } };
		struct msghdr m = { .msg_iov = iov, .msg_iovlen = (size_t)v[i].iovcnt + 1 };

		memcpy(iov + 1, v[i].iov, (size_t)v[i].iovcnt * sizeof(*iov));
		if (w->is_cut)
			continue;
		if (w->drop_every && ++w->frames % w->drop_every == 0)
			return i ? (int)i : -ENOBUFS;
		if (sendmsg(w->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EPIPE)
			return i ? (int)i : -errno;
	}
	return (int)max;
}

static int wire_refresh(struct netif *n)
{
	(void)n;
	return 0;
}

static void wire_close(struct netif *n)
{
	struct wire *w = wire_of(n);

	close(w->fd);
	free(w->bufs);
	free(w);
}

static const struct netif_ops wire_ops = {
	.fd = wire_fd,
	.receive = wire_receive,
	.expects_large = wire_expects_large,
	.peek = wire_peek,
	.receive_into = wire_receive_into,
	.transmit = wire_transmit,
	.refresh = wire_refresh,
	.close = wire_close,
};

static struct netif *wire_new(int fd, int i, bool has_vnet)
{
	struct wire *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->fd = fd;
	w->bufs = malloc((size_t)BATCH * FRAME_MAX);
	w->n.ops = &wire_ops;
	w->n.info = (struct netif_info){
		.ifindex = 100 + i,
		.name = "wire",
		.link = NETIF_ETHER,
		.mac = { 2, 0, 0, 0, 0, (uint8_t)(i + 1) },
		.mtu = 1500,
		.is_up = true,
		.has_arp = true,
		.has_vnet = has_vnet,
		.gso_max = has_vnet ? 65535 : 0,
	};
	if (w->bufs)
		return &w->n;
	free(w);
	return NULL;
}

int wire_netif_pair(struct netif *ends[2], bool has_vnet)
{
	int fds[2], size = 1 << 20, i;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		return -errno;
	for (i = 0; i < 2; i++) {
		setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		ends[i] = wire_new(fds[i], i, has_vnet);
	}
	return ends[0] && ends[1] ? 0 : -ENOMEM;
}

void wire_netif_refuse(struct netif *n, unsigned every)
{
	wire_of(n)->every = every;
}

void wire_netif_drop(struct netif *n, unsigned every)
{
	wire_of(n)->drop_every = every;
}

void wire_netif_cut(struct netif *n, bool is_cut)
{
	wire_of(n)->is_cut = is_cut;
}
