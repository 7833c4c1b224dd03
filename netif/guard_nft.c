/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guard_nft.c - nftables by hand-made messages: the same as
 *
 *   table netdev xtcp-PORTID {
 *           flags owner
 *           set claims { type ipv4_addr . inet_service }
 *           set any { type inet_service }
 *           chain in {
 *                   type filter hook ingress device DEV priority -500; policy accept;
 *                   meta protocol ip meta l4proto tcp ip daddr . tcp dport @claims drop
 *                   meta protocol ip meta l4proto tcp tcp dport @any fib daddr type local drop
 *           }
 *   }
 *
 * Packet sockets have their copy before this hook; the IP layer comes after it.  A
 * later fragment has no ports and does not match (nft_payload stops there): it reaches
 * the kernel, whose reassembly then waits in vain for the first one, which does match.
 *
 * The table's name carries the owner's netlink address, unique on this bus and never used again: two
 * processes on one device have a table each.  Set and rule for ports of every address are
 * made when first needed: `fib` in this family is an option of the kernel.
 *
 * All changes are batches: between its begin and end the kernel takes all or nothing.
 * One message of a batch asks for an acknowledgement, the last; an error comes anyway.
 */
#include "guard_nft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lateclose.h"

#define CHAIN "in"
#define SET_CLAIMS "claims"
#define SET_ANY "any"
#define PRIORITY (-500)

/* Types of set keys, as nft prints them: TYPE_IPADDR, TYPE_INET_SERVICE of nft, six bits
 * each in a concatenation. */
enum { TYPE_IP = 7, TYPE_PORT = 13, TYPE_IP_PORT = TYPE_IP << 6 | TYPE_PORT };
enum { KEY_ADDR_PORT = 8, KEY_PORT = 2 };
enum { ELEM_ROOM = 32, BATCH_ROOM = 4096 };
enum { IP_DADDR_OFF = 16, TCP_DPORT_OFF = 2 };

/* A batch being built. */
struct batch {
	char *buf;               /* owned */
	size_t len;
	uint32_t seq;
	struct nlmsghdr *m;      /* the last message */
};

static struct nlmsghdr *put_header(struct batch *b, uint16_t type, uint16_t flags, uint8_t family,
                                   uint16_t res_id)
{
	struct nfgenmsg *g;

	if (b->m)
		b->len += MNL_ALIGN(b->m->nlmsg_len);
	b->m = mnl_nlmsg_put_header(b->buf + b->len);
	b->m->nlmsg_type = type;
	b->m->nlmsg_flags = NLM_F_REQUEST | flags;
	b->m->nlmsg_seq = b->seq;
	g = mnl_nlmsg_put_extra_header(b->m, sizeof(*g));
	g->nfgen_family = family;
	g->version = NFNETLINK_V0;
	g->res_id = htons(res_id);
	return b->m;
}

static struct nlmsghdr *put(struct batch *b, enum nf_tables_msg_types type, uint16_t flags)
{
	return put_header(b, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags, NFPROTO_NETDEV, 0);
}

