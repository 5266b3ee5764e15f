#include "common/ini.h"

#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/file.h"
#include "common/utf8.h"

struct block {
	struct block *next;
	_Alignas(max_align_t) unsigned char data[];
};

struct ini {
	char *file;
	/* text is src with ends and quotes cut in; offsets are the same, so
	   that any pointer into text has a line and a column in src. */
	char *src, *text; /* len and a NUL */
	size_t len;
	struct ini_section *sections;
	size_t n_sections, cap_sections, cap_keys;
	struct block *blocks;
};

int
ini_prefix(const struct ini *ini, const char *at, struct err *err)
{
	size_t off = (size_t)(at - ini->text), line = 1, start = 0;

	for (size_t i = 0; i < off && i < ini->len; i++) {
		if (ini->src[i] != '\n')
			continue;
		line++;
		start = i + 1;
	}
	return err_prefix(err, "%.80s:%zu:%zu", ini->file, line,
	    utf8_count(ini->src + start, off - start) + 1);
}

int
ini_error(const struct ini *ini, const char *at, struct err *err,
    const char *fmt, ...)
{
	char msg[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	err_set(err, ERR_CONFIG, "%s", msg);
	return ini_prefix(ini, at, err);
}

void *
ini_alloc(struct ini *ini, size_t n, size_t size, struct err *err)
{
	struct block *b = NULL;
	size_t bytes;

	if (!__builtin_mul_overflow(n, size, &bytes) &&
	    bytes < SIZE_MAX - sizeof(*b))
		b = calloc(1, sizeof(*b) + bytes);
	if (b == NULL) {
		err_sys(err, "%s: %zu times %zu bytes", ini->file, n, size);
		return NULL;
	}
	b->next = ini->blocks;
	ini->blocks = b;
	return b->data;
}

void
ini_free(struct ini *ini)
{
	if (ini == NULL)
		return;
	for (size_t i = 0; i < ini->n_sections; i++)
		free(ini->sections[i].keys);
	for (struct block *b = ini->blocks, *next; b != NULL; b = next) {
		next = b->next;
		free(b);
	}
	free(ini->sections);
	free(ini->text);
	free(ini->src);
	free(ini->file);
	free(ini);
}

const struct ini_section *
ini_sections(const struct ini *ini, size_t *n)
{
	*n = ini->n_sections;
	return ini->sections;
}

static bool
blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Cut blanks off both ends of [p, end), and a NUL in at the end. */
static char *
trim(char *p, char *end)
{
	while (p < end && blank(*p))
		p++;
	while (end > p && blank(end[-1]))
		end--;
	*end = '\0';
	return p;
}

static bool
is_word(const char *s)
{
	return *s != '\0' &&
	    s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

/* [name] or [name argument]; line is NUL-terminated. */
static int
add_section(struct ini *ini, char *line, struct err *err)
{
	char *end = line + strlen(line), *name, *arg = NULL, *gap;
	struct ini_section *s;

	if (end[-1] != ']' || end - line < 3)
		return ini_error(
		    ini, line, err, "expected [section] or [section argument]");
	end[-1] = '\0';
	name = trim(line + 1, end - 1);
	if ((gap = strpbrk(name, " \t")) != NULL) {
		arg = trim(gap, end - 1);
		*gap = '\0';
	}
	if (!is_word(name))
		return ini_error(ini, line, err,
		    "expected a section's name of a-z, 0-9 and -");
	for (size_t i = 0; i < ini->n_sections; i++) {
		s = &ini->sections[i];
		if (strcmp(s->name, name) != 0 ||
		    (arg == NULL) != (s->arg == NULL))
			continue;
		if (arg == NULL || strcmp(arg, s->arg) == 0)
			return ini_error(ini, line, err,
			    "section [%.40s%s%.60s] is there twice", name,
			    arg != NULL ? " " : "", arg != NULL ? arg : "");
	}
	if (ini->n_sections == INI_SECTIONS_MAX)
		return ini_error(
		    ini, line, err, "more than %d sections", INI_SECTIONS_MAX);
	if (ini->n_sections == ini->cap_sections) {
		size_t cap = ini->cap_sections * 2 + 16;

		s = reallocarray(ini->sections, cap, sizeof(*s));
		if (s == NULL)
			return err_sys(err, "%s", ini->file);
		ini->sections = s;
		ini->cap_sections = cap;
	}
	ini->cap_keys = 0;
	ini->sections[ini->n_sections++] =
	    (struct ini_section){ .name = name, .arg = arg };
	return 0;
}

/* key = value, where [line, end) includes the lines that continue it. */
static int
add_key(struct ini *ini, char *line, char *end, struct err *err)
{
	char *eq = memchr(line, '=', (size_t)(end - line)), *name, *value;
	struct ini_section *s;
	struct ini_key *keys;

	if (eq == NULL)
		return ini_error(ini, line, err,
		    "expected key = value, [section] or a # comment");
	if (ini->n_sections == 0)
		return ini_error(ini, line, err,
		    "expected a [section] before the first key");
	s = &ini->sections[ini->n_sections - 1];
	value = trim(eq + 1, end);
	name = trim(line, eq);
	if (!is_word(name))
		return ini_error(ini, line, err,
		    "expected a key of a-z, 0-9 and - before =");
	for (size_t i = 0; i < s->n_keys; i++) {
		if (strcmp(s->keys[i].name, name) == 0)
			return ini_error(ini, line, err,
			    "key \"%.60s\" is there twice in [%.40s]", name,
			    s->name);
	}
	if (s->n_keys == INI_KEYS_MAX)
		return ini_error(ini, line, err, "more than %d keys in [%.40s]",
		    INI_KEYS_MAX, s->name);
	if (s->n_keys == ini->cap_keys) {
		size_t cap = ini->cap_keys * 2 + 8;

		keys = reallocarray(s->keys, cap, sizeof(*keys));
		if (keys == NULL)
			return err_sys(err, "%s", ini->file);
		s->keys = keys;
		ini->cap_keys = cap;
	}
	s->keys[s->n_keys++] = (struct ini_key){ name, value };
	return 0;
}

/* The end of the line at p: its newline, or the end of the file. */
static char *
line_end(const struct ini *ini, char *p)
{
	char *nl = memchr(p, '\n', (size_t)(ini->text + ini->len - p));

	return nl != NULL ? nl : ini->text + ini->len;
}

/*
 * Where the value that starts on the line ending at end really ends: lines
 * that are indented go on, comments and empty lines in between are blanked.
 */
static char *
continued(struct ini *ini, char *end)
{
	char *stop = ini->text + ini->len, *last = end;

	while (end < stop) {
		char *line = end + 1, *next = line_end(ini, line), *p = line;

		while (p < next && blank(*p))
			p++;
		if (p < next && *p != '#' && p == line)
			break; /* not indented: something new */
		if (p < next && *p != '#')
			last = next;
		else
			memset(line, ' ', (size_t)(next - line));
		end = next;
	}
	return last;
}

static int
parse_lines(struct ini *ini, struct err *err)
{
	char *p = ini->text, *stop = ini->text + ini->len, *end, *s;

	if (ini->len >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
		p += 3; /* byte order mark */
	while (p < stop) {
		end = line_end(ini, p);
		for (s = p; s < end && blank(*s); s++)
			;
		if (s == end || *s == '#') {
			p = end + 1;
			continue;
		}
		if (s != p)
			return ini_error(ini, s, err,
			    "an indented line, but no key before it that it "
			    "could continue");
		if (*s == '[') {
			trim(s, end);
			if (add_section(ini, s, err) < 0)
				return -1;
		} else {
			end = continued(ini, end);
			if (add_key(ini, s, end, err) < 0)
				return -1;
		}
		p = end + 1;
	}
	return 0;
}

/* UTF-8 without control characters, in lines that have a limit. */
static int
check_text(const struct ini *ini, struct err *err)
{
	size_t start = 0, good = utf8_valid(ini->src, ini->len);

	for (size_t i = 0; i < good; i++) {
		unsigned char c = (unsigned char)ini->src[i];

		if (c == '\n') {
			start = i + 1;
			continue;
		}
		if (i - start >= INI_LINE_MAX)
			return ini_error(ini, ini->text + i, err,
			    "a line of more than %d bytes", INI_LINE_MAX);
		if (c == '\t' || (c == '\r' && ini->src[i + 1] == '\n'))
			continue;
		if (c < 0x20 || c == 0x7f)
			return ini_error(ini, ini->text + i, err,
			    "control character %u, expected text", c);
	}
	if (good != ini->len)
		return ini_error(ini, ini->text + good, err,
		    "not UTF-8, expected text in it");
	return 0;
}

struct ini *
ini_parse(const char *file, const void *data, size_t len, struct err *err)
{
	struct ini *ini;

	if (len > INI_FILE_MAX) {
		err_set(err, ERR_CONFIG, "%s: %zu bytes, expected at most %d",
		    file, len, INI_FILE_MAX);
		return NULL;
	}
	if ((ini = calloc(1, sizeof(*ini))) == NULL ||
	    (ini->file = strdup(file)) == NULL ||
	    (ini->src = malloc(len + 1)) == NULL ||
	    (ini->text = malloc(len + 1)) == NULL) {
		err_sys(err, "%s", file);
		ini_free(ini);
		return NULL;
	}
	ini->len = len;
	if (len != 0)
		memcpy(ini->src, data, len);
	ini->src[len] = '\0';
	memcpy(ini->text, ini->src, len + 1);
	if (check_text(ini, err) < 0 || parse_lines(ini, err) < 0) {
		ini_free(ini);
		return NULL;
	}
	return ini;
}

struct ini *
ini_load(const char *path, struct err *err)
{
	struct ini *ini;
	uint8_t *data;
	size_t len;

	if ((data = file_read(path, INI_FILE_MAX, &len, err)) == NULL)
		return NULL;
	ini = ini_parse(path, data, len, err);
	free(data);
	return ini;
}

/* Add ", word" to a list of what was expected, as far as there is room. */
static void
expect(char *buf, size_t size, const char *word, const char *more)
{
	size_t n = strlen(buf);

	snprintf(buf + n, size - n, "%s%s%s", n != 0 ? ", " : "", word, more);
}

static int
read_key(struct ini *ini, const struct ini_section *s, const struct ini_key *k,
    const struct ini_kind *kind, void *out, struct err *err)
{
	char known[320] = "";

	for (size_t i = 0; i < kind->n_fields; i++) {
		const struct ini_field *f = &kind->fields[i];

		if (strcmp(f->key, k->name) == 0)
			return f->parse(
			    ini, f, k->value, (char *)out + f->offset, err);
		expect(known, sizeof(known), f->key, "");
	}
	return ini_error(ini, k->name, err,
	    "unknown key \"%.60s\" in [%s], expected one of: %s", k->name,
	    s->name, known);
}

/* A missing key that stands indented in the section went into the value above
   it; src still has it. */
static int
say_swallowed(const struct ini *ini, const struct ini_section *s,
    const char *key, struct err *err)
{
	const char *line = ini->src + (s->name - ini->text);
	size_t len = strlen(key);

	while ((line = strchr(line, '\n')) != NULL && line[1] != '[') {
		line += 1 + strspn(line + 1, " \t");
		if (line[-1] != '\n' && strncmp(line, key, len) == 0 &&
		    line[len + strspn(line + len, " \t")] == '=')
			return ini_error(ini, ini->text + (line - ini->src),
			    err,
			    "\"%s\" is indented, and so a part of the value "
			    "above",
			    key);
	}
	return 0;
}

static int
read_section(struct ini *ini, const struct ini_section *s,
    const struct ini_kind *kind, void *ctx, struct err *err)
{
	void *out = (char *)ctx + kind->offset;

	if (kind->arg == INI_ARG && s->arg == NULL)
		return ini_error(
		    ini, s->name, err, "expected [%s NAME]", s->name);
	if (kind->arg == INI_NO_ARG && s->arg != NULL)
		return ini_error(
		    ini, s->arg, err, "expected [%s] without a name", s->name);
	if (kind->place != NULL &&
	    (out = kind->place(ini, s, ctx, err)) == NULL)
		return -1;
	for (size_t i = 0; i < s->n_keys; i++) {
		if (read_key(ini, s, &s->keys[i], kind, out, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < kind->n_fields; i++) {
		const struct ini_field *f = &kind->fields[i];
		size_t j = 0;

		while (j < s->n_keys && strcmp(s->keys[j].name, f->key) != 0)
			j++;
		if (f->required && j == s->n_keys &&
		    say_swallowed(ini, s, f->key, err) < 0)
			return -1;
		if (f->required && j == s->n_keys)
			return ini_error(ini, s->name, err,
			    "[%s%s%.60s] has no key \"%s\"", s->name,
			    s->arg != NULL ? " " : "",
			    s->arg != NULL ? s->arg : "", f->key);
	}
	return 0;
}

int
ini_read(struct ini *ini, const struct ini_kind *kinds, size_t n_kinds,
    void *ctx, struct err *err)
{
	char known[320] = "";
	size_t j;

	for (size_t i = 0; i < n_kinds; i++)
		expect(known, sizeof(known), kinds[i].section,
		    kinds[i].arg == INI_ARG ? " NAME" : "");
	for (size_t i = 0; i < ini->n_sections; i++) {
		const struct ini_section *s = &ini->sections[i];

		for (j = 0; j < n_kinds; j++) {
			if (strcmp(s->name, kinds[j].section) == 0)
				break;
		}
		if (j == n_kinds)
			return ini_error(ini, s->name, err,
			    "unknown section [%.60s], expected one of: %s",
			    s->name, known);
		if (read_section(ini, s, &kinds[j], ctx, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < n_kinds; i++) {
		for (j = 0; j < ini->n_sections; j++) {
			if (strcmp(ini->sections[j].name, kinds[i].section) ==
			    0)
				break;
		}
		if (kinds[i].required && j == ini->n_sections)
			return ini_error(ini, ini->text + ini->len, err,
			    "section [%s%s] is missing", kinds[i].section,
			    kinds[i].arg == INI_ARG ? " NAME" : "");
	}
	return 0;
}

int
ini_text(struct ini *ini, const struct ini_field *f, char *value, void *out,
    struct err *err)
{
	char *to = value;

	if (*value == '\0')
		return ini_error(ini, value, err, "%s: expected text", f->key);
	for (char *p = value; *p != '\0'; p++) {
		if (!blank(*p))
			*to++ = *p;
		else if (to[-1] != ' ')
			*to++ = ' ';
	}
	*to = '\0';
	if (f->max != 0 && (double)(to - value) > f->max)
		return ini_error(ini, value, err,
		    "%s: %td bytes, expected at most %.0f", f->key, to - value,
		    f->max);
	*(char **)out = value;
	return 0;
}

int
ini_size(struct ini *ini, const struct ini_field *f, char *value, void *out,
    struct err *err)
{
	size_t n = strspn(value, "0123456789");
	double v =
	    n > 0 && n <= 15 && value[n] == '\0' ? strtod(value, NULL) : -1;

	if (v < 0 || v < f->min || v > f->max)
		return ini_error(ini, value, err,
		    "%s: expected a whole number from %.0f to %.0f", f->key,
		    f->min, f->max);
	*(size_t *)out = (size_t)v;
	return 0;
}

int
ini_number(const char *s, double *v)
{
	static const char digits[] = "0123456789";
	const char *p = s + (*s == '-' || *s == '+');
	size_t whole = strspn(p, digits), part = 0;
	locale_t c, old;

	/* No hexadecimal, no infinity, no NaN, and a point whatever the
	   locale says. */
	p += whole;
	if (*p == '.') {
		part = strspn(p + 1, digits);
		p += 1 + part;
	}
	if (whole + part == 0)
		return -1;
	if (*p == 'e' || *p == 'E') {
		p += 1 + (p[1] == '-' || p[1] == '+');
		if (strspn(p, digits) == 0)
			return -1;
		p += strspn(p, digits);
	}
	if (*p != '\0' || (c = newlocale(LC_ALL_MASK, "C", NULL)) == NULL)
		return -1;
	old = uselocale(c);
	*v = strtod(s, NULL);
	uselocale(old);
	freelocale(c);
	return isfinite(*v) ? 0 : -1;
}

int
ini_real(struct ini *ini, const struct ini_field *f, char *value, void *out,
    struct err *err)
{
	double v;

	if (ini_number(value, &v) < 0 || v < f->min || v > f->max)
		return ini_error(ini, value, err,
		    "%s: expected a number from %g to %g", f->key, f->min,
		    f->max);
	*(double *)out = v;
	return 0;
}

int
ini_word(struct ini *ini, const struct ini_field *f, char *value, void *out,
    struct err *err)
{
	char known[320] = "";

	for (int i = 0; f->words[i] != NULL; i++) {
		if (strcmp(f->words[i], value) == 0) {
			*(int *)out = i;
			return 0;
		}
		expect(known, sizeof(known), f->words[i], "");
	}
	return ini_error(ini, value, err, "%s: \"%.60s\", expected one of: %s",
	    f->key, value, known);
}

int
ini_bool(struct ini *ini, const struct ini_field *f, char *value, void *out,
    struct err *err)
{
	bool yes = strcmp(value, "yes") == 0;

	if (!yes && strcmp(value, "no") != 0)
		return ini_error(
		    ini, value, err, "%s: expected yes or no", f->key);
	*(bool *)out = yes;
	return 0;
}

int
ini_path(struct ini *ini, const struct ini_field *f, char *value, void *out,
    struct err *err)
{
	if (*value != '/')
		return ini_error(
		    ini, value, err, "%s: expected an absolute path", f->key);
	*(char **)out = value;
	return 0;
}

int
ini_address(struct ini *ini, const struct ini_field *f, char *value, void *out,
    struct err *err)
{
	struct ini_field port_field = { f->key, ini_size, .min = f->min,
		.max = 65535 };
	struct ini_address *a = out;
	size_t port, len = strlen(value);
	char *colon = strrchr(value, ':'), *host;

	if ((host = ini_alloc(ini, len + 1, 1, err)) == NULL)
		return -1;
	if (*value == '[' && colon != NULL && colon[-1] == ']')
		memcpy(host, value + 1, (size_t)(colon - value) - 2);
	else if (colon != NULL && memchr(value, ':', len) == colon)
		memcpy(host, value, (size_t)(colon - value));
	if (*host == '\0' || strpbrk(host, " \t[]") != NULL)
		return ini_error(ini, value, err,
		    "%s: expected HOST:PORT or [IPV6-ADDRESS]:PORT", f->key);
	if (ini_size(ini, &port_field, colon + 1, &port, err) < 0)
		return -1;
	*a = (struct ini_address){ value, host, (uint16_t)port };
	return 0;
}

int
ini_item(struct ini *ini, char **p, const char *stops, char **item, char *stop,
    bool *quoted, struct err *err)
{
	char *s = *p, *end, *to;

	while (blank(*s))
		s++;
	if (quoted != NULL)
		*quoted = *s == '"';
	if (*s != '"') {
		end = s + strcspn(s, stops);
		*stop = *end;
		*item = trim(s, end);
		*p = end + (*stop != '\0');
		return 0;
	}
	*item = to = s + 1;
	for (end = s + 1; *end != '"' || end[1] == '"'; end++) {
		if (*end == '\0')
			return ini_error(
			    ini, s, err, "a quote that has no end");
		if (*end == '"')
			end++; /* "" is one */
		*to++ = *end;
	}
	for (s = end + 1; blank(*s); s++)
		;
	if (*s != '\0' && strchr(stops, *s) == NULL)
		return ini_error(ini, s, err,
		    "expected one of \"%s\" or the end after a quoted item",
		    stops);
	*to = '\0';
	*stop = *s;
	*p = s + (*stop != '\0');
	return 0;
}

int
ini_items(struct ini *ini, const struct ini_field *f, char *value, void *out,
    struct err *err)
{
	struct ini_list *list = out;
	char **items, stop = ',', *p = value;
	size_t n = 0, cap = 1;
	bool quoted;

	for (const char *c = value; *c != '\0'; c++)
		cap += *c == ',';
	if (cap > INI_ITEMS_MAX)
		return ini_error(ini, value, err, "%s: more than %d items",
		    f->key, INI_ITEMS_MAX);
	if ((items = ini_alloc(ini, cap, sizeof(*items), err)) == NULL)
		return -1;
	while (stop != '\0' && (*value != '\0' || n > 0)) {
		if (ini_item(ini, &p, ",", &items[n], &stop, &quoted, err) < 0)
			return -1;
		if (*items[n] == '\0' && !quoted)
			return ini_error(ini, items[n], err,
			    "%s: expected an item (an empty one is \"\")",
			    f->key);
		n++;
	}
	if ((double)n < f->min || (f->max != 0 && (double)n > f->max))
		return ini_error(ini, value, err,
		    "%s: %zu items, expected %.0f to %.0f", f->key, n, f->min,
		    f->max != 0 ? f->max : INI_ITEMS_MAX);
	*list = (struct ini_list){ items, n };
	return 0;
}
