/* SPDX-License-Identifier: BSD-2-Clause */
/* parse_call.c - system calls: name(argument, ...) = result [ERRNO] [(note)]. */
#include "conform/parse.h"

#include <stdlib.h>
#include <string.h>

static struct expr *parse_expr(struct parser *p);

static struct expr *new_expr(struct parser *p, enum expr_kind kind)
{
	struct expr *e = script_alloc(p->s, sizeof(*e));

	e->kind = kind;
	return e;
}

static void add_part(struct parser *p, struct expr *e, struct expr *part)
{
	struct expr **v;

	if (!(e->n & (e->n - 1))) {
		v = script_alloc(p->s, (e->n ? 2 * e->n : 1) * sizeof(*v));
		if (e->n)
			memcpy(v, e->v, e->n * sizeof(*v));
		e->v = v;
	}
	e->v[e->n++] = part;
}

/* Up to the closing character, which is passed. */
static void parse_parts(struct parser *p, struct expr *e, char close)
{
	while (!p->failed && !lex_is(&p->x, close)) {
		add_part(p, e, parse_expr(p));
		if (!lex_is(&p->x, close))
			parse_char(p, ',');
	}
	parse_char(p, close);
}

static struct expr *parse_name(struct parser *p)
{
	struct define *d;
	struct expr *e = new_expr(p, EXPR_WORD);
	char *end;

	e->text = parse_word(p);
	for (d = p->s->defines; d; d = d->next) {
		if (strcmp(d->name, e->text))
			continue;
		e->text = d->value;
		e->num = strtoll(d->value, &end, 0);
		if (*d->value && !*end)
			e->kind = EXPR_INT;
		return e;
	}
	if (parse_skip_char(p, '(')) {
		e->kind = EXPR_CALL;
		parse_parts(p, e, ')');
	}
	return e;
}

static struct expr *parse_primary(struct parser *p)
{
	struct expr *e;

	switch (p->x.tok) {
	case TOK_ELLIPSIS:
		e = new_expr(p, EXPR_ELLIPSIS);
		break;
	case TOK_INT:
	case TOK_HEX:
		e = new_expr(p, EXPR_INT);
		e->num = p->x.num;
		break;
	case TOK_STRING:
		e = new_expr(p, EXPR_STRING);
		e->text = script_text(p->s, p->x.text, p->x.len);
		lex_next(&p->x);
		if (p->x.tok == TOK_ELLIPSIS)
			lex_next(&p->x);
		return e;
	case TOK_WORD:
		return parse_name(p);
	default:
		if (parse_skip_char(p, '[')) {
			e = new_expr(p, EXPR_LIST);
			parse_parts(p, e, ']');
			return e;
		}
		if (parse_skip_char(p, '{')) {
			e = new_expr(p, EXPR_BRACE);
			parse_parts(p, e, '}');
			return e;
		}
		parse_fail(p, "expected a value");
		return new_expr(p, EXPR_ELLIPSIS);
	}
	lex_next(&p->x);
	return e;
}

static struct expr *parse_expr(struct parser *p)
{
	struct expr *left = parse_primary(p), *e;

	while (!p->failed && (lex_is(&p->x, '|') || lex_is(&p->x, '='))) {
		e = new_expr(p, lex_is(&p->x, '|') ? EXPR_OR : EXPR_ASSIGN);
		lex_next(&p->x);
		add_part(p, e, left);
		add_part(p, e, e->kind == EXPR_OR ? parse_primary(p) : parse_expr(p));
		left = e;
	}
	return left;
}

/* (Resource temporarily unavailable): anything up to the closing parenthesis. */
static void skip_note(struct parser *p)
{
	if (!lex_is(&p->x, '('))
		return;
	while (!p->failed && !lex_is(&p->x, ')')) {
		if (p->x.tok == TOK_END || p->x.tok == TOK_BAD)
			parse_fail(p, "expected )");
		lex_next(&p->x);
	}
	lex_next(&p->x);
}

void parse_call(struct parser *p, struct event *e)
{
	struct expr *args = new_expr(p, EXPR_LIST);
	struct call_spec *c = &e->call;

	if (p->x.tok == TOK_ELLIPSIS) {
		c->may_block = true;
		lex_next(&p->x);
		c->end = parse_time(p);
	}
	c->name = parse_word(p);
	parse_char(p, '(');
	parse_parts(p, args, ')');
	c->args = args->v;
	c->n = args->n;
	parse_char(p, '=');
	if (parse_skip_char(p, '?'))
		c->result = new_expr(p, EXPR_ELLIPSIS);
	else
		c->result = parse_expr(p);
	if (p->x.tok == TOK_WORD)
		c->err = parse_word(p);
	skip_note(p);
}
