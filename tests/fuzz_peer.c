/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_peer.c - two stacks, and a network and two programs that do what the input says.
 *
 *   A 10.0.0.1 ---[ loss, delay, reordering, duplication, corruption ]--- B 10.0.0.2
 *
 * Both programs write a pattern and check what they read.  Bytes that arrive must be the right
 * ones in order, unless a segment was rewritten and its checksum mended.  When the input is at
 * its end the network is good and the programs finish: then every byte must arrive and both
 * sides must see the end of the stream, within a bounded time.
 */
#include <errno.h>
#include <string.h>

#include "fuzz_check.h"
#include "fuzz_in.h"
#include "place_input.h"
#include "stack/tcp_impl.h"
#include "stack/wire.h"

#define FLIGHT_MAX 512
#define STEPS_MAX 20000
/* So many frames are lost and spoilt, both ways together, before three in a row get through:
 * fewer than make a handshake give up (tcp_synack_retries is 5). */
#define SPOILT_MAX 4
#define GOOD_RUN 3

struct packet {
	xtime at;
	int to;
	uint8_t *data;
	size_t len;
	struct virtio_net_hdr vnet;
};

struct side {
	struct stack *s;
	struct tcp_conn *c;
	uint64_t sent, got;
	bool is_shut, has_eof;
	int err;
};

struct pair {
	struct side side[2];
	struct tcp_conn *listener;
	xtime now;
	struct fuzz_in in;
	struct packet flight[FLIGHT_MAX];
	unsigned n;
	unsigned spoilt, good;   /* see SPOILT_MAX */
	bool is_rewritten;       /* a segment was changed and its checksum mended */
	bool has_urgent;
	bool is_offload;
};

static const uint8_t macs[2][6] = { { 2, 0, 0, 0, 0, 1 }, { 2, 0, 0, 0, 0, 2 } };
#define ADDR(i) (0x0a000001u + (ip4)(i))

static uint8_t pattern(uint64_t pos, int from)
{
	return (uint8_t)((pos * 2654435761u >> 13) ^ (pos >> 3) ^ (uint64_t)from * 0x5a);
}

/* ---- set-up ---- */

static const char *const algorithms[] = { "cubic", "reno", "bbr", "dctcp" };
static const char *const settings[][2] = {
	{ "tcp_ecn", "1" }, { "tcp_dsack", "0" }, { "tcp_mtu_probing", "2" }, { "tcp_timestamps", "0" },
	{ "tcp_sack", "0" }, { "tcp_window_scaling", "0" }, { "tcp_recovery", "0" }, { "tcp_frto", "0" },
	{ "tcp_early_retrans", "0" }, { "tcp_rmem", "4096 5000 20000" }, { "tcp_wmem", "4096 5000 20000" },
	{ "tcp_fastopen", "1543" }, { "tcp_slow_start_after_idle", "0" }, { "tcp_autocorking", "0" },
	{ "tcp_moderate_rcvbuf", "0" }, { "tcp_shrink_window", "1" }, { "tcp_mem", "2 4 8" },
};

static void make_stack(struct pair *z, int i, const struct settings *set, const char *algorithm)
{
	struct stack_config cfg = { .settings = *set, .congestion = algorithm };
	struct stack_iface f = { .has_link = true, .has_arp = true, .is_up = true, .can_offload = z->is_offload,
	                         .mtu = 1500, .gso_max = 65535, .oif = 1 };

	cfg.secret[0] = (uint8_t)i;
	memcpy(f.mac, macs[i], 6);
	z->side[i].s = stack_new(&cfg, z->now);
	fuzz_require(z->side[i].s, "no stack");
	stack_add_iface(z->side[i].s, &f);
	stack_add_addr(z->side[i].s, 0, ADDR(i), 24, true, z->now);
	stack_seed_neigh(z->side[i].s, 0, ADDR(!i), macs[!i], true, z->now);
}

