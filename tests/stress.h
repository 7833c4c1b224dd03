/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stress.h - what the parts of the stress share; stress.c says what it is.
 */
#ifndef XTCP_TESTS_STRESS_H
#define XTCP_TESTS_STRESS_H

#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The pool: numbers that every thread uses, replaces and closes, at any time.  They are far above
 * what the threads have for themselves, so no number is ever closed by who it isn't. */
#define POOL_FD 300
#define POOL_FDS 32
#define POOL_EPOLL 340
#define POOL_EPOLLS 4
#define OWN_FDS_END 290          /* private numbers are below */

/* The peer's ports, from its first one on; and ours. */
enum { PEER_ECHO, PEER_DISCARD, PEER_SOURCE, PEER_NOBODY };
#define LISTEN_CHAOS 4           /* the first so many of our ports */
#define LISTEN_OWN 8             /* and this one, with a server that checks what it gets */

#define STRESS_THREADS 64

/* One thread, as the watchdog sees it; in memory that all processes share. */
struct stress_thread {
	_Atomic int tid;             /* 0: none */
	_Atomic uint64_t steps;
	_Atomic(const char *) what;  /* a literal of the program, so good in each of its processes */
};

struct stress_board {
	_Atomic bool stop;
	_Atomic unsigned failures;
	_Atomic uint64_t calls, errors, bytes_checked, connections_checked;
	_Atomic uint64_t forks, spawns, cancels, passes, handled;
	struct stress_thread threads[STRESS_THREADS];
};

struct stress_target {
	struct sockaddr_in peer;     /* its first port */
	uint16_t listen;             /* our first port */
};

extern struct stress_board *board;
extern struct stress_target target;
extern __thread struct stress_thread *stress_me;
extern __thread uint64_t stress_rng;
extern bool stress_is_child;     /* of a fork() */

void stress_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Counts as progress. */
void stress_step(const char *what);
/* 0 <= n < below */
unsigned stress_rnd(unsigned below);
/* How a call went: its result and errno. */
void stress_result(const char *what, long r, int err);
struct sockaddr_in stress_peer(unsigned port);

#define STRESS_ERRNO 4242

/* A call whose errno is judged: it stays when the call succeeds, else it is one that Linux has here. */
#define CALL(call)                                                          \
	__extension__({                                                     \
		long r_;                                                    \
		errno = STRESS_ERRNO;                                       \
		r_ = (long)(call);                                          \
		stress_result(#call, r_, errno);                            \
		r_;                                                         \
	})

/* ---- stress_calls.c ---- */
/* One call, or a few, on whatever is in the pool. */
void stress_any_call(void);
/* One that may be cancelled: it makes nothing. */
void stress_cancellable_call(void);
/* One for a signal handler: it doesn't block. */
void stress_handler_call(void);
/* In a child: one SIGALRM after that time, 0: none.  The handler asks for the next one, so that however long it takes what it
 * interrupts goes on in between. */
#define STRESS_PULSE_US 20000
void stress_pulse(int us);
int stress_pool_fd(void);

/* ---- stress_life.c ---- */
/* fork, exec, spawn, cancel, pass: one of them, to its end. */
void stress_life(void);
/* In a program that was executed with a number of the pool: exit status. */
int stress_inherited(int fd);

/* ---- stress_own.c ---- */
/* One connection to the peer's echo server, or one that it makes to us; every byte is checked. */
void stress_own_client(void);
void stress_own_server(int listener);
int stress_own_listen(void);

/* ---- stress_peer.c: the other side, over the kernel ---- */
int stress_peer_run(int port, const char *addr, int their_port);

/* Byte `at` of stream `key`. */
static inline unsigned char stress_byte(uint64_t key, uint64_t at)
{
	return (unsigned char)(key + at * 31 + (at >> 8) * 7 + (at >> 16));
}

#endif
