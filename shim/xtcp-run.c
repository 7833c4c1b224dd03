/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xtcp-run.c - starts a program with libxtcp.so preloaded.
 *
 * Each option becomes the environment variable that libxtcp.so reads (conf.h), so that both
 * ways in have the same meaning; the values are checked here by the same code, together
 * with all else that would stop the library later: the interface, its address, the
 * capabilities, the kind of program.  What is wrong is one sentence on stderr and exit
 * status 2, and nothing is started.
 */
#include "conf.h"

#include <argp.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base.h"
#include "cc.h"
#include "netif/host.h"
#include "settings.h"
#include "target.h"

#define LIBRARY "libxtcp.so"

/* Options without a short form. */
enum {
	KEY_ROUTE = 0x100, KEY_MAC, KEY_LOOPBACK, KEY_SPIN, KEY_SYSCTL, KEY_CONGESTION, KEY_STATS,
	KEY_CONTROL, KEY_USAGE,
};

static const struct argp_option options[] = {
	{ "interface", 'i', "IF", 0, "Use this interface (the default route's)", 0 },
	{ "address", 'a', "A/P[,A/P...]", 0,
	  "Use an address of our own, or several (\"shared\": the kernel's)", 0 },
	{ "gateway", 'g', "A", 0, "Next hop (the kernel's routes)", 0 },
	{ "route", KEY_ROUTE, "D/P,A", 0,
	  "A further route: destinations D/P by way of A; may be repeated", 0 },
	{ "mac", KEY_MAC, "M", 0, "MAC of our own address (derived from it)", 0 },
	{ "write", 'w', "FILE", 0, "Capture this process's frames", 0 },
	{ "config", 'c', "FILE", 0, "Configuration file, see xtcp.conf(5)", 0 },
	{ "policy", 'p', "RULES", 0, "Which sockets stay with the kernel; may be repeated", 0 },
	{ "loopback", KEY_LOOPBACK, NULL, 0, "Serve 127/8 and the host's own addresses, too", 0 },
	{ "spin", KEY_SPIN, "USEC", OPTION_ARG_OPTIONAL, "Poll that long before sleeping (100)", 0 },
	{ "sysctl", KEY_SYSCTL, "NAME=V", 0, "A setting under its Linux name; may be repeated", 0 },
	{ "congestion", KEY_CONGESTION, "NAME", 0, "Default congestion control (cubic)", 0 },
	{ "control", KEY_CONTROL, "DIR", 0, "Where xtcp-ctl(1) finds the processes", 0 },
	{ "stats", KEY_STATS, NULL, 0, "A summary on stderr at exit", 0 },
	{ "log", 'l', "LEVEL", 0, "error, warn, info or debug (warn)", 0 },
	{ "help", '?', NULL, 0, "Print this list", -1 },
	{ "usage", KEY_USAGE, NULL, 0, "Print a short usage message", -1 },
	{ "version", 'V', NULL, 0, "Print the version", -1 },
	{ NULL, 0, NULL, 0, NULL, 0 },
};

/* The variable of each option; several values of one option are joined by `join`. */
static const struct {
	int key;
	const char *variable;
	const char *join;
} variables[] = {
	{ 'i', "XTCP_INTERFACE", NULL },
	{ 'a', "XTCP_ADDRESS", "," },
	{ 'g', "XTCP_GATEWAY", NULL },
	{ KEY_ROUTE, "XTCP_ROUTES", " " },
	{ KEY_MAC, "XTCP_MAC", NULL },
	{ 'w', "XTCP_PCAP", NULL },
	{ 'c', "XTCP_CONFIG", NULL },
	{ 'p', "XTCP_POLICY", ";" },
	{ KEY_LOOPBACK, "XTCP_LOOPBACK", NULL },
	{ KEY_SPIN, "XTCP_SPIN", NULL },
	{ KEY_SYSCTL, "XTCP_SYSCTL", ";" },
	{ KEY_CONGESTION, "XTCP_CONGESTION", NULL },
	{ KEY_CONTROL, "XTCP_CONTROL", NULL },
	{ KEY_STATS, "XTCP_STATS", NULL },
	{ 'l', "XTCP_LOG", NULL },
};

