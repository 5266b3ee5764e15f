#include "ctl/json_read.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"

struct in {
	const char *name, *start, *p, *end;
	unsigned depth;
	struct err *err;
};

static int
fail(struct in *in, const char *expected)
{
	return err_set(in->err, ERR_FORMAT, "%s: byte %zu: expected %s",
	    in->name, (size_t)(in->p - in->start) + 1, expected);
}

static void
skip_space(struct in *in)
{
	while (in->p < in->end && strchr(" \t\r\n", *in->p) != NULL &&
	    *in->p != '\0')
		in->p++;
}

static bool
take(struct in *in, char c)
{
	skip_space(in);
	if (in->p == in->end || *in->p != c)
		return false;
	in->p++;
	return true;
}

static int
hex4(struct in *in, uint32_t *code)
{
	*code = 0;
	for (int i = 0; i < 4; i++, in->p++) {
		static const char digits[] = "0123456789abcdef";
		const char *d;

		if (in->p == in->end || *in->p == '\0' ||
		    (d = strchr(digits, *in->p | 0x20)) == NULL)
			return fail(in, "four hexadecimal digits");
		*code = *code << 4 | (uint32_t)(d - digits);
	}
	return 0;
}

static char *
put_utf8(char *out, uint32_t c)
{
	if (c < 0x80) {
		*out++ = (char)c;
	} else if (c < 0x800) {
		*out++ = (char)(0xc0 | c >> 6);
		*out++ = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*out++ = (char)(0xe0 | c >> 12);
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
		*out++ = (char)(0x80 | (c & 0x3f));
	} else {
		*out++ = (char)(0xf0 | c >> 18);
		*out++ = (char)(0x80 | (c >> 12 & 0x3f));
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
		*out++ = (char)(0x80 | (c & 0x3f));
	}
	return out;
}

/* Behind the backslash. */
static int
escape(struct in *in, char **out)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at;
	uint32_t c, low;

	if (in->p == in->end || *in->p == '\0')
		return fail(in, "an escape");
	if ((at = strchr(from, *in->p)) != NULL) {
		in->p++;
		*(*out)++ = to[at - from];
		return 0;
	}
	if (*in->p++ != 'u')
		return fail(in, "an escape");
	if (hex4(in, &c) < 0)
		return -1;
	if (c >= 0xd800 && c < 0xdc00) {
		if (in->end - in->p < 2 || in->p[0] != '\\' || in->p[1] != 'u')
			return fail(in, "a low surrogate");
		in->p += 2;
		if (hex4(in, &low) < 0)
			return -1;
		if (low < 0xdc00 || low > 0xdfff)
			return fail(in, "a low surrogate");
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	} else if (c == 0 || (c >= 0xdc00 && c < 0xe000)) {
		return fail(in, "a character");
	}
	*out = put_utf8(*out, c);
	return 0;
}

static char *
read_text(struct in *in)
{
	const char *close;
	char *text, *out;

	if (!take(in, '"')) {
		fail(in, "a string");
		return NULL;
	}
	/* No escape is shorter than what it stands for. */
	for (close = in->p; close < in->end && *close != '"'; close++)
		if (*close == '\\')
			close++;
	if (close >= in->end) {
		fail(in, "a string's end");
		return NULL;
	}
	if ((text = out = malloc((size_t)(close - in->p) + 1)) == NULL) {
		err_sys(in->err, "%s", in->name);
		return NULL;
	}
	while (in->p < close) {
		if ((unsigned char)*in->p < 0x20) {
			fail(in, "no control character");
			goto bad;
		}
		if (*in->p != '\\') {
			*out++ = *in->p++;
			continue;
		}
		in->p++;
		if (escape(in, &out) < 0)
			goto bad;
	}
	in->p++;
	*out = '\0';
	return text;
bad:
	free(text);
	return NULL;
}

static int
read_number(struct in *in, double *v)
{
	char buf[64], *end;
	size_t n = 0;

	while (in->p + n < in->end && n < sizeof(buf) - 1 && in->p[n] != '\0' &&
	    strchr("+-.0123456789eE", in->p[n]) != NULL) {
		buf[n] = in->p[n];
		n++;
	}
	buf[n] = '\0';
	*v = strtod(buf, &end);
	if (n == 0 || *end != '\0')
		return fail(in, "a value");
	in->p += n;
	return 0;
}

