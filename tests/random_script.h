/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * random_script.h - scripts for both.h that a seed decides: how a connection begins, in which state the
 * trouble starts, and then segments, calls and time, most of them plausible and some not.
 */
#ifndef XTCP_TESTS_RANDOM_SCRIPT_H
#define XTCP_TESTS_RANDOM_SCRIPT_H

#include <stdbool.h>
#include <stdint.h>

#include "both.h"

#define RANDOM_STEPS 40
#define RANDOM_STEP_LEN 96

struct random_script {
	struct script script;
	char name[32], text[RANDOM_STEPS][RANDOM_STEP_LEN];
	unsigned n;
};

/* The script of a seed: the same on every machine. */
void random_script_make(struct random_script *r, uint32_t seed);
/* Without step `i`. */
void random_script_cut(struct random_script *r, unsigned i);

#endif
