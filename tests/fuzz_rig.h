/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_rig.h - one stack whose peer, program and clock are a fuzz target's input.
 *
 *   us 10.0.0.1 --- peer 10.0.0.2, its MAC address is known
 *
 * The input is a little program: its steps are segments aimed at a connection with numbers
 * near the ones that it expects, ICMP about its segments, raw frames, calls of the program
 * behind it, and time that passes.
 */
#ifndef XTCP_TESTS_FUZZ_RIG_H
#define XTCP_TESTS_FUZZ_RIG_H

#include "fuzz_in.h"
#include "stack/tcp_impl.h"

#define RIG_US 0x0a000001u
#define RIG_PEER 0x0a000002u
#define RIG_NCONN 4
#define RIG_PORT 80             /* where the listener is */

extern const uint8_t rig_mac_us[6], rig_mac_peer[6];

struct fuzz_rig {
	struct stack *s;
	struct tcp_conn *c[RIG_NCONN];   /* 0: listener, others: clients or accepted */
	xtime now;
	struct fuzz_in in;
	/* The last TCP segment that left, of any connection. */
	struct tcp_hdr sent;
	unsigned nsent;
};

/* set NULL: Linux's defaults. */
void rig_init(struct fuzz_rig *z, const struct settings *set, bool can_offload);
void rig_fini(struct fuzz_rig *z);

/* All frames out (forgotten but for the last segment), all events taken, all checks made. */
void rig_settle(struct fuzz_rig *z);

/* Time goes on by `span`, timers fire at their times. */
void rig_advance(struct fuzz_rig *z, xtime span);

/* A frame of exactly these bytes comes in; v NULL: nothing is said about it. */
void rig_frame(struct fuzz_rig *z, const uint8_t *p, size_t len, const struct virtio_net_hdr *v);
/* Link and IP header from the peer to us for l4_len bytes: where they begin. */
size_t rig_emit_ip(uint8_t *buf, uint8_t proto, size_t l4_len);
/* A segment with a right checksum. */
void rig_segment(struct fuzz_rig *z, const struct tcp_hdr *th, const uint8_t *data, size_t n);
/* Puts a connection in place i; the one that was there is let go. */
void rig_replace(struct fuzz_rig *z, unsigned i, struct tcp_conn *c);

/* ---- steps that the input decides ---- */

/* What a peer that can read minds knows of a connection. */
struct rig_view {
	uint16_t lport, rport;           /* 0: none yet */
	seq32 rcv_nxt, snd_una, snd_nxt;
	uint32_t ts_recent, ts_now;
};

struct rig_view rig_view_conn(const struct fuzz_rig *z, const struct tcp_conn *c);
/* Any connection, children and TIME-WAIT remainders included, as the input chooses; false: none. */
bool rig_view_any(struct fuzz_rig *z, struct rig_view *w);

/* A number mostly near `base`. */
seq32 rig_near(struct fuzz_in *in, seq32 base);
/* A segment, NULL: for none. */
void rig_step_segment(struct fuzz_rig *z, const struct rig_view *w);
/* An ICMP error about a segment. */
void rig_step_icmp(struct fuzz_rig *z, const struct rig_view *w);
/* A frame of any bytes, mostly with a link header and an IP checksum that let it in. */
void rig_step_raw(struct fuzz_rig *z);
void rig_step_call(struct fuzz_rig *z);
void rig_step_option(struct fuzz_rig *z);
void rig_step_time(struct fuzz_rig *z);

#endif
