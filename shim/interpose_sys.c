/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * interpose_sys.c - syscall(): libuv closes by it, others do more.
 *
 * The calls that have a wrapper go there when they concern a socket of ours; what takes other structures
 * than libc's call does is converted.  The rest is the kernel's.
 */
#undef _FORTIFY_SOURCE
#include "interpose.h"

#include <linux/sched.h>
#include <linux/time_types.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "confine.h"
#include "eng.h"
#include "init.h"
#include "process.h"
#include "rawcall.h"
#include "real.h"
#include "ring.h"
#include "user.h"

#define INT(i) ((int)a[i])
#define PTR(type, i) ((type *)a[i])
#define SIZE(i) ((size_t)a[i])

/* The kernel's set of 64 signals as libc's; NULL stays NULL. */
static const sigset_t *signals(const void *kernels, sigset_t *set)
{
	if (!kernels)
		return NULL;
	sigemptyset(set);
	memcpy(set, kernels, 8);
	return set;
}

/* The sixth argument of pselect6(). */
struct select_mask {
	const void *set;
	size_t bytes;
};

static long sys_pselect(const long a[6])
{
	const struct select_mask *m = PTR(const struct select_mask, 5);
	sigset_t set;

	return pselect(INT(0), PTR(fd_set, 1), PTR(fd_set, 2), PTR(fd_set, 3), PTR(struct timespec, 4),
		       signals(m ? m->set : NULL, &set));
}

static bool is_there(const void *p, size_t n)
{
	return !p || user_can_read(p, n);
}

/* Times and masks, which libc's calls read themselves: may they?  Without sockets of ours nobody has to. */
static bool may_read(long nr, const long a[6])
{
	const struct select_mask *m = PTR(const struct select_mask, 5);
	const size_t time = sizeof(struct timespec), mask = 8;

	switch (nr) {
	case SYS_ppoll:
		return atomic_load(&eng_current) && is_there(PTR(void, 2), time) && is_there(PTR(void, 3), mask);
#ifdef SYS_select
	case SYS_select:
		return atomic_load(&eng_current) && is_there(PTR(void, 4), sizeof(struct timeval));
#endif
	case SYS_pselect6:
		return atomic_load(&eng_current) && is_there(PTR(void, 4), time) && is_there(m, sizeof(*m)) &&
		       (!m || is_there(m->set, mask));
	case SYS_epoll_pwait:
		return atomic_load(&eng_current) && is_there(PTR(void, 4), mask);
#ifdef SYS_epoll_pwait2
	case SYS_epoll_pwait2:
		return atomic_load(&eng_current) && is_there(PTR(void, 3), time) && is_there(PTR(void, 4), mask);
#endif
	default:
		return true;
	}
}

