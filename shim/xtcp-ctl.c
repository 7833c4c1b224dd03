/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xtcp-ctl.c - asks something of a running process that has a control socket.
 *
 * The arguments after the socket are the request, one datagram; the answer is one, too
 * (stack/engine_control.c).
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#define REQUEST_MAX 512
#define ANSWER_MAX 16384
#define PATIENCE_SEC 5

static const char usage[] =
	"Usage: xtcp-ctl SOCKET sysctl NAME[=VALUE]\n"
	"       xtcp-ctl SOCKET tcp_metrics [show|flush]\n"
	"       xtcp-ctl SOCKET stats|snmp\n"
	"Ask something of a process whose TCP is xtcp's; SOCKET is DIR/PID, where DIR\n"
	"was given to xtcp-run as --control.\n";

static _Noreturn __attribute__((format(printf, 1, 2))) void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("xtcp-ctl: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(2);
}

static size_t join(char **words, char *line, size_t room)
{
	size_t n = 0;

	for (; *words; words++) {
		n += (size_t)snprintf(line + n, room - n, "%s%s", n ? " " : "", *words);
		if (n >= room)
			die("the request is too long");
	}
	return n;
}

static int connect_to(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX }, own = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = PATIENCE_SEC };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(to.sun_path))
		die("%s: the name is too long", path);
	strcpy(to.sun_path, path);
	/* A name of the kernel's choice, for the answer. */
	if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof(sa_family_t)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		die("no socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		die("%s: %s", path, strerror(errno));
	return fd;
}

int main(int argc, char **argv)
{
	char request[REQUEST_MAX], answer[ANSWER_MAX];
	size_t len;
	ssize_t n;
	int fd;

	if (argc == 2 && !strcmp(argv[1], "--help")) {
		fputs(usage, stdout);
		return 0;
	}
	if (argc == 2 && !strcmp(argv[1], "--version")) {
		puts("xtcp-ctl " XTCP_VERSION);
		return 0;
	}
	if (argc < 3)
		die("a socket and a request are needed; try xtcp-ctl --help");
	len = join(argv + 2, request, sizeof(request));
	fd = connect_to(argv[1]);
	if (send(fd, request, len, 0) < 0)
		die("%s: %s", argv[1], strerror(errno));
	n = recv(fd, answer, sizeof(answer) - 1, 0);
	if (n < 0)
		die("%s doesn't answer: %s", argv[1], strerror(errno));
	answer[n] = 0;
	if (strncmp(answer, "ok\n", 3))
		die("%.*s", (int)strcspn(answer + (strncmp(answer, "error: ", 7) ? 0 : 7), "\n"),
		    answer + (strncmp(answer, "error: ", 7) ? 0 : 7));
	fputs(answer + 3, stdout);
	return 0;
}
