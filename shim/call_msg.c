/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * call_msg.c - sendmsg(), recvmsg() and their plurals: headers and control messages around call_data.c.
 */
#include "call.h"

#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <netinet/tcp.h>
#include <string.h>

#include "eng.h"
#include "user.h"

#define PRIORITY_MAX 6            /* sk_set_prio_allowed() */

/* ---- sending ---- */

/* __sock_cmsg_send(): may this one come with a message?  What it would set has no effect here. */
static bool is_cmsg_good(const struct cmsghdr *c)
{
	uint32_t v = 0;

	if (c->cmsg_level != SOL_SOCKET)
		return true;
	if (c->cmsg_len == CMSG_LEN(sizeof(v)))
		memcpy(&v, CMSG_DATA(c), sizeof(v));
	switch (c->cmsg_type) {
	case SCM_RIGHTS:
	case SCM_CREDENTIALS:
		return true;
	case SO_MARK:
		return c->cmsg_len == CMSG_LEN(sizeof(v)) && (eng_has_cap(CAP_NET_RAW) || eng_has_cap(CAP_NET_ADMIN));
	case SO_PRIORITY:
		return c->cmsg_len == CMSG_LEN(sizeof(v)) &&
		       (v <= PRIORITY_MAX || eng_has_cap(CAP_NET_RAW) || eng_has_cap(CAP_NET_ADMIN));
	case SO_TIMESTAMPING_OLD:
	case SO_TIMESTAMPING_NEW:
		return c->cmsg_len == CMSG_LEN(sizeof(v)) && !v;      /* no times are kept */
	default:
		return false;
	}
}

/* sock_cmsg_send() of all of them; each has to fit into what is left (CMSG_OK()). */
static bool are_cmsgs_good(const struct msghdr *m)
{
	size_t at = 0, left;

	if (!m->msg_control)
		return true;
	for (; at < m->msg_controllen && m->msg_controllen - at >= sizeof(struct cmsghdr);) {
		const struct cmsghdr *c = (const void *)((const char *)m->msg_control + at);

		left = m->msg_controllen - at;
		if (c->cmsg_len < sizeof(*c) || c->cmsg_len > left || !is_cmsg_good(c))
			return false;
		at += CMSG_ALIGN(c->cmsg_len);
	}
	return true;
}

/* The address is ignored on a connected socket.  A bad control message is found after the socket's state. */
ssize_t call_sendmsg(struct sock *s, const struct msghdr *msg, int flags)
{
	struct msghdr m;
	ssize_t r;

	if (!user_get(&m, msg, sizeof(m)))
		return -EFAULT;
	if (m.msg_name && (int)m.msg_namelen < 0)
		return -EINVAL;
	m.msg_namelen = MIN(m.msg_namelen, sizeof(struct sockaddr_storage));
	r = call_check_vector(m.msg_iov, m.msg_iovlen, -EMSGSIZE);
	if (!r && m.msg_controllen > INT_MAX)
		r = -ENOBUFS;
	if (!r && m.msg_controllen && !user_can_read(m.msg_control, m.msg_controllen))
		r = -EFAULT;
	if (r)
		return r;
	if (m.msg_controllen && !are_cmsgs_good(&m)) {
		r = call_send(s, NULL, 0, flags);
		return r < 0 ? r : -EINVAL;
	}
	return call_sendto(s, m.msg_iov, (int)m.msg_iovlen, flags, m.msg_name, m.msg_namelen);
}

/* Of a message that was sent: are n bytes all of it? */
static bool is_whole(const struct msghdr *m, size_t n)
{
	size_t i, len = 0;

	for (i = 0; i < m->msg_iovlen; i++)
		len += m->msg_iov[i].iov_len;
	return n >= len;
}

