/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * random_script.c - see random_script.h.
 *
 * A model of what either side has sent keeps most numbers near those that matter: the next one, the
 * one before, the window's edges.  What is known to differ stands in tests/netns_linux.def's lists.
 */
#include "random_script.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct model {
	struct random_script *r;
	uint64_t rng;
	unsigned wrote, peer_nxt;     /* bytes and FINs, counted from the initial numbers */
	bool has_ts, is_shut, is_closed, is_server, was_accepted;
};

static unsigned below(struct model *m, unsigned n)
{
	m->rng ^= m->rng << 13;
	m->rng ^= m->rng >> 7;
	m->rng ^= m->rng << 17;
	return (unsigned)(m->rng >> 11) % n;
}

static bool one_in(struct model *m, unsigned n)
{
	return !below(m, n);
}

static void step(struct model *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void step(struct model *m, const char *fmt, ...)
{
	va_list ap;

	if (m->r->n == RANDOM_STEPS - 1)
		return;
	va_start(ap, fmt);
	vsnprintf(m->r->text[m->r->n++], RANDOM_STEP_LEN, fmt, ap);
	va_end(ap);
}

#define PICK(m, ...) ((const char *[]){ __VA_ARGS__ }[below(m, sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *))])
#define PICK_INT(m, ...) ((int[]){ __VA_ARGS__ }[below(m, sizeof((int[]){ __VA_ARGS__ }) / sizeof(int))])

/* ---- settings ---- */

static void settings(struct model *m)
{
	static const char *const choices[] = {
		"tcp_timestamps 0", "tcp_sack 0", "tcp_dsack 0", "tcp_window_scaling 0", "tcp_ecn 1", "tcp_ecn 0",
		"tcp_rfc1337 1", "tcp_syncookies 2", "tcp_syncookies 0", "tcp_recovery 0", "tcp_early_retrans 0", "tcp_frto 0",
		"tcp_invalid_ratelimit 0", "tcp_fin_timeout 1", "tcp_abort_on_overflow 1", "tcp_stdurg 1",
		"tcp_autocorking 0", "tcp_slow_start_after_idle 0", "tcp_retries2 3", "tcp_orphan_retries 1",
		"tcp_max_tw_buckets 0", "tcp_rmem 4096 8192 16384", "tcp_wmem 4096 8192 16384", "tcp_app_win 2",
		"tcp_adv_win_scale -2", "tcp_moderate_rcvbuf 0", "tcp_reordering 10",
		"tcp_comp_sack_nr 0", "tcp_tw_reuse 0",
	};

	while (one_in(m, 3))
		step(m, "sysctl %s", choices[below(m, sizeof(choices) / sizeof(*choices))]);
}

/* ---- how it begins ---- */

static const char *syn_options(struct model *m)
{
	static char s[64];

	m->has_ts = !one_in(m, 3);
	snprintf(s, sizeof(s), "win %s mss %s%s%s%s", PICK(m, "65535", "65535", "1000", "30000", "0"), PICK(m, "1460", "1460", "536", "1000"),
	         one_in(m, 4) ? "" : " sackOK", m->has_ts ? " ts" : "", PICK(m, " wscale 7", " wscale 0", ""));
	return s;
}

static void segment(struct model *m);

static void noise(struct model *m)
{
	if (one_in(m, 4))
		segment(m);
}

static void open_client(struct model *m)
{
	step(m, "connect");
	noise(m);
	if (one_in(m, 8))
		step(m, "wait 1200");
	if (one_in(m, 6)) {
		/* Without a scale Linux scales its windows all the same, which such a peer doesn't know. */
		step(m, "< S 0 %s wscale 2", syn_options(m));
		noise(m);
		step(m, PICK(m, "< S. 0 ack 1", "< . 1 ack 1", "< F. 1 ack 1"));
		return;
	}
	step(m, one_in(m, 6) ? "< SE. 0 ack 1 %s" : "< S. 0 ack 1 %s", syn_options(m));
}

static void open_server(struct model *m)
{
	m->is_server = true;
	step(m, "listen");
	noise(m);
	step(m, one_in(m, 6) ? "< SEW 0 %s" : "< S 0 %s", syn_options(m));
	noise(m);
	if (one_in(m, 8))
		step(m, "wait 1200");
	if (one_in(m, 8)) {
		step(m, PICK(m, "< P. 1:101 ack 1", "< F. 1 ack 1", "< PF. 1:11 ack 1"));
		m->peer_nxt = 1;
	} else {
		step(m, "< . 1 ack 1 win %d", PICK_INT(m, 512, 65535, 0));
	}
	noise(m);
	step(m, "accept");
}

/* ---- which state ---- */

static void state(struct model *m)
{
	unsigned kind = below(m, 10);

	if (kind >= 3 && one_in(m, 2)) {
		step(m, "write 100");
		m->wrote += 100;
	}
	if (kind == 3 || kind == 4 || kind == 5) {     /* FIN-WAIT-1, FIN-WAIT-2, CLOSING */
		step(m, one_in(m, 2) ? "shutdown" : "close");
		m->is_shut = true;
		if (kind == 4)
			step(m, "< . %u ack %u", m->peer_nxt, m->wrote + 1);
		if (kind == 5) {
			step(m, "< F. %u ack %u", m->peer_nxt, m->wrote);
			m->peer_nxt++;
		}
		m->wrote++;
	} else if (kind == 6 || kind == 7) {           /* CLOSE-WAIT, LAST-ACK */
		step(m, "< F. %u ack %u", m->peer_nxt, m->wrote);
		m->peer_nxt++;
		if (kind == 7) {
			step(m, one_in(m, 2) ? "shutdown" : "close");
			m->is_shut = true;
			m->wrote++;
		}
	} else if (kind == 8 || kind == 9) {           /* TIME-WAIT */
		step(m, one_in(m, 2) ? "shutdown" : "close");
		m->is_shut = true;
		m->wrote++;
		step(m, "< F. %u ack %u", m->peer_nxt, m->wrote);
		m->peer_nxt++;
	}
}

/* ---- what happens ---- */

static int sequence(struct model *m)
{
	int nxt = (int)m->peer_nxt;

	switch (below(m, 10)) {
	case 0:
		return nxt - PICK_INT(m, 1, 1, 10, 100, 5000);
	case 1:
		return nxt + PICK_INT(m, 1, 100, 200, 1000, 3000);
	case 2:
		return nxt + PICK_INT(m, 65000, 64240, 70000, 1000000, 2000000000);
	default:
		return nxt;
	}
}

static int acknowledgment(struct model *m)
{
	int end = (int)m->wrote;

	switch (below(m, 10)) {
	case 0:
		return end + PICK_INT(m, 1, 2, 1000, 100000, 2000000000);
	case 1:
		return end - PICK_INT(m, 1, 50, 100000, 2000000000);
	case 2:
	case 3:
		return 1 + (int)below(m, m->wrote);
	default:
		return end;
	}
}

static const char *flags(struct model *m)
{
	unsigned k = below(m, 20);

	if (k < 9)
		return ".";
	if (k < 13)
		return "P.";
	if (k < 15)
		return "F.";
	return PICK(m, "R", "R.", "S", "S.", "F", "PF.", "U.", "SF", "FSRPU.", "P", "E.", "W.", "PE.", "SEW", "FR.", "SR", "PU.", "-");
}

static void segment(struct model *m)
{
	const char *f = flags(m);
	int seq = sequence(m), ack = acknowledgment(m);
	int len = one_in(m, 2) ? 0 : PICK_INT(m, 1, 10, 100, 500, 1448, 1460);
	char s[RANDOM_STEP_LEN];
	size_t n = 0;

#define ADD(...) (n += (size_t)snprintf(s + n, sizeof(s) - n, __VA_ARGS__))
	ADD("< %s %d:%d", f, seq, seq + len);
	if (strchr(f, '.') || one_in(m, 8))
		ADD(" ack %d", ack);
	if (one_in(m, 3))
		ADD(" win %d", PICK_INT(m, 0, 1, 100, 1000, 10000, 65535));
	if (strchr(f, 'U') || one_in(m, 30))
		ADD(" urg %d", PICK_INT(m, 0, 1, 5, 10, 11, 1000));
	if (strchr(f, 'S') && one_in(m, 2))
		ADD(" mss 1000 wscale 3");
	if (m->has_ts && one_in(m, 10))
		ADD(" nots");
	else if (m->has_ts && one_in(m, 12))
		ADD(" tsval %u", one_in(m, 2) ? 4000000u : 5100000u);
	else if (m->has_ts && one_in(m, 20))
		ADD(" ecr %u", PICK_INT(m, 0, 1, 100000));
	if (m->wrote > 300 && one_in(m, 3)) {
		unsigned a = 1 + below(m, m->wrote / 100) * 100;

		ADD(" sack %u:%u", a, a + 100 * (1 + below(m, 4)));
	}
	step(m, "%s", s);
	if (seq == (int)m->peer_nxt && strchr(f, '.') && !strchr(f, 'S') && !strchr(f, 'R'))
		m->peer_nxt += (unsigned)len + (strchr(f, 'F') != NULL);
}

static void call(struct model *m)
{
	unsigned len;

	switch (below(m, 12)) {
	case 0:
		if (!m->is_shut)
			m->wrote++;
		m->is_shut = true;
		step(m, "shutdown");
		break;
	case 1:
		if (!m->is_shut)
			m->wrote++;
		m->is_shut = m->is_closed = true;
		step(m, "close");
		break;
	case 2:
	case 3:
	case 4:
	case 5:
		step(m, "read");
		break;
	case 6:
		step(m, "set %s", PICK(m, "nodelay 1", "cork 1", "cork 0", "quickack 1", "quickack 0", "keepalive 1", "user_timeout 300",
		                       "rcvbuf 5000", "maxseg 500", "linger2 -1", "linger2 1"));
		break;
	default:
		len = (unsigned)PICK_INT(m, 1, 10, 100, 500, 1000, 1448, 3000, 10000, 20000);
		step(m, "write %u", len);
		if (!m->is_shut)
			m->wrote += len;
	}
}

static void action(struct model *m)
{
	unsigned k = below(m, 20);

	if (k < 10)
		segment(m);
	else if (k < 14)
		call(m);
	else if (k < 17)
		step(m, "wait %d", PICK_INT(m, 1, 10, 45, 100, 250, 450));
	else if (k == 17)
		step(m, "info");
	else if (k == 18 && one_in(m, 3))
		step(m, "tos %d", PICK_INT(m, 0, 2, 3));
	else if (k == 19 && one_in(m, 3))
		step(m, "icmp %s %d", PICK(m, "3 1 0", "3 3 0", "3 4 1000", "11 0 0", "3 13 0", "3 4 0", "3 2 0", "12 0 0"),
		     one_in(m, 4) ? 100000 : (int)below(m, m->wrote + 1));
}

static const char *const known[] = {
	"TcpExt:TCPHPHits: in the kernel also a matter of accounted memory",
	"info:last_data_sent_ms: the time of the kernel's timers adds up",
};

void random_script_make(struct random_script *r, uint32_t seed)
{
	struct model m = { .r = r, .rng = seed * 0x9e3779b97f4a7c15ull + 0x1234567, .wrote = 1, .peer_nxt = 1 };
	unsigned n;

	memset(r, 0, sizeof(*r));
	for (n = 0; n < 20; n++)
		(void)below(&m, 2);
	snprintf(r->name, sizeof(r->name), "seed %u", seed);
	settings(&m);
	if (one_in(&m, 3))
		open_server(&m);
	else
		open_client(&m);
	if (one_in(&m, 2))
		step(&m, "set quickack 1");
	state(&m);
	for (n = 4 + below(&m, 9); n; n--)
		action(&m);
	step(&m, "wait 60");
	r->script.name = r->name;
	for (n = 0; n < r->n; n++)
		r->script.steps[n] = r->text[n];
	memcpy(r->script.may_differ, known, sizeof(known));
}

void random_script_cut(struct random_script *r, unsigned i)
{
	for (; i + 1 < r->n; i++)
		r->script.steps[i] = r->script.steps[i + 1];
	r->script.steps[--r->n] = NULL;
}
