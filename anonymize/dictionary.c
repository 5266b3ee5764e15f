#include "config.h"

#include "anonymize/dictionary.h"

#include <stdlib.h>
#include <string.h>

void
dictionary_free(struct dictionary *d)
{
	if (d->texts != NULL)
		explicit_bzero(d->texts, d->len);
	free(d->texts);
	free(d->at);
	free(d->slots);
	*d = (struct dictionary){ 0 };
}

/* FNV-1a, its high bits folded in. */
static size_t
slot_of(const struct dictionary *d, const char *text, size_t len)
{
	uint64_t h = 0xcbf29ce484222325;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)text[i]) * 0x100000001b3;
	return (size_t)(h ^ h >> 32) & (d->n_slots - 1);
}

/* The slot that holds the text, or the empty one where it belongs. */
static size_t
probe(const struct dictionary *d, const char *text, size_t len)
{
	size_t s = slot_of(d, text, len);

	for (; d->slots[s] != 0; s = (s + 1) & (d->n_slots - 1)) {
		const char *t = d->texts + d->at[d->slots[s] - 1];

		if (strncmp(t, text, len) == 0 && t[len] == '\0')
			break;
	}
	return s;
}

static int
grow_slots(struct dictionary *d)
{
	size_t n = d->n_slots == 0 ? 64 : 2 * d->n_slots;
	uint32_t *slots = calloc(n, sizeof(*slots));

	if (slots == NULL)
		return -1;
	free(d->slots);
	d->slots = slots;
	d->n_slots = n;
	for (size_t i = 0; i < d->n; i++) {
		const char *t = d->texts + d->at[i];

		d->slots[probe(d, t, strlen(t))] = (uint32_t)i + 1;
	}
	return 0;
}

/* Room for one more of len bytes. */
static int
make_room(struct dictionary *d, size_t len)
{
	if (d->n == DICTIONARY_MAX ||
	    (2 * (d->n + 1) > d->n_slots && grow_slots(d) == -1))
		return -1;
	if (d->n == d->at_cap) {
		size_t cap = d->at_cap == 0 ? 32 : 2 * d->at_cap;
		size_t *at = realloc(d->at, cap * sizeof(*at));

		if (at == NULL)
			return -1;
		d->at = at;
		d->at_cap = cap;
	}
	if (d->cap - d->len <= len) {
		size_t cap = 2 * (d->cap + len + 1);
		char *texts = realloc(d->texts, cap);

		if (texts == NULL)
			return -1;
		d->texts = texts;
		d->cap = cap;
	}
	return 0;
}

uint32_t
dictionary_add(struct dictionary *d, const char *text, size_t len)
{
	uint32_t found = dictionary_find(d, text, len);

	if (found != DICTIONARY_NONE)
		return found;
	if (make_room(d, len) == -1)
		return DICTIONARY_NONE;
	d->slots[probe(d, text, len)] = (uint32_t)d->n + 1;
	d->at[d->n] = d->len;
	memcpy(d->texts + d->len, text, len);
	d->texts[d->len + len] = '\0';
	d->len += len + 1;
	return (uint32_t)d->n++;
}

uint32_t
dictionary_find(const struct dictionary *d, const char *text, size_t len)
{
	size_t s;

	if (d->n_slots == 0)
		return DICTIONARY_NONE;
	s = probe(d, text, len);
	return d->slots[s] == 0 ? DICTIONARY_NONE : d->slots[s] - 1;
}

const char *
dictionary_text(const struct dictionary *d, uint32_t i)
{
	return d->texts + d->at[i];
}
