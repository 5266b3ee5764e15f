/*
 * Enrolment: the root, the coordinator, a site and an officer make their keys;
 * the root lets members in; members install what they were given.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/canon.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/file.h"
#include "common/hex.h"
#include "common/macros.h"
#include "crypto/cert.h"
#include "crypto/join.h"
#include "crypto/keyfile.h"
#include "ctl/ctl.h"
#include "ctl/members.h"
#include "ctl/passphrase.h"
#include "ctl/rootkey.h"

#define CA_DAYS (20 * 365)
#define MEMBER_DAYS (2 * 365)

static struct cert_life
life(int64_t days)
{
	int64_t now = clock_utc();

	/* An hour for clocks that are slow. */
	return (struct cert_life){ now - 3600, now + days * CERT_DAY };
}

/* Make a signing key and its file; the caller frees it. */
static struct key *
make_key(const char *path, const char *passphrase, struct err *err)
{
	struct key *k;

	if (path == NULL || (k = key_new(err)) == NULL)
		return NULL;
	if (key_save(k, path, passphrase, err) < 0) {
		key_free(k);
		return NULL;
	}
	return k;
}

static struct cert_key *
make_tls_key(const char *path, struct err *err)
{
	struct cert_key *k;

	if (path == NULL || (k = cert_key_new(err)) == NULL)
		return NULL;
	if (cert_key_save(k, path, err) < 0) {
		cert_key_free(k);
		return NULL;
	}
	return k;
}

/* Refuse before anything is made rather than in the middle. */
static int
refuse_existing(
    const char *dir, const char *const *names, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		const char *path = ctl_path(dir, names[i], err);

		if (path == NULL)
			return -1;
		if (access(path, F_OK) == 0)
			return err_set(err, ERR_CONFIG,
			    "%s: is there already; keys are never overwritten",
			    path);
	}
	return 0;
}

static void
print_key(const char *what, const uint8_t pk[KEY_PUBLIC])
{
	char hex[KEY_PUBLIC_TEXT];

	hex_text(pk, KEY_PUBLIC, hex);
	printf("%s %s\n", what, hex);
}

static int
make_ca(const char *dir, const char *consortium, struct err *err)
{
	const char *crt = ctl_path(dir, "ca.crt", err);
	struct cert_key *ca = NULL;
	struct canon pem = { 0 };
	int rv = -1;

	if (crt != NULL &&
	    (ca = make_tls_key(ctl_path(dir, "ca.key", err), err)) != NULL &&
	    cert_make_ca(ca, consortium, life(CA_DAYS), &pem, err) == 0)
		rv = file_create(crt, pem.data, pem.len, 0444, err);
	canon_free(&pem);
	cert_key_free(ca);
	return rv;
}

int
ctl_root_init(const struct ctl_args *a, struct err *err)
{
	static const char *const made[] = { "root.key", "root.pub", "ca.key",
		"ca.crt", "members" };
	const char *dir = a->opt[CTL_DIR], *name = a->opt[CTL_CONSORTIUM];
	const char *pub, *members;
	char *passphrase = NULL;
	struct key *root = NULL;
	int rv = -1;

	if (a->opt[CTL_NO_PASSPHRASE] != NULL &&
	    a->opt[CTL_PASSPHRASE_FILE] != NULL)
		return err_set(err, ERR_CONFIG,
		    "expected --passphrase-file or --no-passphrase, not both");
	if (manifest_name_check("--consortium", name, err) < 0 ||
	    file_mkdirs(dir, 0700, err) < 0 ||
	    refuse_existing(dir, made, nitems(made), err) < 0 ||
	    (pub = ctl_path(dir, "root.pub", err)) == NULL ||
	    (members = ctl_path(dir, "members", err)) == NULL)
		return -1;
	if (a->opt[CTL_NO_PASSPHRASE] == NULL &&
	    (passphrase = passphrase_get(a->opt[CTL_PASSPHRASE_FILE],
		 "the root's key", true, err)) == NULL)
		return -1;
	root = make_key(ctl_path(dir, "root.key", err), passphrase, err);
	if (root == NULL || key_public_save(key_public(root), pub, err) < 0 ||
	    make_ca(dir, name, err) < 0 ||
	    members_create(members, name, err) < 0)
		goto out;
	print_key("root public key", key_public(root));
	printf("keep %s offline; members compare the key above with what "
	       "\"consiliumctl welcome\" shows them\n",
	    dir);
	rv = 0;
out:
	passphrase_free(passphrase);
	key_free(root);
	return rv;
}

