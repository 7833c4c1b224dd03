/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_bridge.h - a bridge from the inside; for engine_bridge*.c alone.
 */
#ifndef XTCP_ENGINE_BRIDGE_H
#define XTCP_ENGINE_BRIDGE_H

#include "engine_impl.h"
#include "engine_left.h"

#define BRIDGE_CHUNK 65536u             /* bytes of engine.bridge_buf */

struct bridge {
	struct list link;       /* in engine.bridges */
	struct slot *slot;      /* whose connection it is; the bridge holds it */
	int fd;                 /* our end */
	uint32_t watched;       /* EPOLLIN, EPOLLOUT: what bridge_ep tells us */
	bool is_listener;
	bool is_native;         /* a listener of engine_listener.c; its fd is -1 */
	bool is_v6;             /* for its name */
	bool is_connecting;     /* the program's end has been filled, with `filler` bytes */
	bool is_in_over;        /* the program has been told of the peer's end */
	bool is_out_over;       /* the program will write no more */
	bool is_hung_up;        /* nobody has the program's end */
	bool is_broken;         /* the connection has ended: all that the object can show is an end or a reset */
	bool has_news;          /* the program may have written since we looked */
	bool has_end;           /* or have shut or closed its end */
	bool keeps;             /* the first byte in our queue has been sent already (engine_bridge_move.c) */
	struct leftover left;   /* written by the program, not taken by the connection */
	bool is_left_urgent;    /* which is the urgent byte */
	size_t filler;
	struct bridge *waiting; /* of a native listener: the queue was full for it */
	int kernels;            /* likewise, the kernel's connection (engine_relay.c); -1: none */
	struct bridge *listener; /* the other way round */
};

/* What bridge_ep is to tell of our end. */
void engine_bridge_want(struct engine *e, struct bridge *b, uint32_t events);
/* Nobody is left who could use the socket, or it is of no use any more. */
void engine_bridge_end(struct engine *e, struct bridge *b);
/* Moves the bytes of a connection. */
void engine_bridge_move(struct engine *e, struct bridge *b);
/* From now on SO_OOBINLINE is the object's; near: the program's end, or -1 where it isn't at hand. */
void engine_bridge_take_urgent(struct engine *e, struct bridge *b, int near);
/* Our end is about to be closed: the object will show a reset if the connection has failed, else an end. */
void engine_bridge_show_end(struct engine *e, struct bridge *b);

#endif
