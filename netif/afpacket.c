/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * afpacket.c - frames in and out by one AF_PACKET socket.
 *
 * The socket is made with protocol 0, which receives nothing; it gets a filter that
 * passes nothing, and only then is it bound to the interface and to ETH_P_ALL: no frame
 * of another interface, and none that nobody asked for, ever waits in it.
 *
 * Each frame is one datagram with a virtio header in front (PACKET_VNET_HDR), by
 * which super-frames and partial checksums pass both ways.  Without it (a socket that was
 * opened so by someone else) an unfinished checksum is known from PACKET_AUXDATA and
 * reported as one that needs no check.
 *
 * Frames are received a batch at a time (recvmmsg) into one mapping, a slot for
 * each, large enough for any IPv4 datagram.  The kernel gives memory to the pages of a slot
 * when a frame first reaches them: small frames cost one page a slot.
 *
 * A link without a header gives IP packets as its frames (tun, WireGuard: SOCK_RAW); where
 * the driver has one of its own to put in front (ppp), SOCK_DGRAM does, which Linux gives
 * no virtio header.  Linux hands VLAN frames of a card over with their tag taken
 * off; the filter drops them, as they belong to another interface.
 *
 * PACKET_QDISC_BYPASS is not used: over veth it measured the same, and a card whose ring is
 * full would drop what a queue holds.
 */
#define _GNU_SOURCE 1
#include "afpacket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if_arp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "filter.h"
#include "highfd.h"
#include "host.h"
#include "lateclose.h"
#include "rawcall.h"

#define BATCH 64
#define IP_MAX 65535
/* virtio header, Ethernet header and VLAN tag, the largest datagram; whole pages. */
#define SLOT ((size_t)17 * 4096)
/* While frames are larger than this on average, a few at a time: what was received stays in
 * the cache until it is used (measured at 60 KB: 7 us a frame, 11 us in batches of 32). */
#define LARGE ((size_t)16 << 10)
#define BATCH_LARGE 4
#define RCVBUF (16 << 20)
#define SNDBUF (1 << 20)
#define VNET_LEN sizeof(struct virtio_net_hdr)

union control {
	struct cmsghdr align;
	char buf[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
};

struct afpacket {
	struct netif n;
	int fd;
	struct sockaddr_ll to;       /* where raw IP is sent to */
	uint8_t *slots;              /* BATCH * SLOT bytes, mapped */
	unsigned rx_max;             /* slots to use at once */
	struct mmsghdr rx[BATCH];
	struct iovec rx_iov[BATCH];
	union control *rx_control;   /* BATCH of them, only without has_vnet; owned */
	struct mmsghdr tx[BATCH];
	struct iovec tx_iov[BATCH][1 + NETIF_TX_IOV];
};

static struct afpacket *self(struct netif *n)
{
	return (struct afpacket *)n;
}

static int set_opt(int fd, int name, int val)
{
	return raw_setsockopt(fd, SOL_PACKET, name, &val, sizeof(val));
}

/* ---- receiving ---- */

/* The socket tells ENETDOWN once, whether the interface went down or away. */
static int net_error(const struct afpacket *a, int err)
{
	struct sockaddr_ll at;
	socklen_t len = sizeof(at);

	if (err == -ENXIO)
		return -ENODEV;
	if (err == -ENETDOWN && !raw_getsockname(a->fd, &at, &len) && at.sll_ifindex <= 0)
		return -ENODEV;
	return err;
}

static uint8_t flags_of_auxdata(struct msghdr *m)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	struct tpacket_auxdata aux;

