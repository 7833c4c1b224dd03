/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * code.c - %{ ... }%: the small part of Python that scripts use.
 *
 *   assert EXPR [, message]     NAME = EXPR     NAME += EXPR     NAME -= EXPR     print(...)
 *
 * parted by ends of lines or semicolons; # begins a comment.  EXPR has numbers, names (variables,
 * constants, fields of TCP_INFO), or and not, comparisons that chain, | ^ & << >> + - * / // %,
 * parentheses, and the calls min, max, abs, int and float.  It is evaluated at once, when the
 * script is there; a message is not evaluated, as the values of all names are shown instead.
 */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conform/run.h"

#define NAME_MAX_LEN 48

struct variable {
	struct variable *next;
	char name[NAME_MAX_LEN];
	long double v;
};

struct code {
	struct run *r;
	const char *p;           /* the rest */
	char used[256];          /* names and values so far, for the complaint */
	size_t nused;
};

static long double expr(struct code *c);

/* ---- words ---- */

static _Noreturn void bad(struct code *c, const char *what)
{
	run_fail(c->r, "the code isn't understood: %s at \"%.*s\"", what, (int)strcspn(c->p, "\n"), c->p);
}

static void skip_space(struct code *c)
{
	for (;;) {
		while (*c->p == ' ' || *c->p == '\t' || *c->p == '\r' || (c->p[0] == '\\' && c->p[1] == '\n'))
			c->p += *c->p == '\\' ? 2 : 1;
		if (*c->p != '#')
			return;
		c->p += strcspn(c->p, "\n");
	}
}

static bool is_name_char(char ch)
{
	return isalnum((unsigned char)ch) || ch == '_';
}

/* A keyword or an operator; operators in `longer` are not it. */
static bool take(struct code *c, const char *word)
{
	size_t n = strlen(word);

	skip_space(c);
	if (strncmp(c->p, word, n) || (is_name_char(word[0]) && is_name_char(c->p[n])))
		return false;
	c->p += n;
	return true;
}

static bool take_op(struct code *c, const char *op, const char *not_before)
{
	size_t n = strlen(op);

	skip_space(c);
	if (strncmp(c->p, op, n) || (c->p[n] && strchr(not_before, c->p[n])))
		return false;
	c->p += n;
	return true;
}

static size_t name_len(const char *p)
{
	size_t n = 0;

	if (isdigit((unsigned char)*p))
		return 0;
	while (is_name_char(p[n]))
		n++;
	return n;
}

/* ---- values ---- */

static struct variable *find_var(struct run *r, const char *name)
{
	struct variable *v;

	for (v = r->vars; v && strcmp(v->name, name); v = v->next)
		;
	return v;
}

static void set_var(struct run *r, const char *name, long double value)
{
	struct variable *v = find_var(r, name);

	if (!v) {
		v = calloc(1, sizeof(*v));
		if (!v)
			abort();
		snprintf(v->name, sizeof(v->name), "%s", name);
		v->next = r->vars;
		r->vars = v;
	}
	v->v = value;
}

void code_free(struct run *r)
{
	struct variable *v;

	while ((v = r->vars)) {
		r->vars = v->next;
		free(v);
	}
}

static void note(struct code *c, const char *name, long double v)
{
	int n = snprintf(c->used + c->nused, sizeof(c->used) - c->nused, "%s%s = %.10Lg", c->nused ? ", " : "",
			 name, v);

	c->nused = MIN(c->nused + (size_t)n, sizeof(c->used) - 1);
}

static long double value_of(struct code *c, const char *name)
{
	struct variable *var = find_var(c->r, name);
	long double v;
	int64_t i;

	if (var)
		v = var->v;
	else if (symbol_find(name, &i))
		return (long double)i;
	else if (!strcmp(name, "True") || !strcmp(name, "False"))
		return name[0] == 'T';
	else if (!strcmp(name, "TCP_INFINITE_SSTHRESH"))
		return 0x7fffffff;
	else if (!info_value(c->r, name, &v))
		run_fail(c->r, "the code speaks of %s, which is no name that is known", name);
	note(c, name, v);
	return v;
}

static long double call_value(struct code *c, const char *name)
{
	long double v = expr(c), w;

	if (!strcmp(name, "abs"))
		v = fabsl(v);
	else if (!strcmp(name, "int"))
		v = truncl(v);
	else if (strcmp(name, "min") && strcmp(name, "max") && strcmp(name, "float"))
		bad(c, "an unknown function");
	while (take(c, ",")) {
		w = expr(c);
		v = !strcmp(name, "min") ? MIN(v, w) : MAX(v, w);
	}
	if (!take(c, ")"))
		bad(c, "expected )");
	return v;
}

static long double primary(struct code *c)
{
	char name[NAME_MAX_LEN];
	long double v;
	char *end;
	size_t n;

	if (take(c, "-"))
		return -primary(c);
	if (take(c, "~"))
		return (long double)~(int64_t)primary(c);
	if (take(c, "(")) {
		v = expr(c);
		if (!take(c, ")"))
			bad(c, "expected )");
		return v;
	}
	skip_space(c);
	if (isdigit((unsigned char)*c->p) || *c->p == '.') {
		v = c->p[0] == '0' && (c->p[1] | 32) == 'x' ? (long double)strtoull(c->p, &end, 16)
							     : strtold(c->p, &end);
		c->p = end;
		return v;
	}
	n = name_len(c->p);
	if (!n || n >= sizeof(name))
		bad(c, "expected a value");
	memcpy(name, c->p, n);
	name[n] = 0;
	c->p += n;
	return take(c, "(") ? call_value(c, name) : value_of(c, name);
}

