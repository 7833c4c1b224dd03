/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_tw.c - TIME-WAIT (RFC 9293 3.6, 3.10.7.4), and FIN-WAIT-2 of a connection that
 * no program holds any more: a small remainder that answers in the connection's
 * name (Linux tcp_minisocks.c), can be taken over by a new connection when
 * timestamps prove that no old segment can be mistaken (RFC 6191), and goes after
 * its time.
 */
#include "tcp_listen.h"

#include <errno.h>
#include <stdlib.h>

#include "tcp_metrics.h"

#define TW_SHORT (4 * XTIME_SEC)   /* what Linux counts as killed (__inet_twsk_schedule) */
#define TW_LOOK 16u
#define TW_MAX(s) ((uint32_t)(s)->set.tcp_max_tw_buckets)

void tcp_tw_free(struct tcp_tw *tw)
{
	struct stack *s = tw->s;

	conntab_remove(&s->tab, &tw->ent);
	conntab_unbind(&s->tab, &tw->bind);
	timer_cancel(&s->timers, &tw->timer);
	list_remove(&tw->link);
	s->ntw--;
	if (tw->substate == TCP_FIN_WAIT2)
		s->nfinwait2--;
	free(tw);
}

void tcp_tw_timer(struct stack *s, struct tcp_tw *tw, xtime now)
{
	(void)s;
	(void)now;
	tcp_tw_free(tw);
}

static void tw_schedule(struct tcp_tw *tw, xtime at)
{
	timer_set(&tw->s->timers, &tw->timer, at);
}

static void tw_fill(struct tcp_tw *tw, struct tcp_conn *c)
{
	tw->ent.kind = ENT_TIMEWAIT;
	tw->ent.t = c->ent.t;
	tw->s = c->s;
	tw->ts_ok = c->ts_ok;
	tw->rcv_wscale = c->rcv_wscale;
	tw->tos = c->opt.tos;
	tw->ttl = c->opt.ttl;
	tw->snd_nxt = c->snd.nxt;
	tw->rcv_nxt = c->rcv.nxt;
	tw->rcv_wnd = tcp_receive_window(c);
	tw->ts_recent = c->ts_recent;
	tw->ts_recent_stamp = c->ts_recent_stamp;
	tw->ts_offset = c->ts_offset;
	tw->rt = c->rt;
}

/* Without memory or beyond tcp_max_tw_buckets the connection is closed at once, as
 * in Linux ("time wait bucket table overflow"). */
void tcp_time_wait(struct tcp_conn *c, uint8_t substate, xtime timeout, xtime now)
{
	struct stack *s = c->s;
	struct tcp_tw *tw = s->ntw < TW_MAX(s) ? calloc(1, sizeof(*tw)) : NULL;
	xtime least = (c->rtt.rto_ns << 2) - (c->rtt.rto_ns >> 1);

	tcp_metrics_save(c, now);
	/* The last ACK goes before the remainder takes over, and also when there is none. */
	if (c->rcv.ack_scheduled || c->snd.out & OUT_ACK)
		tcp_send_last_ack(c, now);
	if (!tw) {
		count(s, CTR_TcpExtTCPTimeWaitOverflow);
		tcp_done(c, now);
		return;
	}
	timer_init(&tw->timer, TIMER_TIMEWAIT);
	tw_fill(tw, c);
	tw->substate = substate;
	list_init(&tw->link);
	list_append(&s->tws, &tw->link);
	s->ntw++;
	if (substate == TCP_FIN_WAIT2)
		s->nfinwait2++;
	timeout = substate == TCP_TIME_WAIT ? TCP_TIMEWAIT_LEN : MAX(timeout, least);
	count(s, timeout <= TW_SHORT ? CTR_TcpExtTWKilled : CTR_TcpExtTW);
	conntab_bind_move(&c->bind, &tw->bind);
	tw->bind.is_timewait = true;
	conntab_replace(&s->tab, &c->ent, &tw->ent);
	tw_schedule(tw, now + timeout);
	c->port_bound = false;
	tcp_done(c, now);
}

/* As the table of Linux drops what comes when it is full (tcp_max_tw_buckets).  Those whose port
 * somebody else has, too, give nothing back; a few of them are looked at for each that does. */
