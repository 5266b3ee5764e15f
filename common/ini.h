/*
 * Our INI files: the daemons' configuration and the study.
 *
 *     # a comment, where # is the first character of the line but blanks
 *     [section]
 *     key = value
 *     [section argument]
 *     long-key = a value may go on
 *         on lines that are indented
 *
 * Text is UTF-8 (a byte order mark and CR LF are accepted), a line is shorter
 * than 64 KiB.  A section or a key that is there twice is an error, and so is
 * whatever the caller's table does not know.  Every error is
 * "FILE:LINE:COLUMN: what is wrong, and what was expected"; a column counts
 * characters, from 1.
 *
 * All text and all arrays that the parse functions hand out belong to the
 * struct ini and live as long as it does.  A value is taken apart in place, so
 * it can be parsed once.
 */
#ifndef COMMON_INI_H
#define COMMON_INI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct ini;
struct ini_field;

#define INI_FILE_MAX (1024 * 1024)
#define INI_LINE_MAX (64 * 1024)
#define INI_SECTIONS_MAX 4096
#define INI_KEYS_MAX 256 /* in one section */
#define INI_ITEMS_MAX 16384 /* in one list */

struct ini_key {
	char *name, *value; /* value may be empty */
};

struct ini_section {
	char *name, *arg; /* arg is NULL where there is none */
	struct ini_key *keys;
	size_t n_keys;
};

struct ini_list {
	char **items;
	size_t n;
};

/* file is the name for errors.  data is copied.  NULL with ERR_CONFIG. */
struct ini *ini_parse(
    const char *file, const void *data, size_t len, struct err *err);
struct ini *ini_load(const char *path, struct err *err);
void ini_free(struct ini *ini); /* NULL is fine */

const struct ini_section *ini_sections(const struct ini *ini, size_t *n);

/*
 * What a section may hold.  parse gets the value and fills in *out, which is
 * offset bytes into the section's struct; a key that is absent leaves its
 * default.  min, max and words are for the parse function.
 */
typedef int ini_parse_fn(struct ini *ini, const struct ini_field *f,
    char *value, void *out, struct err *err);

struct ini_field {
	const char *key;
	ini_parse_fn *parse;
	size_t offset;
	bool required;
	double min, max;
	const char *const *words; /* ends with NULL */
};

enum ini_arg { INI_NO_ARG, INI_ARG, INI_MAY_ARG };

struct ini_kind {
	const char *section;
	enum ini_arg arg;
	bool required;
	const struct ini_field *fields;
	size_t n_fields;
	/* Where the fields go: at offset into ctx, or what place() returns
	   (NULL with *err set: refused). */
	size_t offset;
	void *(*place)(struct ini *ini, const struct ini_section *s, void *ctx,
	    struct err *err);
};

/* Read the whole file by a closed table into ctx. */
int ini_read(struct ini *ini, const struct ini_kind *kinds, size_t n_kinds,
    void *ctx, struct err *err);

/*
 * Parse functions, by what out points to.  Numbers lie in min to max.
 */
ini_parse_fn ini_text; /* char *: one line, blanks folded; not empty;
			  at most max bytes where max is not 0 */
ini_parse_fn ini_size; /* size_t: a whole number */
ini_parse_fn ini_real; /* double, finite */
ini_parse_fn ini_word; /* int: which of words */
ini_parse_fn ini_bool; /* bool: yes or no */
ini_parse_fn ini_items; /* struct ini_list: separated by commas, "quoted"
			   where an item holds one; min to max items */

ini_parse_fn ini_path; /* char *: an absolute path */
ini_parse_fn ini_address; /* struct ini_address: HOST:PORT, min is the
			     smallest port */

struct ini_address {
	char *text; /* as written */
	char *host; /* without the brackets of [IPv6]; NULL: not set */
	uint16_t port;
};

/*
 * The next item of a value that is being taken apart: up to one of the
 * characters in stops, or quoted ("" inside quotes is one quote).  *p moves
 * behind the stop, which goes to *stop (NUL at the end).  *quoted may be NULL.
 */
int ini_item(struct ini *ini, char **p, const char *stops, char **item,
    char *stop, bool *quoted, struct err *err);

/* A number that is all of s: 0, or -1 without a message. */
int ini_number(const char *s, double *v);

/* Zeroed memory that lives as long as ini, or NULL with *err set. */
void *ini_alloc(struct ini *ini, size_t n, size_t size, struct err *err);

/* "FILE:LINE:COLUMN: ..." where at is any text of the file (a section's name,
   a key, a value, an item).  ERR_CONFIG; returns -1. */
int ini_error(const struct ini *ini, const char *at, struct err *err,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* Put that place before the message that is there.  Returns -1. */
int ini_prefix(const struct ini *ini, const char *at, struct err *err);

#endif
