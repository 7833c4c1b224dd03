/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_metrics.c - see tcp_metrics.h.  RTT and deviation of a new sample count in full when they
 * are greater, by an eighth and a fourth when they are less: to overestimate is safe.
 */
#include "tcp_metrics.h"

#include <stdlib.h>

#define METRICS_BUCKETS 256u
#define METRICS_DEPTH 5u                       /* TCP_METRICS_RECLAIM_DEPTH */
#define METRICS_TIMEOUT (3600 * XTIME_SEC)     /* TCP_METRICS_TIMEOUT */

struct tcp_metrics_table {
	struct tcp_metrics *bucket[METRICS_BUCKETS];
};

/* ---- the table ---- */

static uint32_t bucket_of(const struct stack *s, ip4 laddr, ip4 raddr)
{
	return (uint32_t)siphash_1u64(&s->key_ip, (uint64_t)laddr << 32 | raddr) % METRICS_BUCKETS;
}

static bool has_table(struct stack *s, bool create)
{
	if (!s->metrics && create)
		s->metrics = calloc(1, sizeof(*s->metrics));
	return s->metrics;
}

/* tcpm_new(): in a long chain the oldest gives way. */
static struct tcp_metrics *metrics_new(struct tcp_metrics **chain)
{
	struct tcp_metrics **at, **oldest = chain, *m;
	unsigned depth = 0;

	for (at = chain; *at; at = &(*at)->next, depth++)
		if ((*at)->stamp < (*oldest)->stamp)
			oldest = at;
	if (depth > METRICS_DEPTH) {
		m = *oldest;
		*oldest = m->next;
	} else {
		m = malloc(sizeof(*m));
	}
	if (!m)
		return NULL;
	*m = (struct tcp_metrics){ .next = *chain };
	*chain = m;
	return m;
}

/* tcpm_check_stamp(): Fast Open's part doesn't age. */
static void check_age(struct tcp_metrics *m, xtime now)
{
	if (now <= m->stamp + METRICS_TIMEOUT)
		return;
	m->stamp = now;
	m->rtt8_us = m->rttvar4_us = m->ssthresh = m->cwnd = m->reordering = 0;
}

struct tcp_metrics *tcp_metrics_get(struct stack *s, ip4 laddr, ip4 raddr, bool create, xtime now)
{
	struct tcp_metrics **chain, *m;

	if (!has_table(s, create))
		return NULL;
	chain = &s->metrics->bucket[bucket_of(s, laddr, raddr)];
	for (m = *chain; m && (m->laddr != laddr || m->raddr != raddr); m = m->next)
		;
	if (m) {
		check_age(m, now);
	} else if (create && (m = metrics_new(chain))) {
		m->laddr = laddr;
		m->raddr = raddr;
		m->stamp = now;
	}
	return m;
}

void tcp_metrics_flush(struct stack *s)
{
	struct tcp_metrics *m;

	for (uint32_t i = 0; s->metrics && i < METRICS_BUCKETS; i++)
		while ((m = s->metrics->bucket[i])) {
			s->metrics->bucket[i] = m->next;
			free(m);
		}
	free(s->metrics);
	s->metrics = NULL;
}

const struct tcp_metrics *tcp_metrics_next(const struct stack *s, const struct tcp_metrics *prev)
{
	uint32_t i = 0;

	if (!s->metrics)
		return NULL;
	if (prev) {
		if (prev->next)
			return prev->next;
		i = bucket_of(s, prev->laddr, prev->raddr) + 1;
	}
	while (i < METRICS_BUCKETS && !s->metrics->bucket[i])
		i++;
	return i < METRICS_BUCKETS ? s->metrics->bucket[i] : NULL;
}

/* ---- connections ---- */

static struct tcp_metrics *metrics_of(struct tcp_conn *c, bool create, xtime now)
{
	return tcp_metrics_get(c->s, c->ent.t.laddr, c->ent.t.raddr, create, now);
}

/* The handshake's segments are small: their RTT alone is no base for the first time-out of a full
 * one.  Without any (SYN repeated, no timestamps) RFC 6298 5.7 has three seconds. */
