/* SPDX-License-Identifier: BSD-2-Clause */
/* test_conntab_bind.c - who may hold a port beside whom, as Linux 6.18 was seen to do it
 * (netns_ports.c compares with the running kernel over random operations). */
#include "stack/conntab_impl.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PORT 5000
#define A1 0x0a000001
#define A2 0x0a000002

static const struct siphash_key key = { { 3, 4 } };

static int bind_to(struct conntab *ct, struct bind_owner *o, uint16_t port)
{
	struct port_range range = { 32768, 60999, false };
	uint16_t want;

	return conntab_bind(ct, o, port, &range, 0x12345678, &want);
}

enum { NONE, R, P, RP };       /* no flag, SO_REUSEADDR, SO_REUSEPORT, both */
enum { BOUND, LISTENING, TIMEWAIT, CONNECTED };

static struct bind_owner owner(int flags, ip4 addr, int oif, uint32_t uid)
{
	struct bind_owner o = { .addr = addr, .oif = oif, .uid = uid };

	o.reuse = flags & R;
	o.reuseport = flags & P;
	return o;
}

/* A first socket in a state, a second that binds to the same port: seen on Linux. */
static const struct {
	int flags1, state1;
	ip4 addr1;
	int oif1;
	uint32_t uid1;
	int flags2;
	ip4 addr2;
	int oif2;
	uint32_t uid2;
	int result;
} table[] = {
	/* neither shares */
	{ NONE, BOUND, 0, 0, 0, NONE, 0, 0, 0, -EADDRINUSE },
	{ NONE, BOUND, A1, 0, 0, NONE, A1, 0, 0, -EADDRINUSE },
	{ NONE, BOUND, A1, 0, 0, NONE, 0, 0, 0, -EADDRINUSE },
	{ NONE, BOUND, 0, 0, 0, NONE, A1, 0, 0, -EADDRINUSE },
	{ NONE, BOUND, A1, 0, 0, NONE, A2, 0, 0, 0 },
	/* devices */
	{ NONE, BOUND, 0, 1, 0, NONE, 0, 2, 0, 0 },
	{ NONE, BOUND, 0, 1, 0, NONE, 0, 1, 0, -EADDRINUSE },
	{ NONE, BOUND, 0, 1, 0, NONE, 0, 0, 0, -EADDRINUSE },
	{ NONE, BOUND, 0, 0, 0, NONE, 0, 1, 0, -EADDRINUSE },
	{ NONE, BOUND, A1, 1, 0, NONE, A2, 1, 0, 0 },
	/* SO_REUSEADDR takes both, and nobody who listens */
	{ R, BOUND, 0, 0, 0, R, 0, 0, 0, 0 },
	{ R, BOUND, 0, 0, 0, NONE, 0, 0, 0, -EADDRINUSE },
	{ NONE, BOUND, 0, 0, 0, R, 0, 0, 0, -EADDRINUSE },
	{ R, BOUND, 0, 0, 1, R, 0, 0, 2, 0 },
	{ R, LISTENING, 0, 0, 0, R, 0, 0, 0, -EADDRINUSE },
	{ R, LISTENING, A1, 0, 0, R, 0, 0, 0, -EADDRINUSE },
	{ R, LISTENING, A1, 0, 0, R, A2, 0, 0, 0 },
	/* SO_REUSEPORT takes both and one user, listening or not */
	{ P, BOUND, 0, 0, 5, P, 0, 0, 5, 0 },
	{ P, BOUND, 0, 0, 5, P, 0, 0, 6, -EADDRINUSE },
	{ P, BOUND, 0, 0, 5, NONE, 0, 0, 5, -EADDRINUSE },
	{ NONE, BOUND, 0, 0, 5, P, 0, 0, 5, -EADDRINUSE },
	{ P, BOUND, 0, 0, 5, R, 0, 0, 5, -EADDRINUSE },
	{ P, BOUND, A1, 0, 5, P, 0, 0, 5, 0 },
	{ P, LISTENING, 0, 0, 5, P, 0, 0, 5, 0 },
	{ P, LISTENING, 0, 0, 5, P, 0, 0, 6, -EADDRINUSE },
	{ RP, LISTENING, 0, 0, 5, RP, 0, 0, 5, 0 },
	{ RP, LISTENING, 0, 0, 5, R, 0, 0, 5, -EADDRINUSE },
	{ RP, BOUND, 0, 0, 5, RP, 0, 0, 6, 0 },
	/* TIME-WAIT is no listener, and has no user */
	{ NONE, TIMEWAIT, 0, 0, 0, NONE, 0, 0, 0, -EADDRINUSE },
	{ R, TIMEWAIT, 0, 0, 0, R, 0, 0, 0, 0 },
	{ NONE, TIMEWAIT, 0, 0, 0, R, 0, 0, 0, -EADDRINUSE },
	{ P, TIMEWAIT, 0, 0, 5, P, 0, 0, 5, 0 },
	/* a port that connect() chose is held as any other */
	{ NONE, CONNECTED, 0, 0, 0, NONE, A1, 0, 0, -EADDRINUSE },
	{ NONE, CONNECTED, 0, 0, 0, R, A1, 0, 0, -EADDRINUSE },
	{ R, CONNECTED, 0, 0, 0, R, A1, 0, 0, 0 },
	{ NONE, CONNECTED, 0, 0, 0, NONE, A2, 0, 0, 0 },
};

