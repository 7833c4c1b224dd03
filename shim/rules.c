/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rules.c - see rules.h.
 */
#include "rules.h"

#include <errno.h>
#include <fnmatch.h>
#include <string.h>

#include "parse.h"

#define ALL_ROLES (RULE_CONNECT | RULE_LISTEN)
#define BLANKS " \t"

/* ---- reading ---- */

static bool is_word(const char *text, size_t len, const char *word)
{
	return len == strlen(word) && !memcmp(text, word, len);
}

static enum rule_action read_action(const char *text, size_t len)
{
	return is_word(text, len, "xtcp") ? RULE_XTCP : is_word(text, len, "kernel") ? RULE_KERNEL :
	       is_word(text, len, "bridge") ? RULE_BRIDGE : is_word(text, len, "refuse") ? RULE_REFUSE : RULE_NONE;
}

/* Each of these gives NULL, or what is wrong with the word. */

static const char no_word[] = "is neither connect, listen, an address, a port nor a @program";

/* PORT[-PORT] */
static const char *read_ports(struct rule *r, const char *text, size_t len)
{
	const char *dash = memchr(text, '-', len);
	size_t first = dash ? (size_t)(dash - text) : len;
	unsigned min, max;

	if (parse_number(text, first, UINT16_MAX, &min))
		return "has no port from 0 to 65535";
	max = min;
	if (dash && parse_number(dash + 1, len - first - 1, UINT16_MAX, &max))
		return "has no port from 0 to 65535";
	r->has_ports = true;
	r->port_min = (uint16_t)min;
	r->port_max = (uint16_t)max;
	return min > max ? "ends below the port that it begins with" : NULL;
}

/* A[/P]; bits below the prefix length are a mistake. */
static const char *read_prefix(struct rule *r, const char *text, size_t len)
{
	struct engine_prefix p = { .plen = 32 };

	if (memchr(text, '/', len) ? parse_prefix(text, len, &p) : parse_ip(text, len, &p.addr))
		return no_word;
	if (p.plen < 32 && p.addr & UINT32_MAX >> p.plen)
		return "has bits below its prefix length";
	r->has_addr = true;
	r->addr = p.addr;
	r->plen = p.plen;
	return NULL;
}

/* [A[/P]][:PORT[-PORT]] */
static const char *read_place(struct rule *r, const char *text, size_t len)
{
	const char *colon = memchr(text, ':', len), *what;
	size_t first = colon ? (size_t)(colon - text) : len;

	if (r->has_addr || r->has_ports)
		return "is a second address or port";
	what = first ? read_prefix(r, text, first) : NULL;
	return what || !colon ? what : read_ports(r, colon + 1, len - first - 1);
}

static const char *read_program(struct rule *r, const char *text, size_t len)
{
	if (r->program[0])
		return "is a second program";
	if (!len || len >= sizeof(r->program))
		return "has no name of a program, of 63 bytes at most";
	memcpy(r->program, text, len);
	return NULL;
}

static const char *read_role(struct rule *r, enum rule_role role)
{
	if (r->roles != ALL_ROLES)
		return "is a second role";
	r->roles = (uint8_t)role;
	return NULL;
}

static const char *read_word(struct rule *r, const char *text, size_t len)
{
	if (!r->action) {
		r->action = (uint8_t)read_action(text, len);
		return r->action ? NULL : "is none of xtcp, kernel, bridge and refuse";
	}
	if (is_word(text, len, "connect"))
		return read_role(r, RULE_CONNECT);
	if (is_word(text, len, "listen"))
		return read_role(r, RULE_LISTEN);
	if (text[0] == '@')
		return read_program(r, text + 1, len - 1);
	return read_place(r, text, len);
}

static int tell(struct rules_fault *fault, const char *word, size_t len, const char *what, int err)
{
	*fault = (struct rules_fault){ word, len, what };
	return err;
}

int rules_add(struct rules *rules, const char *text, size_t len, struct rules_fault *fault)
{
	struct rule r = { .roles = ALL_ROLES, .port_max = UINT16_MAX };
	const char *end = text + len, *what;
	size_t n;

	for (; text < end; text += n + (text + n < end)) {
		n = 0;
		while (text + n < end && !strchr(BLANKS, text[n]))
			n++;
		what = n ? read_word(&r, text, n) : NULL;
		if (what)
			return tell(fault, text, n, what, -EINVAL);
	}
	if (!r.action)
		return tell(fault, text, 0, "is empty", -EINVAL);
	if (rules->n == RULES_MAX)
		return tell(fault, text, 0, "is one too many: there may be 64", -ENOSPC);
	rules->rule[rules->n++] = r;
	return 0;
}

/* ---- deciding ---- */

static bool is_of_program(const struct rule *r, const char *program)
{
	return !r->program[0] || !fnmatch(r->program, program, 0);
}

static bool fits(const struct rule *r, const struct rule_query *q)
{
	if (!(r->roles & q->role) || q->port < r->port_min || q->port > r->port_max)
		return false;
	if (r->has_addr && (q->is_ipv6 || (r->plen && (q->addr ^ r->addr) >> (32 - r->plen))))
		return false;
	return is_of_program(r, q->program);
}

enum rule_action rules_decide(const struct rules *rules, const struct rule_query *q)
{
	unsigned i;

	for (i = 0; i < rules->n; i++) {
		if (fits(&rules->rule[i], q))
			return (enum rule_action)rules->rule[i].action;
	}
	return RULE_NONE;
}

bool rules_may_refuse(const struct rules *rules, enum rule_role role, const char *program)
{
	const struct rule *r;

	for (r = rules->rule; r < rules->rule + rules->n; r++)
		if (r->action == RULE_REFUSE && r->roles & role && is_of_program(r, program))
			return true;
	return false;
}

bool rules_leave_all(const struct rules *rules, const char *program)
{
	const struct rule *r;

	for (r = rules->rule; r < rules->rule + rules->n; r++) {
		if (!is_of_program(r, program))
			continue;
		if (r->action != RULE_KERNEL)
			return false;
		if (r->roles == ALL_ROLES && !r->has_addr && !r->has_ports)
			return true;
	}
	return false;
}
