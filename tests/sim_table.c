/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sim_table.c - every congestion control algorithm over every link: what it carries against
 * what it should, what it sends again, and how two flows share.
 *
 * On a virtual clock, so that the table is the same on every machine.  "of" is the payload
 * rate of the link, or what the algorithm's response function gives at that loss where this
 * is less: Reno 1.22 / sqrt(p) segments a round trip, CUBIC the larger of that and of
 * 1.054 (RTT / p)^(3/4) (RFC 9438 4.3, 5.1), BBR the link whatever the loss.  The formulas
 * know no limit of the queue, no round in recovery and no chance in a short run: bounds with
 * loss are wide.  Shared links have a second flow, begun after a tenth of the time: their use
 * by both and Jain's index over the second half.  Queues hold 64 packets at least.
 *
 * Prints the table; the exit status tells whether every bound was met.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define PAYLOAD (1448.0 / 1514.0)

struct link_case {
	double mbit, rtt_ms, queue;   /* queue in products of rate and round trip */
	double loss;
	double seconds;               /* measured, after a warm-up of a third of it */
	double least[3];              /* of what should be reached: reno, cubic, bbr */
	double resent[3];             /* at most of what was sent, beyond what was lost at random;
	                               * of shared links: Jain's index, at least */
};

static const char *const algorithms[3] = { "reno", "cubic", "bbr" };

static const struct link_case single[] = {
	{ 10, 1, 4, 0, 3, { 0.90, 0.95, 0.93 }, { 0.06, 0.02, 0.25 } },
	{ 10, 20, 1, 0, 10, { 0.90, 0.95, 0.93 }, { 0.06, 0.02, 0.25 } },
	{ 10, 100, 0.5, 0, 30, { 0.90, 0.95, 0.93 }, { 0.06, 0.02, 0.25 } },
	{ 10, 20, 1, 0.001, 20, { 0.80, 0.65, 0.95 }, { 0.01, 0.01, 0.10 } },
	{ 10, 20, 1, 0.01, 20, { 0.60, 0.45, 0.95 }, { 0.01, 0.01, 0.10 } },
	{ 100, 0.1, 4, 0, 0.3, { 0.90, 0.95, 0.93 }, { 0.06, 0.02, 0.25 } },
	{ 100, 10, 0.5, 0, 2, { 0.90, 0.95, 0.93 }, { 0.06, 0.02, 0.25 } },
	{ 100, 10, 4, 0, 2, { 0.90, 0.95, 0.93 }, { 0.06, 0.02, 0.25 } },
	{ 100, 10, 1, 0.001, 3, { 0.80, 0.65, 0.95 }, { 0.01, 0.01, 0.10 } },
	{ 100, 10, 1, 0.01, 4, { 0.60, 0.45, 0.95 }, { 0.01, 0.01, 0.10 } },
	{ 1000, 0.1, 1, 0, 0.1, { 0.90, 0.95, 0.93 }, { 0.06, 0.02, 0.25 } },
	{ 1000, 1, 1, 0, 0.2, { 0.90, 0.95, 0.93 }, { 0.06, 0.02, 0.25 } },
	{ 1000, 10, 1, 0, 0.3, { 0.90, 0.95, 0.93 }, { 0.06, 0.02, 0.25 } },
	{ 1000, 1, 1, 0.001, 0.2, { 0.80, 0.65, 0.95 }, { 0.01, 0.01, 0.10 } },
	{ 1000, 1, 1, 0.01, 0.4, { 0.60, 0.45, 0.95 }, { 0.01, 0.01, 0.10 } },
	{ 10000, 0.1, 1, 0, 0.02, { 0.90, 0.95, 0.93 }, { 0.06, 0.02, 0.25 } },
	{ 10000, 0.1, 4, 0, 0.02, { 0.90, 0.95, 0.93 }, { 0.06, 0.02, 0.25 } },
	{ 10000, 0.1, 1, 0.001, 0.02, { 0.80, 0.65, 0.95 }, { 0.01, 0.01, 0.10 } },
	{ 10000, 1, 1, 0, 0.03, { 0.90, 0.95, 0.93 }, { 0.06, 0.02, 0.25 } },
};

static const struct link_case share[] = {
	{ 10, 20, 1, 0, 40, { 0.95, 0.95, 0.95 }, { 0.90, 0.90, 0.90 } },
	/* It ends before the first PROBE_RTT, which is what makes flows of BBR agree. */
	{ 100, 10, 2, 0, 6, { 0.95, 0.95, 0.95 }, { 0.80, 0.80, 0.70 } },
};

