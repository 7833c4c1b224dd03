/* SPDX-License-Identifier: BSD-2-Clause */
/* test_ip.c - routes and their errnos, path MTU, headers out, checks in, offloads. */
#include "stack/ip.h"

#include <errno.h>

#include "net_fixture.h"

/* ---- ip_route() ---- */

static void route_on_link_has_the_destination_as_next_hop(void **state)
{
	struct net *n = *state;
	struct ip_route rt;

	assert_int_equal(ip_route(n->s, PEER, 0, -1, 0, &rt), 0);
	assert_int_equal(rt.next_hop, PEER);
	assert_int_equal(rt.src, US);
	assert_int_equal(rt.type, ROUTE_UNICAST);
	assert_int_equal(rt.mtu, 1500);
	assert_int_equal(rt.gen, n->s->routes.gen);
}

static void route_far_goes_by_the_gateway(void **state)
{
	struct net *n = *state;
	struct ip_route rt;

	assert_int_equal(ip_route(n->s, FAR, US, 0, 0, &rt), 0);
	assert_int_equal(rt.next_hop, GATEWAY);
	assert_int_equal(rt.src, US);
}

static void route_attributes_come_along(void **state)
{
	struct net *n = *state;
	struct route r = { .dst = FAR, .plen = 32, .gateway = PEER, .mtu = 1400, .mtu_locked = true,
	                   .advmss = 1000, .initcwnd = 4, .initrwnd = 5, .rto_min_ms = 6,
	                   .window = 7, .quickack = true };
	struct ip_route rt;

	assert_int_equal(stack_add_route(n->s, &r), 0);
	assert_int_equal(ip_route(n->s, FAR, 0, -1, 0, &rt), 0);
	assert_int_equal(rt.mtu, 1400);
	assert_true(rt.mtu_locked && rt.quickack);
	assert_int_equal(rt.advmss, 1000);
	assert_int_equal(rt.initcwnd + rt.initrwnd + rt.rto_min_ms + rt.window, 22);
	r.mtu = 20;
	assert_int_equal(stack_add_route(n->s, &r), 0);
	assert_int_equal(ip_route(n->s, FAR, 0, -1, 0, &rt), 0);
	assert_int_equal(rt.mtu, 68);
}

static void route_refusing_types_have_their_errno(void **state)
{
	static const struct { uint8_t type; int err; } types[] = {
		{ ROUTE_UNREACHABLE, -EHOSTUNREACH },
		{ ROUTE_PROHIBIT, -EACCES },
		{ ROUTE_BLACKHOLE, -EINVAL },
		{ ROUTE_THROW, -ENETUNREACH },
	};
	struct net *n = *state;
	struct ip_route rt;

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct route r = { .dst = FAR, .plen = 32, .type = types[i].type, .iface = -1 };

		assert_int_equal(stack_add_route(n->s, &r), 0);
		assert_int_equal(ip_route(n->s, FAR, 0, -1, 0, &rt), types[i].err);
	}
}

static void route_none_is_enetunreach(void **state)
{
	struct net *n = *state;
	struct ip_route rt;

	stack_flush_routes(n->s);
	assert_int_equal(ip_route(n->s, FAR, 0, -1, 0, &rt), -ENETUNREACH);
	/* With an interface asked for, the destination is taken to be on link. */
	assert_int_equal(ip_route(n->s, FAR, 0, 0, 0, &rt), 0);
	assert_int_equal(rt.next_hop, FAR);
	assert_int_equal(rt.src, US);
	assert_int_equal(rt.mtu, 1500);
}

static void route_impossible_source_is_einval(void **state)
{
	struct net *n = *state;
	struct ip_route rt;

	assert_int_equal(ip_route(n->s, PEER, IP(224, 0, 0, 1), -1, 0, &rt), -EINVAL);
	assert_int_equal(ip_route(n->s, PEER, IP(255, 255, 255, 255), -1, 0, &rt), -EINVAL);
	assert_int_equal(ip_route(n->s, PEER, IP(10, 0, 0, 77), -1, 0, &rt), -EINVAL);
	/* Before the interface is looked at. */
	assert_int_equal(ip_route(n->s, PEER, IP(10, 0, 0, 77), 5, 0, &rt), -EINVAL);
}