static _Noreturn __attribute__((format(printf, 2, 3))) void die(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("xtcp-run: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(status);
}

static void set_variable(const char *name, const char *value)
{
	if (setenv(name, value, 1))
		die(TARGET_ERR, "the environment can't be extended: %s", strerror(errno));
}

/* What the command line has said so far. */
struct command_line {
	bool seen[ARRAY_LEN(variables)];
	char **command;
};

static const char *long_name(int key)
{
	const struct argp_option *o = options;

	while (o->key != key)
		o++;
	return o->name;
}

/* The program may change its directory before the library opens the file. */
static const char *absolute(const char *path, char *buf)
{
	char cwd[PATH_MAX];

	if (path[0] == '/' || !path[0] || !getcwd(cwd, sizeof(cwd)) ||
	    snprintf(buf, PATH_MAX, "%s/%s", cwd, path) >= PATH_MAX)
		return path;
	return buf;
}

static void take_option(struct command_line *cl, unsigned v, const char *value)
{
	const char *name = variables[v].variable;
	char *joined, err[PATH_MAX + 512], path[PATH_MAX];
	struct conf scratch = { .log_level = 0 };

	/* Here the sentence names the option, later it would be the variable. */
	if (variables[v].key != 'c' &&
	    conf_set(&scratch, long_name(variables[v].key), value, err, sizeof(err)))
		die(TARGET_ERR, "%s", err);
	if (variables[v].key == 'c' || variables[v].key == 'w' || variables[v].key == KEY_CONTROL)
		value = absolute(value, path);
	if (cl->seen[v] && variables[v].join) {
		if (asprintf(&joined, "%s%s%s", getenv(name), variables[v].join, value) < 0)
			die(TARGET_ERR, "out of memory");
		set_variable(name, joined);
		free(joined);
	} else {
		set_variable(name, value);
	}
	cl->seen[v] = true;
}

/* The option that a word of the command line names, by its short form, its name or a
 * beginning of that; NULL: none, or not only one. */
static const struct argp_option *find_option(const char *word)
{
	const struct argp_option *found = NULL;
	bool is_long = !strncmp(word, "--", 2);
	size_t len = is_long ? strcspn(word + 2, "=") : 0;

	for (const struct argp_option *o = options; o->name; o++) {
		if (!is_long && word[0] == '-' && word[1] == o->key)
			return o;
		if (!len || strncmp(word + 2, o->name, len))
			continue;
		if (!o->name[len])
			return o;
		if (found)
			return NULL;
		found = o;
	}
	return found;
}

/* getopt() stopped at argv[next], or has passed the word already: says what is wrong. */
static _Noreturn void bad_option(char **argv, int next)
{
	const char *word = argv[next - 1];
	const struct argp_option *o = find_option(word);
	char list[512];
	size_t len = 0;

	/* A word that is right by itself was not what it stopped at. */
	if (argv[next] && (word[0] != '-' || next == 1 || (o && (o->arg || !strchr(word, '='))))) {
		word = argv[next];
		o = NULL;
	}
	if (o && o->arg)
		die(TARGET_ERR, "the option --%s needs a value: %s", o->name, o->arg);
	if (o)
		die(TARGET_ERR, "the option --%s takes no value", o->name);
	for (o = options; o->name; o++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s--%s", len ? ", " : "",
					o->name);
	die(TARGET_ERR, "%s is not an option; there are %s", word, list);
}

static error_t parse(int key, char *arg, struct argp_state *state);

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "COMMAND [ARGUMENT...]",
	.doc = "Run a program whose TCP is xtcp's, in its own process, instead of the kernel's.",
};

static _Noreturn void print_help(unsigned flags)
{
	static char name[] = "xtcp-run";

	argp_help(&argp, stdout, flags, name);
	exit(0);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct command_line *cl = state->input;

	if (key == ARGP_KEY_ERROR)
		bad_option(state->argv, state->next);
	if (key == ARGP_KEY_ARG) {
		cl->command = &state->argv[state->next - 1];
		state->next = state->argc;
		return 0;
	}
	if (key == '?')
		print_help(ARGP_HELP_SHORT_USAGE | ARGP_HELP_LONG | ARGP_HELP_PRE_DOC);
	if (key == KEY_USAGE)
		print_help(ARGP_HELP_USAGE);
	if (key == 'V') {
		puts("xtcp-run " XTCP_VERSION);
		exit(0);
	}
	for (unsigned v = 0; v < ARRAY_LEN(variables); v++) {
		if (variables[v].key == key) {
			take_option(cl, v, arg ? arg : "yes");
			return 0;
		}
	}
	return ARGP_ERR_UNKNOWN;
}

