/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine.c - puts an engine together and takes it apart.
 *
 *   engine.c        open, close          engine_wait.c   sleeping threads, who drives
 *   engine_drive.c  one turn, the lock   engine_loop.c   the libev thread
 *   engine_sock.c   the socket verbs     engine_host.c   the host's news
 *   engine_life.c   fork, exit, report   engine_claim.c  ports of a shared address
 *   engine_bridge.c sockets that other   engine_remote.c  their questions
 *                   processes have, too   engine_own.c     addresses likewise
 *   engine_dial.c   other processes'       engine_loopback.c  what stays inside
 *   engine_open.c   bind, connect, listen   engine_port.c    ports that other processes have, too
 *
 * engine_impl.h has the rules that they share; sys.h says how they enter the kernel.
 */
#include "engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "afpacket.h"
#include "engine_impl.h"
#include "host.h"
#include "lateclose.h"
#include "pcap.h"
#include "sys.h"

/* ---- settings ---- */

/* A line of /proc, without its end; false: it can't be read. */
static bool read_line(const char *path, char *buf, size_t len)
{
	int fd = raw_open(path, O_RDONLY | O_CLOEXEC, 0);
	ssize_t n;

	if (fd < 0)
		return false;
	n = sys_read(fd, buf, len - 1);
	raw_close(fd);
	if (n < 0)
		return false;
	buf[n] = 0;
	buf[strcspn(buf, "\n")] = 0;
	return true;
}

/* What the administrator says of ports holds for us too: the port numbers are shared. */
static void host_settings(struct settings *set)
{
	char buf[64];

	if (read_line("/proc/sys/net/ipv4/ip_unprivileged_port_start", buf, sizeof(buf)))
		settings_set(set, "ip_unprivileged_port_start", buf);
	if (read_line("/proc/sys/net/ipv4/ip_local_port_range", buf, sizeof(buf)))
		settings_set(set, "ip_local_port_range", buf);
}

static int given_settings(const struct engine_config *cfg, struct stack *s, char *err,
			  size_t err_len)
{
	const char *why;
	unsigned i;
	int r;

	for (i = 0; i < cfg->nsysctl; i++) {
		r = stack_set(s, cfg->sysctls[i].name, cfg->sysctls[i].value);
		why = settings_refusal(cfg->sysctls[i].name);
		if (r == -ENOENT)
			snprintf(err, err_len, "there is no setting %s%s%s", cfg->sysctls[i].name, why ? ": " : "",
				 why ? why : "");
		else if (r < 0)
			snprintf(err, err_len, "%s is not a value for %s", cfg->sysctls[i].value,
				 cfg->sysctls[i].name);
		if (r < 0)
			return -EINVAL;
	}
	return 0;
}

static int make_stack(struct engine *e, const struct engine_config *cfg, bool with_host, char *err,
		      size_t err_len)
{
	struct stack_config sc = { .congestion = cfg->congestion };

	settings_default(&sc.settings);
	settings_memory(&sc.settings, (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE));
	if (with_host)
		host_settings(&sc.settings);
	if (getrandom(sc.secret, sizeof(sc.secret), 0) != sizeof(sc.secret)) {
		snprintf(err, err_len, "no random numbers: %s", strerror(errno));
		return -EIO;
	}
	e->stack = stack_new(&sc, e->now);
	if (e->stack) {
		struct timespec wall;

		clock_gettime(CLOCK_REALTIME, &wall);
		stack_set_wall_clock(e->stack, wall.tv_sec * XTIME_SEC + wall.tv_nsec - e->now);
		return given_settings(cfg, e->stack, err, err_len);
	}
	snprintf(err, err_len, cfg->congestion ? "there is no congestion control %s" : "no memory",
		 cfg->congestion);
	return cfg->congestion ? -EINVAL : -ENOMEM;
}

/* ---- the engine itself ---- */

static struct engine *alloc_engine(const struct engine_config *cfg)
{
	struct engine *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	pthread_mutex_init(&e->lock, NULL);
	e->cfg = *cfg;
	e->cfg.pcap_path = e->cfg.congestion = e->cfg.control_dir = NULL;
	e->cfg.nsysctl = 0;
	e->now = engine_now();
	e->iface = e->lo = -1;
	e->pkt_ep = e->tfd = e->bridge_ep = e->remote = e->own_fd = e->hairpin = -1;
	e->tfd_at = XTIME_NEVER;
	e->claim_batch = 1;
	e->claims_max = engine_claims_max();
	e->pid = getpid();
	list_init(&e->threads);
	list_init(&e->spare);
	list_init(&e->bridges);
	list_init(&e->relays);
	e->listener_at = e->ended_until = XTIME_NEVER;
	engine_drop_held(e);
	e->tx = malloc(ENGINE_TX_BATCH * sizeof(*e->tx));
	if (e->tx)
		return e;
	free(e);
	return NULL;
}

/* Ours on the wire: locally administered, and the same whenever the address is. */
static void derive_mac(struct engine_config *cfg)
{
	static const uint8_t zero[6];
	ip4 a = cfg->addrs[0].addr;

	if (memcmp(cfg->mac, zero, sizeof(zero)))
		return;
	cfg->mac[0] = 0x02;
	cfg->mac[1] = 'x';
	cfg->mac[2] = (uint8_t)(a >> 24);
	cfg->mac[3] = (uint8_t)(a >> 16);
	cfg->mac[4] = (uint8_t)(a >> 8);
	cfg->mac[5] = (uint8_t)a;
}

static int add_own(struct engine *e)
{
	unsigned i;
	int r;

	for (i = 0; i < e->cfg.naddr; i++) {
		r = stack_add_addr(e->stack, e->iface, e->cfg.addrs[i].addr, e->cfg.addrs[i].plen, true,
				   e->now);
		if (r < 0 && r != -EEXIST)
			return r;
	}
	return 0;
}

