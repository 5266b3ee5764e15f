/*
 * How a member joins: it sends the root a request, signed with the identity
 * key that the request names; the root answers with a welcome, signed by the
 * root, with the TLS certificate and everything that the member has to pin.
 *
 * The request proves that its sender holds the identity key.  Who the sender
 * is, and whether a first welcome's root is the right one, people compare by
 * other means: both sides' keys are printed as hexadecimal for that.
 */
#ifndef CRYPTO_JOIN_H
#define CRYPTO_JOIN_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/keyfile.h"
#include "crypto/manifest.h"

struct canon;
struct err;

#define JOIN_REQUEST_TYPE "join-request"
#define JOIN_WELCOME_TYPE "welcome"
#define JOIN_HOST_MAX 253 /* bytes: a DNS name or an IP address */
#define JOIN_SPKI_MAX 1024 /* bytes of DER */
#define JOIN_PEM_MAX 16384
#define JOIN_MAX (64 * 1024) /* bytes of either signed object */

enum join_role { JOIN_SITE = 1, JOIN_COORDINATOR = 2 };

struct join_request {
	enum join_role role;
	char name[MANIFEST_NAME_MAX + 1];
	char host[JOIN_HOST_MAX + 1]; /* coordinator; "" for a site */
	uint8_t key[KEY_PUBLIC]; /* identity */
	uint8_t spki[JOIN_SPKI_MAX]; /* TLS SubjectPublicKeyInfo, DER */
	size_t spki_len;
};

struct join_welcome {
	enum join_role role;
	char consortium[MANIFEST_NAME_MAX + 1];
	char name[MANIFEST_NAME_MAX + 1];
	uint8_t key[KEY_PUBLIC]; /* whom it is for */
	uint8_t root[KEY_PUBLIC], coordinator[KEY_PUBLIC];
	char tls_pem[JOIN_PEM_MAX + 1], ca_pem[JOIN_PEM_MAX + 1];
};

/* "site", "coordinator" */
const char *join_role_name(enum join_role role);

/* 0, or -1 with ERR_CONFIG: a DNS name in lower case, or an IP address. */
int join_host_check(const char *host, struct err *err);

/* key is filled in from identity. */
int join_request_sign(struct join_request *r, const struct key *identity,
    struct canon *out, struct err *err);
int join_request_open(
    const void *object, size_t len, struct join_request *r, struct err *err);

/* root is filled in.  Opening checks against the root that it names. */
int join_welcome_sign(struct join_welcome *w, const struct key *root,
    struct canon *out, struct err *err);
int join_welcome_open(
    const void *object, size_t len, struct join_welcome *w, struct err *err);

#endif
