/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * callprobe_file.c - calls that see a file in the socket: fcntl(), ioctl(), stat and the like.
 */
#include "callprobe.h"

#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/fs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <termios.h>
#include <unistd.h>

static char buf[65536];

/* ---- fcntl ---- */

static void flags(enum state st)
{
	int fd = probe_open(st);

	TRY(fcntl(fd, F_GETFD));
	TRY(fcntl(fd, F_SETFD, FD_CLOEXEC));
	TRY(fcntl(fd, F_GETFD));
	TRY(fcntl(fd, F_SETFD, -1));
	TRY(fcntl(fd, F_GETFD));
	TRY(fcntl(fd, F_GETFL));
	TRY(fcntl(fd, F_SETFL, O_NONBLOCK));
	TRY(fcntl(fd, F_GETFL));
	TRY(fcntl(fd, F_SETFL, O_APPEND));
	TRY(fcntl(fd, F_GETFL));
	TRY(fcntl(fd, F_SETFL, O_DIRECT));
	TRY(fcntl(fd, F_SETFL, O_NOATIME));
	TRY(fcntl(fd, F_SETFL, O_RDONLY | O_SYNC | O_TRUNC | O_CREAT));
	TRY(fcntl(fd, F_GETFL));
	TRY(fcntl(fd, F_SETFL, O_NONBLOCK | O_ASYNC));
	TRY(fcntl(fd, F_GETFL));
	TRY(fcntl(fd, F_SETFL, 0));
	TRY(fcntl(fd, F_GETFL));
	TRY(fcntl(fd, F_DUPFD, -1));
	TRY(fcntl(fd, F_DUPFD, 100));
	TRY(fcntl(fd, F_DUPFD, 2000000000));
	TRY(fcntl(fd, F_DUPFD_CLOEXEC, 100));
	TRY(fcntl(101, F_GETFD));
	TRY(fcntl(100, F_GETFD));
	TRY(fcntl(fd, 9999));
	TRY(fcntl(-1, F_GETFL));
	TRY(fcntl(999, F_GETFL));
}

static void owners(enum state st)
{
	struct f_owner_ex ex = { F_OWNER_PID, getpid() }, got = { -1, -1 };
	int fd = probe_open(st);

	TRY(fcntl(fd, F_GETOWN));
	TRY_MORE(fcntl(fd, F_GETOWN_EX, &got), "%d %d", got.type, got.pid);
	TRY(fcntl(fd, F_SETOWN, getpid()));
	TRY_MORE(fcntl(fd, F_GETOWN) == getpid(), " ");
	TRY_MORE(fcntl(fd, F_GETOWN_EX, &got), "%d %d", got.type, got.pid == getpid());
	TRY(fcntl(fd, F_SETOWN, 0));
	TRY(fcntl(fd, F_SETOWN, 0x7fffff00));
	TRY(fcntl(fd, F_SETOWN, (int)0x80000000));
	TRY(fcntl(fd, F_SETOWN_EX, &ex));
	ex.type = F_OWNER_TID;
	TRY(fcntl(fd, F_SETOWN_EX, &ex));
	TRY_MORE(fcntl(fd, F_GETOWN_EX, &got), "%d %d", got.type, got.pid == getpid());
	ex.type = 77;
	TRY(fcntl(fd, F_SETOWN_EX, &ex));
	TRY(fcntl(fd, F_SETOWN_EX, NULL));
	TRY(fcntl(fd, F_GETOWN_EX, NULL));
	TRY(fcntl(fd, F_GETSIG));
	TRY(fcntl(fd, F_SETSIG, SIGRTMIN));
	TRY(fcntl(fd, F_GETSIG));
	TRY(fcntl(fd, F_SETSIG, 100));
	TRY(fcntl(fd, F_SETSIG, 0));
}

