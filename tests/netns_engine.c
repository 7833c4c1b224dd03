/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netns_engine.c - the engine on a real interface, its peer the kernel: it takes what the
 * host says, and follows when that changes.
 *
 *     this process                          its child
 *     v0 10.99.0.1/24 ------- veth ------- v0 10.99.0.2/24
 *     default route 10.99.0.2              lo 10.98.0.1/32; echoes on port 7
 *
 * Both namespaces are nameless and end with their process.
 */
#include "engine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tcp.h"

#define SOON (10 * XTIME_SEC)
#define US 0x0a630001u
#define PEER 0x0a630002u
#define BEHIND 0x0a620001u
#define ECHO_PORT 7

static struct engine *e;

/* ---- the network ---- */

static void run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void run(const char *fmt, ...)
{
	char cmd[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	if (system(cmd)) {
		fprintf(stderr, "failed: %s\n", cmd);
		exit(99);
	}
}

static void leave(const char *why)
{
	fprintf(stderr, "skip: %s\n", why);
	exit(77);
}

/* One process, so that it ends with the test, and every connection with it. */
static void echo_all(int l)
{
	static struct pollfd fds[256];
	unsigned n = 1, i;
	char buf[4096];
	ssize_t k;

	fds[0] = (struct pollfd){ .fd = l, .events = POLLIN };
	while (poll(fds, n, -1) > 0) {
		for (i = n; i-- > 1;) {
			if (!fds[i].revents)
				continue;
			k = read(fds[i].fd, buf, sizeof(buf));
			if (k > 0 && write(fds[i].fd, buf, (size_t)k) == k)
				continue;
			close(fds[i].fd);
			fds[i] = fds[--n];
		}
		if (fds[0].revents && n < 256)
			fds[n++] = (struct pollfd){ .fd = accept(l, NULL, NULL), .events = POLLIN };
	}
	_exit(0);
}

static void peer_main(int ready, int go)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(ECHO_PORT) };
	int l, one = 1;
	char x = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (unshare(CLONE_NEWNET))
		_exit(1);
	if (write(ready, &x, 1) != 1 || read(go, &x, 1) != 1)
		_exit(1);
	run("ip link set lo up && ip addr add 10.98.0.1/32 dev lo && ip link set v0 up && "
	    "ip addr add 10.99.0.2/24 dev v0");
	l = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(l, (struct sockaddr *)&a, sizeof(a)) || listen(l, 128))
		_exit(1);
	if (write(ready, &x, 1) != 1)
		_exit(1);
	echo_all(l);
}

static void build_network(void)
{
	int ready[2], go[2];
	pid_t pid;
	char x;

	if (geteuid() || unshare(CLONE_NEWNET))
		leave("needs root, to make network namespaces");
	if (pipe(ready) || pipe(go))
		exit(99);
	pid = fork();
	if (!pid)
		peer_main(ready[1], go[0]);
	if (read(ready[0], &x, 1) != 1)
		exit(99);
	if (system("ip link add v0 type veth peer name v1 2>/dev/null"))
		leave("the kernel has no veth, or iproute2 is missing");
	run("ip link set v1 netns %d name v0 && ip link set lo up && ip link set v0 up && "
	    "ip addr add 10.99.0.1/24 dev v0 && ip route add default via 10.99.0.2", (int)pid);
	if (write(go[1], &x, 1) != 1 || read(ready[0], &x, 1) != 1)
		exit(99);
}

/* ---- the engine ---- */

static int try_open(struct engine_config *cfg, char *err, size_t len)
{
	struct engine *got = NULL;
	int r = engine_open(cfg, &got, err, len);

	if (!r)
		engine_close(got);
	return r;
}

static int setup(void **state)
{
	struct engine_config cfg = { 0 };
	char err[300];

	(void)state;
	alarm(120);
	if (engine_open(&cfg, &e, err, sizeof(err)))
		fail_msg("%s", err);
	return 0;
}

