/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log.c - writes sentences.  Each is one write(), so those of several threads and
 * processes don't mix.
 */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fdtab.h"
#include "rawcall.h"

#define LINE_MAX_BYTES 512
#define PATH_MAX_BYTES 4096

static int max_level = LOG_WARNING;
static char file[PATH_MAX_BYTES];

void log_setup(int level, const char *path)
{
	max_level = level;
	snprintf(file, sizeof(file), "%s", path ? path : "");
}

static const char *level_name(int level)
{
	if (level <= LOG_ERR)
		return "error";
	if (level == LOG_WARNING)
		return "warning";
	return level == LOG_DEBUG ? "debug" : "info";
}

/* System calls by number: these must reach the kernel whatever the program did to stderr. */
void log_text(const char *line, size_t len)
{
	long fd = STDERR_FILENO;

	if (file[0]) {
		fd = raw_syscall(SYS_openat, AT_FDCWD, file,
			     O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
		if (fd < 0)
			return;
	} else if (fdtab_is_sock(STDERR_FILENO)) {
		return;
	}
	if (raw_syscall(SYS_write, fd, line, len) < 0)
		errno = 0;
	if (file[0])
		raw_syscall(SYS_close, fd);
}

void log_sentence(int level, const char *sentence)
{
	char line[LINE_MAX_BYTES];
	int err = errno, n;

	if (level > max_level)
		return;
	n = snprintf(line, sizeof(line), "xtcp: %s: %s\n", level_name(level), sentence);
	if (n >= (int)sizeof(line)) {
		n = sizeof(line) - 1;
		line[n - 1] = '\n';
	}
	if (n > 0)
		log_text(line, (size_t)n);
	errno = err;
}

void log_event(int level, const char *fmt, ...)
{
	char sentence[LINE_MAX_BYTES];
	int err = errno;
	va_list ap;

	if (level > max_level)
		return;
	va_start(ap, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	log_sentence(level, sentence);
	errno = err;
}
