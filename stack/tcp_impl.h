/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_impl.h - a TCP connection from the inside; for the tcp_*.c files, the
 * congestion control algorithms and the tests that look inside.
 *
 * Sequence space of the send side, ring bytes in brackets:
 *
 *   iss   una        nxt              end
 *    |SYN|[----------|----------------]|FIN|
 *          sent, not   queued, not sent
 *          acknowledged
 *
 * snd.q's first byte has sequence number snd.q_seq: iss + 1 until the SYN is
 * acknowledged, una afterwards (never beyond the FIN).  The receive ring's first
 * byte is rcv.copied; bytes up to rcv.nxt are readable, those in rcv.ofo lie at
 * their offset.
 *
 * What is in flight is a queue of struct tx_seg in sequence order, one for each
 * frame that was sent (super-frames are one), split where the peer's SACKs need
 * it.  Counts of segments (packets_out, ...) are in units of MSS as Linux has
 * them; tcp_seg_count() is the only place that knows.
 */
#ifndef XTCP_TCP_IMPL_H
#define XTCP_TCP_IMPL_H

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>

#include "cc.h"
#include "conntab.h"
#include "ip.h"
#include "ranges.h"
#include "ring.h"
#include "stack_impl.h"
#include "tcp.h"
#include "tcp_rareopts.h"
#include "timer.h"
#include "wire_tcp.h"

#define TCP_RTO_INITIAL XTIME_SEC    /* RFC 6298 2.1 */
#define TCP_TIMEOUT_FALLBACK (3 * XTIME_SEC)   /* RFC 6298 5.7 */
#define TCP_DELACK_MIN (40 * XTIME_MSEC)
#define TCP_DELACK_MAX (200 * XTIME_MSEC)
#define TCP_ATO_MIN (40 * XTIME_MSEC)
#define TCP_TICK (4 * XTIME_MSEC)    /* Linux's jiffy at 250 Hz: a timer's least wait */
#define TCP_TIMEWAIT_LEN (60 * XTIME_SEC)
#define TCP_MSS_LEAST 88             /* Linux TCP_MIN_MSS */
#define TCP_INIT_CWND 10             /* RFC 6928 */
#define TCP_MAX_QUICKACKS 16
#define TCP_PAWS_24DAYS (60 * 60 * 24 * 24 * XTIME_SEC)
#define TCP_OFO_MAX 4096             /* holes in the receive window */
#define TCP_CWND_INFINITE 0x7fffffff
#define TCP_SKB_COST 832u            /* of an skb beside its payload: struct sk_buff, the head's
                                      * room and skb_shared_info of Linux 6.18 */
#define TCP_WINDOW_CLAMP_MIN 1152u   /* half of the smallest receive buffer */
#define TCP_RING_IDLE XTIME_SEC      /* an empty ring is kept that long */
#define TCP_RESOURCE_PROBE_INTERVAL (XTIME_SEC / 2)
#define TCP_TIMEOUT_MIN (2 * XTIME_MSEC)

/* One frame's worth of sequence space in flight. */
enum {
	SEG_SACKED = 1,        /* the peer has it */
	SEG_LOST = 2,          /* given up, to be sent again */
	SEG_RETRANS = 4,       /* sent again and in flight */
	SEG_EVER_RETRANS = 8,  /* sent again at some time: no RTT sample (Karn) */
	SEG_PSH = 16,          /* its last segment carries PSH */
	SEG_EOR = 32,          /* MSG_EOR: nothing behind it is sent again with it */
};
struct tx_seg {
	seq32 seq, end;        /* SYN and FIN count as one each */
	uint16_t mss;          /* payload per segment when it was sent: its unit of count */
	uint8_t flags;         /* SEG_* */
	bool is_app_limited;   /* it left when the program had not given enough (tcp_rate.c) */
	uint32_t delivered;    /* loss.delivered when it left */
	xtime sent;            /* last transmission */
	xtime first_sent;      /* first transmission */
	xtime delivered_at;    /* rate.delivered_at when it left; 0: it tells no rate */
	xtime flight_start;    /* rate.first_tx when it left */
};
struct tx_queue {
	struct tx_block *block;       /* its v[first .. first+n), ascending, contiguous; owned */
	uint32_t first, n;
};

/* Where the skbs end that Linux would have unsent: a segment never crosses such an end, and
 * PSH goes there.  The newest is the one that the next write may add to. */
struct tx_mark {
	seq32 end;
	bool psh;
	bool eor;              /* MSG_EOR: nothing is added to it */
};
struct tx_mark_block {
	uint32_t cap;
	struct tx_mark v[];
};
struct tx_marks {
	union {
		struct tx_mark one;
		struct tx_mark_block *block;   /* its v[first .. first+n), ascending, beyond snd.nxt; owned */
	};
	uint32_t first : 31;
	bool has_block : 1;    /* else there is one at most */
	uint32_t n;
};

/* What a connection with data to send waits for (Linux tcp_chrono). */
enum chrono { CHRONO_IDLE, CHRONO_BUSY, CHRONO_RWND, CHRONO_SNDBUF, CHRONO_KINDS };

/* Which event snd.rexmit_at stands for (Linux icsk_pending). */
enum rexmit_kind { REXMIT_NONE, REXMIT_RTO, REXMIT_PROBE0, REXMIT_TLP, REXMIT_REORDER };

/* Bits of the setting tcp_fastopen (RFC 7413), as Linux has them. */
enum {
	TFO_CLIENT_ENABLE = 1,
	TFO_SERVER_ENABLE = 2,
	TFO_CLIENT_NO_COOKIE = 4,
	TFO_SERVER_COOKIE_NOT_REQD = 0x200,
	TFO_SERVER_WO_SOCKOPT1 = 0x400,
};
/* tcpi_fastopen_client_fail. */
enum { TFO_COOKIE_UNAVAILABLE = 1, TFO_DATA_NOT_ACKED, TFO_SYN_RETRANSMITTED };
struct tcp_fo_option {
	bool is_set, is_exp;
	uint8_t len;               /* cookie bytes, 0: a request */
	uint8_t val[TCP_FASTOPEN_MAX];
};

/* What a socket has of Fast Open: from the first option, flag or SYN on that asks for it. */
struct tcp_fo {
	struct tcp_fo_option option;  /* in our SYN or SYN-ACK, the first time */
	uint8_t client_fail;          /* why no data went with the SYN: TFO_... */
	uint8_t nkeys;
	bool is_child : 1;            /* given to accept() in SYN-RECEIVED (fastopen_rsk) */
	bool is_pending : 1;          /* counted in the listener's npending */
	bool syn_data : 1, syn_data_acked : 1;
	bool was_asked : 1, was_exp : 1;      /* our SYN had the option (syn_fastopen) */
	bool by_connect : 1;          /* TCP_FASTOPEN_CONNECT */
	bool no_cookie : 1;           /* TCP_FASTOPEN_NO_COOKIE */
	bool is_checking : 1;         /* after a pause: does the path carry it? (syn_fastopen_ch) */
	bool is_asked : 1;            /* MSG_FASTOPEN: this connect() brings bytes */
	bool is_waiting : 1;          /* and waits to send the rest (sk_write_pending) */
	bool is_deferred : 1;         /* connect() was called, the SYN waits for data */
	uint32_t max_qlen;            /* TCP_FASTOPEN: of a listener */
	int iovcnt;
	const struct iovec *iov;      /* for the SYN, borrowed while connect() runs */
	size_t copied;                /* how much of it went there */
	struct siphash_key keys[2];   /* TCP_FASTOPEN_KEY */
};

