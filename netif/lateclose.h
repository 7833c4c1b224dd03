/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lateclose.h - closes fds whose last close would keep the caller waiting.
 *
 * Closing a packet socket, the netlink socket that owned a table, or a link of TCX waits for an RCU grace
 * period of the kernel: 8 to 16 ms each, at the end of every short program.
 */
#ifndef XTCP_LATECLOSE_H
#define XTCP_LATECLOSE_H

/* The fd is closed for this process when the call returns; what it refers to goes a
 * moment later (half a second at most), if nobody else holds it. */
void lateclose(int fd);
/* The same, but the number stays taken, by an object on which nothing ever happens: for one that other threads
 * may still use.  Where that can't be had all stays as it is. */
void lateclose_hollow(int fd);

#endif