/* A member's keys and its request to the root, in dir.  Its public key has a
   file of its own if public_name. */
static int
member_init(const char *dir, const char *key_name, const char *public_name,
    struct join_request *r, struct err *err)
{
	const char *path = ctl_path(dir, "request", err), *public;
	struct key *identity = NULL;
	struct cert_key *tls = NULL;
	struct canon spki = { 0 }, request = { 0 };
	int rv = -1;

	if (path == NULL)
		return -1;
	identity = make_key(ctl_path(dir, key_name, err), NULL, err);
	if (identity == NULL ||
	    (public_name != NULL &&
		((public = ctl_path(dir, public_name, err)) == NULL ||
		    key_public_save(key_public(identity), public, err) < 0)) ||
	    (tls = make_tls_key(ctl_path(dir, "tls.key", err), err)) == NULL ||
	    cert_key_spki(tls, &spki, err) < 0)
		goto out;
	r->spki_len = MIN(spki.len, sizeof(r->spki));
	memcpy(r->spki, spki.data, r->spki_len);
	if (join_request_sign(r, identity, &request, err) < 0 ||
	    file_create(path, request.data, request.len, 0644, err) < 0)
		goto out;
	print_key("identity key", key_public(identity));
	printf("send %s to the consortium's root, and tell it the key above by "
	       "another way\n",
	    path);
	rv = 0;
out:
	canon_free(&spki);
	canon_free(&request);
	cert_key_free(tls);
	key_free(identity);
	return rv;
}

int
ctl_coordinator_init(const struct ctl_args *a, struct err *err)
{
	static const char *const made[] = { "coordinator.key", "tls.key",
		"request" };
	struct join_request r = { .role = JOIN_COORDINATOR };

	if (manifest_name_check("--name", a->opt[CTL_NAME], err) < 0)
		return -1;
	if (strlen(a->opt[CTL_HOST]) > JOIN_HOST_MAX)
		return err_set(err, ERR_CONFIG,
		    "--host: expected at most %d characters", JOIN_HOST_MAX);
	strcpy(r.name, a->opt[CTL_NAME]);
	strcpy(r.host, a->opt[CTL_HOST]);
	if (join_host_check(r.host, err) < 0 ||
	    file_mkdirs(a->opt[CTL_DIR], 0700, err) < 0 ||
	    refuse_existing(a->opt[CTL_DIR], made, nitems(made), err) < 0)
		return -1;
	return member_init(a->opt[CTL_DIR], "coordinator.key", NULL, &r, err);
}

int
ctl_site_init(const struct ctl_args *a, struct err *err)
{
	static const char *const made[] = { "identity.key", "identity.pub",
		"tls.key", "pseudonym.key", "request" };
	struct join_request r = { .role = JOIN_SITE };
	const char *pseudonym;

	if (manifest_name_check("--name", a->opt[CTL_NAME], err) < 0)
		return -1;
	strcpy(r.name, a->opt[CTL_NAME]);
	if (file_mkdirs(a->opt[CTL_DIR], 0700, err) < 0 ||
	    refuse_existing(a->opt[CTL_DIR], made, nitems(made), err) < 0 ||
	    (pseudonym = ctl_path(a->opt[CTL_DIR], "pseudonym.key", err)) ==
		NULL ||
	    secret_create(pseudonym, err) < 0)
		return -1;
	return member_init(
	    a->opt[CTL_DIR], "identity.key", "identity.pub", &r, err);
}

int
ctl_officer_init(const struct ctl_args *a, struct err *err)
{
	const char *path = a->opt[CTL_KEY], *pub;
	char *passphrase, pub_name[4096];
	struct key *k;
	int rv = -1;

	if (snprintf(pub_name, sizeof(pub_name), "%s.pub", path) >=
	    (int)sizeof(pub_name))
		return err_set(err, ERR_CONFIG, "--key: name too long");
	pub = pub_name;
	if (refuse_existing(NULL, &path, 1, err) < 0 ||
	    refuse_existing(NULL, &pub, 1, err) < 0)
		return -1;
	passphrase = passphrase_get(
	    a->opt[CTL_PASSPHRASE_FILE], "the officer's key", true, err);
	if (passphrase == NULL)
		return -1;
	if ((k = make_key(path, passphrase, err)) != NULL &&
	    key_public_save(key_public(k), pub, err) == 0) {
		char hex[KEY_PUBLIC_TEXT];

		hex_text(key_public(k), KEY_PUBLIC, hex);
		printf(
		    "%s\nthe key above goes into [officer] public-key of the "
		    "hospital's consiliumd.conf; keep %s and its "
		    "passphrase to yourself\n",
		    hex, path);
		rv = 0;
	}
	key_free(k);
	passphrase_free(passphrase);
	return rv;
}