static void route_interface_absent_or_down_has_its_errno(void **state)
{
	struct net *n = *state;
	struct stack_iface down = n->s->ifaces[0];
	struct ip_route rt;

	assert_int_equal(ip_route(n->s, PEER, 0, 1, 0, &rt), -ENODEV);
	down.is_up = false;
	assert_int_equal(stack_set_iface(n->s, 0, &down), 0);
	assert_int_equal(ip_route(n->s, PEER, 0, 0, 0, &rt), -ENETUNREACH);
	assert_int_equal(ip_route(n->s, PEER, 0, -1, 0, &rt), -ENETUNREACH);
}

static void route_of_a_dead_interface_is_passed_over(void **state)
{
	struct net *n = *state;
	struct stack_iface i = { .is_up = true, .mtu = 1300 }, down = n->s->ifaces[0];
	struct route r = { .iface = 1, .metric = 1000 };
	struct ip_route rt;

	assert_int_equal(stack_add_iface(n->s, &i), 1);
	assert_int_equal(stack_add_addr(n->s, 1, IP(10, 9, 0, 1), 32, true, n->now), 0);
	assert_int_equal(stack_add_route(n->s, &r), 0);
	down.is_up = false;
	assert_int_equal(stack_set_iface(n->s, 0, &down), 0);
	assert_int_equal(ip_route(n->s, FAR, 0, -1, 0, &rt), 0);
	assert_int_equal(rt.iface, 1);
	assert_int_equal(rt.src, IP(10, 9, 0, 1));
	assert_int_equal(rt.mtu, 1300);
}

static void route_type_follows_from_the_destination(void **state)
{
	struct net *n = *state;
	struct ip_route rt;

	assert_int_equal(ip_route(n->s, IP(10, 0, 0, 255), 0, -1, 0, &rt), 0);
	assert_int_equal(rt.type, ROUTE_BROADCAST);
	assert_int_equal(ip_route(n->s, IP(255, 255, 255, 255), 0, -1, 0, &rt), 0);
	assert_int_equal(rt.type, ROUTE_BROADCAST);
	assert_int_equal(ip_route(n->s, IP(224, 1, 2, 3), 0, -1, 0, &rt), 0);
	assert_int_equal(rt.type, ROUTE_MULTICAST);
	assert_int_equal(ip_route(n->s, US, 0, -1, 0, &rt), 0);
	assert_int_equal(rt.type, ROUTE_LOCAL);
	assert_int_equal(rt.src, US);
	assert_int_equal(ip_route(n->s, 0, 0, -1, 0, &rt), -EINVAL);
}

static void route_source_is_prefsrc_then_the_next_hops_subnet(void **state)
{
	struct net *n = *state;
	struct route r = { .dst = FAR, .plen = 32, .gateway = PEER, .prefsrc = IP(10, 0, 0, 5) };
	struct ip_route rt;

	assert_int_equal(stack_add_route(n->s, &r), 0);
	assert_int_equal(ip_route(n->s, FAR, 0, -1, 0, &rt), 0);
	assert_int_equal(rt.src, US);   /* 10.0.0.5 isn't ours yet */
	assert_int_equal(stack_add_addr(n->s, 0, IP(172, 16, 0, 1), 16, true, n->now), 0);
	assert_int_equal(stack_add_addr(n->s, 0, IP(10, 0, 0, 5), 24, true, n->now), 0);
	assert_int_equal(ip_route(n->s, FAR, 0, -1, 0, &rt), 0);
	assert_int_equal(rt.src, IP(10, 0, 0, 5));
	assert_int_equal(ip_route(n->s, IP(172, 16, 9, 9), 0, -1, 0, &rt), 0);
	assert_int_equal(rt.src, IP(172, 16, 0, 1));
}

