/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relay.c - a bad link between two interfaces, for want of netem.
 *
 *     relay [-s SEED] [-p PORT] IF_A IF_B A_TO_B B_TO_A        (what a link takes: link.h)
 *
 *   sender --veth-- IF_A [packet socket -> link -> frames by departure -> packet socket] IF_B --veth-- receiver
 *
 * A packet here is a packet of the wire: the far ends of both veth pairs have their offloads off
 * (ethtool -K IF tx off; segmentation goes with checksums), so that the kernel cuts super-frames,
 * its own and xtcp's, and fills in checksums before they come; a frame that is too large is an error.
 *
 * Arrivals are the kernel's time stamps, and departures follow from them alone: what the relay
 * itself is late by doesn't add up.  It sleeps by ppoll() to the next departure, takes and sends
 * batches, and asks for a real-time priority, as it must run when a busy machine has others to run.
 *
 * Only IPv4 meets the link, with -p only TCP from or to that port, so that what is left of an earlier
 * connection doesn't change what this one meets; ARP passes, the rest is dropped.  On SIGTERM and SIGINT it prints one
 * line of counters a direction, and fails if it had to leave out something of its own accord.
 */
#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "link.h"

#define BATCH 64
#define FRAME_MAX 2048
#define SOCKBUF (8 << 20)

struct held {
	xtime at;
	uint64_t order;          /* ties keep theirs */
	uint8_t *data;           /* owned */
	size_t len;
};

/* What comes in at one interface and leaves by the other. */
struct way {
	const char *name;
	int in, out;             /* packet sockets */
	struct link link;
	struct held *heap;       /* by departure; owned */
	uint32_t n, cap;
	uint64_t order;
	uint64_t oversized, unsent;
};

static volatile sig_atomic_t is_over;
static unsigned only_port;       /* 0: all */

static void on_signal(int sig)
{
	(void)sig;
	is_over = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "relay: %s: %s\n", what, strerror(errno));
	exit(1);
}

static xtime now_real(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (xtime)ts.tv_sec * XTIME_SEC + ts.tv_nsec;
}

/* ---- what waits for its departure ---- */

static bool is_before(const struct held *a, const struct held *b)
{
	return a->at < b->at || (a->at == b->at && a->order < b->order);
}

static void heap_push(struct way *w, struct held f)
{
	uint32_t i;

	if (w->n == w->cap) {
		w->cap = w->cap ? w->cap * 2 : 1024;
		w->heap = realloc(w->heap, w->cap * sizeof(*w->heap));
		if (!w->heap)
			die("no memory");
	}
	for (i = w->n++; i && is_before(&f, &w->heap[(i - 1) / 2]); i = (i - 1) / 2)
		w->heap[i] = w->heap[(i - 1) / 2];
	w->heap[i] = f;
}

static struct held heap_pop(struct way *w)
{
	struct held top = w->heap[0], last = w->heap[--w->n];
	uint32_t i = 0, c;

	while ((c = 2 * i + 1) < w->n) {
		if (c + 1 < w->n && is_before(&w->heap[c + 1], &w->heap[c]))
			c++;
		if (is_before(&last, &w->heap[c]))
			break;
		w->heap[i] = w->heap[c];
		i = c;
	}
	w->heap[i] = last;
	return top;
}

static void hold(struct way *w, xtime at, const uint8_t *data, size_t len)
{
	struct held f = { .at = at, .order = w->order++, .data = malloc(len), .len = len };

	if (!f.data)
		die("no memory");
	memcpy(f.data, data, len);
	heap_push(w, f);
}

/* ---- frames ---- */

/* RFC 3168 5: ECT(0) and ECT(1) become CE; RFC 1624 for the checksum. */
static void mark(uint8_t *ip)
{
	uint32_t sum;
	uint16_t old = (uint16_t)(ip[0] << 8 | ip[1]), new;

	if (!(ip[1] & 3))
		return;
	ip[1] |= 3;
	new = (uint16_t)(ip[0] << 8 | ip[1]);
	sum = (uint32_t)(uint16_t)~(ip[10] << 8 | ip[11]) + (uint16_t)~old + new;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	ip[10] = (uint8_t)(~sum >> 8);
	ip[11] = (uint8_t)~sum;
}

