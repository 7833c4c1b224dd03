/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_chrono.c - how long a connection had data to send, and for how much of that the
 * peer's window or the send buffer held it (tcpi_busy_time, tcpi_rwnd_limited and
 * tcpi_sndbuf_limited of TCP_INFO).  One clock runs at a time: the kind of the highest
 * number, as in Linux.
 */
#include "tcp_impl.h"

static void chrono_set(struct tcp_conn *c, enum chrono kind, xtime now)
{
	if (c->snd.chrono != CHRONO_IDLE)
		c->snd.chrono_spent[c->snd.chrono - 1] += now - c->snd.chrono_since;
	c->snd.chrono = kind;
	c->snd.chrono_since = now;
}

void tcp_chrono_start(struct tcp_conn *c, enum chrono kind, xtime now)
{
	if (kind > c->snd.chrono)
		chrono_set(c, kind, now);
}

void tcp_chrono_stop(struct tcp_conn *c, enum chrono kind, xtime now)
{
	if (!c->snd.txq.n && c->snd.nxt == tcp_snd_end(c))
		chrono_set(c, CHRONO_IDLE, now);
	else if (kind == c->snd.chrono)
		chrono_set(c, CHRONO_BUSY, now);
}

xtime tcp_chrono_time(const struct tcp_conn *c, enum chrono kind, xtime now)
{
	xtime sum = 0;

	for (unsigned k = kind; k < CHRONO_KINDS; k++) {
		if (k != kind && kind != CHRONO_BUSY)
			break;
		sum += c->snd.chrono_spent[k - 1] + (k == c->snd.chrono ? now - c->snd.chrono_since : 0);
	}
	return sum;
}
