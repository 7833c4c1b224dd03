/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sim_table.c - every congestion control algorithm over every kind of link, on a virtual clock:
 * what it carries against what it should, what the queue drops, what is sent again without need, and
 * how flows share.
 *
 * "of" is what the algorithm should reach there, and every line must come within 5 % of it:
 * for Reno, CUBIC and DCTCP without marks (RFC 8257 3.5: as Reno) what cc_model.c reaches on the same
 * link with the same losses, an ideal sender with the window of the RFC; for BBR, and DCTCP with marks,
 * the payload rate of the link or of the policer, whatever is lost.
 *
 * "needless" is what the receiver had already when it came again, network's copies excepted (it says so
 * by DSACK), in the time that is measured, and from the start, where a window for reordering isn't
 * known yet (RFC 8985 6.2).
 *
 * Lines that say "segments" send no super-frames.  Queues hold 64 packets at least.  The exit status tells
 * whether all bounds were met; with SANITIZERS set, which make all of it several times slower, long lines are left out.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cc_model.h"
#include "sim.h"

#define FRAME 1514.0
#define PAYLOAD (1448.0 / FRAME)
#define LEAST 0.95
#define MOST 1.08                  /* more than the model's: the model would be wrong */
#define LONG_MBIT 200              /* of simulated traffic */

enum { RENO, CUBIC, BBR, DCTCP, ALGORITHMS };
enum { R = 1 << RENO, C = 1 << CUBIC, B = 1 << BBR, D = 1 << DCTCP };

static const char *const algorithms[ALGORITHMS] = { "reno", "cubic", "bbr", "dctcp" };

struct line {
	const char *what;             /* printed: the impairment */
	double mbit, rtt_ms, queue;   /* queue in products of rate and round trip */
	double seconds;               /* measured, after a warm-up of a third of it */
	uint8_t which;                /* algorithms */
	double dropped;               /* at most of what was sent, by the queue or the policer; BBR: bbr_dropped */
	double bbr_dropped;
	double needless;              /* at most of what was sent */
	unsigned start;               /* needless ones at most before that */
	/* WMEM: with the default send buffer, which fills up; the program blocks in send().  (One that polls finds all
	 * sent when it writes again, which BBR counts as its having too little: it stays in STARTUP, in
	 * Linux as well.) */
	enum { SUPER, SEGMENTS, WMEM } how;
	struct sim_link link;         /* the impairment; rate, delay and queue are set from the above */
};

#define CLEAN R | C | B | D, 0.01, 0.15, 0, 0
#define LOSSY 0.01, 0.10, 0, 0

