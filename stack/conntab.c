/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conntab.c - ehash, and what is known of the ports in use towards a destination.
 *
 * An entry is counted towards its destination only when connect() chose its port.
 * All others hold a port that came by bind(), which the choice passes over anyway;
 * so a server's connections, each from a destination of its own, cost nothing here.
 */
#include "conntab_impl.h"

#include <errno.h>
#include <stdlib.h>

static uint64_t tuple_hash(const struct conntab *ct, const struct tuple *t)
{
	return siphash_2u64(&ct->key, (uint64_t)t->laddr << 32 | t->raddr,
	                    (uint64_t)t->lport << 16 | t->rport);
}

static uint64_t ent_hash(const struct hnode *n, const void *ctx)
{
	return tuple_hash(ctx, &container_of(n, const struct ent, node)->t);
}

/* Bit 32 keeps its inputs apart from those of tuple_hash(). */
static uint64_t dest_hash(const struct conntab *ct, ip4 laddr, ip4 raddr, uint16_t rport)
{
	return siphash_2u64(&ct->key, (uint64_t)laddr << 32 | raddr, UINT64_C(1) << 32 | rport);
}

uint64_t conntab_dest_hash(const struct conntab *ct, const struct tuple *t)
{
	return dest_hash(ct, t->laddr, t->raddr, t->rport);
}

static uint64_t dest_node_hash(const struct hnode *n, const void *ctx)
{
	const struct dest *d = container_of(n, const struct dest, node);

	return dest_hash(ctx, d->laddr, d->raddr, d->rport);
}

int conntab_init(struct conntab *ct, const struct siphash_key *key)
{
	*ct = (struct conntab){ .key = *key };
	htab_init(&ct->ents, ent_hash, ct);
	htab_init(&ct->dests, dest_node_hash, ct);
	return 0;
}

static void dest_free(struct dest *d)
{
	free(d->p);
	free(d->tw);
	free(d);
}

static void dest_gone(struct hnode *n)
{
	dest_free(container_of(n, struct dest, node));
}

static void free_pages(struct conntab *ct)
{
	for (size_t i = 0; i < ARRAY_LEN(ct->ports); i++) {
		struct bind_page *page = ct->ports[i];

		for (size_t k = 0; page && k < ARRAY_LEN(page->b); k++)
			free(page->b[k]);
		free(page);
	}
}

void conntab_fini(struct conntab *ct)
{
	htab_fini(&ct->dests, dest_gone);
	htab_fini(&ct->ents, NULL);
	free_pages(ct);
	conntab_free_claims(ct);
	free(ct->idle);
	free(ct->held);
	free(ct->blocked);
	free(ct->reserved);
	free(ct->perturb);
	*ct = (struct conntab){ .key = ct->key };
}

static bool tuple_eq(const struct tuple *a, const struct tuple *b)
{
	return a->laddr == b->laddr && a->raddr == b->raddr && a->lport == b->lport &&
	       a->rport == b->rport;
}

static struct ent *find(const struct conntab *ct, const struct tuple *t, uint64_t hash)
{
	struct hnode **chain = htab_chain(&ct->ents, hash);

	for (struct hnode *n = chain ? *chain : NULL; n; n = n->next) {
		struct ent *e = container_of(n, struct ent, node);

		if (tuple_eq(&e->t, t))
			return e;
	}
	return NULL;
}

struct ent *conntab_find(const struct conntab *ct, const struct tuple *t)
{
	return ct->ents.n ? find(ct, t, tuple_hash(ct, t)) : NULL;
}

int conntab_insert(struct conntab *ct, struct ent *e)
{
	uint64_t hash = tuple_hash(ct, &e->t);
	int err;

	if (find(ct, &e->t, hash))
		return -EEXIST;
	err = htab_add(&ct->ents, &e->node, hash);
	if (err)
		return err;
	e->is_hashed = true;
	e->is_counted = false;
	return 0;
}

struct dest *conntab_dest(const struct conntab *ct, const struct tuple *t)
{
	struct hnode **chain = htab_chain(&ct->dests, conntab_dest_hash(ct, t));

	for (struct hnode *n = chain ? *chain : NULL; n; n = n->next) {
		struct dest *d = container_of(n, struct dest, node);

		if (d->laddr == t->laddr && d->raddr == t->raddr && d->rport == t->rport)
			return d;
	}
	return NULL;
}

static struct dest *dest_new(struct conntab *ct, const struct tuple *t)
{
	struct dest *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->laddr = t->laddr;
	d->raddr = t->raddr;
	d->rport = t->rport;
	if (htab_add(&ct->dests, &d->node, conntab_dest_hash(ct, t))) {
		free(d);
		return NULL;
	}
	return d;
}

void conntab_note(struct dest *d, const struct ent *e)
{
	if (!d->p || !e->is_counted)
		return;
	portset_add(&d->p->used, e->t.lport);
	portsum_full(d->p->full, &d->p->used, e->t.lport);
	if (e->kind == ENT_TIMEWAIT) {
		if (!d->tw)
			d->tw = calloc(1, sizeof(*d->tw));
		if (d->tw)
			portset_add(d->tw, e->t.lport);
	} else if (d->tw) {
		portset_del(d->tw, e->t.lport);
	}
}

void conntab_count(struct conntab *ct, struct ent *e)
{
	struct dest *d = conntab_dest(ct, &e->t);

	if (!d)
		d = dest_new(ct, &e->t);
	if (!d)
		return;     /* it will be met in ehash */
	d->n++;
	e->is_counted = true;
	if (d->n >= DEST_FEW && !d->p)
		d->p = calloc(1, sizeof(*d->p));
	conntab_note(d, e);
}

static void uncount(struct conntab *ct, struct ent *e)
{
	struct dest *d = conntab_dest(ct, &e->t);

	e->is_counted = false;
	if (!d)
		return;
	if (d->p) {
		portset_del(&d->p->used, e->t.lport);
		portsum_full(d->p->full, &d->p->used, e->t.lport);
	}
	if (d->tw)
		portset_del(d->tw, e->t.lport);
	if (--d->n)
		return;
	htab_del(&ct->dests, &d->node, conntab_dest_hash(ct, &e->t));
	dest_free(d);
}

void conntab_replace(struct conntab *ct, struct ent *from, struct ent *to)
{
	if (!from->is_hashed)
		return;
	htab_replace(&ct->ents, &from->node, &to->node, tuple_hash(ct, &to->t));
	to->is_hashed = true;
	to->is_counted = from->is_counted;
	from->is_hashed = false;
	from->is_counted = false;
	if (to->is_counted && to->kind != from->kind) {
		struct dest *d = conntab_dest(ct, &to->t);

		if (d)
			conntab_note(d, to);
	}
}

void conntab_remove(struct conntab *ct, struct ent *e)
{
	if (!e->is_hashed)
		return;
	htab_del(&ct->ents, &e->node, tuple_hash(ct, &e->t));
	e->is_hashed = false;
	if (e->is_counted)
		uncount(ct, e);
}