/* Path MTU probing (tcp_mtup.c); sizes of whole packets. */
struct tcp_mtup {
	bool is_on;
	bool is_checked;       /* no probe before something has happened (tcp_want_output) */
	uint32_t search_low, search_high;
	uint32_t probe_size;   /* of the probe in flight, 0: none */
	seq32 seq_start, seq_end;
	xtime since;           /* when the search began */
};

/* What has arrived beyond a gap, and what tells the peer of it. */
struct tcp_ofo {
	struct ranges ranges;
	struct tcp_sack_block sacks[4];   /* most recent first */
	uint8_t nsacks;
};

/* What tcp_output() has to do besides sending data. */
enum {
	OUT_ACK = 1,           /* an ACK must go now */
	OUT_SYN = 2,           /* (re)send SYN or SYN-ACK */
	OUT_PROBE = 4,         /* window probe: one segment below una */
	OUT_RETRANS = 8,       /* the first segment must be sent again whatever cwnd says */
	OUT_TLP = 16,          /* tail loss probe */
	OUT_KEEPALIVE = 32,
	OUT_ACK_FIRST = 64,    /* with OUT_ACK: a frame of its own before data, as it was due before there was any */
};

/* What a program sets with setsockopt(); zero is Linux's default unless said. */
struct tcp_sockopts {
	const struct tcp_rareopts *rare;      /* tcp_rareopts_own() to write to it */
	int32_t linger_s;             /* -1: off */
	int32_t linger_set_s;         /* as getsockopt() reports it, also when off */
	uint32_t keep_idle_s, keep_intvl_s;   /* 0: the setting's */
	uint32_t user_timeout_ms;
	uint32_t sndbuf, rcvbuf;      /* bytes as getsockopt() reports them */
	uint32_t rcvlowat;            /* at least 1 */
	int32_t peek_off;             /* SO_PEEK_OFF: where MSG_PEEK starts and goes on, negative: at 0 */
	int32_t priority;
	int oif;                      /* SO_BINDTODEVICE: system's interface index, 0: none */
	uint16_t user_mss;            /* TCP_MAXSEG, 0: none */
	uint8_t keep_cnt;             /* 0: the setting's */
	uint8_t syn_cnt;              /* TCP_SYNCNT, 0: tcp_syn_retries */
	uint8_t defer_accept;         /* SYN-ACK retransmissions to wait for data */
	uint8_t tos, ttl;             /* ttl 0: the setting's */
	uint8_t pmtudisc;             /* IP_PMTUDISC_* */
	bool is_sndbuf_locked, is_rcvbuf_locked;   /* set by the program: no auto-tuning */
	bool reuseaddr, reuseport, keepalive, oobinline, broadcast, dontroute;
	bool nodelay, cork, freebind, transparent, bind_no_port, recverr, inq;
	bool save_syn;                /* TCP_SAVE_SYN */
	bool thin_lto;                /* TCP_THIN_LINEAR_TIMEOUTS */
};

/*
 * In each part the fields that every segment touches stand first or last, beside those of the next part, and flags
 * share bytes: with a million connections a request costs what it brings into the cache.
 */
struct tcp_conn {
	/* Identity and membership. */
	struct ent ent;               /* in ehash while it has a peer */
	struct stack *s;
	void *user;
	struct timer timer;           /* the earliest of the deadlines below */
	struct list out_link;         /* in stack.outq; in neigh.waiters while it is_blocked */
	struct list event_link;       /* in stack.eventq; of a child, which tells nobody, in its listener's queue */
	uint8_t state;                /* TCP_ESTABLISHED, ... (netinet/tcp.h) */
	uint8_t shut : 2;             /* bit 0: receive side, bit 1: send side (RCV_SHUTDOWN, SEND_SHUTDOWN) */
	bool is_dead : 1;             /* tcp_close(): no program behind it (SOCK_DEAD) */
	bool is_released : 1;         /* tcp_release(): freed as soon as state is CLOSED */
	bool addr_bound : 1, port_bound : 1;  /* SOCK_BINDADDR_LOCK, SOCK_BINDPORT_LOCK */
	bool was_connecting : 1;      /* connect() has yet to be told the outcome (SS_CONNECTING) */
	bool is_connected : 1;        /* connect() has succeeded or accept() gave it (SS_CONNECTED) */
	/* Options agreed on. */
	bool ts_ok : 1, sack_ok : 1, wscale_ok : 1, dsack_seen : 1;
	bool ts_asked : 1;            /* our SYN has timestamps and no answer has come */
	bool saw_ts : 1;              /* the segment being processed has timestamps, with the echo rcv_tsecr */
	bool has_route : 1;           /* rt is valid */
	bool is_blocked : 1;          /* the next hop isn't resolved */
	uint8_t snd_wscale : 4, rcv_wscale : 4;
	uint8_t syn_wscale;           /* what our SYN offered */
	uint8_t keep_probes;
	uint16_t err, err_soft;       /* pending errno, sk_err and sk_err_soft */
	uint16_t peer_mss;            /* from its SYN, mss_clamp */
	uint16_t advmss;              /* what we announced */
	uint16_t ip_id;               /* of the next segment */
	uint32_t edges;               /* see tcp_edges() */
	uint32_t urgents;             /* see tcp_urgents() */
	uint32_t pmtu;                /* bytes, as of the last tcp_sync_mss() */
	uint32_t ts_offset;           /* added to our clock in tsval */
	uint32_t ts_recent;           /* RFC 7323 TS.Recent */
	uint32_t rcv_tsecr;           /* see saw_ts */
	xtime ts_recent_stamp;        /* when it was stored, 0: never */
	xtime trim_at;                /* when empty rings may be freed, XTIME_NEVER */
	xtime keep_at;                /* keepalive, or end of FIN-WAIT-2 of an orphan */

	/* The way to the peer. */
	struct ip_route rt;
	uint32_t mem_pages;           /* charged to the stack for both rings (tcp_mem.c) */

