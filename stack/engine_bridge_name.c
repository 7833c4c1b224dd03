/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_bridge_name.c - what the ends of bridges are called.
 *
 * The name of our end, which getpeername() gives at the other, says which engine is behind it, by which handle, and both
 * addresses; so any process that has a bridged socket can tell.
 */
#include "engine_bridge.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "sys.h"

#define NAMES "/proc/net/unix"
#define NAME_PREFIX "xtcp:"

/* Upper case: of AF_INET6. */
static char kind_of(const struct engine_bridged *b)
{
	char kind = b->is_native ? 'n' : b->is_listener ? 'l' : b->is_idle ? 'i' : 'c';

	return (char)(b->is_v6 ? toupper(kind) : kind);
}

void engine_bridged_name(const struct engine_bridged *b, struct sockaddr_un *a, socklen_t *len)
{
	int n;

	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	n = snprintf(a->sun_path + 1, sizeof(a->sun_path) - 1,
		     NAME_PREFIX "%016" PRIx64 ":%016" PRIx64 ":%c:%08x:%04x:%08x:%04x", b->host,
		     (uint64_t)b->s, kind_of(b), ntohl(b->local.sin_addr.s_addr),
		     ntohs(b->local.sin_port), ntohl(b->peer.sin_addr.s_addr), ntohs(b->peer.sin_port));
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

static void fill_addr(struct sockaddr_in *a, uint32_t addr, unsigned port)
{
	memset(a, 0, sizeof(*a));
	a->sin_family = AF_INET;
	a->sin_addr.s_addr = htonl(addr);
	a->sin_port = htons((uint16_t)port);
}

/* Of our end; of a native listener its own. */
static bool read_name(int fd, struct sockaddr_un *a)
{
	socklen_t len = sizeof(*a) - 1;
	int r = raw_getpeername(fd, a, &len);

	if (r == -ENOTCONN) {
		len = sizeof(*a) - 1;
		r = raw_getsockname(fd, a, &len);
	}
	if (r < 0 || a->sun_family != AF_UNIX || len > sizeof(*a) - 1 ||
	    len <= offsetof(struct sockaddr_un, sun_path) || a->sun_path[0])
		return false;
	((char *)a)[len] = 0;
	return true;
}

bool engine_bridge_parse(const char *name, struct engine_bridged *b)
{
	unsigned laddr, lport, raddr, rport;
	uint64_t s;
	char kind;

	if (sscanf(name, NAME_PREFIX "%" SCNx64 ":%" SCNx64 ":%c:%x:%x:%x:%x", &b->host, &s, &kind,
		   &laddr, &lport, &raddr, &rport) != 7)
		return false;
	b->s = s;
	b->is_native = tolower(kind) == 'n';
	b->is_listener = b->is_native || tolower(kind) == 'l';
	b->is_idle = tolower(kind) == 'i';
	b->is_v6 = isupper((unsigned char)kind);
	fill_addr(&b->local, laddr, lport);
	fill_addr(&b->peer, raddr, rport);
	return true;
}

int engine_bridged(int fd, struct engine_bridged *b)
{
	struct sockaddr_un a = { .sun_family = AF_UNSPEC };

	return read_name(fd, &a) && engine_bridge_parse(a.sun_path + 1, b) ? 0 : -ENOTSOCK;
}

void engine_names_each(bool (*see)(void *user, const char *name), void *user)
{
	char buf[8192], *line, *end, *name;
	bool wants_more = true;
	size_t len = 0;
	ssize_t n;
	int fd = raw_open(NAMES, O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0)
		return;
	while (wants_more && (n = sys_read(fd, buf + len, sizeof(buf) - 1 - len)) > 0) {
		len += (size_t)n;
		buf[len] = 0;
		for (line = buf; wants_more && (end = strchr(line, '\n')); line = end + 1) {
			*end = 0;
			name = strchr(line, '@');
			if (name)
				wants_more = see(user, name + 1);
		}
		len = strlen(line);
		memmove(buf, line, len + 1);
		if (len == sizeof(buf) - 1)
			break;
	}
	raw_close(fd);
}

/* A connection that has ended still has bytes or an end to show. */
bool engine_bridge_is_idle(const struct slot *slot)
{
	return tcp_state(slot->conn) == TCP_CLOSE && !(tcp_events(slot->conn) & POLLRDHUP);
}

void engine_bridge_identify(const struct engine *e, const struct slot *slot, bool is_v6, struct engine_bridged *b)
{
	uint16_t port = 0;
	ip4 addr = 0;

	b->host = e->host_id;
	b->s = (engine_sock)slot->gen << 32 | (slot->index + 1);
	b->is_listener = tcp_state(slot->conn) == TCP_LISTEN;
	b->is_native = slot->bridge && slot->bridge->is_native;
	b->is_idle = engine_bridge_is_idle(slot);
	b->is_v6 = is_v6;
	tcp_sockname(slot->conn, &addr, &port);
	fill_addr(&b->local, addr, port);
	addr = port = 0;
	tcp_peername(slot->conn, &addr, &port);
	fill_addr(&b->peer, addr, port);
}
