/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netns_host.c - what rtnetlink tells, against a kernel that `ip` configures.
 */
#define _GNU_SOURCE 1
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host.h"
#include "netns_net.h"

#define MAX 64

/* What was told, in order. */
struct log {
	struct host_link link[MAX];
	struct host_addr addr[MAX];
	struct host_route route[MAX];
	struct host_neigh neigh[MAX];
	bool link_del[MAX], addr_del[MAX], route_del[MAX], neigh_del[MAX];
	unsigned nlink, naddr, nroute, nneigh, noverrun;
};

static struct log seen;

static void on_link(void *ctx, const struct host_link *l, bool is_del)
{
	struct log *g = ctx;

	assert_in_range(g->nlink, 0, MAX - 1);
	g->link_del[g->nlink] = is_del;
	g->link[g->nlink++] = *l;
}

static void on_addr(void *ctx, const struct host_addr *a, bool is_del)
{
	struct log *g = ctx;

	assert_in_range(g->naddr, 0, MAX - 1);
	g->addr_del[g->naddr] = is_del;
	g->addr[g->naddr++] = *a;
}

static void on_route(void *ctx, const struct host_route *r, bool is_del)
{
	struct log *g = ctx;

	assert_in_range(g->nroute, 0, MAX - 1);
	g->route_del[g->nroute] = is_del;
	g->route[g->nroute++] = *r;
}

static void on_neigh(void *ctx, const struct host_neigh *n, bool is_del)
{
	struct log *g = ctx;

	assert_in_range(g->nneigh, 0, MAX - 1);
	g->neigh_del[g->nneigh] = is_del;
	g->neigh[g->nneigh++] = *n;
}

static void on_overrun(void *ctx)
{
	((struct log *)ctx)->noverrun++;
}

static const struct host_ops ops = { on_link, on_addr, on_route, on_neigh, on_overrun };

static struct host *open_host(void)
{
	struct host *h = NULL;

	memset(&seen, 0, sizeof(seen));
	assert_int_equal(host_open(&h, &ops, &seen), 0);
	return h;
}

static void read_changes(struct host *h)
{
	memset(&seen, 0, sizeof(seen));
	assert_int_equal(host_read(h), 0);
}

static const struct host_route *route_to(uint32_t dst, uint8_t plen, uint8_t table)
{
	unsigned i;

	for (i = 0; i < seen.nroute; i++) {
		const struct host_route *r = &seen.route[i];

		if (r->dst == dst && r->plen == plen && r->table == table)
			return r;
	}
	return NULL;
}

static int v0(void)
{
	return (int)if_nametoindex("v0");
}

/* ---- dumps ---- */

static void dump_reports_links_and_addresses(void **state)
{
	struct host *h = open_host();
	unsigned i, found = 0;

	(void)state;
	net_run("ip addr add 10.99.0.77/24 dev v0");
	assert_int_equal(host_dump(h), 0);
	for (i = 0; i < seen.nlink; i++) {
		if (strcmp(seen.link[i].name, "v0"))
			continue;
		assert_int_equal(seen.link[i].ifindex, v0());
		assert_int_equal(seen.link[i].type, ARPHRD_ETHER);
		assert_int_equal(seen.link[i].mtu, 1500);
		assert_int_equal(seen.link[i].gso_max, 65536);
		assert_memory_equal(seen.link[i].mac, "\2\0\0\0\0\1", 6);
		assert_true(seen.link[i].flags & IFF_UP);
		found++;
	}
	assert_int_equal(found, 1);
	for (i = 0; i < seen.naddr; i++) {
		if (seen.addr[i].ifindex != v0())
			continue;
		assert_int_equal(seen.addr[i].plen, 24);
		assert_int_equal(seen.addr[i].scope, RT_SCOPE_UNIVERSE);
		assert_int_equal(seen.addr[i].is_secondary, seen.addr[i].addr != NET_US);
		found++;
	}
	assert_int_equal(found, 3);
	net_run("ip addr del 10.99.0.77/24 dev v0");
	host_close(h);
}

