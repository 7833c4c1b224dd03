/* SPDX-License-Identifier: BSD-2-Clause */
/* test_conntab_connect.c - the choice of source ports against a port by port
 * retelling of __inet_hash_connect(), and its cost by counts. */
#include "stack/conntab_impl.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LADDR 0x0a000001
#define RADDR 0x0a000002

static const struct siphash_key key = { { 0x1234567890abcdef, 0xfedcba0987654321 } };

/* A socket with all that the table wants of it. */
struct sock {
	struct ent e;
	struct bind_owner o;
	bool may_reuse;
};

static bool sock_may_reuse(const struct ent *tw, void *arg)
{
	(void)arg;
	return container_of(tw, const struct sock, e)->may_reuse;
}

static struct port_choice choice(uint16_t lo, uint16_t hi, uint32_t rnd)
{
	struct port_choice c = { .range = { lo, hi, false }, .rnd = rnd,
	                         .may_reuse = sock_may_reuse };

	return c;
}

static void aim(struct sock *s, int dest)
{
	s->e.t = (struct tuple){ .laddr = LADDR, .raddr = RADDR + (uint32_t)dest, .rport = 80 };
}

static int sock_connect(struct conntab *ct, struct sock *s, int dest, struct port_choice *c)
{
	aim(s, dest);
	return conntab_connect(ct, &s->e, &s->o, c);
}

static void sock_close(struct conntab *ct, struct sock *s)
{
	conntab_remove(ct, &s->e);
	conntab_unbind(ct, &s->o);
}

static int sock_bind(struct conntab *ct, struct sock *s, uint16_t port)
{
	struct port_range range = { 32768, 60999, false };
	uint16_t want;

	return conntab_bind(ct, &s->o, port, &range, 0, &want);
}

static void sock_to_timewait(struct conntab *ct, struct sock *s, struct sock *tw)
{
	memset(tw, 0, sizeof(*tw));
	tw->e.t = s->e.t;
	tw->e.kind = ENT_TIMEWAIT;
	tw->o.is_timewait = true;
	conntab_bind_move(&s->o, &tw->o);
	conntab_replace(ct, &s->e, &tw->e);
}

/* ---- the oracle ---- */

enum use { FREE, CONN, TW_FRESH, TW_OLD };   /* TW_OLD may be reused */

#define DESTS 3

struct oracle {
	uint8_t use[DESTS][65536];
	uint16_t nbind[65536], nconn[65536];
	bool reserved[65536];
	uint32_t perturb[65536];
};

/* One round over one parity (or all): the distance, UINT32_MAX for none. */
static uint32_t oracle_scan(const struct oracle *w, int dest, uint32_t lo, uint32_t high,
                            uint32_t remaining, uint32_t step, uint32_t offset, uint32_t *port_out)
{
	uint32_t port = lo + offset;

	for (uint32_t i = 0; i < remaining; i += step, port += step) {
		if (port >= high)
			port -= remaining;
		if (w->reserved[port] || w->nbind[port])
			continue;
		if (!w->nconn[port] || w->use[dest][port] == FREE ||
		    w->use[dest][port] == TW_OLD) {
			*port_out = port;
			return i;
		}
	}
	return UINT32_MAX;
}

static int oracle_connect(struct oracle *w, uint64_t port_offset, int dest,
                          const struct port_choice *c, uint16_t *port_out)
{
	uint32_t step = c->range.is_users ? 1 : 2;
	uint32_t lo = c->range.lo, high = (uint32_t)c->range.hi + 1, remaining = high - lo;
	uint32_t index = port_offset & 65535, offset, i, port = 0;

	if (step == 2 && remaining > 1)
		remaining &= ~1u;
	offset = w->perturb[index] + (uint32_t)siphash_1u64(&key, index);
	offset += (uint32_t)(port_offset >> 32);
	offset %= remaining;
	if (step == 2)
		offset &= ~1u;
	i = oracle_scan(w, dest, lo, high, remaining, step, offset, &port);
	if (i == UINT32_MAX && step == 2 && remaining > 1)
		i = oracle_scan(w, dest, lo, high, remaining, step, offset + 1, &port);
	if (i == UINT32_MAX)
		return -EADDRNOTAVAIL;
	i = MAX(i, c->rnd % 8 * step);
	w->perturb[index] += i + step;
	*port_out = (uint16_t)port;
	return 0;
}

