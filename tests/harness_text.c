/* SPDX-License-Identifier: BSD-2-Clause */
/* harness_text.c - see harness_text.h. */
#include "harness_text.h"

#include <stdio.h>

static const struct { char ch; uint16_t bit; } flag_chars[] = {
	{ 'S', TCPF_SYN }, { 'F', TCPF_FIN }, { 'R', TCPF_RST }, { 'P', TCPF_PSH },
	{ 'U', TCPF_URG }, { 'E', TCPF_ECE }, { 'W', TCPF_CWR }, { '.', TCPF_ACK },
};

static uint16_t parse_flags(const char *p)
{
	uint16_t flags = 0;

	if (!strcmp(p, "-"))
		return 0;
	for (; *p; p++) {
		size_t i = 0;

		while (i < ARRAY_LEN(flag_chars) && flag_chars[i].ch != *p)
			i++;
		if (i == ARRAY_LEN(flag_chars))
			fail_msg("unknown flag %c", *p);
		flags |= flag_chars[i].bit;
	}
	return flags;
}

static uint32_t parse_number(const char *p, char **end)
{
	uint32_t v = (uint32_t)strtol(p, end, 10);

	if (!p || *end == p)
		fail_msg("not a number: %s", p);
	return v;
}

/* The IP header's ECN field, RFC 3168 5. */
static bool parse_ecn(struct text *x, const char *word)
{
	static const char *const names[] = { "noecn", "ect1", "ect0", "ce" };

	for (uint8_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(word, names[i])) {
			x->ecn = i;
			x->has_ecn = true;
			return true;
		}
	return false;
}

/* Words that stand alone or before a number; false: it is none of them. */
static bool parse_word(struct text *x, const char *word, char **save)
{
	static const char *const alone[] = { "sackOK", "nots", "ts" };
	uint32_t v = 0;
	char *end;

	if (!strcmp(word, alone[0])) {
		x->th.sack_permitted = x->has_options = true;
		return true;
	}
	if (!strcmp(word, alone[1])) {
		x->no_ts = true;
		return true;
	}
	if (!strcmp(word, alone[2])) {
		x->th.has_ts = true;
		return true;
	}
	if (parse_ecn(x, word))
		return true;
	v = parse_number(strtok_r(NULL, " ", save), &end);
	if (!strcmp(word, "ack")) {
		x->has_ack = true;
		x->th.ack = v;
	} else if (!strcmp(word, "win")) {
		x->has_win = true;
		x->th.wnd = (uint16_t)v;
	} else if (!strcmp(word, "mss")) {
		x->th.has_mss = x->has_options = true;
		x->th.mss = (uint16_t)v;
	} else if (!strcmp(word, "wscale")) {
		x->th.has_wscale = x->has_options = true;
		x->th.wscale = (uint8_t)v;
	} else if (!strcmp(word, "tsval")) {
		x->th.has_ts = x->has_tsval = true;
		x->th.tsval = v;
	} else if (!strcmp(word, "ecr")) {
		x->th.has_ts = x->has_ecr = true;
		x->th.tsecr = v;
	} else if (!strcmp(word, "gso")) {
		x->has_gso = true;
		x->gso = (uint16_t)v;
	} else if (!strcmp(word, "urg")) {
		x->has_urg = true;
		x->th.urg = (uint16_t)v;
	} else {
		return false;
	}
	return true;
}

void text_parse(struct text *x, const char *fmt, va_list ap)
{
	char buf[256], *save, *word, *end;

	memset(x, 0, sizeof(*x));
	vsnprintf(buf, sizeof(buf), fmt, ap);
	x->th.flags = parse_flags(strtok_r(buf, " ", &save));
	word = strtok_r(NULL, " ", &save);
	x->th.seq = parse_number(word, &end);
	if (*end == ':')
		x->len = parse_number(end + 1, &end) - x->th.seq;
	while ((word = strtok_r(NULL, " ", &save))) {
		if (strcmp(word, "sack")) {
			if (!parse_word(x, word, &save))
				fail_msg("unknown word %s", word);
			continue;
		}
		/* Blocks up to the end of the text. */
		while ((word = strtok_r(NULL, " ", &save))) {
			struct tcp_sack_block *b = &x->th.sack[x->th.nsack++];

			b->start = parse_number(word, &end);
			b->end = parse_number(end + 1, &end);
		}
	}
}

void text_format(const struct rig *t, char *buf, size_t size)
{
	const struct tcp_hdr *th = &t->th;
	size_t n = 0;

#define ADD(...) (n += (size_t)snprintf(buf + n, n < size ? size - n : 0, __VA_ARGS__))
	for (size_t i = 0; i < ARRAY_LEN(flag_chars); i++)
		if (th->flags & flag_chars[i].bit)
			ADD("%c", flag_chars[i].ch);
	ADD(" %d", (int)(th->seq - t->iss));
	if (t->len)
		ADD(":%d", (int)(th->seq - t->iss + t->len));
	if (th->flags & TCPF_ACK)
		ADD(" ack %d", (int)(th->ack - t->irs));
	ADD(" win %u", th->wnd);
	if (th->has_mss)
		ADD(" mss %u", th->mss);
	if (th->sack_permitted)
		ADD(" sackOK");
	if (th->has_ts)
		ADD(" tsval %u ecr %u", th->tsval, th->tsecr);
	if (th->has_wscale)
		ADD(" wscale %u", th->wscale);
	if (t->ip.tos & 3)
		ADD(" %s", (const char *[]){ "", "ect1", "ect0", "ce" }[t->ip.tos & 3]);
	if (th->urg)
		ADD(" urg %u", th->urg);
	if (t->vnet.gso_type)
		ADD(" gso %u", t->vnet.gso_size);
	for (unsigned i = 0; i < th->nsack; i++)
		ADD("%s %d:%d", i ? "" : " sack", (int)(th->sack[i].start - t->irs), (int)(th->sack[i].end - t->irs));
#undef ADD
}

bool text_matches(const struct rig *t, const struct text *x)
{
	const struct tcp_hdr *th = &t->th, *e = &x->th;

	if (th->flags != e->flags || th->seq - t->iss != e->seq || t->len != x->len || th->nsack != e->nsack)
		return false;
	for (unsigned i = 0; i < th->nsack; i++)
		if (th->sack[i].start - t->irs != e->sack[i].start || th->sack[i].end - t->irs != e->sack[i].end)
			return false;
	if (x->has_ack && th->ack - t->irs != e->ack)
		return false;
	if (x->has_ecn && (t->ip.tos & 3) != x->ecn)
		return false;
	if ((x->has_win && th->wnd != e->wnd) || (x->has_urg && th->urg != e->urg))
		return false;
	if (x->has_options && (th->has_mss != e->has_mss || th->mss != e->mss || th->has_wscale != e->has_wscale ||
	                       th->wscale != e->wscale || th->sack_permitted != e->sack_permitted))
		return false;
	if ((e->has_ts && !th->has_ts) || (x->no_ts && th->has_ts) || (x->has_tsval && th->tsval != e->tsval) ||
	    (x->has_ecr && th->tsecr != e->tsecr))
		return false;
	return !x->has_gso || (x->gso ? t->vnet.gso_type && t->vnet.gso_size == x->gso : !t->vnet.gso_type);
}
