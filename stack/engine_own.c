/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_own.c - an own address (--address) that several processes have at once.
 *
 * Parallel programs, a program and its children: each has an engine that gets every frame to the
 * address.  None may take a port that another has, reset what another serves, or answer ARP twice.  What they
 * agree by are record locks on the file of their network namespace, one byte a port:
 *
 *     offset = interface << 48 | address << 16 | port
 *
 * An open file description each (OFD locks): the locks of one process are a keeper's too, and the
 * kernel drops them with the last fd, kill -9 included.  The file is read-only, which allows
 * shared locks alone; so a byte is taken by locking it and then asking whether anybody else has. Two that do so at
 * once both see the other and both let go: one of them is lucky at another port.
 *
 * Ports are taken 64 at a time from the range that connect() chooses from, LEASE of these to begin with,
 * so that the choice stays hard to guess and few locks are made; others one by one.  Byte 0 is that of the
 * one who speaks for the address: ARP, echo, and resets from ports that nobody has.
 */
#include "engine_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <syslog.h>

#include "hairpin.h"
#include "lateclose.h"
#include "sys.h"
#include "wire.h"
#include "wire_tcp.h"

#define CHUNK 64u
#define IP_BYTES 20u            /* at least */
#define TCP_BYTES 20u
#define LEASE 64u               /* chunks: 4,096 ports, 12 bits */

/* ---- bytes ---- */

static off_t byte_of(const struct engine *e, ip4 addr, unsigned port)
{
	return (off_t)((uint64_t)((unsigned)e->nif->info.ifindex & 0x7fff) << 48 | (uint64_t)addr << 16 | port);
}

static short lock(const struct engine *e, int cmd, short type, ip4 addr, unsigned port, unsigned n)
{
	struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_start = byte_of(e, addr, port), .l_len = n };
	int r = raw_fcntl(e->own_fd, cmd, (long)&l);

	return (short)(r < 0 ? r : l.l_type);
}

static bool others_have(const struct engine *e, ip4 addr, unsigned port, unsigned n)
{
	short type = lock(e, F_OFD_GETLK, F_WRLCK, addr, port, n);

	return type >= 0 && type != F_UNLCK;
}

static bool take(const struct engine *e, ip4 addr, unsigned port, unsigned n)
{
	if (lock(e, F_OFD_SETLK, F_RDLCK, addr, port, n) < 0)
		return false;
	if (!others_have(e, addr, port, n))
		return true;
	lock(e, F_OFD_SETLK, F_UNLCK, addr, port, n);
	return false;
}

/* ---- claims ---- */

/* The chunk around port, as far as it is in the range: true when it is ours now. */
static bool take_chunk(struct engine *e, ip4 addr, unsigned port)
{
	const struct settings *set = stack_settings(e->stack);
	unsigned from = port & ~(CHUNK - 1), to = from + CHUNK - 1, p;

	from = MAX(from, (unsigned)set->ip_local_port_min);
	to = MIN(to, (unsigned)set->ip_local_port_max);
	if (from > port || to < port || !take(e, addr, from, to - from + 1))
		return false;
	for (p = from; p <= to; p++)
		stack_claimed(e->stack, addr, (uint16_t)p, true);
	return true;
}

/* Chunks anywhere in the range, so that the ports of this process can't be guessed. */
static void lease(struct engine *e, ip4 addr)
{
	const struct settings *set = stack_settings(e->stack);
	unsigned lo = (unsigned)set->ip_local_port_min, range = (unsigned)set->ip_local_port_max - lo + 1;
	uint16_t rnd[LEASE];
	unsigned i, port;

	if (getrandom(rnd, sizeof(rnd), 0) != sizeof(rnd))
		return;
	for (i = 0; i < LEASE && i < range / CHUNK / 4; i++) {
		port = lo + rnd[i] % range;
		if (!stack_is_claimed(e->stack, addr, (uint16_t)port))
			take_chunk(e, addr, port);
	}
}

/* With others, if they are of the same SO_REUSEPORT group. */
static bool claim_beside(struct engine *e, ip4 addr, uint16_t port)
{
	if (engine_share_join(e, port) || lock(e, F_OFD_SETLK, F_RDLCK, addr, port, 1) < 0)
		return false;
	if (!others_have(e, addr, port, 1) || !engine_share_is_alone(e, port))
		return true;
	lock(e, F_OFD_SETLK, F_UNLCK, addr, port, 1);
	return false;
}

static bool claim_one(struct engine *e, ip4 addr, uint16_t port)
{
	if (stack_is_claimed(e->stack, addr, port))
		return true;
	return take_chunk(e, addr, port) || take(e, addr, port, 1);
}

/* addr 0: of every address, or of none. */
int engine_own_claim(struct engine *e, ip4 addr, uint16_t port, unsigned how)
{
	bool granted = true;
	unsigned i;

	for (i = 0; i < e->cfg.naddr && granted; i++) {
		ip4 a = e->cfg.addrs[i].addr;

		if (addr && addr != a)
			continue;
		granted = how & CLAIM_SHARING ? claim_beside(e, a, port) : claim_one(e, a, port);
	}
	e->was_refused |= !granted;
	stack_claimed(e->stack, addr, port, granted);
	if (!granted)
		engine_own_unclaim(e, port);   /* what it was granted on some */
	return 0;
}

void engine_own_unclaim(struct engine *e, uint16_t port)
{
	unsigned i;

	for (i = 0; i < e->cfg.naddr; i++) {
		ip4 a = e->cfg.addrs[i].addr;

		if (stack_is_held(e->stack, a, port))
			continue;
		lock(e, F_OFD_SETLK, F_UNLCK, a, port, 1);
		stack_unclaimed(e->stack, a, port);
	}
	if (!stack_is_held(e->stack, 0, port))
		stack_unclaimed(e->stack, 0, port);
}

