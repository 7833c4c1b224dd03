/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base.h - the few types that everything in stack/ shares.
 *
 * xtime is a point or a span of monotonic time in nanoseconds; the core never
 * reads a clock, each call that needs the time is handed `now`.  seq32 is a
 * TCP sequence number: it is compared with seq_lt() and its likes, never with
 * an operator.  ip4 is an IPv4 address in host order; wire order exists only
 * in the wire files and in the caller's sockaddr.
 */
#ifndef XTCP_BASE_H
#define XTCP_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int64_t xtime;
typedef uint32_t seq32;
typedef uint32_t ip4;

#define XTIME_NEVER INT64_MAX
#define XTIME_USEC ((xtime)1000)
#define XTIME_MSEC ((xtime)1000 * 1000)
#define XTIME_SEC ((xtime)1000 * 1000 * 1000)

/* RFC 9293 3.4: arithmetic modulo 2^32. */
static inline bool seq_lt(seq32 a, seq32 b) { return (int32_t)(a - b) < 0; }
static inline bool seq_le(seq32 a, seq32 b) { return (int32_t)(a - b) <= 0; }
static inline bool seq_gt(seq32 a, seq32 b) { return (int32_t)(a - b) > 0; }
static inline bool seq_ge(seq32 a, seq32 b) { return (int32_t)(a - b) >= 0; }
static inline seq32 seq_max(seq32 a, seq32 b) { return seq_gt(a, b) ? a : b; }
static inline seq32 seq_min(seq32 a, seq32 b) { return seq_lt(a, b) ? a : b; }

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))

/* A circular doubly linked list; a node that is in none points at itself. */
struct list {
	struct list *next, *prev;
};

static inline void list_init(struct list *l) { l->next = l->prev = l; }
static inline bool list_is_empty(const struct list *l) { return l->next == l; }
static inline bool list_is_linked(const struct list *n) { return n->next != n; }

static inline void list_insert(struct list *prev, struct list *n)
{
	n->prev = prev;
	n->next = prev->next;
	prev->next->prev = n;
	prev->next = n;
}

static inline void list_append(struct list *head, struct list *n)
{
	list_insert(head->prev, n);
}

static inline void list_remove(struct list *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	list_init(n);
}

static inline xtime xtime_min(xtime a, xtime b) { return a < b ? a : b; }

/* The milliseconds of a timestamp clock: RFC 7323 and Linux both use 1 ms. */
static inline uint32_t xtime_ms(xtime t) { return (uint32_t)(t / XTIME_MSEC); }

#endif
