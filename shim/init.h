/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * init.h - the composition root: nothing happens until the first TCP socket.
 */
#ifndef XTCP_INIT_H
#define XTCP_INIT_H

#include <stdbool.h>

#include "rules.h"

/* Reads the configuration, opens the engine, takes over signals and the process's end.  0, at
 * once when it has been done; or -errno, and a sentence was logged. */
int init_attach(void);

/* The same for a process that may want sockets later and will not be able to attach then.  Whatever fails is
 * told when the first socket fails. */
void init_attach_early(void);

struct engine_config;
/* What the engine was opened with. */
const struct engine_config *init_engine_config(void);
/* The rules of --policy, which are read before anything is opened.  NULL: the configuration is wrong, as
 * init_attach() will say too. */
const struct rules *init_rules(void);

/* True where interposed calls pass straight through: inside the engine. */
bool init_is_inside(void);

#endif
