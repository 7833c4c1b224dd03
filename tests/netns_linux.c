/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netns_linux.c - exchanges over the kernel's TCP and over ours, packet by packet, TCP_INFO field by
 * field, counter by counter (both.h).
 *
 * Each script has a process and a network namespace of its own; several run at a time, as most of
 * their time is waiting.  With arguments: only the scripts of these names.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "both.h"

#define AT_ONCE 8
#define TRIES 5
#define BUSY_TRIES 6
#define OPEN "connect", "< S. 0 ack 1 win 65535 mss 1460 sackOK ts wscale 7"
/* With a round trip against which the granularity of the kernel's timers is small. */
#define SLOW_OPEN "connect", "wait 100", "< S. 0 ack 1 win 65535 mss 1460 sackOK ts wscale 7"
#define ACCEPT "listen", "< S 0 win 65535 mss 1460 sackOK ts wscale 7", "< . 1 ack 1 win 512", "accept"

static const struct script scripts[] = {
#include "netns_linux.def"
#include "netns_linux_cc.def"
};
#define NSCRIPTS (sizeof(scripts) / sizeof(scripts[0]))

static pid_t pids[NSCRIPTS];
static FILE *outputs[NSCRIPTS];
static bool differs[NSCRIPTS];

static int is_wanted(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], name))
			return 1;
	return argc < 2;
}

static void start(size_t i)
{
	outputs[i] = tmpfile();
	fflush(stdout);
	if (!outputs[i] || (pids[i] = fork()) < 0) {
		perror("netns_linux");
		exit(99);
	}
	if (pids[i])
		return;
	dup2(fileno(outputs[i]), STDOUT_FILENO);
	i = (size_t)both_run(&scripts[i]);
	fflush(stdout);
	_exit((int)i);
}

/* The exit status of script i; 2: the machine was too busy to tell. */
static int result(size_t i)
{
	int st;

	if (waitpid(pids[i], &st, 0) < 0)
		return 99;
	return WIFEXITED(st) ? WEXITSTATUS(st) : 99;
}

static void print_output(size_t i)
{
	int c;

	rewind(outputs[i]);
	while ((c = getc(outputs[i])) != EOF)
		putchar(c);
}

static void tell(size_t i, int r)
{
	print_output(i);
	printf("%s - %s%s\n", r == 1 || r > 2 ? "not ok" : "ok", scripts[i].name,
	       r == 2 ? " # SKIP the machine is too busy" : "");
}

/* What differs once may be a matter of the machine's times: it is tried again, when all others have ended. */
static int try_alone(size_t i)
{
	int r = 1;

	for (int n = 0; (r == 1 && n < TRIES) || (r == 2 && n < BUSY_TRIES); n++) {
		if (n)
			fclose(outputs[i]);
		start(i);
		r = result(i);
	}
	tell(i, r);
	fclose(outputs[i]);
	return r == 2 ? 0 : r;
}

int main(int argc, char **argv)
{
	struct utsname u;
	int ret = 0;
	size_t next = 0;

	if (geteuid()) {
		printf("# not root\n");
		return 77;
	}
	/* Other versions differ in other things. */
	if (uname(&u) || strncmp(u.release, "6.18.", 5)) {
		printf("# not Linux 6.18\n");
		return 77;
	}
	for (size_t i = 0; i < NSCRIPTS; i++) {
		int r;

		for (; next < NSCRIPTS && next < i + AT_ONCE; next++)
			if (is_wanted(scripts[next].name, argc, argv))
				start(next);
		if (!pids[i])
			continue;
		r = result(i);
		if (r == 77)
			return 77;
		differs[i] = r == 1 || r == 2;
		if (!differs[i])
			tell(i, r);
		fclose(outputs[i]);
		ret |= differs[i] ? 0 : r;
	}
	for (size_t i = 0; i < NSCRIPTS; i++)
		if (differs[i])
			ret |= try_alone(i);
	return ret ? 1 : 0;
}
