#include "tests/board/openmetrics.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERIES_MAX 4096
#define FAMILIES_MAX 64

/* What was read so far. */
struct reader {
	char names[FAMILIES_MAX]
		  [128]; /* of families; the last is the present */
	size_t n_names;
	char type[32];
	bool helped, united, sampled; /* of the present family */
	char *series[SERIES_MAX];
	size_t n_series;
};

static size_t
name_length(const char *s)
{
	size_t n = 0;

	while (isalpha((unsigned char)s[n]) || s[n] == '_' ||
	    (n > 0 && (isdigit((unsigned char)s[n]) || s[n] == ':')))
		n++;
	return n;
}

static const char *
new_family(struct reader *r, const char *name, size_t len, const char *type)
{
	static const char *const types[] = { "gauge", "counter", "info",
		"unknown" };
	bool known = false;

	for (size_t i = 0; i < r->n_names; i++) {
		if (strlen(r->names[i]) == len &&
		    memcmp(r->names[i], name, len) == 0)
			return "a family twice";
	}
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		known = known || strcmp(types[i], type) == 0;
	if (!known || r->n_names == FAMILIES_MAX || len > 100)
		return "TYPE";
	memcpy(r->names[r->n_names], name, len);
	r->names[r->n_names++][len] = '\0';
	snprintf(r->type, sizeof(r->type), "%s", type);
	r->helped = r->united = r->sampled = false;
	return NULL;
}

/* "# TYPE name type", "# UNIT name unit", "# HELP name text" */
static const char *
metadata(struct reader *r, const char *line)
{
	const char *name = line + 7, *rest, *now;
	size_t len = name_length(name);

	if (strlen(line) < 8 || line[6] != ' ' || len == 0 || name[len] != ' ')
		return "metadata";
	rest = name + len + 1;
	if (memcmp(line, "# TYPE", 6) == 0)
		return new_family(r, name, len, rest);
	now = r->n_names > 0 ? r->names[r->n_names - 1] : "";
	if (strlen(now) != len || memcmp(now, name, len) != 0 || r->sampled)
		return "metadata of another family, or after its samples";
	if (memcmp(line, "# HELP", 6) == 0) {
		if (r->helped || *rest == '\0')
			return "HELP";
		r->helped = true;
		return NULL;
	}
	if (memcmp(line, "# UNIT", 6) != 0 || r->united ||
	    strlen(rest) + 1 >= len || now[len - strlen(rest) - 1] != '_' ||
	    strcmp(now + len - strlen(rest), rest) != 0)
		return "UNIT";
	r->united = true;
	return NULL;
}

/* One or more name="value"; returns what is behind the brace, or NULL. */
static const char *
labels(const char *p)
{
	for (;;) {
		size_t len = name_length(p);

		if (len == 0 || p[len] != '=' || p[len + 1] != '"')
			return NULL;
		for (p += len + 2; *p != '"'; p++) {
			if (*p == '\\' && strchr("\\\"n", *++p) == NULL)
				return NULL;
			if (*p == '\0')
				return NULL;
		}
		p++;
		if (*p == '}')
			return p + 1;
		if (*p++ != ',')
			return NULL;
	}
}

static const char *
sample(struct reader *r, const char *line)
{
	const char *suffix = "", *p, *now;
	size_t len = name_length(line);
	char want[160], *end;

	if (r->n_names == 0)
		return "a sample without TYPE";
	now = r->names[r->n_names - 1];
	if (strcmp(r->type, "counter") == 0)
		suffix = "_total";
	else if (strcmp(r->type, "info") == 0)
		suffix = "_info";
	snprintf(want, sizeof(want), "%s%s", now, suffix);
	if (strlen(want) != len || memcmp(want, line, len) != 0)
		return "a sample's name";
	p = line + len;
	if (*p == '{' && (p = labels(p + 1)) == NULL)
		return "labels";
	for (size_t i = 0; i < r->n_series; i++) {
		if (strncmp(r->series[i], line, (size_t)(p - line)) == 0 &&
		    r->series[i][p - line] == '\0')
			return "a series twice";
	}
	if (r->n_series == SERIES_MAX)
		return "too many series";
	r->series[r->n_series++] = strndup(line, (size_t)(p - line));
	if (*p != ' ' || !isdigit((unsigned char)p[1]))
		return "a value";
	strtod(p + 1, &end);
	r->sampled = true;
	return *end == '\0' ? NULL : "a value";
}

const char *
openmetrics_check(const char *text)
{
	static char wrong[256];
	static struct reader r;
	const char *why = NULL, *end;
	bool ended = false;
	char line[1024];

	memset(&r, 0, sizeof(r));
	for (; *text != '\0' && why == NULL; text = end + 1) {
		end = strchr(text, '\n');
		if (end == NULL || end == text || end - text > 1000 || ended)
			return "a last line without end, an empty or long one, "
			       "or one after EOF";
		memcpy(line, text, (size_t)(end - text));
		line[end - text] = '\0';
		if (strcmp(line, "# EOF") == 0)
			ended = true;
		else
			why = line[0] == '#' ? metadata(&r, line)
					     : sample(&r, line);
	}
	for (size_t i = 0; i < r.n_series; i++)
		free(r.series[i]);
	if (why != NULL)
		snprintf(wrong, sizeof(wrong), "%s: %.200s", why, line);
	return why != NULL ? wrong : ended ? NULL : "no EOF";
}
