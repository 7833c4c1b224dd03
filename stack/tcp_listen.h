/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_listen.h - what the files of the server's side share: tcp_listen.c (the accept
 * queue and the children), tcp_req.c (the SYN queue), tcp_cookie.c (no queue at
 * all).
 *
 * A SYN makes a request: struct tcp_req, a fraction of a connection's size.  It
 * becomes a connection, a child, with the ACK of its SYN-ACK.  A child waits in the
 * listener's accept queue, with `parent` pointing at the listener, until accept()
 * takes it.  Both queues are bounded by the backlog.
 */
#ifndef XTCP_TCP_LISTEN_H
#define XTCP_TCP_LISTEN_H

#include "tcp_impl.h"

struct listener {
	struct list ready;       /* struct tcp_conn.event_link: to be accepted, oldest first */
	uint32_t nready, backlog;
	uint32_t npending;       /* of the ready ones: by Fast Open, not confirmed yet */
	struct list reqs;        /* struct tcp_req.link: the SYN queue; owned */
	uint32_t nreq;
	uint32_t nyoung;         /* of those: no time-out yet */
	xtime overflow_at;       /* when a cookie was sent last, 0: never */
};

/* A connection that shakes hands (request_sock, tcp_request_sock of Linux). */
struct tcp_req {
	struct ent ent;          /* ENT_REQUEST */
	struct stack *s;
	struct tcp_conn *l;      /* its listener */
	struct list link;        /* in listener.reqs */
	struct timer timer;      /* TIMER_REQ: when its SYN-ACK goes again, or it is given up */
	seq32 irs, iss;
	uint16_t peer_mss;       /* announced in the SYN, bounded by TCP_MAXSEG */
	uint8_t tos;             /* of what is sent */
	uint16_t advmss;         /* announced by us */
	uint32_t wnd;            /* of the SYN, or of the ACK that makes a child of it: bytes */
	bool ts_ok, sack_ok, wscale_ok, ecn_ok;
	uint8_t snd_wscale, rcv_wscale;
	uint32_t rcv_wnd, window_clamp;   /* bytes */
	uint32_t ts_recent, ts_offset;
	uint32_t ts_first, ts_last;       /* our clock in the first and the latest SYN-ACK */
	uint8_t ntimeout, nretrans;       /* time-outs; SYN-ACKs sent again */
	bool is_acked;           /* the ACK came, but data is waited for or the queue was full */
	bool is_cookie;          /* nothing is remembered of it */
	bool is_fast;            /* a child is made of it at once (Fast Open) */
	xtime sent;              /* when the first SYN-ACK was */
	xtime oow_ack_time;      /* last ACK for an out-of-window segment, 0: none */
	struct ip_optset ip_opts;   /* the SYN's IP options as they are answered */
	struct tcp_fo_option fo; /* Fast Open option of the first SYN-ACK */
	struct tcp_saved_syn *saved_syn;   /* NULL: none; owned */
};

static inline bool tcp_acceptq_is_full(const struct listener *ls)
{
	return ls->nready > ls->backlog;
}

/* ---- tcp_listen.c ---- */
/* tcp_v4_syn_recv_sock(): the connection that a request becomes, in SYN-RECEIVED and not
 * in the queue yet; NULL: no memory, no route (counted). */
struct tcp_conn *tcp_child_new(struct tcp_req *r, xtime now);
/* tcp_child_process(): feeds it the ACK of the handshake. */
void tcp_child_process(struct tcp_conn *c, const struct seg_in *seg);
void tcp_child_queue(struct tcp_conn *c);

/* ---- tcp_saved_syn.c ---- */
/* What TCP_SAVE_SYN of the listener asks for, NULL: nothing, or no memory. */
struct tcp_saved_syn *tcp_saved_syn_make(const struct tcp_conn *l, const struct seg_in *seg);

/* ---- tcp_req.c ---- */
/* tcp_conn_request(): a SYN.  isn: our initial sequence number, 0: choose. */
void tcp_req_syn(struct tcp_conn *l, const struct seg_in *seg, seq32 isn);
void tcp_req_drop(struct tcp_req *r);
/* tcp_reflect_tos: what answers a SYN, and all that follows, has its TOS but for the ECN bits. */
static inline uint8_t tcp_req_tos(const struct tcp_conn *l, uint8_t syn_tos)
{
	return l->s->set.tcp_reflect_tos ? (uint8_t)((syn_tos & ~3) | (l->opt.tos & 3)) : l->opt.tos;
}
/* tcp_openreq_init() and tcp_openreq_init_rwin(): what the peer's options mean to this
 * listener; r's tuple and options are set. */
void tcp_req_init_window(struct tcp_req *r, const struct ip_route *rt, xtime now);

/* ---- tcp_cookie.c ---- */
/* The initial sequence number that says it all; rounds r->peer_mss down to what it can say. */
seq32 tcp_cookie_make(struct tcp_req *r, seq32 irs, xtime now);
/* Our timestamp with the options in its lowest bits. */
uint32_t tcp_cookie_ts(const struct tcp_req *r, xtime now);
enum tcp_cookie { COOKIE_NONE, COOKIE_DROP, COOKIE_TAKEN };
/* cookie_v4_check(): an ACK for nothing that is known.  COOKIE_NONE: it is none of ours. */
enum tcp_cookie tcp_cookie_ack(struct tcp_conn *l, const struct seg_in *seg);

#endif