/* ---- operators, the tightest first ---- */

static long double product(struct code *c)
{
	long double v = primary(c), w;

	for (;;) {
		if (take(c, "*")) {
			v *= primary(c);
			continue;
		}
		if (take(c, "//"))
			v = (w = primary(c)) != 0 ? floorl(v / w) : 0;
		else if (take(c, "/"))
			v = (w = primary(c)) != 0 ? v / w : 0;
		else if (take(c, "%"))
			v = (w = primary(c)) != 0 ? v - w * floorl(v / w) : 0;
		else
			return v;
	}
}

static long double sum(struct code *c)
{
	long double v = product(c);

	for (;;) {
		if (take(c, "+"))
			v += product(c);
		else if (take(c, "-"))
			v -= product(c);
		else
			return v;
	}
}

static long double shift(struct code *c)
{
	long double v = sum(c);

	for (;;) {
		if (take(c, "<<"))
			v = (long double)((uint64_t)v << (unsigned)sum(c));
		else if (take(c, ">>"))
			v = (long double)((uint64_t)v >> (unsigned)sum(c));
		else
			return v;
	}
}

static long double bits(struct code *c)
{
	long double v = shift(c);

	for (;;) {
		if (take_op(c, "&", "&"))
			v = (long double)((int64_t)v & (int64_t)shift(c));
		else if (take_op(c, "|", "|"))
			v = (long double)((int64_t)v | (int64_t)shift(c));
		else if (take_op(c, "^", ""))
			v = (long double)((int64_t)v ^ (int64_t)shift(c));
		else
			return v;
	}
}

/* a < b < c is a < b and b < c. */
static long double comparison(struct code *c)
{
	long double v = bits(c), w, all = 1;
	bool any = false;

	for (;; v = w, any = true) {
		if (take(c, "==")) {
			w = bits(c);
			all = all && v == w;
		} else if (take(c, "!=")) {
			w = bits(c);
			all = all && v != w;
		} else if (take(c, "<=")) {
			w = bits(c);
			all = all && v <= w;
		} else if (take(c, ">=")) {
			w = bits(c);
			all = all && v >= w;
		} else if (take_op(c, "<", "<")) {
			w = bits(c);
			all = all && v < w;
		} else if (take_op(c, ">", ">")) {
			w = bits(c);
			all = all && v > w;
		} else {
			return any ? all : v;
		}
	}
}

static long double negation(struct code *c)
{
	return take(c, "not") ? negation(c) == 0 : comparison(c);
}

static long double conjunction(struct code *c)
{
	long double v = negation(c), w;

	while (take(c, "and")) {
		w = negation(c);
		v = v != 0 && w != 0;
	}
	return v;
}

static long double expr(struct code *c)
{
	long double v = conjunction(c), w;

	while (take(c, "or")) {
		w = conjunction(c);
		v = v != 0 || w != 0;
	}
	return v;
}

/* ---- statements ---- */

/* The rest of a message or of print(): up to the end of the statement, strings apart. */
static void skip_statement(struct code *c)
{
	int depth = 0;
	char quote;

	while (*c->p && !(depth <= 0 && (*c->p == '\n' || *c->p == ';'))) {
		depth += (*c->p == '(') - (*c->p == ')');
		if (*c->p == '"' || *c->p == '\'') {
			quote = *c->p++;
			while (*c->p && *c->p != quote)
				c->p++;
		}
		c->p += *c->p != 0;
	}
}

static void do_assert(struct code *c)
{
	const char *from, *to;

	skip_space(c);
	from = c->p;
	c->nused = 0;
	c->used[0] = 0;
	if (expr(c) == 0) {
		to = c->p;
		run_fail(c->r, "the assertion \"%.*s\" fails: %s", (int)(to - from), from, c->used);
	}
	if (take(c, ","))
		skip_statement(c);
}

static void do_assignment(struct code *c)
{
	char name[NAME_MAX_LEN];
	size_t n = name_len(c->p);
	long double v = 0;

	if (!n || n >= sizeof(name))
		bad(c, "expected a statement");
	memcpy(name, c->p, n);
	name[n] = 0;
	c->p += n;
	if (take(c, "+="))
		v = value_of(c, name) + expr(c);
	else if (take(c, "-="))
		v = value_of(c, name) - expr(c);
	else if (take_op(c, "=", "="))
		v = expr(c);
	else
		bad(c, "expected an assignment");
	set_var(c->r, name, v);
}

static bool at_end_of_statement(struct code *c)
{
	skip_space(c);
	return !*c->p || *c->p == '\n' || *c->p == ';';
}

void code_run(struct run *r, const char *text)
{
	struct code c = { .r = r, .p = text };

	for (;;) {
		while (at_end_of_statement(&c)) {
			if (!*c.p)
				return;
			c.p++;
		}
		if (take(&c, "assert"))
			do_assert(&c);
		else if (take(&c, "print"))
			skip_statement(&c);
		else
			do_assignment(&c);
		if (!at_end_of_statement(&c))
			bad(&c, "expected the end of the statement");
	}
}
