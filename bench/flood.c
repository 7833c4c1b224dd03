/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flood.c - frames of its own for a host under test, so many and so fast as it is told, no more.
 *
 *     flood INTERFACE MAC ADDRESS PORT KIND COUNT RATE [SOURCE]
 *
 * KIND is what the COUNT frames are, RATE a second, to ADDRESS behind MAC:
 *
 *     syn    connection requests, as of a Linux client, from any address of 20/8 and any port
 *     rst    resets, ack acknowledgments, data 100 bytes, all for connections that don't exist
 *     frag   single fragments of datagrams that never become whole
 *     arp    questions for ADDRESS, from any host of the /16 around SOURCE, else of ADDRESS
 *
 * Frames go out by a packet socket past the queueing discipline.  Each millisecond what is due by then is
 * sent, so that a late one is made up for.  Prints frames sent, seconds taken and frames refused.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/util.h"
#include "stack/wire.h"
#include "stack/wire_tcp.h"

#define BATCH 64u
#define FRAME_MAX 256u
#define COUNT_MAX 10000000u
#define RATE_MAX 1000000u

struct flood {
	int fd;
	uint8_t mac[MAC_LEN], to[MAC_LEN];
	ip4 addr, net;
	uint16_t port;
	uint64_t seed;
	size_t (*make)(struct flood *f, uint8_t *p);
};

/* xorshift64* */
static uint32_t random_u32(struct flood *f)
{
	f->seed ^= f->seed >> 12;
	f->seed ^= f->seed << 25;
	f->seed ^= f->seed >> 27;
	return (uint32_t)(f->seed * UINT64_C(2685821657736338717) >> 32);
}

/* ---- frames ---- */

static size_t put_link(const struct flood *f, uint8_t *p, const uint8_t *from, uint16_t type)
{
	struct eth_hdr eth = { .type = type };

	memcpy(eth.dst, f->to, MAC_LEN);
	memcpy(eth.src, from, MAC_LEN);
	eth_emit(p, &eth);
	return ETH_LEN;
}

static size_t put_ip(struct flood *f, uint8_t *p, struct ip_hdr *ip, size_t len)
{
	size_t n = put_link(f, p, f->mac, ETHTYPE_IPV4);

	ip->src = 0x14000000u | (random_u32(f) & 0xffffff);
	ip->dst = f->addr;
	ip->ttl = 60;
	ip->total_len = (uint16_t)(IP_LEN_MIN + len);
	return n + ip_emit(p + n, ip);
}

static size_t put_tcp(struct flood *f, uint8_t *p, struct tcp_hdr *th, size_t data)
{
	struct ip_hdr ip = { .proto = PROTO_TCP, .is_df = true };
	size_t len = TCP_LEN_MIN + tcp_options_len(th) + data, at;

	th->sport = (uint16_t)random_u32(f) | 1;
	th->dport = f->port;
	th->seq = random_u32(f);
	th->wnd = 64240;
	at = put_ip(f, p, &ip, len);
	memset(p + at + len - data, 'x', data);
	tcp_emit(p + at, th);
	tcp_set_csum(p + at, csum_fold(csum_add(csum_pseudo(ip.src, ip.dst, PROTO_TCP, len), p + at, len)));
	return at + len;
}

static size_t make_syn(struct flood *f, uint8_t *p)
{
	struct tcp_hdr th = { .flags = TCPF_SYN, .has_mss = true, .mss = 1460, .sack_permitted = true, .has_ts = true,
	                      .tsval = random_u32(f), .has_wscale = true, .wscale = 7 };

	return put_tcp(f, p, &th, 0);
}

static size_t make_rst(struct flood *f, uint8_t *p)
{
	return put_tcp(f, p, &(struct tcp_hdr){ .flags = TCPF_RST }, 0);
}

static size_t make_ack(struct flood *f, uint8_t *p)
{
	return put_tcp(f, p, &(struct tcp_hdr){ .flags = TCPF_ACK, .ack = random_u32(f) }, 0);
}

static size_t make_data(struct flood *f, uint8_t *p)
{
	return put_tcp(f, p, &(struct tcp_hdr){ .flags = TCPF_ACK | TCPF_PSH, .ack = random_u32(f) }, 100);
}

static size_t make_frag(struct flood *f, uint8_t *p)
{
	struct ip_hdr ip = { .proto = PROTO_TCP, .id = (uint16_t)random_u32(f), .has_more = true };
	size_t at = put_ip(f, p, &ip, 64);

	memset(p + at, 0, 64);
	return at + 64;
}

