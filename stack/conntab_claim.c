/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conntab_claim.c - which ports of a shared address have been claimed from the
 * kernel.
 *
 * Claims outlive the connections they were made for: a port that is claimed serves
 * any number of destinations, one after the other or at once, so that most
 * connections need no new claim.  The record of address 0 is there as soon as any
 * address needs claims: it is asked for what is bound on every address.
 */
#include "conntab_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct claims *conntab_claims(const struct conntab *ct, ip4 laddr)
{
	struct claims *cl = ct->claims;

	while (cl && cl->laddr != laddr)
		cl = cl->next;
	return cl;
}

void conntab_free_claims(struct conntab *ct)
{
	struct claims *next;

	for (struct claims *cl = ct->claims; cl; cl = next) {
		next = cl->next;
		free(cl);
	}
	ct->claims = NULL;
}

static int add(struct conntab *ct, ip4 laddr, const struct claims *all)
{
	struct claims *cl = calloc(1, sizeof(*cl));

	if (!cl)
		return -ENOMEM;
	cl->laddr = laddr;
	cl->asked = UINT32_MAX;
	if (all) {
		cl->granted = all->granted;
		cl->any = all->any;
	}
	cl->next = ct->claims;
	ct->claims = cl;
	return 0;
}

int conntab_need_claims(struct conntab *ct, ip4 laddr)
{
	if (!conntab_claims(ct, 0) && add(ct, 0, NULL))
		return -ENOMEM;
	if (conntab_claims(ct, laddr))
		return 0;
	return add(ct, laddr, conntab_claims(ct, 0));
}

void conntab_drop_claims(struct conntab *ct, ip4 laddr)
{
	struct claims **link = &ct->claims;

	while (*link && (*link)->laddr != laddr)
		link = &(*link)->next;
	if (*link) {
		struct claims *cl = *link;

		*link = cl->next;
		free(cl);
	}
	/* The record of every address goes with the last of one. */
	if (ct->claims && !ct->claims->next && !ct->claims->laddr)
		conntab_free_claims(ct);
}

void conntab_set_claim(struct conntab *ct, ip4 laddr, uint16_t port, bool granted)
{
	for (struct claims *cl = ct->claims; cl; cl = cl->next) {
		bool is_it = cl->laddr == laddr;

		if (granted && (is_it || !laddr)) {
			portset_add(&cl->granted, port);
			portset_del(&cl->refused, port);
		} else if (is_it) {
			portset_del(&cl->granted, port);
			portset_add(&cl->refused, port);
		}
		portsum_any(&cl->any, &cl->granted, port);
	}
}

void conntab_unclaim(struct conntab *ct, ip4 laddr, uint16_t port)
{
	for (struct claims *cl = ct->claims; cl; cl = cl->next) {
		if (laddr && cl->laddr != laddr)
			continue;
		portset_del(&cl->granted, port);
		portsum_any(&cl->any, &cl->granted, port);
	}
}

/* Not remembering one keeps a claim, no more. */
void conntab_note_idle(struct conntab *ct, uint16_t port)
{
	if (!ct->claims || (!ct->idle && !(ct->idle = calloc(1, sizeof(*ct->idle)))) || portset_has(ct->idle, port))
		return;
	portset_add(ct->idle, port);
	ct->nidle++;
}

uint16_t conntab_next_idle(struct conntab *ct)
{
	for (uint32_t port = 0; ct->nidle && port < 65536; port++) {
		if (!(port % 64) && !ct->idle->w[port / 64]) {
			port += 63;
		} else if (portset_has(ct->idle, (uint16_t)port)) {
			portset_del(ct->idle, (uint16_t)port);
			ct->nidle--;
			return (uint16_t)port;
		}
	}
	return 0;
}

bool conntab_is_held(const struct conntab *ct, ip4 laddr, uint16_t port)
{
	const struct bind_bucket *b = conntab_bucket(ct, port);

	for (const struct list *l = b ? b->holders.next : NULL; l && l != &b->holders; l = l->next) {
		const struct bind_owner *h = container_of(l, struct bind_owner, link);

		if (!laddr || !h->addr || h->addr == laddr)
			return true;
	}
	return false;
}

void conntab_retry_refused(struct conntab *ct)
{
	for (struct claims *cl = ct->claims; cl; cl = cl->next)
		memset(&cl->refused, 0, sizeof(cl->refused));
}

bool conntab_is_claimed(const struct conntab *ct, ip4 laddr, uint16_t port)
{
	const struct claims *cl = conntab_claims(ct, laddr);

	return !cl || portset_has(&cl->granted, port);
}
