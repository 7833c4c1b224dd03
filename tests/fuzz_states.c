/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_states.c - segment sequences against every state.
 *
 * The input's first bytes choose settings and a state, which a handshake and well-behaved
 * segments lead to: each state of RFC 9293 and those within ESTABLISHED that matter (data in
 * flight, in recovery, holes received, window closed).  From there it says what the peer
 * sends and the program does.  At the end the program lets go of everything: every connection
 * must come to its end by its own timers.
 */
#include <string.h>

#include "fuzz_rig.h"

enum place {
	IN_LISTEN, IN_SYN_SENT, IN_SYN_RECV, IN_ESTABLISHED, IN_PASSIVE, IN_FIN_WAIT1, IN_FIN_WAIT2,
	IN_CLOSING, IN_TIME_WAIT, IN_CLOSE_WAIT, IN_LAST_ACK,
	IN_FLIGHT, IN_RECOVERY, IN_HOLES, IN_SHUT_WINDOW, IN_LOSS, PLACES
};

/* What a peer's options are in the handshake: bits of the input's second byte. */
enum { PEER_TS = 1, PEER_SACK = 2, PEER_WSCALE = 4, PEER_SMALL_MSS = 8, WITH_OFFLOAD = 16 };

static const char *const settings[][2] = {
	{ "tcp_ecn", "1" }, { "tcp_syncookies", "2" }, { "tcp_syncookies", "0" }, { "tcp_mtu_probing", "2" },
	{ "tcp_fastopen", "1543" }, { "tcp_timestamps", "0" }, { "tcp_sack", "0" }, { "tcp_recovery", "0" },
	{ "tcp_frto", "0" }, { "tcp_early_retrans", "0" }, { "tcp_dsack", "0" }, { "tcp_rfc1337", "1" },
	{ "tcp_abort_on_overflow", "1" }, { "tcp_max_tw_buckets", "0" }, { "tcp_max_orphans", "0" },
	{ "tcp_rmem", "1 2000 5000" }, { "tcp_wmem", "1 2000 5000" }, { "tcp_window_scaling", "0" },
	{ "tcp_min_snd_mss", "1000" }, { "tcp_rto_min_us", "1" }, { "tcp_tw_reuse", "1" },
	{ "ip_no_pmtu_disc", "1" }, { "ip_no_pmtu_disc", "3" }, { "min_pmtu", "68" }, { "tcp_stdurg", "1" },
	{ "tcp_max_syn_backlog", "1" }, { "tcp_mem", "1 2 3" }, { "tcp_shrink_window", "1" },
	{ "tcp_thin_linear_timeouts", "1" }, { "tcp_migrate_req", "1" }, { "tcp_comp_sack_nr", "0" },
};
static const char *const algorithms[] = { "reno", "cubic", "bbr", "dctcp" };

static void choose_settings(struct fuzz_in *in, struct settings *set)
{
	unsigned n = fuzz_u8(in) % 4;

	settings_default(set);
	while (n--) {
		const char *const *row = settings[fuzz_u8(in) % ARRAY_LEN(settings)];

		settings_set(set, row[0], row[1]);   /* one that doesn't exist is refused */
	}
}

/* The peer's next segment to c, as it should be. */
static void say(struct fuzz_rig *z, const struct tcp_conn *c, uint16_t flags, size_t off, size_t len)
{
	static const uint8_t data[1400];
	struct tcp_hdr th = {
		.sport = c->ent.t.rport, .dport = c->ent.t.lport, .seq = c->rcv.nxt + (seq32)off,
		.ack = c->snd.nxt, .flags = flags, .wnd = 30000,
		.has_ts = c->ts_ok, .tsval = c->ts_recent, .tsecr = tcp_ts_now(c, z->now),
	};

	rig_segment(z, &th, data, len);
	rig_settle(z);
}

static void peer_syn(struct fuzz_rig *z, uint8_t how, uint16_t flags, struct tcp_hdr th)
{
	th.flags = flags;
	th.wnd = 30000;
	th.seq = 1000;
	th.has_mss = true;
	th.mss = how & PEER_SMALL_MSS ? 100 : 1460;
	th.has_ts = how & PEER_TS;
	th.tsval = 77;
	th.sack_permitted = how & PEER_SACK;
	th.has_wscale = how & PEER_WSCALE;
	th.wscale = 3;
	rig_segment(z, &th, NULL, 0);
	rig_settle(z);
}

