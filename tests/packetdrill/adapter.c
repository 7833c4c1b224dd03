/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * adapter.c - lets packetdrill test xtcp: the module that its --so_filename loads.
 *
 *   packetdrill --calls--> adapter --> libxtcp.so (preloaded) --> tun0
 *        <--frames--       adapter <-- packet socket on tun0
 *        ---frames-->      adapter --> the tun device of tun0
 *
 * It is loaded with RTLD_DEEPBIND, so that its own calls are libc's and its packet socket
 * is the kernel's, whatever is preloaded; the program's calls are looked up in the global
 * scope, where libxtcp.so comes first.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#define INTERFACE "tun0"      /* tests/packetdrill/run makes it */
#define RCVBUF (4 << 20)
#define GRACE_USEC 300
#define PATIENCE_SEC 15

/* What packetdrill has a module fill in; the order is its own. */
struct calls {
	void *user;
	void (*free)(void *);
	int (*socket)(void *, int, int, int);
	int (*bind)(void *, int, const struct sockaddr *, socklen_t);
	int (*listen)(void *, int, int);
	int (*accept)(void *, int, struct sockaddr *, socklen_t *);
	int (*connect)(void *, int, const struct sockaddr *, socklen_t);
	ssize_t (*read)(void *, int, void *, size_t);
	ssize_t (*readv)(void *, int, const struct iovec *, int);
	ssize_t (*recv)(void *, int, void *, size_t, int);
	ssize_t (*recvfrom)(void *, int, void *, size_t, int, struct sockaddr *, socklen_t *);
	ssize_t (*recvmsg)(void *, int, struct msghdr *, int);
	ssize_t (*write)(void *, int, const void *, size_t);
	ssize_t (*writev)(void *, int, const struct iovec *, int);
	ssize_t (*send)(void *, int, const void *, size_t, int);
	ssize_t (*sendto)(void *, int, const void *, size_t, int, const struct sockaddr *, socklen_t);
	ssize_t (*sendmsg)(void *, int, const struct msghdr *, int);
	int (*fcntl)(void *, int, int, ...);
	int (*ioctl)(void *, int, unsigned long, ...);
	int (*close)(void *, int);
	int (*shutdown)(void *, int, int);
	int (*getsockopt)(void *, int, int, int, void *, socklen_t *);
	int (*setsockopt)(void *, int, int, int, const void *, socklen_t);
	int (*poll)(void *, struct pollfd *, nfds_t, int);
	int (*frame_send)(void *, const void *, size_t);
	int (*frame_receive)(void *, void *, size_t *, long long *);
	int (*usleep)(void *, useconds_t);
	int (*gettimeofday)(void *, struct timeval *, struct timezone *);
	int (*epoll_create)(void *, int);
	int (*epoll_ctl)(void *, int, int, int, struct epoll_event *);
	int (*epoll_wait)(void *, int, struct epoll_event *, int, int);
	int (*pipe)(void *, int[2]);
	ssize_t (*splice)(void *, int, loff_t *, int, loff_t *, size_t, unsigned);
};

static int tun = -1, tap = -1;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "adapter: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- the program's calls ---- */

static void *global(const char *name)
{
	static void *program;
	void *f;

	/* Not RTLD_DEFAULT, which starts with the caller's own scope. */
	if (!program)
		program = dlopen(NULL, RTLD_NOW);
	f = dlsym(program, name);
	if (!f)
		die(name);
	return f;
}

