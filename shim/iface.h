/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * iface.h - what a socket says of the host's interfaces.
 */
#ifndef XTCP_IFACE_H
#define XTCP_IFACE_H

/* SIOCGIFADDR and its likes, from SIOCADDRT on, on a socket of the family: the kernel's answers; with an address of its own
 * (--address) the library's for the interface that it is on.  0 or -errno. */
int iface_ioctl(int family, unsigned long cmd, void *arg);

#endif
