/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sock.h - one TCP socket as the program knows it: what Linux keeps in struct
 * socket and struct file, beside the connection that the engine keeps.
 */
#ifndef XTCP_SOCK_H
#define XTCP_SOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "engine.h"

/* enum socket_state of Linux, whose words __inet_stream_connect() is written in. */
enum sock_state { SOCK_UNCONNECTED, SOCK_CONNECTING, SOCK_CONNECTED, SOCK_LISTENING };

#define SOCK_OPT_BYTES 40

/* Ours alone, no errno of Linux: the number isn't this socket's any more, whatever is under it is to be called instead.
 * It has been bridged, and the kernel's object is; or a handler has closed it, after which the call is to be restarted. */
#define EREROUTED 600

/* An option that was set, to be set again on a kernel socket. */
struct sock_opt {
	struct sock_opt *next;
	int level, name;
	socklen_t len;
	unsigned char val[SOCK_OPT_BYTES];
};

/* An epoll set that watches the socket. */
struct sock_reg {
	struct sock_reg *next;
	uintptr_t set;           /* fdtab_epoll() */
	int fd;                  /* the socket's number that was registered */
	bool is_new;             /* made or changed, and the engine hasn't told since */
	uint32_t events;
	uint64_t data;
	struct sock *s;
	/* Ours alone (epoll_set.c): */
	struct epoll_set *of;    /* NULL: the kernel has the registration */
	struct list all, ready;  /* in the set's */
};

struct sock {
	struct sock *next_free;  /* overlaid by the pool; only meaningful while free */
	_Atomic uint32_t refs;   /* slots and calls under way; 0: free */
	_Atomic uint32_t numbers; /* slots */
	_Atomic engine_sock es;  /* 0: the engine is another process's, or gone, or the socket bridged */
	uint64_t host;           /* that engine (engine_publish()); 0: this process's, or none */
	engine_sock there;       /* what the socket is called there */
	uint32_t forks;          /* how often the process had forked when it was made (shared.h) */
	_Atomic xtime rcvtimeo, sndtimeo;  /* ns; 0: none */
	_Atomic int rcvlowat;
	_Atomic bool has_peek_off;  /* SO_PEEK_OFF was set */
	_Atomic uint8_t state;   /* enum sock_state */
	_Atomic bool is_nonblock;   /* the file's O_NONBLOCK as we saw it set last */
	_Atomic uint32_t disconnects;  /* sk_disconnects: by connect(AF_UNSPEC), and connect()s that failed */
	_Atomic bool is_deferred;   /* connect() waits for data (TCP_FASTOPEN_CONNECT) */
	_Atomic bool is_bridged; /* or about to be (bridge.h) */
	_Atomic bool wants_bridge;  /* from connect() or listen() on, by a rule of the policy */
	bool is_v6;              /* of AF_INET6: its addresses are mapped ones */
	bool is_v6only;          /* IPV6_V6ONLY */
	bool is_bound;           /* by bind() */
	_Atomic bool has_owner;  /* F_SETOWN: SIGURG is to be sent */

	/* The mirror, guarded by ready.c's lock; changed by ready.c alone. */
	_Atomic bool is_mirrored;   /* the engine tells, for a mirror or for registrations of ours */
	bool is_filled, is_far_shut, is_far_closed, has_error;
	bool is_urgent;          /* a token is an urgent byte */
	uint8_t tokens;          /* in flight */
	uint32_t told;           /* what the engine has told last */
	_Atomic int fd;          /* one of its numbers; -1: none */
	int far;                 /* the mirror's other end; -1: none */
	_Atomic int member;      /* the kernel's socket that is in multicast groups for it (opts.c); -1: none */
	struct sock_reg *regs;   /* owned */
	struct sock_opt *opts;   /* newest first; owned */
};

/* A socket for es with one reference, the caller's; NULL: no memory. */
struct sock *sock_new(engine_sock es);
bool sock_get_unless_free(struct sock *s);
/* The last one closes it: call_release(), which may sleep as a lingering close() does. */
void sock_put(struct sock *s);
/* In a callback of the engine's, which mustn't be called from there: the last one closes the socket at sock_put_rest(). */
void sock_put_inside(struct sock *s);
void sock_put_rest(void);

/* Remembers an option's last value (of others than IPv6's only until it is clear who serves the socket); -ENOMEM. */
int sock_opt_add(struct sock *s, int level, int name, const void *val, socklen_t len);
/* Sets them again on a kernel socket, oldest first; those at one level, or at all (-1). */
void sock_opts_replay(struct sock *s, int level, int fd);
/* The same, of o and those before it, for the kernel's part of a listener, where some can't be had. */
void sock_opts_lend(const struct sock_opt *o, int fd);
void sock_opts_free(struct sock *s);

/* Around fork(), so that the child finds no lock held. */
void sock_fork_prepare(void);
void sock_fork_done(void);

struct sock_reg *sock_reg_new(void);
void sock_reg_free(struct sock_reg *r);

#endif
