/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * callprobe_sleep.h - the calls that sleep, and threads in them.
 */
#ifndef XTCP_CALLPROBE_SLEEP_H
#define XTCP_CALLPROBE_SLEEP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "callprobe.h"

#define PROBE_TRIES 10                   /* to find a connection full for good */

struct sleeper {
	const char *name;                /* NULL ends a table */
	long (*call)(int fd);
	bool is_for_readiness;           /* poll() and its like: never restarted after a handler */
};

/* On a connection that nothing comes from; on a listener that nobody connects to. */
extern const struct sleeper probe_receivers[], probe_acceptors[];
/* On one that takes no more (probe_fill()): of probe_out_bytes each. */
extern const struct sleeper probe_senders[];
extern size_t probe_out_bytes;
#define PROBE_OUT_MAX (1 << 20)

long probe_recv(int fd);
long probe_poll(int fd);
long probe_waitall(int fd);              /* for ten bytes */
/* A set of fd alone, for input; the last call's is closed. */
int probe_epoll_of(int fd);
/* Sends on and on, into a connection whose peer's answers nobody reads. */
long probe_send_all(int fd);

/* A connection with a small buffer, whose peer reads nothing, that the call v can be made on; probe_fill() until it would
 * sleep. */
int probe_open_small(const struct sleeper *v);
void probe_fill(int fd);
/* All such peers read, and send back what comes, from now on. */
void probe_let(void);
/* The same, and what comes back is read until *is_over. */
void probe_drain(int fd, const atomic_bool *is_over);

struct job {
	const struct sleeper *what;
	int fd, type, state;             /* of cancellation */
	_Atomic pid_t tid;               /* 0 until it runs */
	atomic_bool is_cleaned, is_over;
	bool is_cancelled;
	long r;
	int err;
	pthread_t thread;
};

/* A thread that makes the call, with the type and the state of cancellation that are given. */
void probe_start(struct job *j, const struct sleeper *what, int fd, int type, int state);
/* For some while, as a sender sleeps now and then. */
void probe_until_asleep(struct job *j);
/* Its end, in a line; or in two steps, the first of which tells whether it was cancelled. */
void probe_tell(struct job *j);
bool probe_join(struct job *j);
void probe_tell_joined(const struct job *j);
void probe_nap(void);

#endif
