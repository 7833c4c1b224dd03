/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_rules.c - the rules of --policy: reading them, and the first that fits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "rules.h"

static struct rules rules;

static struct rules_fault fault;

static int add(const char *text)
{
	return rules_add(&rules, text, strlen(text), &fault);
}

static enum rule_action ask(enum rule_role role, ip4 addr, uint16_t port, const char *program)
{
	const struct rule_query q = { .program = program, .role = role, .addr = addr, .port = port };

	return rules_decide(&rules, &q);
}

static int setup(void **state)
{
	(void)state;
	memset(&rules, 0, sizeof(rules));
	return 0;
}

static void no_rule_decides_nothing(void **state)
{
	(void)state;
	assert_int_equal(ask(RULE_CONNECT, 0x0a000001, 80, "curl"), RULE_NONE);
}

static void first_rule_that_fits_decides(void **state)
{
	(void)state;
	assert_int_equal(add("xtcp 10.1.0.0/16"), 0);
	assert_int_equal(add("refuse 10.0.0.0/8"), 0);
	assert_int_equal(add("kernel"), 0);
	assert_int_equal(ask(RULE_CONNECT, 0x0a010203, 80, "x"), RULE_XTCP);
	assert_int_equal(ask(RULE_CONNECT, 0x0a020203, 80, "x"), RULE_REFUSE);
	assert_int_equal(ask(RULE_CONNECT, 0x0b020203, 80, "x"), RULE_KERNEL);
}

static void every_action_is_read(void **state)
{
	(void)state;
	assert_int_equal(add("bridge connect :80"), 0);
	assert_int_equal(add("bridge listen @nginx"), 0);
	assert_int_equal(add("xtcp connect"), 0);
	assert_int_equal(ask(RULE_CONNECT, 1, 80, "x"), RULE_BRIDGE);
	assert_int_equal(ask(RULE_CONNECT, 1, 81, "x"), RULE_XTCP);
	assert_int_equal(ask(RULE_LISTEN, 1, 80, "nginx"), RULE_BRIDGE);
	assert_int_equal(ask(RULE_LISTEN, 1, 80, "x"), RULE_NONE);
}

static void prefix_of_no_bits_fits_every_address(void **state)
{
	(void)state;
	assert_int_equal(add("refuse 0.0.0.0/0"), 0);
	assert_int_equal(ask(RULE_CONNECT, 0xffffffff, 1, "x"), RULE_REFUSE);
}

static void address_alone_is_one_host(void **state)
{
	(void)state;
	assert_int_equal(add("refuse 192.0.2.1"), 0);
	assert_int_equal(ask(RULE_CONNECT, 0xc0000201, 1, "x"), RULE_REFUSE);
	assert_int_equal(ask(RULE_CONNECT, 0xc0000202, 1, "x"), RULE_NONE);
}

static void ports_are_a_range_with_both_ends(void **state)
{
	(void)state;
	assert_int_equal(add("kernel :80-82"), 0);
	assert_int_equal(add("refuse 192.0.2.1:443"), 0);
	assert_int_equal(ask(RULE_CONNECT, 1, 79, "x"), RULE_NONE);
	assert_int_equal(ask(RULE_CONNECT, 1, 80, "x"), RULE_KERNEL);
	assert_int_equal(ask(RULE_CONNECT, 1, 82, "x"), RULE_KERNEL);
	assert_int_equal(ask(RULE_CONNECT, 1, 83, "x"), RULE_NONE);
	assert_int_equal(ask(RULE_CONNECT, 0xc0000201, 443, "x"), RULE_REFUSE);
	assert_int_equal(ask(RULE_CONNECT, 0xc0000201, 444, "x"), RULE_NONE);
}

static void role_parts_clients_from_servers(void **state)
{
	(void)state;
	assert_int_equal(add("kernel listen :22"), 0);
	assert_int_equal(add("refuse connect :22"), 0);
	assert_int_equal(ask(RULE_LISTEN, 0, 22, "x"), RULE_KERNEL);
	assert_int_equal(ask(RULE_CONNECT, 0, 22, "x"), RULE_REFUSE);
}

