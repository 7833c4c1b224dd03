/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_netif_filter.c - the packet socket's filter, run through a small interpreter of
 * classic BPF, and held against a predicate written the plain way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "filter.h"

#define US 0x0a630001u           /* 10.99.0.1 */
#define PEER 0x0a630002u
#define OTHER 0x0a630003u

static const uint8_t own_mac[6] = { 2, 0, 10, 99, 0, 9 };
static const uint8_t if_mac[6] = { 2, 0, 0, 0, 0, 1 };
static const uint8_t broadcast[6] = { 255, 255, 255, 255, 255, 255 };

/* ---- the machine ---- */

struct packet {
	uint8_t b[256];
	size_t len;
	uint32_t vlan_tci;
	uint32_t pkttype;
};

/* False: beyond the packet's end, which ends the program with 0. */
static bool fetch(const struct packet *p, uint32_t off, unsigned size, uint32_t *val)
{
	if (off == (uint32_t)(SKF_AD_OFF + SKF_AD_VLAN_TAG)) {
		*val = p->vlan_tci;
		return true;
	}
	if (off == (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)) {
		*val = p->pkttype;
		return true;
	}
	if (off > p->len || size > p->len - off)
		return false;
	for (*val = 0; size; size--)
		*val = *val << 8 | p->b[off++];
	return true;
}

static bool load_a(const struct sock_filter *i, const struct packet *p, uint32_t x,
                   const uint32_t *mem, uint32_t *a)
{
	static const unsigned sizes[] = { [BPF_W >> 3] = 4, [BPF_H >> 3] = 2, [BPF_B >> 3] = 1 };
	unsigned size = sizes[BPF_SIZE(i->code) >> 3];

	switch (BPF_MODE(i->code)) {
	case BPF_ABS:
		return fetch(p, i->k, size, a);
	case BPF_IND:
		return fetch(p, i->k + x, size, a);
	case BPF_MEM:
		*a = mem[i->k];
		return true;
	case BPF_IMM:
		*a = i->k;
		return true;
	}
	fail_msg("load %#x", i->code);
	return false;
}

static bool is_true(const struct sock_filter *i, uint32_t a, uint32_t x)
{
	uint32_t k = BPF_SRC(i->code) == BPF_X ? x : i->k;

	switch (BPF_OP(i->code)) {
	case BPF_JEQ:
		return a == k;
	case BPF_JGT:
		return a > k;
	case BPF_JGE:
		return a >= k;
	case BPF_JSET:
		return a & k;
	}
	fail_msg("jump %#x", i->code);
	return false;
}

static uint32_t alu(const struct sock_filter *i, uint32_t a, uint32_t x)
{
	uint32_t k = BPF_SRC(i->code) == BPF_X ? x : i->k;

	switch (BPF_OP(i->code)) {
	case BPF_ADD:
		return a + k;
	case BPF_AND:
		return a & k;
	case BPF_LSH:
		return a << k;
	case BPF_RSH:
		return a >> k;
	}
	fail_msg("alu %#x", i->code);
	return 0;
}

static uint32_t run(const struct sock_filter *prog, int len, const struct packet *p)
{
	uint32_t a = 0, x = 0, mem[BPF_MEMWORDS] = { 0 };
	int pc;

	for (pc = 0; pc < len; pc++) {
		const struct sock_filter *i = &prog[pc];

		switch (BPF_CLASS(i->code)) {
		case BPF_RET:
			return i->k;
		case BPF_LD:
			if (!load_a(i, p, x, mem, &a))
				return 0;
			break;
		case BPF_LDX:
			assert_int_equal(i->code, BPF_LDX | BPF_B | BPF_MSH);
			if (!fetch(p, i->k, 1, &x))
				return 0;
			x = (x & 0xf) * 4;
			break;
		case BPF_ST:
			mem[i->k] = a;
			break;
		case BPF_ALU:
			a = alu(i, a, x);
			break;
		case BPF_JMP:
			if (BPF_OP(i->code) == BPF_JA)
				pc += (int)i->k;
			else
				pc += is_true(i, a, x) ? i->jt : i->jf;
			break;
		case BPF_MISC:
			assert_int_equal(BPF_MISCOP(i->code), BPF_TAX);
			x = a;
			break;
		default:
			fail_msg("instruction %#x", i->code);
		}
	}
	fail_msg("the program runs over its end");
	return 0;
}