/* ---- random tables ---- */

#define SOCKS 1200

struct world {
	struct conntab ct;
	struct oracle w;
	struct sock s[SOCKS];
	int dest[SOCKS];
	bool is_open[SOCKS];
};

static void world_connect(struct world *x, int k, struct port_choice *c)
{
	int dest = rand() % DESTS;
	uint16_t port = 0;
	int want, got;

	memset(&x->s[k], 0, sizeof(x->s[k]));
	aim(&x->s[k], dest);
	want = oracle_connect(&x->w, conntab_dest_hash(&x->ct, &x->s[k].e.t), dest, c, &port);
	got = sock_connect(&x->ct, &x->s[k], dest, c);
	assert_int_equal(got, want);
	if (got)
		return;
	assert_int_equal(x->s[k].e.t.lport, port);
	assert_int_equal(conntab_port(&x->s[k].o), port);
	assert_int_equal(c->replaced != NULL, x->w.use[dest][port] == TW_OLD);
	if (c->replaced) {
		struct sock *tw = container_of(c->replaced, struct sock, e);

		assert_false(tw->e.is_hashed);
		sock_close(&x->ct, tw);
		x->is_open[tw - x->s] = false;
		x->w.nconn[port]--;
	}
	x->w.use[dest][port] = CONN;
	x->w.nconn[port]++;
	x->dest[k] = dest;
	x->is_open[k] = true;
}

static void world_bind(struct world *x, int k, uint16_t port)
{
	memset(&x->s[k], 0, sizeof(x->s[k]));
	if (sock_bind(&x->ct, &x->s[k], port))
		return;
	x->w.nbind[port]++;
	x->dest[k] = -1;
	x->is_open[k] = true;
}

static void world_close(struct world *x, int k)
{
	uint16_t port = conntab_port(&x->s[k].o);

	if (x->dest[k] < 0) {
		x->w.nbind[port]--;
	} else {
		x->w.nconn[port]--;
		x->w.use[x->dest[k]][port] = FREE;
	}
	sock_close(&x->ct, &x->s[k]);
	x->is_open[k] = false;
}

/* Turns connection k into a TIME-WAIT entry at place t. */
static void world_timewait(struct world *x, int k, int t, bool may_reuse)
{
	uint16_t port = conntab_port(&x->s[k].o);

	if (x->dest[k] < 0 || x->s[k].e.kind == ENT_TIMEWAIT)
		return;
	sock_to_timewait(&x->ct, &x->s[k], &x->s[t]);
	x->s[t].may_reuse = may_reuse;
	x->dest[t] = x->dest[k];
	x->is_open[t] = true;
	x->is_open[k] = false;
	x->w.use[x->dest[t]][port] = may_reuse ? TW_OLD : TW_FRESH;
}

static int pick(const struct world *x, bool is_open)
{
	int k = rand() % SOCKS;

	for (int i = 0; i < SOCKS; i++, k = (k + 1) % SOCKS)
		if (x->is_open[k] == is_open)
			return k;
	return -1;
}

/* grow: how many of ten operations open something. */
static void world_step(struct world *x, uint16_t lo, uint16_t hi, bool is_users, int grow,
                       int *fresh_tw)
{
	struct port_choice c = choice(lo, hi, (uint32_t)rand());
	int op = rand() % 10, k = pick(x, op >= grow), t;

	c.range.is_users = is_users;
	if (k < 0)
		return;
	if (op < grow) {
		if (rand() % 20)
			world_connect(x, k, &c);
		else
			world_bind(x, k, (uint16_t)(lo + rand() % (hi - lo + 1)));
		return;
	}
	t = pick(x, false);
	if (t >= 0 && rand() % 3 == 0) {
		bool may_reuse = *fresh_tw >= 60 || rand() % 2;

		if (x->dest[k] >= 0 && x->s[k].e.kind == ENT_CONN)
			*fresh_tw += !may_reuse;
		world_timewait(x, k, t, may_reuse);
	} else {
		if (x->s[k].e.kind == ENT_TIMEWAIT && !x->s[k].may_reuse)
			--*fresh_tw;
		world_close(x, k);
	}
}