unsigned stack_end_timewaits(struct stack *s, unsigned max)
{
	struct list *l = s->tws.next, *next;
	unsigned looked, n = 0;

	for (looked = 0; l != &s->tws && n < max && looked < max * TW_LOOK; looked++, l = next) {
		struct tcp_tw *tw = container_of(l, struct tcp_tw, link);

		next = l->next;
		if (tw->substate != TCP_TIME_WAIT || !conntab_is_alone(&tw->bind))
			continue;
		tcp_tw_free(tw);
		count(s, CTR_TcpExtTCPTimeWaitOverflow);
		n++;
	}
	return n;
}

bool tcp_tw_allows_reuse(const struct stack *s, const struct tuple *t)
{
	bool is_loopback = t->laddr >> 24 == 127 || t->raddr >> 24 == 127 || t->laddr == t->raddr;

	return s->set.tcp_tw_reuse == 1 || (s->set.tcp_tw_reuse == 2 && is_loopback);
}

/* tcp_twsk_unique(): may the connection that is about to open take this tuple?  Its
 * numbers then start beyond those of the old one.  A port that the program chose
 * itself needs only the timestamps (Linux passes no twp then); one that connect() is
 * choosing also the setting, and a last timestamp that is tcp_tw_reuse_delay old. */
bool tcp_tw_may_reuse(const struct ent *e, void *conn)
{
	const struct tcp_tw *tw = container_of(e, const struct tcp_tw, ent);
	struct tcp_conn *c = conn;
	xtime delay = tw->s->set.tcp_tw_reuse_delay * XTIME_MSEC;
	seq32 seq;

	if (!tw->ts_ok || !tw->ts_recent_stamp)
		return false;
	if (!conntab_port(&c->bind) &&
	    (!tcp_tw_allows_reuse(tw->s, &tw->ent.t) || tw->substate == TCP_FIN_WAIT2 ||
	     c->opened_at - tw->ts_recent_stamp < delay))
		return false;
	seq = tw->snd_nxt + 65535 + 2;
	c->snd.iss = seq ? seq : 1;
	c->ts_recent = tw->ts_recent;
	c->ts_recent_stamp = tw->ts_recent_stamp;
	return true;
}

static bool tw_paws_rejects(const struct tcp_tw *tw, const struct tcp_hdr *th, xtime now)
{
	return tw->ts_ok && th->has_ts && tw->ts_recent_stamp &&
	       (int32_t)(tw->ts_recent - th->tsval) > 0 && now - tw->ts_recent_stamp < TCP_PAWS_24DAYS;
}

/* A SYN that may open a new incarnation: RFC 9293 3.10.7.4 and RFC 6191. */
static bool tw_syn_is_new(const struct tcp_tw *tw, const struct tcp_hdr *th, bool is_paws)
{
	if (!(th->flags & TCPF_SYN) || th->flags & (TCPF_RST | TCPF_ACK) || is_paws)
		return false;
	return seq_gt(th->seq, tw->rcv_nxt) ||
	       (tw->ts_ok && th->has_ts && (int32_t)(tw->ts_recent - th->tsval) < 0);
}

/* Tells once more where we stand; what may be part of an ACK loop is answered seldom. */
static void tw_answer(struct tcp_tw *tw, const struct tcp_hdr *th, size_t len, enum counter skipped,
                      xtime now)
{
	bool may_loop = th->flags & TCPF_SYN || (!len && !(th->flags & TCPF_FIN));

	if (!may_loop || !tcp_oow_ratelimited(tw->s, skipped, &tw->oow_ack_time, now))
		tcp_tw_ack(tw, now);
}

/* tcp_in_window(). */
static bool tw_in_window(const struct tcp_tw *tw, seq32 seq, seq32 end)
{
	seq32 limit = tw->rcv_nxt + tw->rcv_wnd;

	return seq == tw->rcv_nxt || (seq_gt(end, tw->rcv_nxt) && seq_lt(seq, limit)) ||
	       (seq == limit && end == seq);
}

/* The peer must learn that nobody is left (TCP_TW_RST). */
static void tw_reset(struct tcp_tw *tw, const struct ip_hdr *ip, const struct tcp_hdr *th, size_t len,
                     xtime now)
{
	tcp_reply_reset(tw->s, ip, th, len, now);
	tcp_tw_free(tw);
}

