#include "crypto/signed_report.h"

#include <string.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/hex.h"

int
signed_report_sign(struct signed_report *r, const struct key *identity,
    struct canon *out, struct err *err)
{
	struct canon c = { 0 };
	int rv;

	memcpy(r->site, key_public(identity), sizeof(r->site));
	canon_raw(&c, r->study, sizeof(r->study));
	canon_raw(&c, r->report, sizeof(r->report));
	canon_raw(&c, r->table, sizeof(r->table));
	canon_raw(&c, r->site, sizeof(r->site));
	if (c.failed)
		rv = err_sys(err, "signed report");
	else
		rv = signed_make(
		    identity, SIGNED_REPORT_TYPE, c.data, c.len, out, err);
	canon_free(&c);
	return rv;
}

int
signed_report_open(const void *object, size_t len,
    const uint8_t site[KEY_PUBLIC], struct signed_report *r, struct err *err)
{
	char hex[2 * KEY_PUBLIC + 1];
	const uint8_t *content;
	struct canon_in in;
	size_t content_len;

	if (signed_peek(object, len, SIGNED_REPORT_TYPE, SIGNED_REPORT_MAX,
		&content, &content_len, err) < 0)
		return -1;
	in = canon_in(content, content_len);
	canon_get_raw(&in, r->study, sizeof(r->study));
	canon_get_raw(&in, r->report, sizeof(r->report));
	canon_get_raw(&in, r->table, sizeof(r->table));
	canon_get_raw(&in, r->site, sizeof(r->site));
	if (canon_end(&in, "signed report", err) < 0)
		return -1;
	if (memcmp(r->site, site, KEY_PUBLIC) != 0) {
		hex_text(r->site, sizeof(r->site), hex);
		return err_set(err, ERR_REFUSED,
		    "signed report: of another site, with the key %s", hex);
	}
	return signed_open(object, len, SIGNED_REPORT_TYPE, SIGNED_REPORT_MAX,
	    site, &content, &content_len, err);
}
