/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_loss.c - loss recovery: what state the connection is in (open, disorder, CWR,
 * recovery, loss), when it enters and leaves it, when that was a mistake, and how
 * cwnd moves meanwhile.  Linux's tcp_fastretrans_alert() and what it calls:
 * RFC 5681, RFC 6582 (NewReno, peers without SACK), RFC 6675 by way of RACK
 * (tcp_rack.c), RFC 6937 (PRR), RFC 5682 (F-RTO), RFC 4015 and RFC 3708 (undo).
 */
#include "tcp_impl.h"

#include <errno.h>

void tcp_set_ca_state(struct tcp_conn *c, enum ca_state st, xtime now)
{
	if (c->cc.ops->set_state)
		c->cc.ops->set_state(c, st, now);
	c->loss.ca_state = st;
}

static bool in_cwnd_reduction(const struct tcp_conn *c)
{
	return c->loss.ca_state == CA_CWR || c->loss.ca_state == CA_RECOVERY;
}

/* tcp_current_ssthresh(). */
uint32_t tcp_current_ssthresh(const struct tcp_conn *c)
{
	if (in_cwnd_reduction(c))
		return c->cc.ssthresh;
	return MAX(c->cc.ssthresh, (c->cc.cwnd >> 1) + (c->cc.cwnd >> 2));
}

/* tcp_any_retrans_done(). */
static bool any_retrans_done(struct tcp_conn *c)
{
	if (c->loss.retrans_out)
		return true;
	return c->snd.txq.n && txq_at(&c->snd.txq, 0)->flags & SEG_EVER_RETRANS;
}

/* tcp_check_sack_reordering(): how far did delivery overtake `low`? */
void tcp_check_reordering(struct tcp_conn *c, seq32 low, bool is_by_ts)
{
	uint32_t mss = MAX(c->snd.mss_cache, 1u), metric;

	if (!seq_lt(low, c->loss.high_sacked))
		return;
	metric = c->loss.high_sacked - low;
	if (metric > c->loss.reordering * mss)
		c->loss.reordering = MIN((metric + mss - 1) / mss, (uint32_t)c->s->set.tcp_max_reordering);
	c->loss.reord_seen++;
	count(c->s, is_by_ts ? CTR_TcpExtTCPTSReorder : CTR_TcpExtTCPSACKReorder);
}

/* ---- a peer without SACK: duplicate ACKs stand for SACKed segments ---- */

void tcp_reset_reno_sack(struct tcp_conn *c)
{
	c->loss.sacked_out = 0;
}

/* tcp_limit_reno_sacked(): more than what is in flight can't have arrived. */
static bool limit_reno_sacked(struct tcp_conn *c)
{
	uint32_t holes = MIN(MAX(c->loss.lost_out, 1u), c->loss.packets_out);

	if (c->loss.sacked_out + holes <= c->loss.packets_out)
		return false;
	c->loss.sacked_out = c->loss.packets_out - holes;
	return true;
}

/* tcp_check_reno_reordering(): more duplicate ACKs than segments that can have caused them. */
static void check_reno_reordering(struct tcp_conn *c, uint32_t addend)
{
	if (!limit_reno_sacked(c))
		return;
	c->loss.reordering = MIN(c->loss.packets_out + addend, (uint32_t)c->s->set.tcp_max_reordering);
	c->loss.reord_seen++;
	count(c->s, CTR_TcpExtTCPRenoReorder);
}

void tcp_add_reno_sack(struct tcp_conn *c, uint32_t n)
{
	uint32_t prior = c->loss.sacked_out;

	if (!n)
		return;
	c->loss.sacked_out += n;
	check_reno_reordering(c, 0);
	if (c->loss.sacked_out > prior)
		c->loss.delivered += c->loss.sacked_out - prior;
}

void tcp_remove_reno_sacks(struct tcp_conn *c, uint32_t acked)
{
	if (acked > 0) {
		/* One fills the hole, the others eat duplicate ACKs. */
		c->loss.delivered += acked > c->loss.sacked_out ? acked - c->loss.sacked_out : 1;
		if (acked - 1 >= c->loss.sacked_out)
			c->loss.sacked_out = 0;
		else
			c->loss.sacked_out -= acked - 1;
	}
	check_reno_reordering(c, acked);
}

