#include "config.h"

#include "tests/anonymize/prepared.h"

#include "tests/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/file.h"

#define FILE_MAX ((size_t)1 << 26)

static const uint8_t digest[TABLE_DIGEST_LEN] = { 1, 2, 3 };

static int
memory(const char *text)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_int_not_equal(fd, -1);
	assert_int_equal(file_write_all(fd, text, strlen(text)), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void *
take(int fd, size_t *len)
{
	struct err err;
	void *data = file_read_fd(fd, "test", FILE_MAX, len, &err);

	assert_non_null(data);
	close(fd);
	return data;
}

void
prepared_run(struct prepared *o, const char *study, const char *csv,
    const struct prepare *more)
{
	struct prepare p = { 0 };
	struct err err = { 0 };
	size_t len, n;

	memset(o, 0, sizeof(*o));
	if ((o->s = study_parse("t", study, strlen(study), &err)) == NULL)
		fail_msg("%s", err.msg);
	if (more != NULL)
		p = *more;
	p.study = o->s;
	p.study_digest = digest;
	p.site = "here";
	p.source = "x.csv";
	p.source_fd = memory(csv);
	p.table_fd = memory("");
	p.json_fd = memory("");
	p.html_fd = memory("");
	o->r = prepare(&p, &o->result, &o->err);
	close(p.source_fd);
	o->file = take(p.table_fd, &len);
	o->json = take(p.json_fd, &o->json_len);
	o->html = take(p.html_fd, &n);
	if (o->r != 0)
		return;
	if (table_read(&o->table, o->file, len, o->s, digest, &err) != 0)
		fail_msg("%s", err.msg);
	o->report = json_read("report.json", o->json, o->json_len, &err);
	if (o->report == NULL)
		fail_msg("%s", err.msg);
}

void
prepared_free(struct prepared *o)
{
	free(o->file);
	free(o->json);
	free(o->html);
	json_read_free(o->report);
	study_free(o->s);
}

const double *
prepared_values(const struct prepared *o, const char *name)
{
	for (size_t i = 0; i < o->s->n_table; i++)
		if (strcmp(o->s->columns[o->s->table[i]].name, name) == 0)
			return table_column(&o->table, i);
	fail_msg("no column %s", name);
	return NULL;
}

double
prepared_number(const struct prepared *o, const char *path)
{
	const struct json_value *v = o->report;
	char name[64];

	for (const char *dot; (dot = strchr(path, '.')) != NULL;
	     path = dot + 1) {
		snprintf(name, sizeof(name), "%.*s", (int)(dot - path), path);
		v = json_get(v, name);
	}
	return json_get_number(v, path, NAN);
}

void
prepared_refused(const char *study, const char *why)
{
	struct err err = { 0 };

	assert_null(study_parse("t", study, strlen(study), &err));
	if (strstr(err.msg, why) == NULL)
		fail_msg("%s", err.msg);
}

unsigned
text_draw(struct text *t, unsigned below)
{
	t->seed = t->seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(t->seed >> 33) % below;
}

void
text_add(struct text *t, const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	assert_true(n > 0 && (size_t)n < sizeof(line));
	canon_raw(&t->c, line, (size_t)n);
}

const char *
text_end(struct text *t)
{
	canon_raw(&t->c, "", 1);
	assert_false(t->c.failed);
	return (const char *)t->c.data;
}
