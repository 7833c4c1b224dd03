/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netns_afpacket.c - the packet socket on a veth and on a tun device: frames and
 * super-frames both ways, the filter in the kernel, interfaces that go down and away.
 */
#define _GNU_SOURCE 1
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "afpacket.h"
#include "netns_net.h"

/* An address that the kernel under test doesn't have: it won't answer. */
#define FAR (NET_US + 8)

static char err[512];

static struct netif *open_all(const char *ifname)
{
	struct netif *n = NULL;

	if (afpacket_open(ifname, &n, err, sizeof(err)))
		fail_msg("%s", err);
	assert_int_equal(afpacket_set_filter(n, NULL), 0);
	return n;
}

static struct net_tcp segment(size_t len, uint16_t gso_size)
{
	return (struct net_tcp){ .src = NET_PEER, .dst = FAR, .sport = 80, .dport = 40000,
	                         .seq = 1, .ack = 1, .flags = NET_ACK, .len = len,
	                         .gso_size = gso_size };
}

/* What netif sends: the same segment, the other way. */
static struct net_tcp reply(size_t len, uint16_t gso_size)
{
	struct net_tcp t = segment(len, gso_size);

	t.src = FAR;
	t.dst = NET_PEER;
	return t;
}

/* Frames that arrive within a moment; the kernel hands them over before send returns, or, at
 * the latest, when it gets to its softirqs. */
static int receive(struct netif *n, struct netif_rx *v, unsigned max)
{
	struct pollfd p = { .fd = netif_fd(n), .events = POLLIN };

	if (poll(&p, 1, 2000) <= 0)
		return 0;
	return netif_receive(n, v, max);
}

static void send_frame(struct netif *n, uint8_t *frame, size_t len, const struct net_tcp *t)
{
	const size_t l3 = n->info.link == NETIF_ETHER ? ETH_HLEN : 0;
	struct netif_tx tx = { .iov = { { frame, l3 }, { frame + l3, 40 },
	                                { frame + l3 + 40, len - l3 - 40 } }, .iovcnt = 3 };

	if (t->gso_size) {
		tx.vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		tx.vnet.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		tx.vnet.gso_size = t->gso_size;
		tx.vnet.hdr_len = (uint16_t)(l3 + 40);
		tx.vnet.csum_start = (uint16_t)(l3 + 20);
		tx.vnet.csum_offset = 16;
	}
	assert_int_equal(netif_transmit(n, &tx, 1), 1);
}

/* ---- receiving ---- */

static void frames_come_in_order_as_they_were_sent(void **state)
{
	struct netif *n = open_all("v0");
	struct netif_rx v[8];
	struct net_tcp t;
	int i;

	(void)state;
	assert_int_equal(n->info.link, NETIF_ETHER);
	assert_true(n->info.has_vnet && n->info.is_up && n->info.has_arp);
	assert_int_equal(n->info.mtu, 1500);
	assert_memory_equal(n->info.mac, "\2\0\0\0\0\1", 6);
	for (i = 0; i < 5; i++) {
		t = segment((size_t)i, 0);
		net_send(&t);
	}
	assert_int_equal(receive(n, v, 3), 3);
	assert_int_equal(v[2].len, ETH_HLEN + 42);
	assert_true(net_parse(v[1].data, v[1].len, &t));
	assert_int_equal(t.len, 1);
	assert_int_equal(v[0].vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM, 0);
	assert_int_equal(netif_receive(n, v, 8), 2);
	assert_int_equal(netif_receive(n, v, 8), 0);
	netif_close(n);
}

