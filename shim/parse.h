/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * parse.h - values of settings: addresses and prefixes in `len` bytes of text, 0 or -EINVAL.
 */
#ifndef XTCP_PARSE_H
#define XTCP_PARSE_H

#include <stddef.h>

#include "engine.h"

/* Digits alone, at most `max`. */
int parse_number(const char *text, size_t len, unsigned max, unsigned *n);
int parse_ip(const char *text, size_t len, ip4 *a);
/* A/P */
int parse_prefix(const char *text, size_t len, struct engine_prefix *p);

#endif
