/*
 * TLS certificates: EC P-256 keys, the consortium's own CA, and certificates
 * for its members; the checks that a daemon makes of its own files.  The only
 * user of libcrypto's X.509.
 *
 * A member's certificate is for both ends of a connection and has the URI
 * spiffe://CONSORTIUM/site/NAME or spiffe://CONSORTIUM/coordinator/NAME; the
 * coordinator's has its host too.  Members are recognised by the SHA-256 of
 * their SubjectPublicKeyInfo, which the manifest pins, so that a renewed
 * certificate for the same key needs no new manifest.
 *
 * Times are seconds since 1970, UTC.  Names in struct cert_pem are for errors.
 */
#ifndef CRYPTO_CERT_H
#define CRYPTO_CERT_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/join.h"

struct canon;
struct cert_key;
struct err;

#define CERT_SPKI 32 /* SHA-256 */
#define CERT_DAY ((int64_t)86400)

/* A secret key for TLS or for the CA, in PEM (PKCS #8), mode 0400. */
struct cert_key *cert_key_new(struct err *err);
int cert_key_save(const struct cert_key *k, const char *path, struct err *err);
/* Refuses a file that group or others may touch. */
struct cert_key *cert_key_load(const char *path, struct err *err);
void cert_key_free(struct cert_key *k); /* NULL is fine */
/* Its SubjectPublicKeyInfo as DER, appended to out. */
int cert_key_spki(const struct cert_key *k, struct canon *out, struct err *err);

/* SHA-256 of the SubjectPublicKeyInfo, if it is that of a P-256 key. */
int cert_spki_hash(
    const void *spki, size_t len, uint8_t out[CERT_SPKI], struct err *err);

struct cert_life {
	int64_t from, until; /* until itself is too late */
};

/* A self-signed CA certificate as PEM, appended to out. */
int cert_make_ca(const struct cert_key *ca, const char *consortium,
    struct cert_life life, struct canon *out, struct err *err);

struct cert_pem {
	const char *name; /* of the file */
	const char *pem;
	size_t len;
};

/* A member's certificate as PEM, appended to out. */
int cert_issue(const struct cert_key *ca, struct cert_pem ca_cert,
    const char *consortium, const struct join_request *member,
    struct cert_life life, struct canon *out, struct err *err);

struct cert_info {
	struct cert_life life;
	/* Of the member, as its URI says; "" if it has none. */
	char name[MANIFEST_NAME_MAX + 1];
	uint8_t spki[CERT_SPKI];
};

/* The first certificate of a PEM text. */
int cert_read(struct cert_pem cert, struct cert_info *info, struct err *err);

/*
 * What a daemon asks of its own files at start and daily: key and certificate
 * belong together, ca signed the certificate, and both are valid at now.
 * ERR_CONFIG naming the file and what is wrong; info may be NULL.  A key whose
 * pem is NULL is not looked at.
 */
int cert_check(struct cert_pem cert, struct cert_pem key, struct cert_pem ca,
    int64_t now, struct cert_info *info, struct err *err);

#endif