static void compare(uint16_t lo, uint16_t hi, bool is_users, unsigned seed)
{
	struct world *x = calloc(1, sizeof(*x));
	int fresh_tw = 0;

	print_message("ports %u to %u, seed %u\n", lo, hi, seed);
	srand(seed);
	assert_int_equal(conntab_init(&x->ct, &key), 0);
	for (int i = 0; i < 5; i++) {
		uint16_t port = (uint16_t)(lo + rand() % (hi - lo + 1));

		if (hi - lo < 10)
			break;
		assert_int_equal(conntab_reserve(&x->ct, port, port), 0);
		x->w.reserved[port] = true;
	}
	for (int round = 0; round < 12000; round++)
		world_step(x, lo, hi, is_users, round / 1500 % 2 ? 4 : 8, &fresh_tw);
	for (int k = 0; k < SOCKS; k++)
		if (x->is_open[k])
			world_close(x, k);
	assert_int_equal(x->ct.ents.n, 0);
	assert_int_equal(x->ct.dests.n, 0);
	conntab_fini(&x->ct);
	free(x);
}

static void random_tables_give_linux_port(void **state)
{
	(void)state;
	compare(40000, 40299, false, 1);
	compare(40001, 40299, false, 2);
	compare(65100, 65535, false, 3);
	compare(1, 63, false, 4);
	compare(40000, 40127, false, 5);
}

static void random_tables_with_users_range_give_linux_port(void **state)
{
	(void)state;
	compare(40000, 40299, true, 11);
	compare(40003, 40250, true, 12);
	compare(65400, 65535, true, 13);
}

static void tiny_ranges_give_linux_port(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 6; n++) {
		compare(50000, (uint16_t)(50000 + n), false, 20 + n);
		compare(50001, (uint16_t)(50001 + n), true, 30 + n);
	}
}

/* ---- single rules ---- */

static void free_range_takes_lower_parity_first(void **state)
{
	static struct sock s[101];
	struct port_choice c = choice(40000, 40199, 0);
	struct conntab ct;

	(void)state;
	memset(s, 0, sizeof(s));
	conntab_init(&ct, &key);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(sock_connect(&ct, &s[i], 0, &c), 0);
		assert_int_equal(s[i].e.t.lport % 2, 0);
	}
	assert_int_equal(sock_connect(&ct, &s[100], 0, &c), 0);
	assert_int_equal(s[100].e.t.lport % 2, 1);
	conntab_fini(&ct);
}

static void one_port_serves_many_destinations(void **state)
{
	static struct sock s[50];
	struct port_choice c = choice(40000, 40000, 0);
	struct conntab ct;

	(void)state;
	memset(s, 0, sizeof(s));
	conntab_init(&ct, &key);
	for (int i = 0; i < 50; i++)
		assert_int_equal(sock_connect(&ct, &s[i], i, &c), 0);
	assert_int_equal(s[49].e.t.lport, 40000);
	conntab_fini(&ct);
}

static void full_range_is_eaddrnotavail_and_changes_nothing(void **state)
{
	static struct sock s[11];
	struct port_choice c = choice(40000, 40009, 0);
	struct conntab ct;

	(void)state;
	memset(s, 0, sizeof(s));
	conntab_init(&ct, &key);
	for (int i = 0; i < 10; i++)
		assert_int_equal(sock_connect(&ct, &s[i], 0, &c), 0);
	assert_int_equal(sock_connect(&ct, &s[10], 0, &c), -EADDRNOTAVAIL);
	assert_null(s[10].o.bucket);
	assert_false(s[10].e.is_hashed);
	assert_int_equal(sock_connect(&ct, &s[10], 1, &c), 0);
	conntab_fini(&ct);
}