static void connect_to(struct conntab *ct, struct bind_owner *o, struct ent *e)
{
	struct port_choice c = { .range = { PORT, PORT, false } };

	e->t = (struct tuple){ .laddr = A1, .raddr = 9, .rport = 80 };
	assert_int_equal(conntab_connect(ct, e, o, &c), 0);
}

static int bind_second(size_t i)
{
	struct bind_owner a = owner(table[i].flags1, table[i].addr1, table[i].oif1, table[i].uid1);
	struct bind_owner b = owner(table[i].flags2, table[i].addr2, table[i].oif2, table[i].uid2);
	struct bind_owner tw = { .is_timewait = true };
	struct ent e = { 0 };
	struct conntab ct;
	int result, asked;

	conntab_init(&ct, &key);
	if (table[i].state1 == CONNECTED)
		connect_to(&ct, &a, &e);
	else
		assert_int_equal(bind_to(&ct, &a, PORT), 0);
	a.is_listening = table[i].state1 == LISTENING;
	if (table[i].state1 == TIMEWAIT)
		conntab_bind_move(&a, &tw);
	asked = conntab_would_bind(&ct, &b, PORT);
	result = bind_to(&ct, &b, PORT);
	assert_int_equal(asked == -ENOENT ? 0 : asked, result);
	assert_int_equal(conntab_port(&b), result ? 0 : PORT);
	conntab_fini(&ct);
	return result;
}

static void second_socket_binds_as_the_table_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		int result = bind_second(i);

		if (result != table[i].result)
			print_message("row %u\n", (unsigned)i);
		assert_int_equal(result, table[i].result);
	}
}

static void second_listener_with_reuseaddr_is_eaddrinuse(void **state)
{
	struct bind_owner a = owner(R, 0, 0, 0), b = owner(R, 0, 0, 0);
	struct conntab ct;

	(void)state;
	conntab_init(&ct, &key);
	assert_int_equal(conntab_may_listen(&ct, &a), -EADDRINUSE);
	bind_to(&ct, &a, PORT);
	bind_to(&ct, &b, PORT);
	assert_int_equal(conntab_may_listen(&ct, &a), 0);
	a.is_listening = true;
	assert_int_equal(conntab_may_listen(&ct, &b), -EADDRINUSE);
	a.is_listening = false;
	assert_int_equal(conntab_may_listen(&ct, &b), 0);
	conntab_fini(&ct);
}

static void reuseaddr_taken_back_after_bind_conflicts(void **state)
{
	struct bind_owner a = owner(R, 0, 0, 0), b = owner(R, 0, 0, 0);
	struct conntab ct;

	(void)state;
	conntab_init(&ct, &key);
	bind_to(&ct, &a, PORT);
	a.reuse = false;
	assert_int_equal(bind_to(&ct, &b, PORT), -EADDRINUSE);
	conntab_fini(&ct);
}

