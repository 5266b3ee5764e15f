#include "common/json_read.h"

#include <stdbool.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "common/err.h"

/* The tree so far: the containers that are open, outermost first. */
struct builder {
	struct json_value *root;
	struct json_value *open[JSON_READ_DEPTH_MAX];
	size_t depth;
	char *key; /* of the next value, in an object */
	const char *why; /* it was given up */
};

static void
free_inside(struct json_value *v)
{
	for (size_t i = 0; i < v->n; i++)
		free_inside(&v->items[i]);
	free(v->items);
	free(v->text);
	free(v->key);
}

void
json_read_free(struct json_value *v)
{
	if (v == NULL)
		return;
	free_inside(v);
	free(v);
}

static const char no_memory[] = "no memory";

static char *
copy_text(struct builder *b, const unsigned char *p, size_t len)
{
	char *s;

	if (memchr(p, '\0', len) != NULL) {
		b->why = "a NUL in a text";
		return NULL;
	}
	if ((s = malloc(len + 1)) == NULL) {
		b->why = no_memory;
		return NULL;
	}
	memcpy(s, p, len);
	s[len] = '\0';
	return s;
}

/* A new value where the parser stands, or NULL. */
static struct json_value *
add(struct builder *b, enum json_kind kind)
{
	struct json_value *in, *items;

	if (b->depth == 0) {
		b->root = calloc(1, sizeof(*b->root));
		if (b->root == NULL)
			b->why = no_memory;
		else
			b->root->kind = kind;
		return b->root;
	}
	in = b->open[b->depth - 1];
	/* Room grows at the powers of two. */
	if ((in->n & (in->n - 1)) == 0) {
		items = reallocarray(
		    in->items, in->n != 0 ? 2 * in->n : 1, sizeof(*items));
		if (items == NULL) {
			b->why = no_memory;
			return NULL;
		}
		in->items = items;
	}
	in->items[in->n] = (struct json_value){ .kind = kind, .key = b->key };
	b->key = NULL;
	return &in->items[in->n++];
}

static int
on_null(void *self)
{
	return add(self, JSON_NULL) != NULL;
}

static int
on_boolean(void *self, int value)
{
	return add(self, value ? JSON_TRUE : JSON_FALSE) != NULL;
}

static int
on_number(void *self, const char *text, size_t len)
{
	struct json_value *v;
	char number[64];

	if (len >= sizeof(number)) {
		((struct builder *)self)->why = "a number of too many digits";
		return 0;
	}
	if ((v = add(self, JSON_NUMBER)) == NULL)
		return 0;
	memcpy(number, text, len);
	number[len] = '\0';
	v->number = strtod(number, NULL);
	return 1;
}

static int
on_text(void *self, const unsigned char *p, size_t len)
{
	char *text = copy_text(self, p, len);
	struct json_value *v = text != NULL ? add(self, JSON_TEXT) : NULL;

	if (v == NULL) {
		free(text);
		return 0;
	}
	v->text = text;
	return 1;
}

static int
on_key(void *self, const unsigned char *p, size_t len)
{
	struct builder *b = self;

	free(b->key);
	b->key = copy_text(b, p, len);
	return b->key != NULL;
}

/*
 * What is open is the newest of what it is in, so that its place stays: items
 * move only when their own container gets another one, after they are closed.
 */
static int
open_value(struct builder *b, enum json_kind kind)
{
	struct json_value *v;

	if (b->depth == JSON_READ_DEPTH_MAX) {
		b->why = "too deep";
		return 0;
	}
	if ((v = add(b, kind)) == NULL)
		return 0;
	b->open[b->depth++] = v;
	return 1;
}

static int
on_object(void *self)
{
	return open_value(self, JSON_OBJECT);
}

static int
on_array(void *self)
{
	return open_value(self, JSON_ARRAY);
}

static int
on_end(void *self)
{
	((struct builder *)self)->depth--;
	return 1;
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_boolean,
	.yajl_number = on_number,
	.yajl_string = on_text,
	.yajl_start_map = on_object,
	.yajl_map_key = on_key,
	.yajl_end_map = on_end,
	.yajl_start_array = on_array,
	.yajl_end_array = on_end,
};

struct json_value *
json_read(const char *name, const char *text, size_t len, struct err *err)
{
	struct builder b = { 0 };
	yajl_handle h;
	bool ok;

	if (len > JSON_READ_MAX) {
		err_set(err, ERR_FORMAT, "%s: %zu bytes, expected at most %zu",
		    name, len, JSON_READ_MAX);
		return NULL;
	}
	if ((h = yajl_alloc(&callbacks, NULL, &b)) == NULL) {
		err_sys(err, "%s", name);
		return NULL;
	}
	ok =
	    yajl_parse(h, (const unsigned char *)text, len) == yajl_status_ok &&
	    yajl_complete_parse(h) == yajl_status_ok && b.root != NULL;
	if (!ok) {
		/* Not yajl's own words: they quote the text. */
		errno = ENOMEM;
		if (b.why == no_memory)
			err_sys(err, "read %s", name);
		else
			err_set(err, ERR_FORMAT, "%s: byte %zu: %s", name,
			    yajl_get_bytes_consumed(h),
			    b.why != NULL ? b.why : "not JSON");
		json_read_free(b.root);
		b.root = NULL;
	}
	free(b.key);
	yajl_free(h);
	return b.root;
}

const struct json_value *
json_get(const struct json_value *v, const char *key)
{
	if (v == NULL || v->kind != JSON_OBJECT)
		return NULL;
	for (size_t i = 0; i < v->n; i++) {
		if (strcmp(v->items[i].key, key) == 0)
			return &v->items[i];
	}
	return NULL;
}

const char *
json_get_text(
    const struct json_value *v, const char *key, const char *otherwise)
{
	const struct json_value *m = json_get(v, key);

	return m != NULL && m->kind == JSON_TEXT ? m->text : otherwise;
}

double
json_get_number(const struct json_value *v, const char *key, double otherwise)
{
	const struct json_value *m = json_get(v, key);

	return m != NULL && m->kind == JSON_NUMBER ? m->number : otherwise;
}