	if (!c || c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
		return 0;
	memcpy(&aux, CMSG_DATA(c), sizeof(aux));
	return aux.tp_status & TP_STATUS_CSUMNOTREADY ? VIRTIO_NET_HDR_F_DATA_VALID : 0;
}

/* What slot i holds; false when it is no whole frame. */
static bool take(struct afpacket *a, unsigned i, struct netif_rx *v)
{
	size_t len = a->rx[i].msg_len;
	uint8_t *p = a->slots + i * SLOT;

	if (a->rx[i].msg_hdr.msg_flags & MSG_TRUNC)
		return false;
	if (a->n.info.has_vnet) {
		if (len < VNET_LEN)
			return false;
		memcpy(&v->vnet, p, VNET_LEN);
		p += VNET_LEN;
		len -= VNET_LEN;
	} else {
		memset(&v->vnet, 0, sizeof(v->vnet));
		v->vnet.flags = flags_of_auxdata(&a->rx[i].msg_hdr);
	}
	v->data = p;
	v->len = len;
	return true;
}

static int afpacket_receive(struct netif *n, struct netif_rx *v, unsigned max)
{
	struct afpacket *a = self(n);
	int i, got, m;
	size_t bytes;

	if (max > a->rx_max)
		max = a->rx_max;
	do {
		for (i = 0; a->rx_control && i < (int)max; i++)
			a->rx[i].msg_hdr.msg_controllen = sizeof(union control);
		do
			got = raw_recvmmsg(a->fd, a->rx, max, MSG_DONTWAIT);
		while (got == -EINTR);
		if (got < 0)
			return got == -EAGAIN ? 0 : net_error(a, got);
		for (i = m = 0, bytes = 0; i < got; i++) {
			bytes += a->rx[i].msg_len;
			m += take(a, (unsigned)i, &v[m]);
		}
	} while (got && !m);
	a->rx_max = bytes > (size_t)got * LARGE ? BATCH_LARGE : BATCH;
	return m;
}

/* How a receiving call ended that gave nothing. */
static int rx_error(const struct afpacket *a, int err)
{
	return err == -EAGAIN ? err : net_error(a, err);
}

static bool afpacket_expects_large(const struct netif *n)
{
	return n->info.has_vnet && ((const struct afpacket *)n)->rx_max == BATCH_LARGE;
}

static int afpacket_peek(struct netif *n, struct netif_rx *v)
{
	struct afpacket *a = self(n);
	struct iovec iov = { a->slots, VNET_LEN + NETIF_HEAD };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t r;

	do
		r = raw_recvmsg(a->fd, &m, MSG_DONTWAIT | MSG_PEEK | MSG_TRUNC);
	while (r == -EINTR);
	if (r < 0)
		return rx_error(a, (int)r);
	if ((size_t)r < VNET_LEN)
		return -EIO;
	memcpy(&v->vnet, a->slots, VNET_LEN);
	v->data = a->slots + VNET_LEN;
	v->len = (size_t)r - VNET_LEN;
	return 0;
}

static int afpacket_receive_into(struct netif *n, struct netif_rx *v, size_t head, const struct iovec *to, int cnt)
{
	struct afpacket *a = self(n);
	struct iovec iov[1 + NETIF_INTO] = { { a->slots, VNET_LEN + head } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 1 + (size_t)cnt };
	ssize_t r;
	int i;

	for (i = 0; i < cnt; i++)
		iov[1 + i] = to[i];
	do
		r = raw_recvmsg(a->fd, &m, MSG_DONTWAIT);
	while (r == -EINTR);
	if (r < 0)
		return rx_error(a, (int)r);
	return (size_t)r == VNET_LEN + v->len && !(m.msg_flags & MSG_TRUNC) ? 1 : -EIO;
}

/* ---- transmitting ---- */

static void fill(struct afpacket *a, unsigned i, const struct netif_tx *f)
{
	struct msghdr *m = &a->tx[i].msg_hdr;
	struct iovec *iov = a->tx_iov[i];
	int cnt = 0, k;

	if (a->n.info.has_vnet)
		iov[cnt++] = (struct iovec){ (void *)(uintptr_t)&f->vnet, VNET_LEN };
	for (k = 0; k < f->iovcnt; k++)
		iov[cnt++] = f->iov[k];
	m->msg_iovlen = (size_t)cnt;
}

static int one(ssize_t ret)
{
	return ret < 0 ? (int)ret : 1;
}

static int afpacket_transmit(struct netif *n, const struct netif_tx *v, unsigned max)
{
	struct afpacket *a = self(n);
	unsigned i;
	int sent;

	if (max > BATCH)
		max = BATCH;
	for (i = 0; i < max; i++)
		fill(a, i, &v[i]);
	do {
		if (max == 1)
			sent = one(raw_sendmsg(a->fd, &a->tx[0].msg_hdr, MSG_DONTWAIT));
		else
			sent = raw_sendmmsg(a->fd, a->tx, max, MSG_DONTWAIT);
	} while (sent == -EINTR);
	return sent < 0 ? net_error(a, sent) : sent;
}

/* sk_wmem_alloc: a system call, 0.4 us. */
static unsigned afpacket_queued(struct netif *n)
{
	int bytes = 0;

	return raw_ioctl(self(n)->fd, SIOCOUTQ, &bytes) < 0 || bytes < 0 ? 0 : (unsigned)bytes;
}

/* ---- what is known of the interface ---- */

/* Frames of this kind of link, and the socket type that gives them: 0 or -EAFNOSUPPORT. */
static int link_kind(uint16_t hatype, enum netif_link *link, int *type)
{
	*link = NETIF_RAWIP;
	*type = SOCK_RAW;
	switch (hatype) {
	case ARPHRD_ETHER:
	case ARPHRD_LOOPBACK:
		*link = NETIF_ETHER;
		return 0;
	case ARPHRD_NONE:
	case ARPHRD_RAWIP:
	case ARPHRD_TUNNEL:
		return 0;
	case ARPHRD_PPP:
	case ARPHRD_IPGRE:
		*type = SOCK_DGRAM;
		return 0;
	}
	return -EAFNOSUPPORT;
}

static void set_info(struct netif_info *i, const struct host_link *l)
{
	i->ifindex = l->ifindex;
	memcpy(i->name, l->name, sizeof(i->name));
	memset(i->mac, 0, sizeof(i->mac));
	if (i->link == NETIF_ETHER)
		memcpy(i->mac, l->mac, sizeof(i->mac));
	i->mtu = l->mtu < IP_MAX ? l->mtu : IP_MAX;
	i->is_up = l->flags & IFF_UP && l->flags & IFF_RUNNING;
	i->is_loopback = l->flags & IFF_LOOPBACK;
	i->has_arp = i->link == NETIF_ETHER && !(l->flags & (IFF_NOARP | IFF_LOOPBACK));
	i->gso_max = 0;
	if (i->has_vnet)
		i->gso_max = l->gso_max && l->gso_max < IP_MAX ? l->gso_max : IP_MAX;
}

static int afpacket_refresh(struct netif *n)
{
	struct host_link l;
	int err;

	err = host_get_link(n->info.ifindex, &l);
	if (!err)
		set_info(&n->info, &l);
	return err;
}

static int afpacket_fd(const struct netif *n)
{
	return ((const struct afpacket *)n)->fd;
}

static void afpacket_close(struct netif *n)
{
	struct afpacket *a = self(n);

	if (a->slots)
		munmap(a->slots, BATCH * SLOT);
	lateclose(a->fd);
	free(a->rx_control);
	free(a);
}

static const struct netif_ops ops = {
	.fd = afpacket_fd,
	.receive = afpacket_receive,
	.expects_large = afpacket_expects_large,
	.peek = afpacket_peek,
	.receive_into = afpacket_receive_into,
	.transmit = afpacket_transmit,
	.queued = afpacket_queued,
	.refresh = afpacket_refresh,
	.close = afpacket_close,
};

/* ---- opening ---- */

__attribute__((format(printf, 4, 5)))
static int explain(char *err, size_t err_len, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, err_len, fmt, ap);
	va_end(ap);
	return code;
}

