/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frag.c - reassembly, after Linux's ip_fragment.c and inet_fragment.c.
 *
 * Invariants: fragments of a datagram lie in order and never overlap.  One that overlaps
 * what is there discards the whole datagram (nobody sends that but an attacker: RFC 1858,
 * RFC 5722), but for an exact repetition, which is dropped alone.  Memory is charged for
 * what is allocated: beyond ipfrag_high_thresh new fragments are refused, and what is there
 * ends after ipfrag_time at the latest.
 */
#include "frag.h"

#include <stdlib.h>

#include "stack_impl.h"

#define FRAG_HASH_SIZE 64u
#define FRAG_PER_DATAGRAM 256u
#define FRAG_SOURCES 1024u

enum { ECN_NOT_ECT = 1 << 0, ECN_CE = 1 << 3, ECN_CE_BITS = 3 };

struct frag {
	struct frag *next;
	uint32_t off, end;          /* in the datagram's payload */
	uint8_t bytes[];
};

struct frag_queue {
	struct frag_queue *next;    /* hash chain */
	struct timer timer;
	struct frag *head, *tail;   /* ascending */
	uint32_t n, meat;           /* fragments, bytes in them */
	uint32_t end;               /* of the datagram's payload as far as it is known */
	bool has_first, has_last;
	uint32_t rid;               /* the source's count when its last fragment came */
	uint8_t ecn;                /* set of the fragments' ECN code points */
	struct ip_hdr ip;           /* of the first fragment; else only what identifies it */
};

struct frags {
	struct frag_queue *hash[FRAG_HASH_SIZE];
	uint32_t rids[FRAG_SOURCES];   /* fragments by keyed hash of their source */
	size_t mem;                 /* bytes allocated for queues and fragments */
};

static struct frag_queue **chain_of(struct stack *s, const struct ip_hdr *ip)
{
	uint64_t h = siphash_2u64(&s->key_ip, (uint64_t)ip->src << 32 | ip->dst,
	                          (uint64_t)ip->id << 8 | ip->proto);

	return &s->frags->hash[h % FRAG_HASH_SIZE];
}

static size_t frag_size(const struct frag *f)
{
	return sizeof(*f) + f->end - f->off;
}

static void drop_fragments(struct stack *s, struct frag_queue *q)
{
	while (q->head) {
		struct frag *f = q->head;

		q->head = f->next;
		s->frags->mem -= frag_size(f);
		free(f);
	}
	q->tail = NULL;
}

static void destroy(struct stack *s, struct frag_queue *q)
{
	struct frag_queue **at = chain_of(s, &q->ip);

	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
	timer_cancel(&s->timers, &q->timer);
	drop_fragments(s, q);
	s->frags->mem -= sizeof(*q);
	free(q);
}

void frags_free(struct stack *s)
{
	if (!s->frags)
		return;
	for (unsigned i = 0; i < FRAG_HASH_SIZE; i++)
		while (s->frags->hash[i])
			destroy(s, s->frags->hash[i]);
	free(s->frags);
	s->frags = NULL;
}

void frag_timer(struct stack *s, struct timer *t, xtime now)
{
	struct frag_queue *q = container_of(t, struct frag_queue, timer);

	count(s, CTR_ip_frag_timeout);
	count(s, CTR_IpReasmFails);
	/* RFC 1122 3.3.2: only when the first fragment is there to be quoted. */
	if (q->has_first && q->head && q->head->off == 0)
		icmp_send_error(s, &q->ip, q->head->bytes, q->head->end,
		                ICMP_TIME_EXCEEDED, ICMP_EXCEEDED_REASSEMBLY, 0, now);
	destroy(s, q);
}

static bool is_same_datagram(const struct ip_hdr *a, const struct ip_hdr *b)
{
	return a->id == b->id && a->src == b->src && a->dst == b->dst && a->proto == b->proto;
}

static struct frag_queue *create(struct stack *s, const struct ip_hdr *ip, xtime now)
{
	struct frag_queue **chain = chain_of(s, ip);
	struct frag_queue *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	timer_init(&q->timer, TIMER_FRAG);
	if (timer_set(&s->timers, &q->timer, now + s->set.ipfrag_time * XTIME_SEC) < 0) {
		free(q);
		return NULL;
	}
	q->ip = *ip;
	q->next = *chain;
	*chain = q;
	s->frags->mem += sizeof(*q);
	return q;
}

static struct frag_queue *find_or_create(struct stack *s, const struct ip_hdr *ip, xtime now)
{
	struct frag_queue *q;

	if (!s->frags)
		s->frags = calloc(1, sizeof(*s->frags));
	if (!s->frags || s->frags->mem > (size_t)s->set.ipfrag_high_thresh)
		return NULL;
	for (q = *chain_of(s, ip); q; q = q->next)
		if (is_same_datagram(&q->ip, ip))
			return q;
	return create(s, ip, now);
}

/* Where [off, end) goes. */
enum place { PLACE_FREE, PLACE_REPEATED, PLACE_OVERLAPS };

/* *prev: the fragment behind which it goes, NULL for the front.  As in Linux a repetition is
 * what lies within one run of fragments that touch. */
static enum place find_place(const struct frag_queue *q, uint32_t off, uint32_t end,
                             struct frag **prev)
{
	struct frag *f = q->head;

	*prev = NULL;
	if (q->tail && off >= q->tail->end) {
		*prev = q->tail;
		return PLACE_FREE;
	}
	while (f) {
		uint32_t start = f->off;

		while (f->next && f->next->off == f->end)
			f = f->next;
		if (end <= start)
			return PLACE_FREE;
		if (off < f->end)
			return off >= start && end <= f->end ? PLACE_REPEATED : PLACE_OVERLAPS;
		*prev = f;
		f = f->next;
	}
	return PLACE_FREE;
}

