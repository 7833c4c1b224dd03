/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_listen.c - passive open: inet_listen(), the children that shake hands, the
 * queue of those that are ready, inet_csk_accept().
 *
 * A child is a whole connection from its SYN on, in SYN-RECEIVED, with `parent`
 * pointing at the listener; both the children in handshake and those that wait to
 * be accepted are bounded by the backlog.
 */
#include "tcp_impl.h"

#include <errno.h>
#include <stdlib.h>

#define SOMAXCONN_LINUX 4096

struct listener {
	struct list ready;       /* struct tcp_conn.accept_link: established, oldest first */
	struct list shaking;     /* struct tcp_conn.accept_link: in SYN-RECEIVED */
	uint32_t nready, nshaking, backlog;
	uint32_t npending;       /* of the ready ones: by Fast Open, not confirmed yet */
};

static struct tcp_conn *child_of(struct list *l)
{
	return container_of(l, struct tcp_conn, accept_link);
}

int tcp_listen(struct tcp_conn *c, int backlog, ip4 *claim_addr, uint16_t *claim_port, xtime now)
{
	uint32_t max = (unsigned)backlog > SOMAXCONN_LINUX ? SOMAXCONN_LINUX : (uint32_t)backlog;
	int ret;

	if (c->state == TCP_LISTEN) {
		c->listener->backlog = max;
		return 0;
	}
	if (c->state != TCP_CLOSE || c->was_connecting || c->is_connected)
		return -EINVAL;
	if (!conntab_port(&c->bind)) {
		ret = tcp_bind(c, c->ent.t.laddr, 0, true, claim_addr, claim_port, now);
		if (ret < 0)
			return ret;
	}
	c->bind.reuse = c->opt.reuseaddr;
	ret = conntab_may_listen(&c->s->tab, &c->bind);
	if (ret < 0)
		return ret;
	c->listener = calloc(1, sizeof(*c->listener));
	if (!c->listener)
		return -ENOMEM;
	list_init(&c->listener->ready);
	list_init(&c->listener->shaking);
	c->listener->backlog = max;
	tcp_fastopen_listen(c, max);
	c->bind.is_listening = true;
	tcp_set_state(c, TCP_LISTEN, now);
	return 0;
}

bool tcp_listen_has_child(const struct tcp_conn *l)
{
	return l->listener->nready > 0;
}

struct tcp_conn *tcp_accept(struct tcp_conn *l, int *err, xtime now)
{
	struct tcp_conn *c;

	(void)now;
	if (l->state != TCP_LISTEN) {
		*err = -EINVAL;
		return NULL;
	}
	if (!l->listener->nready) {
		*err = -EAGAIN;
		return NULL;
	}
	c = child_of(l->listener->ready.next);
	list_remove(&c->accept_link);
	l->listener->nready--;
	tcp_listen_confirmed(c);
	c->parent = NULL;
	c->is_connected = true;
	c->is_released = false;
	tcp_report(c);
	tcp_report(l);
	return c;
}

/* A child that nobody will accept: reset (inet_child_forget). */
static void child_kill(struct tcp_conn *c, xtime now)
{
	list_remove(&c->accept_link);
	tcp_listen_confirmed(c);
	c->parent = NULL;
	if (c->state != TCP_CLOSE) {
		tcp_send_active_reset(c, now);
		tcp_set_state(c, TCP_CLOSE, now);
	}
	c->is_released = true;
	tcp_free_if_gone(c);
}

void tcp_listen_stop(struct tcp_conn *l, xtime now)
{
	struct listener *ls = l->listener;

	if (!ls)
		return;
	while (!list_is_empty(&ls->ready))
		child_kill(child_of(ls->ready.next), now);
	while (!list_is_empty(&ls->shaking))
		child_kill(child_of(ls->shaking.next), now);
	l->bind.is_listening = false;
	l->listener = NULL;
	free(ls);
}

