/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lex.h - the words of a script: what packetdrill's lexer calls tokens.
 *
 * Comments (two slashes to the end of the line, C's) and white space part tokens and vanish.
 * Keywords are words like any other; the parser knows where they mean something.
 */
#ifndef XTCP_CONFORM_LEX_H
#define XTCP_CONFORM_LEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum token {
	TOK_END,
	TOK_INT,                 /* 12, -1: num */
	TOK_HEX,                 /* 0x1f: num */
	TOK_FLOAT,               /* 0.25, .25: real */
	TOK_WORD,                /* letters, digits, underscores */
	TOK_STRING,              /* "...", without the quotes */
	TOK_COMMAND,             /* `...`, without the quotes */
	TOK_CODE,                /* %{ ... }%, without the brackets */
	TOK_OPTION,              /* --name, without the hyphens */
	TOK_IPV4,                /* 192.0.2.1 */
	TOK_ELLIPSIS,            /* ... */
	TOK_PUNCT,               /* any other character: num */
	TOK_BAD,                 /* text says what is wrong */
};

struct lex {
	const char *p;           /* the rest of the script */
	int next_line;
	/* The present token. */
	enum token tok;
	int line;                /* where it begins, from 1 */
	int last_line;           /* and the token before */
	const char *text;        /* its characters, not terminated; TOK_BAD: a sentence */
	size_t len;
	int64_t num;
	double real;
};

/* Before the first token of the zero-terminated text, which must outlive it. */
void lex_init(struct lex *x, const char *text);
/* Goes on to the next token. */
void lex_next(struct lex *x);
/* Is the present token this word, or this character? */
bool lex_is_word(const struct lex *x, const char *word);
bool lex_is(const struct lex *x, char ch);

#endif
