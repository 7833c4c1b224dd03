/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_info.c - TCP_INFO: each field means what it means in Linux's tcp_get_info().
 *
 * Not counted here, and 0: received duplicates, and what the options of Accurate ECN alone tell.
 */
#include "tcp_info.h"

#include <string.h>

#include "tcp_impl.h"

#ifndef TCPI_OPT_TFO_CHILD
#define TCPI_OPT_TFO_CHILD 128
#endif
#ifndef TCPI_OPT_SYN_DATA
#define TCPI_OPT_SYN_DATA 32
#endif

static uint32_t ms_since(xtime then, xtime now)
{
	return (uint32_t)((now - then) / XTIME_MSEC);
}

static void info_flight(const struct tcp_conn *c, struct tcp_info_abi *i, xtime now)
{
	i->ca_state = c->loss.ca_state;
	i->retransmits = c->snd.retransmits;
	i->probes = (uint8_t)(c->snd.probes_out + c->keep_probes);   /* one number in Linux */
	i->backoff = c->snd.backoff;
	i->unacked = c->loss.packets_out;
	i->sacked = c->loss.sacked_out;
	i->lost = c->loss.lost_out;
	i->retrans = c->loss.retrans_out;
	i->delivered = c->loss.delivered;
	i->delivered_ce = c->ecn.delivered_ce;
	i->received_ce = c->ecn.received_ce;
	i->received_e1_bytes = c->ecn.received_bytes[0];
	i->received_e0_bytes = c->ecn.received_bytes[1];
	i->received_ce_bytes = c->ecn.received_bytes[2];
	i->reord_seen = c->loss.reord_seen;
	i->snd_ssthresh = c->cc.ssthresh;
	i->total_retrans = c->snd.total_retrans;
	i->total_rto = (uint16_t)MIN(c->snd.total_rto, (uint32_t)UINT16_MAX);
	i->total_rto_recoveries = (uint16_t)MIN(c->snd.rto_recoveries, (uint32_t)UINT16_MAX);
	i->total_rto_time_ms = (uint32_t)((c->snd.rto_time + (c->snd.rto_stamp ? now - c->snd.rto_stamp : 0)) / XTIME_MSEC);
}

static void info_options(const struct tcp_conn *c, struct tcp_info_abi *i)
{
	if (c->ts_ok)
		i->options |= TCPI_OPT_TIMESTAMPS;
	if (c->sack_ok)
		i->options |= TCPI_OPT_SACK;
	if (c->ecn.is_ok)
		i->options |= TCPI_OPT_ECN;
	if (c->ecn.is_seen)
		i->options |= TCPI_OPT_ECN_SEEN;
	if (c->wscale_ok) {
		i->options |= TCPI_OPT_WSCALE;
		i->wscales = (uint8_t)(c->snd_wscale | c->rcv_wscale << 4);
	}
}

static void info_fastopen(const struct tcp_conn *c, struct tcp_info_abi *i)
{
	if (tcp_fo(c)->syn_data_acked)
		i->options |= TCPI_OPT_SYN_DATA;
	if (tcp_fo(c)->is_child)
		i->options |= TCPI_OPT_TFO_CHILD;
}

static void info_times(const struct tcp_conn *c, struct tcp_info_abi *i, xtime now)
{
	i->rto_us = (uint32_t)(c->rtt.rto_ns / XTIME_USEC);
	i->ato_us = (uint32_t)(MIN(c->rcv.ato, tcp_delack_max(c)) / XTIME_USEC);
	i->last_data_sent_ms = ms_since(c->snd.lsndtime, now);
	i->last_data_recv_ms = ms_since(c->rcv.lrcvtime, now);
	i->last_ack_recv_ms = ms_since(c->snd.last_ack, now);
	i->rtt_us = c->rtt.srtt8_us >> 3;
	i->rttvar_us = c->rtt.mdev4_us >> 2;
	i->min_rtt_us = c->rtt.min_us;
	i->rcv_rtt_us = (uint32_t)(c->rcv.rtt_ns / XTIME_USEC);
}

static uint64_t chrono_us(const struct tcp_conn *c, enum chrono kind, xtime now)
{
	return (uint64_t)(tcp_chrono_time(c, kind, now) / XTIME_USEC);
}

static void info_sizes(const struct tcp_conn *c, struct tcp_info_abi *i)
{
	i->snd_mss = c->snd.mss_cache;
	i->rcv_mss = c->rcv.rcv_mss;
	i->advmss = c->advmss;
	i->pmtu = c->pmtu;
	i->rcv_ssthresh = c->rcv.ssthresh;
	i->rcv_space = c->rcv.space;
	i->snd_wnd = c->snd.wnd;
	i->rcv_wnd = c->rcv.wnd;
	i->notsent_bytes = conn_in(c, ST(CLOSE) | ST(SYN_SENT)) ? 0 : tcp_snd_end(c) - c->snd.nxt;
}

static void info_counts(const struct tcp_conn *c, struct tcp_info_abi *i)
{
	i->bytes_acked = c->snd.bytes_acked;
	i->bytes_received = c->rcv.bytes_received;
	i->bytes_sent = c->snd.bytes_sent;
	i->bytes_retrans = c->snd.bytes_retrans;
	i->segs_out = c->snd.segs_out;
	i->segs_in = c->rcv.segs_in;
	i->data_segs_out = c->snd.data_segs_out;
	i->data_segs_in = c->rcv.data_segs_in;
	i->rcv_ooopack = c->rcv.ooopack;
	i->dsack_dups = c->loss.dsack_dups;
}

void tcp_get_info(const struct tcp_conn *c, struct tcp_info_abi *i, xtime now)
{
	memset(i, 0, sizeof(*i));
	i->state = c->state;
	i->pacing_rate = tcp_pacing_rate(c);
	i->max_pacing_rate = c->opt.rare->max_pacing_rate;
	i->reordering = c->loss.reordering;
	i->snd_cwnd = c->cc.cwnd;
	if (c->state == TCP_LISTEN) {
		tcp_listen_counts(c, &i->unacked, &i->sacked);
		return;
	}
	info_flight(c, i, now);
	info_options(c, i);
	info_fastopen(c, i);
	info_times(c, i, now);
	info_sizes(c, i);
	info_counts(c, i);
	i->busy_time_us = chrono_us(c, CHRONO_BUSY, now);
	i->rwnd_limited_us = chrono_us(c, CHRONO_RWND, now);
	i->sndbuf_limited_us = chrono_us(c, CHRONO_SNDBUF, now);
	i->delivery_rate = tcp_delivery_rate(c);
	i->rate_flags = (uint8_t)(c->rate.is_app_limited | tcp_fo(c)->client_fail << 1);
}
