/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netns_guard.c - the guard against a real kernel: what it keeps away, what it leaves
 * alone, and that nothing is left of it (the invariants of a shared address).
 */
#define _GNU_SOURCE 1
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "afpacket.h"
#include "guard.h"
#include "guard_impl.h"
#include "netns_net.h"
#include "nl.h"

#define CLOSED 9999u             /* a port that nobody has */

static char err[256];

static struct guard *open_guard(void)
{
	struct guard *g = NULL;

	if (guard_open(&g, "v0", err, sizeof(err)))
		fail_msg("%s", err);
	return g;
}

/* ---- what the kernel does with a segment ---- */

static struct net_tcp segment(uint16_t dport, uint8_t flags)
{
	return (struct net_tcp){ .src = NET_PEER, .dst = NET_US, .sport = 5555, .dport = dport,
	                         .seq = 1000, .ack = 1, .flags = flags };
}

/* The flags of the kernel's answer to what was sent to port; 0: it didn't answer. */
static unsigned answer(uint16_t port)
{
	struct net_tcp marker = segment(CLOSED, NET_SYN), t;

	marker.sport = 5556;
	net_send(&marker);
	while (net_recv_tcp(&t)) {
		if (t.sport == port)
			return t.flags;
		if (t.sport == CLOSED)
			return 0;
	}
	fail_msg("no answer to the marker");
	return 0;
}

static unsigned answer_to(struct net_tcp t)
{
	net_drain();
	net_send(&t);
	return answer(t.dport);
}

static int kernel_socket(uint32_t addr, uint16_t port, int reuse)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port),
	                         .sin_addr.s_addr = htonl(addr) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), e;

	assert_true(fd >= 0);
	if (reuse) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse));
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &reuse, sizeof(reuse));
	}
	if (!bind(fd, (struct sockaddr *)&a, sizeof(a)))
		return fd;
	e = -errno;
	close(fd);
	return e;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	return ntohs(a.sin_port);
}

/* ---- what is there ---- */

static int count_table(const struct nlmsghdr *m, void *n)
{
	(void)m;
	++*(unsigned *)n;
	return MNL_CB_OK;
}

static unsigned tables(void)
{
	char buf[256];
	struct nlmsghdr *m = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *g;
	struct nl nl;
	unsigned n = 0;

	m->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE;
	m->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	g = mnl_nlmsg_put_extra_header(m, sizeof(*g));
	g->nfgen_family = AF_UNSPEC;
	assert_int_equal(nl_open(&nl, NETLINK_NETFILTER, 0), 0);
	assert_int_equal(nl_request(&nl, m, count_table, &n), 0);
	nl_close(&nl);
	return n;
}

