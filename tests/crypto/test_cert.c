#include "config.h"

#include "tests/check.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/file.h"
#include "common/macros.h"
#include "crypto/cert.h"

#define NOW INT64_C(1795000000) /* November 2026 */

static char dir[] = "/tmp/test_cert.XXXXXX";
static const struct cert_life year = { NOW - 3600, NOW + 365 * CERT_DAY };

/* A CA, and one site with its certificate. */
static struct cert_key *ca, *tls;
static struct canon ca_pem, tls_pem, key_pem;
static struct join_request site = { .role = JOIN_SITE, .name = "lyon" };

static struct cert_pem
pem(const char *name, const struct canon *c)
{
	return (struct cert_pem){ name, (const char *)c->data, c->len };
}

/* A key as PEM, by way of its file. */
static struct canon
save(const struct cert_key *k, const char *name)
{
	struct canon c = { 0 };
	char path[64];
	struct err err;
	size_t len;
	uint8_t *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(cert_key_save(k, path, &err), 0);
	file = file_read(path, 4096, &len, &err);
	assert_non_null(file);
	canon_raw(&c, file, len);
	free(file);
	return c;
}

static void
set_spki(struct join_request *r, const struct cert_key *k)
{
	struct canon spki = { 0 };
	struct err err;

	assert_int_equal(cert_key_spki(k, &spki, &err), 0);
	assert_true(spki.len <= sizeof(r->spki));
	memcpy(r->spki, spki.data, spki.len);
	r->spki_len = spki.len;
	canon_free(&spki);
}

static int
set_up(void **state)
{
	struct err err;

	(void)state;
	if (mkdtemp(dir) == NULL || (ca = cert_key_new(&err)) == NULL ||
	    (tls = cert_key_new(&err)) == NULL)
		return -1;
	set_spki(&site, tls);
	key_pem = save(tls, "tls.key");
	if (cert_make_ca(ca, "eurobreast", year, &ca_pem, &err) < 0)
		return -1;
	return cert_issue(ca, pem("ca.crt", &ca_pem), "eurobreast", &site, year,
	    &tls_pem, &err);
}