	/* Congestion control. */
	struct {
		const struct cc_ops *ops;
		uint32_t cwnd, ssthresh, cwnd_cnt, cwnd_clamp;
		uint32_t cwnd_used, max_packets_out;
		seq32 max_packets_seq;
		bool is_cwnd_limited;
		xtime cwnd_stamp;
		uint64_t pacing_rate; /* bytes/s, ~0: none yet; as of the last ACK */
		union {
			uint64_t priv[CC_PRIV_SIZE / 8];
			void *own;    /* where ops has an own_size; owned */
		};
	} cc;

	/* RTT and RTO, RFC 6298 as tcp_rtt_estimator() has it; microseconds. */
	struct {
		uint32_t srtt8_us;    /* smoothed RTT times 8, 0: none yet */
		uint32_t mdev4_us, mdev_max_us, rttvar_us;
		seq32 seq;            /* snd.nxt at which rttvar may shrink again */
		uint32_t min_us;      /* of the last minutes, ~0: none */
		xtime rto_ns;
		xtime min_stamp;
		uint32_t last_us;
		uint32_t prior_rto_us;        /* rto_ns before the latest time-out or probe, as snd.prior_backoff */
	} rtt;

	struct {
		/* What only some wait for, or are asked for. */
		uint32_t total_rto;
		uint32_t rto_recoveries;      /* troubles that began with a time-out ... */
		xtime rto_time;               /* ... and how long they took in all */
		xtime rto_stamp;              /* when the present one began, 0: none */
		xtime probes_tstamp;
		uint64_t tx_limit;    /* while in txdev.held: not until there is less than that ... */
		uint64_t bytes_retrans;
		seq32 urg_up;         /* urgent pointer */
		uint8_t prior_backoff;        /* before the latest time-out or probe */
		bool urg_mode : 1;
		bool is_tx_sure : 1;  /* ... which has been confirmed ... */
		bool has_left : 1;    /* ... and since then something has left */
		bool is_autocorked : 1;       /* a small write waits */
		/* What sending takes. */
		bool is_mss_kept : 1; /* the route has changed; a larger MSS waits (tcp_output) */
		bool fin : 1;         /* a FIN follows the queue */
		bool more : 1;        /* MSG_MORE: the last write was not the end */
		bool no_space : 1;    /* someone waits for room (SOCK_NOSPACE) ... */
		bool is_space_due : 1;        /* ... and an ACK has come: tcp_check_space() */
		bool push_now : 1;    /* TCP_NODELAY or uncorking: Nagle doesn't hold what is queued */
		bool is_pace_held : 1;        /* something waits for pace_at */
		uint8_t chrono;       /* enum chrono, since chrono_since */
		uint8_t out;          /* OUT_* */
		uint8_t rexmit_kind;  /* enum rexmit_kind */
		uint8_t backoff, retransmits, probes_out;
		uint32_t total_retrans;
		uint32_t in_device;   /* bytes that the interface still has of ours (Linux sk_wmem_alloc) */
		struct ring q;
		seq32 q_seq;          /* of q's first byte */
		seq32 iss, una, nxt;
		seq32 wl1;            /* segment of the last window update */
		seq32 sml;            /* end of the last small segment (Minshall) */
		seq32 pushed;         /* where PSH was last put (pushed_seq) */
		uint32_t wnd, max_wnd;
		uint32_t mss_cache;   /* payload bytes without any option counted out */
		uint32_t segs_out, data_segs_out;
		struct tx_marks marks;
		struct tx_queue txq;
		xtime lsndtime;       /* last data transmission */
		xtime ack_time;       /* last acceptable ACK (Linux rcv_tstamp) */
		xtime last_ack;       /* last acceptable ACK (Linux rcv_tstamp) */
		xtime rexmit_at;      /* XTIME_NEVER when none */
		xtime retrans_stamp;  /* first retransmission of the current trouble, 0: none */
		xtime pace_at;        /* before it no data leaves, where it is paced */
		uint64_t bytes_sent, bytes_acked;
		xtime chrono_since, chrono_spent[CHRONO_KINDS - 1];   /* not of CHRONO_IDLE */
	} snd;

	/* Loss recovery. */
	struct {
		uint32_t packets_out, sacked_out, lost_out, retrans_out;
		uint32_t reordering;  /* segments */
		seq32 high_seq;       /* snd.nxt when trouble began */
		seq32 high_sacked;    /* end of the highest SACKed segment, una when none */
		uint32_t delivered;   /* segments */
		xtime rack_mstamp;    /* send time of the segment delivered last */
		seq32 rack_end;
		uint32_t rack_rtt_us;
		uint8_t ca_state;     /* enum ca_state */
		bool undo_on : 1;
		bool frto : 1;        /* RFC 5682 is deciding whether a time-out was spurious */
		bool try_new : 1;     /* it asks for new data before anything lost */
		bool hold_lost : 1;   /* until the next ACK nothing lost is sent */
		bool is_reneg : 1;    /* the peer took a SACK back */
		bool rack_advanced : 1, rack_dsack_seen : 1;
		bool tlp_out : 1, tlp_retrans : 1;
		uint8_t reo_wnd_steps, reo_wnd_persist;
		seq32 tlp_high;       /* 0 with tlp_out false */
		uint32_t prior_cwnd, prior_ssthresh;
		seq32 undo_marker;    /* 0 with undo_on false */
		int32_t undo_retrans;
		uint32_t prr_delivered, prr_out;
		uint32_t reord_seen;  /* how often reordering was seen */
		uint32_t dsack_dups;  /* segments that DSACKs told of */
		uint32_t last_delivered_rack;
		uint32_t lost;        /* segments ever marked lost (Linux tp->lost) */
	} loss;

	/* Delivery rate (tcp_rate.c). */
	struct {
		xtime delivered_at;   /* when loss.delivered grew last (Linux delivered_mstamp) */
		xtime first_tx;       /* start of the send phase that is measured (first_tx_mstamp) */
		uint32_t app_limited; /* loss.delivered up to which samples are too low, 0: none is */
		uint32_t delivered;   /* the latest sample: segments ... */
		uint32_t interval_us; /* ... in this time, 0: no sample yet */
		bool is_app_limited;
	} rate;

