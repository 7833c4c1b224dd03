/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * icmp.c - ICMP (RFC 792, RFC 1122 3.2.2) for addresses of our own, and errors about
 * connections on any address that we use.
 *
 * An error is believed no further than it proves to be about something we sent: it must
 * quote a TCP segment from an address and claimed port of ours (RFC 5927 4); whether its
 * sequence number is in flight is for TCP to say.  What we send is limited as by Linux:
 * errors by a token bucket for each destination and one over all.
 */
#include <stdlib.h>

#include "stack_impl.h"

#define ICMP_DATAGRAM_MAX 576  /* RFC 1812 4.3.2.3 */
#define TOS_INTERNETCONTROL 0xc0
#define TOS_RT_MASK 0x1e

/* Linux: 6 messages to one destination at once, then one in icmp_ratelimit ms
 * (XRLIM_BURST_FACTOR). */
#define PEER_BURST 6u

/* ---- out ---- */

static bool take_token(struct icmp_bucket *b, uint32_t cost, uint32_t cap, xtime now)
{
	if (b->stamp == 0) {
		b->tokens = cap;
		b->stamp = now;
	} else {
		xtime ms = (now - b->stamp) / XTIME_MSEC;

		b->tokens = (uint32_t)MIN((xtime)cap, b->tokens + ms);
		b->stamp += ms * XTIME_MSEC;
	}
	if (b->tokens < cost)
		return false;
	b->tokens -= cost;
	return true;
}

/* icmp_global_allow(): icmp_msgs_per_sec in all, icmp_msgs_burst at once. */
static bool may_send_any(struct stack *s, xtime now)
{
	struct icmp_bucket *b = &s->icmp_all;
	xtime every = s->set.icmp_msgs_per_sec ? XTIME_SEC / s->set.icmp_msgs_per_sec : XTIME_NEVER;
	xtime n = b->stamp ? (now - b->stamp) / every : s->set.icmp_msgs_burst;

	if (!b->stamp)
		b->stamp = now;
	else if (n)
		b->stamp += n * every;
	b->tokens = (uint32_t)MIN((xtime)s->set.icmp_msgs_burst, b->tokens + n);
	if (!b->tokens)
		return false;
	b->tokens--;
	return true;
}

/* icmpv4_global_allow() and icmpv4_xrlim_allow(): of what icmp_ratemask names; path MTU
 * discovery is never held up. */
static bool may_send(struct stack *s, ip4 dst, uint8_t type, uint8_t code, xtime now)
{
	uint32_t cost = (uint32_t)s->set.icmp_ratelimit;
	struct icmp_bucket *b = &s->icmp_buckets[siphash_1u64(&s->key_ip, dst) % ICMP_BUCKETS];
	uint32_t cap = cost > UINT32_MAX / PEER_BURST ? UINT32_MAX : cost * PEER_BURST;

	if (type > ICMP_TYPE_MAX || !((uint32_t)s->set.icmp_ratemask >> type & 1) ||
	    (type == ICMP_UNREACH && code == ICMP_UNREACH_NEEDFRAG))
		return true;
	if (!may_send_any(s, now)) {
		count(s, CTR_IcmpOutRateLimitGlobal);
		return false;
	}
	if (cost && !take_token(b, cost, cap, now)) {
		count(s, CTR_IcmpOutRateLimitHost);
		return false;
	}
	return true;
}

static bool is_error_type(uint8_t type)
{
	return type == ICMP_UNREACH || type == ICMP_QUENCH || type == ICMP_REDIRECT ||
	       type == ICMP_TIME_EXCEEDED || type == ICMP_PARAM_PROBLEM;
}

/* RFC 1122 3.2.2: about what no error may be sent. */
static bool may_complain(const struct stack *s, const struct ip_hdr *ip, const uint8_t *l4, size_t len)
{
	if (ip_addr_kind(s, ip->dst) != IP_ADDR_OWN || !ip_is_unicast(s, ip->src))
		return false;
	if (ip->frag_off)
		return false;
	return ip->proto != PROTO_ICMP || (len > 0 && !is_error_type(l4[0]));
}