/* The root's answer to one who is on the list. */
static int
make_welcome(const char *dir, const struct key *root, const struct members *m,
    const struct join_request *r, struct join_welcome *w, struct err *err)
{
	const char *ca_path = ctl_path(dir, "ca.crt", err);
	const char *key_path = ctl_path(dir, "ca.key", err);
	struct cert_pem ca_cert = { .name = ca_path };
	struct canon tls = { 0 };
	struct cert_key *ca = NULL;
	uint8_t *pem = NULL;
	int rv = -1;

	(void)root;
	if (ca_path == NULL || key_path == NULL)
		return -1;
	if ((pem = file_read(ca_path, JOIN_PEM_MAX, &ca_cert.len, err)) ==
		NULL ||
	    (ca = cert_key_load(key_path, err)) == NULL)
		goto out;
	ca_cert.pem = (const char *)pem;
	if (cert_issue(ca, ca_cert, members_consortium(m), r, life(MEMBER_DAYS),
		&tls, err) < 0)
		goto out;
	w->role = r->role;
	strcpy(w->consortium, members_consortium(m));
	strcpy(w->name, r->name);
	memcpy(w->key, r->key, KEY_PUBLIC);
	memcpy(w->coordinator, members_coordinator(m)->key, KEY_PUBLIC);
	snprintf(w->tls_pem, sizeof(w->tls_pem), "%.*s", (int)tls.len,
	    (const char *)tls.data);
	snprintf(w->ca_pem, sizeof(w->ca_pem), "%s", (const char *)pem);
	rv = 0;
out:
	canon_free(&tls);
	cert_key_free(ca);
	free(pem);
	return rv;
}

/* Is it on the list, by the same key? */
static bool
is_member(const struct members *m, const struct join_request *r)
{
	const struct manifest_member *c = members_coordinator(m);
	size_t n;
	const struct manifest_site *sites = members_sites(m, &n);

	for (size_t i = 0; i < n; i++)
		if (memcmp(sites[i].member.key, r->key, KEY_PUBLIC) == 0)
			return true;
	return c != NULL && memcmp(c->key, r->key, KEY_PUBLIC) == 0;
}

/* Let r in and list it anew.  *again: it was there with these keys. */
static int
admit(const char *path, const struct join_request *r, bool replace,
    struct members **m, uint16_t *id, bool *again, struct err *err)
{
	uint8_t tls[CERT_SPKI];

	if (cert_spki_hash(r->spki, r->spki_len, tls, err) < 0 ||
	    (*m = members_load(path, err)) == NULL)
		return -1;
	if (r->role == JOIN_SITE && members_coordinator(*m) == NULL)
		return err_set(err, ERR_CONFIG,
		    "the coordinator has to join first: a welcome names its "
		    "key");
	*again = is_member(*m, r);
	if (replace ? members_replace(*m, r, tls, id, err) < 0
		    : members_add(*m, r, tls, id, err) < 0)
		return -1;
	members_free(*m);
	*m = members_load(path, err);
	return *m != NULL ? 0 : -1;
}

int
ctl_join(const struct ctl_args *a, struct err *err)
{
	const char *dir = a->opt[CTL_ROOT];
	const char *list = ctl_path(dir, "members", err);
	struct join_request r = { 0 };
	static struct join_welcome w; /* 32 KiB */
	struct members *m = NULL;
	struct canon out = { 0 };
	struct key *root;
	uint16_t id;
	bool again = false;
	int rv = -1;

	if (list == NULL || ctl_join_request(a->operand, &r, err) < 0 ||
	    (root = rootkey_load(dir, a->opt[CTL_PASSPHRASE_FILE], err)) ==
		NULL)
		return -1;
	if (admit(list, &r, a->opt[CTL_REPLACE] != NULL, &m, &id, &again, err) <
		0 ||
	    make_welcome(dir, root, m, &r, &w, err) < 0 ||
	    join_welcome_sign(&w, root, &out, err) < 0 ||
	    file_write(a->opt[CTL_OUT], out.data, out.len, 0644, err) < 0)
		goto out;
	if (r.role == JOIN_SITE)
		printf(
		    "%s is site %u of %s\n", r.name, id, members_consortium(m));
	else
		printf("%s is the coordinator of %s\n", r.name,
		    members_consortium(m));
	print_key("identity key", r.key);
	if (again)
		printf("it was a member with this key before: this is a new "
		       "certificate, and a manifest that has the key stays\n");
	else
		printf("compare the key above with what %s tells you by "
		       "another way, before you sign a manifest\n",
		    r.name);
	rv = 0;
out:
	canon_free(&out);
	members_free(m);
	key_free(root);
	return rv;
}