static void set_up(struct pair *z)
{
	uint8_t how = fuzz_u8(&z->in);
	uint16_t port;
	ip4 addr;

	z->now = XTIME_SEC;
	z->is_offload = how & 1;
	for (int i = 0; i < 2; i++) {
		struct settings set;
		unsigned n = fuzz_u8(&z->in) % 3;
		const char *name = algorithms[how >> (2 + 2 * i) & 3];

		settings_default(&set);
		set.tcp_retries2 = 255;   /* patience, so that what is lost is never an excuse */
		while (n--) {
			const char *const *row = settings[fuzz_u8(&z->in) % ARRAY_LEN(settings)];

			settings_set(&set, row[0], row[1]);
		}
		make_stack(z, i, &set, NULL);
		z->side[i].c = i ? NULL : tcp_open(z->side[0].s, z->now);
		if (i)
			z->listener = tcp_open(z->side[1].s, z->now);
		tcp_setopt(i ? z->listener : z->side[0].c, IPPROTO_TCP, TCP_CONGESTION, name,
		           (socklen_t)strlen(name), true, z->now);
	}
	fuzz_require(tcp_bind(z->listener, 0, 80, true, &addr, &port, z->now) == 0, "not bound");
	fuzz_require(tcp_listen(z->listener, 4, &addr, &port, z->now) == 0, "not listening");
	fuzz_require(tcp_connect(z->side[0].c, ADDR(1), 80, &addr, &port, z->now) == 0, "not connecting");
}

static void tear_down(struct pair *z)
{
	while (z->n)
		free(z->flight[--z->n].data);
	for (int i = 0; i < 2; i++)
		stack_free(z->side[i].s);
}

/* ---- the network ---- */

/* Full checksums, as an interface that is asked for them makes them. */
static void mend(uint8_t *p, size_t len)
{
	uint8_t *ip = p + ETH_LEN, *tcp;
	size_t ihl, l4;

	if (len < ETH_LEN + IP_LEN_MIN)
		return;
	ihl = (ip[0] & 15) * 4u;
	if (ihl < IP_LEN_MIN || len < ETH_LEN + ihl + TCP_LEN_MIN)
		return;
	put_be16(ip + 10, 0);
	put_be16(ip + 10, csum_fold(csum_add(0, ip, ihl)));
	if (ip[9] != PROTO_TCP)
		return;
	tcp = ip + ihl;
	l4 = len - ETH_LEN - ihl;
	put_be16(tcp + 16, 0);
	put_be16(tcp + 16, csum_fold(csum_add(csum_pseudo(get_be32(ip + 12), get_be32(ip + 16), PROTO_TCP, l4), tcp, l4)));
}

static void fly(struct pair *z, int to, const uint8_t *p, size_t len, struct virtio_net_hdr v, xtime delay)
{
	struct packet k = { .at = z->now + delay, .to = to, .len = len, .vnet = v };

	if (z->n == FLIGHT_MAX)
		return;
	k.data = malloc(len ? len : 1);
	if (!k.data)
		return;
	memcpy(k.data, p, len);
	z->flight[z->n++] = k;
}

