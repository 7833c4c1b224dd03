/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shim_peer.h - what the tests of the shim share: the same steps over a socket of the
 * kernel's and over one of ours, whose traces must be equal.
 */
#ifndef XTCP_SHIM_PEER_H
#define XTCP_SHIM_PEER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

/* ThreadSanitizer delivers signals when it sees fit. */
#if defined(__SANITIZE_THREAD__)
#define HAS_TSAN true
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HAS_TSAN true
#endif
#endif
#ifndef HAS_TSAN
#define HAS_TSAN false
#endif

/* What is between the two ends: nothing but the kernel's loopback (fake_engine.c) or a veth
 * pair (shim_wire.c). */
struct side_wire {
	int ns;                    /* the peer's namespace; -1: ours */
	const char *peer;          /* the peer's address, to bind to and for the kernel's side */
	const char *peer_to_us;    /* and for our side */
	const char *kernels_own, *ours_own;
};

extern struct side_wire side_wire;

/* Makes it; exits with 77 and a reason where that can't be done. */
void side_prepare(void);

/* Whose socket the steps run over. */
struct side {
	bool is_kernel;
	int listener;              /* the kernel's, in both cases */
	struct sockaddr_in to;     /* how this side reaches it */
	struct sockaddr_in closed; /* where nobody listens */
	struct sockaddr_in own;    /* this side's own address */
	char trace[16384];
	size_t len;
};

void side_open(struct side *s, bool is_kernel);
void side_close(struct side *s);
/* A line of the trace. */
void note(struct side *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* name=result, with errno's name when it is -1. */
void note_result(struct side *s, const char *name, long r);

int side_socket(struct side *s, int flags);
int side_socket_of(struct side *s, int domain, int flags);
/* Connected; *peer is the kernel's end of it. */
int side_connected(struct side *s, int flags, int *peer);
/* A client of this side's servers, which its own host doesn't reach over xtcp: where the peer is. */
int side_client(struct side *s);
/* The peer's end goes with a reset. */
void side_reset(int peer);
/* Until everything under way has arrived. */
void side_settle(void);

const char *event_names(unsigned events, char *buf, size_t len);

/* Runs steps over both and compares what they noted. */
void compare_sides(void (*steps)(struct side *s));

/* The status of a child that ends. */
int side_reap(pid_t pid);

#endif
