/*
 * Whose rows they are, without saying who: a patient's identifier becomes
 * HMAC-SHA-256 under the site's pseudonym key, cut to 16 bytes.  Only the
 * reader makes these; what it keeps with each table answers a patient who asks
 * in which studies his rows were used, to whoever has the key.
 *
 * The list of objections is text, one identifier to a line as the source has
 * them; blanks around it, empty lines and lines that begin with # do not count.
 */
#ifndef ANONYMIZE_PATIENTS_H
#define ANONYMIZE_PATIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct canon;
struct err;
struct patients;

#define PATIENTS_KEY 32
#define PATIENTS_ID 16
#define PATIENTS_COLUMN_MAX 256 /* bytes of the column's name */
#define PATIENTS_LIST_MAX ((size_t)64 * 1024 * 1024) /* bytes of a list */

/* column is the source's that identifies a patient; key is copied. */
struct patients *patients_new(
    const char *column, const uint8_t key[PATIENTS_KEY], struct err *err);
void patients_free(struct patients *p); /* NULL is fine; wipes */

const char *patients_column(const struct patients *p);
void patients_id(const struct patients *p, const char *text, size_t len,
    uint8_t id[PATIENTS_ID]);

/* Read the list from fd, from its start; name is for errors. */
int patients_read_objections(
    struct patients *p, int fd, const char *name, struct err *err);
/* How many patients it names, and a digest of who they are; zeros without. */
size_t patients_objections(const struct patients *p, uint8_t digest[32]);
bool patients_objects(const struct patients *p, const uint8_t id[PATIENTS_ID]);

/*
 * What is kept with a table: text "consilium-1/patients", raw 32 table digest,
 * u32 n, n times raw 16, ascending, each once.  ids is sorted.
 */
void patients_write(uint8_t (*ids)[PATIENTS_ID], size_t n,
    const uint8_t table[32], struct canon *out);
/* Is the patient in it?  1, 0 or -1 with ERR_FORMAT.  table is filled in. */
int patients_find(const void *data, size_t len, const char *name,
    const uint8_t id[PATIENTS_ID], uint8_t table[32], struct err *err);

/* How many of those who object are in it?  -1 with ERR_FORMAT. */
int patients_find_objections(const void *data, size_t len, const char *name,
    const struct patients *p, uint8_t table[32], size_t *n, struct err *err);

/* The pseudonym key as its file has it; ERR_FORMAT naming name. */
int patients_key(const void *file, size_t len, const char *name,
    uint8_t key[PATIENTS_KEY], struct err *err);

#endif
