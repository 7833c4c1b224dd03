/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf.c - one table of settings: name, variable, parser.
 *
 * A parser gives 0 or -EINVAL; the sentence is made in one place from the table's
 * words, so all of them read alike.
 */
#include "conf.h"

#include <errno.h>
#include <ini.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "parse.h"

#define SPIN_US 100u           /* of --spin alone: longer than a round trip on a link, shorter than a tick */
#define SPIN_US_MAX 1000000u

struct option {
	const char *key, *variable;
	int (*set)(struct conf *c, const char *value);
	const char *allowed;
	void (*clear)(struct conf *c);   /* of a list: each line of a file adds to it */
};

/* ---- values ---- */

static int copy(char *to, size_t room, const char *value)
{
	size_t len = strlen(value);

	if (!len || len >= room)
		return -EINVAL;
	memcpy(to, value, len + 1);
	return 0;
}

/* What a host can have as its own: unicast, and neither "this network" nor loopback. */
static bool is_host_addr(ip4 a)
{
	return a >> 24 != 0 && a >> 24 != 127 && a < 0xe0000000u;
}

static int parse_flag(const char *value, bool *flag)
{
	static const char *const yes[] = { "1", "yes", "true", "on" };
	static const char *const no[] = { "0", "no", "false", "off", "" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(yes); i++) {
		if (!strcmp(value, yes[i])) {
			*flag = true;
			return 0;
		}
	}
	for (i = 0; i < ARRAY_LEN(no); i++) {
		if (!strcmp(value, no[i])) {
			*flag = false;
			return 0;
		}
	}
	return -EINVAL;
}

/* ---- settings ---- */

static int set_interface(struct conf *c, const char *value)
{
	if (strlen(value) >= IFNAMSIZ || strpbrk(value, "/ \t"))
		return -EINVAL;
	return copy(c->engine.interface, sizeof(c->engine.interface), value);
}

static int set_address(struct conf *c, const char *value)
{
	struct engine_prefix *p = c->engine.addrs;
	unsigned n = 0;
	size_t len;

	c->engine.naddr = 0;
	if (!strcmp(value, "shared"))
		return 0;
	for (;; value += len + 1) {
		len = strcspn(value, ",");
		if (n == ENGINE_ADDRS_MAX || parse_prefix(value, len, &p[n]) ||
		    !is_host_addr(p[n].addr))
			return -EINVAL;
		n++;
		if (!value[len])
			break;
	}
	c->engine.naddr = n;
	return 0;
}

static int set_gateway(struct conf *c, const char *value)
{
	if (parse_ip(value, strlen(value), &c->engine.gateway) || !is_host_addr(c->engine.gateway))
		return -EINVAL;
	return 0;
}

/* D/P,A, with bits below the prefix length zero or not as the kernel has it: not. */
static int add_route(struct conf *c, const char *text, size_t len)
{
	struct engine_route *r = &c->engine.routes[c->engine.nroute];
	const char *comma = memchr(text, ',', len);
	uint32_t mask;

	if (!comma || c->engine.nroute == ENGINE_ROUTES_MAX)
		return -EINVAL;
	if (parse_prefix(text, (size_t)(comma - text), &r->dst) ||
	    parse_ip(comma + 1, len - (size_t)(comma + 1 - text), &r->gateway))
		return -EINVAL;
	mask = r->dst.plen ? UINT32_MAX << (32 - r->dst.plen) : 0;
	if (r->dst.addr & ~mask || !is_host_addr(r->gateway))
		return -EINVAL;
	c->engine.nroute++;
	return 0;
}

static int set_routes(struct conf *c, const char *value)
{
	size_t len;
	int r = -EINVAL;

	for (; *value; value += len) {
		value += strspn(value, " ;\t");
		len = strcspn(value, " ;\t");
		r = len ? add_route(c, value, len) : r;
		if (r)
			break;
	}
	return r;
}

static void clear_routes(struct conf *c)
{
	c->engine.nroute = 0;
}

