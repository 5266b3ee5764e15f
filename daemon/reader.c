/*
 * The reader: one preparation, then it ends.  It sees patient rows; it has the
 * source, the files that it writes, and a channel to the gate, over which only
 * digests and counts go back.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "anonymize/patients.h"
#include "anonymize/prepare.h"
#include "common/canon.h"
#include "common/catalogue.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/file.h"
#include "common/log.h"
#include "common/macros.h"
#include "privsep/loop.h"
#include "privsep/start.h"
#include "study/study.h"

#define SITE_NAME_SIZE (STUDY_NAME_MAX + 1)
#define KEY_FILE_MAX 256 /* bytes */

struct reader {
	struct child child;
	struct loop *loop;
};

/* The gate's order. */
struct order {
	uint8_t digest[TABLE_DIGEST_LEN];
	char site[SITE_NAME_SIZE];
	uint32_t smallest_k;
	const uint8_t *study;
	size_t study_len;
};

static int
order_read(const struct msg *m, struct order *o, struct err *err)
{
	struct canon_in in = canon_in(m->data, m->len);

	canon_get_raw(&in, o->digest, sizeof(o->digest));
	canon_get_text(&in, o->site, sizeof(o->site));
	o->smallest_k = canon_get_u32(&in);
	o->study = canon_get_bytes(&in, 1, STUDY_TEXT_MAX, &o->study_len);
	return canon_end(&in, "the order to the reader", err);
}

static void
log_places(const struct study *s, const struct prepare_result *r)
{
	const struct log_field study = log_field("STUDY", "%s", s->name);

	for (size_t i = 0; i < r->n_places; i++)
		log_fields(
		    LOG_WARNING, &study, 1, "row rejected: %s", r->places[i]);
	if (r->n_rejected > 0)
		log_fields(LOG_WARNING, &study, 1, "rows rejected: %zu of %zu",
		    r->n_rejected, r->n_read);
}

/* What was handed over under that name, if anything. */
static int
read_file(const struct child *child, const char *name, size_t max,
    uint8_t **data, size_t *len, struct err *err)
{
	int fd = child_fd(child, name);

	*data = NULL;
	if (fd == -1)
		return 0;
	*data = file_read_fd(fd, name, max, len, err);
	return *data != NULL ? 0 : -1;
}

static int
speak(const struct child *child, struct err *err)
{
	uint8_t *mo;
	size_t len;
	int r = read_file(child, "catalogue", CATALOGUE_MAX, &mo, &len, err);

	if (r == 0 && mo != NULL)
		r = catalogue_use("catalogue", mo, len, err);
	free(mo);
	return r;
}

/* The site's pseudonym key; *given: there is one. */
static int
read_secret(const struct child *c, uint8_t key[PATIENTS_KEY], bool *given,
    struct err *err)
{
	uint8_t *file;
	size_t len;
	int rv = read_file(c, "pseudonym.key", KEY_FILE_MAX, &file, &len, err);

	*given = file != NULL;
	if (file == NULL)
		return rv;
	rv = patients_key(file, len, "pseudonym.key", key, err);
	explicit_bzero(file, len);
	free(file);
	return rv;
}

/* Whose rows they are, if the source says it; *p is NULL if not. */
static int
know_patients(const struct child *c, const uint8_t *key, struct patients **p,
    struct err *err)
{
	const char *column = child_fact(c, "patient");
	const char *list = child_fact(c, "objections-name");

	*p = NULL;
	if (column == NULL)
		return 0;
	if (key == NULL)
		return err_set(
		    err, ERR_PEER, "started without the pseudonym key");
	if ((*p = patients_new(column, key, err)) == NULL)
		return -1;
	if (list == NULL)
		return 0;
	return patients_read_objections(
	    *p, child_fd(c, "objections"), list, err);
}