static const struct line lines[] = {
	{ "", 1, 50, 4, 20, R | C | B | D, 0.02, 0.15, 0, 0, SUPER, { 0 } },
	{ "", 10, 1, 4, 3, CLEAN, SUPER, { 0 } },
	{ "", 10, 20, 1, 10, CLEAN, SUPER, { 0 } },
	{ "", 10, 100, 0.5, 30, CLEAN, SUPER, { 0 } },
	{ "", 100, 0.1, 4, 0.3, CLEAN, SUPER, { 0 } },
	{ "", 100, 10, 0.5, 2, CLEAN, SUPER, { 0 } },
	{ "", 100, 10, 4, 2, CLEAN, SUPER, { 0 } },
	{ "", 100, 200, 1, 8, C | B, 0.01, 0.15, 0, 0, SUPER, { 0 } },
	{ "", 1000, 0.1, 1, 0.1, CLEAN, SUPER, { 0 } },
	{ "segments", 1000, 1, 1, 0.3, CLEAN, SEGMENTS, { 0 } },
	{ "", 1000, 1, 1, 0.3, CLEAN, SUPER, { 0 } },
	{ "", 1000, 10, 1, 0.6, R | C | B, LOSSY, SUPER, { 0 } },
	{ "tcp_wmem as it is", 1000, 10, 1, 0.6, C | B, LOSSY, WMEM, { 0 } },
	{ "", 10000, 0.1, 4, 0.02, CLEAN, SUPER, { 0 } },
	{ "", 10000, 1, 1, 0.06, R | C | B, LOSSY, SUPER, { 0 } },

	{ "loss 0.1 %", 10, 20, 1, 30, R | C | B, LOSSY, SUPER, { .loss = 0.001 } },
	{ "loss 0.1 %, segments", 100, 10, 1, 12, R | C, LOSSY, SEGMENTS, { .loss = 0.001 } },
	{ "loss 0.1 %", 100, 10, 1, 12, R | C | D, LOSSY, SUPER, { .loss = 0.001 } },
	{ "loss 0.05 %", 100, 100, 1, 150, C, LOSSY, SUPER, { .loss = 0.0005 } },
	{ "loss 1 %, segments", 100, 10, 1, 25, R | C, LOSSY, SEGMENTS, { .loss = 0.01 } },
	{ "loss 1 %", 100, 10, 1, 25, R | C | D, LOSSY, SUPER, { .loss = 0.01 } },
	{ "loss 1 %", 100, 10, 1, 3, B, LOSSY, SUPER, { .loss = 0.01 } },
	{ "loss 1 %, segments", 1000, 1, 1, 2.5, R | C, LOSSY, SEGMENTS, { .loss = 0.01 } },
	{ "loss 1 %", 1000, 1, 1, 2.5, R | C, LOSSY, SUPER, { .loss = 0.01 } },
	{ "loss 1 %", 1000, 1, 1, 0.3, B, LOSSY, SUPER, { .loss = 0.01 } },
	{ "loss 1 %", 10, 20, 1, 50, R | C, LOSSY, SUPER, { .loss = 0.01 } },
	{ "loss 3 %, segments", 10, 20, 1, 60, R | C, LOSSY, SEGMENTS, { .loss = 0.03 } },
	{ "loss 3 %", 10, 20, 1, 60, R | C | B, LOSSY, SUPER, { .loss = 0.03 } },
	{ "loss 5 %", 100, 10, 1, 3, B, LOSSY, SUPER, { .loss = 0.05 } },
	{ "bursts of 4, 1 %", 10, 20, 1, 40, R | C | B, LOSSY, SUPER, { .bad_in = 0.0025, .bad_out = 0.25 } },
	{ "bursts of 8, 0.5 %", 10, 20, 1, 40, R | C | B, LOSSY, SUPER, { .bad_in = 0.000625, .bad_out = 0.125 } },
	{ "corruption 1 %", 10, 20, 1, 60, R | C | B, LOSSY, SUPER, { .corrupt = 0.01 } },
	{ "duplication 5 %", 100, 20, 1, 4, R | C | B, LOSSY, SUPER, { .dup = 0.05 } },
	/* Within a quarter of the round trip, and beyond.  (What is overtaken by a retransmission that fills the
	 * hole before it is dropped by PAWS, as in Linux: after real losses reordering causes more.) */
	{ "reordering 10 % by 2 ms", 100, 20, 1, 4, R | C | B, 0.01, 0.05, 0, 10, SUPER,
	  { .reorder = 0.1, .reorder_by = 2 * XTIME_MSEC } },
	{ "reordering 50 % by 4 ms", 100, 20, 4, 6, R | C | B, 0.01, 0.05, 0.0001, 20, SUPER,
	  { .reorder = 0.5, .reorder_by = 4 * XTIME_MSEC } },
	{ "reordering 1 % by 15 ms", 100, 20, 1, 4, R | C | B, 0.01, 0.05, 0.0003, 40, SUPER,
	  { .reorder = 0.01, .reorder_by = 15 * XTIME_MSEC } },
	{ "policer 20 Mbit/s, 50 KB", 100, 20, 1, 12, R | C | B, 0.02, 0.30, 0, 0, SUPER,
	  { .police_rate = 20000000, .police_burst = 50000 } },
	{ "policer 20, 50 KB, segments", 100, 20, 1, 12, R | C | B, 0.02, 0.30, 0, 0, SEGMENTS,
	  { .police_rate = 20000000, .police_burst = 50000 } },
	{ "policer 50 Mbit/s, 250 KB", 100, 10, 1, 5, R | C | B, 0.02, 0.30, 0, 0, SUPER,
	  { .police_rate = 50000000, .police_burst = 250000 } },
	/* (Reno's and CUBIC's second reduction hangs by the place of one packet in the queue there.) */
	{ "ECN, marks behind 20, segments", 100, 10, 4, 3, B | D, 0, 0.25, 0, 0, SEGMENTS, { .mark_at = 20 * 1514 } },
	{ "ECN, marks behind 20", 100, 10, 4, 6, R | C | B | D, 0, 0.25, 0, 0, SUPER, { .mark_at = 20 * 1514 } },
	{ "ECN, marks behind 65", 1000, 1, 4, 0.5, R | C | B | D, 0, 0.25, 0, 0, SUPER, { .mark_at = 65 * 1514 } },
};

