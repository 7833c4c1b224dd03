/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * util.h - what the programs that measure share (bench/ and tests/xfer.c).  A failure ends the program, with a word of why.
 */
#ifndef BENCH_UTIL_H
#define BENCH_UTIL_H

#include <netinet/in.h>
#include <stdint.h>

/* Says "PROGRAM: WHAT: strerror(errno)" and exits with 1. */
void die(const char *what) __attribute__((noreturn));

/* Now, in seconds (CLOCK_MONOTONIC). */
double seconds(void);

/* ADDRESS (dotted) and PORT (decimal) of a command line. */
struct sockaddr_in address_of(const char *addr, const char *port);

/* A socket that listens there, with SO_REUSEADDR and the largest backlog. */
int listen_at(const char *addr, const char *port);

/* Says "ready" and gives the one connection that comes; the listener is closed. */
int accept_one(int listener);

/* A blocking connection to there, with TCP_NODELAY. */
int connect_to(const struct sockaddr_in *to);

/* All len bytes: 0, or -1 with errno; 0 for errno is the peer's end. */
int send_all(int fd, const void *buf, size_t len);
int recv_all(int fd, void *buf, size_t len);

/* Binds this thread, no other, to that CPU (decimal); NULL: leaves it. */
void pin_thread(const char *cpu);

/* The q-th part (0 to 1) of n values, which it sorts. */
uint32_t quantile(uint32_t *v, size_t n, double q);

#endif