/* tcp_newreno_mark_lost(): the first segment, once a round (RFC 6582 3.2). */
static void newreno_mark_lost(struct tcp_conn *c, bool is_advanced)
{
	struct tx_seg *head = txq_at(&c->snd.txq, 0);

	if (!((c->loss.ca_state < CA_RECOVERY && c->loss.sacked_out >= c->loss.reordering) ||
	      (c->loss.ca_state == CA_RECOVERY && is_advanced)))
		return;
	if (head->flags & SEG_LOST)
		return;
	if (head->end - head->seq > head->mss && txq_split(c, 0, head->seq + head->mss) < 0)
		return;
	tcp_mark_lost(c, txq_at(&c->snd.txq, 0));
}

/* ---- undo ---- */

static void init_undo(struct tcp_conn *c)
{
	c->loss.undo_on = true;
	c->loss.undo_marker = c->snd.una;
	c->loss.undo_retrans = (int32_t)c->loss.retrans_out;
	if (c->loss.tlp_out && c->loss.tlp_retrans)
		c->loss.undo_retrans++;
	if (!c->loss.undo_retrans)
		c->loss.undo_retrans = -1;
}

/* tcp_packet_delayed(): the echo is older than our first retransmission (Eifel). */
static bool packet_delayed(const struct tcp_conn *c)
{
	uint32_t stamp;

	if (!c->snd.retrans_stamp || !c->saw_ts || !c->rcv_tsecr)
		return false;
	stamp = xtime_ms(c->snd.retrans_stamp) + c->ts_offset;
	return (int32_t)(c->rcv_tsecr - stamp) < 0;
}

static bool may_undo(const struct tcp_conn *c)
{
	return c->loss.undo_on && (!c->loss.undo_retrans || packet_delayed(c));
}

/* tcp_undo_cwnd_reduction(). */
static void undo_reduction(struct tcp_conn *c, bool unmark_loss, xtime now)
{
	if (unmark_loss)
		for (uint32_t i = 0; i < c->snd.txq.n; i++) {
			struct tx_seg *seg = txq_at(&c->snd.txq, i);

			if (seg->flags & SEG_LOST) {
				c->loss.lost_out -= tcp_seg_count(c, seg);
				seg->flags &= (uint8_t)~SEG_LOST;
			}
		}
	if (c->loss.prior_ssthresh) {
		c->cc.cwnd = c->cc.ops->undo_cwnd(c);
		if (c->loss.prior_ssthresh > c->cc.ssthresh) {
			c->cc.ssthresh = c->loss.prior_ssthresh;
			c->ecn.has_cwr = false;   /* tcp_ecn_withdraw_cwr() */
		}
	}
	c->cc.cwnd_stamp = now;
	c->loss.undo_on = false;
	c->loss.rack_advanced = true;   /* look at the send times again */
}

/* tcp_is_non_sack_preventing_reopen(): RFC 6582 3.2, the careful variant. */
static bool reno_holds_state(struct tcp_conn *c)
{
	if (c->snd.una != c->loss.high_seq || c->sack_ok)
		return false;
	if (!any_retrans_done(c))
		c->snd.retrans_stamp = 0;
	return true;
}

static bool try_undo_recovery(struct tcp_conn *c, xtime now)
{
	if (may_undo(c)) {
		undo_reduction(c, false, now);
		count(c->s, c->loss.ca_state == CA_LOSS ? CTR_TcpExtTCPLossUndo : CTR_TcpExtTCPFullUndo);
	} else if (c->loss.reo_wnd_persist) {
		c->loss.reo_wnd_persist--;
	}
	if (reno_holds_state(c))
		return true;
	tcp_set_ca_state(c, CA_OPEN, now);
	c->loss.is_reneg = false;
	return false;
}

static bool try_undo_dsack(struct tcp_conn *c, xtime now)
{
	if (!c->loss.undo_on || c->loss.undo_retrans)
		return false;
	c->loss.reo_wnd_persist = (uint8_t)MIN(16, c->loss.reo_wnd_persist + 1);
	undo_reduction(c, false, now);
	count(c->s, CTR_TcpExtTCPDSACKUndo);
	return true;
}

