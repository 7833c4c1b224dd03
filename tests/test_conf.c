/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "conf.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static const char *const variables[] = {
	"XTCP_INTERFACE", "XTCP_ADDRESS", "XTCP_GATEWAY", "XTCP_ROUTES", "XTCP_MAC", "XTCP_PCAP",
	"XTCP_CONFIG", "XTCP_POLICY", "XTCP_LOOPBACK", "XTCP_SPIN", "XTCP_SYSCTL",
	"XTCP_CONGESTION", "XTCP_STATS", "XTCP_LOG", "XTCP_LOG_FILE",
};

static char err[512];
static struct conf conf;

static int clean(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < LEN(variables); i++)
		unsetenv(variables[i]);
	memset(err, 0, sizeof(err));
	return 0;
}

static int load(const char *name, const char *value)
{
	setenv(name, value, 1);
	return conf_load(&conf, err, sizeof(err));
}

static void assert_says(const char *what)
{
	if (!strstr(err, what))
		fail_msg("\"%s\" doesn't say \"%s\"", err, what);
}

static void nothing_set_gives_defaults(void **state)
{
	(void)state;
	assert_int_equal(conf_load(&conf, err, sizeof(err)), 0);
	assert_int_equal(conf.engine.naddr, 0);
	assert_int_equal(conf.engine.nroute, 0);
	assert_string_equal(conf.engine.interface, "");
	assert_null(conf.engine.pcap_path);
	assert_null(conf.engine.congestion);
	assert_int_equal(conf.log_level, LOG_WARNING);
	assert_string_equal(conf.log_file, "");
	assert_false(conf.wants_stats);
}

static void all_variables_set_are_read(void **state)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0xab, 0, 0xff };

	(void)state;
	setenv("XTCP_INTERFACE", "eth0", 1);
	setenv("XTCP_ADDRESS", "192.0.2.7/24,192.0.2.8/25", 1);
	setenv("XTCP_GATEWAY", "192.0.2.1", 1);
	setenv("XTCP_ROUTES", "198.51.100.0/24,192.0.2.2 0.0.0.0/0,192.0.2.3", 1);
	setenv("XTCP_MAC", "02:00:00:ab:00:ff", 1);
	setenv("XTCP_PCAP", "/tmp/x.pcap", 1);
	setenv("XTCP_CONGESTION", "reno", 1);
	setenv("XTCP_STATS", "1", 1);
	setenv("XTCP_LOG", "debug", 1);
	setenv("XTCP_LOG_FILE", "/tmp/x.log", 1);
	assert_int_equal(conf_load(&conf, err, sizeof(err)), 0);
	assert_string_equal(conf.engine.interface, "eth0");
	assert_int_equal(conf.engine.naddr, 2);
	assert_int_equal(conf.engine.addrs[1].addr, 0xc0000208);
	assert_int_equal(conf.engine.addrs[1].plen, 25);
	assert_int_equal(conf.engine.gateway, 0xc0000201);
	assert_int_equal(conf.engine.nroute, 2);
	assert_int_equal(conf.engine.routes[0].dst.addr, 0xc6336400);
	assert_int_equal(conf.engine.routes[0].dst.plen, 24);
	assert_int_equal(conf.engine.routes[0].gateway, 0xc0000202);
	assert_int_equal(conf.engine.routes[1].dst.plen, 0);
	assert_memory_equal(conf.engine.mac, mac, 6);
	assert_string_equal(conf.engine.pcap_path, "/tmp/x.pcap");
	assert_string_equal(conf.engine.congestion, "reno");
	assert_true(conf.wants_stats);
	assert_int_equal(conf.log_level, LOG_DEBUG);
	assert_string_equal(conf.log_file, "/tmp/x.log");
}

static void empty_variable_is_as_good_as_none(void **state)
{
	(void)state;
	assert_int_equal(load("XTCP_ADDRESS", ""), 0);
	assert_int_equal(conf.engine.naddr, 0);
}

