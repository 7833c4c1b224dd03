/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * optprobe.c - what setsockopt() and getsockopt() say to every option number of a TCP socket, a line
 * each: an ordinary program, run over the kernel and over xtcp by tests/netns/options.sh.
 *
 *   optprobe ADDRESS PORT [STATE [LEVEL [NAME]]]      a server that reads until the end; ADDRESS may be a mapped one:
 *                                                     then it is AF_INET6 sockets and their level
 *
 * Every option has a socket of its own, so that none depends on what was set before.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NAMES 201

enum state { FRESH, LISTENING, CONNECTED, STATES };
static const char *const state_names[] = { "fresh", "listening", "connected" };
static const struct level { int level; const char *name; } levels[] = {
	{ SOL_SOCKET, "SOL_SOCKET" }, { IPPROTO_IP, "IPPROTO_IP" }, { IPPROTO_TCP, "IPPROTO_TCP" }, { IPPROTO_UDP, "IPPROTO_UDP" },
};
static const struct level v6_levels[] = { { IPPROTO_IPV6, "IPPROTO_IPV6" } };
static int family = AF_INET;
static struct sockaddr_storage server;
static socklen_t addr_len = sizeof(struct sockaddr_in);
static char where[64];

static int open_socket(enum state st)
{
	struct sockaddr_storage any = { .ss_family = (sa_family_t)family };
	int fd = socket(family, SOCK_STREAM, 0);

	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5) ||
	    (st == LISTENING && (bind(fd, (struct sockaddr *)&any, addr_len) || listen(fd, 5))) ||
	    (st == CONNECTED && connect(fd, (struct sockaddr *)&server, addr_len))) {
		perror("optprobe");
		exit(1);
	}
	return fd;
}

/* Values that depend on the moment: only their length is told. */
static bool is_volatile(int level, int name)
{
	if (level == SOL_SOCKET)
		return name == SO_COOKIE || name == SO_INCOMING_CPU || name == SO_INCOMING_NAPI_ID || name == SO_MEMINFO ||
		       name == SO_PEERNAME || name == SO_NETNS_COOKIE;
	if (level == IPPROTO_IP)
		return name == 52;       /* IP_PROTOCOL: the local port */
	return level == IPPROTO_TCP && (name == TCP_INFO || name == TCP_TIMESTAMP || name == TCP_CC_INFO);
}

static void try_get(int fd, int level, int name, socklen_t room, const char *what)
{
	unsigned char v[256];
	socklen_t len = room;
	int r;

	memset(v, 0xee, sizeof(v));
	errno = 0;
	r = getsockopt(fd, level, name, v, &len);
	printf("%s get %s: %d %s", where, what, r, r ? strerrorname_np(errno) : "");
	if (!r) {
		printf("len %u ", len);
		for (socklen_t i = 0; i < len && i < 64 && !is_volatile(level, name); i++)
			printf("%02x", v[i]);
	}
	printf("\n");
}

static void try_set(int fd, int level, int name, const void *p, socklen_t len, const char *what)
{
	int r;

	errno = 0;
	r = setsockopt(fd, level, name, p, len);
	printf("%s set %s: %d %s\n", where, what, r, r ? strerrorname_np(errno) : "");
}

static void try_option(enum state st, int level, int name)
{
	static const int values[] = { 0, 1, 2, 3, 7, -1, 100, 255, 256, 1000, 5000, 65535, 200000, INT32_MAX, INT32_MIN };
	static const socklen_t lengths[] = { 0, 1, 2, 3, 5, 8, 16, 17, 32, 64, 100, 200 };
	static const unsigned char zeros[256], ones[256] = { 1 };
	char what[32];
	int fd = open_socket(st);

	try_get(fd, level, name, 4, "first");
	try_get(fd, level, name, 0, "0");
	try_get(fd, level, name, 1, "1");
	try_get(fd, level, name, 3, "3");
	try_get(fd, level, name, 8, "8");
	try_get(fd, level, name, 250, "250");
	try_get(fd, level, name, (socklen_t)-1, "-1");
	try_set(fd, level, name, NULL, 4, "NULL");
	try_set(fd, level, name, zeros, (socklen_t)-1, "length -1");
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		snprintf(what, sizeof(what), "%d", values[i]);
		try_set(fd, level, name, &values[i], sizeof(int), what);
		try_get(fd, level, name, 4, what);
	}
	close(fd);
	fd = open_socket(st);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		snprintf(what, sizeof(what), "%u zeros", lengths[i]);
		try_set(fd, level, name, zeros, lengths[i], what);
		snprintf(what, sizeof(what), "1 and %u zeros", lengths[i]);
		try_set(fd, level, name, ones, lengths[i], what);
		try_get(fd, level, name, 4, what);
	}
	close(fd);
}

static int read_server(const char *addr, const char *port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&server;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&server;

	v4->sin_port = htons((uint16_t)atoi(port));      /* the same place in both */
	if (strchr(addr, ':')) {
		family = AF_INET6;
		addr_len = sizeof(*v6);
	}
	server.ss_family = (sa_family_t)family;
	return inet_pton(family, addr, family == AF_INET ? (void *)&v4->sin_addr : (void *)&v6->sin6_addr);
}

int main(int argc, char **argv)
{
	const struct level *level = levels, *end = levels + sizeof(levels) / sizeof(*levels);
	const char *only_state = argc > 3 ? argv[3] : NULL, *only_level = argc > 4 ? argv[4] : NULL;
	int only = argc > 5 ? atoi(argv[5]) : -1;

	if (argc < 3 || read_server(argv[1], argv[2]) != 1)
		return 2;
	if (family == AF_INET6) {
		level = v6_levels;
		end = v6_levels + 1;
	}
	for (enum state st = 0; st < STATES; st++)
		for (const struct level *l = level; l < end; l++)
			for (int name = 0; name < (l->level == IPPROTO_UDP ? 3 : NAMES); name++) {
				if ((only_state && strcmp(only_state, state_names[st])) || (only_level && strcmp(only_level, l->name)) ||
				    (only >= 0 && only != name))
					continue;
				snprintf(where, sizeof(where), "%s %s %d", state_names[st], l->name, name);
				try_option(st, l->level, name);
			}
	return 0;
}