/* ip_frag_too_far(): more than ipfrag_max_dist fragments of that source have come since the last of
 * this datagram, so that its identification may have come around.  What is there is dropped then
 * (ip_frag_reinit()). */
static void check_distance(struct stack *s, struct frag_queue *q, xtime now)
{
	uint32_t *rid = &s->frags->rids[siphash_1u64(&s->key_ip, q->ip.src) % FRAG_SOURCES];
	uint32_t start = q->rid;

	if (!s->set.ipfrag_max_dist)
		return;
	q->rid = ++*rid;
	if (!q->head || q->rid - start <= (uint32_t)s->set.ipfrag_max_dist)
		return;
	count(s, CTR_IpReasmFails);
	count(s, CTR_ip_frag_distance);
	drop_fragments(s, q);
	q->n = q->meat = q->end = 0;
	q->has_first = q->has_last = false;
	q->ecn = 0;
	timer_set(&s->timers, &q->timer, now + s->set.ipfrag_time * XTIME_SEC);
}

/* Learns the datagram's length from the fragment; false when it contradicts the others. */
static bool check_end(struct frag_queue *q, const struct ip_hdr *ip, uint32_t end)
{
	if (!ip->has_more) {
		if (end < q->end || (q->has_last && end != q->end))
			return false;
		q->has_last = true;
		q->end = end;
	} else if (end > q->end) {
		if (q->has_last)
			return false;
		q->end = end;
	}
	return true;
}

static bool insert(struct stack *s, struct frag_queue *q, struct frag *prev, uint32_t off,
                   uint32_t end, const uint8_t *payload)
{
	struct frag *f = malloc(sizeof(*f) + end - off);

	if (!f)
		return false;
	f->off = off;
	f->end = end;
	memcpy(f->bytes, payload, end - off);
	f->next = prev ? prev->next : q->head;
	if (prev)
		prev->next = f;
	else
		q->head = f;
	if (!f->next)
		q->tail = f;
	q->n++;
	q->meat += end - off;
	s->frags->mem += frag_size(f);
	return true;
}

/* RFC 3168 5.3: fragments that disagree on ECN make no datagram; one with congestion
 * experienced marks it whole. */
static bool ecn_is_sane(const struct frag_queue *q)
{
	return !(q->ecn & ECN_NOT_ECT) || q->ecn == ECN_NOT_ECT;
}

/* The datagram is whole. */
static uint8_t *assemble(struct stack *s, struct frag_queue *q, struct ip_hdr *ip, size_t *len)
{
	uint8_t *whole = malloc(q->end);

	if (!ecn_is_sane(q) || !whole) {
		enum counter why = whole ? CTR_ip_frag_bad : CTR_ip_frag_limit;

		free(whole);
		count(s, why);
		count(s, CTR_IpReasmFails);
		destroy(s, q);
		return NULL;
	}
	for (const struct frag *f = q->head; f; f = f->next)
		memcpy(whole + f->off, f->bytes, f->end - f->off);
	*ip = q->ip;
	*len = q->end;
	ip->has_more = false;
	ip->frag_off = 0;
	ip->total_len = (uint16_t)(ip->hdr_len + q->end);
	if (q->ecn & ECN_CE)
		ip->tos |= ECN_CE_BITS;
	count(s, CTR_ip_reassembled);
	destroy(s, q);
	return whole;
}

/* Puts the fragment in; CTR_NONE, or the counter under which the datagram is dropped. */
static enum counter queue_fragment(struct stack *s, struct frag_queue *q, const struct ip_hdr *ip,
                                   const uint8_t *payload, size_t len)
{
	uint32_t off = ip->frag_off, end = off + (uint32_t)len;
	struct frag *prev;

	/* All but the last are multiples of 8; what is more was added by nobody honest. */
	if (ip->has_more)
		end &= ~7u;
	if (end <= off || ip->hdr_len + end > IP_TOTAL_MAX || !check_end(q, ip, end))
		return CTR_ip_frag_bad;
	switch (find_place(q, off, end, &prev)) {
	case PLACE_OVERLAPS:
		count(s, CTR_IpExtReasmOverlaps);
		return CTR_ip_frag_bad;
	case PLACE_REPEATED:
		count(s, CTR_ip_frag_dup);
		return CTR_NONE;
	case PLACE_FREE:
		break;
	}
	if (q->n >= FRAG_PER_DATAGRAM || !insert(s, q, prev, off, end, payload))
		return CTR_ip_frag_limit;
	q->ecn |= (uint8_t)(1 << (ip->tos & 3));
	if (off == 0) {
		q->has_first = true;
		q->ip = *ip;
	}
	return CTR_NONE;
}

uint8_t *frag_input(struct stack *s, struct ip_hdr *ip, const uint8_t *payload, size_t *len,
                    xtime now)
{
	struct frag_queue *q = find_or_create(s, ip, now);
	enum counter why;

	count(s, CTR_IpReasmReqds);
	if (!q) {
		count(s, CTR_IpReasmFails);
		count(s, CTR_ip_frag_limit);
		return NULL;
	}
	check_distance(s, q, now);
	why = queue_fragment(s, q, ip, payload, *len);
	if (why) {
		count(s, why);
		count(s, CTR_IpReasmFails);
		destroy(s, q);
		return NULL;
	}
	if (!q->has_first || !q->has_last || q->meat != q->end)
		return NULL;
	/* The first fragment's options may be more than this one's. */
	if (q->ip.hdr_len + q->end > IP_TOTAL_MAX) {
		count(s, CTR_ip_frag_bad);
		count(s, CTR_IpReasmFails);
		destroy(s, q);
		return NULL;
	}
	return assemble(s, q, ip, len);
}
