/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * parse.c - see parse.h.
 */
#include "parse.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

int parse_number(const char *text, size_t len, unsigned max, unsigned *n)
{
	unsigned v = 0;
	size_t i;

	if (!len)
		return -EINVAL;
	for (i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		v = 10 * v + (unsigned)(text[i] - '0');
		if (v > max)
			return -EINVAL;
	}
	*n = v;
	return 0;
}

int parse_ip(const char *text, size_t len, ip4 *a)
{
	char buf[INET_ADDRSTRLEN];
	struct in_addr in;

	if (len >= sizeof(buf))
		return -EINVAL;
	memcpy(buf, text, len);
	buf[len] = 0;
	if (inet_pton(AF_INET, buf, &in) != 1)
		return -EINVAL;
	*a = ntohl(in.s_addr);
	return 0;
}

int parse_prefix(const char *text, size_t len, struct engine_prefix *p)
{
	const char *slash = memchr(text, '/', len);
	size_t ip_len = slash ? (size_t)(slash - text) : 0;
	unsigned plen;

	if (!slash || len - ip_len - 1 > 2 || parse_number(slash + 1, len - ip_len - 1, 32, &plen))
		return -EINVAL;
	p->plen = (uint8_t)plen;
	return parse_ip(text, ip_len, &p->addr);
}
