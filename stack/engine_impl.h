/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_impl.h - the engine from the inside; for the engine_*.c files alone.
 *
 * One mutex guards everything in struct engine, the stack and the netif.  It is
 * the only lock; ready() and log() are called with it held.
 *
 * Who attends to the interface?  At every moment at which the lock is free, one
 * of these holds, so that no frame and no timer is left alone:
 *
 *   driven   a program's thread sleeps in engine_wait() on the packet fd
 *   armed    the loop thread's epoll watches the packet fd
 *   leased   a program's thread stopped driving less than ENGINE_LEASE ago and
 *            the timer fd goes off when the lease ends: then the loop arms
 *
 * and the earliest deadline is covered by the driver's sleep or by the timer fd.
 * The lease spares a program that waits again at once two system calls and,
 * worse, the loop thread's waking for the packets that come in between.  It is
 * not given when other threads sleep here; one that sleeps elsewhere, on an object
 * that mirrors a socket, hears of news a lease later at the worst.
 */
#ifndef XTCP_ENGINE_IMPL_H
#define XTCP_ENGINE_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "conntab.h"
#include "engine.h"
#include "frame.h"
#include "netif.h"
#include "stack.h"
#include "tcp.h"

struct bridge;
struct ev_loop;
struct guard;
struct host;
struct local;
struct share;
struct share_group;

#define ENGINE_LEASE XTIME_MSEC
#define ENGINE_RX_BATCH 16      /* frames taken from the interface at once */
#define ENGINE_TX_BATCH 16      /* frames handed to the interface at once */
#define ENGINE_RX_ROUNDS 2      /* batches before others get the lock */
#define ENGINE_WAKE_MAX 16
#define ENGINE_ENDED 64
#define ENGINE_RX_PLACED 8      /* large frames, one by one, before others get the lock */
#define ENGINE_LENT_MIN 32768u  /* bytes of a write that is sent from where it is */
#define ENGINE_LENT_ROUNDS 64u  /* looks for its acknowledgments before others get the lock */
#define ENGINE_LOOK_EVERY (50 * XTIME_USEC)   /* how often a busy caller looks for frames */
#define ENGINE_LOOK_MIRRORED (200 * XTIME_USEC)   /* and one whose socket is mirrored */
#define ENGINE_LOOK_AGAIN (5 * XTIME_USEC)    /* and one that just had -EAGAIN */

/* A socket as the shim knows it. */
struct slot {
	struct tcp_conn *conn;   /* NULL: free */
	uint32_t index, gen;     /* the handle; gen counts up when the slot is freed */
	struct list waits;       /* struct wait_node.link */
	void *mirror;            /* cfg.ready's user, NULL: not mirrored */
	struct bridge *bridge;   /* NULL: not bridged */
	struct local *local;     /* of a listener: the kernel's part of it; NULL: none; owned */
	uint32_t events, edges, urgents;  /* what cfg.ready was told last */
	uint32_t next_free;      /* of a free one: the next one's index + 1, 0: none */
};

struct slots {
	struct slot **v;         /* by index; owned, as is what they point to */
	uint32_t n;              /* in use */
	uint32_t cap, room;      /* slots that there are; that v has room for */
	uint32_t free;           /* the first free one's index + 1, 0: none is */
};

/* A thread waits for a socket. */
struct wait_node {
	struct list link;        /* in slot.waits */
	struct thread *t;
	struct slot *slot;
	uint32_t events;
	unsigned at_least;
	bool is_exclusive;
};

/* A thread that has ever waited; thread-local, on the heap because a handler may leave a
 * wait by siglongjmp() and other threads must not follow pointers into its stack. */
struct thread {
	struct engine *home;         /* the engine that it first waited in, until that ends */
	struct list link;            /* in home's threads */
	int efd;                     /* others write it to wake this thread; kept high; negative: none could be had */
	struct engine *asleep_in;    /* from going to sleep until awake again with the lock */
	bool is_signalled;           /* efd was written since */
	bool is_waiting;             /* counted in nwait of the engine */
	bool is_hit;                 /* one of the nodes' sockets was seen ready */
	struct engine_news *news;    /* what else it waits for; NULL: nothing */
	struct wait_node *nodes;     /* few or on the heap */
	unsigned nnodes, cap;        /* in use (linked), room */
	struct wait_node few[4];
};

