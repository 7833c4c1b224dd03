/* SPDX-License-Identifier: BSD-2-Clause */
/* symbols.c - the constants that a script may name. */
#include "conform/run.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Newer than some libc's headers. */
#ifndef TCP_INQ
#define TCP_INQ 36
#endif
#ifndef TCP_RTO_MAX_MS
#define TCP_RTO_MAX_MS 44
#define TCP_RTO_MIN_US 45
#define TCP_DELACK_MAX_US 46
#endif
#define TCP_CA_OPEN_NAMES                                                                              \
	{ "TCP_CA_Open", 0 }, { "TCP_CA_Disorder", 1 }, { "TCP_CA_CWR", 2 }, { "TCP_CA_Recovery", 3 }, \
	{ "TCP_CA_Loss", 4 }

#define S(name) { #name, name }

static const struct { const char *name; int64_t value; } symbols[] = {
	/* socket() */
	S(AF_INET), S(AF_INET6), S(AF_UNSPEC), S(AF_UNIX), S(SOCK_STREAM), S(SOCK_DGRAM), S(SOCK_NONBLOCK),
	S(SOCK_CLOEXEC), S(IPPROTO_TCP), S(IPPROTO_IP), S(IPPROTO_UDP), S(SHUT_RD), S(SHUT_WR),
	S(SHUT_RDWR),
	/* flags */
	S(MSG_OOB), S(MSG_PEEK), S(MSG_DONTROUTE), S(MSG_TRUNC), S(MSG_CTRUNC), S(MSG_DONTWAIT), S(MSG_EOR),
	S(MSG_WAITALL), S(MSG_FIN), S(MSG_SYN), S(MSG_RST), S(MSG_ERRQUEUE), S(MSG_NOSIGNAL), S(MSG_MORE),
	S(MSG_WAITFORONE), S(MSG_FASTOPEN), S(MSG_ZEROCOPY), S(MSG_CMSG_CLOEXEC), S(SPLICE_F_MOVE),
	S(SPLICE_F_NONBLOCK), S(SPLICE_F_MORE),
	/* files */
	S(O_RDONLY), S(O_WRONLY), S(O_RDWR), S(O_NONBLOCK), S(O_NDELAY), S(O_ASYNC), S(O_CREAT), S(O_APPEND),
	S(F_GETFL), S(F_SETFL), S(F_GETFD), S(F_SETFD), S(F_SETOWN), S(F_GETOWN), S(FD_CLOEXEC),
	/* readiness */
	S(POLLIN), S(POLLPRI), S(POLLOUT), S(POLLERR), S(POLLHUP), S(POLLNVAL), S(POLLRDNORM), S(POLLRDBAND),
	S(POLLWRNORM), S(POLLWRBAND), S(POLLRDHUP), S(POLLMSG), S(EPOLLIN), S(EPOLLPRI), S(EPOLLOUT), S(EPOLLERR),
	S(EPOLLHUP), S(EPOLLRDHUP), S(EPOLLRDNORM), S(EPOLLWRNORM), S(EPOLLET), S(EPOLLONESHOT), S(EPOLL_CTL_ADD),
	S(EPOLL_CTL_MOD), S(EPOLL_CTL_DEL),
	/* ioctl() */
	S(FIONREAD), S(FIONBIO), S(FIOASYNC), S(SIOCINQ), S(SIOCOUTQ), S(SIOCOUTQNSD), S(SIOCATMARK), S(TIOCOUTQ),
	/* options of sockets */
	S(SOL_SOCKET), S(SOL_TCP), S(SOL_IP), S(SO_DEBUG), S(SO_REUSEADDR), S(SO_TYPE), S(SO_ERROR),
	S(SO_DONTROUTE), S(SO_BROADCAST), S(SO_SNDBUF), S(SO_RCVBUF), S(SO_SNDBUFFORCE), S(SO_RCVBUFFORCE),
	S(SO_KEEPALIVE), S(SO_OOBINLINE), S(SO_PRIORITY), S(SO_LINGER), S(SO_REUSEPORT), S(SO_RCVLOWAT),
	S(SO_SNDLOWAT), S(SO_RCVTIMEO), S(SO_SNDTIMEO), S(SO_BINDTODEVICE), S(SO_ACCEPTCONN), S(SO_PROTOCOL),
	S(SO_DOMAIN), S(SO_MARK), S(SO_BUSY_POLL), S(SO_MAX_PACING_RATE), S(SO_INCOMING_CPU), S(SO_MEMINFO),
	S(SO_ZEROCOPY), S(SO_TIMESTAMP), S(SO_TIMESTAMPING), S(SO_PEEK_OFF),
	/* of IP */
	S(IP_TOS), S(IP_TTL), S(IP_MTU), S(IP_MTU_DISCOVER), S(IP_RECVERR), S(IP_PMTUDISC_DONT), S(IP_PMTUDISC_WANT),
	S(IP_PMTUDISC_DO), S(IP_PMTUDISC_PROBE), S(IP_OPTIONS), S(IP_FREEBIND), S(IP_TRANSPARENT), S(IP_MINTTL),
	S(IP_BIND_ADDRESS_NO_PORT),
	/* of TCP */
	S(TCP_NODELAY), S(TCP_MAXSEG), S(TCP_CORK), S(TCP_KEEPIDLE), S(TCP_KEEPINTVL), S(TCP_KEEPCNT), S(TCP_SYNCNT),
	S(TCP_LINGER2), S(TCP_DEFER_ACCEPT), S(TCP_WINDOW_CLAMP), S(TCP_INFO), S(TCP_QUICKACK), S(TCP_CONGESTION),
	S(TCP_MD5SIG), S(TCP_THIN_LINEAR_TIMEOUTS), S(TCP_THIN_DUPACK), S(TCP_USER_TIMEOUT), S(TCP_FASTOPEN),
	S(TCP_TIMESTAMP), S(TCP_NOTSENT_LOWAT), S(TCP_CC_INFO), S(TCP_SAVE_SYN), S(TCP_SAVED_SYN), S(TCP_REPAIR),
	S(TCP_FASTOPEN_CONNECT), S(TCP_FASTOPEN_KEY), S(TCP_FASTOPEN_NO_COOKIE), S(TCP_ULP), S(TCP_INQ),
	S(TCP_TX_DELAY), S(TCP_RTO_MAX_MS), S(TCP_RTO_MIN_US), S(TCP_DELACK_MAX_US),
	/* TCP_INFO */
	S(TCP_ESTABLISHED), S(TCP_SYN_SENT), S(TCP_SYN_RECV), S(TCP_FIN_WAIT1), S(TCP_FIN_WAIT2), S(TCP_TIME_WAIT),
	S(TCP_CLOSE), S(TCP_CLOSE_WAIT), S(TCP_LAST_ACK), S(TCP_LISTEN), S(TCP_CLOSING), TCP_CA_OPEN_NAMES,
	{ "TCPI_OPT_TIMESTAMPS", 1 }, { "TCPI_OPT_SACK", 2 }, { "TCPI_OPT_WSCALE", 4 }, { "TCPI_OPT_ECN", 8 },
	{ "TCPI_OPT_ECN_SEEN", 16 }, { "TCPI_OPT_SYN_DATA", 32 }, { "TCPI_OPT_USEC_TS", 64 },
	{ "TCPI_OPT_TFO_CHILD", 128 }, { "NULL", 0 },
};

