/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the shim keeps of a socket, on the fake engine.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fdtab.h"
#include "shim_peer.h"
#include "sock.h"

static struct sock *open_sock(int *fd)
{
	struct sock *s;

	*fd = socket(AF_INET, SOCK_STREAM, 0);
	s = fdtab_get(*fd);
	assert_non_null(s);
	sock_put(s);            /* the slot has a reference of its own */
	return s;
}

static unsigned count_opts(const struct sock *s)
{
	const struct sock_opt *o;
	unsigned n = 0;

	for (o = s->opts; o; o = o->next)
		n++;
	return n;
}

static void each_option_is_remembered_once(void **state)
{
	int fd, i;
	struct sock *s = open_sock(&fd);

	(void)state;
	for (i = 1; i <= 1000; i++) {
		assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &i, sizeof(i)), 0);
		assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &i, sizeof(i)), 0);
	}
	assert_int_equal(count_opts(s), 2);
	i = 5;
	assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &i, sizeof(i)), 0);
	assert_int_equal(count_opts(s), 2);
	assert_int_equal(s->opts->name, TCP_KEEPIDLE);      /* the newest first, with its last value */
	assert_memory_equal(s->opts->val, &i, sizeof(i));
	close(fd);
}

/* IPv6's are remembered of connected sockets, too. */
static void options_of_connected_v6_sockets_do_not_pile_up(void **state)
{
	int fd, peer, i;
	struct side side;
	struct sock *s;
	struct sockaddr_in6 to = { .sin6_family = AF_INET6 };

	(void)state;
	fd = socket(AF_INET6, SOCK_STREAM, 0);
	if (fd < 0) {                   /* as the kernel says where it has no IPv6, and only there */
		assert_int_equal(errno, EAFNOSUPPORT);
		assert_int_not_equal(access("/proc/sys/net/ipv6", F_OK), 0);
		skip();
	}
	s = fdtab_get(fd);
	assert_non_null(s);
	sock_put(s);
	side_open(&side, false);
	to.sin6_port = side.to.sin_port;
	to.sin6_addr.s6_addr[10] = to.sin6_addr.s6_addr[11] = 0xff;
	__builtin_memcpy(&to.sin6_addr.s6_addr[12], &side.to.sin_addr, 4);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	peer = accept(side.listener, NULL, NULL);
	for (i = 0; i < 1000; i++)
		assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &(int){ i & 0xfc }, sizeof(int)), 0);
	assert_int_equal(count_opts(s), 1);
	close(peer);
	close(fd);
	side_close(&side);
}

/* The last reference may go where the engine must not be called. */
static void last_one_inside_the_engine_closes_later(void **state)
{
	struct pollfd end = { .events = POLLIN };
	struct side side;
	struct sock *s;
	int fd, peer;

	(void)state;
	side_open(&side, false);
	fd = side_connected(&side, 0, &peer);
	s = fdtab_get(fd);
	assert_non_null(s);
	close(fd);
	end.fd = peer;
	sock_put_inside(s);
	assert_int_equal(poll(&end, 1, 0), 0);
	sock_put_rest();
	assert_int_equal(poll(&end, 1, 5000), 1);
	sock_put_rest();
	close(peer);
	side_close(&side);
}

/* A socket is made of what another one was. */
static void recycled_socket_has_no_flags_of_the_old_one(void **state)
{
	int fd;
	struct sock *old = open_sock(&fd), *s;

	(void)state;
	old->rcvtimeo = 7;
	old->sndtimeo = 7;
	old->rcvlowat = 7;
	old->has_peek_off = true;
	old->state = SOCK_LISTENING;
	old->is_nonblock = true;
	old->is_deferred = true;
	old->is_bridged = true;
	old->is_v6 = true;
	old->is_v6only = true;
	old->is_bound = true;
	old->has_owner = true;
	old->is_filled = old->is_far_shut = old->is_far_closed = old->has_error = old->is_urgent = true;
	old->tokens = 3;
	close(fd);
	s = open_sock(&fd);
	assert_ptr_equal(s, old);
	assert_int_equal(s->rcvtimeo | s->sndtimeo, 0);
	assert_int_equal(s->rcvlowat, 1);
	assert_int_equal(s->state, SOCK_UNCONNECTED);
	assert_int_equal(s->numbers, 1);
	assert_false(s->has_peek_off || s->is_nonblock || s->is_deferred || s->is_bridged || s->is_v6 || s->is_v6only ||
		     s->is_bound || s->has_owner);
	assert_false(s->is_mirrored || s->is_filled || s->is_far_shut || s->is_far_closed || s->has_error || s->is_urgent ||
		     s->tokens);
	assert_int_equal(s->fd, fd);
	assert_int_equal(s->far, -1);
	assert_null(s->regs);
	assert_null(s->opts);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_option_is_remembered_once),
		cmocka_unit_test(options_of_connected_v6_sockets_do_not_pile_up),
		cmocka_unit_test(last_one_inside_the_engine_closes_later),
		cmocka_unit_test(recycled_socket_has_no_flags_of_the_old_one),
	};

	side_prepare();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
