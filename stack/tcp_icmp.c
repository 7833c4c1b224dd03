/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_icmp.c - what ICMP and unresolved next hops mean for a connection: Linux's
 * tcp_v4_err(), with the checks of RFC 5927.  While the SYN is under way an error
 * ends the attempt; on an open connection it is soft: kept, and reported only if
 * the connection times out.
 */
#include "tcp_listen.h"

#include <errno.h>

/* icmp_err_convert[] of Linux: by code of "destination unreachable".  What it calls fatal is no matter
 * to TCP. */
static const uint16_t unreach_err[16] = {
	ENETUNREACH, EHOSTUNREACH, ENOPROTOOPT, ECONNREFUSED, EMSGSIZE, EOPNOTSUPP, ENETUNREACH, EHOSTDOWN,
	ENONET, ENETUNREACH, EHOSTUNREACH, ENETUNREACH, EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH,
};

/* tcp_v4_mtu_reduced(). */
static void mtu_reduced(struct tcp_conn *c, uint32_t mtu, xtime now)
{
	ip4 dst = tcp_first_hop(c);
	uint32_t old = c->snd.mss_cache;

	/* inet_csk_update_pmtu(): it counts for the whole host, whatever this socket wants. */
	ip_set_pmtu(c->s, dst, mtu, now);
	mtu = ip_mtu(c->s, &c->rt, dst, now);
	if (c->opt.pmtudisc == IP_PMTUDISC_DONT || c->opt.pmtudisc == IP_PMTUDISC_INTERFACE ||
	    c->opt.pmtudisc == IP_PMTUDISC_OMIT || c->pmtu <= mtu)
		return;
	tcp_sync_mss(c, mtu);
	if (c->snd.mss_cache >= old || (c->state == TCP_SYN_SENT && c->snd.txq.n < 2))
		return;
	/* A SYN and its data left as one. */
	if (c->state == TCP_SYN_SENT) {
		tcp_syn_again(c);
		tcp_mark_lost(c, txq_at(&c->snd.txq, 1));
		tcp_rexmit_set(c, REXMIT_RTO, now + c->rtt.rto_ns);
	}
	tcp_simple_retransmit(c, now);
}

/* The errno, 0 when the message says nothing to TCP. */
static int convert(uint8_t type, uint8_t code)
{
	switch (type) {
	case ICMP_UNREACH:
		return code < ARRAY_LEN(unreach_err) ? unreach_err[code] : 0;
	case ICMP_PARAM_PROBLEM:
		return EPROTO;
	case ICMP_TIME_EXCEEDED:
		return EHOSTUNREACH;
	default:
		return 0;
	}
}

/* tcp_ld_RTO_revert(): RFC 6069, the network says why nothing came back. */
static void revert_rto(struct tcp_conn *c, xtime now)
{
	struct tx_seg *head;
	xtime rto;

	if (!c->snd.retransmits || !c->snd.backoff || !c->snd.txq.n)
		return;
	c->snd.backoff--;
	rto = c->rtt.srtt8_us ? ((xtime)(c->rtt.srtt8_us >> 3) + c->rtt.rttvar_us) * XTIME_USEC : TCP_RTO_INITIAL;
	c->rtt.rto_ns = MIN(rto << MIN(c->snd.backoff, 20), tcp_rto_max(c));
	head = txq_at(&c->snd.txq, 0);
	tcp_rexmit_set(c, REXMIT_RTO, MAX(head->sent + c->rtt.rto_ns, now));
}

static void conn_icmp(struct tcp_conn *c, seq32 seq, uint8_t type, uint8_t code, uint32_t mtu, xtime now)
{
	int err = convert(type, code);

	/* RFC 5927 4.1: only about something that is outstanding. */
	if (!(seq_le(c->snd.una, seq) && seq_le(seq, c->snd.nxt))) {
		count(c->s, CTR_icmp_stale);
		return;
	}
	if (!err) {
		count(c->s, CTR_icmp_type);
		return;
	}
	count(c->s, CTR_icmp_error_in);
	if (type == ICMP_UNREACH && code == ICMP_UNREACH_NEEDFRAG) {
		mtu_reduced(c, mtu, now);
		return;
	}
	if (type == ICMP_UNREACH && code <= 1)
		revert_rto(c, now);
	if (conn_in(c, ST(SYN_SENT) | ST(SYN_RECV)))
		tcp_done_err(c, err, now);
	else if (c->opt.recverr) {
		c->err = (uint16_t)err;
		c->edges++;
		tcp_report(c);
	} else {
		c->err_soft = (uint16_t)err;
	}
}

void tcp_icmp(struct stack *s, const struct tuple *t, seq32 seq, uint8_t type, uint8_t code,
              uint32_t mtu, xtime now)
{
	struct ent *e = conntab_find(&s->tab, t);

	if (e && e->kind == ENT_REQUEST) {
		tcp_req_icmp(container_of(e, struct tcp_req, ent), seq, type, code);
		return;
	}
	if (!e || e->kind != ENT_CONN) {
		count(s, e ? CTR_icmp_error_in : CTR_icmp_quote);   /* to a TIME-WAIT it is no news */
		return;
	}
	conn_icmp(container_of(e, struct tcp_conn, ent), seq, type, code, mtu, now);
	tcp_timer_update(container_of(e, struct tcp_conn, ent));
	tcp_free_if_gone(container_of(e, struct tcp_conn, ent));
}

void tcp_neigh_done(struct stack *s, struct neigh *n, int err, xtime now)
{
	(void)s;
	while (!list_is_empty(&n->waiters)) {
		struct tcp_conn *c = container_of(n->waiters.next, struct tcp_conn, out_link);

		list_remove(&c->out_link);
		c->is_blocked = false;
		if (err) {
			conn_icmp(c, c->snd.una, ICMP_UNREACH, 1, 0, now);
			/* What waits asks again at once: in Linux its time-out, which the error
			 * takes back (RFC 6069), is over by now.  The probes' end is its end. */
			tcp_check_probe(c, now);
			tcp_want_output(c);
			tcp_timer_update(c);
			tcp_free_if_gone(c);
		} else {
			tcp_want_output(c);
		}
	}
}