/* Which of cfg.addrs it is; naddr: none. */
static unsigned find_addr(const struct engine *e, ip4 addr)
{
	unsigned i;

	for (i = 0; i < e->cfg.naddr && e->cfg.addrs[i].addr != addr; i++)
		;
	return i;
}

bool engine_own_has(const struct engine *e, ip4 addr)
{
	return find_addr(e, addr) < e->cfg.naddr;
}

/* ---- who answers ---- */

static bool speaks_for(struct engine *e, ip4 addr)
{
	unsigned i = find_addr(e, addr);

	if (i == e->cfg.naddr)
		return true;
	if (!e->speaks[i])
		e->speaks[i] = take(e, addr, 0, 1);
	return e->speaks[i];
}

/* A reset from a port that isn't ours is an answer for the address, or somebody else's matter. */
static bool permits_reset(struct engine *e, ip4 from, uint16_t port)
{
	if (stack_is_claimed(e->stack, from, port))
		return true;
	return speaks_for(e, from) && !others_have(e, from, port, 1);
}

/* Of frames without payload alone: no answer has one, but an echo. */
static bool permits_ip(struct engine *e, const uint8_t *p, size_t len)
{
	size_t l4 = (p[0] & 15u) * 4u;
	ip4 from = get_be32(p + 12);

	if (p[9] == PROTO_ICMP)
		return speaks_for(e, from);
	if (p[9] != PROTO_TCP || len < l4 + TCP_BYTES || !(p[l4 + 13] & TCPF_RST))
		return true;
	return permits_reset(e, from, get_be16(p + l4));
}

/* Of ARP only answers: a question is asked by whoever needs it. */
static bool permits_arp(struct engine *e, const uint8_t *p, size_t len)
{
	struct arp_pkt a;

	return arp_parse(p, len, &a) || a.op != ARP_REPLY || speaks_for(e, a.sender_ip);
}

bool engine_own_permits(struct engine *e, const struct frame_out *f)
{
	const size_t link = e->nif->info.link == NETIF_ETHER ? ETH_LEN : 0;
	uint16_t type = ETHTYPE_IPV4;

	if (e->own_fd < 0 || f->hdr_len < link + IP_BYTES)
		return true;
	if (link)
		type = get_be16(f->hdr + 12);
	if (type == ETHTYPE_IPV4)
		return permits_ip(e, f->hdr + link, f->hdr_len - link);
	return type != ETHTYPE_ARPV4 || permits_arp(e, f->hdr + link, f->hdr_len - link);
}

/* ---- the host itself ---- */

static int open_hairpin(struct engine *e)
{
	ip4 addrs[ENGINE_ADDRS_MAX];
	unsigned i;

	for (i = 0; i < e->cfg.naddr; i++)
		addrs[i] = e->cfg.addrs[i].addr;
	return hairpin_open(e->nif->info.ifindex, e->cfg.mac, e->nif->info.mac, addrs, e->cfg.naddr);
}

/* What leaves for an address of ours is for others who have it (ip_route()), under the MAC that is theirs, too. */
static void know_own(struct engine *e)
{
	unsigned i;

	for (i = 0; i < e->cfg.naddr; i++)
		stack_seed_neigh(e->stack, e->iface, e->cfg.addrs[i].addr, e->cfg.mac, true, e->now);
}

/* One with the interface's own MAC has no frames of its own to be turned round. */
static void renew_hairpin(struct engine *e)
{
	const struct netif_info *info = &e->nif->info;

	memcpy(e->hairpin_mac, info->mac, 6);
	if (e->hairpin >= 0)
		lateclose(e->hairpin);
	e->hairpin = memcmp(info->mac, e->cfg.mac, 6) ? open_hairpin(e) : -EINVAL;
	if (e->hairpin < 0)
		engine_log(e, LOG_INFO, "an own address isn't reached from its own host here: that takes Linux 6.6, "
			   "CAP_NET_ADMIN, CAP_BPF and a MAC of its own (%s)", strerror(-e->hairpin));
	engine_link_sync(e);
	if (e->hairpin >= 0)
		know_own(e);
}

/* A client needs none where no server has one. */
void engine_own_meet(struct engine *e, bool is_needed)
{
	if (e->own_fd < 0 || e->has_met || e->nif->info.link != NETIF_ETHER)
		return;
	if (!is_needed && hairpin_count(e->nif->info.ifindex) <= 0)
		return;
	e->has_met = true;
	renew_hairpin(e);
	e->now = engine_now();
}

void engine_use_caps(struct engine *e)
{
	engine_own_meet(e, true);
}

void engine_own_update(struct engine *e)
{
	if (!e->has_met)
		return;
	if (memcmp(e->nif->info.mac, e->hairpin_mac, 6))
		renew_hairpin(e);
	else if (e->hairpin >= 0)
		know_own(e);
}

/* ---- opening ---- */

int engine_own_open(struct engine *e)
{
	unsigned i;
	int r = 0;

	e->own_fd = highfd_raise(raw_open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC, 0));
	if (e->own_fd < 0) {
		engine_log(e, LOG_WARNING, "/proc/self/ns/net can't be opened: another process with the same "
			   "--address would disturb this one");
		return 0;
	}
	for (i = 0; i < e->cfg.naddr && !r; i++) {
		r = stack_need_claims(e->stack, e->cfg.addrs[i].addr);
		if (!r)
			lease(e, e->cfg.addrs[i].addr);
		speaks_for(e, e->cfg.addrs[i].addr);
	}
	return r;
}
