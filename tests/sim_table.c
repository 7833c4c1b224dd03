/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sim_table.c - every congestion control algorithm over every kind of link, on a virtual clock:
 * what it carries against what it should, what the queue drops, what is sent again without need, and
 * how two flows share.
 *
 * "of" is what the algorithm should reach there.  For Reno and CUBIC on links that lose it is what
 * cc_model.c reaches on the same link, an ideal sender with the window of the RFC, over another and
 * longer sequence of losses; of some hundred losses one expects 2 to 4 % of chance.  Everywhere else
 * it is the payload rate of the link, or of the policer.  BBR should reach the link whatever is lost.
 *
 * Super-frames change what is sent: Linux's tcp_tso_should_defer(), and ours, waits for an ACK that
 * is due within a millisecond rather than send less than a third of the window.  On a path of 1 ms
 * that is up to a tenth of the rate (so bounds are lower there), and without super-frames nothing:
 * lines that say "segments".
 *
 * Queues hold 64 packets at least.  Each line is checked against bounds; the exit status tells
 * whether all were met.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cc_model.h"
#include "sim.h"

#define FRAME 1514.0
#define PAYLOAD (1448.0 / FRAME)

enum { RENO, CUBIC, BBR, DCTCP, ALGORITHMS };

static const char *const algorithms[ALGORITHMS] = { "reno", "cubic", "bbr", "dctcp" };

enum target { LINK, MODEL, POLICER };

struct line {
	const char *what;             /* printed: the impairment */
	double mbit, rtt_ms, queue;   /* queue in products of rate and round trip */
	double seconds;               /* measured, after a warm-up of a third of it */
	double least[ALGORITHMS];     /* of what should be reached; 0: it isn't run */
	double dropped[ALGORITHMS];   /* at most of what was sent, by the queue or the policer */
	double needless;              /* at most of all that was sent, from the start: sent again and not lost */
	enum target target;
	bool is_segments;             /* no super-frames */
	struct sim_link link;         /* the impairment; rate, delay and queue are set from the above */
};

#define CLEAN { 0.95, 0.95, 0.93, 0 }, { 0.06, 0.02, 0.25, 0 }, 0.0005

