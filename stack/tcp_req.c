/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_req.c - the SYN queue: tcp_conn_request(), tcp_check_req() and
 * reqsk_timer_handler() of Linux 6.18, as observed there.
 *
 * What a SYN costs is bounded: the queue holds no more than the backlog, a request is
 * small, and when the queue is full a SYN is answered by a cookie, for which nothing
 * is kept (tcp_cookie.c), or dropped (tcp_syncookies 0).
 */
#include "tcp_listen.h"

#include <errno.h>
#include <stdlib.h>

#include "tcp_metrics.h"

/* ---- the queue ---- */

void tcp_req_drop(struct tcp_req *r)
{
	struct listener *ls = r->l->listener;

	list_remove(&r->link);
	ls->nreq--;
	if (!r->ntimeout)
		ls->nyoung--;
	timer_cancel(&r->s->timers, &r->timer);
	conntab_remove(&r->s->tab, &r->ent);
	r->s->nreq--;
	free(r->saved_syn);
	free(r);
}

static bool queue_is_full(const struct listener *ls)
{
	return ls->nreq >= ls->backlog;
}

/* tcp_reqsk_timeout() */
static xtime req_timeout(const struct tcp_req *r)
{
	return MIN(TCP_RTO_INITIAL << MIN(r->ntimeout, 32), tcp_rto_max(r->l));
}

static int req_queue(struct tcp_req *r, xtime now)
{
	struct stack *s = r->s;
	struct listener *ls = r->l->listener;

	if (timers_grow(&s->timers, s->nconn + s->ntw + s->nreq + s->neighs.n + 2) < 0)
		return -ENOMEM;
	if (conntab_insert(&s->tab, &r->ent) < 0)
		return -ENOMEM;
	list_append(&ls->reqs, &r->link);
	ls->nreq++;
	ls->nyoung++;
	s->nreq++;
	timer_set(&s->timers, &r->timer, now + req_timeout(r));
	return 0;
}

/* ---- SYN-ACK ---- */

static void req_reply(const struct tcp_req *r, struct tcp_hdr *th, xtime now)
{
	const struct tcp_sockopts *opt = &r->l->opt;

	tcp_reply(r->s, &r->ent.t, th, r->tos, opt->ttl, &r->ip_opts, now);
}

/* tcp_make_synack() and tcp_synack_options(). */
static void send_synack(struct tcp_req *r, xtime now)
{
	struct tcp_hdr th = { .seq = r->iss, .ack = r->irs + 1,
	                      .flags = TCPF_SYN | TCPF_ACK | (r->ecn_ok ? TCPF_ECE : 0),
	                      .wnd = (uint16_t)MIN(r->rcv_wnd, 65535u), .has_mss = true,
	                      .mss = r->advmss, .sack_permitted = r->sack_ok };

	if (r->ts_ok) {
		th.has_ts = true;
		r->ts_last = xtime_ms(now) + r->ts_offset;
		if (r->is_cookie)
			r->ts_last = tcp_cookie_ts(r, now);
		th.tsval = r->ts_last;
		th.tsecr = r->ts_recent;
	}
	if (r->wscale_ok) {
		th.has_wscale = true;
		th.wscale = r->rcv_wscale;
	}
	tcp_fastopen_put(&r->fo, &th);
	req_reply(r, &th, now);
}

/* tcp_rtx_synack(): without the Fast Open option, as Linux has it. */
static void send_synack_again(struct tcp_req *r, xtime now)
{
	r->fo.is_set = false;
	if (r->nretrans < UINT8_MAX)
		r->nretrans++;
	count(r->s, CTR_TcpRetransSegs);
	count(r->s, CTR_TcpExtTCPSynRetrans);
	send_synack(r, now);
}

/* tcp_v4_reqsk_send_ack(): tells the peer where we stand. */
static void send_ack(const struct tcp_req *r, xtime now)
{
	struct tcp_hdr th = { .seq = r->iss + 1, .ack = r->irs + 1, .flags = TCPF_ACK,
	                      .wnd = (uint16_t)(MIN(r->rcv_wnd, 65535u) >> r->rcv_wscale) };

	if (r->ts_ok) {
		th.has_ts = true;
		th.tsval = xtime_ms(now) + r->ts_offset;
		th.tsecr = r->ts_recent;
	}
	req_reply(r, &th, now);
}

/* ---- a SYN ---- */