/* FIN-WAIT-2: waits for the peer's FIN; data would be for nobody. */
static void tw_finwait2(struct tcp_tw *tw, const struct ip_hdr *ip, const struct tcp_hdr *th,
                        size_t len, bool is_paws, xtime now)
{
	bool has_fin = th->flags & TCPF_FIN;
	seq32 end = th->seq + (seq32)len + has_fin + (th->flags & TCPF_SYN ? 1 : 0);

	if (is_paws || !tw_in_window(tw, th->seq, end)) {
		count(tw->s, CTR_tcp_out_of_window);
		tw_answer(tw, th, len, CTR_TcpExtTCPACKSkippedFinWait2, now);
		return;
	}
	if (th->flags & TCPF_RST) {
		tcp_tw_free(tw);
		return;
	}
	if (th->flags & TCPF_SYN && !seq_lt(th->seq, tw->rcv_nxt)) {
		tw_reset(tw, ip, th, len, now);
		return;
	}
	if (!(th->flags & TCPF_ACK) || seq_le(end, tw->rcv_nxt) || end == th->seq)
		return;
	if (!has_fin || end != tw->rcv_nxt + 1) {
		/* New data after the program has gone. */
		count(tw->s, CTR_tcp_closed_data);
		tw_reset(tw, ip, th, len, now);
		return;
	}
	tw->substate = TCP_TIME_WAIT;
	tw->s->nfinwait2--;
	tw->rcv_nxt = end;
	if (th->has_ts) {
		tw->ts_recent = th->tsval;
		tw->ts_recent_stamp = now;
	}
	tw_schedule(tw, now + TCP_TIMEWAIT_LEN);
	tcp_tw_ack(tw, now);
}

/* TCP_TW_SYN: its numbers begin beyond those of the old one.  False: nobody listens. */
static bool tw_new_incarnation(struct tcp_tw *tw, const struct seg_in *seg)
{
	struct stack *s = tw->s;
	struct bind_owner *o = conntab_find_listener(&s->tab, &tw->ent.t, s->ifaces[seg->iface].oif);
	seq32 isn = tw->snd_nxt + 65535 + 2;

	if (!o)
		return false;
	tcp_tw_free(tw);
	if (seg->th->flags & TCPF_FIN) {
		count(s, CTR_tcp_unexpected);   /* the listener doesn't take it */
		return true;
	}
	tcp_req_syn(container_of(o, struct tcp_conn, bind), seg, isn ? isn : 1);
	return true;
}

/* tcp_timewait_state_process(). */
void tcp_tw_input(struct tcp_tw *tw, const struct seg_in *seg)
{
	struct stack *s = tw->s;
	const struct ip_hdr *ip = seg->ip;
	const struct tcp_hdr *th = seg->th;
	size_t len = seg->len;
	xtime now = seg->now;
	bool is_paws = tw_paws_rejects(tw, th, now);
	bool is_bare = !len && !(th->flags & (TCPF_SYN | TCPF_FIN));

	if (tw->substate == TCP_FIN_WAIT2) {
		tw_finwait2(tw, ip, th, len, is_paws, now);
		return;
	}
	if (!is_paws && th->seq == tw->rcv_nxt && (is_bare || th->flags & TCPF_RST)) {
		if (th->flags & TCPF_RST) {
			/* RFC 1337: a reset must not shorten TIME-WAIT, if asked for. */
			if (!s->set.tcp_rfc1337) {
				tcp_tw_free(tw);
				return;
			}
		} else {
			tw_schedule(tw, now + TCP_TIMEWAIT_LEN);
		}
		if (th->has_ts) {
			tw->ts_recent = th->tsval;
			tw->ts_recent_stamp = now;
		}
		return;
	}
	if (tw_syn_is_new(tw, th, is_paws)) {
		if (tw_new_incarnation(tw, seg))
			return;
		tcp_tw_ack(tw, now);
		return;
	}
	if (is_paws)
		count(s, CTR_TcpExtPAWSTimewait);
	if (th->flags & TCPF_RST)
		return;
	/* An old duplicate, or the FIN again: tell once more where we stand. */
	if (is_paws || th->flags & TCPF_ACK)
		tw_schedule(tw, now + TCP_TIMEWAIT_LEN);
	tw_answer(tw, th, len, CTR_TcpExtTCPACKSkippedTimeWait, now);
}