/* Linux's fastreuseport: the last one that bound with SO_REUSEPORT vouches for the next. */
static void reuseport_taken_back_after_bind_still_admits_same_address(void **state)
{
	struct bind_owner a = owner(P, A1, 0, 0), b = owner(P, A1, 0, 0), c = owner(P, 0, 0, 0);
	struct conntab ct;

	(void)state;
	conntab_init(&ct, &key);
	bind_to(&ct, &a, PORT);
	a.reuseport = false;
	assert_int_equal(bind_to(&ct, &c, PORT), -EADDRINUSE);
	assert_int_equal(bind_to(&ct, &b, PORT), 0);
	conntab_fini(&ct);
}

static void reuseport_joins_beside_a_socket_of_reuseaddr_alone(void **state)
{
	struct bind_owner a = owner(R, 0, 0, 0), b = owner(RP, 0, 0, 0), c = owner(P, 0, 0, 0);
	struct conntab ct;

	(void)state;
	conntab_init(&ct, &key);
	assert_int_equal(bind_to(&ct, &a, PORT), 0);
	assert_int_equal(bind_to(&ct, &c, PORT), -EADDRINUSE);
	assert_int_equal(bind_to(&ct, &b, PORT), 0);
	assert_int_equal(bind_to(&ct, &c, PORT), 0);
	conntab_fini(&ct);
}

static void unbound_port_is_free_again(void **state)
{
	struct bind_owner a = owner(NONE, 0, 0, 0), b = owner(NONE, 0, 0, 0);
	struct conntab ct;

	(void)state;
	conntab_init(&ct, &key);
	bind_to(&ct, &a, PORT);
	conntab_unbind(&ct, &a);
	assert_int_equal(conntab_port(&a), 0);
	conntab_unbind(&ct, &a);
	assert_int_equal(bind_to(&ct, &b, PORT), 0);
	conntab_unbind(&ct, &b);
	assert_null(conntab_bucket(&ct, PORT));
	assert_false(portset_has(ct.held, PORT));
	assert_false(portset_has(ct.blocked, PORT));
	conntab_fini(&ct);
}

/* ---- port 0 ---- */

static void port_zero_takes_the_upper_parity_first(void **state)
{
	struct port_range range = { 40000, 40019, false };
	struct bind_owner o[21];
	struct conntab ct;
	uint16_t want;

	(void)state;
	memset(o, 0, sizeof(o));
	conntab_init(&ct, &key);
	srand(3);
	for (int i = 0; i < 20; i++) {
		uint32_t rnd = (uint32_t)rand() * 2u;

		assert_int_equal(conntab_bind(&ct, &o[i], 0, &range, rnd, &want), 0);
		assert_in_range(conntab_port(&o[i]), 40000, 40019);
		assert_int_equal(conntab_port(&o[i]) % 2, i < 10 ? 1 : 0);
	}
	assert_int_equal(conntab_bind(&ct, &o[20], 0, &range, 0, &want), -EADDRINUSE);
	conntab_fini(&ct);
}

static void port_zero_with_reuseaddr_takes_the_lower_half_first(void **state)
{
	struct port_range range = { 40000, 40019, false };
	struct bind_owner o[20];
	struct conntab ct;
	uint16_t want;

	(void)state;
	conntab_init(&ct, &key);
	for (int i = 0; i < 20; i++) {
		o[i] = owner(R, 0, 0, 0);
		assert_int_equal(conntab_bind(&ct, &o[i], 0, &range, 0x80000000, &want), 0);
		assert_int_equal(conntab_port(&o[i]) < 40010, i < 10);
	}
	conntab_fini(&ct);
}

static void port_zero_never_shares_even_with_reuse_flags(void **state)
{
	struct port_range range = { 40000, 40001, false };
	struct bind_owner a = owner(RP, 0, 0, 0), b = owner(RP, 0, 0, 0), c = owner(RP, 0, 0, 0);
	struct conntab ct;
	uint16_t want;

	(void)state;
	conntab_init(&ct, &key);
	assert_int_equal(conntab_bind(&ct, &a, 0, &range, 0, &want), 0);
	assert_int_equal(conntab_bind(&ct, &b, 0, &range, 0, &want), 0);
	assert_int_not_equal(conntab_port(&a), conntab_port(&b));
	assert_int_equal(conntab_bind(&ct, &c, 0, &range, 0, &want), -EADDRINUSE);
	conntab_fini(&ct);
}