	struct {
		struct ring q;
		seq32 copied;         /* next byte for the program */
		seq32 nxt;
		seq32 wup;            /* rcv.nxt at the last window update sent */
		uint32_t wnd;         /* window advertised at wup */
		uint32_t ssthresh, window_clamp;
		uint32_t rmem;        /* what the skbs with our data would take up (sk_rmem_alloc) */
		uint16_t tailroom;    /* what the block of the last skb in order still takes */
		uint8_t scaling_ratio;   /* payload in 256 bytes of an skb */
		bool is_nomem : 1;    /* the next ACK closes the window (ICSK_ACK_NOMEM) */
		bool has_fin : 1;     /* fin_seq is valid */
		bool has_dsack : 1;
		bool ack_scheduled : 1;       /* an ACK is owed */
		bool ack_now : 1;     /* and it must not be delayed */
		bool is_predicting : 1;       /* the next segment may be what header prediction foresees (pred_flags) */
		uint8_t pushed : 2;   /* small segments that waited: 0, 1, 2 (ICSK_ACK_PUSHED, PUSHED2) */
		/* Delayed ACKs (Linux icsk_ack). */
		uint8_t quick;        /* quick ACKs left */
		uint8_t pingpong;     /* interactive session counter */
		uint8_t comp_acks;    /* SACKs that are held back (Linux compressed_ack) */
		uint16_t last_seg_size;
		uint16_t rcv_mss;     /* estimate of the peer's segment size */
		uint16_t urg_data;    /* Linux urg_data: byte and TCP_URG_* state */
		uint8_t comp_dups;    /* duplicate ACKs sent at once for comp_nxt (dup_ack_counter) */
		uint32_t dup_acks;    /* duplicate ACKs owed to a peer without SACK */
		uint32_t segs_in, data_segs_in;
		uint64_t bytes_received;
		xtime ato, lrcvtime, delack_at;
		xtime comp_at;        /* when one ACK goes for all comp_acks, XTIME_NEVER: none is held back */
		struct tcp_ofo *ofo;  /* what has arrived beyond nxt, NULL: nothing has; owned */
		/* Receive buffer auto-tuning (Linux rcvq_space, rcv_rtt_est). */
		xtime space_time;
		uint32_t space;       /* bytes copied in the last measured round */
		seq32 space_seq;
		xtime rtt_ns, rtt_time;
		seq32 rtt_seq;
		uint32_t rtt_last_tsecr;
		/* What only disorder and urgent data take. */
		seq32 irs;
		seq32 fin_seq;        /* of a FIN that arrived out of order */
		struct tcp_sack_block dsack;
		seq32 comp_nxt;
		uint32_t ooopack;     /* segments that came out of order */
		xtime oow_ack_time;   /* last ACK for an out-of-window segment, 0: none */
		seq32 urg_seq;
	} rcv;

	/* Explicit congestion notification (tcp_ecn.c, RFC 3168). */
	struct {
		bool is_ok : 1;       /* agreed on (TCP_ECN_OK); in SYN-SENT: asked for */
		bool has_cwr : 1;     /* the next new data tells that cwnd is smaller (TCP_ECN_QUEUE_CWR) */
		bool has_echo : 1;    /* ECE until the peer's CWR (TCP_ECN_DEMAND_CWR) */
		bool is_seen : 1;     /* the peer marks its data (TCP_ECN_SEEN) */
		uint8_t field : 2;    /* of the IP header that the segment being processed had */
		uint32_t delivered_ce;   /* segments whose ACK had ECE */
		uint32_t received_ce, received_bytes[3];      /* segments with CE; payload by ECN field: ECT(1), ECT(0), CE */
	} ecn;

	struct tcp_sockopts opt;
	struct bind_owner bind;       /* local port */
	struct list all_link;         /* in stack.conns */
	struct list tx_link;          /* in stack.txdev.held while the interface has enough of ours */
	uint64_t cookie;              /* SO_COOKIE */
	xtime opened_at;              /* when the attempt to connect began, or the last one ended */
	struct tcp_fo *fo;            /* Fast Open, NULL: nothing has asked for it; owned */
	struct tcp_mtup *mtup;        /* NULL: tcp_mtu_probing is 0; owned */
	struct tcp_saved_syn *saved_syn;      /* of the SYN that it began with, NULL: none; owned */

	/* Listener and its children (tcp_listen.c). */
	struct listener *listener;    /* of a listening socket; owned */
	struct tcp_conn *parent;      /* of a child that is not accepted yet */
};

/* What stays of a connection in TIME-WAIT, or in FIN-WAIT-2 without a program. */
struct tcp_tw {
	struct ent ent;
	struct bind_owner bind;
	struct stack *s;
	struct list link;             /* in stack.tws */
	struct timer timer;
	uint8_t substate;             /* TCP_TIME_WAIT or TCP_FIN_WAIT2 */
	bool ts_ok;
	uint8_t rcv_wscale, tos, ttl;
	seq32 snd_nxt, rcv_nxt;
	uint32_t rcv_wnd;
	uint32_t ts_recent, ts_offset;
	xtime ts_recent_stamp, oow_ack_time;
	struct ip_route rt;
};

enum { SHUT_RCV_BIT = 1, SHUT_SND_BIT = 2, SHUT_BOTH_BITS = 3 };

static inline bool conn_in(const struct tcp_conn *c, unsigned states)
{
	return 1u << c->state & states;
}
#define ST(x) (1u << TCP_##x)

/* ---- tcp.c: life ---- */
void tcp_set_state(struct tcp_conn *c, uint8_t state, xtime now);
/* tcp_done(): CLOSED at once, deadlines off, out of the tables. */
void tcp_done(struct tcp_conn *c, xtime now);
/* With an error for the program. */
void tcp_done_err(struct tcp_conn *c, int err, xtime now);
/* tcp_reset(): the peer sent a valid RST. */
void tcp_reset(struct tcp_conn *c, xtime now);
void tcp_report(struct tcp_conn *c);              /* readiness may have changed */
void tcp_free_if_gone(struct tcp_conn *c);        /* may free c */
/* tcp_fin(): the peer's FIN is in order. */
void tcp_fin(struct tcp_conn *c, xtime now);
struct tcp_conn *tcp_alloc(struct stack *s, xtime now);
int tcp_reroute(struct tcp_conn *c, xtime now);   /* after a change of routes */
uint32_t tcp_ts_now(const struct tcp_conn *c, xtime now);
seq32 tcp_isn(struct stack *s, const struct tuple *t, xtime now);
uint32_t tcp_ts_offset(struct stack *s, const struct tuple *t);
/* SO_BINDTODEVICE as an interface of the stack, -1: none. */
int tcp_oif(const struct tcp_conn *c);

/* ---- tcp_fastopen.c ---- */
extern const struct tcp_fo tcp_fo_none;
static inline const struct tcp_fo *tcp_fo(const struct tcp_conn *c) { return c->fo ? c->fo : &tcp_fo_none; }
/* To be written to; NULL: no memory. */
struct tcp_fo *tcp_fo_own(struct tcp_conn *c);
void tcp_fastopen_listen(struct tcp_conn *l, uint32_t backlog);
/* Puts the option into a header: false when there is none or no room for it. */
bool tcp_fastopen_put(const struct tcp_fo_option *o, struct tcp_hdr *th);
/* Whether the SYN makes a child at once, and the option for the SYN-ACK in *answer. */
bool tcp_fastopen_accepts(struct tcp_conn *l, const struct ip_hdr *ip, const struct tcp_hdr *th, size_t len,
                          uint32_t npending, struct tcp_fo_option *answer);