/* ---- packets ---- */

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

/* An IPv4 header of ihl words; where the payload starts. */
static uint8_t *put_ip(uint8_t *p, unsigned ihl, uint8_t proto, uint16_t frag, uint32_t src, uint32_t dst)
{
	p[0] = (uint8_t)(0x40 | ihl);
	put16(p + 6, frag);
	p[9] = proto;
	put32(p + 12, src);
	put32(p + 16, dst);
	return p + 4 * ihl;
}

static struct packet empty(enum netif_link link, const uint8_t *dst_mac, uint16_t type)
{
	struct packet p = { .pkttype = PACKET_HOST };

	p.len = 120;
	if (link == NETIF_ETHER) {
		memcpy(p.b, dst_mac, 6);
		put16(p.b + 12, type);
	}
	return p;
}

static size_t l3_of(enum netif_link link)
{
	return link == NETIF_ETHER ? ETH_HLEN : 0;
}

static struct packet tcp(enum netif_link link, unsigned ihl, uint16_t frag, uint32_t dst, uint16_t dport)
{
	struct packet p = empty(link, if_mac, ETH_P_IP);
	uint8_t *t = put_ip(p.b + l3_of(link), ihl, IPPROTO_TCP, frag, PEER, dst);

	put16(t, 80);
	put16(t + 2, dport);
	return p;
}

/* An ICMP message about a segment that we sent from sport. */
static struct packet icmp(unsigned ihl, uint8_t type, uint8_t proto, uint32_t dst, uint16_t sport)
{
	struct packet p = empty(NETIF_ETHER, if_mac, ETH_P_IP);
	uint8_t *t = put_ip(p.b + ETH_HLEN, 5, IPPROTO_ICMP, 0, PEER, dst);

	t[0] = type;
	t = put_ip(t + 8, ihl, proto, 0, dst, OTHER);
	put16(t, sport);
	return p;
}

static struct packet arp(uint16_t op, uint32_t spa, uint32_t tpa)
{
	struct packet p = empty(NETIF_ETHER, broadcast, ETH_P_ARP);

	p.len = 42;
	p.pkttype = PACKET_BROADCAST;
	put16(p.b + ETH_HLEN + 6, op);
	put32(p.b + ETH_HLEN + 14, spa);
	put32(p.b + ETH_HLEN + 24, tpa);
	return p;
}

/* ---- filters ---- */

static struct sock_filter prog[FILTER_MAX];
static int prog_len;

static const uint16_t two_ports[] = { 40000, 33000 };
static const struct afpacket_addr shared_addr = { US, false, two_ports, 2 };
static const struct afpacket_addr own_addr = { US, true, NULL, 0 };

static void use(const struct afpacket_filter *f, enum netif_link link)
{
	prog_len = filter_build(f, link, prog, FILTER_MAX);
	assert_true(prog_len > 0);
}

static void use_shared(enum netif_link link)
{
	struct afpacket_filter f = { &shared_addr, 1, NULL };

	use(&f, link);
}

static void use_own(void)
{
	struct afpacket_filter f = { &own_addr, 1, own_mac };

	use(&f, NETIF_ETHER);
}

static bool passes(struct packet p)
{
	uint32_t verdict = run(prog, prog_len, &p);

	assert_true(verdict == 0 || verdict == UINT32_MAX);
	return verdict;
}

/* ---- tests ---- */