static bool is_of_port(const uint8_t *ip, size_t len)
{
	const uint8_t *tcp = ip + (ip[0] & 15) * 4;

	return tcp + 4 <= ip + len && ip[9] == IPPROTO_TCP &&
	       ((unsigned)(tcp[0] << 8 | tcp[1]) == only_port || (unsigned)(tcp[2] << 8 | tcp[3]) == only_port);
}

static void take(struct way *w, uint8_t *p, size_t len, bool is_cut, xtime at)
{
	uint16_t proto = (uint16_t)(p[12] << 8 | p[13]);
	struct link_fate f;

	if (len < ETH_HLEN + 20 || (proto != ETH_P_IP && proto != ETH_P_ARP))
		return;
	if (is_cut) {
		w->oversized++;
		return;
	}
	if (proto == ETH_P_ARP) {
		hold(w, at + w->link.conf.delay, p, len);
		return;
	}
	if (only_port && !is_of_port(p + ETH_HLEN, len - ETH_HLEN))
		return;
	f = link_send(&w->link, (uint32_t)len, at);
	if (f.is_marked)
		mark(p + ETH_HLEN);
	if (f.is_corrupt)
		p[ETH_HLEN + f.random / 8 % (len - ETH_HLEN)] ^= (uint8_t)(1u << f.random % 8);
	while (f.copies--)
		hold(w, f.at, p, len);
}

union control {
	struct cmsghdr align;
	char buf[CMSG_SPACE(sizeof(struct timespec))];
};

static xtime arrival(struct msghdr *m, xtime now)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	struct timespec ts;

	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS)
		return now;
	memcpy(&ts, CMSG_DATA(c), sizeof(ts));
	return (xtime)ts.tv_sec * XTIME_SEC + ts.tv_nsec;
}

/* True when there may be more. */
static bool receive(struct way *w)
{
	static uint8_t slots[BATCH][FRAME_MAX];
	static union control control[BATCH];
	static xtime last;
	struct mmsghdr v[BATCH];
	struct iovec iov[BATCH];
	xtime now;
	int n;

	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ slots[i], FRAME_MAX };
		v[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1, .msg_control = &control[i],
		                                .msg_controllen = sizeof(control[i]) };
	}
	n = recvmmsg(w->in, v, BATCH, MSG_DONTWAIT, NULL);
	if (n < 0 && errno != EAGAIN && errno != EINTR && errno != ENETDOWN)
		die("receive");
	now = now_real();
	for (int i = 0; i < n; i++) {
		last = MAX(last, arrival(&v[i].msg_hdr, now));
		take(w, slots[i], v[i].msg_len, v[i].msg_hdr.msg_flags & MSG_TRUNC, last);
	}
	return n == BATCH;
}

/* Sends what is due. */
static void transmit(struct way *w, xtime now)
{
	struct mmsghdr v[BATCH];
	struct iovec iov[BATCH];
	int n, sent;

	do {
		for (n = 0; n < BATCH && w->n && w->heap[0].at <= now; n++) {
			struct held f = heap_pop(w);

			iov[n] = (struct iovec){ f.data, f.len };
			v[n].msg_hdr = (struct msghdr){ .msg_iov = &iov[n], .msg_iovlen = 1 };
		}
		for (int i = 0; i < n; i += sent) {
			sent = sendmmsg(w->out, v + i, (unsigned)(n - i), 0);
			if (sent <= 0) {
				w->unsent++;
				sent = 1;
			}
		}
		for (int i = 0; i < n; i++)
			free(iov[i].iov_base);
	} while (n == BATCH);
}

/* ---- */

static int open_if(const char *name)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), on = 1, size = SOCKBUF;

	at.sll_ifindex = (int)if_nametoindex(name);
	if (fd < 0 || !at.sll_ifindex)
		die(name);
	if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0 ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		die(name);
	return fd;
}

