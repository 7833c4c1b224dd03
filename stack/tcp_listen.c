/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_listen.c - passive open: inet_listen(), the queue of connections that are
 * ready, inet_csk_accept(), and the children (tcp_v4_syn_recv_sock).
 */
#include "tcp_listen.h"

#include <errno.h>
#include <stdlib.h>

static struct tcp_conn *child_of(struct list *l)
{
	return container_of(l, struct tcp_conn, event_link);
}

int tcp_listen(struct tcp_conn *c, int backlog, ip4 *claim_addr, uint16_t *claim_port, xtime now)
{
	uint32_t most = (uint32_t)c->s->set.somaxconn;
	uint32_t max = MIN((uint32_t)backlog, most);   /* negative: the most */
	int ret;

	if (c->is_connected || c->was_connecting)
		return -EINVAL;
	if (c->state == TCP_LISTEN) {
		c->listener->backlog = max;
		return 0;
	}
	if (c->state != TCP_CLOSE)
		return -EINVAL;
	if (!conntab_port(&c->bind)) {
		ret = tcp_bind(c, c->ent.t.laddr, 0, true, claim_addr, claim_port, now);
		if (ret < 0)
			return ret;
	}
	c->bind.reuse = c->opt.reuseaddr;
	c->bind.reuseport = c->opt.reuseport;
	ret = conntab_may_listen(&c->s->tab, &c->bind);
	if (ret < 0)
		return ret;
	c->listener = calloc(1, sizeof(*c->listener));
	if (!c->listener)
		return -ENOMEM;
	list_init(&c->listener->ready);
	list_init(&c->listener->reqs);
	c->listener->backlog = max;
	tcp_fastopen_listen(c, max);
	conntab_listen(&c->s->tab, &c->bind, true);
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
	list_remove(&c->event_link);
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
	list_remove(&c->event_link);
	tcp_listen_confirmed(c);
	c->parent = NULL;
	if (c->state != TCP_CLOSE) {
		tcp_send_active_reset(c, now);
		tcp_set_state(c, TCP_CLOSE, now);
	}
	c->is_released = true;
	tcp_free_if_gone(c);
}

/* inet_csk_listen_stop().  What is in the SYN queue goes without a word. */
void tcp_listen_stop(struct tcp_conn *l, xtime now)
{
	struct listener *ls = l->listener;

	if (!ls)
		return;
	while (!list_is_empty(&ls->ready))
		child_kill(child_of(ls->ready.next), now);
	while (!list_is_empty(&ls->reqs))
		tcp_req_drop(container_of(ls->reqs.next, struct tcp_req, link));
	conntab_listen(&l->s->tab, &l->bind, false);
	l->listener = NULL;
	free(ls);
}

void tcp_listen_free(struct tcp_conn *l)
{
	while (l->listener && !list_is_empty(&l->listener->reqs))
		tcp_req_drop(container_of(l->listener->reqs.next, struct tcp_req, link));
	free(l->listener);
	l->listener = NULL;
}

void tcp_listen_counts(const struct tcp_conn *l, uint32_t *ready, uint32_t *backlog)
{
	*ready = l->listener ? l->listener->nready : 0;
	*backlog = l->listener ? l->listener->backlog : 0;
}

/* A child has died.  Linux leaves one that was established in the queue: accept() gives
 * it, and the first read tells. */
void tcp_listen_child_gone(struct tcp_conn *c)
{
	if (list_is_linked(&c->event_link))
		return;
	c->parent = NULL;
	c->is_released = true;
}

void tcp_listen_confirmed(struct tcp_conn *c)
{
	if (tcp_fo(c)->is_pending && c->parent)
		c->parent->listener->npending--;
	if (c->fo)
		c->fo->is_pending = false;
}

/* inet_csk_reqsk_queue_add() */
void tcp_child_queue(struct tcp_conn *c)
{
	struct listener *ls = c->parent->listener;

	ls->nready++;
	list_append(&ls->ready, &c->event_link);
	c->is_connected = true;
	c->parent->edges++;
	tcp_report(c->parent);
}

/* ---- children ---- */

/* What a connection inherits from its listener: all that was set (inet_csk_clone_lock) but
 * SO_PRIORITY (sk_clone_lock), what belongs to the queue, and the IP options, which are the peer's. */
static int child_inherit(struct tcp_conn *c, struct tcp_conn *l)
{
	if (cc_assign(c, l->cc.ops) < 0)
		return -ENOMEM;
	c->opt = l->opt;   /* with the algorithm's mark */
	tcp_rareopts_share(c);
	c->opt.priority = 0;
	c->opt.defer_accept = 0;
	c->shut = l->shut;       /* shutdown() of a socket that was closed, before it listened */
	c->parent = l;
	c->bind.addr = c->ent.t.laddr;
	c->bind.oif = l->bind.oif;
	c->bind.reuse = l->bind.reuse;
	c->bind.reuseport = l->bind.reuseport;
	c->bind.uid = l->bind.uid;
	c->addr_bound = l->addr_bound;
	return 0;
}