static void shared_segment_to_claimed_port_passes(void **state)
{
	(void)state;
	use_shared(NETIF_ETHER);
	assert_true(passes(tcp(NETIF_ETHER, 5, 0, US, 40000)));
	assert_true(passes(tcp(NETIF_ETHER, 5, 0x4000, US, 33000)));
	assert_true(passes(tcp(NETIF_ETHER, 15, 0, US, 33000)));
}

static void shared_segment_to_other_port_or_address_is_dropped(void **state)
{
	(void)state;
	use_shared(NETIF_ETHER);
	assert_false(passes(tcp(NETIF_ETHER, 5, 0, US, 40001)));
	assert_false(passes(tcp(NETIF_ETHER, 5, 0, US, 0)));
	assert_false(passes(tcp(NETIF_ETHER, 5, 0, OTHER, 40000)));
}

static void shared_fragments_first_by_port_later_all(void **state)
{
	(void)state;
	use_shared(NETIF_ETHER);
	assert_true(passes(tcp(NETIF_ETHER, 5, 0x2000, US, 40000)));
	assert_false(passes(tcp(NETIF_ETHER, 5, 0x2000, US, 40001)));
	assert_true(passes(tcp(NETIF_ETHER, 5, 0x2001, US, 9)));
	assert_true(passes(tcp(NETIF_ETHER, 5, 185, US, 9)));
	assert_false(passes(tcp(NETIF_ETHER, 5, 185, OTHER, 9)));
}

static void shared_icmp_error_about_claimed_port_passes(void **state)
{
	(void)state;
	use_shared(NETIF_ETHER);
	assert_true(passes(icmp(5, 3, IPPROTO_TCP, US, 40000)));
	assert_true(passes(icmp(8, 11, IPPROTO_TCP, US, 33000)));
	assert_true(passes(icmp(5, 12, IPPROTO_TCP, US, 33000)));
	assert_false(passes(icmp(5, 3, IPPROTO_TCP, US, 40001)));
	assert_false(passes(icmp(5, 3, IPPROTO_UDP, US, 40000)));
	assert_false(passes(icmp(5, 8, IPPROTO_TCP, US, 40000)));
	assert_false(passes(icmp(5, 0, IPPROTO_TCP, US, 40000)));
	assert_false(passes(icmp(5, 3, IPPROTO_TCP, OTHER, 40000)));
}

static void shared_other_protocols_are_dropped(void **state)
{
	struct packet p = tcp(NETIF_ETHER, 5, 0, US, 40000);

	(void)state;
	use_shared(NETIF_ETHER);
	p.b[ETH_HLEN + 9] = IPPROTO_UDP;
	assert_false(passes(p));
	put16(p.b + 12, ETH_P_IPV6);
	assert_false(passes(p));
}

static void arp_replies_announcements_and_ours_pass(void **state)
{
	(void)state;
	use_shared(NETIF_ETHER);
	assert_true(passes(arp(2, PEER, US)));
	assert_true(passes(arp(1, PEER, US)));
	assert_true(passes(arp(1, PEER, PEER)));
	assert_false(passes(arp(1, PEER, OTHER)));
	use_own();
	assert_true(passes(arp(1, 0, US)));
	assert_false(passes(arp(1, 0, OTHER)));
}

static void vlan_tagged_frame_is_dropped_priority_tagged_passes(void **state)
{
	struct packet p = tcp(NETIF_ETHER, 5, 0, US, 40000);

	(void)state;
	use_shared(NETIF_ETHER);
	p.vlan_tci = 5;
	assert_false(passes(p));
	p.vlan_tci = 0xe000;
	assert_true(passes(p));
}

static void frame_for_another_host_or_sent_is_dropped(void **state)
{
	struct packet p = tcp(NETIF_ETHER, 5, 0, US, 40000);

	(void)state;
	use_shared(NETIF_ETHER);
	p.pkttype = PACKET_OTHERHOST;
	assert_false(passes(p));
	p.pkttype = PACKET_OUTGOING;
	assert_false(passes(p));
	p.pkttype = PACKET_BROADCAST;
	assert_true(passes(p));
}

