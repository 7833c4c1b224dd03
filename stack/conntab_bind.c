/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conntab_bind.c - who may hold a local port beside whom: bhash.
 *
 * inet_csk_get_port(), inet_csk_bind_conflict() and inet_bind_conflict() of Linux
 * 6.18, as observed there; tests/test_conntab_bind.c has the table.
 *
 * For port 0 any holder that overlaps in address and device is in the way, whatever
 * it would share (relax and reuseport_ok are false then).  So a socket for any address
 * and device looks at one bitmap.  With an address, ports that are held, of others as
 * well, are looked at one by one, as Linux does.
 */
#include "conntab_impl.h"

#include <errno.h>
#include <stdlib.h>

struct bind_bucket *conntab_bucket(const struct conntab *ct, uint16_t port)
{
	const struct bind_page *page = ct->ports[port >> 8];

	return page ? page->b[port & 0xff] : NULL;
}

static int need_set(struct portset **set)
{
	if (!*set)
		*set = calloc(1, sizeof(**set));
	return *set ? 0 : -ENOMEM;
}

struct bind_bucket *conntab_get_bucket(struct conntab *ct, uint16_t port)
{
	struct bind_page **page = &ct->ports[port >> 8];
	struct bind_bucket *b = conntab_bucket(ct, port);

	if (b)
		return b;
	if (need_set(&ct->held) || need_set(&ct->blocked))
		return NULL;
	if (!*page)
		*page = calloc(1, sizeof(**page));
	if (!*page)
		return NULL;
	b = calloc(1, sizeof(*b));
	if (!b)
		return NULL;
	list_init(&b->holders);
	b->port = port;
	(*page)->b[port & 0xff] = b;
	portset_add(ct->held, port);
	return b;
}

void conntab_put_bucket(struct conntab *ct, struct bind_bucket *b)
{
	if (!list_is_empty(&b->holders))
		return;
	ct->ports[b->port >> 8]->b[b->port & 0xff] = NULL;
	portset_del(ct->held, b->port);
	portset_del(ct->blocked, b->port);
	free(b);
}

static bool is_bound_itself(const struct bind_owner *o)
{
	return !o->by_connect && !o->is_inherited;
}

void conntab_hold(struct conntab *ct, struct bind_bucket *b, struct bind_owner *o)
{
	if (is_bound_itself(o))
		list_insert(&b->holders, &o->link);
	else
		list_append(&b->holders, &o->link);
	o->bucket = b;
	if (!o->by_connect) {
		b->nblocking++;
		portset_add(ct->blocked, b->port);
	}
}

/* ---- who conflicts with whom ---- */

/* inet_bind_conflict() and inet_rcv_saddr_equal(). */
static bool overlap(const struct bind_owner *a, const struct bind_owner *b)
{
	return (!a->oif || !b->oif || a->oif == b->oif) &&
	       (!a->addr || !b->addr || a->addr == b->addr);
}

static bool may_share(const struct bind_owner *o, const struct bind_owner *holder)
{
	if (o->reuse && holder->reuse && !holder->is_listening)
		return true;
	return o->reuseport && holder->reuseport &&
	       (holder->is_timewait || o->uid == holder->uid);
}

/* inet_csk_bind_conflict(); may_share_it false: for port 0. */
static bool conflicts(const struct bind_bucket *b, const struct bind_owner *o, bool may_share_it)
{
	for (const struct list *l = b->holders.next; l != &b->holders; l = l->next) {
		const struct bind_owner *h = container_of(l, const struct bind_owner, link);

		if (h != o && overlap(o, h) && !(may_share_it && may_share(o, h)))
			return true;
	}
	return false;
}

/* sk_reuseport_match() */
static bool reuseport_matches(const struct bind_bucket *b, const struct bind_owner *o)
{
	return b->fast_reuseport && o->reuseport && b->fast_uid == o->uid &&
	       (!b->fast_addr || b->fast_addr == o->addr);
}

/* inet_csk_update_fastreuse() */
static void update_fast(struct bind_bucket *b, const struct bind_owner *o)
{
	if (!o->reuseport) {
		b->fast_reuseport = false;
	} else if (!reuseport_matches(b, o)) {
		b->fast_reuseport = true;
		b->fast_uid = o->uid;
		b->fast_addr = o->addr;
	}
}

static int take(struct conntab *ct, struct bind_owner *o, uint16_t port)
{
	struct bind_bucket *b = conntab_get_bucket(ct, port);

	if (!b)
		return -ENOMEM;
	o->by_connect = false;
	o->is_inherited = false;
	update_fast(b, o);
	conntab_hold(ct, b, o);
	return 0;
}

/* ---- port 0 ---- */

/* A part of the range: all, lower half, upper half. */
enum part { PART_ALL, PART_LOWER, PART_UPPER };

static void walk_part(struct portwalk *w, const struct port_range *r, enum part part)
{
	uint32_t lo = r->lo, hi = (uint32_t)r->hi + 1;
	uint32_t half = lo + (((hi - lo) >> 2) << 1);

	if (part == PART_LOWER)
		hi = half;
	else if (part == PART_UPPER)
		lo = half;
	portwalk_init(w, (uint16_t)lo, (uint16_t)(hi - 1), false);
}

