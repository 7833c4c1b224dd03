/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_netif_pcap.c - a capture around a netif that the test plays: what is in the file, and
 * that traffic is the same with and without it.  The file is read back by hand: 24 bytes of
 * file header, then 16 bytes before each packet, in the host's byte order.
 */
#define _GNU_SOURCE 1
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "netns_net.h"
#include "pcap.h"

enum { MAGIC_NS = 0xa1b23c4d, LINKTYPE_ETHERNET = 1, LINKTYPE_RAW = 101 };

/* ---- the netif inside ---- */

struct fake {
	struct netif n;
	struct netif_rx rx[4];
	int nrx, taken;          /* what receive() and transmit() return */
	bool is_closed;
};

static struct fake fake;

static int fake_fd(const struct netif *n)
{
	(void)n;
	return 42;
}

static int fake_receive(struct netif *n, struct netif_rx *v, unsigned max)
{
	(void)n;
	if (fake.nrx > 0) {
		assert_in_range(fake.nrx, 1, max);
		memcpy(v, fake.rx, (size_t)fake.nrx * sizeof(*v));
	}
	return fake.nrx;
}

static int fake_transmit(struct netif *n, const struct netif_tx *v, unsigned max)
{
	(void)n;
	(void)v;
	(void)max;
	return fake.taken;
}

static int fake_refresh(struct netif *n)
{
	n->info.mtu = 1400;
	return 0;
}

static void fake_close(struct netif *n)
{
	(void)n;
	fake.is_closed = true;
}

static const struct netif_ops fake_ops = {
	.fd = fake_fd, .receive = fake_receive, .transmit = fake_transmit, .refresh = fake_refresh,
	.close = fake_close,
};

/* ---- the file ---- */

static char path[64], err[256];
static uint8_t file[300000];
static size_t file_len, file_at;

static void read_file(void)
{
	int fd = open(path, O_RDONLY);
	ssize_t n;

	assert_true(fd >= 0);
	n = read(fd, file, sizeof(file));
	assert_true(n >= 24);
	close(fd);
	file_len = (size_t)n;
	file_at = 24;
}

static uint32_t word(size_t at)
{
	uint32_t v;

	memcpy(&v, file + at, sizeof(v));
	return v;
}

/* The next packet of the file; NULL at its end. */
static const uint8_t *next_packet(size_t *len, uint64_t *ns)
{
	const uint8_t *p = file + file_at + 16;

	if (file_at == file_len)
		return NULL;
	assert_true(file_at + 16 <= file_len);
	*ns = (uint64_t)word(file_at) * 1000000000 + word(file_at + 4);
	*len = word(file_at + 8);
	assert_int_equal(*len, word(file_at + 12));
	file_at += 16 + *len;
	assert_true(file_at <= file_len);
	return p;
}

static struct netif *open_capture(enum netif_link link)
{
	struct netif *n = NULL;

	memset(&fake, 0, sizeof(fake));
	fake.n.ops = &fake_ops;
	fake.n.info.link = link;
	fake.n.info.mtu = 1500;
	if (pcap_netif_open(path, &fake.n, &n, err, sizeof(err)))
		fail_msg("%s", err);
	return n;
}

static const struct net_tcp tcp = { .src = NET_US, .dst = NET_PEER, .sport = 1, .dport = 2,
                                    .flags = NET_ACK, .len = 100 };

/* ---- tests ---- */

static void empty_capture_has_a_header(void **state)
{
	struct netif *n = open_capture(NETIF_ETHER);

	(void)state;
	read_file();
	assert_int_equal(file_len, 24);
	assert_int_equal(word(0), MAGIC_NS);
	assert_int_equal(word(16), 262144);
	assert_int_equal(word(20), LINKTYPE_ETHERNET);
	netif_close(n);
	assert_true(fake.is_closed);
	n = open_capture(NETIF_RAWIP);
	read_file();
	assert_int_equal(word(20), LINKTYPE_RAW);
	netif_close(n);
}

static void frames_of_both_ways_are_there_at_once(void **state)
{
	struct netif *n = open_capture(NETIF_ETHER);
	uint8_t frame[256];
	size_t built = net_build(&tcp, true, frame), len;
	struct netif_tx tx[2] = { { .iov = { { frame, 14 }, { frame + 14, built - 14 } }, .iovcnt = 2 } };
	struct netif_rx v[4];
	const uint8_t *p;
	uint64_t ns, before = 0;
	int i;

	(void)state;
	fake.rx[0] = fake.rx[1] = (struct netif_rx){ .data = frame, .len = built };
	fake.nrx = 2;
	assert_int_equal(netif_receive(n, v, 4), 2);
	assert_ptr_equal(v[1].data, frame);
	fake.taken = 1;
	assert_int_equal(netif_transmit(n, tx, 2), 1);
	read_file();
	for (i = 0; i < 3; i++) {
		p = next_packet(&len, &ns);
		assert_non_null(p);
		assert_int_equal(len, built);
		assert_memory_equal(p, frame, len);
		assert_true(ns >= before && ns / 1000000000 + 5 > (uint64_t)time(NULL));
		before = ns;
	}
	assert_null(next_packet(&len, &ns));
	netif_close(n);
}

static void what_was_not_sent_is_not_written(void **state)
{
	struct netif *n = open_capture(NETIF_ETHER);
	struct netif_tx tx = { .iov = { { path, 20 } }, .iovcnt = 1 };
	struct netif_rx v;

	(void)state;
	fake.taken = -EAGAIN;
	assert_int_equal(netif_transmit(n, &tx, 1), -EAGAIN);
	fake.nrx = -ENETDOWN;
	assert_int_equal(netif_receive(n, &v, 1), -ENETDOWN);
	read_file();
	assert_int_equal(file_len, 24);
	netif_close(n);
}

