/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * million.c - what a connection costs when there are very many: two stacks, back to back, in one process.
 *
 *     million [--keepalive] [--events N] [--memory MAX] [--cost MAX] CONNECTIONS...
 *
 * A opens so many connections to B (with --keepalive a timer runs for each of them) and holds them.  A line for each
 * number: bytes per connection, of both stacks together (what the process has more, by pages), and CPU nanoseconds of each event, both
 * stacks and all their frames included:
 *
 *   connect   handshake and accept()
 *   request   64 bytes to B and as many back, on a connection chosen at random; half a microsecond passes in between
 *   tick      a millisecond passes for both while nobody says anything
 *   close     of one chosen at random, by both ends
 *
 * Figures are the least of ROUNDS rounds, as others may use the machine.  From the second number on the ratios to the first
 * are printed; --memory and --cost say what they may be, and the exit status is 1 if one is more.
 *
 * The populations live in processes of their own and take turns, round by round, so that all of them meet
 * the same machine.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shim/signal.h"
#include "stack/stack.h"
#include "stack/tcp.h"

#define ADDR_A 0x0a000001u
#define ADDR_B 0x0a000002u
#define PORT 1000
#define PER_PORT 25000          /* connections to one port: Linux's range has 28,232 */
#define MESSAGE 64
#define ROUNDS 9
#define POPULATIONS 8
#define PAUSE (XTIME_USEC / 2)

enum { CONNECT, REQUEST, TICK, CLOSE, EVENTS };

/* What a population is told to do. */
enum { FILL = 'f', OPEN = 'o', USE = 'u', SHUT = 's', END = 'e' };

static const char *const names[EVENTS] = { "connect", "request", "tick", "close" };

struct sim {
	struct stack *a, *b;
	xtime now;
	unsigned n;
	struct tcp_conn **client;   /* of A; the user of each is its other end's place in server */
	struct tcp_conn **server;
	struct tcp_conn **listeners;
	unsigned nopen, nclose;     /* connections opened; closed in a round */
	double empty;               /* bytes of the process before them */
	uint64_t rng;
};

struct result {
	double bytes, ns[EVENTS];
};

/* The heap is the library's (shim/alloc.c), which keeps signal handlers off; there are none here. */
__thread struct signal_self signal_self;

void signal_redeliver(void)
{
}

__attribute__((noreturn)) static void fail(const char *what)
{
	fprintf(stderr, "million: %s\n", what);
	exit(2);
}

static void check(int r, const char *what)
{
	if (r < 0)
		fail(what);
}

static uint32_t random_below(struct sim *m, uint32_t n)
{
	m->rng ^= m->rng << 13;
	m->rng ^= m->rng >> 7;
	m->rng ^= m->rng << 17;
	return (uint32_t)((m->rng >> 32) * n >> 32);
}

/* ---- two stacks ---- */

static struct stack *make_stack(ip4 addr)
{
	const struct stack_iface i = { .is_up = true, .can_offload = true, .mtu = 1500, .gso_max = 65535, .oif = 1 };
	struct stack_config cfg = { .congestion = "cubic" };
	struct stack *s;

	settings_default(&cfg.settings);
	cfg.secret[0] = (uint8_t)addr;
	s = stack_new(&cfg, 0);
	if (!s)
		fail("no memory for a stack");
	check(stack_add_iface(s, &i), "stack_add_iface");
	check(stack_add_addr(s, 0, addr, 24, true, 0), "stack_add_addr");
	return s;
}

/* Everything that `from` has to send. */
static bool carry(struct sim *m, struct stack *from, struct stack *to)
{
	static uint8_t packet[2048];
	static struct frame_out f;
	struct frame_in in = { .data = packet };
	bool some = false;

	while (stack_output(from, &f, m->now)) {
		memcpy(packet, f.hdr, f.hdr_len);
		in.len = f.hdr_len;
		for (int i = 0; i < f.payload_cnt; i++) {
			memcpy(packet + in.len, f.payload[i].iov_base, f.payload[i].iov_len);
			in.len += f.payload[i].iov_len;
		}
		in.vnet = f.vnet;
		stack_input(to, 0, &in, m->now);
		some = true;
	}
	return some;
}

/* Until both are silent, and what was due has happened. */
static void settle(struct sim *m)
{
	stack_expire(m->a, m->now);
	stack_expire(m->b, m->now);
	while (carry(m, m->a, m->b) | carry(m, m->b, m->a))
		;
}

/* ---- events ---- */

static uint16_t port_of(unsigned i)
{
	return (uint16_t)(PORT + i / PER_PORT);
}

static void no_more_news(struct stack *s)
{
	while (stack_next_event(s))
		;
}

static bool keepalive;