/* tcp_openreq_init() */
static void req_take_syn(struct tcp_req *r, const struct seg_in *seg)
{
	const struct settings *set = &r->s->set;
	const struct tcp_hdr *th = seg->th;

	r->irs = th->seq;
	r->wnd = th->wnd;
	r->peer_mss = th->has_mss && th->mss ? th->mss : TCP_MSS_DEFAULT;
	if (r->l->opt.user_mss)
		r->peer_mss = MIN(r->peer_mss, r->l->opt.user_mss);
	r->ts_ok = th->has_ts && set->tcp_timestamps;
	r->ts_recent = th->tsval;
	/* A cookie without timestamps has no room for options (tcp_clear_options). */
	if (r->is_cookie && !r->ts_ok)
		return;
	r->ecn_ok = tcp_ecn_accepts(r->l, seg->ip->tos, th);
	r->sack_ok = th->sack_permitted && set->tcp_sack;
	r->wscale_ok = th->has_wscale && set->tcp_window_scaling;
	r->snd_wscale = r->wscale_ok ? th->wscale : 0;
}

void tcp_req_init_window(struct tcp_req *r, const struct ip_route *rt, xtime now)
{
	struct tcp_window w;

	r->advmss = tcp_route_advmss(r->l, rt, r->ent.t.raddr, now);
	tcp_select_initial_window(r->l, rt, r->advmss - (r->ts_ok ? 12 : 0), r->wscale_ok, &w);
	r->rcv_wnd = w.wnd;
	r->window_clamp = w.clamp;
	r->rcv_wscale = w.wscale;
}

/* inet_csk_reqsk_queue_is_full() and tcp_syn_flood_action(): 1 a cookie, 0 none, -1 drop. */
static int flood_action(struct tcp_conn *l)
{
	int32_t mode = l->s->set.tcp_syncookies;

	if (mode != 2 && !queue_is_full(l->listener))
		return 0;
	count(l->s, mode ? CTR_TcpExtTCPReqQFullDoCookies : CTR_TcpExtTCPReqQFullDrop);
	return mode ? 1 : -1;
}

/* Without cookies the last quarter is for peers that are known to be alive. */
static bool last_quarter(const struct tcp_conn *l, const struct seg_in *seg)
{
	int64_t max = l->s->set.tcp_max_syn_backlog;

	return !l->s->set.tcp_syncookies && max - l->listener->nreq < max >> 2 &&
	       !tcp_metrics_is_proven(l->s, seg->ip->dst, seg->ip->src, seg->now);
}

static void listen_drop(struct stack *s)
{
	count(s, CTR_TcpExtListenDrops);
	count(s, CTR_tcp_accept_full);
}

/* tcp_fastopen_create_child(): the program may have it, and what came with the SYN, at once. */
static bool fast_child(struct tcp_req *r, const struct seg_in *seg)
{
	struct tcp_hdr h = *seg->th;
	struct tcp_conn *c;

	r->is_fast = true;
	c = tcp_child_new(r, seg->now);
	r->is_fast = false;
	if (!c)
		return false;
	c->fo->option = r->fo;
	c->snd.out |= OUT_SYN;
	tcp_init_metrics(c, seg->now);
	c->snd.sml = c->snd.una;   /* the SYN-ACK holds no data back (Nagle) */
	c->fo->is_child = c->fo->is_pending = true;
	c->parent->listener->npending++;
	if (seg->len) {
		h.seq++;
		h.flags &= (uint16_t)~TCPF_SYN;
		tcp_data_queue(c, &h, seg->data, seg->len, 0, seg->now);
		c->fo->syn_data_acked = true;
		/* It came before the delayed-ACK engine started (tcp_fastopen_add_skb). */
		c->rcv.ato = 0;
		c->rcv.quick = 0;
		c->rcv.wup = c->rcv.nxt;
		c->rcv.ack_scheduled = false;
		tcp_delack_clear(c);
		c->snd.out &= (uint8_t)~OUT_ACK;
	}
	tcp_child_queue(c);
	tcp_want_output(c);
	return true;
}

/* Answers with a cookie: nothing is kept. */
static void answer_by_cookie(struct tcp_req *r, xtime now)
{
	r->iss = tcp_cookie_make(r, r->irs, now);
	r->l->listener->overflow_at = now;
	count(r->s, CTR_TcpExtSyncookiesSent);
	send_synack(r, now);
}

static void answer_and_queue(const struct tcp_req *proto, xtime now)
{
	struct tcp_req *r = malloc(sizeof(*r));

	if (!r) {
		count(proto->s, CTR_tcp_nomem);
		free(proto->saved_syn);
		return;
	}
	*r = *proto;
	list_init(&r->link);
	timer_init(&r->timer, TIMER_REQ);
	if (req_queue(r, now) < 0) {
		count(r->s, CTR_tcp_nomem);
		free(r->saved_syn);
		free(r);
		return;
	}
	send_synack(r, now);
	r->ts_first = r->ts_last;
}

