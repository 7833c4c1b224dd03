/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conntab_connect.c - the choice of a source port: __inet_hash_connect().
 *
 * Where to start is a keyed hash of the destination plus a hint that moves with
 * each choice (RFC 6056, algorithm 4); from there ports of the range's lower parity
 * are tried, then the others.  Linux visits them one by one; here whole words
 * of bitmaps are passed over, and only ports that may be free are looked up:
 *
 *   blocked    held by a socket that came by bind()
 *   reserved   ip_local_reserved_ports
 *   used       in use towards this destination (struct dest)
 *   granted, refused   what the kernel said to claims (shared address)
 *
 * A TIME-WAIT entry that may be reused is as good as a free port, but only asking
 * tells.  So that a range full of entries that may not be isn't asked one by one,
 * after TW_TRIES refusals the others are passed over as long as a free port
 * is found: the one deviation from Linux's choice.  When none is free all are asked.
 */
#include "conntab_impl.h"

#include <errno.h>
#include <stdlib.h>

#define PERTURB_SIZE 65536u      /* INET_TABLE_PERTURB_SIZE */
#define TW_TRIES 64

/* A choice that is being made. */
struct choice {
	struct conntab *ct;
	struct port_choice *c;
	struct tuple t;
	struct dest *d;          /* NULL: nothing is known about the destination */
	struct portwalk walk;
	uint32_t offset, hint;   /* where to start; index into perturb */
	uint32_t tw_left;        /* TIME-WAIT entries that may still be asked */
	bool has_skipped_tw;
	/* What was found. */
	uint32_t i;
	struct ent *tw;
};

static bool may_reuse(const struct port_choice *c, const struct ent *e)
{
	return e->kind == ENT_TIMEWAIT && c->may_reuse && c->may_reuse(e, c->arg);
}

/* __inet_check_established() for t.lport. */
static bool is_usable(struct choice *ch, struct portmask *m)
{
	struct ent *e = conntab_find(ch->ct, &ch->t);

	ch->ct->tuples_probed++;
	ch->tw = NULL;
	if (!e)
		return true;
	if (ch->d)
		conntab_note(ch->d, e);
	if (e->kind != ENT_TIMEWAIT || ch->c->no_reuse)
		return false;
	if (!ch->tw_left) {
		m->retry = NULL;
		m->used_full = ch->d && ch->d->p ? ch->d->p->full : NULL;
		ch->has_skipped_tw = true;
		return false;
	}
	ch->tw_left--;
	if (!may_reuse(ch->c, e))
		return false;
	ch->tw = e;
	return true;
}

static bool scan(struct choice *ch, struct portmask *m, uint32_t offset)
{
	uint32_t i = 0;

	while ((i = portwalk_next(&ch->walk, offset, i, m, &ch->ct->words_scanned)) !=
	       PORTWALK_END) {
		ch->t.lport = portwalk_port(&ch->walk, offset, i);
		if (is_usable(ch, m)) {
			ch->i = i;
			return true;
		}
		i += ch->walk.step;
	}
	return false;
}

/* Both parities, or all ports of a user's range. */
static bool scan_all(struct choice *ch, const struct portmask *m)
{
	struct portmask mask = *m;

	if (ch->d && ch->d->p) {
		mask.used = &ch->d->p->used;
		mask.retry = ch->c->no_reuse ? NULL : ch->d->tw;
		mask.used_full = mask.retry ? NULL : ch->d->p->full;
	}
	if (scan(ch, &mask, ch->offset))
		return true;
	return ch->walk.step == 2 && ch->walk.remaining > 1 && scan(ch, &mask, ch->offset + 1);
}

static bool search(struct choice *ch, const struct portmask *m)
{
	ch->tw_left = TW_TRIES;
	ch->has_skipped_tw = false;
	if (scan_all(ch, m))
		return true;
	if (!ch->has_skipped_tw)
		return false;
	ch->tw_left = UINT32_MAX;
	return scan_all(ch, m);
}

