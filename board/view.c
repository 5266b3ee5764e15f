#include "board/view.h"

#include <string.h>

#include "board/snapshot.h"

const char *
board_view_fact(const struct board_view *v, const char *name)
{
	const struct board_snapshot *s = v->snapshot;

	for (size_t i = 0; s != NULL && i < s->n_facts; i++) {
		if (strcmp(s->facts[i].name, name) == 0)
			return s->facts[i].value;
	}
	return NULL;
}

int
board_number(const char *text, int64_t *value)
{
	size_t len = text != NULL ? strlen(text) : 0;
	int64_t v = 0;

	if (len == 0 || len > 18 || strspn(text, "0123456789") != len)
		return -1;
	for (size_t i = 0; i < len; i++)
		v = 10 * v + (text[i] - '0');
	*value = v;
	return 0;
}
