/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netns_ports.c - conntab against the running kernel: random bind(), listen(), connect(),
 * close() and TIME-WAIT on a few sockets that share two ports, in a network namespace of
 * its own; each result must be the kernel's.  XTCP_SEED picks another run.
 *
 * What is not compared: ports that are chosen (both are random), and two connections
 * that differ in their device alone, which Linux allows and a table of tuples can't.
 */
#define _GNU_SOURCE 1
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "stack/conntab.h"

#define SOCKS 6
#define STEPS 80
#define TRIALS 1500
#define FIRST_PORT 2000
#define SERVER_ADDR 0x7f000009
#define SERVER_PORT 1999
#define LOG_LINES 128

/* A socket of the kernel, and what the table holds for it. */
struct sock {
	struct ent e;
	struct bind_owner o;
	int fd, peer_fd;
	bool is_bound, is_connected;
};

static const ip4 addrs[] = { 0, 0x7f000001, 0x7f000002 };

static struct conntab ct;
static struct sock socks[SOCKS];
static struct sock timewaits[STEPS];
static int ntimewait;
static int server;
static char log_lines[LOG_LINES][120];
static int nlog;

static const char *name_of(int err)
{
	return err ? strerrorname_np(-err) : "0";
}

__attribute__((format(printf, 1, 2))) static void record(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(log_lines[nlog++ % LOG_LINES], sizeof(log_lines[0]), fmt, ap);
	va_end(ap);
}

static void compare(const char *what, int i, int kernel, int table)
{
	record("%d %s: kernel %s, table %s", i, what, name_of(kernel), name_of(table));
	if (kernel == table)
		return;
	for (int k = nlog > LOG_LINES ? nlog - LOG_LINES : 0; k < nlog; k++)
		print_message("  %s\n", log_lines[k % LOG_LINES]);
	assert_int_equal(table, kernel);
}

static struct sockaddr_in sockaddr(ip4 addr, uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };

	a.sin_addr.s_addr = htonl(addr);
	return a;
}

static void set_flag(int fd, int name, int val)
{
	assert_int_equal(setsockopt(fd, SOL_SOCKET, name, &val, sizeof(val)), 0);
}

static void fresh(struct sock *s)
{
	uint32_t uid = rand() % 4 ? 0 : 1000;

	memset(s, 0, sizeof(*s));
	setfsuid(uid);
	s->fd = socket(AF_INET, SOCK_STREAM, 0);
	setfsuid(0);
	assert_true(s->fd >= 0);
	s->peer_fd = -1;
	s->o.uid = uid;
}

/* With a reset, so that no TIME-WAIT stays. */
static void drop(struct sock *s)
{
	struct linger l = { 1, 0 };

	setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(s->fd);
	if (s->peer_fd >= 0)
		close(s->peer_fd);
	conntab_remove(&ct, &s->e);
	conntab_unbind(&ct, &s->o);
}

static void step_flag(int i, struct sock *s)
{
	int val = rand() % 4 != 0;

	if (rand() % 2) {
		set_flag(s->fd, SO_REUSEPORT, val);
		s->o.reuseport = val;
		record("%d SO_REUSEPORT %d", i, val);
	} else {
		set_flag(s->fd, SO_REUSEADDR, val);
		s->o.reuse = val;
		record("%d SO_REUSEADDR %d", i, val);
	}
}

static void step_device(int i, struct sock *s)
{
	if (s->is_bound)
		return;
	s->o.oif = rand() % 2;
	assert_int_equal(setsockopt(s->fd, SOL_SOCKET, SO_BINDTODEVICE, s->o.oif ? "lo" : "",
	                            s->o.oif ? 3 : 0), 0);
	record("%d device %d", i, s->o.oif);
}

static void step_bind(int i, struct sock *s, uint16_t port)
{
	struct port_range range = { 32768, 60999, false };
	ip4 addr = addrs[rand() % 3];
	struct sockaddr_in a = sockaddr(addr, port);
	uint16_t want;
	int kernel, table;

	if (s->is_bound)
		return;
	kernel = bind(s->fd, (struct sockaddr *)&a, sizeof(a)) ? -errno : 0;
	s->o.addr = addr;
	table = conntab_bind(&ct, &s->o, port, &range, 0, &want);
	record("%d uid %u reuse %d reuseport %d device %d %x:%u", i, s->o.uid, s->o.reuse,
	       s->o.reuseport, s->o.oif, addr, port);
	compare("bind", i, kernel, table);
	s->is_bound = !kernel;
}

static void step_listen(int i, struct sock *s)
{
	int kernel;

	if (!s->is_bound || s->is_connected || s->o.is_listening)
		return;
	kernel = listen(s->fd, 5) ? -errno : 0;
	compare("listen", i, kernel, conntab_may_listen(&ct, &s->o));
	s->o.is_listening = !kernel;
}