#define FORWARD(ret, name, params, args)                                 \
	static ret x_##name params                                       \
	{                                                                \
		static __typeof__(name) *real;                           \
		(void)user;                                              \
		if (!real)                                               \
			real = (__typeof__(real))global(#name);          \
		return real args;                                        \
	}

FORWARD(int, socket, (void *user, int domain, int type, int protocol), (domain, type, protocol))
FORWARD(int, bind, (void *user, int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
FORWARD(int, listen, (void *user, int fd, int n), (fd, n))
FORWARD(int, accept, (void *user, int fd, struct sockaddr *a, socklen_t *n), (fd, a, n))
FORWARD(int, connect, (void *user, int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
FORWARD(ssize_t, read, (void *user, int fd, void *b, size_t n), (fd, b, n))
FORWARD(ssize_t, readv, (void *user, int fd, const struct iovec *v, int n), (fd, v, n))
FORWARD(ssize_t, recv, (void *user, int fd, void *b, size_t n, int f), (fd, b, n, f))
FORWARD(ssize_t, recvfrom, (void *user, int fd, void *b, size_t n, int f, struct sockaddr *a, socklen_t *l),
	(fd, b, n, f, a, l))
FORWARD(ssize_t, recvmsg, (void *user, int fd, struct msghdr *m, int f), (fd, m, f))
FORWARD(ssize_t, write, (void *user, int fd, const void *b, size_t n), (fd, b, n))
FORWARD(ssize_t, writev, (void *user, int fd, const struct iovec *v, int n), (fd, v, n))
FORWARD(ssize_t, send, (void *user, int fd, const void *b, size_t n, int f), (fd, b, n, f))
FORWARD(ssize_t, sendto,
	(void *user, int fd, const void *b, size_t n, int f, const struct sockaddr *a, socklen_t l),
	(fd, b, n, f, a, l))
FORWARD(ssize_t, sendmsg, (void *user, int fd, const struct msghdr *m, int f), (fd, m, f))
FORWARD(int, close, (void *user, int fd), (fd))
FORWARD(int, shutdown, (void *user, int fd, int how), (fd, how))
FORWARD(int, getsockopt, (void *user, int fd, int l, int o, void *v, socklen_t *n), (fd, l, o, v, n))
FORWARD(int, setsockopt, (void *user, int fd, int l, int o, const void *v, socklen_t n), (fd, l, o, v, n))
FORWARD(int, poll, (void *user, struct pollfd *p, nfds_t n, int t), (p, n, t))
FORWARD(int, epoll_create, (void *user, int n), (n))
FORWARD(int, epoll_ctl, (void *user, int ep, int op, int fd, struct epoll_event *e), (ep, op, fd, e))
FORWARD(int, epoll_wait, (void *user, int ep, struct epoll_event *e, int n, int t), (ep, e, n, t))
FORWARD(int, pipe, (void *user, int p[2]), (p))
/* packetdrill hands a module where the script's offset lies: a 0 there is the script's NULL. */
FORWARD(ssize_t, splice, (void *user, int in, loff_t *io, int out, loff_t *oo, size_t n, unsigned f),
	(in, *io ? io : NULL, out, *oo ? oo : NULL, n, f))

static int x_fcntl(void *user, int fd, int cmd, ...)
{
	static __typeof__(fcntl) *real;
	va_list ap;
	long arg;

	(void)user;
	if (!real)
		real = (__typeof__(real))global("fcntl");
	va_start(ap, cmd);
	arg = va_arg(ap, long);
	va_end(ap);
	return real(fd, cmd, arg);
}

static int x_ioctl(void *user, int fd, unsigned long request, ...)
{
	static __typeof__(ioctl) *real;
	va_list ap;
	void *arg;

	(void)user;
	if (!real)
		real = (__typeof__(real))global("ioctl");
	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	return real(fd, request, arg);
}

/* ---- frames ---- */

static void open_tun(void)
{
	struct ifreq ifr;

	memset(&ifr, 0, sizeof(ifr));
	ifr.ifr_flags = IFF_TUN | IFF_NO_PI;
	strcpy(ifr.ifr_name, INTERFACE);
	tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (tun < 0 || ioctl(tun, TUNSETIFF, &ifr))
		die("/dev/net/tun");
}

static void open_tap(void)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int on = 1, bytes = RCVBUF;
	struct timeval patience = { .tv_sec = PATIENCE_SEC };

	tap = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	ll.sll_ifindex = (int)if_nametoindex(INTERFACE);
	if (tap < 0 || !ll.sll_ifindex || bind(tap, (struct sockaddr *)&ll, sizeof(ll)))
		die("the packet socket on " INTERFACE);
	setsockopt(tap, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(tap, SOL_SOCKET, SO_TIMESTAMP, &on, sizeof(on));
	setsockopt(tap, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
}

/* The kernel has dealt with a packet when the write returns; xtcp's thread must first wake up. */
static int x_frame_send(void *user, const void *packet, size_t len)
{
	(void)user;
	if (write(tun, packet, len) < 0)
		return -1;
	usleep(GRACE_USEC);
	return 0;
}

static long long stamp_of(struct msghdr *m)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	struct timeval tv;

	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMP)
		memcpy(&tv, CMSG_DATA(c), sizeof(tv));
	else
		gettimeofday(&tv, NULL);
	return (long long)tv.tv_sec * 1000000 + tv.tv_usec;
}

static int x_frame_receive(void *user, void *packet, size_t *len, long long *usec)
{
	struct sockaddr_ll from;
	struct iovec v = { packet, *len };
	char control[CMSG_SPACE(sizeof(struct timeval))];
	struct msghdr m = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &v, .msg_iovlen = 1,
			    .msg_control = control, .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(tap, &m, 0);

	(void)user;
	*len = 0;
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
		fprintf(stderr, "error: no packet came for %d s\n", PATIENCE_SEC);
		exit(1);
	}
	if (n <= 0 || from.sll_pkttype != PACKET_OUTGOING)
		return -1;
	*len = (size_t)n;
	*usec = stamp_of(&m);
	return 0;
}

/* ---- time ---- */

static int x_usleep(void *user, useconds_t usec)
{
	(void)user;
	return usleep(usec);
}

static int x_gettimeofday(void *user, struct timeval *tv, struct timezone *tz)
{
	(void)user;
	return gettimeofday(tv, tz);
}

/* The script's verdict stands: xtcp need not deliver what is left to a peer that is gone. */
static void leave(int status, void *arg)
{
	(void)arg;
	fflush(NULL);
	_exit(status);
}

static void x_free(void *user)
{
	(void)user;
	close(tap);
	close(tun);
}

__attribute__((visibility("default"))) void packetdrill_interface_init(const char *flags, struct calls *c);

void packetdrill_interface_init(const char *flags, struct calls *c)
{
	(void)flags;
	/* What the script runs are the kernel's programs. */
	unsetenv("LD_PRELOAD");
	on_exit(leave, NULL);
	open_tun();
	open_tap();
	*c = (struct calls){
		NULL, x_free, x_socket, x_bind, x_listen, x_accept, x_connect, x_read, x_readv, x_recv,
		x_recvfrom, x_recvmsg, x_write, x_writev, x_send, x_sendto, x_sendmsg, x_fcntl, x_ioctl,
		x_close, x_shutdown, x_getsockopt, x_setsockopt, x_poll, x_frame_send, x_frame_receive,
		x_usleep, x_gettimeofday, x_epoll_create, x_epoll_ctl, x_epoll_wait, x_pipe, x_splice,
	};
}