/* ---- path MTU ---- */

static uint32_t mtu_to(struct net *n, ip4 dst)
{
	struct ip_route rt;

	assert_int_equal(ip_route(n->s, dst, 0, -1, 0, &rt), 0);
	return ip_mtu(n->s, &rt, dst, n->now);
}

static void pmtu_learned_counts_for_its_destination_until_it_expires(void **state)
{
	struct net *n = *state;

	ip_set_pmtu(n->s, FAR, 1300, n->now);
	assert_int_equal(mtu_to(n, FAR), 1300);
	assert_int_equal(mtu_to(n, FAR + 1), 1500);
	net_pass(n, 599 * XTIME_SEC);
	assert_int_equal(mtu_to(n, FAR), 1300);
	net_pass(n, XTIME_SEC);
	assert_int_equal(mtu_to(n, FAR), 1500);
}

static void pmtu_never_rises_by_a_message(void **state)
{
	struct net *n = *state;

	ip_set_pmtu(n->s, FAR, 1600, n->now);
	assert_int_equal(mtu_to(n, FAR), 1500);
	ip_set_pmtu(n->s, FAR, 1000, n->now);
	ip_set_pmtu(n->s, FAR, 1200, n->now);
	assert_int_equal(mtu_to(n, FAR), 1000);
}

static void pmtu_below_the_floor_is_the_floor_without_df(void **state)
{
	struct net *n = *state;
	struct ip_route rt;

	assert_int_equal(ip_route(n->s, FAR, 0, -1, 0, &rt), 0);
	ip_set_pmtu(n->s, FAR, 1000, n->now);
	assert_true(ip_may_set_df(n->s, &rt, FAR, n->now));
	ip_set_pmtu(n->s, FAR, 100, n->now);
	assert_int_equal(mtu_to(n, FAR), 552);
	assert_false(ip_may_set_df(n->s, &rt, FAR, n->now));
	assert_true(ip_may_set_df(n->s, &rt, PEER, n->now));
}

static void pmtu_locked_route_is_not_lowered(void **state)
{
	struct net *n = *state;
	struct route r = { .dst = FAR, .plen = 32, .mtu = 1400, .mtu_locked = true };
	struct ip_route rt;

	assert_int_equal(stack_add_route(n->s, &r), 0);
	ip_set_pmtu(n->s, FAR, 1000, n->now);
	assert_int_equal(mtu_to(n, FAR), 1400);
	assert_int_equal(ip_route(n->s, FAR, 0, -1, 0, &rt), 0);
	assert_false(ip_may_set_df(n->s, &rt, FAR, n->now));
}

static void pmtu_many_destinations_are_bounded_and_the_latest_is_there(void **state)
{
	struct net *n = *state;
	unsigned kept = 0;

	for (ip4 i = 0; i < 20000; i++) {
		ip_set_pmtu(n->s, IP(20, 0, 0, 0) + i, 1000, n->now + (xtime)i);
		assert_int_equal(mtu_to(n, IP(20, 0, 0, 0) + i), 1000);
	}
	for (ip4 i = 0; i < 20000; i++)
		kept += mtu_to(n, IP(20, 0, 0, 0) + i) == 1000;
	assert_in_range(kept, 1000, 1280);
}

/* ---- headers out ---- */

static void build_unresolved_next_hop_says_where_to_wait(void **state)
{
	struct net *n = *state;
	struct ip_tx tx = { .src = US, .dst = FAR, .proto = PROTO_TCP, .ttl = 64 };
	struct ip_route rt;
	struct neigh *e = NULL;

	assert_int_equal(ip_route(n->s, FAR, 0, -1, 0, &rt), 0);
	assert_int_equal(ip_build(n->s, &n->f, &rt, &tx, 20, &e, n->now), -EAGAIN);
	assert_non_null(e);
	assert_int_equal(e->ip, GATEWAY);
}

