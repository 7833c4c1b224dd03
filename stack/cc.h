/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cc.h - congestion control as a const table of operations (Linux's
 * tcp_congestion_ops).  An algorithm reads and writes the cc part of the
 * connection and keeps its own state in cc.priv, or where cc.own says.
 */
#ifndef XTCP_CC_H
#define XTCP_CC_H

#include "base.h"

struct tcp_conn;

#define CC_PRIV_SIZE 96    /* bytes in the connection: CUBIC's; whose state is larger has it allocated */
#define CC_NAME_MAX 16

enum cc_event {
	CC_EV_TX_START,    /* first segment after an idle time */
	CC_EV_CWND_RESTART,
	CC_EV_COMPLETE_CWR,
	CC_EV_LOSS,
	CC_EV_ECN_IS_CE,   /* data came with CE, or */
	CC_EV_ECN_NO_CE,   /* with ECT alone; both for those that need ECN */
};

enum ca_state { CA_OPEN, CA_DISORDER, CA_CWR, CA_RECOVERY, CA_LOSS };

/* What one ACK tells of the delivery rate (Linux's struct rate_sample). */
struct rate_sample {
	xtime prior_time;          /* when what follows was true, 0: nothing is known */
	uint32_t prior_delivered;  /* segments delivered when the segment left that tells */
	int32_t delivered;         /* segments since then, -1: no sample */
	int64_t interval_us;       /* the longer of the two below, -1: no sample */
	int64_t snd_interval_us, rcv_interval_us;
	int64_t rtt_us;            /* -1: none */
	uint32_t losses;           /* segments marked lost by this ACK */
	uint32_t acked_sacked;     /* segments delivered by it */
	uint32_t prior_in_flight;  /* before it */
	uint32_t last_end_seq;
	bool is_app_limited, is_retrans;
	bool is_ack_delayed;       /* a lone small segment: the peer may have sat on its ACK */
};

struct cc_ops {
	const char *name;
	void (*init)(struct tcp_conn *c, xtime now);                 /* may be NULL */
	uint32_t (*ssthresh)(struct tcp_conn *c, xtime now);         /* after a loss, segments */
	/* New data was acknowledged: acked segments, in CA_OPEN or CA_DISORDER. */
	void (*cong_avoid)(struct tcp_conn *c, uint32_t ack, uint32_t acked, xtime now);
	void (*set_state)(struct tcp_conn *c, enum ca_state next, xtime now);   /* may be NULL */
	void (*event)(struct tcp_conn *c, enum cc_event ev, xtime now);         /* may be NULL */
	/* acked segments with an RTT sample in us (-1: none); may be NULL. */
	void (*pkts_acked)(struct tcp_conn *c, uint32_t acked, int64_t rtt_us, xtime now);
	/* Every ACK that is acceptable, what it delivered being counted; may be NULL. */
	void (*in_ack)(struct tcp_conn *c);
	uint32_t (*undo_cwnd)(struct tcp_conn *c);                   /* cwnd when a loss was spurious */
	/* Instead of cong_avoid and of the window's reduction in recovery: after every ACK the
	 * algorithm sets cwnd, and cc.pacing_rate, from a sample.  May be NULL. */
	void (*cong_control)(struct tcp_conn *c, const struct rate_sample *rs, xtime now);
	uint32_t (*min_tso_segs)(const struct tcp_conn *c);          /* least burst; may be NULL */
	bool needs_pacing;                                           /* data leaves at cc.pacing_rate */
	bool needs_ecn;                                              /* every packet is ECN-capable */
	uint8_t own_size;                                            /* bytes at cc.own, 0: its state is in cc.priv */
	uint8_t sndbuf_windows;                                      /* the send buffer's, 0: two */
	/* TCP_CC_INFO: at most 20 bytes, how many; may be NULL. */
	size_t (*get_info)(const struct tcp_conn *c, void *buf);
};

extern const struct cc_ops cc_reno, cc_cubic, cc_bbr, cc_dctcp;

/* By name, NULL when there is none. */
const struct cc_ops *cc_find(const char *name);
/* Names, separated by spaces, into buf as snprintf() does. */
size_t cc_names(char *buf, size_t len);
/* A connection gets its algorithm; it starts when the connection is established.  0, or -ENOMEM: it keeps the one it had. */
int cc_assign(struct tcp_conn *c, const struct cc_ops *ops);
/* Nothing is known yet. */
void cc_reset(struct tcp_conn *c);
/* The connection ends. */
void cc_drop(struct tcp_conn *c);
void cc_start(struct tcp_conn *c, xtime now);

/* Shared by the algorithms (tcp_slow_start, tcp_cong_avoid_ai, tcp_is_cwnd_limited). */
/* Slow start while cwnd is below ssthresh, nothing where the window isn't used: what of `acked`
 * is left for congestion avoidance. */
uint32_t cc_after_slow_start(struct tcp_conn *c, uint32_t acked);
void cc_avoid_ai(struct tcp_conn *c, uint32_t w, uint32_t acked);
bool cc_is_cwnd_limited(const struct tcp_conn *c);
uint32_t cc_reno_ssthresh(struct tcp_conn *c, xtime now);
void cc_reno_cong_avoid(struct tcp_conn *c, uint32_t ack, uint32_t acked, xtime now);
uint32_t cc_reno_undo(struct tcp_conn *c);

#endif
