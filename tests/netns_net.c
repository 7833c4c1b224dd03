/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netns_net.c - the private network of the netif tests.
 */
#define _GNU_SOURCE 1
#include "netns_net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static int wire = -1;

/* ---- the namespace ---- */

static void stay_on_one_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)sched_getcpu(), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void leave(const char *why)
{
	fprintf(stderr, "skip: %s\n", why);
	exit(77);
}

void net_run(const char *fmt, ...)
{
	char cmd[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	if (system(cmd))
		fail_msg("failed: %s", cmd);
}

void net_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		fail_msg("%s: %s", path, strerror(errno));
	close(fd);
}

static void open_wire(void)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int on = 1;

	at.sll_ifindex = (int)if_nametoindex("p0");
	wire = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	assert_true(wire >= 0);
	assert_int_equal(setsockopt(wire, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)), 0);
	assert_int_equal(setsockopt(wire, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)), 0);
	assert_int_equal(bind(wire, (struct sockaddr *)&at, sizeof(at)), 0);
}

void net_enter(void)
{
	if (geteuid())
		leave("needs root");
	if (unshare(CLONE_NEWNET))
		leave("can't make a network namespace");
	if (system("command -v ip >/dev/null"))
		leave("needs ip (iproute2)");
	stay_on_one_cpu();
	net_write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
	net_write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
	if (system("ip link set lo up && ip link add v0 address 02:00:00:00:00:01 type veth "
	           "peer name p0 address 02:00:00:00:00:02"))
		leave("can't make a veth pair");
	net_write("/proc/sys/net/ipv4/ip_local_port_range", NET_PORTS);
	net_run("ip addr add 10.99.0.1/24 dev v0");
	net_run("ip link set p0 arp off up");
	net_run("ip link set v0 up");
	net_run("ip neigh add 10.99.0.2 lladdr 02:00:00:00:00:02 dev v0 nud permanent");
	net_run("ip route add default via 10.99.0.2");
	/* Until the kernel's worker has given it a queue, what is sent is dropped. */
	net_run("until ip -o link show v0 | grep -q 'qdisc noqueue state UP'; do sleep 0.01; done");
	open_wire();
}

/* ---- bytes ---- */

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) << 16 | get16(p + 2);
}

uint32_t net_sum(const uint8_t *p, size_t len, uint32_t sum)
{
	size_t i;

	for (i = 0; i < len; i++)
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

size_t net_build(const struct net_tcp *t, bool has_link, uint8_t *frame)
{
	static const uint8_t macs[] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0 };
	uint8_t *ip = frame + (has_link ? sizeof(macs) : 0), *tcp = ip + 20;
	size_t seglen = 20 + t->len, i;
	uint32_t sum;

	if (has_link)
		memcpy(frame, macs, sizeof(macs));
	memset(ip, 0, 40);
	ip[0] = 0x45;
	put16(ip + 2, (uint32_t)(20 + seglen));
	put16(ip + 4, 7);
	ip[8] = 64;
	ip[9] = IPPROTO_TCP;
	put32(ip + 12, t->src);
	put32(ip + 16, t->dst);
	put16(ip + 10, ~net_sum(ip, 20, 0) & 0xffff);
	put16(tcp, t->sport);
	put16(tcp + 2, t->dport);
	put32(tcp + 4, t->seq);
	put32(tcp + 8, t->ack);
	tcp[12] = 0x50;
	tcp[13] = t->flags;
	put16(tcp + 14, 65535);
	for (i = 0; i < t->len; i++)
		tcp[20 + i] = (uint8_t)(i * 7);
	sum = net_sum(ip + 12, 8, (uint32_t)(IPPROTO_TCP + seglen));
	if (t->gso_size)
		put16(tcp + 16, sum);
	else
		put16(tcp + 16, ~net_sum(tcp, seglen, sum) & 0xffff);
	return (size_t)(tcp + seglen - frame);
}