static int setup_own(void **state)
{
	struct engine_config cfg = { .naddr = 1, .addrs = { { 0x0a630009, 24 } }, .gateway = PEER };
	char err[300];

	(void)state;
	alarm(120);
	if (engine_open(&cfg, &e, err, sizeof(err)))
		fail_msg("%s", err);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	engine_close(e);
	return 0;
}

static struct sockaddr_in addr_of(ip4 a, uint16_t port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };

	sa.sin_addr.s_addr = htonl(a);
	return sa;
}

static void wait_for(engine_sock s, uint32_t events)
{
	struct engine_watch w = { .s = s, .events = events };

	assert_int_equal(engine_wait(e, &w, 1, NULL, 0, engine_now() + SOON, NULL), 1);
}

/* What connect() gives on a blocking socket, -EALREADY after that time; *s only when 0. */
static int connect_within(ip4 a, uint16_t port, engine_sock *s, xtime time)
{
	struct engine_watch w = { .events = TCP_EV_CONNECTED };
	struct sockaddr_in sa = addr_of(a, port);
	int r;

	assert_int_equal(engine_socket(e, s), 0);
	r = engine_connect(e, *s, &sa);
	w.s = *s;
	if (!r && engine_wait(e, &w, 1, NULL, 0, engine_now() + time, NULL) >= 0)
		r = engine_connect_result(e, *s);
	if (r)
		engine_release(e, *s);
	return r;
}

static int connect_to(ip4 a, uint16_t port, engine_sock *s)
{
	return connect_within(a, port, s, SOON);
}

static void ping(engine_sock s, uint32_t number)
{
	uint32_t in = 0;
	struct iovec o = { &number, sizeof(number) }, i = { &in, sizeof(in) };
	ssize_t n;

	assert_int_equal(engine_send(e, s, &o, 1, 0, 0), sizeof(number));
	while ((n = engine_recv(e, s, &i, 1, 0, 0, 0, NULL)) == -EAGAIN)
		wait_for(s, POLLIN);
	assert_int_equal(n, sizeof(in));
	assert_int_equal(in, number);
}

static void talk_to(ip4 a)
{
	engine_sock s;

	assert_int_equal(connect_to(a, ECHO_PORT, &s), 0);
	ping(s, 42);
	engine_release(e, s);
}

/* News of the host arrives when it arrives; an attempt that began before gets no answer. */
static int connect_until(ip4 a, int wanted)
{
	xtime end = engine_now() + SOON;
	engine_sock s;
	int r;

	do {
		r = connect_within(a, ECHO_PORT, &s, SOON / 20);
		if (!r)
			engine_release(e, s);
		if (r != wanted)
			usleep(2000);
	} while (r != wanted && engine_now() < end);
	return r;
}

static long snmp(const char *name)
{
	char names[1024], values[1024], *n, *v, *ns, *vs;
	FILE *f = fopen("/proc/net/snmp", "r");
	long found = -1;

	while (fgets(names, sizeof(names), f) && fgets(values, sizeof(values), f)) {
		if (strncmp(names, "Tcp:", 4))
			continue;
		n = strtok_r(names, " \n", &ns);
		v = strtok_r(values, " \n", &vs);
		for (; n && v; n = strtok_r(NULL, " \n", &ns), v = strtok_r(NULL, " \n", &vs))
			if (!strcmp(n, name))
				found = atol(v);
	}
	fclose(f);
	return found;
}

/* ---- attaching ---- */

static void default_route_tells_interface_and_address(void **state)
{
	char text[200];

	(void)state;
	engine_describe(e, text, sizeof(text));
	assert_non_null(strstr(text, "v0, 10.99.0.1 (shared), mtu 1500"));
}

static void open_with_wrong_interface_says_which_there_are(void **state)
{
	struct engine_config cfg = { .interface = "nope0" };
	char err[300];

	(void)state;
	assert_int_equal(try_open(&cfg, err, sizeof(err)), -ENODEV);
	assert_non_null(strstr(err, "there is no interface nope0"));
	assert_non_null(strstr(err, "v0"));
}