/* A frame that the interface did not take yet. */
struct held {
	struct held *next;
	struct virtio_net_hdr vnet;
	size_t len;
	uint8_t data[];
};

/* A frame on its way from the stack to itself (engine_loopback.c). */
struct loopback_frame {
	struct frame_in in;
	uint8_t data[14 + 65535];
};

/* A prefix that is the host's own: 127/8 and every local address. */
struct local_prefix {
	ip4 addr;
	uint8_t plen;
	int ifindex;
};

struct engine {
	pthread_mutex_t lock;
	struct engine_config cfg;    /* strings are gone after engine_open() */
	int saved_errno, saved_cancel;   /* of whoever holds the lock */
	xtime now;                   /* read after taking the lock */

	struct stack *stack;
	struct netif *nif;           /* the outermost: a capture or the interface itself */
	struct netif *base;          /* the interface itself */
	int iface;                   /* its index in the stack */
	int lo;                      /* the loopback interface there; -1: none */
	struct loopback_frame *lo_frame;   /* owned */
	ip4 *lo_addrs;               /* of 127/8, whose ports are claimed; owned */
	unsigned nlo_addr;
	struct slots slots;

	/* driving */
	struct thread *driver;       /* NULL: no program thread drives */
	struct list threads;         /* struct thread.link: whose home this is */
	struct list spare;           /* of threads that have ended */
	int wake[ENGINE_WAKE_MAX];   /* eventfds to write when the lock is given back */
	unsigned nwake;
	xtime driver_until;          /* how long it sleeps */
	unsigned nwait;              /* threads asleep in engine_wait(), the driver included */
	unsigned nmirror;            /* mirrored sockets */
	int pkt_ep;                  /* epoll fd with the packet fd in it; the loop watches it */
	bool is_armed;
	_Atomic xtime lease_until;   /* when neither driven nor armed; written with the lock */
	int tfd;                     /* timer fd; the loop watches it */
	xtime tfd_at;                /* what it is set to */
	bool rx_more;                /* the last batch was full */
	struct tcp_reader *reader;   /* takes what is received now; NULL: nobody */
	bool has_left;               /* a frame was left to a reader, and nobody has received since */
	uint64_t rx_lost;            /* frames that the packet socket had no room for */
	bool is_cut;                 /* somebody closed the packet fd */
	xtime looked;                /* when frames were last asked for */

	/* bridged sockets (engine_bridge.c) */
	struct list bridges;         /* struct bridge.link */
	struct list relays;          /* struct relay.link */
	uint64_t relay_id;           /* of the next one */
	unsigned nbridge;            /* of both */
	int bridge_ep;               /* epoll fd with their ends and `remote` in it, itself in pkt_ep; -1:
	                              * never needed */
	int remote;                  /* where other processes ask about them */
	uint64_t host_id;            /* in the names of their ends */
	uint8_t *bridge_buf;         /* owned */
	bool has_forked;             /* listeners are told of to other processes (engine_dial.c) */
	bool is_stirred;             /* a bridge gave the stack something to do */
	engine_sock ended[ENGINE_ENDED];     /* connections of bridges that have ended lately; 0: none */
	unsigned nended;
	xtime ended_until;                   /* when they go */
	xtime listener_at, listener_wait;   /* the next look at native listeners, and how long after the last */

	/* transmitting */
	struct frame_out *tx;        /* ENGINE_TX_BATCH of them; owned */
	struct held *held, **held_end;
	xtime held_retry, held_wait; /* when to try again, and how long after that */
	/* What the interface keeps (stack/txdev.c): asked for after each batch while it keeps frames,
	 * else now and then. */
	unsigned tx_empty, tx_skip;  /* answers of 0 in a row; batches until the next question */
	unsigned tx_left;            /* the last answer */
	xtime tx_check, tx_wait;     /* when somebody waits: the next question, and how long after that */
	bool is_link_stale;          /* the interface refused something: look at it again */

