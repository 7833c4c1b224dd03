/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_info.h - struct tcp_info as Linux 6.18 has it: 280 bytes.
 *
 * It is the kernel's interface to programs, and the headers of a build machine may be
 * older than the programs that run, so it is written down here.
 */
#ifndef XTCP_TCP_INFO_H
#define XTCP_TCP_INFO_H

#include "base.h"

struct tcp_conn;

struct tcp_info_abi {
	uint8_t state, ca_state, retransmits, probes, backoff, options;
	uint8_t wscales;             /* send side in the low half, receive side in the high one */
	uint8_t rate_flags;          /* bit 0: delivery rate is limited by the application; 1 and 2: why Fast Open failed */
	uint32_t rto_us, ato_us, snd_mss, rcv_mss;
	uint32_t unacked, sacked, lost, retrans, fackets;   /* segments */
	uint32_t last_data_sent_ms, last_ack_sent_ms, last_data_recv_ms, last_ack_recv_ms;
	uint32_t pmtu, rcv_ssthresh, rtt_us, rttvar_us, snd_ssthresh, snd_cwnd, advmss, reordering;
	uint32_t rcv_rtt_us, rcv_space;
	uint32_t total_retrans;
	uint64_t pacing_rate, max_pacing_rate;              /* bytes/s, ~0: none */
	uint64_t bytes_acked, bytes_received;
	uint32_t segs_out, segs_in, notsent_bytes, min_rtt_us, data_segs_in, data_segs_out;
	uint64_t delivery_rate;                             /* bytes/s */
	uint64_t busy_time_us, rwnd_limited_us, sndbuf_limited_us;
	uint32_t delivered, delivered_ce;
	uint64_t bytes_sent, bytes_retrans;
	uint32_t dsack_dups, reord_seen, rcv_ooopack, snd_wnd, rcv_wnd, rehash;
	uint16_t total_rto, total_rto_recoveries;
	uint32_t total_rto_time_ms;
	uint32_t received_ce, delivered_e1_bytes, delivered_e0_bytes, delivered_ce_bytes;
	uint32_t received_e1_bytes, received_e0_bytes, received_ce_bytes;
	uint16_t accecn_fail_mode, accecn_opt_seen;
};
_Static_assert(sizeof(struct tcp_info_abi) == 280, "the size of Linux 6.18");

/* tcp_get_info(); fields of what this stack doesn't count are 0. */
void tcp_get_info(const struct tcp_conn *c, struct tcp_info_abi *i, xtime now);

#endif