/* Claimed ports first; else the one to claim: 0, -EAGAIN or -EADDRNOTAVAIL. */
static int search_claims(struct choice *ch, const struct claims *cl)
{
	struct portmask m = { .skip = { ch->ct->blocked, ch->ct->reserved } };

	m.only = cl ? &cl->granted : NULL;
	m.only_any = cl ? &cl->any : NULL;
	if (search(ch, &m))
		return 0;
	if (!cl)
		return -EADDRNOTAVAIL;
	m.only = NULL;
	m.only_any = NULL;
	m.skip[2] = &cl->granted;
	m.skip[3] = &cl->refused;
	if (!search(ch, &m))
		return -EADDRNOTAVAIL;
	ch->c->want = ch->t.lport;
	return -EAGAIN;
}

/* Inserts e, or puts it in the place of a TIME-WAIT entry. */
static int take_tuple(struct conntab *ct, struct ent *e, struct ent *tw, struct port_choice *c)
{
	if (!tw)
		return conntab_insert(ct, e);
	conntab_replace(ct, tw, e);
	c->replaced = tw;
	return 0;
}

/* The port is the socket's: only the tuple can be in the way. */
static int connect_bound(struct conntab *ct, struct ent *e, struct bind_owner *o,
                         struct port_choice *c)
{
	struct ent *old;
	int err;

	e->t.lport = conntab_port(o);
	old = conntab_find(ct, &e->t);
	if (old && !may_reuse(c, old))
		return -EADDRNOTAVAIL;
	err = take_tuple(ct, e, old, c);
	if (err)
		return err;
	if (o->by_connect && !e->is_counted)
		conntab_count(ct, e);
	o->addr = e->t.laddr;
	return 0;
}

static int take(struct conntab *ct, struct ent *e, struct bind_owner *o, const struct choice *ch)
{
	struct bind_bucket *b = conntab_get_bucket(ct, ch->t.lport);
	int err;

	if (!b)
		return -ENOMEM;
	e->t.lport = ch->t.lport;
	err = take_tuple(ct, e, ch->tw, ch->c);
	if (err) {
		conntab_put_bucket(ct, b);
		return err;
	}
	if (!e->is_counted)
		conntab_count(ct, e);
	o->by_connect = true;
	o->is_inherited = false;
	o->addr = e->t.laddr;
	conntab_hold(ct, b, o);
	return 0;
}

/* table_perturb starts at random: here at a keyed value for each place, so that memory
 * which no destination has touched stays untouched. */
static int start(struct choice *ch)
{
	struct conntab *ct = ch->ct;
	uint64_t hash = conntab_dest_hash(ct, &ch->t);

	if (!ct->perturb)
		ct->perturb = calloc(PERTURB_SIZE, sizeof(*ct->perturb));
	if (!ct->perturb)
		return -ENOMEM;
	portwalk_init(&ch->walk, ch->c->range.lo, ch->c->range.hi, ch->c->range.is_users);
	ch->hint = (uint32_t)hash & (PERTURB_SIZE - 1);
	ch->offset = ct->perturb[ch->hint] + (uint32_t)siphash_1u64(&ct->key, ch->hint) +
	             (uint32_t)(hash >> 32);
	ch->offset %= ch->walk.remaining;
	if (ch->walk.step == 2)
		ch->offset &= ~1u;
	return 0;
}

int conntab_connect(struct conntab *ct, struct ent *e, struct bind_owner *o, struct port_choice *c)
{
	struct choice ch = { .ct = ct, .c = c, .t = e->t };
	uint32_t random_step = c->rnd % 8;
	int err;

	c->replaced = NULL;
	c->want = 0;
	if (o->bucket)
		return connect_bound(ct, e, o, c);
	err = start(&ch);
	if (err)
		return err;
	ch.d = conntab_dest(ct, &ch.t);
	err = search_claims(&ch, c->is_inside ? NULL : conntab_claims(ct, ch.t.laddr));
	if (!err)
		err = take(ct, e, o, &ch);
	if (err)
		return err;
	/* A little randomness for the next choice, the more the emptier the range is. */
	ct->perturb[ch.hint] += MAX(ch.i, random_step * ch.walk.step) + ch.walk.step;
	return 0;
}