static void port_zero_with_another_address_shares_the_port(void **state)
{
	struct port_range range = { 40000, 40000, false };
	struct bind_owner a = owner(NONE, A1, 0, 0), b = owner(NONE, A2, 0, 0);
	struct bind_owner c = owner(NONE, 0, 0, 0);
	struct conntab ct;
	uint16_t want;

	(void)state;
	conntab_init(&ct, &key);
	assert_int_equal(conntab_bind(&ct, &a, 0, &range, 0, &want), 0);
	assert_int_equal(conntab_bind(&ct, &c, 0, &range, 0, &want), -EADDRINUSE);
	assert_int_equal(conntab_bind(&ct, &b, 0, &range, 0, &want), 0);
	conntab_fini(&ct);
}

static void port_zero_passes_over_reserved_ports(void **state)
{
	struct port_range range = { 40000, 40009, false };
	struct bind_owner o = owner(NONE, 0, 0, 0), named = owner(NONE, 0, 0, 0);
	struct conntab ct;
	uint16_t want;

	(void)state;
	conntab_init(&ct, &key);
	conntab_reserve(&ct, 40000, 40006);
	conntab_reserve(&ct, 40008, 40009);
	assert_int_equal(conntab_bind(&ct, &o, 0, &range, 77, &want), 0);
	assert_int_equal(conntab_port(&o), 40007);
	assert_int_equal(conntab_bind(&ct, &named, 40003, &range, 77, &want), 0);
	conntab_fini(&ct);
}

static void port_zero_in_a_full_range_costs_words_not_ports(void **state)
{
	struct port_range range = { 32768, 60999, false };
	struct bind_owner *o = calloc(28232, sizeof(*o)), last = { 0 };
	struct conntab ct;
	uint16_t want;

	(void)state;
	conntab_init(&ct, &key);
	for (int i = 0; i < 28232; i++)
		assert_int_equal(conntab_bind(&ct, &o[i], 0, &range, 5, &want), 0);
	ct.words_scanned = 0;
	assert_int_equal(conntab_bind(&ct, &last, 0, &range, 5, &want), -EADDRINUSE);
	assert_true(ct.words_scanned < 2 * 28232 / 64 + 8);
	conntab_fini(&ct);
	free(o);
}

/* ---- claims ---- */

static void named_port_is_claimed_first_and_asked_for_each_time(void **state)
{
	struct port_range range = { 40000, 40009, false };
	struct bind_owner o = owner(NONE, A1, 0, 0);
	struct conntab ct;
	uint16_t want;

	(void)state;
	conntab_init(&ct, &key);
	conntab_need_claims(&ct, A1);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(conntab_bind(&ct, &o, PORT, &range, 0, &want), -EAGAIN);
		assert_int_equal(want, PORT);
		conntab_set_claim(&ct, A1, PORT, false);
		assert_int_equal(conntab_bind(&ct, &o, PORT, &range, 0, &want), -EADDRINUSE);
	}
	assert_int_equal(conntab_bind(&ct, &o, PORT, &range, 0, &want), -EAGAIN);
	conntab_set_claim(&ct, A1, PORT, true);
	assert_int_equal(conntab_bind(&ct, &o, PORT, &range, 0, &want), 0);
	conntab_fini(&ct);
}

static void bound_port_is_idle_when_the_last_holder_goes(void **state)
{
	struct bind_owner l = owner(0, A1, 0, 0), child = owner(0, A1, 0, 0), any = owner(0, A1, 0, 0);
	struct port_range range = { 40000, 40009, false };
	struct ent e = { .t = { .laddr = A1, .raddr = A2, .rport = 80 } };
	struct port_choice pc = { .range = range };
	struct conntab ct;
	uint16_t want;

	(void)state;
	assert_int_equal(conntab_init(&ct, &key), 0);
	conntab_need_claims(&ct, A1);
	conntab_set_claim(&ct, A1, PORT, true);
	conntab_set_claim(&ct, A1, 40001, true);
	assert_int_equal(bind_to(&ct, &l, PORT), 0);
	assert_int_equal(conntab_bind_inherit(&ct, &child, PORT), 0);
	assert_int_equal(conntab_next_idle(&ct), 0);
	conntab_unbind(&ct, &l);
	assert_int_equal(conntab_next_idle(&ct), PORT);
	assert_true(conntab_is_held(&ct, A1, PORT));
	assert_true(conntab_is_held(&ct, 0, PORT));
	assert_false(conntab_is_held(&ct, A2, PORT));
	conntab_unbind(&ct, &child);
	assert_int_equal(conntab_next_idle(&ct), PORT);
	assert_int_equal(conntab_next_idle(&ct), 0);
	assert_false(conntab_is_held(&ct, A1, PORT));
	conntab_unclaim(&ct, A1, PORT);
	assert_false(conntab_is_claimed(&ct, A1, PORT));
	/* One that bind() chose, too: a program that looks for a free port means it for another socket, or program. */
	assert_int_equal(conntab_bind(&ct, &any, 0, &range, 0, &want), 0);
	conntab_unbind(&ct, &any);
	assert_int_equal(conntab_next_idle(&ct), 40001);
	/* One that connect() chose is kept for the next connection. */
	assert_int_equal(conntab_connect(&ct, &e, &any, &pc), 0);
	conntab_remove(&ct, &e);
	conntab_unbind(&ct, &any);
	assert_int_equal(conntab_next_idle(&ct), 0);
	conntab_fini(&ct);
}