static void port_of_a_bound_socket_is_passed_over_until_it_is_closed(void **state)
{
	struct sock b = { 0 }, s = { 0 };
	struct port_choice c = choice(40000, 40000, 0);
	struct conntab ct;

	(void)state;
	conntab_init(&ct, &key);
	assert_int_equal(sock_bind(&ct, &b, 40000), 0);
	assert_int_equal(sock_connect(&ct, &s, 0, &c), -EADDRNOTAVAIL);
	sock_close(&ct, &b);
	assert_int_equal(sock_connect(&ct, &s, 0, &c), 0);
	conntab_fini(&ct);
}

/* Linux 6.18: the bucket is connect()'s again when the last holder by bind() goes. */
static void port_left_to_connections_only_is_connects_again(void **state)
{
	struct sock b = { 0 }, s = { 0 }, s2 = { 0 };
	struct port_choice c = choice(40000, 40000, 0);
	struct conntab ct;

	(void)state;
	conntab_init(&ct, &key);
	s.o.reuse = b.o.reuse = true;
	assert_int_equal(sock_connect(&ct, &s, 0, &c), 0);
	assert_int_equal(sock_bind(&ct, &b, 40000), 0);
	assert_int_equal(sock_connect(&ct, &s2, 1, &c), -EADDRNOTAVAIL);
	sock_close(&ct, &b);
	assert_int_equal(sock_connect(&ct, &s2, 1, &c), 0);
	conntab_fini(&ct);
}

static void bound_socket_checks_only_its_tuple(void **state)
{
	struct sock a = { 0 }, b = { 0 };
	struct port_choice c = choice(40000, 40009, 0);
	struct conntab ct;

	(void)state;
	conntab_init(&ct, &key);
	a.o.reuse = b.o.reuse = true;
	assert_int_equal(sock_bind(&ct, &a, 5000), 0);
	assert_int_equal(sock_bind(&ct, &b, 5000), 0);
	assert_int_equal(sock_connect(&ct, &a, 0, &c), 0);
	assert_int_equal(a.e.t.lport, 5000);
	assert_int_equal(a.o.addr, LADDR);
	assert_int_equal(sock_connect(&ct, &b, 0, &c), -EADDRNOTAVAIL);
	assert_int_equal(conntab_port(&b.o), 5000);
	assert_int_equal(sock_connect(&ct, &b, 1, &c), 0);
	conntab_fini(&ct);
}

static void bound_socket_takes_over_a_reusable_timewait(void **state)
{
	struct sock a = { 0 }, b = { 0 }, tw;
	struct port_choice c = choice(40000, 40009, 0);
	struct conntab ct;

	(void)state;
	conntab_init(&ct, &key);
	a.o.reuse = b.o.reuse = true;
	assert_int_equal(sock_bind(&ct, &a, 5000), 0);
	assert_int_equal(sock_bind(&ct, &b, 5000), 0);
	assert_int_equal(sock_connect(&ct, &a, 0, &c), 0);
	sock_to_timewait(&ct, &a, &tw);
	assert_int_equal(sock_connect(&ct, &b, 0, &c), -EADDRNOTAVAIL);
	tw.may_reuse = true;
	c.no_reuse = true;      /* of no concern to a bound socket */
	assert_int_equal(sock_connect(&ct, &b, 0, &c), 0);
	assert_ptr_equal(c.replaced, &tw.e);
	assert_ptr_equal(conntab_find(&ct, &b.e.t), &b.e);
	sock_close(&ct, &tw);
	assert_ptr_equal(conntab_find(&ct, &b.e.t), &b.e);
	conntab_fini(&ct);
}

