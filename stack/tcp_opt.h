/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_opt.h - socket options as const tables, one for each level.
 *
 * A row says how an option is read and written.  What has no row is refused with
 * -ENOPROTOOPT, as is a row without `set` or `get`: nothing is accepted that is not
 * either done or without effect by its nature on a TCP socket of ours.
 */
#ifndef XTCP_TCP_OPT_H
#define XTCP_TCP_OPT_H

#include <sys/socket.h>

#include "tcp_impl.h"
#include "tcp_info.h"

/* The result of a get. */
union optval {
	int32_t i;
	uint64_t u64;
	struct linger linger;
	char name[CC_NAME_MAX];
	uint32_t meminfo[9];
	char ifname[16];
	uint8_t bytes[IP_OPT_MAX];
	struct tcp_info_abi info;
};

/* What a program gives to a set. */
struct optset {
	int32_t val;             /* the integer, where the option is one */
	const void *p;           /* all bytes */
	size_t len;
	bool may_admin;          /* CAP_NET_ADMIN or CAP_NET_RAW */
	xtime now;
};

struct sockopt {
	int name;
	/* Fills *v and returns its size, or -errno; room: bytes that the program has. */
	int (*get)(const struct tcp_conn *c, const struct sockopt *o, union optval *v, size_t room,
	           xtime now);
	/* 0 or -errno. */
	int (*set)(struct tcp_conn *c, const struct sockopt *o, const struct optset *in);
	uint32_t arg;            /* of the functions: an offset, a bit */
	int32_t lo, hi;          /* bounds of an integer, where the function checks them */
};

/* Flags of struct tcp_sockopts (arg: offset of a bool) and of its `inert` (arg: a bit). */
#define OPT_FLAG(field) opt_get_flag, opt_set_flag, offsetof(struct tcp_sockopts, field), 0, 0
int opt_get_flag(const struct tcp_conn *c, const struct sockopt *o, union optval *v, size_t room,
                 xtime now);
int opt_set_flag(struct tcp_conn *c, const struct sockopt *o, const struct optset *in);

/* Options that Linux accepts and that change nothing for a TCP socket, or nothing that is
 * ours to change: kept for getsockopt(). */
enum inert {
	INERT_DEBUG, INERT_NO_CHECK, INERT_RXQ_OVFL, INERT_WIFI_STATUS, INERT_NOFCS,
	INERT_LOCK_FILTER, INERT_SELECT_ERR_QUEUE, INERT_RCVMARK, INERT_PREFER_BUSY_POLL,
	INERT_TXREHASH, INERT_RECVOPTS, INERT_RETOPTS, INERT_PKTINFO, INERT_RECVTTL,
	INERT_RECVTOS, INERT_PASSSEC, INERT_RECVORIGDSTADDR, INERT_CHECKSUM,
	INERT_RECVERR_RFC4884, INERT_MULTICAST_LOOP, INERT_MULTICAST_ALL, INERT_RCVPRIORITY,
};
/* Those that are on from the start. */
#define INERT_ON (1u << INERT_TXREHASH | 1u << INERT_MULTICAST_LOOP | 1u << INERT_MULTICAST_ALL)
#define OPT_INERT(bit) opt_get_inert, opt_set_inert, bit, 0, 0
/* The same for one that takes nothing but 0 and 1. */
#define OPT_INERT_STRICT(bit) opt_get_inert, opt_set_inert, bit, 0, 1
int opt_get_inert(const struct tcp_conn *c, const struct sockopt *o, union optval *v, size_t room,
                  xtime now);
int opt_set_inert(struct tcp_conn *c, const struct sockopt *o, const struct optset *in);

/* A get that always gives o->lo. */
int opt_get_const(const struct tcp_conn *c, const struct sockopt *o, union optval *v, size_t room,
                  xtime now);
/* A get or set that always fails with errno o->arg. */
int opt_get_refuse(const struct tcp_conn *c, const struct sockopt *o, union optval *v, size_t room,
                   xtime now);
int opt_set_refuse(struct tcp_conn *c, const struct sockopt *o, const struct optset *in);

static inline int opt_int(union optval *v, int32_t i)
{
	v->i = i;
	return sizeof(v->i);
}

struct opt_table {
	const struct sockopt *v;
	size_t n;
};
extern const struct opt_table opt_sock, opt_ip, opt_tcp;

#endif
