#include "tests/check.h"

#include <stdlib.h>

#include "tests/study/small.h"

char *
small_with(const char *old, const char *new)
{
	const char *at = strstr(small, old);
	char *text = malloc(sizeof(small) + strlen(new));
	size_t n;

	assert_non_null(at);
	assert_non_null(text);
	n = (size_t)(at - small);
	memcpy(text, small, n);
	strcpy(text + n, new);
	strcat(text, at + strlen(old));
	return text;
}