static void partial_checksum_is_completed_in_the_copy(void **state)
{
	static uint8_t frame[NET_FRAME_MAX], before[NET_FRAME_MAX];
	static const size_t lens[] = { 0, 1, 100, 1448, 65000 };
	struct net_tcp t = tcp;
	struct netif_tx tx = { .iovcnt = 1 };
	struct netif *n;
	const uint8_t *p;
	size_t i, built, len;
	uint64_t ns;
	int link;

	(void)state;
	for (i = 0; i < 10; i++) {
		link = i & 1 ? NETIF_ETHER : NETIF_RAWIP;
		n = open_capture(link);
		t.len = lens[i / 2];
		t.gso_size = 1448;
		built = net_build(&t, link == NETIF_ETHER, frame);
		memcpy(before, frame, built);
		/* A short frame is padded; the padding is not part of the sum. */
		tx.iov[0] = (struct iovec){ frame, built < 60 ? 60 : built };
		memset(before + built, 0xee, 60);
		memset(frame + built, 0xee, 60);
		tx.vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		tx.vnet.csum_start = link == NETIF_ETHER ? 34 : 20;
		tx.vnet.csum_offset = 16;
		fake.taken = 1;
		assert_int_equal(netif_transmit(n, &tx, 1), 1);
		assert_memory_equal(frame, before, built);
		read_file();
		p = next_packet(&len, &ns);
		assert_int_equal(len, tx.iov[0].iov_len);
		p += tx.vnet.csum_start;
		assert_int_equal(net_sum(p, 20 + t.len, net_sum(p - 8, 8, (uint32_t)(6 + 20 + t.len))), 0xffff);
		netif_close(n);
	}
}

static void wild_checksum_offsets_are_harmless(void **state)
{
	struct netif *n = open_capture(NETIF_ETHER);
	uint8_t frame[64] = { 0 };
	unsigned start, off;
	struct netif_rx v;

	(void)state;
	for (start = 0; start < 80; start++) {
		for (off = 0; off < 80; off += 7) {
			fake.rx[0] = (struct netif_rx){ .data = frame, .len = start % 65 };
			fake.rx[0].vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
			fake.rx[0].vnet.csum_start = (uint16_t)start;
			fake.rx[0].vnet.csum_offset = (uint16_t)(off == 77 ? 65535 : off);
			fake.nrx = 1;
			assert_int_equal(netif_receive(n, &v, 1), 1);
		}
	}
	netif_close(n);
}

static void information_and_fd_are_those_inside(void **state)
{
	struct netif *n = open_capture(NETIF_ETHER);

	(void)state;
	assert_int_equal(netif_fd(n), 42);
	assert_int_equal(n->info.mtu, 1500);
	assert_int_equal(netif_refresh(n), 0);
	assert_int_equal(n->info.mtu, 1400);
	assert_ptr_equal(pcap_netif_inner(n), &fake.n);
	assert_ptr_equal(pcap_netif_inner(&fake.n), &fake.n);
	assert_true(pcap_netif_file(n) >= 512);
	assert_int_equal(fcntl(pcap_netif_file(n), F_GETFD), FD_CLOEXEC);
	assert_int_equal(pcap_netif_file(&fake.n), -1);
	netif_close(n);
}

static void file_that_can_not_be_opened_is_told(void **state)
{
	struct netif *n = NULL;

	(void)state;
	assert_int_equal(pcap_netif_open("/nonexistent/x.pcap", &fake.n, &n, err, sizeof(err)), -ENOENT);
	assert_string_equal(err, "can't write the capture /nonexistent/x.pcap: No such file or directory");
	assert_null(n);
}

static void full_disk_ends_the_capture_not_the_traffic(void **state)
{
	static uint8_t frame[1000];
	struct netif *n = NULL;
	struct netif_rx v;

	(void)state;
	memset(&fake, 0, sizeof(fake));
	fake.n.ops = &fake_ops;
	assert_int_equal(pcap_netif_open("/dev/full", &fake.n, &n, err, sizeof(err)), -EIO);
	n = open_capture(NETIF_ETHER);
	fake.rx[0] = (struct netif_rx){ .data = frame, .len = sizeof(frame) };
	fake.nrx = 1;
	assert_int_equal(dup3(open("/dev/full", O_WRONLY), pcap_netif_file(n), 0), pcap_netif_file(n));
	assert_int_equal(netif_receive(n, &v, 1), 1);
	assert_int_equal(pcap_netif_file(n), -1);
	assert_int_equal(netif_receive(n, &v, 1), 1);
	netif_close(n);
}

static int make_path(void **state)
{
	int fd;

	(void)state;
	strcpy(path, "/tmp/test_netif_pcap.XXXXXX");
	fd = mkstemp(path);
	close(fd);
	return fd < 0;
}

static int remove_path(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_capture_has_a_header),
		cmocka_unit_test(frames_of_both_ways_are_there_at_once),
		cmocka_unit_test(what_was_not_sent_is_not_written),
		cmocka_unit_test(partial_checksum_is_completed_in_the_copy),
		cmocka_unit_test(wild_checksum_offsets_are_harmless),
		cmocka_unit_test(information_and_fd_are_those_inside),
		cmocka_unit_test(file_that_can_not_be_opened_is_told),
		cmocka_unit_test(full_disk_ends_the_capture_not_the_traffic),
	};

	return cmocka_run_group_tests(tests, make_path, remove_path);
}
