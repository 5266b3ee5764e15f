/*
 * Keys that follow others: a site's new identity, and the consortium's next
 * root.  The old ones stay beside the new, under a number, until somebody
 * deletes them.  Each command can be given again after it was interrupted.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/file.h"
#include "common/hex.h"
#include "common/macros.h"
#include "crypto/audit.h"
#include "crypto/cert.h"
#include "crypto/join.h"
#include "crypto/keyfile.h"
#include "crypto/manifest.h"
#include "ctl/ctl.h"
#include "ctl/members.h"
#include "ctl/passphrase.h"
#include "ctl/rootkey.h"

#define OLD_MAX 1000 /* keys that have been replaced */

/* What is in DIR/NAME.new takes the place of DIR/NAME, which stays as
   DIR/NAME.1, 2, ... if keep and there is one. */
static int
put_in_place(const char *dir, const char *name, bool keep, struct err *err)
{
	char path[PATH_MAX], fresh[PATH_MAX + 8], old[PATH_MAX + 16];

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >=
	    (int)sizeof(path))
		return err_set(
		    err, ERR_CONFIG, "%s: the name is too long", dir);
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	for (unsigned k = 1; keep; k++) {
		snprintf(old, sizeof(old), "%s.%u", path, k);
		if (link(path, old) == 0 || errno == ENOENT)
			break;
		if (errno != EEXIST || k == OLD_MAX)
			return err_sys(err, "link %s", path);
	}
	if (rename(fresh, path) < 0)
		return err_sys(err, "rename %s", path);
	return file_sync(dir, err);
}

/* A new signing key in DIR/NAME, or the one that an interrupted run has made. */
static struct key *
fresh_key(
    const char *dir, const char *name, const char *passphrase, struct err *err)
{
	const char *path = ctl_path(dir, name, err);
	struct key *k;

	if (path == NULL)
		return NULL;
	if (access(path, F_OK) == 0)
		return key_load(path, passphrase, err);
	if ((k = key_new(err)) != NULL &&
	    key_save(k, path, passphrase, err) < 0) {
		key_free(k);
		k = NULL;
	}
	return k;
}

/* In DIR/NAME.new, for put_in_place(). */
static int
write_public(const char *dir, const char *name, const uint8_t pk[KEY_PUBLIC],
    struct err *err)
{
	const char *path = ctl_path(dir, name, err);

	if (path == NULL || (unlink(path) < 0 && errno != ENOENT))
		return path == NULL ? -1 : err_sys(err, "unlink %s", path);
	return key_public_save(pk, path, err);
}

static int
put_root_public(const char *dir, const uint8_t pk[KEY_PUBLIC], struct err *err)
{
	if (write_public(dir, "root.pub.new", pk, err) < 0)
		return -1;
	return put_in_place(dir, "root.pub", false, err);
}

static void
print_key(const char *what, const uint8_t pk[KEY_PUBLIC])
{
	char hex[KEY_PUBLIC_TEXT];

	hex_text(pk, KEY_PUBLIC, hex);
	printf("%s %s\n", what, hex);
}

/*
 * The root
 */

/* The old root signs the new one, from the manifest after the last on. */
static int
sign_change(const char *dir, const struct key *old, const struct key *next,
    struct manifest_roots *roots, uint32_t last, struct err *err)
{
	const char *list = ctl_path(dir, "members", err);
	struct members *members;
	int rv = -1;

	if (memcmp(manifest_root(roots), key_public(next), KEY_PUBLIC) == 0)
		return 0; /* before it was interrupted */
	if (list == NULL || (members = members_load(list, err)) == NULL)
		return -1;
	if (manifest_change_root(roots, members_consortium(members), old,
		key_public(next), last + 1, err) == 0)
		rv = rootkey_put_roots(dir, roots, err);
	members_free(members);
	return rv;
}

/* Has this root taken over after the last manifest?  Then it does not hand over
   before it has signed one: no two changes are of one epoch. */
static bool
has_just_followed(
    const struct manifest_roots *roots, const struct key *root, uint32_t last)
{
	return roots->n > 0 && roots->changes[roots->n - 1].epoch > last &&
	    memcmp(manifest_root(roots), key_public(root), KEY_PUBLIC) == 0;
}

int
ctl_root_rotate(const struct ctl_args *a, struct err *err)
{
	const char *dir = a->opt[CTL_ROOT];
	const char *path = ctl_path(dir, "root.key", err);
	struct key *old = NULL, *next = NULL;
	struct manifest *last = NULL;
	struct manifest_roots roots;
	char *passphrase = NULL;
	int rv = -1, locked;

	if (path == NULL || (locked = key_locked(path, err)) < 0)
		return -1;
	if (locked &&
	    (passphrase = passphrase_get(a->opt[CTL_PASSPHRASE_FILE],
		 "the root's key", false, err)) == NULL)
		return -1;
	if ((old = key_load(path, passphrase, err)) == NULL ||
	    rootkey_roots(dir, old, &roots, err) < 0 ||
	    (last = ctl_root_manifest(dir, old, err)) == NULL)
		goto out;
	if (has_just_followed(&roots, old, last->epoch)) {
		if ((rv = put_root_public(dir, key_public(old), err)) < 0)
			goto out;
		print_key("root public key, from now on", key_public(old));
		printf("it has signed no manifest yet: sign one before the "
		       "next change\n");
		goto out;
	}
	if ((next = fresh_key(dir, "root.key.new", passphrase, err)) == NULL ||
	    sign_change(dir, old, next, &roots, last->epoch, err) < 0 ||
	    put_in_place(dir, "root.key", true, err) < 0 ||
	    put_root_public(dir, key_public(next), err) < 0)
		goto out;
	print_key("root public key, until now", key_public(old));
	print_key("root public key, from now on", key_public(next));
	printf("sign a manifest: it tells the members; tell them the new key "
	       "by another way, too\n");
	rv = 0;
out:
	passphrase_free(passphrase);
	manifest_free(last);
	key_free(old);
	key_free(next);
	return rv;
}

