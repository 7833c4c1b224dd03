/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * peer.c - the peer: segments as the script has them, to and from bytes.
 *
 * Numbers: both sides' count from their initial ones, but those of a SYN: there the peer's are as
 * the line says, and ours stand for what we chose.  A timestamp that the script echoes is that of
 * the segment of ours which it expected with that value.
 *
 * A segment belongs to the connection under test: the socket opened last, or the one that the
 * last SYN to a listener has made, or the one that the ports in the line say.
 */
#include "conform/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire_tcp.h"

enum { OPT_EOL = 0, OPT_NOP = 1, OPT_SACK = 5, OPT_TS = 8 };

/* A segment of ours that has arrived, in the script's numbers but ports and tsval. */
struct seen {
	xtime at;
	struct ip_hdr ip;
	struct tcp_hdr th;
	const uint8_t *opts;     /* raw */
	size_t opt_len;
	uint32_t len;            /* payload */
	const uint8_t *payload;
	uint32_t live_seq;
};

/* ---- connections ---- */

struct peer *peer_new(struct run *r, int fd)
{
	struct peer *p = calloc(1, sizeof(*p));

	if (!p)
		abort();
	p->fd = fd;
	p->next = r->peers;
	r->peers = p;
	r->under_test = p;
	return p;
}

struct peer *peer_of_fd(struct run *r, int fd)
{
	struct peer *p;

	for (p = r->peers; p && p->fd != fd; p = p->next)
		;
	return p;
}

static struct peer *with_ports(struct run *r, uint16_t lport, uint16_t rport)
{
	struct peer *p;

	for (p = r->peers; p; p = p->next)
		if (p->rport == rport && p->lport == lport && p->state >= PEER_PASSIVE)
			return p;
	return NULL;
}

/* The connection that an injected segment belongs to. */
static struct peer *peer_for_input(struct run *r, const struct segment_spec *s)
{
	struct peer *p = r->under_test;

	if (s->sport)
		p = with_ports(r, s->dport, s->sport);
	if (p && p->state != PEER_LISTENING)
		return p;
	p = peer_new(r, -1);
	p->state = PEER_PASSIVE;
	p->raddr = r->s->remote;
	p->lport = s->dport ? s->dport : RUN_PORT;
	p->rport = s->sport ? s->sport : r->next_port++;
	return p;
}

/* ---- timestamps ---- */

static void remember_ts(struct peer *p, uint32_t script, uint32_t live)
{
	if (!p->has_ts) {
		p->has_ts = true;
		p->first_script_ts = script;
		p->first_live_ts = live;
	}
	if (p->nts == p->ts_cap) {
		p->ts_cap = p->ts_cap ? 2 * p->ts_cap : 16;
		p->ts = realloc(p->ts, p->ts_cap * sizeof(*p->ts));
		if (!p->ts)
			abort();
	}
	p->ts[p->nts++] = (struct ts_pair){ script, live };
}

static uint32_t live_ts(struct run *r, const struct peer *p, uint32_t script)
{
	unsigned i;

	for (i = p->nts; i-- > 0;)
		if (p->ts[i].script == script)
			return p->ts[i].live;
	if (!r->s->scales_ecr || !p->has_ts)
		run_fail(r, "ecr %u: no segment was expected with that timestamp", script);
	return script - p->first_script_ts + p->first_live_ts;
}

/* ---- out to us ---- */

/* What is added to a number of our sequence space in the script, for that on the wire. */
static uint32_t our_offset(const struct peer *p, uint16_t flags)
{
	return flags & TCPF_SYN ? p->live_iss - p->script_iss : p->live_iss;
}

/* And to one of the peer's. */
static uint32_t their_offset(const struct peer *p, uint16_t flags)
{
	return flags & TCPF_SYN ? 0 : p->irs;
}

/* Moves the edges of SACK blocks by offset. */
static void move_sack(uint8_t *o, size_t len, uint32_t offset)
{
	size_t i = 0, k;

	for (; i + 1 < len && o[i] != OPT_EOL; i += o[i] == OPT_NOP ? 1 : MAX(o[i + 1], 1))
		for (k = i + 2; o[i] == OPT_SACK && k + 8 <= i + o[i + 1]; k += 8) {
			put_be32(o + k, get_be32(o + k) + offset);
			put_be32(o + k + 4, get_be32(o + k + 4) + offset);
		}
}

