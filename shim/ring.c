/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ring.c - see ring.h.
 */
#include "ring.h"

#include <stdatomic.h>
#include <stdbool.h>

#include "bridge.h"
#include "log.h"

void ring_opened(void)
{
	static atomic_bool is_open;

	if (atomic_exchange(&is_open, true))
		return;
	log_event(LOG_INFO, "an io_uring is in use: TCP sockets are bridged; those that it makes itself are the kernel's");
	bridge_always();
}
