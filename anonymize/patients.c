#include "config.h"

#include "anonymize/patients.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/file.h"
#include "common/utf8.h"
#include "crypto/hash.h"

#define LABEL "consilium-1/patients"
#define KEY_LABEL "consilium-1/secret"
#define ID_INFO "consilium-1/patient-id"

struct patients {
	char column[PATIENTS_COLUMN_MAX + 1];
	uint8_t key[HASH_LEN]; /* of identifiers, from the pseudonym key */
	uint8_t (*objections)[PATIENTS_ID]; /* ascending, each once */
	size_t n_objections;
};

struct patients *
patients_new(
    const char *column, const uint8_t key[PATIENTS_KEY], struct err *err)
{
	struct patients *p = calloc(1, sizeof(*p));

	if (p == NULL || strlen(column) > PATIENTS_COLUMN_MAX) {
		err_sys(err, "patients");
		free(p);
		return NULL;
	}
	snprintf(p->column, sizeof(p->column), "%s", column);
	hkdf_expand(key, ID_INFO, sizeof(ID_INFO) - 1, p->key, sizeof(p->key));
	return p;
}

void
patients_free(struct patients *p)
{
	if (p == NULL)
		return;
	free(p->objections);
	explicit_bzero(p, sizeof(*p));
	free(p);
}

const char *
patients_column(const struct patients *p)
{
	return p->column;
}

void
patients_id(const struct patients *p, const char *text, size_t len,
    uint8_t id[PATIENTS_ID])
{
	uint8_t whole[HASH_LEN];

	hash_hmac(p->key, sizeof(p->key), text, len, whole);
	memcpy(id, whole, PATIENTS_ID);
}

static int
by_id(const void *a, const void *b)
{
	return memcmp(a, b, PATIENTS_ID);
}

/* Ascending, each once; how many. */
static size_t
sort_ids(uint8_t (*ids)[PATIENTS_ID], size_t n)
{
	size_t m = 0;

	if (n > 0)
		qsort(ids, n, PATIENTS_ID, by_id);
	for (size_t i = 0; i < n; i++) {
		if (m == 0 || memcmp(ids[m - 1], ids[i], PATIENTS_ID) != 0)
			memmove(ids[m++], ids[i], PATIENTS_ID);
	}
	return m;
}

/* The line from p to end, without the blanks around it; "" for a comment. */
static size_t
trim(const char **p, const char *end)
{
	const char *s = *p;

	while (s < end && (*s == ' ' || *s == '\t'))
		s++;
	while (
	    end > s && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
		end--;
	*p = s;
	return s < end && *s == '#' ? 0 : (size_t)(end - s);
}

static int
take_lines(struct patients *p, const char *text, size_t len, const char *name,
    struct err *err)
{
	const char *end = text + len, *next;
	size_t n = 0, line = 0, lines = 1;

	for (size_t i = 0; i < len; i++)
		lines += text[i] == '\n';
	if ((p->objections = calloc(lines, PATIENTS_ID)) == NULL)
		return err_sys(err, "%s", name);
	for (const char *s = text; s < end; s = next) {
		const char *stop = memchr(s, '\n', (size_t)(end - s));
		size_t n_bytes;

		line++;
		next = stop != NULL ? stop + 1 : end;
		if (stop == NULL)
			stop = end;
		if (utf8_valid(s, (size_t)(stop - s)) < (size_t)(stop - s) ||
		    memchr(s, '\0', (size_t)(stop - s)) != NULL)
			return err_set(err, ERR_FORMAT,
			    "%s:%zu: expected a patient's identifier in UTF-8",
			    name, line);
		if ((n_bytes = trim(&s, stop)) > 0)
			patients_id(p, s, n_bytes, p->objections[n++]);
	}
	p->n_objections = sort_ids(p->objections, n);
	return 0;
}

int
patients_read_objections(
    struct patients *p, int fd, const char *name, struct err *err)
{
	size_t len;
	uint8_t *text = file_read_fd(fd, name, PATIENTS_LIST_MAX, &len, err);
	int rv;

	if (text == NULL)
		return -1;
	rv = take_lines(p, (const char *)text, len, name, err);
	explicit_bzero(text, len);
	free(text);
	return rv;
}

size_t
patients_objections(const struct patients *p, uint8_t digest[32])
{
	if (p->objections == NULL)
		memset(digest, 0, 32);
	else
		hash_sha256(
		    p->objections, p->n_objections * PATIENTS_ID, digest);
	return p->n_objections;
}

bool
patients_objects(const struct patients *p, const uint8_t id[PATIENTS_ID])
{
	return p->n_objections > 0 &&
	    bsearch(id, p->objections, p->n_objections, PATIENTS_ID, by_id) !=
	    NULL;
}

void
patients_write(uint8_t (*ids)[PATIENTS_ID], size_t n, const uint8_t table[32],
    struct canon *out)
{
	n = sort_ids(ids, n);
	canon_text(out, LABEL);
	canon_raw(out, table, 32);
	canon_u32(out, (uint32_t)n);
	canon_raw(out, ids, n * PATIENTS_ID);
}

/* The ids that a file of patients_write() has. */
static const uint8_t *
read_ids(const void *data, size_t len, const char *name, uint8_t table[32],
    uint32_t *n, struct err *err)
{
	struct canon_in in = canon_in(data, len);
	char label[sizeof(LABEL)];
	const uint8_t *ids;

	canon_get_text(&in, label, sizeof(label));
	canon_get_raw(&in, table, 32);
	*n = canon_get_u32(&in);
	ids = canon_get_view(&in, (size_t)*n * PATIENTS_ID);
	if (canon_end(&in, name, err) < 0)
		return NULL;
	if (strcmp(label, LABEL) != 0) {
		err_set(
		    err, ERR_FORMAT, "%s: not the patients of a table", name);
		return NULL;
	}
	return ids;
}

int
patients_find(const void *data, size_t len, const char *name,
    const uint8_t id[PATIENTS_ID], uint8_t table[32], struct err *err)
{
	uint32_t n;
	const uint8_t *ids = read_ids(data, len, name, table, &n, err);

	if (ids == NULL)
		return -1;
	return n > 0 && bsearch(id, ids, n, PATIENTS_ID, by_id) != NULL;
}

int
patients_find_objections(const void *data, size_t len, const char *name,
    const struct patients *p, uint8_t table[32], size_t *n, struct err *err)
{
	uint32_t n_ids;
	const uint8_t *ids = read_ids(data, len, name, table, &n_ids, err);

	*n = 0;
	if (ids == NULL)
		return -1;
	for (uint32_t i = 0; i < n_ids; i++)
		*n += patients_objects(p, ids + (size_t)i * PATIENTS_ID);
	return 0;
}

int
patients_key(const void *file, size_t len, const char *name,
    uint8_t key[PATIENTS_KEY], struct err *err)
{
	struct canon_in in = canon_in(file, len);
	char label[sizeof(KEY_LABEL)];

	canon_get_text(&in, label, sizeof(label));
	canon_get_raw(&in, key, PATIENTS_KEY);
	if (canon_end(&in, name, err) < 0)
		return -1;
	if (strcmp(label, KEY_LABEL) != 0)
		return err_set(
		    err, ERR_FORMAT, "%s: not a secret's file", name);
	return 0;
}