static void run(struct way *ways)
{
	sigset_t none, both;

	sigemptyset(&none);
	sigemptyset(&both);
	sigaddset(&both, SIGTERM);
	sigaddset(&both, SIGINT);
	sigprocmask(SIG_BLOCK, &both, NULL);
	sigaction(SIGTERM, &(struct sigaction){ .sa_handler = on_signal }, NULL);
	sigaction(SIGINT, &(struct sigaction){ .sa_handler = on_signal }, NULL);
	puts("ready");
	fflush(stdout);
	while (!is_over) {
		struct pollfd p[2] = { { .fd = ways[0].in, .events = POLLIN }, { .fd = ways[1].in, .events = POLLIN } };
		xtime next = XTIME_NEVER, left;
		struct timespec ts;

		for (int i = 0; i < 2; i++) {
			transmit(&ways[i], now_real());
			if (ways[i].n)
				next = xtime_min(next, ways[i].heap[0].at);
		}
		left = next == XTIME_NEVER ? XTIME_SEC : MAX(next - now_real(), 0);
		ts = (struct timespec){ .tv_sec = left / XTIME_SEC, .tv_nsec = left % XTIME_SEC };
		if (ppoll(p, 2, &ts, &none) <= 0)
			continue;
		for (int i = 0; i < 2; i++)
			while (p[i].revents && receive(&ways[i]))
				;
	}
}

static bool report(const struct way *w)
{
	const struct link_counters *c = &w->link.count;
	struct tpacket_stats st = { 0 };
	socklen_t len = sizeof(st);

	getsockopt(w->in, SOL_PACKET, PACKET_STATISTICS, &st, &len);
	printf("%s packets %llu bytes %llu lost %llu dropped %llu policed %llu marked %llu reordered %llu doubled %llu "
	       "corrupted %llu missed %u oversized %llu unsent %llu\n", w->name,
	       (unsigned long long)c->packets, (unsigned long long)c->bytes, (unsigned long long)c->lost,
	       (unsigned long long)c->dropped, (unsigned long long)c->policed, (unsigned long long)c->marked,
	       (unsigned long long)c->reordered, (unsigned long long)c->doubled, (unsigned long long)c->corrupted,
	       st.tp_drops, (unsigned long long)w->oversized, (unsigned long long)w->unsent);
	return !st.tp_drops && !w->oversized && !w->unsent;
}

int main(int argc, char **argv)
{
	struct way ways[2] = { { .name = "up" }, { .name = "down" } };
	uint64_t seed = 1;
	int fd[2], opt;
	bool is_good;

	while ((opt = getopt(argc, argv, "s:p:")) != -1) {
		if (opt == 's')
			seed = strtoull(optarg, NULL, 0);
		else if (opt == 'p')
			only_port = (unsigned)atoi(optarg);
		else
			return 2;
	}
	if (argc - optind != 4) {
		fprintf(stderr, "usage: relay [-s SEED] [-p PORT] IF_A IF_B A_TO_B B_TO_A\n");
		return 2;
	}
	for (int i = 0; i < 2; i++) {
		struct link_conf conf = { 0 };

		if (link_parse(&conf, argv[optind + 2 + i]) < 0) {
			fprintf(stderr, "relay: %s: not a link\n", argv[optind + 2 + i]);
			return 2;
		}
		fd[i] = open_if(argv[optind + i]);
		link_init(&ways[i].link, &conf, seed * 2 + (uint64_t)i);
	}
	for (int i = 0; i < 2; i++) {
		ways[i].in = fd[i];
		ways[i].out = fd[!i];
	}
	prctl(PR_SET_TIMERSLACK, 1);
	sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){ .sched_priority = 1 });
	run(ways);
	is_good = report(&ways[0]);
	is_good &= report(&ways[1]);
	for (int i = 0; i < 2; i++) {
		while (ways[i].n)
			free(heap_pop(&ways[i]).data);
		free(ways[i].heap);
	}
	return is_good ? 0 : 1;
}
