/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * step.h - between step.c and step_msg.c: what a call in a script is given and gives.
 */
#ifndef XTCP_CONFORM_STEP_H
#define XTCP_CONFORM_STEP_H

#include <stdarg.h>

#include "conform/run.h"

/* A call at work. */
struct step {
	struct run *r;
	const struct call_spec *spec;
	struct expr **args;
	unsigned n;
	char *err;               /* what is wrong; "" so far */
	size_t err_len;
};

/* The first complaint counts. */
void step_fail(struct step *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The value of a number, a constant, constants with | between them. */
int64_t step_num(struct step *c, const struct expr *e);
int64_t step_arg(struct step *c, unsigned i);
/* The process's fd for the script's number. */
int step_fd_of(struct step *c, int64_t script_fd);
int step_fd(struct step *c, unsigned i);
/* The number x of `name = x` in a brace; *there says whether it is there (may be NULL). */
const struct expr *step_field(const struct expr *brace, const char *name);
/* An ellipsis is the usual address; else {sa_family = ..., sin_port = ..., sin_addr = ...}. */
void step_addr(struct step *c, const struct expr *e, bool is_remote, struct sockaddr_storage *a, socklen_t *len);

/* Bytes to be sent by the script's fd: the next of its stream; NULL when the script says so. */
uint8_t *step_bytes(struct step *c, const struct expr *e, unsigned fd, size_t skip, size_t n);
/* The bytes that were read are the next of the stream. */
void step_check_bytes(struct step *c, unsigned fd, const uint8_t *p, size_t skip, size_t n);

/* Compares with what the script says; errno counts when v is negative. */
void step_result(struct step *c, int64_t v);
/* An argument that the call has filled in. */
void step_out(struct step *c, const struct expr *expected, int64_t v, const char *what);

/* step_msg.c */
void step_sendmsg(struct step *c);
void step_recvmsg(struct step *c);
void step_writev(struct step *c);
void step_readv(struct step *c);
void step_poll(struct step *c);
void step_epoll_ctl(struct step *c);
void step_epoll_wait(struct step *c);
void step_setsockopt(struct step *c);
void step_getsockopt(struct step *c);
void step_ioctl(struct step *c);

#endif