static void named_port_in_conflict_asks_for_no_claim(void **state)
{
	struct port_range range = { 40000, 40009, false };
	struct bind_owner a = owner(NONE, A1, 0, 0), b = owner(NONE, A1, 0, 0);
	struct conntab ct;
	uint16_t want;

	(void)state;
	conntab_init(&ct, &key);
	bind_to(&ct, &a, PORT);
	conntab_need_claims(&ct, A1);
	assert_int_equal(conntab_bind(&ct, &b, PORT, &range, 0, &want), -EADDRINUSE);
	conntab_fini(&ct);
}

static void port_zero_prefers_claimed_then_wants_one(void **state)
{
	struct port_range range = { 40000, 40009, false };
	struct bind_owner a = owner(NONE, A1, 0, 0), b = owner(NONE, A1, 0, 0);
	struct conntab ct;
	uint16_t want, asked;

	(void)state;
	conntab_init(&ct, &key);
	conntab_need_claims(&ct, A1);
	conntab_set_claim(&ct, A1, 40004, true);
	assert_int_equal(conntab_bind(&ct, &a, 0, &range, 0, &want), 0);
	assert_int_equal(conntab_port(&a), 40004);
	assert_int_equal(conntab_bind(&ct, &b, 0, &range, 0, &want), -EAGAIN);
	asked = want;
	conntab_set_claim(&ct, A1, asked, true);
	assert_int_equal(conntab_bind(&ct, &b, 0, &range, 0, &want), 0);
	assert_int_equal(conntab_port(&b), asked);
	conntab_fini(&ct);
}

static void claim_on_every_address_counts_for_each(void **state)
{
	struct port_range range = { 40000, 40009, false };
	struct bind_owner any = owner(NONE, 0, 0, 0);
	struct conntab ct;
	uint16_t want;

	(void)state;
	conntab_init(&ct, &key);
	conntab_need_claims(&ct, A1);
	conntab_set_claim(&ct, A1, PORT, true);
	assert_int_equal(conntab_bind(&ct, &any, PORT, &range, 0, &want), -EAGAIN);
	conntab_set_claim(&ct, 0, PORT, true);
	assert_int_equal(conntab_bind(&ct, &any, PORT, &range, 0, &want), 0);
	conntab_set_claim(&ct, 0, PORT + 1, true);
	assert_true(conntab_is_claimed(&ct, A1, PORT + 1));
	conntab_need_claims(&ct, A2);
	assert_true(conntab_is_claimed(&ct, A2, PORT + 1));
	assert_false(conntab_is_claimed(&ct, A2, PORT + 2));
	conntab_fini(&ct);
}

/* ---- listeners ---- */

#define FIND(laddr, lport, oif) \
	conntab_find_listener(&ct, &(struct tuple){ (laddr), A1 + 7, (lport), 4000 }, (oif))