/* The welcome is for the keys that lie in dir. */
static int
check_welcome(const char *dir, const struct join_welcome *w, struct err *err)
{
	const char *request = ctl_path(dir, "request", err);
	const char *tls_key = ctl_path(dir, "tls.key", err);
	struct cert_pem cert = { "the welcome's certificate", w->tls_pem,
		strlen(w->tls_pem) };
	struct cert_pem ca = { "the welcome's CA certificate", w->ca_pem,
		strlen(w->ca_pem) };
	struct cert_pem key = { .name = tls_key };
	struct join_request r = { 0 };
	uint8_t *pem;
	int rv;

	if (request == NULL || tls_key == NULL ||
	    ctl_join_request(request, &r, err) < 0)
		return -1;
	if (memcmp(r.key, w->key, KEY_PUBLIC) != 0 || r.role != w->role ||
	    strcmp(r.name, w->name) != 0)
		return err_set(err, ERR_REFUSED,
		    "the welcome is for %s %s, not for the request in %s",
		    join_role_name(w->role), w->name, dir);
	if ((pem = file_read(tls_key, JOIN_PEM_MAX, &key.len, err)) == NULL)
		return -1;
	key.pem = (const char *)pem;
	rv = cert_check(cert, key, ca, clock_utc(), NULL, err);
	explicit_bzero(pem, key.len);
	free(pem);
	return rv;
}

/* A key that is pinned once stays what it is. */
static int
pin(const char *path, const uint8_t pk[KEY_PUBLIC], struct err *err)
{
	uint8_t old[KEY_PUBLIC];

	if (path == NULL)
		return -1;
	if (access(path, F_OK) != 0)
		return key_public_save(pk, path, err);
	if (key_public_load(path, old, err) < 0)
		return -1;
	if (memcmp(old, pk, sizeof(old)) != 0)
		return err_set(err, ERR_REFUSED,
		    "%s: another key is pinned already", path);
	return 0;
}

static int
install(const char *dir, const struct join_welcome *w, struct err *err)
{
	const char *crt = ctl_path(dir, "tls.crt", err);
	const char *ca = ctl_path(dir, "ca.crt", err);

	if (crt == NULL || ca == NULL ||
	    pin(ctl_path(dir, "root.pub", err), w->root, err) < 0 ||
	    pin(ctl_path(dir, "coordinator.pub", err), w->coordinator, err) <
		0 ||
	    file_write(ca, w->ca_pem, strlen(w->ca_pem), 0444, err) < 0)
		return -1;
	return file_write(crt, w->tls_pem, strlen(w->tls_pem), 0444, err);
}

int
ctl_welcome(const struct ctl_args *a, struct err *err)
{
	static struct join_welcome w;
	uint8_t expected[KEY_PUBLIC], *file;
	size_t len;
	int rv;

	if (a->opt[CTL_ROOT_KEY] != NULL &&
	    ctl_public_key("--root-key", a->opt[CTL_ROOT_KEY], expected, err) <
		0)
		return -1;
	if ((file = file_read(a->operand, JOIN_MAX, &len, err)) == NULL)
		return -1;
	if ((rv = join_welcome_open(file, len, &w, err)) < 0)
		err_prefix(err, "%s", a->operand);
	free(file);
	if (rv < 0)
		return -1;
	if (a->opt[CTL_ROOT_KEY] != NULL &&
	    memcmp(expected, w.root, KEY_PUBLIC) != 0)
		return err_set(err, ERR_REFUSED,
		    "%s: signed by another root than --root-key says",
		    a->operand);
	if (check_welcome(a->opt[CTL_DIR], &w, err) < 0 ||
	    install(a->opt[CTL_DIR], &w, err) < 0)
		return -1;
	printf("%s %s is a member of %s\n", join_role_name(w.role), w.name,
	    w.consortium);
	print_key("root public key", w.root);
	if (a->opt[CTL_ROOT_KEY] == NULL)
		printf("compare the key above with what the consortium's root "
		       "tells you by another way, before you start\n");
	return 0;
}
