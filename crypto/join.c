#include "crypto/join.h"

#include <string.h>

#include "common/canon.h"
#include "common/err.h"
#include "crypto/signed.h"

const char *
join_role_name(enum join_role role)
{
	return role == JOIN_COORDINATOR ? "coordinator" : "site";
}

static int
check_role(uint8_t role, const char *what, struct err *err)
{
	if (role != JOIN_SITE && role != JOIN_COORDINATOR)
		return err_set(err, ERR_FORMAT, "%s: role %u, expected 1 or 2",
		    what, role);
	return 0;
}

int
join_host_check(const char *host, struct err *err)
{
	size_t n = strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789.-:");

	if (host[n] != '\0' || n < 1 || n > JOIN_HOST_MAX)
		return err_set(err, ERR_CONFIG,
		    "host: expected a name of 1 to %d of a-z, 0-9, . and -, or "
		    "an IP address",
		    JOIN_HOST_MAX);
	return 0;
}

static int
check_request(const struct join_request *r, struct err *err)
{
	bool has_host = r->host[0] != '\0';

	if (manifest_name_check("join request: name", r->name, err) < 0 ||
	    key_public_check(r->key, err) < 0)
		return -1;
	if (has_host && join_host_check(r->host, err) < 0)
		return err_prefix(err, "join request");
	if ((r->role == JOIN_COORDINATOR) != has_host)
		return err_set(err, ERR_FORMAT,
		    "join request: a coordinator has a host, a site has none");
	if (r->spki_len < 1 || r->spki_len > sizeof(r->spki))
		return err_set(err, ERR_FORMAT,
		    "join request: TLS key of %zu bytes, expected 1 to %zu",
		    r->spki_len, sizeof(r->spki));
	return 0;
}

int
join_request_sign(struct join_request *r, const struct key *identity,
    struct canon *out, struct err *err)
{
	struct canon c = { 0 };
	int rv;

	memcpy(r->key, key_public(identity), sizeof(r->key));
	if (check_request(r, err) < 0) {
		err->code = ERR_CONFIG;
		return -1;
	}
	canon_u8(&c, (uint8_t)r->role);
	canon_text(&c, r->name);
	canon_text(&c, r->host);
	canon_raw(&c, r->key, sizeof(r->key));
	canon_bytes(&c, r->spki, r->spki_len);
	if (c.failed)
		rv = err_sys(err, "join request");
	else
		rv = signed_make(
		    identity, JOIN_REQUEST_TYPE, c.data, c.len, out, err);
	canon_free(&c);
	return rv;
}

/* Text of any size up to size - 1, of lines even; without NUL. */
static void
get_lines(struct canon_in *in, char *out, size_t size)
{
	size_t len;
	const uint8_t *p = canon_get_bytes(in, 0, size - 1, &len);

	if (p != NULL && memchr(p, '\0', len) != NULL)
		in->failed = true;
	if (p != NULL)
		memcpy(out, p, len);
	out[len] = '\0';
}

static int
decode_request(
    struct join_request *r, const uint8_t *content, size_t len, struct err *err)
{
	struct canon_in in = canon_in(content, len);
	uint8_t role = canon_get_u8(&in);
	const uint8_t *spki;

	canon_get_text(&in, r->name, sizeof(r->name));
	get_lines(&in, r->host, sizeof(r->host));
	canon_get_raw(&in, r->key, sizeof(r->key));
	spki = canon_get_bytes(&in, 1, sizeof(r->spki), &r->spki_len);
	if (canon_end(&in, "join request", err) < 0 ||
	    check_role(role, "join request", err) < 0)
		return -1;
	r->role = (enum join_role)role;
	memcpy(r->spki, spki, r->spki_len);
	return check_request(r, err);
}

int
join_request_open(
    const void *object, size_t len, struct join_request *r, struct err *err)
{
	const uint8_t *content;
	size_t content_len;

	if (signed_peek(object, len, JOIN_REQUEST_TYPE, JOIN_MAX, &content,
		&content_len, err) < 0 ||
	    decode_request(r, content, content_len, err) < 0)
		return -1;
	return signed_open(object, len, JOIN_REQUEST_TYPE, JOIN_MAX, r->key,
	    &content, &content_len, err);
}

int
join_welcome_sign(struct join_welcome *w, const struct key *root,
    struct canon *out, struct err *err)
{
	struct canon c = { 0 };
	int rv;

	memcpy(w->root, key_public(root), sizeof(w->root));
	canon_u8(&c, (uint8_t)w->role);
	canon_text(&c, w->consortium);
	canon_text(&c, w->name);
	canon_raw(&c, w->key, sizeof(w->key));
	canon_raw(&c, w->root, sizeof(w->root));
	canon_raw(&c, w->coordinator, sizeof(w->coordinator));
	canon_text(&c, w->tls_pem);
	canon_text(&c, w->ca_pem);
	if (c.failed)
		rv = err_sys(err, "welcome");
	else
		rv = signed_make(
		    root, JOIN_WELCOME_TYPE, c.data, c.len, out, err);
	canon_free(&c);
	return rv;
}

static int
decode_welcome(
    struct join_welcome *w, const uint8_t *content, size_t len, struct err *err)
{
	struct canon_in in = canon_in(content, len);
	uint8_t role = canon_get_u8(&in);

	canon_get_text(&in, w->consortium, sizeof(w->consortium));
	canon_get_text(&in, w->name, sizeof(w->name));
	canon_get_raw(&in, w->key, sizeof(w->key));
	canon_get_raw(&in, w->root, sizeof(w->root));
	canon_get_raw(&in, w->coordinator, sizeof(w->coordinator));
	get_lines(&in, w->tls_pem, sizeof(w->tls_pem));
	get_lines(&in, w->ca_pem, sizeof(w->ca_pem));
	if (canon_end(&in, "welcome", err) < 0 ||
	    check_role(role, "welcome", err) < 0 ||
	    manifest_name_check("welcome: consortium", w->consortium, err) <
		0 ||
	    manifest_name_check("welcome: name", w->name, err) < 0 ||
	    key_public_check(w->root, err) < 0 ||
	    key_public_check(w->coordinator, err) < 0)
		return -1;
	w->role = (enum join_role)role;
	return 0;
}

int
join_welcome_open(
    const void *object, size_t len, struct join_welcome *w, struct err *err)
{
	const uint8_t *content;
	size_t content_len;

	if (signed_peek(object, len, JOIN_WELCOME_TYPE, JOIN_MAX, &content,
		&content_len, err) < 0 ||
	    decode_welcome(w, content, content_len, err) < 0)
		return -1;
	return signed_open(object, len, JOIN_WELCOME_TYPE, JOIN_MAX, w->root,
	    &content, &content_len, err);
}