void tcp_listen_counts(const struct tcp_conn *l, uint32_t *ready, uint32_t *backlog)
{
	*ready = l->listener ? l->listener->nready : 0;
	*backlog = l->listener ? l->listener->backlog : 0;
}

/* A child in handshake or in the queue has died. */
void tcp_listen_child_gone(struct tcp_conn *c)
{
	struct listener *ls = c->parent->listener;

	/* Linux leaves an established child that was reset in the queue: accept() gives
	 * it, and the first read tells. */
	if (list_is_linked(&c->accept_link) && c->is_connected)
		return;
	list_remove(&c->accept_link);
	ls->nshaking--;
	c->parent = NULL;
	c->is_released = true;
}

void tcp_listen_confirmed(struct tcp_conn *c)
{
	if (c->fo.is_pending && c->parent)
		c->parent->listener->npending--;
	c->fo.is_pending = false;
}

bool tcp_listen_ready(struct tcp_conn *c, xtime now)
{
	struct listener *ls = c->parent->listener;

	(void)now;
	if (ls->nready > ls->backlog)
		return false;   /* the SYN-ACK will be sent again */
	list_remove(&c->accept_link);
	ls->nshaking--;
	ls->nready++;
	list_append(&ls->ready, &c->accept_link);
	c->is_connected = true;
	c->parent->edges++;
	tcp_report(c->parent);
	return true;
}

/* What a connection inherits from its listener (inet_csk_clone_lock). */
static void child_inherit(struct tcp_conn *c, const struct tcp_conn *l)
{
	c->opt = l->opt;
	c->cc.ops = l->cc.ops;   /* its mark is among the options */
	c->opt.ip_opts.len = 0;
	c->opt.ip_opts.srr = 0;
	c->parent = (struct tcp_conn *)l;
	c->bind.addr = c->ent.t.laddr;
	c->bind.reuse = l->bind.reuse;
	c->bind.reuseport = l->bind.reuseport;
	c->bind.uid = l->bind.uid;
}

static void child_take_syn(struct tcp_conn *c, const struct tcp_hdr *th, xtime now)
{
	const struct settings *set = &c->s->set;

	c->peer_mss = th->has_mss && th->mss ? th->mss : TCP_MSS_DEFAULT;
	if (c->opt.user_mss)
		c->peer_mss = MIN(c->peer_mss, c->opt.user_mss);
	c->wscale_ok = th->has_wscale && set->tcp_window_scaling;
	c->snd_wscale = c->wscale_ok ? th->wscale : 0;
	c->sack_ok = th->sack_permitted && set->tcp_sack;
	c->ts_ok = th->has_ts && set->tcp_timestamps;
	if (c->ts_ok) {
		c->ts_recent = th->tsval;
		c->ts_recent_stamp = now;
	}
	c->rcv.irs = th->seq;
	c->rcv.nxt = c->rcv.wup = c->rcv.copied = th->seq + 1;
	c->snd.wl1 = th->seq;
	c->snd.wnd = c->snd.max_wnd = th->wnd;
	c->advmss = tcp_advertised_mss(c);
	tcp_init_rcv_window(c);
	if (!c->wscale_ok) {
		c->rcv_wscale = 0;
		c->rcv.window_clamp = MIN(c->rcv.window_clamp, 65535u);
	}
	tcp_sync_mss(c, ip_mtu(c->s, &c->rt, c->ent.t.raddr, now));
	c->rcv.rcv_mss = (uint16_t)MAX(MIN(MIN(c->advmss, c->snd.mss_cache), 536u), 88u);
}

