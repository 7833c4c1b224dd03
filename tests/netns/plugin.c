/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plugin.c - a library that uses a socket from its first to its last moment, and programs that have it; for unload.sh,
 * which runs them over the kernel and over xtcp and compares what they print.
 *
 *     plugin linked            the library is a part of the program
 *     plugin loaded PLUGIN     dlopen()s and dlclose()s it again and again; the last one it leaves to exit()
 *     plugin library LIB       the same with the socket calls of a library that was never preloaded, found by dlsym()
 *     plugin inside LIB        is in a call of it while it is closed
 *     plugin stdio             leaves streams over sockets to exit()
 *
 * SERVER_ADDR and SERVER_PORT: an echo server.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Those that it uses. */
struct calls {
	int (*socket)(int, int, int);
	int (*connect)(int, const struct sockaddr *, socklen_t);
	ssize_t (*send)(int, const void *, size_t, int);
	ssize_t (*recv)(int, void *, size_t, int);
	int (*close)(int);
};

static const struct calls own_calls = { socket, connect, send, recv, close };

static int dial(const struct calls *with)
{
	const char *addr = getenv("SERVER_ADDR"), *port = getenv("SERVER_PORT");
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port ? port : "")) };
	int fd = with->socket(AF_INET, SOCK_STREAM, 0);

	if (!addr || inet_pton(AF_INET, addr, &a.sin_addr) != 1 || with->connect(fd, (void *)&a, sizeof(a))) {
		printf("connect: %s\n", strerror(errno));
		exit(1);
	}
	return fd;
}

static void echo(const struct calls *with, int fd, const char *word)
{
	char buf[64] = "";
	ssize_t sent = with->send(fd, word, strlen(word), MSG_NOSIGNAL);
	ssize_t got = sent < 0 ? -1 : with->recv(fd, buf, (size_t)sent, MSG_WAITALL);

	printf("%s: %zd %zd %s\n", word, sent, got, got < 0 ? strerror(errno) : buf);
	fflush(stdout);
}

#ifdef PLUGIN

static int fd, quiet;
static pthread_t reader;

static void *read_on(void *arg)
{
	char c;

	(void)arg;
	while (recv(quiet, &c, 1, 0) > 0)
		;
	return NULL;
}

/* A thread of it sleeps in recv() from here on. */
static __attribute__((constructor)) void begin(void)
{
	fd = dial(&own_calls);
	quiet = dial(&own_calls);
	echo(&own_calls, fd, "constructor");
	pthread_create(&reader, NULL, read_on, NULL);
}

static __attribute__((destructor)) void end(void)
{
	echo(&own_calls, fd, "destructor");
	shutdown(quiet, SHUT_RDWR);
	printf("joined: %d\n", pthread_join(reader, NULL));
	echo(&own_calls, dial(&own_calls), "new in the destructor");
	printf("closed: %d %d\n", close(fd), close(quiet));
	fflush(stdout);
}

void plugin_work(void);
void plugin_work(void)
{
	echo(&own_calls, fd, "work");
}

#else

#ifdef LINKED
void plugin_work(void);

static void at_exit(void)
{
	echo(&own_calls, dial(&own_calls), "atexit");
}

static void linked(void)
{
	plugin_work();
	atexit(at_exit);
}
#endif

static void *load(const char *path)
{
	void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	if (!lib) {
		printf("dlopen: %s\n", dlerror());
		exit(1);
	}
	return lib;
}

static void find(void *lib, const char *name, void *call)
{
	void *found = dlsym(lib, name);

	if (!found)
		exit(2);
	memcpy(call, &found, sizeof(found));
}

static struct calls calls_of(void *lib)
{
	struct calls c;

	find(lib, "socket", &c.socket);
	find(lib, "connect", &c.connect);
	find(lib, "send", &c.send);
	find(lib, "recv", &c.recv);
	find(lib, "close", &c.close);
	return c;
}

/* What grows if something is left behind. */
static int count_lines(const char *path, const char *word)
{
	FILE *f = fopen(path, "r");
	char line[1024];
	int n = 0;

	while (f && fgets(line, sizeof(line), f))
		n += strstr(line, word) != NULL;
	if (f)
		fclose(f);
	return n;
}

static int count_threads(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[1024];
	int n = 0;

	while (f && fgets(line, sizeof(line), f) && sscanf(line, "Threads: %d", &n) != 1)
		;
	if (f)
		fclose(f);
	return n;
}

static int next_fd(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

static void loaded(const char *path)
{
	void (*work)(void);
	int fd = 0, threads = 0, i;
	void *lib;

	for (i = 0; i < 20; i++) {
		lib = load(path);
		find(lib, "plugin_work", &work);
		work();
		dlclose(lib);
		if (!i) {
			fd = next_fd();
			threads = count_threads();
		}
	}
	printf("left behind: %d mappings, %d descriptors, %d threads\n", count_lines("/proc/self/maps", path),
	       next_fd() - fd, count_threads() - threads);
	lib = load(path);
	find(lib, "plugin_work", &work);
	work();
}

static void library(const char *path)
{
	int mappings = 0, threads = 0, i, fd;
	struct calls c;
	void *lib;

	for (i = 0; i < 20; i++)
		dlclose(load(path));
	for (i = 0; i < 20; i++) {
		lib = load(path);
		c = calls_of(lib);
		fd = dial(&c);
		echo(&c, fd, "by the library");
		if (i % 2)
			c.close(fd);
		dlclose(lib);
		if (!i) {
			mappings = count_lines("/proc/self/maps", path);
			threads = count_threads();
		}
	}
	printf("more: %d mappings, %d threads\n", count_lines("/proc/self/maps", path) - mappings,
	       count_threads() - threads);
	fd = dial(&own_calls);
	echo(&own_calls, fd, "by the kernel");
}

struct sleeper {
	struct calls c;
	int fd;
	char got;
};

static void *sleep_in_it(void *arg)
{
	struct sleeper *s = arg;

	if (s->c.recv(s->fd, &s->got, 1, 0) != 1)
		s->got = '-';
	return NULL;
}

static void inside(const char *path)
{
	void *lib = load(path);
	struct sleeper s = { .c = calls_of(lib) };
	pthread_t thread;

	s.fd = dial(&s.c);
	pthread_create(&thread, NULL, sleep_in_it, &s);
	usleep(50000);
	dlclose(lib);
	s.c.send(s.fd, "x", 1, 0);
	pthread_join(thread, NULL);
	printf("woken: %c\n", s.got);
}

/* libc writes it when all destructors have run. */
static void stdio(void)
{
	FILE *f = fdopen(dial(&own_calls), "w"), *g = fdopen(dial(&own_calls), "r+");

	fputs("one left in its stream\n", f);
	fputs("another\n", g);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "loaded"))
		loaded(argv[2]);
	else if (argc == 3 && !strcmp(argv[1], "library"))
		library(argv[2]);
	else if (argc == 3 && !strcmp(argv[1], "inside"))
		inside(argv[2]);
	else if (argc == 2 && !strcmp(argv[1], "stdio"))
		stdio();
#ifdef LINKED
	else if (argc == 2 && !strcmp(argv[1], "linked"))
		linked();
#endif
	else
		return 64;
	return 3;
}

#endif
