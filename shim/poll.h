/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * poll.h - poll() and select() over any mix of fds.
 */
#ifndef XTCP_SHIM_POLL_H
#define XTCP_SHIM_POLL_H

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/select.h>
#include <time.h>

#include "engine.h"

/* Is one of these ours? */
bool poll_has_ours(struct pollfd *fds, nfds_t n);
bool select_has_ours(int n, const fd_set *in, const fd_set *out, const fd_set *ex);

/* Results or -errno; the deadline as engine_wait() takes it, mask may be NULL. */
int poll_call(struct pollfd *fds, nfds_t n, xtime deadline, const sigset_t *mask);
int select_call(int n, fd_set *in, fd_set *out, fd_set *ex, xtime deadline, const sigset_t *mask);

/* The deadline of a time-out in ms (negative: none) or of a timespec (NULL: none; 0 and
 * *deadline, or -EINVAL). */
xtime poll_deadline_ms(int ms);
int poll_deadline(const struct timespec *ts, xtime *deadline);

#endif