static int
tear_down(void **state)
{
	char command[64];

	(void)state;
	cert_key_free(ca);
	cert_key_free(tls);
	canon_free(&ca_pem);
	canon_free(&tls_pem);
	canon_free(&key_pem);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static int
check(const struct canon *cert, const struct canon *key,
    const struct canon *its_ca, int64_t now, struct err *err)
{
	return cert_check(pem("tls.crt", cert), pem("tls.key", key),
	    pem("ca.crt", its_ca), now, NULL, err);
}

static void
an_issued_certificate_is_good_and_pins_its_key(void **state)
{
	struct cert_info info, seen;
	uint8_t hash[CERT_SPKI];
	struct err err;

	(void)state;
	assert_int_equal(
	    cert_check(pem("tls.crt", &tls_pem), pem("tls.key", &key_pem),
		pem("ca.crt", &ca_pem), NOW, &info, &err),
	    0);
	assert_int_equal(info.life.from, year.from);
	assert_int_equal(info.life.until, year.until);
	assert_string_equal(info.name, site.name);
	assert_int_equal(
	    cert_spki_hash(site.spki, site.spki_len, hash, &err), 0);
	assert_memory_equal(hash, info.spki, sizeof(hash));
	assert_int_equal(cert_read(pem("x", &tls_pem), &seen, &err), 0);
	assert_memory_equal(seen.spki, info.spki, sizeof(hash));
}

static void
times_before_and_after_are_refused_by_name(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(
	    check(&tls_pem, &key_pem, &ca_pem, year.from - 1, &err), -1);
	assert_non_null(strstr(err.msg, "not valid before"));
	assert_int_equal(
	    check(&tls_pem, &key_pem, &ca_pem, year.until - 1, &err), 0);
	assert_int_equal(
	    check(&tls_pem, &key_pem, &ca_pem, year.until, &err), -1);
	assert_int_equal(err.code, ERR_CONFIG);
	assert_non_null(strstr(err.msg, "expired at 2027-"));
}

static void
an_expired_certificate_of_a_living_ca_is_refused(void **state)
{
	const struct cert_life past = { NOW - 10 * CERT_DAY, NOW - CERT_DAY };
	struct canon old = { 0 };
	struct err err;

	(void)state;
	assert_int_equal(cert_issue(ca, pem("ca.crt", &ca_pem), "eurobreast",
			     &site, past, &old, &err),
	    0);
	assert_int_equal(check(&old, &key_pem, &ca_pem, NOW, &err), -1);
	assert_string_equal(err.msg,
	    "tls.crt: expired at 2026-11-17T11:06:40Z; ask the consortium's "
	    "root for a new one");
	canon_free(&old);
}

static void
anothers_key_ca_or_purpose_is_refused(void **state)
{
	struct cert_key *other = cert_key_new(NULL);
	struct canon other_key = save(other, "other.key"), other_ca = { 0 };
	struct err err;

	(void)state;
	assert_int_equal(
	    cert_make_ca(other, "eurobreast", year, &other_ca, &err), 0);
	assert_int_equal(check(&tls_pem, &other_key, &ca_pem, NOW, &err), -1);
	assert_string_equal(err.msg, "tls.crt: does not belong to tls.key");
	/* A CA of the same name, with another key. */
	assert_int_equal(check(&tls_pem, &key_pem, &other_ca, NOW, &err), -1);
	assert_non_null(strstr(err.msg, "not a certificate of ca.crt"));
	/* A CA's certificate is not one for TLS. */
	assert_int_equal(
	    check(&other_ca, &other_key, &other_ca, NOW, &err), -1);
	assert_non_null(strstr(err.msg, "not for both ends"));
	/* And a CA issues with its own key only. */
	assert_int_equal(cert_issue(other, pem("ca.crt", &ca_pem), "eurobreast",
			     &site, year, &other_key, &err),
	    -1);
	canon_free(&other_key);
	canon_free(&other_ca);
	cert_key_free(other);
}

static void
every_flipped_letter_of_a_certificate_is_noticed(void **state)
{
	struct cert_info info;
	struct err err;
	size_t same = 0;

	(void)state;
	for (size_t i = 28; i < tls_pem.len - 26; i += 7) {
		uint8_t was = tls_pem.data[i];

		if (was == '\n')
			continue;
		tls_pem.data[i] = was == 'A' ? 'B' : 'A';
		if (check(&tls_pem, &key_pem, &ca_pem, NOW, &err) == 0)
			same++;
		tls_pem.data[i] = was;
	}
	assert_int_equal(same, 0);
	assert_int_equal(
	    cert_read((struct cert_pem){ "x", "-----BEGIN", 10 }, &info, &err),
	    -1);
	assert_string_equal(err.msg, "x: not a certificate in PEM");
}

static void
a_key_file_is_kept_from_others_and_from_overwriting(void **state)
{
	struct err err;
	struct cert_key *back;
	struct canon a = { 0 }, b = { 0 };
	struct stat st;
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "%s/tls.key", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0400);
	back = cert_key_load(path, &err);
	assert_non_null(back);
	assert_int_equal(cert_key_spki(back, &a, &err), 0);
	assert_int_equal(cert_key_spki(tls, &b, &err), 0);
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.data, b.data, a.len);
	canon_free(&a);
	canon_free(&b);
	cert_key_free(back);
	assert_int_equal(cert_key_save(tls, path, &err), -1);
	assert_int_equal(chmod(path, 0440), 0);
	assert_null(cert_key_load(path, &err));
	assert_int_equal(err.code, ERR_CONFIG);
	assert_int_equal(chmod(path, 0600), 0);
}

