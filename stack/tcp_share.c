/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_share.c - when other processes hold connections of the same address and port:
 * what the engine asks to tell whose a SYN is, and what is not reset.
 */
#include "tcp_impl.h"

#include <errno.h>
#include <stdlib.h>

bool stack_knows(const struct stack *s, const struct tuple *t)
{
	return conntab_find(&s->tab, t) != NULL;
}

bool stack_has_timewait(const struct stack *s, const struct tuple *t)
{
	const struct ent *e = conntab_find(&s->tab, t);

	return e && e->kind == ENT_TIMEWAIT;
}

void stack_forget_timewait(struct stack *s, const struct tuple *t)
{
	struct ent *e = conntab_find(&s->tab, t);

	if (e && e->kind == ENT_TIMEWAIT)
		tcp_tw_free(container_of(e, struct tcp_tw, ent));
}

void tcp_bind_owner(const struct tcp_conn *c, ip4 addr, struct bind_owner *o)
{
	*o = (struct bind_owner){ .addr = addr, .oif = c->opt.oif, .uid = c->bind.uid, .reuse = c->opt.reuseaddr,
				  .reuseport = c->opt.reuseport };
}

int stack_would_bind(const struct stack *s, const struct bind_owner *o, uint16_t port)
{
	return conntab_would_bind(&s->tab, o, port);
}

bool stack_listens(const struct stack *s, ip4 addr, uint16_t port)
{
	for (const struct list *l = s->conns.next; l != &s->conns; l = l->next) {
		const struct tcp_conn *c = container_of(l, const struct tcp_conn, all_link);

		if (c->state == TCP_LISTEN && c->bind.addr == addr && conntab_port(&c->bind) == port)
			return true;
	}
	return false;
}

int stack_set_quiet(struct stack *s, uint16_t port, bool on)
{
	if (!s->quiet && on)
		s->quiet = calloc(1, sizeof(*s->quiet));
	if (!s->quiet)
		return on ? -ENOMEM : 0;
	if (on)
		portset_add(s->quiet, port);
	else
		portset_del(s->quiet, port);
	return 0;
}

bool stack_answers(const struct stack *s, ip4 addr, uint16_t port)
{
	return conntab_is_bound(&s->tab, addr, port);
}

bool tcp_may_reset(const struct stack *s, const struct tcp_hdr *th)
{
	if ((th->flags & (TCPF_SYN | TCPF_ACK)) == TCPF_SYN)
		return true;
	return !s->quiet || !portset_has(s->quiet, th->dport);
}
