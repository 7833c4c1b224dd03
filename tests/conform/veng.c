/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * veng.c - see veng.h.
 *
 * Linked in the place of the engine's files but engine_sock.c, whose handles and verbs are
 * the library's own.
 */
#include "conform/veng.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine_impl.h"
#include "snmp.h"
#include "sys.h"
#include "wire_tcp.h"

#define START (1000 * XTIME_SEC)     /* of the virtual clock */
#define TURNS_MAX 1000000            /* without time passing: a timer that is always due */

struct veng_config veng_config;

static xtime now = START;
static struct engine the;
static const struct netif_ops no_ops;
static struct netif no_netif = { .ops = &no_ops };   /* frames come by veng_input() alone */
static bool is_open;
static struct veng_frame *frames, **frames_end = &frames;

/* The other thread, and who has the turn. */
enum turn { TURN_MAIN, TURN_CALL };
static struct {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool is_there;
	enum turn turn;
	void (*fn)(void *);      /* NULL: idle */
	void *arg;
	/* asleep in engine_wait() */
	bool is_asleep;
	const struct engine_news *news;
	struct engine_watch *w;
	unsigned nw, nextra;
	struct pollfd *extra;
	xtime deadline;
} call = { .lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER };

xtime veng_now(void)
{
	return now - START;
}

xtime engine_now(void)
{
	return now;
}

struct settings *veng_settings(void)
{
	return is_open ? stack_settings(the.stack) : &veng_config.settings;
}

bool veng_set_congestion(const char *name)
{
	if (is_open)
		return false;
	snprintf(veng_config.congestion, sizeof(veng_config.congestion), "%s", name);
	return true;
}

int64_t veng_counter(const char *name)
{
	for (size_t i = 0; i < snmp_nrows; i++) {
		size_t n = strlen(snmp_rows[i].group);

		if (!strncmp(name, snmp_rows[i].group, n) && !strcmp(name + n, snmp_rows[i].name))
			return is_open ? snmp_value(the.stack, &snmp_rows[i]) : 0;
	}
	return -1;
}

/* ---- frames ---- */

/* Checksums, partial ones too, and the lengths of all headers. */
static void check_frame(const struct frame_out *f, const uint8_t *p, size_t len)
{
	struct ip_hdr ip;
	struct tcp_hdr th;
	uint16_t partial;

	if (ip_parse(p, len, &ip) != CTR_NONE || ip.total_len != len)
		veng_config.broken("an IP header that is wrong");
	if (ip.proto != PROTO_TCP)
		return;
	p += ip.hdr_len;
	len -= ip.hdr_len;
	if (tcp_parse(p, len, &th) != CTR_NONE)
		veng_config.broken("a TCP header that is wrong");
	if (!(f->vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)) {
		if (!tcp_csum_ok(ip.src, ip.dst, p, len))
			veng_config.broken("a wrong TCP checksum");
		return;
	}
	partial = (uint16_t)~csum_fold(csum_pseudo(ip.src, ip.dst, PROTO_TCP, len));
	if (get_be16(p + 16) != partial || f->vnet.csum_start != ip.hdr_len || f->vnet.csum_offset != 16)
		veng_config.broken("a wrong partial TCP checksum");
}

static void capture(const struct frame_out *f)
{
	struct veng_frame *k = malloc(sizeof(*k) + f->hdr_len + f->payload_len);
	size_t len = f->hdr_len;
	int i;

	if (!k)
		abort();
	k->next = NULL;
	k->at = veng_now();
	memcpy(k->bytes, f->hdr, f->hdr_len);
	for (i = 0; i < f->payload_cnt; i++) {
		memcpy(k->bytes + len, f->payload[i].iov_base, f->payload[i].iov_len);
		len += f->payload[i].iov_len;
	}
	k->len = len;
	check_frame(f, k->bytes, k->len);
	*frames_end = k;
	frames_end = &k->next;
}

struct veng_frame *veng_take(void)
{
	struct veng_frame *k = frames;

	if (!k)
		return NULL;
	frames = k->next;
	if (!frames)
		frames_end = &frames;
	return k;
}

void veng_input(const uint8_t *p, size_t len, uint16_t gso_size)
{
	struct frame_in f = { .len = len };
	uint8_t *copy = malloc(len);     /* of the exact size, so that reading beyond it is found */

	if (!copy)
		abort();
	memcpy(copy, p, len);
	f.data = copy;
	if (gso_size) {
		f.vnet.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		f.vnet.gso_size = gso_size;
		f.vnet.flags = VIRTIO_NET_HDR_F_DATA_VALID;
	}
	if (is_open) {
		the.now = now;
		stack_input(the.stack, the.iface, &f, now);
		engine_settle(&the);
	}
	free(copy);
}

/* ---- what engine_sock.c needs of the engine ---- */

void engine_enter(struct engine *e)
{
	e->saved_errno = errno;
	e->now = now;
}

void engine_exit(struct engine *e)
{
	errno = e->saved_errno;
}

