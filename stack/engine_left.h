/* SPDX-License-Identifier: BSD-2-Clause */
/* engine_left.h - bytes that one side of a bridge or a relay gave, and the other had no room for. */
#ifndef XTCP_ENGINE_LEFT_H
#define XTCP_ENGINE_LEFT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct leftover {
	uint8_t *buf;           /* NULL while there are none; owned */
	size_t at, len;         /* the first that is left, and how many are */
};

/* Nothing is left before.  False: no memory. */
static inline bool leftover_keep(struct leftover *l, const uint8_t *buf, size_t len)
{
	l->buf = malloc(len);
	if (!l->buf)
		return false;
	memcpy(l->buf, buf, len);
	l->at = 0;
	l->len = len;
	return true;
}

static inline void leftover_drop(struct leftover *l)
{
	free(l->buf);
	*l = (struct leftover){ NULL, 0, 0 };
}

/* n of them are gone. */
static inline void leftover_took(struct leftover *l, size_t n)
{
	l->at += n;
	l->len -= n;
	if (!l->len)
		leftover_drop(l);
}

#endif
