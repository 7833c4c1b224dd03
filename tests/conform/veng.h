/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * veng.h - an engine on a virtual clock: engine.h without threads, interfaces or waiting.
 *
 *   shim/ --engine.h--> engine_sock.c --> the core        as in the library
 *                       veng.c: the clock, what leaves the stack, whoever waits
 *
 * Time stands still but in veng_run().  A call that would sleep runs in a thread of its own
 * (veng_start()), and only one of the two threads runs at any time: the call's goes on when
 * what it waits for has come, at that virtual time.  A call that sleeps in the main thread moves
 * the clock itself.
 *
 *   us 192.168.0.1/16 --- 192.168.0.2, the gateway --- all else; an interface without link header
 */
#ifndef XTCP_CONFORM_VENG_H
#define XTCP_CONFORM_VENG_H

#include "settings.h"
#include "stack.h"
#include "wire.h"

#define VENG_GATEWAY ((ip4)192 << 24 | 168 << 16 | 2)

/* What the stack is made with when the first socket is opened. */
struct veng_config {
	struct settings settings;
	char congestion[16];
	ip4 local;               /* our address, of 16 bits' prefix */
	uint32_t mtu;
	bool can_offload;        /* the interface takes super-frames */
	/* The main thread sleeps and nothing will ever wake it: must not return. */
	void (*stuck)(void);
	/* A frame that is not as it must be (checksum, lengths): must not return. */
	void (*broken)(const char *what);
};
extern struct veng_config veng_config;

/* A frame that left the stack. */
struct veng_frame {
	struct veng_frame *next;
	xtime at;
	size_t len;
	uint8_t bytes[];         /* from the IP header on */
};

/* Nanoseconds since the script began. */
xtime veng_now(void);
/* The settings: of the stack, or before there is one those that it will have. */
struct settings *veng_settings(void);
/* "cubic": of sockets opened from now on; false: too late. */
bool veng_set_congestion(const char *name);
/* A counter by its name of nstat(8), "TcpExtTCPTimeouts": -1 when there is none; 0 before there is a
 * stack. */
int64_t veng_counter(const char *name);

/* Time passes up to `until`; with_frame: or until a frame waits.  XTIME_NEVER: as far as it
 * goes; false when nothing would ever happen again. */
bool veng_run(xtime until, bool to_frame);
/* The oldest frame, the caller's to free(); NULL: none. */
struct veng_frame *veng_take(void);
/* A packet from the network, from the IP header on; a super-frame of segments of gso_size bytes
 * when that isn't 0. */
void veng_input(const uint8_t *p, size_t len, uint16_t gso_size);

/* Runs fn(arg) in the other thread until it returns or sleeps: true when it has returned.
 * One at a time. */
bool veng_start(void (*fn)(void *), void *arg);
bool veng_is_busy(void);

#endif
