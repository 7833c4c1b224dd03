/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * both.c - see both.h.  A side is a socket, a way to give packets to its host and a log of what
 * came out; the kernel's and ours are two tables of the same operations.
 */
#include "both.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "both_arp.h"
#include "harness_text.h"
#include "stack/snmp.h"
#include "stack/tcp_info.h"

#define LOG_MAX 400
#define STEPS_MAX 60
#define MTU 1500
#define GRACE (4 * XTIME_MSEC)      /* in which the kernel answers what it answers at once */
#define LATE (30 * XTIME_MSEC)      /* by which a busy machine may be late */
#define TEXT_MAX 16384

struct entry {
	xtime at;
	bool is_timed;
	uint32_t ecr;      /* of its timestamps */
	char text[200];
};

struct side {
	const char *who;
	bool is_kernel;
	struct entry log[LOG_MAX];
	unsigned nlog;
	/* the peer */
	bool has_iss, ts;
	seq32 iss;
	uint16_t lport, rport;
	uint32_t ts_ecr, sent_fin;
	uint8_t opts[IP_OPT_MAX], opt_len, tos;
	ip4 dst;
	uint16_t id, frag_off;
	bool has_more;
	bool has_link;     /* Ethernet frames */
	xtime start;
	/* the kernel */
	int tun, fd, lfd;
	/* ours */
	struct stack *s;
	struct tcp_conn *c, *l;
	xtime now;
	/* at the end */
	char before[TEXT_MAX], after[TEXT_MAX];
};

static struct tcp_info_abi infos[2][STEPS_MAX];
static xtime times[STEPS_MAX];      /* of the steps, since the start */
static const struct script *script;
static int ndiffs;
static bool was_late;               /* the machine was too busy for the script's times */

static void differs(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void differs(const char *fmt, ...)
{
	va_list ap;

	printf("# %s: ", script->name);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	ndiffs++;
}

static bool may_differ(const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < ARRAY_LEN(script->may_differ) && script->may_differ[i]; i++)
		if (!strncmp(script->may_differ[i], name, n) && !strncmp(script->may_differ[i] + n, ": ", 2))
			return true;
	return false;
}

static void die(const char *what)
{
	perror(what);
	exit(99);
}

static xtime clock_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * XTIME_SEC + ts.tv_nsec;
}

static xtime side_now(const struct side *x)
{
	return (x->is_kernel ? clock_now() : x->now) - x->start;
}

static struct entry *say(struct side *x, bool is_timed)
{
	struct entry *e = &x->log[x->nlog];

	if (x->nlog < LOG_MAX - 1)
		x->nlog++;
	e->at = side_now(x);
	e->is_timed = is_timed;
	return e;
}

/* ---- packets ---- */

static void say_options(char *p, size_t size, const struct side *x, const struct tcp_hdr *th)
{
	size_t n = 0;

#define ADD(...) (n += (size_t)snprintf(p + MIN(n, size), size - MIN(n, size), __VA_ARGS__))
	*p = 0;
	if (th->has_mss)
		ADD(" mss %u", th->mss);
	if (th->sack_permitted)
		ADD(" sackOK");
	if (th->has_ts)
		ADD(" ts");
	if (th->has_wscale)
		ADD(" wscale %u", th->wscale);
	for (unsigned i = 0; i < th->nsack; i++)
		ADD(" sack %u:%u", th->sack[i].start - PEER_IRS, th->sack[i].end - PEER_IRS);
	if (th->flags & TCPF_URG)
		ADD(" urg %u", th->urg);
	(void)x;
}

static void say_ip_options(struct entry *e, const struct ip_hdr *ip)
{
	size_t n = strlen(e->text);

	for (unsigned i = 0; i < ip->opt_len && n < sizeof(e->text) - 8; i++)
		n += (size_t)snprintf(e->text + n, sizeof(e->text) - n, "%s%02x", i ? "" : " opts ", ip->opts[i]);
}

static void log_tcp(struct side *x, const struct ip_hdr *ip, const uint8_t *p, size_t len)
{
	static const char bits[] = "FSRP.UEW";
	char flags[16] = "", opts[100];
	struct tcp_hdr th;
	struct entry *e;
	size_t n = 0;

	if (tcp_parse(p, len, &th)) {
		snprintf(say(x, true)->text, 200, "a bad segment");
		return;
	}
	if (th.flags & TCPF_SYN && !x->has_iss) {
		x->has_iss = true;
		x->iss = th.seq;
		x->lport = th.sport;
	}
	/* Another connection: its number is anybody's guess. */
	if (th.flags & TCPF_SYN && th.seq - x->iss > 200000)
		x->iss = th.seq;
	if (th.has_ts)
		x->ts_ecr = th.tsval;
	for (unsigned i = 0; bits[i]; i++)
		if (th.flags & 1u << i)
			flags[n++] = bits[i];
	say_options(opts, sizeof(opts), x, &th);
	len -= th.hdr_len;
	e = say(x, true);
	e->ecr = th.has_ts ? th.tsecr : 0;
	/* A reset for a segment without ACK counts from zero. */
	if (th.flags & TCPF_RST && !th.seq)
		th.seq = x->iss;
	n = (size_t)snprintf(e->text, sizeof(e->text), "%s %u:%u ack %u win %u%s ttl %u tos %u%s", flags,
	                     th.seq - x->iss, th.seq - x->iss + (uint32_t)len,
	                     th.flags & TCPF_ACK ? th.ack - PEER_IRS : 0, th.wnd, opts, ip->ttl, ip->tos,
	                     ip->is_df ? " df" : "");
	say_ip_options(e, ip);
}