static size_t make_arp(struct flood *f, uint8_t *p)
{
	uint32_t who = random_u32(f) & 0xffff;
	struct arp_pkt a = { .op = ARP_REQUEST, .sender_ip = f->net | who, .target_ip = f->addr };
	size_t n;

	memcpy(a.sender_mac, f->mac, MAC_LEN);
	put_be16(a.sender_mac + 4, (uint16_t)who);
	n = put_link(f, p, a.sender_mac, ETHTYPE_ARPV4);
	arp_emit(p + n, &a);
	return n + ARP_LEN;
}

/* ---- sending ---- */

static void open_socket(struct flood *f, const char *name)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(name) };
	struct ifreq ifr = { 0 };
	int one = 1;

	f->fd = socket(AF_PACKET, SOCK_RAW, 0);   /* receives nothing */
	if (f->fd < 0 || !ll.sll_ifindex || bind(f->fd, (struct sockaddr *)&ll, sizeof(ll)) < 0)
		die(name);
	memcpy(ifr.ifr_name, name, MIN(strlen(name), sizeof(ifr.ifr_name) - 1));
	if (ioctl(f->fd, SIOCGIFHWADDR, &ifr) < 0 ||
	    setsockopt(f->fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one)) < 0)
		die(name);
	memcpy(f->mac, ifr.ifr_hwaddr.sa_data, MAC_LEN);
}

/* One batch of n: how many the interface refused. */
static unsigned send_batch(struct flood *f, unsigned n)
{
	static uint8_t frames[BATCH][FRAME_MAX];
	struct mmsghdr m[BATCH] = { 0 };
	struct iovec iov[BATCH];
	unsigned done = 0, refused = 0;
	int r;

	for (unsigned i = 0; i < n; i++) {
		iov[i].iov_base = frames[i];
		iov[i].iov_len = f->make(f, frames[i]);
		m[i].msg_hdr.msg_iov = &iov[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	while (done < n) {
		r = sendmmsg(f->fd, m + done, n - done, 0);
		refused += r <= 0;
		done += r > 0 ? (unsigned)r : 1;
	}
	return refused;
}

static void run(struct flood *f, unsigned count, unsigned rate)
{
	double begin = seconds(), now = begin;
	unsigned sent = 0, due, n, refused = 0;

	while (sent < count) {
		now = seconds();
		due = (unsigned)MIN((now - begin) * rate, count);
		while (sent < due) {
			n = MIN(due - sent, BATCH);
			refused += send_batch(f, n);
			sent += n;
		}
		if (sent < count)
			usleep(1000);
	}
	printf("sent %u seconds %.2f refused %u\n", sent, seconds() - begin, refused);
}

static const struct {
	const char *name;
	size_t (*make)(struct flood *f, uint8_t *p);
} kinds[] = {
	{ "syn", make_syn }, { "rst", make_rst }, { "ack", make_ack },
	{ "data", make_data }, { "frag", make_frag }, { "arp", make_arp },
};

static bool parse(struct flood *f, char **argv)
{
	struct in_addr addr;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (!strcmp(argv[5], kinds[i].name))
			f->make = kinds[i].make;
	if (!f->make || inet_pton(AF_INET, argv[3], &addr) != 1 ||
	    sscanf(argv[2], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &f->to[0], &f->to[1], &f->to[2], &f->to[3], &f->to[4],
	           &f->to[5]) != MAC_LEN)
		return false;
	f->addr = ntohl(addr.s_addr);
	f->port = (uint16_t)atoi(argv[4]);
	if (argv[8] && inet_pton(AF_INET, argv[8], &addr) != 1)
		return false;
	f->net = ntohl(addr.s_addr) & 0xffff0000u;
	return true;
}

int main(int argc, char **argv)
{
	struct flood f = { .seed = 0x9e3779b97f4a7c15u };
	unsigned long count, rate;

	if (argc < 8 || argc > 9 || !parse(&f, argv)) {
		fprintf(stderr, "usage: flood INTERFACE MAC ADDRESS PORT syn|rst|ack|data|frag|arp COUNT RATE [SOURCE]\n");
		return 2;
	}
	count = strtoul(argv[6], NULL, 10);
	rate = strtoul(argv[7], NULL, 10);
	if (!count || count > COUNT_MAX || !rate || rate > RATE_MAX) {
		fprintf(stderr, "flood: at most %u frames at %u a second\n", COUNT_MAX, RATE_MAX);
		return 2;
	}
	open_socket(&f, argv[1]);
	run(&f, (unsigned)count, (unsigned)rate);
	return 0;
}