static void open_one(struct sim *m, struct tcp_conn **listeners, unsigned i)
{
	const int on = 1;
	uint16_t port;
	ip4 addr;
	int err;

	m->now += PAUSE;
	m->client[i] = tcp_open(m->a, m->now);
	if (!m->client[i])
		fail("no memory for a connection");
	if (keepalive)
		check(tcp_setopt(m->client[i], SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on), false, m->now), "SO_KEEPALIVE");
	check(tcp_connect(m->client[i], ADDR_B, port_of(i), &addr, &port, m->now), "tcp_connect");
	settle(m);
	m->server[i] = tcp_accept(listeners[i / PER_PORT], &err, m->now);
	if (!m->server[i] || tcp_connect_result(m->client[i]))
		fail("a connection isn't open");
	tcp_set_user(m->client[i], &m->server[i]);
	tcp_set_user(m->server[i], &m->client[i]);
	no_more_news(m->a);
	no_more_news(m->b);
}

/* What came last, and its reader: the one that news tells of. */
static void take(struct sim *m, struct stack *s, const struct tcp_conn *expected)
{
	char buf[MESSAGE];
	struct iovec iov = { buf, sizeof(buf) };
	struct tcp_conn *c;
	bool got = false;

	while ((c = stack_next_event(s)))
		got |= c == expected && tcp_events(c) & POLLIN && tcp_recv(c, &iov, 1, 0, 0, 0, NULL, m->now) == MESSAGE;
	if (!got)
		fail("a message hasn't come");
}

static void give(struct sim *m, struct tcp_conn *c)
{
	static char buf[MESSAGE];
	struct iovec iov = { buf, sizeof(buf) };

	if (tcp_send(c, &iov, 1, 0, 0, m->now) != MESSAGE)
		fail("a message can't be sent");
	settle(m);
}

static void request(struct sim *m)
{
	unsigned i = random_below(m, m->n);

	m->now += PAUSE;
	give(m, m->client[i]);
	take(m, m->b, m->server[i]);
	give(m, m->server[i]);
	take(m, m->a, m->client[i]);
}

static void tick(struct sim *m)
{
	m->now += XTIME_MSEC;
	if (stack_deadline(m->a) <= m->now || stack_deadline(m->b) <= m->now)
		settle(m);
}

static void close_one(struct sim *m)
{
	unsigned i = random_below(m, m->n);
	struct tcp_conn *c = m->client[i], *s = m->server[i];

	m->now += PAUSE;
	m->n--;
	m->client[i] = m->client[m->n];
	m->server[i] = m->server[m->n];
	tcp_release(c, m->now);
	settle(m);
	tcp_release(s, m->now);
	settle(m);
	no_more_news(m->a);
	no_more_news(m->b);
}

/* ---- measuring ---- */

