/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_txq.c - what is in flight: whatever is done to the queue, the counts are its sums.
 *
 * First the queue alone, against sums and a linear search; then under a whole connection whose
 * peer acknowledges at random (the harness adds up after each step).
 */
#include "harness.h"

#include <stdio.h>

static uint32_t rnd(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* ---- the queue alone ---- */

struct sums {
	uint32_t packets, sacked, lost, retrans;
};

static struct sums add_up(struct tcp_conn *c)
{
	struct sums s = { 0 };

	for (uint32_t i = 0; i < c->snd.txq.n; i++) {
		struct tx_seg *seg = txq_at(&c->snd.txq, i);
		uint32_t n = (seg->end - seg->seq + seg->mss - 1) / seg->mss;

		s.packets += n;
		s.sacked += seg->flags & SEG_SACKED ? n : 0;
		s.lost += seg->flags & SEG_LOST ? n : 0;
		s.retrans += seg->flags & SEG_RETRANS ? n : 0;
	}
	return s;
}

static void check_sums(struct tcp_conn *c)
{
	struct sums s = add_up(c);

	assert_int_equal(c->loss.packets_out, s.packets);
	assert_int_equal(c->loss.sacked_out, s.sacked);
	assert_int_equal(c->loss.lost_out, s.lost);
	assert_int_equal(c->loss.retrans_out, s.retrans);
	assert_int_equal(tcp_in_flight(c), s.packets - s.sacked - s.lost + s.retrans);
}

static uint32_t find_slowly(struct tcp_conn *c, seq32 seq)
{
	struct tx_queue *q = &c->snd.txq;

	for (uint32_t i = 0; i < q->n; i++)
		if (seq_le(txq_at(q, i)->seq, seq) && seq_lt(seq, txq_at(q, i)->end))
			return i;
	return q->n;
}

static void push(struct tcp_conn *c, uint32_t len, uint16_t mss)
{
	struct tx_seg seg = { .seq = c->snd.nxt, .end = c->snd.nxt + len, .mss = mss };

	assert_int_equal(txq_push(&c->snd.txq, &seg), 0);
	c->snd.nxt = seg.end;
	c->loss.packets_out += tcp_seg_count(c, &seg);
}

static void pop(struct tcp_conn *c)
{
	struct tx_seg *seg = txq_at(&c->snd.txq, 0);
	uint32_t n = tcp_seg_count(c, seg);

	c->loss.packets_out -= n;
	c->loss.sacked_out -= seg->flags & SEG_SACKED ? n : 0;
	c->loss.lost_out -= seg->flags & SEG_LOST ? n : 0;
	c->loss.retrans_out -= seg->flags & SEG_RETRANS ? n : 0;
	c->snd.una = seg->end;
	txq_pop(&c->snd.txq);
}

static void random_step(struct tcp_conn *c, uint32_t *seed)
{
	struct tx_queue *q = &c->snd.txq;
	uint32_t i = q->n ? rnd(seed) % q->n : 0;
	struct tx_seg *seg = q->n ? txq_at(q, i) : NULL;

	switch (seg ? rnd(seed) % 6 : 0) {
	case 0:
		push(c, 1 + rnd(seed) % (rnd(seed) % 3 ? 3000 : 65000), 1448);
		break;
	case 1:
		if (rnd(seed) % 2)
			pop(c);
		break;
	case 2:
		if (seg->end - seg->seq > 1)
			assert_int_equal(txq_split(c, i, seg->seq + 1 + rnd(seed) % (seg->end - seg->seq - 1)), 0);
		break;
	case 3:
		tcp_mark_lost(c, seg);
		break;
	case 4:
		if (!(seg->flags & SEG_SACKED))
			tcp_mark_sacked(c, seg);
		break;
	default:
		tcp_mark_unsacked(c, seg);
		break;
	}
}

static void txq_counts_are_the_sums_after_every_step(void **state)
{
	struct tcp_conn *c = calloc(1, sizeof(*c));
	uint32_t seed = 1;

	(void)state;
	c->snd.nxt = c->snd.una = 0xfffff000;   /* across the wrap */
	for (int step = 0; step < 20000; step++) {
		uint32_t at;

		random_step(c, &seed);
		check_sums(c);
		at = c->snd.una + rnd(&seed) % (c->snd.nxt - c->snd.una + 2);
		assert_int_equal(txq_find(&c->snd.txq, at), find_slowly(c, at));
		if (c->snd.txq.n > 50)
			pop(c);
	}
	txq_free(&c->snd.txq);
	free(c);
}

static void txq_lost_twice_is_one_loss_of_the_retransmission(void **state)
{
	struct tcp_conn *c = calloc(1, sizeof(*c));
	struct stack *s = calloc(1, sizeof(*s));
	struct tx_seg *seg;

	(void)state;
	c->s = s;
	push(c, 2896, 1448);
	seg = txq_at(&c->snd.txq, 0);
	tcp_mark_lost(c, seg);
	assert_int_equal(c->loss.lost, 2);
	tcp_mark_lost(c, seg);
	assert_int_equal(c->loss.lost, 2);
	seg->flags |= SEG_RETRANS;
	c->loss.retrans_out += 2;
	tcp_mark_lost(c, seg);
	assert_int_equal(c->loss.lost, 4);
	assert_int_equal(c->loss.lost_out, 2);
	assert_int_equal(c->loss.retrans_out, 0);
	seg->flags = SEG_RETRANS;   /* an undo took the mark away */
	c->loss.lost_out = 0;
	c->loss.retrans_out = 2;
	tcp_mark_lost(c, seg);
	assert_int_equal(c->loss.lost_out, 2);
	assert_int_equal(c->loss.retrans_out, 0);
	tcp_mark_sacked(c, seg);
	assert_int_equal(c->loss.lost_out, 0);
	assert_int_equal(c->loss.sacked_out, 2);
	tcp_mark_lost(c, seg);   /* what the peer has is not lost */
	assert_int_equal(c->loss.lost_out, 0);
	txq_free(&c->snd.txq);
	free(s);
	free(c);
}

static void txq_merged_without_sack_is_one_duplicate_ack_less(void **state)
{
	struct tcp_conn *c = calloc(1, sizeof(*c));

	(void)state;
	assert_non_null(c);
	for (int i = 0; i < 3; i++)
		push(c, 10, 100);
	c->loss.sacked_out = 2;   /* two duplicate ACKs: all but one have arrived */
	txq_merge(c, 0, 100);
	assert_int_equal(c->loss.packets_out, 2);
	assert_int_equal(c->loss.sacked_out, 1);
	txq_free(&c->snd.txq);
	free(c);
}

static void txq_long_queue_keeps_its_order(void **state)
{
	struct tcp_conn *c = calloc(1, sizeof(*c));
	seq32 next = 0;

	(void)state;
	for (int i = 0; i < 5000; i++) {
		push(c, 10, 10);
		push(c, 10, 10);
		assert_int_equal(txq_at(&c->snd.txq, 0)->seq, next);
		pop(c);
		next += 10;
	}
	assert_int_equal(c->snd.txq.n, 5000);
	assert_int_equal(txq_at(&c->snd.txq, 4999)->end, c->snd.nxt);
	txq_free(&c->snd.txq);
	free(c);
}

/* ---- under a connection ---- */

/* An ACK of something between una and nxt with up to three blocks beyond it. */
static void random_ack(struct rig *t, uint32_t *seed)
{
	uint32_t una = t->c->snd.una - t->iss, flight = t->c->snd.nxt - t->c->snd.una;
	uint32_t ack = una + (rnd(seed) % 3 ? 0 : rnd(seed) % (flight + 1));
	unsigned win = rnd(seed) % 8 ? 65535 : rnd(seed) % 3000, nblocks = rnd(seed) % 4;
	char text[200];
	int n = snprintf(text, sizeof(text), ". 1 ack %u win %u%s", ack, win, nblocks ? " sack" : "");

	flight = t->c->snd.nxt - t->iss - ack;
	for (unsigned i = 0; i < nblocks; i++) {
		uint32_t from = ack + rnd(seed) % (flight + 2000) - 1000;

		n += snprintf(text + n, sizeof(text) - (size_t)n, " %u:%u", from, from + 1 + rnd(seed) % 6000);
	}
	inject(t, "%s", text);
}

static void random_peer(struct rig *t, const char *syn_ack, uint32_t seed)
{
	establish(t, syn_ack);
	t->c->opt.sndbuf = 1 << 18;
	t->c->opt.user_timeout_ms = 0;
	for (int step = 0; step < 1500 && tcp_state(t->c) == TCP_ESTABLISHED; step++) {
		switch (rnd(&seed) % 4) {
		case 0:
			try_put(t, 1 + rnd(&seed) % 20000, rnd(&seed) % 4 ? 0 : MSG_MORE);
			break;
		case 1:
			advance(t, (xtime)(rnd(&seed) % 40000) * XTIME_USEC);
			break;
		default:
			random_ack(t, &seed);
			break;
		}
		forget(t);
		assert_true(t->c->cc.cwnd >= 1);
	}
	assert_int_equal(tcp_state(t->c), TCP_ESTABLISHED);
	/* The peer comes to its senses: everything is delivered. */
	for (int i = 0; i < 2000 && tcp_outq(t->c); i++) {
		inject(t, ". 1 ack %u", t->c->snd.nxt - t->iss);
		advance(t, 10 * XTIME_MSEC);
		forget(t);
	}
	assert_int_equal(tcp_outq(t->c), 0);
	assert_int_equal(t->c->loss.packets_out, 0);
	assert_int_equal(t->c->snd.rexmit_at, XTIME_NEVER);
	inject(t, "R 1");
	hang_up(t);
	expect_nothing(t);
}

static void random_acks_keep_the_sums(void **state)
{
	static const char *const answers[] = {
		SYN_ACK, SYN_ACK_PLAIN, "S. 0 ack 1 win 65535 mss 1460 sackOK wscale 3",
		"S. 0 ack 1 win 65535 mss 536 ts",
	};
	struct rig *t = *state;

	for (uint32_t seed = 1; seed <= 8; seed++) {
		print_message("seed %u\n", seed);
		random_peer(t, answers[seed % 4], seed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(txq_counts_are_the_sums_after_every_step),
		cmocka_unit_test(txq_lost_twice_is_one_loss_of_the_retransmission),
		cmocka_unit_test(txq_merged_without_sack_is_one_duplicate_ack_less),
		cmocka_unit_test(txq_long_queue_keeps_its_order),
		own(random_acks_keep_the_sums),
		offload(random_acks_keep_the_sums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
