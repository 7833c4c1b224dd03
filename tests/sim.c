/* SPDX-License-Identifier: BSD-2-Clause */
/* sim.c - see sim.h. */
#include "sim.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "place_input.h"
#include "stack/wire.h"

struct sim_frame {
	xtime at;
	uint64_t order;          /* of sending: ties keep their order */
	int to;
	uint8_t *data;
	size_t len;
	struct virtio_net_hdr vnet;
};

uint64_t sim_random_u64(struct sim *m)
{
	uint64_t z = (m->rng += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

double sim_random(struct sim *m)
{
	return (double)(sim_random_u64(m) >> 11) / 9007199254740992.0;
}

static struct stack *make_stack(ip4 addr, uint64_t seed, bool can_offload, const char *congestion)
{
	struct stack_config cfg = { .congestion = congestion };
	struct stack_iface i = {
		.mac = { 2, 0, 0, 0, 0, (uint8_t)addr }, .has_link = true, .has_arp = true, .is_up = true,
		.can_offload = can_offload, .mtu = 1500, .gso_max = 65535, .oif = 1,
	};
	struct stack *s;

	settings_default(&cfg.settings);
	memcpy(cfg.secret, &seed, sizeof(seed));
	cfg.secret[31] = (uint8_t)addr;
	s = stack_new(&cfg, 0);
	assert(s);
	assert(stack_add_iface(s, &i) == 0);
	assert(stack_add_addr(s, 0, addr, 24, true, 0) == 0);
	return s;
}

void sim_init(struct sim *m, uint64_t seed, bool can_offload, const char *congestion)
{
	memset(m, 0, sizeof(*m));
	m->rng = seed;
	m->now = XTIME_SEC;
	m->s[0] = make_stack(SIM_A, seed, can_offload, congestion);
	m->s[1] = make_stack(SIM_B, seed, can_offload, congestion);
}

void sim_fini(struct sim *m)
{
	for (uint32_t i = 0; i < m->n; i++)
		free(m->heap[i].data);
	free(m->heap);
	stack_free(m->s[0]);
	stack_free(m->s[1]);
}

/* ---- the network ---- */

static bool frame_before(const struct sim_frame *a, const struct sim_frame *b)
{
	return a->at < b->at || (a->at == b->at && a->order < b->order);
}

static void heap_push(struct sim *m, struct sim_frame f)
{
	uint32_t i;

	if (m->n == m->cap) {
		m->cap = m->cap ? m->cap * 2 : 64;
		m->heap = realloc(m->heap, m->cap * sizeof(*m->heap));
		assert(m->heap);
	}
	for (i = m->n++; i && frame_before(&f, &m->heap[(i - 1) / 2]); i = (i - 1) / 2)
		m->heap[i] = m->heap[(i - 1) / 2];
	m->heap[i] = f;
}

static struct sim_frame heap_pop(struct sim *m)
{
	struct sim_frame top = m->heap[0], last = m->heap[--m->n];
	uint32_t i = 0, c;

	while ((c = 2 * i + 1) < m->n) {
		if (c + 1 < m->n && frame_before(&m->heap[c + 1], &m->heap[c]))
			c++;
		if (frame_before(&last, &m->heap[c]))
			break;
		m->heap[i] = m->heap[c];
		i = c;
	}
	m->heap[i] = last;
	return top;
}

static bool is_lost(struct sim *m, struct sim_link *l)
{
	if (l->burst_left) {
		l->burst_left--;
		return true;
	}
	if (l->bad_in > 0 && sim_random(m) < (l->is_bad ? l->bad_out : l->bad_in))
		l->is_bad = !l->is_bad;
	if (l->is_bad)
		return true;
	if (l->loss > 0 && sim_random(m) < l->loss) {
		l->burst_left = l->burst > 1 ? l->burst - 1 : 0;
		return true;
	}
	return false;
}

/* A token bucket. */
static bool is_policed(struct sim *m, struct sim_link *l, size_t len)
{
	if (!l->police_rate)
		return false;
	l->tokens += (double)(m->now - l->tokens_at) * (double)l->police_rate / 8e9;
	l->tokens = MIN(l->tokens, (double)l->police_burst);
	l->tokens_at = m->now;
	if (l->tokens < (double)len)
		return true;
	l->tokens -= (double)len;
	return false;
}

/* Congestion experienced, RFC 3168 5, in an Ethernet frame. */
static bool mark_ce(uint8_t *p)
{
	uint8_t *ip = p + ETH_LEN;

	if (!(ip[1] & 3))
		return false;
	ip[1] |= 3;
	put_be16(ip + 10, 0);
	put_be16(ip + 10, csum_fold(csum_add(0, ip, (ip[0] & 15) * 4u)));
	return true;
}

static bool is_far(const struct sim_link *l, const uint8_t *p)
{
	const uint8_t *tcp = p + ETH_LEN + (p[ETH_LEN] & 15) * 4;

	return l->far_port && (get_be16(tcp) == l->far_port || get_be16(tcp + 2) == l->far_port);
}

/* One segment (or whole super-frame) meets the link. */
static void link_send(struct sim *m, int dir, const uint8_t *p, size_t len, struct virtio_net_hdr vnet)
{
	struct sim_link *l = &m->link[dir];
	static uint64_t order;
	unsigned copies = l->dup > 0 && sim_random(m) < l->dup ? 2 : 1;
	xtime leave = m->now;
	bool is_marked = false;

	l->frames++;
	l->bytes += len;
	if (is_lost(m, l)) {
		l->lost++;
		return;
	}
	if (is_policed(m, l, len)) {
		l->dropped++;
		return;
	}
	if (l->rate) {
		xtime start = l->free_at > m->now ? l->free_at : m->now;
		uint64_t waiting = (uint64_t)(start - m->now) / 8 * l->rate / XTIME_SEC;

		if (l->queue && waiting + len > l->queue) {
			l->dropped++;
			return;
		}
		is_marked = l->mark_at && waiting > l->mark_at;
		leave = start + (xtime)((uint64_t)len * 8 * XTIME_SEC / l->rate);
		l->free_at = leave;
	}
	l->copied += copies - 1;
	if (is_far(l, p))
		leave += l->far_delay;
	while (copies--) {
		struct sim_frame f = { .at = leave + l->delay, .order = order++, .to = !dir, .len = len, .vnet = vnet };

		f.data = malloc(len);
		assert(f.data);
		memcpy(f.data, p, len);
		if (is_marked && mark_ce(f.data))
			l->marked++;
		if (l->reorder > 0 && sim_random(m) < l->reorder)
			f.at += (xtime)(sim_random(m) * (double)l->reorder_by);
		if (l->corrupt > 0 && sim_random(m) < l->corrupt) {
			f.data[sim_random_u64(m) % len] ^= (uint8_t)(1u << sim_random_u64(m) % 8);
			memset(&f.vnet, 0, sizeof(f.vnet));
			l->corrupted++;
		}
		heap_push(m, f);
	}
}

/* Full checksum of an Ethernet/IPv4/TCP frame. */
static void fill_csum(uint8_t *p, size_t len)
{
	uint8_t *ip = p + ETH_LEN, *tcp = ip + (ip[0] & 15) * 4;
	size_t l4 = len - (size_t)(tcp - p);

	put_be16(tcp + 16, 0);
	put_be16(tcp + 16, csum_fold(csum_add(csum_pseudo(get_be32(ip + 12), get_be32(ip + 16), PROTO_TCP, l4), tcp, l4)));
}

/* What a network card does with a super-frame. */
static void split_send(struct sim *m, int dir, const uint8_t *p, size_t len, struct virtio_net_hdr vnet)
{
	size_t ihl = (p[ETH_LEN] & 15) * 4u, thl = (p[ETH_LEN + ihl + 12] >> 4) * 4u;
	size_t hdr = ETH_LEN + ihl + thl, done = hdr;
	uint8_t buf[2048];
	uint32_t seq = get_be32(p + ETH_LEN + ihl + 4);
	uint16_t id = get_be16(p + ETH_LEN + 4);
	struct virtio_net_hdr none = { 0 };

	while (done < len) {
		size_t n = MIN((size_t)vnet.gso_size, len - done);
		uint8_t *ip = buf + ETH_LEN, *tcp = ip + ihl;

		memcpy(buf, p, hdr);
		memcpy(buf + hdr, p + done, n);
		put_be16(ip + 2, (uint16_t)(ihl + thl + n));
		put_be16(ip + 4, id++);
		put_be16(ip + 10, 0);
		put_be16(ip + 10, csum_fold(csum_add(0, ip, ihl)));
		put_be32(tcp + 4, seq + (uint32_t)(done - hdr));
		if (done + n < len)
			tcp[13] &= (uint8_t)~(TCPF_FIN | TCPF_PSH);
		if (done != hdr)
			tcp[13] &= (uint8_t)~TCPF_CWR;
		fill_csum(buf, hdr + n);
		link_send(m, dir, buf, hdr + n, none);
		done += n;
	}
}

static void transmit(struct sim *m, int i, struct frame_out *f)
{
	static uint8_t buf[70000];
	size_t len = f->hdr_len;

	memcpy(buf, f->hdr, len);
	for (int k = 0; k < f->payload_cnt; k++) {
		memcpy(buf + len, f->payload[k].iov_base, f->payload[k].iov_len);
		len += f->payload[k].iov_len;
	}
	assert(len == f->hdr_len + f->payload_len);
	if (f->vnet.gso_type != VIRTIO_NET_HDR_GSO_NONE && !m->link[i].whole) {
		split_send(m, i, buf, len, f->vnet);
		return;
	}
	if (f->vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM && !m->link[i].whole) {
		fill_csum(buf, len);
		memset(&f->vnet, 0, sizeof(f->vnet));
	}
	link_send(m, i, buf, len, f->vnet);
}

/* A batch of frames to an interface that drops some of them, as engine_drive.c does it. */
static bool pump_refusing(struct sim *m, int i)
{
	struct frame_out v[8];
	bool is_gone[ARRAY_LEN(v)] = { false };
	size_t n = 0;

	stack_tx_watch(m->s[i], true);
	while (n < ARRAY_LEN(v) && stack_output(m->s[i], &v[n], m->now))
		n++;
	for (size_t k = 0; k < n; k++) {
		if (is_gone[k])
			continue;
		if (sim_random(m) >= m->link[i].refuse) {
			transmit(m, i, &v[k]);
			continue;
		}
		m->link[i].refused++;
		for (size_t j = n - 1; j > k; j--)
			if (!is_gone[j] && v[j].undo.conn && v[j].undo.conn == v[k].undo.conn)
				is_gone[j] = stack_refused(m->s[i], &v[j], false, m->now);
		stack_refused(m->s[i], &v[k], true, m->now);
	}
	if (m->check)
		m->check(m->s[i]);
	stack_tx_left(m->s[i], sim_random_u64(m) % 20000);
	if (!n)
		stack_tx_left(m->s[i], 0);   /* an interface that lets everything go at last */
	return n > 0 || stack_has_output(m->s[i]);
}

static bool pump_output(struct sim *m, int i)
{
	struct frame_out f;
	bool any = false;

	if (m->link[i].refuse > 0)
		return pump_refusing(m, i);
	while (stack_output(m->s[i], &f, m->now)) {
		transmit(m, i, &f);
		any = true;
	}
	return any;
}

bool sim_step(struct sim *m, xtime limit)
{
	bool is_busy;
	xtime next;

	do {
		is_busy = pump_output(m, 0);
		is_busy |= pump_output(m, 1);
	} while (is_busy);
	next = xtime_min(stack_deadline(m->s[0]), stack_deadline(m->s[1]));
	if (m->n)
		next = xtime_min(next, m->heap[0].at);
	if (next >= limit) {
		m->now = limit;
		return false;
	}
	m->now = MAX(m->now, next);
	if (m->n && m->heap[0].at <= m->now) {
		struct sim_frame f = heap_pop(m);
		struct frame_in in = { .data = f.data, .len = f.len, .vnet = f.vnet };

		place_input(m->s[f.to], 0, &in, NULL, m->now);
		free(f.data);
	}
	stack_expire(m->s[0], m->now);
	stack_expire(m->s[1], m->now);
	return true;
}

/* ---- the programs at both ends ---- */

/* The stream repeats itself after a prime number of bytes: what comes at a wrong place shows, and
 * a piece of it is one memcpy() or memcmp(). */
#define PERIOD 65521u
#define PIECE 65536u

static const uint8_t *pattern(uint64_t pos, int from)
{
	static uint8_t bytes[2][PERIOD + PIECE];

	if (!bytes[0][1])
		for (uint32_t i = 0; i < PERIOD + PIECE; i++) {
			uint32_t v = i % PERIOD;

			bytes[0][i] = (uint8_t)((v * 2654435761u >> 13) ^ (v >> 3));
			bytes[1][i] = bytes[0][i] ^ 0x5a;
		}
	return bytes[from] + pos % PERIOD;
}

void sim_flow_open(struct sim *m, struct sim_flow *f, uint16_t port, uint64_t up, uint64_t down)
{
	ip4 a;
	uint16_t p;

	memset(f, 0, sizeof(*f));
	f->total[0] = up;
	f->total[1] = down;
	f->begin = m->now;
	f->read_chunk = 65536;
	f->listener = tcp_open(m->s[1], m->now);
	assert(f->listener);
	assert(tcp_bind(f->listener, 0, port, true, &a, &p, m->now) == 0);
	assert(tcp_listen(f->listener, 16, &a, &p, m->now) == 0);
	f->c[0] = tcp_open(m->s[0], m->now);
	assert(f->c[0]);
	assert(tcp_connect(f->c[0], SIM_B, port, &a, &p, m->now) == 0);
}

/* As engine_send() does it: when the call ends the program writes something else there. */
static ssize_t write_lent(struct sim *m, struct sim_flow *f, int i, size_t n, int flags)
{
	static uint8_t buf[PIECE];
	struct iovec iov = { buf, n };
	ssize_t ret;

	memcpy(buf, pattern(f->sent[i], i), n);
	ret = tcp_send(f->c[i], &iov, 1, 0, flags | TCP_SEND_LENT, m->now);
	pump_output(m, i);
	tcp_unlend(m->s[i]);
	memset(buf, 0xee, n);
	return ret;
}

/* Waits until there is room again, then writes until there is none. */
static void flow_write(struct sim *m, struct sim_flow *f, int i)
{
	if (f->sent[i] < f->total[i] && !(tcp_events(f->c[i]) & POLLOUT))
		return;
	while (f->sent[i] < f->total[i]) {
		size_t n = MIN((uint64_t)16384, f->total[i] - f->sent[i]);
		struct iovec iov = { (void *)pattern(f->sent[i], i), n };
		int flags = f->blocks ? TCP_SEND_ON : 0;
		ssize_t ret;

		ret = f->lends ? write_lent(m, f, i, n, flags) : tcp_send(f->c[i], &iov, 1, 0, flags, m->now);
		if (ret == -EAGAIN)
			return;
		if (ret < 0) {
			f->err[i] = (int)-ret;
			return;
		}
		f->sent[i] += (uint64_t)ret;
	}
	if (!f->is_shut[i] && tcp_events(f->c[i]) & TCP_EV_CONNECTED) {
		f->is_shut[i] = true;
		tcp_shutdown(f->c[i], SHUT_WR, m->now);
	}
}

static void flow_read(struct sim *m, struct sim_flow *f, int i)
{
	static uint8_t buf[PIECE];

	while (!f->has_eof[i] && m->now >= f->read_at[i]) {
		struct iovec iov = { buf, MIN(f->read_chunk, sizeof(buf)) };
		ssize_t ret = tcp_recv(f->c[i], &iov, 1, 0, 0, 0, NULL, m->now);

		if (ret == -EAGAIN)
			return;
		if (ret <= 0) {
			f->has_eof[i] = true;
			if (ret < 0)
				f->err[i] = (int)-ret;
			return;
		}
		if (memcmp(buf, pattern(f->got[i], !i), (size_t)ret))
			f->is_wrong = true;
		f->got[i] += (uint64_t)ret;
		if (f->read_pause)
			f->read_at[i] = m->now + f->read_pause;
	}
}

static bool flow_is_done(const struct sim_flow *f)
{
	return (f->has_eof[0] && f->has_eof[1]) || f->err[0] || f->err[1] || f->is_wrong;
}

static void flow_turn(struct sim *m, struct sim_flow *f)
{
	int err;

	if (flow_is_done(f))
		return;
	if (!f->c[1])
		f->c[1] = tcp_accept(f->listener, &err, m->now);
	for (int i = 0; i < 2; i++) {
		if (!f->c[i])
			continue;
		if (i == 0 && tcp_state(f->c[0]) == TCP_SYN_SENT)
			continue;
		if (i == 0 && !f->c[0]->is_connected) {
			int ret = tcp_connect_result(f->c[0]);

			if (ret < 0 && ret != -EALREADY) {
				f->err[0] = -ret;
				return;
			}
		}
		flow_write(m, f, i);
		flow_read(m, f, i);
	}
	if (flow_is_done(f))
		f->end = m->now;
}

bool sim_run(struct sim *m, struct sim_flow *f, unsigned n, xtime limit)
{
	xtime stop = m->now + limit;

	for (;;) {
		bool all = true;
		xtime wake = stop;

		for (unsigned i = 0; i < n; i++) {
			flow_turn(m, &f[i]);
			all = all && flow_is_done(&f[i]);
			for (int k = 0; k < 2; k++)
				if (f[i].read_at[k] > m->now)
					wake = xtime_min(wake, f[i].read_at[k]);
		}
		while (stack_next_event(m->s[0]) || stack_next_event(m->s[1]))
			;
		if (all)
			return true;
		if (!sim_step(m, wake) && wake == stop)
			return false;
	}
}