static struct tcp_conn *begin_connect(struct fuzz_rig *z)
{
	struct tcp_conn *c = tcp_open(z->s, z->now);
	uint16_t port;
	ip4 addr;

	fuzz_require(c && tcp_connect(c, RIG_PEER, 4000, &addr, &port, z->now) == 0, "no connection");
	rig_replace(z, 1, c);
	rig_settle(z);
	return c;
}

static struct tcp_conn *connect_now(struct fuzz_rig *z, uint8_t how)
{
	struct tcp_conn *c = begin_connect(z);

	peer_syn(z, how, TCPF_SYN | TCPF_ACK, (struct tcp_hdr){ .sport = 4000, .dport = c->ent.t.lport,
	         .ack = c->snd.nxt, .tsecr = tcp_ts_now(c, z->now) });
	fuzz_require(tcp_state(c) == TCP_ESTABLISHED, "not established");
	fuzz_require(tcp_connect_result(c) == 0, "not connected");
	return c;
}

static void begin_listen(struct fuzz_rig *z)
{
	struct tcp_conn *l = tcp_open(z->s, z->now);
	uint16_t port;
	ip4 addr;

	fuzz_require(l && tcp_bind(l, 0, RIG_PORT, true, &addr, &port, z->now) == 0, "not bound");
	fuzz_require(tcp_listen(l, 4, &addr, &port, z->now) == 0, "not listening");
	rig_replace(z, 0, l);
}

/* A handshake with the listener; complete: the child is accepted. */
static void shake_hands(struct fuzz_rig *z, uint8_t how, bool is_complete)
{
	struct tcp_hdr th = { .sport = 4001, .dport = RIG_PORT };
	struct tcp_conn *c;
	int err;

	begin_listen(z);
	peer_syn(z, how, TCPF_SYN, th);
	if (!is_complete)
		return;
	th.seq = 1001;
	th.ack = z->sent.seq + 1;
	th.flags = TCPF_ACK;
	th.wnd = 30000;
	th.has_ts = z->sent.has_ts;
	th.tsval = 77;
	th.tsecr = z->sent.tsval;
	rig_segment(z, &th, NULL, 0);
	rig_settle(z);
	c = tcp_accept(z->c[0], &err, z->now);
	if (c)
		rig_replace(z, 1, c);
}

static void write_to(struct fuzz_rig *z, struct tcp_conn *c, size_t n)
{
	static uint8_t buf[20000];
	struct iovec iov = { buf, n };

	tcp_send(c, &iov, 1, 0, 0, z->now);
	rig_settle(z);
}

/* Dup ACKs with SACK blocks above the first segment. */
static void sack_all_but_first(struct fuzz_rig *z, const struct tcp_conn *c)
{
	uint32_t mss = c->snd.mss_cache;
	struct tcp_hdr th = {
		.sport = c->ent.t.rport, .dport = c->ent.t.lport, .seq = c->rcv.nxt, .ack = c->snd.una,
		.flags = TCPF_ACK, .wnd = 30000, .has_ts = c->ts_ok, .tsval = c->ts_recent,
		.tsecr = tcp_ts_now(c, z->now), .nsack = c->sack_ok,
	};

	for (unsigned i = 1; i < 5; i++) {
		th.sack[0] = (struct tcp_sack_block){ c->snd.una + mss, c->snd.una + mss + mss * i };
		rig_segment(z, &th, NULL, 0);
		rig_settle(z);
	}
}

