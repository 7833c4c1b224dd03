/* SPDX-License-Identifier: BSD-2-Clause */
/* harness.c - see harness.h. */
#include "harness.h"

#include <stdio.h>

#include "harness_text.h"
#include "place_input.h"

struct captured {
	struct captured *next;
	xtime at;
	struct virtio_net_hdr vnet;
	size_t len;
	uint8_t bytes[];
};

static const uint8_t mac_us[MAC_LEN] = { 2, 0, 0, 0, 0, 1 };
static const uint8_t mac_peer[MAC_LEN] = { 2, 0, 0, 0, 0, 2 };

/* Byte n of either stream. */
uint8_t pattern(uint32_t n)
{
	return (uint8_t)(n * 31 + (n >> 8) * 7 + 1);
}

/* ---- set-up ---- */

static int setup(void **state, bool is_own, const struct stack_iface *proto)
{
	struct stack_iface i = *proto;
	struct stack_config cfg = { .secret = { 1, 2, 3 } };
	struct rig *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	memcpy(i.mac, mac_us, MAC_LEN);
	i.is_up = true;
	i.mtu = 1500;
	i.oif = 7;
	t->now = 1000 * XTIME_SEC;
	t->peer = PEER;
	t->rport = 80;
	t->irs = PEER_IRS;
	t->last = &t->first;
	t->def = (struct route){ .gateway = GATEWAY };
	settings_default(&cfg.settings);
	t->s = stack_new(&cfg, t->now);
	assert_non_null(t->s);
	t->iface = stack_add_iface(t->s, &i);
	assert_int_equal(stack_add_addr(t->s, 0, US, 24, is_own, t->now), 0);
	assert_int_equal(stack_add_route(t->s, &t->def), 0);
	if (i.has_arp)
		assert_int_equal(stack_seed_neigh(t->s, 0, PEER, mac_peer, true, t->now), 0);
	*state = t;
	return 0;
}

int rig_own(void **state)
{
	return setup(state, true, &(struct stack_iface){ .has_link = true, .has_arp = true });
}

int rig_shared(void **state)
{
	return setup(state, false, &(struct stack_iface){ .has_link = true, .has_arp = true });
}

int rig_offload(void **state)
{
	return setup(state, true, &(struct stack_iface){ .has_link = true, .has_arp = true,
	                                                 .can_offload = true, .gso_max = 65535 });
}

int rig_raw(void **state)
{
	return setup(state, true, &(struct stack_iface){ .has_link = false });
}

unsigned forget(struct rig *t)
{
	unsigned n = 0;

	while (t->first) {
		struct captured *f = t->first;

		t->first = f->next;
		free(f);
		n++;
	}
	t->last = &t->first;
	return n;
}

int rig_done(void **state)
{
	struct rig *t = *state;

	forget(t);
	stack_free(t->s);
	free(t);
	return 0;
}

uint64_t counted(const struct rig *t, enum counter c)
{
	return stack_counters(t->s)[c];
}

/* ---- after each step ---- */

/* The counts of what is in flight are the sums over the queue, whatever happened. */
static void check_sums(struct tcp_conn *c)
{
	uint32_t packets = 0, sacked = 0, lost = 0, retrans = 0;
	struct tx_queue *q = &c->snd.txq;

	for (uint32_t i = 0; i < q->n; i++) {
		struct tx_seg *seg = txq_at(q, i);
		uint32_t n = tcp_seg_count(c, seg);

		assert_true(seq_lt(seg->seq, seg->end));
		assert_int_equal(seg->seq, i ? txq_at(q, i - 1)->end : c->snd.una);
		packets += n;
		sacked += seg->flags & SEG_SACKED ? n : 0;
		lost += seg->flags & SEG_LOST ? n : 0;
		retrans += seg->flags & SEG_RETRANS ? n : 0;
	}
	if (q->n)
		assert_int_equal(txq_at(q, q->n - 1)->end, c->snd.nxt);
	assert_int_equal(c->loss.packets_out, packets);
	if (c->sack_ok)
		assert_int_equal(c->loss.sacked_out, sacked);
	assert_int_equal(c->loss.lost_out, lost);
	assert_int_equal(c->loss.retrans_out, retrans);
	assert_true(c->loss.sacked_out + c->loss.lost_out <= c->loss.packets_out);
}