/* Timestamp echo and SACK blocks from the script's numbers to ours. */
static void map_options(struct run *r, const struct peer *p, uint16_t flags, uint8_t *o, size_t len)
{
	size_t i = 0;

	move_sack(o, len, our_offset(p, flags));
	while (i < len && o[i] != OPT_EOL) {
		if (o[i] == OPT_NOP) {
			i++;
			continue;
		}
		if (o[i] == OPT_TS && flags & TCPF_ACK)
			put_be32(o + i + 6, live_ts(r, p, get_be32(o + i + 6)));
		i += o[i + 1];
	}
}

static void send_ip(struct run *r, const struct peer *p, uint8_t proto, const uint8_t *l4, size_t len)
{
	const struct segment_spec *s = &r->now->seg;
	struct ip_hdr h = { .src = p->raddr ? p->raddr : r->s->remote, .dst = r->s->local, .proto = proto,
			    .ttl = s->ttl >= 0 ? (uint8_t)s->ttl : 255,
			    .tos = s->tos >= 0 ? (uint8_t)s->tos : 0,
			    .total_len = (uint16_t)(IP_LEN_MIN + len) };
	uint8_t *b = malloc(IP_LEN_MAX + len);

	if (!b)
		abort();
	ip_emit(b, &h);
	memcpy(b + IP_LEN_MIN, l4, len);
	veng_input(b, IP_LEN_MIN + len, r->s->mss && s->len > r->s->mss ? (uint16_t)r->s->mss : 0);
	free(b);
}

static void inject_tcp(struct run *r, struct peer *p)
{
	const struct segment_spec *s = &r->now->seg;
	struct tcp_hdr th = { .sport = s->sport ? s->sport : p->rport, .dport = s->dport ? s->dport : p->lport,
			      .seq = s->seq + their_offset(p, s->flags), .flags = s->flags, .wnd = (uint16_t)s->win, .urg = s->urg };
	size_t hdr_len = TCP_LEN_MIN + s->opt_len, i;
	uint8_t *b = malloc(TCP_LEN_MAX + s->len);
	ip4 src = p->raddr ? p->raddr : r->s->remote;

	if (!b)
		abort();
	if (s->flags & TCPF_ACK)
		th.ack = s->ack + our_offset(p, s->flags);
	tcp_emit(b, &th);
	memcpy(b + TCP_LEN_MIN, s->opts, s->opt_len);
	map_options(r, p, s->flags, b + TCP_LEN_MIN, s->opt_len);
	b[12] = (uint8_t)((b[12] & 0x0f) | hdr_len / 4 << 4);
	for (i = 0; i < s->len; i++)
		b[hdr_len + i] = run_pattern(th.seq - p->irs + (uint32_t)i - !(s->flags & TCPF_SYN));
	put_be16(b + 16, 0);
	tcp_set_csum(b, csum_fold(csum_add(csum_pseudo(src, r->s->local, PROTO_TCP, hdr_len + s->len), b,
					   hdr_len + s->len)));
	send_ip(r, p, PROTO_TCP, b, hdr_len + s->len);
	free(b);
}

/* An ICMP error with the header of a segment of ours and 8 bytes of it. */
static void inject_icmp(struct run *r, const struct peer *p)
{
	const struct icmp_spec *m = &r->now->seg.icmp;
	uint32_t seq = m->has_quote ? m->seq + our_offset(p, m->seq == p->script_iss ? TCPF_SYN : 0)
				     : p->last.seq;
	uint32_t len = m->has_quote ? m->len : p->last.end - p->last.seq;
	struct ip_hdr quoted = { .src = r->s->local, .dst = p->raddr ? p->raddr : r->s->remote, .ttl = 60,
				 .is_df = true, .proto = PROTO_TCP,
				 .total_len = (uint16_t)(IP_LEN_MIN + TCP_LEN_MIN + len) };
	struct tcp_hdr th = { .sport = p->lport, .dport = p->rport, .seq = seq, .flags = TCPF_ACK };
	struct icmp_hdr h = { .type = m->type, .code = m->code, .rest = m->mtu };
	uint8_t b[ICMP_LEN + IP_LEN_MAX + TCP_LEN_MAX];
	size_t ip_len = ip_emit(b + ICMP_LEN, &quoted);

	tcp_emit(b + ICMP_LEN + ip_len, &th);
	icmp_emit(b, &h, b + ICMP_LEN, ip_len + 8);
	send_ip(r, p, PROTO_ICMP, b, ICMP_LEN + ip_len + 8);
}

