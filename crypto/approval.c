#include "crypto/approval.h"

#include <string.h>

#include "common/canon.h"
#include "common/err.h"

const char *
approval_verdict_name(enum approval_verdict v)
{
	switch (v) {
	case APPROVAL_APPROVE:
		return "approve";
	case APPROVAL_REFUSE:
		return "refuse";
	case APPROVAL_REVOKE:
		return "revoke";
	}
	return "unknown";
}

int
approval_sign(struct approval *a, const struct key *officer, struct canon *out,
    struct err *err)
{
	struct canon c = { 0 };
	int rv;

	memcpy(a->officer, key_public(officer), sizeof(a->officer));
	canon_raw(&c, a->study, sizeof(a->study));
	canon_raw(&c, a->report, sizeof(a->report));
	canon_raw(&c, a->table, sizeof(a->table));
	canon_u8(&c, (uint8_t)a->verdict);
	canon_raw(&c, a->officer, sizeof(a->officer));
	canon_u64(&c, (uint64_t)a->utc);
	if (c.failed)
		rv = err_sys(err, "approval");
	else
		rv = signed_make(
		    officer, APPROVAL_TYPE, c.data, c.len, out, err);
	canon_free(&c);
	return rv;
}

static int
decode(struct approval *a, const uint8_t *content, size_t len, struct err *err)
{
	struct canon_in in = canon_in(content, len);
	uint8_t verdict;

	canon_get_raw(&in, a->study, sizeof(a->study));
	canon_get_raw(&in, a->report, sizeof(a->report));
	canon_get_raw(&in, a->table, sizeof(a->table));
	verdict = canon_get_u8(&in);
	canon_get_raw(&in, a->officer, sizeof(a->officer));
	a->utc = (int64_t)canon_get_u64(&in);
	if (canon_end(&in, "approval", err) < 0)
		return -1;
	if (verdict < APPROVAL_APPROVE || verdict > APPROVAL_REVOKE)
		return err_set(err, ERR_FORMAT,
		    "approval: verdict %u, expected 1 to 3", verdict);
	a->verdict = (enum approval_verdict)verdict;
	return 0;
}

static int
peek(const void *object, size_t len, struct approval *a, struct err *err)
{
	const uint8_t *content;
	size_t content_len;

	if (signed_peek(object, len, APPROVAL_TYPE, APPROVAL_MAX, &content,
		&content_len, err) < 0)
		return -1;
	return decode(a, content, content_len, err);
}

int
approval_open_kept(
    const void *object, size_t len, struct approval *a, struct err *err)
{
	const uint8_t *content;
	size_t content_len;

	if (peek(object, len, a, err) < 0)
		return -1;
	return signed_open(object, len, APPROVAL_TYPE, APPROVAL_MAX, a->officer,
	    &content, &content_len, err);
}

int
approval_open(const void *object, size_t len,
    const uint8_t (*officers)[KEY_PUBLIC], size_t n, struct approval *a,
    struct err *err)
{
	size_t i;

	if (peek(object, len, a, err) < 0)
		return -1;
	for (i = 0; i < n; i++)
		if (memcmp(officers[i], a->officer, KEY_PUBLIC) == 0)
			break;
	if (i == n)
		return err_set(err, ERR_REFUSED,
		    "approval: signed by a key that is not among the %zu "
		    "pinned privacy officers'",
		    n);
	return approval_open_kept(object, len, a, err);
}
