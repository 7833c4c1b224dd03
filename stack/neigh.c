/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * neigh.c - neighbour states as in Linux's net/core/neighbour.c and ipv4/arp.c.
 *
 *     first use                    answer to us             host's table
 *   NONE ------> INCOMPLETE ---------------> REACHABLE       PERMANENT
 *                 |    ^  \                    |  ^  ^
 *      no answer  |    |   \ request of its,   |  |  | confirmed
 *   mcast_solicit |    |    \ broadcast answer |  |  | meanwhile
 *       times     v    |     \                 |  |  |
 *              FAILED -'      \    reachable   |  |  |
 *                 ^   use      v   time over   v  |  |
 *                 |          STALE <-----------'  |  |
 *                 |            | use              |  |
 *                 |            v                  |  |
 *                 |          DELAY ---------------+--'
 *                 |            | delay_first_probe time over
 *                 |            v                  |
 *                 `--------- PROBE ---------------'
 *                ucast_solicit     answer to us
 *                    times
 *
 * From REACHABLE to PROBE the address is used.  REACHABLE goes to DELAY rather than to
 * STALE when it was used lately.  Only neigh_update() and the timer change a state.
 *
 * An entry with waiters or waiting packets is never freed.  What comes in is in arp.c.
 */
#include "neigh.h"

#include <errno.h>
#include <stdlib.h>

#include "ctlq.h"
#include "stack_impl.h"

#define NEIGH_HASH_SIZE 256u
#define NEIGH_GC_INTERVAL (5 * XTIME_SEC)
#define NEIGH_SKB 256u           /* what an skb counts beside its buffer, a power of two */
#define NEIGH_SKB_ROOM 384u      /* of it that isn't the packet's */
#define IP_SRC_OFF 12            /* RFC 791 3.1 */
#define NEIGH_QUEUE_BYTES (1u << 20)

struct neigh_packet {
	struct neigh_packet *next;
	size_t len;
	uint8_t bytes[];
};

static const uint8_t mac_broadcast[MAC_LEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

static bool is_valid(const struct neigh *n)
{
	return n->state == NEIGH_PERMANENT ||
	       (n->state >= NEIGH_REACHABLE && n->state <= NEIGH_PROBE);
}

static bool is_connected(enum neigh_state state)
{
	return state == NEIGH_PERMANENT || state == NEIGH_REACHABLE;
}

/* ---- frames ---- */

static void send_frame(struct stack *s, int iface, const uint8_t *dst_mac, uint16_t type,
                       const uint8_t *bytes, size_t len)
{
	const struct stack_iface *ifc = &s->ifaces[iface];
	size_t link = ifc->has_link ? ETH_LEN : 0;
	uint8_t *p = ctlq_push(s->ctlq, iface, link + len);
	struct eth_hdr eth = { .type = type };

	if (!p) {
		count(s, CTR_ip_out_full);
		return;
	}
	if (link) {
		memcpy(eth.dst, dst_mac, MAC_LEN);
		memcpy(eth.src, ifc->mac, MAC_LEN);
		eth_emit(p, &eth);
	}
	memcpy(p + link, bytes, len);
}

void neigh_send_arp(struct stack *s, int iface, const uint8_t *dst_mac, const struct arp_pkt *a)
{
	uint8_t bytes[ARP_LEN];

	arp_emit(bytes, a);
	send_frame(s, iface, dst_mac, ETHTYPE_ARPV4, bytes, sizeof(bytes));
	count(s, a->op == ARP_REQUEST ? CTR_arp_request_out : CTR_arp_reply_out);
}

/* arp_announce: the address of the packet that waits, if it is ours; only if it is of the target's subnet;
 * never. */
static ip4 sender_addr(const struct stack *s, const struct neigh *n)
{
	if (n->state == NEIGH_INCOMPLETE && n->src && s->set.arp_announce < 2)
		for (uint32_t i = 0; i < s->naddr; i++) {
			const struct local_addr *la = &s->addrs[i];

			if (la->addr == n->src &&
			    (!s->set.arp_announce || !((la->addr ^ n->ip) & plen_mask(la->plen))))
				return n->src;
		}
	return ip_select_addr(s, n->iface, n->ip);
}

/* arp_solicit(): asks the one that we know, then a program that isn't there (app_solicit), then
 * everybody. */
static void solicit(struct stack *s, struct neigh *n)
{
	struct arp_pkt a = {
		.op = ARP_REQUEST,
		.sender_ip = sender_addr(s, n),
		.target_ip = n->ip,
	};

	int probes = n->probes++ - s->set.neigh_ucast_solicit;

	memcpy(a.sender_mac, s->ifaces[n->iface].mac, MAC_LEN);
	if (probes < 0 || probes >= s->set.neigh_app_solicit)
		neigh_send_arp(s, n->iface, probes < 0 ? n->mac : mac_broadcast, &a);
}

/* ---- packets that wait ---- */

/* skb->truesize, which the queue's bound is about */
static uint32_t truesize(size_t len)
{
	uint32_t buf = 512;

	while (buf < len + NEIGH_SKB_ROOM)
		buf *= 2;
	return buf + NEIGH_SKB;
}

static struct neigh_packet *dequeue(struct stack *s, struct neigh *n)
{
	struct neigh_packet *pkt = n->queue;

	if (pkt) {
		n->queue = pkt->next;
		n->queue_bytes -= truesize(pkt->len);
		s->neighs.queued -= (uint32_t)pkt->len;
	}
	return pkt;
}

static void flush_queue(struct stack *s, struct neigh *n)
{
	struct neigh_packet *pkt;

	while ((pkt = dequeue(s, n))) {
		send_frame(s, n->iface, n->mac, ETHTYPE_IPV4, pkt->bytes, pkt->len);
		free(pkt);
	}
}

static void drop_queue(struct stack *s, struct neigh *n, enum counter why)
{
	struct neigh_packet *pkt;

	while ((pkt = dequeue(s, n))) {
		count(s, why);
		free(pkt);
	}
}

/* A full queue loses its oldest packets; one may wait in any case (__neigh_event_send()). */
static void enqueue(struct stack *s, struct neigh *n, const uint8_t *bytes, size_t len)
{
	struct neigh_packet *pkt, **end;

	pkt = malloc(sizeof(*pkt) + len);
	if (!pkt) {
		count(s, CTR_neigh_queue_full);
		return;
	}
	while (n->queue && (n->queue_bytes + truesize(len) > (uint32_t)s->set.neigh_unres_qlen_bytes ||
	                    s->neighs.queued + len > NEIGH_QUEUE_BYTES)) {
		free(dequeue(s, n));
		count(s, CTR_neigh_queue_full);
	}
	pkt->next = NULL;
	pkt->len = len;
	memcpy(pkt->bytes, bytes, len);
	for (end = &n->queue; *end; end = &(*end)->next)
		;
	*end = pkt;
	n->queue_bytes += truesize(len);
	s->neighs.queued += (uint32_t)len;
}

/* ---- the table ---- */

int neigh_init(struct neigh_table *nt)
{
	memset(nt, 0, sizeof(*nt));
	nt->hash = calloc(NEIGH_HASH_SIZE, sizeof(*nt->hash));
	if (!nt->hash)
		return -ENOMEM;
	nt->size = NEIGH_HASH_SIZE;
	return 0;
}

/* Looked up for every frame: a keyed multiplication, as arp_hashfn(). */
static struct neigh **chain_of(struct stack *s, int iface, ip4 ip)
{
	uint32_t key = ip ^ (uint32_t)iface;

	key *= (uint32_t)s->key_ip.k[0] | 1;
	return &s->neighs.hash[(key >> 16 ^ key >> 24) & (NEIGH_HASH_SIZE - 1)];
}

struct neigh *neigh_find(struct stack *s, int iface, ip4 ip)
{
	struct neigh *n = *chain_of(s, iface, ip);

	while (n && (n->ip != ip || n->iface != iface))
		n = n->next;
	return n;
}

static bool is_busy(const struct neigh *n)
{
	return !list_is_empty(&n->waiters) || n->queue || list_is_linked(&n->changed);
}

static void destroy(struct stack *s, struct neigh **at)
{
	struct neigh *n = *at;

	*at = n->next;
	s->neighs.n--;
	timer_cancel(&s->timers, &n->timer);
	free(n);
}

void neigh_fini(struct stack *s)
{
	for (uint32_t i = 0; s->neighs.hash && i < s->neighs.size; i++) {
		while (s->neighs.hash[i]) {
			drop_queue(s, s->neighs.hash[i], CTR_neigh_failed);
			destroy(s, &s->neighs.hash[i]);
		}
	}
	free(s->neighs.hash);
	memset(&s->neighs, 0, sizeof(s->neighs));
}

/* What nobody has used for gc_stale_time; when room is short (neigh_forced_gc()) what has
 * not been touched for some seconds. */
static bool is_collectable(const struct stack *s, const struct neigh *n, bool is_forced, xtime now)
{
	xtime age = is_forced ? NEIGH_GC_INTERVAL : s->set.neigh_gc_stale_s * XTIME_SEC;

	if (is_busy(n) || (n->state != NEIGH_STALE && n->state != NEIGH_FAILED))
		return false;
	return n->state == NEIGH_FAILED || (now - n->used > age && now - n->updated > age);
}

static void collect(struct stack *s, bool is_forced, uint32_t most, xtime now)
{
	for (uint32_t i = 0; i < s->neighs.size; i++) {
		struct neigh **at = &s->neighs.hash[i];

		while (*at && most) {
			if (is_collectable(s, *at, is_forced, now)) {
				destroy(s, at);
				most--;
			} else {
				at = &(*at)->next;
			}
		}
	}
}

/* Linux's thresholds: from the first on old entries are looked for now and then, from the second on
 * those of the last seconds alone are kept, the third is never passed. */
static bool make_room(struct stack *s, xtime now)
{
	struct neigh_table *nt = &s->neighs;

	uint32_t least = (uint32_t)s->set.neigh_gc_thresh1, soft = (uint32_t)s->set.neigh_gc_thresh2;
	uint32_t hard = (uint32_t)s->set.neigh_gc_thresh3;

	if (nt->n >= least && now - nt->last_gc > NEIGH_GC_INTERVAL) {
		nt->last_gc = now;
		collect(s, false, nt->n, now);
		if (nt->n >= soft)
			collect(s, true, nt->n - soft + 1, now);
	}
	if (nt->n >= hard)
		collect(s, true, nt->n, now);
	return nt->n < hard;
}

/* neigh_rand_reach_time(): 0.5 to 1.5 of the base, so that hosts don't probe in step
 * (RFC 4861 6.3.4). */
static xtime random_reachable(struct stack *s)
{
	uint32_t base_ms = (uint32_t)s->set.neigh_base_reachable_ms;

	return ((xtime)(base_ms / 2) + stack_random(s) % base_ms) * XTIME_MSEC;
}

struct neigh *neigh_create(struct stack *s, int iface, ip4 ip, xtime now)
{
	struct neigh **chain = chain_of(s, iface, ip), *n;

	if (!make_room(s, now) || !(n = calloc(1, sizeof(*n)))) {
		count(s, CTR_neigh_full);
		return NULL;
	}
	n->iface = iface;
	n->ip = ip;
	n->used = n->confirmed = n->updated = now;
	n->reachable_ns = random_reachable(s);
	timer_init(&n->timer, TIMER_NEIGH);
	list_init(&n->waiters);
	list_init(&n->changed);
	n->next = *chain;
	*chain = n;
	s->neighs.n++;
	return n;
}

/* ---- states ---- */

/* Tells the waiters, when stack.c gets to it. */
static void tell(struct stack *s, struct neigh *n)
{
	if (!list_is_empty(&n->waiters) && !list_is_linked(&n->changed))
		list_append(&s->neigh_changed, &n->changed);
}

static void fail(struct stack *s, struct neigh *n, xtime now)
{
	timer_cancel(&s->timers, &n->timer);
	n->state = NEIGH_FAILED;
	n->updated = now;
	drop_queue(s, n, CTR_neigh_failed);
	tell(s, n);
}

/* Without memory for its timer an entry would stay as it is for ever. */
static void arm(struct stack *s, struct neigh *n, xtime at, xtime now)
{
	if (timer_set(&s->timers, &n->timer, at) < 0)
		fail(s, n, now);
}

static void enter(struct stack *s, struct neigh *n, enum neigh_state state, xtime at, xtime now)
{
	n->state = (uint8_t)state;
	n->updated = now;
	arm(s, n, at, now);
}

static xtime retrans_time(const struct stack *s)
{
	return MAX(s->set.neigh_retrans_ms, 10) * XTIME_MSEC;
}

static xtime delay_time(const struct stack *s)
{
	return s->set.neigh_delay_first_probe_s * XTIME_SEC;
}

/* neigh_max_probes() */
static unsigned max_probes(const struct stack *s, const struct neigh *n)
{
	return (unsigned)(s->set.neigh_ucast_solicit + s->set.neigh_app_solicit +
	                  (n->state == NEIGH_PROBE ? s->set.neigh_mcast_resolicit : s->set.neigh_mcast_solicit));
}

static void start(struct stack *s, struct neigh *n, xtime now)
{
	n->probes = (uint16_t)s->set.neigh_ucast_solicit;   /* none of these: who would they go to */
	enter(s, n, NEIGH_INCOMPLETE, now + retrans_time(s), now);
	if (n->state == NEIGH_INCOMPLETE)
		solicit(s, n);
}

/* neigh_event_send(): the entry is about to be used. */
static void use(struct stack *s, struct neigh *n, xtime now)
{
	n->used = now;
	if (n->state == NEIGH_STALE)
		enter(s, n, NEIGH_DELAY, now + delay_time(s), now);
	else if ((n->state == NEIGH_NONE || n->state == NEIGH_FAILED) &&
	         s->set.neigh_mcast_solicit + s->set.neigh_app_solicit)
		start(s, n, now);
}

static void reachable_timer(struct stack *s, struct neigh *n, xtime now)
{
	if (now < n->confirmed + n->reachable_ns) {
		arm(s, n, n->confirmed + n->reachable_ns, now);
	} else if (now <= n->used + delay_time(s)) {
		enter(s, n, NEIGH_DELAY, now + delay_time(s), now);
	} else {
		n->state = NEIGH_STALE;
		n->updated = now;
	}
}

static void delay_timer(struct stack *s, struct neigh *n, xtime now)
{
	if (now <= n->confirmed + delay_time(s)) {
		n->reachable_ns = random_reachable(s);
		enter(s, n, NEIGH_REACHABLE, n->confirmed + n->reachable_ns, now);
	} else {
		n->state = NEIGH_PROBE;
		n->updated = now;
		n->probes = 0;
	}
}

void neigh_timer(struct stack *s, struct neigh *n, xtime now)
{
	if (n->state == NEIGH_REACHABLE)
		reachable_timer(s, n, now);
	else if (n->state == NEIGH_DELAY)
		delay_timer(s, n, now);
	if (n->state != NEIGH_INCOMPLETE && n->state != NEIGH_PROBE)
		return;
	if (n->probes >= max_probes(s, n)) {
		fail(s, n, now);
		return;
	}
	arm(s, n, now + retrans_time(s), now);
	if (n->state != NEIGH_FAILED)
		solicit(s, n);
}

static void change_state(struct stack *s, struct neigh *n, enum neigh_state state, xtime now)
{
	timer_cancel(&s->timers, &n->timer);
	n->state = (uint8_t)state;
	if (state == NEIGH_REACHABLE) {
		n->reachable_ns = random_reachable(s);
		arm(s, n, now + n->reachable_ns, now);
	}
}

/* neigh_update(): we heard of its link address; the new state is REACHABLE, STALE or
 * PERMANENT. */
void neigh_update(struct stack *s, struct neigh *n, const uint8_t mac[MAC_LEN],
                   enum neigh_state state, unsigned flags, xtime now)
{
	bool was_valid = is_valid(n);
	bool is_new_mac = !was_valid || memcmp(n->mac, mac, MAC_LEN) != 0;

	if (n->state == NEIGH_PERMANENT && !(flags & NEIGH_UPDATE_ADMIN))
		return;
	if (is_connected(state))
		n->confirmed = now;
	if (was_valid && is_new_mac && !(flags & NEIGH_UPDATE_OVERRIDE))
		return;
	/* Hearing what we know already is no reason to doubt it. */
	if (was_valid && !is_new_mac && state == NEIGH_STALE && n->state != NEIGH_PERMANENT)
		return;
	if (state != n->state || is_new_mac)
		n->updated = now;
	if (is_new_mac) {
		memcpy(n->mac, mac, MAC_LEN);
		if (!is_connected(state))
			n->confirmed = now - s->set.neigh_base_reachable_ms * (2 * XTIME_MSEC);
	}
	if (state != n->state)
		change_state(s, n, state, now);
	if (!was_valid && is_valid(n)) {
		flush_queue(s, n);
		tell(s, n);
	}
}

/* ---- for the layers above ---- */

int neigh_resolve(struct stack *s, int iface, ip4 ip, ip4 src, uint8_t mac[MAC_LEN], struct neigh **entry,
                  xtime now)
{
	struct neigh *n;

	if (!s->ifaces[iface].has_arp) {
		memcpy(mac, s->ifaces[iface].mac, MAC_LEN);
		return 0;
	}
	n = neigh_find(s, iface, ip);
	if (!n && !(n = neigh_create(s, iface, ip, now)))
		return -ENOBUFS;
	n->src = src;
	use(s, n, now);
	*entry = n;
	if (is_valid(n)) {
		memcpy(mac, n->mac, MAC_LEN);
		return 0;
	}
	return n->state == NEIGH_INCOMPLETE ? -EAGAIN : -EHOSTUNREACH;
}

void neigh_send(struct stack *s, int iface, ip4 next_hop, const uint8_t *pkt, size_t len, xtime now)
{
	uint8_t mac[MAC_LEN] = { 0 };
	struct neigh *n = NULL;
	int err = 0;

	if (s->ifaces[iface].has_link)
		err = neigh_resolve(s, iface, next_hop, get_be32(pkt + IP_SRC_OFF), mac, &n, now);
	if (err == 0)
		send_frame(s, iface, mac, ETHTYPE_IPV4, pkt, len);
	else if (err == -EAGAIN)
		enqueue(s, n, pkt, len);
	else if (err != -ENOBUFS)
		count(s, CTR_neigh_failed);
}

void neigh_confirm(struct stack *s, int iface, ip4 ip, xtime now)
{
	struct neigh *n = neigh_find(s, iface, ip);

	if (n && is_valid(n))
		n->confirmed = now;
}

int neigh_seed(struct stack *s, int iface, ip4 ip, const uint8_t *mac, bool permanent, xtime now)
{
	struct neigh *n = neigh_find(s, iface, ip);

	if (!mac) {
		struct neigh **at = chain_of(s, iface, ip);

		if (!n)
			return -ENOENT;
		while (*at != n)
			at = &(*at)->next;
		if (!is_busy(n) && n->state != NEIGH_REACHABLE && n->state != NEIGH_DELAY &&
		    n->state != NEIGH_PROBE)
			destroy(s, at);
		return 0;
	}
	if (!n && !(n = neigh_create(s, iface, ip, now)))
		return -ENOBUFS;
	neigh_update(s, n, mac, permanent ? NEIGH_PERMANENT : NEIGH_STALE, NEIGH_UPDATE_OVERRIDE | NEIGH_UPDATE_ADMIN,
	       now);
	return 0;
}

void neigh_flush(struct stack *s, int iface, xtime now)
{
	for (uint32_t i = 0; i < s->neighs.size; i++) {
		struct neigh **at = &s->neighs.hash[i];

		while (*at) {
			struct neigh *n = *at;

			if ((iface < 0 || n->iface == iface) && !is_busy(n)) {
				destroy(s, at);
				continue;
			}
			if (iface < 0 || n->iface == iface)
				start(s, n, now);
			at = &n->next;
		}
	}
}
