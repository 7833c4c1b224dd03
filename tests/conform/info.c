/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * info.c - what code in a script knows of the connection under test: TCP_INFO, TCP_CC_INFO and
 * SO_MEMINFO under packetdrill's names.
 */
#include "conform/run.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <string.h>

#include "tcp_info.h"

#ifndef SO_MEMINFO
#define SO_MEMINFO 55
#endif
#ifndef TCP_CC_INFO
#define TCP_CC_INFO 26
#endif

struct field {
	const char *name;
	size_t offset, size;
};

#define F(name, member) { name, offsetof(struct tcp_info_abi, member), sizeof(((struct tcp_info_abi *)0)->member) }

static const struct field info_fields[] = {
	F("tcpi_state", state), F("tcpi_ca_state", ca_state), F("tcpi_retransmits", retransmits),
	F("tcpi_probes", probes), F("tcpi_backoff", backoff), F("tcpi_options", options), F("tcpi_rto", rto_us),
	F("tcpi_ato", ato_us), F("tcpi_snd_mss", snd_mss), F("tcpi_rcv_mss", rcv_mss), F("tcpi_unacked", unacked),
	F("tcpi_sacked", sacked), F("tcpi_lost", lost), F("tcpi_retrans", retrans), F("tcpi_fackets", fackets),
	F("tcpi_last_data_sent", last_data_sent_ms), F("tcpi_last_ack_sent", last_ack_sent_ms),
	F("tcpi_last_data_recv", last_data_recv_ms), F("tcpi_last_ack_recv", last_ack_recv_ms),
	F("tcpi_pmtu", pmtu), F("tcpi_rcv_ssthresh", rcv_ssthresh), F("tcpi_rtt", rtt_us),
	F("tcpi_rttvar", rttvar_us), F("tcpi_snd_ssthresh", snd_ssthresh), F("tcpi_snd_cwnd", snd_cwnd),
	F("tcpi_advmss", advmss), F("tcpi_reordering", reordering), F("tcpi_rcv_rtt", rcv_rtt_us),
	F("tcpi_rcv_space", rcv_space), F("tcpi_total_retrans", total_retrans),
	F("tcpi_pacing_rate", pacing_rate), F("tcpi_max_pacing_rate", max_pacing_rate),
	F("tcpi_bytes_acked", bytes_acked), F("tcpi_bytes_received", bytes_received),
	F("tcpi_segs_out", segs_out), F("tcpi_segs_in", segs_in), F("tcpi_notsent_bytes", notsent_bytes),
	F("tcpi_min_rtt", min_rtt_us), F("tcpi_data_segs_in", data_segs_in),
	F("tcpi_data_segs_out", data_segs_out), F("tcpi_delivery_rate", delivery_rate),
	F("tcpi_busy_time", busy_time_us), F("tcpi_rwnd_limited", rwnd_limited_us),
	F("tcpi_sndbuf_limited", sndbuf_limited_us), F("tcpi_delivered", delivered),
	F("tcpi_delivered_ce", delivered_ce), F("tcpi_bytes_sent", bytes_sent),
	F("tcpi_bytes_retrans", bytes_retrans), F("tcpi_dsack_dups", dsack_dups),
	F("tcpi_reord_seen", reord_seen), F("tcpi_rcv_ooopack", rcv_ooopack), F("tcpi_snd_wnd", snd_wnd),
	F("tcpi_rcv_wnd", rcv_wnd), F("tcpi_rehash", rehash), F("tcpi_total_rto", total_rto),
	F("tcpi_total_rto_recoveries", total_rto_recoveries), F("tcpi_total_rto_time", total_rto_time_ms),
	F("tcpi_received_ce", received_ce),
};