static unsigned open_fds(void)
{
	unsigned n = 0;
	int fd;

	for (fd = 0; fd < 4096; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* ---- the kernel's TCP is kept away ---- */

static void claimed_port_segments_get_no_reset(void **state)
{
	struct guard *g = open_guard();

	(void)state;
	assert_true(answer_to(segment(40000, NET_SYN)) & NET_RST);
	assert_int_equal(guard_claim(g, NET_US, 40000), 0);
	assert_int_equal(answer_to(segment(40000, NET_SYN)), 0);
	assert_int_equal(answer_to(segment(40000, NET_ACK)), 0);
	assert_int_equal(answer_to(segment(40000, NET_SYN | NET_ACK)), 0);
	assert_int_equal(answer_to(segment(40000, NET_FIN | NET_ACK)), 0);
	assert_true(answer_to(segment(40001, NET_SYN)) & NET_RST);
	guard_close(g);
}

static void claimed_port_super_frame_is_dropped_too(void **state)
{
	struct guard *g = open_guard();
	struct net_tcp t = segment(40000, NET_ACK);

	(void)state;
	t.len = 60000;
	t.gso_size = 1448;
	assert_true(answer_to(t) & NET_RST);
	assert_int_equal(guard_claim(g, NET_US, 40000), 0);
	assert_int_equal(answer_to(t), 0);
	guard_close(g);
}

static void claimed_port_fragments_get_no_reset(void **state)
{
	struct guard *g = open_guard();
	struct net_tcp t = segment(40000, NET_ACK);

	(void)state;
	t.len = 400;
	t.frag_cut = 200;
	assert_true(answer_to(t) & NET_RST);
	assert_int_equal(guard_claim(g, NET_US, 40000), 0);
	assert_int_equal(answer_to(t), 0);
	guard_close(g);
}

static unsigned frames_to(struct netif *n, uint16_t port, size_t *len)
{
	struct netif_rx v[16];
	struct net_tcp t;
	unsigned found = 0;
	int i, got;

	while ((got = netif_receive(n, v, 16)) > 0) {
		for (i = 0; i < got; i++) {
			if (net_parse(v[i].data, v[i].len, &t) && t.dport == port) {
				found++;
				*len = v[i].len;
			}
		}
	}
	return found;
}

static void packet_socket_sees_what_is_dropped(void **state)
{
	const uint16_t ports[] = { 40000 };
	const struct afpacket_addr a = { NET_US, false, ports, 1 };
	const struct afpacket_filter f = { &a, 1, NULL };
	struct guard *g = open_guard();
	struct net_tcp t = segment(40000, NET_ACK);
	struct netif *n = NULL;
	size_t len = 0;

	(void)state;
	assert_int_equal(afpacket_open("v0", &n, err, sizeof(err)), 0);
	assert_int_equal(afpacket_set_filter(n, &f), 0);
	assert_int_equal(guard_claim(g, NET_US, 40000), 0);
	assert_int_equal(answer_to(segment(40000, NET_SYN)), 0);
	assert_int_equal(frames_to(n, 40000, &len), 1);
	t.len = 64000;
	t.gso_size = 1448;
	assert_int_equal(answer_to(t), 0);
	assert_int_equal(frames_to(n, 40000, &len), 1);
	assert_int_equal(len, 14 + 40 + 64000);
	netif_close(n);
	guard_close(g);
}

#define SHARED 45000             /* other tests must not find it in TIME-WAIT */

/* A kernel socket with SO_REUSEADDR on port SHARED, bound and no more. */
static int bind_sharing(uint32_t addr)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(SHARED), .sin_addr.s_addr = htonl(addr) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	if (!bind(fd, (struct sockaddr *)&a, sizeof(a)))
		return fd;
	assert_int_equal(errno, EADDRINUSE);
	close(fd);
	return -1;
}

static void reusing_claim_spares_who_would_share(void **state)
{
	struct guard *g = open_guard();
	int fd = bind_sharing(NET_US);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(guard_claim_reusing(g, NET_US, SHARED, false), -EADDRINUSE);
	assert_int_equal(guard_claim_reusing(g, 0, SHARED, false), -EADDRINUSE);
	assert_false(guard_has(g, NET_US, SHARED));
	close(fd);
	assert_int_equal(guard_claim_reusing(g, NET_US, SHARED, false), 0);
	assert_true(guard_has(g, NET_US, SHARED));
	assert_int_equal(bind_sharing(NET_US), -1);
	assert_int_equal(bind_sharing(0), -1);
	assert_int_equal(answer_to(segment(SHARED, NET_SYN)), 0);
	guard_release(g, NET_US, SHARED);
	guard_close(g);
}

/* The kernel's side of a connection that it closed first. */
static void reusing_claim_takes_a_port_in_timewait(void **state)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(SHARED), .sin_addr.s_addr = htonl(NET_US) };
	struct guard *g = open_guard(), *other = open_guard();
	int l = bind_sharing(NET_US), c = socket(AF_INET, SOCK_STREAM, 0), conn;
	char byte;

	(void)state;
	assert_int_equal(listen(l, 1), 0);
	assert_int_equal(connect(c, (struct sockaddr *)&a, sizeof(a)), 0);
	conn = accept(l, NULL, NULL);
	assert_true(conn >= 0);
	assert_int_equal(guard_claim_reusing(g, NET_US, SHARED, false), -EADDRINUSE);
	close(l);
	assert_int_equal(guard_claim_reusing(g, NET_US, SHARED, false), 0);     /* the host's with itself is left alone */
	assert_int_equal(write(c, "a", 1), 1);
	assert_int_equal(read(conn, &byte, 1), 1);
	guard_release(g, NET_US, SHARED);
	close(conn);
	close(c);
	assert_int_equal(guard_claim(g, NET_US, SHARED), -EADDRINUSE);
	assert_int_equal(guard_claim_sharing(g, NET_US, SHARED, -1), -EADDRINUSE);
	assert_int_equal(guard_claim_reusing(g, NET_US, SHARED, true), 0);
	assert_int_equal(bind_sharing(NET_US), -1);
	assert_int_equal(guard_claim_reusing(other, NET_US, SHARED, true), 0);
	guard_close(other);
	guard_close(g);
}