static void log_icmp(struct side *x, const struct ip_hdr *ip, const uint8_t *p)
{
	struct entry *e = say(x, true);

	snprintf(e->text, sizeof(e->text), "icmp %u %u rest %u len %u tos %u ttl %u", p[0], p[1], get_be32(p + 4),
	         ip->total_len, ip->tos, ip->ttl);
	say_ip_options(e, ip);
}

static void log_packet(struct side *x, const uint8_t *p, size_t len)
{
	struct ip_hdr ip;

	if (len < 1 || p[0] >> 4 != 4)
		return;
	if (ip_parse(p, len, &ip))
		snprintf(say(x, true)->text, 200, "a bad IP packet");
	else if (ip.proto == PROTO_TCP)
		log_tcp(x, &ip, p + ip.hdr_len, ip.total_len - ip.hdr_len);
	else if (ip.proto == PROTO_ICMP)
		log_icmp(x, &ip, p + ip.hdr_len);
	/* The rest is the kernel's own (IGMP). */
}

/* The link's address is that of the packet's entry. */
static void log_frame(struct side *x, const uint8_t *p, size_t len)
{
	unsigned before = x->nlog;
	struct eth_hdr eth;

	if (!x->has_link) {
		log_packet(x, p, len);
		return;
	}
	if (eth_parse(p, len, &eth))
		return;
	if (eth.type == ETHTYPE_ARPV4) {
		both_arp_text(p, len, say(x, true)->text, 200);
		return;
	}
	if (eth.type != ETHTYPE_IPV4)
		return;
	log_packet(x, p + ETH_LEN, len - ETH_LEN);
	if (x->nlog > before)
		snprintf(x->log[before].text + strlen(x->log[before].text), 10, " to %02x", eth.dst[5]);
}

/* A super-frame leaves as what the interface makes of it. */
static void log_super(struct side *x, uint8_t *p, size_t len, size_t gso_size)
{
	size_t ip_len = (p[0] & 15u) * 4, hdr_len = ip_len + (p[ip_len + 12] >> 4) * 4;
	uint8_t flags = p[ip_len + 13];
	uint32_t seq = get_be32(p + ip_len + 4);

	for (size_t off = hdr_len; off < len; off += gso_size) {
		size_t n = MIN(gso_size, len - off);
		bool is_last = off + n == len;

		memmove(p + hdr_len, p + off, n);
		put_be32(p + ip_len + 4, seq + (uint32_t)(off - hdr_len));
		p[ip_len + 13] = (uint8_t)(flags & (is_last ? 0xff : ~(TCPF_FIN | TCPF_PSH)) & (off == hdr_len ? 0xff : ~TCPF_CWR));
		put_be16(p + 2, (uint16_t)(hdr_len + n));
		put_be16(p + 10, 0);
		put_be16(p + 10, csum_fold(csum_add(0, p, ip_len)));
		log_packet(x, p, hdr_len + n);
	}
}

/* ---- time passes ---- */

static void ours_output(struct side *x)
{
	struct frame_out f;

	while (stack_output(x->s, &f, x->now)) {
		static uint8_t bytes[70000];
		size_t len = f.hdr_len;

		memcpy(bytes, f.hdr, len);
		for (int i = 0; i < f.payload_cnt; i++) {
			memcpy(bytes + len, f.payload[i].iov_base, f.payload[i].iov_len);
			len += f.payload[i].iov_len;
		}
		if (f.vnet.gso_type)
			log_super(x, bytes, len, f.vnet.gso_size);
		else
			log_frame(x, bytes, len);
	}
}

/* Up to `end` since the start, collecting what is sent. */
static void pass(struct side *x, xtime end)
{
	uint8_t p[4096];

	if (!x->is_kernel) {
		xtime d;

		ours_output(x);
		while ((d = stack_deadline(x->s)) <= x->start + end) {
			x->now = MAX(x->now, d);
			stack_expire(x->s, x->now);
			ours_output(x);
		}
		x->now = x->start + end;
		return;
	}
	for (;;) {
		struct pollfd pf = { .fd = x->tun, .events = POLLIN };
		xtime left = end - side_now(x);
		struct timespec ts = { .tv_sec = left / XTIME_SEC, .tv_nsec = left % XTIME_SEC };
		ssize_t n;

		if (left <= 0)
			return;
		if (ppoll(&pf, 1, &ts, NULL) == 1 && (n = read(x->tun, p, sizeof(p))) > 0)
			log_frame(x, p, (size_t)n);
	}
}

