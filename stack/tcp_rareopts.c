/* SPDX-License-Identifier: BSD-2-Clause */
/* tcp_rareopts.c - see tcp_rareopts.h. */
#include "tcp_rareopts.h"

#include <errno.h>
#include <stdlib.h>

#include "tcp_impl.h"

const struct tcp_rareopts tcp_rareopts_default = { .max_pacing_rate = UINT64_MAX };

/* The object that c uses, NULL: it is the defaults, which nobody owns. */
static struct tcp_rareopts *counted(struct tcp_conn *c)
{
	return c->opt.rare == &tcp_rareopts_default ? NULL : (struct tcp_rareopts *)c->opt.rare;
}

struct tcp_rareopts *tcp_rareopts_own(struct tcp_conn *c)
{
	struct tcp_rareopts *r = counted(c);

	if (r && r->nusers == 1)
		return r;
	r = malloc(sizeof(*r));
	if (!r)
		return NULL;
	*r = *c->opt.rare;
	tcp_rareopts_drop(c);
	r->nusers = 1;
	c->opt.rare = r;
	return r;
}

void tcp_rareopts_share(struct tcp_conn *c)
{
	struct tcp_rareopts *r = counted(c);

	if (r)
		r->nusers++;
}

void tcp_rareopts_drop(struct tcp_conn *c)
{
	struct tcp_rareopts *r = counted(c);

	c->opt.rare = &tcp_rareopts_default;
	if (r && !--r->nusers)
		free(r);
}

int tcp_set_ip_opts(struct tcp_conn *c, const struct ip_optset *o)
{
	struct tcp_rareopts *own;

	if (!o->len && !c->opt.rare->ip_opts.len)
		return 0;
	own = tcp_rareopts_own(c);
	if (!own)
		return -ENOMEM;
	own->ip_opts = *o;
	return 0;
}