static int set_mac(struct conf *c, const char *value)
{
	unsigned b[6];
	char end;
	int i;

	if (strlen(value) != 17 || sscanf(value, "%2x:%2x:%2x:%2x:%2x:%2x%c", &b[0], &b[1], &b[2],
					  &b[3], &b[4], &b[5], &end) != 6)
		return -EINVAL;
	for (i = 0; i < 6; i++)
		c->engine.mac[i] = (uint8_t)b[i];
	return b[0] & 1 || !(b[0] | b[1] | b[2] | b[3] | b[4] | b[5]) ? -EINVAL : 0;
}

static int set_write(struct conf *c, const char *value)
{
	c->engine.pcap_path = c->pcap;
	return copy(c->pcap, sizeof(c->pcap), value);
}

static int set_control(struct conf *c, const char *value)
{
	c->engine.control_dir = c->control;
	return copy(c->control, sizeof(c->control), value);
}

static int set_congestion(struct conf *c, const char *value)
{
	c->engine.congestion = c->congestion;
	return copy(c->congestion, sizeof(c->congestion), value);
}

/* A piece of text that stays as long as c does; NULL when there is no room. */
static char *keep(struct conf *c, const char *text, size_t len)
{
	char *to = c->sysctls + c->sysctls_len;

	if (len >= sizeof(c->sysctls) - c->sysctls_len)
		return NULL;
	memcpy(to, text, len);
	to[len] = 0;
	c->sysctls_len += len + 1;
	return to;
}

/* NAME=V; whether there is such a setting is for the engine to say. */
static int add_sysctl(struct conf *c, const char *text, size_t len)
{
	const char *eq = memchr(text, '=', len);
	unsigned n = c->engine.nsysctl;
	size_t name_len = eq ? (size_t)(eq - text) : 0;

	while (name_len && strchr(" \t", text[name_len - 1]))
		name_len--;
	if (!name_len || n == ENGINE_SYSCTLS_MAX)
		return -EINVAL;
	c->engine.sysctls[n].name = keep(c, text, name_len);
	c->engine.sysctls[n].value = keep(c, eq + 1, len - (size_t)(eq + 1 - text));
	if (!c->engine.sysctls[n].name || !c->engine.sysctls[n].value)
		return -EINVAL;
	c->engine.nsysctl++;
	return 0;
}

/* Values with spaces, parted by semicolons. */
static int each_piece(struct conf *c, const char *value, int (*add)(struct conf *c, const char *text, size_t len))
{
	size_t len;
	int r = -EINVAL;

	for (; *value; value += len) {
		value += strspn(value, "; \t\n");
		len = strcspn(value, ";\n");
		r = len ? add(c, value, len) : r;
		if (r)
			break;
	}
	return r;
}

static int set_sysctls(struct conf *c, const char *value)
{
	return each_piece(c, value, add_sysctl);
}

static void clear_sysctls(struct conf *c)
{
	c->engine.nsysctl = 0;
	c->sysctls_len = 0;
}

static int add_rule(struct conf *c, const char *text, size_t len)
{
	struct rules_fault f;
	int r = rules_add(&c->rules, text, len, &f);

	if (r && f.len)
		snprintf(c->fault, sizeof(c->fault), "\"%.*s\" in the rule \"%.*s\" %s", (int)f.len, f.word,
			 (int)MIN(len, 100u), text, f.what);
	else if (r)
		snprintf(c->fault, sizeof(c->fault), "the rule \"%.*s\" %s", (int)MIN(len, 100u), text, f.what);
	return r;
}

static int set_policy(struct conf *c, const char *value)
{
	return each_piece(c, value, add_rule);
}

static void clear_policy(struct conf *c)
{
	c->rules.n = 0;
}

static int set_loopback(struct conf *c, const char *value)
{
	return parse_flag(value, &c->engine.has_loopback);
}

/* Microseconds, or yes or no. */
static int set_spin(struct conf *c, const char *value)
{
	unsigned long us;
	bool is_on;
	char *end;

	if (value[0] < '0' || value[0] > '9') {
		if (parse_flag(value, &is_on))
			return -EINVAL;
		us = is_on ? SPIN_US : 0;
	} else {
		us = strtoul(value, &end, 10);
		if (*end || us > SPIN_US_MAX)
			return -EINVAL;
	}
	c->engine.spin_us = (unsigned)us;
	return 0;
}

