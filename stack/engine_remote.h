/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_remote.h - what engine_ask.c says to engine_remote.c.
 *
 * A question is one datagram to the engine's name.  With it come, by SCM_RIGHTS, an end of a pair for the answer, the socket that
 * is asked about, and for OP_YIELD one more.
 */
#ifndef XTCP_ENGINE_REMOTE_H
#define XTCP_ENGINE_REMOTE_H

#include "engine_impl.h"

#define VALUE_MAX 512

enum op { OP_SETOPT = 1, OP_GETOPT, OP_BIND, OP_CONNECT, OP_CONNECT_RESULT, OP_LISTEN, OP_REFRESH, OP_BRIDGE, OP_DIAL, OP_PORT,
	  OP_IS_KERNELS, OP_NEXT_OPTION, OP_YIELD };

struct message {
	uint32_t op;
	int32_t level, name;     /* of an option */
	int32_t number;          /* the asker's, for OP_BRIDGE and OP_YIELD; OP_NEXT_OPTION: a place in the engine's list */
	int32_t result;          /* 0 or -errno */
	uint64_t sock;
	uint32_t len;            /* of val */
	uint8_t val[VALUE_MAX];
};

/* The name of an engine. */
void engine_remote_name(uint64_t host, struct sockaddr_un *a, socklen_t *len);

#endif