bool tcp_fastopen_may_send(struct tcp_conn *c, uint16_t *mss, struct tcp_fo_option *o, xtime now);
void tcp_fastopen_fill(struct tcp_conn *c, xtime now);
bool tcp_fastopen_defers(struct tcp_conn *c, xtime now);
/* tcp_fastopen_active_detect_blackhole(): a time-out, after which it is over or not. */
void tcp_fastopen_timeout(struct tcp_conn *c, bool is_over, xtime now);
/* tcp_fastopen_active_disable_ofo_check(): the connection ends. */
void tcp_fastopen_ended(struct tcp_conn *c, xtime now);
bool tcp_fastopen_synack(struct tcp_conn *c, const struct tcp_hdr *th, xtime now);

/* ---- tcp_ecn.c ---- */
void tcp_ecn_mark(struct tcp_conn *c, bool is_capable);   /* ECT(0) or none, until told otherwise */
void tcp_ecn_connect(struct tcp_conn *c);                 /* does our SYN ask for it? */
uint16_t tcp_ecn_syn_flags(const struct tcp_conn *c, bool is_again);   /* of our SYN or SYN-ACK */
/* The answer to our SYN, or a SYN that crossed it: ECN is used if it agrees. */
void tcp_ecn_peer_syn(struct tcp_conn *c, const struct tcp_hdr *th);
/* tcp_ecn_create_request(): does the listener agree to what this SYN asks for? */
bool tcp_ecn_accepts(const struct tcp_conn *l, uint8_t tos, const struct tcp_hdr *th);
/* The flags and the mark of a segment that is about to leave with len bytes of data; the
 * caller clears ecn.has_cwr when one with CWR has left. */
void tcp_ecn_send(struct tcp_conn *c, struct tcp_hdr *th, size_t len);
void tcp_ecn_queue_cwr(struct tcp_conn *c);
/* tcp_ecn_received_counters(): what TCP_INFO tells of a segment of an open connection, n frames. */
void tcp_ecn_received(struct tcp_conn *c, size_t len, uint32_t n);
void tcp_ecn_data(struct tcp_conn *c, xtime now);         /* data came with ecn.field */
void tcp_ecn_accept_cwr(struct tcp_conn *c, const struct tcp_hdr *th, bool has_text);

/* ---- tcp_mtup.c ---- */
void tcp_mtup_init(struct tcp_conn *c, xtime now);
/* tcp_mtu_probe(): the length of the segment that should leave now as a probe, -1: none, 0: wait until
 * one can. */
int tcp_mtup_next(struct tcp_conn *c, uint32_t mss, xtime now);
void tcp_mtup_sent(struct tcp_conn *c, seq32 seq, seq32 end);
void tcp_mtup_acked(struct tcp_conn *c, xtime now);
/* Something is lost: true when it was the probe, and all is done. */
bool tcp_mtup_lost(struct tcp_conn *c, xtime now);
void tcp_mtup_black_hole(struct tcp_conn *c, xtime now);
/* What is in flight tells nothing: the probe is sent again otherwise, or was not sent at all. */
void tcp_mtup_forget(struct tcp_conn *c);
/* tcp_simple_retransmit(): of what is in flight all that is larger than the MSS has become. */
void tcp_simple_retransmit(struct tcp_conn *c, xtime now);

/* ---- tcp_mss.c: sizes ---- */
/* What of a packet is payload, before SACK blocks, and the packet for a payload. */
uint32_t tcp_mtu_to_mss(const struct tcp_conn *c, uint32_t mtu);
uint32_t tcp_mss_to_mtu(const struct tcp_conn *c, uint32_t mss);
uint32_t tcp_sync_mss(struct tcp_conn *c, uint32_t pmtu);
uint32_t tcp_current_mss(struct tcp_conn *c, xtime now);
/* tcp_initialize_rcv_mss(): the first estimate of the peer's segment size. */
void tcp_init_rcv_mss(struct tcp_conn *c);
uint16_t tcp_advertised_mss(const struct tcp_conn *c, xtime now);
/* The same of a connection that will have these options and this route. */
uint16_t tcp_route_advmss(const struct tcp_conn *c, const struct ip_route *rt, ip4 dst, xtime now);
void tcp_init_buffers(struct tcp_conn *c, xtime now);
void tcp_init_metrics(struct tcp_conn *c, xtime now);
void tcp_sndbuf_expand(struct tcp_conn *c);

/* ---- tcp_rcvbuf.c: the receive buffer and its window ---- */
/* What the first window may be, and how far it may grow (bytes). */
struct tcp_window {
	uint32_t wnd, clamp;
	uint8_t wscale;
};
/* tcp_select_initial_window(): for segments of mss bytes. */
void tcp_select_initial_window(const struct tcp_conn *c, const struct ip_route *rt, uint32_t mss,
                               bool has_wscale, struct tcp_window *w);
void tcp_init_rcv_window(struct tcp_conn *c);
uint32_t tcp_receive_window(const struct tcp_conn *c);    /* advertised and still open */
uint32_t tcp_select_window(struct tcp_conn *c);
uint32_t tcp_window_free(struct tcp_conn *c);             /* __tcp_select_window() */
void tcp_set_window_clamp(struct tcp_conn *c, uint32_t clamp);
/* Bytes of window that bytes of buffer give, and the reverse. */
uint32_t tcp_win_from_space(const struct tcp_conn *c, uint32_t space);
uint32_t tcp_space_from_win(const struct tcp_conn *c, uint32_t win);
/* May len bytes at seq be stored?  What came out of order may go for it. */
bool tcp_rmem_fits(struct tcp_conn *c, seq32 seq, uint32_t len, bool is_gso);
/* What an skb with a received frame takes up, of one segment or several. */
uint32_t tcp_rx_truesize(uint32_t len, bool is_gso);
void tcp_rmem_charge(struct tcp_conn *c, uint32_t len, bool is_gso);
void tcp_rmem_uncharge(struct tcp_conn *c, uint32_t n);
void tcp_measure_ratio(struct tcp_conn *c, uint32_t len, uint32_t truesize);
void tcp_grow_window(struct tcp_conn *c, uint32_t len, uint32_t cost);
void tcp_rcv_rtt_measure_ts(struct tcp_conn *c, uint32_t len, xtime now);
void tcp_rcv_rtt_measure(struct tcp_conn *c, xtime now);
/* Room for `space` bytes a round trip, and for what has come out of order. */
void tcp_rcvbuf_grow(struct tcp_conn *c, uint32_t space);
void tcp_rcv_space_adjust(struct tcp_conn *c, xtime now);

