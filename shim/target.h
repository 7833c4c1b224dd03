/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * target.h - the program that xtcp-run is to start: where it is, and whether the dynamic
 * linker will preload libxtcp.so into it.
 *
 * A program that ignores LD_PRELOAD would run on the kernel's TCP without a word; it is
 * refused instead.
 */
#ifndef XTCP_TARGET_H
#define XTCP_TARGET_H

#include <stddef.h>

#define TARGET_ERR 2         /* exit statuses, as env(1) has the last two */
#define TARGET_NOT_EXEC 126
#define TARGET_NOT_FOUND 127

/* Finds `name` as execvp() would, writes the file's path (PATH_MAX bytes) and looks at it.
 * 0, or an exit status with one sentence in err. */
int target_find(const char *name, char *path, char *err, size_t err_len);

#endif
