/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * addr.c - see addr.h.
 */
#include "addr.h"

#include <errno.h>
#include <string.h>

#include "base.h"
#include "real.h"
#include "user.h"

int addr_take(const struct sockaddr *addr, socklen_t len, struct sockaddr_storage *out)
{
	if ((int)len < 0 || len > sizeof(*out))
		return -EINVAL;
	if (!user_can_read(addr, len))
		return -EFAULT;
	memset(out, 0, sizeof(*out));
	if (len)
		memcpy(out, addr, len);
	return 0;
}

bool addr_unmap(const struct sockaddr_storage *addr, struct sockaddr_in *out)
{
	const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)addr;

	memset(out, 0, sizeof(*out));
	out->sin_family = AF_INET;
	out->sin_port = a->sin6_port;
	if (IN6_IS_ADDR_UNSPECIFIED(&a->sin6_addr))
		return true;
	memcpy(&out->sin_addr, &a->sin6_addr.s6_addr[12], sizeof(out->sin_addr));
	return IN6_IS_ADDR_V4MAPPED(&a->sin6_addr);
}

void addr_map(const struct sockaddr_in *a, struct sockaddr_in6 *out)
{
	memset(out, 0, sizeof(*out));
	out->sin6_family = AF_INET6;
	out->sin6_port = a->sin_port;
	if (a->sin_addr.s_addr == htonl(INADDR_ANY))
		return;
	memset(&out->sin6_addr.s6_addr[10], 0xff, 2);
	memcpy(&out->sin6_addr.s6_addr[12], &a->sin_addr, sizeof(a->sin_addr));
}

int addr_bind(int fd, bool is_v6, const struct sockaddr_in *a)
{
	struct sockaddr_in6 a6;
	int r;

	addr_map(a, &a6);
	r = is_v6 ? REAL(bind)(fd, (const struct sockaddr *)&a6, sizeof(a6)) :
		    REAL(bind)(fd, (const struct sockaddr *)a, sizeof(*a));
	return r < 0 ? -errno : 0;
}

int addr_copy(const void *from, socklen_t size, struct sockaddr *addr, socklen_t *len)
{
	if (!user_can_write(len, sizeof(*len)))
		return -EFAULT;
	if ((int)*len < 0)
		return -EINVAL;
	if (!user_can_write(addr, MIN(*len, size)))
		return -EFAULT;
	memcpy(addr, from, MIN(*len, size));
	*len = size;
	return 0;
}

int addr_give(bool is_v6, const struct sockaddr_in *a, struct sockaddr *addr, socklen_t *len)
{
	struct sockaddr_in6 a6;

	if (!is_v6)
		return addr_copy(a, sizeof(*a), addr, len);
	addr_map(a, &a6);
	return addr_copy(&a6, sizeof(a6), addr, len);
}
