/*
 * What is asked of a daemon over its control socket.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/canon.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/file.h"
#include "common/hex.h"
#include "common/macros.h"
#include "crypto/approval.h"
#include "crypto/hash.h"
#include "crypto/signed_study.h"
#include "ctl/ctl.h"
#include "ctl/passphrase.h"
#include "ctl/report_files.h"
#include "ctl/result_files.h"
#include "ctl/rows.h"
#include "privsep/ctl_client.h"

/* Ask; an answer that says no is an error too. */
static int
call(const struct ctl_args *a, const char *command, const void *body,
    size_t len, struct ctl_reply *reply, struct err *err)
{
	if (ctl_call(a->opt[CTL_SOCKET], command, a->operand, body, len, reply,
		err) < 0)
		return -1;
	if (reply->note[0] != '\0')
		fprintf(stderr, "consiliumctl: note: %s\n", reply->note);
	if (reply->code != ERR_NONE)
		return err_set(err, reply->code, "%s", reply->error);
	return 0;
}

static int
print_reply(
    const struct ctl_args *a, const struct ctl_reply *r, struct err *err)
{
	const char *columns[CTL_COLUMNS_MAX];
	const char **cells = calloc(r->n_cells + 1, sizeof(*cells));
	int rv;

	if (cells == NULL)
		return err_sys(err, "rows");
	for (size_t i = 0; i < r->n_columns; i++)
		columns[i] = r->columns[i];
	for (size_t i = 0; i < r->n_cells; i++)
		cells[i] = r->cells[i];
	rv = rows_print(columns, r->n_columns, cells, r->n_cells, a->json, err);
	free(cells);
	return rv;
}

int
ctl_ask(const struct ctl_args *a, struct err *err)
{
	struct ctl_reply reply = { 0 };
	int rv = call(a, a->command, NULL, 0, &reply, err);

	if (rv == 0 && a->operand != NULL && reply.n_cells == 0)
		rv = err_set(err, ERR_CONFIG, "no study of the name %s here",
		    a->operand);
	if (rv == 0)
		rv = print_reply(a, &reply, err);
	ctl_reply_free(&reply);
	return rv;
}

int
ctl_submit(const struct ctl_args *a, struct err *err)
{
	struct ctl_args ask = *a;
	struct ctl_reply reply = { 0 };
	char type[SIGNED_TYPE_MAX + 1];
	uint8_t *file;
	size_t len;
	int rv = -1;

	/* Both fit, with room for the rest of a request. */
	_Static_assert(MANIFEST_MAX < SIGNED_STUDY_MAX, "largest object");
	if ((file = file_read(a->operand, SIGNED_STUDY_MAX, &len, err)) == NULL)
		return -1;
	ask.operand = NULL;
	if (signed_type(file, len, type, err) < 0)
		err_prefix(err, "%s", a->operand);
	else if (strcmp(type, MANIFEST_TYPE) != 0 &&
	    strcmp(type, SIGNED_STUDY_TYPE) != 0)
		err_set(err, ERR_CONFIG,
		    "%s: a signed %s, expected a manifest or a study",
		    a->operand, type);
	else if ((rv = call(&ask, "submit", file, len, &reply, err)) == 0)
		rv = print_reply(a, &reply, err);
	ctl_reply_free(&reply);
	free(file);
	return rv;
}

/*
 * Reports
 */

struct report {
	struct ctl_reply reply;
	const uint8_t *file[REPORT_FILES]; /* within reply */
	size_t len[REPORT_FILES];
	uint8_t digest[HASH_LEN]; /* of the JSON */
};

/* Does text hold word? */
static bool
holds(const uint8_t *text, size_t len, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; n <= len && i <= len - n; i++)
		if (memcmp(text + i, word, n) == 0)
			return true;
	return false;
}

/* The report, whose JSON names its HTML. */
static int
get_report(const struct ctl_args *a, struct report *r, struct err *err)
{
	uint8_t digest[HASH_LEN];
	char hex[2 * HASH_LEN + 1];
	struct canon_in in;

	if (call(a, "report", NULL, 0, &r->reply, err) < 0)
		return -1;
	in = canon_in(r->reply.body, r->reply.body_len);
	for (size_t i = 0; i < REPORT_FILES; i++)
		r->file[i] = canon_get_bytes(&in, 1, CTL_REPLY_MAX, &r->len[i]);
	if (canon_end(&in, "the daemon's answer", err) < 0)
		return -1;
	hash_sha256(r->file[REPORT_JSON], r->len[REPORT_JSON], r->digest);
	hash_sha256(r->file[REPORT_HTML], r->len[REPORT_HTML], digest);
	hex_text(digest, sizeof(digest), hex);
	if (!holds(r->file[REPORT_JSON], r->len[REPORT_JSON], hex))
		return err_set(err, ERR_REFUSED,
		    "study %s: report.html is not the one that report.json "
		    "names",
		    a->operand);
	return 0;
}

