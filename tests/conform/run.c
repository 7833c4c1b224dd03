/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * run.c - events in their order, each at its time; see run.h.
 *
 * A segment that is injected, a call, a command and code happen at the time that the line says; a
 * segment that is expected must have left the stack at that time, give or take the tolerance.
 * Relative times count from now, the time of the last event, but between two segments
 * injected from the time that the first was to come: as packetdrill has it.
 */
#include "conform/run.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

double run_seconds(xtime t)
{
	return (double)t / 1e9;
}

uint8_t run_pattern(uint32_t n)
{
	return (uint8_t)(n * 31 + (n >> 8) * 7 + 1);
}

static _Noreturn void end(int status)
{
	fflush(stdout);
	syscall(SYS_exit_group, status);     /* none of the library's work at exit */
	abort();
}

static _Noreturn void fail(struct run *r, const struct event *e, const char *fmt, va_list ap)
{
	printf("%s:%d: ", r->s->path, e->line);
	vprintf(fmt, ap);
	printf("\n    the line: %s\n", e->source);
	end(1);
}

void run_fail_at(struct run *r, const struct event *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fail(r, e, fmt, ap);
	va_end(ap);
}

void run_fail(struct run *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fail(r, r->now, fmt, ap);
	va_end(ap);
}

/* ---- time ---- */

static bool is_relative(const struct event *e)
{
	return e->time == TIME_RELATIVE || e->time == TIME_RELATIVE_RANGE;
}

/* From the line's time to that of the script. */
static void settle_time(struct run *r, struct event *e)
{
	xtime since = veng_now();

	if (e->time == TIME_ANY) {
		e->at = e->until = since;
		return;
	}
	if (!is_relative(e))
		return;
	if (e->kind == EVENT_IN && r->before)
		since = r->before->at;
	e->at += since;
	e->until += since;
	if (e->kind == EVENT_CALL && e->call.may_block)
		e->call.end += since;
}

void run_check_time(struct run *r, xtime at, const char *what)
{
	const struct event *e = r->now;
	xtime slack = r->s->tolerance;

	if (e->time == TIME_ANY || (at >= e->at - slack && at <= e->until + slack))
		return;
	if (e->until == e->at)
		run_fail(r, "%s was to come at %.6f and came at %.6f", what, run_seconds(e->at), run_seconds(at));
	run_fail(r, "%s was to come at %.6f to %.6f and came at %.6f", what, run_seconds(e->at),
		 run_seconds(e->until), run_seconds(at));
}

static void wait_for_time(struct run *r)
{
	if (veng_now() > r->now->at + r->s->tolerance)
		run_fail(r, "it is %.6f already, too late for an event at %.6f", run_seconds(veng_now()),
			 run_seconds(r->now->at));
	veng_run(r->now->at, false);
}

/* ---- calls ---- */

struct call_job {
	struct run *r;
	struct event *e;
	xtime ended;
};

static struct call_job job;

static void do_job(void *arg)
{
	struct call_job *j = arg;

	step_run(j->r, j->e, j->r->pending_err, sizeof(j->r->pending_err));
	j->ended = veng_now();
}

/* The call that was under way has returned: at the right time, with the right result? */
static void check_pending(struct run *r)
{
	struct event *e = r->pending;
	xtime slack = r->s->tolerance;

	r->pending = NULL;
	if (r->pending_err[0])
		run_fail_at(r, e, "%s", r->pending_err);
	if (job.ended < e->call.end - slack || job.ended > e->call.end + slack)
		run_fail_at(r, e, "%s() was to return at %.6f and returned at %.6f", e->call.name,
			    run_seconds(e->call.end), run_seconds(job.ended));
}

static void run_call(struct run *r)
{
	struct event *e = r->now;
	xtime start;

	if (r->pending && !veng_is_busy())
		check_pending(r);
	if (r->pending)
		run_fail(r, "%s() of line %d hasn't returned yet", r->pending->call.name, r->pending->line);
	start = veng_now();
	r->pending_err[0] = 0;
	job = (struct call_job){ r, e, 0 };
	if (!e->call.may_block) {
		do_job(&job);
		if (!r->pending_err[0] && veng_now() > start + r->s->tolerance)
			run_fail(r, "%s() took %.6f seconds", e->call.name, run_seconds(veng_now() - start));
		if (r->pending_err[0])
			run_fail(r, "%s", r->pending_err);
		return;
	}
	r->pending = e;
	veng_start(do_job, &job);
}

/* What has not returned when the script ends must do so at its time. */
static void finish_pending(struct run *r)
{
	struct event *e = r->pending;

	if (!e)
		return;
	if (veng_is_busy())
		veng_run(e->call.end + r->s->tolerance, false);
	if (veng_is_busy())
		run_fail_at(r, e, "%s() was to return at %.6f and hasn't", e->call.name, run_seconds(e->call.end));
	check_pending(r);
}

/* ---- the script ---- */

static struct run *running;

static void on_stuck(void)
{
	run_fail(running, "the call would sleep for ever");
}

static void on_broken(const char *what)
{
	run_fail(running, "xtcp did wrong: %s", what);
}

static void run_event(struct run *r)
{
	struct event *e = r->now;

	settle_time(r, e);
	if (e->kind == EVENT_OUT) {
		peer_expect(r);
	} else {
		wait_for_time(r);
		switch (e->kind) {
		case EVENT_IN:
			peer_inject(r);
			break;
		case EVENT_CALL:
			run_call(r);
			break;
		case EVENT_COMMAND:
			command_run(r, e->text);
			break;
		default:
			code_run(r, e->text);
		}
	}
	if (r->pending && !veng_is_busy())
		check_pending(r);
	r->before = e->kind == EVENT_IN ? e : NULL;
	r->steps++;
}

void run_script(struct run *r)
{
	struct event *e;
	int i;

	running = r;
	signal(SIGPIPE, SIG_IGN);
	r->next_port = RUN_EPHEMERAL;
	for (i = 0; i < RUN_FDS; i++)
		r->fds[i] = -1;
	veng_config.mtu = r->s->mtu;
	veng_config.local = r->s->local;
	veng_config.stuck = on_stuck;
	veng_config.broken = on_broken;
	for (e = r->s->events; e; e = e->next) {
		r->now = e;
		run_event(r);
	}
	finish_pending(r);
}

void run_free(struct run *r)
{
	struct peer *p;

	while ((p = r->peers)) {
		r->peers = p->next;
		free(p->ts);
		free(p);
	}
	free(r->counted);
	code_free(r);
}