void icmp_send_error(struct stack *s, const struct ip_hdr *ip, const uint8_t *l4, size_t len,
                     uint8_t type, uint8_t code, uint32_t rest, xtime now)
{
	uint8_t msg[ICMP_DATAGRAM_MAX - IP_LEN_MIN], *quote = msg + ICMP_LEN;
	struct icmp_hdr h = { .type = type, .code = code, .rest = rest };
	struct ip_tx tx = {
		.src = ip->dst,
		.dst = ip->src,
		.tos = (uint8_t)((ip->tos & TOS_RT_MASK) | TOS_INTERNETCONTROL),
		.ttl = (uint8_t)s->set.ip_default_ttl,
		.proto = PROTO_ICMP,
	};
	size_t quoted;

	if (!may_complain(s, ip, l4, len))
		return;
	if (!may_send(s, ip->src, type, code, now))
		return;
	quoted = ip_emit(quote, ip);
	len = MIN(len, sizeof(msg) - ICMP_LEN - quoted);
	memcpy(quote + quoted, l4, len);
	quoted += len;
	icmp_emit(msg, &h, quote, quoted);
	s->icmp_out[type]++;
	tx.id = ip_ident(s, tx.src, tx.dst, PROTO_ICMP);
	ip_send(s, NULL, &tx, msg, ICMP_LEN + quoted, now);
}

/* icmp_reply(): to whom asked, with the options answered in kind (RFC 1122 3.2.2.6, 3.2.1.8).  False: they
 * can't be. */
static bool answer_to(struct stack *s, const struct ip_hdr *ip, struct ip_tx *tx, uint8_t opts[IP_OPT_MAX],
                      xtime now)
{
	uint32_t time = stack_time_of_day(s, now);
	struct ip_optset o;

	*tx = (struct ip_tx){
		.src = ip->dst,
		.dst = ip->src,
		.tos = ip->tos,
		.ttl = (uint8_t)s->set.ip_default_ttl,
		.proto = PROTO_ICMP,
		.opts = opts,
	};
	if (ip_opts_echo(ip, time, &o))
		return false;
	if (o.len) {
		tx->opt_len = (uint8_t)ip_opts_build(&o, tx->src, tx->dst, time, opts);
		if (o.srr)
			tx->dst = o.first_hop;
	}
	tx->id = ip_ident(s, tx->src, tx->dst, PROTO_ICMP);
	return true;
}

/* icmp_echo(): the request's bytes go back, whatever their number (RFC 1122 3.2.2.6). */
static void answer_echo(struct stack *s, const struct ip_hdr *ip, const struct icmp_hdr *h,
                        const uint8_t *p, size_t len, xtime now)
{
	struct icmp_hdr reply = { .type = ICMP_ECHO_REPLY, .rest = h->rest };
	uint8_t small[2048], *msg = small;
	uint8_t opts[IP_OPT_MAX];
	struct ip_tx tx;

	if (!may_send(s, ip->src, ICMP_ECHO_REPLY, 0, now) || !answer_to(s, ip, &tx, opts, now))
		return;
	if (len > sizeof(small))
		msg = malloc(len);
	if (!msg) {
		count(s, CTR_ip_out_full);
		return;
	}
	memcpy(msg, p, len);
	icmp_emit(msg, &reply, msg + ICMP_LEN, len - ICMP_LEN);
	count(s, CTR_icmp_echo_in);
	s->icmp_out[ICMP_ECHO_REPLY]++;
	ip_send(s, NULL, &tx, msg, len, now);
	if (msg != small)
		free(msg);
}

/* icmp_timestamp(). */
static void answer_timestamp(struct stack *s, const struct ip_hdr *ip, const struct icmp_hdr *h,
                             const uint8_t *p, size_t len, xtime now)
{
	struct icmp_hdr reply = { .type = ICMP_TIMESTAMP_REPLY, .rest = h->rest };
	uint8_t msg[ICMP_LEN + 12], *times = msg + ICMP_LEN;
	uint8_t opts[IP_OPT_MAX];
	struct ip_tx tx;

	if (len < ICMP_LEN + 4) {
		count(s, CTR_icmp_short);
		return;
	}
	if (!may_send(s, ip->src, ICMP_TIMESTAMP_REPLY, 0, now) || !answer_to(s, ip, &tx, opts, now))
		return;
	memcpy(times, p + ICMP_LEN, 4);
	put_be32(times + 4, stack_time_of_day(s, now));
	put_be32(times + 8, stack_time_of_day(s, now));
	icmp_emit(msg, &reply, times, 12);
	s->icmp_out[ICMP_TIMESTAMP_REPLY]++;
	ip_send(s, NULL, &tx, msg, sizeof(msg), now);
}

