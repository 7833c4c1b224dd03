/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz_rig.c - see fuzz_rig.h. */
#include "fuzz_rig.h"

#include <string.h>

#include "fuzz_check.h"
#include "place_input.h"
#include "stack/wire.h"

const uint8_t rig_mac_us[6] = { 2, 0, 0, 0, 0, 1 }, rig_mac_peer[6] = { 2, 0, 0, 0, 0, 2 };

void rig_init(struct fuzz_rig *z, const struct settings *set, bool can_offload)
{
	struct stack_config cfg = { 0 };
	struct stack_iface i = { .has_link = true, .has_arp = true, .is_up = true, .can_offload = can_offload,
	                         .mtu = 1500, .gso_max = 65535, .oif = 1 };

	settings_default(&cfg.settings);
	if (set)
		cfg.settings = *set;
	memcpy(i.mac, rig_mac_us, 6);
	z->now = XTIME_SEC;
	z->s = stack_new(&cfg, z->now);
	fuzz_require(z->s, "no stack");
	stack_add_iface(z->s, &i);
	stack_add_addr(z->s, 0, RIG_US, 24, true, z->now);
	stack_seed_neigh(z->s, 0, RIG_PEER, rig_mac_peer, true, z->now);
}

void rig_fini(struct fuzz_rig *z)
{
	for (unsigned i = 0; i < RIG_NCONN; i++)
		rig_replace(z, i, NULL);
	stack_free(z->s);
}

/* What left is read back: whatever we send, we could take in. */
static void read_back(struct fuzz_rig *z, const struct frame_out *f)
{
	struct eth_hdr eth;
	struct ip_hdr ip;
	size_t total = f->hdr_len + f->payload_len;
	bool has_srr, is_ended;

	fuzz_require(f->hdr_len <= sizeof(f->hdr), "header too long");
	fuzz_require(eth_parse(f->hdr, f->hdr_len, &eth) == 0, "no link header");
	if (eth.type != ETHTYPE_IPV4)
		return;
	fuzz_require(ip_parse(f->hdr + ETH_LEN, total - ETH_LEN, &ip) == 0, "no IP header");
	fuzz_require(ip.total_len == total - ETH_LEN, "total length is not the frame's");
	fuzz_require(!ip_opts_check(&ip, &has_srr, &is_ended), "options that nobody takes");
	if (ip.proto != PROTO_TCP)
		return;
	fuzz_require(tcp_parse(f->hdr + ETH_LEN + ip.hdr_len, f->hdr_len - ETH_LEN - ip.hdr_len, &z->sent) == 0,
	             "no TCP header");
	z->nsent++;
}

void rig_settle(struct fuzz_rig *z)
{
	struct frame_out f;
	unsigned n = 0;

	while (stack_output(z->s, &f, z->now)) {
		read_back(z, &f);
		fuzz_require(n++ < 100000, "endless output");
	}
	while (stack_next_event(z->s))
		;
	fuzz_check(z->s);
	fuzz_check_memory(z->s);
}

void rig_advance(struct fuzz_rig *z, xtime span)
{
	xtime end = z->now + span;
	unsigned n = 0;

	while (stack_deadline(z->s) <= end) {
		z->now = MAX(z->now, stack_deadline(z->s));
		stack_expire(z->s, z->now);
		rig_settle(z);
		fuzz_require(n++ < 1000000, "timers without end");
	}
	z->now = end;
	stack_expire(z->s, z->now);
	rig_settle(z);
}

void rig_frame(struct fuzz_rig *z, const uint8_t *p, size_t len, const struct virtio_net_hdr *v)
{
	uint8_t *copy = malloc(len ? len : 1);   /* exact size, so that a read beyond shows */
	struct frame_in f = { .data = copy, .len = len };

	if (!copy)
		return;
	memcpy(copy, p, len);
	if (v)
		f.vnet = *v;
	place_input(z->s, 0, &f, NULL, z->now);
	free(copy);
}

size_t rig_emit_ip(uint8_t *buf, uint8_t proto, size_t l4_len)
{
	struct eth_hdr eth = { .type = ETHTYPE_IPV4 };
	struct ip_hdr ip = { .src = RIG_PEER, .dst = RIG_US, .ttl = 64, .proto = proto, .is_df = true };

	memcpy(eth.dst, rig_mac_us, 6);
	memcpy(eth.src, rig_mac_peer, 6);
	eth_emit(buf, &eth);
	ip.total_len = (uint16_t)(IP_LEN_MIN + l4_len);
	return ETH_LEN + ip_emit(buf + ETH_LEN, &ip);
}