static void give_frame(struct side *x, const uint8_t *p, size_t len)
{
	struct frame_in f = { .data = p, .len = len };

	if (!x->is_kernel)
		stack_input(x->s, 0, &f, x->now);
	else if (write(x->tun, p, len) < 0)
		die("tun");
}

static void give(struct side *x, const uint8_t *p, size_t len)
{
	uint8_t frame[ETH_LEN + 4096];

	if (!x->has_link) {
		give_frame(x, p, len);
		return;
	}
	both_link_put(frame);
	memcpy(frame + ETH_LEN, p, len);
	give_frame(x, frame, ETH_LEN + len);
}

static void step_arp(struct side *x, const char *step)
{
	uint8_t frame[ETH_LEN + ARP_LEN];

	give_frame(x, frame, both_arp_make(step, frame));
}

/* ---- steps: the peer's ---- */

static void send_ip(struct side *x, uint8_t proto, const uint8_t *l4, size_t len)
{
	uint8_t p[8192];
	struct ip_hdr h = { .src = PEER, .dst = x->dst, .ttl = 64, .proto = proto, .tos = x->tos, .id = x->id,
	                    .frag_off = x->frag_off, .has_more = x->has_more, .opt_len = x->opt_len };
	size_t hdr_len = IP_LEN_MIN + ((x->opt_len + 3u) & ~3u);

	memcpy(h.opts, x->opts, x->opt_len);
	h.hdr_len = (uint8_t)hdr_len;
	h.total_len = (uint16_t)(hdr_len + len);
	ip_emit(p, &h);
	memcpy(p + hdr_len, l4, len);
	give(x, p, hdr_len + len);
}

static void parse(struct text *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	text_parse(t, fmt, ap);
	va_end(ap);
}

static void step_segment(struct side *x, const char *text)
{
	uint8_t seg[8192] = { 0 };
	struct text t;
	struct tcp_hdr *th = &t.th;
	size_t len;

	parse(&t, "%s", text);
	if (th->flags & TCPF_SYN)
		x->ts = th->has_ts;
	th->sport = x->rport;
	th->dport = x->lport;
	th->seq += PEER_IRS;
	if (th->flags & TCPF_ACK)
		th->ack += x->iss;
	for (unsigned i = 0; i < th->nsack; i++) {
		th->sack[i].start += x->iss;
		th->sack[i].end += x->iss;
	}
	if (!t.has_win)
		th->wnd = 65535;
	th->has_ts = (th->has_ts || x->ts) && !t.no_ts;
	if (th->has_ts) {
		th->tsval = t.has_tsval ? th->tsval : PEER_TS + xtime_ms(side_now(x));
		th->tsecr = t.has_ecr ? th->tsecr : th->flags & TCPF_ACK ? x->ts_ecr : 0;
	}
	len = tcp_emit(seg, th) + t.len;
	tcp_set_csum(seg, csum_fold(csum_add(csum_pseudo(PEER, US, PROTO_TCP, len), seg, len)));
	send_ip(x, PROTO_TCP, seg, len);
}

static void step_icmp(struct side *x, const char *args)
{
	struct icmp_hdr h = { 0 };
	struct ip_hdr q = { .src = US, .dst = PEER, .ttl = 60, .proto = PROTO_TCP, .is_df = true, .total_len = 1500 };
	uint8_t msg[ICMP_LEN + IP_LEN_MAX + 8], *body = msg + ICMP_LEN;
	unsigned type, code, rest, seq;
	size_t n;

	if (sscanf(args, "%u %u %u %u", &type, &code, &rest, &seq) != 4)
		die(args);
	h.type = (uint8_t)type;
	h.code = (uint8_t)code;
	h.rest = rest;
	n = ip_emit(body, &q);
	put_be16(body + n, x->lport);
	put_be16(body + n + 2, x->rport);
	put_be32(body + n + 4, x->iss + seq);
	icmp_emit(msg, &h, body, n + 8);
	send_ip(x, PROTO_ICMP, msg, ICMP_LEN + n + 8);
}

/* An ICMP message of `len` bytes of zeros behind its header. */
static void step_message(struct side *x, unsigned type, unsigned len)
{
	static uint8_t msg[2048];
	struct icmp_hdr h = { .type = (uint8_t)type, .rest = 0x12340001 };

	icmp_emit(msg, &h, msg + ICMP_LEN, len);
	send_ip(x, PROTO_ICMP, msg, ICMP_LEN + len);
}