/* ---- tcp_mem.c: what all sockets keep together ---- */
/* After whatever changed what the connection keeps. */
void tcp_mem_charge(struct tcp_conn *c);
/* May len bytes at seq be stored? */
bool tcp_mem_may_receive(struct tcp_conn *c, seq32 seq, uint32_t len, bool is_gso);
/* How many of n bytes may be written; with none of them the send buffer shrinks. */
uint32_t tcp_mem_may_send(struct tcp_conn *c, uint32_t n);
bool tcp_mem_is_short(const struct stack *s);     /* tcp_under_memory_pressure() */
bool tcp_mem_may_expand(const struct stack *s);   /* may a buffer grow for throughput? */
bool tcp_mem_is_out(const struct tcp_conn *c);
/* In SYN-RECEIVED: a listener's child, not one side of a simultaneous open. */
static inline bool tcp_is_passive(const struct tcp_conn *c) { return c->parent || (c->fo && c->fo->is_child); }
/* The SYN takes no room in the peer's window. */
static inline seq32 tcp_wnd_end(const struct tcp_conn *c)
{
	return c->snd.una + c->snd.wnd + (c->state == TCP_SYN_RECV && tcp_is_passive(c));
}
static inline seq32 tcp_snd_end(const struct tcp_conn *c)
{
	return c->snd.q_seq + c->snd.q.len + (c->snd.fin ? 1 : 0);
}

/* ---- tcp_tsq.c: what waits for the interface ---- */
/* tcp_small_queue_check(): a segment of len bytes must wait; shift as its factor. */
bool tcp_small_queue_is_full(struct tcp_conn *c, uint32_t len, unsigned shift);
/* skb_still_in_host_queue(): it need not be sent again, it hasn't left yet. */
bool tcp_is_in_device(struct tcp_conn *c, const struct tx_seg *seg);
/* tcp_should_autocork(): the last write is small and may wait for what the interface has. */
bool tcp_should_autocork(struct tcp_conn *c, xtime now);

/* ---- tcp_lend.c: bytes that are sent from where the program has them ---- */
/* Appends n bytes that stay at p: how many, or -ENOMEM. */
ssize_t tcp_lend(struct tcp_conn *c, const uint8_t *p, size_t n);
/* Where bytes [off, off + len) of the send queue are: how many pieces. */
int tcp_payload(const struct tcp_conn *c, size_t off, size_t len, struct iovec out[FRAME_PAYLOAD]);

/* ---- tcp_wmem.c: the send buffer in skbs ---- */
#define TCP_SKB_COST 832u   /* struct sk_buff, the head's room, skb_shared_info */
/* Bytes of the last skb that is unsent and may grow, and of a full one; 0: there is none. */
uint32_t tcp_wmem_last(struct tcp_conn *c, uint32_t *goal, xtime now);
/* Puts what there is room for into the send ring: bytes, -EAGAIN or -ENOMEM. */
ssize_t tcp_wmem_write(struct tcp_conn *c, const struct iovec *iov, int iovcnt, size_t skip, size_t total,
                       int flags, xtime now);
uint32_t tcp_wmem_queued(const struct tcp_conn *c);       /* bytes as Linux accounts them */
/* sk_stream_is_writeable(): whether POLLOUT is due. */
bool tcp_wmem_is_writable(const struct tcp_conn *c);
/* tcp_check_space() in two halves: an ACK has come; what it allows has been sent. */
void tcp_wmem_acked(struct tcp_conn *c);
void tcp_check_space(struct tcp_conn *c, xtime now);
/* The first skb that isn't sent, NULL: none. */
const struct tx_mark *tcp_mark_first(const struct tcp_conn *c);
/* tcp_grow_skb(): it gets `want` bytes at most from the next one. */
void tcp_mark_grow(struct tcp_conn *c, uint32_t want);
/* snd.nxt has moved: the ends that have been sent need not be known any more. */
void tcp_marks_pass(struct tcp_conn *c);
/* What leads up to `end` is unsent again, an skb of its own. */
void tcp_marks_return(struct tcp_conn *c, seq32 end, bool psh, bool eor);
void tcp_marks_free(struct tcp_conn *c);

/* ---- tcp_chrono.c ---- */
void tcp_chrono_start(struct tcp_conn *c, enum chrono kind, xtime now);
void tcp_chrono_stop(struct tcp_conn *c, enum chrono kind, xtime now);
/* How long, up to now; CHRONO_BUSY includes the others. */
xtime tcp_chrono_time(const struct tcp_conn *c, enum chrono kind, xtime now);

/* ---- tcp_in.c, tcp_data.c ---- */
/* The segment being processed. */
struct seg_in {
	const struct ip_hdr *ip;
	const struct tcp_hdr *th;
	const uint8_t *data;
	size_t len;            /* payload bytes */
	uint16_t gso_size;
	seq32 end;             /* sequence number behind it, SYN and FIN counted */
	int iface;             /* that it came in by */
	xtime now;
};

/* A segment for this connection; c may be gone afterwards. */
void tcp_conn_input(struct tcp_conn *c, const struct seg_in *seg);
void tcp_rcv(struct tcp_conn *c, const struct tcp_hdr *th, const uint8_t *data, size_t len,
             uint16_t gso_size, xtime now);
void tcp_data_queue(struct tcp_conn *c, const struct tcp_hdr *th, const uint8_t *data, size_t len,
                    uint16_t gso_size, xtime now);
extern const struct tcp_ofo tcp_ofo_none;
static inline const struct tcp_ofo *tcp_ofo(const struct tcp_conn *c) { return c->rcv.ofo ? c->rcv.ofo : &tcp_ofo_none; }
void tcp_ofo_free(struct tcp_conn *c);
void tcp_ofo_settle(struct tcp_conn *c);                  /* frees it when nothing is left */
void tcp_ack_check(struct tcp_conn *c, xtime now);        /* __tcp_ack_snd_check() */
void tcp_fast_path_check(struct tcp_conn *c);
xtime tcp_delack_max(const struct tcp_conn *c);
void tcp_enter_quickack(struct tcp_conn *c, unsigned max);
void tcp_send_dupack(struct tcp_conn *c, const struct tcp_hdr *th, size_t len, xtime now);
void tcp_dsack_set(struct tcp_conn *c, seq32 start, seq32 end);
void tcp_cleanup_rbuf(struct tcp_conn *c, size_t copied, xtime now);
bool tcp_oow_ratelimited(struct stack *s, enum counter skipped, xtime *last, xtime now);

/* ---- tcp_user.c ---- */
/* The program has got n of the readable bytes. */
void tcp_has_read(struct tcp_conn *c, size_t n, xtime now);

/* ---- tcp_place.c ---- */
/* The payload at seq is at its place already. */
bool tcp_is_placed(const struct tcp_conn *c, seq32 seq, size_t len);
/* The frame has been taken in: what of it is in the reader's buffer is read. */
void tcp_place_done(struct stack *s, xtime now);

/* ---- tcp_urg.c ---- */
/* tcp_urg(): the urgent pointer of a segment, and the byte if it is in it. */
void tcp_urg_rcv(struct tcp_conn *c, const struct tcp_hdr *th, const uint8_t *data, size_t len);
/* recv() with MSG_OOB. */
ssize_t tcp_urg_read(struct tcp_conn *c, const struct iovec *iov, int iovcnt, size_t skip, int flags,
                     int *rflags);
