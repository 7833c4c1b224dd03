/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * parse_segment.c - segments: [ECN] [port > port] FLAGS seq:end(len) [ack N] [win N] [urg N]
 * [<options>], and ICMP errors: icmp TYPE [CODE] [mtu N] [[seq:end(len)]].
 */
#include "conform/parse.h"

#include <ctype.h>
#include <string.h>

#include "wire.h"
#include "wire_tcp.h"

#define WIN_ANY (-1)

static const struct { char ch; uint16_t bit; } flag_chars[] = {
	{ 'F', TCPF_FIN }, { 'S', TCPF_SYN }, { 'R', TCPF_RST }, { 'P', TCPF_PSH },
	{ 'U', TCPF_URG }, { 'E', TCPF_ECE }, { 'W', TCPF_CWR }, { 'A', TCPF_AE },
};

/* ---- IP ---- */

static void parse_tos(struct parser *p, struct segment_spec *s)
{
	static const struct { const char *name; int tos; } names[] = {
		{ "noecn", 0 }, { "ect1", 1 }, { "ect0", 2 }, { "ce", 3 }, { "ect01", TOS_ECT01 },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++) {
		if (parse_skip_word(p, names[i].name)) {
			s->tos = names[i].tos;
			return;
		}
	}
	if (parse_skip_word(p, "tos")) {
		s->tos = (int)parse_int(p);
		s->is_whole_tos = true;
	} else if (parse_skip_word(p, "ttl")) {
		s->ttl = (int)parse_int(p);
	} else {
		parse_fail(p, "expected noecn, ect0, ect1, ect01, ce, tos or ttl");
	}
}

static void parse_ip_info(struct parser *p, struct segment_spec *s)
{
	char close = lex_is(&p->x, '[') ? ']' : ')';

	if (!parse_skip_char(p, '[') && !parse_skip_char(p, '('))
		return;
	do
		parse_tos(p, s);
	while (!p->failed && parse_skip_char(p, ','));
	parse_char(p, close);
}

static void parse_ports(struct parser *p, struct segment_spec *s)
{
	if (p->x.tok != TOK_INT)
		return;
	s->sport = (uint16_t)parse_int(p);
	parse_char(p, '>');
	s->dport = (uint16_t)parse_int(p);
}

/* ---- ICMP ---- */

struct icmp_name {
	const char *name;
	uint8_t type, code;
};

static const struct icmp_name icmp_types[] = {
	{ "unreachable", ICMP_UNREACH, 0 }, { "source_quench", ICMP_QUENCH, 0 },
	{ "redirect", ICMP_REDIRECT, 0 },   { "time_exceeded", ICMP_TIME_EXCEEDED, 0 },
	{ "parameter_problem", ICMP_PARAM_PROBLEM, 0 },
};

static const struct icmp_name icmp_codes[] = {
	{ "net_unreachable", 3, 0 }, { "host_unreachable", 3, 1 }, { "protocol_unreachable", 3, 2 },
	{ "port_unreachable", 3, 3 }, { "frag_needed", 3, 4 }, { "source_route_failed", 3, 5 },
	{ "net_unknown", 3, 6 }, { "host_unknown", 3, 7 }, { "source_host_isolated", 3, 8 },
	{ "net_prohibited", 3, 9 }, { "host_prohibited", 3, 10 }, { "net_unreachable_for_tos", 3, 11 },
	{ "host_unreachable_for_tos", 3, 12 }, { "communication_prohibited", 3, 13 },
	{ "host_precedence_violation", 3, 14 }, { "precedence_cutoff_in_effect", 3, 15 },
	{ "ttl_exceeded", 11, 0 }, { "reassembly_timeout", 11, 1 },
};

static void parse_sequence(struct parser *p, uint32_t *seq, uint32_t *len)
{
	uint32_t end;

	*seq = (uint32_t)parse_int(p);
	parse_char(p, ':');
	end = (uint32_t)parse_int(p);
	parse_char(p, '(');
	*len = (uint32_t)parse_int(p);
	parse_char(p, ')');
	if (!p->failed && end - *seq != *len)
		parse_wrong(p, "%u:%u isn't %u bytes", *seq, end, *len);
}