/* The peer's initial number: a client's first SYN has it, or the first SYN-ACK that answers ours. */
static void learn_irs(struct peer *p, const struct segment_spec *s)
{
	if (!(s->flags & TCPF_SYN) || (p->is_active && !(s->flags & TCPF_ACK)))
		return;
	if (!p->is_answered)
		p->irs = s->seq;
	p->is_answered = true;
	p->syn_seq = s->seq;
}

void peer_inject(struct run *r)
{
	const struct segment_spec *s = &r->now->seg;
	struct peer *p;

	if (s->is_icmp) {
		if (!r->under_test)
			run_fail(r, "there is no connection that this could be about");
		inject_icmp(r, r->under_test);
		return;
	}
	p = peer_for_input(r, s);
	learn_irs(p, s);
	inject_tcp(r, p);
}

/* ---- in from us ---- */

static void format_options(const uint8_t *o, size_t len, char *buf, size_t size)
{
	size_t i = 0, k, n = 0;
	const char *sep = "";

#define ADD(...) (n += (size_t)snprintf(buf + n, n < size ? size - n : 0, __VA_ARGS__))
	if (!len)
		return;
	ADD(" <");
	while (i < len) {
		uint8_t kind = o[i], olen = kind > 1 && i + 1 < len ? o[i + 1] : 1;

		ADD("%s", sep);
		sep = ",";
		if (kind <= 1)
			ADD(kind ? "nop" : "eol");
		else if (kind == 2)
			ADD("mss %u", get_be16(o + i + 2));
		else if (kind == 3)
			ADD("wscale %u", o[i + 2]);
		else if (kind == 4)
			ADD("sackOK");
		else if (kind == OPT_TS)
			ADD("TS val %u ecr %u", get_be32(o + i + 2), get_be32(o + i + 6));
		else if (kind == OPT_SACK)
			ADD("sack");
		else
			ADD(kind == 34 ? "FO " : kind == 254 ? "FOEXP " : "kind %u:", kind);
		for (k = i + 2; kind == OPT_SACK && k + 8 <= i + olen; k += 8)
			ADD(" %u:%u", get_be32(o + k), get_be32(o + k + 4));
		for (k = i + (kind == 254 ? 4 : 2); kind > OPT_TS && k < i + olen; k++)
			ADD("%02x", o[k]);
		i += olen ? olen : 1;
	}
	ADD(">");
}

static void format_seen(const struct seen *g, char *buf, size_t size)
{
	static const char chars[] = "FSRP.UEWA";
	static const char order[] = "FSRPUEWA.";
	size_t n = 0, i;

	for (i = 0; order[i]; i++)
		if (g->th.flags >> (strchr(chars, order[i]) - chars) & 1)
			ADD("%c", order[i]);
	ADD(" %u:%u(%u)", g->th.seq, g->th.seq + g->len, g->len);
	if (g->th.flags & TCPF_ACK)
		ADD(" ack %u", g->th.ack);
	ADD(" win %u", g->th.wnd);
	if (g->th.urg)
		ADD(" urg %u", g->th.urg);
	if (g->ip.tos)
		ADD(" [tos 0x%02x]", g->ip.tos);
	if (n < size)
		format_options(g->opts, g->opt_len, buf + n, size - n);
#undef ADD
}

static void show(const struct seen *g)
{
	char text[512] = "";

	format_seen(g, text, sizeof(text));
	printf("%.6f > %s\n", run_seconds(g->at), text);
}

/* Complains with the segment as it came, in the script's language. */
static _Noreturn void mismatch(struct run *r, const struct seen *g, const char *what)
{
	char got[512] = "";

	format_seen(g, got, sizeof(got));
	run_fail(r, "%s\n    came:     %.6f > %s", what, run_seconds(g->at), got);
}

