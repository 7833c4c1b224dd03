/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rules.h - the rules of --policy: who carries a connection.
 *
 * A rule is words: what is done, then when.  The first rule that fits decides.
 *
 *     ACTION [connect|listen] [A[/P]][:PORT[-PORT]] [@PROGRAM]
 *
 * ACTION is xtcp, kernel, bridge (xtcp, by way of a kernel object: bridge.h) or refuse.  The address and the port are
 * those of the peer for connect, those that the socket is bound to for listen (0.0.0.0 and 0 where it isn't).
 * PROGRAM is the name that the program was started by, without its directory; * and ? stand for anything, as in fnmatch(3).
 */
#ifndef XTCP_RULES_H
#define XTCP_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base.h"

#define RULES_MAX 64
#define RULE_PROGRAM_BYTES 64

enum rule_action { RULE_NONE, RULE_XTCP, RULE_KERNEL, RULE_BRIDGE, RULE_REFUSE };
enum rule_role { RULE_CONNECT = 1, RULE_LISTEN = 2 };

struct rule {
	uint8_t action;                     /* enum rule_action */
	uint8_t roles;                      /* of enum rule_role */
	bool has_addr, has_ports;
	uint8_t plen;
	ip4 addr;
	uint16_t port_min, port_max;
	char program[RULE_PROGRAM_BYTES];   /* "": any */
};

struct rules {
	struct rule rule[RULES_MAX];
	unsigned n;
};

/* What is asked: a connection to, or a listener at, an address. */
struct rule_query {
	const char *program;
	enum rule_role role;
	bool is_ipv6;          /* an address that no rule's A/P fits */
	ip4 addr;
	uint16_t port;
};

/* What is wrong with a rule: a word of its text (len 0: the rule as a whole) and what is said of that. */
struct rules_fault {
	const char *word;
	size_t len;
	const char *what;
};

/* Adds one rule, `len` bytes of text.  0; or -EINVAL, or -ENOSPC, and the fault. */
int rules_add(struct rules *r, const char *text, size_t len, struct rules_fault *fault);
/* RULE_NONE: no rule fits. */
enum rule_action rules_decide(const struct rules *r, const struct rule_query *q);
/* May a rule refuse this role to the program? */
bool rules_may_refuse(const struct rules *r, enum rule_role role, const char *program);
/* Do the rules leave all that this program may do to the kernel? */
bool rules_leave_all(const struct rules *r, const char *program);

#endif
