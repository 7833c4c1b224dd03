/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netns_net.h - a network of the test's own, for tests of netif/ that need a kernel:
 *
 *        one nameless namespace, which ends with the process
 *
 *     the kernel under test                          the wire, played by the test
 *     v0  10.99.0.1/24  02:00:00:00:00:01 --veth-- p0  02:00:00:00:00:02 (no address)
 *         default route 10.99.0.2, a permanent neighbour
 *
 * What the test sends on p0 the kernel receives on v0, and the other way round; in the
 * order it was sent, as the process stays on one CPU.  So "the kernel doesn't answer X" is
 * shown without waiting: send X, then something that it must answer, and see
 * which answer comes first.
 */
#ifndef XTCP_NETNS_NET_H
#define XTCP_NETNS_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NET_US 0x0a630001u       /* 10.99.0.1 */
#define NET_PEER 0x0a630002u
#define NET_FRAME_MAX 70000
#define NET_PORTS "50000 60999"   /* what the kernel chooses from: none that a test names */

/* Flags of a TCP header. */
enum { NET_FIN = 1, NET_SYN = 2, NET_RST = 4, NET_PSH = 8, NET_ACK = 16 };

/* A TCP segment in an Ethernet frame. */
struct net_tcp {
	uint32_t src, dst, seq, ack;
	uint16_t sport, dport;
	uint8_t flags;
	size_t len;              /* payload */
	uint16_t gso_size;       /* not 0: a super-frame with a partial checksum */
	uint16_t frag_cut;       /* not 0: two fragments, the first with so many bytes of TCP */
};

/* Enters the namespace; exits with 77 and a reason where that can't be done. */
void net_enter(void);
/* Runs a command line; fails the test when it fails. */
void net_run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void net_write(const char *path, const char *text);

/* Puts the segment on the wire, from the peer's MAC to v0's. */
void net_send(const struct net_tcp *t);
void net_send_raw(const void *frame, size_t len);
/* The next frame that the kernel put on the wire; false: none in 2 seconds. */
bool net_recv(uint8_t *frame, size_t *len);
/* The next TCP segment that the kernel put on the wire (other frames are skipped). */
bool net_recv_tcp(struct net_tcp *t);
/* Throws away what has come. */
void net_drain(void);

/* A frame to its TCP segment; false: it holds none. */
bool net_parse(const uint8_t *frame, size_t len, struct net_tcp *t);
/* Builds the frame (or the datagram alone), checksums complete unless gso_size is set. */
size_t net_build(const struct net_tcp *t, bool has_link, uint8_t *frame);
/* The ones' complement sum over bytes, added to sum. */
uint32_t net_sum(const uint8_t *p, size_t len, uint32_t sum);

#endif