/* Both parities of one part: the port or 0. */
static uint16_t search_part(struct conntab *ct, const struct bind_owner *o,
                            const struct portwalk *w, uint32_t rnd, const struct portmask *m)
{
	uint32_t offset = (uint32_t)((uint64_t)rnd * w->remaining >> 32) | 1;

	for (int parity = 0; parity < 2; parity++, offset--) {
		uint32_t i = 0;

		while ((i = portwalk_next(w, offset, i, m, &ct->words_scanned)) != PORTWALK_END) {
			uint16_t port = portwalk_port(w, offset, i);
			const struct bind_bucket *b = conntab_bucket(ct, port);

			if (!b || !conflicts(b, o, false))
				return port;
			i += w->step;
		}
	}
	return 0;
}

/* inet_csk_find_open_port(): with SO_REUSEADDR the lower half first. */
static uint16_t search(struct conntab *ct, const struct bind_owner *o,
                       const struct port_range *r, uint32_t rnd, const struct portmask *m)
{
	bool is_halved = o->reuse && r->hi + 1 - r->lo >= 4;
	enum part part = is_halved ? PART_LOWER : PART_ALL;
	struct portwalk w;
	uint16_t port;

	walk_part(&w, r, part);
	port = search_part(ct, o, &w, rnd, m);
	if (port || !is_halved)
		return port;
	walk_part(&w, r, PART_UPPER);
	return search_part(ct, o, &w, rnd, m);
}

static int bind_any_port(struct conntab *ct, struct bind_owner *o, const struct port_range *range,
                         uint32_t rnd, uint16_t *want)
{
	const struct claims *cl = conntab_claims(ct, o->addr);
	struct portmask m = { .skip = { ct->reserved } };
	uint16_t port;

	if (!o->addr && !o->oif)
		m.used = ct->held;
	m.only = cl ? &cl->granted : NULL;
	m.only_any = cl ? &cl->any : NULL;
	port = search(ct, o, range, rnd, &m);
	if (port)
		return take(ct, o, port);
	if (!cl)
		return -EADDRINUSE;
	m.only = NULL;
	m.only_any = NULL;
	m.skip[1] = &cl->granted;
	m.skip[2] = &cl->refused;
	*want = search(ct, o, range, rnd, &m);
	return *want ? -EAGAIN : -EADDRINUSE;
}

/* A port that is named is asked for each time, whatever came of it before. */
static int claim_named(struct conntab *ct, const struct bind_owner *o, uint16_t port,
                       uint16_t *want)
{
	struct claims *cl = conntab_claims(ct, o->addr);

	if (!cl || portset_has(&cl->granted, port))
		return 0;
	if (cl->asked == port && portset_has(&cl->refused, port)) {
		cl->asked = UINT32_MAX;
		return -EADDRINUSE;
	}
	cl->asked = port;
	portset_del(&cl->refused, port);
	*want = port;
	return -EAGAIN;
}

int conntab_bind(struct conntab *ct, struct bind_owner *o, uint16_t port,
                 const struct port_range *range, uint32_t rnd, uint16_t *want)
{
	const struct bind_bucket *b;
	int err;

	*want = 0;
	if (!port) {
		err = bind_any_port(ct, o, range, rnd, want);
		o->is_named = !err;
		return err;
	}
	b = conntab_bucket(ct, port);
	if (b && !reuseport_matches(b, o) && conflicts(b, o, true))
		return -EADDRINUSE;
	err = claim_named(ct, o, port, want);
	if (!err)
		err = take(ct, o, port);
	o->is_named = !err;
	return err;
}

int conntab_would_bind(const struct conntab *ct, const struct bind_owner *o, uint16_t port)
{
	const struct bind_bucket *b = conntab_bucket(ct, port);

	if (!b || !conflicts(b, o, false))
		return -ENOENT;
	return !reuseport_matches(b, o) && conflicts(b, o, true) ? -EADDRINUSE : 0;
}

int conntab_may_listen(const struct conntab *ct, const struct bind_owner *o)
{
	struct bind_bucket *b = o->bucket;

	(void)ct;
	if (!b || (!reuseport_matches(b, o) && conflicts(b, o, true)))
		return -EADDRINUSE;
	update_fast(b, o);
	return 0;
}

/* inet_bind_bucket_destroy(), since 6.18: once nobody is left that came by bind(), the
 * port is connect()'s again. */
static void release(struct conntab *ct, struct bind_owner *o)
{
	struct bind_bucket *b = o->bucket;

	if (o->is_named)
		conntab_note_idle(ct, b->port);
	o->is_named = false;
	list_remove(&o->link);
	o->bucket = NULL;
	if (!o->by_connect && --b->nblocking == 0) {
		b->fast_reuseport = false;
		portset_del(ct->blocked, b->port);
	}
	o->by_connect = false;
	o->is_inherited = false;
	conntab_put_bucket(ct, b);
}

void conntab_unbind(struct conntab *ct, struct bind_owner *o)
{
	if (o->bucket)
		release(ct, o);
}

