/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netns_random.c - random scripts over the kernel's TCP and over ours, compared as in netns_linux.c.
 *
 *   netns_random [SEED [COUNT [WORKERS]]]
 *
 * Without arguments a fixed set of seeds but those whose difference is known.  A script that differs is tried again, and then made
 * shorter for as long as it still differs; what is left is printed as a line for netns_linux.def.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "random_script.h"

#define SEED 1
#define COUNT 64
#define WORKERS 8
#define TRIES 5

/* Left out where no seeds are given, with what differs. */
static const uint32_t known[] = {
	5,       /* a segment that the kernel sends while write() still copies carries PSH there */
	38,      /* a tail loss probe and an ACK within one tick of the kernel's */
	40,      /* TCPOFOMerge around urgent data */
	50,      /* where super-frames end after crossed SYNs, and so PSH */
};
#define BUSY_TRIES 6

/* Runs it in a process of its own, what it says into `out`: as both_run(). */
static int run(const struct script *s, FILE *out)
{
	int st;
	pid_t p;

	rewind(out);
	if (ftruncate(fileno(out), 0))
		return 99;
	fflush(stdout);
	p = fork();
	if (!p) {
		alarm(60);
		dup2(fileno(out), STDOUT_FILENO);
		dup2(fileno(out), STDERR_FILENO);
		st = both_run(s);
		fflush(stdout);
		_exit(st);
	}
	if (p < 0 || waitpid(p, &st, 0) < 0)
		return 99;
	return WIFEXITED(st) ? WEXITSTATUS(st) : 128 + WTERMSIG(st);
}

/* What it is when it isn't a matter of times: 0 as soon as it is the same once. */
static int settle(const struct script *s, FILE *out)
{
	int r = run(s, out);

	for (int n = 1; (r == 1 && n < TRIES) || (r == 2 && n < BUSY_TRIES); n++)
		r = run(s, out);
	return r;
}

static void shorten(struct random_script *r, FILE *out)
{
	/* The last one waits for what is still to come. */
	for (unsigned i = r->n - 1; i-- > 0;) {
		struct random_script less = *r;
		int ret;

		random_script_cut(&less, i);
		ret = settle(&less.script, out);
		if (ret && ret != 2)
			*r = less;
	}
	settle(&r->script, out);
}

static void print_line(const struct random_script *r)
{
	printf("{ \"%s\", { ", r->name);
	for (unsigned i = 0; i < r->n; i++)
		printf("\"%s\"%s", r->script.steps[i], i + 1 < r->n ? ", " : " ");
	printf("}, { 0 } },\n");
}

static int try_seed(uint32_t seed, FILE *out)
{
	static struct random_script r;
	char line[512];
	int ret;

	random_script_make(&r, seed);
	ret = settle(&r.script, out);
	if (!ret || ret == 2 || ret == 77)
		return ret == 2 ? 0 : ret;
	/* Shortened texts still point into `r`. */
	shorten(&r, out);
	printf("not ok - seed %u (%d)\n", seed, ret);
	print_line(&r);
	rewind(out);
	while (fgets(line, sizeof(line), out))
		fputs(line, stdout);
	fflush(stdout);
	return 1;
}

static bool is_known(uint32_t seed)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (known[i] == seed)
			return true;
	return false;
}

static int work(uint32_t seed, uint32_t count, uint32_t first, uint32_t by, bool is_default)
{
	static char buf[1 << 20];
	FILE *out = tmpfile();
	int ret = 0;

	if (!out)
		return 99;
	setvbuf(stdout, buf, _IOFBF, sizeof(buf));
	for (uint32_t i = first; i < count; i += by) {
		int r = is_default && is_known(seed + i) ? 0 : try_seed(seed + i, out);

		if (r == 77)
			return 77;
		ret |= r != 0;
	}
	fclose(out);
	return ret;
}

int main(int argc, char **argv)
{
	uint32_t seed = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : SEED;
	uint32_t count = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : COUNT;
	uint32_t workers = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : WORKERS;
	struct utsname u;
	int st, ret = 0;

	if (geteuid() || uname(&u) || strncmp(u.release, "6.18.", 5)) {
		printf("# not root, or not Linux 6.18\n");
		return 77;
	}
	printf("# seeds %u to %u\n", seed, seed + count - 1);
	fflush(stdout);
	for (uint32_t i = 0; i < workers; i++)
		if (!fork()) {
			st = work(seed, count, i, workers, argc < 2);
			fflush(stdout);
			_exit(st);
		}
	while (wait(&st) > 0) {
		if (WIFEXITED(st) && WEXITSTATUS(st) == 77)
			return 77;
		ret |= st != 0;
	}
	printf("%s - random scripts\n", ret ? "not ok" : "ok");
	return ret;
}