static void connecting_again_after_failure_chooses_anew(void **state)
{
	struct sock s = { 0 };
	struct port_choice c = choice(40000, 40999, 3);
	struct conntab ct;
	uint16_t first;

	(void)state;
	conntab_init(&ct, &key);
	assert_int_equal(sock_connect(&ct, &s, 0, &c), 0);
	first = s.e.t.lport;
	sock_close(&ct, &s);
	assert_int_equal(conntab_port(&s.o), 0);
	assert_int_equal(sock_connect(&ct, &s, 0, &c), 0);
	assert_int_not_equal(s.e.t.lport, first);
	conntab_fini(&ct);
}

static void hint_moves_on_by_the_random_step(void **state)
{
	struct sock s[2];
	struct port_choice c = choice(40000, 40999, 5);
	struct conntab ct;
	int moved;

	(void)state;
	memset(s, 0, sizeof(s));
	conntab_init(&ct, &key);
	assert_int_equal(sock_connect(&ct, &s[0], 0, &c), 0);
	assert_int_equal(sock_connect(&ct, &s[1], 0, &c), 0);
	moved = s[1].e.t.lport - s[0].e.t.lport;
	assert_int_equal((moved + 1000) % 1000, 5 * 2 + 2);
	conntab_fini(&ct);
}

/* ---- cost, by counts ---- */

#define FULL 28232

/* Fills 32768-60999 towards destination 0, then frees n ports spread over it. */
static struct sock *fill(struct conntab *ct, int n)
{
	struct port_choice c = choice(32768, 60999, 0);
	struct sock *s = calloc(FULL, sizeof(*s));

	for (int i = 0; i < FULL; i++)
		assert_int_equal(sock_connect(ct, &s[i], 0, &c), 0);
	for (int i = 0; i < n; i++)
		sock_close(ct, &s[(long)i * FULL / n]);
	return s;
}

static void nearly_full_range_costs_some_words(void **state)
{
	struct port_choice c = choice(32768, 60999, 1);
	struct sock *all, s = { 0 };
	struct conntab ct;

	(void)state;
	conntab_init(&ct, &key);
	all = fill(&ct, FULL / 100);
	ct.words_scanned = ct.tuples_probed = 0;
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(sock_connect(&ct, &s, 0, &c), 0);
		sock_close(&ct, &s);
	}
	print_message("99 %% full: %.1f words, %.2f look-ups a choice\n",
	              (double)ct.words_scanned / 1000, (double)ct.tuples_probed / 1000);
	assert_true(ct.words_scanned < 1000 * 40);
	assert_true(ct.tuples_probed < 1000 * 2);
	conntab_fini(&ct);
	free(all);
}

/* Filled in order, all of the first parity is taken from half full on. */
static void range_filled_in_order_costs_no_more(void **state)
{
	struct port_choice c = choice(32768, 60999, 1);
	struct sock *all = calloc(FULL, sizeof(*all)), s = { 0 };
	struct conntab ct;

	(void)state;
	conntab_init(&ct, &key);
	for (int i = 0; i < FULL / 100 * 99; i++)
		assert_int_equal(sock_connect(&ct, &all[i], 0, &c), 0);
	ct.words_scanned = 0;
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(sock_connect(&ct, &s, 0, &c), 0);
		sock_close(&ct, &s);
	}
	print_message("99 %% full, in order: %.1f words a choice\n", (double)ct.words_scanned / 1000);
	assert_true(ct.words_scanned < 1000 * 10);
	conntab_fini(&ct);
	free(all);
}

static void full_range_fails_after_one_pass_over_its_words(void **state)
{
	struct port_choice c = choice(32768, 60999, 1);
	struct sock *all, s = { 0 };
	struct conntab ct;

	(void)state;
	conntab_init(&ct, &key);
	all = fill(&ct, 0);
	assert_int_equal(sock_connect(&ct, &s, 0, &c), -EADDRNOTAVAIL);   /* meets the first few */
	ct.words_scanned = ct.tuples_probed = 0;
	assert_int_equal(sock_connect(&ct, &s, 0, &c), -EADDRNOTAVAIL);
	assert_int_equal(ct.tuples_probed, 0);
	assert_true(ct.words_scanned <= 2 * (FULL / 64 + 3));
	conntab_fini(&ct);
	free(all);
}