void tcp_req_syn(struct tcp_conn *l, const struct seg_in *seg, seq32 isn)
{
	struct stack *s = l->s;
	struct tcp_req r = {
		.ent = { .kind = ENT_REQUEST, .t = { .laddr = seg->ip->dst, .raddr = seg->ip->src,
		                                     .lport = seg->th->dport, .rport = seg->th->sport } },
		.s = s, .l = l, .sent = seg->now,
	};
	struct ip_route rt;
	int action = flood_action(l);

	if (action < 0 || tcp_acceptq_is_full(l->listener)) {
		if (action >= 0)
			count(s, CTR_TcpExtListenOverflows);
		listen_drop(s);
		return;
	}
	r.is_cookie = action > 0;
	r.tos = tcp_req_tos(l, seg->ip->tos);
	ip_opts_echo(seg->ip, stack_time_of_day(s, seg->now), &r.ip_opts);
	req_take_syn(&r, seg);
	if (ip_route(s, r.ip_opts.srr ? r.ip_opts.first_hop : r.ent.t.raddr, r.ent.t.laddr, tcp_oif(l), l->opt.tos, &rt) < 0) {
		count(s, CTR_ip_no_route);
		return;
	}
	if (!r.is_cookie && !isn && last_quarter(l, seg)) {
		listen_drop(s);
		return;
	}
	r.ts_offset = r.ts_ok ? tcp_ts_offset(s, &r.ent.t) : 0;
	tcp_req_init_window(&r, &rt, seg->now);
	if (r.is_cookie) {
		answer_by_cookie(&r, seg->now);
		return;
	}
	r.iss = isn ? isn : tcp_isn(s, &r.ent.t, seg->now);
	r.saved_syn = tcp_saved_syn_make(l, seg);
	if (!tcp_fastopen_accepts(l, seg->ip, seg->th, seg->len, l->listener->npending, &r.fo) ||
	    !fast_child(&r, seg))
		answer_and_queue(&r, seg->now);
}

/* ---- a segment for a request ---- */

/* tcp_paws_reject(): older than what is echoed. */
static bool paws_rejects(const struct tcp_req *r, const struct tcp_hdr *th)
{
	return r->ts_ok && th->has_ts && (int32_t)(r->ts_recent - th->tsval) > 0;
}

/* RFC 7323 3.2: an echo of what was never sent. */
static bool echo_is_bad(const struct tcp_req *r, const struct tcp_hdr *th)
{
	return r->ts_ok && th->has_ts && th->tsecr && th->tsecr - r->ts_first > r->ts_last - r->ts_first;
}

/* tcp_in_window() with the window of the SYN-ACK. */
static bool in_window(const struct tcp_req *r, const struct seg_in *seg)
{
	seq32 nxt = r->irs + 1, end = nxt + MIN(r->rcv_wnd, 65535u);
	seq32 seq = seg->th->seq;

	if (seq == nxt)
		return true;
	if (seq_gt(seg->end, nxt) && seq_lt(seq, end))
		return true;
	return seq == end && seg->end == seq;
}

/* Says where we stand, but not to each of many (tcp_oow_rate_limited). */
static void answer_rejected(struct tcp_req *r, const struct seg_in *seg)
{
	bool may_loop = seg->th->seq == seg->end || seg->th->flags & TCPF_SYN;

	if (!may_loop ||
	    !tcp_oow_ratelimited(r->s, CTR_TcpExtTCPACKSkippedSynRecv, &r->oow_ack_time, seg->now))
		send_ack(r, seg->now);
}

/* A segment that can't be of this handshake, or not of the peer's side of it. */
static bool is_rejected(struct tcp_req *r, const struct seg_in *seg)
{
	if (paws_rejects(r, seg->th))
		count(r->s, CTR_TcpExtPAWSEstab);
	else if (echo_is_bad(r, seg->th))
		count(r->s, CTR_TcpExtTSEcrRejected);
	else if (!in_window(r, seg))
		count(r->s, seg->th->flags & TCPF_RST ? CTR_tcp_rst_ignored : CTR_tcp_out_of_window);
	else
		return false;
	return true;
}

/* The SYN once more: our SYN-ACK was lost. */
static void syn_again(struct tcp_req *r, const struct seg_in *seg)
{
	if (tcp_oow_ratelimited(r->s, CTR_TcpExtTCPACKSkippedSynRecv, &r->oow_ack_time, seg->now))
		return;
	send_synack_again(r, seg->now);
	timer_set(&r->s->timers, &r->timer, seg->now + req_timeout(r));
}

/* embryonic_reset of tcp_check_req() */
static void embryonic_reset(struct tcp_req *r, const struct seg_in *seg)
{
	count(r->s, CTR_TcpExtEmbryonicRsts);
	count(r->s, CTR_TcpAttemptFails);
	tcp_reply_reset(r->s, seg->ip, seg->th, seg->len, seg->now);
	tcp_req_drop(r);
}

