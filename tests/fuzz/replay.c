/*
 * A fuzzer without libFuzzer.
 *
 *     fuzz_X                     the seeds, each cut short and with single
 *                                bytes changed for a moment, and the
 *                                inputs of tests/fuzz/corpus/fuzz_X
 *     fuzz_X FILE...             these inputs
 *     fuzz_X --seeds DIR         write the seeds there
 *     fuzz_X --pack OUT FILE...  put inputs into one file: text "LENGTH\n",
 *                                then the bytes, and so on
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/file.h"
#include "common/hex.h"
#include "tests/fuzz/fuzz.h"

#define MUTATE_MS 150
#define INPUT_MAX ((size_t)4 << 20)

static unsigned long inputs;
static const char *seeds_dir;

/* In memory of its own, so that a byte beyond it is noticed. */
static void
run(const void *data, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	FUZZ_MUST(copy != NULL);
	if (len > 0)
		memcpy(copy, data, len);
	LLVMFuzzerTestOneInput(copy, len);
	inputs++;
	free(copy);
}

static uint32_t
next_random(void)
{
	static uint64_t x = 88172645463325252u;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (uint32_t)(x >> 16);
}

static void
run_and_mutate(const void *data, size_t len)
{
	int64_t end = clock_mono_ms() + MUTATE_MS;
	uint8_t *p = malloc(len + 1);

	FUZZ_MUST(p != NULL);
	run(data, len);
	for (int i = 0; i < 1000 && len > 0 && clock_mono_ms() < end; i++) {
		memcpy(p, data, len);
		p[next_random() % len] ^= (uint8_t)(1u << next_random() % 8);
		if (i % 2 == 0)
			p[next_random() % len] = (uint8_t)next_random();
		run(p, i % 4 == 3 ? next_random() % len : len);
	}
	free(p);
}

static void
write_seed(const void *data, size_t len)
{
	char path[4096];
	struct err err;

	snprintf(path, sizeof(path), "%s/seed-%lu", seeds_dir, inputs++);
	if (file_write(path, data, len, 0644, &err) < 0) {
		fprintf(stderr, "%s\n", err.msg);
		exit(1);
	}
}

static uint8_t *
load(const char *path, size_t *len)
{
	struct err err;
	uint8_t *p = file_read(path, INPUT_MAX, len, &err);

	if (p == NULL) {
		fprintf(stderr, "%s\n", err.msg);
		exit(1);
	}
	return p;
}

static void
run_file(const char *path)
{
	size_t len;
	uint8_t *p = load(path, &len);

	run(p, len);
	free(p);
}

static void
run_pack(const char *path)
{
	size_t len, n;
	uint8_t *p = load(path, &len), *at = p;

	while (at < p + len) {
		char *end;

		n = strtoul((char *)at, &end, 10);
		at = (uint8_t *)end + 1;
		FUZZ_MUST(*end == '\n' && n <= (size_t)(p + len - at));
		run(at, n);
		at += n;
	}
	free(p);
}

static int
pack(int argc, char **argv)
{
	FILE *out = fopen(argv[0], "wbe");

	for (int i = 1; i < argc && out != NULL; i++) {
		size_t len;
		uint8_t *p = load(argv[i], &len);

		fprintf(out, "%zu\n", len);
		fwrite(p, 1, len, out);
		free(p);
	}
	return out == NULL || fclose(out) != 0;
}

int
main(int argc, char **argv)
{
	const char *name = program_invocation_short_name;
	char path[4096];

	if (argc == 3 && strcmp(argv[1], "--seeds") == 0) {
		seeds_dir = argv[2];
		fuzz_seeds(write_seed);
		return 0;
	}
	if (argc > 2 && strcmp(argv[1], "--pack") == 0)
		return pack(argc - 2, argv + 2);
	for (int i = 1; i < argc; i++)
		run_file(argv[i]);
	if (argc == 1) {
		fuzz_seeds(run_and_mutate);
		snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s",
		    getenv("top_srcdir"), name);
		run_pack(path);
	}
	printf("%s: %lu inputs\n", name, inputs);
	return 0;
}