/* CPU time of this process: others are not counted. */
static double cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static double resident(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	unsigned long pages = 0;

	if (!f || fscanf(f, "%*u %lu", &pages) != 1)
		fail("/proc/self/statm can't be read");
	fclose(f);
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static double best(double have, double ns)
{
	return have > 0 && have < ns ? have : ns;
}

static void listen_all(struct sim *m, struct tcp_conn **listeners)
{
	uint16_t port;
	ip4 addr;

	for (unsigned k = 0; k * PER_PORT < m->n; k++) {
		listeners[k] = tcp_open(m->b, m->now);
		if (!listeners[k])
			fail("no memory for a listener");
		check(tcp_bind(listeners[k], ADDR_B, port_of(k * PER_PORT), true, &addr, &port, m->now), "tcp_bind");
		check(tcp_listen(listeners[k], 16, &addr, &port, m->now), "tcp_listen");
	}
}

/* How many connections a round opens, and another closes. */
static unsigned of_a_round(const struct sim *m, unsigned events)
{
	return MIN(events, m->n / 2) / ROUNDS;
}

static void open_next(struct sim *m)
{
	open_one(m, m->listeners, m->nopen++);
}

static void time_rounds(struct sim *m, void (*event)(struct sim *), unsigned events, double *ns)
{
	double begin = cpu_ns();

	for (unsigned i = 0; i < events; i++)
		event(m);
	*ns = best(*ns, (cpu_ns() - begin) / events);
}

static void init(struct sim *m, unsigned n)
{
	*m = (struct sim){ .a = make_stack(ADDR_A), .b = make_stack(ADDR_B), .now = XTIME_SEC, .n = n, .rng = 88172645463325252 };
	m->listeners = calloc(n / PER_PORT + 1, sizeof(struct tcp_conn *));
	m->client = malloc(n * sizeof(struct tcp_conn *));
	m->server = malloc(n * sizeof(struct tcp_conn *));
	if (!m->listeners || !m->client || !m->server)
		fail("no memory");
	memset(m->client, 0, n * sizeof(struct tcp_conn *));
	memset(m->server, 0, n * sizeof(struct tcp_conn *));
	listen_all(m, m->listeners);
	m->empty = resident();
}

/* One round of what it was told to do. */
static void turn(struct sim *m, char word, unsigned events, struct result *r)
{
	unsigned each = of_a_round(m, events);

	switch (word) {
	case FILL:      /* all but those that the rounds open */
		while (m->nopen < m->n - ROUNDS * each)
			open_next(m);
		return;
	case OPEN:
		time_rounds(m, open_next, each, &r->ns[CONNECT]);
		return;
	case USE:
		m->now += 10 * XTIME_SEC;
		settle(m);
		if (!r->bytes)
			r->bytes = (resident() - m->empty) / m->n;
		time_rounds(m, request, events / ROUNDS, &r->ns[REQUEST]);
		m->now += 10 * XTIME_SEC;
		settle(m);
		time_rounds(m, tick, events / ROUNDS, &r->ns[TICK]);
		return;
	default:
		m->nclose = m->nclose ? m->nclose : each;   /* n gets less */
		time_rounds(m, close_one, m->nclose, &r->ns[CLOSE]);
	}
}

/* One population; waits for a word before each round and answers it. */
static void run(unsigned n, unsigned events, int in, int out)
{
	struct result r = { 0 };
	struct sim m;
	char word;

	init(&m, n);
	while (read(in, &word, 1) == 1 && word != END) {
		turn(&m, word, events, &r);
		check((int)write(out, &word, 1), "write");
	}
	check((int)write(out, &r, sizeof(r)), "write");
	_exit(0);
}

struct population {
	int to, from;
	struct result r;
};

static struct population start(unsigned n, unsigned events)
{
	int to[2], from[2];
	pid_t pid;

	check(pipe(to), "pipe");
	check(pipe(from), "pipe");
	pid = fork();
	check(pid, "fork");
	if (!pid) {
		close(to[1]);
		close(from[0]);
		run(n, events, to[0], from[1]);
	}
	close(to[0]);
	close(from[1]);
	return (struct population){ .to = to[1], .from = from[0] };
}

static void take_turn(struct population *p, char word)
{
	if (write(p->to, &word, 1) != 1 || read(p->from, &word, 1) != 1)
		fail("a population has ended");
}

static void take_turns(struct population *p, unsigned n, char word, int rounds)
{
	for (int round = 0; round < rounds; round++)
		for (unsigned i = 0; i < n; i++)
			take_turn(&p[i], word);
}

static void finish(struct population *p)
{
	char word = END;

	if (write(p->to, &word, 1) != 1 || read(p->from, &p->r, sizeof(p->r)) != sizeof(p->r))
		fail("a population has ended");
	close(p->to);
	close(p->from);
	wait(NULL);
}

/* ---- what is printed ---- */

static bool print_ratios(const struct result *r, const struct result *first, double memory, double cost)
{
	bool is_good = !memory || r->bytes <= memory * first->bytes;

	printf("%9s %8.2f", "over first", r->bytes / first->bytes);
	for (int e = 0; e < EVENTS; e++) {
		printf(" %10.2f", r->ns[e] / first->ns[e]);
		is_good &= !cost || r->ns[e] <= cost * first->ns[e];
	}
	puts(is_good ? "" : "  too much");
	return is_good;
}

static int usage(void)
{
	fprintf(stderr, "usage: million [--keepalive] [--events N] [--memory MAX] [--cost MAX] CONNECTIONS... (bench/million.c)\n");
	return 2;
}

int main(int argc, char **argv)
{
	struct population p[POPULATIONS];
	unsigned n[POPULATIONS], k = 0, events = 90000;
	double memory = 0, cost = 0;
	bool is_good = true;

	for (int i = 1; i < argc; i++) {
		if (i + 1 < argc && !strcmp(argv[i], "--events"))
			events = (unsigned)atoi(argv[++i]);
		else if (i + 1 < argc && !strcmp(argv[i], "--memory"))
			memory = atof(argv[++i]);
		else if (i + 1 < argc && !strcmp(argv[i], "--cost"))
			cost = atof(argv[++i]);
		else if (!strcmp(argv[i], "--keepalive"))
			keepalive = true;
		else if (k < POPULATIONS && atoi(argv[i]) >= 1000)
			n[k++] = (unsigned)atoi(argv[i]);
		else
			return usage();
	}
	if (!k || events < 1000)
		return usage();
	for (unsigned i = 0; i < k; i++)
		p[i] = start(n[i], events);
	take_turns(p, k, FILL, 1);
	take_turns(p, k, OPEN, ROUNDS);
	take_turns(p, k, USE, ROUNDS);
	take_turns(p, k, SHUT, ROUNDS);
	printf("%9s %8s", "", "bytes");
	for (int e = 0; e < EVENTS; e++)
		printf(" %7s ns", names[e]);
	putchar('\n');
	for (unsigned i = 0; i < k; i++) {
		finish(&p[i]);
		printf("%9u %8.0f", n[i], p[i].r.bytes);
		for (int e = 0; e < EVENTS; e++)
			printf(" %10.0f", p[i].r.ns[e]);
		putchar('\n');
		if (i)
			is_good &= print_ratios(&p[i].r, &p[0].r, memory, cost);
	}
	return !is_good;
}
