/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_ecn.c - explicit congestion notification, RFC 3168, as Linux has it: who agrees
 * to it in the handshake, what is marked, what CE, ECE and CWR mean.
 *
 * The ECN field that the next packet has are the low bits of opt.tos, where Linux
 * keeps them, too (INET_ECN_xmit, INET_ECN_dontxmit): IP_TOS reads them.
 */
#include "tcp_impl.h"

enum { ECN_NOT_ECT = 0, ECN_ECT0 = 2, ECN_CE = 3 };

#define ECN_SETUP (TCPF_ECE | TCPF_CWR)

void tcp_ecn_mark(struct tcp_conn *c, bool is_capable)
{
	c->opt.tos = (uint8_t)((c->opt.tos & ~ECN_CE) | (is_capable ? ECN_ECT0 : ECN_NOT_ECT));
}

/* ---- handshake: RFC 3168 6.1.1 ---- */

void tcp_ecn_connect(struct tcp_conn *c)
{
	c->ecn.is_ok = c->s->set.tcp_ecn == 1 || c->cc.ops->needs_ecn;
	c->ecn.has_cwr = c->ecn.has_echo = c->ecn.is_seen = false;
}

uint16_t tcp_ecn_syn_flags(const struct tcp_conn *c, bool is_again)
{
	if (!c->ecn.is_ok)
		return 0;
	if (c->state != TCP_SYN_SENT)
		return TCPF_ECE;
	return is_again && c->s->set.tcp_ecn_fallback ? 0 : ECN_SETUP;
}

void tcp_ecn_peer_syn(struct tcp_conn *c, const struct tcp_hdr *th)
{
	uint16_t want = th->flags & TCPF_ACK ? TCPF_ECE : ECN_SETUP;

	if ((th->flags & ECN_SETUP) != want)
		c->ecn.is_ok = false;
}

bool tcp_ecn_accepts(const struct tcp_conn *l, uint8_t tos, const struct tcp_hdr *th)
{
	if ((th->flags & ECN_SETUP) != ECN_SETUP)
		return false;
	/* A SYN is never ECN-capable but DCTCP's; Accurate ECN's has one flag more. */
	return l->cc.ops->needs_ecn ||
	       (l->s->set.tcp_ecn && ((tos & ECN_CE) == ECN_NOT_ECT || th->flags & TCPF_AE));
}

/* ---- sending ---- */

void tcp_ecn_send(struct tcp_conn *c, struct tcp_hdr *th, size_t len)
{
	if (!c->ecn.is_ok)
		return;
	if (len && !seq_lt(th->seq, c->snd.nxt)) {
		tcp_ecn_mark(c, true);
		if (c->ecn.has_cwr)
			th->flags |= TCPF_CWR;
	} else if (!c->cc.ops->needs_ecn) {
		tcp_ecn_mark(c, false);
	}
	if (c->ecn.has_echo)
		th->flags |= TCPF_ECE;
}

void tcp_ecn_queue_cwr(struct tcp_conn *c)
{
	c->ecn.has_cwr = c->ecn.is_ok;
}

/* ---- receiving ---- */

void tcp_ecn_received(struct tcp_conn *c, size_t len, uint32_t n)
{
	if (!c->ecn.field)
		return;
	if (!c->ecn.is_ok)
		c->ecn.is_seen = true;
	if (c->ecn.field == ECN_CE)
		c->ecn.received_ce += n;
	c->ecn.received_bytes[c->ecn.field - 1] += (uint32_t)len;
}

/* tcp_data_ecn_check(). */
void tcp_ecn_data(struct tcp_conn *c, xtime now)
{
	bool is_ce = c->ecn.field == ECN_CE;

	if (!c->ecn.is_ok)
		return;
	if (c->ecn.field == ECN_NOT_ECT) {
		/* It was marked before: this is a retransmission. */
		if (c->ecn.is_seen)
			tcp_enter_quickack(c, 2);
		return;
	}
	c->ecn.is_seen = true;
	if (c->cc.ops->needs_ecn && c->cc.ops->event)
		c->cc.ops->event(c, is_ce ? CC_EV_ECN_IS_CE : CC_EV_ECN_NO_CE, now);
	if (is_ce && !c->ecn.has_echo) {
		tcp_enter_quickack(c, 2);
		c->ecn.has_echo = true;
	}
}

void tcp_ecn_accept_cwr(struct tcp_conn *c, const struct tcp_hdr *th, bool has_text)
{
	if (!c->ecn.is_ok || !(th->flags & TCPF_CWR))
		return;
	c->ecn.has_echo = false;
	/* The peer's window may be down to one segment. */
	if (has_text)
		c->rcv.ack_now = true;
}
