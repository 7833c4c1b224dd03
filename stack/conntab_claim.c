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