static void capture(struct rig *t, const struct frame_out *f)
{
	struct captured *k = malloc(sizeof(*k) + f->hdr_len + f->payload_len);
	size_t len = f->hdr_len;

	assert_non_null(k);
	k->next = NULL;
	k->at = t->now;
	k->vnet = f->vnet;
	memcpy(k->bytes, f->hdr, f->hdr_len);
	for (int i = 0; i < f->payload_cnt; i++) {
		memcpy(k->bytes + len, f->payload[i].iov_base, f->payload[i].iov_len);
		len += f->payload[i].iov_len;
	}
	assert_int_equal(len, f->hdr_len + f->payload_len);
	k->len = len;
	*t->last = k;
	t->last = &k->next;
}

void settle(struct rig *t)
{
	struct frame_out f;
	unsigned n = 0;

	while (stack_output(t->s, &f, t->now)) {
		if (!t->is_full)
			capture(t, &f);
		else
			assert_true(stack_refused(t->s, &f, true, t->now));
		assert_true(++n < 10000);   /* output that never ends */
	}
	assert_false(stack_has_output(t->s));
	if (t->c && t->c->state != TCP_CLOSE && t->c->state != TCP_LISTEN)
		check_sums(t->c);
}

/* One deadline at a time, until `end` or (until_frame) something is sent. */
static void run_clock(struct rig *t, xtime end, bool until_frame)
{
	unsigned n = 0;

	while (stack_deadline(t->s) <= end && !(until_frame && t->first)) {
		t->now = MAX(t->now, stack_deadline(t->s));
		stack_expire(t->s, t->now);
		settle(t);
		assert_true(++n < 100000);  /* a timer that is always due */
	}
	if (!until_frame)
		t->now = end;
}

void advance(struct rig *t, xtime span)
{
	run_clock(t, t->now + span, false);
}

/* ---- what was sent ---- */

/* The pseudo header has the last hop of a source route: RFC 1122 4.2.3.8. */
static ip4 final_dst(const struct ip_hdr *h)
{
	bool has_srr = h->opt_len >= 7 && (h->opts[0] == 131 || h->opts[0] == 137);

	return has_srr ? get_be32(h->opts + h->opts[1] - 4) : h->dst;
}

static void check_csum(const struct rig *t, const struct captured *k, const uint8_t *seg, size_t seg_len)
{
	ip4 dst = final_dst(&t->ip);

	if (k->vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		uint16_t partial = (uint16_t)~csum_fold(csum_pseudo(t->ip.src, dst, PROTO_TCP, seg_len));

		assert_int_equal(k->vnet.csum_start, seg - k->bytes);
		assert_int_equal(k->vnet.csum_offset, 16);
		assert_int_equal(get_be16(seg + 16), partial);
		return;
	}
	assert_true(tcp_csum_ok(t->ip.src, dst, seg, seg_len));
}

static void check_payload(const struct rig *t, const uint8_t *p)
{
	uint32_t from = t->th.seq - t->iss - 1;

	for (size_t i = 0; i < t->len; i++)
		if (p[i] != pattern(from + (uint32_t)i))
			fail_msg("byte %u of the stream is %u, not %u", from + (uint32_t)i, p[i],
			         pattern(from + (uint32_t)i));
}

/* Takes the first captured segment apart, into the rig. */
static void open_captured(struct rig *t, const char *file, int line)
{
	struct captured *k = t->first;
	bool has_link = t->s->ifaces[t->iface].has_link;
	size_t off = has_link ? ETH_LEN : 0;
	struct eth_hdr eth = { .type = ETHTYPE_IPV4 };
	size_t seg_len;

	if (has_link)
		assert_int_equal(eth_parse(k->bytes, k->len, &eth), CTR_NONE);
	if (eth.type != ETHTYPE_IPV4) {
		print_error("%s:%d: a frame of type %04x instead of a segment\n", file, line, eth.type);
		_fail(file, line);
	}
	memcpy(t->dst_mac, eth.dst, MAC_LEN);
	assert_int_equal(ip_parse(k->bytes + off, k->len - off, &t->ip), CTR_NONE);
	assert_int_equal(t->ip.proto, PROTO_TCP);
	off += t->ip.hdr_len;
	seg_len = k->len - off;
	assert_int_equal(t->ip.total_len, t->ip.hdr_len + seg_len);
	assert_int_equal(tcp_parse(k->bytes + off, seg_len, &t->th), CTR_NONE);
	check_csum(t, k, k->bytes + off, seg_len);
	t->len = seg_len - t->th.hdr_len;
	t->vnet = k->vnet;
	t->at = k->at;
	if (t->th.flags & TCPF_SYN && !t->has_iss) {
		t->has_iss = true;
		t->iss = t->th.seq;
		t->lport = t->th.sport;
	}
	if (t->th.has_ts)
		t->ts_ecr = t->th.tsval;
	check_payload(t, k->bytes + off + t->th.hdr_len);
	t->first = k->next;
	if (!t->first)
		t->last = &t->first;
	free(k);
}

