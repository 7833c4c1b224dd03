/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stack.h - one TCP/IP stack: a function of bytes and time.
 *
 *   input(frame, now)   a frame came in
 *   output(frame, now)  the next frame that may go out, if there is one
 *   deadline()          when expire() must be called at the latest
 *   expire(now)         timers
 *   next_event()        the next socket whose readiness has changed
 *
 * A stack does no I/O, reads no clock, keeps nothing outside itself; several live
 * in one process.  It is used by one thread at a time.  `now` never goes back.
 */
#ifndef XTCP_STACK_H
#define XTCP_STACK_H

#include "counters.h"
#include "frame.h"
#include "route.h"
#include "settings.h"
#include "siphash.h"

struct stack;
struct tcp_conn;

struct stack_config {
	struct settings settings;
	uint8_t secret[32];      /* random; all keys of the stack derive from it */
	const char *congestion;  /* default algorithm; NULL: cubic */
};

/* NULL when memory is short or the algorithm doesn't exist (errno is not set). */
struct stack *stack_new(const struct stack_config *cfg, xtime now);
/* Frees everything; sends nothing. */
void stack_free(struct stack *s);

struct stack_iface {
	uint8_t mac[6];
	bool has_link;           /* Ethernet header; false: frames are IP packets */
	bool has_arp;
	bool is_up;
	bool can_offload;        /* partial checksums and super-frames both ways */
	bool is_loopback;        /* what is for 127/8 and for addresses of ours leaves by it, and comes in by it
	                          * again; one of a stack's interfaces at most */
	bool returns_own;        /* what leaves by it for an address of ours comes in again, here and wherever
	                          * else the address is: it may be a client's, too */
	uint32_t mtu;            /* IP bytes, 68 at least */
	uint32_t gso_max;        /* largest IP datagram when can_offload, else ignored */
	int oif;                 /* the system's interface index, for SO_BINDTODEVICE */
	char name[16];           /* and its name, zero-terminated; may be empty */
};

/* The new interface's index (0, 1, ...) or -ENOMEM, -EINVAL. */
int stack_add_iface(struct stack *s, const struct stack_iface *i);
/* Something about it has changed (MTU, MAC, offloads, up or down). */
int stack_set_iface(struct stack *s, int iface, const struct stack_iface *i);

/* An address: own (we answer ARP and echo for it) or shared with the kernel (we use
 * claimed ports of it and never answer for anything else).  Adds the connected
 * route unless plen is 32.  0, -EEXIST, -EINVAL, -ENOMEM. */
int stack_add_addr(struct stack *s, int iface, ip4 addr, uint8_t plen, bool is_own, xtime now);
int stack_del_addr(struct stack *s, int iface, ip4 addr, xtime now);

int stack_add_route(struct stack *s, const struct route *r);
int stack_del_route(struct stack *s, const struct route *r);
void stack_flush_routes(struct stack *s);
/* What the host knows: mac NULL deletes. */
int stack_seed_neigh(struct stack *s, int iface, ip4 ip, const uint8_t mac[6], bool permanent, xtime now);

void stack_input(struct stack *s, int iface, const struct frame_in *f, xtime now);

/* A program's recv() that found nothing, and takes what comes next: `skip` bytes of iov are passed over, `done`
 * more have been filled. */
struct tcp_reader {
	struct tcp_conn *conn;
	const struct iovec *iov;
	int iovcnt;
	size_t skip, done;
	bool has_some;         /* the call has bytes to give already */
	bool is_bad;           /* there is no such memory */
};

static inline size_t tcp_reader_room(const struct tcp_reader *r)
{
	size_t room = 0;

	for (int i = 0; i < r->iovcnt; i++)
		room += r->iov[i].iov_len;
	return room - r->skip - r->done;
}

/* Where the payload of a frame belongs: what follows its first `head` bytes. */
#define PLACE_READER_IOV 2
struct stack_place {
	size_t head;
	struct iovec to[PLACE_READER_IOV + 2];
	int cnt;
};

/* A frame of f->len bytes is to be received, of which f->data has the first 160 at least, or all.  True:
 * its payload is wanted in p->to, and that frame goes to stack_input() next, whose f->data has the
 * head alone; without it stack_unplace().  False: it is received and taken as others are.  reader
 * may be NULL; its memory need not be valid. */
bool stack_place(struct stack *s, int iface, const struct frame_in *f, struct tcp_reader *reader,
                 struct stack_place *p);
void stack_unplace(struct stack *s);
/* Whose socket would be readable, by *n more bytes, if the frame, shown as above, was taken in; NULL: nobody's. */
struct tcp_conn *stack_would_read(struct stack *s, int iface, const struct frame_in *f, size_t *n);
/* False when nothing may be sent now; else f is filled, and its payload is valid
 * until the next call into the stack other than stack_output() or stack_refused(), so that a batch
 * of frames can be collected.  A frame that was given out counts as sent. */