/* Changes a few bytes from the IP header on; the checksums are mended, or will tell. */
static void rewrite(struct pair *z, uint8_t *p, size_t *len, struct virtio_net_hdr *v)
{
	uint8_t how = fuzz_u8(&z->in);
	size_t from = how & 4 ? ETH_LEN + IP_LEN_MIN : ETH_LEN;
	unsigned n = 1 + (how >> 4) % 4;

	if (v->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		mend(p, *len);
	if (v->gso_type == VIRTIO_NET_HDR_GSO_NONE)
		memset(v, 0, sizeof(*v));
	else
		v->flags = 0;
	if (how & 2) {
		size_t cut = fuzz_u8(&z->in);

		*len -= MIN(*len - ETH_LEN, cut);
	}
	if (*len <= from)
		return;
	if (!(how & 1))
		n = 1;   /* a single changed byte never escapes a checksum */
	while (n--) {
		size_t at = from + fuzz_u8(&z->in) % MIN(*len - from, (size_t)80);

		p[at] ^= fuzz_u8(&z->in);
	}
	if (how & 1) {
		mend(p, *len);
		z->is_rewritten = true;
	}
}

/* May the next frame be lost? */
static bool may_spoil(struct pair *z)
{
	if (z->spoilt >= SPOILT_MAX)
		return false;
	z->spoilt++;
	z->good = 0;
	return true;
}

/* One frame that left side i meets the network. */
static void meet(struct pair *z, int i, uint8_t *p, size_t len, struct virtio_net_hdr v)
{
	uint8_t what = fuzz_u8(&z->in);
	xtime delay = XTIME_MSEC;

	if (what >= 220 && may_spoil(z)) {
		if (what >= 240)
			return;
		rewrite(z, p, &len, &v);
	} else if (++z->good == GOOD_RUN) {
		z->spoilt = 0;
	}
	if (what >= 200 && what < 220)
		fly(z, !i, p, len, v, (what - 199) * XTIME_MSEC);
	else if (what >= 128 && what < 200)
		delay = (what - 127) * XTIME_MSEC / 4;
	fly(z, !i, p, len, v, delay);
}

static bool pump(struct pair *z, int i)
{
	static uint8_t buf[70000];
	struct frame_out f;
	unsigned n = 0;

	while (stack_output(z->side[i].s, &f, z->now)) {
		size_t len = f.hdr_len;

		memcpy(buf, f.hdr, len);
		for (int k = 0; k < f.payload_cnt; k++) {
			memcpy(buf + len, f.payload[k].iov_base, f.payload[k].iov_len);
			len += f.payload[k].iov_len;
		}
		fuzz_require(len == f.hdr_len + f.payload_len, "payload_len is not the sum");
		meet(z, i, buf, len, f.vnet);
		fuzz_require(n++ < 10000, "endless output");
	}
	return n > 0;
}

/* The packet that is due first; those of one time in order. */
static struct packet *first(struct pair *z)
{
	struct packet *best = NULL;

	for (unsigned k = 0; k < z->n; k++)
		if (!best || z->flight[k].at < best->at)
			best = &z->flight[k];
	return best;
}

static void arrive(struct pair *z)
{
	struct packet *k = first(z);

	while (k && k->at <= z->now) {
		struct frame_in in = { .data = k->data, .len = k->len, .vnet = k->vnet };

		place_input(z->side[k->to].s, 0, &in, NULL, z->now);
		free(k->data);
		memmove(k, k + 1, (size_t)(z->flight + --z->n - k) * sizeof(*k));
		k = first(z);
	}
}

/* ---- the programs ---- */

static void fail(struct side *d, ssize_t ret)
{
	if (ret < 0 && ret != -EAGAIN && !d->err)
		d->err = (int)-ret;
}

static bool write_some(struct pair *z, int i, size_t n, int flags)
{
	struct side *d = &z->side[i];
	uint8_t buf[8192];
	struct iovec iov = { buf, MIN(n, sizeof(buf)) };
	ssize_t ret;

	if (!d->c || d->is_shut || d->err)
		return false;
	for (size_t k = 0; k < iov.iov_len; k++)
		buf[k] = pattern(d->sent + k, i);
	ret = tcp_send(d->c, &iov, 1, 0, flags, z->now);
	if (ret > 0)
		d->sent += (uint64_t)ret;
	fail(d, ret);
	return ret > 0;
}

static bool read_some(struct pair *z, int i, size_t n, int flags)
{
	struct side *d = &z->side[i];
	uint8_t buf[8192];
	struct iovec iov = { buf, MIN(n, sizeof(buf)) };
	ssize_t ret;

	if (!d->c || d->has_eof || d->err || !n)
		return false;
	ret = tcp_recv(d->c, &iov, 1, 0, flags, 0, NULL, z->now);
	fail(d, ret);
	if (ret < 0)
		return false;
	fuzz_require((size_t)ret <= iov.iov_len, "more read than asked for");
	if (ret == 0) {
		d->has_eof = true;
		fuzz_require(z->is_rewritten || z->has_urgent || z->side[!i].is_shut, "an end that nobody said");
		return false;
	}
	if (z->is_rewritten || z->has_urgent)
		return true;
	for (ssize_t k = 0; k < ret; k++)
		fuzz_require(buf[k] == pattern(d->got + (uint64_t)k, !i), "a byte that was not sent");
	if (!(flags & MSG_PEEK))
		d->got += (uint64_t)ret;
	fuzz_require(d->got <= z->side[!i].sent, "more received than sent");
	return !(flags & MSG_PEEK);
}

static void shut(struct pair *z, int i)
{
	struct side *d = &z->side[i];

	if (!d->c || d->is_shut || !conn_in(d->c, ST(ESTABLISHED) | ST(CLOSE_WAIT)))
		return;
	d->is_shut = true;
	tcp_shutdown(d->c, SHUT_WR, z->now);
}

static void set_option(struct pair *z, struct tcp_conn *c)
{
	static const int names[] = { TCP_NODELAY, TCP_CORK, TCP_QUICKACK, TCP_MAXSEG, TCP_WINDOW_CLAMP,
	                             TCP_NOTSENT_LOWAT, TCP_CONGESTION };
	int name = names[fuzz_u8(&z->in) % ARRAY_LEN(names)], v = fuzz_u16(&z->in);
	const char *text = algorithms[v & 3];

	if (name == TCP_CONGESTION)
		tcp_setopt(c, IPPROTO_TCP, name, text, (socklen_t)strlen(text), true, z->now);
	else
		tcp_setopt(c, IPPROTO_TCP, name, &v, sizeof(v), true, z->now);
}

/* What the input has the programs do. */
static void act(struct pair *z)
{
	uint8_t what = fuzz_u8(&z->in);
	int i = what & 1;

	switch (what >> 1 & 15) {
	case 0: case 1: case 2:
		write_some(z, i, fuzz_u8(&z->in) * 32u, what & 32 ? MSG_MORE : 0);
		break;
	case 3: case 4: case 5:
		read_some(z, i, fuzz_u8(&z->in) * 32u, what & 32 ? MSG_PEEK : 0);
		break;
	case 6:
		if (what > 224)
			shut(z, i);
		break;
	case 7:
		if (z->side[i].c)
			set_option(z, z->side[i].c);
		break;
	case 8:
		if (what > 240) {
			z->has_urgent = true;
			write_some(z, i, fuzz_u8(&z->in), MSG_OOB);
		}
		break;
	default:
		break;
	}
}

/* What they do by themselves when the input is at its end. */
static bool finish(struct pair *z)
{
	bool any = false;

	for (int i = 0; i < 2; i++) {
		struct side *d = &z->side[i];
		int off = 0;

		if (d->c && !d->is_shut)
			tcp_setopt(d->c, IPPROTO_TCP, TCP_CORK, &off, sizeof(off), true, z->now);
		while (read_some(z, i, 8192, 0))
			any = true;
		shut(z, i);
	}
	return any;
}

static void accept_one(struct pair *z)
{
	int err;

	if (!z->side[1].c)
		z->side[1].c = tcp_accept(z->listener, &err, z->now);
}

static bool is_over(const struct pair *z)
{
	return z->side[0].err || z->side[1].err || (z->side[0].has_eof && z->side[1].has_eof);
}

static void turn(struct pair *z)
{
	accept_one(z);
	if (z->in.len)
		act(z);
	else
		finish(z);
	for (int i = 0; i < 2; i++) {
		while (stack_next_event(z->side[i].s))
			;
		pump(z, i);
		fuzz_check(z->side[i].s);
		fuzz_check_memory(z->side[i].s);
	}
}

/* Time goes on to the next thing that happens; false: nothing ever will. */
static bool move(struct pair *z)
{
	const struct packet *k = first(z);
	xtime at = xtime_min(stack_deadline(z->side[0].s), stack_deadline(z->side[1].s));

	if (k)
		at = xtime_min(at, k->at);
	if (at == XTIME_NEVER)
		return false;
	z->now = MAX(z->now, at);
	arrive(z);
	stack_expire(z->side[0].s, z->now);
	stack_expire(z->side[1].s, z->now);
	return true;
}

/* A peer without memory takes its window back and refuses what is in flight; when then the network
 * loses every answer for twice tcp_rto_max_ms, it is given up (tcp_rtx_probe0_timed_out()): a time-out here,
 * or a reset there. */
static bool is_starved(const struct pair *z, int i)
{
	const uint64_t *own = stack_counters(z->side[i].s), *peer = stack_counters(z->side[!i].s);

	return own[CTR_TcpExtTCPAbortOnTimeout] && peer[CTR_TcpExtTCPToZeroWindowAdv] &&
	       peer[CTR_TcpExtTCPZeroWindowDrop] + peer[CTR_TcpExtBeyondWindow] > 0;
}

/* Without forged segments nothing else is an excuse. */
static void check_end(const struct pair *z)
{
	if (is_starved(z, 0) || is_starved(z, 1))
		return;
	for (int i = 0; i < 2; i++) {
		const struct side *d = &z->side[i];

		fuzz_require(!d->err, "the connection broke");
		fuzz_require(d->has_eof, "the stream has no end");
		fuzz_require(z->has_urgent || d->got == z->side[!i].sent, "not every byte arrived");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct pair z = { .in = { p, len } };
	unsigned n = 0;
	bool goes_on = true;

	set_up(&z);
	while (!is_over(&z) && goes_on && n++ < STEPS_MAX) {
		bool had_input = z.in.len;

		turn(&z);
		goes_on = move(&z) || had_input;
	}
	if (!z.is_rewritten)
		check_end(&z);
	tear_down(&z);
	return 0;
}