static void prepare_messages(struct afpacket *a)
{
	unsigned i;

	for (i = 0; i < BATCH; i++) {
		a->rx_iov[i] = (struct iovec){ a->slots + i * SLOT, SLOT };
		a->rx[i].msg_hdr.msg_iov = &a->rx_iov[i];
		a->rx[i].msg_hdr.msg_iovlen = 1;
		if (a->rx_control) {
			a->rx[i].msg_hdr.msg_control = &a->rx_control[i];
			a->rx[i].msg_hdr.msg_controllen = sizeof(union control);
		}
		a->tx[i].msg_hdr.msg_iov = a->tx_iov[i];
		if (a->n.info.link == NETIF_RAWIP) {
			a->tx[i].msg_hdr.msg_name = &a->to;
			a->tx[i].msg_hdr.msg_namelen = sizeof(a->to);
		}
	}
}

/* What the socket is: bound to which interface, of which kind, with virtio headers or not. */
static int inspect(struct afpacket *a)
{
	struct netif_info *info = &a->n.info;
	struct sockaddr_ll at = { .sll_family = AF_UNSPEC };
	socklen_t len = sizeof(at), olen = sizeof(int);
	struct host_link l;
	int type, wanted, vnet = 0, err;

	err = raw_getsockname(a->fd, &at, &len);
	if (err)
		return err;
	if (at.sll_family != AF_PACKET || at.sll_ifindex <= 0)
		return -EINVAL;
	err = raw_getsockopt(a->fd, SOL_SOCKET, SO_TYPE, &type, &olen);
	if (!err)
		err = link_kind(at.sll_hatype, &info->link, &wanted);
	if (!err && type != wanted)
		err = -EINVAL;
	if (err)
		return err;
	olen = sizeof(vnet);
	info->has_vnet = !raw_getsockopt(a->fd, SOL_PACKET, PACKET_VNET_HDR, &vnet, &olen) && vnet;
	a->to = (struct sockaddr_ll){ .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP),
	                              .sll_ifindex = at.sll_ifindex };
	err = host_get_link(at.sll_ifindex, &l);
	if (!err)
		set_info(info, &l);
	return err;
}

