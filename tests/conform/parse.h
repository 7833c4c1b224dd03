/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * parse.h - between the files that read a script.
 */
#ifndef XTCP_CONFORM_PARSE_H
#define XTCP_CONFORM_PARSE_H

#include "conform/lex.h"
#include "conform/script.h"

struct parser {
	struct script *s;
	struct lex x;
	bool failed;             /* s->err says why; the rest is not read */
};

/* Says what was expected in the place of the present token; the first complaint counts. */
void parse_fail(struct parser *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Says what is wrong with what has been read up to here. */
void parse_wrong(struct parser *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The present token, which is then passed: complains when it isn't that. */
void parse_char(struct parser *p, char ch);
int64_t parse_int(struct parser *p);
const char *parse_word(struct parser *p);
bool parse_skip_char(struct parser *p, char ch);       /* passes it when it is there */
bool parse_skip_word(struct parser *p, const char *word);

/* parse_call.c: name, arguments, result; the present token is the name or the ellipsis. */
void parse_call(struct parser *p, struct event *e);
/* parse_segment.c: what follows < or >. */
void parse_segment(struct parser *p, struct event *e);
/* parse.c: seconds, as nanoseconds. */
xtime parse_time(struct parser *p);

#endif