static void locks(enum state st)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = probe_open(st);
	uint64_t hint = 1;

	TRY(fcntl(fd, F_SETLK, &l));
	TRY(fcntl(fd, F_GETLK, &l));
	TRY(fcntl(fd, F_OFD_SETLK, &l));
	TRY(fcntl(fd, F_OFD_GETLK, &l));
	l.l_type = F_RDLCK;
	TRY(fcntl(fd, F_SETLKW, &l));
	TRY(fcntl(fd, F_OFD_SETLKW, &l));
	l.l_type = 77;
	TRY(fcntl(fd, F_SETLK, &l));
	TRY(fcntl(fd, F_SETLK, NULL));
	TRY(lockf(fd, F_TLOCK, 0));
	TRY(lockf(fd, F_TEST, 0));
	TRY(lockf(fd, F_ULOCK, 0));
	TRY(flock(fd, LOCK_EX | LOCK_NB));
	TRY(flock(fd, LOCK_UN));
	TRY(fcntl(fd, F_GETLEASE));
	TRY(fcntl(fd, F_SETLEASE, F_RDLCK));
	TRY(fcntl(fd, F_SETLEASE, F_UNLCK));
	TRY(fcntl(fd, F_NOTIFY, DN_MODIFY));
	TRY(fcntl(fd, F_GETPIPE_SZ));
	TRY(fcntl(fd, F_SETPIPE_SZ, 4096));
	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
	TRY(fcntl(fd, F_GET_SEALS));
	TRY(fcntl(fd, F_GET_RW_HINT, &hint));
	TRY(fcntl(fd, F_SET_RW_HINT, &hint));
}

/* ---- ioctl ---- */

static void queues(enum state st)
{
	int fd = probe_open(st), n = -1;
	struct timespec ts;
	pid_t owner = getpid();

	TRY_MORE(ioctl(fd, FIONREAD, &n), "%d", n);
	TRY_MORE(ioctl(fd, SIOCOUTQ, &n), "%d", n);
	TRY_MORE(ioctl(fd, SIOCOUTQNSD, &n), "%d", n);
	TRY_MORE(ioctl(fd, SIOCATMARK, &n), "%d", n);
	TRY(sockatmark(fd));
	TRY(ioctl(fd, FIONREAD, NULL));
	TRY(ioctl(fd, SIOCATMARK, NULL));
	TRY(ioctl(fd, SIOCGSTAMP_OLD, &ts));
	TRY(ioctl(fd, SIOCGSTAMPNS_OLD, &ts));
	TRY(ioctl(fd, SIOCGSTAMP_NEW, &ts));
	TRY(ioctl(fd, SIOCGSTAMPNS_NEW, &ts));
	TRY(ioctl(fd, FIOCLEX));
	TRY(fcntl(fd, F_GETFD));
	TRY(ioctl(fd, FIONCLEX));
	TRY(fcntl(fd, F_GETFD));
	n = 1;
	TRY(ioctl(fd, FIONBIO, &n));
	TRY(fcntl(fd, F_GETFL));
	TRY(ioctl(fd, FIOASYNC, &n));
	TRY(fcntl(fd, F_GETFL));
	n = 0;
	TRY(ioctl(fd, FIOASYNC, &n));
	TRY(ioctl(fd, FIONBIO, &n));
	TRY(fcntl(fd, F_GETFL));
	TRY(ioctl(fd, FIONBIO, NULL));
	TRY(ioctl(fd, FIOASYNC, NULL));
	TRY(ioctl(fd, FIOSETOWN, &owner));
	TRY_MORE(ioctl(fd, FIOGETOWN, &owner), "%d", owner == getpid());
	TRY(ioctl(fd, SIOCSPGRP, &owner));
	TRY_MORE(ioctl(fd, SIOCGPGRP, &owner), "%d", owner == getpid());
	TRY(ioctl(fd, SIOCSPGRP, NULL));
	TRY(ioctl(fd, SIOCGPGRP, NULL));
	TRY(ioctl(fd, 0xdead));
	TRY(ioctl(-1, FIONREAD, &n));
	TRY(ioctl(999, FIONREAD, &n));
}

static void terminals(enum state st)
{
	int fd = probe_open(st), n = 0;
	struct termios t;
	struct winsize w;
	long long bytes;

	TRY(isatty(fd));
	TRY(ioctl(fd, TCGETS, &t));
	TRY(ioctl(fd, TIOCGWINSZ, &w));
	TRY(ioctl(fd, TIOCGPGRP, &n));
	TRY(ioctl(fd, TIOCSCTTY, 0));
	TRY(ioctl(fd, TIOCSTI, "x"));
	TRY(tcgetattr(fd, &t));
	TRY(tcflush(fd, TCIOFLUSH));
	TRY(tcgetpgrp(fd));
	TRY(ttyname(fd) == NULL);
	TRY(ioctl(fd, FIOQSIZE, &bytes));
	TRY(ioctl(fd, FIGETBSZ, &n));
	TRY(ioctl(fd, FIBMAP, &n));
	TRY(isfdtype(fd, S_IFSOCK));
	TRY(isfdtype(fd, S_IFREG));
	TRY(isfdtype(-1, S_IFREG));
}

