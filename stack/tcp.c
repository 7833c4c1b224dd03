/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp.c - the life of a socket: from tcp_open() to the last free.
 *
 * tcp_set_state() is the only place where a state changes:
 *
 *                 tcp_connect          tcp_listen
 *      SYN_SENT <------------ CLOSED -------------> LISTEN
 *        |   |                  ^                      | SYN (a child)
 *        |   | SYN (both open)  | RST, time-out,       v
 *        |   +------------------|--------------> SYN_RECV
 *        | SYN+ACK              | tcp_done()           | ACK
 *        +-----------------> ESTABLISHED <-------------+
 *              tcp_close   |            |  FIN
 *            FIN_WAIT1 <---+            +--> CLOSE_WAIT
 *       ACK |   | FIN                          | tcp_close
 *           v   v                              v
 *   FIN_WAIT2   CLOSING                     LAST_ACK
 *       FIN |      | ACK                       | ACK
 *           v      v                           v
 *        TIME_WAIT (a struct tcp_tw)         CLOSED
 *
 * A socket has two holders: the program (until tcp_release()) and the protocol
 * (until CLOSED).  The memory goes when both have let go, and only at the end of
 * an entry point (tcp_free_if_gone), never in the middle of one.
 */
#include "tcp_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Everything that belongs to one connection rather than to the socket. */
static void conn_init_protocol(struct tcp_conn *c, xtime now)
{
	memset(&c->snd, 0, sizeof(c->snd));
	memset(&c->rcv, 0, sizeof(c->rcv));
	memset(&c->rtt, 0, sizeof(c->rtt));
	memset(&c->loss, 0, sizeof(c->loss));
	memset(&c->rate, 0, sizeof(c->rate));
	c->rate.app_limited = UINT32_MAX;   /* tcp_init_sock(): until something has been delivered */
	c->rate.is_app_limited = true;
	ring_init(&c->snd.q);
	ring_init(&c->rcv.q);
	c->snd.rexmit_at = c->rcv.delack_at = c->rcv.comp_at = c->keep_at = c->trim_at = XTIME_NEVER;
	c->snd.pace_at = 0;
	c->keep_probes = 0;
	c->rcv.ato = 0;
	c->rcv.scaling_ratio = 128;   /* TCP_DEFAULT_SCALING_RATIO */
	c->peer_mss = TCP_MSS_DEFAULT;
	c->snd.mss_cache = TCP_MSS_DEFAULT;
	c->ts_asked = c->ts_ok = c->sack_ok = c->wscale_ok = c->dsack_seen = false;
	c->snd_wscale = c->rcv_wscale = 0;
	c->ts_recent = 0;
	c->ts_recent_stamp = 0;
	c->loss.reordering = (uint32_t)c->s->set.tcp_reordering;
	c->cc.cwnd = TCP_INIT_CWND;
	c->cc.ssthresh = TCP_CWND_INFINITE;
	c->cc.cwnd_clamp = UINT32_MAX;
	c->cc.cwnd_cnt = c->cc.cwnd_used = 0;
	c->cc.max_packets_out = 0;
	c->cc.is_cwnd_limited = false;
	c->cc.cwnd_stamp = now;
	cc_reset(c);
	c->has_route = false;
	tcp_rtt_init(c);
}

static void conn_free_protocol(struct tcp_conn *c)
{
	txq_free(&c->snd.txq);
	tcp_marks_free(c);
	ring_free(&c->snd.q);
	ring_free(&c->rcv.q);
	tcp_ofo_free(c);
	free(c->mtup);
	c->mtup = NULL;
	c->rcv.rmem = 0;
	tcp_mem_charge(c);
}

static void conn_init_options(struct tcp_conn *c)
{
	const struct settings *set = &c->s->set;

	c->opt.linger_s = -1;
	c->opt.sndbuf = (uint32_t)set->tcp_wmem_default;
	c->opt.rcvbuf = (uint32_t)set->tcp_rmem_default;
	c->opt.rcvlowat = 1;
	c->opt.peek_off = -1;
	c->opt.pmtudisc = set->ip_no_pmtu_disc ? IP_PMTUDISC_DONT : IP_PMTUDISC_WANT;
	c->opt.rare = &tcp_rareopts_default;
	c->cc.pacing_rate = UINT64_MAX;
}