static bool try_undo_loss(struct tcp_conn *c, bool is_frto, xtime now)
{
	if (!is_frto && !may_undo(c))
		return false;
	undo_reduction(c, true, now);
	count(c->s, CTR_TcpExtTCPLossUndo);
	if (is_frto)
		count(c->s, CTR_TcpExtTCPSpuriousRTOs);
	c->snd.retransmits = 0;
	if (reno_holds_state(c))
		return true;
	if (is_frto || c->sack_ok) {
		tcp_set_ca_state(c, CA_OPEN, now);
		c->loss.is_reneg = false;
	}
	return true;
}

/* tcp_try_undo_partial(): true when nothing more must be marked or sent again. */
static bool try_undo_partial(struct tcp_conn *c, seq32 prior_una, xtime now)
{
	if (!c->loss.undo_on || !packet_delayed(c))
		return false;
	tcp_check_reordering(c, prior_una, true);
	if (c->loss.retrans_out)
		return true;
	if (!any_retrans_done(c))
		c->snd.retrans_stamp = 0;
	undo_reduction(c, true, now);
	count(c->s, CTR_TcpExtTCPPartialUndo);
	tcp_try_keep_open(c, now);
	return false;
}

/* ---- cwnd in recovery: RFC 6937bis ---- */

void tcp_init_cwnd_reduction(struct tcp_conn *c, xtime now)
{
	c->loss.high_seq = c->snd.nxt;
	c->loss.tlp_out = false;
	c->cc.cwnd_cnt = 0;
	c->loss.prior_cwnd = c->cc.cwnd;
	c->loss.prr_delivered = 0;
	c->loss.prr_out = 0;
	c->cc.ssthresh = c->cc.ops->ssthresh(c, now);
	tcp_ecn_queue_cwr(c);
}

void tcp_cwnd_reduction(struct tcp_conn *c, uint32_t newly, uint32_t lost, unsigned flag)
{
	int64_t flight = tcp_in_flight(c);
	int64_t delta = (int64_t)c->cc.ssthresh - flight;
	int64_t send;

	if (!newly || !c->loss.prior_cwnd)
		return;
	c->loss.prr_delivered += newly;
	if (delta < 0) {
		uint64_t dividend = (uint64_t)c->cc.ssthresh * c->loss.prr_delivered + c->loss.prior_cwnd - 1;

		send = (int64_t)(dividend / c->loss.prior_cwnd) - c->loss.prr_out;
	} else {
		send = MAX((int64_t)c->loss.prr_delivered - c->loss.prr_out, (int64_t)newly);
		if (flag & FLAG_SND_UNA_ADVANCED && !lost)
			send++;
		send = MIN(delta, send);
	}
	send = MAX(send, c->loss.prr_out ? 0 : 1);   /* the fast retransmission itself */
	c->cc.cwnd = (uint32_t)(flight + send);
}

void tcp_end_cwnd_reduction(struct tcp_conn *c, xtime now)
{
	if (c->cc.ops->cong_control)
		return;
	if (c->cc.ssthresh < TCP_CWND_INFINITE && (c->loss.ca_state == CA_CWR || c->loss.undo_on)) {
		c->cc.cwnd = c->cc.ssthresh;
		c->cc.cwnd_stamp = now;
	}
	if (c->cc.ops->event)
		c->cc.ops->event(c, CC_EV_COMPLETE_CWR, now);
}

/* tcp_enter_cwr(): less, without a loss (ECN, local congestion). */
void tcp_enter_cwr(struct tcp_conn *c, xtime now)
{
	c->loss.prior_ssthresh = 0;
	if (c->loss.ca_state < CA_CWR) {
		c->loss.undo_on = false;
		tcp_init_cwnd_reduction(c, now);
		tcp_set_ca_state(c, CA_CWR, now);
	}
}

/* ---- states ---- */

void tcp_try_keep_open(struct tcp_conn *c, xtime now)
{
	enum ca_state st = CA_OPEN;

	if (c->loss.sacked_out + c->loss.lost_out || any_retrans_done(c))
		st = CA_DISORDER;
	if (c->loss.ca_state != st) {
		tcp_set_ca_state(c, st, now);
		c->loss.high_seq = c->snd.nxt;
	}
}

static void try_to_open(struct tcp_conn *c, unsigned flag, xtime now)
{
	if (!any_retrans_done(c))
		c->snd.retrans_stamp = 0;
	if (flag & FLAG_ECE)
		tcp_enter_cwr(c, now);
	if (c->loss.ca_state != CA_CWR)
		tcp_try_keep_open(c, now);
}

