/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hairpin.c - see hairpin.h.
 *
 * The program, for each frame on its way out:
 *
 *     to the own MAC                         turn it round
 *     from the own MAC, to the host's        turn it round
 *     from the own MAC, to a group           a copy comes in, and it goes on
 *     an ARP packet, for an own address      a copy comes in, and it goes on
 *     anything else                          it goes on
 *
 * Each process with an own address has such a program, one behind the other: that a copy has come in is told to the
 * others by the frame's control block, which lasts as long as it passes them.
 */
#define _GNU_SOURCE 1
#include "hairpin.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "highfd.h"
#include "rawcall.h"

#define TCX_EGRESS 47            /* enum bpf_attach_type, Linux 6.6 */
#define TCX_NEXT (-1)
#define FRAME (-16)              /* the Ethernet header on the program's stack */
#define SRC (FRAME + 6)
#define TYPE (FRAME + 12)
#define ARP_TPA 24               /* in an ARP packet for IPv4 over Ethernet */
#define COPIED_0 0x78746370      /* in the control block: a copy has come in */
#define COPIED_1 0x68616972
#define FIXED 64                 /* instructions but those for each address */

struct code {
	struct bpf_insn *v;
	unsigned n;
};

/* Jumps to a place further on. */
struct label {
	unsigned at[16];
	unsigned n;
};

static void emit(struct code *c, unsigned op, unsigned dst, unsigned src, int off, int imm)
{
	c->v[c->n++] = (struct bpf_insn){ .code = (uint8_t)op, .dst_reg = dst & 15, .src_reg = src & 15,
	                                  .off = (int16_t)off, .imm = imm };
}

static void mov(struct code *c, unsigned dst, int imm)
{
	emit(c, BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, imm);
}

static void mov_reg(struct code *c, unsigned dst, unsigned src)
{
	emit(c, BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0);
}

static void load(struct code *c, unsigned size, unsigned dst, unsigned src, int off)
{
	emit(c, BPF_LDX | BPF_MEM | size, dst, src, off, 0);
}

/* Jumps when the 32-bit register compares so with imm. */
static void jump_if(struct code *c, unsigned cmp, unsigned reg, uint32_t imm, struct label *l)
{
	l->at[l->n++] = c->n;
	emit(c, BPF_JMP32 | cmp | BPF_K, reg, 0, 0, (int)imm);
}

static void place(struct code *c, struct label *l)
{
	while (l->n) {
		l->n--;
		c->v[l->at[l->n]].off = (int16_t)(c->n - l->at[l->n] - 1);
	}
}

