/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netif.h - an interface that frames enter and leave by, and its back-ends.
 *
 * Nothing here knows of the stack.  A netif is used by one thread at a time
 * (the caller holds its own lock); its fd may be polled by any thread.
 * Errors are negative errno values; nothing here prints, exits or sets errno
 * on purpose.
 */
#ifndef XTCP_NETIF_H
#define XTCP_NETIF_H

#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum netif_link {
	NETIF_ETHER,  /* frames start with a 14-byte Ethernet header; ARP is used */
	NETIF_RAWIP,  /* frames start with the IP header; no neighbours (tun, wg, ppp) */
};

/* What is known of an interface; a copy, refreshed by netif_refresh(). */
struct netif_info {
	int ifindex;
	char name[IF_NAMESIZE];
	enum netif_link link;
	uint8_t mac[6];        /* zero when link is NETIF_RAWIP */
	unsigned mtu;          /* IP bytes per frame */
	bool is_up;            /* IFF_UP and IFF_RUNNING */
	bool is_loopback;
	bool has_arp;          /* false: IFF_NOARP or no link header */
	bool has_vnet;         /* super-frames and partial checksums both ways */
	unsigned gso_max;      /* largest IP datagram to transmit, 0 without has_vnet */
};

/* A received frame; borrowed until the next netif_receive(). */
struct netif_rx {
	const uint8_t *data;
	size_t len;
	struct virtio_net_hdr vnet;
};

#define NETIF_HEAD 160      /* every header that a TCP segment may have */
#define NETIF_INTO 4        /* pieces of receive_into() */

/* A frame to transmit: the pieces one after the other are the frame. */
#define NETIF_TX_IOV 4
struct netif_tx {
	struct iovec iov[NETIF_TX_IOV];
	int iovcnt;
	struct virtio_net_hdr vnet;
};

struct netif;

/* A back-end.  Every function gets the netif that it belongs to. */
struct netif_ops {
	/* Becomes readable (POLLIN) when netif_receive() may have frames. */
	int (*fd)(const struct netif *);
	/* Up to n frames into v: how many (fewer than n doesn't mean that no more are
	 * waiting), 0 when none is waiting, or -errno
	 * (-ENETDOWN: the interface is down; -ENODEV: it is gone). */
	int (*receive)(struct netif *, struct netif_rx *v, unsigned n);
	/* The frames of late were so large that each is worth two system calls; NULL: it has neither of the two. */
	bool (*expects_large)(const struct netif *);
	/* Shows the frame that waits first and leaves it there: v->data has NETIF_HEAD bytes of it or all, v->len
	 * is its length.  0, -EAGAIN when none waits, or as receive(). */
	int (*peek)(struct netif *, struct netif_rx *v);
	/* Receives the frame that peek() has just shown in v, what follows its first `head` bytes into `to`, which
	 * has room for just that: 1, -EFAULT (the frame is lost), or as receive(). */
	int (*receive_into)(struct netif *, struct netif_rx *v, size_t head, const struct iovec *to, int cnt);
	/* Sends the first frames of v: how many were taken, or -errno when not
	 * even the first was (-EAGAIN: no room for it yet, try again soon; -ENOBUFS: the
	 * interface or its queue has dropped it; -EMSGSIZE: drop it; -ENETDOWN; -ENODEV). */
	int (*transmit)(struct netif *, const struct netif_tx *v, unsigned n);
	/* Bytes that were taken and haven't left it or its queue, as Linux charges them to a
	 * socket; NULL: it can't tell. */
	unsigned (*queued)(struct netif *);
	/* Re-reads what can change (mtu, flags, mac): 0 or -errno. */
	int (*refresh)(struct netif *);
	void (*close)(struct netif *);
};

struct netif {
	const struct netif_ops *ops;
	struct netif_info info;
};

static inline int netif_fd(const struct netif *n) { return n->ops->fd(n); }
static inline int netif_receive(struct netif *n, struct netif_rx *v, unsigned c)
{
	return n->ops->receive(n, v, c);
}
static inline bool netif_expects_large(const struct netif *n)
{
	return n->ops->expects_large && n->ops->expects_large(n);
}
static inline int netif_peek(struct netif *n, struct netif_rx *v)
{
	return n->ops->peek(n, v);
}
static inline int netif_receive_into(struct netif *n, struct netif_rx *v, size_t head, const struct iovec *to, int cnt)
{
	return n->ops->receive_into(n, v, head, to, cnt);
}
static inline int netif_transmit(struct netif *n, const struct netif_tx *v, unsigned c)
{
	return n->ops->transmit(n, v, c);
}
static inline bool netif_tells_queued(const struct netif *n) { return n->ops->queued != NULL; }
static inline unsigned netif_queued(struct netif *n) { return n->ops->queued(n); }
static inline int netif_refresh(struct netif *n) { return n->ops->refresh(n); }
static inline void netif_close(struct netif *n)
{
	if (n)
		n->ops->close(n);
}

#endif
