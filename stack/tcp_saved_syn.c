/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_saved_syn.c - TCP_SAVE_SYN and TCP_SAVED_SYN: the headers of the SYN that a connection
 * began with, from the network layer on, for whoever accepts it (tcp_reqsk_record_syn).
 *
 * The request owns what is saved until its child does; the first one who reads it takes it away.
 */
#include "tcp_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tcp_listen.h"

struct tcp_saved_syn {
	socklen_t len;
	uint8_t bytes[IP_LEN_MAX + TCP_LEN_MAX];
};

struct tcp_saved_syn *tcp_saved_syn_make(const struct tcp_conn *l, const struct seg_in *seg)
{
	struct tcp_saved_syn *syn = l->opt.save_syn ? malloc(sizeof(*syn)) : NULL;
	struct ip_hdr ip = *seg->ip;
	size_t n;

	if (!syn)
		return NULL;
	n = ip_emit(syn->bytes, &ip);
	memcpy(syn->bytes + n, seg->data - seg->th->hdr_len, seg->th->hdr_len);
	syn->len = (socklen_t)(n + seg->th->hdr_len);
	return syn;
}

int tcp_saved_syn_read(struct tcp_conn *c, void *val, socklen_t *len)
{
	struct tcp_saved_syn *syn = c->saved_syn;
	socklen_t room = *len;

	*len = syn ? syn->len : 0;
	if (!syn)
		return 0;
	if (room < syn->len)
		return -EINVAL;
	memcpy(val, syn->bytes, syn->len);
	free(syn);
	c->saved_syn = NULL;
	return 0;
}