static void reusing_claim_spares_a_connection(void **state)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(1), .sin_addr.s_addr = htonl(NET_PEER) };
	struct guard *g = open_guard();
	int fd = bind_sharing(NET_US);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), -1);
	assert_int_equal(errno, EINPROGRESS);
	assert_int_equal(guard_claim_reusing(g, NET_US, SHARED, false), -EADDRINUSE);
	close(fd);
	assert_int_equal(guard_claim_reusing(g, NET_US, SHARED, false), 0);
	guard_close(g);
}

static void any_address_claim_drops_local_but_not_transit(void **state)
{
	struct guard *g = open_guard();
	struct net_tcp t = segment(40000, NET_SYN), seen;

	(void)state;
	net_run("ip addr add 10.99.0.5/24 dev v0");
	net_write("/proc/sys/net/ipv4/ip_forward", "1");
	net_write("/proc/sys/net/ipv4/conf/v0/send_redirects", "0");
	net_write("/proc/sys/net/ipv4/conf/all/send_redirects", "0");
	assert_int_equal(guard_claim(g, 0, 40000), 0);
	assert_true(guard_has(g, NET_US, 40000));
	assert_int_equal(answer_to(t), 0);
	t.dst = NET_US + 4;
	assert_int_equal(answer_to(t), 0);
	t.dst = 0x0a620001;              /* routed back to the wire */
	net_drain();
	net_send(&t);
	assert_true(net_recv_tcp(&seen));
	assert_int_equal(seen.dst, t.dst);
	guard_release(g, 0, 40000);
	assert_true(answer_to(segment(40000, NET_SYN)) & NET_RST);
	net_write("/proc/sys/net/ipv4/ip_forward", "0");
	net_run("ip addr del 10.99.0.5/24 dev v0");
	guard_close(g);
}

/* Sends the datagram that t is into the tun; the flags of the next TCP answer out of it. */
static unsigned tun_answer(int fd, struct net_tcp t)
{
	uint8_t ip[256];
	size_t len = net_build(&t, false, ip);
	struct pollfd p = { .fd = fd, .events = POLLIN };

	assert_int_equal(write(fd, ip, len), len);
	if (poll(&p, 1, 2000) <= 0)
		return 0;
	assert_true(read(fd, ip, sizeof(ip)) >= 40);
	assert_int_equal(ip[9], IPPROTO_TCP);
	return (unsigned)ip[20] << 8 | ip[21];
}

static void claimed_port_of_a_tun_device_gets_no_reset(void **state)
{
	struct ifreq r = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	struct net_tcp t = segment(40000, NET_SYN);
	uint8_t ip[256];
	struct guard *g;

	(void)state;
	strcpy(r.ifr_name, "t0");
	if (fd < 0 || ioctl(fd, TUNSETIFF, &r))
		skip();
	net_run("ip addr add 10.96.0.1/24 dev t0 && ip link set t0 up");
	assert_int_equal(guard_open(&g, "t0", err, sizeof(err)), 0);
	t.src = 0x0a600002;
	t.dst = 0x0a600001;
	assert_int_equal(tun_answer(fd, t), 40000);
	assert_int_equal(guard_claim(g, t.dst, 40000), 0);
	assert_int_equal(write(fd, ip, net_build(&t, false, ip)), 40);
	t.dport = CLOSED;
	assert_int_equal(tun_answer(fd, t), CLOSED);
	guard_close(g);
	close(fd);
}

/* ---- the kernel's programs are left alone ---- */

