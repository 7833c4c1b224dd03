/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evio.h - the calls that the private libev makes instead of libc's (stack/evio.syms).
 *
 * They have the signatures and the errno of what they stand for.
 */
#ifndef XTCP_EVIO_H
#define XTCP_EVIO_H

#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/types.h>

extern FILE *xtcp_ev_stderr;

/* The fds that libev has made and not closed, up to n: how many.  The program must leave them
 * alone. */
unsigned xtcp_ev_fds(int *fds, unsigned n);

int xtcp_ev_close(int fd);
int xtcp_ev_dup2(int from, int to);
int xtcp_ev_epoll_create(int size);
int xtcp_ev_epoll_create1(int flags);
int xtcp_ev_epoll_ctl(int epfd, int op, int fd, struct epoll_event *ev);
int xtcp_ev_epoll_wait(int epfd, struct epoll_event *ev, int n, int timeout_ms);
int xtcp_ev_eventfd(unsigned int value, int flags);
int xtcp_ev_fcntl(int fd, int cmd, long arg);
int xtcp_ev_pipe(int fds[2]);
int xtcp_ev_poll(struct pollfd *fds, nfds_t n, int timeout_ms);
ssize_t xtcp_ev_read(int fd, void *buf, size_t len);
int xtcp_ev_select(int n, fd_set *r, fd_set *w, fd_set *e, struct timeval *timeout);
int xtcp_ev_signalfd(int fd, const sigset_t *mask, int flags);
ssize_t xtcp_ev_write(int fd, const void *buf, size_t len);

#endif