void engine_leave(struct engine *e)
{
	engine_settle(e);
	engine_exit(e);
}

/* Scripts say what is sent when, and have no next call to wait for. */
void engine_leave_owing(struct engine *e)
{
	engine_leave(e);
}

void engine_tell(struct engine *e, struct slot *slot)
{
	engine_reflect(e, slot);
}

void engine_pump(struct engine *e)
{
	struct frame_out f;

	while (stack_output(e->stack, &f, now))
		capture(&f);
}

void engine_settle(struct engine *e)
{
	struct tcp_conn *c;
	struct slot *slot;

	engine_pump(e);
	while ((c = stack_next_event(e->stack))) {
		slot = tcp_user(c);
		if (slot)
			engine_tell(e, slot);
	}
}

bool engine_bridge_drop_ended(struct engine *e)
{
	(void)e;
	return false;
}

bool engine_bridge_look(struct engine *e)
{
	(void)e;
	return false;
}

unsigned engine_receive(struct engine *e, unsigned rounds)
{
	(void)rounds;
	e->looked = now;
	return 0;
}

void engine_expire(struct engine *e)
{
	if (stack_deadline(e->stack) <= now)
		stack_expire(e->stack, now);
}

void engine_disarm(struct engine *e)
{
	e->is_armed = false;
}

void engine_wake(struct thread *t)
{
	(void)t;
}

/* All addresses are our own: nothing is ever claimed. */
int engine_loopback_bind(struct engine *e, ip4 a)
{
	(void)e;
	(void)a;
	return 0;
}

int engine_claim(struct engine *e, ip4 addr, uint16_t port, unsigned how)
{
	(void)e;
	(void)addr;
	(void)port;
	(void)how;
	return -EADDRNOTAVAIL;
}

/* Nobody else is there. */
bool engine_own_has(const struct engine *e, ip4 addr)
{
	(void)e;
	(void)addr;
	return false;
}

void engine_own_meet(struct engine *e, bool is_needed)
{
	(void)e;
	(void)is_needed;
}

int engine_share_listen(struct engine *e, ip4 addr, uint16_t port)
{
	(void)e;
	(void)addr;
	(void)port;
	return 0;
}

bool engine_share_has(struct engine *e, uint16_t port)
{
	(void)e;
	(void)port;
	return false;
}

int engine_bridge_prepare(struct engine *e)
{
	(void)e;
	return -EOPNOTSUPP;
}

bool engine_port_asks(struct engine *e, const struct slot *slot, enum port_want want, const struct sockaddr_in *a,
		      struct port_question *q)
{
	(void)e;
	(void)slot;
	(void)want;
	(void)a;
	(void)q;
	return false;
}

int engine_port_may(struct engine *e, const struct port_question *q)
{
	(void)e;
	(void)q;
	return 0;
}

int engine_port_take(struct engine *e, const struct port_question *q)
{
	return engine_port_may(e, q);
}

void engine_share_update(struct engine *e)
{
	(void)e;
}

int engine_claim_to_connect(struct engine *e, ip4 addr, uint16_t port, bool *has_room)
{
	(void)has_room;
	return engine_claim(e, addr, port, CLAIM_ALONE);
}

bool engine_claim_retry(struct engine *e)
{
	(void)e;
	return false;
}

/* ---- the kernel's part of listeners: there is none ---- */

bool engine_local_has_client(const struct slot *slot)
{
	(void)slot;
	return false;
}

void engine_local_close(struct engine *e, struct slot *slot)
{
	(void)e;
	(void)slot;
}

void engine_local_update(struct engine *e, struct slot *slot)
{
	(void)e;
	(void)slot;
}

void engine_local_setopt(const struct slot *slot, int level, int name, const void *val, socklen_t len)
{
	(void)slot;
	(void)level;
	(void)name;
	(void)val;
	(void)len;
}

/* ---- waiting ---- */

static int count_ready(const struct engine_news *news, struct engine_watch *w, unsigned nw, struct pollfd *extra,
		       unsigned nextra)
{
	struct timespec none = { 0, 0 };
	int n = nextra ? sys_ppoll(extra, nextra, &none, NULL) : 0;

	n += news && news->has_come(news->user);

	for (unsigned i = 0; i < nw; i++) {
		struct slot *slot = engine_slot(&the, w[i].s);

		w[i].revents = slot ? engine_ready(slot, w[i].events, w[i].at_least) : POLLNVAL;
		n += w[i].revents != 0;
	}
	return n;
}

static void give_turn(enum turn to)
{
	enum turn mine = to == TURN_MAIN ? TURN_CALL : TURN_MAIN;

	pthread_mutex_lock(&call.lock);
	call.turn = to;
	pthread_cond_broadcast(&call.cond);
	while (call.turn != mine)
		pthread_cond_wait(&call.cond, &call.lock);
	pthread_mutex_unlock(&call.lock);
}

static bool is_call_thread(void)
{
	return call.is_there && pthread_equal(call.thread, pthread_self());
}

