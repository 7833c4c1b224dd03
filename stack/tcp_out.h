/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_out.h - what the files of the output side share: tcp_out.c (which segment is
 * next), tcp_syn.c, tcp_send.c (new data), tcp_retrans.c, and tcp_segment.c, which
 * builds what they decide on.
 *
 * The tcp_output_*() give the next frame of their kind in f, true, or say that none
 * may leave now, false.
 */
#ifndef XTCP_TCP_OUT_H
#define XTCP_TCP_OUT_H

#include "tcp_impl.h"

/* ---- tcp_segment.c ---- */
/* One segment of an open connection: header, [seq, end) and its bookkeeping. */
int tcp_send_segment(struct tcp_conn *c, struct frame_out *f, seq32 seq, seq32 end, bool psh,
                     uint32_t mss, struct neigh **n, xtime now);
/* Puts th with len bytes from th->seq of the ring into f.  0, or what ip_build() said. */
int tcp_emit_segment(struct tcp_conn *c, struct frame_out *f, struct tcp_hdr *th, size_t len,
                     uint32_t mss, struct neigh **n, xtime now);
/* is_resent: nothing of it is new, so that OutSegs doesn't count it (RFC 4022). */
void tcp_count_segment(struct tcp_conn *c, size_t len, uint32_t mss, bool is_resent);
/* Where the connection waits while its next hop is unresolved, or learns that it
 * can't be reached.  False in any case: no frame. */
bool tcp_output_blocked(struct tcp_conn *c, int err, struct neigh *n, xtime now);
/* Segments that the interface takes as one frame. */
uint32_t tcp_max_segs(const struct tcp_conn *c, uint32_t mss);
/* The sequence number of a bare ACK: tcp_acceptable_seq(). */
seq32 tcp_acceptable_seq(const struct tcp_conn *c);

/* ---- tcp_syn.c, tcp_retrans.c, tcp_send.c ---- */
bool tcp_output_syn(struct tcp_conn *c, struct frame_out *f, xtime now);
bool tcp_output_forced(struct tcp_conn *c, struct frame_out *f, xtime now);
/* tcp_xmit_retransmit_queue(): the first lost segment that is not in flight again. */
bool tcp_output_lost(struct tcp_conn *c, struct frame_out *f, xtime now);
/* tcp_send_loss_probe(): the last segment again. */
bool tcp_output_tlp(struct tcp_conn *c, struct frame_out *f, xtime now);
bool tcp_output_new(struct tcp_conn *c, struct frame_out *f, xtime now);

#endif