/* Bytes off to off + len of an echo request of 2,000 bytes, as a fragment. */
static void step_fragment(struct side *x, const char *args)
{
	static uint8_t msg[2008];
	struct icmp_hdr h = { .type = ICMP_ECHO, .rest = 0x12340002 };
	unsigned id, off, len, more;

	if (sscanf(args, "%u %u %u %u", &id, &off, &len, &more) != 4)
		die(args);
	icmp_emit(msg, &h, msg + ICMP_LEN, sizeof(msg) - ICMP_LEN);
	x->id = (uint16_t)id;
	x->frag_off = (uint16_t)off;
	x->has_more = more;
	send_ip(x, PROTO_ICMP, msg + off, len);
	x->id = 77;
	x->frag_off = 0;
	x->has_more = false;
}

static size_t hex(const char *p, uint8_t *out, size_t max)
{
	size_t n = 0;
	unsigned v;

	for (; n < max && sscanf(p, "%2x", &v) == 1; p += 2)
		out[n++] = (uint8_t)v;
	return n;
}

/* ---- steps: the program's ---- */

static const struct { const char *name; int level, opt; } option_names[] = {
	{ "keepalive", SOL_SOCKET, SO_KEEPALIVE }, { "rcvbuf", SOL_SOCKET, SO_RCVBUF },
	{ "keepidle", IPPROTO_TCP, TCP_KEEPIDLE }, { "keepintvl", IPPROTO_TCP, TCP_KEEPINTVL },
	{ "keepcnt", IPPROTO_TCP, TCP_KEEPCNT }, { "linger2", IPPROTO_TCP, TCP_LINGER2 },
	{ "maxseg", IPPROTO_TCP, TCP_MAXSEG }, { "user_timeout", IPPROTO_TCP, TCP_USER_TIMEOUT },
	{ "nodelay", IPPROTO_TCP, TCP_NODELAY }, { "syncnt", IPPROTO_TCP, TCP_SYNCNT },
	{ "quickack", IPPROTO_TCP, TCP_QUICKACK }, { "cork", IPPROTO_TCP, TCP_CORK },
	{ "rto_max_ms", IPPROTO_TCP, 44 }, { "rto_min_us", IPPROTO_TCP, 45 }, { "delack_max_us", IPPROTO_TCP, 46 },
	{ "mtu_discover", IPPROTO_IP, IP_MTU_DISCOVER }, { "mtu", IPPROTO_IP, IP_MTU },
	{ "options", IPPROTO_IP, IP_OPTIONS }, { "recverr", IPPROTO_IP, IP_RECVERR },
	{ "window_clamp", IPPROTO_TCP, TCP_WINDOW_CLAMP }, { "rcvlowat", SOL_SOCKET, SO_RCVLOWAT },
	{ "save_syn", IPPROTO_TCP, TCP_SAVE_SYN }, { "saved_syn", IPPROTO_TCP, TCP_SAVED_SYN },
	{ "thin_linear", IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS }, { "minttl", IPPROTO_IP, IP_MINTTL },
	{ "ttl", IPPROTO_IP, IP_TTL }, { "error", SOL_SOCKET, SO_ERROR },
};

static int set_option(struct side *x, int level, int opt, const void *v, socklen_t len)
{
	if (x->is_kernel)
		return setsockopt(x->fd, level, opt, v, len) ? -errno : 0;
	return tcp_setopt(x->c, level, opt, v, len, true, x->now);
}

static int get_option(struct side *x, int level, int opt, void *v, socklen_t *len)
{
	if (!x->is_kernel && level == SOL_SOCKET && opt == SO_ERROR) {
		int err = tcp_take_error(x->c);

		memcpy(v, &err, *len);
		return 0;
	}
	if (x->is_kernel)
		return getsockopt(x->fd, level, opt, v, len) ? -errno : 0;
	return tcp_getopt(x->c, level, opt, v, len, x->now);
}

static void step_option(struct side *x, const char *args, bool is_set)
{
	char name[32];
	const char *value;
	size_t i = 0;
	uint8_t v[64] = { 0 };
	socklen_t len = sizeof(int);
	int val, ret, n = 0;

	sscanf(args, "%31s%n", name, &n);
	value = args + n + (args[n] == ' ');
	val = (int)strtol(value, NULL, 10);
	while (i < ARRAY_LEN(option_names) && strcmp(option_names[i].name, name))
		i++;
	if (i == ARRAY_LEN(option_names))
		die(args);
	if (x->is_kernel ? x->fd < 0 : !x->c) {
		snprintf(say(x, false)->text, 200, "%s: no socket", args);
		return;
	}
	if (option_names[i].opt == IP_OPTIONS && option_names[i].level == IPPROTO_IP)
		len = is_set ? (socklen_t)hex(value, v, sizeof(v)) : sizeof(v);
	else if (option_names[i].opt == TCP_SAVED_SYN && option_names[i].level == IPPROTO_TCP)
		len = sizeof(v);
	else if (is_set)
		memcpy(v, &val, sizeof(val));
	ret = is_set ? set_option(x, option_names[i].level, option_names[i].opt, v, len)
	             : get_option(x, option_names[i].level, option_names[i].opt, v, &len);
	n = snprintf(say(x, false)->text, 200, "%s %s: %d", is_set ? "set" : "get", args, ret);
	for (i = 0; !is_set && !ret && i < len; i++)
		n += snprintf(x->log[x->nlog - 1].text + n, (size_t)(200 - n), "%s%02x", i ? "" : " ", v[i]);
}