static void range_full_of_fresh_timewait_still_finds_the_free_port(void **state)
{
	struct port_choice c = choice(32768, 60999, 1);
	struct sock *all, *tw = calloc(FULL, sizeof(*tw)), s = { 0 };
	struct conntab ct;

	(void)state;
	conntab_init(&ct, &key);
	all = fill(&ct, 1);
	for (int i = 1; i < FULL; i++)
		sock_to_timewait(&ct, &all[i], &tw[i]);
	ct.tuples_probed = 0;
	assert_int_equal(sock_connect(&ct, &s, 0, &c), 0);
	assert_null(c.replaced);
	assert_true(ct.tuples_probed < 200);
	sock_close(&ct, &s);
	c.no_reuse = true;
	ct.tuples_probed = 0;
	assert_int_equal(sock_connect(&ct, &s, 0, &c), 0);
	assert_true(ct.tuples_probed <= 2);
	conntab_fini(&ct);
	free(all);
	free(tw);
}

static void full_range_with_one_old_timewait_finds_it(void **state)
{
	struct port_choice c = choice(32768, 60999, 1);
	struct sock *all, *tw = calloc(FULL, sizeof(*tw)), s = { 0 };
	struct conntab ct;

	(void)state;
	conntab_init(&ct, &key);
	all = fill(&ct, 0);
	for (int i = 0; i < FULL; i++)
		sock_to_timewait(&ct, &all[i], &tw[i]);
	assert_int_equal(sock_connect(&ct, &s, 0, &c), -EADDRNOTAVAIL);
	tw[17].may_reuse = true;
	assert_int_equal(sock_connect(&ct, &s, 0, &c), 0);
	assert_ptr_equal(c.replaced, &tw[17].e);
	conntab_fini(&ct);
	free(all);
	free(tw);
}

static void destination_without_connections_holds_no_memory(void **state)
{
	struct sock *all;
	struct conntab ct;

	(void)state;
	conntab_init(&ct, &key);
	all = fill(&ct, FULL);
	assert_int_equal(ct.dests.n, 0);
	conntab_fini(&ct);
	free(all);
}

/* ---- claims ---- */

static void unclaimed_port_is_wanted_then_taken(void **state)
{
	struct sock s = { 0 };
	struct port_choice c = choice(40000, 40999, 0);
	struct conntab ct;
	uint16_t want;

	(void)state;
	conntab_init(&ct, &key);
	assert_int_equal(conntab_need_claims(&ct, LADDR), 0);
	assert_int_equal(sock_connect(&ct, &s, 0, &c), -EAGAIN);
	want = c.want;
	assert_true(want >= 40000 && want <= 40999);
	assert_int_equal(conntab_port(&s.o), 0);
	conntab_set_claim(&ct, LADDR, want, true);
	assert_true(conntab_is_claimed(&ct, LADDR, want));
	assert_int_equal(sock_connect(&ct, &s, 0, &c), 0);
	assert_int_equal(s.e.t.lport, want);
	conntab_fini(&ct);
}

static void claimed_port_is_reused_for_another_destination(void **state)
{
	struct sock a = { 0 }, b = { 0 }, d = { 0 };
	struct port_choice c = choice(40000, 40999, 0);
	struct conntab ct;

	(void)state;
	conntab_init(&ct, &key);
	conntab_need_claims(&ct, LADDR);
	conntab_set_claim(&ct, LADDR, 40100, true);
	assert_int_equal(sock_connect(&ct, &a, 0, &c), 0);
	assert_int_equal(sock_connect(&ct, &b, 1, &c), 0);
	assert_int_equal(b.e.t.lport, 40100);
	assert_int_equal(sock_connect(&ct, &d, 1, &c), -EAGAIN);
	conntab_fini(&ct);
}