/* After a part of a message none of the next is sent (__sys_sendmmsg()). */
int call_sendmmsg(struct sock *s, struct mmsghdr *v, unsigned n, int flags)
{
	unsigned i;
	ssize_t r = 0;

	flags &= ~CALL_IS_PART;
	for (i = 0; i < n && i < IOV_MAX; i++) {
		r = user_can_write(&v[i], sizeof(v[i])) ? call_sendmsg(s, &v[i].msg_hdr, flags) : -EFAULT;
		if (r < 0)
			break;
		v[i].msg_len = (unsigned)r;
		flags |= CALL_IS_PART;
		if (!is_whole(&v[i].msg_hdr, (size_t)r)) {
			i++;
			break;
		}
	}
	return i ? (int)i : (int)r;
}

/* ---- receiving ---- */

/* put_cmsg() of TCP_INQ's answer; a buffer that is too small for it loses it. */
static void put_inq(struct sock *s, struct msghdr *msg)
{
	struct cmsghdr *m = msg->msg_control;
	size_t room = msg->msg_controllen;
	int inq;

	msg->msg_controllen = 0;
	if (!m || room < sizeof(*m) || !user_can_write(m, MIN(room, CMSG_SPACE(sizeof(inq)))) ||
	    eng_query(s, ENGINE_INQ_HINT, &inq) < 0)
		return;
	if (room < CMSG_LEN(sizeof(inq)))
		msg->msg_flags |= MSG_CTRUNC;
	m->cmsg_level = IPPROTO_TCP;
	m->cmsg_type = TCP_CM_INQ;
	m->cmsg_len = MIN(room, CMSG_LEN(sizeof(inq)));
	memcpy(CMSG_DATA(m), &inq, m->cmsg_len - CMSG_LEN(0));
	msg->msg_controllen = MIN(room, CMSG_SPACE(sizeof(inq)));
}

ssize_t call_recvmsg(struct sock *s, struct msghdr *msg, int flags)
{
	int r, rflags = 0;
	ssize_t n;

	if (!user_can_write(msg, sizeof(*msg)))
		return -EFAULT;
	if (msg->msg_name && (int)msg->msg_namelen < 0)
		return -EINVAL;
	r = call_check_vector(msg->msg_iov, msg->msg_iovlen, -EMSGSIZE);
	if (r)
		return r;
	n = call_recv(s, msg->msg_iov, (int)msg->msg_iovlen, flags, &rflags);
	if (n < 0)
		return n;
	if (msg->msg_name)
		msg->msg_namelen = 0;
	msg->msg_flags = (flags & MSG_CMSG_CLOEXEC) | (rflags & (MSG_OOB | MSG_TRUNC));
	put_inq(s, msg);
	return n;
}

/* The time-out is looked at after each message only, as in Linux. */
int call_recvmmsg(struct sock *s, struct mmsghdr *v, unsigned n, int flags, struct timespec *timeout)
{
	xtime end = XTIME_NEVER;
	unsigned i;
	ssize_t r = 0;

	if (timeout) {
		if (!user_can_write(timeout, sizeof(*timeout)))
			return -EFAULT;
		if (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= XTIME_SEC)
			return -EINVAL;
		end = engine_now() + timeout->tv_sec * XTIME_SEC + timeout->tv_nsec;
	}
	for (i = 0; i < n; i++) {
		r = user_can_write(&v[i], sizeof(v[i])) ? call_recvmsg(s, &v[i].msg_hdr, flags & ~MSG_WAITFORONE) : -EFAULT;
		if (r < 0)
			break;
		v[i].msg_len = (unsigned)r;
		flags |= CALL_IS_PART | (flags & MSG_WAITFORONE ? MSG_DONTWAIT : 0);
		if (timeout && engine_now() >= end) {
			i++;
			break;
		}
	}
	if (timeout && i) {
		xtime left = end - engine_now();

		left = left > 0 ? left : 0;
		timeout->tv_sec = left / XTIME_SEC;
		timeout->tv_nsec = left % XTIME_SEC;
	}
	return i ? (int)i : (int)r;
}

