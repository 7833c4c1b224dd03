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

/* PORT[-PORT] */
static int read_ports(struct rule *r, const char *text, size_t len)
{
	const char *dash = memchr(text, '-', len);
	size_t first = dash ? (size_t)(dash - text) : len;
	unsigned min, max;

	if (parse_number(text, first, UINT16_MAX, &min))
		return -EINVAL;
	max = min;
	if (dash && parse_number(dash + 1, len - first - 1, UINT16_MAX, &max))
		return -EINVAL;
	r->port_min = (uint16_t)min;
	r->port_max = (uint16_t)max;
	return min > max ? -EINVAL : 0;
}

/* A[/P]; bits below the prefix length are a mistake. */
static int read_prefix(struct rule *r, const char *text, size_t len)
{
	struct engine_prefix p = { .plen = 32 };

	if (memchr(text, '/', len) ? parse_prefix(text, len, &p) : parse_ip(text, len, &p.addr))
		return -EINVAL;
	if (p.plen < 32 && p.addr & UINT32_MAX >> p.plen)
		return -EINVAL;
	r->has_addr = true;
	r->addr = p.addr;
	r->plen = p.plen;
	return 0;
}

/* [A[/P]][:PORT[-PORT]] */
static int read_place(struct rule *r, const char *text, size_t len)
{
	const char *colon = memchr(text, ':', len);
	size_t first = colon ? (size_t)(colon - text) : len;

	if (r->has_addr || r->port_max != UINT16_MAX || r->port_min)
		return -EINVAL;
	if (first && read_prefix(r, text, first))
		return -EINVAL;
	return colon ? read_ports(r, colon + 1, len - first - 1) : 0;
}

static int read_program(struct rule *r, const char *text, size_t len)
{
	if (r->program[0] || !len || len >= sizeof(r->program))
		return -EINVAL;
	memcpy(r->program, text, len);
	return 0;
}

static int read_role(struct rule *r, enum rule_role role)
{
	if (r->roles != ALL_ROLES)
		return -EINVAL;
	r->roles = (uint8_t)role;
	return 0;
}

static int read_condition(struct rule *r, const char *text, size_t len)
{
	if (is_word(text, len, "connect"))
		return read_role(r, RULE_CONNECT);
	if (is_word(text, len, "listen"))
		return read_role(r, RULE_LISTEN);
	if (text[0] == '@')
		return read_program(r, text + 1, len - 1);
	return read_place(r, text, len);
}

int rules_add(struct rules *rules, const char *text, size_t len)
{
	struct rule r = { .roles = ALL_ROLES, .port_max = UINT16_MAX };
	const char *end = text + len;
	size_t n;

	while (text < end) {
		n = 0;
		while (text + n < end && !strchr(BLANKS, text[n]))
			n++;
		if (n && !r.action)
			r.action = (uint8_t)read_action(text, n);
		else if (n && read_condition(&r, text, n))
			return -EINVAL;
		if (n && !r.action)
			return -EINVAL;
		text += n + (text + n < end);
	}
	if (!r.action)
		return -EINVAL;
	if (rules->n == RULES_MAX)
		return -ENOSPC;
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

bool rules_leave_all(const struct rules *rules, const char *program)
{
	const struct rule *r;

	for (r = rules->rule; r < rules->rule + rules->n; r++) {
		if (!is_of_program(r, program))
			continue;
		if (r->action != RULE_KERNEL)
			return false;
		if (r->roles == ALL_ROLES && !r->has_addr && !r->port_min && r->port_max == UINT16_MAX)
			return true;
	}
	return false;
}
