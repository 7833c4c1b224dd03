/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_pair.h - two engines back to back on a wire, and blocking calls made of the
 * engine's as the shim makes them.
 *
 * Real threads and real time: bounds are wide, and every wait has one.
 */
#ifndef XTCP_TESTS_ENGINE_PAIR_H
#define XTCP_TESTS_ENGINE_PAIR_H

#include <pthread.h>

#include "engine_impl.h"

#define SOON (10 * XTIME_SEC)       /* what must happen happens before that */

extern struct engine *client, *server;   /* 10.0.0.1, 10.0.0.2 */
extern struct netif *wire[2];            /* theirs */
extern engine_sock listener;             /* the server's, at port PORT */
#define PORT 5000

/* cmocka's fixtures; super: the wire carries super-frames. */
int setup(void **state);
int setup_super(void **state);
int teardown(void **state);

/* Fail the test unless it happens SOON; what happened. */
uint32_t wait_for(struct engine *e, engine_sock s, uint32_t events);
void send_all(struct engine *e, engine_sock s, const void *p, size_t len);
/* Up to len bytes, fewer only at the end. */
size_t recv_all(struct engine *e, engine_sock s, void *p, size_t len);

/* A connection, both ends; or the client's end of one whose other end a thread echoes until
 * the client closes it. */
void connect_pair(engine_sock *c, engine_sock *s);
engine_sock connect_to_server(void);
engine_sock connect_echo(pthread_t *t, engine_sock *s);
/* Sends numbers from `seed` on to an echo and expects them back. */
void ping_pong(engine_sock c, unsigned rounds, uint32_t seed);

/* What cfg.ready is told goes to the struct mirror that is its user. */
struct mirror {
	uint32_t events;
	unsigned calls, edges;
};

pthread_t start(void *(*f)(void *), void *arg);
void nap(int ms);

#endif