struct tcp_conn *tcp_alloc(struct stack *s, xtime now)
{
	struct tcp_conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->s = s;
	c->cookie = ++s->last_cookie;
	c->ent.kind = ENT_CONN;
	timer_init(&c->timer, TIMER_CONN);
	conn_init_options(c);
	if (timers_grow(&s->timers, s->nconn + s->ntw + s->nreq + s->neighs.n + 2) < 0 || cc_assign(c, s->cc) < 0) {
		free(c);
		return NULL;
	}
	list_init(&c->out_link);
	list_init(&c->event_link);
	list_init(&c->tx_link);
	list_append(&s->conns, &c->all_link);
	s->nconn++;
	c->state = TCP_CLOSE;
	c->opened_at = now;
	conn_init_protocol(c, now);
	return c;
}

struct tcp_conn *tcp_open(struct stack *s, xtime now)
{
	return tcp_alloc(s, now);
}

static void conn_free(struct tcp_conn *c)
{
	struct stack *s = c->s;

	conntab_remove(&s->tab, &c->ent);
	conntab_unbind(&s->tab, &c->bind);
	timer_cancel(&s->timers, &c->timer);
	list_remove(&c->all_link);
	list_remove(&c->out_link);
	list_remove(&c->event_link);
	txdev_forget(c);
	conn_free_protocol(c);
	free(c->saved_syn);
	free(c->fo);
	tcp_rareopts_drop(c);
	cc_drop(c);
	s->nconn--;
	free(c);
}

void tcp_free_if_gone(struct tcp_conn *c)
{
	if (c->is_released && c->state == TCP_CLOSE)
		conn_free(c);
}

void tcp_free_all(struct stack *s)
{
	struct list *l, *next;

	/* Children are linked to their listeners, whichever goes first. */
	for (l = s->conns.next; l != &s->conns; l = l->next)
		list_remove(&container_of(l, struct tcp_conn, all_link)->event_link);
	for (l = s->conns.next; l != &s->conns; l = next) {
		struct tcp_conn *c = container_of(l, struct tcp_conn, all_link);

		next = l->next;
		tcp_listen_free(c);
		conn_free(c);
	}
	while (!list_is_empty(&s->tws))
		tcp_tw_free(container_of(s->tws.next, struct tcp_tw, link));
}

void tcp_set_uid(struct tcp_conn *c, uint32_t uid) { c->bind.uid = uid; }
void tcp_set_user(struct tcp_conn *c, void *user) { c->user = user; }
void *tcp_user(const struct tcp_conn *c) { return c->user; }
struct stack *tcp_stack(const struct tcp_conn *c) { return c->s; }
int tcp_state(const struct tcp_conn *c) { return c->state; }
int tcp_linger(const struct tcp_conn *c) { return c->opt.linger_s; }
uint32_t tcp_edges(const struct tcp_conn *c) { return c->edges; }
uint32_t tcp_urgents(const struct tcp_conn *c) { return c->urgents; }

void tcp_report(struct tcp_conn *c)
{
	if (!c->is_released && !c->parent && !list_is_linked(&c->event_link))
		list_append(&c->s->eventq, &c->event_link);
}

/* sk_state_change(): whoever waits for this socket looks again. */
static void conn_wake(struct tcp_conn *c)
{
	c->edges++;
	tcp_report(c);
}

/* What CurrEstab counts: RFC 4022. */
static uint32_t is_estab(uint8_t state)
{
	return state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT;
}

void tcp_set_state(struct tcp_conn *c, uint8_t state, xtime now)
{
	struct stack *s = c->s;
	uint8_t old = c->state;

	if (old == state)
		return;
	c->state = state;
	s->nestab += is_estab(state) - is_estab(old);
	if (state != TCP_CLOSE)
		return;
	tcp_fastopen_ended(c, now);
	if (old == TCP_ESTABLISHED || old == TCP_CLOSE_WAIT)
		count(s, CTR_TcpEstabResets);
	if (c->is_dead && old != TCP_LISTEN)
		s->norphan--;
	conntab_remove(&s->tab, &c->ent);
	if (!c->port_bound)
		conntab_unbind(&s->tab, &c->bind);
	list_remove(&c->out_link);
	c->is_blocked = false;
	c->snd.out = 0;
	tcp_rexmit_clear(c);
	tcp_delack_clear(c);
	c->rcv.comp_at = XTIME_NEVER;
	tcp_keep_set(c, XTIME_NEVER);
	c->opened_at = now;
}

