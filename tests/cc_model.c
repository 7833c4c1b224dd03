/* SPDX-License-Identifier: BSD-2-Clause */
/* cc_model.c - see cc_model.h. */
#include "cc_model.h"

#include <math.h>
#include <stdlib.h>

#define FLIGHT (1u << 16)        /* segments in flight at most */
#define SUPER 44.0               /* segments that a super-frame of 64 KB holds */

/* A segment in flight. */
struct seg {
	double at;               /* its ACK, or the time at which that it is lost is known */
	double sent;
	uint64_t id;             /* counted from 0 as first sent */
	bool is_again, is_lost, is_marked;
};

struct model {
	enum model_algorithm algorithm;
	struct model_link l;
	uint64_t rng;
	double now, free_at;
	bool is_bad;
	double tokens, tokens_at;
	double srtt, last_sent;
	struct seg flight[FLIGHT];
	uint64_t first, end;     /* flight[first % FLIGHT ..] */
	struct seg held[2];      /* arrived, not yet acknowledged */
	unsigned nheld, quick;
	uint64_t next_id;
	uint64_t again[FLIGHT];  /* ids to be sent again */
	uint64_t again_first, again_end;
	double cwnd, ssthresh, acks;
	/* Recovery, while high > 0: until all of below it is delivered; what was lost beyond begins another. */
	uint64_t high, missing, beyond;
	uint64_t arrived;
	bool is_mark;            /* for a mark, nothing is lost */
	double prior, delivered, out;
	/* CUBIC. */
	double w_max, w_est, epoch, k, cwnd_prior;
};

