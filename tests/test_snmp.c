/* SPDX-License-Identifier: BSD-2-Clause */
/* test_snmp.c - the counters under Linux's names, as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stack/snmp.h"
#include "stack/stack_impl.h"

static struct stack *a_stack(void)
{
	struct stack_config cfg = { .secret = { 7 } };
	struct stack *s;

	settings_default(&cfg.settings);
	s = stack_new(&cfg, 0);
	assert_non_null(s);
	return s;
}

/* The value under a name, read as nstat(8) reads it: by the place in the line above. */
static long value_of(const char *text, const char *group, const char *name)
{
	char names[4096], values[4096], prefix[32], *n, *v, *sn, *sv;
	const char *p = text;

	snprintf(prefix, sizeof(prefix), "%s: ", group);
	while (p && strncmp(p, prefix, strlen(prefix)))
		p = (p = strchr(p, '\n')) ? p + 1 : NULL;
	assert_non_null(p);
	assert_true(sscanf(p, "%4095[^\n]\n%4095[^\n]", names, values) == 2);
	n = strtok_r(names, " ", &sn);
	v = strtok_r(values, " ", &sv);
	assert_string_equal(n, v);
	while ((n = strtok_r(NULL, " ", &sn)) && (v = strtok_r(NULL, " ", &sv)))
		if (!strcmp(n, name))
			return strtol(v, NULL, 10);
	return -99;
}

static void names_and_values_stand_above_each_other(void **state)
{
	static char text[16384];
	struct stack *s = a_stack();

	(void)state;
	s->counters[CTR_TcpExtTCPTimeouts] = 3;
	s->counters[CTR_ip_short] = 4;
	s->counters[CTR_ip_csum] = 5;
	s->icmp_in[3] = 6;
	s->icmp_out[8] = 7;
	s->counters[CTR_IpExtInOctets] = 5000000000;
	s->nestab = 2;
	assert_true(snmp_text(s, text, sizeof(text)) < sizeof(text));
	assert_int_equal(value_of(text, "TcpExt", "TCPTimeouts"), 3);
	assert_int_equal(value_of(text, "Ip", "InHdrErrors"), 9);
	assert_int_equal(value_of(text, "Ip", "DefaultTTL"), 64);
	assert_int_equal(value_of(text, "Icmp", "InDestUnreachs"), 6);
	assert_int_equal(value_of(text, "Icmp", "OutMsgs"), 7);
	assert_int_equal(value_of(text, "IcmpMsg", "InType3"), 6);
	assert_int_equal(value_of(text, "IcmpMsg", "OutType8"), 7);
	assert_int_equal(value_of(text, "Tcp", "MaxConn"), -1);
	assert_int_equal(value_of(text, "Tcp", "CurrEstab"), 2);
	assert_int_equal(value_of(text, "IpExt", "InOctets"), 5000000000);
	stack_free(s);
}

static void text_is_cut_where_room_ends(void **state)
{
	struct stack *s = a_stack();
	size_t whole = snmp_text(s, NULL, 0);
	char *text = malloc(whole + 1), cut[20];

	(void)state;
	assert_int_equal(snmp_text(s, text, whole + 1), whole);
	assert_int_equal(strlen(text), whole);
	assert_int_equal(snmp_text(s, cut, sizeof(cut)), whole);
	assert_int_equal(strlen(cut), sizeof(cut) - 1);
	assert_memory_equal(cut, text, sizeof(cut) - 1);
	free(text);
	stack_free(s);
}

/* The lines of names are those of a kernel of the version that snmp.def was written for. */
static void names_are_those_of_linux(void **state)
{
	static const char *const paths[] = { "/proc/net/snmp", "/proc/net/netstat" };
	struct stack *s = a_stack();
	static char text[16384], line[8192];
	char release[64] = "";
	FILE *f = fopen("/proc/sys/kernel/osrelease", "re");
	size_t found = 0;

	(void)state;
	if (f) {
		assert_non_null(fgets(release, sizeof(release), f));
		fclose(f);
	}
	if (strncmp(release, "6.18.", 5)) {
		stack_free(s);
		skip();
	}
	snmp_text(s, text, sizeof(text));
	for (size_t i = 0; i < 2; i++) {
		f = fopen(paths[i], "re");
		assert_non_null(f);
		while (fgets(line, sizeof(line), f)) {
			bool is_ours = strncmp(line, "Udp", 3) && strncmp(line, "MPTcp", 5) && strncmp(line, "IcmpMsg", 7);

			if (is_ours) {
				assert_non_null(strstr(text, line));
				found++;
			}
			assert_non_null(fgets(line, sizeof(line), f));
		}
		fclose(f);
	}
	assert_int_equal(found, 5);
	stack_free(s);
}

static void what_never_occurs_has_a_reason_and_no_counter(void **state)
{
	(void)state;
	for (size_t i = 0; i < snmp_nrows; i++) {
		const struct snmp_row *r = &snmp_rows[i];

		assert_int_equal(!!r->never + !!r->gauge + (r->sum[0] != CTR_NONE), 1);
		if (r->never)
			assert_true(strlen(r->never) > 10);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_values_stand_above_each_other),
		cmocka_unit_test(text_is_cut_where_room_ends),
		cmocka_unit_test(names_are_those_of_linux),
		cmocka_unit_test(what_never_occurs_has_a_reason_and_no_counter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
