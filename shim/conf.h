/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf.h - all settings, from the file that XTCP_CONFIG names and the XTCP_* variables, as
 * one plain struct.  Used by the library and by xtcp-run.
 */
#ifndef XTCP_CONF_H
#define XTCP_CONF_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "engine.h"
#include "rules.h"

#define CONF_NAME_BYTES 32
#define CONF_SYSCTL_BYTES 4096

struct conf {
	struct engine_config engine;   /* its strings point into this struct */
	char pcap[PATH_MAX];
	char control[PATH_MAX];
	char congestion[CONF_NAME_BYTES];
	char sysctls[CONF_SYSCTL_BYTES];   /* names and values, each with its 0 */
	size_t sysctls_len;
	char log_file[PATH_MAX];       /* "": stderr */
	struct rules rules;            /* of --policy */
	char fault[256];               /* what exactly is wrong with the value that was refused; "": its kind */
	int log_level;                 /* as in <syslog.h> */
	bool wants_stats;
};

/* Defaults, file, environment, in this order.  0; or -EINVAL, -ENOENT, ... and one sentence in
 * err that names the setting, what is wrong with it and what is allowed. */
int conf_load(struct conf *c, char *err, size_t err_len);
/* One setting by its key in the file, the name of xtcp-run's long option. */
int conf_set(struct conf *c, const char *key, const char *value, char *err, size_t err_len);
int conf_read_file(struct conf *c, const char *path, char *err, size_t err_len);
void conf_free(struct conf *c);

#endif