static int
write_out(const struct ctl_args *a, const char *const *names,
    const struct canon *out, size_t n, struct err *err)
{
	static const char *const columns[] = { "file" };
	const char *paths[REPORT_FILES];

	assert(n <= nitems(paths));
	if (file_mkdirs(a->opt[CTL_OUT], 0700, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		paths[i] = ctl_path(a->opt[CTL_OUT], names[i], err);
		if (paths[i] == NULL ||
		    file_write(paths[i], out[i].data, out[i].len, 0640, err) <
			0)
			return -1;
	}
	return rows_print(columns, 1, paths, n, a->json, err);
}

int
ctl_report(const struct ctl_args *a, struct err *err)
{
	struct canon out[REPORT_FILES] = { { 0 } };
	struct report r = { 0 };
	int rv = get_report(a, &r, err);

	for (size_t i = 0; rv == 0 && i < REPORT_FILES; i++) {
		canon_raw(&out[i], r.file[i], r.len[i]);
		if (out[i].failed)
			rv = err_sys(err, "report");
	}
	if (rv == 0)
		rv = write_out(a, report_files, out, REPORT_FILES, err);
	for (size_t i = 0; i < REPORT_FILES; i++)
		canon_free(&out[i]);
	ctl_reply_free(&r.reply);
	return rv;
}

/*
 * The officer's decisions
 */

/* The digest in the column of that name in the only row. */
static int
get_digest(const struct ctl_reply *r, const char *column, uint8_t out[HASH_LEN],
    struct err *err)
{
	for (size_t i = 0; i < r->n_columns && i < r->n_cells; i++)
		if (strcmp(r->columns[i], column) == 0 &&
		    hex_bytes(r->cells[i], out, HASH_LEN) == 0)
			return 0;
	return err_set(
	    err, ERR_PEER, "the daemon's answer has no digest \"%s\"", column);
}

static int
get_digests(const struct ctl_args *a, struct approval *ap, struct err *err)
{
	struct ctl_reply reply = { 0 };
	int rv = -1;

	if (call(a, "digests", NULL, 0, &reply, err) == 0 &&
	    get_digest(&reply, "study", ap->study, err) == 0 &&
	    get_digest(&reply, "report", ap->report, err) == 0 &&
	    get_digest(&reply, "table", ap->table, err) == 0)
		rv = 0;
	ctl_reply_free(&reply);
	return rv;
}

/* What is signed is the report that the daemon shows and, where --report says
   so, the very file that the officer has read. */
static int
check_report(
    const struct ctl_args *a, const uint8_t digest[HASH_LEN], struct err *err)
{
	uint8_t *file, own[HASH_LEN];
	struct report r = { 0 };
	size_t len;
	int rv = get_report(a, &r, err);

	if (rv == 0 && memcmp(r.digest, digest, HASH_LEN) != 0)
		rv = err_set(err, ERR_REFUSED,
		    "study %s: the report is not the one that the daemon "
		    "wants approved",
		    a->operand);
	ctl_reply_free(&r.reply);
	if (rv < 0 || a->opt[CTL_REPORT] == NULL)
		return rv;
	if ((file = file_read(a->opt[CTL_REPORT], CTL_REPLY_MAX, &len, err)) ==
	    NULL)
		return -1;
	hash_sha256(file, len, own);
	free(file);
	if (memcmp(own, digest, HASH_LEN) != 0)
		return err_set(err, ERR_REFUSED,
		    "%s: is not the report of the present table; read it "
		    "again",
		    a->opt[CTL_REPORT]);
	return 0;
}

static int
sign(const struct ctl_args *a, struct approval *ap, struct canon *out,
    struct err *err)
{
	const char *path = a->opt[CTL_KEY];
	char *passphrase = NULL;
	struct key *k = NULL;
	int rv = -1, locked = key_locked(path, err);

	if (locked < 0)
		return -1;
	if (locked &&
	    (passphrase = passphrase_get(a->opt[CTL_PASSPHRASE_FILE],
		 "the officer's key", false, err)) == NULL)
		return -1;
	if ((k = key_load(path, passphrase, err)) != NULL)
		rv = approval_sign(ap, k, out, err);
	key_free(k);
	passphrase_free(passphrase);
	return rv;
}

int
ctl_decide(const struct ctl_args *a, struct err *err)
{
	struct ctl_reply reply = { 0 };
	struct approval ap = { .utc = clock_utc() };
	struct canon out = { 0 };
	int rv = -1;

	for (int v = APPROVAL_APPROVE; v <= APPROVAL_REVOKE; v++)
		if (strcmp(approval_verdict_name((enum approval_verdict)v),
			a->command) == 0)
			ap.verdict = (enum approval_verdict)v;
	if (get_digests(a, &ap, err) < 0 ||
	    (ap.verdict == APPROVAL_APPROVE &&
		check_report(a, ap.report, err) < 0) ||
	    sign(a, &ap, &out, err) < 0)
		goto out;
	if (call(a, a->command, out.data, out.len, &reply, err) == 0)
		rv = print_reply(a, &reply, err);
out:
	ctl_reply_free(&reply);
	canon_free(&out);
	return rv;
}

/*
 * Results
 */

int
ctl_result(const struct ctl_args *a, struct err *err)
{
	static const char *const names[] = { "result.json", "result.txt" };
	struct canon out[2] = { { 0 }, { 0 } };
	struct ctl_reply reply = { 0 };
	int rv = call(a, "result", NULL, 0, &reply, err);

	if (rv == 0)
		rv = result_files(
		    reply.body, reply.body_len, &out[0], &out[1], err);
	if (rv == 0)
		rv = write_out(a, names, out, nitems(names), err);
	canon_free(&out[0]);
	canon_free(&out[1]);
	ctl_reply_free(&reply);
	return rv;
}