/* libxtcp.so: the build tree's, when this program is in one, else the installed one. */
static void find_library(char *path)
{
	static const char *const beside[] = { "/.libs/" LIBRARY, "/" LIBRARY, "/../lib/" LIBRARY };
	char dir[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", dir, sizeof(dir) - 1);
	char *slash;

	if (n > 0) {
		dir[n] = '\0';
		slash = strrchr(dir, '/');
		*slash = '\0';
		for (unsigned i = 0; i < ARRAY_LEN(beside); i++) {
			if (snprintf(path, PATH_MAX, "%s%s", dir, beside[i]) < PATH_MAX &&
			    !access(path, R_OK))
				return;
		}
	}
	snprintf(path, PATH_MAX, "%s/%s", XTCP_LIBDIR, LIBRARY);
	if (access(path, R_OK))
		die(TARGET_ERR, "%s isn't there: run make install, or start xtcp-run from the build tree",
		    path);
}

/* Ours comes first: an interposer that was there before sees what we don't handle. */
static void preload(void)
{
	const char *others = getenv("LD_PRELOAD");
	char lib[PATH_MAX], *list;

	find_library(lib);
	/* ld.so splits at both, and knows no way to quote them. */
	if (strpbrk(lib, " :"))
		die(TARGET_ERR, "%s can't be preloaded: its path holds a space or a colon", lib);
	if (!others || !*others) {
		set_variable("LD_PRELOAD", lib);
		return;
	}
	if (!strncmp(others, lib, strlen(lib)) && strchr(" :", others[strlen(lib)]))
		return;
	if (asprintf(&list, "%s:%s", lib, others) < 0)
		die(TARGET_ERR, "out of memory");
	set_variable("LD_PRELOAD", list);
	free(list);
}

/* ---- what the library will need ---- */

static bool has_address(const char *ifname)
{
	struct ifaddrs *list, *a;

	if (getifaddrs(&list))
		return true;         /* unknown: the library will say */
	for (a = list; a; a = a->ifa_next) {
		if (a->ifa_addr && a->ifa_addr->sa_family == AF_INET && !strcmp(a->ifa_name, ifname))
			break;
	}
	freeifaddrs(list);
	return a != NULL;
}

static void check_interface(const struct engine_config *cfg)
{
	struct host_link link;
	char names[256];
	int ret;

	host_link_names(names, sizeof(names));
	ret = cfg->interface[0] ? host_find_link(cfg->interface, &link) : host_default_link(&link);
	if (ret && cfg->interface[0])
		die(TARGET_ERR, "there is no interface %s; there are %s", cfg->interface, names);
	if (ret == -ENOTUNIQ)
		die(TARGET_ERR, "several interfaces are up and none has a default route: choose one"
		    " with --interface, of %s", names);
	if (ret)
		die(TARGET_ERR, "no interface is up; there are %s", names);
	if (!cfg->naddr && !has_address(link.name))
		die(TARGET_ERR, "%s has no IPv4 address: give it one, or take one of your own with"
		    " --address", link.name);
}

/* What the program will have after exec: root its effective set, others the ambient one. */
static bool will_have(cap_value_t cap)
{
	cap_flag_value_t has = CAP_CLEAR;
	cap_t caps;

	if (geteuid())
		return cap_get_ambient(cap) == 1;
	caps = cap_get_proc();
	if (caps)
		cap_get_flag(caps, cap, CAP_EFFECTIVE, &has);
	cap_free(caps);
	return has == CAP_SET;
}

/* What the file of this program carries (setcap) ends with exec, but for ambient capabilities, and those must be
 * inheritable as well: capabilities(7).  Whether it came about is seen by will_have(). */
static void pass_on(cap_value_t cap)
{
	cap_t caps = cap_get_proc();

	if (geteuid() && caps && !cap_set_flag(caps, CAP_INHERITABLE, 1, &cap, CAP_SET) && !cap_set_proc(caps))
		cap_set_ambient(cap, CAP_SET);
	cap_free(caps);
}

static void check_capabilities(const struct engine_config *cfg)
{
	pass_on(CAP_NET_RAW);
	if (!will_have(CAP_NET_RAW))
		die(TARGET_ERR, "the capability CAP_NET_RAW is missing, which a packet socket needs:"
		    " run it as root, or with sudo, or give it to xtcp-run with setcap");
	if (cfg->naddr) {
		pass_on(CAP_BPF);
		if (will_have(CAP_BPF))
			pass_on(CAP_NET_ADMIN);   /* for netif/hairpin.h: of use together */
		return;
	}
	pass_on(CAP_NET_ADMIN);
	if (!will_have(CAP_NET_ADMIN))
		die(TARGET_ERR, "the capability CAP_NET_ADMIN is missing, which sharing the kernel's"
		    " address needs: run it as root, or with sudo, or give it to xtcp-run with setcap");
}

static void check_sysctls(const struct engine_config *cfg)
{
	struct settings set;
	int r;

	settings_default(&set);
	for (unsigned i = 0; i < cfg->nsysctl; i++) {
		if (settings_is_congestion(cfg->sysctls[i].name))
			r = cc_find(cfg->sysctls[i].value) ? 0 : -EINVAL;
		else
			r = settings_set(&set, cfg->sysctls[i].name, cfg->sysctls[i].value);
		if (r == -ENOENT)
			die(TARGET_ERR, "there is no setting %s for sysctl%s%s", cfg->sysctls[i].name,
			    settings_refusal(cfg->sysctls[i].name) ? ": " : "",
			    settings_refusal(cfg->sysctls[i].name) ? settings_refusal(cfg->sysctls[i].name) : "");
		if (r)
			die(TARGET_ERR, "\"%s\" is not a value for %s", cfg->sysctls[i].value,
			    cfg->sysctls[i].name);
	}
}

/* The file needn't be there; then its directory must take it. */
static void check_writable(const char *path)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX];
	struct stat st;
	int ret;

	if (!stat(path, &st) && S_ISDIR(st.st_mode))
		die(TARGET_ERR, "the capture can't be written to %s: it is a directory", path);
	snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
	ret = faccessat(AT_FDCWD, path, W_OK, AT_EACCESS);
	if (ret && errno == ENOENT)
		ret = faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS);
	if (ret)
		die(TARGET_ERR, "the capture can't be written to %s: %s", path, strerror(errno));
}