struct share {
	double mbit, rtt_ms, queue;
	double seconds;
	uint32_t mark_at;             /* packets */
	uint8_t a, b;                 /* the second begins after a tenth of the time */
	uint8_t each;                 /* flows of each kind */
	double far_ms;                /* the second kind's round trip is longer */
	double jitter_ms;             /* of ACKs, so that the flows' phases don't lock */
	bool is_segments;
	double jain;                  /* least of Jain's index, over the second half */
};

/* LEAST of the link is used in all.  Where round trips differ: by theory rates go with 1/rtt to 1/rtt^2. */
static const struct share shares[] = {
	{ 10, 20, 1, 50, 0, RENO, RENO, 1, 0, 0, false, 0.90 },
	{ 10, 20, 1, 50, 0, RENO, CUBIC, 1, 0, 0, false, 0.90 },
	{ 10, 20, 1, 50, 0, RENO, BBR, 1, 0, 0, false, 0.90 },
	{ 10, 20, 1, 50, 0, CUBIC, CUBIC, 1, 0, 0, false, 0.90 },
	{ 10, 20, 1, 50, 0, CUBIC, BBR, 1, 0, 0, false, 0.90 },
	{ 10, 20, 1, 50, 0, BBR, BBR, 1, 0, 0, false, 0.90 },
	{ 10, 20, 1, 50, 0, CUBIC, DCTCP, 1, 0, 0, false, 0.90 },
	{ 50, 20, 2, 14, 0, RENO, RENO, 1, 0, 0, false, 0.90 },
	{ 50, 20, 2, 14, 0, RENO, CUBIC, 1, 0, 0, false, 0.80 },
	{ 50, 20, 2, 14, 0, CUBIC, CUBIC, 1, 0, 0, false, 0.90 },
	{ 50, 20, 2, 40, 0, CUBIC, BBR, 1, 0, 0, false, 0.80 },
	{ 50, 20, 2, 14, 0, BBR, BBR, 1, 0, 0, false, 0.90 },
	{ 50, 20, 2, 14, 0, RENO, RENO, 4, 0, 0, false, 0.90 },
	{ 50, 20, 2, 14, 0, CUBIC, CUBIC, 4, 0, 0, false, 0.90 },
	{ 50, 20, 2, 40, 0, BBR, BBR, 4, 0, 0, false, 0.80 },
	{ 50, 20, 2, 14, 0, RENO, CUBIC, 4, 0, 0, false, 0.80 },
	{ 50, 20, 2, 40, 0, CUBIC, BBR, 4, 0, 0, false, 0.60 },   /* BBR version 1 takes more */
	{ 20, 20, 1, 50, 0, RENO, RENO, 1, 40, 0, false, 0.70 },
	{ 20, 20, 1, 50, 0, CUBIC, CUBIC, 1, 40, 0, false, 0.70 },
	{ 20, 20, 1, 50, 0, BBR, BBR, 1, 40, 0, false, 0.60 },
	{ 100, 10, 4, 6, 20, DCTCP, DCTCP, 1, 0, 0, true, 0.95 },
	{ 100, 10, 4, 10, 20, DCTCP, DCTCP, 1, 0, 1, false, 0.90 },
	{ 1000, 1, 4, 0.6, 65, DCTCP, DCTCP, 1, 0, 0, false, 0.90 },
};