void tcp_enter_recovery(struct tcp_conn *c, bool has_ece, xtime now)
{
	count(c->s, c->sack_ok ? CTR_TcpExtTCPSackRecovery : CTR_TcpExtTCPRenoRecovery);
	c->loss.prior_ssthresh = 0;
	init_undo(c);
	if (!in_cwnd_reduction(c)) {
		if (!has_ece)
			c->loss.prior_ssthresh = tcp_current_ssthresh(c);
		tcp_init_cwnd_reduction(c, now);
	}
	tcp_set_ca_state(c, CA_RECOVERY, now);
}

/* tcp_timeout_mark_lost(): all but what RACK knows to be fresh. */
static void timeout_mark_lost(struct tcp_conn *c, xtime now)
{
	struct tx_queue *q = &c->snd.txq;

	c->loss.is_reneg = q->n && txq_at(q, 0)->flags & SEG_SACKED;
	if (c->loss.is_reneg)
		count(c->s, CTR_TcpExtTCPSACKReneging);
	if (!c->sack_ok)
		tcp_reset_reno_sack(c);
	for (uint32_t i = 0; i < q->n; i++) {
		struct tx_seg *seg = txq_at(q, i);

		if (c->loss.is_reneg && seg->flags & SEG_SACKED)
			tcp_mark_unsacked(c, seg);
		else if (c->sack_ok && i && tcp_rack_remaining(c, seg, 0, now) > 0)
			continue;
		tcp_mark_lost(c, seg);
	}
}

void tcp_enter_loss(struct tcp_conn *c, xtime now)
{
	bool is_new = c->loss.ca_state < CA_RECOVERY;
	uint32_t least = (uint32_t)c->s->set.tcp_reordering;

	timeout_mark_lost(c, now);
	if (c->loss.ca_state <= CA_DISORDER || !seq_gt(c->loss.high_seq, c->snd.una) ||
	    (c->loss.ca_state == CA_LOSS && !c->snd.retransmits)) {
		c->loss.prior_ssthresh = tcp_current_ssthresh(c);
		c->loss.prior_cwnd = c->cc.cwnd;
		c->cc.ssthresh = c->cc.ops->ssthresh(c, now);
		if (c->cc.ops->event)
			c->cc.ops->event(c, CC_EV_LOSS, now);
		init_undo(c);
	}
	c->cc.cwnd = tcp_in_flight(c) + 1;
	c->cc.cwnd_cnt = 0;
	c->cc.cwnd_stamp = now;
	if (c->loss.ca_state <= CA_DISORDER && c->loss.sacked_out >= least)
		c->loss.reordering = MIN(c->loss.reordering, least);
	tcp_set_ca_state(c, CA_LOSS, now);
	c->loss.high_seq = c->snd.nxt;
	c->loss.tlp_out = false;
	c->loss.frto = c->s->set.tcp_frto && (is_new || c->snd.retransmits);
	c->loss.try_new = c->loss.hold_lost = false;
	tcp_ecn_queue_cwr(c);
}

/* tcp_process_loss(): RFC 5682 3.1 and the way out. */
static void process_loss(struct tcp_conn *c, unsigned flag, uint32_t num_dupack, xtime now)
{
	bool is_recovered = seq_ge(c->snd.una, c->loss.high_seq);

	if (flag & FLAG_SND_UNA_ADVANCED && try_undo_loss(c, false, now))
		return;
	if (c->loss.frto) {
		/* Step 3.b: something that was never sent again arrived. */
		if (flag & FLAG_ORIG_SACK_ACKED && try_undo_loss(c, true, now))
			return;
		if (seq_gt(c->snd.nxt, c->loss.high_seq)) {
			if (flag & FLAG_DATA_SACKED || num_dupack)
				c->loss.frto = false;   /* step 3.a: the loss was real */
		} else if (flag & FLAG_SND_UNA_ADVANCED && !is_recovered) {
			c->loss.high_seq = c->snd.nxt;
			if (tcp_snd_end(c) != c->snd.nxt && seq_gt(tcp_wnd_end(c), c->snd.nxt)) {
				c->loss.try_new = true;   /* step 2.b */
				return;
			}
			c->loss.frto = false;
		}
	}
	if (is_recovered) {
		try_undo_recovery(c, now);
		return;
	}
	if (!c->sack_ok) {
		if (seq_gt(c->snd.nxt, c->loss.high_seq) && num_dupack)
			tcp_add_reno_sack(c, num_dupack);
		else if (flag & FLAG_SND_UNA_ADVANCED)
			tcp_reset_reno_sack(c);
	}
}

