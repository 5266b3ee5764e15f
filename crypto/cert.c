#include "crypto/cert.h"

#include <sys/stat.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/canon.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/file.h"
#include "common/macros.h"

struct cert_key {
	EVP_PKEY *pkey;
};

/* The reason that libcrypto gives is a fixed text of its own. */
static int
tls_err(struct err *err, enum err_code code, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_error());

	ERR_clear_error();
	return err_set(err, code, "%s%s%s", what, reason != NULL ? ": " : "",
	    reason != NULL ? reason : "");
}

/* Never ask a terminal for a passphrase. */
static int
no_passphrase(char *buf, int size, int writing, void *ctx)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)ctx;
	return -1;
}

static struct cert_key *
wrap(EVP_PKEY *pkey, struct err *err)
{
	struct cert_key *k;

	if ((k = calloc(1, sizeof(*k))) == NULL) {
		err_sys(err, "TLS key");
		EVP_PKEY_free(pkey);
		return NULL;
	}
	k->pkey = pkey;
	return k;
}

struct cert_key *
cert_key_new(struct err *err)
{
	EVP_PKEY *pkey = EVP_EC_gen("P-256");

	if (pkey == NULL) {
		tls_err(err, ERR_SYSTEM, "make a TLS key");
		return NULL;
	}
	return wrap(pkey, err);
}

void
cert_key_free(struct cert_key *k)
{
	if (k == NULL)
		return;
	EVP_PKEY_free(k->pkey); /* wipes */
	free(k);
}

int
cert_key_save(const struct cert_key *k, const char *path, struct err *err)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	char *pem;
	long len;
	int rv = -1;

	if (bio == NULL ||
	    PEM_write_bio_PKCS8PrivateKey(
		bio, k->pkey, NULL, NULL, 0, NULL, NULL) != 1) {
		tls_err(err, ERR_SYSTEM, "TLS key");
		goto out;
	}
	len = BIO_get_mem_data(bio, &pem);
	rv = file_create(path, pem, (size_t)len, 0400, err);
	OPENSSL_cleanse(pem, (size_t)len);
out:
	BIO_free(bio);
	return rv;
}

static EVP_PKEY *
read_key(struct cert_pem key, struct err *err)
{
	BIO *bio = BIO_new_mem_buf(key.pem, (int)MIN(key.len, JOIN_PEM_MAX));
	EVP_PKEY *pkey = NULL;

	if (bio != NULL)
		pkey = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	if (pkey == NULL) {
		ERR_clear_error();
		err_set(
		    err, ERR_CONFIG, "%s: not a secret key in PEM", key.name);
	}
	BIO_free(bio);
	return pkey;
}

struct cert_key *
cert_key_load(const char *path, struct err *err)
{
	struct cert_pem key = { .name = path };
	EVP_PKEY *pkey = NULL;
	uint8_t *pem = NULL;
	struct stat st;
	int fd;

	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0) {
		err_sys(err, "open %s", path);
		return NULL;
	}
	if (fstat(fd, &st) < 0) {
		err_sys(err, "%s", path);
		goto out;
	}
	if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
		err_set(err, ERR_CONFIG,
		    "%s: mode %04o lets others at a secret, expected 0400 or "
		    "0600",
		    path, (unsigned)st.st_mode & 07777);
		goto out;
	}
	if ((pem = file_read_fd(fd, path, JOIN_PEM_MAX, &key.len, err)) == NULL)
		goto out;
	key.pem = (const char *)pem;
	pkey = read_key(key, err);
	OPENSSL_cleanse(pem, key.len);
	free(pem);
out:
	close(fd);
	return pkey != NULL ? wrap(pkey, err) : NULL;
}

int
cert_key_spki(const struct cert_key *k, struct canon *out, struct err *err)
{
	uint8_t *der = NULL;
	int len = i2d_PUBKEY(k->pkey, &der);

	if (len < 0)
		return tls_err(err, ERR_SYSTEM, "TLS key");
	canon_raw(out, der, (size_t)len);
	OPENSSL_free(der);
	return out->failed ? err_sys(err, "TLS key") : 0;
}

