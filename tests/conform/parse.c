/* SPDX-License-Identifier: BSD-2-Clause */
/* parse.c - a script's options, times and events; see script.h. */
#include "conform/parse.h"

#include <arpa/inet.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the arena ---- */

struct block {
	struct block *next;
	max_align_t bytes[];
};

void *script_alloc(struct script *s, size_t n)
{
	struct block *b = calloc(1, sizeof(*b) + n);

	if (!b)
		abort();
	b->next = s->blocks;
	s->blocks = b;
	return b->bytes;
}

char *script_text(struct script *s, const char *p, size_t len)
{
	char *t = script_alloc(s, len + 1);

	memcpy(t, p, len);
	return t;
}

void script_define(struct script *s, const char *name, const char *value)
{
	struct define *d = script_alloc(s, sizeof(*d));

	d->name = script_text(s, name, strlen(name));
	d->value = script_text(s, value, strlen(value));
	d->next = s->defines;
	s->defines = d;
}

void script_free(struct script *s)
{
	struct block *b;

	while ((b = s->blocks)) {
		s->blocks = b->next;
		free(b);
	}
	memset(s, 0, sizeof(*s));
}

/* ---- helpers ---- */

void parse_fail(struct parser *p, const char *fmt, ...)
{
	struct script *s = p->s;
	size_t n;
	va_list ap;

	if (p->failed)
		return;
	p->failed = true;
	s->err_line = p->x.line;
	if (p->x.tok == TOK_BAD) {
		snprintf(s->err, sizeof(s->err), "%s", p->x.text);
		return;
	}
	va_start(ap, fmt);
	vsnprintf(s->err, sizeof(s->err), fmt, ap);
	va_end(ap);
	n = strlen(s->err);
	if (p->x.tok == TOK_END)
		snprintf(s->err + n, sizeof(s->err) - n, ", not the script's end");
	else
		snprintf(s->err + n, sizeof(s->err) - n, ", not %.*s", (int)MIN(p->x.len, 60), p->x.text);
}

void parse_wrong(struct parser *p, const char *fmt, ...)
{
	va_list ap;

	if (p->failed)
		return;
	p->failed = true;
	p->s->err_line = p->x.last_line;
	va_start(ap, fmt);
	vsnprintf(p->s->err, sizeof(p->s->err), fmt, ap);
	va_end(ap);
}

void parse_char(struct parser *p, char ch)
{
	if (!lex_is(&p->x, ch))
		parse_fail(p, "expected %c", ch);
	lex_next(&p->x);
}

int64_t parse_int(struct parser *p)
{
	int64_t v = p->x.num;

	if (p->x.tok != TOK_INT && p->x.tok != TOK_HEX)
		parse_fail(p, "expected a number");
	lex_next(&p->x);
	return v;
}

const char *parse_word(struct parser *p)
{
	const char *t = "";

	if (p->x.tok == TOK_WORD)
		t = script_text(p->s, p->x.text, p->x.len);
	else
		parse_fail(p, "expected a word");
	lex_next(&p->x);
	return t;
}

bool parse_skip_char(struct parser *p, char ch)
{
	bool is = lex_is(&p->x, ch);

	if (is)
		lex_next(&p->x);
	return is;
}

bool parse_skip_word(struct parser *p, const char *word)
{
	bool is = lex_is_word(&p->x, word);

	if (is)
		lex_next(&p->x);
	return is;
}

/* ---- options ---- */

/* --define=NAME=VALUE */
static void parse_define(struct parser *p)
{
	const char *name = parse_word(p);

	parse_char(p, '=');
	if (!p->failed)
		script_define(p->s, name, script_text(p->s, p->x.text, p->x.len));
	lex_next(&p->x);
}

static ip4 parse_addr(struct parser *p)
{
	const char *t = script_text(p->s, p->x.text, p->x.len);
	struct in_addr a = { 0 };

	if (p->x.tok != TOK_IPV4 || inet_pton(AF_INET, t, &a) != 1)
		parse_fail(p, "expected an IPv4 address");
	lex_next(&p->x);
	return ntohl(a.s_addr);
}