static void kernel_listener_and_connection_are_undisturbed(void **state)
{
	struct guard *g = open_guard();
	int l = kernel_socket(INADDR_ANY, 8080, 0), c, i;
	struct net_tcp t;
	char buf[100];

	(void)state;
	assert_int_equal(listen(l, 5), 0);
	for (i = 0; i < 100; i++)
		assert_int_equal(guard_claim(g, NET_US, (uint16_t)(40000 + i)), 0);
	net_drain();
	t = segment(8080, NET_SYN);
	net_send(&t);
	assert_true(net_recv_tcp(&t));
	assert_int_equal(t.flags, NET_SYN | NET_ACK);
	t.ack = t.seq + 1;
	t = (struct net_tcp){ .src = NET_PEER, .dst = NET_US, .sport = 5555, .dport = 8080,
	                      .seq = 1001, .ack = t.seq + 1, .flags = NET_ACK | NET_PSH, .len = 100 };
	net_send(&t);
	assert_int_equal(answer(8080), NET_ACK);
	c = accept(l, NULL, NULL);
	assert_true(c >= 0);
	assert_int_equal(read(c, buf, sizeof(buf)), 100);
	close(c);
	close(l);
	guard_close(g);
}

static void port_of_the_kernel_can_not_be_claimed(void **state)
{
	struct guard *g = open_guard();
	int fd = kernel_socket(NET_US, 40000, 0);

	(void)state;
	assert_int_equal(guard_claim(g, NET_US, 40000), -EADDRINUSE);
	assert_int_equal(guard_claim(g, 0, 40000), -EADDRINUSE);
	close(fd);
	fd = kernel_socket(INADDR_ANY, 40000, 1);
	assert_int_equal(guard_claim(g, NET_US, 40000), -EADDRINUSE);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(guard_claim(g, NET_US, 40000), -EADDRINUSE);
	close(fd);
	assert_int_equal(guard_claim(g, NET_US, 40000), 0);
	assert_int_equal(guard_claim(g, NET_US + 100, 40000), -EADDRNOTAVAIL);
	assert_int_equal(guard_count(g), 1);
	guard_close(g);
}

static void port_of_a_kernel_connection_or_time_wait_can_not_be_claimed(void **state)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(NET_US) };
	struct guard *g = open_guard();
	int l = kernel_socket(NET_US, 8081, 1), c, s;
	uint16_t port;

	(void)state;
	assert_int_equal(listen(l, 1), 0);
	a.sin_port = htons(8081);
	c = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(c, (struct sockaddr *)&a, sizeof(a)), 0);
	port = port_of(c);
	s = accept(l, NULL, NULL);
	assert_int_equal(guard_claim(g, NET_US, port), -EADDRINUSE);
	close(c);                        /* the first to close has the TIME-WAIT */
	close(s);
	close(l);
	assert_int_equal(guard_claim(g, NET_US, port), -EADDRINUSE);
	guard_close(g);
}

static void claimed_port_is_refused_to_kernel_programs(void **state)
{
	struct guard *g = open_guard();
	int on;

	(void)state;
	assert_int_equal(guard_claim(g, NET_US, 40000), 0);
	for (on = 0; on < 2; on++) {
		assert_int_equal(kernel_socket(NET_US, 40000, on), -EADDRINUSE);
		assert_int_equal(kernel_socket(INADDR_ANY, 40000, on), -EADDRINUSE);
	}
	guard_close(g);
}

static void ports_that_the_kernel_chooses_are_not_claimed_ones(void **state)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(NET_PEER),
	                         .sin_port = htons(80) };
	struct guard *g = open_guard();
	int fd[8], i;

	(void)state;
	net_write("/proc/sys/net/ipv4/ip_local_port_range", "40000 40015");
	for (i = 0; i < 16; i += 2)
		assert_int_equal(guard_claim(g, NET_US, (uint16_t)(40000 + i)), 0);
	for (i = 0; i < 8; i++) {
		fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (i < 4)
			assert_true(connect(fd[i], (struct sockaddr *)&a, sizeof(a)) < 0 && errno == EINPROGRESS);
		else
			assert_int_equal(bind(fd[i], (struct sockaddr *)&(struct sockaddr_in){
				.sin_family = AF_INET }, sizeof(a)), 0);
		assert_int_equal(port_of(fd[i]) & 1, 1);
	}
	assert_true(kernel_socket(NET_US, 0, 0) == -EADDRINUSE);
	for (i = 0; i < 8; i++)
		close(fd[i]);
	net_write("/proc/sys/net/ipv4/ip_local_port_range", NET_PORTS);
	guard_close(g);
}