static void program_is_a_pattern(void **state)
{
	(void)state;
	assert_int_equal(add("kernel @psql"), 0);
	assert_int_equal(add("refuse connect @python3*"), 0);
	assert_int_equal(ask(RULE_CONNECT, 0, 5432, "psql"), RULE_KERNEL);
	assert_int_equal(ask(RULE_CONNECT, 0, 5432, "psql2"), RULE_NONE);
	assert_int_equal(ask(RULE_CONNECT, 0, 5432, "python3.11"), RULE_REFUSE);
}

static void ipv6_fits_rules_without_an_address(void **state)
{
	const struct rule_query q = { .program = "x", .role = RULE_CONNECT, .is_ipv6 = true, .port = 80 };

	(void)state;
	assert_int_equal(add("xtcp 0.0.0.0/0"), 0);
	assert_int_equal(add("refuse :80"), 0);
	assert_int_equal(rules_decide(&rules, &q), RULE_REFUSE);
}

static void words_that_are_none_are_errors(void **state)
{
	static const char *const wrong[] = {
		"", " ", "drop", "kernel,", "xtcp bind", "kernel connect listen", "kernel 10.0.0.0/33",
		"kernel 10.0.0.1/8", "kernel 10.0.0", "kernel :", "kernel :65536", "kernel :80-79", "kernel :80-",
		"kernel :-80", "kernel 10.0.0.0/8:x", "kernel @", "kernel @a @b", "kernel 10.0.0.1 10.0.0.2",
		"connect kernel", "kernel :1 :2", "kernel 10.0.0.0/8/8", "kernel /8",
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(wrong); i++) {
		if (add(wrong[i]) != -EINVAL)
			fail_msg("\"%s\" was taken", wrong[i]);
	}
	assert_int_equal(rules.n, 0);
}

