/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conntab.h - who owns which local port and which 4-tuple: bhash and ehash.
 *
 * ehash: keyed hash table from a 4-tuple to the entry that owns it: a
 * connection, a TIME-WAIT remainder or a SYN queue entry.
 * bhash: for each local port in use, the sockets that hold it and by which rules
 * they share it (inet_csk_get_port, inet_bind_conflict of Linux).
 * Choosing a source port gives the port that Linux's __inet_hash_connect() would
 * give for the same table, hint and random numbers, but at the same cost when the
 * range is nearly full: the ports in use towards one destination are a bitmap.
 *
 * In shared-address mode a local port may be used only once it is claimed from
 * the kernel; the table then prefers claimed ports and says which port it wants
 * claimed.  No table has a fixed size; running out of memory is an error.
 */
#ifndef XTCP_CONNTAB_H
#define XTCP_CONNTAB_H

#include "base.h"
#include "htab.h"
#include "portwalk.h"
#include "siphash.h"

struct tuple {
	ip4 laddr, raddr;
	uint16_t lport, rport;
};

enum ent_kind { ENT_CONN, ENT_TIMEWAIT, ENT_REQUEST };

/* An owner of a 4-tuple; embedded in what owns it. */
struct ent {
	struct hnode node;       /* in its hash chain; the table's */
	struct tuple t;          /* not changed while inserted */
	uint8_t kind;            /* enum ent_kind */
	bool is_hashed;          /* inserted; the table's */
	bool is_counted;         /* among the ports in use towards its destination; the table's */
};

/* A holder of a local port; embedded in a socket or in its TIME-WAIT remainder.  All
 * zeros is a holder of none. */
struct bind_owner {
	struct list link;            /* among the holders of the port; the table's */
	struct bind_bucket *bucket;  /* NULL when no port is held; the table's */
	ip4 addr;                    /* bound address, 0 for any; conntab_connect() narrows it */
	int oif;                     /* SO_BINDTODEVICE as interface index, 0 for none */
	uint32_t uid;                /* owner, for SO_REUSEPORT */
	uint32_t group_index : 24;   /* among the listeners of its SO_REUSEPORT group; the table's */
	bool reuse : 1;              /* SO_REUSEADDR */
	bool reuseport : 1;          /* SO_REUSEPORT */
	bool is_listening : 1;       /* in LISTEN: SO_REUSEADDR doesn't share with it */
	bool by_connect : 1;         /* chosen by connect(), not by bind(); the table's */
	bool is_timewait : 1;
	bool is_inherited : 1;       /* of a listener by an accepted connection; the table's */
	bool is_named : 1;           /* the port came by bind(), or is listened on: its claim is not kept for
	                              * others; the table's */
};

struct conntab {
	struct siphash_key key;
	struct htab ents;            /* ehash */
	struct htab dests;           /* per (laddr, raddr, rport): ports in use */
	struct bind_page *ports[256];    /* bhash: by the port's upper, then lower byte; owned */
	struct portset *held;        /* ports with a holder; NULL until the first; owned */
	struct portset *blocked;     /* ports that connect() can't share: with a holder that came
	                              * by bind(); NULL until the first; owned */
	struct portset *reserved;    /* ip_local_reserved_ports, NULL for none; owned */
	struct claims *claims;       /* per local address that needs claims; owned */
	struct portset *idle;        /* named ports that a holder has left; NULL until the first; owned */
	unsigned nidle;
	uint32_t *perturb;           /* table_perturb of Linux, allocated at first use; owned */
	/* What choosing ports has cost, for tests and statistics. */
	uint64_t words_scanned, tuples_probed;
};

/* The key must not be used for anything else. */
int conntab_init(struct conntab *ct, const struct siphash_key *key);
/* The entries and holders are the caller's. */
void conntab_fini(struct conntab *ct);

/* The owner of exactly this tuple, or NULL. */
struct ent *conntab_find(const struct conntab *ct, const struct tuple *t);
/* 0, -EEXIST or -ENOMEM. */
int conntab_insert(struct conntab *ct, struct ent *e);
/* Puts `to` (same tuple, not inserted) in the place of `from`; never fails. */
void conntab_replace(struct conntab *ct, struct ent *from, struct ent *to);
/* Nothing happens when it is not inserted. */
void conntab_remove(struct conntab *ct, struct ent *e);

struct port_range {
	uint16_t lo, hi;             /* both included */
	bool is_users;               /* set by IP_LOCAL_PORT_RANGE: no parity preference */
};

/* Linux inet_csk_get_port(): takes `port` for the owner by the rules of
 * SO_REUSEADDR and SO_REUSEPORT, or when it is 0 picks one from the range (the
 * parity opposite to connect()'s first).  rnd: 32 random bits.
 * 0; -EADDRINUSE; -ENOMEM; -EAGAIN: *want is a port of o->addr that must be claimed first
 * (o->addr 0: of every address).  An explicit port that is claimed in vain gives
 * -EADDRINUSE once and is asked for again the next time. */