static void super_frame_comes_whole_with_its_header(void **state)
{
	struct netif *n = open_all("v0");
	struct net_tcp t = segment(65000, 1448);
	struct netif_rx v;

	(void)state;
	net_send(&t);
	assert_int_equal(receive(n, &v, 1), 1);
	assert_int_equal(v.len, ETH_HLEN + 40 + 65000);
	assert_int_equal(v.vnet.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	assert_int_equal(v.vnet.gso_size, 1448);
	assert_int_equal(v.vnet.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	assert_int_equal(v.vnet.csum_start, ETH_HLEN + 20);
	assert_int_equal(v.data[ETH_HLEN + 40 + 64999], (uint8_t)(64999 * 7));
	netif_close(n);
}

/* Once frames are large the next one is shown first, and then received in pieces. */
static void large_frame_is_received_in_pieces(void **state)
{
	struct netif *n = open_all("v0");
	struct net_tcp t = segment(65000, 1448);
	const size_t head = ETH_HLEN + 40;
	static uint8_t a[3001], b[65000];
	const struct iovec to[2] = { { a, sizeof(a) }, { b, 65000 - sizeof(a) } };
	struct netif_rx v;

	(void)state;
	assert_false(netif_expects_large(n));
	net_send(&t);
	assert_int_equal(receive(n, &v, 1), 1);
	assert_true(netif_expects_large(n));
	assert_int_equal(netif_peek(n, &v), -EAGAIN);
	net_send(&t);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(netif_peek(n, &v), 0);
		assert_int_equal(v.len, head + 65000);
		assert_int_equal(v.vnet.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
		assert_memory_equal(v.data, "\2\0\0\0\0\1", 6);
	}
	assert_int_equal(netif_receive_into(n, &v, head, to, 2), 1);
	assert_int_equal(v.len, head + 65000);
	assert_true(net_parse(v.data, head, &t));
	for (size_t i = 0; i < 65000; i++)
		assert_int_equal(i < sizeof(a) ? a[i] : b[i - sizeof(a)], (uint8_t)(i * 7));
	assert_int_equal(netif_receive(n, &v, 1), 0);
	t = segment(100, 0);
	net_send(&t);
	assert_int_equal(receive(n, &v, 1), 1);
	assert_false(netif_expects_large(n));
	netif_close(n);
}

static void memory_that_is_none_loses_the_frame_alone(void **state)
{
	struct netif *n = open_all("v0");
	struct net_tcp t = segment(65000, 1448);
	const struct iovec to = { (void *)(uintptr_t)8, 65000 };
	struct netif_rx v;

	(void)state;
	net_send(&t);
	assert_int_equal(receive(n, &v, 1), 1);
	net_send(&t);
	net_send(&t);
	assert_int_equal(netif_peek(n, &v), 0);
	assert_int_equal(netif_receive_into(n, &v, ETH_HLEN + 40, &to, 1), -EFAULT);
	assert_int_equal(receive(n, &v, 1), 1);
	assert_int_equal(netif_receive(n, &v, 1), 0);
	netif_close(n);
}

static void what_the_host_sends_is_not_seen(void **state)
{
	struct netif *n = open_all("v0");
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(9),
	                         .sin_addr.s_addr = htonl(NET_PEER) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct netif_rx v;

	(void)state;
	assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&a, sizeof(a)), 1);
	assert_int_equal(netif_receive(n, &v, 1), 0);
	close(fd);
	netif_close(n);
}

static void nothing_passes_before_the_filter_is_set(void **state)
{
	const uint16_t port = 40000;
	const struct afpacket_addr a = { FAR, false, &port, 1 };
	const struct afpacket_filter f = { &a, 1, NULL };
	struct net_tcp t = segment(1, 0);
	struct netif *n = NULL;
	struct netif_rx v[4];

	(void)state;
	assert_int_equal(afpacket_open("v0", &n, err, sizeof(err)), 0);
	net_send(&t);
	assert_int_equal(afpacket_set_filter(n, &f), 0);
	t.dport = 40001;
	net_send(&t);
	t = segment(2, 0);
	net_send(&t);
	assert_int_equal(receive(n, v, 4), 1);
	assert_int_equal(v[0].len, ETH_HLEN + 42);
	netif_close(n);
}

static void large_filter_is_accepted_and_exact(void **state)
{
	uint16_t ports[3000];
	const struct afpacket_addr a = { FAR, false, ports, 3000 };
	const struct afpacket_filter f = { &a, 1, NULL };
	struct net_tcp t = segment(1, 0);
	struct netif *n = open_all("v0");
	struct netif_rx v[4];
	unsigned i;

	(void)state;
	for (i = 0; i < 3000; i++)
		ports[i] = (uint16_t)(40000 + 2 * i);
	assert_int_equal(afpacket_set_filter(n, &f), 0);
	for (i = 0; i < 6; i++) {
		t.dport = (uint16_t)(41000 + i);
		net_send(&t);
	}
	t.dport = 45998;
	net_send(&t);
	assert_int_equal(receive(n, v, 4), 4);
	assert_int_equal(netif_receive(n, v, 4), 0);
	netif_close(n);
}

static void locked_filter_can_not_be_changed(void **state)
{
	struct netif *n = open_all("v0");

	(void)state;
	assert_int_equal(afpacket_lock_filter(n), 0);
	assert_int_equal(afpacket_set_filter(n, NULL), -EPERM);
	netif_close(n);
}