static int read_value(struct in *in, struct json_value *v);

static int
read_items(struct in *in, struct json_value *v, char close)
{
	size_t cap = 0;

	if (++in->depth > JSON_READ_DEPTH_MAX)
		return fail(in, "less depth");
	if (take(in, close)) {
		in->depth--;
		return 0;
	}
	do {
		if (v->n == cap) {
			size_t more = cap == 0 ? 8 : 2 * cap;
			struct json_value *items =
			    realloc(v->items, more * sizeof(*items));

			if (items == NULL)
				return err_sys(in->err, "%s", in->name);
			v->items = items;
			cap = more;
		}
		memset(&v->items[v->n], 0, sizeof(v->items[v->n]));
		v->n++;
		if (close == '}' &&
		    (v->items[v->n - 1].key = read_text(in)) == NULL)
			return -1;
		if (close == '}' && !take(in, ':'))
			return fail(in, "':'");
		if (read_value(in, &v->items[v->n - 1]) < 0)
			return -1;
	} while (take(in, ','));
	in->depth--;
	return take(in, close) ? 0 : fail(in, "',' or the end of a list");
}

static bool
word(struct in *in, const char *w)
{
	size_t n = strlen(w);

	if ((size_t)(in->end - in->p) < n || memcmp(in->p, w, n) != 0)
		return false;
	in->p += n;
	return true;
}

static int
read_value(struct in *in, struct json_value *v)
{
	skip_space(in);
	if (in->p == in->end)
		return fail(in, "a value");
	switch (*in->p) {
	case '{':
		in->p++;
		v->kind = JSON_OBJECT;
		return read_items(in, v, '}');
	case '[':
		in->p++;
		v->kind = JSON_ARRAY;
		return read_items(in, v, ']');
	case '"':
		v->kind = JSON_TEXT;
		return (v->text = read_text(in)) == NULL ? -1 : 0;
	}
	if (word(in, "null"))
		v->kind = JSON_NULL;
	else if (word(in, "false"))
		v->kind = JSON_FALSE;
	else if (word(in, "true"))
		v->kind = JSON_TRUE;
	else {
		v->kind = JSON_NUMBER;
		return read_number(in, &v->number);
	}
	return 0;
}

static void
clear(struct json_value *v)
{
	for (size_t i = 0; i < v->n; i++)
		clear(&v->items[i]);
	free(v->items);
	free(v->text);
	free(v->key);
}

struct json_value *
json_read(const char *name, const char *text, size_t len, struct err *err)
{
	struct in in = { name, text, text, text + len, 0, err };
	struct json_value *v;

	if (len > JSON_READ_MAX) {
		err_set(err, ERR_FORMAT, "%s: too long", name);
		return NULL;
	}
	if ((v = calloc(1, sizeof(*v))) == NULL) {
		err_sys(err, "%s", name);
		return NULL;
	}
	if (read_value(&in, v) < 0)
		goto bad;
	skip_space(&in);
	if (in.p != in.end) {
		fail(&in, "nothing more");
		goto bad;
	}
	return v;
bad:
	json_read_free(v);
	return NULL;
}

void
json_read_free(struct json_value *v)
{
	if (v == NULL)
		return;
	clear(v);
	free(v);
}

const struct json_value *
json_get(const struct json_value *v, const char *key)
{
	if (v == NULL || v->kind != JSON_OBJECT)
		return NULL;
	for (size_t i = 0; i < v->n; i++)
		if (strcmp(v->items[i].key, key) == 0)
			return &v->items[i];
	return NULL;
}

const char *
json_get_text(
    const struct json_value *v, const char *key, const char *otherwise)
{
	v = json_get(v, key);
	return v != NULL && v->kind == JSON_TEXT ? v->text : otherwise;
}

double
json_get_number(const struct json_value *v, const char *key, double otherwise)
{
	v = json_get(v, key);
	return v != NULL && v->kind == JSON_NUMBER ? v->number : otherwise;
}
