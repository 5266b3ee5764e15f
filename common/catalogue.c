#include "config.h"

#include "common/catalogue.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"

/*
 * A .mo file (GNU gettext manual, 10.3), little-endian: magic, version, number
 * of texts, and where two tables of (length, place) lie: the originals, sorted,
 * and their translations.  Each text has a NUL behind it; forms of a plural
 * have one between them, a context ends with EOT.
 */
#define MAGIC 0x950412de
#define HEAD 28
#define TEXTS_MAX 65536
#define CONTEXT_END "\004"

static struct {
	char *mo;
	uint32_t n, originals, translations;
	char language[16];
} use = { .language = "en" };

static uint32_t
u32(const char *mo, size_t at)
{
	const unsigned char *p = (const unsigned char *)mo + at;

	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	    (uint32_t)p[3] << 24;
}

/* Does a table of n texts lie at, and each of its texts in the file? */
static int
table_ok(const char *mo, size_t len, uint32_t at, uint32_t n)
{
	if (at > len || (size_t)n * 8 > len - at)
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		size_t text_len = u32(mo, at + 8 * i);
		size_t place = u32(mo, at + 8 * i + 4);

		if (place >= len || text_len >= len - place ||
		    mo[place + text_len] != '\0')
			return 0;
	}
	return 1;
}

static const char *
text_at(uint32_t table, uint32_t i)
{
	return use.mo + u32(use.mo, table + 8 * (size_t)i + 4);
}

static const char *
find(const char *msgid)
{
	uint32_t lo = 0, hi = use.n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		int c = strcmp(text_at(use.originals, mid), msgid);

		if (c == 0)
			return text_at(use.translations, mid);
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

/* The line "Language: zh_CN" of the entry of the empty text. */
static void
read_language(void)
{
	static const char key[] = "Language: ";
	const char *head = find(""), *at;
	size_t n;

	if (head == NULL || (at = strstr(head, key)) == NULL)
		return;
	at += sizeof(key) - 1;
	n = strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_");
	snprintf(use.language, sizeof(use.language), "%.*s", (int)n, at);
	for (char *p = use.language; *p != '\0'; p++)
		if (*p == '_')
			*p = '-';
}

int
catalogue_use(const char *name, const void *mo, size_t len, struct err *err)
{
	uint32_t n, originals, translations;
	char *copy;

	if (len < HEAD || len > CATALOGUE_MAX || u32(mo, 0) != MAGIC ||
	    u32(mo, 4) >> 16 != 0 || (n = u32(mo, 8)) > TEXTS_MAX)
		return err_set(
		    err, ERR_FORMAT, "%s: no catalogue of translations", name);
	originals = u32(mo, 12);
	translations = u32(mo, 16);
	if (!table_ok(mo, len, originals, n) ||
	    !table_ok(mo, len, translations, n))
		return err_set(err, ERR_FORMAT,
		    "%s: a catalogue of translations that is cut short or "
		    "altered",
		    name);
	if ((copy = malloc(len)) == NULL)
		return err_sys(err, "%s", name);
	memcpy(copy, mo, len);
	catalogue_drop();
	use.mo = copy;
	use.n = n;
	use.originals = originals;
	use.translations = translations;
	read_language();
	return 0;
}

void
catalogue_drop(void)
{
	free(use.mo);
	use.mo = NULL;
	use.n = 0;
	snprintf(use.language, sizeof(use.language), "en");
}

const char *
catalogue_language(void)
{
	return use.language;
}

const char *
catalogue_text(const char *msgid)
{
	const char *text = find(msgid);

	return text != NULL && *text != '\0' ? text : msgid;
}

const char *
catalogue_meant(const char *context, const char *msgid)
{
	char key[512];
	const char *text = NULL;

	if (snprintf(key, sizeof(key), "%s" CONTEXT_END "%s", context, msgid) <
	    (int)sizeof(key))
		text = find(key);
	return text != NULL && *text != '\0' ? text : msgid;
}

const char *
catalogue_number(const char *one, const char *many, size_t n)
{
	const char *text = find(one), *second;

	if (text == NULL || *text == '\0')
		return n == 1 ? one : many;
	second = text + strlen(text) + 1;
	for (uint32_t i = 0; n != 1 && i < use.n; i++)
		if (text_at(use.translations, i) == text &&
		    u32(use.mo, use.translations + 8 * (size_t)i) >
			strlen(text))
			return second;
	return text;
}
