/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * epoll.h - epoll sets with sockets of ours: who is registered, and epoll_wait().
 */
#ifndef XTCP_SHIM_EPOLL_H
#define XTCP_SHIM_EPOLL_H

#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>

#include "engine.h"
#include "sock.h"

/* epoll_ctl() on s under its number fd. */
int epoll_ctl_sock(struct sock *s, int epfd, int op, int fd, struct epoll_event *ev);
/* On any other fd, after it was added: when that is a set it is seen from another one from now on. */
void epoll_added(int epfd, int fd);

/* epoll_wait(): a result or -errno; the deadline as engine_wait() takes it, mask may be NULL. */
int epoll_call(int epfd, struct epoll_event *ev, int n, xtime deadline, const sigset_t *mask);

/* With the lock of ready.h, of a mirrored socket: its input goes straight to this thread's epoll_wait(), or has gone
 * there, and the object is not to show it. */
bool epoll_hands(struct sock *s, uint32_t events, bool is_edge);
/* With the lock: the object shows it, or is gone. */
void epoll_forget(struct sock *s);

/* Somebody looks at sets otherwise than by epoll_wait(): all that was handed over is shown, and nothing is handed over
 * any more. */
void epoll_is_seen(void);
/* The same before fork(), with the lock; and in a child. */
void epoll_fork(void);
void epoll_fork_forget(void);
/* A handler is about to run, which may leave epoll_wait() for good. */
void epoll_interrupt(void);

#endif