/* A SYN of a connect() under way says which port we have chosen. */
static struct peer *learn_connect(struct run *r, const struct tcp_hdr *th, ip4 dst)
{
	struct peer *p;

	if ((th->flags & (TCPF_SYN | TCPF_ACK)) != TCPF_SYN)
		return NULL;
	for (p = r->peers; p; p = p->next) {
		if (p->state != PEER_CONNECTING || p->raddr != dst || p->rport != th->dport)
			continue;
		p->state = PEER_SYN_SENT;
		p->is_active = true;
		p->lport = th->sport;
		return p;
	}
	return NULL;
}

static struct peer *owner_of(struct run *r, const struct tcp_hdr *th, ip4 dst)
{
	const struct segment_spec *s = &r->now->seg;
	struct peer *p = r->under_test;

	if (s->sport)
		p = with_ports(r, s->sport, s->dport);
	if (p && p->lport == th->sport && p->rport == th->dport && p->state != PEER_CONNECTING &&
	    p->state != PEER_LISTENING)
		return p;
	return learn_connect(r, th, dst);
}

/* The next segment of ours that is the script's affair, in its numbers; false: none comes. */
static bool next_segment(struct run *r, xtime until, struct veng_frame **frame, struct seen *g)
{
	const struct segment_spec *s = &r->now->seg;
	struct veng_frame *k;
	struct peer *p;
	size_t off;

	for (;;) {
		if (!veng_run(until, true))
			return false;
		k = veng_take();
		if (!k)
			return false;
		memset(g, 0, sizeof(*g));
		ip_parse(k->bytes, k->len, &g->ip);
		off = g->ip.hdr_len;
		if (g->ip.proto == PROTO_TCP) {
			tcp_parse(k->bytes + off, k->len - off, &g->th);
			p = owner_of(r, &g->th, g->ip.dst);
			if (p)
				break;
		}
		free(k);
	}
	*frame = k;
	g->at = k->at;
	g->opts = k->bytes + off + TCP_LEN_MIN;
	g->opt_len = g->th.hdr_len - TCP_LEN_MIN;
	g->payload = k->bytes + off + g->th.hdr_len;
	g->len = (uint32_t)(k->len - off - g->th.hdr_len);
	r->under_test = p;
	/* A SYN-ACK with another number begins a new incarnation of a client. */
	if (!p->is_active && p->state == PEER_OPEN && g->th.flags & TCPF_SYN && g->th.seq != p->live_iss) {
		p->state = PEER_PASSIVE;
		p->irs = p->syn_seq;
	}
	if (g->th.flags & TCPF_SYN && (p->state == PEER_SYN_SENT || p->state == PEER_PASSIVE)) {
		p->state = PEER_OPEN;
		p->script_iss = s->seq;
		p->live_iss = g->th.seq;
	}
	p->last.seq = g->live_seq = g->th.seq;
	p->last.end = g->th.seq + g->len;
	p->last.flags = g->th.flags;
	g->th.seq -= our_offset(p, g->th.flags);
	g->th.ack -= their_offset(p, g->th.flags);
	move_sack(k->bytes + off + TCP_LEN_MIN, g->opt_len, 0u - their_offset(p, g->th.flags));
	if (r->is_verbose)
		show(g);
	return true;
}

/* ---- comparing ---- */

static void check_options(struct run *r, struct peer *p, const struct seen *g)
{
	const struct segment_spec *s = &r->now->seg;
	uint32_t script, live, since;
	size_t i, len;

	if (s->any_options)
		return;
	if (g->opt_len != s->opt_len)
		mismatch(r, g, "other options");
	for (i = 0; i < s->opt_len; i += len) {
		len = s->opts[i] > 1 ? s->opts[i + 1] : 1;
		if (s->opts[i] != g->opts[i])
			mismatch(r, g, "other options");
		if (s->opts[i] != OPT_TS) {
			if (memcmp(s->opts + i, g->opts + i, len))
				mismatch(r, g, "an option with another value");
			continue;
		}
		script = get_be32(s->opts + i + 2);
		live = get_be32(g->opts + i + 2);
		remember_ts(p, script, live);
		since = live - p->first_live_ts - (script - p->first_script_ts);
		if (r->s->ts_tick && llabs((int32_t)since) * r->s->ts_tick > r->s->tolerance)
			mismatch(r, g, "a timestamp with another value");
		if (s->opts[i + 1] != g->opts[i + 1] || memcmp(s->opts + i + 6, g->opts + i + 6, 4))
			mismatch(r, g, "a timestamp that echoes another value");
	}
}

