/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * callprobe.h - what the parts of callprobe share: the states of a socket, and lines that say what a call gave.
 */
#ifndef XTCP_CALLPROBE_H
#define XTCP_CALLPROBE_H

#include <stddef.h>
#include <sys/socket.h>

enum state { FRESH, BOUND, LISTENING, CONNECTED, READABLE, ENDED, SHUT, STATES };

extern int probe_family;                 /* AF_INET, or AF_INET6 with mapped addresses */
extern struct sockaddr_storage probe_server;
extern socklen_t probe_addr_len;

/* A socket in that state; READABLE: "hello" has arrived; ENDED: then the end, as the
 * peer had ours; SHUT: the end alone. */
int probe_open(enum state st);
/* Until n bytes, or the end, can be read. */
void probe_arrives(int fd, int n);

/* One line: "where: what = result ERRNO more". */
void probe_result(const char *what, long r, const char *more, ...) __attribute__((format(printf, 3, 4)));
#define TRY(call)                                                           \
	do {                                                                \
		errno = 0;                                                  \
		probe_result(#call, (long)(call), NULL);                    \
	} while (0)
#define TRY_MORE(call, ...)                                                 \
	do {                                                                \
		long r_;                                                    \
		errno = 0;                                                  \
		r_ = (long)(call);                                          \
		probe_result(#call, r_, __VA_ARGS__);                       \
	} while (0)

/* A process of its own for each: what ends it by a signal is told. */
struct probe_case {
	const char *name;
	void (*run)(enum state st);
	unsigned states;                 /* a bit for each */
};

#define ALL_STATES ((1u << STATES) - 1)

extern const struct probe_case probe_file_cases[], probe_data_cases[], probe_pointer_cases[], probe_stream_cases[], probe_thread_cases[],
	probe_signal_cases[], probe_handler_cases[];

#endif