static int make_room(struct afpacket *a)
{
	void *p = mmap(NULL, BATCH * SLOT, PROT_READ | PROT_WRITE,
	               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return -errno;
	a->slots = p;
	if (a->n.info.has_vnet)
		return 0;
	a->rx_control = calloc(BATCH, sizeof(*a->rx_control));
	if (!a->rx_control)
		return -ENOMEM;
	set_opt(a->fd, PACKET_AUXDATA, 1);
	return 0;
}

int afpacket_from_fd(int fd, struct netif **n, char *err, size_t err_len)
{
	struct afpacket *a = calloc(1, sizeof(*a));
	int code = -ENOMEM;

	if (!a) {
		raw_close(fd);
		return explain(err, err_len, code, "no memory for the packet socket");
	}
	a->fd = highfd_raise(fd);
	a->n.ops = &ops;
	a->rx_max = BATCH;
	raw_fcntl(a->fd, F_SETFD, FD_CLOEXEC);
	raw_fcntl(a->fd, F_SETFL, O_RDWR | O_NONBLOCK);
	code = inspect(a);
	if (!code)
		code = make_room(a);
	if (code) {
		afpacket_close(&a->n);
		return explain(err, err_len, code, "fd %d can't be used as an interface's packet socket: %s",
		               fd, strerror(-code));
	}
	prepare_messages(a);
	*n = &a->n;
	return 0;
}

/* Large buffers: a window's worth of frames may come at once.  Forced when we may, else as
 * large as the host allows everybody. */
static void set_buffers(int fd)
{
	int rcv = RCVBUF, snd = SNDBUF;

	if (raw_setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &rcv, sizeof(rcv)))
		raw_setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcv, sizeof(rcv));
	if (raw_setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &snd, sizeof(snd)))
		raw_setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &snd, sizeof(snd));
}

static int attach(int fd, struct sock_filter *prog, unsigned len)
{
	struct sock_fprog f = { (unsigned short)len, prog };

	return raw_setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &f, sizeof(f));
}

static int attach_verdict(int fd, uint32_t verdict)
{
	struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, verdict);

	return attach(fd, &all, 1);
}