static void conn_end(struct tcp_conn *c, xtime now)
{
	bool is_child = c->parent != NULL;

	tcp_set_state(c, TCP_CLOSE, now);
	c->shut = SHUT_BOTH_BITS;
	c->snd.backoff = 0;   /* tcp_write_queue_purge() */
	txq_free(&c->snd.txq);
	tcp_marks_free(c);
	tcp_forget_flight(c);
	ring_free(&c->snd.q);
	tcp_mem_charge(c);
	if (is_child)
		tcp_listen_child_gone(c);
	conn_wake(c);
}

/* What a program itself gives up while it connects is no failed attempt. */
void tcp_done(struct tcp_conn *c, xtime now)
{
	if (conn_in(c, ST(SYN_SENT) | ST(SYN_RECV)))
		count(c->s, CTR_TcpAttemptFails);
	conn_end(c, now);
}

void tcp_done_err(struct tcp_conn *c, int err, xtime now)
{
	c->err = (uint16_t)err;
	tcp_done(c, now);
}

void tcp_reset(struct tcp_conn *c, xtime now)
{
	switch (c->state) {
	case TCP_SYN_SENT:
		tcp_done_err(c, ECONNREFUSED, now);
		break;
	case TCP_CLOSE_WAIT:
		tcp_done_err(c, EPIPE, now);
		break;
	case TCP_CLOSE:
		break;
	default:
		tcp_done_err(c, ECONNRESET, now);
		break;
	}
}

void tcp_fin(struct tcp_conn *c, xtime now)
{
	c->rcv.ack_scheduled = true;
	c->shut |= SHUT_RCV_BIT;
	switch (c->state) {
	case TCP_SYN_RECV:
	case TCP_ESTABLISHED:
		tcp_set_state(c, TCP_CLOSE_WAIT, now);
		c->rcv.pingpong = (uint8_t)c->s->set.tcp_pingpong_thresh;
		break;
	case TCP_FIN_WAIT1:   /* simultaneous close */
		tcp_send_ack(c);
		tcp_set_state(c, TCP_CLOSING, now);
		break;
	case TCP_FIN_WAIT2:
		tcp_time_wait(c, TCP_TIME_WAIT, TCP_TIMEWAIT_LEN, now);
		break;
	default:              /* CLOSE_WAIT, CLOSING, LAST_ACK: it came before */
		break;
	}
	tcp_ofo_free(c);   /* nothing is behind a FIN */
	conn_wake(c);
}

/* tcp_need_reset(): states in which the peer believes in the connection. */
static bool conn_needs_reset(uint8_t state)
{
	return 1u << state &
	       (ST(ESTABLISHED) | ST(CLOSE_WAIT) | ST(FIN_WAIT1) | ST(FIN_WAIT2) | ST(SYN_RECV));
}

int tcp_disconnect(struct tcp_conn *c, xtime now)
{
	uint8_t old = c->state;
	bool is_unsent = c->snd.nxt != tcp_snd_end(c);
	seq32 next_iss = tcp_snd_end(c) + c->snd.max_wnd + 2;
	bool had_iss = c->snd.iss != 0;
	int err = c->err;

	if (old == TCP_LISTEN) {
		tcp_listen_stop(c, now);
	} else if (conn_needs_reset(old) || (is_unsent && (old == TCP_CLOSING || old == TCP_LAST_ACK))) {
		tcp_send_active_reset(c, now);
		err = ECONNRESET;
	} else if (old == TCP_SYN_SENT) {
		err = ECONNRESET;
	}
	tcp_set_state(c, TCP_CLOSE, now);
	conn_free_protocol(c);
	conn_init_protocol(c, now);
	c->err = (uint16_t)err;
	c->err_soft = 0;
	c->shut = 0;
	c->was_connecting = c->is_connected = false;
	if (!c->addr_bound) {
		c->bind.addr = 0;
		c->ent.t.laddr = 0;
	}
	c->ent.t.raddr = 0;
	c->ent.t.rport = 0;
	/* Numbers of the next connection lie beyond those of this one (tcp_disconnect). */
	c->snd.iss = had_iss ? (next_iss ? next_iss : 1) : 0;
	conn_wake(c);
	return 0;
}

