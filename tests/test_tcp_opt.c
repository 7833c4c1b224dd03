/* SPDX-License-Identifier: BSD-2-Clause */
/* test_tcp_opt.c - socket options: values, bounds and errno as Linux's
 * (tcp_opt_linux.def), and what they do. */
#include "stack/tcp_opt.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sim.h"

#ifndef SO_RCVMARK
#define SO_RCVMARK 75
#endif
#ifndef SO_TXREHASH
#define SO_TXREHASH 74
#endif
#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51
#endif
#ifndef TCP_RTO_MAX_MS
#define TCP_RTO_MAX_MS 44
#endif
#ifndef TCP_DELACK_MAX_US
#define TCP_DELACK_MAX_US 46
#endif
#ifndef TCP_RTO_MIN_US
#define TCP_RTO_MIN_US 45
#endif
#ifndef TCP_IS_MPTCP
#define TCP_IS_MPTCP 43
#endif

#define NOW (1000 * XTIME_SEC)

struct fixture {
	struct sim m;
	struct tcp_conn *c;
};

static void open_socket(struct fixture *f)
{
	sim_init(&f->m, 1, false, NULL);
	f->c = tcp_open(f->m.s[0], NOW);
	assert_non_null(f->c);
}

static void close_socket(struct fixture *f)
{
	tcp_release(f->c, NOW);
	sim_fini(&f->m);
}

static int set_int(struct tcp_conn *c, int level, int name, int32_t val)
{
	return tcp_setopt(c, level, name, &val, sizeof(val), true, NOW);
}

static int get_int(struct tcp_conn *c, int level, int name)
{
	int32_t val = -12345;
	socklen_t len = sizeof(val);

	assert_int_equal(tcp_getopt(c, level, name, &val, &len, NOW), 0);
	assert_int_equal(len, sizeof(val));
	return val;
}

/* ---- the table ---- */

static void check_set(int level, int name, int32_t given, int set_err, int get_err, int32_t value,
                      bool may_admin, const char *what)
{
	struct fixture f;
	int32_t val = 0;
	socklen_t len = sizeof(val);
	int err;

	open_socket(&f);
	err = tcp_setopt(f.c, level, name, &given, sizeof(given), may_admin, NOW);
	if (err != set_err)
		print_message("%s = %d\n", what, given);
	assert_int_equal(err, set_err);
	err = tcp_getopt(f.c, level, name, &val, &len, NOW);
	if (err != get_err || (!err && val != value))
		print_message("%s after %d\n", what, given);
	assert_int_equal(err, get_err);
	if (!err)
		assert_int_equal(val, value);
	close_socket(&f);
}

static void check_default(int level, int name, int32_t value, const char *what)
{
	struct fixture f;
	int32_t got;

	open_socket(&f);
	got = get_int(f.c, level, name);
	if (got != value)
		print_message("%s\n", what);
	assert_int_equal(got, value);
	close_socket(&f);
}

static void fresh_socket_has_linux_defaults(void **state)
{
	(void)state;
#define DEFAULT(level, name, value) check_default(level, name, value, #name);
#define BOOL(level, name, value) check_default(level, name, value, #name);
#define SET(level, name, given, set_err, get_err, value)
#define USER(level, name, given, set_err, get_err, value)
#include "tcp_opt_linux.def"
#undef DEFAULT
#undef BOOL
#undef SET
#undef USER
}

