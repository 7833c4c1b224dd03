/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_conf.c - texts that a caller gives to a program with capabilities: the configuration
 * file, the values of its keys, and settings by their Linux names.
 *
 * Each is taken or refused with one sentence that fits its room.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conf.h"
#include "fuzz_in.h"
#include "stack/settings.h"

static const char *const keys[] = {
	"interface", "address", "gateway", "route", "mac", "write", "policy", "loopback", "spin", "sysctl",
	"congestion", "stats", "log", "log-file", "nonsense",
};

static void check_conf(const struct conf *c)
{
	fuzz_require(memchr(c->engine.interface, 0, sizeof(c->engine.interface)), "interface without an end");
	fuzz_require(memchr(c->pcap, 0, sizeof(c->pcap)) && memchr(c->log_file, 0, sizeof(c->log_file)), "path without an end");
	fuzz_require(memchr(c->congestion, 0, sizeof(c->congestion)), "algorithm without an end");
	fuzz_require(c->sysctls_len <= sizeof(c->sysctls), "settings beyond their room");
	for (unsigned i = 0; i < c->engine.naddr; i++)
		fuzz_require(c->engine.addrs[i].plen <= 32, "prefix length");
}

static void check_sentence(const char *err, size_t room, int ret)
{
	fuzz_require(ret <= 0, "a result that is no error");
	fuzz_require(ret == 0 || (err[0] && memchr(err, 0, room)), "refused without a sentence");
}

static void one_value(struct conf *c, const char *text, uint8_t key)
{
	char err[200] = "";

	check_sentence(err, sizeof(err), conf_set(c, keys[key % ARRAY_LEN(keys)], text, err, sizeof(err)));
}

static void file(struct conf *c, const uint8_t *p, size_t len)
{
	char err[200] = "", path[64];
	int fd = memfd_create("conf", 0);

	if (fd < 0)
		return;
	fuzz_require(write(fd, p, len) == (ssize_t)len, "no file");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	check_sentence(err, sizeof(err), conf_read_file(c, path, err, sizeof(err)));
	close(fd);
}

/* "name value" */
static void setting(char *text)
{
	struct settings set, was;
	char *value = strchr(text, ' ');
	int ret;

	settings_default(&set);
	was = set;
	if (value)
		*value++ = 0;
	ret = settings_set(&set, text, value ? value : "");
	fuzz_require(ret == 0 || !memcmp(&set, &was, sizeof(set)), "a refused value was taken");
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct fuzz_in in = { p, len };
	uint8_t how = fuzz_u8(&in);
	struct conf *c;
	char *text;

	c = calloc(1, sizeof(*c));
	text = malloc(in.len + 1);
	if (c && text) {
		char err[200];

		memcpy(text, in.p ? (const char *)in.p : "", in.len);
		text[in.len] = 0;
		fuzz_require(conf_load(c, err, sizeof(err)) == 0, "no defaults");
		if (how % 4 == 0)
			file(c, in.p, in.len);
		else if (how % 4 == 1)
			setting(text);
		else
			one_value(c, text, how >> 2);
		check_conf(c);
		conf_free(c);
	}
	free(text);
	free(c);
	return 0;
}
