/*
 * A report as it was written to a folder, checked by anybody who has the site's
 * public key.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/file.h"
#include "common/hex.h"
#include "common/macros.h"
#include "crypto/hash.h"
#include "crypto/signed_report.h"
#include "ctl/ctl.h"
#include "common/json_read.h"
#include "ctl/report_files.h"

/* Is the member of v this digest in hexadecimal? */
static bool
is_digest(
    const struct json_value *v, const char *key, const uint8_t digest[HASH_LEN])
{
	char hex[2 * HASH_LEN + 1];

	hex_text(digest, HASH_LEN, hex);
	return strcmp(json_get_text(v, key, ""), hex) == 0;
}

/* The JSON is what was signed; what does it say of the rest? */
static int
check_content(const char *const paths[REPORT_FILES],
    const struct json_value *json, const struct signed_report *signature,
    const uint8_t html[HASH_LEN], struct err *err)
{
	if (strcmp(json_get_text(json, "format", ""), "consilium-report") != 0)
		return err_set(err, ERR_FORMAT,
		    "%s: \"format\" is not consilium-report",
		    paths[REPORT_JSON]);
	if (!is_digest(json, "html_digest", html))
		return err_set(err, ERR_REFUSED,
		    "%s: is not the one that report.json names",
		    paths[REPORT_HTML]);
	if (!is_digest(json_get(json, "study"), "digest", signature->study) ||
	    !is_digest(json, "table_digest", signature->table))
		return err_set(err, ERR_REFUSED,
		    "%s: names another study or table than the signature",
		    paths[REPORT_JSON]);
	return 0;
}

static void
print_report(const struct json_value *json, const struct signed_report *s)
{
	const struct json_value *study = json_get(json, "study");
	char report[2 * HASH_LEN + 1], key[2 * KEY_PUBLIC + 1];

	hex_text(s->report, HASH_LEN, report);
	hex_text(s->site, KEY_PUBLIC, key);
	printf("report.json and report.html are as the site's daemon made "
	       "them\n"
	       "site    %s\nstudy   %s\nmade    %s\nreport  %s\nkey     %s\n",
	    json_get_text(json, "site", ""), json_get_text(study, "name", ""),
	    json_get_text(json, "made", ""), report, key);
}

int
ctl_report_verify(const struct ctl_args *a, struct err *err)
{
	uint8_t pk[KEY_PUBLIC], digest[REPORT_FILES][HASH_LEN];
	uint8_t *file[REPORT_FILES] = { NULL };
	const char *paths[REPORT_FILES];
	struct json_value *json = NULL;
	struct signed_report signature;
	size_t len[REPORT_FILES];
	int rv = -1;

	if (ctl_public_key("--public-key", a->opt[CTL_PUBLIC_KEY], pk, err) < 0)
		return -1;
	for (size_t i = 0; i < REPORT_FILES; i++) {
		paths[i] = ctl_path(a->operand, report_files[i], err);
		if (paths[i] == NULL ||
		    (file[i] = file_read(
			 paths[i], REPORT_FILE_MAX, &len[i], err)) == NULL)
			goto out;
		hash_sha256(file[i], len[i], digest[i]);
	}
	if (signed_report_open(
		file[REPORT_SIG], len[REPORT_SIG], pk, &signature, err) < 0) {
		err_prefix(err, "%s", paths[REPORT_SIG]);
		goto out;
	}
	if (memcmp(signature.report, digest[REPORT_JSON], HASH_LEN) != 0) {
		err_set(err, ERR_REFUSED,
		    "%s: is not the report that was signed",
		    paths[REPORT_JSON]);
		goto out;
	}
	json = json_read(paths[REPORT_JSON], (const char *)file[REPORT_JSON],
	    len[REPORT_JSON], err);
	if (json == NULL ||
	    check_content(paths, json, &signature, digest[REPORT_HTML], err) <
		0)
		goto out;
	print_report(json, &signature);
	rv = 0;
out:
	json_read_free(json);
	for (size_t i = 0; i < REPORT_FILES; i++)
		free(file[i]);
	return rv;
}