static int call_connect(struct side *x)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(80), .sin_addr.s_addr = htonl(PEER) };
	ip4 a;
	uint16_t p;

	if (!x->is_kernel)
		return tcp_connect(x->c, PEER, 80, &a, &p, x->now);
	return connect(x->fd, (struct sockaddr *)&to, sizeof(to)) && errno != EINPROGRESS ? -errno : 0;
}

/* From here on x->lport is known: the peer of a server has chosen its own. */
static int call_listen(struct side *x)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(80) };
	ip4 a;
	uint16_t p;

	x->lport = 80;
	x->rport = 50000;
	if (x->is_kernel) {
		x->lfd = x->fd;
		return bind(x->fd, (struct sockaddr *)&at, sizeof(at)) || listen(x->fd, 5) ? -errno : 0;
	}
	x->l = x->c;
	return tcp_bind(x->c, 0, 80, true, &a, &p, x->now) ? -EADDRINUSE : tcp_listen(x->c, 5, &a, &p, x->now);
}

static int call_accept(struct side *x)
{
	int err = 0;

	if (x->is_kernel ? x->lfd < 0 : !x->l)
		return -EBADF;
	if (x->is_kernel) {
		x->fd = accept4(x->lfd, NULL, NULL, SOCK_NONBLOCK);
		return x->fd < 0 ? -errno : 0;
	}
	x->c = tcp_accept(x->l, &err, x->now);
	return x->c ? 0 : err;
}

static int call_data(struct side *x, bool is_write, size_t n)
{
	static uint8_t bytes[1 << 20];
	struct iovec iov = { bytes, n ? n : sizeof(bytes) };
	ssize_t ret;

	if (x->is_kernel) {
		ret = is_write ? send(x->fd, bytes, n, MSG_NOSIGNAL) : recv(x->fd, bytes, iov.iov_len, 0);
		return ret < 0 ? -errno : (int)ret;
	}
	if (is_write)
		return (int)tcp_send(x->c, &iov, 1, 0, 0, x->now);
	return (int)tcp_recv(x->c, &iov, 1, 0, 0, 0, NULL, x->now);
}

static int call_end(struct side *x, const char *how)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	if (!strcmp(how, "shutdown"))
		return x->is_kernel ? shutdown(x->fd, SHUT_WR) ? -errno : 0 : tcp_shutdown(x->c, SHUT_WR, x->now);
	if (!strcmp(how, "disconnect"))
		return x->is_kernel ? connect(x->fd, &none, sizeof(none)) ? -errno : 0 : tcp_disconnect(x->c, x->now);
	if (x->is_kernel) {
		close(x->fd);
		x->fd = -1;
	} else {
		tcp_release(x->c, x->now);
		x->c = NULL;
	}
	return 0;
}

static void take_info(struct side *x, unsigned step)
{
	struct tcp_info_abi *i = &infos[x->is_kernel][step];
	socklen_t len = sizeof(*i);

	if (x->is_kernel ? x->fd >= 0 : x->c != NULL)
		get_option(x, IPPROTO_TCP, TCP_INFO, i, &len);
}

static void do_step(struct side *x, unsigned i)
{
	static const uint8_t udp[64] = { 1, 2, 3, 4, 0, sizeof(udp) };
	const char *step = script->steps[i];
	unsigned type, len;
	uint8_t a[4];
	int n = 0, ret = 0;

	if (*step == '<') {
		step_segment(x, step + 2);
		return;
	}
	if (sscanf(step, "message %u %u", &type, &len) == 2)
		step_message(x, type, len);
	else if (!strncmp(step, "fragment ", 9))
		step_fragment(x, step + 9);
	else if (sscanf(step, "proto %u", &len) == 1)
		send_ip(x, (uint8_t)len, udp, sizeof(udp));
	else if (sscanf(step, "to %hhu.%hhu.%hhu.%hhu", &a[0], &a[1], &a[2], &a[3]) == 4)
		x->dst = IP(a[0], a[1], a[2], a[3]);
	else if (!strncmp(step, "arp ", 4))
		step_arp(x, step);
	else if (!strncmp(step, "icmp ", 5))
		step_icmp(x, step + 5);
	else if (!strncmp(step, "opts", 4))
		x->opt_len = (uint8_t)hex(step[4] ? step + 5 : "", x->opts, sizeof(x->opts));
	else if (sscanf(step, "tos %d", &n) == 1)
		x->tos = (uint8_t)n;
	else if (!strncmp(step, "set ", 4) || !strncmp(step, "get ", 4))
		step_option(x, step + 4, *step == 's');
	else if (!strcmp(step, "info"))
		take_info(x, i);
	else if (!strncmp(step, "congestion ", 11))
		snprintf(say(x, false)->text, 200, "%s: %d", step, set_option(x, IPPROTO_TCP, TCP_CONGESTION, step + 11,
		                                                              (socklen_t)strlen(step + 11)));
	else if (strncmp(step, "sysctl ", 7) && strncmp(step, "wait ", 5) && strcmp(step, "ethernet")) {
		if (!strcmp(step, "connect"))
			ret = call_connect(x);
		else if (!strcmp(step, "listen"))
			ret = call_listen(x);
		else if (!strcmp(step, "accept"))
			ret = call_accept(x);
		else if (x->is_kernel ? x->fd < 0 : !x->c)
			ret = -EBADF;
		else if (sscanf(step, "write %d", &n) == 1 || sscanf(step, "read %d", &n) == 1 || !strcmp(step, "read"))
			ret = call_data(x, *step == 'w', (size_t)n);
		else
			ret = call_end(x, step);
		snprintf(say(x, false)->text, 200, "%s: %d", step, ret);
	}
}