int conntab_bind(struct conntab *ct, struct bind_owner *o, uint16_t port,
                 const struct port_range *range, uint32_t rnd, uint16_t *want);
/* What conntab_bind() would say of the port if claims didn't matter, for a socket of another stack: 0, -EADDRINUSE, or -ENOENT:
 * no holder overlaps with it in address and device. */
int conntab_would_bind(const struct conntab *ct, const struct bind_owner *o, uint16_t port);
/* Whether `o`, which holds a port, may go to LISTEN with its current flags: 0 or
 * -EADDRINUSE (inet_csk_listen_start's second get_port). */
int conntab_may_listen(const struct conntab *ct, const struct bind_owner *o);
/* Gives the port up; nothing happens when none is held. */
void conntab_unbind(struct conntab *ct, struct bind_owner *o);
/* Hands a port over to another holder (a socket to its TIME-WAIT remainder) with all that
 * was agreed about it; `to` holds none yet and only its is_timewait counts. */
void conntab_bind_move(struct bind_owner *from, struct bind_owner *to);
/* Does nobody but this holder, which has the port, keep it taken? */
bool conntab_is_alone(const struct bind_owner *o);
/* The port held, 0 when none. */
uint16_t conntab_port(const struct bind_owner *o);
/* Adds `o` to the holders of `port` without any check (an accepted connection
 * inherits its listener's port): 0 or -ENOMEM. */
int conntab_bind_inherit(struct conntab *ct, struct bind_owner *o, uint16_t port);
/* `o` begins or ends to listen; listeners with SO_REUSEPORT on the same address, port and
 * device and of the same user are a group (reuseport_add_sock, reuseport_detach_sock). */
void conntab_listen(struct conntab *ct, struct bind_owner *o, bool on);
/* __inet_lookup_listener(): the listener for a segment of tuple t that came in by the
 * interface with the system's index oif: the exact address before any, then the
 * device before none, then the newest; of a group the one that the tuple's keyed hash says,
 * always the same as long as nobody joins or leaves.  NULL when there is none. */
struct bind_owner *conntab_find_listener(const struct conntab *ct, const struct tuple *t, int oif);

/* What a choice of source port needs and gives. */
struct port_choice {
	struct port_range range;
	uint32_t rnd;                /* 32 random bits */
	/* May this TIME-WAIT entry's tuple be taken over? (tcp_twsk_unique; the socket that
	 * connects held its port already where Linux passes no twp.)  NULL: never. */
	bool (*may_reuse)(const struct ent *tw, void *arg);
	void *arg;
	bool no_reuse;               /* no TIME-WAIT entry of this destination may, unless the
	                              * port is held already: none is looked at (tcp_tw_reuse) */
	bool is_inside;              /* the connection never leaves the stack: its port needs no claim */
	struct ent *replaced;        /* out: the TIME-WAIT entry that gave way: it is out of
	                              * ehash, the caller ends it; else NULL */
	uint16_t want;               /* out with -EAGAIN: the port that must be claimed first */
};

/* Linux __inet_hash_connect(): e->t holds laddr, raddr and rport.  Chooses the port,
 * unless `o` holds one, takes it for `o` and inserts `e`; o->addr becomes laddr.
 * 0; -EADDRNOTAVAIL; -ENOMEM; -EAGAIN: claim c->want, then call again. */
int conntab_connect(struct conntab *ct, struct ent *e, struct bind_owner *o, struct port_choice *c);

/* Shared-address mode: ports of laddr must be claimed before use from now on, and ports
 * that are bound on every address (laddr 0) as well: 0 or -ENOMEM. */
int conntab_need_claims(struct conntab *ct, ip4 laddr);
void conntab_drop_claims(struct conntab *ct, ip4 laddr);
/* The outcome of a claim; one of laddr 0 is one of each address.  A refused port is passed
 * over until conntab_retry_refused(). */
void conntab_set_claim(struct conntab *ct, ip4 laddr, uint16_t port, bool granted);
void conntab_retry_refused(struct conntab *ct);
/* The claim has been given back: the port may be asked for again. */
void conntab_unclaim(struct conntab *ct, ip4 laddr, uint16_t port);
/* A port that bind() gave or that was listened on, and that somebody has let go of since; 0: none.  Its
 * claims may go where nobody holds it any more. */
uint16_t conntab_next_idle(struct conntab *ct);
/* Does anybody hold the port on this address (0: on any)? */
bool conntab_is_held(const struct conntab *ct, ip4 laddr, uint16_t port);
/* Did bind() or listen() give somebody the port on this address? */
bool conntab_is_bound(const struct conntab *ct, ip4 laddr, uint16_t port);
/* True when laddr needs no claims or this port of it is claimed. */
bool conntab_is_claimed(const struct conntab *ct, ip4 laddr, uint16_t port);

/* Ports that are never chosen automatically (ip_local_reserved_ports): 0 or -ENOMEM. */
int conntab_reserve(struct conntab *ct, uint16_t lo, uint16_t hi);

#endif