static void bad_value_is_named_with_what_is_allowed(void **state)
{
	static const struct {
		const char *name, *value, *says;
	} t[] = {
		{ "XTCP_INTERFACE", "a-name-that-is-too-long", "the name of an interface" },
		{ "XTCP_ADDRESS", "192.0.2.7", "prefix lengths" },
		{ "XTCP_ADDRESS", "192.0.2.7/33", "prefix lengths" },
		{ "XTCP_ADDRESS", "192.0.2.7/", "prefix lengths" },
		{ "XTCP_ADDRESS", "192.0.2.7/2x", "prefix lengths" },
		{ "XTCP_ADDRESS", "192.0.2.7/-1", "prefix lengths" },
		{ "XTCP_ADDRESS", "192.0.2.7/24,", "prefix lengths" },
		{ "XTCP_ADDRESS", "192.0.2.7/24 ", "prefix lengths" },
		{ "XTCP_ADDRESS", "127.0.0.2/8", "prefix lengths" },
		{ "XTCP_ADDRESS", "224.0.0.1/4", "prefix lengths" },
		{ "XTCP_ADDRESS", "0.0.0.0/0", "prefix lengths" },
		{ "XTCP_ADDRESS", "2001:db8::1/64", "prefix lengths" },
		{ "XTCP_ADDRESS", "192.0.2.256/24", "prefix lengths" },
		{ "XTCP_GATEWAY", "192.0.2", "an IPv4 address" },
		{ "XTCP_GATEWAY", "gateway", "an IPv4 address" },
		{ "XTCP_ROUTES", "198.51.100.0/24", "a next hop" },
		{ "XTCP_ROUTES", "198.51.100.1/24,192.0.2.1", "a next hop" },
		{ "XTCP_ROUTES", "198.51.100.0/24,", "a next hop" },
		{ "XTCP_ROUTES", " ", "a next hop" },
		{ "XTCP_MAC", "01:00:00:00:00:01", "unicast" },
		{ "XTCP_MAC", "00:00:00:00:00:00", "unicast" },
		{ "XTCP_MAC", "02:00:00:00:00", "unicast" },
		{ "XTCP_MAC", "02:00:00:00:00:gg", "unicast" },
		{ "XTCP_STATS", "maybe", "yes or no" },
		{ "XTCP_LOG", "loud", "error, warn, info or debug" },
		{ "XTCP_CONGESTION", "a-name-that-nobody-would-ever-give-to-one", "algorithm" },
	};
	size_t i;

	for (i = 0; i < LEN(t); i++) {
		clean(state);
		assert_int_equal(load(t[i].name, t[i].value), -EINVAL);
		assert_says(t[i].name);
		assert_says(t[i].value);
		assert_says(t[i].says);
	}
}

static void mac_without_own_address_is_an_error(void **state)
{
	(void)state;
	assert_int_equal(load("XTCP_MAC", "02:00:00:00:00:01"), -EINVAL);
	assert_says("address");
}

static void sysctls_are_names_and_values(void **state)
{
	(void)state;
	assert_int_equal(load("XTCP_SYSCTL", "net.ipv4.tcp_rmem = 4096 131072 6291456; tcp_sack=0"), 0);
	assert_int_equal(conf.engine.nsysctl, 2);
	assert_string_equal(conf.engine.sysctls[0].name, "net.ipv4.tcp_rmem");
	assert_string_equal(conf.engine.sysctls[0].value, " 4096 131072 6291456");
	assert_string_equal(conf.engine.sysctls[1].name, "tcp_sack");
	assert_string_equal(conf.engine.sysctls[1].value, "0");
}

static void sysctl_without_a_name_or_a_value_is_an_error(void **state)
{
	static const char *const bad[] = { "tcp_sack", "=1", "tcp_sack=1;tcp_dsack", " =1" };
	size_t i;

	for (i = 0; i < LEN(bad); i++) {
		clean(state);
		assert_int_equal(load("XTCP_SYSCTL", bad[i]), -EINVAL);
		assert_says("XTCP_SYSCTL");
	}
}

static void policy_is_a_list_of_rules(void **state)
{
	(void)state;
	assert_int_equal(load("XTCP_POLICY", "kernel connect 10.0.0.0/8:5432 @psql; refuse listen\n xtcp"), 0);
	assert_int_equal(conf.rules.n, 3);
	assert_int_equal(conf.rules.rule[1].action, RULE_REFUSE);
	assert_int_equal(load("XTCP_POLICY", "kernel;drop"), -EINVAL);
	assert_says("XTCP_POLICY");
	assert_says("xtcp, kernel, bridge or refuse");
}

