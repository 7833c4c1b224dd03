/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filter.c - writes the packet socket's filter.
 *
 * Classic BPF only jumps forward, and a conditional jump at most 255 instructions; so a
 * test that fails takes an unconditional jump, whose target is filled in later: a label
 * is a chain of such jumps, each naming the one before in its k, until the label
 * is placed.  Ports are a binary search tree whose leaves are short lists of ranges;
 * as programs connect from every second port (ip_local_port_range's parity), a range is
 * of all its ports or of every second one.
 *
 * The program, in order; the first that decides ends it:
 *
 *   a VLAN tag, a frame for another MAC, a frame that we sent: drop
 *   ARP: a reply, an announcement (RFC 5227 3), a request for one of ours: pass
 *   IPv4 to an own address: pass
 *   otherwise M[0] = the local port that the packet is about: of a TCP segment
 *   the destination's, of an ICMP error the source's of the segment in it,
 *   ALL_PORTS for a later fragment of TCP (it has no ports; RFC 791 3.2)
 *   M[0] among the ports of any address, or of the packet's destination: pass
 *
 * Offsets are into the frame as the socket sees it, which is the same with and without a
 * virtio header and for super-frames.  A load beyond the frame's end drops it.
 */
#include "filter.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define PASS 0xffffffffu
#define DROP 0u
#define ALL_PORTS 0x10000u       /* in M[0]: no port, but ours if the address is */
#define CHAIN_END 0xffffffffu
#define LEAF 16                  /* ranges in a leaf; 3 * LEAF + 2 must stay below 256 */
#define VLAN_VID_MASK 0x0fff

enum { ETHER_TYPE = 12, ARP_OP = 6, ARP_SPA = 14, ARP_TPA = 24 };
enum { IP_FRAG = 6, IP_PROTO = 9, IP_DST = 16, IP_FRAG_MASK = 0x1fff, ICMP_LEN = 8 };

struct range {
	uint16_t lo, hi;
	uint16_t step;               /* 1, or 2: only those as even or odd as lo; 0: lo alone */
};

/* The ports of one address, sorted, and room for as many ranges. */
struct ports {
	uint16_t *port;
	struct range *range;
	size_t n;
};

/* The program so far; beyond max it is only counted. */
struct code {
	struct sock_filter *v;
	unsigned n, max;
};

/* A target that isn't placed yet: the last jump to it. */
struct label {
	unsigned last;
};
#define LABEL_INIT { CHAIN_END }

static void emit(struct code *c, unsigned op, uint32_t k, uint8_t jt, uint8_t jf)
{
	if (c->n < c->max)
		c->v[c->n] = (struct sock_filter){ .code = (uint16_t)op, .jt = jt, .jf = jf, .k = k };
	c->n++;
}

static void load(struct code *c, unsigned size, uint32_t off)
{
	emit(c, BPF_LD | size | BPF_ABS, off, 0, 0);
}

static void ret(struct code *c, uint32_t verdict)
{
	emit(c, BPF_RET | BPF_K, verdict, 0, 0);
}

static void jump(struct code *c, struct label *l)
{
	unsigned at = c->n;

	emit(c, BPF_JMP | BPF_JA, l->last, 0, 0);
	l->last = at;
}

static void place(struct code *c, struct label *l)
{
	unsigned at, before;

	if (c->n > c->max)
		return;
	for (at = l->last; at != CHAIN_END; at = before) {
		before = c->v[at].k;
		c->v[at].k = c->n - at - 1;
	}
	l->last = CHAIN_END;
}

/* Goes on when A compares so with k, else jumps. */
static void want(struct code *c, unsigned cmp, uint32_t k, struct label *otherwise)
{
	emit(c, BPF_JMP | cmp | BPF_K, k, 1, 0);
	jump(c, otherwise);
}

static void want_not(struct code *c, unsigned cmp, uint32_t k, struct label *otherwise)
{
	emit(c, BPF_JMP | cmp | BPF_K, k, 0, 1);
	jump(c, otherwise);
}

/* ---- trees ---- */

static void leaf(struct code *c, const struct range *r, size_t n, struct label *none)
{
	unsigned left = 0;           /* instructions from here to the RET PASS */
	size_t i;

	for (i = 0; i < n; i++)
		left += 1 + r[i].step;
	for (i = 0; i < n; i++) {
		bool is_odd = r[i].lo & 1;

		left -= 1 + r[i].step;
		if (!r[i].step) {
			emit(c, BPF_JMP | BPF_JEQ | BPF_K, r[i].lo, (uint8_t)(left + 1), 0);
			continue;
		}
		emit(c, BPF_JMP | BPF_JGE | BPF_K, r[i].lo, 0, (uint8_t)r[i].step);
		if (r[i].step == 1) {
			emit(c, BPF_JMP | BPF_JGT | BPF_K, r[i].hi, 0, (uint8_t)(left + 1));
			continue;
		}
		emit(c, BPF_JMP | BPF_JGT | BPF_K, r[i].hi, 1, 0);
		emit(c, BPF_JMP | BPF_JSET | BPF_K, 1, is_odd ? (uint8_t)(left + 1) : 0,
		     is_odd ? 0 : (uint8_t)(left + 1));
	}
	jump(c, none);
	ret(c, PASS);
}

/* A among the ranges: pass; else jumps.  Depth is the logarithm of n; all leaves but the last
 * are full. */
static void tree(struct code *c, const struct range *r, size_t n, struct label *none)
{
	const size_t half = (n / 2 + LEAF - 1) / LEAF * LEAF;
	struct label right = LABEL_INIT;

	if (n <= LEAF) {
		leaf(c, r, n, none);
		return;
	}
	want_not(c, BPF_JGE, r[half].lo, &right);
	tree(c, r, half, none);
	place(c, &right);
	tree(c, r + half, n - half, none);
}

static int port_cmp(const void *a, const void *b)
{
	return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

/* They usually come sorted. */
static void sort(uint16_t *port, size_t n)
{
	size_t i;

	for (i = 1; i < n; i++) {
		if (port[i - 1] > port[i]) {
			qsort(port, n, sizeof(*port), port_cmp);
			return;
		}
	}
}

/* Whether port may become the end of r, and what r's step is then; gap: how many ports that
 * are not ours may be in between.  -1: it may not. */
static int join(const struct range *r, uint16_t port, unsigned gap)
{
	unsigned d = (unsigned)port - r->hi;

	if (d <= 1 && r->step != 2)
		return d || r->step ? 1 : 0;
	if (!gap)
		return d == 2 && r->step != 1 ? 2 : -1;
	return d <= 1 + gap ? 1 : -1;
}

/* Sorted ports to ranges: how many. */
static size_t merge(const struct ports *p, unsigned gap)
{
	struct range *r = p->range - 1;
	size_t i;

	for (i = 0; i < p->n; i++) {
		int step = i ? join(r, p->port[i], gap) : -1;

		if (step < 0)
			*++r = (struct range){ p->port[i], p->port[i], 0 };
		else
			r->step = (uint16_t)step;
		r->hi = p->port[i];
	}
	return (size_t)(r + 1 - p->range);
}

/* ---- the parts of the program ---- */

static uint32_t mac_be32(const uint8_t *m)
{
	return (uint32_t)m[0] << 24 | (uint32_t)m[1] << 16 | (uint32_t)m[2] << 8 | m[3];
}

static void check_mac(struct code *c, const uint8_t *mac, struct label *drop)
{
	struct label other = LABEL_INIT, ours = LABEL_INIT;

	load(c, BPF_B, 0);
	want_not(c, BPF_JSET, 1, &ours);              /* a group address */
	load(c, BPF_W, 0);
	want(c, BPF_JEQ, mac_be32(mac), &other);
	load(c, BPF_H, 4);
	want_not(c, BPF_JEQ, (uint32_t)mac[4] << 8 | mac[5], &ours);
	place(c, &other);
	jump(c, drop);
	place(c, &ours);
}

static void check_link(struct code *c, const struct afpacket_filter *f, enum netif_link link,
                       struct label *drop)
{
	load(c, BPF_W, (uint32_t)(SKF_AD_OFF + SKF_AD_VLAN_TAG));
	want_not(c, BPF_JSET, VLAN_VID_MASK, drop);
	load(c, BPF_W, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE));
	want_not(c, BPF_JEQ, PACKET_OUTGOING, drop);
	if (link != NETIF_ETHER)
		return;
	if (f->mac)
		check_mac(c, f->mac, drop);
	else
		want_not(c, BPF_JEQ, PACKET_OTHERHOST, drop);
}

static void pass_if_any_addr(struct code *c, const struct afpacket_filter *f, bool only_own)
{
	size_t i;

	for (i = 0; i < f->naddr; i++) {
		if ((only_own && !f->addrs[i].is_own) || !f->addrs[i].addr)
			continue;
		emit(c, BPF_JMP | BPF_JEQ | BPF_K, f->addrs[i].addr, 0, 1);
		ret(c, PASS);
	}
}

static void arp_part(struct code *c, const struct afpacket_filter *f, struct label *drop)
{
	struct label reply = LABEL_INIT;

	load(c, BPF_H, ETH_HLEN + ARP_OP);
	want_not(c, BPF_JEQ, 2, &reply);
	load(c, BPF_W, ETH_HLEN + ARP_SPA);
	emit(c, BPF_MISC | BPF_TAX, 0, 0, 0);
	load(c, BPF_W, ETH_HLEN + ARP_TPA);
	emit(c, BPF_JMP | BPF_JEQ | BPF_X, 0, 0, 1);
	ret(c, PASS);
	pass_if_any_addr(c, f, false);
	jump(c, drop);
	place(c, &reply);
	ret(c, PASS);
}

/* M[0] of an ICMP error: RFC 792, "Internet Header + 64 bits of Original Data Datagram". */
static void icmp_port(struct code *c, uint32_t l3, struct label *drop)
{
	static const uint8_t errors[] = { 3, 4, 5, 11, 12 };
	const uint32_t in = l3 + ICMP_LEN;   /* the header inside, from X */
	size_t i;

	load(c, BPF_H, l3 + IP_FRAG);
	want_not(c, BPF_JSET, IP_FRAG_MASK, drop);
	emit(c, BPF_LDX | BPF_B | BPF_MSH, l3, 0, 0);
	emit(c, BPF_LD | BPF_B | BPF_IND, l3, 0, 0);
	for (i = 0; i < sizeof(errors); i++)
		emit(c, BPF_JMP | BPF_JEQ | BPF_K, errors[i], (uint8_t)(sizeof(errors) - i), 0);
	jump(c, drop);
	emit(c, BPF_LD | BPF_B | BPF_IND, in + IP_PROTO, 0, 0);
	want(c, BPF_JEQ, IPPROTO_TCP, drop);
	emit(c, BPF_LD | BPF_H | BPF_IND, in + IP_FRAG, 0, 0);
	want_not(c, BPF_JSET, IP_FRAG_MASK, drop);
	emit(c, BPF_LD | BPF_B | BPF_IND, in, 0, 0);
	emit(c, BPF_ALU | BPF_AND | BPF_K, 0xf, 0, 0);
	emit(c, BPF_ALU | BPF_LSH | BPF_K, 2, 0, 0);
	emit(c, BPF_ALU | BPF_ADD | BPF_X, 0, 0, 0);
	emit(c, BPF_MISC | BPF_TAX, 0, 0, 0);
	emit(c, BPF_LD | BPF_H | BPF_IND, in, 0, 0);
	emit(c, BPF_ST, 0, 0, 0);
}

/* M[0] of a TCP segment or fragment. */
static void tcp_port(struct code *c, uint32_t l3)
{
	struct label later = LABEL_INIT, done = LABEL_INIT;

	load(c, BPF_H, l3 + IP_FRAG);
	want_not(c, BPF_JSET, IP_FRAG_MASK, &later);
	emit(c, BPF_LDX | BPF_B | BPF_MSH, l3, 0, 0);
	emit(c, BPF_LD | BPF_H | BPF_IND, l3 + 2, 0, 0);
	jump(c, &done);
	place(c, &later);
	emit(c, BPF_LD | BPF_IMM, ALL_PORTS, 0, 0);
	place(c, &done);
	emit(c, BPF_ST, 0, 0, 0);
}

static void local_port(struct code *c, uint32_t l3, struct label *drop)
{
	struct label tcp = LABEL_INIT, done = LABEL_INIT;

	load(c, BPF_B, l3 + IP_PROTO);
	want_not(c, BPF_JEQ, IPPROTO_TCP, &tcp);
	want(c, BPF_JEQ, IPPROTO_ICMP, drop);
	icmp_port(c, l3, drop);
	jump(c, &done);
	place(c, &tcp);
	tcp_port(c, l3);
	place(c, &done);
}

/* The ports of one address, M[0] being the packet's. */
static void port_part(struct code *c, const struct ports *p, unsigned gap, struct label *none)
{
	emit(c, BPF_LD | BPF_MEM, 0, 0, 0);
	emit(c, BPF_JMP | BPF_JEQ | BPF_K, ALL_PORTS, 0, 1);
	ret(c, PASS);
	tree(c, p->range, merge(p, gap), none);
}

static void shared_part(struct code *c, const struct afpacket_filter *f, const struct ports *ports,
                        uint32_t l3, unsigned gap, struct label *drop)
{
	size_t i;

	for (i = 0; i < f->naddr; i++) {
		const struct afpacket_addr *a = &f->addrs[i];
		struct label next = LABEL_INIT;

		if (a->is_own || !a->nport)
			continue;
		if (a->addr) {
			load(c, BPF_W, l3 + IP_DST);
			want(c, BPF_JEQ, a->addr, &next);
		}
		port_part(c, &ports[i], gap, &next);
		place(c, &next);
	}
	jump(c, drop);
}

static bool has_shared(const struct afpacket_filter *f)
{
	size_t i;

	for (i = 0; i < f->naddr; i++) {
		if (!f->addrs[i].is_own)
			return true;
	}
	return false;
}

/* One program with ports merged over gaps of this size: its length or -E2BIG. */
static int build(const struct afpacket_filter *f, const struct ports *ports, enum netif_link link,
                 unsigned gap, struct sock_filter *prog, unsigned max)
{
	const uint32_t l3 = link == NETIF_ETHER ? ETH_HLEN : 0;
	struct code c = { prog, 0, max };
	struct label drop = LABEL_INIT, ip = LABEL_INIT;

	check_link(&c, f, link, &drop);
	if (link == NETIF_ETHER) {
		load(&c, BPF_H, ETHER_TYPE);
		want_not(&c, BPF_JEQ, ETH_P_IP, &ip);
		want(&c, BPF_JEQ, ETH_P_ARP, &drop);
		arp_part(&c, f, &drop);
	} else {
		load(&c, BPF_B, 0);
		emit(&c, BPF_ALU | BPF_RSH | BPF_K, 4, 0, 0);
		want(&c, BPF_JEQ, 4, &drop);
	}
	place(&c, &ip);
	load(&c, BPF_W, l3 + IP_DST);
	pass_if_any_addr(&c, f, true);
	if (has_shared(f)) {
		local_port(&c, l3, &drop);
		shared_part(&c, f, ports, l3, gap, &drop);
	}
	place(&c, &drop);
	ret(&c, DROP);
	return c.n <= max ? (int)c.n : -E2BIG;
}

/* The ports of all addresses, each list sorted; NULL: no memory.  One allocation. */
static struct ports *sort_ports(const struct afpacket_filter *f)
{
	struct ports *p;
	struct range *range;
	uint16_t *port;
	size_t i, n = 0;

	for (i = 0; i < f->naddr; i++)
		n += f->addrs[i].nport;
	p = malloc(f->naddr * sizeof(*p) + n * (sizeof(*range) + sizeof(*port)) + 1);
	if (!p)
		return NULL;
	range = (struct range *)(p + f->naddr);
	port = (uint16_t *)(range + n);
	for (i = 0; i < f->naddr; i++) {
		n = f->addrs[i].nport;
		p[i] = (struct ports){ port, range, n };
		if (n)
			memcpy(port, f->addrs[i].ports, n * sizeof(*port));
		sort(port, n);
		port += n;
		range += n;
	}
	return p;
}

int filter_build(const struct afpacket_filter *f, enum netif_link link,
                 struct sock_filter *prog, unsigned max)
{
	unsigned lo = 0, hi = 65535;     /* too small a gap, a gap that may do */
	struct ports *ports = sort_ports(f);
	int n;

	if (!ports)
		return -ENOMEM;
	n = build(f, ports, link, 0, prog, max);
	if (n == -E2BIG) {
		while (hi - lo > 1) {
			unsigned mid = (lo + hi) / 2;

			if (build(f, ports, link, mid, prog, max) < 0)
				lo = mid;
			else
				hi = mid;
		}
		n = build(f, ports, link, hi, prog, max);
	}
	free(ports);
	return n;
}