static void refused_port_is_passed_over_until_retry(void **state)
{
	struct sock s = { 0 };
	struct port_choice c = choice(40000, 40003, 0);
	struct conntab ct;

	(void)state;
	conntab_init(&ct, &key);
	conntab_need_claims(&ct, LADDR);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(sock_connect(&ct, &s, 0, &c), -EAGAIN);
		conntab_set_claim(&ct, LADDR, c.want, false);
		assert_false(conntab_is_claimed(&ct, LADDR, c.want));
	}
	assert_int_equal(sock_connect(&ct, &s, 0, &c), -EADDRNOTAVAIL);
	conntab_retry_refused(&ct);
	assert_int_equal(sock_connect(&ct, &s, 0, &c), -EAGAIN);
	conntab_fini(&ct);
}

static void address_without_claims_is_not_concerned(void **state)
{
	struct sock s = { 0 };
	struct port_choice c = choice(40000, 40003, 0);
	struct conntab ct;

	(void)state;
	conntab_init(&ct, &key);
	conntab_need_claims(&ct, LADDR + 1);
	assert_int_equal(sock_connect(&ct, &s, 0, &c), 0);
	assert_true(conntab_is_claimed(&ct, LADDR, 1));
	conntab_need_claims(&ct, LADDR);
	conntab_drop_claims(&ct, LADDR);
	assert_true(conntab_is_claimed(&ct, LADDR, 1));
	conntab_drop_claims(&ct, LADDR + 1);
	assert_null(ct.claims);
	conntab_fini(&ct);
}

static void wanted_ports_come_in_linux_order(void **state)
{
	struct port_choice c = choice(40000, 40299, 0);
	struct conntab ct, plain;
	static struct sock s[300], p[300];

	(void)state;
	memset(s, 0, sizeof(s));
	memset(p, 0, sizeof(p));
	conntab_init(&ct, &key);
	conntab_init(&plain, &key);
	conntab_need_claims(&ct, LADDR);
	for (int i = 0; i < 300; i++) {
		assert_int_equal(sock_connect(&plain, &p[i], 0, &c), 0);
		assert_int_equal(sock_connect(&ct, &s[i], 0, &c), -EAGAIN);
		conntab_set_claim(&ct, LADDR, c.want, true);
		assert_int_equal(sock_connect(&ct, &s[i], 0, &c), 0);
		assert_int_equal(s[i].e.t.lport, p[i].e.t.lport);
	}
	conntab_fini(&ct);
	conntab_fini(&plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_tables_give_linux_port),
		cmocka_unit_test(random_tables_with_users_range_give_linux_port),
		cmocka_unit_test(tiny_ranges_give_linux_port),
		cmocka_unit_test(free_range_takes_lower_parity_first),
		cmocka_unit_test(one_port_serves_many_destinations),
		cmocka_unit_test(full_range_is_eaddrnotavail_and_changes_nothing),
		cmocka_unit_test(port_of_a_bound_socket_is_passed_over_until_it_is_closed),
		cmocka_unit_test(port_left_to_connections_only_is_connects_again),
		cmocka_unit_test(bound_socket_checks_only_its_tuple),
		cmocka_unit_test(bound_socket_takes_over_a_reusable_timewait),
		cmocka_unit_test(connecting_again_after_failure_chooses_anew),
		cmocka_unit_test(hint_moves_on_by_the_random_step),
		cmocka_unit_test(nearly_full_range_costs_some_words),
		cmocka_unit_test(range_filled_in_order_costs_no_more),
		cmocka_unit_test(full_range_fails_after_one_pass_over_its_words),
		cmocka_unit_test(range_full_of_fresh_timewait_still_finds_the_free_port),
		cmocka_unit_test(full_range_with_one_old_timewait_finds_it),
		cmocka_unit_test(destination_without_connections_holds_no_memory),
		cmocka_unit_test(unclaimed_port_is_wanted_then_taken),
		cmocka_unit_test(claimed_port_is_reused_for_another_destination),
		cmocka_unit_test(refused_port_is_passed_over_until_retry),
		cmocka_unit_test(address_without_claims_is_not_concerned),
		cmocka_unit_test(wanted_ports_come_in_linux_order),
	};

	return cmocka_run_group_tests_name("conntab_connect", tests, NULL, NULL);
}