/* The public key of a SubjectPublicKeyInfo, if it is on P-256. */
static EVP_PKEY *
read_spki(const void *spki, size_t len, struct err *err)
{
	const uint8_t *p = spki;
	EVP_PKEY *pkey = NULL;
	char group[32] = "";

	if (len <= JOIN_SPKI_MAX)
		pkey = d2i_PUBKEY(NULL, &p, (long)len);
	if (pkey != NULL)
		EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL);
	if (pkey == NULL || p != (const uint8_t *)spki + len ||
	    strcmp(group, "prime256v1") != 0) {
		ERR_clear_error();
		EVP_PKEY_free(pkey);
		err_set(
		    err, ERR_FORMAT, "TLS key: expected a P-256 public key");
		return NULL;
	}
	return pkey;
}

static int
hash_spki(EVP_PKEY *pkey, uint8_t out[CERT_SPKI], struct err *err)
{
	uint8_t *der = NULL;
	int len = i2d_PUBKEY(pkey, &der), ok;

	ok = len > 0 &&
	    EVP_Digest(der, (size_t)len, out, NULL, EVP_sha256(), NULL) == 1;
	OPENSSL_free(der);
	return ok ? 0 : tls_err(err, ERR_SYSTEM, "TLS key");
}

int
cert_spki_hash(
    const void *spki, size_t len, uint8_t out[CERT_SPKI], struct err *err)
{
	EVP_PKEY *pkey = read_spki(spki, len, err);
	int rv;

	if (pkey == NULL)
		return -1;
	rv = hash_spki(pkey, out, err);
	EVP_PKEY_free(pkey);
	return rv;
}

/* value is made of checked names only, so it cannot add to the extension. */
static int
add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *ext;
	X509V3_CTX ctx;
	int ok;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	if ((ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value)) == NULL)
		return 0;
	ok = X509_add_ext(cert, ext, -1);
	X509_EXTENSION_free(ext);
	return ok;
}

static int
set_random_serial(X509 *cert)
{
	uint8_t bytes[16];
	BIGNUM *n;
	int ok;

	randombytes_buf(bytes, sizeof(bytes));
	bytes[0] = (bytes[0] & 0x3f) | 0x40; /* positive, always 16 bytes */
	n = BN_bin2bn(bytes, sizeof(bytes), NULL);
	ok = n != NULL &&
	    BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert)) != NULL;
	BN_free(n);
	return ok;
}

static int
add_name(X509_NAME *name, int nid, const char *text)
{
	return X509_NAME_add_entry_by_NID(
	    name, nid, MBSTRING_UTF8, (const unsigned char *)text, -1, -1, 0);
}

/* What both kinds have; 1 or 0 as libcrypto does it. */
static int
start_cert(X509 *cert, const char *consortium, const char *name, EVP_PKEY *pkey,
    struct cert_life life)
{
	return X509_set_version(cert, X509_VERSION_3) &&
	    set_random_serial(cert) &&
	    ASN1_TIME_set(X509_getm_notBefore(cert), life.from) != NULL &&
	    ASN1_TIME_set(X509_getm_notAfter(cert), life.until) != NULL &&
	    add_name(X509_get_subject_name(cert), NID_organizationName,
		consortium) &&
	    add_name(X509_get_subject_name(cert), NID_commonName, name) &&
	    X509_set_pubkey(cert, pkey);
}

static int
put_pem(X509 *cert, struct canon *out, struct err *err)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *pem;
	long len;
	int rv = -1;

	if (bio == NULL || PEM_write_bio_X509(bio, cert) != 1) {
		tls_err(err, ERR_SYSTEM, "certificate");
		goto out;
	}
	len = BIO_get_mem_data(bio, &pem);
	canon_raw(out, pem, (size_t)len);
	rv = out->failed ? err_sys(err, "certificate") : 0;
out:
	BIO_free(bio);
	return rv;
}

int
cert_make_ca(const struct cert_key *ca, const char *consortium,
    struct cert_life life, struct canon *out, struct err *err)
{
	X509 *cert = X509_new();
	int rv;