static const struct { const char *name; unsigned index; } mem_fields[] = {
	{ "SK_MEMINFO_RMEM_ALLOC", 0 }, { "SK_MEMINFO_RCVBUF", 1 },    { "SK_MEMINFO_WMEM_ALLOC", 2 },
	{ "SK_MEMINFO_SNDBUF", 3 },     { "SK_MEMINFO_FWD_ALLOC", 4 }, { "SK_MEMINFO_WMEM_QUEUED", 5 },
	{ "SK_MEMINFO_OPTMEM", 6 },     { "SK_MEMINFO_BACKLOG", 7 },   { "SK_MEMINFO_DROPS", 8 },
};

/* What TCP_CC_INFO holds depends on the algorithm; union tcp_cc_info. */
static const struct field cc_fields[] = {
	{ "bbr_bw_lo", 0, 4 },      { "bbr_bw_hi", 4, 4 },      { "bbr_bw", 0, 8 },
	{ "bbr_min_rtt", 8, 4 },    { "bbr_pacing_gain", 12, 4 }, { "bbr_cwnd_gain", 16, 4 },
	{ "dctcp_enabled", 0, 2 },  { "dctcp_ce_state", 2, 2 }, { "dctcp_alpha", 4, 4 },
	{ "dctcp_ab_ecn", 8, 4 },   { "dctcp_ab_tot", 12, 4 },
};

static long double read_field(const uint8_t *p, const struct field *f)
{
	uint64_t v = 0;

	memcpy(&v, p + f->offset, f->size);
	return (long double)v;
}

/* The process's fd of the connection under test; -1: it has none. */
static int fd_of(struct run *r)
{
	const struct peer *p = r->under_test;

	return p && p->fd >= 0 && p->fd < RUN_FDS ? r->fds[p->fd] : -1;
}

static bool ask(struct run *r, int level, int name, void *buf, socklen_t len)
{
	memset(buf, 0, len);
	return getsockopt(fd_of(r), level, name, buf, &len) == 0;
}

static bool from_table(struct run *r, const char *name, int opt, const struct field *f, size_t n, long double *v)
{
	uint8_t buf[512];
	size_t i;

	for (i = 0; i < n && strcmp(f[i].name, name); i++)
		;
	if (i == n)
		return false;
	if (!ask(r, IPPROTO_TCP, opt, buf, opt == TCP_INFO ? (socklen_t)sizeof(struct tcp_info_abi) : 32))
		run_fail(r, "the connection under test has no fd to ask for %s", name);
	*v = read_field(buf, &f[i]);
	return true;
}

static bool info_special(struct run *r, const char *name, long double *v)
{
	struct tcp_info_abi info;
	bool is_snd = !strcmp(name, "tcpi_snd_wscale"), is_rcv = !strcmp(name, "tcpi_rcv_wscale");

	if (!is_snd && !is_rcv && strcmp(name, "tcpi_delivery_rate_app_limited"))
		return false;
	if (!ask(r, IPPROTO_TCP, TCP_INFO, &info, sizeof(info)))
		run_fail(r, "the connection under test has no fd to ask for %s", name);
	*v = is_snd ? info.wscales & 15 : is_rcv ? info.wscales >> 4 : info.rate_flags & 1;
	return true;
}

bool info_value(struct run *r, const char *name, long double *v)
{
	uint32_t mem[9];
	size_t i;

	if (!strncmp(name, "tcpi_", 5))
		return info_special(r, name, v) ||
		       from_table(r, name, TCP_INFO, info_fields, ARRAY_LEN(info_fields), v);
	for (i = 0; i < ARRAY_LEN(mem_fields); i++) {
		if (strcmp(mem_fields[i].name, name))
			continue;
		if (!ask(r, SOL_SOCKET, SO_MEMINFO, mem, sizeof(mem)))
			run_fail(r, "the connection under test has no fd to ask for %s", name);
		*v = (long double)mem[mem_fields[i].index];
		return true;
	}
	return from_table(r, name, TCP_CC_INFO, cc_fields, ARRAY_LEN(cc_fields), v);
}