/* tcp_check_sack_reneging(): the first segment is SACKed, yet una stands before it. */
static bool check_reneging(struct tcp_conn *c, struct ack_info *a, xtime now)
{
	struct tx_queue *q = &c->snd.txq;

	if (!(a->flag & FLAG_SND_UNA_ADVANCED) || !q->n || !(txq_at(q, 0)->flags & SEG_SACKED))
		return false;
	tcp_rexmit_set(c, REXMIT_RTO, now + MAX((xtime)(c->rtt.srtt8_us >> 4) * XTIME_USEC, 10 * XTIME_MSEC));
	a->flag &= ~(unsigned)FLAG_SET_XMIT_TIMER;
	return true;
}

/* tcp_identify_packet_loss(). */
static void identify_loss(struct tcp_conn *c, struct ack_info *a, xtime now)
{
	uint32_t prior = c->loss.retrans_out;

	if (!c->snd.txq.n)
		return;
	if (!c->sack_ok) {
		newreno_mark_lost(c, a->flag & FLAG_SND_UNA_ADVANCED);
		return;
	}
	if (tcp_rack_mark_lost(c, now))
		a->flag &= ~(unsigned)FLAG_SET_XMIT_TIMER;
	if (prior > c->loss.retrans_out)
		a->flag |= FLAG_LOST_RETRANS;
}

/* Has everything that was in flight when the trouble began arrived?  True: the
 * ACK needs no further look. */
static bool leave_states(struct tcp_conn *c, xtime now)
{
	if (c->loss.ca_state == CA_OPEN) {
		c->snd.retrans_stamp = 0;
		return false;
	}
	if (seq_lt(c->snd.una, c->loss.high_seq))
		return false;
	if (c->loss.ca_state == CA_CWR && c->snd.una != c->loss.high_seq) {
		tcp_end_cwnd_reduction(c, now);
		tcp_set_ca_state(c, CA_OPEN, now);
	} else if (c->loss.ca_state == CA_RECOVERY) {
		if (!c->sack_ok)
			tcp_reset_reno_sack(c);
		if (try_undo_recovery(c, now))
			return true;
		tcp_end_cwnd_reduction(c, now);
	}
	return false;
}

/* An ACK during recovery; true: nothing more to do. */
static bool alert_in_recovery(struct tcp_conn *c, struct ack_info *a, uint32_t num_dupack, xtime now)
{
	if (!(a->flag & FLAG_SND_UNA_ADVANCED)) {
		if (!c->sack_ok)
			tcp_add_reno_sack(c, num_dupack);
	} else if (try_undo_partial(c, a->prior_una, now)) {
		return true;
	}
	if (try_undo_dsack(c, now))
		try_to_open(c, a->flag, now);
	identify_loss(c, a, now);
	if (c->loss.ca_state != CA_RECOVERY && c->loss.lost_out)
		tcp_enter_recovery(c, a->flag & FLAG_ECE, now);
	return true;
}

void tcp_fastretrans_alert(struct tcp_conn *c, struct ack_info *a, uint32_t num_dupack, xtime now)
{
	if (!c->loss.packets_out && c->loss.sacked_out)
		c->loss.sacked_out = 0;
	if (a->flag & FLAG_ECE)
		c->loss.prior_ssthresh = 0;   /* whatever the loss turns out to be, less it must be */
	if (check_reneging(c, a, now) || leave_states(c, now))
		return;
	if (c->loss.ca_state == CA_RECOVERY) {
		alert_in_recovery(c, a, num_dupack, now);
		return;
	}
	if (c->loss.ca_state == CA_LOSS) {
		process_loss(c, a->flag, num_dupack, now);
		if (c->loss.ca_state != CA_LOSS && c->snd.rto_stamp) {   /* tcp_update_rto_time() */
			c->snd.rto_time += now - c->snd.rto_stamp;
			c->snd.rto_stamp = 0;
		}
		identify_loss(c, a, now);
		if (c->loss.ca_state != CA_OPEN && !(a->flag & FLAG_LOST_RETRANS))
			return;
	}
	if (!c->sack_ok) {
		if (a->flag & FLAG_SND_UNA_ADVANCED)
			tcp_reset_reno_sack(c);
		tcp_add_reno_sack(c, num_dupack);
	}
	if (c->loss.ca_state <= CA_DISORDER)
		try_undo_dsack(c, now);
	identify_loss(c, a, now);
	if (!c->loss.lost_out) {
		try_to_open(c, a->flag, now);
		return;
	}
	if (tcp_mtup_lost(c, now))
		return;
	tcp_enter_recovery(c, a->flag & FLAG_ECE, now);
}

