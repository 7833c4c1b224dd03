/* SPDX-License-Identifier: BSD-2-Clause */
/* fake_tcp.c - see fake_tcp.h. */
#include "fake_tcp.h"

#include <string.h>

struct fake_tcp fake;

static const struct cc_ops cc_none = { .name = "cubic" };

const struct cc_ops *cc_find(const char *name)
{
	return strcmp(name, cc_none.name) ? NULL : &cc_none;
}

void fake_conn_init(struct fake_conn *fc, struct stack *s, uint8_t tag)
{
	memset(fc, 0, sizeof(*fc));
	fc->c.s = s;
	fc->tag = tag;
	list_init(&fc->c.out_link);
	list_init(&fc->c.event_link);
	timer_init(&fc->c.timer, TIMER_CONN);
}

void tcp_input(struct stack *s, int iface, const struct ip_hdr *ip, const uint8_t *seg, size_t len,
               const struct virtio_net_hdr *vnet, xtime now)
{
	(void)s, (void)iface, (void)vnet, (void)now;
	fake.inputs++;
	fake.ip = *ip;
	fake.len = len;
	memcpy(fake.seg, seg, MIN(len, sizeof(fake.seg)));
}

bool tcp_owes_ack_alone(const struct tcp_conn *c)
{
	(void)c;
	return false;
}

void tcp_defer_ack(struct tcp_conn *c)
{
	(void)c;
}

void tcp_place_done(struct stack *s, xtime now)
{
	(void)s, (void)now;
}

bool tcp_output(struct tcp_conn *c, struct frame_out *f, xtime now)
{
	struct fake_conn *fc = container_of(c, struct fake_conn, c);

	(void)now;
	if (!fc->frames) {
		list_remove(&c->out_link);
		return false;
	}
	fc->frames--;
	memset(f, 0, offsetof(struct frame_out, hdr));
	f->hdr[0] = fc->tag;
	f->hdr_len = 1;
	return true;
}

void tcp_timer(struct tcp_conn *c, xtime now)
{
	(void)c, (void)now;
	fake.timers++;
}

void tcp_req_timer(struct tcp_req *r, xtime now)
{
	(void)r;
	(void)now;
}

void tcp_tw_timer(struct stack *s, struct tcp_tw *tw, xtime now)
{
	(void)s, (void)tw, (void)now;
	fake.tw_timers++;
}

void tcp_neigh_done(struct stack *s, struct neigh *n, int err, xtime now)
{
	(void)s, (void)now;
	if (err)
		fake.neigh_downs++;
	else
		fake.neigh_ups++;
	while (!list_is_empty(&n->waiters))
		list_remove(n->waiters.next);
}

void tcp_icmp(struct stack *s, const struct tuple *t, seq32 seq, uint8_t type, uint8_t code,
              uint32_t mtu, xtime now)
{
	(void)s, (void)now;
	fake.icmps++;
	fake.icmp_tuple = *t;
	fake.icmp_seq = seq;
	fake.icmp_type = type;
	fake.icmp_code = code;
	fake.icmp_mtu = mtu;
}

void tcp_free_all(struct stack *s)
{
	(void)s;
}

void tcp_fastopen_init(struct stack *s, const struct siphash_key *random)
{
	(void)s, (void)random;
}

void tcp_metrics_flush(struct stack *s)
{
	(void)s;
}

bool tcp_refused(struct tcp_conn *c, const struct frame_out *f, bool is_tried, xtime now)
{
	(void)c;
	(void)f;
	(void)now;
	return is_tried;
}

void tcp_tx_report(struct stack *s)
{
	(void)s;
}

void tcp_fastopen_set_key(struct stack *s)
{
	(void)s;
}