static int set_stats(struct conf *c, const char *value)
{
	return parse_flag(value, &c->wants_stats);
}

static int set_log(struct conf *c, const char *value)
{
	static const struct {
		const char *name;
		int level;
	} levels[] = {
		{ "error", LOG_ERR }, { "warn", LOG_WARNING }, { "info", LOG_INFO },
		{ "debug", LOG_DEBUG },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(levels); i++) {
		if (!strcmp(value, levels[i].name)) {
			c->log_level = levels[i].level;
			return 0;
		}
	}
	return -EINVAL;
}

static int set_log_file(struct conf *c, const char *value)
{
	return copy(c->log_file, sizeof(c->log_file), value);
}

static const struct option options[] = {
	{ "interface", "XTCP_INTERFACE", set_interface, "the name of an interface", NULL },
	{ "address", "XTCP_ADDRESS", set_address,
	  "shared, or addresses with their prefix lengths, as 192.0.2.7/24,192.0.2.8/24", NULL },
	{ "gateway", "XTCP_GATEWAY", set_gateway, "an IPv4 address", NULL },
	{ "route", "XTCP_ROUTES", set_routes,
	  "a destination and a next hop, as 198.51.100.0/24,192.0.2.1", clear_routes },
	{ "mac", "XTCP_MAC", set_mac, "a unicast MAC address, as 02:00:00:00:00:01", NULL },
	{ "write", "XTCP_PCAP", set_write, "a path", NULL },
	{ "policy", "XTCP_POLICY", set_policy,
	  "rules, as \"kernel connect 10.0.0.0/8:5432 @psql\": xtcp, kernel, bridge or refuse, then what it is for",
	  clear_policy },
	{ "loopback", "XTCP_LOOPBACK", set_loopback, "yes or no", NULL },
	{ "spin", "XTCP_SPIN", set_spin, "microseconds, 1000000 at most, or yes or no", NULL },
	{ "sysctl", "XTCP_SYSCTL", set_sysctls,
	  "a name and a value, as net.ipv4.tcp_sack=0", clear_sysctls },
	{ "control", "XTCP_CONTROL", set_control, "a directory", NULL },
	{ "congestion", "XTCP_CONGESTION", set_congestion, "the name of an algorithm", NULL },
	{ "stats", "XTCP_STATS", set_stats, "yes or no", NULL },
	{ "log", "XTCP_LOG", set_log, "error, warn, info or debug", NULL },
	{ "log-file", "XTCP_LOG_FILE", set_log_file, "a path", NULL },
};

/* `name` is what the user wrote: a key or a variable. */
static int apply(struct conf *c, const struct option *o, const char *name, const char *value,
		 char *err, size_t err_len)
{
	int r;

	c->fault[0] = 0;
	r = o->set(c, value);
	if (r && c->fault[0])
		snprintf(err, err_len, "%s: %s; it takes %s", name, c->fault, o->allowed);
	else if (r)
		snprintf(err, err_len, "\"%s\" is not a value for %s; it takes %s", value, name,
			 o->allowed);
	return r;
}

static const struct option *find(const char *key)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(options); i++) {
		if (!strcmp(options[i].key, key))
			return &options[i];
	}
	return NULL;
}

int conf_set(struct conf *c, const char *key, const char *value, char *err, size_t err_len)
{
	const struct option *o = find(key);
	size_t i, n;

	if (o)
		return apply(c, o, key, value, err, err_len);
	n = (size_t)snprintf(err, err_len, "%s is not a setting; there are", key);
	for (i = 0; i < ARRAY_LEN(options) && n < err_len; i++)
		n += (size_t)snprintf(err + n, err_len - n, "%s %s", i ? "," : "", options[i].key);
	return -EINVAL;
}

/* ---- the file ---- */

struct reader {
	struct conf *c;
	FILE *f;
	int line;
	bool has_key, is_list;         /* of the last line with a key */
	int r;
	char *err;
	size_t err_len;
};

/* A line that begins with a blank goes on with the value of the key before. */
static bool is_of_list(struct reader *rd, const char *line)
{
	char key[16], sign[2];
	const struct option *o;

	if (rd->has_key && strchr(" \t", *line))
		return rd->is_list;
	if (sscanf(line, " %15[a-z-] %1[=:]", key, sign) != 2)
		return false;
	o = find(key);
	rd->has_key = true;
	rd->is_list = o && o->clear;
	return rd->is_list;
}

