/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nl.h - a netlink socket and one request at a time over it; libmnl builds and takes
 * apart the messages.
 */
#ifndef XTCP_NL_H
#define XTCP_NL_H

#include <libmnl/libmnl.h>
#include <stddef.h>
#include <stdint.h>

/* As large as the kernel makes a part of a dump. */
#define NL_BUFFER 32768

struct nl {
	int fd;
	uint32_t portid, seq;    /* our address, the last request's number */
	char *buf;               /* NL_BUFFER bytes, for what is received; owned */
};

/* A blocking socket on this bus (NETLINK_*) in these groups (RTMGRP_*): 0 or -errno. */
int nl_open(struct nl *nl, int bus, uint32_t groups);
/* Harmless on one that was never opened, if all bytes are zero or fd is -1. */
void nl_close(struct nl *nl);
/* The same, without waiting for what the kernel has yet to finish. */
void nl_close_late(struct nl *nl);

/* Numbers the one message, sends it and takes its answers, up to the acknowledgement or the
 * end of the dump: 0 or -errno, the kernel's own included; -EINTR: the dump is torn by a
 * change, ask again.  cb may be NULL. */
int nl_request(struct nl *nl, struct nlmsghdr *m, mnl_cb_t cb, void *ctx);
/* The same for bytes that are built, of which message number seq is to be acknowledged. */
int nl_transact(struct nl *nl, const void *msgs, size_t len, uint32_t seq, mnl_cb_t cb, void *ctx);

#endif
