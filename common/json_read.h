/*
 * JSON (RFC 8259), read by yajl: all of a text into one tree.  For our own
 * results and for answers of consiliumctl; depth and size are bounded.
 */
#ifndef COMMON_JSON_READ_H
#define COMMON_JSON_READ_H

#include <stddef.h>

struct err;

#define JSON_READ_DEPTH_MAX 32
#define JSON_READ_MAX ((size_t)64 << 20) /* bytes of text */

enum json_kind {
	JSON_NULL,
	JSON_FALSE,
	JSON_TRUE,
	JSON_NUMBER,
	JSON_TEXT,
	JSON_ARRAY,
	JSON_OBJECT,
};

struct json_value {
	enum json_kind kind;
	char *key; /* in an object; else NULL */
	double number;
	char *text; /* UTF-8 */
	struct json_value *items; /* (n), of an array or object */
	size_t n;
};

/* NULL with ERR_FORMAT and the byte's place; name is what errors call it. */
struct json_value *json_read(
    const char *name, const char *text, size_t len, struct err *err);
void json_read_free(struct json_value *v); /* NULL is fine */

/* The member of an object; NULL if v is NULL, no object or has none. */
const struct json_value *json_get(const struct json_value *v, const char *key);
/* The member's text or number, or what is given instead. */
const char *json_get_text(
    const struct json_value *v, const char *key, const char *otherwise);
double json_get_number(
    const struct json_value *v, const char *key, double otherwise);

#endif