/* In the main thread nobody else can bring what it waits for but a timer. */
static void sleep_in_main(xtime deadline)
{
	xtime next = xtime_min(stack_deadline(the.stack), deadline);

	if (next == XTIME_NEVER)
		veng_config.stuck();
	now = MAX(now, next);
	the.now = now;
	engine_expire(&the);
	engine_settle(&the);
}

/* Whoever sleeps looks after each turn. */
void engine_news_come(const struct engine_news *news)
{
	(void)news;
}

void engine_inform(struct engine *e, void (*fn)(void *user), void *user)
{
	(void)e;
	fn(user);
}

int engine_wait(struct engine *e, struct engine_watch *w, unsigned nw, struct pollfd *extra, unsigned nextra,
		xtime deadline, const sigset_t *mask)
{
	return engine_wait_news(e, NULL, w, nw, extra, nextra, deadline, mask);
}

int engine_wait_news(struct engine *e, struct engine_news *news, struct engine_watch *w, unsigned nw,
		     struct pollfd *extra, unsigned nextra, xtime deadline, const sigset_t *mask)
{
	int n;

	(void)mask;
	engine_settle(e);
	while (!(n = count_ready(news, w, nw, extra, nextra)) && deadline > now) {
		if (!is_call_thread()) {
			sleep_in_main(deadline);
			continue;
		}
		call.news = news;
		call.w = w;
		call.nw = nw;
		call.extra = extra;
		call.nextra = nextra;
		call.deadline = deadline;
		call.is_asleep = true;
		give_turn(TURN_MAIN);
		call.is_asleep = false;
	}
	return n;
}

static void *call_thread(void *arg)
{
	pthread_mutex_lock(&call.lock);
	while (call.turn != TURN_CALL)
		pthread_cond_wait(&call.cond, &call.lock);
	pthread_mutex_unlock(&call.lock);
	for (;;) {
		call.fn(call.arg);
		call.fn = NULL;
		give_turn(TURN_MAIN);
	}
	return arg;
}

bool veng_start(void (*fn)(void *), void *arg)
{
	if (!call.is_there && pthread_create(&call.thread, NULL, call_thread, NULL))
		abort();
	call.is_there = true;
	call.fn = fn;
	call.arg = arg;
	give_turn(TURN_CALL);
	return !call.fn;
}

bool veng_is_busy(void)
{
	return call.fn != NULL;
}

/* ---- the clock ---- */

static bool wake_sleeper(void)
{
	if (!call.fn || !call.is_asleep)
		return false;
	if (call.deadline > now && !count_ready(call.news, call.w, call.nw, call.extra, call.nextra))
		return false;
	give_turn(TURN_CALL);
	return true;
}

bool veng_run(xtime until, bool to_frame)
{
	xtime next, end = until == XTIME_NEVER ? until : START + until;
	unsigned turns = 0;

	for (;;) {
		if (wake_sleeper())
			continue;
		if (to_frame && frames)
			return true;
		next = is_open ? stack_deadline(the.stack) : XTIME_NEVER;
		if (call.fn && call.is_asleep)
			next = xtime_min(next, call.deadline);
		if (next > end || next == XTIME_NEVER)
			break;
		turns = next > now ? 0 : turns + 1;
		if (turns > TURNS_MAX)
			veng_config.broken("a timer that is always due");
		now = MAX(now, next);
		if (is_open) {
			the.now = now;
			engine_expire(&the);
			engine_settle(&the);
		}
	}
	if (end == XTIME_NEVER)
		return false;
	now = MAX(now, end);
	return true;
}

/* ---- life ---- */

int engine_open(const struct engine_config *cfg, struct engine **e, char *err, size_t err_len)
{
	struct stack_config sc = { .settings = veng_config.settings, .secret = { 1, 2, 3 } };
	struct stack_iface i = { .is_up = true, .mtu = veng_config.mtu, .oif = 1, .name = "tun0",
				 .can_offload = veng_config.can_offload, .gso_max = 65535 };
	struct route def = { .gateway = VENG_GATEWAY };

	if (veng_config.congestion[0])
		sc.congestion = veng_config.congestion;
	memset(&the, 0, sizeof(the));
	the.cfg = *cfg;
	the.nif = &no_netif;
	the.now = now;
	the.stack = stack_new(&sc, now);
	if (!the.stack) {
		snprintf(err, err_len, "no stack with congestion control %s", veng_config.congestion);
		return -EINVAL;
	}
	the.iface = stack_add_iface(the.stack, &i);
	if (stack_add_addr(the.stack, the.iface, veng_config.local, 16, true, now) ||
	    stack_add_route(the.stack, &def)) {
		snprintf(err, err_len, "no address or no route");
		return -EINVAL;
	}
	is_open = true;
	*e = &the;
	return 0;
}

void engine_close(struct engine *e)
{
	engine_slots_free(e);
	stack_free(e->stack);
	is_open = false;
}