static void build_header_is_what_was_asked_for(void **state)
{
	static const uint8_t opts[] = { 7, 7, 4, 0, 0, 0, 0 };
	struct net *n = *state;
	struct ip_tx tx = { .src = US, .dst = FAR, .proto = PROTO_TCP, .ttl = 33, .tos = 8, .id = 99,
	                    .is_df = true, .opt_len = sizeof(opts), .opts = opts };
	struct ip_route rt;
	struct neigh *e;
	struct ip_hdr h;
	struct eth_hdr eth;

	net_know(n, GATEWAY, mac_peer);
	assert_int_equal(ip_route(n->s, FAR, 0, -1, 0, &rt), 0);
	assert_int_equal(ip_build(n->s, &n->f, &rt, &tx, 5000, &e, n->now), 14 + 28);
	assert_int_equal(n->f.hdr_len, 14 + 28);
	eth_parse(n->f.hdr, n->f.hdr_len, &eth);
	assert_memory_equal(eth.dst, mac_peer, MAC_LEN);
	assert_memory_equal(eth.src, mac_us, MAC_LEN);
	assert_int_equal(ip_parse(n->f.hdr + 14, 5028, &h), CTR_NONE);
	assert_int_equal(h.total_len, 5028);
	assert_int_equal(h.src, US);
	assert_int_equal(h.dst, FAR);
	assert_int_equal(h.ttl, 33);
	assert_int_equal(h.tos, 8);
	assert_int_equal(h.id, 99);
	assert_true(h.is_df);
	assert_memory_equal(h.opts, opts, sizeof(opts));
}

static void build_too_long_or_down_is_refused(void **state)
{
	struct net *n = *state;
	struct ip_tx tx = { .src = US, .dst = PEER, .proto = PROTO_TCP };
	struct stack_iface down = n->s->ifaces[0];
	struct ip_route rt;
	struct neigh *e;

	net_know(n, PEER, mac_peer);
	assert_int_equal(ip_route(n->s, PEER, 0, -1, 0, &rt), 0);
	assert_int_equal(ip_build(n->s, &n->f, &rt, &tx, 65515, &e, n->now), 34);
	assert_int_equal(ip_build(n->s, &n->f, &rt, &tx, 65516, &e, n->now), -EMSGSIZE);
	down.is_up = false;
	stack_set_iface(n->s, 0, &down);
	assert_int_equal(ip_build(n->s, &n->f, &rt, &tx, 20, &e, n->now), -ENETDOWN);
}

static void build_broadcast_and_group_need_no_neighbour(void **state)
{
	static const uint8_t group[MAC_LEN] = { 1, 0, 0x5e, 1, 2, 3 };
	struct net *n = *state;
	struct ip_tx tx = { .src = US, .dst = IP(224, 129, 2, 3), .proto = PROTO_UDP };
	struct ip_route rt;
	struct neigh *e;

	assert_int_equal(ip_route(n->s, tx.dst, 0, 0, 0, &rt), 0);
	assert_int_equal(ip_build(n->s, &n->f, &rt, &tx, 8, &e, n->now), 34);
	assert_memory_equal(n->f.hdr, group, MAC_LEN);
	assert_int_equal(ip_route(n->s, IP(10, 0, 0, 255), 0, -1, 0, &rt), 0);
	assert_int_equal(ip_build(n->s, &n->f, &rt, &tx, 8, &e, n->now), 34);
	assert_memory_equal(n->f.hdr, mac_all, MAC_LEN);
	net_expect_silence(n);
}