static void wrong_rule_is_named_with_its_word(void **state)
{
	char many[65 * 8 + 1] = "";
	int i;

	assert_int_equal(load("XTCP_POLICY", "kernel; refuse connect 10.0.0.1/8 @a; xtcp"), -EINVAL);
	assert_says("XTCP_POLICY: \"10.0.0.1/8\" in the rule \"refuse connect 10.0.0.1/8 @a\" has bits below");
	clean(state);
	assert_int_equal(conf_set(&conf, "policy", "kernel :80 listen :x", err, sizeof(err)), -EINVAL);
	assert_says("policy: \":x\" in the rule \"kernel :80 listen :x\" is a second address or port");
	clean(state);
	for (i = 0; i < 65; i++)
		strcat(many, "kernel;");
	assert_int_equal(load("XTCP_POLICY", many), -ENOSPC);
	assert_says("the rule \"kernel\" is one too many: there may be 64");
}

static void spin_is_microseconds_or_a_flag(void **state)
{
	static const struct {
		const char *text;
		unsigned us;
	} t[] = { { "1", 1 }, { "20", 20 }, { "0", 0 }, { "yes", 100 }, { "no", 0 }, { "1000000", 1000000 } };

	for (size_t i = 0; i < LEN(t); i++) {
		clean(state);
		assert_int_equal(load("XTCP_SPIN", t[i].text), 0);
		assert_int_equal(conf.engine.spin_us, t[i].us);
	}
	assert_int_equal(load("XTCP_SPIN", "1000001"), -EINVAL);
	assert_says("microseconds");
}

static void loopback_is_yes_or_no(void **state)
{
	clean(state);
	assert_int_equal(load("XTCP_LOOPBACK", "1"), 0);
	assert_true(conf.engine.has_loopback);
	assert_int_equal(load("XTCP_LOOPBACK", "no"), 0);
	assert_false(conf.engine.has_loopback);
	assert_int_equal(load("XTCP_LOOPBACK", "maybe"), -EINVAL);
	assert_says("yes or no");
}

/* ---- the file ---- */

static char path[] = "/tmp/xtcp-test-conf-XXXXXX";

