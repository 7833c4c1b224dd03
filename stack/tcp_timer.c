/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_timer.c - events in, deadlines out.
 *
 * A connection has four deadlines: retransmission (which stands for one of RTO,
 * tail loss probe, reordering or window probe, as Linux's icsk_pending),
 * delayed ACK, keepalive (also the end of an orphan's FIN-WAIT-2) and pacing;
 * conn.timer is the earliest.  Other files report events; which timer that means
 * is decided here.
 */
#include "tcp_impl.h"

#include <errno.h>

#define THIN_LINEAR_RETRIES 6

static uint32_t ilog2_u32(uint32_t v)
{
	uint32_t n = 0;

	while (v >>= 1)
		n++;
	return n;
}

void tcp_timer_update(struct tcp_conn *c)
{
	xtime at = XTIME_NEVER;

	if (c->state != TCP_CLOSE) {
		at = xtime_min(c->snd.rexmit_at, c->rcv.delack_at);
		at = xtime_min(at, xtime_min(c->keep_at, c->trim_at));
		at = xtime_min(at, c->rcv.comp_at);
		if (c->snd.is_pace_held)
			at = xtime_min(at, c->snd.pace_at);
	}
	timer_set(&c->s->timers, &c->timer, at);
}

void tcp_rexmit_set(struct tcp_conn *c, enum rexmit_kind kind, xtime at)
{
	c->snd.rexmit_kind = kind;
	c->snd.rexmit_at = at;
	tcp_timer_update(c);
}

void tcp_rexmit_clear(struct tcp_conn *c)
{
	tcp_rexmit_set(c, REXMIT_NONE, XTIME_NEVER);
}

void tcp_delack_set(struct tcp_conn *c, xtime at)
{
	c->rcv.delack_at = at;
	tcp_timer_update(c);
}

void tcp_delack_clear(struct tcp_conn *c)
{
	c->rcv.delack_at = XTIME_NEVER;
}

void tcp_keep_set(struct tcp_conn *c, xtime at)
{
	c->keep_at = at;
	tcp_timer_update(c);
}

/* tcp_rearm_rto(): runs while something is in flight, from the oldest transmission. */
void tcp_rearm_rto(struct tcp_conn *c, xtime now)
{
	xtime at = now + c->rtt.rto_ns;

	if (!c->loss.packets_out) {
		tcp_rexmit_clear(c);
		return;
	}
	if (c->snd.rexmit_kind == REXMIT_REORDER || c->snd.rexmit_kind == REXMIT_TLP) {
		struct tx_seg *head = txq_at(&c->snd.txq, 0);

		at = MAX(head->sent + c->rtt.rto_ns, now + XTIME_USEC);
	}
	tcp_rexmit_set(c, REXMIT_RTO, at);
}

/* tcp_probe0_when(). */
static xtime probe0_base(const struct tcp_conn *c)
{
	return MAX(c->rtt.rto_ns, tcp_rto_min(c));
}

static xtime probe0_when(const struct tcp_conn *c)
{
	unsigned shift = MIN(ilog2_u32((uint32_t)(tcp_rto_max(c) / tcp_rto_min(c))) + 1, c->snd.backoff);

	return MIN(probe0_base(c) << shift, tcp_rto_max(c));
}

/* tcp_check_probe_timer(): data waits and nothing is in flight that would bring
 * news: persist (RFC 9293 3.8.6.1). */
void tcp_check_probe(struct tcp_conn *c, xtime now)
{
	if (c->loss.packets_out || c->snd.rexmit_kind != REXMIT_NONE)
		return;
	if (!conn_in(c, ST(ESTABLISHED) | ST(CLOSE_WAIT) | ST(FIN_WAIT1) | ST(CLOSING) | ST(LAST_ACK)))
		return;
	if (c->snd.nxt == tcp_snd_end(c))
		return;
	tcp_rexmit_set(c, REXMIT_PROBE0, now + probe0_base(c));
}

xtime tcp_fin_time(const struct tcp_conn *c)
{
	xtime fin = (c->opt.rare->linger2_s > 0 ? c->opt.rare->linger2_s : c->s->set.tcp_fin_timeout) * XTIME_SEC;
	xtime least = (c->rtt.rto_ns << 2) - (c->rtt.rto_ns >> 1);

	return MAX(fin, least);
}

xtime tcp_keep_time(const struct tcp_conn *c)
{
	return (c->opt.keep_idle_s ? (xtime)c->opt.keep_idle_s : c->s->set.tcp_keepalive_time) * XTIME_SEC;
}

static xtime keep_intvl(const struct tcp_conn *c)
{
	return (c->opt.keep_intvl_s ? (xtime)c->opt.keep_intvl_s : c->s->set.tcp_keepalive_intvl) * XTIME_SEC;
}

/* Starts or stops keepalive after a change of the option or the state. */
void tcp_keep_start(struct tcp_conn *c, xtime now)
{
	if (conn_in(c, ST(CLOSE) | ST(LISTEN)))
		return;
	tcp_keep_set(c, c->opt.keepalive ? now + tcp_keep_time(c) : XTIME_NEVER);
}

/* tcp_model_timeout(): how long `boundary` time-outs with doubling take. */
static xtime model_timeout(const struct tcp_conn *c, unsigned boundary, xtime base)
{
	unsigned thresh = ilog2_u32((uint32_t)(tcp_rto_max(c) / base));

	if (boundary <= thresh)
		return ((INT64_C(2) << boundary) - 1) * base;
	return ((INT64_C(2) << thresh) - 1) * base + (xtime)(boundary - thresh) * tcp_rto_max(c);
}

/* retransmits_timed_out(). */
static bool timed_out(const struct tcp_conn *c, unsigned boundary, xtime timeout, xtime now)
{
	if (!c->snd.retransmits)
		return false;
	if (!timeout)
		timeout = model_timeout(c, boundary,
		                        conn_in(c, ST(SYN_SENT) | ST(SYN_RECV)) ? TCP_RTO_INITIAL : tcp_rto_min(c));
	return now - c->snd.retrans_stamp >= timeout;
}

static xtime user_timeout(const struct tcp_conn *c)
{
	return c->opt.user_timeout_ms * XTIME_MSEC;
}

/* tcp_write_err(). */
static void write_err(struct tcp_conn *c, xtime now)
{
	count(c->s, CTR_TcpExtTCPAbortOnTimeout);
	tcp_done_err(c, c->err_soft ? c->err_soft : ETIMEDOUT, now);
}

/* tcp_orphan_retries(). */
static unsigned orphan_retries(const struct tcp_conn *c, bool is_alive)
{
	unsigned n = (unsigned)c->s->set.tcp_orphan_retries;

	if (c->err_soft && !is_alive)
		n = 0;
	if (n == 0 && is_alive)
		n = 8;
	return n;
}

/* How often a SYN or SYN-ACK is sent again, and for how long: as if time-outs doubled from the
 * first one, although those of a SYN don't (tcp_syn_linear_timeouts). */
static unsigned syn_retries(const struct tcp_conn *c)
{
	const struct settings *set = &c->s->set;

	if (c->opt.syn_cnt)
		return c->opt.syn_cnt;
	return (unsigned)(tcp_fo(c)->is_child ? set->tcp_synack_retries : set->tcp_syn_retries);
}

/* tcp_out_of_resources(): an orphan that makes no progress counts for several when there are too
 * many (tcp_max_orphans). */
static bool is_orphan_too_many(struct tcp_conn *c, bool do_reset, xtime now)
{
	unsigned shift = c->err_soft ? 1 : 0;

	if (now - c->snd.lsndtime > 2 * tcp_rto_max(c) || !do_reset)
		shift++;
	if ((uint64_t)c->s->norphan << shift <= (uint64_t)c->s->set.tcp_max_orphans && !tcp_mem_is_out(c))
		return false;
	if (now - c->snd.lsndtime <= TCP_TIMEWAIT_LEN || (!c->snd.wnd && !c->loss.packets_out))
		do_reset = true;
	if (do_reset)
		tcp_send_active_reset(c, now);
	count(c->s, CTR_TcpExtTCPAbortOnMemory);
	tcp_done(c, now);
	return true;
}

/* tcp_write_timeout(): true when the connection was given up. */
static bool write_timeout(struct tcp_conn *c, xtime now)
{
	const struct settings *set = &c->s->set;
	unsigned until, linear = c->state == TCP_SYN_SENT ? (unsigned)set->tcp_syn_linear_timeouts : 0;
	bool is_over;

	if (conn_in(c, ST(SYN_SENT) | ST(SYN_RECV))) {
		until = syn_retries(c);
		is_over = c->snd.retransmits >= until + linear;
	} else {
		if (timed_out(c, (unsigned)set->tcp_retries1, 0, now))
			tcp_mtup_black_hole(c, now);
		until = (unsigned)set->tcp_retries2;
		if (c->is_dead) {
			bool is_alive = c->rtt.rto_ns < tcp_rto_max(c);

			until = orphan_retries(c, is_alive);
			if (is_orphan_too_many(c, is_alive || !timed_out(c, until, 0, now), now))
				return true;
		}
		is_over = false;
	}
	/* A child by Fast Open has a timer of its own in Linux (tcp_fastopen_synack_timer). */
	if (!is_over && !(tcp_fo(c)->is_child && c->state == TCP_SYN_RECV && !user_timeout(c)))
		is_over = timed_out(c, until, user_timeout(c), now);
	tcp_fastopen_timeout(c, is_over, now);
	if (is_over)
		write_err(c, now);
	return is_over;
}

/* tcp_rtx_probe0_timed_out(): a closed window is no reason to give up while ACKs come,
 * unless the program said for how long (TCP_USER_TIMEOUT). */
static bool shut_window_is_over(struct tcp_conn *c, xtime now)
{
	xtime limit = 2 * tcp_rto_max(c);
	xtime trouble = c->snd.retrans_stamp ? c->snd.retrans_stamp : txq_at(&c->snd.txq, 0)->sent;

	if (c->opt.user_timeout_ms) {
		if (now - trouble > user_timeout(c))
			return true;
		limit = MIN(limit, user_timeout(c));
	}
	return now - c->snd.ack_time > limit && now - trouble > limit;
}

/* The window was closed on what is in flight: the first segment serves as the probe. */
static bool shut_window_timeout(struct tcp_conn *c, xtime now)
{
	if (c->snd.wnd || c->is_dead || conn_in(c, ST(SYN_SENT) | ST(SYN_RECV)))
		return false;
	if (shut_window_is_over(c, now)) {
		write_err(c, now);
		return true;
	}
	tcp_enter_loss(c, now);
	c->snd.out |= OUT_RETRANS;
	tcp_want_output(c);
	return true;
}

/* tcp_stream_is_thin(): too little in flight for anything but a time-out to tell of a loss. */
static bool is_linear(const struct tcp_conn *c)
{
	return c->state == TCP_ESTABLISHED && (c->opt.thin_lto || c->s->set.tcp_thin_linear_timeouts) &&
	       c->loss.packets_out < 4 && c->cc.ssthresh < TCP_CWND_INFINITE && c->snd.retransmits <= THIN_LINEAR_RETRIES;
}

static void next_rto(struct tcp_conn *c, xtime now)
{
	c->snd.prior_backoff = c->snd.backoff;
	c->rtt.prior_rto_us = (uint32_t)(c->rtt.rto_ns / XTIME_USEC);
	if (is_linear(c)) {
		c->snd.backoff = 0;
		tcp_set_rto(c);
	} else if (c->state != TCP_SYN_SENT || c->snd.total_rto > (uint32_t)c->s->set.tcp_syn_linear_timeouts) {
		c->snd.backoff += c->snd.backoff < 32;
		c->rtt.rto_ns = MIN(c->rtt.rto_ns << 1, tcp_rto_max(c));
	}
	tcp_rexmit_set(c, REXMIT_RTO, now + c->rtt.rto_ns);
}

/* tcp_clamp_rto_to_user_timeout(). */
static void clamp_rto(struct tcp_conn *c, xtime now)
{
	xtime left;

	if (!c->opt.user_timeout_ms)
		return;
	left = c->snd.retrans_stamp + user_timeout(c) - now;
	if (left < c->rtt.rto_ns)
		tcp_rexmit_set(c, REXMIT_RTO, now + MAX(left, XTIME_MSEC));
}

/* In what state the first time-out finds the connection. */
static void count_first_rto(struct tcp_conn *c)
{
	if (c->loss.ca_state == CA_RECOVERY)
		count(c->s, c->sack_ok ? CTR_TcpExtTCPSackRecoveryFail : CTR_TcpExtTCPRenoRecoveryFail);
	else if (c->loss.ca_state == CA_LOSS)
		count(c->s, CTR_TcpExtTCPLossFailures);
	else if (c->loss.ca_state == CA_DISORDER || c->loss.sacked_out)
		count(c->s, c->sack_ok ? CTR_TcpExtTCPSackFailures : CTR_TcpExtTCPRenoFailures);
}

/* tcp_update_rto_stats(). */
static void count_rto(struct tcp_conn *c, xtime now)
{
	if (!c->snd.retransmits) {
		c->snd.rto_recoveries++;
		c->snd.rto_stamp = now;
	}
	c->snd.retransmits++;
	c->snd.total_rto++;
}

/* tcp_retransmit_timer(). */
static void rto_fire(struct tcp_conn *c, xtime now)
{
	if (!c->loss.packets_out)
		return;
	c->loss.tlp_out = false;
	if (shut_window_timeout(c, now)) {
		if (c->state != TCP_CLOSE)
			next_rto(c, now);
		return;
	}
	count(c->s, CTR_TcpExtTCPTimeouts);
	if (write_timeout(c, now))
		return;
	if (!c->snd.retransmits)
		count_first_rto(c);
	/* A child by Fast Open has a timer of its own in Linux (tcp_fastopen_synack_timer). */
	if (c->state != TCP_SYN_RECV || !tcp_fo(c)->is_child)
		tcp_enter_loss(c, now);
	if (!c->snd.retrans_stamp)
		c->snd.retrans_stamp = now;
	count_rto(c, now);
	if (conn_in(c, ST(SYN_SENT) | ST(SYN_RECV))) {
		tcp_syn_again(c);
	} else {
		c->snd.out |= OUT_RETRANS;
	}
	tcp_want_output(c);
	next_rto(c, now);
	clamp_rto(c, now);
	if (timed_out(c, (unsigned)c->s->set.tcp_retries1 + 1, 0, now))
		c->has_route = false;   /* __sk_dst_reset(): ask for the route again */
}

/* tcp_clamp_probe0_to_user_timeout(). */
static xtime clamp_probe0(const struct tcp_conn *c, xtime when, xtime now)
{
	if (!c->opt.user_timeout_ms || !c->snd.probes_tstamp)
		return when;
	return MIN(when, MAX(c->snd.probes_tstamp + user_timeout(c) - now, TCP_TIMEOUT_MIN));
}

/* tcp_retransmit_timer(), tcp_send_probe0(), tcp_keepalive_timer() when the interface had no room for what
 * they sent: soon again, without a backoff. */
void tcp_rto_was_refused(struct tcp_conn *c, xtime now)
{
	c->rtt.rto_ns = c->rtt.prior_rto_us * XTIME_USEC;
	c->snd.backoff = c->snd.prior_backoff;
	tcp_rexmit_set(c, REXMIT_RTO, now + TCP_RESOURCE_PROBE_INTERVAL);
}

void tcp_probe_was_refused(struct tcp_conn *c, xtime now)
{
	c->snd.backoff = c->snd.prior_backoff;
	tcp_rexmit_set(c, REXMIT_PROBE0, now + clamp_probe0(c, TCP_RESOURCE_PROBE_INTERVAL, now));
}

void tcp_keepalive_was_refused(struct tcp_conn *c, xtime now)
{
	c->keep_probes--;
	tcp_keep_set(c, now + TCP_RESOURCE_PROBE_INTERVAL);
}

/* tcp_probe_timer(): persist. */
static void probe0_fire(struct tcp_conn *c, xtime now)
{
	unsigned max = (unsigned)c->s->set.tcp_retries2;

	if (c->loss.packets_out || c->snd.nxt == tcp_snd_end(c)) {
		c->snd.probes_out = 0;
		c->snd.probes_tstamp = 0;
		return;
	}
	if (!c->snd.probes_tstamp)
		c->snd.probes_tstamp = now;
	else if (c->opt.user_timeout_ms && now - c->snd.probes_tstamp >= user_timeout(c)) {
		write_err(c, now);
		return;
	}
	if (c->is_dead) {
		bool is_alive = probe0_when(c) < tcp_rto_max(c);

		max = orphan_retries(c, is_alive);
		if (!is_alive && c->snd.backoff >= max) {
			write_err(c, now);
			return;
		}
		if (is_orphan_too_many(c, true, now))
			return;
	}
	if (c->snd.probes_out >= max) {
		write_err(c, now);
		return;
	}
	c->snd.prior_backoff = c->snd.backoff;
	if (c->snd.backoff < c->s->set.tcp_retries2)
		c->snd.backoff++;
	c->snd.probes_out++;
	c->snd.more = false;
	c->snd.out |= OUT_PROBE;
	tcp_rexmit_set(c, REXMIT_PROBE0, now + clamp_probe0(c, probe0_when(c), now));
	tcp_want_output(c);
}

/* tcp_delack_timer_handler(). */
static void delack_fire(struct tcp_conn *c, xtime now)
{
	(void)now;
	if (!c->rcv.ack_scheduled)
		return;
	if (c->rcv.pingpong >= c->s->set.tcp_pingpong_thresh) {
		/* The session is not interactive after all. */
		c->rcv.pingpong = 0;
		c->rcv.ato = TCP_ATO_MIN;
	} else {
		c->rcv.ato = MIN(c->rcv.ato << 1, c->rtt.rto_ns);
	}
	tcp_send_ack(c);
	count(c->s, CTR_TcpExtDelayedACKs);
}


/* tcp_keepalive_timer(): also the end of FIN-WAIT-2 without a program. */
static void keep_fire(struct tcp_conn *c, xtime now)
{
	unsigned probes = c->opt.keep_cnt ? c->opt.keep_cnt : (unsigned)c->s->set.tcp_keepalive_probes;
	xtime idle = now - MAX(c->rcv.lrcvtime, c->snd.ack_time);
	bool is_over;

	if (c->state == TCP_FIN_WAIT2 && c->is_dead) {
		if (c->opt.rare->linger2_s >= 0) {
			xtime tmo = tcp_fin_time(c) - TCP_TIMEWAIT_LEN;

			if (tmo > 0) {
				tcp_time_wait(c, TCP_FIN_WAIT2, tmo, now);
				return;
			}
		}
		tcp_send_active_reset(c, now);
		tcp_done(c, now);
		return;
	}
	if (!c->opt.keepalive || conn_in(c, ST(CLOSE) | ST(SYN_SENT)))
		return;
	if (c->loss.packets_out || c->snd.nxt != tcp_snd_end(c)) {
		tcp_keep_set(c, now + tcp_keep_time(c));
		return;
	}
	if (idle < tcp_keep_time(c)) {
		tcp_keep_set(c, now + tcp_keep_time(c) - idle);
		return;
	}
	is_over = c->opt.user_timeout_ms ? idle >= user_timeout(c) && c->keep_probes > 0 : c->keep_probes >= probes;
	if (is_over) {
		tcp_send_active_reset(c, now);
		write_err(c, now);
		return;
	}
	c->keep_probes++;
	c->snd.out |= OUT_KEEPALIVE;
	tcp_want_output(c);
	tcp_keep_set(c, now + keep_intvl(c));
}

static void rexmit_fire(struct tcp_conn *c, xtime now)
{
	uint8_t kind = c->snd.rexmit_kind;

	c->snd.rexmit_kind = REXMIT_NONE;
	c->snd.rexmit_at = XTIME_NEVER;
	switch (kind) {
	case REXMIT_RTO:
		rto_fire(c, now);
		break;
	case REXMIT_PROBE0:
		probe0_fire(c, now);
		break;
	case REXMIT_TLP:
		tcp_tlp_fire(c, now);
		break;
	case REXMIT_REORDER:
		tcp_rack_reorder_fire(c, now);
		break;
	default:
		break;
	}
}

void tcp_trim_later(struct tcp_conn *c, xtime now)
{
	if (c->trim_at != XTIME_NEVER)
		return;
	c->trim_at = now + TCP_RING_IDLE;
	tcp_timer_update(c);
}

static void trim_fire(struct tcp_conn *c, xtime now)
{
	xtime last = MAX(c->rcv.lrcvtime, c->snd.lsndtime);

	c->trim_at = XTIME_NEVER;
	if (now - last < TCP_RING_IDLE) {
		c->trim_at = last + TCP_RING_IDLE;
		return;
	}
	if (!c->rcv.q.len && !tcp_ofo(c)->ranges.n)
		ring_free(&c->rcv.q);
	if (!c->snd.q.len)
		ring_free(&c->snd.q);
	tcp_mem_charge(c);
}

void tcp_timer(struct tcp_conn *c, xtime now)
{
	if (c->rcv.delack_at <= now) {
		c->rcv.delack_at = XTIME_NEVER;
		delack_fire(c, now);
	}
	if (c->rcv.comp_at <= now) {
		/* tcp_compressed_ack_kick(): this one isn't saved. */
		c->rcv.comp_at = XTIME_NEVER;
		c->rcv.comp_acks--;
		tcp_send_ack(c);
	}
	if (c->snd.rexmit_at <= now)
		rexmit_fire(c, now);
	if (c->snd.is_pace_held && c->snd.pace_at <= now)
		tcp_pacing_fire(c);
	if (c->trim_at <= now)
		trim_fire(c, now);
	if (c->keep_at <= now) {
		c->keep_at = XTIME_NEVER;
		keep_fire(c, now);
	}
	tcp_timer_update(c);
	tcp_free_if_gone(c);
}