static void send_beyond_the_mtu_is_fragmented(void **state)
{
	/* record route (not copied), loose source route (copied) */
	static const uint8_t opts[] = { 7, 3, 4, 1, 131, 3, 4, 0 };
	struct net *n = *state;
	struct ip_tx tx = { .src = US, .dst = PEER, .proto = 200, .ttl = 64, .id = 5,
	                    .opt_len = sizeof(opts), .opts = opts };
	static uint8_t payload[4000];
	const uint8_t *l4;
	size_t len, off = 0;

	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 31 >> 3);
	net_know(n, PEER, mac_peer);
	ip_send(n->s, NULL, &tx, payload, sizeof(payload), n->now);
	while (off < sizeof(payload)) {
		struct ip_hdr h = net_expect_ip(n, &l4, &len);

		assert_true(h.total_len <= 1500);
		assert_int_equal(h.frag_off, off);
		assert_int_equal(h.id, 5);
		assert_memory_equal(l4, payload + off, len);
		assert_memory_equal(h.opts + 4, opts + 4, 4);
		assert_int_equal(h.opts[0], off ? 1 : 7);
		off += len;
		assert_int_equal(h.has_more, off < sizeof(payload));
	}
	net_expect_silence(n);
}

static void send_that_cannot_be_is_counted(void **state)
{
	struct net *n = *state;
	struct ip_tx tx = { .src = US, .dst = PEER, .proto = PROTO_TCP, .is_df = true };
	static uint8_t payload[65536];

	ip_send(n->s, NULL, &tx, payload, 1481, n->now);
	assert_int_equal(net_count(n, CTR_ip_too_big), 1);
	tx.is_df = false;
	ip_send(n->s, NULL, &tx, payload, 65516, n->now);
	assert_int_equal(net_count(n, CTR_ip_too_big), 2);
	stack_flush_routes(n->s);
	tx.dst = FAR;
	ip_send(n->s, NULL, &tx, payload, 20, n->now);
	assert_int_equal(net_count(n, CTR_ip_no_route), 1);
	net_expect_silence(n);
}

static void send_by_a_large_mtu_stays_whole(void **state)
{
	struct net *n = *state;
	struct ip_tx tx = { .src = US, .dst = PEER, .proto = 200, .ttl = 64 };
	static uint8_t payload[8000];
	const uint8_t *l4;
	size_t len;

	n->s->ifaces[0].mtu = 9000;
	net_know(n, PEER, mac_peer);
	ip_send(n->s, NULL, &tx, payload, sizeof(payload), n->now);
	net_expect_ip(n, &l4, &len);
	assert_int_equal(len, sizeof(payload));
	net_expect_silence(n);
}

static void ident_differs_from_packet_to_packet(void **state)
{
	struct net *n = *state;
	uint16_t a = ip_ident(n->s, US, PEER, 1), b = ip_ident(n->s, US, PEER, 1);

	assert_int_equal((uint16_t)(a + 1), b);
}

/* ---- offloads ---- */

static void finish(struct net *n, bool can_offload, size_t first, size_t second, uint16_t gso)
{
	static uint8_t data[5000];
	struct tcp_hdr th = { .sport = 1, .dport = 2, .flags = TCPF_ACK, .has_ts = true };
	struct ip_tx tx = { .src = US, .dst = PEER, .proto = PROTO_TCP, .ttl = 1 };
	struct ip_route rt;
	struct neigh *e;
	int off;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + 1);
	n->s->ifaces[0].can_offload = can_offload;
	net_know(n, PEER, mac_peer);
	assert_int_equal(ip_route(n->s, PEER, 0, -1, 0, &rt), 0);
	off = ip_build(n->s, &n->f, &rt, &tx, 32 + first + second, &e, n->now);
	assert_int_equal(off, 34);
	assert_int_equal(tcp_emit(n->f.hdr + off, &th), 32);
	n->f.payload[0] = (struct iovec){ data, first };
	n->f.payload[1] = (struct iovec){ data + first, second };
	n->f.payload_cnt = 2;
	n->f.payload_len = first + second;
	ip_finish_l4(n->s, &n->f, (size_t)off, 32, US, PEER, gso);
	assert_int_equal(n->f.hdr_len, 66);
	memcpy(n->bytes, n->f.hdr + off, 32);
	memcpy(n->bytes + 32, data, first + second);
	n->len = 32 + first + second;
}