static void send_segment(struct fuzz_rig *z, const struct tcp_hdr *th, const uint8_t *data, size_t n,
                         const struct virtio_net_hdr *v)
{
	uint8_t buf[2048];
	size_t off = rig_emit_ip(buf, PROTO_TCP, TCP_LEN_MIN + tcp_options_len(th) + n);
	size_t hdr = tcp_emit(buf + off, th);

	if (n)
		memcpy(buf + off + hdr, data, n);
	if (!v)
		tcp_set_csum(buf + off, csum_fold(csum_add(csum_pseudo(RIG_PEER, RIG_US, PROTO_TCP, hdr + n),
		                                           buf + off, hdr + n)));
	rig_frame(z, buf, off + hdr + n, v);
}

void rig_segment(struct fuzz_rig *z, const struct tcp_hdr *th, const uint8_t *data, size_t n)
{
	send_segment(z, th, data, n, NULL);
}

void rig_replace(struct fuzz_rig *z, unsigned i, struct tcp_conn *c)
{
	if (z->c[i])
		tcp_release(z->c[i], z->now);
	z->c[i] = c;
}

/* ---- steps ---- */

seq32 rig_near(struct fuzz_in *in, seq32 base)
{
	uint8_t how = fuzz_u8(in);

	if (how < 128)
		return base + how % 4;
	if (how < 200)
		return base + (uint32_t)(int32_t)(int16_t)fuzz_u16(in);
	if (how < 240)
		return base - fuzz_u8(in);
	return fuzz_u32(in);
}

struct rig_view rig_view_conn(const struct fuzz_rig *z, const struct tcp_conn *c)
{
	return (struct rig_view){
		.lport = c->ent.t.lport, .rport = c->ent.t.rport,
		.rcv_nxt = c->rcv.nxt, .snd_una = c->snd.una, .snd_nxt = c->snd.nxt,
		.ts_recent = c->ts_recent, .ts_now = tcp_ts_now(c, z->now),
	};
}

static struct rig_view view_tw(const struct fuzz_rig *z, const struct tcp_tw *tw)
{
	return (struct rig_view){
		.lport = tw->ent.t.lport, .rport = tw->ent.t.rport,
		.rcv_nxt = tw->rcv_nxt, .snd_una = tw->snd_nxt, .snd_nxt = tw->snd_nxt,
		.ts_recent = tw->ts_recent, .ts_now = xtime_ms(z->now) + tw->ts_offset,
	};
}

bool rig_view_any(struct fuzz_rig *z, struct rig_view *w)
{
	uint32_t all = z->s->nconn + z->s->ntw, n;
	struct list *l;

	if (!all)
		return false;
	n = fuzz_u8(&z->in) % all;
	for (l = z->s->conns.next; l != &z->s->conns; l = l->next)
		if (n-- == 0) {
			*w = rig_view_conn(z, container_of(l, struct tcp_conn, all_link));
			return true;
		}
	for (l = z->s->tws.next; n--; l = l->next)
		;
	*w = view_tw(z, container_of(l, struct tcp_tw, link));
	return true;
}

static void step_options(struct fuzz_in *in, const struct rig_view *w, struct tcp_hdr *th, uint8_t opts)
{
	th->has_ts = opts & 1;
	th->tsval = opts & 1 && w ? rig_near(in, w->ts_recent) : 0;
	th->tsecr = opts & 1 && w ? rig_near(in, w->ts_now) : 0;
	th->has_mss = opts & 2;
	th->mss = opts & 2 ? fuzz_u16(in) : 0;
	th->sack_permitted = opts & 4;
	th->has_wscale = opts & 8;
	th->wscale = opts & 8 ? fuzz_u8(in) % 15 : 0;
	th->nsack = opts & 16 && !(opts & 2) ? 1 + fuzz_u8(in) % 3 : 0;
	for (unsigned i = 0; i < th->nsack; i++) {
		th->sack[i].start = rig_near(in, w ? w->snd_una : 0);
		th->sack[i].end = th->sack[i].start + fuzz_u8(in) * 16u;
	}
	if (!(opts & 128) || th->nsack)
		return;
	th->has_fastopen = true;
	th->fastopen_exp = fuzz_u8(in) & 1;
	th->fastopen_len = (uint8_t)(fuzz_u8(in) % 3 * 8);
	memset(th->fastopen, fuzz_u8(in), sizeof(th->fastopen));
}