static void fault_names_the_word_and_what_is_wrong_with_it(void **state)
{
	static const struct {
		const char *rule, *word, *what;
	} cases[] = {
		{ "drop :80", "drop", "is none of xtcp, kernel, bridge and refuse" },
		{ "connect kernel", "connect", "is none of" },
		{ "kernel Connect", "Connect", "is neither connect, listen, an address, a port nor a @program" },
		{ "kernel connect listen :1", "listen", "is a second role" },
		{ "kernel connect  10.0.0.1/8 @a", "10.0.0.1/8", "has bits below its prefix length" },
		{ "kernel 10.0.0.0/33", "10.0.0.0/33", "is neither" },
		{ "kernel 1.2.3.4 :80", ":80", "is a second address or port" },
		{ "kernel :80 1.2.3.4", "1.2.3.4", "is a second address or port" },
		{ "kernel :0-65535 :80", ":80", "is a second address or port" },
		{ "kernel :http", ":http", "has no port from 0 to 65535" },
		{ "kernel :1-65536", ":1-65536", "has no port from 0 to 65535" },
		{ "kernel :80-79", ":80-79", "ends below" },
		{ "kernel [::1]:80", "[::1]:80", "is neither" },
		{ "kernel @", "@", "has no name" },
		{ "kernel @a @b", "@b", "is a second program" },
		{ " \t", "", "is empty" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(add(cases[i].rule), -EINVAL);
		if (fault.len != strlen(cases[i].word) || memcmp(fault.word, cases[i].word, fault.len) ||
		    strncmp(fault.what, cases[i].what, strlen(cases[i].what)))
			fail_msg("\"%s\": \"%.*s\" %s", cases[i].rule, (int)fault.len, fault.word, fault.what);
	}
}

/* Every action for every role, kind of place and program: what fits and what doesn't. */
static void every_combination_fits_just_that(void **state)
{
	static const char *const actions[] = { "xtcp", "kernel", "bridge", "refuse" };
	static const char *const roles[] = { "", "connect", "listen" };
	static const char *const places[] = { "", "192.0.2.1", "192.0.2.0/24", ":80", ":79-81", "192.0.2.1:80",
	                                      "192.0.2.0/24:79-81" };
	static const char *const programs[] = { "", "@curl", "@c*" };
	char text[100];
	size_t a, r, p, g;

	(void)state;
	for (a = 0; a < ARRAY_LEN(actions); a++)
	for (r = 0; r < ARRAY_LEN(roles); r++)
	for (p = 0; p < ARRAY_LEN(places); p++)
	for (g = 0; g < ARRAY_LEN(programs); g++) {
		enum rule_action is = (enum rule_action)(RULE_XTCP + a);

		rules.n = 0;
		snprintf(text, sizeof(text), "%s %s %s %s", actions[a], roles[r], places[p], programs[g]);
		assert_int_equal(add(text), 0);
		snprintf(text, sizeof(text), "%s %s %s %s", actions[a], programs[g], places[p], roles[r]);
		assert_int_equal(add(text), 0);        /* the order of the words is free */
		assert_memory_equal(&rules.rule[0], &rules.rule[1], sizeof(struct rule));
		assert_int_equal(ask(RULE_CONNECT, 0xc0000201, 80, "curl"), r == 2 ? RULE_NONE : is);
		assert_int_equal(ask(RULE_LISTEN, 0xc0000201, 80, "curl"), r == 1 ? RULE_NONE : is);
		assert_int_equal(ask(r == 2 ? RULE_LISTEN : RULE_CONNECT, 0xc6336401, 80, "curl"),
		                 strchr(places[p], '.') ? RULE_NONE : is);
		assert_int_equal(ask(r == 2 ? RULE_LISTEN : RULE_CONNECT, 0xc0000201, 82, "curl"),
		                 strchr(places[p], ':') ? RULE_NONE : is);
		assert_int_equal(ask(r == 2 ? RULE_LISTEN : RULE_CONNECT, 0xc0000201, 80, "wget"), g ? RULE_NONE : is);
		assert_int_equal(rules_may_refuse(&rules, RULE_CONNECT, "curl"), is == RULE_REFUSE && r != 2);
		assert_int_equal(rules_may_refuse(&rules, RULE_LISTEN, "curl"), is == RULE_REFUSE && r != 1);
		assert_int_equal(rules_may_refuse(&rules, RULE_CONNECT, "wget"), is == RULE_REFUSE && r != 2 && !g);
	}
}

static void rules_beyond_the_table_are_refused(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < RULES_MAX; i++)
		assert_int_equal(add("kernel"), 0);
	assert_int_equal(add("kernel"), -ENOSPC);
	assert_string_equal(fault.what, "is one too many: there may be 64");
}

static void all_is_left_by_a_rule_without_conditions(void **state)
{
	(void)state;
	assert_false(rules_leave_all(&rules, "x"));
	assert_int_equal(add("xtcp @curl"), 0);
	assert_int_equal(add("kernel :80"), 0);
	assert_false(rules_leave_all(&rules, "x"));
	assert_int_equal(add("kernel"), 0);
	assert_true(rules_leave_all(&rules, "x"));
	assert_false(rules_leave_all(&rules, "curl"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(no_rule_decides_nothing, setup),
		cmocka_unit_test_setup(first_rule_that_fits_decides, setup),
		cmocka_unit_test_setup(every_action_is_read, setup),
		cmocka_unit_test_setup(prefix_of_no_bits_fits_every_address, setup),
		cmocka_unit_test_setup(address_alone_is_one_host, setup),
		cmocka_unit_test_setup(ports_are_a_range_with_both_ends, setup),
		cmocka_unit_test_setup(role_parts_clients_from_servers, setup),
		cmocka_unit_test_setup(program_is_a_pattern, setup),
		cmocka_unit_test_setup(ipv6_fits_rules_without_an_address, setup),
		cmocka_unit_test_setup(words_that_are_none_are_errors, setup),
		cmocka_unit_test_setup(fault_names_the_word_and_what_is_wrong_with_it, setup),
		cmocka_unit_test_setup(every_combination_fits_just_that, setup),
		cmocka_unit_test_setup(rules_beyond_the_table_are_refused, setup),
		cmocka_unit_test_setup(all_is_left_by_a_rule_without_conditions, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