static void open_without_address_or_link_says_so(void **state)
{
	struct engine_config cfg = { .interface = "d0" };
	char err[300];

	(void)state;
	run("ip link add d0 type veth peer name d1 && ip link set d1 up");
	assert_int_equal(try_open(&cfg, err, sizeof(err)), -ENETDOWN);
	assert_non_null(strstr(err, "interface d0 is down"));
	run("ip link set d0 up");
	assert_int_equal(try_open(&cfg, err, sizeof(err)), -EADDRNOTAVAIL);
	assert_non_null(strstr(err, "interface d0 has no IPv4 address"));
	run("ip link del d0");
}

static void open_with_hosts_address_as_own_is_refused(void **state)
{
	struct engine_config cfg = { .naddr = 1, .addrs = { { US, 24 } } };
	char err[300];

	(void)state;
	assert_int_equal(try_open(&cfg, err, sizeof(err)), -EADDRINUSE);
	assert_non_null(strstr(err, "10.99.0.1 is the host's own"));
}

static void open_with_bad_setting_names_it(void **state)
{
	struct engine_config cfg = { .nsysctl = 1 };
	char err[300];

	(void)state;
	cfg.sysctls[0].name = "net.ipv4.tcp_nonsense";
	cfg.sysctls[0].value = "1";
	assert_int_equal(try_open(&cfg, err, sizeof(err)), -EINVAL);
	assert_non_null(strstr(err, "tcp_nonsense"));
	cfg.nsysctl = 0;
	cfg.congestion = "nonsense";
	assert_int_equal(try_open(&cfg, err, sizeof(err)), -EINVAL);
	assert_non_null(strstr(err, "nonsense"));
}

/* ---- talking to the kernel ---- */

static void shared_address_talks_kernel_stays_out(void **state)
{
	long resets = snmp("OutRsts"), opens = snmp("ActiveOpens");
	engine_sock s[20];
	uint32_t i, k;

	(void)state;
	for (i = 0; i < 20; i++)
		assert_int_equal(connect_to(PEER, ECHO_PORT, &s[i]), 0);
	for (k = 0; k < 20; k++)
		for (i = 0; i < 20; i++)
			ping(s[i], 100 * k + i);
	for (i = 0; i < 20; i++)
		engine_release(e, s[i]);
	assert_int_equal(snmp("OutRsts"), resets);
	assert_int_equal(snmp("ActiveOpens"), opens);
}

static void own_address_talks_also_through_gateway(void **state)
{
	(void)state;
	talk_to(PEER);
	talk_to(BEHIND);
}

/* Nobody listens there; what has an own address in common is told by tests/netns/ownhost.sh. */
static void own_address_reaches_itself(void **state)
{
	engine_sock s;

	(void)state;
	assert_int_equal(connect_to(0x0a630009, ECHO_PORT, &s), -ECONNREFUSED);
}

static void closed_port_is_refused(void **state)
{
	engine_sock s;

	(void)state;
	assert_int_equal(connect_to(PEER, 9, &s), -ECONNREFUSED);
}