/* As sim_random(): splitmix64. */
static double model_random(struct model *m)
{
	uint64_t z = (m->rng += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

static bool is_lost(struct model *m)
{
	if (m->l.bad_in > 0 && model_random(m) < (m->is_bad ? m->l.bad_out : m->l.bad_in))
		m->is_bad = !m->is_bad;
	return m->is_bad || (m->l.loss > 0 && model_random(m) < m->l.loss);
}

static bool is_policed(struct model *m)
{
	if (m->l.police_rate <= 0)
		return false;
	m->tokens = fmin(m->tokens + (m->now - m->tokens_at) * m->l.police_rate, m->l.police_burst);
	m->tokens_at = m->now;
	if (m->tokens < 1)
		return true;
	m->tokens--;
	return false;
}

/* What happens to a packet; true: it takes the link's time. */
static bool meet_link(struct model *m, struct seg *s, double start)
{
	double waiting = (start - m->now) * m->l.rate;

	s->is_lost = true;
	if (is_lost(m) || is_policed(m) || waiting + 1 > m->l.queue)
		return false;
	s->is_marked = m->l.mark_at > 0 && waiting > m->l.mark_at;
	s->is_lost = m->l.corrupt > 0 && model_random(m) < m->l.corrupt;
	if (s->is_lost) {        /* in which bit */
		model_random(m);
		model_random(m);
	}
	return true;
}

static void send_one(struct model *m)
{
	struct seg s = { .sent = m->now, .is_again = m->again_first < m->again_end };
	double start = fmax(m->free_at, m->now);

	s.id = s.is_again ? m->again[m->again_first++ % FLIGHT] : m->next_id++;
	if (meet_link(m, &s, start))
		m->free_at = start + 1 / m->l.rate;
	s.at = fmax(m->free_at, m->now) + m->l.rtt;
	m->flight[m->end++ % FLIGHT] = s;
	m->last_sent = m->now;
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
	if (m->cwnd < m->ssthresh) {
		m->cwnd++;
	} else if (m->algorithm == MODEL_CUBIC) {
		cubic_grow(m);
	} else if (++m->acks >= m->cwnd) {   /* RFC 5681 3.1: one segment for each window that is acknowledged */
		m->acks -= m->cwnd;
		m->cwnd++;
	}
}

static void reduce(struct model *m, bool is_mark)
{
	m->is_mark = is_mark;
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
	m->acks = 0;
	m->missing = m->next_id - m->arrived;
	m->beyond = 0;
	m->delivered = m->out = 0;
}

static void acked(struct model *m, const struct seg *s)
{
	m->srtt += (m->now - s->sent - m->srtt) / 8;
	m->arrived++;
	m->delivered++;
	if (!m->high && s->is_marked) {
		reduce(m, true);
	} else if (!m->high) {
		grow(m);
	} else if (s->id >= m->high) {
		m->beyond -= s->is_again;
	} else if (--m->missing == 0) {
		m->high = 0;
		m->is_mark = false;
		m->cwnd = m->ssthresh;
		if (m->beyond)
			reduce(m, false);
	}
}

/* The receiver acknowledges every other segment, or at once where something is missing or was marked. */
static unsigned deliver(struct model *m, const struct seg *s)
{
	unsigned n = 0;

	if (s->is_marked && !m->is_mark)
		m->quick = 2;
	m->held[m->nheld++] = *s;
	if (m->nheld < 2 && (!m->high || m->is_mark) && m->first != m->end && !m->quick)
		return 0;
	m->quick -= m->quick > 0;
	for (; n < m->nheld; n++)
		acked(m, &m->held[n]);
	m->nheld = 0;
	return n;
}

/* The next of what is in flight arrives, or doesn't.  Returns how many segments were acknowledged. */
static unsigned arrive(struct model *m)
{
	struct seg s = m->flight[m->first++ % FLIGHT];

	m->now = s.at;
	if (!s.is_lost)
		return deliver(m, &s);
	if (!m->high)
		reduce(m, false);
	else
		m->beyond += s.id >= m->high && !s.is_again;
	m->is_mark = false;
	m->again[m->again_end++ % FLIGHT] = s.id;
	return 0;
}

static double in_flight(const struct model *m)
{
	return (double)(m->end - m->first + m->nheld);
}

/* The room in the window: in recovery, by what was delivered (RFC 6937), and one to begin with. */
static double window_room(const struct model *m)
{
	double flight = in_flight(m), room;

	if (!m->high)
		return floor(m->cwnd) - flight;
	if (flight >= m->ssthresh)
		room = ceil(m->delivered * m->ssthresh / m->prior) - m->out;
	else
		room = fmin(floor(m->ssthresh) - flight, m->delivered - m->out + 1);
	return fmax(room, m->out ? 0 : 1);
}

/* How many segments leave now. */
static unsigned may_send(const struct model *m)
{
	double room = window_room(m), cwnd = in_flight(m) + room, most, due;

	if (m->first == m->end)
		return 1;                /* all was lost */
	if (room < 1 || m->end - m->first >= FLIGHT - SUPER)
		return 0;
	if (!m->l.is_burst || (m->high && !m->is_mark))
		return 1;
	/* See is_burst. */
	most = (m->cwnd < m->ssthresh / 2 ? 2 : 1.2) * cwnd / m->srtt / 1024 + SUPER / exp2(floor(m->l.rtt / 512e-6));
	most = fmax(floor(fmin(most, SUPER)), 2);
	due = m->flight[m->first % FLIGHT].sent + m->srtt - m->now;
	if (m->now - m->last_sent <= 1e-3 && room < most && room < cwnd / 3 && due <= fmin(m->srtt / 2, 1e-3))
		return 0;
	return (unsigned)fmin(room, most);
}

double model_run(enum model_algorithm algorithm, const struct model_link *l, double warm_up,
                 double seconds, uint64_t seed)
{
	struct model *m = calloc(1, sizeof(*m));
	struct seg syn;
	unsigned n;
	double got = 0;

	if (!m)
		abort();
	m->algorithm = algorithm;
	m->l = *l;
	m->rng = seed;
	m->cwnd = 10;
	m->ssthresh = 1e9;
	m->srtt = l->rtt;
	m->epoch = -1;
	m->tokens = l->police_burst;
	for (int i = 0; i < 2; i++)      /* SYN and ACK meet the link, too */
		meet_link(m, &syn, 0);
	while (m->now < warm_up + seconds) {
		while ((n = may_send(m)))
			while (n--)
				send_one(m);
		n = arrive(m);
		if (m->now >= warm_up)
			got += n;
	}
	free(m);
	return got / seconds;
}
