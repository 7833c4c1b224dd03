/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_tcp_refused.c - frames that the interface drops and says so: local congestion (beside packetdrill's
 * scripts, which the kernel passes with a queueing discipline that drops everything).
 */
#include "harness.h"

#define HALF (XTIME_SEC / 2)   /* TCP_RESOURCE_PROBE_INTERVAL */

/* Established, 1,000 bytes acknowledged after 10 ms. */
static void begin(struct rig *t)
{
	establish(t, NULL);
	put(t, 1000);
	expect(t, "P. 1:1001 ack 1");
	advance(t, 10 * XTIME_MSEC);
	inject(t, ". 1 ack 1001");
	expect_nothing(t);
}

static void new_data_stays_unsent_and_is_probed_with(void **state)
{
	struct rig *t = *state;

	begin(t);
	t->is_full = true;
	put(t, 500);
	assert_int_equal(t->c->loss.packets_out, 0);
	assert_int_equal(tcp_outq_unsent(t->c), 500);
	assert_int_equal(t->c->loss.ca_state, CA_CWR);
	assert_int_equal(t->c->snd.rexmit_kind, REXMIT_PROBE0);
	advance(t, t->c->rtt.rto_ns + 3 * HALF);
	assert_int_equal(t->c->snd.probes_out, 4);
	assert_int_equal(t->c->snd.backoff, 0);
	t->is_full = false;
	advance(t, HALF);
	expect(t, "P. 1001:1501 ack 1");
	inject(t, ". 1 ack 1501");
	assert_int_equal(t->c->snd.probes_out, 0);
}

static void new_data_leaves_with_the_next_write(void **state)
{
	struct rig *t = *state;

	begin(t);
	t->is_full = true;
	put(t, 500);
	t->is_full = false;
	put(t, 300);
	expect(t, "P. 1001:1801 ack 1");
	assert_int_equal(counted(t, CTR_TcpExtTCPOrigDataSent), 2);
}

/* A batch of three of which the second is dropped; the third was never tried. */
static void rest_of_a_batch_is_taken_back(void **state)
{
	struct rig *t = *state;
	struct frame_out f[3], more;
	uint8_t bytes[3 * 1448] = { 0 };
	struct iovec iov = { bytes, sizeof(bytes) };
	uint16_t id;

	begin(t);
	id = t->c->ip_id;
	assert_int_equal(tcp_send(t->c, &iov, 1, 0, 0, t->now), 3 * 1448);
	for (int i = 0; i < 3; i++)
		assert_true(stack_output(t->s, &f[i], t->now));
	assert_int_equal(t->c->loss.packets_out, 3);
	assert_true(stack_refused(t->s, &f[2], false, t->now));
	assert_int_equal(t->c->loss.packets_out, 2);
	assert_true(stack_refused(t->s, &f[1], true, t->now));
	assert_int_equal(t->c->loss.packets_out, 1);
	assert_int_equal(t->c->snd.nxt - t->c->snd.iss, 2449);
	assert_int_equal((uint16_t)(t->c->ip_id - id), 2);
	assert_int_equal(tcp_outq_unsent(t->c), 2 * 1448);
	assert_int_equal(counted(t, CTR_TcpExtTCPOrigDataSent), 2);
	assert_false(stack_output(t->s, &more, t->now));
	assert_int_equal(t->c->snd.rexmit_kind, REXMIT_TLP);   /* for the first */
	inject(t, ". 1 ack 2449");
	assert_int_equal(t->c->snd.nxt - t->c->snd.iss, 1001 + 3 * 1448);
	assert_int_equal(forget(t), 2);
}

static void retransmission_fails_and_the_timer_comes_soon(void **state)
{
	struct rig *t = *state;
	xtime rto;

	begin(t);
	put(t, 1000);
	expect(t, "P. 1001:2001 ack 1");
	rto = t->c->rtt.rto_ns;
	t->is_full = true;
	advance(t, 3 * rto);   /* the probe and the time-out */
	assert_int_equal(t->c->loss.ca_state, CA_LOSS);
	assert_int_equal(t->c->loss.retrans_out, 0);
	assert_int_equal(t->c->loss.lost_out, 1);
	assert_int_equal(t->c->rtt.rto_ns, rto);
	assert_int_equal(t->c->snd.backoff, 0);
	assert_int_equal(t->c->snd.rexmit_kind, REXMIT_RTO);
	assert_in_range(t->c->snd.rexmit_at - t->now, 1, HALF);
	assert_true(counted(t, CTR_TcpExtTCPRetransFail) >= 2);
	assert_int_equal(counted(t, CTR_TcpExtTCPLossProbes), 0);
	t->is_full = false;
	advance(t, HALF);
	expect(t, "P. 1001:2001 ack 1");
	assert_int_equal(t->c->rtt.rto_ns, 2 * rto);
}

