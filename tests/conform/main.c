/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * main.c - conform_run: conformance scripts over xtcp on a virtual clock.
 *
 *   conform_run [-q] [-s] [-v] [-D NAME=VALUE] [FILE|DIRECTORY]...
 *
 * Runs the scripts (*.pkt), by default those beside this program's source, twice each: with an
 * interface that takes super-frames and with one that takes segments only (-s: the second run
 * alone).  -D defines a word of all scripts.  One line a script, as TAP has it; -q shows failures
 * only, -v each segment of ours too.  Each script has a process of its own.
 *
 * A script that begins with "// Must fail: TEXT" passes when it fails with a complaint that has the
 * text: these test the interpreter.  "// Super-frames only: why" spares a script the second run.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "conform/run.h"

#define PATH_BYTES 1024
#define DEFINES_MAX 16
#define SAID_BYTES 8192
#define SCRIPT_SECONDS 30        /* of real time */

static struct {
	char **v;
	size_t n, cap;
} scripts;

static struct { const char *name, *value; } defines[DEFINES_MAX];
static unsigned ndefine;
static unsigned count, failed, steps;
static bool is_quiet, is_verbose;

/* ---- finding ---- */

static void add_file(const char *path)
{
	if (scripts.n == scripts.cap) {
		scripts.cap = scripts.cap ? 2 * scripts.cap : 64;
		scripts.v = realloc(scripts.v, scripts.cap * sizeof(*scripts.v));
		if (!scripts.v)
			abort();
	}
	scripts.v[scripts.n++] = strdup(path);
}

static bool is_script(const char *name)
{
	size_t n = strlen(name);

	return n > 4 && !strcmp(name + n - 4, ".pkt");
}

static int add(const char *path)
{
	char sub[PATH_BYTES];
	struct dirent **v;
	struct stat st;
	int i, n;

	if (stat(path, &st))
		return -errno;
	if (!S_ISDIR(st.st_mode)) {
		add_file(path);
		return 0;
	}
	n = scandir(path, &v, NULL, alphasort);
	for (i = 0; i < n; i++) {
		snprintf(sub, sizeof(sub), "%s/%s", path, v[i]->d_name);
		if (v[i]->d_name[0] != '.' && (is_script(sub) || (!stat(sub, &st) && S_ISDIR(st.st_mode))))
			add(sub);
		free(v[i]);
	}
	if (n >= 0)
		free(v);
	return 0;
}

/* ---- running ---- */

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t n = 0;

	if (!f)
		return NULL;
	if (getdelim(&text, &n, 0, f) < 0) {
		free(text);
		text = strdup("");
	}
	fclose(f);
	return text;
}

/* In the child: exit status 0 when it passes, with the number of steps in *done. */
static int run_one(const char *path, bool can_offload, unsigned *done)
{
	struct script s = { .path = path };
	struct run r = { .s = &s, .is_verbose = is_verbose };
	char *text = read_file(path);

	if (!text) {
		printf("%s: %s\n", path, strerror(errno));
		return 1;
	}
	for (unsigned i = 0; i < ndefine; i++)
		script_define(&s, defines[i].name, defines[i].value);
	settings_default(&veng_config.settings);
	veng_config.can_offload = can_offload;
	if (!script_parse(&s, path, text)) {
		printf("%s:%d: %s\n", path, s.err_line, s.err);
		script_free(&s);
		free(text);
		return 1;
	}
	run_script(&r);
	*done = r.steps;
	run_free(&r);
	script_free(&s);
	free(text);
	return 0;
}

/* What a child has said: its complaint, then the number of steps it did. */
struct outcome {
	char said[SAID_BYTES];
	bool failed;
};

static void read_all(int fd, char *buf, size_t size)
{
	size_t n = 0;
	ssize_t got;

	while (n < size - 1 && (got = read(fd, buf + n, size - 1 - n)) > 0)
		n += (size_t)got;
	buf[n] = 0;
}

/* The child's stdout and stderr are a pipe. */
static void be_child(const char *path, bool can_offload, int out, int report)
{
	unsigned done = 0;
	int status;

	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	alarm(SCRIPT_SECONDS);
	status = run_one(path, can_offload, &done);
	fflush(stdout);
	if (write(report, &done, sizeof(done)) != sizeof(done))
		status = 1;
	syscall(SYS_exit_group, status);
}