static void
only_p256_keys_are_taken(void **state)
{
	/* Ed25519, as SubjectPublicKeyInfo. */
	const uint8_t ed25519[44] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b,
		0x65, 0x70, 0x03, 0x21, 0x00, 0x19, 0xbf, 0x44 };
	uint8_t hash[CERT_SPKI];
	struct join_request r = site;
	struct canon out = { 0 };
	struct err err;

	(void)state;
	assert_int_equal(
	    cert_spki_hash(ed25519, sizeof(ed25519), hash, &err), -1);
	assert_int_equal(err.code, ERR_FORMAT);
	r.spki_len--;
	assert_int_equal(cert_issue(ca, pem("ca.crt", &ca_pem), "eurobreast",
			     &r, year, &out, &err),
	    -1);
	r = site;
	r.spki[r.spki_len - 1] ^= 1; /* off the curve */
	assert_int_equal(cert_issue(ca, pem("ca.crt", &ca_pem), "eurobreast",
			     &r, year, &out, &err),
	    -1);
	assert_int_equal(out.len, 0);
}

static X509 *
parse(const struct canon *c)
{
	BIO *bio = BIO_new_mem_buf(c->data, (int)c->len);
	X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	assert_non_null(x);
	BIO_free(bio);
	return x;
}

/* x is freed. */
static struct canon
print(X509 *x)
{
	BIO *bio = BIO_new(BIO_s_mem());
	struct canon c = { 0 };
	char *text;
	long len;

	assert_int_equal(PEM_write_bio_X509(bio, x), 1);
	len = BIO_get_mem_data(bio, &text);
	canon_raw(&c, text, (size_t)len);
	BIO_free(bio);
	X509_free(x);
	return c;
}

static void
a_key_with_more_behind_it_is_refused(void **state)
{
	uint8_t spki[JOIN_SPKI_MAX + 1] = { 0 }, hash[CERT_SPKI];
	const size_t lens[] = { site.spki_len + 1, sizeof(spki) };
	struct err err;

	(void)state;
	memcpy(spki, site.spki, site.spki_len);
	for (size_t i = 0; i < nitems(lens); i++) {
		assert_int_equal(cert_spki_hash(spki, lens[i], hash, &err), -1);
		assert_string_equal(
		    err.msg, "TLS key: expected a P-256 public key");
	}
}

/* A certificate of the CA's for one end of a connection only. */
static struct canon
issue_for(const char *purpose)
{
	struct canon ca_key = save(ca, purpose);
	BIO *bio = BIO_new_mem_buf(ca_key.data, (int)ca_key.len);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	X509 *x = parse(&tls_pem);
	int at = X509_get_ext_by_NID(x, NID_ext_key_usage, -1);
	X509_EXTENSION *ext =
	    X509V3_EXT_conf_nid(NULL, NULL, NID_ext_key_usage, purpose);

	assert_true(key != NULL && at >= 0 && ext != NULL);
	X509_EXTENSION_free(X509_delete_ext(x, at));
	assert_int_equal(X509_add_ext(x, ext, -1), 1);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	X509_EXTENSION_free(ext);
	EVP_PKEY_free(key);
	BIO_free(bio);
	canon_free(&ca_key);
	return print(x);
}

static void
a_certificate_for_one_end_only_is_refused(void **state)
{
	static const char *const purposes[] = { "serverAuth", "clientAuth" };
	struct err err;

	(void)state;
	for (size_t i = 0; i < nitems(purposes); i++) {
		struct canon one = issue_for(purposes[i]);

		assert_int_equal(check(&one, &key_pem, &ca_pem, NOW, &err), -1);
		assert_int_equal(err.code, ERR_CONFIG);
		assert_string_equal(
		    err.msg, "tls.crt: not for both ends of a TLS connection");
		canon_free(&one);
	}
}

/* The certificate with the bytes at their only place, or the last one, changed
   into others. */
