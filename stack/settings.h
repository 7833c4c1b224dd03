/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * settings.h - a stack's settings under their Linux names; the table with
 * defaults and bounds is settings.def.
 */
#ifndef XTCP_SETTINGS_H
#define XTCP_SETTINGS_H

#include "base.h"

struct settings {
#define SETTING(name, def, lo, hi) int32_t name;
#include "settings.def"
#undef SETTING
	/* tcp_fastopen_key: four words in hexadecimal, parted by hyphens. */
	uint32_t fastopen_key[4];
	bool has_fastopen_key;   /* false: a random one */
};

void settings_default(struct settings *s);
/* What Linux sizes by the host's memory (tcp_init()): tcp_mem, and the largest buffers. */
void settings_memory(struct settings *s, uint64_t bytes);

/* Sets one by its name, with or without the "net.ipv4." in front ("tcp_rmem" and
 * "tcp_wmem" take three numbers, "ip_local_port_range" two): 0, -ENOENT for an
 * unknown name, -EINVAL for a value that is no number or out of bounds. */
int settings_set(struct settings *s, const char *name, const char *value);

/* Why a sysctl of Linux is no setting here, a sentence without its full stop; NULL: there is no such
 * sysctl, or it is one. */
const char *settings_refusal(const char *name);

/* Whether it is tcp_congestion_control, which no number can say: the stack's own (stack_set()). */
bool settings_is_congestion(const char *name);

#define SETTINGS_VALUES_MAX 3
/* The numbers of one: how many, or -ENOENT.  (tcp_fastopen_key is a secret.) */
int settings_get(const struct settings *s, const char *name, int32_t v[SETTINGS_VALUES_MAX]);

#endif