/* ---- claims come and go ---- */

static void released_port_is_the_kernels_again(void **state)
{
	struct guard *g = open_guard();
	int fd;

	(void)state;
	assert_int_equal(guard_claim(g, NET_US, 40000), 0);
	assert_int_equal(guard_claim(g, NET_US, 40000), 0);
	assert_int_equal(guard_count(g), 1);
	guard_release(g, NET_US, 40000);
	guard_release(g, NET_US, 40000);
	assert_int_equal(guard_count(g), 0);
	assert_false(guard_has(g, NET_US, 40000));
	assert_true(answer_to(segment(40000, NET_SYN)) & NET_RST);
	fd = kernel_socket(NET_US, 40000, 0);
	assert_true(fd >= 0);
	close(fd);
	guard_close(g);
}

static void batch_is_granted_where_it_can_be(void **state)
{
	const uint16_t ports[] = { 40003, 40001, 40000, 40001, 40002 };
	struct guard *g = open_guard();
	int fd = kernel_socket(NET_US, 40000, 0);
	uint16_t got[8] = { 0 };
	bool granted[5];

	(void)state;
	assert_int_equal(guard_claim_many(g, NET_US, ports, 5, granted), 0);
	assert_true(granted[0] && granted[1] && !granted[2] && granted[3] && granted[4]);
	assert_int_equal(guard_ports(g, NET_US, got, 8), 3);
	assert_int_equal(got[0], 40001);
	assert_int_equal(got[2], 40003);
	assert_int_equal(guard_ports(g, NET_US, got, 1), 3);
	assert_int_equal(guard_ports(g, NET_PEER, got, 8), 0);
	assert_int_equal(answer_to(segment(40002, NET_SYN)), 0);
	assert_true(answer_to(segment(40000, NET_SYN)) & NET_RST);
	assert_int_equal(guard_claim_many(g, NET_US, ports + 2, 1, granted), 0);
	assert_false(granted[0]);
	close(fd);
	guard_close(g);
}

static void two_guards_share_a_device(void **state)
{
	struct guard *a = open_guard(), *b = open_guard();

	(void)state;
	assert_int_equal(tables(), 2);
	assert_int_equal(guard_claim(a, NET_US, 40000), 0);
	assert_int_equal(guard_claim(b, NET_US, 40000), -EADDRINUSE);
	assert_int_equal(guard_claim(b, NET_US, 40001), 0);
	assert_int_equal(answer_to(segment(40000, NET_SYN)), 0);
	assert_int_equal(answer_to(segment(40001, NET_SYN)), 0);
	guard_close(a);
	assert_true(answer_to(segment(40000, NET_SYN)) & NET_RST);
	assert_int_equal(answer_to(segment(40001, NET_SYN)), 0);
	assert_int_equal(guard_claim(b, NET_US, 40000), 0);
	guard_close(b);
	assert_int_equal(tables(), 0);
}

static void fds_are_high_and_end_at_exec(void **state)
{
	unsigned before = open_fds(), i, n;
	struct guard *g = open_guard();
	int fds[8];

	(void)state;
	assert_int_equal(guard_claim(g, NET_US, 40000), 0);
	assert_int_equal(guard_claim(g, 0, 40001), 0);
	n = guard_fds(g, fds, 8);
	assert_int_equal(n, 3);
	for (i = 0; i < n; i++) {
		assert_true(fds[i] >= 512);
		assert_int_equal(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
	}
	guard_close(g);
	assert_int_equal(open_fds(), before);
}

static void no_fd_left_is_an_error_that_leaves_nothing(void **state)
{
	struct rlimit old, few;
	struct guard *g = open_guard();
	int low, err_code = 0;
	unsigned port;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &old);
	few = old;
	few.rlim_cur = 64;
	setrlimit(RLIMIT_NOFILE, &few);
	for (port = 40000; !err_code && port < 40100; port++)
		err_code = guard_claim(g, NET_US, (uint16_t)port);
	assert_int_equal(err_code, -EMFILE);
	assert_int_equal(guard_count(g), port - 40000 - 1);
	setrlimit(RLIMIT_NOFILE, &old);
	low = dup(0);
	assert_true(low >= 0);
	close(low);
	assert_int_equal(guard_claim(g, NET_US, (uint16_t)(port - 1)), 0);
	guard_close(g);
}

