/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * run.h - a script at work.
 *
 *   run.c      events in their order and at their times
 *   peer.c     segments injected and expected: the peer's side
 *   step.c     system calls, and step_msg.c those with structures
 *   code.c     %{ assert ... }%           info.c  what it knows of a socket
 *   command.c  `sysctl ...`
 *
 * Everything here runs in the one thread that has the turn (veng.h); the first thing that goes
 * wrong ends the script (run_fail()).
 */
#ifndef XTCP_CONFORM_RUN_H
#define XTCP_CONFORM_RUN_H

#include <sys/socket.h>

#include "conform/script.h"
#include "conform/veng.h"

#define RUN_PORT 8080            /* the server's, on either side */
#define RUN_EPHEMERAL 50001      /* the first client's that comes from outside */
#define RUN_FDS 64

/* A connection as the script sees it; sequence numbers of the script count from its own. */
enum peer_state { PEER_NEW, PEER_CONNECTING, PEER_SYN_SENT, PEER_LISTENING, PEER_PASSIVE, PEER_OPEN };

struct ts_pair {
	uint32_t script, live;
};

struct peer {
	struct peer *next;
	enum peer_state state;
	int fd;                  /* of the script; -1: not accepted yet */
	ip4 raddr;
	uint16_t lport, rport;   /* lport 0: learned from the first SYN */
	bool is_active;          /* we have connected */
	bool is_answered;        /* irs is known */
	uint32_t script_iss, live_iss;   /* our initial number, as the script has it and on the wire */
	uint32_t irs, syn_seq;   /* the peer's; of the last SYN that was injected */
	bool has_ts;
	uint32_t first_script_ts, first_live_ts;
	struct ts_pair *ts;      /* our timestamps so far; owned */
	unsigned nts, ts_cap;
	struct { uint32_t seq, end; uint16_t flags; } last;   /* of us: as on the wire */
};

struct variable;

struct run {
	struct script *s;
	struct event *now;       /* the event at hand */
	struct event *before;    /* the one before it that was a segment injected, or NULL */
	struct peer *peers;      /* newest first; owned */
	struct peer *under_test; /* the one that segments belong to */
	uint16_t next_port;
	int fds[RUN_FDS];        /* the process's, by the script's; -1: none */
	uint32_t wrote[RUN_FDS], read[RUN_FDS];   /* bytes of the stream so far */
	bool any_payload;        /* bytes came from elsewhere: don't check them */
	struct event *pending;   /* a call that has not returned */
	xtime pending_until;
	char pending_err[512];   /* what was wrong with it */
	struct variable *vars;   /* of code; owned */
	int64_t *counted;        /* counters when nstat ran last; owned */
	unsigned steps;
	bool is_verbose;         /* shows each segment of ours */
};

/* Runs the script of `run->s`; returns when it has passed. */
void run_script(struct run *r);
void run_free(struct run *r);

/* Reports a failure at the present event, and ends the process with status 1.  At the time of
 * writing the script stands at r->now. */
_Noreturn void run_fail(struct run *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same of another event, a call that ran meanwhile. */
_Noreturn void run_fail_at(struct run *r, const struct event *e, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
double run_seconds(xtime t);
/* Complains when `at` isn't the time that the present event says. */
void run_check_time(struct run *r, xtime at, const char *what);
/* Byte n of any stream. */
uint8_t run_pattern(uint32_t n);

/* ---- peer.c ---- */
struct peer *peer_new(struct run *r, int fd);
struct peer *peer_of_fd(struct run *r, int fd);
void peer_inject(struct run *r);
void peer_expect(struct run *r);

/* ---- step.c ---- */
/* Does the call of e and compares; what is wrong goes into err, else it stays empty.  Runs
 * in the call thread when e->call.may_block. */
void step_run(struct run *r, struct event *e, char *err, size_t err_len);

/* ---- code.c, command.c, info.c ---- */
void code_run(struct run *r, const char *text);
void code_free(struct run *r);
void command_run(struct run *r, const char *text);
/* The value of tcpi_x and its likes; false: no such name. */
bool info_value(struct run *r, const char *name, long double *v);

/* ---- symbols.c ---- */
bool symbol_find(const char *name, int64_t *v);
const char *symbol_errno(int err);

#endif