static void vlan_frames_are_not_ours_priority_tagged_ones_are(void **state)
{
	const uint16_t port = 40000;
	const struct afpacket_addr a = { FAR, false, &port, 1 };
	const struct afpacket_filter f = { &a, 1, NULL };
	struct net_tcp t = segment(1, 0);
	struct netif *n = open_all("v0");
	uint8_t frame[128];
	struct netif_rx v[4];
	size_t len = net_build(&t, true, frame);

	(void)state;
	assert_int_equal(afpacket_set_filter(n, &f), 0);
	memmove(frame + 16, frame + 12, len - 12);
	memcpy(frame + 12, "\x81\0\0\5", 4);
	net_send_raw(frame, len + 4);
	memcpy(frame + 12, "\x81\0\xe0\0", 4);
	net_send_raw(frame, len + 4);
	assert_int_equal(receive(n, v, 4), 1);
	assert_int_equal(v[0].len, len);
	netif_close(n);
}

static void frames_without_room_are_counted(void **state)
{
	struct netif *n = open_all("v0");
	struct net_tcp t = segment(1, 0);
	int small = 2048, i;

	(void)state;
	setsockopt(netif_fd(n), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	for (i = 0; i < 20; i++)
		net_send(&t);
	assert_true(afpacket_take_drops(n) > 0);
	assert_int_equal(afpacket_take_drops(n), 0);
	netif_close(n);
}

/* ---- transmitting ---- */

static void pieces_leave_as_one_frame(void **state)
{
	struct netif *n = open_all("v0");
	struct net_tcp t = reply(1400, 0), seen;
	uint8_t frame[2000];
	size_t len = net_build(&t, true, frame);

	(void)state;
	net_drain();
	send_frame(n, frame, len, &t);
	assert_true(net_recv_tcp(&seen));
	assert_int_equal(seen.len, 1400);
	assert_int_equal(seen.dport, 40000);
	netif_close(n);
}

static void super_frame_leaves_whole(void **state)
{
	static uint8_t frame[NET_FRAME_MAX];
	struct netif *n = open_all("v0");
	struct net_tcp t = reply(65000, 1448), seen;
	size_t len = net_build(&t, true, frame);

	(void)state;
	net_drain();
	send_frame(n, frame, len, &t);
	assert_true(net_recv_tcp(&seen));
	assert_int_equal(seen.len, 65000);
	netif_close(n);
}

static void super_frame_is_split_where_the_interface_can_not(void **state)
{
	static uint8_t frame[NET_FRAME_MAX];
	struct netif *n = open_all("v0");
	struct net_tcp t = reply(4000, 1000), seen;
	size_t len = net_build(&t, true, frame);
	int i;

	(void)state;
	if (system("command -v ethtool >/dev/null"))
		skip();
	net_run("ethtool -K v0 tso off gso off tx off >/dev/null 2>&1");
	net_drain();
	send_frame(n, frame, len, &t);
	for (i = 0; i < 4; i++) {
		assert_true(net_recv(frame, &len));
		assert_true(net_parse(frame, len, &seen));
		assert_int_equal(seen.len, 1000);
		assert_int_equal(net_sum(frame + 34, 1020, net_sum(frame + 26, 8, 6 + 1020)), 0xffff);
	}
	net_run("ethtool -K v0 tso on gso on tx on >/dev/null 2>&1");
	netif_close(n);
}

static void batch_leaves_in_order_and_too_long_is_told(void **state)
{
	static uint8_t frame[3][2000];
	struct netif *n = open_all("v0");
	struct netif_tx tx[3] = { 0 };
	struct net_tcp t, seen;
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		t = reply((size_t)(i == 2 ? 1600 : 100 + i), 0);
		tx[i].iov[0] = (struct iovec){ frame[i], net_build(&t, true, frame[i]) };
		tx[i].iovcnt = 1;
	}
	net_drain();
	assert_int_equal(netif_transmit(n, tx, 3), 2);
	assert_int_equal(netif_transmit(n, tx + 2, 1), -EMSGSIZE);
	for (i = 0; i < 2; i++) {
		assert_true(net_recv_tcp(&seen));
		assert_int_equal(seen.len, 100 + i);
	}
	netif_close(n);
}

/* ---- sockets of others ---- */