/* The urgent byte at the read position is no part of the stream: passed over. */
void tcp_urg_skip(struct tcp_conn *c);
/* The read position has moved: a mark behind it is forgotten. */
void tcp_urg_passed(struct tcp_conn *c);

/* ---- tcp_ack.c, tcp_loss.c, tcp_rtt.c ---- */
enum {   /* flags of one ACK, as Linux names them */
	FLAG_DATA = 0x01,
	FLAG_WIN_UPDATE = 0x02,
	FLAG_DATA_ACKED = 0x04,
	FLAG_RETRANS_DATA_ACKED = 0x08,
	FLAG_SYN_ACKED = 0x10,
	FLAG_DATA_SACKED = 0x20,
	FLAG_ECE = 0x40,
	FLAG_LOST_RETRANS = 0x80,
	FLAG_SLOWPATH = 0x100,
	FLAG_ORIG_SACK_ACKED = 0x200,
	FLAG_SND_UNA_ADVANCED = 0x400,
	FLAG_DSACKING_ACK = 0x800,
	FLAG_SET_XMIT_TIMER = 0x1000,
	FLAG_SACK_RENEGING = 0x2000,
	FLAG_UPDATE_TS_RECENT = 0x4000,
	FLAG_DSACK_TLP = 0x20000,
};
#define FLAG_ACKED (FLAG_DATA_ACKED | FLAG_SYN_ACKED)
#define FLAG_NOT_DUP (FLAG_DATA | FLAG_WIN_UPDATE | FLAG_ACKED)
#define FLAG_CA_ALERT (FLAG_DATA_SACKED | FLAG_ECE)
#define FLAG_FORWARD_PROGRESS (FLAG_ACKED | FLAG_DATA_SACKED)

/* What one ACK told (Linux tcp_sacktag_state and rate_sample). */
struct ack_info {
	unsigned flag;
	seq32 prior_una;
	uint32_t prior_delivered, prior_lost, prior_in_flight, prior_packets;
	seq32 prior_high_sacked;
	uint32_t acked_sacked;
	int64_t rtt_us;          /* sample for congestion control, -1: none */
	xtime first_sackt, last_sackt;
	seq32 reord;             /* lowest segment that was delivered out of order */
	bool has_reord;
	uint32_t lost;
	struct rate_sample rs;   /* of the delivery rate */
};

/* tcp_ack(): 1 good, 0 old, -1 drop and say nothing, else a counter to drop under. */
int tcp_ack(struct tcp_conn *c, const struct tcp_hdr *th, size_t len, bool update_ts, bool is_foreseen, xtime now);
uint32_t tcp_seg_count(const struct tcp_conn *c, const struct tx_seg *seg);
/* It is sent again in segments of this size: its count changes (tcp_set_skb_tso_segs()). */
void tcp_seg_set_mss(struct tcp_conn *c, struct tx_seg *seg, uint32_t mss);
struct tx_seg *txq_at(struct tx_queue *q, uint32_t i);
int txq_push(struct tx_queue *q, const struct tx_seg *seg);
void txq_pop(struct tx_queue *q);
void txq_free(struct tx_queue *q);
/* Index of the segment that holds seq, q->n when none. */
uint32_t txq_find(struct tx_queue *q, seq32 seq);
/* Splits segment i at seq (inside it), keeping all counts right: 0 or -ENOMEM. */
int txq_split(struct tcp_conn *c, uint32_t i, seq32 seq);
/* Segment i is counted in units of mss from now on. */
void txq_recount(struct tcp_conn *c, uint32_t i, uint32_t mss);
/* Segment i takes in the one behind it: together they are at most mss bytes. */
void txq_merge(struct tcp_conn *c, uint32_t i, uint32_t mss);
void tcp_mark_lost(struct tcp_conn *c, struct tx_seg *seg);
void tcp_mark_sacked(struct tcp_conn *c, struct tx_seg *seg);
void tcp_forget_flight(struct tcp_conn *c);
uint32_t tcp_in_flight(const struct tcp_conn *c);
void tcp_sacktag(struct tcp_conn *c, const struct tcp_hdr *th, struct ack_info *a, xtime now);
void tcp_fastretrans_alert(struct tcp_conn *c, struct ack_info *a, uint32_t num_dupack, xtime now);
void tcp_cong_control(struct tcp_conn *c, struct ack_info *a, xtime now);
uint32_t tcp_current_ssthresh(const struct tcp_conn *c);
void tcp_enter_loss(struct tcp_conn *c, xtime now);
void tcp_enter_cwr(struct tcp_conn *c, xtime now);
void tcp_process_tlp_ack(struct tcp_conn *c, seq32 ack, unsigned flag, xtime now);
bool tcp_schedule_tlp(struct tcp_conn *c, xtime now);
void tcp_tlp_fire(struct tcp_conn *c, xtime now);
void tcp_rack_reorder_fire(struct tcp_conn *c, xtime now);
void tcp_rack_advance(struct tcp_conn *c, const struct tx_seg *seg, xtime now);
bool tcp_rack_mark_lost(struct tcp_conn *c, xtime now);
void tcp_rack_update_reo_wnd(struct tcp_conn *c, uint32_t prior_delivered);
/* How long until the segment counts as lost, <= 0: it does. */
xtime tcp_rack_remaining(const struct tcp_conn *c, const struct tx_seg *seg, xtime reo_wnd, xtime now);
void tcp_check_reordering(struct tcp_conn *c, seq32 low, bool is_by_ts);
void tcp_enter_recovery(struct tcp_conn *c, bool has_ece, xtime now);
void tcp_cwnd_reduction(struct tcp_conn *c, uint32_t newly, uint32_t lost, unsigned flag);
void tcp_init_cwnd_reduction(struct tcp_conn *c, xtime now);
void tcp_end_cwnd_reduction(struct tcp_conn *c, xtime now);
void tcp_try_keep_open(struct tcp_conn *c, xtime now);
void tcp_mark_unsacked(struct tcp_conn *c, struct tx_seg *seg);
void tcp_add_reno_sack(struct tcp_conn *c, uint32_t n);
void tcp_reset_reno_sack(struct tcp_conn *c);
void tcp_remove_reno_sacks(struct tcp_conn *c, uint32_t acked);
void tcp_cwnd_restart_check(struct tcp_conn *c, xtime now);
void tcp_cwnd_validate(struct tcp_conn *c, bool is_limited, xtime now);
void tcp_set_ca_state(struct tcp_conn *c, enum ca_state st, xtime now);