static void write_file(const char *text)
{
	FILE *f;
	int fd;

	strcpy(path + sizeof(path) - 7, "XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	f = fdopen(fd, "w");
	fputs(text, f);
	fclose(f);
}

static int load_file(const char *text)
{
	int r;

	write_file(text);
	r = load("XTCP_CONFIG", path);
	unlink(path);
	return r;
}

static void file_is_read(void **state)
{
	(void)state;
	assert_int_equal(load_file("# a comment\n; another\n\ninterface = eth1\n"
				   "address=192.0.2.77/24\nroute = 198.51.100.0/24,192.0.2.2\n"
				   "route = 203.0.113.0/24,192.0.2.3\nstats = yes\nlog = info\n"
				   "log-file = /tmp/log\nwrite = trace.pcap\n"), 0);
	assert_string_equal(conf.engine.interface, "eth1");
	assert_int_equal(conf.engine.naddr, 1);
	assert_int_equal(conf.engine.nroute, 2);
	assert_int_equal(conf.engine.routes[1].gateway, 0xc0000203);
	assert_true(conf.wants_stats);
	assert_int_equal(conf.log_level, LOG_INFO);
	assert_string_equal(conf.engine.pcap_path, "trace.pcap");
}

static void lists_of_a_file_lose_no_piece(void **state)
{
	(void)state;
	assert_int_equal(load_file("policy = kernel :80 ; refuse connect\n  xtcp listen\t; bridge ; kernel\npolicy = refuse\n"
				   "  sysctl = net.ipv4.tcp_sack=0 ; net.ipv4.tcp_timestamps=0\n"), -EINVAL);
	assert_says("\"sysctl\" in the rule");        /* that line goes on with the policy */
	assert_int_equal(load_file("; kernel ; refuse\npolicy = kernel :80 ; refuse connect\n  xtcp listen\t; bridge ; kernel\n"
				   "# a comment\n  refuse ;\nsysctl = tcp_sack=0 ; tcp_timestamps=0\nstats = yes ; a comment\n"), 0);
	assert_int_equal(conf.rules.n, 6);
	assert_int_equal(conf.rules.rule[1].action, RULE_REFUSE);
	assert_int_equal(conf.rules.rule[4].action, RULE_KERNEL);
	assert_int_equal(conf.engine.nsysctl, 2);
	assert_string_equal(conf.engine.sysctls[1].name, "tcp_timestamps");
}

static void line_that_is_too_long_is_named(void **state)
{
	char text[400] = "stats = yes\npolicy = ";

	(void)state;
	while (strlen(text) < 300)
		strcat(text, "kernel :80;");
	strcat(text, "\nrefuse\n");
	assert_int_equal(load_file(text), -EINVAL);
	assert_says("line 2");
	assert_says("longer than");
}

static void variable_goes_before_the_file(void **state)
{
	(void)state;
	setenv("XTCP_INTERFACE", "eth2", 1);
	setenv("XTCP_ROUTES", "10.0.0.0/8,192.0.2.9", 1);
	assert_int_equal(load_file("interface = eth1\nroute = 198.51.100.0/24,192.0.2.2\n"), 0);
	assert_string_equal(conf.engine.interface, "eth2");
	assert_int_equal(conf.engine.nroute, 1);
	assert_int_equal(conf.engine.routes[0].gateway, 0xc0000209);
}

static void wrong_line_is_named(void **state)
{
	static const struct {
		const char *text, *line, *says;
	} t[] = {
		{ "interface = eth1\nfoo = bar\n", "line 2", "foo is not a setting" },
		{ "\n\nlog = loud\n", "line 3", "\"loud\" is not a value for log" },
		{ "interface\n", "line 1", "key = value" },
		{ "[section]\nlog = info\n", "line 2", "no sections" },
		{ "spin = -5\n", "line 1", "\"-5\" is not a value for spin" },
	};
	size_t i;

	for (i = 0; i < LEN(t); i++) {
		clean(state);
		assert_int_equal(load_file(t[i].text), -EINVAL);
		assert_says(path);
		assert_says(t[i].line);
		assert_says(t[i].says);
	}
}

static void missing_file_is_named(void **state)
{
	(void)state;
	assert_int_equal(load("XTCP_CONFIG", "/nonexistent/x"), -ENOENT);
	assert_says("/nonexistent/x");
	assert_says("No such file");
}

static void unknown_key_is_told_all_keys(void **state)
{
	(void)state;
	assert_int_equal(conf_set(&conf, "interfaces", "x", err, sizeof(err)), -EINVAL);
	assert_says("interfaces is not a setting");
	assert_says("interface, address, gateway");
	assert_says("log-file");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nothing_set_gives_defaults, clean),
		cmocka_unit_test_setup(all_variables_set_are_read, clean),
		cmocka_unit_test_setup(empty_variable_is_as_good_as_none, clean),
		cmocka_unit_test_setup(bad_value_is_named_with_what_is_allowed, clean),
		cmocka_unit_test_setup(mac_without_own_address_is_an_error, clean),
		cmocka_unit_test_setup(sysctls_are_names_and_values, clean),
		cmocka_unit_test_setup(sysctl_without_a_name_or_a_value_is_an_error, clean),
		cmocka_unit_test_setup(policy_is_a_list_of_rules, clean),
		cmocka_unit_test_setup(wrong_rule_is_named_with_its_word, clean),
		cmocka_unit_test_setup(spin_is_microseconds_or_a_flag, clean),
		cmocka_unit_test_setup(loopback_is_yes_or_no, clean),
		cmocka_unit_test_setup(file_is_read, clean),
		cmocka_unit_test_setup(lists_of_a_file_lose_no_piece, clean),
		cmocka_unit_test_setup(line_that_is_too_long_is_named, clean),
		cmocka_unit_test_setup(variable_goes_before_the_file, clean),
		cmocka_unit_test_setup(wrong_line_is_named, clean),
		cmocka_unit_test_setup(missing_file_is_named, clean),
		cmocka_unit_test_setup(unknown_key_is_told_all_keys, clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
