/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * epoll.h - epoll sets with sockets of ours: epoll_ctl() and epoll_wait().
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

/* epoll_wait(): a result or -errno; the deadline as engine_wait() takes it, mask may be NULL. */
int epoll_call(int epfd, struct epoll_event *ev, int n, xtime deadline, const sigset_t *mask);

/* fd, if it is a set, is looked at otherwise than by epoll_wait() of this process from now on: the kernel has all its
 * registrations.  epoll_see_all(): any set may be. */
void epoll_see(int fd);
void epoll_see_all(void);
/* epfd is used in a process whose parent, or its parent, may have registrations of its own there: the kernel has them
 * from then on. */
void epoll_take(int epfd);
/* With the lock of ready.h: the kernel's object serves s, and has its registrations; tells: it is asked to now. */
void epoll_give_all(struct sock *s, bool tells);
/* With the lock, and after its slot was emptied: fd is no number of s any more (-1: it has none). */
void epoll_drop_number(struct sock *s, int fd);

/* In a forked child. */
void epoll_fork_forget(void);
/* A handler is about to run, which may leave epoll_wait() for good. */
void epoll_interrupt(void);

#endif