static long sys_wait(long nr, const long a[6])
{
	sigset_t set;

	if (!may_read(nr, a))
		return raw_call(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	switch (nr) {
#ifdef SYS_poll
	case SYS_poll:
		return poll(PTR(struct pollfd, 0), (nfds_t)a[1], INT(2));
#endif
	case SYS_ppoll:
		return ppoll(PTR(struct pollfd, 0), (nfds_t)a[1], PTR(struct timespec, 2),
			     signals(PTR(void, 3), &set));
#ifdef SYS_select
	case SYS_select:
		return select(INT(0), PTR(fd_set, 1), PTR(fd_set, 2), PTR(fd_set, 3), PTR(struct timeval, 4));
#endif
	case SYS_pselect6:
		return sys_pselect(a);
#ifdef SYS_epoll_create
	case SYS_epoll_create:
		return epoll_create(INT(0));
#endif
	case SYS_epoll_create1:
		return epoll_create1(INT(0));
	case SYS_epoll_ctl:
		return epoll_ctl(INT(0), INT(1), INT(2), PTR(struct epoll_event, 3));
#ifdef SYS_epoll_wait
	case SYS_epoll_wait:
		return epoll_wait(INT(0), PTR(struct epoll_event, 1), INT(2), INT(3));
#endif
	case SYS_epoll_pwait:
		return epoll_pwait(INT(0), PTR(struct epoll_event, 1), INT(2), INT(3),
				   signals(PTR(void, 4), &set));
#ifdef SYS_epoll_pwait2
	case SYS_epoll_pwait2:
		return epoll_pwait2(INT(0), PTR(struct epoll_event, 1), INT(2), PTR(struct timespec, 3),
				    signals(PTR(void, 4), &set));
#endif
	default:
		return raw_call(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	}
}

static long sys_ring(const long a[6])
{
	long fd = raw_call(SYS_io_uring_setup, a[0], a[1], 0, 0, 0, 0);

	if (fd >= 0)
		ring_made((int)fd, PTR(const void, 1));
	return fd;
}

/* Like fork(), with the caller's stack, or not one that we can follow: vfork(), a thread, another stack. */
static bool is_like_fork(long nr, const long a[6], uint64_t *flags)
{
	const struct clone_args *args = PTR(const struct clone_args, 0);

	*flags = 0;
	switch (nr) {
	case SYS_clone:
		*flags = (uint64_t)a[0];
		return !a[1];
#ifdef SYS_clone3
	case SYS_clone3:
		if (!user_can_read(args, CLONE_ARGS_SIZE_VER0))
			return false;
		*flags = args->flags;
		return !args->stack;
#endif
	default:
		return true;
	}
}

static long sys_clone(long nr, const long a[6])
{
	uint64_t flags;
	bool is_ours = is_like_fork(nr, a, &flags) && process_clone_begin(flags);
	long pid;

	if (!is_ours)
		process_lend_memory();
	pid = raw_call(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (is_ours)
		process_clone_end(pid);
	return pid;
}

static long sys_fd(long nr, const long a[6])
{
	switch (nr) {
	case SYS_clone:
#ifdef SYS_clone3
	case SYS_clone3:
#endif
#ifdef SYS_fork
	case SYS_fork:
#endif
		return sys_clone(nr, a);
	case SYS_close:
		return close(INT(0));
	case SYS_close_range:
		return close_range((unsigned)a[0], (unsigned)a[1], INT(2));
	case SYS_unshare:
		return unshare(INT(0));
	case SYS_setns:
		return setns(INT(0), INT(1));
	case SYS_dup:
		return dup(INT(0));
#ifdef SYS_dup2
	case SYS_dup2:
		return dup2(INT(0), INT(1));
#endif
	case SYS_dup3:
		return dup3(INT(0), INT(1), INT(2));
	case SYS_fcntl:
		return fcntl(INT(0), INT(1), a[2]);
	case SYS_ioctl:
		return ioctl(INT(0), (unsigned long)a[1], a[2]);
	case SYS_io_uring_setup:
		return sys_ring(a);
	case SYS_io_uring_enter:
		ring_enters(INT(0), (unsigned)a[1]);
		return raw_call(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	case SYS_execve:
		return execve(PTR(const char, 0), PTR(char *const, 1), PTR(char *const, 2));
	case SYS_execveat:
		return execveat(INT(0), PTR(const char, 1), PTR(char *const, 2), PTR(char *const, 3), INT(4));
	case SYS_prctl:
		return prctl(INT(0), a[1], a[2], a[3], a[4]);
	case SYS_prlimit64:
		return prlimit64((pid_t)a[0], (__rlimit_resource_t)INT(1), PTR(const struct rlimit64, 2), PTR(struct rlimit64, 3));
	case SYS_seccomp:
		confine_before_seccomp((unsigned)a[0], PTR(const void, 2));
		return raw_call(nr, a[0], a[1], a[2], 0, 0, 0);
	case SYS_exit:
		process_thread_leaves(INT(0));
		return raw_call(nr, a[0], 0, 0, 0, 0, 0);
	case SYS_exit_group:
		process_end();
		return raw_call(nr, a[0], 0, 0, 0, 0, 0);
	default:
		return sys_wait(nr, a);
	}
}

static long sys_data(long nr, const long a[6])
{
	switch (nr) {
	case SYS_read:
		return read(INT(0), PTR(void, 1), SIZE(2));
	case SYS_write:
		return write(INT(0), PTR(const void, 1), SIZE(2));
	case SYS_readv:
		return readv(INT(0), PTR(const struct iovec, 1), INT(2));
	case SYS_writev:
		return writev(INT(0), PTR(const struct iovec, 1), INT(2));
	case SYS_preadv2:        /* the offset comes in two halves, the second of which is empty */
		return preadv2(INT(0), PTR(const struct iovec, 1), INT(2), a[3], INT(5));
	case SYS_pwritev2:
		return pwritev2(INT(0), PTR(const struct iovec, 1), INT(2), a[3], INT(5));
	case SYS_sendto:
		return sendto(INT(0), PTR(const void, 1), SIZE(2), INT(3), PTR(const struct sockaddr, 4),
			      (socklen_t)a[5]);
	case SYS_recvfrom:
		return recvfrom(INT(0), PTR(void, 1), SIZE(2), INT(3), PTR(struct sockaddr, 4), PTR(socklen_t, 5));
	case SYS_sendmsg:
		return sendmsg(INT(0), PTR(const struct msghdr, 1), INT(2));
	case SYS_recvmsg:
		return recvmsg(INT(0), PTR(struct msghdr, 1), INT(2));
	case SYS_sendmmsg:
		return sendmmsg(INT(0), PTR(struct mmsghdr, 1), (unsigned)a[2], INT(3));
	case SYS_recvmmsg:
		return recvmmsg(INT(0), PTR(struct mmsghdr, 1), (unsigned)a[2], INT(3), PTR(struct timespec, 4));
	case SYS_sendfile:
		return sendfile(INT(0), INT(1), PTR(off_t, 2), SIZE(3));
	case SYS_splice:
		return splice(INT(0), PTR(off64_t, 1), INT(2), PTR(off64_t, 3), SIZE(4), (unsigned)a[5]);
	default:
		return sys_fd(nr, a);
	}
}

static long sys_sock(long nr, const long a[6])
{
	switch (nr) {
	case SYS_socket:
		return socket(INT(0), INT(1), INT(2));
	case SYS_bind:
		return bind(INT(0), PTR(const struct sockaddr, 1), (socklen_t)a[2]);
	case SYS_connect:
		return connect(INT(0), PTR(const struct sockaddr, 1), (socklen_t)a[2]);
	case SYS_listen:
		return listen(INT(0), INT(1));
	case SYS_accept:
		return accept(INT(0), PTR(struct sockaddr, 1), PTR(socklen_t, 2));
	case SYS_accept4:
		return accept4(INT(0), PTR(struct sockaddr, 1), PTR(socklen_t, 2), INT(3));
	case SYS_shutdown:
		return shutdown(INT(0), INT(1));
	case SYS_getsockname:
		return getsockname(INT(0), PTR(struct sockaddr, 1), PTR(socklen_t, 2));
	case SYS_getpeername:
		return getpeername(INT(0), PTR(struct sockaddr, 1), PTR(socklen_t, 2));
	case SYS_setsockopt:
		return setsockopt(INT(0), INT(1), INT(2), PTR(const void, 3), (socklen_t)a[4]);
	case SYS_getsockopt:
		return getsockopt(INT(0), INT(1), INT(2), PTR(void, 3), PTR(socklen_t, 4));
	default:
		return sys_data(nr, a);
	}
}

EXPORT long syscall(long nr, ...)
{
	long a[6];
	va_list ap;
	int i;

	va_start(ap, nr);
	for (i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (init_is_inside())
		return raw_call(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	return sys_sock(nr, a);
}
