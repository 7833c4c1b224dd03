/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_connect.c - bind() and connect(): inet_bind(), tcp_v4_connect() and what
 * they call, each check in Linux's order and with Linux's errno.
 *
 * The numbers of a connection are keyed per 4-tuple: the initial sequence number
 * (RFC 6528: a 4 us-class clock plus a keyed hash), the offset of the timestamp
 * clock (RFC 7323 5.4), both with keys of their own.
 */
#include "tcp_impl.h"

#include <errno.h>

static uint64_t tuple_hash(const struct siphash_key *key, const struct tuple *t)
{
	return siphash_2u64(key, (uint64_t)t->laddr << 32 | t->raddr,
	                    (uint64_t)t->lport << 16 | t->rport);
}

/* secure_tcp_seq(): the clock ticks every 64 ns. */
seq32 tcp_isn(struct stack *s, const struct tuple *t, xtime now)
{
	return (seq32)tuple_hash(&s->key_isn, t) + (seq32)(now >> 6);
}

/* secure_tcp_ts_off() of Linux 6.18.44: ports count, too, so that one connection's clock
 * says nothing about another's. */
uint32_t tcp_ts_offset(struct stack *s, const struct tuple *t)
{
	if (s->set.tcp_timestamps != 1)
		return 0;
	return (uint32_t)tuple_hash(&s->key_ts, t);
}

uint32_t tcp_ts_now(const struct tcp_conn *c, xtime now)
{
	return xtime_ms(now) + c->ts_offset;
}

/* inet_sk_get_local_port_range(): a bound of the program's counts within the setting's. */
static struct port_range conn_port_range(const struct tcp_conn *c)
{
	const struct port_range *own = &c->opt.rare->port_range;
	struct port_range r = { (uint16_t)c->s->set.ip_local_port_min,
	                        (uint16_t)c->s->set.ip_local_port_max, own->is_users };

	if (r.lo <= own->lo && own->lo <= r.hi)
		r.lo = own->lo;
	if (r.lo <= own->hi && own->hi <= r.hi)
		r.hi = own->hi;
	return r;
}

static void conn_set_bind_flags(struct tcp_conn *c)
{
	c->bind.reuse = c->opt.reuseaddr;
	c->bind.reuseport = c->opt.reuseport;
	c->bind.oif = c->opt.oif;
}

int tcp_bind(struct tcp_conn *c, ip4 addr, uint16_t port, bool may_low, ip4 *claim_addr,
             uint16_t *claim_port, xtime now)
{
	struct stack *s = c->s;
	struct port_range range = conn_port_range(c);
	bool may_foreign = c->opt.freebind || c->opt.transparent || s->set.ip_nonlocal_bind;
	int ret;

	(void)now;
	if (addr && !may_foreign && ip_is_unicast(s, addr) && ip_addr_kind(s, addr) == IP_ADDR_NONE)
		return -EADDRNOTAVAIL;
	if (port && port < s->set.ip_unprivileged_port_start && !may_low)
		return -EACCES;
	if (c->state != TCP_CLOSE || conntab_port(&c->bind))
		return -EINVAL;
	c->bind.addr = addr;
	conn_set_bind_flags(c);
	if (port || !c->opt.bind_no_port) {
		c->bind.by_connect = false;
		ret = conntab_bind(&s->tab, &c->bind, port, &range, stack_random(s), claim_port);
		if (ret < 0) {
			*claim_addr = addr;
			c->bind.addr = 0;
			return ret;
		}
	}
	c->ent.t.lport = conntab_port(&c->bind);
	c->ent.t.laddr = ip_is_unicast(s, addr) ? addr : 0;
	c->ent.t.raddr = 0;
	c->ent.t.rport = 0;
	c->addr_bound = addr != 0;
	c->port_bound = port != 0;
	return 0;
}

/* What stays of an attempt that could not even start. */
static int connect_failed(struct tcp_conn *c, int err, xtime now)
{
	tcp_set_state(c, TCP_CLOSE, now);
	c->ent.t.rport = 0;
	c->ent.t.raddr = 0;
	if (!c->addr_bound) {
		c->ent.t.laddr = 0;
		c->bind.addr = 0;
	}
	return err;
}

int tcp_oif(const struct tcp_conn *c)
{
	for (int i = 0; c->opt.oif && i < c->s->niface; i++)
		if (c->s->ifaces[i].oif == c->opt.oif)
			return i;
	return -1;
}

/* The route by destination (or first hop of a source route), source and device. */
static int connect_route(struct tcp_conn *c, ip4 daddr)
{
	const struct ip_optset *o = &c->opt.rare->ip_opts;
	ip4 next_hop = daddr;
	int oif = -1;
	int ret;

	if (o->srr) {
		if (!daddr)
			return -EINVAL;
		next_hop = o->first_hop;
	}
	if (c->opt.oif) {
		oif = tcp_oif(c);
		if (oif < 0)
			return -ENETUNREACH;
	}
	ret = ip_route(c->s, next_hop, c->ent.t.laddr, oif, c->opt.tos, &c->rt);
	if (ret < 0)
		return ret;
	if (c->rt.type == ROUTE_MULTICAST || c->rt.type == ROUTE_BROADCAST)
		return -ENETUNREACH;
	if (c->opt.dontroute && c->rt.next_hop != next_hop)
		return -ENETUNREACH;
	c->has_route = true;
	return 0;
}

int tcp_reroute(struct tcp_conn *c, xtime now)
{
	ip4 daddr = tcp_first_hop(c);
	struct ip_route rt;
	int ret = ip_route(c->s, daddr, c->ent.t.laddr, tcp_oif(c), c->opt.tos, &rt);

	if (ret < 0) {
		c->has_route = false;
		return ret;
	}
	c->rt = rt;
	c->has_route = true;
	if (!c->snd.is_mss_kept)
		tcp_sync_mss(c, ip_mtu(c->s, &c->rt, daddr, now));
	return 0;
}

