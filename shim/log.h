/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log.h - one sentence per event, on stderr or appended to a file.
 *
 * Async-signal-safe but for the formatting of what the caller hands in; no fd is
 * kept, so the program may close or reuse whatever it likes.
 */
#ifndef XTCP_LOG_H
#define XTCP_LOG_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdbool.h>
#include <syslog.h>

/* What is above `level` (LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG) is dropped.  path NULL or
 * "": stderr; it is copied. */
void log_setup(int level, const char *path);

/* As it is, to the same place. */
void log_text(const char *text, size_t len);
void log_sentence(int level, const char *sentence);
void log_event(int level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same sentence from the same place only once. */
#define log_once(level, ...)                                                \
	do {                                                                \
		static atomic_flag said_ = ATOMIC_FLAG_INIT;                \
		if (!atomic_flag_test_and_set(&said_))                      \
			log_event(level, __VA_ARGS__);                      \
	} while (0)

#endif
