/*
 * Keys, what is signed, certificates and the audit log when memory, files or
 * OpenSSL fail at each of their calls.
 */
#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/file.h"
#include "crypto/approval.h"
#include "crypto/audit.h"
#include "crypto/cert.h"
#include "crypto/cert_own.h"
#include "crypto/checkpoint.h"
#include "crypto/finished.h"
#include "crypto/join.h"
#include "crypto/manifest.h"
#include "crypto/signed_report.h"
#include "crypto/signed_study.h"
#include "crypto/vault.h"
#include "tests/faults/inside.h"

#define NOW INT64_C(1795000000) /* November 2026 */

static char dir[] = "/tmp/test_faults.XXXXXX";
static struct key *root, *next, *identity;

static const char *
in_dir(const char *name)
{
	static char path[4][64];
	static unsigned n;
	char *p = path[n++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static int
set_up(void **state)
{
	struct err err;

	(void)state;
	if (mkdtemp(dir) == NULL || (root = key_new(&err)) == NULL ||
	    (next = key_new(&err)) == NULL ||
	    (identity = key_new(&err)) == NULL)
		return -1;
	return 0;
}

static int
tear_down(void **state)
{
	char command[64];

	(void)state;
	key_free(root);
	key_free(next);
	key_free(identity);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

/*
 * What is signed: made, opened, and the same as before
 */

static void
make_member(struct manifest_member *m, const char *name, const struct key *k)
{
	snprintf(m->name, sizeof(m->name), "%s", name);
	memcpy(m->key, key_public(k), KEY_PUBLIC);
	memset(m->tls, m->key[0], sizeof(m->tls));
}

static int
use_manifest(void *self, struct err *err)
{
	struct manifest_site site = { .id = 1, .active = true };
	struct manifest m = { .consortium = "eurobreast",
		.epoch = 9,
		.policy = manifest_policy_default(),
		.sites = &site,
		.n_sites = 1 };
	struct manifest *back = NULL, *kept = NULL, *own = NULL;
	struct canon out = { 0 }, roots = { 0 };
	struct canon_in in;
	uint32_t epoch;
	int rv = -1;

	(void)self;
	make_member(&site.member, "lyon", identity);
	make_member(&m.coordinator, "hub", next);
	memcpy(m.roots.first, key_public(root), KEY_PUBLIC);
	if (manifest_change_root(
		&m.roots, m.consortium, root, key_public(next), 8, err) < 0 ||
	    manifest_sign(&m, next, &out, err) < 0 ||
	    manifest_peek_epoch(out.data, out.len, &epoch, err) < 0 ||
	    (back = manifest_open(out.data, out.len, key_public(root), err)) ==
		NULL ||
	    (kept = manifest_open_kept(out.data, out.len, &back->roots, err)) ==
		NULL ||
	    (own = manifest_open_own(out.data, out.len, err)) == NULL)
		goto out;
	manifest_roots_put(&roots, &back->roots);
	if (roots.failed) {
		err_set(err, ERR_SYSTEM, "out of memory");
		goto out;
	}
	in = canon_in(roots.data, roots.len);
	manifest_roots_get(&in, &m.roots);
	rv = epoch == 9 && own->n_sites == 1 && !in.failed
	    ? 0
	    : err_set(err, ERR_FORMAT, "another manifest");
out:
	canon_free(&out);
	canon_free(&roots);
	manifest_free(back);
	manifest_free(kept);
	manifest_free(own);
	return rv;
}

static int
use_study(void *self, struct err *err)
{
	uint16_t sites[] = { 1, 2, 5 };
	char text[] = "[study]\n";
	struct signed_study s = { .epoch = 9,
		.sites = sites,
		.n_sites = 3,
		.text = text,
		.text_len = sizeof(text) - 1 };
	struct manifest_roots roots = { 0 };
	struct signed_study *back = NULL, *kept = NULL;
	struct canon out = { 0 };
	int rv = -1;

	(void)self;
	memcpy(roots.first, key_public(root), KEY_PUBLIC);
	if (signed_study_sign(&s, root, &out, err) == 0 &&
	    (back = signed_study_open(
		 out.data, out.len, key_public(root), err)) != NULL &&
	    (kept = signed_study_open_kept(out.data, out.len, &roots, err)) !=
		NULL)
		rv = 0;
	canon_free(&out);
	signed_study_free(back);
	signed_study_free(kept);
	return rv;
}

static int
use_decision(void *self, struct err *err)
{
	struct approval a = { .verdict = APPROVAL_REVOKE, .utc = NOW }, read;
	struct signed_report r = { .study = { 1 } }, r_read;
	uint8_t officers[1][KEY_PUBLIC];
	struct canon out = { 0 }, report = { 0 };
	int rv = -1;

	(void)self;
	memcpy(officers[0], key_public(identity), KEY_PUBLIC);
	if (approval_sign(&a, identity, &out, err) == 0 &&
	    approval_open(out.data, out.len,
		(const uint8_t(*)[KEY_PUBLIC])officers, 1, &read, err) == 0 &&
	    signed_report_sign(&r, identity, &report, err) == 0 &&
	    signed_report_open(report.data, report.len, key_public(identity),
		&r_read, err) == 0)
		rv = read.verdict == APPROVAL_REVOKE && r_read.study[0] == 1
		    ? 0
		    : err_set(err, ERR_FORMAT, "another decision");
	canon_free(&out);
	canon_free(&report);
	return rv;
}

static int
use_checkpoint(void *self, struct err *err)
{
	struct checkpoint c = { .utc = NOW, .state = { .count = 7 } }, read;
	struct canon out = { 0 }, both = { 0 };
	int rv = -1;

	(void)self;
	if (checkpoint_sign(&c, identity, &out, err) == 0 &&
	    checkpoint_open(
		out.data, out.len, key_public(identity), &read, err) == 0 &&
	    checkpoint_countersign(out.data, out.len, NOW, root, &both, err) ==
		0 &&
	    checkpoint_open_countersigned(both.data, both.len, key_public(root),
		key_public(identity), &read, err) == 0)
		rv = read.state.count == 7
		    ? 0
		    : err_set(err, ERR_FORMAT, "another checkpoint");
	canon_free(&out);
	canon_free(&both);
	return rv;
}

static int
use_join(void *self, struct err *err)
{
	struct join_request r = { .role = JOIN_COORDINATOR,
		.name = "hub",
		.host = "hub.example.org",
		.spki_len = 91 },
			    r_read;
	struct join_welcome w = { .role = JOIN_SITE,
		.consortium = "eurobreast",
		.name = "lyon" },
			    w_read;
	struct canon request = { 0 }, welcome = { 0 };
	int rv = -1;

	(void)self;
	memcpy(w.key, key_public(identity), KEY_PUBLIC);
	memcpy(w.coordinator, key_public(next), KEY_PUBLIC);
	snprintf(w.ca_pem, sizeof(w.ca_pem), "x");
	snprintf(w.tls_pem, sizeof(w.tls_pem), "x");
	if (join_request_sign(&r, identity, &request, err) == 0 &&
	    join_request_open(request.data, request.len, &r_read, err) == 0 &&
	    join_welcome_sign(&w, root, &welcome, err) == 0 &&
	    join_welcome_open(welcome.data, welcome.len, &w_read, err) == 0)
		rv = 0;
	canon_free(&request);
	canon_free(&welcome);
	return rv;
}

static void
what_is_too_short_for_the_vault_is_refused(void **state)
{
	uint8_t key[VAULT_KEY];
	struct canon plain = { 0 };
	struct err err;

	(void)state;
	vault_key(identity, key);
	assert_int_equal(vault_open(key, "prekey", "abc", 3, &plain, &err), -1);
	assert_string_equal(err.msg, "prekey: cut short");
	assert_int_equal(plain.len, 0);
}

static int
use_vault(void *self, struct err *err)
{
	uint8_t key[VAULT_KEY];
	struct canon sealed = { 0 }, plain = { 0 };
	int rv = -1;

	(void)self;
	vault_key(identity, key);
	if (vault_seal(key, "prekey", "secret", 6, &sealed, err) == 0 &&
	    vault_open(key, "prekey", sealed.data, sealed.len, &plain, err) ==
		0)
		rv = plain.len == 6 ? 0 : err_set(err, ERR_FORMAT, "other");
	canon_free(&sealed);
	canon_free(&plain);
	return rv;
}

static int
use_finished(void *self, struct err *err)
{
	struct finished_round rounds[] = { { 3, 0, "counts", 4, "a b c d",
	    7 } };
	struct finished f = { .consortium = "eurobreast",
		.n_sites = 4,
		.smallest_sites = 3,
		.text = "t",
		.text_len = 1,
		.plan = (const uint8_t *)"p",
		.plan_len = 1,
		.rounds = rounds,
		.n_rounds = 1 };
	struct finished *back = NULL;
	struct canon out = { 0 };
	int rv = -1;

	(void)self;
	if (finished_write(&f, &out, err) == 0 &&
	    (back = finished_read(out.data, out.len, err)) != NULL)
		rv = 0;
	canon_free(&out);
	finished_free(back);
	return rv;
}

static void
what_is_signed_without_memory(void **state)
{
	static const operation uses[] = { use_manifest, use_study, use_decision,
		use_checkpoint, use_join, use_vault, use_finished };

	(void)state;
	for (size_t i = 0; i < sizeof(uses) / sizeof(*uses); i++)
		every_fault(INSIDE_MEMORY, uses[i], NULL, NULL);
}

/*
 * Files of keys
 */

static int
use_keys(void *self, struct err *err)
{
	struct key *k = key_new(err), *back = NULL;
	uint8_t pk[KEY_PUBLIC], secret[KEY_RAW];
	int rv = -1;

	(void)self;
	unlink(in_dir("key"));
	unlink(in_dir("pub"));
	unlink(in_dir("raw"));
	if (k != NULL && key_save(k, in_dir("key"), NULL, err) == 0 &&
	    key_locked(in_dir("key"), err) == 0 &&
	    (back = key_load(in_dir("key"), NULL, err)) != NULL &&
	    key_public_save(key_public(k), in_dir("pub"), err) == 0 &&
	    key_public_load(in_dir("pub"), pk, err) == 0 &&
	    secret_create(in_dir("raw"), err) == 0 &&
	    secret_load(in_dir("raw"), secret, err) == 0)
		rv = memcmp(pk, key_public(back), KEY_PUBLIC) == 0
		    ? 0
		    : err_set(err, ERR_FORMAT, "another key");
	key_free(k);
	key_free(back);
	return rv;
}

static void
keys_without_memory_or_files(void **state)
{
	(void)state;
	every_fault(INSIDE_MEMORY, use_keys, NULL, NULL);
	every_fault(INSIDE_FILES, use_keys, NULL, NULL);
}

/*
 * The audit log
 */

static int
use_log(void *self, struct err *err)
{
	const struct audit_field field = { "study", "rfs" };
	struct audit *a = audit_open(in_dir("audit.log"), identity, err);
	int rv = -1;

	(void)self;
	if (a == NULL)
		return -1;
	if (audit_add(a, "upload", &field, 1, err) == 0 &&
	    audit_event(a, err, "sum", "study", "rfs", NULL) == 0)
		rv = audit_verify(
		    in_dir("audit.log"), key_public(identity), NULL, NULL, err);
	audit_close(a);
	return rv;
}

/* Whatever failed, what is there is whole, and goes on. */
static void
log_is_whole(void *self)
{
	struct err err;
	struct audit *a = audit_open(in_dir("audit.log"), identity, &err);

	(void)self;
	assert_non_null(a);
	audit_close(a);
	if (audit_verify(in_dir("audit.log"), key_public(identity), NULL, NULL,
		&err) < 0)
		fail_msg("%s", err.msg);
}

/* A line that was cut by a crash is dropped, and said. */
static int
mend_log(void *self, struct err *err)
{
	struct audit *a;
	uint8_t *p;
	size_t len;
	int rv;

	(void)self;
	if ((p = file_read(in_dir("audit.log"), 1 << 20, &len, err)) == NULL)
		return -1;
	rv = file_write(in_dir("torn.log"), p, len - 1, 0600, err);
	free(p);
	if (rv < 0 ||
	    (a = audit_open(in_dir("torn.log"), identity, err)) == NULL)
		return -1;
	audit_close(a);
	return audit_verify(
	    in_dir("torn.log"), key_public(identity), NULL, NULL, err);
}

static void
a_log_without_memory_or_files(void **state)
{
	(void)state;
	every_fault(INSIDE_MEMORY, use_log, NULL, log_is_whole);
	every_fault(INSIDE_FILES, use_log, NULL, log_is_whole);
	every_fault(INSIDE_MEMORY, mend_log, NULL, NULL);
	every_fault(INSIDE_FILES, mend_log, NULL, NULL);
}

/*
 * Certificates
 */

static const struct cert_life year = { NOW - 3600, NOW + 365 * CERT_DAY };

static struct cert_pem
pem(const char *name, const struct canon *c)
{
	return (struct cert_pem){ name, (const char *)c->data, c->len };
}

static int
use_certificates(void *self, struct err *err)
{
	struct cert_key *ca = cert_key_new(err), *tls = NULL;
	struct join_request site = { .role = JOIN_COORDINATOR,
		.name = "hub",
		.host = "hub.example.org" };
	struct canon spki = { 0 }, ca_pem = { 0 }, crt = { 0 };
	struct cert_info info;
	uint8_t hash[CERT_SPKI];
	uint8_t *key = NULL;
	size_t len;
	int rv = -1;

	(void)self;
	unlink(in_dir("tls.key"));
	if (ca == NULL || (tls = cert_key_new(err)) == NULL ||
	    cert_key_spki(tls, &spki, err) < 0)
		goto out;
	memcpy(site.spki, spki.data, spki.len);
	site.spki_len = spki.len;
	if (cert_spki_hash(spki.data, spki.len, hash, err) < 0 ||
	    cert_key_save(tls, in_dir("tls.key"), err) < 0 ||
	    cert_make_ca(ca, "eurobreast", year, &ca_pem, err) < 0 ||
	    cert_issue(ca, pem("ca.crt", &ca_pem), "eurobreast", &site, year,
		&crt, err) < 0 ||
	    (key = file_read(in_dir("tls.key"), 4096, &len, err)) == NULL)
		goto out;
	rv = cert_check(pem("tls.crt", &crt),
	    (struct cert_pem){ "tls.key", (const char *)key, len },
	    pem("ca.crt", &ca_pem), NOW, &info, err);
	if (rv == 0 && memcmp(info.spki, hash, sizeof(hash)) != 0)
		rv = err_set(err, ERR_FORMAT, "another key");
out:
	free(key);
	canon_free(&spki);
	canon_free(&ca_pem);
	canon_free(&crt);
	cert_key_free(ca);
	cert_key_free(tls);
	return rv;
}

static int
use_own_certificates(void *self, struct err *err)
{
	struct cert_key *k = cert_key_load(in_dir("tls.key"), err);

	(void)self;
	cert_key_free(k);
	return k != NULL ? 0 : -1;
}

static void
certificates_without_memory_openssl_or_files(void **state)
{
	(void)state;
	every_fault(INSIDE_MEMORY, use_certificates, NULL, NULL);
	every_fault(INSIDE_FILES, use_certificates, NULL, NULL);
	every_fault(INSIDE_OPENSSL, use_certificates, NULL, NULL);
	every_fault(INSIDE_MEMORY, use_own_certificates, NULL, NULL);
	every_fault(INSIDE_FILES, use_own_certificates, NULL, NULL);
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_signed_without_memory),
		cmocka_unit_test(what_is_too_short_for_the_vault_is_refused),
		cmocka_unit_test(keys_without_memory_or_files),
		cmocka_unit_test(a_log_without_memory_or_files),
		cmocka_unit_test(certificates_without_memory_openssl_or_files),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
