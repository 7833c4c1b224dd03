/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_engine.h - engine.h on top of the kernel's own TCP over loopback, for tests of the
 * shim without root: what a program sees through the shim can be held against what
 * it sees of the kernel in the same run.
 *
 * 192.0.2.N stands for 127.0.0.N.
 */
#ifndef XTCP_FAKE_ENGINE_H
#define XTCP_FAKE_ENGINE_H

/* Sockets that are open now. */
unsigned fake_engine_count(void);
/* What engine_open() shall fail with; 0: nothing. */
void fake_engine_fail_open(int err);

#endif
