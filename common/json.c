#include "common/json.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/canon.h"

struct json
json_start(struct canon *out)
{
	return (struct json){ .out = out };
}

static void
put(struct json *j, const char *s)
{
	canon_raw(j->out, s, strlen(s));
}

static void
put_quoted(struct json *j, const char *s)
{
	char esc[8];

	put(j, "\"");
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\') {
			esc[0] = '\\';
			esc[1] = (char)c;
			canon_raw(j->out, esc, 2);
		} else if (c < 0x20) {
			snprintf(esc, sizeof(esc), "\\u%04x", c);
			put(j, esc);
		} else {
			canon_raw(j->out, s, 1);
		}
	}
	put(j, "\"");
}

static void
indent(struct json *j)
{
	put(j, "\n");
	for (unsigned i = 0; i < j->depth; i++)
		put(j, "  ");
}

static void
begin(struct json *j, const char *key)
{
	if (j->some[j->depth])
		put(j, ",");
	j->some[j->depth] = true;
	if (j->depth > 0)
		indent(j);
	if (key != NULL) {
		put_quoted(j, key);
		put(j, ": ");
	}
}

static void
open_level(struct json *j, const char *key, const char *bracket)
{
	begin(j, key);
	put(j, bracket);
	assert(j->depth + 1 < JSON_DEPTH_MAX);
	j->some[++j->depth] = false;
}

static void
close_level(struct json *j, const char *bracket)
{
	bool some = j->some[j->depth];

	assert(j->depth > 0);
	j->depth--;
	if (some)
		indent(j);
	put(j, bracket);
	if (j->depth == 0)
		put(j, "\n");
}

void
json_object(struct json *j, const char *key)
{
	open_level(j, key, "{");
}

void
json_array(struct json *j, const char *key)
{
	open_level(j, key, "[");
}

void
json_end_object(struct json *j)
{
	close_level(j, "}");
}

void
json_end_array(struct json *j)
{
	close_level(j, "]");
}

void
json_text(struct json *j, const char *key, const char *value)
{
	begin(j, key);
	put_quoted(j, value);
}

void
json_real(struct json *j, const char *key, double value)
{
	char buf[40];

	begin(j, key);
	if (isfinite(value))
		snprintf(buf, sizeof(buf), "%.17g", value);
	else
		snprintf(buf, sizeof(buf), "null");
	put(j, buf);
}

void
json_int(struct json *j, const char *key, int64_t value)
{
	char buf[24];

	begin(j, key);
	snprintf(buf, sizeof(buf), "%" PRId64, value);
	put(j, buf);
}

void
json_bool(struct json *j, const char *key, bool value)
{
	begin(j, key);
	put(j, value ? "true" : "false");
}

void
json_null(struct json *j, const char *key)
{
	begin(j, key);
	put(j, "null");
}