static void ask(int fd, const char *what, unsigned long cmd, const char *name)
{
	struct ifreq r = { .ifr_flags = 0 };
	char more[64] = "";
	int i, ret;

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	errno = 0;
	ret = ioctl(fd, cmd, &r);
	for (i = 0; i < 16 && ret == 0 && cmd != SIOCGIFHWADDR; i++)
		snprintf(more + 2 * i, 3, "%02x", ((unsigned char *)&r)[16 + i]);
	probe_result(what, ret, "%s", more);
}

static void interfaces(enum state st)
{
	static const char *const names[] = { "lo", "none9", "" };
	int fd = probe_open(st);
	struct ifconf c = { .ifc_len = sizeof(buf), .ifc_buf = buf };
	size_t i;

	TRY_MORE(ioctl(fd, SIOCGIFCONF, &c), "%d", c.ifc_len);
	c.ifc_buf = NULL;
	TRY_MORE(ioctl(fd, SIOCGIFCONF, &c), "%d", c.ifc_len);
	TRY(ioctl(fd, SIOCGIFCONF, NULL));
	for (i = 0; i < 3; i++) {
		ask(fd, "SIOCGIFINDEX", SIOCGIFINDEX, names[i]);
		ask(fd, "SIOCGIFFLAGS", SIOCGIFFLAGS, names[i]);
		ask(fd, "SIOCGIFADDR", SIOCGIFADDR, names[i]);
		ask(fd, "SIOCGIFNETMASK", SIOCGIFNETMASK, names[i]);
		ask(fd, "SIOCGIFBRDADDR", SIOCGIFBRDADDR, names[i]);
		ask(fd, "SIOCGIFMTU", SIOCGIFMTU, names[i]);
		ask(fd, "SIOCGIFMETRIC", SIOCGIFMETRIC, names[i]);
		ask(fd, "SIOCGIFHWADDR", SIOCGIFHWADDR, names[i]);
		ask(fd, "SIOCGIFTXQLEN", SIOCGIFTXQLEN, names[i]);
		ask(fd, "SIOCGIFMAP", SIOCGIFMAP, names[i]);
		ask(fd, "SIOCGARP", SIOCGARP, names[i]);
		ask(fd, "SIOCETHTOOL", SIOCETHTOOL, names[i]);
		ask(fd, "SIOCPROTOPRIVATE", SIOCPROTOPRIVATE, names[i]);
		ask(fd, "SIOCDEVPRIVATE", SIOCDEVPRIVATE, names[i]);
		ask(fd, "SIOCGMIIPHY", SIOCGMIIPHY, names[i]);
		ask(fd, "SIOCGHWTSTAMP", SIOCGHWTSTAMP, names[i]);
	}
	TRY(if_nametoindex("lo"));
	TRY(ioctl(fd, SIOCGIFNAME, NULL));
	TRY(ioctl(fd, SIOCGIFADDR, NULL));
}

/* ---- the file ---- */

