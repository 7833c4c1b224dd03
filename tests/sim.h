/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sim.h - two stacks joined by a bad network, on a virtual clock.
 *
 *   A 10.0.0.1 ---[ link 0: A to B ]---> B 10.0.0.2
 *              <--[ link 1: B to A ]---
 *
 * Each direction has a rate, a delay, a queue of bounded size that may mark (ECN), a policer,
 * and probabilities of loss, duplication, corruption and extra delay (reordering).  Super-frames are split
 * into segments before they meet the link, as a network card does, unless the link is
 * `whole` (a veth).  The same seed gives the same run.
 */
#ifndef XTCP_TESTS_SIM_H
#define XTCP_TESTS_SIM_H

#include "stack/stack.h"
#include "stack/tcp_impl.h"

struct sim_link {
	uint64_t rate;           /* bits per second, 0: infinite */
	xtime delay;             /* one way */
	uint32_t queue;          /* bytes that wait for the link, 0: unbounded */
	double loss, dup, corrupt, reorder;   /* probabilities per segment */
	xtime reorder_by;        /* up to this much extra delay */
	unsigned burst;          /* a loss takes this many segments, 0 and 1: one */
	double bad_in, bad_out;  /* Gilbert-Elliott: probabilities per segment that the link turns bad,
	                          * where it loses all, and good again */
	uint64_t police_rate;    /* bits per second, 0: none; beyond it and police_burst bytes it drops */
	uint32_t police_burst;
	uint32_t mark_at;        /* bytes that wait: an ECN-capable packet behind them is marked, 0: none */
	uint16_t far_port;       /* segments from and to it take far_delay longer */
	xtime far_delay;
	double refuse;           /* probability that the sender's interface drops a frame and says so; what
	                          * it takes it keeps for a while */
	bool whole;              /* super-frames are not split */
	/* Counters. */
	uint64_t frames, bytes, lost, dropped, corrupted, marked, copied, refused;
	/* State. */
	xtime free_at;           /* when the last bit of what was queued has left */
	unsigned burst_left;
	bool is_bad;
	double tokens;           /* of the policer, bytes */
	xtime tokens_at;
};

struct sim_frame;

struct sim {
	struct stack *s[2];
	struct sim_link link[2];
	xtime now;
	uint64_t rng;
	void (*check)(struct stack *s);   /* after frames were refused, or NULL */
	struct sim_frame *heap;  /* frames in flight, by arrival */
	uint32_t n, cap;
};

#define SIM_A 0x0a000001u
#define SIM_B 0x0a000002u

/* Two stacks with an own address each, neighbours known; links without delay or loss. */
void sim_init(struct sim *m, uint64_t seed, bool can_offload, const char *congestion);
void sim_fini(struct sim *m);
/* 53 random bits as [0, 1). */
double sim_random(struct sim *m);
uint64_t sim_random_u64(struct sim *m);

/* Everything that may leave leaves; then time goes on to the next event, at most to
 * `limit`.  False when nothing was left to happen before `limit`. */
bool sim_step(struct sim *m, xtime limit);

/* A transfer over one connection, checked byte by byte. */
struct sim_flow {
	struct tcp_conn *c[2];       /* client in A, server in B; NULL until accepted */
	struct tcp_conn *listener;
	uint64_t total[2];           /* bytes to send by A and by B */
	uint64_t sent[2], got[2];    /* got[i]: received by i */
	bool is_shut[2], has_eof[2]; /* our side shut down; the peer's end seen */
	bool is_wrong;               /* a byte was not what was sent */
	bool blocks;                 /* the programs block in send(), else they poll */
	bool lends;                  /* what they write is sent from where it is (TCP_SEND_LENT) */
	int err[2];
	xtime begin, end;            /* when both directions were done */
	size_t read_chunk;           /* how much the programs read at a time */
	xtime read_pause;            /* they pause so long in between, 0: never */
	xtime read_at[2];
};

/* Opens a connection from A to B:port; the flow is driven by sim_run(). */
void sim_flow_open(struct sim *m, struct sim_flow *f, uint16_t port, uint64_t up, uint64_t down);
/* Runs until every flow is done or time is over: true when all are. */
bool sim_run(struct sim *m, struct sim_flow *f, unsigned n, xtime limit);

#endif