/* ---- tcp_pace.c ---- */
void tcp_update_pacing_rate(struct tcp_conn *c);
uint64_t tcp_pacing_rate(const struct tcp_conn *c);        /* bytes/s, ~0: none */
bool tcp_is_paced(const struct tcp_conn *c);
xtime tcp_pacing_delay(const struct tcp_conn *c, xtime now);   /* until data may leave */
/* Must data wait?  If so, the timer will ask for output. */
bool tcp_pacing_holds(struct tcp_conn *c, xtime now);
void tcp_pacing_sent(struct tcp_conn *c, size_t len, xtime now);
void tcp_pacing_fire(struct tcp_conn *c);
/* Segments of one frame of new data, at most `most`. */
uint32_t tcp_burst_segs(const struct tcp_conn *c, uint32_t mss, uint32_t most);

/* ---- tcp_rate.c ---- */
/* A segment leaves, before it is counted as in flight. */
void tcp_rate_sent(struct tcp_conn *c, struct tx_seg *seg, xtime now);
/* It has been delivered, seen for the first time now. */
void tcp_rate_delivered(struct tcp_conn *c, struct tx_seg *seg, struct rate_sample *rs);
/* The sample of one ACK is complete. */
void tcp_rate_gen(struct tcp_conn *c, struct ack_info *a, xtime now);
/* The program writes: was the path idle for want of data? */
void tcp_rate_check_app_limited(struct tcp_conn *c);
/* bytes/s of the latest sample (tcp_compute_delivery_rate()). */
uint64_t tcp_delivery_rate(const struct tcp_conn *c);

void tcp_rtt_init(struct tcp_conn *c);
/* An RTT sample in microseconds (RFC 6298, tcp_rtt_estimator). */
void tcp_rtt_sample(struct tcp_conn *c, int64_t us, xtime now);
void tcp_set_rto(struct tcp_conn *c);
void tcp_rtt_min_update(struct tcp_conn *c, uint32_t us, xtime now);
xtime tcp_rto_min(const struct tcp_conn *c);
xtime tcp_rto_max(const struct tcp_conn *c);

/* ---- tcp_out.c ---- */
void tcp_want_output(struct tcp_conn *c);                 /* queue it for stack_output() */
void tcp_output_off(struct tcp_conn *c);                  /* out of that queue; if blocked it stays so */
void tcp_send_ack(struct tcp_conn *c);                    /* an ACK must go */
/* Nothing is to be sent but, at most, an ACK that may wait a little for what the program answers. */
bool tcp_owes_ack_alone(const struct tcp_conn *c);
/* It waits; what is said meanwhile comes behind it. */
void tcp_defer_ack(struct tcp_conn *c);

/* ---- tcp_segment.c ---- */
/* Where packets go first: the first hop of a source route, or the peer. */
ip4 tcp_first_hop(const struct tcp_conn *c);
void tcp_send_active_reset(struct tcp_conn *c, xtime now);
/* An ACK of a connection that is about to go: queued with the stack's own frames. */
void tcp_send_last_ack(struct tcp_conn *c, xtime now);
/* An ACK of less than has come, out of the way of all others (__tcp_send_ack). */
void tcp_send_ack_before(struct tcp_conn *c, seq32 ack, xtime now);
/* tcp_v4_send_reset(): answer to a segment that belongs to nothing. */
void tcp_reply_reset(struct stack *s, const struct ip_hdr *ip, const struct tcp_hdr *th, size_t len,
                     xtime now);
/* tcp_share.c: may a segment that belongs to nothing here be answered by a reset? */
bool tcp_may_reset(const struct stack *s, const struct tcp_hdr *th);
/* A segment without data that no connection's output makes. */
void tcp_reply(struct stack *s, const struct tuple *t, const struct tcp_hdr *th, uint8_t tos, uint8_t ttl,
               const struct ip_optset *opts,
               xtime now);
void tcp_tw_ack(struct tcp_tw *tw, xtime now);

/* ---- tcp_syn.c ---- */
void tcp_syn_sent_now(struct tcp_conn *c, xtime now);
void tcp_syn_again(struct tcp_conn *c);                   /* it is to be sent once more */

/* ---- tcp_timer.c: events in, deadlines out ---- */
void tcp_timer_update(struct tcp_conn *c);                /* conn.timer := earliest */
void tcp_rexmit_set(struct tcp_conn *c, enum rexmit_kind kind, xtime at);
void tcp_rexmit_clear(struct tcp_conn *c);
void tcp_rearm_rto(struct tcp_conn *c, xtime now);
/* The interface dropped what these timers sent. */
void tcp_rto_was_refused(struct tcp_conn *c, xtime now);
void tcp_probe_was_refused(struct tcp_conn *c, xtime now);
void tcp_keepalive_was_refused(struct tcp_conn *c, xtime now);
void tcp_delack_set(struct tcp_conn *c, xtime at);
void tcp_delack_clear(struct tcp_conn *c);
/* A ring is empty: its memory is given back if nothing comes for a while. */
void tcp_trim_later(struct tcp_conn *c, xtime now);
void tcp_keep_set(struct tcp_conn *c, xtime at);
void tcp_check_probe(struct tcp_conn *c, xtime now);      /* tcp_check_probe_timer() */
xtime tcp_fin_time(const struct tcp_conn *c);
xtime tcp_keep_time(const struct tcp_conn *c);
void tcp_keep_start(struct tcp_conn *c, xtime now);

/* ---- tcp_tw.c ---- */
/* tcp_time_wait(): the connection ends, its remainder stays for `timeout`. */
void tcp_time_wait(struct tcp_conn *c, uint8_t substate, xtime timeout, xtime now);
void tcp_tw_input(struct tcp_tw *tw, const struct seg_in *seg);
/* tcp_tw_reuse: may connect() choose TIME-WAIT ports towards this destination at all? */
bool tcp_tw_allows_reuse(const struct stack *s, const struct tuple *t);
bool tcp_tw_may_reuse(const struct ent *tw, void *conn);
void tcp_tw_free(struct tcp_tw *tw);

/* ---- tcp_listen.c ---- */
void tcp_listen_input(struct tcp_conn *l, const struct seg_in *seg);
void tcp_listen_stop(struct tcp_conn *l, xtime now);
/* Frees what a listener holds but its children, when the stack ends. */
void tcp_listen_free(struct tcp_conn *l);
/* ---- tcp_saved_syn.c ---- */
/* TCP_SAVED_SYN: gives it once; -EINVAL when there is no room, *len says how much it takes. */
int tcp_saved_syn_read(struct tcp_conn *c, void *val, socklen_t *len);
/* ---- tcp_req.c ---- */
struct tcp_req;
void tcp_req_input(struct tcp_req *r, const struct seg_in *seg);
void tcp_req_icmp(struct tcp_req *r, seq32 seq, uint8_t type, uint8_t code);
/* A child by Fast Open no longer counts as pending. */
void tcp_listen_confirmed(struct tcp_conn *c);
void tcp_listen_child_gone(struct tcp_conn *child);
bool tcp_listen_has_child(const struct tcp_conn *l);
/* Children that wait for accept(), and how many may. */
void tcp_listen_counts(const struct tcp_conn *l, uint32_t *ready, uint32_t *backlog);

#endif