/* ---- the two sides ---- */

static void write_file(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		die(path);
	close(fd);
}

static void sysctls(struct side *x)
{
	char name[64], value[64], path[128];

	for (unsigned i = 0; i < STEPS_MAX && script->steps[i]; i++) {
		if (sscanf(script->steps[i], "sysctl %63s %63[^\n]", name, value) != 2)
			continue;
		snprintf(path, sizeof(path), "/proc/sys/net/ipv4/%s", name);
		for (char *p = path + strlen("/proc/sys/net/ipv4/"); *p; p++)
			if (*p == '.')
				*p = '/';
		if (x->is_kernel)
			write_file(path, value);
		else if (settings_set(stack_settings(x->s), name, value))
			die(name);
	}
}

static void read_counters(struct side *x, char *buf)
{
	static const char *const paths[] = { "/proc/thread-self/net/snmp", "/proc/thread-self/net/netstat" };
	size_t n = 0;

	if (!x->is_kernel) {
		snmp_text(x->s, buf, TEXT_MAX);
		return;
	}
	for (int i = 0; i < 2; i++) {
		int fd = open(paths[i], O_RDONLY | O_CLOEXEC);
		ssize_t got;

		while (fd >= 0 && n < TEXT_MAX - 1 && (got = read(fd, buf + n, TEXT_MAX - 1 - n)) > 0)
			n += (size_t)got;
		close(fd);
	}
	buf[n] = 0;
}

static void set_addr(int s, unsigned long what, ip4 a)
{
	struct ifreq r = { .ifr_name = "tun0" };
	struct sockaddr_in *in = (struct sockaddr_in *)&r.ifr_addr;

	in->sin_family = AF_INET;
	in->sin_addr.s_addr = htonl(a);
	if (ioctl(s, what, &r))
		die("tun0");
}

/* What isn't reached is told by the host to itself. */
static void set_lo_up(int s)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP };

	if (ioctl(s, SIOCSIFFLAGS, &r))
		die("lo");
}

static void set_mac(int s)
{
	struct ifreq r = { .ifr_name = "tun0", .ifr_hwaddr.sa_family = ARPHRD_ETHER };

	memcpy(r.ifr_hwaddr.sa_data, both_mac_us, MAC_LEN);
	if (ioctl(s, SIOCSIFHWADDR, &r))
		die("tun0");
}

static void kernel_open(struct side *x)
{
	struct ifreq r = { .ifr_name = "tun0", };
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (unshare(CLONE_NEWNET))
		exit(77);
	close(s);
	r.ifr_flags = IFF_NO_PI | (x->has_link ? IFF_TAP : IFF_TUN);
	s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	x->tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (x->tun < 0)
		exit(77);
	if (ioctl(x->tun, TUNSETIFF, &r))
		die("TUNSETIFF");
	if (x->has_link) {
		set_mac(s);
		set_lo_up(s);
	}
	sysctls(x);
	write_file("/proc/sys/net/ipv6/conf/tun0/disable_ipv6", "1");
	set_addr(s, SIOCSIFADDR, US);
	set_addr(s, SIOCSIFNETMASK, IP(255, 255, 255, 0));
	if (ioctl(s, SIOCGIFFLAGS, &r))
		die("tun0");
	r.ifr_flags |= IFF_UP;
	if (ioctl(s, SIOCSIFFLAGS, &r))
		die("tun0");
	close(s);
	x->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* Whatever this host's default is. */
	if (setsockopt(x->fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5))
		die("cubic");
	x->start = clock_now();
	pass(x, 20 * XTIME_MSEC);     /* what a new interface sends */
	x->nlog = 0;
}

