/* SPDX-License-Identifier: BSD-2-Clause */
/* cc_model.c - see cc_model.h. */
#include "cc_model.h"

#include <math.h>
#include <stdlib.h>

#define FLIGHT (1u << 16)        /* segments in flight at most */

/* A segment in flight. */
struct seg {
	double at;               /* its ACK, or the time at which that it is lost is known */
	uint64_t id;             /* counted from 0 as first sent */
	bool is_lost;
};

struct model {
	enum model_algorithm algorithm;
	struct model_link l;
	uint64_t rng;
	double now, free_at;
	bool is_bad;
	struct seg flight[FLIGHT];
	uint64_t first, end;     /* flight[first % FLIGHT ..] */
	uint64_t next_id;
	uint64_t again[FLIGHT];  /* ids to be sent again */
	uint64_t again_first, again_end;
	double cwnd, ssthresh;
	/* Recovery, while high > 0: until all of below it is delivered. */
	uint64_t high, missing;
	double prior, delivered, out;
	/* CUBIC. */
	double w_max, w_est, epoch, k, cwnd_prior;
};

static double model_random(struct model *m)
{
	m->rng = m->rng * 6364136223846793005u + 1442695040888963407u;
	return (double)(m->rng >> 11) / 9007199254740992.0;
}

static void send_one(struct model *m)
{
	struct seg s = { .id = m->again_first < m->again_end ? m->again[m->again_first++ % FLIGHT] : m->next_id++ };
	double start = fmax(m->free_at, m->now);

	if (m->l.bad_in > 0 && model_random(m) < (m->is_bad ? m->l.bad_out : m->l.bad_in))
		m->is_bad = !m->is_bad;
	s.is_lost = m->is_bad || model_random(m) < m->l.loss;
	if ((start - m->now) * m->l.rate > m->l.queue)
		s.is_lost = true;
	else if (!s.is_lost)
		m->free_at = start + 1 / m->l.rate;
	s.at = fmax(m->free_at, m->now) + m->l.rtt;
	m->flight[m->end++ % FLIGHT] = s;
	m->out++;
}

/* RFC 9438 4.2 to 4.5. */
static void cubic_grow(struct model *m)
{
	double t, target, rtt = m->l.rtt + fmax(0, m->free_at - m->now);

	if (m->epoch < 0) {
		m->epoch = m->now;
		m->k = cbrt((fmax(m->w_max, m->cwnd) - m->cwnd) / 0.4);
		m->w_max = fmax(m->w_max, m->cwnd);
		m->w_est = m->cwnd;
	}
	t = m->now - m->epoch + rtt - m->k;
	target = fmin(fmax(m->w_max + 0.4 * t * t * t, m->cwnd), 1.5 * m->cwnd);
	m->w_est += (m->w_est < m->cwnd_prior ? 3 * 0.3 / 1.7 : 1) / m->cwnd;
	m->cwnd = fmax(m->cwnd + (target - m->cwnd) / m->cwnd, m->w_est);
}

static void grow(struct model *m)
{
	if (m->cwnd < m->ssthresh)
		m->cwnd++;
	else if (m->algorithm == MODEL_RENO)
		m->cwnd += 1 / m->cwnd;
	else
		cubic_grow(m);
}

static void reduce(struct model *m)
{
	m->cwnd = floor(m->cwnd);        /* whole segments */
	m->prior = m->cwnd;
	if (m->algorithm == MODEL_RENO) {
		m->ssthresh = fmax(floor(m->cwnd / 2), 2);
	} else {
		/* RFC 9438 4.6, 4.7. */
		m->w_max = m->cwnd < m->w_max ? m->cwnd * 1.7 / 2 : m->cwnd;
		m->cwnd_prior = m->cwnd;
		m->ssthresh = fmax(floor(m->cwnd * 0.7), 2);
		m->epoch = -1;
	}
	m->high = m->next_id;
	m->missing = m->end - m->first + 1;
	m->delivered = m->out = 0;
}

/* The next of what is in flight arrives, or doesn't. */
static bool arrive(struct model *m)
{
	struct seg s = m->flight[m->first++ % FLIGHT];

	m->now = s.at;
	if (s.is_lost) {
		if (!m->high)
			reduce(m);
		m->again[m->again_end++ % FLIGHT] = s.id;
		return false;
	}
	m->delivered++;
	if (!m->high)
		grow(m);
	else if (s.id < m->high && --m->missing == 0) {
		m->high = 0;
		m->cwnd = m->ssthresh;
	}
	return true;
}

static bool may_send(const struct model *m)
{
	double flight = (double)(m->end - m->first);

	if (m->end - m->first >= FLIGHT - 1)
		return false;
	if (!m->high)
		return flight < floor(m->cwnd);
	if (!m->out || m->end == m->first)
		return true;             /* the fast retransmission, or all was lost */
	if (flight >= m->ssthresh)
		return m->out < ceil(m->delivered * m->ssthresh / m->prior);
	return flight < floor(m->ssthresh) && m->out <= m->delivered;
}

double model_run(enum model_algorithm algorithm, const struct model_link *l, double warm_up,
                 double seconds, uint64_t seed)
{
	struct model *m = calloc(1, sizeof(*m));
	double got = 0;

	if (!m)
		abort();
	m->algorithm = algorithm;
	m->l = *l;
	m->rng = seed;
	m->cwnd = 10;
	m->ssthresh = 1e9;
	m->epoch = -1;
	while (m->now < warm_up + seconds) {
		while (may_send(m))
			send_one(m);
		if (arrive(m) && m->now >= warm_up)
			got++;
	}
	free(m);
	return got / seconds;
}