static struct canon
with(const void *from, size_t len, const void *to)
{
	struct canon c;
	uint8_t *der = NULL, *at, *last = NULL;
	X509 *x = parse(&tls_pem);
	int n = i2d_X509(x, &der);
	const uint8_t *p = der;

	X509_free(x);
	for (at = der;
	     (at = memmem(at, (size_t)(der + n - at), from, len)) != NULL; at++)
		last = at;
	assert_non_null(last);
	memcpy(last, to, len);
	x = d2i_X509(NULL, &p, n);
	assert_non_null(x);
	OPENSSL_free(der);
	c = print(x);
	return c;
}

/* What was never signed is read only by who has no CA at hand yet. */
static void
times_and_keys_that_are_none_are_refused(void **state)
{
	/* The first day of validity in November, the last; P-256's name. */
	static const struct {
		const char *from, *to;
	} changes[] = {
		{ "261118", "269918" },
		{ "271118", "279918" },
		{ "\x2a\x86\x48\xce\x3d\x03\x01\x07",
		    "\x2a\x86\x48\xce\x3d\x03\x01\x7f" },
	};
	struct cert_info info;
	struct err err;

	(void)state;
	for (size_t i = 0; i < nitems(changes); i++) {
		struct canon bad = with(
		    changes[i].from, strlen(changes[i].from), changes[i].to);

		assert_int_equal(
		    cert_read(pem("tls.crt", &bad), &info, &err), -1);
		assert_int_equal(err.code, ERR_CONFIG);
		assert_string_equal(
		    err.msg, "tls.crt: a certificate that cannot be read");
		canon_free(&bad);
	}
}

/* libcrypto's own opinion. */
static bool
answers_to(const struct canon *cert, const char *name, bool is_ip)
{
	X509 *x = parse(cert);
	bool yes = (is_ip ? X509_check_ip_asc(x, name, 0)
			  : X509_check_host(x, name, 0, 0, NULL)) == 1;

	X509_free(x);
	return yes;
}

static void
a_coordinator_answers_to_its_host(void **state)
{
	static const char *const hosts[] = { "hub.example.org", "127.0.0.1",
		"::1" };
	struct join_request hub = { .role = JOIN_COORDINATOR, .name = "hub" };
	struct canon out = { 0 };
	struct err err;

	(void)state;
	set_spki(&hub, tls);
	for (size_t i = 0; i < 3; i++) {
		strcpy(hub.host, hosts[i]);
		out.len = 0;
		assert_int_equal(cert_issue(ca, pem("ca.crt", &ca_pem),
				     "eurobreast", &hub, year, &out, &err),
		    0);
		assert_int_equal(check(&out, &key_pem, &ca_pem, NOW, &err), 0);
		assert_true(answers_to(&out, hosts[i], i > 0));
		assert_true(answers_to(&out, "hub", false));
		assert_false(answers_to(&out, "else.example.org", false));
		assert_false(answers_to(&out, "127.0.0.2", true));
	}
	canon_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    an_issued_certificate_is_good_and_pins_its_key),
		cmocka_unit_test(times_before_and_after_are_refused_by_name),
		cmocka_unit_test(
		    an_expired_certificate_of_a_living_ca_is_refused),
		cmocka_unit_test(anothers_key_ca_or_purpose_is_refused),
		cmocka_unit_test(
		    every_flipped_letter_of_a_certificate_is_noticed),
		cmocka_unit_test(
		    a_key_file_is_kept_from_others_and_from_overwriting),
		cmocka_unit_test(only_p256_keys_are_taken),
		cmocka_unit_test(a_key_with_more_behind_it_is_refused),
		cmocka_unit_test(a_certificate_for_one_end_only_is_refused),
		cmocka_unit_test(times_and_keys_that_are_none_are_refused),
		cmocka_unit_test(a_coordinator_answers_to_its_host),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