/* tcp_write_xmit() is for what is new; the rest is for the timer (observed of 6.18). */
static void write_does_not_send_again_what_is_lost(void **state)
{
	struct rig *t = *state;
	uint64_t fails;

	begin(t);
	put(t, 1000);
	expect(t, "P. 1001:2001 ack 1");
	t->is_full = true;
	advance(t, 3 * t->c->rtt.rto_ns);
	fails = counted(t, CTR_TcpExtTCPRetransFail);
	put(t, 500);
	assert_int_equal(counted(t, CTR_TcpExtTCPRetransFail), fails);
	assert_int_equal(tcp_outq_unsent(t->c), 500);
	t->is_full = false;
	expect_after(t, t->c->snd.rexmit_at - t->now, "P. 1001:2001 ack 1");
	inject(t, ". 1 ack 2001");
	expect(t, "P. 2001:2501 ack 1");
}

static void fast_retransmission_stays_due(void **state)
{
	struct rig *t = *state;

	begin(t);
	put(t, 5 * 1448);
	forget(t);
	t->is_full = true;
	inject(t, ". 1 ack 1001 sack 2449:8241");
	assert_int_equal(t->c->loss.ca_state, CA_RECOVERY);
	assert_int_equal(t->c->loss.lost_out, 1);
	assert_int_equal(t->c->loss.retrans_out, 0);
	assert_int_equal(t->c->loss.prr_out, 0);
	assert_int_equal(counted(t, CTR_TcpExtTCPFastRetrans), 0);
	t->is_full = false;
	inject(t, "P. 1:101 ack 1001 sack 2449:8241");
	expect(t, ". 1001:2449 ack 101");
}

static void ack_that_is_dropped_is_not_sent_again(void **state)
{
	struct rig *t = *state;

	begin(t);
	t->is_full = true;
	inject(t, "P. 1:1001 ack 1001");
	take(t, 1000);
	advance(t, 300 * XTIME_MSEC);
	t->is_full = false;
	expect_quiet(t, 10 * XTIME_SEC);
	assert_int_equal(t->c->loss.ca_state, CA_CWR);   /* tcp_transmit_skb(), whatever it sends */
}

static void fin_is_sent_later(void **state)
{
	struct rig *t = *state;

	begin(t);
	t->is_full = true;
	put(t, 100);
	assert_int_equal(tcp_shutdown(t->c, 1, t->now), 0);
	settle(t);
	assert_int_equal(t->c->snd.nxt - t->c->snd.iss, 1001);
	t->is_full = false;
	expect_after(t, t->c->rtt.rto_ns, "FP. 1001:1101 ack 1");
}

static void keepalive_is_tried_again_soon(void **state)
{
	struct rig *t = *state;

	begin(t);
	t->c->opt.keep_idle_s = 10;
	t->c->opt.keepalive = true;
	tcp_keep_start(t->c, t->now);
	t->is_full = true;
	advance(t, 10 * XTIME_SEC);
	assert_int_equal(t->c->keep_probes, 0);
	t->is_full = false;
	expect_after(t, HALF, ". 1000 ack 1");
	assert_int_equal(t->c->keep_probes, 1);
}

/* The first SYN counts as sent; one that a time-out sends comes back soon (observed of 6.18). */
static void syn_that_is_sent_again_is_tried_soon(void **state)
{
	struct rig *t = *state;

	t->is_full = true;
	dial_open(t);
	assert_int_equal(dial_connect(t), 0);
	settle(t);
	advance(t, 1200 * XTIME_MSEC);
	t->is_full = false;
	advance(t, 299 * XTIME_MSEC);
	expect_nothing(t);
	expect_after(t, XTIME_MSEC, "S 0");
	expect_after(t, XTIME_SEC, "S 0");
}

static void end_of_a_write_keeps_its_push(void **state)
{
	struct rig *t = *state;

	begin(t);
	t->is_full = true;
	put_flags(t, 700, MSG_EOR);
	t->is_full = false;
	put(t, 300);
	expect(t, "P. 1001:1701 ack 1");
	inject(t, ". 1 ack 1701");
	expect(t, "P. 1701:2001 ack 1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		own(new_data_stays_unsent_and_is_probed_with),
		own(new_data_leaves_with_the_next_write),
		own(rest_of_a_batch_is_taken_back),
		own(retransmission_fails_and_the_timer_comes_soon),
		own(write_does_not_send_again_what_is_lost),
		own(fast_retransmission_stays_due),
		own(ack_that_is_dropped_is_not_sent_again),
		own(fin_is_sent_later),
		own(keepalive_is_tried_again_soon),
		own(syn_that_is_sent_again_is_tried_soon),
		own(end_of_a_write_keeps_its_push),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