/* ---- errors in ---- */

/* icmp_unreach(): the MTU that a message tells; 0, and with ip_no_pmtu_disc, is the least. */
static uint32_t told_mtu(const struct stack *s, const struct icmp_hdr *h)
{
	if (h->type != ICMP_UNREACH || h->code != ICMP_UNREACH_NEEDFRAG || s->set.ip_no_pmtu_disc == 1 || s->set.ip_no_pmtu_disc > 3)
		return 0;
	return h->rest & 0xffff;
}

/* Is what the error quotes a segment that we can have sent? */
static bool is_quote_ours(const struct stack *s, const struct ip_hdr *q, const uint8_t *l4, size_t len)
{
	enum ip_addr_kind kind = ip_addr_kind(s, q->src);

	if (kind == IP_ADDR_NONE || q->proto != PROTO_TCP || q->frag_off || len < ICMP_QUOTE_MIN)
		return false;
	return kind == IP_ADDR_OWN || conntab_is_claimed(&s->tab, q->src, get_be16(l4));
}

static void input_error(struct stack *s, const struct icmp_hdr *h, const uint8_t *body, size_t len,
                        xtime now)
{
	struct ip_hdr q;
	struct tuple t;
	const uint8_t *l4;

	if (ip_parse_quote(body, len, &q)) {
		count(s, CTR_icmp_quote);
		return;
	}
	l4 = body + q.hdr_len;
	if (!is_quote_ours(s, &q, l4, len - q.hdr_len)) {
		count(s, CTR_icmp_quote);
		return;
	}
	t = (struct tuple){ q.src, q.dst, get_be16(l4), get_be16(l4 + 2) };
	tcp_icmp(s, &t, get_be32(l4 + 4), h->type, h->code, told_mtu(s, h), now);
}

/* icmp_unreach(): does this error concern connections at all?  ip_no_pmtu_disc 2 ignores what
 * is said of MTUs (3 wants the transport to check it, as TCP does). */
static bool is_for_tcp(const struct stack *s, const struct icmp_hdr *h)
{
	if (h->type == ICMP_TIME_EXCEEDED || h->type == ICMP_PARAM_PROBLEM)
		return true;
	if (h->type != ICMP_UNREACH || h->code > ICMP_UNREACH_MAX)
		return false;
	return h->code != ICMP_UNREACH_NEEDFRAG || s->set.ip_no_pmtu_disc != 2;
}

void icmp_input(struct stack *s, const struct ip_hdr *ip, const uint8_t *p, size_t len, xtime now)
{
	struct icmp_hdr h;
	int why = icmp_parse(p, len, &h);

	if (why) {
		count(s, (enum counter)why);
		return;
	}
	s->icmp_in[h.type]++;
	if (h.type > ICMP_TYPE_MAX)
		count(s, CTR_icmp_unknown);
	else if (is_for_tcp(s, &h))
		input_error(s, &h, p + ICMP_LEN, len - ICMP_LEN, now);
	else if (h.type == ICMP_ECHO && ip_addr_kind(s, ip->dst) == IP_ADDR_OWN &&
	         !s->set.icmp_echo_ignore_all)
		answer_echo(s, ip, &h, p, len, now);
	else if (h.type == ICMP_TIMESTAMP && ip_addr_kind(s, ip->dst) == IP_ADDR_OWN)
		answer_timestamp(s, ip, &h, p, len, now);
	else
		count(s, CTR_icmp_type);
}

void icmp_input_broadcast(struct stack *s, const uint8_t *p, size_t len)
{
	struct icmp_hdr h;
	int why = icmp_parse(p, len, &h);

	if (why) {
		count(s, (enum counter)why);
		return;
	}
	s->icmp_in[h.type]++;
	count(s, CTR_icmp_broadcast);
}
