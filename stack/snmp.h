/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * snmp.h - the counters under the names of /proc/net/snmp and /proc/net/netstat, all that
 * Linux 6.18 prints but MPTCP's and UDP's.
 */
#ifndef XTCP_SNMP_H
#define XTCP_SNMP_H

#include "stack.h"

struct snmp_row {
	const char *group, *name;  /* "TcpExt", "TCPTimeouts" */
	const char *never;         /* why it is always 0, or NULL */
	uint16_t sum[8];           /* counters that make it, CTR_NONE behind the last */
	int64_t (*gauge)(const struct stack *s);   /* or what gives it */
};

extern const struct snmp_row snmp_rows[];
extern const size_t snmp_nrows;

int64_t snmp_value(const struct stack *s, const struct snmp_row *row);

/* All of it in the format of those two files, one behind the other, zero-terminated, for
 * readers like nstat(8): the length that it has whole, as snprintf(). */
size_t snmp_text(const struct stack *s, char *buf, size_t size);

#endif