	if (cert == NULL ||
	    !start_cert(cert, consortium, "consilium CA", ca->pkey, life) ||
	    !X509_set_issuer_name(cert, X509_get_subject_name(cert)) ||
	    !add_extension(cert, cert, NID_basic_constraints,
		"critical,CA:TRUE,pathlen:0") ||
	    !add_extension(
		cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign") ||
	    !add_extension(cert, cert, NID_subject_key_identifier, "hash") ||
	    !X509_sign(cert, ca->pkey, EVP_sha256()))
		rv = tls_err(err, ERR_SYSTEM, "make the CA certificate");
	else
		rv = put_pem(cert, out, err);
	X509_free(cert);
	return rv;
}

/* Only the first certificate of a PEM text is read. */
static X509 *
read_cert(struct cert_pem pem, struct err *err)
{
	BIO *bio = BIO_new_mem_buf(pem.pem, (int)MIN(pem.len, JOIN_PEM_MAX));
	X509 *cert = NULL;

	if (bio != NULL)
		cert = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
	if (cert == NULL) {
		ERR_clear_error();
		err_set(
		    err, ERR_CONFIG, "%s: not a certificate in PEM", pem.name);
	}
	BIO_free(bio);
	return cert;
}

/* The names by which a member is addressed and recognised. */
static void
alternative_names(const char *consortium, const struct join_request *m,
    char *out, size_t size)
{
	uint8_t address[16];
	bool ip = inet_pton(AF_INET, m->host, address) == 1 ||
	    inet_pton(AF_INET6, m->host, address) == 1;

	snprintf(out, size, "URI:spiffe://%s/%s/%s,DNS:%s%s%s", consortium,
	    join_role_name(m->role), m->name, m->name,
	    m->host[0] == '\0' ? ""
		: ip           ? ",IP:"
			       : ",DNS:",
	    m->host);
}

int
cert_issue(const struct cert_key *ca, struct cert_pem ca_cert,
    const char *consortium, const struct join_request *member,
    struct cert_life life, struct canon *out, struct err *err)
{
	X509 *issuer = NULL, *cert = NULL;
	EVP_PKEY *pkey = NULL;
	char names[512];
	int rv = -1;

	alternative_names(consortium, member, names, sizeof(names));
	if ((issuer = read_cert(ca_cert, err)) == NULL ||
	    (pkey = read_spki(member->spki, member->spki_len, err)) == NULL)
		goto out;
	if (X509_check_private_key(issuer, ca->pkey) != 1) {
		ERR_clear_error();
		err_set(err, ERR_CONFIG, "%s: does not belong to the CA's key",
		    ca_cert.name);
		goto out;
	}
	if ((cert = X509_new()) == NULL ||
	    !start_cert(cert, consortium, member->name, pkey, life) ||
	    !X509_set_issuer_name(cert, X509_get_subject_name(issuer)) ||
	    !add_extension(
		cert, issuer, NID_basic_constraints, "critical,CA:FALSE") ||
	    !add_extension(
		cert, issuer, NID_key_usage, "critical,digitalSignature") ||
	    !add_extension(
		cert, issuer, NID_ext_key_usage, "serverAuth,clientAuth") ||
	    !add_extension(cert, issuer, NID_subject_alt_name, names) ||
	    !add_extension(
		cert, issuer, NID_authority_key_identifier, "keyid") ||
	    !X509_sign(cert, ca->pkey, EVP_sha256())) {
		tls_err(err, ERR_SYSTEM, "issue a certificate");
		goto out;
	}
	rv = put_pem(cert, out, err);
out:
	X509_free(cert);
	X509_free(issuer);
	EVP_PKEY_free(pkey);
	return rv;
}

static int
utc_of(const ASN1_TIME *t, int64_t *utc)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(t, &tm) != 1)
		return -1;
	*utc = (int64_t)timegm(&tm);
	return 0;
}

/* The last part of spiffe://CONSORTIUM/ROLE/NAME. */
static void
name_of(X509 *cert, char *out, size_t size)
{
	GENERAL_NAMES *names =
	    X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);

	*out = '\0';
	for (int i = 0; names != NULL && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);
		const char *uri, *last;

		if (n->type != GEN_URI)
			continue;
		uri = (const char *)ASN1_STRING_get0_data(
		    n->d.uniformResourceIdentifier);
		if (strncmp(uri, "spiffe://", 9) == 0 &&
		    (last = strrchr(uri + 9, '/')) != NULL)
			snprintf(out, size, "%s", last + 1);
	}
	GENERAL_NAMES_free(names);
}