static void parse_icmp(struct parser *p, struct icmp_spec *icmp)
{
	struct define *d;
	const char *word = parse_word(p);
	size_t i;

	for (i = 0; i < ARRAY_LEN(icmp_types) && strcmp(icmp_types[i].name, word); i++)
		;
	if (i == ARRAY_LEN(icmp_types)) {
		parse_wrong(p, "%s is no type of ICMP that is known; expected unreachable, time_exceeded, ...",
			   word);
		return;
	}
	icmp->type = icmp_types[i].type;
	if (p->x.tok == TOK_WORD && !lex_is_word(&p->x, "mtu")) {
		word = parse_word(p);
		for (d = p->s->defines; d; d = d->next)
			word = strcmp(d->name, word) ? word : d->value;
		for (i = 0; i < ARRAY_LEN(icmp_codes); i++)
			if (icmp_codes[i].type == icmp->type && !strcmp(icmp_codes[i].name, word))
				break;
		if (i == ARRAY_LEN(icmp_codes))
			parse_wrong(p, "%s is no code of that type", word);
		else
			icmp->code = icmp_codes[i].code;
	}
	if (parse_skip_word(p, "mtu"))
		icmp->mtu = (uint32_t)parse_int(p);
	if (parse_skip_char(p, '[')) {
		icmp->has_quote = true;
		parse_sequence(p, &icmp->seq, &icmp->len);
		parse_char(p, ']');
	}
}

/* ---- TCP ---- */

static uint16_t parse_flags(struct parser *p)
{
	uint16_t flags = 0;
	size_t i, k;

	if (parse_skip_char(p, '-'))
		return 0;
	for (k = 0; p->x.tok == TOK_WORD && k < p->x.len; k++) {
		for (i = 0; i < ARRAY_LEN(flag_chars) && flag_chars[i].ch != p->x.text[k]; i++)
			;
		if (i == ARRAY_LEN(flag_chars)) {
			parse_fail(p, "expected flags of FSRPUEWA and a dot");
			return 0;
		}
		flags |= flag_chars[i].bit;
	}
	if (p->x.tok == TOK_WORD)
		lex_next(&p->x);
	if (parse_skip_char(p, '.'))
		flags |= TCPF_ACK;
	if (!flags)
		parse_fail(p, "expected flags of FSRPUEWA and a dot");
	return flags;
}

static uint8_t *add_opt(struct parser *p, struct segment_spec *s, uint8_t kind, uint8_t len)
{
	static uint8_t nowhere[40];
	uint8_t *o = s->opts + s->opt_len;

	if (s->opt_len + len > sizeof(s->opts)) {
		parse_wrong(p, "expected 40 bytes of options at most");
		return nowhere;
	}
	s->opt_len = (uint8_t)(s->opt_len + len);
	o[0] = kind;
	if (len > 1)
		o[1] = len;
	return o;
}

static void parse_sack(struct parser *p, struct segment_spec *s)
{
	uint8_t *head = add_opt(p, s, 5, 2), *o;

	while (!p->failed && p->x.tok == TOK_INT) {
		o = s->opts + s->opt_len;
		if (s->opt_len + 8u > sizeof(s->opts)) {
			parse_wrong(p, "expected 40 bytes of options at most");
			return;
		}
		put_be32(o, (uint32_t)parse_int(p));
		parse_char(p, ':');
		put_be32(o + 4, (uint32_t)parse_int(p));
		s->opt_len = (uint8_t)(s->opt_len + 8);
		head[1] = (uint8_t)(head[1] + 8);
	}
}

static uint8_t hex_digit(char c)
{
	return (uint8_t)(isdigit((unsigned char)c) ? c - '0' : (c | 32) - 'a' + 10);
}