/* Nobody has the socket of that name any more: its process was killed. */
static bool is_deserted(int dirfd, const char *dir, const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct stat st;
	bool is;
	int fd;

	if (name[strspn(name, "0123456789")] || fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) ||
	    !S_ISSOCK(st.st_mode) ||
	    (size_t)snprintf(a.sun_path, sizeof(a.sun_path), "%s/%s", dir, name) >= sizeof(a.sun_path))
		return false;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	is = fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 && errno == ECONNREFUSED;
	if (fd >= 0)
		close(fd);
	return is;
}

/* A process that is killed can't remove its name. */
static void sweep_control(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *entry;

	while (d && (entry = readdir(d)) != NULL) {
		if (is_deserted(dirfd(d), dir, entry->d_name))
			unlinkat(dirfd(d), entry->d_name, 0);
	}
	if (d)
		closedir(d);
}

static void check_control(const char *dir)
{
	struct stat st;
	int ret = stat(dir, &st);

	if (!ret && !S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		ret = -1;
	}
	if (!ret)
		ret = faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS);
	if (ret)
		die(TARGET_ERR, "control sockets can't be made in %s: %s", dir, strerror(errno));
	sweep_control(dir);
}

static void check_settings(void)
{
	struct conf conf;
	char err[PATH_MAX + 512], names[256];

	if (conf_load(&conf, err, sizeof(err)))
		die(TARGET_ERR, "%s", err);
	cc_names(names, sizeof(names));
	if (conf.engine.congestion && !cc_find(conf.engine.congestion))
		die(TARGET_ERR, "there is no congestion control called %s; there are %s",
		    conf.engine.congestion, names);
	check_sysctls(&conf.engine);
	if (conf.engine.pcap_path)
		check_writable(conf.engine.pcap_path);
	if (conf.engine.control_dir)
		check_control(conf.engine.control_dir);
	check_interface(&conf.engine);
	check_capabilities(&conf.engine);
	conf_free(&conf);
}

int main(int argc, char **argv)
{
	struct command_line cl = { .command = NULL };
	char path[PATH_MAX], err[PATH_MAX + 128];
	int ret;

	if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER | ARGP_NO_ERRS | ARGP_NO_HELP, NULL, &cl))
		die(TARGET_ERR, "the command line can't be read");
	if (!cl.command)
		die(TARGET_ERR, "there is no command to run; try xtcp-run --help");
	ret = target_find(cl.command[0], path, err, sizeof(err));
	if (ret)
		die(ret, "%s", err);
	check_settings();
	preload();
	execvp(path, cl.command);
	die(errno == ENOENT ? TARGET_NOT_FOUND : TARGET_NOT_EXEC, "%s: %s", path, strerror(errno));
}