static int
run(struct reader *self, const struct order *o, struct patients *patients,
    const uint8_t *secret, struct prepare_result *result, struct err *err)
{
	const char *source = child_fact(&self->child, "source-name");
	struct study *s = study_parse("study", o->study, o->study_len, err);
	struct prepare p = {
		.study = s,
		.study_digest = o->digest,
		.site = o->site,
		.source_fd = child_fd(&self->child, "source"),
		.source = source != NULL ? source : "source",
		.socket = child_fact(&self->child, "socket"),
		.patients = patients,
		.secret = secret,
		.patients_fd = child_fd(&self->child, "patients"),
		.smallest_k = o->smallest_k,
		.utc = clock_utc(),
		.table_fd = child_fd(&self->child, "table"),
		.json_fd = child_fd(&self->child, "report.json"),
		.html_fd = child_fd(&self->child, "report.html"),
	};
	uint8_t *last = NULL;
	int r;

	if (s == NULL)
		return -1;
	if (p.source_fd == -1 || p.table_fd == -1 || p.json_fd == -1 ||
	    p.html_fd == -1 || (patients != NULL && p.patients_fd == -1)) {
		study_free(s);
		return err_set(
		    err, ERR_PEER, "started without source, table or report");
	}
	if (speak(&self->child, err) == -1 ||
	    read_file(&self->child, "last-report.json", PREPARE_REPORT_MAX,
		&last, &p.last_report_len, err) == -1) {
		r = -1;
	} else {
		p.last_report = (const char *)last;
		r = prepare(&p, result, err);
		log_places(s, result);
	}
	free(last);
	study_free(s);
	return r;
}

static int
on_job(void *self, struct msg *m, struct err *err)
{
	struct reader *reader = self;
	uint8_t digest[TABLE_DIGEST_LEN] = { 0 }, key[PATIENTS_KEY];
	struct prepare_result result;
	struct patients *patients = NULL;
	struct canon out = { 0 };
	size_t n_listed = 0;
	bool secret = false;
	struct order o;
	struct err why;
	enum msg_type type = MSG_READER_DONE;

	if (order_read(m, &o, err) == -1)
		return -1;
	if (read_secret(&reader->child, key, &secret, &why) == 0 &&
	    know_patients(
		&reader->child, secret ? key : NULL, &patients, &why) == 0 &&
	    run(reader, &o, patients, secret ? key : NULL, &result, &why) ==
		0) {
		if (patients != NULL)
			n_listed = patients_objections(patients, digest);
		canon_raw(&out, result.table_digest, TABLE_DIGEST_LEN);
		canon_raw(&out, result.report_digest, TABLE_DIGEST_LEN);
		canon_u64(&out, result.n_kept);
		canon_u64(&out, result.n_suppressed);
		canon_u64(&out, result.n_rejected);
		canon_u64(&out, result.n_objected);
		canon_u64(&out, n_listed);
		canon_raw(&out, digest, sizeof(digest));
	} else {
		type = MSG_JOB_FAILED;
		canon_u32(&out, why.code);
		canon_text(&out, why.msg);
	}
	patients_free(patients);
	explicit_bzero(key, sizeof(key));
	loop_stop(reader->loop);
	return chan_send_canon(
	    child_peer(&reader->child, PROC_GATE), type, m->tag, &out, err);
}

/* What the reader accepts, and from whom. */
static const struct handler handlers[] = {
	{ MSG_READER_JOB, PROC_GATE, TABLE_DIGEST_LEN + 12,
	    STUDY_TEXT_MAX + 128, on_job },
};

int
main(void)
{
	struct reader r = { 0 };
	struct err err;
	int rc = 1;

	/* What is freed is used again, so that its pages are cleared once. */
	mallopt(M_MMAP_THRESHOLD, 32 << 20);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	if (child_start(&r.child, PROC_READER, &err) == -1 ||
	    (r.loop = loop_new(&err)) == NULL ||
	    loop_add_chan(r.loop, (struct loop_chan){ .chan = r.child.parent },
		&err) == -1 ||
	    loop_add_chan(r.loop,
		(struct loop_chan){
		    .chan = child_peer(&r.child, PROC_GATE),
		    .table = handlers,
		    .n = nitems(handlers),
		    .self = &r,
		},
		&err) == -1 ||
	    child_ready(&r.child, "", &err) == -1 ||
	    loop_run(r.loop, &err) == -1)
		log_msg(LOG_ERR, "%s", err.msg);
	else
		rc = 0;
	loop_free(r.loop);
	child_free(&r.child);
	return rc;
}
