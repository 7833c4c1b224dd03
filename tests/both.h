/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * both.h - the same script over the kernel's TCP and over ours, compared.
 *
 *   us 10.0.0.1/24 --- tun --- 10.0.0.2, which the script plays
 *
 * The kernel runs it in a network namespace of its own in real time; the stack then runs it on a
 * virtual clock that shows the times that the kernel's run had.  Compared are the packets sent, with
 * their times, what the calls returned, TCP_INFO field by field, and what each counter of
 * /proc/net/snmp and netstat went up by.
 *
 * A step is one string:
 *   sysctl NAME VALUE       net.ipv4.NAME, before the first call
 *   ethernet                first: the interface has link addresses, and ARP
 *   connect | listen | accept | close | shutdown | disconnect
 *   write N | read [N]      what there is to read
 *   congestion NAME
 *   set NAME VALUE          a socket option (table in both.c); hexadecimal bytes for options
 *   wait MS
 *   opts HEX | tos N        for the IP headers of the segments injected from here on
 *   < SEGMENT               one of the peer's, as in harness.h; with SYN it also gives its timestamps
 *   to A.B.C.D              the destination of what is injected from here on
 *   message TYPE LEN        an ICMP message with LEN bytes of zeros
 *   fragment ID OFF LEN MF  a part of an echo request of 2,008 bytes
 *   proto P                 64 bytes of another protocol
 *   arp OP SENDER TARGET us|all N   from the peer's link address N (both_arp.h), to us or to everybody
 *   icmp TYPE CODE REST N   an ICMP error that quotes our segment with number N
 *   info                    TCP_INFO is compared here too
 * Numbers count from the initial ones.
 */
#ifndef XTCP_TESTS_BOTH_H
#define XTCP_TESTS_BOTH_H

struct script {
	const char *name;
	const char *steps[60];
	/* Names ("Tcp:InSegs", "info:rtt_us"; all "counters", "info", "packets") that may differ here, each with its reason behind a colon
	 * and a space: "TcpExtTCPHPHits: ...". */
	const char *may_differ[16];
};

/* 0 when both do the same, 1 when not (said on stdout), 2 when not and the machine was too busy for the
 * times of the script, 77 when it can't be tried here. */
int both_run(const struct script *s);

#endif