/* The fds that the loop watches, and the loop.  From here on there are two threads. */
static int start(struct engine *e)
{
	int r;

	e->pkt_ep = sys_epoll();
	if (e->pkt_ep < 0)
		return e->pkt_ep;
	e->tfd = sys_timerfd();
	if (e->tfd < 0)
		return e->tfd;
	r = sys_epoll_ctl(e->pkt_ep, EPOLL_CTL_ADD, netif_fd(e->nif), EPOLLIN);
	if (r < 0)
		return r;
	e->is_armed = true;
	pthread_mutex_lock(&e->lock);
	r = engine_loop_start(e);
	if (!r) {
		engine_settle(e);
		engine_cover(e);
	}
	engine_unlock(e);
	return r;
}

/* With e->nif open: the rest.  On failure the caller closes what there is. */
static int build(struct engine *e, const struct engine_config *cfg, bool with_host, char *err,
		 size_t err_len)
{
	char list[4096];
	int r = make_stack(e, cfg, with_host, err, err_len);

	if (r < 0)
		return r;
	if (e->cfg.naddr && e->nif->info.link == NETIF_ETHER)
		derive_mac(&e->cfg);
	r = engine_link_sync(e);
	if (!r)
		r = engine_loopback_open(e);
	if (!r)
		r = add_own(e);
	if (!r && with_host) {
		r = engine_host_open(e, err, err_len);
		if (!r && read_line("/proc/sys/net/ipv4/ip_local_reserved_ports", list, sizeof(list)))
			r = engine_reserve_ports(e, list);
	}
	if (!r && cfg->control_dir)
		r = engine_control_open(e, cfg->control_dir, err, err_len);
	if (!r && with_host && e->cfg.naddr)
		r = engine_own_open(e);
	if (!r)
		r = start(e);
	if (r < 0 && !err[0])
		snprintf(err, err_len, "cannot start: %s", strerror(-r));
	return r;
}

/* Whatever build() got to; the netif included. */
static void destroy(struct engine *e)
{
	engine_loop_stop(e);
	engine_threads_leave(e);
	engine_bridges_forget(e);
	engine_locals_forget(e);
	engine_control_close(e);
	engine_slots_free(e);
	engine_share_close(e);
	engine_host_close(e);
	if (e->stack)
		stack_free(e->stack);
	netif_close(e->nif);
	if (e->pkt_ep >= 0)
		raw_close(e->pkt_ep);
	if (e->tfd >= 0)
		raw_close(e->tfd);
	if (e->own_fd >= 0)
		raw_close(e->own_fd);
	if (e->hairpin >= 0)
		lateclose(e->hairpin);
	engine_drop_held(e);
	engine_loopback_close(e);
	free(e->reserved);
	free(e->tx);
	pthread_mutex_destroy(&e->lock);
	free(e);
}

int engine_open_on(const struct engine_config *cfg, struct netif *nif, struct engine **out,
		   char *err, size_t err_len)
{
	struct engine *e = alloc_engine(cfg);
	int r;

	err[0] = 0;
	if (!e) {
		netif_close(nif);
		return -ENOMEM;
	}
	e->nif = e->base = nif;
	r = build(e, cfg, false, err, err_len);
	if (r < 0)
		destroy(e);
	else
		*out = e;
	return r;
}

/* ---- the interface ---- */

static int choose_link(const struct engine_config *cfg, struct host_link *l, char *err,
		       size_t err_len)
{
	char names[256];
	int r = cfg->interface[0] ? host_find_link(cfg->interface, l) : host_default_link(l);

	if (!r && !(l->flags & IFF_UP)) {
		snprintf(err, err_len, "interface %s is down; bring it up with: ip link set %s up", l->name,
			 l->name);
		return -ENETDOWN;
	}
	if (!r)
		return 0;
	host_link_names(names, sizeof(names));
	if (cfg->interface[0])
		snprintf(err, err_len, "there is no interface %s; there are: %s", cfg->interface, names);
	else if (r == -ENOTUNIQ)
		snprintf(err, err_len, "no default route says which interface to use; name one with "
			 "--interface: %s", names);
	else
		snprintf(err, err_len, "no interface is up but the loopback; there are: %s", names);
	return r;
}

static int open_netif(struct engine *e, const struct engine_config *cfg, char *err, size_t err_len)
{
	struct host_link l;
	struct netif *outer;
	int r = choose_link(cfg, &l, err, err_len);

	if (r < 0)
		return r;
	e->is_auto = !cfg->interface[0];
	r = afpacket_open(l.name, &e->base, err, err_len);
	if (r < 0)
		return r;
	e->nif = e->base;
	if (!cfg->pcap_path)
		return 0;
	r = pcap_netif_open(cfg->pcap_path, e->base, &outer, err, err_len);
	if (!r)
		e->nif = outer;
	return r;
}

int engine_open(const struct engine_config *cfg, struct engine **out, char *err, size_t err_len)
{
	struct engine *e = alloc_engine(cfg);
	int saved = errno, r;
	struct rlimit old;
	bool has_room;

	err[0] = 0;
	if (!e) {
		snprintf(err, err_len, "no memory");
		return -ENOMEM;
	}
	/* A dozen fds would be missed. */
	has_room = highfd_is_scarce() && highfd_begin(&old);
	r = open_netif(e, cfg, err, err_len);
	if (!r)
		r = build(e, cfg, true, err, err_len);
	if (has_room)
		highfd_end(&old);
	if (r < 0)
		destroy(e);
	else
		*out = e;
	errno = saved;
	return r;
}

void engine_close(struct engine *e)
{
	int saved = errno;

	destroy(e);
	errno = saved;
}
