#include "crypto/signed.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "common/canon.h"
#include "common/err.h"

#define LABEL_SIZE (sizeof(SIGNED_LABEL) + SIGNED_TYPE_MAX)

/* What a signature is over: label and content, each with its length. */
static void
put_signed_part(
    struct canon *out, const char *type, const void *content, size_t len)
{
	char label[LABEL_SIZE];

	snprintf(label, sizeof(label), SIGNED_LABEL "%s", type);
	canon_text(out, label);
	canon_bytes(out, content, len);
}

int
signed_make(const struct key *k, const char *type, const void *content,
    size_t len, struct canon *out, struct err *err)
{
	uint8_t sig[KEY_SIGNATURE];
	size_t start = out->len;

	put_signed_part(out, type, content, len);
	if (!out->failed)
		crypto_sign_detached(sig, NULL, out->data + start,
		    out->len - start, key_secret(k));
	canon_raw(out, sig, sizeof(sig));
	if (out->failed)
		return err_sys(err, "sign %zu bytes", len);
	return 0;
}

/* The type, without its label, into type; 0 or -1 without a message. */
static int
get_type(struct canon_in *in, char type[SIGNED_TYPE_MAX + 1])
{
	char label[LABEL_SIZE];
	const size_t skip = strlen(SIGNED_LABEL);

	canon_get_text(in, label, sizeof(label));
	if (in->failed || strncmp(label, SIGNED_LABEL, skip) != 0 ||
	    label[skip] == '\0')
		return -1;
	snprintf(type, SIGNED_TYPE_MAX + 1, "%s", label + skip);
	return 0;
}

int
signed_type(const void *object, size_t object_len,
    char type[SIGNED_TYPE_MAX + 1], struct err *err)
{
	struct canon_in in = canon_in(object, object_len);

	if (get_type(&in, type) < 0)
		return err_set(
		    err, ERR_FORMAT, "not a signed object of consilium");
	return 0;
}

int
signed_peek(const void *object, size_t object_len, const char *type, size_t max,
    const uint8_t **content, size_t *len, struct err *err)
{
	struct canon_in in = canon_in(object, object_len);
	char found[SIGNED_TYPE_MAX + 1];

	if (get_type(&in, found) < 0)
		return err_set(err, ERR_FORMAT, "not a signed %s", type);
	if (strcmp(found, type) != 0)
		return err_set(err, ERR_FORMAT,
		    "a signed %s, expected a signed %s", found, type);
	*content = canon_get_bytes(&in, 0, max, len);
	canon_get_view(&in, KEY_SIGNATURE);
	return canon_end(&in, type, err);
}

int
signed_open(const void *object, size_t object_len, const char *type, size_t max,
    const uint8_t pk[KEY_PUBLIC], const uint8_t **content, size_t *len,
    struct err *err)
{
	const uint8_t *p = object;
	size_t part;

	if (signed_peek(object, object_len, type, max, content, len, err) < 0)
		return -1;
	part = object_len - KEY_SIGNATURE;
	if (crypto_sign_verify_detached(p + part, p, part, pk) != 0)
		return err_set(err, ERR_REFUSED,
		    "%s: the signature is not that of the expected key", type);
	return 0;
}

void
signed_digest(const void *object, size_t object_len, uint8_t out[SIGNED_DIGEST])
{
	crypto_hash_sha256(out, object, object_len - KEY_SIGNATURE);
}

#define ALONE_SIZE (2 * 4 + LABEL_SIZE + SIGNED_ALONE_MAX)

void
signed_sign(const struct key *k, const char *type, const void *p, size_t len,
    uint8_t sig[KEY_SIGNATURE])
{
	uint8_t room[ALONE_SIZE];
	struct canon part = canon_on(room, sizeof(room));

	put_signed_part(&part, type, p, len);
	crypto_sign_detached(sig, NULL, part.data, part.len, key_secret(k));
}

int
signed_check(const uint8_t pk[KEY_PUBLIC], const char *type, const void *p,
    size_t len, const uint8_t sig[KEY_SIGNATURE], struct err *err)
{
	uint8_t room[ALONE_SIZE];
	struct canon part = canon_on(room, sizeof(room));

	put_signed_part(&part, type, p, len);
	if (crypto_sign_verify_detached(sig, part.data, part.len, pk) != 0)
		return err_set(err, ERR_REFUSED,
		    "%s: the signature is not that of the expected key", type);
	return 0;
}
