/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rawprog.c - says so when the program makes its system calls by itself, so that nothing of it comes by here.
 *
 * Go's programs do, dynamically linked ones included: their sockets are the kernel's.  Their linker leaves a
 * note with the program's build id, which is in memory before anything runs.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <link.h>
#include <stdint.h>
#include <string.h>

#include "log.h"
#include "policy.h"

#define GO_BUILD_ID 4             /* cmd/link: the type of the note named "Go" */

static size_t padded(uint32_t n)
{
	return ((size_t)n + 3) & ~(size_t)3;
}

static bool has_go_note(const uint8_t *p, size_t len)
{
	ElfW(Nhdr) h;

	while (len >= sizeof(h)) {
		memcpy(&h, p, sizeof(h));
		p += sizeof(h);
		len -= sizeof(h);
		if (padded(h.n_namesz) + padded(h.n_descsz) > len)
			return false;
		if (h.n_type == GO_BUILD_ID && h.n_namesz == 4 && !memcmp(p, "Go\0", 4))
			return true;
		p += padded(h.n_namesz) + padded(h.n_descsz);
		len -= padded(h.n_namesz) + padded(h.n_descsz);
	}
	return false;
}

/* For dl_iterate_phdr(): the first is the program itself. */
static int look_at_program(struct dl_phdr_info *info, size_t size, void *is_go)
{
	unsigned i;

	(void)size;
	for (i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];

		if (ph->p_type == PT_NOTE &&
		    has_go_note((const uint8_t *)(info->dlpi_addr + ph->p_vaddr), ph->p_memsz))
			*(bool *)is_go = true;
	}
	return 1;
}

__attribute__((constructor))
static void look(void)
{
	bool is_go = false;

	dl_iterate_phdr(look_at_program, &is_go);
	if (is_go && policy_takes(AF_INET, SOCK_STREAM, 0))
		log_event(LOG_WARNING, "%s is a Go program, which makes its system calls by itself: "
		          "its connections are the kernel's", program_invocation_short_name);
}
