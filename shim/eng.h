/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * eng.h - the way down: every call of the engine for a socket, with signal handlers
 * held off meanwhile, and -EIO for a socket that a fork has left without its engine.
 */
#ifndef XTCP_ENG_H
#define XTCP_ENG_H

#include "engine.h"
#include "sock.h"

/* The engine, NULL before the first socket and in a forked child. */
extern _Atomic(struct engine *) eng_current;

/* The process ends: takes the engine away for good; NULL: there is none. */
struct engine *eng_end(void);
bool eng_has_ended(void);

/* Has this thread the capability? */
bool eng_has_cap(int cap);

int eng_socket(engine_sock *es);
int eng_bind(struct sock *s, const struct sockaddr_in *a);
int eng_connect(struct sock *s, const struct sockaddr_in *a);
int eng_fastopen(struct sock *s, const struct sockaddr_in *a, const struct iovec *iov, int cnt, bool waits,
		 size_t *copied);
int eng_connect_result(struct sock *s);
int eng_disconnect(struct sock *s);
int eng_listen(struct sock *s, int backlog);
int eng_listen_locally(struct sock *s, const struct engine_local *how);
int eng_accept(struct sock *s, engine_sock *conn);
int eng_accept_locally(struct sock *s, int flags, struct sockaddr_storage *peer, socklen_t *len);
ssize_t eng_send(struct sock *s, const struct iovec *iov, int cnt, size_t skip, int flags);
ssize_t eng_recv(struct sock *s, const struct iovec *iov, int cnt, size_t skip, int flags,
		 size_t peek_off, int *rflags);
int eng_shutdown(struct sock *s, int how);
int eng_shut(struct sock *s);
int eng_release(struct sock *s);
int eng_release_handle(engine_sock es);
int eng_sockname(struct sock *s, struct sockaddr_in *a);
int eng_peername(struct sock *s, struct sockaddr_in *a);
int eng_setopt(struct sock *s, int level, int name, const void *val, socklen_t len);
int eng_getopt(struct sock *s, int level, int name, void *val, socklen_t *len);
int eng_query(struct sock *s, enum engine_query q, int *val);
uint32_t eng_events(struct sock *s);
/* Is a connection to it the kernel's to make?  And is 127/8 served by the engine? */
bool eng_is_kernels(struct sock *s, const struct sockaddr_in *a);
bool eng_has_loopback(void);
int eng_dial(struct sock *s, const struct sockaddr_in *a, int *fd, struct engine_bridged *b);
int eng_mirror(struct sock *s, bool on);
void eng_inform(void (*fn)(void *user), void *user);
int eng_bridge(struct sock *s, int *fd);
int eng_identify(struct sock *s, struct engine_bridged *id);
int eng_bridge_joined(struct sock *s, int far, int near);
/* What a call on a socket without an engine gives: -EREROUTED, also when it has to be fetched from another process
 * for that, or -EIO. */
int eng_lost(struct sock *s);

/* engine_wait(); mask NULL: the thread's own.  Handlers run in the sleep; after one that has run since signal_begin_call()
 * there is none. */
int eng_wait(struct engine_watch *w, unsigned nw, struct pollfd *extra, unsigned nextra,
	     xtime deadline, const sigset_t *mask);
int eng_wait_news(struct engine_news *news, struct engine_watch *w, unsigned nw, struct pollfd *extra, unsigned nextra,
		  xtime deadline, const sigset_t *mask);
/* engine_look() */
void eng_look(void);
/* The watch for one socket; -EIO when it is lost. */
int eng_watch(struct engine_watch *w, struct sock *s, uint32_t events);

#endif
