/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * command.c - `...`: what a script has the shell do, as far as it means something here.
 *
 *   sysctl [-q] [-w] NAME=VALUE ...       a setting, from now on
 *   nstat [...]                           counters are counted from now
 *   nstat [...] | grep NAME [...]         NAME has counted since the last nstat
 *   ../common/defaults.sh, set_sysctls.py what such a file of packetdrill's sets
 *   ip, tc, ethtool, sysctl_restore, true   mean nothing here
 *
 * Commands are parted by ends of lines, semicolons and &&.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conform/run.h"
#include "snmp.h"

#define LINE_BYTES 1024
#define WORDS_MAX 32

static void one_command(struct run *r, char *line, bool is_foreign);

/* ---- settings ---- */

/* Of the kernel, without a meaning here; scripts that are for both set them. */
static bool is_kernels_own(const char *name)
{
	static const char *const names[] = { "tcp_fack", "tcp_syncookies", "tcp_ecn_option" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

static void set_sysctl(struct run *r, char *assignment, bool is_foreign)
{
	char *value = strchr(assignment, '='), *name = assignment, *p, decimal[32];
	int ret;

	if (!value)
		run_fail(r, "sysctl NAME=VALUE, not %s", assignment);
	*value++ = 0;
	if (!strncmp(name, "/proc/sys/", 10))
		name += 10;
	for (p = name; *p; p++)
		if (*p == '/')
			*p = '.';
	if (!strncmp(name, "net.ipv4.", 9))
		name += 9;
	else if (!strncmp(name, "net.core.", 9))
		name += 9;
	if (!strcmp(name, "tcp_congestion_control")) {
		if (!veng_set_congestion(value))
			run_fail(r, "%s can be set before the first socket only", name);
		return;
	}
	if (!strncmp(value, "0x", 2)) {
		snprintf(decimal, sizeof(decimal), "%lld", strtoll(value, NULL, 16));
		value = decimal;
	}
	ret = settings_set(veng_settings(), name, value);
	if (ret && !is_foreign && !is_kernels_own(name))
		run_fail(r, ret == -2 ? "there is no setting %s" : "setting %s doesn't take %s", name, value);
}

/* Values in quotes lose them; $((a*b)) is multiplied out. */
static void plain_value(char *word)
{
	char *from, *to, *p;
	long long v;

	while ((from = strstr(word, "$((")) && (to = strstr(from, "))"))) {
		char digits[32], *rest = strdup(to + 2);

		for (v = strtoll(from + 3, &p, 10); *p == '*'; v *= strtoll(p + 1, &p, 10))
			;
		snprintf(digits, sizeof(digits), "%lld", v);
		sprintf(from, "%s%s", digits, rest ? rest : "");   /* never longer */
		free(rest);
	}
	for (from = to = word; *from; from++)
		if (*from != '"' && *from != '\'')
			*to++ = *from;
	*to = 0;
}

/* ---- counters ---- */

static bool is_row(size_t i, const char *name)
{
	size_t n = strlen(snmp_rows[i].group);

	return !strncmp(name, snmp_rows[i].group, n) && !strcmp(name + n, snmp_rows[i].name);
}

static int64_t counter_at(size_t i)
{
	char name[128];

	snprintf(name, sizeof(name), "%s%s", snmp_rows[i].group, snmp_rows[i].name);
	return veng_counter(name);
}

static void remember_counters(struct run *r)
{
	size_t i;

	if (!r->counted)
		r->counted = calloc(snmp_nrows, sizeof(*r->counted));
	if (!r->counted)
		abort();
	for (i = 0; i < snmp_nrows; i++)
		r->counted[i] = counter_at(i);
}

static void check_counter(struct run *r, const char *name)
{
	int64_t now = veng_counter(name);
	size_t i;

	if (now < 0)
		run_fail(r, "there is no counter %s", name);
	for (i = 0; r->counted && i < snmp_nrows; i++)
		if (is_row(i, name))
			now -= r->counted[i];
	if (!now)
		run_fail(r, "%s hasn't counted", name);
	remember_counters(r);
}

/* ---- files of commands ---- */

static void run_file(struct run *r, const char *name)
{
	char path[LINE_BYTES], line[LINE_BYTES];
	const char *slash = strrchr(r->s->path, '/');
	FILE *f;

	snprintf(path, sizeof(path), "%.*s/%s", slash ? (int)(slash - r->s->path) : 1, slash ? r->s->path : ".",
		 name);
	f = fopen(path, "r");
	if (!f)
		run_fail(r, "there is no file %s", path);
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		if (!strncmp(line, "sysctl", 6))
			one_command(r, line, true);
	}
	fclose(f);
}

/* ---- words ---- */

/* Parts at spaces that are not in quotes or $(( )). */
static unsigned split(char *line, char *words[WORDS_MAX])
{
	unsigned n = 0;
	char *p = line, quote = 0;
	int depth = 0;

	while (*p && n < WORDS_MAX) {
		while (*p == ' ' || *p == '\t' || *p == '\\')
			p++;
		if (!*p || *p == '#')
			break;
		for (words[n++] = p; *p && (quote || depth || (*p != ' ' && *p != '\t')); p++) {
			if (!quote && (*p == '"' || *p == '\''))
				quote = *p;
			else if (quote == *p)
				quote = 0;
			depth += (*p == '(') - (*p == ')');
		}
		if (*p)
			*p++ = 0;
	}
	return n;
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && !strcmp(s + n - m, end);
}

static void do_nstat(struct run *r, char **words, unsigned n)
{
	unsigned i;

	for (i = 1; i + 1 < n; i++) {
		if (!strcmp(words[i], "grep")) {
			plain_value(words[i + 1]);
			check_counter(r, words[i + 1]);
			return;
		}
	}
	remember_counters(r);
}

static void one_command(struct run *r, char *line, bool is_foreign)
{
	char *words[WORDS_MAX];
	unsigned i, n = split(line, words);

	if (!n || !strcmp(words[0], "true") || !strcmp(words[0], "tc") || !strcmp(words[0], "ip") ||
	    !strcmp(words[0], "ethtool") || strstr(words[0], "sysctl_restore"))
		return;
	if (!strcmp(words[0], "nstat")) {
		do_nstat(r, words, n);
	} else if (!strcmp(words[0], "sysctl") || ends_with(words[0], "set_sysctls.py")) {
		for (i = 1; i < n && words[i][0] != '>'; i++) {
			if (words[i][0] == '-')
				continue;
			plain_value(words[i]);
			set_sysctl(r, words[i], is_foreign);
		}
	} else if (ends_with(words[0], ".sh")) {
		run_file(r, words[0]);
	} else {
		run_fail(r, "%s is no command that means something here", words[0]);
	}
}

void command_run(struct run *r, const char *text)
{
	char *copy = strdup(text), *p = copy, *next;

	if (!copy)
		abort();
	while ((next = strstr(p, "\\\n")))         /* lines that go on */
		next[0] = next[1] = ' ';
	for (; p; p = next) {
		char *semi = strpbrk(p, ";\n"), *both = strstr(p, "&&");

		next = semi && (!both || semi < both) ? semi : both;
		if (next) {
			size_t skip = next == both ? 2 : 1;

			*next = 0;
			next += skip;
		}
		one_command(r, p, false);
	}
	free(copy);
}