/* tcp_fastopen_create_child(): the program may have it, and what came with the SYN, at once. */
static void fast_child(struct tcp_conn *c, const struct tcp_hdr *th, const uint8_t *data, size_t len,
                       xtime now)
{
	struct listener *ls = c->parent->listener;
	struct tcp_hdr h = *th;

	tcp_syn_sent_now(c, now);
	tcp_init_metrics(c, now);
	c->snd.sml = c->snd.una;   /* the SYN-ACK holds no data back (Nagle) */
	c->fo.is_child = c->fo.is_pending = true;
	c->is_connected = true;
	ls->npending++;
	list_remove(&c->accept_link);
	ls->nshaking--;
	ls->nready++;
	list_append(&ls->ready, &c->accept_link);
	if (len) {
		h.seq++;
		h.flags &= (uint16_t)~TCPF_SYN;
		tcp_data_queue(c, &h, data, len, 0, now);
		c->fo.syn_data_acked = true;
		/* It came before the delayed-ACK engine started (tcp_fastopen_add_skb). */
		c->rcv.ato = 0;
		c->rcv.quick = 0;
		c->rcv.wup = c->rcv.nxt;
		c->rcv.ack_scheduled = false;
		tcp_delack_clear(c);
		c->snd.out &= (uint8_t)~OUT_ACK;
	}
	c->parent->edges++;
	tcp_report(c->parent);
}

/* A SYN for a listener: a child that answers with SYN-ACK. */
static void listen_syn(struct tcp_conn *l, int iface, const struct ip_hdr *ip, const struct tcp_hdr *th,
                       const uint8_t *data, size_t len, xtime now)
{
	struct stack *s = l->s;
	struct listener *ls = l->listener;
	struct tcp_fo_option answer;
	struct tcp_conn *c;
	bool is_fast;

	(void)iface;
	if (ls->nshaking > MAX(ls->backlog, 8u) || ls->nready > ls->backlog) {
		count(s, CTR_tcp_accept_full);
		return;
	}
	c = tcp_alloc(s, now);
	if (!c) {
		count(s, CTR_tcp_nomem);
		return;
	}
	c->ent.t = (struct tuple){ .laddr = ip->dst, .raddr = ip->src, .lport = th->dport, .rport = th->sport };
	child_inherit(c, l);
	if (ip_route(s, ip->src, ip->dst, -1, l->opt.tos, &c->rt) < 0 ||
	    conntab_bind_inherit(&s->tab, &c->bind, th->dport) < 0 || conntab_insert(&s->tab, &c->ent) < 0) {
		count(s, CTR_ip_no_route);
		c->parent = NULL;
		c->is_released = true;
		tcp_free_if_gone(c);
		return;
	}
	c->has_route = true;
	child_take_syn(c, th, now);
	c->ecn.is_ok = tcp_ecn_accepts(l, ip->tos, th);
	c->ecn.field = ip->tos & 3;
	c->snd.iss = tcp_isn(s, &c->ent.t, now);
	c->ts_offset = tcp_ts_offset(s, &c->ent.t);
	c->snd.una = c->snd.nxt = c->snd.iss;
	c->snd.q_seq = c->snd.sml = c->snd.pushed = c->snd.iss + 1;
	tcp_set_state(c, TCP_SYN_RECV, now);
	list_append(&ls->shaking, &c->accept_link);
	ls->nshaking++;
	is_fast = tcp_fastopen_accepts(l, ip, th, len, ls->npending, &answer);
	c->fo.option = answer;
	c->snd.out |= OUT_SYN;
	if (is_fast)
		fast_child(c, th, data, len, now);
	tcp_want_output(c);
}

/* RFC 9293 3.10.7.2. */
void tcp_listen_input(struct tcp_conn *l, int iface, const struct ip_hdr *ip, const struct tcp_hdr *th,
                      const uint8_t *data, size_t len, xtime now)
{
	if (th->flags & TCPF_RST) {
		count(l->s, CTR_tcp_unexpected);
	} else if (th->flags & TCPF_ACK) {
		count(l->s, CTR_tcp_no_socket);
		tcp_reply_reset(l->s, ip, th, 0, now);
	} else if (th->flags & TCPF_SYN && !(th->flags & TCPF_FIN)) {
		listen_syn(l, iface, ip, th, data, len, now);
	} else {
		count(l->s, CTR_tcp_unexpected);
	}
}