static void file(enum state st)
{
	int fd = probe_open(st), p[2];
	struct stat s;
	struct statx x;
	struct statfs f;
	struct statvfs v;
	loff_t off = 0;

	memset(&s, 0, sizeof(s));
	TRY_MORE(fstat(fd, &s), "%o %d %d %d", s.st_mode, (int)s.st_nlink, (int)s.st_size, (int)s.st_blksize);
	TRY_MORE(fstatat(fd, "", &s, AT_EMPTY_PATH), "%o", s.st_mode);
	TRY_MORE(statx(fd, "", AT_EMPTY_PATH, STATX_ALL, &x), "%o", x.stx_mode);
	TRY_MORE(fstatfs(fd, &f), "%lx", (long)f.f_type);
	TRY_MORE(fstatvfs(fd, &v), "%ld", (long)v.f_bsize);
	TRY(lseek(fd, 0, SEEK_CUR));
	TRY(lseek(fd, 0, 99));
	TRY(lseek64(fd, 0, SEEK_END));
	TRY(pread(fd, buf, 1, 0));
	TRY(pwrite(fd, buf, 1, 0));
	TRY(pread(fd, buf, 1, -1));
	TRY(pwrite(fd, buf, 1, -1));
	TRY(preadv(fd, &(struct iovec){ buf, 1 }, 1, 0));
	TRY(pwritev(fd, &(struct iovec){ buf, 1 }, 1, 0));
	TRY(preadv2(fd, &(struct iovec){ buf, 1 }, 1, 0, 0));
	TRY(pwritev2(fd, &(struct iovec){ buf, 1 }, 1, 0, 0));
	TRY(preadv(fd, &(struct iovec){ buf, 1 }, 1, -1));
	TRY(preadv2(fd, &(struct iovec){ buf, 1 }, 1, -2, 0));
	TRY(ftruncate(fd, 0));
	TRY(fallocate(fd, 0, 0, 10));
	TRY(posix_fallocate(fd, 0, 10));
	TRY(fsync(fd));
	TRY(fdatasync(fd));
	TRY(syncfs(fd));
	TRY(sync_file_range(fd, 0, 1, SYNC_FILE_RANGE_WRITE));
	TRY(readahead(fd, 0, 10));
	TRY(posix_fadvise(fd, 0, 10, POSIX_FADV_SEQUENTIAL));
	TRY(fchmod(fd, 0600));
	TRY_MORE(fstat(fd, &s), "%o", s.st_mode & 07777);
	TRY(fchown(fd, 0, 0));
	TRY(futimens(fd, NULL));
	TRY(fchdir(fd));
	TRY(openat(fd, "x", O_RDONLY));
	TRY(getdents64(fd, buf, sizeof(buf)));
	TRY(fgetxattr(fd, "user.x", buf, 10));
	TRY(fsetxattr(fd, "user.x", buf, 10, 0));
	TRY(flistxattr(fd, NULL, 0) >= 0);
	TRY(pathconf("/proc/self/fd/0", _PC_NAME_MAX) > 0);
	TRY(fpathconf(fd, _PC_PIPE_BUF));
	if (pipe(p) < 0)
		exit(1);
	TRY(copy_file_range(fd, NULL, p[1], NULL, 10, 0));
	TRY(copy_file_range(p[0], NULL, fd, NULL, 10, 0));
	TRY(sendfile(p[1], fd, &off, 10));
	if (st == READABLE || st < CONNECTED)
		TRY(sendfile(p[1], fd, NULL, 10));
	TRY(sendfile(open("/dev/null", O_WRONLY), fd, NULL, 10));
	TRY(sendfile(-1, fd, NULL, 10));
	TRY(sendfile(fd, p[0], NULL, 10));
	TRY(sendfile(fd, fd, NULL, 10));
	TRY(sendfile(fd, p[0], &off, 10));
	TRY(sendfile(fd, -1, NULL, 10));
	TRY(vmsplice(fd, &(struct iovec){ buf, 1 }, 1, 0));
	TRY(tee(fd, p[1], 10, 0));
}

static void links(enum state st)
{
	int fd = probe_open(st);
	char path[64], text[64] = "";
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, text, sizeof(text) - 1);
	probe_result("readlink", n > 0, "%.8s", text);
	TRY(open(path, O_RDONLY));
	TRY(access(path, F_OK));
}

