/* SPDX-License-Identifier: BSD-2-Clause */
/* test_settings.c - settings by their Linux names, defaults and bounds. */
#include "stack/settings.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct settings fresh(void)
{
	struct settings s;

	memset(&s, 0xee, sizeof(s));
	settings_default(&s);
	return s;
}

static void defaults_are_linux_ones(void **state)
{
	struct settings s = fresh();

	(void)state;
	assert_int_equal(s.tcp_syn_retries, 6);
	assert_int_equal(s.tcp_retries2, 15);
	assert_int_equal(s.tcp_rmem_default, 131072);
	assert_int_equal(s.tcp_notsent_lowat, -1);
	assert_int_equal(s.ip_local_port_min, 32768);
	assert_int_equal(s.ip_local_port_max, 60999);
}

static void every_default_is_within_its_bounds(void **state)
{
	(void)state;
#define SETTING(name, def, lo, hi) \
	assert_true((int64_t)(lo) <= (def) && (int64_t)(def) <= (hi));
#include "stack/settings.def"
#undef SETTING
}

static void every_setting_is_found_and_keeps_its_bounds(void **state)
{
	(void)state;
#define SETTING(name, def, lo, hi) { \
		struct settings s = fresh(); \
		char v[32]; \
		bool is_unsigned = (lo) == -1; \
		snprintf(v, sizeof(v), "%lld", is_unsigned ? (long long)(uint32_t)(def) : (long long)(def)); \
		assert_int_equal(settings_set(&s, #name, v), 0); \
		assert_int_equal(s.name, def); \
		snprintf(v, sizeof(v), "%lld", is_unsigned ? UINT32_MAX + 1LL : (long long)(hi) + 1); \
		assert_int_equal(settings_set(&s, "net.ipv4." #name, v), -EINVAL); \
		snprintf(v, sizeof(v), "%lld", (long long)(lo) - 1); \
		assert_int_equal(settings_set(&s, #name, v), -EINVAL); \
		assert_int_equal(s.name, def); \
	}
#include "stack/settings.def"
#undef SETTING
}

static void unknown_name_is_enoent(void **state)
{
	struct settings s = fresh();

	(void)state;
	assert_int_equal(settings_set(&s, "tcp_nonsense", "1"), -ENOENT);
	assert_int_equal(settings_set(&s, "", "1"), -ENOENT);
	assert_int_equal(settings_set(&s, "net.", "1"), -ENOENT);
	assert_int_equal(settings_set(&s, "net.ipv6.tcp_sack", "1"), -ENOENT);
	assert_int_equal(settings_set(&s, "tcp_sac", "1"), -ENOENT);
}

static void bad_value_is_einval_and_changes_nothing(void **state)
{
	static const char *const bad[] = {
		"", " ", "x", "1x", "0x1", "1 1", "--1", "-", "99999999999999999999", "1.5",
	};
	struct settings s = fresh();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(settings_set(&s, "tcp_fin_timeout", bad[i]), -EINVAL);
	assert_int_equal(s.tcp_fin_timeout, 60);
}

static void surrounding_space_is_allowed(void **state)
{
	struct settings s = fresh();

	(void)state;
	assert_int_equal(settings_set(&s, "tcp_fin_timeout", " 30\n"), 0);
	assert_int_equal(s.tcp_fin_timeout, 30);
}

static void names_of_three_and_two_numbers_set_all(void **state)
{
	struct settings s = fresh();

	(void)state;
	assert_int_equal(settings_set(&s, "net.ipv4.tcp_rmem", "4096 65536\t8388608"), 0);
	assert_int_equal(s.tcp_rmem_min, 4096);
	assert_int_equal(s.tcp_rmem_default, 65536);
	assert_int_equal(s.tcp_rmem_max, 8388608);
	assert_int_equal(settings_set(&s, "tcp_wmem", "1 2 3"), 0);
	assert_int_equal(s.tcp_wmem_max, 3);
	assert_int_equal(settings_set(&s, "net.ipv4.ip_local_port_range", "2000 3001"), 0);
	assert_int_equal(s.ip_local_port_min, 2000);
	assert_int_equal(s.ip_local_port_max, 3001);
}

static void too_few_or_many_numbers_change_nothing(void **state)
{
	struct settings s = fresh();

	(void)state;
	assert_int_equal(settings_set(&s, "tcp_rmem", "8192 65536"), -EINVAL);
	assert_int_equal(settings_set(&s, "tcp_rmem", "8192 65536 1000000 1"), -EINVAL);
	assert_int_equal(settings_set(&s, "tcp_rmem", "8192 0 1000000"), -EINVAL);
	assert_int_equal(s.tcp_rmem_min, 4096);
}

static void port_range_reversed_or_privileged_is_einval(void **state)
{
	struct settings s = fresh();

	(void)state;
	assert_int_equal(settings_set(&s, "ip_local_port_range", "3000 2000"), -EINVAL);
	assert_int_equal(settings_set(&s, "ip_local_port_range", "1023 2000"), -EINVAL);
	assert_int_equal(settings_set(&s, "ip_local_port_range", "1024 65535"), 0);
	assert_int_equal(settings_set(&s, "ip_unprivileged_port_start", "1025"), -EINVAL);
	assert_int_equal(settings_set(&s, "ip_unprivileged_port_start", "0"), 0);
	assert_int_equal(settings_set(&s, "ip_local_port_range", "1 1"), 0);
}

static void names_outside_net_ipv4_are_linux_ones(void **state)
{
	struct settings s = fresh();
	int32_t v[SETTINGS_VALUES_MAX];

	(void)state;
	assert_int_equal(settings_set(&s, "net.core.rmem_max", "1000000"), 0);
	assert_int_equal(s.rmem_max, 1000000);
	assert_int_equal(settings_set(&s, "net.ipv4.neigh.default.retrans_time_ms", "250"), 0);
	assert_int_equal(s.neigh_retrans_ms, 250);
	/* By interface, whatever its name, and in Linux's other units. */
	assert_int_equal(settings_set(&s, "net.ipv4.neigh.eth0.100.retrans_time_ms", "300"), 0);
	assert_int_equal(s.neigh_retrans_ms, 300);
	assert_int_equal(settings_set(&s, "neigh.eth0.base_reachable_time", "7"), 0);
	assert_int_equal(s.neigh_base_reachable_ms, 7000);
	assert_int_equal(settings_get(&s, "net.ipv4.neigh.default.base_reachable_time", v), 1);
	assert_int_equal(v[0], 7);
	assert_int_equal(settings_get(&s, "net.ipv4.neigh.default.unres_qlen", v), 1);
	assert_int_equal(v[0], 101);
	assert_int_equal(settings_set(&s, "net.ipv4.conf.eth0.arp_ignore", "2"), 0);
	assert_int_equal(s.arp_ignore, 2);
	assert_int_equal(settings_set(&s, "net.ipv4.neigh.retrans_time_ms", "1"), -ENOENT);
	assert_int_equal(settings_set(&s, "net.ipv4.neigh.eth0.gc_interval", "1"), -ENOENT);
	assert_int_equal(settings_set(&s, "net.ipv4.neigh.default.base_reachable_time", "2147484"), -EINVAL);
	assert_int_equal(settings_set(&s, "net.ipv4.route.min_pmtu", "600"), 0);
	assert_int_equal(s.min_pmtu, 600);
}

static void largest_unsigned_number_is_all_there_is(void **state)
{
	struct settings s = fresh();

	(void)state;
	assert_int_equal(settings_set(&s, "tcp_notsent_lowat", "4000"), 0);
	assert_int_equal(settings_set(&s, "tcp_notsent_lowat", "4294967295"), 0);
	assert_int_equal(s.tcp_notsent_lowat, -1);
	assert_int_equal(settings_set(&s, "tcp_sack", "4294967295"), -EINVAL);
}

static void numbers_are_read_back_under_the_same_names(void **state)
{
	struct settings s = fresh();
	int32_t v[SETTINGS_VALUES_MAX];

	(void)state;
	assert_int_equal(settings_set(&s, "tcp_rmem", "4096 5000 6000"), 0);
	assert_int_equal(settings_get(&s, "net.ipv4.tcp_rmem", v), 3);
	assert_int_equal(v[1], 5000);
	assert_int_equal(settings_get(&s, "tcp_fin_timeout", v), 1);
	assert_int_equal(v[0], 60);
	assert_int_equal(settings_get(&s, "tcp_nonsense", v), -ENOENT);
}

static void fastopen_key_is_four_words_in_hexadecimal(void **state)
{
	struct settings s = fresh();

	(void)state;
	assert_int_equal(settings_set(&s, "tcp_fastopen_key", "1-2b-3C-deadbeef"), 0);
	assert_int_equal(s.fastopen_key[1], 0x2b);
	assert_int_equal(s.fastopen_key[2], 0x3c);
	assert_int_equal(s.fastopen_key[3], 0xdeadbeef);
	assert_int_equal(settings_set(&s, "tcp_fastopen_key", "1-2-3"), -EINVAL);
	assert_int_equal(settings_set(&s, "tcp_fastopen_key", "1-2-3-\x10"), -EINVAL);   /* no '0', but for one bit */
	assert_int_equal(settings_set(&s, "tcp_fastopen_key", "1-2-3-A\x01"), -EINVAL);
	assert_int_equal(s.fastopen_key[3], 0xdeadbeef);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_linux_ones),
		cmocka_unit_test(every_default_is_within_its_bounds),
		cmocka_unit_test(every_setting_is_found_and_keeps_its_bounds),
		cmocka_unit_test(unknown_name_is_enoent),
		cmocka_unit_test(bad_value_is_einval_and_changes_nothing),
		cmocka_unit_test(surrounding_space_is_allowed),
		cmocka_unit_test(names_of_three_and_two_numbers_set_all),
		cmocka_unit_test(too_few_or_many_numbers_change_nothing),
		cmocka_unit_test(port_range_reversed_or_privileged_is_einval),
		cmocka_unit_test(names_outside_net_ipv4_are_linux_ones),
		cmocka_unit_test(numbers_are_read_back_under_the_same_names),
		cmocka_unit_test(largest_unsigned_number_is_all_there_is),
		cmocka_unit_test(fastopen_key_is_four_words_in_hexadecimal),
	};

	return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