void conntab_bind_move(struct bind_owner *from, struct bind_owner *to)
{
	bool is_timewait = to->is_timewait;

	if (!from->bucket)
		return;
	*to = *from;
	to->is_timewait = is_timewait;
	list_insert(&from->link, &to->link);
	list_remove(&from->link);
	from->bucket = NULL;
	from->by_connect = false;
	from->is_inherited = false;
	from->is_named = false;
}

bool conntab_is_alone(const struct bind_owner *o)
{
	return o->bucket && o->link.next == &o->bucket->holders && o->link.prev == &o->bucket->holders;
}

uint16_t conntab_port(const struct bind_owner *o)
{
	return o->bucket ? o->bucket->port : 0;
}

int conntab_bind_inherit(struct conntab *ct, struct bind_owner *o, uint16_t port)
{
	struct bind_bucket *b = conntab_get_bucket(ct, port);

	if (!b)
		return -ENOMEM;
	o->by_connect = false;
	o->is_inherited = true;
	o->is_named = true;
	conntab_hold(ct, b, o);
	return 0;
}

/* compute_score(): -1 when it does not listen for this. */
static int listener_score(const struct bind_owner *o, ip4 laddr, int oif)
{
	if (!o->is_listening || (o->addr && o->addr != laddr) || (o->oif && o->oif != oif))
		return -1;
	return (o->addr ? 2 : 0) + (o->oif ? 1 : 0);
}

/* Are both of one SO_REUSEPORT group (inet_reuseport_add_sock)? */
static bool same_group(const struct bind_owner *a, const struct bind_owner *b)
{
	return a->is_listening && b->is_listening && a->reuseport && b->reuseport && a->uid == b->uid &&
	       a->addr == b->addr && a->oif == b->oif;
}

#define NO_INDEX 0xffffffu       /* bind_owner.group_index has 24 bits */

/* How many listeners are in o's group, and in *at the one with this index. */
static uint32_t group_find(const struct bind_owner *o, uint32_t index, struct bind_owner **at)
{
	const struct list *head = &o->bucket->holders;
	uint32_t n = 0;

	*at = NULL;
	for (struct list *l = head->next; l != head; l = l->next) {
		struct bind_owner *h = container_of(l, struct bind_owner, link);

		if (!is_bound_itself(h))
			break;
		if (!same_group(o, h))
			continue;
		if (h->group_index == index)
			*at = h;
		n++;
	}
	return n;
}

void conntab_listen(struct conntab *ct, struct bind_owner *o, bool on)
{
	struct bind_owner *last = NULL;
	uint32_t n;

	(void)ct;
	if (on) {
		o->is_listening = true;
		o->is_named = true;
		o->group_index = NO_INDEX;
		o->group_index = (group_find(o, 0, &last) - 1) & NO_INDEX;
		return;
	}
	n = o->bucket ? group_find(o, UINT32_MAX, &last) : 0;
	if (n)
		group_find(o, n - 1, &last);
	o->is_listening = false;
	if (last)
		last->group_index = o->group_index;
}

/* reuseport_select_sock() */
static struct bind_owner *group_select(const struct conntab *ct, struct bind_owner *o, const struct tuple *t)
{
	struct bind_owner *chosen;
	uint32_t n = group_find(o, UINT32_MAX, &chosen);
	uint64_t hash = siphash_2u64(&ct->key, (uint64_t)t->laddr << 32 | t->raddr,
	                             UINT64_C(1) << 33 | (uint64_t)t->lport << 16 | t->rport);

	if (n < 2)
		return o;
	group_find(o, (uint32_t)((hash >> 32) * n >> 32), &chosen);
	return chosen ? chosen : o;
}

bool conntab_is_bound(const struct conntab *ct, ip4 laddr, uint16_t port)
{
	const struct bind_bucket *b = conntab_bucket(ct, port);
	const struct list *l = b ? b->holders.next : NULL;

	for (; l && l != &b->holders; l = l->next) {
		const struct bind_owner *o = container_of(l, const struct bind_owner, link);

		if (!is_bound_itself(o))
			break;
		if (!o->is_timewait && (!o->addr || o->addr == laddr))
			return true;
	}
	return false;
}

struct bind_owner *conntab_find_listener(const struct conntab *ct, const struct tuple *t, int oif)
{
	const struct bind_bucket *b = conntab_bucket(ct, t->lport);
	struct bind_owner *best = NULL;
	int best_score = -1;

	for (struct list *l = b ? b->holders.next : NULL; l && l != &b->holders; l = l->next) {
		struct bind_owner *o = container_of(l, struct bind_owner, link);
		int score = listener_score(o, t->laddr, oif);

		if (!is_bound_itself(o))
			break;
		if (score > best_score) {
			best = o;
			best_score = score;
		}
	}
	return best && best->reuseport ? group_select(ct, best, t) : best;
}

int conntab_reserve(struct conntab *ct, uint16_t lo, uint16_t hi)
{
	if (need_set(&ct->reserved))
		return -ENOMEM;
	for (uint32_t port = lo; port <= hi; port++)
		portset_add(ct->reserved, (uint16_t)port);
	return 0;
}