	/* the loop thread (engine_loop.c) */
	struct loop *loop;           /* NULL in a forked child */
	pid_t pid;                   /* of the process that it runs in */

	struct control *control;     /* engine_control.c; NULL: none */

	/* the host (engine_host.c); NULL and empty in tests */
	struct host *host;
	struct guard *guard;         /* shared address only */
	struct local_prefix *locals;
	unsigned nlocal, local_cap;
	struct local_prefix *shared; /* addresses of our interface, added to the stack */
	bool *shared_seen;           /* by the dump under way */
	unsigned nshared, shared_cap;
	bool is_auto;                /* the interface was chosen by us */
	bool is_host_stale;          /* dump again: something vanished silently */
	bool is_filter_stale;        /* addresses or claims changed */

	/* own addresses (engine_own.c) */
	int own_fd;                  /* the file with the locks; -1: none */
	int hairpin;                 /* to the host itself and back; -1: they don't meet */
	uint8_t hairpin_mac[6];      /* of the interface, when it was made */
	bool has_met;                /* it was tried */
	bool speaks[ENGINE_ADDRS_MAX];
	/* other processes (engine_share.c) */
	struct share_group *groups;  /* ports that we serve beside others; owned */
	xtime shares_seen;           /* when that was last looked up */

	/* claims (engine_claim.c) */
	struct portset *reserved;    /* ip_local_reserved_ports; NULL: none; owned */
	unsigned claims_max;         /* beyond so many ports in TIME-WAIT are taken back */
	unsigned claim_batch;
	xtime claimed_at, retried_at;
	bool was_refused;            /* some port was, since retried_at */
};

/* ---- engine_drive.c: one turn ---- */
/* Every entry point is enter, work, leave.  leave does what the work made possible: frames
 * go out, waiters and mirrors are told, deadlines are covered.  exit only unlocks. */
void engine_enter(struct engine *e);
/* False: another thread is inside. */
bool engine_try_enter(struct engine *e);
void engine_leave(struct engine *e);
void engine_exit(struct engine *e);
/* The work of leave without deadlines and lock. */
void engine_settle(struct engine *e);
/* As engine_leave(), in a call after which the program knows something that it may answer: bare acknowledgments, if
 * they are all that is to be sent, go with its next call; by the loop thread at the end of the lease at the latest. */