void rig_expect(struct rig *t, xtime span, const char *file, int line, const char *fmt, ...)
{
	xtime start = t->now;
	char want[256], got[256];
	struct text x;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(want, sizeof(want), fmt, ap);
	va_end(ap);
	va_start(ap, fmt);
	text_parse(&x, fmt, ap);
	va_end(ap);
	if (span >= 0)
		run_clock(t, start + 1000000 * XTIME_SEC, true);
	if (!t->first) {
		print_error("%s:%d: expected: %s\n  got nothing\n", file, line, want);
		_fail(file, line);
	}
	open_captured(t, file, line);
	text_format(t, got, sizeof(got));
	if (!text_matches(t, &x) || (t->lport && t->th.sport != t->lport) || t->th.dport != t->rport) {
		print_error("%s:%d: expected: %s\n  got: %s (%u > %u)\n", file, line, want, got, t->th.sport,
		            t->th.dport);
		_fail(file, line);
	}
	if (span >= 0 && t->at - start != span) {
		print_error("%s:%d: expected %s after %.6f s\n  it came after %.6f s\n", file, line, want,
		            (double)span / 1e9, (double)(t->at - start) / 1e9);
		_fail(file, line);
	}
}

void rig_expect_nothing(struct rig *t, const char *file, int line)
{
	char got[256];

	if (!t->first)
		return;
	open_captured(t, file, line);
	text_format(t, got, sizeof(got));
	print_error("%s:%d: expected nothing\n  got: %s\n", file, line, got);
	_fail(file, line);
}

void rig_expect_arp(struct rig *t, ip4 ip, const char *file, int line)
{
	struct captured *k = t->first;
	struct eth_hdr eth;
	struct arp_pkt a;

	if (!k) {
		print_error("%s:%d: expected an ARP request, got nothing\n", file, line);
		_fail(file, line);
	}
	assert_int_equal(eth_parse(k->bytes, k->len, &eth), CTR_NONE);
	assert_int_equal(eth.type, ETHTYPE_ARPV4);
	assert_int_equal(arp_parse(k->bytes + ETH_LEN, k->len - ETH_LEN, &a), CTR_NONE);
	assert_int_equal(a.op, ARP_REQUEST);
	assert_int_equal(a.target_ip, ip);
	t->first = k->next;
	if (!t->first)
		t->last = &t->first;
	free(k);
}

/* ---- what arrives ---- */

static void input_frame(struct rig *t, uint16_t type, const uint8_t *p, size_t len,
                        const struct virtio_net_hdr *vnet)
{
	bool has_link = t->s->ifaces[t->iface].has_link;
	size_t off = has_link ? ETH_LEN : 0;
	/* On the heap and of the exact size, so that reading beyond it is found. */
	uint8_t *bytes = malloc(off + len);
	struct frame_in f = { .data = bytes, .len = off + len };
	struct eth_hdr eth = { .type = type };

	assert_non_null(bytes);
	if (has_link) {
		memcpy(eth.dst, mac_us, MAC_LEN);
		memcpy(eth.src, mac_peer, MAC_LEN);
		eth_emit(bytes, &eth);
	}
	memcpy(bytes + off, p, len);
	if (vnet)
		f.vnet = *vnet;
	t->was_placed = t->places && place_input(t->s, t->iface, &f, t->reader, t->now);
	if (!t->places)
		stack_input(t->s, t->iface, &f, t->now);
	free(bytes);
	settle(t);
}

static void input_ip(struct rig *t, uint8_t proto, uint8_t tos, const uint8_t *l4, size_t len,
                     const struct virtio_net_hdr *vnet)
{
	struct ip_hdr h = { .src = t->peer, .dst = US, .ttl = 64, .proto = proto, .tos = tos, .id = 77,
	                    .total_len = (uint16_t)(IP_LEN_MIN + len) };
	uint8_t *p = malloc(IP_LEN_MAX + len);

	assert_non_null(p);
	ip_emit(p, &h);
	memcpy(p + IP_LEN_MIN, l4, len);
	input_frame(t, ETHTYPE_IPV4, p, IP_LEN_MIN + len, vnet);
	free(p);
}

