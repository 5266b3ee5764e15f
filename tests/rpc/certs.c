#include "tests/check.h"

#include "tests/rpc/certs.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/canon.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/file.h"
#include "crypto/cert.h"

static char *
text_of(struct canon *c)
{
	char *s = strndup((const char *)c->data, c->len);

	canon_free(c);
	assert_non_null(s);
	return s;
}

/* A key as PEM, by way of a file. */
static char *
key_text(const struct cert_key *k)
{
	char dir[] = "/tmp/test_rpc.XXXXXX", path[64];
	struct err err;
	size_t len;
	char *s;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/key", dir);
	assert_int_equal(cert_key_save(k, path, &err), 0);
	s = (char *)file_read(path, 4096, &len, &err);
	assert_non_null(s);
	unlink(path);
	rmdir(dir);
	return s;
}

static char *
issue(const struct cert_key *ca, const char *ca_pem, const char *consortium,
    struct join_request *who, const struct cert_key *key, struct cert_life life)
{
	struct cert_pem pem = { "ca.crt", ca_pem, strlen(ca_pem) };
	struct canon spki = { 0 }, out = { 0 };
	struct err err;

	assert_int_equal(cert_key_spki(key, &spki, &err), 0);
	assert_true(spki.len <= sizeof(who->spki));
	memcpy(who->spki, spki.data, spki.len);
	who->spki_len = spki.len;
	canon_free(&spki);
	assert_int_equal(
	    cert_issue(ca, pem, consortium, who, life, &out, &err), 0);
	return text_of(&out);
}

void
certs_make(struct certs *c, const char *consortium)
{
	struct join_request host = { .role = JOIN_COORDINATOR,
		.name = "coordinator",
		.host = "127.0.0.1" };
	struct join_request site = { .role = JOIN_SITE, .name = "lyon" };
	int64_t now = clock_utc();
	struct cert_life year = { now - CERT_DAY, now + 365 * CERT_DAY };
	struct cert_life past = { now - 9 * CERT_DAY, now - CERT_DAY };
	struct cert_life ten_days = { now - CERT_DAY, now + 10 * CERT_DAY };
	struct cert_key *ca, *host_key, *site_key;
	struct canon out = { 0 };
	struct err err;

	assert_non_null(ca = cert_key_new(&err));
	assert_non_null(host_key = cert_key_new(&err));
	assert_non_null(site_key = cert_key_new(&err));
	assert_int_equal(cert_make_ca(ca, consortium, year, &out, &err), 0);
	c->ca = text_of(&out);
	c->host = issue(ca, c->ca, consortium, &host, host_key, year);
	c->site = issue(ca, c->ca, consortium, &site, site_key, year);
	c->old = issue(ca, c->ca, consortium, &site, site_key, past);
	c->brief = issue(ca, c->ca, consortium, &site, site_key, ten_days);
	c->host_key = key_text(host_key);
	c->site_key = key_text(site_key);
	assert_int_equal(
	    cert_spki_hash(site.spki, site.spki_len, c->site_spki, &err), 0);
	cert_key_free(ca);
	cert_key_free(host_key);
	cert_key_free(site_key);
}

void
certs_free(struct certs *c)
{
	free(c->ca);
	free(c->host);
	free(c->host_key);
	free(c->site);
	free(c->site_key);
	free(c->old);
	free(c->brief);
}

struct rpc_tls
certs_host(const struct certs *c)
{
	return (struct rpc_tls){ c->ca, c->host, c->host_key };
}

struct rpc_tls
certs_site(const struct certs *c)
{
	return (struct rpc_tls){ c->ca, c->site, c->site_key };
}
