/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_main.c - main() for the fuzz targets where libFuzzer isn't there.
 *
 * Replays a corpus: the files and directories given, else tests/corpus/X for a program
 * called fuzz_X.  Each input goes in as it is, then with MUTANTS random changes of a few
 * bytes each, from a seed that is printed and can be set (XTCP_FUZZ_SEED).
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MUTANTS 64
#define INPUT_MAX (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t rng;

/* xorshift64: the sequence of a seed is the same everywhere. */
static uint64_t rand64(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

/* A copy of exactly the input's size, so that a sanitizer sees each byte read past its end. */
static void run(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

/* One to eight bytes are changed, and sometimes the end is cut off. */
static void run_mutant(const uint8_t *data, size_t size)
{
	uint8_t *copy;
	unsigned n = 1 + rand64() % 8;

	if (!size)
		return;
	copy = malloc(size);
	if (!copy)
		abort();
	memcpy(copy, data, size);
	while (n--)
		copy[rand64() % size] = (uint8_t)rand64();
	run(copy, rand64() % 4 ? size : rand64() % size);
	free(copy);
}

/* The number of inputs run. */
static unsigned replay_file(const char *path)
{
	static uint8_t buf[INPUT_MAX];
	FILE *f = fopen(path, "rb");
	size_t size;

	if (!f) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(1);
	}
	size = fread(buf, 1, sizeof(buf), f);
	fclose(f);
	run(buf, size);
	for (unsigned i = 0; i < MUTANTS; i++)
		run_mutant(buf, size);
	return 1 + MUTANTS;
}

static unsigned replay(const char *path)
{
	struct dirent **names;
	struct stat st;
	unsigned n = 0;
	int count;

	if (stat(path, &st) || !S_ISDIR(st.st_mode))
		return replay_file(path);
	count = scandir(path, &names, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		char sub[PATH_MAX];

		snprintf(sub, sizeof(sub), "%s/%s", path, names[i]->d_name);
		if (names[i]->d_name[0] != '.')
			n += replay(sub);
		free(names[i]);
	}
	if (count >= 0)
		free(names);
	return n;
}

static unsigned replay_default(const char *program)
{
	const char *top = getenv("top_srcdir");
	const char *name = strrchr(program, '/');
	char path[PATH_MAX];

	name = name ? name + 1 : program;
	if (!strncmp(name, "fuzz_", 5))
		name += 5;
	snprintf(path, sizeof(path), "%s/tests/corpus/%s", top ? top : ".", name);
	return replay(path);
}

int main(int argc, char **argv)
{
	const char *seed = getenv("XTCP_FUZZ_SEED");
	unsigned n = 0;

	rng = seed ? strtoull(seed, NULL, 0) : 0x9e3779b97f4a7c15u;
	if (!rng)
		rng = 1;
	printf("# seed %#llx\n", (unsigned long long)rng);
	if (argc < 2)
		n = replay_default(argv[0]);
	for (int i = 1; i < argc; i++)
		n += replay(argv[i]);
	printf("%s 1 - %u inputs\n", n ? "ok" : "not ok", n);
	return n ? 0 : 1;
}