static bool always(const struct ent *tw, void *arg)
{
	(void)tw;
	(void)arg;
	return true;
}

static void step_connect(int i, struct sock *s)
{
	struct sockaddr_in a = sockaddr(SERVER_ADDR, SERVER_PORT);
	struct port_choice c = { .range = { 32768, 60999, false }, .may_reuse = always };
	int kernel, table;

	if (!s->is_bound || s->is_connected || s->o.is_listening || s->o.oif)
		return;
	kernel = connect(s->fd, (struct sockaddr *)&a, sizeof(a)) ? -errno : 0;
	s->e.t = (struct tuple){ .laddr = s->o.addr ? s->o.addr : addrs[1], .raddr = SERVER_ADDR,
	                         .rport = SERVER_PORT };
	table = conntab_connect(&ct, &s->e, &s->o, &c);
	if (c.replaced)
		conntab_unbind(&ct, &container_of(c.replaced, struct sock, e)->o);
	compare(c.replaced ? "connect over TIME-WAIT" : "connect", i, kernel, table);
	if (kernel)
		return;
	s->is_connected = true;
	s->peer_fd = accept(server, NULL, NULL);
	assert_true(s->peer_fd >= 0);
}

static void step_timewait(int i, struct sock *s)
{
	struct sock *tw = &timewaits[ntimewait];

	if (!s->is_connected)
		return;
	ntimewait++;
	close(s->fd);
	close(s->peer_fd);
	memset(tw, 0, sizeof(*tw));
	tw->e.t = s->e.t;
	tw->e.kind = ENT_TIMEWAIT;
	tw->o.is_timewait = true;
	conntab_bind_move(&s->o, &tw->o);
	conntab_replace(&ct, &s->e, &tw->e);
	record("%d TIME-WAIT", i);
	fresh(s);
}

static void step(uint16_t base)
{
	int i = rand() % SOCKS, what = rand() % 36;
	struct sock *s = &socks[i];

	if (what < 9) {
		step_flag(i, s);
	} else if (what < 12) {
		step_device(i, s);
	} else if (what < 24) {
		step_bind(i, s, (uint16_t)(base + rand() % 2));
	} else if (what < 28) {
		step_listen(i, s);
	} else if (what < 32) {
		step_connect(i, s);
	} else if (what < 35) {
		step_timewait(i, s);
	} else {
		drop(s);
		fresh(s);
		record("%d close", i);
	}
}

/* Each trial has ports of its own: TIME-WAIT outlasts it in the kernel. */
static void trial(int n)
{
	nlog = ntimewait = 0;
	for (int i = 0; i < SOCKS; i++)
		fresh(&socks[i]);
	for (int k = 0; k < STEPS; k++)
		step((uint16_t)(FIRST_PORT + 2 * n));
	for (int i = 0; i < SOCKS; i++)
		drop(&socks[i]);
	for (int i = 0; i < ntimewait; i++) {
		conntab_remove(&ct, &timewaits[i].e);
		conntab_unbind(&ct, &timewaits[i].o);
	}
}

static void ports_are_shared_as_the_kernel_shares_them(void **state)
{
	const struct siphash_key key = { { 1, 2 } };
	const char *given = getenv("XTCP_SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : 1;

	(void)state;
	print_message("seed %u\n", seed);
	srand(seed);
	conntab_init(&ct, &key);
	for (int n = 0; n < TRIALS; n++)
		trial(n);
	assert_int_equal(ct.ents.n, 0);
	conntab_fini(&ct);
}

/* A namespace with nothing but its loopback interface, which is up. */
static bool enter_namespace(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	struct sockaddr_in a = sockaddr(SERVER_ADDR, SERVER_PORT);

	if (unshare(CLONE_NEWNET))
		return false;
	server = socket(AF_INET, SOCK_STREAM, 0);
	return server >= 0 && !ioctl(server, SIOCSIFFLAGS, &ifr) &&
	       !bind(server, (struct sockaddr *)&a, sizeof(a)) && !listen(server, 128);
}

/* Linux 6.18 gives ports back to connect() earlier, and 6.9 has changed fastreuse. */
static bool kernel_is_new_enough(void)
{
	struct utsname u;
	unsigned major = 0, minor = 0;

	return !uname(&u) && sscanf(u.release, "%u.%u", &major, &minor) == 2 &&
	       major * 1000 + minor >= 6018;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports_are_shared_as_the_kernel_shares_them),
	};

	if (!kernel_is_new_enough()) {
		puts("skip: this kernel is older than the Linux 6.18 that is reproduced");
		return 77;
	}
	if (!enter_namespace()) {
		puts("skip: needs root, for a network namespace");
		return 77;
	}
	return cmocka_run_group_tests_name("netns_ports", tests, NULL, NULL);
}