static const struct { const char *name; int value; } errnos[] = {
	S(EPERM), S(ENOENT), S(EINTR), S(EIO), S(EBADF), S(EAGAIN), S(EWOULDBLOCK), S(ENOMEM), S(EACCES), S(EFAULT),
	S(EBUSY), S(EEXIST), S(EINVAL), S(EMFILE), S(ENOTTY), S(ESPIPE), S(EPIPE), S(EDOM), S(ENOTSOCK),
	S(EDESTADDRREQ), S(EMSGSIZE), S(EPROTOTYPE), S(ENOPROTOOPT), S(EPROTONOSUPPORT), S(EOPNOTSUPP), S(ENOTSUP),
	S(EPFNOSUPPORT), S(EAFNOSUPPORT), S(EADDRINUSE), S(EADDRNOTAVAIL), S(ENETDOWN), S(ENETUNREACH), S(ENETRESET),
	S(ECONNABORTED), S(ECONNRESET), S(ENOBUFS), S(EISCONN), S(ENOTCONN), S(ESHUTDOWN), S(ETIMEDOUT),
	S(ECONNREFUSED), S(EHOSTDOWN), S(EHOSTUNREACH), S(EALREADY), S(EINPROGRESS), S(EPROTO), S(ENONET), S(ENODEV),
};

bool symbol_find(const char *name, int64_t *v)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(symbols); i++) {
		if (!strcmp(symbols[i].name, name)) {
			*v = symbols[i].value;
			return true;
		}
	}
	for (i = 0; i < ARRAY_LEN(errnos); i++) {
		if (!strcmp(errnos[i].name, name)) {
			*v = errnos[i].value;
			return true;
		}
	}
	return false;
}

const char *symbol_errno(int err)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(errnos); i++)
		if (errnos[i].value == err)
			return errnos[i].name;
	return NULL;
}