bool stack_output(struct stack *s, struct frame_out *f, xtime now);
/* The interface dropped f, or (is_tried false) it wasn't handed over because an earlier frame of its
 * connection was dropped: it was not sent.  To be told of frames that were given since the last call of any
 * other function, of one connection the newest first; true when f is done with, false when
 * it can be sent all the same. */
bool stack_refused(struct stack *s, const struct frame_out *f, bool is_tried, xtime now);
/* For an interface that keeps frames for a while (txdev.c): whether what it has is told from now on. */
void stack_tx_watch(struct stack *s, bool is_on);
/* Of all frames that were handed over it still has so many bytes, as Linux charges them to a socket
 * (SIOCOUTQ); to be told after each batch while it is watched, and soon while somebody waits for it. */
void stack_tx_left(struct stack *s, uint64_t bytes);
bool stack_tx_is_held(const struct stack *s);
/* When acknowledgments are all that it would give, and may leave a little later: true, and what is said meanwhile comes behind
 * them.  False too when there are none. */
bool stack_defer_acks(struct stack *s);
/* True when stack_output() would give a frame (cheap). */
bool stack_has_output(const struct stack *s);
xtime stack_deadline(struct stack *s);
void stack_expire(struct stack *s, xtime now);

/* The next socket whose readiness may have changed since it was last returned. */
struct tcp_conn *stack_next_event(struct stack *s);

const uint64_t *stack_counters(const struct stack *s);   /* indexed by enum counter */
void stack_count(struct stack *s, enum counter c, uint64_t n);
struct settings *stack_settings(struct stack *s);
/* Changes a setting (settings_set(), and tcp_congestion_control) while the stack runs.  As with
 * Linux's sysctls a socket keeps what it copied when it was made.  0, -ENOENT, -EINVAL. */
int stack_set(struct stack *s, const char *name, const char *value);
/* Forgets what was remembered of peers (tcp_metrics.h, ip tcp_metrics flush). */
void stack_flush_metrics(struct stack *s);

/* Ports of this own address need claims from now on, as those of a shared one do: 0, -ENOMEM. */
int stack_need_claims(struct stack *s, ip4 laddr);
/* Granted, or an address that needs no claims. */
bool stack_is_claimed(const struct stack *s, ip4 laddr, uint16_t port);
/* The outcome of a claim that tcp_bind() or tcp_connect() asked for with -EAGAIN (conntab.h). */
void stack_claimed(struct stack *s, ip4 laddr, uint16_t port, bool granted);
void stack_retry_refused(struct stack *s);
/* Claims that may be given back: conntab_next_idle(), conntab_is_held(), conntab_unclaim(). */
uint16_t stack_next_idle(struct stack *s);
bool stack_is_held(const struct stack *s, ip4 laddr, uint16_t port);
void stack_unclaimed(struct stack *s, ip4 laddr, uint16_t port);
/* Ends up to `max` of the oldest TIME-WAITs whose ports nobody else holds: how many. */
unsigned stack_end_timewaits(struct stack *s, unsigned max);
/* What must be added to `now` to have the time since 1970 in UTC, for the timestamps of ICMP and of
 * IP options; until it is known they say that they don't know. */
void stack_set_wall_clock(struct stack *s, xtime offset);
/* Ports never chosen automatically (ip_local_reserved_ports). */
int stack_reserve_ports(struct stack *s, uint16_t lo, uint16_t hi);

/* Other processes may have connections of the same address and port (engine_share.c). */
struct tuple;
/* Is there a connection, a handshake or a TIME-WAIT remainder of this tuple? */
bool stack_knows(const struct stack *s, const struct tuple *t);
bool stack_has_timewait(const struct stack *s, const struct tuple *t);
/* Another process takes the tuple over. */
void stack_forget_timewait(struct stack *s, const struct tuple *t);
/* conntab_would_bind() */
struct bind_owner;
int stack_would_bind(const struct stack *s, const struct bind_owner *o, uint16_t port);
/* Does a socket listen on addr:port? */
bool stack_listens(const struct stack *s, ip4 addr, uint16_t port);
/* Is it an address that this stack has, 127/8 with a loopback interface among them? */
bool stack_is_local(const struct stack *s, ip4 a);
/* Would a SYN for addr:port inside the stack come to a listener, or to a socket that bind() gave the port? */
bool stack_answers(const struct stack *s, ip4 addr, uint16_t port);
/* Segments for connections of this port that we don't know are not reset; SYNs are refused as
 * ever.  0 or -ENOMEM. */
int stack_set_quiet(struct stack *s, uint16_t port, bool on);

/* Sockets that still have work to do after their program closed them: data or a FIN to
 * deliver, or the peer's FIN to acknowledge; TIME-WAIT doesn't count. */
uint32_t stack_orphans(const struct stack *s);

#endif