static int bind_to(int fd, int ifindex)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL),
	                          .sll_ifindex = ifindex };
	int err;

	err = attach_verdict(fd, 0);
	if (!err)
		err = set_opt(fd, PACKET_IGNORE_OUTGOING, 1);
	set_opt(fd, PACKET_VNET_HDR, 1);
	set_buffers(fd);
	return err ? err : raw_bind(fd, &at, sizeof(at));
}

static int no_link(const char *ifname, char *err, size_t err_len)
{
	char names[256];

	host_link_names(names, sizeof(names));
	snprintf(err, err_len, "there is no interface %s (there are: %s)", ifname, names);
	return -ENODEV;
}

int afpacket_open(const char *ifname, struct netif **n, char *err, size_t err_len)
{
	enum netif_link link;
	struct host_link l;
	int fd, type, code;

	code = host_find_link(ifname, &l);
	if (code == -ENODEV)
		return no_link(ifname, err, err_len);
	if (code)
		return explain(err, err_len, code, "can't ask the kernel about interface %s: %s",
		               ifname, strerror(-code));
	if (link_kind(l.type, &link, &type))
		return explain(err, err_len, -EAFNOSUPPORT,
		               "interface %s carries neither Ethernet frames nor bare IP packets", ifname);
	fd = raw_socket(AF_PACKET, type | SOCK_CLOEXEC, 0);
	if (fd == -EPERM)
		return explain(err, err_len, -EPERM, "a packet socket on %s needs CAP_NET_RAW: "
		               "run as root, or by an xtcp-run that has the capability", ifname);
	if (fd < 0)
		return explain(err, err_len, fd, "can't open a packet socket on %s: %s",
		               ifname, strerror(-fd));
	code = bind_to(fd, l.ifindex);
	if (code) {
		raw_close(fd);
		return explain(err, err_len, code, "can't bind a packet socket to %s: %s",
		               ifname, strerror(-code));
	}
	return afpacket_from_fd(fd, n, err, err_len);
}

/* ---- filter, MAC, statistics ---- */

int afpacket_set_filter(struct netif *n, const struct afpacket_filter *f)
{
	struct sock_filter *prog;
	unsigned max = FILTER_MAX;
	int len, err;

	if (!f)
		return attach_verdict(self(n)->fd, UINT32_MAX);
	prog = malloc(FILTER_MAX * sizeof(*prog));
	if (!prog)
		return -ENOMEM;
	/* The kernel bounds filters by net.core.optmem_max too, in a size that we can't know. */
	do {
		len = filter_build(f, n->info.link, prog, max);
		err = len < 0 ? len : attach(self(n)->fd, prog, (unsigned)len);
		max /= 2;
	} while (len > 0 && err == -ENOMEM && max);
	free(prog);
	return err == -E2BIG ? -ENOMEM : err;
}

int afpacket_lock_filter(struct netif *n)
{
	int on = 1;

	return raw_setsockopt(self(n)->fd, SOL_SOCKET, SO_LOCK_FILTER, &on, sizeof(on));
}

static int membership(struct netif *n, int how, const struct packet_mreq *m)
{
	return raw_setsockopt(self(n)->fd, SOL_PACKET, how, m, sizeof(*m));
}

int afpacket_add_mac(struct netif *n, const uint8_t mac[6])
{
	struct packet_mreq m = { .mr_ifindex = n->info.ifindex, .mr_type = PACKET_MR_UNICAST,
	                         .mr_alen = 6 };

	memcpy(m.mr_address, mac, 6);
	return membership(n, PACKET_ADD_MEMBERSHIP, &m);
}

int afpacket_set_promisc(struct netif *n, bool on)
{
	struct packet_mreq m = { .mr_ifindex = n->info.ifindex, .mr_type = PACKET_MR_PROMISC };

	return membership(n, on ? PACKET_ADD_MEMBERSHIP : PACKET_DROP_MEMBERSHIP, &m);
}

unsigned afpacket_take_drops(struct netif *n)
{
	struct tpacket_stats st = { 0, 0 };
	socklen_t len = sizeof(st);

	if (raw_getsockopt(self(n)->fd, SOL_PACKET, PACKET_STATISTICS, &st, &len))
		return 0;
	return st.tp_drops;
}