static void own_mac_is_what_counts(void **state)
{
	struct packet p = tcp(NETIF_ETHER, 5, 0, US, 1);

	(void)state;
	use_own();
	p.pkttype = PACKET_OTHERHOST;
	assert_false(passes(p));
	memcpy(p.b, own_mac, 6);
	assert_true(passes(p));
	p.b[5]++;
	assert_false(passes(p));
	memcpy(p.b, broadcast, 6);
	assert_true(passes(p));
}

static void own_address_everything_passes(void **state)
{
	struct packet p = icmp(5, 8, 0, US, 0);

	(void)state;
	use_own();
	memcpy(p.b, own_mac, 6);
	assert_true(passes(p));
	p.b[ETH_HLEN + 9] = 200;
	assert_true(passes(p));
	p.len = ETH_HLEN + 20;       /* a header alone is for the stack to judge */
	assert_true(passes(p));
	put32(p.b + ETH_HLEN + 16, OTHER);
	assert_false(passes(p));
}

static void raw_ip_is_told_by_its_version(void **state)
{
	struct packet p = tcp(NETIF_RAWIP, 6, 0, US, 40000);

	(void)state;
	use_shared(NETIF_RAWIP);
	assert_true(passes(p));
	p.pkttype = PACKET_OTHERHOST;   /* means nothing without a link header */
	assert_true(passes(p));
	p.b[0] = 0x65;
	assert_false(passes(p));
	assert_false(passes(tcp(NETIF_RAWIP, 5, 0, US, 40002)));
}

static void any_address_ports_pass_to_all(void **state)
{
	static const uint16_t http[] = { 80 };
	const struct afpacket_addr addrs[] = { { US, false, two_ports, 2 }, { 0, false, http, 1 } };
	struct afpacket_filter f = { addrs, 2, NULL };

	(void)state;
	use(&f, NETIF_ETHER);
	assert_true(passes(tcp(NETIF_ETHER, 5, 0, US, 80)));
	assert_true(passes(tcp(NETIF_ETHER, 5, 0, OTHER, 80)));
	assert_true(passes(tcp(NETIF_ETHER, 5, 0, US, 40000)));
	assert_false(passes(tcp(NETIF_ETHER, 5, 0, OTHER, 40000)));
}

static void nothing_claimed_nothing_passes(void **state)
{
	const struct afpacket_addr none = { US, false, NULL, 0 };
	struct afpacket_filter f = { &none, 1, NULL };

	(void)state;
	use(&f, NETIF_ETHER);
	assert_false(passes(tcp(NETIF_ETHER, 5, 0, US, 0)));
	assert_false(passes(tcp(NETIF_ETHER, 5, 185, US, 9)));
	assert_true(passes(arp(2, PEER, US)));
}

static void truncated_frame_is_dropped(void **state)
{
	struct packet p = tcp(NETIF_ETHER, 5, 0, US, 40000);

	(void)state;
	use_shared(NETIF_ETHER);
	for (p.len = 0; p.len < ETH_HLEN + 24; p.len++)
		assert_false(passes(p));
	assert_true(passes(p));
}

/* ---- many ports ---- */

static uint64_t seed = 1;

static uint32_t rnd(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 16) % n;
}

/* The kernel's own checker has the last word on a program. */
static void assert_kernel_takes_it(void)
{
	struct sock_fprog f = { (unsigned short)prog_len, prog };
	int s[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, s), 0);
	if (setsockopt(s[0], SOL_SOCKET, SO_ATTACH_FILTER, &f, sizeof(f)))
		assert_int_equal(errno, ENOMEM);     /* net.core.optmem_max; EINVAL would be ours */
	close(s[0]);
	close(s[1]);
}