void inject_raw(struct rig *t, const uint8_t *seg, size_t len)
{
	input_ip(t, PROTO_TCP, 0, seg, len, NULL);
}

static void fill_numbers(const struct rig *t, struct text *x)
{
	struct tcp_hdr *th = &x->th;

	th->sport = t->rport;
	th->dport = t->lport;
	th->seq += t->irs;
	if (th->flags & TCPF_ACK)
		th->ack += t->iss;
	for (unsigned i = 0; i < th->nsack; i++) {
		th->sack[i].start += t->iss;
		th->sack[i].end += t->iss;
	}
	if (!x->has_win)
		th->wnd = 65535;
	if (t->ts && !x->no_ts)
		th->has_ts = true;
	if (!th->has_ts)
		return;
	if (!x->has_tsval)
		th->tsval = PEER_TS + xtime_ms(t->now);
	if (!x->has_ecr && th->flags & TCPF_ACK)
		th->tsecr = t->ts_ecr;
}

static void inject_text(struct rig *t, struct text *x, uint16_t gso)
{
	struct virtio_net_hdr vnet = { 0 };
	uint8_t *seg = malloc(TCP_LEN_MAX + x->len);
	uint32_t from = x->th.seq - 1;
	size_t hdr_len;

	assert_non_null(seg);
	fill_numbers(t, x);
	hdr_len = tcp_emit(seg, &x->th);
	for (size_t i = 0; i < x->len; i++)
		seg[hdr_len + i] = pattern(from + (uint32_t)i);
	tcp_set_csum(seg, csum_fold(csum_add(csum_pseudo(t->peer, US, PROTO_TCP, hdr_len + x->len), seg,
	                                     hdr_len + x->len)));
	if (gso) {
		vnet.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		vnet.gso_size = gso;
		vnet.flags = VIRTIO_NET_HDR_F_DATA_VALID;
	}
	input_ip(t, PROTO_TCP, x->ecn, seg, hdr_len + x->len, &vnet);
	free(seg);
}

void inject(struct rig *t, const char *fmt, ...)
{
	struct text x;
	va_list ap;

	va_start(ap, fmt);
	text_parse(&x, fmt, ap);
	va_end(ap);
	inject_text(t, &x, 0);
}

static void parse_plain(struct text *x, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	text_parse(x, fmt, ap);
	va_end(ap);
}

void inject_gso(struct rig *t, uint16_t gso, const char *text)
{
	struct text x;

	parse_plain(&x, "%s", text);
	inject_text(t, &x, gso);
}

void inject_icmp(struct rig *t, uint8_t type, uint8_t code, uint32_t rest, seq32 seq)
{
	struct ip_hdr quoted = { .src = US, .dst = t->peer, .ttl = 60, .proto = PROTO_TCP, .total_len = 60 };
	struct tcp_hdr th = { .sport = t->lport, .dport = t->rport, .seq = t->iss + seq, .flags = TCPF_ACK };
	struct icmp_hdr icmp = { .type = type, .code = code, .rest = rest };
	uint8_t p[ICMP_LEN + IP_LEN_MAX + TCP_LEN_MAX];
	size_t ip_len = ip_emit(p + ICMP_LEN, &quoted);

	tcp_emit(p + ICMP_LEN + ip_len, &th);
	icmp_emit(p, &icmp, p + ICMP_LEN, ip_len + 8);
	input_ip(t, PROTO_ICMP, 0, p, ICMP_LEN + ip_len + 8, NULL);
}

void inject_arp_reply(struct rig *t, ip4 ip)
{
	struct arp_pkt a = { .op = ARP_REPLY, .sender_ip = ip, .target_ip = US };
	uint8_t p[ARP_LEN];

	memcpy(a.sender_mac, mac_peer, MAC_LEN);
	memcpy(a.target_mac, mac_us, MAC_LEN);
	arp_emit(p, &a);
	input_frame(t, ETHTYPE_ARPV4, p, sizeof(p), NULL);
}

/* ---- the program ---- */