void engine_leave_owing(struct engine *e);
/* The work of that; false: engine_settle() is to be called. */
bool engine_settle_owing(struct engine *e);
/* Frames are so large that it is worth receiving each where it belongs. */
static inline bool engine_expects_large(const struct engine *e)
{
	return !e->groups && netif_expects_large(e->nif);
}
struct frame_in engine_frame(const struct netif_rx *v);
/* Takes in frames, at most `rounds` batches: how many frames. */
unsigned engine_receive(struct engine *e, unsigned rounds);
/* Runs what is due. */
void engine_expire(struct engine *e);
xtime engine_deadline(struct engine *e);
/* Sees to it that the timer fd goes off in time. */
void engine_cover(struct engine *e);
/* The timer fd is to go off at the lease's end, the lock not held. */
void engine_cover_lease(struct engine *e);
/* Whoever has looked at the interface will be back before long. */
static inline void engine_lease(struct engine *e)
{
	atomic_store_explicit(&e->lease_until, e->now + ENGINE_LEASE, memory_order_relaxed);
}
void engine_arm(struct engine *e);
void engine_disarm(struct engine *e);
void engine_tell(struct engine *e, struct slot *slot);
/* Lets frames out, and tells nobody. */
void engine_pump(struct engine *e);
void engine_drop_held(struct engine *e);
void engine_log(struct engine *e, int level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* ---- engine_ready.c ---- */
/* tcp_events(), and what a listener has of the kernel. */
uint32_t engine_slot_events(const struct slot *slot);
/* What a struct engine_watch's revents would be. */
uint32_t engine_ready(const struct slot *slot, uint32_t wanted, unsigned at_least);
/* Shows a mirror what has changed. */
void engine_reflect(struct engine *e, struct slot *slot);

/* ---- engine_wait.c ---- */
/* Ends the sleep that a signal handler, or a siglongjmp() out of one, has interrupted:
 * whoever calls the engine isn't asleep. */
void engine_rouse(void);
void engine_wake(struct thread *t);
/* The only way to give the lock back. */
void engine_unlock(struct engine *e);
void engine_stop_driving(struct engine *e);
/* The engine ends; the same in a forked child, which has only this thread. */
void engine_threads_leave(struct engine *e);
void engine_threads_forget(struct engine *e);
unsigned engine_thread_fds(struct engine *e, int *fds, unsigned n);

/* ---- engine_sock.c ---- */
int engine_slot_new(struct engine *e, struct tcp_conn *c, engine_sock *s);
struct slot *engine_slot(struct engine *e, engine_sock s);
void engine_slot_release(struct engine *e, struct slot *slot);
/* The handle that the shim has is stale from now on. */
void engine_slot_renew(struct engine *e, struct slot *slot);
void engine_slots_free(struct engine *e);

/* Entry of a call about a socket; exit after a verb that may have changed what it is ready for; after one that changed
 * nothing.  -EBADF without a slot. */
struct slot *engine_slot_enter(struct engine *e, engine_sock s);
int engine_slot_done(struct engine *e, struct slot *slot, int r);
int engine_slot_seen(struct engine *e, struct slot *slot, int r);
/* After one that has given the program something to answer (engine_leave_owing()). */
int engine_slot_told(struct engine *e, struct slot *slot, int r);

/* ---- engine_open.c ---- */
/* The verbs with the lock held. */
int engine_slot_bind(struct engine *e, struct slot *slot, const struct sockaddr_in *a, bool may_low);
int engine_slot_connect(struct engine *e, struct slot *slot, const struct sockaddr_in *a);
int engine_slot_listen(struct engine *e, struct slot *slot, int backlog);
/* engine_is_kernels(). */
bool engine_host_has(struct engine *e, ip4 a, uint16_t port);

/* ---- engine_bridge.c ---- */
/* The connection of a bridged socket has news. */
void engine_bridge_run(struct engine *e, struct bridge *b);
/* The ends of bridges have news (bridge_ep is readable). */
void engine_bridge_turn(struct engine *e);
/* Closes the ends without a word: the engine ends, or lives on in the parent of a fork. */
void engine_bridges_forget(struct engine *e);
unsigned engine_bridge_fds(struct engine *e, int *fds, unsigned n);
/* Is it a connection whose bridge has ended, kept for questions?  And lets all of those go: true when there were some. */
bool engine_bridge_has_ended(const struct engine *e, engine_sock s);
bool engine_bridge_drop_ended(struct engine *e);
void engine_bridge_expire(struct engine *e);
bool engine_bridge_is_native(const struct bridge *b);
/* Looks after the native listeners; false: there are none. */
bool engine_bridge_look(struct engine *e);
void engine_bridge_identify(const struct engine *e, const struct slot *slot, bool is_v6, struct engine_bridged *b);
/* Neither connected nor listening, nor has it been. */
bool engine_bridge_is_idle(const struct slot *slot);
/* A bridged socket that was idle has begun to connect or to listen; near: the program's end, borrowed. */
void engine_bridge_begin(struct engine *e, struct slot *slot, int near);
/* Bridges the socket by the object that it has (engine_bridge_joined()), with `number` for cfg.join. */
int engine_bridge_slot(struct engine *e, struct slot *slot, int number, int near);
/* What all that is in bridge_ep needs: once. */
int engine_bridge_prepare(struct engine *e);

/* ---- engine_listener.c: listeners that accept() works on without us ---- */
/* The program's end; what is connected to it, which is named already; each an fd or -errno. */
int engine_listener_open(const struct engine_bridged *id, int backlog);
int engine_listener_client(const struct engine_bridged *id);
/* Puts a connection into the queue of the listener `id`: 0, -EAGAIN when that is full, -ECONNREFUSED when nobody
 * listens any more. */
int engine_listener_offer(const struct engine_bridged *id, int fd);
bool engine_listener_has_gone(const struct engine_bridged *id);
/* When engine_bridge_look() is called: at once and often, as a listener is new or may have gone; soon, for a queue that was
 * full. */
void engine_listener_hurry(struct engine *e);
void engine_listener_retry(struct engine *e);
void engine_listener_expire(struct engine *e);

/* ---- engine_local.c ---- */
#define BRIDGE_LOCAL (1ull << 32)       /* bridge_ep's words from here on are theirs, up to BRIDGE_RELAY */
/* The listener ends; it may have, by what was done to its connection. */
void engine_local_close(struct engine *e, struct slot *slot);
void engine_local_update(struct engine *e, struct slot *slot);
/* The program has set an option of the listener. */
void engine_local_setopt(const struct slot *slot, int level, int name, const void *val, socklen_t len);
bool engine_local_has_client(const struct slot *slot);
/* engine_listen_locally(). */
int engine_local_listen(struct engine *e, struct slot *slot, const struct engine_local *how);
/* One of the kernel's connections, with flags as of accept4(); -EAGAIN. */
int engine_local_take(struct engine *e, struct slot *slot, int flags, struct sockaddr_storage *peer, socklen_t *len);
/* bridge_ep has told of this word. */
void engine_local_see(struct engine *e, uint64_t at);
/* Closes them, and the parent's of a fork listen on. */
void engine_locals_forget(struct engine *e);
/* There will be a child, which is to find them, and later ones (engine_dial.c). */
void engine_locals_sign(struct engine *e);
unsigned engine_local_fds(const struct engine *e, int *fds, unsigned n);

/* ---- engine_relay.c: the kernel's clients of native listeners ---- */
#define BRIDGE_RELAY (1ull << 33)       /* bridge_ep's words from here on are theirs, but for BRIDGE_REMOTE */
#define RELAY_SOCK (1ull << 63)         /* in the handle that the name of one's end has */
/* Offers the kernel's connection to the listener, and moves its bytes from then on: 0, and the fd is taken over;
 * -EAGAIN: its queue is full; another -errno. */
int engine_relay_open(struct engine *e, const struct engine_bridged *listener, int tcp);
/* One of their ends has news. */
void engine_relay_see(struct engine *e, uint64_t word, uint32_t events);
/* The kernel's socket of such a handle; -1. */
int engine_relay_fd(struct engine *e, engine_sock s);
void engine_relays_forget(struct engine *e);
unsigned engine_relay_fds(const struct engine *e, int *fds, unsigned n);

/* The abstract names of the network namespace, without their first byte, until see() says false. */
void engine_names_each(bool (*see)(void *user, const char *name), void *user);
/* The name of an end, without its first byte: false when it is no such name. */
bool engine_bridge_parse(const char *name, struct engine_bridged *b);
/* A socket that has a listener's name and is nothing else: its fd, or -errno. */
int engine_bridge_sign(struct engine *e, const struct slot *slot);
/* Bridges slot, with the program's end in *fd. */
int engine_bridge_pair(struct engine *e, struct slot *slot, bool is_v6, int *fd);

/* ---- engine_dial.c: connections to other processes ---- */
/* One to a listener of ours, for another process: its end in *fd. */
int engine_dial_answer(struct engine *e, const struct sockaddr_in *a, bool is_v6, int *fd);

/* ---- engine_yield.c: sockets that become the kernel's ---- */
/* An option that was set. */
struct engine_option {
	unsigned at;             /* where to look on in the list of all; 0 at first */
	int level, name;
	socklen_t len;
	unsigned char val[64];
};

/* The next one of slot; -ENOENT: there is none any more. */
int engine_yield_option(struct engine *e, struct slot *slot, struct engine_option *o);
/* slot, which is idle (-EISCONN) and s, has no port any more, or is gone and `kernels` in its place; *bound: its address. */
int engine_yield(struct engine *e, struct slot *slot, engine_sock s, int number, int kernels, struct sockaddr_in *bound);

/* ---- engine_remote.c: questions from other processes ---- */
#define BRIDGE_REMOTE UINT64_MAX        /* bridge_ep's word for e->remote */
int engine_remote_open(struct engine *e);
void engine_remote_serve(struct engine *e);
/* Has that engine connect to a listener of its own: 0 and *fd, or -errno. */
int engine_remote_dial(uint64_t host, const struct sockaddr_in *a, bool is_v6, int *fd);

/* Asks that engine: what engine_port_answer() said; *fd: the socket that claims the port there, the caller's, or -1.
 * -ENOENT: it has no time, has gone, or is neither of this user nor of root. */
struct port_question;
int engine_remote_ask_port(uint64_t host, const struct port_question *q, int *fd);
/* The name of an engine, without its first byte: 0 when it is no such name. */
uint64_t engine_remote_parse(const char *name);

/* ---- engine_port.c: ports that other processes hold, too ---- */
struct port_question {
	ip4 scope;               /* an own address of the asker's; 0: it shares the host's */
	uint16_t port;
	ip4 addr;                /* of the socket that wants it, as it would be bound (struct bind_owner) */
	int oif;
	uint32_t uid;
	bool reuse, reuseport;
	struct tuple t;          /* to connect from it; raddr 0: to bind or to listen */
};
/* Another engine, of this user or not, asks: 0: its socket may hold the port beside those here, of which there are some,
 * and *fd is a copy of the claim's, or -1; -ENOENT: here is none; -EADDRINUSE; -EADDRNOTAVAIL: a connection has the tuple. */
int engine_port_answer(struct engine *e, const struct port_question *q, uid_t uid, int *fd);
/* What is to be asked before the socket binds to a, of which we have the port beside others; when that port was refused us;
 * before it listens; before it connects to a.  False: nothing. */
enum port_want { WANT_BIND, WANT_CLAIM, WANT_LISTEN, WANT_CONNECT };
bool engine_port_asks(struct engine *e, const struct slot *slot, enum port_want want, const struct sockaddr_in *a,
		      struct port_question *q);
/* Asks all other engines, without the lock: 0, -EADDRINUSE, -EADDRNOTAVAIL. */
int engine_port_may(struct engine *e, const struct port_question *q);
/* The same for WANT_CLAIM: with 0 the port is ours, too, if it is still another's. */
int engine_port_take(struct engine *e, const struct port_question *q);

/* ---- engine_loop.c: the loop thread ---- */
int engine_loop_start(struct engine *e);
void engine_loop_stop(struct engine *e);
/* In a forked child: there is no thread, only its fds. */
void engine_loop_forget(struct engine *e);

/* ---- engine_control.c: requests to a running process ---- */
/* A socket in directory dir.  0, or -errno, with a sentence in err where that says more. */
int engine_control_open(struct engine *e, const char *dir, char *err, size_t err_len);
void engine_control_close(struct engine *e);
/* In a forked child: the name is the parent's. */
void engine_control_forget(struct engine *e);
int engine_control_fd(const struct engine *e);   /* -1: none */
/* It can be read, with the lock held. */
void engine_control_turn(struct engine *e);
/* Carries out one request, a line that it may write to: the answer's length as snprintf(). */
int engine_control(struct engine *e, char *request, char *out, size_t len);

/* ---- engine_life.c ---- */
/* engine_stats() with the lock held. */
int engine_stats_locked(struct engine *e, char *buf, size_t len);

/* ---- engine_host.c: what the host says ---- */
int engine_host_open(struct engine *e, char *err, size_t err_len);
void engine_host_close(struct engine *e);
void engine_host_changed(struct engine *e);
/* Reads the interface's properties again and tells the stack. */
int engine_link_sync(struct engine *e);

/* ---- engine_claim.c: ports and filter ---- */
enum claim_how {
	CLAIM_ALONE = 0,
	CLAIM_REUSING = 1,       /* SO_REUSEADDR */
	CLAIM_SHARING = 2,       /* SO_REUSEPORT */
};
/* The core wants addr:port claimed; how is an OR of enum claim_how.  0: ask it again. */
int engine_claim(struct engine *e, ip4 addr, uint16_t port, unsigned how);
/* The same for a port that connect() has chosen; where there are many claims room is made instead, once in a call, as
 * the core may have another choice then: *has_room, false at first. */
int engine_claim_to_connect(struct engine *e, ip4 addr, uint16_t port, bool *has_room);
/* A claim by another engine's socket (engine_port.c), which is taken over: 0 or -errno. */
int engine_claim_adopt(struct engine *e, ip4 addr, uint16_t port, int fd);
/* engine.claims_max of this process: claims are fds. */
unsigned engine_claims_max(void);
/* Refused ports may be free by now: true when it makes sense to ask the core again. */
bool engine_claim_retry(struct engine *e);
int engine_filter_sync(struct engine *e);
/* Gives back what nobody needs any more of the ports that were named or listened on. */
void engine_unclaim_idle(struct engine *e);
int engine_reserve_ports(struct engine *e, const char *list);

/* ---- engine_loopback.c: what never leaves the stack ---- */
int engine_loopback_open(struct engine *e);
void engine_loopback_close(struct engine *e);
/* Copies f if it is for the stack itself: then engine_loopback_give() hands it over. */
bool engine_loopback_take(struct engine *e, const struct frame_out *f);
void engine_loopback_give(struct engine *e);
/* Can a connection to this address be inside? */
bool engine_loopback_has(const struct engine *e, ip4 a);
/* Somebody binds to it: its ports need claims from now on. */
int engine_loopback_bind(struct engine *e, ip4 a);

/* ---- engine_own.c: own addresses that other processes have, too ---- */
int engine_own_open(struct engine *e);
/* Is it one of them? */
bool engine_own_has(const struct engine *e, ip4 addr);
/* Somebody listens, or connects: what others on this host send to us is to come in from now on, if it is needed or
 * others have such an address, too. */
void engine_own_meet(struct engine *e, bool is_needed);
/* The interface's own MAC may have changed. */
void engine_own_update(struct engine *e);
/* Takes addr:port (addr 0: on every address) and tells the core what came of it; 0. */
int engine_own_claim(struct engine *e, ip4 addr, uint16_t port, unsigned how);
/* Gives addr:port back where nobody here holds it. */
void engine_own_unclaim(struct engine *e, uint16_t port);
/* Is this frame ours to send? */
bool engine_own_permits(struct engine *e, const struct frame_out *f);
/* ---- engine_share.c: other processes ---- */
void engine_share_close(struct engine *e);
void engine_share_forget(struct engine *e);
unsigned engine_share_fds(const struct engine *e, int *fds, unsigned n);
/* Is the frame for this process, too?  Asked when there are groups. */
bool engine_share_passes(struct engine *e, const struct frame_in *f);
/* A socket with SO_REUSEPORT is to be bound: joins the group.  It listens; sockets may have stopped to. */
int engine_share_join(struct engine *e, uint16_t port);
int engine_share_listen(struct engine *e, ip4 addr, uint16_t port);
void engine_share_update(struct engine *e);
/* A socket of another process gets the port beside ours, or ours beside others: makes the group, which ends when we are
 * alone. */
int engine_share_admit(struct engine *e, uint16_t port);
bool engine_share_has(struct engine *e, uint16_t port);
/* Leaves the groups of this port that no socket is of any more. */
void engine_share_leave(struct engine *e, uint16_t port);
/* Is nobody else in the group, or is there none? */
bool engine_share_is_alone(struct engine *e, uint16_t port);
/* The kernel's listeners of all members (engine_local.c); we have one more, or one less. */
unsigned engine_share_listeners(struct engine *e, uint16_t port);
void engine_share_count_listener(struct engine *e, uint16_t port, int by);

/* ---- engine.c ---- */
/* For tests: an engine with addresses of its own (cfg.addrs) on a netif that it takes over;
 * nothing is asked of the host. */
int engine_open_on(const struct engine_config *cfg, struct netif *nif, struct engine **e,
		   char *err, size_t err_len);

#endif
