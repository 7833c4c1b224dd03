/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filter.h - the classic BPF program of an afpacket_filter.  Pure: bytes out, no system
 * call.
 */
#ifndef XTCP_FILTER_H
#define XTCP_FILTER_H

#include <linux/filter.h>

#include "afpacket.h"

/* The kernel's BPF_MAXINSNS. */
#define FILTER_MAX 4096

/* Builds the program into prog (max instructions, FILTER_MAX at most): its length, or
 * -E2BIG when even the coarsest program is longer than max, -ENOMEM.  Ports that don't fit one
 * by one are merged to ranges, those with the smallest gaps first. */
int filter_build(const struct afpacket_filter *f, enum netif_link link,
                 struct sock_filter *prog, unsigned max);

#endif
