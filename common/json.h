/*
 * A writer of JSON (RFC 8259) into a struct canon used as a growing buffer.
 * It places the commas, the quotes and two spaces of indentation.  Numbers are
 * written with 17 significant digits, so that reading them gives the same
 * double; NaN and infinities, which JSON does not have, become null.
 * Text must be UTF-8.
 */
#ifndef COMMON_JSON_H
#define COMMON_JSON_H

#include <stdbool.h>
#include <stdint.h>

struct canon;

#define JSON_DEPTH_MAX 32

struct json {
	struct canon *out;
	unsigned depth;
	bool some[JSON_DEPTH_MAX]; /* something stands at this depth */
};

struct json json_start(struct canon *out);

/* key is NULL inside an array and at the top. */
void json_object(struct json *j, const char *key);
void json_array(struct json *j, const char *key);
void json_end_object(struct json *j);
void json_end_array(struct json *j);
void json_text(struct json *j, const char *key, const char *value);
void json_real(struct json *j, const char *key, double value);
void json_int(struct json *j, const char *key, int64_t value);
void json_bool(struct json *j, const char *key, bool value);
void json_null(struct json *j, const char *key);

#endif