/* __inet_hash_connect() with its TIME-WAIT reuse. */
static int connect_port(struct tcp_conn *c, ip4 *claim_addr, uint16_t *claim_port)
{
	struct stack *s = c->s;
	struct port_choice pc = {
		.range = conn_port_range(c),
		.rnd = stack_random(s),
		.may_reuse = tcp_tw_may_reuse,
		.arg = c,
		.no_reuse = !tcp_tw_allows_reuse(s, &c->ent.t),
		.is_inside = c->rt.iface == s->loopback.iface,
	};
	int ret;

	conn_set_bind_flags(c);
	if (!conntab_port(&c->bind))
		c->bind.by_connect = true;
	c->ent.t.lport = conntab_port(&c->bind);
	ret = conntab_connect(&s->tab, &c->ent, &c->bind, &pc);
	if (ret == -EAGAIN) {
		*claim_addr = c->ent.t.laddr;
		*claim_port = pc.want;
	}
	if (ret == 0 && pc.replaced) {
		tcp_tw_free(container_of(pc.replaced, struct tcp_tw, ent));
		count(s, CTR_TcpExtTWRecycled);
	}
	return ret;
}

/* tcp_connect_init(): the variables of a connection that is about to send its SYN. */
static void connect_init(struct tcp_conn *c, xtime now)
{
	if (c->opt.user_mss)
		c->peer_mss = c->opt.user_mss;
	c->ts_asked = c->s->set.tcp_timestamps != 0;
	tcp_mtup_init(c, now);
	tcp_sync_mss(c, ip_mtu(c->s, &c->rt, tcp_first_hop(c), now));
	c->advmss = tcp_advertised_mss(c, now);
	c->rcv.rcv_mss = TCP_MSS_LEAST;   /* tcp_initialize_rcv_mss() while there is no window */
	tcp_init_rcv_window(c);
	c->snd.una = c->snd.nxt = c->snd.iss;
	c->snd.sml = c->snd.iss;   /* the SYN holds no data back */
	c->snd.q_seq = c->snd.pushed = c->snd.iss + 1;
	c->snd.wnd = 0;
	c->rcv.nxt = c->rcv.wup = c->rcv.copied = 0;
	c->rtt.rto_ns = TCP_RTO_INITIAL;
	c->snd.retransmits = 0;
	c->snd.retrans_stamp = now;   /* of the SYN: how long it has been tried */
	c->loss.undo_on = false;
}

static int connect_start(struct tcp_conn *c, ip4 addr, uint16_t port, ip4 *claim_addr,
                         uint16_t *claim_port, xtime now)
{
	struct stack *s = c->s;
	int ret;

	/* ip_route_output_key_hash(): no destination is this host. */
	if (!addr && !c->opt.rare->ip_opts.srr && s->loopback.iface >= 0)
		addr = c->ent.t.laddr ? c->ent.t.laddr : IP_LOOPBACK;
	ret = connect_route(c, addr);
	if (ret < 0)
		return ret;
	if (!c->ent.t.laddr)
		c->ent.t.laddr = c->rt.src;
	if (c->ts_recent_stamp && c->ent.t.raddr != addr) {
		c->ts_recent = 0;
		c->ts_recent_stamp = 0;
		c->snd.iss = 0;
	}
	c->ent.t.raddr = addr;
	c->ent.t.rport = port;
	if (!c->opt.user_mss)
		c->peer_mss = TCP_MSS_DEFAULT;
	c->opened_at = now;
	/* tcp_twsk_unique() may set snd.iss and ts_recent while the port is chosen. */
	ret = connect_port(c, claim_addr, claim_port);
	if (ret < 0)
		return ret;
	tcp_set_state(c, TCP_SYN_SENT, now);
	if (!c->snd.iss)
		c->snd.iss = tcp_isn(s, &c->ent.t, now);
	c->ts_offset = tcp_ts_offset(s, &c->ent.t);
	c->ip_id = (uint16_t)stack_random(s);
	return 0;
}

int tcp_connect(struct tcp_conn *c, ip4 addr, uint16_t port, ip4 *claim_addr, uint16_t *claim_port,
                xtime now)
{
	int ret;

	if (c->is_connected)
		return -EISCONN;
	if (c->was_connecting)
		return conn_in(c, ST(SYN_SENT) | ST(SYN_RECV)) ? -EALREADY : tcp_connect_result(c);
	if (c->state != TCP_CLOSE)
		return -EISCONN;
	ret = connect_start(c, addr, port, claim_addr, claim_port, now);
	if (ret < 0)
		return connect_failed(c, ret, now);
	connect_init(c, now);
	c->shut = 0;
	c->was_connecting = true;
	if (tcp_fastopen_defers(c, now)) {
		tcp_report(c);
		return 1;
	}
	tcp_fastopen_fill(c, now);
	count(c->s, CTR_TcpActiveOpens);
	c->snd.out |= OUT_SYN;
	tcp_want_output(c);
	return 0;
}

/* The tail of __inet_stream_connect(). */
int tcp_connect_result(struct tcp_conn *c)
{
	int err;

	if (conn_in(c, ST(SYN_SENT) | ST(SYN_RECV)))
		return -EALREADY;
	if (c->is_connected)
		return -EISCONN;
	if (c->state == TCP_CLOSE) {
		err = c->err ? c->err : ECONNABORTED;
		c->err = 0;
		tcp_disconnect(c, c->opened_at);
		c->err = 0;
		return -err;
	}
	c->was_connecting = false;
	c->is_connected = true;
	return 0;
}