static void first_rto(struct tcp_conn *c, uint32_t known8_us)
{
	xtime rtt = (known8_us >> 3) * XTIME_USEC;

	if (known8_us > c->rtt.srtt8_us) {
		c->rtt.rto_ns = rtt + MAX(2 * rtt, tcp_rto_min(c));
	} else if (!c->rtt.srtt8_us) {
		c->rtt.rttvar_us = c->rtt.mdev4_us = c->rtt.mdev_max_us = (uint32_t)(TCP_TIMEOUT_FALLBACK / XTIME_USEC);
		c->rtt.rto_ns = TCP_TIMEOUT_FALLBACK;
	}
}

void tcp_metrics_apply(struct tcp_conn *c, xtime now)
{
	const struct tcp_metrics *m = metrics_of(c, false, now);

	/* sk_dst_confirm() */
	neigh_confirm(c->s, c->rt.iface, c->rt.next_hop, now);
	/* What the handshake lost says nothing. */
	c->cc.ssthresh = TCP_CWND_INFINITE;
	if (m && m->ssthresh && !c->s->set.tcp_no_ssthresh_metrics_save)
		c->cc.ssthresh = MIN(m->ssthresh, c->cc.cwnd_clamp);
	if (m && m->reordering)
		c->loss.reordering = m->reordering;
	first_rto(c, m ? m->rtt8_us : 0);
}

static void save_rtt(const struct tcp_conn *c, struct tcp_metrics *m)
{
	int64_t less = (int64_t)m->rtt8_us - c->rtt.srtt8_us;
	uint32_t dev;

	m->rtt8_us = less <= 0 ? c->rtt.srtt8_us : (uint32_t)(m->rtt8_us - (less >> 3));
	dev = (uint32_t)((less < 0 ? -less : less) >> 1);
	dev = MAX(dev, c->rtt.mdev4_us);
	if (dev >= m->rttvar4_us)
		m->rttvar4_us = dev;
	else
		m->rttvar4_us -= (m->rttvar4_us - dev) >> 2;
}

/* What cwnd and ssthresh are worth depends on how far the connection came. */
static void save_windows(const struct tcp_conn *c, struct tcp_metrics *m)
{
	bool with_ssthresh = !c->s->set.tcp_no_ssthresh_metrics_save;
	uint32_t cwnd = c->cc.cwnd, ssthresh = c->cc.ssthresh;

	if (ssthresh >= TCP_CWND_INFINITE) {                 /* the first slow start goes on */
		if (with_ssthresh && m->ssthresh && cwnd >> 1 > m->ssthresh)
			m->ssthresh = cwnd >> 1;
		m->cwnd = MAX(m->cwnd, cwnd);
	} else if (cwnd >= ssthresh && c->loss.ca_state == CA_OPEN) {
		if (with_ssthresh)
			m->ssthresh = MAX(cwnd >> 1, ssthresh);
		m->cwnd = (m->cwnd + cwnd) >> 1;
	} else {
		m->cwnd = (m->cwnd + ssthresh) >> 1;
		if (with_ssthresh && m->ssthresh && ssthresh > m->ssthresh)
			m->ssthresh = ssthresh;
		if (m->reordering < c->loss.reordering &&
		    c->loss.reordering != (uint32_t)c->s->set.tcp_reordering)
			m->reordering = c->loss.reordering;
	}
}

void tcp_metrics_save(struct tcp_conn *c, xtime now)
{
	struct tcp_metrics *m;

	if (c->s->set.tcp_no_metrics_save)
		return;
	/* One that ends in time-outs knows no RTT, and what was known may be wrong now. */
	if (c->snd.backoff || !c->rtt.srtt8_us) {
		m = metrics_of(c, false, now);
		if (m)
			m->rtt8_us = 0;
		return;
	}
	m = metrics_of(c, true, now);
	if (!m)
		return;
	save_rtt(c, m);
	save_windows(c, m);
	m->stamp = now;
}

bool tcp_metrics_is_proven(struct stack *s, ip4 laddr, ip4 raddr, xtime now)
{
	const struct tcp_metrics *m = tcp_metrics_get(s, laddr, raddr, false, now);

	return m && m->rtt8_us;
}