static const struct line lines[] = {
	{ "", 10, 1, 4, 3, CLEAN, LINK, false, { 0 } },
	{ "", 10, 20, 1, 10, CLEAN, LINK, false, { 0 } },
	{ "", 10, 100, 0.5, 30, CLEAN, LINK, false, { 0 } },
	{ "", 100, 0.1, 4, 0.3, CLEAN, LINK, false, { 0 } },
	{ "", 100, 10, 0.5, 2, CLEAN, LINK, false, { 0 } },
	{ "", 100, 10, 4, 2, CLEAN, LINK, false, { 0 } },
	{ "", 1000, 0.1, 1, 0.1, CLEAN, LINK, false, { 0 } },
	{ "", 1000, 1, 1, 0.6, { 0.90, 0.95, 0.93, 0 }, { 0.06, 0.02, 0.25, 0 }, 0.0005, LINK, false, { 0 } },
	{ "", 1000, 10, 1, 0.8, CLEAN, LINK, false, { 0 } },
	{ "", 10000, 0.1, 4, 0.02, CLEAN, LINK, false, { 0 } },
	{ "", 10000, 1, 1, 0.08, CLEAN, LINK, false, { 0 } },

	{ "loss 0.1 %", 10, 20, 1, 60, { 0.95, 0.95, 0.95, 0 }, { 0.01, 0.01, 0.10, 0 }, 0.0005, MODEL, false, { .loss = 0.001 } },
	{ "loss 0.1 %, segments", 100, 10, 1, 60, { 0.95, 0.95, 0, 0 }, { 0.01, 0.01, 0, 0 }, 0.0005, MODEL, true, { .loss = 0.001 } },
	{ "loss 0.1 %", 100, 10, 1, 60, { 0.93, 0.93, 0, 0 }, { 0.01, 0.01, 0, 0 }, 0.0005, MODEL, false, { .loss = 0.001 } },
	{ "loss 1 %, segments", 100, 10, 1, 80, { 0.95, 0.95, 0, 0 }, { 0.01, 0.01, 0, 0 }, 0.0005, MODEL, true, { .loss = 0.01 } },
	{ "loss 1 %", 100, 10, 1, 80, { 0.93, 0.93, 0, 0 }, { 0.01, 0.01, 0, 0 }, 0.0005, MODEL, false, { .loss = 0.01 } },
	{ "loss 1 %, segments", 1000, 1, 1, 8, { 0.95, 0.95, 0, 0 }, { 0.01, 0.01, 0, 0 }, 0.0005, MODEL, true, { .loss = 0.01 } },
	{ "loss 1 %", 1000, 1, 1, 8, { 0.85, 0.85, 0, 0 }, { 0.01, 0.01, 0, 0 }, 0.0005, MODEL, false, { .loss = 0.01 } },
	{ "loss 1 %", 10, 20, 1, 160, { 0.95, 0.95, 0, 0 }, { 0.01, 0.01, 0, 0 }, 0.0005, MODEL, false, { .loss = 0.01 } },
	{ "loss 3 %, segments", 10, 20, 1, 120, { 0.85, 0.85, 0, 0 }, { 0.01, 0.01, 0, 0 }, 0.0005, MODEL, true, { .loss = 0.03 } },
	{ "loss 1 %", 100, 10, 1, 3, { 0, 0, 0.95, 0 }, { 0, 0, 0.10, 0 }, 0.0005, LINK, false, { .loss = 0.01 } },
	{ "loss 1 %", 1000, 1, 1, 0.3, { 0, 0, 0.95, 0 }, { 0, 0, 0.10, 0 }, 0.0005, LINK, false, { .loss = 0.01 } },
	{ "loss 5 %", 100, 10, 1, 3, { 0, 0, 0.90, 0 }, { 0, 0, 0.10, 0 }, 0.0005, LINK, false, { .loss = 0.05 } },
	{ "loss 0.05 %", 100, 100, 1, 500, { 0, 0.93, 0, 0 }, { 0, 0.01, 0, 0 }, 0.0005, MODEL, false, { .loss = 0.0005 } },
	{ "bursts of 4, 1 %", 10, 20, 1, 80, { 0.90, 0.90, 0.95, 0 }, { 0.01, 0.01, 0.10, 0 }, 0.0005, MODEL, false,
	  { .bad_in = 0.0025, .bad_out = 0.25 } },

	{ "reordering 10 % by 2 ms", 100, 20, 1, 4, { 0.95, 0.95, 0.93, 0 }, { 0.001, 0.001, 0.05, 0 }, 0.0002, LINK, false,
	  { .reorder = 0.1, .reorder_by = 2 * XTIME_MSEC } },
	{ "reordering 1 % by 15 ms", 100, 20, 1, 4, { 0.95, 0.93, 0.93, 0 }, { 0.01, 0.01, 0.05, 0 }, 0.0003, LINK, false,
	  { .reorder = 0.01, .reorder_by = 15 * XTIME_MSEC } },
	{ "duplication 5 %", 100, 20, 1, 4, { 0.95, 0.95, 0.93, 0 }, { 0.004, 0.004, 0.05, 0 }, 0.0005, LINK, false, { .dup = 0.05 } },
	{ "corruption 1 %", 10, 20, 1, 80, { 0.95, 0.95, 0.95, 0 }, { 0.02, 0.02, 0.10, 0 }, 0.0005, MODEL, false, { .corrupt = 0.01 } },
	{ "policer 20 Mbit/s, 50 KB", 100, 20, 1, 20, { 0.50, 0.70, 0.90, 0 }, { 0.02, 0.05, 0.30, 0 }, 0.0005, POLICER, false,
	  { .police_rate = 20000000, .police_burst = 50000 } },
	{ "ECN, marks behind 20", 100, 10, 4, 6, { 0.80, 0.90, 0.93, 0.95 }, { 0, 0, 0.25, 0 }, 0.0005, LINK, false,
	  { .mark_at = 20 * 1514 } },
	{ "ECN, marks behind 65", 1000, 1, 4, 1, { 0.80, 0.90, 0.93, 0.95 }, { 0, 0, 0.25, 0 }, 0.0005, LINK, false,
	  { .mark_at = 65 * 1514 } },
};

struct share {
	double mbit, rtt_ms, queue;
	double seconds;
	uint32_t mark_at;             /* packets */
	uint8_t a, b;                 /* the second begins after a tenth of the time */
	double least, jain;           /* over the second half: use of the link, Jain's index; DCTCP takes
	                               * long to share evenly (RFC 8257 6.2) */
};

