/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ip_opts.c - IPv4 options (RFC 791 3.1), as Linux's ip_options_compile() checks them
 * and ip_options_build() sends them.
 *
 * One walk serves both sides.  What a program sets must start a new list (a source
 * route that nobody has followed yet); what a packet brings may be half used up.
 */
#include "ip.h"

#include <errno.h>

enum {
	IPOPT_EOL = 0,
	IPOPT_NOOP = 1,
	IPOPT_SECURITY = 130,
	IPOPT_LSRR = 131,
	IPOPT_STAMP = 68,
	IPOPT_CIPSO = 134,
	IPOPT_RR = 7,
	IPOPT_STREAM = 136,
	IPOPT_SSRR = 137,
	IPOPT_ALERT = 148,
};

enum { STAMP_ONLY = 0, STAMP_AND_ADDR = 1, STAMP_PRESPECIFIED = 3 };

/* The walk's findings: offsets into the options plus one, 0: none. */
struct found {
	bool by_program;
	uint8_t srr, rr, stamp;
	size_t bad;        /* offset plus one of the byte that is wrong, 0: none */
};

static void check_srr(struct found *f, const uint8_t *p, size_t at, size_t len)
{
	if (len < 3)
		f->bad = at + 2;
	else if (p[2] < 4)
		f->bad = at + 3;
	else if (f->srr)
		f->bad = at + 1;
	else if (f->by_program && (p[2] != 4 || len < 7 || (len - 3) % 4))
		f->bad = at + 2;
	else
		f->srr = (uint8_t)(at + 1);
}

static void check_rr(struct found *f, const uint8_t *p, size_t at, size_t len)
{
	if (f->rr)
		f->bad = at + 1;
	else if (len < 3)
		f->bad = at + 2;
	else if (p[2] < 4 || (p[2] <= len && p[2] + 3u > len))
		f->bad = at + 3;
	else
		f->rr = (uint8_t)(at + 1);
}

static bool is_stamp_kind(unsigned kind)
{
	return kind == STAMP_ONLY || kind == STAMP_AND_ADDR || kind == STAMP_PRESPECIFIED;
}

/* Room for one more stamp at the pointer?  p[2] counts from 1.  What a kind that nobody
 * knows needs is not known: a time at least. */
static bool stamp_fits(const uint8_t *p, size_t len)
{
	unsigned kind = p[3] & 0xf;
	size_t need = kind == STAMP_AND_ADDR || kind == STAMP_PRESPECIFIED ? 7 : 3;

	return p[2] + need <= len;
}

static void check_stamp(struct found *f, const uint8_t *p, size_t at, size_t len)
{
	unsigned kind = len >= 4 ? p[3] & 0xf : 0;

	if (f->stamp) {
		f->bad = at + 1;
	} else if (len < 4) {
		f->bad = at + 2;
	} else if (p[2] < 5) {
		f->bad = at + 3;
	} else if (p[2] > len) {
		/* Full: a hop that didn't fit in has been counted, up to 15. */
		if (kind != STAMP_PRESPECIFIED && p[3] >> 4 == 15)
			f->bad = at + 4;
	} else if (!stamp_fits(p, len)) {
		f->bad = at + 3;
	} else if (f->by_program && !is_stamp_kind(kind)) {
		f->bad = at + 4;
	}
	if (!f->bad)
		f->stamp = (uint8_t)(at + 1);
}

static void check_one(struct found *f, const uint8_t *p, size_t at, size_t len)
{
	switch (p[0]) {
	case IPOPT_LSRR:
	case IPOPT_SSRR:
		check_srr(f, p, at, len);
		break;
	case IPOPT_RR:
		check_rr(f, p, at, len);
		break;
	case IPOPT_STAMP:
		check_stamp(f, p, at, len);
		break;
	case IPOPT_ALERT:
		if (len < 4)
			f->bad = at + 2;
		break;
	case IPOPT_SECURITY:
	case IPOPT_STREAM:
	case IPOPT_CIPSO:
	default:
		/* For programs with CAP_NET_RAW only; routers know what to do with them. */
		if (f->by_program)
			f->bad = at + 1;
		break;
	}
}

static void walk(struct found *f, const uint8_t *opts, size_t len)
{
	size_t at = 0;

	while (at < len && opts[at] != IPOPT_EOL && !f->bad) {
		if (opts[at] == IPOPT_NOOP) {
			at++;
			continue;
		}
		if (len - at < 2 || opts[at + 1] < 2 || opts[at + 1] > len - at) {
			f->bad = at + 1;
			return;
		}
		check_one(f, opts + at, at, opts[at + 1]);
		at += opts[at + 1];
	}
}

int ip_opts_parse(const uint8_t *p, size_t len, struct ip_optset *o)
{
	struct found f = { .by_program = true };

	memset(o, 0, sizeof(*o));
	if (len > IP_OPT_MAX)
		return -EINVAL;
	if (len)
		memcpy(o->data, p, len);
	o->len = (uint8_t)((len + 3) & ~(size_t)3);
	walk(&f, o->data, o->len);
	if (f.bad)
		return -EINVAL;
	o->srr = f.srr;
	if (f.srr) {
		o->is_strict = o->data[f.srr - 1] == IPOPT_SSRR;
		o->first_hop = get_be32(o->data + f.srr - 1 + 3);
	}
	return 0;
}