bool net_parse(const uint8_t *frame, size_t len, struct net_tcp *t)
{
	const uint8_t *ip = frame + ETH_HLEN, *tcp;
	size_t ihl, total;

	if (len < ETH_HLEN + 40 || get16(frame + 12) != ETH_P_IP || ip[9] != IPPROTO_TCP)
		return false;
	ihl = (size_t)(ip[0] & 15) * 4;
	total = get16(ip + 2);
	tcp = ip + ihl;
	*t = (struct net_tcp){
		.src = get32(ip + 12), .dst = get32(ip + 16),
		.sport = (uint16_t)get16(tcp), .dport = (uint16_t)get16(tcp + 2),
		.seq = get32(tcp + 4), .ack = get32(tcp + 8), .flags = tcp[13],
		.len = total - ihl - (size_t)(tcp[12] >> 4) * 4,
	};
	return true;
}

/* ---- the wire ---- */

static void put_on_wire(const uint8_t *frame, size_t len, struct virtio_net_hdr vnet)
{
	struct iovec iov[] = { { &vnet, sizeof(vnet) }, { (void *)(uintptr_t)frame, len } };

	assert_int_equal(writev(wire, iov, 2), len + sizeof(vnet));
}

void net_send_raw(const void *frame, size_t len)
{
	put_on_wire(frame, len, (struct virtio_net_hdr){ 0 });
}

/* The datagram in frame as two fragments. */
static void send_fragments(uint8_t *frame, size_t len, size_t cut)
{
	uint8_t *ip = frame + ETH_HLEN;
	size_t rest = len - ETH_HLEN - 20 - cut;

	put16(ip + 2, (uint32_t)(20 + cut));
	put16(ip + 6, 0x2000);
	put16(ip + 10, 0);
	put16(ip + 10, ~net_sum(ip, 20, 0) & 0xffff);
	net_send_raw(frame, ETH_HLEN + 20 + cut);
	put16(ip + 2, (uint32_t)(20 + rest));
	put16(ip + 6, (uint32_t)(cut / 8));
	put16(ip + 10, 0);
	put16(ip + 10, ~net_sum(ip, 20, 0) & 0xffff);
	memmove(ip + 20, ip + 20 + cut, rest);
	net_send_raw(frame, ETH_HLEN + 20 + rest);
}

void net_send(const struct net_tcp *t)
{
	static uint8_t frame[NET_FRAME_MAX];
	struct virtio_net_hdr vnet = { 0 };
	size_t len = net_build(t, true, frame);

	if (t->frag_cut) {
		send_fragments(frame, len, t->frag_cut);
		return;
	}
	if (t->gso_size) {
		vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		vnet.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		vnet.gso_size = t->gso_size;
		vnet.hdr_len = ETH_HLEN + 40;
		vnet.csum_start = ETH_HLEN + 20;
		vnet.csum_offset = 16;
	}
	put_on_wire(frame, len, vnet);
}

bool net_recv(uint8_t *frame, size_t *len)
{
	struct virtio_net_hdr vnet;
	struct iovec iov[] = { { &vnet, sizeof(vnet) }, { frame, NET_FRAME_MAX } };
	struct pollfd p = { .fd = wire, .events = POLLIN };
	ssize_t n;

	if (poll(&p, 1, 20000) <= 0)
		return false;
	n = readv(wire, iov, 2);
	assert_true(n > (ssize_t)sizeof(vnet));
	*len = (size_t)n - sizeof(vnet);
	return true;
}

bool net_recv_tcp(struct net_tcp *t)
{
	static uint8_t frame[NET_FRAME_MAX];
	size_t len;

	while (net_recv(frame, &len)) {
		if (net_parse(frame, len, t))
			return true;
	}
	return false;
}

void net_drain(void)
{
	char c;

	while (recv(wire, &c, 1, MSG_DONTWAIT) >= 0)
		continue;
}