static void many(uint16_t *port, size_t n, unsigned max, size_t false_max)
{
	static bool is_claimed[65536];
	struct afpacket_addr a = { US, false, port, n };
	struct afpacket_filter f = { &a, 1, NULL };
	size_t i, passed = 0;

	memset(is_claimed, 0, sizeof(is_claimed));
	for (i = 0; i < n; i++)
		is_claimed[port[i]] = true;
	prog_len = filter_build(&f, NETIF_ETHER, prog, max);
	assert_in_range(prog_len, 1, max);
	for (i = 0; i < 65536; i++) {
		bool does = passes(tcp(NETIF_ETHER, 5, 0, US, (uint16_t)i));

		if (is_claimed[i])
			assert_true(does);
		passed += does && !is_claimed[i];
	}
	assert_in_range(passed, 0, false_max);
	assert_kernel_takes_it();
}

static void ports_are_exact_while_they_fit(void **state)
{
	static uint16_t port[65535];
	size_t i;

	(void)state;
	for (i = 0; i < 3000; i++)
		port[i] = (uint16_t)(32768 + rnd(28232));
	many(port, 3000, FILTER_MAX, 0);
	for (i = 0; i < 65535; i++)
		port[i] = (uint16_t)(65535 - i);
	many(port, 65535, FILTER_MAX, 0);
	for (i = 0; i < 17; i++) {
		port[0] = 0;
		port[1] = 65535;
		port[i + 2] = (uint16_t)(1 + 2 * i);
		many(port, i + 2, FILTER_MAX, 0);
	}
}

static void every_second_port_is_one_range(void **state)
{
	static uint16_t port[14000];
	size_t i, k;

	(void)state;
	for (k = 0; k < 2; k++) {
		for (i = 0; i < 14000; i++)
			port[i] = (uint16_t)(32768 + k + 2 * i);
		many(port, 14000, 80, 0);
		port[7000]++;
		port[9000] = (uint16_t)(port[9001] + 1);
		many(port, 14000, 100, 0);
	}
}

static void ports_too_many_are_merged_but_none_is_lost(void **state)
{
	static uint16_t port[5000];
	size_t i;

	(void)state;
	for (i = 0; i < 5000; i++)
		port[i] = (uint16_t)(32768 + rnd(28232));
	many(port, 5000, FILTER_MAX, 10000);
	many(port, 5000, 200, 28232);
	many(port, 5000, 80, 28232);
}

static void program_that_can_not_fit_is_refused(void **state)
{
	struct afpacket_filter f = { &shared_addr, 1, NULL };

	(void)state;
	assert_int_equal(filter_build(&f, NETIF_ETHER, prog, 20), -E2BIG);
}

/* ---- against the plain predicate ---- */

static bool ports_have(const struct afpacket_addr *a, uint32_t port)
{
	size_t i;

	for (i = 0; i < a->nport; i++) {
		if (a->ports[i] == port)
			return true;
	}
	return false;
}

/* The local port that a datagram is about; -1: none, -2: any of ours will do. */
static int about(const uint8_t *ip, size_t len)
{
	size_t ihl = (size_t)(ip[0] & 15) * 4, in;

	if (ip[9] == IPPROTO_TCP) {
		if (get16(ip + 6) & 0x1fff)
			return -2;
		return ihl + 4 <= len ? (int)get16(ip + ihl + 2) : -1;
	}
	in = ihl + 8;
	if (ip[9] != IPPROTO_ICMP || get16(ip + 6) & 0x1fff || in + 10 > len)
		return -1;
	if (!memchr("\3\4\5\13\14", ip[ihl], 5) || ip[in + 9] != IPPROTO_TCP || get16(ip + in + 6) & 0x1fff)
		return -1;
	in += (size_t)(ip[in] & 15) * 4;
	return in + 2 <= len ? (int)get16(ip + in) : -1;
}