static bool is_long(double mbit)
{
	const char *sanitizers = getenv("SANITIZERS");

	return sanitizers && sanitizers[strspn(sanitizers, " ")] && mbit > LONG_MBIT;
}

static double should_reach(const struct line *l, int k)
{
	struct model_link m = {
		.rate = l->mbit * 1e6 / 8 / FRAME, .rtt = l->rtt_ms / 1e3, .loss = l->link.loss, .corrupt = l->link.corrupt,
		.bad_in = l->link.bad_in, .bad_out = l->link.bad_out,
		.police_rate = (double)l->link.police_rate / 8 / FRAME, .police_burst = l->link.police_burst / FRAME,
		.mark_at = l->link.mark_at / FRAME, .is_burst = l->how != SEGMENTS,
	};
	double bad = l->link.bad_in > 0 ? l->link.bad_in / (l->link.bad_in + l->link.bad_out) : 0;

	if (k == BBR || (k == DCTCP && l->link.mark_at))
		return (l->link.police_rate ? (double)l->link.police_rate : l->mbit * 1e6) * PAYLOAD *
		       (1 - l->link.loss - l->link.corrupt - bad);
	m.queue = fmax(m.rate * m.rtt * l->queue, 64);
	return 1448 * 8 * model_run(k == CUBIC ? MODEL_CUBIC : MODEL_RENO, &m, l->seconds / 3, l->seconds, 1);
}