static void ours_open(struct side *x)
{
	struct stack_iface i = { .is_up = true, .mtu = MTU, .can_offload = true, .gso_max = 65535 };
	struct stack_config cfg = { .secret = { 1, 2, 3 } };

	settings_default(&cfg.settings);
	x->now = 1000 * XTIME_SEC;
	x->s = stack_new(&cfg, x->now);
	sysctls(x);
	i.has_link = i.has_arp = x->has_link;
	memcpy(i.mac, both_mac_us, MAC_LEN);
	stack_add_iface(x->s, &i);
	stack_add_addr(x->s, 0, US, 24, true, x->now);
	x->c = tcp_open(x->s, x->now);
}

static void run_side(struct side *x)
{
	x->rport = 80;
	x->lfd = -1;
	x->dst = US;
	x->id = 77;
	x->has_link = !strcmp(script->steps[0], "ethernet");
	if (x->is_kernel)
		kernel_open(x);
	else
		ours_open(x);
	read_counters(x, x->before);
	x->start = x->is_kernel ? clock_now() : x->now;
	for (unsigned i = 0; i < STEPS_MAX && script->steps[i]; i++) {
		int ms;

		if (x->is_kernel)
			times[i] = side_now(x);
		else
			pass(x, times[i]);
		do_step(x, i);
		if (x->is_kernel) {
			xtime at = side_now(x);

			at = sscanf(script->steps[i], "wait %d", &ms) == 1 ? times[i] + ms * XTIME_MSEC : at + GRACE;
			pass(x, at);
			was_late |= side_now(x) - at > LATE / 3 || at - times[i] < 0;
		} else {
			ours_output(x);
		}
	}
	if (!x->is_kernel)
		pass(x, times[STEPS_MAX - 1]);
	else
		times[STEPS_MAX - 1] = side_now(x);
	read_counters(x, x->after);
}

/* ---- comparing ---- */

static void compare_logs(const struct side *k, const struct side *o)
{
	unsigned n = MAX(k->nlog, o->nlog), i;
	bool is_same = k->nlog == o->nlog;

	for (i = 0; i < n; i++) {
		const struct entry *a = &k->log[i], *b = &o->log[i];

		is_same = is_same && !strcmp(a->text, b->text);
		/* Linux's timer wheel may be late by an eighth. */
		if (is_same && a->is_timed && (a->at - b->at > LATE + a->at / 8 || b->at - a->at > LATE))
			is_same = false;
		is_same = is_same && (uint32_t)(a->ecr - b->ecr + 40) <= 80;
	}
	if (is_same || may_differ("packets"))
		return;
	differs("what happened differs");
	for (i = 0; i < n; i++) {
		const struct entry *a = &k->log[i], *b = &o->log[i];

		printf("#  %c kernel %7.1f %s (ecr %u)\n#    ours   %7.1f %s (ecr %u)\n",
		       i < k->nlog && i < o->nlog && !strcmp(a->text, b->text) ? ' ' : '!',
		       i < k->nlog ? (double)a->at / 1e6 : 0, i < k->nlog ? a->text : "-", a->ecr,
		       i < o->nlog ? (double)b->at / 1e6 : 0, i < o->nlog ? b->text : "-", b->ecr);
	}
}

/* Fields of TCP_INFO: how far apart they may be. */
static const struct field {
	const char *name;
	size_t off;
	uint8_t size;
	uint32_t slack;
	bool is_leftover;
} fields[] = {
#define FIELD(name, slack) { "info:" #name, offsetof(struct tcp_info_abi, name), sizeof(((struct tcp_info_abi *)0)->name), slack, false }
#define OPEN_FIELD(name, slack) { "info:" #name, offsetof(struct tcp_info_abi, name), sizeof(((struct tcp_info_abi *)0)->name), slack, true }
	FIELD(state, 0), FIELD(ca_state, 0), FIELD(retransmits, 0), FIELD(probes, 0), FIELD(backoff, 0),
	FIELD(options, 0), FIELD(wscales, 0), FIELD(rate_flags, 0),
	FIELD(rto_us, 30000), FIELD(ato_us, 4000), OPEN_FIELD(snd_mss, 0), OPEN_FIELD(rcv_mss, 0),
	FIELD(unacked, 0), FIELD(sacked, 0), OPEN_FIELD(lost, 0), OPEN_FIELD(retrans, 0), FIELD(fackets, 0),
	FIELD(last_data_sent_ms, 60), FIELD(last_ack_sent_ms, 0), FIELD(last_data_recv_ms, 30),
	FIELD(last_ack_recv_ms, 30), FIELD(pmtu, 0), OPEN_FIELD(rcv_ssthresh, 0), FIELD(rtt_us, 10000),
	FIELD(rttvar_us, 10000), FIELD(snd_ssthresh, 0), FIELD(snd_cwnd, 0), FIELD(advmss, 0),
	FIELD(reordering, 0), FIELD(rcv_rtt_us, 10000), FIELD(rcv_space, 0), FIELD(total_retrans, 0),
	FIELD(pacing_rate, 100000), FIELD(max_pacing_rate, 0), FIELD(bytes_acked, 0), FIELD(bytes_received, 0),
	FIELD(segs_out, 0), FIELD(segs_in, 0), OPEN_FIELD(notsent_bytes, 0), FIELD(min_rtt_us, 10000),
	FIELD(data_segs_in, 0), FIELD(data_segs_out, 0),
	FIELD(busy_time_us, 30000), FIELD(rwnd_limited_us, 30000), FIELD(sndbuf_limited_us, 30000),
	FIELD(delivered, 0), FIELD(delivered_ce, 0), FIELD(bytes_sent, 0), FIELD(bytes_retrans, 0),
	FIELD(dsack_dups, 0), FIELD(reord_seen, 0), FIELD(rcv_ooopack, 0), FIELD(snd_wnd, 0), OPEN_FIELD(rcv_wnd, 0),
	FIELD(total_rto, 0), FIELD(total_rto_recoveries, 0), FIELD(total_rto_time_ms, 60),
	FIELD(received_ce, 0), FIELD(delivered_e1_bytes, 0), FIELD(delivered_e0_bytes, 0),
	FIELD(delivered_ce_bytes, 0), FIELD(received_e1_bytes, 0), FIELD(received_e0_bytes, 0),
	FIELD(received_ce_bytes, 0), FIELD(accecn_fail_mode, 0), FIELD(accecn_opt_seen, 0),
};