static double should_reach(const struct link_case *l, int algorithm)
{
	double link = l->mbit * 1e6 * PAYLOAD, rtt = l->rtt_ms / 1e3, w;
	double reno = 1.22 / sqrt(l->loss);

	if (l->loss <= 0 || algorithm == 2)
		return link;
	w = algorithm == 0 ? reno : fmax(reno, 1.054 * pow(rtt / l->loss, 0.75));
	return fmin(link, w * 1448 * 8 / rtt);
}

static void open_path(struct sim *m, const struct link_case *l, const char *name)
{
	double bdp = l->mbit * 1e6 / 8 * l->rtt_ms / 1e3;

	sim_init(m, 1, true, name);
	for (int i = 0; i < 2; i++) {
		m->link[i].rate = (uint64_t)(l->mbit * 1e6);
		m->link[i].delay = (xtime)(l->rtt_ms * 1e6 / 2);
	}
	m->link[0].queue = (uint32_t)fmax(bdp * l->queue, 64 * 1514);   /* no real one is smaller */
	m->link[0].loss = l->loss;
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

static bool run_single(const struct link_case *l, int k)
{
	struct sim m;
	struct sim_flow f;
	uint64_t got, sent, again, lost;
	double rate, of = should_reach(l, k), resent;

	open_path(&m, l, algorithms[k]);
	sim_flow_open(&m, &f, 80, UINT64_MAX, 0);
	sim_run(&m, &f, 1, span(l->seconds / 3));
	got = f.got[1];
	sent = m.link[0].frames;
	lost = m.link[0].lost;
	again = f.c[0]->snd.total_retrans;
	sim_run(&m, &f, 1, span(l->seconds));
	rate = (double)(f.got[1] - got) * 8 / l->seconds;
	again = f.c[0]->snd.total_retrans - again;
	lost = m.link[0].lost - lost;
	resent = ((double)again - (double)lost) / (double)(m.link[0].frames - sent);
	printf("%-5s %6g Mbit/s %6g ms  queue %3g  loss %4g %%   %8.2f of %8.2f Mbit/s %5.1f %%   resent %6llu (%5.2f %% beyond loss)",
	       algorithms[k], l->mbit, l->rtt_ms, l->queue, l->loss * 100, rate / 1e6, of / 1e6, 100 * rate / of,
	       (unsigned long long)again, 100 * resent);
	if (f.is_wrong)
		printf("  wrong bytes");
	sim_fini(&m);
	return bound(rate >= l->least[k] * of && resent <= l->resent[k] && !f.is_wrong);
}

static bool run_share(const struct link_case *l, int a, int b)
{
	struct sim m;
	struct sim_flow f[2];
	double of = l->mbit * 1e6 * PAYLOAD, x[2], jain;
	uint64_t got[2];

	open_path(&m, l, algorithms[a]);
	sim_flow_open(&m, &f[0], 80, UINT64_MAX, 0);
	sim_run(&m, f, 1, span(l->seconds / 10));
	sim_flow_open(&m, &f[1], 81, UINT64_MAX, 0);
	tcp_setopt(f[1].c[0], IPPROTO_TCP, TCP_CONGESTION, algorithms[b], (socklen_t)strlen(algorithms[b]), true,
	           m.now);
	sim_run(&m, f, 2, span(l->seconds * 0.4));
	for (int i = 0; i < 2; i++)
		got[i] = f[i].got[1];
	sim_run(&m, f, 2, span(l->seconds / 2));
	for (int i = 0; i < 2; i++)
		x[i] = (double)(f[i].got[1] - got[i]) * 16 / l->seconds;
	jain = (x[0] + x[1]) * (x[0] + x[1]) / (2 * (x[0] * x[0] + x[1] * x[1]));
	printf("%-5s + %-5s %4g Mbit/s %4g ms  queue %3g   %7.2f + %7.2f Mbit/s, %5.1f %% of the link, Jain %.3f",
	       algorithms[a], algorithms[b], l->mbit, l->rtt_ms, l->queue, x[0] / 1e6, x[1] / 1e6,
	       100 * (x[0] + x[1]) / of, jain);
	sim_fini(&m);
	return bound(x[0] + x[1] >= l->least[a] * of && (a != b || jain >= l->resent[a]));
}

int main(void)
{
	bool is_good = true;

	for (size_t i = 0; i < ARRAY_LEN(single); i++)
		for (int k = 0; k < 3; k++)
			is_good &= run_single(&single[i], k);
	for (size_t i = 0; i < ARRAY_LEN(share); i++)
		for (int a = 0; a < 3; a++)
			for (int b = a; b < 3; b++)
				is_good &= run_share(&share[i], a, b);
	return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}