static bool should_pass(const struct afpacket_filter *f, const struct packet *p)
{
	const uint8_t *ip = p->b + ETH_HLEN;
	size_t i;
	int port = about(ip, p->len - ETH_HLEN);

	if (p->vlan_tci & 0xfff || p->pkttype == PACKET_OTHERHOST)
		return false;
	for (i = 0; i < f->naddr; i++) {
		const struct afpacket_addr *a = &f->addrs[i];

		if (a->addr && a->addr != get32(ip + 16))
			continue;
		if (a->is_own || (port == -2 && a->nport) || (port >= 0 && ports_have(a, (uint32_t)port)))
			return true;
	}
	return false;
}

static struct packet random_packet(void)
{
	static const uint32_t dst[] = { US, OTHER, PEER, 0x0a630007 };
	static const uint8_t types[] = { 0, 3, 4, 5, 8, 11, 12 };
	static const uint16_t frags[] = { 0, 0, 0, 0x4000, 0x2000, 0x2005, 7 };
	uint16_t port = (uint16_t)(100 + rnd(40));
	struct packet p;

	if (rnd(2)) {
		p = tcp(NETIF_ETHER, 5 + rnd(11), frags[rnd(7)], dst[rnd(4)], port);
	} else {
		p = icmp(5 + rnd(11), types[rnd(7)], rnd(4) ? IPPROTO_TCP : IPPROTO_UDP, dst[rnd(4)], port);
		put16(p.b + ETH_HLEN + 6, frags[rnd(7)]);
	}
	if (!rnd(8))
		p.vlan_tci = rnd(65536);
	if (!rnd(8))
		p.pkttype = PACKET_OTHERHOST;
	if (!rnd(4))
		p.len = ETH_HLEN + 20 + rnd(60);
	return p;
}

static void random_packets_pass_as_the_predicate_says(void **state)
{
	static const uint32_t addr[] = { US, OTHER, PEER, 0 };
	uint16_t ports[4][32];
	struct afpacket_addr addrs[4];
	struct afpacket_filter f = { addrs, 0, NULL };
	unsigned round, i, k;

	(void)state;
	for (round = 0; round < 300; round++) {
		f.naddr = rnd(5);
		for (i = 0; i < f.naddr; i++) {
			addrs[i] = (struct afpacket_addr){ addr[i], addr[i] && !rnd(4), ports[i], rnd(33) };
			for (k = 0; k < addrs[i].nport; k++)
				ports[i][k] = (uint16_t)(100 + (rnd(4) ? 2 * rnd(20) : rnd(40)));
		}
		use(&f, NETIF_ETHER);
		for (i = 0; i < 300; i++) {
			struct packet p = random_packet();
			bool want = should_pass(&f, &p);

			if (passes(p) != want)
				fail_msg("round %u packet %u: should %spass", round, i, want ? "" : "not ");
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shared_segment_to_claimed_port_passes),
		cmocka_unit_test(shared_segment_to_other_port_or_address_is_dropped),
		cmocka_unit_test(shared_fragments_first_by_port_later_all),
		cmocka_unit_test(shared_icmp_error_about_claimed_port_passes),
		cmocka_unit_test(shared_other_protocols_are_dropped),
		cmocka_unit_test(arp_replies_announcements_and_ours_pass),
		cmocka_unit_test(vlan_tagged_frame_is_dropped_priority_tagged_passes),
		cmocka_unit_test(frame_for_another_host_or_sent_is_dropped),
		cmocka_unit_test(own_mac_is_what_counts),
		cmocka_unit_test(own_address_everything_passes),
		cmocka_unit_test(raw_ip_is_told_by_its_version),
		cmocka_unit_test(any_address_ports_pass_to_all),
		cmocka_unit_test(nothing_claimed_nothing_passes),
		cmocka_unit_test(truncated_frame_is_dropped),
		cmocka_unit_test(ports_are_exact_while_they_fit),
		cmocka_unit_test(every_second_port_is_one_range),
		cmocka_unit_test(ports_too_many_are_merged_but_none_is_lost),
		cmocka_unit_test(program_that_can_not_fit_is_refused),
		cmocka_unit_test(random_packets_pass_as_the_predicate_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