static void req_overflow(struct tcp_req *r, const struct seg_in *seg)
{
	count(r->s, CTR_TcpExtListenOverflows);
	listen_drop(r->s);
	if (r->s->set.tcp_abort_on_overflow) {
		count(r->s, CTR_TcpExtEmbryonicRsts);
		tcp_reply_reset(r->s, seg->ip, seg->th, seg->len, seg->now);
		tcp_req_drop(r);
		return;
	}
	r->is_acked = true;
}

/* The ACK that was waited for. */
static void req_acked(struct tcp_req *r, const struct seg_in *seg)
{
	struct tcp_conn *c;

	if (seg->th->has_ts && r->ts_ok && !seq_gt(seg->th->seq, r->irs + 1))
		r->ts_recent = seg->th->tsval;
	if (r->ntimeout < r->l->opt.defer_accept && seg->end == r->irs + 1) {
		count(r->s, CTR_TcpExtTCPDeferAcceptDrop);
		r->is_acked = true;
		return;
	}
	if (tcp_acceptq_is_full(r->l->listener)) {
		req_overflow(r, seg);
		return;
	}
	r->wnd = (uint32_t)seg->th->wnd << r->snd_wscale;
	c = tcp_child_new(r, seg->now);
	if (!c)
		return;
	tcp_req_drop(r);
	tcp_child_process(c, seg);
}

void tcp_req_input(struct tcp_req *r, const struct seg_in *seg)
{
	const struct tcp_hdr *th = seg->th;
	uint16_t flags = th->flags & (TCPF_SYN | TCPF_ACK | TCPF_RST | TCPF_FIN);

	if (th->seq == r->irs && flags == TCPF_SYN && !paws_rejects(r, th)) {
		syn_again(r, seg);
		return;
	}
	if (flags & TCPF_ACK && th->ack != r->iss + 1) {
		tcp_listen_input(r->l, seg);
		return;
	}
	if (is_rejected(r, seg)) {
		if (!(flags & TCPF_RST))
			answer_rejected(r, seg);
		return;
	}
	if (th->seq == r->irs)
		flags &= (uint16_t)~TCPF_SYN;
	/* RFC 5961 3: only the exact number resets. */
	if (flags & TCPF_RST && th->seq != r->irs + 1) {
		count(r->s, CTR_tcp_rst_ignored);
		answer_rejected(r, seg);
	} else if (flags & (TCPF_RST | TCPF_SYN)) {
		embryonic_reset(r, seg);
	} else if (flags & TCPF_ACK) {
		req_acked(r, seg);
	} else {
		count(r->s, CTR_tcp_no_ack);
	}
}

/* tcp_req_err(): the peer can't be reached, or so they say; it may try again. */
void tcp_req_icmp(struct tcp_req *r, seq32 seq, uint8_t type, uint8_t code)
{
	if (seq != r->iss) {
		count(r->s, CTR_icmp_stale);
		return;
	}
	count(r->s, CTR_icmp_error_in);
	if (type == ICMP_PARAM_PROBLEM || type == ICMP_TIME_EXCEEDED || (type == ICMP_UNREACH && code <= 1)) {
		listen_drop(r->s);
		tcp_req_drop(r);
	}
}

/* ---- time ---- */

/* Half of the room is for young requests: when the queue fills up, old ones have less
 * time. */
static unsigned req_retries(const struct tcp_req *r)
{
	const struct listener *ls = r->l->listener;
	unsigned max = r->l->opt.syn_cnt ? r->l->opt.syn_cnt : (unsigned)r->s->set.tcp_synack_retries;
	uint32_t young = ls->nyoung << 1;

	if (ls->nreq << 1 <= MAX(8u, ls->backlog))
		return max;
	while (max > 2 && ls->nreq >= young) {
		max--;
		young <<= 1;
	}
	return max;
}

/* reqsk_timer_handler() with syn_ack_recalc(). */
void tcp_req_timer(struct tcp_req *r, xtime now)
{
	unsigned max = req_retries(r), defer = r->l->opt.defer_accept;
	bool is_over = r->ntimeout >= max, resend = true;

	if (defer) {
		is_over = is_over && (!r->is_acked || r->ntimeout >= defer);
		/* Towards the end of the wait: a last chance for data, or for the ACK alone. */
		resend = !r->is_acked || r->ntimeout >= defer - 1;
	}
	count(r->s, CTR_TcpExtTCPTimeouts);
	if (is_over) {
		tcp_req_drop(r);
		return;
	}
	if (resend)
		send_synack_again(r, now);
	if (!r->ntimeout++)
		r->l->listener->nyoung--;
	timer_set(&r->s->timers, &r->timer, now + req_timeout(r));
}