static void parse_option(struct parser *p)
{
	const char *name = script_text(p->s, p->x.text, p->x.len);

	lex_next(&p->x);
	if (!strcmp(name, "tcp_ts_ecr_scaled") || !strcmp(name, "strict_segments")) {
		*(name[0] == 't' ? &p->s->scales_ecr : &p->s->strict_segments) = true;
		return;
	}
	parse_char(p, '=');
	if (!strcmp(name, "define"))
		parse_define(p);
	else if (!strcmp(name, "mtu"))
		p->s->mtu = (uint32_t)parse_int(p);
	else if (!strcmp(name, "mss"))
		p->s->mss = (uint32_t)parse_int(p);
	else if (!strcmp(name, "local_ip"))
		p->s->local = parse_addr(p);
	else if (!strcmp(name, "remote_ip"))
		p->s->remote = parse_addr(p);
	else if (!strcmp(name, "tolerance_usecs"))
		p->s->tolerance = parse_int(p) * XTIME_USEC;
	else if (!strcmp(name, "tcp_ts_tick_usecs"))
		p->s->ts_tick = parse_int(p) * XTIME_USEC;
	else if (!strcmp(name, "ip_version") && lex_is_word(&p->x, "ipv4"))
		lex_next(&p->x);
	else
		parse_fail(p, "option --%s with a value that is known", name);
}

/* ---- events ---- */

xtime parse_time(struct parser *p)
{
	double sec = p->x.tok == TOK_FLOAT ? p->x.real : (double)p->x.num;

	if ((p->x.tok != TOK_FLOAT && p->x.tok != TOK_INT) || sec < 0)
		parse_fail(p, "expected a time in seconds");
	lex_next(&p->x);
	return (xtime)llround(sec * 1e6) * XTIME_USEC;
}

static void parse_event_time(struct parser *p, struct event *e)
{
	bool is_relative;

	if (parse_skip_char(p, '*')) {
		e->time = TIME_ANY;
		return;
	}
	is_relative = parse_skip_char(p, '+');
	e->at = e->until = parse_time(p);
	e->time = is_relative ? TIME_RELATIVE : TIME_ABSOLUTE;
	if (!parse_skip_char(p, '~'))
		return;
	e->time = is_relative ? TIME_RELATIVE_RANGE : TIME_RANGE;
	if (is_relative)
		parse_char(p, '+');
	e->until = parse_time(p);
	if (e->until < e->at)
		parse_wrong(p, "a range of time that goes backwards");
}

static void parse_action(struct parser *p, struct event *e)
{
	bool is_in = lex_is(&p->x, '<');

	if (is_in || lex_is(&p->x, '>')) {
		lex_next(&p->x);
		e->kind = is_in ? EVENT_IN : EVENT_OUT;
		parse_segment(p, e);
		if (is_in && (e->time == TIME_RANGE || e->time == TIME_RELATIVE_RANGE || e->time == TIME_ANY))
			parse_wrong(p, "a segment is injected at one time");
	} else if (p->x.tok == TOK_COMMAND || p->x.tok == TOK_CODE) {
		e->kind = p->x.tok == TOK_CODE ? EVENT_CODE : EVENT_COMMAND;
		e->text = script_text(p->s, p->x.text, p->x.len);
		lex_next(&p->x);
	} else {
		e->kind = EVENT_CALL;
		parse_call(p, e);
	}
}

/* The event's text on one line, comments and all. */
static const char *source_of(struct script *s, const char *from, const char *to)
{
	char *t, *w;

	while (to > from && strchr(" \t\n", to[-1]))
		to--;
	t = script_text(s, from, (size_t)(to - from));
	w = strstr(t, "//");
	if (w)
		*w = 0;
	for (w = t; *w; w++)
		if (*w == '\n' || *w == '\t')
			*w = ' ';
	return t;
}

static struct event *parse_event(struct parser *p)
{
	struct event *e = script_alloc(p->s, sizeof(*e));
	const char *from = p->x.text;

	e->line = p->x.line;
	if (p->x.tok == TOK_COMMAND) {           /* the first and the last one have no time */
		e->time = TIME_RELATIVE;
		from--;
	} else {
		parse_event_time(p, e);
	}
	parse_action(p, e);
	if (!p->failed)
		e->source = source_of(p->s, from, p->x.tok == TOK_END ? p->x.p :
				      p->x.tok == TOK_COMMAND ? p->x.text - 1 : p->x.text);
	return e;
}

bool script_parse(struct script *s, const char *path, const char *text)
{
	struct parser p = { .s = s };
	struct event **tail = &s->events;

	s->path = path;
	s->mtu = 1500;
	s->local = SCRIPT_LOCAL;
	s->remote = SCRIPT_REMOTE;
	s->tolerance = 4 * XTIME_MSEC;
	lex_init(&p.x, text);
	lex_next(&p.x);
	while (!p.failed && p.x.tok == TOK_OPTION)
		parse_option(&p);
	while (!p.failed && p.x.tok != TOK_END) {
		*tail = parse_event(&p);
		tail = &(*tail)->next;
	}
	if (!p.failed && !s->events)
		parse_fail(&p, "expected an event");
	return !p.failed;
}