static void check_ip(struct run *r, const struct seen *g)
{
	const struct segment_spec *s = &r->now->seg;
	unsigned ecn = g->ip.tos & 3;

	if (s->tos == TOS_ECT01 && ecn != 1 && ecn != 2)
		mismatch(r, g, "other ECN bits");
	if (s->tos >= 0 && s->tos != (int)(s->is_whole_tos ? g->ip.tos : ecn))
		mismatch(r, g, s->is_whole_tos ? "another TOS" : "other ECN bits");
	if (s->ttl >= 0 && s->ttl != g->ip.ttl)
		mismatch(r, g, "another TTL");
}

static void check_payload(struct run *r, const struct peer *p, const struct seen *g)
{
	uint32_t from = g->live_seq - p->live_iss - !(g->th.flags & TCPF_SYN);
	uint32_t i;

	for (i = 0; !r->any_payload && i < g->len; i++)
		if (g->payload[i] != run_pattern(from + i))
			mismatch(r, g, "other bytes than were written");
}

/* Where super-frames end says where PSH is; without them it is only at the end of writes. */
static uint16_t vague_flags(void)
{
	return veng_config.can_offload ? 0 : TCPF_PSH;
}

/* The first piece of what the script has as one segment, or all of it. */
static void check_head(struct run *r, struct peer *p, const struct seen *g)
{
	const struct segment_spec *s = &r->now->seg;
	/* What only the last piece has. */
	uint16_t last = g->len < s->len ? TCPF_FIN | TCPF_PSH : vague_flags();

	if ((g->th.flags | last) != (s->flags | last))
		mismatch(r, g, "other flags");
	if (g->th.seq != s->seq)
		mismatch(r, g, "another sequence number");
	if (s->flags & TCPF_ACK && g->th.ack != s->ack)
		mismatch(r, g, "another acknowledgment number");
	if (g->len > s->len || (g->len < s->len && (!g->len || r->s->strict_segments)))
		mismatch(r, g, "another length");
	if (s->win >= 0 && g->th.wnd != s->win)
		mismatch(r, g, "another window");
	if (g->th.urg != s->urg)
		mismatch(r, g, "another urgent pointer");
	check_options(r, p, g);
	check_ip(r, g);
	check_payload(r, p, g);
}

/* The pieces that follow: each of the first one's size, but the last. */
static void check_rest(struct run *r, struct peer *p, const struct seen *head)
{
	const struct segment_spec *s = &r->now->seg;
	uint32_t have = head->len, piece = head->len;
	struct veng_frame *k;
	struct seen g;

	while (have < s->len && !r->s->strict_segments) {
		if (!next_segment(r, head->at + r->s->tolerance, &k, &g))
			run_fail(r, "only %u of %u bytes came", have, s->len);
		if (g.th.seq != s->seq + have || g.th.ack != head->th.ack || have + g.len > s->len ||
		    (have + g.len < s->len && g.len != piece))
			mismatch(r, &g, "not the rest of the segment");
		have += g.len;
		if (have == s->len && (g.th.flags | vague_flags()) != (s->flags | vague_flags()))
			mismatch(r, &g, "other flags");
		check_payload(r, p, &g);
		free(k);
	}
}

void peer_expect(struct run *r)
{
	const struct event *e = r->now;
	struct veng_frame *k;
	struct seen g;

	if (!r->under_test)
		run_fail(r, "there is no connection that this could belong to");
	if (!next_segment(r, e->time == TIME_ANY ? XTIME_NEVER : e->until + 2 * XTIME_SEC, &k, &g))
		run_fail(r, "nothing came");
	check_head(r, r->under_test, &g);
	run_check_time(r, g.at, "it");
	check_rest(r, r->under_test, &g);
	free(k);
}