static void open_path(struct sim *m, double mbit, double rtt_ms, double queue, const char *name, bool can_offload)
{
	double bdp = mbit * 1e6 / 8 * rtt_ms / 1e3;

	sim_init(m, 1, can_offload, name);
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

/* What came at B although it was there. */
static uint64_t came_twice(const struct sim *m)
{
	const uint64_t *counters = stack_counters(m->s[1]);

	return counters[CTR_TcpExtTCPDSACKOldSent] + counters[CTR_TcpExtTCPDSACKOfoSent];
}

struct mark { uint64_t got, frames, dropped, twice; };

static struct mark take_mark(const struct sim *m, const struct sim_flow *f)
{
	const struct sim_link *l = &m->link[0];
	uint64_t twice = came_twice(m);

	return (struct mark){ f->got[1], l->frames, l->dropped, twice > l->copied ? twice - l->copied : 0 };
}

static void open_line(struct sim *m, const struct line *l, int k)
{
	struct sim_link path = l->link;

	open_path(m, l->mbit, l->rtt_ms, l->queue, algorithms[k], l->how != SEGMENTS);
	if (l->how == WMEM)
		settings_default(&m->s[0]->set);
	path.rate = m->link[0].rate;
	path.delay = m->link[0].delay;
	path.queue = m->link[0].queue;
	m->link[0] = path;
}

static bool run_line(const struct line *l, int k)
{
	struct sim m;
	struct sim_flow f;
	struct mark begin, end;
	double rate, of = should_reach(l, k), drops, needless;
	bool is_model = k != BBR && !(k == DCTCP && l->link.mark_at);

	open_line(&m, l, k);
	sim_flow_open(&m, &f, 80, UINT64_MAX, 0);
	f.blocks = l->how == WMEM;
	sim_run(&m, &f, 1, span(l->seconds / 3));
	begin = take_mark(&m, &f);
	sim_run(&m, &f, 1, span(l->seconds));
	end = take_mark(&m, &f);
	rate = (double)(end.got - begin.got) * 8 / l->seconds;
	drops = (double)(end.dropped - begin.dropped) / (double)(end.frames - begin.frames);
	needless = (double)(end.twice - begin.twice) / (double)(end.frames - begin.frames);
	printf("%-5s %5g Mbit/s %4g ms  queue %3g  %-30s %8.2f of %8.2f Mbit/s %5.1f %%  dropped %5.2f %%  resent %6llu, needless %5.3f %% (%llu before)",
	       algorithms[k], l->mbit, l->rtt_ms, l->queue, l->what, rate / 1e6, of / 1e6, 100 * rate / of,
	       100 * drops, (unsigned long long)f.c[0]->snd.total_retrans, 100 * needless, (unsigned long long)begin.twice);
	if (m.link[0].marked)
		printf("  marked %llu", (unsigned long long)m.link[0].marked);
	if (f.is_wrong)
		printf("  wrong bytes");
	sim_fini(&m);
	return bound(rate >= LEAST * of && (!is_model || rate <= MOST * of) && drops <= (k == BBR ? l->bbr_dropped : l->dropped) &&
	             needless <= l->needless && begin.twice <= l->start && !f.is_wrong);
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

		open_path(&m, starts[i].mbit, starts[i].rtt_ms, starts[i].queue, "cubic", true);
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

#define FLOWS_MAX 8

static void open_share(struct sim *m, struct sim_flow *f, const struct share *l)
{
	open_path(m, l->mbit, l->rtt_ms, l->queue, algorithms[l->a], !l->is_segments);
	m->link[0].mark_at = l->mark_at * (uint32_t)FRAME;
	m->link[0].far_port = l->far_ms > 0 ? 81 : 0;
	m->link[0].far_delay = span(l->far_ms / 1e3);
	m->link[1].reorder = l->jitter_ms > 0;
	m->link[1].reorder_by = span(l->jitter_ms / 1e3);
	for (unsigned i = 0; i < l->each; i++)
		sim_flow_open(m, &f[i], (uint16_t)(i ? 1000 + i : 80), UINT64_MAX, 0);
	sim_run(m, f, l->each, span(l->seconds / 10));
	for (unsigned i = l->each; i < 2u * l->each; i++) {
		const char *name = algorithms[l->b];

		sim_flow_open(m, &f[i], (uint16_t)(i > l->each ? 1000 + i : 81), UINT64_MAX, 0);
		tcp_setopt(f[i].c[0], IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name), true, m->now);
	}
}

static bool run_share(const struct share *l)
{
	struct sim m;
	struct sim_flow f[FLOWS_MAX];
	unsigned n = 2u * l->each;
	double of = l->mbit * 1e6 * PAYLOAD, sum = 0, squares = 0, kinds[2] = { 0 }, jain;
	uint64_t got[FLOWS_MAX];
	bool is_wrong = false;

	open_share(&m, f, l);
	sim_run(&m, f, n, span(l->seconds * 0.4));
	for (unsigned i = 0; i < n; i++)
		got[i] = f[i].got[1];
	sim_run(&m, f, n, span(l->seconds / 2));
	for (unsigned i = 0; i < n; i++) {
		double x = (double)(f[i].got[1] - got[i]) * 16 / l->seconds;

		kinds[i >= l->each] += x;
		sum += x;
		squares += x * x;
		is_wrong |= f[i].is_wrong;
	}
	jain = sum * sum / (n * squares);
	printf("%u %-5s + %u %-5s %4g Mbit/s %3g", l->each, algorithms[l->a], l->each, algorithms[l->b], l->mbit, l->rtt_ms);
	printf(l->far_ms > 0 ? " and %g ms" : " ms", l->rtt_ms + l->far_ms);
	printf("  queue %3g%s%s  %7.2f + %7.2f Mbit/s, %5.1f %% of the link, Jain %.3f%s", l->queue, l->mark_at ? ", ECN" : "",
	       l->is_segments ? ", segments" : "", kinds[0] / 1e6, kinds[1] / 1e6, 100 * sum / of, jain,
	       is_wrong ? "  wrong bytes" : "");
	sim_fini(&m);
	return bound(sum >= LEAST * of && jain >= l->jain && !is_wrong);
}

int main(void)
{
	bool is_good = true;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		for (int k = 0; k < ALGORITHMS; k++)
			if (lines[i].which & 1 << k && !is_long(lines[i].mbit * lines[i].seconds))
				is_good &= run_line(&lines[i], k);
	for (size_t i = 0; i < ARRAY_LEN(starts); i++)
		is_good &= run_start(i);
	for (size_t i = 0; i < ARRAY_LEN(shares); i++)
		if (!is_long(shares[i].mbit * shares[i].seconds))
			is_good &= run_share(&shares[i]);
	return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}