/* To inih a semicolon after a blank begins a comment; in a list it parts two pieces. */
static void join_pieces(char *line)
{
	char *to = line, *p;

	for (p = line; *p; p++) {
		while (*p == ';' && to > line && strchr(" \t", to[-1]))
			to--;
		*to++ = *p;
	}
	*to = 0;
}

/* inih's, for one line.  It takes what doesn't fit into its room for a line of its own, and may take that for a comment. */
static char *next_line(char *to, int room, void *user)
{
	struct reader *rd = user;
	int end;

	if (rd->r || !fgets(to, room, rd->f))
		return NULL;
	rd->line++;
	if (!strchr(to, '\n') && (end = fgetc(rd->f)) != EOF) {
		snprintf(rd->err, rd->err_len, "the line is longer than %d bytes; a list may stand in several", room - 2);
		rd->r = -EINVAL;
		return NULL;
	}
	if (is_of_list(rd, to))
		join_pieces(to);
	return to;
}

/* inih's: 0 ends the reading. */
static int on_line(void *user, const char *section, const char *key, const char *value)
{
	struct reader *rd = user;

	if (section[0]) {
		snprintf(rd->err, rd->err_len, "[%s] is not allowed: there are no sections", section);
		rd->r = -EINVAL;
	} else if (!value) {
		snprintf(rd->err, rd->err_len, "%s has no value", key);
		rd->r = -EINVAL;
	} else {
		rd->r = conf_set(rd->c, key, value, rd->err, rd->err_len);
	}
	return !rd->r;
}

/* Puts "path, line n: " in front of what is in err. */
static void add_place(char *err, size_t err_len, const char *path, int line)
{
	char what[512];

	snprintf(what, sizeof(what), "%s", err);
	snprintf(err, err_len, "%s, line %d: %s", path, line, what);
}

int conf_read_file(struct conf *c, const char *path, char *err, size_t err_len)
{
	struct reader rd = { .c = c, .f = fopen(path, "re"), .err = err, .err_len = err_len };
	int line;

	if (!rd.f) {
		rd.r = -errno;
		snprintf(err, err_len, "the configuration file %s can't be read: %s", path,
			 strerror(errno));
		return rd.r;
	}
	err[0] = 0;
	line = ini_parse_stream(next_line, &rd, on_line, &rd);
	fclose(rd.f);
	if (!line && !rd.r)
		return 0;
	if (!line)
		line = rd.line;
	if (!err[0])
		snprintf(err, err_len, "this is no line of the form key = value");
	add_place(err, err_len, path, line > 0 ? line : 0);
	return -EINVAL;
}

/* ---- all of it ---- */

static int read_environment(struct conf *c, char *err, size_t err_len)
{
	const char *value;
	size_t i;
	int r;

	for (i = 0; i < ARRAY_LEN(options); i++) {
		value = getenv(options[i].variable);
		if (!value || !*value)
			continue;
		if (options[i].clear)
			options[i].clear(c);
		r = apply(c, &options[i], options[i].variable, value, err, err_len);
		if (r)
			return r;
	}
	return 0;
}

/* What is only wrong together with something else. */
static int check(const struct conf *c, char *err, size_t err_len)
{
	static const uint8_t zero[6];

	if (!c->engine.naddr && memcmp(c->engine.mac, zero, sizeof(zero))) {
		snprintf(err, err_len, "mac needs an address of its own: give it by address");
		return -EINVAL;
	}
	return 0;
}

int conf_load(struct conf *c, char *err, size_t err_len)
{
	const char *path = getenv("XTCP_CONFIG");
	int r = 0;

	memset(c, 0, sizeof(*c));
	c->log_level = LOG_WARNING;
	if (path && *path)
		r = conf_read_file(c, path, err, err_len);
	if (!r)
		r = read_environment(c, err, err_len);
	return r ? r : check(c, err, err_len);
}

void conf_free(struct conf *c)
{
	memset(c, 0, sizeof(*c));
}
