#include "common/canon.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"

static uint8_t *
grow(struct canon *c, size_t len)
{
	size_t cap = c->cap != 0 ? c->cap : 256;
	uint8_t *p;

	assert(!c->fixed || len <= c->cap - c->len);
	if (c->failed || len > SIZE_MAX / 2 - c->len) {
		c->failed = true;
		return NULL;
	}
	while (cap < c->len + len)
		cap *= 2;
	if (cap != c->cap) {
		/* Not realloc(): what moves may be secret. */
		if ((p = malloc(cap)) == NULL) {
			c->failed = true;
			return NULL;
		}
		if (c->len != 0)
			memcpy(p, c->data, c->len);
		if (c->data != NULL)
			explicit_bzero(c->data, c->cap);
		free(c->data);
		c->data = p;
		c->cap = cap;
	}
	p = c->data + c->len;
	c->len += len;
	return p;
}

struct canon
canon_on(void *room, size_t size)
{
	return (struct canon){ .data = room, .cap = size, .fixed = true };
}

static void
put_be(struct canon *c, uint64_t v, size_t bytes)
{
	uint8_t *p = grow(c, bytes);

	if (p == NULL)
		return;
	for (size_t i = 0; i < bytes; i++)
		p[i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
}

void
canon_u8(struct canon *c, uint8_t v)
{
	put_be(c, v, 1);
}

void
canon_u16(struct canon *c, uint16_t v)
{
	put_be(c, v, 2);
}

void
canon_u32(struct canon *c, uint32_t v)
{
	put_be(c, v, 4);
}

void
canon_u64(struct canon *c, uint64_t v)
{
	put_be(c, v, 8);
}

void
canon_f64(struct canon *c, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	put_be(c, bits, 8);
}

void
canon_raw(struct canon *c, const void *src, size_t len)
{
	uint8_t *p;

	if (len == 0 || (p = grow(c, len)) == NULL)
		return;
	memcpy(p, src, len);
}

void
canon_bytes(struct canon *c, const void *p, size_t len)
{
	if (len > UINT32_MAX) {
		c->failed = true;
		return;
	}
	canon_u32(c, (uint32_t)len);
	canon_raw(c, p, len);
}

void
canon_text(struct canon *c, const char *s)
{
	canon_bytes(c, s, strlen(s));
}

void
canon_free(struct canon *c)
{
	if (c->data != NULL)
		explicit_bzero(c->data, c->cap);
	if (!c->fixed)
		free(c->data);
	*c = (struct canon){ 0 };
}

struct canon_in
canon_in(const void *p, size_t len)
{
	const uint8_t *start = p;

	return (struct canon_in){
		.p = start,
		.end = len != 0 ? start + len : start,
	};
}

const uint8_t *
canon_get_view(struct canon_in *in, size_t len)
{
	const uint8_t *p = in->p;

	if (in->failed || len > (size_t)(in->end - in->p)) {
		in->failed = true;
		return NULL;
	}
	if (len != 0)
		in->p += len;
	return p;
}

static uint64_t
get_be(struct canon_in *in, size_t bytes)
{
	const uint8_t *p = canon_get_view(in, bytes);
	uint64_t v = 0;

	if (p == NULL)
		return 0;
	for (size_t i = 0; i < bytes; i++)
		v = v << 8 | p[i];
	return v;
}

uint8_t
canon_get_u8(struct canon_in *in)
{
	return (uint8_t)get_be(in, 1);
}

uint16_t
canon_get_u16(struct canon_in *in)
{
	return (uint16_t)get_be(in, 2);
}

uint32_t
canon_get_u32(struct canon_in *in)
{
	return (uint32_t)get_be(in, 4);
}

uint64_t
canon_get_u64(struct canon_in *in)
{
	return get_be(in, 8);
}

double
canon_get_f64(struct canon_in *in)
{
	uint64_t bits = get_be(in, 8);
	double v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

void
canon_get_raw(struct canon_in *in, void *out, size_t len)
{
	const uint8_t *p = canon_get_view(in, len);

	if (p == NULL)
		memset(out, 0, len);
	else if (len != 0)
		memcpy(out, p, len);
}

const uint8_t *
canon_get_bytes(struct canon_in *in, size_t min, size_t max, size_t *len)
{
	*len = canon_get_u32(in);
	if (*len < min || *len > max)
		in->failed = true;
	if (in->failed) {
		*len = 0;
		return NULL;
	}
	return canon_get_view(in, *len);
}

void
canon_get_text(struct canon_in *in, char *out, size_t size)
{
	size_t len;
	const uint8_t *p = canon_get_bytes(in, 1, size - 1, &len);

	out[0] = '\0';
	if (p == NULL) {
		in->failed = true;
		return;
	}
	for (size_t i = 0; i < len; i++) {
		if (p[i] < ' ' || p[i] == 0x7f) {
			in->failed = true;
			return;
		}
	}
	memcpy(out, p, len);
	out[len] = '\0';
}

void *
canon_room(struct canon_in *in, size_t n, size_t size)
{
	void *p = calloc(n + 1, size);

	if (p == NULL)
		in->failed = in->no_memory = true;
	return p;
}

int
canon_end(const struct canon_in *in, const char *what, struct err *err)
{
	if (in->no_memory) {
		errno = ENOMEM;
		return err_sys(err, "%s", what);
	}
	if (in->failed)
		return err_set(err, ERR_FORMAT,
		    "%s: cut short or a field out of bounds", what);
	if (in->p != in->end)
		return err_set(err, ERR_FORMAT, "%s: %zu bytes too long", what,
		    (size_t)(in->end - in->p));
	return 0;
}