/* tcp_close_state(): the state that our FIN leads to; true when a FIN must go. */
static bool conn_close_state(struct tcp_conn *c, xtime now)
{
	switch (c->state) {
	case TCP_ESTABLISHED:
	case TCP_SYN_RECV:
		tcp_set_state(c, TCP_FIN_WAIT1, now);
		return true;
	case TCP_CLOSE_WAIT:
		tcp_set_state(c, TCP_LAST_ACK, now);
		return true;
	case TCP_SYN_SENT:
		conn_end(c, now);
		return false;
	default:
		return false;
	}
}

/* tcp_send_fin(): the FIN takes its place behind the data. */
static void conn_send_fin(struct tcp_conn *c, xtime now)
{
	if (c->snd.nxt == tcp_snd_end(c))
		tcp_chrono_start(c, CHRONO_BUSY, now);
	c->snd.fin = true;
	c->snd.push_now = true;
	c->snd.more = false;
	tcp_want_output(c);
}

int tcp_shutdown(struct tcp_conn *c, int how, xtime now)
{
	uint8_t bits = (uint8_t)(how + 1);
	int ret = 0;

	if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
		return -EINVAL;
	if (c->was_connecting && !conn_in(c, ST(SYN_SENT) | ST(SYN_RECV) | ST(CLOSE))) {
		c->was_connecting = false;
		c->is_connected = true;
	}
	switch (c->state) {
	case TCP_LISTEN:
		if (!(bits & SHUT_RCV_BIT))
			break;
		return tcp_disconnect(c, now);
	case TCP_SYN_SENT:
		return tcp_disconnect(c, now);
	case TCP_CLOSE:
		ret = -ENOTCONN;
		c->shut |= bits;
		break;
	default:
		c->shut |= bits;
		if (bits & SHUT_SND_BIT && conn_in(c, ST(ESTABLISHED) | ST(CLOSE_WAIT)) &&
		    conn_close_state(c, now))
			conn_send_fin(c, now);
		break;
	}
	conn_wake(c);
	return ret;
}

/* tcp_close() looks for data that the program never read. */
static bool conn_has_unread(const struct tcp_conn *c)
{
	return c->rcv.q.len > 0;
}

void tcp_close(struct tcp_conn *c, xtime now)
{
	struct stack *s = c->s;

	if (c->is_dead)
		return;
	c->shut = SHUT_BOTH_BITS;
	if (c->state == TCP_LISTEN) {
		tcp_listen_stop(c, now);
		tcp_set_state(c, TCP_CLOSE, now);
	} else if (c->state == TCP_CLOSE) {
		/* Reset, timed out or never opened: nothing to say. */
	} else if (conn_has_unread(c)) {
		/* RFC 2525 2.17: say that data was lost. */
		count(s, CTR_TcpExtTCPAbortOnClose);
		tcp_send_active_reset(c, now);
		tcp_done(c, now);
	} else if (c->opt.linger_s == 0) {
		count(s, CTR_TcpExtTCPAbortOnData);
		tcp_disconnect(c, now);
	} else if (conn_close_state(c, now)) {
		conn_send_fin(c, now);
	}
	ring_free(&c->rcv.q);
	c->rcv.rmem = 0;
	tcp_mem_charge(c);
	conn_wake(c);
}

