/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * settings.c - settings by name.
 *
 * The table is settings.def; here is what Linux names differently: sysctls of
 * several numbers, and those that live in a subdirectory.  A value is checked
 * whole before anything changes, as proc_dointvec_minmax() does, and so are the
 * rules that tie two settings together (ipv4_local_port_range() and
 * ipv4_privileged_ports() of Linux).
 */
#include "settings.h"

#include <errno.h>
#include <string.h>

struct setting {
	const char *name;
	size_t off;
	int32_t def, lo, hi;
};

static const struct setting table[] = {
#define SETTING(name, def, lo, hi) { #name, offsetof(struct settings, name), def, lo, hi },
#include "settings.def"
#undef SETTING
};


#define SKB_TRUESIZE_FRAME 2104   /* what a full frame counts in the queue of a neighbour (unres_qlen) */

/* A Linux name whose values are settings of other names here. */
static const struct alias {
	const char *name, *ours[SETTINGS_VALUES_MAX];
	int32_t unit;      /* of ours in one of Linux's */
} aliases[] = {
	{ "ipv4.tcp_mem", { "tcp_mem_low", "tcp_mem_pressure", "tcp_mem_high" }, 1 },
	{ "ipv4.tcp_rmem", { "tcp_rmem_min", "tcp_rmem_default", "tcp_rmem_max" }, 1 },
	{ "ipv4.tcp_wmem", { "tcp_wmem_min", "tcp_wmem_default", "tcp_wmem_max" }, 1 },
	{ "ipv4.ip_local_port_range", { "ip_local_port_min", "ip_local_port_max" }, 1 },
	{ "core.somaxconn", { "somaxconn" }, 1 },
	{ "core.rmem_max", { "rmem_max" }, 1 },
	{ "core.wmem_max", { "wmem_max" }, 1 },
	{ "ipv4.route.min_pmtu", { "min_pmtu" }, 1 },
	{ "ipv4.route.min_adv_mss", { "min_adv_mss" }, 1 },
	{ "ipv4.route.mtu_expires", { "mtu_expires" }, 1 },
	{ "ipv4.conf.all.accept_source_route", { "accept_source_route" }, 1 },
	{ "ipv4.conf.all.arp_ignore", { "arp_ignore" }, 1 },
	{ "ipv4.conf.all.arp_announce", { "arp_announce" }, 1 },
	{ "ipv4.conf.all.arp_accept", { "arp_accept" }, 1 },
	{ "ipv4.neigh.default.base_reachable_time", { "neigh_base_reachable_ms" }, 1000 },
	{ "ipv4.neigh.default.base_reachable_time_ms", { "neigh_base_reachable_ms" }, 1 },
	{ "ipv4.neigh.default.retrans_time", { "neigh_retrans_ms" }, 10 },
	{ "ipv4.neigh.default.retrans_time_ms", { "neigh_retrans_ms" }, 1 },
	{ "ipv4.neigh.default.delay_first_probe_time", { "neigh_delay_first_probe_s" }, 1 },
	{ "ipv4.neigh.default.ucast_solicit", { "neigh_ucast_solicit" }, 1 },
	{ "ipv4.neigh.default.mcast_solicit", { "neigh_mcast_solicit" }, 1 },
	{ "ipv4.neigh.default.gc_stale_time", { "neigh_gc_stale_s" }, 1 },
	{ "ipv4.neigh.default.mcast_resolicit", { "neigh_mcast_resolicit" }, 1 },
	{ "ipv4.neigh.default.app_solicit", { "neigh_app_solicit" }, 1 },
	{ "ipv4.neigh.default.unres_qlen", { "neigh_unres_qlen_bytes" }, SKB_TRUESIZE_FRAME },
	{ "ipv4.neigh.default.unres_qlen_bytes", { "neigh_unres_qlen_bytes" }, 1 },
	{ "ipv4.neigh.default.locktime", { "neigh_locktime" }, 1 },
	{ "ipv4.neigh.default.gc_thresh1", { "neigh_gc_thresh1" }, 1 },
	{ "ipv4.neigh.default.gc_thresh2", { "neigh_gc_thresh2" }, 1 },
	{ "ipv4.neigh.default.gc_thresh3", { "neigh_gc_thresh3" }, 1 },
};

static void store(struct settings *s, const struct setting *t, int32_t v)
{
	memcpy((char *)s + t->off, &v, sizeof(v));
}

void settings_default(struct settings *s)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		store(s, &table[i], table[i].def);
	s->has_fastopen_key = false;
	memset(s->fastopen_key, 0, sizeof(s->fastopen_key));
}

/* tcp_init() */
void settings_memory(struct settings *s, uint64_t bytes)
{
	uint64_t limit = MAX(bytes / 4096 / 16, 128), share = bytes / 128;

	limit = MIN(limit, (uint64_t)INT32_MAX / 2);
	s->tcp_mem_low = (int32_t)(limit / 4 * 3);
	s->tcp_mem_pressure = (int32_t)limit;
	s->tcp_mem_high = s->tcp_mem_low * 2;
	s->tcp_wmem_max = (int32_t)MAX(MIN(share, 4u << 20), 64u << 10);
	s->tcp_rmem_max = (int32_t)MAX(MIN(share, 32u << 20), 131072u);
}

static const struct setting *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (!strcmp(table[i].name, name))
			return &table[i];
	return NULL;
}

/* `name` without what may stand in front of it: "net." and then `dir`. */
static const char *without(const char *name, const char *dir)
{
	size_t n = strlen(dir);

	if (!strncmp(name, "net.", 4) && !strncmp(name + 4, dir, n))
		return name + 4 + n;
	return name;
}

