/*
 * A signed object: one form for everything that somebody signs and somebody
 * else keeps, in files, messages and databases alike.
 *
 *     text  "consilium-1/TYPE"
 *     bytes the content, in its type's own canonical layout
 *     64    Ed25519 signature over the two fields above, as they stand
 *
 * The digest of an object is the SHA-256 of what is signed, so it says which
 * type it is.  Who signed is not in here: each type says whose key it is.
 */
#ifndef CRYPTO_SIGNED_H
#define CRYPTO_SIGNED_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/keyfile.h"

struct canon;
struct err;

#define SIGNED_LABEL "consilium-1/"
#define SIGNED_TYPE_MAX 32 /* bytes after the label, [a-z0-9-] */
#define SIGNED_DIGEST 32
/* What a type label, two lengths and a signature add to the content. */
#define SIGNED_OVERHEAD 128

/* Append the object to out. */
int signed_make(const struct key *k, const char *type, const void *content,
    size_t len, struct canon *out, struct err *err);

/*
 * The content of object, in place, if its type is type, its content has at
 * most max bytes and pk signed it.  ERR_FORMAT if it is something else,
 * ERR_REFUSED if the signature is not pk's.
 */
int signed_open(const void *object, size_t object_len, const char *type,
    size_t max, const uint8_t pk[KEY_PUBLIC], const uint8_t **content,
    size_t *len, struct err *err);

/* The same without a signature check: only to find out whose key to ask. */
int signed_peek(const void *object, size_t object_len, const char *type,
    size_t max, const uint8_t **content, size_t *len, struct err *err);

/* What object says it is; ERR_FORMAT if it is not one of ours. */
int signed_type(const void *object, size_t object_len,
    char type[SIGNED_TYPE_MAX + 1], struct err *err);

/* SHA-256 of the signed part.  The object must have been opened before. */
void signed_digest(
    const void *object, size_t object_len, uint8_t out[SIGNED_DIGEST]);

/* A signature alone, over the label "consilium-1/TYPE" and the bytes, each
   with its length, as above; of SIGNED_ALONE_MAX bytes at most. */
#define SIGNED_ALONE_MAX 256
void signed_sign(const struct key *k, const char *type, const void *p,
    size_t len, uint8_t sig[KEY_SIGNATURE]);
int signed_check(const uint8_t pk[KEY_PUBLIC], const char *type, const void *p,
    size_t len, const uint8_t sig[KEY_SIGNATURE], struct err *err);

#endif
