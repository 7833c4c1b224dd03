/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * veng_none.c - the part of engine.h that an engine without a process's life does not have:
 * fork, exit, bridges, reports.
 */
#include <errno.h>
#include <stdio.h>

#include "engine.h"

bool engine_quiesce(struct engine *e)
{
	(void)e;
	return true;
}

bool engine_end(struct engine *e)
{
	(void)e;
	return false;
}

void engine_carry_on(struct engine *e)
{
	(void)e;
}

void engine_fork_prepare(struct engine *e)
{
	(void)e;
}

void engine_fork_done(struct engine *e)
{
	(void)e;
}

void engine_forget(struct engine *e)
{
	(void)e;
}

unsigned engine_fds(const struct engine *e, int *fds, unsigned n)
{
	(void)e;
	(void)fds;
	(void)n;
	return 0;
}

bool engine_is_own_thread(void)
{
	return false;
}

int engine_stats(struct engine *e, char *buf, size_t len)
{
	(void)e;
	return snprintf(buf, len, "a virtual engine");
}

int engine_describe(struct engine *e, char *buf, size_t len)
{
	return engine_stats(e, buf, len);
}

int engine_bridge(struct engine *e, engine_sock s, bool is_v6, int *fd)
{
	(void)e;
	(void)s;
	(void)is_v6;
	(void)fd;
	return -EOPNOTSUPP;
}