static const struct share shares[] = {
	{ 10, 20, 1, 80, 0, RENO, RENO, 0.95, 0.90 },
	{ 10, 20, 1, 80, 0, RENO, CUBIC, 0.95, 0.90 },
	{ 10, 20, 1, 80, 0, RENO, BBR, 0.95, 0.90 },
	{ 10, 20, 1, 80, 0, CUBIC, CUBIC, 0.95, 0.90 },
	{ 10, 20, 1, 80, 0, CUBIC, BBR, 0.95, 0.90 },
	{ 10, 20, 1, 80, 0, BBR, BBR, 0.95, 0.90 },
	{ 50, 20, 2, 40, 0, RENO, RENO, 0.95, 0.80 },
	{ 50, 20, 2, 40, 0, RENO, CUBIC, 0.95, 0.80 },
	{ 50, 20, 2, 40, 0, CUBIC, CUBIC, 0.95, 0.80 },
	{ 50, 20, 2, 40, 0, CUBIC, BBR, 0.95, 0.50 },
	{ 50, 20, 2, 40, 0, BBR, BBR, 0.95, 0.80 },
	{ 100, 10, 4, 10, 20, DCTCP, DCTCP, 0.95, 0.70 },
};

static double should_reach(const struct line *l, int k)
{
	struct model_link m = {
		.rate = l->mbit * 1e6 / 8 / FRAME, .rtt = l->rtt_ms / 1e3, .loss = l->link.loss + l->link.corrupt,
		.bad_in = l->link.bad_in, .bad_out = l->link.bad_out,
	};

	if (l->target == POLICER)
		return (double)l->link.police_rate * PAYLOAD;
	if (l->target == LINK || k >= BBR)
		return l->mbit * 1e6 * PAYLOAD * (1 - l->link.loss - l->link.corrupt);
	m.queue = fmax(m.rate * m.rtt * l->queue, 64);
	return 1448 * 8 * model_run(k == RENO ? MODEL_RENO : MODEL_CUBIC, &m, l->seconds / 3, 4 * l->seconds, 1);
}

static void open_path(struct sim *m, double mbit, double rtt_ms, double queue, const char *name, bool is_segments)
{
	double bdp = mbit * 1e6 / 8 * rtt_ms / 1e3;

	sim_init(m, 1, !is_segments, name);
	for (int i = 0; i < 2; i++) {
		m->link[i].rate = (uint64_t)(mbit * 1e6);
		m->link[i].delay = (xtime)(rtt_ms * 1e6 / 2);
		m->s[i]->set.tcp_ecn = 1;
		m->s[i]->set.tcp_wmem_max = 64 << 20;   /* the algorithm is measured, not the buffer */
	}
	m->link[0].queue = (uint32_t)fmax(bdp * queue, 64 * FRAME);
}

static xtime span(double seconds)
{
	return (xtime)(seconds * 1e9);
}

static bool bound(bool is_met)
{
	printf("%s\n", is_met ? "" : "  <-- out of bounds");
	return is_met;
}

static bool run_line(const struct line *l, int k)
{
	struct sim m;
	struct sim_flow f;
	uint64_t got, sent, dropped, again, lost;
	double rate, of = should_reach(l, k), drops, needless;
	struct sim_link path;

	open_path(&m, l->mbit, l->rtt_ms, l->queue, algorithms[k], l->is_segments);
	path = l->link;
	path.rate = m.link[0].rate;
	path.delay = m.link[0].delay;
	path.queue = m.link[0].queue;
	m.link[0] = path;
	sim_flow_open(&m, &f, 80, UINT64_MAX, 0);
	sim_run(&m, &f, 1, span(l->seconds / 3));
	got = f.got[1];
	sent = m.link[0].frames;
	dropped = m.link[0].dropped;
	sim_run(&m, &f, 1, span(l->seconds));
	rate = (double)(f.got[1] - got) * 8 / l->seconds;
	drops = (double)(m.link[0].dropped - dropped) / (double)(m.link[0].frames - sent);
	again = f.c[0]->snd.total_retrans;
	lost = m.link[0].lost + m.link[0].dropped + m.link[0].corrupted;
	needless = again > lost ? (double)(again - lost) / (double)m.link[0].frames : 0;
	printf("%-5s %5g Mbit/s %4g ms  queue %3g  %-25s %8.2f of %8.2f Mbit/s %5.1f %%  dropped %5.2f %%  resent %6llu, needless %5.3f %%",
	       algorithms[k], l->mbit, l->rtt_ms, l->queue, l->what, rate / 1e6, of / 1e6, 100 * rate / of,
	       100 * drops, (unsigned long long)again, 100 * needless);
	if (m.link[0].marked)
		printf("  marked %llu", (unsigned long long)m.link[0].marked);
	if (f.is_wrong)
		printf("  wrong bytes");
	sim_fini(&m);
	/* More than it should have would be no better. */
	return bound(rate >= l->least[k] * of && (l->target != MODEL || k >= BBR || rate <= 1.07 * of) &&
	             drops <= l->dropped[k] && needless <= l->needless && !f.is_wrong);
}

