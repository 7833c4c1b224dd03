/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_fastopen.c - TCP Fast Open, RFC 7413: data in the SYN.
 *
 * Server: a SYN with a valid cookie makes a child that is given to accept() while it
 * is still in SYN-RECEIVED, and may send at once.  The cookie is SipHash of the two
 * addresses with the listener's key, or the stack's, in the bytes that Linux gives
 * it, so that hosts behind one address agree when they share the key.
 *
 * Client: the peer's cookie and MSS are remembered (tcp_metrics.c).
 *
 * The bits of tcp_fastopen are Linux's (TFO_CLIENT_ENABLE and so on).
 */
#include "tcp_metrics.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct tcp_fo tcp_fo_none;

struct tcp_fo *tcp_fo_own(struct tcp_conn *c)
{
	if (!c->fo)
		c->fo = calloc(1, sizeof(*c->fo));
	return c->fo;
}

/* ---- server ---- */

void tcp_fastopen_init(struct stack *s, const struct siphash_key *random)
{
	s->key_tfo = *random;
	tcp_fastopen_set_key(s);
}

void tcp_fastopen_set_key(struct stack *s)
{
	const uint32_t *k = s->set.fastopen_key;

	if (s->set.has_fastopen_key)
		s->key_tfo = (struct siphash_key){ { (uint64_t)k[1] << 32 | k[0], (uint64_t)k[3] << 32 | k[2] } };
}

/* __tcp_fastopen_cookie_gen_cipher(). */
static void cookie_of(const struct siphash_key *key, ip4 peer, ip4 local, uint8_t out[8])
{
	uint8_t path[8];
	uint64_t h;

	put_be32(path, peer);
	put_be32(path + 4, local);
	h = siphash(key, path, sizeof(path));
	for (int i = 0; i < 8; i++)
		out[i] = (uint8_t)(h >> 8 * i);
}

/* Does the cookie fit one of the listener's keys?  The valid one in *fresh.  0: no, 1: yes,
 * 2: but by the backup key. */
static int check_cookie(const struct tcp_conn *l, const struct ip_hdr *ip, const struct tcp_hdr *th,
                        struct tcp_fo_option *fresh)
{
	const struct siphash_key *keys = tcp_fo(l)->nkeys ? tcp_fo(l)->keys : &l->s->key_tfo;
	unsigned n = tcp_fo(l)->nkeys ? tcp_fo(l)->nkeys : 1;
	uint8_t other[8];

	fresh->is_set = true;
	fresh->len = 8;
	cookie_of(&keys[0], ip->src, ip->dst, fresh->val);
	if (th->fastopen_len != 8)
		return 0;
	if (!memcmp(th->fastopen, fresh->val, 8))
		return 1;
	if (n < 2)
		return 0;
	cookie_of(&keys[1], ip->src, ip->dst, other);
	return memcmp(th->fastopen, other, 8) ? 0 : 2;
}

void tcp_fastopen_listen(struct tcp_conn *l, uint32_t backlog)
{
	int32_t bits = l->s->set.tcp_fastopen;

	/* Without memory it is none that accepts data with the SYN. */
	if (bits & TFO_SERVER_WO_SOCKOPT1 && bits & TFO_SERVER_ENABLE && !tcp_fo(l)->max_qlen && tcp_fo_own(l))
		l->fo->max_qlen = backlog;
}

bool tcp_fastopen_put(const struct tcp_fo_option *o, struct tcp_hdr *th)
{
	if (!o->is_set)
		return false;
	th->has_fastopen = true;
	th->fastopen_exp = o->is_exp;
	th->fastopen_len = o->len;
	memcpy(th->fastopen, o->val, sizeof(th->fastopen));
	/* The option gives way when there is no room for it. */
	th->has_fastopen = tcp_options_len(th) <= TCP_LEN_MAX - TCP_LEN_MIN;
	return th->has_fastopen;
}

/* tcp_try_fastopen(). */
bool tcp_fastopen_accepts(struct tcp_conn *l, const struct ip_hdr *ip, const struct tcp_hdr *th, size_t len,
                          uint32_t npending, struct tcp_fo_option *answer)
{
	int32_t bits = l->s->set.tcp_fastopen;
	struct tcp_fo_option fresh = { 0 };
	int ok;

	answer->is_set = false;
	if (!(bits & TFO_SERVER_ENABLE) || !(len || th->has_fastopen) || !tcp_fo(l)->max_qlen)
		return false;
	if (npending >= tcp_fo(l)->max_qlen) {
		count(l->s, CTR_TcpExtTCPFastOpenListenOverflow);
		return false;
	}
	if (bits & TFO_SERVER_COOKIE_NOT_REQD || tcp_fo(l)->no_cookie)
		return true;
	if (!th->has_fastopen)
		return false;
	ok = check_cookie(l, ip, th, &fresh);
	fresh.is_exp = th->fastopen_exp;
	if (ok != 1)
		*answer = fresh;
	if (th->fastopen_len)
		count(l->s, ok ? CTR_TcpExtTCPFastOpenPassive : CTR_TcpExtTCPFastOpenPassiveFail);
	else
		count(l->s, CTR_TcpExtTCPFastOpenCookieReqd);
	if (ok == 2)
		count(l->s, CTR_TcpExtTCPFastOpenPassiveAltKey);
	return ok != 0;
}