static int
get_info(X509 *cert, const char *name, struct cert_info *info, struct err *err)
{
	EVP_PKEY *pkey = X509_get0_pubkey(cert);

	if (utc_of(X509_get0_notBefore(cert), &info->life.from) < 0 ||
	    utc_of(X509_get0_notAfter(cert), &info->life.until) < 0 ||
	    pkey == NULL || hash_spki(pkey, info->spki, err) < 0) {
		ERR_clear_error();
		return err_set(err, ERR_CONFIG,
		    "%s: a certificate that cannot be read", name);
	}
	name_of(cert, info->name, sizeof(info->name));
	ERR_clear_error();
	return 0;
}

int
cert_read(struct cert_pem pem, struct cert_info *info, struct err *err)
{
	X509 *cert = read_cert(pem, err);
	int rv;

	if (cert == NULL)
		return -1;
	rv = get_info(cert, pem.name, info, err);
	X509_free(cert);
	return rv;
}

static int
check_life(
    const char *name, struct cert_life life, int64_t now, struct err *err)
{
	char when[CLOCK_TEXT_SIZE];

	if (now < life.from) {
		clock_text(life.from, when);
		return err_set(err, ERR_CONFIG,
		    "%s: not valid before %s; is the clock right?", name, when);
	}
	if (now >= life.until) {
		clock_text(life.until, when);
		return err_set(err, ERR_CONFIG,
		    "%s: expired at %s; ask the consortium's root for a new "
		    "one",
		    name, when);
	}
	return 0;
}

/* ca signed cert, and cert is for both ends of a connection. */
static int
check_chain(X509 *cert, X509 *ca, const char *name, const char *ca_name,
    int64_t now, struct err *err)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	int rv = -1;

	if (store == NULL || ctx == NULL || !X509_STORE_add_cert(store, ca) ||
	    !X509_STORE_CTX_init(ctx, store, cert, NULL)) {
		tls_err(err, ERR_SYSTEM, "check a certificate");
		goto out;
	}
	X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(ctx), (time_t)now);
	if (X509_verify_cert(ctx) != 1)
		err_set(err, ERR_CONFIG, "%s: not a certificate of %s: %s",
		    name, ca_name,
		    X509_verify_cert_error_string(
			X509_STORE_CTX_get_error(ctx)));
	else if (X509_check_purpose(cert, X509_PURPOSE_SSL_CLIENT, 0) != 1 ||
	    X509_check_purpose(cert, X509_PURPOSE_SSL_SERVER, 0) != 1)
		err_set(err, ERR_CONFIG,
		    "%s: not for both ends of a TLS connection", name);
	else
		rv = 0;
	ERR_clear_error();
out:
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	return rv;
}

int
cert_check(struct cert_pem cert_pem, struct cert_pem key_pem,
    struct cert_pem ca_pem, int64_t now, struct cert_info *info,
    struct err *err)
{
	struct cert_info own, its_ca;
	X509 *cert = NULL, *ca = NULL;
	EVP_PKEY *key = NULL;
	int rv = -1;

	if ((cert = read_cert(cert_pem, err)) == NULL ||
	    (ca = read_cert(ca_pem, err)) == NULL ||
	    (key_pem.pem != NULL && (key = read_key(key_pem, err)) == NULL) ||
	    get_info(cert, cert_pem.name, &own, err) < 0 ||
	    get_info(ca, ca_pem.name, &its_ca, err) < 0)
		goto out;
	if (key != NULL && X509_check_private_key(cert, key) != 1) {
		ERR_clear_error();
		err_set(err, ERR_CONFIG, "%s: does not belong to %s",
		    cert_pem.name, key_pem.name);
		goto out;
	}
	if (check_life(ca_pem.name, its_ca.life, now, err) < 0 ||
	    check_life(cert_pem.name, own.life, now, err) < 0 ||
	    check_chain(cert, ca, cert_pem.name, ca_pem.name, now, err) < 0)
		goto out;
	if (info != NULL)
		*info = own;
	rv = 0;
out:
	X509_free(cert);
	X509_free(ca);
	EVP_PKEY_free(key);
	return rv;
}
