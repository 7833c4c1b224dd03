/* SPDX-License-Identifier: BSD-2-Clause */
/* link.c - see link.h. */
#include "link.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* What chance is asked about. */
enum { DRAW_LOSS, DRAW_STATE, DRAW_REORDER, DRAW_DUP, DRAW_CORRUPT, DRAW_JITTER, DRAW_BIT };

/* The finalizer of SplitMix64 over seed, packet and question. */
static uint64_t draw(const struct link *l, unsigned what)
{
	uint64_t z = l->seed + (l->count.packets * 8 + what) * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* 53 bits as [0, 1). */
static double chance(const struct link *l, unsigned what)
{
	return (double)(draw(l, what) >> 11) / 9007199254740992.0;
}

static bool happens(const struct link *l, unsigned what, double probability)
{
	return probability > 0 && chance(l, what) < probability;
}

void link_init(struct link *l, const struct link_conf *conf, uint64_t seed)
{
	*l = (struct link){ .conf = *conf };
	/* Seeds that are neighbours give nothing in common. */
	l->seed = seed;
	l->seed = draw(l, DRAW_BIT);
}

static bool is_policed(struct link *l, uint32_t len, xtime now)
{
	if (!l->conf.police)
		return false;
	if (!l->tokens_at)
		l->tokens = l->conf.burst;
	else
		l->tokens += (double)(now - l->tokens_at) * (double)l->conf.police / (8 * (double)XTIME_SEC);
	l->tokens = MIN(l->tokens, (double)l->conf.burst);
	l->tokens_at = now;
	if (l->tokens < len)
		return true;
	l->tokens -= len;
	return false;
}

static bool is_lost(struct link *l)
{
	if (happens(l, DRAW_STATE, l->is_bad ? l->conf.good : l->conf.bad))
		l->is_bad = !l->is_bad;
	return l->is_bad || happens(l, DRAW_LOSS, l->conf.loss);
}

/* The queue: false when it is full; else when the packet has left it. */
static bool pass_queue(struct link *l, uint32_t len, xtime now, struct link_fate *f)
{
	xtime start = MAX(l->free_at, now);
	double waiting = (double)(start - now) * (double)l->conf.rate / (8 * (double)XTIME_SEC);

	f->at = now;
	if (!l->conf.rate)
		return true;
	if (l->conf.queue && waiting + len > l->conf.queue)
		return false;
	f->is_marked = l->conf.mark && waiting > l->conf.mark;
	f->at = l->free_at = start + (xtime)((double)len * 8 * (double)XTIME_SEC / (double)l->conf.rate);
	return true;
}

/* What happens on the way; those that aren't reordered keep their order. */
static void travel(struct link *l, struct link_fate *f)
{
	f->at += l->conf.delay;
	if (l->conf.jitter)
		f->at += (xtime)(chance(l, DRAW_JITTER) * (double)l->conf.jitter);
	f->copies = 1;
	if (happens(l, DRAW_REORDER, l->conf.reorder)) {
		f->at += l->conf.reorder_by;
		l->count.reordered++;
	} else {
		f->at = l->last_at = MAX(f->at, l->last_at);
	}
	if (happens(l, DRAW_DUP, l->conf.dup)) {
		f->copies = 2;
		l->count.doubled++;
	}
	if (happens(l, DRAW_CORRUPT, l->conf.corrupt)) {
		f->is_corrupt = true;
		f->random = draw(l, DRAW_BIT);
		l->count.corrupted++;
	}
}

struct link_fate link_send(struct link *l, uint32_t len, xtime now)
{
	struct link_fate f = { 0 };
	bool lost;

	l->count.packets++;
	l->count.bytes += len;
	lost = is_lost(l);   /* first, as the chain of states takes every packet */
	if (is_policed(l, len, now)) {
		l->count.policed++;
	} else if (lost) {
		l->count.lost++;
	} else if (!pass_queue(l, len, now, &f)) {
		l->count.dropped++;
	} else {
		l->count.marked += f.is_marked;
		travel(l, &f);
	}
	return f;
}

/* ---- text ---- */

static const struct unit {
	const char *name;
	double factor;
} amounts[] = { { "", 1 }, { "k", 1e3 }, { "M", 1e6 }, { "G", 1e9 } },
  times[] = { { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 } },
  chances[] = { { "", 1 }, { "%", 0.01 } };

enum kind { KIND_U64, KIND_U32, KIND_TIME, KIND_CHANCE };

static const struct key {
	const char *name;
	enum kind kind;
	size_t at;
} keys[] = {
#define KEY(name, kind) { #name, kind, offsetof(struct link_conf, name) }
	KEY(rate, KIND_U64), KEY(queue, KIND_U32), KEY(mark, KIND_U32), KEY(delay, KIND_TIME),
	KEY(jitter, KIND_TIME), KEY(loss, KIND_CHANCE), KEY(bad, KIND_CHANCE), KEY(good, KIND_CHANCE),
	KEY(reorder, KIND_CHANCE), KEY(dup, KIND_CHANCE), KEY(corrupt, KIND_CHANCE),
	KEY(reorder_by, KIND_TIME), KEY(police, KIND_U64), KEY(burst, KIND_U32),
#undef KEY
};

static bool scale(double *v, const char *end, size_t len, const struct unit *u, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(u[i].name) == len && !strncmp(u[i].name, end, len)) {
			*v *= u[i].factor;
			return true;
		}
	return false;
}

static bool store(struct link_conf *conf, const struct key *k, double v)
{
	uint8_t *to = (uint8_t *)conf + k->at;

	if (k->kind == KIND_CHANCE) {
		memcpy(to, &v, sizeof(v));
		return v <= 1;
	}
	if (k->kind == KIND_U32) {
		uint32_t u = (uint32_t)MIN(v, 4e9);

		memcpy(to, &u, sizeof(u));
	} else {
		uint64_t u = (uint64_t)v;   /* xtime as well */

		memcpy(to, &u, sizeof(u));
	}
	return true;
}

static bool set_key(struct link_conf *conf, const char *name, size_t len, const char *val, size_t val_len)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const struct key *k = &keys[i];
		char *end;
		double v;
		bool ok;

		if (strlen(k->name) != len || strncmp(k->name, name, len) != 0)
			continue;
		v = strtod(val, &end);
		if (end == val || v < 0 || end > val + val_len)
			return false;
		val_len -= (size_t)(end - val);
		ok = k->kind == KIND_TIME ? scale(&v, end, val_len, times, ARRAY_LEN(times)) :
		     k->kind == KIND_CHANCE ? scale(&v, end, val_len, chances, ARRAY_LEN(chances)) :
		     scale(&v, end, val_len, amounts, ARRAY_LEN(amounts));
		return ok && store(conf, k, v);
	}
	return false;
}

int link_parse(struct link_conf *conf, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, ","), name = strcspn(text, "=,");

		if (name >= len || !set_key(conf, text, name, text + name + 1, len - name - 1))
			return -EINVAL;
		text += len + (text[len] == ',');
	}
	return 0;
}