/* ---- client ---- */

/* ---- paths that swallow it ---- */

/* tcp_fastopen_active_disable(): none for a while, twice as long each time. */
static void blackhole_found(struct stack *s, xtime now)
{
	if (!s->set.tcp_fastopen_blackhole_timeout_sec)
		return;
	s->tfo_disabled_at = now;
	s->tfo_disabled++;
	count(s, CTR_TcpExtTCPFastOpenBlackhole);
}

/* tcp_fastopen_active_should_disable(); what is tried after a pause tells whether it is over. */
static bool is_paused(struct tcp_conn *c, xtime now)
{
	struct stack *s = c->s;
	xtime pause = s->set.tcp_fastopen_blackhole_timeout_sec * XTIME_SEC;

	if (!pause || !s->tfo_disabled)
		return false;
	if (now < s->tfo_disabled_at + (pause << MIN(s->tfo_disabled - 1, 6u)))
		return true;
	c->fo->is_checking = true;
	return false;
}

void tcp_fastopen_timeout(struct tcp_conn *c, bool is_over, xtime now)
{
	if (!tcp_fo(c)->was_asked && !tcp_fo(c)->syn_data && !tcp_fo(c)->syn_data_acked)
		return;
	if (c->snd.retransmits != 2 && !(c->snd.retransmits < 2 && is_over))
		return;
	blackhole_found(c->s, now);
	c->fo->client_fail = c->state == TCP_SYN_SENT ? TFO_SYN_RETRANSMITTED : TFO_DATA_NOT_ACKED;
}

void tcp_fastopen_ended(struct tcp_conn *c, xtime now)
{
	if (!tcp_fo(c)->was_asked)
		return;
	if (c->rcv.data_segs_in) {
		if (tcp_fo(c)->is_checking)
			c->s->tfo_disabled = 0;
	} else if (c->rcv.has_fin && tcp_ofo(c)->ranges.n == 1) {
		blackhole_found(c->s, now);   /* a FIN alone arrived, out of order */
	}
}

/* tcp_fastopen_cookie_check(): may data go in the SYN?  The option for it in *o. */
bool tcp_fastopen_may_send(struct tcp_conn *c, uint16_t *mss, struct tcp_fo_option *o, xtime now)
{
	const struct tcp_metrics *m = tcp_metrics_get(c->s, c->ent.t.laddr, c->ent.t.raddr, false, now);

	*o = (struct tcp_fo_option){ .is_set = true };
	if (m) {
		if (m->fo_mss)
			*mss = m->fo_mss;
		*o = m->fo_cookie;
		o->is_set = true;
		if (!o->len && m->fo_try_exp == 1)
			o->is_exp = true;
	}
	if (is_paused(c, now)) {
		o->is_set = false;
		return false;
	}
	if (c->s->set.tcp_fastopen & TFO_CLIENT_NO_COOKIE || tcp_fo(c)->no_cookie) {
		o->is_set = false;
		return true;
	}
	if (!o->len)
		c->fo->client_fail = TFO_COOKIE_UNAVAILABLE;
	return o->len > 0;
}

/* With the SYN goes what of this there is room for. */
static void give_data(struct tcp_fo *fo, const struct iovec *iov, int iovcnt)
{
	fo->iov = iov;
	fo->iovcnt = iovcnt;
	fo->is_asked = true;
}

int tcp_fastopen_ask(struct tcp_conn *c, const struct iovec *iov, int iovcnt, bool waits)
{
	struct tcp_fo *fo = tcp_fo_own(c);

	if (!fo)
		return -ENOMEM;
	fo->copied = 0;
	fo->is_waiting = waits;
	if (!(c->s->set.tcp_fastopen & TFO_CLIENT_ENABLE))
		return -EOPNOTSUPP;
	give_data(fo, iov, iovcnt);
	return 0;
}

int tcp_fastopen_start(struct tcp_conn *c, const struct iovec *iov, int iovcnt, bool waits, xtime now)
{
	struct tcp_fo *fo = tcp_fo_own(c);

	if (!fo)
		return -ENOMEM;
	fo->copied = 0;
	fo->is_waiting = waits;
	if (!fo->is_deferred)
		return -EISCONN;
	fo->is_deferred = false;
	give_data(fo, iov, iovcnt);
	tcp_fastopen_fill(c, now);
	count(c->s, CTR_TcpActiveOpens);
	c->snd.out |= OUT_SYN;
	tcp_want_output(c);
	tcp_report(c);
	return 0;
}

