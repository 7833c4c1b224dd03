/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * confined.c - a worker that confines itself by seccomp, for confined.sh: it has a connection, then allows itself the calls
 * that it makes over the kernel and no other, works on, and ends.
 *
 *     confined HOW ADDRESS PORT END
 *
 * HOW: prctl, seccomp (by syscall()), strict (read, write and exit alone), server (it accepts; prints when it listens), lax (all
 * calls but one).
 * END: exit, _exit, wait (to be ended by a signal), full (by exit(), with more written than the peer has room for).
 * What it does is printed by write(); the peer echoes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ALLOW(nr) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##nr, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static struct sock_filter code[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	ALLOW(read), ALLOW(write), ALLOW(sendto), ALLOW(recvfrom), ALLOW(ppoll), ALLOW(epoll_pwait), ALLOW(futex),
#ifdef SYS_poll
	ALLOW(poll), ALLOW(epoll_wait),
#endif
	ALLOW(close), ALLOW(shutdown), ALLOW(exit), ALLOW(exit_group), ALLOW(rt_sigreturn), ALLOW(restart_syscall),
	ALLOW(brk), ALLOW(munmap),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
};
static const struct sock_fprog filter = { sizeof(code) / sizeof(code[0]), code };
static struct sock_filter lax_code[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	BPF_STMT(BPF_MISC | BPF_TAX, 0),
	BPF_STMT(BPF_ST, 3),
	BPF_STMT(BPF_LD | BPF_MEM, 3),
	BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 1),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ptrace + 1, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};
static const struct sock_fprog lax = { sizeof(lax_code) / sizeof(lax_code[0]), lax_code };

static void say(const char *what, long r)
{
	char line[80];
	int n = snprintf(line, sizeof(line), "%s %ld %s\n", what, r < 0 ? -1L : r, r < 0 ? strerror(errno) : "");

	if (write(1, line, (size_t)n) < 0)
		_exit(1);
}

static int get_connection(const char *how, const struct sockaddr_in *a)
{
	int s = socket(AF_INET, SOCK_STREAM, 0), on = 1, c;

	if (strcmp(how, "server")) {
		say("connect", connect(s, (const struct sockaddr *)a, sizeof(*a)));
		return s;
	}
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	say("bind", bind(s, (const struct sockaddr *)a, sizeof(*a)));
	say("listen", listen(s, 5));
	c = accept(s, NULL, NULL);
	say("accept", c < 0 ? c : 0);
	return c;
}

static void confine(const char *how)
{
	if (!strcmp(how, "strict")) {
		say("strict", prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
		return;
	}
	say("no new privileges", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	say("filter", strcmp(how, "seccomp") ? prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, strcmp(how, "lax") ? &filter : &lax) :
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter));
}

static void echo(int s, const char *text, int ep)
{
	struct pollfd p = { .fd = s, .events = POLLIN };
	struct epoll_event ev;
	char buf[100] = "";

	say("write", write(s, text, strlen(text)));
	if (ep >= 0) {
		say("poll", poll(&p, 1, 5000));
		say("epoll", epoll_wait(ep, &ev, 1, 5000));
	}
	say("read", read(s, buf, sizeof(buf)));
	say(buf, 0);
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	struct epoll_event ev = { .events = EPOLLIN };
	static char much[200000];
	int s, ep, is_strict;

	if (argc != 5)
		return 2;
	is_strict = !strcmp(argv[1], "strict");
	inet_pton(AF_INET, argv[2], &a.sin_addr);
	a.sin_port = htons((unsigned short)atoi(argv[3]));
	s = get_connection(argv[1], &a);
	ep = epoll_create1(0);
	epoll_ctl(ep, EPOLL_CTL_ADD, s, &ev);
	echo(s, "before", ep);
	confine(argv[1]);
	echo(s, "after", is_strict ? -1 : ep);
	if (!is_strict) {
		say("send", send(s, "more", 4, 0));
		say("recv", recv(s, much, 4, MSG_WAITALL));
	}
	if (!strcmp(argv[4], "full"))
		say("much", write(s, much, sizeof(much)));
	if (!strcmp(argv[4], "wait"))
		say("the end", read(0, much, 1));
	if (is_strict)
		syscall(SYS_exit, 3);
	if (!strcmp(argv[4], "_exit"))
		_exit(3);
	return 3;
}