/* Within ESTABLISHED. */
static void go_within(struct fuzz_rig *z, struct tcp_conn *c, enum place to)
{
	switch (to) {
	case IN_FLIGHT:
		write_to(z, c, 20000);
		break;
	case IN_RECOVERY:
		write_to(z, c, 20000);
		sack_all_but_first(z, c);
		rig_advance(z, 50 * XTIME_MSEC);
		break;
	case IN_LOSS:
		write_to(z, c, 20000);
		rig_advance(z, 3 * XTIME_SEC);
		break;
	case IN_HOLES:
		say(z, c, TCPF_ACK, 10, 100);
		say(z, c, TCPF_ACK, 300, 100);
		say(z, c, TCPF_ACK | TCPF_FIN, 500, 0);
		break;
	case IN_SHUT_WINDOW:
		for (int i = 0; i < 200; i++)
			say(z, c, TCPF_ACK, 0, 1400);
		break;
	default:
		break;
	}
}

/* Towards the end. */
static void go_close(struct fuzz_rig *z, struct tcp_conn *c, enum place to)
{
	if (to == IN_CLOSE_WAIT || to == IN_LAST_ACK)
		say(z, c, TCPF_ACK | TCPF_FIN, 0, 0);
	if (to != IN_CLOSE_WAIT)
		tcp_shutdown(c, SHUT_WR, z->now);
	rig_settle(z);
	if (to == IN_FIN_WAIT2 || to == IN_TIME_WAIT)
		say(z, c, TCPF_ACK, 0, 0);
	if (to == IN_TIME_WAIT)
		say(z, c, TCPF_ACK | TCPF_FIN, 0, 0);
	if (to == IN_CLOSING) {
		struct tcp_hdr th = { .sport = c->ent.t.rport, .dport = c->ent.t.lport, .seq = c->rcv.nxt,
		                      .ack = c->snd.una, .flags = TCPF_ACK | TCPF_FIN, .wnd = 30000,
		                      .has_ts = c->ts_ok, .tsval = c->ts_recent, .tsecr = tcp_ts_now(c, z->now) };

		rig_segment(z, &th, NULL, 0);
		rig_settle(z);
	}
}

static void go(struct fuzz_rig *z, enum place to, uint8_t how)
{
	struct tcp_conn *c;

	switch (to) {
	case IN_LISTEN:
		begin_listen(z);
		return;
	case IN_SYN_SENT:
		begin_connect(z);
		return;
	case IN_SYN_RECV:
	case IN_PASSIVE:
		shake_hands(z, how, to == IN_PASSIVE);
		return;
	default:
		break;
	}
	c = connect_now(z, how);
	if (how & 32)
		tcp_setopt(c, IPPROTO_TCP, TCP_CONGESTION, algorithms[how >> 6],
		           (socklen_t)strlen(algorithms[how >> 6]), true, z->now);
	if (to >= IN_FLIGHT)
		go_within(z, c, to);
	else if (to > IN_PASSIVE)
		go_close(z, c, to);
}

static void step(struct fuzz_rig *z)
{
	unsigned what = fuzz_u8(&z->in) % 16;
	struct rig_view w;
	bool has_view;

	if (what < 11) {
		has_view = rig_view_any(z, &w);
		(what < 10 ? rig_step_segment : rig_step_icmp)(z, has_view ? &w : NULL);
	} else if (what < 13) {
		rig_step_call(z);
	} else if (what == 13) {
		rig_step_option(z);
	} else {
		rig_step_time(z);
	}
	rig_settle(z);
}

/* Nobody says anything any more. */
static void come_to_the_end(struct fuzz_rig *z)
{
	unsigned n = 0;

	for (unsigned i = 0; i < RIG_NCONN; i++)
		rig_replace(z, i, NULL);
	rig_settle(z);
	while (z->s->nconn || z->s->ntw) {
		xtime at = stack_deadline(z->s);

		fuzz_require(at != XTIME_NEVER, "a connection that never ends");
		fuzz_require(n++ < 20000, "a connection that doesn't end");
		z->now = MAX(z->now, at);
		stack_expire(z->s, z->now);
		rig_settle(z);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct fuzz_rig z = { .in = { p, len } };
	struct settings set;
	uint8_t to = fuzz_u8(&z.in), how = fuzz_u8(&z.in);

	choose_settings(&z.in, &set);
	rig_init(&z, &set, how & WITH_OFFLOAD);
	go(&z, to % PLACES, how);
	while (z.in.len)
		step(&z);
	come_to_the_end(&z);
	rig_fini(&z);
	return 0;
}