static void leave(struct code *c, int verdict)
{
	mov(c, BPF_REG_0, verdict);
	emit(c, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* Bytes of the frame to the program's stack at FRAME; a frame without them goes on. */
static void fetch(struct code *c, int off, int len, struct label *next)
{
	mov_reg(c, BPF_REG_1, BPF_REG_6);
	mov(c, BPF_REG_2, off);
	mov_reg(c, BPF_REG_3, BPF_REG_10);
	emit(c, BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_3, 0, 0, FRAME);
	mov(c, BPF_REG_4, len);
	emit(c, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_skb_load_bytes);
	jump_if(c, BPF_JNE, BPF_REG_0, 0, next);
}

/* Jumps when the address at `at` of the program's stack, a multiple of two bytes, is another. */
static void want_mac(struct code *c, int at, const uint8_t mac[6], struct label *other)
{
	uint16_t half;
	int i;

	for (i = 0; i < 6; i += 2) {
		memcpy(&half, mac + i, sizeof(half));
		load(c, BPF_H, BPF_REG_7, BPF_REG_10, at + i);
		jump_if(c, BPF_JNE, BPF_REG_7, half, other);
	}
}

static void turn(struct code *c, int ifindex)
{
	mov(c, BPF_REG_1, ifindex);
	mov(c, BPF_REG_2, BPF_F_INGRESS);
	emit(c, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect);
	emit(c, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static void copy_once(struct code *c, int ifindex, struct label *next)
{
	const int cb = offsetof(struct __sk_buff, cb);
	struct label fresh = { .n = 0 };

	load(c, BPF_W, BPF_REG_7, BPF_REG_6, cb);
	jump_if(c, BPF_JNE, BPF_REG_7, COPIED_0, &fresh);
	load(c, BPF_W, BPF_REG_7, BPF_REG_6, cb + 4);
	jump_if(c, BPF_JEQ, BPF_REG_7, COPIED_1, next);
	place(c, &fresh);
	mov(c, BPF_REG_7, COPIED_0);
	emit(c, BPF_STX | BPF_MEM | BPF_W, BPF_REG_6, BPF_REG_7, cb, 0);
	mov(c, BPF_REG_7, COPIED_1);
	emit(c, BPF_STX | BPF_MEM | BPF_W, BPF_REG_6, BPF_REG_7, cb + 4, 0);
	mov_reg(c, BPF_REG_1, BPF_REG_6);
	mov(c, BPF_REG_2, ifindex);
	mov(c, BPF_REG_3, BPF_F_INGRESS);
	emit(c, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_clone_redirect);
	leave(c, TCX_NEXT);
}

/* Goes on behind these when the packet is for one of the addresses. */
static void want_question(struct code *c, const uint32_t *addrs, unsigned n, struct label *next)
{
	unsigned i;

	load(c, BPF_H, BPF_REG_7, BPF_REG_10, TYPE);
	jump_if(c, BPF_JNE, BPF_REG_7, htons(ETH_P_ARP), next);
	fetch(c, ETH_HLEN + ARP_TPA, 4, next);
	load(c, BPF_W, BPF_REG_7, BPF_REG_10, FRAME);
	for (i = 0; i + 1 < n; i++)
		emit(c, BPF_JMP32 | BPF_JEQ | BPF_K, BPF_REG_7, 0, (int)(n - 1 - i), (int)htonl(addrs[i]));
	jump_if(c, BPF_JNE, BPF_REG_7, htonl(addrs[n - 1]), next);
}

static void build(struct code *c, int ifindex, const uint8_t own[6], const uint8_t mac[6], const uint32_t *addrs,
                  unsigned n)
{
	struct label next = { .n = 0 }, not_to_own = { .n = 0 }, foreign = { .n = 0 }, group = { .n = 0 };

	mov_reg(c, BPF_REG_6, BPF_REG_1);
	fetch(c, 0, ETH_HLEN, &next);
	want_mac(c, FRAME, own, &not_to_own);
	turn(c, ifindex);
	place(c, &not_to_own);
	want_mac(c, SRC, own, &foreign);
	load(c, BPF_B, BPF_REG_7, BPF_REG_10, FRAME);
	jump_if(c, BPF_JSET, BPF_REG_7, 1, &group);
	want_mac(c, FRAME, mac, &next);
	turn(c, ifindex);
	place(c, &foreign);
	want_question(c, addrs, n, &next);
	place(c, &group);
	copy_once(c, ifindex, &next);
	place(c, &next);
	leave(c, TCX_NEXT);
}

static int bpf(int cmd, union bpf_attr *attr)
{
	return (int)raw_result(raw_syscall(SYS_bpf, cmd, attr, sizeof(*attr)));
}

static int load_program(const struct code *c)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_SCHED_CLS;
	attr.insn_cnt = c->n;
	attr.insns = (uintptr_t)c->v;
	attr.license = (uintptr_t)"BSD";
	memcpy(attr.prog_name, "xtcp_hairpin", sizeof("xtcp_hairpin"));
	return bpf(BPF_PROG_LOAD, &attr);
}

static int attach(int prog, int ifindex)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.link_create.prog_fd = (uint32_t)prog;
	attr.link_create.target_ifindex = (uint32_t)ifindex;
	attr.link_create.attach_type = TCX_EGRESS;
	return bpf(BPF_LINK_CREATE, &attr);
}

int hairpin_open(int ifindex, const uint8_t own[6], const uint8_t mac[6], const uint32_t *addrs, unsigned n)
{
	struct code c = { calloc(FIXED + n, sizeof(*c.v)), 0 };
	int prog, r;

	if (!c.v)
		return -ENOMEM;
	build(&c, ifindex, own, mac, addrs, n);
	prog = load_program(&c);
	free(c.v);
	if (prog < 0)
		return prog;
	r = attach(prog, ifindex);
	raw_close(prog);
	return highfd_raise(r);
}

int hairpin_count(int ifindex)
{
	union bpf_attr attr;
	int r;

	memset(&attr, 0, sizeof(attr));
	attr.query.target_fd = (uint32_t)ifindex;
	attr.query.attach_type = TCX_EGRESS;
	r = bpf(BPF_PROG_QUERY, &attr);
	return r == -ENOENT ? 0 : r < 0 ? r : (int)attr.query.prog_cnt;
}