/* What the handshake has settled (tcp_create_openreq_child). */
static void child_take_req(struct tcp_conn *c, struct tcp_req *r, xtime now)
{
	c->opt.tos = r->tos;
	c->saved_syn = r->saved_syn;
	r->saved_syn = NULL;
	c->peer_mss = r->peer_mss;
	c->advmss = r->advmss;
	c->ts_ok = r->ts_ok;
	c->sack_ok = r->sack_ok;
	c->wscale_ok = r->wscale_ok;
	c->snd_wscale = r->snd_wscale;
	c->rcv_wscale = r->rcv_wscale;
	c->ts_offset = r->ts_offset;
	c->ecn.is_ok = r->ecn_ok;
	if (c->ts_ok) {
		c->ts_recent = r->ts_recent;
		c->ts_recent_stamp = now;
	}
	c->rcv.irs = r->irs;
	c->rcv.nxt = c->rcv.wup = c->rcv.copied = r->irs + 1;
	c->rcv.wnd = c->rcv.ssthresh = r->rcv_wnd;
	c->rcv.window_clamp = r->window_clamp;
	c->rcv.oow_ack_time = r->oow_ack_time;
	c->snd.wl1 = r->irs;
	c->snd.wnd = c->snd.max_wnd = r->wnd;
	c->snd.iss = c->snd.una = c->snd.nxt = r->iss;
	c->snd.q_seq = c->snd.sml = c->snd.pushed = r->iss + 1;
	c->snd.total_retrans = r->nretrans;
	c->rcv.segs_in = 1;   /* the SYN */
	tcp_sync_mss(c, ip_mtu(c->s, &c->rt, c->ent.t.raddr, now));
	tcp_init_rcv_mss(c);
	if (r->ntimeout) {
		c->snd.total_rto = r->ntimeout;
		c->snd.rto_recoveries = 1;
		c->snd.rto_time = now - r->sent;
		c->snd.retrans_stamp = r->sent;
		c->loss.undo_on = true;
	}
}

/* The SYN-ACK is what it has in flight.  Its round-trip time is known if it went once. */
static void child_syn_sent(struct tcp_conn *c, const struct tcp_req *r)
{
	tcp_syn_sent_now(c, r->sent);
	if (c->snd.txq.n && (r->nretrans || r->is_cookie))
		txq_at(&c->snd.txq, 0)->flags |= SEG_EVER_RETRANS;
}

struct tcp_conn *tcp_child_new(struct tcp_req *r, xtime now)
{
	struct stack *s = r->s;
	struct tcp_conn *c = tcp_alloc(s, now);

	if (!c) {
		count(s, CTR_tcp_nomem);
		return NULL;
	}
	c->ent.t = r->ent.t;
	if (child_inherit(c, r->l) < 0 || tcp_set_ip_opts(c, &r->ip_opts) < 0 || (r->is_fast && !tcp_fo_own(c))) {
		count(s, CTR_tcp_nomem);
		goto no_child;
	}
	if (ip_route(s, tcp_first_hop(c), c->ent.t.laddr, tcp_oif(r->l), c->opt.tos, &c->rt) < 0 ||
	    conntab_bind_inherit(&s->tab, &c->bind, c->ent.t.lport) < 0) {
		count(s, CTR_ip_no_route);
		goto no_child;
	}
	if (r->ent.is_hashed) {
		conntab_replace(&s->tab, &r->ent, &c->ent);
	} else if (conntab_insert(&s->tab, &c->ent) < 0) {
		count(s, CTR_tcp_nomem);
		goto no_child;
	}
	c->has_route = true;
	c->ip_id = (uint16_t)stack_random(s);
	c->rcv.segs_in = 1;   /* the SYN counts, as Linux 6.18 shows it */
	child_take_req(c, r, now);
	count(s, CTR_TcpPassiveOpens);
	tcp_set_state(c, TCP_SYN_RECV, now);
	child_syn_sent(c, r);
	return c;

no_child:
	c->parent = NULL;
	c->is_released = true;
	tcp_free_if_gone(c);
	return NULL;
}

void tcp_child_process(struct tcp_conn *c, const struct seg_in *seg)
{
	struct stack *s = c->s;
	struct tuple t = c->ent.t;
	struct ent *e;

	tcp_conn_input(c, seg);
	/* It may be gone; or out of memory for the queue of what it sent, so that the ACK was for
	 * nothing: then nobody would ever hear of it. */
	e = conntab_find(&s->tab, &t);
	if (!e || e->kind != ENT_CONN)
		return;
	c = container_of(e, struct tcp_conn, ent);
	if (c->state == TCP_SYN_RECV && c->parent && !list_is_linked(&c->event_link))
		tcp_done(c, seg->now);
	tcp_free_if_gone(c);
}

/* RFC 9293 3.10.7.2. */
void tcp_listen_input(struct tcp_conn *l, const struct seg_in *seg)
{
	uint16_t flags = seg->th->flags;
	enum tcp_cookie cookie = COOKIE_NONE;

	if ((flags & (TCPF_SYN | TCPF_ACK | TCPF_RST)) == TCPF_ACK)
		cookie = tcp_cookie_ack(l, seg);
	if (cookie != COOKIE_NONE)
		return;
	if (flags & TCPF_ACK && !tcp_may_reset(l->s, seg->th)) {
		count(l->s, CTR_tcp_foreign);
	} else if (flags & TCPF_ACK) {
		count(l->s, flags & TCPF_RST ? CTR_tcp_unexpected : CTR_tcp_no_socket);
		tcp_reply_reset(l->s, seg->ip, seg->th, 0, seg->now);
	} else if (flags & TCPF_SYN && !(flags & (TCPF_RST | TCPF_FIN))) {
		tcp_req_syn(l, seg, 0);
	} else {
		count(l->s, CTR_tcp_unexpected);
	}
}