static int packet_socket(int protocol, bool is_bound)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons((uint16_t)protocol) };
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	at.sll_ifindex = (int)if_nametoindex("v0");
	assert_true(fd >= 0);
	if (is_bound)
		assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static void given_socket_without_vnet_works_and_marks_partial_checksums(void **state)
{
	struct netif *n = NULL;
	struct net_tcp t = segment(3000, 1448);
	struct netif_rx v[2];
	int i;

	(void)state;
	assert_int_equal(afpacket_from_fd(packet_socket(ETH_P_ALL, true), &n, err, sizeof(err)), 0);
	assert_false(n->info.has_vnet);
	assert_int_equal(n->info.gso_max, 0);
	for (i = 0; i < 2; i++) {
		net_send(&t);
		assert_int_equal(receive(n, v, 2), 1);
		assert_int_equal(v[0].len, ETH_HLEN + 40 + 3000);
		assert_int_equal(v[0].vnet.flags, VIRTIO_NET_HDR_F_DATA_VALID);
	}
	t = segment(10, 0);
	net_send(&t);
	assert_int_equal(receive(n, v, 2), 1);
	assert_int_equal(v[0].vnet.flags, 0);
	netif_close(n);
}

static void what_is_no_packet_socket_is_refused_and_closed(void **state)
{
	struct netif *n = NULL;
	int fd[2];

	(void)state;
	assert_int_equal(pipe(fd), 0);
	assert_int_equal(afpacket_from_fd(fd[0], &n, err, sizeof(err)), -ENOTSOCK);
	assert_int_equal(fcntl(fd[0], F_GETFD), -1);
	assert_int_equal(afpacket_from_fd(socket(AF_INET, SOCK_DGRAM, 0), &n, err, sizeof(err)), -EINVAL);
	assert_int_equal(afpacket_from_fd(packet_socket(ETH_P_ALL, false), &n, err, sizeof(err)), -EINVAL);
	close(fd[1]);
}

static void fd_is_high_and_ends_at_exec(void **state)
{
	struct netif *n = open_all("v0");

	(void)state;
	assert_true(netif_fd(n) >= 512);
	assert_int_equal(fcntl(netif_fd(n), F_GETFD), FD_CLOEXEC);
	netif_close(n);
}

/* ---- interfaces that change ---- */

static void interface_down_and_up_is_told_and_survived(void **state)
{
	struct netif *n = open_all("v0");
	struct net_tcp t = segment(5, 0), r = reply(5, 0);
	struct netif_rx v[4];
	uint8_t frame[128];
	struct netif_tx tx = { .iov = { { frame, net_build(&r, true, frame) } }, .iovcnt = 1 };

	(void)state;
	net_run("ip link set v0 down");
	assert_int_equal(netif_receive(n, v, 4), -ENETDOWN);
	assert_int_equal(netif_receive(n, v, 4), 0);
	assert_int_equal(netif_transmit(n, &tx, 1), -ENETDOWN);
	assert_int_equal(netif_refresh(n), 0);
	assert_false(n->info.is_up);
	net_run("ip link set v0 mtu 1400 up");
	net_run("ip neigh replace 10.99.0.2 lladdr 02:00:00:00:00:02 dev v0 nud permanent");
	net_run("ip route add default via 10.99.0.2");
	assert_int_equal(netif_refresh(n), 0);
	assert_true(n->info.is_up);
	assert_int_equal(n->info.mtu, 1400);
	net_send(&t);
	assert_int_equal(receive(n, v, 4), 1);
	assert_int_equal(netif_transmit(n, &tx, 1), 1);
	netif_close(n);
	net_run("ip link set v0 mtu 1500");
}

static void interface_that_is_gone_is_told(void **state)
{
	struct netif *n;
	struct netif_rx v;
	struct netif_tx tx = { .iov = { { (void *)(uintptr_t)"0123456789abcdef", 16 } }, .iovcnt = 1 };

	(void)state;
	net_run("ip link add w0 type veth peer name w1");
	net_run("ip link set w0 up");
	n = open_all("w0");
	net_run("ip link del w0");
	assert_int_equal(netif_receive(n, &v, 1), -ENODEV);
	assert_int_equal(netif_transmit(n, &tx, 1), -ENODEV);
	assert_int_equal(netif_refresh(n), -ENODEV);
	netif_close(n);
}

static unsigned promiscuity(void)
{
	FILE *f = popen("ip -d link show v0 | sed -n 's/.*promiscuity \\([0-9]*\\).*/\\1/p'", "r");
	unsigned n = 99;

	assert_int_equal(fscanf(f, "%u", &n), 1);
	pclose(f);
	return n;
}

