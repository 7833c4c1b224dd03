/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_mtup.c - path MTU discovery by probing (RFC 4821) as Linux has it: tcp_mtu_probing 0 is
 * never, 1 once a black hole is suspected, 2 always.
 *
 * What is known to pass is search_low, what may pass search_high, both of whole packets; the
 * MSS follows search_low.  Now and then one segment of a size between them is sent in the
 * place of two.  When it is acknowledged search_low is raised to it, when it alone
 * is lost search_high is lowered, without a reduction of cwnd.
 */
#include "tcp_out.h"

#include <stdlib.h>

/* tcp_mtup_init(): at the start of a connection and again when the peer's MSS is known. */
void tcp_mtup_init(struct tcp_conn *c, xtime now)
{
	/* Without memory the MTU is what ICMP tells. */
	if (!c->mtup && c->s->set.tcp_mtu_probing)
		c->mtup = calloc(1, sizeof(*c->mtup));
	if (!c->mtup)
		return;
	c->mtup->is_on = c->s->set.tcp_mtu_probing > 1;
	c->mtup->search_high = c->peer_mss + IP_LEN_MIN + TCP_LEN_MIN;
	c->mtup->search_low = tcp_mss_to_mtu(c, (uint32_t)c->s->set.tcp_base_mss);
	c->mtup->probe_size = 0;
	c->mtup->since = now;
}

/* tcp_mtu_check_reprobe(): after tcp_probe_interval a larger MTU may have come to pass. */
static void check_reprobe(struct tcp_conn *c, uint32_t mss, xtime now)
{
	if (now - c->mtup->since < c->s->set.tcp_probe_interval * XTIME_SEC)
		return;
	c->mtup->probe_size = 0;
	c->mtup->search_high = c->peer_mss + IP_LEN_MIN + TCP_LEN_MIN;
	c->mtup->search_low = tcp_mss_to_mtu(c, mss);
	c->mtup->since = now;
}

int tcp_mtup_next(struct tcp_conn *c, uint32_t mss, xtime now)
{
	uint32_t flight = tcp_in_flight(c), size, needed;

	if (!c->mtup || !c->mtup->is_on || c->mtup->probe_size || c->mtup->is_checked || c->loss.ca_state != CA_OPEN ||
	    c->cc.cwnd < 11 || tcp_ofo(c)->nsacks || c->rcv.has_dsack)
		return -1;
	c->mtup->is_checked = true;
	size = tcp_mtu_to_mss(c, (c->mtup->search_high + c->mtup->search_low) >> 1);
	needed = size + (c->loss.reordering + 1) * c->snd.mss_cache;
	if (size > tcp_mtu_to_mss(c, c->mtup->search_high) ||
	    (int32_t)(c->mtup->search_high - c->mtup->search_low) < c->s->set.tcp_probe_threshold) {
		check_reprobe(c, mss, now);
		return -1;
	}
	/* Signed: after the FIN snd_nxt is beyond the queue. */
	if ((int32_t)(c->snd.q_seq + c->snd.q.len - c->snd.nxt) < (int32_t)needed || c->snd.wnd < needed)
		return -1;
	if (seq_gt(c->snd.nxt + needed, tcp_wnd_end(c)))
		return 0;
	if (flight + 2 > c->cc.cwnd)
		return flight ? 0 : -1;
	return (int)size;
}

void tcp_mtup_sent(struct tcp_conn *c, seq32 seq, seq32 end)
{
	c->cc.cwnd--;   /* one segment in the place of two */
	c->mtup->probe_size = tcp_mss_to_mtu(c, end - seq);
	c->mtup->seq_start = seq;
	c->mtup->seq_end = end;
}

/* tcp_mtup_probe_success(). */
static void success(struct tcp_conn *c, xtime now)
{
	uint64_t bytes = (uint64_t)c->cc.cwnd * tcp_mss_to_mtu(c, c->snd.mss_cache);

	count(c->s, CTR_TcpExtTCPMTUPSuccess);
	c->loss.prior_ssthresh = tcp_current_ssthresh(c);
	c->cc.cwnd = (uint32_t)MAX(bytes / c->mtup->probe_size, 1u);
	c->cc.cwnd_cnt = 0;
	c->cc.cwnd_stamp = now;
	c->cc.ssthresh = tcp_current_ssthresh(c);
	c->mtup->search_low = c->mtup->probe_size;
	c->mtup->probe_size = 0;
	tcp_sync_mss(c, c->pmtu);
}

void tcp_mtup_acked(struct tcp_conn *c, xtime now)
{
	if (c->mtup && c->mtup->probe_size && seq_le(c->mtup->seq_end, c->snd.una))
		success(c, now);
}

void tcp_mtup_forget(struct tcp_conn *c)
{
	if (c->mtup)
		c->mtup->probe_size = 0;
}

bool tcp_mtup_lost(struct tcp_conn *c, xtime now)
{
	if (!c->mtup || c->loss.ca_state >= CA_CWR || !c->mtup->probe_size || c->snd.una != c->mtup->seq_start)
		return false;
	count(c->s, CTR_TcpExtTCPMTUPFail);
	c->mtup->search_high = c->mtup->probe_size - 1;
	c->mtup->probe_size = 0;
	c->cc.cwnd++;
	tcp_simple_retransmit(c, now);
	return true;
}

/* tcp_mtu_probing(): time-outs without end may mean that large packets vanish. */
void tcp_mtup_black_hole(struct tcp_conn *c, xtime now)
{
	const struct settings *set = &c->s->set;
	uint32_t mss;

	if (!set->tcp_mtu_probing)
		return;
	if (!c->mtup) {   /* the setting was 0 when it began */
		tcp_mtup_init(c, now);
		if (!c->mtup)
			return;
		c->mtup->is_on = false;
	}
	if (!c->mtup->is_on) {
		c->mtup->is_on = true;
		c->mtup->since = now;
	} else {
		mss = tcp_mtu_to_mss(c, c->mtup->search_low) >> 1;
		mss = MIN((uint32_t)set->tcp_base_mss, mss);
		mss = MAX(mss, (uint32_t)set->tcp_mtu_probe_floor);
		mss = MAX(mss, (uint32_t)set->tcp_min_snd_mss);
		c->mtup->search_low = tcp_mss_to_mtu(c, mss);
	}
	tcp_sync_mss(c, c->pmtu);
}

/* What was too large was not lost to congestion: it is sent again, cwnd stays. */
void tcp_simple_retransmit(struct tcp_conn *c, xtime now)
{
	uint32_t mss = tcp_current_mss(c, now);

	for (uint32_t i = 0; i < c->snd.txq.n; i++) {
		struct tx_seg *seg = txq_at(&c->snd.txq, i);

		if (MIN(seg->end - seg->seq, (uint32_t)seg->mss) > mss)
			tcp_mark_lost(c, seg);
	}
	if (c->loss.lost_out && c->loss.ca_state != CA_LOSS) {
		c->loss.high_seq = c->snd.nxt;
		c->cc.ssthresh = tcp_current_ssthresh(c);
		c->loss.prior_ssthresh = 0;
		c->loss.undo_on = false;
		tcp_set_ca_state(c, CA_LOSS, now);
	}
	c->loss.hold_lost = false;
	tcp_want_output(c);
}