int
ctl_root_adopt(const struct ctl_args *a, struct err *err)
{
	const char *dir = a->opt[CTL_DIR];
	const char *path = ctl_path(dir, "root.pub", err);
	uint8_t pinned[KEY_PUBLIC], *file;
	const uint8_t *now;
	struct manifest *m;
	size_t len;
	int rv = 0;

	if (path == NULL || key_public_load(path, pinned, err) < 0 ||
	    (file = file_read(a->operand, MANIFEST_MAX, &len, err)) == NULL)
		return -1;
	m = manifest_open(file, len, pinned, err);
	free(file);
	if (m == NULL)
		return err_prefix(err, "%s", a->operand);
	now = manifest_root(&m->roots);
	if (memcmp(now, pinned, KEY_PUBLIC) == 0)
		printf("%s has that root already\n", path);
	else if ((rv = put_root_public(dir, now, err)) == 0)
		print_key("root public key, until now", pinned);
	if (rv == 0)
		print_key("root public key", now);
	manifest_free(m);
	return rv;
}

/*
 * A site
 */

/* The log goes on under the next key, unless it does already. */
static int
hand_over_log(const char *state, const struct key *old, const struct key *next,
    struct err *err)
{
	const char *path = ctl_path(state, "audit.log", err);
	struct audit *log;
	int rv;

	if (path == NULL || access(path, F_OK) < 0)
		return path == NULL ? -1 : err_sys(err, "%s", path);
	if ((log = audit_open(path, old, err)) != NULL) {
		rv = audit_hand_over(log, key_public(next), err);
	} else if (err->code == ERR_REFUSED) {
		log = audit_open(path, next, err);
		rv = log != NULL ? 0 : -1;
	} else {
		rv = -1;
	}
	audit_close(log);
	return rv;
}

/* A new TLS key, and the request of both. */
static int
make_request(const char *dir, struct join_request *r, const struct key *next,
    struct err *err)
{
	const char *path = ctl_path(dir, "tls.key.new", err);
	const char *request = ctl_path(dir, "request.new", err);
	struct canon spki = { 0 }, out = { 0 };
	struct cert_key *tls = NULL;
	int rv = -1;

	if (path == NULL || request == NULL ||
	    (unlink(path) < 0 && errno != ENOENT) ||
	    (tls = cert_key_new(err)) == NULL ||
	    cert_key_save(tls, path, err) < 0 ||
	    cert_key_spki(tls, &spki, err) < 0)
		goto out;
	r->spki_len = MIN(spki.len, sizeof(r->spki));
	memcpy(r->spki, spki.data, r->spki_len);
	if (join_request_sign(r, next, &out, err) == 0)
		rv = file_write(request, out.data, out.len, 0644, err);
out:
	canon_free(&spki);
	canon_free(&out);
	cert_key_free(tls);
	return rv;
}

int
ctl_site_reset(const struct ctl_args *a, struct err *err)
{
	const char *dir = a->opt[CTL_DIR];
	const char *identity = ctl_path(dir, "identity.key", err);
	const char *request = ctl_path(dir, "request", err);
	struct key *old = NULL, *next = NULL;
	struct join_request r = { 0 };
	int rv = -1;

	if (identity == NULL || request == NULL ||
	    ctl_join_request(request, &r, err) < 0)
		return -1;
	if (r.role != JOIN_SITE)
		return err_set(err, ERR_CONFIG, "%s: not a site's", request);
	if ((old = key_load(identity, NULL, err)) == NULL ||
	    (next = fresh_key(dir, "identity.key.new", NULL, err)) == NULL ||
	    make_request(dir, &r, next, err) < 0 ||
	    write_public(dir, "identity.pub.new", key_public(next), err) < 0 ||
	    hand_over_log(a->opt[CTL_STATE], old, next, err) < 0)
		goto out;
	/* The identity last: until it is in place this can be done again. */
	if (put_in_place(dir, "request", false, err) < 0 ||
	    put_in_place(dir, "tls.key", true, err) < 0 ||
	    put_in_place(dir, "identity.pub", true, err) < 0 ||
	    put_in_place(dir, "identity.key", true, err) < 0)
		goto out;
	print_key("identity key, until now", key_public(old));
	print_key("identity key", key_public(next));
	printf("send %s to the consortium's root, and tell it the key above by "
	       "another way; it lets %s in with \"consiliumctl join "
	       "--replace\"\n",
	    request, r.name);
	rv = 0;
out:
	key_free(old);
	key_free(next);
	return rv;
}
