/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * harness.h - scripted tests of TCP: one stack on a virtual clock, the test plays the peer.
 *
 *   us 10.0.0.1/24, own or shared --- peer 10.0.0.2, its MAC address is known
 *                                `--- gateway 10.0.0.254 (the default route)
 *
 * Segments are written as text, in the manner of packetdrill:
 *
 *   inject(t, "S. 0 ack 1 win 65535 mss 1460 sackOK wscale 7");
 *   expect(t, ". 1 ack 1");
 *   put(t, 1000);
 *   expect(t, "P. 1:1001 ack 1");
 *   expect_after(t, 200 * XTIME_MSEC, "P. 1:1001 ack 1");
 *
 * First the flags (S F R P U E W and . for ACK; - for none), then seq or seq:end, then any of: ack N, win N,
 * mss N, wscale N, sackOK, ts, tsval N, ecr N, nots, urg N, gso N, the IP header's noecn, ect0,
 * ect1 or ce, and last sack A:B [C:D ...].  Sequence and acknowledgment numbers count from the
 * initial ones.  A segment that is expected must have the flags, numbers and SACK blocks that the
 * text says; the rest is compared where it is mentioned.
 * Bytes of the stream follow a pattern that every expected segment and every read is checked
 * against.  Checksums and the sums over the transmit queue are checked with each step.
 */
#ifndef XTCP_TESTS_HARNESS_H
#define XTCP_TESTS_HARNESS_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stack/tcp_impl.h"

#define IP(a, b, c, d) ((ip4)(a) << 24 | (ip4)(b) << 16 | (ip4)(c) << 8 | (ip4)(d))
#define US IP(10, 0, 0, 1)
#define PEER IP(10, 0, 0, 2)
#define GATEWAY IP(10, 0, 0, 254)
#define FAR IP(192, 0, 2, 7)

#define PEER_IRS 70000u        /* the peer's initial sequence number */
#define PEER_TS 5000000u       /* its timestamp clock at time 0, in ms */
#define SYN_ACK "S. 0 ack 1 win 65535 mss 1460 sackOK ts wscale 7"
#define SYN_ACK_PLAIN "S. 0 ack 1 win 65535 mss 1460"

struct captured;               /* a frame that was sent and not expected yet */

struct rig {
	struct stack *s;
	struct tcp_conn *c;        /* the connection under test */
	xtime now;
	int iface;
	ip4 peer;
	uint16_t lport, rport;     /* lport 0: learned from the first SYN */
	seq32 iss, irs;            /* ours is learned from the first SYN */
	bool has_iss;
	bool ts;                   /* the peer's segments carry timestamps */
	bool is_full;              /* the interface drops every frame and says so */
	bool places;               /* frames arrive by place_input(), with this reader */
	struct tcp_reader *reader;
	bool was_placed;           /* the last one was */
	uint32_t ts_ecr;           /* our latest timestamp that a test expected */
	uint32_t nput, ntaken;     /* bytes written and read */
	struct captured *first, **last;
	struct route def;          /* the default route */
	/* The segment that was expected last. */
	struct ip_hdr ip;
	struct tcp_hdr th;
	size_t len;
	struct virtio_net_hdr vnet;
	uint8_t dst_mac[MAC_LEN];
	xtime at;                  /* when it was sent */
};

/* cmocka's set-up and tear-down.  offload: the interface takes super-frames of 65,535 bytes. */
int rig_own(void **state);
int rig_shared(void **state);
int rig_offload(void **state);
int rig_raw(void **state);     /* no link header, no ARP */
int rig_done(void **state);

/* A segment of the peer arrives. */
void inject(struct rig *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same as a super-frame of segments of gso bytes. */
void inject_gso(struct rig *t, uint16_t gso, const char *text);
/* A segment that is wrong in some way: bytes of the TCP segment as they are. */
void inject_raw(struct rig *t, const uint8_t *seg, size_t len);
/* An ICMP error that quotes the segment with sequence number seq. */
void inject_icmp(struct rig *t, uint8_t type, uint8_t code, uint32_t rest, seq32 seq);
/* The peer's ARP answer for ip. */
void inject_arp_reply(struct rig *t, ip4 ip);

/* The next segment must be this, sent now, or (span) after the clock was moved to it. */
#define expect(t, ...) rig_expect(t, -1, __FILE__, __LINE__, __VA_ARGS__)
#define expect_after(t, span, ...) rig_expect(t, span, __FILE__, __LINE__, __VA_ARGS__)
void rig_expect(struct rig *t, xtime span, const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* Nothing more was sent. */
#define expect_nothing(t) rig_expect_nothing(t, __FILE__, __LINE__)
void rig_expect_nothing(struct rig *t, const char *file, int line);
/* Nothing is sent for `span`. */
#define expect_quiet(t, span) (expect_nothing(t), advance(t, span), expect_nothing(t))
#define expect_arp_request(t, ip) rig_expect_arp(t, ip, __FILE__, __LINE__)
void rig_expect_arp(struct rig *t, ip4 ip, const char *file, int line);
/* How many segments wait to be expected; they are forgotten. */
unsigned forget(struct rig *t);

/* Time passes; what timers send is captured at its time. */
void advance(struct rig *t, xtime span);

/* A socket of the program: opened, not connected. */
void dial_open(struct rig *t);
/* connect() to peer:rport, claims granted: its result. */
int dial_connect(struct rig *t);
/* Both, and the SYN. */
void dial(struct rig *t);
/* The whole handshake; the SYN-ACK as text, NULL: SYN_ACK with timestamps 1 ms later. */
void establish(struct rig *t, const char *syn_ack);

/* A socket that listens on port 80, claims granted; the test plays a client on port 50000. */
struct tcp_conn *serve(struct rig *t, int backlog);
/* The same with one that has options set. */
void serve_on(struct rig *t, struct tcp_conn *l, int backlog);
/* The next client: another port, its own numbers. */
void next_client(struct rig *t);
/* accept() without sleeping; NULL: none is there. */
struct tcp_conn *try_accept(struct rig *t, struct tcp_conn *l);
/* As a server: listening on port 80 with a connection accepted. */
void establish_passive(struct rig *t, const char *syn);

/* Byte n of the stream, either way. */
uint8_t pattern(uint32_t n);
/* The program writes n bytes of the pattern (all must be taken), with flags. */
void put(struct rig *t, size_t n);
void put_flags(struct rig *t, size_t n, int flags);
/* It writes or reads what it can: tcp_send(), tcp_recv(). */
ssize_t try_put(struct rig *t, size_t n, int flags);
ssize_t try_take(struct rig *t, size_t n, int flags);
/* It reads exactly n bytes. */
#define take(t, n) assert_int_equal(try_take(t, n, 0), n)
void hang_up(struct rig *t);           /* close(): t->c is gone for the test */

/* What other steps need: frames out to the queue, sums checked. */
void settle(struct rig *t);
uint64_t counted(const struct rig *t, enum counter c);

#define own(test) cmocka_unit_test_setup_teardown(test, rig_own, rig_done)
#define shared(test) cmocka_unit_test_setup_teardown(test, rig_shared, rig_done)
#define offload(test) cmocka_unit_test_setup_teardown(test, rig_offload, rig_done)
#define raw(test) cmocka_unit_test_setup_teardown(test, rig_raw, rig_done)

#endif
