#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

void
fuzz_put_bytes(fuzz_put *put, int choice, const void *data, size_t len)
{
	uint8_t *p = malloc(len + 1);

	FUZZ_MUST(p != NULL);
	p[0] = (uint8_t)choice;
	if (len > 0)
		memcpy(p + 1, data, len);
	if (choice < 0)
		put(p + 1, len);
	else
		put(p, len + 1);
	free(p);
}

void
fuzz_put_text(fuzz_put *put, int choice, const char *text)
{
	fuzz_put_bytes(put, choice, text, strlen(text));
}