static void port_that_the_kernel_has_is_in_use(void **state)
{
	struct sockaddr_in a = addr_of(US, 5555), any = addr_of(0, 5556);
	int k = socket(AF_INET, SOCK_STREAM, 0), k2 = socket(AF_INET, SOCK_STREAM, 0);
	engine_sock s;

	(void)state;
	assert_int_equal(bind(k, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(engine_socket(e, &s), 0);
	assert_int_equal(engine_bind(e, s, &a, true), -EADDRINUSE);
	/* And the other way round. */
	assert_int_equal(engine_bind(e, s, &any, true), 0);
	any = addr_of(US, 5556);
	assert_int_equal(bind(k2, (struct sockaddr *)&any, sizeof(any)), -1);
	assert_int_equal(errno, EADDRINUSE);
	engine_release(e, s);
	close(k);
	close(k2);
}

/* Many fast connections: claims come in growing batches, and above the soft limit of fds. */
static void many_connections_ports_are_claimed_ahead(void **state)
{
	struct sockaddr_in a;
	char text[2000];
	engine_sock s[100];
	int i;

	(void)state;
	for (i = 0; i < 100; i++)
		assert_int_equal(connect_to(PEER, ECHO_PORT, &s[i]), 0);
	for (i = 0; i < 100; i++) {
		assert_int_equal(engine_sockname(e, s[i], &a), 0);
		assert_int_equal(ntohl(a.sin_addr.s_addr), US);
		engine_release(e, s[i]);
	}
	engine_stats(e, text, sizeof(text));
	assert_non_null(strstr(text, "claims "));
	assert_null(strstr(text, "claims       100 ports"));
}

/* ---- the host changes ---- */

static void local_addresses_are_followed(void **state)
{
	xtime end = engine_now() + SOON;

	(void)state;
	assert_true(engine_is_kernels(e, 0x7f000001, 80));
	assert_true(engine_is_kernels(e, 0x7f123456, 80));
	assert_true(engine_is_kernels(e, US, 80));
	assert_false(engine_is_kernels(e, PEER, 80));
	assert_false(engine_is_kernels(e, 0x0a610001, 80));
	run("ip addr add 10.97.0.1/32 dev lo");
	while (!engine_is_kernels(e, 0x0a610001, 80) && engine_now() < end)
		usleep(2000);
	assert_true(engine_is_kernels(e, 0x0a610001, 80));
	run("ip addr del 10.97.0.1/32 dev lo");
	while (engine_is_kernels(e, 0x0a610001, 80) && engine_now() < end)
		usleep(2000);
	assert_false(engine_is_kernels(e, 0x0a610001, 80));
}

static void route_changes_are_followed(void **state)
{
	(void)state;
	talk_to(BEHIND);
	run("ip route del default");
	assert_int_equal(connect_until(BEHIND, -ENETUNREACH), -ENETUNREACH);
	talk_to(PEER);
	run("ip route add 10.98.0.0/16 via 10.99.0.2");
	assert_int_equal(connect_until(BEHIND, 0), 0);
	run("ip route add unreachable 10.98.0.1");
	assert_int_equal(connect_until(BEHIND, -EHOSTUNREACH), -EHOSTUNREACH);
	run("ip route del unreachable 10.98.0.1 && ip route del 10.98.0.0/16 && "
	    "ip route add default via 10.99.0.2");
	assert_int_equal(connect_until(BEHIND, 0), 0);
}

/* A destination that the host reaches by another interface isn't sent to our router. */
static void route_by_other_interface_is_unreachable(void **state)
{
	(void)state;
	run("ip link add d0 type veth peer name d1 && ip link set d0 up && ip link set d1 up && "
	    "ip addr add 10.98.0.9/24 dev d0");
	assert_int_equal(connect_until(BEHIND, -ENETUNREACH), -ENETUNREACH);
	run("ip link del d0");
	assert_int_equal(connect_until(BEHIND, 0), 0);
}

static void address_changes_are_followed(void **state)
{
	struct sockaddr_in a;
	engine_sock s;

	(void)state;
	run("ip addr add 10.99.0.3/24 dev v0 && ip addr del 10.99.0.1/24 dev v0 && "
	    "ip addr replace 10.99.0.3/24 dev v0");
	/* Deleting the first address of a subnet takes the others with it, and the routes. */
	run("ip addr replace 10.99.0.3/24 dev v0; ip route replace default via 10.99.0.2");
	assert_int_equal(connect_until(BEHIND, 0), 0);
	assert_int_equal(connect_to(PEER, ECHO_PORT, &s), 0);
	engine_sockname(e, s, &a);
	assert_int_equal(ntohl(a.sin_addr.s_addr), 0x0a630003);
	ping(s, 1);
	engine_release(e, s);
	run("ip addr flush dev v0 && ip addr add 10.99.0.1/24 dev v0 && "
	    "ip route add default via 10.99.0.2");
	assert_int_equal(connect_until(BEHIND, 0), 0);
}

static void link_down_and_up_is_followed(void **state)
{
	engine_sock s;

	(void)state;
	assert_int_equal(connect_to(PEER, ECHO_PORT, &s), 0);
	run("ip link set v0 down");
	assert_int_equal(connect_until(BEHIND, -ENETUNREACH), -ENETUNREACH);
	run("ip link set v0 up && ip route add default via 10.99.0.2");
	assert_int_equal(connect_until(BEHIND, 0), 0);
	ping(s, 7);             /* a connection outlives it, as it does in the kernel */
	engine_release(e, s);
}

static void mtu_change_is_followed(void **state)
{
	xtime end = engine_now() + SOON;
	char text[200];

	(void)state;
	run("ip link set v0 mtu 1400");
	do
		engine_describe(e, text, sizeof(text));
	while (!strstr(text, "mtu 1400") && engine_now() < end);
	assert_non_null(strstr(text, "mtu 1400"));
	talk_to(PEER);
	run("ip link set v0 mtu 1500");
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void hosts_port_settings_are_taken(void **state)
{
	struct sockaddr_in a;
	engine_sock s[3];
	int i;

	write_file("/proc/sys/net/ipv4/ip_local_port_range", "40000 40005");
	write_file("/proc/sys/net/ipv4/ip_local_reserved_ports", "40000-40001,40003");
	setup(state);
	write_file("/proc/sys/net/ipv4/ip_local_port_range", "32768 60999");
	write_file("/proc/sys/net/ipv4/ip_local_reserved_ports", "");
	for (i = 0; i < 3; i++) {
		assert_int_equal(connect_to(PEER, ECHO_PORT, &s[i]), 0);
		engine_sockname(e, s[i], &a);
		assert_in_range(ntohs(a.sin_port), 40002, 40005);
		assert_int_not_equal(ntohs(a.sin_port), 40003);
	}
	assert_int_equal(connect_to(PEER, ECHO_PORT, &s[0]), -EADDRNOTAVAIL);
	teardown(state);
}

static xtime cpu_time(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec * XTIME_SEC + ts.tv_nsec;
}

/* The last test: there is no interface afterwards. */
static void interface_gone_engine_idles(void **state)
{
	struct engine_watch w = { .events = POLLIN };
	engine_sock s;
	xtime cpu;

	(void)state;
	assert_int_equal(connect_to(PEER, ECHO_PORT, &s), 0);
	run("ip link del v0");
	assert_int_equal(connect_until(PEER, -ENETUNREACH), -ENETUNREACH);
	cpu = cpu_time();
	w.s = s;
	assert_int_equal(engine_wait(e, &w, 1, NULL, 0, engine_now() + 300 * XTIME_MSEC, NULL), 0);
	usleep(100000);
	assert_in_range(cpu_time() - cpu, 0, 50 * XTIME_MSEC);
	engine_release(e, s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define TEST_OWN(f) cmocka_unit_test_setup_teardown(f, setup_own, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(default_route_tells_interface_and_address),
		cmocka_unit_test(open_with_wrong_interface_says_which_there_are),
		cmocka_unit_test(open_without_address_or_link_says_so),
		cmocka_unit_test(open_with_hosts_address_as_own_is_refused),
		cmocka_unit_test(open_with_bad_setting_names_it),
		TEST(shared_address_talks_kernel_stays_out),
		TEST(closed_port_is_refused),
		TEST_OWN(own_address_talks_also_through_gateway),
		TEST_OWN(own_address_reaches_itself),
		TEST(port_that_the_kernel_has_is_in_use),
		TEST(many_connections_ports_are_claimed_ahead),
		TEST(local_addresses_are_followed),
		TEST(route_changes_are_followed),
		TEST(route_by_other_interface_is_unreachable),
		TEST(address_changes_are_followed),
		TEST(link_down_and_up_is_followed),
		TEST(mtu_change_is_followed),
		cmocka_unit_test(hosts_port_settings_are_taken),
		TEST(interface_gone_engine_idles),
	};

	build_network();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