static uint64_t field_of(const struct tcp_info_abi *i, const struct field *f)
{
	uint64_t v = 0;

	memcpy(&v, (const char *)i + f->off, f->size);   /* little endian */
	return v;
}

static void compare_info(unsigned step)
{
	for (size_t i = 0; i < ARRAY_LEN(fields) && !may_differ("info"); i++) {
		uint64_t a = field_of(&infos[1][step], &fields[i]), b = field_of(&infos[0][step], &fields[i]);

		/* Of a connection that is no more these are leftovers in Linux. */
		if (infos[1][step].state == TCP_CLOSE && fields[i].is_leftover)
			continue;
		/* It goes with the round trip, which in a short one is mostly the machine's. */
		if (!strcmp(fields[i].name, "info:pacing_rate") && infos[1][step].rtt_us < 50000)
			continue;
		/* A time that never was is the age of the host. */
		if (!strncmp(fields[i].name, "info:last_", 10) && a > 100000 && b > 100000)
			continue;
		if ((a > b ? a - b : b - a) > fields[i].slack + (fields[i].slack ? a / 5 : 0) && !may_differ(fields[i].name))
			differs("%s at step %u: kernel %llu, ours %llu", fields[i].name, step,
			        (unsigned long long)a, (unsigned long long)b);
	}
}

/* The value under GROUP:NAME; 0 when it isn't there. */
static long long value_of(const char *text, const char *group, const char *name)
{
	char prefix[32], word[64];
	const char *p = text, *v;
	int n;

	snprintf(prefix, sizeof(prefix), "%s: ", group);
	while (p && strncmp(p, prefix, strlen(prefix)))
		p = (p = strchr(p, '\n')) ? p + 1 : NULL;
	if (!p || !(v = strchr(p, '\n')))
		return 0;
	for (v++; sscanf(p, "%63s%n", word, &n) == 1; p += n) {
		long long val = strtoll(v, NULL, 10);

		if (!strcmp(word, name))
			return val;
		v += strspn(v, " ");
		v += strcspn(v, " \n");
	}
	return 0;
}

static void compare_counters(const struct side *k, const struct side *o)
{
	for (size_t i = 0; i < snmp_nrows && !may_differ("counters"); i++) {
		const char *g = snmp_rows[i].group, *n = snmp_rows[i].name;
		char name[80];
		long long a = value_of(k->after, g, n) - value_of(k->before, g, n);
		long long b = value_of(o->after, g, n) - value_of(o->before, g, n);

		snprintf(name, sizeof(name), "%s:%s", g, n);
		/* What never occurs here says why itself. */
		if (a != b && !snmp_rows[i].never && !may_differ(name))
			differs("%s: kernel %lld, ours %lld", name, a, b);
	}
}

int both_run(const struct script *s)
{
	static struct side kernel = { .who = "kernel", .is_kernel = true }, ours = { .who = "ours" };
	unsigned last = 0;

	script = s;
	while (last < STEPS_MAX - 1 && s->steps[last])
		last++;
	run_side(&kernel);
	take_info(&kernel, last);
	run_side(&ours);
	take_info(&ours, last);
	compare_logs(&kernel, &ours);
	for (unsigned i = 0; i <= last; i++)
		if (i == last || !strcmp(s->steps[i], "info"))
			compare_info(i);
	compare_counters(&kernel, &ours);
	return ndiffs ? was_late ? 2 : 1 : 0;
}
