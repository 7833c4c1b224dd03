/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * follow.c - xtcp follows the sysctls of its network namespace, as packetdrill's scripts
 * expect of the TCP that they test: preloaded before libxtcp.so by tests/packetdrill/run.
 *
 * packetdrill runs a script's commands by system(), which this module has instead.  What a
 * command has changed is passed on by the control socket of this process, or, while there is
 * none yet, in XTCP_SYSCTL.  FOLLOW has the names and xtcp's defaults: "name value\n"...
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define NAMES_MAX 256
#define VALUE_BYTES 100
#define ENV_BYTES 8192

static struct followed {
	const char *name;
	char value[VALUE_BYTES];       /* what xtcp has */
} list[NAMES_MAX];
static unsigned n;
static int (*real_system)(const char *);

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "error: follow: %s\n", what);
	_exit(1);
}

__attribute__((constructor)) static void start(void)
{
	char *text = getenv("FOLLOW"), *line, *save = NULL, *space;
	void *libc;

	/* What the script runs are the kernel's programs. */
	unsetenv("LD_PRELOAD");
	unsetenv("XTCP_SYSCTL");
	/* libc's own: the script's sockets are none of the commands' business, so xtcp need not share
	 * them (shim/bridge.h). */
	libc = dlopen("libc.so.6", RTLD_NOW);
	real_system = libc ? (__typeof__(real_system))dlsym(libc, "system") : NULL;
	if (!real_system)
		die("libc's system()");
	for (line = strtok_r(strdup(text ? text : ""), "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		space = strchr(line, ' ');
		if (!space || n == NAMES_MAX)
			die("FOLLOW");
		*space = 0;
		list[n].name = line;
		snprintf(list[n++].value, VALUE_BYTES, "%s", space + 1);
	}
}

/* A setting of this namespace; false: there is none of that name. */
static int read_value(const char *name, char value[VALUE_BYTES])
{
	char path[200];
	FILE *f;
	int ok;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/%s", name);
	f = fopen(path, "re");
	if (!f)
		return 0;
	ok = fgets(value, VALUE_BYTES, f) != NULL;
	fclose(f);
	value[strcspn(value, "\n")] = 0;
	return ok;
}

/* By the control socket: false while there is none. */
static int request(const char *name, const char *value)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX }, own = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = 5 };
	char text[300];
	ssize_t len;
	int fd;

	snprintf(to.sun_path, sizeof(to.sun_path), "%s/%d", getenv("XTCP_CONTROL"), (int)getpid());
	if (access(to.sun_path, F_OK))
		return 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	snprintf(text, sizeof(text), "sysctl %s=%s", name, value);
	if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof(sa_family_t)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) ||
	    sendto(fd, text, strlen(text), 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		die("the control socket");
	len = recv(fd, text, sizeof(text) - 1, 0);
	close(fd);
	text[len > 0 ? len : 0] = 0;
	if (strncmp(text, "ok\n", 3))
		die(text);
	return 1;
}

static void add_to_environment(const char *name, const char *value)
{
	const char *old = getenv("XTCP_SYSCTL");
	char text[ENV_BYTES];

	snprintf(text, sizeof(text), "%s%s=%s;", old ? old : "", name, value);
	setenv("XTCP_SYSCTL", text, 1);
}

static void follow(void)
{
	char value[VALUE_BYTES];

	for (unsigned i = 0; i < n; i++) {
		struct followed *s = &list[i];

		if (!read_value(s->name, value) || !strcmp(value, s->value))
			continue;
		if (!request(s->name, value))
			add_to_environment(s->name, value);
		memcpy(s->value, value, VALUE_BYTES);
	}
}

__attribute__((visibility("default"))) int system(const char *command)
{
	int status;

	/* Scripts are written for bash, which sh need not be ("&>"). */
	setenv("FOLLOWED_COMMAND", command, 1);
	status = real_system("exec bash -c \"$FOLLOWED_COMMAND\"");
	follow();
	return status;
}