/* ---- slow start: HyStart as Linux has it, HyStart++, and neither ---- */

static const struct { double mbit, rtt_ms, queue; } starts[] = {
	{ 10, 20, 1 }, { 100, 10, 4 }, { 100, 50, 1 }, { 1000, 10, 1 },
};

/* The first forty round trips of CUBIC: none must be slower, and Linux's drops least. */
static bool run_start(size_t i)
{
	static const char *const kinds[] = { "off", "Linux", "RFC 9406" };
	double used[3], least = 0.98;
	uint64_t dropped[3];

	for (int k = 0; k < 3; k++) {
		struct sim m;
		struct sim_flow f;
		double seconds = 40 * starts[i].rtt_ms / 1e3;

		open_path(&m, starts[i].mbit, starts[i].rtt_ms, starts[i].queue, "cubic", false);
		m.s[0]->set.tcp_cubic_hystart = k;
		sim_flow_open(&m, &f, 80, UINT64_MAX, 0);
		sim_run(&m, &f, 1, span(seconds));
		used[k] = (double)f.got[1] * 8 / seconds / (starts[i].mbit * 1e6 * PAYLOAD);
		dropped[k] = m.link[0].dropped;
		sim_fini(&m);
	}
	printf("cubic %5g Mbit/s %4g ms  queue %3g  first 40 round trips, HyStart", starts[i].mbit, starts[i].rtt_ms,
	       starts[i].queue);
	for (int k = 0; k < 3; k++)
		printf("  %s: %5.1f %%, dropped %4llu", kinds[k], 100 * used[k], (unsigned long long)dropped[k]);
	return bound(used[1] >= least * used[0] && used[2] >= least * used[0] && dropped[1] <= dropped[2] &&
	             dropped[2] <= dropped[0]);
}

static bool run_share(const struct share *l)
{
	struct sim m;
	struct sim_flow f[2];
	double of = l->mbit * 1e6 * PAYLOAD, x[2], jain;
	const char *second = algorithms[l->b];
	uint64_t got[2];

	open_path(&m, l->mbit, l->rtt_ms, l->queue, algorithms[l->a], false);
	m.link[0].mark_at = l->mark_at * (uint32_t)FRAME;
	sim_flow_open(&m, &f[0], 80, UINT64_MAX, 0);
	sim_run(&m, f, 1, span(l->seconds / 10));
	sim_flow_open(&m, &f[1], 81, UINT64_MAX, 0);
	tcp_setopt(f[1].c[0], IPPROTO_TCP, TCP_CONGESTION, second, (socklen_t)strlen(second), true, m.now);
	sim_run(&m, f, 2, span(l->seconds * 0.4));
	for (int i = 0; i < 2; i++)
		got[i] = f[i].got[1];
	sim_run(&m, f, 2, span(l->seconds / 2));
	for (int i = 0; i < 2; i++)
		x[i] = (double)(f[i].got[1] - got[i]) * 16 / l->seconds;
	jain = (x[0] + x[1]) * (x[0] + x[1]) / (2 * (x[0] * x[0] + x[1] * x[1]));
	printf("%-5s + %-5s %3g Mbit/s %3g ms  queue %3g%s  %7.2f + %7.2f Mbit/s, %5.1f %% of the link, Jain %.3f",
	       algorithms[l->a], second, l->mbit, l->rtt_ms, l->queue, l->mark_at ? ", ECN" : "", x[0] / 1e6,
	       x[1] / 1e6, 100 * (x[0] + x[1]) / of, jain);
	sim_fini(&m);
	return bound(x[0] + x[1] >= l->least * of && jain >= l->jain);
}

int main(void)
{
	bool is_good = true;

	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		for (int k = 0; k < ALGORITHMS; k++)
			if (lines[i].least[k] > 0)
				is_good &= run_line(&lines[i], k);
	for (size_t i = 0; i < ARRAY_LEN(starts); i++)
		is_good &= run_start(i);
	for (size_t i = 0; i < ARRAY_LEN(shares); i++)
		is_good &= run_share(&shares[i]);
	return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}