static void listener_is_found_by_address_then_device(void **state)
{
	struct bind_owner any = owner(R, 0, 0, 0), dev = owner(R, 0, 3, 0), addr = owner(R, A1, 0, 0);
	struct conntab ct;

	(void)state;
	conntab_init(&ct, &key);
	bind_to(&ct, &any, PORT);
	bind_to(&ct, &dev, PORT);
	bind_to(&ct, &addr, PORT);
	assert_null(FIND(A1, PORT, 3));
	any.is_listening = dev.is_listening = addr.is_listening = true;
	assert_ptr_equal(FIND(A1, PORT, 3), &addr);
	assert_ptr_equal(FIND(A2, PORT, 3), &dev);
	assert_ptr_equal(FIND(A2, PORT, 4), &any);
	assert_null(FIND(A1, PORT + 1, 3));
	any.is_listening = false;
	assert_null(FIND(A2, PORT, 4));
	conntab_fini(&ct);
}

/* Which of the group's members gets client i. */
static struct bind_owner *of_group(const struct conntab *ct, uint32_t i)
{
	struct tuple t = { A1, A1 + 100 + i % 7, PORT, (uint16_t)(1024 + i) };

	return conntab_find_listener(ct, &t, 0);
}

static void reuseport_group_shares_clients_and_keeps_them(void **state)
{
	struct bind_owner m[4] = { { .reuseport = true }, { .reuseport = true }, { .reuseport = true },
	                           { .reuseport = true } };
	struct bind_owner *was[4000];
	uint32_t got[4] = { 0 }, moved = 0;
	struct conntab ct;

	(void)state;
	conntab_init(&ct, &key);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(bind_to(&ct, &m[i], PORT), 0);
		conntab_listen(&ct, &m[i], true);
	}
	for (uint32_t i = 0; i < 4000; i++) {
		was[i] = of_group(&ct, i);
		got[was[i] - m]++;
		assert_ptr_equal(of_group(&ct, i), was[i]);
	}
	for (int i = 0; i < 4; i++)
		assert_in_range(got[i], 850, 1150);
	conntab_listen(&ct, &m[1], false);   /* the last takes its place */
	assert_int_equal(m[3].group_index, 1);
	for (uint32_t i = 0; i < 4000; i++)
		assert_ptr_not_equal(of_group(&ct, i), &m[1]);
	conntab_listen(&ct, &m[1], true);
	assert_int_equal(m[1].group_index, 3);
	for (uint32_t i = 0; i < 4000; i++)
		moved += of_group(&ct, i) != (was[i] == &m[1] ? &m[3] : was[i] == &m[3] ? &m[1] : was[i]);
	assert_int_equal(moved, 0);
	conntab_fini(&ct);
}

static void reuseport_group_is_of_one_user_address_and_device(void **state)
{
	struct bind_owner any = { .reuse = true, .reuseport = true };
	struct bind_owner addr = { .reuse = true, .reuseport = true, .addr = A1 };
	struct bind_owner dev = { .reuse = true, .reuseport = true, .oif = 3 };
	struct bind_owner other = { .reuseport = true, .uid = 5 }, plain = { .reuse = true };
	struct conntab ct;

	(void)state;
	conntab_init(&ct, &key);
	assert_int_equal(bind_to(&ct, &any, PORT), 0);
	assert_int_equal(bind_to(&ct, &addr, PORT), 0);
	assert_int_equal(bind_to(&ct, &dev, PORT), 0);
	conntab_listen(&ct, &any, true);
	conntab_listen(&ct, &addr, true);
	conntab_listen(&ct, &dev, true);
	assert_int_equal(bind_to(&ct, &other, PORT), -EADDRINUSE);
	assert_int_equal(bind_to(&ct, &plain, PORT), -EADDRINUSE);
	for (uint32_t i = 0; i < 100; i++) {
		struct tuple t = { A1, A1 + i + 1, PORT, 5000 };

		assert_ptr_equal(conntab_find_listener(&ct, &t, 3), &addr);
		t.laddr = A2;
		assert_ptr_equal(conntab_find_listener(&ct, &t, 3), &dev);
		assert_ptr_equal(conntab_find_listener(&ct, &t, 4), &any);
	}
	conntab_fini(&ct);
}

