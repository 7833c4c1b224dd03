/* SPDX-License-Identifier: BSD-2-Clause */
/* net_fixture.c - see net_fixture.h. */
#include "net_fixture.h"

const uint8_t mac_us[MAC_LEN] = { 2, 0, 0, 0, 0, 1 };
const uint8_t mac_peer[MAC_LEN] = { 2, 0, 0, 0, 0, 2 };
const uint8_t mac_all[MAC_LEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

static int setup(void **state, bool is_own)
{
	struct stack_iface i = { .has_link = true, .has_arp = true, .is_up = true, .mtu = 1500 };
	struct route def = { .gateway = GATEWAY };
	struct stack_config cfg = { .secret = { 1, 2, 3 } };
	struct net *n = calloc(1, sizeof(*n));

	memset(&fake, 0, sizeof(fake));
	memcpy(i.mac, mac_us, MAC_LEN);
	n->now = XTIME_SEC;
	settings_default(&cfg.settings);
	n->s = stack_new(&cfg, n->now);
	assert_non_null(n->s);
	n->iface = stack_add_iface(n->s, &i);
	assert_int_equal(n->iface, 0);
	assert_int_equal(stack_add_addr(n->s, 0, US, 24, is_own, n->now), 0);
	assert_int_equal(stack_add_route(n->s, &def), 0);
	*state = n;
	return 0;
}

int net_setup_own(void **state)
{
	return setup(state, true);
}

int net_setup_shared(void **state)
{
	return setup(state, false);
}

int net_teardown(void **state)
{
	struct net *n = *state;

	stack_free(n->s);
	free(n);
	return 0;
}

void net_know(struct net *n, ip4 ip, const uint8_t *mac)
{
	assert_int_equal(stack_seed_neigh(n->s, n->iface, ip, mac, true, n->now), 0);
}

void net_input(struct net *n, const uint8_t *dst, uint16_t type, const uint8_t *p, size_t len)
{
	/* On the heap and of the exact size, so that reading beyond it is found. */
	uint8_t *bytes = malloc(ETH_LEN + len);
	struct frame_in f = { .data = bytes, .len = ETH_LEN + len };
	struct eth_hdr eth = { .type = type };

	memcpy(eth.dst, dst, MAC_LEN);
	memcpy(eth.src, mac_peer, MAC_LEN);
	eth_emit(bytes, &eth);
	memcpy(bytes + ETH_LEN, p, len);
	stack_input(n->s, n->iface, &f, n->now);
	free(bytes);
}

struct ip_hdr net_hdr(uint8_t proto)
{
	struct ip_hdr h = { .src = PEER, .dst = US, .ttl = 64, .proto = proto, .id = 77 };

	return h;
}

void net_input_ip(struct net *n, struct ip_hdr h, const uint8_t *l4, size_t len)
{
	uint8_t *p = malloc(IP_LEN_MAX + len);
	size_t hdr_len = IP_LEN_MIN + ((h.opt_len + 3u) & ~3u);

	h.total_len = (uint16_t)(hdr_len + len);
	ip_emit(p, &h);
	memcpy(p + hdr_len, l4, len);
	net_input(n, mac_us, ETHTYPE_IPV4, p, hdr_len + len);
	free(p);
}

void net_input_arp(struct net *n, const uint8_t *dst, const struct arp_pkt *a)
{
	uint8_t p[ARP_LEN];

	arp_emit(p, a);
	net_input(n, dst, ETHTYPE_ARPV4, p, sizeof(p));
}

bool net_output(struct net *n)
{
	if (!stack_output(n->s, &n->f, n->now))
		return false;
	memcpy(n->bytes, n->f.hdr, n->f.hdr_len);
	n->len = n->f.hdr_len;
	for (int i = 0; i < n->f.payload_cnt; i++) {
		memcpy(n->bytes + n->len, n->f.payload[i].iov_base, n->f.payload[i].iov_len);
		n->len += n->f.payload[i].iov_len;
	}
	assert_int_equal(n->len, n->f.hdr_len + n->f.payload_len);
	assert_int_equal(eth_parse(n->bytes, n->len, &n->eth), CTR_NONE);
	return true;
}

struct ip_hdr net_expect_ip(struct net *n, const uint8_t **l4, size_t *len)
{
	struct ip_hdr h;

	assert_true(net_output(n));
	assert_int_equal(n->eth.type, ETHTYPE_IPV4);
	assert_int_equal(ip_parse(n->bytes + ETH_LEN, n->len - ETH_LEN, &h), CTR_NONE);
	*l4 = n->bytes + ETH_LEN + h.hdr_len;
	*len = (size_t)h.total_len - h.hdr_len;
	return h;
}

struct arp_pkt net_expect_arp(struct net *n)
{
	struct arp_pkt a;

	assert_true(net_output(n));
	assert_int_equal(n->eth.type, ETHTYPE_ARPV4);
	assert_int_equal(arp_parse(n->bytes + ETH_LEN, n->len - ETH_LEN, &a), CTR_NONE);
	return a;
}

void net_expect_silence(struct net *n)
{
	assert_false(stack_has_output(n->s));
	assert_false(stack_output(n->s, &n->f, n->now));
}

void net_pass(struct net *n, xtime span)
{
	xtime end = n->now + span;

	while (stack_deadline(n->s) <= end) {
		n->now = MAX(n->now, stack_deadline(n->s));
		stack_expire(n->s, n->now);
	}
	n->now = end;
}

uint64_t net_count(const struct net *n, enum counter c)
{
	return stack_counters(n->s)[c];
}