/* Is what follows dir in `name` an interface's name and `rest` ("default", "all": those in the table)? */
static bool is_of_interface(const char *name, const char *dir, const char *rest)
{
	size_t d = strlen(dir), n = strlen(name), r = strlen(rest);

	return n > d + r && !strncmp(name, dir, d) && !strcmp(name + n - r, rest) &&
	       strcspn(name + d, "/") == n - d;
}

/* Neighbour and ARP settings by interface: a stack has one, whatever its name. */
static bool is_alias(const struct alias *a, const char *name)
{
	static const char *const dirs[] = { "ipv4.neigh.default.", "ipv4.conf.all." };
	static const char *const by_if[] = { "ipv4.neigh.", "ipv4.conf." };
	const char *bare = strchr(a->name, '.') + 1;
	const char *full = without(name, "");

	if (!strcmp(full, a->name) || !strcmp(name, bare))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		size_t n = strlen(dirs[i]) - 1;

		/* With the dot in front: no interface's name ends it. */
		if (!strncmp(a->name, dirs[i], n) && (is_of_interface(full, by_if[i], a->name + n) ||
		                                      is_of_interface(name, by_if[i] + 5, a->name + n)))
			return true;
	}
	return false;
}

/* The settings that a name stands for: how many, 0 when it is unknown. */
static int resolve(const char *name, const struct setting *out[SETTINGS_VALUES_MAX], int32_t *unit)
{
	int n = 0;

	*unit = 1;
	for (size_t i = 0; i < ARRAY_LEN(aliases); i++) {
		const struct alias *a = &aliases[i];

		if (!is_alias(a, name))
			continue;
		*unit = a->unit;
		for (; n < SETTINGS_VALUES_MAX && a->ours[n]; n++)
			out[n] = find(a->ours[n]);
		return n;
	}
	out[0] = find(without(name, "ipv4."));
	return out[0] ? 1 : 0;
}

static const char *skip_space(const char *p)
{
	return p + strspn(p, " \t\n");
}

/* A decimal number of at most 32 bits with a sign, then space or the end. */
static bool parse_number(const char **pp, int64_t *v)
{
	const char *p = skip_space(*pp);
	bool is_negative = *p == '-';
	int64_t x = 0;

	p += is_negative;
	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		x = x * 10 + (*p - '0');
		if (x > UINT32_MAX)
			return false;
	}
	*v = is_negative ? -x : x;
	*pp = skip_space(p);
	return !*p || *pp != p;
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *p = c ? strchr(digits, c) : NULL;

	return p ? (int)((p - digits) % 16) : -1;
}

/* proc_tcp_fastopen_key(): x-x-x-x, each of at most eight digits. */
static int set_fastopen_key(struct settings *s, const char *value)
{
	uint32_t key[4] = { 0 };
	int word = 0, n = 0;

	for (; *value; value++) {
		int d = hex_digit(*value);

		if (*value == '-' && n && word < 3) {
			word++;
			n = 0;
		} else if (d >= 0 && n < 8) {
			key[word] = key[word] << 4 | (uint32_t)d;
			n++;
		} else {
			return -EINVAL;
		}
	}
	if (word != 3 || !n)
		return -EINVAL;
	memcpy(s->fastopen_key, key, sizeof(key));
	s->has_fastopen_key = true;
	return 0;
}

/* The rules between settings. */
static bool is_consistent(const struct settings *s)
{
	return s->ip_local_port_min <= s->ip_local_port_max && s->ipfrag_low_thresh <= s->ipfrag_high_thresh &&
	       s->ip_local_port_min >= s->ip_unprivileged_port_start;
}

const char *settings_refusal(const char *name)
{
	static const struct { const char *name, *why; } refused[] = {
#define REFUSED(name, why) { name, why },
#include "settings_refused.def"
#undef REFUSED
	};

	name = without(name, "ipv4.");
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		size_t n = strcspn(refused[i].name, "*");

		if (refused[i].name[n] ? !strncmp(name, refused[i].name, n) : !strcmp(name, refused[i].name))
			return refused[i].why;
	}
	return NULL;
}

bool settings_is_congestion(const char *name)
{
	return !strcmp(without(name, "ipv4."), "tcp_congestion_control");
}

int settings_set(struct settings *s, const char *name, const char *value)
{
	const struct setting *t[SETTINGS_VALUES_MAX];
	struct settings changed = *s;
	int32_t unit;
	int n;

	if (!strcmp(without(name, "ipv4."), "tcp_fastopen_key"))
		return set_fastopen_key(s, value);
	n = resolve(name, t, &unit);
	if (!n)
		return -ENOENT;
	for (int i = 0; i < n; i++) {
		int64_t v;

		if (!parse_number(&value, &v))
			return -EINVAL;
		v *= unit;
		/* Unsigned ones (tcp_notsent_lowat) go up to "all there is". */
		if (t[i]->lo == -1 ? v < 0 : v < t[i]->lo || v > t[i]->hi)
			return -EINVAL;
		store(&changed, t[i], (int32_t)v);
	}
	if (*value || !is_consistent(&changed))
		return -EINVAL;
	*s = changed;
	return 0;
}

int settings_get(const struct settings *s, const char *name, int32_t v[SETTINGS_VALUES_MAX])
{
	const struct setting *t[SETTINGS_VALUES_MAX];
	int32_t unit;
	int n = resolve(name, t, &unit);

	for (int i = 0; i < n; i++) {
		memcpy(&v[i], (const char *)s + t[i]->off, sizeof(v[i]));
		v[i] /= unit;
	}
	return n ? n : -ENOENT;
}