static void run_in_child(const char *path, bool can_offload, struct outcome *o)
{
	int out[2], report[2], status = 1;
	unsigned done = 0;
	pid_t pid;

	fflush(stdout);
	if (pipe(out) || pipe(report) || (pid = fork()) < 0)
		abort();
	if (!pid)
		be_child(path, can_offload, out[1], report[1]);
	close(out[1]);
	close(report[1]);
	read_all(out[0], o->said, sizeof(o->said));
	if (read(report[0], &done, sizeof(done)) == sizeof(done))
		steps += done;
	close(out[0]);
	close(report[0]);
	if (waitpid(pid, &status, 0) == pid && WIFSIGNALED(status))
		snprintf(o->said, sizeof(o->said), "%s: %s\n", path, strsignal(WTERMSIG(status)));
	o->failed = status != 0;
}

/* What stands behind such a mark at the beginning of one of the script's lines; false: there is none. */
static bool find_mark(const char *path, const char *mark, char *text, size_t size)
{
	char *script = read_file(path), *at = script ? strstr(script, mark) : NULL;
	bool is = at && (at == script || at[-1] == '\n');

	if (is)
		snprintf(text, size, "%.*s", (int)strcspn(at + strlen(mark), "\n"), at + strlen(mark));
	free(script);
	return is;
}

static bool passes(const char *path, bool can_offload)
{
	struct outcome o;
	char text[256];

	run_in_child(path, can_offload, &o);
	if (!find_mark(path, "// Must fail: ", text, sizeof(text))) {
		fputs(o.said, stdout);
		return !o.failed;
	}
	if (o.failed && strstr(o.said, text))
		return true;
	printf("%s: should have failed with: %s\n%s", path, text, o.said);
	return false;
}

static void run_both(const char *path, bool segments_only)
{
	char why[256];
	bool ok = segments_only || passes(path, true);

	if (ok && !find_mark(path, "// Super-frames only: ", why, sizeof(why)) && !passes(path, false)) {
		ok = false;
		if (!segments_only)
			printf("    (with an interface that takes segments only)\n");
	}
	count++;
	failed += !ok;
	if (!ok || !is_quiet)
		printf("%sok %u - %s\n", ok ? "" : "not ", count, path);
}

static void clear_environment(void)
{
	extern char **environ;
	char name[64];
	size_t i = 0;

	while (environ[i]) {
		if (strncmp(environ[i], "XTCP_", 5)) {
			i++;
			continue;
		}
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(environ[i], "="), environ[i]);
		unsetenv(name);
	}
}

static double clock_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void add_define(char *assignment)
{
	char *value = strchr(assignment, '=');

	if (!value || ndefine == DEFINES_MAX) {
		printf("# -D NAME=VALUE, %d times at most\n", DEFINES_MAX);
		exit(2);
	}
	*value++ = 0;
	defines[ndefine].name = assignment;
	defines[ndefine++].value = value;
}

int main(int argc, char **argv)
{
	const char *top = getenv("top_srcdir");
	bool segments_only = false;
	char path[PATH_BYTES];
	double start = clock_seconds();
	size_t i;
	int opt;

	while ((opt = getopt(argc, argv, "qsvD:")) != -1) {
		if (opt == '?')
			return 2;
		if (opt == 'D') {
			add_define(optarg);
			continue;
		}
		*(opt == 'q' ? &is_quiet : opt == 'v' ? &is_verbose : &segments_only) = true;
	}
	clear_environment();
	snprintf(path, sizeof(path), "%s/tests/conform", top ? top : ".");
	if (optind == argc && add(path)) {
		printf("# there is no directory %s: set top_srcdir, or name scripts\n", path);
		return 2;
	}
	for (; optind < argc; optind++) {
		if (!add(argv[optind]))
			continue;
		printf("# %s: %s\n", argv[optind], strerror(errno));
		return 2;
	}
	for (i = 0; i < scripts.n; i++) {
		run_both(scripts.v[i], segments_only);
		free(scripts.v[i]);
	}
	free(scripts.v);
	printf("1..%u\n# %u of %u scripts pass, %u steps, %.2f s\n", count, count - failed, count, steps,
	       clock_seconds() - start);
	return failed || !count;
}
