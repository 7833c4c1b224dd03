/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netns_sysctl.c - every name in /proc/sys/net/ipv4 is a setting with Linux's default and Linux's
 * bounds, or is refused with a reason (stack/settings_refused.def).
 *
 * In a network namespace of its own, as its values are those of a host that nobody has touched.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "stack/settings.h"

#define DIR_NAME "/proc/sys/net/ipv4/"

static int ndiffs;

static void differs(const char *name, const char *what, long long kernel, long long ours)
{
	printf("not ok - %s: %s: kernel %lld, ours %lld\n", name, what, kernel, ours);
	ndiffs++;
}

/* Of this machine's memory, of the host's namespace, or not as in its documentation. */
static const char *differs_because(const char *name)
{
	static const struct { const char *name, *why; } list[] = {
		{ "tcp_max_orphans", "by memory, and of the whole host" },
		{ "tcp_max_tw_buckets", "by memory" },
		{ "tcp_max_syn_backlog", "by memory" },
		{ "tcp_rmem", "by memory" },
		{ "tcp_wmem", "by memory" },
	};

	for (size_t i = 0; i < ARRAY_LEN(list); i++)
		if (!strcmp(list[i].name, name))
			return list[i].why;
	return NULL;
}

static int read_value(const char *name, char *buf, size_t size)
{
	char path[300];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), DIR_NAME "%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	close(fd);
	buf[MAX(n, 0)] = 0;
	return n < 0 ? -errno : 0;
}

static int write_value(const char *name, const char *value)
{
	char path[300];
	int fd, r;

	snprintf(path, sizeof(path), DIR_NAME "%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = write(fd, value, strlen(value)) < 0 ? -errno : 0;
	close(fd);
	return r;
}

static void compare_default(const char *name, const char *text, const int32_t *v, int n)
{
	char *end;

	if (differs_because(name))
		return;
	for (int i = 0; i < n; i++, text = end) {
		long long k = strtoll(text, &end, 10);

		if ((uint32_t)k != (uint32_t)v[i])
			differs(name, "its default", k, v[i]);
	}
}

/* Bounds that are narrower than Linux's. */
static const char *is_stricter_because(const char *name)
{
	static const struct { const char *name, *why; } list[] = {
		{ "icmp_ratelimit", "what overflows is refused" },
		{ "icmp_ratemask", "a mask has no sign" },
		{ "tcp_invalid_ratelimit", "what overflows is refused" },
		{ "ipfrag_high_thresh", "2 GB of fragments are enough" },
		{ "tcp_comp_sack_delay_ns", "two seconds are enough" },
		{ "ipfrag_time", "no time is negative" },
		{ "tcp_keepalive_time", "no time is negative, nor 0" },
		{ "tcp_keepalive_intvl", "no time is negative, nor 0" },
		{ "tcp_fin_timeout", "no time is negative, nor 0" },
		{ "tcp_fastopen", "bits have no sign" },
		{ "tcp_probe_threshold", "no number of bytes is negative" },
		{ "tcp_limit_output_bytes", "no number of bytes is negative" },
		{ "tcp_max_tw_buckets", "no count is negative" },
		{ "tcp_max_syn_backlog", "no count is negative" },
		{ "tcp_challenge_ack_limit", "no count is negative" },
		{ "tcp_base_mss", "no segment of IPv4 has such a size" },
		{ "tcp_min_snd_mss", "no segment of IPv4 has such a size" },
		{ "tcp_mtu_probe_floor", "no segment of IPv4 has such a size" },
	};

	for (size_t i = 0; i < ARRAY_LEN(list); i++)
		if (!strcmp(list[i].name, name))
			return list[i].why;
	return NULL;
}

/* What the kernel takes we take, and nothing else. */
static void compare_bounds(const char *name, const char *was)
{
	static const char *const values[] = {
		"-2147483648", "-2", "-1", "0", "1", "2", "3", "4", "5", "6", "7", "8", "31", "32", "47", "48", "87", "88", "100",
		"126", "127", "128", "255", "256", "300", "301", "999", "1000", "1001", "9999", "10000", "10001", "32767", "32768",
		"60000", "60001", "65483", "65484", "65535", "65536", "86400", "86401", "120000", "120001", "2147483647",
		"2147483648", "4294967295", "4294967296", "x",
	};

	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		struct settings s;
		int k = write_value(name, values[i]), o;

		settings_default(&s);
		o = settings_set(&s, name, values[i]);
		if (!k != !o && (k || !is_stricter_because(name)))
			printf("# %s=%s\n", name, values[i]), differs(name, "what it says to a value", k, o);
		write_value(name, was);
	}
}

static void compare(const char *name)
{
	int32_t v[SETTINGS_VALUES_MAX];
	struct settings s;
	char text[256];
	int n;

	if (settings_is_congestion(name) || !strcmp(name, "tcp_fastopen_key"))
		return;   /* no numbers */
	settings_default(&s);
	n = settings_get(&s, name, v);
	if (n < 0) {
		if (!settings_refusal(name))
			differs(name, "it is neither a setting nor refused", 1, 0);
		return;
	}
	if (settings_refusal(name))
		differs(name, "it is a setting and refused", 1, 0);
	if (read_value(name, text, sizeof(text)))
		return;
	compare_default(name, text, v, n);
	if (n == 1 && strcmp(name, "tcp_max_orphans"))
		compare_bounds(name, text);
}

int main(void)
{
	struct utsname u;
	struct dirent *d;
	DIR *dir;

	if (geteuid() || uname(&u) || strncmp(u.release, "6.18.", 5) || unshare(CLONE_NEWNET)) {
		printf("# not root, or not Linux 6.18\n");
		return 77;
	}
	dir = opendir(DIR_NAME);
	if (!dir)
		return 77;
	while ((d = readdir(dir)))
		if (d->d_type == DT_REG)
			compare(d->d_name);
	closedir(dir);
	printf("%s - sysctls are Linux's\n", ndiffs ? "not ok" : "ok");
	return ndiffs != 0;
}