void rig_step_segment(struct fuzz_rig *z, const struct rig_view *w)
{
	struct fuzz_in *in = &z->in;
	struct tcp_hdr th = { .sport = 4000, .dport = RIG_PORT };
	struct virtio_net_hdr v = { 0 };
	const uint8_t *data;
	uint8_t opts;
	size_t n;

	if (w) {
		th.sport = w->rport ? w->rport : (uint16_t)(4000 + fuzz_u8(in) % 4);
		th.dport = w->lport ? w->lport : RIG_PORT;
		th.seq = rig_near(in, w->rcv_nxt);
		th.ack = rig_near(in, fuzz_u8(in) & 1 ? w->snd_nxt : w->snd_una);
	}
	th.flags = fuzz_u8(in);
	th.flags |= (uint16_t)((fuzz_u8(in) & 1) << 8);
	th.wnd = fuzz_u16(in);
	th.urg = fuzz_u8(in);
	opts = fuzz_u8(in);
	step_options(in, w, &th, opts);
	n = fuzz_take(in, fuzz_u8(in) * (opts & 32 ? 5u : 1u), &data);
	if (opts & 64) {
		v.flags = VIRTIO_NET_HDR_F_DATA_VALID;
		v.gso_type = n > 100 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_NONE;
		v.gso_size = 100;
	}
	send_segment(z, &th, data, n, opts & 64 ? &v : NULL);
}

void rig_step_icmp(struct fuzz_rig *z, const struct rig_view *w)
{
	struct fuzz_in *in = &z->in;
	struct icmp_hdr ih = { 0 };
	struct ip_hdr quoted = { .src = RIG_US, .dst = RIG_PEER, .ttl = 60, .proto = PROTO_TCP, .total_len = 1500 };
	uint8_t buf[256], body[128];
	size_t off, n;

	ih.type = fuzz_u8(in) % 20;
	ih.code = fuzz_u8(in) % 20;
	ih.rest = fuzz_u32(in);
	n = ip_emit(body, &quoted);
	memset(body + n, 0, 24);
	put_be16(body + n, w ? w->lport : RIG_PORT);
	put_be16(body + n + 2, w ? w->rport : RIG_PORT);
	put_be32(body + n + 4, rig_near(in, w ? w->snd_una : 0));
	n += fuzz_u8(in) % 9;
	off = rig_emit_ip(buf, PROTO_ICMP, ICMP_LEN + n);
	icmp_emit(buf + off, &ih, body, n);
	memcpy(buf + off + ICMP_LEN, body, n);
	rig_frame(z, buf, off + ICMP_LEN + n, NULL);
}

void rig_step_raw(struct fuzz_rig *z)
{
	struct fuzz_in *in = &z->in;
	uint8_t buf[2048], how = fuzz_u8(in);
	const uint8_t *data;
	size_t n = fuzz_take(in, fuzz_u8(in) * 4u, &data);
	struct eth_hdr eth = { .type = how & 1 ? ETHTYPE_ARPV4 : ETHTYPE_IPV4 };
	struct virtio_net_hdr v = { 0 };

	if (how & 2) {
		v.flags = fuzz_u8(in) % 4;
		v.gso_type = fuzz_u8(in) % 6;
		v.gso_size = fuzz_u8(in);
		v.csum_start = fuzz_u8(in);
		v.csum_offset = fuzz_u8(in);
	}
	if (how & 4) {
		rig_frame(z, data, n, &v);
		return;
	}
	memcpy(eth.dst, rig_mac_us, 6);
	memcpy(eth.src, rig_mac_peer, 6);
	eth_emit(buf, &eth);
	if (n)
		memcpy(buf + ETH_LEN, data, n);
	if (eth.type == ETHTYPE_IPV4 && n >= IP_LEN_MIN) {
		size_t hl = (buf[ETH_LEN] & 15) * 4u;

		put_be32(buf + ETH_LEN + 12, RIG_PEER);
		put_be32(buf + ETH_LEN + 16, RIG_US);
		if (hl >= IP_LEN_MIN && hl <= n) {
			put_be16(buf + ETH_LEN + 10, 0);
			put_be16(buf + ETH_LEN + 10, csum_fold(csum_add(0, buf + ETH_LEN, hl)));
		}
	}
	rig_frame(z, buf, ETH_LEN + n, &v);
}

