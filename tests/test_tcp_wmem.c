/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_tcp_wmem.c - the send buffer counted in skbs, TCP_NOTSENT_LOWAT, POLLOUT and the
 * times that TCP_INFO tells.  Figures are those of Linux 6.18 (SK_MEMINFO_WMEM_QUEUED, what a
 * non-blocking write() takes) and of packetdrill's scripts notsent_lowat, epoll_out, tcp_info.
 */
#include "harness.h"

#define SKB 832u   /* what an skb costs beside its bytes */

static void set(struct rig *t, int level, int name, int val)
{
	assert_int_equal(tcp_setopt(t->c, level, name, &val, sizeof(val), false, t->now), 0);
}

static bool is_writable(struct rig *t)
{
	return tcp_events(t->c) & POLLOUT;
}

/* A peer with a window of 32,896 bytes and segments of 1,000, 10 ms away. */
static void establish_1000(struct rig *t)
{
	t->s->set.tcp_min_tso_segs = 10;   /* frames as large as cwnd allows */
	dial(t);
	advance(t, 10 * XTIME_MSEC);
	inject(t, "S. 0 ack 1 win 32896 mss 1000 sackOK wscale 0");
	expect(t, ". 1 ack 1");
}

static void low_water_mark_stops_a_write_between_skbs(void **state)
{
	struct rig *t = *state;

	establish_1000(t);
	set(t, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 4000);
	assert_int_equal(try_put(t, 59000, 0), 26000);
	assert_int_equal(forget(t), 2);
	assert_false(is_writable(t));
	for (unsigned una = 2001, sent = 10001; una <= 8001; una += 2000, sent += 4000) {
		advance(t, 10 * XTIME_MSEC);
		inject(t, ". 1 ack %u win 32896", una);
		expect(t, "P. %u:%u ack 1", sent, sent + 4000);
		assert_int_equal(is_writable(t), una == 8001);
	}
}

/* SO_SNDBUF is charged for every skb, and a write fills the one that it has begun. */
static void send_buffer_is_counted_in_skbs(void **state)
{
	struct rig *t = *state;

	establish_1000(t);
	set(t, SOL_SOCKET, SO_SNDBUF, 25000);
	assert_int_equal(try_put(t, 59000, 0), 58000);
	assert_int_equal(tcp_wmem_queued(t->c), 58000 + 5 * SKB);   /* two sent, 16 KB each the others */
	assert_false(is_writable(t));
	assert_int_equal(try_put(t, 1, 0), -EAGAIN);
	assert_int_equal(tcp_outq(t->c), 58000);
	assert_int_equal(forget(t), 2);
}

/* sk_stream_is_writeable(): a third is free. */
static void writable_is_a_third_free(void **state)
{
	struct rig *t = *state;

	establish_1000(t);
	set(t, SOL_SOCKET, SO_SNDBUF, 25000);
	t->c->cc.cwnd = 40;
	assert_int_equal(try_put(t, 32000, 0), 32000);
	forget(t);
	assert_false(is_writable(t));
	inject(t, ". 1 ack 1001 win 32896");
	assert_true(tcp_wmem_queued(t->c) > 50000 * 2 / 3);
	assert_false(is_writable(t));
	inject(t, ". 1 ack 4001 win 32896");
	assert_true(tcp_wmem_queued(t->c) < 50000 * 2 / 3);
	assert_true(is_writable(t));
}

/* The buffer grows when someone waited for room and the congestion window has grown. */
static void send_buffer_grows_with_the_window(void **state)
{
	struct rig *t = *state;

	t->s->set.tcp_wmem_default = 50000;
	establish_1000(t);
	assert_int_equal(t->c->opt.sndbuf, 50000);
	assert_int_equal(try_put(t, 59000, 0), 58000);
	forget(t);
	inject(t, ". 1 ack 10001 win 32896");
	expect(t, "P. 10001:20001 ack 1");
	expect(t, "P. 20001:30001 ack 1");
	assert_int_equal(t->c->opt.sndbuf, 92160);   /* 2 windows of 20 segments at 2,304 */
	assert_true(is_writable(t));
	inject(t, ". 1 ack 30001 win 32896");
	expect(t, "P. 30001:50001 ack 1");
	expect(t, "P. 50001:58001 ack 1");
	assert_int_equal(try_put(t, 280000, 0), 68896);
	forget(t);
}

static xtime spent(struct rig *t, enum chrono kind)
{
	return tcp_chrono_time(t->c, kind, t->now) / XTIME_MSEC;
}

static void time_limited_by_the_window_is_told(void **state)
{
	struct rig *t = *state;

	establish(t, "S. 0 ack 1 win 0 mss 1000 sackOK");
	assert_int_equal(spent(t, CHRONO_RWND), 0);
	put(t, 1000);
	advance(t, 100 * XTIME_MSEC);
	assert_int_equal(spent(t, CHRONO_RWND), 100);
	inject(t, ". 1 ack 1 win 2000");
	expect(t, "P. 1:1001 ack 1");
	advance(t, 30 * XTIME_MSEC);
	assert_int_equal(spent(t, CHRONO_RWND), 100);
	assert_int_equal(spent(t, CHRONO_BUSY), 130);
	inject(t, ". 1 ack 1001 win 2000");
	advance(t, 50 * XTIME_MSEC);
	assert_int_equal(spent(t, CHRONO_BUSY), 130);
}

static void time_limited_by_the_send_buffer_is_told(void **state)
{
	struct rig *t = *state;

	establish_1000(t);
	set(t, SOL_SOCKET, SO_SNDBUF, 5000);
	t->c->cc.cwnd = 100;
	assert_int_equal(try_put(t, 30000, 0), 16000);
	forget(t);
	assert_int_equal(tcp_outq_unsent(t->c), 0);
	advance(t, 5 * XTIME_MSEC);
	assert_int_equal(spent(t, CHRONO_SNDBUF), 5);
	inject(t, ". 1 ack 12001 win 32896");   /* there is room again */
	advance(t, 5 * XTIME_MSEC);
	assert_int_equal(spent(t, CHRONO_SNDBUF), 5);
	assert_int_equal(spent(t, CHRONO_BUSY), 10);
	forget(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		offload(low_water_mark_stops_a_write_between_skbs),
		offload(send_buffer_is_counted_in_skbs),
		offload(writable_is_a_third_free),
		offload(send_buffer_grows_with_the_window),
		own(time_limited_by_the_window_is_told),
		offload(time_limited_by_the_send_buffer_is_told),
	};

	return cmocka_run_group_tests_name("tcp_wmem", tests, NULL, NULL);
}
