#include "crypto/checkpoint.h"

#include <string.h>

#include "common/canon.h"
#include "common/err.h"
#include "crypto/signed.h"

int
checkpoint_sign(struct checkpoint *c, const struct key *k, struct canon *out,
    struct err *err)
{
	struct canon content = { 0 };
	int rv;

	memcpy(c->key, key_public(k), sizeof(c->key));
	canon_raw(&content, c->key, sizeof(c->key));
	canon_u64(&content, c->state.count);
	canon_raw(&content, c->state.head, sizeof(c->state.head));
	canon_u64(&content, (uint64_t)c->utc);
	if (content.failed)
		rv = err_sys(err, "checkpoint");
	else
		rv = signed_make(
		    k, CHECKPOINT_TYPE, content.data, content.len, out, err);
	canon_free(&content);
	return rv;
}

int
checkpoint_open(const void *object, size_t len, const uint8_t *pk,
    struct checkpoint *c, struct err *err)
{
	const uint8_t *content;
	struct canon_in in;
	size_t n;

	if (pk == NULL) { /* it begins with the key */
		if (signed_peek(object, len, CHECKPOINT_TYPE, CHECKPOINT_MAX,
			&content, &n, err) < 0)
			return -1;
		if (n < KEY_PUBLIC)
			return err_set(
			    err, ERR_FORMAT, "checkpoint: cut short");
		pk = content;
	}
	if (signed_open(object, len, CHECKPOINT_TYPE, CHECKPOINT_MAX, pk,
		&content, &n, err) < 0)
		return -1;
	in = canon_in(content, n);
	canon_get_raw(&in, c->key, sizeof(c->key));
	c->state.count = canon_get_u64(&in);
	canon_get_raw(&in, c->state.head, sizeof(c->state.head));
	c->utc = (int64_t)canon_get_u64(&in);
	if (canon_end(&in, "checkpoint", err) < 0)
		return -1;
	if (memcmp(c->key, pk, KEY_PUBLIC) != 0)
		return err_set(err, ERR_REFUSED, "a checkpoint of another log");
	return 0;
}

int
checkpoint_countersign(const void *object, size_t len, int64_t utc,
    const struct key *coordinator, struct canon *out, struct err *err)
{
	struct canon content = { 0 };
	int rv;

	canon_bytes(&content, object, len);
	canon_u64(&content, (uint64_t)utc);
	if (content.failed)
		rv = err_sys(err, "checkpoint");
	else
		rv = signed_make(coordinator, COUNTERSIGNED_TYPE, content.data,
		    content.len, out, err);
	canon_free(&content);
	return rv;
}

int
checkpoint_open_countersigned(const void *object, size_t len,
    const uint8_t coordinator[KEY_PUBLIC], const uint8_t *pk,
    struct checkpoint *c, struct err *err)
{
	const uint8_t *content, *inner;
	struct canon_in in;
	size_t n, inner_len;

	if (signed_open(object, len, COUNTERSIGNED_TYPE, CHECKPOINT_MAX,
		coordinator, &content, &n, err) < 0)
		return -1;
	in = canon_in(content, n);
	inner = canon_get_bytes(&in, 1, CHECKPOINT_MAX, &inner_len);
	canon_get_u64(&in);
	if (canon_end(&in, "countersigned checkpoint", err) < 0)
		return -1;
	return checkpoint_open(inner, inner_len, pk, c, err);
}
