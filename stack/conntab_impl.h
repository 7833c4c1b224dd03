/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conntab_impl.h - what the conntab_*.c files share.
 *
 * Each port that is held has a bucket.  Its holders by bind() stand in front of
 * its list, those by connect() or inherited from a listener behind them, so that
 * a listener is found without passing its accepted connections.
 */
#ifndef XTCP_CONNTAB_IMPL_H
#define XTCP_CONNTAB_IMPL_H

#include "conntab.h"

/* Linux inet_bind_bucket.  fastreuse never makes a difference since Linux 6.9 (a new bucket is
 * no longer empty when it is looked at); fastreuseport does: seen on 6.18. */
struct bind_bucket {
	struct list holders;
	uint32_t nblocking;      /* holders not by connect(): Linux's fastreuse >= 0 */
	uint16_t port;
	/* The last bind() with SO_REUSEPORT passed the checks, so that another one of the
	 * same user and address needs none (FASTREUSEPORT_STRICT). */
	bool fast_reuseport;
	uint32_t fast_uid;
	ip4 fast_addr;
};

struct bind_page {
	struct bind_bucket *b[256];
};

/* Connections that connect() made from one local address to one remote address and
 * port.  The bitmaps only speed up the choice, ehash is the truth: a port in `used`
 * is in use, one that is not may be (the first DEST_FEW are not written down until
 * they are met). */
struct dest {
	struct hnode node;
	ip4 laddr, raddr;
	uint16_t rport;
	uint32_t n;              /* entries, the dest goes with the last */
	struct dest_ports *p;    /* from DEST_FEW entries on; owned */
	struct portset *tw;      /* of those: the TIME-WAIT ones; owned */
};
struct dest_ports {
	struct portset used;
	struct portsum full[2];  /* of used */
};
#define DEST_FEW 64

/* What has been claimed from the kernel on one local address. */
struct claims {
	struct claims *next;
	ip4 laddr;               /* 0: on every address */
	uint32_t asked;          /* port that a bind() asked for, UINT32_MAX: none */
	struct portset granted, refused;
	struct portsum any;      /* of granted */
};

/* ---- conntab.c ---- */
uint64_t conntab_dest_hash(const struct conntab *ct, const struct tuple *t);
struct dest *conntab_dest(const struct conntab *ct, const struct tuple *t);
/* Counts an inserted entry among its destination's. */
void conntab_count(struct conntab *ct, struct ent *e);
/* Writes down an entry that was met. */
void conntab_note(struct dest *d, const struct ent *e);

/* ---- conntab_bind.c ---- */
struct bind_bucket *conntab_bucket(const struct conntab *ct, uint16_t port);
/* The port's bucket, made when there is none: NULL when memory is short. */
struct bind_bucket *conntab_get_bucket(struct conntab *ct, uint16_t port);
/* Frees the bucket when nobody holds the port. */
void conntab_put_bucket(struct conntab *ct, struct bind_bucket *b);
void conntab_hold(struct conntab *ct, struct bind_bucket *b, struct bind_owner *o);

/* ---- conntab_claim.c ---- */
struct claims *conntab_claims(const struct conntab *ct, ip4 laddr);
void conntab_free_claims(struct conntab *ct);
/* A holder of a named port has gone. */
void conntab_note_idle(struct conntab *ct, uint16_t port);

#endif
