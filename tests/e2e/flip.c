/*
 * flip TRANSCRIPT ROOT.PUB: spoil a good transcript, one byte at a time, over
 * its whole length; every one must be refused, with a reason.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/file.h"
#include "ctl/transcript.h"

#define TRIES 700

int
main(int argc, char **argv)
{
	uint8_t root[KEY_PUBLIC], *p;
	size_t len, step, tries = 0;
	struct err err;

	if (argc != 3 || key_public_load(argv[2], root, &err) < 0 ||
	    (p = file_read(argv[1], TRANSCRIPT_MAX, &len, &err)) == NULL)
		return 2;
	if (transcript_replay(p, len, root, NULL, NULL, NULL, &err) < 0) {
		fprintf(stderr, "flip: the good one: %s\n", err.msg);
		return 1;
	}
	step = len / TRIES + 1;
	for (size_t i = 0; i < len; i += i < TRIES / 2 ? 1 : step, tries++) {
		uint8_t bit = (uint8_t)(1u << (i + i / 8) % 8);

		p[i] ^= bit;
		err.msg[0] = '\0';
		if (transcript_replay(p, len, root, NULL, NULL, NULL, &err) ==
			0 ||
		    err.msg[0] == '\0') {
			fprintf(
			    stderr, "flip: byte %zu of %zu accepted\n", i, len);
			return 1;
		}
		p[i] ^= bit;
	}
	/* Too long and too short are no better. */
	if (transcript_replay(p, len - 1, root, NULL, NULL, NULL, &err) == 0)
		return 1;
	free(p);
	printf("%zu spoiled transcripts, all refused\n", tries);
	return 0;
}