/* A Fast Open cookie; its digits may look like a number or like a word. */
static void parse_cookie(struct parser *p, struct segment_spec *s, bool is_exp)
{
	uint8_t *head = is_exp ? add_opt(p, s, 254, 4) : add_opt(p, s, 34, 2), *o;
	struct define *d;
	const char *t = "";
	size_t i, n = 0;

	if (is_exp)
		put_be16(head + 2, 0xf989);
	if (p->x.tok == TOK_INT || p->x.tok == TOK_WORD) {
		t = script_text(p->s, p->x.text, p->x.len);
		for (d = p->s->defines; d; d = d->next)
			t = strcmp(d->name, t) ? t : d->value;
		n = strlen(t);
		lex_next(&p->x);
	}
	if (n % 2 || strspn(t, "0123456789abcdefABCDEF") != n || s->opt_len + n / 2 > sizeof(s->opts)) {
		parse_wrong(p, "expected a cookie in hexadecimal digits");
		return;
	}
	o = s->opts + s->opt_len;
	for (i = 0; i < n / 2; i++)
		o[i] = (uint8_t)(hex_digit(t[2 * i]) << 4 | hex_digit(t[2 * i + 1]));
	head[1] = (uint8_t)(head[1] + n / 2);
	s->opt_len = (uint8_t)(s->opt_len + n / 2);
}

static void parse_timestamp(struct parser *p, struct segment_spec *s)
{
	uint8_t *o = add_opt(p, s, 8, 10);

	if (!parse_skip_word(p, "val"))
		parse_fail(p, "expected val");
	put_be32(o + 2, (uint32_t)parse_int(p));
	if (!parse_skip_word(p, "ecr"))
		parse_fail(p, "expected ecr");
	put_be32(o + 6, (uint32_t)parse_int(p));
}

static void parse_option(struct parser *p, struct segment_spec *s)
{
	if (parse_skip_word(p, "nop"))
		add_opt(p, s, 1, 1);
	else if (parse_skip_word(p, "eol"))
		add_opt(p, s, 0, 1);
	else if (parse_skip_word(p, "mss"))
		put_be16(add_opt(p, s, 2, 4) + 2, (uint16_t)parse_int(p));
	else if (parse_skip_word(p, "wscale"))
		add_opt(p, s, 3, 3)[2] = (uint8_t)parse_int(p);
	else if (parse_skip_word(p, "sackOK"))
		add_opt(p, s, 4, 2);
	else if (parse_skip_word(p, "sack"))
		parse_sack(p, s);
	else if (parse_skip_word(p, "TS"))
		parse_timestamp(p, s);
	else if (parse_skip_word(p, "FO"))
		parse_cookie(p, s, false);
	else if (parse_skip_word(p, "FOEXP"))
		parse_cookie(p, s, true);
	else
		parse_fail(p, "expected mss, wscale, sackOK, sack, TS, FO, FOEXP, nop or eol");
}

static void parse_options(struct parser *p, struct segment_spec *s)
{
	if (!parse_skip_char(p, '<'))
		return;
	if (p->x.tok == TOK_ELLIPSIS) {
		s->any_options = true;
		lex_next(&p->x);
	} else {
		do
			parse_option(p, s);
		while (!p->failed && parse_skip_char(p, ','));
	}
	if (!p->failed && s->opt_len % 4)
		parse_wrong(p, "expected options of a multiple of 4 bytes (these are %u; pad with nop)",
			   s->opt_len);
	parse_char(p, '>');
}

void parse_segment(struct parser *p, struct event *e)
{
	struct segment_spec *s = &e->seg;

	s->tos = TOS_ANY;
	s->ttl = -1;
	s->win = WIN_ANY;
	parse_ip_info(p, s);
	if (parse_skip_word(p, "icmp")) {
		s->is_icmp = true;
		parse_icmp(p, &s->icmp);
		return;
	}
	parse_ports(p, s);
	s->flags = parse_flags(p);
	parse_sequence(p, &s->seq, &s->len);
	if (parse_skip_word(p, "ack")) {
		if (!(s->flags & TCPF_ACK))
			parse_wrong(p, "an ack without the flag (a dot)");
		s->ack = (uint32_t)parse_int(p);
	}
	if (parse_skip_word(p, "win"))
		s->win = (int32_t)parse_int(p);
	if (parse_skip_word(p, "urg"))
		s->urg = (uint16_t)parse_int(p);
	parse_options(p, s);
	if (e->kind == EVENT_IN && !p->failed && (s->win == WIN_ANY || s->any_options || s->tos == TOS_ECT01))
		parse_wrong(p, "a segment that is injected needs its window, options and ECN bits said");
}