static void dump_reports_routes_of_main_and_local_with_their_metrics(void **state)
{
	struct host *h = open_host();
	const struct host_route *r;

	(void)state;
	net_run("ip route add 10.1.0.0/16 via 10.99.0.2 src 10.99.0.1 metric 50 mtu lock 1300 advmss 1000 "
	        "initcwnd 20 initrwnd 30 rto_min 400ms window 9000 quickack 1");
	net_run("ip route add unreachable 10.2.0.0/16");
	net_run("ip route add 10.3.0.0/16 via 10.99.0.2 table 77");
	assert_int_equal(host_dump(h), 0);
	r = route_to(0, 0, RT_TABLE_MAIN);
	assert_true(r && r->gateway == NET_PEER && r->ifindex == v0() && r->type == RTN_UNICAST);
	r = route_to(0x0a010000, 16, RT_TABLE_MAIN);
	assert_true(r && r->prefsrc == NET_US && r->metric == 50);
	assert_true(r->mtu == 1300 && r->mtu_locked && r->advmss == 1000 && r->quickack);
	assert_true(r->initcwnd == 20 && r->initrwnd == 30 && r->window == 9000);
	assert_int_equal(r->rto_min_ms, 400);
	r = route_to(0x0a020000, 16, RT_TABLE_MAIN);
	assert_true(r && r->type == RTN_UNREACHABLE);
	assert_null(route_to(0x0a030000, 16, RT_TABLE_MAIN));
	r = route_to(NET_US, 32, RT_TABLE_LOCAL);
	assert_true(r && r->type == RTN_LOCAL);
	r = route_to(0x0a6300ff, 32, RT_TABLE_LOCAL);
	assert_true(r && r->type == RTN_BROADCAST);
	net_run("ip route del 10.1.0.0/16 && ip route del 10.2.0.0/16");
	host_close(h);
}

static void every_hop_of_a_multipath_route_is_reported(void **state)
{
	struct host *h = open_host();
	unsigned i, hops = 0;

	(void)state;
	net_run("ip route add 10.4.0.0/16 nexthop via 10.99.0.2 dev v0 nexthop via 10.99.0.3 dev v0");
	assert_int_equal(host_dump(h), 0);
	for (i = 0; i < seen.nroute; i++) {
		if (seen.route[i].dst != 0x0a040000)
			continue;
		assert_int_equal(seen.route[i].gateway, NET_PEER + hops++);
		assert_int_equal(seen.route[i].ifindex, v0());
	}
	assert_int_equal(hops, 2);
	net_run("ip route del 10.4.0.0/16");
	host_close(h);
}

static void dump_reports_neighbours(void **state)
{
	struct host *h = open_host();
	unsigned i, found = 0;

	(void)state;
	assert_int_equal(host_dump(h), 0);
	for (i = 0; i < seen.nneigh; i++) {
		if (seen.neigh[i].addr != NET_PEER)
			continue;
		assert_true(seen.neigh[i].has_mac && seen.neigh[i].state == NUD_PERMANENT);
		assert_memory_equal(seen.neigh[i].mac, "\2\0\0\0\0\2", 6);
		found++;
	}
	assert_int_equal(found, 1);
	host_close(h);
}

/* ---- changes ---- */

static void changes_are_told_one_by_one(void **state)
{
	struct host *h = open_host();

	(void)state;
	read_changes(h);
	assert_int_equal(seen.nlink + seen.naddr + seen.nroute + seen.nneigh + seen.noverrun, 0);
	net_run("ip neigh add 10.99.0.7 lladdr 02:00:00:00:00:07 dev v0");
	net_run("ip route add 10.5.0.0/16 via 10.99.0.2");
	net_run("ip route del 10.5.0.0/16");
	net_run("ip link set v0 mtu 1280");
	read_changes(h);
	assert_int_equal(seen.nneigh, 1);
	assert_int_equal(seen.neigh[0].addr, 0x0a630007);
	assert_int_equal(seen.nroute, 2);
	assert_true(!seen.route_del[0] && seen.route_del[1]);
	assert_int_equal(seen.route[1].dst, 0x0a050000);
	assert_int_equal(seen.link[seen.nlink - 1].mtu, 1280);
	assert_int_equal(seen.noverrun, 0);
	net_run("ip neigh del 10.99.0.7 dev v0");
	net_run("ip link set v0 mtu 1500");
	read_changes(h);
	assert_true(seen.neigh_del[seen.nneigh - 1]);
	host_close(h);
}