void dial_open(struct rig *t)
{
	t->c = tcp_open(t->s, t->now);
	assert_non_null(t->c);
	t->lport = 0;
	t->has_iss = t->ts = false;
	t->iss = t->nput = t->ntaken = 0;
}

int dial_connect(struct rig *t)
{
	ip4 addr;
	uint16_t port;
	int ret;

	while ((ret = tcp_connect(t->c, t->peer, t->rport, &addr, &port, t->now)) == -EAGAIN)
		stack_claimed(t->s, addr, port, true);
	settle(t);
	return ret;
}

void dial(struct rig *t)
{
	dial_open(t);
	assert_int_equal(dial_connect(t), 0);
	expect(t, "S 0");
}

void establish(struct rig *t, const char *syn_ack)
{
	dial(t);
	advance(t, XTIME_MSEC);
	syn_ack = syn_ack ? syn_ack : SYN_ACK;
	t->ts = strstr(syn_ack, " ts") != NULL;
	inject(t, "%s", syn_ack);
	expect(t, ". 1 ack 1");
	expect_nothing(t);
	assert_int_equal(tcp_state(t->c), TCP_ESTABLISHED);
	assert_int_equal(tcp_connect_result(t->c), 0);
}

void serve_on(struct rig *t, struct tcp_conn *l, int backlog)
{
	ip4 addr;
	uint16_t port;
	int ret;

	while ((ret = tcp_bind(l, 0, 80, true, &addr, &port, t->now)) == -EAGAIN)
		stack_claimed(t->s, addr, port, true);
	assert_int_equal(ret, 0);
	assert_int_equal(tcp_listen(l, backlog, &addr, &port, t->now), 0);
	t->lport = 80;
	t->rport = 50000;
}

struct tcp_conn *serve(struct rig *t, int backlog)
{
	struct tcp_conn *l = tcp_open(t->s, t->now);

	assert_non_null(l);
	serve_on(t, l, backlog);
	return l;
}

void next_client(struct rig *t)
{
	t->rport++;
	t->has_iss = false;
	t->iss = 0;
}

struct tcp_conn *try_accept(struct rig *t, struct tcp_conn *l)
{
	int err = 0;
	struct tcp_conn *c = tcp_accept(l, &err, t->now);

	if (!c)
		assert_int_equal(err, -EAGAIN);
	return c;
}

void establish_passive(struct rig *t, const char *syn)
{
	struct tcp_conn *l = serve(t, 5);

	syn = syn ? syn : "S 0 mss 1460 sackOK ts wscale 7";
	t->ts = strstr(syn, " ts") != NULL;
	inject(t, "%s", syn);
	expect(t, "S. 0 ack 1");
	advance(t, XTIME_MSEC);
	inject(t, ". 1 ack 1 win 512");
	expect_nothing(t);
	t->c = try_accept(t, l);
	assert_non_null(t->c);
	assert_int_equal(tcp_state(t->c), TCP_ESTABLISHED);
}

ssize_t try_put(struct rig *t, size_t n, int flags)
{
	uint8_t *p = malloc(n ? n : 1);
	struct iovec iov = { p, n };
	ssize_t ret;

	assert_non_null(p);
	for (size_t i = 0; i < n; i++)
		p[i] = pattern(t->nput + (uint32_t)i);
	ret = tcp_send(t->c, &iov, 1, 0, flags, t->now);
	free(p);
	if (ret > 0)
		t->nput += (uint32_t)ret;
	settle(t);
	return ret;
}

void put_flags(struct rig *t, size_t n, int flags)
{
	assert_int_equal(try_put(t, n, flags), n);
}

void put(struct rig *t, size_t n)
{
	put_flags(t, n, 0);
}

ssize_t try_take(struct rig *t, size_t n, int flags)
{
	uint8_t *p = malloc(n ? n : 1);
	struct iovec iov = { p, n };
	int rflags = 0;
	ssize_t ret;

	assert_non_null(p);
	ret = tcp_recv(t->c, &iov, 1, 0, flags, 0, &rflags, t->now);
	for (ssize_t i = 0; i < ret && !(flags & MSG_TRUNC); i++)
		assert_int_equal(p[i], pattern(t->ntaken + (uint32_t)i));
	free(p);
	if (ret > 0 && !(flags & MSG_PEEK))
		t->ntaken += (uint32_t)ret;
	settle(t);
	return ret;
}

void hang_up(struct rig *t)
{
	tcp_release(t->c, t->now);
	t->c = NULL;
	settle(t);
}