size_t tcp_fastopen_copied(struct tcp_conn *c)
{
	if (!c->fo)
		return 0;
	c->fo->iov = NULL;
	c->fo->is_asked = false;
	return c->fo->copied;
}

static size_t data_len(const struct tcp_fo *fo)
{
	size_t n = 0;

	for (int i = 0; i < fo->iovcnt; i++)
		n += fo->iov[i].iov_len;
	return n;
}

/* tcp_send_syn_data(): the size is bounded by the MSS of last time, less room for the options
 * that middleboxes add. */
void tcp_fastopen_fill(struct tcp_conn *c, xtime now)
{
	struct tcp_fo *fo = c->fo;
	uint16_t mss = c->advmss;
	size_t space;
	ssize_t n;

	if (!fo)
		return;
	fo->syn_data = fo->syn_data_acked = fo->was_asked = fo->was_exp = false;
	fo->option.is_set = false;
	if (!fo->is_asked)
		fo->is_waiting = false;
	if (!fo->is_asked && !fo->by_connect)
		return;
	fo->is_waiting = fo->is_waiting && data_len(fo) > 0;
	if (!tcp_fastopen_may_send(c, &mss, &fo->option, now)) {
		fo->option.len = 0;
		return;
	}
	c->peer_mss = c->opt.user_mss ? MIN(mss, c->opt.user_mss) : mss;
	tcp_sync_mss(c, c->pmtu);
	space = MIN(c->pmtu - 40, (uint32_t)c->peer_mss);
	space = space > 40 ? MIN(space - 40, fo->iov ? data_len(fo) : 0) : 0;
	n = space ? ring_append_iov(&c->snd.q, fo->iov, fo->iovcnt, 0, space) : 0;
	fo->copied = n > 0 ? (size_t)n : 0;
	fo->is_waiting = fo->is_waiting && data_len(fo) > fo->copied;
	fo->syn_data = fo->copied > 0;
}

/* tcp_fastopen_defer_connect(): with a cookie at hand the SYN waits for what to put in. */
bool tcp_fastopen_defers(struct tcp_conn *c, xtime now)
{
	struct tcp_fo_option o;
	uint16_t mss = 0;

	if (!c->fo)
		return false;
	c->fo->is_deferred = c->fo->by_connect && !c->fo->is_asked && tcp_fastopen_may_send(c, &mss, &o, now);
	return c->fo->is_deferred;
}

/* tcp_fastopen_cache_set(). */
static void remember(struct tcp_conn *c, uint16_t mss, const struct tcp_hdr *th, uint8_t try_exp, xtime now)
{
	struct tcp_metrics *m = tcp_metrics_get(c->s, c->ent.t.laddr, c->ent.t.raddr, true, now);

	if (!m)
		return;
	if (mss)
		m->fo_mss = mss;
	if (th->has_fastopen && th->fastopen_len && tcp_fo(c)->was_asked) {
		m->fo_cookie = (struct tcp_fo_option){ .is_set = true, .is_exp = th->fastopen_exp,
		                                    .len = th->fastopen_len };
		memcpy(m->fo_cookie.val, th->fastopen, th->fastopen_len);
	} else if (try_exp > m->fo_try_exp && !m->fo_cookie.len && !m->fo_cookie.is_exp) {
		m->fo_try_exp = try_exp;
	}
}

/* tcp_rcv_fastopen_synack(): our SYN with data or a cookie request is answered.  True when
 * data must be sent again. */
bool tcp_fastopen_synack(struct tcp_conn *c, const struct tcp_hdr *th, xtime now)
{
	uint8_t try_exp = 0;
	struct tx_queue *q = &c->snd.txq;

	if (!tcp_fo(c)->was_asked && !tcp_fo(c)->syn_data)
		return false;
	if (!c->snd.total_retrans && !th->has_fastopen && !tcp_fo(c)->syn_data)
		try_exp = tcp_fo(c)->was_exp ? 2 : 1;
	remember(c, th->has_mss ? th->mss : TCP_MSS_DEFAULT, th, try_exp, now);
	if (tcp_fo(c)->syn_data && q->n) {
		count(c->s, CTR_TcpExtTCPFastOpenActiveFail);
		c->fo->client_fail = c->snd.total_retrans ? TFO_SYN_RETRANSMITTED : TFO_DATA_NOT_ACKED;
		/* tcp_non_congestion_loss_retransmit(). */
		c->loss.high_seq = c->snd.nxt;
		c->loss.undo_on = false;
		c->loss.ca_state = CA_LOSS;
		for (uint32_t i = 0; i < q->n; i++)
			tcp_mark_lost(c, txq_at(q, i));
		tcp_want_output(c);
		return true;
	}
	c->fo->syn_data_acked = tcp_fo(c)->syn_data;
	if (tcp_fo(c)->syn_data_acked) {
		count(c->s, CTR_TcpExtTCPFastOpenActive);
		/* The SYN and its data count as one. */
		if (c->loss.delivered > 1)
			c->loss.delivered--;
	}
	return false;
}
