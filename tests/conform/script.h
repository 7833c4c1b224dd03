/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * script.h - a script as it was read: its options and events.
 *
 * The language is packetdrill's (its syntax.md); README.md here says what of it is understood
 * and what differs.  All that a script points to belongs to its arena and goes with
 * script_free().
 */
#ifndef XTCP_CONFORM_SCRIPT_H
#define XTCP_CONFORM_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base.h"

#define SCRIPT_LOCAL ((ip4)192 << 24 | 168 << 16 | 0 << 8 | 1)
#define SCRIPT_REMOTE ((ip4)192 << 24 | 0 << 16 | 2 << 8 | 1)

/* ---- what calls are given and give ---- */

enum expr_kind {
	EXPR_ELLIPSIS,           /* ... */
	EXPR_INT,                /* num */
	EXPR_WORD,               /* text: a constant's name */
	EXPR_STRING,             /* text */
	EXPR_OR,                 /* v[0] | v[1] */
	EXPR_ASSIGN,             /* v[0] = v[1] */
	EXPR_LIST,               /* [v...] */
	EXPR_BRACE,              /* {v...} */
	EXPR_CALL,               /* text(v...): htons(80), msg_iov(1) */
};

struct expr {
	enum expr_kind kind;
	int64_t num;
	const char *text;
	struct expr **v;
	unsigned n;
};

/* ---- segments ---- */

#define TOS_ANY (-1)
#define TOS_ECT01 (-2)           /* ECT(0) or ECT(1) */

/* An ICMP error that quotes a segment of ours. */
struct icmp_spec {
	uint8_t type, code;
	uint32_t mtu;
	uint32_t mss;            /* --mss: larger segments arrive as super-frames of it; 0: as they are */
	ip4 local, remote;
	bool strict_segments;    /* a segment of the script is one that was sent, not several */
	bool has_quote;          /* else the last segment that was sent is quoted */
	uint32_t seq, len;
};

struct segment_spec {
	bool is_icmp;
	struct icmp_spec icmp;
	int tos;                 /* what is checked or sent: -1 any, a code point with is_tos */
	bool is_whole_tos;       /* all eight bits, not the two of ECN */
	int ttl;                 /* -1: any */
	uint16_t sport, dport;   /* 0: the connection's */
	uint16_t flags;          /* TCPF_* */
	uint32_t seq, len, ack;
	int32_t win;             /* -1: any */
	uint16_t urg;
	bool any_options;
	uint8_t opts[40];        /* as on the wire, numbers as in the script */
	uint8_t opt_len;
};

/* ---- events ---- */

enum time_kind {
	TIME_ABSOLUTE,
	TIME_RELATIVE,           /* +0.1: since the event before */
	TIME_RANGE,              /* 0.1~0.2 */
	TIME_RELATIVE_RANGE,     /* +0.1~+0.2 */
	TIME_ANY,                /* the star */
};

enum event_kind { EVENT_CALL, EVENT_IN, EVENT_OUT, EVENT_COMMAND, EVENT_CODE };

struct call_spec {
	const char *name;
	struct expr **args;
	unsigned n;
	struct expr *result;     /* EXPR_ELLIPSIS or a number; the word ? is an ellipsis */
	const char *err;         /* the errno's name; NULL: not said */
	bool may_block;          /* "0...0.2": it returns at `end` */
	xtime end;
};

struct event {
	struct event *next;
	int line;
	const char *source;      /* its text, for messages */
	enum time_kind time;
	xtime at, until;         /* until: the end of a range */
	enum event_kind kind;
	struct segment_spec seg;
	struct call_spec call;
	const char *text;        /* of a command or of code */
};

struct script {
	struct block *blocks;    /* the arena */
	const char *path;
	uint32_t mtu;
	uint32_t mss;            /* --mss: larger segments arrive as super-frames of it; 0: as they are */
	ip4 local, remote;
	bool strict_segments;    /* a segment of the script is one that was sent, not several */
	xtime tolerance;
	xtime ts_tick;           /* timestamp values are checked when it isn't 0 */
	bool scales_ecr;         /* --tcp_ts_ecr_scaled */
	struct define *defines;  /* -D or --define NAME=VALUE */
	struct event *events;
	/* A script that can't be read. */
	int err_line;
	char err[256];
};

struct define {
	struct define *next;
	const char *name, *value;
};

/* Zeroed memory of the arena; ends the process when there is none. */
void *script_alloc(struct script *s, size_t n);
char *script_text(struct script *s, const char *p, size_t len);
void script_define(struct script *s, const char *name, const char *value);

/* Reads a script from its text.  False: s->err says why, s->err_line where. */
bool script_parse(struct script *s, const char *path, const char *text);
void script_free(struct script *s);

#endif
