/* SPDX-License-Identifier: BSD-2-Clause */
/* lex.c - see lex.h. */
#include "conform/lex.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

void lex_init(struct lex *x, const char *text)
{
	memset(x, 0, sizeof(*x));
	x->p = text;
	x->next_line = 1;
	x->tok = TOK_END;
}

bool lex_is_word(const struct lex *x, const char *word)
{
	return x->tok == TOK_WORD && x->len == strlen(word) && !memcmp(x->text, word, x->len);
}

bool lex_is(const struct lex *x, char ch)
{
	return x->tok == TOK_PUNCT && x->num == ch;
}

static bool is_word_char(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static bool is_digit(char c)
{
	return isdigit((unsigned char)c);
}

static void skip_to(struct lex *x, const char *end)
{
	while (x->p < end)
		x->next_line += *x->p++ == '\n';
}

/* White space and comments; false: a comment that never ends. */
static bool skip_space(struct lex *x)
{
	for (;;) {
		const char *end;

		if (isspace((unsigned char)*x->p)) {
			skip_to(x, x->p + 1);
		} else if (!strncmp(x->p, "//", 2)) {
			skip_to(x, x->p + strcspn(x->p, "\n"));
		} else if (!strncmp(x->p, "/*", 2)) {
			end = strstr(x->p + 2, "*/");
			if (!end)
				return false;
			skip_to(x, end + 2);
		} else {
			return true;
		}
	}
}

static void bad(struct lex *x, const char *sentence)
{
	x->tok = TOK_BAD;
	x->text = sentence;
	x->len = strlen(sentence);
}

/* From x->p + skip up to the closing string. */
static void quoted(struct lex *x, enum token tok, size_t skip, const char *close)
{
	const char *start = x->p + skip, *end = start;

	while ((end = strstr(end, close)) && end > start && end[-1] == '\\')
		end++;
	if (!end) {
		bad(x, "quotation without an end");
		return;
	}
	x->tok = tok;
	x->text = start;
	x->len = (size_t)(end - start);
	skip_to(x, end + strlen(close));
}

static size_t ipv4_len(const char *p)
{
	const char *start = p;
	int i;

	for (i = 0; i < 4; i++) {
		if (i && *p++ != '.')
			return 0;
		if (!is_digit(*p))
			return 0;
		while (is_digit(*p))
			p++;
	}
	return (size_t)(p - start);
}

/* The longest of integer, float, address, hexadecimal number and word wins. */
static void number_or_word(struct lex *x)
{
	const char *p = x->p, *end = p + (*p == '-');
	size_t n;

	while (is_digit(*end))
		end++;
	x->tok = TOK_INT;
	if (*end == '.' && is_digit(end[1])) {
		x->tok = TOK_FLOAT;
		for (end++; is_digit(*end); end++)
			;
	}
	n = ipv4_len(p);
	if (n > (size_t)(end - p)) {
		x->tok = TOK_IPV4;
		end = p + n;
	}
	for (n = 0; is_word_char(p[n]); n++)
		;
	if (n > (size_t)(end - p)) {
		x->tok = p[0] == '0' && (p[1] | 32) == 'x' ? TOK_HEX : TOK_WORD;
		end = p + n;
	}
	x->text = p;
	x->len = (size_t)(end - p);
	if (x->tok == TOK_FLOAT)
		x->real = strtod(p, NULL);
	else if (x->tok == TOK_HEX)
		x->num = (int64_t)strtoull(p, NULL, 16);
	else if (x->tok == TOK_INT)
		x->num = strtoll(p, NULL, 10);
	x->p = end;
}

static void option(struct lex *x)
{
	x->tok = TOK_OPTION;
	x->text = x->p += 2;
	while (is_word_char(*x->p))
		x->p++;
	x->len = (size_t)(x->p - x->text);
}

static void punct(struct lex *x)
{
	x->tok = TOK_PUNCT;
	x->text = x->p;
	x->len = 1;
	x->num = *x->p++;
}

void lex_next(struct lex *x)
{
	const char *p;
	bool is_number;

	x->last_line = x->line;
	if (!skip_space(x)) {
		x->line = x->next_line;
		bad(x, "comment without an end");
		return;
	}
	p = x->p;
	x->line = x->next_line;
	is_number = is_digit(*p) || ((*p == '.' || *p == '-') && is_digit(p[1])) ||
		    (*p == '-' && p[1] == '.' && is_digit(p[2]));
	if (!*p) {
		x->tok = TOK_END;
		x->len = 0;
	} else if (is_number || is_word_char(*p)) {
		number_or_word(x);
	} else if (!strncmp(p, "...", 3)) {
		x->tok = TOK_ELLIPSIS;
		x->text = p;
		x->len = 3;
		x->p += 3;
	} else if (!strncmp(p, "%{", 2)) {
		quoted(x, TOK_CODE, 2, "}%");
	} else if (!strncmp(p, "--", 2) && is_word_char(p[2])) {
		option(x);
	} else if (*p == '"') {
		quoted(x, TOK_STRING, 1, "\"");
	} else if (*p == '`') {
		quoted(x, TOK_COMMAND, 1, "`");
	} else {
		punct(x);
	}
}
