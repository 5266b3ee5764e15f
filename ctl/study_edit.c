#include "ctl/study_edit.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/file.h"
#include "study/study.h"

struct line {
	const char *p;
	size_t len; /* with its end */
};

static bool
next_line(struct line *l, const char *end)
{
	const char *nl;

	l->p += l->len;
	if (l->p == end)
		return false;
	nl = memchr(l->p, '\n', (size_t)(end - l->p));
	l->len = nl != NULL ? (size_t)(nl - l->p) + 1 : (size_t)(end - l->p);
	return true;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The line without blanks around it. */
static struct line
trimmed(struct line l)
{
	while (l.len > 0 && is_blank(*l.p)) {
		l.p++;
		l.len--;
	}
	while (l.len > 0 && is_blank(l.p[l.len - 1]))
		l.len--;
	return l;
}

static bool
is_text(struct line l, const char *text)
{
	return l.len == strlen(text) && memcmp(l.p, text, l.len) == 0;
}

static bool
is_header(struct line l)
{
	return trimmed(l).len > 0 && *trimmed(l).p == '[';
}

static bool
is_section(struct line l, const struct study_change *c)
{
	struct line in = trimmed(l), name;
	size_t n = strlen(c->section);

	if (in.len < 2 || *in.p != '[')
		return false;
	in = trimmed((struct line){ in.p + 1, in.len - 2 });
	if (c->arg == NULL)
		return is_text(in, c->section);
	if (in.len <= n || memcmp(in.p, c->section, n) != 0 ||
	    !is_blank(in.p[n]))
		return false;
	name = trimmed((struct line){ in.p + n, in.len - n });
	return is_text(name, c->arg);
}

static bool
is_key(struct line l, const char *key)
{
	const char *eq = memchr(l.p, '=', l.len);

	/* A line that is indented goes on with the one before. */
	return eq != NULL && !is_blank(*l.p) &&
	    is_text(trimmed((struct line){ l.p, (size_t)(eq - l.p) }), key);
}

static bool
goes_on(struct line l)
{
	return is_blank(*l.p) && trimmed(l).len > 0;
}

/* Is the key in the section that begins with this header? */
static bool
has_key(struct line l, const char *end, const char *key)
{
	while (next_line(&l, end) && !is_header(l))
		if (is_key(l, key))
			return true;
	return false;
}

static void
put_key(struct canon *out, const struct study_change *c)
{
	canon_raw(out, c->key, strlen(c->key));
	canon_raw(out, " = ", 3);
	canon_raw(out, c->value, strlen(c->value));
	canon_raw(out, "\n", 1);
}

void
study_edit(const char *text, size_t len, const struct study_change *c, size_t n,
    struct canon *out)
{
	const char *end = text + len;
	struct line l = { text, 0 }, header = { text, 0 };
	bool dropped = false;

	while (next_line(&l, end)) {
		const struct study_change *change = NULL;

		if (dropped && goes_on(l))
			continue;
		dropped = false;
		if (is_header(l))
			header = l;
		for (size_t i = 0; i < n; i++)
			if (header.len > 0 && !is_header(l) &&
			    is_section(header, &c[i]) && is_key(l, c[i].key))
				change = &c[i];
		if (change != NULL) {
			put_key(out, change);
			dropped = true;
			continue;
		}
		canon_raw(out, l.p, l.len);
		for (size_t i = 0; i < n && is_header(l); i++)
			if (is_section(l, &c[i]) && !has_key(l, end, c[i].key))
				put_key(out, &c[i]);
	}
}

int
study_edit_file(const char *path, const struct study_change *c, size_t n,
    const char *out, struct err *err)
{
	struct canon text = { 0 };
	struct study *s = NULL;
	size_t len;
	uint8_t *before = file_read(path, STUDY_TEXT_MAX, &len, err);
	int r = -1;

	if (before == NULL)
		return -1;
	study_edit((const char *)before, len, c, n, &text);
	free(before);
	if (text.failed) {
		err_sys(err, "%s", out);
		goto done;
	}
	if ((s = study_parse(out, text.data, text.len, err)) != NULL)
		r = file_create(out, text.data, text.len, 0644, err);
done:
	study_free(s);
	canon_free(&text);
	return r;
}

int
study_edit_name(const struct study *s, const char *path, const char *wanted,
    const char *suffix, char name[STUDY_NAME_MAX + 1], struct err *err)
{
	int n = wanted != NULL
	    ? snprintf(name, STUDY_NAME_MAX + 1, "%s", wanted)
	    : snprintf(name, STUDY_NAME_MAX + 1, "%s%s", s->name, suffix);

	if (n > STUDY_NAME_MAX)
		return err_set(err, ERR_CONFIG,
		    "%s: the name would have more than %d bytes, expected "
		    "--name NAME",
		    path, STUDY_NAME_MAX);
	return 0;
}