static void silent_removals_ask_for_a_dump(void **state)
{
	struct host *h = open_host();

	(void)state;
	net_run("ip route add 10.5.0.0/16 via 10.99.0.2");
	read_changes(h);
	assert_int_equal(seen.noverrun, 0);
	net_run("ip route replace 10.5.0.0/16 via 10.99.0.3");
	read_changes(h);
	assert_int_equal(seen.noverrun, 1);
	net_run("ip addr add 10.98.0.1/24 dev v0");
	read_changes(h);
	assert_int_equal(seen.noverrun, 0);
	net_run("ip addr del 10.98.0.1/24 dev v0");
	read_changes(h);
	assert_true(seen.addr_del[0]);
	assert_int_equal(seen.noverrun, 1);
	net_run("ip link set v0 down");
	read_changes(h);
	assert_int_equal(seen.noverrun, 1);
	assert_int_equal(host_dump(h), 0);
	assert_null(route_to(0x0a050000, 16, RT_TABLE_MAIN));
	net_run("ip link set v0 up");
	net_run("ip neigh replace 10.99.0.2 lladdr 02:00:00:00:00:02 dev v0 nud permanent");
	net_run("ip route add default via 10.99.0.2");
	host_close(h);
}

static void lost_messages_ask_for_a_dump(void **state)
{
	struct host *h = open_host();
	int small = 2048, i;
	FILE *batch;

	(void)state;
	assert_int_equal(setsockopt(host_fd(h), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	batch = popen("ip -batch -", "w");
	for (i = 0; i < 30; i++)
		fprintf(batch, "route add 10.6.%d.0/24 via 10.99.0.2\n", i);
	assert_int_equal(pclose(batch), 0);
	read_changes(h);
	assert_int_equal(seen.noverrun, 1);
	assert_true(seen.nroute < 30);
	for (i = 0; i < 30; i++)
		net_run("ip route del 10.6.%d.0/24", i);
	host_close(h);
}

static void fd_is_high_and_ends_at_exec(void **state)
{
	struct host *h = open_host();

	(void)state;
	assert_true(host_fd(h) >= 512);
	assert_int_equal(fcntl(host_fd(h), F_GETFD), FD_CLOEXEC);
	host_close(h);
}

/* ---- which interface ---- */

static void links_are_found_by_name_and_number(void **state)
{
	struct host_link l;
	char names[64], few[6];

	(void)state;
	assert_int_equal(host_find_link("p0", &l), 0);
	assert_string_equal(l.name, "p0");
	assert_int_equal(host_get_link(v0(), &l), 0);
	assert_string_equal(l.name, "v0");
	assert_int_equal(host_find_link("x0", &l), -ENODEV);
	assert_int_equal(host_find_link("", &l), -ENODEV);
	assert_int_equal(host_find_link("much-too-long-a-name", &l), -ENODEV);
	assert_int_equal(host_get_link(12345, &l), -ENODEV);
	assert_int_equal(host_get_link(0, &l), -ENODEV);
	host_link_names(names, sizeof(names));
	assert_string_equal(names, "lo, p0, v0");
	host_link_names(few, sizeof(few));
	assert_string_equal(few, "lo, p");
}

static void default_link_is_that_of_the_best_default_route(void **state)
{
	struct host_link l;

	(void)state;
	assert_int_equal(host_default_link(&l), 0);
	assert_string_equal(l.name, "v0");
	net_run("ip addr add 10.97.0.1/24 dev p0");
	net_run("ip route change default via 10.99.0.2 metric 0");
	net_run("ip route add default via 10.97.0.2 metric 10");
	assert_int_equal(host_default_link(&l), 0);
	assert_string_equal(l.name, "v0");
	net_run("ip route add default via 10.99.0.2 metric 20 && ip route del default metric 0");
	assert_int_equal(host_default_link(&l), 0);
	assert_string_equal(l.name, "p0");
	net_run("ip route del default metric 10 && ip route del default metric 20");
	assert_int_equal(host_default_link(&l), -ENOTUNIQ);
	net_run("ip link set p0 down");
	assert_int_equal(host_default_link(&l), 0);
	assert_string_equal(l.name, "v0");
	net_run("ip link set v0 down");
	assert_int_equal(host_default_link(&l), -ENODEV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dump_reports_links_and_addresses),
		cmocka_unit_test(dump_reports_routes_of_main_and_local_with_their_metrics),
		cmocka_unit_test(every_hop_of_a_multipath_route_is_reported),
		cmocka_unit_test(dump_reports_neighbours),
		cmocka_unit_test(changes_are_told_one_by_one),
		cmocka_unit_test(silent_removals_ask_for_a_dump),
		cmocka_unit_test(lost_messages_ask_for_a_dump),
		cmocka_unit_test(fd_is_high_and_ends_at_exec),
		cmocka_unit_test(links_are_found_by_name_and_number),
		cmocka_unit_test(default_link_is_that_of_the_best_default_route),
	};

	net_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