static void further_mac_and_promiscuous_mode_end_with_the_socket(void **state)
{
	struct netif *n = open_all("v0");
	int i;

	(void)state;
	assert_int_equal(afpacket_add_mac(n, (const uint8_t *)"\2\0\12\143\0\11"), 0);
	assert_int_equal(afpacket_set_promisc(n, true), 0);
	assert_true(promiscuity() > 0);
	netif_close(n);
	/* The kernel is a moment late (lateclose.h). */
	for (i = 0; i < 100 && promiscuity(); i++)
		usleep(20000);
	assert_int_equal(promiscuity(), 0);
}

/* ---- no link header ---- */

static int open_tun(void)
{
	struct ifreq r = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	strcpy(r.ifr_name, "t0");
	if (fd < 0 || ioctl(fd, TUNSETIFF, &r))
		return -1;
	net_run("ip link set t0 up");
	return fd;
}

static void tun_carries_bare_packets_both_ways(void **state)
{
	static uint8_t packet[5000], got[5000];
	int fd = open_tun(), i;
	struct net_tcp t = segment(100, 0), r = reply(3000, 1000);
	struct netif_rx v;
	struct netif *n;
	size_t len;

	(void)state;
	if (fd < 0)
		skip();
	n = open_all("t0");
	assert_int_equal(n->info.link, NETIF_RAWIP);
	assert_false(n->info.has_arp);
	len = net_build(&t, false, packet);
	assert_int_equal(write(fd, packet, len), len);
	assert_int_equal(receive(n, &v, 1), 1);
	assert_int_equal(v.len, len);
	assert_memory_equal(v.data, packet, len);
	len = net_build(&r, false, packet);
	send_frame(n, packet, len, &r);
	for (i = 0; i < 3; i++) {
		assert_int_equal(read(fd, got, sizeof(got)), 1040);
		assert_int_equal(got[0], 0x45);
		assert_int_equal(net_sum(got + 20, 1020, net_sum(got + 12, 8, 6 + 1020)), 0xffff);
	}
	netif_close(n);
	close(fd);
}

/* ---- what can't be opened ---- */

static void errors_are_one_sentence_that_helps(void **state)
{
	struct netif *n = NULL;
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(afpacket_open("nope0", &n, err, sizeof(err)), -ENODEV);
	assert_string_equal(err, "there is no interface nope0 (there are: lo, p0, v0)");
	assert_int_equal(afpacket_open("a-name-that-is-far-too-long", &n, err, sizeof(err)), -ENODEV);
	assert_int_equal(afpacket_open("", &n, err, sizeof(err)), -ENODEV);
	pid = fork();
	if (!pid) {
		if (setuid(65534))
			_exit(2);
		status = afpacket_open("v0", &n, err, sizeof(err));
		_exit(!(status == -EPERM && strstr(err, "CAP_NET_RAW") && !strchr(err, '\n')));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_come_in_order_as_they_were_sent),
		cmocka_unit_test(super_frame_comes_whole_with_its_header),
		cmocka_unit_test(large_frame_is_received_in_pieces),
		cmocka_unit_test(memory_that_is_none_loses_the_frame_alone),
		cmocka_unit_test(what_the_host_sends_is_not_seen),
		cmocka_unit_test(nothing_passes_before_the_filter_is_set),
		cmocka_unit_test(large_filter_is_accepted_and_exact),
		cmocka_unit_test(locked_filter_can_not_be_changed),
		cmocka_unit_test(vlan_frames_are_not_ours_priority_tagged_ones_are),
		cmocka_unit_test(frames_without_room_are_counted),
		cmocka_unit_test(pieces_leave_as_one_frame),
		cmocka_unit_test(super_frame_leaves_whole),
		cmocka_unit_test(super_frame_is_split_where_the_interface_can_not),
		cmocka_unit_test(batch_leaves_in_order_and_too_long_is_told),
		cmocka_unit_test(given_socket_without_vnet_works_and_marks_partial_checksums),
		cmocka_unit_test(what_is_no_packet_socket_is_refused_and_closed),
		cmocka_unit_test(fd_is_high_and_ends_at_exec),
		cmocka_unit_test(interface_down_and_up_is_told_and_survived),
		cmocka_unit_test(interface_that_is_gone_is_told),
		cmocka_unit_test(further_mac_and_promiscuous_mode_end_with_the_socket),
		cmocka_unit_test(tun_carries_bare_packets_both_ways),
		cmocka_unit_test(errors_are_one_sentence_that_helps),
	};

	net_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