static void watching(enum state st)
{
	int fd = probe_open(st), ep = epoll_create1(0);
	struct epoll_event ev = { .events = EPOLLIN }, got;

	TRY(epoll_ctl(ep, EPOLL_CTL_MOD, fd, &ev));
	TRY(epoll_ctl(ep, EPOLL_CTL_DEL, fd, &ev));
	TRY(epoll_ctl(ep, 77, fd, &ev));
	TRY(epoll_ctl(ep, EPOLL_CTL_ADD, fd, NULL));
	TRY(epoll_ctl(fd, EPOLL_CTL_ADD, ep, &ev));
	TRY(epoll_ctl(-1, EPOLL_CTL_ADD, fd, &ev));
	TRY(epoll_ctl(0, EPOLL_CTL_ADD, fd, &ev));
	TRY(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
	TRY(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
	TRY(epoll_ctl(ep, EPOLL_CTL_MOD, fd, NULL));
	TRY(epoll_ctl(ep, EPOLL_CTL_MOD, fd, &ev));
	TRY(epoll_wait(ep, &got, 1, 0));
	TRY(epoll_wait(ep, &got, 0, 0));
	TRY(epoll_wait(ep, &got, -1, 0));
	TRY(epoll_wait(ep, NULL, 1, 0));
	TRY(epoll_wait(fd, &got, 1, 0));
	TRY(epoll_wait(-1, &got, 1, 0));
	TRY(epoll_pwait2(ep, &got, 1, &(struct timespec){ -1, 0 }, NULL));
	TRY(epoll_pwait2(ep, &got, 1, &(struct timespec){ 0, 2000000000 }, NULL));
	TRY(epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL));
	TRY(epoll_wait(ep, &got, 1, 0));
	ev.events = EPOLLIN | EPOLLEXCLUSIVE;
	TRY(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
	TRY(epoll_ctl(ep, EPOLL_CTL_MOD, fd, &ev));
	TRY(epoll_ctl(ep, EPOLL_CTL_DEL, fd, &ev));
	ev.events = EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT;
	TRY(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
	ev.events = EPOLLIN | EPOLLWAKEUP | EPOLLET;
	TRY(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
}

static void polling(enum state st)
{
	int fd = probe_open(st);
	struct pollfd p[3] = { { .fd = fd, .events = -1 }, { .fd = -1 }, { .fd = 999, .events = POLLIN } };
	fd_set in;

	TRY_MORE(poll(p, 1, 0), "%x", p[0].revents);
	TRY_MORE(poll(p, 3, 0), "%x %x %x", p[0].revents, p[1].revents, p[2].revents);
	p[0].events = 0;
	TRY_MORE(poll(p, 1, 0), "%x", p[0].revents);
	TRY(ppoll(p, 1, &(struct timespec){ -1, 0 }, NULL));
	TRY(ppoll(p, 1, &(struct timespec){ 0, 1000000000 }, NULL));
	FD_ZERO(&in);
	FD_SET(fd, &in);
	TRY(select(-1, &in, NULL, NULL, NULL));
	TRY(select(fd + 1, NULL, NULL, NULL, &(struct timeval){ 0, 0 }));
	TRY(select(fd + 1, &in, NULL, NULL, &(struct timeval){ -1, 0 }));
	TRY(select(fd + 1, &in, NULL, NULL, &(struct timeval){ 0, -1 }));
	TRY(pselect(fd + 1, &in, NULL, NULL, &(struct timespec){ 0, -1 }, NULL));
	TRY_MORE(select(fd + 1, &in, NULL, NULL, &(struct timeval){ 0, 0 }), "%d", FD_ISSET(fd, &in));
	FD_SET(fd, &in);
	FD_SET(900, &in);
	dup2(0, 950);            /* the kernel looks no further than the table of files goes */
	TRY(select(901, &in, NULL, NULL, &(struct timeval){ 0, 0 }));
}

/* From AF_INET6 to AF_INET: an established connection of mapped addresses alone. */
static void form(enum state st)
{
	int fd = probe_open(st), family = AF_INET6, v = -1;
	struct sockaddr_storage a = { 0 };
	socklen_t len = sizeof(a), one = sizeof(v);

	TRY(setsockopt(fd, IPPROTO_IPV6, IPV6_ADDRFORM, &family, sizeof(family)));
	family = AF_INET;
	TRY(setsockopt(fd, IPPROTO_IPV6, IPV6_ADDRFORM, &family, 2));
	TRY(setsockopt(fd, IPPROTO_IPV6, IPV6_ADDRFORM, &family, sizeof(family)));
	TRY_MORE(getsockname(fd, (struct sockaddr *)&a, &len), "%d %u", a.ss_family, len);
	TRY_MORE(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &v, &one), "%d", v);
	TRY(setsockopt(fd, IPPROTO_IPV6, IPV6_ADDRFORM, &family, sizeof(family)));
	TRY(write(fd, "x", 1) == 1 || st != CONNECTED);
	close(fd);
}

const struct probe_case probe_file_cases[] = {
	{ "form", form, ALL_STATES },
	{ "flags", flags, ALL_STATES },
	{ "owners", owners, ALL_STATES },
	{ "locks", locks, ALL_STATES },
	{ "queues", queues, ALL_STATES },
	{ "terminals", terminals, ALL_STATES },
	{ "interfaces", interfaces, 1u << FRESH | 1u << CONNECTED },
	{ "file", file, ALL_STATES },
	{ "links", links, ALL_STATES },
	{ "watching", watching, ALL_STATES },
	{ "polling", polling, ALL_STATES },
	{ NULL, NULL, 0 },
};