static int batch_begin(struct batch *b, struct guard_nft *t, size_t room)
{
	*b = (struct batch){ .buf = calloc(1, BATCH_ROOM + room), .seq = ++t->nl.seq };
	if (!b->buf)
		return -ENOMEM;
	put_header(b, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	return 0;
}

static int batch_commit(struct batch *b, struct guard_nft *t)
{
	int err;

	b->m->nlmsg_flags |= NLM_F_ACK;
	put_header(b, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	b->len += b->m->nlmsg_len;
	err = nl_transact(&t->nl, b->buf, b->len, b->seq, NULL, NULL);
	free(b->buf);
	return err;
}

/* ---- expressions of a rule ---- */

static void put_be32(struct nlmsghdr *m, uint16_t type, uint32_t v)
{
	mnl_attr_put_u32(m, type, htonl(v));
}

struct expr {
	struct nlattr *elem, *data;
};

static struct expr expr_begin(struct nlmsghdr *m, const char *name)
{
	struct expr e;

	e.elem = mnl_attr_nest_start(m, NFTA_LIST_ELEM);
	mnl_attr_put_strz(m, NFTA_EXPR_NAME, name);
	e.data = mnl_attr_nest_start(m, NFTA_EXPR_DATA);
	return e;
}

static void expr_end(struct nlmsghdr *m, struct expr e)
{
	mnl_attr_nest_end(m, e.data);
	mnl_attr_nest_end(m, e.elem);
}

static void put_meta(struct nlmsghdr *m, enum nft_meta_keys key)
{
	struct expr e = expr_begin(m, "meta");

	put_be32(m, NFTA_META_KEY, key);
	put_be32(m, NFTA_META_DREG, NFT_REG32_00);
	expr_end(m, e);
}

/* The register's first bytes are these, or the rule ends here. */
static void put_want(struct nlmsghdr *m, const void *bytes, size_t len)
{
	struct expr e = expr_begin(m, "cmp");
	struct nlattr *data;

	put_be32(m, NFTA_CMP_SREG, NFT_REG32_00);
	put_be32(m, NFTA_CMP_OP, NFT_CMP_EQ);
	data = mnl_attr_nest_start(m, NFTA_CMP_DATA);
	mnl_attr_put(m, NFTA_DATA_VALUE, len, bytes);
	mnl_attr_nest_end(m, data);
	expr_end(m, e);
}

static void put_payload(struct nlmsghdr *m, enum nft_payload_bases base, uint32_t off, uint32_t len,
                        uint32_t reg)
{
	struct expr e = expr_begin(m, "payload");

	put_be32(m, NFTA_PAYLOAD_DREG, reg);
	put_be32(m, NFTA_PAYLOAD_BASE, base);
	put_be32(m, NFTA_PAYLOAD_OFFSET, off);
	put_be32(m, NFTA_PAYLOAD_LEN, len);
	expr_end(m, e);
}

static void put_lookup(struct nlmsghdr *m, const char *set)
{
	struct expr e = expr_begin(m, "lookup");

	mnl_attr_put_strz(m, NFTA_LOOKUP_SET, set);
	put_be32(m, NFTA_LOOKUP_SREG, NFT_REG32_00);
	expr_end(m, e);
}

static void put_fib_daddr_type(struct nlmsghdr *m)
{
	struct expr e = expr_begin(m, "fib");

	put_be32(m, NFTA_FIB_DREG, NFT_REG32_00);
	put_be32(m, NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
	put_be32(m, NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR);
	expr_end(m, e);
}

static void put_drop(struct nlmsghdr *m)
{
	struct expr e = expr_begin(m, "immediate");
	struct nlattr *data, *verdict;

	put_be32(m, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	data = mnl_attr_nest_start(m, NFTA_IMMEDIATE_DATA);
	verdict = mnl_attr_nest_start(m, NFTA_DATA_VERDICT);
	put_be32(m, NFTA_VERDICT_CODE, NF_DROP);
	mnl_attr_nest_end(m, verdict);
	mnl_attr_nest_end(m, data);
	expr_end(m, e);
}

static void put_want_tcp(struct nlmsghdr *m)
{
	const uint16_t ip = htons(ETHERTYPE_IP);
	const uint8_t tcp = IPPROTO_TCP;

	put_meta(m, NFT_META_PROTOCOL);
	put_want(m, &ip, sizeof(ip));
	put_meta(m, NFT_META_L4PROTO);
	put_want(m, &tcp, sizeof(tcp));
}

/* ---- table, chain, sets, rules ---- */

static void add_table(struct batch *b, const struct guard_nft *t)
{
	struct nlmsghdr *m = put(b, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL);

	mnl_attr_put_strz(m, NFTA_TABLE_NAME, t->table);
	put_be32(m, NFTA_TABLE_FLAGS, NFT_TABLE_F_OWNER);
}

static void add_set(struct batch *b, const struct guard_nft *t, const char *name, uint32_t id,
                    uint32_t key_type, uint32_t key_len)
{
	struct nlmsghdr *m = put(b, NFT_MSG_NEWSET, NLM_F_CREATE | NLM_F_EXCL);

	mnl_attr_put_strz(m, NFTA_SET_TABLE, t->table);
	mnl_attr_put_strz(m, NFTA_SET_NAME, name);
	put_be32(m, NFTA_SET_KEY_TYPE, key_type);
	put_be32(m, NFTA_SET_KEY_LEN, key_len);
	put_be32(m, NFTA_SET_ID, id);
}

static void add_chain(struct batch *b, const struct guard_nft *t, const char *ifname)
{
	struct nlmsghdr *m = put(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL);
	struct nlattr *hook;

	mnl_attr_put_strz(m, NFTA_CHAIN_TABLE, t->table);
	mnl_attr_put_strz(m, NFTA_CHAIN_NAME, CHAIN);
	hook = mnl_attr_nest_start(m, NFTA_CHAIN_HOOK);
	put_be32(m, NFTA_HOOK_HOOKNUM, NF_NETDEV_INGRESS);
	put_be32(m, NFTA_HOOK_PRIORITY, (uint32_t)PRIORITY);
	mnl_attr_put_strz(m, NFTA_HOOK_DEV, ifname);
	mnl_attr_nest_end(m, hook);
	put_be32(m, NFTA_CHAIN_POLICY, NF_ACCEPT);
	mnl_attr_put_strz(m, NFTA_CHAIN_TYPE, "filter");
}

static struct nlmsghdr *begin_rule(struct batch *b, const struct guard_nft *t, struct nlattr **exprs)
{
	struct nlmsghdr *m = put(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);

	mnl_attr_put_strz(m, NFTA_RULE_TABLE, t->table);
	mnl_attr_put_strz(m, NFTA_RULE_CHAIN, CHAIN);
	*exprs = mnl_attr_nest_start(m, NFTA_RULE_EXPRESSIONS);
	put_want_tcp(m);
	return m;
}

static void add_claims_rule(struct batch *b, const struct guard_nft *t)
{
	struct nlattr *exprs;
	struct nlmsghdr *m = begin_rule(b, t, &exprs);

	put_payload(m, NFT_PAYLOAD_NETWORK_HEADER, IP_DADDR_OFF, 4, NFT_REG32_00);
	put_payload(m, NFT_PAYLOAD_TRANSPORT_HEADER, TCP_DPORT_OFF, 2, NFT_REG32_01);
	put_lookup(m, SET_CLAIMS);
	put_drop(m);
	mnl_attr_nest_end(m, exprs);
}

static void add_any_rule(struct batch *b, const struct guard_nft *t)
{
	const uint32_t local = RTN_LOCAL;
	struct nlattr *exprs;
	struct nlmsghdr *m = begin_rule(b, t, &exprs);

	put_payload(m, NFT_PAYLOAD_TRANSPORT_HEADER, TCP_DPORT_OFF, 2, NFT_REG32_00);
	put_lookup(m, SET_ANY);
	put_fib_daddr_type(m);
	put_want(m, &local, sizeof(local));
	put_drop(m);
	mnl_attr_nest_end(m, exprs);
}

static int make_table(struct guard_nft *t, const char *ifname)
{
	struct batch b;
	int err;

	err = batch_begin(&b, t, 0);
	if (err)
		return err;
	add_table(&b, t);
	add_set(&b, t, SET_CLAIMS, 1, TYPE_IP_PORT, KEY_ADDR_PORT);
	add_chain(&b, t, ifname);
	add_claims_rule(&b, t);
	return batch_commit(&b, t);
}

static int make_any(struct guard_nft *t)
{
	struct batch b;
	int err;

	err = batch_begin(&b, t, 0);
	if (err)
		return err;
	add_set(&b, t, SET_ANY, 2, TYPE_PORT, KEY_PORT);
	add_any_rule(&b, t);
	err = batch_commit(&b, t);
	t->has_any = !err;
	return err;
}

int guard_nft_open(struct guard_nft *t, const char *ifname)
{
	int err;

	memset(t, 0, sizeof(*t));
	err = nl_open(&t->nl, NETLINK_NETFILTER, 0);
	if (err)
		return err;
	snprintf(t->table, sizeof(t->table), "xtcp-%u", t->nl.portid);
	err = make_table(t, ifname);
	if (err)
		nl_close(&t->nl);
	return err;
}

static int remove_table(struct guard_nft *t)
{
	struct batch b;
	int err;

	err = batch_begin(&b, t, 0);
	if (err)
		return err;
	mnl_attr_put_strz(put(&b, NFT_MSG_DELTABLE, 0), NFTA_TABLE_NAME, t->table);
	return batch_commit(&b, t);
}

/* The table must go before the ports do: if not by name, then with its owner. */
void guard_nft_close(struct guard_nft *t)
{
	if (remove_table(t))
		nl_close(&t->nl);
	else
		nl_close_late(&t->nl);
}

void guard_nft_end(struct guard_nft *t)
{
	if (!remove_table(t))
		lateclose_hollow(t->nl.fd);
}

void guard_nft_forget(struct guard_nft *t)
{
	nl_close(&t->nl);
}

/* ---- elements ---- */

/* A key as it lies in the registers: every field in 32 bits of its own. */
static size_t make_key(uint32_t addr, uint16_t port, uint8_t key[KEY_ADDR_PORT])
{
	const uint32_t a = htonl(addr);
	const uint16_t p = htons(port);

	memset(key, 0, KEY_ADDR_PORT);
	if (!addr) {
		memcpy(key, &p, sizeof(p));
		return KEY_PORT;
	}
	memcpy(key, &a, sizeof(a));
	memcpy(key + 4, &p, sizeof(p));
	return KEY_ADDR_PORT;
}

static void put_elem(struct nlmsghdr *m, uint32_t addr, uint16_t port)
{
	struct nlattr *elem = mnl_attr_nest_start(m, NFTA_LIST_ELEM);
	struct nlattr *key = mnl_attr_nest_start(m, NFTA_SET_ELEM_KEY);
	uint8_t k[KEY_ADDR_PORT];

	mnl_attr_put(m, NFTA_DATA_VALUE, make_key(addr, port, k), k);
	mnl_attr_nest_end(m, key);
	mnl_attr_nest_end(m, elem);
}

int guard_nft_change(struct guard_nft *t, bool is_add, uint32_t addr, const uint16_t *ports, unsigned n)
{
	struct nlmsghdr *m;
	struct nlattr *list;
	struct batch b;
	unsigned i;
	int err;

	if (n > GUARD_NFT_BATCH)
		return -EINVAL;
	if (!addr && !t->has_any) {
		err = make_any(t);
		if (err)
			return err;
	}
	err = batch_begin(&b, t, (size_t)n * ELEM_ROOM);
	if (err)
		return err;
	m = put(&b, is_add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM, is_add ? NLM_F_CREATE : 0);
	mnl_attr_put_strz(m, NFTA_SET_ELEM_LIST_TABLE, t->table);
	mnl_attr_put_strz(m, NFTA_SET_ELEM_LIST_SET, addr ? SET_CLAIMS : SET_ANY);
	list = mnl_attr_nest_start(m, NFTA_SET_ELEM_LIST_ELEMENTS);
	for (i = 0; i < n; i++)
		put_elem(m, addr, ports[i]);
	mnl_attr_nest_end(m, list);
	return batch_commit(&b, t);
}