/* The route without its first hop, which is the packet's destination, and dst as its end. */
static void build_srr(uint8_t *p, ip4 dst)
{
	size_t len = p[1];

	memmove(p + 3, p + 7, len - 7);
	put_be32(p + len - 4, dst);
}

static void build_stamp(uint8_t *p, ip4 src, uint32_t time)
{
	unsigned kind = p[3] & 0xf;
	size_t at = p[2] - 1u;

	if (p[2] > p[1] || !is_stamp_kind(kind) || (kind == STAMP_PRESPECIFIED && get_be32(p + at) != src))
		return;
	if (kind != STAMP_ONLY) {
		put_be32(p + at, src);
		at += 4;
	}
	put_be32(p + at, time);
	p[2] = (uint8_t)(at + 5);
}

size_t ip_opts_build(const struct ip_optset *o, ip4 src, ip4 dst, uint32_t time, uint8_t out[IP_OPT_MAX])
{
	struct found f = { .by_program = true };

	memcpy(out, o->data, o->len);
	walk(&f, out, o->len);
	if (f.srr)
		build_srr(out + f.srr - 1, dst);
	if (f.rr) {
		uint8_t *p = out + f.rr - 1;

		if (p[2] <= p[1]) {
			put_be32(p + p[2] - 1, src);
			p[2] = (uint8_t)(p[2] + 4);
		}
	}
	if (f.stamp)
		build_stamp(out + f.stamp - 1, src, time);
	return o->len;
}

/* ---- echo ---- */

static void echo_rr(struct ip_optset *o, const uint8_t *p, ip4 us)
{
	uint8_t *out = o->data + o->len;

	memcpy(out, p, p[1]);
	if (out[2] <= out[1]) {   /* ip_options_compile(): we are on the way */
		put_be32(out + out[2] - 1, us);
		out[2] = (uint8_t)(out[2] + 4);
	}
	o->len = (uint8_t)(o->len + p[1]);
}

static void echo_stamp(struct ip_optset *o, const uint8_t *p, ip4 us, uint32_t time)
{
	uint8_t *out = o->data + o->len;

	memcpy(out, p, p[1]);
	if (out[2] > out[1] && (out[3] & 0xf) != STAMP_PRESPECIFIED)
		out[3] = (uint8_t)(out[3] + 0x10);   /* one more that didn't fit in */
	build_stamp(out, us, time);
	o->len = (uint8_t)(o->len + p[1]);
}

/* RFC 1122 3.2.1.8 (c): the way back.  p[2] is behind the last address: the route has ended. */
static void echo_srr(struct ip_optset *o, const uint8_t *p, ip4 src)
{
	uint8_t *out = o->data + o->len;
	unsigned n = (p[1] - 3u) / 4, first = 0, len;

	/* RFC 1812 5.3.13.4: some put themselves in. */
	if (n && get_be32(p + 3) == src)
		first = 1;
	if (n <= first)
		return;
	for (unsigned i = n; i > first; i--)
		memcpy(out + 3 + 4 * (n - i), p + 3 + 4 * (i - 1), 4);
	len = 3 + 4 * (n - first);
	out[0] = p[0];
	out[1] = (uint8_t)len;
	out[2] = 4;
	o->srr = (uint8_t)(o->len + 1);
	o->is_strict = p[0] == IPOPT_SSRR;
	o->first_hop = get_be32(out + 3);
	o->len = (uint8_t)(o->len + len);
}

int ip_opts_echo(const struct ip_hdr *h, uint32_t time, struct ip_optset *o)
{
	struct found f = { .by_program = false }, out = { .by_program = false };

	memset(o, 0, sizeof(*o));
	if (!h->opt_len)
		return 0;
	walk(&f, h->opts, h->opt_len);
	if (f.bad)
		return -EINVAL;
	if (f.rr)
		echo_rr(o, h->opts + f.rr - 1, h->dst);
	if (f.stamp)
		echo_stamp(o, h->opts + f.stamp - 1, h->dst, time);
	if (f.srr)
		echo_srr(o, h->opts + f.srr - 1, h->src);
	o->len = (uint8_t)((o->len + 3) & ~3);
	/* A record of no whole number of entries: there is no room for the next, and it isn't full either. */
	walk(&out, o->data, o->len);
	if (out.bad) {
		memset(o, 0, sizeof(*o));
		return -EINVAL;
	}
	return 0;
}

size_t ip_opts_check(const struct ip_hdr *h, bool *has_srr, bool *is_ended)
{
	struct found f = { .by_program = false };

	walk(&f, h->opts, h->opt_len);
	*has_srr = f.srr != 0;
	*is_ended = !f.srr || h->opts[f.srr + 1] > h->opts[f.srr];
	return f.bad ? IP_LEN_MIN + f.bad - 1 : 0;
}