static void call_listen(struct fuzz_rig *z)
{
	struct tcp_conn *c = tcp_open(z->s, z->now);
	uint16_t port;
	ip4 addr;

	rig_replace(z, 0, c);
	if (c && tcp_bind(c, 0, RIG_PORT, true, &addr, &port, z->now) == 0)
		tcp_listen(c, fuzz_u8(&z->in) % 8, &addr, &port, z->now);
}

static void call_connect(struct fuzz_rig *z, unsigned i)
{
	struct tcp_conn *c = tcp_open(z->s, z->now);
	uint16_t port;
	ip4 addr;

	rig_replace(z, i, c);
	if (c)
		tcp_connect(c, RIG_PEER, (uint16_t)(4000 + fuzz_u8(&z->in) % 4), &addr, &port, z->now);
}

static void call_accept(struct fuzz_rig *z, unsigned i)
{
	struct tcp_conn *c;
	int err;

	if (!z->c[0] || tcp_state(z->c[0]) != TCP_LISTEN)
		return;
	c = tcp_accept(z->c[0], &err, z->now);
	if (c)
		rig_replace(z, 1 + i % (RIG_NCONN - 1), c);
}

/* Calls of a connected socket. */
static void call_on(struct fuzz_rig *z, struct tcp_conn *c, unsigned what, size_t len)
{
	static uint8_t buf[5000];
	struct iovec iov = { buf, len };
	struct fuzz_in *in = &z->in;

	switch (what) {
	case 4:
		tcp_shutdown(c, fuzz_u8(in) % 3, z->now);
		break;
	case 5:
		tcp_disconnect(c, z->now);
		break;
	case 6:
		tcp_connect_result(c);
		break;
	case 7: case 8:
		tcp_recv(c, &iov, 1, 0, fuzz_u8(in) & (MSG_PEEK | MSG_OOB | MSG_TRUNC), 0, NULL, z->now);
		break;
	default:
		tcp_send(c, &iov, 1, 0, fuzz_u8(in) & 1 ? MSG_MORE : fuzz_u8(in) & 1 ? MSG_OOB : 0, z->now);
		break;
	}
}

void rig_step_call(struct fuzz_rig *z)
{
	struct fuzz_in *in = &z->in;
	uint8_t what = fuzz_u8(in) % 12, i = fuzz_u8(in) % RIG_NCONN;
	size_t len = fuzz_u8(in) * 19u;

	if (what == 0)
		call_connect(z, i);
	else if (what == 1)
		call_accept(z, i);
	else if (what == 2)
		rig_replace(z, i, NULL);
	else if (what == 3)
		call_listen(z);
	else if (z->c[i])
		call_on(z, z->c[i], what, len);
	for (int k = 0; k < RIG_NCONN; k++)
		if (z->c[k])
			tcp_events(z->c[k]);
}

/* Any option, by number: those that exist and those that don't. */
void rig_step_option(struct fuzz_rig *z)
{
	static const int levels[] = { SOL_SOCKET, IPPROTO_IP, IPPROTO_TCP, IPPROTO_UDP };
	struct fuzz_in *in = &z->in;
	struct tcp_conn *c = z->c[fuzz_u8(in) % RIG_NCONN];
	int level = levels[fuzz_u8(in) % ARRAY_LEN(levels)];
	int name = fuzz_u8(in) % 80;
	uint8_t how = fuzz_u8(in), val[320] = { 0 };
	socklen_t len = sizeof(int32_t);
	const uint8_t *p;
	int32_t v;

	if (how & 1) {
		len = (socklen_t)fuzz_take(in, how >> 2, &p);
		if (len)
			memcpy(val, p, len);
	} else {
		v = how & 2 ? (int32_t)fuzz_u32(in) : fuzz_u8(in);
		memcpy(val, &v, sizeof(v));
	}
	if (!c)
		return;
	tcp_setopt(c, level, name, val, len, how & 128, z->now);
	len = how & 64 ? how % 8 : sizeof(val);
	tcp_getopt(c, level, name, val, &len, z->now);
	fuzz_require(len <= sizeof(val), "an option longer than its room");
}

void rig_step_time(struct fuzz_rig *z)
{
	uint8_t how = fuzz_u8(&z->in);
	xtime to = stack_deadline(z->s);

	if (how < 128 && to != XTIME_NEVER)
		z->now = MAX(z->now, to);
	else
		z->now += (xtime)how * how * how * XTIME_MSEC / 4;
	stack_expire(z->s, z->now);
}