static void set_then_get_is_as_linux(void **state)
{
	(void)state;
#define DEFAULT(level, name, value)
#define BOOL(level, name, value) \
	check_set(level, name, 0, 0, 0, 0, true, #name); \
	check_set(level, name, 1, 0, 0, 1, true, #name); \
	check_set(level, name, 2, 0, 0, 1, true, #name); \
	check_set(level, name, -1, 0, 0, 1, true, #name);
#define SET(level, name, given, set_err, get_err, value) \
	check_set(level, name, given, set_err, get_err, value, true, #name);
#define USER(level, name, given, set_err, get_err, value)
#include "tcp_opt_linux.def"
#undef DEFAULT
#undef BOOL
#undef SET
#undef USER
}

static void without_capability_is_as_linux(void **state)
{
	(void)state;
#define DEFAULT(level, name, value)
#define BOOL(level, name, value)
#define SET(level, name, given, set_err, get_err, value)
#define USER(level, name, given, set_err, get_err, value) \
	check_set(level, name, given, set_err, get_err, value, false, #name);
#include "tcp_opt_linux.def"
#undef DEFAULT
#undef BOOL
#undef SET
#undef USER
}

/* ---- lengths ---- */

static void short_value_is_einval_but_at_ip_level(void **state)
{
	static const uint8_t one = 1;
	struct fixture f;

	(void)state;
	open_socket(&f);
	assert_int_equal(tcp_setopt(f.c, SOL_SOCKET, SO_KEEPALIVE, &one, 1, true, NOW), -EINVAL);
	assert_int_equal(tcp_setopt(f.c, SOL_SOCKET, 300, &one, 1, true, NOW), -EINVAL);
	assert_int_equal(tcp_setopt(f.c, IPPROTO_TCP, TCP_NODELAY, &one, 1, true, NOW), -EINVAL);
	assert_int_equal(tcp_setopt(f.c, IPPROTO_TCP, 300, &one, 1, true, NOW), -EINVAL);
	assert_int_equal(tcp_setopt(f.c, IPPROTO_IP, IP_TTL, &one, 1, true, NOW), 0);
	assert_int_equal(get_int(f.c, IPPROTO_IP, IP_TTL), 1);
	assert_int_equal(tcp_setopt(f.c, IPPROTO_IP, IP_TTL, &one, 0, true, NOW), -EINVAL);
	assert_int_equal(tcp_setopt(f.c, IPPROTO_IP, IP_FREEBIND, &one, 0, true, NOW), -EINVAL);
	assert_int_equal(tcp_setopt(f.c, IPPROTO_IP, IP_RECVERR, &one, 0, true, NOW), 0);
	assert_int_equal(tcp_setopt(f.c, IPPROTO_IP, IP_LOCAL_PORT_RANGE, &one, 1, true, NOW), -EINVAL);
	assert_int_equal(tcp_setopt(f.c, SOL_SOCKET, SO_KEEPALIVE, &one, (socklen_t)-1, true, NOW),
	                 -EINVAL);
	close_socket(&f);
}

static void little_room_gets_what_fits(void **state)
{
	struct fixture f;
	uint8_t buf[8];
	socklen_t len;

	(void)state;
	open_socket(&f);
	memset(buf, 0xaa, sizeof(buf));
	len = 2;
	assert_int_equal(tcp_getopt(f.c, SOL_SOCKET, SO_SNDBUF, buf, &len, NOW), 0);
	assert_int_equal(len, 2);
	assert_int_equal(buf[0] | buf[1] << 8, 16384);
	assert_int_equal(buf[2], 0xaa);
	len = 3;
	assert_int_equal(tcp_getopt(f.c, IPPROTO_IP, IP_TTL, buf, &len, NOW), 0);
	assert_int_equal(len, 1);
	assert_int_equal(buf[0], 64);
	len = 0;
	assert_int_equal(tcp_getopt(f.c, IPPROTO_IP, IP_TTL, buf, &len, NOW), 0);
	assert_int_equal(len, 0);
	len = (socklen_t)-1;
	assert_int_equal(tcp_getopt(f.c, SOL_SOCKET, SO_SNDBUF, buf, &len, NOW), -EINVAL);
	close_socket(&f);
}

static void unknown_level_or_name_is_refused(void **state)
{
	struct fixture f;
	uint8_t buf[8] = { 1 };
	socklen_t len = sizeof(buf);

	(void)state;
	open_socket(&f);
	assert_int_equal(tcp_setopt(f.c, IPPROTO_UDP, 1, buf, 4, true, NOW), -ENOPROTOOPT);
	assert_int_equal(tcp_getopt(f.c, IPPROTO_UDP, 1, buf, &len, NOW), -EOPNOTSUPP);
	assert_int_equal(tcp_setopt(f.c, IPPROTO_TCP, 300, buf, 4, true, NOW), -ENOPROTOOPT);
	assert_int_equal(tcp_getopt(f.c, IPPROTO_TCP, 300, buf, &len, NOW), -ENOPROTOOPT);
	close_socket(&f);
}

static void what_cannot_be_honoured_is_refused(void **state)
{
	static const struct { int level, name; } list[] = {
		{ IPPROTO_TCP, TCP_MD5SIG }, { IPPROTO_TCP, TCP_REPAIR },
		{ IPPROTO_TCP, TCP_TX_DELAY }, { SOL_SOCKET, SO_ZEROCOPY },
		{ SOL_SOCKET, SO_TIMESTAMP }, { SOL_SOCKET, SO_TIMESTAMPING },
		{ SOL_SOCKET, SO_ATTACH_FILTER },
	};
	struct fixture f;

	(void)state;
	open_socket(&f);
	for (size_t i = 0; i < ARRAY_LEN(list); i++)
		assert_int_equal(set_int(f.c, list[i].level, list[i].name, 1), -ENOPROTOOPT);
	close_socket(&f);
}

/* ---- options that are more than an int ---- */

static void linger_keeps_seconds(void **state)
{
	struct linger l = { 1, 5 };
	socklen_t len = sizeof(l);
	struct fixture f;

	(void)state;
	open_socket(&f);
	assert_int_equal(tcp_linger(f.c), -1);
	assert_int_equal(tcp_setopt(f.c, SOL_SOCKET, SO_LINGER, &l, 4, true, NOW), -EINVAL);
	assert_int_equal(tcp_setopt(f.c, SOL_SOCKET, SO_LINGER, &l, sizeof(l), true, NOW), 0);
	assert_int_equal(tcp_linger(f.c), 5);
	memset(&l, 0, sizeof(l));
	assert_int_equal(tcp_getopt(f.c, SOL_SOCKET, SO_LINGER, &l, &len, NOW), 0);
	assert_int_equal(l.l_onoff, 1);
	assert_int_equal(l.l_linger, 5);
	l.l_onoff = 0;
	tcp_setopt(f.c, SOL_SOCKET, SO_LINGER, &l, sizeof(l), true, NOW);
	assert_int_equal(tcp_linger(f.c), -1);
	close_socket(&f);
}

static void congestion_is_chosen_by_name(void **state)
{
	char name[32] = "";
	socklen_t len = sizeof(name);
	struct fixture f;

	(void)state;
	open_socket(&f);
	assert_int_equal(tcp_getopt(f.c, IPPROTO_TCP, TCP_CONGESTION, name, &len, NOW), 0);
	assert_string_equal(name, "cubic");
	assert_int_equal(len, 16);
	assert_int_equal(tcp_setopt(f.c, IPPROTO_TCP, TCP_CONGESTION, "reno", 4, false, NOW), 0);
	tcp_getopt(f.c, IPPROTO_TCP, TCP_CONGESTION, name, &len, NOW);
	assert_string_equal(name, "reno");
	assert_int_equal(tcp_setopt(f.c, IPPROTO_TCP, TCP_CONGESTION, "nonesuch", 8, false, NOW), -ENOENT);
	assert_int_equal(tcp_setopt(f.c, IPPROTO_TCP, TCP_CONGESTION, "", 0, false, NOW), -EINVAL);
	len = 3;
	tcp_getopt(f.c, IPPROTO_TCP, TCP_CONGESTION, name, &len, NOW);
	assert_int_equal(len, 3);
	close_socket(&f);
}

static void ip_options_come_back_as_given_and_padded(void **state)
{
	static const uint8_t nops[] = { 1, 1, 1 };
	uint8_t got[40];
	socklen_t len = sizeof(got);
	struct fixture f;

	(void)state;
	open_socket(&f);
	assert_int_equal(tcp_setopt(f.c, IPPROTO_IP, IP_OPTIONS, nops, 3, false, NOW), 0);
	assert_int_equal(tcp_getopt(f.c, IPPROTO_IP, IP_OPTIONS, got, &len, NOW), 0);
	assert_int_equal(len, 4);
	assert_memory_equal(got, nops, 3);
	assert_int_equal(tcp_setopt(f.c, IPPROTO_IP, IP_OPTIONS, nops, 0, false, NOW), 0);
	len = sizeof(got);
	tcp_getopt(f.c, IPPROTO_IP, IP_OPTIONS, got, &len, NOW);
	assert_int_equal(len, 0);
	memset(got, 1, sizeof(got));
	assert_int_equal(tcp_setopt(f.c, IPPROTO_IP, IP_OPTIONS, got, 41, false, NOW), -EINVAL);
	close_socket(&f);
}

static void pacing_rate_is_unlimited_in_both_sizes(void **state)
{
	uint64_t rate = 0;
	socklen_t len = sizeof(rate);
	struct fixture f;

	(void)state;
	open_socket(&f);
	assert_int_equal(tcp_getopt(f.c, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, &len, NOW), 0);
	assert_int_equal(len, 8);
	assert_true(rate == UINT64_MAX);
	assert_int_equal(get_int(f.c, SOL_SOCKET, SO_MAX_PACING_RATE), -1);
	assert_int_equal(set_int(f.c, SOL_SOCKET, SO_MAX_PACING_RATE, 125000), 0);
	assert_int_equal(get_int(f.c, SOL_SOCKET, SO_MAX_PACING_RATE), 125000);
	assert_int_equal(set_int(f.c, SOL_SOCKET, SO_MAX_PACING_RATE, -1), 0);
	assert_int_equal(get_int(f.c, SOL_SOCKET, SO_MAX_PACING_RATE), -1);
	close_socket(&f);
}

/* ---- effects ---- */

static void tos_sets_the_priority_but_not_ecn_bits(void **state)
{
	struct fixture f;

	(void)state;
	open_socket(&f);
	assert_int_equal(set_int(f.c, IPPROTO_IP, IP_TOS, 0x13), 0);
	assert_int_equal(get_int(f.c, IPPROTO_IP, IP_TOS), 0x10);
	assert_int_equal(get_int(f.c, SOL_SOCKET, SO_PRIORITY), 6);
	set_int(f.c, IPPROTO_IP, IP_TOS, 8);
	assert_int_equal(get_int(f.c, SOL_SOCKET, SO_PRIORITY), 2);
	set_int(f.c, IPPROTO_IP, IP_TOS, 0xf8);
	assert_int_equal(get_int(f.c, SOL_SOCKET, SO_PRIORITY), 4);
	close_socket(&f);
}

static void reuse_flags_reach_the_port_table(void **state)
{
	struct fixture f;

	(void)state;
	open_socket(&f);
	set_int(f.c, SOL_SOCKET, SO_REUSEADDR, 1);
	set_int(f.c, SOL_SOCKET, SO_REUSEPORT, 1);
	set_int(f.c, SOL_SOCKET, SO_BINDTOIFINDEX, 7);
	assert_true(f.c->bind.reuse);
	assert_true(f.c->bind.reuseport);
	assert_int_equal(f.c->bind.oif, 7);
	close_socket(&f);
}

static void device_once_bound_needs_the_capability(void **state)
{
	int32_t idx = 3;
	struct fixture f;

	(void)state;
	open_socket(&f);
	assert_int_equal(tcp_setopt(f.c, SOL_SOCKET, SO_BINDTOIFINDEX, &idx, 4, false, NOW), 0);
	idx = 4;
	assert_int_equal(tcp_setopt(f.c, SOL_SOCKET, SO_BINDTOIFINDEX, &idx, 4, false, NOW), -EPERM);
	assert_int_equal(tcp_setopt(f.c, SOL_SOCKET, SO_BINDTOIFINDEX, &idx, 4, true, NOW), 0);
	close_socket(&f);
}

static int set_device(struct fixture *f, const char *name, socklen_t len, bool may_admin)
{
	return tcp_setopt(f->c, SOL_SOCKET, SO_BINDTODEVICE, name, len, may_admin, NOW);
}

static void device_is_bound_by_name(void **state)
{
	char got[64] = "";
	socklen_t len = sizeof(got);
	struct fixture f;

	(void)state;
	open_socket(&f);
	strcpy(f.m.s[0]->ifaces[0].name, "eth7");
	assert_int_equal(set_device(&f, "nonesuch", 9, false), -ENODEV);
	assert_int_equal(tcp_getopt(f.c, SOL_SOCKET, SO_BINDTODEVICE, got, &len, NOW), 0);
	assert_int_equal(len, 0);
	assert_int_equal(set_device(&f, "eth7zzz", 4, false), 0);
	assert_int_equal(get_int(f.c, SOL_SOCKET, SO_BINDTOIFINDEX), f.m.s[0]->ifaces[0].oif);
	len = sizeof(got);
	assert_int_equal(tcp_getopt(f.c, SOL_SOCKET, SO_BINDTODEVICE, got, &len, NOW), 0);
	assert_int_equal(len, 5);
	assert_string_equal(got, "eth7");
	len = 15;
	assert_int_equal(tcp_getopt(f.c, SOL_SOCKET, SO_BINDTODEVICE, got, &len, NOW), -EINVAL);
	assert_int_equal(set_device(&f, "", 0, false), -EPERM);
	assert_int_equal(set_device(&f, "", 1, true), 0);
	assert_int_equal(get_int(f.c, SOL_SOCKET, SO_BINDTOIFINDEX), 0);
	close_socket(&f);
}

static void buffer_sizes_stop_auto_tuning(void **state)
{
	struct fixture f;

	(void)state;
	open_socket(&f);
	set_int(f.c, SOL_SOCKET, SO_SNDBUF, 50000);
	assert_true(f.c->opt.is_sndbuf_locked);
	assert_int_equal(get_int(f.c, SOL_SOCKET, SO_BUF_LOCK), 1);
	set_int(f.c, SOL_SOCKET, SO_RCVBUF, 50000);
	assert_int_equal(get_int(f.c, SOL_SOCKET, SO_BUF_LOCK), 3);
	set_int(f.c, SOL_SOCKET, SO_BUF_LOCK, 0);
	assert_false(f.c->opt.is_rcvbuf_locked);
	assert_int_equal(set_int(f.c, SOL_SOCKET, SO_RCVBUFFORCE, 100000000), 0);
	assert_int_equal(get_int(f.c, SOL_SOCKET, SO_RCVBUF), 200000000);
	close_socket(&f);
}

static void low_water_mark_grows_the_buffer_unless_it_is_locked(void **state)
{
	struct fixture f;

	(void)state;
	open_socket(&f);
	set_int(f.c, SOL_SOCKET, SO_RCVLOWAT, 300000);
	assert_int_equal(get_int(f.c, SOL_SOCKET, SO_RCVBUF), 600000);
	set_int(f.c, SOL_SOCKET, SO_RCVBUF, 10000);
	set_int(f.c, SOL_SOCKET, SO_RCVLOWAT, 300000);
	assert_int_equal(get_int(f.c, SOL_SOCKET, SO_RCVLOWAT), 10000);
	assert_int_equal(get_int(f.c, SOL_SOCKET, SO_RCVBUF), 20000);
	close_socket(&f);
}

static void locked_filter_stays_locked(void **state)
{
	struct fixture f;

	(void)state;
	open_socket(&f);
	assert_int_equal(set_int(f.c, SOL_SOCKET, SO_LOCK_FILTER, 1), 0);
	assert_int_equal(set_int(f.c, SOL_SOCKET, SO_LOCK_FILTER, 0), -EPERM);
	close_socket(&f);
}

static void rto_bounds_are_kept(void **state)
{
	struct fixture f;

	(void)state;
	open_socket(&f);
	assert_int_equal(get_int(f.c, IPPROTO_TCP, TCP_RTO_MIN_US), 200000);
	assert_int_equal(set_int(f.c, IPPROTO_TCP, TCP_RTO_MIN_US, 20000), 0);
	assert_int_equal(get_int(f.c, IPPROTO_TCP, TCP_RTO_MIN_US), 20000);
	assert_int_equal(set_int(f.c, IPPROTO_TCP, TCP_RTO_MIN_US, 1000), -EINVAL);
	assert_int_equal(set_int(f.c, IPPROTO_TCP, TCP_RTO_MIN_US, 200001), -EINVAL);
	assert_int_equal(get_int(f.c, IPPROTO_TCP, TCP_DELACK_MAX_US), 200000);
	assert_int_equal(set_int(f.c, IPPROTO_TCP, TCP_DELACK_MAX_US, 20000), 0);
	assert_int_equal(get_int(f.c, IPPROTO_TCP, TCP_DELACK_MAX_US), 20000);
	assert_int_equal(set_int(f.c, IPPROTO_TCP, TCP_DELACK_MAX_US, 0), -EINVAL);
	assert_int_equal(set_int(f.c, IPPROTO_TCP, TCP_DELACK_MAX_US, 200001), -EINVAL);
	assert_true(tcp_rto_min(f.c) == 20 * XTIME_MSEC);
	close_socket(&f);
}

/* ---- TCP_INFO ---- */

static struct tcp_info_abi info_of(struct tcp_conn *c, xtime now)
{
	struct tcp_info_abi i;
	socklen_t len = sizeof(i);

	assert_int_equal(tcp_getopt(c, IPPROTO_TCP, TCP_INFO, &i, &len, now), 0);
	assert_int_equal(len, 280);
	return i;
}

static void info_of_a_fresh_socket_is_linux_one(void **state)
{
	struct tcp_info_abi i;
	struct fixture f;

	(void)state;
	open_socket(&f);
	i = info_of(f.c, NOW);
	assert_int_equal(i.state, TCP_CLOSE);
	assert_int_equal(i.rto_us, 1000000);
	assert_int_equal(i.ato_us, 0);
	assert_int_equal(i.snd_mss, 536);
	assert_int_equal(i.rttvar_us, 250000);
	assert_int_equal(i.snd_ssthresh, 0x7fffffff);
	assert_int_equal(i.snd_cwnd, 10);
	assert_int_equal(i.reordering, 3);
	assert_int_equal(i.min_rtt_us, UINT32_MAX);
	assert_true(i.pacing_rate == UINT64_MAX && i.max_pacing_rate == UINT64_MAX);
	assert_int_equal(i.notsent_bytes, 0);
	close_socket(&f);
}

static void info_after_a_transfer_counts_its_bytes(void **state)
{
	struct tcp_info_abi i;
	struct sim_flow flow;
	struct sim m;

	(void)state;
	sim_init(&m, 1, false, NULL);
	m.link[0].delay = m.link[1].delay = 5 * XTIME_MSEC;
	m.link[0].rate = m.link[1].rate = 100000000;
	sim_flow_open(&m, &flow, 80, 4000000, 4000000);
	while (flow.got[0] < 100000)
		assert_false(sim_run(&m, &flow, 1, XTIME_MSEC));
	i = info_of(flow.c[0], m.now);
	assert_int_equal(i.state, TCP_ESTABLISHED);
	assert_int_equal(i.options & 7, TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE);
	assert_true(i.bytes_received >= 100000);
	assert_true(i.bytes_acked > 0 && i.bytes_sent + 1 >= i.bytes_acked);
	assert_true(i.rtt_us >= 10000 && i.rtt_us < 60000);
	assert_true(i.min_rtt_us >= 10000 && i.min_rtt_us < 20000);
	assert_int_equal(i.pmtu, 1500);
	assert_int_equal(i.snd_mss, 1448);
	assert_true(i.segs_in > 0 && i.segs_out > 0 && i.data_segs_in >= 69);
	assert_int_equal(get_int(flow.c[0], IPPROTO_IP, IP_MTU), 1500);
	assert_int_equal(set_int(flow.c[0], IPPROTO_TCP, TCP_WINDOW_CLAMP, 0), -EINVAL);
	sim_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fresh_socket_has_linux_defaults),
		cmocka_unit_test(set_then_get_is_as_linux),
		cmocka_unit_test(without_capability_is_as_linux),
		cmocka_unit_test(short_value_is_einval_but_at_ip_level),
		cmocka_unit_test(little_room_gets_what_fits),
		cmocka_unit_test(unknown_level_or_name_is_refused),
		cmocka_unit_test(what_cannot_be_honoured_is_refused),
		cmocka_unit_test(linger_keeps_seconds),
		cmocka_unit_test(congestion_is_chosen_by_name),
		cmocka_unit_test(ip_options_come_back_as_given_and_padded),
		cmocka_unit_test(pacing_rate_is_unlimited_in_both_sizes),
		cmocka_unit_test(tos_sets_the_priority_but_not_ecn_bits),
		cmocka_unit_test(reuse_flags_reach_the_port_table),
		cmocka_unit_test(device_once_bound_needs_the_capability),
		cmocka_unit_test(device_is_bound_by_name),
		cmocka_unit_test(buffer_sizes_stop_auto_tuning),
		cmocka_unit_test(low_water_mark_grows_the_buffer_unless_it_is_locked),
		cmocka_unit_test(locked_filter_stays_locked),
		cmocka_unit_test(rto_bounds_are_kept),
		cmocka_unit_test(info_of_a_fresh_socket_is_linux_one),
		cmocka_unit_test(info_after_a_transfer_counts_its_bytes),
	};

	return cmocka_run_group_tests_name("tcp_opt", tests, NULL, NULL);
}