static void inherited_port_blocks_connect_and_hides_no_listener(void **state)
{
	struct bind_owner l = owner(R, 0, 0, 0), child = owner(R, A1, 0, 0), late = owner(R, A1, 0, 0);
	struct conntab ct;

	(void)state;
	conntab_init(&ct, &key);
	bind_to(&ct, &l, PORT);
	l.is_listening = true;
	assert_int_equal(conntab_bind_inherit(&ct, &child, PORT), 0);
	assert_int_equal(conntab_port(&child), PORT);
	assert_ptr_equal(FIND(A1, PORT, 0), &l);
	conntab_unbind(&ct, &l);
	assert_true(portset_has(ct.blocked, PORT));
	assert_int_equal(bind_to(&ct, &late, PORT), 0);
	late.is_listening = true;
	assert_ptr_equal(FIND(A1, PORT, 0), &late);
	conntab_fini(&ct);
}

static void socket_of_another_stack_is_told_of_holders(void **state)
{
	struct bind_owner a = owner(R, A1, 0, 0), beside = owner(R, 0, 0, 0), other = owner(R, A2, 0, 0);
	struct conntab ct;

	(void)state;
	conntab_init(&ct, &key);
	assert_int_equal(conntab_would_bind(&ct, &beside, PORT), -ENOENT);
	bind_to(&ct, &a, PORT);
	assert_int_equal(conntab_would_bind(&ct, &beside, PORT), 0);
	assert_int_equal(conntab_would_bind(&ct, &other, PORT), -ENOENT);
	a.is_listening = true;
	assert_int_equal(conntab_would_bind(&ct, &beside, PORT), -EADDRINUSE);
	assert_int_equal(conntab_port(&beside), 0);
	conntab_fini(&ct);
}

static void moved_port_is_held_by_the_other(void **state)
{
	struct bind_owner a = owner(R, A1, 2, 7), b = { .is_timewait = true }, none = { 0 };
	struct conntab ct;

	(void)state;
	conntab_init(&ct, &key);
	bind_to(&ct, &a, PORT);
	conntab_bind_move(&a, &b);
	assert_int_equal(conntab_port(&a), 0);
	assert_int_equal(conntab_port(&b), PORT);
	assert_true(b.is_timewait && b.reuse);
	assert_int_equal(b.addr, A1);
	assert_int_equal(b.uid, 7);
	conntab_unbind(&ct, &a);
	assert_non_null(conntab_bucket(&ct, PORT));
	conntab_unbind(&ct, &b);
	assert_null(conntab_bucket(&ct, PORT));
	conntab_bind_move(&none, &b);
	assert_int_equal(conntab_port(&b), 0);
	conntab_fini(&ct);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(second_socket_binds_as_the_table_says),
		cmocka_unit_test(second_listener_with_reuseaddr_is_eaddrinuse),
		cmocka_unit_test(reuseaddr_taken_back_after_bind_conflicts),
		cmocka_unit_test(reuseport_taken_back_after_bind_still_admits_same_address),
		cmocka_unit_test(reuseport_joins_beside_a_socket_of_reuseaddr_alone),
		cmocka_unit_test(unbound_port_is_free_again),
		cmocka_unit_test(port_zero_takes_the_upper_parity_first),
		cmocka_unit_test(port_zero_with_reuseaddr_takes_the_lower_half_first),
		cmocka_unit_test(port_zero_never_shares_even_with_reuse_flags),
		cmocka_unit_test(port_zero_with_another_address_shares_the_port),
		cmocka_unit_test(port_zero_passes_over_reserved_ports),
		cmocka_unit_test(port_zero_in_a_full_range_costs_words_not_ports),
		cmocka_unit_test(named_port_is_claimed_first_and_asked_for_each_time),
		cmocka_unit_test(bound_port_is_idle_when_the_last_holder_goes),
		cmocka_unit_test(named_port_in_conflict_asks_for_no_claim),
		cmocka_unit_test(port_zero_prefers_claimed_then_wants_one),
		cmocka_unit_test(claim_on_every_address_counts_for_each),
		cmocka_unit_test(listener_is_found_by_address_then_device),
		cmocka_unit_test(reuseport_group_shares_clients_and_keeps_them),
		cmocka_unit_test(reuseport_group_is_of_one_user_address_and_device),
		cmocka_unit_test(inherited_port_blocks_connect_and_hides_no_listener),
		cmocka_unit_test(socket_of_another_stack_is_told_of_holders),
		cmocka_unit_test(moved_port_is_held_by_the_other),
	};

	return cmocka_run_group_tests_name("conntab_bind", tests, NULL, NULL);
}
