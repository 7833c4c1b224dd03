/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * snmp.c - snmp.def as a table and as text.
 */
#include "snmp.h"

#include <string.h>

#include "stack_impl.h"

/* ---- what is no counter ---- */

static int64_t not_forwarding(const struct stack *s)
{
	(void)s;
	return 2;   /* RFC 4293: 1 is a router */
}

static int64_t default_ttl(const struct stack *s) { return s->set.ip_default_ttl; }

/* RFC 4022: 1, "other"; times in ms, as Linux fills them in whatever the settings are. */
static int64_t rto_other(const struct stack *s)
{
	(void)s;
	return 1;
}

static int64_t rto_min(const struct stack *s)
{
	(void)s;
	return 200;
}

static int64_t rto_max(const struct stack *s)
{
	(void)s;
	return 120000;
}

static int64_t no_limit(const struct stack *s)
{
	(void)s;
	return -1;
}

static int64_t curr_estab(const struct stack *s) { return s->nestab; }

static int64_t sum_types(const uint64_t *v)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < ICMP_TYPES; i++)
		sum += v[i];
	return (int64_t)sum;
}

static int64_t icmp_OutMsgs(const struct stack *s) { return sum_types(s->icmp_out); }
static int64_t icmp_InMsgs(const struct stack *s)
{
	/* Those that are no ICMP messages are no type's. */
	return sum_types(s->icmp_in) + (int64_t)(s->counters[CTR_icmp_short] + s->counters[CTR_icmp_csum]);
}

#define ICMP_TYPE(name, type) \
	static int64_t icmp_In##name(const struct stack *s) { return (int64_t)s->icmp_in[type]; } \
	static int64_t icmp_Out##name(const struct stack *s) { return (int64_t)s->icmp_out[type]; }
ICMP_TYPE(EchoReps, 0)
ICMP_TYPE(DestUnreachs, 3)
ICMP_TYPE(SrcQuenchs, 4)
ICMP_TYPE(Redirects, 5)
ICMP_TYPE(Echos, 8)
ICMP_TYPE(TimeExcds, 11)
ICMP_TYPE(ParmProbs, 12)
ICMP_TYPE(Timestamps, 13)
ICMP_TYPE(TimestampReps, 14)
ICMP_TYPE(AddrMasks, 17)
ICMP_TYPE(AddrMaskReps, 18)

/* ---- the table ---- */

const struct snmp_row snmp_rows[] = {
#define SNMP(group, name) { #group, #name, NULL, { CTR_##group##name }, NULL },
#define SNMP_SUM(group, name, ...) { #group, #name, NULL, { __VA_ARGS__ }, NULL },
#define SNMP_GAUGE(group, name, gauge) { #group, #name, NULL, { CTR_NONE }, gauge },
#define SNMP_NEVER(group, name, why) { #group, #name, why, { CTR_NONE }, NULL },
#include "snmp.def"
};
const size_t snmp_nrows = ARRAY_LEN(snmp_rows);

int64_t snmp_value(const struct stack *s, const struct snmp_row *row)
{
	uint64_t sum = 0;

	if (row->gauge)
		return row->gauge(s);
	for (size_t i = 0; i < ARRAY_LEN(row->sum) && row->sum[i] != CTR_NONE; i++)
		sum += s->counters[row->sum[i]];
	return (int64_t)sum;
}

/* ---- as text ---- */

struct out {
	char *buf;
	size_t size, n;    /* n goes on where buf ends */
};

static void put_str(struct out *o, const char *str)
{
	for (; *str; str++, o->n++)
		if (o->n + 1 < o->size)
			o->buf[o->n] = *str;
}

static void put_num(struct out *o, int64_t v)
{
	char digits[24], *p = digits + sizeof(digits);
	uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

	*--p = 0;
	do {
		*--p = (char)('0' + u % 10);
		u /= 10;
	} while (u);
	if (v < 0)
		*--p = '-';
	put_str(o, p);
}

static bool is_group(const struct snmp_row *a, const struct snmp_row *b)
{
	return !strcmp(a->group, b->group);
}

/* The two lines of the rows from `first` that are of one group; the next group's first. */
static size_t put_group(struct out *o, const struct stack *s, size_t first)
{
	size_t i;

	put_str(o, snmp_rows[first].group);
	put_str(o, ":");
	for (i = first; i < snmp_nrows && is_group(&snmp_rows[i], &snmp_rows[first]); i++) {
		put_str(o, " ");
		put_str(o, snmp_rows[i].name);
	}
	put_str(o, "\n");
	put_str(o, snmp_rows[first].group);
	put_str(o, ":");
	for (size_t j = first; j < i; j++) {
		put_str(o, " ");
		put_num(o, snmp_value(s, &snmp_rows[j]));
	}
	put_str(o, "\n");
	return i;
}

static void put_types(struct out *o, const char *dir, const uint64_t *v, bool is_value)
{
	for (size_t i = 0; i < ICMP_TYPES; i++) {
		if (!v[i])
			continue;
		put_str(o, " ");
		if (is_value) {
			put_num(o, (int64_t)v[i]);
			continue;
		}
		put_str(o, dir);
		put_num(o, (int64_t)i);
	}
}

/* icmpmsg_put(): only the types that occurred. */
static void put_icmpmsg(struct out *o, const struct stack *s)
{
	if (!sum_types(s->icmp_in) && !sum_types(s->icmp_out))
		return;
	for (int is_value = 0; is_value < 2; is_value++) {
		put_str(o, "IcmpMsg:");
		put_types(o, "InType", s->icmp_in, is_value);
		put_types(o, "OutType", s->icmp_out, is_value);
		put_str(o, "\n");
	}
}

size_t snmp_text(const struct stack *s, char *buf, size_t size)
{
	struct out o = { buf, size, 0 };

	for (size_t i = 0; i < snmp_nrows;) {
		bool is_icmp = !strcmp(snmp_rows[i].group, "Icmp");

		i = put_group(&o, s, i);
		if (is_icmp)
			put_icmpmsg(&o, s);
	}
	if (size)
		buf[MIN(o.n, size - 1)] = 0;
	return o.n;
}
