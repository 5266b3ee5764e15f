#include "board/snapshot.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/utf8.h"
#include "privsep/chan.h"

/* The field kinds of a study, in the order of the layout. */
enum kind { NAME, TEXT, U32, U64 };

#define AT(field)                                                              \
	offsetof(struct board_study, field),                                   \
	    sizeof(((struct board_study *)0)->field)

static const struct field {
	enum kind kind;
	size_t offset, size;
} fields[] = {
	{ NAME, AT(name) },
	{ NAME, AT(status) },
	{ U32, AT(step) },
	{ TEXT, AT(kind) },
	{ U64, AT(round) },
	{ TEXT, AT(phase) },
	{ U32, AT(have) },
	{ U32, AT(need) },
	{ U32, AT(most) },
	{ U64, AT(rounds_done) },
	{ U64, AT(deadline) },
	{ TEXT, AT(missing) },
	{ TEXT, AT(prepared) },
	{ TEXT, AT(decided) },
	{ TEXT, AT(why) },
};

#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

static bool
control(char c)
{
	return (unsigned char)c < ' ' || c == 0x7f;
}

/* Write text of a sender who does not know how it ends or what is in it. */
static void
put_plain(struct canon *c, const char *text)
{
	char s[BOARD_TEXT];
	size_t len = strnlen(text, BOARD_TEXT - 1);

	len = utf8_valid(text, len);
	for (size_t i = 0; i < len; i++)
		s[i] = control(text[i]) ? '?' : text[i];
	canon_bytes(c, s, len);
}

void
board_fact(struct board_writer *w, const char *name, const char *fmt, ...)
{
	char value[BOARD_TEXT];
	va_list ap;

	assert(w->n_facts < BOARD_FACTS_MAX);
	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	canon_text(&w->facts, name);
	put_plain(&w->facts, value);
	w->n_facts++;
}

void
board_study(struct board_writer *w, const struct board_study *s)
{
	assert(s->name[0] != '\0' && s->status[0] != '\0');
	if (w->n_studies == BOARD_STUDIES_MAX) {
		w->omitted++;
		return;
	}
	for (size_t i = 0; i < N_FIELDS; i++) {
		const void *p = (const char *)s + fields[i].offset;

		if (fields[i].kind == U32)
			canon_u32(&w->studies, *(const uint32_t *)p);
		else if (fields[i].kind == U64)
			canon_u64(&w->studies, *(const uint64_t *)p);
		else
			put_plain(&w->studies, p);
	}
	w->n_studies++;
}

int
board_write(struct board_writer *w, struct canon *out, struct err *err)
{
	bool failed;

	if (w->omitted > 0)
		board_fact(w, "studies not shown", "%u", w->omitted);
	canon_u32(out, w->n_facts);
	canon_raw(out, w->facts.data, w->facts.len);
	canon_u32(out, w->n_studies);
	canon_raw(out, w->studies.data, w->studies.len);
	failed = out->failed || w->facts.failed || w->studies.failed;
	canon_free(&w->facts);
	canon_free(&w->studies);
	*w = (struct board_writer){ 0 };
	if (failed)
		return err_set(err, ERR_SYSTEM, "board: no memory");
	return 0;
}

int
board_send(struct board_writer *w, struct chan *board, struct err *err)
{
	struct canon out = { 0 };

	if (board_write(w, &out, err) < 0) {
		canon_free(&out);
		return -1;
	}
	if (board == NULL) {
		canon_free(&out);
		return 0;
	}
	return chan_send_canon(board, MSG_BOARD, 0, &out, err);
}

/* Text of min to size-1 bytes that is plain. */
static void
get_plain(struct canon_in *in, size_t min, char *out, size_t size)
{
	size_t len;
	const uint8_t *p = canon_get_bytes(in, min, size - 1, &len);

	if (p == NULL) {
		in->failed = true;
		return;
	}
	memcpy(out, p, len);
	out[len] = '\0';
	for (size_t i = 0; i < len; i++) {
		if (control(out[i]))
			in->failed = true;
	}
	if (utf8_valid(out, len) != len)
		in->failed = true;
}

static void
get_study(struct canon_in *in, struct board_study *s)
{
	for (size_t i = 0; i < N_FIELDS; i++) {
		void *p = (char *)s + fields[i].offset;

		if (fields[i].kind == U32)
			*(uint32_t *)p = canon_get_u32(in);
		else if (fields[i].kind == U64)
			*(uint64_t *)p = canon_get_u64(in);
		else
			get_plain(
			    in, fields[i].kind == NAME, p, fields[i].size);
	}
}

/* Does a name at the start of each of n things of size bytes repeat? */
static bool
repeats(const void *things, size_t n, size_t size)
{
	const char *p = things;

	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < i; j++) {
			if (strcmp(p + i * size, p + j * size) == 0)
				return true;
		}
	}
	return false;
}

/* A count of at most max, and that many zeroed things. */
static void *
get_count(struct canon_in *in, size_t max, size_t size, size_t *n)
{
	uint32_t count = canon_get_u32(in);

	*n = 0;
	if (count > max) {
		in->failed = true;
		return NULL;
	}
	*n = count;
	return calloc((size_t)count + 1, size);
}

static int
check(const struct board_snapshot *s, struct err *err)
{
	if (repeats(s->facts, s->n_facts, sizeof(*s->facts)))
		return err_set(err, ERR_FORMAT, "BOARD: a fact twice");
	if (repeats(s->studies, s->n_studies, sizeof(*s->studies)))
		return err_set(err, ERR_FORMAT, "BOARD: a study twice");
	return 0;
}

struct board_snapshot *
board_read(const void *data, size_t len, struct err *err)
{
	struct canon_in in = canon_in(data, len);
	struct board_snapshot *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		err_sys(err, "board");
		return NULL;
	}
	s->facts =
	    get_count(&in, BOARD_FACTS_MAX, sizeof(*s->facts), &s->n_facts);
	for (size_t i = 0; i < s->n_facts && s->facts != NULL; i++) {
		get_plain(&in, 1, s->facts[i].name, BOARD_NAME);
		get_plain(&in, 0, s->facts[i].value, BOARD_TEXT);
	}
	s->studies = get_count(
	    &in, BOARD_STUDIES_MAX, sizeof(*s->studies), &s->n_studies);
	for (size_t i = 0; i < s->n_studies && s->studies != NULL; i++)
		get_study(&in, &s->studies[i]);
	if (!in.failed && (s->facts == NULL || s->studies == NULL))
		err_set(err, ERR_SYSTEM, "BOARD: no memory");
	else if (canon_end(&in, "BOARD", err) == 0 && check(s, err) == 0)
		return s;
	board_snapshot_free(s);
	return NULL;
}

void
board_snapshot_free(struct board_snapshot *s)
{
	if (s == NULL)
		return;
	free(s->facts);
	free(s->studies);
	free(s);
}
