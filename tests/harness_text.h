/* SPDX-License-Identifier: BSD-2-Clause */
/* harness_text.h - segments as text and back, for harness.c; the language is described in harness.h. */
#ifndef XTCP_TESTS_HARNESS_TEXT_H
#define XTCP_TESTS_HARNESS_TEXT_H

#include "harness.h"

/* What a text says; numbers as they stand in it.  The has_ flags: it was mentioned. */
struct text {
	struct tcp_hdr th;
	size_t len;
	uint16_t gso;
	uint8_t ecn;
	bool has_ack, has_win, has_tsval, has_ecr, has_gso, has_options, no_ts, has_urg, has_ecn;
};

/* Fails the test when the text is none. */
void text_parse(struct text *x, const char *fmt, va_list ap);
/* The segment of ours that was captured last, its numbers counted from the initial ones. */
void text_format(const struct rig *t, char *buf, size_t size);
/* Whether that segment is what the text says. */
bool text_matches(const struct rig *t, const struct text *x);

#endif