/* tcp_cong_control(). */
void tcp_cong_control(struct tcp_conn *c, struct ack_info *a, xtime now)
{
	unsigned raise = c->loss.reordering > (uint32_t)c->s->set.tcp_reordering ? FLAG_FORWARD_PROGRESS
	                                                                         : FLAG_DATA_ACKED;

	if (c->cc.ops->cong_control) {
		c->cc.ops->cong_control(c, &a->rs, now);
	} else if (in_cwnd_reduction(c)) {
		tcp_cwnd_reduction(c, a->acked_sacked, a->lost, a->flag);
	} else if (a->flag & raise) {
		c->cc.ops->cong_avoid(c, c->snd.una, a->acked_sacked, now);
		c->cc.cwnd_stamp = now;
	}
	tcp_update_pacing_rate(c);
}

/* ---- cwnd that is not used: RFC 2861 as Linux has it ---- */

/* tcp_cwnd_restart(). */
void tcp_cwnd_restart_check(struct tcp_conn *c, xtime now)
{
	xtime idle = now - c->snd.lsndtime;
	uint32_t restart = c->rt.initcwnd ? c->rt.initcwnd : TCP_INIT_CWND;
	uint32_t cwnd = c->cc.cwnd;

	if (!c->s->set.tcp_slow_start_after_idle || c->loss.packets_out || !c->snd.lsndtime ||
	    c->cc.ops->cong_control || idle <= c->rtt.rto_ns)
		return;
	if (c->cc.ops->event)
		c->cc.ops->event(c, CC_EV_CWND_RESTART, now);
	c->cc.ssthresh = tcp_current_ssthresh(c);
	restart = MIN(restart, cwnd);
	while ((idle -= c->rtt.rto_ns) > 0 && cwnd > restart)
		cwnd >>= 1;
	c->cc.cwnd = MAX(cwnd, restart);
	c->cc.cwnd_stamp = now;
	c->cc.cwnd_used = 0;
}

/* tcp_cwnd_application_limited(). */
static void cwnd_application_limited(struct tcp_conn *c, xtime now)
{
	if (c->loss.ca_state == CA_OPEN && !c->snd.no_space) {
		uint32_t init = c->rt.initcwnd ? c->rt.initcwnd : TCP_INIT_CWND;
		uint32_t used = MAX(c->cc.cwnd_used, init);

		if (used < c->cc.cwnd) {
			c->cc.ssthresh = tcp_current_ssthresh(c);
			c->cc.cwnd = (c->cc.cwnd + used) >> 1;
		}
		c->cc.cwnd_used = 0;
	}
	c->cc.cwnd_stamp = now;
}

void tcp_cwnd_validate(struct tcp_conn *c, bool is_limited, xtime now)
{
	if (seq_ge(c->snd.una, c->cc.max_packets_seq) || is_limited ||
	    (!c->cc.is_cwnd_limited && c->loss.packets_out > c->cc.max_packets_out)) {
		c->cc.is_cwnd_limited = is_limited;
		c->cc.max_packets_out = c->loss.packets_out;
		c->cc.max_packets_seq = c->snd.nxt;
	}
	if (cc_is_cwnd_limited(c)) {
		c->cc.cwnd_used = 0;
		c->cc.cwnd_stamp = now;
		return;
	}
	c->cc.cwnd_used = MAX(c->cc.cwnd_used, c->loss.packets_out);
	if (c->s->set.tcp_slow_start_after_idle && now - c->cc.cwnd_stamp >= c->rtt.rto_ns &&
	    !c->cc.ops->cong_control)
		cwnd_application_limited(c, now);
	/* All is sent, and the program would give more if the buffer took it. */
	if (c->snd.no_space && c->snd.nxt == tcp_snd_end(c) && conn_in(c, ST(ESTABLISHED) | ST(CLOSE_WAIT)))
		tcp_chrono_start(c, CHRONO_SNDBUF, now);
}