/* ---- nothing is left ---- */

/* A process that holds a guard with claims, and waits. */
static pid_t holder(int ready[2])
{
	const uint16_t ports[] = { 40000, 40001, 40002 };
	bool granted[3];
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (guard_claim_many(open_guard(), NET_US, ports, 3, granted))
		_exit(1);
	if (write(ready[1], "x", 1) == 1)
		pause();
	_exit(0);
}

static void killed_process_leaves_nothing(void **state)
{
	int ready[2], fd, status;
	pid_t pid = holder(ready);
	char c;

	(void)state;
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(tables(), 1);
	assert_int_equal(answer_to(segment(40001, NET_SYN)), 0);
	assert_int_equal(kernel_socket(NET_US, 40001, 0), -EADDRINUSE);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(tables(), 0);
	fd = kernel_socket(NET_US, 40001, 0);
	assert_true(fd >= 0);
	close(fd);
	assert_true(answer_to(segment(40001, NET_SYN)) & NET_RST);
	close(ready[0]);
	close(ready[1]);
}

static void forked_child_lets_go_without_harm(void **state)
{
	struct guard *g = open_guard();
	int status, hold[2];
	pid_t pid;

	(void)state;
	assert_int_equal(guard_claim(g, NET_US, 40000), 0);
	pid = fork();
	if (!pid) {
		guard_close(g);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(answer_to(segment(40000, NET_SYN)), 0);
	/* A child that still holds its copies doesn't keep the table. */
	assert_int_equal(pipe(hold), 0);
	pid = fork();
	if (!pid) {
		char c;

		close(hold[1]);
		_exit(read(hold[0], &c, 1) == 0 ? 0 : 1);
	}
	close(hold[0]);
	guard_close(g);
	assert_int_equal(tables(), 0);
	assert_true(answer_to(segment(40000, NET_SYN)) & NET_RST);
	close(hold[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

/* At the end of a process: the table goes at once, the ports when the process has gone. */
static void ended_guard_drops_nothing_and_holds_its_ports(void **state)
{
	struct guard *g = open_guard();
	unsigned before = open_fds();
	int fds[2];

	(void)state;
	assert_int_equal(guard_claim(g, NET_US, 40000), 0);
	assert_int_equal(answer_to(segment(40000, NET_SYN)), 0);
	guard_end(g);
	assert_int_equal(tables(), 0);
	assert_true(answer_to(segment(40000, NET_SYN)) & NET_RST);
	assert_int_equal(kernel_socket(NET_US, 40000, 1), -EADDRINUSE);
	assert_int_equal(open_fds(), before + 1);
	assert_int_equal(guard_fds(g, fds, 2), 2);
	assert_true(send(fds[0], "", 0, MSG_NOSIGNAL) < 0 && errno == ENOTSOCK);
	guard_close(g);
	assert_int_equal(open_fds(), before - 1);
}

/* ---- the broker ---- */

/* A guard whose changes a child makes. */
static pid_t delegate(struct guard **g)
{
	int ends[2];
	pid_t pid;

	*g = open_guard();
	assert_int_equal(guard_broker_pair(ends), 0);
	pid = fork();
	if (!pid) {
		close(ends[0]);
		guard_serve(*g, ends[1]);
		_exit(0);
	}
	close(ends[1]);
	guard_delegate(*g, ends[0]);
	return pid;
}

/* What the broker answers to a request for one port, with this socket (-1: none). */
static int ask(struct guard *g, bool is_add, uint32_t addr, uint16_t port, int fd)
{
	struct guard_request rq = { .addr = addr, .n = 1, .is_add = is_add, .ports = { port } };
	struct iovec iov = { &rq, sizeof(rq) };
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} u = { .room = { 0 } };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;
	int32_t answer = 1;

	if (fd >= 0) {
		m.msg_control = &u;
		m.msg_controllen = sizeof(u);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	assert_int_equal(sendmsg(g->broker, &m, 0), sizeof(rq));
	assert_int_equal(recv(g->broker, &answer, sizeof(answer), 0), sizeof(answer));
	return answer;
}

static void broker_makes_changes_and_ends_with_the_asker(void **state)
{
	struct guard *g;
	pid_t pid = delegate(&g);
	int status, fd;

	(void)state;
	assert_int_equal(guard_claim(g, NET_US, 40000), 0);
	assert_int_equal(guard_claim_sharing(g, 0, 40001, -1), 0);
	assert_int_equal(answer_to(segment(40000, NET_SYN)), 0);
	assert_int_equal(answer_to(segment(40001, NET_SYN)), 0);
	guard_release(g, NET_US, 40000);
	assert_true(answer_to(segment(40000, NET_SYN)) & NET_RST);
	fd = kernel_socket(NET_US, 40000, 0);
	assert_true(fd >= 0);
	close(fd);
	guard_close(g);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(tables(), 0);
	assert_true(answer_to(segment(40001, NET_SYN)) & NET_RST);
}

/* With the last close of a netlink socket go the tables of its address, wherever and whenever that is: a broker's
 * end is handed to the kernel's collector. */
static void end_of_an_earlier_guard_takes_no_table_along(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < 50; i++) {
		struct guard *g;
		pid_t pid = delegate(&g);

		guard_close(g);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		assert_int_equal(tables(), 0);
		g = open_guard();
		usleep(1000);
		assert_int_equal(guard_claim(g, NET_US, 40000), 0);
		guard_close(g);
	}
	assert_int_equal(tables(), 0);
}

static void broker_drops_no_port_that_the_asker_has_not(void **state)
{
	struct guard *g;
	pid_t pid = delegate(&g);
	int server = kernel_socket(NET_US, 40000, 0), other = kernel_socket(NET_US, 40002, 0);
	int udp = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(NET_US), .sin_port = htons(40003) };

	(void)state;
	assert_true(server >= 0 && other >= 0);
	assert_int_equal(bind(udp, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(ask(g, true, NET_US, 40000, -1), -EINVAL);
	assert_int_equal(ask(g, true, NET_US, 40000, other), -EPERM);
	assert_int_equal(ask(g, true, 0, 40002, other), -EPERM);
	assert_int_equal(ask(g, true, NET_US, 40003, udp), -EPERM);
	assert_int_equal(ask(g, true, NET_US, 0, other), -EPERM);
	assert_int_equal(ask(g, false, NET_US, 40002, other), -EINVAL);
	assert_int_equal(ask(g, false, NET_US, 40002, -1), -ENOENT);
	assert_int_equal(ask(g, true, NET_US, 40002, other), 0);
	assert_int_equal(ask(g, true, NET_US, 40002, other), -EEXIST);
	assert_int_equal(send(g->broker, "x", 1, 0), 1);
	assert_int_equal(recv(g->broker, &a, sizeof(a), 0), sizeof(int32_t));
	/* Nobody gets the port as long as it is dropped. */
	close(other);
	assert_int_equal(kernel_socket(NET_US, 40002, 1), -EADDRINUSE);
	assert_int_equal(ask(g, false, NET_US, 40002, -1), 0);
	other = kernel_socket(NET_US, 40002, 1);
	assert_true(other >= 0);
	close(other);
	close(server);
	close(udp);
	guard_close(g);
	waitpid(pid, NULL, 0);
}

static void broker_that_died_is_eperm(void **state)
{
	struct guard *g;
	pid_t pid = delegate(&g);

	(void)state;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(guard_claim(g, NET_US, 40000), -EPERM);
	assert_int_equal(guard_claim(g, NET_US, 40000), -EPERM);
	guard_close(g);
	assert_int_equal(tables(), 0);
}

static void without_the_capability_one_sentence_says_so(void **state)
{
	struct guard *g = NULL;
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	if (!pid) {
		if (setuid(65534))
			_exit(2);
		status = guard_open(&g, "v0", err, sizeof(err));
		_exit(!(status == -EPERM && strstr(err, "CAP_NET_ADMIN") && !strchr(err, '\n')));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* ---- what it costs; printed, not judged ---- */

static double us_since(const struct timespec *t)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - t->tv_sec) * 1e6 + (double)(now.tv_nsec - t->tv_nsec) / 1e3;
}

static void cost_of_claims(void **state)
{
	static const unsigned sizes[] = { 1, 16, 64 };
	struct guard *g = open_guard();
	unsigned i, k, base = 20000;
	uint16_t ports[64];
	bool granted[64];
	struct timespec t;

	(void)state;
	for (i = 0; i < 3; i++) {
		unsigned rounds = 256 / sizes[i], r;

		clock_gettime(CLOCK_MONOTONIC, &t);
		for (r = 0; r < rounds; r++) {
			for (k = 0; k < sizes[i]; k++)
				ports[k] = (uint16_t)base++;
			assert_int_equal(guard_claim_many(g, NET_US, ports, sizes[i], granted), 0);
		}
		printf("# claims of %u: %.1f us each claim\n", sizes[i], us_since(&t) / 256);
	}
	clock_gettime(CLOCK_MONOTONIC, &t);
	for (i = 20000; i < 20064; i++)
		guard_release(g, NET_US, (uint16_t)i);
	printf("# release: %.1f us\n", us_since(&t) / 64);
	clock_gettime(CLOCK_MONOTONIC, &t);
	guard_close(g);
	printf("# close with 768 claims: %.1f us\n", us_since(&t));
	clock_gettime(CLOCK_MONOTONIC, &t);
	g = open_guard();
	printf("# open: %.1f us\n", us_since(&t));
	assert_int_equal(guard_claim(g, NET_US, 40000), 0);
	clock_gettime(CLOCK_MONOTONIC, &t);
	guard_close(g);
	printf("# close with 1 claim: %.1f us\n", us_since(&t));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(claimed_port_segments_get_no_reset),
		cmocka_unit_test(claimed_port_super_frame_is_dropped_too),
		cmocka_unit_test(claimed_port_fragments_get_no_reset),
		cmocka_unit_test(packet_socket_sees_what_is_dropped),
		cmocka_unit_test(claimed_port_of_a_tun_device_gets_no_reset),
		cmocka_unit_test(reusing_claim_spares_who_would_share),
		cmocka_unit_test(reusing_claim_takes_a_port_in_timewait),
		cmocka_unit_test(reusing_claim_spares_a_connection),
		cmocka_unit_test(any_address_claim_drops_local_but_not_transit),
		cmocka_unit_test(kernel_listener_and_connection_are_undisturbed),
		cmocka_unit_test(port_of_the_kernel_can_not_be_claimed),
		cmocka_unit_test(port_of_a_kernel_connection_or_time_wait_can_not_be_claimed),
		cmocka_unit_test(claimed_port_is_refused_to_kernel_programs),
		cmocka_unit_test(ports_that_the_kernel_chooses_are_not_claimed_ones),
		cmocka_unit_test(released_port_is_the_kernels_again),
		cmocka_unit_test(batch_is_granted_where_it_can_be),
		cmocka_unit_test(two_guards_share_a_device),
		cmocka_unit_test(fds_are_high_and_end_at_exec),
		cmocka_unit_test(no_fd_left_is_an_error_that_leaves_nothing),
		cmocka_unit_test(killed_process_leaves_nothing),
		cmocka_unit_test(forked_child_lets_go_without_harm),
		cmocka_unit_test(ended_guard_drops_nothing_and_holds_its_ports),
		cmocka_unit_test(broker_makes_changes_and_ends_with_the_asker),
		cmocka_unit_test(end_of_an_earlier_guard_takes_no_table_along),
		cmocka_unit_test(broker_drops_no_port_that_the_asker_has_not),
		cmocka_unit_test(broker_that_died_is_eperm),
		cmocka_unit_test(without_the_capability_one_sentence_says_so),
		cmocka_unit_test(cost_of_claims),
	};

	net_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