/* The part of tcp_close() behind sock_orphan(). */
static void conn_orphan(struct tcp_conn *c, xtime now)
{
	struct stack *s = c->s;

	c->is_dead = true;
	if (c->state == TCP_CLOSE)
		return;
	s->norphan++;
	if (c->state == TCP_FIN_WAIT2) {
		xtime tmo = tcp_fin_time(c);

		if (c->opt.rare->linger2_s < 0) {
			count(s, CTR_TcpExtTCPAbortOnLinger);
			tcp_send_active_reset(c, now);
			tcp_done(c, now);
		} else if (tmo > TCP_TIMEWAIT_LEN) {
			tcp_keep_set(c, now + tmo - TCP_TIMEWAIT_LEN);
		} else {
			tcp_time_wait(c, TCP_FIN_WAIT2, tmo, now);
		}
	} else if (s->norphan > (uint32_t)s->set.tcp_max_orphans || tcp_mem_is_out(c)) {
		count(s, CTR_TcpExtTCPAbortOnMemory);
		tcp_send_active_reset(c, now);
		tcp_done(c, now);
	}
}

void tcp_release(struct tcp_conn *c, xtime now)
{
	tcp_close(c, now);
	conn_orphan(c, now);
	c->is_released = true;
	c->user = NULL;
	list_remove(&c->event_link);
	if (c->state == TCP_CLOSE)
		conntab_unbind(&c->s->tab, &c->bind);
	tcp_free_if_gone(c);
}

int tcp_take_error(struct tcp_conn *c)
{
	int err = c->err;

	c->err = 0;
	if (err) {
		tcp_report(c);
		return err;
	}
	/* SO_ERROR tells of a soft error as well, once (sk_getsockopt). */
	err = c->err_soft;
	c->err_soft = 0;
	return err;
}

/* Bytes that make a socket readable: SO_RCVLOWAT, bounded by what can arrive. */
static bool conn_is_readable(const struct tcp_conn *c)
{
	uint32_t target = MAX(c->opt.rcvlowat, 1u);

	if (c->rcv.urg_data && c->rcv.urg_seq == c->rcv.copied && !c->opt.oobinline)
		target++;
	return c->rcv.q.len >= MIN(target, (uint32_t)INT32_MAX) ||
	       (c->rcv.q.len && tcp_receive_window(c) <= c->rcv.rcv_mss);
}

/* inet_csk_listen_poll() and tcp_poll() of Linux 6.18. */
uint32_t tcp_events(struct tcp_conn *c)
{
	uint32_t ev = 0;

	if (c->state == TCP_LISTEN)
		return tcp_listen_has_child(c) ? POLLIN | POLLRDNORM : 0;
	if (!conn_in(c, ST(SYN_SENT) | ST(SYN_RECV)))
		ev |= TCP_EV_CONNECTED;
	if (!conn_in(c, ST(FIN_WAIT1) | ST(CLOSING) | ST(LAST_ACK)))
		ev |= TCP_EV_CLOSED;
	if (c->shut == SHUT_BOTH_BITS || c->state == TCP_CLOSE)
		ev |= POLLHUP;
	if (c->shut & SHUT_RCV_BIT)
		ev |= POLLIN | POLLRDNORM | POLLRDHUP;
	if (c->state == TCP_SYN_SENT && tcp_fo(c)->is_deferred)
		ev |= POLLOUT | POLLWRNORM;
	if (!conn_in(c, ST(SYN_SENT) | ST(SYN_RECV)) || tcp_fo(c)->is_child) {
		if (conn_is_readable(c))
			ev |= POLLIN | POLLRDNORM;
		if (c->shut & SHUT_SND_BIT || tcp_wmem_is_writable(c))
			ev |= POLLOUT | POLLWRNORM;
		else
			c->snd.no_space = true;
		if (c->rcv.urg_data & 0x0100)
			ev |= POLLPRI;
	}
	if (c->err)
		ev |= POLLERR;
	return ev;
}

void tcp_sockname(const struct tcp_conn *c, ip4 *addr, uint16_t *port)
{
	*port = conntab_port(&c->bind);
	if (!*port)
		*port = c->ent.t.lport;   /* inet_sport: the last one, also when it has been given up */
	*addr = c->ent.t.laddr;
}

int tcp_peername(const struct tcp_conn *c, ip4 *addr, uint16_t *port)
{
	/* inet_getname(): a port is set and the state is not CLOSED, nor SYN-SENT. */
	*addr = c->ent.t.raddr;
	*port = c->ent.t.rport;
	return !*port || conn_in(c, ST(CLOSE) | ST(SYN_SENT) | ST(LISTEN)) ? -ENOTCONN : 0;
}