static void finish_without_offload_has_the_full_checksum(void **state)
{
	static const struct { size_t a, b; } pieces[] = {
		{ 0, 0 }, { 1, 0 }, { 0, 1 }, { 1, 1 }, { 3, 4 }, { 4, 3 }, { 7, 9 }, { 700, 760 },
		{ 701, 759 },
	};
	struct net *n = *state;

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		finish(n, false, pieces[i].a, pieces[i].b, 1448);
		assert_true(tcp_csum_ok(US, PEER, n->bytes, n->len));
		assert_int_equal(n->f.vnet.flags, 0);
		assert_int_equal(n->f.vnet.gso_type, VIRTIO_NET_HDR_GSO_NONE);
	}
}

static void finish_with_offload_leaves_checksum_and_segments(void **state)
{
	struct net *n = *state;
	uint32_t sum;

	finish(n, true, 2000, 1500, 1448);
	assert_int_equal(n->f.vnet.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	assert_int_equal(n->f.vnet.csum_start, 34);
	assert_int_equal(n->f.vnet.csum_offset, 16);
	assert_int_equal(n->f.vnet.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	assert_int_equal(n->f.vnet.gso_size, 1448);
	assert_int_equal(n->f.vnet.hdr_len, 66);
	/* What the interface does: the sum over the segment with the partial one in its place. */
	sum = csum_add(0, n->bytes, n->len);
	put_be16(n->bytes + 16, 0);
	put_be16(n->bytes + 16, csum_fold(sum));
	assert_true(tcp_csum_ok(US, PEER, n->bytes, n->len));
	finish(n, true, 1000, 448, 1448);
	assert_int_equal(n->f.vnet.gso_type, VIRTIO_NET_HDR_GSO_NONE);
	assert_int_equal(n->f.vnet.gso_size, 0);
}

static void csum_partial_is_trusted_only_where_it_is_tcps(void **state)
{
	struct net *n = *state;
	struct ip_hdr ip = { .src = PEER, .dst = US, .hdr_len = 20 };
	struct virtio_net_hdr v = { 0 };
	uint8_t seg[20] = { 1, 2, 3 };

	assert_false(ip_tcp_csum_ok(n->s, 0, &ip, seg, sizeof(seg), &v));
	v = (struct virtio_net_hdr){ .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 34,
	                             .csum_offset = 16 };
	assert_true(ip_tcp_csum_ok(n->s, 0, &ip, seg, sizeof(seg), &v));
	v.csum_start = 38;
	assert_false(ip_tcp_csum_ok(n->s, 0, &ip, seg, sizeof(seg), &v));
	v.csum_start = 34;
	v.csum_offset = 6;
	assert_false(ip_tcp_csum_ok(n->s, 0, &ip, seg, sizeof(seg), &v));
	v = (struct virtio_net_hdr){ .flags = VIRTIO_NET_HDR_F_DATA_VALID };
	assert_true(ip_tcp_csum_ok(n->s, 0, &ip, seg, sizeof(seg), &v));
}

/* ---- in ---- */

static const uint8_t segment[20] = { 0x04, 0xd2, 0x16, 0x2e };   /* ports 1234 and 5678 */

static void input_tcp_for_own_reaches_tcp_without_padding(void **state)
{
	struct net *n = *state;
	struct ip_hdr h = net_hdr(PROTO_TCP);
	uint8_t p[60] = { 0 };

	h.total_len = 40;
	ip_emit(p, &h);
	memcpy(p + 20, segment, sizeof(segment));
	net_input(n, mac_us, ETHTYPE_IPV4, p, sizeof(p));
	assert_int_equal(fake.inputs, 1);
	assert_int_equal(fake.len, 20);
	assert_memory_equal(fake.seg, segment, 20);
	assert_int_equal(fake.ip.src, PEER);
}

static void input_for_another_address_is_counted(void **state)
{
	struct net *n = *state;
	static const ip4 others[] = { PEER + 1, IP(10, 0, 0, 255), IP(255, 255, 255, 255),
	                              IP(224, 0, 0, 1), IP(127, 0, 0, 1), 0 };

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		struct ip_hdr h = net_hdr(PROTO_TCP);

		h.dst = others[i];
		net_input_ip(n, h, segment, sizeof(segment));
	}
	assert_int_equal(net_count(n, CTR_ip_not_for_us), 2);
	assert_int_equal(net_count(n, CTR_ip_broadcast), 4);
	assert_int_equal(net_count(n, CTR_IpExtInBcastPkts), 3);
	assert_int_equal(net_count(n, CTR_IpInReceives), 6);
	assert_int_equal(fake.inputs, 0);
	net_expect_silence(n);
}

static void input_martian_source_is_counted(void **state)
{
	struct net *n = *state;
	static const ip4 martians[] = { 0, US, IP(127, 0, 0, 1), IP(224, 0, 0, 1), IP(10, 0, 0, 255),
	                                IP(255, 255, 255, 255) };

	for (size_t i = 0; i < ARRAY_LEN(martians); i++) {
		struct ip_hdr h = net_hdr(PROTO_TCP);

		h.src = martians[i];
		net_input_ip(n, h, segment, sizeof(segment));
		assert_int_equal(net_count(n, CTR_ip_src_bad), i + 1);
	}
	assert_int_equal(fake.inputs, 0);
}

/* An address of ours that others have, too, may send; no other martian may. */
static void input_from_own_address_passes_where_it_is_returned(void **state)
{
	struct net *n = *state;
	struct ip_hdr h = net_hdr(PROTO_TCP);

	n->s->ifaces[0].returns_own = true;
	h.src = US;
	net_input_ip(n, h, segment, sizeof(segment));
	assert_int_equal(fake.inputs, 1);
	h.src = IP(127, 0, 0, 1);
	net_input_ip(n, h, segment, sizeof(segment));
	assert_int_equal(fake.inputs, 1);
	assert_int_equal(net_count(n, CTR_ip_src_bad), 1);
}

static void input_tcp_by_link_broadcast_is_dropped(void **state)
{
	struct net *n = *state;
	struct ip_hdr h = net_hdr(PROTO_TCP);
	uint8_t p[60];

	h.total_len = 40;
	ip_emit(p, &h);
	memcpy(p + 20, segment, sizeof(segment));
	net_input(n, mac_all, ETHTYPE_IPV4, p, 40);
	assert_int_equal(net_count(n, CTR_tcp_addr), 1);
	assert_int_equal(fake.inputs, 0);
}

static void input_shared_only_claimed_ports_are_ours(void **state)
{
	struct net *n = *state;
	struct ip_hdr h = net_hdr(PROTO_TCP);

	net_input_ip(n, h, segment, sizeof(segment));
	assert_int_equal(net_count(n, CTR_tcp_foreign), 1);
	stack_claimed(n->s, US, 5678, true);
	net_input_ip(n, h, segment, sizeof(segment));
	assert_int_equal(fake.inputs, 1);
	net_input_ip(n, h, segment, 3);
	assert_int_equal(net_count(n, CTR_tcp_short), 1);
	h.proto = PROTO_UDP;
	net_input_ip(n, h, segment, sizeof(segment));
	h.proto = 99;
	net_input_ip(n, h, segment, sizeof(segment));
	h.has_more = true;
	net_input_ip(n, h, segment, 16);
	assert_int_equal(net_count(n, CTR_ip_proto), 3);
	net_expect_silence(n);
}

static void input_bad_options_are_complained_of_for_own(void **state)
{
	struct net *n = *state;
	struct ip_hdr h = net_hdr(PROTO_TCP);
	const uint8_t *l4;
	size_t len;

	net_know(n, PEER, mac_peer);
	h.opt_len = 4;
	memcpy(h.opts, (const uint8_t[]){ 1, 7, 9, 4 }, 4);
	net_input_ip(n, h, segment, sizeof(segment));
	assert_int_equal(net_count(n, CTR_ip_opts), 1);
	net_expect_ip(n, &l4, &len);
	assert_int_equal(l4[0], 12);          /* parameter problem */
	assert_int_equal(l4[4], 21);          /* the record route's type byte */
	/* A source route is refused without a word, as Linux does by default. */
	memcpy(h.opts, (const uint8_t[]){ 131, 3, 4, 0 }, 4);
	net_input_ip(n, h, segment, sizeof(segment));
	assert_int_equal(net_count(n, CTR_ip_opts), 1);
	assert_int_equal(net_count(n, CTR_ip_source_route), 1);
	net_expect_silence(n);
	memcpy(h.opts, (const uint8_t[]){ 148, 4, 0, 0 }, 4);
	net_input_ip(n, h, segment, sizeof(segment));
	assert_int_equal(fake.inputs, 1);
}

static void input_unknown_protocol_is_unreachable_for_own(void **state)
{
	struct net *n = *state;
	const uint8_t *l4;
	size_t len;

	net_know(n, PEER, mac_peer);
	net_input_ip(n, net_hdr(PROTO_UDP), segment, sizeof(segment));
	net_expect_ip(n, &l4, &len);
	assert_int_equal(l4[0] << 8 | l4[1], 0x0303);
	net_input_ip(n, net_hdr(99), segment, sizeof(segment));
	net_expect_ip(n, &l4, &len);
	assert_int_equal(l4[0] << 8 | l4[1], 0x0302);
	assert_int_equal(len, 8 + 20 + sizeof(segment));
	assert_int_equal(net_count(n, CTR_ip_proto), 1);
	assert_int_equal(net_count(n, CTR_udp_no_port), 1);
}

#define own(test) cmocka_unit_test_setup_teardown(test, net_setup_own, net_teardown)
#define shared(test) cmocka_unit_test_setup_teardown(test, net_setup_shared, net_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		own(route_on_link_has_the_destination_as_next_hop),
		own(route_far_goes_by_the_gateway),
		own(route_attributes_come_along),
		own(route_refusing_types_have_their_errno),
		own(route_none_is_enetunreach),
		own(route_impossible_source_is_einval),
		own(route_interface_absent_or_down_has_its_errno),
		own(route_of_a_dead_interface_is_passed_over),
		own(route_type_follows_from_the_destination),
		own(route_source_is_prefsrc_then_the_next_hops_subnet),
		own(pmtu_learned_counts_for_its_destination_until_it_expires),
		own(pmtu_never_rises_by_a_message),
		own(pmtu_below_the_floor_is_the_floor_without_df),
		own(pmtu_locked_route_is_not_lowered),
		own(pmtu_many_destinations_are_bounded_and_the_latest_is_there),
		own(build_unresolved_next_hop_says_where_to_wait),
		own(build_header_is_what_was_asked_for),
		own(build_too_long_or_down_is_refused),
		own(build_broadcast_and_group_need_no_neighbour),
		own(send_beyond_the_mtu_is_fragmented),
		own(send_that_cannot_be_is_counted),
		own(send_by_a_large_mtu_stays_whole),
		own(ident_differs_from_packet_to_packet),
		own(finish_without_offload_has_the_full_checksum),
		own(finish_with_offload_leaves_checksum_and_segments),
		own(csum_partial_is_trusted_only_where_it_is_tcps),
		own(input_tcp_for_own_reaches_tcp_without_padding),
		own(input_for_another_address_is_counted),
		own(input_martian_source_is_counted),
		own(input_from_own_address_passes_where_it_is_returned),
		own(input_tcp_by_link_broadcast_is_dropped),
		shared(input_shared_only_claimed_ports_are_ours),
		own(input_bad_options_are_complained_of_for_own),
		own(input_unknown_protocol_is_unreachable_for_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
